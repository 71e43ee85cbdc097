/* hw/virtio/virtio_pci_modern.c - virtio 1.x on PCI: capabilities and the structures they point to.
 *
 * Source: VIRTIO 1.2, 4.1.4.  One BAR has the common configuration, ISR, the device's configuration and a
 * notification address for each queue.
 * Deviations: a register must be accessed by its own width or by parts that begin at its first byte. */
#include "hw/virtio/virtio_pci.h"
#include "vmm/core/vm.h"

enum { CAP_VENDOR = 9, CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4, CFG_PCI = 5 };
enum { CAP_LEN = 16, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_DATA = 16 };
enum { BAR_MODERN = 4, SECTION = 0x1000, COMMON = 0, AT_ISR = SECTION, DEVICE = 2 * SECTION, NOTIFY = 3 * SECTION,
       NOTIFY_MULTIPLIER = 4 };
enum { /* struct virtio_pci_common_cfg */
    DEVICE_FEATURE_SELECT = 0, DEVICE_FEATURE = 4, DRIVER_FEATURE_SELECT = 8, DRIVER_FEATURE = 12,
    CONFIG_MSIX_VECTOR = 16, NUM_QUEUES = 18, DEVICE_STATUS = 20, CONFIG_GENERATION = 21, QUEUE_SELECT = 22,
    QUEUE_SIZE = 24, QUEUE_MSIX_VECTOR = 26, QUEUE_ENABLE = 28, QUEUE_NOTIFY_OFF = 30, QUEUE_DESC = 32,
    QUEUE_DRIVER = 40, QUEUE_DEVICE = 48, COMMON_END = 56,
};

/* --- the common configuration ----------------------------------------------------------------------- */

static uint64_t queue_read(const struct virtq *q, unsigned off)
{
    if (!q)
        return off == QUEUE_MSIX_VECTOR ? VIRTIO_NO_VECTOR : 0;
    switch (off) {
    case QUEUE_SIZE:        return q->num;
    case QUEUE_MSIX_VECTOR: return q->vector;
    case QUEUE_ENABLE:      return q->enabled;
    case QUEUE_NOTIFY_OFF:  return q->index;
    case QUEUE_DESC:        return q->desc;
    case QUEUE_DESC + 4:    return q->desc >> 32;
    case QUEUE_DRIVER:      return q->avail;
    case QUEUE_DRIVER + 4:  return q->avail >> 32;
    case QUEUE_DEVICE:      return q->used;
    case QUEUE_DEVICE + 4:  return q->used >> 32;
    default:                return 0;
    }
}

static uint64_t common_read(struct virtio_pci *s, unsigned off)
{
    switch (off) {
    case DEVICE_FEATURE_SELECT: return s->device_feature_select;
    case DEVICE_FEATURE:
        return s->device_feature_select > 1 ? 0 : virtio_offered(s->v, false) >> (32 * s->device_feature_select);
    case DRIVER_FEATURE_SELECT: return s->driver_feature_select;
    case DRIVER_FEATURE:
        return s->driver_feature_select > 1 ? 0 : s->driver_feature[s->driver_feature_select];
    case CONFIG_MSIX_VECTOR:    return s->config_msix_vector;
    case NUM_QUEUES:            return s->v->n_queues;
    case DEVICE_STATUS:         return __atomic_load_n(&s->v->status, __ATOMIC_SEQ_CST);
    case CONFIG_GENERATION:     return __atomic_load_n(&s->v->generation, __ATOMIC_SEQ_CST);
    case QUEUE_SELECT:          return s->queue_select;
    default:                    return queue_read(virtio_pci_queue(s), off);
    }
}

static void set_address(uint64_t *reg, bool high, uint64_t val)
{
    *reg = high ? (*reg & UINT32_MAX) | val << 32 : (*reg & ~(uint64_t) UINT32_MAX) | (uint32_t) val;
}

