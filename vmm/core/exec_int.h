/* vmm/core/exec_int.h - between exec.c and exec_loop.c. */
#ifndef BANTAM_CORE_EXEC_INT_H
#define BANTAM_CORE_EXEC_INT_H

#include "vmm/core/exec.h"

struct exec_fd {
    struct exec *exec;
    int fd, own_fd; /* own_fd: a duplicate, for a descriptor that is watched twice; or -1 */
    GIOCondition cond;
    void (*fn)(void *opaque, GIOCondition cond);
    void (*event)(void *opaque); /* in place of fn, for an eventfd */
    void *opaque;
    GSource *source; /* main */
    bool dead;       /* iothread: freed when the turn ends */
    struct exec_fd *next_dead;
};

bool exec_has_jobs(const struct exec *e);
bool exec_run_jobs(struct exec *e);

void exec_loop_init(struct exec *e);
void exec_loop_clear(struct exec *e);
void exec_loop_wake(struct exec *e);
void exec_loop_add(struct exec *e, struct exec_fd *f);
void exec_loop_remove(struct exec *e, struct exec_fd *f);
bool exec_loop_turn(struct exec *e, bool may_block);

#endif
