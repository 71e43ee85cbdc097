/* vmm/control/hmp_balloon.c - monitor commands: balloon, info balloon. */
#include "vmm/control/monitor_impl.h"
#include "vmm/core/balloon.h"

bool hmp_balloon(struct hmp *h, GError **err)
{
    uint64_t bytes;

    if (!parse_size("balloon", h->argv[0], 'M', &bytes, err))
        return false;
    vm_lock(h->vm);
    bool ok = balloon_set_target(h->vm, bytes, err);
    vm_unlock(h->vm);
    return ok;
}

bool info_balloon(struct hmp *h, GError **err)
{
    struct balloon_stats st;
    uint64_t actual = 0;

    vm_lock(h->vm);
    bool ok = balloon_actual(h->vm, &actual, err) && balloon_stats(h->vm, &st, err);
    vm_unlock(h->vm);
    if (!ok)
        return false;
    hmp_print(h, "balloon: actual=%" PRIu64 "\n", actual >> 20);
    if (!st.last_update)
        return true;
    hmp_print(h, "stats: last-update=%" PRId64, st.last_update);
    for (int i = 0; i < N_BALLOON_STATS; i++)
        if (st.value[i] != UINT64_MAX)
            hmp_print(h, " %s=%" PRIu64, balloon_stat_names[i] + strlen("stat-"), st.value[i]);
    hmp_print(h, "\n");
    return true;
}
