/* vmm/net/dgram.c - `dgram`, and `socket` with udp=, mcast= or a datagram socket's fd=: a frame a datagram.
 *
 * While the NIC does not take frames nothing is read, and the kernel loses datagrams as a wire loses frames.  Datagrams
 * are taken from whoever sends them to the local address. */
#include "vmm/net/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

enum { SLOTS = 16, SLOT_SIZE = NET_MAX_FRAME, ROUNDS = 4, UNIX_RETRY_MS = 1 };

struct dgram {
    struct netdev dev;
    struct net net;
    int fd;
    struct netsock local, remote;
    struct sockaddr_storage to; /* of each datagram */
    socklen_t to_len;        /* 0: the socket is connected */
    char *text;              /* for info */
    struct exec_fd *in_watch, *out_watch;
    struct exec_timer *timer;
    bool blocked;            /* under the VM lock in the main exec */
    uint8_t *slots;          /* SLOTS of SLOT_SIZE: what came in */
    unsigned len[SLOTS];
    unsigned first, n;       /* not yet handed on: slots first to n - 1 */
};

static struct dgram *dgram_of(struct net *n)
{
    return container_of(n, struct dgram, net);
}

static enum net_result dgram_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    struct dgram *s = dgram_of(n);
    struct msghdr m = { .msg_name = s->to_len ? &s->to : NULL, .msg_namelen = s->to_len,
                        .msg_iov = (struct iovec *) iov, .msg_iovlen = niov };
    ssize_t r;

    (void) len, (void) more;
    if (s->blocked)
        return NET_BUSY;
    do {
        r = sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (r < 0 && errno == EINTR);
    if (r >= 0)
        return NET_TAKEN;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return NET_DROPPED; /* nobody there, too long, no buffers: as a wire does */
    s->blocked = true;
    net_kick(n);
    return NET_BUSY;
}

/* --- the exec's thread, no lock held ----------------------------------------------------------------- */

static void unblock(struct dgram *s)
{
    exec_enter(s->net.exec);
    s->blocked = false;
    exec_leave(s->net.exec);
    net_writable(&s->net);
}

static void writable(void *opaque, GIOCondition cond)
{
    struct dgram *s = opaque;

    (void) cond;
    exec_fd_remove(g_steal_pointer(&s->out_watch));
    unblock(s);
}

static void retry(void *opaque)
{
    struct dgram *s = opaque;

    net_timer_stop(&s->timer);
    unblock(s);
}

static bool hand_on(struct dgram *s)
{
    bool ok = true;

    if (s->first == s->n)
        return true;
    if (!net_rx_begin(&s->net))
        return false;
    for (; ok && s->first < s->n; s->first += ok) {
        struct iovec iov = { s->slots + (size_t) s->first * SLOT_SIZE, s->len[s->first] };
        ok = net_deliver(&s->net, &iov, 1, s->len[s->first]) != NET_BUSY;
    }
    net_rx_end(&s->net);
    return ok;
}

static void readable(void *opaque, GIOCondition cond)
{
    struct dgram *s = opaque;
    struct mmsghdr m[SLOTS] = { 0 };
    struct iovec iov[SLOTS];

    (void) cond;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < SLOTS; i++) {
            iov[i] = (struct iovec){ s->slots + (size_t) i * SLOT_SIZE, SLOT_SIZE };
            m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
        }
        int n = recvmmsg(s->fd, m, SLOTS, MSG_DONTWAIT, NULL);
        if (n <= 0) /* an error is of something that was sent (ICMP): reading it was all */
            return;
        s->first = 0;
        s->n = (unsigned) n;
        for (int i = 0; i < n; i++) /* one that was cut short is longer than any frame: dropped as such */
            s->len[i] = m[i].msg_hdr.msg_flags & MSG_TRUNC ? 0 : m[i].msg_len;
        if (!hand_on(s)) {
            exec_fd_remove(g_steal_pointer(&s->in_watch));
            return;
        }
        if (n < SLOTS)
            return;
    }
}

