/* vmm/core/exec.h - execution contexts: where callbacks run.
 *
 * An `exec` is an event loop: the VM's main one (a GMainContext, which the UI shares), or an iothread's (epoll:
 * one system call an event).  Backends (block, char, net) live in exactly one.  Callbacks of an exec run
 * *without* the VM lock; who calls into a device from one brackets the call with exec_enter()/exec_leave(),
 * which takes the VM lock in the main exec and nothing in an iothread (an iothread never takes the VM lock, and
 * never waits for another exec). */
#ifndef BANTAM_CORE_EXEC_H
#define BANTAM_CORE_EXEC_H

#include "vmm/base/util.h"

struct vm;
struct exec_fd;

struct exec {
    const char *name;
    struct vm *vm;
    bool main;
    GMutex mutex;
    GQueue jobs;      /* struct job */
    unsigned n_jobs;  /* atomic */
    /* the main one's: */
    GMainContext *ctx;
    GSource *source;
    /* an iothread's, touched by its thread only: */
    GThread *thread;  /* that runs it; NULL: none does yet */
    int epoll_fd, wake_fd;
    struct exec_fd *wake, *dead;
    GPtrArray *polls; /* struct exec_poll * */
    int64_t poll_max_ns; /* 0: never poll; atomic: set by the main thread */
    int64_t poll_grow, poll_shrink;
    int64_t poll_ns;  /* now */
    bool polling;     /* begin() was called, end() was not */
    unsigned skipped; /* turns without a look at the descriptors */
    uint64_t sleeps, spins; /* figures for `info iothreads`; atomic */
};

void exec_init(struct exec *e, struct vm *vm, const char *name, bool main);
void exec_clear(struct exec *e);

void exec_enter(struct exec *e);
void exec_leave(struct exec *e);

/* Run fn(opaque) once, soon, in e's thread, without the lock.  From any thread. */
void exec_post(struct exec *e, void (*fn)(void *opaque), void *opaque);

/* Run fn(opaque) inside e (the main one: under the VM lock; an iothread's: in its thread) and wait for its end.
 * From any thread but an iothread's of another exec, with or without the VM lock. */
void exec_call(struct exec *e, void (*fn)(void *opaque), void *opaque);

/* Call fn while `cond` holds on fd.  From e's thread, or before its loop runs. */
struct exec_fd *exec_add_fd(struct exec *e, int fd, GIOCondition cond,
                            void (*fn)(void *opaque, GIOCondition cond), void *opaque);
/* Call fn some time after the (non-blocking) eventfd was written, once for several writes.  The loop takes care
 * of its count, which others must not rely on. */
struct exec_fd *exec_add_event(struct exec *e, int efd, void (*fn)(void *opaque), void *opaque);
/* The callback can stand being called from a loop that it turns itself: spares four system calls an event. */
void exec_fd_may_nest(struct exec_fd *f);
void exec_fd_remove(struct exec_fd *f); /* NULL is fine; its exec's thread, or main's under the VM lock */

/* A timer on the host's CLOCK_MONOTONIC, for backends that live in an exec (a device's timers are clock.h's).
 * All in e's thread, or before its loop runs. */
struct exec_timer;
struct exec_timer *exec_timer_new(struct exec *e, void (*fn)(void *opaque), void *opaque);
void exec_timer_at(struct exec_timer *t, int64_t ns); /* absolute; < 0: never */
void exec_timer_free(struct exec_timer *t);           /* NULL is fine */

/* One turn of the loop; true when something was dispatched. */
bool exec_iterate(struct exec *e, bool may_block);

/* Polling: before an iothread sleeps it looks, for a time that adapts itself to how long it slept before, at
 * memory that others write: rings of guests and of the kernel.  The main exec never does. */
struct exec_poll {
    /* Look, by a few loads and no system call, and do what is there: true when there was something. */
    bool (*poll)(void *opaque);
    /* From now on poll() is called often, so the other side need not notify; and no longer: then it must look
     * once more after it has asked for notification, and say whether there is something.  May be NULL. */
    void (*begin)(void *opaque);
    bool (*end)(void *opaque);
    void *opaque;
};
/* In e's thread or before its loop runs; nothing in the main exec. */
void exec_add_poll(struct exec *e, struct exec_poll *p);
void exec_remove_poll(struct exec *e, struct exec_poll *p); /* calls its end() where begin() was; may be absent */
/* max 0: off.  grow: factor, 0 is 2.  shrink: divisor, 0: back to no polling. */
void exec_set_polling(struct exec *e, int64_t max_ns, int64_t grow, int64_t shrink);

/* A bottom half: a device's callback from the main loop under the VM lock.  Scheduling twice before it
 * ran runs it once.  Scheduling needs the VM lock. */
struct bh {
    struct vm *vm;
    void (*fn)(void *opaque);
    void *opaque;
    bool pending;
    GList link;
};

void bh_init(struct bh *bh, struct vm *vm, void (*fn)(void *opaque), void *opaque);
void bh_schedule(struct bh *bh);
void bh_cancel(struct bh *bh);

#endif
