/* tests/hw/test_atapi.c - the CD/DVD drive: packets, reading, what it says of disc and drive, tray
 * and medium.
 * From ATA/ATAPI-6 (PACKET), MMC-5 and ECMA-130. */
#include "tests/hw/ide_bench.h"

#include <errno.h>

enum { COD = 1, IO = 2 };

static void send_packet(struct rig *r, const uint8_t *cdb, uint16_t limit, bool dma)
{
    outb(r->b, CMD0 + R_DEVICE, 0xa0);
    outb(r->b, CMD0 + R_FEATURES, dma);
    outb(r->b, CMD0 + R_LBAM, (uint8_t) limit);
    outb(r->b, CMD0 + R_LBAH, (uint8_t) (limit >> 8));
    outb(r->b, CMD0 + R_COMMAND, 0xa0);
    g_assert_cmphex(status(r), ==, 0x48);
    g_assert_cmphex(inb(r->b, CMD0 + R_NSECTOR), ==, COD);
    pio_out(r, cdb, 12);
}

/* Run a packet command with data to the host by PIO; returns bytes; at the end *st is the status.
 * Blocks are counted. */
static uint32_t packet(struct rig *r, const uint8_t *cdb, uint16_t limit, uint8_t *out, uint8_t *st,
                       unsigned *blocks)
{
    uint32_t n = 0;

    send_packet(r, cdb, limit, false);
    for (*blocks = 0;; ++*blocks) {
        bench_run(r->b);
        g_assert_true(irq_level(r->b, 14));
        *st = status(r);
        if (!(*st & DRQ))
            break;
        g_assert_cmphex(inb(r->b, CMD0 + R_NSECTOR), ==, IO);
        uint32_t len = inb(r->b, CMD0 + R_LBAM) | inb(r->b, CMD0 + R_LBAH) << 8;
        g_assert_cmpuint(len, >, 0);
        g_assert_cmpuint(len, <=, limit ? MAX(limit, 2) : 0xfffe); /* a word is the least that moves */
        pio_in(r, out + n, len);
        n += len;
    }
    g_assert_cmphex(inb(r->b, CMD0 + R_NSECTOR), ==, IO | COD);
    return n;
}

static uint8_t buf[4 * MiB];

/* The same when all goes well or not at all. */
static uint32_t run(struct rig *r, const uint8_t *cdb)
{
    unsigned blocks;
    uint8_t st;
    uint32_t n;

    memset(buf, 0xcc, 65536);
    n = packet(r, cdb, 0xfffe, buf, &st, &blocks);
    g_assert_cmphex(st, ==, 0x40);
    return n;
}
#define RUN(r, ...) run(r, (const uint8_t[12]){ __VA_ARGS__ })

static void expect_sense(struct rig *r, const uint8_t *cdb, uint8_t key, uint8_t asc, uint8_t ascq)
{
    unsigned blocks;
    uint8_t st;

    packet(r, cdb, 0xfffe, buf, &st, &blocks);
    g_assert_cmphex(st, ==, 0x41);
    g_assert_cmphex(inb(r->b, CMD0 + R_ERROR) >> 4, ==, key);
    g_assert_cmpuint(RUN(r, 0x03, 0, 0, 0, 18), ==, 18);
    g_assert_cmphex(buf[2], ==, key);
    g_assert_cmphex(buf[12], ==, asc);
    g_assert_cmphex(buf[13], ==, ascq);
}
#define SENSE(r, key, asc, ascq, ...) expect_sense(r, (const uint8_t[12]){ __VA_ARGS__ }, key, asc, ascq)

static struct rig ready_cd(uint64_t size) /* past the unit attention of the reset */
{
    struct rig r = rig_cd(size);

    SENSE(&r, 6, 0x29, 0, 0x00);
    RUN(&r, 0x00);
    return r;
}

/* --- transport ------------------------------------------------------------------------------- */

static void test_signature(void)
{
    struct rig r = rig_cd(1 * MiB);
    uint8_t id[512], sum = 0;

    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 0x14);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAH), ==, 0xeb);
    g_assert_cmphex(status(&r), ==, 0);
    outb(r.b, CMD0 + R_LBAM, 0);
    outb(r.b, CMD0 + R_COMMAND, 0xec); /* IDENTIFY DEVICE: aborted, with the signature */
    g_assert_cmphex(status(&r), ==, 0x41);
    g_assert_cmphex(inb(r.b, CMD0 + R_ERROR), ==, ABRT);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 0x14);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAH), ==, 0xeb);
    outb(r.b, CMD0 + R_COMMAND, 0x20);
    g_assert_cmphex(status(&r), ==, 0x41);
    outb(r.b, CMD0 + R_COMMAND, 0xa1);
    g_assert_true(irq_level(r.b, 14));
    g_assert_cmphex(status(&r), ==, 0x48);
    pio_in(&r, id, 512);
    g_assert_cmphex(status(&r), ==, 0x40);
    g_assert_cmphex(ld_le16(id), ==, 0x85c0);
    for (int i = 0; i < 512; i++)
        sum += id[i];
    g_assert_cmphex(sum, ==, 0);
    /* DEVICE RESET, even in the middle of a packet */
    outb(r.b, CMD0 + R_COMMAND, 0xa0);
    g_assert_cmphex(status(&r), ==, 0x48);
    outb(r.b, CMD0 + R_COMMAND, 0x08);
    g_assert_cmphex(status(&r), ==, 0);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 0x14);
    g_assert_cmphex(inb(r.b, CMD0 + R_ERROR), ==, 1);
    g_assert_false(irq_level(r.b, 14));
    outb(r.b, CMD0 + R_FEATURES, 2); /* overlap */
    outb(r.b, CMD0 + R_COMMAND, 0xa0);
    g_assert_cmphex(status(&r), ==, 0x41);
    rig_free(&r);
}

