/* vmm/char/socket.c - chardevs on stream sockets: unix or TCP, client or server, plain or telnet (RFC 854).
 *
 * A server has one client at a time; others wait in the kernel's queue until it has gone.  Names are resolved
 * once, when the chardev is opened. */
#include "vmm/char/backend_impl.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { CONNECT_MS = 10000, BACKLOG = 4 };
/* RFC 854, 856, 857, 858 */
enum { IAC = 255, DONT = 254, WILL = 251, DO = 253, SB = 250, BRK = 243, SE = 240 };
enum { OPT_BINARY = 0, OPT_ECHO = 1, OPT_SGA = 3 };
enum telnet_state { TEL_DATA, TEL_IAC, TEL_OPTION, TEL_SUB, TEL_SUB_IAC };

struct socket_chardev {
    struct fd_chardev f;
    char *where;               /* "unix:/tmp/x", "tcp:localhost:4444" */
    struct sockaddr_storage addr[8]; /* candidates */
    socklen_t addr_len[8];
    unsigned n_addr;
    bool server, telnet, nodelay;
    unsigned reconnect;        /* seconds */
    int listen_fd, connect_fd; /* -1: not now */
    char *unlink_path;         /* of our own socket file; absolute: -daemonize leaves the directory */
    struct exec_fd *listen_watch, *connect_watch;
    unsigned connect_addr;     /* which one is being tried */
    GSource *timer;
    enum telnet_state tel;
    bool half;                 /* one IAC of a pair is still to be written */
};

static void try_connect(struct socket_chardev *s);

/* --- addresses --------------------------------------------------------------------------------------- */

static void unix_address(struct socket_chardev *s, const struct chardev_config *cfg)
{
    struct sockaddr_un *un = (struct sockaddr_un *) &s->addr[0];
    size_t len = strlen(cfg->path);

    un->sun_family = AF_UNIX;
    memcpy(un->sun_path + cfg->abstract, cfg->path, MIN(len, sizeof un->sun_path - 1 - cfg->abstract));
    s->addr_len[0] = cfg->abstract && cfg->tight
                         ? (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + len)
                         : sizeof *un;
    s->n_addr = 1;
    s->where = g_strdup_printf("unix:%s%s", cfg->abstract ? "@" : "", cfg->path);
}

static bool tcp_addresses(struct socket_chardev *s, const struct chardev_config *cfg, GError **err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = cfg->server ? AI_PASSIVE : 0,
                              .ai_family = cfg->ipv4 == cfg->ipv6 ? AF_UNSPEC
                                           : cfg->ipv4            ? AF_INET
                                                                  : AF_INET6 };
    const char *host = cfg->host && *cfg->host ? cfg->host : cfg->server ? NULL : "localhost";
    struct addrinfo *list;
    int e = getaddrinfo(host, cfg->port, &hints, &list);

    if (e)
        return fail(err, "chardev '%s': cannot resolve '%s:%s': %s", cfg->id, host ? host : "", cfg->port,
                    gai_strerror(e));
    for (struct addrinfo *a = list; a && s->n_addr < G_N_ELEMENTS(s->addr); a = a->ai_next) {
        memcpy(&s->addr[s->n_addr], a->ai_addr, a->ai_addrlen);
        s->addr_len[s->n_addr++] = a->ai_addrlen;
    }
    freeaddrinfo(list);
    s->where = g_strdup_printf("%s:%s:%s", cfg->telnet ? "telnet" : "tcp", host ? host : "", cfg->port);
    return true;
}

static void set_filename(struct socket_chardev *s, bool connected)
{
    g_free(s->f.chr.filename);
    s->f.chr.filename =
        g_strdup_printf("%s%s%s", connected ? "" : "disconnected:", s->where, s->server ? ",server=on" : "");
}

/* --- telnet ------------------------------------------------------------------------------------------- */

static void telnet_hello(int fd)
{
    static const uint8_t hello[] = { IAC, WILL, OPT_ECHO,   IAC, WILL, OPT_SGA,
                                     IAC, WILL, OPT_BINARY, IAC, DO,   OPT_BINARY };

    if (send(fd, hello, sizeof hello, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* gone already: reading will tell */
}

static size_t telnet_filter(struct fd_chardev *f, uint8_t *buf, size_t len)
{
    struct socket_chardev *s = container_of(f, struct socket_chardev, f);
    struct chardev *c = &f->chr;
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t b = buf[i];
        switch (s->tel) {
        case TEL_DATA:
            if (b == IAC)
                s->tel = TEL_IAC;
            else
                buf[out++] = b;
            break;
        case TEL_IAC:
            s->tel = b >= WILL && b <= DONT ? TEL_OPTION : b == SB ? TEL_SUB : TEL_DATA;
            if (b == IAC)
                buf[out++] = b;
            else if (b == BRK && c->fe && c->fe->event)
                c->fe->event(c->fe_opaque, CHARDEV_BREAK);
            break;
        case TEL_OPTION: s->tel = TEL_DATA; break; /* we said what we do; answers change nothing */
        case TEL_SUB:
            if (b == IAC)
                s->tel = TEL_SUB_IAC;
            break;
        case TEL_SUB_IAC: s->tel = b == SE ? TEL_DATA : TEL_SUB; break;
        }
    }
    return out;
}

/* What is written goes out with IAC doubled; the bytes of the caller that went are counted. */
static size_t socket_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct socket_chardev *s = container_of(c, struct socket_chardev, f.chr);
    static const uint8_t twice[] = { IAC, IAC };
    size_t done = 0;

    if (!s->telnet)
        return fdc_write(c, buf, len);
    while (done < len) {
        if (s->half && fdc_write(c, twice, 1) == 0)
            break;
        s->half = false;
        const uint8_t *iac = memchr(buf + done, IAC, len - done);
        size_t plain = iac ? (size_t) (iac - buf) - done : len - done;
        size_t n = plain ? fdc_write(c, buf + done, plain) : 0;
        done += n;
        if (n < plain)
            break;
        if (iac) {
            n = fdc_write(c, twice, 2);
            if (n == 0)
                break;
            s->half = n == 1;
            done++;
        }
    }
    return done;
}

