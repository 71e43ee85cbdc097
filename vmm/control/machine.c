/* vmm/control/machine.c - makes a machine of options, in the order in which its parts need each other. */
#include "vmm/control/machine.h"
#include "vmm/base/module.h"
#include "vmm/block/drive.h"
#include "vmm/control/monitor.h"
#include "vmm/control/qmp.h"
#include "vmm/net/net.h"
#include "vmm/ui/input.h"

#include <errno.h>
#include <sys/mman.h>

static bool open_qmp(struct machine *m, const struct opt_monitor *opt, GError **err)
{
    if (!m->qmp)
        m->qmp = module_symbol("qmp", "qmp_module", err);
    if (!m->qmp)
        return fail_prefix(err, "-qmp");
    struct qmp *q = m->qmp->open(m->vm, opt, err);
    if (q)
        g_ptr_array_add(m->qmps, q);
    return q;
}

static bool open_monitors(struct machine *m, GError **err)
{
    const GPtrArray *list = m->opts->monitors;

    for (unsigned i = 0; i < list->len; i++) {
        const struct opt_monitor *opt = list->pdata[i];
        if (opt->qmp) {
            if (!open_qmp(m, opt, err))
                return false;
            continue;
        }
        struct monitor *mon = monitor_open(m->vm, opt, err);
        if (!mon)
            return false;
        g_ptr_array_add(m->monitors, mon);
    }
    return true;
}

static void close_monitor(void *p)
{
    monitor_close(p);
}

static void set_boot_regs(void *opaque, const struct boot_cpu_state *st)
{
    kvm_set_boot_regs(opaque, st);
}

static bool create_board(struct machine *m, GError **err)
{
    const struct pc_config *cfg = &m->opts->pc;
    const struct kvm_config kc = {
        .cpu = m->opts->cpu,
        .topo = { cfg->cpus, cfg->max_cpus, cfg->sockets, cfg->dies, cfg->cores, cfg->threads },
        .cpu_pm = m->opts->cpu_pm,
        .device = m->opts->accel_device,
    };
    if (!pc_alloc_ram(m->vm, cfg, &m->opts->ram, err))
        return false;
    m->kvm = kvm_new(m->vm, &kc, err);
    if (!m->kvm)
        return false;
    const struct pc_irqchip chip = { kvm_set_gsi, kvm_raise_status, set_boot_regs, kvm_mask_pic, m->kvm };
    m->pc = pc_create(m->vm, cfg, &chip, err);
    return m->pc && options_create_devices(m->opts, m->vm, err) && pc_finish(m->pc, err);
}

static bool create(struct machine *m, GError **err)
{
    struct options *o = m->opts;
    struct vm *vm = m->vm;

    vm->name = g_strdup(o->pc.name);
    vm->topology = (struct vm_topology){ o->pc.sockets, o->pc.dies, o->pc.cores, o->pc.threads };
    vm->firmware_path = g_strdup(o->pc.firmware_path);
    vm->cpus = o->pc.cpus;
    vm->on_reboot = o->on_reboot;
    vm->on_shutdown = o->on_shutdown;
    vm->on_panic = o->on_panic;
    vm->on_watchdog = o->on_watchdog;
    vm->log.time_of_day = o->timestamps;
    if (!options_apply_log(o, vm, err) || !options_open_chardevs(o, vm, err) || !options_open_drives(o, vm, err) ||
        !options_create_objects(o, vm, err) || !options_open_netdevs(o, vm, err) || !create_board(m, err) ||
        !open_monitors(m, err))
        return false;
    vm->ram.block.locked |= o->mlock;
    if (o->mlock && mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        return fail(err, "-overcommit mem-lock=on: cannot lock memory: %s", g_strerror(errno));
    if (!kvm_start_cpus(m->kvm, err))
        return false;
    vm_reset(vm);
    return true;
}

bool machine_create(struct machine *m, struct options *opts, GError **err)
{
    *m = (struct machine){ .opts = opts, .vm = vm_new(NULL, NULL) };
    m->monitors = g_ptr_array_new_with_free_func(close_monitor);
    m->qmps = g_ptr_array_new();
    if (create(m, err))
        return true;
    machine_destroy(m);
    return false;
}

void machine_destroy(struct machine *m)
{
    if (!m->vm)
        return;
    g_ptr_array_free(m->monitors, TRUE);
    for (unsigned i = 0; i < m->qmps->len; i++)
        m->qmp->close(m->qmps->pdata[i]);
    g_ptr_array_free(m->qmps, TRUE);
    kvm_close(m->kvm);
    pc_free(m->pc);
    while (m->vm->devices->len)
        device_free(m->vm->devices->pdata[m->vm->devices->len - 1]);
    kvm_free(m->kvm);
    drive_close_all(m->vm);
    options_close_netdevs(m->opts, m->vm);
    chardev_free_all(m->vm);
    input_free(m->vm);
    vm_free(m->vm);
    *m = (struct machine){ 0 };
}
