/* hw/virtio/virtio_net_filter.c - virtio-net's receive filters.
 *
 * Source: virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3.  Deviations: a table longer than ours is not refused, it lets all pass
 * of its kind, as filters that are not perfect may. */
#include "hw/virtio/virtio_net_filter.h"
#include "vmm/net/net.h"

const struct state vnet_filter_state[] = {
    STATE_BYTES(struct vnet_filter, mac),
    STATE_BOOL(struct vnet_filter, promisc),
    STATE_BOOL(struct vnet_filter, allmulti),
    STATE_BOOL(struct vnet_filter, alluni),
    STATE_BOOL(struct vnet_filter, nomulti),
    STATE_BOOL(struct vnet_filter, nouni),
    STATE_BOOL(struct vnet_filter, nobcast),
    STATE_BOOL(struct vnet_filter, uni_overflow),
    STATE_BOOL(struct vnet_filter, multi_overflow),
    STATE_U16(struct vnet_filter, n_uni, .max = VNET_MAC_ENTRIES),
    STATE_U16(struct vnet_filter, n_multi, .max = VNET_MAC_ENTRIES),
    STATE_BYTES(struct vnet_filter, uni),
    STATE_BYTES(struct vnet_filter, multi),
    STATE_BYTES(struct vnet_filter, vlans),
    { 0 },
};

void vnet_filter_reset(struct vnet_filter *f, const uint8_t mac[6], bool vlans)
{
    uint8_t own[6];

    memcpy(own, mac, 6); /* it may be f's */
    *f = (struct vnet_filter){ .promisc = true };
    memcpy(f->mac, own, 6);
    memset(f->vlans, vlans ? 0 : 0xff, sizeof f->vlans);
}

static bool listed(const uint8_t *table, unsigned n, const uint8_t *mac)
{
    for (; n; n--, table += 6)
        if (!memcmp(table, mac, 6))
            return true;
    return false;
}

bool vnet_filter_pass(const struct vnet_filter *f, const uint8_t *frame, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (f->promisc)
        return true;
    if (len >= 16 && ld_be16(frame + 12) == 0x8100) {
        unsigned vid = ld_be16(frame + 14) & 0xfff;
        if (!(f->vlans[vid / 8] & BIT(vid % 8)))
            return false;
    }
    if (frame[0] & 1) {
        if (!memcmp(frame, broadcast, 6))
            return !f->nobcast;
        if (f->nomulti)
            return false;
        return f->allmulti || f->multi_overflow || listed(f->multi, f->n_multi, frame);
    }
    if (f->nouni)
        return false;
    return f->alluni || f->uni_overflow || !memcmp(frame, f->mac, 6) || listed(f->uni, f->n_uni, frame);
}

bool vnet_filter_mode(struct vnet_filter *f, uint8_t cmd, bool on)
{
    switch (cmd) {
    case VNET_RX_PROMISC:  f->promisc = on; return true;
    case VNET_RX_ALLMULTI: f->allmulti = on; return true;
    case VNET_RX_ALLUNI:   f->alluni = on; return true;
    case VNET_RX_NOMULTI:  f->nomulti = on; return true;
    case VNET_RX_NOUNI:    f->nouni = on; return true;
    case VNET_RX_NOBCAST:  f->nobcast = on; return true;
    }
    return false;
}

/* One table: a count, and so many addresses.  The count is the guest's: nothing is computed from it that could wrap. */
static bool read_table(const struct iovec *iov, unsigned n, size_t *off, size_t len, uint8_t *table, uint16_t *count,
                       bool *overflow)
{
    uint8_t word[4];

    if (iov_copy_out(iov, n, *off, word, 4) != 4)
        return false;
    size_t have = (len - *off - 4) / 6;
    uint32_t want = ld_le32(word);
    *off += 4;
    if (want > have)
        return false;
    *overflow = want > VNET_MAC_ENTRIES;
    *count = *overflow ? 0 : (uint16_t) want;
    iov_copy_out(iov, n, *off, table, *count * 6u);
    *off += (size_t) want * 6;
    return true;
}

bool vnet_filter_tables(struct vnet_filter *f, const struct iovec *iov, unsigned n, size_t off, size_t len)
{
    struct vnet_filter now = *f;

    if (off > len || !read_table(iov, n, &off, len, now.uni, &now.n_uni, &now.uni_overflow) ||
        !read_table(iov, n, &off, len, now.multi, &now.n_multi, &now.multi_overflow) || off != len)
        return false;
    *f = now;
    return true;
}

bool vnet_filter_vlan(struct vnet_filter *f, uint16_t vid, bool add)
{
    if (vid >= VNET_N_VLANS)
        return false;
    if (add)
        f->vlans[vid / 8] |= BIT(vid % 8);
    else
        f->vlans[vid / 8] &= ~BIT(vid % 8);
    return true;
}
