/* vmm/block/engine.h - how requests of files reach the kernel: aio=io_uring, native (libaio) or threads.
 *
 * A drive has one engine, which belongs to its bctx and so to its exec.  The file layer hands it what it
 * takes (engine_push) and the pool's workers the rest; `threads` takes nothing.  What is pushed while the
 * drive is plugged goes to the kernel by one system call.  Completions are read from memory that is shared
 * with the kernel, without a system call, and put on the bctx's ready list; the drive's eventfd says that
 * there are some.  So a loop that polls before it sleeps (bctx_poll) costs two loads a turn. */
#ifndef BANTAM_BLOCK_ENGINE_H
#define BANTAM_BLOCK_ENGINE_H

#include "vmm/block/node.h"

struct blk_engine {
    const char *name; /* as aio= has it */
    /* A request of a file that is `direct` (O_DIRECT): is it the engine's?  The rest of it is checked. */
    bool (*takes)(const struct bio *io, bool direct);
    /* Another thread than the exec's may not submit: it signals the exec's instead. */
    bool in_thread;
    bool (*open)(struct bctx *c, GError **err);
    void (*close)(struct bctx *c);    /* nothing is in flight */
    void (*submit)(struct bctx *c);   /* as much of c->queue as there is room for */
    bool (*ready)(struct bctx *c);    /* is there something to reap? */
    void (*reap)(struct bctx *c);     /* all of it: bio_ready() each */
};

extern const struct blk_engine engine_threads, engine_aio, engine_uring;

/* Choose and open c's engine, for what the user asked for, in the exec it has now; AIO_AUTO never fails. */
bool engine_choose(struct bctx *c, enum drive_aio aio, bool direct, GError **err);
void engine_move(struct bctx *c); /* the exec has changed; nothing is in flight */
void engine_close(struct bctx *c);

/* io->fd, op, off, len, iov, flags (and falloc) say what.  It ends as by bio_finish(): progress or err is
 * set, and settle is called. */
void engine_push(struct bctx *c, struct bio *io);
void engine_submit(struct bctx *c);            /* what has been pushed */
struct bio *engine_pop(struct bctx *c);        /* the first of c->queue, for an engine's submit */
void engine_done(struct bio *io, int64_t res); /* bytes, or a negative errno */

#endif
