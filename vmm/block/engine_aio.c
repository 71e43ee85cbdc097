/* vmm/block/engine_aio.c - aio=native: the kernel's older asynchronous I/O (libaio), for O_DIRECT files: with
 * the page cache io_submit itself would block.
 *
 * Completions are read from the ring that io_setup maps into the process, as io_getevents would find them;
 * its layout is part of the kernel's interface, and told by a magic number. */
#include "vmm/block/engine.h"

#include <errno.h>
#include <libaio.h>
#include <sys/uio.h>

enum { MAX_FLYING = 128, BATCH = 32, RING_MAGIC = 0xa10a10a1 };

struct aio_ring {
    uint32_t id, nr, head, tail, magic, compat, incompat, header_length;
    struct io_event events[];
};

struct aio {
    io_context_t ctx;
    struct aio_ring *ring; /* NULL: of an unknown layout */
};

static bool aio_takes(const struct bio *io, bool direct)
{
    return direct && (io->op == BLK_READ || io->op == BLK_WRITE);
}

static bool aio_open(struct bctx *c, GError **err)
{
    io_context_t ctx = NULL;
    int n = io_setup(MAX_FLYING, &ctx);

    if (n < 0)
        return fail(err, "aio=native: %s%s", g_strerror(-n),
                    n == -EAGAIN ? " (raise the sysctl fs.aio-max-nr, or use aio=threads)"
                                 : "; use aio=threads");
    struct aio *a = g_new0(struct aio, 1);
    struct aio_ring *ring = (struct aio_ring *) ctx;
    a->ctx = ctx;
    if (ring->magic == RING_MAGIC && !ring->incompat && ring->header_length == sizeof *ring)
        a->ring = ring;
    c->engine_data = a;
    return true;
}

static void aio_close(struct bctx *c)
{
    struct aio *a = c->engine_data;

    io_destroy(a->ctx);
    g_free(a);
    c->engine_data = NULL;
}

static void prepare(struct bctx *c, const struct bio *io, struct iocb *cb)
{
    if (io->op == BLK_READ)
        io_prep_preadv(cb, io->fd, io->iov, (int) io->niov, (long long) io->off);
    else
        io_prep_pwritev(cb, io->fd, io->iov, (int) io->niov, (long long) io->off);
    cb->aio_rw_flags = io->op == BLK_WRITE && io->flags & BLK_FUA ? RWF_DSYNC : 0;
    cb->data = (void *) io;
    io_set_eventfd(cb, c->efd);
}

static void aio_submit(struct bctx *c)
{
    struct aio *a = c->engine_data;

    while (c->queue && c->flying < MAX_FLYING) {
        struct iocb cb[BATCH], *batch[BATCH];
        unsigned n = 0;
        for (struct bio *io = c->queue; io && n < BATCH && c->flying + n < MAX_FLYING; io = io->next, n++) {
            prepare(c, io, &cb[n]);
            batch[n] = &cb[n];
        }
        int got = io_submit(a->ctx, n, batch);
        if (got == -EINTR)
            continue;
        if (got == -EAGAIN && c->flying)
            return; /* the next completion tries again */
        if (got <= 0) { /* the first one itself is at fault */
            bio_finish(engine_pop(c), got ? -got : EIO);
            continue;
        }
        c->flying += (unsigned) got;
        while (got--)
            engine_pop(c);
    }
}

static bool aio_ready(struct bctx *c)
{
    struct aio *a = c->engine_data;

    return a->ring && a->ring->head != __atomic_load_n(&a->ring->tail, __ATOMIC_ACQUIRE);
}

static void event(struct bctx *c, const struct io_event *ev)
{
    c->flying--;
    engine_done(ev->data, (long) ev->res);
}

static void aio_reap(struct bctx *c)
{
    struct aio *a = c->engine_data;
    struct aio_ring *r = a->ring;

    if (r) {
        uint32_t head = r->head, tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
        if (head == tail || !c->flying)
            return;
        for (; head != tail && c->flying; head = head + 1 == r->nr ? 0 : head + 1)
            event(c, &r->events[head]);
        __atomic_store_n(&r->head, head, __ATOMIC_RELEASE);
        return;
    }
    struct io_event ev[BATCH];
    struct timespec now = { 0 };
    int n;
    do {
        n = c->flying ? io_getevents(a->ctx, 0, BATCH, ev, &now) : 0;
        for (int i = 0; i < n; i++)
            event(c, &ev[i]);
    } while (n == BATCH || n == -EINTR);
}

const struct blk_engine engine_aio = { .name = "native", .takes = aio_takes, .open = aio_open,
                                       .close = aio_close, .submit = aio_submit, .ready = aio_ready,
                                       .reap = aio_reap };
