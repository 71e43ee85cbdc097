/* tests/hw/vdriver.c - a virtio driver of ours.
 *
 * Source: VIRTIO 1.2, written from the driver's side: 2.7.13, 2.8.21, 3.1.1, 4.1.5, 4.2.3. */
#include "tests/hw/vdriver.h"
#include "hw/catalog.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"

enum { IO_BASE = 0xc000, MEM_BASE = 0xe0000000, HEAP = 1 << 20, PAGE = 4096 };
enum { F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4, F_AVAIL = 1 << 7, F_USED = 1 << 15 };

/* --- memory ----------------------------------------------------------------------------------------- */

uint64_t vd_alloc(struct vd *d, size_t size, size_t align)
{
    uint64_t at = ROUND_UP(d->heap, align);

    d->heap = at + size;
    memset(ram_ptr(&d->b->vm->ram, at, size), 0, size);
    return at;
}

void *vd_ptr(struct vd *d, uint64_t gpa)
{
    return ram_at(d->b, gpa);
}

static uint16_t get16(struct vd *d, uint64_t gpa)
{
    return ld_le16(vd_ptr(d, gpa));
}

static void put16(struct vd *d, uint64_t gpa, uint16_t v)
{
    st_le16(vd_ptr(d, gpa), v);
}

static void put_desc(struct vd *d, uint64_t at, uint64_t addr, uint32_t len, uint16_t a, uint16_t b)
{
    uint8_t *p = vd_ptr(d, at);

    st_le64(p, addr);
    st_le32(p + 8, len);
    st_le16(p + 12, a);
    st_le16(p + 14, b);
}

/* --- finding the device ----------------------------------------------------------------------------- */

