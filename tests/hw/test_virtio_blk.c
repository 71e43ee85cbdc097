/* tests/hw/test_virtio_blk.c - virtio-blk: every request, by every interface and format of rings; its errors; what a
 * bad driver does. */
#include "hw/virtio/virtio_blk.h"
#include "hw/catalog.h"
#include "hw/virtio/virtio_mmio.h"
#include "tests/hw/vdriver.h"

#include <errno.h>

enum { DISK = 1 << 20, RAM = 16 << 20 };

struct rig {
    struct bench *b;
    struct fake_blk *disk;
    struct vd *d;
    uint64_t header, status, data;
};

static uint64_t all_features(const struct vd *d)
{
    return d->v->offered;
}

static struct rig rig_probe(const char *more, unsigned flags)
{
    struct rig r = { .b = bench_new(RAM) };
    bool mmio = flags & VD_MMIO;
    char *props = g_strconcat("drive=disk", mmio && flags & VD_LEGACY ? ",force-legacy=on" : "", more ? "," : "", more,
                              NULL);

    r.disk = bench_blk(r.b, "disk", DISK);
    for (unsigned i = 0; i < DISK; i++)
        r.disk->data[i] = (uint8_t) (i / 512 * 7 + i);
    r.d = vd_probe(r.b, mmio ? "virtio-blk-device" : "virtio-blk-pci", props, flags);
    g_free(props);
    return r;
}

static void rig_start(struct rig *r, uint64_t without)
{
    vd_start(r->d, all_features(r->d) & ~without);
    r->header = vd_alloc(r->d, 64 * 16, 16);
    r->status = vd_alloc(r->d, 64, 16);
    r->data = vd_alloc(r->d, 256 * KiB, 4096);
}

static struct rig rig_new(const char *more, unsigned flags)
{
    struct rig r = rig_probe(more, flags);

    rig_start(&r, 0);
    return r;
}

static void rig_free(struct rig *r)
{
    vd_free(r->d);
    bench_free(r->b);
}

static void set_header(struct rig *r, unsigned i, uint32_t type, uint64_t sector)
{
    uint8_t *h = vd_ptr(r->d, r->header + 16 * i);

    st_le32(h, type);
    st_le32(h + 4, 0);
    st_le64(h + 8, sector);
    *(uint8_t *) vd_ptr(r->d, r->status + i) = 0xee;
}

static bool reads(uint32_t type)
{
    return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
}

/* Request i of `len` bytes at data + at; not waited for. */
static void add(struct rig *r, unsigned q, unsigned i, uint32_t type, uint64_t sector, uint64_t at, uint32_t len)
{
    struct vd_sg sg[3] = { { r->header + 16 * i, 16 } };
    unsigned n = 1;

    set_header(r, i, type, sector);
    if (len)
        sg[n++] = (struct vd_sg){ r->data + at, len };
    sg[n] = (struct vd_sg){ r->status + i, 1 };
    unsigned in = 1 + (len && reads(type));
    g_assert_true(vd_add(r->d, q, sg, n + 1 - in, in, vd_ptr(r->d, r->header + 16 * i)));
}

static uint8_t status(struct rig *r, unsigned i)
{
    return *(uint8_t *) vd_ptr(r->d, r->status + i);
}

static uint8_t request(struct rig *r, uint32_t type, uint64_t sector, uint32_t len)
{
    uint32_t used;

    add(r, 0, 0, type, sector, 0, len);
    vd_kick(r->d, 0);
    g_assert_nonnull(vd_wait(r->d, 0, &used));
    g_assert_cmpuint(used, ==, 1 + (reads(type) ? len : 0));
    return status(r, 0);
}

/* --- what works ---------------------------------------------------------------------------------------------- */

