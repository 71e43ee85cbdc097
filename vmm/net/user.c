/* vmm/net/user.c - module: `user`, a network of its own behind NAT, by libslirp.
 *
 * libslirp is driven by one thread: that of the net's exec, without the VM lock.  In the main exec a vCPU's frames are
 * put into `tx` (the caller holds the lock, libslirp may be busy), and work() hands them over; in an iothread they go
 * straight in.  What libslirp sends to the guest waits in `rx` until it has returned, in both cases: so no frame comes
 * back from within net_send().
 *
 * While the guest does not take what waits in `rx`, libslirp's sockets are not polled: the peers' windows close.  Only
 * an `rx` that runs full all the same loses frames, which libslirp's TCP sends again.
 * Offloads, where the NIC's header allows them: a TCP segment of up to 64 KiB goes into libslirp in one piece (its
 * checksum is computed here), and libslirp's consecutive segments of one connection are put together to one frame. */
#include "vmm/net/offload.h"
#include "vmm/net/ring.h"
#include "vmm/net/user_impl.h"
#include "vmm/char/chardev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libslirp.h>

enum { TX_SIZE = 1 << 20, RX_SIZE = 2 << 20, MAX_POLLS = 1024, BATCH = 64 };
enum { ETH_LEN = 14, GUESTFWD_HIGH = 256 << 10 };

struct poll_slot { /* a socket of libslirp's */
    struct user_netdev *s;
    int fd;
    GIOCondition events, got;
    struct exec_fd *watch;
    bool wanted; /* in this turn */
};

struct user_timer {
    struct user_netdev *s;
    SlirpTimerId id;
    void *cb_opaque;
    int64_t expire; /* ns; -1: not running */
    struct exec_timer *timer;
};

struct guestfwd {
    struct user_netdev *s;
    struct chardev *chr;
    struct in_addr server;
    unsigned port;
    GByteArray *out;  /* the guest's bytes that the chardev did not take yet */
    bool waits;       /* the chardev was told that there is no room */
};

struct user_netdev {
    struct netdev dev;
    struct net net;
    Slirp *slirp;
    struct user_net conf;
    bool restricted;
    struct tracer trace;
    char *trace_name;
    GMutex tx_mutex;  /* of tx, in the main exec */
    struct frame_ring tx, rx;
    uint8_t *linear;  /* a frame of the guest in one piece */
    unsigned offload; /* what the guest takes */
    GHashTable *slots; /* descriptor -> struct poll_slot */
    struct poll_slot *polls[MAX_POLLS]; /* those of libslirp's last list, in its order */
    unsigned n_polls;
    struct exec_timer *deadline; /* libslirp wants to be called; NULL: nothing is watched */
    GPtrArray *timers, *guestfwds;
};

static struct user_netdev *user_of(struct netdev *dev)
{
    return container_of(dev, struct user_netdev, dev);
}

/* --- to the guest ----------------------------------------------------------------------------------- */

struct tcp_view { /* of a frame that may be merged */
    unsigned ip, tcp, payload; /* offsets; payload: where it begins */
    size_t len;       /* of the payload */
};

/* TCP without IP options or fragments, and with no flag but ACK and PSH */
static bool view_tcp(const uint8_t *p, size_t len, struct tcp_view *v)
{
    unsigned type = len > ETH_LEN ? ld_be16(p + 12) : 0;
    size_t end;

    v->ip = ETH_LEN;
    if (type == 0x0800 && len >= 54 && p[14] == 0x45 && p[23] == IPPROTO_TCP && !(ld_be16(p + 20) & 0x3fff)) {
        v->tcp = 34;
        end = ETH_LEN + ld_be16(p + 16);
    } else if (type == 0x86dd && len >= 74 && p[20] == IPPROTO_TCP) {
        v->tcp = 54;
        end = 54 + ld_be16(p + 18);
    } else {
        return false;
    }
    v->payload = v->tcp + (p[v->tcp + 12] >> 4) * 4u;
    if (v->payload < v->tcp + 20 || end > len || v->payload > end || (p[v->tcp + 13] & ~0x08) != 0x10)
        return false;
    v->len = end - v->payload;
    return v->len > 0;
}

