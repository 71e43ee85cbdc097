/* vmm/block/qcow2_snapshot.c - internal snapshots: a second L1 table on the same clusters.
 *
 * Refcounts and COPIED flags of a whole tree can't change in one write.  While they do, a version 3 image is
 * marked dirty.  In version 2 the order alone has to do: no cut loses data, but it may leave flags and refcounts
 * that qemu-img check -r all has to put right. */
#include "vmm/block/qcow2.h"
#include "vmm/block/drive_int.h"

#include <errno.h>
#include <stdlib.h>

/* --- trees ------------------------------------------------------------------------------------- */

static int get(struct qcow2 *q, uint64_t off, struct q2_table **t)
{
    struct q2_sync s;
    int r;

    q2_sync_init(&s, q);
    do
        r = q2_table_get(&q->l2c, off, &s.wait, t);
    while (q2_sync_again(&s, &r));
    return r;
}

/* A copy of a slice: to add to refcounts may push the slice itself out of the cache. */
static int get_copy(struct qcow2 *q, uint64_t off, uint8_t *buf)
{
    struct q2_table *t;
    int e = get(q, off, &t);

    if (!e)
        memcpy(buf, t->data, (size_t) q->slice);
    return e;
}

static int add_one(struct qcow2 *q, uint64_t off, uint64_t n)
{
    int r = 0;

    for (uint64_t c = off >> q->cluster_bits; n-- && !r; c++) {
        struct q2_sync s;
        q2_sync_init(&s, q);
        do
            r = q2_refcount_add(q, c, 1, &s.wait, NULL);
        while (q2_sync_again(&s, &r));
    }
    return r;
}

static int entry_add(struct qcow2 *q, uint64_t entry)
{
    struct q2_map m;

    if (!q2_decode(q, entry, &m))
        return EIO;
    if (m.kind == Q2_K_COMPRESSED)
        return add_one(q, m.host, q2_clusters(q, (m.host & (q->cluster - 1)) + m.len));
    return m.host ? add_one(q, m.host, 1) : 0;
}

/* One more, or one less, who refers to all that this L1 table leads to.  Less is done by the next commits. */
static int tree(struct qcow2 *q, const uint64_t *l1, uint32_t n, bool more)
{
    int e = 0;
    uint8_t *buf = g_malloc((size_t) q->slice);

    for (uint32_t i = 0; i < n && !e; i++) {
        uint64_t l2 = l1[i] & Q2_OFFSET;
        if (!l2)
            continue;
        if (l2 % q->cluster)
            e = EIO;
        for (uint64_t at = 0; at < q->cluster && !e; at += q->slice) {
            e = get_copy(q, l2 + at, buf);
            for (uint32_t k = 0; k < q->slice / 8 && !e; k++) {
                uint64_t entry = ld_be64(buf + (size_t) k * 8);
                if (entry && more)
                    e = entry_add(q, entry);
                else if (entry)
                    q2_unreference_entry(q, entry, q->unmap);
            }
        }
        if (!e && more)
            e = add_one(q, l2, 1);
        else if (!e)
            q2_unreference(q, l2, 1, false);
    }
    g_free(buf);
    return e;
}

static int sync_refcount(struct qcow2 *q, uint64_t off, uint64_t *v)
{
    struct q2_sync s;
    int r;

    q2_sync_init(&s, q);
    do
        r = q2_refcount_get(q, off >> q->cluster_bits, &s.wait, v);
    while (q2_sync_again(&s, &r));
    return r;
}

