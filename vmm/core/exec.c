/* vmm/core/exec.c - execution contexts: posted jobs, watched descriptors, and the main loop's GMainContext.
 * An iothread's loop is exec_loop.c's. */
#include "vmm/core/exec_int.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* --- jobs -------------------------------------------------------------------------------------- */

struct job {
    void (*fn)(void *opaque);
    void *opaque;
};

struct exec_source {
    GSource base;
    struct exec *exec;
};

bool exec_has_jobs(const struct exec *e)
{
    return __atomic_load_n(&e->n_jobs, __ATOMIC_ACQUIRE) != 0;
}

/* Runs the jobs that are there now: those that they post wait for the next turn. */
bool exec_run_jobs(struct exec *e)
{
    if (!exec_has_jobs(e))
        return false;
    g_mutex_lock(&e->mutex);
    for (unsigned n = e->jobs.length; n; n--) {
        struct job *j = g_queue_pop_head(&e->jobs);
        __atomic_store_n(&e->n_jobs, e->jobs.length, __ATOMIC_RELEASE);
        g_mutex_unlock(&e->mutex);
        j->fn(j->opaque);
        g_free(j);
        g_mutex_lock(&e->mutex);
    }
    g_mutex_unlock(&e->mutex);
    return true;
}

static gboolean source_prepare(GSource *src, gint *timeout)
{
    *timeout = -1;
    return exec_has_jobs(((struct exec_source *) src)->exec);
}

static gboolean source_check(GSource *src)
{
    return exec_has_jobs(((struct exec_source *) src)->exec);
}

static gboolean source_dispatch(GSource *src, GSourceFunc fn, gpointer data)
{
    (void) fn, (void) data;
    exec_run_jobs(((struct exec_source *) src)->exec);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .prepare = source_prepare, .check = source_check,
                                     .dispatch = source_dispatch };

void exec_post(struct exec *e, void (*fn)(void *opaque), void *opaque)
{
    struct job *j = g_new(struct job, 1);

    *j = (struct job){ fn, opaque };
    g_mutex_lock(&e->mutex);
    g_queue_push_tail(&e->jobs, j);
    bool first = e->jobs.length == 1;
    __atomic_store_n(&e->n_jobs, e->jobs.length, __ATOMIC_RELEASE);
    g_mutex_unlock(&e->mutex);
    if (e->main)
        g_main_context_wakeup(e->ctx);
    else if (first)
        exec_loop_wake(e);
}

struct call {
    void (*fn)(void *opaque);
    void *opaque;
    GMutex mutex;
    GCond cond;
    bool done;
};

static void call_job(void *opaque)
{
    struct call *c = opaque;

    c->fn(c->opaque);
    g_mutex_lock(&c->mutex);
    c->done = true;
    g_cond_signal(&c->cond);
    g_mutex_unlock(&c->mutex);
}

void exec_call(struct exec *e, void (*fn)(void *opaque), void *opaque)
{
    if (e->main) {
        bool held = vmlock_held(&e->vm->lock);
        if (!held)
            exec_enter(e);
        fn(opaque);
        if (!held)
            exec_leave(e);
        return;
    }
    if (!e->thread || e->thread == g_thread_self()) {
        fn(opaque);
        return;
    }
    struct call c = { .fn = fn, .opaque = opaque };
    g_mutex_init(&c.mutex);
    g_cond_init(&c.cond);
    exec_post(e, call_job, &c);
    g_mutex_lock(&c.mutex);
    while (!c.done)
        g_cond_wait(&c.cond, &c.mutex);
    g_mutex_unlock(&c.mutex);
    g_mutex_clear(&c.mutex);
    g_cond_clear(&c.cond);
}

/* --- life -------------------------------------------------------------------------------------- */

void exec_init(struct exec *e, struct vm *vm, const char *name, bool main)
{
    *e = (struct exec){ .name = name, .vm = vm, .main = main, .epoll_fd = -1, .wake_fd = -1 };
    g_mutex_init(&e->mutex);
    g_queue_init(&e->jobs);
    if (!main) {
        exec_loop_init(e);
        return;
    }
    e->ctx = g_main_context_new();
    e->source = g_source_new(&source_funcs, sizeof(struct exec_source));
    ((struct exec_source *) e->source)->exec = e;
    g_source_attach(e->source, e->ctx);
}

void exec_clear(struct exec *e)
{
    if (e->main) {
        g_source_destroy(e->source);
        g_source_unref(e->source);
        g_main_context_unref(e->ctx);
    } else {
        exec_loop_clear(e);
    }
    g_queue_clear_full(&e->jobs, g_free);
    g_mutex_clear(&e->mutex);
}

void exec_enter(struct exec *e)
{
    if (!e->main)
        return;
    vm_lock(e->vm);
    vm_drain(e->vm);
}

void exec_leave(struct exec *e)
{
    if (e->main)
        vm_unlock(e->vm);
}

bool exec_iterate(struct exec *e, bool may_block)
{
    return e->main ? g_main_context_iteration(e->ctx, may_block) : exec_loop_turn(e, may_block);
}

