/* tests/unit/test_qcow2_cut.c - power cuts of a qcow2 image: whatever the moment, qemu-img check finds no error (leaks
 * are none), every flushed write is there, and no sector holds what was never written to it.
 *
 * The workload writes, discards and zeroes cells of a disk, several at once, and flushes behind each round.  A cut
 * leaves what tests/tools/cutlog.h says.  QCOW2_CUTS sets the number of cuts. */
#include "tests/tools/cutlog.h"
#include "tests/unit/qcowtest.h"

#include <sys/wait.h>

enum { CELL = 3072, CELLS = 1536, ROUNDS = 60, AT_ONCE = 12, CUTS = 200 };

struct variant {
    const char *name, *create, *drive;
    bool backing, snapshots;
    bool bad; /* flushes are ignored: harm must be found */
    unsigned cuts;
};

struct event {
    guint cell, round;
    guint value; /* 0: zeros */
};

struct run {
    const struct variant *v;
    struct vm *vm;
    char *dir, *img, *base, *log, *cut;
    GArray *events;
    guint acked[ROUNDS + 1]; /* records in the log when the flush of the round was done */
};

/* A sector tells what it belongs to. */
static void fill(uint8_t *buf, guint cell, guint value)
{
    for (guint i = 0; i < CELL; i += 8) {
        st_le32(buf + i, value ? value : 0);
        st_le32(buf + i + 4, value ? cell * 1000 + i / 512 : 0);
    }
}

static guint records_now(const char *log)
{
    struct cutlog *l = cutlog_load(log);
    guint n = l->records;

    cutlog_free(l);
    return n;
}

static void snapshot(struct run *r, struct blk *blk, guint round)
{
    GError *err = NULL;
    char *name = g_strdup_printf("s%u", round / 10 * 10), *old = g_strdup_printf("s%u", round / 10 * 10 - 10);

    vm_lock(r->vm);
    if (round % 10 == 0)
        qcow2_snapshot_create(blk, name, &err);
    else if (round % 10 == 5 && round > 10)
        qcow2_snapshot_delete(blk, old, &err);
    vm_unlock(r->vm);
    g_assert_no_error(err);
    g_free(name);
    g_free(old);
}

static void work(struct run *r)
{
    struct blk *blk = add_drive(r->vm, "id=d,format=qcow2,file=%s,x-cut-log=%s,discard=unmap,%s", r->img, r->log,
                                r->v->drive);
    struct io io[AT_ONCE];
    uint8_t buf[AT_ONCE][CELL];
    guint value = 1;

    for (guint round = 0; round < ROUNDS; round++) {
        guint first = (guint) g_test_rand_int_range(0, CELLS - AT_ONCE * 12);
        for (guint k = 0; k < AT_ONCE; k++) {
            int what = g_test_rand_int_range(0, 10);
            struct event e = { first + k * (guint) g_test_rand_int_range(1, 12), round, value++ };
            for (guint i = r->events->len; i-- && e.cell < CELLS;) { /* one at a time for a cell */
                struct event *o = &g_array_index(r->events, struct event, i);
                if (o->round != round)
                    break;
                if (o->cell == e.cell) {
                    e.cell++;
                    i = r->events->len;
                }
            }
            enum blk_op op = what < 7 ? BLK_WRITE : BLK_WRITE_ZEROES;
            if (op != BLK_WRITE)
                e.value = 0;
            fill(buf[k], e.cell, e.value);
            memset(&io[k], 0, sizeof io[k]);
            io[k].iov[0] = (struct iovec){ buf[k], CELL };
            io[k].req = (struct blk_req){ .op = op, .flags = op == BLK_WRITE ? 0 : BLK_MAY_UNMAP,
                                          .off = (uint64_t) e.cell * CELL, .len = CELL, .iov = io[k].iov,
                                          .niov = op == BLK_WRITE, .done = io_done, .opaque = &io[k] };
            g_array_append_val(r->events, e);
            vm_lock(r->vm);
            blk_submit(blk, &io[k].req);
            vm_unlock(r->vm);
        }
        if (round % 8 == 7) { /* a large one, that frees and takes clusters */
            for (guint k = 0; k < AT_ONCE; k++)
                g_assert_cmpint(io_wait(blk, &io[k]), ==, 0);
            guint at = (guint) g_test_rand_int_range(0, CELLS / 2), n = 256;
            for (guint c = at; c < at + n; c++) {
                struct event e = { c, round, 0 };
                g_array_append_val(r->events, e);
            }
            struct io z = { 0 };
            z.req = (struct blk_req){ .op = BLK_WRITE_ZEROES, .flags = BLK_MAY_UNMAP, .off = (uint64_t) at * CELL,
                                      .len = (uint64_t) n * CELL, .done = io_done, .opaque = &z };
            vm_lock(r->vm);
            blk_submit(blk, &z.req);
            vm_unlock(r->vm);
            g_assert_cmpint(io_wait(blk, &z), ==, 0);
        } else {
            for (guint k = 0; k < AT_ONCE; k++)
                g_assert_cmpint(io_wait(blk, &io[k]), ==, 0);
        }
        if (r->v->snapshots)
            snapshot(r, blk, round);
        g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
        r->acked[round] = records_now(r->log);
    }
    close_drive(blk);
}

