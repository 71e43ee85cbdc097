/* tests/hw/test_virtio_net.c - virtio-net with a driver that keeps to the specification. */
#include "hw/catalog.h"
#include "tests/hw/vnet_frames.h"

/* --- good weather -------------------------------------------------------------------------------- */

struct mode {
    const char *name, *props;
    unsigned flags, can;
    uint64_t without;
};
static const struct mode modes[] = {
    { "split", "packed=off", VD_EVENT_IDX | VD_INDIRECT, NIC_ALL, 0 },
    { "plain", NULL, 0, 0, 0 },
    { "msix", NULL, VD_MSIX | VD_EVENT_IDX, NIC_ALL, 0 },
    { "packed", "packed=on", VD_PACKED | VD_EVENT_IDX | VD_INDIRECT, NIC_ALL, 0 },
    { "in-order", "in_order=on", VD_IN_ORDER | VD_EVENT_IDX, 0, 0 },
    { "legacy", NULL, VD_LEGACY, NIC_ALL, 0 },
    { "legacy-unmerged", "mrg_rxbuf=off", VD_LEGACY | VD_EVENT_IDX, 0, 0 },
    { "unmerged", "mrg_rxbuf=off", VD_EVENT_IDX, NIC_ALL, 0 },
    { "bare", NULL, 0, NIC_ALL, UINT64_MAX },
};

static void test_traffic(const void *arg)
{
    const struct mode *m = arg;
    struct nic n = nic_new(m->props, m->flags, 1, m->can, ~m->without);
    bool merge = nic_has(&n, VIRTIO_NET_F_MRG_RXBUF);

    for (unsigned i = 0; i < 700; i++) { /* more than the ring has places */
        size_t len = 14 + i * 2;
        uint8_t *p = frame_to(my_mac, len);
        unsigned h = n.f->q[0].net.hdr;
        nic_send(&n, 0, NULL, p, len, 1 + i % 5);
        const GByteArray *a = sent(&n, 0, 0);
        g_assert_cmpmem(a->data + h, a->len - h, p, len);
        g_assert_cmpuint(nic_done(&n, 0), ==, 1);
        forget(&n, 0);
        nic_post(&n, 0, merge ? 256 : NIC_BUF);
        for (unsigned k = 0; merge && k * 256 < len; k++)
            nic_post(&n, 0, 256);
        nic_feed(&n, 0, NULL, p, len);
        unsigned buffers;
        GByteArray *got = nic_get(&n, 0, &buffers);
        g_assert_cmpmem(got->data + n.hdr, got->len - n.hdr, p, len);
        if (n.hdr == 12)
            g_assert_cmpuint(buffers, ==, merge ? (n.hdr + len + 255) / 256 : 1);
        g_byte_array_unref(got);
        while (merge && (got = NULL, n.d->q[0].n_free < n.d->q[0].num - 40)) { /* eat up what is left over */
            nic_feed(&n, 0, NULL, p, MIN(len, 100));
            g_byte_array_unref(nic_get(&n, 0, NULL));
        }
        g_free(p);
        if (n.d->heap > 100 * MiB)
            n.d->heap = 64 * MiB; /* nothing of that is in use any more */
    }
    g_assert_cmpuint(n.f->q[0].net.sent.frames, ==, 700);
    g_assert_false(vd_broken(n.d));
    nic_free(&n);
}

/* A receive buffer that is kept back is not lost, and the backend waits with its frames. */
static void test_rx_waits(void)
{
    struct nic n = nic_new(NULL, VD_EVENT_IDX | VD_MSIX, 1, NIC_ALL, UINT64_MAX);
    uint8_t *p = frame_to(my_mac, 1000);

    for (unsigned i = 0; i < 5; i++)
        nic_feed(&n, 0, NULL, p, 1000);
    bench_run(n.b);
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 5);
    nic_post(&n, 0, 600); /* too little for one */
    bench_run(n.b);
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 5);
    g_assert_null(vd_get(n.d, 0, NULL));
    nic_post(&n, 0, 500);
    unsigned k = 0;
    GByteArray *got = nic_get(&n, 0, &k);
    g_assert_cmpuint(k, ==, 2);
    g_assert_cmpmem(got->data + 12, got->len - 12, p, 1000);
    g_byte_array_unref(got);
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 4);
    g_assert_cmpuint(vd_irqs(n.d, 0), ==, 1);
    for (unsigned i = 0; i < 4; i++)
        nic_post(&n, 0, NIC_BUF);
    bench_run(n.b);
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 0);
    g_assert_cmpuint(vd_irqs(n.d, 0), <=, 3);
    nic_free(&n);
    g_free(p);
}

