/* vmm/core/life.c - run, stop, reset, power off: requests from anywhere, carried out by the main loop. */
#include "vmm/core/event.h"

const char *const run_state_names[] = {
    "prelaunch", "running", "paused", "suspended", "io-error", "internal-error", "guest-panicked", "shutdown",
    "watchdog", NULL
};

const char *const vm_cause_names[] = {
    "none", "host-qmp-quit", "host-signal", "host-ui", "guest-shutdown", "guest-reset", "guest-panic",
    "triple-fault", "io-error", "internal-error", "debug-exit", NULL
};

const char *const watchdog_action_names[] = {
    "reset", "shutdown", "poweroff", "pause", "debug", "none", "inject-nmi", NULL
};

void vm_add_notifier(struct vm *vm, struct vm_notifier *n)
{
    n->link = (GList){ .data = n };
    g_queue_push_tail_link(&vm->notifiers, &n->link);
}

void vm_remove_notifier(struct vm *vm, struct vm_notifier *n)
{
    g_queue_unlink(&vm->notifiers, &n->link);
}

/* When the VM stops and continues, the newest first: devices before the backends that they use. */
static void notify(struct vm *vm, enum vm_phase phase)
{
    bool newest_first = phase == PHASE_STOPPED || phase == PHASE_CONTINUE;

    for (GList *l = newest_first ? vm->notifiers.tail : vm->notifiers.head, *next; l; l = next) {
        struct vm_notifier *n = l->data;
        next = newest_first ? l->prev : l->next;
        n->fn(n->opaque, phase);
    }
}

/* --- stop, continue, reset (main thread, no lock held) ------------------------------------------ */

static void halt(struct vm *vm, enum run_state state)
{
    bool was = vm_running(vm);

    if (vm->state == RUN_SUSPENDED && state == RUN_PAUSED)
        return; /* it is at rest, and must not forget that only a wake event ends that */
    if (was && vm->accel)
        vm->accel->pause(vm->accel_opaque);
    vm_lock(vm);
    vm->state = state;
    if (was) {
        clock_run(&vm->clock, false);
        TRACER(&vm->trace, "stopped: %s", run_state_names[state]);
    }
    vm_unlock(vm);
    if (was)
        notify(vm, PHASE_STOPPED);
}

void vm_stop(struct vm *vm, enum run_state state)
{
    bool was = vm_running(vm);

    halt(vm, state);
    if (was)
        VM_EMIT(vm, EVENT_STOP);
}

static void run(struct vm *vm)
{
    notify(vm, PHASE_CONTINUE);
    vm_lock(vm);
    vm->state = RUN_RUNNING;
    clock_run(&vm->clock, true);
    vm_unlock(vm);
    TRACER(&vm->trace, "running");
    if (vm->accel)
        vm->accel->resume(vm->accel_opaque);
}

bool vm_cont(struct vm *vm)
{
    if (vm_running(vm))
        return true;
    if (vm->state == RUN_SHUTDOWN || vm->state == RUN_INTERNAL_ERROR || vm->state == RUN_SUSPENDED)
        return false; /* the first two want a reset, the last a wake event */
    VM_EMIT(vm, EVENT_RESUME);
    run(vm);
    return true;
}

void vm_reset(struct vm *vm)
{
    bool was = vm_running(vm);

    if (was && vm->accel)
        vm->accel->pause(vm->accel_opaque);
    vm_lock(vm);
    device_reset_all(vm);
    notify(vm, PHASE_RESET);
    if (vm->accel)
        vm->accel->reset(vm->accel_opaque);
    if (vm->state == RUN_SHUTDOWN || vm->state == RUN_INTERNAL_ERROR || vm->state == RUN_GUEST_PANICKED)
        vm->state = RUN_PAUSED;
    vm_unlock(vm);
    if (was && vm->accel)
        vm->accel->resume(vm->accel_opaque);
}

static void finish(struct vm *vm, int code)
{
    halt(vm, RUN_SHUTDOWN);
    vm->exit_code = code;
    vm->done = true;
}

/* --- requests ----------------------------------------------------------------------------------- */

