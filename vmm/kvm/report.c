/* vmm/kvm/report.c - when KVM can't go on: say what happened, where, and what it means, and stop by policy.
 */
#include "vmm/kvm/internal.h"

struct code { /* bytes of the instruction at RIP, as far as they can be read */
    uint8_t b[16];
    unsigned n;
    bool ring3, long_mode, protected_mode, paging;
    uint64_t linear;
};

static bool read_byte(struct kvm_cpu *cpu, uint64_t linear, uint8_t *b)
{
    struct kvm_translation tr = { .linear_address = linear };

    if (kvm_ioctl(cpu->fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid)
        return false;
    const struct range *p = space_lookup(&cpu->k->vm->mem, tr.physical_address);
    if (!p || p->r->kind == REGION_IO) /* reading a register could change it */
        return false;
    *b = p->r->ram->host[p->r->ram_off + p->off + (tr.physical_address - p->addr)];
    return true;
}

static void read_code(struct kvm_cpu *cpu, struct code *c)
{
    struct kvm_sregs s;
    struct kvm_regs r;

    memset(c, 0, sizeof *c);
    if (kvm_ioctl(cpu->fd, KVM_GET_SREGS, &s) < 0 || kvm_ioctl(cpu->fd, KVM_GET_REGS, &r) < 0)
        return;
    c->protected_mode = s.cr0 & 1;
    c->paging = s.cr0 & BIT(31);
    c->long_mode = s.cs.l;
    c->ring3 = c->protected_mode && s.ss.dpl == 3;
    c->linear = s.cs.base + r.rip;
    if (!c->long_mode)
        c->linear = (uint32_t) c->linear;
    while (c->n < sizeof c->b && read_byte(cpu, c->linear + c->n, &c->b[c->n]))
        c->n++;
}

/* --- naming what software implementations of KVM can't interpret ------------------------------ */

static const char *name_0f(const uint8_t *b, unsigned n, uint8_t rep)
{
    uint8_t op = b[0], modrm = n > 1 ? b[1] : 0, reg = modrm >> 3 & 7;

    switch (op) {
    case 0x01:
        switch (modrm) {
        case 0xc8: return "MONITOR";
        case 0xc9: return "MWAIT";
        case 0xca: return "CLAC";
        case 0xcb: return "STAC";
        case 0xd0: return "XGETBV";
        case 0xd1: return "XSETBV";
        }
        return NULL;
    case 0x38:
        return n > 1 && b[1] >= 0x80 && b[1] <= 0x82 ? "INVPCID (or another of its group)" :
                                                       "an SSE instruction";
    case 0x3a:
        return "an SSE instruction";
    case 0x77:
        return "EMMS";
    case 0xae:
        return (modrm >> 6) == 3 && rep ? "RDFSBASE (or another of its group)" :
               (modrm >> 6) == 3 ? NULL :
               reg <= 1 ? "FXSAVE or FXRSTOR" : reg <= 3 ? "LDMXCSR or STMXCSR" : "XSAVE or XRSTOR";
    case 0xb8:
        return rep == 0xf3 ? "POPCNT" : NULL;
    case 0xc7:
        return reg == 1 ? "CMPXCHG16B" :
               reg == 6 ? "RDRAND" :
               reg == 7 ? "RDSEED" :
                          "XSAVES (or another of its group)";
    }
    if ((op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) || (op >= 0x50 && op <= 0x7f) ||
        op == 0xc2 || (op >= 0xc4 && op <= 0xc6) || op >= 0xd0)
        return "an MMX or SSE instruction";
    return NULL;
}

static const char *name_instruction(const struct code *c)
{
    unsigned i = 0;
    uint8_t rep = 0;

    for (; i < c->n; i++) {
        uint8_t b = c->b[i];
        if (b == 0xf2 || b == 0xf3)
            rep = b;
        else if (b != 0x66 && b != 0x67 && b != 0xf0 && b != 0x26 && b != 0x2e && b != 0x36 && b != 0x3e &&
                 b != 0x64 && b != 0x65 && !(c->long_mode && (b & 0xf0) == 0x40))
            break;
    }
    if (i >= c->n)
        return NULL;
    uint8_t op = c->b[i];
    switch (op) {
    case 0x0f: return i + 1 < c->n ? name_0f(c->b + i + 1, c->n - i - 1, rep) : NULL;
    case 0x9b: return "FWAIT";
    case 0xcc: return "INT3";
    case 0xcd: return "INT n";
    case 0xce: return "INTO";
    case 0xcf: return "IRET";
    case 0x9a: return "a far CALL";
    case 0xea: return "a far JMP";
    case 0xc4:
    case 0xc5:
    case 0x62: return c->long_mode ? "an AVX instruction" : NULL;
    }
    return op >= 0xd8 && op <= 0xdf ? "an x87 instruction" : NULL;
}

static void explain_emulation(const struct code *c, GString *out)
{
    const char *name = name_instruction(c), *mode = !c->protected_mode ? "real mode" :
        c->long_mode ? c->ring3 ? "64-bit user mode" : "64-bit kernel mode" : "protected mode";

    if (!c->n)
        g_string_append_printf(
            out, "the guest executes at 0x%" PRIx64 ", where there is no memory: it went astray.\n",
            c->linear);
    else if (name)
        g_string_append_printf(out, "this host's KVM can't execute %s in %s. A KVM on VT-x or AMD-V can.\n",
                               name, mode);
    else
        g_string_append_printf(
            out,
            "this host's KVM can't emulate this instruction in %s: the guest went astray, or "
            "needs a KVM on VT-x or AMD-V.\n",
            mode);
}

/* --- by exit ---------------------------------------------------------------------------------- */

static void explain_internal(struct kvm_run *run, const struct code *c, GString *out)
{
    switch (run->internal.suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
        explain_emulation(c, out);
        return;
    case KVM_INTERNAL_ERROR_SIMUL_EX:
        g_string_append(out, "an exception came while KVM delivered another.\n");
        break;
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        g_string_append(
            out,
            "the delivery of an interrupt or exception touched memory that is none: the guest's stack or "
            "descriptor table lies in a device.\n");
        break;
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        g_string_append(out, "the processor left the guest for a reason that KVM does not know.\n");
        break;
    default:
        g_string_append_printf(out, "suberror %u.\n", run->internal.suberror);
    }
    unsigned n = MIN(run->internal.ndata, G_N_ELEMENTS(run->internal.data));
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(out, "%sdata %016" PRIx64 "%s", i ? "  " : "",
                               (uint64_t) run->internal.data[i], i + 1 == n ? "\n" : "");
}

static void explain(struct kvm_cpu *cpu, const struct code *c, GString *out)
{
    struct kvm_run *run = cpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
        explain_internal(run, c, out);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        g_string_append_printf(
            out, "hardware reason 0x%" PRIx64 "%s.\n",
            (uint64_t) run->fail_entry.hardware_entry_failure_reason,
            run->fail_entry.hardware_entry_failure_reason == 0x80000021 ?
                ": invalid guest state (a processor without \"unrestricted guest\" can't run this code)" :
                "");
        break;
    case KVM_EXIT_EXCEPTION:
        g_string_append_printf(out, "exception %u, error code 0x%x.\n", run->ex.exception,
                               run->ex.error_code);
        break;
    case KVM_EXIT_UNKNOWN:
        g_string_append_printf(out, "hardware exit reason 0x%" PRIx64 ".\n",
                               (uint64_t) run->hw.hardware_exit_reason);
        break;
    default:
        g_string_append_printf(out, "exit reason %u.\n", run->exit_reason);
    }
}

static void append_code(const struct code *c, GString *out)
{
    g_string_append_printf(out, "code at 0x%" PRIx64 ":", c->linear);
    for (unsigned i = 0; i < c->n; i++)
        g_string_append_printf(out, " %02x", c->b[i]);
    g_string_append(out, c->n ? "\n" : " not readable\n");
}

void kvm_report(struct kvm_cpu *cpu, const char *what)
{
    struct kvm *k = cpu->k;
    GString *out = g_string_new(NULL);
    struct code c;

    read_code(cpu, &c);
    g_string_append_printf(out, "bantam: KVM: CPU %u: %s: ", cpu->index, what);
    explain(cpu, &c, out);
    kvm_cpu_dump(cpu, out);
    append_code(&c, out);
    fputs(out->str, stderr);
    g_string_free(out, TRUE);
    if (k->cfg.on_internal_error == ACTION_PAUSE)
        vm_request_stop(k->vm, RUN_INTERNAL_ERROR);
    else
        vm_request_shutdown(k->vm, CAUSE_INTERNAL_ERROR);
}
