/* vmm/char/fd.c - chardevs on descriptors: reading as the front end takes, writing as the other side takes.
 */
#include "vmm/char/backend_impl.h"

#include <sys/socket.h>

enum { CHUNK = 4096 };

void chardev_set_open(struct chardev *c, bool open)
{
    if (c->open == open)
        return;
    c->open = open;
    if (c->fe && c->fe->event)
        c->fe->event(c->fe_opaque, open ? CHARDEV_OPENED : CHARDEV_CLOSED);
}

void chr_set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void close_both(struct fd_chardev *f)
{
    if (f->out >= 0 && f->out != f->in)
        close(f->out);
    if (f->in >= 0)
        close(f->in);
    f->in = f->out = -1;
}

static void other_side_gone(struct fd_chardev *f)
{
    if (!f->gone) {
        f->eof = true;
        bh_schedule(&f->update);
        return;
    }
    chardev_set_open(&f->chr, false);
    f->gone(f);
}

static void readable(void *opaque, GIOCondition cond)
{
    struct fd_chardev *f = opaque;
    struct chardev *c = &f->chr;
    uint8_t buf[CHUNK];

    (void) cond;
    exec_enter(&c->vm->main);
    size_t room = c->fe && f->in >= 0 ? c->fe->can_receive(c->fe_opaque) : 0;
    if (!room) {
        bh_schedule(&f->update);
        exec_leave(&c->vm->main);
        return;
    }
    ssize_t n = read(f->in, buf, MIN(room, sizeof buf));
    if (n > 0) {
        size_t len = f->filter ? f->filter(f, buf, (size_t) n) : (size_t) n;
        if (len)
            c->fe->receive(c->fe_opaque, buf, len);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        other_side_gone(f);
    }
    exec_leave(&c->vm->main);
}

static void writable(void *opaque, GIOCondition cond)
{
    struct fd_chardev *f = opaque;
    struct chardev *c = &f->chr;

    (void) cond;
    exec_enter(&c->vm->main);
    f->blocked = false;
    bh_schedule(&f->update);
    if (c->fe && c->fe->writable)
        c->fe->writable(c->fe_opaque);
    exec_leave(&c->vm->main);
}

/* Bring the watches in line with what is wanted: main thread, under the lock. */
static void update(void *opaque)
{
    struct fd_chardev *f = opaque;
    struct chardev *c = &f->chr;

    if (f->broken) {
        f->broken = f->blocked = false;
        other_side_gone(f);
    }
    bool in = f->in >= 0 && !f->eof && c->fe && c->fe->can_receive(c->fe_opaque) > 0;
    if (in && !f->in_watch)
        f->in_watch = exec_add_fd(&c->vm->main, f->in, G_IO_IN, readable, f);
    else if (!in)
        exec_fd_remove(g_steal_pointer(&f->in_watch));
    bool out = f->out >= 0 && f->blocked;
    if (out && !f->out_watch)
        f->out_watch = exec_add_fd(&c->vm->main, f->out, G_IO_OUT, writable, f);
    else if (!out)
        exec_fd_remove(g_steal_pointer(&f->out_watch));
}

void fdc_init(struct fd_chardev *f, struct vm *vm, const struct chardev_ops *ops,
              const struct chardev_config *cfg, char *filename)
{
    chardev_setup(&f->chr, vm, ops, cfg, filename);
    f->in = f->out = -1;
    bh_init(&f->update, vm, update, f);
}

void fdc_start(struct fd_chardev *f, int in, int out, bool is_socket)
{
    f->in = in;
    f->out = out;
    f->is_socket = is_socket;
    f->eof = f->blocked = f->broken = false;
    bh_schedule(&f->update);
    chardev_set_open(&f->chr, true);
}

void fdc_stop(struct fd_chardev *f)
{
    exec_fd_remove(g_steal_pointer(&f->in_watch));
    exec_fd_remove(g_steal_pointer(&f->out_watch));
    close_both(f);
    f->blocked = false;
}

size_t fdc_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct fd_chardev *f = container_of(c, struct fd_chardev, chr);
    size_t done = 0;

    while (done < len) {
        if (f->out < 0 || !c->open || f->broken)
            return len; /* nobody is listening */
        ssize_t n = f->is_socket ? send(f->out, buf + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT)
                                 : write(f->out, buf + done, len - done);
        if (n >= 0) {
            done += (size_t) n;
        } else if (errno == EAGAIN) {
            f->blocked = true;
            bh_schedule(&f->update);
            return done;
        } else if (errno != EINTR) {
            if (!f->gone && !f->warned) {
                warn_user("chardev '%s': cannot write: %s", c->id, g_strerror(errno));
                f->warned = true;
            } else if (f->gone) {
                f->broken = true;
                bh_schedule(&f->update);
            }
            return len;
        }
    }
    return done;
}

void fdc_accept(struct chardev *c)
{
    struct fd_chardev *f = container_of(c, struct fd_chardev, chr);

    if (!f->in_watch)
        bh_schedule(&f->update);
}

void fdc_set_fe(struct chardev *c)
{
    bh_schedule(&container_of(c, struct fd_chardev, chr)->update);
}

void fdc_free(struct chardev *c)
{
    struct fd_chardev *f = container_of(c, struct fd_chardev, chr);

    bh_cancel(&f->update);
    fdc_stop(f);
    g_free(f);
}

const struct chardev_ops fdc_ops = {
    .write = fdc_write, .accept = fdc_accept, .set_fe = fdc_set_fe, .free = fdc_free
};

/* --- timers of the host: reconnecting, looking at a pty ------------------------------------------- */

GSource *main_timer(struct vm *vm, unsigned ms, GSourceFunc fn, void *opaque)
{
    GSource *s = g_timeout_source_new(ms);

    g_source_set_callback(s, fn, opaque, NULL);
    g_source_attach(s, vm->main.ctx);
    return s;
}

void main_timer_stop(GSource **timer)
{
    if (!*timer)
        return;
    g_source_destroy(*timer);
    g_source_unref(*timer);
    *timer = NULL;
}