/* A backend that can't: chains stay, in their order, until it can. */
static void test_tx_waits(void)
{
    struct nic n = nic_new(NULL, VD_EVENT_IDX, 1, NIC_ALL, UINT64_MAX);

    nic_room(&n, 3);
    for (unsigned i = 0; i < 10; i++) {
        uint8_t *p = frame_to(my_mac, 100 + i);
        nic_send(&n, 0, NULL, p, 100 + i, 2);
        g_free(p);
    }
    g_assert_cmpuint(nic_sent(&n, 0), ==, 3);
    g_assert_cmpuint(nic_done(&n, 0), ==, 3);
    nic_room(&n, 1);
    g_assert_cmpuint(nic_done(&n, 0), ==, 1);
    nic_room(&n, SIZE_MAX);
    g_assert_cmpuint(nic_done(&n, 0), ==, 6);
    for (unsigned i = 0; i < 10; i++)
        g_assert_cmpuint(sent(&n, 0, i)->len, ==, 12 + 100 + i);
    nic_free(&n);
}

/* --- offloads ------------------------------------------------------------------------------------- */

static void test_tx_offload_passed(void)
{
    struct nic n = nic_new(NULL, 0, 1, NIC_ALL, UINT64_MAX);
    size_t len;
    uint8_t *p = tcp4(30000, &len);

    nic_send(&n, 0, &tso4, p, len, 9);
    const GByteArray *a = sent(&n, 0, 0);
    g_assert_cmpmem(a->data, 10, &tso4, 10);
    g_assert_cmpmem(a->data + 12, a->len - 12, p, len);
    nic_free(&n);
    g_free(p);
}

static void test_tx_offload_done(void)
{
    struct nic n = nic_new(NULL, 0, 1, 0, UINT64_MAX); /* the backend can nothing */
    struct net_hdr csum = { .flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 };
    size_t len;
    uint8_t *p = tcp4(1001, &len);

    for (unsigned pieces = 1; pieces < 60; pieces++) {
        nic_send(&n, 0, &csum, p, len, pieces);
        const GByteArray *a = sent(&n, 0, 0);
        g_assert_cmpuint(a->len, ==, len);
        g_assert_true(tcp4_right(a->data, a->len));
        g_assert_cmpmem(a->data + 54, a->len - 54, p + 54, len - 54);
        forget(&n, 0);
        g_assert_cmpuint(nic_done(&n, 0), ==, 1);
    }
    g_free(p);
    p = tcp4(30500, &len);
    nic_send(&n, 0, &tso4, p, len, 9);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 31);
    for (unsigned i = 0; i < 31; i++) {
        const GByteArray *a = sent(&n, 0, i);
        g_assert_cmpuint(a->len, ==, i < 30 ? 1054 : 554);
        g_assert_true(tcp4_right(a->data, a->len));
        g_assert_cmpmem(a->data + 54, a->len - 54, p + 54 + 1000 * i, a->len - 54);
    }
    forget(&n, 0);
    /* it has to wait in the middle of one */
    nic_room(&n, 7);
    nic_send(&n, 0, &tso4, p, len, 3);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 7);
    g_assert_cmpuint(nic_done(&n, 0), ==, 1); /* the one before */
    nic_room(&n, 20);
    bench_run(n.b);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 27);
    nic_room(&n, SIZE_MAX);
    g_assert_cmpuint(nic_done(&n, 0), ==, 1);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 31);
    for (unsigned i = 0; i < 31; i++)
        g_assert_cmpmem(sent(&n, 0, i)->data + 54, 500, p + 54 + 1000 * i, 500);
    nic_free(&n);
    g_free(p);
}

