/* vmm/block/qcow2.c - the qcow2 image format, versions 2 and 3: opening, backing files, closing.
 *
 * Specification: the qcow2 image file format as QEMU publishes it (docs/interop/qcow2.txt).
 * Deviations: external data files, extended L2 entries (subclusters) and encryption are refused by name; so is
 * writing to an image with dirty bitmaps.  Compressed clusters are read, not written.  Lazy refcounts are
 * allowed by an image, but not made use of: refcounts are always written before what relies on them, in the
 * same flush as the data, so being lazy would not spare one.  In version 2, which has no zero flag, a discard
 * over a backing file does nothing: else that file's old content would show again. */
#include "vmm/block/qcow2.h"
#include "vmm/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_CHAIN = 100 };

static void qcow2_close(struct bnode *n)
{
    struct qcow2 *q = as_qcow2(n);

    if (q->l2c.tables && !n->read_only) {
        int err = q->broken ? 0 : q2_sync_commit(q);
        if (err)
            warn_user("%s: the metadata of '%s' could not be written: %s", q->who, q->path, g_strerror(err));
    }
    q2_drain(n);
    if (q->steps && q->end > q->fresh && n->child[0]->size > q->fresh)
        node_resize(n->child[0], ROUND_UP(q->fresh, q->cluster)); /* if it can't be, the file is a little longer */
    struct q2_free *f;
    while ((f = g_queue_pop_head(&q->frees)) || (f = g_queue_pop_head(&q->frees_drain)) ||
           (f = g_queue_pop_head(&q->frees_ready)))
        g_free(f);
    q2_cache_clear(&q->l2c);
    q2_cache_clear(&q->rbc);
    q2_free_l2_jobs(q);
    q2_snaps_free(q);
    if (q->meta)
        g_hash_table_destroy(q->meta);
    g_free(q->l1);
    g_free(q->rt);
    g_free(q->backing_path);
    g_free(q->backing_format);
    g_free(q->who);
    g_free(q->path);
    free(q->hdr);
    free(q->zeros);
}

static const struct bnode_class qcow2_class = {
    .name = "qcow2", .submit = q2_submit, .close = qcow2_close, .resize = q2_resize, .drain = q2_drain
};

/* --- the backing file -------------------------------------------------------------------------- */

/* A path is relative to where the image is, wherever we were started. */
static char *beside(const char *image, const char *path)
{
    if (g_str_has_prefix(path, "file:"))
        path += 5;
    if (g_path_is_absolute(path) || strstr(path, "://") || g_str_has_prefix(path, "nbd:"))
        return g_strdup(path);
    char *dir = g_path_get_dirname(image), *r = g_build_filename(dir, path, NULL);
    g_free(dir);
    return r;
}

static bool no_loop(const struct bopen *o, GError **err)
{
    struct stat st, above;
    unsigned depth = 0;

    if (stat(o->path, &st))
        return true; /* opening it says it better */
    for (const struct bopen *up = o->above; up; up = up->above) {
        if (!stat(up->path, &above) && above.st_dev == st.st_dev && above.st_ino == st.st_ino)
            return fail(err, "%s: backing file '%s' is its own backing file, by '%s'", o->who, o->path,
                        o->above->path);
        if (++depth == MAX_CHAIN)
            return fail(err, "%s: more than %d images back each other, down to '%s'", o->who, MAX_CHAIN, o->path);
    }
    return true;
}

/* A backing file whose format nobody recorded is looked at.  It may be a raw image that a guest wrote to: then it
 * must not be taken for another one that names files of the host. */
static bool guessed_ok(const struct bnode *n, const struct bopen *o, GError **err)
{
    if (!strcmp(n->cls->name, "raw"))
        return true;
    if (n->child[1])
        return fail(err,
                    "%s: '%s' does not say the format of its backing file '%s', which looks like a %s image with a "
                    "backing file of its own; if it is one, record it: qemu-img rebase -u -F %s -b '%s' '%s'",
                    o->who, o->above->path, o->path, n->cls->name, n->cls->name, o->path, o->above->path);
    warn_user("%s: '%s' does not say the format of its backing file '%s': taken for %s; record it: qemu-img rebase "
              "-u -F %s -b '%s' '%s'", o->who, o->above->path, o->path, n->cls->name, n->cls->name, o->path,
              o->above->path);
    return true;
}

