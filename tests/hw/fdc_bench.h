/* tests/hw/fdc_bench.h - a floppy controller, its DMA controller and drives in the bench, and how to talk
 * to them. */
#ifndef BANTAM_TESTS_FDC_BENCH_H
#define BANTAM_TESTS_FDC_BENCH_H

#include "hw/pc/fdc.h"
#include "hw/pc/i8237.h"
#include "tests/hw/bench.h"

#define K144 (1474560u)
enum { SRA = 0x3f0, SRB, DOR, TDR, MSR, FIFO, DIRR = 0x3f7 };

struct rig {
    struct bench *b;
    struct device *fdc;
    struct fake_blk *blk[2];
    uint8_t res[16];
    unsigned n_res;
};

static inline void fill(struct fake_blk *f)
{
    for (uint64_t i = 0; i < f->blk.size; i++)
        f->data[i] = (uint8_t) (i / 512 * 7 + i % 251);
}

static inline void wait_ns(struct rig *t, int64_t ns)
{
    for (int i = 0; i < 8; i++) {
        bench_run(t->b);
        clock_step(t->b, ns / 8);
    }
    bench_run(t->b);
}

static inline bool wait_int(struct rig *t)
{
    for (int i = 0; i < 60000 && !irq_level(t->b, 6); i++) {
        bench_run(t->b);
        clock_step(t->b, 20 * NS_PER_US);
    }
    return irq_level(t->b, 6);
}

static inline void put(struct rig *t, uint8_t v)
{
    g_assert_cmphex(inb(t->b, MSR) & 0xc0, ==, 0x80);
    outb(t->b, FIFO, v);
}

static inline void command(struct rig *t, const uint8_t *cmd, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        put(t, cmd[i]);
}
#define CMD(t, ...) command(t, (const uint8_t[]){ __VA_ARGS__ }, sizeof (const uint8_t[]){ __VA_ARGS__ })

static inline void get_results(struct rig *t)
{
    for (t->n_res = 0; (inb(t->b, MSR) & 0xd0) == 0xd0; t->n_res++) {
        g_assert_cmpuint(t->n_res, <, 16);
        t->res[t->n_res] = inb(t->b, FIFO);
    }
}
#define CHECK_RES(t, ...)                                                                      \
    do {                                                                                       \
        const uint8_t want_[] = { __VA_ARGS__ };                                               \
        get_results(t);                                                                        \
        g_assert_cmpmem((t)->res, (t)->n_res, want_, sizeof want_);                            \
    } while (0)

static inline void power_on(struct rig *t)
{
    outb(t->b, DOR, 0x00);
    g_assert_cmphex(inb(t->b, MSR), ==, 0);
    outb(t->b, DOR, 0x3c);
    g_assert_true(wait_int(t));
    for (uint8_t i = 0; i < 4; i++) {
        CMD(t, 0x08);
        CHECK_RES(t, 0xc0 | i, 0);
    }
    g_assert_false(irq_level(t->b, 6));
    CMD(t, 0x03, 0xdf, 0x02);
    outb(t->b, DIRR, 0);
}

static inline struct rig start_with(uint64_t size_a, uint64_t size_b, const char *props)
{
    struct rig t = { .b = bench_new(16 * MiB) };

    bench_add(t.b, &i8237_class, NULL);
    t.fdc = bench_add(t.b, &isa_fdc_class, props);
    t.blk[0] = bench_blk(t.b, "a", size_a);
    fill(t.blk[0]);
    bench_add(t.b, &floppy_class, "drive=a,unit=0");
    if (size_b) {
        t.blk[1] = bench_blk(t.b, "b", size_b);
        fill(t.blk[1]);
        bench_add(t.b, &floppy_class, "drive=b");
    }
    power_on(&t);
    return t;
}

static inline struct rig start(void)
{
    return start_with(K144, 0, NULL);
}

static inline void dma(struct rig *t, uint8_t mode, uint32_t addr, unsigned len)
{
    struct bench *b = t->b;

    outb(b, 0x0a, 6);
    outb(b, 0x0c, 0);
    outb(b, 0x0b, mode | 2);
    outb(b, 4, addr & 0xff);
    outb(b, 4, addr >> 8 & 0xff);
    outb(b, 5, (len - 1) & 0xff);
    outb(b, 5, (len - 1) >> 8);
    outb(b, 0x81, addr >> 16);
    outb(b, 0x0a, 2);
}
#define DMA_IN(t, len) dma(t, 0x44, 0x20000, len)  /* disk to memory */
#define DMA_OUT(t, len) dma(t, 0x48, 0x20000, len)
#define MEM(t) ram_at((t)->b, 0x20000)

static inline const uint8_t *disk(struct rig *t, unsigned c, unsigned h, unsigned r)
{
    return t->blk[0]->data + ((c * 2 + h) * 18 + r - 1) * 512;
}

static inline void seek(struct rig *t, unsigned ds, unsigned cyl)
{
    CMD(t, 0x0f, (uint8_t) ds, (uint8_t) cyl);
    g_assert_true(wait_int(t));
    CMD(t, 0x08);
    CHECK_RES(t, 0x20 | (uint8_t) ds, (uint8_t) cyl);
}

#endif
