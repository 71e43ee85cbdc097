/* hw/virtio/virtio_blk_io.c - virtio-blk: requests.
 *
 * Source: virtio 1.2, 5.2.6.
 * Theory: reads and writes of one turn are collected, sorted, and neighbours become one backend request; whatever was
 * submitted in a turn goes to the kernel together, and what ends together is told to the driver once.  When a
 * merged request fails, its parts are tried one by one, so that an error is its owner's alone. */
#include "hw/virtio/virtio_blk.h"
#include "vmm/core/vm.h"

#include <stdlib.h>

/* --- the ends ---------------------------------------------------------------------------------------------- */

static void finish(struct vblk_req *r, uint8_t status)
{
    *r->status = status;
    virtq_fill(&r->b, r->b.in_len + 1); /* the status comes last */
}

void vblk_notify(struct virtio_blk *s)
{
    for (unsigned i = 0; i < s->v.n_queues; i++) {
        virtq_flush(&s->v.q[i]);
        virtq_notify(&s->v.q[i]);
    }
}

static struct vblk_io *get_io(struct virtio_blk *s, enum blk_op op, struct vblk_req *r)
{
    struct vblk_io *x = s->spare;

    if (x)
        s->spare = x->next;
    else
        x = g_new0(struct vblk_io, 1);
    x->s = s;
    x->first = r;
    x->io = (struct blk_req){ .op = op };
    s->in_flight++;
    return x;
}

static void put_io(struct vblk_io *x)
{
    struct virtio_blk *s = x->s;

    x->first = NULL;
    x->next = s->spare;
    s->spare = x;
    s->in_flight--;
}

void vblk_free_spares(struct virtio_blk *s)
{
    for (struct vblk_io *x; (x = s->spare);) {
        s->spare = x->next;
        g_free(x->iov);
        g_free(x->segments);
        g_free(x);
    }
}

static void submit(struct vblk_io *x)
{
    x->s->unflushed |= x->io.op == BLK_WRITE || x->io.op == BLK_WRITE_ZEROES;
    x->io.opaque = x;
    blk_submit(x->s->blk, &x->io);
}

/* --- reads and writes -------------------------------------------------------------------------------------- */

static const struct iovec *data(const struct vblk_req *r, unsigned *n)
{
    *n = r->op == BLK_READ ? r->b.in_num : r->b.out_num;
    return r->op == BLK_READ ? r->b.iov + r->b.out_num : r->b.iov;
}

static uint64_t length(const struct vblk_req *r)
{
    return r->op == BLK_READ ? r->b.in_len : r->b.out_len;
}

static void rw_done(struct blk_req *io, int err);

static void submit_rw(struct virtio_blk *s, struct vblk_req *r)
{
    struct vblk_io *x = get_io(s, r->op, r);

    x->io.off = r->off;
    x->io.done = rw_done;
    if (!r->next) {
        x->io.iov = data(r, &x->io.niov);
        x->io.len = length(r);
    } else {
        if (!x->iov)
            x->iov = g_new(struct iovec, VBLK_MERGE_IOV);
        x->io.iov = x->iov;
        for (; r; r = r->next) {
            unsigned n;
            const struct iovec *iov = data(r, &n);
            memcpy(x->iov + x->io.niov, iov, n * sizeof *iov);
            x->io.niov += n;
            x->io.len += length(r);
            s->stats.merged += r != x->first;
        }
    }
    submit(x);
}

