/* vmm/core/event.c - events on their way from whoever emits them to the listeners in the main thread. */
#include "vmm/core/event.h"

struct waiting {
    struct vm_event ev;
    char *id, *device;
};

void vm_add_listener(struct vm *vm, struct vm_listener *l)
{
    l->link = (GList){ .data = l };
    g_mutex_lock(&vm->events.mutex);
    g_queue_push_tail_link(&vm->events.listeners, &l->link);
    g_mutex_unlock(&vm->events.mutex);
    __atomic_add_fetch(&vm->events.n_listeners, 1, __ATOMIC_RELEASE);
}

static void free_waiting(void *p)
{
    struct waiting *w = p;

    g_free(w->id);
    g_free(w->device);
    g_free(w);
}

void vm_remove_listener(struct vm *vm, struct vm_listener *l)
{
    g_mutex_lock(&vm->events.mutex);
    g_queue_unlink(&vm->events.listeners, &l->link);
    if (!__atomic_sub_fetch(&vm->events.n_listeners, 1, __ATOMIC_ACQ_REL)) {
        g_queue_clear_full(&vm->events.queue, free_waiting);
        vm->events.posted = false; /* a delivery that is posted finds nothing */
    }
    g_mutex_unlock(&vm->events.mutex);
}

/* Only the newest of these says anything. */
static bool replaces(const struct vm_event *ev, const struct vm_event *old)
{
    return ev->kind == old->kind && (ev->kind == EVENT_BALLOON_CHANGE || ev->kind == EVENT_RTC_CHANGE);
}

static void deliver_posted(void *opaque)
{
    vm_event_deliver(opaque);
}

void vm_emit(struct vm *vm, const struct vm_event *ev)
{
    struct vm_events *e = &vm->events;
    bool post = false;

    if (!__atomic_load_n(&e->n_listeners, __ATOMIC_ACQUIRE))
        return;
    g_mutex_lock(&e->mutex);
    struct waiting *last = g_queue_peek_tail(&e->queue);
    if (last && replaces(ev, &last->ev)) {
        last->ev.value = ev->value;
        last->ev.time = g_get_real_time();
    } else if (e->queue.length < VM_EVENT_MAX) {
        struct waiting *w = g_new0(struct waiting, 1);
        w->ev = *ev;
        w->ev.time = g_get_real_time();
        w->ev.id = w->id = g_strdup(ev->id);
        w->ev.device = w->device = g_strdup(ev->device);
        g_queue_push_tail(&e->queue, w);
        post = !e->posted;
        e->posted = true;
    }
    g_mutex_unlock(&e->mutex);
    if (post)
        exec_post(&vm->main, deliver_posted, vm);
}

void vm_event_deliver(struct vm *vm)
{
    struct vm_events *e = &vm->events;
    struct waiting *w;

    for (;;) {
        g_mutex_lock(&e->mutex);
        w = g_queue_pop_head(&e->queue);
        if (!w)
            e->posted = false;
        g_mutex_unlock(&e->mutex);
        if (!w)
            return;
        for (GList *l = e->listeners.head, *next; l; l = next) { /* changed by this thread only */
            struct vm_listener *listener = l->data;
            next = l->next;
            listener->fn(listener->opaque, &w->ev);
        }
        free_waiting(w);
    }
}

const char *vm_cause_text(enum vm_cause cause, bool reset)
{
    switch (cause) {
    case CAUSE_HOST_MONITOR: return reset ? "host-qmp-system-reset" : "host-qmp-quit";
    case CAUSE_HOST_SIGNAL:  return "host-signal";
    case CAUSE_HOST_UI:      return "host-ui";
    case CAUSE_GUEST_RESET: case CAUSE_TRIPLE_FAULT: return "guest-reset";
    case CAUSE_GUEST_PANIC:  return "guest-panic";
    case CAUSE_IO_ERROR: case CAUSE_INTERNAL_ERROR:  return "host-error";
    case CAUSE_GUEST_SHUTDOWN: case CAUSE_DEBUG_EXIT: return "guest-shutdown";
    default: return "none";
    }
}

bool vm_cause_is_guest(enum vm_cause cause)
{
    return cause == CAUSE_GUEST_SHUTDOWN || cause == CAUSE_GUEST_RESET || cause == CAUSE_GUEST_PANIC ||
           cause == CAUSE_TRIPLE_FAULT || cause == CAUSE_DEBUG_EXIT;
}
