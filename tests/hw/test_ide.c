/* tests/hw/test_ide.c - ATA disks: registers, PIO, LBA48, IDENTIFY, errors, settings.  From
 * ATA/ATAPI-6. */
#include "tests/hw/ide_bench.h"

#include <errno.h>

static uint16_t word(const uint8_t *id, unsigned n)
{
    return ld_le16(id + 2 * n);
}

static void identify(struct rig *r, uint8_t *id)
{
    command28(r, 0xec, 0, 0);
    g_assert_cmphex(alt_status(r), ==, 0x58);
    g_assert_true(irq_level(r->b, 14));
    g_assert_cmphex(status(r), ==, 0x58);
    g_assert_false(irq_level(r->b, 14));
    pio_in(r, id, 512);
    g_assert_cmphex(status(r), ==, 0x50);
}

/* --- registers ------------------------------------------------------------------------------- */

static void test_signature(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);

    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmphex(inb(r.b, CMD0 + R_ERROR), ==, 1);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, 1);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAL), ==, 1);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 0);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAH), ==, 0);
    outb(r.b, CMD0 + R_NSECTOR, 0x55);
    outb(r.b, CMD0 + R_LBAL, 0xaa);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, 0x55);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAL), ==, 0xaa);
    /* software reset: BSY while it lasts, then the signature; no interrupt */
    outb(r.b, CTL0, 4);
    g_assert_cmphex(alt_status(&r), ==, BSY);
    outb(r.b, CMD0 + R_COMMAND, 0xec);
    outb(r.b, CTL0, 0);
    g_assert_cmphex(alt_status(&r), ==, 0x50);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, 1);
    g_assert_false(irq_level(r.b, 14));
    /* diagnostic: with an interrupt */
    outb(r.b, CMD0 + R_COMMAND, 0x90);
    g_assert_true(irq_level(r.b, 14));
    g_assert_cmphex(inb(r.b, CMD0 + R_ERROR), ==, 1);
    g_assert_cmphex(status(&r), ==, 0x50);
    rig_free(&r);
}

static void test_absent(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);

    /* drive 0 answers for drive 1, with a status of 0 */
    outb(r.b, CMD0 + R_DEVICE, 0xb0);
    g_assert_cmphex(status(&r), ==, 0);
    g_assert_cmphex(alt_status(&r), ==, 0);
    outb(r.b, CMD0 + R_NSECTOR, 0x5a);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, 0x5a);
    outb(r.b, CMD0 + R_COMMAND, 0xec);
    g_assert_false(irq_level(r.b, 14));
    g_assert_cmphex(status(&r), ==, 0);
    g_assert_cmphex(inw(r.b, CMD0), ==, 0xffff);
    /* the other channel floats, with DD7 pulled down */
    g_assert_cmphex(inb(r.b, CMD1 + R_STATUS), ==, 0x7f);
    outb(r.b, CMD1 + R_NSECTOR, 0x55);
    g_assert_cmphex(inb(r.b, CMD1 + R_NSECTOR), ==, 0x7f);
    outb(r.b, CMD1 + R_COMMAND, 0x90);
    outb(r.b, CTL1, 4);
    outb(r.b, CTL1, 0);
    g_assert_cmphex(inb(r.b, CTL1), ==, 0x7f);
    outl(r.b, CMD1, 0);
    rig_free(&r);
}

