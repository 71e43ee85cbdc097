/* tests/hw/test_i8237.c - the DMA controllers, from the 8237A's sheet and the AT's technical reference. */
#include "hw/pc/i8237.h"
#include "tests/hw/bench.h"

struct peer { /* a device on a channel */
    struct bench *b;
    struct device *dev;
    unsigned chan, notified;
};

static void peer_notify(void *opaque)
{
    ((struct peer *) opaque)->notified++;
}

static struct bench *start(struct peer *p, unsigned chan)
{
    static const struct device_class peer_class = { .name = "peer", .size = sizeof(struct device) };
    struct bench *b = bench_new(17 * MiB);

    bench_add(b, &i8237_class, NULL);
    if (p) {
        *p = (struct peer){ .b = b, .chan = chan, .dev = bench_add(b, &peer_class, NULL) };
        g_assert_true(isa_claim_dma(p->dev, chan, peer_notify, p, NULL));
    }
    return b;
}

static void program(struct bench *b, unsigned chan, uint8_t mode, uint32_t addr, uint16_t count)
{
    static const uint8_t page[8] = { 0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a };
    unsigned base = chan < 4 ? 0 : 0xc0, sh = chan < 4 ? 0 : 1;
    unsigned a = chan < 4 ? addr & 0xffff : addr >> 1 & 0xffff;

    outb(b, base + (10 << sh), 4 | (chan & 3));
    outb(b, base + (12 << sh), 0);
    outb(b, base + (11 << sh), mode | (chan & 3));
    outb(b, base + ((chan % 4 * 2) << sh), a & 0xff);
    outb(b, base + ((chan % 4 * 2) << sh), a >> 8);
    outb(b, base + ((chan % 4 * 2 + 1) << sh), count & 0xff);
    outb(b, base + ((chan % 4 * 2 + 1) << sh), count >> 8);
    outb(b, page[chan], addr >> 16);
    outb(b, base + (10 << sh), chan & 3);
}

static unsigned read16(struct bench *b, unsigned port, unsigned ff)
{
    outb(b, ff, 0);
    unsigned lo = inb(b, port);
    return lo | inb(b, port) << 8;
}

static void test_registers(void)
{
    struct bench *b = start(NULL, 0);

    outb(b, 0x0c, 0);
    outb(b, 0x02, 0x34);
    outb(b, 0x02, 0x12);
    outb(b, 0x03, 0x78);
    outb(b, 0x03, 0x56);
    g_assert_cmphex(read16(b, 0x02, 0x0c), ==, 0x1234);
    g_assert_cmphex(read16(b, 0x03, 0x0c), ==, 0x5678);
    inb(b, 0x02); /* the flip-flop is now at the high byte, for any register */
    g_assert_cmphex(inb(b, 0x03), ==, 0x56);
    outb(b, 0xd8, 0);
    outb(b, 0xc4, 0xcd);
    outb(b, 0xc5, 0xab); /* A0 is not decoded */
    g_assert_cmphex(read16(b, 0xc4, 0xd8), ==, 0xabcd);
    g_assert_cmphex(inb(b, 0x0f), ==, 0xff);
    outb(b, 0x0a, 2);
    g_assert_cmphex(inb(b, 0x0f), ==, 0xfb);
    outb(b, 0x0f, 0x05);
    g_assert_cmphex(inb(b, 0x0f), ==, 0xf5);
    outb(b, 0x0e, 0);
    g_assert_cmphex(inb(b, 0x0f), ==, 0xf0);
    outb(b, 0x0d, 0); /* master clear */
    g_assert_cmphex(inb(b, 0x0f), ==, 0xff);
    g_assert_cmphex(inb(b, 0x08), ==, 0);
    g_assert_cmphex(inb(b, 0x0d), ==, 0);
    for (unsigned p = 0x80; p < 0x90; p++)
        outb(b, p, p * 3 & 0xff);
    for (unsigned p = 0x80; p < 0x90; p++)
        g_assert_cmphex(inb(b, p), ==, p * 3 & 0xff);
    bench_free(b);
}

