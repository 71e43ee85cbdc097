/* tests/unit/test_qcow2_hostile.c - damaged and hostile qcow2 images: each is refused in one clear line, or opened and
 * then read and written without harm to anything but its own data. */
#include "tests/unit/qcowtest.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

enum { CLUSTER = 65536, DISK = 4 << 20 };

/* What an offset of a patch counts from. */
enum from { HEAD, RT, RB, L1, L2, DATA };

struct patch {
    enum from from;
    uint64_t off;
    unsigned size; /* bytes; 0: no more */
    uint64_t value;
    enum from plus; /* value is relative to this, if not HEAD */
};

struct hostile {
    const char *name;
    const char *refused; /* part of the message; NULL: it opens */
    struct patch patch[4];
    uint64_t truncate;   /* to this size, if not 0 */
    bool v2, ro;         /* ro: opens read-only in spite of it */
    int read_err;        /* of a read of all */
    bool writes_fail;    /* all of them, after the first */
    const char *check;   /* "clean": qemu-img check afterwards */
};

#define U64_MAX 0xffffffffffffffffULL
#define COPIED (1ULL << 63)

static const struct hostile cases[] = {
    { "version-0", "is of version 0", { { HEAD, 4, 4, 0 } } },
    { "version-4", "is of version 4", { { HEAD, 4, 4, 4 } } },
    { "version-max", "is of version 4294967295", { { HEAD, 4, 4, 0xffffffff } } },
    { "cluster-bits-0", "clusters of 2^0", { { HEAD, 20, 4, 0 } } },
    { "cluster-bits-8", "clusters of 2^8", { { HEAD, 20, 4, 8 } } },
    { "cluster-bits-22", "clusters of 2^22", { { HEAD, 20, 4, 22 } } },
    { "cluster-bits-max", "clusters of 2^4294967295", { { HEAD, 20, 4, 0xffffffff } } },
    { "cluster-bits-9", "", { { HEAD, 20, 4, 9 } } },
    { "cluster-bits-21", "", { { HEAD, 20, 4, 21 } } },
    { "size-0", "has no sector", { { HEAD, 24, 8, 0 } } },
    { "size-511", "has no sector", { { HEAD, 24, 8, 511 } } },
    { "size-max", "is not possible", { { HEAD, 24, 8, U64_MAX } } },
    { "size-sign", "is not possible", { { HEAD, 24, 8, 1ULL << 63 } } },
    { "size-over-l1", "too small for a disk", { { HEAD, 24, 8, 1ULL << 40 } } },
    { "crypt-aes", "is encrypted (AES)", { { HEAD, 32, 4, 1 } } },
    { "crypt-luks", "is encrypted (LUKS)", { { HEAD, 32, 4, 2 } } },
    { "crypt-unknown", "is encrypted (by an unknown method)", { { HEAD, 32, 4, 77 } } },
    { "l1-size-0", "too small for a disk", { { HEAD, 36, 4, 0 } } },
    { "l1-size-max", "is too large", { { HEAD, 36, 4, 0xffffffff } } },
    { "l1-size-4m", "is not in the file", { { HEAD, 36, 4, 4 << 20 } } },
    { "l1-at-0", "its L1 table (at offset 0x0) is not in the file", { { HEAD, 40, 8, 0 } } },
    { "l1-unaligned", "its L1 table", { { HEAD, 40, 8, 0x30200 } } },
    { "l1-behind", "its L1 table", { { HEAD, 40, 8, 1ULL << 40 } } },
    { "l1-wraps", "its L1 table", { { HEAD, 40, 8, 0xffffffffffff0000ULL } } },
    { "l1-on-refcounts", "overlaps other metadata", { { HEAD, 40, 8, 0, RT } } },
    { "rt-at-0", "its refcount table", { { HEAD, 48, 8, 0 } } },
    { "rt-unaligned", "its refcount table", { { HEAD, 48, 8, 0x10001 } } },
    { "rt-behind", "its refcount table", { { HEAD, 48, 8, 1ULL << 50 } } },
    { "rt-clusters-0", "a refcount table of 0 clusters", { { HEAD, 56, 4, 0 } } },
    { "rt-clusters-max", "a refcount table of 4294967295 clusters", { { HEAD, 56, 4, 0xffffffff } } },
    { "rt-clusters-over", "is not in the file", { { HEAD, 56, 4, 100 } } },
    { "snapshots-max", "snapshots are too many", { { HEAD, 60, 4, 0xffffffff } } },
    { "snapshots-at-0", "its snapshot table", { { HEAD, 60, 4, 1 } } },
    { "snapshots-behind", "its snapshot table", { { HEAD, 60, 4, 1 }, { HEAD, 64, 8, 1ULL << 40 } } },
    { "snapshots-on-data", "", { { HEAD, 60, 4, 1 }, { HEAD, 64, 8, 0, DATA } } },
    { "snapshots-on-l1", "", { { HEAD, 60, 4, 3 }, { HEAD, 64, 8, 0, L1 } } },
    { "feature-63", "features that are not supported: bit 63", { { HEAD, 72, 8, 1ULL << 63 } } },
    { "features-many", "bit 17, bit 18", { { HEAD, 72, 8, 3ULL << 17 } } },
    { "data-file", "has its data in another file", { { HEAD, 72, 8, 4 } } },
    { "extended-l2", "extended L2 entries", { { HEAD, 72, 8, 16 } } },
    { "corrupt", "is marked corrupt; repair it", { { HEAD, 72, 8, 2 } }, .ro = true },
    { "compression-bit-alone", "contradict each other", { { HEAD, 72, 8, 8 } } },
    { "compression-unknown", "unknown compression type 9", { { HEAD, 72, 8, 8 }, { HEAD, 104, 1, 9 } } },
    { "dirty", NULL, { { HEAD, 72, 8, 1 } }, .check = "clean" },
    { "dirty-refcounts-lost", NULL, { { HEAD, 72, 8, 1 }, { RB, 4, 8, 0 }, { RB, 12, 8, 0 } }, .check = "clean" },
    { "dirty-refcounts-wild", NULL, { { HEAD, 72, 8, 1 }, { RB, 0, 8, U64_MAX }, { RB, 4096, 8, U64_MAX } },
      .check = "clean" },
    { "dirty-copied-lost", NULL, { { HEAD, 72, 8, 1 }, { L2, 0, 1, 0 }, { L1, 0, 1, 0 } }, .check = "clean" },
    { "dirty-data-behind", "can't be repaired by itself", { { HEAD, 72, 8, 1 }, { L2, 8, 8, COPIED | 1ULL << 40 } },
      .ro = true },
    { "dirty-data-on-l1", "can't be repaired by itself", { { HEAD, 72, 8, 1 }, { L2, 8, 8, COPIED, L1 } }, .ro = true },
    { "dirty-no-block", "", { { HEAD, 72, 8, 1 }, { RT, 0, 8, 0 } } },
    { "autoclear", NULL, { { HEAD, 88, 8, 1ULL << 40 } }, .check = "clean" },
    { "refcount-order-7", "refcounts of 2^7 bits", { { HEAD, 96, 4, 7 } } },
    { "refcount-order-max", "refcounts of 2^4294967295", { { HEAD, 96, 4, 0xffffffff } } },
    { "refcount-order-0", NULL, { { HEAD, 96, 4, 0 } }, .writes_fail = true },
    { "refcount-order-6", NULL, { { HEAD, 96, 4, 6 } }, .writes_fail = true },
    { "header-length-0", "a header of 0 bytes", { { HEAD, 100, 4, 0 } } },
    { "header-length-103", "a header of 103 bytes", { { HEAD, 100, 4, 103 } } },
    { "header-length-max", "a header of 4294967295 bytes", { { HEAD, 100, 4, 0xffffffff } } },
    { "extension-long", "is longer than its place", { { HEAD, 116, 4, 0xfffffff0 } } },
    { "extension-format-long", "name of the backing format", { { HEAD, 112, 4, 0xe2792aca }, { HEAD, 116, 4, 16 } } },
    { "backing-behind", "lies outside of the header", { { HEAD, 8, 8, 1ULL << 32 }, { HEAD, 16, 4, 10 } } },
    { "backing-wraps", "lies outside of the header", { { HEAD, 8, 8, U64_MAX }, { HEAD, 16, 4, 10 } } },
    { "backing-long", "is too long", { { HEAD, 8, 8, 512 }, { HEAD, 16, 4, 1024 } } },
    { "backing-zero-byte", "has a zero byte in it", { { HEAD, 8, 8, 4096 }, { HEAD, 16, 4, 4 } } },
    { "backing-none", "No such file", { { HEAD, 8, 8, 4096 }, { HEAD, 16, 4, 4 }, { HEAD, 4096, 4, 0x61626364 } } },
    { "l1-entry-unaligned", "an L2 table at offset 0x40200 is not in the file", { { L1, 0, 8, COPIED | 0x40200 } } },
    { "l1-entry-behind", "is not in the file", { { L1, 0, 8, COPIED | 1ULL << 40 } } },
    { "l1-entry-max", "is not in the file", { { L1, 0, 8, U64_MAX } } },
    { "l1-entry-on-l1", "overlaps other metadata", { { L1, 0, 8, COPIED, L1 } } },
    { "l1-entry-on-rt", "overlaps other metadata", { { L1, 0, 8, COPIED, RT } } },
    { "l1-entry-on-block", "overlaps other metadata", { { L1, 0, 8, COPIED, RB } } },
    { "l1-entry-on-data", NULL, { { L1, 0, 8, COPIED, DATA } }, .read_err = -1 },
    { "rt-entry-unaligned", "a refcount block at offset 0x20200", { { RT, 0, 8, 0x20200 } } },
    { "rt-entry-behind", "is not in the file", { { RT, 0, 8, 1ULL << 55 } } },
    { "rt-entry-on-l1", "overlaps other metadata", { { RT, 0, 8, 0, L1 } } },
    { "rt-entry-on-rt", "overlaps other metadata", { { RT, 0, 8, 0, RT } } },
    { "rt-entry-twice", "overlaps other metadata", { { RT, 8, 8, 0, RB } } },
    { "rt-entry-none", NULL, { { RT, 0, 8, 0 } }, .writes_fail = true },
    { "refcounts-0", NULL, { { RB, 0, 8, 0 } }, .writes_fail = true },
    { "refcount-of-data-0", NULL, { { RB, 10, 8, 0 } } },
    { "l2-entry-unaligned", NULL, { { L2, 0, 8, COPIED | 0x50200 } }, .read_err = EIO, .writes_fail = true },
    { "l2-entry-behind", NULL, { { L2, 0, 8, COPIED | 1ULL << 40 } }, .writes_fail = true },
    { "l2-entry-max", NULL, { { L2, 0, 8, U64_MAX } }, .read_err = EIO },
    { "l2-entry-copied-nothing", NULL, { { L2, 0, 8, COPIED } }, .read_err = EIO, .writes_fail = true },
    { "l2-entry-on-l2", NULL, { { L2, 0, 8, COPIED, L2 } }, .writes_fail = true },
    { "l2-entry-on-l1", NULL, { { L2, 0, 8, COPIED, L1 } }, .writes_fail = true },
    { "l2-entry-on-rt", NULL, { { L2, 0, 8, COPIED, RT } }, .writes_fail = true },
    { "l2-entry-on-block", NULL, { { L2, 0, 8, COPIED, RB } }, .writes_fail = true },
    { "l2-entry-twice", NULL, { { L2, 0, 8, COPIED, DATA }, { L2, 8, 8, COPIED, DATA } } },
    { "l2-zero-flag", NULL, { { L2, 7, 1, 1 } } },
    { "l2-zero-flag-v2", NULL, { { L2, 7, 1, 1 } }, .v2 = true, .read_err = EIO, .writes_fail = true },
    { "compressed-garbage", NULL, { { L2, 0, 8, 1ULL << 62 | 0x50000 } }, .read_err = EIO },
    { "compressed-behind", NULL, { { L2, 0, 8, 1ULL << 62 | 0x3fffffffffULL } }, .read_err = EIO },
    { "compressed-header", NULL, { { L2, 0, 8, 1ULL << 62 | 4 } }, .read_err = EIO, .writes_fail = true },
    { "compressed-long", NULL, { { L2, 0, 8, (1ULL << 62) + (0xffULL << 54) + 0x50000 } }, .read_err = EIO },
    { "truncated-512", "is not in the file", { { 0 } }, .truncate = 512 },
    { "truncated-in-tables", "is not in the file", { { 0 } }, .truncate = 0x20000 },
    { "truncated-in-l2", "", { { 0 } }, .truncate = 0x40010 },
    { "truncated-in-data", NULL, { { 0 } }, .truncate = 0x58000 },
    { "v2-plain", NULL, { { 0 } }, .v2 = true, .check = "clean" },
};

