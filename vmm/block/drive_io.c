/* vmm/block/drive_io.c - a device's requests: checked, made durable as the cache mode says, failed or kept by
 * policy. */
#include "vmm/block/drive_int.h"
#include "vmm/core/event.h"

#include <errno.h>
#include <time.h>

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void account(struct blk *blk, const struct blk_req *req, int err)
{
    static const int kinds[] = {
        [BLK_READ] = BLK_STAT_READ, [BLK_WRITE] = BLK_STAT_WRITE, [BLK_WRITE_ZEROES] = BLK_STAT_WRITE,
        [BLK_FLUSH] = BLK_STAT_FLUSH, [BLK_DISCARD] = BLK_STAT_UNMAP,
    };
    int k = kinds[req->op];

    if (!req->started) {
        blk->invalid[k]++;
        return;
    }
    blk->last_done = now_ns();
    blk->total_ns[k] += (uint64_t) (blk->last_done - req->started);
    if (err) {
        blk->failed[k]++;
        return;
    }
    blk->ops_done[k]++;
    blk->bytes[k] += req->op == BLK_FLUSH ? 0 : req->len;
    if (k == BLK_STAT_WRITE)
        blk->highest = MAX(blk->highest, req->off + req->len);
}

static void complete(struct drive *d, struct blk_req *req, int err)
{
    account(&d->blk, req, err);
    req->busy = false;
    req->done(req, err);
}

static bool no_space(int err)
{
    return err == ENOSPC || err == EDQUOT || err == EFBIG;
}

static enum blk_policy policy_for(const struct drive *d, enum blk_op op, int err)
{
    int p = op == BLK_READ ? d->blk.rerror : d->blk.werror;

    /* the request's own fault: trying again can't help */
    if (err == ENOMEDIUM || err == EINVAL || err == EROFS)
        return POLICY_REPORT;
    if (p == POLICY_AUTO)
        p = op == BLK_READ ? POLICY_REPORT : POLICY_ENOSPC;
    if (p == POLICY_ENOSPC)
        p = no_space(err) ? POLICY_STOP : POLICY_REPORT;
    return p;
}

static void keep(struct drive *d, struct blk_req *req, int err)
{
    req->next = NULL;
    *d->kept_tail = req;
    d->kept_tail = &req->next;
    __atomic_add_fetch(&d->kept_count, 1, __ATOMIC_RELEASE);
    d->kept_errno = err;
    d->io_status = no_space(err) ? "nospace" : "failed";
    vm_request_stop(d->blk.vm, RUN_IO_ERROR);
}

static void drive_done(struct bio *io, int err)
{
    struct blk_req *req = io->opaque;
    struct drive *d = as_drive(req->blk);

    /* A write that must be durable, through a layer that can't do it by itself: flush behind it. */
    if (!err && io->flags & BLK_FUA && io->op != BLK_FLUSH && d->root && !d->root->fua) {
        io->op = BLK_FLUSH;
        node_submit(d->root, io);
        return;
    }
    bio_free(&d->ctx, io);
    d->in_flight--;
    if (!err) {
        complete(d, req, 0);
        return;
    }
    enum blk_policy p = policy_for(d, req->op, err);
    TRACER(&d->blk.vm->trace, "%s: %s at %" PRIu64 "+%" PRIu64 ": %s", d->who,
           req->op == BLK_READ ? "read" : "write", req->off, req->len, g_strerror(err));
    if (req->started)
        VM_EMIT(d->blk.vm, EVENT_BLOCK_IO_ERROR, .id = d->blk.id, .write = req->op != BLK_READ, .error = err,
                .on = req->op != BLK_READ && no_space(err),
                .action = p == POLICY_STOP ? "stop" : p == POLICY_IGNORE ? "ignore" : "report");
    if (p == POLICY_STOP)
        keep(d, req, err);
    else
        complete(d, req, p == POLICY_IGNORE ? 0 : err);
}

static int check(const struct drive *d, const struct blk_req *req)
{
    uint64_t sum = 0;

    if (!d->root)
        return req->op == BLK_FLUSH ? 0 : ENOMEDIUM;
    if (req->op == BLK_FLUSH)
        return 0;
    if (req->off % 512 || req->len % 512 || !range_fits(req->off, req->len, d->root->size))
        return EINVAL;
    if (req->op != BLK_READ && d->blk.read_only)
        return EROFS;
    if (req->op == BLK_READ || req->op == BLK_WRITE) {
        for (unsigned i = 0; i < req->niov; i++)
            sum += req->iov[i].iov_len;
        if (sum != req->len)
            return EINVAL; /* else the rest would be whatever is in our memory */
    }
    return 0;
}