static void test_write_read(void)
{
    struct peer p;
    struct bench *b = start(&p, 2);
    uint8_t buf[64], back[64];
    bool tc;

    for (int i = 0; i < 64; i++)
        buf[i] = (uint8_t) (i + 1);
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 64, &tc), ==, 0); /* masked: waits */
    g_assert_cmphex(inb(b, 0x08), ==, 0x40); /* DREQ 2 */
    program(b, 2, 0x44, 0x123456, 63);
    bench_run(b);
    g_assert_cmpuint(p.notified, >, 0);
    g_assert_cmpuint(isa_dma_from_memory(p.dev, 2, back, 64, &tc), ==, 0); /* the other direction */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 40, &tc), ==, 40);
    g_assert_false(tc);
    g_assert_cmphex(read16(b, 5, 0x0c), ==, 23);
    g_assert_cmphex(read16(b, 4, 0x0c), ==, 0x347e);
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf + 40, 100, &tc), ==, 24);
    g_assert_true(tc);
    g_assert_cmpmem(ram_at(b, 0x123456), 64, buf, 64);
    g_assert_cmphex(read16(b, 5, 0x0c), ==, 0xffff);
    g_assert_cmphex(inb(b, 0x0f), ==, 0xff); /* masked again */
    g_assert_cmphex(inb(b, 0x08), ==, 0x04);
    g_assert_cmphex(inb(b, 0x08), ==, 0);   /* the status was cleared by reading */
    program(b, 2, 0x48, 0x123456, 63);
    g_assert_cmpuint(isa_dma_from_memory(p.dev, 2, back, 64, &tc), ==, 64);
    g_assert_true(tc);
    g_assert_cmpmem(back, 64, buf, 64);
    bench_free(b);
}

static void test_autoinit_verify_decrement(void)
{
    struct peer p;
    struct bench *b = start(&p, 1);
    uint8_t buf[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    bool tc;

    program(b, 1, 0x54, 0x2000, 3);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpuint(isa_dma_to_memory(p.dev, 1, buf + i, 8 - i, &tc), ==, 4);
        g_assert_true(tc);
        g_assert_cmpmem(ram_at(b, 0x2000), 4, buf + i, 4);
    }
    g_assert_cmphex(read16(b, 2, 0x0c), ==, 0x2000);
    program(b, 1, 0x40, 0x2000, 7); /* verify: takes, and stores nothing */
    memset(ram_at(b, 0x2000), 0x55, 8);
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 1, buf, 8, &tc), ==, 8);
    g_assert_true(tc);
    g_assert_cmphex(*ram_at(b, 0x2000), ==, 0x55);
    program(b, 1, 0x64, 0x30003, 7); /* downwards, across the bottom of the page */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 1, buf, 8, &tc), ==, 8);
    static const uint8_t low[4] = { 4, 3, 2, 1 }, high[4] = { 8, 7, 6, 5 };
    g_assert_cmpmem(ram_at(b, 0x30000), 4, low, 4);
    g_assert_cmpmem(ram_at(b, 0x3fffc), 4, high, 4);
    program(b, 1, 0x68, 0x30003, 7);
    uint8_t back[8];
    g_assert_cmpuint(isa_dma_from_memory(p.dev, 1, back, 8, &tc), ==, 8);
    g_assert_cmpmem(back, 8, buf, 8);
    bench_free(b);
}

