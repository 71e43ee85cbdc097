/* vmm/core/event.h - what happened, for those who watch a VM from outside: QMP's events, typed.
 *
 * Emitting is cheap and may be done by any thread, with or without the VM lock; without a listener it does
 * nothing.  Listeners are called by the main thread without the lock, in the order in which things happened,
 * soon after (or at once, by vm_event_deliver).  What waits is bounded: of the kinds that only tell a new value
 * the last one waits, and of the others VM_EVENT_MAX, the rest is lost. */
#ifndef BANTAM_CORE_EVENT_H
#define BANTAM_CORE_EVENT_H

#include "vmm/core/vm.h"

enum { VM_EVENT_MAX = 1024 };

enum vm_event_kind {
    EVENT_STOP, EVENT_RESUME, EVENT_SUSPEND, EVENT_WAKEUP, EVENT_POWERDOWN,
    EVENT_RESET,          /* cause */
    EVENT_SHUTDOWN,       /* cause */
    EVENT_GUEST_PANICKED, /* action: "pause", "poweroff", "run" */
    EVENT_GUEST_CRASHLOADED,
    EVENT_WATCHDOG,       /* action */
    EVENT_BLOCK_IO_ERROR, /* id, write, action: "report", "ignore", "stop"; error, on: no space */
    EVENT_TRAY_MOVED,     /* id, device, on: open */
    EVENT_BALLOON_CHANGE, /* value: bytes the guest has now */
    EVENT_RTC_CHANGE,     /* value: seconds from the host's clock */
    EVENT_PORT_CHANGE,    /* device: a virtio-serial port; on: the guest has it open */
    N_VM_EVENTS
};

struct vm_event {
    enum vm_event_kind kind;
    enum vm_cause cause;
    const char *action;  /* a literal */
    const char *id;      /* of the drive; copied, as device is */
    const char *device;  /* id of the device; may be NULL */
    bool write, on;
    int error;           /* errno */
    int64_t value;
    int64_t time;        /* filled in: microseconds since 1970 */
};

struct vm_listener {
    void (*fn)(void *opaque, const struct vm_event *ev);
    void *opaque;
    GList link;
};

void vm_add_listener(struct vm *vm, struct vm_listener *l);    /* main thread */
void vm_remove_listener(struct vm *vm, struct vm_listener *l); /* main thread */

void vm_emit(struct vm *vm, const struct vm_event *ev);
#define VM_EMIT(vm, k, ...) vm_emit(vm, &(struct vm_event){ .kind = (k), __VA_ARGS__ })

void vm_event_deliver(struct vm *vm); /* main thread, no lock held: what waits, now */

/* QMP's ShutdownCause, and whether the guest did it. */
const char *vm_cause_text(enum vm_cause cause, bool reset);
bool vm_cause_is_guest(enum vm_cause cause);

#endif
