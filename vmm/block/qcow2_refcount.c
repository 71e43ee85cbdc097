/* vmm/block/qcow2_refcount.c - which host clusters are in use: allocation and release. */
#include "vmm/block/qcow2.h"

#include <errno.h>

enum { STEP = 16 << 20, EXTEND = 4096 }; /* how the file grows, see q2_used_up_to */

uint64_t q2_block_clusters(const struct qcow2 *q)
{
    return q->cluster * 8 >> q->refcount_order;
}

/* --- entries ----------------------------------------------------------------------------------- */

uint64_t q2_refcount_read(const struct qcow2 *q, const uint8_t *b, uint64_t i)
{
    switch (q->refcount_order) {
    case 3: return b[i];
    case 4: return ld_be16(b + i * 2);
    case 5: return ld_be32(b + i * 4);
    case 6: return ld_be64(b + i * 8);
    default: break;
    }
    unsigned bits = 1u << q->refcount_order, at = (unsigned) (i * bits % 8);
    return b[i * bits / 8] >> at & (BIT(bits) - 1);
}

void q2_refcount_write(const struct qcow2 *q, uint8_t *b, uint64_t i, uint64_t v)
{
    switch (q->refcount_order) {
    case 3: b[i] = (uint8_t) v; return;
    case 4: st_be16(b + i * 2, (uint16_t) v); return;
    case 5: st_be32(b + i * 4, (uint32_t) v); return;
    case 6: st_be64(b + i * 8, v); return;
    default: break;
    }
    unsigned bits = 1u << q->refcount_order, at = (unsigned) (i * bits % 8);
    uint8_t *p = b + i * bits / 8;
    *p = (uint8_t) ((*p & ~((BIT(bits) - 1) << at)) | (v << at));
}

static uint64_t slice_entries(const struct qcow2 *q)
{
    return q->slice * 8 >> q->refcount_order;
}

/* The slice that has the refcount of this cluster; EIO: there is none. */
static int get_slice(struct qcow2 *q, uint64_t cluster, struct q2_wait *w, struct q2_table **t, uint64_t *i)
{
    uint64_t per = q2_block_clusters(q), r = cluster / per, in = cluster % per, block;

    if (r >= q->rt_size || !(block = q->rt[r]))
        return EIO;
    *i = in % slice_entries(q);
    return q2_table_get(&q->rbc, block + in / slice_entries(q) * q->slice, w, t);
}

static void set(struct qcow2 *q, struct q2_table *t, uint64_t i, uint64_t v)
{
    uint32_t at = (uint32_t) ((i << q->refcount_order) / 8);

    q2_table_touch(t, at, at + MAX(1u << q->refcount_order >> 3, 1));
    q2_refcount_write(q, t->data, i, v);
}

int q2_refcount_get(struct qcow2 *q, uint64_t cluster, struct q2_wait *w, uint64_t *v)
{
    struct q2_table *t;
    uint64_t i;

    *v = 0;
    if (!q2_covered(q, cluster << q->cluster_bits, 1))
        return 0;
    int r = get_slice(q, cluster, w, &t, &i);
    if (!r)
        *v = q2_refcount_read(q, t->data, i);
    return r;
}

int q2_refcount_add(struct qcow2 *q, uint64_t cluster, int delta, struct q2_wait *w, uint64_t *now)
{
    struct q2_table *t;
    uint64_t i, v;
    int r = get_slice(q, cluster, w, &t, &i);

    if (r)
        return r;
    v = q2_refcount_read(q, t->data, i);
    if (delta > 0 ? v > q->refcount_max - (uint64_t) delta : v < (uint64_t) -delta)
        return delta > 0 ? EMLINK : EIO;
    v += (uint64_t) (int64_t) delta;
    set(q, t, i, v);
    if (!v)
        q->hint = MIN(q->hint, cluster);
    if (now)
        *now = v;
    return 0;
}

bool q2_covered(const struct qcow2 *q, uint64_t off, uint64_t n)
{
    uint64_t per = q2_block_clusters(q), first = off >> q->cluster_bits, last = first + n - 1;

    if (!n || last < first || last / per >= q->rt_size)
        return false;
    for (uint64_t r = first / per; r <= last / per; r++)
        if (!q->rt[r])
            return false;
    return true;
}

/* --- what holds metadata ----------------------------------------------------------------------- */

/* Cluster 0, the header, is always in it; so 0 as a pointer need not be distinguished from "no key". */
void q2_meta_add(struct qcow2 *q, uint64_t off, uint64_t n)
{
    for (uint64_t c = off >> q->cluster_bits; n--; c++)
        g_hash_table_add(q->meta, GSIZE_TO_POINTER(c));
}

void q2_meta_remove(struct qcow2 *q, uint64_t off, uint64_t n)
{
    for (uint64_t c = off >> q->cluster_bits; n--; c++)
        g_hash_table_remove(q->meta, GSIZE_TO_POINTER(c));
}

bool q2_is_metadata(const struct qcow2 *q, uint64_t off, uint64_t n)
{
    for (uint64_t c = off >> q->cluster_bits; n--; c++)
        if (g_hash_table_contains(q->meta, GSIZE_TO_POINTER(c)))
            return true;
    return false;
}