static int fix_l2(struct qcow2 *q, uint64_t l2)
{
    struct q2_table *t;
    uint8_t *buf = g_malloc((size_t) q->slice);
    int e = 0;

    for (uint64_t at = 0; at < q->cluster && !e; at += q->slice) {
        e = get_copy(q, l2 + at, buf);
        for (uint32_t k = 0; k < q->slice / 8 && !e; k++) {
            struct q2_map m;
            uint64_t v, entry = ld_be64(buf + (size_t) k * 8);
            if (!entry || !q2_decode(q, entry, &m) || m.kind == Q2_K_COMPRESSED || !m.host)
                continue;
            e = sync_refcount(q, m.host, &v);
            if (!e && m.copied != (v == 1)) {
                e = get(q, l2 + at, &t);
                if (!e)
                    q2_l2_set(t, k, (entry & ~Q2_COPIED) | (v == 1 ? Q2_COPIED : 0));
            }
        }
    }
    g_free(buf);
    return e;
}

/* COPIED: exactly where the active tree is the only one to refer to a cluster. */
int q2_fix_copied(struct qcow2 *q)
{
    int e = 0;

    q->barrier = true;
    for (uint32_t i = 0; i < q->l1_size && !e; i++) {
        uint64_t l2 = q->l1[i] & Q2_OFFSET, v;
        if (!l2)
            continue;
        e = sync_refcount(q, l2, &v);
        if (!e && !(q->l1[i] & Q2_COPIED) != (v != 1)) {
            q->l1[i] = l2 | (v == 1 ? Q2_COPIED : 0);
            q2_dirty_range(&q->l1_dirty, i);
        }
        e = e ? e : fix_l2(q, l2);
    }
    return e;
}

/* --- the table of snapshots -------------------------------------------------------------------- */

static size_t put_one(uint8_t *p, const struct q2_snapshot_entry *s)
{
    uint32_t extra = MAX(s->extra_len, 24), id = (uint32_t) strlen(s->id), name = (uint32_t) strlen(s->name);
    size_t len = 40 + extra + id + name;

    if (!p)
        return ROUND_UP(len, 8);
    st_be64(p, s->l1_off);
    st_be32(p + 8, s->l1_size);
    st_be16(p + 12, (uint16_t) id);
    st_be16(p + 14, (uint16_t) name);
    st_be32(p + 16, s->sec);
    st_be32(p + 20, s->nsec);
    st_be64(p + 24, s->vm_clock);
    st_be32(p + 32, s->vm_state_size > UINT32_MAX ? 0 : (uint32_t) s->vm_state_size);
    st_be32(p + 36, extra);
    st_be64(p + 40, s->vm_state_size);
    st_be64(p + 48, s->disk_size);
    st_be64(p + 56, s->icount);
    if (s->extra)
        memcpy(p + 64, s->extra, s->extra_len - 24);
    memcpy(p + 40 + extra, s->id, id);
    memcpy(p + 40 + extra + id, s->name, name);
    return ROUND_UP(len, 8);
}

int q2_snapshots_store(struct qcow2 *q, uint64_t *old_off, uint64_t *old_len)
{
    size_t len = 0, room;
    uint64_t off = 0;
    int e = 0;

    for (uint32_t i = 0; i < q->n_snaps; i++)
        len += put_one(NULL, &q->snaps[i]);
    if (len > 64 * MiB)
        return EFBIG;
    room = (size_t) ROUND_UP(len, q->cluster);
    if (len) {
        e = q2_sync_allocate(q, q2_clusters(q, len), &off);
        if (e)
            return e;
        uint8_t *buf = q2_buffer(room), *p = buf;
        memset(buf, 0, room);
        for (uint32_t i = 0; i < q->n_snaps; i++)
            p += put_one(p, &q->snaps[i]);
        e = node_pwrite(q->node.child[0], off, buf, room);
        free(buf);
        if (e) {
            q2_release_now(q, off, q2_clusters(q, len));
            return e;
        }
        q2_meta_add(q, off, q2_clusters(q, len));
    }
    *old_off = q->snaps_off;
    *old_len = q->snaps_len;
    q->snaps_off = off;
    q->snaps_len = len;
    st_be32(q->hdr + H_SNAPSHOTS, q->n_snaps);
    st_be64(q->hdr + H_SNAPSHOTS_OFF, off);
    return 0;
}

