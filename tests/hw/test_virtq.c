/* tests/hw/test_virtq.c - queues: what drivers may do, and what hostile ones try.
 *
 * Every rule is tried on split and packed rings; what breaks the device must show as NEEDS_RESET, touch no
 * memory, and end with a reset. */
#include "tests/hw/vdriver.h"
#include "tests/hw/vtest.h"
#include "vmm/core/eventfd.h"

enum { RAM = 16 << 20, F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4, F_AVAIL = 1 << 7, F_USED = 1 << 15 };

struct fix {
    struct bench *b;
    struct vd *d;
    struct vtest *t;
    uint64_t buf;
};

static struct fix setup(unsigned flags)
{
    struct fix f = { .b = bench_new(RAM) };

    f.d = vd_probe_class(f.b, &vtest_pci_class, "packed=on,in_order=on", flags);
    f.t = vtest_of(f.d->dev);
    vd_start(f.d, UINT64_MAX);
    f.buf = vd_alloc(f.d, 65536, 4096);
    return f;
}

static void teardown(struct fix *f)
{
    vd_free(f->d);
    bench_free(f->b);
}

static bool packed(const struct fix *f)
{
    return f->d->flags & VD_PACKED;
}

/* The descriptor at place i of queue 0, as it is; next: of split. */
static void put(struct fix *f, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
    uint8_t *p = vd_ptr(f->d, f->d->q[0].desc + 16 * i);

    st_le64(p, addr);
    st_le32(p + 8, len);
    st_le16(p + 12, packed(f) ? 0 : flags);
    st_le16(p + 14, packed(f) ? flags | F_AVAIL : next);
}

/* Tell the device of the chain that begins at place 0. */
static void offer(struct fix *f)
{
    struct vd_queue *q = &f->d->q[0];

    if (!packed(f)) {
        st_le16(vd_ptr(f->d, q->avail + 4), 0);
        st_le16(vd_ptr(f->d, q->avail + 2), 1);
    }
    vd_notify(f->d, 0);
    bench_run(f->b);
}

/* It must have broken, say so by an interrupt, do nothing more, and work again after a reset. */
static void expect_broken(struct fix *f)
{
    int token;

    g_assert_true(vd_broken(f->d));
    g_assert_cmphex(vd_take_isr(f->d) & VIRTIO_ISR_CONFIG, !=, 0);
    g_assert_cmpuint(f->t->n_held, ==, 0);
    unsigned calls = f->t->calls;
    vd_notify(f->d, 0);
    bench_run(f->b);
    g_assert_cmpuint(f->t->calls, ==, calls);
    vd_start(f->d, UINT64_MAX);
    g_assert_false(vd_broken(f->d));
    f->t->hold = false;
    g_assert_true(vd_add(f->d, 0, &(struct vd_sg){ f->buf, 100 }, 0, 1, &token));
    vd_kick(f->d, 0);
    g_assert_true(vd_wait(f->d, 0, NULL) == &token);
    vd_start(f->d, UINT64_MAX); /* fresh for the next */
}

/* --- well-behaved ----------------------------------------------------------------------------------- */

static void test_order(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));
    int token[VTEST_SMALL];
    uint32_t len;

    for (int round = 0; round < 50; round++) {
        f.t->hold = true;
        for (int i = 0; i < VTEST_SMALL; i++)
            g_assert_true(vd_add(f.d, 0, &(struct vd_sg){ f.buf + 512 * (unsigned) i, 1 + (unsigned) i }, 0, 1,
                                 &token[i]));
        g_assert_false(vd_add(f.d, 0, &(struct vd_sg){ f.buf, 1 }, 0, 1, &token[0]));
        vd_kick(f.d, 0);
        bench_run(f.b);
        g_assert_cmpuint(f.t->n_held, ==, VTEST_SMALL);
        for (int i = 0; i < VTEST_SMALL; i++) { /* the last taken comes back first, but for 0 */
            g_assert_null(f.d->flags & VD_IN_ORDER && i < VTEST_SMALL ? vd_get(f.d, 0, NULL) : NULL);
            vtest_return(f.t, i == 0 && !(f.d->flags & VD_IN_ORDER) ? 0 : f.t->n_held - 1);
        }
        for (int i = 0; i < VTEST_SMALL; i++) {
            int *got = vd_get(f.d, 0, &len);
            g_assert_true(got >= token && got < token + VTEST_SMALL);
            g_assert_cmpuint(len, ==, 1 + (got - token));
            if (f.d->flags & VD_IN_ORDER)
                g_assert_true(got == &token[i]);
        }
        g_assert_null(vd_get(f.d, 0, NULL));
    }
    g_assert_false(vd_broken(f.d));
    teardown(&f);
}

