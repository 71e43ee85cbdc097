/* hw/virtio/virtio_pci.c - virtio devices as PCI functions: identity, interrupts, the legacy interface.
 *
 * Source: VIRTIO 1.2, 4.1, with 4.1.5 (MSI-X), 4.1.4.10 (legacy interface).  BARs as in QEMU: 0 legacy registers,
 * 1 MSI-X, 4 the 1.x structures.
 * Theory: the main loop and vCPUs raise INTA# directly.  An iothread sets ISR and signals intx_fd; the main loop then
 * brings the pin in line with ISR.  With MSI-X on, ISR is not used.
 * Deviations: no page per queue for notifications, no notification by I/O port in the 1.x interface, no
 * address translation (iommu_platform). */
#include "hw/virtio/virtio_pci.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/vm.h"

enum { /* legacy registers */
    HOST_FEATURES = 0, GUEST_FEATURES = 4, QUEUE_PFN = 8, QUEUE_NUM = 12, QUEUE_SEL = 14, QUEUE_NOTIFY = 16,
    STATUS = 18, ISR = 19, MSI_CONFIG_VECTOR = 20, MSI_QUEUE_VECTOR = 22, CONFIG = 20, CONFIG_MSI = 24,
};
enum { BAR_LEGACY = 0, BAR_MSIX = 1, PAGE = 4096, MODERN_ID = 0x1040, SUBSYSTEM = 0x1100 };

static struct virtio_pci *proxy_of(struct device *d)
{
    return container_of(d, struct virtio_pci, pci.dev);
}

/* --- interrupts ------------------------------------------------------------------------------------- */

static void update_intx(struct virtio_pci *s)
{
    pci_set_irq(&s->pci, !msix_enabled(&s->msix) && __atomic_load_n(&s->v->isr, __ATOMIC_SEQ_CST));
}

static void intx_event(void *opaque, GIOCondition cond)
{
    struct virtio_pci *s = opaque;
    struct exec *e = &s->pci.dev.vm->main;

    (void) cond;
    exec_enter(e);
    event_take(s->intx_fd);
    update_intx(s);
    exec_leave(e);
}

static void interrupt(struct virtio_dev *v, struct virtq *q)
{
    struct virtio_pci *s = proxy_of(v->dev);

    TRACE(v->dev, "interrupt: %s %u", q ? "queue" : "configuration", q ? q->index : v->generation);
    if (msix_enabled(&s->msix)) {
        msix_notify(&s->msix, __atomic_load_n(q ? &q->vector : &s->config_msix_vector, __ATOMIC_RELAXED));
        return;
    }
    uint8_t bit = q ? VIRTIO_ISR_QUEUE : VIRTIO_ISR_CONFIG;
    if (__atomic_fetch_or(&v->isr, bit, __ATOMIC_SEQ_CST) & bit)
        return; /* the driver has not read the last one */
    if (vmlock_held(&v->dev->vm->lock))
        update_intx(s);
    else
        event_signal(s->intx_fd);
}

static const struct virtio_transport transport = { interrupt };

uint8_t virtio_pci_take_isr(struct virtio_pci *s)
{
    uint8_t isr = __atomic_exchange_n(&s->v->isr, 0, __ATOMIC_SEQ_CST);

    update_intx(s);
    return isr;
}

uint16_t virtio_pci_vector(const struct virtio_pci *s, uint64_t val)
{
    return val < s->msix.n ? (uint16_t) val : VIRTIO_NO_VECTOR;
}

/* --- common to both interfaces ---------------------------------------------------------------------- */

struct virtq *virtio_pci_queue(struct virtio_pci *s)
{
    return s->queue_select < s->v->n_queues ? &s->v->q[s->queue_select] : NULL;
}

static void reset_registers(struct virtio_pci *s)
{
    s->device_feature_select = s->driver_feature_select = 0;
    s->driver_feature[0] = s->driver_feature[1] = 0;
    s->queue_select = 0;
    s->config_msix_vector = VIRTIO_NO_VECTOR;
    update_intx(s);
}

void virtio_pci_set_status(struct virtio_pci *s, uint8_t status, bool legacy)
{
    struct pci_dev *p = &s->pci;

    if (legacy && (status & VIRTIO_DRIVER_OK) && p->dev.dma_disabled) {
        /* Early Linux drivers never switched bus mastering on, and worked. */
        p->cfg[PCI_COMMAND] |= PCI_COMMAND_MASTER;
        pci_update(p);
        msix_config_written(&s->msix);
    }
    virtio_set_status(s->v, status);
    if (!status)
        reset_registers(s);
}

