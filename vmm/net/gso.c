/* vmm/net/gso.c - cutting long frames: TCP into segments, UDP into IP fragments.
 *
 * Deviations: IPv6's "unfragmentable part" is taken to be the fixed header and what extension headers stand
 * before the transport's (RFC 8200, 4.5, would put destination options into the fragments). */
#include "vmm/net/offload.h"

#include <netinet/in.h>

enum { TCP_FIN = 1, TCP_RST = 4, TCP_PSH = 8, TCP_CWR = 0x80 };

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

static void start_udp(struct gso *g)
{
    size_t l4_len = g->len - g->l4;
    uint8_t udp[8];

    /* The checksum is that of the whole, and the length that of the datagram, in the first fragment. */
    iov_copy_out(g->iov, g->niov, g->l4, udp, sizeof udp);
    st_be16(udp + 4, (uint16_t) l4_len);
    udp[6] = udp[7] = 0;
    uint64_t sum = inet_pseudo(g->hdr + g->l3, IPPROTO_UDP, (uint32_t) l4_len);
    sum = inet_sum(udp, sizeof udp, sum);
    uint16_t c = (uint16_t) ~inet_fold(inet_sum_iov(g->iov, g->niov, g->l4 + 8u, l4_len - 8, sum));
    g->udp_csum = c ? c : 0xffff;
}

bool gso_start(struct gso *g, const struct net_hdr *h, const struct iovec *iov, unsigned n, size_t len,
               uint32_t frag_id, const char **why)
{
    uint8_t type = h->gso_type & ~NET_GSO_ECN;
    struct frame_info fi;

    g->iov = iov;
    g->niov = n;
    g->len = len;
    g->type = type;
    g->index = 0;
    g->frag_id = frag_id;
    size_t have = iov_copy_out(iov, n, 0, g->hdr, sizeof g->hdr);
    if (!h->gso_size)
        return refuse(why, "gso_size is 0");
    if (!frame_parse(g->hdr, have, &fi) || !fi.l4 || fi.fragment)
        return refuse(why, "it is no IP packet, or a fragment");
    bool tcp = type == NET_GSO_TCPV4 || type == NET_GSO_TCPV6;
    if (!tcp && type != NET_GSO_UDP)
        return refuse(why, "an unknown gso_type");
    if ((type == NET_GSO_TCPV4 && !fi.ipv4) || (type == NET_GSO_TCPV6 && !fi.ipv6) ||
        fi.proto != (tcp ? IPPROTO_TCP : IPPROTO_UDP))
        return refuse(why, "its headers are not those of its gso_type");
    g->ipv6 = fi.ipv6;
    g->l3 = fi.l3;
    g->l4 = fi.l4;
    g->mss = h->gso_size;
    if (len - fi.l3 > 0xffff + (fi.ipv6 ? 40u : 0))
        return refuse(why, "longer than an IP packet can be");
    if (!range_fits(fi.l4, tcp ? 20 : 8, have))
        return refuse(why, "its headers are cut short");
    if (tcp) {
        unsigned doff = (g->hdr[fi.l4 + 12] >> 4) * 4;
        if (doff < 20 || !range_fits(fi.l4, doff, have))
            return refuse(why, "a TCP header of a wrong length");
        g->hdr_len = (uint16_t) (fi.l4 + doff);
        g->pos = g->hdr_len;
    } else {
        /* Fragments are counted in units of 8. */
        g->mss &= ~7;
        if (!g->mss)
            return refuse(why, "gso_size is too small for a fragment");
        g->hdr_len = fi.l4;
        g->pos = fi.l4;
        start_udp(g);
    }
    if (g->pos >= len)
        return refuse(why, "nothing but headers");
    /* No path has an MSS that small: it would be work for nothing. */
    if ((len - g->pos) / g->mss >= GSO_PIECES_MAX)
        return refuse(why, "gso_size makes too many pieces");
    return true;
}

bool gso_done(const struct gso *g)
{
    return g->pos >= g->len;
}

static void fix_ipv4(struct gso *g, size_t part, bool last)
{
    uint8_t *ip = g->out_hdr + g->l3;
    size_t ihl = g->l4 - g->l3;

    st_be16(ip + 2, (uint16_t) (g->hdr_len - g->l3 + part));
    if (g->type == NET_GSO_UDP)
        st_be16(ip + 6, (uint16_t) ((g->pos - g->l4) / 8 | (last ? 0 : 0x2000)));
    else
        st_be16(ip + 4, (uint16_t) (ld_be16(g->hdr + g->l3 + 4) + g->index));
    ip[10] = ip[11] = 0;
    uint16_t c = (uint16_t) ~inet_fold(inet_sum(ip, ihl, 0));
    memcpy(ip + 10, &c, 2);
}

