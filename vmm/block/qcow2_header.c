/* vmm/block/qcow2_header.c - the header and its extensions, the tables it points to: read and doubted. */
#include "vmm/block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

enum { EXT_END = 0, EXT_BACKING_FORMAT = (int) 0xe2792aca, EXT_FEATURES = 0x6803f857, EXT_BITMAPS = 0x23852875,
       EXT_LUKS = 0x0537be77, EXT_DATA_FILE = 0x44415441 };
enum { V2_LENGTH = 72, V3_LENGTH = 104, MAX_BACKING = 1023, FEATURE = 48, AUTOCLEAR_BITMAPS = 1 };

struct head { /* what is only needed while the header is read */
    uint8_t *buf; /* the first cluster, or as much of it as there is */
    uint64_t len;
    uint32_t length;
    uint64_t autoclear;
    const uint8_t *features;
    uint32_t n_features;
    const uint8_t *data_file;
    uint32_t data_file_len;
    bool bitmaps;
};

#define BAD(...) fail_image(q, err, __VA_ARGS__)

static bool fail_image(const struct qcow2 *q, GError **err, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static bool fail_image(const struct qcow2 *q, GError **err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    fail(err, "%s: qcow2 image '%s': %s", q->who, q->path, what);
    g_free(what);
    return false;
}

/* --- features ---------------------------------------------------------------------------------- */

/* Text of the image, for a message: it may hold anything. */
static char *printable(const uint8_t *p, size_t max)
{
    char *s = g_strndup((const char *) p, max);

    for (char *c = s; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return s;
}

static bool check_features(struct qcow2 *q, const struct head *h, GError **err)
{
    const uint64_t known = Q2_DIRTY | Q2_CORRUPT | Q2_DATA_FILE | Q2_COMPRESSION | Q2_EXTENDED_L2;
    GString *names = g_string_new(NULL);
    bool ok = true;

    for (unsigned bit = 0; bit < 64; bit++) {
        if (!(q->incompatible & ~known & BIT64(bit)))
            continue;
        char *name = NULL;
        for (uint32_t i = 0; i < h->n_features && !name; i++)
            if (h->features[i * FEATURE] == 0 && h->features[i * FEATURE + 1] == bit)
                name = printable(h->features + i * FEATURE + 2, FEATURE - 2);
        g_string_append(names, names->len ? ", " : "");
        if (name)
            g_string_append_printf(names, "'%s'", name);
        else
            g_string_append_printf(names, "bit %u", bit);
        g_free(name);
    }
    if (names->len)
        ok = BAD("needs features that are not supported: %s", names->str);
    g_string_free(names, TRUE);
    if (ok && q->incompatible & Q2_DATA_FILE) {
        char *f = printable(h->data_file ? h->data_file : (const uint8_t *) "?", h->data_file ? h->data_file_len : 1);
        ok = BAD("has its data in another file ('%s'), which is not supported; convert it: qemu-img convert -O qcow2",
                 f);
        g_free(f);
    }
    if (ok && q->incompatible & Q2_EXTENDED_L2)
        ok = BAD("has extended L2 entries (subclusters), which are not supported; convert it: qemu-img convert -O "
                 "qcow2 -o extended_l2=off");
    return ok;
}

/* --- the header -------------------------------------------------------------------------------- */

static bool read_extensions(struct qcow2 *q, struct head *h, GError **err)
{
    uint64_t at = h->length, end = ld_be64(h->buf + H_BACKING_OFF);

    if (!end || end > h->len)
        end = h->len;
    while (at + 8 <= end) {
        uint32_t type = ld_be32(h->buf + at), len = ld_be32(h->buf + at + 4);
        const uint8_t *p = h->buf + at + 8;
        at += 8;
        if (type == EXT_END)
            break;
        if (len > end - at)
            return BAD("header extension 0x%08x is longer than its place", type);
        switch (type) {
        case (uint32_t) EXT_BACKING_FORMAT:
            if (len > 15)
                return BAD("the name of the backing format is too long (%u bytes)", len);
            g_free(q->backing_format);
            q->backing_format = printable(p, len);
            break;
        case EXT_FEATURES:
            h->features = p;
            h->n_features = len / FEATURE;
            break;
        case EXT_DATA_FILE:
            h->data_file = p;
            h->data_file_len = len;
            break;
        case EXT_BITMAPS: h->bitmaps = true; break;
        default: break; /* EXT_LUKS belongs to an encryption method; unknown ones are to be ignored */
        }
        at += ROUND_UP(len, 8);
    }
    return true;
}

static bool read_backing(struct qcow2 *q, const struct head *h, GError **err)
{
    uint64_t off = ld_be64(h->buf + H_BACKING_OFF);
    uint32_t len = ld_be32(h->buf + H_BACKING_LEN);

    if (!off)
        return true;
    if (len > MAX_BACKING)
        return BAD("the name of the backing file is too long (%u bytes)", len);
    if (!range_fits(off, len, h->len))
        return BAD("the name of the backing file lies outside of the header");
    if (!len)
        return true;
    if (memchr(h->buf + off, 0, len))
        return BAD("the name of the backing file has a zero byte in it");
    q->backing_path = g_strndup((const char *) h->buf + off, len);
    return true;
}

static bool read_v3(struct qcow2 *q, struct head *h, GError **err)
{
    if (q->version < 3) {
        h->length = V2_LENGTH;
        q->refcount_order = 4;
        return true;
    }
    h->length = ld_be32(h->buf + H_LENGTH);
    if (h->length < V3_LENGTH || h->length > h->len || h->length % 8)
        return BAD("a header of %u bytes is not possible", h->length);
    q->incompatible = ld_be64(h->buf + H_INCOMPATIBLE);
    h->autoclear = ld_be64(h->buf + H_AUTOCLEAR);
    q->refcount_order = ld_be32(h->buf + H_REFCOUNT_ORDER);
    if (q->refcount_order > 6)
        return BAD("refcounts of 2^%u bits are not possible, only of up to 64", q->refcount_order);
    if (h->length > V3_LENGTH)
        q->compression = h->buf[H_COMPRESSION_TYPE];
    if (!q->compression != !(q->incompatible & Q2_COMPRESSION))
        return BAD("the compression type (%u) and the feature bit for it contradict each other", q->compression);
    return true;
}

/* A table of `len` bytes somewhere in the file. */
static bool table_ok(const struct qcow2 *q, uint64_t off, uint64_t len)
{
    uint64_t file = q->node.child[0]->size;

    return off && off % q->cluster == 0 &&
           range_fits(off, len, ROUND_UP(MIN(file, INT64_MAX / 2), q->cluster));
}

static bool read_sizes(struct qcow2 *q, const struct head *h, GError **err)
{
    uint64_t size = ld_be64(h->buf + H_SIZE), per_l1 = q->cluster * (q->cluster / 8);
    uint32_t rt = ld_be32(h->buf + H_RT_CLUSTERS);

    q->l1_size = ld_be32(h->buf + H_L1_SIZE);
    q->l1_off = ld_be64(h->buf + H_L1_OFF);
    q->rt_off = ld_be64(h->buf + H_RT_OFF);
    q->n_snaps = ld_be32(h->buf + H_SNAPSHOTS);
    q->snaps_off = ld_be64(h->buf + H_SNAPSHOTS_OFF);
    if (size > INT64_MAX)
        return BAD("a disk of 0x%" PRIx64 " bytes is not possible", size);
    q->node.size = ROUND_DOWN(size, 512);
    if (!q->node.size)
        return BAD("the disk in it has no sector");
    if (q->l1_size > Q2_MAX_L1 / 8)
        return BAD("its L1 table of %u entries is too large", q->l1_size);
    if (q->l1_size < (size + per_l1 - 1) / per_l1)
        return BAD("its L1 table of %u entries is too small for a disk of %" PRIu64 " bytes", q->l1_size, size);
    if (!table_ok(q, q->l1_off, (uint64_t) q->l1_size * 8))
        return BAD("its L1 table (at offset 0x%" PRIx64 ") is not in the file", q->l1_off);
    if (!rt || (uint64_t) rt * q->cluster > Q2_MAX_RT)
        return BAD("a refcount table of %u clusters is not possible", rt);
    q->rt_size = (uint32_t) (rt * q->cluster / 8);
    if (!table_ok(q, q->rt_off, rt * q->cluster))
        return BAD("its refcount table (at offset 0x%" PRIx64 ") is not in the file", q->rt_off);
    if (q->n_snaps > Q2_MAX_SNAPSHOTS)
        return BAD("%u snapshots are too many", q->n_snaps);
    if (q->n_snaps && !table_ok(q, q->snaps_off, 1))
        return BAD("its snapshot table (at offset 0x%" PRIx64 ") is not in the file", q->snaps_off);
    return true;
}

static bool check_use(struct qcow2 *q, const struct head *h, const struct bopen *o, GError **err)
{
    if (o->read_only)
        return true;
    if (q->incompatible & Q2_CORRUPT)
        return BAD("is marked corrupt; repair it: qemu-img check -r all, or save what can be read: read-only=on");
    if (h->bitmaps && h->autoclear & AUTOCLEAR_BITMAPS)
        return BAD("has dirty bitmaps, which are not kept up to date; remove them: qemu-img bitmap --remove, or use "
                   "read-only=on");
    return true;
}

static bool parse(struct qcow2 *q, struct head *h, bool probed, const struct bopen *o, GError **err)
{
    static const char *const crypt[] = { "", "AES", "LUKS" };
    uint8_t first[Q2_HEADER];
    int e = node_pread(q->node.child[0], 0, first, sizeof first);

    (void) probed;
    if (e)
        return BAD("cannot be read: %s", g_strerror(e));
    if (memcmp(first, Q2_MAGIC, 4))
        return fail(err, "%s: '%s' is no qcow2 image; say its format by format=, or leave that out to look for it",
                    q->who, q->path);
    q->version = ld_be32(first + H_VERSION);
    if (q->version != 2 && q->version != 3)
        return BAD("is of version %u; only 2 and 3 are supported", q->version);
    q->cluster_bits = ld_be32(first + H_CLUSTER_BITS);
    if (q->cluster_bits < 9 || q->cluster_bits > 21)
        return BAD("clusters of 2^%u bytes are not possible, only of 512 bytes to 2 MiB", q->cluster_bits);
    q->cluster = BIT64(q->cluster_bits);
    h->len = MIN(q->cluster, q->node.child[0]->size);
    h->buf = q2_buffer((size_t) h->len);
    e = node_pread(q->node.child[0], 0, h->buf, (size_t) h->len);
    if (e)
        return BAD("cannot be read: %s", g_strerror(e));
    memcpy(q->hdr, h->buf, Q2_HEADER);
    uint32_t c = ld_be32(h->buf + H_CRYPT);
    if (c)
        return BAD("is encrypted (%s), which is not supported; convert it by qemu-img convert",
                   c < G_N_ELEMENTS(crypt) ? crypt[c] : "by an unknown method");
    if (!read_v3(q, h, err) || !read_extensions(q, h, err) || !check_features(q, h, err))
        return false;
    q->refcount_max = q->refcount_order == 6 ? UINT64_MAX : BIT64(1u << q->refcount_order) - 1;
    q->slice = MIN(q->cluster, 64 * KiB);
    if (!read_sizes(q, h, err) || !read_backing(q, h, err) || !check_use(q, h, o, err) ||
        !q2_compression_ready(q, err))
        return false;
    if (!o->read_only && q->version >= 3 && h->autoclear) { /* what we don't know may be wrong after a write */
        st_be64(q->hdr + H_AUTOCLEAR, 0);
        e = q2_header_write(q, false);
        if (e)
            return BAD("cannot be written: %s", g_strerror(e));
    }
    return true;
}

bool q2_parse_header(struct qcow2 *q, bool probed, const struct bopen *o, GError **err)
{
    struct head h = { 0 };
    bool ok = parse(q, &h, probed, o, err);

    free(h.buf);
    return ok;
}

/* --- tables ------------------------------------------------------------------------------------ */

uint64_t *q2_read_table(struct qcow2 *q, uint64_t off, uint32_t entries, uint64_t mask, int *e)
{
    size_t len = (size_t) ROUND_UP((uint64_t) entries * 8, 512);
    uint8_t *buf = q2_buffer(len);
    uint64_t *t = g_new(uint64_t, MAX(entries, 1));

    *e = node_pread(q->node.child[0], off, buf, len);
    for (uint32_t i = 0; i < entries; i++)
        t[i] = ld_be64(buf + (size_t) i * 8) & mask;
    free(buf);
    if (*e)
        g_clear_pointer(&t, g_free);
    return t;
}

/* One more place of metadata; none may lie on another. */
static bool claim(struct qcow2 *q, uint64_t off, uint64_t len, const char *what, GError **err)
{
    uint64_t n = q2_clusters(q, len);

    if (q2_is_metadata(q, off, n))
        return BAD("%s at offset 0x%" PRIx64 " overlaps other metadata", what, off);
    q2_meta_add(q, off, n);
    return true;
}

static bool claim_entries(struct qcow2 *q, const uint64_t *t, uint32_t n, uint64_t mask, const char *what, GError **err)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t off = t[i] & mask;
        if (off && !table_ok(q, off, q->slice))
            return BAD("%s at offset 0x%" PRIx64 " is not in the file", what, off);
        if (off && !claim(q, off, 1, what, err))
            return false;
    }
    return true;
}

