/* hw/virtio/virtio_pci.h - virtio devices as PCI functions.
 *
 * A device file declares its struct with the proxy first, its tables, and (virtio_pci.c does the rest):
 *
 *   struct virtio_rng_pci { struct virtio_pci proxy; struct virtio_rng rng; };
 *   static const struct prop virtio_rng_pci_props[] = {
 *       VIRTIO_PCI_PROPS(struct virtio_rng_pci, proxy), VIRTIO_DEV_PROPS(struct virtio_rng_pci, rng.v),
 *       VIRTIO_RNG_PROPS(struct virtio_rng_pci, rng), {} };
 *   static const struct state virtio_rng_pci_state[] = {
 *       VIRTIO_PCI_STATE(struct virtio_rng_pci, proxy),
 *       STATE_STRUCT(struct virtio_rng_pci, rng, virtio_rng_state), {} };
 *   VIRTIO_PCI_CLASSES(virtio_rng, "virtio-rng", struct virtio_rng_pci, rng.v, &virtio_rng_vclass, 0x1005, 0x00ff00,
 *                      virtio_rng_pci_props, virtio_rng_pci_state, "source of random bytes")
 *
 * which makes virtio_rng_pci_class, virtio_rng_pci_transitional_class and virtio_rng_pci_non_transitional_class, for
 * hw/catalog.[ch]. */
#ifndef BANTAM_HW_VIRTIO_VIRTIO_PCI_H
#define BANTAM_HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci/msix.h"
#include "hw/virtio/virtio.h"

enum virtio_pci_kind { VIRTIO_PCI_GENERIC, VIRTIO_PCI_TRANSITIONAL, VIRTIO_PCI_NON_TRANSITIONAL };

struct virtio_pci_info { /* class->bus_info is its `pci` */
    struct pci_info pci;           /* the transitional device's */
    const struct virtio_class *cls;
    size_t dev_offset;             /* of the struct virtio_dev in the instance */
    enum virtio_pci_kind kind;
};

struct virtio_pci {
    struct pci_dev pci;
    struct virtio_dev *v;
    struct msix msix;
    struct pci_bar legacy, modern;
    /* properties */
    int disable_legacy; /* enum on_off_auto */
    bool disable_modern, ioeventfd;
    uint32_t vectors;
    /* state */
    uint32_t device_feature_select, driver_feature_select, driver_feature[2];
    uint16_t queue_select, config_msix_vector;
    /* host */
    bool is_legacy, is_modern;
    uint8_t cfg_cap;     /* offset of the capability that gives access by configuration space */
    int intx_fd;         /* ISR was set by another thread: the main loop raises the pin */
    struct exec_fd *intx_watch;
};

#define VIRTIO_PCI_PROPS(T, P)                                                                                      \
    PROP_ONOFFAUTO(T, P.disable_legacy, OOA_AUTO, .name = "disable-legacy",                                         \
                   .desc = "no legacy interface (auto: there is one)"),                                             \
    PROP_BOOL(T, P.disable_modern, false, .name = "disable-modern", .desc = "no virtio 1.x interface"),             \
    PROP_BOOL(T, P.ioeventfd, true, .name = "ioeventfd", .desc = "let KVM take notifications without an exit"),     \
    PROP_U32(T, P.vectors, UINT32_MAX, .name = "vectors",                                                           \
             .desc = "MSI-X vectors; 0: none (default: one for each queue, and one)")

#define VIRTIO_PCI_STATE(T, P) \
    STATE_STRUCT(T, P.msix, msix_state), STATE_HOST(T, P.v), STATE_HOST(T, P.legacy), STATE_HOST(T, P.modern),      \
    STATE_U32(T, P.device_feature_select), STATE_U32(T, P.driver_feature_select), STATE_ARRAY(T, P.driver_feature), \
    STATE_U16(T, P.queue_select), STATE_U16(T, P.config_msix_vector), STATE_HOST(T, P.is_legacy),                   \
    STATE_HOST(T, P.is_modern), STATE_HOST(T, P.cfg_cap), STATE_HOST(T, P.intx_fd), STATE_HOST(T, P.intx_watch)

#define VIRTIO_PCI_CLASS_(sym, nm, al, T, dev, vc, dev_id, cc, props_, state_, text, kind_)                         \
    static const struct virtio_pci_info sym##_info = {                                                              \
        .pci = { .vendor = 0x1af4, .device = (dev_id), .class_code = (cc), .subvendor = 0x1af4, .intpin = 1 },      \
        .cls = (vc), .dev_offset = offsetof(T, dev), .kind = (kind_),                                               \
    };                                                                                                              \
    const struct device_class sym##_class = {                                                                       \
        .name = (nm), .alias = (al), .family = "virtio-pci", .desc = (text), .version = 1, .size = sizeof(T),       \
        .bus = &pci_bus_class,                                                                                      \
        .bus_info = &sym##_info.pci, .props = (props_), .state = (state_), .realize = virtio_pci_realize,           \
        .unrealize = virtio_pci_unrealize, .reset = virtio_pci_reset, .post_load = virtio_pci_post_load,            \
        .pre_save = virtio_pci_pre_save, .describe = virtio_pci_describe,                                           \
    }
#define VIRTIO_PCI_CLASSES(sym, nm, T, dev, vc, dev_id, cc, props_, state_, text)                                   \
    VIRTIO_PCI_CLASS_(sym##_pci, nm "-pci", nm, T, dev, vc, dev_id, cc, props_, state_,                             \
                      "virtio " text " (PCI)", VIRTIO_PCI_GENERIC);                                                 \
    VIRTIO_PCI_CLASS_(sym##_pci_transitional, nm "-pci-transitional", NULL, T, dev, vc, dev_id, cc, props_, state_, \
                      "virtio " text " (PCI, legacy and 1.x)", VIRTIO_PCI_TRANSITIONAL);                            \
    VIRTIO_PCI_CLASS_(sym##_pci_non_transitional, nm "-pci-non-transitional", NULL, T, dev, vc, dev_id, cc, props_, \
                      state_, "virtio " text " (PCI, 1.x only)", VIRTIO_PCI_NON_TRANSITIONAL)

bool virtio_pci_realize(struct device *d, GError **err);
void virtio_pci_unrealize(struct device *d);
void virtio_pci_reset(struct device *d);
bool virtio_pci_post_load(struct device *d);
void virtio_pci_pre_save(struct device *d);
void virtio_pci_describe(const struct device *d, GString *out);

/* Between virtio_pci.c and virtio_pci_modern.c */
void virtio_pci_add_modern(struct virtio_pci *s);
void virtio_pci_cfg_written(struct virtio_pci *s, unsigned off, unsigned len); /* from config_written */
uint16_t virtio_pci_vector(const struct virtio_pci *s, uint64_t val); /* as it reads back */
uint8_t virtio_pci_take_isr(struct virtio_pci *s);
void virtio_pci_set_status(struct virtio_pci *s, uint8_t status, bool legacy);
struct virtq *virtio_pci_queue(struct virtio_pci *s); /* the selected one; NULL: there is none */

#endif
