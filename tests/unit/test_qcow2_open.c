/* tests/unit/test_qcow2_open.c - qcow2 images as users have them: chains, compressed clusters, other sizes, snapshots,
 * locks; and that discarding makes the file smaller. */
#include "tests/unit/qcow_compressed.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* --- chains ------------------------------------------------------------------------------------ */

static void test_chain(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *raw = make_raw(f, "base.img", MiB + 512), *top = g_build_filename(f->dir, "top.qcow2", NULL), *err;
    uint8_t buf[4096];

    /* relative to where the overlay is, not to where we are; the middle is longer, the base shorter */
    must("cd '%s' && qemu-img create -q -f qcow2 -b base.img -F raw mid.qcow2 2M && qemu-img create -q -f qcow2 -o "
         "cluster_size=4k -b ./mid.qcow2 -F qcow2 top.qcow2 3M", f->dir);
    struct blk *blk = add_drive(f->vm, "id=d,file=%s", top), *two;
    g_assert_cmpuint(blk->size, ==, 3 * MiB);
    same_as(blk, raw);
    /* a file below may be read by others, not written; the top neither */
    two = add_drive(f->vm, "id=e,read-only=on,format=qcow2,file=%s/mid.qcow2", f->dir);
    close_drive(two);
    expect_refused(refused(f->vm, "id=e,format=qcow2,file=%s/mid.qcow2", f->dir), "in use by drive 'd'");
    expect_refused(refused(f->vm, "id=e,format=raw,file=%s", raw), "in use by drive 'd'");
    expect_refused(refused(f->vm, "id=e,read-only=on,file=%s", top), "in use by drive 'd'");
    must("! qemu-io -f qcow2 -c 'write 0 512' '%s/mid.qcow2' >/dev/null 2>&1", f->dir);
    memset(buf, 0x11, sizeof buf);
    for (uint64_t at = 512; at < 3 * MiB; at += 333 * 512)
        g_assert_cmpint(do_io(blk, BLK_WRITE, at, buf, 1024), ==, 0);
    close_drive(blk);
    check_image(top, false);
    must("cd '%s' && qemu-img convert -O raw top.qcow2 all && truncate -s 3M base.copy && cat base.img >base.copy && "
         "truncate -s 3M base.copy && python3 -c '\nd = bytearray(open(\"base.copy\", \"rb\").read())\n"
         "for a in range(512, 3 << 20, 333 * 512): d[a:a+1024] = (b\"\\x11\" * 1024)[:len(d) - a]\n"
         "open(\"base.copy\", \"wb\").write(d)' && cmp all base.copy", f->dir);
    /* other backing files than the image names */
    must("cd '%s' && mv base.img moved.img", f->dir);
    err = refused(f->vm, "id=d,file=%s", top);
    g_assert_nonnull(strstr(err, "base.img': No such file"));
    expect_refused(err, "(it backs '");
    blk = add_drive(f->vm, "id=d,backing.file.filename=%s/moved.img,backing.driver=raw,file=%s/mid.qcow2", f->dir,
                    f->dir);
    char *moved = g_build_filename(f->dir, "moved.img", NULL);
    same_as(blk, moved);
    close_drive(blk);
    expect_refused(refused(f->vm, "id=d,backing.file.filename=%s,file=%s,format=raw", moved, moved),
                   "raw images have no backing file");
    g_free(moved);
    g_free(raw);
    g_free(top);
}

/* --- sizes ------------------------------------------------------------------------------------- */

static void resize(struct blk *blk, uint64_t size)
{
    GError *err = NULL;

    vm_lock(blk->vm);
    drive_resize(blk, size, &err);
    vm_unlock(blk->vm);
    g_assert_no_error(err);
    g_assert_cmpuint(blk->size, ==, size);
}

static void test_resize(struct fix *f, gconstpointer data)
{
    char *path = g_build_filename(f->dir, "r.qcow2", NULL), *raw = g_build_filename(f->dir, "raw", NULL);
    static const uint64_t sizes[] = { 5 * MiB, 5 * MiB + 512, 900 * MiB, 3 * MiB + 1536, 512, 40 * MiB };
    uint8_t buf[2048];

    must("qemu-img create -q -f qcow2 -o %s '%s' 4M && truncate -s 4M '%s'", (const char *) data, path, raw);
    struct blk *blk = add_drive(f->vm, "id=d,file=%s", path);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        memset(buf, (int) i + 1, sizeof buf);
        for (int k = 0; k < 20; k++) {
            uint64_t len = MIN(sizeof buf, blk->size),
                     off = (uint64_t) (g_test_rand_double() * (double) (blk->size - len)) / 512 * 512;
            off = k ? off : blk->size - len;
            g_assert_cmpint(do_io(blk, BLK_WRITE, off, buf, len), ==, 0);
            int fd = open(raw, O_WRONLY);
            g_assert_cmpint(pwrite(fd, buf, len, (off_t) off), ==, (ssize_t) len);
            close(fd);
        }
        resize(blk, sizes[i]);
        g_assert_cmpint(truncate(raw, (off_t) sizes[i]), ==, 0);
    }
    close_drive(blk);
    check_image(path, false);
    must("qemu-img compare -f qcow2 -F raw '%s' '%s'", path, raw);
    g_free(raw);
    g_free(path);
}

