/* tests/hw/test_fdc.c - the floppy controller's registers and commands, from the 82078's sheet. */
#include "tests/hw/fdc_bench.h"

static void test_reset(void)
{
    struct rig t = start();
    struct bench *b = t.b;

    g_assert_cmphex(inb(b, MSR), ==, 0x80);
    g_assert_cmphex(inb(b, DOR), ==, 0x3c);
    CMD(&t, 0x08); /* nothing pending: invalid */
    CHECK_RES(&t, 0x80);
    outb(b, MSR, 0x80); /* DSR reset clears itself */
    g_assert_cmphex(inb(b, MSR), ==, 0x80);
    g_assert_true(wait_int(&t));
    CMD(&t, 0x08);
    CHECK_RES(&t, 0xc0, 0);
    g_assert_false(irq_level(b, 6));
    outb(b, DOR, 0x38);
    outb(b, FIFO, 0x08); /* held in reset: ignored */
    g_assert_cmphex(inb(b, FIFO), ==, 0);
    outb(b, DOR, 0x34); /* DMAGATE off: INT is cut off */
    wait_ns(&t, NS_PER_MS);
    g_assert_false(irq_level(b, 6));
    g_assert_cmphex(inb(b, SRA) & 0x80, ==, 0x80);
    outb(b, DOR, 0x3c);
    g_assert_true(irq_level(b, 6));
    CMD(&t, 0x0f, 0, 5); /* a reset in the midst of a command, and of a seek */
    put(&t, 0x06);
    outb(b, DOR, 0x38);
    outb(b, DOR, 0x3c);
    wait_ns(&t, NS_PER_MS);
    CMD(&t, 0x08);
    CHECK_RES(&t, 0xc0, 0);
    outb(b, TDR, 0xff);
    g_assert_cmphex(inb(b, TDR), ==, 0xff);
    outb(b, TDR, 0);
    g_assert_cmphex(inb(b, TDR), ==, 0xf8);
    g_assert_cmphex(inb(b, SRB), ==, 0xc3);
    bench_free(b);
}

static void test_registers_commands(void)
{
    struct rig t = start();

    CMD(&t, 0x10);
    CHECK_RES(&t, 0x90);
    CMD(&t, 0x18);
    CHECK_RES(&t, 0x01);
    CMD(&t, 0x0e); /* DUMPREG: implied seek on, FIFO off after reset */
    CHECK_RES(&t, 0, 0, 0, 0, 0xdf, 0x02, 0, 0x00, 0x60, 0);
    CMD(&t, 0x13, 0, 0x57, 0x33); /* CONFIGURE */
    CMD(&t, 0x12, 0x80 | 0x14 | 3); /* PERPENDICULAR: drives 0 and 2, GAP, WGATE */
    CMD(&t, 0x94); /* LOCK */
    CHECK_RES(&t, 0x10);
    CMD(&t, 0x0e);
    CHECK_RES(&t, 0, 0, 0, 0, 0xdf, 0x02, 0, 0x97, 0x57, 0x33);
    CMD(&t, 0x12, 0x28 | 1); /* without OW the drives stay */
    CMD(&t, 0x0e);
    CHECK_RES(&t, 0, 0, 0, 0, 0xdf, 0x02, 0, 0x95, 0x57, 0x33);
    outb(t.b, DOR, 0);
    outb(t.b, DOR, 0x3c);
    wait_ns(&t, NS_PER_MS);
    CMD(&t, 0x0e); /* locked: threshold, FIFO and precompensation survive; GAP and WGATE are cleared */
    CHECK_RES(&t, 0, 0, 0, 0, 0xdf, 0x02, 0, 0x94, 0x47, 0x33);
    CMD(&t, 0x14);
    CHECK_RES(&t, 0x00);
    outb(t.b, MSR, 0x80);
    wait_ns(&t, NS_PER_MS);
    CMD(&t, 0x08); /* one is enough: the statuses left over don't hold INT up, nor hide a seek's */
    CHECK_RES(&t, 0xc0, 0);
    CMD(&t, 0x0e);
    CHECK_RES(&t, 0, 0, 0, 0, 0xdf, 0x02, 0, 0x14, 0x60, 0);
    CMD(&t, 0x17, 0x25);
    CHECK_RES(&t, 0x25);
    CMD(&t, 0x33, 0x01);
    seek(&t, 0, 12);
    CMD(&t, 0x2e); /* SAVE */
    CHECK_RES(&t, 0x00, 1, 12, 0, 0, 0, 0xdf, 0x02, 0, 0x14, 0x60, 0, 0x25, 0, 0, 0);
    CMD(&t, 0x4e, 0x02, 0, 7, 6, 5, 4, 0xaf, 0x12, 18, 0x94, 0x4a, 9, 0, 0, 0, 0); /* RESTORE */
    CMD(&t, 0x0e);
    CHECK_RES(&t, 7, 6, 5, 4, 0xaf, 0x12, 18, 0x94, 0x4a, 9);
    CMD(&t, 0x8e, 0x0b, 0x2d, 0x80); /* DRIVE SPECIFICATION for drives 0 and 1 */
    CHECK_RES(&t, 0x0b, 0x0d, 0, 0);
    CMD(&t, 0x8e, 0xc0); /* no result phase */
    g_assert_cmphex(inb(t.b, MSR), ==, 0x80);
    static const uint8_t invalid[] = {0x00, 0x01, 0x0b, 0x15, 0x1a, 0x1b, 0x1e,
                                      0x1f, 0x23, 0x2f, 0x48, 0x8d, 0xff};
    for (unsigned i = 0; i < sizeof invalid; i++) {
        CMD(&t, invalid[i]);
        CHECK_RES(&t, 0x80);
    }
    g_assert_false(irq_level(t.b, 6));
    bench_free(t.b);
}

