/* vmm/net/stream.c - `stream`, and `socket` with listen=, connect= or a stream's fd=: frames over a stream socket, each
 * with its length before it (32 bits, big-endian); passt and QEMU speak the same.
 *
 * One peer at a time; a server listens again when it has gone.  A length that no frame has ends the connection: there
 * is no way to find the next frame.  While the NIC does not take frames nothing is read; while the peer does not read,
 * at most what was begun is kept, and the NIC waits. */
#include "vmm/net/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { IN_SIZE = 256 << 10, OUT_SIZE = 256 << 10, GATHER = 64 << 10, SMALL = 4096, READS = 4 };

struct stream {
    struct netdev dev;
    struct net net;
    struct netsock sock;
    bool server;
    unsigned reconnect_ms;
    int listen_fd, connect_fd, fd; /* -1: not now */
    unsigned connect_addr;   /* which one is being tried */
    struct exec_fd *listen_watch, *connect_watch, *in_watch, *out_watch;
    struct exec_timer *timer;
    /* What came in is in[from..to); read and handed on by the exec's thread only. */
    uint8_t *in;
    size_t from, to;
    bool eof;
    /* What is to go out; under the VM lock in the main exec. */
    uint8_t *out;
    size_t out_from, out_to;
    bool blocked;            /* the socket took less than it was given */
    bool broken;             /* writing failed */
    bool warned;             /* of a length that no frame has */
};

static struct stream *stream_of(struct net *n)
{
    return container_of(n, struct stream, net);
}

static void try_connect(struct stream *s);

/* --- writing; as net_send() is called ------------------------------------------------------------- */

/* Bytes written; the rest could not be now.  -1: the peer is gone. */
static ssize_t put(struct stream *s, struct iovec *iov, unsigned niov)
{
    struct msghdr m = { .msg_iov = iov, .msg_iovlen = niov };
    ssize_t n;

    do {
        n = sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
        n = 0;
    return n;
}

static void gone(struct stream *s)
{
    s->broken = true; /* the exec's thread closes it */
    s->out_from = s->out_to = 0;
    s->blocked = false;
    net_kick(&s->net);
}

/* Write what is gathered; false: there is still some. */
static bool drain(struct stream *s)
{
    if (s->out_from < s->out_to) {
        ssize_t n = put(s, &(struct iovec){ s->out + s->out_from, s->out_to - s->out_from }, 1);
        if (n < 0) {
            gone(s);
            return true;
        }
        s->out_from += (size_t) n;
    }
    bool all = s->out_from == s->out_to;
    if (all)
        s->out_from = s->out_to = 0;
    if (s->blocked == all) {
        s->blocked = !all;
        net_kick(&s->net); /* the watch is the exec's thread's */
    }
    return all;
}

static void gather(struct stream *s, const struct iovec *iov, unsigned niov, size_t off, size_t len)
{
    s->out_to += iov_copy_out(iov, niov, off, s->out + s->out_to, len);
}

static enum net_result stream_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    struct stream *s = stream_of(n);
    struct iovec all[NET_MAX_IOV + 2];
    uint8_t head[4];

    if (s->fd < 0 || s->broken)
        return NET_DROPPED;
    if (s->blocked)
        return NET_BUSY;
    st_be32(head, (uint32_t) len);
    if ((more || s->out_to) && len <= SMALL && s->out_to + 4 + len <= GATHER) { /* one write for several */
        memcpy(s->out + s->out_to, head, 4);
        s->out_to += 4;
        gather(s, iov, niov, 0, len);
        if (!more)
            drain(s);
        return NET_TAKEN;
    }
    size_t before = s->out_to;
    all[0] = (struct iovec){ s->out, before };
    all[1] = (struct iovec){ head, 4 };
    memcpy(all + 2, iov, niov * sizeof *iov);
    /* The kernel takes 1024 parts at once; what is beyond is as if it had not been taken. */
    ssize_t r = put(s, all, MIN(niov + 2, NET_MAX_IOV));
    if (r < 0) {
        gone(s);
        return NET_DROPPED;
    }
    size_t done = (size_t) r;
    if (done == before + 4 + len) {
        s->out_to = 0;
        return NET_TAKEN;
    }
    /* The rest is kept: less than GATHER and one frame. */
    s->out_from = MIN(done, before);
    done -= s->out_from;
    if (done < 4) {
        memcpy(s->out + s->out_to, head + done, 4 - done);
        s->out_to += 4 - done;
        done = 4;
    }
    gather(s, iov, niov, done - 4, len - (done - 4));
    drain(s);
    return NET_TAKEN;
}

static void stream_flush(struct net *n)
{
    struct stream *s = stream_of(n);

    if (s->fd >= 0 && !s->broken && !s->blocked && s->out_to)
        drain(s);
}

/* --- the connection; exec's thread, no lock held ---------------------------------------------------- */

static void stop_watching(struct stream *s)
{
    exec_fd_remove(g_steal_pointer(&s->in_watch));
    exec_fd_remove(g_steal_pointer(&s->out_watch));
}

