/* vmm/block/qcow2_check.c - an image marked dirty: its refcounts are made anew from what refers to what.
 *
 * Only what can be done without a doubt: where tables overlap or point outside of the file, the image is left as
 * it is, and the user told of qemu-img check. */
#include "vmm/block/qcow2.h"
#include "vmm/base/log.h"

#include <errno.h>

struct count {
    struct qcow2 *q;
    uint32_t *refs;
    uint64_t n; /* host clusters */
    GError **err;
};

#define MAX_CLUSTERS (256 * MiB)

static bool bad(struct count *c, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static bool bad(struct count *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    fail(c->err, "%s: qcow2 image '%s' was not closed properly, and can't be repaired by itself: %s; try qemu-img "
         "check -r all, or read-only=on", c->q->who, c->q->path, what);
    g_free(what);
    return false;
}

static bool refer(struct count *c, uint64_t off, uint64_t bytes, const char *what)
{
    uint64_t first = off >> c->q->cluster_bits, n = q2_clusters(c->q, (off & (c->q->cluster - 1)) + bytes);

    if (!range_fits(first, n, c->n))
        return bad(c, "%s at offset 0x%" PRIx64 " is not in the file", what, off);
    for (uint64_t i = first; i < first + n; i++)
        if (c->refs[i]++ >= c->q->refcount_max || !c->refs[i])
            return bad(c, "too many references to the cluster at offset 0x%" PRIx64, i << c->q->cluster_bits);
    return true;
}

/* The slice of an L2 table, blocking. */
static int get(struct q2_cache *cache, uint64_t off, struct q2_table **t)
{
    struct q2_sync s;
    int r = Q2_WAIT;

    q2_sync_init(&s, cache->q);
    do
        r = q2_table_get(cache, off, &s.wait, t);
    while (q2_sync_again(&s, &r));
    return r;
}

static bool count_l2(struct count *c, uint64_t l2)
{
    struct qcow2 *q = c->q;

    for (uint64_t at = 0; at < q->cluster; at += q->slice) {
        struct q2_table *t;
        int e = get(&q->l2c, l2 + at, &t);
        if (e)
            return bad(c, "an L2 table cannot be read: %s", g_strerror(e));
        for (uint32_t i = 0; i < q->slice / 8; i++) {
            struct q2_map m;
            uint64_t entry = q2_l2_get(t, i);
            if (!entry)
                continue;
            if (!q2_decode(q, entry, &m))
                return bad(c, "an L2 entry of 0x%016" PRIx64, entry);
            if (m.host && !refer(c, m.host, m.kind == Q2_K_COMPRESSED ? m.len : q->cluster, "data"))
                return false;
        }
    }
    return true;
}

static bool count_tree(struct count *c, const uint64_t *l1, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t l2 = l1[i] & Q2_OFFSET;
        if (!l2)
            continue;
        if (l2 % c->q->cluster)
            return bad(c, "an L2 table at the impossible offset 0x%" PRIx64, l2);
        if (!refer(c, l2, c->q->cluster, "an L2 table") || !count_l2(c, l2))
            return false;
    }
    return true;
}

static bool count_all(struct count *c)
{
    struct qcow2 *q = c->q;
    bool ok = refer(c, 0, 1, "the header") && refer(c, q->l1_off, (uint64_t) q->l1_size * 8, "the L1 table") &&
              refer(c, q->rt_off, (uint64_t) q->rt_size * 8, "the refcount table");

    for (uint32_t i = 0; ok && i < q->rt_size; i++)
        ok = !q->rt[i] || refer(c, q->rt[i], q->cluster, "a refcount block");
    if (ok && q->n_snaps)
        ok = refer(c, q->snaps_off, q->snaps_len, "the snapshot table");
    ok = ok && count_tree(c, q->l1, q->l1_size);
    for (uint32_t s = 0; ok && s < q->n_snaps; s++) {
        struct q2_snapshot_entry *e = &q->snaps[s];
        int err = 0;
        if (!e->l1_size)
            continue;
        ok = refer(c, e->l1_off, (uint64_t) e->l1_size * 8, "the L1 table of a snapshot");
        uint64_t *l1 = ok ? q2_read_table(q, e->l1_off, e->l1_size, UINT64_MAX, &err) : NULL;
        if (ok && !l1)
            ok = bad(c, "the L1 table of a snapshot cannot be read: %s", g_strerror(err));
        ok = ok && count_tree(c, l1, e->l1_size);
        g_free(l1);
    }
    return ok;
}