/* Each command takes exactly as many bytes as the sheet says, then is in another phase. */
static void test_lengths(void)
{
    static const struct {
        uint8_t code, len;
    } cmds[] = {{0x46, 9}, {0xe6, 9}, {0x45, 9}, {0xc5, 9}, {0x4c, 9}, {0x49, 9}, {0x42, 9}, {0x56, 9},
                {0x51, 9}, {0x59, 9}, {0x5d, 9}, {0x4d, 6}, {0x4a, 2}, {0x03, 3}, {0x04, 2}, {0x07, 2},
                {0x0f, 3}, {0xcf, 3}, {0x8f, 3}, {0x13, 4}, {0x12, 2}, {0x17, 2}, {0x33, 2}, {0x4e, 17}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cmds); i++) {
        struct rig t = start();
        put(&t, cmds[i].code);
        for (unsigned k = 1; k < cmds[i].len; k++) {
            g_assert_cmphex(inb(t.b, MSR) & 0xf0, ==, 0x90); /* in a command: RQM, busy */
            put(&t, 0);
        }
        g_assert_cmphex(inb(t.b, MSR) & 0xd0, !=, 0x90);
        bench_free(t.b);
    }
}

static void test_seek(void)
{
    struct rig t = start();
    struct bench *b = t.b;

    g_assert_cmphex(inb(b, DIRR), ==, 0x80); /* the change line is set until the head steps */
    CMD(&t, 0x04, 0x04);
    CHECK_RES(&t, 0x3c); /* track 0, head 1 */
    CMD(&t, 0x0f, 0, 20);
    g_assert_cmphex(inb(b, MSR), ==, 0x81); /* drive 0 busy; the controller is free */
    g_assert_false(irq_level(b, 6));
    g_assert_true(wait_int(&t));
    CMD(&t, 0x08);
    g_assert_false(irq_level(b, 6));
    CHECK_RES(&t, 0x20, 20);
    g_assert_cmphex(inb(b, MSR), ==, 0x80);
    g_assert_cmphex(inb(b, DIRR), ==, 0);
    CMD(&t, 0x04, 0x00);
    CHECK_RES(&t, 0x28);
    CMD(&t, 0xcf, 0, 5); /* RELATIVE SEEK inwards */
    wait_int(&t);
    CMD(&t, 0x08);
    CHECK_RES(&t, 0x20, 25);
    CMD(&t, 0x8f, 0, 3);
    wait_int(&t);
    CMD(&t, 0x08);
    CHECK_RES(&t, 0x20, 22);
    outb(b, DIRR, 0);
    CMD(&t, 0x4a, 0x04); /* READ ID: the head is really there */
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmpuint(t.n_res, ==, 7);
    g_assert_cmphex(t.res[0], ==, 0x04);
    g_assert_cmpuint(t.res[3], ==, 22);
    g_assert_cmpuint(t.res[4], ==, 1);
    g_assert_cmpuint(t.res[5], >=, 1);
    g_assert_cmpuint(t.res[5], <=, 18);
    g_assert_cmpuint(t.res[6], ==, 2);
    CMD(&t, 0x07, 0);
    g_assert_true(wait_int(&t));
    CMD(&t, 0x08);
    CHECK_RES(&t, 0x20, 0);
    CMD(&t, 0x07, 1); /* no such drive: track 0 is never found */
    CMD(&t, 0x0f, 0, 3); /* and at the same time the other one seeks */
    g_assert_cmphex(inb(b, MSR), ==, 0x83);
    wait_ns(&t, 10 * NS_PER_MS);
    CMD(&t, 0x08);
    CHECK_RES(&t, 0x20, 3);
    g_assert_true(irq_level(b, 6));
    CMD(&t, 0x08);
    CHECK_RES(&t, 0x71, 0);
    g_assert_false(irq_level(b, 6));
    bench_free(b);
}

