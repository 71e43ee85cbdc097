/* vmm/block/pool.c - the drives' worker threads. */
#include "vmm/block/pool.h"
#include "vmm/core/vm.h"

#include <pthread.h>
#include <signal.h>

/* A disk is kept busy by a few dozen requests; more threads only take memory and shuffle the queue. */
enum { MAX_THREADS = 32 };
#define IDLE_US (10 * G_USEC_PER_SEC)

struct blk_thread {
    struct blk_pool *pool;
    GThread *thread; /* NULL: a free slot */
    bool ended;      /* only to be joined */
};

struct blk_pool {
    unsigned refs; /* main thread */
    GMutex mutex;
    GCond work;
    struct blk_work *head, **tail;
    unsigned queued, threads, starting, idle;
    bool quit;
    struct blk_thread slot[MAX_THREADS];
};

static gpointer worker(gpointer opaque)
{
    struct blk_thread *t = opaque;
    struct blk_pool *p = t->pool;

    g_mutex_lock(&p->mutex);
    p->starting--;
    for (;;) {
        gint64 until = g_get_monotonic_time() + IDLE_US;
        bool timely = true;
        while (!p->head && !p->quit && timely) {
            p->idle++;
            timely = g_cond_wait_until(&p->work, &p->mutex, until);
            p->idle--;
        }
        struct blk_work *w = p->head;
        if (!w)
            break;
        p->head = w->next;
        if (!p->head)
            p->tail = &p->head;
        p->queued--;
        g_mutex_unlock(&p->mutex);
        w->run(w);
        g_mutex_lock(&p->mutex);
    }
    p->threads--;
    t->ended = true;
    g_mutex_unlock(&p->mutex);
    return NULL;
}

/* Workers never take a signal: SIGINT and SIGTERM are the main thread's, kicks the vCPUs', and SIGXFSZ (a
 * file size limit) must become an error of the request and not the end of the process. */
static bool start_thread(struct blk_pool *p)
{
    struct blk_thread *t = p->slot;
    sigset_t all, old;

    while (t->thread && !t->ended)
        t++;
    if (t->thread)
        g_thread_join(t->thread);
    t->pool = p;
    t->ended = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    t->thread = g_thread_try_new("blk-worker", worker, t, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!t->thread)
        return false;
    p->threads++;
    p->starting++;
    return true;
}

struct blk_pool *blk_pool_ref(struct vm *vm)
{
    struct blk_pool *p = vm->blk_pool;

    if (!p) {
        p = vm->blk_pool = g_new0(struct blk_pool, 1);
        g_mutex_init(&p->mutex);
        g_cond_init(&p->work);
        p->tail = &p->head;
    }
    p->refs++;
    return p;
}

void blk_pool_unref(struct vm *vm)
{
    struct blk_pool *p = vm->blk_pool;

    if (--p->refs)
        return;
    g_mutex_lock(&p->mutex);
    p->quit = true;
    g_cond_broadcast(&p->work);
    g_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < MAX_THREADS; i++)
        if (p->slot[i].thread)
            g_thread_join(p->slot[i].thread);
    g_mutex_clear(&p->mutex);
    g_cond_clear(&p->work);
    vm->blk_pool = NULL;
    g_free(p);
}

void blk_pool_push(struct blk_pool *p, struct blk_work *w)
{
    w->next = NULL;
    g_mutex_lock(&p->mutex);
    *p->tail = w;
    p->tail = &w->next;
    p->queued++;
    bool served = p->threads || start_thread(p);
    if (!served) { /* with no thread the queue held nothing else */
        p->head = NULL;
        p->tail = &p->head;
        p->queued = 0;
    } else if (p->queued > p->idle + p->starting && p->threads < MAX_THREADS) {
        start_thread(p);
    }
    if (p->idle)
        g_cond_signal(&p->work);
    g_mutex_unlock(&p->mutex);
    if (!served)
        w->run(w);
}

unsigned blk_pool_threads(struct blk_pool *p)
{
    g_mutex_lock(&p->mutex);
    unsigned n = p->threads;
    g_mutex_unlock(&p->mutex);
    return n;
}
