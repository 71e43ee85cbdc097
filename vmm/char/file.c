/* vmm/char/file.c - chardevs on files, named pipes and host serial ports, and in memory. */
#include "vmm/char/backend_impl.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

/* Never waits for the other side: a named pipe without a reader is opened for both directions. */
static int open_out(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | flags, 0666);

    return fd < 0 && errno == ENXIO ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : fd;
}

static bool fail_open(const struct chardev_config *cfg, const char *path, GError **err)
{
    return fail(err, "chardev '%s': cannot open '%s': %s", cfg->id, path, g_strerror(errno));
}

struct chardev *chr_file_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    int in = -1, out = open_out(cfg->path, O_CREAT | (cfg->append ? O_APPEND : O_TRUNC));

    if (out < 0) {
        fail_open(cfg, cfg->path, err);
        return NULL;
    }
    if (cfg->input_path) {
        in = open(cfg->input_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (in < 0) {
            fail_open(cfg, cfg->input_path, err);
            close(out);
            return NULL;
        }
    }
    struct fd_chardev *f = g_new0(struct fd_chardev, 1);
    fdc_init(f, vm, &fdc_ops, cfg, g_strdup_printf("file:%s", cfg->path));
    fdc_start(f, in, out, false);
    return &f->chr;
}

/* QEMU's rule: PATH.in and PATH.out if they are there, else PATH for both. */
struct chardev *chr_pipe_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    char *in_path = g_strconcat(cfg->path, ".in", NULL), *out_path = g_strconcat(cfg->path, ".out", NULL);
    int in = open(in_path, O_RDWR | O_NONBLOCK | O_CLOEXEC),
        out = open(out_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    g_free(in_path);
    g_free(out_path);
    if (in < 0 || out < 0) {
        if (in >= 0)
            close(in);
        if (out >= 0)
            close(out);
        in = out = open(cfg->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (in < 0) {
            fail_open(cfg, cfg->path, err);
            return NULL;
        }
    }
    struct fd_chardev *f = g_new0(struct fd_chardev, 1);
    fdc_init(f, vm, &fdc_ops, cfg, g_strdup_printf("pipe:%s", cfg->path));
    fdc_start(f, in, out, false);
    return &f->chr;
}

/* --- host serial ports ----------------------------------------------------------------------------- */

static void tty_break(struct chardev *c, bool on)
{
    ioctl(container_of(c, struct fd_chardev, chr)->out, on ? TIOCSBRK : TIOCCBRK);
}

static void tty_params(struct chardev *c, unsigned baud, char parity, unsigned bits, unsigned stop)
{
    static const struct { unsigned baud; speed_t speed;
    } speeds[] = { { 50, B50 },        { 75, B75 },       { 110, B110 },     { 134, B134 },
                   { 150, B150 },      { 200, B200 },     { 300, B300 },     { 600, B600 },
                   { 1200, B1200 },    { 1800, B1800 },   { 2400, B2400 },   { 4800, B4800 },
                   { 9600, B9600 },    { 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 },
                   { 115200, B115200 } };
    static const tcflag_t sizes[] = { CS5, CS6, CS7, CS8 };
    struct fd_chardev *f = container_of(c, struct fd_chardev, chr);
    struct termios t;
    speed_t speed = B115200;

    if (tcgetattr(f->in, &t) < 0)
        return;
    for (unsigned i = G_N_ELEMENTS(speeds); i-- && baud <= speeds[i].baud;)
        speed = speeds[i].speed;
    cfmakeraw(&t);
    cfsetspeed(&t, speed);
    t.c_cflag = (t.c_cflag & ~(tcflag_t) (CSIZE | CSTOPB | PARENB | PARODD | CRTSCTS)) | CREAD | CLOCAL |
                sizes[CLAMP(bits, 5, 8) - 5] | (stop > 1 ? CSTOPB : 0) |
                (parity == 'E' || parity == 'O' ? PARENB : 0) | (parity == 'O' ? PARODD : 0);
    tcsetattr(f->in, TCSANOW, &t);
}

static const struct chardev_ops tty_ops = { .write = fdc_write,
                                            .accept = fdc_accept,
                                            .set_fe = fdc_set_fe,
                                            .set_break = tty_break,
                                            .set_params = tty_params,
                                            .free = fdc_free };

struct chardev *chr_tty_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    int fd = open(cfg->path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        fail_open(cfg, cfg->path, err);
        return NULL;
    }
    if (!isatty(fd)) {
        fail(err, "chardev '%s': '%s' is no serial port", cfg->id, cfg->path);
        close(fd);
        return NULL;
    }
    struct fd_chardev *f = g_new0(struct fd_chardev, 1);
    fdc_init(f, vm, &tty_ops, cfg, g_strdup_printf("serial:%s", cfg->path));
    fdc_start(f, fd, fd, false);
    tty_params(&f->chr, 115200, 'N', 8, 1);
    return &f->chr;
}

/* --- ringbuf ---------------------------------------------------------------------------------------- */

struct ringbuf {
    struct chardev chr;
    uint8_t *data;
    size_t size, head, tail; /* running counts; size is a power of two */
};

static size_t ringbuf_put(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct ringbuf *r = container_of(c, struct ringbuf, chr);

    for (size_t i = 0; i < len; i++)
        r->data[r->head++ & (r->size - 1)] = buf[i];
    if (r->head - r->tail > r->size)
        r->tail = r->head - r->size; /* the oldest are lost */
    return len;
}

static void ringbuf_free(struct chardev *c)
{
    struct ringbuf *r = container_of(c, struct ringbuf, chr);

    g_free(r->data);
    g_free(r);
}

static const struct chardev_ops ringbuf_ops = { .write = ringbuf_put, .free = ringbuf_free };

struct chardev *chr_ringbuf_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    struct ringbuf *r = g_new0(struct ringbuf, 1);

    (void) err;
    chardev_setup(&r->chr, vm, &ringbuf_ops, cfg, g_strdup("ringbuf"));
    r->size = cfg->size;
    r->data = g_malloc(r->size);
    r->chr.open = true;
    return &r->chr;
}

bool chardev_ringbuf_read(struct chardev *c, uint8_t *buf, size_t max, size_t *len, GError **err)
{
    if (c->ops != &ringbuf_ops)
        return fail(err, "chardev '%s' is no ringbuf", c->id);
    struct ringbuf *r = container_of(c, struct ringbuf, chr);
    for (*len = 0; *len < max && r->tail != r->head; (*len)++)
        buf[*len] = r->data[r->tail++ & (r->size - 1)];
    return true;
}

bool chardev_ringbuf_write(struct chardev *c, const uint8_t *buf, size_t len, GError **err)
{
    if (c->ops != &ringbuf_ops)
        return fail(err, "chardev '%s' is no ringbuf", c->id);
    size_t room = c->fe ? c->fe->can_receive(c->fe_opaque) : 0;
    if (room < len)
        return fail(err, "chardev '%s': the front end takes only %zu bytes now", c->id, room);
    c->fe->receive(c->fe_opaque, buf, len);
    return true;
}
