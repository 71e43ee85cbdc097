/* vmm/net/offload.c - the Internet checksum, and what is where in a frame. */
#include "vmm/net/offload.h"

#include <netinet/in.h>

/* --- checksum ----------------------------------------------------------------------------------- */

static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
    return a + b + (a + b < a);
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* One's complement sums don't mind the order or the width of what is added, so words of 32 bits are added into
 * accumulators of 64, which can't overflow below 16 GiB. */
uint64_t inet_sum(const void *buf, size_t len, uint64_t sum)
{
    const uint8_t *p = buf;
    uint64_t lo = 0, hi = 0, lo2 = 0, hi2 = 0;

    for (; len >= 32; p += 32, len -= 32) {
        uint64_t a = load64(p), b = load64(p + 8), c = load64(p + 16), d = load64(p + 24);
        lo += (a & 0xffffffff) + (c & 0xffffffff);
        hi += (a >> 32) + (c >> 32);
        lo2 += (b & 0xffffffff) + (d & 0xffffffff);
        hi2 += (b >> 32) + (d >> 32);
    }
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t a = load64(p);
        lo += a & 0xffffffff;
        hi += a >> 32;
    }
    if (len) {
        uint8_t tail[8] = { 0 };
        memcpy(tail, p, len);
        uint64_t a = load64(tail);
        lo += a & 0xffffffff;
        hi += a >> 32;
    }
    sum = add_carry(sum, lo);
    sum = add_carry(sum, hi);
    sum = add_carry(sum, lo2);
    return add_carry(sum, hi2);
}

uint64_t inet_pseudo(const uint8_t *ip, uint8_t proto, uint32_t len)
{
    uint8_t tail[8] = { 0 };

    st_be32(tail, len);
    tail[7] = proto;
    uint64_t sum = inet_sum(tail, sizeof tail, 0);
    return *ip >> 4 == 6 ? inet_sum(ip + 8, 32, sum) : inet_sum(ip + 12, 8, sum);
}

uint16_t inet_fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t) sum;
}

/* A part that begins at an odd place has its bytes on the other halves of the words: its sum is swapped. */
uint64_t inet_sum_iov(const struct iovec *iov, unsigned n, size_t off, size_t len, uint64_t sum)
{
    bool odd = false;

    for (unsigned i = 0; i < n && len; i++) {
        if (off >= iov[i].iov_len) {
            off -= iov[i].iov_len;
            continue;
        }
        size_t part = MIN(iov[i].iov_len - off, len);
        const uint8_t *p = (const uint8_t *) iov[i].iov_base + off;
        if (odd)
            sum = add_carry(sum, GUINT16_SWAP_LE_BE(inet_fold(inet_sum(p, part, 0))));
        else
            sum = inet_sum(p, part, sum);
        odd ^= part & 1;
        len -= part;
        off = 0;
    }
    return sum;
}

bool csum_complete(const struct net_hdr *h, const struct iovec *iov, unsigned n, size_t len, size_t *at,
                   uint16_t *csum)
{
    size_t place = (size_t) h->csum_start + h->csum_offset;

    if (h->csum_start >= len || !range_fits(place, 2, len))
        return false;
    /* The place holds the pseudo header's sum, which takes part. */
    uint16_t c = (uint16_t) ~inet_fold(inet_sum_iov(iov, n, h->csum_start, len - h->csum_start, 0));
    /* 0 is "no checksum" to UDP, and as good as FFFF to all others. */
    *csum = c ? c : 0xffff;
    *at = place;
    return true;
}

/* --- headers ------------------------------------------------------------------------------------ */

/* The extension headers of IPv6 up to the upper layer's. */
static void parse_ipv6(const uint8_t *p, size_t len, struct frame_info *fi)
{
    uint8_t next = p[fi->l3 + 6];
    size_t at = fi->l3 + 40u;

    for (int i = 0; i < 8; i++) {
        bool option = next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
        if (option && range_fits(at, 8, len)) {
            next = p[at];
            at += 8 + 8u * p[at + 1];
        } else if (next == IPPROTO_FRAGMENT && range_fits(at, 8, len)) {
            next = p[at];
            fi->fragment = true;
            if (ld_be16(p + at + 2) & 0xfff8)
                return;
            at += 8;
        } else {
            break;
        }
    }
    if (at > len)
        return;
    fi->proto = next;
    fi->l4 = (uint16_t) at;
}

bool frame_parse(const uint8_t *p, size_t len, struct frame_info *fi)
{
    size_t at = 12;

    *fi = (struct frame_info){ 0 };
    if (len < 14)
        return false;
    for (int tags = 0; tags < 2 && len >= at + 6; tags++) {
        uint16_t type = ld_be16(p + at);
        if (type != 0x8100 && type != 0x88a8)
            break;
        at += 4;
    }
    fi->ethertype = ld_be16(p + at);
    fi->l3 = (uint16_t) (at + 2);
    if (fi->ethertype == 0x0800 && range_fits(fi->l3, 20, len) && p[fi->l3] >> 4 == 4) {
        unsigned ihl = (p[fi->l3] & 15) * 4;
        fi->ipv4 = true;
        if (ihl < 20 || !range_fits(fi->l3, ihl, len))
            return false;
        fi->proto = p[fi->l3 + 9];
        fi->fragment = ld_be16(p + fi->l3 + 6) & 0x3fff;
        if (!(ld_be16(p + fi->l3 + 6) & 0x1fff))
            fi->l4 = (uint16_t) (fi->l3 + ihl);
        return true;
    }
    if (fi->ethertype == 0x86dd && range_fits(fi->l3, 40, len) && p[fi->l3] >> 4 == 6) {
        fi->ipv6 = true;
        parse_ipv6(p, len, fi);
        return true;
    }
    return false;
}
