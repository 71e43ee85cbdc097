/* vmm/core/exec_loop.c - an iothread's loop: epoll, and polling of memory before it sleeps.
 *
 * GLib's loop takes three times as long for an event: it builds its poll set anew each turn, under locks, and a
 * level-triggered eventfd must be read.  Here eventfds are edge-triggered and are never read.
 *
 * How long to poll follows what happened: when the sleep that came after it was so short that a longer look
 * would have seen the event, it grows; when it was longer than any look may be, it shrinks. */
#include "vmm/core/exec_int.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 32,
    FIRST_POLL_NS = 4000,
    MAX_SKIPPED = 64, /* turns that polling keeps from looking at the descriptors */
};

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void woken(void *opaque)
{
    (void) opaque; /* the turn runs the jobs */
}

void exec_loop_init(struct exec *e)
{
    e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (e->epoll_fd < 0 || e->wake_fd < 0)
        g_error("cannot make an event loop: %s", g_strerror(errno)); /* as GLib does for its own */
    e->polls = g_ptr_array_new();
    e->wake = exec_add_event(e, e->wake_fd, woken, e);
}

static void free_dead(struct exec *e)
{
    for (struct exec_fd *f; (f = e->dead);) {
        e->dead = f->next_dead;
        g_free(f);
    }
}

void exec_loop_clear(struct exec *e)
{
    e->thread = NULL;
    exec_fd_remove(e->wake);
    free_dead(e);
    close(e->wake_fd);
    close(e->epoll_fd);
    g_ptr_array_free(e->polls, TRUE);
}

void exec_loop_wake(struct exec *e)
{
    uint64_t one = 1;

    while (write(e->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void exec_loop_add(struct exec *e, struct exec_fd *f)
{
    struct epoll_event ev = { .events = (uint32_t) f->cond | (f->event ? EPOLLET : 0), .data.ptr = f };
    int r = epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, f->fd, &ev);

    if (r && errno == EEXIST) { /* epoll has a descriptor only once; GLib's loop does not mind */
        f->own_fd = dup(f->fd);
        r = f->own_fd < 0 ? -1 : epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, f->own_fd, &ev);
    }
    if (r)
        warn_user("iothread '%s' cannot watch a descriptor: %s", e->name, g_strerror(errno));
}

void exec_loop_remove(struct exec *e, struct exec_fd *f)
{
    g_assert(!e->thread || e->thread == g_thread_self());
    epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, f->own_fd >= 0 ? f->own_fd : f->fd, NULL);
    if (f->own_fd >= 0)
        close(f->own_fd);
    f->dead = true; /* this turn may have an event of it in hand */
    f->next_dead = e->dead;
    e->dead = f;
}

/* --- polling ----------------------------------------------------------------------------------- */

void exec_add_poll(struct exec *e, struct exec_poll *p)
{
    if (e->main)
        return;
    g_ptr_array_add(e->polls, p);
    if (e->polling && p->begin)
        p->begin(p->opaque);
}

void exec_remove_poll(struct exec *e, struct exec_poll *p)
{
    if (!e->main && g_ptr_array_remove(e->polls, p) && e->polling && p->end)
        p->end(p->opaque);
}

void exec_set_polling(struct exec *e, int64_t max_ns, int64_t grow, int64_t shrink)
{
    __atomic_store_n(&e->poll_grow, grow, __ATOMIC_RELAXED);
    __atomic_store_n(&e->poll_shrink, shrink, __ATOMIC_RELAXED);
    __atomic_store_n(&e->poll_max_ns, max_ns, __ATOMIC_RELAXED);
}

static void begin_polling(struct exec *e)
{
    e->polling = true;
    for (guint i = 0; i < e->polls->len; i++) {
        struct exec_poll *p = e->polls->pdata[i];
        if (p->begin)
            p->begin(p->opaque);
    }
}

/* True: something came in between. */
static bool end_polling(struct exec *e)
{
    bool any = false;

    e->polling = false;
    for (guint i = 0; i < e->polls->len; i++) {
        struct exec_poll *p = e->polls->pdata[i];
        if (p->end)
            any |= p->end(p->opaque);
    }
    return any;
}

static bool spin(struct exec *e, int64_t until)
{
    if (!e->polling)
        begin_polling(e);
    for (;;) {
        bool done = false;
        for (guint i = 0; i < e->polls->len; i++) { /* a callback may take itself out */
            struct exec_poll *p = e->polls->pdata[i];
            done |= p->poll(p->opaque);
        }
        if (done || exec_has_jobs(e)) {
            __atomic_store_n(&e->spins, e->spins + 1, __ATOMIC_RELAXED);
            return true;
        }
        if (now_ns() >= until)
            return false;
        __builtin_ia32_pause();
    }
}

static void adapt(struct exec *e, int64_t waited, int64_t max)
{
    int64_t grow = __atomic_load_n(&e->poll_grow, __ATOMIC_RELAXED) ?: 2,
            shrink = __atomic_load_n(&e->poll_shrink, __ATOMIC_RELAXED);

    if (e->poll_ns > max)
        e->poll_ns = max;
    if (waited <= e->poll_ns)
        return;
    if (waited > max)
        e->poll_ns = shrink ? e->poll_ns / shrink : 0;
    else if (e->poll_ns < max)
        e->poll_ns = e->poll_ns ? (e->poll_ns > max / grow ? max : e->poll_ns * grow) : MIN(FIRST_POLL_NS, max);
}

/* --- the loop ---------------------------------------------------------------------------------- */

static void dispatch(struct exec *e, const struct epoll_event *ev, int n)
{
    for (int i = 0; i < n; i++) {
        struct exec_fd *f = ev[i].data.ptr;
        if (f->dead)
            continue;
        if (f->event)
            f->event(f->opaque);
        else
            f->fn(f->opaque, (GIOCondition) ev[i].events);
    }
    free_dead(e);
}

bool exec_loop_turn(struct exec *e, bool may_block)
{
    struct epoll_event ev[EVENTS];
    int64_t max = e->polls->len ? __atomic_load_n(&e->poll_max_ns, __ATOMIC_RELAXED) : 0;
    int64_t from = 0;
    bool done = exec_run_jobs(e);

    if (may_block && !done && max) {
        from = now_ns();
        done = e->poll_ns && spin(e, from + MIN(e->poll_ns, max));
    }
    if (done && ++e->skipped < MAX_SKIPPED) {
        free_dead(e);
        return true;
    }
    e->skipped = 0;
    bool sleep = may_block && !done;
    if (sleep && e->polling && end_polling(e))
        sleep = false;
    int n = epoll_wait(e->epoll_fd, ev, EVENTS, sleep ? -1 : 0);
    if (sleep) {
        __atomic_store_n(&e->sleeps, e->sleeps + 1, __ATOMIC_RELAXED);
        if (max)
            adapt(e, now_ns() - from, max);
    }
    dispatch(e, ev, MAX(n, 0));
    return done || n > 0;
}
