/* tests/unit/test_block_error.c - werror= and rerror=: requests that fail, wait, are tried again, or are
 * given up. */
#include "tests/unit/blktest.h"
#include "vmm/block/drive_int.h"
#include "vmm/block/file.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct fix {
    struct vm *vm;
    char *dir, *img, *gate;
    uint8_t x[8192];
};

static void setup(struct fix *f, gconstpointer data)
{
    (void) data;
    f->vm = vm_new(NULL, NULL);
    f->dir = scratch_new();
    f->img = make_image(f->dir, "disk.img", 1 << 20);
    f->gate = g_build_filename(f->dir, "repaired", NULL);
    memset(f->x, 0x5a, sizeof f->x);
    g_assert_true(vm_cont(f->vm));
}

static void teardown(struct fix *f, gconstpointer data)
{
    (void) data;
    vm_lock(f->vm);
    drive_close_all(f->vm);
    vm_unlock(f->vm);
    vm_free(f->vm);
    g_free(f->img);
    g_free(f->gate);
    scratch_free(f->dir);
}

static void until_stopped(struct vm *vm)
{
    while (vm_running(vm))
        exec_iterate(&vm->main, true);
    g_assert_cmpint(vm->state, ==, RUN_IO_ERROR);
}

static struct drive_info query(struct blk *blk)
{
    struct drive_info info;

    g_assert_true(drive_query(blk, &info));
    return info;
}

static void repair(struct fix *f)
{
    g_assert_true(g_file_set_contents(f->gate, "", 0, NULL));
}

/* The default: no space stops the machine, the request waits, and is done when there is room again. */
static void test_enospc(struct fix *f, gconstpointer policy)
{
    enum { N = 8 };
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,x-inject=write:ENOSPC:100-900:%s%s", f->img,
                                f->gate, (const char *) policy);
    struct io io[N], other;

    for (int i = 0; i < N; i++)
        io_submit_op(blk, &io[i], BLK_WRITE, (uint64_t) (120 + i * 16) * 512, f->x, 8192);
    io_submit_op(blk, &other, BLK_WRITE, 0, f->x, 512);
    g_assert_cmpint(io_wait(blk, &other), ==, 0); /* the others go on */
    until_stopped(f->vm);
    struct drive_info info = query(blk);
    g_assert_cmpstr(info.io_status, ==, "nospace");
    g_assert_cmpuint(info.kept, ==, N);
    for (int i = 0; i < N; i++)
        g_assert_true(!io[i].done && io[i].req.busy);
    g_assert_true(vm_cont(f->vm)); /* too early */
    until_stopped(f->vm);
    g_assert_cmpuint(query(blk).kept, ==, N);
    repair(f);
    g_assert_true(vm_cont(f->vm));
    for (int i = 0; i < N; i++)
        g_assert_cmpint(io_wait(blk, &io[i]), ==, 0);
    g_assert_true(vm_running(f->vm));
    g_assert_cmpstr(query(blk).io_status, ==, "ok");
    uint8_t back[8192];
    for (int i = 0; i < N; i++) {
        g_assert_cmpint(do_io(blk, BLK_READ, (uint64_t) (120 + i * 16) * 512, back, 8192), ==, 0);
        g_assert_cmpmem(back, 8192, f->x, 8192);
    }
}

static void test_report(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct blk *blk =
        add_drive(f->vm, "id=d,format=raw,file=%s,x-inject=any:EIO:8-15+flush:EIO:*:%s", f->img, f->gate);

    g_assert_cmpint(do_io(blk, BLK_WRITE, 4096, f->x, 512), ==, EIO); /* EIO is no ENOSPC */
    g_assert_cmpint(do_io(blk, BLK_READ, 7680, f->x, 512), ==, EIO);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, f->x, 8192), ==, EIO);
    g_assert_cmpint(do_io(blk, BLK_READ, 8192, f->x, 512), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, EIO);
    repair(f);
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, EIO); /* the first rule's `any` still holds */
    g_assert_true(vm_running(f->vm));
    g_assert_true(blk->failed[0] == 2 && blk->failed[1] == 1 && blk->failed[2] == 2 && blk->ops_done[0] == 1);
    close_drive(blk);
    blk = add_drive(f->vm, "id=d,format=raw,file=%s,werror=report,x-inject=write:ENOSPC", f->img);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 4096, f->x, 512), ==, ENOSPC);
    g_assert_cmpint(do_io(blk, BLK_WRITE_ZEROES, 4096, NULL, 512), ==, ENOSPC);
    close_drive(blk);
    blk = add_drive(f->vm, "id=d,format=raw,file=%s,werror=ignore,rerror=ignore,x-inject=any:EIO", f->img);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 4096, f->x, 512), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 4096, f->x, 512), ==, 0);
    /* the device's own mistakes are told */
    g_assert_cmpint(do_io(blk, BLK_READ, 1 << 20, f->x, 512), ==, EINVAL);
}