static void test_two_drives(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);
    uint8_t id[512];

    struct fake_blk *f = rig_disk(&r, "hd1", 2 * MiB);
    rig_drive(&r, "ide-hd", "drive=hd1");
    GError *err = NULL;
    bench_blk(r.b, "hd2", 1 * MiB);
    g_assert_null(device_create(r.b->vm, &ide_hd_class, NULL, "drive=hd2,bus=ide.0", &err));
    g_assert_nonnull(strstr(err->message, "unit"));
    g_clear_error(&err);
    g_assert_null(device_create(r.b->vm, &ide_hd_class, NULL, "drive=hd2,bus=ide.0,unit=1", &err));
    g_clear_error(&err);
    g_assert_null(device_create(r.b->vm, &ide_hd_class, NULL, "drive=hd2,bus=ide.1,unit=2", &err));
    g_clear_error(&err);
    /* a command for one; the other's interrupt isn't seen while it is not selected */
    command28(&r, 0xec, 0, 0);
    g_assert_true(irq_level(r.b, 14));
    outb(r.b, CMD0 + R_DEVICE, 0xb0);
    g_assert_false(irq_level(r.b, 14));
    outb(r.b, CMD0 + R_COMMAND, 0xec);
    g_assert_true(irq_level(r.b, 14));
    pio_in(&r, id, 512);
    g_assert_cmpuint(ld_le32(id + 120), ==, 4096);
    outb(r.b, CMD0 + R_DEVICE, 0xa0);
    g_assert_true(irq_level(r.b, 14));
    pio_in(&r, id, 512);
    g_assert_cmpuint(ld_le32(id + 120), ==, 2048);
    /* nIEN hides it */
    outb(r.b, CMD0 + R_COMMAND, 0xec);
    outb(r.b, CTL0, 2);
    g_assert_false(irq_level(r.b, 14));
    outb(r.b, CTL0, 0);
    g_assert_true(irq_level(r.b, 14));
    /* diagnostic for both leaves drive 0 selected */
    outb(r.b, CMD0 + R_DEVICE, 0xb0);
    outb(r.b, CMD0 + R_COMMAND, 0x90);
    g_assert_cmphex(inb(r.b, CMD0 + R_DEVICE) & 0x10, ==, 0);
    (void) f;
    rig_free(&r);
}

static void test_hob(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);

    for (unsigned i = R_NSECTOR; i <= R_LBAH; i++) {
        outb(r.b, CMD0 + i, (uint8_t) (0x10 + i));
        outb(r.b, CMD0 + i, (uint8_t) (0x20 + i));
    }
    outb(r.b, CTL0, 0x80);
    for (unsigned i = R_NSECTOR; i <= R_LBAH; i++)
        g_assert_cmphex(inb(r.b, CMD0 + i), ==, 0x10 + i);
    outb(r.b, CMD0 + R_FEATURES, 0); /* any write of the command block clears HOB */
    for (unsigned i = R_NSECTOR; i <= R_LBAH; i++)
        g_assert_cmphex(inb(r.b, CMD0 + i), ==, 0x20 + i);
    rig_free(&r);
}

/* --- IDENTIFY -------------------------------------------------------------------------------- */

static void test_identify(void)
{
    struct rig r = rig_hd(
        64 * MiB, "serial=ABC123,model=My Disk,ver=9.9,wwn=0x5000c50015ea71aa,physical_block_size=4096,"
                  "rotation_rate=1");
    uint8_t id[512], sum = 0;

    identify(&r, id);
    for (int i = 0; i < 512; i++)
        sum += id[i];
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmphex(id[510], ==, 0xa5);
    g_assert_cmphex(word(id, 0), ==, 0x40);
    g_assert_cmpuint(word(id, 1), ==, 130);
    g_assert_cmpuint(word(id, 3), ==, 16);
    g_assert_cmpuint(word(id, 6), ==, 63);
    g_assert_cmpint(memcmp(id + 20, "BA1C32", 6), ==, 0); /* "ABC123", letters swapped */
    g_assert_cmpint(memcmp(id + 54, "yMD si k", 8), ==, 0);
    g_assert_cmpuint(ld_le32(id + 120), ==, 131072);
    g_assert_cmpuint(ld_le64(id + 200), ==, 131072);
    g_assert_cmphex(word(id, 83) & 0xc400, ==, 0x4400);
    g_assert_cmphex(word(id, 106), ==, 0x6003);
    g_assert_cmphex(word(id, 108), ==, 0x5000);
    g_assert_cmphex(word(id, 111), ==, 0x71aa);
    g_assert_cmpuint(word(id, 217), ==, 1);
    g_assert_cmphex(word(id, 85) & 0x20, ==, 0x20);
    /* write cache off: flushed, and IDENTIFY says so */
    outb(r.b, CMD0 + R_FEATURES, 0x82);
    outb(r.b, CMD0 + R_COMMAND, 0xef);
    g_assert_cmphex(alt_status(&r), ==, BSY);
    bench_run(r.b);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpuint(r.disk->n_flushes, ==, 1);
    g_assert_false(r.disk->blk.write_cache);
    identify(&r, id);
    g_assert_cmphex(word(id, 85) & 0x20, ==, 0);
    /* transfer mode, multiple */
    outb(r.b, CMD0 + R_FEATURES, 0x03);
    outb(r.b, CMD0 + R_NSECTOR, 0x22);
    outb(r.b, CMD0 + R_COMMAND, 0xef);
    g_assert_cmphex(status(&r), ==, 0x50);
    outb(r.b, CMD0 + R_NSECTOR, 8);
    outb(r.b, CMD0 + R_COMMAND, 0xc6);
    g_assert_cmphex(status(&r), ==, 0x50);
    identify(&r, id);
    g_assert_cmphex(word(id, 63), ==, 0x0407);
    g_assert_cmphex(word(id, 59), ==, 0x0108);
    outb(r.b, CMD0 + R_NSECTOR, 3); /* no power of two */
    outb(r.b, CMD0 + R_COMMAND, 0xc6);
    g_assert_cmphex(status(&r), ==, 0x51);
    g_assert_cmphex(inb(r.b, CMD0 + R_ERROR), ==, ABRT);
    rig_free(&r);
}