static void test_requests(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    struct rig r = rig_new(flags == (VD_MMIO | VD_LEGACY) ? "serial=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                          : "packed=on,in_order=on,serial=ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                           flags);
    uint8_t *p = vd_ptr(r.d, r.data);

    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, 3, 8192), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(p, 8192, r.disk->data + 3 * 512, 8192);
    memset(p, 0xa5, 8192);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_OUT, 100, 8192), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(p, 8192, r.disk->data + 100 * 512, 8192);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_FLUSH, 0, 0), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(r.disk->n_flushes, ==, 1);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_GET_ID, 0, 20), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpmem(p, 21, "ABCDEFGHIJKLMNOPQRST\xa5", 21);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, DISK / 512 - 1, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(request(&r, 2, 0, 0), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(request(&r, 0x80000000, 0, 0), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_false(vd_broken(r.d));
    rig_free(&r);
}

static void put_segment(struct rig *r, unsigned i, uint64_t sector, uint32_t n, uint32_t flags)
{
    uint8_t *p = vd_ptr(r->d, r->data + 16 * i);

    st_le64(p, sector);
    st_le32(p + 8, n);
    st_le32(p + 12, flags);
}

static bool zero(const uint8_t *p, size_t n)
{
    while (n && !*p)
        p++, n--;
    return !n;
}

static void test_discard(void)
{
    struct rig r = rig_new("max-write-zeroes-sectors=100", 0);

    put_segment(&r, 0, 10, 4, 0);
    put_segment(&r, 1, 20, 1, 0);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_DISCARD, 0, 32), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(r.disk->n_discards, ==, 2);
    g_assert_true(zero(r.disk->data + 10 * 512, 4 * 512) && zero(r.disk->data + 20 * 512, 512));
    g_assert_false(zero(r.disk->data + 14 * 512, 512));
    put_segment(&r, 0, 30, 2, VIRTIO_BLK_WZ_UNMAP);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), ==, VIRTIO_BLK_S_OK);
    g_assert_true(zero(r.disk->data + 30 * 512, 2 * 512));
    g_assert_false(zero(r.disk->data + 32 * 512, 512));
    static const struct {
        uint32_t type, n, flags, len;
        uint64_t sector;
        uint8_t status;
    } bad[] = {
        { VIRTIO_BLK_T_DISCARD, 1, 1, 16, 40, VIRTIO_BLK_S_UNSUPP },
        { VIRTIO_BLK_T_DISCARD, 1, 2, 16, 40, VIRTIO_BLK_S_UNSUPP },
        { VIRTIO_BLK_T_WRITE_ZEROES, 1, 2, 16, 40, VIRTIO_BLK_S_UNSUPP },
        { VIRTIO_BLK_T_WRITE_ZEROES, 101, 0, 16, 40, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_WRITE_ZEROES, 10, 0, 16, DISK / 512 - 9, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_WRITE_ZEROES, 10, 0, 16, UINT64_MAX - 4, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_WRITE_ZEROES, 10, 0, 16, UINT64_MAX / 512, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_WRITE_ZEROES, 10, 0, 16, (UINT64_MAX / 512) - 9, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_DISCARD, UINT32_MAX, 0, 16, 0, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_DISCARD, 1, 0, 15, 40, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_DISCARD, 1, 0, 0, 40, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_DISCARD, 1, 0, 33 * 16, 40, VIRTIO_BLK_S_IOERR },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_test_message("%u", i);
        put_segment(&r, 0, bad[i].sector, bad[i].n, bad[i].flags);
        g_assert_cmpuint(request(&r, bad[i].type, 0, bad[i].len), ==, bad[i].status);
    }
    g_assert_cmpuint(r.disk->n_discards, ==, 2);
    g_assert_false(zero(r.disk->data + 40 * 512, 512));
    rig_free(&r);

    r = rig_new("discard=off,write-zeroes=off", 0);
    put_segment(&r, 0, 10, 4, 0);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_DISCARD, 0, 16), ==, VIRTIO_BLK_S_UNSUPP);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), ==, VIRTIO_BLK_S_UNSUPP);
    rig_free(&r);
}

