/* hw/pci/msix.c - MSI-X: capability, vector table, pending bits.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.2.
 * Deviations: while bus mastering is off vectors count as masked, where a function may lose the message. */
#include "hw/pci/msix.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/vm.h"

enum { CAP_MSIX = 0x11, CAP_SIZE = 12, CONTROL = 2, TABLE = 4, PBA = 8 };
enum { CONTROL_ENABLE = 0x8000, CONTROL_MASK = 0x4000, VECTOR_MASKED = 1, ENTRY = 16 };
enum { BAR_MIN = 4096, PBA_MIN = 2048, SEEN_NO_DMA = 1 << 16, SEEN_NONE = 1 << 17 };

static uint16_t control(const struct msix *m)
{
    return ld_le16(m->p->cfg + m->cap + CONTROL);
}

static bool is_live(const struct msix_vector *v)
{
    const struct msix *m = v->m;

    return (control(m) & (CONTROL_ENABLE | CONTROL_MASK)) == CONTROL_ENABLE && !(v->control & VECTOR_MASKED) &&
           !m->p->dev.dma_disabled;
}

/* A message is a write of memory: what isn't meant for a local APIC goes to RAM. */
static bool is_for_lapic(const struct msix_vector *v)
{
    return v->addr_lo >> 20 == 0xfee && v->addr_hi == 0;
}

static void send_message(struct msix_vector *v)
{
    struct vm *vm = v->m->p->dev.vm;
    uint64_t addr = (uint64_t) v->addr_hi << 32 | v->addr_lo;
    uint8_t data[4];

    if (!is_for_lapic(v)) {
        st_le32(data, v->data);
        dma_write(&v->m->p->dev, addr, data, sizeof data);
    } else if (vm->accel && vm->accel->msi_send) {
        vm->accel->msi_send(vm->accel_opaque, addr, v->data);
    }
}

static void watched(void *opaque, GIOCondition cond)
{
    struct msix_vector *v = opaque;
    struct exec *e = &v->m->p->dev.vm->main;

    (void) cond;
    exec_enter(e);
    if (v->watch && event_take(v->fd))
        send_message(v);
    exec_leave(e);
}

/* --- connecting eventfds ---------------------------------------------------------------------------- */

static void drop_route(struct msix_vector *v)
{
    struct vm *vm = v->m->p->dev.vm;

    if (v->route >= 0 && vm->accel) /* it ends before the devices do */
        vm->accel->msi_route_remove(vm->accel_opaque, v->route);
    v->route = -1;
}

static void disconnect(struct msix_vector *v)
{
    struct vm *vm = v->m->p->dev.vm;

    if (v->irqfd && vm->accel)
        vm->accel->msi_irqfd(vm->accel_opaque, v->fd, v->route, false);
    v->irqfd = false;
    exec_fd_remove(v->watch);
    v->watch = NULL;
}

static bool have_route(struct msix_vector *v)
{
    struct vm *vm = v->m->p->dev.vm;
    uint64_t addr = (uint64_t) v->addr_hi << 32 | v->addr_lo;

    if (v->route >= 0 && v->routed_lo == v->addr_lo && v->routed_hi == v->addr_hi && v->routed_data == v->data)
        return true;
    if (v->route >= 0)
        vm->accel->msi_route_change(vm->accel_opaque, v->route, addr, v->data);
    else
        v->route = vm->accel->msi_route_add(vm->accel_opaque, addr, v->data);
    v->routed_lo = v->addr_lo;
    v->routed_hi = v->addr_hi;
    v->routed_data = v->data;
    return v->route >= 0;
}

static void update(struct msix_vector *v)
{
    struct vm *vm = v->m->p->dev.vm;
    bool live = is_live(v), fast = live && is_for_lapic(v) && vm->accel && vm->accel->msi_irqfd;

    if (!live || (fast ? v->watch != NULL : v->irqfd))
        disconnect(v);
    if (fast && have_route(v)) {
        v->irqfd = v->irqfd || vm->accel->msi_irqfd(vm->accel_opaque, v->fd, v->route, true);
        if (v->irqfd)
            return;
    }
    if (live && !v->watch && !v->irqfd) /* no accelerator, no route left, or a message to RAM */
        v->watch = exec_add_fd(&vm->main, v->fd, G_IO_IN, watched, v);
}

void msix_config_written(struct msix *m)
{
    if (!m->p)
        return;
    uint32_t now = control(m) | (m->p->dev.dma_disabled ? SEEN_NO_DMA : 0);
    bool on = now & CONTROL_ENABLE;
    if (now == m->seen)
        return;
    m->seen = now;
    __atomic_store_n(&m->enabled, on, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < m->n; i++) {
        struct msix_vector *v = &m->vectors[i];
        update(v);
        if (!on) {
            drop_route(v);
            event_take(v->fd);
        }
    }
}

void msix_notify(struct msix *m, unsigned n)
{
    if (n < m->n && msix_enabled(m))
        event_signal(m->vectors[n].fd);
}

/* --- the BAR ---------------------------------------------------------------------------------------- */

static uint32_t *entry_reg(struct msix_vector *v, unsigned off)
{
    switch (off) {
    case 0: return &v->addr_lo;
    case 4: return &v->addr_hi;
    case 8: return &v->data;
    default: return &v->control;
    }
}

static uint32_t pending_bits(const struct msix *m, unsigned first)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 32 && first + i < m->n; i++) {
        const struct msix_vector *v = &m->vectors[first + i];
        if (!v->irqfd && event_pending(v->fd))
            bits |= BIT(i);
    }
    return bits;
}