/* The new table is there, and all it stands for; the header follows, then the old one goes. */
static int publish(struct qcow2 *q, uint64_t old_off, uint64_t old_len)
{
    int e = q2_sync_commit(q);

    e = e ? e : q2_header_write(q, true);
    if (!e && old_len) {
        q2_meta_remove(q, old_off, q2_clusters(q, old_len));
        q2_unreference(q, old_off, q2_clusters(q, old_len), false);
    }
    return e;
}

/* --- operations -------------------------------------------------------------------------------- */

/* What failed in the middle: the dirty bit is set, so counting anew puts it right. */
static bool failed(struct qcow2 *q, int e, const char *what, GError **err)
{
    GError *more = NULL;

    if (!q->broken && !q2_repair(q, &more)) {
        q->broken = true;
        g_clear_error(&more);
    }
    return fail(err, "%s: cannot %s in '%s': %s%s", q->who, what, q->path, g_strerror(e),
                q->broken ? "; it can't be written any more" : "");
}

static struct q2_snapshot_entry *find(struct qcow2 *q, const char *key)
{
    for (uint32_t i = 0; i < q->n_snaps; i++)
        if (!strcmp(q->snaps[i].id, key))
            return &q->snaps[i];
    for (uint32_t i = 0; i < q->n_snaps; i++)
        if (!strcmp(q->snaps[i].name, key))
            return &q->snaps[i];
    return NULL;
}

static char *new_id(const struct qcow2 *q)
{
    uint64_t max = 0;

    for (uint32_t i = 0; i < q->n_snaps; i++)
        max = MAX(max, g_ascii_strtoull(q->snaps[i].id, NULL, 10));
    return g_strdup_printf("%" PRIu64, max + 1);
}

static int create(struct qcow2 *q, const char *name)
{
    uint64_t off, old_off, old_len, n = q2_clusters(q, (uint64_t) q->l1_size * 8);
    int64_t now = g_get_real_time();
    int e = tree(q, q->l1, q->l1_size, true);

    e = e ? e : q2_fix_copied(q);
    e = e ? e : q2_sync_allocate(q, n, &off);
    e = e ? e : q2_write_table(q, off, q->l1, q->l1_size);
    if (e)
        return e;
    q->snaps = g_renew(struct q2_snapshot_entry, q->snaps, q->n_snaps + 1);
    q->snaps[q->n_snaps] = (struct q2_snapshot_entry){
        .id = new_id(q), .name = g_strdup(name), .l1_off = off, .l1_size = q->l1_size,
        .sec = (uint32_t) (now / G_USEC_PER_SEC), .nsec = (uint32_t) (now % G_USEC_PER_SEC * 1000),
        .disk_size = q->node.size, .icount = UINT64_MAX, .extra_len = 24,
    };
    q->n_snaps++;
    e = q2_snapshots_store(q, &old_off, &old_len);
    e = e ? e : publish(q, old_off, old_len);
    if (e) {
        q->n_snaps--;
        g_free(q->snaps[q->n_snaps].id);
        g_free(q->snaps[q->n_snaps].name);
    } else {
        q2_meta_add(q, off, n);
    }
    return e;
}

static void swap_meta(struct qcow2 *q, const uint64_t *old, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (old[i] & Q2_OFFSET)
            q2_meta_remove(q, old[i] & Q2_OFFSET, 1);
    for (uint32_t i = 0; i < q->l1_size; i++)
        if (q->l1[i] & Q2_OFFSET)
            q2_meta_add(q, q->l1[i] & Q2_OFFSET, 1);
}

