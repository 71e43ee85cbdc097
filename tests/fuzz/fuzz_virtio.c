/* tests/fuzz/fuzz_virtio.c - any virtio device, under a driver that is sometimes good and sometimes not.
 *
 * Input: a byte that chooses the device, a byte of vd_flags, two bytes of what features are taken; then operations of
 * one byte, op + 16 * n, and what the op says. */
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hw/vdriver.h"

#include <stdlib.h>

const char fuzz_name[] = "virtio";

enum op {
    OP_BUFFER,   /* queue n: pieces u8 (out: low nibble, in: high), then for each a length u16; for out the bytes */
    OP_KICK,     /* queue n */
    OP_TURN,
    OP_DESC,     /* queue n: place u8, address u32, length u16, flags u16, next u16 */
    OP_AVAIL,    /* queue n: split: entry u16, index + u8; packed: place u8, flags u16 */
    OP_FILL,     /* guest memory: address u24, length u8, bytes */
    OP_CONFIG,   /* offset u8, value u32: written with size 1, 2, 4 (n) */
    OP_STATUS,   /* u8; n 0: brought up again, well */
    OP_REGISTER, /* 1.x common configuration, legacy or MMIO registers: offset u8, value u32, size by n */
    OP_STEP,     /* clock: u8 << n ms / 16 */
    OP_HOST,     /* n: a drive holds, goes on, fails; a chardev is fed, has room; the device's config changes */
    OP_STOP,     /* the VM stops and goes on */
    OP_SAVE,     /* and is loaded again */
    OP_EVENT,    /* queue n: u16 u16 into the driver's event area */
    OP_PCI,      /* configuration space: offset u8, value u32 */
    OP_RESET,
};
enum { MAX_OPS = 400, POOL = 8 << 20, POOL_SIZE = 4 << 20, MAX_SAVES = 2 };

static const struct device_class *choose(uint8_t n)
{
    const struct device_class *found[64];
    const char *only = getenv("FUZZ_CLASS");
    unsigned k = 0;

    for (unsigned i = 0; device_catalog[i] && k < G_N_ELEMENTS(found); i++) {
        const struct device_class *c = device_catalog[i];
        if ((c->realize == virtio_pci_realize || c->realize == virtio_mmio_realize) &&
            (!only || !strcmp(only, c->name)))
            found[k++] = c;
    }
    return found[n % k];
}

struct fuzz {
    struct catalog_rig r;
    struct vd *d;
    struct input in;
    uint64_t pool;
    unsigned saves;
    uint64_t want;
};

static void add_buffer(struct fuzz *f, unsigned qn)
{
    struct vd_sg sg[30];
    unsigned n = input_u8(&f->in), n_out = n & 15, n_in = n >> 4;
    static int token;

    if (!n || n_out + n_in > G_N_ELEMENTS(sg))
        return;
    for (unsigned i = 0; i < n_out + n_in; i++) {
        uint32_t len = (uint32_t) input_int(&f->in, 2);
        size_t got;
        if (f->pool + len > POOL + POOL_SIZE)
            f->pool = POOL;
        sg[i] = (struct vd_sg){ f->pool, len };
        f->pool += ROUND_UP(len, 16);
        if (i < n_out) {
            const uint8_t *p = input_bytes(&f->in, MIN(len, 64), &got);
            memcpy(vd_ptr(f->d, sg[i].gpa), p, got);
        }
    }
    vd_add(f->d, qn, sg, n_out, n_in, &token);
}

static void host(struct fuzz *f, unsigned n)
{
    struct bench *b = f->r.b;
    struct fake_blk *disk = g_hash_table_lookup(b->vm->blks, "disk");
    struct fake_chardev *chr = g_hash_table_lookup(b->vm->chardevs, "chr");
    size_t len;

    switch (n & 7) {
    case 0: disk->hold = true; break;
    case 1:
        disk->hold = false;
        fake_release(disk);
        break;
    case 2: disk->fail_next = 5; break;
    case 3: {
        const uint8_t *p = input_bytes(&f->in, input_u8(&f->in), &len);
        if (len && chr->chr.fe)
            fake_feed(chr, p, len);
        break;
    }
    case 4: fake_room(chr, input_u8(&f->in)); break;
    case 5: virtio_config_changed(f->d->v); break;
    case 6: /* the chardev's other side comes or goes */
        chr->chr.open = !chr->chr.open;
        if (chr->chr.fe && chr->chr.fe->event)
            chr->chr.fe->event(chr->chr.fe_opaque, chr->chr.open ? CHARDEV_OPENED : CHARDEV_CLOSED);
        break;
    default: fake_room(chr, SIZE_MAX);
    }
}

static void save_and_load(struct fuzz *f)
{
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;
    struct fake_blk *disk = g_hash_table_lookup(f->r.b->vm->blks, "disk");

    disk->hold = false;
    device_save(f->d->dev, a);
    if (!device_load(f->d->dev, a->data, a->len, &err))
        g_error("what was saved is refused: %s", err->message);
    g_byte_array_unref(a);
}

