/* vmm/kvm/state.c - the whole state of a vCPU and of the kernel's chips, as bytes for a snapshot.
 *
 * Format: sections of { u32 id, u32 length, bytes }, each the structure of the kernel's ABI (fixed on
 * x86-64).  What the loading host does not know is refused; what a host did not save is left as RESET
 * leaves it.  KVM itself checks the contents, since to it all of userspace is hostile; we check the sizes.
 */
#include "vmm/kvm/internal.h"

enum section {
    S_END, S_REGS, S_SREGS, S_XSAVE, S_FPU, S_XCRS, S_LAPIC, S_MSRS, S_EVENTS, S_DEBUGREGS, S_MP, S_NESTED,
    S_PIC0 = 32, S_PIC1, S_IOAPIC, S_CLOCK, S_LINES,
};

static void put(GByteArray *out, uint32_t id, const void *data, size_t len)
{
    uint8_t head[8];

    st_le32(head, id);
    st_le32(head + 4, (uint32_t) len);
    g_byte_array_append(out, head, sizeof head);
    g_byte_array_append(out, data, (guint) len);
}

/* Find a section; false: there is none, or the bytes are damaged. */
static bool find(const uint8_t *p, size_t len, uint32_t id, const uint8_t **data, size_t *n)
{
    while (len >= 8) {
        uint32_t have = ld_le32(p), size = ld_le32(p + 4);
        p += 8;
        len -= 8;
        if (size > len)
            return false;
        if (have == id) {
            *data = p;
            *n = size;
            return true;
        }
        p += size;
        len -= size;
    }
    return false;
}

static bool check(const uint8_t *p, size_t len, GError **err)
{
    while (len >= 8) {
        uint32_t id = ld_le32(p), size = ld_le32(p + 4);
        if (size > len - 8)
            return fail(err, "the CPU's state is cut short");
        if (id == S_END && size == 0)
            return len == 8 || fail(err, "there is something after the CPU's state");
        p += 8 + size;
        len -= 8 + size;
    }
    return fail(err, "the CPU's state is cut short");
}

/* --- MSRs: KVM's list, and those that it does not list ---------------------------------------- */

static GArray *msr_list(struct kvm *k)
{
    static const uint32_t more[] = { 0x277, 0x2ff, 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b,
                                     0x26c, 0x26d, 0x26e, 0x26f, 0x179, 0x17a, 0x17b, 0x1a0 };
    struct kvm_msr_list head = { 0 };
    GArray *a = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    kvm_ioctl(k->dev_fd, KVM_GET_MSR_INDEX_LIST, &head); /* -E2BIG, and the count */
    head.nmsrs = MIN(head.nmsrs, 4096);
    struct kvm_msr_list *l = g_malloc0(sizeof *l + head.nmsrs * sizeof l->indices[0]);
    l->nmsrs = head.nmsrs;
    if (kvm_ioctl(k->dev_fd, KVM_GET_MSR_INDEX_LIST, l) == 0)
        g_array_append_vals(a, l->indices, l->nmsrs);
    g_free(l);
    g_array_append_vals(a, more, G_N_ELEMENTS(more));
    for (uint32_t i = 0x200; i < 0x210; i++)
        g_array_append_val(a, i);
    for (uint32_t i = 0x400; i < 0x400 + 4 * 10; i++)
        g_array_append_val(a, i);
    return a;
}

static bool only_read(uint32_t index) /* or a write that does something */
{
    return index == 0x8b || index == 0xce || index == 0x10a || index == 0x345 || index == 0xcf ||
           index == 0x179;
}

static void save_msrs(struct kvm_cpu *cpu, GByteArray *out)
{
    GArray *list = msr_list(cpu->k), *got = g_array_new(FALSE, TRUE, sizeof(struct kvm_msr_entry));

    for (unsigned i = 0; i < list->len; i++) {
        uint32_t index = g_array_index(list, uint32_t, i);
        uint64_t val;
        if (only_read(index) || !kvm_get_msr(cpu, index, &val))
            continue;
        struct kvm_msr_entry e = { .index = index, .data = val };
        g_array_append_val(got, e);
    }
    put(out, S_MSRS, got->data, got->len * sizeof(struct kvm_msr_entry));
    g_array_free(list, TRUE);
    g_array_free(got, TRUE);
}

