/* tests/hw/test_virtio_console.c - the console device: its protocol, data that waits both ways, hostile drivers. */
#include "hw/catalog.h"
#include "hw/virtio/virtio_console.h"
#include "tests/hw/vdriver.h"
#include "vmm/core/event.h"

enum { DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };
enum { MULTIPORT = 2, WANT = 7 };
enum { CTRL_RX = 2, CTRL_TX = 3, CTRL_LEN = 300 };

struct con {
    struct bench *b;
    struct vd *d;
    struct fake_chardev *tty, *chr; /* of port 0, and of port 1 */
    struct device *console, *port, *mute; /* 0, 1 "org.test.one", 3 */
};

static struct device *add(struct con *c, const struct device_class *cls, const char *id, const char *props)
{
    GError *err = NULL;
    struct device *d = device_create(c->b->vm, cls, id, props, &err);

    g_assert_no_error(err);
    device_reset(d);
    return d;
}

static struct con con_probe(const char *props, unsigned flags)
{
    struct con c = { .b = bench_new(32 * MiB) };

    if (flags & VD_MSIX)
        bench_accel(c.b, true);
    c.tty = bench_chardev(c.b, "tty");
    c.chr = bench_chardev(c.b, "chr");
    c.d = vd_probe(c.b, flags & VD_MMIO ? "virtio-serial-device" : "virtio-serial-pci", props, flags);
    c.console = add(&c, &virtconsole_class, NULL, "chardev=tty");
    return c;
}

static struct con con_new(const char *props, unsigned flags)
{
    struct con c = con_probe(props, flags);

    c.port = add(&c, &virtserialport_class, "one", "chardev=chr,name=org.test.one");
    c.mute = add(&c, &virtserialport_class, NULL, "nr=3");
    vd_start(c.d, WANT);
    return c;
}

static void con_free(struct con *c)
{
    vd_free(c->d);
    bench_free(c->b);
}

static unsigned rxq(unsigned port)
{
    return port ? 2 * port + 2 : 0;
}

static void give(struct con *c, unsigned q, uint32_t len)
{
    uint64_t gpa = vd_alloc(c->d, len, 16);

    g_assert_true(vd_add(c->d, q, &(struct vd_sg){ gpa, len }, 0, 1, vd_ptr(c->d, gpa)));
    vd_kick(c->d, q);
    bench_run(c->b);
}

/* To the device: whole when it returns a token's worth; else it is kept */
static void put(struct con *c, unsigned q, const void *data, uint32_t len)
{
    uint64_t gpa = vd_alloc(c->d, len + 1, 16);
    void *at = vd_ptr(c->d, gpa);
    struct vd_sg sg[2] = { { gpa, len / 2 }, { gpa + len / 2, len - len / 2 } };

    memcpy(at, data, len);
    g_assert_true(vd_add(c->d, q, len > 1 ? sg : sg + 1, len > 1 ? 2 : 1, 0, at));
    vd_kick(c->d, q);
    bench_run(c->b);
}

static void tell(struct con *c, uint32_t id, unsigned event, unsigned value)
{
    uint8_t msg[8];

    st_le32(msg, id);
    st_le16(msg + 4, (uint16_t) event);
    st_le16(msg + 6, (uint16_t) value);
    put(c, CTRL_TX, msg, sizeof msg);
    g_assert_nonnull(vd_wait(c->d, CTRL_TX, NULL));
}

/* The next control message, with a buffer given for it; NULL: there is none */
static const uint8_t *heard(struct con *c, uint32_t *len)
{
    const uint8_t *m = vd_wait(c->d, CTRL_RX, len);

    if (m)
        give(c, CTRL_RX, CTRL_LEN);
    return m;
}

static void expect(struct con *c, uint32_t id, unsigned event, unsigned value, const char *more)
{
    uint32_t len = 0;
    const uint8_t *m = heard(c, &len);

    g_assert_nonnull(m);
    g_assert_cmpuint(ld_le32(m), ==, id);
    g_assert_cmpuint(ld_le16(m + 4), ==, event);
    g_assert_cmpuint(ld_le16(m + 6), ==, value);
    g_assert_cmpuint(len, ==, 8 + (more ? strlen(more) + 1 : 0));
    if (more)
        g_assert_cmpstr((const char *) m + 8, ==, more);
}