static void run_op(struct fuzz *f, uint8_t byte)
{
    struct vd *d = f->d;
    struct input *in = &f->in;
    unsigned n = byte >> 4, qn = d->n_queues ? n % d->n_queues : 0;
    struct vd_queue *q = d->n_queues ? &d->q[qn] : NULL;
    bool packed = d->features >> VIRTIO_F_RING_PACKED & 1;
    size_t len;

    switch ((enum op) (byte & 15)) {
    case OP_BUFFER: if (q) add_buffer(f, qn); break;
    case OP_KICK:   if (n == 15) vd_notify(d, input_u8(in)); else if (q) vd_kick(d, qn); break;
    case OP_TURN:
        bench_run(f->r.b);
        for (int i = 0; q && i < 64 && vd_get(d, qn, NULL); i++)
            ;
        break;
    case OP_DESC: {
        if (!q)
            break;
        uint8_t *p = vd_ptr(d, q->desc + 16 * (input_u8(in) % q->num));
        st_le64(p, input_int(in, 4) & 0x1ffffff);
        st_le32(p + 8, (uint32_t) input_int(in, 2));
        st_le32(p + 12, (uint32_t) input_int(in, 4));
        break;
    }
    case OP_AVAIL:
        if (!q)
            break;
        if (packed) {
            unsigned at = input_u8(in) % q->num;
            st_le16(vd_ptr(d, q->desc + 16 * at + 14), (uint16_t) input_int(in, 2));
            break;
        }
        uint16_t idx = ld_le16(vd_ptr(d, q->avail + 2));
        st_le16(vd_ptr(d, q->avail + 4 + 2 * (idx % q->num)), (uint16_t) (input_int(in, 2) % (q->num + 2)));
        st_le16(vd_ptr(d, q->avail + 2), (uint16_t) (idx + (int8_t) input_u8(in)));
        break;
    case OP_FILL: {
        uint64_t at = input_int(in, 3) % (16 * MiB - 256);
        const uint8_t *p = input_bytes(in, input_u8(in), &len);
        memcpy(vd_ptr(d, at), p, len);
        break;
    }
    case OP_CONFIG: {
        unsigned off = input_u8(in);
        vd_set_config(d, off, input_int(in, 4), 1U << (n % 3));
        vd_config(d, off, 1U << (n % 3));
        break;
    }
    case OP_STATUS:
        if (n == 0)
            vd_start(d, f->want);
        else
            vd_set_status(d, input_u8(in));
        break;
    case OP_REGISTER: {
        unsigned off = input_u8(in);
        uint64_t val = input_int(in, 4);
        if (d->common)
            vd_common_write(d, off, val, 1U << (n % 3)), vd_common_read(d, off, 1U << (n % 3));
        else
            space_write(&f->r.b->vm->pio, d->legacy_io + off % 32, val, 1U << (n % 3));
        break;
    }
    case OP_STEP:
        clock_step(f->r.b, ((int64_t) input_u8(in) << n) * NS_PER_MS / 16);
        break;
    case OP_HOST: host(f, n); break;
    case OP_STOP:
        vm_stop(f->r.b->vm, RUN_PAUSED);
        bench_run(f->r.b);
        vm_cont(f->r.b->vm);
        break;
    case OP_SAVE: if (f->saves++ < MAX_SAVES) save_and_load(f); break;
    case OP_EVENT:
        if (q) {
            st_le16(vd_ptr(d, packed ? q->avail : q->avail + 4 + 2 * q->num), (uint16_t) input_int(in, 2));
            st_le16(vd_ptr(d, packed ? q->avail + 2 : q->avail), (uint16_t) input_int(in, 2));
        }
        break;
    case OP_PCI:
        if (d->pci) {
            unsigned off = input_u8(in);
            if (off < PCI_BASE_ADDRESS_0 || off >= 0x40) /* the BARs stay where the driver knows them */
                pci_config_write(d->pci->pci, d->pci->devfn, off & ~3u, (uint32_t) input_int(in, 4) |
                                 (off < 8 ? PCI_COMMAND_IO | PCI_COMMAND_MEMORY : 0), 4);
        }
        break;
    case OP_RESET:
        device_reset(d->dev);
        if (d->pci)
            vd_place(d);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = { .in = { data, data + size }, .pool = POOL };
    const struct device_class *cls = choose(input_u8(&f.in));
    unsigned flags = input_u8(&f.in) & (VD_LEGACY | VD_PACKED | VD_EVENT_IDX | VD_INDIRECT | VD_IN_ORDER | VD_MSIX);
    GError *err = NULL;

    if (cls->realize == virtio_mmio_realize)
        flags = (flags | VD_MMIO) & ~(unsigned) (VD_MSIX | VD_LEGACY);
    else if (((const struct virtio_pci_info *) cls->bus_info)->kind == VIRTIO_PCI_NON_TRANSITIONAL)
        flags &= ~(unsigned) VD_LEGACY;
    f.want = input_int(&f.in, 2) | 0xff0000;
    f.r = catalog_rig_prepare(CATALOG_FULL);
    if (flags & VD_MSIX)
        bench_accel(f.r.b, true);
    struct device_global packed = { (char *) cls->name, (char *) "packed", (char *) "on" },
                         in_order = { (char *) cls->name, (char *) "in_order", (char *) "on" };
    GPtrArray *globals = g_ptr_array_new();
    g_ptr_array_add(globals, &packed);
    g_ptr_array_add(globals, &in_order);
    f.r.b->vm->globals = globals;
    if (!catalog_rig_plug(&f.r, cls, CATALOG_FULL, NULL, &err))
        g_error("%s: %s", cls->name, err->message);
    f.d = vd_attach(f.r.b, f.r.d, flags);
    f.d->hostile = true;
    vd_start(f.d, f.want);
    for (unsigned i = 0; i < MAX_OPS && f.in.p < f.in.end; i++)
        run_op(&f, input_u8(&f.in));
    bench_run(f.r.b);
    vd_free(f.d);
    g_ptr_array_free(globals, TRUE);
    catalog_rig_free(&f.r);
    return 0;
}
