/* tests/unit/test_qcow2_random.c - a random workload on qcow2 images, replayed by qemu-io on the same image: both
 * must hold the same data, be clean for qemu-img check, and have the same map.
 *
 * The seed is GLib's: it is printed, and --seed sets it.  QCOW2_OPS sets the number of operations. */
#include "tests/unit/qcowtest.h"

#include <sys/wait.h>

enum { FLYING = 16, MAX_LEN = 512 * 1024, N_SNAPS = 4 };

struct variant {
    const char *name, *create; /* -o options of qemu-img create */
    uint64_t size;
    uint64_t backing;          /* bytes; 0: none */
    const char *drive;         /* more of -drive */
    guint ops;
    bool snapshots;
};

struct op { /* in flight */
    struct io io;
    uint8_t *buf;
    uint64_t off, len;
    enum blk_op op;
};

struct run {
    const struct variant *v;
    struct vm *vm;
    char *dir, *ours, *theirs, *script;
    struct blk *blk;
    uint8_t *model, *saved[N_SNAPS];
    char *names[N_SNAPS];
    FILE *out;
    struct op op[FLYING];
    GRand *rand;
};

static void make(struct run *r)
{
    char *base = g_build_filename(r->dir, "base.img", NULL);

    if (r->v->backing) {
        int fd = open(base, O_RDWR | O_CREAT, 0644);
        for (uint64_t i = 0; i < r->v->backing; i++)
            r->model[i] = (uint8_t) (i / 4096 * 7 + 1);
        g_assert_cmpint(pwrite(fd, r->model, r->v->backing, 0), ==, (ssize_t) r->v->backing);
        close(fd);
        must("cd '%s' && qemu-img create -q -f qcow2 -b base.img -F raw -o %s ours.qcow2 %" PRIu64, r->dir,
             r->v->create, r->v->size);
    } else {
        must("cd '%s' && qemu-img create -q -f qcow2 -o %s ours.qcow2 %" PRIu64, r->dir, r->v->create, r->v->size);
    }
    must("cp '%s' '%s'", r->ours, r->theirs);
    g_free(base);
}

static void settle(struct run *r, struct op *o)
{
    if (!o->buf)
        return;
    g_assert_cmpint(io_wait(r->blk, &o->io), ==, 0);
    if (o->op == BLK_READ && memcmp(o->buf, r->model + o->off, o->len)) {
        uint64_t i = 0;
        while (o->buf[i] == r->model[o->off + i])
            i++;
        g_error("read %" PRIu64 "+%" PRIu64 ": at +%" PRIu64 " 0x%02x instead of 0x%02x", o->off, o->len, i, o->buf[i],
                r->model[o->off + i]);
    }
    g_clear_pointer(&o->buf, g_free);
}

static void settle_all(struct run *r, uint64_t off, uint64_t len)
{
    for (int i = 0; i < FLYING; i++)
        if (len == UINT64_MAX || (r->op[i].off < off + len && off < r->op[i].off + r->op[i].len))
            settle(r, &r->op[i]);
}

static void open_ours(struct run *r)
{
    r->blk = add_drive(r->vm, "id=d,format=qcow2,file=%s,discard=unmap,%s", r->ours, r->v->drive);
}

static void replay(struct run *r)
{
    fclose(r->out);
    must("qemu-io -d unmap -f qcow2 '%s' <'%s' >'%s.out' 2>&1 && ! grep -i 'fail\\|error' '%s.out'", r->theirs,
         r->script, r->script, r->script);
    r->out = fopen(r->script, "w");
}

static void snapshot(struct run *r)
{
    unsigned i = (unsigned) g_rand_int_range(r->rand, 0, N_SNAPS);
    GError *err = NULL;

    settle_all(r, 0, UINT64_MAX);
    replay(r);
    vm_lock(r->vm);
    if (!r->saved[i]) {
        qcow2_snapshot_create(r->blk, r->names[i], &err);
        r->saved[i] = g_memdup2(r->model, r->v->size);
        must("qemu-img snapshot -c %s '%s'", r->names[i], r->theirs);
    } else if (g_rand_boolean(r->rand)) {
        qcow2_snapshot_apply(r->blk, r->names[i], &err);
        memcpy(r->model, r->saved[i], r->v->size);
        must("qemu-img snapshot -a %s '%s'", r->names[i], r->theirs);
    } else {
        qcow2_snapshot_delete(r->blk, r->names[i], &err);
        g_clear_pointer(&r->saved[i], g_free);
        must("qemu-img snapshot -d %s '%s'", r->names[i], r->theirs);
    }
    vm_unlock(r->vm);
    g_assert_no_error(err);
    char *list = qcow2_snapshot_list(r->blk, &err);
    for (int k = 0; k < N_SNAPS; k++)
        g_assert_true(!strstr(list, r->names[k]) == !r->saved[k]);
    g_free(list);
}

