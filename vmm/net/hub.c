/* vmm/net/hub.c - `hubport`: a port of a hub, which repeats each frame on all its other ports.
 *
 * Behind a port is a NIC, or another netdev (netdev=) to which the port is the NIC.  A hub exists as long as it has
 * ports; all of it lives in the main exec under the VM lock.  A frame waits in the ring of each port that it is for
 * until the loop delivers it.  When no port has room its sender is told to wait; when only some have, it is lost for
 * the others, as on a wire. */
#include "vmm/net/ring.h"
#include "vmm/net/netdev_impl.h"

enum { RING_SIZE = 256 << 10 };

struct hub {
    unsigned id;
    GPtrArray *ports;
};

struct hubport {
    struct netdev dev;
    struct net net;
    struct hub *hub;
    struct net *peer;       /* of netdev=; NULL: a NIC is attached to `net` */
    struct frame_ring ring; /* to what is behind this port */
    bool waits;             /* what is behind it was told NET_BUSY */
    bool blocked;           /* the peer is busy */
    bool missed;            /* the frame that is being repeated */
};

static const struct net_ops hub_ops;

static struct hubport *port_of(struct netdev *dev)
{
    return container_of(dev, struct hubport, dev);
}

/* --- repeating; VM lock held ---------------------------------------------------------------------- */

static enum net_result repeat(struct hubport *from, const struct iovec *iov, unsigned niov, size_t len)
{
    bool taken = false, full = false;
    GPtrArray *ports = from->hub->ports;

    for (unsigned i = 0; i < ports->len; i++) {
        struct hubport *p = ports->pdata[i];
        p->missed = false;
        if (p == from || (!p->peer && !p->net.nic))
            continue;
        if (ring_push(&p->ring, iov, niov, len)) {
            taken = true;
            net_kick(&p->net);
        } else {
            full = p->missed = true;
        }
    }
    if (!taken && full) {
        from->waits = true;
        return NET_BUSY;
    }
    for (unsigned i = 0; full && i < ports->len; i++) {
        struct hubport *p = ports->pdata[i];
        if (p->missed)
            net_count_drop(&p->net.received);
    }
    return taken ? NET_TAKEN : NET_DROPPED;
}

static enum net_result hub_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    (void) more;
    return repeat(port_of(n->dev), iov, niov, len);
}

static enum net_result peer_receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len)
{
    return repeat(opaque, iov, niov, len);
}

static void peer_writable(void *opaque)
{
    struct hubport *p = opaque;

    p->blocked = false;
    net_kick(&p->net);
}

static const struct nic_ops peer_ops = { .receive = peer_receive, .writable = peer_writable };

/* --- delivering; main thread, no lock ----------------------------------------------------------------- */

static void to_peer(struct hubport *p)
{
    struct ring_frame *f;

    exec_enter(p->net.exec);
    while (!p->blocked && (f = ring_peek(&p->ring))) {
        struct iovec iov = { f->data, f->len };
        bool more = p->ring.count > 1;
        if (net_send(p->peer, &iov, 1, f->len, more) == NET_BUSY) {
            p->blocked = true;
            break;
        }
        ring_pop(&p->ring);
    }
    net_flush(p->peer);
    exec_leave(p->net.exec);
}

static void to_nic(struct hubport *p)
{
    struct ring_frame *f;

    if (!net_rx_begin(&p->net))
        return;
    while ((f = ring_peek(&p->ring))) {
        if (net_deliver(&p->net, &(struct iovec){ f->data, f->len }, 1, f->len) == NET_BUSY)
            break;
        ring_pop(&p->ring);
    }
    net_rx_end(&p->net);
}

/* Who waits for room and is told next.  NULL: nobody. */
static struct hubport *next_waiting(struct hubport *p)
{
    struct hubport *found = NULL;

    exec_enter(p->net.exec);
    for (unsigned i = 0; !p->ring.count && !found && i < p->hub->ports->len; i++) {
        struct hubport *q = p->hub->ports->pdata[i];
        if (q != p && q->waits)
            found = q;
    }
    if (found)
        found->waits = false;
    exec_leave(p->net.exec);
    return found;
}

static void hub_work(struct net *n)
{
    struct hubport *p = port_of(n->dev), *q;

    if (p->peer)
        to_peer(p);
    else
        to_nic(p);
    while ((q = next_waiting(p))) {
        if (q->peer)
            net_accept(q->peer);
        else
            net_writable(&q->net);
    }
}

/* --- ports ------------------------------------------------------------------------------------------------ */

static struct hub *hub_get(struct vm *vm, unsigned id)
{
    GHashTableIter it;
    void *p;

    g_hash_table_iter_init(&it, vm->netdevs);
    while (g_hash_table_iter_next(&it, NULL, &p))
        if (netdev_is_hubport(p) && port_of(p)->hub && port_of(p)->hub->id == id)
            return port_of(p)->hub;
    struct hub *h = g_new0(struct hub, 1);
    h->id = id;
    h->ports = g_ptr_array_new();
    return h;
}

static void hub_describe(struct netdev *dev, GString *out)
{
    g_string_append_printf(out, ",hubid=%u", port_of(dev)->hub->id);
}

static void hub_free(struct netdev *dev)
{
    struct hubport *p = port_of(dev);

    if (p->peer)
        net_plug_port(p->peer, NULL, NULL, NULL);
    g_ptr_array_remove(p->hub->ports, p);
    if (!p->hub->ports->len) {
        g_ptr_array_free(p->hub->ports, TRUE);
        g_free(p->hub);
    }
    netdev_clear(dev);
    ring_clear(&p->ring);
    g_free(p);
}

static const struct net_ops hub_ops = { .send = hub_send, .work = hub_work, .describe = hub_describe,
                                        .free = hub_free };

struct netdev *hub_open(struct vm *vm, const struct netdev_config *c, GError **err)
{
    struct netdev *peer = c->netdev ? netdev_find(vm, c->netdev) : NULL;

    if (c->netdev && !peer) {
        fail(err, "netdev '%s': there is no netdev with id '%s'", c->id, c->netdev);
        return NULL;
    }
    if (peer && (peer->nic || peer->hub_port || peer->is_port)) {
        fail(err, "netdev '%s': netdev '%s' %s", c->id, c->netdev,
             peer->is_port ? "is a port of a hub itself" : "is already used");
        return NULL;
    }
    struct hubport *p = g_new0(struct hubport, 1);
    struct hub *h = hub_get(vm, c->hubid);
    netdev_init(&p->dev, vm, &hub_ops, c->id, "hubport");
    net_init(&p->net, &p->dev);
    p->dev.is_port = true;
    p->hub = h;
    g_ptr_array_add(h->ports, p);
    ring_init(&p->ring, RING_SIZE);
    if (peer) {
        p->peer = peer->queues[0];
        net_plug_port(p->peer, &p->net, &peer_ops, p);
        p->dev.hub_port = p->peer; /* no NIC on this port */
    }
    return &p->dev;
}

bool netdev_is_hubport(const struct netdev *dev)
{
    return dev->ops == &hub_ops;
}

unsigned hubport_hub(const struct netdev *dev)
{
    return port_of((struct netdev *) dev)->hub->id;
}

struct netdev *hubport_peer(const struct netdev *dev)
{
    struct net *peer = port_of((struct netdev *) dev)->peer;

    return peer ? peer->dev : NULL;
}
