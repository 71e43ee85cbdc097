/* vmm/kvm/kvm.c - /dev/kvm and the VM: opening, what it must offer, and errors in words. */
#include "vmm/kvm/cpu.h"
#include "vmm/kvm/internal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

int kvm_ioctl(int fd, unsigned long req, void *arg)
{
    int r;

    do
        r = ioctl(fd, req, arg);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

int kvm_open(const char *path, GError **err)
{
    int fd = open(path ? path : "/dev/kvm", O_RDWR | O_CLOEXEC);

    path = path ? path : "/dev/kvm";
    if (fd < 0) {
        switch (errno) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
            fail(err,
                 "%s: %s: enable VT-x or AMD-V in the firmware set-up and load the kernel module "
                 "kvm_intel or kvm_amd (in a container or VM: pass the device through)",
                 path, g_strerror(errno));
            break;
        case EACCES:
        case EPERM:
            fail(err, "%s: %s: add yourself to the group 'kvm' (usermod -aG kvm %s) and log in again", path,
                 g_strerror(errno), g_get_user_name());
            break;
        default:
            fail(err, "%s: cannot open it: %s", path, g_strerror(errno));
        }
        return -1;
    }
    int version = kvm_ioctl(fd, KVM_GET_API_VERSION, NULL);
    if (version == KVM_API_VERSION)
        return fd;
    if (version < 0)
        fail(err, "%s: this is not the KVM device: %s", path, g_strerror(-version));
    else
        fail(err, "%s: API version %d, but %d is needed: install a newer Linux kernel", path, version,
             KVM_API_VERSION);
    close(fd);
    return -1;
}

static int create_vm(struct kvm *k, GError **err)
{
    int fd = kvm_ioctl(k->dev_fd, KVM_CREATE_VM, NULL);

    switch (fd) {
    case -EBUSY:
        fail(
            err,
            "KVM is busy: another hypervisor (VirtualBox, VMware ...) uses this processor's VT-x or AMD-V: "
            "stop its virtual machines, or unload its kernel modules");
        break;
    case -ENOMEM:
        fail(err, "KVM cannot make a virtual machine: the host is out of memory");
        break;
    case -EMFILE:
    case -ENFILE:
        fail(err, "KVM cannot make a virtual machine: too many open files (ulimit -n)");
        break;
    case -EOPNOTSUPP:
        fail(err,
             "KVM cannot make a virtual machine: virtualization is disabled: enable VT-x or AMD-V in the "
             "firmware set-up");
        break;
    default:
        if (fd < 0)
            fail(err, "KVM cannot make a virtual machine: %s", g_strerror(-fd));
    }
    return fd;
}

