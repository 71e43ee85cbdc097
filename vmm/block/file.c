/* vmm/block/file.c - the protocol layer on a host file or block device: which engine takes a request, and in
 * which order.
 *
 * The drive's engine takes what fits the descriptor as it is, as long as the kernel does it; workers take the
 * rest, and what the kernel has left undone.  A write that covers a block
 * of the disk only in part is done by read, modify, write there, and so excludes every other write to its
 * blocks meanwhile. */
#include "vmm/block/engine.h"
#include "vmm/block/file.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file *as_file(struct bnode *n)
{
    return container_of(n, struct file, node);
}

static bool settle(struct bio *io);

static void run(struct blk_work *w)
{
    struct bio *io = container_of(w, struct bio, work);
    struct file *f = as_file(io->node);
    int err;

    switch (io->op) {
    case BLK_READ: case BLK_WRITE: err = file_do_rw(f, io); break;
    case BLK_FLUSH: err = file_do_flush(f); break;
    case BLK_DISCARD: err = file_do_discard(f, io); break;
    default: err = file_do_zero(f, io); break;
    }
    bio_finish(io, err);
}

static bool engine_settle(struct bio *io);

static void give_to_worker(struct file *f, struct bio *io)
{
    io->settle = settle;
    io->work.run = run;
    blk_pool_push(f->node.ctx->pool, &io->work);
}

/* Can one call of the kernel do it?  (Of fallocate's, what a file system can do is found out by a worker.) */
static bool one_call(struct file *f, struct bio *io)
{
    io->falloc = 0;
    switch (io->op) {
    case BLK_READ: case BLK_WRITE:
        return io->iov && io->len && io->niov <= IOV_MAX && (f->align == 1 || file_fits(f, io));
    case BLK_FLUSH:
        return !__atomic_load_n(&f->lost_errno, __ATOMIC_RELAXED);
    default:
        io->falloc = file_falloc(f, io);
        return io->falloc && io->len && !(io->flags & BLK_FUA);
    }
}

static void start(struct file *f, struct bio *io)
{
    struct bctx *c = f->node.ctx;

    if (c->engine != &engine_threads && one_call(f, io) && c->engine->takes(io, f->direct)) {
        io->fd = f->fd;
        io->settle = engine_settle;
        engine_push(c, io);
    } else {
        give_to_worker(f, io);
    }
}

/* --- writes that must not overlap -------------------------------------------------------------- */

static bool overlap(const struct file *f, const struct bio *a, const struct bio *b)
{
    uint64_t m = f->align;

    return ROUND_DOWN(a->off, m) < ROUND_UP(b->off + b->len, m) &&
           ROUND_DOWN(b->off, m) < ROUND_UP(a->off + a->len, m);
}

static bool must_wait(const struct file *f, const struct bio *io)
{
    for (struct bio *w = f->writes; w; w = w->track_next)
        if ((w->exclusive || io->exclusive) && overlap(f, w, io))
            return true;
    for (struct bio *w = f->wait; w && w != io; w = w->next) /* nor overtake one that waits */
        if ((w->exclusive || io->exclusive) && overlap(f, w, io))
            return true;
    return false;
}

static void track(struct file *f, struct bio *io)
{
    io->track_next = f->writes;
    io->track_prev = &f->writes;
    if (f->writes)
        f->writes->track_prev = &io->track_next;
    f->writes = io;
}

