/* vmm/char/mux.c - one chardev for several front ends (a serial port and the monitor on one terminal).
 *
 * All write; one has the input.  Ctrl-a is the escape, as in QEMU: Ctrl-a h (help), x (end), c (next front
 * end), b (break), t (time stamps), Ctrl-a Ctrl-a (a Ctrl-a).
 * Deviations: Ctrl-a s, which commits -snapshot
 * disks in QEMU, has no effect. */
#include "vmm/char/backend_impl.h"

enum { MAX_FES = 4, QUEUE = 64, ESCAPE = 1 };

struct mux_fe {
    const struct chardev_fe *fe;
    void *opaque;
    const char *user;
    uint8_t queue[QUEUE]; /* received, not yet taken */
    unsigned n_queued;
};

struct mux {
    struct chardev chr;
    struct chardev *base;
    struct mux_fe fes[MAX_FES];
    unsigned n, focus;
    bool escape;       /* Ctrl-a was the last byte */
    bool stamps, line_start;
    int64_t stamps_since;
};

static struct mux *to_mux(struct chardev *c)
{
    return container_of(c, struct mux, chr);
}

static void event(struct mux_fe *fe, enum chardev_event ev)
{
    if (fe->fe->event)
        fe->fe->event(fe->opaque, ev);
}

/* --- towards the terminal -------------------------------------------------------------------------- */

static void stamp(struct mux *m)
{
    char text[40];
    int64_t ms = (g_get_monotonic_time() - m->stamps_since) / 1000;

    int n = g_snprintf(text, sizeof text, "[%02d:%02d:%02d.%03d] ", (int) (ms / 3600000),
                       (int) (ms / 60000 % 60), (int) (ms / 1000 % 60), (int) (ms % 1000));
    chardev_write(m->base, (const uint8_t *) text, (size_t) n); /* a stamp that finds no room is lost */
}

static size_t mux_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct mux *m = to_mux(c);
    size_t done = 0;

    if (!m->stamps)
        return chardev_write(m->base, buf, len);
    while (done < len) {
        if (m->line_start)
            stamp(m);
        m->line_start = false;
        const uint8_t *nl = memchr(buf + done, '\n', len - done);
        size_t part = nl ? (size_t) (nl - buf) + 1 - done : len - done;
        size_t n = chardev_write(m->base, buf + done, part);
        done += n;
        if (n < part)
            break;
        m->line_start = nl != NULL;
    }
    return done;
}

static void print(struct mux *m, const char *text)
{
    chardev_write(m->base, (const uint8_t *) text, strlen(text));
}

static void mux_writable(void *opaque)
{
    struct mux *m = opaque;

    for (unsigned i = 0; i < m->n; i++)
        if (m->fes[i].fe->writable)
            m->fes[i].fe->writable(m->fes[i].opaque);
}

/* --- from the terminal ------------------------------------------------------------------------------ */

static void flush(struct mux_fe *f)
{
    size_t n;

    while (f->n_queued && (n = f->fe->can_receive(f->opaque)) > 0) {
        uint8_t part[QUEUE];
        n = MIN(n, f->n_queued);
        memcpy(part, f->queue, n);
        f->n_queued -= (unsigned) n;
        memmove(f->queue, f->queue + n, f->n_queued);
        f->fe->receive(f->opaque, part, n);
    }
}

static void set_focus(struct mux *m, unsigned to)
{
    if (to == m->focus || to >= m->n)
        return;
    event(&m->fes[m->focus], CHARDEV_MUX_OUT);
    m->focus = to;
    event(&m->fes[to], CHARDEV_MUX_IN);
}

static void help(struct mux *m)
{
    print(m, "\r\n"
             "Ctrl-a h       this help\r\n"
             "Ctrl-a x       end the virtual machine\r\n"
             "Ctrl-a t       time stamps on, off\r\n"
             "Ctrl-a b       send a break\r\n"
             "Ctrl-a c       switch between monitor and serial port\r\n"
             "Ctrl-a Ctrl-a  send a Ctrl-a\r\n");
}

static void command(struct mux *m, uint8_t b)
{
    switch (b) {
    case 'h': case '?': help(m); break;
    case 'x':
        print(m, "bantam: terminated\r\n");
        vm_request_exit(m->chr.vm, CAUSE_HOST_UI, EXIT_OK);
        break;
    case 'b':
        if (m->n)
            event(&m->fes[m->focus], CHARDEV_BREAK);
        break;
    case 'c':
        if (m->n)
            set_focus(m, (m->focus + 1) % m->n);
        break;
    case 't':
        m->stamps = !m->stamps;
        m->stamps_since = g_get_monotonic_time();
        m->line_start = false;
        break;
    default: break;
    }
}