static void test_config(void)
{
    struct rig r = rig_new("logical_block_size=1024,physical_block_size=4096,min_io_size=8192,opt_io_size=65536,"
                           "num-queues=3,queue-size=64,discard_granularity=8192,max-discard-sectors=77", 0);
    struct vd *d = r.d;

    g_assert_cmpuint(d->n_queues, ==, 3);
    g_assert_cmpuint(vd_config(d, 0, 4), ==, DISK / 512);
    g_assert_cmpuint(vd_config(d, 4, 4), ==, 0);
    g_assert_cmpuint(vd_config(d, 12, 4), ==, 62);
    g_assert_cmpuint(vd_config(d, 16, 2), ==, 2);
    g_assert_cmpuint(vd_config(d, 18, 1), ==, 16);
    g_assert_cmpuint(vd_config(d, 19, 1), ==, 63);
    g_assert_cmpuint(vd_config(d, 20, 4), ==, 1024);
    g_assert_cmpuint(vd_config(d, 24, 1), ==, 2);
    g_assert_cmpuint(vd_config(d, 25, 1), ==, 0);
    g_assert_cmpuint(vd_config(d, 26, 2), ==, 8);
    g_assert_cmpuint(vd_config(d, 28, 4), ==, 64);
    g_assert_cmpuint(vd_config(d, 32, 1), ==, 1);
    g_assert_cmpuint(vd_config(d, 34, 2), ==, 3);
    g_assert_cmpuint(vd_config(d, 36, 4), ==, 77);
    g_assert_cmpuint(vd_config(d, 40, 4), ==, VBLK_MAX_SEGMENTS);
    g_assert_cmpuint(vd_config(d, 44, 4), ==, 16);
    g_assert_cmpuint(vd_config(d, 48, 4), ==, VBLK_MAX_SECTORS);
    g_assert_cmpuint(vd_config(d, 52, 4), ==, VBLK_MAX_SEGMENTS);
    g_assert_cmpuint(vd_config(d, 56, 1), ==, 1);
    /* half a block, and one between two */
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, 2, 512), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, 1, 1024), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, 2, 1024), ==, VIRTIO_BLK_S_OK);
    /* it grew */
    vd_take_isr(d);
    r.disk->blk.size = DISK / 2;
    r.disk->blk.dev_ops->resized(r.disk->blk.dev_opaque);
    bench_run(r.b);
    g_assert_cmpuint(vd_take_isr(d) & VIRTIO_ISR_CONFIG, ==, VIRTIO_ISR_CONFIG);
    g_assert_cmpuint(vd_config(d, 0, 4), ==, DISK / 1024);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, DISK / 1024, 1024), ==, VIRTIO_BLK_S_IOERR);
    rig_free(&r);
}

static void test_write_cache(void)
{
    const uint64_t flush = BIT64(VIRTIO_BLK_F_FLUSH), wce = BIT64(VIRTIO_BLK_F_CONFIG_WCE);
    struct rig r = rig_new(NULL, 0);

    g_assert_true(r.disk->blk.write_cache);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_OK);
    vd_set_config(r.d, 32, 0, 1);
    bench_run(r.b);
    g_assert_false(r.disk->blk.write_cache);
    g_assert_cmpuint(r.disk->n_flushes, ==, 1); /* what was cached is on the disk now */
    g_assert_cmpuint(vd_config(r.d, 32, 1), ==, 0);
    vd_set_config(r.d, 32, 1, 1);
    g_assert_true(r.disk->blk.write_cache);
    vd_set_config(r.d, 0, 1, 1); /* nothing else can be written */
    g_assert_cmpuint(vd_config(r.d, 0, 4), ==, DISK / 512);
    rig_free(&r);
    /* a driver that does not know FLUSH */
    r = rig_probe(NULL, 0);
    rig_start(&r, flush | wce);
    g_assert_false(r.disk->blk.write_cache);
    device_reset(r.d->dev);
    g_assert_true(r.disk->blk.write_cache);
    rig_free(&r);
    r = rig_probe(NULL, VD_LEGACY);
    rig_start(&r, flush);
    g_assert_false(r.disk->blk.write_cache);
    g_assert_cmpuint(vd_config(r.d, 32, 1), ==, 0);
    rig_free(&r);
    r = rig_probe("write-cache=off", 0);
    rig_start(&r, wce);
    g_assert_false(r.disk->blk.write_cache);
    rig_free(&r);
}