/* Does f continue what waits in `last`?  Addresses, ports, acknowledgement and options are the same, the numbers
 * follow. */
static bool continues(const struct ring_frame *last, const uint8_t *p, const struct tcp_view *v)
{
    const uint8_t *q = last->data;
    struct tcp_view w;

    if (!view_tcp(q, last->len, &w) || w.tcp != v->tcp || w.payload != v->payload || memcmp(p, q, ETH_LEN) != 0)
        return false;
    if (v->tcp == 34 ? memcmp(p + 26, q + 26, 8) != 0 || p[15] != q[15] || p[22] != q[22]
                     : memcmp(p + 22, q + 22, 32) != 0 || memcmp(p + 14, q + 14, 4) != 0 || p[21] != q[21])
        return false;
    return !memcmp(p + v->tcp, q + v->tcp, 4) &&
           ld_be32(p + v->tcp + 4) == ld_be32(q + v->tcp + 4) + (uint32_t) w.len &&
           !memcmp(p + v->tcp + 8, q + v->tcp + 8, 4) &&
           !memcmp(p + v->tcp + 20, q + v->tcp + 20, v->payload - v->tcp - 20) && w.len % last->gso_size == 0 &&
           v->len <= last->gso_size && w.payload + w.len + v->len - ETH_LEN <= 65535;
}

/* tag of a frame in rx: whether it is a candidate, and how the finished one is described */
enum { PLAIN, TCP4, TCP6 };

static bool merge(struct user_netdev *s, const uint8_t *p, const struct tcp_view *v)
{
    struct ring_frame *f = s->rx.last;

    if (!f || f->tag == PLAIN || f->closed || !continues(f, p, v))
        return false;
    size_t at = f->len;
    if (!ring_extend(&s->rx, v->len))
        return false;
    memcpy(f->data + at, p + v->payload, v->len);
    f->data[v->tcp + 13] |= p[v->tcp + 13];
    memcpy(f->data + v->tcp + 14, p + v->tcp + 14, 2); /* the window */
    f->closed = v->len < f->gso_size || (p[v->tcp + 13] & 0x08);
    uint16_t *ip_len = (uint16_t *) (void *) (f->data + (f->tag == TCP4 ? 16 : 18));
    st_be16(ip_len, (uint16_t) (f->len - (f->tag == TCP4 ? ETH_LEN : 54)));
    return true;
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
    struct user_netdev *s = opaque;
    struct tcp_view v;
    unsigned want = 0;
    bool tcp = s->net.hdr && (s->offload & (NET_TSO4 | NET_TSO6)) && view_tcp(buf, len, &v);

    if (tcp)
        want = v.tcp == 34 ? NET_TSO4 : NET_TSO6;
    tcp = tcp && (s->offload & want);
    if (tcp && merge(s, buf, &v))
        return (ssize_t) len;
    if (len > NET_MAX_FRAME || !ring_push(&s->rx, &(struct iovec){ (void *) buf, len }, 1, len)) {
        net_count_drop(&s->net.received);
        return (ssize_t) len;
    }
    if (tcp) {
        struct ring_frame *f = s->rx.last;
        f->tag = v.tcp == 34 ? TCP4 : TCP6;
        f->gso_size = (uint16_t) v.len;
        f->closed = (((const uint8_t *) buf)[v.tcp + 13] & 0x08) != 0;
        f->len = (uint32_t) (v.payload + v.len); /* without padding, so that more can follow */
    }
    return (ssize_t) len;
}

