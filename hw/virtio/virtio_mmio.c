/* hw/virtio/virtio_mmio.c - virtio devices in memory, without PCI.
 *
 * Source: VIRTIO 1.2, 4.2, with 4.2.4 (legacy interface: register layout 1).
 * Deviations: no shared memory regions; a slot without a device is not there at all, where others show one with
 * device ID 0. */
#include "hw/virtio/virtio_mmio.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/vm.h"

enum {
    MAGIC_VALUE = 0x000, VERSION = 0x004, DEVICE_ID = 0x008, VENDOR_ID = 0x00c, DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014, DRIVER_FEATURES = 0x020, DRIVER_FEATURES_SEL = 0x024, GUEST_PAGE_SIZE = 0x028,
    QUEUE_SEL = 0x030, QUEUE_NUM_MAX = 0x034, QUEUE_NUM = 0x038, QUEUE_ALIGN = 0x03c, QUEUE_PFN = 0x040,
    QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050, INTERRUPT_STATUS = 0x060, INTERRUPT_ACK = 0x064, STATUS = 0x070,
    QUEUE_DESC = 0x080, QUEUE_DRIVER = 0x090, QUEUE_DEVICE = 0x0a0, SHM_LEN = 0x0b0, SHM_BASE_END = 0x0c0,
    CONFIG_GENERATION = 0x0fc, CONFIG = 0x100,
};
enum { MAGIC = 0x74726976, VENDOR = 0x554d4551 /* "QEMU", as drivers and tools know it */ };

static struct virtio_mmio *proxy_of(struct device *d)
{
    return container_of(d, struct virtio_mmio, dev);
}

/* --- interrupts ------------------------------------------------------------------------------------- */

static void update_irq(struct virtio_mmio *s)
{
    irq_set(&s->bus->irq[s->slot], __atomic_load_n(&s->v->isr, __ATOMIC_SEQ_CST) != 0);
}

static void irq_event(void *opaque, GIOCondition cond)
{
    struct virtio_mmio *s = opaque;
    struct exec *e = &s->dev.vm->main;

    (void) cond;
    exec_enter(e);
    event_take(s->irq_fd);
    update_irq(s);
    exec_leave(e);
}

static void interrupt(struct virtio_dev *v, struct virtq *q)
{
    struct virtio_mmio *s = proxy_of(v->dev);
    uint8_t bit = q ? VIRTIO_ISR_QUEUE : VIRTIO_ISR_CONFIG;

    TRACE(v->dev, "interrupt: %s %u", q ? "queue" : "configuration", q ? q->index : v->generation);
    if (__atomic_fetch_or(&v->isr, bit, __ATOMIC_SEQ_CST) & bit)
        return; /* the driver has not acknowledged the last one */
    if (vmlock_held(&v->dev->vm->lock))
        update_irq(s);
    else
        event_signal(s->irq_fd);
}

static const struct virtio_transport transport = { interrupt };

/* --- registers -------------------------------------------------------------------------------------- */

static struct virtq *queue(struct virtio_mmio *s)
{
    return s->queue_select < s->v->n_queues ? &s->v->q[s->queue_select] : NULL;
}

static uint32_t queue_read(struct virtio_mmio *s, uint64_t off)
{
    const struct virtq *q = queue(s);

    if (!q)
        return 0;
    switch (off) {
    case QUEUE_NUM_MAX: return q->max;
    case QUEUE_PFN:     return s->legacy ? q->pfn : 0;
    case QUEUE_READY:   return !s->legacy && q->enabled;
    default:            return 0;
    }
}

static uint64_t mmio_read(void *opaque, uint64_t off, unsigned size)
{
    struct virtio_mmio *s = opaque;
    struct virtio_dev *v = s->v;

    if (off >= CONFIG)
        return virtio_config_read(v, off - CONFIG, size);
    if (size != 4) {
        guest_error(&s->dev, "%u-byte read of the register at 0x%x", size, (unsigned) off);
        return mask_bytes(size);
    }
    switch (off) {
    case MAGIC_VALUE:       return MAGIC;
    case VERSION:           return s->legacy ? 1 : 2;
    case DEVICE_ID:         return v->cls->id;
    case VENDOR_ID:         return VENDOR;
    case DEVICE_FEATURES:
        return s->device_feature_select > (s->legacy ? 0 : 1)
                   ? 0 : (uint32_t) (virtio_offered(v, s->legacy) >> (32 * s->device_feature_select));
    case INTERRUPT_STATUS:  return __atomic_load_n(&v->isr, __ATOMIC_SEQ_CST);
    case STATUS:            return __atomic_load_n(&v->status, __ATOMIC_SEQ_CST);
    case CONFIG_GENERATION: return s->legacy ? 0 : __atomic_load_n(&v->generation, __ATOMIC_SEQ_CST);
    default:
        if (off >= SHM_LEN && off < SHM_BASE_END)
            return UINT32_MAX; /* no such region */
        return queue_read(s, off);
    }
}