static void untrack(struct file *f, struct bio *io)
{
    *io->track_prev = io->track_next;
    if (io->track_next)
        io->track_next->track_prev = io->track_prev;
    io->track_prev = NULL;
    f->exclusive -= io->exclusive;
    for (struct bio **at = &f->wait, *w; (w = *at);) {
        if (must_wait(f, w)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        if (!*at)
            f->wait_tail = at;
        track(f, w);
        start(f, w);
    }
}

static bool settle(struct bio *io)
{
    if (io->track_prev)
        untrack(as_file(io->node), io);
    return true;
}

/* What the kernel has left undone (short, refused as it stands, ended with its thread) is the workers'. */
static bool engine_settle(struct bio *io)
{
    struct file *f = as_file(io->node);
    bool rw = io->op == BLK_READ || io->op == BLK_WRITE;
    bool again = io->err == EINVAL || io->err == EAGAIN || io->err == EOPNOTSUPP || io->err == ECANCELED ||
                 io->err == EINTR;

    if (rw ? (again || !io->err) && io->progress < io->len : again || file_no_falloc(io)) {
        give_to_worker(f, io);
        return false;
    }
    if (io->op == BLK_FLUSH)
        io->err = file_flush_result(f, io->err);
    return settle(io);
}

static void file_submit(struct bnode *n, struct bio *io)
{
    struct file *f = as_file(n);
    bool wr = io->op == BLK_WRITE || io->op == BLK_WRITE_ZEROES;

    io->progress = 0;
    io->track_prev = NULL;
    io->exclusive = false;
    io->settle = settle;
    if (n->grows && io->op == BLK_WRITE && io->off + io->len > n->size)
        n->size = ROUND_UP(io->off + io->len, 512);
    if (n->read_only && (wr || io->op == BLK_DISCARD)) {
        bio_finish(io, EROFS);
        return;
    }
    if (f->direct && wr) {
        io->exclusive = io->off % f->align || io->len % f->align;
        f->exclusive += io->exclusive;
        if (f->exclusive && must_wait(f, io)) {
            io->next = NULL;
            *f->wait_tail = io;
            f->wait_tail = &io->next;
            return;
        }
        track(f, io);
    }
    start(f, io);
}

/* --- the rest of a node ------------------------------------------------------------------------ */

static int file_resize(struct bnode *n, uint64_t size)
{
    struct file *f = as_file(n);
    uint64_t now;

    if (n->read_only)
        return EROFS;
    if (f->block_dev) { /* grown or shrunk by others (lvextend): only looked at */
        if (ioctl(f->fd, BLKGETSIZE64, &now))
            return errno;
        if (now < size)
            return ENOSPC;
        n->size = f->bytes = size;
        return 0;
    }
    if (ftruncate(f->fd, (off_t) size))
        return errno;
    n->size = f->bytes = size;
    return 0;
}

static int file_lock_op(struct bnode *n, bool on)
{
    struct file *f = as_file(n);

    if (!f->want_lock)
        return 0;
    if (!on) {
        file_unlock(f);
        return 0;
    }
    int err = file_lock(f);
    return err == EAGAIN || f->lock_forced ? err : 0;
}

static void file_close(struct bnode *n)
{
    struct file *f = as_file(n);

    if (f->fd >= 0)
        close(f->fd);
    g_free(f->path);
}

static const struct bnode_class file_class = { .name = "file", .submit = file_submit, .close = file_close,
                                               .resize = file_resize, .lock = file_lock_op };

static struct file *file_new(struct bctx *c, int fd, const char *path)
{
    struct file *f = (struct file *) node_new(sizeof *f, &file_class, c);

    f->fd = fd;
    f->path = g_strdup(path);
    f->align = f->mem_align = 1;
    f->wait_tail = &f->wait;
    f->node.fua = true;
    return f;
}

bool file_same(struct bnode *n, uint64_t dev, uint64_t ino)
{
    if (!n)
        return false;
    if (n->cls == &file_class && as_file(n)->dev == dev && as_file(n)->ino == ino)
        return true;
    return file_same(n->child[0], dev, ino) || file_same(n->child[1], dev, ino);
}

/* --- opening ----------------------------------------------------------------------------------- */

/* What O_DIRECT wants of this file: told by newer kernels, else found by trying. */
static bool find_alignment(struct file *f)
{
    struct statx sx = { 0 };

#ifdef STATX_DIOALIGN
    if (!statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) && sx.stx_mask & STATX_DIOALIGN &&
        sx.stx_dio_offset_align) {
        f->align = sx.stx_dio_offset_align;
        f->mem_align = MAX(sx.stx_dio_mem_align, 1U);
        return f->align <= 64 * KiB && f->mem_align <= 4096;
    }
#else
    (void) sx;
#endif
    char *buf = g_malloc(3 * 4096), *base = (char *) ROUND_UP((uintptr_t) buf, 4096);
    bool ok = false;
    for (uint32_t a = 512; a <= 4096 && !ok; a *= 2) {
        /* at an odd multiple of `a`, so that only `a` fits */
        ok = pread(f->fd, base + (a < 4096 ? a : 0), a, a < 4096 ? (off_t) a : 0) >= 0 || errno != EINVAL;
        f->align = f->mem_align = a;
    }
    g_free(buf);
    return ok;
}

static bool open_failed(const struct bopen *o, int flags, GError **err)
{
    int e = errno, fd;
    const char *colon = strstr(o->path, "://");

    if ((e == EACCES || e == EROFS || e == EPERM || e == ETXTBSY) && !o->read_only &&
        (fd = open(o->path, (flags & ~O_ACCMODE) | O_RDONLY)) >= 0) {
        close(fd);
        return fail(err, "%s: '%s' can't be written: %s; use read-only=on or snapshot=on", o->who, o->path,
                    g_strerror(e));
    }
    if (e == EINVAL && o->direct)
        return fail(
            err, "%s: '%s' is on a file system without O_DIRECT; use cache=writeback or cache=writethrough",
            o->who, o->path);
    if (e == ENOENT && colon)
        return fail(err, "%s: '%s': protocol '%.*s' is not supported, only host files, block devices and NBD",
                    o->who, o->path, (int) (colon - o->path), o->path);
    return fail(err, "%s: cannot open '%s': %s", o->who, o->path, g_strerror(e));
}

