/* tests/hw/vtest.h - a virtio device for tests of queues: two queues, whose buffers the test takes and gives back. */
#ifndef BANTAM_TESTS_VTEST_H
#define BANTAM_TESTS_VTEST_H

#include "hw/virtio/virtio_pci.h"

enum { VTEST_SMALL = 8, VTEST_LARGE = 256, VTEST_HOLD = 1024 };

struct vtest_req {
    struct virtq_buf buf;
    unsigned mark; /* stays from use to use */
};

struct vtest {
    struct virtio_dev v;
    struct vtest_req *held[VTEST_HOLD];
    unsigned n_held;
    bool hold;      /* keep buffers; else they come back at once, filled with 0x5a */
    bool manual;    /* take nothing: the test does, as a receive queue's backend would */
    unsigned limit; /* take at most so many a call; 0: all */
    unsigned calls, starts, stops, resets;
    uint8_t cfg[16];
};

struct vtest_pci {
    struct virtio_pci proxy;
    struct vtest t;
};

extern const struct device_class vtest_pci_class;

static inline struct vtest *vtest_of(struct device *d)
{
    return &((struct vtest_pci *) d)->t;
}
void vtest_return(struct vtest *t, unsigned i); /* give back held[i], all of its in part written */
size_t vtest_fill(struct virtq_buf *b);

#endif
