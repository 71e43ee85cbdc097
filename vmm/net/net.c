/* vmm/net/net.c - between NICs and network backends: headers, offloads, link, statistics, the registry. */
#include "vmm/net/net.h"
#include "vmm/core/eventfd.h"

static bool flag(const bool *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void set_flag(bool *p, bool v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* Written by one thread, read by the monitor. */
static void count(uint64_t *p, uint64_t n)
{
    __atomic_store_n(p, *p + n, __ATOMIC_RELAXED);
}

void net_count_drop(struct net_stats *s)
{
    count(&s->dropped, 1);
}

static void count_frame(struct net_stats *s, size_t len)
{
    count(&s->frames, 1);
    count(&s->bytes, len);
}

/* --- iovecs ------------------------------------------------------------------------------------ */

size_t iov_copy_out(const struct iovec *iov, unsigned niov, size_t off, void *buf, size_t len)
{
    size_t done = 0;

    for (; niov && done < len; iov++, niov--) {
        if (off >= iov->iov_len) {
            off -= iov->iov_len;
            continue;
        }
        size_t n = MIN(iov->iov_len - off, len - done);
        memcpy((char *) buf + done, (const char *) iov->iov_base + off, n);
        done += n;
        off = 0;
    }
    return done;
}

unsigned iov_skip(struct iovec *to, const struct iovec *iov, unsigned niov, size_t off)
{
    unsigned n = 0;

    for (; niov; iov++, niov--) {
        if (off >= iov->iov_len) {
            off -= iov->iov_len;
            continue;
        }
        to[n++] = (struct iovec){ (char *) iov->iov_base + off, iov->iov_len - off };
        off = 0;
    }
    return n;
}

/* --- kicks -------------------------------------------------------------------------------------- */

static void kicked(void *opaque)
{
    struct net *n = opaque;

    set_flag(&n->kick_pending, false);
    if (n->ops->work)
        n->ops->work(n);
}

static void kick_make(void *opaque)
{
    struct net *n = opaque;

    n->kick = exec_add_event(n->exec, n->kick_fd, kicked, n);
    exec_fd_may_nest(n->kick); /* spares two wake-ups; work() turns no loop */
}

static void kick_drop(struct net *n)
{
    exec_fd_remove(n->kick);
    n->kick = NULL;
}

void net_kick(struct net *n)
{
    if (!__atomic_exchange_n(&n->kick_pending, true, __ATOMIC_SEQ_CST))
        event_signal(n->kick_fd);
}

struct call {
    void (*fn)(void *opaque);
    void *opaque;
    GMutex mutex;
    GCond cond;
    bool done;
};

static void do_call(void *opaque)
{
    struct call *c = opaque;

    c->fn(c->opaque);
    g_mutex_lock(&c->mutex);
    c->done = true;
    g_cond_signal(&c->cond);
    g_mutex_unlock(&c->mutex);
}

void net_call(struct net *n, void (*fn)(void *opaque), void *opaque)
{
    struct call c = { fn, opaque };

    if (n->exec->main) {
        fn(opaque);
        return;
    }
    g_mutex_init(&c.mutex);
    g_cond_init(&c.cond);
    exec_post(n->exec, do_call, &c);
    g_mutex_lock(&c.mutex);
    while (!c.done)
        g_cond_wait(&c.cond, &c.mutex);
    g_mutex_unlock(&c.mutex);
    g_mutex_clear(&c.mutex);
    g_cond_clear(&c.cond);
}

/* --- making and freeing -------------------------------------------------------------------------- */

static void nothing(void *opaque)
{
    (void) opaque;
}

static void phase(void *opaque, enum vm_phase phase)
{
    struct netdev *dev = opaque;

    if (phase == PHASE_STOPPED) {
        set_flag(&dev->stopped, true);
        for (unsigned i = 0; i < dev->n_queues; i++)
            net_call(dev->queues[i], nothing, NULL); /* what was being delivered is */
    } else if (phase == PHASE_CONTINUE) {
        set_flag(&dev->stopped, false);
        for (unsigned i = 0; i < dev->n_queues; i++)
            net_kick(dev->queues[i]);
    }
}

void netdev_init(struct netdev *dev, struct vm *vm, const struct net_ops *ops, const char *id, const char *type)
{
    dev->ops = ops;
    dev->vm = vm;
    dev->id = g_strdup(id);
    dev->type = type;
    dev->link_up = true;
    dev->stopped = !vm_running(vm);
    dev->filters = g_ptr_array_new();
    dev->notifier = (struct vm_notifier){ .fn = phase, .opaque = dev };
    vm_add_notifier(vm, &dev->notifier);
    if (id)
        g_hash_table_insert(vm->netdevs, dev->id, dev);
}

void net_init(struct net *n, struct netdev *dev)
{
    g_assert(dev->n_queues < NET_MAX_QUEUES);
    n->ops = dev->ops;
    n->dev = dev;
    n->index = dev->n_queues;
    n->exec = &dev->vm->main;
    n->waits_rx = true;
    dev->queues[dev->n_queues++] = n;
    GError *err = NULL;
    n->kick_fd = event_new(&err);
    if (n->kick_fd < 0)
        g_error("netdev '%s': %s", dev->id, err->message); /* as when memory is out */
    kick_make(n);
}

void netdev_clear(struct netdev *dev)
{
    for (unsigned i = 0; i < dev->n_queues; i++) {
        kick_drop(dev->queues[i]);
        event_close(&dev->queues[i]->kick_fd);
    }
    dev->n_queues = 0;
    vm_remove_notifier(dev->vm, &dev->notifier);
    if (dev->id && g_hash_table_lookup(dev->vm->netdevs, dev->id) == dev)
        g_hash_table_remove(dev->vm->netdevs, dev->id);
    g_ptr_array_free(dev->filters, TRUE);
    g_clear_pointer(&dev->id, g_free);
    g_clear_pointer(&dev->nic_info, g_free);
}

void netdev_free(struct netdev *dev)
{
    if (dev)
        dev->ops->free(dev);
}

void netdev_free_all(struct vm *vm)
{
    GList *all = g_hash_table_get_values(vm->netdevs);

    for (int port = 1; port >= 0; port--)
        for (GList *l = all; l; l = l->next)
            if (l->data && ((struct netdev *) l->data)->is_port == port)
                netdev_free(g_steal_pointer(&l->data));
    g_list_free(all);
}

struct netdev *netdev_find(struct vm *vm, const char *id)
{
    return g_hash_table_lookup(vm->netdevs, id);
}

/* --- a NIC without a cable ------------------------------------------------------------------------ */

struct null_netdev {
    struct netdev dev;
    struct net net;
};

static enum net_result null_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    (void) n, (void) iov, (void) niov, (void) len, (void) more;
    return NET_DROPPED;
}

static void null_leave(struct net *n)
{
    (void) n;
}

static void null_free(struct netdev *dev)
{
    netdev_clear(dev);
    g_free(dev);
}

static const struct net_ops null_ops = { .send = null_send, .leave = null_leave, .free = null_free };

static struct netdev *null_new(struct vm *vm)
{
    struct null_netdev *s = g_new0(struct null_netdev, 1);

    netdev_init(&s->dev, vm, &null_ops, NULL, "none");
    net_init(&s->net, &s->dev);
    return &s->dev;
}

/* --- NICs ------------------------------------------------------------------------------------------ */

struct net *net_attach(struct device *d, struct netdev *dev, unsigned queue, const struct nic_ops *ops, void *opaque,
                       GError **err)
{
    if (!dev)
        dev = null_new(d->vm);
    if (dev->hub_port || (dev->nic && dev->nic != d)) {
        fail(err, "%s: netdev '%s' is already used by '%s'", d->name, dev->id,
             dev->nic ? dev->nic->name : dev->hub_port->dev->id);
        return NULL;
    }
    if (queue >= dev->n_queues || dev->queues[queue]->nic) {
        if (queue >= dev->n_queues)
            fail(err, "%s: netdev '%s' has no more than %u queues", d->name, dev->id ? dev->id : "none", dev->n_queues);
        else
            fail(err, "%s: netdev '%s' is already used", d->name, dev->id);
        if (!dev->id)
            netdev_free(dev);
        return NULL;
    }
    struct net *n = dev->queues[queue];
    dev->nic = d;
    n->nic = ops;
    n->nic_opaque = opaque;
    n->enabled = true;
    if (!queue)
        g_ptr_array_add(d->vm->nics, dev);
    net_kick(n);
    return n;
}

void net_plug_port(struct net *n, struct net *port, const struct nic_ops *ops, void *opaque)
{
    n->dev->hub_port = port;
    n->nic = ops;
    n->nic_opaque = opaque;
    n->enabled = ops != NULL;
    net_kick(n);
}

static bool in_use(const struct netdev *dev)
{
    for (unsigned i = 0; i < dev->n_queues; i++)
        if (dev->queues[i]->nic)
            return true;
    return false;
}

void net_detach(struct net *n)
{
    if (!n || !n->nic)
        return;
    struct netdev *dev = n->dev;
    net_set_exec(n, &dev->vm->main);
    net_set_hdr(n, 0);
    n->nic = NULL;
    n->nic_opaque = NULL;
    n->enabled = false;
    set_flag(&n->waits_tx, false);
    if (!n->index)
        g_ptr_array_remove(dev->vm->nics, dev);
    if (in_use(dev))
        return;
    dev->nic = NULL;
    g_clear_pointer(&dev->nic_info, g_free);
    if (!dev->id)
        netdev_free(dev);
}

void net_default_mac(struct vm *vm, uint8_t mac[6])
{
    static const uint8_t base[5] = { 0x52, 0x54, 0x00, 0x12, 0x34 };
    enum { FIRST = 0x56 };

    if (!memcmp(mac, (const uint8_t[6]){ 0 }, 6)) {
        unsigned i = 0;
        while (i < 255 && vm->macs_used[(FIRST + i) & 0xff])
            i++;
        memcpy(mac, base, 5);
        mac[5] = (uint8_t) (FIRST + i);
    }
    if (!memcmp(mac, base, 5))
        vm->macs_used[mac[5]] = true;
}

void net_set_info(struct net *n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_free(n->dev->nic_info);
    n->dev->nic_info = g_strdup_vprintf(fmt, ap);
    va_end(ap);
}

static void leave(void *opaque)
{
    struct net *n = opaque;

    n->ops->leave(n);
    kick_drop(n);
}

bool net_set_exec(struct net *n, struct exec *e)
{
    if (n->exec == e)
        return true;
    if (!n->ops->leave)
        return false;
    net_call(n, leave, n);
    n->exec = e;
    net_call(n, kick_make, n);
    net_kick(n);
    return true;
}

void net_set_hdr(struct net *n, unsigned len)
{
    n->nic_hdr = (uint8_t) len;
    n->hdr = n->ops->set_hdr && n->ops->set_hdr(n, len) ? (uint8_t) len : 0;
    if (!len)
        net_set_offload(n, 0);
}

void net_set_offload(struct net *n, unsigned offload)
{
    if (n->ops->set_offload)
        n->ops->set_offload(n, n->hdr ? offload & n->dev->can_receive : 0);
}

void net_set_enabled(struct net *n, bool on)
{
    if (n->enabled == on)
        return;
    n->enabled = on;
    if (n->ops->set_enabled)
        n->ops->set_enabled(n, on);
    if (on)
        net_accept(n);
}

bool net_link_up(const struct net *n)
{
    return flag(&n->dev->link_up);
}

unsigned netdev_n_queues(const struct netdev *dev)
{
    return dev ? dev->n_queues : 1;
}

unsigned netdev_can_send(const struct netdev *dev)
{
    return dev ? dev->can_send : 0;
}

unsigned netdev_can_receive(const struct netdev *dev)
{
    return dev ? dev->can_receive : 0;
}

void netdev_set_link(struct netdev *dev, bool up)
{
    if (flag(&dev->link_up) == up)
        return;
    set_flag(&dev->link_up, up);
    if (dev->ops->link_changed)
        dev->ops->link_changed(dev);
    struct net *n = dev->queues[0];
    if (n->nic && n->nic->link_changed)
        n->nic->link_changed(n->nic_opaque, up);
    for (unsigned i = 0; i < dev->n_queues; i++)
        net_kick(dev->queues[i]);
}

/* --- frames ---------------------------------------------------------------------------------------- */

static void show(struct net *n, bool sent, unsigned hdr, const struct iovec *iov, unsigned niov, size_t len)
{
    for (unsigned i = 0; i < n->dev->filters->len; i++) {
        struct net_filter *f = n->dev->filters->pdata[i];
        f->frame(f, n, sent, hdr, iov, niov, len);
    }
}

static enum net_result drop(struct net_stats *s)
{
    net_count_drop(s);
    return NET_DROPPED;
}

/* The backend has no header: what the NIC's says must need nothing. */
static bool plain(struct net *n, const struct iovec *iov, unsigned niov)
{
    uint8_t h[2] = { 0 };

    return iov_copy_out(iov, niov, 0, h, 2) == 2 && !(h[0] & NET_HDR_NEEDS_CSUM) && h[1] == NET_GSO_NONE &&
           n->nic_hdr;
}

enum net_result net_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    struct iovec part[NET_MAX_IOV];
    size_t frame = len - n->nic_hdr;

    if (len < n->nic_hdr || frame < NET_MIN_FRAME || frame > NET_MAX_FRAME || niov > NET_MAX_IOV || !n->enabled ||
        !flag(&n->dev->link_up))
        return drop(&n->sent);
    if (n->nic_hdr && !n->hdr) {
        if (!plain(n, iov, niov))
            return drop(&n->sent);
        niov = iov_skip(part, iov, niov, n->nic_hdr);
        iov = part;
        len = frame;
    }
    enum net_result r = n->ops->send(n, iov, niov, len, more);
    if (r == NET_BUSY) {
        set_flag(&n->waits_tx, true);
        return r;
    }
    if (r == NET_DROPPED)
        return drop(&n->sent);
    count_frame(&n->sent, frame);
    if (G_UNLIKELY(n->dev->filters->len))
        show(n, true, n->hdr, iov, niov, len);
    return r;
}

