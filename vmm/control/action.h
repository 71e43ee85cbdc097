/* vmm/control/action.h - what the monitors can do to a machine: one implementation behind hmp and QMP.
 *
 * Main thread, no lock held: each takes the VM lock where it touches devices. */
#ifndef BANTAM_CONTROL_ACTION_H
#define BANTAM_CONTROL_ACTION_H

#include "vmm/base/error.h"
#include "vmm/block/drive.h"
#include "vmm/core/vm.h"

#ifndef BANTAM_VERSION
#define BANTAM_VERSION "0.1"
#endif

bool action_cont(struct vm *vm, GError **err);
bool action_wakeup(struct vm *vm, GError **err);
bool action_watchdog(struct vm *vm, const char *action, GError **err); /* what an expired watchdog does */
bool action_nmi(struct vm *vm, GError **err);
bool action_screendump(struct vm *vm, const char *file, const char *format, GError **err); /* format: or NULL */
bool action_send_keys(struct vm *vm, const unsigned *codes, unsigned n, unsigned hold_ms, GError **err);

/* By the drive's id, or by that of the device that uses it; NULL: neither.  VM lock held. */
struct blk *action_drive(struct vm *vm, const char *name);
/* With a message for the user. */
struct blk *action_need_drive(struct vm *vm, const char *name, GError **err);

/* The cable of a netdev, or of the NIC of this id; false: there is neither.  VM lock held. */
bool action_set_link(struct vm *vm, const char *name, bool up);

enum action_snapshot { SNAPSHOT_CREATE, SNAPSHOT_APPLY, SNAPSHOT_DELETE };
/* Inside the image of a drive; apply: only while the guest doesn't run. */
bool action_snapshot(struct vm *vm, enum action_snapshot what, const char *drive, const char *name, GError **err);

bool action_pmemsave(struct vm *vm, uint64_t addr, uint64_t size, const char *file, GError **err);
/* Virtual addresses as CPU `cpu` has them now. */
bool action_memsave(struct vm *vm, unsigned cpu, uint64_t addr, uint64_t size, const char *file, GError **err);
/* The physical address of a virtual one; false: it is not mapped, or there are no CPUs.  VM lock held. */
bool action_translate(struct vm *vm, unsigned cpu, uint64_t va, uint64_t *pa, GError **err);

#endif