static void expect_nothing(struct con *c)
{
    g_assert_null(vd_wait(c->d, CTRL_RX, NULL));
}

static void expect_out(struct fake_chardev *f, const void *data, size_t len)
{
    g_assert_cmpmem(f->out->data, f->out->len, data, len);
    g_byte_array_set_size(f->out, 0);
}

/* As Linux does it */
static void shake_hands(struct con *c)
{
    for (unsigned i = 0; i < 16; i++)
        give(c, CTRL_RX, CTRL_LEN);
    expect_nothing(c);
    tell(c, UINT32_MAX, DEVICE_READY, 1);
    expect(c, 0, DEVICE_ADD, 1, NULL);
    expect(c, 1, DEVICE_ADD, 1, NULL);
    expect(c, 3, DEVICE_ADD, 1, NULL);
    expect_nothing(c);
    tell(c, 0, PORT_READY, 1);
    expect(c, 0, CONSOLE_PORT, 1, NULL);
    expect(c, 0, PORT_OPEN, 1, NULL);
    tell(c, 1, PORT_READY, 1);
    expect(c, 1, PORT_NAME, 1, "org.test.one");
    expect(c, 1, PORT_OPEN, 1, NULL);
    tell(c, 3, PORT_READY, 1);
    expect_nothing(c);
}

static struct con con_up(const char *props, unsigned flags)
{
    struct con c = con_new(props, flags);

    shake_hands(&c);
    tell(&c, 0, PORT_OPEN, 1);
    tell(&c, 1, PORT_OPEN, 1);
    return c;
}

static void expect_in(struct con *c, unsigned port, const char *text)
{
    uint32_t len = 0;
    const char *m = vd_wait(c->d, rxq(port), &len);

    g_assert_nonnull(m);
    g_assert_cmpmem(m, len, text, strlen(text));
}

static void test_data(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    const char *props = flags & VD_MMIO && flags & VD_LEGACY ? "force-legacy=on" :
        flags & VD_IN_ORDER ? "packed=on,in_order=on" : "packed=on";
    struct con c = con_new(props, flags);

    g_assert_cmpuint(vd_config(c.d, 4, 4), ==, 31);
    shake_hands(&c);
    give(&c, rxq(1), 4);
    give(&c, rxq(1), 100);
    fake_feed(c.chr, "hello you", 9); /* not before the guest opened the port */
    g_assert_null(vd_wait(c.d, rxq(1), NULL));
    tell(&c, 1, PORT_OPEN, 1);
    expect_in(&c, 1, "hell");
    expect_in(&c, 1, "o you");
    put(&c, rxq(1) + 1, "and me", 6);
    g_assert_nonnull(vd_wait(c.d, rxq(1) + 1, NULL));
    expect_out(c.chr, "and me", 6);
    tell(&c, 0, PORT_OPEN, 1);
    give(&c, 0, 1);
    fake_feed(c.tty, "l", 1);
    expect_in(&c, 0, "l");
    put(&c, 1, "login:", 6);
    expect_out(c.tty, "login:", 6);
    put(&c, rxq(3) + 1, "to nobody", 9); /* a port without a chardev */
    g_assert_nonnull(vd_wait(c.d, rxq(3) + 1, NULL));
    put(&c, rxq(2) + 1, "no port", 7);
    g_assert_nonnull(vd_wait(c.d, rxq(2) + 1, NULL));
    device_reset_all(c.b->vm); /* and all over again */
    if (c.d->pci)
        vd_place(c.d);
    vd_start(c.d, WANT);
    shake_hands(&c);
    con_free(&c);
}