/* A driver that was told of no segmentation, and asks for it. */
static void test_tx_not_negotiated(void)
{
    struct nic n = nic_new("host_tso4=off,gso=off,host_ufo=off", 0, 1, NIC_ALL, ~BIT64(VIRTIO_NET_F_CSUM));
    struct net_hdr h = tso4;
    size_t len;
    uint8_t *p = tcp4(3000, &len);

    nic_send(&n, 0, &h, p, len, 1);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 0);
    h.gso_type = NET_GSO_NONE;
    nic_send(&n, 0, &h, p, len, 1); /* nor of checksums: the frame goes as it is */
    g_assert_cmpuint(sent(&n, 0, 0)->data[0], ==, 0);
    g_assert_cmpmem(sent(&n, 0, 0)->data + 12, len, p, len);
    g_assert_cmpuint(nic_done(&n, 0), ==, 2);
    nic_free(&n);
    g_free(p);
}

static void test_rx_offload(void)
{
    struct nic n = nic_new(NULL, 0, 1, NIC_ALL, UINT64_MAX);
    struct net_hdr csum = { .flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 };
    size_t len;
    uint8_t *p = tcp4(9000, &len);
    uint64_t off = 0;

    g_assert_cmphex(n.f->q[0].offload, ==, NIC_ALL);
    for (unsigned i = 0; i < 20; i++)
        nic_post(&n, 0, 1000);
    nic_feed(&n, 0, &tso4, p, len);
    GByteArray *got = nic_get(&n, 0, NULL);
    g_assert_cmpmem(got->data, 10, &tso4, 10);
    g_assert_cmpmem(got->data + 12, got->len - 12, p, len);
    g_byte_array_unref(got);
    /* switched off: the backend is told, and what comes all the same is not for the driver to finish */
    g_assert_cmpint(nic_command(&n, 5, 0, &off, 8), ==, 0);
    g_assert_cmphex(n.f->q[0].offload, ==, 0);
    nic_feed(&n, 0, &tso4, p, len);
    g_assert_null(nic_get(&n, 0, NULL));
    g_free(p);
    p = tcp4(1500, &len);
    nic_feed(&n, 0, &csum, p, len);
    got = nic_get(&n, 0, NULL);
    g_assert_cmpuint(got->data[0], ==, 0);
    g_assert_true(tcp4_right(got->data + 12, got->len - 12));
    g_byte_array_unref(got);
    /* the two bytes of a checksum in two buffers */
    for (unsigned at = 60; at < 66; at++) {
        while (vd_get(n.d, 0, NULL)) {}
        nic_free(&n);
        n = nic_new("guest_csum=off", 0, 1, NIC_ALL, UINT64_MAX);
        nic_post(&n, 0, at);
        nic_post(&n, 0, 4000);
        nic_feed(&n, 0, &csum, p, len);
        got = nic_get(&n, 0, NULL);
        g_assert_true(tcp4_right(got->data + 12, got->len - 12));
        g_byte_array_unref(got);
    }
    nic_free(&n);
    g_free(p);
}

/* DHCP's answers come with their checksum, whatever the driver says it does. */
static void test_rx_dhcp(void)
{
    struct nic n = nic_new(NULL, 0, 1, NIC_ALL, UINT64_MAX);
    struct net_hdr csum = { .flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6 };
    size_t len;
    uint8_t *p = tcp4(300, &len);

    p[23] = IPPROTO_UDP;
    st_be16(p + 34, 67);
    st_be16(p + 36, 68);
    nic_post(&n, 0, NIC_BUF);
    nic_feed(&n, 0, &csum, p, len);
    GByteArray *got = nic_get(&n, 0, NULL);
    g_assert_cmpuint(got->data[0], ==, 0);
    p[34] = 1; /* another port */
    nic_post(&n, 0, NIC_BUF);
    nic_feed(&n, 0, &csum, p, len);
    g_byte_array_unref(got);
    got = nic_get(&n, 0, NULL);
    g_assert_cmpuint(got->data[0], ==, NET_HDR_NEEDS_CSUM);
    g_byte_array_unref(got);
    nic_free(&n);
    g_free(p);
}

