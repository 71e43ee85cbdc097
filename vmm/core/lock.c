/* vmm/core/lock.c - the VM lock: a ticket lock that sleeps. */
#include "vmm/core/lock.h"

void vmlock_init(struct vmlock *l)
{
    *l = (struct vmlock){ 0 };
    g_mutex_init(&l->mutex);
    g_cond_init(&l->cond);
}

void vmlock_clear(struct vmlock *l)
{
    g_mutex_clear(&l->mutex);
    g_cond_clear(&l->cond);
}

void vmlock_lock(struct vmlock *l)
{
    g_mutex_lock(&l->mutex);
    unsigned ticket = l->next++;
    while (l->serving != ticket)
        g_cond_wait(&l->cond, &l->mutex);
    g_mutex_unlock(&l->mutex);
    __atomic_store_n(&l->owner, g_thread_self(), __ATOMIC_RELAXED);
}

void vmlock_unlock(struct vmlock *l)
{
    __atomic_store_n(&l->owner, NULL, __ATOMIC_RELAXED);
    g_mutex_lock(&l->mutex);
    l->serving++;
    if (l->serving != l->next)
        g_cond_broadcast(&l->cond); /* few waiters: the right one goes on */
    g_mutex_unlock(&l->mutex);
}

bool vmlock_held(struct vmlock *l)
{
    return __atomic_load_n(&l->owner, __ATOMIC_RELAXED) == g_thread_self();
}
