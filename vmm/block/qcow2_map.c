/* vmm/block/qcow2_map.c - from guest clusters to host clusters: the L1 table, L2 tables, and their making. */
#include "vmm/block/qcow2.h"
#include "vmm/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* --- damage ------------------------------------------------------------------------------------ */

static void marked(struct bio *io, int err)
{
    struct qcow2 *q = io->opaque;

    (void) err;
    q2_io_end(q, io);
}

/* From now on nothing is written but this mark: whatever else we believe of the image may be wrong, too. */
void q2_corrupt(struct qcow2 *q, const char *fmt, ...)
{
    va_list ap;

    if (!q->warned) {
        va_start(ap, fmt);
        char *what = g_strdup_vprintf(fmt, ap);
        va_end(ap);
        warn_user("%s: qcow2 image '%s' is damaged: %s%s", q->who, q->path, what,
                  q->node.read_only ? "" : "; writes are refused from now on; repair it: qemu-img check -r all");
        g_free(what);
    }
    q->warned = true;
    if (q->node.read_only || q->broken)
        return;
    q->broken = true;
    if (q->version >= 3) {
        st_be64(q->hdr + H_INCOMPATIBLE, ld_be64(q->hdr + H_INCOMPATIBLE) | Q2_CORRUPT);
        q->hdr_iov = (struct iovec){ q->hdr, Q2_HEADER };
        q2_io(q, BLK_WRITE, 0, &q->hdr_iov, 1, Q2_HEADER, marked, q);
    }
}

/* --- entries ----------------------------------------------------------------------------------- */

void q2_dirty_range(struct q2_range *r, uint32_t i)
{
    if (r->lo == r->hi)
        *r = (struct q2_range){ i, i + 1 };
    r->lo = MIN(r->lo, i);
    r->hi = MAX(r->hi, i + 1);
}

uint64_t q2_l2_get(const struct q2_table *t, uint32_t i)
{
    return ld_be64(t->data + (size_t) i * 8);
}

void q2_l2_set(struct q2_table *t, uint32_t i, uint64_t entry)
{
    q2_table_touch(t, i * 8, i * 8 + 8);
    st_be64(t->data + (size_t) i * 8, entry);
}

bool q2_decode(struct qcow2 *q, uint64_t e, struct q2_map *m)
{
    uint64_t host = e & Q2_OFFSET;

    *m = (struct q2_map){ .n = 1 };
    if (e & Q2_COMPRESSED) {
        unsigned x = 62 - (q->cluster_bits - 8);
        uint64_t sectors = (e >> x & (BIT64(62 - x) - 1)) + 1;
        m->kind = Q2_K_COMPRESSED;
        m->host = e & (BIT64(x) - 1) & (BIT64(56) - 1);
        m->len = sectors * 512 - m->host % 512;
        return m->host >= q->cluster && (e & (BIT64(x) - 1)) == m->host;
    }
    m->host = host;
    m->copied = e & Q2_COPIED;
    if (e & Q2_ZERO && q->version < 3)
        return false;
    if (host % q->cluster || (!host && m->copied))
        return false;
    if (e & Q2_ZERO)
        m->kind = host ? Q2_K_ZERO_HOST : Q2_K_ZERO;
    else
        m->kind = host ? Q2_K_DATA : Q2_K_NONE;
    return true;
}

static uint64_t slice_entries(const struct qcow2 *q)
{
    return q->slice / 8;
}

static uint32_t l1_index(const struct qcow2 *q, uint64_t cluster)
{
    return (uint32_t) (cluster >> (q->cluster_bits - 3));
}

/* Where the slice for a guest cluster is, in the L2 table at `l2`. */
static uint64_t slice_at(const struct qcow2 *q, uint64_t l2, uint64_t cluster)
{
    uint64_t in = cluster & (q->cluster / 8 - 1);

    return l2 + in / slice_entries(q) * q->slice;
}