static void test_read(void)
{
    struct rig t = start();
    uint8_t *m = MEM(&t);

    DMA_IN(&t, 512);
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_cmphex(inb(t.b, MSR), ==, 0x10); /* busy, no request: DMA */
    g_assert_true(wait_int(&t));
    g_assert_cmphex(inb(t.b, MSR), ==, 0xd0);
    CHECK_RES(&t, 0, 0, 0, 0, 0, 2, 2);
    g_assert_false(irq_level(t.b, 6));
    g_assert_cmpmem(m, 512, disk(&t, 0, 0, 1), 512);
    /* a whole cylinder, both heads, on an implied seek */
    DMA_IN(&t, 36 * 512);
    CMD(&t, 0xe6, 0, 40, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x24, 0, 0, 41, 0, 1, 2);
    g_assert_cmpmem(m, 36 * 512, disk(&t, 40, 0, 1), 36 * 512);
    /* MT off: no TC at the end of the track is an abnormal end */
    DMA_IN(&t, 36 * 512);
    CMD(&t, 0x46, 0, 40, 0, 10, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x80, 0, 41, 0, 1, 2);
    g_assert_cmpmem(m, 9 * 512, disk(&t, 40, 0, 10), 9 * 512);
    /* the table of results: MT with the last sector at EOT on head 0 */
    DMA_IN(&t, 512);
    CMD(&t, 0xc6, 0, 40, 0, 18, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0, 0, 0, 40, 1, 1, 2);
    DMA_IN(&t, 512);
    CMD(&t, 0xc6, 4, 40, 1, 18, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 4, 0, 0, 41, 0, 1, 2);
    DMA_IN(&t, 700); /* TC within a sector */
    memset(m, 0xaa, 1024);
    CMD(&t, 0x46, 0, 40, 0, 3, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0, 0, 0, 40, 0, 5, 2);
    g_assert_cmpmem(m, 700, disk(&t, 40, 0, 3), 700);
    g_assert_cmphex(m[700], ==, 0xaa);
    /* the channel is opened after the command: it waits */
    CMD(&t, 0x46, 0, 40, 0, 3, 2, 18, 0x1b, 0xff);
    wait_ns(&t, 10 * NS_PER_MS);
    g_assert_false(irq_level(t.b, 6));
    DMA_IN(&t, 512);
    bench_run(t.b);
    g_assert_true(irq_level(t.b, 6));
    CHECK_RES(&t, 0, 0, 0, 40, 0, 4, 2);
    /* or never: overrun */
    CMD(&t, 0x46, 0, 40, 0, 3, 2, 18, 0x1b, 0xff);
    wait_ns(&t, 2 * NS_PER_SEC);
    CHECK_RES(&t, 0x40, 0x10, 0, 40, 0, 3, 2);
    /* READ TRACK from the index hole; IDs that do not match are noted */
    DMA_IN(&t, 18 * 512);
    CMD(&t, 0x42, 0, 40, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0, 0, 0, 40, 0, 19, 2);
    g_assert_cmpmem(m, 18 * 512, disk(&t, 40, 0, 1), 18 * 512);
    DMA_IN(&t, 2 * 512);
    CMD(&t, 0x42, 0, 40, 1, 5, 2, 2, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[1], ==, 0x04);
    g_assert_cmpmem(m, 1024, disk(&t, 40, 0, 1), 1024);
    bench_free(t.b);
}

