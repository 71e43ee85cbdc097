/* vmm/control/action.c - what the monitors can do. */
#include "vmm/block/qcow2_snapshot.h"
#include "vmm/control/action.h"
#include "vmm/net/net.h"
#include "vmm/ui/display.h"
#include "vmm/ui/input.h"

#include <errno.h>
#include <stdio.h>

bool action_cont(struct vm *vm, GError **err)
{
    if (vm->state == RUN_SUSPENDED) {
        vm_request_wakeup(vm);
        return true;
    }
    return vm_cont(vm) ||
           fail(err, "the guest is at '%s': a system_reset is needed first", run_state_names[vm->state]);
}

bool action_wakeup(struct vm *vm, GError **err)
{
    if (vm->state != RUN_SUSPENDED)
        return fail(err, "the guest is not suspended");
    vm_request_wakeup(vm);
    return true;
}

bool action_watchdog(struct vm *vm, const char *action, GError **err)
{
    for (int i = 0; i < N_WATCHDOG_ACTIONS; i++)
        if (!strcmp(watchdog_action_names[i], action)) {
            __atomic_store_n(&vm->on_watchdog, i, __ATOMIC_RELAXED);
            return true;
        }
    char *all = g_strjoinv(", ", (char **) watchdog_action_names);
    fail(err, "a watchdog has no action '%s'; there are: %s", action, all);
    g_free(all);
    return false;
}

bool action_nmi(struct vm *vm, GError **err)
{
    if (!vm->accel)
        return fail(err, "there are no CPUs");
    vm_lock(vm);
    vm_nmi(vm);
    vm_unlock(vm);
    return true;
}

bool action_screendump(struct vm *vm, const char *file, const char *format, GError **err)
{
    vm_lock(vm);
    struct console *con = console_first(vm);
    vm_unlock(vm);
    return con ? screenshot_write(con, file, format, err) : fail(err, "this machine has no display card");
}

bool action_send_keys(struct vm *vm, const unsigned *codes, unsigned n, unsigned hold_ms, GError **err)
{
    vm_lock(vm);
    bool ok = input_send_combo(vm, codes, n, hold_ms);
    vm_unlock(vm);
    return ok || fail(err, vm->input ? "too many keys wait to be typed; try again" : "there is no keyboard");
}

/* --- drives ------------------------------------------------------------------------------------------------ */

struct blk *action_drive(struct vm *vm, const char *name)
{
    struct blk *blk = drive_find(vm, name);
    GHashTableIter it;
    void *val;

    g_hash_table_iter_init(&it, vm->blks);
    while (!blk && g_hash_table_iter_next(&it, NULL, &val)) {
        struct blk *b = val;
        if (b->dev && b->dev->id && !strcmp(b->dev->id, name))
            blk = b;
    }
    return blk;
}

struct blk *action_need_drive(struct vm *vm, const char *name, GError **err)
{
    struct blk *blk = action_drive(vm, name);

    if (blk)
        return blk;
    GPtrArray *names = g_ptr_array_new();
    GHashTableIter it;
    void *key;
    g_hash_table_iter_init(&it, vm->blks);
    while (g_hash_table_iter_next(&it, &key, NULL))
        g_ptr_array_add(names, key);
    g_ptr_array_add(names, NULL);
    char *hint = nearest_hint(name, (const char *const *) names->pdata);
    fail(err, "there is no drive '%s'%s; see 'info block'", name, hint);
    g_free(hint);
    g_ptr_array_free(names, TRUE);
    return NULL;
}

static bool name_is_free(struct blk *blk, const char *name, GError **err)
{
    uint32_t n;
    const struct q2_snapshot_entry *e = qcow2_snapshot_entries(blk, &n);

    for (uint32_t i = 0; i < n; i++)
        if (!strcmp(e[i].name, name))
            return fail(err, "drive '%s' has a snapshot '%s' already", blk->id, name);
    return true;
}

bool action_snapshot(struct vm *vm, enum action_snapshot what, const char *drive, const char *name, GError **err)
{
    static bool (*const fns[])(struct blk *blk, const char *name, GError **err) = {
        qcow2_snapshot_create, qcow2_snapshot_apply, qcow2_snapshot_delete
    };

    if (what == SNAPSHOT_APPLY && vm_running(vm))
        return fail(err, "the guest is running, and would not know that its disk changes: stop it first");
    vm_lock(vm);
    struct blk *blk = action_need_drive(vm, drive, err);
    bool ok = blk && (what != SNAPSHOT_CREATE || name_is_free(blk, name, err)) && fns[what](blk, name, err);
    vm_unlock(vm);
    return ok;
}

/* --- links ------------------------------------------------------------------------------------------------- */

bool action_set_link(struct vm *vm, const char *name, bool up)
{
    struct netdev *dev = netdev_find(vm, name);
    GHashTableIter it;
    void *val;

    g_hash_table_iter_init(&it, vm->netdevs);
    while (!dev && g_hash_table_iter_next(&it, NULL, &val)) {
        struct netdev *n = val;
        if (n->nic && n->nic->id && !strcmp(n->nic->id, name))
            dev = n;
    }
    if (dev)
        netdev_set_link(dev, up);
    return dev;
}

/* --- memory ------------------------------------------------------------------------------------------------ */

bool action_translate(struct vm *vm, unsigned cpu, uint64_t va, uint64_t *pa, GError **err)
{
    const struct accel_ops *a = vm->accel;

    if (!a || !a->translate)
        return fail(err, "there are no CPUs");
    if (a->cpu_thread && a->cpu_thread(vm->accel_opaque, cpu) < 0)
        return fail(err, "there is no CPU %u", cpu);
    return a->translate(vm->accel_opaque, cpu, va, pa) ||
           fail(err, "the virtual address 0x%" PRIx64 " is not mapped", va);
}

/* cpu < 0: addresses are physical. */
static bool save(struct vm *vm, int64_t cpu, uint64_t addr, uint64_t size, const char *file, GError **err)
{
    if (size > UINT64_MAX - addr)
        return fail(err, "0x%" PRIx64 " bytes at 0x%" PRIx64 ": the end of memory is crossed", size, addr);
    FILE *f = fopen(file, "we");
    if (!f)
        return fail(err, "cannot write '%s': %s", file, g_strerror(errno));
    bool ok = true;
    while (ok && size) {
        uint64_t n = MIN(size, 4096 - addr % 4096), pa = addr;
        if (cpu >= 0) {
            vm_lock(vm); /* a page at a time: the guest may run */
            ok = action_translate(vm, (unsigned) cpu, addr, &pa, err);
            vm_unlock(vm);
        }
        const void *at = ok ? ram_ptr(&vm->ram, pa, n) : NULL;
        if (ok && !at)
            ok = fail(err, "0x%" PRIx64 " is not in the guest's memory", pa);
        else if (ok && fwrite(at, 1, n, f) != n)
            ok = fail(err, "cannot write '%s': %s", file, g_strerror(errno));
        addr += n;
        size -= n;
    }
    if (fclose(f) != 0 && ok)
        ok = fail(err, "cannot write '%s': %s", file, g_strerror(errno));
    return ok;
}

bool action_pmemsave(struct vm *vm, uint64_t addr, uint64_t size, const char *file, GError **err)
{
    return save(vm, -1, addr, size, file, err);
}

bool action_memsave(struct vm *vm, unsigned cpu, uint64_t addr, uint64_t size, const char *file, GError **err)
{
    return save(vm, cpu, addr, size, file, err);
}
