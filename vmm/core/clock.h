/* vmm/core/clock.h - the virtual clock and its timers.
 *
 * Virtual time is in ns, starts at 0, and stands still while the VM is stopped.  Timers are intrusive
 * (a field of the device) and absolute; a periodic one re-arms itself from its previous deadline, never
 * from now.  Everything is called under the VM lock; callbacks run on the main thread under it. */
#ifndef BANTAM_CORE_CLOCK_H
#define BANTAM_CORE_CLOCK_H

#include "vmm/base/util.h"

struct timer {
    struct clock *clock;
    struct timer *next, *prev; /* in the clock's list, sorted by deadline; NULL when stopped */
    int64_t deadline;
    bool armed;
    void (*fn)(void *opaque);
    void *opaque;
};

struct clock {
    struct timer head; /* circular */
    bool running;
    bool firing; /* in clock_run_timers(), which re-arms once at its end */
    int64_t base; /* virtual time = base + (running ? source() : 0) */
    int64_t (*source)(void *opaque); /* host monotonic ns; tests step it */
    /* The earliest deadline changed: a host monotonic time, or -1 for none. */
    void (*rearm)(void *opaque, int64_t host_deadline);
    void *opaque;
};

struct vm;

void clock_init(struct clock *c, int64_t (*source)(void *), void (*rearm)(void *, int64_t), void *opaque);
int64_t clock_read(const struct clock *c);
void clock_run(struct clock *c, bool on); /* stop and continue */
void clock_set(struct clock *c, int64_t now); /* restore */
void clock_run_timers(struct clock *c);       /* fire all that are due; bounded: re-armed ones wait */

int64_t clock_now(const struct vm *vm);

void timer_init(struct timer *t, struct vm *vm, void (*fn)(void *), void *opaque);
void timer_at(struct timer *t, int64_t deadline); /* arm or re-arm */
void timer_stop(struct timer *t);
static inline bool timer_armed(const struct timer *t)
{
    return t->armed;
}

/* a * b / c in 128 bits: ticks to ns and back without overflow. */
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t) ((unsigned __int128) a * b / c);
}

#endif
