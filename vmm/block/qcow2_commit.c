/* vmm/block/qcow2_commit.c - metadata to the disk, in an order that every cut of the power leaves whole.
 *
 *   C_BLOCKS  refcounts        C_SYNC1  now these and the guest's data are durable
 *   C_RT      refcount table   C_SYNC2  so are new refcount blocks, and that they are refcount blocks
 *   C_L2      L2 tables        C_SYNC3  what L1 may point to is durable
 *   C_L1      the L1 table     C_SYNC4  what the guest's flush asked for is durable; what is free, is free
 *
 * What has no work is skipped: to flush overwritten data is one flush, and to flush newly allocated data are
 * two, for however many requests.  The tables are as they were when the commit began: who changes one meanwhile
 * gets a copy (q2_table_touch). */
#include "vmm/block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

static void step(struct qcow2 *q);

/* --- beginning and end ------------------------------------------------------------------------- */

static void freeze_cache(struct q2_cache *c, GQueue *out)
{
    g_queue_init(out);
    while (c->dirty.head) {
        struct q2_table *t = c->dirty.head->data;
        q2_table_freeze(t);
        g_queue_push_tail(out, t);
    }
}

/* The changed part of a table in memory, as it is on disk: whole sectors of it. */
static uint8_t *freeze_whole(const uint64_t *entries, uint32_t n, uint64_t off,
                             struct q2_range *dirty, struct q2_range *frozen, uint64_t *at, size_t *len)
{
    *frozen = *dirty;
    *dirty = (struct q2_range){ 0, 0 };
    if (frozen->lo == frozen->hi)
        return NULL;
    uint32_t lo = ROUND_DOWN(frozen->lo, 64), hi = ROUND_UP(frozen->hi, 64);
    uint8_t *buf = q2_buffer((size_t) (hi - lo) * 8);
    for (uint32_t i = lo; i < hi; i++)
        st_be64(buf + (size_t) (i - lo) * 8, i < n ? entries[i] : 0);
    *at = off + (uint64_t) lo * 8;
    *len = (size_t) (hi - lo) * 8;
    return buf;
}

bool q2_is_clean(const struct qcow2 *q)
{
    return !q->rbc.dirty.length && !q->l2c.dirty.length && q->l1_dirty.lo == q->l1_dirty.hi &&
           q->rt_dirty.lo == q->rt_dirty.hi && !q->frees.length;
}

static void begin(struct qcow2 *q)
{
    struct q2_commit *c = &q->commit;

    *c = (struct q2_commit){ .state = C_BLOCKS, .barrier = q->barrier };
    q->barrier = q->commit_again = false;
    freeze_cache(&q->rbc, &c->blocks);
    freeze_cache(&q->l2c, &c->l2);
    c->l1_buf = freeze_whole(q->l1, q->l1_size, q->l1_off, &q->l1_dirty, &c->l1, &c->l1_at, &c->l1_len);
    c->rt_buf = freeze_whole(q->rt, q->rt_size, q->rt_off, &q->rt_dirty, &c->rt, &c->rt_at, &c->rt_len);
    c->frees = q->frees;
    g_queue_init(&q->frees);
    q->frees_bytes = 0;
    for (GList *l = c->frees.head; l; l = l->next)
        ((struct q2_free *) l->data)->seq = q->next_seq;
    c->flushes = q->flushes;
    q->flushes = NULL;
    q->flushes_tail = &q->flushes;
    c->final = c->flushes || c->frees.length;
    step(q);
}

static void begin_if(struct qcow2 *q)
{
    if (q->commit.state == C_IDLE && !q->exclusive && (q->flushes || q->commit_again))
        begin(q);
}

static void merge(struct q2_range *to, const struct q2_range *r)
{
    if (r->lo != r->hi) {
        q2_dirty_range(to, r->lo);
        q2_dirty_range(to, r->hi - 1);
    }
}

static void thaw_all(GQueue *tables, int err)
{
    for (GList *l = tables->head; l; l = l->next)
        q2_table_thaw(l->data, err);
    g_queue_clear(tables);
}