static void test_read_pio(void)
{
    struct rig r = ready_cd(4 * MiB);
    static const struct { uint16_t limit; unsigned blocks; } cases[] = {
        { 2048, 100 }, { 0xfffe, 7 }, { 0, 7 }, { 0xffff, 7 }, { 4095, 100 }, { 32768, 7 },
        { 100, 2100 }, { 1, 102400 }, { 3, 102400 },
    };
    const uint8_t cdb[12] = { 0x28, 0, 0, 0, 0, 7, 0, 0, 100 };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint8_t st;
        unsigned blocks;
        memset(buf, 0, 204800);
        g_assert_cmpuint(packet(&r, cdb, cases[i].limit, buf, &st, &blocks), ==,
                         204800);
        g_assert_cmphex(st, ==, 0x40);
        g_assert_cmpmem(buf, 204800, r.disk->data + 7 * 2048, 204800);
        if (cases[i].limit != 100 && cases[i].limit != 0xfffe)
            g_assert_cmpuint(blocks, <=, cases[i].blocks);
    }
    g_assert_cmpuint(RUN(&r, 0xa8, 0, 0, 0, 1, 0, 0, 0, 0, 3), ==, 6144);
    g_assert_cmpmem(buf, 6144, r.disk->data + 256 * 2048, 6144);
    g_assert_cmpuint(RUN(&r, 0x28), ==, 0); /* nothing asked */
    rig_free(&r);
}

static void test_read_dma(void)
{
    struct rig r = ready_cd(4 * MiB);
    const uint8_t cdb[12] = { 0xa8, 0, 0, 0, 0, 50, 0, 0, 0, 200 };

    for (unsigned i = 0; i < 7; i++)
        prd(&r, i, DMABUF + i * 65536, i == 6 ? 200 * 2048 - 6 * 65536 : 0, i == 6);
    send_packet(&r, cdb, 0, true);
    bm_start(&r, true);
    bench_run(r.b);
    g_assert_true(irq_level(r.b, 14));
    g_assert_cmphex(bm_stop(&r) & 7, ==, 4);
    g_assert_cmphex(status(&r), ==, 0x40);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, IO | COD);
    g_assert_cmpmem(ram_at(r.b, DMABUF), 200 * 2048, r.disk->data + 50 * 2048, 200 * 2048);
    /* a small reply, into a table that is larger */
    prd(&r, 0, DMABUF, 256, true);
    send_packet(&r, (const uint8_t[12]){ 0x12, 0, 0, 0, 36 }, 0, true);
    bm_start(&r, true);
    bench_run(r.b);
    g_assert_cmphex(bm_stop(&r) & 7, ==, 5);
    g_assert_cmpint(memcmp(ram_at(r.b, DMABUF + 8), "BANTAM  ", 8), ==, 0);
    /* an error: no data, the engine stays as it is */
    send_packet(&r, (const uint8_t[12]){ 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1 }, 0, true);
    g_assert_cmphex(status(&r), ==, 0x41);
    rig_free(&r);
}

/* --- addresses and READ CD ------------------------------------------------------------------- */