/* Many pieces of random sizes, in both directions; several thousand buffers, so that every index wraps. */
static void test_pieces(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));
    struct vd_sg sg[VD_MAX_SG];
    bool indirect = f.d->flags & VD_INDIRECT;

    f.t->hold = true;
    for (int round = 0; round < 3000; round++) {
        unsigned most = indirect ? 30 : 8, n = (unsigned) g_test_rand_int_range(1, (gint32) most + 1),
                 n_out = (unsigned) g_test_rand_int_range(0, (gint32) n + 1);
        size_t out = 0, in = 0;
        int token;
        uint32_t len;
        for (unsigned i = 0; i < n; i++) {
            sg[i] = (struct vd_sg){ f.buf + 1024 * i + (unsigned) g_test_rand_int_range(0, 100),
                                    (uint32_t) g_test_rand_int_range(1, 900) };
            *(i < n_out ? &out : &in) += sg[i].len;
            memset(vd_ptr(f.d, sg[i].gpa), (int) i + 1, sg[i].len);
        }
        unsigned q = round & 1;
        g_assert_true(vd_add(f.d, q, sg, n_out, n - n_out, &token));
        vd_kick(f.d, q);
        bench_run(f.b);
        g_assert_cmpuint(f.t->n_held, ==, 1);
        struct virtq_buf *b = &f.t->held[0]->buf;
        g_assert_true(b->out_len == out && b->in_len == in && b->out_num == n_out && b->in_num == n - n_out);
        uint8_t *copy = g_malloc(out + 10);
        g_assert_cmpuint(virtq_out(b, 0, copy, out + 10), ==, out);
        for (size_t i = 0, at = 0; i < n_out; at += sg[i++].len)
            g_assert_true(copy[at] == i + 1 && copy[at + sg[i].len - 1] == i + 1);
        g_free(copy);
        if (out > 5)
            g_assert_true(virtq_trim_out(b, 5) && b->out_len == out - 5);
        g_assert_false(virtq_trim_out(b, out + 1));
        vtest_return(f.t, 0);
        g_assert_true(vd_wait(f.d, q, &len) == &token);
        g_assert_cmpuint(len, ==, in);
        for (unsigned i = n_out; i < n; i++) {
            const uint8_t *p = vd_ptr(f.d, sg[i].gpa);
            g_assert_true(p[0] == 0x5a && p[sg[i].len - 1] == 0x5a);
        }
    }
    teardown(&f);
}

static void test_trim(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));
    struct vd_sg sg[5] = { { f.buf, 10 }, { f.buf + 100, 20 }, { f.buf + 200, 12 }, { f.buf + 300, 40 },
                           { f.buf + 400, 1 } };
    void *at;
    int token;

    f.t->hold = true;
    ram_block_track(&f.b->vm->ram.block, DIRTY_SNAPSHOT, true);
    vd_add(f.d, 0, sg, 2, 3, &token);
    vd_kick(f.d, 0);
    bench_run(f.b);
    struct virtq_buf *b = &f.t->held[0]->buf;
    g_assert_true(virtq_trim_out(b, 16));
    g_assert_true(b->out_num == 1 && b->out_len == 14 && b->iov[0].iov_base == vd_ptr(f.d, f.buf + 106));
    g_assert_true(virtq_trim_out(b, 14) && b->out_num == 0 && !virtq_trim_out(b, 1));
    g_assert_true(virtq_trim_in_tail(b, 1, &at) && at == vd_ptr(f.d, f.buf + 400) && b->in_num == 2 &&
                  b->in_len == 52);
    g_assert_true(virtq_trim_in(b, 12) && b->in_num == 1 && b->in_len == 40);
    g_assert_false(virtq_trim_in_tail(b, 41, &at));
    g_assert_true(virtq_trim_in_tail(b, 8, &at) && at == vd_ptr(f.d, f.buf + 332));
    ram_block_test_clear(&f.b->vm->ram.block, DIRTY_SNAPSHOT, 0, RAM);
    virtq_push(b, 53);
    g_assert_true(ram_block_test_clear(&f.b->vm->ram.block, DIRTY_SNAPSHOT, f.buf, 4096));
    uint64_t ring = packed(&f) ? f.d->q[0].desc : f.d->q[0].used;
    g_assert_true(ram_block_test_clear(&f.b->vm->ram.block, DIRTY_SNAPSHOT, ring, 64));
    g_assert_false(ram_block_test_clear(&f.b->vm->ram.block, DIRTY_SNAPSHOT, f.buf + 4096, 4096));
    f.t->n_held = 0;
    g_assert_true(vd_get(f.d, 0, NULL) == &token);
    teardown(&f);
}

