/* vmm/core/balloon.c - between the balloon device and who asks it. */
#include "vmm/core/balloon.h"
#include "vmm/core/event.h"

const char *const balloon_stat_names[N_BALLOON_STATS + 1] = {
    "stat-swap-in", "stat-swap-out", "stat-major-faults", "stat-minor-faults", "stat-free-memory", "stat-total-memory",
    "stat-available-memory", "stat-disk-caches", "stat-htlb-pgalloc", "stat-htlb-pgfail", "stat-oom-kills",
    "stat-alloc-stalls", "stat-async-scans", "stat-direct-scans", "stat-async-reclaims", "stat-direct-reclaims", NULL
};

bool balloon_register(struct vm *vm, struct balloon *b, GError **err)
{
    if (vm->balloon)
        return fail(err, "a machine has one balloon at most");
    vm->balloon = b;
    return true;
}

void balloon_unregister(struct vm *vm, struct balloon *b)
{
    if (vm->balloon == b)
        vm->balloon = NULL;
}

void balloon_listen(struct vm *vm, struct balloon_listener *l)
{
    l->link = (GList){ .data = l };
    g_queue_push_tail_link(&vm->balloon_listeners, &l->link);
}

void balloon_unlisten(struct vm *vm, struct balloon_listener *l)
{
    g_queue_unlink(&vm->balloon_listeners, &l->link);
}

void balloon_tell(struct vm *vm, uint64_t actual)
{
    VM_EMIT(vm, EVENT_BALLOON_CHANGE, .value = (int64_t) actual);
    for (GList *l = vm->balloon_listeners.head, *next; l; l = next) {
        struct balloon_listener *to = l->data;
        next = l->next;
        to->changed(to->opaque, actual);
    }
}

static const struct balloon_ops *balloon_ops(struct vm *vm, GError **err)
{
    if (!vm->balloon) {
        fail(err, "No balloon device has been activated");
        return NULL;
    }
    return vm->balloon->ops;
}

bool balloon_set_target(struct vm *vm, uint64_t bytes, GError **err)
{
    const struct balloon_ops *ops = balloon_ops(vm, err);

    if (!ops)
        return false;
    if (!bytes)
        return fail(err, "Parameter 'target' expects a size");
    ops->set_target(vm->balloon->opaque, MIN(bytes, vm->ram.block.size));
    return true;
}

bool balloon_actual(struct vm *vm, uint64_t *bytes, GError **err)
{
    const struct balloon_ops *ops = balloon_ops(vm, err);

    if (ops)
        *bytes = ops->actual(vm->balloon->opaque);
    return ops;
}

bool balloon_stats(struct vm *vm, struct balloon_stats *out, GError **err)
{
    const struct balloon_ops *ops = balloon_ops(vm, err);

    if (ops)
        ops->stats(vm->balloon->opaque, out);
    return ops;
}

bool balloon_polling(struct vm *vm, uint32_t *seconds, GError **err)
{
    const struct balloon_ops *ops = balloon_ops(vm, err);

    if (ops)
        *seconds = ops->polling(vm->balloon->opaque);
    return ops;
}

bool balloon_set_polling(struct vm *vm, int64_t seconds, GError **err)
{
    const struct balloon_ops *ops = balloon_ops(vm, err);

    if (!ops)
        return false;
    if (seconds < 0)
        return fail(err, "timer value must be greater than zero");
    if (seconds > UINT32_MAX)
        return fail(err, "timer value is too big");
    ops->set_polling(vm->balloon->opaque, (uint32_t) seconds);
    return true;
}

bool balloon_hints_start(struct vm *vm, const struct balloon_hints *to, GError **err)
{
    const struct balloon_ops *ops = balloon_ops(vm, err);

    return ops && ops->hints_start(vm->balloon->opaque, to, err);
}

void balloon_hints_stop(struct vm *vm)
{
    if (vm->balloon)
        vm->balloon->ops->hints_stop(vm->balloon->opaque);
}