static void test_bounds(void)
{
    struct rig r = ready_cd(1 * MiB + 512); /* 513 sectors: the last one has 512 bytes */

    SENSE(&r, 5, 0x21, 0, 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1);
    SENSE(&r, 5, 0x21, 0, 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff);
    SENSE(&r, 5, 0x21, 0, 0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    SENSE(&r, 5, 0x21, 0, 0xa8, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff);
    SENSE(&r, 5, 0x21, 0, 0xa8, 0, 0, 0, 0, 0, 0x80, 0, 0, 0);
    SENSE(&r, 5, 0x21, 0, 0x28, 0, 0, 0, 2, 1, 0, 0, 1);
    SENSE(&r, 5, 0x21, 0, 0xbe, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf8);
    SENSE(&r, 5, 0x21, 0, 0x2b, 0, 0, 0, 2, 1);
    SENSE(&r, 5, 0x21, 0, 0x44, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 8);
    SENSE(&r, 5, 0x20, 0, 0xff);
    SENSE(&r, 5, 0x20, 0, 0x08); /* READ (6) */
    g_assert_cmpuint(RUN(&r, 0x28, 0, 0, 0, 2, 0, 0, 0, 1), ==, 2048);
    g_assert_cmpmem(buf, 512, r.disk->data + 1 * MiB, 512);
    for (unsigned i = 512; i < 2048; i++)
        g_assert_cmphex(buf[i], ==, 0);
    g_assert_cmpuint(RUN(&r, 0x25), ==, 8);
    g_assert_cmphex(ld_be32(buf), ==, 512);
    g_assert_cmpuint(ld_be32(buf + 4), ==, 2048);
    rig_free(&r);
}

/* A sector's parity symbols are right when all code words sum to nothing, plain and weighted
 * (ECMA-130 annex A). */
static uint8_t alpha(uint8_t v)
{
    return (uint8_t) (v << 1 ^ (v & 0x80 ? 0x1d : 0));
}

static void check_ecc(const uint8_t *s)
{
    for (unsigned plane = 0; plane < 2; plane++) {
        for (unsigned n = 0; n < 43; n++) {
            uint8_t s0 = 0, s1 = 0;
            for (unsigned m = 0; m < 26; m++) {
                uint8_t v = s[12 + 2 * (43 * m + n) + plane];
                s0 ^= v;
                s1 = alpha(s1) ^ v;
            }
            g_assert_cmphex(s0 | s1, ==, 0);
        }
        for (unsigned n = 0; n < 26; n++) {
            uint8_t s0 = 0, s1 = 0;
            for (unsigned m = 0; m < 45; m++) {
                unsigned w = m < 43 ? (44 * m + 43 * n) % 1118 : m == 43 ? 1118 + n : 1144 + n;
                uint8_t v = s[12 + 2 * w + plane];
                s0 ^= v;
                s1 = alpha(s1) ^ v;
            }
            g_assert_cmphex(s0 | s1, ==, 0);
        }
    }
}

static uint32_t edc_by_the_book(const uint8_t *p,
                                unsigned n) /* bit by bit, highest order of the polynomial first */
{
    uint32_t reg = 0, out = 0;

    for (unsigned i = 0; i < n * 8; i++) {
        unsigned bit = (p[i / 8] >> (i % 8) & 1) ^ reg >> 31;
        reg = reg << 1 ^ (bit ? 0x8001801b : 0);
    }
    for (unsigned i = 0; i < 32; i++)
        out |= (reg >> i & 1) << (31 - i);
    return out;
}

static void test_read_cd(void)
{
    struct rig r = ready_cd(4 * MiB);
    static const struct { uint8_t flags; int size; } combos[] = {
        { 0x10, 2048 }, { 0x18, 2336 }, { 0x20, 4 }, { 0x30, 2052 }, { 0x38, 2340 },
        { 0x50, 2048 }, { 0x58, 2336 }, { 0x60, 4 },
        { 0x70, 2052 }, { 0x78, 2340 }, { 0x80, 12 }, { 0xa0, 16 }, { 0xb0, 2064 }, { 0xb8, 2352 },
        { 0xe0, 16 }, { 0xf0, 2064 },
        { 0xf8, 2352 }, { 0x00, 0 }, { 0x40, 0 },
        { 0x08, -1 }, { 0x28, -1 }, { 0x48, -1 }, { 0x68, -1 }, { 0x88, -1 }, { 0x90, -1 }, { 0x98, -1 },
        { 0xa8, -1 }, { 0xc0, -1 },
        { 0xc8, -1 }, { 0xd0, -1 }, { 0xd8, -1 }, { 0xe8, -1 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(combos); i++) {
        if (combos[i].size < 0)
            SENSE(&r, 5, 0x24, 0, 0xbe, 0, 0, 0, 0, 16, 0, 0, 3, combos[i].flags);
        else
            g_assert_cmpint(RUN(&r, 0xbe, 0, 0, 0, 0, 16, 0, 0, 3, combos[i].flags), ==, 3 * combos[i].size);
    }
    g_assert_cmpuint(RUN(&r, 0xbe, 8, 0, 0, 0, 200, 0, 0, 70, 0xf8), ==, 70 * 2352);
    for (unsigned i = 0; i < 70; i++) {
        const uint8_t *s = buf + i * 2352;
        static const uint8_t sync[12] = { 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0 };
        unsigned frame = 350 + i;
        g_assert_cmpmem(s, 12, sync, 12);
        g_assert_cmphex(s[12], ==, 0);
        g_assert_cmphex(s[13], ==, frame / 75);
        g_assert_cmphex(s[14], ==, frame % 75 / 10 << 4 | frame % 75 % 10);
        g_assert_cmphex(s[15], ==, 1);
        g_assert_cmpmem(s + 16, 2048, r.disk->data + (200 + i) * 2048, 2048);
        g_assert_cmphex(ld_le32(s + 2064), ==, edc_by_the_book(s, 2064));
        g_assert_cmphex(ld_le64(s + 2068), ==, 0);
        check_ecc(s);
    }
    /* parts are those of the whole */
    uint8_t *whole = g_memdup2(buf, 2352);
    RUN(&r, 0xbe, 0, 0, 0, 0, 200, 0, 0, 1, 0x38);
    g_assert_cmpmem(buf, 2340, whole + 12, 2340);
    RUN(&r, 0xbe, 0, 0, 0, 0, 200, 0, 0, 1, 0x18);
    g_assert_cmpmem(buf, 2336, whole + 16, 2336);
    g_free(whole);
    SENSE(&r, 5, 0x64, 0, 0xbe, 1 << 2, 0, 0, 0, 16, 0, 0, 1, 0x10); /* CD-DA expected */
    SENSE(&r, 5, 0x64, 0, 0xbe, 4 << 2, 0, 0, 0, 16, 0, 0, 1, 0x10); /* mode 2 form 1 */
    SENSE(&r, 5, 0x24, 0, 0xbe, 0, 0, 0, 0, 16, 0, 0, 1, 0x12);      /* C2 */
    SENSE(&r, 5, 0x24, 0, 0xbe, 0, 0, 0, 0, 16, 0, 0, 1, 0x10, 1);   /* sub-channel */
    g_assert_cmpuint(RUN(&r, 0xbe, 0, 0, 0, 0, 16, 0, 0, 0, 0xf8), ==, 0);
    /* by minute, second, frame: 00:02:16 is sector 16 */
    g_assert_cmpuint(RUN(&r, 0xb9, 0, 0, 0, 2, 16, 0, 2, 18, 0x10), ==, 4096);
    g_assert_cmpmem(buf, 4096, r.disk->data + 16 * 2048, 4096);
    g_assert_cmpuint(RUN(&r, 0xb9, 0, 0, 0, 2, 16, 0, 2, 16, 0x10), ==, 0);
    SENSE(&r, 5, 0x24, 0, 0xb9, 0, 0, 0, 2, 18, 0, 2, 16, 0x10);
    SENSE(&r, 5, 0x21, 0, 0xb9, 0, 0, 0, 1, 18, 0, 2, 16, 0x10);
    SENSE(&r, 5, 0x21, 0, 0xb9, 0, 0, 255, 59, 74, 255, 59, 75 - 1, 0x10, 0, 0);
    SENSE(&r, 5, 0x24, 0, 0xb9, 0, 0, 0, 60, 0, 0, 61, 0, 0x10);
    rig_free(&r);
}

static void test_media_error(void)
{
    struct rig r = ready_cd(4 * MiB);
    const uint8_t cdb[12] = { 0x28, 0, 0, 0, 0, 7, 0, 0, 100 };
    unsigned blocks;
    uint8_t st;

    r.disk->fail_at = 20 * 2048 + 1024;
    g_assert_cmpuint(packet(&r, cdb, 0xfffe, buf, &st, &blocks), ==, 13 * 2048); /* up to the bad one */
    g_assert_cmpmem(buf, 13 * 2048, r.disk->data + 7 * 2048, 13 * 2048);
    g_assert_cmphex(st, ==, 0x41);
    RUN(&r, 0x03, 0, 0, 0, 18);
    g_assert_cmphex(buf[0], ==, 0xf0);
    g_assert_cmphex(buf[2], ==, 3);
    g_assert_cmphex(buf[12], ==, 0x11);
    g_assert_cmpuint(ld_be32(buf + 3), ==, 20);
    RUN(&r, 0x03, 0, 0, 0, 18);
    g_assert_cmphex(buf[2], ==, 0);
    rig_free(&r);
}

/* --- the disc -------------------------------------------------------------------------------- */

static void test_toc(void)
{
    struct rig r = ready_cd(4500 * 2048);

    g_assert_cmpuint(RUN(&r, 0x43, 0, 0, 0, 0, 0, 0, 3, 0x24), ==, 20);
    g_assert_cmpmem(buf, 20, ((const uint8_t[]){ 0, 18, 1, 1,    0,    0x14, 1, 0, 0,    0,
                                                 0, 0,  0, 0x14, 0xaa, 0,    0, 0, 0x11, 0x94 }),
                    20);
    RUN(&r, 0x43, 2, 0, 0, 0, 0, 0, 3, 0x24);
    g_assert_cmpmem(buf + 8, 4, "\0\0\2\0", 4);
    g_assert_cmpmem(buf + 16, 4, "\0\1\2\0", 4); /* lead-out: 4650 frames */
    g_assert_cmpuint(RUN(&r, 0x43, 0, 0, 0, 0, 0, 0xaa, 3, 0x24), ==, 12);
    g_assert_cmphex(buf[6], ==, 0xaa);
    g_assert_cmpuint(RUN(&r, 0x43, 0, 0, 0, 0, 0, 0, 0, 5), ==, 5); /* odd, and cut short */
    SENSE(&r, 5, 0x24, 0, 0x43, 0, 0, 0, 0, 0, 2, 3, 0x24);
    g_assert_cmpuint(RUN(&r, 0x43, 0, 1, 0, 0, 0, 0, 3, 0x24), ==, 12);
    g_assert_cmpuint(RUN(&r, 0x43, 0, 0, 0, 0, 0, 0, 3, 0x24, 0x40), ==, 12); /* as SFF-8020 has it */
    g_assert_cmpuint(RUN(&r, 0x43, 2, 2, 0, 0, 0, 0, 3, 0x24), ==, 48);
    g_assert_cmphex(buf[7], ==, 0xa0);
    g_assert_cmphex(buf[18], ==, 0xa1);
    g_assert_cmphex(buf[29], ==, 0xa2);
    g_assert_cmpmem(buf + 34, 3, "\1\2\0", 3);
    g_assert_cmpmem(buf + 45, 3, "\0\2\0", 3);
    for (uint8_t f = 3; f < 16; f++)
        SENSE(&r, 5, 0x24, 0, 0x43, 0, f, 0, 0, 0, 0, 3, 0x24);
    /* position */
    RUN(&r, 0x28, 0, 0, 0, 0, 99, 0, 0, 1);
    g_assert_cmpuint(RUN(&r, 0x42, 0, 0x40, 1, 0, 0, 0, 0, 64), ==, 16);
    g_assert_cmpuint(ld_be32(buf + 8), ==, 99);
    RUN(&r, 0x42, 2, 0x40, 1, 0, 0, 0, 0, 64);
    g_assert_cmpmem(buf + 8, 8, "\0\0\3\x18\0\0\1\x18", 8);
    g_assert_cmpuint(RUN(&r, 0x42, 0, 0, 0, 0, 0, 0, 0, 64), ==, 4);
    g_assert_cmpuint(RUN(&r, 0x42, 0, 0x40, 2, 0, 0, 0, 0, 64), ==, 24);
    SENSE(&r, 5, 0x24, 0, 0x42, 0, 0x40, 9, 0, 0, 0, 0, 64);
    g_assert_cmpuint(RUN(&r, 0x44, 2, 0, 0, 0, 75, 0, 0, 8), ==, 8);
    g_assert_cmpmem(buf, 8, "\1\0\0\0\0\0\3\0", 8);
    g_assert_cmpuint(RUN(&r, 0x51, 0, 0, 0, 0, 0, 0, 0, 64), ==, 34);
    g_assert_cmphex(buf[2], ==, 0x0e);
    SENSE(&r, 5, 0x24, 0, 0x51, 1, 0, 0, 0, 0, 0, 0, 64);
    g_assert_cmpuint(RUN(&r, 0x52, 1, 0, 0, 0, 1, 0, 0, 64), ==, 36);
    g_assert_cmpuint(ld_be32(buf + 24), ==, 4500);
    SENSE(&r, 5, 0x24, 0, 0x52, 1, 0, 0, 0, 2, 0, 0, 64);
    SENSE(&r, 5, 0x24, 0, 0x52, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 64);
    SENSE(&r, 5, 0x30, 2, 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4);
    rig_free(&r);
}

static void test_dvd(void)
{
    struct rig r = rig_new(16 * MiB);

    r.disk = bench_blk(r.b, "cd0", 2 * MiB); /* a fake: only its size is a DVD's */
    r.disk->blk.read_only = r.disk->blk.removable = true;
    r.disk->blk.size = 4 * GiB;
    r.drive = rig_drive(&r, "ide-cd", "drive=cd0");
    SENSE(&r, 6, 0x29, 0, 0x00);
    g_assert_cmpuint(RUN(&r, 0x46, 0, 0, 0, 0, 0, 0, 0, 8), ==, 8);
    g_assert_cmphex(ld_be16(buf + 6), ==, 0x10);
    g_assert_cmpuint(RUN(&r, 0xad, 0, 0, 0, 0, 0, 0, 0, 16, 4), ==, 2052);
    g_assert_cmpuint(ld_be16(buf), ==, 2050);
    g_assert_cmphex(ld_be32(buf + 8), ==, 0x30000);
    g_assert_cmphex(ld_be32(buf + 12), ==, 0x30000 + 2097152 - 1);
    g_assert_cmpuint(RUN(&r, 0xad, 0, 0, 0, 0, 0, 0, 1, 16, 4), ==, 8);
    g_assert_cmpuint(RUN(&r, 0xad, 0, 0, 0, 0, 0, 0, 4, 16, 4), ==, 2052);
    g_assert_cmpuint(RUN(&r, 0xad, 0, 0, 0, 0, 0, 0, 0xff, 16, 4), ==, 20);
    SENSE(&r, 5, 0x24, 0, 0xad, 0, 0, 0, 0, 0, 1, 0, 16, 4); /* a second layer */
    SENSE(&r, 5, 0x24, 0, 0xad, 0, 0, 0, 0, 0, 0, 5, 16, 4);
    SENSE(&r, 5, 0x64, 0, 0xbe, 0, 0, 0, 0, 16, 0, 0, 1, 0xf8);
    rig_free(&r);
}

/* --- the drive ------------------------------------------------------------------------------- */

static void test_inquiry(void)
{
    struct rig r = rig_cd(1 * MiB);

    g_assert_cmpuint(RUN(&r, 0x12, 0, 0, 0, 96), ==, 36); /* not stopped by the unit attention, and it stays */
    g_assert_cmphex(buf[0], ==, 5);
    g_assert_cmphex(buf[1], ==, 0x80);
    g_assert_cmpint(memcmp(buf + 16, "BANTAM DVD-ROM  ", 16), ==, 0);
    g_assert_cmpuint(RUN(&r, 0x12, 0, 0, 0, 5), ==, 5);
    g_assert_cmpuint(RUN(&r, 0x12, 0, 0, 0, 0), ==, 0);
    g_assert_cmpuint(RUN(&r, 0x12, 1, 0x00, 0, 255), ==, 7);
    g_assert_cmpuint(RUN(&r, 0x12, 1, 0x80, 0, 255), ==, 4 + 7);
    g_assert_cmpint(memcmp(buf + 4, "BM00001", 7), ==, 0);
    g_assert_cmpuint(RUN(&r, 0x12, 1, 0x83, 0, 255), ==, 8 + 7);
    SENSE(&r, 5, 0x24, 0, 0x12, 1, 0x42, 0, 255);
    SENSE(&r, 5, 0x24, 0, 0x12, 0, 0x80, 0, 255);
    SENSE(&r, 6, 0x29, 0, 0x00);
    rig_free(&r);
}

static void test_configuration(void)
{
    struct rig r = ready_cd(1 * MiB);
    unsigned seen = 0;

    uint32_t n = RUN(&r, 0x46, 0, 0, 0, 0, 0, 0, 2, 0);
    g_assert_cmpuint(ld_be32(buf), ==, n - 4);
    g_assert_cmphex(ld_be16(buf + 6), ==, 8);
    int last = -1;
    for (uint32_t at = 8; at < n; at += 4u + buf[at + 3], seen++) {
        g_assert_cmpint(ld_be16(buf + at), >, last);
        g_assert_cmpuint(buf[at + 3] % 4, ==, 0);
        last = ld_be16(buf + at);
    }
    g_assert_cmpuint(seen, ==, 10);
    g_assert_cmpmem(buf + 12, 8, "\0\x10\0\0\0\x08\1\0", 8); /* the CD profile is current */
    n = RUN(&r, 0x46, 2, 0, 3, 0, 0, 0, 2, 0);
    g_assert_cmpuint(n, ==, 16);
    g_assert_cmphex(buf[12], ==, 0x29);
    g_assert_cmpuint(RUN(&r, 0x46, 2, 0, 4, 0, 0, 0, 2, 0), ==, 8);
    g_assert_cmpuint(RUN(&r, 0x46, 1, 0, 0x1f, 0, 0, 0, 2, 0), ==, 8 + 4 + 8);
    SENSE(&r, 5, 0x24, 0, 0x46, 3, 0, 0, 0, 0, 0, 2, 0);
    rig_free(&r);
}

static void test_mode(void)
{
    struct rig r = ready_cd(1 * MiB);

    g_assert_cmpuint(RUN(&r, 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128), ==, 8 + 22);
    g_assert_cmpuint(ld_be16(buf), ==, 28);
    g_assert_cmphex(buf[8], ==, 0x2a);
    g_assert_cmphex(buf[2], ==, 1);
    g_assert_cmphex(buf[14], ==, 0x29);
    g_assert_cmpuint(RUN(&r, 0x1a, 0, 0x01, 0, 128), ==, 4 + 12);
    g_assert_cmpuint(buf[7], ==, 5);
    uint32_t n = RUN(&r, 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255);
    g_assert_cmpuint(n, ==, 8 + 12 + 8 + 16 + 22);
    SENSE(&r, 5, 0x24, 0, 0x5a, 0, 0x05, 0, 0, 0, 0, 0, 128);
    SENSE(&r, 5, 0x39, 0, 0x5a, 0, 0xc1, 0, 0, 0, 0, 0, 128);
    g_assert_cmpuint(RUN(&r, 0x5a, 0, 0x41, 0, 0, 0, 0, 0, 128), ==, 20);
    g_assert_cmphex(buf[11], ==, 0xff);
    /* select: retries 9, in two blocks */
    uint8_t list[28] = { [8] = 1, [9] = 10, [11] = 9 };
    send_packet(&r, (const uint8_t[12]){ 0x55, 0x10, 0, 0, 0, 0, 0, 0, 20 }, 12, false);
    g_assert_cmphex(status(&r), ==, 0x48);
    g_assert_cmphex(inb(r.b, CMD0 + R_NSECTOR), ==, 0);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 12);
    pio_out(&r, list, 12);
    g_assert_cmphex(status(&r), ==, 0x48);
    g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 8);
    pio_out(&r, list + 12, 8);
    g_assert_cmphex(status(&r), ==, 0x40);
    RUN(&r, 0x1a, 0, 0x01, 0, 128);
    g_assert_cmpuint(buf[7], ==, 9);
    RUN(&r, 0x1a, 0, 0x81, 0, 128); /* the default */
    g_assert_cmpuint(buf[7], ==, 5);
    /* what can't be: a length that lies, an unchangeable field, a page that isn't there */
    static const struct {
        uint8_t at, v, asc;
    } bad[] = { { 9, 200, 0x1a }, { 9, 9, 0x26 }, { 12, 1, 0x26 }, { 8, 5, 0x26 },
                { 7, 255, 0x1a }, { 6, 255, 0x1a } };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        uint8_t l[20];
        memcpy(l, list, 20);
        l[bad[i].at] = bad[i].v;
        send_packet(&r, (const uint8_t[12]){ 0x55, 0x10, 0, 0, 0, 0, 0, 0, 20 }, 0xfffe, false);
        pio_out(&r, l, 20);
        g_assert_cmphex(status(&r), ==, 0x41);
        RUN(&r, 0x03, 0, 0, 0, 18);
        g_assert_cmphex(buf[2], ==, 5);
        g_assert_cmphex(buf[12], ==, bad[i].asc);
    }
    SENSE(&r, 5, 0x1a, 0, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 4);
    g_assert_cmpuint(RUN(&r, 0x55, 0x10), ==, 0);
    send_packet(&r, (const uint8_t[12]){ 0x55, 0x10, 0, 0, 0, 0, 0, 0xff, 0xff }, 0xffff,
                false); /* the longest */
    for (unsigned i = 0; i < 0x8000; i++)
        outw(r.b, CMD0, 0xffff);
    g_assert_cmphex(status(&r) & ~1, ==, 0x40);
    rig_free(&r);
}