static void test_write(void)
{
    struct rig t = start();
    uint8_t *m = MEM(&t), old[512];

    for (int i = 0; i < 36 * 512; i++)
        m[i] = (uint8_t) (i * 13 + i / 512);
    DMA_OUT(&t, 36 * 512);
    CMD(&t, 0xc5, 0, 7, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x24, 0, 0, 8, 0, 1, 2);
    g_assert_cmpmem(disk(&t, 7, 0, 1), 36 * 512, m, 36 * 512);
    g_assert_cmpuint(t.blk[0]->n_flushes, ==, 1); /* done means done */
    memcpy(old, disk(&t, 7, 1, 6), 512);
    DMA_OUT(&t, 600); /* a TC within a sector: the rest is zeroes */
    CMD(&t, 0x45, 4, 7, 1, 4, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 4, 0, 0, 7, 1, 6, 2);
    g_assert_cmpmem(disk(&t, 7, 1, 4), 600, m, 600);
    g_assert_cmphex(disk(&t, 7, 1, 5)[88], ==, 0);
    g_assert_cmphex(disk(&t, 7, 1, 5)[511], ==, 0);
    g_assert_cmpmem(disk(&t, 7, 1, 6), 512, old, 512);
    t.blk[0]->blk.read_only = true;
    CMD(&t, 0x04, 0);
    CHECK_RES(&t, 0x68);
    memcpy(old, disk(&t, 7, 0, 1), 512);
    memset(m, 0, 512);
    DMA_OUT(&t, 512);
    CMD(&t, 0x45, 0, 7, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x02, 0, 7, 0, 1, 2);
    g_assert_cmpmem(disk(&t, 7, 0, 1), 512, old, 512);
    CMD(&t, 0x4d, 0, 2, 18, 0x6c, 0xf6);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[0] & 0xc0, ==, 0x40);
    g_assert_cmphex(t.res[1], ==, 0x02);
    bench_free(t.b);
}

static void test_deleted(void)
{
    struct rig t = start();

    memset(MEM(&t), 0x77, 512);
    DMA_OUT(&t, 512);
    CMD(&t, 0x49, 0, 0, 0, 2, 2, 18, 0x1b, 0xff); /* WRITE DELETED: sector 2 */
    wait_int(&t);
    CHECK_RES(&t, 0, 0, 0, 0, 0, 3, 2);
    DMA_IN(&t, 3 * 512);
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); /* reads it, sets CM, and ends there */
    wait_int(&t);
    CHECK_RES(&t, 0, 0, 0x40, 0, 0, 3, 2);
    g_assert_cmphex(MEM(&t)[512], ==, 0x77);
    DMA_IN(&t, 3 * 512);
    CMD(&t, 0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); /* SK: skips it */
    wait_int(&t);
    CHECK_RES(&t, 0, 0, 0x40, 0, 0, 5, 2);
    g_assert_cmpmem(MEM(&t) + 512, 1024, disk(&t, 0, 0, 3), 1024);
    DMA_IN(&t, 512);
    CMD(&t, 0x6c, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); /* READ DELETED, skipping the others */
    wait_int(&t);
    CHECK_RES(&t, 0, 0, 0x40, 0, 0, 3, 2);
    g_assert_cmphex(MEM(&t)[0], ==, 0x77);
    DMA_OUT(&t, 512);
    CMD(&t, 0x45, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
    wait_int(&t);
    get_results(&t);
    DMA_IN(&t, 512);
    CMD(&t, 0x46, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
    wait_int(&t);
    CHECK_RES(&t, 0, 0, 0, 0, 0, 3, 2); /* an ordinary sector again */
    bench_free(t.b);
}

static void test_verify_scan(void)
{
    struct rig t = start();
    uint8_t *m = MEM(&t);

    CMD(&t, 0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); /* to EOT */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0, 0, 0, 1, 0, 1, 2);
    g_assert_cmpuint(t.blk[0]->n_reads, ==, 18);
    CMD(&t, 0xd6, 0x80, 0, 0, 16, 2, 18, 0x1b, 5); /* EC: five sectors, over to the other head */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 4, 0, 0, 0, 1, 3, 2);
    CMD(&t, 0x56, 0, 0, 0, 17, 2, 20, 0x1b, 0xff); /* EOT beyond the track */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x04, 0, 0, 0, 19, 2);

    memcpy(m, disk(&t, 0, 0, 4), 512); /* SCAN EQUAL finds the fourth sector */
    for (int i = 1; i < 8; i++)
        memcpy(m + i * 512, m, 512);
    DMA_OUT(&t, 8 * 512);
    CMD(&t, 0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0, 0, 0x08, 0, 0, 5, 2);
    DMA_OUT(&t, 8 * 512);
    CMD(&t, 0x51, 0, 0, 0, 5, 2, 9, 0x1b, 2); /* not there, by steps of two: 5, 7, 9 */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0, 0, 0x04, 1, 0, 1, 2);
    memset(m, 0xff, 512); /* ff matches all */
    DMA_OUT(&t, 512);
    CMD(&t, 0x51, 0, 0, 0, 5, 2, 9, 0x1b, 1);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[2], ==, 0x08);
    memset(t.blk[0]->data, 0x40, 512);
    memset(m, 0x41, 512);
    DMA_OUT(&t, 512);
    CMD(&t, 0x59, 0, 0, 0, 1, 2, 9, 0x1b, 1); /* disk < host */
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[2], ==, 0);
    DMA_OUT(&t, 512);
    CMD(&t, 0x5d, 0, 0, 0, 1, 2, 9, 0x1b, 1); /* disk >= host: no */
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[2], ==, 0x04);
    memset(m, 0x3f, 512);
    DMA_OUT(&t, 512);
    CMD(&t, 0x5d, 0, 0, 0, 1, 2, 9, 0x1b, 1);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[2], ==, 0);
    bench_free(t.b);
}