static void test_full(void)
{
    struct con c = con_up(NULL, VD_EVENT_IDX);
    GString *all = g_string_new(NULL);

    /* the chardev takes a little at a time; nothing is lost, nothing comes twice; buffers return when they are done */
    c.chr->room = 5;
    for (unsigned i = 0; i < 50; i++) {
        char text[32];
        unsigned n = (unsigned) g_snprintf(text, sizeof text, "line %u\n", i);
        g_string_append_len(all, text, n);
        put(&c, rxq(1) + 1, text, n);
    }
    g_assert_cmpuint(c.chr->out->len, ==, 5);
    g_assert_null(vd_wait(c.d, rxq(1) + 1, NULL));
    clock_step(c.b, 10 * NS_PER_SEC); /* a port has patience */
    unsigned back = 0;
    for (unsigned i = 0; i < 1000 && c.chr->out->len < all->len; i++) {
        fake_room(c.chr, i % 13);
        bench_run(c.b);
        while (vd_wait(c.d, rxq(1) + 1, NULL))
            back++;
    }
    g_assert_cmpuint(back, ==, 50);
    expect_out(c.chr, all->str, all->len);
    fake_room(c.chr, SIZE_MAX);
    /* to the guest: what it has no buffers for stays outside */
    uint8_t big[10000];
    for (unsigned i = 0; i < sizeof big; i++)
        big[i] = (uint8_t) (i * 7 + i / 256);
    give(&c, rxq(1), 100);
    fake_feed(c.chr, big, sizeof big);
    g_assert_cmpuint(c.chr->in->len, ==, 9900);
    size_t got = 0;
    for (unsigned i = 0; got < sizeof big; i++) {
        uint32_t len = 0;
        const uint8_t *m = vd_wait(c.d, rxq(1), &len);
        g_assert_nonnull(m);
        g_assert_cmpmem(m, len, big + got, len);
        got += len;
        give(&c, rxq(1), 100 + i);
    }
    g_assert_null(vd_wait(c.d, rxq(1), NULL));
    g_string_free(all, TRUE);
    con_free(&c);
}

/* More than is moved in a turn */
static void test_much(void)
{
    struct con c = con_up(NULL, 0);
    const uint32_t size = 5 * MiB / 2 + 3;
    uint64_t gpa = vd_alloc(c.d, size, 16);
    uint8_t *at = vd_ptr(c.d, gpa);
    int token;

    for (uint32_t i = 0; i < size; i++)
        at[i] = (uint8_t) (i * 5 + i / 1000);
    for (unsigned i = 0; i < 3; i++)
        g_assert_true(vd_add(c.d, rxq(1) + 1, &(struct vd_sg){ gpa, size }, 1, 0, &token));
    vd_kick(c.d, rxq(1) + 1);
    bench_run(c.b);
    for (unsigned i = 0; i < 3; i++)
        g_assert_true(vd_wait(c.d, rxq(1) + 1, NULL) == &token);
    g_assert_cmpuint(c.chr->out->len, ==, 3 * size);
    for (unsigned i = 0; i < 3; i++)
        g_assert_cmpint(memcmp(c.chr->out->data + i * size, at, size), ==, 0);
    con_free(&c);
}

/* A console that nobody reads does not hold the guest for ever, and is heard again later */
static void test_patience(void)
{
    struct con c = con_up(NULL, 0);

    fake_room(c.tty, 3);
    put(&c, 1, "abcdef", 6);
    g_assert_null(vd_wait(c.d, 1, NULL));
    clock_step(c.b, 900 * NS_PER_MS);
    g_assert_null(vd_wait(c.d, 1, NULL));
    clock_step(c.b, 200 * NS_PER_MS);
    g_assert_nonnull(vd_wait(c.d, 1, NULL));
    put(&c, 1, "gone", 4);
    g_assert_nonnull(vd_wait(c.d, 1, NULL));
    expect_out(c.tty, "abc", 3);
    fake_room(c.tty, SIZE_MAX);
    put(&c, 1, "there", 5);
    g_assert_nonnull(vd_wait(c.d, 1, NULL));
    expect_out(c.tty, "there", 5);
    con_free(&c);
}

