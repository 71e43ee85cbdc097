/* tests/hw/test_virtio_net_bad.c - virtio-net with a driver and a backend that do what they should not; and life's
 * interruptions. */
#include "tests/hw/vnet_frames.h"

/* Commands that are none, or of a wrong length, or were not offered. */
static void test_control_refused(void)
{
    struct nic n = nic_new(NULL, 0, 2, 0, ~(BIT64(VIRTIO_NET_F_CTRL_VLAN)));
    uint8_t d[64] = { 0 };

    for (unsigned class = 0; class < 10; class++)
        for (unsigned cmd = 6; cmd < 260; cmd += 7)
            g_assert_cmpint(nic_command(&n, (uint8_t) (class == 9 ? 255 : class), (uint8_t) cmd, d, 8), ==, 1);
    g_assert_cmpint(nic_command(&n, 0, 0, d, 2), ==, 1);
    g_assert_cmpint(nic_command(&n, 0, 0, d, 0), ==, 1);
    g_assert_cmpint(nic_command(&n, 1, 1, d, 5), ==, 1);
    g_assert_cmpint(nic_command(&n, 2, 0, d, 2), ==, 1);  /* not negotiated */
    g_assert_cmpint(nic_command(&n, 3, 0, d, 0), ==, 1);  /* nothing to acknowledge */
    g_assert_cmpint(nic_command(&n, 4, 0, "\1\0", 2), ==, 1); /* mq=off */
    memset(d, 0xff, 8);
    g_assert_cmpint(nic_command(&n, 5, 0, d, 8), ==, 1);
    /* tables whose counts wrap, or reach beyond what was given */
    static const uint32_t counts[] = { 0xffffffff, 0x2aaaaaab, 0x80000000, 3, 0x15555556 };
    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        st_le32(d, counts[i]);
        g_assert_cmpint(nic_command(&n, 1, 0, d, 20), ==, 1);
        st_le32(d, 0);
        st_le32(d + 4, counts[i]);
        g_assert_cmpint(nic_command(&n, 1, 0, d, 20), ==, 1);
    }
    st_le32(d, 0);
    for (unsigned len = 0; len < 8; len++)
        g_assert_cmpint(nic_command(&n, 1, 0, d, len), ==, 1);
    g_assert_false(vd_broken(n.d));
    nic_free(&n);
    /* a VLAN that is none */
    n = nic_new(NULL, 0, 1, 0, UINT64_MAX);
    g_assert_cmpint(nic_command(&n, 2, 0, "\0\x10", 2), ==, 1);
    g_assert_cmpint(nic_command(&n, 2, 0, "\xff\xff", 2), ==, 1);
    /* no room for the answer */
    uint64_t gpa = vd_alloc(n.d, 16, 16);
    vd_add(n.d, 2, &(struct vd_sg){ gpa, 3 }, 1, 0, &n);
    vd_kick(n.d, 2);
    bench_run(n.b);
    g_assert_true(vd_broken(n.d));
    vd_start(n.d, UINT64_MAX);
    vd_add(n.d, 2, (struct vd_sg[]){ { gpa, 1 }, { gpa + 4, 1 } }, 1, 1, &n);
    vd_kick(n.d, 2);
    bench_run(n.b);
    g_assert_true(vd_broken(n.d));
    vd_start(n.d, UINT64_MAX);
    g_assert_true(passes(&n, my_mac, -1));
    nic_free(&n);
}