/* --- PIO ------------------------------------------------------------------------------------- */

static void test_read(void)
{
    struct rig r = rig_hd(4 * MiB, NULL);
    uint8_t buf[512];

    command28(&r, 0x20, 100, 3);
    g_assert_cmphex(alt_status(&r), ==, BSY);
    for (unsigned i = 0; i < 3; i++) {
        bench_run(r.b);
        g_assert_true(irq_level(r.b, 14)); /* one interrupt a sector */
        g_assert_cmphex(status(&r), ==, 0x58);
        pio_in(&r, buf, 512);
        g_assert_cmpmem(buf, 512, r.disk->data + (100 + i) * 512, 512);
    }
    g_assert_false(irq_level(r.b, 14)); /* and none after the last */
    g_assert_cmphex(status(&r), ==, 0x50);
    /* 32-bit data port, CHS: cylinder 1, head 2, sector 3 */
    outb(r.b, CMD0 + R_DEVICE, 0xa2);
    outb(r.b, CMD0 + R_NSECTOR, 1);
    outb(r.b, CMD0 + R_LBAL, 3);
    outb(r.b, CMD0 + R_LBAM, 1);
    outb(r.b, CMD0 + R_LBAH, 0);
    outb(r.b, CMD0 + R_COMMAND, 0x20);
    bench_run(r.b);
    for (unsigned i = 0; i < 512; i += 4)
        st_le32(buf + i, inl(r.b, CMD0));
    g_assert_cmpmem(buf, 512, r.disk->data + ((1 * 16 + 2) * 63 + 2) * 512, 512);
    g_assert_cmphex(status(&r), ==, 0x50);
    /* count 0 is 256 */
    command28(&r, 0x21, 5, 0);
    bench_run(r.b);
    for (unsigned i = 0; i < 256; i++) {
        g_assert_cmphex(status(&r), ==, 0x58);
        pio_in(&r, buf, 512);
        g_assert_cmpmem(buf, 512, r.disk->data + (5 + i) * 512, 512);
    }
    g_assert_cmphex(status(&r), ==, 0x50);
    rig_free(&r);
}

static void test_write(void)
{
    struct rig r = rig_hd(4 * MiB, NULL);
    uint8_t buf[512];

    command28(&r, 0x30, 7, 2);
    g_assert_cmphex(alt_status(&r), ==, 0x58);
    g_assert_false(irq_level(r.b, 14)); /* none before the first block */
    memset(buf, 0x11, 512);
    pio_out(&r, buf, 512);
    g_assert_true(irq_level(r.b, 14));
    g_assert_cmphex(status(&r), ==, 0x58);
    memset(buf, 0x22, 512);
    pio_out(&r, buf, 512);
    g_assert_cmphex(status(&r), ==, BSY);
    g_assert_false(irq_level(r.b, 14));
    bench_run(r.b);
    g_assert_true(irq_level(r.b, 14));
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmphex(r.disk->data[7 * 512 + 511], ==, 0x11);
    g_assert_cmphex(r.disk->data[8 * 512], ==, 0x22);
    g_assert_cmphex(r.disk->data[8 * 512 + 511], ==, 0x22);
    command28(&r, 0xe7, 0, 0);
    bench_run(r.b);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpuint(r.disk->n_flushes, ==, 1);
    rig_free(&r);
}

