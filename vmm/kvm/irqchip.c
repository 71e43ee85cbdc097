/* vmm/kvm/irqchip.c - the kernel's PIC, IOAPIC and LAPICs: GSI routing, MSIs, irqfds, reset, state.
 *
 * GSIs 0..15 are ISA lines: each goes to its PIC input and to the IOAPIC pin of that number, except that 0
 * goes to pin 2 (the usual override, which ACPI announces) and 2, the cascade, nowhere.  16..23 are IOAPIC
 * pins only.  Higher ones are allotted to messages. */
#include "vmm/kvm/internal.h"

static bool put_routes(struct kvm *k)
{
    int r = kvm_ioctl(k->fd, KVM_SET_GSI_ROUTING, k->routes);

    if (r < 0)
        warn_user("KVM: cannot route interrupts: %s", g_strerror(-r));
    return r == 0;
}

static struct kvm_irq_routing_entry *new_route(struct kvm *k)
{
    if (k->routes->nr == k->max_routes) {
        k->max_routes *= 2;
        k->routes = g_realloc(k->routes, sizeof *k->routes + k->max_routes * sizeof k->routes->entries[0]);
    }
    struct kvm_irq_routing_entry *e = &k->routes->entries[k->routes->nr++];
    memset(e, 0, sizeof *e);
    return e;
}

static void add_pin(struct kvm *k, uint32_t gsi, uint32_t chip, uint32_t pin)
{
    struct kvm_irq_routing_entry *e = new_route(k);

    e->gsi = gsi;
    e->type = KVM_IRQ_ROUTING_IRQCHIP;
    e->u.irqchip.irqchip = chip;
    e->u.irqchip.pin = pin;
}

bool kvm_irqchip_create(struct kvm *k, GError **err)
{
    int r = kvm_ioctl(k->fd, KVM_CREATE_IRQCHIP, NULL);

    g_mutex_init(&k->route_mutex);
    k->gsi_used = g_array_new(FALSE, TRUE, sizeof(bool));
    if (r < 0)
        return fail(err, "KVM cannot make interrupt controllers: %s", g_strerror(-r));
    k->max_routes = 64;
    k->routes = g_malloc0(sizeof *k->routes + k->max_routes * sizeof k->routes->entries[0]);
    for (uint32_t i = 0; i < N_ISA_GSI; i++) {
        if (i == 2)
            continue;
        if (i < 16)
            add_pin(k, i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, i % 8);
        add_pin(k, i, KVM_IRQCHIP_IOAPIC, i == 0 ? 2 : i);
    }
    if (!put_routes(k))
        return fail(err, "KVM cannot route interrupts");
    for (uint32_t i = 0; i < G_N_ELEMENTS(k->chip_fresh); i++) {
        k->chip_fresh[i].chip_id = i; /* KVM_IRQCHIP_PIC_MASTER, _PIC_SLAVE, _IOAPIC are 0, 1, 2 */
        r = kvm_ioctl(k->fd, KVM_GET_IRQCHIP, &k->chip_fresh[i]);
        if (r < 0)
            return fail(err, "KVM cannot read its interrupt controllers: %s", g_strerror(-r));
    }
    return true;
}

void kvm_irqchip_free(struct kvm *k)
{
    if (!k->gsi_used)
        return;
    g_array_free(k->gsi_used, TRUE);
    g_free(k->routes);
    g_mutex_clear(&k->route_mutex);
}

/* --- lines ------------------------------------------------------------------------------------ */

void kvm_set_gsi(void *opaque, int gsi, int level)
{
    struct kvm *k = opaque;
    struct kvm_irq_level arg = { .irq = (uint32_t) gsi, .level = level != 0 };

    if (gsi >= 0 && gsi < N_ISA_GSI)
        k->gsi_level[gsi] = level != 0;
    kvm_ioctl(k->fd, KVM_IRQ_LINE, &arg);
}

int kvm_raise_status(void *opaque, int gsi)
{
    struct kvm *k = opaque;
    struct kvm_irq_level arg = { .irq = (uint32_t) gsi, .level = 1 };

    if (gsi >= 0 && gsi < N_ISA_GSI)
        k->gsi_level[gsi] = 1;
    int r = kvm_ioctl(k->fd, KVM_IRQ_LINE_STATUS, &arg);
    return r < 0 ? r : arg.status;
}

/* The chips forgot the lines that are high: show them every level again, as an edge. */
static void push_lines(struct kvm *k)
{
    for (int i = 0; i < N_ISA_GSI; i++) {
        if (!k->gsi_level[i])
            continue;
        kvm_set_gsi(k, i, 0);
        kvm_set_gsi(k, i, 1);
    }
}

