/* vmm/kvm/hyperv.c - Hyper-V enlightenments, for guests that know that hypervisor (Windows), where KVM has
 * them.
 *
 * Source: Microsoft Hypervisor Top Level Functional Specification 6.0b, chapter 2.4 (CPUID) and appendix.
 */
#include "vmm/kvm/cpu.h"
#include "vmm/kvm/internal.h"

/* What a feature sets in leaves 40000003 (EAX, EDX), 40000004 (EAX) and 40000006 (EAX), and what it needs.
 */
static const struct {
    uint32_t f3_eax, f3_edx, f4_eax, f6_eax, needs;
} bits[N_HV] = {
    [HV_RELAXED] = { .f3_eax = BIT(5), .f4_eax = BIT(5) },
    [HV_VAPIC] = { .f3_eax = BIT(5) | BIT(4), .f4_eax = BIT(3) },
    [HV_TIME] = { .f3_eax = BIT(5) | BIT(1) | BIT(9) },
    [HV_CRASH] = { .f3_edx = BIT(10) },
    [HV_RESET] = { .f3_eax = BIT(7) },
    [HV_VPINDEX] = { .f3_eax = BIT(6) },
    [HV_RUNTIME] = { .f3_eax = BIT(0) },
    [HV_SYNIC] = { .f3_eax = BIT(2), .needs = BIT(HV_VPINDEX) },
    [HV_STIMER] = { .f3_eax = BIT(3), .needs = BIT(HV_SYNIC) | BIT(HV_TIME) },
    [HV_STIMER_DIRECT] = { .f3_edx = BIT(19), .needs = BIT(HV_STIMER) },
    [HV_FREQUENCIES] = { .f3_eax = BIT(11), .f3_edx = BIT(8) },
    [HV_REENLIGHTENMENT] = { .f3_eax = BIT(13) },
    [HV_TLBFLUSH] = { .f4_eax = BIT(2) | BIT(11), .needs = BIT(HV_VPINDEX) },
    [HV_IPI] = { .f4_eax = BIT(10) | BIT(11), .needs = BIT(HV_VPINDEX) },
    [HV_EVMCS] = { .f4_eax = BIT(14), .needs = BIT(HV_VAPIC) },
    [HV_AVIC] = { .f4_eax = BIT(9) },
    [HV_XMM_INPUT] = { .f3_edx = BIT(4) },
};

static bool check_needs(const struct cpu_def *d, GError **err)
{
    for (unsigned i = 0; i < N_HV; i++)
        for (unsigned j = 0; j < N_HV; j++)
            if ((d->hv & BIT(i)) && (bits[i].needs & BIT(j)) && !(d->hv & BIT(j)))
                return fail(err, "-cpu: %s needs %s: add %s=on", hv_names[i], hv_names[j], hv_names[j]);
    return true;
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *c, uint32_t function)
{
    static const struct kvm_cpuid_entry2 none;

    for (unsigned i = 0; i < c->nent; i++)
        if (c->entries[i].function == function)
            return &c->entries[i];
    return &none;
}

/* What KVM says that it has; KVMs that can't say are asked for the capability alone. */
static bool check_kvm(const struct cpu_def *d, int dev_fd, GError **err)
{
    enum { N = 32 };
    struct {
        struct kvm_cpuid2 hdr;
        struct kvm_cpuid_entry2 e[N];
    } buf = { .hdr.nent = N };
    const struct kvm_cpuid2 *c = &buf.hdr;

    if (kvm_ioctl(dev_fd, KVM_CHECK_EXTENSION, (void *) KVM_CAP_SYS_HYPERV_CPUID) <= 0 ||
        kvm_ioctl(dev_fd, KVM_GET_SUPPORTED_HV_CPUID, &buf) < 0)
        return true;
    const struct kvm_cpuid_entry2 *f3 = leaf(c, 0x40000003), *f4 = leaf(c, 0x40000004);
    for (unsigned i = 0; i < N_HV; i++)
        if ((d->hv & BIT(i)) &&
            ((bits[i].f3_eax & ~f3->eax) || (bits[i].f3_edx & ~f3->edx) || (bits[i].f4_eax & ~f4->eax)))
            return fail(err, "-cpu: %s: this host's KVM does not have it", hv_names[i]);
    return true;
}