static void rw_done(struct blk_req *io, int err)
{
    struct vblk_io *x = io->opaque;
    struct virtio_blk *s = x->s;
    struct vblk_req *r = s->dropping ? NULL : x->first, *next;
    bool again = err && r && r->next;

    put_io(x);
    for (; r; r = next) {
        next = r->next;
        r->next = NULL;
        if (again)
            submit_rw(s, r);
        else
            finish(r, err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct vblk_req *x = *(void *const *) a, *y = *(void *const *) b;

    if (x->op != y->op)
        return x->op < y->op ? -1 : 1;
    return x->off < y->off ? -1 : x->off > y->off;
}

static void submit_batch(struct virtio_blk *s)
{
    unsigned n = s->n_batch, niov, more;

    s->n_batch = 0;
    if (n > 1 && s->request_merging)
        qsort(s->batch, n, sizeof *s->batch, by_place);
    for (unsigned i = 0; i < n;) {
        struct vblk_req *first = s->batch[i++], *last = first;
        uint64_t len = length(first);
        data(first, &niov);
        while (i < n && s->request_merging) {
            struct vblk_req *r = s->batch[i];
            data(r, &more);
            if (r->op != first->op || r->off != first->off + len || len + length(r) > VBLK_MERGE_MAX ||
                niov + more > VBLK_MERGE_IOV)
                break;
            len += length(r);
            niov += more;
            last = last->next = r;
            i++;
        }
        submit_rw(s, first);
    }
}

static bool in_disk(const struct virtio_blk *s, uint64_t sector, uint64_t len)
{
    uint64_t block = s->logical_block_size;

    return sector <= UINT64_MAX / VBLK_SECTOR && sector * VBLK_SECTOR % block == 0 && len % block == 0 &&
           range_fits(sector * VBLK_SECTOR, len, s->blk->size);
}

static void read_or_write(struct virtio_blk *s, struct vblk_req *r, enum blk_op op, uint64_t sector)
{
    r->op = op;
    if (!in_disk(s, sector, length(r)) || (op == BLK_WRITE && s->blk->read_only)) {
        finish(r, VIRTIO_BLK_S_IOERR);
        return;
    }
    r->off = sector * VBLK_SECTOR;
    if (s->n_batch == VBLK_BATCH)
        submit_batch(s);
    s->batch[s->n_batch++] = r;
}

/* --- the others -------------------------------------------------------------------------------------------- */

static void one_done(struct blk_req *io, int err)
{
    struct vblk_io *x = io->opaque;
    struct virtio_blk *s = x->s;
    struct vblk_req *r = x->first;

    put_io(x);
    if (!s->dropping)
        finish(r, err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

static void flush(struct virtio_blk *s, struct vblk_req *r)
{
    struct vblk_io *x = get_io(s, BLK_FLUSH, r);

    s->unflushed = false;
    x->io.done = one_done;
    submit(x);
}

static void nobodys_done(struct blk_req *io, int err)
{
    (void) err;
    put_io(io->opaque);
}

void vblk_flush_now(struct virtio_blk *s)
{
    if (!s->unflushed)
        return;
    struct vblk_io *x = get_io(s, BLK_FLUSH, NULL);
    s->unflushed = false;
    x->io.done = nobodys_done;
    submit(x);
    blk_settle(s->blk);
}

static void segment_done(struct blk_req *io, int err);

/* The ranges of a DISCARD or WRITE_ZEROES, one after the other. */
static void submit_segment(struct vblk_io *x)
{
    const struct vblk_segment *g = &x->segments[x->segment++];

    x->io = (struct blk_req){ .op = x->io.op, .flags = g->flags, .off = g->off, .len = g->len, .done = segment_done };
    submit(x);
}

static void segment_done(struct blk_req *io, int err)
{
    struct vblk_io *x = io->opaque;

    if (err || x->segment == x->n_segments || x->s->dropping)
        one_done(io, err);
    else
        submit_segment(x);
}

/* The status of a request whose ranges can't be; VIRTIO_BLK_S_OK: they are in x. */
static uint8_t take_segments(struct virtio_blk *s, struct vblk_io *x, const struct vblk_req *r, bool zeroes)
{
    uint8_t raw[VBLK_MAX_SEGMENTS * VBLK_SEGMENT];
    size_t len = r->b.out_len;
    uint32_t most = zeroes ? s->max_write_zeroes_sectors : s->max_discard_sectors;
    uint32_t allowed = zeroes ? VIRTIO_BLK_WZ_UNMAP : 0;

    if (!len || len % VBLK_SEGMENT || len > sizeof raw || s->blk->read_only)
        return VIRTIO_BLK_S_IOERR;
    virtq_out(&r->b, 0, raw, len);
    if (!x->segments)
        x->segments = g_new(struct vblk_segment, VBLK_MAX_SEGMENTS);
    x->n_segments = (unsigned) (len / VBLK_SEGMENT);
    x->segment = 0;
    for (unsigned i = 0; i < x->n_segments; i++) {
        const uint8_t *p = raw + i * VBLK_SEGMENT;
        uint64_t sector = ld_le64(p), n = (uint64_t) ld_le32(p + 8) * VBLK_SECTOR;
        uint32_t flags = ld_le32(p + 12);
        if (flags & ~allowed)
            return VIRTIO_BLK_S_UNSUPP;
        if (n / VBLK_SECTOR > most || !in_disk(s, sector, n))
            return VIRTIO_BLK_S_IOERR;
        x->segments[i] = (struct vblk_segment){ sector * VBLK_SECTOR, n,
                                                flags & VIRTIO_BLK_WZ_UNMAP ? BLK_MAY_UNMAP : 0 };
    }
    return VIRTIO_BLK_S_OK;
}

static void discard_or_zero(struct virtio_blk *s, struct vblk_req *r, bool zeroes)
{
    if (!virtio_has(&s->v, zeroes ? VIRTIO_BLK_F_WRITE_ZEROES : VIRTIO_BLK_F_DISCARD)) {
        finish(r, VIRTIO_BLK_S_UNSUPP);
        return;
    }
    struct vblk_io *x = get_io(s, zeroes ? BLK_WRITE_ZEROES : BLK_DISCARD, r);
    uint8_t status = take_segments(s, x, r, zeroes);
    if (status == VIRTIO_BLK_S_OK) {
        submit_segment(x);
        return;
    }
    put_io(x);
    finish(r, status);
}

static void get_id(struct virtio_blk *s, struct vblk_req *r)
{
    virtq_in(&r->b, 0, s->id, sizeof s->id);
    finish(r, VIRTIO_BLK_S_OK);
}

static bool handle(struct virtio_blk *s, struct vblk_req *r)
{
    uint8_t header[VBLK_HEADER];
    void *status;

    if (virtq_out(&r->b, 0, header, sizeof header) < sizeof header || !virtq_trim_out(&r->b, sizeof header) ||
        !virtq_trim_in_tail(&r->b, 1, &status)) {
        virtio_error(&s->v, "a request without %s", r->b.in_len ? "a whole header" : "room for its status");
        return false;
    }
    r->status = status;
    r->next = NULL;
    s->stats.requests++;
    uint32_t type = ld_le32(header);
    uint64_t sector = ld_le64(header + 8);
    switch (type) {
    case VIRTIO_BLK_T_IN: read_or_write(s, r, BLK_READ, sector); break;
    case VIRTIO_BLK_T_OUT: read_or_write(s, r, BLK_WRITE, sector); break;
    case VIRTIO_BLK_T_FLUSH: flush(s, r); break;
    case VIRTIO_BLK_T_GET_ID: get_id(s, r); break;
    case VIRTIO_BLK_T_DISCARD: discard_or_zero(s, r, false); break;
    case VIRTIO_BLK_T_WRITE_ZEROES: discard_or_zero(s, r, true); break;
    default: finish(r, VIRTIO_BLK_S_UNSUPP);
    }
    return true;
}

void vblk_handle_queue(struct virtio_dev *v, struct virtq *q)
{
    struct virtio_blk *s = vblk_of(v);
    struct virtq_buf *b;

    blk_plug(s->blk);
    while ((b = virtq_pop(q)) && handle(s, container_of(b, struct vblk_req, b)))
        ;
    submit_batch(s);
    blk_unplug(s->blk);
    virtq_flush(q); /* what ended without the backend */
    virtq_notify(q);
}
