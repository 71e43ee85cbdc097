/* vmm/core/space.h - address spaces and regions: who answers at which address.
 *
 * A VM has two spaces: `mem` (guest physical addresses) and `pio` (64 Ki ports).  Regions lie in a flat
 * list, no containers.  Where enabled regions overlap, the higher `prio` wins (PRIO_*), and of two alike
 * the one added later.  A change rebuilds a sorted, immutable `view`; a listener (KVM) turns the
 * difference between two views into memslots and ioeventfds.
 *
 * Threads: everything here is called under the VM lock (see vm.h).  Ownership: the device owns the
 * region (usually a field of its struct); it stays valid until space_remove(). */
#ifndef BANTAM_CORE_SPACE_H
#define BANTAM_CORE_SPACE_H

#include "vmm/base/log.h"
#include "vmm/base/util.h"

enum { PRIO_RAM = 0, PRIO_PCI = 1, PRIO_VGA = 2, PRIO_PAM = 3, PRIO_CHIPSET = 4 };

enum region_kind {
    REGION_IO,  /* every access goes to ops */
    REGION_RAM, /* reads and writes go to host memory, without an exit under KVM */
    REGION_ROM, /* reads go to host memory; writes go to ops->write, or are dropped when ops is NULL */
};

/* Access callbacks.  `off` is relative to the region, `size` is in bytes and between min and max
 * (powers of two; 0 means min 1, max 4), and `off` is a multiple of size unless `unaligned`.  The bus splits wider and
 * unaligned accesses (lowest address first), reads narrower ones out of a wider one, and drops writes
 * narrower than `min` with a guest error (a chip that has byte enables declares min 1).
 * A NULL read gives all ones; a NULL write is dropped. */
struct region_ops {
    uint64_t (*read)(void *opaque, uint64_t off, unsigned size);
    void (*write)(void *opaque, uint64_t off, uint64_t val, unsigned size);
    uint8_t min, max;
    bool unaligned; /* pass accesses of up to max bytes through at any offset */
};

/* An eventfd that KVM signals in place of an exit to ops->write. */
struct region_eventfd {
    uint64_t off;    /* in the region */
    uint8_t size;    /* 1, 2, 4, 8, or 0: any size */
    bool match;      /* only when the value written equals `value` */
    uint64_t value;
    int fd;
};

struct ram_block;

struct region {
    const char *name; /* not owned */
    uint64_t base, size;
    enum region_kind kind;
    int prio;
    bool enabled;
    bool coalesce;  /* IO: writes may be batched by KVM (no read side effects depend on them) */
    bool log_dirty; /* RAM: KVM shall log writes (see ram.h) */
    const struct region_ops *ops;
    void *opaque;
    struct ram_block *ram; /* RAM, ROM: host memory is ram->host + ram_off */
    uint64_t ram_off;
    struct region_eventfd *efds;
    unsigned n_efds;
    struct space *space; /* NULL: not added */
    unsigned seq;        /* order of addition */
};

struct range { /* one piece of a view */
    uint64_t addr, size;
    struct region *r;
    uint64_t off; /* of addr within the region */
};

struct view {
    unsigned n;
    struct range ranges[]; /* sorted by addr, not overlapping */
};

struct space_listener {
    void (*commit)(void *opaque, const struct view *old, const struct view *now);
    /* efds of region r changed while it was mapped; NULL: not wanted */
    void *opaque;
};

struct space {
    const char *name;
    uint64_t limit;     /* last valid address */
    GPtrArray *regions; /* struct region *, unordered */
    struct view *view;
    const struct range *last; /* last hit */
    unsigned depth;     /* of space_begin() */
    bool changed;
    unsigned seq;
    struct space_listener listener;
    struct tracer trace;
};

void space_init(struct space *sp, const char *name, uint64_t limit, struct log *log);
void space_clear(struct space *sp);
void space_set_listener(struct space *sp, const struct space_listener *l); /* told of all there is */

/* Fill in a region; it is not in any space yet and `enabled` is true.  `name` must outlive it. */
void region_init_io(struct region *r, const char *name, const struct region_ops *ops, void *opaque,
                    uint64_t size);
void region_init_ram(struct region *r, const char *name, struct ram_block *ram, uint64_t ram_off,
                     uint64_t size);
void region_init_rom(struct region *r, const char *name, struct ram_block *ram, uint64_t ram_off,
                     uint64_t size, const struct region_ops *wr_ops, void *opaque);

/* Add at `base`.  Two *enabled IO regions of the same priority* that overlap in the pio space are a user's mistake
 * (two ISA cards on one port): refused with both names. */
bool space_add(struct space *sp, struct region *r, uint64_t base, int prio, GError **err);
void space_remove(struct region *r); /* no-op when not added */

void region_move(struct region *r, uint64_t base);
void region_enable(struct region *r, bool on);
void region_set_log_dirty(struct region *r, bool on);
/* Change a RAM/ROM region's memory, kind and write ops at once (PAM). */
void region_set_ram(struct region *r, enum region_kind kind, struct ram_block *ram, uint64_t ram_off,
                    const struct region_ops *ops, void *opaque);
/* Replace the set of eventfds (copied). */
void region_set_eventfds(struct region *r, const struct region_eventfd *efds, unsigned n);

/* Several changes, one rebuild.  May nest. */
void space_begin(struct space *sp);
void space_commit(struct space *sp);

const struct range *space_lookup(struct space *sp, uint64_t addr); /* NULL: nobody there */

/* Guest accesses.  size 1, 2, 4, 8, any alignment.  Unclaimed reads give all ones. */
uint64_t space_read(struct space *sp, uint64_t addr, unsigned size);
void space_write(struct space *sp, uint64_t addr, uint64_t val, unsigned size);

#endif
