/* tests/unit/qcow_compressed.h - reading and overwriting compressed clusters, for both compressions. */
#ifndef BANTAM_TESTS_QCOW_COMPRESSED_H
#define BANTAM_TESTS_QCOW_COMPRESSED_H

#include "tests/unit/qcowtest.h"

struct fix {
    struct vm *vm;
    char *dir;
};

static inline void setup(struct fix *f, gconstpointer data)
{
    (void) data;
    f->vm = vm_new(NULL, NULL);
    f->dir = scratch_new();
}

static inline void teardown(struct fix *f, gconstpointer data)
{
    (void) data;
    scratch_free(f->dir);
    vm_free(f->vm);
}

/* Does the drive read as `raw`?  It is as long, or zeros follow there. */
static inline void same_as(struct blk *blk, const char *raw)
{
    char *want;
    gsize len;
    uint8_t *have = g_malloc(blk->size);

    g_assert_true(g_file_get_contents(raw, &want, &len, NULL));
    g_assert_cmpint(do_io(blk, BLK_READ, 0, have, blk->size), ==, 0);
    g_assert_true(!memcmp(have, want, MIN(len, blk->size)));
    for (uint64_t i = len; i < blk->size; i++)
        g_assert_cmpint(have[i], ==, 0);
    g_free(have);
    g_free(want);
}

/* Data that compresses, but not to nothing. */
static inline char *make_raw(struct fix *f, const char *name, size_t len)
{
    char *path = g_build_filename(f->dir, name, NULL), *buf = g_malloc(len);

    for (size_t i = 0; i < len; i++)
        buf[i] = (char) (i / 700 * 31 + (i % 64 ? 0 : (size_t) g_test_rand_int()));
    g_assert_true(g_file_set_contents(path, buf, (gssize) len, NULL));
    g_free(buf);
    return path;
}

static inline void test_compressed(struct fix *f, gconstpointer data)
{
    char *raw = make_raw(f, "raw", 3 * MiB + 512 * 7), *path = g_build_filename(f->dir, "c.qcow2", NULL);
    uint8_t *buf = g_malloc(200000), *back = g_malloc(200000);

    must("qemu-img convert -c -O qcow2 -o %s -f raw '%s' '%s'", (const char *) data, raw, path);
    struct blk *blk = add_drive(f->vm, "id=d,file=%s", path);
    same_as(blk, raw);
    for (int i = 0; i < 100; i++) { /* over compressed clusters: each into a new one, the rest copied */
        uint64_t off = (uint64_t) g_test_rand_int_range(0, 5000) * 512,
                 len = (uint64_t) g_test_rand_int_range(1, 100) * 512;
        memset(buf, i + 1, len);
        g_assert_cmpint(do_io(blk, BLK_WRITE, off, buf, len), ==, 0);
        int fd = open(raw, O_WRONLY);
        g_assert_cmpint(pwrite(fd, buf, len, (off_t) off), ==, (ssize_t) len);
        close(fd);
        g_assert_cmpint(do_io(blk, BLK_READ, off, back, len), ==, 0);
        g_assert_true(!memcmp(buf, back, len));
    }
    same_as(blk, raw);
    close_drive(blk);
    check_image(path, false);
    must("qemu-img compare -f qcow2 -F raw '%s' '%s'", path, raw);
    g_free(buf);
    g_free(back);
    g_free(raw);
    g_free(path);
}

#endif
