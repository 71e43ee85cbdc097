/* vmm/net/sockets.c - addresses of the socket backends: resolving, binding, connecting. */
#include "vmm/net/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_MS = 10000 };

static const size_t max_path = sizeof(((struct sockaddr_un *) 0)->sun_path) - 2;

bool netaddr_check(const struct netaddr *a, const char *what, const char *prefix, GError **err)
{
    int fd;

    switch (a->kind) {
    case NETADDR_INET:
        if (!a->port)
            return fail(err, "%s: %s.port is missing", what, prefix);
        if (a->path || a->str)
            return fail(err, "%s: %s.path and %s.str don't go with %s.type=inet", what, prefix, prefix, prefix);
        return true;
    case NETADDR_UNIX:
        if (!a->path || !*a->path || strlen(a->path) > max_path)
            return fail(err, "%s: %s.path: a unix socket's path has 1 to %zu characters", what, prefix, max_path);
        if (a->host || a->port || a->str)
            return fail(err, "%s: %s.host, %s.port and %s.str don't go with %s.type=unix", what, prefix, prefix,
                        prefix, prefix);
        return true;
    case NETADDR_FD:
        if (!a->str)
            return fail(err, "%s: %s.str is missing: the number of the descriptor", what, prefix);
        if (a->host || a->port || a->path)
            return fail(err, "%s: %s.host, %s.port and %s.path don't go with %s.type=fd", what, prefix, prefix,
                        prefix, prefix);
        return parse_fd(a->str, &fd, what, err);
    default:
        return fail(err, "%s: %s.type is missing: inet, unix or fd", what, prefix);
    }
}

bool netaddr_parse(struct netaddr *a, const char *text, const char *what, const char *key, GError **err)
{
    const char *bracket = *text == '[' ? strchr(text, ']') : NULL;
    const char *colon = strchr(bracket ? bracket : text, ':');

    *a = (struct netaddr){ .kind = NETADDR_INET };
    if (!colon || !colon[1] || (bracket && colon != bracket + 1) || (!bracket && strchr(colon + 1, ':')))
        return fail(err, "%s: %s: '%s': write HOST:PORT, [IPV6]:PORT or :PORT", what, key, text);
    if (bracket)
        a->host = g_strndup(text + 1, (size_t) (bracket - text - 1));
    else if (colon != text)
        a->host = g_strndup(text, (size_t) (colon - text));
    a->port = g_strdup(colon + 1);
    return true;
}

void netaddr_clear(struct netaddr *a)
{
    g_clear_pointer(&a->host, g_free);
    g_clear_pointer(&a->port, g_free);
    g_clear_pointer(&a->path, g_free);
    g_clear_pointer(&a->str, g_free);
}

static void resolve_unix(struct netsock *s, const struct netaddr *a)
{
    struct sockaddr_un *un = (struct sockaddr_un *) &s->addr[0];
    size_t len = strlen(a->path);

    un->sun_family = AF_UNIX;
    memcpy(un->sun_path + a->abstract, a->path, MIN(len, max_path));
    s->len[0] = a->abstract && a->tight ? (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + len) : sizeof *un;
    s->n = 1;
    s->file = !a->abstract;
    s->path = s->file ? g_canonicalize_filename(a->path, NULL) : NULL;
    s->text = g_strdup_printf("unix:%s%s", a->abstract ? "@" : "", a->path);
}

bool netsock_resolve(struct netsock *s, const struct netaddr *a, int type, bool passive, const char *what,
                     GError **err)
{
    struct addrinfo hints = { .ai_socktype = type,
                              .ai_flags = (passive ? AI_PASSIVE : 0) | (a->numeric ? AI_NUMERICHOST : 0),
                              .ai_family = a->ipv4 == a->ipv6 ? AF_UNSPEC : a->ipv4 ? AF_INET : AF_INET6 };
    const char *host = a->host && *a->host ? a->host : passive ? NULL : "localhost";
    struct addrinfo *list;

    *s = (struct netsock){ .to = a->to };
    if (a->kind == NETADDR_UNIX) {
        resolve_unix(s, a);
        return true;
    }
    int e = getaddrinfo(host, a->port, &hints, &list);
    if (e)
        return fail(err, "%s: cannot resolve '%s:%s': %s", what, host ? host : "", a->port, gai_strerror(e));
    for (struct addrinfo *i = list; i && s->n < G_N_ELEMENTS(s->addr); i = i->ai_next) {
        memcpy(&s->addr[s->n], i->ai_addr, i->ai_addrlen);
        s->len[s->n++] = i->ai_addrlen;
    }
    freeaddrinfo(list);
    s->text = sockaddr_text(&s->addr[0], s->len[0]);
    return true;
}

