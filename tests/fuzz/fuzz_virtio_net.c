/* tests/fuzz/fuzz_virtio_net.c - virtio-net between a driver and a backend that both do what the input says.
 *
 * Input: a byte of flags for the rings and one for the properties, two for what the backend can, eight for the
 * features; then operations: a byte each, and what the operation takes. */
#include "tests/fuzz/fuzz.h"
#include "tests/hw/vnet_bench.h"

const char fuzz_name[] = "virtio_net";

enum op { OP_SEND, OP_POST, OP_FEED, OP_COMMAND, OP_KICK, OP_ROOM, OP_RUN, OP_POKE, OP_START, OP_LINK, OP_CONFIG,
          OP_RAW, OP_STOP, OP_SAVE, N_OPS };
enum { MAX_OPS = 400, MAX_BYTES = 4096, MAX_RUNS = 60 };

static const char *const props[] = {
    "romfile=", "romfile=,mrg_rxbuf=off", "romfile=,mq=on", "romfile=,packed=on",
    "romfile=,mq=on,packed=on,mrg_rxbuf=off",
    "romfile=,csum=off", "romfile=,in_order=on", "romfile=,guest_csum=off,ctrl_vq=off",
};

static void get_hdr(struct input *in, struct net_hdr *h)
{
    uint8_t b[12];

    for (unsigned i = 0; i < sizeof b; i++)
        b[i] = input_u8(in);
    memcpy(h, b, sizeof b);
    if (b[11] & 1) { /* what is likely to be looked at further */
        h->csum_start = b[6] % 70;
        h->csum_offset = b[8] % 20;
        h->gso_type = (uint8_t[]){ 0, 1, 3, 4, 0x81 }[b[1] % 5];
    }
}

/* A frame: bytes of the input, over an IP packet's beginning, `repeat` times more. */
static uint8_t *get_frame(struct input *in, size_t *len)
{
    uint8_t kind = input_u8(in);
    size_t n, more = input_int(in, 2) % 40000;
    const uint8_t *p = input_bytes(in, input_u8(in), &n);
    uint8_t *f = g_malloc0(n + more + 128);

    *len = n;
    memcpy(f, p, n);
    if (kind & 1) {
        *len = MAX(n, 54) + more;
        st_be16(f + 12, kind & 2 ? 0x86dd : 0x0800);
        f[14] = kind & 2 ? 0x60 : 0x45;
        f[kind & 2 ? 20 : 23] = kind & 4 ? 17 : 6;
        if (!(kind & 4))
            f[kind & 2 ? 66 : 46] = 0x50;
    }
    return f;
}

static void send_frame(struct nic *n, struct input *in, unsigned pair)
{
    struct net_hdr h;
    size_t len;
    unsigned pieces = 1 + input_u8(in) % 8;

    get_hdr(in, &h);
    uint8_t *f = get_frame(in, &len);
    if (n->d->q[nic_tx(pair)].n_free > pieces && len > 16 && n->d->heap < 100 * MiB) {
        nic_put(n, pair, &h, f, len, pieces);
        vd_notify(n->d, nic_tx(pair));
    }
    g_free(f);
}

static void feed(struct nic *n, struct input *in, unsigned pair)
{
    struct net_hdr h;
    size_t len;

    get_hdr(in, &h);
    uint8_t *f = get_frame(in, &len);
    if (nic_waiting(n, pair) < 20)
        nic_feed(n, pair, &h, f, len);
    g_free(f);
}

/* Anything on any queue, and not what it is for. */
static void raw(struct nic *n, struct input *in)
{
    struct vd_sg sg[8];
    unsigned q = input_u8(in) % n->d->n_queues, out = input_u8(in) % 5, inn = input_u8(in) % 4;

    for (unsigned i = 0; i < out + inn; i++) {
        size_t len;
        const uint8_t *p = input_bytes(in, input_u8(in), &len);
        uint64_t gpa = vd_alloc(n->d, len + 1, 1);
        memcpy(vd_ptr(n->d, gpa), p, len);
        sg[i] = (struct vd_sg){ gpa, (uint32_t) len + (i & 1 ? input_u8(in) * 300u : 0) };
    }
    if (out + inn && n->d->q[q].n_free > 8)
        vd_add(n->d, q, sg, out, inn, n);
    vd_notify(n->d, q);
}