/* --- the control queue ----------------------------------------------------------------------------- */

static void test_filters(void)
{
    struct nic n = nic_new(NULL, 0, 1, 0, UINT64_MAX);
    static const uint8_t other[6] = { 2, 1, 2, 3, 4, 5 }, group[6] = { 1, 0, 0x5e, 0, 0, 1 };
    uint16_t vid = GUINT16_TO_LE(77);

    g_assert_true(passes(&n, other, -1) && passes(&n, my_mac, 5)); /* promiscuous at first */
    g_assert_cmpint(mode(&n, 0, 0), ==, 0);
    g_assert_true(passes(&n, my_mac, -1) && passes(&n, broadcast, -1));
    g_assert_false(passes(&n, other, -1));
    g_assert_false(passes(&n, group, -1));
    g_assert_false(passes(&n, my_mac, 77));
    g_assert_cmpint(nic_command(&n, 2, 0, &vid, 2), ==, 0);
    g_assert_true(passes(&n, my_mac, 77));
    g_assert_false(passes(&n, my_mac, 78));
    g_assert_cmpint(nic_command(&n, 2, 1, &vid, 2), ==, 0);
    g_assert_false(passes(&n, my_mac, 77));
    g_assert_cmpint(mode(&n, 1, 1), ==, 0); /* allmulti */
    g_assert_true(passes(&n, group, -1));
    g_assert_cmpint(mode(&n, 3, 1), ==, 0); /* nomulti wins */
    g_assert_false(passes(&n, group, -1));
    g_assert_true(passes(&n, broadcast, -1));
    g_assert_cmpint(mode(&n, 5, 1), ==, 0); /* nobcast */
    g_assert_false(passes(&n, broadcast, -1));
    g_assert_cmpint(mode(&n, 2, 1), ==, 0); /* alluni */
    g_assert_true(passes(&n, other, -1));
    g_assert_cmpint(mode(&n, 4, 1), ==, 0); /* nouni wins */
    g_assert_false(passes(&n, my_mac, -1));
    for (uint8_t i = 1; i < 6; i++)
        g_assert_cmpint(mode(&n, i, 0), ==, 0);
    g_assert_cmpint(mode(&n, 6, 0), ==, 1);

    /* the tables */
    uint8_t t[4 + 65 * 6 + 4 + 65 * 6] = { 0 };
    st_le32(t, 1);
    memcpy(t + 4, other, 6);
    st_le32(t + 10, 1);
    memcpy(t + 14, group, 6);
    g_assert_cmpint(nic_command(&n, 1, 0, t, 20), ==, 0);
    g_assert_true(passes(&n, other, -1) && passes(&n, group, -1) && passes(&n, my_mac, -1));
    memset(t, 0, sizeof t);
    g_assert_cmpint(nic_command(&n, 1, 0, t, 8), ==, 0);
    g_assert_false(passes(&n, other, -1));
    g_assert_false(passes(&n, group, -1));
    /* one more than fits: all of that kind */
    st_le32(t, 65);
    st_le32(t + 4 + 65 * 6, 64);
    g_assert_cmpint(nic_command(&n, 1, 0, t, sizeof t - 6), ==, 0);
    g_assert_true(passes(&n, other, -1));
    g_assert_false(passes(&n, group, -1));
    /* an address of its own */
    g_assert_cmpint(nic_command(&n, 1, 0, t + 400, 8), ==, 0);
    g_assert_cmpint(nic_command(&n, 1, 1, other, 6), ==, 0);
    g_assert_true(passes(&n, other, -1));
    g_assert_false(passes(&n, my_mac, -1));
    for (unsigned i = 0; i < 6; i++)
        g_assert_cmphex(vd_config(n.d, i, 1), ==, other[i]);
    vd_start(n.d, UINT64_MAX); /* a reset brings all back */
    for (unsigned i = 0; i < 6; i++)
        g_assert_cmphex(vd_config(n.d, i, 1), ==, my_mac[i]);
    g_assert_true(passes(&n, other, 99));
    nic_free(&n);
}

