/* hw/virtio/virtq_int.h - what the files of the virtqueues share: the two formats of rings behind one interface. */
#ifndef BANTAM_HW_VIRTIO_VIRTQ_INT_H
#define BANTAM_HW_VIRTIO_VIRTQ_INT_H

#include "hw/virtio/virtio.h"

enum { DESC_F_NEXT = 1, DESC_F_WRITE = 2, DESC_F_INDIRECT = 4, DESC_SIZE = 16 };

struct virtq_ring {
    /* Map what q's addresses say.  NULL, or what is wrong with them. */
    const char *(*map)(struct virtq *q);
    bool (*more)(struct virtq *q);
    bool (*take)(struct virtq *q, struct virtq_buf *b); /* more() was true; false: the device broke */
    void (*untake)(struct virtq *q, const struct virtq_buf *b);
    void (*fill)(struct virtq *q, const struct virtq_buf *b, uint32_t written);
    void (*publish)(struct virtq *q); /* what was filled: at least one */
    bool (*wanted)(struct virtq *q);  /* a notification of the last q->unsignalled entries */
    void (*set_notify)(struct virtq *q, bool on);
};
extern const struct virtq_ring virtq_split, virtq_packed;

static inline const struct virtq_ring *virtq_ring(const struct virtq *q)
{
    return q->packed ? &virtq_packed : &virtq_split;
}

/* The host's address of guest memory, or NULL. */
static inline void *virtq_ptr(const struct virtq *q, uint64_t gpa, uint64_t len)
{
    return ram_ptr(&q->v->dev->vm->ram, gpa, len);
}

/* We wrote [p, p+len) of guest RAM. */
static inline void virtq_wrote(struct virtq *q, const void *p, size_t len)
{
    struct ram_block *rb = &q->v->dev->vm->ram.block;

    for (int c = 0; c < N_DIRTY; c++)
        if (G_UNLIKELY(rb->dirty[c])) {
            ram_block_mark_dirty(rb, (uint64_t) ((const uint8_t *) p - rb->host), len);
            return;
        }
}

/* What memory held when it was copied must not be looked at again. */
static inline void virtq_copied(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Append a piece of a buffer: false (and the device is broken) when it is not one. */
bool virtq_add(struct virtq *q, struct virtq_buf *b, uint64_t addr, uint32_t len, bool write);
/* The indirect table of `len` bytes at addr: its entries in *n; NULL: broken. */
const uint8_t *virtq_table(struct virtq *q, uint64_t addr, uint32_t len, unsigned *n);

/* virtq.c, for virtio.c: make and free the pool; the ring's mapping with it. */
bool virtq_map(struct virtq *q);
void virtq_unmap(struct virtq *q);
void virtq_serve(struct virtq *q);

#endif
