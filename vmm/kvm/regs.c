/* vmm/kvm/regs.c - a vCPU's registers: RESET, entry to a kernel, the register dump.
 *
 * Values after RESET: SDM vol. 3 table 9-1. */
#include "vmm/kvm/internal.h"

static struct kvm_segment segment(uint16_t selector, uint64_t base, uint32_t limit, uint8_t type, bool s)
{
    return (struct kvm_segment){
        .base = base, .limit = limit, .selector = selector, .type = type, .present = 1, .s = s
    };
}

static struct kvm_segment flat(uint16_t selector, uint8_t type, bool long_mode)
{
    struct kvm_segment g = segment(selector, 0, 0xffffffff, type, true);

    g.g = 1;
    g.db = !long_mode;
    g.l = long_mode;
    return g;
}

static void set_data_segments(struct kvm_sregs *s, struct kvm_segment d)
{
    s->ds = s->es = s->ss = s->fs = s->gs = d;
}

static void reset_sregs(const struct kvm_cpu *cpu, struct kvm_sregs *s)
{
    *s = (struct kvm_sregs){ .cr0 = 0x60000010, .apic_base = 0xfee00800 };
    if (cpu->index == 0)
        s->apic_base |= BIT(8); /* the bootstrap processor */
    s->cs = segment(0xf000, 0xffff0000, 0xffff, 0xb, true);
    set_data_segments(s, segment(0, 0, 0xffff, 3, true));
    s->ldt = segment(0, 0, 0xffff, 2, false);
    s->tr = segment(0, 0, 0xffff, 0xb, false);
    s->gdt.limit = s->idt.limit = 0xffff;
}

static void boot_sregs(const struct boot_cpu_state *b, struct kvm_sregs *s)
{
    s->gdt.base = b->gdt_base;
    s->gdt.limit = b->gdt_limit;
    if (b->mode == CPU_REAL16) {
        s->gdt.limit = 0xffff;
        s->cs = segment(b->cs, (uint64_t) b->cs << 4, 0xffff, 0xb, true);
        set_data_segments(s, segment(b->ds, (uint64_t) b->ds << 4, 0xffff, 3, true));
        s->idt = (struct kvm_dtable){ .base = 0, .limit = 0x3ff };
        return;
    }
    s->cs = flat(b->cs, 0xb, b->mode == CPU_LONG64);
    set_data_segments(s, flat(b->ds, 3, false));
    s->cr0 = 0x31; /* PE, ET, NE */
    s->idt = (struct kvm_dtable){ .base = 0, .limit = 0 };
    if (b->mode == CPU_LONG64) {
        s->cr3 = b->cr3;
        s->cr4 = BIT(5);         /* PAE */
        s->cr0 |= BIT(31);       /* PG */
        s->efer = BIT(8) | BIT(10); /* LME, LMA */
    }
}

static void reset_regs(const struct kvm_cpu *cpu, bool boot, struct kvm_regs *r)
{
    const struct boot_cpu_state *b = &cpu->k->boot;

    if (boot)
        *r = (struct kvm_regs){ .rip = b->rip, .rsp = b->rsp, .rax = b->rax, .rbx = b->rbx, .rcx = b->rcx,
                                .rdx = b->rdx, .rsi = b->rsi, .rdi = b->rdi, .rbp = b->rbp, .rflags = 2 };
    else
        *r = (struct kvm_regs){ .rip = 0xfff0, .rdx = cpu->k->signature, .rflags = 2 };
}

/* LINT0 of the bootstrap processor passes the PIC's INTR through, as firmware would make it: plain kernels
 * count on it. */
static void reset_lapic(const struct kvm_cpu *cpu, struct kvm_lapic_state *l)
{
    bool firmware_was_here = cpu->k->has_boot;

    memset(l, 0, sizeof *l);
    kvm_lapic_put(l, APIC_ID, cpu->apic_id << 24);
    kvm_lapic_put(l, APIC_VERSION, 0x50014);
    kvm_lapic_put(l, APIC_DFR, 0xffffffff);
    kvm_lapic_put(l, APIC_SVR, 0xff);
    for (unsigned reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 0x10)
        kvm_lapic_put(l, reg, APIC_LVT_MASKED);
    kvm_lapic_put(l, APIC_LVT_CMCI, APIC_LVT_MASKED);
    if (cpu->index == 0 || firmware_was_here)
        kvm_lapic_put(l, APIC_LVT_LINT0, APIC_MODE_EXTINT);
    if (firmware_was_here)
        kvm_lapic_put(l, APIC_LVT_LINT1, APIC_MODE_NMI);
}

