/* hw/virtio/virtio.h - virtio devices and their queues, apart from how they are reached.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, chapters 2 (basic facilities) and 3 (initialization), with
 * the legacy interface.
 *
 * A device is a `const struct virtio_class` and a struct that holds a `struct virtio_dev`.  The same code is
 * plugged behind PCI (virtio_pci.h) and MMIO (virtio_mmio.h): each makes a struct of its proxy and the device.
 *
 *   struct virtio_rng { struct virtio_dev v; ... };
 *   struct virtio_rng_pci { struct virtio_pci proxy; struct virtio_rng rng; };
 *
 * Property tables are macros over the outer struct and the path of the device in it (VIRTIO_DEV_PROPS); state
 * tables are of the inner struct: STATE_STRUCT(struct virtio_rng_pci, rng, virtio_rng_state), which has
 * STATE_STRUCT(struct virtio_rng, v, virtio_dev_state).
 *
 * Threads.  Registers and configuration are accessed under the VM lock, by a vCPU's thread.  Queues are served in
 * v->exec: the main loop (then the VM lock is held, too) or an iothread (then it is not, and must not be taken).
 * "In exec" below means: in that thread, and with the VM lock if it is the main one.  Between start() and stop()
 * the queues and what a class keeps for them belong to exec; outside they belong to who has the VM lock. */
#ifndef BANTAM_HW_VIRTIO_VIRTIO_H
#define BANTAM_HW_VIRTIO_VIRTIO_H

#include "vmm/core/device.h"

#include <sys/uio.h>

enum { /* device status, 2.1 */
    VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 0x40, VIRTIO_FAILED = 0x80,
};
enum { /* feature bits, chapter 6 and (the first two) the legacy interface */
    VIRTIO_F_NOTIFY_ON_EMPTY = 24, VIRTIO_F_ANY_LAYOUT = 27,
    VIRTIO_F_INDIRECT_DESC = 28, VIRTIO_F_EVENT_IDX = 29, VIRTIO_F_VERSION_1 = 32, VIRTIO_F_ACCESS_PLATFORM = 33,
    VIRTIO_F_RING_PACKED = 34, VIRTIO_F_IN_ORDER = 35,
};
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };
enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_BALLOON = 5 };
enum {
    VIRTQ_MAX_SIZE = 1024,      /* the largest queue offered, and the longest indirect table taken */
    VIRTIO_MAX_QUEUES = 1024,
    VIRTIO_MAX_CONFIG = 256,    /* bytes of device configuration */
    VIRTIO_NO_VECTOR = 0xffff,
};

struct virtio_dev;
struct virtq;

/* A chain of descriptors that the driver made available, checked and mapped.  The first member of the class's
 * request struct (virtio_class.req_size bytes, zeroed once, then reused as the class left it). */
struct virtq_buf {
    struct virtq *q;
    struct iovec *iov;      /* out_num that the device reads, then in_num that it writes; see virtq_trim_*() */
    unsigned out_num, in_num;
    size_t out_len, in_len; /* total bytes of each */
    /* the core's: */
    struct iovec *own_iov;
    unsigned own_max, own_out, own_in;
    uint32_t written;
    uint16_t id, n_desc, slot;
    bool trimmed, done;
};

struct virtio_class {
    const char *name;    /* "virtio-rng" */
    uint16_t id;         /* VIRTIO_ID_* */
    uint16_t config_size;/* bytes of device configuration; realize may set v->config_size otherwise */
    uint32_t req_size;   /* at least sizeof(struct virtq_buf) */
    const char *rom;     /* option ROM that comes with it behind PCI, or NULL */

    /* Check properties, claim backends, virtio_add_queue() for each queue; may set v->exec.  VM lock. */
    bool (*realize)(struct virtio_dev *v, GError **err);
    void (*unrealize)(struct virtio_dev *v); /* may be NULL; also called when realize failed half-way */
    /* The device's own feature bits, as offered (the core adds those of the ring).  VM lock. */
    uint64_t (*features)(struct virtio_dev *v);
    /* The driver has chosen: see virtio_has().  VM lock, before start(); may be NULL. */
    void (*negotiated)(struct virtio_dev *v);
    /* Fill in v->config_size bytes (zeroed before).  VM lock; may be NULL when there are none. */
    void (*get_config)(struct virtio_dev *v, uint8_t *cfg);
    /* The driver wrote [off, off+len), which is inside; cfg is the whole with that in place.  NULL: read-only. */
    void (*set_config)(struct virtio_dev *v, const uint8_t *cfg, unsigned off, unsigned len);
    /* The driver may have added buffers, or it is a fresh start.  In exec.  Pop until virtq_pop() gives NULL, or as
     * long as there is room downstream.  When it takes nothing of a queue that is not empty, the class waits for
     * something: it will not be called again until it said virtq_kick() or the driver gave more. */
    void (*handle_queue)(struct virtio_dev *v, struct virtq *q);
    /* In exec, may be NULL.  start: DRIVER_OK, or the VM goes on; the queues are kicked afterwards.  stop: complete
     * (or cancel) and push what is in flight, and touch no queue until the next start.  A buffer that can only be
     * kept (balloon statistics; a request stopped by an error policy) stays in flight over stop and start. */
    void (*start)(struct virtio_dev *v);
    void (*stop)(struct virtio_dev *v);
    /* After stop: forget every buffer that is still held, back to the state after power-up.  VM lock. */
    void (*reset)(struct virtio_dev *v);
    /* The state was loaded and is hostile: false refuses it.  No buffer is held any more.  VM lock; may be NULL. */
    bool (*post_load)(struct virtio_dev *v);
    void (*describe)(const struct virtio_dev *v, GString *out); /* `info qtree`; may be NULL */
};