/* The header, and the checksums of a frame that was put together: TCP's is left to the guest (or to nobody). */
static void finish(struct ring_frame *f, struct net_hdr *h)
{
    struct tcp_view v;

    *h = (struct net_hdr){ .flags = NET_HDR_DATA_VALID };
    if (f->tag == PLAIN || !view_tcp(f->data, f->len, &v) || v.len <= f->gso_size)
        return;
    if (f->tag == TCP4) {
        st_be16(f->data + 24, 0);
        uint16_t sum = (uint16_t) ~inet_fold(inet_sum(f->data + ETH_LEN, 20, 0));
        memcpy(f->data + 24, &sum, 2);
    }
    uint16_t pseudo = inet_fold(inet_pseudo(f->data + ETH_LEN, IPPROTO_TCP, f->len - v.tcp));
    memcpy(f->data + v.tcp + 16, &pseudo, 2);
    h->flags = NET_HDR_NEEDS_CSUM;
    h->gso_type = f->tag == TCP4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6;
    st_le16(&h->hdr_len, (uint16_t) v.payload);
    st_le16(&h->gso_size, f->gso_size);
    st_le16(&h->csum_start, (uint16_t) v.tcp);
    st_le16(&h->csum_offset, 16);
}

static void deliver(struct user_netdev *s)
{
    struct net *n = &s->net;
    struct ring_frame *f;

    if (!s->rx.count || !net_rx_begin(n))
        return;
    while ((f = ring_peek(&s->rx))) {
        struct net_hdr h = { 0 };
        if (n->hdr && (s->offload & NET_CSUM))
            finish(f, &h);
        struct iovec iov[2] = { { &h, n->hdr }, { f->data, f->len } };
        if (net_deliver(n, n->hdr ? iov : iov + 1, n->hdr ? 2 : 1, n->hdr + f->len) == NET_BUSY)
            break;
        ring_pop(&s->rx);
    }
    net_rx_end(n);
}

/* --- from the guest ------------------------------------------------------------------------------------ */

/* frame: in our memory, header included */
static void input(struct user_netdev *s, uint8_t *frame, size_t len, unsigned hdr)
{
    struct net_hdr h = { 0 };
    size_t at;
    uint16_t sum;

    memcpy(&h, frame, hdr);
    if (h.flags & NET_HDR_NEEDS_CSUM) {
        if (!csum_complete(&h, &(struct iovec){ frame + hdr, len - hdr }, 1, len - hdr, &at, &sum)) {
            tracer_guest_error(&s->trace, "a checksum outside of its frame");
            return;
        }
        memcpy(frame + hdr + at, &sum, 2);
    }
    slirp_input(s->slirp, frame + hdr, (int) (len - hdr));
}

static enum net_result user_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    struct user_netdev *s = user_of(n->dev);

    (void) more;
    if (!n->exec->main) {
        iov_copy_out(iov, niov, 0, s->linear, len);
        input(s, s->linear, len, n->hdr);
        net_kick(n); /* for what it made libslirp wait for, and send */
        return NET_TAKEN;
    }
    g_mutex_lock(&s->tx_mutex);
    bool first = !s->tx.count, ok = ring_push(&s->tx, iov, niov, len);
    if (ok)
        s->tx.last->tag = n->hdr;
    g_mutex_unlock(&s->tx_mutex);
    if (first || !ok)
        net_kick(n);
    return ok ? NET_TAKEN : NET_BUSY;
}

/* The bytes for chardevs pile up while these don't take them: then the guest waits. */
static bool guestfwd_full(const struct user_netdev *s)
{
    for (unsigned i = 0; i < s->guestfwds->len; i++)
        if (((struct guestfwd *) s->guestfwds->pdata[i])->out->len > GUESTFWD_HIGH)
            return true;
    return false;
}