static void fix_tcp(struct gso *g, size_t part, bool last)
{
    uint8_t *tcp = g->out_hdr + g->l4;
    uint32_t l4_len = (uint32_t) (g->hdr_len - g->l4 + part);

    st_be32(tcp + 4, ld_be32(g->hdr + g->l4 + 4) + (uint32_t) (g->pos - g->hdr_len));
    if (!last)
        tcp[13] &= ~(TCP_FIN | TCP_PSH | TCP_RST);
    if (g->index)
        tcp[13] &= ~TCP_CWR; /* RFC 3168: told once */
    tcp[16] = tcp[17] = 0;
    uint64_t sum = inet_sum(tcp, g->hdr_len - g->l4, inet_pseudo(g->out_hdr + g->l3, IPPROTO_TCP, l4_len));
    uint16_t c = (uint16_t) ~inet_fold(inet_sum_iov(g->iov, g->niov, g->pos, part, sum));
    memcpy(tcp + 16, &c, 2);
}

/* The header of the fragment goes between the IPv6 headers and the piece of the datagram. */
static unsigned add_fragment6(struct gso *g, bool last)
{
    uint8_t *f = g->out_hdr + g->l4, *next = g->out_hdr + g->l3 + 6;
    size_t at = g->l3 + 40u;

    while (at < g->l4) { /* the last extension header names the fragment's in place of UDP */
        next = g->out_hdr + at;
        at += 8 + 8u * g->out_hdr[at + 1];
    }
    *next = IPPROTO_FRAGMENT;
    f[0] = IPPROTO_UDP;
    f[1] = 0;
    st_be16(f + 2, (uint16_t) ((g->pos - g->l4) | !last));
    st_be32(f + 4, g->frag_id);
    return GSO_FRAG6;
}

/* The part [off, off+len) of iov as vectors: at most `max`; returns how many, 0 when it does not fit. */
static unsigned slice(const struct iovec *iov, unsigned n, size_t off, size_t len, struct iovec *out, unsigned max)
{
    unsigned have = 0;

    for (unsigned i = 0; i < n && len; i++) {
        if (off >= iov[i].iov_len) {
            off -= iov[i].iov_len;
            continue;
        }
        size_t part = MIN(iov[i].iov_len - off, len);
        if (have == max)
            return 0;
        out[have++] = (struct iovec){ (uint8_t *) iov[i].iov_base + off, part };
        len -= part;
        off = 0;
    }
    return len ? 0 : have;
}

unsigned gso_build(struct gso *g, struct iovec *out, unsigned max, size_t *len)
{
    size_t part = MIN((size_t) g->mss, g->len - g->pos), skip = 0;
    bool last = g->pos + part == g->len, udp = g->type == NET_GSO_UDP;
    size_t hdr = g->hdr_len;

    if (max < 2)
        return 0;
    memcpy(g->out_hdr, g->hdr, hdr);
    if (udp && g->ipv6)
        hdr += add_fragment6(g, last);
    if (udp && !g->index) { /* the datagram's header, with its checksum */
        uint8_t *u = g->out_hdr + hdr;
        memcpy(u, g->hdr + g->l4, 4);
        st_be16(u + 4, (uint16_t) (g->len - g->l4));
        memcpy(u + 6, &g->udp_csum, 2);
        skip = 8;
    }
    if (g->ipv6)
        st_be16(g->out_hdr + g->l3 + 4, (uint16_t) (hdr - g->l3 - 40 + part));
    else
        fix_ipv4(g, part, last);
    if (!udp)
        fix_tcp(g, part, last);
    out[0] = (struct iovec){ g->out_hdr, hdr + skip };
    *len = hdr + part;
    if (part == skip)
        return 1;
    unsigned n = slice(g->iov, g->niov, g->pos + skip, part - skip, out + 1, max - 1);
    return n ? n + 1 : 0;
}

void gso_advance(struct gso *g)
{
    g->pos += MIN((size_t) g->mss, g->len - g->pos);
    g->index++;
}
