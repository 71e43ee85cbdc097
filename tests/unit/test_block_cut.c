/* tests/unit/test_block_cut.c - what was flushed survives a power cut, and the test can tell when it does
 * not.
 *
 * The workload is a small journalling store: a transaction writes its data blocks to fresh places, flushes,
 * writes a commit record, flushes, and only then counts as acknowledged.  After a cut every transaction
 * acknowledged before it must be there, and every commit record that is there must have its data. */
#include "tests/tools/cutlog.h"
#include "tests/unit/blktest.h"

enum { SIZE = 1 << 20, N_TX = 60, BLOCKS = 4, BLOCK = 2048, JOURNAL = 512 * 1024, CUTS = 200 };

struct tx {
    guint acked; /* records in the log when its last flush was done */
};

static void fill(uint8_t *buf, size_t len, guint32 seed)
{
    GRand *r = g_rand_new_with_seed(seed);

    for (size_t i = 0; i < len; i += 4)
        st_le32(buf + i, g_rand_int(r));
    g_rand_free(r);
}

static guint records_now(const char *log)
{
    struct cutlog *l = cutlog_load(log);
    guint n = l->records;

    cutlog_free(l);
    return n;
}

/* `barrier`: the first flush of a transaction; without it the commit record may overtake the data. */
static void run_store(struct vm *vm, const char *img, const char *log, const char *opts, bool barrier,
                      struct tx *tx)
{
    struct blk *blk = add_drive(vm, "id=d,format=raw,file=%s,x-cut-log=%s,%s", img, log, opts);
    uint8_t data[BLOCKS][BLOCK], commit[512];
    struct io io[BLOCKS];

    for (guint t = 0; t < N_TX; t++) {
        for (guint b = 0; b < BLOCKS; b++) { /* all at once, as a guest does */
            fill(data[b], BLOCK, t * BLOCKS + b + 1);
            io_submit_op(blk, &io[b], BLK_WRITE, (t * BLOCKS + (b * 3 + 1) % BLOCKS) * BLOCK, data[b], BLOCK);
        }
        for (guint b = 0; b < BLOCKS; b++)
            g_assert_cmpint(io_wait(blk, &io[b]), ==, 0);
        if (barrier)
            g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
        fill(commit, sizeof commit, 0x10000 + t);
        g_assert_cmpint(do_io(blk, BLK_WRITE, JOURNAL + t * 512, commit, 512), ==, 0);
        g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
        tx[t].acked = records_now(log);
    }
    close_drive(blk);
}

static unsigned damage(const uint8_t *image, const struct tx *tx, guint cut)
{
    uint8_t want[BLOCK];
    unsigned bad = 0;

    for (guint t = 0; t < N_TX; t++) {
        fill(want, 512, 0x10000 + t);
        bool committed = !memcmp(image + JOURNAL + t * 512, want, 512), acked = tx[t].acked <= cut;
        bad += acked && !committed;
        for (guint b = 0; b < BLOCKS && committed; b++) {
            fill(want, BLOCK, t * BLOCKS + b + 1);
            bad += memcmp(image + (t * BLOCKS + (b * 3 + 1) % BLOCKS) * BLOCK, want, BLOCK) != 0;
        }
    }
    return bad;
}

/* How many of CUTS random cuts did harm. */
static unsigned bad_cuts(const char *opts, bool barrier)
{
    struct vm *vm = vm_new(NULL, NULL);
    char *dir = scratch_new(), *img = make_image(dir, "disk.img", SIZE),
         *log = g_build_filename(dir, "log", NULL);
    struct tx tx[N_TX];
    unsigned bad = 0;

    run_store(vm, img, log, opts, barrier, tx);
    struct cutlog *l = cutlog_load(log);
    uint8_t *image = g_malloc(SIZE);
    for (unsigned i = 0; i < CUTS; i++) {
        guint cut = (guint) g_test_rand_int_range(1, (gint) l->records + 1);
        memset(image, 0, SIZE);
        cutlog_apply(l, image, SIZE, cut, (guint32) g_test_rand_int());
        bad += damage(image, tx, cut) != 0;
    }
    memset(image, 0, SIZE); /* no cut: all is there in the image itself */
    gsize len;
    char *whole;
    g_assert_true(g_file_get_contents(img, &whole, &len, NULL));
    g_assert_cmpuint(damage((uint8_t *) whole, tx, G_MAXUINT), ==, 0);
    g_free(whole);
    g_free(image);
    cutlog_free(l);
    g_free(log);
    g_free(img);
    scratch_free(dir);
    vm_free(vm);
    return bad;
}

static void test_safe(gconstpointer opts)
{
    g_assert_cmpuint(bad_cuts(opts, true), ==, 0);
}

static void test_unsafe(gconstpointer opts)
{
    unsigned bad = bad_cuts(opts, true);

    g_test_message("flushes ignored: %u of %d cuts did harm", bad, CUTS);
    g_assert_cmpuint(bad, >, CUTS / 2);
}

static void test_no_barrier(void)
{
    unsigned bad = bad_cuts("cache=writeback", false);

    g_test_message("without the barrier: %u of %d cuts did harm", bad, CUTS);
    g_assert_cmpuint(bad, >, 0);
    g_assert_cmpuint(bad_cuts("cache=writethrough", false), ==, 0); /* there each write is its own barrier */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/block/cut/writeback", "cache=writeback", test_safe);
    g_test_add_data_func("/block/cut/none-native", "cache=none,aio=native", test_safe);
    if (have_uring()) {
        g_test_add_data_func("/block/cut/writeback-uring", "cache=writeback,aio=io_uring", test_safe);
        g_test_add_data_func("/block/cut/directsync-uring", "cache=directsync,aio=io_uring", test_safe);
    }
    g_test_add_data_func("/block/cut/writethrough", "cache=writethrough", test_safe);
    g_test_add_data_func("/block/cut/directsync-native", "cache=directsync,aio=native", test_safe);
    g_test_add_data_func("/block/cut/flushes-ignored-is-noticed", "cache=unsafe", test_unsafe);
    g_test_add_func("/block/cut/barrier-left-out-is-noticed", test_no_barrier);
    return g_test_run();
}
