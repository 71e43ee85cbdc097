/* vmm/net/ring.c - a ring of frames. */
#include "vmm/net/ring.h"
#include "vmm/net/net.h"

static size_t whole(size_t len)
{
    return ROUND_UP(sizeof(struct ring_frame) + len, _Alignof(struct ring_frame) * 2);
}

void ring_init(struct frame_ring *r, size_t size)
{
    *r = (struct frame_ring){ .buf = g_malloc(size), .size = size, .end = size };
}

void ring_clear(struct frame_ring *r)
{
    g_free(r->buf);
    *r = (struct frame_ring){ 0 };
}

struct ring_frame *ring_reserve(struct frame_ring *r, size_t len)
{
    size_t need = whole(len);

    if (!r->count)
        r->head = r->tail = 0;
    bool wrapped = r->count && r->tail <= r->head;
    if (need > (wrapped ? r->head : r->size) - r->tail) {
        if (wrapped || need > r->head)
            return NULL;
        r->end = r->tail;
        r->tail = 0;
    }
    return (struct ring_frame *) (r->buf + r->tail);
}

void ring_commit(struct frame_ring *r, size_t len)
{
    struct ring_frame *f = (struct ring_frame *) (r->buf + r->tail);

    *f = (struct ring_frame){ .size = (uint32_t) whole(len), .len = (uint32_t) len };
    r->tail += f->size;
    r->count++;
    r->last = f;
}

bool ring_extend(struct frame_ring *r, size_t more)
{
    struct ring_frame *f = r->last;
    size_t size = whole(f->len + more), at = (size_t) ((uint8_t *) f - r->buf);

    if (size > (at >= r->head ? r->size : r->head) - at)
        return false;
    if (at >= r->head)
        r->end = r->size; /* a reservation that came to nothing may have wrapped */
    f->len += (uint32_t) more;
    f->size = (uint32_t) size;
    r->tail = at + size;
    return true;
}

bool ring_push(struct frame_ring *r, const struct iovec *iov, unsigned niov, size_t len)
{
    struct ring_frame *f = ring_reserve(r, len);

    if (!f)
        return false;
    iov_copy_out(iov, niov, 0, f->data, len);
    ring_commit(r, len);
    return true;
}

struct ring_frame *ring_peek(struct frame_ring *r)
{
    if (!r->count)
        return NULL;
    if (r->head == r->end && r->tail <= r->head) {
        r->head = 0;
        r->end = r->size;
    }
    return (struct ring_frame *) (r->buf + r->head);
}

void ring_pop(struct frame_ring *r)
{
    struct ring_frame *f = ring_peek(r);

    r->head += f->size;
    if (f == r->last)
        r->last = NULL;
    if (!--r->count) {
        r->head = r->tail = 0;
        r->end = r->size;
    }
}