/* fill + flush: all at once; unpop: again. */
static void test_batch(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));
    int token[6];

    f.t->hold = true;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 6; i++)
            g_assert_true(vd_add(f.d, 0, &(struct vd_sg){ f.buf + 64 * (unsigned) i, 64 }, 0, 1, &token[i]));
        vd_kick(f.d, 0);
        bench_run(f.b);
        g_assert_cmpuint(f.t->n_held, ==, 6);
        struct virtq *q = &f.t->v.q[0];
        virtq_unpop(&f.t->held[5]->buf);
        virtq_unpop(&f.t->held[4]->buf);
        g_assert_true(virtq_pop(q) == &f.t->held[4]->buf);
        virtq_unpop(&f.t->held[4]->buf);
        for (int i = 0; i < 4; i++) {
            virtq_fill(&f.t->held[i]->buf, 1);
            g_assert_null(vd_get(f.d, 0, NULL));
        }
        virtq_flush(q);
        for (int i = 0; i < 4; i++)
            g_assert_true(vd_get(f.d, 0, NULL) == &token[i]);
        g_assert_null(vd_get(f.d, 0, NULL));
        f.t->n_held = 0;
        f.t->hold = round & 1;
        virtq_kick(q);
        bench_run(f.b);
        while (f.t->n_held)
            vtest_return(f.t, 0);
        g_assert_true(vd_get(f.d, 0, NULL) == &token[4] && vd_get(f.d, 0, NULL) == &token[5]);
        f.t->hold = true;
    }
    teardown(&f);
}

/* A driver that is told not to notify doesn't; one that wants no interrupts gets none; nothing is lost. */
static void test_suppression(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));
    int token[4];

    vd_irqs(f.d, 1);
    for (int i = 0; i < 500; i++) {
        bool want = g_test_rand_int_range(0, 2);
        vd_want_irq(f.d, 1, want);
        int n = g_test_rand_int_range(1, 5);
        for (int k = 0; k < n; k++)
            g_assert_true(vd_add(f.d, 1, &(struct vd_sg){ f.buf, 64 }, 0, 1, &token[k]));
        vd_kick(f.d, 1);
        for (int k = 0; k < n; k++)
            g_assert_true(vd_wait(f.d, 1, NULL) == &token[k]);
        g_assert_cmpuint(vd_irqs(f.d, 1), ==, want);
    }
    g_assert_cmpuint(f.d->q[1].kicks, ==, 500);
    /* a class that waits leaves notifications off; virtq_kick() goes on */
    f.t->hold = true;
    f.t->limit = 1;
    f.t->n_held = VTEST_HOLD; /* "no room" */
    vd_add(f.d, 1, &(struct vd_sg){ f.buf, 64 }, 0, 1, &token[0]);
    vd_kick(f.d, 1);
    bench_run(f.b);
    vd_add(f.d, 1, &(struct vd_sg){ f.buf, 64 }, 0, 1, &token[1]);
    vd_kick(f.d, 1);
    if (!(f.d->flags & VD_EVENT_IDX && !packed(&f)))
        g_assert_cmpuint(f.d->q[1].skipped, ==, 1);
    f.t->n_held = 0;
    virtq_kick(&f.t->v.q[1]);
    bench_run(f.b);
    g_assert_cmpuint(f.t->n_held, ==, 2);
    teardown(&f);
}

/* --- hostile ---------------------------------------------------------------------------------------- */

