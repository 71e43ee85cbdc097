/* hw/virtio/virtio_net_ctrl.c - virtio-net's control queue: virtio 1.2, 5.1.6.5. */
#include "hw/virtio/virtio_net.h"

enum { CTRL_RX, CTRL_MAC, CTRL_VLAN, CTRL_ANNOUNCE, CTRL_MQ, CTRL_GUEST_OFFLOADS };
enum { MAC_TABLE_SET, MAC_ADDR_SET };
enum { VLAN_ADD, VLAN_DEL };
enum { ANNOUNCE_ACK };
enum { MQ_VQ_PAIRS_SET };
enum { GUEST_OFFLOADS_SET };
enum { OK, ERR };
enum { COMMANDS_A_TURN = 64, CTRL_HDR = 2 };

/* The command's data is exactly so long. */
static bool data(const struct virtq_buf *b, void *to, size_t len)
{
    return b->out_len == CTRL_HDR + len && virtq_out(b, CTRL_HDR, to, len) == len;
}

static bool command_rx(struct virtio_net *s, const struct virtq_buf *b, uint8_t cmd)
{
    uint8_t on;
    bool extra = cmd >= VNET_RX_ALLUNI;

    return virtio_has(&s->v, extra ? VIRTIO_NET_F_CTRL_RX_EXTRA : VIRTIO_NET_F_CTRL_RX) && data(b, &on, 1) &&
           vnet_filter_mode(&s->filter, cmd, on != 0);
}

static bool command_mac(struct virtio_net *s, const struct virtq_buf *b, uint8_t cmd)
{
    uint8_t mac[6];

    if (cmd == MAC_TABLE_SET)
        return virtio_has(&s->v, VIRTIO_NET_F_CTRL_RX) &&
               vnet_filter_tables(&s->filter, b->iov, b->out_num, CTRL_HDR, b->out_len);
    if (cmd != MAC_ADDR_SET || !virtio_has(&s->v, VIRTIO_NET_F_CTRL_MAC_ADDR) || !data(b, mac, 6))
        return false;
    memcpy(s->filter.mac, mac, 6);
    vnet_publish_mac(s);
    return true;
}

static bool command_vlan(struct virtio_net *s, const struct virtq_buf *b, uint8_t cmd)
{
    uint8_t vid[2];

    return virtio_has(&s->v, VIRTIO_NET_F_CTRL_VLAN) && (cmd == VLAN_ADD || cmd == VLAN_DEL) && data(b, vid, 2) &&
           vnet_filter_vlan(&s->filter, ld_le16(vid), cmd == VLAN_ADD);
}

static bool command_announce(struct virtio_net *s, const struct virtq_buf *b, uint8_t cmd)
{
    if (!virtio_has(&s->v, VIRTIO_NET_F_GUEST_ANNOUNCE) || cmd != ANNOUNCE_ACK || b->out_len != CTRL_HDR)
        return false;
    return __atomic_exchange_n(&s->announce, false, __ATOMIC_ACQ_REL);
}

static bool command_mq(struct virtio_net *s, const struct virtq_buf *b, uint8_t cmd)
{
    uint8_t n[2];

    if (!virtio_has(&s->v, VIRTIO_NET_F_MQ) || cmd != MQ_VQ_PAIRS_SET || !data(b, n, 2) || !ld_le16(n) ||
        ld_le16(n) > s->n_pairs)
        return false;
    s->n_used = ld_le16(n);
    vnet_apply_pairs(s);
    for (unsigned i = 0; i < s->n_used; i++) /* what was put there too early */
        virtq_kick(s->pairs[i].tx);
    return true;
}

static bool command_offloads(struct virtio_net *s, const struct virtq_buf *b, uint8_t cmd)
{
    uint8_t bits[8];

    if (!virtio_has(&s->v, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) || cmd != GUEST_OFFLOADS_SET || !data(b, bits, 8) ||
        ld_le64(bits) & ~(s->v.features & VNET_GUEST_OFFLOADS))
        return false;
    s->offloads = ld_le64(bits);
    vnet_apply_offloads(s);
    return true;
}

static bool command(struct virtio_net *s, const struct virtq_buf *b, uint8_t class, uint8_t cmd)
{
    switch (class) {
    case CTRL_RX:             return command_rx(s, b, cmd);
    case CTRL_MAC:            return command_mac(s, b, cmd);
    case CTRL_VLAN:           return command_vlan(s, b, cmd);
    case CTRL_ANNOUNCE:       return command_announce(s, b, cmd);
    case CTRL_MQ:             return command_mq(s, b, cmd);
    case CTRL_GUEST_OFFLOADS: return command_offloads(s, b, cmd);
    }
    return false;
}

void vnet_control(struct virtio_net *s, struct virtq *q)
{
    struct virtq_buf *b;

    for (unsigned n = 0; n < COMMANDS_A_TURN && (b = virtq_pop(q)); n++) {
        uint8_t head[CTRL_HDR], ack = ERR;
        if (virtq_out(b, 0, head, CTRL_HDR) != CTRL_HDR || !b->in_len) {
            virtq_push(b, 0);
            virtio_error(&s->v, "a command of %zu bytes with room for %zu in its answer", b->out_len, b->in_len);
            return;
        }
        if (command(s, b, head[0], head[1]))
            ack = OK;
        else
            guest_error(s->v.dev, "command %u.%u of %zu bytes refused", head[0], head[1], b->out_len);
        TRACE(s->v.dev, "command %u.%u: %u", head[0], head[1], ack);
        virtq_push(b, virtq_in(b, 0, &ack, 1));
    }
    virtq_notify(q);
    if (!virtq_empty(q))
        virtq_kick(q);
}
