/* vmm/block/engine.c - which engine a drive gets, and the queue in front of it. */
#include "vmm/block/engine.h"
#include "vmm/core/vm.h"

static bool takes_nothing(const struct bio *io, bool direct)
{
    (void) io, (void) direct;
    return false;
}

const struct blk_engine engine_threads = { .name = "threads", .takes = takes_nothing };

/* --- choice ------------------------------------------------------------------------------------ */

static bool use(struct bctx *c, const struct blk_engine *e, GError **err)
{
    if (e->open && !e->open(c, err))
        return false;
    c->engine = e;
    return true;
}

/* What was measured best (bench/README.md).  In the main exec a vCPU's thread submits, and io_uring would end
 * its request in that same thread, which is a CPU in the guest by then and would have to leave it. */
static void choose_best(struct bctx *c)
{
    if (!c->exec->main && use(c, &engine_uring, NULL))
        return;
    if (c->direct && use(c, &engine_aio, NULL))
        return;
    use(c, &engine_threads, NULL);
}

bool engine_choose(struct bctx *c, enum drive_aio aio, bool direct, GError **err)
{
    c->aio = aio;
    c->direct = direct;
    switch (aio) {
    case AIO_THREADS: return use(c, &engine_threads, err);
    case AIO_NATIVE: return use(c, &engine_aio, err);
    case AIO_IO_URING: return use(c, &engine_uring, err);
    default: choose_best(c); return true;
    }
}

void engine_close(struct bctx *c)
{
    if (c->engine->close)
        c->engine->close(c);
    c->engine = &engine_threads;
}

/* A ring belongs to the thread that works on it. */
void engine_move(struct bctx *c)
{
    if (c->aio != AIO_AUTO && c->aio != AIO_IO_URING)
        return;
    engine_close(c);
    if (!engine_choose(c, c->aio, c->direct, NULL))
        use(c, &engine_threads, NULL); /* descriptors or memory ran out meanwhile */
}

/* --- queue ------------------------------------------------------------------------------------- */

struct bio *engine_pop(struct bctx *c)
{
    struct bio *io = c->queue;

    c->queue = io->next;
    if (!c->queue)
        c->queue_tail = &c->queue;
    return io;
}

void engine_submit(struct bctx *c)
{
    if (!c->queue)
        return;
    if (c->engine->in_thread && c->exec->main && !g_main_context_is_owner(c->exec->ctx))
        bctx_signal(c);
    else
        c->engine->submit(c);
}

void engine_push(struct bctx *c, struct bio *io)
{
    io->next = NULL;
    *c->queue_tail = io;
    c->queue_tail = &io->next;
    if (!c->plugged)
        engine_submit(c);
}

void engine_done(struct bio *io, int64_t res)
{
    if (res > 0 && (io->op == BLK_READ || io->op == BLK_WRITE))
        io->progress += (uint64_t) res;
    bio_ready(io, res < 0 ? (int) -res : 0);
}