struct fix {
    struct vm *vm;
    char *dir, *img[2]; /* v3, v2 */
};

static void put(uint8_t *p, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        p[i] = (uint8_t) (v >> (8 * (size - 1 - i)));
}

static uint64_t base_of(const uint8_t *image, enum from f)
{
    uint64_t l1 = ld_be64(image + 40), rt = ld_be64(image + 48), l2 = ld_be64(image + l1) & 0xfffffffffffe00ULL;

    switch (f) {
    case RT: return rt;
    case RB: return ld_be64(image + rt);
    case L1: return l1;
    case L2: return l2;
    case DATA: return ld_be64(image + l2) & 0xfffffffffffe00ULL;
    default: return 0;
    }
}

static char *make(struct fix *f, const struct hostile *h)
{
    char *image, *path = g_build_filename(f->dir, "x.qcow2", NULL);
    gsize len;

    g_assert_true(g_file_get_contents(f->img[h->v2], &image, &len, NULL));
    uint8_t *orig = g_memdup2(image, len);
    for (int i = 0; i < 4 && h->patch[i].size; i++) {
        const struct patch *p = &h->patch[i];
        put((uint8_t *) image + base_of(orig, p->from) + p->off,
            p->value + (p->plus ? base_of(orig, p->plus) : 0), p->size);
    }
    g_assert_true(g_file_set_contents(path, image, h->truncate ? (gssize) h->truncate : (gssize) len, NULL));
    g_free(orig);
    g_free(image);
    return path;
}

