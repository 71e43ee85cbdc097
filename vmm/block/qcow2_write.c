/* vmm/block/qcow2_write.c - writes: in place where a cluster is the image's own, else into new clusters, with the
 * rest of the first and the last one copied in the same write. */
#include "vmm/block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

/* --- clusters on their way --------------------------------------------------------------------- */

struct q2_alloc *q2_alloc_find(struct qcow2 *q, uint64_t first, uint64_t n)
{
    for (GList *l = q->allocs.head; l; l = l->next) {
        struct q2_alloc *a = l->data;
        if (a->first < first + n && first < a->first + a->n)
            return a;
    }
    return NULL;
}

struct q2_alloc *q2_alloc_new(struct qcow2 *q, uint64_t first, uint64_t n, uint64_t host)
{
    struct q2_alloc *a = g_new0(struct q2_alloc, 1);

    a->first = first;
    a->n = n;
    a->host = host;
    a->link.data = a;
    q2_waitq_init(&a->waiting);
    g_queue_push_tail_link(&q->allocs, &a->link);
    return a;
}

void q2_alloc_end(struct qcow2 *q, struct q2_alloc *a, int err)
{
    g_queue_unlink(&q->allocs, &a->link);
    a->done = true;
    a->err = err;
    a->joined++;
    q2_wake(&a->waiting, 0);
    if (!--a->joined)
        g_free(a);
}

/* A write beside another one's data, in the same new cluster: it is over when the L2 table points there. */
struct join {
    struct q2_req *r;
    struct q2_alloc *alloc;
    struct q2_wait wait;
    struct iovec iov[];
};

static void join_end(struct q2_wait *w, int err)
{
    struct join *j = container_of(w, struct join, wait);
    struct q2_req *r = j->r;

    (void) err;
    err = j->alloc->err;
    if (!--j->alloc->joined)
        g_free(j->alloc);
    g_free(j);
    q2_req_part_done(r, err);
}

static void join_written(struct bio *io, int err)
{
    struct join *j = io->opaque;

    bio_free(j->r->q->node.ctx, io);
    if (err && !j->r->err)
        j->r->err = err;
    if (j->alloc->done)
        join_end(&j->wait, 0);
    else
        q2_wait_on(&j->alloc->waiting, &j->wait);
}

static void join(struct q2_req *r, struct q2_alloc *a, uint64_t pos, uint64_t len)
{
    struct qcow2 *q = r->q;
    struct bio *io = bio_new(q->node.ctx), *up = r->io;
    struct join *j = g_malloc(sizeof *j + up->niov * sizeof j->iov[0]);
    uint64_t got;

    *j = (struct join){ .r = r, .alloc = a, .wait.run = join_end };
    a->joined++;
    io->op = BLK_WRITE;
    io->off = a->host + (pos - (a->first << q->cluster_bits));
    io->len = len;
    io->iov = j->iov;
    io->niov = iov_slice(j->iov, up->niov, up->iov, up->niov, pos - up->off, len, &got);
    io->done = join_written;
    io->opaque = j;
    r->pending++;
    node_submit(q->node.child[0], io);
}

/* --- writing to new clusters ------------------------------------------------------------------- */

struct cow {
    struct q2_req *r;
    struct q2_wait wait;
    struct q2_alloc *alloc;
    uint64_t first, n, host; /* guest clusters, and where they will be */
    uint64_t rel, len;       /* of the request */
    uint64_t head, tail;     /* bytes around it */
    bool own;                /* the clusters were ours already, as zeros */
    bool skip_head, skip_tail; /* zeros are there by themselves */
    unsigned pending;
    int err;
    uint8_t *buf;            /* head, then tail, as far as they are read */
    struct iovec iov_head, iov_tail;
    struct iovec *iov;
};

static void cow_end(struct cow *c, int err)
{
    struct q2_req *r = c->r;

    if (err && !c->own)
        q2_release_later(r->q, c->host, c->n);
    q2_alloc_end(r->q, c->alloc, err);
    free(c->buf);
    g_free(c->iov);
    g_free(c);
    q2_req_part_done(r, err);
}

