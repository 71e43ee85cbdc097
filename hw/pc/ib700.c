/* hw/pc/ib700.c - the watchdog of iBASE's IB700 boards.
 *
 * Source: Linux drivers/watchdog/ib700wdt.c, which knows the card's two ports: a write to 443h starts the timer (or
 * starts it again), a write to 441h stops it.  The low four bits at 443h select 30 seconds (0) down to 0 (15), in
 * steps of two.  What happens when it expires is the user's choice (-action watchdog=).
 *
 * Deviations: the ports read as ones; nothing is known of reading them. */
#include "hw/catalog.h"
#include "vmm/core/vm.h"

enum { PORT_STOP = 0x441, PORT_START = 0x443 };

struct ib700 {
    struct device dev;
    struct region stop, start;
    struct timer timer;
};

static uint64_t ib700_read(void *opaque, uint64_t off, unsigned size)
{
    (void) opaque, (void) off;
    return mask_bytes(size);
}

static void ib700_stop(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct ib700 *s = opaque;

    (void) off, (void) val, (void) size;
    TRACE(&s->dev, "stopped");
    timer_stop(&s->timer);
}

static void ib700_start(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct ib700 *s = opaque;
    int seconds = 30 - 2 * (int) (val & 15);

    (void) off, (void) size;
    TRACE(&s->dev, "expires in %d s", seconds);
    timer_at(&s->timer, clock_now(s->dev.vm) + seconds * NS_PER_SEC);
}
static const struct region_ops ib700_stop_ops = { ib700_read, ib700_stop, .min = 1, .max = 1 };
static const struct region_ops ib700_start_ops = { ib700_read, ib700_start, .min = 1, .max = 1 };

static void ib700_expired(void *opaque)
{
    struct ib700 *s = opaque;

    TRACE(&s->dev, "expired");
    vm_watchdog_expired(s->dev.vm);
}

static bool ib700_realize(struct device *d, GError **err)
{
    struct ib700 *s = container_of(d, struct ib700, dev);

    timer_init(&s->timer, d->vm, ib700_expired, s);
    region_init_io(&s->stop, "ib700-stop", &ib700_stop_ops, s, 1);
    region_init_io(&s->start, "ib700-start", &ib700_start_ops, s, 1);
    return space_add(&d->vm->pio, &s->stop, PORT_STOP, 0, err) && space_add(&d->vm->pio, &s->start, PORT_START, 0, err);
}

static void ib700_unrealize(struct device *d)
{
    struct ib700 *s = container_of(d, struct ib700, dev);

    if (s->timer.clock)
        timer_stop(&s->timer);
    space_remove(&s->stop);
    space_remove(&s->start);
}

static void ib700_reset(struct device *d)
{
    timer_stop(&container_of(d, struct ib700, dev)->timer);
}

static const struct state ib700_state[] = {
    STATE_TIMER(struct ib700, timer), STATE_HOST(struct ib700, stop), STATE_HOST(struct ib700, start), {}
};
const struct device_class ib700_class = {
    .name = "ib700", .desc = "watchdog of iBASE's boards", .version = 1, .size = sizeof(struct ib700),
    .bus = &isa_bus_class, .state = ib700_state,
    .realize = ib700_realize, .unrealize = ib700_unrealize, .reset = ib700_reset,
};