static void reset_fpu(const struct kvm_cpu *cpu)
{
    enum { FCW = 0, MXCSR = 24 };
    struct kvm *k = cpu->k;

    if (!k->has_xsave) {
        struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };
        kvm_ioctl(cpu->fd, KVM_SET_FPU, &fpu);
        return;
    }
    uint8_t *area = g_malloc0(k->xsave_size); /* XSTATE_BV 0: every component in its initial state */
    st_le16(area + FCW, 0x37f);
    st_le32(area + MXCSR, 0x1f80);
    kvm_ioctl(cpu->fd, KVM_SET_XSAVE, area);
    g_free(area);
    if (k->has_xcrs) {
        struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = 1 } };
        kvm_ioctl(cpu->fd, KVM_SET_XCRS, &x); /* refused when the CPU has no XSAVE: nothing to reset */
    }
}

static void reset_events(const struct kvm_cpu *cpu)
{
    struct kvm_vcpu_events ev = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
                                           KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SHADOW };
    struct kvm_debugregs dr = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };

    if (cpu->k->has_smm)
        ev.flags |= KVM_VCPUEVENT_VALID_SMM;
    if (cpu->k->has_events)
        kvm_ioctl(cpu->fd, KVM_SET_VCPU_EVENTS, &ev);
    if (cpu->k->has_debugregs)
        kvm_ioctl(cpu->fd, KVM_SET_DEBUGREGS, &dr);
}

bool kvm_cpu_reset(struct kvm_cpu *cpu, GError **err)
{
    struct kvm *k = cpu->k;
    bool boot = k->has_boot && cpu->index == 0;
    struct kvm_mp_state mp = { cpu->index == 0 ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED };
    struct kvm_lapic_state lapic;
    struct kvm_sregs sregs;
    struct kvm_regs regs;
    int r;

    if (cpu->nested_fresh)
        kvm_ioctl(cpu->fd, KVM_SET_NESTED_STATE, cpu->nested_fresh);
    reset_sregs(cpu, &sregs);
    if (boot)
        boot_sregs(&k->boot, &sregs);
    reset_regs(cpu, boot, &regs);
    reset_lapic(cpu, &lapic);
    kvm_ioctl(cpu->fd, KVM_SET_MP_STATE, &mp);
    r = kvm_ioctl(cpu->fd, KVM_SET_SREGS, &sregs);
    if (r < 0)
        return fail(err, "KVM refuses the system registers: %s", g_strerror(-r));
    r = kvm_ioctl(cpu->fd, KVM_SET_LAPIC, &lapic);
    if (r < 0)
        return fail(err, "KVM refuses the LAPIC's state: %s", g_strerror(-r));
    kvm_reset_msrs(cpu);
    reset_fpu(cpu);
    reset_events(cpu);
    r = kvm_ioctl(cpu->fd, KVM_SET_REGS, &regs);
    return r == 0 || fail(err, "KVM refuses the registers: %s", g_strerror(-r));
}

/* --- general registers ------------------------------------------------------------------------ */

bool kvm_get_gprs(struct kvm *k, unsigned cpu, struct cpu_gprs *g)
{
    struct kvm_regs r;

    if (cpu >= k->n_cpus || kvm_ioctl(k->cpus[cpu].fd, KVM_GET_REGS, &r) < 0)
        return false;
    *g = (struct cpu_gprs){ r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8,
                            r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip, r.rflags };
    return true;
}