/* --- connections --------------------------------------------------------------------------------------- */

static void connected(struct socket_chardev *s, int fd)
{
    int on = 1;

    if (s->addr[0].ss_family != AF_UNIX && (s->nodelay || s->telnet))
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    chr_set_nonblocking(fd);
    s->tel = TEL_DATA;
    s->half = false;
    if (s->telnet)
        telnet_hello(fd);
    set_filename(s, true);
    fdc_start(&s->f, fd, fd, true);
}

static void incoming(void *opaque, GIOCondition cond)
{
    struct socket_chardev *s = opaque;

    (void) cond;
    exec_enter(&s->f.chr.vm->main);
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        exec_fd_remove(g_steal_pointer(&s->listen_watch));
        connected(s, fd);
    }
    exec_leave(&s->f.chr.vm->main);
}

static void listen_on(struct socket_chardev *s)
{
    if (!s->listen_watch)
        s->listen_watch = exec_add_fd(&s->f.chr.vm->main, s->listen_fd, G_IO_IN, incoming, s);
}

static gboolean reconnect(gpointer opaque)
{
    struct socket_chardev *s = opaque;

    exec_enter(&s->f.chr.vm->main);
    main_timer_stop(&s->timer);
    s->connect_addr = 0;
    try_connect(s);
    exec_leave(&s->f.chr.vm->main);
    return G_SOURCE_REMOVE;
}

static void disconnected(struct fd_chardev *f)
{
    struct socket_chardev *s = container_of(f, struct socket_chardev, f);

    fdc_stop(f);
    set_filename(s, false);
    if (s->server)
        listen_on(s);
    else if (s->reconnect && !s->timer)
        s->timer = main_timer(f->chr.vm, s->reconnect * 1000, reconnect, s);
}

static void connect_done(void *opaque, GIOCondition cond)
{
    struct socket_chardev *s = opaque;
    int e = 0;
    socklen_t len = sizeof e;

    (void) cond;
    exec_enter(&s->f.chr.vm->main);
    exec_fd_remove(g_steal_pointer(&s->connect_watch));
    int fd = s->connect_fd;
    s->connect_fd = -1;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len);
    if (!e) {
        connected(s, fd);
    } else {
        close(fd);
        s->connect_addr++;
        try_connect(s);
    }
    exec_leave(&s->f.chr.vm->main);
}

/* Start a connection to the next address; after the last one the timer waits for another round. */
static void try_connect(struct socket_chardev *s)
{
    for (; s->connect_addr < s->n_addr; s->connect_addr++) {
        unsigned i = s->connect_addr;
        int fd = socket(s->addr[i].ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            continue;
        if (connect(fd, (struct sockaddr *) &s->addr[i], s->addr_len[i]) == 0) {
            connected(s, fd);
            return;
        }
        if (errno == EINPROGRESS) {
            s->connect_fd = fd;
            s->connect_watch = exec_add_fd(&s->f.chr.vm->main, fd, G_IO_OUT, connect_done, s);
            return;
        }
        close(fd);
    }
    if (!s->timer)
        s->timer = main_timer(s->f.chr.vm, s->reconnect * 1000, reconnect, s);
}

/* --- opening ------------------------------------------------------------------------------------------- */

/* The first connection of a client without reconnect=: it must succeed. */
static bool connect_now(struct socket_chardev *s, GError **err)
{
    int why = 0;

    for (unsigned i = 0; i < s->n_addr; i++) {
        int fd = socket(s->addr[i].ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t len = sizeof why;
        if (fd < 0) {
            why = errno;
            continue;
        }
        why = connect(fd, (struct sockaddr *) &s->addr[i], s->addr_len[i]) == 0 ? 0 : errno;
        if (why == EINPROGRESS) {
            struct pollfd pfd = { .fd = fd, .events = POLLOUT };
            if (poll(&pfd, 1, CONNECT_MS) == 1)
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len);
            else
                why = ETIMEDOUT;
        }
        if (!why) {
            connected(s, fd);
            return true;
        }
        close(fd);
    }
    return fail(err, "chardev '%s': cannot connect to '%s': %s", s->f.chr.id, s->where, g_strerror(why));
}

static void set_port(struct sockaddr_storage *a, unsigned port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *) a)->sin_port = htons((uint16_t) port);
    else
        ((struct sockaddr_in6 *) a)->sin6_port = htons((uint16_t) port);
}

