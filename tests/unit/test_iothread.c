/* tests/unit/test_iothread.c - execution contexts: the loops, calls between them, polling. */
#include "vmm/core/iothread.h"
#include "vmm/core/vm.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t stepped(void *opaque)
{
    return *(int64_t *) opaque;
}

struct rig {
    int64_t now;
    struct vm *vm;
    struct iothread *t;
};

static void rig_new(struct rig *r, const struct iothread_config *cfg)
{
    GError *err = NULL;

    *r = (struct rig){ 0 };
    r->vm = vm_new(stepped, &r->now);
    r->t = iothread_new(r->vm, "io", cfg, &err);
    g_assert_no_error(err);
}

static void rig_free(struct rig *r)
{
    vm_free(r->vm);
}

/* --- jobs and calls ---------------------------------------------------------------------------- */

struct seen {
    GThread *thread;
    unsigned n;
    bool locked;
    struct vm *vm;
};

static void see(void *opaque)
{
    struct seen *s = opaque;

    s->thread = g_thread_self();
    s->locked = vmlock_held(&s->vm->lock);
    s->n++;
}

static void see_inside(void *opaque)
{
    exec_call(&iothread_find(((struct seen *) opaque)->vm, "io")->exec, see, opaque);
}

static void test_call(void)
{
    struct rig r;
    rig_new(&r, NULL);
    struct seen s = { .vm = r.vm };

    g_assert_cmpint(r.t->tid, >, 0);
    for (unsigned i = 0; i < 1000; i++)
        exec_post(&r.t->exec, see, &s);
    exec_call(&r.t->exec, see, &s); /* behind them */
    g_assert_cmpuint(s.n, ==, 1001);
    g_assert_true(s.thread == r.t->thread && !s.locked);
    vm_lock(r.vm); /* may be held: an iothread never wants it */
    exec_call(&r.t->exec, see, &s);
    g_assert_true(s.thread == r.t->thread);
    exec_call(&r.vm->main, see, &s);
    g_assert_true(s.thread == g_thread_self() && s.locked);
    vm_unlock(r.vm);
    exec_call(&r.vm->main, see, &s);
    g_assert_true(s.thread == g_thread_self() && s.locked);
    exec_call(&r.t->exec, see_inside, &s); /* from where it is to run: directly */
    g_assert_cmpuint(s.n, ==, 1005);
    rig_free(&r);
}

/* --- descriptors ------------------------------------------------------------------------------- */

struct watch {
    struct exec *e;
    struct exec_fd *in, *again, *ev;
    struct exec_timer *timer;
    int fd, efd;
    unsigned got, events, fired;
    bool remove;
};

static void readable(void *opaque, GIOCondition cond)
{
    struct watch *w = opaque;
    char c;

    g_assert_true(cond & G_IO_IN);
    if (read(w->fd, &c, 1) == 1)
        __atomic_fetch_add(&w->got, 1, __ATOMIC_RELEASE);
    if (w->remove) { /* itself, and another that is perhaps ready in the same turn */
        exec_fd_remove(w->in);
        exec_fd_remove(w->again);
        w->in = w->again = NULL;
    }
}

static void event(void *opaque)
{
    __atomic_fetch_add(&((struct watch *) opaque)->events, 1, __ATOMIC_RELEASE);
}

static void fired(void *opaque)
{
    __atomic_fetch_add(&((struct watch *) opaque)->fired, 1, __ATOMIC_RELEASE);
}

static void add_watches(void *opaque)
{
    struct watch *w = opaque;

    w->in = exec_add_fd(w->e, w->fd, G_IO_IN, readable, w);
    w->again = exec_add_fd(w->e, w->fd, G_IO_IN, readable, w);
    w->ev = exec_add_event(w->e, w->efd, event, w);
    w->timer = exec_timer_new(w->e, fired, w);
    exec_timer_at(w->timer, g_get_monotonic_time() * 1000 + 2000000);
}

static void remove_watches(void *opaque)
{
    struct watch *w = opaque;

    exec_fd_remove(w->in);
    exec_fd_remove(w->again);
    exec_fd_remove(w->ev);
    exec_timer_free(w->timer);
}

static void set_remove(void *opaque)
{
    ((struct watch *) opaque)->remove = true;
}

static void wait_for(struct vm *vm, const unsigned *what, unsigned n)
{
    for (unsigned i = 0; i < 5000 && __atomic_load_n(what, __ATOMIC_ACQUIRE) < n; i++) {
        if (vm)
            exec_iterate(&vm->main, false);
        g_usleep(1000);
    }
    g_assert_cmpuint(__atomic_load_n(what, __ATOMIC_ACQUIRE), >=, n);
}

static void watch_in(struct rig *r, struct exec *e)
{
    int sv[2];
    struct watch w = { .e = e };
    struct vm *vm = e->main ? r->vm : NULL;
    uint64_t one = 1;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), ==, 0);
    w.fd = sv[0];
    w.efd = eventfd(0, EFD_NONBLOCK);
    exec_call(e, add_watches, &w);
    g_assert_cmpint(write(sv[1], "ab", 2), ==, 2);
    wait_for(vm, &w.got, 2);
    for (unsigned i = 1; i <= 20; i++) {
        g_assert_cmpint(write(w.efd, &one, sizeof one), ==, sizeof one);
        wait_for(vm, &w.events, i);
    }
    wait_for(vm, &w.fired, 1);
    exec_call(e, set_remove, &w);
    g_assert_cmpint(write(sv[1], "c", 1), ==, 1);
    wait_for(vm, &w.got, 3);
    exec_call(e, remove_watches, &w);
    g_assert_cmpuint(w.events, ==, 20);
    g_assert_cmpuint(w.fired, ==, 1);
    close(sv[0]);
    close(sv[1]);
    close(w.efd);
}