static void test_plain(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    struct con c = con_probe("max_ports=1", flags);

    g_assert_cmphex(vd_offered(c.d) & 7, ==, 4);
    vd_set_config(c.d, 8, '!', 4); /* before there is a driver */
    expect_out(c.tty, "!", 1);
    vd_start(c.d, WANT);
    g_assert_cmpuint(c.d->v->n_queues, ==, 2);
    g_assert_cmpuint(vd_config(c.d, 4, 4), ==, 1);
    put(&c, 1, "plain", 5);
    expect_out(c.tty, "plain", 5);
    fake_feed(c.tty, "typed", 5);
    give(&c, 0, 10);
    expect_in(&c, 0, "typed");
    con_free(&c);
    /* a driver that does not take MULTIPORT */
    c = con_probe("emergency-write=off", flags);
    g_assert_cmphex(vd_offered(c.d) & 7, ==, MULTIPORT);
    vd_start(c.d, 0);
    put(&c, 1, "plain", 5);
    expect_out(c.tty, "plain", 5);
    give(&c, 0, 10);
    fake_feed(c.tty, "typed", 5);
    expect_in(&c, 0, "typed");
    vd_set_config(c.d, 8, '!', 4);
    g_assert_cmpuint(c.tty->out->len, ==, 0);
    con_free(&c);
}

struct events {
    struct vm_listener l;
    GString *seen;
};

static void saw(void *opaque, const struct vm_event *ev)
{
    struct events *e = opaque;

    if (ev->kind == EVENT_PORT_CHANGE)
        g_string_append_printf(e->seen, "%s %d;", ev->device, ev->on);
}

static void expect_events(struct con *c, struct events *e, const char *text)
{
    vm_event_deliver(c->b->vm);
    g_assert_cmpstr(e->seen->str, ==, text);
    g_string_truncate(e->seen, 0);
}

static void host(struct con *c, bool on)
{
    c->chr->chr.open = on;
    c->chr->chr.fe->event(c->chr->chr.fe_opaque, on ? CHARDEV_OPENED : CHARDEV_CLOSED);
    bench_run(c->b);
}

static void test_open(void)
{
    struct con c = con_new(NULL, 0);
    struct events e = { .l = { .fn = saw, .opaque = &e }, .seen = g_string_new(NULL) };

    vm_add_listener(c.b->vm, &e.l);
    shake_hands(&c);
    tell(&c, 1, PORT_OPEN, 1);
    tell(&c, 1, PORT_OPEN, 1);
    expect_events(&c, &e, "one 1;");
    fake_room(c.chr, 2);
    put(&c, rxq(1) + 1, "hold", 4);
    g_assert_null(vd_wait(c.d, rxq(1) + 1, NULL));
    host(&c, false); /* what was held goes nowhere, and neither does what follows */
    expect(&c, 1, PORT_OPEN, 0, NULL);
    g_assert_nonnull(vd_wait(c.d, rxq(1) + 1, NULL));
    put(&c, rxq(1) + 1, "lost", 4);
    g_assert_nonnull(vd_wait(c.d, rxq(1) + 1, NULL));
    expect_out(c.chr, "ho", 2);
    fake_room(c.chr, SIZE_MAX);
    host(&c, true);
    expect(&c, 1, PORT_OPEN, 1, NULL);
    put(&c, rxq(1) + 1, "found", 5);
    expect_out(c.chr, "found", 5);
    /* while the driver has no buffers: the end is told, and that there was one */
    unsigned left = 0;
    for (; left < 16; left++) {
        host(&c, left & 1);
        g_assert_nonnull(vd_wait(c.d, CTRL_RX, NULL));
    }
    host(&c, false);
    host(&c, true);
    host(&c, false);
    host(&c, true);
    g_assert_null(vd_wait(c.d, CTRL_RX, NULL));
    give(&c, CTRL_RX, CTRL_LEN);
    give(&c, CTRL_RX, CTRL_LEN);
    give(&c, CTRL_RX, CTRL_LEN);
    expect(&c, 1, PORT_OPEN, 0, NULL);
    expect(&c, 1, PORT_OPEN, 1, NULL);
    expect_nothing(&c);
    tell(&c, 1, PORT_OPEN, 0);
    expect_events(&c, &e, "one 0;");
    tell(&c, 1, PORT_OPEN, 1);
    device_reset_all(c.b->vm);
    expect_events(&c, &e, "one 1;one 0;");
    vm_remove_listener(c.b->vm, &e.l);
    g_string_free(e.seen, TRUE);
    con_free(&c);
}

