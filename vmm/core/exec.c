/* vmm/core/exec.c - execution contexts: a GMainContext, posted jobs, watched descriptors. */
#include "vmm/core/exec.h"
#include "vmm/core/vm.h"

#include <glib-unix.h>

struct job {
    void (*fn)(void *opaque);
    void *opaque;
};

struct exec_source {
    GSource base;
    struct exec *exec;
};

static bool has_jobs(struct exec *e)
{
    g_mutex_lock(&e->mutex);
    bool any = !g_queue_is_empty(&e->jobs);
    g_mutex_unlock(&e->mutex);
    return any;
}

static gboolean source_prepare(GSource *src, gint *timeout)
{
    *timeout = -1;
    return has_jobs(((struct exec_source *) src)->exec);
}

static gboolean source_check(GSource *src)
{
    return has_jobs(((struct exec_source *) src)->exec);
}

/* Runs the jobs that are there now: those that they post wait for the next turn. */
static gboolean source_dispatch(GSource *src, GSourceFunc fn, gpointer data)
{
    struct exec *e = ((struct exec_source *) src)->exec;

    (void) fn, (void) data;
    g_mutex_lock(&e->mutex);
    for (unsigned n = e->jobs.length; n; n--) {
        struct job *j = g_queue_pop_head(&e->jobs);
        g_mutex_unlock(&e->mutex);
        j->fn(j->opaque);
        g_free(j);
        g_mutex_lock(&e->mutex);
    }
    g_mutex_unlock(&e->mutex);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .prepare = source_prepare, .check = source_check,
                                     .dispatch = source_dispatch };

void exec_init(struct exec *e, struct vm *vm, const char *name, bool main)
{
    *e = (struct exec){ .name = name, .vm = vm, .main = main };
    g_mutex_init(&e->mutex);
    g_queue_init(&e->jobs);
    e->ctx = g_main_context_new();
    e->source = g_source_new(&source_funcs, sizeof(struct exec_source));
    ((struct exec_source *) e->source)->exec = e;
    g_source_attach(e->source, e->ctx);
}

void exec_clear(struct exec *e)
{
    g_source_destroy(e->source);
    g_source_unref(e->source);
    g_main_context_unref(e->ctx);
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

void exec_post(struct exec *e, void (*fn)(void *opaque), void *opaque)
{
    struct job *j = g_new(struct job, 1);

    *j = (struct job){ fn, opaque };
    g_mutex_lock(&e->mutex);
    g_queue_push_tail(&e->jobs, j);
    g_mutex_unlock(&e->mutex);
    g_main_context_wakeup(e->ctx);
}

struct exec_fd {
    GSource *source;
    void (*fn)(void *opaque, GIOCondition cond);
    void *opaque;
};

static gboolean fd_ready(gint fd, GIOCondition cond, gpointer data)
{
    struct exec_fd *f = data;

    (void) fd;
    f->fn(f->opaque, cond);
    return G_SOURCE_CONTINUE;
}

struct exec_fd *exec_add_fd(struct exec *e, int fd, GIOCondition cond,
                            void (*fn)(void *opaque, GIOCondition cond), void *opaque)
{
    struct exec_fd *f = g_new(struct exec_fd, 1);

    *f = (struct exec_fd){ g_unix_fd_source_new(fd, cond), fn, opaque };
    /* The source owns f: a callback may remove its own watch. */
    g_source_set_callback(f->source, (GSourceFunc) (void (*)(void)) fd_ready, f, g_free);
    g_source_attach(f->source, e->ctx);
    return f;
}

/* GLib takes any other source out of its set and puts it back around the callback, and wakes its loop for both. */
void exec_fd_may_nest(struct exec_fd *f)
{
    g_source_set_can_recurse(f->source, TRUE);
}

void exec_fd_remove(struct exec_fd *f)
{
    if (!f)
        return;
    GSource *source = f->source;
    g_source_destroy(source);
    g_source_unref(source);
}

bool exec_iterate(struct exec *e, bool may_block)
{
    return g_main_context_iteration(e->ctx, may_block);
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