/* Many sectors by MULTIPLE EXT, larger than the buffer: an interrupt a block. */
static void test_multiple(void)
{
    struct rig r = rig_hd(4 * MiB, NULL);
    enum { N = 1100 };
    uint8_t *buf = g_malloc(N * 512);

    command28(&r, 0xc6, 0, 0);
    status(&r);
    command28(&r, 0xc4, 0, 1); /* disabled */
    g_assert_cmphex(status(&r), ==, 0x51);
    command28(&r, 0xc6, 0, 16);
    status(&r);
    command48(&r, 0x29, 9, N);
    unsigned rises = r.b->irq_rises[14];
    for (unsigned at = 0; at < N; at += 16) {
        bench_run(r.b);
        g_assert_cmphex(status(&r), ==, 0x58);
        pio_in(&r, buf + at * 512, MIN(16, N - at) * 512);
    }
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpuint(r.b->irq_rises[14] - rises, ==, (N + 15) / 16);
    g_assert_cmpmem(buf, N * 512, r.disk->data + 9 * 512, N * 512);
    memset(buf, 0x5a, N * 512);
    command48(&r, 0x39, 2000, N);
    for (unsigned at = 0; at < N; at += 16) {
        bench_run(r.b);
        g_assert_cmphex(status(&r), ==, 0x58);
        pio_out(&r, buf + at * 512, MIN(16, N - at) * 512);
    }
    bench_run(r.b);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpmem(buf, N * 512, r.disk->data + 2000 * 512, N * 512);
    g_assert_cmphex(r.disk->data[1999 * 512 + 511] ^ 0x5a, !=, 0xff00);
    g_free(buf);
    rig_free(&r);
}

/* --- errors ---------------------------------------------------------------------------------- */

static void expect_error(struct rig *r, uint8_t error)
{
    bench_run(r->b);
    g_assert_true(irq_level(r->b, 14));
    g_assert_cmphex(status(r), ==, 0x51);
    g_assert_cmphex(inb(r->b, CMD0 + R_ERROR), ==, error);
}

static uint32_t lba28(struct rig *r)
{
    return (inb(r->b, CMD0 + R_DEVICE) & 15u) << 24 | inb(r->b, CMD0 + R_LBAH) << 16 |
           inb(r->b, CMD0 + R_LBAM) << 8 | inb(r->b, CMD0 + R_LBAL);
}

static void test_bounds(void)
{
    struct rig r = rig_hd(1 * MiB, NULL); /* 2048 sectors */
    static const uint8_t cmds[] = { 0x20, 0x30, 0x40, 0xc8, 0xca };

    for (unsigned i = 0; i < G_N_ELEMENTS(cmds); i++) {
        command28(&r, cmds[i], 2048, 1);
        expect_error(&r, IDNF);
        command28(&r, cmds[i], 2047, 2);
        expect_error(&r, IDNF);
        command28(&r, cmds[i], 0x0fffffff, 0);
        expect_error(&r, IDNF);
    }
    command48(&r, 0x24, 0xffffffffffff, 0);
    expect_error(&r, IDNF);
    command48(&r, 0x35, 0xffffffffffff, 0xffff);
    expect_error(&r, IDNF);
    outb(r.b, CMD0 + R_DEVICE, 0xaf); /* CHS: sector 0; head 15 with 16 heads; cylinder out of range */
    outb(r.b, CMD0 + R_LBAL, 0);
    outb(r.b, CMD0 + R_LBAM, 0);
    outb(r.b, CMD0 + R_LBAH, 0);
    outb(r.b, CMD0 + R_COMMAND, 0x20);
    expect_error(&r, IDNF);
    outb(r.b, CMD0 + R_LBAL, 64);
    outb(r.b, CMD0 + R_COMMAND, 0x20);
    expect_error(&r, IDNF);
    outb(r.b, CMD0 + R_LBAL, 1);
    outb(r.b, CMD0 + R_LBAH, 0xff);
    outb(r.b, CMD0 + R_COMMAND, 0x20);
    expect_error(&r, IDNF);
    g_assert_cmpuint(r.disk->n_writes, ==, 0);
    /* what there isn't */
    for (unsigned c = 0; c < 256; c++) {
        static const char known[] = "\x08\x10\x20\x90\xa0";
        if (ide_commands[c].run || memchr(known, (int) c, sizeof known))
            continue;
        command28(&r, (uint8_t) c, 0, 1);
        expect_error(&r, ABRT);
    }
    command28(&r, 0xa1, 0, 1);
    expect_error(&r, ABRT);
    command28(&r, 0xa0, 0, 1);
    expect_error(&r, ABRT);
    rig_free(&r);
}