static void test_hostile_tx(void)
{
    struct nic n = nic_new(NULL, 0, 1, 0, UINT64_MAX), t = nic_new(NULL, 0, 1, NIC_ALL, UINT64_MAX);
    struct nic *both[] = { &n, &t };
    struct net_hdr h = tso4;
    size_t len;
    uint8_t *p = tcp4(3000, &len);

    for (unsigned i = 0; i < 2; i++) {
        struct nic *k = both[i];
        for (size_t short_ = 0; short_ < 14; short_++) /* a header, and hardly more */
            nic_send(k, 0, NULL, p, short_, 1);
        uint64_t gpa = vd_alloc(k->d, 70000, 16);
        for (uint32_t part = 1; part < 12; part++) { /* less than a header */
            vd_add(k->d, 1, &(struct vd_sg){ gpa, part }, 1, 0, k);
            vd_kick(k->d, 1);
        }
        struct vd_sg sg[] = { { gpa, 66000 }, { gpa, 66000 } }; /* longer than a frame can be */
        vd_add(k->d, 1, sg, 2, 0, k);
        vd_kick(k->d, 1);
        bench_run(k->b);
        g_assert_cmpuint(nic_sent(k, 0), ==, 0);
        /* a checksum outside of the frame */
        struct net_hdr c = { .flags = NET_HDR_NEEDS_CSUM, .csum_start = (uint16_t) len, .csum_offset = 0 };
        nic_send(k, 0, &c, p, len, 2);
        c.csum_start = 0xffff, c.csum_offset = 0xffff;
        nic_send(k, 0, &c, p, len, 2);
        c.csum_start = (uint16_t) (len - 1), c.csum_offset = 0;
        nic_send(k, 0, &c, p, len, 2);
        g_assert_cmpuint(nic_sent(k, 0), ==, 0);
        g_assert_cmpuint(nic_done(k, 0), ==, 14 + 11 + 1 + 3);
        h.gso_type = 77;
        nic_send(k, 0, &h, p, len, 2);
        h.gso_type = NET_GSO_UDP_L4;
        nic_send(k, 0, &h, p, len, 2);
        g_assert_cmpuint(nic_sent(k, 0), ==, 0);
        g_assert_false(vd_broken(k->d));
    }
    /* segmentation of what can't be segmented */
    h = tso4;
    h.gso_size = 0;
    nic_send(&n, 0, &h, p, len, 2);
    h.gso_size = 1;
    nic_send(&n, 0, &h, p, len, 2); /* 3000 segments: they are sent */
    g_assert_cmpuint(nic_sent(&n, 0), ==, 3000);
    forget(&n, 0);
    h.gso_size = 1000;
    nic_send(&n, 0, &h, p, 40, 2);
    nic_send(&n, 0, &h, p, 54, 2);
    h.gso_type = NET_GSO_TCPV6;
    nic_send(&n, 0, &h, p, len, 2);
    h.gso_type = NET_GSO_UDP;
    nic_send(&n, 0, &h, p, len, 2);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 0);
    /* buffers to be written on the transmit queue are not */
    uint64_t gpa = vd_alloc(n.d, 4096, 16);
    vd_add(n.d, 1, &(struct vd_sg){ gpa, 4096 }, 0, 1, &n);
    vd_kick(n.d, 1);
    nic_send(&n, 0, NULL, p, len, 2);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 1);
    nic_free(&n);
    nic_free(&t);
    g_free(p);
}

static void test_hostile_rx(void)
{
    struct nic n = nic_new(NULL, 0, 1, NIC_ALL, UINT64_MAX);
    uint8_t *p = frame_to(my_mac, 1500);

    /* a ring full of buffers that don't hold the frame together: it is dropped, not waited for */
    for (unsigned i = 0; i < n.d->q[0].num; i++)
        nic_post(&n, 0, i ? 1 : 12);
    nic_feed(&n, 0, NULL, p, 1500);
    bench_run(n.b);
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 0);
    g_assert_null(vd_get(n.d, 0, NULL));
    nic_feed(&n, 0, NULL, p, 100); /* but what fits comes */
    unsigned k = 0;
    GByteArray *a = nic_get(&n, 0, &k);
    g_assert_cmpuint(k, ==, 101);
    g_assert_cmpmem(a->data + 12, a->len - 12, p, 100);
    g_byte_array_unref(a);
    vd_start(n.d, UINT64_MAX);
    nic_post(&n, 0, 11); /* shorter than the header */
    nic_feed(&n, 0, NULL, p, 100);
    bench_run(n.b);
    g_assert_true(vd_broken(n.d));
    vd_start(n.d, UINT64_MAX);
    uint64_t gpa = vd_alloc(n.d, 4096, 16);
    vd_add(n.d, 0, &(struct vd_sg){ gpa, 4096 }, 1, 0, &n); /* nothing to write into */
    vd_kick(n.d, 0);
    nic_feed(&n, 0, NULL, p, 100);
    bench_run(n.b);
    g_assert_true(vd_broken(n.d));
    nic_feed(&n, 0, NULL, p, 100);
    vd_start(n.d, UINT64_MAX);
    nic_post(&n, 0, NIC_BUF);
    a = nic_get(&n, 0, NULL); /* the one that came last waited */
    g_assert_nonnull(a);
    g_byte_array_unref(a);
    /* frames from a backend that says nonsense */
    struct net_hdr h = { .flags = NET_HDR_NEEDS_CSUM, .csum_start = 90, .csum_offset = 20 };
    uint64_t off = 0;
    g_assert_cmpint(nic_command(&n, 5, 0, &off, 8), ==, 0);
    nic_post(&n, 0, NIC_BUF);
    nic_feed(&n, 0, &h, p, 100);
    h.gso_type = 99;
    nic_feed(&n, 0, &h, p, 100);
    g_assert_null(nic_get(&n, 0, NULL));
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 0);
    nic_free(&n);
    /* without merging: a frame longer than its buffer is lost, the buffer is not */
    n = nic_new("mrg_rxbuf=off", 0, 1, 0, UINT64_MAX);
    nic_post(&n, 0, 500);
    nic_feed(&n, 0, NULL, p, 1500);
    nic_feed(&n, 0, NULL, p, 400);
    a = nic_get(&n, 0, NULL);
    g_assert_cmpmem(a->data + 12, a->len - 12, p, 400);
    g_byte_array_unref(a);
    nic_free(&n);
    g_free(p);
}