static void test_merging(gconstpointer data)
{
    bool on = GPOINTER_TO_UINT(data);
    struct rig r = rig_new(on ? "num-queues=2" : "num-queues=2,request-merging=off", VD_INDIRECT);
    uint32_t len;

    /* backwards, with a hole, and reads (elsewhere) among them */
    uint64_t at[16];
    for (unsigned i = 0; i < 16; i++) {
        at[i] = 200 - 2 * (i / 2) - (i >= 8 ? 20 : 0) + (i & 1 ? 400 : 0);
        add(&r, 1, i, i & 1 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, at[i], i * 1024, 1024);
    }
    memset(vd_ptr(r.d, r.data), 0x77, 16384);
    vd_want_irq(r.d, 1, true);
    vd_kick(r.d, 1);
    for (unsigned i = 0; i < 16; i++)
        g_assert_nonnull(vd_wait(r.d, 1, &len));
    g_assert_cmpuint(vd_irqs(r.d, 1), ==, 1);
    g_assert_cmpuint(r.disk->n_writes, ==, on ? 2 : 8);
    g_assert_cmpuint(r.disk->n_reads, ==, on ? 2 : 8);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmpuint(status(&r, i), ==, VIRTIO_BLK_S_OK);
        g_assert_cmpmem(vd_ptr(r.d, r.data + 1024 * i), 1024, r.disk->data + 512 * at[i], 1024);
    }
    /* a bad sector is its owner's error alone */
    r.disk->fail_at = 512 * 305;
    for (unsigned i = 0; i < 8; i++)
        add(&r, 0, i, VIRTIO_BLK_T_IN, 300 + 2 * i, i * 1024, 1024);
    vd_kick(r.d, 0);
    for (unsigned i = 0; i < 8; i++)
        g_assert_nonnull(vd_wait(r.d, 0, &len));
    for (unsigned i = 0; i < 8; i++)
        g_assert_cmpuint(status(&r, i), ==, i == 2 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
    rig_free(&r);
}

/* More at once than are merged, sorted, or in the ring. */
static void test_many(void)
{
    struct rig r = rig_new("queue-size=1024", VD_INDIRECT | VD_EVENT_IDX);
    struct vd_sg sg[3];
    unsigned n = 0;

    for (unsigned i = 0; i < 1024; i++) {
        set_header(&r, i % 64, VIRTIO_BLK_T_IN, i % 64);
        sg[0] = (struct vd_sg){ r.header + 16 * (i % 64), 16 };
        sg[1] = (struct vd_sg){ r.data + 512 * (i % 512), 512 };
        sg[2] = (struct vd_sg){ r.status + i % 64, 1 };
        if (!vd_add(r.d, 0, sg, 1, 2, &r))
            break;
        n++;
    }
    g_assert_cmpuint(n, >=, 256);
    vd_kick(r.d, 0);
    while (n--)
        g_assert_nonnull(vd_wait(r.d, 0, NULL));
    g_assert_cmpmem(vd_ptr(r.d, r.data), 64 * 512, r.disk->data, 64 * 512);
    rig_free(&r);
}

/* --- errors -------------------------------------------------------------------------------------------------- */

static void test_errors(void)
{
    struct rig r = rig_new(NULL, 0);
    static const struct {
        uint64_t sector;
        uint32_t len;
    } bad[] = { { 0, 511 }, { 0, 513 }, { 0, 1 }, { DISK / 512, 512 }, { DISK / 512 - 1, 1024 }, { UINT64_MAX, 512 },
                { UINT64_MAX / 512, 512 }, { UINT64_MAX / 512 + 1, 512 }, { (uint64_t) 1 << 55, 512 }, { DISK, 0 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, bad[i].sector, bad[i].len), ==, VIRTIO_BLK_S_IOERR);
        g_assert_cmpuint(request(&r, VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].len), ==, VIRTIO_BLK_S_IOERR);
    }
    g_assert_cmpuint(r.disk->n_reads + r.disk->n_writes, ==, 0);
    r.disk->fail_next = EIO;
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_FLUSH, 0, 0), ==, VIRTIO_BLK_S_IOERR);
    r.disk->fail_next = EIO;
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_IOERR);
    put_segment(&r, 0, 10, 1, 0);
    put_segment(&r, 1, 20, 1, 0);
    r.disk->fail_next = EIO; /* the first range: the second is not tried */
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_DISCARD, 0, 32), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(r.disk->n_discards, ==, 0);
    g_assert_false(vd_broken(r.d));
    rig_free(&r);
}