static unsigned get_port(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET ? ((const struct sockaddr_in *) a)->sin_port
                                         : ((const struct sockaddr_in6 *) a)->sin6_port);
}

static int bind_one(const struct sockaddr_storage *a, socklen_t len)
{
    int on = 1, fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *) a, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

/* A socket file that a process left behind is replaced; one that somebody answers on, or another file, is
 * not. */
static bool clear_path(const struct socket_chardev *s, const char *path, GError **err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return fail(err, "chardev '%s': '%s' exists and is no socket", s->f.chr.id, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd >= 0 &&
                 (connect(fd, (const struct sockaddr *) &s->addr[0], s->addr_len[0]) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    if (alive)
        return fail(err, "chardev '%s': another process listens on '%s'", s->f.chr.id, path);
    unlink(path);
    return true;
}

static bool start_server(struct socket_chardev *s, const struct chardev_config *cfg, GError **err)
{
    bool is_file = cfg->path && !cfg->abstract;

    if (is_file && !clear_path(s, cfg->path, err))
        return false;
    for (unsigned i = 0; i < s->n_addr && s->listen_fd < 0; i++) {
        unsigned port = cfg->path ? 0 : get_port(&s->addr[i]);
        do {
            if (!cfg->path)
                set_port(&s->addr[i], port);
            s->listen_fd = bind_one(&s->addr[i], s->addr_len[i]);
        } while (s->listen_fd < 0 && errno == EADDRINUSE && port && port++ < cfg->to);
    }
    if (s->listen_fd < 0)
        return fail(err, "chardev '%s': cannot listen on '%s': %s", cfg->id, s->where, g_strerror(errno));
    if (is_file)
        s->unlink_path = g_canonicalize_filename(cfg->path, NULL);
    if (!cfg->path) { /* the port may have been chosen just now */
        struct sockaddr_storage a;
        socklen_t len = sizeof a;
        getsockname(s->listen_fd, (struct sockaddr *) &a, &len);
        g_free(s->where);
        s->where = g_strdup_printf("%s:%s:%u", s->telnet ? "telnet" : "tcp", cfg->host ? cfg->host : "",
                                   get_port(&a));
    }
    set_filename(s, false);
    return true;
}

static bool wait_for_client(struct socket_chardev *s, GError **err)
{
    struct pollfd pfd = { .fd = s->listen_fd, .events = POLLIN };

    fprintf(stderr, "bantam: waiting for a connection to %s\n", s->where);
    for (;;) {
        if (poll(&pfd, 1, -1) < 0)
            return fail(err, "chardev '%s': waiting for a connection to '%s' was interrupted", s->f.chr.id,
                        s->where);
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            connected(s, fd);
            return true;
        }
    }
}

static void socket_free(struct chardev *c)
{
    struct socket_chardev *s = container_of(c, struct socket_chardev, f.chr);

    main_timer_stop(&s->timer);
    exec_fd_remove(s->listen_watch);
    exec_fd_remove(s->connect_watch);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->connect_fd >= 0)
        close(s->connect_fd);
    if (s->unlink_path)
        unlink(s->unlink_path);
    g_free(s->unlink_path);
    g_free(s->where);
    fdc_free(c);
}

static const struct chardev_ops socket_ops = {
    .write = socket_write, .accept = fdc_accept, .set_fe = fdc_set_fe, .free = socket_free
};

struct chardev *chr_socket_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    struct socket_chardev *s = g_new0(struct socket_chardev, 1);
    bool ok = true;

    fdc_init(&s->f, vm, &socket_ops, cfg, NULL);
    s->listen_fd = s->connect_fd = -1;
    s->server = cfg->server;
    s->telnet = cfg->telnet;
    s->nodelay = cfg->nodelay;
    s->reconnect = cfg->reconnect;
    s->f.gone = disconnected;
    s->f.filter = cfg->telnet ? telnet_filter : NULL;
    if (cfg->path)
        unix_address(s, cfg);
    else
        ok = tcp_addresses(s, cfg, err);
    if (ok && cfg->server) {
        ok = start_server(s, cfg, err);
        if (ok && cfg->wait)
            ok = wait_for_client(s, err);
        else if (ok)
            listen_on(s);
    } else if (ok) {
        set_filename(s, false);
        if (cfg->reconnect)
            try_connect(s);
        else
            ok = connect_now(s, err);
    }
    if (ok)
        return &s->f.chr;
    g_free(s->f.chr.filename);
    g_free(s->f.chr.id);
    socket_free(&s->f.chr);
    return NULL;
}