static void retry(void *opaque)
{
    struct stream *s = opaque;

    net_timer_stop(&s->timer);
    s->connect_addr = 0;
    try_connect(s);
}

static void incoming(void *opaque, GIOCondition cond);

static void wait_for_peer(struct stream *s)
{
    if (s->server && s->listen_fd >= 0 && !s->listen_watch)
        s->listen_watch = exec_add_fd(s->net.exec, s->listen_fd, G_IO_IN, incoming, s);
    else if (!s->server && s->reconnect_ms && !s->timer && s->connect_fd < 0)
        s->timer = net_timer(s->net.exec, s->reconnect_ms, retry, s);
}

static void disconnect(struct stream *s)
{
    stop_watching(s);
    exec_enter(s->net.exec);
    close(s->fd);
    s->fd = -1;
    s->out_from = s->out_to = s->from = s->to = 0;
    s->blocked = s->broken = s->eof = false;
    exec_leave(s->net.exec);
    wait_for_peer(s);
    net_writable(&s->net); /* to lose its frames */
}

/* Hand on the whole frames in `in`; false: the NIC does not take them now. */
static bool hand_on(struct stream *s)
{
    bool ok = true, begun = false;

    while (s->to - s->from >= 4) {
        uint32_t len = ld_be32(s->in + s->from);
        if (len > NET_MAX_FRAME) {
            if (!s->warned)
                warn_user("netdev '%s': the peer sent a frame of %u bytes: the connection is closed", s->dev.id, len);
            s->warned = true;
            s->eof = true;
            s->from = s->to = 0;
            break;
        }
        if (s->to - s->from - 4 < len)
            break;
        if (!begun && !(begun = net_rx_begin(&s->net)))
            return false;
        struct iovec iov = { s->in + s->from + 4, len };
        ok = net_deliver(&s->net, &iov, 1, len) != NET_BUSY;
        if (!ok)
            break;
        s->from += 4 + len;
    }
    if (begun)
        net_rx_end(&s->net);
    if (s->from) {
        memmove(s->in, s->in + s->from, s->to - s->from);
        s->to -= s->from;
        s->from = 0;
    }
    return ok;
}

static void readable(void *opaque, GIOCondition cond)
{
    struct stream *s = opaque;

    (void) cond;
    for (unsigned i = 0; i < READS && !s->eof; i++) {
        ssize_t n = recv(s->fd, s->in + s->to, IN_SIZE - s->to, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            break;
        bool full = n == (ssize_t) (IN_SIZE - s->to);
        if (n <= 0)
            s->eof = true;
        else
            s->to += (size_t) n;
        if (!hand_on(s)) { /* work() goes on */
            exec_fd_remove(g_steal_pointer(&s->in_watch));
            return;
        }
        if (!full)
            break;
    }
    if (s->eof)
        disconnect(s);
}

static void writable(void *opaque, GIOCondition cond)
{
    struct stream *s = opaque;

    (void) cond;
    exec_enter(s->net.exec);
    bool all = s->broken || drain(s);
    exec_leave(s->net.exec);
    if (!all)
        return;
    exec_fd_remove(g_steal_pointer(&s->out_watch));
    net_writable(&s->net);
}

static void stream_work(struct net *n)
{
    struct stream *s = stream_of(n);

    if (s->fd < 0) {
        wait_for_peer(s);
        return;
    }
    exec_enter(n->exec);
    bool blocked = s->blocked, broken = s->broken;
    exec_leave(n->exec);
    if (broken) {
        disconnect(s);
        return;
    }
    if (blocked && !s->out_watch)
        s->out_watch = exec_add_fd(n->exec, s->fd, G_IO_OUT, writable, s);
    if (!s->in_watch && hand_on(s)) {
        if (s->eof) {
            disconnect(s);
            return;
        }
        s->in_watch = exec_add_fd(n->exec, s->fd, G_IO_IN, readable, s);
        exec_fd_may_nest(s->in_watch);
    }
    if (!blocked)
        net_writable(n);
}

static void connected(struct stream *s, int fd)
{
    int on = 1;

    if (s->sock.n && s->sock.addr[0].ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    exec_fd_remove(g_steal_pointer(&s->listen_watch));
    exec_enter(s->net.exec);
    s->fd = fd;
    exec_leave(s->net.exec);
    net_kick(&s->net);
}

static void incoming(void *opaque, GIOCondition cond)
{
    struct stream *s = opaque;
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void) cond;
    if (fd >= 0)
        connected(s, fd);
}

static void connect_done(void *opaque, GIOCondition cond)
{
    struct stream *s = opaque;
    int e = 0, fd = s->connect_fd;
    socklen_t len = sizeof e;

    (void) cond;
    exec_fd_remove(g_steal_pointer(&s->connect_watch));
    s->connect_fd = -1;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len);
    if (!e) {
        connected(s, fd);
        return;
    }
    close(fd);
    s->connect_addr++;
    try_connect(s);
}