static void test_stop(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct blk *blk = add_drive(
        f->vm, "id=d,format=raw,file=%s,werror=stop,rerror=stop,x-inject=any:EIO:*:%s", f->img, f->gate);
    struct io rd, fl;

    io_submit_op(blk, &rd, BLK_READ, 0, f->x, 512);
    io_submit_op(blk, &fl, BLK_FLUSH, 0, NULL, 0);
    until_stopped(f->vm);
    g_assert_cmpstr(query(blk).io_status, ==, "failed");
    g_assert_cmpuint(query(blk).kept, ==, 2);
    repair(f);
    g_assert_true(vm_cont(f->vm));
    g_assert_cmpint(io_wait(blk, &rd), ==, 0);
    g_assert_cmpint(io_wait(blk, &fl), ==, 0);
}

/* system_reset while the VM stands: the device gives its requests up and must get them back. */
static void test_reset(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,x-inject=write:ENOSPC", f->img);
    struct io io;

    io_submit_op(blk, &io, BLK_WRITE, 0, f->x, 512);
    until_stopped(f->vm);
    vm_lock(f->vm);
    blk_drain(blk);
    vm_unlock(f->vm);
    g_assert_true(io.done && io.err == ENOSPC);
    g_assert_cmpuint(query(blk).kept, ==, 0);
    g_assert_true(vm_cont(f->vm));
    io_submit_op(blk, &io, BLK_WRITE, 0, f->x, 512); /* and once more: closing ends it too */
    until_stopped(f->vm);
    close_drive(blk);
    g_assert_true(io.done && io.err == ENOSPC);
}

static void test_fsize(struct fix *f, gconstpointer mode)
{
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", f->img, (const char *) mode);
    struct rlimit old, small;
    struct io io;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
    small = old;
    small.rlim_cur = 512 * 1024;
    void *buf = NULL;
    g_assert_cmpint(posix_memalign(&buf, 4096, 65536), ==, 0);
    memset(buf, 0x77, 65536);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 400 * 1024, buf, 65536), ==, 0);
    io_submit_op(blk, &io, BLK_WRITE, 500 * 1024, buf, 65536); /* across the limit: a short write first */
    until_stopped(f->vm);
    g_assert_cmpstr(query(blk).io_status, ==, "nospace");
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
    g_assert_true(vm_cont(f->vm));
    g_assert_cmpint(io_wait(blk, &io), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 500 * 1024, buf, 65536), ==, 0);
    for (int i = 0; i < 65536; i++)
        g_assert_cmpint(((uint8_t *) buf)[i], ==, 0x77);
    free(buf);
}

