/* hw/pc/debugcon.c - a debug console: whatever is written to its port goes to a chardev.
 *
 * Bochs' port e9h "hack", and SeaBIOS's debug port 402h.  Reading gives a signature by which firmware
 * finds it.
 *
 * Deviations: the port has no busy flag, and we never block.  What the chardev doesn't take at once waits
 * in a buffer; past that, bytes are lost and counted. */
#include "hw/catalog.h"
#include "vmm/char/chardev.h"
#include "vmm/core/vm.h"

enum { BACKLOG = 16 * 1024 };

struct debugcon {
    struct device dev;
    struct region io;
    uint32_t head, len; /* of the ring */
    uint64_t lost;
    uint8_t buf[BACKLOG];
    uint32_t iobase, readback; /* properties */
    struct chardev *chardev;
};

static void debugcon_writable(void *opaque)
{
    struct debugcon *s = opaque;

    while (s->len) {
        uint32_t n = MIN(s->len, BACKLOG - s->head);
        size_t done = chardev_write(s->chardev, s->buf + s->head, n);
        s->head = (uint32_t) ((s->head + done) % BACKLOG);
        s->len -= (uint32_t) done;
        if (done < n)
            return;
    }
}

static uint64_t debugcon_read(void *opaque, uint64_t off, unsigned size)
{
    (void) off, (void) size;
    return ((struct debugcon *) opaque)->readback;
}

static void debugcon_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct debugcon *s = opaque;
    uint8_t b = (uint8_t) val;

    (void) off, (void) size;
    if (!s->len && chardev_write(s->chardev, &b, 1))
        return;
    if (s->len == BACKLOG) {
        s->lost++;
        guest_error(&s->dev, "the chardev is stuck: a byte is lost");
        return;
    }
    s->buf[(s->head + s->len++) % BACKLOG] = b;
}
static const struct region_ops debugcon_ops = { debugcon_read, debugcon_write, .min = 1, .max = 1 };

static size_t debugcon_can_receive(void *opaque) /* output only: input is swallowed */
{
    (void) opaque;
    return 4096;
}

static void debugcon_receive(void *opaque, const uint8_t *buf, size_t len)
{
    (void) opaque, (void) buf, (void) len;
}

static const struct chardev_fe debugcon_fe = {
    .can_receive = debugcon_can_receive, .receive = debugcon_receive, .writable = debugcon_writable,
};

static bool debugcon_realize(struct device *d, GError **err)
{
    struct debugcon *s = container_of(d, struct debugcon, dev);

    region_init_io(&s->io, "debugcon", &debugcon_ops, s, 1);
    if (s->chardev && !chardev_attach(s->chardev, &debugcon_fe, s, d->name, err)) {
        s->chardev = NULL;
        return false;
    }
    return space_add(&d->vm->pio, &s->io, s->iobase, 0, err);
}

static void debugcon_unrealize(struct device *d)
{
    struct debugcon *s = container_of(d, struct debugcon, dev);

    chardev_detach(s->chardev);
    space_remove(&s->io);
}

static bool debugcon_post_load(struct device *d)
{
    struct debugcon *s = container_of(d, struct debugcon, dev);

    return s->head < BACKLOG;
}

static const struct prop debugcon_props[] = {
    PROP_U32(struct debugcon, iobase, 0xe9, .max = 0xffff),
    PROP_U32(struct debugcon, readback, 0xe9, .max = 0xff),
    PROP_CHARDEV(struct debugcon, chardev), {}
};
static const struct state debugcon_state[] = {
    STATE_HOST(struct debugcon, io), STATE_U32(struct debugcon, head),
    STATE_U32(struct debugcon, len, .max = BACKLOG),
    STATE_U64(struct debugcon, lost), STATE_BYTES(struct debugcon, buf), {}
};
const struct device_class isa_debugcon_class = {
    .name = "isa-debugcon", .desc = "debug console port", .version = 1, .size = sizeof(struct debugcon),
    .bus = &isa_bus_class, .props = debugcon_props, .state = debugcon_state,
    .realize = debugcon_realize, .unrealize = debugcon_unrealize, .post_load = debugcon_post_load,
};