bool q2_load_tables(struct qcow2 *q, const struct bopen *o, GError **err)
{
    int e = 0;

    (void) o;
    q->meta = g_hash_table_new(g_direct_hash, g_direct_equal);
    if (!claim(q, 0, 1, "the header", err) || !claim(q, q->l1_off, (uint64_t) q->l1_size * 8, "the L1 table", err) ||
        !claim(q, q->rt_off, (uint64_t) q->rt_size * 8, "the refcount table", err))
        return false;
    q->l1 = q2_read_table(q, q->l1_off, q->l1_size, UINT64_MAX, &e);
    if (!e)
        q->rt = q2_read_table(q, q->rt_off, q->rt_size, Q2_RT_OFFSET, &e);
    if (e)
        return BAD("cannot be read: %s", g_strerror(e));
    return claim_entries(q, q->rt, q->rt_size, Q2_RT_OFFSET, "a refcount block", err) &&
           claim_entries(q, q->l1, q->l1_size, Q2_OFFSET, "an L2 table", err);
}

/* --- the snapshot table ------------------------------------------------------------------------ */

void q2_snaps_free(struct qcow2 *q)
{
    for (uint32_t i = 0; q->snaps && i < q->n_snaps; i++) {
        g_free(q->snaps[i].id);
        g_free(q->snaps[i].name);
        g_free(q->snaps[i].extra);
    }
    g_clear_pointer(&q->snaps, g_free);
    q->n_snaps = 0;
}

