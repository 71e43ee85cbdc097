/* vmm/control/hmp_life.c - monitor commands: run, stop, reset, logging. */
#include "vmm/control/action.h"
#include "vmm/control/monitor_impl.h"

bool hmp_stop(struct hmp *h, GError **err)
{
    (void) err;
    if (vm_running(h->vm))
        vm_stop(h->vm, RUN_PAUSED);
    return true;
}

bool hmp_cont(struct hmp *h, GError **err)
{
    return action_cont(h->vm, err);
}

bool hmp_quit(struct hmp *h, GError **err)
{
    (void) err;
    vm_request_exit(h->vm, CAUSE_HOST_MONITOR, EXIT_OK);
    return true;
}

bool hmp_system_reset(struct hmp *h, GError **err)
{
    (void) err;
    vm_request_reset(h->vm, CAUSE_HOST_MONITOR);
    return true;
}

bool hmp_system_powerdown(struct hmp *h, GError **err)
{
    (void) err;
    vm_request_powerdown(h->vm);
    return true;
}

bool hmp_system_wakeup(struct hmp *h, GError **err)
{
    return action_wakeup(h->vm, err);
}

bool hmp_watchdog_action(struct hmp *h, GError **err)
{
    return action_watchdog(h->vm, h->argv[0], err);
}

bool hmp_nmi(struct hmp *h, GError **err)
{
    return action_nmi(h->vm, err);
}

bool hmp_log(struct hmp *h, GError **err)
{
    char **items = g_strsplit(h->argv[0], ",", -1);
    bool ok = true, on = false;

    for (char **i = items; ok && *i; i++) {
        if (!strcmp(*i, "guest_errors") || !strcmp(*i, "unimp"))
            on = true;
        else if (strcmp(*i, "none") != 0)
            ok = fail(err, "there is no log item '%s'; there are: guest_errors, none", *i);
    }
    if (ok)
        h->vm->log.guest_errors = on;
    g_strfreev(items);
    return ok;
}

bool hmp_logfile(struct hmp *h, GError **err)
{
    GError *why = NULL;

    vm_lock(h->vm); /* nobody prints while the file changes */
    bool ok = log_open(&h->vm->log, h->argv[0], &why);
    vm_unlock(h->vm);
    if (!ok) {
        fail(err, "%s", why->message + (g_str_has_prefix(why->message, "-D: ") ? 4 : 0));
        g_error_free(why);
    }
    return ok;
}

bool hmp_trace_event(struct hmp *h, GError **err)
{
    bool on;

    if (!parse_bool(h->argv[0], h->argv[1], &on, err))
        return false;
    (on ? log_enable : log_disable)(&h->vm->log, h->argv[0]);
    return true;
}
