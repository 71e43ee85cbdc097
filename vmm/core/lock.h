/* vmm/core/lock.h - the VM lock: fair, first come, first served, not recursive. */
#ifndef BANTAM_CORE_LOCK_H
#define BANTAM_CORE_LOCK_H

#include <glib.h>
#include <stdbool.h>

struct vmlock {
    GMutex mutex;
    GCond cond;
    unsigned next, serving; /* tickets */
    GThread *owner;         /* for assertions */
};

void vmlock_init(struct vmlock *l);
void vmlock_clear(struct vmlock *l);
void vmlock_lock(struct vmlock *l);
void vmlock_unlock(struct vmlock *l);
bool vmlock_held(struct vmlock *l); /* by this thread */

#endif