/* How the device is reached. */
struct virtio_transport {
    /* A used buffer notification for q, or a configuration change (q NULL).  Any thread. */
    void (*interrupt)(struct virtio_dev *v, struct virtq *q);
};

struct virtq {
    struct virtio_dev *v;
    unsigned index;
    uint16_t max;       /* the size offered */
    /* What the driver set. */
    uint16_t num, vector;
    bool enabled;
    uint32_t pfn, align;        /* legacy: in pages; of the used ring */
    uint64_t desc, avail, used; /* packed: descriptor ring, driver and device event suppression */
    /* Where the device is. */
    uint16_t last_avail;        /* split: counts on; packed: place in the ring */
    uint16_t used_idx;          /* likewise, published */
    bool avail_wrap, used_wrap; /* packed: wrap counters */
    uint16_t unsignalled;       /* entries published since the last virtq_notify() */
    /* The host's. */
    bool mapped, packed, event_idx, indirect, in_order, notify_empty; /* as negotiated, while mapped */
    bool serving, polled, stalled, no_notify;
    uint16_t avail_seen;        /* split: the driver's index when it was last read */
    uint16_t budget;            /* buffers that may still be popped in this turn */
    uint16_t filled;            /* buffers filled and not yet flushed */
    uint16_t fill_next, fill_first, fill_flags; /* packed: places of the next and the first, the latter's flags */
    uint16_t fill_slots;        /* packed: places that they take */
    bool fill_wrap;             /* packed: of the next */
    uint16_t inflight;          /* popped and not yet filled */
    uint8_t *ring_desc, *ring_avail, *ring_used;
    char *pool;                 /* num requests */
    uint16_t *free_slots;       /* a stack; those in flight are below its top */
    uint16_t *order;            /* in-order: slots as they were popped, a ring of num */
    uint16_t order_head;
    int kick_fd;                /* eventfd: the driver's notifications, and our own */
    struct exec_fd *watch;      /* of kick_fd, between start and stop */
    struct exec_poll poll;      /* likewise */
    void *opaque;               /* the class's */
};

struct virtio_dev {
    const struct virtio_class *cls;
    struct device *dev;         /* the proxy, for DMA, messages, and the VM */
    const struct virtio_transport *transport;
    struct exec *exec;          /* where queues are served: the main one unless the class's realize says otherwise */
    bool indirect_desc, use_event_idx, notify_on_empty, any_layout, iommu_platform, packed, in_order; /* properties */
    uint64_t offered;           /* features, the ring's included */
    uint32_t config_size;
    struct virtq *q;
    uint32_t n_queues;
    struct vm_notifier notifier;
    bool notifying;
    bool running;               /* between start() and stop() */
    /* state */
    uint64_t features;          /* negotiated so far */
    uint64_t driver_features;   /* what the driver asked for */
    uint8_t status;             /* atomic */
    uint8_t isr;                /* atomic */
    uint8_t generation;         /* of the configuration; atomic */
    bool started;               /* by the driver: the queues are live whenever the VM runs */
    bool broken;                /* NEEDS_RESET; atomic */
};

#define VIRTIO_DEV_PROPS(T, V)                                                                                      \
    PROP_BOOL(T, V.indirect_desc, true, .name = "indirect_desc", .desc = "offer indirect descriptors"),             \
    PROP_BOOL(T, V.use_event_idx, true, .name = "event_idx", .desc = "offer notification by index"),                \
    PROP_BOOL(T, V.notify_on_empty, true, .name = "notify_on_empty", .desc = "legacy: notify of an empty queue"),   \
    PROP_BOOL(T, V.any_layout, true, .name = "any_layout", .desc = "legacy: take any layout of descriptors"),       \
    PROP_BOOL(T, V.iommu_platform, false, .name = "iommu_platform", .desc = "not built: there is no IOMMU"),        \
    PROP_BOOL(T, V.packed, false, .name = "packed", .desc = "offer packed rings"),                                  \
    PROP_BOOL(T, V.in_order, false, .name = "in_order", .desc = "offer to use buffers in order")
