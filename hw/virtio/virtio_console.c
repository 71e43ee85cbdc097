/* hw/virtio/virtio_console.c - the console device: its registers, the control queues, and the bus of its ports.
 *
 * Source: VIRTIO 1.2, 5.3.
 *
 * Without MULTIPORT there is one port, a console, and nothing to say about it.  With it, the driver asks for what there
 * is, and both sides tell of what they open and close.  What is to be told waits in each port's `pending` until the
 * driver gives a buffer for it, so that nothing is lost and nothing grows.
 *
 * Deviations: a port is opened for the guest when its chardev is connected; a console always is.  The size of the
 * terminal is told only when it is asked for: drivers do not agree on the order of the two numbers. */
#include "hw/virtio/virtio_console.h"
#include "hw/catalog.h"

enum { F_SIZE, F_MULTIPORT, F_EMERG_WRITE }; /* feature bits */
enum { CFG_COLS = 0, CFG_ROWS = 2, CFG_MAX_NR_PORTS = 4, CFG_EMERG_WR = 8, CFG_SIZE = 12 };
enum { /* control messages */
    DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME
};
enum { CTRL_ID = 0, CTRL_EVENT = 4, CTRL_VALUE = 6, CTRL_SIZE = 8 };
enum { DATA_QUEUE = 128, CTRL_QUEUE = 32 };

static struct virtio_console *to_console(struct virtio_dev *v)
{
    return container_of(v, struct virtio_console, v);
}

bool virtio_console_multiport(const struct virtio_console *s)
{
    return virtio_has(&s->v, F_MULTIPORT);
}

struct virtq *virtio_console_queue(struct virtio_console *s, unsigned nr, bool out)
{
    return &s->v.q[(nr ? 2 * nr + 2 : 0) + out];
}

/* --- what the guest is told --------------------------------------------------------------------------------- */

static size_t message(uint8_t *to, unsigned nr, unsigned event, unsigned value)
{
    st_le32(to + CTRL_ID, nr);
    st_le16(to + CTRL_EVENT, (uint16_t) event);
    st_le16(to + CTRL_VALUE, (uint16_t) value);
    return CTRL_SIZE;
}

/* The next of a port; 0: nothing. */
static size_t next_message(struct vport *p, uint8_t *to, size_t room)
{
    unsigned what = p->pending & -p->pending;
    size_t n;

    p->pending &= (uint8_t) ~what;
    switch (what) {
    case VPORT_ADD:     return message(to, p->nr, DEVICE_ADD, 1);
    case VPORT_CONSOLE: return message(to, p->nr, CONSOLE_PORT, 1);
    case VPORT_NAME:
        n = message(to, p->nr, PORT_NAME, 1);
        return n + g_strlcpy((char *) to + n, p->name, room - n) + 1;
    case VPORT_CLOSED:
    case VPORT_OPENED:
        p->told_open = what == VPORT_OPENED;
        return message(to, p->nr, PORT_OPEN, p->told_open);
    case VPORT_SIZE:
        n = message(to, p->nr, RESIZE, 0);
        st_le16(to + n, p->chardev->cols);
        st_le16(to + n + 2, p->chardev->rows);
        return n + 4;
    default:            return 0;
    }
}

static bool send_one(struct virtio_console *s, const uint8_t *msg, size_t len)
{
    struct virtq_buf *buf = virtq_pop(s->ctrl_rx);

    if (!buf && virtq_notify_on(s->ctrl_rx))
        buf = virtq_pop(s->ctrl_rx);
    if (!buf)
        return false;
    if (buf->in_len < CTRL_SIZE)
        guest_error(s->v.dev, "a control buffer of %zu bytes", buf->in_len);
    virtq_push(buf, virtq_in(buf, 0, msg, len)); /* a name is cut short where the driver has no room for it */
    return true;
}

static bool send_of_port(struct virtio_console *s, unsigned nr)
{
    struct vport *p = s->ports[nr];
    uint8_t msg[CTRL_SIZE + VPORT_NAME_MAX + 1];

    if (s->gone[nr]) {
        if (!send_one(s, msg, message(msg, nr, DEVICE_REMOVE, 1)))
            return false;
        s->gone[nr] = false;
    }
    while (p && p->pending) {
        uint8_t before = p->pending;
        bool told = p->told_open;
        if (!send_one(s, msg, next_message(p, msg, sizeof msg))) {
            p->pending = before;
            p->told_open = told;
            return false;
        }
    }
    return true;
}

