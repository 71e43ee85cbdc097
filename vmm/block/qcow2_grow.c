/* vmm/block/qcow2_grow.c - new refcount blocks, and a larger refcount table. */
#include "vmm/block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

struct job {
    struct qcow2 *q;
    uint8_t *buf;
    struct iovec iov;
    uint64_t off, index;   /* where the new things are */
    uint64_t blocks, table; /* how many clusters of each */
    uint64_t need;
    int step;
    struct q2_wait wait;
};

static void job_end(struct job *j, int err)
{
    struct qcow2 *q = j->q;

    free(j->buf);
    g_free(j);
    q->alloc_job = false;
    q2_wake(&q->alloc_waiting, err);
}

/* --- a block ----------------------------------------------------------------------------------- */

static void block_written(struct bio *io, int err)
{
    struct job *j = io->opaque;
    struct qcow2 *q = j->q;

    q2_io_end(q, io);
    if (!err) {
        q->rt[j->index] = j->off;
        q2_dirty_range(&q->rt_dirty, (uint32_t) j->index);
        q2_meta_add(q, j->off, 1);
    }
    job_end(j, err);
}

static void no_block(struct bio *io, int err)
{
    struct job *j = io->opaque;

    (void) err;
    q2_io_end(j->q, io);
    job_end(j, EIO);
}

/* In its own range it is the first user: there was no refcount for its range, so all of that is free. */
void q2_add_block(struct qcow2 *q, uint64_t index, uint64_t at)
{
    struct job *j = g_new0(struct job, 1);

    j->q = q;
    q->alloc_job = true;
    j->index = index;
    j->off = at;
    j->buf = q2_buffer((size_t) q->cluster);
    memset(j->buf, 0, (size_t) q->cluster);
    uint64_t per = q2_block_clusters(q), c = at >> q->cluster_bits;
    if (c / per == index)
        q2_refcount_write(q, j->buf, c % per, 1);
    q2_used_up_to(q, at + q->cluster);
    if (q2_is_metadata(q, at, 1)) {
        q2_corrupt(q, "metadata at offset 0x%" PRIx64 " has no refcount", at);
        q2_later(q, no_block, j);
        return;
    }
    j->iov = (struct iovec){ j->buf, (size_t) q->cluster };
    q2_io(q, BLK_WRITE, at, &j->iov, 1, q->cluster, block_written, j);
}

/* --- the table --------------------------------------------------------------------------------- */

/* The first clusters that the old table does not describe take the new one, and the blocks for themselves. */
static bool layout(struct job *j)
{
    struct qcow2 *q = j->q;
    uint64_t per = q2_block_clusters(q), entries = q->cluster / 8,
             want = MAX(j->need, q->rt_size + q->rt_size / 2 + 1);

    for (j->blocks = 1;; j->blocks++) {
        uint64_t need = MAX(want, q->rt_size + j->blocks);
        j->table = (need + entries - 1) / entries;
        if (j->blocks + j->table <= j->blocks * per)
            break;
    }
    j->off = q->rt_size * per << q->cluster_bits;
    return j->table * q->cluster <= Q2_MAX_RT && !q2_is_metadata(q, j->off, j->blocks + j->table);
}

static void fill(struct job *j)
{
    struct qcow2 *q = j->q;
    uint64_t per = q2_block_clusters(q);
    size_t len = (size_t) ((j->blocks + j->table) << q->cluster_bits);

    j->buf = q2_buffer(len);
    memset(j->buf, 0, len);
    for (uint64_t c = 0; c < j->blocks + j->table; c++)
        q2_refcount_write(q, j->buf + (c / per << q->cluster_bits), c % per, 1);
    uint8_t *table = j->buf + (j->blocks << q->cluster_bits);
    for (uint64_t i = 0; i < q->rt_size; i++)
        st_be64(table + i * 8, q->rt[i]);
    for (uint64_t i = 0; i < j->blocks; i++)
        st_be64(table + (q->rt_size + i) * 8, j->off + (i << q->cluster_bits));
    j->iov = (struct iovec){ j->buf, len };
}

static void adopt(struct job *j)
{
    struct qcow2 *q = j->q;
    uint64_t old_off = q->rt_off, old = q2_clusters(q, (uint64_t) q->rt_size * 8), total = j->table * q->cluster / 8;

    q->rt = g_renew(uint64_t, q->rt, total);
    memset(q->rt + q->rt_size, 0, (size_t) (total - q->rt_size) * 8);
    for (uint64_t i = 0; i < j->blocks; i++)
        q->rt[q->rt_size + i] = j->off + (i << q->cluster_bits);
    q->rt_off = j->off + (j->blocks << q->cluster_bits);
    q->rt_size = (uint32_t) total;
    q->rt_dirty = (struct q2_range){ 0, 0 };
    q2_meta_remove(q, old_off, old);
    q2_meta_add(q, j->off, j->blocks + j->table);
    q2_release_now(q, old_off, old);
}

static void grow_done(struct bio *io, int err);

static void grow_step(struct job *j)
{
    struct qcow2 *q = j->q;
    switch (j->step++) {
    case 0:
        q2_used_up_to(q, j->off + j->iov.iov_len);
        q2_io(q, BLK_WRITE, j->off, &j->iov, 1, j->iov.iov_len, grow_done, j);
        return;
    case 2:
        st_be64(q->hdr + H_RT_OFF, j->off + (j->blocks << q->cluster_bits));
        st_be32(q->hdr + H_RT_CLUSTERS, (uint32_t) j->table);
        j->iov = (struct iovec){ q->hdr, Q2_HEADER };
        q2_io(q, BLK_WRITE, 0, &j->iov, 1, Q2_HEADER, grow_done, j);
        return;
    case 4:
        adopt(j);
        q2_exclusive_end(q);
        job_end(j, 0);
        return;
    default: /* what the header points to is there before it does; then it points there before the old goes */
        if (q->no_flush)
            q2_later(q, grow_done, j);
        else
            q2_io(q, BLK_FLUSH, 0, NULL, 0, 0, grow_done, j);
        return;
    }
}

static void grow_done(struct bio *io, int err)
{
    struct job *j = io->opaque;
    struct qcow2 *q = j->q;

    q2_io_end(q, io);
    if (!err) {
        grow_step(j);
        return;
    }
    if (j->step > 2) { /* the header may say the new or the old place: both are right, and both stay */
        st_be64(q->hdr + H_RT_OFF, q->rt_off);
        st_be32(q->hdr + H_RT_CLUSTERS, (uint32_t) q2_clusters(q, (uint64_t) q->rt_size * 8));
        q->broken = true;
    }
    q2_exclusive_end(q);
    job_end(j, err);
}

static void grow_alone(struct q2_wait *w, int err)
{
    struct job *j = container_of(w, struct job, wait);

    (void) err;
    if (!q2_exclusive_try(j->q, w))
        return;
    fill(j);
    grow_step(j);
}

static void grow_failed(struct bio *io, int err)
{
    struct job *j = io->opaque;

    (void) err;
    q2_io_end(j->q, io);
    job_end(j, EFBIG);
}

void q2_grow_rt(struct qcow2 *q, uint64_t need)
{
    struct job *j = g_new0(struct job, 1);

    j->q = q;
    j->need = need;
    q->alloc_job = true;
    j->wait.run = grow_alone;
    if (layout(j))
        grow_alone(&j->wait, 0);
    else
        q2_later(q, grow_failed, j);
}
