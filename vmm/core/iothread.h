/* vmm/core/iothread.h - threads that run an exec: -object iothread, and those that disks and NICs get.
 *
 * A device that can work in an iothread takes one when it is realized: the one its iothread= names, or one of
 * its own that goes with it.  They are made and freed by the main thread. */
#ifndef BANTAM_CORE_IOTHREAD_H
#define BANTAM_CORE_IOTHREAD_H

#include "vmm/core/exec.h"
#include "vmm/core/prop.h"

struct iothread_config { /* -object iothread */
    uint64_t poll_max_ns, poll_grow, poll_shrink;
};
extern const struct prop iothread_props[];
enum { IOTHREAD_POLL_AUTO = 32768 }; /* the default of poll-max-ns, which gives way when the CPUs are few */

struct iothread {
    struct exec exec;
    char *id;
    struct iothread_config cfg;
    bool automatic; /* belongs to the device it was made for */
    unsigned users;
    GThread *thread;
    int tid;        /* Linux's number */
    bool quit;      /* its own */
};

/* Made and running; it is in vm->iothreads under its id.  cfg NULL: the defaults. */
struct iothread *iothread_new(struct vm *vm, const char *id, const struct iothread_config *cfg, GError **err);
void iothread_free(struct iothread *t); /* nothing lives in it any more */
void iothread_free_all(struct vm *vm);

/* For realize: the exec that the device works in.  `given` is its iothread= property; NULL: it gets a thread of
 * its own, named after `what` (its backend's id, or its name).  In a VM without threads (the bench): the main
 * exec. */
struct exec *iothread_attach(struct vm *vm, struct iothread *given, const char *what, GError **err);
void iothread_detach(struct exec *e); /* NULL and the main exec are fine */

struct iothread *iothread_find(struct vm *vm, const char *id);
void iothreads_describe(struct vm *vm, GString *out); /* `info iothreads` */

#endif