/* As much as would fit wherever the bytes end up. */
static size_t mux_can_receive(void *opaque)
{
    const struct mux *m = opaque;
    size_t room = QUEUE;

    for (unsigned i = 0; i < m->n; i++)
        room = MIN(room, QUEUE - m->fes[i].n_queued);
    return room;
}

static void mux_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct mux *m = opaque;

    for (size_t i = 0; i < len; i++) {
        bool plain = !m->escape && buf[i] != ESCAPE;
        if (m->escape && buf[i] != ESCAPE) {
            m->escape = false;
            command(m, buf[i]);
        } else if (plain || m->escape) {
            m->escape = false;
            struct mux_fe *f = &m->fes[m->focus];
            if (m->n && f->n_queued < QUEUE)
                f->queue[f->n_queued++] = buf[i];
        } else {
            m->escape = true;
        }
        if (m->n)
            flush(&m->fes[m->focus]);
    }
}

static void mux_event(void *opaque, enum chardev_event ev)
{
    struct mux *m = opaque;

    m->chr.open = ev == CHARDEV_OPENED || (m->chr.open && ev != CHARDEV_CLOSED);
    if (ev == CHARDEV_CLOSED)
        m->escape = false;
    m->chr.cols = m->base->cols;
    m->chr.rows = m->base->rows;
    for (unsigned i = 0; i < m->n; i++)
        if (ev != CHARDEV_BREAK || i == m->focus)
            event(&m->fes[i], ev);
}

static const struct chardev_fe mux_fe = { mux_can_receive, mux_receive, mux_event, mux_writable };

static void mux_accept(struct chardev *c)
{
    struct mux *m = to_mux(c);

    for (unsigned i = 0; i < m->n; i++)
        flush(&m->fes[i]);
    chardev_accept(m->base);
}

/* --- front ends --------------------------------------------------------------------------------------- */

static bool is_monitor(const struct mux_fe *f)
{
    return g_str_has_prefix(f->user, "monitor");
}

static bool mux_attach(struct chardev *c, const struct chardev_fe *fe, void *opaque, const char *user,
                       GError **err)
{
    struct mux *m = to_mux(c);

    if (m->n == MAX_FES)
        return fail(err, "chardev '%s' has %d users already", c->id, MAX_FES);
    m->fes[m->n++] = (struct mux_fe){ fe, opaque, user };
    if (c->open && fe->event)
        fe->event(opaque, CHARDEV_OPENED);
    /* A guest's console comes before the monitor, whichever was there first. */
    if (m->n > 1 && is_monitor(&m->fes[m->focus]) && !is_monitor(&m->fes[m->n - 1]))
        set_focus(m, m->n - 1);
    else if (m->n == 1 && fe->event)
        fe->event(opaque, CHARDEV_MUX_IN);
    chardev_accept(m->base);
    return true;
}

static void mux_detach(struct chardev *c, void *opaque)
{
    struct mux *m = to_mux(c);

    for (unsigned i = m->n; i--;) {
        if (opaque && m->fes[i].opaque != opaque)
            continue;
        memmove(&m->fes[i], &m->fes[i + 1], (m->n - i - 1) * sizeof m->fes[0]);
        m->n--;
        if (m->focus > i || m->focus == m->n)
            m->focus = m->focus ? m->focus - 1 : 0;
        return;
    }
}

static void mux_set_break(struct chardev *c, bool on)
{
    chardev_set_break(to_mux(c)->base, on);
}

static void mux_set_params(struct chardev *c, unsigned baud, char parity, unsigned bits, unsigned stop)
{
    chardev_set_params(to_mux(c)->base, baud, parity, bits, stop);
}

static void mux_free(struct chardev *c)
{
    struct mux *m = to_mux(c);

    chardev_detach(m->base);
    chardev_free(m->base);
    g_free(m);
}

static const struct chardev_ops mux_ops = { .write = mux_write,
                                            .accept = mux_accept,
                                            .set_break = mux_set_break,
                                            .set_params = mux_set_params,
                                            .attach = mux_attach,
                                            .detach = mux_detach,
                                            .free = mux_free };

struct chardev *chr_mux_new(struct chardev *base)
{
    struct mux *m = g_new0(struct mux, 1);

    m->chr = (struct chardev){ .ops = &mux_ops,
                               .vm = base->vm,
                               .id = g_strdup(base->id),
                               .filename = g_strconcat("mux:", base->filename, NULL) };
    m->base = base;
    chardev_attach(base, &mux_fe, m, "mux", NULL);
    return &m->chr;
}