static void test_media_error(void)
{
    struct rig r = rig_hd(4 * MiB, NULL);
    uint8_t buf[16 * 512];

    r.disk->fail_at = 105 * 512;
    command28(&r, 0x20, 100, 20);
    for (unsigned i = 0; i < 5; i++) { /* what comes before the bad sector is given */
        bench_run(r.b);
        g_assert_cmphex(status(&r), ==, 0x58);
        pio_in(&r, buf, 512);
        g_assert_cmpmem(buf, 512, r.disk->data + (100 + i) * 512, 512);
    }
    expect_error(&r, UNC);
    g_assert_cmpuint(lba28(&r), ==, 105);
    command28(&r, 0x40, 0, 0); /* verify */
    expect_error(&r, UNC);
    g_assert_cmpuint(lba28(&r), ==, 105);
    /* MULTIPLE: whole blocks only */
    command28(&r, 0xc6, 0, 4);
    status(&r);
    command28(&r, 0xc4, 100, 12);
    bench_run(r.b);
    g_assert_cmphex(status(&r), ==, 0x58);
    pio_in(&r, buf, 2048);
    expect_error(&r, UNC);
    g_assert_cmpuint(lba28(&r), ==, 105);
    /* a write */
    memset(buf, 0xee, sizeof buf);
    command28(&r, 0x30, 104, 3);
    for (unsigned i = 0; i < 3; i++)
        pio_out(&r, buf, 512);
    expect_error(&r, IDNF);
    g_assert_cmpuint(lba28(&r), ==, 105);
    g_assert_cmphex(r.disk->data[104 * 512], ==, 0xee);
    /* LBA48: the sector's address in both halves */
    command48(&r, 0x24, 105, 1);
    expect_error(&r, UNC);
    outb(r.b, CTL0, 0x80);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAL), ==, 0);
    outb(r.b, CTL0, 0);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAL), ==, 105);
    r.disk->fail_next = ENOSPC;
    command28(&r, 0x30, 0, 1);
    pio_out(&r, buf, 512);
    expect_error(&r, ABRT);
    r.disk->fail_next = EIO;
    command28(&r, 0xe7, 0, 0);
    bench_run(r.b);
    g_assert_cmphex(status(&r), ==, 0x71);
    rig_free(&r);
}

/* --- settings -------------------------------------------------------------------------------- */

