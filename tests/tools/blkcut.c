/* tests/tools/blkcut.c - a disk image as a power cut may leave it.
 *
 *   blkcut LOG                       prints the number of records and of completed flushes
 *   blkcut LOG BASE OUT CUT SEED     writes OUT: BASE and what of LOG's first CUT records survives, by SEED
 *
 * LOG is from -drive ...,x-cut-log=LOG; BASE a copy of the image from before the run.  See cutlog.h for the
 * model. */
#include "tests/tools/cutlog.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    GError *err = NULL;
    char *image;
    gsize len;

    if (argc != 2 && argc != 6) {
        fprintf(stderr, "usage: blkcut LOG [BASE OUT CUT SEED]\n");
        return 2;
    }
    struct cutlog *l = cutlog_load(argv[1]);
    if (!l) {
        fprintf(stderr, "blkcut: cannot read '%s'\n", argv[1]);
        return 1;
    }
    if (argc == 2) {
        guint done = 0;
        for (guint i = 0; i < l->flushes->len; i++)
            done += g_array_index(l->flushes, struct cut_flush, i).done != G_MAXUINT;
        printf("%u records, %u writes, %u flushes done\n", l->records, l->writes->len, done);
        cutlog_free(l);
        return 0;
    }
    bool ok = g_file_get_contents(argv[2], &image, &len, &err);
    if (ok) {
        gsize end = len; /* an image that grows has writes behind its end */
        for (guint i = 0; i < l->writes->len; i++) {
            const struct cut_write *w = &g_array_index(l->writes, struct cut_write, i);
            if (w->data)
                end = MAX(end, (w->off + w->len + 511) / 512 * 512);
        }
        image = g_realloc(image, end);
        memset(image + len, 0, end - len);
        len = end;
        cutlog_apply(l, (uint8_t *) image, len / 512 * 512, (guint) strtoul(argv[4], NULL, 0),
                     (guint32) strtoul(argv[5], NULL, 0));
        FILE *f = fopen(argv[3], "wb");
        ok = f && fwrite(image, 1, len, f) == len;
        ok = f && !fclose(f) && ok;
        if (!ok)
            fprintf(stderr, "blkcut: cannot write '%s'\n", argv[3]);
        g_free(image);
    } else {
        fprintf(stderr, "blkcut: %s\n", err->message);
        g_error_free(err);
    }
    cutlog_free(l);
    return ok ? 0 : 1;
}