/* --- allocation -------------------------------------------------------------------------------- */

/* How many of the clusters from entry i on are free, at most `want`. */
static uint64_t free_run(const struct qcow2 *q, const struct q2_table *t, uint64_t i, uint64_t want)
{
    uint64_t n = 0, end = slice_entries(q);

    while (n < want && i + n < end && !q2_refcount_read(q, t->data, i + n))
        n++;
    return n;
}

static uint64_t next_free(const struct qcow2 *q, const struct q2_table *t, uint64_t i)
{
    uint64_t end = slice_entries(q);

    while (i < end && q2_refcount_read(q, t->data, i))
        i++;
    return i;
}

/* Is everything below 2^56, where L2 entries end? */
static bool addressable(const struct qcow2 *q, uint64_t cluster, uint64_t n)
{
    return cluster + n <= BIT64(56) >> q->cluster_bits;
}

/* A block for range r of the refcount table is put at its start, or at the cluster `at`, which is free and has
 * a refcount: else it would be in the way of a run that goes on there. */
static int more_refcounts(struct qcow2 *q, uint64_t r, uint64_t at, struct q2_wait *w)
{
    uint64_t i;

    if (!q->alloc_job && r < q->rt_size && at) {
        struct q2_table *t;
        int e = get_slice(q, at, w, &t, &i);
        if (e)
            return e;
        set(q, t, i, 1);
    }
    q2_wait_on(&q->alloc_waiting, w);
    if (!q->alloc_job && r >= q->rt_size)
        q2_grow_rt(q, r + 1);
    else if (!q->alloc_job)
        q2_add_block(q, r, (at ? at : r * q2_block_clusters(q)) << q->cluster_bits);
    return Q2_WAIT;
}

/* A run of `want` that may span slices: all its slices are looked at, none is changed before all are there. */
static int find_run(struct qcow2 *q, uint64_t want, bool all, struct q2_wait *w, uint64_t *start, uint64_t *got)
{
    uint64_t per = q2_block_clusters(q), c = q->hint, run = 0;
    bool first = true;

    while (run < want) {
        struct q2_table *t;
        uint64_t i;
        if (!addressable(q, c, 1))
            return EFBIG;
        if (q->extending && (c + want) << q->cluster_bits > q->end - EXTEND) { /* zeros are being written there */
            q2_wait_on(&q->extend_waiting, w);
            return Q2_WAIT;
        }
        if (c / per >= q->rt_size || !q->rt[c / per]) {
            if (run && !all)
                break;
            return more_refcounts(q, c / per, run ? *start : 0, w);
        }
        int r = get_slice(q, c, w, &t, &i);
        if (r)
            return r;
        uint64_t n = 0;
        if (!run) {
            uint64_t at = next_free(q, t, i);
            c += at - i;
            i = at;
            if (first)
                q->hint = c; /* all below are in use */
            if (i == slice_entries(q))
                continue;
            first = false;
            *start = c;
        }
        n = free_run(q, t, i, want - run);
        run += n;
        c += n;
        if (run < want && i + n < slice_entries(q)) { /* met one that is in use */
            if (!all)
                break;
            run = 0;
        } else if (run < want && !all) {
            break;
        }
    }
    *got = run;
    return 0;
}

int q2_allocate(struct qcow2 *q, uint64_t want, bool all, struct q2_wait *w, uint64_t *off, uint64_t *got)
{
    uint64_t start = 0, n = 0;

    if (q->broken)
        return EIO;
    int r = find_run(q, want, all, w, &start, &n);
    if (r)
        return r;
    if (q2_is_metadata(q, start << q->cluster_bits, n)) {
        q2_corrupt(q, "a cluster of metadata counts as free (in %" PRIu64 " clusters at offset 0x%" PRIx64 ")", n,
                   start << q->cluster_bits);
        return EIO;
    }
    for (uint64_t k = 0; k < n; k++) {
        struct q2_table *t;
        uint64_t i;
        r = get_slice(q, start + k, w, &t, &i);
        if (r) { /* only of a run over many slices: the cache is too small to hold them all */
            for (uint64_t j = 0; j < k; j++)
                q2_release_now(q, (start + j) << q->cluster_bits, 1);
            return r;
        }
        set(q, t, i, 1);
    }
    if (start == q->hint)
        q->hint += n;
    *off = start << q->cluster_bits;
    *got = n;
    return 0;
}

static void extended(struct bio *io, int err)
{
    struct qcow2 *q = io->opaque;

    (void) err; /* the writes themselves will tell */
    q->extending = false;
    q2_io_end(q, io);
    q2_wake(&q->extend_waiting, 0);
}

/* The file's end is moved in large steps, by a write of zeros that may stay: file systems let direct writes run side
 * by side only in front of it.  The rest is cut off again when the image is closed. */