/* The cause's, or that of the trouble in which the VM had stopped when it was ended from outside. */
static int exit_code_of(const struct vm *vm)
{
    switch (vm->state) {
    case RUN_IO_ERROR:       return EXIT_IO_STOP;
    case RUN_GUEST_PANICKED: return EXIT_PANIC;
    case RUN_INTERNAL_ERROR: return EXIT_KVM_INTERNAL;
    default:                 break;
    }
    switch (vm->cause) {
    case CAUSE_TRIPLE_FAULT:   return EXIT_TRIPLE_FAULT;
    case CAUSE_GUEST_PANIC:    return EXIT_PANIC;
    case CAUSE_INTERNAL_ERROR: return EXIT_KVM_INTERNAL;
    case CAUSE_IO_ERROR:       return EXIT_IO_STOP;
    default:                   return EXIT_OK;
    }
}

static void do_shutdown(struct vm *vm)
{
    VM_EMIT(vm, EVENT_SHUTDOWN, .cause = vm->cause);
    if (vm->on_shutdown == ACTION_PAUSE && vm->cause != CAUSE_HOST_SIGNAL && vm->cause != CAUSE_HOST_MONITOR &&
        vm->cause != CAUSE_HOST_UI)
        vm_stop(vm, RUN_SHUTDOWN);
    else
        finish(vm, exit_code_of(vm));
}

static void do_reset(struct vm *vm)
{
    if (vm->on_reboot == ACTION_SHUTDOWN && vm->cause != CAUSE_HOST_MONITOR) {
        do_shutdown(vm);
        return;
    }
    bool asleep = vm->state == RUN_SUSPENDED;
    vm_reset(vm);
    VM_EMIT(vm, EVENT_RESET, .cause = vm->cause);
    if (asleep) {
        vm->state = RUN_PAUSED;
        run(vm);
    }
}

static void panicked_off(struct vm *vm, int code)
{
    VM_EMIT(vm, EVENT_SHUTDOWN, .cause = CAUSE_GUEST_PANIC);
    finish(vm, code);
}

static void do_panic(struct vm *vm)
{
    VM_EMIT(vm, EVENT_GUEST_PANICKED, .action = vm->on_panic == ACTION_NONE    ? "run"
                                                : vm->on_panic == ACTION_PAUSE ? "pause"
                                                                               : "poweroff");
    switch (vm->on_panic) {
    case ACTION_NONE:
        break;
    case ACTION_PAUSE:
        vm_stop(vm, RUN_GUEST_PANICKED);
        break;
    default: /* shutdown, exit-failure */
        if (vm->on_shutdown == ACTION_PAUSE && vm->on_panic == ACTION_SHUTDOWN)
            vm_stop(vm, RUN_GUEST_PANICKED);
        else
            panicked_off(vm, EXIT_PANIC);
    }
}

/* S3: the CPUs are off, the clock goes on, so that an alarm can end it. */
static void do_suspend(struct vm *vm)
{
    if (!vm_running(vm))
        return;
    if (vm->accel)
        vm->accel->pause(vm->accel_opaque);
    vm_lock(vm);
    vm->state = RUN_SUSPENDED;
    vm_unlock(vm);
    TRACER(&vm->trace, "suspended");
    notify(vm, PHASE_STOPPED);
    VM_EMIT(vm, EVENT_SUSPEND);
}

static void do_wakeup(struct vm *vm)
{
    if (vm->state != RUN_SUSPENDED)
        return;
    vm_lock(vm); /* the chip set's RESET is pulsed; memory is kept, and the firmware finds its way back */
    device_reset_all(vm);
    if (vm->accel)
        vm->accel->reset(vm->accel_opaque);
    notify(vm, PHASE_WAKEUP);
    vm_unlock(vm);
    vm->state = RUN_PAUSED;
    VM_EMIT(vm, EVENT_WAKEUP);
    run(vm);
}

static void do_exit(struct vm *vm)
{
    VM_EMIT(vm, EVENT_SHUTDOWN, .cause = vm->cause);
    finish(vm, vm->exit_code);
}

static void carry_out(struct vm *vm, unsigned req)
{
    if (req & REQ_EXIT)
        do_exit(vm);
    else if (req & REQ_SHUTDOWN)
        do_shutdown(vm);
    else if (req & REQ_PANIC)
        do_panic(vm);
    else if (req & REQ_RESET)
        do_reset(vm);
    else if (req & REQ_SUSPEND)
        do_suspend(vm);
    vm->cause = CAUSE_NONE;
    if (vm->done)
        return;
    if (req & REQ_STOP)
        vm_stop(vm, __atomic_load_n(&vm->stop_state, __ATOMIC_RELAXED));
    if (req & REQ_CONT)
        vm_cont(vm);
    if (req & REQ_POWERDOWN) {
        notify(vm, PHASE_POWERDOWN);
        VM_EMIT(vm, EVENT_POWERDOWN);
    }
    if (req & REQ_WAKEUP)
        do_wakeup(vm);
}

