/* vmm/block/qcow2_table.c - the caches of L2 tables and refcount blocks, and waiting. */
#include "vmm/block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

/* --- waiting ----------------------------------------------------------------------------------- */

void q2_waitq_init(struct q2_waitq *wq)
{
    wq->head = NULL;
    wq->tail = &wq->head;
}

void q2_wait_on(struct q2_waitq *wq, struct q2_wait *w)
{
    w->next = NULL;
    *wq->tail = w;
    wq->tail = &w->next;
}

/* Those that queue up again meanwhile wait for the next time. */
void q2_wake(struct q2_waitq *wq, int err)
{
    struct q2_wait *w = wq->head, *next;

    q2_waitq_init(wq);
    for (; w; w = next) {
        next = w->next;
        w->run(w, err);
    }
}

/* --- I/O of our own ---------------------------------------------------------------------------- */

void *q2_buffer(size_t len)
{
    void *p;

    if (posix_memalign(&p, 4096, MAX(len, 1)))
        g_error("out of memory for %zu bytes", len);
    return p;
}

struct bio *q2_io(struct qcow2 *q, enum blk_op op, uint64_t off, const struct iovec *iov, unsigned niov,
                  uint64_t len, void (*done)(struct bio *io, int err), void *opaque)
{
    struct bio *io = bio_new(q->node.ctx);

    io->op = op;
    io->off = off;
    io->len = len;
    io->iov = iov;
    io->niov = niov;
    io->done = done;
    io->opaque = opaque;
    q->internal++;
    node_submit(q->node.child[0], io);
    return io;
}

/* Done soon, without I/O. */
void q2_later(struct qcow2 *q, void (*done)(struct bio *io, int err), void *opaque)
{
    struct bio *io = bio_new(q->node.ctx);

    io->node = &q->node;
    io->op = BLK_FLUSH;
    io->done = done;
    io->opaque = opaque;
    q->internal++;
    bio_finish(io, 0);
}

void q2_io_end(struct qcow2 *q, struct bio *io)
{
    q->internal--;
    bio_free(q->node.ctx, io);
}

/* --- the caches -------------------------------------------------------------------------------- */

static void table_free(gpointer p)
{
    struct q2_table *t = p;

    free(t->data);
    free(t->shadow);
    g_free(t);
}

void q2_cache_init(struct q2_cache *c, struct qcow2 *q, guint max)
{
    c->q = q;
    c->max = max;
    c->tables = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, table_free);
    g_queue_init(&c->lru);
    g_queue_init(&c->dirty);
}

void q2_cache_clear(struct q2_cache *c)
{
    if (c->tables)
        g_hash_table_destroy(c->tables);
}

static bool is_dirty(const struct q2_table *t)
{
    return t->dirty_lo != t->dirty_hi;
}

static void forget(struct q2_table *t)
{
    struct q2_cache *c = t->cache;

    if (is_dirty(t))
        g_queue_unlink(&c->dirty, &t->dirty);
    g_queue_unlink(&c->lru, &t->lru);
    g_hash_table_remove(c->tables, &t->off);
}

void q2_cache_drop(struct q2_cache *c, uint64_t off, uint64_t len)
{
    for (uint64_t at = off; at < off + len; at += c->q->slice) {
        struct q2_table *t = g_hash_table_lookup(c->tables, &at);
        if (t && !t->loading && !t->frozen)
            forget(t);
    }
}

/* Make room for one more: false when all are dirty or in use. */
static bool make_room(struct q2_cache *c)
{
    unsigned look = 64; /* what is dirty gathers at the front */

    for (GList *l = c->lru.tail, *prev; l && look-- && g_hash_table_size(c->tables) >= c->max; l = prev) {
        struct q2_table *t = l->data;
        prev = l->prev;
        if (!is_dirty(t) && !t->frozen) {
            forget(t);
        } else { /* out of the way of the next search */
            g_queue_unlink(&c->lru, l);
            g_queue_push_head_link(&c->lru, l);
        }
    }
    return g_hash_table_size(c->tables) < c->max;
}

