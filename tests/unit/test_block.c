/* tests/unit/test_block.c - drives: data by every engine and cache mode, order, draining, snapshots, opening. */
#include "tests/unit/blktest.h"
#include "vmm/block/pool.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fix {
    struct vm *vm;
    char *dir;
};

static void setup(struct fix *f, gconstpointer data)
{
    (void) data;
    f->vm = vm_new(NULL, NULL);
    f->dir = scratch_new();
}

static void teardown(struct fix *f, gconstpointer data)
{
    (void) data;
    vm_lock(f->vm);
    drive_close_all(f->vm);
    vm_unlock(f->vm);
    g_assert_null(f->vm->blk_pool);
    vm_free(f->vm);
    scratch_free(f->dir);
}

/* --- data -------------------------------------------------------------------------------------- */

enum { DISK = 4 << 20, DEPTH = 16 };

struct slot {
    struct io io;
    uint8_t *mem; /* guest memory of the request, at an odd place */
    uint64_t off;
    size_t len;
    bool busy, write;
};

static uint32_t rnd(uint32_t n)
{
    return (uint32_t) g_test_rand_int_range(0, (gint32) n);
}

static bool overlaps(const struct slot *s, unsigned n, uint64_t off, size_t len)
{
    for (unsigned i = 0; i < n; i++)
        if (s[i].busy && s[i].off < off + len && off < s[i].off + s[i].len)
            return true;
    return false;
}

static void finish(struct slot *s, uint8_t *model)
{
    g_assert_cmpint(s->io.err, ==, 0);
    uint8_t *flat = g_malloc(s->len), *p = flat;
    for (unsigned i = 0; i < s->io.req.niov; p += s->io.iov[i].iov_len, i++)
        memcpy(p, s->io.iov[i].iov_base, s->io.iov[i].iov_len);
    if (s->write)
        memcpy(model + s->off, flat, s->len);
    else
        g_assert_cmpmem(flat, s->len, model + s->off, s->len);
    g_free(flat);
    s->busy = false;
}

/* Random requests, several in flight, against a model.  Those in flight never overlap each other (that would have no
 * right answer), but they share blocks of the disk, so that read-modify-write of one must not harm the other. */
static void hammer(struct blk *blk, uint8_t *model, size_t size, unsigned count, bool aligned)
{
    struct slot *s = g_new0(struct slot, DEPTH);
    unsigned flying = 0, flushes = 0;

    for (unsigned i = 0; i < DEPTH; i++)
        g_assert_cmpint(posix_memalign((void **) &s[i].mem, 4096, 320 * KiB), ==, 0);
    while (count || flying) {
        for (unsigned i = 0; i < DEPTH && count; i++) {
            if (s[i].busy)
                continue;
            size_t unit = aligned ? 4096 : 512, len = unit * (1 + rnd(rnd(4) ? 8 : 128 * 1024 / (uint32_t) unit));
            uint64_t off = unit * rnd((uint32_t) (size / unit));
            len = MIN(len, size - off);
            if (overlaps(s, DEPTH, off, len))
                continue;
            struct slot *t = &s[i];
            memset(&t->io, 0, sizeof t->io);
            t->off = off;
            t->len = len;
            t->write = rnd(2);
            t->busy = true;
            unsigned n = 0;
            for (size_t at = 0, mem = aligned ? 0 : rnd(16); at < len; n++) { /* pieces, with gaps between them */
                size_t part = 1 + rnd(3) * 511 + rnd(9000);
                part = n == 63 || aligned ? len - at : MIN(len - at, part);
                t->io.iov[n] = (struct iovec){ t->mem + mem, part };
                for (size_t k = 0; t->write && k < part; k++)
                    t->mem[mem + k] = (uint8_t) g_random_int();
                at += part;
                mem += part + (aligned ? 0 : rnd(3));
            }
            t->io.req = (struct blk_req){ .op = t->write ? BLK_WRITE : BLK_READ, .off = off, .len = len, .iov = t->io.iov,
                                          .niov = n, .done = io_done, .opaque = &t->io };
            vm_lock(blk->vm);
            blk_plug(blk);
            blk_submit(blk, &t->io.req);
            blk_unplug(blk);
            vm_unlock(blk->vm);
            count--;
            flying++;
        }
        if (!rnd(64)) {
            g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
            flushes++;
        }
        exec_iterate(&blk->vm->main, flying > 0);
        for (unsigned i = 0; i < DEPTH; i++)
            if (s[i].busy && s[i].io.done) {
                finish(&s[i], model);
                flying--;
            }
    }
    for (unsigned i = 0; i < DEPTH; i++)
        free(s[i].mem);
    g_free(s);
}

static void compare_file(const char *path, const uint8_t *model, size_t size)
{
    char *data;
    gsize len;

    g_assert_true(g_file_get_contents(path, &data, &len, NULL));
    g_assert_cmpuint(len, ==, size);
    g_assert_cmpint(memcmp(data, model, size), ==, 0);
    g_free(data);
}

static void test_data(struct fix *f, gconstpointer mode)
{
    char *img = make_image(f->dir, "disk.img", DISK);
    uint8_t *model = g_malloc0(DISK);
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=%s,%s", img, (const char *) mode);

    g_assert_null(g_strrstr(mode, "writethrough") && blk->write_cache ? "" : NULL);
    g_assert_cmpuint(blk->size, ==, DISK);
    hammer(blk, model, DISK, 400, false);
    hammer(blk, model, DISK, 200, true);
    close_drive(blk);
    compare_file(img, model, DISK);
    g_free(model);
    g_free(img);
}

static void test_no_threads_at_start(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *img = make_image(f->dir, "disk.img", DISK);
    struct blk *blk = add_drive(f->vm, "file=%s,format=raw", img);
    uint8_t buf[512];

    g_assert_cmpuint(blk_pool_threads(f->vm->blk_pool), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, buf, 512), ==, 0);
    g_assert_cmpuint(blk_pool_threads(f->vm->blk_pool), ==, 1);
    g_free(img);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {
        "cache=writeback", "cache=none", "cache=none,aio=native", "cache=writethrough", "cache=directsync",
        "cache=directsync,aio=native", "cache=unsafe", "cache=writeback,snapshot=off,detect-zeroes=on", NULL
    };

    g_test_init(&argc, &argv, NULL);
    for (int i = 0; modes[i]; i++) {
        char *name = g_strdup_printf("/block/data/%s", modes[i]);
        g_test_add(name, struct fix, modes[i], setup, test_data, teardown);
        g_free(name);
    }
    g_test_add("/block/lazy-threads", struct fix, NULL, setup, test_no_threads_at_start, teardown);
    return g_test_run();
}
