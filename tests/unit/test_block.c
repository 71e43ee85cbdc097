/* tests/unit/test_block.c - drives: data by every engine and cache mode, order, draining, snapshots, opening.
 */
#include "tests/unit/blkhammer.h"
#include "vmm/block/drive_int.h"
#include "vmm/block/file.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fix {
    struct vm *vm;
    char *dir;
};

static void setup(struct fix *f, gconstpointer data)
{
    (void) data;
    f->vm = vm_new(NULL, NULL);
    f->dir = scratch_new();
}

static void teardown(struct fix *f, gconstpointer data)
{
    (void) data;
    vm_lock(f->vm);
    drive_close_all(f->vm);
    vm_unlock(f->vm);
    g_assert_null(f->vm->blk_pool);
    vm_free(f->vm);
    scratch_free(f->dir);
}

/* --- data -------------------------------------------------------------------------------------- */

static void compare_file(const char *path, const uint8_t *model, size_t size)
{
    char *data;
    gsize len;

    g_assert_true(g_file_get_contents(path, &data, &len, NULL));
    g_assert_cmpuint(len, ==, size);
    g_assert_cmpint(memcmp(data, model, size), ==, 0);
    g_free(data);
}

static void test_data(struct fix *f, gconstpointer mode)
{
    char *img = make_image(f->dir, "disk.img", DISK);
    uint8_t *model = g_malloc0(DISK);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);

    g_assert_null(g_strrstr(mode, "writethrough") && blk->write_cache ? "" : NULL);
    g_assert_cmpuint(blk->size, ==, DISK);
    hammer(blk, model, DISK, 400, false);
    hammer(blk, model, DISK, 200, true);
    close_drive(blk);
    compare_file(img, model, DISK);
    g_free(model);
    g_free(img);
}

static void test_no_threads_at_start(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *img = make_image(f->dir, "disk.img", DISK);
    struct blk *blk = add_drive(f->vm, "file=%s,format=raw", img);
    uint8_t buf[512];

    g_assert_cmpuint(blk_pool_threads(f->vm->blk_pool), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, buf, 512), ==, 0);
    g_assert_cmpuint(blk_pool_threads(f->vm->blk_pool), ==, 1);
    g_free(img);
}

/* A disk of 4096-byte sectors on one of 512: the file layer is told so, and then every guest write of 512
 * bytes is a read-modify-write that may share its block with others in flight. */
static void test_big_sectors(struct fix *f, gconstpointer mode)
{
    enum { SMALL = 96 * 1024 + 1536 }; /* no multiple of 4096: the last block reaches over the end */
    char *img = make_image(f->dir, "disk.img", SMALL);
    uint8_t *model = g_malloc0(SMALL);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);
    struct file *file = (struct file *) as_drive(blk)->root->child[0];

    file->align = file->mem_align = 4096;
    hammer(blk, model, SMALL, 600, false);
    g_assert_null(file->writes);
    g_assert_null(file->wait);
    g_assert_cmpuint(file->exclusive, ==, 0);
    close_drive(blk);
    compare_file(img, model, SMALL); /* nor has the file grown */
    g_free(model);
    g_free(img);
}

/* A size that is no multiple of 512: the last sector is whole for the guest, its rest reads as zeros, and
 * writing it makes the file that long. */
static void test_odd_size(struct fix *f, gconstpointer mode)
{
    char *img = make_image(f->dir, "disk.img", 10000);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);
    uint8_t buf[1024] = { 1 };
    struct stat st;

    g_assert_cmpuint(blk->size, ==, 10240);
    memset(buf, 0xaa, sizeof buf);
    g_assert_cmpint(do_io(blk, BLK_READ, 9216, buf, 1024), ==, 0);
    for (int i = 0; i < 1024; i++)
        g_assert_cmpint(buf[i], ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 10240, buf, 512), ==, EINVAL);
    g_assert_cmpint(do_io(blk, BLK_READ, 9728, buf, 1024), ==, EINVAL);
    g_assert_cmpint(do_io(blk, BLK_READ, UINT64_MAX - 511, buf, 1024), ==, EINVAL);
    memset(buf, 0x55, sizeof buf);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 9728, buf, 512), ==, 0);
    g_assert_cmpint(stat(img, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 10240);
    g_assert_cmpint(do_io(blk, BLK_READ, 9216, buf + 0, 1024), ==, 0);
    g_assert_true(buf[511] == 0 && buf[512] == 0x55 && buf[1023] == 0x55);
    g_free(img);
}

