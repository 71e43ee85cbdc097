/* vmm/core/exec.h - execution contexts: where callbacks run.
 *
 * An `exec` is an event loop: the VM's main one, or an iothread's.  Backends (block, char, net) live in
 * exactly one.  Callbacks of an exec run *without* the VM lock; who calls into a device from one brackets
 * the call with exec_enter()/exec_leave(), which takes the VM lock in the main exec and nothing in an
 * iothread (an iothread never takes the VM lock). */
#ifndef BANTAM_CORE_EXEC_H
#define BANTAM_CORE_EXEC_H

#include "vmm/base/util.h"

struct vm;

struct exec {
    const char *name;
    struct vm *vm;
    GMainContext *ctx;
    bool main;
    GMutex mutex;
    GQueue jobs; /* struct job */
    GSource *source;
};

struct exec_fd; /* a watched file descriptor */

void exec_init(struct exec *e, struct vm *vm, const char *name, bool main);
void exec_clear(struct exec *e);

void exec_enter(struct exec *e);
void exec_leave(struct exec *e);

/* Run fn(opaque) once, soon, in e's thread, without the lock.  From any thread. */
void exec_post(struct exec *e, void (*fn)(void *opaque), void *opaque);

/* Call fn while `cond` holds on fd.  From e's thread, or before its loop runs. */
struct exec_fd *exec_add_fd(struct exec *e, int fd, GIOCondition cond,
                            void (*fn)(void *opaque, GIOCondition cond), void *opaque);
/* The callback can stand being called from a loop that it turns itself: spares four system calls an event. */
void exec_fd_may_nest(struct exec_fd *f);
void exec_fd_remove(struct exec_fd *f); /* NULL is fine */

/* One turn of the loop; true when something was dispatched. */
bool exec_iterate(struct exec *e, bool may_block);

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