static void loaded(struct bio *io, int err)
{
    struct q2_table *t = io->opaque;
    struct q2_cache *c = t->cache;
    struct q2_waitq waiting = t->waiting;

    q2_io_end(c->q, io);
    if (!waiting.head)
        waiting.tail = &waiting.head;
    t->loading = false;
    if (err) {
        g_hash_table_remove(c->tables, &t->off);
    } else {
        q2_waitq_init(&t->waiting);
        g_queue_push_head_link(&c->lru, &t->lru);
    }
    q2_wake(&waiting, err);
}

struct load { /* the iovec must live as long as the bio */
    struct q2_table t;
    struct iovec iov;
};

int q2_table_get(struct q2_cache *c, uint64_t off, struct q2_wait *w, struct q2_table **out)
{
    struct qcow2 *q = c->q;
    struct q2_table *t = g_hash_table_lookup(c->tables, &off);

    if (t && t->loading) {
        q2_wait_on(&t->waiting, w);
        return Q2_WAIT;
    }
    if (t) {
        if (c->lru.head != &t->lru) {
            g_queue_unlink(&c->lru, &t->lru);
            g_queue_push_head_link(&c->lru, &t->lru);
        }
        *out = t;
        return 0;
    }
    /* A commit makes dirty ones clean.  Until it has, a little more than allowed keeps requests going. */
    if (!make_room(c)) {
        if (c->dirty.length || q->commit.state != C_IDLE)
            q2_commit_kick(q);
        if (g_hash_table_size(c->tables) >= 2 * c->max && q->commit.state != C_IDLE) {
            q2_wait_on(&q->commit_waiting, w);
            return Q2_WAIT;
        }
    }
    struct load *l = g_new0(struct load, 1);
    t = &l->t;
    t->cache = c;
    t->off = off;
    t->data = q2_buffer((size_t) q->slice);
    t->loading = true;
    t->lru.data = t->dirty.data = t;
    q2_waitq_init(&t->waiting);
    g_hash_table_insert(c->tables, &t->off, t);
    q2_wait_on(&t->waiting, w);
    l->iov = (struct iovec){ t->data, (size_t) q->slice };
    q2_io(q, BLK_READ, off, &l->iov, 1, q->slice, loaded, t);
    return Q2_WAIT;
}

void q2_table_touch(struct q2_table *t, uint32_t lo, uint32_t hi)
{
    struct q2_cache *c = t->cache;

    if (t->frozen && !t->shadow) {
        t->shadow = t->data;
        t->data = q2_buffer((size_t) c->q->slice);
        memcpy(t->data, t->shadow, (size_t) c->q->slice);
    }
    if (!is_dirty(t)) {
        g_queue_push_tail_link(&c->dirty, &t->dirty);
        t->dirty_lo = lo;
        t->dirty_hi = hi;
        if (c->dirty.length == c->max / 2 + 1)
            q2_commit_kick(c->q);
    }
    t->dirty_lo = MIN(t->dirty_lo, lo);
    t->dirty_hi = MAX(t->dirty_hi, hi);
}

void q2_table_freeze(struct q2_table *t)
{
    g_queue_unlink(&t->cache->dirty, &t->dirty);
    t->frozen = true;
    t->fr_lo = ROUND_DOWN(t->dirty_lo, 4096);
    t->fr_hi = (uint32_t) MIN(ROUND_UP(t->dirty_hi, 4096), t->cache->q->slice);
    t->dirty_lo = t->dirty_hi = 0;
}

void q2_table_thaw(struct q2_table *t, int err)
{
    t->frozen = false;
    free(t->shadow);
    t->shadow = NULL;
    if (err)
        q2_table_touch(t, t->fr_lo, t->fr_hi);
}