static void set_address(uint64_t *reg, bool high, uint32_t val)
{
    *reg = high ? (*reg & UINT32_MAX) | (uint64_t) val << 32 : (*reg & ~(uint64_t) UINT32_MAX) | val;
}

static void queue_write(struct virtio_mmio *s, uint64_t off, uint32_t val)
{
    struct virtq *q = queue(s);
    bool frozen = q && q->enabled && off != QUEUE_READY && off != QUEUE_PFN;

    if (!q || frozen) {
        guest_error(&s->dev, "write to register 0x%x of queue %u, which %s", (unsigned) off, s->queue_select,
                    q ? "is live" : "is not there");
        return;
    }
    switch (off) {
    case QUEUE_NUM:
        if (val && val <= q->max)
            q->num = (uint16_t) val;
        else
            guest_error(&s->dev, "queue %u: size %u of %u", q->index, val, q->max);
        break;
    case QUEUE_READY:
        if (val & 1)
            virtq_enable(q);
        else
            virtq_disable(q);
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
    }
}

/* 4.2.4: the page size and the alignment are powers of two; what isn't is ignored. */
static void legacy_write(struct virtio_mmio *s, uint64_t off, uint32_t val)
{
    struct virtq *q = queue(s);
    bool power = val && (val & (val - 1)) == 0;

    switch (off) {
    case GUEST_PAGE_SIZE:
        s->page_size = power ? val : 0;
        break;
    case QUEUE_ALIGN:
        if (q && power && !q->enabled)
            q->align = val;
        else
            guest_error(&s->dev, "alignment %u of queue %u", val, s->queue_select);
        break;
    case QUEUE_PFN:
        if (!q || (val && !s->page_size))
            guest_error(&s->dev, "queue %u: page number %u%s", s->queue_select, val, q ? " before the page size" : "");
        else
            virtq_set_pfn(q, val, s->page_size);
        break;
    default:
        queue_write(s, off, val);
    }
}

/* GuestPageSize stays: Linux writes it before it resets the device. */
static void reset_registers(struct virtio_mmio *s)
{
    s->device_feature_select = s->driver_feature_select = 0;
    s->driver_feature[0] = s->driver_feature[1] = 0;
    s->queue_select = 0;
    update_irq(s);
}

static bool is_queue_register(const struct virtio_mmio *s, uint64_t off)
{
    if (off == QUEUE_NUM)
        return true;
    if (s->legacy)
        return off == GUEST_PAGE_SIZE || off == QUEUE_ALIGN || off == QUEUE_PFN;
    return off == QUEUE_READY || ((off & ~4ULL) == QUEUE_DESC) || (off & ~4ULL) == QUEUE_DRIVER ||
           (off & ~4ULL) == QUEUE_DEVICE;
}

static void mmio_write(void *opaque, uint64_t off, uint64_t val64, unsigned size)
{
    struct virtio_mmio *s = opaque;
    struct virtio_dev *v = s->v;
    uint32_t val = (uint32_t) val64;

    if (off >= CONFIG) {
        virtio_config_write(v, off - CONFIG, val, size);
        return;
    }
    if (size != 4) {
        guest_error(&s->dev, "%u-byte write to the register at 0x%x", size, (unsigned) off);
        return;
    }
    switch (off) {
    case DEVICE_FEATURES_SEL:
        s->device_feature_select = val;
        break;
    case DRIVER_FEATURES_SEL:
        s->driver_feature_select = val;
        break;
    case DRIVER_FEATURES:
        if (s->driver_feature_select > (s->legacy ? 0 : 1))
            break;
        s->driver_feature[s->driver_feature_select] = val;
        virtio_set_features(v, (uint64_t) s->driver_feature[1] << 32 | s->driver_feature[0], s->legacy);
        break;
    case QUEUE_SEL:
        s->queue_select = val;
        break;
    case QUEUE_NOTIFY:
        virtio_notified(v, val);
        break;
    case INTERRUPT_ACK:
        __atomic_and_fetch(&v->isr, (uint8_t) ~val, __ATOMIC_SEQ_CST);
        update_irq(s);
        break;
    case STATUS:
        virtio_set_status(v, (uint8_t) val);
        if (!(uint8_t) val)
            reset_registers(s);
        break;
    default:
        if (!is_queue_register(s, off))
            guest_error(&s->dev, "write to the register at 0x%x", (unsigned) off);
        else if (s->legacy)
            legacy_write(s, off, val);
        else
            queue_write(s, off, val);
    }
}

static const struct region_ops mmio_ops = { mmio_read, mmio_write, .min = 1, .max = 4 };

/* --- life ------------------------------------------------------------------------------------------- */