extern const struct state virtio_dev_state[];

/* --- for classes -------------------------------------------------------------------------------------------- */

/* From realize: the next queue, of at most `size` (a power of two up to VIRTQ_MAX_SIZE).  It is v->q[index]; the array
 * moves as long as queues are added. */
void virtio_add_queue(struct virtio_dev *v, unsigned size);

static inline bool virtio_has(const struct virtio_dev *v, unsigned bit) /* negotiated */
{
    return v->features >> bit & 1;
}

/* The device's configuration changed by itself: tell the driver.  Any thread. */
void virtio_config_changed(struct virtio_dev *v);
/* The driver broke the protocol: a guest error; the device stops working until it is reset.  In exec or VM lock. */
void virtio_error(struct virtio_dev *v, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Carry out fn(opaque) in exec and wait.  VM lock held. */
void virtio_call(struct virtio_dev *v, void (*fn)(void *opaque), void *opaque);

/* --- queues, in exec ---------------------------------------------------------------------------------------- */

/* May buffers be popped: enabled, running, not broken, bus mastering on. */
bool virtq_ready(const struct virtq *q);
/* Nothing there to pop (or not ready). */
bool virtq_empty(struct virtq *q);
/* The next buffer; NULL: there is none, this turn's share is used up, or the device just broke. */
struct virtq_buf *virtq_pop(struct virtq *q);
/* Take back the newest pops, last one first: the buffer will be popped again. */
void virtq_unpop(struct virtq_buf *buf);
/* The buffer is used, `written` bytes of its in part.  fill() several and flush() publishes them all at once
 * (mergeable receive buffers); push() is both for one.  The request is the core's again after that. */
void virtq_fill(struct virtq_buf *buf, size_t written);
void virtq_flush(struct virtq *q);
void virtq_push(struct virtq_buf *buf, size_t written);
/* Tell the driver of what was pushed, if it wants to know.  Once for a batch. */
void virtq_notify(struct virtq *q);
/* Serve the queue again soon (what the class waited for is there). */
void virtq_kick(struct virtq *q);
/* handle_queue() is bracketed by these.  A class that pops at other times (receive) uses them itself: when it runs
 * out of buffers, virtq_notify_on() asks the driver to tell of new ones, and is true if some came meanwhile. */
void virtq_notify_off(struct virtq *q);
bool virtq_notify_on(struct virtq *q);

/* Copy out of what the driver wrote, or into what it reads, from byte `skip` on; returns how many bytes fitted. */
size_t virtq_out(const struct virtq_buf *buf, size_t skip, void *to, size_t len);
size_t virtq_in(const struct virtq_buf *buf, size_t skip, const void *from, size_t len);
/* Only these change a buffer's iov.  Take `len` bytes (of a header) off the front of the out part or the in part.
 * False: it is shorter. */
bool virtq_trim_out(struct virtq_buf *buf, size_t len);
bool virtq_trim_in(struct virtq_buf *buf, size_t len);
/* Take the last `len` bytes (a status byte) off the in part; *at is where they are when they lie in one piece.  False:
 * it is shorter, or they do not. */
bool virtq_trim_in_tail(struct virtq_buf *buf, size_t len, void **at);

/* --- for transports and the bench (VM lock) ----------------------------------------------------------------- */

/* Properties are set: checks them, calls the class's realize.  On failure virtio_unrealize() must follow. */
bool virtio_realize(struct virtio_dev *v, const struct virtio_class *cls, struct device *dev,
                    const struct virtio_transport *transport, GError **err);
void virtio_unrealize(struct virtio_dev *v);
void virtio_reset(struct virtio_dev *v);
void virtio_set_status(struct virtio_dev *v, uint8_t status); /* 0 resets; legacy drivers skip FEATURES_OK */
void virtio_set_features(struct virtio_dev *v, uint64_t features, bool legacy); /* before FEATURES_OK */
/* legacy: of the 32 bits that such a driver sees. */
uint64_t virtio_offered(const struct virtio_dev *v, bool legacy);
uint64_t virtio_config_read(struct virtio_dev *v, uint64_t off, unsigned size);
void virtio_config_write(struct virtio_dev *v, uint64_t off, uint64_t val, unsigned size);
void virtq_enable(struct virtq *q);  /* with the addresses in place: maps the ring, or breaks the device */
void virtq_disable(struct virtq *q);
void virtq_set_pfn(struct virtq *q, uint32_t pfn, uint32_t page_size); /* legacy; 0 disables */
/* A write to a notification register. */
void virtio_notified(struct virtio_dev *v, unsigned queue);
/* Bus mastering or the like was switched on: look at every queue. */
void virtio_kick_all(struct virtio_dev *v);
bool virtio_post_load(struct virtio_dev *v);
void virtio_pre_save(struct virtio_dev *v); /* completes what is in flight */
void virtio_describe(const struct virtio_dev *v, GString *out);

#endif