/* --- tray and medium ------------------------------------------------------------------------- */

static void event(struct rig *r, uint8_t code, uint8_t st)
{
    g_assert_cmpuint(RUN(r, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), ==, 8);
    g_assert_cmphex(buf[2], ==, 4);
    g_assert_cmphex(buf[4], ==, code);
    g_assert_cmphex(buf[5], ==, st);
}

static void test_tray(void)
{
    struct rig r = ready_cd(1 * MiB);
    struct blk *blk = &r.disk->blk;

    event(&r, 0, 2);
    SENSE(&r, 5, 0x24, 0, 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8);
    g_assert_cmpuint(RUN(&r, 0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8), ==, 4);
    g_assert_cmphex(buf[2], ==, 0x80);
    RUN(&r, 0x1e, 0, 0, 0, 1); /* locked */
    g_assert_true(blk->dev_ops->tray_locked(blk->dev_opaque));
    SENSE(&r, 5, 0x53, 2, 0x1b, 0, 0, 0, 2);
    blk->dev_ops->eject_request(blk->dev_opaque);
    event(&r, 1, 2);
    event(&r, 0, 2);
    RUN(&r, 0x1e, 0, 0, 0, 0);
    g_assert_false(blk->dev_ops->tray_locked(blk->dev_opaque));
    RUN(&r, 0x1b, 0, 0, 0, 2); /* eject */
    g_assert_false(blk->present);
    g_assert_true(blk->tray_open);
    SENSE(&r, 2, 0x3a, 2, 0x00);
    event(&r, 3, 1);
    SENSE(&r, 2, 0x3a, 2, 0x28, 0, 0, 0, 0, 0, 0, 0, 1);
    RUN(&r, 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128);
    g_assert_cmphex(buf[2], ==, 0x71);
    RUN(&r, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8);
    g_assert_cmphex(buf[1], ==, 0x10);
    RUN(&r, 0x1b, 0, 0, 0, 3); /* load an empty tray */
    g_assert_false(blk->tray_open);
    SENSE(&r, 2, 0x3a, 1, 0x25);
    fake_set_medium(r.disk, 2 * MiB); /* the user puts one in */
    SENSE(&r, 6, 0x28, 0, 0x00);
    event(&r, 2, 2);
    RUN(&r, 0x25);
    g_assert_cmpuint(ld_be32(buf), ==, 1023);
    fake_set_medium(r.disk, 0); /* and takes it out */
    event(&r, 3, 1);
    SENSE(&r, 2, 0x3a, 2, 0x00);
    /* REQUEST SENSE tells a unit attention that is due */
    fake_set_medium(r.disk, 1 * MiB);
    RUN(&r, 0x03, 0, 0, 0, 18);
    g_assert_cmphex(buf[2], ==, 6);
    g_assert_cmphex(buf[12], ==, 0x28);
    RUN(&r, 0x00);
    rig_free(&r);
}

