/* vmm/core/iothread.c - threads that run an exec. */
#include "vmm/core/iothread.h"
#include "vmm/core/vm.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define T struct iothread_config
const struct prop iothread_props[] = {
    PROP_U64(T, poll_max_ns, IOTHREAD_POLL_AUTO, .name = "poll-max-ns", .max = NS_PER_SEC,
             .desc = "longest polling before it sleeps; the default is 0 when CPUs are few"),
    PROP_U64(T, poll_grow, 0, .name = "poll-grow", .max = 1000, .desc = "factor by which polling grows, 0 is 2"),
    PROP_U64(T, poll_shrink, 0, .name = "poll-shrink", .max = 1000,
             .desc = "divisor by which it shrinks, 0: to none"),
    {}
};
#undef T

static unsigned host_cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned) CPU_COUNT(&set);
}

/* A thread that polls takes its CPU from a vCPU when there is not one for each. */
static void balance(struct vm *vm)
{
    bool crowded = vm->cpus + g_hash_table_size(vm->iothreads) > host_cpus();
    GHashTableIter it;
    void *val;

    g_hash_table_iter_init(&it, vm->iothreads);
    while (g_hash_table_iter_next(&it, NULL, &val)) {
        struct iothread *t = val;
        uint64_t max = t->cfg.poll_max_ns == IOTHREAD_POLL_AUTO && crowded ? 0 : t->cfg.poll_max_ns;
        exec_set_polling(&t->exec, (int64_t) max, (int64_t) t->cfg.poll_grow, (int64_t) t->cfg.poll_shrink);
    }
}

static void ready(void *opaque)
{
    struct iothread *t = opaque;

    t->tid = (int) syscall(SYS_gettid);
}

static void *thread(void *opaque)
{
    struct iothread *t = opaque;

    while (!t->quit)
        exec_iterate(&t->exec, true);
    return NULL;
}

struct iothread *iothread_new(struct vm *vm, const char *id, const struct iothread_config *cfg, GError **err)
{
    struct iothread *t = g_new0(struct iothread, 1);
    char *name = g_strdup_printf("IO %.12s", id);
    sigset_t all, old;

    if (cfg)
        t->cfg = *cfg;
    else
        props_set_defaults(iothread_props, &t->cfg);
    t->id = g_strdup(id);
    exec_init(&t->exec, vm, t->id, false);
    /* Signals are the main thread's, or kick vCPUs. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    t->thread = g_thread_try_new(name, thread, t, err);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    g_free(name);
    if (!t->thread) {
        fail_prefix(err, "iothread '%s'", id);
        exec_clear(&t->exec);
        g_free(t->id);
        g_free(t);
        return NULL;
    }
    t->exec.thread = t->thread; /* it reads that only in what it is posted */
    exec_call(&t->exec, ready, t);
    g_hash_table_insert(vm->iothreads, t->id, t);
    balance(vm);
    return t;
}

static void stop(void *opaque)
{
    ((struct iothread *) opaque)->quit = true;
}

void iothread_free(struct iothread *t)
{
    struct vm *vm = t->exec.vm;

    exec_post(&t->exec, stop, t);
    g_thread_join(t->thread);
    g_hash_table_remove(vm->iothreads, t->id);
    exec_clear(&t->exec);
    g_free(t->id);
    g_free(t);
    balance(vm);
}

void iothread_free_all(struct vm *vm)
{
    GList *all = g_hash_table_get_values(vm->iothreads);

    for (GList *l = all; l; l = l->next)
        iothread_free(l->data);
    g_list_free(all);
}

struct iothread *iothread_find(struct vm *vm, const char *id)
{
    return g_hash_table_lookup(vm->iothreads, id);
}

struct exec *iothread_attach(struct vm *vm, struct iothread *given, const char *what, GError **err)
{
    if (!given && vm->no_threads)
        return &vm->main;
    if (!given) {
        char *id = g_strdup(what);
        for (unsigned n = 2; iothread_find(vm, id); n++) {
            g_free(id);
            id = g_strdup_printf("%s.%u", what, n);
        }
        given = iothread_new(vm, id, NULL, err);
        g_free(id);
        if (!given)
            return NULL;
        given->automatic = true;
    }
    given->users++;
    return &given->exec;
}

void iothread_detach(struct exec *e)
{
    if (!e || e->main)
        return;
    struct iothread *t = container_of(e, struct iothread, exec);
    if (!--t->users && t->automatic)
        iothread_free(t);
}

static gint by_id(gconstpointer a, gconstpointer b)
{
    return strcmp(((const struct iothread *) a)->id, ((const struct iothread *) b)->id);
}

void iothreads_describe(struct vm *vm, GString *out)
{
    GList *all = g_list_sort(g_hash_table_get_values(vm->iothreads), by_id);

    for (GList *l = all; l; l = l->next) {
        const struct iothread *t = l->data;
        g_string_append_printf(out, "%s:\n  thread_id=%d\n  poll-max-ns=%" PRId64 "\n  poll-grow=%" PRIu64 "\n"
                               "  poll-shrink=%" PRIu64 "\n  sleeps=%" PRIu64 "\n  polled=%" PRIu64 "\n",
                               t->id, t->tid, __atomic_load_n(&t->exec.poll_max_ns, __ATOMIC_RELAXED),
                               t->cfg.poll_grow, t->cfg.poll_shrink,
                               __atomic_load_n(&t->exec.sleeps, __ATOMIC_RELAXED),
                               __atomic_load_n(&t->exec.spins, __ATOMIC_RELAXED));
    }
    g_list_free(all);
}
