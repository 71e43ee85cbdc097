/* vmm/kvm/vcpu.c - vCPU threads: the run loop, exits, parking, kicks.  internal.h has the theory. */
#include "vmm/kvm/cpu.h"
#include "vmm/kvm/internal.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif

static bool must_stop(struct kvm *k)
{
    return __atomic_load_n(&k->paused, __ATOMIC_SEQ_CST) ||
           __atomic_load_n(&k->vm->requests, __ATOMIC_SEQ_CST) ||
           __atomic_load_n(&k->vm->handling, __ATOMIC_SEQ_CST);
}

/* --- kicks ------------------------------------------------------------------------------------ */

static void expel(struct kvm_cpu *cpu) /* out of KVM_RUN, or not into it */
{
    __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cpu->in_run, __ATOMIC_SEQ_CST))
        pthread_kill(cpu->pthread, KVM_SIGNAL);
}

static void op_kick(void *opaque)
{
    struct kvm *k = opaque;
    unsigned n = __atomic_load_n(&k->n_cpus, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++)
        expel(&k->cpus[i]);
    g_mutex_lock(&k->mutex);
    g_cond_broadcast(&k->cond);
    g_mutex_unlock(&k->mutex);
}

void kvm_halt(struct kvm *k)
{
    bool any = false;

    __atomic_fetch_add(&k->waiting, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < k->n_cpus; i++) {
        if (!__atomic_load_n(&k->cpus[i].in_run, __ATOMIC_SEQ_CST))
            continue;
        expel(&k->cpus[i]);
        any = true;
    }
    if (any) {
        g_mutex_lock(&k->mutex);
        for (unsigned i = 0; i < k->n_cpus; i++)
            while (__atomic_load_n(&k->cpus[i].in_run, __ATOMIC_SEQ_CST))
                g_cond_wait(&k->cond, &k->mutex);
        g_mutex_unlock(&k->mutex);
    }
    __atomic_fetch_sub(&k->waiting, 1, __ATOMIC_SEQ_CST);
}

/* --- exits ------------------------------------------------------------------------------------ */

static void do_io(struct kvm_cpu *cpu)
{
    struct kvm_run *run = cpu->run;
    struct space *pio = &cpu->k->vm->pio;
    uint8_t *data = (uint8_t *) run + run->io.data_offset;
    unsigned size = run->io.size;

    for (unsigned i = 0; i < run->io.count; i++, data += size) {
        if (run->io.direction == KVM_EXIT_IO_OUT)
            space_write(pio, run->io.port, ld_le(data, size), size);
        else
            st_le(data, space_read(pio, run->io.port, size), size);
    }
    cpu->pending_io = true;
}

static void do_mmio(struct kvm_cpu *cpu)
{
    struct kvm_run *run = cpu->run;
    struct space *mem = &cpu->k->vm->mem;
    unsigned len = MIN(run->mmio.len, 8);

    if (run->mmio.is_write)
        space_write(mem, run->mmio.phys_addr, ld_le(run->mmio.data, len), len);
    else
        st_le(run->mmio.data, space_read(mem, run->mmio.phys_addr, len), len);
    cpu->pending_io = true;
}

static void do_system_event(struct kvm_cpu *cpu)
{
    struct vm *vm = cpu->k->vm;

    switch (cpu->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        vm_request_shutdown(vm, CAUSE_GUEST_SHUTDOWN);
        break;
    case KVM_SYSTEM_EVENT_RESET:
        vm_request_reset(vm, CAUSE_GUEST_RESET);
        break;
    case KVM_SYSTEM_EVENT_CRASH:
        vm_guest_panicked(vm, false);
        break;
    default:
        kvm_report(cpu, "a system event that this program does not know");
    }
}

/* What the kernel's KVM may say and we did not ask for is an internal error, but harmless ones are passed
 * over. */
