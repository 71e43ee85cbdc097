/* hw/virtio/virtio_net_tx.c - virtio-net's transmit queues.
 *
 * What the driver leaves undone (checksums, segmentation) is passed on to a backend that does it, else done here.
 * When the backend can't take a frame, the chain goes back to the ring, and nothing is kept but the number of pieces
 * of it that went out. */
#include "hw/virtio/virtio_net.h"
#include "vmm/net/offload.h"

enum verdict { SENT, BUSY, DROPPED };

static enum verdict verdict(enum net_result r)
{
    return r == NET_BUSY ? BUSY : r == NET_TAKEN ? SENT : DROPPED;
}

static enum verdict bad(struct vnet_pair *p, const char *why)
{
    guest_error(p->s->v.dev, "a frame not sent: %s", why);
    return DROPPED;
}

static unsigned gso_flag(uint8_t type)
{
    unsigned ecn = type & NET_GSO_ECN ? NET_ECN : 0;

    switch (type & ~NET_GSO_ECN) {
    case NET_GSO_TCPV4: return NET_TSO4 | ecn;
    case NET_GSO_TCPV6: return NET_TSO6 | ecn;
    case NET_GSO_UDP:   return NET_UFO | ecn;
    }
    return 0;
}

/* p->iov[0] is kept free for our own header: what the backend is told. */
static enum verdict send_whole(struct vnet_pair *p, const struct net_hdr *h, unsigned n, size_t len, bool more)
{
    p->iov[0] = (struct iovec){ (void *) h, p->s->hdr_len };
    return verdict(net_send(p->net, p->iov, n + 1, len + p->s->hdr_len, more));
}

/* The vectors p->iov[1..n] with two bytes of them replaced; needs room for two more. */
static unsigned patch(struct vnet_pair *p, unsigned n, size_t at, uint16_t *bytes)
{
    struct iovec *iov = p->iov + 1;
    unsigned i = 0, parts;

    while (at >= iov[i].iov_len)
        at -= iov[i++].iov_len;
    struct iovec first = { iov[i].iov_base, at }, second = { NULL, 0 };
    size_t skip = at + 2;
    for (parts = i; parts < n && skip >= iov[parts].iov_len; parts++)
        skip -= iov[parts].iov_len;
    if (parts < n) {
        second = (struct iovec){ (uint8_t *) iov[parts].iov_base + skip, iov[parts].iov_len - skip };
        parts++;
    }
    memmove(iov + i + 3, iov + parts, (n - parts) * sizeof *iov);
    iov[i] = first;
    iov[i + 1] = (struct iovec){ bytes, 2 };
    iov[i + 2] = second;
    return i + 3 + n - parts;
}

static enum verdict send_summed(struct vnet_pair *p, const struct net_hdr *h, unsigned n, size_t len, bool more)
{
    static const struct net_hdr none; /* zeroes */
    uint16_t csum;
    size_t at;

    if (!csum_complete(h, p->iov + 1, n, len, &at, &csum))
        return bad(p, "its checksum is outside of it");
    return send_whole(p, &none, patch(p, n, at, &csum), len, more);
}

/* In pieces.  The frame's vectors are moved out of the way of the pieces'. */
static enum verdict send_pieces(struct vnet_pair *p, const struct net_hdr *h, const struct iovec *frame, unsigned n,
                                size_t len, bool more)
{
    static const struct net_hdr none;
    struct gso *g = p->gso;
    const char *why = NULL;

    if (!gso_start(g, h, frame, n, len, ++p->frag_id, &why))
        return bad(p, why);
    for (unsigned i = 0; i < p->tx_pieces && !gso_done(g); i++)
        gso_advance(g);
    p->tx_stats.segmented++;
    while (!gso_done(g)) {
        size_t piece;
        unsigned k = gso_build(g, p->iov + 1, NET_MAX_IOV - 1, &piece);
        bool last = g->pos + g->mss >= g->len;
        if (!k)
            return bad(p, "a piece of it is in too many parts");
        if (send_whole(p, &none, k, piece, more || !last) == BUSY)
            return BUSY;
        gso_advance(g);
        p->tx_pieces++;
    }
    return SENT;
}

