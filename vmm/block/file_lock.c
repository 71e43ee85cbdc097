/* vmm/block/file_lock.c - image locks by OFD byte ranges, so that two writers never share an image.
 *
 * The ranges are those by which QEMU's processes recognise each other: whoever holds a permission has byte
 * 100+n of the image read-locked, whoever forbids it to others has byte 200+n.  After placing its own, each
 * looks for a clash in both directions.  Shared locks on separate bytes: readers agree, and of two that start
 * at once at least one gives way. OFD locks belong to the open file, so two drives of one process clash as
 * well. */
#include "vmm/block/file.h"

#include <errno.h>
#include <fcntl.h>

enum { PERM_BASE = 100, SHARED_BASE = 200 };
enum { P_CONSISTENT_READ = 1, P_WRITE = 2, P_WRITE_UNCHANGED = 4, P_RESIZE = 8, P_BITS = 4 };

static int place(int fd, short type, uint64_t at, uint64_t len)
{
    struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t) at, .l_len = (off_t) len };

    return fcntl(fd, F_OFD_SETLK, &fl) ? errno : 0;
}

static int clash(int fd, uint64_t at)
{
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t) at, .l_len = 1 };

    if (fcntl(fd, F_OFD_GETLK, &fl))
        return errno;
    return fl.l_type == F_UNLCK ? 0 : EAGAIN;
}

void file_unlock(struct file *f)
{
    place(f->fd, F_UNLCK, PERM_BASE, SHARED_BASE - PERM_BASE + P_BITS);
}

int file_lock(struct file *f)
{
    unsigned perm = P_CONSISTENT_READ | (f->node.read_only ? 0 : P_WRITE | P_RESIZE),
             unshared = P_WRITE | P_RESIZE;
    int err = 0;

    for (unsigned i = 0; i < P_BITS && !err; i++) {
        if (perm >> i & 1)
            err = place(f->fd, F_RDLCK, PERM_BASE + i, 1);
        if (!err && unshared >> i & 1)
            err = place(f->fd, F_RDLCK, SHARED_BASE + i, 1);
    }
    for (unsigned i = 0; i < P_BITS && !err; i++) {
        if (perm >> i & 1)
            err = clash(f->fd, SHARED_BASE + i);
        if (!err && unshared >> i & 1)
            err = clash(f->fd, PERM_BASE + i);
    }
    if (err)
        file_unlock(f);
    return err == EACCES ? EAGAIN : err;
}