static void test_truncated(struct fix *f, gconstpointer mode)
{
    char *img = make_image(f->dir, "disk.img", 1 << 20);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);
    uint8_t *buf = g_malloc(65536);

    g_assert_cmpint(truncate(img, 300 * 1024), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 200 * 1024, buf, 65536), ==, 0);
    /* and no zeros for what was there */
    g_assert_cmpint(do_io(blk, BLK_READ, 512 * 1024, buf, 65536), ==, EIO);
    g_assert_cmpint(do_io(blk, BLK_READ, 296 * 1024, buf, 65536), ==, EIO);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 900 * 1024, buf, 65536), ==, 0); /* grows it again */
    g_assert_cmpint(do_io(blk, BLK_READ, 512 * 1024, buf, 65536), ==, 0);
    g_free(buf);
    g_free(img);
}

/* --- discard and zeros ------------------------------------------------------------------------- */

static uint64_t allocated(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return (uint64_t) st.st_blocks * 512;
}

static void test_discard(struct fix *f, gconstpointer mode)
{
    char *img = make_image(f->dir, "disk.img", 1 << 20);
    uint8_t *buf = g_malloc(1 << 20);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,discard=unmap,%s", img, (const char *) mode);

    memset(buf, 7, 1 << 20);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 0, buf, 1 << 20), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
    uint64_t before = allocated(img);
    g_assert_cmpint(do_io(blk, BLK_DISCARD, 256 * 1024, NULL, 512 * 1024), ==, 0);
    g_assert_cmpuint(allocated(img), <=, before - 256 * 1024);
    g_assert_cmpint(do_io(blk, BLK_WRITE_ZEROES, 512, NULL, 9 * 512), ==, 0);
    struct io io = { .req = { .op = BLK_WRITE_ZEROES, .flags = BLK_MAY_UNMAP, .off = 800 * 1024, .len = 65536,
                              .done = io_done, .opaque = &io } };
    blk_submit(blk, &io.req);
    g_assert_cmpint(io_wait(blk, &io), ==, 0);
    memset(buf, 1, 1 << 20);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, buf, 1 << 20), ==, 0);
    for (unsigned i = 0; i < 1 << 20; i++) {
        bool zero = (i >= 512 && i < 5120) || (i >= 256 * 1024 && i < 768 * 1024) ||
                    (i >= 800 * 1024 && i < 864 * 1024);
        g_assert_cmpint(buf[i], ==, zero ? 0 : 7);
    }
    g_assert_cmpint(do_io(blk, BLK_DISCARD, 1 << 20, NULL, 512), ==, EINVAL);
    close_drive(blk);

    blk = add_drive(f->vm, "id=d,format=raw,file=%s", img); /* discard=ignore */
    before = allocated(img);
    g_assert_cmpint(do_io(blk, BLK_DISCARD, 0, NULL, 256 * 1024), ==, 0);
    g_assert_cmpuint(allocated(img), ==, before);
    g_free(buf);
    g_free(img);
}

/* --- draining ---------------------------------------------------------------------------------- */

struct drainer {
    struct blk *blk;
    struct io *io;
    unsigned n;
};

static void *drain_thread(void *opaque)
{
    struct drainer *d = opaque;

    /* as a vCPU does on a device's reset, while the main loop waits for the lock */
    vm_lock(d->blk->vm);
    for (unsigned i = 0; i < d->n; i++)
        blk_submit(d->blk, &d->io[i].req);
    blk_drain(d->blk);
    for (unsigned i = 0; i < d->n; i++)
        g_assert_true(d->io[i].done && d->io[i].err == 0);
    vm_unlock(d->blk->vm);
    g_main_context_wakeup(d->blk->exec->ctx);
    return d;
}

static void test_drain(struct fix *f, gconstpointer mode)
{
    enum { N = 24 };
    char *img = make_image(f->dir, "disk.img", 8 << 20);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);
    uint8_t *buf = aligned_buf(65536);

    memset(buf, 1, 65536);
    for (int round = 0; round < 20; round++) {
        struct io io[N] = { 0 };
        struct drainer d = { blk, io, N };
        for (unsigned i = 0; i < N; i++) {
            io[i].iov[0] = (struct iovec){ buf + (i % 3 ? 0 : 512), 32768 };
            io[i].req = (struct blk_req){ .op = BLK_WRITE,
                                          .off = i * 65536,
                                          .len = 32768,
                                          .iov = io[i].iov,
                                          .niov = 1,
                                          .done = io_done,
                                          .opaque = &io[i] };
        }
        GThread *t = g_thread_new("vcpu", drain_thread, &d);
        while (exec_iterate(&f->vm->main, false) || !io[N - 1].done)
            g_usleep(rnd(200));
        g_assert_true(g_thread_join(t) == &d);
    }
    free(buf);
    g_free(img);
}

struct chain {
    struct blk_req req;
    struct iovec iov;
    struct blk *blk;
    unsigned left, depth;
    bool nested;
    struct io *other;
};

