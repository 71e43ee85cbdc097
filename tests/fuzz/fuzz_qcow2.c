/* tests/fuzz/fuzz_qcow2.c - qcow2 images that are damaged on purpose: opened, and used as a guest uses a disk.
 *
 * Input: mode u8.  MODE_WHOLE: the rest is the file.  Else: shape u8 of a sound image, a number u8 of patches, each
 * where u16, how u8 and bytes, then operations: what u8, where u16, how long u8. */
#include "tests/fuzz/fuzz.h"
#include "vmm/block/drive.h"
#include "vmm/block/qcow2_snapshot.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

const char fuzz_name[] = "qcow2";

enum { MODE_WHOLE = 0x51 /* 'Q' */, MAX_OPS = 64, DISK = 256 * 1024, MAX_IO = 128 * 1024 };

/* Header, refcount table, a refcount block, L1 and L2 table, three clusters of data; the fourth is compressed. */
static size_t sound(uint8_t *p, unsigned shape)
{
    unsigned bits = 9 + shape % 4, order = shape >> 2 & 7, v3 = shape >> 5 & 1;
    size_t cluster = (size_t) 1 << bits;

    order = v3 ? order % 7 : 4;
    memcpy(p, "QFI\xfb", 4);
    st_be32(p + 4, v3 ? 3 : 2);
    st_be32(p + 20, bits);
    st_be64(p + 24, DISK);
    st_be32(p + 36, (uint32_t) (DISK / (cluster * cluster / 8) + 1));
    st_be64(p + 40, 3 * cluster);
    st_be64(p + 48, cluster);
    st_be32(p + 56, 1);
    if (v3) {
        st_be32(p + 96, order);
        st_be32(p + 100, 112);
    }
    st_be64(p + cluster, 2 * cluster);
    for (unsigned i = 0; i < 8; i++) {
        unsigned width = 1u << order;
        if (width >= 8)
            p[2 * cluster + (i + 1) * width / 8 - 1] = 1;
        else
            p[2 * cluster + i * width / 8] |= (uint8_t) (1u << i * width % 8);
    }
    st_be64(p + 3 * cluster, BIT64(63) | 4 * cluster);
    for (unsigned i = 0; i < 3; i++)
        st_be64(p + 4 * cluster + i * 8, BIT64(63) | (5 + i) * cluster);
    st_be64(p + 4 * cluster + 24, BIT64(62) | 7 * cluster);
    if (v3)
        st_be64(p + 4 * cluster + 32, 1);
    memset(p + 5 * cluster, 0x5a, 2 * cluster);
    return 8 * cluster;
}

static size_t build(struct input *in, uint8_t *p)
{
    size_t len = sound(p, input_u8(in));

    for (unsigned n = input_u8(in) % 32; n--;) {
        size_t at = input_int(in, 2) % (len - 8);
        unsigned how = input_u8(in), width = 1u << how % 4;
        uint64_t v = how & 64 ? 0 : input_int(in, how & 128 ? 8 : 2);
        if (how & 32)
            v = ~v;
        if (how & 16)
            at &= ~7UL;
        if (how & 8)
            v |= BIT64(63);
        for (unsigned i = 0; i < width; i++)
            p[at + i] = (uint8_t) (v >> 8 * (width - 1 - i));
    }
    return len;
}

struct op {
    struct blk_req req;
    struct iovec iov;
    uint8_t *buf;
};

static void done(struct blk_req *req, int err)
{
    struct op *o = req->opaque;

    (void) err;
    g_free(o->buf);
    g_free(o);
}

static void one(struct blk *blk, struct input *in)
{
    static const enum blk_op ops[] = { BLK_READ, BLK_WRITE, BLK_WRITE, BLK_WRITE_ZEROES, BLK_DISCARD, BLK_FLUSH };
    unsigned what = input_u8(in);
    uint64_t off = input_int(in, 2) * 512, len = (input_u8(in) + 1U) * 512;
    struct op *o = g_new0(struct op, 1);

    if (what & 128) /* near the end */
        off = blk->size > off ? blk->size - off : 0;
    off = MIN(off, blk->size - 512) / 512 * 512;
    len = MIN(MIN(len, blk->size - off), MAX_IO);
    o->buf = g_malloc0(len);
    o->iov = (struct iovec){ o->buf, len };
    o->req = (struct blk_req){ .op = ops[what % 6], .off = off, .len = len, .flags = what & 64 ? BLK_MAY_UNMAP : 0,
                               .done = done, .opaque = o };
    if (o->req.op == BLK_READ || o->req.op == BLK_WRITE) {
        o->req.iov = &o->iov;
        o->req.niov = 1;
    }
    blk_submit(blk, &o->req);
    if (what & 32)
        blk_drain(blk);
}

static void special(struct blk *blk, struct input *in)
{
    unsigned what = input_u8(in);
    GError *err = NULL;

    blk_drain(blk);
    switch (what % 5) {
    case 0: qcow2_snapshot_create(blk, what & 64 ? "a" : "b", &err); break;
    case 1: qcow2_snapshot_apply(blk, what & 64 ? "a" : "b", &err); break;
    case 2: qcow2_snapshot_delete(blk, what & 64 ? "a" : "1", &err); break;
    case 3: drive_resize(blk, input_int(in, 2) * 512 + 512, &err); break;
    default: g_free(qcow2_snapshot_list(blk, &err)); break;
    }
    g_clear_error(&err);
}

static void use(struct vm *vm, const char *path, bool read_only, struct input *in)
{
    struct drive_config cfg;
    GError *err = NULL;

    drive_config_init(&cfg);
    drive_config_set(&cfg, "id", "d", NULL);
    drive_config_set(&cfg, "file", path, NULL);
    drive_config_set(&cfg, "format", "qcow2", NULL);
    drive_config_set(&cfg, "discard", "unmap", NULL);
    drive_config_set(&cfg, "cache", "unsafe", NULL);
    drive_config_set(&cfg, "locking", "off", NULL);
    drive_config_set(&cfg, "read-only", read_only ? "on" : "off", NULL);
    struct blk *blk = drive_open(vm, &cfg, &err);
    drive_config_clear(&cfg);
    if (!blk) {
        g_assert_nonnull(err);
        g_assert_null(strchr(err->message, '\n'));
        g_clear_error(&err);
        return;
    }
    vm_lock(vm);
    for (int i = 0; i < MAX_OPS && input_left(in); i++)
        if (*in->p % 16 == 15) {
            input_u8(in);
            special(blk, in);
        } else {
            one(blk, in);
        }
    drive_close(blk);
    vm_unlock(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    unsigned mode = input_u8(&in);
    uint8_t *file = g_malloc0(64 * KiB);
    size_t len = mode == MODE_WHOLE ? MIN(input_left(&in), 64 * KiB) : build(&in, file);

    if (mode == MODE_WHOLE)
        memcpy(file, in.p, len);
    int fd = memfd_create("image", MFD_CLOEXEC);
    g_assert_true(fd >= 0 && write(fd, file, len) == (ssize_t) len);
    char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    struct vm *vm = vm_new(NULL, NULL);
    use(vm, path, mode & 1, &in);
    vm_free(vm);
    close(fd);
    g_free(path);
    g_free(file);
    return 0;
}
