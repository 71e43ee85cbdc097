/* tests/hw/vnet_frames.h - frames for the tests of virtio-net. */
#ifndef BANTAM_TESTS_VNET_FRAMES_H
#define BANTAM_TESTS_VNET_FRAMES_H

#include "tests/hw/vnet_bench.h"
#include "vmm/net/offload.h"

#include <netinet/in.h>

static const uint8_t my_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* dst, an address of its own, an ethertype that says nothing, and bytes that count */
static inline uint8_t *frame_to(const uint8_t *dst, size_t len)
{
    uint8_t *p = g_malloc0(len + 1);

    for (size_t i = 14; i < len; i++)
        p[i] = (uint8_t) (i * 7 + i / 256);
    memcpy(p, dst, MIN(len, 6));
    if (len >= 14) {
        memcpy(p + 6, "\2bench", 6);
        st_be16(p + 12, 0x88b5);
    }
    return p;
}

/* An IPv4 TCP segment, its checksum the pseudo header's only. */
static inline uint8_t *tcp4(size_t payload, size_t *len)
{
    *len = 54 + payload;
    uint8_t *p = frame_to(my_mac, *len), *ip = p + 14, *tcp = p + 34;

    st_be16(p + 12, 0x0800);
    memset(ip, 0, 40);
    ip[0] = 0x45;
    st_be16(ip + 2, (uint16_t) (*len - 14));
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    st_be32(ip + 12, 0x0a000201);
    st_be32(ip + 16, 0x0a000202);
    st_be32(tcp + 4, 1000);
    tcp[12] = 0x50;
    tcp[13] = 0x18;
    uint8_t pseudo[12];
    memcpy(pseudo, ip + 12, 8);
    pseudo[8] = 0;
    pseudo[9] = IPPROTO_TCP;
    st_be16(pseudo + 10, (uint16_t) (*len - 34));
    uint16_t sum = inet_fold(inet_sum(pseudo, 12, 0));
    memcpy(tcp + 16, &sum, 2);
    return p;
}

static inline bool tcp4_right(const uint8_t *p, size_t len)
{
    uint8_t pseudo[12];

    memcpy(pseudo, p + 26, 8);
    pseudo[8] = 0;
    pseudo[9] = IPPROTO_TCP;
    st_be16(pseudo + 10, (uint16_t) (len - 34));
    return inet_fold(inet_sum(p + 34, len - 34, inet_sum(pseudo, 12, 0))) == 0xffff;
}

static const struct net_hdr tso4 = { .flags = NET_HDR_NEEDS_CSUM, .gso_type = NET_GSO_TCPV4, .hdr_len = 54,
                                     .gso_size = 1000, .csum_start = 34, .csum_offset = 16 };

static inline const GByteArray *sent(struct nic *n, unsigned pair, unsigned i)
{
    g_assert_cmpuint(nic_sent(n, pair), >, i);
    return fake_net_sent(n->f, pair, i);
}

static inline void forget(struct nic *n, unsigned pair)
{
    g_ptr_array_set_size(n->f->q[pair].sent, 0);
}

/* Does the card take a frame to dst, in a VLAN (-1: none)? */
static inline bool passes(struct nic *n, const uint8_t *dst, int vlan)
{
    uint8_t *p = frame_to(dst, 100);

    if (vlan >= 0) {
        st_be16(p + 12, 0x8100);
        st_be16(p + 14, (uint16_t) (vlan | 0x6000));
    }
    nic_post(n, 0, NIC_BUF);
    nic_feed(n, 0, NULL, p, 100);
    GByteArray *a = nic_get(n, 0, NULL);
    bool came = a && !memcmp(a->data + 12, p, 100);
    if (a)
        g_byte_array_unref(a);
    g_assert_cmpuint(nic_waiting(n, 0), ==, 0);
    g_free(p);
    return came;
}

static inline int mode(struct nic *n, uint8_t cmd, uint8_t on)
{
    return nic_command(n, 0, cmd, &on, 1);
}

#endif