static void test_wrap(void)
{
    struct peer p;
    struct bench *b = start(&p, 3);
    static uint8_t buf[65536 + 16];
    bool tc;

    for (unsigned i = 0; i < sizeof buf; i++)
        buf[i] = (uint8_t) (i * 7);
    program(b, 3, 0x44, 0x4fff0, 31); /* upwards, past the end of the 64 KiB page */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 3, buf, 32, &tc), ==, 32);
    g_assert_cmpmem(ram_at(b, 0x4fff0), 16, buf, 16);
    g_assert_cmpmem(ram_at(b, 0x40000), 16, buf + 16, 16);
    g_assert_cmphex(*ram_at(b, 0x50000), ==, 0);
    program(b, 3, 0x44, 0xf00000, 0xffff); /* count ffff: 64 KiB, and no byte more */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 3, buf, sizeof buf, &tc), ==, 65536);
    g_assert_true(tc);
    g_assert_cmpmem(ram_at(b, 0xf00000), 65536, buf, 65536);
    program(b, 3, 0x44, 0xffffff, 1); /* the top of 16 MiB: wraps within its page */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 3, buf + 1, 2, &tc), ==, 2);
    g_assert_cmphex(*ram_at(b, 0xff0000), ==, 14);
    g_assert_cmphex(*ram_at(b, 0x1000000), ==, 0);
    bench_free(b);
}

static void test_16bit(void)
{
    struct peer p;
    struct bench *b = start(&p, 5);
    uint8_t buf[32];
    bool tc;

    for (int i = 0; i < 32; i++)
        buf[i] = (uint8_t) (0xa0 + i);
    program(b, 5, 0x44, 0x3fff0, 15); /* page 3: bit 0 is not used; 128 KiB from 20000h */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 5, buf, 7, &tc), ==, 6); /* whole words only */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 5, buf + 6, 26, &tc), ==, 26);
    g_assert_true(tc);
    g_assert_cmpmem(ram_at(b, 0x3fff0), 16, buf, 16);
    g_assert_cmpmem(ram_at(b, 0x20000), 16, buf + 16, 16);
    g_assert_cmphex(inb(b, 0xd0), ==, 0x02);
    program(b, 5, 0x64, 0x20002, 3); /* downwards by words; bytes within a word keep their order */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 5, buf, 8, &tc), ==, 8);
    g_assert_cmpmem(ram_at(b, 0x20002), 2, buf, 2);
    g_assert_cmpmem(ram_at(b, 0x20000), 2, buf + 2, 2);
    g_assert_cmpmem(ram_at(b, 0x3fffe), 2, buf + 4, 2);
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 4, buf, 2, &tc), ==, 0);
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 99, buf, 2, &tc), ==, 0);
    bench_free(b);
}

static void test_cascade(void)
{
    struct peer p;
    struct bench *b = start(&p, 2);
    uint8_t buf[4] = { 1, 2, 3, 4 };
    bool tc;

    program(b, 2, 0x44, 0x1000, 3);
    outb(b, 0xd4, 4); /* mask channel 4: the first controller is cut off */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 4, &tc), ==, 0);
    bench_run(b);
    p.notified = 0;
    outb(b, 0xd6, 0xc0);
    outb(b, 0xd4, 0);
    bench_run(b);
    g_assert_cmpuint(p.notified, ==, 1);
    outb(b, 0x08, 4); /* disable */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 4, &tc), ==, 0);
    outb(b, 0x08, 0);
    outb(b, 0xda, 0); /* master clear of the second */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 4, &tc), ==, 0);
    outb(b, 0xde, 0);
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 4, &tc), ==, 4);
    program(b, 2, 0xc0, 0x1000, 3); /* a channel in cascade mode transfers nothing itself */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 4, &tc), ==, 0);
    program(b, 2, 0x4c, 0x1000, 3); /* nor does the illegal type */
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf, 4, &tc), ==, 0);
    bench_free(b);
}

