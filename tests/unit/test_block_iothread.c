/* tests/unit/test_block_iothread.c - drives that live in an iothread: requests, stop and continue, policies, what
 * the monitor asks for, while the main thread holds the VM lock or not. */
#include "tests/unit/blktest.h"
#include "vmm/core/iothread.h"

enum { SIZE = 8 << 20, N = 48, BUF = 16384 };

struct tio {
    struct blk_req req;
    struct iovec iov[2];
    struct fix *f;
    int err;
    bool again; /* submit once more from done */
};

struct fix {
    struct vm *vm;
    struct iothread *t;
    char *dir, *img, *gate;
    struct blk *blk;
    struct tio io[N];
    uint8_t *buf;
    unsigned done, failed; /* atomic */
    unsigned resized;      /* atomic */
};

static void setup(struct fix *f, gconstpointer mode)
{
    GError *err = NULL;

    f->vm = vm_new(NULL, NULL);
    f->t = iothread_new(f->vm, "io0", NULL, &err);
    g_assert_no_error(err);
    f->dir = scratch_new();
    f->img = make_image(f->dir, "disk.img", SIZE);
    f->gate = g_build_filename(f->dir, "repaired", NULL);
    f->buf = aligned_buf(BUF);
    if (mode) {
        char *opts = g_strdup_printf(mode, f->gate);
        f->blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", f->img, opts);
        g_free(opts);
        blk_set_exec(f->blk, &f->t->exec);
    }
    g_assert_true(vm_cont(f->vm));
}

static void teardown(struct fix *f, gconstpointer mode)
{
    (void) mode;
    if (f->blk)
        blk_set_exec(f->blk, &f->vm->main);
    vm_lock(f->vm);
    drive_close_all(f->vm);
    vm_unlock(f->vm);
    vm_free(f->vm);
    free(f->buf);
    g_free(f->img);
    g_free(f->gate);
    scratch_free(f->dir);
}

static void io_done_there(struct blk_req *req, int err)
{
    struct tio *io = req->opaque;
    struct fix *f = io->f;

    g_assert_true(g_thread_self() == f->t->thread);
    g_assert_false(vmlock_held(&f->vm->lock));
    io->err = err;
    if (io->again && !err) {
        io->again = false;
        blk_submit(f->blk, req);
        return;
    }
    if (err)
        __atomic_fetch_add(&f->failed, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&f->done, 1, __ATOMIC_RELEASE);
}

static void submit_all(void *opaque)
{
    struct fix *f = opaque;

    blk_plug(f->blk);
    for (unsigned i = 0; i < N; i++) {
        struct tio *io = &f->io[i];
        io->f = f;
        io->again = i % 3 == 0;
        io->iov[0] = (struct iovec){ f->buf, BUF };
        io->req = (struct blk_req){ .op = i % 4 ? BLK_WRITE : BLK_READ, .off = (uint64_t) i * BUF, .len = BUF,
                                    .iov = io->iov, .niov = 1, .done = io_done_there, .opaque = io };
        if (i == N - 1)
            io->req = (struct blk_req){ .op = BLK_FLUSH, .done = io_done_there, .opaque = io };
        blk_submit(f->blk, &io->req);
    }
    blk_unplug(f->blk);
}

static unsigned n_done(const struct fix *f)
{
    return __atomic_load_n(&f->done, __ATOMIC_ACQUIRE);
}

static void wait_done(struct fix *f, unsigned n)
{
    for (unsigned i = 0; i < 10000 && n_done(f) < n; i++)
        g_usleep(1000);
    g_assert_cmpuint(n_done(f), ==, n);
}

/* Stopping waits for what is in flight, with the lock held by others now and then. */
static void test_stop(struct fix *f, gconstpointer mode)
{
    (void) mode;
    for (unsigned round = 0; round < 30; round++) {
        f->done = 0;
        vm_lock(f->vm);
        exec_call(&f->t->exec, submit_all, f);
        if (round % 3 == 0)
            blk_drain(f->blk); /* as a vCPU does, for a reset */
        vm_unlock(f->vm);
        if (round % 3 == 1)
            blk_settle(f->blk);
        if (round % 3 == 2)
            vm_stop(f->vm, RUN_PAUSED);
        g_assert_cmpuint(n_done(f), ==, N);
        g_assert_true(vm_cont(f->vm));
    }
    f->done = 0;
    exec_call(&f->t->exec, submit_all, f);
    wait_done(f, N); /* by its own loop */
    g_assert_cmpuint(f->failed, ==, 0);
    blk_set_exec(f->blk, &f->vm->main); /* and back: nothing may be left of it there */
    blk_set_exec(f->blk, &f->t->exec);
    uint8_t x[512];
    g_assert_cmpint(blk_read_sync(f->blk, 0, x, sizeof x), ==, 0);
}

