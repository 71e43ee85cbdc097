/* vmm/block/node.c - requests between layers, and where they complete. */
#include "vmm/block/engine.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- completion -------------------------------------------------------------------------------- */

struct bwatch {
    struct bctx *ctx;
    int fd; /* -1: not in use */
    GIOCondition cond;
    void (*fn)(void *opaque, GIOCondition cond);
    void *opaque;
    struct exec_fd *watch;
    struct bwatch *next;
};

void bctx_signal(struct bctx *c)
{
    uint64_t one = 1;

    while (write(c->efd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void clear_signal(struct bctx *c)
{
    uint64_t n;

    while (read(c->efd, &n, sizeof n) < 0 && errno == EINTR)
        ;
}

void bio_ready(struct bio *io, int err)
{
    struct bctx *c = io->node->ctx;

    io->err = err;
    io->next = NULL;
    *c->ready_tail = io;
    c->ready_tail = &io->next;
}

void bio_finish(struct bio *io, int err)
{
    struct bctx *c = io->node->ctx;
    struct bio *old = __atomic_load_n(&c->remote, __ATOMIC_RELAXED);

    io->err = err;
    do {
        io->next = old;
    } while (!__atomic_compare_exchange_n(&c->remote, &old, io, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (!old)
        bctx_signal(c);
}

/* What workers and the kernel have finished goes to the ready list, in its order. */
static void collect(struct bctx *c)
{
    struct bio *io = NULL, *next, *last;

    if (__atomic_load_n(&c->remote, __ATOMIC_RELAXED))
        io = __atomic_exchange_n(&c->remote, NULL, __ATOMIC_ACQUIRE);
    last = io;
    for (struct bio *turned = NULL; io; io = next) {
        next = io->next;
        io->next = turned;
        turned = io;
        if (!next) {
            *c->ready_tail = turned;
            c->ready_tail = &last->next;
        }
    }
    if (c->flying)
        c->engine->reap(c);
}

static struct bio *pop_ready(struct bctx *c)
{
    struct bio *io = c->ready;

    if (io) {
        c->ready = io->next;
        if (!c->ready)
            c->ready_tail = &c->ready;
    }
    return io;
}

bool bctx_poll(struct bctx *c)
{
    return c->ready || __atomic_load_n(&c->remote, __ATOMIC_RELAXED) || (c->flying && c->engine->ready(c));
}

/* One at a time, for a `done` may itself drain: then that inner one takes the rest. */
bool bctx_reap(struct bctx *c)
{
    unsigned budget = 256; /* a guest that keeps the queue full must not keep the loop */
    struct bio *io;

    do {
        collect(c);
        bctx_plug(c);
        unsigned before = budget;
        while (budget && (io = pop_ready(c))) {
            budget--;
            if (!io->settle || io->settle(io))
                io->done(io, io->err);
        }
        bctx_unplug(c);
        if (c->batch && budget != before)
            c->batch(c);
    } while (budget && bctx_poll(c));
    if (!budget)
        bctx_signal(c);
    return budget;
}

void bctx_wait(struct bctx *c)
{
    struct pollfd p[8] = { { c->efd, POLLIN, 0 } };
    struct bwatch *on[8];
    nfds_t n = 1;

    if (c->queue)
        c->engine->submit(c); /* whatever is plugged, and whoever we are: it is waited for now */
    if (bctx_poll(c)) {
        bctx_reap(c);
        return;
    }
    for (struct bwatch *w = c->watches; w && n < G_N_ELEMENTS(p); w = w->next)
        if (w->fd >= 0) {
            on[n] = w;
            p[n++] = (struct pollfd){ w->fd, (short) w->cond, 0 };
        }
    while (poll(p, n, -1) < 0 && errno == EINTR)
        ;
    for (nfds_t i = 1; i < n; i++)
        if (p[i].revents && on[i]->fd == p[i].fd)
            on[i]->fn(on[i]->opaque, (GIOCondition) p[i].revents);
    if (p[0].revents)
        clear_signal(c);
    bctx_reap(c);
}

/* In the main exec: the count is taken under the lock, for another thread that has it may be draining, asleep until
 * there is one. */
static void efd_readable(void *opaque, GIOCondition cond)
{
    struct bctx *c = opaque;

    (void) cond;
    exec_enter(c->exec);
    clear_signal(c);
    engine_submit(c); /* what other threads left to this one */
    bctx_reap(c);
    exec_leave(c->exec);
}

static void efd_signalled(void *opaque)
{
    bctx_reap(opaque);
}

static bool poll_once(void *opaque)
{
    struct bctx *c = opaque;

    if (!bctx_poll(c))
        return false;
    bctx_reap(c);
    return true;
}

static void start_watching(struct bctx *c)
{
    c->watch = c->exec->main ? exec_add_fd(c->exec, c->efd, G_IO_IN, efd_readable, c)
                             : exec_add_event(c->exec, c->efd, efd_signalled, c);
    exec_add_poll(c->exec, &c->poll);
}

static void stop_watching(struct bctx *c)
{
    exec_remove_poll(c->exec, &c->poll);
    exec_fd_remove(c->watch);
}

bool bctx_init(struct bctx *c, struct vm *vm, struct exec *e, GError **err)
{
    *c = (struct bctx){ .vm = vm, .exec = e, .engine = &engine_threads, .aio = AIO_THREADS };
    c->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (c->efd < 0)
        return fail(err, "cannot make an eventfd: %s", g_strerror(errno));
    c->ready_tail = &c->ready;
    c->queue_tail = &c->queue;
    c->pool = blk_pool_ref(vm);
    c->poll = (struct exec_poll){ .poll = poll_once, .opaque = c };
    start_watching(c);
    return true;
}

void bctx_clear(struct bctx *c)
{
    engine_close(c);
    stop_watching(c);
    close(c->efd);
    for (struct bio *io; (io = c->spare);) {
        c->spare = io->next;
        g_free(io);
    }
    for (struct bwatch *w; (w = c->watches);) {
        c->watches = w->next;
        bctx_unwatch(w);
        g_free(w);
    }
    blk_pool_unref(c->vm);
}

static void move_out(void *opaque)
{
    struct bctx *c = opaque;

    stop_watching(c);
    for (struct bwatch *w = c->watches; w; w = w->next) {
        exec_fd_remove(w->watch);
        w->watch = NULL;
    }
}

static void move_in(void *opaque)
{
    struct bctx *c = opaque;

    engine_move(c);
    start_watching(c);
    for (struct bwatch *w = c->watches; w; w = w->next)
        if (w->fd >= 0) {
            GIOCondition cond = w->cond;
            w->cond = 0;
            bctx_rewatch(w, cond);
        }
}

void bctx_move(struct bctx *c, struct exec *e)
{
    exec_call(c->exec, move_out, c);
    c->exec = e;
    exec_call(e, move_in, c);
}

void bctx_plug(struct bctx *c)
{
    c->plugged++;
}

void bctx_unplug(struct bctx *c)
{
    if (!--c->plugged)
        engine_submit(c);
}

/* --- other descriptors ------------------------------------------------------------------------- */

static void watch_ready(void *opaque, GIOCondition cond)
{
    struct bwatch *w = opaque;
    struct bctx *c = w->ctx;

    exec_enter(c->exec);
    if (w->fd >= 0) { /* somebody else may have ended it while we waited for the lock */
        w->fn(w->opaque, cond);
        bctx_reap(c);
    }
    exec_leave(c->exec);
}

/* They are kept for reuse, because of that. */
struct bwatch *bctx_watch(struct bctx *c, int fd, GIOCondition cond, void (*fn)(void *opaque, GIOCondition cond),
                          void *opaque)
{
    struct bwatch *w = c->watches;

    while (w && w->fd >= 0)
        w = w->next;
    if (!w) {
        w = g_new0(struct bwatch, 1);
        w->ctx = c;
        w->next = c->watches;
        c->watches = w;
    }
    w->fd = fd;
    w->fn = fn;
    w->opaque = opaque;
    w->cond = 0;
    bctx_rewatch(w, cond);
    return w;
}

void bctx_rewatch(struct bwatch *w, GIOCondition cond)
{
    if (w->cond == cond)
        return;
    exec_fd_remove(w->watch);
    w->cond = cond;
    w->watch = exec_add_fd(w->ctx->exec, w->fd, cond, watch_ready, w);
}

void bctx_unwatch(struct bwatch *w)
{
    if (!w)
        return;
    exec_fd_remove(w->watch);
    w->watch = NULL;
    w->fd = -1;
}

/* --- bios -------------------------------------------------------------------------------------- */

/* Kept for reuse: their number is that of the most ever in flight, which the device's queue bounds. */
struct bio *bio_new(struct bctx *c)
{
    struct bio *io = c->spare;

    if (io) {
        c->spare = io->next;
        memset(io, 0, sizeof *io);
    } else {
        io = g_new0(struct bio, 1);
    }
    return io;
}

void bio_free(struct bctx *c, struct bio *io)
{
    io->next = c->spare;
    c->spare = io;
}

/* --- nodes ------------------------------------------------------------------------------------- */

struct bnode *node_new(size_t size, const struct bnode_class *cls, struct bctx *c)
{
    struct bnode *n = g_malloc0(size);

    n->cls = cls;
    n->ctx = c;
    return n;
}

void node_close(struct bnode *n)
{
    if (!n)
        return;
    if (n->cls->close)
        n->cls->close(n);
    node_close(n->child[0]);
    node_close(n->child[1]);
    g_free(n);
}

int node_lock(struct bnode *n, bool on)
{
    int err = 0;

    if (!n)
        return 0;
    if (n->cls->lock)
        err = n->cls->lock(n, on);
    for (int i = 0; i < 2 && !err; i++)
        err = node_lock(n->child[i], on);
    return err;
}

void node_drain(struct bnode *n)
{
    if (!n)
        return;
    if (n->cls->drain)
        n->cls->drain(n);
    node_drain(n->child[0]);
    node_drain(n->child[1]);
}

int node_resize(struct bnode *n, uint64_t size)
{
    return n->cls->resize ? n->cls->resize(n, size) : ENOTSUP;
}

struct sync {
    bool done;
    int err;
};

static void sync_done(struct bio *io, int err)
{
    struct sync *s = io->opaque;

    s->done = true;
    s->err = err;
}

static int node_sync(struct bnode *n, enum blk_op op, uint64_t off, void *buf, uint64_t len)
{
    struct sync s = { 0 };
    struct iovec iov = { buf, len };
    struct bio *io = bio_new(n->ctx);

    io->op = op;
    io->off = off;
    io->len = len;
    io->iov = &iov;
    io->niov = buf ? 1 : 0;
    io->done = sync_done;
    io->opaque = &s;
    node_submit(n, io);
    while (!s.done)
        bctx_wait(n->ctx);
    bio_free(n->ctx, io);
    return s.err;
}

int node_pread(struct bnode *n, uint64_t off, void *buf, size_t len)
{
    return node_sync(n, BLK_READ, off, buf, len);
}

int node_pwrite(struct bnode *n, uint64_t off, const void *buf, size_t len)
{
    return node_sync(n, BLK_WRITE, off, (void *) buf, len);
}

int node_zero(struct bnode *n, enum blk_op op, uint64_t off, uint64_t len)
{
    return node_sync(n, op, off, NULL, len);
}

int node_flush(struct bnode *n)
{
    return node_sync(n, BLK_FLUSH, 0, NULL, 0);
}

/* --- iovecs ------------------------------------------------------------------------------------ */

unsigned iov_slice(struct iovec *dst, unsigned max, const struct iovec *src, unsigned n, uint64_t skip,
                   uint64_t len, uint64_t *got)
{
    unsigned k = 0;

    *got = 0;
    for (unsigned i = 0; i < n && k < max && *got < len; i++) {
        if (skip >= src[i].iov_len) {
            skip -= src[i].iov_len;
            continue;
        }
        size_t part = (size_t) MIN(src[i].iov_len - skip, len - *got);
        dst[k++] = (struct iovec){ (char *) src[i].iov_base + skip, part };
        *got += part;
        skip = 0;
    }
    return k;
}

enum copy { TO_BUF, FROM_BUF, ZERO };

static void iov_copy(const struct iovec *iov, unsigned n, uint64_t skip, void *buf, uint64_t len,
                     enum copy dir)
{
    char *p = buf;

    for (; n && len; n--, iov++) {
        if (skip >= iov->iov_len) {
            skip -= iov->iov_len;
            continue;
        }
        size_t part = (size_t) MIN(iov->iov_len - skip, len);
        char *at = (char *) iov->iov_base + skip;
        if (dir == ZERO)
            memset(at, 0, part);
        else if (dir == TO_BUF)
            memcpy(p, at, part);
        else
            memcpy(at, p, part);
        if (p)
            p += part;
        len -= part;
        skip = 0;
    }
}

void iov_to_buf(const struct iovec *iov, unsigned n, uint64_t skip, void *buf, size_t len)
{
    iov_copy(iov, n, skip, buf, len, TO_BUF);
}

void iov_from_buf(const struct iovec *iov, unsigned n, uint64_t skip, const void *buf, size_t len)
{
    iov_copy(iov, n, skip, (void *) buf, len, FROM_BUF);
}

void iov_zero(const struct iovec *iov, unsigned n, uint64_t skip, uint64_t len)
{
    iov_copy(iov, n, skip, NULL, len, ZERO);
}

bool iov_is_zero(const struct iovec *iov, unsigned n)
{
    for (; n; n--, iov++) {
        const char *p = iov->iov_base;
        size_t len = iov->iov_len;
        if (len && (p[0] || memcmp(p, p + 1, len - 1)))
            return false;
    }
    return true;
}
