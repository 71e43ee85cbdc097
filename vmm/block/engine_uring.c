/* vmm/block/engine_uring.c - aio=io_uring: requests and completions by rings that are shared with the kernel.
 *
 * A request ends in the thread that submitted it.  An iothread does that whenever it next enters the kernel
 * (COOP_TASKRUN: it is not interrupted for it), and a flag in the ring says that it should.  In the main exec
 * only the loop's own thread submits, or a CPU would be called out of the guest for every completion.
 *
 * The ring's descriptor and the files are not registered: that spares a few of some ten thousand instructions
 * a request, and would bind the ring to one thread for good. */
#include "vmm/block/engine.h"

#include <errno.h>
#include <stdio.h>

#ifdef HAVE_URING
#include <liburing.h>

enum { ENTRIES = 128, MAX_FLYING = 2 * ENTRIES }; /* the kernel makes its completion ring twice as long */

static bool uring_takes(const struct bio *io, bool direct)
{
    (void) direct;
    switch (io->op) {
    case BLK_DISCARD: case BLK_WRITE_ZEROES: return io->falloc;
    default: return true;
    }
}

static void refused(int e, GError **err)
{
    char *text = NULL;
    bool off = g_file_get_contents("/proc/sys/kernel/io_uring_disabled", &text, NULL, NULL) && *text != '0';

    if (e == ENOSYS)
        fail(err, "aio=io_uring: this kernel has no io_uring; use aio=native or aio=threads");
    else if (e == EPERM && off)
        fail(err, "aio=io_uring: the sysctl kernel.io_uring_disabled=%c forbids it; use aio=native or aio=threads",
             *text);
    else if (e == EPERM || e == EACCES)
        fail(err, "aio=io_uring: it is forbidden here (a container's seccomp filter?); use aio=native or aio=threads");
    else if (e == ENOMEM)
        fail(err, "aio=io_uring: no locked memory is left (ulimit -l); use aio=native or aio=threads");
    else
        fail(err, "aio=io_uring: %s; use aio=native or aio=threads", g_strerror(e));
    g_free(text);
}

static bool uring_open(struct bctx *c, GError **err)
{
    struct io_uring *u = g_new0(struct io_uring, 1);
    struct io_uring_params p = { 0 };
    int e = -EINVAL;

    if (!c->exec->main) {
        p.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG; /* Linux 5.19 */
        e = io_uring_queue_init_params(ENTRIES, u, &p);
    }
    if (e == -EINVAL) {
        p = (struct io_uring_params){ 0 };
        e = io_uring_queue_init_params(ENTRIES, u, &p);
    }
    if (!e && (~p.features & (IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS) || p.cq_entries < MAX_FLYING)) {
        io_uring_queue_exit(u);
        e = -ENOSYS; /* before Linux 5.6: without some of its operations */
    }
    if (!e && (e = io_uring_register_eventfd(u, c->efd)))
        io_uring_queue_exit(u);
    if (e) {
        refused(-e, err);
        g_free(u);
        return false;
    }
    c->engine_data = u;
    return true;
}

static void uring_close(struct bctx *c)
{
    io_uring_queue_exit(c->engine_data);
    g_clear_pointer(&c->engine_data, g_free);
}

static void prepare(struct io_uring_sqe *s, struct bio *io)
{
    const struct iovec *v = io->iov;
    int dsync = io->op == BLK_WRITE && io->flags & BLK_FUA ? RWF_DSYNC : 0;

    switch (io->op) {
    case BLK_READ:
        if (io->niov == 1)
            io_uring_prep_read(s, io->fd, v->iov_base, (unsigned) v->iov_len, io->off);
        else
            io_uring_prep_readv(s, io->fd, v, io->niov, io->off);
        break;
    case BLK_WRITE:
        if (io->niov == 1)
            io_uring_prep_write(s, io->fd, v->iov_base, (unsigned) v->iov_len, io->off);
        else
            io_uring_prep_writev(s, io->fd, v, io->niov, io->off);
        s->rw_flags = dsync;
        break;
    case BLK_FLUSH: io_uring_prep_fsync(s, io->fd, IORING_FSYNC_DATASYNC); break;
    default: io_uring_prep_fallocate(s, io->fd, io->falloc, (off_t) io->off, (off_t) io->len); break;
    }
    io_uring_sqe_set_data(s, io);
}

static void uring_submit(struct bctx *c)
{
    struct io_uring *u = c->engine_data;
    struct io_uring_sqe *s;

    do {
        while (c->queue && c->flying < MAX_FLYING && (s = io_uring_get_sqe(u))) {
            prepare(s, engine_pop(c));
            c->flying++;
        }
        int n = 0;
        while (io_uring_sq_ready(u) && ((n = io_uring_submit(u)) > 0 || n == -EINTR))
            ;
        if (io_uring_sq_ready(u)) { /* EAGAIN, EBUSY: the kernel has no room for it just now */
            bctx_signal(c);
            return;
        }
    } while (c->queue && c->flying < MAX_FLYING);
}

static bool must_enter(const struct io_uring *u)
{
    return __atomic_load_n(u->sq.kflags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static bool uring_ready(struct bctx *c)
{
    struct io_uring *u = c->engine_data;

    return io_uring_cq_ready(u) || must_enter(u);
}

static void uring_reap(struct bctx *c)
{
    struct io_uring *u = c->engine_data;
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;

    if (must_enter(u))
        io_uring_get_events(u);
    io_uring_for_each_cqe(u, head, cqe) {
        n++;
        engine_done(io_uring_cqe_get_data(cqe), cqe->res);
    }
    c->flying -= n;
    io_uring_cq_advance(u, n);
    if (io_uring_sq_ready(u))
        uring_submit(c);
}

const struct blk_engine engine_uring = { .name = "io_uring", .takes = uring_takes, .in_thread = true,
                                         .open = uring_open, .close = uring_close, .submit = uring_submit,
                                         .ready = uring_ready, .reap = uring_reap };
#else
static bool no_uring(struct bctx *c, GError **err)
{
    (void) c;
    return fail(err, "aio=io_uring: this bantam was built without it (configure --enable-io-uring); use aio=native or "
                     "aio=threads");
}

const struct blk_engine engine_uring = { .name = "io_uring", .open = no_uring };
#endif
