/* tests/hw/test_virtio_blk_iothread.c - virtio-blk on a real drive in an iothread: contents, while the machine stops
 * and continues; requests that wait after an error and then succeed, or meet a reset, a load, the device's end. */
#include "tests/hw/vdriver.h"
#include "hw/catalog.h"
#include "hw/virtio/virtio_blk.h"
#include "tests/unit/blktest.h"
#include "vmm/core/iothread.h"

enum { DISK = 8 << 20, RAM = 16 << 20, N = 32, PIECE = 16384, BAD = 4096 /* sectors, and 256 from there */ };

struct fix {
    struct bench *b;
    struct vd *d;
    struct virtio_blk *s;
    struct blk *blk;
    char *dir, *img, *gate;
    uint64_t header, status, data;
};

static void setup(struct fix *f, gconstpointer mode)
{
    GError *err = NULL;

    f->b = bench_new(RAM);
    f->dir = scratch_new();
    f->img = make_image(f->dir, "disk.img", DISK);
    f->gate = g_build_filename(f->dir, "repaired", NULL);
    g_assert_nonnull(iothread_new(f->b->vm, "io0", NULL, &err));
    f->blk = add_drive(f->b->vm, "id=disk,format=raw,file=%s,x-inject=write:ENOSPC:%u-%u:%s,%s", f->img, BAD, BAD + 255,
                       f->gate, (const char *) mode);
    f->d = vd_probe(f->b, "virtio-blk-pci", "drive=disk,iothread=io0,packed=on", VD_EVENT_IDX | VD_INDIRECT);
    f->s = container_of(f->d->v, struct virtio_blk, v);
    g_assert_false(f->blk->exec->main);
    f->header = 0;
}

static void start(struct fix *f)
{
    vd_start(f->d, f->d->v->offered);
    f->header = vd_alloc(f->d, N * 16, 16);
    f->status = vd_alloc(f->d, N, 16);
    f->data = vd_alloc(f->d, N * PIECE, 4096);
}

static void teardown(struct fix *f, gconstpointer mode)
{
    (void) mode;
    vd_free(f->d);
    while (f->b->vm->devices->len)
        device_free(f->b->vm->devices->pdata[f->b->vm->devices->len - 1]);
    g_assert_true(f->blk->exec->main);
    drive_close_all(f->b->vm);
    iothread_free_all(f->b->vm);
    bench_free(f->b);
    g_free(f->img);
    g_free(f->gate);
    scratch_free(f->dir);
}

static void add(struct fix *f, unsigned i, uint32_t type, uint64_t sector)
{
    uint8_t *h = vd_ptr(f->d, f->header + 16 * i);
    struct vd_sg sg[3] = { { f->header + 16 * i, 16 }, { f->data + i * PIECE, PIECE }, { f->status + i, 1 } };

    st_le32(h, type);
    st_le64(h + 8, sector);
    *(uint8_t *) vd_ptr(f->d, f->status + i) = 0xee;
    g_assert_true(vd_add(f->d, 0, sg, type == VIRTIO_BLK_T_IN ? 1 : 2, type == VIRTIO_BLK_T_IN ? 2 : 1, h));
}

static void wait_for(struct fix *f, unsigned n)
{
    for (unsigned spins = 0; n && spins < 20000; spins++) {
        if (vd_wait(f->d, 0, NULL))
            n--;
        else
            g_usleep(500);
    }
    g_assert_cmpuint(n, ==, 0);
}

static void all_are(struct fix *f, uint8_t status)
{
    for (unsigned i = 0; i < N; i++)
        g_assert_cmpuint(*(uint8_t *) vd_ptr(f->d, f->status + i), ==, status);
}