static void chain_done(struct blk_req *req, int err)
{
    struct chain *c = req->opaque;

    g_assert_cmpint(err, ==, 0);
    g_assert_cmpuint(c->depth, ==, 0); /* never out of blk_submit */
    if (c->nested && c->left == 3) {   /* a completion that resets a device on the same drive */
        blk_drain(c->blk);
        g_assert_true(c->other->done);
    }
    if (c->left--) {
        c->depth++;
        blk_submit(c->blk, &c->req);
        c->depth--;
    }
}

static void test_drain_chain(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *img = make_image(f->dir, "disk.img", 1 << 20);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,cache=none,aio=native", img);
    uint8_t *buf = aligned_buf(4096);

    struct io other;
    struct chain c = { .blk = blk, .left = 10, .iov = { buf, 4096 }, .nested = true, .other = &other };
    c.req = (struct blk_req){
        .op = BLK_READ, .len = 4096, .iov = &c.iov, .niov = 1, .done = chain_done, .opaque = &c
    };
    uint8_t x[512];
    io_submit_op(blk, &other, BLK_READ, 0, x, 512);
    vm_lock(f->vm);
    blk_submit(blk, &c.req);
    blk_drain(blk); /* a done that submits again is drained as well */
    vm_unlock(f->vm);
    g_assert_cmpuint(c.left, ==, UINT_MAX);
    g_assert_false(c.req.busy);
    free(buf);
    g_free(img);
}

static void test_sync_read(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *img = make_image(f->dir, "disk.img", 1 << 20);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s", img);
    uint8_t x[1024];

    memset(x, 3, sizeof x);
    g_assert_cmpint(blk_read_sync(blk, 512, x, 1024), ==, 0);
    g_assert_true(x[0] == 0 && x[1023] == 0);
    g_assert_cmpint(blk_read_sync(blk, 1 << 20, x, 512), ==, EINVAL);
    g_free(img);
}

/* In an iothread, with every engine: it moves along, is used from there, and the machine stops and goes on. */
struct busy {
    struct blk *blk;
    uint8_t *model;
    size_t size;
    bool done;
};

static void *busy_thread(void *opaque)
{
    struct busy *b = opaque;

    hammer(b->blk, b->model, b->size, 1500, false);
    __atomic_store_n(&b->done, true, __ATOMIC_RELEASE);
    while (__atomic_load_n(&b->done, __ATOMIC_ACQUIRE))
        exec_iterate(b->blk->exec, true);
    return NULL;
}

static void wake(void *unused)
{
    (void) unused;
}

static void test_iothread_busy(struct fix *f, gconstpointer mode)
{
    char *img = make_image(f->dir, "disk.img", DISK);
    struct busy b = { .model = g_malloc0(DISK), .size = DISK };
    struct drive_info info;
    struct exec e;

    b.blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);
    hammer(b.blk, b.model, DISK, 50, false);
    exec_init(&e, f->vm, "iothread0", false);
    blk_set_exec(b.blk, &e);
    g_assert_true(drive_query(b.blk, &info));
    const char *want = strstr(mode, "aio=") ? strstr(mode, "aio=") + 4 : have_uring() ? "io_uring" : "threads";
    g_assert_cmpstr(info.aio, ==, want);
    GThread *t = g_thread_new("iothread", busy_thread, &b);
    e.thread = t;
    while (!__atomic_load_n(&b.done, __ATOMIC_ACQUIRE)) {
        g_assert_true(vm_cont(f->vm));
        g_usleep(rnd(3000));
        vm_stop(f->vm, RUN_PAUSED);
    }
    __atomic_store_n(&b.done, false, __ATOMIC_RELEASE);
    exec_post(&e, wake, NULL);
    g_thread_join(t);
    e.thread = NULL;
    blk_set_exec(b.blk, &f->vm->main);
    exec_clear(&e);
    hammer(b.blk, b.model, DISK, 50, false);
    close_drive(b.blk);
    compare_file(img, b.model, DISK);
    g_free(b.model);
    g_free(img);
}

/* Completions are seen without a system call (but for the workers' and the kernel's own). */
static void test_poll(struct fix *f, gconstpointer mode)
{
    char *img = make_image(f->dir, "disk.img", 1 << 20);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);
    struct bctx *c = &as_drive(blk)->ctx;
    uint8_t *buf = aligned_buf(4096);
    struct exec e;

    exec_init(&e, f->vm, "iothread0", false);
    blk_set_exec(blk, &e);
    for (int i = 0; i < 200; i++) {
        struct io io;
        memset(buf, i, 4096);
        io_submit_op(blk, &io, BLK_WRITE, (uint64_t) i * 4096, buf, 4096);
        while (!io.done)
            if (bctx_poll(c))
                bctx_reap(c);
        memset(buf, 255, 4096);
        io_submit_op(blk, &io, BLK_READ, (uint64_t) i * 4096, buf, 4096);
        while (!io.done)
            if (bctx_poll(c))
                bctx_reap(c);
        g_assert_true(buf[0] == i && buf[4095] == i);
        g_assert_false(bctx_poll(c));
    }
    blk_set_exec(blk, &f->vm->main);
    exec_clear(&e);
    free(buf);
    g_free(img);
}