static void dgram_work(struct net *n)
{
    struct dgram *s = dgram_of(n);

    exec_enter(n->exec);
    bool blocked = s->blocked;
    exec_leave(n->exec);
    /* Of a unix socket that is not connected poll() does not say when the receiver has room. */
    bool timed = s->to_len && s->to.ss_family == AF_UNIX;
    if (blocked && timed && !s->timer)
        s->timer = net_timer(n->exec, UNIX_RETRY_MS, retry, s);
    else if (blocked && !timed && !s->out_watch)
        s->out_watch = exec_add_fd(n->exec, s->fd, G_IO_OUT, writable, s);
    if (!s->in_watch && hand_on(s)) {
        s->in_watch = exec_add_fd(n->exec, s->fd, G_IO_IN, readable, s);
        exec_fd_may_nest(s->in_watch);
    }
}

static void dgram_leave(struct net *n)
{
    struct dgram *s = dgram_of(n);

    exec_fd_remove(g_steal_pointer(&s->in_watch));
    exec_fd_remove(g_steal_pointer(&s->out_watch));
    net_timer_stop(&s->timer);
}

/* --- the netdev --------------------------------------------------------------------------------------- */

static void dgram_describe(struct netdev *dev, GString *out)
{
    g_string_append_printf(out, ",%s", container_of(dev, struct dgram, dev)->text);
}

static void dgram_free(struct netdev *dev)
{
    struct dgram *s = container_of(dev, struct dgram, dev);

    dgram_leave(&s->net);
    if (s->fd >= 0)
        close(s->fd);
    if (s->fd >= 0 && s->local.path)
        unlink(s->local.path);
    netdev_clear(dev);
    netsock_clear(&s->local);
    netsock_clear(&s->remote);
    g_free(s->text);
    g_free(s->slots);
    g_free(s);
}

static const struct net_ops dgram_ops = { .send = dgram_send, .work = dgram_work, .leave = dgram_leave,
                                          .describe = dgram_describe, .free = dgram_free };

static bool is_multicast(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET && IN_MULTICAST(ntohl(((const struct sockaddr_in *) a)->sin_addr.s_addr));
}

/* Several processes of one host may be in the group: the address is shared, and what one sends the others get. */
static bool join(struct dgram *s, const struct in_addr *interface, const char *what, GError **err)
{
    const struct sockaddr_in *group = (const struct sockaddr_in *) &s->to;
    struct ip_mreq req = { .imr_multiaddr = group->sin_addr, .imr_interface = *interface };
    uint8_t loop = 1;
    int on = 1;

    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(s->fd, (const struct sockaddr *) &s->to, s->to_len) < 0)
        return fail(err, "%s: cannot bind to '%s': %s", what, s->remote.text, g_strerror(errno));
    if (setsockopt(s->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &req, sizeof req) < 0 ||
        setsockopt(s->fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof loop) < 0 ||
        (interface->s_addr &&
         setsockopt(s->fd, IPPROTO_IP, IP_MULTICAST_IF, interface, sizeof *interface) < 0))
        return fail(err, "%s: cannot join the group '%s': %s", what, s->remote.text, g_strerror(errno));
    s->text = g_strdup_printf("mcast=%s", s->remote.text);
    return true;
}

static bool open_fd(struct dgram *s, const char *text, const char *what, GError **err)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    int type;

    s->fd = netsock_fd(text, SOCK_DGRAM, &type, what, err);
    if (s->fd < 0)
        return false;
    if (!s->to_len && getpeername(s->fd, (struct sockaddr *) &a, &len) < 0) {
        bool group = !getsockname(s->fd, (struct sockaddr *) &a, &len) && is_multicast(&a);
        if (!group) {
            s->fd = -1; /* the caller's */
            return fail(err, "%s: descriptor %s is neither connected nor bound to a multicast group", what, text);
        }
        s->to = a;
        s->to_len = len;
    }
    s->text = g_strdup_printf("fd=%s", text);
    return true;
}

