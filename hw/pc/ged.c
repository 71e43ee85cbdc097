/* hw/pc/ged.c - generic event device of the machine without firmware: power button, power off, reset.
 *
 * Source: ACPI Specification 6.3, 4.8.3.7 (sleep control and status registers), 5.6.9 (generic event device); the
 * places of the registers are those of QEMU's microvm.
 * Deviations: the power button is the only event; only S5 is a sleep state. */
#include "hw/catalog.h"
#include "hw/pc/microvm.h"

enum { EVENT_POWER_BUTTON = 2 }; /* as bios/microvm.asl knows it */
enum { SLEEP_CONTROL = 0, SLEEP_STATUS = 1, RESET = 2, REGS_SIZE = 4, EVENT_SIZE = 4, SLP_EN = 0x20, SLP_TYP_SHIFT = 2,
       SLP_TYP_MASK = 7, S5 = 5 };

struct ged {
    struct device dev;
    struct region event, regs;
    struct irq irq;
    struct vm_notifier notifier;
    uint32_t pending;
};

static struct ged *ged_of(struct device *d)
{
    return container_of(d, struct ged, dev);
}

static uint64_t event_read(void *opaque, uint64_t off, unsigned size)
{
    struct ged *s = opaque;
    uint32_t v = s->pending;

    (void) off, (void) size;
    s->pending = 0;
    irq_set(&s->irq, false);
    return v;
}
static const struct region_ops event_ops = { .read = event_read, .min = 4, .max = 4 };

static uint64_t regs_read(void *opaque, uint64_t off, unsigned size)
{
    (void) opaque, (void) off, (void) size;
    return 0;
}

static void regs_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct ged *s = opaque;

    (void) size;
    if (off == SLEEP_CONTROL && (val & SLP_EN)) {
        if ((val >> SLP_TYP_SHIFT & SLP_TYP_MASK) == S5)
            vm_request_shutdown(s->dev.vm, CAUSE_GUEST_SHUTDOWN);
        else
            guest_error(&s->dev, "there is no sleep state of type %u", (unsigned) val >> SLP_TYP_SHIFT & SLP_TYP_MASK);
    } else if (off == RESET && val == GED_RESET_VALUE) {
        vm_request_reset(s->dev.vm, CAUSE_GUEST_RESET);
    }
}
static const struct region_ops regs_ops = { regs_read, regs_write, .min = 1, .max = 1 };

static void on_phase(void *opaque, enum vm_phase phase)
{
    struct ged *s = opaque;

    if (phase != PHASE_POWERDOWN)
        return;
    vm_lock(s->dev.vm);
    s->pending |= EVENT_POWER_BUTTON;
    irq_set(&s->irq, true);
    vm_unlock(s->dev.vm);
}

static bool realize(struct device *d, GError **err)
{
    struct ged *s = ged_of(d);

    region_init_io(&s->event, "ged-event", &event_ops, s, EVENT_SIZE);
    region_init_io(&s->regs, "ged-regs", &regs_ops, s, REGS_SIZE);
    if (!isa_claim_irq(d, &s->irq, GED_IRQ, err) || !space_add(&d->vm->mem, &s->event, GED_BASE, PRIO_CHIPSET, err) ||
        !space_add(&d->vm->mem, &s->regs, GED_REGS, PRIO_CHIPSET, err))
        return false;
    s->notifier = (struct vm_notifier){ .fn = on_phase, .opaque = s };
    vm_add_notifier(d->vm, &s->notifier);
    return true;
}

static void unrealize(struct device *d)
{
    struct ged *s = ged_of(d);

    if (s->notifier.fn)
        vm_remove_notifier(d->vm, &s->notifier);
    space_remove(&s->event);
    space_remove(&s->regs);
}

static void reset(struct device *d)
{
    struct ged *s = ged_of(d);

    s->pending = 0;
    irq_set(&s->irq, false);
}

static bool post_load(struct device *d)
{
    struct ged *s = ged_of(d);

    return (s->pending & ~(uint32_t) EVENT_POWER_BUTTON) == 0 && s->irq.level == (s->pending != 0);
}

static const struct state ged_state[] = {
    STATE_HOST(struct ged, event), STATE_HOST(struct ged, regs), STATE_IRQ(struct ged, irq),
    STATE_HOST(struct ged, notifier), STATE_U32(struct ged, pending), {}
};

const struct device_class acpi_ged_class = {
    .name = "acpi-ged", .desc = "ACPI generic event device: power button, power off, reset", .version = 1,
    .size = sizeof(struct ged), .internal = true, .state = ged_state, .realize = realize, .unrealize = unrealize,
    .reset = reset, .post_load = post_load,
};
