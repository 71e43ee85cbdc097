/* vmm/block/drive_int.h - a drive, as drive.c (life, media), drive_conf.c (options) and drive_io.c (requests)
 * share it. */
#ifndef BANTAM_BLOCK_DRIVE_INT_H
#define BANTAM_BLOCK_DRIVE_INT_H

#include "vmm/block/node.h"
#include "vmm/core/vm.h"

struct drive {
    struct blk blk;
    struct bctx ctx;
    struct bnode *root; /* NULL: no medium */
    struct bnode nowhere; /* serves what needs no medium */
    char *file, *format; /* of the medium */
    char *who;          /* "drive 'hda'" */
    struct drive_config cfg; /* strings not kept, but for the testing aids */
    bool direct, no_flush;   /* what cache= and cache.* come to */
    bool config_read_only;   /* what the user said at first */
    bool kind_read_only;     /* CD-ROM: always */
    unsigned in_flight;      /* requests of the device below us; kept ones not counted */
    struct blk_req *kept, **kept_tail; /* failed, waiting for the VM to continue */
    unsigned kept_count; /* atomic */
    int kept_errno;
    const char *io_status;
    struct vm_notifier notifier;
};

extern const struct blk_ops drive_ops;

static inline struct drive *as_drive(struct blk *blk)
{
    return container_of(blk, struct drive, blk);
}

/* drive_io.c */
void drive_wait(struct drive *d);      /* until nothing is in flight; kept requests stay */
void drive_fail_kept(struct drive *d); /* end them with their error: nobody will continue them */
void drive_retry(struct drive *d);
int drive_flush_now(struct drive *d);  /* blocking */

void drive_set_exec(struct blk *blk, struct exec *e); /* drive.c */
void drive_eject_op(struct blk *blk); /* drive.c */

#endif
