/* hw/virtio/virtq.c - virtqueues, whichever the format of the ring: buffers, their memory, notifications.
 *
 * Source: VIRTIO 1.2, 2.6 (virtqueues), 2.7.4 and 2.7.5 (descriptors).
 * Theory: each ring has as many requests as places, made when it is mapped; slots that are not in flight are on a
 * stack, so that the one used last, still in the cache, is the next.  More buffers in flight than places is
 * something that only a broken driver brings about.
 * Deviations: descriptors of length 0 break the device; the specification leaves open what they mean. */
#include "hw/virtio/virtq_int.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/vm.h"

enum { IOV_FIRST = 4 };

/* --- mapping ---------------------------------------------------------------------------------------- */

bool virtq_map(struct virtq *q)
{
    struct virtio_dev *v = q->v;

    q->packed = virtio_has(v, VIRTIO_F_RING_PACKED);
    q->event_idx = virtio_has(v, VIRTIO_F_EVENT_IDX);
    q->indirect = virtio_has(v, VIRTIO_F_INDIRECT_DESC);
    q->in_order = virtio_has(v, VIRTIO_F_IN_ORDER);
    q->notify_empty = virtio_has(v, VIRTIO_F_NOTIFY_ON_EMPTY) && !virtio_has(v, VIRTIO_F_VERSION_1);
    q->filled = q->inflight = q->order_head = 0;
    q->no_notify = q->serving = q->polled = false;
    const char *wrong = virtq_ring(q)->map(q);
    if (wrong) {
        virtio_error(v, "queue %u of %u can't be used: %s (descriptors 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ")",
                     q->index, q->num, wrong, q->desc, q->avail, q->used);
        return false;
    }
    q->pool = g_malloc0((size_t) q->num * v->cls->req_size);
    q->free_slots = g_new(uint16_t, q->num);
    q->order = g_new(uint16_t, q->num);
    for (uint16_t i = 0; i < q->num; i++)
        q->free_slots[i] = i;
    q->mapped = true;
    return true;
}

static struct virtq_buf *slot(const struct virtq *q, unsigned i)
{
    return (struct virtq_buf *) (q->pool + (size_t) i * q->v->cls->req_size);
}

void virtq_unmap(struct virtq *q)
{
    if (!q->mapped)
        return;
    q->mapped = false;
    for (unsigned i = 0; i < q->num; i++)
        g_free(slot(q, i)->own_iov);
    g_clear_pointer(&q->pool, g_free);
    g_clear_pointer(&q->free_slots, g_free);
    g_clear_pointer(&q->order, g_free);
}

/* --- taking buffers --------------------------------------------------------------------------------- */

static void grow(struct virtq_buf *b)
{
    b->own_max = b->own_max ? b->own_max * 2 : IOV_FIRST;
    b->own_iov = g_renew(struct iovec, b->own_iov, 2 * b->own_max); /* the second half: see trimmable() */
}

bool virtq_add(struct virtq *q, struct virtq_buf *b, uint64_t addr, uint32_t len, bool write)
{
    uint8_t *p = len ? virtq_ptr(q, addr, len) : NULL;
    unsigned n = b->own_out + b->own_in;

    if (!p || (b->own_in && !write) || n == VIRTQ_MAX_SIZE) {
        virtio_error(q->v, "queue %u: bad descriptor: 0x%" PRIx64 ", %u bytes%s", q->index, addr, len,
                     n == VIRTQ_MAX_SIZE ? ", too many" : !len || p ? ", out of order" : ", not in RAM");
        return false;
    }
    *(write ? &b->in_len : &b->out_len) += len;
    if (n && (write ? b->own_in : b->own_out)) { /* neighbours are one */
        struct iovec *last = &b->own_iov[n - 1];
        if ((uint8_t *) last->iov_base + last->iov_len == p) {
            last->iov_len += len;
            return true;
        }
    }
    if (n == b->own_max)
        grow(b);
    b->own_iov[n] = (struct iovec){ p, len };
    ++*(write ? &b->own_in : &b->own_out);
    return true;
}