static bool open_backing(struct qcow2 *q, const struct bopen *o, GError **err)
{
    const char *path = o->backing_path ? o->backing_path : q->backing_path;
    const char *format = o->backing_path || o->backing_format ? o->backing_format : q->backing_format;
    struct bopen b = *o;

    if (!path || o->no_backing)
        return true;
    if (g_str_has_prefix(path, "json:"))
        return fail(err, "%s: '%s' has a backing file in the form of json:, which is not supported; name it plainly: "
                    "qemu-img rebase -u, or backing.file.filename=", o->who, o->path);
    char *full = o->backing_path ? g_strdup(path) : beside(o->path, path);
    b.path = full;
    b.above = o;
    b.read_only = true;
    b.backing_path = b.backing_format = NULL;
    b.no_backing = false;
    bool loop_free = no_loop(&b, err);
    struct bnode *n = loop_free ? image_open(q->node.ctx, format, &b, err) : NULL;
    bool ok = n && (format || guessed_ok(n, &b, err));
    q->node.child[1] = n;
    if (!n && loop_free && err && *err && !strstr((*err)->message, "(it backs '")) {
        char *more = g_strdup_printf("%s (it backs '%s')", (*err)->message, o->path);
        g_free((*err)->message);
        (*err)->message = more;
    }
    g_free(full);
    return ok;
}

/* --- opening ----------------------------------------------------------------------------------- */

/* All L2 tables of the disk, but no more than 32 MiB; of the refcounts 2 MiB at most, for 64 GiB of usual clusters. */
static void make_caches(struct qcow2 *q)
{
    uint64_t cover = q2_clusters(q, q->node.size) * 8 / q->slice + 1;

    q2_cache_init(&q->l2c, q, (guint) CLAMP(cover, 16, MAX(32 * MiB / q->slice, 16)));
    q2_cache_init(&q->rbc, q, (guint) MAX(2 * MiB / q->slice, 16));
}

/* The file below grows with what is written behind its end. */
static void set_grows(struct bnode *n)
{
    for (; n; n = n->child[0])
        n->grows = true;
}

struct bnode *qcow2_open(struct bnode *file, bool probed, const struct bopen *o, GError **err)
{
    struct qcow2 *q = (struct qcow2 *) node_new(sizeof *q, &qcow2_class, file->ctx);

    q->node.child[0] = file;
    q->node.read_only = true; /* until it is whole: nothing is written if it fails */
    q->node.keeps = true;
    q->who = g_strdup(o->who);
    q->path = g_strdup(o->path);
    q->hdr = q2_buffer(Q2_HEADER);
    q->no_flush = o->no_flush;
    q->unmap = o->unmap;
    q->flushes_tail = &q->flushes;
    q2_waitq_init(&q->alloc_waiting);
    q2_waitq_init(&q->commit_waiting);
    q2_waitq_init(&q->extend_waiting);
    q2_waitq_init(&q->exclusive_waiting);
    bool ok = q2_parse_header(q, probed, o, err) && q2_load_tables(q, o, err) && q2_load_snapshots(q, o, err);
    if (ok) {
        make_caches(q);
        q->zeros = q2_buffer((size_t) q->cluster);
        memset(q->zeros, 0, (size_t) q->cluster);
        q->fresh = file->zero_behind ? ROUND_UP(file->size, q->cluster) : UINT64_MAX;
        q->steps = o->direct && file->zero_behind;
        q->end = file->size;
        if (!o->read_only)
            set_grows(file);
        ok = open_backing(q, o, err);
    }
    if (ok && !o->read_only) {
        q->node.read_only = false;
        ok = !(q->incompatible & Q2_DIRTY) || q2_repair(q, err);
        q->broken |= !ok;
    }
    if (!ok) {
        node_close(&q->node);
        return NULL;
    }
    return &q->node;
}