/* A refcount block where clusters are in use and there is none. */
static bool add_block(struct count *c, uint64_t r)
{
    struct qcow2 *q = c->q;
    uint64_t per = q2_block_clusters(q), at = r * per;
    struct q2_sync s;
    int e = Q2_WAIT;

    while (at < MIN((r + 1) * per, c->n) && c->refs[at])
        at++;
    if (r >= q->rt_size || at == MIN((r + 1) * per, c->n))
        return bad(c, "there is no room for a refcount block where it is missing");
    q2_sync_init(&s, q);
    q2_wait_on(&q->alloc_waiting, &s.wait);
    q2_add_block(q, r, at << q->cluster_bits);
    if (q2_sync_again(&s, &e))
        e = 0;
    if (e || !q->rt[r])
        return bad(c, "a refcount block cannot be written: %s", g_strerror(e ? e : EIO));
    c->refs[at] = 1;
    return true;
}

static bool set_block(struct count *c, uint64_t r)
{
    struct qcow2 *q = c->q;
    uint64_t per = q2_block_clusters(q), in_slice = q->slice * 8 >> q->refcount_order;

    for (uint64_t k = 0; k < per; k += in_slice) {
        struct q2_table *t;
        int e = get(&q->rbc, q->rt[r] + k / in_slice * q->slice, &t);
        if (e)
            return bad(c, "a refcount block cannot be read: %s", g_strerror(e));
        for (uint64_t i = 0; i < in_slice; i++) {
            uint64_t cl = r * per + k + i, want = cl < c->n ? c->refs[cl] : 0;
            uint32_t byte = (uint32_t) ((i << q->refcount_order) / 8);
            if (q2_refcount_read(q, t->data, i) == want)
                continue;
            q2_table_touch(t, byte, byte + MAX(1u << q->refcount_order >> 3, 1));
            q2_refcount_write(q, t->data, i, want);
        }
    }
    return true;
}

static bool set_all(struct count *c)
{
    struct qcow2 *q = c->q;
    uint64_t per = q2_block_clusters(q);

    for (uint64_t r = 0; r < MAX(q->rt_size, (c->n + per - 1) / per); r++) {
        bool used = false;
        for (uint64_t cl = r * per; cl < MIN((r + 1) * per, c->n) && !used; cl++)
            used = c->refs[cl];
        if (r < q->rt_size && q->rt[r]) {
            if (!set_block(c, r))
                return false;
        } else if (used && (!add_block(c, r) || !set_block(c, r))) {
            return false;
        }
    }
    return true;
}

static bool metadata_alone(struct count *c)
{
    GHashTableIter it;
    void *key;

    g_hash_table_iter_init(&it, c->q->meta);
    while (g_hash_table_iter_next(&it, &key, NULL)) {
        uint64_t cl = GPOINTER_TO_SIZE(key);
        bool l2 = false; /* which snapshots may share */
        for (uint32_t i = 0; cl < c->n && c->refs[cl] > 1 && i < c->q->l1_size && !l2; i++)
            l2 = (c->q->l1[i] & Q2_OFFSET) >> c->q->cluster_bits == cl;
        if (cl < c->n && c->refs[cl] > 1 && !l2)
            return bad(c, "something overlaps the metadata at offset 0x%" PRIx64, cl << c->q->cluster_bits);
    }
    return true;
}

bool q2_repair(struct qcow2 *q, GError **err)
{
    struct count c = { .q = q, .err = err };

    q->hint = 0;
    c.n = q2_clusters(q, q->node.child[0]->size);
    if (c.n > MAX_CLUSTERS)
        return bad(&c, "the file has too many clusters");
    c.refs = g_try_new0(uint32_t, c.n);
    if (!c.refs)
        return bad(&c, "not enough memory");
    bool ok = count_all(&c) && metadata_alone(&c) && set_all(&c);
    g_free(c.refs);
    if (ok) {
        int e = q2_fix_copied(q);
        e = e ? e : q2_sync_commit(q);
        e = e ? e : q2_set_incompatible(q, Q2_DIRTY, false);
        if (e)
            ok = bad(&c, "%s", g_strerror(e));
    }
    if (ok)
        warn_user("%s: qcow2 image '%s' was not closed properly; its refcounts were repaired", q->who, q->path);
    return ok;
}