/* Which kind of file it is, before open() could block or have an effect. */
static bool check_kind(const struct bopen *o, struct stat *st, GError **err)
{
    if (stat(o->path, st))
        return true; /* open() says it better */
    if (S_ISDIR(st->st_mode))
        return fail(err, "%s: '%s' is a directory, not a disk image", o->who, o->path);
    if (S_ISCHR(st->st_mode))
        return fail(err, "%s: '%s' is a character device, not a disk", o->who, o->path);
    if (S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode))
        return fail(err, "%s: '%s' is a %s, not a disk image", o->who, o->path,
                    S_ISFIFO(st->st_mode) ? "pipe" : "socket");
    return true;
}

static bool find_size(struct file *f, const struct bopen *o, const struct stat *st, GError **err)
{
    f->block_dev = S_ISBLK(st->st_mode);
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    f->bytes = (uint64_t) st->st_size;
    if (f->block_dev && ioctl(f->fd, BLKGETSIZE64, &f->bytes))
        return fail(err, "%s: '%s': cannot get the size of the device: %s", o->who, o->path,
                    g_strerror(errno));
    int sector = 0;
    f->sector = f->block_dev && !ioctl(f->fd, BLKSSZGET, &sector) && sector > 0 ? (uint32_t) sector : 512;
    if (!f->bytes)
        return fail(err,
                    f->block_dev ? "%s: '%s' has no size: is there a medium in it?"
                                 : "%s: '%s' is empty; give it a size, for example by truncate -s 10G",
                    o->who, o->path);
    if (f->bytes < 512)
        return fail(err, "%s: '%s' has only %" PRIu64 " bytes, less than one sector of 512", o->who, o->path,
                    f->bytes);
    f->node.size = ROUND_UP(f->bytes, 512);
    f->node.zero_behind = !f->block_dev;
    return true;
}

static bool in_use(struct file *f, const struct bopen *o, GError **err)
{
    GHashTableIter it;
    void *key, *val;

    g_hash_table_iter_init(&it, o->vm->blks);
    while (g_hash_table_iter_next(&it, &key, &val))
        if (drive_uses_file(val, f->dev, f->ino))
            return fail(err,
                        "%s: image '%s' is in use by drive '%s', and one of them writes; use read-only=on or "
                        "snapshot=on "
                        "for both, or a copy",
                        o->who, o->path, (char *) key);
    return fail(
        err,
        "%s: image '%s' is in use by another process%s; stop that one, or use read-only=on or snapshot=on "
        "for both, or a copy (locking=off overrides)",
        o->who, o->path, f->node.read_only ? " that writes to it" : "");
}

struct bnode *file_open(struct bctx *c, const struct bopen *o, GError **err)
{
    int flags = O_CLOEXEC | O_NOCTTY | (o->read_only ? O_RDONLY : O_RDWR) | (o->direct ? O_DIRECT : 0);
    struct stat st;

    if (!check_kind(o, &st, err))
        return NULL;
    int fd = open(o->path, flags);
    if (fd < 0) {
        open_failed(o, flags, err);
        return NULL;
    }
    struct file *f = file_new(c, fd, o->path);
    f->node.read_only = o->read_only;
    f->direct = o->direct;
    f->want_lock = o->lock;
    f->lock_forced = o->lock_forced;
    bool ok = true;
    if (fstat(fd, &st))
        ok = fail(err, "%s: '%s': %s", o->who, o->path, g_strerror(errno));
    ok = ok && find_size(f, o, &st, err);
    if (ok && o->direct && !find_alignment(f))
        ok = fail(err, "%s: '%s': O_DIRECT does not work here; use cache=writeback or cache=writethrough",
                  o->who, o->path);
    if (ok && o->lock) {
        int e = file_lock(f);
        if (e == EAGAIN)
            ok = in_use(f, o, err);
        else if (e && o->lock_forced)
            ok = fail(err, "%s: '%s' can't be locked: %s; use locking=off", o->who, o->path, g_strerror(e));
        else if (e)
            f->want_lock = false;
    }
    if (!ok) {
        node_close(&f->node);
        return NULL;
    }
    return &f->node;
}

struct bnode *file_open_temp(struct bctx *c, const char *who, uint64_t size, GError **err)
{
    const char *dir = g_getenv("TMPDIR") ? g_getenv("TMPDIR") : "/var/tmp"; /* /tmp may be memory */
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0) { /* a file system without O_TMPFILE */
        char *path = g_build_filename(dir, "bantam-snapshot-XXXXXX", NULL);
        fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
            unlink(path);
        g_free(path);
    }
    if (fd < 0 || ftruncate(fd, (off_t) size)) {
        fail(err, "%s: cannot make a temporary file for the snapshot in '%s': %s; set TMPDIR", who, dir,
             g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct file *f = file_new(c, fd, dir);
    f->bytes = f->node.size = size;
    return &f->node;
}