void virtio_console_send(struct virtio_console *s)
{
    if (!s->ctrl_rx || !s->ready || !virtq_ready(s->ctrl_rx))
        return;
    for (unsigned nr = 0; nr < s->max_ports; nr++)
        if (!send_of_port(s, nr))
            break;
    virtq_notify(s->ctrl_rx);
}

/* --- what the guest tells ----------------------------------------------------------------------------------- */

static void told(struct virtio_console *s, uint32_t id, unsigned event, unsigned value)
{
    struct vport *p = id < s->max_ports ? s->ports[id] : NULL;

    TRACE(s->v.dev, "control: port %u, event %u, value %u", id, event, value);
    if (event == DEVICE_READY) {
        s->ready = value;
        if (!value)
            guest_error(s->v.dev, "the driver could not set the device up");
        for (unsigned nr = 0; nr < s->max_ports && value; nr++)
            if (s->ports[nr])
                s->ports[nr]->pending |= VPORT_ADD;
    } else if (!p) {
        guest_error(s->v.dev, "event %u for port %u, which is not there", event, id);
    } else if (event == PORT_READY) {
        if (value)
            vport_ready(p);
        else
            guest_error(s->v.dev, "the driver could not set port %u up", id);
    } else if (event == PORT_OPEN) {
        vport_guest_opens(p, value);
    } else {
        guest_error(s->v.dev, "unknown control event %u", event);
    }
}

static void handle_control(struct virtio_console *s)
{
    struct virtq_buf *buf;
    uint8_t msg[CTRL_SIZE];

    while ((buf = virtq_pop(s->ctrl_tx))) {
        size_t n = virtq_out(buf, 0, msg, sizeof msg);
        virtq_push(buf, 0);
        if (n == sizeof msg)
            told(s, ld_le32(msg + CTRL_ID), ld_le16(msg + CTRL_EVENT), ld_le16(msg + CTRL_VALUE));
        else
            guest_error(s->v.dev, "a control message of %zu bytes", n);
    }
    virtq_notify(s->ctrl_tx);
    virtio_console_send(s);
}

/* --- the device --------------------------------------------------------------------------------------------- */

static void swallow(struct virtq *q)
{
    struct virtq_buf *buf;

    while ((buf = virtq_pop(q)))
        virtq_push(buf, 0);
    virtq_notify(q);
}

static void handle_queue(struct virtio_dev *v, struct virtq *q)
{
    struct virtio_console *s = to_console(v);

    if (s->ctrl_rx && q == s->ctrl_tx) {
        handle_control(s);
    } else if (s->ctrl_rx && q == s->ctrl_rx) {
        virtio_console_send(s);
    } else {
        struct vport *p = s->ports[q->index < 2 ? 0 : q->index / 2 - 1];
        bool out = q->index & 1;
        if (p && out)
            vport_output(p);
        else if (p)
            vport_input(p);
        else if (out)
            swallow(q);
    }
}

static uint64_t features(struct virtio_dev *v)
{
    const struct virtio_console *s = to_console(v);

    return (s->max_ports > 1 ? BIT64(F_MULTIPORT) : 0) | (s->emergency_write ? BIT64(F_EMERG_WRITE) : 0) |
           (s->console_size ? BIT64(F_SIZE) : 0);
}

static void get_config(struct virtio_dev *v, uint8_t *cfg)
{
    const struct virtio_console *s = to_console(v);
    const struct vport *p = s->ports[0];

    if (s->console_size && p && p->chardev) {
        st_le16(cfg + CFG_COLS, p->chardev->cols);
        st_le16(cfg + CFG_ROWS, p->chardev->rows);
    }
    st_le32(cfg + CFG_MAX_NR_PORTS, s->max_ports);
}