static void test_settings(void)
{
    struct rig r = rig_hd(8 * MiB, NULL);
    uint8_t buf[512], id[512];

    /* another translation: 8 heads of 32 sectors */
    outb(r.b, CMD0 + R_DEVICE, 0xa7);
    outb(r.b, CMD0 + R_NSECTOR, 32);
    outb(r.b, CMD0 + R_COMMAND, 0x91);
    g_assert_cmphex(status(&r), ==, 0x50);
    identify(&r, id);
    g_assert_cmpuint(word(id, 54), ==, 16384 / 256);
    g_assert_cmpuint(word(id, 55), ==, 8);
    g_assert_cmpuint(word(id, 56), ==, 32);
    g_assert_cmpuint(ld_le32(id + 114), ==, 16384);
    outb(r.b, CMD0 + R_NSECTOR, 0);
    outb(r.b, CMD0 + R_COMMAND, 0x91);
    g_assert_cmphex(status(&r), ==, 0x51);
    /* host protected area */
    outb(r.b, CMD0 + R_DEVICE, 0xe0);
    outb(r.b, CMD0 + R_COMMAND, 0xf8);
    g_assert_cmphex(status(&r), ==, 0x50);
    g_assert_cmpuint(lba28(&r), ==, 16383);
    command28(&r, 0xf9, 999, 0);
    g_assert_cmphex(status(&r), ==, 0x50);
    identify(&r, id);
    g_assert_cmpuint(ld_le32(id + 120), ==, 1000);
    command28(&r, 0x20, 1000, 1);
    expect_error(&r, IDNF);
    command28(&r, 0xf9, 2000, 0); /* not right after READ NATIVE MAX */
    expect_error(&r, ABRT);
    outb(r.b, CTL0, 4);
    outb(r.b, CTL0, 0);
    identify(&r, id);
    g_assert_cmpuint(ld_le32(id + 120), ==, 16384);
    /* power modes */
    outb(r.b, CMD0 + R_COMMAND, 0xe0);
    outb(r.b, CMD0 + R_COMMAND, 0xe5);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, 0x00);
    command28(&r, 0x40, 0, 1);
    bench_run(r.b);
    outb(r.b, CMD0 + R_COMMAND, 0xe5);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, 0xff);
    outb(r.b, CMD0 + R_COMMAND, 0xe6);
    g_assert_cmphex(status(&r), ==, 0x50);
    outb(r.b, CMD0 + R_COMMAND, 0xe5); /* it sleeps: only a reset wakes it */
    g_assert_false(irq_level(r.b, 14));
    outb(r.b, CTL0, 4);
    outb(r.b, CTL0, 0);
    identify(&r, id);
    /* READ and WRITE BUFFER */
    for (unsigned i = 0; i < 512; i++)
        buf[i] = (uint8_t) (i * 7);
    outb(r.b, CMD0 + R_COMMAND, 0xe8);
    pio_out(&r, buf, 512);
    g_assert_cmphex(status(&r), ==, 0x50);
    outb(r.b, CMD0 + R_COMMAND, 0xe4);
    pio_in(&r, id, 512);
    g_assert_cmpmem(buf, 512, id, 512);
    rig_free(&r);
}

static void smart(struct rig *r, uint8_t sub, uint8_t lbal)
{
    outb(r->b, CMD0 + R_FEATURES, sub);
    command28(r, 0xb0, 0xc24f00u | lbal, 1);
}

static void test_smart(void)
{
    struct rig r = rig_hd(1 * MiB, NULL);
    uint8_t buf[512], sum;

    smart(&r, 0xd0, 0);
    expect_error(&r, ABRT); /* disabled */
    smart(&r, 0xd8, 0);
    g_assert_cmphex(status(&r), ==, 0x50);
    for (unsigned i = 0; i < 2; i++) {
        smart(&r, (uint8_t) (0xd0 + i), 0);
        g_assert_cmphex(status(&r), ==, 0x58);
        pio_in(&r, buf, 512);
        sum = 0;
        for (unsigned k = 0; k < 512; k++)
            sum += buf[k];
        g_assert_cmphex(sum, ==, 0);
        g_assert_cmpuint(buf[2], ==, 1);
    }
    smart(&r, 0xda, 0);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 0x4f);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAH), ==, 0xc2);
    for (unsigned i = 0; i < 40; i++) {
        smart(&r, 0xd4, i & 1 ? 1 : 2);
        g_assert_cmphex(status(&r), ==, 0x50);
    }
    smart(&r, 0xd5, 6);
    pio_in(&r, buf, 512);
    g_assert_cmpuint(buf[508], ==, 21);
    smart(&r, 0xd5, 9);
    expect_error(&r, ABRT);
    outb(r.b, CMD0 + R_FEATURES, 0xd0); /* the key is wrong */
    command28(&r, 0xb0, 0, 1);
    expect_error(&r, ABRT);
    rig_free(&r);
}

