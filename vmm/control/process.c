/* vmm/control/process.c - signals, pid file, daemon, privileges. */
#include "vmm/control/process.h"
#include "vmm/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- daemon --------------------------------------------------------------------------------------- */

/* The parent waits until the machine stands, so that a script which starts one knows how it went. */
static void wait_for_child(int fd, pid_t child)
{
    char code;
    int status;

    if (read(fd, &code, 1) == 1)
        _exit(EXIT_OK);
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    _exit(EXIT_USER);
}

static bool fork_daemon(struct process *p, GError **err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return fail(err, "-daemonize: cannot make a pipe: %s", g_strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return fail(err, "-daemonize: cannot fork: %s", g_strerror(errno));
    if (child > 0) {
        close(fds[1]);
        wait_for_child(fds[0], child);
    }
    close(fds[0]);
    setsid();
    p->ready_pipe = fds[1];
    return true;
}

static bool leave_terminal(struct process *p, GError **err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || chdir("/") < 0)
        return fail(err, "-daemonize: %s", g_strerror(errno));
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    close(null);
    if (write(p->ready_pipe, "", 1) != 1)
        return fail(err, "-daemonize: the parent is gone");
    close(p->ready_pipe);
    p->ready_pipe = -1;
    return true;
}

/* --- pid file, privileges ---------------------------------------------------------------------------- */

static bool write_pidfile(struct process *p, const char *path, GError **err)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fd < 0)
        return fail(err, "-pidfile: cannot write '%s': %s", path, g_strerror(errno));
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) { /* held until we end: fd stays open */
        close(fd);
        return fail(err, "-pidfile: '%s' is held by another process", path);
    }
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long) getpid()) < 0) {
        close(fd);
        return fail(err, "-pidfile: cannot write '%s': %s", path, g_strerror(errno));
    }
    p->pidfile = realpath(path, NULL);
    return true;
}

static bool drop_privileges(const struct options *o, GError **err)
{
    const struct passwd *pw = o->runas ? getpwnam(o->runas) : NULL;

    if (o->runas && !pw)
        return fail(err, "-runas: there is no user '%s'", o->runas);
    if (o->chroot_dir && (chroot(o->chroot_dir) < 0 || chdir("/") < 0))
        return fail(err, "-chroot: cannot change root to '%s': %s", o->chroot_dir, g_strerror(errno));
    if (pw && (initgroups(pw->pw_name, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0))
        return fail(err, "-runas: cannot become '%s': %s", o->runas, g_strerror(errno));
    return true;
}

/* --- signals ------------------------------------------------------------------------------------------ */

static void watched_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

static void signal_ready(void *opaque, GIOCondition cond)
{
    struct process *p = opaque;
    struct signalfd_siginfo si;

    (void) cond;
    if (read(p->signal_fd, &si, sizeof si) == sizeof si)
        vm_request_shutdown(p->machine->vm, CAUSE_HOST_SIGNAL);
}

bool process_begin(struct process *p, const struct options *o, GError **err)
{
    sigset_t set;

    *p = (struct process){ .opts = o, .signal_fd = -1, .ready_pipe = -1 };
    if (o->daemonize && !fork_daemon(p, err))
        return false;
    if (o->process_name)
        prctl(PR_SET_NAME, o->process_name);
    signal(SIGPIPE, SIG_IGN);
    watched_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return true;
}

bool process_ready(struct process *p, struct machine *m, GError **err)
{
    sigset_t set;

    p->machine = m;
    if (p->opts->pidfile && !write_pidfile(p, p->opts->pidfile, err))
        return false;
    if (!drop_privileges(p->opts, err) || (p->opts->daemonize && !leave_terminal(p, err)))
        return false;
    watched_signals(&set);
    p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->signal_fd < 0)
        return fail(err, "cannot watch signals: %s", g_strerror(errno));
    p->signal_watch = exec_add_fd(&m->vm->main, p->signal_fd, G_IO_IN, signal_ready, p);
    return true;
}

void process_unwatch(struct process *p)
{
    exec_fd_remove(p->signal_watch);
    p->signal_watch = NULL;
}

void process_end(struct process *p)
{
    if (p->signal_fd >= 0)
        close(p->signal_fd);
    if (p->ready_pipe >= 0)
        close(p->ready_pipe);
    if (p->pidfile)
        unlink(p->pidfile);
    free(p->pidfile);
}