/* Reset, stop and go on while the backend has the card wait. */
static void test_interrupted(void)
{
    struct nic n = nic_new(NULL, VD_EVENT_IDX, 1, 0, UINT64_MAX);
    size_t len;
    uint8_t *p = tcp4(5000, &len);

    nic_room(&n, 2);
    nic_send(&n, 0, &tso4, p, len, 2);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 2);
    vd_start(n.d, UINT64_MAX);
    nic_room(&n, SIZE_MAX);
    bench_run(n.b);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 2);
    nic_send(&n, 0, &tso4, p, len, 2); /* all of it, from its beginning */
    g_assert_cmpuint(nic_sent(&n, 0), ==, 7);
    forget(&n, 0);
    nic_room(&n, 1);
    nic_send(&n, 0, &tso4, p, len, 2);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 1);
    vm_stop(n.b->vm, RUN_PAUSED);
    nic_room(&n, SIZE_MAX);
    nic_feed(&n, 0, NULL, p, 1000);
    bench_run(n.b);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 1);
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 1);
    nic_post(&n, 0, NIC_BUF);
    vm_cont(n.b->vm);
    bench_run(n.b);
    g_assert_cmpuint(nic_sent(&n, 0), ==, 5);
    g_assert_cmpuint(nic_waiting(&n, 0), ==, 0);
    nic_free(&n);
    g_free(p);
}

/* What a snapshot carries, and what one must not. */
static void test_snapshot(void)
{
    struct nic n = nic_new("mq=on", VD_EVENT_IDX, 4, NIC_ALL, UINT64_MAX);
    static const uint8_t other[6] = { 2, 1, 2, 3, 4, 5 };
    struct virtio_net *s = container_of(n.d->v, struct virtio_net, v);
    GError *err = NULL;

    g_assert_cmpint(nic_command(&n, 4, 0, "\3\0", 2), ==, 0);
    g_assert_cmpint(nic_command(&n, 1, 1, other, 6), ==, 0);
    g_assert_cmpint(mode(&n, 0, 0), ==, 0);
    GByteArray *a = g_byte_array_new();
    device_save(n.d->dev, a);
    g_assert_cmpint(nic_command(&n, 4, 0, "\1\0", 2), ==, 0);
    g_assert_cmpint(nic_command(&n, 1, 1, my_mac, 6), ==, 0);
    g_assert_true(device_load(n.d->dev, a->data, a->len, &err));
    g_assert_true(n.f->q[2].net.enabled && !n.f->q[3].net.enabled);
    g_assert_cmphex(vd_config(n.d, 0, 1), ==, 2);
    s->n_used = 9;
    g_byte_array_set_size(a, 0);
    device_save(n.d->dev, a);
    s->n_used = 3;
    g_assert_false(device_load(n.d->dev, a->data, a->len, &err));
    g_clear_error(&err);
    g_byte_array_unref(a);
    nic_free(&n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-net-bad/control", test_control_refused);
    g_test_add_func("/virtio-net-bad/tx", test_hostile_tx);
    g_test_add_func("/virtio-net-bad/rx", test_hostile_rx);
    g_test_add_func("/virtio-net-bad/interrupted", test_interrupted);
    g_test_add_func("/virtio-net-bad/snapshot", test_snapshot);
    return g_test_run();
}