static void command(struct nic *n, struct input *in)
{
    uint8_t b[2] = { input_u8(in) % 8, input_u8(in) % 8 };
    size_t len;
    const uint8_t *p = input_bytes(in, input_u8(in), &len);
    unsigned q = nic_control_queue(n);

    if (q >= n->d->n_queues || n->d->q[q].n_free < 8)
        return;
    uint64_t gpa = vd_alloc(n->d, len + 8, 1);
    memcpy(vd_ptr(n->d, gpa), b, 2);
    memcpy((uint8_t *) vd_ptr(n->d, gpa) + 2, p, len);
    vd_add(n->d, q, (struct vd_sg[]){ { gpa, (uint32_t) len + 2 }, { gpa + len + 4, 1 } }, 1, 1, n);
    vd_notify(n->d, q);
}

static void start(struct nic *n, uint64_t want)
{
    n->d->heap = 1 * MiB;
    for (unsigned i = 0; i < n->f->dev.n_queues; i++)
        g_ptr_array_set_size(n->f->q[i].sent, 0);
    vd_start(n->d, want);
    n->hdr = n->d->flags & VD_LEGACY && !nic_has(n, VIRTIO_NET_F_MRG_RXBUF) ? 10 : 12;
}

static void save_load(struct nic *n)
{
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;

    device_save(n->d->dev, a);
    if (!device_load(n->d->dev, a->data, a->len, &err) && !vd_broken(n->d))
        g_error("its own state is refused: %s", err->message);
    g_clear_error(&err);
    g_byte_array_unref(a);
}

static void run_op(struct nic *n, struct input *in, enum op op, unsigned *runs)
{
    unsigned pair = input_u8(in) % n->f->dev.n_queues, q = nic_rx(pair);
    struct vm *vm = n->b->vm;

    if (nic_tx(pair) >= n->d->n_queues)
        pair = 0, q = 0;
    switch (op) {
    case OP_SEND:    send_frame(n, in, pair); break;
    case OP_FEED:    feed(n, in, pair); break;
    case OP_COMMAND: command(n, in); break;
    case OP_KICK:    vd_notify(n->d, input_u8(in)); break;
    case OP_ROOM:    nic_room(n, pair ? SIZE_MAX : input_u8(in)); break;
    case OP_RAW:     raw(n, in); break;
    case OP_POST:
        if (n->d->q[q].n_free > 1 && n->d->heap < 100 * MiB) {
            uint32_t len = 1 + (uint32_t) input_int(in, 2);
            vd_add(n->d, q, &(struct vd_sg){ vd_alloc(n->d, len, 1), len }, 0, 1, n);
            vd_notify(n->d, q);
        }
        break;
    case OP_RUN:
        if (*runs && (*runs)--)
            bench_run(n->b);
        break;
    case OP_POKE: { /* into a ring */
        uint64_t at = (pair ? n->d->q[q].avail : n->d->q[nic_tx(0)].desc) + input_int(in, 2) % 4200;
        uint64_t v = input_int(in, 8);
        memcpy(vd_ptr(n->d, at), &v, 8);
        break;
    }
    case OP_START:   start(n, input_int(in, 8)); break;
    case OP_LINK:
        vm_lock(vm);
        netdev_set_link(&n->f->dev, !net_link_up(&n->f->q[0].net));
        vm_unlock(vm);
        break;
    case OP_CONFIG:
        vd_set_config(n->d, pair * 4, input_u8(in), 1);
        vd_config(n->d, input_u8(in), 1);
        break;
    case OP_STOP:
        vm_stop(vm, RUN_PAUSED);
        bench_run(n->b);
        vm_cont(vm);
        break;
    case OP_SAVE:    save_load(n); break;
    case N_OPS:      break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned can[] = { 0, NET_CSUM, NIC_ALL, NET_TSO4 | NET_UFO };
    struct input in = { data, data + size };
    uint8_t ring = input_u8(&in), prop = input_u8(&in) % G_N_ELEMENTS(props);
    unsigned flags = (ring & 1 ? VD_EVENT_IDX : 0) | (ring & 2 ? VD_INDIRECT : 0) | (ring & 4 ? VD_MSIX : 0);
    unsigned runs = MAX_RUNS;

    if (strstr(props[prop], "packed"))
        flags |= VD_PACKED;
    else if (ring & 8)
        flags |= VD_LEGACY;
    struct nic n = nic_new(props[prop], flags, 1 + (ring >> 4 & 1) * 2, can[ring >> 5 & 3], ~input_int(&in, 4));
    for (unsigned i = 0; i < MAX_OPS && input_left(&in); i++)
        run_op(&n, &in, input_u8(&in) % N_OPS, &runs);
    bench_run(n.b);
    nic_free(&n);
    return 0;
}
