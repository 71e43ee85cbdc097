/* tests/hw/vtest.c - a virtio device for tests of queues. */
#include "tests/hw/vtest.h"

size_t vtest_fill(struct virtq_buf *b)
{
    size_t n = 0;

    for (unsigned i = 0; i < b->in_num; i++) {
        memset(b->iov[b->out_num + i].iov_base, 0x5a, b->iov[b->out_num + i].iov_len);
        n += b->iov[b->out_num + i].iov_len;
    }
    return n;
}

void vtest_return(struct vtest *t, unsigned i)
{
    struct virtq_buf *b = &t->held[i]->buf;
    struct virtq *q = b->q;

    t->held[i] = t->held[--t->n_held];
    virtq_push(b, vtest_fill(b));
    virtq_notify(q);
}

static void handle(struct virtio_dev *v, struct virtq *q)
{
    struct vtest *t = container_of(v, struct vtest, v);
    struct virtq_buf *b;

    __atomic_fetch_add(&t->calls, 1, __ATOMIC_SEQ_CST);
    if (t->manual)
        return;
    for (unsigned n = 0; (!t->limit || n < t->limit) && t->n_held < VTEST_HOLD && (b = virtq_pop(q)); n++) {
        if (t->hold)
            t->held[t->n_held++] = container_of(b, struct vtest_req, buf);
        else
            virtq_push(b, vtest_fill(b));
    }
    virtq_notify(q);
}

static bool realize(struct virtio_dev *v, GError **err)
{
    (void) err;
    virtio_add_queue(v, VTEST_SMALL);
    virtio_add_queue(v, VTEST_LARGE);
    return true;
}

static void start(struct virtio_dev *v)
{
    container_of(v, struct vtest, v)->starts++;
}

static void stop(struct virtio_dev *v)
{
    container_of(v, struct vtest, v)->stops++;
}

static void reset(struct virtio_dev *v)
{
    struct vtest *t = container_of(v, struct vtest, v);

    t->n_held = 0;
    t->resets++;
}

static bool post_load(struct virtio_dev *v)
{
    container_of(v, struct vtest, v)->n_held = 0;
    return true;
}

static uint64_t features(struct virtio_dev *v)
{
    (void) v;
    return BIT64(0) | BIT64(5) | BIT64(40);
}

static void get_config(struct virtio_dev *v, uint8_t *cfg)
{
    memcpy(cfg, container_of(v, struct vtest, v)->cfg, 16);
}

static void set_config(struct virtio_dev *v, const uint8_t *cfg, unsigned off, unsigned len)
{
    g_assert_true(range_fits(off, len, 16));
    memcpy(container_of(v, struct vtest, v)->cfg, cfg, 16);
}

static const struct virtio_class vclass = {
    .name = "vtest", .id = 42, .config_size = 16, .req_size = sizeof(struct vtest_req), .realize = realize,
    .features = features, .get_config = get_config, .set_config = set_config, .handle_queue = handle,
    .start = start, .stop = stop, .reset = reset, .post_load = post_load,
};

static const struct state vtest_state[] = {
    STATE_STRUCT(struct vtest, v, virtio_dev_state), STATE_BYTES(struct vtest, cfg), {}
};
static const struct prop props[] = {
    VIRTIO_DEV_PROPS(struct vtest_pci, t.v), VIRTIO_PCI_PROPS(struct vtest_pci, proxy), {}
};
static const struct state state[] = {
    VIRTIO_PCI_STATE(struct vtest_pci, proxy), STATE_STRUCT(struct vtest_pci, t, vtest_state), {}
};
const struct device_class vtest_pci_transitional_class, vtest_pci_non_transitional_class;
VIRTIO_PCI_CLASSES(vtest, "vtest", struct vtest_pci, t.v, &vclass, 0x1030, 0x00ff00, props, state, "test device");
