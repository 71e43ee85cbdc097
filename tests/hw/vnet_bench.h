/* tests/hw/vnet_bench.h - a virtio-net card between a driver (vdriver.h) and a backend of ours. */
#ifndef BANTAM_TESTS_VNET_BENCH_H
#define BANTAM_TESTS_VNET_BENCH_H

#include "hw/virtio/virtio_net.h"
#include "tests/hw/vdriver.h"

enum { NIC_BUF = 2048, NIC_ALL = NET_CSUM | NET_TSO4 | NET_TSO6 | NET_ECN | NET_UFO };

struct nic {
    struct bench *b;
    struct fake_net *f;
    struct vd *d;
    unsigned hdr; /* bytes before each frame in the driver's memory */
};

/* can: NET_*, of the backend; want: feature bits */
static inline struct nic nic_new(const char *props, unsigned flags, unsigned queues, unsigned can, uint64_t want)
{
    struct nic n = { .b = bench_new(128 * MiB) };
    char *all = g_strdup_printf("netdev=n%s%s", props ? "," : "", props ? props : "");

    n.f = bench_net(n.b, "n", queues, can);
    n.f->no_hdr = !(can & NET_CSUM);
    n.d = vd_probe(n.b, "virtio-net-pci", all, flags);
    vd_start(n.d, want);
    n.hdr = flags & VD_LEGACY && !(n.d->features >> VIRTIO_NET_F_MRG_RXBUF & 1) ? 10 : 12;
    g_free(all);
    return n;
}

static inline void nic_free(struct nic *n)
{
    vd_free(n->d);
    bench_free(n->b);
}

/* A frame from the backend, with its header if there is one. */
static inline void nic_feed(struct nic *n, unsigned pair, const struct net_hdr *hdr, const void *frame, size_t len)
{
    static const struct net_hdr none;
    unsigned h = n->f->q[pair].net.hdr;
    uint8_t *p = g_malloc(h + len + 1);

    memcpy(p, hdr ? hdr : &none, h);
    memcpy(p + h, frame, len);
    fake_net_feed(n->f, pair, p, h + len);
    g_free(p);
}

static inline void nic_room(struct nic *n, size_t room)
{
    for (unsigned i = 0; i < n->f->dev.n_queues; i++)
        fake_net_room(n->f, i, room);
}

static inline unsigned nic_sent(const struct nic *n, unsigned pair)
{
    return n->f->q[pair].sent->len;
}
static inline unsigned nic_waiting(const struct nic *n, unsigned pair)
{
    return n->f->q[pair].fed.length;
}

static inline bool nic_has(const struct nic *n, unsigned bit)
{
    return n->d->features >> bit & 1;
}

static inline unsigned nic_rx(unsigned pair)
{
    return 2 * pair;
}
static inline unsigned nic_tx(unsigned pair)
{
    return 2 * pair + 1;
}

/* A buffer to receive into, of one piece; its token is its address. */
static inline void nic_post(struct nic *n, unsigned pair, uint32_t len)
{
    uint64_t gpa = vd_alloc(n->d, len, 16);

    g_assert_true(vd_add(n->d, nic_rx(pair), &(struct vd_sg){ gpa, len }, 0, 1, GSIZE_TO_POINTER(gpa)));
    vd_kick(n->d, nic_rx(pair));
}

/* The next frame, with its header (in its driver's form), put together from its buffers; NULL: none came. */
static inline GByteArray *nic_get(struct nic *n, unsigned pair, unsigned *buffers)
{
    uint32_t len;
    void *token = vd_wait(n->d, nic_rx(pair), &len);
    GByteArray *a;

    if (!token)
        return NULL;
    a = g_byte_array_new();
    g_byte_array_append(a, vd_ptr(n->d, GPOINTER_TO_SIZE(token)), len);
    unsigned k = n->hdr == 12 ? ld_le16(a->data + 10) : 1;
    if (buffers)
        *buffers = k;
    while (--k) {
        token = vd_get(n->d, nic_rx(pair), &len);
        g_assert_nonnull(token);
        g_byte_array_append(a, vd_ptr(n->d, GPOINTER_TO_SIZE(token)), len);
    }
    return a;
}

/* Make header and frame available in one buffer of `pieces`. */
static inline void nic_put(struct nic *n, unsigned pair, const struct net_hdr *hdr, const void *frame, size_t len,
                           unsigned pieces)
{
    static const struct net_hdr none;
    uint64_t gpa = vd_alloc(n->d, n->hdr + len, 1);
    struct vd_sg sg[VD_MAX_SG];
    size_t all = n->hdr + len, at = 0;

    memcpy(vd_ptr(n->d, gpa), hdr ? hdr : &none, n->hdr);
    memcpy((uint8_t *) vd_ptr(n->d, gpa) + n->hdr, frame, len);
    for (unsigned i = 0; i < pieces; i++) {
        size_t part = i + 1 == pieces ? all - at : MIN(all - at - (pieces - i - 1), all / pieces);
        /* apart, or the device would take neighbours for one */
        uint64_t copy = vd_alloc(n->d, part + 16, 16);
        memcpy(vd_ptr(n->d, copy), vd_ptr(n->d, gpa + at), part);
        sg[i] = (struct vd_sg){ copy, (uint32_t) part };
        at += part;
    }
    g_assert_true(vd_add(n->d, nic_tx(pair), sg, pieces, 0, n));
}

static inline void nic_send(struct nic *n, unsigned pair, const struct net_hdr *hdr, const void *frame, size_t len,
                            unsigned pieces)
{
    nic_put(n, pair, hdr, frame, len, pieces);
    vd_kick(n->d, nic_tx(pair));
    bench_run(n->b);
}

/* Buffers that came back from the transmit queue. */
static inline unsigned nic_done(struct nic *n, unsigned pair)
{
    unsigned k = 0;

    bench_run(n->b);
    while (vd_get(n->d, nic_tx(pair), NULL))
        k++;
    return k;
}

static inline unsigned nic_control_queue(const struct nic *n)
{
    return nic_has(n, VIRTIO_NET_F_MQ) ? n->d->n_queues - 1 : 2;
}

/* A command; the acknowledgement, 0 good, or -1: none was written. */
static inline int nic_command(struct nic *n, uint8_t class, uint8_t cmd, const void *data, size_t len)
{
    uint64_t gpa = vd_alloc(n->d, 2 + len + 1, 1);
    uint8_t *p = vd_ptr(n->d, gpa);
    struct vd_sg sg[3] = { { gpa, 2 }, { gpa + 2, (uint32_t) len }, { gpa + 2 + len, 1 } };

    p[0] = class;
    p[1] = cmd;
    memcpy(p + 2, data, len);
    p[2 + len] = 0xee;
    if (!len)
        sg[1] = sg[2];
    vd_do(n->d, nic_control_queue(n), sg, len ? 2 : 1, 1);
    return p[2 + len] == 0xee ? -1 : p[2 + len];
}

#endif