static void test_contents(struct fix *f, gconstpointer mode)
{
    (void) mode;
    start(f);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t first = round % 2 ? 0 : 8192;
        memset(vd_ptr(f->d, f->data), (int) round + 1, N * PIECE);
        for (unsigned i = 0; i < N; i++)
            add(f, i, VIRTIO_BLK_T_OUT, first + (i * 7 % N) * (PIECE / 512));
        vd_kick(f->d, 0);
        if (round % 4 == 1) {
            vm_stop(f->b->vm, RUN_PAUSED);
            g_assert_cmpuint(f->s->in_flight, ==, 0);
            vm_cont(f->b->vm);
        }
        wait_for(f, N);
        all_are(f, VIRTIO_BLK_S_OK);
        memset(vd_ptr(f->d, f->data), 0, N * PIECE);
        for (unsigned i = 0; i < N; i++)
            add(f, i, VIRTIO_BLK_T_IN, first + i * (PIECE / 512));
        vd_kick(f->d, 0);
        wait_for(f, N);
        all_are(f, VIRTIO_BLK_S_OK);
        const uint8_t *p = vd_ptr(f->d, f->data);
        for (unsigned i = 0; i < N * PIECE; i++)
            g_assert_cmpuint(p[i], ==, round + 1);
    }
    g_assert_cmpuint(f->s->stats.merged, >, 0);
}

/* 8 of N requests touch what can't be written: neighbours, so that they are one. */
static void fill(struct fix *f)
{
    struct drive_info info;

    start(f);
    for (unsigned i = 0; i < N; i++)
        add(f, i, VIRTIO_BLK_T_OUT, i < 8 ? BAD + i * 32 : i * 32);
    vd_kick(f->d, 0);
    while (vm_running(f->b->vm))
        exec_iterate(&f->b->vm->main, true);
    g_assert_true(drive_query(f->blk, &info));
    g_assert_cmpuint(info.kept, >, 0);
    wait_for(f, N - 8);
    g_assert_cmpuint(f->s->in_flight, ==, info.kept);
}

static void test_kept(struct fix *f, gconstpointer mode)
{
    (void) mode;
    fill(f);
    g_assert_true(g_file_set_contents(f->gate, "", 0, NULL));
    g_assert_true(vm_cont(f->b->vm));
    wait_for(f, 8);
    all_are(f, VIRTIO_BLK_S_OK);
}

static void test_reset(struct fix *f, gconstpointer mode)
{
    (void) mode;
    fill(f);
    device_reset(f->d->dev);
    g_assert_cmpuint(f->s->in_flight, ==, 0);
    g_assert_true(vm_cont(f->b->vm));
    vd_place(f->d);
    start(f);
    for (unsigned i = 0; i < N; i++)
        add(f, i, VIRTIO_BLK_T_OUT, i * 32);
    vd_kick(f->d, 0);
    wait_for(f, N);
    all_are(f, VIRTIO_BLK_S_OK);
}

static void test_load(struct fix *f, gconstpointer mode)
{
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;

    (void) mode;
    fill(f);
    device_save(f->d->dev, a);
    g_assert_true(device_load(f->d->dev, a->data, a->len, &err));
    g_byte_array_unref(a);
    g_assert_cmpuint(f->s->in_flight, ==, 0);
    g_assert_true(vm_cont(f->b->vm));
}

static void test_end(struct fix *f, gconstpointer mode)
{
    (void) mode;
    fill(f);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(struct fix *f, gconstpointer mode);
    } tests[] = { { "contents", test_contents }, { "kept", test_kept }, { "reset", test_reset }, { "load", test_load },
                  { "end", test_end } };
    static const struct {
        const char *name, *opts;
    } ways[] = { { "threads", "aio=threads" }, { "native", "aio=native,cache=none" }, { "io_uring", "aio=io_uring" } };

    g_test_init(&argc, &argv, NULL);
    for (unsigned w = 0; w < G_N_ELEMENTS(ways); w++)
        for (unsigned t = 0; t < G_N_ELEMENTS(tests); t++) {
            char *name = g_strdup_printf("/virtio-blk/iothread/%s/%s", tests[t].name, ways[w].name);
            if (strcmp(ways[w].name, "io_uring") != 0 || have_uring())
                g_test_add(name, struct fix, ways[w].opts, setup, tests[t].fn, teardown);
            g_free(name);
        }
    return g_test_run();
}
