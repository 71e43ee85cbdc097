/* hw/virtio/virtio_console_port.c - ports of the console device: virtconsole, virtserialport.
 *
 * Source: VIRTIO 1.2, 5.3.6.
 *
 * A port joins a pair of queues and a chardev, and buffers nothing: what the chardev does not take stays in the guest's
 * buffer, and what the guest has no buffer for stays in the chardev.
 *
 * Deviations: Linux waits for a console's output with interrupts off, so a chardev that takes nothing for a second
 * loses the console's output until it takes something again.  A port that is no console waits as long as it lasts. */
#include "hw/virtio/virtio_console.h"
#include "hw/catalog.h"
#include "vmm/core/event.h"

enum { BYTES_AT_ONCE = 1 << 20 };
#define PATIENCE NS_PER_SEC

static struct vport *to_port(struct device *d)
{
    return container_of(d, struct vport, dev);
}

static struct virtq *queue(struct vport *p, bool out)
{
    return virtio_console_queue(p->con, p->nr, out);
}

/* --- from the guest ----------------------------------------------------------------------------------------- */

/* All that the chardev takes of the buffer, up to *budget; true: it is through. */
static bool put_out(struct vport *p, size_t *budget)
{
    const struct virtq_buf *buf = p->tx;
    size_t skip = p->tx_at;

    if (!p->open || p->deaf)
        return true; /* nobody listens */
    for (unsigned i = 0; i < buf->out_num && *budget; i++) {
        const struct iovec *iov = &buf->iov[i];
        if (skip >= iov->iov_len) {
            skip -= iov->iov_len;
            continue;
        }
        size_t want = MIN(iov->iov_len - skip, *budget);
        size_t n = chardev_write(p->chardev, (const uint8_t *) iov->iov_base + skip, want);
        p->tx_at += n;
        *budget -= n;
        if (n < want) {
            p->blocked = true;
            if (vport_is_console(p) && !timer_armed(&p->patience))
                timer_at(&p->patience, clock_now(p->dev.vm) + PATIENCE);
            return false;
        }
        if (n)
            timer_stop(&p->patience);
        skip = 0;
    }
    return p->tx_at >= buf->out_len;
}

void vport_output(struct vport *p)
{
    struct virtq *q = queue(p, true);
    size_t budget = BYTES_AT_ONCE;

    while (budget && !p->blocked && !p->rests) {
        if (!p->tx)
            p->tx = virtq_pop(q);
        if (!p->tx)
            break;
        if (!put_out(p, &budget))
            continue;
        virtq_push(p->tx, 0);
        p->tx = NULL;
        p->tx_at = 0;
    }
    virtq_notify(q);
    if (!budget) { /* others first */
        p->rests = true;
        bh_schedule(&p->go_on);
    }
}

static void rested(void *opaque)
{
    struct vport *p = opaque;

    p->rests = false;
    virtq_kick(queue(p, true));
}

static void try_again(struct vport *p)
{
    p->blocked = p->deaf = false;
    timer_stop(&p->patience);
    if (virtq_ready(queue(p, true)))
        virtq_kick(queue(p, true));
}

static void out_of_patience(void *opaque)
{
    struct vport *p = opaque;

    if (!p->blocked)
        return;
    p->deaf = true;
    p->blocked = false;
    virtq_kick(queue(p, true));
}

static void chr_writable(void *opaque)
{
    try_again(opaque);
}

/* --- to the guest ------------------------------------------------------------------------------------------- */

static size_t chr_can_receive(void *opaque)
{
    struct vport *p = opaque;
    struct virtq *q = queue(p, false);

    if (!virtq_ready(q) || (virtio_console_multiport(p->con) && !p->guest_open))
        return 0;
    for (unsigned i = 0; !p->rx; i++) {
        p->rx = i < q->num ? virtq_pop(q) : NULL;
        if (!p->rx && i < q->num && virtq_notify_on(q))
            p->rx = virtq_pop(q);
        if (!p->rx)
            break; /* vport_input() will be called */
        if (p->rx->in_len)
            break;
        guest_error(p->con->v.dev, "an input buffer without room");
        virtq_push(g_steal_pointer(&p->rx), 0);
        virtq_notify(q);
    }
    return p->rx ? p->rx->in_len : 0;
}

static void chr_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct vport *p = opaque;
    struct virtq *q = queue(p, false);

    while (len && chr_can_receive(p)) { /* once: it was asked before */
        size_t n = virtq_in(p->rx, 0, buf, len);
        virtq_push(g_steal_pointer(&p->rx), n);
        buf += n;
        len -= n;
    }
    virtq_notify(q);
}