/* A file system that is really full. */
static void test_full_disk(struct fix *f, gconstpointer unused)
{
    (void) unused;
    pid_t pid = fork();

    if (!pid) {
        struct vm *vm = vm_new(NULL, NULL);
        struct io io;
        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("none", f->dir, "tmpfs", 0, "size=1m"))
            _exit(77);
        char *img = make_image(f->dir, "disk.img", 4 << 20), *filler = make_image(f->dir, "filler", 0);
        uint8_t *buf = g_malloc(512 * 1024);
        memset(buf, 1, 512 * 1024);
        g_assert_true(g_file_set_contents(filler, (char *) buf, 512 * 1024, NULL));
        struct blk *blk = add_drive(vm, "id=d,format=raw,file=%s", img);
        g_assert_true(vm_cont(vm));
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, buf, 256 * 1024), ==, 0);
        io_submit_op(blk, &io, BLK_WRITE, 1 << 20, buf, 512 * 1024);
        until_stopped(vm);
        g_assert_cmpstr(query(blk).io_status, ==, "nospace");
        g_assert_false(io.done);
        g_remove(filler);
        g_assert_true(vm_cont(vm));
        g_assert_cmpint(io_wait(blk, &io), ==, 0);
        memset(buf, 0, 512 * 1024);
        g_assert_cmpint(do_io(blk, BLK_READ, 1 << 20, buf, 512 * 1024), ==, 0);
        g_assert_true(buf[0] == 1 && buf[512 * 1024 - 1] == 1);
        close_drive(blk);
        g_free(buf);
        g_free(filler);
        g_free(img);
        vm_free(vm);
        _exit(0);
    }
    int st;
    g_assert_cmpint(waitpid(pid, &st, 0), ==, pid);
    if (WIFEXITED(st) && WEXITSTATUS(st) == 77)
        g_test_skip("cannot mount a small file system here");
    else
        g_assert_cmpint(st, ==, 0);
}

/* A failed fdatasync of cached pages is for good: a second one would lie. */
static void test_lost_pages(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s", f->img);
    struct file *file = (struct file *) as_drive(blk)->root->child[0];

    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
    file->lost_errno = EIO;
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, EIO);
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, EIO);
    file->lost_errno = 0;
}

static unsigned flushes(const char *log)
{
    char *data;
    gsize len;
    unsigned n = 0;

    g_assert_true(g_file_get_contents(log, &data, &len, NULL));
    for (gsize i = 0; i + 8 <= len; i++)
        n += !memcmp(data + i, "BTUC\3\0\0\0", 8);
    g_free(data);
    return n;
}

/* Stopping the machine drains and flushes. */
static void test_stop_flushes(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *log = g_build_filename(f->dir, "log", NULL);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,x-cut-log=%s", f->img, log);
    struct io io[8];

    for (int i = 0; i < 8; i++)
        io_submit_op(blk, &io[i], BLK_WRITE, (uint64_t) i * 8192, f->x, 8192);
    vm_stop(f->vm, RUN_PAUSED);
    for (int i = 0; i < 8; i++)
        g_assert_true(io[i].done && !io[i].err);
    g_assert_cmpuint(flushes(log), ==, 1);
    g_free(log);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/block/error/enospc", struct fix, "", setup, test_enospc, teardown);
    g_test_add("/block/error/enospc-stop", struct fix, ",werror=stop", setup, test_enospc, teardown);
    g_test_add("/block/error/enospc-snapshot", struct fix, ",snapshot=on", setup, test_enospc, teardown);
    g_test_add("/block/error/enospc-native", struct fix, ",cache=none,aio=native", setup, test_enospc,
               teardown);
    if (have_uring()) {
        g_test_add("/block/error/enospc-uring", struct fix, ",aio=io_uring", setup, test_enospc, teardown);
        g_test_add("/block/error/file-size-limit-uring", struct fix, "cache=writeback,aio=io_uring", setup, test_fsize,
                   teardown);
        g_test_add("/block/error/file-size-limit-uring-direct", struct fix, "cache=none,aio=io_uring", setup,
                   test_fsize,
                   teardown);
    }
    g_test_add("/block/error/report", struct fix, NULL, setup, test_report, teardown);
    g_test_add("/block/error/stop", struct fix, NULL, setup, test_stop, teardown);
    g_test_add("/block/error/reset", struct fix, NULL, setup, test_reset, teardown);
    g_test_add("/block/error/file-size-limit", struct fix, "cache=writeback", setup, test_fsize, teardown);
    g_test_add("/block/error/file-size-limit-native", struct fix, "cache=none,aio=native", setup, test_fsize,
               teardown);
    g_test_add("/block/error/full-disk", struct fix, NULL, setup, test_full_disk, teardown);
    g_test_add("/block/error/lost-pages", struct fix, NULL, setup, test_lost_pages, teardown);
    g_test_add("/block/error/stop-flushes", struct fix, NULL, setup, test_stop_flushes, teardown);
    return g_test_run();
}
