/* tests/hw/vdriver.h - a virtio driver of ours: split and packed rings, every transport, well-behaved; and what a
 * test needs to behave otherwise.
 *
 *   struct bench *b = bench_new(16 * MiB);
 *   struct vd *d = vd_new(b, "virtio-rng-pci", "packed=on", VD_PACKED | VD_EVENT_IDX);
 *   uint64_t buf = vd_alloc(d, 64, 16);
 *   vd_add(d, 0, &(struct vd_sg){ buf, 64 }, 0, 1, token);
 *   vd_kick(d, 0);
 *   g_assert_true(vd_wait(d, 0, &len) == token);
 *   vd_free(d); bench_free(b);
 *
 * vd_new() makes the device (and a PCI bus when there is none), places its BARs, and brings it up to DRIVER_OK with
 * all queues; vd_probe() stops before that: then vd_start(). */
#ifndef BANTAM_TESTS_VDRIVER_H
#define BANTAM_TESTS_VDRIVER_H

#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"
#include "tests/hw/bench.h"

enum vd_flags {
    VD_LEGACY = 1,     /* by the legacy interface; else 1.x */
    VD_PACKED = 2, VD_EVENT_IDX = 4, VD_INDIRECT = 8, VD_IN_ORDER = 16,
    VD_MSIX = 32,      /* with bench_accel(): vector n+1 for queue n, 0 for the configuration; data = 0x40 + vector */
    VD_MMIO = 64,      /* the device is on the MMIO bus (with VD_LEGACY: version 1) */
};
enum { VD_MSI_DATA = 0x40, VD_MAX_SG = 64 };

struct vd_sg {
    uint64_t gpa;
    uint32_t len;
};

struct vd_queue {
    unsigned index, num;
    uint64_t desc, avail, used;   /* guest addresses of the ring's parts (packed: ring, driver area, device area) */
    uint64_t tables;              /* num indirect tables of VD_MAX_SG entries */
    unsigned free_head, n_free;   /* split: chain of free descriptors; packed: ids */
    uint16_t avail_idx, used_idx; /* of the driver; packed: places */
    bool avail_wrap, used_wrap;
    unsigned unkicked;            /* added since the last kick */
    uint16_t *next;               /* split: free list; packed: free ids */
    uint16_t *n_desc;             /* by id */
    void **token;                 /* by id */
    unsigned kicks, skipped;      /* notifications given, and left out as the device asked */
};

struct vd {
    struct bench *b;
    struct device *dev;
    struct pci_dev *pci;
    struct virtio_dev *v;         /* the device's inside, for tests that look at it */
    unsigned flags;
    uint64_t features;            /* negotiated */
    uint64_t common, isr, config, notify, legacy_io; /* addresses */
    unsigned notify_multiplier;
    uint64_t heap;                /* next free guest address */
    struct vd_queue *q;
    unsigned n_queues;
    bool hostile;                 /* the test writes to rings: what comes back may be anything */
};

struct vd *vd_new(struct bench *b, const char *cls, const char *props, unsigned flags);
struct vd *vd_probe(struct bench *b, const char *cls, const char *props, unsigned flags);
struct vd *vd_probe_class(struct bench *b, const struct device_class *cls, const char *props, unsigned flags);
/* For a device that was made by others: finds out how to reach it. */
void vd_place(struct vd *d); /* PCI: BARs, command register and MSI-X, as after a reset */
struct vd *vd_attach(struct bench *b, struct device *dev, unsigned flags);
/* The driver's part of initialization; takes the device's features that are in `want` and the ring's of vd->flags. */
void vd_start(struct vd *d, uint64_t want);
void vd_free(struct vd *d); /* the driver, not the device */

uint64_t vd_alloc(struct vd *d, size_t size, size_t align); /* zeroed guest RAM */
void *vd_ptr(struct vd *d, uint64_t gpa);

/* One buffer: n_out pieces that the device reads, n_in that it writes.  False: the ring is full. */
bool vd_add(struct vd *d, unsigned q, const struct vd_sg *sg, unsigned n_out, unsigned n_in, void *token);
void vd_kick(struct vd *d, unsigned q);        /* if the device wants to know */
void *vd_get(struct vd *d, unsigned q, uint32_t *len); /* the next used buffer's token; NULL: none */
void *vd_wait(struct vd *d, unsigned q, uint32_t *len); /* the same, turning the loop; NULL: none came */
/* Add, kick, wait: returns the length written.  A failure is the test's. */
uint32_t vd_do(struct vd *d, unsigned q, const struct vd_sg *sg, unsigned n_out, unsigned n_in);
void vd_want_irq(struct vd *d, unsigned q, bool on); /* 2.7.7: ask for used buffer notifications, or not */

/* Registers, whichever the interface */
uint8_t vd_status(struct vd *d);
void vd_set_status(struct vd *d, uint8_t s);
uint64_t vd_offered(struct vd *d);
void vd_set_features(struct vd *d, uint64_t f);
uint8_t vd_take_isr(struct vd *d);
uint64_t vd_config(struct vd *d, unsigned off, unsigned size);
void vd_set_config(struct vd *d, unsigned off, uint64_t val, unsigned size);
void vd_notify(struct vd *d, unsigned q); /* unconditionally */
void vd_common_write(struct vd *d, unsigned off, uint64_t val, unsigned size); /* 1.x on PCI */
uint64_t vd_common_read(struct vd *d, unsigned off, unsigned size);
void vd_setup_queue(struct vd *d, unsigned q, unsigned num); /* allocates the ring, tells the device, enables */
bool vd_broken(struct vd *d); /* DEVICE_NEEDS_RESET */
unsigned vd_irqs(struct vd *d, unsigned q); /* interrupts for queue q (INTx: 0 or 1, and acknowledged) */

#endif