/* The medium goes, or shrinks, in the middle of a transfer; resets in the middle. */
static void test_in_flight(void)
{
    struct rig r = ready_cd(4 * MiB);
    const uint8_t cdb[12] = { 0x28, 0, 0, 0, 0, 7, 0, 1, 0 };

    for (unsigned how = 0; how < 6; how++) {
        r.disk->hold = how >= 2;
        send_packet(&r, cdb, 2048, false);
        bench_run(r.b);
        switch (how) {
        case 0: fake_set_medium(r.disk, 0); break;
        case 1: fake_set_medium(r.disk, 64 * KiB); break;
        case 2: outb(r.b, CMD0 + R_COMMAND, 0x08); break;
        case 3: outb(r.b, CTL0, 4); outb(r.b, CTL0, 0); break;
        case 4: device_reset_all(r.b->vm); rig_map(&r); break;
        case 5: fake_set_medium(r.disk, 0); fake_release(r.disk); break;
        }
        if (how < 2) { /* what was read already is given; then an error */
            unsigned n = 0;
            while (status(&r) & DRQ) {
                pio_in(&r, buf, 2048);
                n++;
                bench_run(r.b);
            }
            g_assert_cmphex(status(&r), ==, 0x41);
            g_assert_cmpuint(n, <, 256);
        } else if (how < 5) {
            g_assert_cmphex(status(&r), ==, 0);
            g_assert_cmpuint(r.disk->pending.length, ==, 0);
            g_assert_cmphex(inb(r.b, CMD0 + R_LBAM), ==, 0x14);
        } else {
            g_assert_cmphex(status(&r), ==, 0x41);
        }
        r.disk->hold = false;
        fake_set_medium(r.disk, 4 * MiB);
        for (unsigned i = 0; i < 3; i++) { /* unit attentions */
            unsigned blocks;
            uint8_t st;
            packet(&r, (const uint8_t[12]){ 0 }, 0xfffe, buf, &st, &blocks);
        }
        g_assert_cmpuint(RUN(&r, 0x28, 0, 0, 0, 0, 7, 0, 0, 2), ==, 4096);
    }
    r.disk->hold = true;
    send_packet(&r, cdb, 2048, false);
    rig_free(&r);
}

