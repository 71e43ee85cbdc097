/* vmm/net/offload.h - what a network card does for a driver that leaves it work: checksums and segmentation.
 *
 * Sources: RFC 791, 793, 768, 1071, 1624, 3168, 8200; virtio 1.2, 5.1.6 (what the fields of its header mean).
 * A frame is an Ethernet frame without FCS, in iovecs that may be a guest's memory: it can change while we
 * look.  So headers are copied once, checked, and used from the copy; payload is only ever added up or passed
 * on.  Nothing here keeps memory of its own, and nothing trusts a length or an offset that a frame carries. */
#ifndef BANTAM_NET_OFFLOAD_H
#define BANTAM_NET_OFFLOAD_H

#include "vmm/base/util.h"
#include "vmm/net/net.h"

#include <sys/uio.h>

/* The Internet checksum: 16-bit words as they lie in memory, one's complement.  `sum` goes on a sum of an even
 * number of bytes. */
uint64_t inet_sum(const void *buf, size_t len, uint64_t sum);
uint64_t inet_sum_iov(const struct iovec *iov, unsigned n, size_t off, size_t len, uint64_t sum);
/* Of the pseudo header of TCP or UDP: ip points to the IPv4 or IPv6 header, len is that of TCP's or UDP's packet. */
uint64_t inet_pseudo(const uint8_t *ip, uint8_t proto, uint32_t len);
uint16_t inet_fold(uint64_t sum); /* not complemented; as it lies in memory */

/* What is where in a frame. */
struct frame_info {
    uint16_t ethertype;  /* behind VLAN tags; host order */
    uint16_t l3, l4;     /* offsets; l4 0: not known, or a fragment that is not the first */
    uint8_t proto;       /* IPPROTO_*; of what lies at l4 */
    bool ipv4, ipv6;
    bool fragment;       /* of a longer IP packet */
};
/* From the first bytes of a frame (256 see through everything usual); false: it is no IP, or cut short. */
bool frame_parse(const uint8_t *p, size_t len, struct frame_info *fi);

/* A checksum left to us (NET_HDR_NEEDS_CSUM): its value, as to be stored at *at, to and including the end of the
 * frame.  False: the fields point outside the frame. */
bool csum_complete(const struct net_hdr *h, const struct iovec *iov, unsigned n, size_t len, size_t *at,
                   uint16_t *csum);

/* --- segmentation ------------------------------------------------------------------------------- */

enum { GSO_HDR_MAX = 256, GSO_FRAG6 = 8, GSO_PIECES_MAX = 4096 };

/* A frame that is longer than the wire's, to be cut into segments (TCP) or fragments (UDP).  Resumable: the
 * piece that gso_build() makes stays the same until gso_advance(). */
struct gso {
    const struct iovec *iov; /* the frame's; stays valid while this is used */
    unsigned niov;
    size_t len;              /* of the frame */
    uint8_t type;            /* NET_GSO_*, without the ECN bit */
    bool ipv6;
    uint16_t l3, l4, hdr_len; /* of the frame; payload begins at hdr_len (UDP: at l4) */
    uint16_t mss;
    uint16_t index;          /* of the piece to be built */
    size_t pos;              /* its first byte in the frame */
    uint16_t udp_csum;       /* of the whole datagram */
    uint32_t frag_id;        /* IPv6 */
    uint8_t hdr[GSO_HDR_MAX];                /* the frame's headers, as they were */
    uint8_t out_hdr[GSO_HDR_MAX + GSO_FRAG6]; /* those of the piece */
};

/* False: it isn't what h says it is; *why tells. */
bool gso_start(struct gso *g, const struct net_hdr *h, const struct iovec *iov, unsigned n, size_t len,
               uint32_t frag_id, const char **why);
bool gso_done(const struct gso *g);
/* The next piece: up to max vectors (n + 1 are always enough); returns how many. */
unsigned gso_build(struct gso *g, struct iovec *out, unsigned max, size_t *len);
void gso_advance(struct gso *g);

#endif