static void queue_write(struct virtio_pci *s, struct virtq *q, unsigned off, uint64_t val)
{
    bool vector = off == QUEUE_MSIX_VECTOR;

    if (!q || (q->enabled && !vector)) {
        guest_error(&s->pci.dev, "write to register %u of queue %u, which %s", off, s->queue_select,
                    q ? "is enabled" : "is not there");
        return;
    }
    switch (off) {
    case QUEUE_SIZE:
        if (val && val <= q->max)
            q->num = (uint16_t) val;
        else
            guest_error(&s->pci.dev, "queue %u: size %u of %u", q->index, (unsigned) val, q->max);
        break;
    case QUEUE_MSIX_VECTOR:
        __atomic_store_n(&q->vector, virtio_pci_vector(s, val), __ATOMIC_RELAXED);
        break;
    case QUEUE_ENABLE:
        if (val == 1)
            virtq_enable(q);
        break;
    case QUEUE_DESC: case QUEUE_DESC + 4:
        set_address(&q->desc, off & 4, val);
        break;
    case QUEUE_DRIVER: case QUEUE_DRIVER + 4:
        set_address(&q->avail, off & 4, val);
        break;
    case QUEUE_DEVICE: case QUEUE_DEVICE + 4:
        set_address(&q->used, off & 4, val);
        break;
    default:
        guest_error(&s->pci.dev, "write to the read-only register at %u", off);
    }
}

static void common_write(struct virtio_pci *s, unsigned off, uint64_t val)
{
    switch (off) {
    case DEVICE_FEATURE_SELECT:
        s->device_feature_select = (uint32_t) val;
        break;
    case DRIVER_FEATURE_SELECT:
        s->driver_feature_select = (uint32_t) val;
        break;
    case DRIVER_FEATURE:
        if (s->driver_feature_select > 1)
            break;
        s->driver_feature[s->driver_feature_select] = (uint32_t) val;
        virtio_set_features(s->v, (uint64_t) s->driver_feature[1] << 32 | s->driver_feature[0], false);
        break;
    case CONFIG_MSIX_VECTOR:
        s->config_msix_vector = virtio_pci_vector(s, val);
        break;
    case DEVICE_STATUS:
        virtio_pci_set_status(s, (uint8_t) val, false);
        break;
    case QUEUE_SELECT:
        s->queue_select = (uint16_t) val;
        break;
    default:
        queue_write(s, virtio_pci_queue(s), off, val);
    }
}

/* --- the BAR ---------------------------------------------------------------------------------------- */

static uint64_t modern_read(void *opaque, uint64_t off, unsigned size)
{
    struct virtio_pci *s = opaque;

    if (off < AT_ISR)
        return off < COMMON_END ? common_read(s, (unsigned) off) : 0;
    if (off < DEVICE)
        return off == AT_ISR ? virtio_pci_take_isr(s) : 0;
    if (off < NOTIFY)
        return virtio_config_read(s->v, off - DEVICE, size);
    return 0;
}

static void modern_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct virtio_pci *s = opaque;

    if (off < COMMON_END)
        common_write(s, (unsigned) off, val);
    else if (off >= NOTIFY && (off - NOTIFY) % NOTIFY_MULTIPLIER == 0)
        virtio_notified(s->v, (unsigned) (off - NOTIFY) / NOTIFY_MULTIPLIER);
    else if (off >= DEVICE && off < NOTIFY)
        virtio_config_write(s->v, off - DEVICE, val, size);
    else
        guest_error(&s->pci.dev, "write to the register at 0x%" PRIx64, off);
}

static const struct region_ops modern_ops = { modern_read, modern_write, .min = 1, .max = 4 };

/* --- access by configuration space, 4.1.4.9 --------------------------------------------------------- */