static void test_software_request(void)
{
    struct bench *b = start(NULL, 0);

    for (int i = 0; i < 100; i++)
        *ram_at(b, 0x1000 + i) = (uint8_t) (i ^ 0x5a);
    program(b, 0, 0x88, 0x1000, 99);
    program(b, 1, 0x84, 0x2000, 99);
    outb(b, 0x0f, 0x0f);
    outb(b, 0x08, 1); /* memory to memory */
    outb(b, 0x09, 4);
    bench_run(b);
    g_assert_cmpmem(ram_at(b, 0x2000), 100, ram_at(b, 0x1000), 100);
    g_assert_cmphex(inb(b, 0x0d), ==, 99 ^ 0x5a);
    g_assert_cmphex(inb(b, 0x08), ==, 0x02);
    program(b, 0, 0x88, 0x1000, 99);
    program(b, 1, 0x84, 0x2000, 99);
    outb(b, 0x08, 3); /* with the source held: a fill */
    outb(b, 0x09, 4);
    bench_run(b);
    for (int i = 0; i < 100; i++)
        g_assert_cmphex(*ram_at(b, 0x2000 + i), ==, 0x5a);
    outb(b, 0x08, 0);
    program(b, 3, 0x84, 0x3000, 9); /* nobody on the channel: the bus floats */
    outb(b, 0x0a, 7);
    outb(b, 0x09, 7);
    g_assert_cmphex(inb(b, 0x08) & 0xf0, ==, 0x80);
    bench_run(b);
    g_assert_cmphex(*ram_at(b, 0x3009), ==, 0xff);
    g_assert_cmphex(*ram_at(b, 0x300a), ==, 0);
    g_assert_cmphex(inb(b, 0x08), ==, 0x08);
    bench_free(b);
}

/* A device that is told of its channel tries at once, from inside; and one that tries for ever is not
 * called again unless the guest does something. */
static void retry(void *opaque)
{
    struct peer *p = opaque;
    uint8_t buf[4] = { 0 };
    bool tc;

    p->notified++;
    isa_dma_to_memory(p->dev, p->chan, buf, 4, &tc);
    isa_dma_from_memory(p->dev, p->chan, buf, 4, &tc);
}

static void test_no_recursion(void)
{
    struct peer p;
    struct bench *b = start(&p, 1);

    b->vm->isa.dma[1].notify = retry;
    program(b, 1, 0x44, 0x1000, 0);
    g_assert_cmpuint(p.notified, ==, 0);
    bench_run(b);
    g_assert_cmpuint(p.notified, ==, 1);
    program(b, 1, 0x58, 0x1000, 0);
    outb(b, 0x09, 5);
    bench_run(b);
    g_assert_cmpuint(p.notified, ==, 2);
    bench_free(b);
}

static void test_state(void)
{
    struct peer p;
    struct bench *b = start(&p, 2);
    struct device *d = b->vm->devices->pdata[0];
    GByteArray *a = g_byte_array_new(), *c = g_byte_array_new();
    uint8_t buf[4] = { 9, 8, 7, 6 };
    bool tc;

    program(b, 2, 0x54, 0x5000, 7);
    isa_dma_to_memory(p.dev, 2, buf, 3, &tc);
    device_save(d, a);
    i8237_class.reset(d);
    i8237_class.reset(d);
    g_assert_true(device_load(d, a->data, a->len, NULL));
    device_save(d, c);
    g_assert_cmpmem(a->data, a->len, c->data, c->len);
    g_assert_cmpuint(isa_dma_to_memory(p.dev, 2, buf + 3, 1, &tc), ==, 1);
    g_assert_cmphex(*ram_at(b, 0x5003), ==, 6);
    g_byte_array_unref(a);
    g_byte_array_unref(c);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/i8237/registers", test_registers);
    g_test_add_func("/i8237/write-read", test_write_read);
    g_test_add_func("/i8237/autoinit-verify-decrement", test_autoinit_verify_decrement);
    g_test_add_func("/i8237/wrap", test_wrap);
    g_test_add_func("/i8237/16bit", test_16bit);
    g_test_add_func("/i8237/cascade", test_cascade);
    g_test_add_func("/i8237/software-request", test_software_request);
    g_test_add_func("/i8237/no-recursion", test_no_recursion);
    g_test_add_func("/i8237/state", test_state);
    return g_test_run();
}
