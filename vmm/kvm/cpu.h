/* vmm/kvm/cpu.h - what -cpu means: from its text to CPUID entries.  Internal to vmm/kvm/.
 *
 * A feature is a bit of a `word`, one register of a CPUID leaf (or an MSR).  features.c names them,
 * models.c lists the named models, cpuspec.c reads the text and settles what this host can do of it,
 * cpuid.c and hyperv.c make the leaves. */
#ifndef BANTAM_KVM_CPU_H
#define BANTAM_KVM_CPU_H

#include "vmm/kvm/kvm.h"

#include <linux/kvm.h>

enum cpu_reg { REG_EAX, REG_EBX, REG_ECX, REG_EDX };

enum cpu_word {
    W_1_EDX, W_1_ECX, W_6_EAX, W_7_EBX, W_7_ECX, W_7_EDX, W_7_1_EAX, W_7_1_EDX, W_7_2_EDX, W_XSAVE,
    W_EXT_EDX, W_EXT_ECX, W_EXT7_EDX, W_EXT8_EBX, W_SVM, W_EXT21_EAX, W_KVM, W_KVM_HINTS, W_ARCH_CAP,
    N_WORDS
};

struct cpu_word_info {
    const char *where;        /* for messages */
    uint32_t function, index; /* CPUID leaf; 0xffffffff: an MSR's low half, `index` */
    enum cpu_reg reg;
    const char *names[32];    /* QEMU's; NULL: no name, and never given to a guest */
};
extern const struct cpu_word_info cpu_words[N_WORDS];

/* By name or alias, `_`, `-` and `.` being alike.  A name may stand for more than one bit (kvmclock). */
bool cpu_feature_find(const char *name, enum cpu_word *w, uint32_t *mask);
char *cpu_feature_hint(const char *name); /* " (did you mean ...)" or ""; g_free it */
/* "a, b, c" of the bits set; appended. */
void cpu_feature_list(const uint32_t words[N_WORDS], GString *out);
/* Space-separated names, "-name" to take away, applied to words; a wrong name is our mistake. */
void cpu_features_apply(const char *names, uint32_t words[N_WORDS]);
uint32_t cpu_word_of(const struct kvm_cpuid2 *c, enum cpu_word w); /* as the leaves have it; 0 for MSRs */
/* Clear what makes no sense without something else that is missing. */
void cpu_features_settle(uint32_t words[N_WORDS]);

struct cpu_model {
    const char *name, *parent, *vendor;
    uint8_t family, model, stepping;
    uint32_t level, xlevel;
    const char *id;
    const char *features; /* beyond the parent's */
};
extern const struct cpu_model cpu_models[]; /* name NULL at the end */
const struct cpu_model *cpu_model_find(const char *name);
void cpu_model_words(const struct cpu_model *m, uint32_t words[N_WORDS]);

enum hv_feature {
    HV_RELAXED, HV_VAPIC, HV_TIME, HV_CRASH, HV_RESET, HV_VPINDEX, HV_RUNTIME, HV_SYNIC, HV_STIMER,
    HV_STIMER_DIRECT,
    HV_FREQUENCIES, HV_REENLIGHTENMENT, HV_TLBFLUSH, HV_IPI, HV_EVMCS, HV_AVIC, HV_XMM_INPUT, N_HV
};
extern const char *const hv_names[N_HV + 1];

struct cpu_def { /* a checked -cpu */
    char *name;
    bool host;                 /* host, max: leaves of the host where we don't make them */
    uint32_t words[N_WORDS], can[N_WORDS]; /* the guest's features; what host and KVM can do */
    char vendor[13], id[49];
    unsigned family, model, stepping, phys_bits;
    uint32_t level, xlevel;
    bool kvm, pmu, l3_cache, host_cache;
    uint64_t tsc_hz;           /* 0: the host's */
    uint32_t hv;               /* 1 << HV_* */
    uint32_t hv_spinlocks;
    char hv_vendor[13];
    const struct kvm_cpuid2 *supported;
    struct kvm_cpuid2 *leaves; /* as of the last vCPU */
};

struct kvm_cpuid2 *cpu_get_supported(int dev_fd, GError **err); /* g_free it */

/* `warn`: say on stderr what the host lacks.  NULL: the text is wrong, or "enforce" and the host lacks
 * something. `supported` must outlive the result. */
struct cpu_def *cpu_def_new(const struct kvm_config *cfg, const struct kvm_cpuid2 *supported, int dev_fd,
                            bool warn, GError **err);
void cpu_def_free(struct cpu_def *def);

/* Give vCPU `fd` its CPUID, TSC frequency and feature MSRs. */
bool cpu_def_apply(struct cpu_def *def, int fd, const struct cpu_topology *topo, unsigned index,
                   GError **err);
uint32_t cpu_def_signature(const struct cpu_def *def); /* CPUID 1 EAX */
static inline bool cpu_def_can_nest(const struct cpu_def *def)
{
    return (def->words[W_1_ECX] & BIT(5)) || (def->words[W_EXT_ECX] & BIT(2)); /* VMX, SVM */
}

/* hyperv.c: leaves 0x40000000..., appended to *leaves; the CPU's capabilities. */
bool hv_check(const struct cpu_def *def, int dev_fd, GError **err);
void hv_leaves(const struct cpu_def *def,
               void (*add)(void *opaque, uint32_t function, uint32_t a, uint32_t b, uint32_t c, uint32_t d),
               void *opaque, const struct cpu_topology *t);
bool hv_enable(const struct cpu_def *def, int cpu_fd, unsigned index, GError **err);

#endif