static uint64_t bar_read(void *opaque, uint64_t off, unsigned size)
{
    struct msix *m = opaque;

    (void) size;
    if (off < (uint64_t) m->n * ENTRY)
        return *entry_reg(&m->vectors[off / ENTRY], off % ENTRY);
    if (off >= m->pba && off < m->pba + (m->n + 63) / 64 * 8)
        return pending_bits(m, (unsigned) (off - m->pba) * 8);
    return 0;
}

static void bar_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct msix *m = opaque;

    (void) size;
    if (off >= (uint64_t) m->n * ENTRY) {
        guest_error(&m->p->dev, "MSI-X: write at 0x%" PRIx64 ", outside of the table", off);
        return;
    }
    struct msix_vector *v = &m->vectors[off / ENTRY];
    uint32_t mask = off % ENTRY == 0 ? ~3U : off % ENTRY == 12 ? VECTOR_MASKED : UINT32_MAX;
    *entry_reg(v, off % ENTRY) = (uint32_t) val & mask;
    update(v);
}

static const struct region_ops bar_ops = { bar_read, bar_write, .min = 4, .max = 4 };

/* --- life ------------------------------------------------------------------------------------------- */

bool msix_init(struct msix *m, struct pci_dev *p, unsigned n, unsigned bar, GError **err)
{
    uint64_t size = BAR_MIN;

    g_assert(n >= 1 && n <= MSIX_MAX);
    m->p = p;
    m->n = n;
    m->bar_n = (uint8_t) bar;
    m->seen = SEEN_NONE;
    m->pba = MAX(PBA_MIN, n * ENTRY);
    while (size < m->pba + (n + 63) / 64 * 8)
        size *= 2;
    m->vectors = g_new0(struct msix_vector, n);
    for (unsigned i = 0; i < n; i++)
        m->vectors[i] = (struct msix_vector){ .m = m, .fd = -1, .route = -1, .control = VECTOR_MASKED };
    for (unsigned i = 0; i < n; i++)
        if ((m->vectors[i].fd = event_new(err)) < 0)
            return false;
    m->cap = (uint8_t) pci_add_capability(p, CAP_MSIX, CAP_SIZE);
    st_le16(p->cfg + m->cap + CONTROL, (uint16_t) (n - 1));
    st_le16(p->wmask + m->cap + CONTROL, CONTROL_ENABLE | CONTROL_MASK);
    st_le32(p->cfg + m->cap + TABLE, bar);
    st_le32(p->cfg + m->cap + PBA, m->pba | bar);
    region_init_io(&m->bar.region, "msix", &bar_ops, m, size);
    pci_register_bar(p, bar, &m->bar, PCI_BAR_MEM32);
    return true;
}

void msix_clear(struct msix *m)
{
    for (unsigned i = 0; m->p && i < m->n; i++) {
        disconnect(&m->vectors[i]);
        drop_route(&m->vectors[i]);
        event_close(&m->vectors[i].fd);
    }
    g_clear_pointer(&m->vectors, g_free);
    m->n = 0;
}

void msix_reset(struct msix *m)
{
    if (!m->p)
        return;
    for (unsigned i = 0; i < m->n; i++) {
        struct msix_vector *v = &m->vectors[i];
        v->addr_lo = v->addr_hi = v->data = 0;
        v->control = VECTOR_MASKED;
    }
    st_le16(m->p->cfg + m->cap + CONTROL, (uint16_t) (m->n - 1));
    m->seen = SEEN_NONE;
    msix_config_written(m); /* switched off: disconnects, forgets what was pending */
}

void msix_pre_save(struct msix *m)
{
    for (unsigned i = 0; m->p && i < m->n; i++)
        m->vectors[i].pending = !m->vectors[i].irqfd && event_pending(m->vectors[i].fd);
}

bool msix_post_load(struct msix *m)
{
    if (!m->p)
        return true;
    if ((control(m) & ~(CONTROL_ENABLE | CONTROL_MASK)) != m->n - 1)
        return false;
    for (unsigned i = 0; i < m->n; i++) {
        struct msix_vector *v = &m->vectors[i];
        if ((v->control & ~(uint32_t) VECTOR_MASKED) || (v->addr_lo & 3))
            return false;
    }
    for (unsigned i = 0; i < m->n; i++) {
        struct msix_vector *v = &m->vectors[i];
        disconnect(v);
        event_take(v->fd);
        if (v->pending)
            event_signal(v->fd);
    }
    m->seen = SEEN_NONE;
    msix_config_written(m);
    return true;
}

static const struct state vector_state[] = {
    STATE_U32(struct msix_vector, addr_lo), STATE_U32(struct msix_vector, addr_hi),
    STATE_U32(struct msix_vector, data), STATE_U32(struct msix_vector, control),
    STATE_BOOL(struct msix_vector, pending), STATE_HOST(struct msix_vector, m), STATE_HOST(struct msix_vector, fd),
    STATE_HOST(struct msix_vector, route), STATE_HOST(struct msix_vector, routed_lo),
    STATE_HOST(struct msix_vector, routed_hi), STATE_HOST(struct msix_vector, routed_data),
    STATE_HOST(struct msix_vector, irqfd), STATE_HOST(struct msix_vector, watch), {}
};

const struct state msix_state[] = {
    STATE_HOST(struct msix, p), STATE_HOST(struct msix, bar), STATE_VECTOR(struct msix, vectors, n, vector_state),
    STATE_HOST(struct msix, n), STATE_HOST(struct msix, pba), STATE_HOST(struct msix, cap),
    STATE_HOST(struct msix, bar_n), STATE_HOST(struct msix, enabled), STATE_HOST(struct msix, seen), {}
};
