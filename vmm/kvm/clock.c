/* vmm/kvm/clock.c - guest time stands still while the VM is stopped: kvmclock, TSC and LAPIC timers. */
#include "vmm/kvm/internal.h"

void kvm_clock_init(struct kvm *k)
{
    (void) k;
}

void kvm_clock_free(struct kvm *k)
{
    (void) k;
}