bool virtio_mmio_realize(struct device *d, GError **err)
{
    struct virtio_mmio *s = proxy_of(d);
    const struct virtio_mmio_info *info = d->cls->bus_info;
    struct virtio_dev *v = s->v = (struct virtio_dev *) ((char *) d + info->dev_offset);

    if (s->legacy && v->packed)
        return fail(err, "packed=on needs the 1.x interface; leave force-legacy off");
    if (!virtio_realize(v, info->cls, d, &transport, err))
        return false;
    if (s->legacy)
        v->offered &= UINT32_MAX;
    s->irq_fd = event_new(err);
    if (s->irq_fd < 0)
        return false;
    s->irq_watch = exec_add_fd(&d->vm->main, s->irq_fd, G_IO_IN, irq_event, s);
    region_init_io(&s->region, "virtio-mmio", &mmio_ops, s, VIRTIO_MMIO_SIZE);
    struct region_eventfd *efds = g_new0(struct region_eventfd, v->n_queues);
    for (unsigned i = 0; i < v->n_queues; i++)
        efds[i] = (struct region_eventfd){ .off = QUEUE_NOTIFY, .size = 4, .match = true, .value = i,
                                           .fd = v->q[i].kick_fd };
    region_set_eventfds(&s->region, efds, v->n_queues);
    g_free(efds);
    return space_add(&d->vm->mem, &s->region, s->bus->base + VIRTIO_MMIO_SIZE * s->slot, PRIO_CHIPSET, err);
}

void virtio_mmio_unrealize(struct device *d)
{
    struct virtio_mmio *s = proxy_of(d);

    if (!s->v)
        return;
    virtio_unrealize(s->v);
    space_remove(&s->region); /* KVM lets go of the eventfds */
    irq_set(&s->bus->irq[s->slot], false);
    exec_fd_remove(s->irq_watch);
    s->irq_watch = NULL;
    event_close(&s->irq_fd);
}

void virtio_mmio_reset(struct device *d)
{
    struct virtio_mmio *s = proxy_of(d);

    virtio_reset(s->v);
    s->page_size = 0;
    reset_registers(s);
}

bool virtio_mmio_post_load(struct device *d)
{
    struct virtio_mmio *s = proxy_of(d);

    if (s->page_size & (s->page_size - 1))
        return false;
    bool ok = virtio_post_load(s->v);
    update_irq(s);
    return ok;
}

void virtio_mmio_pre_save(struct device *d)
{
    virtio_pre_save(proxy_of(d)->v);
}

void virtio_mmio_describe(const struct device *d, GString *out)
{
    const struct virtio_mmio *s = container_of(d, const struct virtio_mmio, dev);

    g_string_append_printf(out, "    at 0x%" PRIx64 ", layout %u\n", s->region.base, s->legacy ? 1 : 2);
    virtio_describe(s->v, out);
}

/* --- the bus ---------------------------------------------------------------------------------------- */

static bool is_full(const struct bus *bus)
{
    const struct virtio_mmio_bus *b = bus->opaque;

    for (unsigned i = 0; i < b->n; i++)
        if (!b->devs[i])
            return false;
    return true;
}

static bool attach(struct bus *bus, struct device *dev, GError **err)
{
    struct virtio_mmio_bus *b = bus->opaque;
    struct virtio_mmio *s = proxy_of(dev);

    for (unsigned i = 0; i < b->n; i++)
        if (!b->devs[i]) {
            b->devs[i] = s;
            s->bus = b;
            s->slot = (uint8_t) i;
            s->irq_fd = -1;
            return true;
        }
    return fail(err, "all %u slots for virtio devices are taken", b->n);
}

static void detach(struct bus *bus, struct device *dev)
{
    struct virtio_mmio_bus *b = bus->opaque;

    b->devs[proxy_of(dev)->slot] = NULL;
}

static const struct prop bus_props[] = {
    PROP_BOOL(struct virtio_mmio, legacy, false, .name = "force-legacy", .desc = "registers as before virtio 1.0"), {}
};

static const struct state bus_state[] = {
    STATE_HOST(struct virtio_mmio, bus), STATE_HOST(struct virtio_mmio, v), STATE_HOST(struct virtio_mmio, region),
    STATE_HOST(struct virtio_mmio, slot), STATE_HOST(struct virtio_mmio, irq_fd),
    STATE_HOST(struct virtio_mmio, irq_watch), STATE_U32(struct virtio_mmio, device_feature_select),
    STATE_U32(struct virtio_mmio, driver_feature_select), STATE_ARRAY(struct virtio_mmio, driver_feature),
    STATE_U32(struct virtio_mmio, page_size), STATE_U32(struct virtio_mmio, queue_select), {}
};

const struct bus_class virtio_mmio_bus_class = {
    .name = "virtio-mmio", .props = bus_props, .state = bus_state, .attach = attach, .detach = detach,
    .is_full = is_full,
};

void virtio_mmio_bus_init(struct virtio_mmio_bus *b, struct vm *vm, uint64_t base, unsigned n)
{
    *b = (struct virtio_mmio_bus){ .vm = vm, .base = base, .n = MIN(n, VIRTIO_MMIO_MAX) };
    bus_init(&b->bus, vm, &virtio_mmio_bus_class, "virtio-mmio-bus", NULL, b);
}

void virtio_mmio_bus_clear(struct virtio_mmio_bus *b)
{
    bus_clear(&b->bus, b->vm);
}