void vport_input(struct vport *p)
{
    chardev_accept(p->chardev);
}

/* --- opened and closed -------------------------------------------------------------------------------------- */

static void set_open(struct vport *p, bool open)
{
    p->open = open;
    if (p->known && open) {
        p->pending |= VPORT_OPENED;
    } else if (p->known) {
        p->pending &= (uint8_t) ~VPORT_OPENED;
        p->pending |= p->told_open ? VPORT_CLOSED : 0;
    }
    try_again(p);
    virtio_console_send(p->con);
}

static void chr_event(void *opaque, enum chardev_event ev)
{
    struct vport *p = opaque;

    switch (ev) {
    case CHARDEV_OPENED:
    case CHARDEV_CLOSED:
        if (vport_is_console(p))
            try_again(p); /* the terminal went away: what is held goes nowhere */
        else
            set_open(p, ev == CHARDEV_OPENED);
        break;
    case CHARDEV_RESIZED:
        if (!vport_is_console(p) || !p->con->console_size)
            break;
        p->pending |= p->known ? VPORT_SIZE : 0;
        virtio_console_send(p->con);
        if (!p->nr)
            virtio_config_changed(&p->con->v);
        break;
    default: break;
    }
}
static const struct chardev_fe chr_fe = { chr_can_receive, chr_receive, chr_event, chr_writable };

void vport_ready(struct vport *p)
{
    p->known = true;
    p->told_open = false;
    p->pending &= VPORT_ADD;
    if (vport_is_console(p))
        p->pending |= VPORT_CONSOLE | (p->con->console_size && p->chardev ? VPORT_SIZE : 0);
    if (p->name)
        p->pending |= VPORT_NAME;
    if (p->open)
        p->pending |= VPORT_OPENED;
}

void vport_guest_opens(struct vport *p, bool open)
{
    if (p->guest_open != open && p->dev.id)
        VM_EMIT(p->dev.vm, EVENT_PORT_CHANGE, .device = p->dev.id, .on = open);
    p->guest_open = open;
    if (open)
        chardev_accept(p->chardev);
}

void vport_stop(struct vport *p)
{
    if (p->rx)
        virtq_unpop(g_steal_pointer(&p->rx));
    if (p->tx)
        virtq_unpop(g_steal_pointer(&p->tx)); /* tx_at says where to go on */
}

void vport_forget(struct vport *p)
{
    vport_guest_opens(p, false);
    p->rx = p->tx = NULL;
    p->known = p->told_open = p->blocked = p->deaf = false;
    p->pending = 0;
    p->tx_at = 0;
    timer_stop(&p->patience);
}

/* --- the device --------------------------------------------------------------------------------------------- */

static void vport_reset(struct device *d)
{
    struct vport *p = to_port(d);

    vport_stop(p);
    vport_forget(p);
}

static bool vport_realize(struct device *d, GError **err)
{
    struct vport *p = to_port(d);

    timer_init(&p->patience, d->vm, out_of_patience, p);
    bh_init(&p->go_on, d->vm, rested, p);
    p->open = vport_is_console(p) && p->chardev;
    if (p->chardev && !chardev_attach(p->chardev, &chr_fe, p, d->name, err))
        return false;
    if (p->con->ready) { /* plugged in later */
        p->pending = VPORT_ADD;
        virtio_console_send(p->con);
    }
    return true;
}

static void vport_unrealize(struct device *d)
{
    struct vport *p = to_port(d);

    if (p->chardev)
        chardev_detach_from(p->chardev, p);
    timer_stop(&p->patience);
    bh_cancel(&p->go_on);
    vport_stop(p);
}

static bool vport_post_load(struct device *d)
{
    struct vport *p = to_port(d);
    bool size_unknown = !p->chardev || !vport_is_console(p);

    if ((p->pending & VPORT_NAME && !p->name) || (p->pending & VPORT_SIZE && size_unknown))
        return false;
    if (p->known && p->told_open != p->open && !(p->pending & (VPORT_OPENED | VPORT_CLOSED)))
        p->pending |= p->open ? VPORT_OPENED : VPORT_CLOSED;
    return true;
}

static void vport_describe(const struct device *d, GString *out)
{
    const struct vport *p = (const struct vport *) d;

    g_string_append_printf(out, "port %u, guest %s, host %s\n", p->nr, p->guest_open ? "open" : "closed",
                           p->open ? "open" : "closed");
}