/* The data is there: now the L2 table may point to it. */
static void cow_link(struct q2_wait *w, int err)
{
    struct cow *c = container_of(w, struct cow, wait);
    struct qcow2 *q = c->r->q;
    struct q2_table *t;
    uint32_t i;
    uint64_t left;
    int e = err ? err : q2_l2_for_write(q, c->first, w, &t, &i, &left);

    if (e == Q2_WAIT)
        return;
    if (e) {
        cow_end(c, e);
        return;
    }
    for (uint64_t k = 0; k < c->n; k++) {
        uint64_t old = q2_l2_get(t, (uint32_t) (i + k));
        if (!c->own && old)
            q2_unreference_entry(q, old, false);
        q2_l2_set(t, (uint32_t) (i + k), (c->host + (k << q->cluster_bits)) | Q2_COPIED);
    }
    q->barrier = true;
    cow_end(c, 0);
}

static void cow_written(struct bio *io, int err)
{
    struct cow *c = io->opaque;

    bio_free(c->r->q->node.ctx, io);
    if (err)
        cow_end(c, err);
    else
        cow_link(&c->wait, 0);
}

static unsigned put_zeros(const struct qcow2 *q, struct iovec *v, uint64_t len)
{
    unsigned n = 0;

    for (; len; n++) {
        v[n] = (struct iovec){ q->zeros, (size_t) MIN(len, q->cluster) };
        len -= v[n].iov_len;
    }
    return n;
}

static void cow_write(struct cow *c)
{
    struct q2_req *r = c->r;
    struct qcow2 *q = r->q;
    struct bio *io = bio_new(q->node.ctx), *up = r->io;
    uint64_t at = c->host + c->head, got;
    unsigned n = 0;

    c->iov = g_new(struct iovec, up->niov + 2 + (up->iov ? 0 : (unsigned) q2_clusters(q, c->len)));
    io->len = c->len;
    if (c->head && !c->skip_head) {
        c->iov[n++] = c->iov_head;
        at -= c->head;
        io->len += c->head;
    }
    if (up->iov)
        n += iov_slice(c->iov + n, up->niov, up->iov, up->niov, c->rel, c->len, &got);
    else
        n += put_zeros(q, c->iov + n, c->len);
    if (c->tail && !c->skip_tail) {
        c->iov[n++] = c->iov_tail;
        io->len += c->tail;
    }
    io->op = BLK_WRITE;
    io->off = at;
    io->iov = c->iov;
    io->niov = n;
    io->done = cow_written;
    io->opaque = c;
    node_submit(q->node.child[0], io);
}

static void cow_read(struct bio *io, int err)
{
    struct cow *c = io->opaque;

    bio_free(c->r->q->node.ctx, io);
    if (err && !c->err)
        c->err = err;
    if (--c->pending)
        return;
    if (c->err)
        cow_end(c, c->err);
    else
        cow_write(c);
}

/* Old content is read as a guest would read it; the last cluster may end beyond the image: zeros. */
static void read_old(struct cow *c, struct iovec *v, uint64_t off, uint64_t len)
{
    struct qcow2 *q = c->r->q;
    uint64_t have = off < q->node.size ? MIN(len, q->node.size - off) : 0;

    memset((char *) v->iov_base + have, 0, (size_t) (len - have));
    if (!have) {
        c->pending--;
        return;
    }
    struct bio *io = bio_new(q->node.ctx);
    io->op = BLK_READ;
    io->off = off;
    io->len = have;
    io->iov = v;
    io->niov = 1;
    io->done = cow_read;
    io->opaque = c;
    v->iov_len = (size_t) have;
    node_submit(&q->node, io);
}

static bool reads_zeros(const struct qcow2 *q, const struct q2_map *m, uint64_t cluster)
{
    const struct bnode *below = q->node.child[1];

    return m->kind == Q2_K_ZERO || m->kind == Q2_K_ZERO_HOST ||
           (m->kind == Q2_K_NONE && (!below || cluster << q->cluster_bits >= below->size));
}

static void cow_start(struct cow *c, bool zero_head, bool zero_tail, uint64_t fresh)
{
    struct qcow2 *q = c->r->q;
    uint64_t pos = c->r->io->off + c->rel;
    bool read_head = c->head && !zero_head, read_tail = c->tail && !zero_tail;

    c->skip_head = c->head && zero_head && c->host >= fresh;
    c->skip_tail = c->tail && zero_tail && c->host + ((c->n - 1) << q->cluster_bits) >= fresh;
    c->alloc->open = (!c->head || c->skip_head) && (!c->tail || c->skip_tail);
    c->iov_head = (struct iovec){ q->zeros, (size_t) c->head };
    c->iov_tail = (struct iovec){ q->zeros, (size_t) c->tail };
    if (!read_head && !read_tail) {
        cow_write(c);
        return;
    }
    size_t gap = read_head ? (size_t) ROUND_UP(c->head, 4096) : 0;
    c->buf = q2_buffer(gap + (size_t) c->tail);
    c->pending = 1 + read_head + read_tail;
    if (read_head) {
        c->iov_head.iov_base = c->buf;
        read_old(c, &c->iov_head, pos - c->head, c->head);
        c->iov_head.iov_len = (size_t) c->head;
    }
    if (read_tail) {
        struct iovec *v = &c->iov_tail;
        v->iov_base = c->buf + gap;
        read_old(c, v, pos + c->len, c->tail);
    }
    if (!--c->pending)
        cow_write(c);
}

