/* hw/virtio/virtio_net.h - virtio-net: between its files. */
#ifndef BANTAM_HW_VIRTIO_NET_H
#define BANTAM_HW_VIRTIO_NET_H

#include "hw/virtio/virtio.h"
#include "hw/virtio/virtio_net_filter.h"
#include "vmm/net/net.h"

struct gso;
struct iothread;

enum { /* feature bits, 5.1.3 */
    VIRTIO_NET_F_CSUM = 0, VIRTIO_NET_F_GUEST_CSUM = 1, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS = 2, VIRTIO_NET_F_MTU = 3,
    VIRTIO_NET_F_MAC = 5, VIRTIO_NET_F_GSO = 6, VIRTIO_NET_F_GUEST_TSO4 = 7, VIRTIO_NET_F_GUEST_TSO6 = 8,
    VIRTIO_NET_F_GUEST_ECN = 9, VIRTIO_NET_F_GUEST_UFO = 10, VIRTIO_NET_F_HOST_TSO4 = 11, VIRTIO_NET_F_HOST_TSO6 = 12,
    VIRTIO_NET_F_HOST_ECN = 13, VIRTIO_NET_F_HOST_UFO = 14, VIRTIO_NET_F_MRG_RXBUF = 15, VIRTIO_NET_F_STATUS = 16,
    VIRTIO_NET_F_CTRL_VQ = 17, VIRTIO_NET_F_CTRL_RX = 18, VIRTIO_NET_F_CTRL_VLAN = 19, VIRTIO_NET_F_CTRL_RX_EXTRA = 20,
    VIRTIO_NET_F_GUEST_ANNOUNCE = 21, VIRTIO_NET_F_MQ = 22, VIRTIO_NET_F_CTRL_MAC_ADDR = 23,
    VIRTIO_NET_F_SPEED_DUPLEX = 63,
};
/* The bits that CTRL_GUEST_OFFLOADS_SET may change */
#define VNET_GUEST_OFFLOADS                                                                                   \
    (BIT64(VIRTIO_NET_F_GUEST_CSUM) | BIT64(VIRTIO_NET_F_GUEST_TSO4) | BIT64(VIRTIO_NET_F_GUEST_TSO6) |         \
     BIT64(VIRTIO_NET_F_GUEST_ECN) | BIT64(VIRTIO_NET_F_GUEST_UFO))

enum { VNET_S_LINK_UP = 1, VNET_S_ANNOUNCE = 2 };
enum { VNET_CONFIG_SIZE = 24, VNET_HDR_LEGACY = 10, VNET_HDR = 12 };

struct vnet_pair { /* a receive queue and a transmit queue, and the backend's queue under them */
    struct virtio_net *s;
    unsigned index;
    struct virtq *rx, *tx;
    struct net *net;
    struct virtq_buf **rx_bufs; /* as many as a queue can have: those of the frame that is being delivered */
    struct iovec *iov;          /* NET_MAX_IOV, of the frame that is being sent */
    uint8_t *flat;              /* NET_MAX_FRAME, made for the first frame that comes in too many pieces */
    struct gso *gso;
    uint32_t frag_id;           /* of IPv6 */
    /* pieces of the frame at the head of tx that went out before the backend had to wait */
    uint16_t tx_pieces;
    struct { uint64_t busy, dropped, segmented; } tx_stats;
    struct { uint64_t filtered, no_buffers, dropped; } rx_stats;
};

struct virtio_net { /* state; the host's fields are marked */
    struct virtio_dev v;
    struct vnet_filter filter;  /* belongs to exec while it runs */
    uint64_t offloads;          /* GUEST_*: those that are on now */
    uint16_t n_used;            /* pairs that the driver uses */
    bool announce;              /* atomic: the status bit */
    /* The host's. */
    struct vnet_pair *pairs;
    uint16_t n_pairs;           /* that the driver can have */
    uint16_t n_wired;           /* queues of the backend: the entries of pairs */
    uint64_t mac_now;           /* atomic: filter.mac, for the configuration space */
    bool merge;                 /* as negotiated */
    uint8_t hdr_len;
    struct exec *thread;        /* of iothread_attach(), or NULL */
    /* properties */
    uint8_t mac[6];
    struct netdev *netdev;
    int32_t bootindex;
    bool csum, guest_csum, gso, guest_tso4, guest_tso6, guest_ecn, guest_ufo, guest_announce;
    bool host_tso4, host_tso6, host_ecn, host_ufo, mrg_rxbuf, has_status, ctrl_vq, ctrl_rx, ctrl_vlan, ctrl_rx_extra;
    bool ctrl_mac_addr, ctrl_guest_offloads, mq;
    bool rss, hash, failover;   /* refused */
    uint16_t rx_queue_size, tx_queue_size, host_mtu;
    int32_t speed, x_txburst;
    uint32_t x_txtimer;
    char *duplex, *tx;
    struct iothread *iothread;
};

extern const struct virtio_class virtio_net_vclass;
extern const struct state virtio_net_state[];

