/* tests/unit/test_offload.c - checksums and segmentation, against slow and simple counterparts. */
#include "vmm/net/offload.h"

#include <netinet/in.h>

/* --- the counterparts --------------------------------------------------------------------------- */

static uint16_t slow_sum(const uint8_t *p, size_t len, uint32_t sum) /* host order, folded */
{
    for (size_t i = 0; i < len; i++)
        sum += i & 1 ? p[i] : (uint32_t) p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) sum;
}

static uint16_t slow_pseudo(const uint8_t *ip, uint32_t len, uint8_t proto)
{
    uint8_t b[40] = { 0 };

    if (*ip >> 4 == 4) {
        memcpy(b, ip + 12, 8);
        b[9] = proto;
        st_be16(b + 10, (uint16_t) len);
        return slow_sum(b, 12, 0);
    }
    memcpy(b, ip + 8, 32);
    st_be32(b + 32, len);
    b[39] = proto;
    return slow_sum(b, 40, 0);
}

static uint8_t *random_bytes(size_t len)
{
    uint8_t *p = g_malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t) g_test_rand_int();
    return p;
}

/* Cut buf into vectors of random lengths, some of them empty. */
static unsigned cut(uint8_t *buf, size_t len, struct iovec *iov, unsigned max)
{
    unsigned n = 0;

    while (len && n < max - 1) {
        size_t part = (size_t) g_test_rand_int_range(0, (int) MIN(len, 3000) + 1);
        iov[n++] = (struct iovec){ buf, part };
        buf += part;
        len -= part;
    }
    iov[n++] = (struct iovec){ buf, len };
    return n;
}

/* A frame: Ethernet, `tags` VLAN tags, IPv4 with options or IPv6 with an extension header, TCP or UDP. */
struct made {
    uint8_t *p;
    size_t len, l3, l4, payload;
};
static struct made make(bool v6, bool tcp, unsigned tags, bool options, size_t payload)
{
    size_t l3 = 14 + 4 * tags, l3_len = v6 ? 40 + (options ? 16 : 0) : 20 + (options ? 12 : 0);
    size_t l4_len = tcp ? 20 + (options ? 12 : 0) : 8;
    struct made m = { .l3 = l3, .l4 = l3 + l3_len, .payload = l3 + l3_len + l4_len,
                      .len = l3 + l3_len + l4_len + payload };
    uint8_t *p = m.p = random_bytes(m.len), *ip = p + l3, *l4 = p + m.l4, proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;

    for (unsigned i = 0; i < tags; i++)
        st_be16(p + 12 + 4 * i, 0x8100);
    st_be16(p + l3 - 2, v6 ? 0x86dd : 0x0800);
    if (v6) {
        *ip = 0x60;
        st_be16(ip + 4, (uint16_t) (m.len - l3 - 40));
        ip[6] = options ? IPPROTO_DSTOPTS : proto;
        ip[40] = options ? proto : ip[40];
        if (options)
            ip[41] = 1;
    } else {
        *ip = (uint8_t) (0x40 | l3_len / 4);
        st_be16(ip + 2, (uint16_t) (m.len - l3));
        st_be16(ip + 6, 0x4000);
        ip[9] = proto;
    }
    uint16_t pseudo = slow_pseudo(ip, (uint32_t) (m.len - m.l4), proto);
    if (tcp) {
        l4[12] = (uint8_t) (l4_len / 4 << 4);
        l4[13] = 0x80 | 0x10 | 8 | 1; /* CWR ACK PSH FIN */
        st_be16(l4 + 16, pseudo);
    } else {
        st_be16(l4 + 4, (uint16_t) (m.len - m.l4));
        st_be16(l4 + 6, pseudo);
    }
    return m;
}

/* --- tests -------------------------------------------------------------------------------------- */