/* Mostly small, at few places, so that they meet. */
static void one(struct run *r, unsigned slot)
{
    struct op *o = &r->op[slot];
    int what = g_rand_int_range(r->rand, 0, 100);
    uint64_t unit = g_rand_boolean(r->rand) ? 512 : 65536, max = g_rand_int_range(r->rand, 0, 4) ? 32768 : MAX_LEN;

    settle(r, o);
    if (what >= 98 && r->v->snapshots && !g_rand_int_range(r->rand, 0, 4)) {
        snapshot(r);
        return;
    }
    uint64_t len = MIN(ROUND_UP((uint64_t) g_rand_int_range(r->rand, 1, (gint32) max + 1), unit), MAX_LEN);
    uint64_t off = (uint64_t) (g_rand_double(r->rand) * (double) r->v->size / (double) unit) * unit;
    len = MIN(len, r->v->size - off);
    o->op = what < 45   ? BLK_WRITE
            : what < 70 ? BLK_READ
            : what < 80 ? BLK_DISCARD
            : what < 96 ? BLK_WRITE_ZEROES
                        : BLK_FLUSH;
    if (o->op == BLK_DISCARD) { /* whole clusters of any size: what becomes of a part is anybody's choice */
        off = ROUND_DOWN(off, 2 * MiB);
        len = MIN(2 * MiB, r->v->size - off);
    }
    settle_all(r, off, len);
    uint8_t byte = (uint8_t) g_rand_int_range(r->rand, 1, 256);
    o->off = off;
    o->len = len;
    o->buf = g_malloc(len);
    switch (o->op) {
    case BLK_WRITE:
        memset(o->buf, byte, len);
        memset(r->model + off, byte, len);
        fprintf(r->out, "write -q -P %u %" PRIu64 " %" PRIu64 "\n", byte, off, len);
        break;
    case BLK_DISCARD:
        memset(r->model + off, 0, len);
        fprintf(r->out, "discard -q %" PRIu64 " %" PRIu64 "\n", off, len);
        break;
    case BLK_WRITE_ZEROES:
        memset(r->model + off, 0, len);
        fprintf(r->out, "write -q -z %s %" PRIu64 " %" PRIu64 "\n", byte & 1 ? "-u" : "", off, len);
        break;
    case BLK_FLUSH:
        o->off = o->len = 0;
        fprintf(r->out, "flush\n");
        break;
    default: break;
    }
    bool data = o->op == BLK_READ || o->op == BLK_WRITE;
    memset(&o->io, 0, sizeof o->io);
    o->io.iov[0] = (struct iovec){ o->buf, o->len };
    o->io.req = (struct blk_req){ .op = o->op, .off = o->off, .len = o->len, .iov = o->io.iov, .niov = data,
                                  .flags = o->op == BLK_WRITE_ZEROES && byte & 1 ? BLK_MAY_UNMAP : 0,
                                  .done = io_done, .opaque = &o->io };
    vm_lock(r->vm);
    blk_submit(r->blk, &o->io.req);
    vm_unlock(r->vm);
}

/* What qemu-img map says of the clusters: data or not.  (Which parts of them are holes of the host's file is not
 * compared: we leave what was never written a hole, where qemu-io writes zeros.) */
static char *map_of(const char *path)
{
    int st;
    char *out = tool(&st, "qemu-img map -f qcow2 --output=json '%s' | python3 -c 'import json, sys\nlast = None\n"
                     "for e in json.load(sys.stdin):\n    k = e[\"data\"] or e[\"zero\"] * 2\n"
                     "    if last and last[2] == k:\n"
                     "        last[1] += e[\"length\"]\n    else:\n        last and print(last)\n"
                     "        last = [e[\"start\"], e[\"length\"], k]\nprint(last)'", path);

    g_assert_cmpint(st, ==, 0);
    return out;
}

static void compare(struct run *r, bool maps)
{
    check_image(r->ours, false);
    must("qemu-img compare -f qcow2 -F qcow2 '%s' '%s'", r->ours, r->theirs);
    if (maps && !strstr(r->v->create, "0.10")) { /* without a zero flag each frees or writes zeros as it sees fit */
        char *a = map_of(r->ours), *b = map_of(r->theirs);
        gchar **la = g_strsplit(a, "\n", 0), **lb = g_strsplit(b, "\n", 0);
        for (guint i = 0; la[i] && lb[i]; i++)
            g_assert_cmpstr(la[i], ==, lb[i]);
        g_assert_cmpuint(g_strv_length(la), ==, g_strv_length(lb));
        g_strfreev(la);
        g_strfreev(lb);
        g_free(a);
        g_free(b);
    }
}