static void process(void *opaque)
{
    struct vm *vm = opaque;

    /* Set before `requests` is cleared, or a CPU could slip through between the two and run on after it
     * asked for a reset. */
    __atomic_store_n(&vm->handling, 1, __ATOMIC_SEQ_CST);
    unsigned req = __atomic_exchange_n(&vm->requests, 0, __ATOMIC_SEQ_CST);
    if (req && !vm->done)
        carry_out(vm, req);
    __atomic_store_n(&vm->handling, 0, __ATOMIC_SEQ_CST);
    if (vm_running(vm) && vm->accel) /* those that parked when they saw the request */
        vm->accel->kick(vm->accel_opaque);
}

static void request(struct vm *vm, unsigned req)
{
    unsigned old = __atomic_fetch_or(&vm->requests, req, __ATOMIC_ACQ_REL);

    if (old & req)
        return;
    exec_post(&vm->main, process, vm);
    if (vm->accel)
        vm->accel->kick(vm->accel_opaque);
}

static void request_cause(struct vm *vm, unsigned req, enum vm_cause cause)
{
    enum vm_cause none = CAUSE_NONE;

    __atomic_compare_exchange_n(&vm->cause, &none, cause, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    TRACER(&vm->trace, "%s requested: %s",
           req == REQ_RESET      ? "reset"
           : req == REQ_SHUTDOWN ? "shutdown"
                                 : "exit",
           vm_cause_names[cause]);
    request(vm, req);
}

void vm_request_reset(struct vm *vm, enum vm_cause cause)
{
    request_cause(vm, REQ_RESET, cause);
}

void vm_request_shutdown(struct vm *vm, enum vm_cause cause)
{
    request_cause(vm, REQ_SHUTDOWN, cause);
}

void vm_request_exit(struct vm *vm, enum vm_cause cause, int code)
{
    vm->exit_code = code;
    request_cause(vm, REQ_EXIT, cause);
}

void vm_request_powerdown(struct vm *vm)
{
    request(vm, REQ_POWERDOWN);
}

void vm_request_stop(struct vm *vm, enum run_state state)
{
    __atomic_store_n(&vm->stop_state, state, __ATOMIC_RELAXED); /* perhaps by several iothreads at once */
    request(vm, REQ_STOP);
}

void vm_request_cont(struct vm *vm)
{
    request(vm, REQ_CONT);
}

void vm_request_suspend(struct vm *vm)
{
    request(vm, REQ_SUSPEND);
}

void vm_request_wakeup(struct vm *vm)
{
    request(vm, REQ_WAKEUP);
}

void vm_guest_panicked(struct vm *vm, bool crash_loaded)
{
    /* A guest that has a crash kernel loaded is left to run it: it reports and goes on by itself. */
    if (crash_loaded)
        VM_EMIT(vm, EVENT_GUEST_CRASHLOADED, .action = "run");
    else
        request(vm, REQ_PANIC);
}

void vm_watchdog_expired(struct vm *vm)
{
    int action = __atomic_load_n(&vm->on_watchdog, __ATOMIC_RELAXED);

    TRACER(&vm->trace, "a watchdog has expired: %s", watchdog_action_names[action]);
    VM_EMIT(vm, EVENT_WATCHDOG, .action = watchdog_action_names[action]);
    switch (action) {
    case WATCHDOG_RESET: vm_request_reset(vm, CAUSE_GUEST_RESET); break;
    case WATCHDOG_SHUTDOWN: vm_request_powerdown(vm); break;
    case WATCHDOG_POWEROFF: vm_request_shutdown(vm, CAUSE_GUEST_SHUTDOWN); break;
    case WATCHDOG_PAUSE: vm_request_stop(vm, RUN_WATCHDOG); break;
    case WATCHDOG_DEBUG: warn_user("a watchdog has expired"); break;
    case WATCHDOG_INJECT_NMI: vm_nmi(vm); break;
    default: break;
    }
}

void vm_nmi(struct vm *vm)
{
    if (vm->accel)
        vm->accel->nmi(vm->accel_opaque);
}