static int apply(struct qcow2 *q, const struct q2_snapshot_entry *s)
{
    int e = 0;
    uint64_t *l1 = q2_read_table(q, s->l1_off, s->l1_size, Q2_OFFSET, &e);

    if (!l1)
        return e;
    e = tree(q, l1, s->l1_size, true);
    e = e ? e : q2_grow_l1(q, s->l1_size);
    if (!e) {
        uint64_t *old = q->l1;
        uint32_t n = q->l1_size;
        q->l1 = g_new0(uint64_t, n);
        memcpy(q->l1, l1, (size_t) s->l1_size * 8);
        q->l1_dirty = (struct q2_range){ 0, n };
        q->node.size = s->disk_size;
        st_be64(q->hdr + H_SIZE, s->disk_size);
        swap_meta(q, old, n);
        e = tree(q, old, n, false);
        g_free(old);
    }
    g_free(l1);
    e = e ? e : q2_sync_commit(q);
    e = e ? e : q2_fix_copied(q);
    return e ? e : q2_sync_commit(q);
}

static int delete(struct qcow2 *q, struct q2_snapshot_entry *s)
{
    int e = 0;
    struct q2_snapshot_entry gone = *s;
    uint64_t old_off, old_len, *l1 = q2_read_table(q, s->l1_off, s->l1_size, Q2_OFFSET, &e);
    uint32_t at = (uint32_t) (s - q->snaps);

    if (!l1)
        return e;
    q->n_snaps--;
    memmove(s, s + 1, (q->n_snaps - at) * sizeof *s);
    e = q2_snapshots_store(q, &old_off, &old_len);
    e = e ? e : publish(q, old_off, old_len);
    if (e) { /* the header still has it */
        memmove(s + 1, s, (q->n_snaps - at) * sizeof *s);
        *s = gone;
        q->n_snaps++;
        g_free(l1);
        return e;
    }
    e = tree(q, l1, gone.l1_size, false);
    g_free(l1);
    g_free(gone.id);
    g_free(gone.name);
    g_free(gone.extra);
    if (gone.l1_size) {
        uint64_t n = q2_clusters(q, (uint64_t) gone.l1_size * 8);
        q2_meta_remove(q, gone.l1_off, n);
        q2_unreference(q, gone.l1_off, n, false);
    }
    e = e ? e : q2_sync_commit(q);
    e = e ? e : q2_fix_copied(q);
    return e ? e : q2_sync_commit(q);
}

/* --- by drive ---------------------------------------------------------------------------------- */

static struct qcow2 *of_drive(struct blk *blk, GError **err)
{
    struct bnode *n = blk->ops == &drive_ops ? as_drive(blk)->root : NULL;

    while (n && n->cls->submit != q2_submit && n->child[0] && strcmp(n->cls->name, "raw"))
        n = n->child[0];
    if (n && n->cls->submit == q2_submit)
        return as_qcow2(n);
    fail(err, "drive '%s' has no qcow2 image: there are no snapshots in it", blk->id);
    return NULL;
}

enum what { CREATE, APPLY, DELETE };

struct order {
    struct blk *blk;
    struct qcow2 *q;
    enum what what;
    const char *name;
    GError **err;
    bool ok;
};