static void test_unplug(void)
{
    struct con c = con_up(NULL, 0);

    give(&c, rxq(1), 50);
    fake_room(c.chr, 1);
    put(&c, rxq(1) + 1, "held", 4); /* both queues have a buffer out */
    device_free(c.port);
    bench_run(c.b);
    expect(&c, 1, DEVICE_REMOVE, 1, NULL);
    expect_nothing(&c);
    g_assert_null(c.chr->chr.fe);
    tell(&c, 1, PORT_OPEN, 0);
    tell(&c, 1, PORT_READY, 1);
    vd_notify(c.d, rxq(1) + 1);
    g_assert_nonnull(vd_wait(c.d, rxq(1) + 1, NULL)); /* into nothing */
    c.port = add(&c, &virtserialport_class, NULL, "chardev=chr,name=other");
    expect(&c, 1, DEVICE_ADD, 1, NULL);
    device_free(c.port); /* told of, though not set up */
    expect(&c, 1, DEVICE_REMOVE, 1, NULL);
    c.port = add(&c, &virtserialport_class, NULL, "chardev=chr,name=other");
    expect(&c, 1, DEVICE_ADD, 1, NULL);
    tell(&c, 1, PORT_READY, 1);
    expect(&c, 1, PORT_NAME, 1, "other");
    expect(&c, 1, PORT_OPEN, 1, NULL);
    tell(&c, 1, PORT_OPEN, 1);
    fake_room(c.chr, SIZE_MAX);
    fake_feed(c.chr, "new", 3);
    expect_in(&c, 1, "new");
    con_free(&c);
}

static void test_hostile(gconstpointer data)
{
    struct con c = con_new("packed=on", GPOINTER_TO_UINT(data));
    static const uint32_t ids[] = { 0, 1, 2, 30, 31, 32, 511, 512, 0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX };

    c.d->hostile = true;
    /* nothing is told before it asked, and nothing to a driver that failed */
    give(&c, CTRL_RX, CTRL_LEN);
    tell(&c, 0, DEVICE_READY, 0);
    expect_nothing(&c);
    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
        for (unsigned ev = 0; ev < 10; ev++)
            tell(&c, ids[i], ev == 9 ? 0xffff : ev, i & 1 ? 0xffff : 1);
    /* a flood, without a buffer for what it causes */
    for (unsigned i = 0; i < 5000; i++) {
        c.d->heap = i ? c.d->heap - 16 : c.d->heap;
        tell(&c, i & 3, i & 1 ? DEVICE_READY : PORT_READY, 1);
    }
    /* all of it took no more than a message of each kind */
    unsigned n = 0;
    for (give(&c, CTRL_RX, CTRL_LEN); heard(&c, NULL); n++)
        g_assert_cmpuint(n, <, 3 * 6 + 2);
    /* too short, empty, the wrong way round */
    for (unsigned len = 1; len < 12; len++) {
        put(&c, CTRL_TX, "\1\0\0\0\6\0\1\0\0\0\0\0", len);
        g_assert_nonnull(vd_wait(c.d, CTRL_TX, NULL));
    }
    give(&c, CTRL_TX, 64);
    g_assert_nonnull(vd_wait(c.d, CTRL_TX, NULL));
    put(&c, rxq(1), "no room in it", 13);
    tell(&c, 1, PORT_OPEN, 1);
    fake_feed(c.chr, "x", 1);
    bench_run(c.b);
    g_assert_nonnull(vd_wait(c.d, rxq(1), NULL));
    give(&c, rxq(1), 5);
    expect_in(&c, 1, "x");
    give(&c, rxq(1) + 1, 100); /* output without bytes */
    g_assert_nonnull(vd_wait(c.d, rxq(1) + 1, NULL));
    while (vd_wait(c.d, CTRL_RX, NULL)) {}
    /* buffers for control messages that hold none, or not all */
    put(&c, CTRL_RX, "read-only", 9);
    for (unsigned len = 1; len < 12; len++)
        give(&c, CTRL_RX, len);
    for (unsigned i = 0; i < 8; i++)
        tell(&c, 1, PORT_READY, 1);
    while (vd_wait(c.d, CTRL_RX, NULL)) {}
    g_assert_false(vd_broken(c.d));
    /* control before there are queues for it, and after a reset */
    vd_set_status(c.d, 0);
    host(&c, false);
    host(&c, true);
    fake_feed(c.chr, "y", 1);
    vd_notify(c.d, CTRL_TX);
    vd_notify(c.d, 63);
    vd_notify(c.d, 64);
    vd_notify(c.d, 65535);
    bench_run(c.b);
    con_free(&c);
}