static void test_sum(void)
{
    struct iovec iov[16];

    for (int i = 0; i < 3000; i++) {
        size_t len = (size_t) g_test_rand_int_range(0, i % 10 ? 200 : 70000);
        uint8_t *p = random_bytes(len);
        if (i % 100 == 0)
            memset(p, 0xff, len);
        uint16_t want = slow_sum(p, len, 0);
        unsigned n = cut(p, len, iov, G_N_ELEMENTS(iov));
        uint16_t got = inet_fold(inet_sum(p, len, 0)), got_iov = inet_fold(inet_sum_iov(iov, n, 0, len, 0));
        g_assert_cmphex(GUINT16_FROM_BE(got) % 0xffff, ==, want % 0xffff);
        g_assert_cmphex(GUINT16_FROM_BE(got_iov) % 0xffff, ==, want % 0xffff);
        size_t off = len ? (size_t) g_test_rand_int_range(0, (int) len) : 0, some = (len - off) / 2;
        g_assert_cmphex(GUINT16_FROM_BE(inet_fold(inet_sum_iov(iov, n, off, some, 0))) % 0xffff, ==,
                        slow_sum(p + off, some, 0) % 0xffff);
        g_free(p);
    }
}

static void test_complete(void)
{
    struct iovec iov[8];

    for (int i = 0; i < 400; i++) {
        bool tcp = i & 1, v6 = i & 2;
        struct made m = make(v6, tcp, i / 4 % 3, i & 16, (size_t) g_test_rand_int_range(0, 3000));
        struct net_hdr h = { .flags = NET_HDR_NEEDS_CSUM, .csum_start = (uint16_t) m.l4, .csum_offset = tcp ? 16 : 6 };
        unsigned n = cut(m.p, m.len, iov, G_N_ELEMENTS(iov));
        size_t at;
        uint16_t csum;

        g_assert_true(csum_complete(&h, iov, n, m.len, &at, &csum));
        g_assert_cmpuint(at, ==, m.l4 + h.csum_offset);
        memcpy(m.p + at, &csum, 2);
        uint32_t sum = slow_pseudo(m.p + m.l3, (uint32_t) (m.len - m.l4), tcp ? IPPROTO_TCP : IPPROTO_UDP);
        g_assert_cmphex(slow_sum(m.p + m.l4, m.len - m.l4, sum), ==, 0xffff);
        h.csum_start = (uint16_t) m.len;
        g_assert_false(csum_complete(&h, iov, n, m.len, &at, &csum));
        h.csum_start = (uint16_t) (m.len - 3);
        h.csum_offset = 2;
        g_assert_false(csum_complete(&h, iov, n, m.len, &at, &csum));
        h.csum_offset = 0xffff;
        g_assert_false(csum_complete(&h, iov, n, m.len, &at, &csum));
        g_free(m.p);
    }
}

/* What gso_build() gives for the next piece, flat. */
static uint8_t *piece(struct gso *g, size_t *len)
{
    struct iovec out[12];
    unsigned n = gso_build(g, out, G_N_ELEMENTS(out), len);

    g_assert_cmpuint(n, >, 0);
    uint8_t *p = g_malloc(*len + 1);
    g_assert_cmpuint(iov_copy_out(out, n, 0, p, *len + 1), ==, *len);
    gso_advance(g);
    return p;
}

