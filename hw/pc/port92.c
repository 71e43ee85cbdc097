/* hw/pc/port92.c - system control port A (92h): fast A20 gate and fast reset.
 *
 * Sheet: Intel 290550 "82371SB (PIIX3)", Port 92 Register.
 *
 * Deviations: the A20 gate is a bit that can be set and read and masks nothing: KVM has no A20 line, and
 * A20 is always on, as it is after every firmware.  Bits 7, 6 (fixed disk light) and 3 (password lock) are
 * kept and do nothing. */
#include "hw/catalog.h"
#include "hw/pc/i8042.h"
#include "vmm/core/vm.h"

enum { INIT_NOW = 0x01, FAST_A20 = 0x02, WRITABLE = 0xcb };

struct port92 {
    struct device dev;
    struct region io;
    struct irq a20;
    uint8_t ctl;
};

static uint64_t port92_read(void *opaque, uint64_t off, unsigned size)
{
    (void) off, (void) size;
    return ((struct port92 *) opaque)->ctl;
}

static void port92_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct port92 *s = opaque;
    bool reset = val & ~s->ctl & INIT_NOW;

    (void) off, (void) size;
    s->ctl = val & WRITABLE;
    irq_set(&s->a20, s->ctl & FAST_A20);
    if (reset) {
        TRACE(&s->dev, "fast reset");
        vm_request_reset(s->dev.vm, CAUSE_GUEST_RESET);
    }
}
static const struct region_ops port92_ops = { port92_read, port92_write, .min = 1, .max = 1 };

struct irq *port92_a20(struct device *p92)
{
    return &container_of(p92, struct port92, dev)->a20;
}

void port92_mirror_a20(struct device *p92, bool on)
{
    struct port92 *s = container_of(p92, struct port92, dev);

    s->ctl = (uint8_t) ((s->ctl & ~FAST_A20) | (on ? FAST_A20 : 0));
    s->a20.level = on;
}

static void kbc_moved(void *opaque, int n, int level)
{
    (void) n;
    port92_mirror_a20(opaque, level);
}

static void port92_moved(void *opaque, int n, int level)
{
    (void) n;
    i8042_mirror_a20(opaque, level);
}

void port92_link(struct device *p92, struct device *kbc)
{
    bool level = port92_a20(p92)->level;

    irq_connect(port92_a20(p92), port92_moved, kbc, 0);
    port92_a20(p92)->level = level;
    level = i8042_a20(kbc)->level;
    irq_connect(i8042_a20(kbc), kbc_moved, p92, 0);
    i8042_a20(kbc)->level = level;
}

static void port92_reset(struct device *d)
{
    struct port92 *s = container_of(d, struct port92, dev);

    s->ctl = FAST_A20;
    irq_set(&s->a20, true);
}

static bool port92_realize(struct device *d, GError **err)
{
    struct port92 *s = container_of(d, struct port92, dev);

    region_init_io(&s->io, "port92", &port92_ops, s, 1);
    return space_add(&d->vm->pio, &s->io, 0x92, 0, err);
}

static void port92_unrealize(struct device *d)
{
    space_remove(&container_of(d, struct port92, dev)->io);
}

static const struct state port92_state[] = {
    STATE_HOST(struct port92, io), STATE_IRQ(struct port92, a20), STATE_U8(struct port92, ctl), {}
};
const struct device_class port92_class = {
    .name = "port92", .desc = "port 92h: A20 gate and reset", .version = 1, .size = sizeof(struct port92),
    .internal = true, .state = port92_state, .realize = port92_realize, .unrealize = port92_unrealize,
    .reset = port92_reset,
};