void kvm_mask_pic(void *opaque)
{
    struct kvm *k = opaque;

    for (unsigned i = 0; i < 2; i++) /* KVM_IRQCHIP_PIC_MASTER, _PIC_SLAVE */
        k->chip_fresh[i].chip.pic.imr = 0xff;
    k->touched = true;
}

void kvm_irqchip_reset(struct kvm *k)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(k->chip_fresh); i++)
        kvm_ioctl(k->fd, KVM_SET_IRQCHIP, &k->chip_fresh[i]);
    push_lines(k);
}

/* --- messages --------------------------------------------------------------------------------- */

int kvm_msi_send(struct kvm *k, uint64_t addr, uint32_t data)
{
    struct kvm_msi msi = { .address_lo = (uint32_t) addr,
                           .address_hi = (uint32_t) (addr >> 32),
                           .data = data };

    return kvm_ioctl(k->fd, KVM_SIGNAL_MSI, &msi);
}

static void set_msi(struct kvm_irq_routing_entry *e, uint64_t addr, uint32_t data)
{
    e->type = KVM_IRQ_ROUTING_MSI;
    e->u.msi.address_lo = (uint32_t) addr;
    e->u.msi.address_hi = (uint32_t) (addr >> 32);
    e->u.msi.data = data;
}

static struct kvm_irq_routing_entry *find_msi(struct kvm *k, int gsi)
{
    for (uint32_t i = 0; i < k->routes->nr; i++)
        if (k->routes->entries[i].gsi == (uint32_t) gsi && k->routes->entries[i].type == KVM_IRQ_ROUTING_MSI)
            return &k->routes->entries[i];
    return NULL;
}

int kvm_msi_route_add(struct kvm *k, uint64_t addr, uint32_t data)
{
    int gsi = -1;

    g_mutex_lock(&k->route_mutex);
    unsigned i = 0;
    while (i < k->gsi_used->len && g_array_index(k->gsi_used, bool, i))
        i++;
    if ((int) i + N_ISA_GSI < kvm_has(k, KVM_CAP_IRQ_ROUTING)) {
        if (i == k->gsi_used->len)
            g_array_set_size(k->gsi_used, i + 1);
        struct kvm_irq_routing_entry *e = new_route(k);
        e->gsi = i + N_ISA_GSI;
        set_msi(e, addr, data);
        if (put_routes(k)) {
            g_array_index(k->gsi_used, bool, i) = true;
            gsi = (int) i + N_ISA_GSI;
        } else {
            k->routes->nr--;
        }
    }
    g_mutex_unlock(&k->route_mutex);
    return gsi;
}

void kvm_msi_route_change(struct kvm *k, int gsi, uint64_t addr, uint32_t data)
{
    g_mutex_lock(&k->route_mutex);
    struct kvm_irq_routing_entry *e = find_msi(k, gsi);
    if (e) {
        struct kvm_irq_routing_entry old = *e;
        set_msi(e, addr, data);
        if (memcmp(&old, e, sizeof old) != 0)
            put_routes(k);
    }
    g_mutex_unlock(&k->route_mutex);
}

void kvm_msi_route_remove(struct kvm *k, int gsi)
{
    g_mutex_lock(&k->route_mutex);
    struct kvm_irq_routing_entry *e = find_msi(k, gsi);
    if (e) {
        *e = k->routes->entries[--k->routes->nr];
        g_array_index(k->gsi_used, bool, gsi - N_ISA_GSI) = false;
        put_routes(k);
    }
    g_mutex_unlock(&k->route_mutex);
}

static int put_irqfd(struct kvm *k, int fd, int resample, int gsi, uint32_t flags)
{
    struct kvm_irqfd arg = { .fd = (uint32_t) fd, .gsi = (uint32_t) gsi, .flags = flags };

    if (resample >= 0) {
        arg.flags |= KVM_IRQFD_FLAG_RESAMPLE;
        arg.resamplefd = (uint32_t) resample;
    }
    return kvm_ioctl(k->fd, KVM_IRQFD, &arg);
}

bool kvm_irqfd_add(struct kvm *k, int fd, int resample, int gsi, GError **err)
{
    int r = put_irqfd(k, fd, resample, gsi, 0);

    return r == 0 || fail(err, "KVM: no irqfd for GSI %d: %s", gsi, g_strerror(-r));
}

void kvm_irqfd_remove(struct kvm *k, int fd, int gsi)
{
    put_irqfd(k, fd, -1, gsi, KVM_IRQFD_FLAG_DEASSIGN);
}

/* --- NMI -------------------------------------------------------------------------------------- */

uint32_t kvm_lapic_get(const struct kvm_lapic_state *l, unsigned reg)
{
    return ld_le32(l->regs + reg);
}

void kvm_lapic_put(struct kvm_lapic_state *l, unsigned reg, uint32_t v)
{
    st_le32(l->regs + reg, v);
}