static void test_descriptors(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    static const struct {
        const char *what;
        uint64_t addr;
        uint32_t len;
    } bad[] = {
        { "length 0", 0x200000, 0 },
        { "beyond RAM", RAM, 16 },
        { "over the end of RAM", RAM - 8, 16 },
        { "address wraps", UINT64_MAX - 3, 16 },
        { "length of 4 GiB", 0x200000, UINT32_MAX },
        { "an MMIO address", 0xe0000000, 64 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        for (unsigned dir = 0; dir < 2; dir++) {
            struct fix f = setup(flags);
            g_test_message("%s, %s", bad[i].what, dir ? "in" : "out");
            put(&f, 0, bad[i].addr, bad[i].len, dir ? F_WRITE : 0, 0);
            offer(&f);
            expect_broken(&f);
            teardown(&f);
        }
    struct fix f = setup(flags); /* out after in */
    put(&f, 1, f.buf, 16, 0, 0);
    put(&f, 0, f.buf, 16, F_WRITE | F_NEXT, 1);
    offer(&f);
    expect_broken(&f);
    teardown(&f);
}

static void test_loops(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));

    for (unsigned i = 0; i < VTEST_SMALL; i++) /* packed: no end in the whole ring */
        put(&f, i, f.buf + 16 * i, 8, F_NEXT, (uint16_t) ((i + 1) % VTEST_SMALL));
    offer(&f);
    expect_broken(&f);
    if (!packed(&f)) {
        put(&f, 0, f.buf, 8, F_NEXT, 0); /* to itself */
        offer(&f);
        expect_broken(&f);
        put(&f, 0, f.buf, 8, F_NEXT, VTEST_SMALL); /* out of the table */
        offer(&f);
        expect_broken(&f);
        put(&f, 0, f.buf, 8, F_NEXT, 0xffff);
        offer(&f);
        expect_broken(&f);
        st_le16(vd_ptr(f.d, f.d->q[0].avail + 4), VTEST_SMALL); /* a head out of the table */
        st_le16(vd_ptr(f.d, f.d->q[0].avail + 2), 1);
        vd_notify(f.d, 0);
        bench_run(f.b);
        expect_broken(&f);
    }
    teardown(&f);
}

static void test_indirect(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    struct fix f = setup(flags | VD_INDIRECT);
    uint64_t table = f.buf + 4096;
    static const uint32_t lengths[] = { 0, 1, 15, 17, 16 * 1025, 0xfffffff0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        put(&f, 0, table, lengths[i], F_INDIRECT, 0);
        offer(&f);
        expect_broken(&f);
    }
    put(&f, 0, RAM - 8, 16, F_INDIRECT, 0);
    offer(&f);
    expect_broken(&f);
    st_le64(vd_ptr(f.d, table), table); /* indirect in indirect */
    st_le32(vd_ptr(f.d, table + 8), 16);
    st_le16(vd_ptr(f.d, table + 12), F_INDIRECT);
    st_le16(vd_ptr(f.d, table + 14), F_INDIRECT);
    put(&f, 0, table, 16, F_INDIRECT, 0);
    offer(&f);
    expect_broken(&f);
    st_le64(vd_ptr(f.d, table), f.buf);
    st_le32(vd_ptr(f.d, table + 8), 16);
    st_le16(vd_ptr(f.d, table + 12), packed(&f) ? 0 : F_NEXT); /* next: itself */
    st_le16(vd_ptr(f.d, table + 14), 0);
    if (!packed(&f)) {
        put(&f, 0, table, 16, F_INDIRECT, 0);
        offer(&f);
        expect_broken(&f);
    }
    put(&f, 1, f.buf, 16, 0, 0); /* INDIRECT and NEXT */
    put(&f, 0, table, 16, F_INDIRECT | F_NEXT, 1);
    offer(&f);
    expect_broken(&f);
    /* 1024 entries are fine, over and over the same place: only the work is bounded */
    for (unsigned i = 0; i < 1024; i++) {
        uint8_t *p = vd_ptr(f.d, table + 16 * i);
        st_le64(p, f.buf);
        st_le32(p + 8, 2048);
        st_le16(p + 12, packed(&f) ? 0 : i < 1023 ? F_NEXT : 0);
        st_le16(p + 14, packed(&f) ? 0 : (uint16_t) (i + 1));
    }
    vd_start(f.d, UINT64_MAX);
    put(&f, 0, table, 16 * 1024, F_INDIRECT, 0);
    f.t->hold = true;
    offer(&f);
    g_assert_false(vd_broken(f.d));
    g_assert_cmpuint(f.t->n_held, ==, 1);
    g_assert_cmpuint(f.t->held[0]->buf.out_num, ==, 1024);
    g_assert_cmpuint(f.t->held[0]->buf.out_len, ==, 2 * MiB);
    teardown(&f);
    f = setup(flags & ~VD_INDIRECT); /* not negotiated */
    put(&f, 0, f.buf, 16, F_INDIRECT, 0);
    offer(&f);
    expect_broken(&f);
    teardown(&f);
}