static void dispatch(struct kvm_cpu *cpu)
{
    struct kvm_run *run = cpu->run;
    struct kvm *k = cpu->k;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        do_io(cpu);
        break;
    case KVM_EXIT_MMIO:
        do_mmio(cpu);
        break;
    case KVM_EXIT_SHUTDOWN:
        TRACER(&k->trace, "CPU %u: triple fault", cpu->index);
        vm_request_reset(k->vm, CAUSE_TRIPLE_FAULT);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        do_system_event(cpu);
        break;
    case KVM_EXIT_X86_RDMSR: /* #GP in the guest, as KVM itself would do */
    case KVM_EXIT_X86_WRMSR:
        run->msr.error = 1;
        cpu->pending_io = true;
        break;
    case KVM_EXIT_HYPERV:
        if (run->hyperv.type == KVM_EXIT_HYPERV_HCALL)
            run->hyperv.u.hcall.result = 2; /* HV_STATUS_INVALID_HYPERCALL_CODE: there is no VMBus */
        cpu->pending_io = true;
        break;
    case KVM_EXIT_HYPERCALL:
        run->hypercall.ret = (uint64_t) -1000; /* -KVM_ENOSYS */
        cpu->pending_io = true;
        break;
    case KVM_EXIT_INTR:
    case KVM_EXIT_HLT: /* only without the kernel's LAPIC */
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR:
    case KVM_EXIT_TPR_ACCESS:
    case KVM_EXIT_IOAPIC_EOI:
    case KVM_EXIT_DEBUG:
    case KVM_EXIT_X86_BUS_LOCK:
    case KVM_EXIT_NMI:
    case KVM_EXIT_AP_RESET_HOLD:
        TRACER(&k->trace, "CPU %u: exit %u passed over", cpu->index, run->exit_reason);
        break;
    case KVM_EXIT_NOTIFY:
        if (run->notify.flags & KVM_NOTIFY_CONTEXT_INVALID)
            kvm_report(cpu, "the guest stopped the processor from taking interrupts, and its state is lost");
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        kvm_report(cpu, "internal error");
        break;
    case KVM_EXIT_FAIL_ENTRY:
        kvm_report(cpu, "the processor refused to enter the guest");
        break;
    case KVM_EXIT_EXCEPTION:
        kvm_report(cpu, "an exception that KVM could not handle");
        break;
    case KVM_EXIT_MEMORY_FAULT:
        kvm_report(cpu, "memory that the host could not provide");
        break;
    case KVM_EXIT_UNKNOWN:
        kvm_report(cpu, "an exit of the hardware that KVM does not know");
        break;
    default:
        kvm_report(cpu, "an exit that this program did not ask for");
    }
}

/* --- the run loop ----------------------------------------------------------------------------- */

/* Drops the VM lock while the guest runs.  Returns 0 or -errno. */
static int enter(struct kvm_cpu *cpu)
{
    struct kvm *k = cpu->k;

    __atomic_store_n(&cpu->in_run, true, __ATOMIC_SEQ_CST);
    vm_unlock(k->vm);
    int r = ioctl(cpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;
    __atomic_store_n(&cpu->in_run, false, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&k->waiting, __ATOMIC_SEQ_CST)) {
        g_mutex_lock(&k->mutex);
        g_cond_broadcast(&k->cond);
        g_mutex_unlock(&k->mutex);
    }
    vm_lock(k->vm);
    return r;
}

static void run_once(struct kvm_cpu *cpu)
{
    struct kvm *k = cpu->k;
    int r = enter(cpu);

    cpu->pending_io = false;
    kvm_drain(k);
    if (r == -EINTR || r == -EAGAIN)
        return;
    k->current = cpu;
    if (r == 0 || cpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
        dispatch(cpu);
    } else {
        char *what = g_strdup_printf("KVM_RUN failed: %s", g_strerror(-r));
        cpu->run->exit_reason = KVM_EXIT_UNKNOWN;
        kvm_report(cpu, what);
        g_free(what);
    }
    k->current = NULL;
}

/* Wait, without the VM lock, until running is allowed; false: the thread shall end. */
static bool park(struct kvm_cpu *cpu)
{
    struct kvm *k = cpu->k;

    vm_unlock(k->vm);
    g_mutex_lock(&k->mutex);
    cpu->parked = true;
    g_cond_broadcast(&k->cond);
    while (must_stop(k) && !k->quit)
        g_cond_wait(&k->cond, &k->mutex);
    bool go_on = !k->quit;
    cpu->parked = false;
    g_mutex_unlock(&k->mutex);
    vm_lock(k->vm);
    return go_on;
}

