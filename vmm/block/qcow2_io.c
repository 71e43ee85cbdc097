/* vmm/block/qcow2_io.c - requests: walked from cluster run to cluster run, with the parts in flight side by side. */
#include "vmm/block/qcow2.h"

#include <errno.h>

enum { MAX_PARTS = 64 };

/* --- a request --------------------------------------------------------------------------------- */

static void req_end(struct q2_req *r)
{
    struct qcow2 *q = r->q;
    struct bio *io = r->io;
    bool submitting = r->submitting;
    int err = r->err;

    g_queue_unlink(&q->reqs, &r->link);
    g_free(r);
    if (q->frees_drain.length)
        q2_release_some(q);
    if (submitting)
        bio_finish(io, err);
    else
        io->done(io, err);
}

static int read_piece(struct q2_req *r, uint64_t pos, uint64_t len, uint64_t *n);

void q2_req_step(struct q2_req *r)
{
    struct bio *io = r->io;

    if (r->walking)
        return;
    r->walking = true;
    while (!r->err && r->pos < io->len && r->pending < MAX_PARTS) {
        uint64_t n = 0, at = io->off + r->pos, left = io->len - r->pos;
        int e = io->op == BLK_READ    ? read_piece(r, at, left, &n)
                : io->op == BLK_WRITE ? q2_write_piece(r, at, left, &n)
                                      : q2_zero_piece(r, at, left, &n);
        if (e == Q2_WAIT) {
            r->waiting = true;
            break;
        }
        r->err = e;
        r->pos += n;
    }
    r->walking = false;
    if (!r->waiting && !r->pending)
        req_end(r);
}

void q2_req_part_done(struct q2_req *r, int err)
{
    if (err && !r->err)
        r->err = err;
    r->pending--;
    if (!r->waiting)
        q2_req_step(r);
}

static void req_run(struct q2_wait *w, int err)
{
    struct q2_req *r = container_of(w, struct q2_req, wait);

    r->waiting = false;
    if (err && !r->err)
        r->err = err;
    q2_req_step(r);
}

void q2_submit(struct bnode *n, struct bio *io)
{
    struct qcow2 *q = as_qcow2(n);

    io->settle = NULL;
    if (io->op == BLK_FLUSH) {
        if (q->broken)
            bio_finish(io, EIO);
        else if (n->read_only || (q->no_flush && q2_is_clean(q) && q->commit.state == C_IDLE))
            bio_finish(io, 0);
        else if (q2_is_clean(q) && q->commit.state == C_IDLE && !q->exclusive)
            node_submit(n->child[0], io);
        else
            q2_flush(q, io);
        return;
    }
    if (io->op != BLK_READ && (n->read_only || q->broken)) {
        bio_finish(io, n->read_only ? EROFS : EIO);
        return;
    }
    if (io->op == BLK_WRITE && !io->iov)
        io->op = BLK_WRITE_ZEROES;
    struct q2_req *r = g_new0(struct q2_req, 1);
    r->q = q;
    r->io = io;
    r->wait.run = req_run;
    r->seq = q->next_seq++;
    r->link.data = r;
    g_queue_push_tail_link(&q->reqs, &r->link);
    r->submitting = true;
    if (!io->len) {
        req_end(r);
        return;
    }
    r->pending = 1; /* it can't end before this is over */
    q2_req_step(r);
    if (--r->pending == 0 && !r->waiting && (r->err || r->pos == io->len))
        req_end(r);
    else
        r->submitting = false;
}

/* --- parts that are one request below ---------------------------------------------------------- */

struct part {
    struct q2_req *r;
    struct iovec iov[];
};

static void part_done(struct bio *io, int err)
{
    struct part *p = io->opaque;
    struct q2_req *r = p->r;

    bio_free(r->q->node.ctx, io);
    g_free(p);
    q2_req_part_done(r, err);
}

void q2_part(struct q2_req *r, struct bnode *to, uint64_t at, uint64_t rel, uint64_t len)
{
    struct bio *io = bio_new(r->q->node.ctx), *up = r->io;
    struct part *p = g_malloc(sizeof *p + up->niov * sizeof p->iov[0]);

    p->r = r;
    io->op = up->op;
    io->flags = up->flags & ~(unsigned) BLK_FUA;
    io->off = at;
    io->len = len;
    if (up->niov) {
        uint64_t got;
        io->iov = p->iov;
        io->niov = iov_slice(p->iov, up->niov, up->iov, up->niov, rel, len, &got);
    }
    io->done = part_done;
    io->opaque = p;
    r->pending++;
    node_submit(to, io);
}

/* --- reading ----------------------------------------------------------------------------------- */

static void read_zeros(struct q2_req *r, uint64_t pos, uint64_t len)
{
    iov_zero(r->io->iov, r->io->niov, pos - r->io->off, len);
}

static int read_piece(struct q2_req *r, uint64_t pos, uint64_t len, uint64_t *n)
{
    struct qcow2 *q = r->q;
    struct bnode *below = q->node.child[1];
    uint64_t in = pos & (q->cluster - 1), rel = pos - r->io->off;
    struct q2_map m;
    int e = q2_lookup(q, pos >> q->cluster_bits, q2_clusters(q, in + len), &r->wait, &m);

    if (e)
        return e;
    *n = MIN(len, m.n * q->cluster - in);
    switch (m.kind) {
    case Q2_K_DATA:
        q2_part(r, q->node.child[0], m.host + in, rel, *n);
        return 0;
    case Q2_K_COMPRESSED:
        q2_read_compressed(r, &m, in, pos, *n);
        return 0;
    case Q2_K_NONE:
        if (below && pos < below->size) { /* a shorter one: zeros beyond it */
            *n = MIN(*n, below->size - pos);
            q2_part(r, below, pos, rel, *n);
            return 0;
        }
        break;
    default:
        break;
    }
    read_zeros(r, pos, *n);
    return 0;
}