/* Is each sector of each cell something it may be: its last flushed value, or a later one? */
static unsigned damage(struct run *r, const uint8_t *disk, guint cut)
{
    uint8_t want[CELL];
    unsigned bad = 0;
    guint safe = 0; /* rounds */

    while (safe < ROUNDS && r->acked[safe] <= cut)
        safe++;
    for (guint c = 0; c < CELLS; c++)
        for (guint s = 0; s < CELL; s += 512) {
            bool ok = false, base = true;
            for (guint i = r->events->len; i-- && !ok;) {
                const struct event *e = &g_array_index(r->events, struct event, i);
                if (e->cell != c)
                    continue;
                fill(want, c, e->value);
                ok = !memcmp(disk + c * CELL + s, want + s, 512);
                if (e->round < safe) {
                    base = false;
                    break;
                }
            }
            if (!ok && base) {
                memset(want, r->v->backing ? 0xbb : 0, 512);
                ok = !memcmp(disk + c * CELL + s, want, 512);
            }
            bad += !ok;
        }
    return bad;
}

static uint64_t log_end(const struct cutlog *l, uint64_t size)
{
    for (guint i = 0; i < l->writes->len; i++) {
        const struct cut_write *w = &g_array_index(l->writes, struct cut_write, i);
        size = MAX(size, w->off + w->len);
    }
    return ROUND_UP(size, 65536);
}

static unsigned judge(struct run *r, guint cut)
{
    int st;
    struct blk *blk;
    uint8_t *disk = g_malloc(CELLS * CELL), head[80];
    unsigned bad = 0;
    GError *err = NULL;
    int fd = open(r->cut, O_RDONLY);

    g_assert_cmpint(read(fd, head, sizeof head), ==, sizeof head);
    close(fd);
    if (ld_be64(head + 72) & 1) { /* cut in the middle of a snapshot: opening repairs it */
        char *opts = g_strdup_printf("id=d,format=qcow2,file=%s", r->cut);
        blk = try_drive(r->vm, opts, &err);
        g_free(opts);
        if (!blk) {
            g_test_message("cut %u: %s", cut, err->message);
            g_clear_error(&err);
            g_free(disk);
            return 1;
        }
        close_drive(blk);
    }
    char *out = tool(&st, "qemu-img check -q -f qcow2 '%s'", r->cut);
    st = WEXITSTATUS(st);
    if (st && st != 3) {
        g_test_message("cut %u: check says %d: %.300s", cut, st, out);
        bad++;
    }
    g_free(out);
    char *opts = g_strdup_printf("id=d,format=qcow2,read-only=on,file=%s", r->cut);
    blk = try_drive(r->vm, opts, &err);
    g_free(opts);
    if (!blk) {
        g_test_message("cut %u: %s", cut, err->message);
        g_clear_error(&err);
        bad++;
    } else {
        int e = do_io(blk, BLK_READ, 0, disk, CELLS * CELL);
        unsigned n = e ? 1 : damage(r, disk, cut);
        if (n)
            g_test_message("cut %u: %u sectors are wrong (%s)", cut, n, g_strerror(e));
        bad += n;
        close_drive(blk);
    }
    g_free(disk);
    return bad != 0;
}

