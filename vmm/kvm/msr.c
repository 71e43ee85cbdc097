/* vmm/kvm/msr.c - model-specific registers: what RESET puts into them; what KVM refuses is skipped.
 *
 * Values after RESET: SDM vol. 3 table 9-1, APM vol. 2 table 14-1. */
#include "vmm/kvm/internal.h"

enum { CHUNK = 128 };

static bool is_refused(const struct kvm *k, uint32_t index)
{
    for (unsigned i = 0; i < k->refused->len; i++)
        if (g_array_index(k->refused, uint32_t, i) == index)
            return true;
    return false;
}

int kvm_set_msrs(struct kvm_cpu *cpu, const struct kvm_msr_entry *e, unsigned n)
{
    struct {
        struct kvm_msrs hdr;
        struct kvm_msr_entry e[CHUNK];
    } buf;
    int done = 0;

    for (unsigned at = 0; at < n;) {
        unsigned m = 0;
        while (at < n && m < CHUNK) {
            if (!is_refused(cpu->k, e[at].index))
                buf.e[m++] = e[at];
            at++;
        }
        for (unsigned first = 0; first < m;) {
            /* KVM stops at the first that it refuses and says how many it took. */
            memset(&buf.hdr, 0, sizeof buf.hdr);
            buf.hdr.nmsrs = m - first;
            memmove(buf.e, buf.e + first, (m - first) * sizeof buf.e[0]);
            m -= first;
            int r = kvm_ioctl(cpu->fd, KVM_SET_MSRS, &buf);
            if (r < 0)
                return done;
            done += r;
            if ((unsigned) r >= m)
                break;
            TRACER(&cpu->k->trace, "CPU %u: MSR 0x%x = 0x%" PRIx64 " is refused", cpu->index, buf.e[r].index,
                   (uint64_t) buf.e[r].data);
            if (buf.e[r].data == 0) /* it refuses more than a value */
                g_array_append_val(cpu->k->refused, buf.e[r].index);
            first = (unsigned) r + 1;
        }
    }
    return done;
}

bool kvm_get_msr(struct kvm_cpu *cpu, uint32_t index, uint64_t *val)
{
    struct {
        struct kvm_msrs hdr;
        struct kvm_msr_entry e;
    } buf = { .hdr.nmsrs = 1, .e.index = index };

    if (kvm_ioctl(cpu->fd, KVM_GET_MSRS, &buf) != 1)
        return false;
    *val = buf.e.data;
    return true;
}

/* --- RESET ------------------------------------------------------------------------------------ */

static const struct kvm_msr_entry after_reset[] = {
    /* IA32_TIME_STAMP_COUNTER; first: KVM keeps vCPUs in step that are set to one value in turn */
    { .index = 0x10 },
    { .index = 0x3b },  /* IA32_TSC_ADJUST */
    { .index = 0x3a },  /* IA32_FEATURE_CONTROL: unlocked */
    { .index = 0x48 },  /* IA32_SPEC_CTRL */
    { .index = 0xe1 },  /* IA32_UMWAIT_CONTROL */
    { .index = 0x122 }, /* IA32_TSX_CTRL */
    { .index = 0x174 }, { .index = 0x175 }, { .index = 0x176 }, /* IA32_SYSENTER_CS, ESP, EIP */
    { .index = 0x17a },                                         /* IA32_MCG_STATUS */
    { .index = 0x1a0, .data = 1 },                              /* IA32_MISC_ENABLE: fast strings */
    { .index = 0x1c4 }, { .index = 0x1c5 },                     /* IA32_XFD, IA32_XFD_ERR */
    { .index = 0x1d9 },                                         /* IA32_DEBUGCTL */
    { .index = 0x277, .data = 0x0007040600070406 },             /* IA32_PAT */
    { .index = 0x2ff },                                         /* IA32_MTRR_DEF_TYPE: all uncached */
    /* IA32_FIXED_CTR_CTRL, PERF_GLOBAL_CTRL, PEBS_ENABLE */
    { .index = 0x38d }, { .index = 0x38f }, { .index = 0x3f1 },
    { .index = 0x6a0 }, { .index = 0x6a2 },                     /* IA32_U_CET, IA32_S_CET */
    { .index = 0x6e0 },                                         /* IA32_TSC_DEADLINE */
    { .index = 0x6e1 },                                         /* IA32_PKRS */
    { .index = 0xd90 }, { .index = 0xda0 },                     /* IA32_BNDCFGS, IA32_XSS */
    /* STAR, LSTAR, CSTAR, SFMASK */
    { .index = 0xc0000081 }, { .index = 0xc0000082 }, { .index = 0xc0000083 }, { .index = 0xc0000084 },
    { .index = 0xc0000102 },                                    /* KERNEL_GS_BASE */
    { .index = 0xc0000103 },                                    /* TSC_AUX */
    { .index = 0xc0000104, .data = 1ULL << 32 },                /* TSC_RATIO */
    { .index = 0xc0010117 },                                    /* VM_HSAVE_PA */
    { .index = 0xc001011f },                                    /* VIRT_SPEC_CTRL */
    { .index = 0x11 }, { .index = 0x12 },                       /* KVM: old wall clock and system time */
    { .index = 0x4b564d00 }, { .index = 0x4b564d01 },           /* KVM: wall clock, system time */
    /* KVM: async page faults, steal time, PV EOI */
    { .index = 0x4b564d02 }, { .index = 0x4b564d03 }, { .index = 0x4b564d04 },
    { .index = 0x4b564d05, .data = 1 },                         /* KVM: poll control */
    { .index = 0x4b564d06 },                                    /* KVM: async page fault vector */
};