/* --- space ------------------------------------------------------------------------------------- */

static uint64_t used(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return (uint64_t) st.st_blocks * 512;
}

static void test_discard(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *path = g_build_filename(f->dir, "s.qcow2", NULL);
    size_t len = 16 * MiB;
    uint8_t *buf = g_malloc(len), *zero = g_malloc0(len);

    memset(buf, 0x42, len);
    must("qemu-img create -q -f qcow2 '%s' 64M", path);
    struct blk *blk = add_drive(f->vm, "id=d,discard=unmap,detect-zeroes=unmap,file=%s", path);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 0, buf, len), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
    uint64_t full = used(path);
    g_assert_cmpuint(full, >=, len);
    g_assert_cmpint(do_io(blk, BLK_DISCARD, 0, NULL, len / 2), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_WRITE, len / 2, zero, len / 4), ==, 0); /* zeros are detected */
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
    for (int i = 0; i < 500 && used(path) >= full - len / 2; i++) {
        exec_iterate(&f->vm->main, false);
        g_usleep(10000);
    }
    g_assert_cmpuint(used(path), <, full - len / 2); /* holes, without anything being closed */
    for (int i = 0; i < 8; i++) { /* what is free is used again */
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, buf, len / 2), ==, 0);
        g_assert_cmpint(do_io(blk, BLK_DISCARD, 0, NULL, len / 2), ==, 0);
        g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
    }
    close_drive(blk);
    struct stat st;
    stat(path, &st);
    g_assert_cmpuint((uint64_t) st.st_size, <, 2 * len);
    check_image(path, false);
    /* without discard=unmap nothing is given back */
    blk = add_drive(f->vm, "id=d,file=%s", path);
    full = used(path);
    g_assert_cmpint(do_io(blk, BLK_DISCARD, 0, NULL, len), ==, 0);
    close_drive(blk);
    g_assert_cmpuint(used(path), ==, full);
    g_free(buf);
    g_free(zero);
    g_free(path);
}

/* Only what is written takes place in the file; and a sector does not take a cluster of it. */
static void test_sparse(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *path = g_build_filename(f->dir, "s.qcow2", NULL);
    uint8_t buf[4096];

    memset(buf, 1, sizeof buf);
    must("qemu-img create -q -f qcow2 -o cluster_size=2M '%s' 4G", path);
    struct blk *blk = add_drive(f->vm, "id=d,file=%s", path);
    for (uint64_t i = 0; i < 32; i++)
        g_assert_cmpint(do_io(blk, BLK_WRITE, i * 64 * MiB, buf, sizeof buf), ==, 0);
    close_drive(blk);
    g_assert_cmpuint(used(path), <, 16 * MiB);
    check_image(path, false);
    g_free(path);
}

