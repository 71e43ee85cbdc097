/* vmm/char/pty.c - a pseudo terminal: programs such as screen or minicom open its other end.
 *
 * While nobody has the other end open, output is swallowed and the master reports a hang-up; there is no
 * event for its being opened, so that it is looked at four times a second. */
#include "vmm/char/backend_impl.h"

#include <poll.h>
#include <stdlib.h>
#include <termios.h>

enum { LOOK_MS = 250 };

struct pty {
    struct fd_chardev f;
    int master;
    GSource *timer;
};

static gboolean look(gpointer opaque)
{
    struct pty *p = opaque;
    struct pollfd pfd = { .fd = p->master, .events = POLLIN };

    if (poll(&pfd, 1, 0) < 0 || (pfd.revents & POLLHUP))
        return G_SOURCE_CONTINUE;
    exec_enter(&p->f.chr.vm->main);
    main_timer_stop(&p->timer);
    int fd = fcntl(p->master, F_DUPFD_CLOEXEC, 3);
    fdc_start(&p->f, fd, fd, false);
    exec_leave(&p->f.chr.vm->main);
    return G_SOURCE_REMOVE;
}

static void closed(struct fd_chardev *f)
{
    struct pty *p = container_of(f, struct pty, f);

    fdc_stop(f);
    p->timer = main_timer(f->chr.vm, LOOK_MS, look, p);
}

static void pty_free(struct chardev *c)
{
    struct pty *p = container_of(c, struct pty, f.chr);

    main_timer_stop(&p->timer);
    close(p->master);
    fdc_free(c);
}

static const struct chardev_ops pty_ops = {
    .write = fdc_write, .accept = fdc_accept, .set_fe = fdc_set_fe, .free = pty_free
};

struct chardev *chr_pty_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[128];

    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
        ptsname_r(master, name, sizeof name) != 0) {
        fail(err, "chardev '%s': cannot make a pseudo terminal: %s", cfg->id, g_strerror(errno));
        if (master >= 0)
            close(master);
        return NULL;
    }
    int slave = open(name, O_RDWR | O_NOCTTY |
                               O_CLOEXEC); /* opened and closed once: from then on a hang-up is reported */
    struct termios t;
    if (slave >= 0 && tcgetattr(slave, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(slave, TCSAFLUSH, &t);
    }
    if (slave >= 0)
        close(slave);
    chr_set_nonblocking(master);
    struct pty *p = g_new0(struct pty, 1);
    fdc_init(&p->f, vm, &pty_ops, cfg, g_strdup_printf("pty:%s", name));
    p->master = master;
    p->f.gone = closed;
    p->timer = main_timer(vm, LOOK_MS, look, p);
    printf("char device redirected to %s (label %s)\n", name, cfg->id);
    fflush(stdout);
    return &p->f.chr;
}