static void load_msrs(struct kvm_cpu *cpu, const uint8_t *data, size_t len)
{
    size_t n = MIN(len / sizeof(struct kvm_msr_entry), 4096);
    struct kvm_msr_entry *e = g_malloc0(MAX(n, 1) * sizeof *e);

    memcpy(e, data, n * sizeof *e);
    kvm_set_msrs(cpu, e, (unsigned) n);
    g_free(e);
}

/* --- the rest, by table ----------------------------------------------------------------------- */

/* In the order in which they are loaded: the LAPIC's mode comes with the system registers, its timer needs
 * the TSC. */
static const struct {
    uint32_t id;
    const char *name;
    unsigned long get, set;
    size_t size; /* 0: xsave_size */
} parts[] = {
    { S_MP, "run state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state) },
    { S_REGS, "registers", KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs) },
    { S_XCRS, "XCRs", KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs) },
    { S_XSAVE, "XSAVE area", KVM_GET_XSAVE, KVM_SET_XSAVE, 0 },
    { S_FPU, "FPU", KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu) },
    { S_SREGS, "system registers", KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs) },
    { S_MSRS, "MSRs", 0, 0, 0 },
    { S_LAPIC, "LAPIC", KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state) },
    { S_EVENTS, "events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events) },
    { S_DEBUGREGS, "debug registers", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs) },
};

#ifndef KVM_GET_XSAVE2
#define KVM_GET_XSAVE2 _IOR(KVMIO, 0xcf, struct kvm_xsave)
#endif

static size_t part_size(const struct kvm *k, unsigned i)
{
    return parts[i].size ? parts[i].size : k->xsave_size;
}

static bool wanted(const struct kvm *k, uint32_t id)
{
    switch (id) {
    case S_XCRS:      return k->has_xcrs;
    case S_XSAVE:     return k->has_xsave;
    case S_FPU:       return !k->has_xsave;
    case S_EVENTS:    return k->has_events;
    case S_DEBUGREGS: return k->has_debugregs;
    default:          return true;
    }
}

static void save_nested(struct kvm_cpu *cpu, GByteArray *out)
{
    if (!cpu->nested_fresh)
        return;
    uint32_t size = ((struct kvm_nested_state *) cpu->nested_fresh)->size;
    size = MAX(size, (uint32_t) MAX(kvm_has(cpu->k, KVM_CAP_NESTED_STATE), 0));
    struct kvm_nested_state *st = g_malloc0(size);
    st->size = size;
    if (kvm_ioctl(cpu->fd, KVM_GET_NESTED_STATE, st) == 0)
        put(out, S_NESTED, st, st->size);
    g_free(st);
}

void kvm_save_cpu(struct kvm *k, unsigned index, GByteArray *out)
{
    struct kvm_cpu *cpu = &k->cpus[index];
    void *buf = g_malloc0(MAX(k->xsave_size, sizeof(struct kvm_lapic_state)));

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        unsigned long get = parts[i].get;
        if (parts[i].id == S_MSRS) {
            save_msrs(cpu, out);
            continue;
        }
        if (parts[i].id == S_XSAVE && k->xsave_size > sizeof(struct kvm_xsave))
            get = KVM_GET_XSAVE2;
        if (wanted(k, parts[i].id) && kvm_ioctl(cpu->fd, get, buf) >= 0)
            put(out, parts[i].id, buf, part_size(k, i));
    }
    save_nested(cpu, out);
    put(out, S_END, NULL, 0);
    g_free(buf);
}