/* The available index, and buffers that come again before they came back. */
static void test_index(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));
    struct vd_queue *q = &f.d->q[0];
    static const uint16_t jumps[] = { VTEST_SMALL + 1, 0x7fff, 0x8000, 0xffff };

    if (packed(&f)) { /* more in flight than there are: the same place, made available with each wrap */
        f.t->hold = true;
        for (int round = 0; round < 4; round++) {
            for (unsigned i = 0; i < VTEST_SMALL; i++) {
                uint8_t *p = vd_ptr(f.d, q->desc + 16 * i);
                st_le64(p, f.buf);
                st_le32(p + 8, 8);
                st_le16(p + 12, 0);
                st_le16(p + 14, round & 1 ? F_USED : F_AVAIL);
            }
            vd_notify(f.d, 0);
            bench_run(f.b);
        }
        g_assert_cmpuint(f.t->n_held, ==, VTEST_SMALL);
        f.t->n_held = 0;
        expect_broken(&f);
        teardown(&f);
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(jumps); i++) {
        put(&f, 0, f.buf, 8, F_WRITE, 0);
        st_le16(vd_ptr(f.d, f.d->q[0].avail + 2), jumps[i]);
        vd_notify(f.d, 0);
        bench_run(f.b);
        expect_broken(&f);
    }
    vd_start(f.d, UINT64_MAX);
    f.t->hold = true;
    put(&f, 0, f.buf, 8, F_WRITE, 0);
    for (unsigned i = 1; i <= 3; i++) { /* head 0, 24 times, never returned */
        st_le16(vd_ptr(f.d, f.d->q[0].avail + 2), (uint16_t) (VTEST_SMALL * i));
        vd_notify(f.d, 0);
        bench_run(f.b);
    }
    g_assert_cmpuint(f.t->n_held, ==, VTEST_SMALL);
    f.t->n_held = 0;
    expect_broken(&f);
    teardown(&f);
}

/* Queues that can't be: the device breaks at DRIVER_OK, or ignores the register. */
static void test_geometry(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    bool is_packed = flags & VD_PACKED;
    static const unsigned sizes[] = { 0, 3, 9, 65535 };
    uint64_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK;
    uint64_t ring = BIT64(VIRTIO_F_VERSION_1) | (is_packed ? BIT64(VIRTIO_F_RING_PACKED) : 0);
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_probe_class(b, &vtest_pci_class, "packed=on,in_order=on", flags);
    uint64_t at = 1 << 20;
    static const struct {
        const char *what;
        uint64_t desc, avail, used;
    } bad[] = {
        { "descriptors beyond RAM", RAM, 0x100000, 0x102000 },
        { "descriptors over the end", RAM - 64, 0x100000, 0x102000 },
        { "descriptors unaligned", 0x100008, 0x101000, 0x102000 },
        { "driver area beyond RAM", 0x100000, RAM - 2, 0x102000 },
        { "driver area unaligned", 0x100000, 0x101001, 0x102000 },
        { "device area unaligned", 0x100000, 0x101000, 0x102002 },
        { "device area beyond", 0x100000, 0x101000, UINT64_MAX - 3 },
        { "device area in a BAR", 0x100000, 0x101000, 0xe0000000 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        vd_set_status(d, 0);
        vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
        vd_set_features(d, ring);
        vd_set_status(d, (uint8_t) status);
        vd_common_write(d, 22, 0, 2);
        vd_common_write(d, 24, sizes[i], 2);
        bool taken = vd_common_read(d, 24, 2) == sizes[i];
        g_assert_cmpuint(taken, ==, sizes[i] == 3);
        vd_common_write(d, 32, at, 4);
        vd_common_write(d, 40, at + 0x1000, 4);
        vd_common_write(d, 48, at + 0x2000, 4);
        vd_common_write(d, 28, 1, 2);
        vd_set_status(d, (uint8_t) (status | VIRTIO_DRIVER_OK));
        g_assert_cmpuint(vd_broken(d), ==, sizes[i] == 3 && !is_packed);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_test_message("%s", bad[i].what);
        vd_set_status(d, 0);
        vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
        vd_set_features(d, ring);
        vd_set_status(d, (uint8_t) status);
        vd_common_write(d, 22, 0, 2);
        for (unsigned k = 0; k < 2; k++) {
            vd_common_write(d, 32 + 4 * k, bad[i].desc >> (32 * k) & UINT32_MAX, 4);
            vd_common_write(d, 40 + 4 * k, bad[i].avail >> (32 * k) & UINT32_MAX, 4);
            vd_common_write(d, 48 + 4 * k, bad[i].used >> (32 * k) & UINT32_MAX, 4);
        }
        vd_common_write(d, 28, 1, 2);
        vd_set_status(d, (uint8_t) (status | VIRTIO_DRIVER_OK));
        g_assert_true(vd_broken(d));
        vd_notify(d, 0);
        bench_run(b);
    }
    vd_start(d, UINT64_MAX); /* moved while it is live: ignored */
    uint64_t before = vd_common_read(d, 32, 4);
    vd_common_write(d, 22, 0, 2);
    before = vd_common_read(d, 32, 4);
    vd_common_write(d, 32, 0x300000, 4);
    vd_common_write(d, 24, 2, 2);
    vd_common_write(d, 28, 0, 2);
    g_assert_cmphex(vd_common_read(d, 32, 4), ==, before);
    g_assert_cmpuint(vd_common_read(d, 24, 2), ==, VTEST_SMALL);
    g_assert_cmpuint(vd_common_read(d, 28, 2), ==, 1);
    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ 0x400000, 100 }, 0, 1), ==, 100);
    vd_free(d);
    bench_free(b);
}

