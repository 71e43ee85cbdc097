/* vmm/kvm/clock.c - guest time stands still while the VM is stopped: kvmclock, TSC and LAPIC timers.
 *
 * The TSC is moved by its offset where KVM lets us (all CPUs by the same number of ticks, so that they stay
 * in step); else it is written as an MSR, and KVM keeps CPUs together that are written in turn.  The
 * LAPIC's count-down goes on in the kernel while the VM stands, so it is put back; one in TSC-deadline mode
 * is armed again, after the TSC. */
#include "vmm/kvm/internal.h"

#ifndef KVM_VCPU_TSC_CTRL
#define KVM_VCPU_TSC_CTRL 0
#define KVM_VCPU_TSC_OFFSET 0
#endif

enum { MSR_TSC = 0x10, MSR_TSC_DEADLINE = 0x6e0, LVT_TIMER_MODE = 3 << 17, LVT_TIMER_DEADLINE = 2 << 17 };

static bool tsc_offset(const struct kvm_cpu *cpu, bool set, uint64_t *offset)
{
    struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
                                    .addr = (uintptr_t) offset };

    return kvm_ioctl(cpu->fd, set ? KVM_SET_DEVICE_ATTR : KVM_GET_DEVICE_ATTR, &attr) == 0;
}

static bool get_lapic(const struct kvm_cpu *cpu, struct kvm_lapic_state *l, uint32_t *mode)
{
    if (kvm_ioctl(cpu->fd, KVM_GET_LAPIC, l) < 0)
        return false;
    *mode = kvm_lapic_get(l, APIC_LVT_TIMER) & LVT_TIMER_MODE;
    return true;
}

void kvm_clock_capture(struct kvm_cpu *cpu)
{
    struct kvm_lapic_state l;
    uint32_t mode;

    cpu->tsc = cpu->tsc_deadline = 0;
    cpu->timer_left = 0;
    kvm_get_msr(cpu, MSR_TSC, &cpu->tsc);
    if (!get_lapic(cpu, &l, &mode))
        return;
    if (mode == LVT_TIMER_DEADLINE)
        kvm_get_msr(cpu, MSR_TSC_DEADLINE, &cpu->tsc_deadline);
    else if (kvm_lapic_get(&l, APIC_TMICT))
        cpu->timer_left = kvm_lapic_get(&l, APIC_TMCCT);
}

static void stop(struct kvm *k)
{
    struct kvm_clock_data data = { 0 };

    if (kvm_ioctl(k->fd, KVM_GET_CLOCK, &data) < 0)
        return;
    k->clock_ns = data.clock;
    for (unsigned i = 0; i < k->n_cpus; i++)
        kvm_clock_capture(&k->cpus[i]);
    k->stopped_clock = true;
}

/* All TSCs back by what the first one ran on, or each to where it was. */
static void restore_tsc(struct kvm *k)
{
    uint64_t now, offset;

    if (!k->n_cpus || !k->cpus[0].tsc || !kvm_get_msr(&k->cpus[0], MSR_TSC, &now))
        return;
    uint64_t ran = now - k->cpus[0].tsc;
    for (unsigned i = 0; i < k->n_cpus; i++) {
        struct kvm_cpu *cpu = &k->cpus[i];
        if (tsc_offset(cpu, false, &offset)) {
            offset -= ran;
            if (tsc_offset(cpu, true, &offset))
                continue;
        }
        kvm_set_msrs(cpu, &(struct kvm_msr_entry){ .index = MSR_TSC, .data = cpu->tsc }, 1);
    }
}

static void restore_timer(struct kvm_cpu *cpu)
{
    struct kvm_lapic_state l;
    uint32_t mode;

    if (cpu->tsc_deadline) {
        kvm_set_msrs(cpu, &(struct kvm_msr_entry){ .index = MSR_TSC_DEADLINE, .data = cpu->tsc_deadline },
                     1);
    } else if (cpu->timer_left && get_lapic(cpu, &l, &mode)) {
        kvm_lapic_put(&l, APIC_TMCCT, cpu->timer_left);
        kvm_ioctl(cpu->fd, KVM_SET_LAPIC, &l);
    }
}

static void go_on(struct kvm *k)
{
    struct kvm_clock_data data = { .clock = k->clock_ns };

    if (!k->stopped_clock)
        return;
    k->stopped_clock = false;
    vm_lock(k->vm); /* no interrupt may come between reading a LAPIC and writing it */
    restore_tsc(k);
    kvm_ioctl(k->fd, KVM_SET_CLOCK, &data);
    for (unsigned i = 0; i < k->n_cpus; i++) {
        restore_timer(&k->cpus[i]);
        /* Tells the guest's watchdog that it stood still; refused when it uses no kvmclock. */
        if (k->has_kvmclock_ctrl)
            kvm_ioctl(k->cpus[i].fd, KVM_KVMCLOCK_CTRL, NULL);
    }
    vm_unlock(k->vm);
}

static void on_phase(void *opaque, enum vm_phase phase)
{
    if (phase == PHASE_STOPPED)
        stop(opaque);
    else if (phase == PHASE_CONTINUE)
        go_on(opaque);
}

void kvm_clock_init(struct kvm *k)
{
    k->notifier = (struct vm_notifier){ .fn = on_phase, .opaque = k };
    vm_add_notifier(k->vm, &k->notifier);
}

void kvm_clock_free(struct kvm *k)
{
    vm_remove_notifier(k->vm, &k->notifier);
}