static void test_format(void)
{
    struct rig t = start();
    uint8_t *m = MEM(&t), before[512];

    seek(&t, 0, 33);
    memcpy(before, disk(&t, 33, 0, 18), 512);
    for (uint8_t i = 0; i < 18; i++)
        memcpy(m + i * 4, (uint8_t[]){ 33, 1, i + 1, 2 }, 4);
    DMA_OUT(&t, 18 * 4);
    CMD(&t, 0x4d, 4, 2, 18, 0x6c, 0xf6);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[0], ==, 0x04);
    g_assert_cmphex(t.res[1] | t.res[2], ==, 0);
    for (int i = 0; i < 18 * 512; i++)
        g_assert_cmphex(disk(&t, 33, 1, 1)[i], ==, 0xf6);
    g_assert_cmpmem(disk(&t, 33, 0, 18), 512, before, 512);
    g_assert_cmphex(disk(&t, 34, 0, 1)[3], !=, 0xf6);
    /* IDs that the image can't hold: no harm, and not found afterwards */
    for (uint8_t i = 0; i < 18; i++)
        memcpy(m + i * 4, (uint8_t[]){ (uint8_t) (200 + i), 7, 99, (uint8_t) i }, 4);
    DMA_OUT(&t, 18 * 4);
    CMD(&t, 0x4d, 0, 2, 18, 0x6c, 0x11);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmpmem(disk(&t, 33, 0, 18), 512, before, 512);
    CMD(&t, 0x13, 0, 0x20, 0); /* no implied seek */
    CMD(&t, 0x46, 0, 200, 7, 99, 2, 99, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x04, 0x10, 200, 7, 99, 2); /* no data, wrong cylinder */
    bench_free(t.b);
}

