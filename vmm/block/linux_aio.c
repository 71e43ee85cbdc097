/* vmm/block/linux_aio.c - the kernel's asynchronous I/O (libaio) for O_DIRECT files.
 *
 * Requests queue while the drive is plugged (a device works through its ring, or completions run) and go to
 * the kernel in one io_submit.  The kernel signals the drive's eventfd. */
#include "vmm/block/node.h"

#include <errno.h>

enum { MAX_FLYING = 128, BATCH = 32 };

bool aio_open(struct bctx *c, GError **err)
{
    if (c->aio)
        return true;
    int n = io_setup(MAX_FLYING, &c->aio);
    if (n < 0)
        return fail(err, "aio=native: %s%s", g_strerror(-n),
                    n == -EAGAIN ? " (raise the sysctl fs.aio-max-nr, or use aio=threads)"
                                 : "; use aio=threads");
    return true;
}

void aio_close(struct bctx *c)
{
    if (c->aio)
        io_destroy(c->aio);
    c->aio = NULL;
}

void aio_push(struct bctx *c, struct bio *io)
{
    io_set_eventfd(&io->iocb, c->efd);
    io->iocb.data = io;
    io->next = NULL;
    *c->aio_queue_tail = io;
    c->aio_queue_tail = &io->next;
    if (!c->plugged)
        aio_submit_queue(c);
}

void aio_submit_queue(struct bctx *c)
{
    while (c->aio_queue && c->aio_flying < MAX_FLYING) {
        struct iocb *batch[BATCH];
        unsigned n = 0;
        for (struct bio *io = c->aio_queue; io && n < BATCH && c->aio_flying + n < MAX_FLYING; io = io->next)
            batch[n++] = &io->iocb;
        int got = io_submit(c->aio, n, batch);
        if (got == -EINTR)
            continue;
        if (got == -EAGAIN && c->aio_flying)
            return; /* the next completion tries again */
        bool refused = got <= 0; /* the first one itself is at fault */
        for (unsigned i = 0; i < (refused ? 1 : (unsigned) got); i++) {
            struct bio *io = c->aio_queue;
            c->aio_queue = io->next;
            if (!c->aio_queue)
                c->aio_queue_tail = &c->aio_queue;
            if (refused)
                bio_finish(io, got ? -got : EIO);
            else
                c->aio_flying++;
        }
    }
}

void aio_reap(struct bctx *c)
{
    struct io_event ev[BATCH];
    struct timespec now = { 0 };
    int n;

    do {
        n = c->aio_flying ? io_getevents(c->aio, 0, BATCH, ev, &now) : 0;
        for (int i = 0; i < n; i++) {
            struct bio *io = ev[i].data;
            long res = (long) ev[i].res;
            c->aio_flying--;
            if (res > 0)
                io->progress += (uint64_t) res;
            bio_finish(io, res < 0 ? (int) -res : 0);
        }
    } while (n == BATCH || n == -EINTR);
    if (!c->plugged)
        aio_submit_queue(c);
}