/* The board's NMI line is LINT1 of every LAPIC; with the LAPIC switched off that pin is the processor's
 * NMI. */
void kvm_nmi(struct kvm_cpu *cpu)
{
    struct kvm_lapic_state l;
    struct kvm_sregs sregs;

    if (kvm_ioctl(cpu->fd, KVM_GET_SREGS, &sregs) < 0 || kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &l) < 0)
        return;
    bool on = sregs.apic_base & BIT(11);
    if (on && (kvm_lapic_get(&l, APIC_LVT_LINT1) & (APIC_LVT_MASKED | 0x700)) != APIC_MODE_NMI)
        return;
    kvm_ioctl(cpu->fd, KVM_NMI, NULL);
}

/* --- info irq --------------------------------------------------------------------------------- */

static void describe_pic(const char *name, const struct kvm_pic_state *p, GString *out)
{
    g_string_append_printf(out, "%s: irr=%02x imr=%02x isr=%02x base=%02x elcr=%02x%s%s\n", name, p->irr,
                           p->imr, p->isr, p->irq_base, p->elcr, p->auto_eoi ? " auto-eoi" : "",
                           p->special_fully_nested_mode ? " sfnm" : "");
}

static void describe_ioapic(const struct kvm_ioapic_state *io, GString *out)
{
    static const char *const modes[8] = { "fixed", "lowest", "SMI", "3", "NMI", "INIT", "6", "ExtINT" };

    g_string_append_printf(out, "ioapic: id=%u irr=%06x\n", io->id, io->irr);
    for (unsigned i = 0; i < KVM_IOAPIC_NUM_PINS; i++) {
        const typeof(io->redirtbl[0]) *e = &io->redirtbl[i];
        if ((e->bits & ~BIT64(16)) == 0)
            continue;
        g_string_append_printf(out, "  pin %2u: vector %02x %s %s %s %s to %02x%s%s\n", i, e->fields.vector,
                               modes[e->fields.delivery_mode], e->fields.trig_mode ? "level" : "edge",
                               e->fields.polarity ? "low" : "high",
                               e->fields.dest_mode ? "logical" : "physical", e->fields.dest_id,
                               e->fields.mask ? " masked" : "", e->fields.remote_irr ? " remote-irr" : "");
    }
}

static void describe_bits(const struct kvm_lapic_state *l, const char *name, unsigned reg, GString *out)
{
    g_string_append_printf(out, " %s:", name);
    for (unsigned v = 0; v < 256; v++)
        if (kvm_lapic_get(l, reg + v / 32 * 16) >> (v % 32) & 1)
            g_string_append_printf(out, " %02x", v);
}

static void describe_lapic(struct kvm_cpu *cpu, GString *out)
{
    struct kvm_lapic_state l;

    if (kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &l) < 0)
        return;
    g_string_append_printf(out,
                           "lapic %u: id=%08x svr=%03x tpr=%02x lvt timer=%05x lint0=%05x lint1=%05x "
                           "timer %u/%u",
                           cpu->index, kvm_lapic_get(&l, APIC_ID), kvm_lapic_get(&l, APIC_SVR),
                           kvm_lapic_get(&l, 0x80), kvm_lapic_get(&l, APIC_LVT_TIMER),
                           kvm_lapic_get(&l, APIC_LVT_LINT0), kvm_lapic_get(&l, APIC_LVT_LINT1),
                           kvm_lapic_get(&l, APIC_TMCCT), kvm_lapic_get(&l, APIC_TMICT));
    describe_bits(&l, "isr", 0x100, out);
    describe_bits(&l, "irr", 0x200, out);
    g_string_append_c(out, '\n');
}

void kvm_describe_irqchip(struct kvm *k, GString *out)
{
    struct kvm_irqchip chip = { .chip_id = 0 };

    vm_lock(k->vm);
    kvm_halt(k);
    for (chip.chip_id = 0; chip.chip_id < 3; chip.chip_id++) {
        if (kvm_ioctl(k->fd, KVM_GET_IRQCHIP, &chip) < 0)
            continue;
        if (chip.chip_id == KVM_IRQCHIP_IOAPIC)
            describe_ioapic(&chip.chip.ioapic, out);
        else
            describe_pic(chip.chip_id ? "pic slave" : "pic master", &chip.chip.pic, out);
    }
    for (unsigned i = 0; i < k->n_cpus; i++)
        describe_lapic(&k->cpus[i], out);
    g_string_append(out, "lines high:");
    for (int i = 0; i < N_ISA_GSI; i++)
        if (k->gsi_level[i])
            g_string_append_printf(out, " %d", i);
    g_string_append_c(out, '\n');
    vm_unlock(k->vm);
}
