/* hw/virtio/virtio_net_filter.h - which frames a virtio-net driver wants to see: virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3. */
#ifndef BANTAM_HW_VIRTIO_NET_FILTER_H
#define BANTAM_HW_VIRTIO_NET_FILTER_H

#include "vmm/core/state.h"

#include <sys/uio.h>

enum { VNET_MAC_ENTRIES = 64, VNET_N_VLANS = 4096 };

struct vnet_filter {
    uint8_t mac[6]; /* its own address */
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
    bool uni_overflow, multi_overflow; /* more addresses than the table holds: all pass */
    uint16_t n_uni, n_multi;
    uint8_t uni[VNET_MAC_ENTRIES * 6], multi[VNET_MAC_ENTRIES * 6];
    uint8_t vlans[VNET_N_VLANS / 8];
};
extern const struct state vnet_filter_state[];

/* As after a reset: everything passes.  With vlans: but no tagged frame, until its VLAN is added. */
void vnet_filter_reset(struct vnet_filter *f, const uint8_t mac[6], bool vlans);
/* The first bytes of a frame, 14 or more of them. */
bool vnet_filter_pass(const struct vnet_filter *f, const uint8_t *frame, size_t len);

/* Commands.  False: refused. */
bool vnet_filter_mode(struct vnet_filter *f, uint8_t cmd, bool on);
/* Both tables, from byte `off` of the vectors, which have `len` in all. */
bool vnet_filter_tables(struct vnet_filter *f, const struct iovec *iov, unsigned n, size_t off, size_t len);
bool vnet_filter_vlan(struct vnet_filter *f, uint16_t vid, bool add);

enum { VNET_RX_PROMISC, VNET_RX_ALLMULTI, VNET_RX_ALLUNI, VNET_RX_NOMULTI, VNET_RX_NOUNI, VNET_RX_NOBCAST };

#endif
