/* vmm/block/file.h - the protocol layer on a host file or block device: what file.c, file_io.c and
 * file_lock.c share. */
#ifndef BANTAM_BLOCK_FILE_H
#define BANTAM_BLOCK_FILE_H

#include "vmm/block/node.h"

struct file {
    struct bnode node;
    int fd;
    char *path;
    uint64_t dev, ino;
    bool block_dev, direct, want_lock, lock_forced;
    uint32_t align;     /* O_DIRECT: of offsets and lengths; 1 without */
    uint32_t mem_align; /* O_DIRECT: of buffers */
    uint32_t sector;    /* a block device's */
    uint64_t bytes;     /* the file's exact size when opened or resized; node.size is rounded up to 512 */
    int lost_errno;     /* a failed fdatasync of cached writes, for good; atomic */
    bool no_zero_range, no_punch, no_dsync, warned; /* found missing; atomic */
    /* In the exec: */
    struct bio *writes;          /* in flight, when direct */
    struct bio *wait, **wait_tail; /* for an overlapping one */
    unsigned exclusive;          /* read-modify-writes in flight or waiting */
};

/* In a worker: */
int file_do_rw(struct file *f, struct bio *io);
int file_do_zero(struct file *f, struct bio *io);
int file_do_discard(struct file *f, struct bio *io);
int file_do_flush(struct file *f);

/* For an engine: the mode of the first fallocate that a worker would try, 0 when there is none, and whether
 * another way is to be tried after it failed. */
int file_falloc(const struct file *f, const struct bio *io);
bool file_no_falloc(const struct bio *io);
int file_flush_result(struct file *f, int err); /* of fdatasync */

bool file_fits(const struct file *f, const struct bio *io); /* can go to an O_DIRECT descriptor as it is */

/* Byte range locks that QEMU's processes see, and theirs we (file_lock.c). */
int file_lock(struct file *f);   /* EAGAIN: in use; ENOTSUP and others: the file system has no locks */
void file_unlock(struct file *f);

#endif