/* A frame of so many parts that ours and the backend's vectors could not hold them, in one. */
static unsigned flatten(struct vnet_pair *p, struct virtq_buf *b, struct iovec *to)
{
    size_t len = b->out_len - p->s->hdr_len;

    if (!p->flat)
        p->flat = g_malloc(NET_MAX_FRAME);
    *to = (struct iovec){ p->flat, virtq_out(b, p->s->hdr_len, p->flat, len) };
    return 1;
}

static bool offloads_allowed(const struct virtio_net *s, const struct net_hdr *h)
{
    if (h->gso_type == NET_GSO_NONE)
        return true;
    unsigned need = gso_flag(h->gso_type), have = 0;
    if (virtio_has(&s->v, VIRTIO_NET_F_GSO))
        have |= NET_TSO4 | NET_TSO6 | NET_ECN | NET_UFO;
    have |= virtio_has(&s->v, VIRTIO_NET_F_HOST_TSO4) ? NET_TSO4 : 0;
    have |= virtio_has(&s->v, VIRTIO_NET_F_HOST_TSO6) ? NET_TSO6 : 0;
    have |= virtio_has(&s->v, VIRTIO_NET_F_HOST_ECN) ? NET_ECN : 0;
    have |= virtio_has(&s->v, VIRTIO_NET_F_HOST_UFO) ? NET_UFO : 0;
    return need && !(need & ~have);
}

/* It needs segmentation that the backend can't do. */
static enum verdict send_long(struct vnet_pair *p, const struct net_hdr *h, struct virtq_buf *b, bool more)
{
    struct iovec flat;

    if (b->out_num + 4 > NET_MAX_IOV)
        return send_pieces(p, h, &flat, flatten(p, b, &flat), b->out_len - p->s->hdr_len, more);
    virtq_trim_out(b, p->s->hdr_len);
    return send_pieces(p, h, b->iov, b->out_num, b->out_len, more);
}

static enum verdict send(struct vnet_pair *p, struct virtq_buf *b, bool more)
{
    struct virtio_net *s = p->s;
    unsigned can = netdev_can_send(s->netdev), n;
    struct net_hdr h = { 0 };
    size_t len = b->out_len - s->hdr_len;

    if (b->out_len < s->hdr_len + (size_t) NET_MIN_FRAME)
        return bad(p, "it is nothing but a header");
    if (len > NET_MAX_FRAME)
        return bad(p, "it is too long");
    virtq_out(b, 0, &h, s->hdr_len);
    h.num_buffers = 0;
    h.flags &= virtio_has(&s->v, VIRTIO_NET_F_CSUM) ? NET_HDR_NEEDS_CSUM : 0;
    if (!offloads_allowed(s, &h))
        return bad(p, "segmentation that was not negotiated");
    /* A backend that takes long frames but no checksums (NET_TSO4 without NET_CSUM) takes them as they are. */
    if (h.gso_type != NET_GSO_NONE && gso_flag(h.gso_type) & ~can)
        return send_long(p, &h, b, more);
    n = b->out_num + 4 > NET_MAX_IOV ? flatten(p, b, p->iov + 1) : iov_skip(p->iov + 1, b->iov, b->out_num, s->hdr_len);
    if (can & NET_CSUM) {
        if (h.flags && !range_fits((size_t) h.csum_start + h.csum_offset, 2, len))
            return bad(p, "its checksum is outside of it");
        return send_whole(p, &h, n, len, more);
    }
    if (h.flags)
        return send_summed(p, &h, n, len, more);
    h = (struct net_hdr){ 0 };
    return send_whole(p, &h, n, len, more);
}

void vnet_transmit(struct vnet_pair *p)
{
    struct virtq_buf *b;
    bool more = false;

    while ((b = virtq_pop(p->tx))) {
        more = !virtq_empty(p->tx);
        enum verdict v = send(p, b, more);
        if (v == BUSY) { /* vnet_nic_ops.writable kicks the queue */
            p->tx_stats.busy++;
            virtq_unpop(b);
            more = false;
            break;
        }
        p->tx_pieces = 0;
        p->tx_stats.dropped += v == DROPPED;
        virtq_fill(b, 0);
    }
    if (more)
        net_flush(p->net);
    virtq_flush(p->tx);
    virtq_notify(p->tx);
}
