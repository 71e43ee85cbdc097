/* vmm/control/machine.h - a machine made of options: the VM, its accelerator, its board, its backends.
 *
 * Main thread; several machines may be in one process. */
#ifndef BANTAM_CONTROL_MACHINE_H
#define BANTAM_CONTROL_MACHINE_H

#include "hw/pc/pc.h"
#include "vmm/control/options.h"
#include "vmm/kvm/kvm.h"

struct machine {
    struct options *opts; /* not owned; stays valid */
    struct vm *vm;
    struct kvm *kvm;
    struct pc *pc;
    GPtrArray *monitors; /* struct monitor *, owned */
    const struct qmp_module *qmp; /* NULL: not loaded */
    GPtrArray *qmps;     /* struct qmp *, owned */
};

/* Everything but running: the machine was reset once and is paused.  On failure all is undone. */
bool machine_create(struct machine *m, struct options *opts, GError **err);
void machine_destroy(struct machine *m);

#endif