static int get_l2(struct qcow2 *q, uint64_t l2, uint64_t cluster, struct q2_wait *w, struct q2_table **t,
                  uint32_t *i)
{
    if (l2 % q->cluster || !l2) {
        q2_corrupt(q, "an L2 table at the impossible offset 0x%" PRIx64, l2);
        return EIO;
    }
    *i = (uint32_t) (cluster & (slice_entries(q) - 1));
    return q2_table_get(&q->l2c, slice_at(q, l2, cluster), w, t);
}

static bool goes_on(const struct q2_map *m, const struct q2_map *next, uint64_t cluster)
{
    if (next->kind != m->kind || next->copied != m->copied)
        return false;
    return m->kind == Q2_K_NONE || m->kind == Q2_K_ZERO ||
           (m->kind != Q2_K_COMPRESSED && next->host == m->host + m->n * cluster);
}

int q2_lookup(struct qcow2 *q, uint64_t cluster, uint64_t max, struct q2_wait *w, struct q2_map *m)
{
    uint32_t i, l = l1_index(q, cluster);
    uint64_t in = cluster & (q->cluster / 8 - 1), left = q->cluster / 8 - in;
    struct q2_table *t;

    if (l >= q->l1_size || !(q->l1[l] & Q2_OFFSET)) {
        *m = (struct q2_map){ .kind = Q2_K_NONE, .n = MIN(left, max) };
        return 0;
    }
    int r = get_l2(q, q->l1[l] & Q2_OFFSET, cluster, w, &t, &i);
    if (r)
        return r;
    for (uint64_t n = 0; n < max && i + n < slice_entries(q); n++) {
        struct q2_map next;
        uint64_t e = q2_l2_get(t, (uint32_t) (i + n));
        if (!q2_decode(q, e, &next)) {
            if (n)
                break;
            q2_corrupt(q, "L2 entry 0x%016" PRIx64 " for guest offset 0x%" PRIx64, e, cluster << q->cluster_bits);
            return EIO;
        }
        if (n && !goes_on(m, &next, q->cluster))
            break;
        if (n)
            m->n++;
        else
            *m = next;
    }
    return 0;
}

void q2_unreference_entry(struct qcow2 *q, uint64_t e, bool punch)
{
    struct q2_map m;

    if (!q2_decode(q, e, &m))
        return;
    if (m.kind == Q2_K_COMPRESSED) {
        uint64_t first = m.host >> q->cluster_bits, last = (m.host + m.len - 1) >> q->cluster_bits;
        q2_unreference(q, first << q->cluster_bits, last - first + 1, punch);
    } else if (m.host) {
        q2_unreference(q, m.host, 1, punch);
    }
}

/* --- a table of our own ------------------------------------------------------------------------ */

/* A new L2 table: empty, or the copy of one that a snapshot uses as well.  It is written as a whole before L1
 * points to it. */
struct l2_job {
    struct qcow2 *q;
    uint32_t l1;
    uint64_t old, off;
    uint8_t *buf;
    struct iovec iov;
    struct q2_wait wait;
    struct q2_waitq waiting;
};

static void l2_job_free(gpointer p)
{
    struct l2_job *j = p;

    free(j->buf);
    g_free(j);
}

static void l2_job_end(struct l2_job *j, int err)
{
    struct qcow2 *q = j->q;
    struct q2_waitq waiting = j->waiting;

    if (!waiting.head)
        waiting.tail = &waiting.head;
    if (err && j->off)
        q2_release_now(q, j->off, 1);
    q->internal--;
    g_hash_table_remove(q->l2_jobs, GSIZE_TO_POINTER((size_t) j->l1 + 1));
    q2_wake(&waiting, err);
}