static void test_variant(gconstpointer data)
{
    struct run r = { .v = data };
    guint ops = g_getenv("QCOW2_OPS") ? (guint) atoi(g_getenv("QCOW2_OPS")) : r.v->ops;

    if (!have_tools())
        return;
    r.vm = vm_new(NULL, NULL);
    r.dir = scratch_new();
    r.ours = g_build_filename(r.dir, "ours.qcow2", NULL);
    r.theirs = g_build_filename(r.dir, "theirs.qcow2", NULL);
    r.script = g_build_filename(r.dir, "script", NULL);
    r.model = g_malloc0(MAX(r.v->size, r.v->backing));
    r.rand = g_rand_new_with_seed((guint32) g_test_rand_int());
    r.out = fopen(r.script, "w");
    for (int i = 0; i < N_SNAPS; i++)
        r.names[i] = g_strdup_printf("snap-%c", 'a' + i);
    make(&r);
    open_ours(&r);
    gint64 t0 = g_get_monotonic_time(), mine = 0;
    for (guint i = 0; i < ops; i++) {
        one(&r, i % FLYING);
        if (i % (ops / 2 + 1) == ops / 2) { /* and after another opening */
            settle_all(&r, 0, UINT64_MAX);
            close_drive(r.blk);
            mine += g_get_monotonic_time() - t0;
            replay(&r);
            compare(&r, true);
            open_ours(&r);
            t0 = g_get_monotonic_time();
        }
    }
    settle_all(&r, 0, UINT64_MAX);
    uint8_t *all = g_malloc(r.v->size);
    g_assert_cmpint(do_io(r.blk, BLK_READ, 0, all, r.v->size), ==, 0);
    g_assert_true(!memcmp(all, r.model, r.v->size));
    g_free(all);
    close_drive(r.blk);
    mine += g_get_monotonic_time() - t0;
    t0 = g_get_monotonic_time();
    replay(&r);
    g_test_message("%u operations: %d ms, qemu-io about %d ms", ops, (int) (mine / 1000),
                   (int) ((g_get_monotonic_time() - t0) / 1000));
    compare(&r, true);
    for (int i = 0; i < N_SNAPS; i++) { /* what the snapshots hold */
        if (r.saved[i])
            must("cd '%s' && qemu-img convert -l snapshot.name=%s -O raw ours.qcow2 a && qemu-img convert -l "
                 "snapshot.name=%s -O raw theirs.qcow2 b && cmp a b", r.dir, r.names[i], r.names[i]);
        g_free(r.saved[i]);
        g_free(r.names[i]);
    }
    fclose(r.out);
    g_rand_free(r.rand);
    g_free(r.model);
    g_free(r.script);
    g_free(r.theirs);
    g_free(r.ours);
    scratch_free(r.dir);
    vm_free(r.vm);
}

static const struct variant variants[] = {
    { "default", "compat=1.1", 64 * MiB, 0, "cache=writeback", 10000, true },
    { "backing", "compat=1.1", 32 * MiB, 24 * MiB - 4096, "cache=writeback", 2000, false },
    { "native", "compat=1.1", 32 * MiB, 0, "cache=none,aio=native", 1000, true },
    { "unsafe", "compat=1.1", 32 * MiB, 0, "cache=unsafe", 1000, true },
    { "writethrough", "compat=1.1", 32 * MiB, 0, "cache=writethrough", 300, false },
    { "v2", "compat=0.10", 32 * MiB, 0, "cache=writeback", 1000, true },
    { "512", "compat=1.1,cluster_size=512", 16 * MiB, 0, "cache=writeback", 1000, true },
    { "2M", "compat=1.1,cluster_size=2M", 64 * MiB, 0, "cache=writeback", 1000, true },
    { "4k-backing", "compat=1.1,cluster_size=4k", 32 * MiB, 32 * MiB, "cache=writeback", 1000, true },
    { "refcount-1", "compat=1.1,refcount_bits=1", 32 * MiB, 0, "cache=writeback", 1000, false },
    { "refcount-64", "compat=1.1,refcount_bits=64,cluster_size=1k", 16 * MiB, 0, "cache=writeback", 1000, true },
    { "lazy", "compat=1.1,lazy_refcounts=on", 32 * MiB, 0, "cache=writeback", 500, true },
    { "prealloc", "compat=1.1,preallocation=metadata", 32 * MiB, 0, "cache=writeback", 500, true },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
        char *path = g_strconcat("/qcow2/random/", variants[i].name, NULL);
        g_test_add_data_func(path, &variants[i], test_variant);
        g_free(path);
    }
    return g_test_run();
}