static void test_read_only(void)
{
    struct bench *b = bench_new(RAM);
    struct fake_blk *disk = bench_blk(b, "disk", DISK);

    disk->blk.read_only = true;
    struct rig r = { .b = b, .disk = disk, .d = vd_probe(b, "virtio-blk-pci", "drive=disk", 0) };
    g_assert_true(vd_offered(r.d) >> VIRTIO_BLK_F_RO & 1);
    rig_start(&r, 0);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_IN, 0, 512), ==, VIRTIO_BLK_S_OK);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_OUT, 0, 512), ==, VIRTIO_BLK_S_IOERR);
    put_segment(&r, 0, 10, 1, 0);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_DISCARD, 0, 16), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), ==, VIRTIO_BLK_S_IOERR);
    g_assert_cmpuint(request(&r, VIRTIO_BLK_T_FLUSH, 0, 0), ==, VIRTIO_BLK_S_OK);
    rig_free(&r);
}

/* Each breaks the device, and a reset mends it. */
static void test_bad_driver(void)
{
    struct rig r = rig_new(NULL, 0);
    uint64_t h = r.header, s = r.status, d = r.data;
    const struct {
        struct vd_sg sg[3];
        unsigned out, in;
    } bad[] = {
        { { { h, 16 }, { d, 512 } }, 2, 0 },              /* no status */
        { { { h, 16 }, { d, 512 }, { s, 1 } }, 3, 0 },    /* in what the device reads */
        { { { h, 15 }, { s, 1 } }, 1, 1 },                /* a short header */
        { { { s, 1 } }, 0, 1 },                           /* none */
        { { { h, 16 } }, 1, 0 },
        { { { h, 16 }, { d, 512 } }, 0, 2 },              /* all of it for the device to write */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        set_header(&r, 0, VIRTIO_BLK_T_OUT, 0);
        g_assert_true(vd_add(r.d, 0, bad[i].sg, bad[i].out, bad[i].in, &r));
        vd_kick(r.d, 0);
        bench_run(r.b);
        g_assert_true(vd_broken(r.d));
        g_assert_cmpuint(r.disk->n_writes, ==, 0);
        rig_free(&r);
        r = rig_new(NULL, 0);
    }
    /* the header in pieces, the status at the end of the data: odd, and right */
    set_header(&r, 0, VIRTIO_BLK_T_IN, 5);
    struct vd_sg odd[3] = { { r.header, 7 }, { r.header + 7, 9 }, { r.data, 513 } };
    g_assert_cmpuint(vd_do(r.d, 0, odd, 2, 1), ==, 513);
    g_assert_cmpmem(vd_ptr(r.d, r.data), 512, r.disk->data + 5 * 512, 512);
    g_assert_cmpuint(*(uint8_t *) vd_ptr(r.d, r.data + 512), ==, VIRTIO_BLK_S_OK);
    /* requests of the same chain, one good, then a bad one: the good one is not lost */
    rig_free(&r);
}

