/* tests/unit/blktest.h - what the tests of the block layer share: a VM, scratch files, drives, waiting. */
#ifndef BANTAM_TESTS_BLKTEST_H
#define BANTAM_TESTS_BLKTEST_H

#include "vmm/block/drive.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* On a real file system: /tmp may be memory.  Removed by scratch_free. */
static inline char *scratch_new(void)
{
    char *dir = g_strdup(g_getenv("TMPDIR") ? "" : "/var/tmp/bantam-test-XXXXXX");

    if (!*dir) {
        g_free(dir);
        dir = g_build_filename(g_getenv("TMPDIR"), "bantam-test-XXXXXX", NULL);
    }
    g_assert_nonnull(g_mkdtemp(dir));
    return dir;
}

static inline void scratch_free(char *dir)
{
    GDir *d = g_dir_open(dir, 0, NULL);

    for (const char *n; (n = g_dir_read_name(d));) {
        char *p = g_build_filename(dir, n, NULL);
        g_remove(p);
        g_free(p);
    }
    g_dir_close(d);
    g_rmdir(dir);
    g_free(dir);
}

/* Not where a container forbids it, or the kernel has none. */
static inline bool have_uring(void)
{
#ifdef HAVE_URING
    return syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno != ENOSYS && errno != EPERM;
#else
    return false;
#endif
}

static inline char *make_image(const char *dir, const char *name, uint64_t size)
{
    char *path = g_build_filename(dir, name, NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

    g_assert_true(fd >= 0 && ftruncate(fd, (off_t) size) == 0);
    close(fd);
    return path;
}

/* A drive from "key=value,key=value"; NULL and *err when it can't be. */
static inline struct blk *try_drive(struct vm *vm, const char *opts, GError **err)
{
    struct drive_config cfg;
    char **kv = g_strsplit(opts, ",", 0);
    bool ok = true;

    drive_config_init(&cfg);
    for (char **p = kv; *p && ok; p++) {
        char *eq = strchr(*p, '=');
        *eq = 0;
        ok = drive_config_set(&cfg, *p, eq + 1, err);
    }
    ok = ok && drive_config_finish(&cfg, err);
    struct blk *blk = ok ? drive_open(vm, &cfg, err) : NULL;
    g_strfreev(kv);
    drive_config_clear(&cfg);
    return blk;
}

static inline struct blk *add_drive(struct vm *vm, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static inline struct blk *add_drive(struct vm *vm, const char *fmt, ...)
{
    va_list ap;
    GError *err = NULL;

    va_start(ap, fmt);
    char *opts = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    struct blk *blk = try_drive(vm, opts, &err);
    g_assert_no_error(err);
    g_assert_nonnull(blk);
    g_free(opts);
    return blk;
}

static inline uint8_t *aligned_buf(size_t len)
{
    void *p = NULL;

    g_assert_cmpint(posix_memalign(&p, 4096, len), ==, 0);
    return memset(p, 0, len);
}

/* The error of a drive that can't be; the caller frees. */
static inline char *refused(struct vm *vm, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static inline char *refused(struct vm *vm, const char *fmt, ...)
{
    va_list ap;
    GError *err = NULL;

    va_start(ap, fmt);
    char *opts = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_assert_null(try_drive(vm, opts, &err));
    g_assert_nonnull(err);
    char *msg = g_strdup(err->message);
    g_test_message("%s", msg);
    g_assert_null(strchr(msg, '\n'));
    g_error_free(err);
    g_free(opts);
    return msg;
}

static inline void expect_refused(char *msg, const char *part)
{
    if (!strstr(msg, part))
        g_error("expected '%s' in '%s'", part, msg);
    g_free(msg);
}

struct io { /* one request, with its buffers */
    struct blk_req req;
    struct iovec iov[64];
    int err;
    bool done;
};

static inline void io_done(struct blk_req *req, int err)
{
    struct io *io = req->opaque;

    g_assert_false(io->done);
    g_assert_false(req->busy);
    io->done = true;
    io->err = err;
}

static inline void io_submit_op(struct blk *blk, struct io *io, enum blk_op op, uint64_t off, void *buf,
                                size_t len)
{
    memset(io, 0, sizeof *io);
    io->iov[0] = (struct iovec){ buf, len };
    io->req = (struct blk_req){
        .op = op, .off = off, .len = len, .iov = io->iov, .niov = buf ? 1 : 0, .done = io_done, .opaque = io
    };
    exec_enter(blk->exec);
    blk_submit(blk, &io->req);
    g_assert_false(io->done); /* never from within */
    exec_leave(blk->exec);
}

static inline int io_wait(struct blk *blk, struct io *io)
{
    while (!io->done)
        exec_iterate(blk->exec, true);
    return io->err;
}

static inline int do_io(struct blk *blk, enum blk_op op, uint64_t off, void *buf, size_t len)
{
    struct io io;

    io_submit_op(blk, &io, op, off, buf, len);
    return io_wait(blk, &io);
}

static inline void close_drive(struct blk *blk)
{
    struct vm *vm = blk->vm;

    vm_lock(vm);
    drive_close(blk);
    vm_unlock(vm);
}

#endif