void q2_used_up_to(struct qcow2 *q, uint64_t off)
{
    static const uint8_t none[EXTEND] __attribute__((aligned(4096)));
    static const struct iovec zeros = { (void *) none, sizeof none };

    if (off <= q->fresh)
        return;
    q->fresh = off;
    if (!q->steps || q->extending || off + STEP / 2 <= q->end)
        return;
    q->end = ROUND_UP(off, STEP) + STEP;
    q->extending = true;
    q2_io(q, BLK_WRITE, q->end - sizeof none, &zeros, 1, sizeof none, extended, q);
}

/* --- release ----------------------------------------------------------------------------------- */

static struct q2_free *free_new(uint64_t off, uint64_t n, bool punch)
{
    struct q2_free *f = g_new0(struct q2_free, 1);

    *f = (struct q2_free){ off, n, punch, 0 };
    return f;
}

void q2_unreference(struct qcow2 *q, uint64_t off, uint64_t n, bool punch)
{
    struct q2_free *last = g_queue_peek_tail(&q->frees);

    if (last && last->punch == punch && last->off + (last->n << q->cluster_bits) == off)
        last->n += n;
    else
        g_queue_push_tail(&q->frees, free_new(off, n, punch));
    q->frees_bytes += n << q->cluster_bits;
    if (q->frees_bytes > 64 * MiB || q->frees.length > 4096)
        q2_commit_kick(q);
}

void q2_release_now(struct qcow2 *q, uint64_t off, uint64_t n)
{
    g_queue_push_tail(&q->frees_ready, free_new(off, n, false));
    q2_release_some(q);
}

void q2_release_later(struct qcow2 *q, uint64_t off, uint64_t n)
{
    struct q2_free *f = free_new(off, n, false);

    f->seq = q->next_seq;
    g_queue_push_tail(&q->frees_drain, f);
    q2_release_some(q);
}

static void release_again(struct q2_wait *w, int err)
{
    struct qcow2 *q = container_of(w, struct qcow2, release_wait);

    if (err) { /* its refcounts can't be read: it stays a leak */
        g_free(q->releasing);
        q->releasing = NULL;
    } else if (q->releasing) {
        g_queue_push_head(&q->frees_ready, q->releasing);
        q->releasing = NULL;
    }
    q->internal--;
    q2_release_some(q);
}

struct punch {
    struct qcow2 *q;
    uint64_t n;
};

/* Punched; now they may be had again. */
static void punched(struct bio *io, int err)
{
    struct punch *p = io->opaque;
    struct qcow2 *q = p->q;
    struct q2_free *f = q->releasing;

    (void) err; /* a hint to the file system, no more */
    q2_io_end(q, io);
    q->releasing = NULL;
    g_queue_push_head(&q->frees_ready, f);
    struct q2_free *part = free_new(f->off, p->n, false);
    f->off += p->n << q->cluster_bits;
    f->n -= p->n;
    if (!f->n)
        g_free(g_queue_pop_head(&q->frees_ready));
    g_queue_push_head(&q->frees_ready, part);
    g_free(p);
    q2_release_some(q);
}

/* Of f, as much as one slice has.  True: go on with it. */
static bool release_step(struct qcow2 *q, struct q2_free *f)
{
    struct q2_table *t;
    uint64_t c = f->off >> q->cluster_bits, i, n = 0;
    int r = get_slice(q, c, &q->release_wait, &t, &i);

    if (r == Q2_WAIT) {
        q->internal++;
        return false;
    }
    if (r) {
        q2_corrupt(q, "no refcount for the cluster at offset 0x%" PRIx64, f->off);
        f->n = 0;
        return true;
    }
    while (n < f->n && i + n < slice_entries(q) && q2_refcount_read(q, t->data, i + n) == 1)
        n++;
    if (n && f->punch) {
        struct punch *p = g_new(struct punch, 1);
        *p = (struct punch){ q, n };
        q2_io(q, BLK_DISCARD, f->off, NULL, 0, n << q->cluster_bits, punched, p);
        return false;
    }
    if (n) {
        for (uint64_t k = 0; k < n; k++)
            set(q, t, i + k, 0);
        q->hint = MIN(q->hint, c);
    } else {
        uint64_t v = q2_refcount_read(q, t->data, i);
        if (!v)
            q2_corrupt(q, "the cluster at offset 0x%" PRIx64 " was in use with a refcount of 0", f->off);
        else
            set(q, t, i, v - 1);
        n = 1;
    }
    f->off += n << q->cluster_bits;
    f->n -= n;
    return true;
}

/* A request that was in flight when the reference went may still be at the clusters. */
void q2_release_some(struct qcow2 *q)
{
    struct q2_req *oldest = g_queue_peek_head(&q->reqs);
    struct q2_free *f;

    while ((f = g_queue_peek_head(&q->frees_drain)) && (!oldest || oldest->seq >= f->seq))
        g_queue_push_tail(&q->frees_ready, g_queue_pop_head(&q->frees_drain));
    while (!q->releasing && (f = g_queue_pop_head(&q->frees_ready))) {
        q->releasing = f;
        q->release_wait.run = release_again;
        while (f->n && release_step(q, f))
            ;
        if (f->n)
            return;
        g_free(f);
        q->releasing = NULL;
    }
}