static void take_tx(struct user_netdev *s)
{
    struct ring_frame *f;

    for (unsigned i = 0; i < BATCH && !guestfwd_full(s); i++) {
        g_mutex_lock(&s->tx_mutex);
        f = ring_peek(&s->tx);
        g_mutex_unlock(&s->tx_mutex);
        if (!f)
            break;
        input(s, f->data, f->len, f->tag);
        g_mutex_lock(&s->tx_mutex);
        ring_pop(&s->tx);
        g_mutex_unlock(&s->tx_mutex);
    }
    g_mutex_lock(&s->tx_mutex);
    bool more = s->tx.count;
    g_mutex_unlock(&s->tx_mutex);
    if (!guestfwd_full(s)) {
        if (more)
            net_kick(&s->net);
        net_writable(&s->net);
    }
}

/* --- chardevs of guestfwd ---------------------------------------------------------------------------- */

static ssize_t guestfwd_write(const void *buf, size_t len, void *opaque)
{
    struct guestfwd *g = opaque;
    bool held = vmlock_held(&g->s->dev.vm->lock);
    size_t n = 0;

    if (!held)
        exec_enter(g->s->net.exec);
    if (!g->out->len)
        n = chardev_write(g->chr, buf, len);
    if (!held)
        exec_leave(g->s->net.exec);
    g_byte_array_append(g->out, (const uint8_t *) buf + n, (guint) (len - n));
    return (ssize_t) len;
}

static void guestfwd_writable(void *opaque)
{
    struct guestfwd *g = opaque;
    size_t n = g->out->len ? chardev_write(g->chr, g->out->data, g->out->len) : 0;

    if (n)
        g_byte_array_remove_range(g->out, 0, (guint) n);
    net_kick(&g->s->net);
}

static size_t guestfwd_can_receive(void *opaque)
{
    struct guestfwd *g = opaque;
    size_t n = slirp_socket_can_recv(g->s->slirp, g->server, (int) g->port);

    g->waits = !n;
    return n;
}

static void guestfwd_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct guestfwd *g = opaque;

    slirp_socket_recv(g->s->slirp, g->server, (int) g->port, buf, (int) len);
    net_kick(&g->s->net);
}

static const struct chardev_fe guestfwd_fe = { .can_receive = guestfwd_can_receive, .receive = guestfwd_receive,
                                               .writable = guestfwd_writable };

static void guestfwds_accept(struct user_netdev *s)
{
    for (unsigned i = 0; i < s->guestfwds->len; i++) {
        struct guestfwd *g = s->guestfwds->pdata[i];
        if (!g->waits)
            continue;
        g->waits = false;
        exec_enter(s->net.exec);
        chardev_accept(g->chr);
        exec_leave(s->net.exec);
    }
}

static void guestfwd_free(void *p)
{
    struct guestfwd *g = p;

    vm_lock(g->s->dev.vm);
    chardev_detach_from(g->chr, g);
    vm_unlock(g->s->dev.vm);
    g_byte_array_unref(g->out);
    g_free(g);
}

/* --- descriptors -------------------------------------------------------------------------------------- */

static void poll_all(void *opaque);

static void ready(void *opaque, GIOCondition got)
{
    struct poll_slot *p = opaque;

    p->got |= got;
    poll_all(p->s);
}

static void slot_free(void *opaque)
{
    struct poll_slot *p = opaque;

    exec_fd_remove(p->watch);
    g_free(p);
}

/* Mostly nothing changes from turn to turn. */
static int add_poll(int fd, int events, void *opaque)
{
    struct user_netdev *s = opaque;
    GIOCondition want = (events & SLIRP_POLL_IN ? G_IO_IN : 0) | (events & SLIRP_POLL_OUT ? G_IO_OUT : 0) |
                        (events & SLIRP_POLL_PRI ? G_IO_PRI : 0);
    struct poll_slot *p = g_hash_table_lookup(s->slots, GINT_TO_POINTER(fd));

    if (s->n_polls == MAX_POLLS)
        return -1;
    if (!p) {
        p = g_new0(struct poll_slot, 1);
        *p = (struct poll_slot){ .s = s, .fd = fd };
        g_hash_table_insert(s->slots, GINT_TO_POINTER(fd), p);
    }
    if (!p->watch || p->events != want) {
        exec_fd_remove(p->watch);
        p->watch = exec_add_fd(s->net.exec, fd, want, ready, p);
        p->events = want;
    }
    p->wanted = true;
    s->polls[s->n_polls] = p;
    return (int) s->n_polls++;
}

