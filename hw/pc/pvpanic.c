/* hw/pc/pvpanic.c - the port by which a guest's kernel tells that it has panicked.
 *
 * Source: QEMU docs/specs/pvpanic (the interface); Linux drivers/misc/pvpanic uses it, and finds it by
 * ACPI's QEMU0001. Reading gives the events that the device understands; writing one of them reports it.
 *
 * Deviations: none. */
#include "hw/catalog.h"
#include "vmm/core/vm.h"

enum { PANICKED = 1, CRASH_LOADED = 2 };

struct pvpanic {
    struct device dev;
    struct region io;
    uint16_t ioport; /* properties */
    uint8_t events;
};

static uint64_t pvpanic_read(void *opaque, uint64_t off, unsigned size)
{
    (void) off, (void) size;
    return ((struct pvpanic *) opaque)->events;
}

static void pvpanic_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct pvpanic *s = opaque;

    (void) off, (void) size;
    if (val & ~(uint64_t) (PANICKED | CRASH_LOADED))
        guest_error(&s->dev, "unknown events 0x%x", (unsigned) val);
    if (val & s->events & PANICKED)
        vm_guest_panicked(s->dev.vm, false);
    else if (val & s->events & CRASH_LOADED)
        vm_guest_panicked(s->dev.vm, true);
}
static const struct region_ops pvpanic_ops = { pvpanic_read, pvpanic_write, .min = 1, .max = 1 };

static bool pvpanic_realize(struct device *d, GError **err)
{
    struct pvpanic *s = container_of(d, struct pvpanic, dev);

    region_init_io(&s->io, "pvpanic", &pvpanic_ops, s, 1);
    return space_add(&d->vm->pio, &s->io, s->ioport, 0, err);
}

static void pvpanic_unrealize(struct device *d)
{
    space_remove(&container_of(d, struct pvpanic, dev)->io);
}

static const struct prop pvpanic_props[] = {
    PROP_U16(struct pvpanic, ioport, 0x505),
    PROP_U8(struct pvpanic, events, PANICKED | CRASH_LOADED, .max = PANICKED | CRASH_LOADED), {}
};
static const struct state pvpanic_state[] = { STATE_HOST(struct pvpanic, io), {} };
const struct device_class pvpanic_class = {
    .name = "pvpanic", .desc = "lets the guest report a panic", .version = 1, .size = sizeof(struct pvpanic),
    .bus = &isa_bus_class, .props = pvpanic_props, .state = pvpanic_state,
    .realize = pvpanic_realize, .unrealize = pvpanic_unrealize,
};
