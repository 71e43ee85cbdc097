/* hw/virtio/virtq_split.c - split virtqueues.
 *
 * Source: VIRTIO 1.2, 2.7 (split virtqueues), and the legacy layout of 2.7.2.
 * Theory: descriptor table, available ring {flags, idx, ring[num], used_event}, used ring {flags, idx,
 * ring[num] of {id, len}, avail_event}.  Indexes run through 16 bits.  Everything of the driver's is read once.
 * Deviations: an indirect table may be longer than the queue, up to VIRTQ_MAX_SIZE, as drivers make them. */
#include "hw/virtio/virtq_int.h"

enum { USED_F_NO_NOTIFY = 1, AVAIL_F_NO_INTERRUPT = 1 };
enum { RING = 4 /* where ring[] starts, after flags and idx */, USED_ELEM = 8 };

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static uint16_t load16(const uint8_t *p)
{
    return GUINT16_FROM_LE(__atomic_load_n((const uint16_t *) p, __ATOMIC_RELAXED));
}

static void store16(uint8_t *p, uint16_t v)
{
    __atomic_store_n((uint16_t *) p, GUINT16_TO_LE(v), __ATOMIC_RELAXED);
}

static uint8_t *used_event(const struct virtq *q)
{
    return q->ring_avail + RING + 2 * q->num;
}

static uint8_t *avail_event(const struct virtq *q)
{
    return q->ring_used + RING + USED_ELEM * q->num;
}

static const char *map(struct virtq *q)
{
    if (!q->num || q->num > q->max || (q->num & (q->num - 1)))
        return "its size";
    if (q->desc % 16 || q->avail % 2 || q->used % 4)
        return "the alignment";
    q->ring_desc = virtq_ptr(q, q->desc, DESC_SIZE * q->num);
    q->ring_avail = virtq_ptr(q, q->avail, RING + 2 * q->num + 2);
    q->ring_used = virtq_ptr(q, q->used, RING + USED_ELEM * q->num + 2);
    if (!q->ring_desc || !q->ring_avail || !q->ring_used)
        return "an address outside of RAM";
    q->avail_seen = q->last_avail;
    return NULL;
}

static bool more(struct virtq *q)
{
    if (q->avail_seen != q->last_avail)
        return true;
    uint16_t idx = load16(q->ring_avail + 2);
    if (idx == q->last_avail)
        return false;
    if ((uint16_t) (idx - q->last_avail) > q->num) {
        virtio_error(q->v, "queue %u: the available index jumped from %u to %u", q->index, q->last_avail, idx);
        return false;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the entries come after the index */
    q->avail_seen = idx;
    return true;
}

static struct desc read_desc(const uint8_t *p)
{
    struct desc d = { ld_le64(p), ld_le32(p + 8), ld_le16(p + 12), ld_le16(p + 14) };

    virtq_copied();
    return d;
}

/* Follow the chain from entry i of a table of n. */
static bool walk(struct virtq *q, struct virtq_buf *b, const uint8_t *table, unsigned n, unsigned i, bool indirect)
{
    for (unsigned count = 0; count < n; count++) {
        if (i >= n) {
            virtio_error(q->v, "queue %u: descriptor %u of %u", q->index, i, n);
            return false;
        }
        struct desc d = read_desc(table + DESC_SIZE * i);
        if (d.flags & DESC_F_INDIRECT) {
            if (indirect || !q->indirect || (d.flags & DESC_F_NEXT)) {
                virtio_error(q->v, "queue %u: misplaced indirect descriptor", q->index);
                return false;
            }
            unsigned len;
            const uint8_t *inner = virtq_table(q, d.addr, d.len, &len);
            return inner && walk(q, b, inner, len, 0, true);
        }
        if (!virtq_add(q, b, d.addr, d.len, d.flags & DESC_F_WRITE))
            return false;
        if (!(d.flags & DESC_F_NEXT))
            return true;
        i = d.next;
    }
    virtio_error(q->v, "queue %u: a chain of descriptors loops", q->index);
    return false;
}

static bool take(struct virtq *q, struct virtq_buf *b)
{
    b->id = load16(q->ring_avail + RING + 2 * (q->last_avail & (q->num - 1)));
    b->n_desc = 1;
    if (!walk(q, b, q->ring_desc, q->num, b->id, false))
        return false;
    q->last_avail++;
    return true;
}

static void untake(struct virtq *q, const struct virtq_buf *b)
{
    (void) b;
    q->last_avail--;
}

static void fill(struct virtq *q, const struct virtq_buf *b, uint32_t written)
{
    unsigned at = (uint16_t) (q->used_idx + q->filled) & (q->num - 1);
    uint8_t *p = q->ring_used + RING + USED_ELEM * at;

    st_le32(p, b->id);
    st_le32(p + 4, written);
    virtq_wrote(q, p, USED_ELEM);
}

static void publish(struct virtq *q)
{
    q->used_idx = (uint16_t) (q->used_idx + q->filled);
    __atomic_store_n((uint16_t *) (q->ring_used + 2), GUINT16_TO_LE(q->used_idx), __ATOMIC_RELEASE);
    virtq_wrote(q, q->ring_used, RING);
}

/* 2.7.7: with EVENT_IDX when entry used_event is among the new ones. */
static bool wanted(struct virtq *q)
{
    if (q->notify_empty && !q->inflight && load16(q->ring_avail + 2) == q->last_avail)
        return true;
    if (q->event_idx)
        return (uint16_t) (q->used_idx - load16(used_event(q)) - 1) < q->unsignalled;
    return !(load16(q->ring_avail) & AVAIL_F_NO_INTERRUPT);
}

static void set_notify(struct virtq *q, bool on)
{
    if (q->event_idx) {
        if (!on)
            return; /* the index that was asked for is passed, and the driver silent until the next is asked for */
        store16(avail_event(q), q->last_avail);
        virtq_wrote(q, avail_event(q), 2);
    } else {
        store16(q->ring_used, on ? 0 : USED_F_NO_NOTIFY);
        virtq_wrote(q, q->ring_used, 2);
    }
}

const struct virtq_ring virtq_split = { map, more, take, untake, fill, publish, wanted, set_notify };