/* All that a guest can do, without a look at what it gets. */
static void use(struct blk *blk, const struct hostile *h, bool writes)
{
    uint64_t len = MIN(blk->size, DISK);
    uint8_t *buf = g_malloc0(len);
    int e = do_io(blk, BLK_READ, 0, buf, len), w = 0;

    if (h && h->read_err >= 0 && e != h->read_err)
        g_test_fail_printf("reading: %s, not %s", g_strerror(e), g_strerror(h->read_err));
    if (writes) {
        do_io(blk, BLK_WRITE, 0, buf, 512);
        do_io(blk, BLK_DISCARD, 0, NULL, MIN(len, 2 * CLUSTER));
        w = do_io(blk, BLK_WRITE, 0, buf, MIN(len, 3 * CLUSTER));
        do_io(blk, BLK_WRITE_ZEROES, MIN(len, CLUSTER) - 512, NULL, 512);
        do_io(blk, BLK_FLUSH, 0, NULL, 0);
        if (h && (w != 0) != h->writes_fail)
            g_test_fail_printf("writing: %s", g_strerror(w));
    }
    g_free(buf);
}

static void test_case(struct fix *f, gconstpointer data)
{
    const struct hostile *h = data;
    GError *err = NULL;
    char *path = make(f, h), *opts = g_strdup_printf("id=d,format=qcow2,discard=unmap,file=%s", path);
    struct blk *blk = try_drive(f->vm, opts, &err);

    if (blk) {
        if (h->refused && *h->refused)
            g_test_fail_printf("it was opened");
        use(blk, h->refused ? NULL : h, true);
        close_drive(blk);
        if (h->check)
            check_image(path, false);
    } else {
        g_test_message("%s", err->message);
        if (!h->refused)
            g_test_fail_printf("not opened: %s", err->message);
        g_assert_null(strchr(err->message, '\n'));
        g_assert_nonnull(strstr(err->message, "x.qcow2"));
        if (h->refused && !strstr(err->message, h->refused))
            g_test_fail_printf("'%s' is not in '%s'", h->refused, err->message);
        g_clear_error(&err);
    }
    g_free(opts);
    opts = g_strdup_printf("id=d,format=qcow2,read-only=on,file=%s", path);
    blk = try_drive(f->vm, opts, &err);
    if (h->ro)
        g_assert_no_error(err);
    if (blk) {
        use(blk, NULL, false);
        close_drive(blk);
    }
    g_clear_error(&err);
    g_free(opts);
    g_free(path);
}