static void l2_written(struct bio *io, int err)
{
    struct l2_job *j = io->opaque;
    struct qcow2 *q = j->q;

    q2_io_end(q, io);
    if (!err) {
        q->l1[j->l1] = j->off | Q2_COPIED;
        q2_dirty_range(&q->l1_dirty, j->l1);
        q2_meta_add(q, j->off, 1);
        if (j->old) { /* the snapshots' now */
            q2_meta_remove(q, j->old, 1);
            q2_unreference(q, j->old, 1, false);
        }
    }
    l2_job_end(j, err);
}

static void l2_write(struct l2_job *j)
{
    struct qcow2 *q = j->q;

    q2_used_up_to(q, j->off + q->cluster);
    q2_cache_drop(&q->l2c, j->off, q->cluster); /* of a table that was there long ago */
    q2_io(q, BLK_WRITE, j->off, &j->iov, 1, q->cluster, l2_written, j);
}

static void l2_copied(struct bio *io, int err)
{
    struct l2_job *j = io->opaque;

    q2_io_end(j->q, io);
    if (err)
        l2_job_end(j, err);
    else
        l2_write(j);
}

static void l2_job_step(struct q2_wait *w, int err)
{
    struct l2_job *j = container_of(w, struct l2_job, wait);
    struct qcow2 *q = j->q;
    uint64_t got;
    int r = err ? err : q2_allocate(q, 1, true, w, &j->off, &got);

    if (r == Q2_WAIT)
        return;
    if (r) {
        j->off = 0;
        l2_job_end(j, r);
        return;
    }
    j->buf = q2_buffer((size_t) q->cluster);
    j->iov = (struct iovec){ j->buf, (size_t) q->cluster };
    memset(j->buf, 0, (size_t) q->cluster);
    if (j->old) /* what is shared never changes, so the file has it */
        q2_io(q, BLK_READ, j->old, &j->iov, 1, q->cluster, l2_copied, j);
    else
        l2_write(j);
}

static void l2_job_first(struct bio *io, int err)
{
    struct l2_job *j = io->opaque;

    q2_io_end(j->q, io);
    l2_job_step(&j->wait, err);
}

void q2_free_l2_jobs(struct qcow2 *q)
{
    if (q->l2_jobs)
        g_hash_table_destroy(q->l2_jobs);
}

static int own_l2(struct qcow2 *q, uint32_t l, struct q2_wait *w)
{
    gpointer key = GSIZE_TO_POINTER((size_t) l + 1);
    struct l2_job *j;

    if (!q->l2_jobs)
        q->l2_jobs = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, l2_job_free);
    j = g_hash_table_lookup(q->l2_jobs, key);
    if (!j) {
        j = g_new0(struct l2_job, 1);
        j->q = q;
        j->l1 = l;
        j->old = q->l1[l] & Q2_OFFSET;
        j->wait.run = l2_job_step;
        q2_waitq_init(&j->waiting);
        g_hash_table_insert(q->l2_jobs, key, j);
        q->internal++;
        q2_later(q, l2_job_first, j);
    }
    q2_wait_on(&j->waiting, w);
    return Q2_WAIT;
}

int q2_l2_for_write(struct qcow2 *q, uint64_t cluster, struct q2_wait *w, struct q2_table **t, uint32_t *i,
                    uint64_t *left)
{
    uint32_t l = l1_index(q, cluster);

    if (q->broken || l >= q->l1_size)
        return EIO;
    if (!(q->l1[l] & Q2_COPIED) || !(q->l1[l] & Q2_OFFSET))
        return own_l2(q, l, w);
    int r = get_l2(q, q->l1[l] & Q2_OFFSET, cluster, w, t, i);
    if (r)
        return r;
    if (!q2_covered(q, q->l1[l] & Q2_OFFSET, 1) || !g_hash_table_contains(q->meta,
            GSIZE_TO_POINTER((q->l1[l] & Q2_OFFSET) >> q->cluster_bits))) {
        q2_corrupt(q, "the L2 table at offset 0x%" PRIx64 " counts as free", (uint64_t) (q->l1[l] & Q2_OFFSET));
        return EIO;
    }
    *left = slice_entries(q) - *i;
    return 0;
}