bool kvm_set_gprs(struct kvm *k, unsigned cpu, const struct cpu_gprs *g)
{
    struct kvm_regs r = { .rax = g->rax,
                          .rbx = g->rbx,
                          .rcx = g->rcx,
                          .rdx = g->rdx,
                          .rsi = g->rsi,
                          .rdi = g->rdi,
                          .rbp = g->rbp,
                          .rsp = g->rsp,
                          .r8 = g->r8,
                          .r9 = g->r9,
                          .r10 = g->r10,
                          .r11 = g->r11,
                          .r12 = g->r12,
                          .r13 = g->r13,
                          .r14 = g->r14,
                          .r15 = g->r15,
                          .rip = g->rip,
                          .rflags = g->rflags };

    k->touched = true;
    return cpu < k->n_cpus && kvm_ioctl(k->cpus[cpu].fd, KVM_SET_REGS, &r) == 0;
}

/* --- dump ------------------------------------------------------------------------------------- */

static void dump_segment(GString *out, const char *name, const struct kvm_segment *s)
{
    g_string_append_printf(out, "%-4s %04x base=%016" PRIx64 " limit=%08x type=%x%s dpl=%u%s%s%s%s\n", name,
                           s->selector, (uint64_t) s->base, s->limit, s->type, s->s ? "" : " system",
                           s->dpl, s->present ? " present" : "", s->db ? " 32" : "", s->l ? " 64" : "",
                           s->unusable ? " unusable" : "");
}

void kvm_cpu_dump(struct kvm_cpu *cpu, GString *out)
{
    static const char *const mp_names[] = { "runnable", "uninitialized", "init", "halted", "sipi" };
    struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };
    struct kvm_sregs s;
    struct kvm_regs r;
    int e = kvm_ioctl(cpu->fd, KVM_GET_REGS, &r);

    if (e == 0)
        e = kvm_ioctl(cpu->fd, KVM_GET_SREGS, &s);
    if (e < 0) {
        g_string_append_printf(out, "CPU %u: its registers can't be read: %s\n", cpu->index, g_strerror(-e));
        return;
    }
    kvm_ioctl(cpu->fd, KVM_GET_MP_STATE, &mp);
    g_string_append_printf(out, "CPU %u: %s, %s\n", cpu->index,
                           mp.mp_state < G_N_ELEMENTS(mp_names) ? mp_names[mp.mp_state] : "?",
                           s.efer & BIT(10) ? s.cs.l ? "64-bit mode" : "compatibility mode" :
                           s.cr0 & 1        ? r.rflags & BIT(17) ? "virtual 8086 mode" : "protected mode" :
                                              "real mode");
    const struct {
        const char *name;
        uint64_t v;
    } gpr[] = {
        { "rax", r.rax }, { "rbx", r.rbx }, { "rcx", r.rcx }, { "rdx", r.rdx }, { "rsi", r.rsi },
        { "rdi", r.rdi },
        { "rbp", r.rbp }, { "rsp", r.rsp }, { "r8", r.r8 },   { "r9", r.r9 },   { "r10", r.r10 },
        { "r11", r.r11 },
        { "r12", r.r12 }, { "r13", r.r13 }, { "r14", r.r14 }, { "r15", r.r15 }, { "rip", r.rip },
        { "rfl", r.rflags },
        { "cr0", s.cr0 }, { "cr2", s.cr2 }, { "cr3", s.cr3 }, { "cr4", s.cr4 }, { "cr8", s.cr8 },
        { "efer", s.efer },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(gpr); i++)
        g_string_append_printf(out, "%-4s %016" PRIx64 "%s", gpr[i].name, gpr[i].v,
                               i % 4 == 3 ? "\n" : "  ");
    dump_segment(out, "cs", &s.cs);
    dump_segment(out, "ds", &s.ds);
    dump_segment(out, "es", &s.es);
    dump_segment(out, "ss", &s.ss);
    dump_segment(out, "fs", &s.fs);
    dump_segment(out, "gs", &s.gs);
    dump_segment(out, "ldt", &s.ldt);
    dump_segment(out, "tr", &s.tr);
    g_string_append_printf(out,
                           "gdt  base=%016" PRIx64 " limit=%04x   idt  base=%016" PRIx64 " limit=%04x\n",
                           (uint64_t) s.gdt.base, s.gdt.limit, (uint64_t) s.idt.base, s.idt.limit);
}
