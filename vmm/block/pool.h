/* vmm/block/pool.h - worker threads for system calls that block: one pool a VM, shared by its drives.
 *
 * Threads are started when there is work and none is idle, up to a bound, and end after some idle seconds; a
 * VM that does no I/O has none.  Workers block all signals, hold no lock while they work, and never touch a
 * device. */
#ifndef BANTAM_BLOCK_POOL_H
#define BANTAM_BLOCK_POOL_H

#include "vmm/base/util.h"

struct vm;
struct blk_pool;

struct blk_work { /* a field of the request */
    void (*run)(struct blk_work *w); /* in a worker; it reports its end by itself */
    struct blk_work *next;
};

/* The VM's pool, made with the first reference and freed with the last (joining its threads).  Main thread.
 */
struct blk_pool *blk_pool_ref(struct vm *vm);
void blk_pool_unref(struct vm *vm);

/* Any thread.  When not even one thread can be started, runs it on the spot: slow, but right. */
void blk_pool_push(struct blk_pool *p, struct blk_work *w);

unsigned blk_pool_threads(struct blk_pool *p); /* running now */

#endif