static bool run(struct order *o)
{
    static const char *const names[] = { "make a snapshot", "go back to a snapshot", "delete a snapshot" };
    struct qcow2 *q = o->q;
    struct q2_snapshot_entry *s = o->what == CREATE ? NULL : find(q, o->name);

    if (q->node.read_only || q->broken)
        return fail(o->err, "%s: cannot %s in '%s': it can't be written", q->who, names[o->what], q->path);
    if (o->what != CREATE && !s)
        return fail(o->err, "%s: there is no snapshot '%s' in '%s'", q->who, o->name, q->path);
    if (o->what == CREATE && (!*o->name || strlen(o->name) > 255))
        return fail(o->err, "%s: a snapshot needs a name of 1 to 255 bytes", q->who);
    if (o->what == CREATE && (q->refcount_max < 2 || q->n_snaps == Q2_MAX_SNAPSHOTS))
        return fail(o->err, "%s: '%s' has no room for another snapshot (refcounts of %u bits)", q->who, q->path,
                    1u << q->refcount_order);
    if (o->what == APPLY && (!s->disk_size || s->disk_size % 512 || s->disk_size > INT64_MAX))
        return fail(o->err, "%s: snapshot '%s' in '%s' has an impossible disk size", q->who, o->name, q->path);
    if (o->what == APPLY &&
        (s->disk_size + q->cluster * (q->cluster / 8) - 1) / (q->cluster * (q->cluster / 8)) > s->l1_size)
        return fail(o->err, "%s: snapshot '%s' in '%s' has too small an L1 table", q->who, o->name, q->path);
    int e = q2_sync_commit(q);
    e = e ? e : q2_set_incompatible(q, Q2_DIRTY, true);
    if (e)
        return fail(o->err, "%s: cannot %s in '%s': %s", q->who, names[o->what], q->path, g_strerror(e));
    e = o->what == CREATE ? create(q, o->name) : o->what == APPLY ? apply(q, s) : delete(q, s);
    if (e)
        return failed(q, e, names[o->what], o->err);
    e = q2_set_incompatible(q, Q2_DIRTY, false);
    e = e ? e : q2_sync_commit(q);
    return !e || fail(o->err, "%s: cannot %s in '%s': %s", q->who, names[o->what], q->path, g_strerror(e));
}

static void run_inside(void *opaque)
{
    struct order *o = opaque;
    struct drive *d = as_drive(o->blk);

    drive_wait(d);
    o->ok = run(o);
    d->root->size = d->root->child[0] && d->root != &o->q->node ? o->q->node.size : d->root->size;
}

static bool order(struct blk *blk, enum what what, const char *name, GError **err)
{
    struct order o = { .blk = blk, .q = of_drive(blk, err), .what = what, .name = name, .err = err };

    if (!o.q)
        return false;
    struct drive *d = as_drive(blk);
    exec_call(blk->exec, run_inside, &o);
    if (o.ok && blk->size != d->root->size) {
        blk->size = d->root->size;
        if (blk->dev_ops && blk->dev_ops->resized)
            blk->dev_ops->resized(blk->dev_opaque);
    }
    return o.ok;
}

bool qcow2_snapshot_create(struct blk *blk, const char *name, GError **err)
{
    return order(blk, CREATE, name, err);
}

bool qcow2_snapshot_apply(struct blk *blk, const char *name_or_id, GError **err)
{
    return order(blk, APPLY, name_or_id, err);
}

bool qcow2_snapshot_delete(struct blk *blk, const char *name_or_id, GError **err)
{
    return order(blk, DELETE, name_or_id, err);
}

char *qcow2_snapshot_list(struct blk *blk, GError **err)
{
    struct qcow2 *q = of_drive(blk, err);

    if (!q)
        return NULL;
    GString *s = g_string_new(NULL);
    if (!q->n_snaps)
        g_string_append_printf(s, "%s: no snapshots\n", blk->id);
    else
        g_string_append(s, "ID        TAG                       VM SIZE  DATE                 DISK\n");
    for (uint32_t i = 0; i < q->n_snaps; i++) {
        const struct q2_snapshot_entry *e = &q->snaps[i];
        GDateTime *t = g_date_time_new_from_unix_local(e->sec);
        char *date = t ? g_date_time_format(t, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
        char *vm = g_format_size_full(e->vm_state_size, G_FORMAT_SIZE_IEC_UNITS),
             *disk = g_format_size_full(e->disk_size, G_FORMAT_SIZE_IEC_UNITS);
        g_string_append_printf(s, "%-9s %-24s %8s  %-19s  %s\n", e->id, e->name, vm, date, disk);
        g_free(vm);
        g_free(disk);
        g_free(date);
        if (t)
            g_date_time_unref(t);
    }
    return g_string_free(s, FALSE);
}

const struct q2_snapshot_entry *qcow2_snapshot_entries(struct blk *blk, uint32_t *n)
{
    const struct qcow2 *q = of_drive(blk, NULL);

    *n = q ? q->n_snaps : 0;
    return q ? q->snaps : NULL;
}