static void *cpu_thread(void *opaque)
{
    struct kvm_cpu *cpu = opaque;
    struct kvm *k = cpu->k;

    cpu->pthread = pthread_self();
    __atomic_store_n(&cpu->tid, (int) syscall(SYS_gettid), __ATOMIC_RELAXED);
    vm_lock(k->vm);
    for (;;) {
        __atomic_store_n(&cpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        if (must_stop(k)) {
            if (!cpu->pending_io) {
                if (!park(cpu))
                    break;
                continue;
            }
            /* Complete the instruction of the last exit, and no more. */
            __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        }
        run_once(cpu);
    }
    vm_unlock(k->vm);
    return NULL;
}

/* --- creating and ending ---------------------------------------------------------------------- */

static bool start_thread(struct kvm_cpu *cpu)
{
    char name[16];
    sigset_t all, old;

    snprintf(name, sizeof name, "CPU %u/KVM", cpu->index);
    sigfillset(&all);
    sigdelset(&all, KVM_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    cpu->thread = g_thread_try_new(name, cpu_thread, cpu, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return cpu->thread != NULL;
}

static void get_fresh_nested(struct kvm_cpu *cpu)
{
    int size =
        cpu->k->has_nested && cpu_def_can_nest(cpu->k->def) ? kvm_has(cpu->k, KVM_CAP_NESTED_STATE) : 0;

    if (size <= 0)
        return;
    struct kvm_nested_state *st = g_malloc0((size_t) size);
    st->size = (uint32_t) size;
    cpu->nested_fresh = st;
    if (kvm_ioctl(cpu->fd, KVM_GET_NESTED_STATE, st) < 0)
        g_clear_pointer(&cpu->nested_fresh, g_free);
}

bool kvm_cpu_create(struct kvm_cpu *cpu, GError **err)
{
    struct kvm *k = cpu->k;

    cpu->fd = kvm_ioctl(k->fd, KVM_CREATE_VCPU, (void *) (uintptr_t) cpu->apic_id);
    if (cpu->fd < 0) {
        int e = -cpu->fd;
        return fail(err, "KVM cannot make CPU %u: %s%s", cpu->index, g_strerror(e),
                    e == EBUSY ? ": another hypervisor uses this processor's VT-x or AMD-V" :
                    e == EMFILE ? ": raise the limit of open files (ulimit -n)" : "");
    }
    cpu->run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
    if (cpu->run == MAP_FAILED) {
        cpu->run = NULL;
        fail(err, "KVM: cannot map CPU %u: %s", cpu->index, g_strerror(errno));
        goto failed;
    }
    if (cpu->index == 0 && k->ring_page)
        k->ring = (void *) ((char *) cpu->run + k->ring_page * (size_t) PAGE_SIZE_4K);
    if (!cpu_def_apply(k->def, cpu->fd, &k->cfg.topo, cpu->index, err))
        goto failed;
    k->signature = cpu_def_signature(k->def);
    get_fresh_nested(cpu);
    if (!start_thread(cpu)) {
        fail(err, "cannot start the thread of CPU %u: the host is out of threads (ulimit -u)", cpu->index);
        goto failed;
    }
    __atomic_store_n(&k->n_cpus, cpu->index + 1, __ATOMIC_RELEASE);
    return true;

failed:
    if (cpu->run)
        munmap(cpu->run, k->run_size);
    g_clear_pointer(&cpu->nested_fresh, g_free);
    close(cpu->fd);
    return false;
}

void kvm_cpus_stop(struct kvm *k)
{
    if (k->n_cpus && !k->paused)
        kvm_accel_ops.pause(k);
    g_mutex_lock(&k->mutex);
    k->quit = true;
    g_cond_broadcast(&k->cond);
    g_mutex_unlock(&k->mutex);
    for (unsigned i = 0; i < k->n_cpus; i++) {
        g_thread_join(k->cpus[i].thread);
        munmap(k->cpus[i].run, k->run_size);
        close(k->cpus[i].fd);
        g_free(k->cpus[i].nested_fresh);
    }
    k->n_cpus = 0;
    k->ring = NULL;
}

/* --- accel_ops -------------------------------------------------------------------------------- */

static void op_pause(void *opaque)
{
    struct kvm *k = opaque;

    g_mutex_lock(&k->mutex);
    __atomic_store_n(&k->paused, true, __ATOMIC_SEQ_CST);
    g_mutex_unlock(&k->mutex);
    op_kick(k);
    g_mutex_lock(&k->mutex);
    for (unsigned i = 0; i < k->n_cpus; i++)
        while (!k->cpus[i].parked)
            g_cond_wait(&k->cond, &k->mutex);
    g_mutex_unlock(&k->mutex);
}

static void op_resume(void *opaque)
{
    struct kvm *k = opaque;

    g_mutex_lock(&k->mutex);
    k->touched = true;
    __atomic_store_n(&k->paused, false, __ATOMIC_SEQ_CST);
    g_cond_broadcast(&k->cond);
    g_mutex_unlock(&k->mutex);
}

static void op_reset(void *opaque)
{
    struct kvm *k = opaque;
    GError *err = NULL;

    if (!k->touched)
        return;
    k->touched = false;
    kvm_halt(k);
    for (unsigned i = 0; i < k->n_cpus; i++) {
        if (!kvm_cpu_reset(&k->cpus[i], &err)) {
            warn_user("reset of CPU %u: %s", i, err->message);
            g_clear_error(&err);
        }
    }
    kvm_irqchip_reset(k);
    k->stopped_clock = false;
}

static void op_nmi(void *opaque)
{
    struct kvm *k = opaque;

    kvm_halt(k);
    for (unsigned i = 0; i < k->n_cpus; i++)
        kvm_nmi(&k->cpus[i]);
}

static void op_describe(void *opaque, GString *out)
{
    struct kvm *k = opaque;

    kvm_halt(k);
    for (unsigned i = 0; i < k->n_cpus; i++)
        kvm_cpu_dump(&k->cpus[i], out);
}

static bool op_gprs(void *opaque, struct cpu_gprs *regs, bool set)
{
    struct kvm *k = opaque;

    if (!k->current)
        return false;
    return set ? kvm_set_gprs(k, k->current->index, regs) : kvm_get_gprs(k, k->current->index, regs);
}

static void op_describe_irqchip(void *opaque, GString *out)
{
    kvm_describe_irqchip(opaque, out);
}

static int op_cpu_thread(void *opaque, unsigned cpu)
{
    const struct kvm *k = opaque;

    return cpu < k->n_cpus ? kvm_cpu_thread_id(k, cpu) : -1;
}

static void op_msi_send(void *opaque, uint64_t addr, uint32_t data)
{
    kvm_msi_send(opaque, addr, data);
}

static int op_route_add(void *opaque, uint64_t addr, uint32_t data)
{
    return kvm_msi_route_add(opaque, addr, data);
}

static void op_route_change(void *opaque, int route, uint64_t addr, uint32_t data)
{
    kvm_msi_route_change(opaque, route, addr, data);
}

static void op_route_remove(void *opaque, int route)
{
    kvm_msi_route_remove(opaque, route);
}

static bool op_irqfd(void *opaque, int fd, int route, bool on)
{
    if (on)
        return kvm_irqfd_add(opaque, fd, -1, route, NULL);
    kvm_irqfd_remove(opaque, fd, route);
    return true;
}

static bool op_translate(void *opaque, unsigned cpu, uint64_t va, uint64_t *pa)
{
    struct kvm *k = opaque;
    struct kvm_translation t = { .linear_address = va };

    if (cpu >= k->n_cpus)
        return false;
    kvm_halt(k);
    if (kvm_ioctl(k->cpus[cpu].fd, KVM_TRANSLATE, &t) < 0 || !t.valid)
        return false;
    *pa = t.physical_address;
    return true;
}

const struct accel_ops kvm_accel_ops = {
    .pause = op_pause, .resume = op_resume, .kick = op_kick, .reset = op_reset, .nmi = op_nmi,
    .describe_cpus = op_describe, .drain = kvm_drain, .gprs = op_gprs,
    .describe_irqchip = op_describe_irqchip,
    .msi_send = op_msi_send, .msi_route_add = op_route_add, .msi_route_change = op_route_change,
    .msi_route_remove = op_route_remove, .msi_irqfd = op_irqfd,
    .cpu_thread = op_cpu_thread, .translate = op_translate,
};
