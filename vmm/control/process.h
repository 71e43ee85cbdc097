/* vmm/control/process.h - what is of the process and not of a machine: signals, pid file, daemon, privileges. */
#ifndef BANTAM_CONTROL_PROCESS_H
#define BANTAM_CONTROL_PROCESS_H

#include "vmm/control/machine.h"

struct process {
    const struct options *opts;
    int signal_fd;
    struct exec_fd *signal_watch;
    struct machine *machine;
    int ready_pipe; /* daemon: tells the parent; else -1 */
    char *pidfile;  /* written by us: removed at the end */
};

/* Before anything else: blocks signals (threads inherit that), and becomes the daemon's child. */
bool process_begin(struct process *p, const struct options *o, GError **err);
/* The machine is there: watch signals, write the pid file, change root and user, let go of the terminal. */
bool process_ready(struct process *p, struct machine *m, GError **err);
void process_unwatch(struct process *p); /* before the machine goes */
void process_end(struct process *p);

#endif