static void end(struct qcow2 *q)
{
    struct q2_commit *c = &q->commit;
    int err = c->err;
    struct bio *flushes = c->flushes;
    struct q2_free *f;

    thaw_all(&c->blocks, err);
    thaw_all(&c->l2, err);
    free(c->l1_buf);
    free(c->rt_buf);
    if (err) { /* all of it again, the next time */
        merge(&q->l1_dirty, &c->l1);
        merge(&q->rt_dirty, &c->rt);
        q->barrier |= c->barrier;
        while ((f = g_queue_pop_tail(&c->frees)))
            g_queue_push_head(&q->frees, f);
    } else {
        while ((f = g_queue_pop_head(&c->frees)))
            g_queue_push_tail(&q->frees_drain, f);
    }
    c->state = C_IDLE;
    q2_release_some(q);
    q2_wake(&q->exclusive_waiting, 0); /* they try again, and the first of them gets it */
    begin_if(q);
    q2_wake(&q->commit_waiting, err);
    while (flushes) {
        struct bio *io = flushes;
        flushes = io->next;
        io->done(io, err);
    }
}

/* --- the steps --------------------------------------------------------------------------------- */

static void next(struct qcow2 *q)
{
    struct q2_commit *c = &q->commit;

    c->state = c->err ? C_END : c->state + 1;
    step(q);
}

static void part_done(struct bio *io, int err)
{
    struct qcow2 *q = io->opaque;
    struct q2_commit *c = &q->commit;

    q2_io_end(q, io);
    if (err && !c->err)
        c->err = err;
    if (!--c->pending)
        next(q);
}

struct table_io {
    struct qcow2 *q;
    struct iovec iov;
};

static void table_done(struct bio *io, int err)
{
    struct table_io *w = io->opaque;

    io->opaque = w->q;
    g_free(w);
    part_done(io, err);
}

static void write_buf(struct qcow2 *q, uint64_t off, uint8_t *buf, size_t len)
{
    struct table_io *w = g_new(struct table_io, 1);

    *w = (struct table_io){ q, { buf, len } };
    q->commit.pending++;
    q2_io(q, BLK_WRITE, off, &w->iov, 1, len, table_done, w);
}

static void write_tables(struct qcow2 *q, GQueue *tables)
{
    for (GList *l = tables->head; l; l = l->next) {
        struct q2_table *t = l->data;
        write_buf(q, t->off + t->fr_lo, (t->shadow ? t->shadow : t->data) + t->fr_lo, t->fr_hi - t->fr_lo);
    }
}

static bool wants_sync(const struct qcow2 *q)
{
    const struct q2_commit *c = &q->commit;

    switch (c->state) {
    case C_SYNC1: return c->rt_buf || c->l1_buf || (c->l2.length && c->barrier);
    case C_SYNC2: return c->rt_buf;
    case C_SYNC3: return c->l1_buf;
    default: return c->final;
    }
}

static void step(struct qcow2 *q)
{
    struct q2_commit *c = &q->commit;

    bctx_plug(q->node.ctx);
    while (!c->pending && c->state != C_END) {
        switch (c->state) {
        case C_BLOCKS: write_tables(q, &c->blocks); break;
        case C_RT:
            if (c->rt_buf)
                write_buf(q, c->rt_at, c->rt_buf, c->rt_len);
            break;
        case C_L2: write_tables(q, &c->l2); break;
        case C_L1:
            if (c->l1_buf)
                write_buf(q, c->l1_at, c->l1_buf, c->l1_len);
            break;
        default:
            if (wants_sync(q) && !q->no_flush) {
                c->pending++;
                q2_io(q, BLK_FLUSH, 0, NULL, 0, 0, part_done, q);
            }
            break;
        }
        if (!c->pending)
            c->state++;
    }
    bctx_unplug(q->node.ctx);
    if (c->state == C_END && !c->pending)
        end(q);
}

/* --- who wants one ----------------------------------------------------------------------------- */

static void kicked(struct bio *io, int err)
{
    struct qcow2 *q = io->opaque;

    (void) err;
    q2_io_end(q, io);
    begin_if(q);
}

/* Not at once: the caller is about to change a table. */
void q2_commit_kick(struct qcow2 *q)
{
    if (q->commit_again)
        return;
    q->commit_again = true;
    if (q->commit.state == C_IDLE)
        q2_later(q, kicked, q);
}

void q2_flush(struct qcow2 *q, struct bio *io)
{
    io->next = NULL;
    *q->flushes_tail = io;
    q->flushes_tail = &io->next;
    if (q->commit.state == C_IDLE && !q->commit_again) {
        q->commit_again = true;
        q2_later(q, kicked, q); /* `done` is never called from within a submit */
    }
}

bool q2_exclusive_try(struct qcow2 *q, struct q2_wait *w)
{
    if (q->commit.state != C_IDLE || q->exclusive) {
        q2_wait_on(&q->exclusive_waiting, w);
        return false;
    }
    return q->exclusive = true;
}

void q2_exclusive_end(struct qcow2 *q)
{
    q->exclusive = false;
    q2_wake(&q->exclusive_waiting, 0);
    begin_if(q);
}
