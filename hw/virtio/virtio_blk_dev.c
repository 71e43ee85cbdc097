/* hw/virtio/virtio_blk_dev.c - virtio-blk behind PCI and MMIO. */
#include "hw/catalog.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_blk.h"
#include "hw/virtio/virtio_pci.h"

struct virtio_blk_pci {
    struct virtio_pci proxy;
    struct virtio_blk blk;
};

static const struct prop virtio_blk_pci_props[] = {
    VIRTIO_PCI_PROPS(struct virtio_blk_pci, proxy),
    VIRTIO_DEV_PROPS(struct virtio_blk_pci, blk.v),
    VIRTIO_BLK_PROPS(struct virtio_blk_pci, blk),
    {}
};

static const struct state virtio_blk_pci_state[] = {
    VIRTIO_PCI_STATE(struct virtio_blk_pci, proxy),
    STATE_STRUCT(struct virtio_blk_pci, blk, virtio_blk_state),
    {}
};

VIRTIO_PCI_CLASSES(virtio_blk, "virtio-blk", struct virtio_blk_pci, blk.v, &virtio_blk_vclass, 0x1001, 0x010000,
                   virtio_blk_pci_props, virtio_blk_pci_state, "disk");

struct virtio_blk_mmio {
    struct virtio_mmio proxy;
    struct virtio_blk blk;
};

static const struct prop virtio_blk_mmio_props[] = {
    VIRTIO_BLK_PROPS(struct virtio_blk_mmio, blk),
    VIRTIO_DEV_PROPS(struct virtio_blk_mmio, blk.v),
    {}
};

static const struct state virtio_blk_mmio_state[] = {
    STATE_STRUCT(struct virtio_blk_mmio, blk, virtio_blk_state),
    {}
};

VIRTIO_MMIO_CLASS(virtio_blk, "virtio-blk", struct virtio_blk_mmio, blk.v, &virtio_blk_vclass, virtio_blk_mmio_props,
                  virtio_blk_mmio_state, "disk");