static void place_bars(struct vd *d)
{
    struct pci_dev *p = d->pci;
    unsigned fn = p->devfn;

    for (unsigned n = 0; n < 6; n++) {
        const struct pci_bar *bar = p->bars[n];
        if (!bar)
            continue;
        uint32_t at = bar->type & PCI_BAR_IO ? IO_BASE + 0x400 * (fn >> 3) : MEM_BASE + (fn << 16) + n * 0x2000000u;
        pci_config_write(p->pci, fn, PCI_BASE_ADDRESS_0 + 4 * n, at, 4);
        if (bar->type & PCI_BAR_MEM64)
            pci_config_write(p->pci, fn, PCI_BASE_ADDRESS_0 + 4 * n + 4, 0, 4);
    }
    pci_config_write(p->pci, fn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static uint64_t bar_address(struct vd *d, unsigned n)
{
    uint64_t at = 0;

    g_assert_true(pci_bar_mapped(d->pci, n, &at));
    return at;
}

static void find_capabilities(struct vd *d)
{
    struct pci_dev *p = d->pci;

    for (unsigned at = pci_config_read(p->pci, p->devfn, PCI_CAPABILITY_LIST, 1); at;
         at = pci_config_read(p->pci, p->devfn, at + 1, 1)) {
        unsigned id = pci_config_read(p->pci, p->devfn, at, 1);
        if (id != 9)
            continue;
        unsigned type = pci_config_read(p->pci, p->devfn, at + 3, 1),
                 bar = pci_config_read(p->pci, p->devfn, at + 4, 1);
        if (type == 5)
            continue;
        uint64_t addr = bar_address(d, bar) + pci_config_read(p->pci, p->devfn, at + 8, 4);
        switch (type) {
        case 1: d->common = addr; break;
        case 2:
            d->notify = addr;
            d->notify_multiplier = pci_config_read(p->pci, p->devfn, at + 16, 4);
            break;
        case 3: d->isr = addr; break;
        case 4: d->config = addr; break;
        }
    }
}

static void enable_msix(struct vd *d)
{
    struct pci_dev *p = d->pci;
    unsigned at = pci_config_read(p->pci, p->devfn, PCI_CAPABILITY_LIST, 1);

    while (at && pci_config_read(p->pci, p->devfn, at, 1) != 0x11)
        at = pci_config_read(p->pci, p->devfn, at + 1, 1);
    g_assert_cmpuint(at, !=, 0);
    unsigned n = (pci_config_read(p->pci, p->devfn, at + 2, 2) & 0x7ff) + 1;
    uint64_t table = bar_address(d, pci_config_read(p->pci, p->devfn, at + 4, 4) & 7);
    for (unsigned i = 0; i < n; i++) {
        mem_write(d->b, table + 16 * i, 0xfee00000, 4);
        mem_write(d->b, table + 16 * i + 4, 0, 4);
        mem_write(d->b, table + 16 * i + 8, VD_MSI_DATA + i, 4);
        mem_write(d->b, table + 16 * i + 12, 0, 4);
    }
    pci_config_write(p->pci, p->devfn, at + 2, 0x8000, 2);
}

/* --- registers -------------------------------------------------------------------------------------- */

static bool mmio(const struct vd *d)
{
    return d->flags & VD_MMIO;
}

static bool legacy(const struct vd *d)
{
    return d->flags & VD_LEGACY;
}

void vd_common_write(struct vd *d, unsigned off, uint64_t val, unsigned size)
{
    mem_write(d->b, d->common + off, val, size);
}

uint64_t vd_common_read(struct vd *d, unsigned off, unsigned size)
{
    return mem_read(d->b, d->common + off, size);
}

uint8_t vd_status(struct vd *d)
{
    if (mmio(d))
        return (uint8_t) vd_common_read(d, 0x70, 4);
    return legacy(d) ? inb(d->b, (unsigned) d->legacy_io + 18) : (uint8_t) vd_common_read(d, 20, 1);
}

void vd_set_status(struct vd *d, uint8_t s)
{
    if (mmio(d))
        vd_common_write(d, 0x70, s, 4);
    else if (legacy(d))
        outb(d->b, (unsigned) d->legacy_io + 18, s);
    else
        vd_common_write(d, 20, s, 1);
}

uint64_t vd_offered(struct vd *d)
{
    unsigned sel = mmio(d) ? 0x14 : 0, at = mmio(d) ? 0x10 : 4;

    if (legacy(d) && !mmio(d))
        return inl(d->b, (unsigned) d->legacy_io);
    vd_common_write(d, sel, 0, 4);
    uint64_t f = vd_common_read(d, at, 4);
    vd_common_write(d, sel, 1, 4);
    return legacy(d) ? f : f | vd_common_read(d, at, 4) << 32;
}

void vd_set_features(struct vd *d, uint64_t f)
{
    unsigned sel = mmio(d) ? 0x24 : 8, at = mmio(d) ? 0x20 : 12;

    d->features = f;
    if (legacy(d) && !mmio(d)) {
        outl(d->b, (unsigned) d->legacy_io + 4, (uint32_t) f);
        return;
    }
    for (unsigned i = 0; i < (legacy(d) ? 1 : 2); i++) {
        vd_common_write(d, sel, i, 4);
        vd_common_write(d, at, (uint32_t) (f >> (32 * i)), 4);
    }
}

uint8_t vd_take_isr(struct vd *d)
{
    if (mmio(d)) {
        uint8_t isr = (uint8_t) vd_common_read(d, 0x60, 4);
        vd_common_write(d, 0x64, isr, 4);
        return isr;
    }
    return legacy(d) ? inb(d->b, (unsigned) d->legacy_io + 19) : (uint8_t) mem_read(d->b, d->isr, 1);
}

static unsigned legacy_config(const struct vd *d)
{
    return (unsigned) d->legacy_io + (d->flags & VD_MSIX ? 24 : 20);
}

uint64_t vd_config(struct vd *d, unsigned off, unsigned size)
{
    uint64_t v = 0;

    if (!legacy(d) || mmio(d)) {
        for (unsigned n = 0; n < size; n += 4)
            v |= mem_read(d->b, d->config + off + n, MIN(size, 4)) << (8 * n);
        return v;
    }
    for (unsigned n = 0; n < size; n += 4)
        v |= space_read(&d->b->vm->pio, legacy_config(d) + off + n, MIN(size, 4)) << (8 * n);
    return v;
}

void vd_set_config(struct vd *d, unsigned off, uint64_t val, unsigned size)
{
    if (!legacy(d) || mmio(d))
        mem_write(d->b, d->config + off, val, size);
    else
        space_write(&d->b->vm->pio, legacy_config(d) + off, val, size);
}

void vd_notify(struct vd *d, unsigned q)
{
    if (mmio(d))
        vd_common_write(d, 0x50, q, 4);
    else if (legacy(d))
        outw(d->b, (unsigned) d->legacy_io + 16, (uint16_t) q);
    else
        mem_write(d->b, d->notify + q * d->notify_multiplier, q, 2);
}

bool vd_broken(struct vd *d)
{
    return vd_status(d) & VIRTIO_NEEDS_RESET;
}

unsigned vd_irqs(struct vd *d, unsigned q)
{
    bench_run(d->b);
    if (d->flags & VD_MSIX)
        return fake_msis(d->b->accel, VD_MSI_DATA + q + 1);
    return vd_take_isr(d) & VIRTIO_ISR_QUEUE;
}

/* --- queues ----------------------------------------------------------------------------------------- */

static uint64_t used_event_at(const struct vd_queue *q)
{
    return q->avail + 4 + 2 * q->num;
}

/* Make the rings, or clear those of the last time. */
static void init_queue(struct vd *d, struct vd_queue *q, unsigned num)
{
    uint64_t used = ROUND_UP(16 * (uint64_t) num + 6 + 2 * num, PAGE); /* legacy: in one piece */
    size_t size = used + 6 + 8 * num;
    struct vd_queue old = *q;

    g_free(q->next);
    g_free(q->n_desc);
    g_free(q->token);
    *q = (struct vd_queue){ .index = q->index, .num = num, .n_free = num, .avail_wrap = true, .used_wrap = true };
    if (old.num >= num) {
        q->desc = old.desc;
        q->tables = old.tables;
        memset(vd_ptr(d, q->desc), 0, size);
    } else {
        q->desc = vd_alloc(d, size, PAGE);
        q->tables = vd_alloc(d, (size_t) num * VD_MAX_SG * 16, 16);
    }
    q->avail = q->desc + 16 * num;
    q->used = d->features >> VIRTIO_F_RING_PACKED & 1 ? q->avail + 4 : q->desc + used;
    q->next = g_new(uint16_t, num);
    q->n_desc = g_new0(uint16_t, num);
    q->token = g_new0(void *, num);
    for (unsigned i = 0; i < num; i++)
        q->next[i] = (uint16_t) (i + 1);
}

static void put64(struct vd *d, unsigned off, uint64_t v)
{
    vd_common_write(d, off, (uint32_t) v, 4);
    vd_common_write(d, off + 4, v >> 32, 4);
}

void vd_setup_queue(struct vd *d, unsigned index, unsigned num)
{
    struct vd_queue *q = &d->q[index];
    unsigned io = (unsigned) d->legacy_io;

    q->index = index;
    init_queue(d, q, num);
    if (mmio(d)) {
        vd_common_write(d, 0x30, index, 4);
        vd_common_write(d, 0x38, num, 4);
        if (legacy(d)) {
            vd_common_write(d, 0x3c, PAGE, 4);
            vd_common_write(d, 0x40, q->desc / PAGE, 4);
            return;
        }
        put64(d, 0x80, q->desc);
        put64(d, 0x90, q->avail);
        put64(d, 0xa0, q->used);
        vd_common_write(d, 0x44, 1, 4);
    } else if (legacy(d)) {
        outw(d->b, io + 14, (uint16_t) index);
        if (d->flags & VD_MSIX)
            outw(d->b, io + 22, (uint16_t) (index + 1));
        outl(d->b, io + 8, (uint32_t) (q->desc / PAGE));
    } else {
        vd_common_write(d, 22, index, 2);
        vd_common_write(d, 24, num, 2);
        if (d->flags & VD_MSIX)
            vd_common_write(d, 26, index + 1, 2);
        put64(d, 32, q->desc);
        put64(d, 40, q->avail);
        put64(d, 48, q->used);
        vd_common_write(d, 28, 1, 2);
    }
}

static unsigned queue_max(struct vd *d, unsigned index)
{
    if (mmio(d)) {
        vd_common_write(d, 0x30, index, 4);
        return (unsigned) vd_common_read(d, 0x34, 4);
    }
    if (legacy(d)) {
        outw(d->b, (unsigned) d->legacy_io + 14, (uint16_t) index);
        return inw(d->b, (unsigned) d->legacy_io + 12);
    }
    vd_common_write(d, 22, index, 2);
    return (unsigned) vd_common_read(d, 24, 2);
}

/* --- bringing it up --------------------------------------------------------------------------------- */

struct vd *vd_probe(struct bench *b, const char *name, const char *props, unsigned flags)
{
    return vd_probe_class(b, device_class_find(name), props, flags);
}

struct vd *vd_probe_class(struct bench *b, const struct device_class *cls, const char *props, unsigned flags)
{
    bool bus = flags & VD_MMIO;

    g_assert_nonnull(cls);
    for (unsigned i = 0; i < b->vm->buses->len; i++)
        bus |= ((struct bus *) b->vm->buses->pdata[i])->cls == &pci_bus_class;
    if (!bus)
        bench_add(b, &i440fx_class, NULL);
    if (flags & VD_MMIO)
        bench_mmio_bus(b);
    if ((flags & VD_MSIX) && !b->accel)
        bench_accel(b, true);
    return vd_attach(b, bench_add(b, cls, props), flags);
}

void vd_place(struct vd *d)
{
    place_bars(d);
    if (d->flags & VD_MSIX)
        enable_msix(d);
}

struct vd *vd_attach(struct bench *b, struct device *dev, unsigned flags)
{
    struct vd *d = g_new0(struct vd, 1);

    *d = (struct vd){ .b = b, .flags = flags, .heap = HEAP, .dev = dev };
    if (mmio(d)) {
        const struct virtio_mmio *s = (struct virtio_mmio *) d->dev;
        d->v = s->v;
        d->common = s->region.base;
        d->config = d->common + 0x100;
        g_assert_cmphex(vd_common_read(d, 0, 4), ==, 0x74726976);
        g_assert_cmpuint(vd_common_read(d, 4, 4), ==, legacy(d) ? 1 : 2);
        return d;
    }
    d->v = ((struct virtio_pci *) d->dev)->v;
    d->pci = container_of(d->dev, struct pci_dev, dev);
    place_bars(d);
    if (legacy(d))
        d->legacy_io = bar_address(d, 0);
    find_capabilities(d);
    if (flags & VD_MSIX)
        enable_msix(d);
    return d;
}

void vd_start(struct vd *d, uint64_t want)
{
    uint64_t ring = BIT64(VIRTIO_F_VERSION_1) | (d->flags & VD_PACKED ? BIT64(VIRTIO_F_RING_PACKED) : 0) |
                    (d->flags & VD_EVENT_IDX ? BIT64(VIRTIO_F_EVENT_IDX) : 0) |
                    (d->flags & VD_INDIRECT ? BIT64(VIRTIO_F_INDIRECT_DESC) : 0) |
                    (d->flags & VD_IN_ORDER ? BIT64(VIRTIO_F_IN_ORDER) : 0);

    if (mmio(d) && legacy(d)) /* as Linux does, before the reset */
        vd_common_write(d, 0x28, PAGE, 4);
    vd_set_status(d, 0);
    g_assert_cmphex(vd_status(d), ==, 0);
    vd_set_status(d, VIRTIO_ACKNOWLEDGE);
    vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    uint64_t mask = ((1ULL << 24) - 1) | (0x3fffULL << 50); /* the device's own */
    vd_set_features(d, vd_offered(d) & ((want & mask) | ring));
    if (!legacy(d)) {
        g_assert_cmphex(d->features & ring, ==, ring);
        vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
        g_assert_true(vd_status(d) & VIRTIO_FEATURES_OK);
    }
    if ((d->flags & VD_MSIX) && !legacy(d))
        vd_common_write(d, 16, 0, 2);
    else if (d->flags & VD_MSIX)
        outw(d->b, (unsigned) d->legacy_io + 20, 0);
    if (!d->q) {
        while (queue_max(d, d->n_queues) && d->n_queues < d->v->n_queues)
            d->n_queues++;
        d->q = g_new0(struct vd_queue, d->n_queues);
    }
    for (unsigned i = 0; i < d->n_queues; i++)
        vd_setup_queue(d, i, queue_max(d, i));
    vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | (legacy(d) ? 0 : VIRTIO_FEATURES_OK) | VIRTIO_DRIVER_OK);
    bench_run(d->b);
}

struct vd *vd_new(struct bench *b, const char *cls, const char *props, unsigned flags)
{
    struct vd *d = vd_probe(b, cls, props, flags);

    vd_start(d, UINT64_MAX);
    return d;
}

void vd_free(struct vd *d)
{
    for (unsigned i = 0; i < d->n_queues; i++) {
        g_free(d->q[i].next);
        g_free(d->q[i].n_desc);
        g_free(d->q[i].token);
    }
    g_free(d->q);
    g_free(d);
}

/* --- buffers ---------------------------------------------------------------------------------------- */

static bool has(const struct vd *d, unsigned bit)
{
    return d->features >> bit & 1;
}

/* Fill the indirect table of buffer `id`. */
static void fill_table(struct vd *d, struct vd_queue *q, unsigned id, const struct vd_sg *sg, unsigned n_out,
                       unsigned n)
{
    uint64_t table = q->tables + (uint64_t) id * VD_MAX_SG * 16;
    bool packed = has(d, VIRTIO_F_RING_PACKED);

    for (unsigned i = 0; i < n; i++) {
        uint16_t f = i >= n_out ? F_WRITE : 0;
        if (packed)
            put_desc(d, table + 16 * i, sg[i].gpa, sg[i].len, 0, f);
        else
            put_desc(d, table + 16 * i, sg[i].gpa, sg[i].len, f | (i + 1 < n ? F_NEXT : 0), (uint16_t) (i + 1));
    }
}

static bool add_split(struct vd *d, struct vd_queue *q, const struct vd_sg *sg, unsigned n_out, unsigned n,
                      void *token)
{
    bool indirect = has(d, VIRTIO_F_INDIRECT_DESC) && n > 1;
    unsigned need = indirect ? 1 : n, head = q->free_head, at = head;

    if (q->n_free < need)
        return false;
    if (indirect) {
        fill_table(d, q, head, sg, n_out, n);
        put_desc(d, q->desc + 16 * head, q->tables + (uint64_t) head * VD_MAX_SG * 16, 16 * n, F_INDIRECT, 0);
        q->free_head = q->next[head];
    } else {
        for (unsigned i = 0; i < n; i++) {
            put_desc(d, q->desc + 16 * at, sg[i].gpa, sg[i].len,
                     (i >= n_out ? F_WRITE : 0) | (i + 1 < n ? F_NEXT : 0), q->next[at]);
            at = q->next[at];
        }
        q->free_head = at;
    }
    q->n_free -= need;
    q->n_desc[head] = (uint16_t) need;
    q->token[head] = token;
    put16(d, q->avail + 4 + 2 * (q->avail_idx % q->num), (uint16_t) head);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    put16(d, q->avail + 2, ++q->avail_idx);
    q->unkicked++;
    return true;
}

static void advance(const struct vd_queue *q, uint16_t *at, bool *wrap, unsigned n)
{
    unsigned to = *at + n;

    if (to >= q->num) {
        to -= q->num;
        *wrap = !*wrap;
    }
    *at = (uint16_t) to;
}

static bool add_packed(struct vd *d, struct vd_queue *q, const struct vd_sg *sg, unsigned n_out, unsigned n,
                       void *token)
{
    bool indirect = has(d, VIRTIO_F_INDIRECT_DESC) && n > 1;
    unsigned need = indirect ? 1 : n, id = q->free_head;
    uint16_t first = q->avail_idx, first_flags = 0;

    if (q->n_free < need)
        return false;
    q->free_head = q->next[id];
    q->n_free -= need;
    q->n_desc[id] = (uint16_t) need;
    q->token[id] = token;
    if (indirect)
        fill_table(d, q, id, sg, n_out, n);
    for (unsigned i = 0; i < need; i++) {
        uint16_t f = q->avail_wrap ? F_AVAIL : F_USED;
        if (indirect)
            f |= F_INDIRECT;
        else
            f |= (i >= n_out ? F_WRITE : 0) | (i + 1 < need ? F_NEXT : 0);
        uint64_t at = q->desc + 16 * q->avail_idx,
            addr = indirect ? q->tables + (uint64_t) id * VD_MAX_SG * 16 : sg[i].gpa;
        uint16_t keep = get16(d, at + 14);
        put_desc(d, at, addr, indirect ? 16 * n : sg[i].len, (uint16_t) id, i ? f : keep);
        if (!i)
            first_flags = f;
        advance(q, &q->avail_idx, &q->avail_wrap, 1);
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    put16(d, q->desc + 16 * first + 14, first_flags);
    q->unkicked += need;
    return true;
}

bool vd_add(struct vd *d, unsigned index, const struct vd_sg *sg, unsigned n_out, unsigned n_in, void *token)
{
    struct vd_queue *q = &d->q[index];

    g_assert(n_out + n_in && n_out + n_in <= VD_MAX_SG);
    return has(d, VIRTIO_F_RING_PACKED) ? add_packed(d, q, sg, n_out, n_out + n_in, token)
                                        : add_split(d, q, sg, n_out, n_out + n_in, token);
}

static bool device_wants(struct vd *d, struct vd_queue *q)
{
    if (!has(d, VIRTIO_F_RING_PACKED)) {
        if (!has(d, VIRTIO_F_EVENT_IDX))
            return !(get16(d, q->used) & 1);
        uint16_t event = get16(d, q->used + 4 + 8 * q->num);
        return (uint16_t) (q->avail_idx - event - 1) < q->unkicked;
    }
    uint16_t off_wrap = get16(d, q->used), flags = get16(d, q->used + 2);
    if (flags != 2)
        return flags == 0;
    int off = off_wrap & 0x7fff;
    if ((off_wrap >> 15) != q->avail_wrap)
        off -= (int) q->num;
    return q->unkicked >= q->num || (uint16_t) (q->avail_idx - off - 1) < q->unkicked;
}

void vd_kick(struct vd *d, unsigned index)
{
    struct vd_queue *q = &d->q[index];

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!q->unkicked)
        return;
    if (device_wants(d, q)) {
        q->kicks++;
        vd_notify(d, index);
    } else {
        q->skipped++;
    }
    q->unkicked = 0;
}

static void *get_split(struct vd *d, struct vd_queue *q, uint32_t *len)
{
    if (get16(d, q->used + 2) == q->used_idx)
        return NULL;
    const uint8_t *e = vd_ptr(d, q->used + 4 + 8 * (q->used_idx % q->num));
    uint32_t id = ld_le32(e);
    if (len)
        *len = ld_le32(e + 4);
    q->used_idx++;
    if (d->hostile && (id >= q->num || !q->token[id]))
        return NULL;
    g_assert_cmpuint(id, <, q->num);
    g_assert_nonnull(q->token[id]);
    unsigned last = id;
    for (unsigned i = 1; i < q->n_desc[id]; i++)
        last = q->next[last];
    q->next[last] = (uint16_t) q->free_head;
    q->free_head = id;
    q->n_free += q->n_desc[id];
    void *token = q->token[id];
    q->token[id] = NULL;
    return token;
}

static void *get_packed(struct vd *d, struct vd_queue *q, uint32_t *len)
{
    const uint8_t *p = vd_ptr(d, q->desc + 16 * q->used_idx);
    uint16_t flags = ld_le16(p + 14), id = ld_le16(p + 12);

    if (!!(flags & F_AVAIL) != q->used_wrap || !!(flags & F_USED) != q->used_wrap)
        return NULL;
    if (len)
        *len = ld_le32(p + 8);
    if (d->hostile && (id >= q->num || !q->token[id]))
        return NULL;
    g_assert_cmpuint(id, <, q->num);
    g_assert_nonnull(q->token[id]);
    advance(q, &q->used_idx, &q->used_wrap, q->n_desc[id]);
    q->next[id] = (uint16_t) q->free_head;
    q->free_head = id;
    q->n_free += q->n_desc[id];
    void *token = q->token[id];
    q->token[id] = NULL;
    return token;
}

void *vd_get(struct vd *d, unsigned index, uint32_t *len)
{
    struct vd_queue *q = &d->q[index];

    return has(d, VIRTIO_F_RING_PACKED) ? get_packed(d, q, len) : get_split(d, q, len);
}

void *vd_wait(struct vd *d, unsigned index, uint32_t *len)
{
    void *token = vd_get(d, index, len);

    if (token)
        return token;
    bench_run(d->b);
    return vd_get(d, index, len);
}

uint32_t vd_do(struct vd *d, unsigned q, const struct vd_sg *sg, unsigned n_out, unsigned n_in)
{
    uint32_t len = 0;
    int token;

    g_assert_true(vd_add(d, q, sg, n_out, n_in, &token));
    vd_kick(d, q);
    g_assert_true(vd_wait(d, q, &len) == &token);
    return len;
}

void vd_want_irq(struct vd *d, unsigned index, bool on)
{
    struct vd_queue *q = &d->q[index];
    bool event = has(d, VIRTIO_F_EVENT_IDX);

    if (!has(d, VIRTIO_F_RING_PACKED)) {
        put16(d, q->avail, on ? 0 : 1);
        if (event) /* the next, or one that is long past */
            put16(d, used_event_at(q), on ? q->used_idx : (uint16_t) (q->used_idx - 1));
        return;
    }
    put16(d, q->avail, (uint16_t) (q->used_idx | (q->used_wrap ? 1 << 15 : 0)));
    put16(d, q->avail + 2, !on ? 1 : event ? 2 : 0);
}