enum { SNAP_FIXED = 40, SNAP_KNOWN = 24, SNAP_MAX = 1024 };

/* One entry at q->snaps_off + *at. */
static bool load_one(struct qcow2 *q, struct q2_snapshot_entry *s, uint64_t *at, GError **err)
{
    uint8_t fixed[SNAP_FIXED], known[SNAP_KNOWN] = { 0 };
    struct bnode *file = q->node.child[0];
    uint64_t off = q->snaps_off + *at;

    if (!range_fits(off, SNAP_FIXED, file->size))
        return BAD("its snapshot table goes beyond the end of the file");
    int e = node_pread(file, off, fixed, sizeof fixed);
    uint32_t id = ld_be16(fixed + 12), name = ld_be16(fixed + 14), extra = ld_be32(fixed + 36);
    uint64_t len = SNAP_FIXED + (uint64_t) extra + id + name;
    if (!e && extra > SNAP_MAX)
        return BAD("a snapshot has %u bytes of extra data, more than there can be", extra);
    if (!e && !range_fits(off, len, file->size))
        return BAD("its snapshot table goes beyond the end of the file");
    uint8_t *buf = e ? NULL : q2_buffer((size_t) len);
    if (!e)
        e = node_pread(file, off, buf, (size_t) len);
    if (e) {
        free(buf);
        return BAD("its snapshot table cannot be read: %s", g_strerror(e));
    }
    memcpy(known, buf + SNAP_FIXED, MIN(extra, SNAP_KNOWN));
    *s = (struct q2_snapshot_entry){
        .l1_off = ld_be64(fixed), .l1_size = ld_be32(fixed + 8), .sec = ld_be32(fixed + 16),
        .nsec = ld_be32(fixed + 20), .vm_clock = ld_be64(fixed + 24),
        .vm_state_size = extra >= 8 ? ld_be64(known) : ld_be32(fixed + 32),
        .disk_size = extra >= 16 ? ld_be64(known + 8) : q->node.size,
        .icount = extra >= 24 ? ld_be64(known + 16) : UINT64_MAX, .extra_len = extra,
    };
    if (extra > SNAP_KNOWN) {
        s->extra = g_malloc(extra - SNAP_KNOWN);
        memcpy(s->extra, buf + SNAP_FIXED + SNAP_KNOWN, extra - SNAP_KNOWN);
    }
    s->id = printable(buf + SNAP_FIXED + extra, id);
    s->name = printable(buf + SNAP_FIXED + extra + id, name);
    free(buf);
    *at += ROUND_UP(len, 8);
    return true;
}

bool q2_load_snapshots(struct qcow2 *q, const struct bopen *o, GError **err)
{
    uint32_t n = q->n_snaps;
    uint64_t at = 0;

    (void) o;
    q->n_snaps = 0;
    q->snaps = g_new0(struct q2_snapshot_entry, MAX(n, 1));
    for (uint32_t i = 0; i < n; i++) {
        struct q2_snapshot_entry *s = &q->snaps[i];
        if (!load_one(q, s, &at, err))
            return false;
        q->n_snaps++;
        if (s->l1_size > Q2_MAX_L1 / 8 || (s->l1_size && !table_ok(q, s->l1_off, (uint64_t) s->l1_size * 8)))
            return BAD("the L1 table of snapshot '%s' (at offset 0x%" PRIx64 ", %u entries) is not in the file",
                       s->name, s->l1_off, s->l1_size);
        if (s->l1_size && !claim(q, s->l1_off, (uint64_t) s->l1_size * 8, "the L1 table of a snapshot", err))
            return false;
        if (at > 64 * MiB)
            return BAD("its snapshot table is too large");
    }
    q->snaps_len = at;
    return !n || claim(q, q->snaps_off, at, "the snapshot table", err);
}