static void test_tso(void)
{
    struct iovec iov[10];

    for (int i = 0; i < 300; i++) {
        bool v6 = i & 1;
        size_t mss = (size_t) g_test_rand_int_range(100, 9000);
        struct made m = make(v6, true, i / 2 % 3, i & 8, (size_t) g_test_rand_int_range(1, 65000));
        struct net_hdr h = { .flags = NET_HDR_NEEDS_CSUM, .gso_size = (uint16_t) mss,
                              .gso_type = (v6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4) | (i & 4 ? NET_GSO_ECN : 0) };
        unsigned n = cut(m.p, m.len, iov, G_N_ELEMENTS(iov)), k = 0;
        GByteArray *all = g_byte_array_new();
        const char *why = NULL;
        struct gso g;

        g_assert_true(gso_start(&g, &h, iov, n, m.len, 0, &why));
        for (; !gso_done(&g); k++) {
            size_t len, off = all->len;
            uint8_t *p = piece(&g, &len), *ip = p + m.l3, *tcp = p + m.l4;
            bool last = gso_done(&g);
            if (!last)
                g_assert_cmpuint(len - m.payload, ==, mss);
            if (v6) {
                g_assert_cmpuint(ld_be16(ip + 4), ==, len - m.l3 - 40);
            } else {
                g_assert_cmpuint(ld_be16(ip + 2), ==, len - m.l3);
                g_assert_cmphex(slow_sum(ip, m.l4 - m.l3, 0), ==, 0xffff);
                g_assert_cmphex(ld_be16(ip + 4), ==, (ld_be16(m.p + m.l3 + 4) + k) & 0xffff);
            }
            uint32_t sum = slow_pseudo(ip, (uint32_t) (len - m.l4), IPPROTO_TCP);
            g_assert_cmphex(slow_sum(tcp, len - m.l4, sum), ==, 0xffff);
            g_assert_cmphex(ld_be32(tcp + 4), ==, ld_be32(m.p + m.l4 + 4) + (uint32_t) off);
            g_assert_cmphex(tcp[13], ==, 0x10 | (k ? 0 : 0x80) | (last ? 9 : 0));
            g_byte_array_append(all, p + m.payload, (guint) (len - m.payload));
            g_free(p);
        }
        g_assert_cmpmem(all->data, all->len, m.p + m.payload, m.len - m.payload);
        g_byte_array_unref(all);
        g_free(m.p);
    }
}

static void test_ufo(void)
{
    struct iovec iov[10];

    for (int i = 0; i < 300; i++) {
        bool v6 = i & 1, options = i & 8;
        struct made m = make(v6, false, i / 2 % 3, options, (size_t) g_test_rand_int_range(0, 65000));
        struct net_hdr h = { .gso_type = NET_GSO_UDP, .gso_size = (uint16_t) g_test_rand_int_range(100, 9000) };
        unsigned n = cut(m.p, m.len, iov, G_N_ELEMENTS(iov));
        size_t head = v6 ? m.l4 + 8 : m.l4;
        GByteArray *all = g_byte_array_new();
        const char *why = NULL;
        struct gso g;

        g_assert_true(gso_start(&g, &h, iov, n, m.len, 0x12345678, &why));
        while (!gso_done(&g)) {
            size_t len, off;
            uint8_t *p = piece(&g, &len), *ip = p + m.l3;
            bool more;
            if (v6) {
                uint8_t *f = p + m.l4;
                g_assert_cmpuint(ip[options ? 40 : 6], ==, IPPROTO_FRAGMENT);
                g_assert_cmpuint(f[0], ==, IPPROTO_UDP);
                g_assert_cmphex(ld_be32(f + 4), ==, 0x12345678);
                off = ld_be16(f + 2) & 0xfff8;
                more = f[3] & 1;
                g_assert_cmpuint(ld_be16(ip + 4), ==, len - m.l3 - 40);
            } else {
                g_assert_cmphex(slow_sum(ip, m.l4 - m.l3, 0), ==, 0xffff);
                g_assert_cmpuint(ld_be16(ip + 2), ==, len - m.l3);
                off = (ld_be16(ip + 6) & 0x1fff) * 8u;
                more = ld_be16(ip + 6) & 0x2000;
            }
            g_assert_cmpuint(off, ==, all->len);
            g_assert_true(more == !gso_done(&g));
            g_byte_array_append(all, p + head, (guint) (len - head));
            g_free(p);
        }
        g_assert_cmpuint(all->len, ==, m.len - m.l4);
        uint32_t sum = slow_pseudo(m.p + m.l3, all->len, IPPROTO_UDP);
        g_assert_cmphex(slow_sum(all->data, all->len, sum), ==, 0xffff);
        g_assert_cmpmem(all->data + 8, all->len - 8, m.p + m.payload, m.len - m.payload);
        g_byte_array_unref(all);
        g_free(m.p);
    }
}