/* --- the legacy interface --------------------------------------------------------------------------- */

static unsigned config_start(const struct virtio_pci *s)
{
    return msix_enabled(&s->msix) ? CONFIG_MSI : CONFIG;
}

static uint64_t legacy_read(void *opaque, uint64_t off, unsigned size)
{
    struct virtio_pci *s = opaque;
    const struct virtq *q = virtio_pci_queue(s);

    if (off >= config_start(s))
        return virtio_config_read(s->v, off - config_start(s), size);
    switch (off) {
    case HOST_FEATURES:     return virtio_offered(s->v, true);
    case GUEST_FEATURES:    return s->v->features;
    case QUEUE_PFN:         return q ? q->pfn : 0;
    case QUEUE_NUM:         return q ? q->max : 0;
    case QUEUE_SEL:         return s->queue_select;
    case STATUS:            return __atomic_load_n(&s->v->status, __ATOMIC_SEQ_CST);
    case ISR:               return virtio_pci_take_isr(s);
    case MSI_CONFIG_VECTOR: return s->config_msix_vector;
    case MSI_QUEUE_VECTOR:  return q ? q->vector : VIRTIO_NO_VECTOR;
    default:                return mask_bytes(size);
    }
}

static void legacy_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct virtio_pci *s = opaque;
    struct virtq *q = virtio_pci_queue(s);

    if (off >= config_start(s)) {
        virtio_config_write(s->v, off - config_start(s), val, size);
        return;
    }
    switch (off) {
    case GUEST_FEATURES:
        virtio_set_features(s->v, (uint32_t) val, true);
        break;
    case QUEUE_PFN:
        if (q)
            virtq_set_pfn(q, (uint32_t) val, PAGE);
        break;
    case QUEUE_SEL:
        s->queue_select = (uint16_t) val;
        break;
    case QUEUE_NOTIFY:
        virtio_notified(s->v, (uint16_t) val);
        break;
    case STATUS:
        virtio_pci_set_status(s, (uint8_t) val, true);
        break;
    case MSI_CONFIG_VECTOR:
        s->config_msix_vector = virtio_pci_vector(s, val);
        break;
    case MSI_QUEUE_VECTOR:
        if (q)
            __atomic_store_n(&q->vector, virtio_pci_vector(s, val), __ATOMIC_RELAXED);
        break;
    default:
        guest_error(&s->pci.dev, "write to the legacy register at %u", (unsigned) off);
    }
}

static const struct region_ops legacy_ops = { legacy_read, legacy_write, .min = 1, .max = 4 };

static void add_legacy(struct virtio_pci *s)
{
    struct virtio_dev *v = s->v;
    uint64_t size = 32;

    while (size < CONFIG_MSI + v->config_size)
        size *= 2;
    region_init_io(&s->legacy.region, "virtio-legacy", &legacy_ops, s, size);
    pci_register_bar(&s->pci, BAR_LEGACY, &s->legacy, PCI_BAR_IO);
    if (!s->ioeventfd)
        return;
    struct region_eventfd *efds = g_new0(struct region_eventfd, v->n_queues);
    for (unsigned i = 0; i < v->n_queues; i++)
        efds[i] = (struct region_eventfd){ .off = QUEUE_NOTIFY, .size = 2, .match = true, .value = i,
                                           .fd = v->q[i].kick_fd };
    region_set_eventfds(&s->legacy.region, efds, v->n_queues);
    g_free(efds);
}

/* --- life ------------------------------------------------------------------------------------------- */

static void config_written(struct pci_dev *p, unsigned off, unsigned len)
{
    struct virtio_pci *s = container_of(p, struct virtio_pci, pci);

    if (off < PCI_COMMAND + 2 && off + len > PCI_COMMAND && !p->dev.dma_disabled)
        virtio_kick_all(s->v);
    msix_config_written(&s->msix);
    update_intx(s);
    if (s->cfg_cap)
        virtio_pci_cfg_written(s, off, len);
}

