/* vmm/control/monitor.h - the human monitor on a chardev: QEMU's commands, line editing, history, completion.
 *
 * A monitor lives in the main thread.  What the chardev delivers is only queued there, under the VM lock;
 * commands run from the main loop without it, and take it where they touch devices. */
#ifndef BANTAM_CONTROL_MONITOR_H
#define BANTAM_CONTROL_MONITOR_H

#include "vmm/control/options.h"
#include "vmm/core/vm.h"

struct monitor;

/* The chardev must be open.  NULL: it is taken by another, *err says by whom. */
struct monitor *monitor_open(struct vm *vm, const struct opt_monitor *opt, GError **err);
void monitor_close(struct monitor *m); /* before the chardevs are freed; NULL is fine */

/* Run one command line and return what it prints: what `human-monitor-command` and scripts need.  Caller
 * frees. */
char *monitor_execute(struct vm *vm, const char *line);

#endif