static void test_errors(void)
{
    struct rig t = start();

    CMD(&t, 0x13, 0, 0x20, 0);
    CMD(&t, 0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff); /* the head is on track 0 */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x04, 0x10, 5, 0, 1, 2);
    CMD(&t, 0x46, 0, 0, 0, 19, 2, 19, 0x1b, 0xff); /* no such sector */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x04, 0, 0, 0, 19, 2);
    CMD(&t, 0x46, 0, 0, 1, 1, 2, 18, 0x1b, 0xff); /* the wrong head in the ID */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x04, 0, 0, 1, 1, 2);
    CMD(&t, 0x46, 0, 0, 0, 1, 3, 18, 0x1b, 0xff); /* 1024 byte sectors */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x04, 0, 0, 0, 1, 3);
    CMD(&t, 0x06, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); /* FM */
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x01, 0, 0, 0, 1, 2);
    for (uint8_t rate = 1; rate < 4; rate++) { /* the wrong rate */
        outb(t.b, DIRR, rate);
        CMD(&t, 0x4a, 0);
        g_assert_true(wait_int(&t));
        get_results(&t);
        g_assert_cmphex(t.res[0], ==, 0x40);
        g_assert_cmphex(t.res[1], ==, 0x01);
    }
    outb(t.b, MSR, 0x00); /* the DSR sets it, too */
    CMD(&t, 0x4a, 0);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[0], ==, 0x00);
    outb(t.b, DOR, 0x0c); /* the motor is off */
    CMD(&t, 0x4a, 0);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[1], ==, 0x01);
    outb(t.b, DOR, 0x1c);
    t.blk[0]->fail_at = 512 * 3; /* a bad sector: what came before it is there */
    DMA_IN(&t, 18 * 512);
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x20, 0x20, 0, 0, 4, 2);
    g_assert_cmpmem(MEM(&t), 3 * 512, disk(&t, 0, 0, 1), 3 * 512);
    DMA_OUT(&t, 512);
    CMD(&t, 0x45, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x20, 0x20, 0, 0, 4, 2);
    bench_free(t.b);
}

static void test_pio(void)
{
    struct rig t = start();
    uint8_t buf[1024];

    CMD(&t, 0x03, 0xdf, 0x03);    /* non-DMA */
    CMD(&t, 0x13, 0, 0x47, 0);    /* FIFO on, threshold 8 */
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 2, 0x1b, 0xff);
    unsigned rises = t.b->irq_rises[6];
    for (int i = 0; i < 1024; i++) {
        if (!(inb(t.b, MSR) & 0x80))
            g_assert_true(wait_int(&t));
        g_assert_cmphex(inb(t.b, MSR), ==, 0xf0); /* RQM, DIO, NON DMA, busy */
        buf[i] = inb(t.b, FIFO);
    }
    g_assert_cmpuint(t.b->irq_rises[6] - rises, ==, 1024 / 8 + 1);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x80, 0, 1, 0, 1, 2); /* no TC: end of cylinder */
    g_assert_cmpmem(buf, 1024, disk(&t, 0, 0, 1), 1024);
    CMD(&t, 0x45, 0, 0, 0, 5, 2, 6, 0x1b, 0xff);
    for (int i = 0; i < 1024; i++) {
        if (!(inb(t.b, MSR) & 0x80))
            g_assert_true(wait_int(&t));
        g_assert_cmphex(inb(t.b, MSR), ==, 0xb0);
        outb(t.b, FIFO, (uint8_t) (i * 3));
    }
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x80, 0, 1, 0, 1, 2);
    for (int i = 0; i < 1024; i++)
        g_assert_cmphex(disk(&t, 0, 0, 5)[i], ==, (uint8_t) (i * 3));
    CMD(&t, 0x4d, 0, 2, 2, 0x6c, 0xe5); /* format by PIO */
    for (uint8_t i = 0; i < 8; i++) {
        if (!(inb(t.b, MSR) & 0x80))
            g_assert_true(wait_int(&t));
        outb(t.b, FIFO, ((const uint8_t[]){ 0, 0, 1, 2, 0, 0, 2, 2 })[i]);
    }
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[0], ==, 0);
    for (int i = 0; i < 1024; i++)
        g_assert_cmphex(disk(&t, 0, 0, 1)[i], ==, 0xe5);
    /* a host that sleeps */
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 2, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    inb(t.b, FIFO);
    wait_ns(&t, 2 * NS_PER_SEC);
    CHECK_RES(&t, 0x40, 0x10, 0, 0, 0, 1, 2);
    bench_free(t.b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdc/reset", test_reset);
    g_test_add_func("/fdc/registers-commands", test_registers_commands);
    g_test_add_func("/fdc/lengths", test_lengths);
    g_test_add_func("/fdc/seek", test_seek);
    g_test_add_func("/fdc/read", test_read);
    g_test_add_func("/fdc/write", test_write);
    g_test_add_func("/fdc/deleted", test_deleted);
    g_test_add_func("/fdc/verify-scan", test_verify_scan);
    g_test_add_func("/fdc/format", test_format);
    g_test_add_func("/fdc/errors", test_errors);
    g_test_add_func("/fdc/pio", test_pio);
    return g_test_run();
}