/* Start a connection to the next address; after the last one the timer waits for another round. */
static void try_connect(struct stream *s)
{
    for (; s->connect_addr < s->sock.n; s->connect_addr++) {
        unsigned i = s->connect_addr;
        int fd = socket(s->sock.addr[i].ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            continue;
        if (connect(fd, (struct sockaddr *) &s->sock.addr[i], s->sock.len[i]) == 0) {
            connected(s, fd);
            return;
        }
        if (errno == EINPROGRESS) {
            s->connect_fd = fd;
            s->connect_watch = exec_add_fd(s->net.exec, fd, G_IO_OUT, connect_done, s);
            return;
        }
        close(fd);
    }
    wait_for_peer(s);
}

static void stream_leave(struct net *n)
{
    struct stream *s = stream_of(n);

    stop_watching(s);
    exec_fd_remove(g_steal_pointer(&s->listen_watch));
    net_timer_stop(&s->timer);
    if (s->connect_watch) { /* begin again there */
        exec_fd_remove(g_steal_pointer(&s->connect_watch));
        close(s->connect_fd);
        s->connect_fd = -1;
    }
}

/* --- the netdev --------------------------------------------------------------------------------------- */

static void stream_describe(struct netdev *dev, GString *out)
{
    struct stream *s = container_of(dev, struct stream, dev);

    if (!s->sock.text)
        g_string_append_printf(out, ",fd: %s", s->fd < 0 ? "closed" : "connected");
    else
        g_string_append_printf(out, ",%s %s%s", s->server ? "listening on" : "connect to", s->sock.text,
                               s->fd >= 0 ? " (connected)" : "");
}

static void stream_free(struct netdev *dev)
{
    struct stream *s = container_of(dev, struct stream, dev);

    stream_leave(&s->net);
    if (s->fd >= 0)
        close(s->fd);
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        if (s->sock.path)
            unlink(s->sock.path);
    }
    netdev_clear(dev);
    netsock_clear(&s->sock);
    g_free(s->in);
    g_free(s->out);
    g_free(s);
}

static const struct net_ops stream_ops = { .send = stream_send, .flush = stream_flush, .work = stream_work,
                                           .leave = stream_leave, .describe = stream_describe, .free = stream_free };

static bool start(struct stream *s, const struct netdev_config *c, const char *what, GError **err)
{
    struct netaddr a = c->addr;
    int type;

    if (c->kind == NETDEV_SOCKET && c->fd)
        a = (struct netaddr){ .kind = NETADDR_FD, .str = c->fd };
    else if (c->kind == NETDEV_SOCKET &&
             !netaddr_parse(&a, c->listen ? c->listen : c->connect, what, c->listen ? "listen" : "connect", err))
        return false;
    bool legacy = c->kind == NETDEV_SOCKET && !c->fd, ok = true;
    s->server = c->server || c->listen;
    s->reconnect_ms = c->reconnect_ms;
    if (a.kind == NETADDR_FD) {
        int fd = netsock_fd(a.str, SOCK_STREAM, &type, what, err);
        if (fd >= 0 && s->server)
            s->listen_fd = fd;
        else if (fd >= 0)
            connected(s, fd);
        return fd >= 0;
    }
    ok = netsock_resolve(&s->sock, &a, SOCK_STREAM, s->server, what, err);
    if (ok && s->server) {
        s->listen_fd = netsock_bind(&s->sock, SOCK_STREAM, what, err);
        ok = s->listen_fd >= 0;
    } else if (ok && s->reconnect_ms) {
        s->timer = net_timer(s->net.exec, 0, retry, s);
    } else if (ok) {
        int fd = netsock_connect(&s->sock, what, err);
        ok = fd >= 0;
        if (ok)
            connected(s, fd);
    }
    if (legacy)
        netaddr_clear(&a);
    return ok;
}

struct netdev *stream_open(struct vm *vm, const struct netdev_config *c, GError **err)
{
    struct stream *s = g_new0(struct stream, 1);
    char what[80];

    g_snprintf(what, sizeof what, "netdev '%s'", c->id);
    netdev_init(&s->dev, vm, &stream_ops, c->id, netdev_kind_names[c->kind]);
    net_init(&s->net, &s->dev);
    s->fd = s->listen_fd = s->connect_fd = -1;
    s->in = g_malloc(IN_SIZE);
    s->out = g_malloc(OUT_SIZE);
    if (start(s, c, what, err)) {
        net_kick(&s->net);
        return &s->dev;
    }
    stream_free(&s->dev);
    return NULL;
}

bool stream_check(const struct netdev_config *c, const char *what, GError **err)
{
    struct netaddr a;

    if (c->kind == NETDEV_SOCKET) {
        bool ok = !c->localaddr || fail(err, "%s: localaddr goes with udp= or mcast=", what);
        if (ok && !c->fd) {
            ok = netaddr_parse(&a, c->listen ? c->listen : c->connect, what, c->listen ? "listen" : "connect", err);
            netaddr_clear(&a);
        }
        return ok;
    }
    if (c->server && c->reconnect_ms)
        return fail(err, "%s: reconnect is for a client, not with server=on", what);
    if (c->addr.to && !c->server)
        return fail(err, "%s: addr.to is for a server: server=on", what);
    return netaddr_check(&c->addr, what, "addr", err);
}
