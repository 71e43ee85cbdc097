/* vmm/control/qmp.h - the machine-readable monitor: QEMU's QMP on a chardev.
 *
 * It is in the module "qmp" (base/module.h), because of json-glib.  A session lives in the main thread: what the
 * chardev delivers is only queued, commands run from the main loop without the VM lock. */
#ifndef BANTAM_CONTROL_QMP_H
#define BANTAM_CONTROL_QMP_H

#include "vmm/control/options.h"
#include "vmm/core/vm.h"

struct qmp;

struct qmp_module {
    /* The chardev must be open.  NULL: it is taken by another, *err says by whom. */
    struct qmp *(*open)(struct vm *vm, const struct opt_monitor *opt, GError **err);
    void (*close)(struct qmp *q); /* before the chardevs are freed; NULL is fine */
};

extern const struct qmp_module qmp_module; /* the module's symbol */

#endif
