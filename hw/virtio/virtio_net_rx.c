/* hw/virtio/virtio_net_rx.c - virtio-net's receive queues.
 *
 * A frame goes into one buffer, or into as many as it needs where the driver agreed to that (5.1.6.4); the number of
 * them is in the header, which is written before any of them is given back.  When there are too few, those taken go
 * back to the ring, and the backend keeps the frame and stops. */
#include "hw/virtio/virtio_net.h"
#include "vmm/net/offload.h"

#include <netinet/in.h>

enum { PEEK = 64 };

static bool can_receive(void *opaque)
{
    struct vnet_pair *p = opaque;

    if (!virtq_ready(p->rx))
        return false;
    if (virtq_empty(p->rx)) {
        if (!virtq_notify_on(p->rx))
            return false;
    }
    virtq_notify_off(p->rx);
    return true;
}

static unsigned offload_of(uint8_t gso_type)
{
    switch (gso_type & ~NET_GSO_ECN) {
    case NET_GSO_NONE:  return 0;
    case NET_GSO_TCPV4: return VIRTIO_NET_F_GUEST_TSO4;
    case NET_GSO_TCPV6: return VIRTIO_NET_F_GUEST_TSO6;
    case NET_GSO_UDP:   return VIRTIO_NET_F_GUEST_UFO;
    }
    return 63;
}

/* DHCP clients that read raw frames see a missing checksum as a wrong one. */
static bool is_dhcp_answer(const uint8_t *frame, size_t len)
{
    struct frame_info fi;

    return frame_parse(frame, len, &fi) && fi.ipv4 && fi.proto == IPPROTO_UDP && range_fits(fi.l4, 4, len) &&
           ld_be16(frame + fi.l4) == 67 && ld_be16(frame + fi.l4 + 2) == 68;
}

/* The next buffer; when there is none, the driver is asked to tell of new ones, from where we are now on. */
static struct virtq_buf *next(struct virtq *q)
{
    struct virtq_buf *b = virtq_pop(q);

    return !b && virtq_notify_on(q) ? virtq_pop(q) : b;
}

/* Take buffers until `len` bytes fit; their number, 0: too few now, -1: it will never fit. */
static int collect(struct vnet_pair *p, size_t len)
{
    struct virtio_net *s = p->s;
    unsigned n = 0, max = s->merge ? p->rx->num : 1;
    size_t room = 0, size;
    bool broken = false;
    struct virtq_buf *b;

    while (room < len && n < max && !broken && (b = next(p->rx))) {
        p->rx_bufs[n++] = b;
        room += size = b->in_len;
        broken = !size || room < s->hdr_len;
    }
    if (room >= len && !broken)
        return (int) n;
    bool never = n == max || broken;
    while (n)
        virtq_unpop(p->rx_bufs[--n]);
    if (broken)
        virtio_error(&s->v, "a receive buffer of %zu bytes", size);
    return never ? -1 : 0;
}

/* Copy [off, off+len) of the frame to the in part of b, from byte `at` on. */
static void copy(struct virtq_buf *b, size_t at, const struct iovec *iov, unsigned n, size_t off, size_t len)
{
    for (unsigned i = 0; i < n && len; i++) {
        if (off >= iov[i].iov_len) {
            off -= iov[i].iov_len;
            continue;
        }
        size_t part = MIN(iov[i].iov_len - off, len);
        virtq_in(b, at, (const uint8_t *) iov[i].iov_base + off, part);
        at += part;
        len -= part;
        off = 0;
    }
}

/* What the driver can't do itself, now: false drops the frame. */
static bool adapt(struct virtio_net *s, struct net_hdr *h, const uint8_t *head, size_t have, const struct iovec *iov,
                  unsigned n, size_t len, size_t *csum_at, uint16_t *csum)
{
    unsigned bit = offload_of(h->gso_type);

    if (bit && !(s->offloads >> bit & 1))
        return false; /* the backend was told: it comes from before that */
    if (!(s->offloads >> VIRTIO_NET_F_GUEST_CSUM & 1) ||
        (h->flags & NET_HDR_NEEDS_CSUM && is_dhcp_answer(head, have))) {
        struct iovec frame[NET_MAX_IOV];
        if (h->flags & NET_HDR_NEEDS_CSUM) {
            unsigned k = iov_skip(frame, iov, n, s->hdr_len);
            if (!csum_complete(h, frame, k, len - s->hdr_len, csum_at, csum))
                return false;
            *csum_at += s->hdr_len;
        }
        h->flags = 0;
        h->csum_start = h->csum_offset = 0;
    }
    return true;
}

static enum net_result receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len)
{
    struct vnet_pair *p = opaque;
    struct virtio_net *s = p->s;
    struct net_hdr h = { 0 };
    uint8_t head[PEEK];
    size_t csum_at = 0, off = 0;
    uint16_t csum = 0;

    if (!virtq_ready(p->rx))
        return NET_BUSY;
    size_t have = iov_copy_out(iov, niov, s->hdr_len, head, sizeof head);
    if (have < NET_MIN_FRAME || !vnet_filter_pass(&s->filter, head, have)) {
        p->rx_stats.filtered++;
        return NET_TAKEN;
    }
    iov_copy_out(iov, niov, 0, &h, s->hdr_len);
    if (!adapt(s, &h, head, have, iov, niov, len, &csum_at, &csum)) {
        p->rx_stats.dropped++;
        return NET_DROPPED;
    }
    int n = collect(p, len);
    if (n < 0) {
        p->rx_stats.dropped++;
        return NET_DROPPED;
    }
    if (!n) {
        p->rx_stats.no_buffers++;
        return NET_BUSY;
    }
    h.num_buffers = GUINT16_TO_LE((uint16_t) n);
    for (int i = 0; i < n; i++) {
        struct virtq_buf *b = p->rx_bufs[i];
        size_t part = MIN(b->in_len, len - off);
        copy(b, 0, iov, niov, off, part);
        if (!off)
            virtq_in(b, 0, &h, s->hdr_len);
        for (size_t k = 0; k < 2 && csum_at; k++) /* the two bytes may be in two buffers */
            if (csum_at + k >= off && csum_at + k < off + part)
                virtq_in(b, csum_at + k - off, (uint8_t *) &csum + k, 1);
        off += part;
        virtq_fill(b, part);
    }
    virtq_flush(p->rx);
    return NET_TAKEN;
}

static void received(void *opaque)
{
    struct vnet_pair *p = opaque;

    virtq_notify(p->rx);
}

static void writable(void *opaque)
{
    struct vnet_pair *p = opaque;

    if (p->s->v.running)
        virtq_kick(p->tx);
}

static void link_changed(void *opaque, bool up)
{
    struct vnet_pair *p = opaque;

    TRACE(p->s->v.dev, "link %s", up ? "up" : "down");
    if (virtio_has(&p->s->v, VIRTIO_NET_F_STATUS))
        virtio_config_changed(&p->s->v);
}

const struct nic_ops vnet_nic_ops = {
    .can_receive = can_receive,
    .receive = receive,
    .received = received,
    .writable = writable,
    .link_changed = link_changed,
};