static void test_watch(void)
{
    struct rig r;

    rig_new(&r, NULL);
    watch_in(&r, &r.t->exec);
    watch_in(&r, &r.vm->main);
    rig_free(&r);
}

/* --- polling ----------------------------------------------------------------------------------- */

struct ring {
    struct exec *e;
    struct exec_poll poll;
    struct exec_fd *watch;
    int efd;
    unsigned avail, used;  /* the first is the driver's */
    bool want_notify;      /* the device's */
    unsigned begins, ends, kicks;
};

static bool ring_poll(void *opaque)
{
    struct ring *q = opaque;
    bool any = false;

    while (__atomic_load_n(&q->avail, __ATOMIC_SEQ_CST) != q->used) {
        __atomic_store_n(&q->used, q->used + 1, __ATOMIC_SEQ_CST);
        any = true;
    }
    return any;
}

static void ring_begin(void *opaque)
{
    struct ring *q = opaque;

    q->begins++;
    __atomic_store_n(&q->want_notify, false, __ATOMIC_SEQ_CST);
}

static bool ring_end(void *opaque)
{
    struct ring *q = opaque;

    q->ends++;
    __atomic_store_n(&q->want_notify, true, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&q->avail, __ATOMIC_SEQ_CST) != q->used;
}

static void ring_kicked(void *opaque)
{
    ring_poll(opaque);
}

static void ring_add(void *opaque)
{
    struct ring *q = opaque;

    q->watch = exec_add_event(q->e, q->efd, ring_kicked, q);
    exec_add_poll(q->e, &q->poll);
}

static void ring_remove(void *opaque)
{
    struct ring *q = opaque;

    exec_remove_poll(q->e, &q->poll);
    exec_fd_remove(q->watch);
    g_assert_cmpuint(q->begins, ==, q->ends);
}

static unsigned drive_ring(const struct iothread_config *cfg, unsigned n)
{
    struct rig r;
    rig_new(&r, cfg);
    struct ring q = { .e = &r.t->exec, .poll = { ring_poll, ring_begin, ring_end, &q }, .want_notify = true };
    uint64_t one = 1;

    q.efd = eventfd(0, EFD_NONBLOCK);
    exec_call(q.e, ring_add, &q);
    for (unsigned i = 1; i <= n; i++) {
        __atomic_store_n(&q.avail, i, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&q.want_notify, __ATOMIC_SEQ_CST)) {
            q.kicks++;
            g_assert_cmpint(write(q.efd, &one, sizeof one), ==, sizeof one);
        }
        for (gint64 until = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
             __atomic_load_n(&q.used, __ATOMIC_SEQ_CST) != i;) /* no lost notification, ever */
            g_assert_cmpint(g_get_monotonic_time(), <, until);
        if (i % 64 == 0)
            g_usleep(100); /* longer than it polls */
    }
    exec_call(q.e, ring_remove, &q);
    unsigned begins = q.begins;
    GString *s = g_string_new(NULL);
    iothreads_describe(r.vm, s);
    g_assert_true(g_str_has_prefix(s->str, "io:\n  thread_id="));
    g_string_free(s, TRUE);
    close(q.efd);
    rig_free(&r);
    return begins;
}

static void test_poll(void)
{
    static const struct iothread_config never = { 0 }, always = { 50000, 2, 2 };

    g_assert_cmpuint(drive_ring(&never, 500), ==, 0);
    g_assert_cmpuint(drive_ring(&always, 5000), >, 0);
}

/* --- who gets one ------------------------------------------------------------------------------ */

static void test_attach(void)
{
    struct rig r;
    GError *err = NULL;
    rig_new(&r, NULL);

    g_assert_true(iothread_attach(r.vm, NULL, "disk", &err) == &r.vm->main); /* no threads on the bench */
    g_assert_true(iothread_attach(r.vm, r.t, "disk", &err) == &r.t->exec);
    iothread_detach(&r.t->exec);
    r.vm->no_threads = false;
    struct exec *a = iothread_attach(r.vm, NULL, "disk", &err), *b = iothread_attach(r.vm, NULL, "disk", &err);
    g_assert_true(a && b && a != b);
    g_assert_nonnull(iothread_find(r.vm, "disk"));
    g_assert_nonnull(iothread_find(r.vm, "disk.2"));
    iothread_detach(a);
    iothread_detach(b);
    iothread_detach(&r.vm->main);
    iothread_detach(NULL);
    g_assert_cmpuint(g_hash_table_size(r.vm->iothreads), ==, 1);
    r.vm->cpus = 100000; /* nobody polls where CPUs are few, but who was told to */
    static const struct iothread_config told = { 1000, 0, 0 };
    g_assert_nonnull(iothread_new(r.vm, "told", &told, &err));
    g_assert_cmpint(r.t->exec.poll_max_ns, ==, 0);
    g_assert_cmpint(iothread_find(r.vm, "told")->exec.poll_max_ns, ==, 1000);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iothread/call", test_call);
    g_test_add_func("/iothread/watch", test_watch);
    g_test_add_func("/iothread/poll", test_poll);
    g_test_add_func("/iothread/attach", test_attach);
    return g_test_run();
}