static void test_setup(void)
{
    struct con c = con_new("max_ports=5", 0);
    char *longer = g_strnfill(256, 'n'), *with = g_strdup_printf("name=%s", longer);
    const struct {
        const char *cls, *props, *says;
    } bad[] = {
        { "virtserialport", "nr=0", "nr=0 is reserved" },
        { "virtserialport", "nr=1", "already used by 'one'" },
        { "virtserialport", "nr=5", "out of range: 0 to 4" },
        { "virtserialport", "name=org.test.one", "already used by port 1" },
        { "virtserialport", with, "at most 255" },
        { "virtserialport", "chardev=chr", "already used by" },
        { "virtserialport", "chardev=none", "none" },
        { "virtconsole", "nr=0", "already used" },
        { "virtio-serial-pci", "max_ports=0", "max_ports" },
        { "virtio-serial-pci", "max_ports=512", "max_ports" },
    };
    GError *err = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(device_create(c.b->vm, device_class_find(bad[i].cls), NULL, bad[i].props, &err));
        g_assert_nonnull(strstr(err->message, bad[i].says));
        g_clear_error(&err);
    }
    add(&c, &virtserialport_class, NULL, NULL);
    add(&c, &virtconsole_class, NULL, NULL);
    g_assert_null(device_create(c.b->vm, &virtserialport_class, NULL, NULL, &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    g_free(longer);
    g_free(with);
    con_free(&c);
    /* as many as there can be */
    c = con_probe("max_ports=511", 0);
    g_assert_cmpuint(c.d->v->n_queues, ==, VIRTIO_MAX_QUEUES);
    g_assert_cmpuint(vd_config(c.d, 4, 4), ==, 511);
    add(&c, &virtserialport_class, NULL, "nr=510,chardev=chr");
    con_free(&c);
    c = con_probe("max_ports=64", 0);
    vd_start(c.d, WANT);
    add(&c, &virtserialport_class, NULL, "nr=63,chardev=chr");
    for (unsigned i = 0; i < 8; i++)
        give(&c, CTRL_RX, CTRL_LEN);
    tell(&c, 0, DEVICE_READY, 1);
    expect(&c, 0, DEVICE_ADD, 1, NULL);
    expect(&c, 63, DEVICE_ADD, 1, NULL);
    put(&c, rxq(63) + 1, "last", 4);
    expect_out(c.chr, "last", 4);
    con_free(&c);
}

static void test_size(void)
{
    struct con c = con_probe("console-size=on", 0);

    c.tty->chr.cols = 132;
    c.tty->chr.rows = 43;
    vd_start(c.d, WANT);
    g_assert_cmpuint(vd_config(c.d, 0, 2), ==, 132);
    g_assert_cmpuint(vd_config(c.d, 2, 2), ==, 43);
    for (unsigned i = 0; i < 8; i++)
        give(&c, CTRL_RX, CTRL_LEN);
    tell(&c, 0, DEVICE_READY, 1);
    expect(&c, 0, DEVICE_ADD, 1, NULL);
    tell(&c, 0, PORT_READY, 1);
    expect(&c, 0, CONSOLE_PORT, 1, NULL);
    expect(&c, 0, PORT_OPEN, 1, NULL);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t len = 0;
        const uint8_t *m = heard(&c, &len);
        g_assert_nonnull(m);
        g_assert_cmpuint(ld_le16(m + 4), ==, RESIZE);
        g_assert_cmpuint(len, ==, 12);
        g_assert_cmpuint(ld_le16(m + 8), ==, i ? 80 : 132);
        g_assert_cmpuint(ld_le16(m + 10), ==, i ? 25 : 43);
        vd_take_isr(c.d);
        c.tty->chr.cols = 80;
        c.tty->chr.rows = 25;
        if (!i)
            c.tty->chr.fe->event(c.tty->chr.fe_opaque, CHARDEV_RESIZED);
    }
    con_free(&c);
}