/* --- snapshot ---------------------------------------------------------------------------------- */

static void test_snapshot(struct fix *f, gconstpointer mode)
{
    enum { BASE = 1 << 20 };
    char *img = make_image(f->dir, "disk.img", BASE);
    uint8_t *model = g_malloc(BASE), *orig;

    for (unsigned i = 0; i < BASE; i++)
        model[i] = (uint8_t) (i / 512 + 1);
    g_assert_true(g_file_set_contents(img, (char *) model, BASE, NULL));
    g_assert_cmpint(g_chmod(img, 0444), ==, 0);
    orig = g_memdup2(model, BASE);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,snapshot=on,%s", img, (const char *) mode);
    g_assert_false(blk->read_only);
    hammer(blk, model, BASE, 500, false);
    g_assert_cmpint(do_io(blk, BLK_WRITE_ZEROES, 4096, NULL, 65536), ==, 0);
    memset(model + 4096, 0, 65536);
    hammer(blk, model, BASE, 100, false);
    /* larger than its image, and smaller */
    GError *err = NULL;
    g_assert_true(drive_resize(blk, BASE + 65536, &err));
    uint8_t *all = g_malloc(BASE + 65536);
    memset(all, 1, BASE + 65536);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, all, BASE + 65536), ==, 0);
    g_assert_cmpint(memcmp(all, model, BASE), ==, 0);
    for (unsigned i = BASE; i < BASE + 65536; i++)
        g_assert_cmpint(all[i], ==, 0);
    g_assert_true(drive_resize(blk, 512 * 1024, &err));
    g_assert_true(drive_resize(blk, BASE, &err));
    g_assert_cmpint(do_io(blk, BLK_READ, 0, all, BASE), ==, 0);
    g_assert_cmpint(memcmp(all, model, 512 * 1024), ==, 0);
    g_assert_true(all[512 * 1024] == 0 && all[BASE - 1] == 0);
    close_drive(blk);
    compare_file(img, orig, BASE);
    g_free(all);
    g_free(orig);
    g_free(model);
    g_free(img);
}

static void add(const char *name, const char *mode, void (*fn)(struct fix *f, gconstpointer mode))
{
    char *path = g_strdup_printf("/block/%s/%s", name, mode);

    if (have_uring() || !strstr(mode, "aio=io_uring"))
        g_test_add(path, struct fix, mode, setup, fn, teardown);
    else
        g_test_message("%s: io_uring does not work here", path);
    g_free(path);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {
        "cache=writeback", "cache=none", "cache=none,aio=native", "cache=none,aio=threads", "cache=writethrough",
        "cache=directsync", "cache=directsync,aio=native", "cache=unsafe", "cache=writeback,aio=io_uring",
        "cache=none,aio=io_uring", "cache=writethrough,aio=io_uring", "cache=directsync,aio=io_uring",
        "cache=writeback,snapshot=off,detect-zeroes=on", NULL
    };
    static const char *const each[] = { "cache=writeback,aio=threads", "cache=none,aio=threads",
                                        "cache=none,aio=native", "cache=writeback,aio=io_uring",
                                        "cache=none,aio=io_uring", NULL };

    g_test_init(&argc, &argv, NULL);
    for (int i = 0; modes[i]; i++)
        add("data", modes[i], test_data);
    add("big-sectors", "cache=directsync,aio=native", test_big_sectors);
    for (int i = 0; each[i]; i++) {
        if (strstr(each[i], "none"))
            add("big-sectors", each[i], test_big_sectors);
        add("odd-size", each[i], test_odd_size);
        add("truncated", each[i], test_truncated);
        add("discard", each[i], test_discard);
        add("drain", each[i], test_drain);
        add("iothread-busy", each[i], test_iothread_busy);
        add("poll", each[i], test_poll);
        add("snapshot", each[i], test_snapshot);
    }
    add("iothread-busy", "cache=writeback", test_iothread_busy);
    g_test_add("/block/drain-chain", struct fix, NULL, setup, test_drain_chain, teardown);
    g_test_add("/block/sync-read", struct fix, NULL, setup, test_sync_read, teardown);
    g_test_add("/block/lazy-threads", struct fix, NULL, setup, test_no_threads_at_start, teardown);
    return g_test_run();
}