#define VIRTIO_NET_PROPS(T, N)                                                                                     \
    PROP_MAC(T, N.mac, .name = "mac", .desc = "its address (default: 52:54:00:12:34:56 and up)"),                   \
    PROP_NETDEV(T, N.netdev, .name = "netdev", .desc = "the -netdev it is plugged into (none: no cable)"),          \
    PROP_I32(T, N.bootindex, -1, .name = "bootindex", .desc = "place in the boot order"),                           \
    PROP_IOTHREAD(T, N.iothread, .name = "iothread", .desc = "where its queues are served (default: its own)"),     \
    PROP_BOOL(T, N.csum, true, .name = "csum", .desc = "offer to compute checksums of what is sent"),               \
    PROP_BOOL(T, N.guest_csum, true, .name = "guest_csum", .desc = "offer frames without checksum to the driver"),  \
    PROP_BOOL(T, N.gso, true, .name = "gso", .desc = "legacy: offer every kind of segmentation"),                   \
    PROP_BOOL(T, N.guest_tso4, true, .name = "guest_tso4", .desc = "offer long TCP/IPv4 frames to the driver"),     \
    PROP_BOOL(T, N.guest_tso6, true, .name = "guest_tso6", .desc = "offer long TCP/IPv6 frames to the driver"),     \
    PROP_BOOL(T, N.guest_ecn, true, .name = "guest_ecn", .desc = "offer those with ECN, too"),                      \
    PROP_BOOL(T, N.guest_ufo, true, .name = "guest_ufo", .desc = "offer long UDP frames to the driver"),            \
    PROP_BOOL(T, N.guest_announce, true, .name = "guest_announce", .desc = "ask the driver to announce itself"),    \
    PROP_BOOL(T, N.host_tso4, true, .name = "host_tso4", .desc = "offer to segment TCP/IPv4"),                      \
    PROP_BOOL(T, N.host_tso6, true, .name = "host_tso6", .desc = "offer to segment TCP/IPv6"),                      \
    PROP_BOOL(T, N.host_ecn, true, .name = "host_ecn", .desc = "offer to segment TCP with ECN"),                    \
    PROP_BOOL(T, N.host_ufo, true, .name = "host_ufo", .desc = "offer to fragment UDP"),                            \
    PROP_BOOL(T, N.mrg_rxbuf, true, .name = "mrg_rxbuf", .desc = "offer to use several buffers for a frame"),       \
    PROP_BOOL(T, N.has_status, true, .name = "status", .desc = "offer the state of the link"),                      \
    PROP_BOOL(T, N.ctrl_vq, true, .name = "ctrl_vq", .desc = "offer the control queue"),                            \
    PROP_BOOL(T, N.ctrl_rx, true, .name = "ctrl_rx", .desc = "offer receive filters"),                              \
    PROP_BOOL(T, N.ctrl_vlan, true, .name = "ctrl_vlan", .desc = "offer the VLAN filter"),                          \
    PROP_BOOL(T, N.ctrl_rx_extra, true, .name = "ctrl_rx_extra", .desc = "offer more modes of receive filters"),    \
    PROP_BOOL(T, N.ctrl_mac_addr, true, .name = "ctrl_mac_addr", .desc = "offer to set the address"),               \
    PROP_BOOL(T, N.ctrl_guest_offloads, true, .name = "ctrl_guest_offloads",                                        \
              .desc = "let the driver switch guest_* off and on"),                                                  \
    PROP_BOOL(T, N.mq, false, .name = "mq", .desc = "offer a pair of queues for each of the netdev's"),             \
    PROP_BOOL(T, N.rss, false, .name = "rss", .desc = "not built: receive-side scaling"),                           \
    PROP_BOOL(T, N.hash, false, .name = "hash", .desc = "not built: hash reports"),                                 \
    PROP_BOOL(T, N.failover, false, .name = "failover", .desc = "not built: a standby card"),                       \
    PROP_U16(T, N.rx_queue_size, 256, .name = "rx_queue_size", .desc = "a power of two, 256 to 1024"),              \
    PROP_U16(T, N.tx_queue_size, 256, .name = "tx_queue_size", .desc = "a power of two, 256 to 1024"),              \
    PROP_U16(T, N.host_mtu, 0, .name = "host_mtu", .desc = "the MTU to tell the driver (0: none)"),                 \
    PROP_I32(T, N.speed, -1, .name = "speed",                                                                        \
             .desc = "the link's speed to tell the driver, in Mbit/s (-1: none)"),                                  \
    PROP_STR(T, N.duplex, NULL, .name = "duplex", .desc = "half or full, to tell the driver"),                      \
    PROP_STR(T, N.tx, NULL, .name = "tx", .desc = "bh: frames are sent at once"),                                   \
    PROP_U32(T, N.x_txtimer, 0, .name = "x-txtimer", .desc = "taken and not used: see tx"),                         \
    PROP_I32(T, N.x_txburst, 256, .name = "x-txburst", .desc = "taken and not used: a turn is a queue's size")

/* virtio_net_tx.c */
void vnet_transmit(struct vnet_pair *p);
/* virtio_net_rx.c */
extern const struct nic_ops vnet_nic_ops;
/* virtio_net_ctrl.c */
void vnet_control(struct virtio_net *s, struct virtq *q);
/* virtio_net.c: after offloads, n_used or the filter's address changed; in exec */
void vnet_apply_offloads(struct virtio_net *s);
void vnet_apply_pairs(struct virtio_net *s);
void vnet_publish_mac(struct virtio_net *s);

#endif