static const uint32_t mtrr_fixed[] = { /* 64K, 16K, 4K ranges, ascending */
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
};
enum { MTRR_PHYS_BASE0 = 0x200, N_MTRR_VARIABLE = 8, MTRR_WB = 6, MTRR_WP = 5 };

static void add(GArray *a, uint32_t index, uint64_t data)
{
    struct kvm_msr_entry e = { .index = index, .data = data };

    g_array_append_val(a, e);
}

static void add_mtrrs_off(GArray *a)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(mtrr_fixed); i++)
        add(a, mtrr_fixed[i], 0);
    for (uint32_t i = 0; i < 2 * N_MTRR_VARIABLE; i++)
        add(a, MTRR_PHYS_BASE0 + i, 0);
}

static unsigned phys_bits(const struct kvm *k)
{
    for (unsigned i = 0; i < k->supported->nent; i++) {
        unsigned bits = k->supported->entries[i].eax & 0xff;
        if (k->supported->entries[i].function == 0x80000008 && bits)
            return bits;
    }
    return 36;
}

/* As firmware leaves them: write-back by default, video memory uncached, the ROM area write-protected, and
 * the PCI hole below 4 GiB uncached, by one register: its largest aligned power of two. */
static void add_mtrrs_on(const struct kvm *k, GArray *a)
{
    uint64_t hole = 4 * GiB - MIN(k->boot.uncached_base, 4 * GiB - 64 * MiB), size = 64 * MiB;

    while (size * 2 <= hole && size < 2 * GiB)
        size *= 2;
    for (unsigned i = 0; i < G_N_ELEMENTS(mtrr_fixed); i++) {
        uint64_t type = i < 2 ? MTRR_WB : i == 2 ? 0 : MTRR_WP;
        add(a, mtrr_fixed[i], type * 0x0101010101010101ULL);
    }
    add(a, MTRR_PHYS_BASE0, 4 * GiB - size);
    add(a, MTRR_PHYS_BASE0 + 1, ((1ULL << phys_bits(k)) - size) | BIT(11));
    for (uint32_t i = 2; i < 2 * N_MTRR_VARIABLE; i++)
        add(a, MTRR_PHYS_BASE0 + i, 0);
    add(a, 0x2ff, BIT(11) | BIT(10) | MTRR_WB);
}

static void add_machine_checks(struct kvm_cpu *cpu, GArray *a)
{
    uint64_t cap;

    if (is_refused(cpu->k, 0x179) || !kvm_get_msr(cpu, 0x179, &cap)) /* IA32_MCG_CAP */
        return;
    if (cap & BIT(8))
        add(a, 0x17b, UINT64_MAX); /* IA32_MCG_CTL */
    for (uint32_t i = 0; i < MIN(cap & 0xff, 32); i++) {
        add(a, 0x400 + 4 * i, UINT64_MAX); /* IA32_MCi_CTL */
        add(a, 0x401 + 4 * i, 0);          /* IA32_MCi_STATUS */
    }
}

void kvm_reset_msrs(struct kvm_cpu *cpu)
{
    struct kvm *k = cpu->k;
    GArray *a = g_array_sized_new(FALSE, FALSE, sizeof(struct kvm_msr_entry), 128);

    g_array_append_vals(a, after_reset, G_N_ELEMENTS(after_reset));
    if (k->has_boot && k->boot.uncached_base)
        add_mtrrs_on(k, a);
    else
        add_mtrrs_off(a);
    add_machine_checks(cpu, a);
    kvm_set_msrs(cpu, (const struct kvm_msr_entry *) a->data, a->len);
    g_array_free(a, TRUE);
}
