/* hw/virtio/virtio_net_dev.c - virtio-net behind PCI and MMIO. */
#include "hw/catalog.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_net.h"
#include "hw/virtio/virtio_pci.h"

struct virtio_net_pci {
    struct virtio_pci proxy;
    struct virtio_net net;
};

static const struct prop virtio_net_pci_props[] = {
    VIRTIO_PCI_PROPS(struct virtio_net_pci, proxy),
    VIRTIO_DEV_PROPS(struct virtio_net_pci, net.v),
    VIRTIO_NET_PROPS(struct virtio_net_pci, net),
    {}
};

static const struct state virtio_net_pci_state[] = {
    VIRTIO_PCI_STATE(struct virtio_net_pci, proxy),
    STATE_STRUCT(struct virtio_net_pci, net, virtio_net_state),
    {}
};

VIRTIO_PCI_CLASSES(virtio_net, "virtio-net", struct virtio_net_pci, net.v, &virtio_net_vclass, 0x1000, 0x020000,
                   virtio_net_pci_props, virtio_net_pci_state, "network card");

struct virtio_net_mmio {
    struct virtio_mmio proxy;
    struct virtio_net net;
};

static const struct prop virtio_net_mmio_props[] = {
    VIRTIO_NET_PROPS(struct virtio_net_mmio, net),
    VIRTIO_DEV_PROPS(struct virtio_net_mmio, net.v),
    {}
};

static const struct state virtio_net_mmio_state[] = {
    STATE_STRUCT(struct virtio_net_mmio, net, virtio_net_state),
    {}
};

VIRTIO_MMIO_CLASS(virtio_net, "virtio-net", struct virtio_net_mmio, net.v, &virtio_net_vclass, virtio_net_mmio_props,
                  virtio_net_mmio_state, "network card");