static bool choose_interfaces(struct virtio_pci *s, const struct virtio_pci_info *info, GError **err)
{
    const char *name = s->pci.dev.cls->name;

    if (info->kind == VIRTIO_PCI_TRANSITIONAL && (s->disable_legacy == OOA_ON || s->disable_modern))
        return fail(err, "disable-legacy and disable-modern: %s has both interfaces; use %s-pci", name,
                    info->cls->name);
    if (info->kind == VIRTIO_PCI_NON_TRANSITIONAL && (s->disable_legacy == OOA_OFF || s->disable_modern))
        return fail(err, "disable-legacy and disable-modern: %s has the 1.x interface; use %s-pci", name,
                    info->cls->name);
    s->is_legacy = info->kind != VIRTIO_PCI_NON_TRANSITIONAL && s->disable_legacy != OOA_ON;
    s->is_modern = !s->disable_modern;
    if (!s->is_legacy && !s->is_modern)
        return fail(err, "disable-legacy=on and disable-modern=on leave no interface; use one of them");
    if (!s->is_modern && s->v->packed)
        return fail(err, "packed=on needs the 1.x interface; leave disable-modern off");
    return true;
}

static void set_identity(struct virtio_pci *s, const struct virtio_pci_info *info)
{
    uint16_t id = info->cls->id;

    if (!s->is_legacy)
        pci_set_ids(&s->pci, (uint16_t) (MODERN_ID + id), 1);
    st_le16(s->pci.cfg + PCI_SUBSYSTEM_ID, s->is_legacy ? id : SUBSYSTEM);
}

bool virtio_pci_realize(struct device *d, GError **err)
{
    struct virtio_pci *s = proxy_of(d);
    const struct virtio_pci_info *info = container_of(d->cls->bus_info, const struct virtio_pci_info, pci);
    struct virtio_dev *v = s->v = (struct virtio_dev *) ((char *) d + info->dev_offset);

    s->intx_fd = -1;
    s->config_msix_vector = VIRTIO_NO_VECTOR;
    if (!choose_interfaces(s, info, err))
        return false;
    set_identity(s, info);
    if (!virtio_realize(v, info->cls, d, &transport, err))
        return false;
    if (!s->is_modern)
        v->offered &= UINT32_MAX;
    s->intx_fd = event_new(err);
    if (s->intx_fd < 0)
        return false;
    s->intx_watch = exec_add_fd(&d->vm->main, s->intx_fd, G_IO_IN, intx_event, s);
    unsigned vectors = s->vectors == UINT32_MAX ? v->n_queues + 1 : s->vectors;
    if (vectors > MSIX_MAX)
        return fail(err, "vectors=%u: at most %d", vectors, MSIX_MAX);
    if (s->is_legacy)
        add_legacy(s);
    if (s->is_modern)
        virtio_pci_add_modern(s);
    if (vectors && !msix_init(&s->msix, &s->pci, vectors, BAR_MSIX, err))
        return false;
    s->pci.config_written = config_written;
    return pci_add_rom(&s->pci, info->cls->rom, err);
}

void virtio_pci_unrealize(struct device *d)
{
    struct virtio_pci *s = proxy_of(d);

    if (!s->v)
        return;
    virtio_unrealize(s->v);
    space_remove(&s->legacy.region); /* KVM lets go of the eventfds */
    space_remove(&s->modern.region);
    exec_fd_remove(s->intx_watch);
    s->intx_watch = NULL;
    if (s->intx_fd >= 0)
        event_close(&s->intx_fd);
    msix_clear(&s->msix);
}

void virtio_pci_reset(struct device *d)
{
    struct virtio_pci *s = proxy_of(d);

    virtio_reset(s->v);
    msix_reset(&s->msix);
    reset_registers(s);
}

bool virtio_pci_post_load(struct device *d)
{
    struct virtio_pci *s = proxy_of(d);

    if (!msix_post_load(&s->msix))
        return false;
    s->config_msix_vector = virtio_pci_vector(s, s->config_msix_vector);
    for (unsigned i = 0; i < s->v->n_queues; i++)
        s->v->q[i].vector = virtio_pci_vector(s, s->v->q[i].vector);
    bool ok = virtio_post_load(s->v);
    update_intx(s);
    return ok;
}

void virtio_pci_pre_save(struct device *d)
{
    struct virtio_pci *s = proxy_of(d);

    virtio_pre_save(s->v);
    msix_pre_save(&s->msix);
}

void virtio_pci_describe(const struct device *d, GString *out)
{
    const struct virtio_pci *s = container_of(d, const struct virtio_pci, pci.dev);

    g_string_append_printf(out, "    interfaces:%s%s; %u vectors, %s\n", s->is_legacy ? " legacy" : "",
                           s->is_modern ? " 1.x" : "", s->msix.n, msix_enabled(&s->msix) ? "MSI-X" : "INTx");
    virtio_describe(s->v, out);
}
