/* tests/hw/test_virtq_thread.c - queues that an iothread serves, while the driver works, the VM stops, goes on, is
 * reset and saved: nothing is lost, nothing comes twice. */
#include "tests/hw/vdriver.h"
#include "tests/hw/vtest.h"
#include "vmm/core/iothread.h"

enum { RAM = 16 << 20, BURSTS = 6000, PATIENCE_MS = 10000 };

/* Life events come from the main thread, without the lock. */
static void disturb(struct vd *d, GRand *rnd)
{
    struct vm *vm = d->b->vm;
    GError *err = NULL;

    switch (g_rand_int_range(rnd, 0, 40)) {
    case 0:
        vm_stop(vm, RUN_PAUSED);
        vm_cont(vm);
        break;
    case 1: {
        GByteArray *a = g_byte_array_new();
        vm_stop(vm, RUN_PAUSED);
        vm_lock(vm);
        device_save(d->dev, a);
        g_assert_true(device_load(d->dev, a->data, a->len, &err));
        vm_unlock(vm);
        vm_cont(vm);
        g_byte_array_unref(a);
        break;
    }
    case 2: /* a second notification of nothing; an interrupt by the line */
        vd_notify(d, 1);
        bench_run(d->b);
        break;
    default:
        break;
    }
}

static void *wait_for(struct vd *d, unsigned q)
{
    int64_t end = g_get_monotonic_time() + PATIENCE_MS * 1000;
    void *token;

    while (!(token = vd_get(d, q, NULL)) && g_get_monotonic_time() < end)
        g_thread_yield();
    return token;
}

static void test_work(gconstpointer data)
{
    static const struct iothread_config polling = { .poll_max_ns = 50000 };
    unsigned flags = GPOINTER_TO_UINT(data) & 0xff;
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_probe_class(b, &vtest_pci_class, "packed=on,in_order=on", flags);
    GRand *rnd = g_rand_new_with_seed((guint32) g_test_rand_int());
    GError *err = NULL;
    struct iothread *io = iothread_new(b->vm, "io", GPOINTER_TO_UINT(data) & 0x100 ? &polling : NULL, &err);
    static char tokens[64];

    g_assert_no_error(err);
    d->v->exec = &io->exec;
    vd_start(d, UINT64_MAX);
    uint64_t buf = vd_alloc(d, 65536, 4096);
    for (unsigned i = 0; i < BURSTS; i++) {
        unsigned n = (unsigned) g_rand_int_range(rnd, 1, 40), q = 1;
        for (unsigned k = 0; k < n; k++)
            g_assert_true(vd_add(d, q, &(struct vd_sg){ buf + 512 * k, 100 }, 0, 1, &tokens[k]));
        vd_kick(d, q);
        disturb(d, rnd);
        for (unsigned k = 0; k < n; k++) {
            void *got = wait_for(d, q);
            g_assert_true(got == &tokens[k]); /* this device has an order */
        }
        g_assert_null(vd_get(d, q, NULL));
        if (i % 100 == 99) { /* a reset in full flight */
            for (unsigned k = 0; k < n; k++)
                vd_add(d, q, &(struct vd_sg){ buf + 512 * k, 100 }, 0, 1, &tokens[k]);
            vd_kick(d, q);
            if (i % 200 == 99) {
                vm_lock(b->vm);
                vd_set_status(d, 0);
                vm_unlock(b->vm);
            } else {
                device_reset(d->dev);
                vd_place(d);
            }
            vd_start(d, UINT64_MAX);
        }
    }
    g_assert_false(vd_broken(d));
    struct device *dev = d->dev;
    vd_free(d);
    device_free(dev);
    iothread_free(io);
    g_rand_free(rnd);
    bench_free(b);
}

/* A frame came in: take what there is, and ask for more. */
static void take_all(void *opaque)
{
    struct virtq *q = opaque;
    struct virtq_buf *b;

    do
        while ((b = virtq_pop(q)))
            virtq_push(b, vtest_fill(b));
    while (virtq_notify_on(q));
    virtq_notify(q);
}

/* A queue that is emptied from elsewhere: after it was, handle_queue() is called for new buffers. */
static void test_receive(gconstpointer data)
{
    static const struct iothread_config polling = { .poll_max_ns = 50000 };
    unsigned flags = GPOINTER_TO_UINT(data) & 0xff;
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_probe_class(b, &vtest_pci_class, "packed=on", flags);
    struct vtest *t = vtest_of(d->dev);
    GError *err = NULL;
    struct iothread *io = iothread_new(b->vm, "io", GPOINTER_TO_UINT(data) & 0x100 ? &polling : NULL, &err);
    static char token;

    d->v->exec = &io->exec;
    t->manual = true;
    vd_start(d, UINT64_MAX);
    uint64_t buf = vd_alloc(d, 4096, 4096);
    for (unsigned i = 0; i < 1000; i++) {
        int64_t end = g_get_monotonic_time() + PATIENCE_MS * 1000;
        exec_call(&io->exec, take_all, &d->v->q[0]);
        if (i % 3 == 0)
            g_usleep(i % 100);
        unsigned calls = __atomic_load_n(&t->calls, __ATOMIC_SEQ_CST);
        g_assert_true(vd_add(d, 0, &(struct vd_sg){ buf, 100 }, 0, 1, &token));
        vd_kick(d, 0);
        while (__atomic_load_n(&t->calls, __ATOMIC_SEQ_CST) == calls && g_get_monotonic_time() < end)
            g_thread_yield();
        g_assert_cmpuint(__atomic_load_n(&t->calls, __ATOMIC_SEQ_CST), !=, calls);
        exec_call(&io->exec, take_all, &d->v->q[0]);
        g_assert_true(wait_for(d, 0) == &token);
    }
    struct device *dev = d->dev;
    vd_free(d);
    device_free(dev);
    iothread_free(io);
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = {
        { "split", 0 }, { "split-event", VD_EVENT_IDX }, { "packed", VD_PACKED },
        { "packed-event", VD_PACKED | VD_EVENT_IDX }, { "msix", VD_MSIX | VD_EVENT_IDX },
        { "poll-split", 0x100 }, { "poll-split-event", 0x100 | VD_EVENT_IDX }, { "poll-packed", 0x100 | VD_PACKED },
        { "poll-packed-event", 0x100 | VD_PACKED | VD_EVENT_IDX }, { "in-order", VD_IN_ORDER | VD_PACKED },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        char *path = g_strdup_printf("/virtq-thread/%s", ways[i].name);
        g_test_add_data_func(path, GUINT_TO_POINTER(ways[i].flags), test_work);
        g_free(path);
        if (ways[i].flags & VD_IN_ORDER)
            continue;
        path = g_strdup_printf("/virtq-thread/receive/%s", ways[i].name);
        g_test_add_data_func(path, GUINT_TO_POINTER(ways[i].flags), test_receive);
        g_free(path);
    }
    return g_test_run();
}