static int get_revents(int idx, void *opaque)
{
    struct user_netdev *s = opaque;

    if (idx < 0 || (unsigned) idx >= s->n_polls || !s->polls[idx])
        return 0;
    GIOCondition got = s->polls[idx]->got;
    s->polls[idx]->got = 0;
    return (got & G_IO_IN ? SLIRP_POLL_IN : 0) | (got & G_IO_OUT ? SLIRP_POLL_OUT : 0) |
           (got & G_IO_PRI ? SLIRP_POLL_PRI : 0) | (got & (G_IO_ERR | G_IO_NVAL) ? SLIRP_POLL_ERR : 0) |
           (got & G_IO_HUP ? SLIRP_POLL_HUP : 0);
}

static bool blocked(struct user_netdev *s)
{
    return s->rx.count && __atomic_load_n(&s->net.waits_rx, __ATOMIC_ACQUIRE);
}

static gboolean unwanted(gpointer fd, gpointer slot, gpointer opaque)
{
    (void) fd, (void) opaque;
    return !((struct poll_slot *) slot)->wanted;
}

static void want_none(struct user_netdev *s)
{
    for (unsigned i = 0; i < s->n_polls; i++)
        if (s->polls[i])
            s->polls[i]->wanted = false;
    s->n_polls = 0;
}

/* After anything that libslirp did: what it waits for now. */
static void watch(struct user_netdev *s)
{
    uint32_t ms = 1000; /* what libslirp leaves when it waits for no time: at most 500 otherwise */

    want_none(s);
    if (!blocked(s) && !guestfwd_full(s))
        slirp_pollfds_fill(s->slirp, &ms, add_poll, s);
    if (s->n_polls < g_hash_table_size(s->slots))
        g_hash_table_foreach_remove(s->slots, unwanted, NULL);
    exec_timer_at(s->deadline, ms < 1000 ? g_get_monotonic_time() * NS_PER_US + ms * NS_PER_MS : -1);
}

static void poll_all(void *opaque)
{
    struct user_netdev *s = opaque;

    slirp_pollfds_poll(s->slirp, 0, get_revents, s);
    deliver(s);
    guestfwds_accept(s);
    watch(s);
}

/* The socket is about to be closed: its number may soon be another's. */
static void forget_fd(int fd, void *opaque)
{
    struct user_netdev *s = opaque;

    for (unsigned i = 0; i < s->n_polls; i++)
        if (s->polls[i] && s->polls[i]->fd == fd)
            s->polls[i] = NULL;
    g_hash_table_remove(s->slots, GINT_TO_POINTER(fd));
}

static void timer_fired(void *opaque)
{
    struct user_timer *t = opaque;
    struct user_netdev *s = t->s;

    t->expire = -1;
    slirp_handle_timer(s->slirp, t->id, t->cb_opaque);
    deliver(s);
    watch(s);
}

static void timer_attach(struct user_timer *t)
{
    t->timer = exec_timer_new(t->s->net.exec, timer_fired, t);
    exec_timer_at(t->timer, t->expire);
}

static void user_leave(struct net *n)
{
    struct user_netdev *s = user_of(n->dev);

    want_none(s);
    g_hash_table_remove_all(s->slots);
    exec_timer_free(g_steal_pointer(&s->deadline));
    for (unsigned i = 0; i < s->timers->len; i++)
        exec_timer_free(g_steal_pointer(&((struct user_timer *) s->timers->pdata[i])->timer));
}

