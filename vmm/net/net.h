/* vmm/net/net.h - network backends as NICs see them.
 *
 * A `netdev` (-netdev) has one or more queues; each queue is a `struct net`: a wire with a NIC on one side (struct
 * nic_ops) and a backend on the other (struct net_ops).  A frame is an Ethernet frame without its FCS, 14 to
 * NET_MAX_FRAME bytes, with a struct net_hdr before it where net_set_hdr() agreed on one.  Frames may be shorter than
 * 60 bytes: a NIC whose guest minds pads them.
 *
 * Execution: a net lives in one exec: the main one, or the iothread that net_set_exec() names.
 * In an iothread everything here is called from that thread, both ways.  In the main exec the NIC calls from any
 * thread that holds the VM lock, and is called in the main thread under it.  link_changed always comes in the main
 * thread under the VM lock.
 *
 * A frame is never delivered from within net_send() or net_accept(): receive() comes from the exec's loop.  Nothing is
 * queued without bound: a backend whose NIC can't receive stops reading, and one that can't send says so. */
#ifndef BANTAM_NET_NET_H
#define BANTAM_NET_NET_H

#include "vmm/core/device.h"

#include <sys/uio.h>

enum { NET_MAX_FRAME = 65536 + 128, NET_MAX_QUEUES = 64, NET_MAX_IOV = 1024, NET_MIN_FRAME = 14 };

/* Before each frame, little-endian: virtio 1.2, 5.1.6; Linux's struct virtio_net_hdr.  num_buffers is there when the
 * agreed length is 12; backends leave it 0 and don't read it. */
