/* vmm/core/balloon.h - the memory balloon, as the monitors and a migration see it.
 *
 * A machine has one balloon device at most.  Everything is called under the VM lock, but for the listeners, which
 * are called in the main thread under it. */
#ifndef BANTAM_CORE_BALLOON_H
#define BANTAM_CORE_BALLOON_H

#include "vmm/core/vm.h"

enum { BALLOON_PAGE = 4096 }; /* what the balloon counts in, whatever the host's and the guest's pages are */

/* What the guest tells of its memory; virtio's tags, in their order. */
enum balloon_stat {
    BALLOON_SWAP_IN, BALLOON_SWAP_OUT, BALLOON_MAJOR_FAULTS, BALLOON_MINOR_FAULTS, BALLOON_FREE_MEMORY,
    BALLOON_TOTAL_MEMORY, BALLOON_AVAILABLE_MEMORY, BALLOON_DISK_CACHES, BALLOON_HTLB_PGALLOC, BALLOON_HTLB_PGFAIL,
    BALLOON_OOM_KILLS, BALLOON_ALLOC_STALLS, BALLOON_ASYNC_SCANS, BALLOON_DIRECT_SCANS, BALLOON_ASYNC_RECLAIMS,
    BALLOON_DIRECT_RECLAIMS, N_BALLOON_STATS
};
extern const char *const balloon_stat_names[N_BALLOON_STATS + 1]; /* "stat-swap-in" ..., as in QMP's guest-stats */

struct balloon_stats {
    int64_t last_update; /* seconds since 1970; 0: the guest never told */
    uint64_t value[N_BALLOON_STATS]; /* UINT64_MAX: not told */
};

/* Who wants to know of memory that the guest does not use (free page hints).  A hint holds from page() until
 * hints_stop(): the guest then may use the memory again. */
struct balloon_hints {
    void (*page)(void *opaque, uint64_t gpa, uint64_t len); /* all of it is RAM */
    void (*done)(void *opaque); /* the guest has told all that it wanted to */
    void *opaque;
};

struct balloon {
    const struct balloon_ops *ops;
    void *opaque;
};
struct balloon_ops { /* of the device */
    void (*set_target)(void *opaque, uint64_t bytes); /* of memory that the guest shall have; <= RAM's size */
    uint64_t (*actual)(void *opaque);                 /* that it has */
    void (*stats)(void *opaque, struct balloon_stats *out);
    uint32_t (*polling)(void *opaque);                /* seconds; 0: not */
    void (*set_polling)(void *opaque, uint32_t seconds);
    /* False: the guest's driver can't; *err says why */
    bool (*hints_start)(void *opaque, const struct balloon_hints *to, GError **err);
    void (*hints_stop)(void *opaque);
};

struct balloon_listener {
    void (*changed)(void *opaque, uint64_t actual); /* QMP's BALLOON_CHANGE, not rate-limited */
    void *opaque;
    GList link;
};

/* The device's side */
bool balloon_register(struct vm *vm, struct balloon *b, GError **err);
void balloon_unregister(struct vm *vm, struct balloon *b); /* no-op when it is not the one */
void balloon_tell(struct vm *vm, uint64_t actual); /* to the listeners */

/* The monitors' side.  False: there is no balloon device, or the value is wrong. */
bool balloon_set_target(struct vm *vm, uint64_t bytes, GError **err); /* more than there is RAM: all of it */
bool balloon_actual(struct vm *vm, uint64_t *bytes, GError **err);
bool balloon_stats(struct vm *vm, struct balloon_stats *out, GError **err);
bool balloon_polling(struct vm *vm, uint32_t *seconds, GError **err);
bool balloon_set_polling(struct vm *vm, int64_t seconds, GError **err);
void balloon_listen(struct vm *vm, struct balloon_listener *l);
void balloon_unlisten(struct vm *vm, struct balloon_listener *l);

/* A migration's side: start asks the guest for its free pages, stop (always after a start) ends the hints. */
bool balloon_hints_start(struct vm *vm, const struct balloon_hints *to, GError **err);
void balloon_hints_stop(struct vm *vm);

#endif