const uint8_t *virtq_table(struct virtq *q, uint64_t addr, uint32_t len, unsigned *n)
{
    bool fits = len && len % DESC_SIZE == 0 && len / DESC_SIZE <= VIRTQ_MAX_SIZE;
    const uint8_t *p = fits ? virtq_ptr(q, addr, len) : NULL;

    *n = len / DESC_SIZE;
    if (!p)
        virtio_error(q->v, "queue %u: bad indirect table: 0x%" PRIx64 ", %u bytes", q->index, addr, len);
    return p;
}

bool virtq_ready(const struct virtq *q)
{
    const struct virtio_dev *v = q->v;

    return q->mapped && v->running && !__atomic_load_n(&v->broken, __ATOMIC_RELAXED) && !v->dev->dma_disabled;
}

bool virtq_empty(struct virtq *q)
{
    return !virtq_ready(q) || !virtq_ring(q)->more(q);
}

struct virtq_buf *virtq_pop(struct virtq *q)
{
    if ((q->serving && !q->budget) || virtq_empty(q))
        return NULL;
    if (q->inflight == q->num) {
        virtio_error(q->v, "queue %u: more buffers in flight than the %u that there are", q->index, q->num);
        return NULL;
    }
    uint16_t at = q->free_slots[q->inflight];
    struct virtq_buf *b = slot(q, at);
    b->q = q;
    b->slot = at;
    b->own_out = b->own_in = 0;
    b->out_len = b->in_len = 0;
    b->done = b->trimmed = false;
    if (!virtq_ring(q)->take(q, b))
        return NULL;
    b->iov = b->own_iov;
    b->out_num = b->own_out;
    b->in_num = b->own_in;
    if (q->in_order)
        q->order[(q->order_head + q->inflight) % q->num] = at;
    q->inflight++;
    if (q->serving)
        q->budget--;
    return b;
}

void virtq_unpop(struct virtq_buf *b)
{
    struct virtq *q = b->q;

    virtq_ring(q)->untake(q, b);
    q->free_slots[--q->inflight] = b->slot;
    if (q->serving)
        q->budget++;
}

/* --- giving them back ------------------------------------------------------------------------------- */

/* The guest's memory changed: the first `written` bytes of what we were given. */
static void mark(struct virtq *q, const struct virtq_buf *b, size_t written)
{
    const struct iovec *iov = b->own_iov + b->own_out;

    for (unsigned i = 0; i < b->own_in && written; i++) {
        size_t n = MIN(written, iov[i].iov_len);
        virtq_wrote(q, iov[i].iov_base, n);
        written -= n;
    }
}

static void put(struct virtq *q, struct virtq_buf *b)
{
    mark(q, b, b->written);
    virtq_ring(q)->fill(q, b, b->written);
    q->filled++;
    q->free_slots[--q->inflight] = b->slot;
}

void virtq_fill(struct virtq_buf *b, size_t written)
{
    struct virtq *q = b->q;

    b->written = (uint32_t) MIN(written, UINT32_MAX);
    if (!q->in_order) {
        put(q, b);
        return;
    }
    b->done = true;
    while (q->inflight && slot(q, q->order[q->order_head])->done) {
        struct virtq_buf *first = slot(q, q->order[q->order_head]);
        q->order_head = (uint16_t) ((q->order_head + 1) % q->num);
        put(q, first);
    }
}

void virtq_flush(struct virtq *q)
{
    if (!q->filled)
        return;
    unsigned n = q->unsignalled + (unsigned) (q->packed ? q->fill_slots : q->filled);
    virtq_ring(q)->publish(q);
    q->unsignalled = (uint16_t) MIN(n, UINT16_MAX);
    q->filled = 0;
}

void virtq_push(struct virtq_buf *b, size_t written)
{
    struct virtq *q = b->q;

    virtq_fill(b, written);
    virtq_flush(q);
}

/* --- notifications ---------------------------------------------------------------------------------- */

void virtq_notify(struct virtq *q)
{
    if (!q->mapped || !q->unsignalled)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* what was published before what the driver wants */
    bool wanted = virtq_ring(q)->wanted(q);
    q->unsignalled = 0;
    if (wanted)
        q->v->transport->interrupt(q->v, q);
}

void virtq_notify_off(struct virtq *q)
{
    if (!q->mapped || q->no_notify)
        return;
    q->no_notify = true;
    virtq_ring(q)->set_notify(q, false);
}

bool virtq_notify_on(struct virtq *q)
{
    if (!virtq_ready(q))
        return false;
    q->no_notify = q->stalled = false;
    virtq_ring(q)->set_notify(q, true);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* asked for before we look again */
    return !virtq_empty(q);
}