static void reload(struct device *d)
{
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;

    device_save(d, a);
    g_assert_true(device_load(d, a->data, a->len, &err));
    g_byte_array_unref(a);
}

/* Stopped, and saved, with buffers half written: they go on where they were */
static void test_stop(gconstpointer data)
{
    struct con c = con_up("packed=on", GPOINTER_TO_UINT(data));

    fake_room(c.chr, 3);
    put(&c, rxq(1) + 1, "abcdef", 6);
    put(&c, rxq(1) + 1, "ghi", 3);
    give(&c, rxq(1), 10);
    fake_feed(c.chr, "", 0);
    vm_stop(c.b->vm, RUN_PAUSED);
    fake_room(c.chr, 100);
    fake_feed(c.chr, "in", 2);
    host(&c, false);
    host(&c, true);
    bench_run(c.b);
    g_assert_cmpuint(c.chr->out->len, ==, 3);
    reload(c.d->dev);
    reload(c.port);
    vm_cont(c.b->vm);
    bench_run(c.b);
    expect_in(&c, 1, "in");
    expect(&c, 1, PORT_OPEN, 0, NULL);
    expect(&c, 1, PORT_OPEN, 1, NULL);
    expect_out(c.chr, "abcdefghi", 9);
    con_free(&c);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = {
        { "split", 0 }, { "packed", VD_PACKED | VD_EVENT_IDX | VD_INDIRECT }, { "legacy", VD_LEGACY },
        { "mmio", VD_MMIO }, { "mmio-legacy", VD_MMIO | VD_LEGACY }, { "msix", VD_MSIX }, { "in-order", VD_IN_ORDER },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        char *path = g_strdup_printf("/virtio-console/data/%s", ways[i].name);
        g_test_add_data_func(path, GUINT_TO_POINTER(ways[i].flags), test_data);
        g_free(path);
    }
    g_test_add_func("/virtio-console/full", test_full);
    g_test_add_func("/virtio-console/much", test_much);
    g_test_add_func("/virtio-console/patience", test_patience);
    g_test_add_data_func("/virtio-console/plain/modern", GUINT_TO_POINTER(0), test_plain);
    g_test_add_data_func("/virtio-console/plain/legacy", GUINT_TO_POINTER(VD_LEGACY), test_plain);
    g_test_add_func("/virtio-console/open", test_open);
    g_test_add_func("/virtio-console/unplug", test_unplug);
    g_test_add_data_func("/virtio-console/hostile/split", GUINT_TO_POINTER(0), test_hostile);
    g_test_add_data_func("/virtio-console/hostile/packed", GUINT_TO_POINTER(VD_PACKED), test_hostile);
    g_test_add_func("/virtio-console/setup", test_setup);
    g_test_add_func("/virtio-console/size", test_size);
    g_test_add_data_func("/virtio-console/stop/split", GUINT_TO_POINTER(0), test_stop);
    g_test_add_data_func("/virtio-console/stop/packed", GUINT_TO_POINTER(VD_PACKED), test_stop);
    return g_test_run();
}