void netsock_clear(struct netsock *s)
{
    g_clear_pointer(&s->path, g_free);
    g_clear_pointer(&s->text, g_free);
}

char *sockaddr_text(const struct sockaddr_storage *a, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (a->ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *) a;
        bool named = len > offsetof(struct sockaddr_un, sun_path);
        return g_strdup_printf("unix:%s%s", named && !un->sun_path[0] ? "@" : "",
                               !named ? "" : un->sun_path + !un->sun_path[0]);
    }
    if (getnameinfo((const struct sockaddr *) a, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return g_strdup("?");
    return g_strdup_printf(a->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* A socket file that a process left behind is replaced; one that somebody has, or another file, is not. */
static bool clear_path(const struct netsock *s, int type, const char *what, GError **err)
{
    struct stat st;

    if (lstat(s->path, &st) < 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return fail(err, "%s: '%s' exists and is no socket", what, s->path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *) &s->addr[0], s->len[0]) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    if (alive)
        return fail(err, "%s: another process has the socket '%s'", what, s->path);
    unlink(s->path);
    return true;
}

static uint16_t *port_at(struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET    ? &((struct sockaddr_in *) a)->sin_port
           : a->ss_family == AF_INET6 ? &((struct sockaddr_in6 *) a)->sin6_port
                                      : NULL;
}

static int bind_one(const struct sockaddr_storage *a, socklen_t len, int type)
{
    int on = 1, fd = socket(a->ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *) a, len) == 0 && (type != SOCK_STREAM || listen(fd, 1) == 0))
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

int netsock_bind(struct netsock *s, int type, const char *what, GError **err)
{
    int fd = -1;

    if (s->file && !clear_path(s, type, what, err))
        return -1;
    for (unsigned i = 0; i < s->n && fd < 0; i++) {
        uint16_t *at = port_at(&s->addr[i]);
        unsigned port = at ? ntohs(*at) : 0;
        do {
            if (at)
                *at = htons((uint16_t) port);
            fd = bind_one(&s->addr[i], s->len[i], type);
        } while (fd < 0 && errno == EADDRINUSE && port && port++ < s->to);
    }
    if (fd < 0) {
        fail(err, "%s: cannot %s '%s': %s", what, type == SOCK_STREAM ? "listen on" : "bind to", s->text,
             g_strerror(errno));
        return -1;
    }
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (!s->path && getsockname(fd, (struct sockaddr *) &a, &len) == 0) { /* the port may have been chosen just now */
        g_free(s->text);
        s->text = sockaddr_text(&a, len);
    }
    return fd;
}

int netsock_connect(struct netsock *s, const char *what, GError **err)
{
    int why = 0;

    for (unsigned i = 0; i < s->n; i++) {
        int fd = socket(s->addr[i].ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t len = sizeof why;
        if (fd < 0) {
            why = errno;
            continue;
        }
        why = connect(fd, (const struct sockaddr *) &s->addr[i], s->len[i]) == 0 ? 0 : errno;
        if (why == EINPROGRESS) {
            struct pollfd pfd = { .fd = fd, .events = POLLOUT };
            if (poll(&pfd, 1, CONNECT_MS) == 1)
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len);
            else
                why = ETIMEDOUT;
        }
        if (!why)
            return fd;
        close(fd);
    }
    fail(err, "%s: cannot connect to '%s': %s", what, s->text, g_strerror(why));
    return -1;
}

bool parse_fd(const char *text, int *fd, const char *what, GError **err)
{
    uint64_t v;

    if (!g_ascii_isdigit(*text))
        return fail(err, "%s: fd: '%s' is no number; passing descriptors by name is not built", what, text);
    if (!parse_u64("fd", text, 0, INT32_MAX, &v, err))
        return fail_prefix(err, "%s", what);
    *fd = (int) v;
    return true;
}

int netsock_fd(const char *text, int want, int *type, const char *what, GError **err)
{
    socklen_t len = sizeof *type;
    int fd;

    if (!parse_fd(text, &fd, what, err))
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, type, &len) < 0) {
        fail(err, "%s: descriptor %d %s", what, fd, errno == EBADF ? "is not open" : "is no socket");
        return -1;
    }
    if (want && *type != want) {
        fail(err, "%s: descriptor %d is not a %s socket", what, fd, want == SOCK_STREAM ? "stream" : "datagram");
        return -1;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

struct exec_timer *net_timer(struct exec *e, unsigned ms, void (*fn)(void *opaque), void *opaque)
{
    struct exec_timer *t = exec_timer_new(e, fn, opaque);

    exec_timer_at(t, g_get_monotonic_time() * NS_PER_US + (int64_t) ms * NS_PER_MS);
    return t;
}

void net_timer_stop(struct exec_timer **timer)
{
    exec_timer_free(*timer);
    *timer = NULL;
}