/* --- geometry, properties, boot order -------------------------------------------------------- */

static void test_geometry(void)
{
    struct rig r = rig_new(16 * MiB);
    struct ide_geometry g;

    struct fake_blk *f = bench_blk(r.b, "a", 512 * MiB);
    f->data[510] = 0x55;
    f->data[511] = 0xaa;
    uint8_t *p = f->data + 446;
    p[4] = 0x83;
    p[5] = 14; /* 15 heads */
    p[6] = 17;
    st_le32(p + 12, 1000);
    rig_drive(&r, "ide-hd", "drive=a");
    g_assert_true(ide_get_geometry(r.b->vm, 0, 0, &g));
    g_assert_cmpuint(g.heads, ==, 15);
    g_assert_cmpuint(g.secs, ==, 17);
    g_assert_cmpuint(g.cyls, ==, 1048576 / (15 * 17));
    g_assert_cmpint(g.trans, ==, IDE_TRANS_NONE);
    bench_blk(r.b, "b", 600 * MiB);
    rig_drive(&r, "ide-hd", "drive=b");
    g_assert_true(ide_get_geometry(r.b->vm, 0, 1, &g));
    g_assert_cmpuint(g.cyls, ==, 600 * 2048 / (16 * 63));
    g_assert_cmpint(g.trans, ==, IDE_TRANS_LARGE);
    bench_blk(r.b, "c", 4 * MiB);
    rig_drive(&r, "ide-hd", "drive=c,cyls=10,heads=4,secs=17,bios-chs-trans=lba,bootindex=3");
    g_assert_true(ide_get_geometry(r.b->vm, 1, 0, &g));
    g_assert_cmpuint(g.cyls, ==, 10);
    g_assert_cmpint(g.trans, ==, IDE_TRANS_LBA);
    g_assert_false(ide_get_geometry(r.b->vm, 1, 1, &g));
    struct boot_entry *e = r.b->vm->boot_order->pdata[0];
    g_assert_true(g_str_has_suffix(e->path, "/drive@1/disk@0"));
    g_assert_true(g_str_has_prefix(e->path, "/pci@i0cf8/ide@"));
    rig_free(&r);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "unit=0",
        "drive=empty",
        "drive=ro",
        "drive=a,cyls=10",
        "drive=a,cyls=10,heads=17,secs=1",
        "drive=a,unit=2",
        "drive=a,unit=-2",
        "drive=a,logical_block_size=4096",
        "drive=a,physical_block_size=1000",
        "drive=a,serial=123456789012345678901",
        "drive=a,ver=123456789",
        "drive=a,model=12345678901234567890123456789012345678901",
        "drive=a,bus=ide.2",
    };
    struct rig r = rig_new(16 * MiB);

    bench_blk(r.b, "a", 1 * MiB);
    bench_blk(r.b, "empty", 0);
    bench_blk(r.b, "ro", 1 * MiB)->blk.read_only = true;
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_null(device_create(r.b->vm, &ide_hd_class, NULL, bad[i], &err));
        g_assert_nonnull(err);
        g_test_message("%s", err->message);
        g_clear_error(&err);
    }
    rig_drive(&r, "ide-hd", "drive=a"); /* all of them let it go */
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ide/signature", test_signature);
    g_test_add_func("/ide/absent", test_absent);
    g_test_add_func("/ide/two-drives", test_two_drives);
    g_test_add_func("/ide/hob", test_hob);
    g_test_add_func("/ide/identify", test_identify);
    g_test_add_func("/ide/read", test_read);
    g_test_add_func("/ide/write", test_write);
    g_test_add_func("/ide/multiple", test_multiple);
    g_test_add_func("/ide/bounds", test_bounds);
    g_test_add_func("/ide/media-error", test_media_error);
    g_test_add_func("/ide/settings", test_settings);
    g_test_add_func("/ide/smart", test_smart);
    g_test_add_func("/ide/geometry", test_geometry);
    g_test_add_func("/ide/refused", test_refused);
    return g_test_run();
}