static void test_queues(void)
{
    struct nic n = nic_new("mq=on", VD_EVENT_IDX, 4, NIC_ALL, UINT64_MAX);
    uint8_t *p = frame_to(my_mac, 200);

    g_assert_cmpuint(n.d->n_queues, ==, 9);
    g_assert_cmpuint(vd_config(n.d, 8, 2), ==, 4);
    g_assert_true(n.f->q[0].net.enabled && !n.f->q[1].net.enabled && !n.f->q[3].net.enabled);
    nic_send(&n, 2, NULL, p, 200, 1); /* a pair that is not used */
    g_assert_cmpuint(nic_sent(&n, 2), ==, 0);
    g_assert_cmpint(nic_command(&n, 4, 0, "\0\0", 2), ==, 1);
    g_assert_cmpint(nic_command(&n, 4, 0, "\5\0", 2), ==, 1);
    g_assert_cmpint(nic_command(&n, 4, 0, "\4\0", 2), ==, 0);
    g_assert_true(n.f->q[1].net.enabled && n.f->q[3].net.enabled);
    for (unsigned i = 0; i < 4; i++) {
        nic_send(&n, i, NULL, p, 200, 1);
        g_assert_cmpuint(nic_sent(&n, i), >=, 1);
        nic_post(&n, i, NIC_BUF);
        nic_feed(&n, i, NULL, p, 200);
        GByteArray *a = nic_get(&n, i, NULL);
        g_assert_cmpmem(a->data + 12, a->len - 12, p, 200);
        g_byte_array_unref(a);
    }
    g_assert_cmpint(nic_command(&n, 4, 0, "\2\0", 2), ==, 0);
    g_assert_true(n.f->q[1].net.enabled && !n.f->q[2].net.enabled);
    nic_free(&n);
    /* without MQ the control queue is the third */
    n = nic_new("mq=on", 0, 4, NIC_ALL, ~BIT64(VIRTIO_NET_F_MQ));
    g_assert_cmpint(mode(&n, 0, 0), ==, 0);
    nic_free(&n);
    g_free(p);
}

/* --- configuration --------------------------------------------------------------------------------- */

static void test_config(void)
{
    struct nic n = nic_new("mac=52:54:00:01:02:03,host_mtu=9000,speed=25000,duplex=full", VD_MSIX, 1, 0, UINT64_MAX);

    g_assert_cmphex(vd_config(n.d, 0, 4), ==, 0x01005452);
    g_assert_cmphex(vd_config(n.d, 6, 2), ==, 1);
    g_assert_cmpuint(vd_config(n.d, 10, 2), ==, 9000);
    g_assert_cmpuint(vd_config(n.d, 12, 4), ==, 25000);
    g_assert_cmpuint(vd_config(n.d, 16, 1), ==, 1);
    g_assert_cmphex(vd_config(n.d, 17, 1), ==, 0xff);
    vd_set_config(n.d, 0, 0x11, 1); /* not writable here */
    g_assert_cmphex(vd_config(n.d, 0, 1), ==, 0x52);
    unsigned before = fake_msis(n.b->accel, VD_MSI_DATA);
    vm_lock(n.b->vm);
    netdev_set_link(&n.f->dev, false);
    vm_unlock(n.b->vm);
    g_assert_cmphex(vd_config(n.d, 6, 2), ==, 0);
    bench_run(n.b);
    g_assert_cmpuint(fake_msis(n.b->accel, VD_MSI_DATA), ==, before + 1);
    uint8_t *p = frame_to(my_mac, 100);
    nic_send(&n, 0, NULL, p, 100, 1); /* into the air */
    g_assert_cmpuint(nic_sent(&n, 0), ==, 0);
    g_assert_cmpuint(nic_done(&n, 0), ==, 1);
    vm_lock(n.b->vm);
    netdev_set_link(&n.f->dev, true);
    vm_unlock(n.b->vm);
    g_assert_cmphex(vd_config(n.d, 6, 2), ==, 1);
    nic_send(&n, 0, NULL, p, 100, 1);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 1);
    nic_free(&n);
    /* legacy drivers write their address */
    n = nic_new(NULL, VD_LEGACY, 1, 0, ~BIT64(VIRTIO_NET_F_CTRL_MAC_ADDR));
    static const uint8_t mac[6] = { 2, 9, 8, 7, 6, 5 };
    for (unsigned i = 0; i < 6; i++)
        vd_set_config(n.d, i, mac[i], 1);
    for (unsigned i = 0; i < 6; i++)
        g_assert_cmphex(vd_config(n.d, i, 1), ==, mac[i]);
    g_assert_cmpint(mode(&n, 0, 0), ==, 0);
    nic_post(&n, 0, NIC_BUF);
    nic_post(&n, 0, NIC_BUF);
    nic_feed(&n, 0, NULL, p, 100); /* to the address before */
    memcpy(p, mac, 6);
    nic_feed(&n, 0, NULL, p, 100);
    GByteArray *a = nic_get(&n, 0, NULL);
    g_assert_cmpmem(a->data + n.hdr, a->len - n.hdr, p, 100);
    g_byte_array_unref(a);
    g_assert_null(nic_get(&n, 0, NULL));
    nic_free(&n);
    g_free(p);
}