/* Stop, continue, reset and save while buffers are held; a buffer made available while it stood still is seen. */
static void test_life(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_UINT(data));
    int token[2];

    f.t->hold = true;
    vd_add(f.d, 0, &(struct vd_sg){ f.buf, 64 }, 0, 1, &token[0]);
    vd_kick(f.d, 0);
    bench_run(f.b);
    vm_stop(f.b->vm, RUN_PAUSED);
    g_assert_cmpuint(f.t->stops, ==, f.t->starts);
    vd_add(f.d, 0, &(struct vd_sg){ f.buf, 64 }, 0, 1, &token[1]);
    vd_notify(f.d, 0);
    bench_run(f.b);
    g_assert_cmpuint(f.t->n_held, ==, 1);
    event_take(f.t->v.q[0].kick_fd); /* a notification that was lost */
    vm_cont(f.b->vm);
    bench_run(f.b);
    g_assert_cmpuint(f.t->n_held, ==, 2);
    vtest_return(f.t, 1);
    vtest_return(f.t, 0);
    g_assert_nonnull(vd_get(f.d, 0, NULL));
    g_assert_nonnull(vd_get(f.d, 0, NULL));
    /* into another device: it goes on where the first was */
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;
    device_save(f.d->dev, a);
    device_reset(f.d->dev);
    g_assert_cmpuint(f.t->starts, ==, f.t->stops);
    g_assert_true(device_load(f.d->dev, a->data, a->len, &err));
    g_byte_array_unref(a);
    f.t->hold = false;
    bench_run(f.b);
    g_assert_cmpuint(vd_do(f.d, 0, &(struct vd_sg){ f.buf, 33 }, 0, 1), ==, 33);
    /* bus mastering off: nothing moves; on again: everything */
    pci_config_write(f.d->pci->pci, f.d->pci->devfn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    vd_add(f.d, 0, &(struct vd_sg){ f.buf, 64 }, 0, 1, &token[0]);
    vd_notify(f.d, 0);
    g_assert_null(vd_wait(f.d, 0, NULL));
    pci_config_write(f.d->pci->pci, f.d->pci->devfn, PCI_COMMAND,
                     PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    g_assert_true(vd_wait(f.d, 0, NULL) == &token[0]);
    teardown(&f);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(gconstpointer);
    } tests[] = { { "order", test_order }, { "pieces", test_pieces }, { "trim", test_trim },
                  { "batch", test_batch },
                  { "suppression", test_suppression }, { "descriptors", test_descriptors }, { "loops", test_loops },
                  { "indirect", test_indirect }, { "index", test_index }, { "geometry", test_geometry },
                  { "life", test_life } };
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = { { "split", 0 }, { "split-event", VD_EVENT_IDX }, { "split-all", VD_EVENT_IDX | VD_INDIRECT },
                 { "packed", VD_PACKED }, { "packed-event", VD_PACKED | VD_EVENT_IDX },
                 { "packed-all", VD_PACKED | VD_EVENT_IDX | VD_INDIRECT },
                 { "split-in-order", VD_IN_ORDER }, { "packed-in-order", VD_IN_ORDER | VD_PACKED } };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(ways); k++) {
            char *path = g_strdup_printf("/virtq/%s/%s", tests[i].name, ways[k].name);
            g_test_add_data_func(path, GUINT_TO_POINTER(ways[k].flags), tests[i].fn);
            g_free(path);
        }
    return g_test_run();
}
