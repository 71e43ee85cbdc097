/* vmm/char/stdio.c - the terminal (or pipes) that the VMM was started on.
 *
 * A terminal is put into raw mode while the VMM runs in the foreground, and back when it ends, is suspended,
 * or dies by a signal that its handler tells us of.  The process has one terminal, so what it was like is
 * process-wide: the one piece of state here that is not a chardev's. */
#include "vmm/char/backend_impl.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

static struct {
    volatile sig_atomic_t active; /* 1: `was` must be put back */
    struct termios was, raw;
    struct sigaction old_cont, old_tstp;
} term;

void chardev_restore_terminal(void)
{
    if (term.active)
        tcsetattr(STDIN_FILENO, TCSANOW, &term.was);
}

static bool in_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void on_cont(int sig)
{
    int saved = errno;

    (void) sig;
    if (term.active && in_foreground())
        tcsetattr(STDIN_FILENO, TCSANOW, &term.raw);
    errno = saved;
}

static void on_tstp(int sig)
{
    int saved = errno;

    (void) sig;
    chardev_restore_terminal();
    kill(getpid(), SIGSTOP);
    errno = saved;
}

static void raw_mode(bool signals)
{
    if (tcgetattr(STDIN_FILENO, &term.was) < 0)
        return;
    term.raw = term.was;
    term.raw.c_iflag &= ~(tcflag_t) (IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    term.raw.c_oflag |= OPOST;
    term.raw.c_lflag &= ~(tcflag_t) (ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals)
        term.raw.c_lflag &= ~(tcflag_t) ISIG;
    term.raw.c_cflag = (term.raw.c_cflag & ~(tcflag_t) (CSIZE | PARENB)) | CS8;
    term.raw.c_cc[VMIN] = 1;
    term.raw.c_cc[VTIME] = 0;
    term.active = 1;
    sigaction(SIGCONT, &(struct sigaction){ .sa_handler = on_cont, .sa_flags = SA_RESTART }, &term.old_cont);
    sigaction(SIGTSTP, &(struct sigaction){ .sa_handler = on_tstp, .sa_flags = SA_RESTART }, &term.old_tstp);
    if (in_foreground())
        tcsetattr(STDIN_FILENO, TCSANOW, &term.raw);
}

static void cooked_mode(void)
{
    if (!term.active)
        return;
    if (in_foreground())
        chardev_restore_terminal();
    term.active = 0;
    sigaction(SIGCONT, &term.old_cont, NULL);
    sigaction(SIGTSTP, &term.old_tstp, NULL);
}

/* O_NONBLOCK belongs to the open file, which we share with the shell and with stderr: so a terminal or a pipe
 * is opened anew.  A regular file or /dev/null never blocks; a socket is sent to without waiting. */
static int private_stdout(bool *is_socket)
{
    struct stat st;

    *is_socket = false;
    if (fstat(STDOUT_FILENO, &st) < 0)
        return -1;
    *is_socket = S_ISSOCK(st.st_mode);
    if (S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)) {
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        if (fd >= 0)
            chr_set_nonblocking(fd); /* shared after all; better than blocking the guest */
        return fd;
    }
    return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

/* --- the terminal's size ----------------------------------------------------------------------------- */

struct stdio_chardev {
    struct fd_chardev f; /* first */
    GSource *winch;      /* NULL: no terminal */
};

static void read_size(struct chardev *c)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    c->cols = size.ws_col;
    c->rows = size.ws_row;
}

static gboolean resized(void *opaque)
{
    struct chardev *c = opaque;

    exec_enter(&c->vm->main);
    read_size(c);
    if (c->fe && c->fe->event)
        c->fe->event(c->fe_opaque, CHARDEV_RESIZED);
    exec_leave(&c->vm->main);
    return G_SOURCE_CONTINUE;
}

static void watch_size(struct stdio_chardev *s)
{
    read_size(&s->f.chr);
    s->winch = g_unix_signal_source_new(SIGWINCH);
    g_source_set_callback(s->winch, resized, &s->f.chr, NULL);
    g_source_attach(s->winch, s->f.chr.vm->main.ctx);
}

static void stdio_free(struct chardev *c)
{
    struct stdio_chardev *s = container_of(c, struct stdio_chardev, f.chr);

    if (s->winch) {
        g_source_destroy(s->winch);
        g_source_unref(s->winch);
    }
    cooked_mode();
    fdc_free(c);
}

static const struct chardev_ops stdio_ops = {
    .write = fdc_write, .accept = fdc_accept, .set_fe = fdc_set_fe, .free = stdio_free
};

struct chardev *chr_stdio_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    bool is_socket;
    int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), out = private_stdout(&is_socket);

    if (out < 0) {
        fail(err, "chardev '%s': stdout is closed", cfg->id);
        if (in >= 0)
            close(in);
        return NULL;
    }
    if (term.active) {
        fail(err, "chardev '%s': stdio is already in use", cfg->id);
        close(in);
        close(out);
        return NULL;
    }
    fflush(stdout);
    if (isatty(STDIN_FILENO))
        raw_mode(cfg->signal);
    struct stdio_chardev *s = g_new0(struct stdio_chardev, 1);
    fdc_init(&s->f, vm, &stdio_ops, cfg, g_strdup("stdio"));
    if (isatty(STDIN_FILENO))
        watch_size(s);
    fdc_start(&s->f, in, out, is_socket);
    return &s->f.chr;
}
