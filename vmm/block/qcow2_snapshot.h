/* vmm/block/qcow2_snapshot.h - the snapshots inside a qcow2 image.
 *
 * Each is done with nothing in flight on the drive, blocks until it is done, and is durable then.  While one
 * runs, a version 3 image is marked dirty: whoever opens it after a power cut puts its refcounts right. */
#ifndef BANTAM_BLOCK_QCOW2_SNAPSHOT_H
#define BANTAM_BLOCK_QCOW2_SNAPSHOT_H

#include "vmm/base/error.h"
#include "vmm/base/util.h"

struct blk;
struct bnode;

struct q2_snapshot_entry {
    char *id, *name;
    uint64_t l1_off;
    uint32_t l1_size;
    uint32_t sec, nsec;      /* when it was made */
    uint64_t vm_clock;       /* ns */
    uint64_t vm_state_size;
    uint64_t disk_size;
    uint64_t icount;
    uint32_t extra_len;      /* bytes in the table, kept as they are from the 24th on */
    uint8_t *extra;
};

/* Of a drive whose image is qcow2 (under filters); GErrors are one line. */
bool qcow2_snapshot_create(struct blk *blk, const char *name, GError **err);
bool qcow2_snapshot_apply(struct blk *blk, const char *name_or_id, GError **err);
bool qcow2_snapshot_delete(struct blk *blk, const char *name_or_id, GError **err);
char *qcow2_snapshot_list(struct blk *blk, GError **err); /* a table as text; NULL: no qcow2 */
/* The table itself; NULL: no qcow2.  Under the VM lock; valid until one of the above. */
const struct q2_snapshot_entry *qcow2_snapshot_entries(struct blk *blk, uint32_t *n);

#endif
