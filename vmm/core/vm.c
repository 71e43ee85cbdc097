/* vmm/core/vm.c - making and freeing a VM, its clock's timerfd and its main loop. */
#include "vmm/core/rng.h"
#include "vmm/core/vm.h"
#include "vmm/core/iothread.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int64_t monotonic(void *opaque)
{
    struct timespec ts;

    (void) opaque;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void rearm(void *opaque, int64_t deadline)
{
    struct vm *vm = opaque;
    struct itimerspec its = { 0 };

    if (deadline >= 0) { /* a zero it_value would disarm */
        deadline = MAX(deadline, 1);
        its.it_value = (struct timespec){ deadline / NS_PER_SEC, deadline % NS_PER_SEC };
    }
    timerfd_settime(vm->timer_fd, TFD_TIMER_ABSTIME, &its, NULL);
}

static void timer_ready(void *opaque, GIOCondition cond)
{
    struct vm *vm = opaque;
    uint64_t n;

    (void) cond;
    if (read(vm->timer_fd, &n, sizeof n) < 0)
        return; /* re-armed meanwhile */
    vm_lock(vm);
    vm_drain(vm);
    clock_run_timers(&vm->clock);
    vm_unlock(vm);
}

static bool isa_attach(struct bus *bus, struct device *dev, GError **err)
{
    (void) bus, (void) dev, (void) err;
    return true;
}

static char *isa_fw_node(const struct device *dev)
{
    const struct isa_info *info = dev->cls->bus_info;

    return info && info->fw_node ? info->fw_node(dev) : NULL;
}
const struct bus_class isa_bus_class = { .name = "ISA", .attach = isa_attach, .fw_node = isa_fw_node };

static void free_boot_entry(void *p)
{
    struct boot_entry *e = p;

    g_free(e->path);
    g_free(e);
}

struct vm *vm_new(int64_t (*source)(void *), void *opaque)
{
    struct vm *vm = g_new0(struct vm, 1);

    log_init(&vm->log);
    tracer_init(&vm->trace, &vm->log, "vm");
    vmlock_init(&vm->lock);
    exec_init(&vm->main, vm, "main", true);
    vm->timer_fd = -1;
    vm->no_threads = source != NULL;
    if (source) {
        clock_init(&vm->clock, source, NULL, opaque);
    } else {
        vm->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        clock_init(&vm->clock, monotonic, rearm, vm);
        vm->timer_watch = exec_add_fd(&vm->main, vm->timer_fd, G_IO_IN, timer_ready, vm);
        exec_fd_may_nest(vm->timer_watch); /* clock_run_timers() does not nest */
    }
    space_init(&vm->mem, "mem", UINT64_MAX, &vm->log);
    space_init(&vm->pio, "pio", 0xffff, &vm->log);
    vm->ram.block.fd = -1;
    vm->devices = g_ptr_array_new();
    vm->buses = g_ptr_array_new();
    vm->blks = g_hash_table_new(g_str_hash, g_str_equal);
    vm->iothreads = g_hash_table_new(g_str_hash, g_str_equal);
    vm->chardevs = g_hash_table_new(g_str_hash, g_str_equal);
    vm->netdevs = g_hash_table_new(g_str_hash, g_str_equal);
    vm->nics = g_ptr_array_new();
    vm->consoles = g_ptr_array_new();
    vm->boot_order = g_ptr_array_new_with_free_func(free_boot_entry);
    g_queue_init(&vm->bhs);
    g_queue_init(&vm->notifiers);
    g_queue_init(&vm->balloon_listeners);
    g_queue_init(&vm->events.listeners);
    g_queue_init(&vm->events.queue);
    g_mutex_init(&vm->events.mutex);
    vm->on_reboot = ACTION_RESET;
    vm->on_shutdown = ACTION_POWEROFF;
    vm->on_panic = ACTION_SHUTDOWN;
    bus_init(&vm->isa.bus, vm, &isa_bus_class, "isa.0", NULL, vm);
    return vm;
}

void vm_free(struct vm *vm)
{
    while (vm->devices->len)
        device_free(vm->devices->pdata[vm->devices->len - 1]);
    bus_clear(&vm->isa.bus, vm);
    exec_fd_remove(vm->timer_watch);
    if (vm->timer_fd >= 0)
        close(vm->timer_fd);
    space_clear(&vm->mem);
    space_clear(&vm->pio);
    ram_block_free(&vm->ram.block);
    g_ptr_array_free(vm->devices, TRUE);
    g_ptr_array_free(vm->buses, TRUE);
    g_hash_table_destroy(vm->blks);
    iothread_free_all(vm);
    g_hash_table_destroy(vm->iothreads);
    g_hash_table_destroy(vm->chardevs);
    g_hash_table_destroy(vm->netdevs);
    g_ptr_array_free(vm->nics, TRUE);
    rng_free_all(vm);
    g_ptr_array_free(vm->consoles, TRUE);
    g_ptr_array_free(vm->boot_order, TRUE);
    exec_clear(&vm->main);
    vmlock_clear(&vm->lock);
    g_mutex_clear(&vm->events.mutex);
    tracer_clear(&vm->trace);
    log_clear(&vm->log);
    g_free(vm->name);
    g_free(vm->firmware_path);
    g_free(vm);
}

void vm_run(struct vm *vm)
{
    while (!vm->done)
        exec_iterate(&vm->main, true);
}