/* --- what takes more than a patch -------------------------------------------------------------- */

static struct blk *try_file(struct fix *f, const char *name, GError **err)
{
    char *opts = g_strdup_printf("id=d,file=%s/%s", f->dir, name);
    struct blk *blk = try_drive(f->vm, opts, err);

    g_free(opts);
    return blk;
}

static void expect(struct fix *f, const char *name, const char *part)
{
    GError *err = NULL;
    struct blk *blk = try_file(f, name, &err);

    g_assert_null(blk);
    g_test_message("%s", err->message);
    g_assert_null(strchr(err->message, '\n'));
    if (!strstr(err->message, part))
        g_error("'%s' is not in '%s'", part, err->message);
    g_clear_error(&err);
}

static void test_backing(struct fix *f, gconstpointer unused)
{
    (void) unused;
    must("cd '%s' && qemu-img create -q -f qcow2 -u -b self.qcow2 -F qcow2 x 1M && mv x self.qcow2", f->dir);
    expect(f, "self.qcow2", "is its own backing file");
    must("cd '%s' && qemu-img create -q -f qcow2 -u -b b.qcow2 -F qcow2 a.qcow2 1M && "
         "qemu-img create -q -f qcow2 -u -b ./a.qcow2 -F qcow2 b.qcow2 1M", f->dir);
    expect(f, "a.qcow2", "is its own backing file");
    must("cd '%s' && for i in $(seq 1 120); do "
         "qemu-img create -q -f qcow2 -u -b c$((i + 1)) -F qcow2 c$i 1M || exit; done", f->dir);
    expect(f, "c1", "images back each other");
    must("cd '%s' && qemu-img create -q -f qcow2 -u -b none.img -F raw n.qcow2 1M", f->dir);
    expect(f, "n.qcow2", "none.img': No such file");
    must("cd '%s' && qemu-img create -q -f qcow2 -u -b 'json:{\"driver\":\"file\"}' -F raw j.qcow2 1M", f->dir);
    expect(f, "j.qcow2", "in the form of json:");
    must("cd '%s' && qemu-img create -q -f qcow2 -u -b none.img -F vmdk v.qcow2 1M && truncate -s 1M none.img", f->dir);
    expect(f, "v.qcow2", "format 'vmdk' is not supported yet");
    /* a raw image into which its guest wrote a header that names a file of the host */
    must("cd '%s' && qemu-img create -q -f qcow2 -u -b /etc/passwd -F raw evil 1M && qemu-img create -q -f qcow2 -u -b "
         "evil -F qcow2 o.qcow2 1M && python3 -c '\nd = bytearray(open(\"o.qcow2\", \"rb\").read())\n"
         "i = d.find(bytes.fromhex(\"e2792aca\"))\nd[i:i+4] = bytes.fromhex(\"12345678\")\n"
         "open(\"o.qcow2\", \"wb\").write(d)'", f->dir);
    expect(f, "o.qcow2", "does not say the format of its backing file");
    must("cd '%s' && mkdir sub && qemu-img create -q -f qcow2 -u -b ./sub -F raw d.qcow2 1M", f->dir);
    expect(f, "d.qcow2", "is a directory");
    must("rmdir '%s/sub'", f->dir);
}

