/* hw/virtio/virtio_mmio.h - virtio devices in memory, without PCI.
 *
 * The board makes a virtio_mmio_bus of N slots; a device takes the first that is free.  A device file declares
 * beside its PCI form (virtio_pci.h):
 *
 *   struct virtio_rng_mmio { struct virtio_mmio proxy; struct virtio_rng rng; };
 *   static const struct prop virtio_rng_mmio_props[] = {
 *       VIRTIO_RNG_PROPS(struct virtio_rng_mmio, rng), VIRTIO_DEV_PROPS(struct virtio_rng_mmio, rng.v), {} };
 *   static const struct state virtio_rng_mmio_state[] = {
 *       STATE_STRUCT(struct virtio_rng_mmio, rng, virtio_rng_state), {} };
 *   VIRTIO_MMIO_CLASS(virtio_rng, "virtio-rng", struct virtio_rng_mmio, rng.v, &virtio_rng_vclass,
 *                     virtio_rng_mmio_props, virtio_rng_mmio_state, "source of random bytes")
 *
 * which makes virtio_rng_device_class, "virtio-rng-device". */
#ifndef BANTAM_HW_VIRTIO_VIRTIO_MMIO_H
#define BANTAM_HW_VIRTIO_VIRTIO_MMIO_H

#include "hw/virtio/virtio.h"

enum { VIRTIO_MMIO_SIZE = 512, VIRTIO_MMIO_MAX = 32 };

struct virtio_mmio_info { /* class->bus_info */
    const struct virtio_class *cls;
    size_t dev_offset; /* of the struct virtio_dev in the instance */
};

struct virtio_mmio_bus {
    struct bus bus; /* "virtio-mmio-bus" */
    struct vm *vm;
    uint64_t base;
    unsigned n;
    struct irq irq[VIRTIO_MMIO_MAX]; /* connected by the board */
    struct virtio_mmio *devs[VIRTIO_MMIO_MAX];
};

struct virtio_mmio {
    struct device dev;
    struct virtio_mmio_bus *bus;
    struct virtio_dev *v;
    struct region region;
    bool legacy; /* the property force-legacy: register layout 1 instead of 2 */
    uint8_t slot;
    int irq_fd;  /* the interrupt's state was changed by another thread */
    struct exec_fd *irq_watch;
    uint32_t device_feature_select, driver_feature_select, driver_feature[2], page_size, queue_select;
};

extern const struct bus_class virtio_mmio_bus_class;
void virtio_mmio_bus_init(struct virtio_mmio_bus *b, struct vm *vm, uint64_t base, unsigned n);
void virtio_mmio_bus_clear(struct virtio_mmio_bus *b);

#define VIRTIO_MMIO_CLASS(sym, nm, T, dev_, vc, props_, state_, text)                                               \
    static const struct virtio_mmio_info sym##_device_info = { .cls = (vc), .dev_offset = offsetof(T, dev_) };      \
    const struct device_class sym##_device_class = {                                                                \
        .name = nm "-device", .family = "virtio-mmio", .desc = "virtio " text " (MMIO)",                            \
        .version = 1, .size = sizeof(T),                                                                            \
        .bus = &virtio_mmio_bus_class, .bus_info = &sym##_device_info, .props = (props_), .state = (state_),        \
        .realize = virtio_mmio_realize, .unrealize = virtio_mmio_unrealize, .reset = virtio_mmio_reset,             \
        .post_load = virtio_mmio_post_load, .pre_save = virtio_mmio_pre_save, .describe = virtio_mmio_describe,     \
    }

bool virtio_mmio_realize(struct device *d, GError **err);
void virtio_mmio_unrealize(struct device *d);
void virtio_mmio_reset(struct device *d);
bool virtio_mmio_post_load(struct device *d);
void virtio_mmio_pre_save(struct device *d);
void virtio_mmio_describe(const struct device *d, GString *out);

#endif
