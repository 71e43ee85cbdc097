/* vmm/block/file_io.c - the system calls of the file layer, in a worker: continued when short, repeated on
 * EINTR, through an aligned buffer where O_DIRECT asks for it. */
#include "vmm/block/file.h"
#include "vmm/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SLICE = 64, BOUNCE = 1 << 20 };

static bool get(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void set(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_RELAXED);
}

bool file_fits(const struct file *f, const struct bio *io)
{
    if (io->off % f->align || io->len % f->align || (!io->iov && io->len))
        return false;
    for (unsigned i = 0; i < io->niov; i++)
        if ((uintptr_t) io->iov[i].iov_base % f->mem_align || io->iov[i].iov_len % f->align)
            return false;
    return true;
}

/* The end of the file at `pos`: zeros from there when that is only the last, partial sector's rest.  Before
 * it, the file has shrunk under us, and zeros would be a lie. */
static int at_eof(struct file *f, uint64_t pos)
{
    if (pos >= f->bytes)
        return 0;
    if (!__atomic_exchange_n(&f->warned, true, __ATOMIC_RELAXED))
        warn_user("'%s' was truncated to %" PRIu64 " bytes while in use: reads beyond fail", f->path, pos);
    return EIO;
}

static ssize_t write_some(struct file *f, const struct iovec *v, unsigned n, uint64_t off, bool durable)
{
    if (durable && !get(&f->no_dsync)) {
        ssize_t got = pwritev2(f->fd, v, (int) n, (off_t) off, RWF_DSYNC);
        if (got >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
            return got;
        set(&f->no_dsync);
    }
    return pwritev(f->fd, v, (int) n, (off_t) off);
}

/* All of v, which is used up; a read's rest beyond the end of the file is zeros. */
static int full(struct file *f, bool wr, bool durable, struct iovec *v, unsigned n, uint64_t off,
                uint64_t len)
{
    uint64_t done = 0;

    while (done < len) {
        /* an O_DIRECT read that ended inside a block has met the end, and may not go on there */
        ssize_t got = 0;
        if (wr)
            got = write_some(f, v, n, off + done, durable);
        else if ((off + done) % f->align == 0)
            got = preadv(f->fd, v, (int) n, (off_t) (off + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0 && wr)
            return ENOSPC;
        if (got == 0) {
            int err = at_eof(f, off + done);
            if (!err)
                iov_zero(v, n, 0, len - done);
            return err;
        }
        done += (uint64_t) got;
        for (size_t left = (size_t) got; left;) {
            size_t part = MIN(left, v->iov_len);
            v->iov_base = (char *) v->iov_base + part;
            v->iov_len -= part;
            left -= part;
            if (!v->iov_len && n > 1)
                v++, n--;
        }
    }
    return 0;
}

static int buf_rw(struct file *f, bool wr, bool durable, void *buf, uint64_t off, size_t len)
{
    struct iovec v = { buf, len };

    return full(f, wr, durable, &v, 1, off, len);
}

/* Without a bounce buffer, from io->progress on. */
static int rw_plain(struct file *f, struct bio *io)
{
    bool wr = io->op != BLK_READ;

    while (io->progress < io->len) {
        struct iovec v[SLICE];
        uint64_t got;
        unsigned n = iov_slice(v, SLICE, io->iov, io->niov, io->progress, io->len - io->progress, &got);
        int err = n ? full(f, wr, io->flags & BLK_FUA, v, n, io->off + io->progress, got) : EINVAL;
        if (err)
            return err;
        io->progress += got;
    }
    return 0;
}

/* Through an aligned buffer.  The blocks at both ends of a write are read first where it covers them in part;
 * file.c sees to it that no other write to them runs meanwhile. */
static int rw_bounced(struct file *f, struct bio *io)
{
    uint64_t end = io->off + io->len, a = MAX(f->align, 512U);
    size_t room = (size_t) MIN(ROUND_UP(end, a) - ROUND_DOWN(io->off + io->progress, a), BOUNCE);
    bool wr = io->op != BLK_READ;
    char *buf = NULL;
    int err = posix_memalign((void **) &buf, MAX((size_t) a, 4096), room);

    while (!err && io->progress < io->len) {
        uint64_t pos = io->off + io->progress, from = ROUND_DOWN(pos, a),
                 to = MIN(ROUND_UP(end, a), from + room);
        size_t n = (size_t) (MIN(end, to) - pos), span = (size_t) (to - from);
        if (wr) {
            if (pos != from)
                err = buf_rw(f, false, false, buf, from, a);
            if (!err && pos + n != to && (span > a || pos == from))
                err = buf_rw(f, false, false, buf + span - a, to - a, a);
            if (io->iov)
                iov_to_buf(io->iov, io->niov, io->progress, buf + (pos - from), n);
            else
                memset(buf + (pos - from), 0, n);
            if (!err)
                err = buf_rw(f, true, io->flags & BLK_FUA, buf, from, span);
            if (!err && !f->node.grows && to > f->node.size && !f->block_dev &&
                ftruncate(f->fd, (off_t) f->node.size))
                err = errno; /* the block reached over the end: the file keeps its size */
        } else {
            err = buf_rw(f, false, false, buf, from, span);
            if (!err)
                iov_from_buf(io->iov, io->niov, io->progress, buf + (pos - from), n);
        }
        if (!err)
            io->progress += n;
    }
    free(buf);
    return err;
}

int file_do_rw(struct file *f, struct bio *io)
{
    int err = EINVAL;

    if (f->align == 1 && io->iov)
        err = rw_plain(f, io);
    else if (!io->progress && file_fits(f, io))
        err = rw_plain(f, io); /* EINVAL: the file system is stricter than it says */
    if (err == EINVAL)
        err = rw_bounced(f, io);
    if (!err && io->op != BLK_READ && (io->flags & BLK_FUA) && get(&f->no_dsync))
        err = file_do_flush(f);
    return err;
}

/* After fdatasync failed, the kernel has dropped the pages that it could not write, and a second one would
 * claim success: every later flush must fail too, or the guest loses writes that it believes are safe.
 * O_DIRECT has no such pages. */
int file_flush_result(struct file *f, int err)
{
    if (err == EROFS || err == EINVAL) /* "special file which does not support synchronization" */
        return 0;
    if (err && !f->direct)
        __atomic_store_n(&f->lost_errno, err, __ATOMIC_RELAXED);
    return err;
}

int file_do_flush(struct file *f)
{
    int err = __atomic_load_n(&f->lost_errno, __ATOMIC_RELAXED);

    if (err)
        return err;
    do {
        err = fdatasync(f->fd) ? errno : 0;
    } while (err == EINTR);
    return file_flush_result(f, err);
}

static int allocate(struct file *f, int mode, const struct bio *io)
{
    int r;

    do {
        r = fallocate(f->fd, mode, (off_t) io->off, (off_t) io->len);
    } while (r < 0 && errno == EINTR);
    return r ? errno : 0;
}

static bool unsupported(int err)
{
    return err == EOPNOTSUPP || err == ENOSYS || err == EINVAL || err == ENODEV || err == ENOTTY ||
           err == EPERM;
}

int file_falloc(const struct file *f, const struct bio *io)
{
    bool punch = io->op == BLK_DISCARD || io->flags & BLK_MAY_UNMAP;

    if (f->block_dev)
        return 0;
    if (punch && !get(&f->no_punch))
        return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return punch || get(&f->no_zero_range) ? 0 : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
}

bool file_no_falloc(const struct bio *io)
{
    return io->falloc && io->err && unsupported(io->err);
}

int file_do_zero(struct file *f, struct bio *io)
{
    int err = EOPNOTSUPP;

    if (!io->len)
        return 0;
    if (io->flags & BLK_MAY_UNMAP && !get(&f->no_punch)) {
        err = allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io);
        if (err == EOPNOTSUPP)
            set(&f->no_punch);
    }
    if (unsupported(err) && !get(&f->no_zero_range)) {
        err = allocate(f, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, io);
        if (err == EOPNOTSUPP)
            set(&f->no_zero_range);
    }
    /* the space stays reserved, as it would be by zeros */
    if (unsupported(err) && !f->block_dev && !get(&f->no_punch)) {
        err = allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io);
        if (!err)
            err = allocate(f, FALLOC_FL_KEEP_SIZE, io);
    }
    if (unsupported(err)) {
        io->progress = 0;
        return file_do_rw(f, io);
    }
    return !err && (io->flags & BLK_FUA) ? file_do_flush(f) : err;
}

/* A hint: what can't be done is done by doing nothing. */
int file_do_discard(struct file *f, struct bio *io)
{
    int err;

    if (!io->len)
        return 0;
    if (f->block_dev) {
        /* whole blocks of it only; of a file the kernel zeroes the rest */
        uint64_t from = ROUND_UP(io->off, f->sector), to = ROUND_DOWN(io->off + io->len, f->sector);
        uint64_t range[2] = { from, to - from };
        err = from < to && ioctl(f->fd, BLKDISCARD, range) ? errno : 0;
    } else {
        err = allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io);
    }
    return unsupported(err) ? 0 : err;
}