static void until_stopped(struct vm *vm)
{
    while (vm_running(vm))
        exec_iterate(&vm->main, true);
    g_assert_cmpint(vm->state, ==, RUN_IO_ERROR);
}

/* An iothread asks the main loop to stop, keeps what failed, and tries it again. */
static void test_kept(struct fix *f, gconstpointer mode)
{
    struct drive_info info;

    (void) mode;
    exec_call(&f->t->exec, submit_all, f);
    until_stopped(f->vm);
    g_assert_true(drive_query(f->blk, &info));
    g_assert_cmpstr(info.io_status, ==, "nospace");
    g_assert_cmpuint(info.kept, >, 0);
    g_assert_cmpuint(n_done(f), ==, N - info.kept);
    unsigned kept = info.kept;
    g_assert_true(vm_cont(f->vm));
    until_stopped(f->vm);
    g_assert_true(drive_query(f->blk, &info));
    g_assert_cmpuint(info.kept, ==, kept);
    g_assert_true(g_file_set_contents(f->gate, "", 0, NULL));
    g_assert_true(vm_cont(f->vm));
    wait_done(f, N);
    g_assert_cmpuint(f->failed, ==, 0);
    /* The reset of the device ends them. */
    g_unlink(f->gate);
    f->done = 0;
    exec_call(&f->t->exec, submit_all, f);
    until_stopped(f->vm);
    blk_settle(f->blk);
    g_assert_cmpuint(n_done(f), ==, N - kept);
    blk_drain(f->blk);
    g_assert_cmpuint(n_done(f), ==, N);
    g_assert_cmpuint(f->failed, ==, kept);
}

static void resized(void *opaque)
{
    struct fix *f = opaque;

    g_assert_true(g_thread_self() != f->t->thread); /* but the one that asked */
    __atomic_fetch_add(&f->resized, 1, __ATOMIC_RELEASE);
}

static void test_monitor(struct fix *f, gconstpointer mode)
{
    static const struct blk_dev_ops ops = { .resized = resized };
    struct device dev = { .name = "dev" };
    struct drive_info info;
    GError *err = NULL;

    (void) mode;
    g_assert_true(blk_attach(f->blk, &dev, &ops, f, &err));
    for (unsigned i = 1; i <= 10; i++) {
        f->done = 0;
        vm_lock(f->vm);
        exec_call(&f->t->exec, submit_all, f);
        g_assert_true(drive_resize(f->blk, SIZE + i * 4096, &err));
        g_assert_no_error(err);
        g_assert_true(drive_query(f->blk, &info));
        vm_unlock(f->vm);
        g_assert_cmpuint(f->resized, ==, i);
        g_assert_cmpuint(f->blk->size, ==, SIZE + i * 4096);
        wait_done(f, N);
    }
    g_assert_false(drive_eject(f->blk, true, &err));
    g_assert_cmpstr(err->message, ==, "drive 'd' is not removable");
    g_clear_error(&err);
    blk_detach(f->blk);
    g_assert_true(f->blk->exec == &f->vm->main);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/block/iothread/stop/threads", struct fix, "serial=%.1s", setup, test_stop, teardown);
    g_test_add("/block/iothread/stop/native", struct fix, "cache=none,aio=native,serial=%.1s", setup, test_stop,
               teardown);
    g_test_add("/block/iothread/kept/threads", struct fix, "x-inject=write:ENOSPC:100-900:%s", setup, test_kept,
               teardown);
    g_test_add("/block/iothread/kept/native", struct fix, "cache=none,aio=native,x-inject=write:ENOSPC:100-900:%s",
               setup, test_kept, teardown);
    g_test_add("/block/iothread/monitor", struct fix, "cache=none,aio=native,serial=%.1s", setup, test_monitor,
               teardown);
    return g_test_run();
}
