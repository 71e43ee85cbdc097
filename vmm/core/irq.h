/* vmm/core/irq.h - interrupt (and other signal) lines.
 *
 * An `irq` is a device's output pin: where it goes, and the level it has, so that irq_set() is
 * idempotent.  Under the VM lock. */
#ifndef BANTAM_CORE_IRQ_H
#define BANTAM_CORE_IRQ_H

#include <stdbool.h>

struct irq {
    void (*set)(void *opaque, int n, int level); /* NULL: not connected */
    /* Raise and tell: > 0 delivered, 0 the last one is still pending (coalesced), < 0 can't tell.  May be NULL. */
    int (*raise_status)(void *opaque, int n);
    void *opaque;
    int n;
    bool level;
};

static inline void irq_connect(struct irq *irq, void (*set)(void *, int, int), void *opaque, int n)
{
    *irq = (struct irq){ .set = set, .opaque = opaque, .n = n };
}

static inline void irq_set(struct irq *irq, bool level)
{
    if (irq->level == level)
        return;
    irq->level = level;
    if (irq->set)
        irq->set(irq->opaque, irq->n, level);
}

/* Push the level again, after what it is connected to was restored. */
static inline void irq_refresh(struct irq *irq)
{
    if (irq->set)
        irq->set(irq->opaque, irq->n, irq->level);
}

/* Raise a line (an edge, when it was low) and say what became of it; see raise_status. */
static inline int irq_raise_status(struct irq *irq)
{
    if (!irq->raise_status) {
        irq_set(irq, true);
        return -1;
    }
    irq->level = true;
    return irq->raise_status(irq->opaque, irq->n);
}

/* A line shared by several outputs: high while any of them is. */
struct irq_or {
    struct irq out;
    int high; /* how many inputs are high */
};

static inline void irq_or_set(void *opaque, int n, int level)
{
    struct irq_or *o = opaque;

    (void) n;
    o->high += level ? 1 : -1;
    irq_set(&o->out, o->high > 0);
}

#endif
