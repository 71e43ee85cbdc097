/* vmm/core/vm.h - the virtual machine: what ties the core together, its lock and its life.
 *
 * Threads: the VM lock (vm_lock) guards every device, space, timer and irq.  vCPU threads hold it except
 * in KVM_RUN; the main thread takes it around device callbacks and timers.  Requests (vm_request_*) may
 * be made with or without the lock, from any thread; the main loop carries them out. */
#ifndef BANTAM_CORE_VM_H
#define BANTAM_CORE_VM_H

#include "vmm/core/device.h"
#include "vmm/core/lock.h"

enum run_state {
    RUN_PRELAUNCH,      /* -S, or not started yet */
    RUN_RUNNING,
    RUN_PAUSED,         /* by the user */
    RUN_SUSPENDED,      /* ACPI S3 */
    RUN_IO_ERROR,       /* werror=stop ... */
    RUN_INTERNAL_ERROR, /* KVM could not go on */
    RUN_GUEST_PANICKED, /* pvpanic, -action panic=pause */
    RUN_SHUTDOWN,       /* powered off, -no-shutdown */
    RUN_WATCHDOG,       /* -action watchdog=pause */
    N_RUN_STATES
};
extern const char *const run_state_names[N_RUN_STATES + 1]; /* QMP's names */

enum vm_cause { /* who asked for a reset or a shutdown: QMP's ShutdownCause */
    CAUSE_NONE, CAUSE_HOST_MONITOR, CAUSE_HOST_SIGNAL, CAUSE_HOST_UI, CAUSE_GUEST_SHUTDOWN, CAUSE_GUEST_RESET,
    CAUSE_GUEST_PANIC, CAUSE_TRIPLE_FAULT, CAUSE_IO_ERROR, CAUSE_INTERNAL_ERROR, CAUSE_DEBUG_EXIT, N_CAUSES
};
extern const char *const vm_cause_names[N_CAUSES + 1];

enum action { ACTION_RESET, ACTION_SHUTDOWN, ACTION_PAUSE, ACTION_POWEROFF, ACTION_NONE, ACTION_EXIT_FAILURE };

enum watchdog_action { /* in the order of watchdog_action_names, which are QEMU's */
    WATCHDOG_RESET, WATCHDOG_SHUTDOWN, WATCHDOG_POWEROFF, WATCHDOG_PAUSE, WATCHDOG_DEBUG, WATCHDOG_NONE,
    WATCHDOG_INJECT_NMI, N_WATCHDOG_ACTIONS
};
extern const char *const watchdog_action_names[N_WATCHDOG_ACTIONS + 1];

/* Exit codes of the process, see docs/bantam.1. */
enum {
    EXIT_OK = 0, EXIT_USER = 1, EXIT_TRIPLE_FAULT = 64, EXIT_PANIC = 66, EXIT_KVM_INTERNAL = 68, EXIT_IO_STOP = 70,
};

/* What drives the CPUs; the bench has none.  Called under the VM lock unless said otherwise. */
struct cpu_gprs;
struct accel_ops {
    /* every vCPU is out of KVM_RUN and stays out when this returns; main thread, no lock held */
    void (*pause)(void *opaque);
    void (*resume)(void *opaque); /* main thread */
    void (*kick)(void *opaque);   /* make vCPUs leave KVM_RUN soon and look at vm->requests; any thread */
    void (*reset)(void *opaque);  /* every vCPU to its state after RESET; paused */
    void (*nmi)(void *opaque);    /* all CPUs */
    void (*describe_cpus)(void *opaque, GString *out); /* registers, for the monitor; paused or not */
    /* Carry out writes that were batched (region.coalesce), so that their order is not visible.  May be NULL. */
    void (*drain)(void *opaque);
    /* Registers of the CPU whose access is being handled; false: none is.  May be NULL. */
    bool (*gprs)(void *opaque, struct cpu_gprs *regs, bool set);
    void (*describe_irqchip)(void *opaque, GString *out);   /* main thread, no lock held; may be NULL */
    /* thread id, 0: not started, -1: no such CPU; may be NULL */
    int (*cpu_thread)(void *opaque, unsigned cpu);
    /* Message-signalled interrupts, from any thread; all of them or none.  A route stands for a message, so that
     * writing to an eventfd sends it; an event that is pending when the eventfd is connected counts. */
    void (*msi_send)(void *opaque, uint64_t addr, uint32_t data);
    int (*msi_route_add)(void *opaque, uint64_t addr, uint32_t data); /* < 0: there are none left */
    void (*msi_route_change)(void *opaque, int route, uint64_t addr, uint32_t data);
    void (*msi_route_remove)(void *opaque, int route); /* no eventfd is connected to it */
    bool (*msi_irqfd)(void *opaque, int fd, int route, bool on); /* false: refused */
    /* The physical address behind a virtual one of that CPU; may be NULL. */
    bool (*translate)(void *opaque, unsigned cpu, uint64_t va, uint64_t *pa);
};

/* Callbacks around the life of a VM; see vm_add_notifier. */
enum vm_phase {
    PHASE_STOPPED,   /* vCPUs are paused: drain, flush */
    PHASE_CONTINUE,  /* about to run */
    /* after all devices were reset, before the CPUs are: loaders put their images in place; VM lock held */
    PHASE_RESET,
    PHASE_POWERDOWN, /* the user pressed the power button */
    PHASE_WAKEUP     /* from S3: chip set and CPUs were reset, memory was kept; VM lock held */
};
struct vm_notifier {
    void (*fn)(void *opaque, enum vm_phase phase);
    void *opaque;
    GList link;
};

