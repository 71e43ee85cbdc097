/* hw/virtio/virtio_net.c - virtio-net, a network card: features, configuration, life.
 *
 * Source: virtio 1.2, 5.1, with the legacy interface (5.1.4.3, 5.1.6.6).
 * Deviations: no receive-side scaling, no hash reports (rss=, hash=), no interrupt coalescing (VIRTIO_NET_F_NOTF_COAL),
 * no segmentation of UDP into datagrams (USO), no standby (failover=).  With a multi-queue backend the host's side
 * says which queue a frame comes in by.
 * Checksums and segmentation are offered whatever the backend can do: what it can't is done here.  Those that are
 * the driver's (GUEST_*) are offered when the backend has a use for them. */
#include "hw/virtio/virtio_net.h"
#include "vmm/core/iothread.h"
#include "vmm/net/offload.h"

const struct state virtio_net_state[] = {
    STATE_STRUCT(struct virtio_net, v, virtio_dev_state),
    STATE_STRUCT(struct virtio_net, filter, vnet_filter_state),
    STATE_U64(struct virtio_net, offloads),
    STATE_U16(struct virtio_net, n_used),
    STATE_BOOL(struct virtio_net, announce),
    STATE_HOST(struct virtio_net, pairs),
    STATE_HOST(struct virtio_net, n_pairs),
    STATE_HOST(struct virtio_net, n_wired),
    STATE_HOST(struct virtio_net, mac_now),
    STATE_HOST(struct virtio_net, merge),
    STATE_HOST(struct virtio_net, hdr_len),
    STATE_HOST(struct virtio_net, thread),
    { 0 },
};

static struct virtio_net *net_of(struct virtio_dev *v)
{
    return container_of(v, struct virtio_net, v);
}

/* --- what follows from what the driver chose --------------------------------------------------------------- */

void vnet_publish_mac(struct virtio_net *s)
{
    uint64_t bits = 0;

    memcpy(&bits, s->filter.mac, 6);
    __atomic_store_n(&s->mac_now, bits, __ATOMIC_RELAXED);
}

void vnet_apply_offloads(struct virtio_net *s)
{
    static const struct {
        unsigned bit, flag;
    } map[] = { { VIRTIO_NET_F_GUEST_TSO4, NET_TSO4 }, { VIRTIO_NET_F_GUEST_TSO6, NET_TSO6 },
                { VIRTIO_NET_F_GUEST_ECN, NET_ECN }, { VIRTIO_NET_F_GUEST_UFO, NET_UFO } };
    unsigned flags = 0;

    if (s->offloads >> VIRTIO_NET_F_GUEST_CSUM & 1) {
        flags = NET_CSUM;
        for (unsigned i = 0; i < G_N_ELEMENTS(map); i++)
            flags |= s->offloads >> map[i].bit & 1 ? map[i].flag : 0;
    }
    for (unsigned i = 0; i < s->n_wired; i++)
        net_set_offload(s->pairs[i].net, flags);
}

void vnet_apply_pairs(struct virtio_net *s)
{
    for (unsigned i = 0; i < s->n_wired; i++)
        net_set_enabled(s->pairs[i].net, i < s->n_used);
}

static void derive(struct virtio_net *s)
{
    s->merge = virtio_has(&s->v, VIRTIO_NET_F_MRG_RXBUF);
    s->hdr_len = s->merge || virtio_has(&s->v, VIRTIO_F_VERSION_1) ? VNET_HDR : VNET_HDR_LEGACY;
}

static void negotiated(struct virtio_dev *v)
{
    struct virtio_net *s = net_of(v);

    derive(s);
    s->offloads = v->features & VNET_GUEST_OFFLOADS;
    vnet_filter_reset(&s->filter, s->filter.mac, virtio_has(v, VIRTIO_NET_F_CTRL_VLAN));
}

/* --- features and configuration ------------------------------------------------------------------------------ */