static bool load_part(struct kvm_cpu *cpu, unsigned i, const uint8_t *data, size_t len, GError **err)
{
    struct kvm *k = cpu->k;
    size_t size = part_size(k, i);

    if (parts[i].id == S_MSRS) {
        load_msrs(cpu, data, len);
        return true;
    }
    if (len > size || (len != size && parts[i].id != S_XSAVE))
        return fail(err, "CPU %u: its %s are not of this kind of KVM", cpu->index, parts[i].name);
    void *buf = g_malloc0(size);
    memcpy(buf, data, len);
    int r = kvm_ioctl(cpu->fd, parts[i].set, buf);
    g_free(buf);
    return r >= 0 || parts[i].id == S_XCRS ||
           fail(err, "CPU %u: KVM refuses the %s: %s", cpu->index, parts[i].name, g_strerror(-r));
}

static bool load_nested(struct kvm_cpu *cpu, const uint8_t *data, size_t len, GError **err)
{
    uint32_t size =
        len >= sizeof(struct kvm_nested_state) ? ((const struct kvm_nested_state *) data)->size : 0;

    if (size != len)
        return fail(err, "CPU %u: its nested state is damaged", cpu->index);
    void *buf = g_memdup2(data, len);
    int r = kvm_ioctl(cpu->fd, KVM_SET_NESTED_STATE, buf);
    g_free(buf);
    return r == 0 || fail(err, "CPU %u: KVM refuses the nested state: %s", cpu->index, g_strerror(-r));
}

bool kvm_load_cpu(struct kvm *k, unsigned index, const uint8_t *data, size_t len, GError **err)
{
    const uint8_t *p;
    size_t n;

    if (index >= k->n_cpus)
        return fail(err, "there is no CPU %u", index);
    if (!check(data, len, err))
        return false;
    struct kvm_cpu *cpu = &k->cpus[index];
    k->touched = true;
    if (!kvm_cpu_reset(cpu, err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (!find(data, len, parts[i].id, &p, &n))
            continue;
        if (!wanted(k, parts[i].id))
            return fail(err, "CPU %u: this host's KVM has no %s", index, parts[i].name);
        if (!load_part(cpu, i, p, n, err))
            return false;
    }
    if (cpu->nested_fresh && find(data, len, S_NESTED, &p, &n) && !load_nested(cpu, p, n, err))
        return false;
    kvm_clock_capture(cpu);
    return true;
}

/* --- chips ------------------------------------------------------------------------------------ */

void kvm_save_chips(struct kvm *k, GByteArray *out)
{
    struct kvm_clock_data clock = { .clock = k->clock_ns };

    for (uint32_t i = 0; i < 3; i++) {
        struct kvm_irqchip chip = { .chip_id = i };
        if (kvm_ioctl(k->fd, KVM_GET_IRQCHIP, &chip) == 0)
            put(out, S_PIC0 + i, &chip, sizeof chip);
    }
    if (k->stopped_clock || kvm_ioctl(k->fd, KVM_GET_CLOCK, &clock) == 0)
        put(out, S_CLOCK, &clock.clock, sizeof clock.clock);
    put(out, S_LINES, k->gsi_level, sizeof k->gsi_level);
    put(out, S_END, NULL, 0);
}

bool kvm_load_chips(struct kvm *k, const uint8_t *data, size_t len, GError **err)
{
    const uint8_t *p;
    size_t n;

    if (!check(data, len, err))
        return false;
    k->touched = true;
    for (uint32_t i = 0; i < 3; i++) {
        struct kvm_irqchip chip;
        if (!find(data, len, S_PIC0 + i, &p, &n) || n != sizeof chip)
            return fail(err, "the state of the interrupt controllers is damaged");
        memcpy(&chip, p, n);
        chip.chip_id = i;
        int r = kvm_ioctl(k->fd, KVM_SET_IRQCHIP, &chip);
        if (r < 0)
            return fail(err, "KVM refuses the state of the interrupt controllers: %s", g_strerror(-r));
    }
    if (find(data, len, S_CLOCK, &p, &n) && n == 8) {
        k->clock_ns = ld_le64(p);
        struct kvm_clock_data clock = { .clock = k->clock_ns };
        kvm_ioctl(k->fd, KVM_SET_CLOCK, &clock);
        k->stopped_clock = true;
    }
    return true;
}
