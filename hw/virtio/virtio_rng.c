/* hw/virtio/virtio_rng.c - entropy device.
 *
 * Source: VIRTIO 1.2, 5.4.
 * Deviations: a buffer gets at most 64 KiB, so that one request can't hold up the main loop. */
#include "hw/catalog.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "vmm/core/rng.h"
#include "vmm/core/vm.h"

enum { QUEUE_SIZE = 8, MOST = 65536 };

struct virtio_rng {
    struct virtio_dev v;
    char *rng; /* properties */
    uint64_t max_bytes;
    uint32_t period;
    uint64_t left;   /* of this period's bytes */
    struct timer timer;
    struct rng_stream *stream;
};

#define VIRTIO_RNG_PROPS(T, R)                                                                                       \
    PROP_STR(T, R.rng, NULL, .name = "rng", .desc = "the -object rng-* to take bytes from (default: getrandom)"),    \
    PROP_U64(T, R.max_bytes, INT64_MAX, .name = "max-bytes", .min = 1, .max = INT64_MAX,                             \
             .desc = "most bytes in a period"),                                                                      \
    PROP_U32(T, R.period, 65536, .name = "period", .min = 1, .max = UINT32_MAX, .desc = "length of a period in ms")

static struct virtio_rng *rng_of(struct virtio_dev *v)
{
    return container_of(v, struct virtio_rng, v);
}

static bool limited(const struct virtio_rng *s)
{
    return s->max_bytes != INT64_MAX;
}

/* Fill b; 0: there are no bytes now. */
static size_t fill(struct virtio_rng *s, struct virtq_buf *b)
{
    size_t want = MIN(b->in_len, MOST), done = 0;

    if (limited(s))
        want = (size_t) MIN(want, s->left);
    for (unsigned i = 0; i < b->in_num && done < want; i++) {
        const struct iovec *iov = &b->iov[b->out_num + i];
        size_t part = MIN(iov->iov_len, want - done), n = rng_read(s->stream, iov->iov_base, part);
        done += n;
        if (n < part)
            break;
    }
    if (limited(s))
        s->left -= done;
    return done;
}

static void handle_queue(struct virtio_dev *v, struct virtq *q)
{
    struct virtio_rng *s = rng_of(v);
    struct virtq_buf *b;

    while ((!limited(s) || s->left) && (b = virtq_pop(q))) {
        size_t n = fill(s, b);
        if (!n && b->in_len) {
            virtq_unpop(b);
            break; /* the source will say when it has more */
        }
        virtq_push(b, n);
    }
    if (limited(s) && s->left < s->max_bytes && !s->timer.armed)
        timer_at(&s->timer, clock_now(v->dev->vm) + s->period * NS_PER_MS);
    virtq_notify(q);
}

static void ready(void *opaque)
{
    struct virtio_rng *s = opaque;

    virtq_kick(&s->v.q[0]);
}

static void period_over(void *opaque)
{
    struct virtio_rng *s = opaque;

    s->left = s->max_bytes;
    virtq_kick(&s->v.q[0]);
}

static bool realize(struct virtio_dev *v, GError **err)
{
    struct virtio_rng *s = rng_of(v);

    const struct rng *rng = s->rng ? rng_find(v->dev->vm, s->rng) : NULL;

    timer_init(&s->timer, v->dev->vm, period_over, s);
    if (s->rng && !rng)
        return fail(err, "rng=%s: there is no source of random bytes with this id; add -object rng-builtin,id=%s",
                    s->rng, s->rng);
    s->stream = rng_open(v->dev->vm, rng, ready, s, err);
    virtio_add_queue(v, QUEUE_SIZE);
    return s->stream != NULL;
}

static void unrealize(struct virtio_dev *v)
{
    struct virtio_rng *s = rng_of(v);

    timer_stop(&s->timer);
    g_clear_pointer(&s->stream, rng_close);
}

static void reset(struct virtio_dev *v)
{
    struct virtio_rng *s = rng_of(v);

    timer_stop(&s->timer);
    s->left = s->max_bytes;
}

static bool post_load(struct virtio_dev *v)
{
    struct virtio_rng *s = rng_of(v);

    return s->left <= s->max_bytes && (s->left == s->max_bytes || s->timer.armed);
}

static void describe(const struct virtio_dev *v, GString *out)
{
    const struct virtio_rng *s = container_of(v, const struct virtio_rng, v);

    if (limited(s))
        g_string_append_printf(out, "    %" PRIu64 " of %" PRIu64 " bytes left in this period\n", s->left,
                               s->max_bytes);
}

static const struct virtio_class virtio_rng_vclass = {
    .name = "virtio-rng", .id = VIRTIO_ID_RNG, .req_size = sizeof(struct virtq_buf), .realize = realize,
    .unrealize = unrealize, .handle_queue = handle_queue, .reset = reset, .post_load = post_load,
    .describe = describe,
};

static const struct state virtio_rng_state[] = {
    STATE_STRUCT(struct virtio_rng, v, virtio_dev_state), STATE_U64(struct virtio_rng, left),
    STATE_TIMER(struct virtio_rng, timer), STATE_HOST(struct virtio_rng, stream), {}
};

struct virtio_rng_pci {
    struct virtio_pci proxy;
    struct virtio_rng rng;
};
static const struct prop virtio_rng_pci_props[] = {
    VIRTIO_RNG_PROPS(struct virtio_rng_pci, rng), VIRTIO_DEV_PROPS(struct virtio_rng_pci, rng.v),
    VIRTIO_PCI_PROPS(struct virtio_rng_pci, proxy), {}
};
static const struct state virtio_rng_pci_state[] = {
    VIRTIO_PCI_STATE(struct virtio_rng_pci, proxy), STATE_STRUCT(struct virtio_rng_pci, rng, virtio_rng_state), {}
};
VIRTIO_PCI_CLASSES(virtio_rng, "virtio-rng", struct virtio_rng_pci, rng.v, &virtio_rng_vclass, 0x1005, 0x00ff00,
                   virtio_rng_pci_props, virtio_rng_pci_state, "source of random bytes");

struct virtio_rng_mmio {
    struct virtio_mmio proxy;
    struct virtio_rng rng;
};
static const struct prop virtio_rng_mmio_props[] = {
    VIRTIO_RNG_PROPS(struct virtio_rng_mmio, rng), VIRTIO_DEV_PROPS(struct virtio_rng_mmio, rng.v), {}
};
static const struct state virtio_rng_mmio_state[] = {
    STATE_STRUCT(struct virtio_rng_mmio, rng, virtio_rng_state), {}
};
VIRTIO_MMIO_CLASS(virtio_rng, "virtio-rng", struct virtio_rng_mmio, rng.v, &virtio_rng_vclass, virtio_rng_mmio_props,
                  virtio_rng_mmio_state, "source of random bytes");