void net_flush(struct net *n)
{
    if (n->ops->flush)
        n->ops->flush(n);
}

void net_accept(struct net *n)
{
    if (flag(&n->waits_rx))
        net_kick(n);
}

bool net_rx_begin(struct net *n)
{
    exec_enter(n->exec);
    if (n->nic && n->enabled && !flag(&n->dev->stopped) &&
        (!n->nic->can_receive || n->nic->can_receive(n->nic_opaque))) {
        set_flag(&n->waits_rx, false);
        return true;
    }
    set_flag(&n->waits_rx, true);
    exec_leave(n->exec);
    return false;
}

enum net_result net_deliver(struct net *n, const struct iovec *iov, unsigned niov, size_t len)
{
    static const struct net_hdr none; /* zeroes */
    struct iovec part[NET_MAX_IOV + 1];
    size_t frame = len - n->hdr;

    if (len < n->hdr || frame < NET_MIN_FRAME || frame > NET_MAX_FRAME || niov > NET_MAX_IOV || !flag(&n->dev->link_up))
        return drop(&n->received);
    if (n->nic_hdr && !n->hdr) {
        part[0] = (struct iovec){ (void *) &none, n->nic_hdr };
        memcpy(part + 1, iov, niov * sizeof *iov);
        niov++;
        len += n->nic_hdr;
    }
    enum net_result r = n->nic->receive(n->nic_opaque, n->nic_hdr && !n->hdr ? part : iov, niov, len);
    if (r == NET_BUSY) {
        set_flag(&n->waits_rx, true);
        return r;
    }
    if (r == NET_DROPPED)
        return drop(&n->received);
    count_frame(&n->received, frame);
    if (G_UNLIKELY(n->dev->filters->len))
        show(n, false, n->nic_hdr, n->nic_hdr && !n->hdr ? part : iov, niov, len);
    return r;
}

void net_rx_end(struct net *n)
{
    if (n->nic->received)
        n->nic->received(n->nic_opaque);
    exec_leave(n->exec);
}

void net_writable(struct net *n)
{
    if (!flag(&n->waits_tx))
        return;
    exec_enter(n->exec);
    set_flag(&n->waits_tx, false);
    if (n->nic && n->nic->writable)
        n->nic->writable(n->nic_opaque);
    exec_leave(n->exec);
}