/* --- a piece of a write ------------------------------------------------------------------------ */

static bool in_place_ok(struct qcow2 *q, const struct q2_map *m)
{
    if (!q2_covered(q, m->host, m->n)) {
        q2_corrupt(q, "data at offset 0x%" PRIx64 " that has no refcount", m->host);
        return false;
    }
    if (q2_is_metadata(q, m->host, m->n)) {
        q2_corrupt(q, "data at offset 0x%" PRIx64 " overlaps metadata", m->host);
        return false;
    }
    return true;
}

/* Which of the entries from i on go on like the first one.  Those that need new clusters may be of any kind. */
enum way { IN_PLACE, OWN_ZEROS, ANEW };

static enum way way_of(const struct q2_map *m)
{
    if (m->copied && m->kind == Q2_K_DATA)
        return IN_PLACE;
    return m->copied && m->kind == Q2_K_ZERO_HOST ? OWN_ZEROS : ANEW;
}

int q2_write_piece(struct q2_req *r, uint64_t pos, uint64_t len, uint64_t *n)
{
    struct qcow2 *q = r->q;
    uint64_t first = pos >> q->cluster_bits, in = pos & (q->cluster - 1), want = q2_clusters(q, in + len), left;
    struct q2_alloc *busy;
    struct q2_table *t;
    struct q2_map m, last, next;
    uint32_t i;

    while ((busy = q2_alloc_find(q, first, want))) {
        if (busy->first <= first && busy->open && r->io->op == BLK_WRITE) {
            *n = MIN(len, (busy->first + busy->n - first) * q->cluster - in);
            join(r, busy, pos, *n);
            return 0;
        }
        if (busy->first <= first) {
            q2_wait_on(&busy->waiting, &r->wait);
            return Q2_WAIT;
        }
        want = busy->first - first;
    }
    int e = q2_l2_for_write(q, first, &r->wait, &t, &i, &left);
    if (e)
        return e;
    want = MIN(want, left);
    uint64_t bad = q2_l2_get(t, i);
    if (!q2_decode(q, bad, &m)) {
        q2_corrupt(q, "L2 entry 0x%016" PRIx64 " for guest offset 0x%" PRIx64, bad, pos);
        return EIO;
    }
    enum way way = way_of(&m);
    for (last = m; m.n < want; m.n++) {
        if (!q2_decode(q, q2_l2_get(t, (uint32_t) (i + m.n)), &next) || way_of(&next) != way ||
            (way != ANEW && next.host != m.host + m.n * q->cluster))
            break;
        last = next;
    }
    if (way != ANEW && !in_place_ok(q, &m))
        return EIO;
    if (way == IN_PLACE) {
        *n = MIN(len, m.n * q->cluster - in);
        q2_part(r, q->node.child[0], m.host + in, pos - r->io->off, *n);
        return 0;
    }
    uint64_t host = m.host, got = m.n, fresh = q->fresh;
    if (way == ANEW) {
        e = q2_allocate(q, m.n, false, &r->wait, &host, &got);
        if (e)
            return e;
        q2_used_up_to(q, host + got * q->cluster);
        if (got < m.n) { /* then another one is the last */
            m.n = got;
            q2_decode(q, q2_l2_get(t, (uint32_t) (i + got - 1)), &last);
        }
    }
    *n = MIN(len, m.n * q->cluster - in);
    struct cow *c = g_new0(struct cow, 1);
    *c = (struct cow){ .r = r, .wait.run = cow_link, .first = first, .n = m.n, .host = host,
                       .rel = pos - r->io->off, .len = *n, .head = in, .own = way == OWN_ZEROS };
    c->tail = m.n * q->cluster - in - *n;
    c->alloc = q2_alloc_new(q, first, m.n, host);
    r->pending++;
    cow_start(c, reads_zeros(q, &m, first), reads_zeros(q, &last, first + m.n - 1), fresh);
    return 0;
}
