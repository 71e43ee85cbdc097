/* vmm/kvm/internal.h - what the files of vmm/kvm/ share.
 *
 * Theory of operation.  A vCPU thread holds the VM lock except inside KVM_RUN.  It sets `in_run` while it
 * still holds the lock, and clears it before it asks for the lock again; so whoever holds the lock and sees
 * every in_run clear knows that no vCPU is in the guest, nor will be until the lock is dropped.  kvm_halt()
 * brings that about, and may be called by a vCPU thread, too.  A vCPU must not enter the guest while it is
 * paused, or while a request (reset, power off ...) waits for the main loop: it parks then, without the
 * lock.  Kicks are free of races: what the vCPU shall see is stored first, then run->immediate_exit, then
 * comes the signal; the vCPU clears immediate_exit before it looks. */
#ifndef BANTAM_KVM_INTERNAL_H
#define BANTAM_KVM_INTERNAL_H

#include "vmm/kvm/kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>

enum { KVM_SIGNAL = SIGUSR1, N_ISA_GSI = 24, MAX_VCPUS = 255 };

struct kvm_slot { /* a memory slot that the kernel has (or, when !live, refused) */
    uint64_t gpa, size;
    struct ram_block *rb;
    uint64_t off; /* in rb */
    uint32_t id;
    bool rom, log, live;
};

struct kvm_efd { /* an ioeventfd */
    uint64_t addr, value;
    uint32_t size;
    int fd;
    bool pio, match;
};

struct kvm_zone { /* of coalesced accesses */
    uint64_t addr;
    uint32_t size;
    bool pio;
};

struct kvm_cpu {
    struct kvm *k;
    unsigned index, apic_id;
    int fd;
    struct kvm_run *run;
    GThread *thread;
    pthread_t pthread;
    int tid;
    bool in_run;     /* atomic; set under the VM lock only */
    bool parked;     /* under k->mutex */
    bool pending_io; /* an exit's instruction completes at the next KVM_RUN */
    /* Kept while the VM is stopped. */
    uint64_t tsc, tsc_deadline;
    uint32_t timer_left; /* of the LAPIC timer, TMCCT */
    void *nested_fresh; /* struct kvm_nested_state after creation; NULL: no nesting */
};

struct cpu_model_config; /* cpu.h */

struct kvm {
    struct vm *vm;
    struct kvm_config cfg;
    char *cpu_text, *device;
    struct tracer trace;
    int dev_fd, fd;
    size_t run_size, xsave_size;
    bool closed;
    bool has_kvmclock_ctrl, has_debugregs, has_xcrs, has_xsave, has_events, has_smm, has_nested;

    struct kvm_cpu *cpus;
    unsigned n_cpus;
    GMutex mutex; /* guards parked; orders kicks with parking; never held when taking the VM lock */
    GCond cond;
    unsigned waiting;   /* atomic: someone waits for in_run to clear */
    bool paused, quit;  /* atomic, changed under mutex */
    struct kvm_cpu *current; /* whose exit is being handled; under the VM lock */
    bool touched;       /* vCPUs or chips may differ from their state after RESET */

    struct cpu_def *def;           /* what -cpu means; cpu.h */
    struct kvm_cpuid2 *supported;  /* KVM_GET_SUPPORTED_CPUID */
    uint32_t signature;            /* CPUID 1 EAX: EDX after reset */
    GArray *refused;               /* uint32_t: MSRs that this KVM does not know */
    bool has_boot;
    struct boot_cpu_state boot;

    /* memory (memslots.c) */
    bool memory_live;           /* since kvm_memory_start */
    GArray *slots;              /* struct kvm_slot, by gpa */
    GArray *free_ids;           /* uint32_t */
    uint32_t next_id, max_slots;
    GArray *efds, *zones[2];    /* struct kvm_efd; struct kvm_zone of mem and pio */
    struct kvm_coalesced_mmio_ring *ring;
    unsigned ring_page, ring_max;
    bool coalesced_pio, draining, no_ring;

    /* interrupts (irqchip.c) */
    struct kvm_irqchip chip_fresh[3]; /* PIC master, slave, IOAPIC after creation */
    GMutex route_mutex;
    struct kvm_irq_routing *routes;
    unsigned max_routes;
    GArray *gsi_used;           /* bool, from N_ISA_GSI up */
    uint8_t gsi_level[N_ISA_GSI];

    /* stop and continue */
    struct vm_notifier notifier;
    bool stopped_clock;
    uint64_t clock_ns, stop_tsc;
};

/* An ioctl that is repeated when a signal interrupts it; -errno on failure. */
int kvm_ioctl(int fd, unsigned long req, void *arg);

static inline int kvm_has(const struct kvm *k, int cap)
{
    return kvm_ioctl(k->fd, KVM_CHECK_EXTENSION, (void *) (intptr_t) cap);
}

int kvm_open(const char *path, GError **err); /* kvm.c */

/* vcpu.c */
extern const struct accel_ops kvm_accel_ops;
/* VM lock held: brings every vCPU out of the guest; they stay out until the lock is dropped. */
void kvm_halt(struct kvm *k);
bool kvm_cpu_create(struct kvm_cpu *cpu, GError **err);
void kvm_cpus_stop(struct kvm *k); /* threads end */

/* memslots.c, ioevents.c */
void kvm_memory_init(struct kvm *k);
void kvm_memory_start(struct kvm *k); /* VM lock held: from here on the kernel has what the spaces say */
void kvm_memory_free(struct kvm *k);
void kvm_sync_ioevents(struct kvm *k, bool pio, const struct view *view);
void kvm_sync_zones(struct kvm *k, bool pio, const struct view *old, const struct view *now);
void kvm_drain(void *opaque); /* VM lock held */
void kvm_ioevents_free(struct kvm *k);

/* irqchip.c */
bool kvm_irqchip_create(struct kvm *k, GError **err);
void kvm_irqchip_reset(struct kvm *k);
void kvm_irqchip_free(struct kvm *k);
void kvm_nmi(struct kvm_cpu *cpu);
uint32_t kvm_lapic_get(const struct kvm_lapic_state *l, unsigned reg);
void kvm_lapic_put(struct kvm_lapic_state *l, unsigned reg, uint32_t v);
enum { /* LAPIC registers, SDM vol. 3 table 10-1 */
    APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_DFR = 0xe0, APIC_SVR = 0xf0, APIC_LVT_CMCI = 0x2f0,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330, APIC_LVT_PERF = 0x340, APIC_LVT_LINT0 = 0x350, APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370, APIC_TMICT = 0x380, APIC_TMCCT = 0x390,
    APIC_LVT_MASKED = 0x10000, APIC_MODE_NMI = 0x400, APIC_MODE_EXTINT = 0x700,
};

/* regs.c: reset and dump; msr.c: MSRs */
bool kvm_cpu_reset(struct kvm_cpu *cpu, GError **err);
void kvm_cpu_dump(struct kvm_cpu *cpu, GString *out);
int kvm_set_msrs(struct kvm_cpu *cpu, const struct kvm_msr_entry *e, unsigned n); /* but what is refused */
bool kvm_get_msr(struct kvm_cpu *cpu, uint32_t index, uint64_t *val);
void kvm_reset_msrs(struct kvm_cpu *cpu);

/* report.c */
void kvm_report(struct kvm_cpu *cpu, const char *what);

/* clock.c */
void kvm_clock_capture(struct kvm_cpu *cpu); /* what continuing will put back */
void kvm_clock_init(struct kvm *k);
void kvm_clock_free(struct kvm *k);

#endif