static void set_config(struct virtio_dev *v, const uint8_t *cfg, unsigned off, unsigned len)
{
    struct virtio_console *s = to_console(v);

    if (off > CFG_EMERG_WR || off + len <= CFG_EMERG_WR || !s->emergency_write)
        return;
    for (unsigned nr = 0; nr < s->max_ports; nr++)
        if (s->ports[nr] && vport_is_console(s->ports[nr])) {
            chardev_write(s->ports[nr]->chardev, cfg + CFG_EMERG_WR, 1); /* lost when there is no room, as on a wire */
            return;
        }
}

static void start(struct virtio_dev *v)
{
    virtio_console_send(to_console(v));
}

static void stop(struct virtio_dev *v)
{
    struct virtio_console *s = to_console(v);

    for (unsigned nr = 0; nr < s->max_ports; nr++)
        if (s->ports[nr])
            vport_stop(s->ports[nr]);
}

static void reset(struct virtio_dev *v)
{
    struct virtio_console *s = to_console(v);

    s->ready = false;
    memset(s->gone, 0, sizeof s->gone);
    for (unsigned nr = 0; nr < s->max_ports; nr++)
        if (s->ports[nr])
            vport_forget(s->ports[nr]);
}

static bool realize(struct virtio_dev *v, GError **err)
{
    struct virtio_console *s = to_console(v);
    struct device *d = v->dev;
    char *name = d->id ? g_strdup_printf("%s.0", d->id) : g_strdup("virtio-serial-bus.0");

    (void) err;
    for (unsigned i = 0, n = 1; i < d->vm->buses->len && !d->id; i++) { /* the first that is free */
        const struct bus *b = d->vm->buses->pdata[i];
        if (strcmp(b->name, name) != 0)
            continue;
        g_free(name);
        name = g_strdup_printf("virtio-serial-bus.%u", n++);
        i = UINT_MAX;
    }
    bus_init(&s->bus, d->vm, &virtio_serial_bus_class, name, d, s);
    g_free(name);
    v->config_size = s->emergency_write ? CFG_SIZE : CFG_EMERG_WR;
    virtio_add_queue(v, DATA_QUEUE);
    virtio_add_queue(v, DATA_QUEUE);
    for (unsigned nr = 1; nr < s->max_ports; nr++) {
        if (nr == 1) {
            virtio_add_queue(v, CTRL_QUEUE);
            virtio_add_queue(v, CTRL_QUEUE);
        }
        virtio_add_queue(v, DATA_QUEUE);
        virtio_add_queue(v, DATA_QUEUE);
    }
    if (s->max_ports > 1) {
        s->ctrl_rx = &v->q[2]; /* now that the array does not move any more */
        s->ctrl_tx = &v->q[3];
    }
    return true;
}

static void unrealize(struct virtio_dev *v)
{
    struct virtio_console *s = to_console(v);

    bus_clear(&s->bus, v->dev->vm);
}

static bool post_load(struct virtio_dev *v)
{
    struct virtio_console *s = to_console(v);

    for (unsigned nr = 0; nr < s->max_ports; nr++)
        if (s->ports[nr])
            s->ports[nr]->rx = s->ports[nr]->tx = NULL; /* they will be popped again */
    for (unsigned nr = s->max_ports; nr < VPORT_MAX; nr++)
        if (s->gone[nr])
            return false;
    return true;
}

const struct state virtio_console_state[] = {
    STATE_STRUCT(struct virtio_console, v, virtio_dev_state), STATE_HOST(struct virtio_console, bus),
    STATE_HOST(struct virtio_console, ports), STATE_HOST(struct virtio_console, ctrl_rx),
    STATE_HOST(struct virtio_console, ctrl_tx), STATE_BOOL(struct virtio_console, ready),
    STATE_BOOLS(struct virtio_console, gone), {}
};
const struct virtio_class virtio_console_vclass = {
    .name = "virtio-serial", .id = VIRTIO_ID_CONSOLE, .config_size = CFG_SIZE, .req_size = sizeof(struct virtq_buf),
    .realize = realize, .unrealize = unrealize, .features = features, .get_config = get_config,
    .set_config = set_config, .handle_queue = handle_queue, .start = start, .stop = stop, .reset = reset,
    .post_load = post_load,
};