static void test_props(void)
{
    static const struct { const char *props, *text; } bad[] = {
        { "rss=on", "rss=on" }, { "hash=on", "hash=on" }, { "failover=on", "failover" }, { "tx=timer", "tx=timer" },
        { "rx_queue_size=128", "rx_queue_size" }, { "tx_queue_size=2048", "tx_queue_size" },
        { "rx_queue_size=300", "power of two" }, { "host_mtu=67", "host_mtu" }, { "speed=-2", "speed" },
        { "duplex=quarter", "duplex" }, { "mac=01:02:03:04:05:06", "multicast" }, { "netdev=none", "none" },
    };
    struct bench *b = bench_new(1 * MiB);

    bench_add(b, &i440fx_class, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_null(device_create(b->vm, device_class_find("virtio-net-pci"), NULL, bad[i].props, &err));
        g_assert_nonnull(err);
        if (!strstr(err->message, bad[i].text))
            g_error("%s: %s", bad[i].props, err->message);
        g_clear_error(&err);
    }
    /* without a cable; an address of its own each */
    struct device *one = bench_add(b, device_class_find("virtio-net-pci"),
                                   "tx=bh,rx_queue_size=1024,tx_queue_size=1024");
    struct device *two = bench_add(b, device_class_find("virtio-net"), NULL);
    char *m1 = device_get(one, "mac"), *m2 = device_get(two, "mac");
    g_assert_cmpstr(m1, ==, "52:54:00:12:34:56");
    g_assert_cmpstr(m2, ==, "52:54:00:12:34:57");
    g_free(m1);
    g_free(m2);
    /* one netdev, one card */
    GError *err = NULL;
    bench_net(b, "x", 1, 0);
    bench_add(b, device_class_find("virtio-net-pci-non-transitional"), "netdev=x");
    g_assert_null(device_create(b->vm, device_class_find("virtio-net-pci-transitional"), NULL, "netdev=x", &err));
    g_assert_nonnull(strstr(err->message, "'x' is already used"));
    g_clear_error(&err);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        char *path = g_strconcat("/virtio-net/traffic/", modes[i].name, NULL);
        g_test_add_data_func(path, &modes[i], test_traffic);
        g_free(path);
    }
    g_test_add_func("/virtio-net/rx-waits", test_rx_waits);
    g_test_add_func("/virtio-net/tx-waits", test_tx_waits);
    g_test_add_func("/virtio-net/tx-offload-passed", test_tx_offload_passed);
    g_test_add_func("/virtio-net/tx-offload-done", test_tx_offload_done);
    g_test_add_func("/virtio-net/tx-not-negotiated", test_tx_not_negotiated);
    g_test_add_func("/virtio-net/rx-offload", test_rx_offload);
    g_test_add_func("/virtio-net/rx-dhcp", test_rx_dhcp);
    g_test_add_func("/virtio-net/filters", test_filters);
    g_test_add_func("/virtio-net/queues", test_queues);
    g_test_add_func("/virtio-net/config", test_config);
    g_test_add_func("/virtio-net/props", test_props);
    return g_test_run();
}