static void test_named_feature(struct fix *f, gconstpointer unused)
{
    (void) unused;
    must("cd '%s' && cp v3.qcow2 t.qcow2 && python3 -c '\nd = bytearray(open(\"t.qcow2\", \"rb\").read())\n"
         "i = d.find(b\"lazy refcounts\")\nd[i-2:i] = bytes([0, 50])\n"
         "d[i:i+14] = b\"time\\x07travel...\"[:14]\nd[72:80] = (1 << 50).to_bytes(8, \"big\")\n"
         "open(\"t.qcow2\", \"wb\").write(d)'", f->dir);
    expect(f, "t.qcow2", "features that are not supported: 'time?travel...'");
}

/* A compressed cluster that expands to more or less than a cluster. */
static void test_expands(struct fix *f, gconstpointer unused)
{
    (void) unused;
    static const struct { size_t len; int err; } want[] = { { CLUSTER, 0 }, { 2 * CLUSTER, 0 }, { CLUSTER - 1, EIO },
                                                            { 0, EIO }, { 64 * CLUSTER, 0 } };
    uint8_t *buf = g_malloc(64 * CLUSTER), *back = g_malloc(CLUSTER), *packed = g_malloc(64 * CLUSTER);

    memset(buf, 0x5a, 64 * CLUSTER);
    for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
        struct hostile h = { "x", .patch = { { L2, 0, 8, (1ULL << 62) + (3ULL << 54), DATA } } };
        char *path = make(f, &h), *image;
        gsize len;
        z_stream z = { .next_in = buf, .avail_in = (uInt) want[i].len, .next_out = packed, .avail_out = 64 * CLUSTER };
        deflateInit2(&z, 9, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY);
        deflate(&z, Z_FINISH);
        g_assert_true(g_file_get_contents(path, &image, &len, NULL));
        memcpy(image + base_of((uint8_t *) image, L2) * 0 + 0x50000, packed, MIN(z.total_out, 4 * 512));
        deflateEnd(&z);
        g_assert_true(g_file_set_contents(path, image, (gssize) len, NULL));
        struct blk *blk = add_drive(f->vm, "id=d,file=%s", path);
        memset(back, 0, CLUSTER);
        g_assert_cmpint(do_io(blk, BLK_READ, 0, back, CLUSTER), ==, want[i].err);
        if (!want[i].err)
            g_assert_true(!memcmp(buf, back, CLUSTER));
        g_assert_cmpint(do_io(blk, BLK_WRITE, 512, back, 512), ==, want[i].err); /* the rest has to be read */
        use(blk, NULL, true);
        close_drive(blk);
        g_free(image);
        g_free(path);
    }
    g_free(buf);
    g_free(back);
    g_free(packed);
}