static void test_empty(void)
{
    struct rig r = rig_new(16 * MiB);

    r.drive = rig_drive(&r, "ide-cd", NULL); /* no drive behind it at all */
    SENSE(&r, 6, 0x29, 0, 0x00);
    for (unsigned op = 0; op < 256; op++) {
        unsigned blocks;
        uint8_t st;
        uint8_t cdb[12] = { (uint8_t) op, 1, 0x2a, 0, 0x10, 0, 0, 0, 8 };
        if (op != 0x15 && op != 0x55)
            packet(&r, cdb, 0xfffe, buf, &st, &blocks);
    }
    SENSE(&r, 2, 0x3a, 1, 0x00);
    RUN(&r, 0x1b, 0, 0, 0, 2);
    RUN(&r, 0x1b, 0, 0, 0, 3);
    SENSE(&r, 2, 0x3a, 1, 0x00);
    rig_free(&r);
}

/* Every operation code with random fields: data within the limit, an end, no harm. */
static void test_random(void)
{
    struct rig r = ready_cd(1 * MiB);
    GRand *rnd = g_rand_new_with_seed((guint32) g_test_rand_int());

    for (unsigned i = 0; i < 6000; i++) {
        uint8_t cdb[12];
        for (unsigned k = 0; k < 12; k++)
            cdb[k] = (uint8_t) (g_rand_int_range(rnd, 0, 3) ? 0 : g_rand_int(rnd));
        cdb[0] = (uint8_t) i;
        cdb[6] = 0; /* transfers of a size that a test can wait for */
        outb(r.b, CMD0 + R_FEATURES, 0);
        outb(r.b, CMD0 + R_LBAM, (uint8_t) g_rand_int(rnd));
        outb(r.b, CMD0 + R_LBAH, (uint8_t) g_rand_int(rnd));
        outb(r.b, CMD0 + R_COMMAND, 0xa0);
        pio_out(&r, cdb, 12);
        bench_run(r.b);
        for (unsigned n = 0; (status(&r) & DRQ) && n < 200000; n++) {
            if (inb(r.b, CMD0 + R_NSECTOR) & IO)
                inl(r.b, CMD0);
            else
                outl(r.b, CMD0, g_rand_int(rnd));
            if (!(alt_status(&r) & DRQ))
                bench_run(r.b);
        }
        if (status(&r) & (DRQ | BSY))
            outb(r.b, CMD0 + R_COMMAND, 0x08);
        if (i % 300 == 0)
            fake_set_medium(r.disk, 1 * MiB);
    }
    g_rand_free(rnd);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/atapi/signature", test_signature);
    g_test_add_func("/atapi/read-pio", test_read_pio);
    g_test_add_func("/atapi/read-dma", test_read_dma);
    g_test_add_func("/atapi/bounds", test_bounds);
    g_test_add_func("/atapi/read-cd", test_read_cd);
    g_test_add_func("/atapi/media-error", test_media_error);
    g_test_add_func("/atapi/toc", test_toc);
    g_test_add_func("/atapi/dvd", test_dvd);
    g_test_add_func("/atapi/inquiry", test_inquiry);
    g_test_add_func("/atapi/configuration", test_configuration);
    g_test_add_func("/atapi/mode", test_mode);
    g_test_add_func("/atapi/tray", test_tray);
    g_test_add_func("/atapi/in-flight", test_in_flight);
    g_test_add_func("/atapi/empty", test_empty);
    g_test_add_func("/atapi/random", test_random);
    return g_test_run();
}