/* --- descriptors ------------------------------------------------------------------------------- */

static void clear_event(int fd)
{
    uint64_t n;

    while (read(fd, &n, sizeof n) < 0 && errno == EINTR)
        ;
}

static gboolean fd_ready(gint fd, GIOCondition cond, gpointer data)
{
    struct exec_fd *f = data;

    if (f->event) {
        clear_event(fd);
        f->event(f->opaque);
    } else {
        f->fn(f->opaque, cond);
    }
    return G_SOURCE_CONTINUE;
}

static struct exec_fd *add(struct exec *e, struct exec_fd *f)
{
    f->exec = e;
    f->own_fd = -1;
    if (!e->main) {
        exec_loop_add(e, f);
        return f;
    }
    f->source = g_unix_fd_source_new(f->fd, f->cond);
    /* The source owns f: a callback may remove its own watch. */
    g_source_set_callback(f->source, (GSourceFunc) (void (*)(void)) fd_ready, f, g_free);
    g_source_attach(f->source, e->ctx);
    return f;
}

struct exec_fd *exec_add_fd(struct exec *e, int fd, GIOCondition cond,
                            void (*fn)(void *opaque, GIOCondition cond), void *opaque)
{
    struct exec_fd *f = g_new(struct exec_fd, 1);

    *f = (struct exec_fd){ .fd = fd, .cond = cond, .fn = fn, .opaque = opaque };
    return add(e, f);
}

struct exec_fd *exec_add_event(struct exec *e, int efd, void (*fn)(void *opaque), void *opaque)
{
    struct exec_fd *f = g_new(struct exec_fd, 1);

    *f = (struct exec_fd){ .fd = efd, .cond = G_IO_IN, .event = fn, .opaque = opaque };
    return add(e, f);
}

/* GLib takes any other source out of its set and puts it back around the callback, and wakes its loop for both. */
void exec_fd_may_nest(struct exec_fd *f)
{
    if (f->source)
        g_source_set_can_recurse(f->source, TRUE);
}

void exec_fd_remove(struct exec_fd *f)
{
    if (!f)
        return;
    if (!f->exec->main) {
        exec_loop_remove(f->exec, f);
        return;
    }
    GSource *source = f->source;
    g_source_destroy(source);
    g_source_unref(source);
}

/* --- timers ------------------------------------------------------------------------------------ */

struct exec_timer {
    int fd;
    struct exec_fd *watch;
    void (*fn)(void *opaque);
    void *opaque;
};

static void timer_ready(void *opaque, GIOCondition cond)
{
    struct exec_timer *t = opaque;
    uint64_t n;

    (void) cond;
    if (read(t->fd, &n, sizeof n) == sizeof n) /* else it was set anew meanwhile */
        t->fn(t->opaque);
}

struct exec_timer *exec_timer_new(struct exec *e, void (*fn)(void *opaque), void *opaque)
{
    struct exec_timer *t = g_new(struct exec_timer, 1);

    *t = (struct exec_timer){ .fn = fn, .opaque = opaque };
    t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->fd < 0)
        g_error("cannot make a timer: %s", g_strerror(errno)); /* as GLib does for its own descriptors */
    t->watch = exec_add_fd(e, t->fd, G_IO_IN, timer_ready, t);
    return t;
}

void exec_timer_at(struct exec_timer *t, int64_t ns)
{
    struct itimerspec its = { 0 };

    if (ns >= 0) { /* a zero it_value would disarm */
        ns = MAX(ns, 1);
        its.it_value = (struct timespec){ ns / NS_PER_SEC, ns % NS_PER_SEC };
    }
    timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &its, NULL);
}

void exec_timer_free(struct exec_timer *t)
{
    if (!t)
        return;
    exec_fd_remove(t->watch);
    close(t->fd);
    g_free(t);
}

/* --- bottom halves ----------------------------------------------------------------------------- */

static void run_bhs(void *opaque)
{
    struct vm *vm = opaque;

    vm_lock(vm);
    vm_drain(vm);
    for (unsigned n = vm->bhs.length; n && vm->bhs.head; n--) {
        struct bh *bh = vm->bhs.head->data;
        bh_cancel(bh);
        bh->fn(bh->opaque);
    }
    bool more = vm->bhs.head != NULL;
    vm_unlock(vm);
    if (more)
        exec_post(&vm->main, run_bhs, vm);
}

void bh_init(struct bh *bh, struct vm *vm, void (*fn)(void *opaque), void *opaque)
{
    *bh = (struct bh){ .vm = vm, .fn = fn, .opaque = opaque };
    bh->link.data = bh;
}

void bh_schedule(struct bh *bh)
{
    if (bh->pending)
        return;
    bh->pending = true;
    g_queue_push_tail_link(&bh->vm->bhs, &bh->link);
    exec_post(&bh->vm->main, run_bhs, bh->vm);
}

void bh_cancel(struct bh *bh)
{
    if (!bh->pending)
        return;
    bh->pending = false;
    g_queue_unlink(&bh->vm->bhs, &bh->link);
}