static uint64_t features(struct virtio_dev *v)
{
    const struct virtio_net *s = net_of(v);
    unsigned from = netdev_can_receive(s->netdev);
    bool tx = s->csum, rx = s->guest_csum, ctrl = s->ctrl_vq;
    const struct {
        unsigned bit;
        bool on;
    } all[] = {
        { VIRTIO_NET_F_MAC, true },
        { VIRTIO_NET_F_CSUM, tx },
        { VIRTIO_NET_F_GSO, tx && s->gso },
        { VIRTIO_NET_F_HOST_TSO4, tx && s->host_tso4 },
        { VIRTIO_NET_F_HOST_TSO6, tx && s->host_tso6 },
        { VIRTIO_NET_F_HOST_ECN, tx && s->host_ecn && (s->host_tso4 || s->host_tso6) },
        { VIRTIO_NET_F_HOST_UFO, tx && s->host_ufo },
        { VIRTIO_NET_F_GUEST_CSUM, rx },
        { VIRTIO_NET_F_GUEST_TSO4, rx && s->guest_tso4 && from & NET_TSO4 },
        { VIRTIO_NET_F_GUEST_TSO6, rx && s->guest_tso6 && from & NET_TSO6 },
        { VIRTIO_NET_F_GUEST_ECN, rx && s->guest_ecn && from & NET_ECN && (s->guest_tso4 || s->guest_tso6) },
        { VIRTIO_NET_F_GUEST_UFO, rx && s->guest_ufo && from & NET_UFO },
        { VIRTIO_NET_F_MRG_RXBUF, s->mrg_rxbuf },
        { VIRTIO_NET_F_STATUS, s->has_status },
        { VIRTIO_NET_F_MTU, s->host_mtu != 0 },
        { VIRTIO_NET_F_SPEED_DUPLEX, s->speed >= 0 || s->duplex },
        { VIRTIO_NET_F_CTRL_VQ, ctrl },
        { VIRTIO_NET_F_CTRL_RX, ctrl && s->ctrl_rx },
        { VIRTIO_NET_F_CTRL_VLAN, ctrl && s->ctrl_vlan },
        { VIRTIO_NET_F_CTRL_RX_EXTRA, ctrl && s->ctrl_rx_extra },
        { VIRTIO_NET_F_CTRL_MAC_ADDR, ctrl && s->ctrl_mac_addr },
        { VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, ctrl && s->ctrl_guest_offloads },
        { VIRTIO_NET_F_GUEST_ANNOUNCE, ctrl && s->guest_announce && s->has_status },
        { VIRTIO_NET_F_MQ, ctrl && s->n_pairs > 1 },
    };
    uint64_t bits = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        bits |= (uint64_t) all[i].on << all[i].bit;
    return bits;
}

enum { CFG_MAC = 0, CFG_STATUS = 6, CFG_MAX_PAIRS = 8, CFG_MTU = 10, CFG_SPEED = 12, CFG_DUPLEX = 16, CFG_END = 17 };
enum { DUPLEX_HALF, DUPLEX_FULL, DUPLEX_UNKNOWN = 0xff };

static void get_config(struct virtio_dev *v, uint8_t *cfg)
{
    struct virtio_net *s = net_of(v);
    uint8_t c[CFG_END] = { 0 };
    uint64_t mac = __atomic_load_n(&s->mac_now, __ATOMIC_RELAXED);

    memcpy(c + CFG_MAC, &mac, 6);
    st_le16(c + CFG_STATUS, (net_link_up(s->pairs[0].net) ? VNET_S_LINK_UP : 0) |
                            (__atomic_load_n(&s->announce, __ATOMIC_ACQUIRE) ? VNET_S_ANNOUNCE : 0));
    st_le16(c + CFG_MAX_PAIRS, s->n_pairs);
    st_le16(c + CFG_MTU, s->host_mtu);
    st_le32(c + CFG_SPEED, (uint32_t) s->speed);
    c[CFG_DUPLEX] = !s->duplex ? DUPLEX_UNKNOWN : !strcmp(s->duplex, "full") ? DUPLEX_FULL : DUPLEX_HALF;
    memcpy(cfg, c, MIN(sizeof c, v->config_size));
}

struct new_mac {
    struct virtio_net *s;
    const uint8_t *mac;
};

static void set_mac(void *opaque)
{
    struct new_mac *m = opaque;

    memcpy(m->s->filter.mac, m->mac, 6);
    vnet_publish_mac(m->s);
}

/* A legacy driver writes its address, byte by byte; later ones have a command for that. */
static void set_config(struct virtio_dev *v, const uint8_t *cfg, unsigned off, unsigned len)
{
    struct new_mac m = { net_of(v), cfg + CFG_MAC };

    (void) len;
    if (off < 6 && !virtio_has(v, VIRTIO_F_VERSION_1) && !virtio_has(v, VIRTIO_NET_F_CTRL_MAC_ADDR))
        virtio_call(v, set_mac, &m);
}