static bool start(struct dgram *s, const struct netaddr *local, const struct netaddr *remote, const char *what,
                  GError **err)
{
    struct in_addr any = { 0 };

    if (remote->kind) {
        if (!netsock_resolve(&s->remote, remote, SOCK_DGRAM, false, what, err))
            return false;
        s->to = s->remote.addr[0];
        s->to_len = s->remote.len[0];
    }
    if (local->kind == NETADDR_FD)
        return open_fd(s, local->str, what, err);
    if (remote->kind == NETADDR_INET && is_multicast(&s->to)) {
        if (local->kind && (!local->host || inet_pton(AF_INET, local->host, &any) != 1))
            return fail(err, "%s: the local host must be the IPv4 address of an interface", what);
        return join(s, &any, what, err);
    }
    if (local->kind == NETADDR_NONE)
        return fail(err, "%s: '%s' is no multicast group: a local address is needed", what, s->remote.text);
    if (!netsock_resolve(&s->local, local, SOCK_DGRAM, true, what, err))
        return false;
    /* A socket of the remote's family */
    for (unsigned i = 1; i < s->local.n && s->local.addr[0].ss_family != s->to.ss_family; i++) {
        s->local.addr[0] = s->local.addr[i];
        s->local.len[0] = s->local.len[i];
    }
    s->local.n = 1;
    if (s->to_len && s->local.addr[0].ss_family != s->to.ss_family)
        return fail(err, "%s: the local and the remote address are of different families", what);
    s->fd = netsock_bind(&s->local, SOCK_DGRAM, what, err);
    if (s->fd < 0)
        return false;
    s->text = g_strdup_printf("local=%s,remote=%s", s->local.text, s->remote.text);
    return true;
}

struct netdev *dgram_open(struct vm *vm, const struct netdev_config *c, GError **err)
{
    struct dgram *s = g_new0(struct dgram, 1);
    struct netaddr local = c->local, remote = c->remote;
    const char *to = c->udp ? c->udp : c->mcast;
    bool ok = true;
    char what[80];

    g_snprintf(what, sizeof what, "netdev '%s'", c->id);
    netdev_init(&s->dev, vm, &dgram_ops, c->id, netdev_kind_names[c->kind]);
    net_init(&s->net, &s->dev);
    s->fd = -1;
    s->slots = g_malloc((size_t) SLOTS * SLOT_SIZE);
    if (c->kind == NETDEV_SOCKET) {
        ok = !to || netaddr_parse(&remote, to, what, c->udp ? "udp" : "mcast", err);
        if (c->fd)
            local = (struct netaddr){ .kind = NETADDR_FD, .str = g_strdup(c->fd) };
        else if (c->localaddr && c->mcast)
            local = (struct netaddr){ .kind = NETADDR_INET, .host = g_strdup(c->localaddr) };
        else if (c->localaddr)
            ok = ok && netaddr_parse(&local, c->localaddr, what, "localaddr", err);
    }
    ok = ok && start(s, &local, &remote, what, err);
    if (c->kind == NETDEV_SOCKET) {
        netaddr_clear(&local);
        netaddr_clear(&remote);
    }
    if (ok) {
        net_kick(&s->net);
        return &s->dev;
    }
    dgram_free(&s->dev);
    return NULL;
}

bool dgram_check(const struct netdev_config *c, const char *what, GError **err)
{
    struct netaddr a = { 0 };
    struct in_addr in;
    bool ok = true;

    if (c->kind == NETDEV_SOCKET) {
        if (c->udp && !c->localaddr && !c->fd)
            return fail(err, "%s: udp= needs localaddr=HOST:PORT", what);
        if (c->udp || c->mcast)
            ok = netaddr_parse(&a, c->udp ? c->udp : c->mcast, what, c->udp ? "udp" : "mcast", err);
        netaddr_clear(&a);
        if (ok && c->udp && c->localaddr) {
            ok = netaddr_parse(&a, c->localaddr, what, "localaddr", err);
            netaddr_clear(&a);
        }
        if (ok && c->mcast && c->localaddr && inet_pton(AF_INET, c->localaddr, &in) != 1)
            ok = fail(err, "%s: localaddr: '%s' is no IPv4 address of an interface", what, c->localaddr);
        return ok;
    }
    if (c->local.kind && !(c->local.kind == NETADDR_INET && !c->local.port && c->remote.kind == NETADDR_INET) &&
        !netaddr_check(&c->local, what, "local", err))
        return false;
    if (c->remote.kind && !netaddr_check(&c->remote, what, "remote", err))
        return false;
    if (c->remote.kind == NETADDR_FD)
        return fail(err, "%s: remote.type=fd: give the descriptor as local.type=fd", what);
    if (!c->local.kind && c->remote.kind != NETADDR_INET)
        return fail(err, "%s: local.type is missing: inet, unix or fd", what);
    if ((c->local.kind == NETADDR_INET || c->local.kind == NETADDR_UNIX) && c->remote.kind != c->local.kind)
        return fail(err, "%s: remote.type is missing, or not that of local.type", what);
    return true;
}