struct net_hdr {
    uint8_t flags;      /* NET_HDR_* */
    uint8_t gso_type;   /* NET_GSO_* */
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
enum { NET_HDR_NEEDS_CSUM = 1, NET_HDR_DATA_VALID = 2 };
enum { NET_GSO_NONE = 0, NET_GSO_TCPV4 = 1, NET_GSO_UDP = 3, NET_GSO_TCPV6 = 4, NET_GSO_UDP_L4 = 5,
       NET_GSO_ECN = 0x80 };

/* Offloads: of frames sent, what the backend can do (netdev.can_send); of frames received, what the NIC's guest can
 * stand (net_set_offload), out of netdev.can_receive. */
enum {
    NET_CSUM = 1, /* NET_HDR_NEEDS_CSUM: the checksum is still to be computed */
    NET_TSO4 = 2, NET_TSO6 = 4, NET_ECN = 8, /* TCP longer than the MTU; with ECN bits */
    NET_UFO = 16, /* UDP longer than the MTU, to be fragmented */
    NET_USO4 = 32, NET_USO6 = 64 /* UDP longer than the MTU, to be cut into datagrams */
};

enum net_result {
    NET_TAKEN,  /* copied or written: the buffers are the caller's again */
    NET_BUSY,   /* not now: nic_ops.writable or net_accept() tells when */
    NET_DROPPED /* as a wire loses frames; counted */
};

struct net;
struct netdev;

struct nic_ops {
    bool (*can_receive)(void *opaque); /* NULL: always.  After false: net_accept() when it can */
    /* NET_BUSY: the backend keeps the frame until net_accept(). */
    enum net_result (*receive)(void *opaque, const struct iovec *iov, unsigned niov, size_t len);
    /* After one or more receive() in a row: the time to raise an interrupt.  May be NULL. */
    void (*received)(void *opaque);
    void (*writable)(void *opaque);    /* after NET_BUSY from net_send(); may be NULL */
    void (*link_changed)(void *opaque, bool up); /* of queue 0 only; may be NULL */
};

/* --- for NICs ---------------------------------------------------------------------------------- */

/* Attach queue `queue` of dev (the value of a PROP_NETDEV); refused when another device has it.  dev NULL: a NIC with
 * no cable in it, whose frames go nowhere.  From realize; net_detach() (NULL is fine) from unrealize. */
struct net *net_attach(struct device *d, struct netdev *dev, unsigned queue, const struct nic_ops *ops, void *opaque,
                       GError **err);
void net_detach(struct net *n);

/* Give the card an address when it has none (all zero): 52:54:00:12:34:56 and up, as free in this VM.  From realize. */
void net_default_mac(struct vm *vm, uint8_t mac[6]);
/* What `info network` says of the NIC: "model=e1000,macaddr=52:54:00:12:34:56". */
void net_set_info(struct net *n, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Move the queue, before the NIC uses it (net_detach() brings it back).  False: this backend can't leave the main exec;
 * then the NIC serves the queue there. */
bool net_set_exec(struct net *n, struct exec *e);

/* Each frame is preceded by `len` bytes of struct net_hdr in both directions: 0, 10 or 12.  Always possible: a backend
 * that knows none gets frames without it, and those that it sends get a zeroed one.  Under the VM lock (main) or from
 * the exec's thread, or while the queue is idle. */
void net_set_hdr(struct net *n, unsigned len);
void net_set_offload(struct net *n, unsigned offload); /* NET_*: what the guest takes from now on */

/* len is the sum of the iovec, the header included.  more: another one follows at once, so the backend may wait with
 * the writing; the last one has more = false, or net_flush() comes. */
enum net_result net_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more);
void net_flush(struct net *n);
/* The NIC can receive again (buffers were added, it was enabled); cheap when nothing waits. */
void net_accept(struct net *n);
/* The queue is used (as after net_attach) or lies idle: an idle one gets no frames and loses those that it sends. */
void net_set_enabled(struct net *n, bool on);
bool net_link_up(const struct net *n);
unsigned netdev_n_queues(const struct netdev *dev);  /* 1 for NULL */
unsigned netdev_can_send(const struct netdev *dev);  /* NET_*; 0 for NULL */
unsigned netdev_can_receive(const struct netdev *dev);

#define PROP_NETDEV(T, f, ...) PROP_(PT_NETDEV, T, f, 0, __VA_ARGS__)

/* --- for backends ------------------------------------------------------------------------------ */

/* Called where the NIC calls from; in the main exec that may be a vCPU's thread with the VM lock: descriptors are
 * watched only in work(). */
struct net_ops {
    enum net_result (*send)(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more);
    void (*flush)(struct net *n);  /* may be NULL */
    /* In the exec's thread, no lock held, after net_kick(): the NIC can receive again, or net_wait_writable() was
     * called, or whatever the backend left for later.  May be NULL. */
    void (*work)(struct net *n);
    bool (*set_hdr)(struct net *n, unsigned len); /* NULL or false: the backend's frames have none; 0 is always taken */
    void (*set_offload)(struct net *n, unsigned offload); /* may be NULL */
    /* Drop watches and timers, in the thread of n->exec: it moves, and work() of the new one makes them anew.  NULL: it
     * can't leave the main exec. */
    void (*leave)(struct net *n);
    void (*set_enabled)(struct net *n, bool on);  /* may be NULL */
    void (*link_changed)(struct netdev *dev);     /* main thread; may be NULL */
    void (*describe)(struct netdev *dev, GString *out); /* for info network, no newline; may be NULL */
    void (*free)(struct netdev *dev);             /* frees queues with netdev_clear(), and the struct */
};

struct net_stats {
    uint64_t frames, bytes, dropped;
};

struct net { /* a queue; part of the backend's struct */
    const struct net_ops *ops;
    struct netdev *dev;
    unsigned index;
    struct exec *exec;
    const struct nic_ops *nic; /* NULL: no NIC */
    void *nic_opaque;
    uint8_t nic_hdr, hdr;  /* length of the header: what the NIC has, what the backend has (0 or the same) */
    bool enabled;
    bool waits_rx;         /* atomic: the backend was told that the NIC can't receive */
    bool waits_tx;         /* atomic: the NIC was told NET_BUSY */
    int kick_fd;           /* eventfd: work() is wanted */
    bool kick_pending;     /* atomic: and was not called yet */
    struct exec_fd *kick;
    struct net_stats sent, received; /* as the NIC sees it */
};

struct netdev { /* first member of the backend's struct */
    const struct net_ops *ops;
    struct vm *vm;
    char *id;
    const char *type;      /* "user", "tap" ... */
    struct net *queues[NET_MAX_QUEUES];
    unsigned n_queues;
    unsigned can_send, can_receive; /* NET_* */
    struct device *nic;    /* whose NIC; NULL: none */
    struct net *hub_port;  /* not a NIC but a hub has it */
    bool is_port;          /* of a hub: freed before what it may be plugged into */
    char *nic_info;
    bool link_up;          /* atomic */
    bool stopped;          /* atomic: the VM is; nothing is delivered */
    struct vm_notifier notifier;
    GPtrArray *filters;    /* struct net_filter *, not owned */
};

/* ops, vm, id and type of dev are set by it, and it enters dev into vm->netdevs (id NULL: it does not).
 * net_init() adds a queue. */
void netdev_init(struct netdev *dev, struct vm *vm, const struct net_ops *ops, const char *id, const char *type);
void net_init(struct net *n, struct netdev *dev);
void netdev_clear(struct netdev *dev); /* all but the struct itself */
void netdev_free(struct netdev *dev);  /* NULL is fine; no NIC is attached */
void netdev_free_all(struct vm *vm);   /* after the devices are gone */
struct netdev *netdev_find(struct vm *vm, const char *id);

/* A hub's port takes the place of a NIC.  Detach with ops NULL. */
void net_plug_port(struct net *n, struct net *port, const struct nic_ops *ops, void *opaque);

/* Delivery, in the exec's thread: when net_rx_begin() says that the NIC takes frames (and holds the lock then), any
 * number of net_deliver(), and net_rx_end().  After false or NET_BUSY the backend keeps what it has, reads no more,
 * and goes on when work() is called. */
bool net_rx_begin(struct net *n);
enum net_result net_deliver(struct net *n, const struct iovec *iov, unsigned niov, size_t len);
void net_rx_end(struct net *n);

void net_kick(struct net *n);     /* call work() soon, from any thread */
void net_writable(struct net *n); /* after NET_BUSY from send(): there is room; exec's thread, no lock held */
void net_count_drop(struct net_stats *s);

/* fn(opaque) in the net's thread, and wait for it; main thread, with or without the VM lock. */
void net_call(struct net *n, void (*fn)(void *opaque), void *opaque);

/* Something that looks at the frames of all queues, in their threads. */
struct net_filter {
    /* sent: by the guest.  hdr: length of the struct net_hdr that the frame begins with. */
    void (*frame)(struct net_filter *f, struct net *n, bool sent, unsigned hdr, const struct iovec *iov, unsigned niov,
                  size_t len);
};

void netdev_set_link(struct netdev *dev, bool up); /* main thread, VM lock held */

/* Helpers: copy out of / skip over the front of an iovec.  The length copied; the new number of parts. */
size_t iov_copy_out(const struct iovec *iov, unsigned niov, size_t off, void *buf, size_t len);
unsigned iov_skip(struct iovec *to, const struct iovec *iov, unsigned niov, size_t off);

#endif
