/* vmm/kvm/kvm.h - the accelerator: CPUs, interrupt controllers and memory slots on /dev/kvm.
 *
 * Knows nothing of <linux/kvm.h>, so that main.c and vmm/control/ may include it.  Order of calls:
 *
 *   kvm_check_cpu()  (while the command line is validated; opens and closes /dev/kvm)
 *   vm_new(); kvm_new()              the VM, PIC, IOAPIC; listens to vm->mem and vm->pio; sets vm->accel
 *   pc_create(..., chip = { kvm_set_gsi, kvm_raise_status, k })
 *   kvm_set_boot_regs()              only for direct kernel boot; may be called again at any reset
 *   kvm_start_cpus()                 vCPUs and their threads, paused
 *   vm_reset(); vm_cont(); vm_run()
 *   kvm_close(); free the devices; kvm_free(); vm_free()
 *
 * Threads: main thread unless said otherwise. */
#ifndef BANTAM_KVM_KVM_H
#define BANTAM_KVM_KVM_H

#include "vmm/core/cpu_state.h"
#include "vmm/core/vm.h"

struct kvm;

struct kvm_config {
    const char *cpu; /* -cpu: "host", "host,+invtsc,-avx,kvm=off", "qemu64,...", NULL: "host" */
    struct cpu_topology topo;
    enum action on_internal_error; /* ACTION_PAUSE, or else the process ends with EXIT_KVM_INTERNAL */
    bool cpu_pm;     /* -overcommit cpu-pm=on: HLT, MWAIT, PAUSE don't exit */
    const char *device; /* -accel kvm,device=; NULL: "/dev/kvm" */
};

/* Is /dev/kvm there and good enough, are the -cpu text and the topology?  Creates no VM. */
bool kvm_check_cpu(const struct kvm_config *cfg, GError **err);
/* "-cpu help": models and feature names, one a line. */
void kvm_cpu_help(GString *out);

/* cfg is copied; NULL: failed. */
struct kvm *kvm_new(struct vm *vm, const struct kvm_config *cfg, GError **err);
bool kvm_start_cpus(struct kvm *k, GError **err);
/* Ends the KVM side.  Devices may still exist, and lower their lines while they are freed: nothing comes of it. */
void kvm_close(struct kvm *k);
/* Closes, and frees; after the devices, for they hold `k`, and before vm_free().  NULL is fine for both. */
void kvm_free(struct kvm *k);

/* Entry state of the bootstrap processor (copied), or NULL for the reset vector.  Takes effect at the next
 * reset. */
void kvm_set_boot_regs(struct kvm *k, const struct boot_cpu_state *st);

/* --- interrupts (VM lock held or not; any thread) --------------------------------------------- */

/* As in struct pc_irqchip.  GSIs 0..23: ISA lines on PIC and IOAPIC (0 is IOAPIC pin 2), 16..23 on the
 * IOAPIC only. */
void kvm_set_gsi(void *opaque, int gsi, int level);
int kvm_raise_status(void *opaque, int gsi);
void kvm_mask_pic(void *opaque); /* see struct pc_irqchip */
/* Send a message-signalled interrupt now: > 0 delivered, 0 blocked by the guest, < 0 failed. */
int kvm_msi_send(struct kvm *k, uint64_t addr, uint32_t data);
/* A GSI that stands for a message, for irqfds; -1: there are none left. */
int kvm_msi_route_add(struct kvm *k, uint64_t addr, uint32_t data);
void kvm_msi_route_change(struct kvm *k, int gsi, uint64_t addr, uint32_t data);
void kvm_msi_route_remove(struct kvm *k, int gsi);
/* Writing to eventfd `fd` raises `gsi`; `resample` (or -1) makes it a level that is lowered by the guest's
 * EOI. */
bool kvm_irqfd_add(struct kvm *k, int fd, int resample, int gsi, GError **err);
void kvm_irqfd_remove(struct kvm *k, int fd, int gsi);
void kvm_describe_irqchip(struct kvm *k, GString *out); /* `info irq`: PIC, IOAPIC and LAPICs */

/* --- CPUs ------------------------------------------------------------------------------------- */

unsigned kvm_cpu_count(const struct kvm *k);
/* Linux thread id, for `info cpus`; 0: not started. */
int kvm_cpu_thread_id(const struct kvm *k, unsigned cpu);

/* Whole state, for snapshots; paused.  The bytes are versioned and self-describing; loading is all or
 * nothing for what they say, and hostile until checked.  After kvm_load_chips() every irq level must be
 * pushed again. */
void kvm_save_cpu(struct kvm *k, unsigned cpu, GByteArray *out);
bool kvm_load_cpu(struct kvm *k, unsigned cpu, const uint8_t *data, size_t len, GError **err);
void kvm_save_chips(struct kvm *k, GByteArray *out); /* PIC, IOAPIC, kvmclock */
bool kvm_load_chips(struct kvm *k, const uint8_t *data, size_t len, GError **err);

/* General registers of any CPU, paused (gdb stub, tests). */
bool kvm_get_gprs(struct kvm *k, unsigned cpu, struct cpu_gprs *r);
bool kvm_set_gprs(struct kvm *k, unsigned cpu, const struct cpu_gprs *r);

#endif