static void user_work(struct net *n)
{
    struct user_netdev *s = user_of(n->dev);

    if (!s->deadline) { /* it has just come into this exec */
        s->deadline = exec_timer_new(n->exec, poll_all, s);
        for (unsigned i = 0; i < s->timers->len; i++)
            timer_attach(s->timers->pdata[i]);
    }
    take_tx(s);
    deliver(s);
    guestfwds_accept(s);
    watch(s);
}

/* --- libslirp's other callbacks ------------------------------------------------------------------------ */

static void slirp_guest_error(const char *msg, void *opaque)
{
    tracer_guest_error(&((struct user_netdev *) opaque)->trace, "%s", msg);
}

static int64_t clock_ns(void *opaque)
{
    (void) opaque;
    return g_get_monotonic_time() * 1000;
}

static void *timer_new_opaque(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    struct user_netdev *s = opaque;
    struct user_timer *t = g_new0(struct user_timer, 1);

    *t = (struct user_timer){ s, id, cb_opaque, -1, NULL };
    g_ptr_array_add(s->timers, t);
    if (s->deadline)
        timer_attach(t);
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    struct user_timer *t = timer;

    exec_timer_free(t->timer);
    g_ptr_array_remove(((struct user_netdev *) opaque)->timers, t);
    g_free(t);
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    struct user_timer *t = timer;

    (void) opaque;
    t->expire = expire_ms * NS_PER_MS;
    if (t->timer)
        exec_timer_at(t->timer, t->expire);
}

static void poll_fd(int fd, void *opaque)
{
    (void) fd, (void) opaque; /* gathered after each turn */
}

static void notify(void *opaque)
{
    net_kick(&((struct user_netdev *) opaque)->net);
}

static const SlirpCb callbacks = {
    .send_packet = send_packet, .guest_error = slirp_guest_error, .clock_get_ns = clock_ns, .timer_free = timer_free,
    .timer_mod = timer_mod, .register_poll_fd = poll_fd, .unregister_poll_fd = forget_fd, .notify = notify,
    .timer_new_opaque = timer_new_opaque,
};

/* --- the netdev ---------------------------------------------------------------------------------------- */

static bool user_set_hdr(struct net *n, unsigned len)
{
    (void) n, (void) len;
    return true;
}

static void user_set_offload(struct net *n, unsigned offload)
{
    /* A frame put together has no checksum: what it needs first. */
    user_of(n->dev)->offload = offload & NET_CSUM ? offload : 0;
}

static void user_describe(struct netdev *dev, GString *out)
{
    struct user_netdev *s = user_of(dev);
    char net[INET6_ADDRSTRLEN];

    if (s->conf.v4)
        g_string_append_printf(out, ",net=%s", inet_ntop(AF_INET, &s->conf.net, net, sizeof net));
    else
        g_string_append_printf(out, ",ipv6-net=%s/%u", inet_ntop(AF_INET6, &s->conf.prefix6, net, sizeof net),
                               s->conf.prefix6_len);
    g_string_append_printf(out, ",restrict=%s", s->restricted ? "on" : "off");
}

static void user_free(struct netdev *dev)
{
    struct user_netdev *s = user_of(dev);

    if (s->slirp) {
        g_ptr_array_free(s->guestfwds, TRUE);
        s->guestfwds = g_ptr_array_new();
        slirp_cleanup(s->slirp);
    }
    user_leave(&s->net);
    g_hash_table_unref(s->slots);
    netdev_clear(dev);
    g_ptr_array_free(s->guestfwds, TRUE);
    g_ptr_array_free(s->timers, TRUE);
    ring_clear(&s->tx);
    ring_clear(&s->rx);
    g_mutex_clear(&s->tx_mutex);
    tracer_clear(&s->trace);
    g_free(s->trace_name);
    g_free(s->linear);
    g_free(s);
}

static const struct net_ops user_ops = { .send = user_send, .work = user_work, .set_hdr = user_set_hdr,
                                         .set_offload = user_set_offload, .leave = user_leave,
                                         .describe = user_describe, .free = user_free };
