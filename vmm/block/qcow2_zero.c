/* vmm/block/qcow2_zero.c - discards and zeroed ranges: whole clusters by their L2 entries, the rest as data. */
#include "vmm/block/qcow2.h"

#include <errno.h>

/* Part of a cluster.  What reads as zeros already needs nothing. */
static int zero_part(struct q2_req *r, uint64_t pos, uint64_t len, uint64_t *n)
{
    struct qcow2 *q = r->q;
    struct bnode *below = q->node.child[1];
    uint64_t cluster = pos >> q->cluster_bits, in = pos & (q->cluster - 1);
    struct q2_alloc *busy = q2_alloc_find(q, cluster, 1);
    struct q2_map m;

    len = MIN(len, q->cluster - in);
    if (r->io->op == BLK_DISCARD) {
        *n = len;
        return 0;
    }
    if (busy) {
        q2_wait_on(&busy->waiting, &r->wait);
        return Q2_WAIT;
    }
    int e = q2_lookup(q, cluster, 1, &r->wait, &m);
    if (e)
        return e;
    if (m.kind == Q2_K_ZERO || m.kind == Q2_K_ZERO_HOST || (m.kind == Q2_K_NONE && (!below || pos >= below->size))) {
        *n = len;
        return 0;
    }
    return q2_write_piece(r, pos, len, n);
}

/* What becomes of an entry; the same: nothing to do.  Without the zero flag (version 2) an entry of 0 reads as
 * zeros only where nothing is below. */
static uint64_t new_entry(const struct q2_req *r, const struct q2_map *m, uint64_t old)
{
    const struct qcow2 *q = r->q;
    bool below = q->node.child[1] != NULL, has = m->kind == Q2_K_COMPRESSED || m->host;

    if (q->version < 3)
        return below ? old : 0;
    if (r->io->op == BLK_DISCARD)
        return has || (below && m->kind == Q2_K_NONE) ? Q2_ZERO : old;
    if (m->kind == Q2_K_COMPRESSED || (r->io->flags & BLK_MAY_UNMAP && has))
        return Q2_ZERO;
    return old | Q2_ZERO;
}

int q2_zero_piece(struct q2_req *r, uint64_t pos, uint64_t len, uint64_t *n)
{
    struct qcow2 *q = r->q;
    uint64_t first = pos >> q->cluster_bits, want = len >> q->cluster_bits, left;
    bool to_end = pos + len == q->node.size, below = q->node.child[1];
    struct q2_alloc *busy;
    struct q2_table *t;
    uint32_t i;

    if (to_end) /* the last cluster has no more than that */
        want = q2_clusters(q, len);
    if (pos & (q->cluster - 1) || !want)
        return zero_part(r, pos, len, n);
    if (q->version < 3 && (below || (r->io->op == BLK_WRITE_ZEROES && !(r->io->flags & BLK_MAY_UNMAP)))) {
        if (r->io->op == BLK_WRITE_ZEROES)
            return q2_write_piece(r, pos, MIN(len, MiB), n);
        *n = len;
        return 0;
    }
    while ((busy = q2_alloc_find(q, first, want))) {
        if (busy->first <= first) {
            q2_wait_on(&busy->waiting, &r->wait);
            return Q2_WAIT;
        }
        want = busy->first - first;
    }
    if (!below && (q->version < 3 || r->io->op == BLK_DISCARD)) { /* no table is made to say what is so anyway */
        struct q2_map m;
        int e = q2_lookup(q, first, want, &r->wait, &m);
        if (e)
            return e;
        if (m.kind == Q2_K_NONE) {
            *n = MIN(len, m.n * q->cluster);
            return 0;
        }
    }
    int e = q2_l2_for_write(q, first, &r->wait, &t, &i, &left);
    if (e)
        return e;
    want = MIN(want, left);
    for (uint64_t k = 0; k < want; k++) {
        uint64_t old = q2_l2_get(t, (uint32_t) (i + k));
        struct q2_map m;
        if (!q2_decode(q, old, &m)) {
            q2_corrupt(q, "L2 entry 0x%016" PRIx64 " for guest offset 0x%" PRIx64, old, pos + k * q->cluster);
            return EIO;
        }
        uint64_t now = new_entry(r, &m, old);
        if (now == old)
            continue;
        q2_l2_set(t, (uint32_t) (i + k), now);
        if (!(now & Q2_OFFSET))
            q2_unreference_entry(q, old, q->unmap);
    }
    *n = MIN(len, want * q->cluster);
    return 0;
}