static bool nothing_to_do(const struct drive *d, const struct blk_req *req)
{
    switch (req->op) {
    case BLK_FLUSH: return !d->root || (d->no_flush && !d->root->keeps) || d->blk.read_only;
    case BLK_DISCARD: return !d->cfg.discard || !req->len;
    default: return !req->len;
    }
}

static void drive_submit(struct blk *blk, struct blk_req *req)
{
    struct drive *d = as_drive(blk);
    struct bio *io = bio_new(&d->ctx);
    int err = check(d, req);
    bool writes = req->op == BLK_WRITE || req->op == BLK_WRITE_ZEROES;

    req->started = err ? 0 : now_ns();
    io->op = req->op;
    io->flags = req->flags;
    io->off = req->off;
    io->len = req->len;
    if (req->op == BLK_READ || req->op == BLK_WRITE) {
        io->iov = req->iov;
        io->niov = req->niov;
    }
    io->done = drive_done;
    io->opaque = req;
    d->in_flight++;
    if (err || nothing_to_do(d, req)) {
        io->flags = 0;
        io->node = &d->nowhere;
        bio_finish(io, err);
        return;
    }
    if (io->op == BLK_WRITE && d->cfg.detect_zeroes && iov_is_zero(io->iov, io->niov)) {
        io->op = BLK_WRITE_ZEROES;
        io->iov = NULL;
        io->niov = 0;
        io->flags |= d->cfg.detect_zeroes == 2 ? BLK_MAY_UNMAP : 0;
    }
    if (!d->cfg.discard)
        io->flags &= ~(unsigned) BLK_MAY_UNMAP;
    if (writes && !blk->write_cache)
        io->flags |= BLK_FUA;
    if (!writes || d->no_flush)
        io->flags &= ~(unsigned) BLK_FUA;
    node_submit(d->root, io);
}

void drive_wait(struct drive *d)
{
    while (d->in_flight)
        bctx_wait(&d->ctx);
    node_drain(d->root);
}

void drive_fail_kept(struct drive *d)
{
    while (d->kept) {
        struct blk_req *req = d->kept;
        d->kept = req->next;
        if (!d->kept)
            d->kept_tail = &d->kept;
        __atomic_sub_fetch(&d->kept_count, 1, __ATOMIC_RELEASE);
        complete(d, req, d->kept_errno);
    }
}

void drive_retry(struct drive *d)
{
    struct blk_req *list = d->kept, *next;

    d->kept = NULL;
    d->kept_tail = &d->kept;
    __atomic_store_n(&d->kept_count, 0, __ATOMIC_RELEASE);
    d->io_status = "ok";
    bctx_plug(&d->ctx);
    for (struct blk_req *req = list; req; req = next) {
        next = req->next;
        drive_submit(&d->blk, req);
    }
    bctx_unplug(&d->ctx);
}

/* For a device that gives up what it has asked for: what was kept for later ends here, as failed. */
static void drive_drain(struct blk *blk)
{
    struct drive *d = as_drive(blk);

    while (d->in_flight || d->kept) {
        drive_wait(d);
        drive_fail_kept(d);
        if (d->ctx.batch)
            d->ctx.batch(&d->ctx);
    }
}

int drive_flush_now(struct drive *d)
{
    return d->root && !d->blk.read_only && (!d->no_flush || d->root->keeps) ? node_flush(d->root) : 0;
}

static void drive_plug(struct blk *blk, bool on)
{
    struct drive *d = as_drive(blk);

    if (on)
        bctx_plug(&d->ctx);
    else
        bctx_unplug(&d->ctx);
}

static void drive_settle(struct blk *blk)
{
    drive_wait(as_drive(blk));
}

static void drive_free(struct blk *blk)
{
    drive_close(blk);
}

const struct blk_ops drive_ops = { .submit = drive_submit, .drain = drive_drain, .settle = drive_settle,
                                   .set_exec = drive_set_exec, .eject = drive_eject_op,
                                   .free = drive_free, .plug = drive_plug };