/* Its chardevs live in the main exec. */
static const struct net_ops user_main_ops = { .send = user_send, .work = user_work, .set_hdr = user_set_hdr,
                                              .set_offload = user_set_offload, .describe = user_describe,
                                              .free = user_free };

static bool add_fwd(struct user_netdev *s, const char *rule, GError **err)
{
    struct user_fwd f;

    if (!user_fwd_parse(rule, false, &f, err))
        return false;
    socklen_t len = f.host.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int flags = (f.udp ? SLIRP_HOSTFWD_UDP : 0) | (f.host.ss_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0);
    if (slirp_add_hostxfwd(s->slirp, (struct sockaddr *) &f.host, len, (struct sockaddr *) &f.guest, len, flags) < 0)
        return fail(err, "cannot forward '%s': %s", rule, g_strerror(errno));
    return true;
}

static bool add_guestfwd(struct user_netdev *s, const struct netdev_guestfwd *cfg, const char *what, GError **err)
{
    struct in_addr server;
    unsigned port;
    const char *rest;
    int e;

    if (!user_guestfwd_parse(cfg->rule, &server, &port, &rest, err))
        return false;
    if (cfg->cmd) {
        e = slirp_add_exec(s->slirp, cfg->cmd, &server, (int) port);
    } else {
        struct guestfwd *g = g_new0(struct guestfwd, 1);
        struct chardev *chr = g_hash_table_lookup(s->dev.vm->chardevs, cfg->chardev);
        *g = (struct guestfwd){ .s = s, .chr = chr, .port = port };
        g->out = g_byte_array_new();
        e = chr ? slirp_add_guestfwd(s->slirp, guestfwd_write, g, &server, (int) port) : -1;
        g->server = server;
        vm_lock(s->dev.vm);
        bool ok = e >= 0 && chardev_attach(chr, &guestfwd_fe, g, what, err);
        vm_unlock(s->dev.vm);
        if (!ok) {
            g_byte_array_unref(g->out);
            g_free(g);
            if (e >= 0)
                return false;
        } else {
            g_ptr_array_add(s->guestfwds, g);
        }
    }
    return e >= 0 || fail(err, "%s: guestfwd '%s': this address and port can't be had", what, cfg->rule);
}

static bool start(struct user_netdev *s, const struct netdev_config *c, const char *what, GError **err)
{
    const char **search = c->dnssearch->len ? g_new0(const char *, c->dnssearch->len + 1) : NULL;

    for (unsigned i = 0; i < c->dnssearch->len; i++)
        search[i] = c->dnssearch->pdata[i];
    SlirpConfig cfg = {
        .version = 4, .restricted = c->restrict_, .in_enabled = s->conf.v4, .vnetwork = s->conf.net,
        .vnetmask = s->conf.mask, .vhost = s->conf.host, .in6_enabled = s->conf.v6, .vprefix_addr6 = s->conf.prefix6,
        .vprefix_len = s->conf.prefix6_len, .vhost6 = s->conf.host6, .vhostname = c->hostname,
        .tftp_server_name = c->tftp_server_name, .tftp_path = c->tftp, .bootfile = c->bootfile,
        .vdhcp_start = s->conf.dhcp, .vnameserver = s->conf.dns, .vnameserver6 = s->conf.dns6, .vdnssearch = search,
        .vdomainname = c->domainname,
    };
    s->slirp = slirp_new(&cfg, &callbacks, s);
    g_free(search);
    if (!s->slirp)
        return fail(err, "%s: libslirp refuses this configuration", what);
    for (unsigned i = 0; i < c->hostfwd->len; i++)
        if (!add_fwd(s, c->hostfwd->pdata[i], err))
            return fail_prefix(err, "%s: hostfwd", what);
    for (unsigned i = 0; i < c->guestfwd->len; i++)
        if (!add_guestfwd(s, c->guestfwd->pdata[i], what, err))
            return false;
    return true;
}

