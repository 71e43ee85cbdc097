/* vmm/core/clock.c - the virtual clock and its timers. */
#include "vmm/core/clock.h"
#include "vmm/core/vm.h"

void clock_init(struct clock *c, int64_t (*source)(void *), void (*rearm)(void *, int64_t), void *opaque)
{
    *c = (struct clock){ .source = source, .rearm = rearm, .opaque = opaque };
    c->head.next = c->head.prev = &c->head;
}

int64_t clock_read(const struct clock *c)
{
    return c->base + (c->running ? c->source(c->opaque) : 0);
}

static void rearm(struct clock *c)
{
    bool any = c->running && c->head.next != &c->head;

    if (c->rearm && !c->firing)
        c->rearm(c->opaque, any ? MAX(0, c->head.next->deadline - c->base) : -1);
}

void clock_run(struct clock *c, bool on)
{
    if (c->running == on)
        return;
    int64_t host = c->source(c->opaque);
    c->base += on ? -host : host;
    c->running = on;
    rearm(c);
}

void clock_set(struct clock *c, int64_t now)
{
    c->base = now - (c->running ? c->source(c->opaque) : 0);
    rearm(c);
}

void clock_run_timers(struct clock *c)
{
    int64_t now = clock_read(c);

    /* A timer that re-arms itself for a time already past is not run again before the loop has turned:
     * insertion walks back from the tail and never passes `mark`. */
    struct timer mark = { .deadline = INT64_MIN, .armed = true };
    struct timer *at = &c->head;

    if (!c->running || c->firing) /* from within a callback: the outer call goes on, and re-arms */
        return;
    while (at->next != &c->head && at->next->deadline <= now)
        at = at->next;
    if (at == &c->head) {
        rearm(c);
        return;
    }
    mark.prev = at;
    mark.next = at->next;
    at->next->prev = &mark;
    at->next = &mark;
    c->firing = true;
    while (c->head.next != &mark) {
        struct timer *t = c->head.next;
        timer_stop(t);
        t->fn(t->opaque);
    }
    mark.prev->next = mark.next;
    mark.next->prev = mark.prev;
    c->firing = false;
    rearm(c);
}

int64_t clock_now(const struct vm *vm)
{
    return clock_read(&vm->clock);
}

void timer_init(struct timer *t, struct vm *vm, void (*fn)(void *), void *opaque)
{
    *t = (struct timer){ .clock = &vm->clock, .fn = fn, .opaque = opaque };
}

static void unlink_timer(struct timer *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = t->prev = NULL;
    t->armed = false;
}

void timer_at(struct timer *t, int64_t deadline)
{
    struct clock *c = t->clock;
    struct timer *first = c->head.next;

    if (t->armed)
        unlink_timer(t);
    t->deadline = deadline;
    t->armed = true;
    struct timer *p = c->head.prev;
    while (p != &c->head && p->deadline > deadline)
        p = p->prev;
    t->prev = p;
    t->next = p->next;
    p->next->prev = t;
    p->next = t;
    if (c->head.next == t || first == t)
        rearm(c);
}

void timer_stop(struct timer *t)
{
    if (!t->armed)
        return;
    bool first = t->clock->head.next == t;
    unlink_timer(t);
    if (first)
        rearm(t->clock);
}