/* No more room: the writes fail, nothing else does, and with room again all goes on. */
static void test_no_space(struct fix *f, gconstpointer data)
{
    char *path = g_build_filename(f->dir, "n.qcow2", NULL);
    struct rlimit old, low;
    uint8_t *buf = g_malloc(MiB), *back = g_malloc(MiB);
    unsigned failed = 0;

    memset(buf, 0x33, MiB);
    must("qemu-img create -q -f qcow2 -o cluster_size=4k '%s' 64M", path);
    struct blk *blk = add_drive(f->vm, "id=d,werror=report,file=%s,%s", path, (const char *) data);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 6 * MiB + 12288;
    setrlimit(RLIMIT_FSIZE, &low);
    for (uint64_t i = 0; i < 12; i++)
        failed += do_io(blk, BLK_WRITE, i * 3 * MiB, buf, MiB) == EFBIG;
    int flushed = do_io(blk, BLK_FLUSH, 0, NULL, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    g_assert_cmpuint(failed, >=, 6);
    g_test_message("%u writes failed, the flush then: %s", failed, g_strerror(flushed));
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
    for (uint64_t i = 0; i < 12; i++)
        g_assert_cmpint(do_io(blk, BLK_WRITE, i * 3 * MiB, buf, MiB), ==, 0);
    for (uint64_t i = 0; i < 12; i++) {
        g_assert_cmpint(do_io(blk, BLK_READ, i * 3 * MiB, back, MiB), ==, 0);
        g_assert_true(!memcmp(buf, back, MiB));
    }
    close_drive(blk);
    check_image(path, false);
    g_free(buf);
    g_free(back);
    g_free(path);
}

/* --- the rest ---------------------------------------------------------------------------------- */

static void test_snapshot_mode(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *raw = make_raw(f, "raw", MiB), *path = g_build_filename(f->dir, "s.qcow2", NULL);
    uint8_t buf[512] = { 9 }, back[512];

    must("qemu-img convert -O qcow2 -f raw '%s' '%s' && chmod a-w '%s'", raw, path, path);
    struct blk *blk = add_drive(f->vm, "id=d,snapshot=on,file=%s", path);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 1024, buf, 512), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 1024, back, 512), ==, 0);
    g_assert_cmpmem(buf, 512, back, 512);
    close_drive(blk);
    must("qemu-img compare -f qcow2 -F raw '%s' '%s'", path, raw);
    g_free(raw);
    g_free(path);
}

static void test_snapshots(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *path = g_build_filename(f->dir, "s.qcow2", NULL), *raw = make_raw(f, "raw", MiB), *text;
    GError *err = NULL;

    must("qemu-img create -q -f qcow2 '%s' 1M && qemu-img snapshot -c theirs '%s'", path, path);
    struct blk *blk = add_drive(f->vm, "id=d,file=%s", path), *other = add_drive(f->vm, "id=r,file=%s,format=raw", raw);
    vm_lock(f->vm);
    text = qcow2_snapshot_list(blk, &err);
    g_assert_nonnull(strstr(text, "theirs"));
    g_free(text);
    g_assert_null(qcow2_snapshot_list(other, &err));
    g_assert_nonnull(strstr(err->message, "has no qcow2 image"));
    g_clear_error(&err);
    g_assert_false(qcow2_snapshot_apply(blk, "none", &err));
    g_assert_nonnull(strstr(err->message, "there is no snapshot 'none'"));
    g_clear_error(&err);
    g_assert_false(qcow2_snapshot_create(blk, "", &err));
    g_clear_error(&err);
    g_assert_true(qcow2_snapshot_create(blk, "ours", &err));
    drive_resize(blk, 2 * MiB, &err);
    g_assert_no_error(err);
    g_assert_true(qcow2_snapshot_apply(blk, "ours", &err)); /* and its size */
    g_assert_cmpuint(blk->size, ==, MiB);
    g_assert_true(qcow2_snapshot_delete(blk, "1", &err));
    g_assert_true(qcow2_snapshot_delete(blk, "ours", &err));
    vm_unlock(f->vm);
    close_drive(other);
    close_drive(blk);
    check_image(path, false);
    must("qemu-img create -q -f qcow2 -o refcount_bits=1 '%s' 1M", path);
    blk = add_drive(f->vm, "id=d,file=%s", path);
    vm_lock(f->vm);
    g_assert_false(qcow2_snapshot_create(blk, "x", &err));
    g_assert_nonnull(strstr(err->message, "no room for another snapshot"));
    g_clear_error(&err);
    vm_unlock(f->vm);
    close_drive(blk);
    g_free(raw);
    g_free(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!have_tools())
        return 0;
#define ADD(path, data, fn) g_test_add("/qcow2/" path, struct fix, data, setup, fn, teardown)
    ADD("compressed/zlib", "compression_type=zlib", test_compressed);
    ADD("compressed/zlib-4k", "compression_type=zlib,cluster_size=4k", test_compressed);
    ADD("compressed/zlib-2M", "compression_type=zlib,cluster_size=2M", test_compressed);
    ADD("compressed/v2", "compat=0.10", test_compressed);
    ADD("chain", NULL, test_chain);
    ADD("resize/v3", "compat=1.1", test_resize);
    ADD("resize/v2", "compat=0.10", test_resize);
    ADD("resize/512", "cluster_size=512", test_resize);
    ADD("discard", NULL, test_discard);
    ADD("no-space", "cache=writeback", test_no_space);
    ADD("no-space-direct", "cache=none,aio=native", test_no_space);
    ADD("sparse", NULL, test_sparse);
    ADD("snapshot-mode", NULL, test_snapshot_mode);
    ADD("snapshots", NULL, test_snapshots);
    return g_test_run();
}