/* Stopped, reset, saved with requests in flight. */
static void test_life(void)
{
    struct rig r = rig_new(NULL, 0);
    GError *err = NULL;

    r.disk->hold = true;
    add(&r, 0, 0, VIRTIO_BLK_T_OUT, 1, 0, 512);
    add(&r, 0, 1, VIRTIO_BLK_T_OUT, 2, 512, 512);
    vd_kick(r.d, 0);
    bench_run(r.b);
    g_assert_cmpuint(r.disk->n_writes, ==, 0);
    GByteArray *a = g_byte_array_new();
    device_save(r.d->dev, a); /* ends them */
    g_assert_cmpuint(r.disk->n_writes, ==, 1);
    g_assert_true(device_load(r.d->dev, a->data, a->len, &err));
    g_byte_array_unref(a);
    g_assert_nonnull(vd_wait(r.d, 0, NULL));
    g_assert_nonnull(vd_wait(r.d, 0, NULL));
    add(&r, 0, 0, VIRTIO_BLK_T_IN, 1, 0, 512);
    add(&r, 0, 1, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
    vd_kick(r.d, 0);
    bench_run(r.b);
    device_reset(r.d->dev); /* and goes away with some */
    g_assert_true(g_queue_is_empty(&r.disk->pending));
    vd_place(r.d);
    rig_start(&r, 0);
    add(&r, 0, 0, VIRTIO_BLK_T_IN, 1, 0, 512);
    vd_kick(r.d, 0);
    bench_run(r.b);
    rig_free(&r);
}

static void test_props(void)
{
    static const char *const bad[] = {
        "serial=x", "drive=none", "drive=disk,num-queues=0", "drive=disk,queue-size=100", "drive=disk,queue-size=2048",
        "drive=disk,logical_block_size=256", "drive=disk,logical_block_size=1000", "drive=disk,min_io_size=100",
        "drive=disk,physical_block_size=3", "drive=disk,opt_io_size=1000", "drive=disk,discard_granularity=7",
        "drive=disk,max-discard-sectors=0", "drive=disk,heads=256", "drive=disk,scsi=on", "drive=disk,share-rw=on",
        "drive=empty", "drive=disk,iothread=no", "drive=disk,werror=maybe", "drive=disk,min_io_size=67108864",
    };
    struct bench *b = bench_new(RAM);

    bench_blk(b, "disk", DISK);
    bench_blk(b, "empty", 0);
    bench_add(b, &i440fx_class, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_null(device_create(b->vm, &virtio_blk_pci_class, NULL, bad[i], &err));
        g_test_message("%s: %s", bad[i], err->message);
        g_clear_error(&err);
    }
    struct device *d = bench_add(b, &virtio_blk_pci_class, "drive=disk,bootindex=1");
    struct boot_entry *e = b->vm->boot_order->pdata[0];
    char *want = g_strdup_printf("/pci@i0cf8/scsi@%x/disk@0,0", container_of(d, struct pci_dev, dev)->devfn >> 3);
    g_assert_cmpstr(e->path, ==, want);
    g_free(want);
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = {
        { "split", 0 }, { "split-event", VD_EVENT_IDX }, { "split-indirect", VD_INDIRECT | VD_EVENT_IDX },
        { "in-order", VD_IN_ORDER }, { "packed", VD_PACKED },
        { "packed-all", VD_PACKED | VD_EVENT_IDX | VD_INDIRECT | VD_IN_ORDER }, { "legacy", VD_LEGACY },
        { "msix", VD_MSIX }, { "mmio", VD_MMIO }, { "mmio-legacy", VD_MMIO | VD_LEGACY },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        char *name = g_strdup_printf("/virtio-blk/requests/%s", ways[i].name);
        g_test_add_data_func(name, GUINT_TO_POINTER(ways[i].flags), test_requests);
        g_free(name);
    }
    g_test_add_func("/virtio-blk/discard", test_discard);
    g_test_add_func("/virtio-blk/config", test_config);
    g_test_add_func("/virtio-blk/write-cache", test_write_cache);
    g_test_add_data_func("/virtio-blk/merging", GUINT_TO_POINTER(1), test_merging);
    g_test_add_data_func("/virtio-blk/no-merging", GUINT_TO_POINTER(0), test_merging);
    g_test_add_func("/virtio-blk/many", test_many);
    g_test_add_func("/virtio-blk/errors", test_errors);
    g_test_add_func("/virtio-blk/read-only", test_read_only);
    g_test_add_func("/virtio-blk/bad-driver", test_bad_driver);
    g_test_add_func("/virtio-blk/life", test_life);
    g_test_add_func("/virtio-blk/props", test_props);
    return g_test_run();
}