/* Without these nothing works; all are in Linux 4.12. */
static bool check_capabilities(struct kvm *k, GError **err)
{
    static const struct {
        int cap;
        const char *name;
    } needed[] = {
        { KVM_CAP_IRQCHIP, "IRQCHIP" }, { KVM_CAP_USER_MEMORY, "USER_MEMORY" }, { KVM_CAP_EXT_CPUID,
        "EXT_CPUID" },
        { KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR" }, { KVM_CAP_MP_STATE, "MP_STATE" },
        { KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING" },
        { KVM_CAP_READONLY_MEM, "READONLY_MEM" }, { KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++)
        if (kvm_has(k, needed[i].cap) <= 0)
            return fail(err, "this host's KVM lacks KVM_CAP_%s: install Linux 4.12 or newer",
                        needed[i].name);
    k->has_debugregs = kvm_has(k, KVM_CAP_DEBUGREGS) > 0;
    k->has_xcrs = kvm_has(k, KVM_CAP_XCRS) > 0;
    k->has_xsave = kvm_has(k, KVM_CAP_XSAVE) > 0;
    k->has_events = kvm_has(k, KVM_CAP_VCPU_EVENTS) > 0;
    k->has_smm = kvm_has(k, KVM_CAP_X86_SMM) > 0;
    k->has_nested = kvm_has(k, KVM_CAP_NESTED_STATE) > 0;
    k->has_kvmclock_ctrl = kvm_has(k, KVM_CAP_KVMCLOCK_CTRL) > 0;
    k->xsave_size = MAX(sizeof(struct kvm_xsave), (size_t) MAX(kvm_has(k, KVM_CAP_XSAVE2), 0));
    int size = kvm_ioctl(k->dev_fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
    if (size < (int) sizeof(struct kvm_run))
        return fail(err, "KVM's vCPU area is too small: install a newer Linux kernel");
    k->run_size = (size_t) size;
    return true;
}

static bool check_cpu_limits(struct kvm *k, GError **err)
{
    const struct cpu_topology *t = &k->cfg.topo;
    int max = kvm_has(k, KVM_CAP_MAX_VCPUS), soft = kvm_has(k, KVM_CAP_NR_VCPUS),
        ids = kvm_has(k, KVM_CAP_MAX_VCPU_ID);

    max = max > 0 ? max : soft;
    if (max > 0 && t->max_cpus > (unsigned) max)
        return fail(err, "-smp: %u CPUs, but this host's KVM takes at most %d", t->max_cpus, max);
    if (ids > 0 && cpu_apic_id(t, t->max_cpus - 1) >= (unsigned) ids)
        return fail(
            err,
            "-smp: the last CPU's APIC id is %u, but this host's KVM takes ids below %d: use a topology of "
            "powers of two",
            cpu_apic_id(t, t->max_cpus - 1), ids);
    if (soft > 0 && t->cpus > (unsigned) soft)
        warn_user("-smp: %u CPUs are more than the %d that this host's KVM recommends", t->cpus, soft);
    return true;
}

/* Pages for the VM86 task that Intel processors without "unrestricted guest" need, and for their identity
 * map. */
static bool set_host_pages(struct kvm *k, GError **err)
{
    uint64_t identity = CPU_HOST_PAGES;
    int r = 0;

    if (kvm_has(k, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0)
        r = kvm_ioctl(k->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
    if (r == 0)
        r = kvm_ioctl(k->fd, KVM_SET_TSS_ADDR, (void *) (CPU_HOST_PAGES + 0x1000UL));
    return r == 0 || fail(err, "KVM: cannot set aside pages at 0x%x: %s", CPU_HOST_PAGES, g_strerror(-r));
}

static void set_cpu_pm(struct kvm *k)
{
    int can = kvm_has(k, KVM_CAP_X86_DISABLE_EXITS);
    struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_DISABLE_EXITS };

    cap.args[0] = (uint64_t) MAX(can, 0) &
        (KVM_X86_DISABLE_EXITS_MWAIT | KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE);
    if (!cap.args[0] || kvm_ioctl(k->fd, KVM_ENABLE_CAP, &cap) < 0)
        warn_user("-overcommit cpu-pm=on: this host's KVM can't do it; going on without");
}

static void on_signal(int sig)
{
    (void) sig; /* its arrival ends KVM_RUN: that is all */
}

struct kvm *kvm_new(struct vm *vm, const struct kvm_config *cfg, GError **err)
{
    struct kvm *k = g_new0(struct kvm, 1);
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    k->vm = vm;
    k->cfg = *cfg;
    k->cfg.cpu = k->cpu_text = g_strdup(cfg->cpu);
    k->cfg.device = k->device = g_strdup(cfg->device);
    k->fd = k->dev_fd = -1;
    k->paused = k->touched = true;
    k->refused = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_mutex_init(&k->mutex);
    g_cond_init(&k->cond);
    tracer_init(&k->trace, &vm->log, "kvm");
    sigaction(KVM_SIGNAL, &sa, NULL);

    /* The chips first: what the kernel then does in the background is over when memory is mapped. */
    k->dev_fd = kvm_open(cfg->device, err);
    if (k->dev_fd < 0 || (k->fd = create_vm(k, err)) < 0 || !check_capabilities(k, err) ||
        !check_cpu_limits(k, err) || !kvm_irqchip_create(k, err))
        goto failed;
    k->supported = cpu_get_supported(k->dev_fd, err);
    k->def = k->supported ? cpu_def_new(&k->cfg, k->supported, k->dev_fd, true, err) : NULL;
    if (!k->def)
        goto failed;
    if (cfg->cpu_pm)
        set_cpu_pm(k);
    k->cpus = g_new0(struct kvm_cpu, cfg->topo.cpus);
    vm->accel = &kvm_accel_ops;
    vm->accel_opaque = k;
    kvm_clock_init(k);
    kvm_memory_init(k);
    return k;

failed:
    kvm_free(k);
    return NULL;
}

bool kvm_start_cpus(struct kvm *k, GError **err)
{
    if (!set_host_pages(k, err))
        return false;
    vm_lock(k->vm);
    kvm_memory_start(k);
    vm_unlock(k->vm);
    for (unsigned i = 0; i < k->cfg.topo.cpus; i++) {
        struct kvm_cpu *cpu = &k->cpus[i];
        *cpu = (struct kvm_cpu){ .k = k, .index = i, .apic_id = cpu_apic_id(&k->cfg.topo, i), .fd = -1 };
        if (!kvm_cpu_create(cpu, err))
            return false;
    }
    k->touched = true;
    vm_lock(k->vm);
    kvm_accel_ops.reset(k);
    vm_unlock(k->vm);
    return true;
}

void kvm_close(struct kvm *k)
{
    if (!k || k->closed)
        return;
    k->closed = true;
    kvm_cpus_stop(k);
    if (k->vm->accel_opaque == k) {
        kvm_clock_free(k);
        kvm_memory_free(k);
        k->vm->accel = NULL;
        k->vm->accel_opaque = NULL;
    }
    if (k->fd >= 0)
        close(k->fd);
    if (k->dev_fd >= 0)
        close(k->dev_fd);
    k->fd = k->dev_fd = -1; /* what devices still ask for fails from here on */
}

void kvm_free(struct kvm *k)
{
    if (!k)
        return;
    kvm_close(k);
    kvm_irqchip_free(k);
    cpu_def_free(k->def);
    g_free(k->supported);
    g_free(k->cpus);
    g_array_free(k->refused, TRUE);
    g_cond_clear(&k->cond);
    g_mutex_clear(&k->mutex);
    tracer_clear(&k->trace);
    g_free(k->cpu_text);
    g_free(k->device);
    g_free(k);
}

void kvm_set_boot_regs(struct kvm *k, const struct boot_cpu_state *st)
{
    k->has_boot = st != NULL;
    k->boot = st ? *st : (struct boot_cpu_state){ 0 };
    k->touched = true;
}

unsigned kvm_cpu_count(const struct kvm *k)
{
    return k->n_cpus;
}

int kvm_cpu_thread_id(const struct kvm *k, unsigned cpu)
{
    return cpu < k->n_cpus ? __atomic_load_n(&k->cpus[cpu].tid, __ATOMIC_RELAXED) : 0;
}