bool hv_check(const struct cpu_def *d, int dev_fd, GError **err)
{
    const char *first = d->hv_spinlocks ? "hv-spinlocks" : "hv-vendor-id";

    for (unsigned i = N_HV; i-- > 0;)
        first = d->hv & BIT(i) ? hv_names[i] : first;
    if (kvm_ioctl(dev_fd, KVM_CHECK_EXTENSION, (void *) KVM_CAP_HYPERV) <= 0)
        return fail(err, "-cpu: %s: this host's KVM has no Hyper-V enlightenments; leave it out", first);
    return check_needs(d, err) && check_kvm(d, dev_fd, err);
}

void hv_leaves(const struct cpu_def *d,
               void (*add)(void *, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t), void *opaque,
               const struct cpu_topology *t)
{
    uint32_t v[3], f3_eax = BIT(5) | BIT(6), f3_edx = 0, f4_eax = 0, f6_eax = 0;

    for (unsigned i = 0; i < N_HV; i++) {
        if (!(d->hv & BIT(i)))
            continue;
        f3_eax |= bits[i].f3_eax;
        f3_edx |= bits[i].f3_edx;
        f4_eax |= bits[i].f4_eax;
        f6_eax |= bits[i].f6_eax;
    }
    memcpy(v, d->hv_vendor[0] ? d->hv_vendor : "Microsoft Hv", 12);
    add(opaque, 0x40000000, d->hv & BIT(HV_EVMCS) ? 0x4000000a : 0x40000006, v[0], v[1], v[2]);
    memcpy(v, "Hv#1", 4);
    add(opaque, 0x40000001, v[0], 0, 0, 0);
    add(opaque, 0x40000002, 0x3839, 0xa0000, 0, 0); /* build 14393, version 10.0: no guest looks twice */
    add(opaque, 0x40000003, f3_eax, 0, 0, f3_edx);
    add(opaque, 0x40000004, f4_eax, d->hv_spinlocks ? d->hv_spinlocks : UINT32_MAX, 0, 0);
    add(opaque, 0x40000005, t->max_cpus, 64, 0, 0);
    add(opaque, 0x40000006, f6_eax, 0, 0, 0);
    if (d->hv & BIT(HV_EVMCS))
        add(opaque, 0x4000000a, 0x0101, 0, 0, 0); /* enlightened VMCS version 1 */
}

static bool enable(int fd, uint32_t cap, const char *name, GError **err)
{
    uint16_t version = 0;
    struct kvm_enable_cap arg = { .cap = cap };

    arg.args[0] = (uintptr_t) &version;
    int r = kvm_ioctl(fd, KVM_ENABLE_CAP, &arg);
    return r == 0 || fail(err, "-cpu: %s: this host's KVM refuses it: %s", name, g_strerror(-r));
}

bool hv_enable(const struct cpu_def *d, int fd, unsigned index, GError **err)
{
    struct {
        struct kvm_msrs hdr;
        struct kvm_msr_entry e;
    } vp = { .hdr.nmsrs = 1, .e = { .index = 0x40000002, .data = index } }; /* HV_X64_MSR_VP_INDEX */

    if ((d->hv & BIT(HV_SYNIC)) && !enable(fd, KVM_CAP_HYPERV_SYNIC2, hv_names[HV_SYNIC], err))
        return false;
    if ((d->hv & BIT(HV_EVMCS)) && !enable(fd, KVM_CAP_HYPERV_ENLIGHTENED_VMCS, hv_names[HV_EVMCS], err))
        return false;
    if (d->hv & BIT(HV_VPINDEX))
        kvm_ioctl(fd, KVM_SET_MSRS, &vp); /* KVM's own numbers are the same without gaps in the APIC ids */
    return true;
}
