/* vmm/block/qcow2_resize.c - another size for the disk; a larger L1 table. */
#include "vmm/block/qcow2.h"

#include <errno.h>

static int allocate(struct qcow2 *q, uint64_t n, uint64_t *off)
{
    struct q2_sync s;
    uint64_t got;
    int r;

    q2_sync_init(&s, q);
    do
        r = q2_allocate(q, n, true, &s.wait, off, &got);
    while (q2_sync_again(&s, &r));
    return r;
}

int q2_sync_allocate(struct qcow2 *q, uint64_t n, uint64_t *off)
{
    int r = allocate(q, n, off);

    if (!r)
        q2_used_up_to(q, *off + (n << q->cluster_bits));
    return r;
}

/* The header that points to it is written, so that the old one can go. */
int q2_grow_l1(struct qcow2 *q, uint32_t entries)
{
    uint64_t off, old = q->l1_off, n = q2_clusters(q, (uint64_t) entries * 8),
                  old_n = q2_clusters(q, (uint64_t) q->l1_size * 8);

    if (entries <= q->l1_size)
        return 0;
    if (entries > Q2_MAX_L1 / 8)
        return EFBIG;
    int e = q2_sync_allocate(q, n, &off);
    if (e)
        return e;
    q->l1 = g_renew(uint64_t, q->l1, entries);
    memset(q->l1 + q->l1_size, 0, (size_t) (entries - q->l1_size) * 8);
    e = q2_write_table(q, off, q->l1, entries);
    e = e ? e : q2_sync_commit(q);
    if (!e) {
        st_be32(q->hdr + H_L1_SIZE, entries);
        st_be64(q->hdr + H_L1_OFF, off);
        e = q2_header_write(q, true);
        if (e) {
            st_be32(q->hdr + H_L1_SIZE, q->l1_size);
            st_be64(q->hdr + H_L1_OFF, old);
        }
    }
    if (e) {
        q2_release_now(q, off, n);
        return e;
    }
    q->l1_off = off;
    q->l1_size = entries;
    q2_meta_add(q, off, n);
    q2_meta_remove(q, old, old_n);
    q2_unreference(q, old, old_n, false);
    return 0;
}

static int zero(struct qcow2 *q, enum blk_op op, uint64_t from, uint64_t to)
{
    return from < to ? node_zero(&q->node, op, from, to - from) : 0;
}

static bool snapshots_know_size(const struct qcow2 *q)
{
    for (uint32_t i = 0; i < q->n_snaps; i++)
        if (q->snaps[i].extra_len < 16)
            return false;
    return true;
}

static int grow(struct qcow2 *q, uint64_t size)
{
    struct bnode *below = q->node.child[1];
    uint64_t old = q->node.size, per = q->cluster * (q->cluster / 8), entries = (size + per - 1) / per,
             shown = below ? MIN(size, below->size) : 0; /* what of the backing file would come to light */
    int e = entries > UINT32_MAX ? EFBIG : q2_grow_l1(q, (uint32_t) entries);

    if (e)
        return e;
    if (shown > old && q->version < 3)
        return ENOTSUP;
    q->node.size = size;
    e = zero(q, BLK_WRITE_ZEROES, old, shown);
    /* what may be there in spite of it: the state of a virtual machine lies behind the disk */
    e = e ? e : zero(q, BLK_DISCARD, MAX(ROUND_UP(old, q->cluster), shown), size);
    return e ? e : q2_sync_commit(q);
}

static int shrink(struct qcow2 *q, uint64_t size)
{
    uint64_t old = q->node.size, whole = ROUND_UP(size, q->cluster);

    if (q->version < 3 && q->node.child[1])
        return ENOTSUP; /* its zeros could not be told from the backing file's content */
    int e = zero(q, BLK_WRITE_ZEROES, size, MIN(whole, old));
    e = e ? e : zero(q, BLK_DISCARD, whole, old);
    return e ? e : q2_sync_commit(q);
}

int q2_resize(struct bnode *n, uint64_t size)
{
    struct qcow2 *q = as_qcow2(n);
    uint64_t old = n->size;

    if (n->read_only || q->broken)
        return n->read_only ? EROFS : EIO;
    if (!snapshots_know_size(q))
        return ENOTSUP;
    int e = q2_sync_commit(q);
    if (!e && size > old)
        e = grow(q, size);
    else if (!e && size < old)
        e = shrink(q, size);
    if (!e) {
        st_be64(q->hdr + H_SIZE, size);
        e = q2_header_write(q, true);
    }
    if (e) {
        st_be64(q->hdr + H_SIZE, old);
        n->size = old;
        return e;
    }
    n->size = size;
    return q2_sync_commit(q);
}
