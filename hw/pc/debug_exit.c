/* hw/pc/debug_exit.c - a port by which a test guest ends the process with a status of its choice.
 *
 * Writing v ends bantam with (v << 1) | 1: always odd, so that it is told from 0 (power-off) and from the
 * codes of our own.  The kernel passes only the low 8 bits of a status on.  QEMU has the same device.
 *
 * Deviations: none. */
#include "hw/catalog.h"
#include "vmm/core/vm.h"

struct debug_exit {
    struct device dev;
    struct region io;
    uint32_t iobase, iosize; /* properties */
};

static uint64_t debug_exit_read(void *opaque, uint64_t off, unsigned size)
{
    (void) opaque, (void) off, (void) size;
    return 0;
}

static void debug_exit_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct debug_exit *s = opaque;

    (void) off, (void) size;
    TRACE(&s->dev, "value 0x%x", (unsigned) val);
    vm_request_exit(s->dev.vm, CAUSE_DEBUG_EXIT, (int) ((val << 1 | 1) & 0xff));
}
static const struct region_ops debug_exit_ops = { debug_exit_read, debug_exit_write, .min = 1, .max = 4,
                                                  .unaligned = true };

static bool debug_exit_realize(struct device *d, GError **err)
{
    struct debug_exit *s = container_of(d, struct debug_exit, dev);

    if (s->iobase + s->iosize > 0x10000)
        return fail(err, "iobase 0x%x and iosize 0x%x reach beyond port 0xffff", s->iobase, s->iosize);
    region_init_io(&s->io, "isa-debug-exit", &debug_exit_ops, s, s->iosize);
    return space_add(&d->vm->pio, &s->io, s->iobase, 0, err);
}

static void debug_exit_unrealize(struct device *d)
{
    space_remove(&container_of(d, struct debug_exit, dev)->io);
}

static const struct prop debug_exit_props[] = {
    PROP_U32(struct debug_exit, iobase, 0x501, .max = 0xffff),
    PROP_U32(struct debug_exit, iosize, 2, .min = 1, .max = 0x10000), {}
};
static const struct state debug_exit_state[] = { STATE_HOST(struct debug_exit, io), {} };
const struct device_class isa_debug_exit_class = {
    .name = "isa-debug-exit", .desc = "ends the process with a status that the guest writes", .version = 1,
    .size = sizeof(struct debug_exit), .bus = &isa_bus_class, .props = debug_exit_props,
    .state = debug_exit_state, .realize = debug_exit_realize, .unrealize = debug_exit_unrealize,
};
