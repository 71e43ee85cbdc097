/* hw/virtio/virtio_console_dev.c - the console device behind PCI and MMIO. */
#include "hw/catalog.h"
#include "hw/virtio/virtio_console.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"

struct virtio_console_pci {
    struct virtio_pci proxy; /* first */
    struct virtio_console con;
};

static const struct prop pci_props[] = {
    VIRTIO_CONSOLE_PROPS(struct virtio_console_pci, con), VIRTIO_DEV_PROPS(struct virtio_console_pci, con.v),
    VIRTIO_PCI_PROPS(struct virtio_console_pci, proxy), {}
};
static const struct state pci_state[] = {
    VIRTIO_PCI_STATE(struct virtio_console_pci, proxy),
    STATE_STRUCT(struct virtio_console_pci, con, virtio_console_state), {}
};
VIRTIO_PCI_CLASSES(virtio_serial, "virtio-serial", struct virtio_console_pci, con.v, &virtio_console_vclass, 0x1003,
                   0x078000, pci_props, pci_state, "console and ports");

struct virtio_console_mmio {
    struct virtio_mmio proxy; /* first */
    struct virtio_console con;
};

static const struct prop mmio_props[] = {
    VIRTIO_CONSOLE_PROPS(struct virtio_console_mmio, con), VIRTIO_DEV_PROPS(struct virtio_console_mmio, con.v), {}
};
static const struct state mmio_state[] = {
    STATE_STRUCT(struct virtio_console_mmio, con, virtio_console_state), {}
};
VIRTIO_MMIO_CLASS(virtio_serial, "virtio-serial", struct virtio_console_mmio, con.v, &virtio_console_vclass,
                  mmio_props, mmio_state, "console and ports");
