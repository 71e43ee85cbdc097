/* vmm/net/ring.h - frames waiting in a buffer of fixed size, each in one piece.  No locks of its own.
 *
 * The memory is touched only as far as frames fill it: an empty ring begins at its start again. */
#ifndef BANTAM_NET_RING_H
#define BANTAM_NET_RING_H

#include "vmm/base/util.h"

#include <sys/uio.h>

struct ring_frame {
    uint32_t size; /* with this header, rounded up */
    uint32_t len;
    uint16_t gso_size; /* the user's */
    uint8_t tag;       /* likewise */
    bool closed;       /* likewise */
    uint8_t data[];
};

struct frame_ring {
    uint8_t *buf;
    size_t size, head, tail;
    size_t end;     /* where the frames before the wrap end */
    unsigned count;
    struct ring_frame *last; /* the youngest, NULL: none */
};

void ring_init(struct frame_ring *r, size_t size); /* allocates */
void ring_clear(struct frame_ring *r);
struct ring_frame *ring_reserve(struct frame_ring *r, size_t len); /* NULL: no room for so long a frame */
void ring_commit(struct frame_ring *r, size_t len); /* what was reserved, len at most that */
bool ring_extend(struct frame_ring *r, size_t more); /* may the youngest frame grow?  It has then */
bool ring_push(struct frame_ring *r, const struct iovec *iov, unsigned niov, size_t len);
struct ring_frame *ring_peek(struct frame_ring *r); /* the oldest; NULL: none */
void ring_pop(struct frame_ring *r);

#endif
