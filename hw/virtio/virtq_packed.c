/* hw/virtio/virtq_packed.c - packed virtqueues.
 *
 * Source: VIRTIO 1.2, 2.8 (packed virtqueues).
 * Theory: one ring of descriptors {addr, len, id, flags}; the driver makes one available by AVAIL = its wrap counter,
 * USED = the inverse, the device writes it back where the used ones go on with both equal to its own.  `avail` is the
 * address of the driver's event suppression {offset and wrap, flags}, `used` that of the device's.
 * Deviations: an indirect table may be longer than the queue, up to VIRTQ_MAX_SIZE, as drivers make them. */
#include "hw/virtio/virtq_int.h"

enum { DESC_F_AVAIL = 1 << 7, DESC_F_USED = 1 << 15 };
enum { EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC };

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id, flags;
};

static uint8_t *desc_at(const struct virtq *q, unsigned i)
{
    return q->ring_desc + DESC_SIZE * i;
}

static uint16_t load_flags(const uint8_t *p)
{
    return GUINT16_FROM_LE(__atomic_load_n((const uint16_t *) (p + 14), __ATOMIC_ACQUIRE));
}

static void store_flags(struct virtq *q, uint8_t *p, uint16_t flags)
{
    __atomic_store_n((uint16_t *) (p + 14), GUINT16_TO_LE(flags), __ATOMIC_RELEASE);
    virtq_wrote(q, p, DESC_SIZE);
}

/* A place in the ring moves on by n <= num; the wrap counter flips at the end. */
static void advance(const struct virtq *q, uint16_t *at, bool *wrap, unsigned n)
{
    unsigned to = *at + n;

    if (to >= q->num) {
        to -= q->num;
        *wrap = !*wrap;
    }
    *at = (uint16_t) to;
}

static const char *map(struct virtq *q)
{
    if (!q->num || q->num > q->max)
        return "its size";
    if (q->last_avail >= q->num || q->used_idx >= q->num)
        return "its index";
    if (q->desc % 16 || q->avail % 4 || q->used % 4)
        return "the alignment";
    q->ring_desc = virtq_ptr(q, q->desc, DESC_SIZE * q->num);
    q->ring_avail = virtq_ptr(q, q->avail, 4);
    q->ring_used = virtq_ptr(q, q->used, 4);
    if (!q->ring_desc || !q->ring_avail || !q->ring_used)
        return "an address outside of RAM";
    q->fill_next = q->used_idx;
    q->fill_wrap = q->used_wrap;
    return NULL;
}

static bool more(struct virtq *q)
{
    uint16_t flags = load_flags(desc_at(q, q->last_avail));

    return !!(flags & DESC_F_AVAIL) == q->avail_wrap && !!(flags & DESC_F_USED) != q->avail_wrap;
}

static struct desc read_desc(const uint8_t *p)
{
    struct desc d = { ld_le64(p), ld_le32(p + 8), ld_le16(p + 12), ld_le16(p + 14) };

    virtq_copied();
    return d;
}

static bool add_table(struct virtq *q, struct virtq_buf *b, const struct desc *d)
{
    unsigned n;
    const uint8_t *table = virtq_table(q, d->addr, d->len, &n);

    for (unsigned i = 0; table && i < n; i++) {
        struct desc e = read_desc(table + DESC_SIZE * i);
        if (e.flags & DESC_F_INDIRECT) {
            virtio_error(q->v, "queue %u: misplaced indirect descriptor", q->index);
            return false;
        }
        if (!virtq_add(q, b, e.addr, e.len, e.flags & DESC_F_WRITE))
            return false;
    }
    return table != NULL;
}

static bool take(struct virtq *q, struct virtq_buf *b)
{
    uint16_t at = q->last_avail;
    bool wrap = q->avail_wrap;

    for (b->n_desc = 1; b->n_desc <= q->num; b->n_desc++) {
        struct desc d = read_desc(desc_at(q, at));
        advance(q, &at, &wrap, 1);
        if (d.flags & DESC_F_INDIRECT) {
            if (b->n_desc > 1 || !q->indirect || (d.flags & DESC_F_NEXT)) {
                virtio_error(q->v, "queue %u: misplaced indirect descriptor", q->index);
                return false;
            }
            if (!add_table(q, b, &d))
                return false;
        } else if (!virtq_add(q, b, d.addr, d.len, d.flags & DESC_F_WRITE)) {
            return false;
        }
        if (d.flags & DESC_F_NEXT)
            continue;
        b->id = d.id;
        q->last_avail = at;
        q->avail_wrap = wrap;
        return true;
    }
    virtio_error(q->v, "queue %u: a chain of descriptors fills more than the ring", q->index);
    return false;
}

static void untake(struct virtq *q, const struct virtq_buf *b)
{
    if (q->last_avail < b->n_desc) {
        q->last_avail = (uint16_t) (q->last_avail + q->num);
        q->avail_wrap = !q->avail_wrap;
    }
    q->last_avail = (uint16_t) (q->last_avail - b->n_desc);
}

/* The first of a batch gets its flags last: then the driver sees them all. */
static void fill(struct virtq *q, const struct virtq_buf *b, uint32_t written)
{
    uint8_t *p = desc_at(q, q->fill_next);
    uint16_t flags = (q->fill_wrap ? DESC_F_AVAIL | DESC_F_USED : 0) | (written ? DESC_F_WRITE : 0);

    st_le32(p + 8, written);
    st_le16(p + 12, b->id);
    if (q->filled == 0) {
        q->fill_first = q->fill_next;
        q->fill_flags = flags;
        q->fill_slots = 0;
    } else {
        store_flags(q, p, flags);
    }
    q->fill_slots = (uint16_t) (q->fill_slots + b->n_desc);
    advance(q, &q->fill_next, &q->fill_wrap, b->n_desc);
}

static void publish(struct virtq *q)
{
    store_flags(q, desc_at(q, q->fill_first), q->fill_flags);
    q->used_idx = q->fill_next;
    q->used_wrap = q->fill_wrap;
}

/* 2.8.10: in steps of the ring's places.  An offset with the other wrap counter lies a round back. */
static bool wanted(struct virtq *q)
{
    uint32_t event = ld_le32(q->ring_avail);

    virtq_copied();
    switch (event >> 16 & 3) {
    case EVENT_DISABLE:
        return false;
    case EVENT_DESC:
        if (!q->event_idx)
            return true;
        int off = event & 0x7fff;
        if ((event >> 15 & 1) != q->used_wrap)
            off -= q->num;
        return q->unsignalled >= q->num || (uint16_t) (q->used_idx - off - 1) < q->unsignalled;
    default:
        return true;
    }
}

static void set_notify(struct virtq *q, bool on)
{
    uint16_t place = (uint16_t) (q->last_avail | (q->avail_wrap ? 1 << 15 : 0));

    if (on && q->event_idx) {
        st_le16(q->ring_used, place);
        __atomic_thread_fence(__ATOMIC_RELEASE); /* the place before the flag that makes it count */
    }
    st_le16(q->ring_used + 2, !on ? EVENT_DISABLE : q->event_idx ? EVENT_DESC : EVENT_ENABLE);
    virtq_wrote(q, q->ring_used, 4);
}

const struct virtq_ring virtq_packed = { map, more, take, untake, fill, publish, wanted, set_notify };