/* What the capability's fields name: false when it is not an access that the BAR takes. */
static bool window(const struct virtio_pci *s, uint32_t *off, unsigned *len)
{
    const uint8_t *cap = s->pci.cfg + s->cfg_cap;
    uint32_t n = ld_le32(cap + CAP_LENGTH);

    *off = ld_le32(cap + CAP_OFFSET);
    *len = n;
    return cap[CAP_BAR] == BAR_MODERN && (n == 1 || n == 2 || n == 4) && *off % n == 0 &&
           range_fits(*off, n, s->modern.size);
}

static bool touches_data(const struct virtio_pci *s, unsigned off, unsigned len)
{
    unsigned data = s->cfg_cap + CAP_DATA;

    return off < data + 4 && off + len > data;
}

void virtio_pci_cfg_written(struct virtio_pci *s, unsigned off, unsigned len)
{
    uint32_t at;
    unsigned n;

    if (s->cfg_cap && touches_data(s, off, len) && window(s, &at, &n))
        modern_write(s, at, ld_le(s->pci.cfg + s->cfg_cap + CAP_DATA, n), n);
}

static void config_read(struct pci_dev *p, unsigned off, unsigned len)
{
    struct virtio_pci *s = container_of(p, struct virtio_pci, pci);
    uint32_t at;
    unsigned n;

    if (touches_data(s, off, len) && window(s, &at, &n))
        st_le(p->cfg + s->cfg_cap + CAP_DATA, modern_read(s, at, n) & mask_bytes(n), n);
}

/* --- life ------------------------------------------------------------------------------------------- */

static unsigned add_cap(struct virtio_pci *s, uint8_t type, uint32_t offset, uint32_t length, uint8_t size)
{
    unsigned at = pci_add_capability(&s->pci, CAP_VENDOR, size);
    uint8_t *cap = s->pci.cfg + at;

    cap[2] = size;
    cap[3] = type;
    cap[CAP_BAR] = type == CFG_PCI ? 0 : BAR_MODERN;
    st_le32(cap + CAP_OFFSET, offset);
    st_le32(cap + CAP_LENGTH, length);
    return at;
}

void virtio_pci_add_modern(struct virtio_pci *s)
{
    struct virtio_dev *v = s->v;
    uint64_t size = 4 * SECTION;

    while (size < NOTIFY + (uint64_t) NOTIFY_MULTIPLIER * v->n_queues)
        size *= 2;
    region_init_io(&s->modern.region, "virtio", &modern_ops, s, size);
    pci_register_bar(&s->pci, BAR_MODERN, &s->modern, PCI_BAR_MEM64 | PCI_BAR_PREFETCH);
    add_cap(s, CFG_COMMON, COMMON, SECTION, CAP_LEN);
    add_cap(s, CFG_ISR, AT_ISR, SECTION, CAP_LEN);
    add_cap(s, CFG_DEVICE, DEVICE, SECTION, CAP_LEN);
    unsigned at = add_cap(s, CFG_NOTIFY, NOTIFY, (uint32_t) (size - NOTIFY), CAP_LEN + 4);
    st_le32(s->pci.cfg + at + CAP_LEN, NOTIFY_MULTIPLIER);
    at = add_cap(s, CFG_PCI, 0, 0, CAP_LEN + 4);
    s->cfg_cap = (uint8_t) at;
    s->pci.wmask[at + CAP_BAR] = 0xff;
    memset(s->pci.wmask + at + CAP_OFFSET, 0xff, 12); /* offset, length, data */
    s->pci.config_read = config_read;
    if (!s->ioeventfd)
        return;
    struct region_eventfd *efds = g_new0(struct region_eventfd, v->n_queues);
    for (unsigned i = 0; i < v->n_queues; i++)
        efds[i] = (struct region_eventfd){ .off = NOTIFY + NOTIFY_MULTIPLIER * i, .fd = v->q[i].kick_fd };
    region_set_eventfds(&s->modern.region, efds, v->n_queues);
    g_free(efds);
}
