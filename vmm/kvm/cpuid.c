/* vmm/kvm/cpuid.c - CPUID as each vCPU sees it: the model's leaves, with topology put in. */
#include "vmm/kvm/cpu.h"
#include "vmm/kvm/internal.h"

#include <unistd.h>

struct cpu_def {
    struct kvm_cpuid2 *base;
};

struct kvm_cpuid2 *cpu_get_supported(int dev_fd, GError **err)
{
    for (unsigned n = 128; n <= 4096; n *= 2) {
        struct kvm_cpuid2 *c = g_malloc0(sizeof *c + n * sizeof c->entries[0]);
        c->nent = n;
        int r = kvm_ioctl(dev_fd, KVM_GET_SUPPORTED_CPUID, c);
        if (r == 0)
            return c;
        g_free(c);
        if (r != -E2BIG) {
            fail(err, "KVM does not say what CPUs it can make: %s", g_strerror(-r));
            return NULL;
        }
    }
    fail(err, "KVM says too much about what CPUs it can make");
    return NULL;
}

struct cpu_def *cpu_def_new(const struct kvm_config *cfg, const struct kvm_cpuid2 *supported, bool warn, GError **err)
{
    struct cpu_def *d = g_new0(struct cpu_def, 1);
    (void) cfg, (void) warn, (void) err;
    d->base = g_memdup2(supported, sizeof *supported + supported->nent * sizeof supported->entries[0]);
    return d;
}

void cpu_def_free(struct cpu_def *d)
{
    if (!d)
        return;
    g_free(d->base);
    g_free(d);
}

bool cpu_def_apply(struct cpu_def *d, int fd, const struct cpu_topology *t, unsigned index, int dev_fd, GError **err)
{
    unsigned id = cpu_apic_id(t, index), logical = t->threads * t->cores * t->dies;
    (void) dev_fd;
    for (unsigned i = 0; i < d->base->nent; i++) {
        struct kvm_cpuid_entry2 *e = &d->base->entries[i];
        if (e->function == 1) {
            e->ebx = (e->ebx & 0xffff) | id << 24 | (logical & 0xff) << 16;
            e->edx = (e->edx & ~BIT(28)) | (logical > 1 ? BIT(28) : 0);
        }
        if (e->function == 0xb || e->function == 0x1f)
            e->edx = id;
    }
    int r = kvm_ioctl(fd, KVM_SET_CPUID2, d->base);
    return r == 0 || fail(err, "KVM refuses the CPUID leaves: %s", g_strerror(-r));
}

uint32_t cpu_def_signature(const struct cpu_def *d)
{
    for (unsigned i = 0; i < d->base->nent; i++)
        if (d->base->entries[i].function == 1)
            return d->base->entries[i].eax;
    return 0x600;
}

bool cpu_def_can_nest(const struct cpu_def *d)
{
    (void) d;
    return true;
}

bool kvm_check_cpu(const struct kvm_config *cfg, GError **err)
{
    (void) cfg;
    int fd = kvm_open(cfg->device, err);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void kvm_cpu_help(GString *out)
{
    g_string_append(out, "host\n");
}