struct boot_entry { /* see device_add_boot */
    int32_t index;
    char *path;
};

enum { /* vm->requests */
    REQ_RESET = 1, REQ_SHUTDOWN = 2, REQ_POWERDOWN = 4, REQ_STOP = 8, REQ_SUSPEND = 16, REQ_WAKEUP = 32, REQ_EXIT = 64,
    REQ_CONT = 128, REQ_PANIC = 256,
};

struct vm_topology { /* of the CPUs: per socket, die, core; 0: not known */
    unsigned sockets, dies, cores, threads;
};

struct vm_events { /* event.h */
    GMutex mutex;
    GQueue queue, listeners;
    int n_listeners; /* atomic */
    bool posted;
};

struct vm {
    char *name;
    const char *uuid;   /* -uuid, not owned; NULL: none */
    char *firmware_path; /* -L directories and the built-in ones, ':' between; NULL: built-in only; owned */
    unsigned cpus;       /* how many at the start; 0 on the bench */
    bool no_threads;     /* the bench: devices work in the main exec unless told otherwise */
    struct log log;
    struct tracer trace; /* "vm" */
    struct vmlock lock;
    struct exec main;
    struct clock clock;
    struct ram ram;
    struct space mem, pio;
    struct isa isa;
    GPtrArray *devices; /* struct device *, in the order of realize; owned */
    GPtrArray *buses;   /* struct bus *, not owned */
    GHashTable *blks;   /* id -> struct blk *     (block.h) */
    struct blk_pool *blk_pool; /* the drives' worker threads, NULL while there is no drive */
    GHashTable *iothreads; /* id -> struct iothread * (iothread.h) */
    GHashTable *chardevs; /* id -> struct chardev * (chardev.h) */
    GHashTable *netdevs;  /* id -> struct netdev *  (net.h) */
    GPtrArray *nics;      /* struct netdev * that NICs use, in the order of realize */
    bool macs_used[256];  /* 52:54:00:12:34:xx, see net_default_mac */
    GHashTable *rngs;   /* id -> struct rng *     (rng.h); NULL: none */
    GPtrArray *consoles;  /* struct console *       (display.h) */
    GPtrArray *boot_order; /* struct boot_entry *, sorted by index, owned */
    const GPtrArray *globals; /* struct device_global *, not owned; NULL: none */
    GQueue bhs;
    GQueue notifiers;
    struct vm_events events;
    struct vm_topology topology;
    struct input *input;  /* input.h */
    struct balloon *balloon; /* balloon.h; NULL: none */
    GQueue balloon_listeners;

    const struct accel_ops *accel; /* NULL: none */
    void *accel_opaque;

    /* life */
    enum run_state state;
    unsigned requests;  /* REQ_*, atomic */
    unsigned handling;  /* atomic: the main loop is at them.  A CPU runs only while both are 0 */
    enum run_state stop_state; /* of REQ_STOP */
    enum vm_cause cause; /* of REQ_RESET or REQ_SHUTDOWN: the first wins */
    enum action on_reboot, on_shutdown, on_panic; /* -action, -no-reboot, -no-shutdown */
    int on_watchdog;    /* enum watchdog_action; atomic */
    int exit_code;      /* valid when done */
    bool done;          /* the main loop ends */
    int timer_fd;       /* behind `clock` */
    struct exec_fd *timer_watch;
};

/* A VM with an empty board.  `bench` gives it a clock that only clock_step moves (tests): source and opaque,
 * else NULL. */
struct vm *vm_new(int64_t (*clock_source)(void *), void *clock_opaque);
void vm_free(struct vm *vm); /* devices last to first, then the rest; backends are freed by their owners before */

static inline void vm_lock(struct vm *vm)
{
    vmlock_lock(&vm->lock);
}
static inline void vm_unlock(struct vm *vm)
{
    vmlock_unlock(&vm->lock);
}

/* Requests.  A second reset or shutdown before the first was carried out changes nothing. */
void vm_request_reset(struct vm *vm, enum vm_cause cause);
void vm_request_shutdown(struct vm *vm, enum vm_cause cause); /* power off */
/* end the process with this status (quit, isa-debug-exit) */
void vm_request_exit(struct vm *vm, enum vm_cause cause, int code);
void vm_request_powerdown(struct vm *vm);      /* the power button */
void vm_request_stop(struct vm *vm, enum run_state state);
void vm_request_cont(struct vm *vm);
void vm_request_suspend(struct vm *vm);
void vm_request_wakeup(struct vm *vm); /* by a wake event; no effect unless RUN_SUSPENDED */
void vm_guest_panicked(struct vm *vm, bool crash_loaded); /* pvpanic */
void vm_watchdog_expired(struct vm *vm);       /* a watchdog device; VM lock held */
void vm_nmi(struct vm *vm);

void vm_add_notifier(struct vm *vm, struct vm_notifier *n);
void vm_remove_notifier(struct vm *vm, struct vm_notifier *n);

/* Main thread, no lock held: */
void vm_stop(struct vm *vm, enum run_state state); /* pause vCPUs, stop the clock, PHASE_STOPPED */
bool vm_cont(struct vm *vm);                       /* false: it is shut down and wants a reset first */
void vm_reset(struct vm *vm);                      /* devices, then CPUs, then PHASE_RESET */
void vm_run(struct vm *vm);                        /* the main loop, until vm->done */
/* Before anything looks at what batched writes change; lock held. */
static inline void vm_drain(struct vm *vm)
{
    if (vm->accel && vm->accel->drain)
        vm->accel->drain(vm->accel_opaque);
}
static inline bool vm_running(const struct vm *vm)
{
    return vm->state == RUN_RUNNING;
}

#endif