static uint32_t config_size(const struct virtio_net *s)
{
    return s->speed >= 0 || s->duplex ? CFG_END : s->host_mtu ? CFG_SPEED : s->n_pairs > 1 ? CFG_MTU :
        s->has_status ? CFG_MAX_PAIRS : CFG_STATUS;
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static bool check_queue_size(const char *what, unsigned n, unsigned min, GError **err)
{
    if (n < min || n > VIRTQ_MAX_SIZE || (n & (n - 1)))
        return fail(err, "%s=%u: must be a power of two from %u to %u", what, n, min, VIRTQ_MAX_SIZE);
    return true;
}

static bool check_props(const struct virtio_net *s, GError **err)
{
    enum { MIN_QUEUE = 256, MIN_MTU = 68 };

    if (s->rss || s->hash)
        return fail(err, "%s=on: receive-side scaling is not built; use mq=on with a multi-queue netdev",
                    s->rss ? "rss" : "hash");
    if (s->failover)
        return fail(err, "failover=on: a standby for a passed-through card is not built");
    if (s->tx && strcmp(s->tx, "bh") != 0)
        return fail(err, "tx=%s: frames are sent at once (tx=bh); there is no timer to wait with", s->tx);
    if (s->host_mtu && s->host_mtu < MIN_MTU)
        return fail(err, "host_mtu=%u: must be 0 (none) or %u and up", s->host_mtu, MIN_MTU);
    if (s->speed < -1)
        return fail(err, "speed=%d: must be -1 (unknown) or Mbit/s", s->speed);
    if (s->duplex && strcmp(s->duplex, "half") != 0 && strcmp(s->duplex, "full") != 0)
        return fail(err, "duplex=%s: must be half or full", s->duplex);
    return check_queue_size("rx_queue_size", s->rx_queue_size, MIN_QUEUE, err) &&
           check_queue_size("tx_queue_size", s->tx_queue_size, MIN_QUEUE, err);
}

static bool add_pair(struct virtio_net *s, unsigned i, GError **err)
{
    struct vnet_pair *p = &s->pairs[i];

    p->s = s;
    p->index = i;
    if (i < s->n_pairs) {
        virtio_add_queue(&s->v, s->rx_queue_size);
        virtio_add_queue(&s->v, s->tx_queue_size);
        p->rx_bufs = g_new0(struct virtq_buf *, VIRTQ_MAX_SIZE);
        p->iov = g_new0(struct iovec, NET_MAX_IOV);
        p->gso = g_new0(struct gso, 1);
    }
    p->net = net_attach(s->v.dev, s->netdev, i, &vnet_nic_ops, p, err);
    if (!p->net)
        return false;
    s->n_wired++;
    if (i)
        net_set_enabled(p->net, false);
    return true;
}

/* All queues work in one thread: it is the backend's that is moved. */
static bool find_thread(struct virtio_net *s, GError **err)
{
    struct virtio_dev *v = &s->v;
    unsigned i = 0;

    s->thread = iothread_attach(v->dev->vm, s->iothread, s->netdev ? s->netdev->id : v->dev->name, err);
    if (!s->thread)
        return false;
    while (i < s->n_wired && net_set_exec(s->pairs[i].net, s->thread))
        i++;
    if (i == s->n_wired) {
        v->exec = s->thread;
        return true;
    }
    while (i--)
        net_set_exec(s->pairs[i].net, &v->dev->vm->main);
    iothread_detach(s->thread);
    s->thread = NULL;
    if (s->iothread)
        return fail(err, "iothread=%s: netdev '%s' can't work in one", s->iothread->id, s->netdev->id);
    return true;
}

static bool realize(struct virtio_dev *v, GError **err)
{
    enum { CONTROL_QUEUE = 64 };
    struct virtio_net *s = net_of(v);
    unsigned queues = netdev_n_queues(s->netdev);

    if (!check_props(s, err))
        return false;
    net_default_mac(v->dev->vm, s->mac);
    s->n_pairs = s->mq ? (uint16_t) queues : 1;
    s->n_used = 1;
    s->pairs = g_new0(struct vnet_pair, queues);
    for (unsigned i = 0; i < queues; i++)
        if (!add_pair(s, i, err))
            return false;
    if (s->ctrl_vq)
        virtio_add_queue(v, CONTROL_QUEUE);
    for (unsigned i = 0; i < s->n_pairs; i++) { /* they stay where they are from now on */
        s->pairs[i].rx = &v->q[2 * i];
        s->pairs[i].tx = &v->q[2 * i + 1];
        v->q[2 * i].opaque = v->q[2 * i + 1].opaque = &s->pairs[i];
    }
    v->config_size = config_size(s);
    vnet_filter_reset(&s->filter, s->mac, false);
    vnet_publish_mac(s);
    net_set_info(s->pairs[0].net, "model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x", v->dev->cls->name, s->mac[0],
                 s->mac[1], s->mac[2], s->mac[3], s->mac[4], s->mac[5]);
    return find_thread(s, err) && device_add_boot(v->dev, s->bootindex, "/ethernet-phy@0", err);
}

static void unrealize(struct virtio_dev *v)
{
    struct virtio_net *s = net_of(v);

    for (unsigned i = 0; s->pairs && i < netdev_n_queues(s->netdev); i++) {
        struct vnet_pair *p = &s->pairs[i];
        net_detach(p->net);
        g_free(p->rx_bufs);
        g_free(p->iov);
        g_free(p->flat);
        g_free(p->gso);
    }
    g_clear_pointer(&s->pairs, g_free);
    s->n_wired = 0;
    iothread_detach(s->thread);
    s->thread = NULL;
}

/* Without MQ the control queue is the third, however many there are. */
static struct virtq *control_queue(struct virtio_net *s)
{
    unsigned i = virtio_has(&s->v, VIRTIO_NET_F_MQ) ? 2u * s->n_pairs : 2;

    return virtio_has(&s->v, VIRTIO_NET_F_CTRL_VQ) && i < s->v.n_queues ? &s->v.q[i] : NULL;
}

static void handle_queue(struct virtio_dev *v, struct virtq *q)
{
    struct virtio_net *s = net_of(v);

    if (q == control_queue(s)) {
        vnet_control(s, q);
        return;
    }
    struct vnet_pair *p = q->opaque;
    if (!p || p->index >= s->n_used)
        return;
    if (q == p->tx)
        vnet_transmit(p);
    else
        net_accept(p->net);
}

static void start(struct virtio_dev *v)
{
    struct virtio_net *s = net_of(v);

    for (unsigned i = 0; i < s->n_wired; i++)
        net_set_hdr(s->pairs[i].net, s->hdr_len);
    vnet_apply_offloads(s);
    vnet_apply_pairs(s);
    if (__atomic_load_n(&s->announce, __ATOMIC_ACQUIRE))
        virtio_config_changed(v);
}

static void stop(struct virtio_dev *v)
{
    (void) v; /* no buffer is held between two frames */
}

static void reset(struct virtio_dev *v)
{
    struct virtio_net *s = net_of(v);

    s->offloads = 0;
    s->n_used = 1;
    s->announce = false;
    for (unsigned i = 0; i < s->n_wired; i++)
        s->pairs[i].tx_pieces = 0;
    vnet_filter_reset(&s->filter, s->mac, false);
    vnet_publish_mac(s);
    derive(s);
}

static bool post_load(struct virtio_dev *v)
{
    struct virtio_net *s = net_of(v);

    if (!s->n_used || s->n_used > (virtio_has(v, VIRTIO_NET_F_MQ) ? s->n_pairs : 1) ||
        s->offloads & ~(v->features & VNET_GUEST_OFFLOADS))
        return false;
    derive(s);
    vnet_publish_mac(s);
    for (unsigned i = 0; i < s->n_wired; i++)
        s->pairs[i].tx_pieces = 0;
    return true;
}

static void describe(const struct virtio_dev *v, GString *out)
{
    const struct virtio_net *s = container_of(v, struct virtio_net, v);
    const uint8_t *m = s->filter.mac;

    g_string_append_printf(out, "    mac %02x:%02x:%02x:%02x:%02x:%02x, %u of %u queue pairs, offloads %#" PRIx64 "\n",
                           m[0], m[1], m[2], m[3], m[4], m[5], s->n_used, s->n_pairs, s->offloads);
    for (unsigned i = 0; s->pairs && i < s->n_used; i++) {
        const struct vnet_pair *p = &s->pairs[i];
        g_string_append_printf(out, "    pair %u: sent %" PRIu64 ", segmented %" PRIu64 ", waited %" PRIu64
                               ", dropped %" PRIu64 "; received %" PRIu64 ", filtered %" PRIu64 ", no buffers %" PRIu64
                               ", dropped %" PRIu64 "\n", i, p->net->sent.frames, p->tx_stats.segmented,
                               p->tx_stats.busy, p->tx_stats.dropped, p->net->received.frames, p->rx_stats.filtered,
                               p->rx_stats.no_buffers, p->rx_stats.dropped);
    }
}

const struct virtio_class virtio_net_vclass = {
    .name = "virtio-net",
    .id = VIRTIO_ID_NET,
    .config_size = CFG_END,
    .req_size = sizeof(struct virtq_buf),
    .rom = "efi-virtio.rom",
    .realize = realize,
    .unrealize = unrealize,
    .features = features,
    .negotiated = negotiated,
    .get_config = get_config,
    .set_config = set_config,
    .handle_queue = handle_queue,
    .start = start,
    .stop = stop,
    .reset = reset,
    .post_load = post_load,
    .describe = describe,
};