static const struct prop vport_props[] = { PROP_CHARDEV(struct vport, chardev), {} };

const struct device_class virtserialport_class = {
    .name = "virtserialport", .desc = "port of virtio-serial", .version = 1, .size = sizeof(struct vport),
    .bus = &virtio_serial_bus_class, .bus_info = &(const struct vport_info){ .console = false }, .props = vport_props,
    .realize = vport_realize, .unrealize = vport_unrealize, .reset = vport_reset, .post_load = vport_post_load,
    .describe = vport_describe,
};

const struct device_class virtconsole_class = {
    .name = "virtconsole", .desc = "console port of virtio-serial: hvc0", .version = 1, .size = sizeof(struct vport),
    .bus = &virtio_serial_bus_class, .bus_info = &(const struct vport_info){ .console = true }, .props = vport_props,
    .realize = vport_realize, .unrealize = vport_unrealize, .reset = vport_reset, .post_load = vport_post_load,
    .describe = vport_describe,
};

/* --- the bus ------------------------------------------------------------------------------------------------ */

/* Port 0 is a console's: drivers without MULTIPORT know no other. */
static unsigned first_number(const struct vport *p)
{
    return vport_is_console(p) ? 0 : 1;
}

static bool bus_attach(struct bus *bus, struct device *d, GError **err)
{
    struct virtio_console *s = bus->opaque;
    struct vport *p = to_port(d);
    uint32_t nr = p->nr;

    if (p->name && strlen(p->name) > VPORT_NAME_MAX)
        return fail(err, "name: at most %d bytes", VPORT_NAME_MAX);
    if (nr == VPORT_AUTO)
        for (nr = first_number(p); nr < s->max_ports && s->ports[nr]; nr++) {}
    else if (nr < first_number(p))
        return fail(err, "nr=0 is reserved for a virtconsole; give it another");
    if (nr >= s->max_ports && p->nr == VPORT_AUTO)
        return fail(err, "no port is left on bus '%s' (max_ports=%u)", bus->name, s->max_ports);
    if (nr >= s->max_ports)
        return fail(err, "nr=%u is out of range: 0 to %u on bus '%s' (max_ports=%u)", nr, s->max_ports - 1, bus->name,
                    s->max_ports);
    if (s->ports[nr])
        return fail(err, "nr=%u on bus '%s' is already used by '%s'", nr, bus->name, s->ports[nr]->dev.name);
    for (unsigned i = 0; i < s->max_ports && p->name; i++)
        if (s->ports[i] && !g_strcmp0(s->ports[i]->name, p->name))
            return fail(err, "name '%s' is already used by port %u on bus '%s'", p->name, i, bus->name);
    p->nr = nr;
    p->con = s;
    s->ports[nr] = p;
    return true;
}

static void bus_detach(struct bus *bus, struct device *d)
{
    struct virtio_console *s = bus->opaque;
    struct vport *p = to_port(d);

    s->ports[p->nr] = NULL;
    s->gone[p->nr] = s->gone[p->nr] || (s->ready && !(p->pending & VPORT_ADD)); /* what it was told of */
    virtio_console_send(s);
}

static bool bus_is_full(const struct bus *bus)
{
    const struct virtio_console *s = bus->opaque;

    for (unsigned nr = 0; nr < s->max_ports; nr++)
        if (!s->ports[nr])
            return false;
    return true;
}

static const struct prop bus_props[] = {
    PROP_U32(struct vport, nr, VPORT_AUTO, .desc = "port number; default: the first that is free"),
    PROP_STR(struct vport, name, NULL, .desc = "what the guest finds the port by"), {}
};
static const struct state bus_state[] = {
    STATE_HOST(struct vport, con), STATE_HOST(struct vport, rx), STATE_HOST(struct vport, tx),
    STATE_HOST(struct vport, blocked), STATE_HOST(struct vport, deaf), STATE_HOST(struct vport, open),
    STATE_HOST(struct vport, rests), STATE_HOST(struct vport, go_on), STATE_TIMER(struct vport, patience),
    STATE_BOOL(struct vport, known), STATE_BOOL(struct vport, guest_open), STATE_BOOL(struct vport, told_open),
    STATE_U8(struct vport, pending, .max = 2 * VPORT_SIZE - 1),
    STATE_U64(struct vport, tx_at), {}
};
const struct bus_class virtio_serial_bus_class = {
    .name = "virtio-serial-bus", .props = bus_props, .state = bus_state, .attach = bus_attach, .detach = bus_detach,
    .is_full = bus_is_full,
};