static void refused(const struct made *m, struct net_hdr h, size_t len, const char *text)
{
    struct iovec iov = { m->p, len };
    const char *why = NULL;
    struct gso g;

    g_assert_false(gso_start(&g, &h, &iov, 1, len, 0, &why));
    g_assert_nonnull(strstr(why, text));
}

static void test_refused(void)
{
    struct made t = make(false, true, 0, false, 5000), u = make(false, false, 0, false, 5000);
    struct made t6 = make(true, true, 0, false, 5000), big = make(false, true, 0, false, 66000);
    struct net_hdr h = { .gso_type = NET_GSO_TCPV4, .gso_size = 1000 }, x = h;

    x.gso_size = 0;
    refused(&t, x, t.len, "gso_size is 0");
    x.gso_size = 1;
    refused(&t, x, t.len, "too many");
    x = h;
    x.gso_type = 9;
    refused(&t, x, t.len, "unknown");
    x.gso_type = NET_GSO_UDP;
    refused(&t, x, t.len, "not those");
    x.gso_size = 7;
    refused(&u, x, u.len, "too small");
    refused(&u, h, u.len, "not those");
    refused(&t6, h, t6.len, "not those");
    refused(&big, h, big.len, "longer");
    refused(&t, h, 0, "no IP");
    refused(&t, h, 13, "no IP");
    refused(&t, h, 30, "no IP");
    refused(&t, h, t.l4 + 19, "cut short");
    refused(&t, h, t.payload, "nothing but");
    t.p[t.l4 + 12] = 0x40;
    refused(&t, h, t.len, "wrong length");
    t.p[t.l4 + 12] = 0xf0;
    refused(&t, h, t.l4 + 59, "wrong length");
    t.p[t.l3] = 0x44;
    refused(&t, h, t.len, "no IP");
    u.p[u.l3 + 6] = 0x20;
    x = (struct net_hdr){ .gso_type = NET_GSO_UDP, .gso_size = 1000 };
    refused(&u, x, u.len, "fragment");
    g_free(t.p);
    g_free(u.p);
    g_free(t6.p);
    g_free(big.p);
}

/* Any bytes at all: it ends, and what comes out is never longer than what may come out. */
static void test_hostile(void)
{
    struct iovec iov[10];

    for (int i = 0; i < 4000; i++) {
        struct made m = make(i & 1, i & 2, i / 4 % 3, i & 16, (size_t) g_test_rand_int_range(0, 3000));
        for (int k = g_test_rand_int_range(0, 6); k > 0; k--)
            m.p[g_test_rand_int_range(12, (int) MIN(m.len, 100))] = (uint8_t) g_test_rand_int();
        size_t len = i % 5 ? m.len : (size_t) g_test_rand_int_range(0, (int) MIN(m.len, 120));
        struct net_hdr h = { .gso_type = (uint8_t) g_test_rand_int_range(0, 6),
                              .gso_size = (uint16_t) g_test_rand_int_range(0, 2000),
                              .csum_start = (uint16_t) g_test_rand_int(), .csum_offset = (uint16_t) g_test_rand_int() };
        unsigned n = cut(m.p, len, iov, G_N_ELEMENTS(iov)), k = 0;
        const char *why = NULL;
        struct gso g;
        size_t at;
        uint16_t csum;

        csum_complete(&h, iov, n, len, &at, &csum);
        if (gso_start(&g, &h, iov, n, len, 1, &why)) {
            while (!gso_done(&g)) {
                g_free(piece(&g, &at));
                g_assert_cmpuint(++k, <=, GSO_PIECES_MAX);
            }
        } else {
            g_assert_nonnull(why);
        }
        g_free(m.p);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/offload/sum", test_sum);
    g_test_add_func("/offload/complete", test_complete);
    g_test_add_func("/offload/tso", test_tso);
    g_test_add_func("/offload/ufo", test_ufo);
    g_test_add_func("/offload/refused", test_refused);
    g_test_add_func("/offload/hostile", test_hostile);
    return g_test_run();
}