void virtq_kick(struct virtq *q)
{
    event_signal(q->kick_fd);
}

/* One turn: at most as many buffers as the ring has places; what is left over comes in the next turn, so that the
 * other queues and descriptors of the exec get theirs. */
void virtq_serve(struct virtq *q)
{
    const struct virtio_class *cls = q->v->cls;

    if (!virtq_ready(q) || q->serving)
        return;
    q->serving = true;
    q->stalled = false;
    q->budget = q->num;
    virtq_notify_off(q);
    for (;;) {
        uint16_t before = q->last_avail;
        bool wrap = q->avail_wrap, had = !virtq_empty(q);
        cls->handle_queue(q->v, q);
        if (!q->budget || !virtq_ready(q))
            break;
        bool took = q->last_avail != before || q->avail_wrap != wrap;
        if (!virtq_empty(q)) {
            if (took || !had) /* or it came while the class had nothing to look at */
                continue;
            q->stalled = true; /* the class waits for something else than the driver */
            break;
        }
        if (q->polled || !virtq_notify_on(q))
            break;
        virtq_notify_off(q);
    }
    q->serving = false;
    if (!q->budget && virtq_ready(q))
        virtq_kick(q);
}

/* --- contents --------------------------------------------------------------------------------------- */

static size_t copy(const struct iovec *iov, unsigned n, size_t skip, void *buf, size_t len, bool to_guest)
{
    size_t done = 0;

    for (; n && done < len; n--, iov++) {
        if (skip >= iov->iov_len) {
            skip -= iov->iov_len;
            continue;
        }
        size_t part = MIN(iov->iov_len - skip, len - done);
        if (to_guest)
            memcpy((char *) iov->iov_base + skip, (char *) buf + done, part);
        else
            memcpy((char *) buf + done, (char *) iov->iov_base + skip, part);
        done += part;
        skip = 0;
    }
    return done;
}

size_t virtq_out(const struct virtq_buf *b, size_t skip, void *to, size_t len)
{
    return copy(b->iov, b->out_num, skip, to, len, false);
}

size_t virtq_in(const struct virtq_buf *b, size_t skip, const void *from, size_t len)
{
    return copy(b->iov + b->out_num, b->in_num, skip, (void *) (uintptr_t) from, len, true);
}

/* What is cut is a copy: what was written is marked dirty by the pieces as they were. */
static void trimmable(struct virtq_buf *b)
{
    if (b->trimmed)
        return;
    memcpy(b->own_iov + b->own_max, b->own_iov, (b->own_out + b->own_in) * sizeof *b->iov);
    b->iov = b->own_iov + b->own_max;
    b->trimmed = true;
}

/* Cut bytes off the front; returns how many pieces are gone. */
static unsigned cut(struct iovec *iov, size_t len)
{
    unsigned gone = 0;

    for (; len && len >= iov->iov_len; gone++)
        len -= iov++->iov_len;
    if (len) {
        iov->iov_base = (char *) iov->iov_base + len;
        iov->iov_len -= len;
    }
    return gone;
}

bool virtq_trim_out(struct virtq_buf *b, size_t len)
{
    if (len > b->out_len)
        return false;
    trimmable(b);
    unsigned gone = cut(b->iov, len);
    b->iov += gone;
    b->out_num -= gone;
    b->out_len -= len;
    return true;
}

bool virtq_trim_in(struct virtq_buf *b, size_t len)
{
    if (len > b->in_len)
        return false;
    trimmable(b);
    struct iovec *in = b->iov + b->out_num;
    unsigned gone = cut(in, len);
    b->in_num -= gone;
    b->in_len -= len;
    if (gone)
        memmove(in, in + gone, b->in_num * sizeof *in);
    return true;
}

bool virtq_trim_in_tail(struct virtq_buf *b, size_t len, void **at)
{
    if (!len || len > b->in_len)
        return false;
    trimmable(b);
    struct iovec *last = &b->iov[b->out_num + b->in_num - 1];
    if (last->iov_len < len)
        return false;
    last->iov_len -= len;
    *at = (char *) last->iov_base + last->iov_len;
    b->in_num -= last->iov_len == 0;
    b->in_len -= len;
    return true;
}