static void test_variant(gconstpointer data)
{
    struct run r = { .v = data };
    unsigned bad = 0, cuts = g_getenv("QCOW2_CUTS") ? (unsigned) atoi(g_getenv("QCOW2_CUTS")) : r.v->cuts;
    char *image;
    gsize len;

    if (!have_tools())
        return;
    r.vm = vm_new(NULL, NULL);
    r.dir = scratch_new();
    r.img = g_build_filename(r.dir, "disk.qcow2", NULL);
    r.base = g_build_filename(r.dir, "base.qcow2", NULL);
    r.cut = g_build_filename(r.dir, "cut.qcow2", NULL);
    r.log = g_build_filename(r.dir, "log", NULL);
    r.events = g_array_new(FALSE, FALSE, sizeof(struct event));
    if (r.v->backing) {
        must("cd '%s' && head -c %d /dev/zero | tr '\\0' '\\273' >back.img && qemu-img create -q -f qcow2 -b back.img "
             "-F raw -o %s disk.qcow2", r.dir, CELLS * CELL, r.v->create);
    } else {
        must("qemu-img create -q -f qcow2 -o %s '%s' %d", r.v->create, r.img, CELLS * CELL);
    }
    must("cp '%s' '%s'", r.img, r.base);
    work(&r);
    check_image(r.img, false);
    struct cutlog *l = cutlog_load(r.log);
    g_assert_true(g_file_get_contents(r.base, &image, &len, NULL));
    uint64_t size = log_end(l, len);
    uint8_t *disk = g_malloc(size);
    for (unsigned i = 0; i < cuts; i++) {
        guint cut = (guint) g_test_rand_int_range(1, (gint) l->records + 1);
        memset(disk, 0, size);
        memcpy(disk, image, len);
        cutlog_apply(l, disk, size, cut, (guint32) g_test_rand_int());
        g_assert_true(g_file_set_contents_full(r.cut, (char *) disk, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0600,
                                               NULL));
        bad += judge(&r, cut);
    }
    g_test_message("%u records, %u flushes; %u of %u cuts did harm", l->records, l->flushes->len, bad, cuts);
    if (r.v->bad)
        g_assert_cmpuint(bad, >, cuts / 10);
    else
        g_assert_cmpuint(bad, ==, 0);
    cutlog_free(l);
    g_free(disk);
    g_free(image);
    g_array_free(r.events, TRUE);
    g_free(r.img);
    g_free(r.base);
    g_free(r.cut);
    g_free(r.log);
    scratch_free(r.dir);
    vm_free(r.vm);
}

static const struct variant variants[] = {
    { "writeback", "compat=1.1", "cache=writeback", false, false, false, CUTS },
    { "4k", "compat=1.1,cluster_size=4k", "cache=none,aio=native", false, false, false, 60 },
    { "512", "compat=1.1,cluster_size=512,refcount_bits=64", "cache=writeback", false, false, false, 60 },
    { "v2", "compat=0.10,cluster_size=8k", "cache=writeback", false, false, false, 40 },
    { "backing", "compat=1.1,cluster_size=16k", "cache=writeback", true, false, false, 40 },
    { "writethrough", "compat=1.1", "cache=writethrough", false, false, false, 40 },
    { "snapshots", "compat=1.1,cluster_size=4k", "cache=writeback", false, true, false, 60 },
    { "flushes-ignored-is-noticed", "compat=1.1,cluster_size=4k", "cache=unsafe", false, false, true, 40 },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
        char *path = g_strconcat("/qcow2/cut/", variants[i].name, NULL);
        g_test_add_data_func(path, &variants[i], test_variant);
        g_free(path);
    }
    return g_test_run();
}