static struct netdev *user_open(struct vm *vm, const struct netdev_config *c, GError **err)
{
    char what[80];

    g_snprintf(what, sizeof what, "netdev '%s'", c->id);
    if (c->tftp && !g_file_test(c->tftp, G_FILE_TEST_IS_DIR)) {
        fail(err, "%s: tftp: '%s' is no directory", what, c->tftp);
        return NULL;
    }
    struct user_netdev *s = g_new0(struct user_netdev, 1);
    bool chardevs = false;
    for (unsigned i = 0; i < c->guestfwd->len; i++)
        chardevs |= ((struct netdev_guestfwd *) c->guestfwd->pdata[i])->chardev != NULL;
    netdev_init(&s->dev, vm, chardevs ? &user_main_ops : &user_ops, c->id, "user");
    net_init(&s->net, &s->dev);
    s->dev.can_send = NET_CSUM | NET_TSO4; /* of IPv6 it takes no more than an MTU */
    s->dev.can_receive = NET_CSUM | NET_TSO4 | NET_TSO6;
    s->slots = g_hash_table_new_full(NULL, NULL, NULL, slot_free);
    s->restricted = c->restrict_;
    s->trace_name = g_strdup_printf("netdev-%s", c->id);
    tracer_init(&s->trace, &vm->log, s->trace_name);
    g_mutex_init(&s->tx_mutex);
    ring_init(&s->tx, TX_SIZE);
    ring_init(&s->rx, RX_SIZE);
    s->linear = g_malloc(NET_MAX_FRAME + sizeof(struct net_hdr));
    s->timers = g_ptr_array_new();
    s->guestfwds = g_ptr_array_new_with_free_func(guestfwd_free);
    if (user_net_parse(c, what, &s->conf, err) && start(s, c, what, err)) {
        net_kick(&s->net);
        return &s->dev;
    }
    user_free(&s->dev);
    return NULL;
}

/* --- the monitor's --------------------------------------------------------------------------------------- */

struct user_call {
    struct user_netdev *s;
    const char *rule;
    struct user_fwd fwd;
    char *text;
    bool ok;
    GError **err;
};

static void call_info(void *opaque)
{
    struct user_call *c = opaque;

    c->text = slirp_connection_info(c->s->slirp);
}

static char *list_connections(struct netdev *dev)
{
    struct user_call c = { .s = user_of(dev) };

    net_call(&c.s->net, call_info, &c);
    return c.text;
}

static void call_add(void *opaque)
{
    struct user_call *c = opaque;

    c->ok = add_fwd(c->s, c->rule, c->err);
}

static bool add_hostfwd(struct netdev *dev, const char *rule, GError **err)
{
    struct user_call c = { .s = user_of(dev), .rule = rule, .err = err };

    net_call(&c.s->net, call_add, &c);
    net_kick(&c.s->net); /* the new socket is to be polled */
    return c.ok;
}

static void call_remove(void *opaque)
{
    struct user_call *c = opaque;
    bool v6 = c->fwd.host.ss_family == AF_INET6;
    socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    c->ok = slirp_remove_hostxfwd(c->s->slirp, (struct sockaddr *) &c->fwd.host, len,
                                  (c->fwd.udp ? SLIRP_HOSTFWD_UDP : 0) | (v6 ? SLIRP_HOSTFWD_V6ONLY : 0)) == 0;
}

static bool remove_hostfwd(struct netdev *dev, const char *rule, GError **err)
{
    struct user_call c = { .s = user_of(dev) };

    if (!user_fwd_parse(rule, true, &c.fwd, err))
        return false;
    net_call(&c.s->net, call_remove, &c);
    return c.ok || fail(err, "nothing is forwarded from '%s'", rule);
}

const struct user_module bantam_slirp = { user_open, list_connections, add_hostfwd, remove_hostfwd };
