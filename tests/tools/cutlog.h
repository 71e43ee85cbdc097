/* tests/tools/cutlog.h - rebuild an image as a power cut may leave it, from the log of a drive's x-cut-log=
 * (vmm/block/cut.h).
 *
 * The model is a disk with a volatile cache.  After a cut behind the first N records of the log:
 *   - A write is *safe* when it was done before a flush was started that was itself done by then, or when it
 * had BLK_FUA and was done.  Safe writes are there, in their order.
 *   - Of every other write that was started, each 512-byte sector by itself may or may not be there; where
 * several such writes hit a sector, any of them may have been the last to reach the disk.  A seed decides. */
#ifndef BANTAM_TESTS_CUTLOG_H
#define BANTAM_TESTS_CUTLOG_H

#include "vmm/block/cut.h"

#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

struct cut_write {
    uint64_t off, len;
    const uint8_t *data; /* NULL: zeros */
    guint start, done;   /* record numbers; done is G_MAXUINT when it never was */
    bool fua, failed;
};

struct cut_flush {
    guint start, done;
};

struct cutlog {
    GMappedFile *map;
    guint records;
    GArray *writes, *flushes;
};

static inline void cutlog_free(struct cutlog *l)
{
    g_array_free(l->writes, TRUE);
    g_array_free(l->flushes, TRUE);
    g_mapped_file_unref(l->map);
    g_free(l);
}

/* NULL: no such file.  A record cut short at the end (the VMM was killed) is left out. */
static inline struct cutlog *cutlog_load(const char *path)
{
    GMappedFile *map = g_mapped_file_new(path, FALSE, NULL);
    if (!map)
        return NULL;
    struct cutlog *l = g_new0(struct cutlog, 1);
    const uint8_t *p = (const uint8_t *) g_mapped_file_get_contents(map),
                  *end = p + g_mapped_file_get_length(map);
    /* id -> index + 1; flushes negative */
    GHashTable *open = g_hash_table_new(g_direct_hash, g_direct_equal);

    l->map = map;
    l->writes = g_array_new(FALSE, FALSE, sizeof(struct cut_write));
    l->flushes = g_array_new(FALSE, FALSE, sizeof(struct cut_flush));
    for (struct cut_record r; (size_t) (end - p) >= sizeof r; l->records++) {
        memcpy(&r, p, sizeof r);
        p += sizeof r;
        g_assert_cmphex(r.magic, ==, CUT_MAGIC);
        gpointer key = GSIZE_TO_POINTER(r.id + 1);
        if (r.kind == CUT_WRITE || r.kind == CUT_ZERO) {
            struct cut_write w = { r.off, r.len, r.kind == CUT_WRITE ? p : NULL, l->records, G_MAXUINT,
                                   r.flags & CUT_FUA, false };
            if (w.data && (size_t) (end - p) < r.len)
                break;
            p += w.data ? r.len : 0;
            g_array_append_val(l->writes, w);
            g_hash_table_insert(open, key, GINT_TO_POINTER((gint) l->writes->len));
        } else if (r.kind == CUT_FLUSH) {
            struct cut_flush fl = { l->records, G_MAXUINT };
            g_array_append_val(l->flushes, fl);
            g_hash_table_insert(open, key, GINT_TO_POINTER(-(gint) l->flushes->len));
        } else {
            gint i = GPOINTER_TO_INT(g_hash_table_lookup(open, key));
            if (i > 0) {
                g_array_index(l->writes, struct cut_write, i - 1).done = l->records;
                g_array_index(l->writes, struct cut_write, i - 1).failed = r.error != 0;
            } else if (i < 0 && !r.error) {
                g_array_index(l->flushes, struct cut_flush, -i - 1).done = l->records;
            }
        }
    }
    g_hash_table_destroy(open);
    return l;
}

static inline guint cutlog_safe_until(const struct cutlog *l, guint cut)
{
    guint until = 0; /* writes done before this record are safe */

    for (guint i = 0; i < l->flushes->len; i++) {
        const struct cut_flush *f = &g_array_index(l->flushes, struct cut_flush, i);
        if (f->done < cut)
            until = MAX(until, f->start);
    }
    return until;
}

/* Change `image` (base's content, `size` bytes, a multiple of 512) to what the cut behind `cut` records may
 * leave. */
static inline void cutlog_apply(const struct cutlog *l, uint8_t *image, uint64_t size, guint cut,
                                guint32 seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    guint until = cutlog_safe_until(l, cut);
    guint *safe_start = g_new0(guint, size / 512); /* record number + 1 of the last safe write */
    guint *loose = g_new0(guint, size / 512);      /* how many other writes so far */
    guint keep = (guint) g_rand_int_range(rand, 1, 4); /* from mostly lost to mostly there */

    for (int pass = 0; pass < 2; pass++)
        for (guint i = 0; i < l->writes->len; i++) {
            const struct cut_write *w = &g_array_index(l->writes, struct cut_write, i);
            if (w->start >= cut || w->off > size || w->len > size - w->off)
                continue;
            bool safe = !w->failed && (w->done < until || (w->fua && w->done < cut));
            if (safe != (pass == 0))
                continue;
            for (uint64_t at = w->off; at < w->off + w->len; at += 512) {
                uint64_t s = at / 512;
                if (safe)
                    safe_start[s] = w->start + 1;
                else if (safe_start[s] && w->done < safe_start[s] - 1)
                    continue; /* over before the safe one began: overwritten for good */
                else if (g_rand_int_range(rand, 0, (gint) ++loose[s] + (gint) keep) >= (gint) keep)
                    continue;
                if (w->data)
                    memcpy(image + at, w->data + (at - w->off), 512);
                else
                    memset(image + at, 0, 512);
            }
        }
    g_free(safe_start);
    g_free(loose);
    g_rand_free(rand);
}

#endif
