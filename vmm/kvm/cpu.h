/* vmm/kvm/cpu.h - what -cpu means: from its text to CPUID entries.  Internal to vmm/kvm/. */
#ifndef BANTAM_KVM_CPU_H
#define BANTAM_KVM_CPU_H

#include "vmm/kvm/kvm.h"

#include <linux/kvm.h>

struct cpu_def; /* a checked -cpu */

struct kvm_cpuid2 *cpu_get_supported(int dev_fd, GError **err); /* g_free it */

/* `warn`: say on stderr what the host lacks.  NULL: the text is wrong, or "enforce" and the host lacks something. */
struct cpu_def *cpu_def_new(const struct kvm_config *cfg, const struct kvm_cpuid2 *supported, bool warn, GError **err);
void cpu_def_free(struct cpu_def *def);

/* Give vCPU `fd` its CPUID (and TSC frequency). */
bool cpu_def_apply(struct cpu_def *def, int fd, const struct cpu_topology *topo, unsigned index, int dev_fd,
                   GError **err);
uint32_t cpu_def_signature(const struct cpu_def *def); /* CPUID 1 EAX */
bool cpu_def_can_nest(const struct cpu_def *def);      /* VMX or SVM */

#endif