/* --- frame ------------------------------------------------------------------------------------- */

static void setup(struct fix *f, gconstpointer data)
{
    (void) data;
    uint8_t *buf = g_malloc(DISK);

    f->vm = vm_new(NULL, NULL);
    f->dir = scratch_new();
    memset(buf, 0x77, DISK);
    for (int i = 0; i < 2; i++) {
        f->img[i] = g_build_filename(f->dir, i ? "v2.qcow2" : "v3.qcow2", NULL);
        must("qemu-img create -q -f qcow2 -o compat=%s '%s' %d", i ? "0.10" : "1.1", f->img[i], DISK);
        struct blk *blk = add_drive(f->vm, "id=d,file=%s", f->img[i]);
        for (uint64_t at = 0; at < 8 * CLUSTER; at += CLUSTER)
            g_assert_cmpint(do_io(blk, BLK_WRITE, at, buf, CLUSTER), ==, 0);
        close_drive(blk);
    }
    g_free(buf);
}

static void teardown(struct fix *f, gconstpointer data)
{
    (void) data;
    g_free(f->img[0]);
    g_free(f->img[1]);
    scratch_free(f->dir);
    vm_free(f->vm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!have_tools())
        return 0;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *path = g_strconcat("/qcow2/hostile/", cases[i].name, NULL);
        g_test_add(path, struct fix, &cases[i], setup, test_case, teardown);
        g_free(path);
    }
    g_test_add("/qcow2/hostile/backing", struct fix, NULL, setup, test_backing, teardown);
    g_test_add("/qcow2/hostile/feature-by-name", struct fix, NULL, setup, test_named_feature, teardown);
    g_test_add("/qcow2/hostile/compressed-expands", struct fix, NULL, setup, test_expands, teardown);
    return g_test_run();
}
