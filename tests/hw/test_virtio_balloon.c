/* tests/hw/test_virtio_balloon.c - the memory balloon: memory goes and comes, and nothing else goes with it. */
#include "tests/hw/vdriver.h"
#include "vmm/core/balloon.h"

#include <sys/mman.h>

enum { STATS_VQ = 1, DEFLATE_ON_OOM = 2, HINT = 3, POISON = 4, REPORTING = 5 };
enum { INFLATE, DEFLATE, STATS };
enum { PAGES = 64, AREA = 8 << 20 }; /* where the tests' pages are */

struct seen {
    struct balloon_listener l;
    unsigned n;
    uint64_t actual;
};

static void saw(void *opaque, uint64_t actual)
{
    struct seen *s = opaque;

    s->n++;
    s->actual = actual;
}

static void fill(struct bench *b)
{
    for (unsigned i = 0; i < PAGES; i++)
        memset(ram_at(b, AREA + i * 4096), (int) (i + 1), 4096);
}

static bool is(struct bench *b, unsigned page, uint8_t v)
{
    const uint8_t *p = ram_at(b, AREA + page * 4096);

    for (unsigned i = 0; i < 4096; i++)
        if (p[i] != v)
            return false;
    return true;
}

/* page numbers into a queue */
static void tell(struct vd *d, unsigned q, const uint32_t *pfns, unsigned n)
{
    uint64_t gpa = vd_alloc(d, n * 4, 4);

    for (unsigned i = 0; i < n; i++)
        st_le32(vd_ptr(d, gpa + 4 * i), pfns[i]);
    g_assert_cmpuint(vd_do(d, q, &(struct vd_sg){ gpa, n * 4 }, 1, 0), ==, 0);
}

static void test_inflate(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    struct bench *b = bench_new(16 * MiB);
    const char *mmio = flags & VD_LEGACY ? "force-legacy=on" : "packed=on", *pci = "packed=on";
    struct vd *d = vd_new(b, flags & VD_MMIO ? "virtio-balloon-device" : "virtio-balloon-pci",
                          flags & VD_MMIO ? mmio : pci, flags);
    struct seen seen = { .l = { .changed = saw, .opaque = &seen } };
    const uint32_t base = AREA >> 12, give[] = { base + 7, base + 3, base + 4, base + 5, base + 3, base + 9 };
    GError *err = NULL;
    uint64_t now;

    balloon_listen(b->vm, &seen.l);
    fill(b);
    g_assert_true(balloon_set_target(b->vm, 15 * MiB, &err));
    g_assert_cmpuint(vd_config(d, 0, 4), ==, 256);
    g_assert_cmpuint(vd_config(d, 4, 4), ==, 0);
    tell(d, INFLATE, give, G_N_ELEMENTS(give));
    for (unsigned i = 0; i < PAGES; i++)
        g_assert_true(is(b, i, i == 3 || i == 4 || i == 5 || i == 7 || i == 9 ? 0 : (uint8_t) (i + 1)));
    vd_set_config(d, 4, 5, 4);
    g_assert_cmpuint(seen.n, ==, 1);
    g_assert_cmpuint(seen.actual, ==, 16 * MiB - 5 * 4096);
    g_assert_true(balloon_actual(b->vm, &now, &err) && now == seen.actual);
    vd_set_config(d, 4, 5, 4);
    g_assert_cmpuint(seen.n, ==, 1); /* no news */
    /* what is only read stays, and an absurd figure does no harm */
    vd_set_config(d, 0, 1, 4);
    g_assert_cmpuint(vd_config(d, 0, 4), ==, 256);
    vd_set_config(d, 4, 0xffffffff, 4);
    g_assert_true(balloon_actual(b->vm, &now, &err) && now == 0);
    tell(d, DEFLATE, give, G_N_ELEMENTS(give));
    memset(ram_at(b, AREA + 3 * 4096), 0x55, 4096); /* and is memory again */
    g_assert_true(is(b, 3, 0x55));
    device_reset(d->dev);
    g_assert_true(balloon_actual(b->vm, &now, &err) && now == 16 * MiB);
    g_assert_no_error(err);
    balloon_unlisten(b->vm, &seen.l);
    vd_free(d);
    bench_free(b);
}

/* Beyond RAM, over ROM and video memory, numbers that wrap, a length that is no multiple, none at all */
static void test_hostile(void)
{
    struct bench *b = bench_new(16 * MiB);
    struct vd *d = vd_new(b, "virtio-balloon-pci", NULL, 0);
    const uint32_t bad[] = { 0xffffffff, 0xfffffffe, 0x1000, 0xfff + 1, 0x80000000, (AREA >> 12) + 1, 0x100000,
                             0xfee00 };
    uint64_t gpa = vd_alloc(d, 64, 4);

    fill(b);
    tell(d, INFLATE, bad, G_N_ELEMENTS(bad));
    g_assert_true(is(b, 1, 0) && is(b, 0, 1) && is(b, 2, 3));
    g_assert_false(vd_broken(d));
    st_le32(vd_ptr(d, gpa), (AREA >> 12) + 10);
    g_assert_cmpuint(vd_do(d, INFLATE, &(struct vd_sg){ gpa, 3 }, 1, 0), ==, 0);
    g_assert_true(is(b, 10, 11));
    g_assert_cmpuint(vd_do(d, INFLATE, &(struct vd_sg){ gpa, 7 }, 1, 0), ==, 0);
    g_assert_true(is(b, 10, 0));
    /* a buffer the wrong way round */
    g_assert_cmpuint(vd_do(d, INFLATE, &(struct vd_sg){ gpa, 32 }, 0, 1), ==, 0);
    /* more than counts: the 64 Ki-th page is the last */
    uint64_t big = 2 * MiB;
    for (uint32_t i = 0; i < 65537; i++)
        st_le32(ram_at(b, big + 4 * i), (AREA >> 12) + (i < 65535 ? 20 : i - 65535 + 21));
    g_assert_cmpuint(vd_do(d, INFLATE, &(struct vd_sg){ big, 65537 * 4 }, 1, 0), ==, 0);
    g_assert_true(is(b, 20, 0) && is(b, 21, 0) && is(b, 22, 23));
    vd_free(d);
    bench_free(b);
}

static void put_stats(struct vd *d, uint64_t gpa, unsigned n, const uint64_t (*s)[2])
{
    for (unsigned i = 0; i < n; i++) {
        st_le16(vd_ptr(d, gpa + 10 * i), (uint16_t) s[i][0]);
        st_le64(vd_ptr(d, gpa + 10 * i + 2), s[i][1]);
    }
}

static void test_stats(void)
{
    struct bench *b = bench_new(16 * MiB);
    struct vd *d = vd_new(b, "virtio-balloon-pci", NULL, VD_EVENT_IDX);
    uint64_t gpa = vd_alloc(d, 8192, 4);
    struct balloon_stats st;
    GError *err = NULL;
    int token;

    g_assert_true(balloon_stats(b->vm, &st, &err));
    g_assert_true(st.last_update == 0 && st.value[BALLOON_FREE_MEMORY] == UINT64_MAX);
    put_stats(d, gpa, 3, (const uint64_t[][2]){ { BALLOON_FREE_MEMORY, 123456789012 }, { 999, 1 },
                                                { BALLOON_SWAP_IN, 7 } });
    vd_add(d, STATS, &(struct vd_sg){ gpa, 30 }, 1, 0, &token);
    vd_kick(d, STATS);
    g_assert_null(vd_wait(d, STATS, NULL)); /* kept */
    g_assert_true(balloon_stats(b->vm, &st, &err));
    g_assert_cmpuint(st.value[BALLOON_FREE_MEMORY], ==, 123456789012);
    g_assert_cmpuint(st.value[BALLOON_SWAP_IN], ==, 7);
    g_assert_cmpint(st.last_update, >, 0);
    g_assert_false(balloon_set_polling(b->vm, -1, &err));
    g_clear_error(&err);
    g_assert_true(balloon_set_polling(b->vm, 2, &err));
    clock_step(b, 1900 * NS_PER_MS);
    g_assert_null(vd_wait(d, STATS, NULL));
    clock_step(b, 200 * NS_PER_MS);
    g_assert_true(vd_wait(d, STATS, NULL) == &token);
    clock_step(b, 10 * NS_PER_SEC); /* a guest that does not answer */
    put_stats(d, gpa, 1, (const uint64_t[][2]){ { BALLOON_FREE_MEMORY, 5 } });
    vd_add(d, STATS, &(struct vd_sg){ gpa, 10 }, 1, 0, &token);
    vd_kick(d, STATS);
    g_assert_null(vd_wait(d, STATS, NULL));
    g_assert_true(balloon_stats(b->vm, &st, &err) && st.value[BALLOON_FREE_MEMORY] == 5);
    /* two at once: the first comes back; an oversized one ends somewhere */
    int second;
    vd_add(d, STATS, &(struct vd_sg){ gpa, 8192 }, 1, 0, &second);
    vd_kick(d, STATS);
    g_assert_true(vd_wait(d, STATS, NULL) == &token);
    g_assert_null(vd_wait(d, STATS, NULL));
    device_reset(d->dev);
    clock_step(b, 10 * NS_PER_SEC);
    g_assert_true(balloon_stats(b->vm, &st, &err) && st.last_update == 0);
    vd_free(d);
    bench_free(b);
}

static void test_reporting(gconstpointer data)
{
    bool poison = GPOINTER_TO_UINT(data);
    struct bench *b = bench_new(16 * MiB);
    struct vd *d = vd_new(b, "virtio-balloon-pci", "free-page-reporting=on,free-page-hint=on,deflate-on-oom=on",
                          VD_INDIRECT);
    const struct vd_sg sg[] = { { AREA + 2 * 4096, 2 * 4096 }, { AREA + 8 * 4096, 4096 },
                                { AREA + 20 * 4096 + 100, 5000 } };

    g_assert_cmphex(vd_offered(d) & 0x3f, ==,
                    1 << STATS_VQ | 1 << DEFLATE_ON_OOM | 1 << HINT | 1 << POISON | 1 << REPORTING);
    fill(b);
    if (poison)
        vd_set_config(d, 12, 0xaaaaaaaa, 4);
    g_assert_cmpuint(vd_do(d, 4, sg, 0, 3), ==, 0);
    for (unsigned i = 0; i < PAGES; i++)
        g_assert_true(is(b, i, !poison && (i == 2 || i == 3 || i == 8) ? 0 : (uint8_t) (i + 1)));
    vd_free(d);
    bench_free(b);
}

struct hinted {
    unsigned pages, done;
    uint64_t gpa, len;
};

static void on_page(void *opaque, uint64_t gpa, uint64_t len)
{
    struct hinted *h = opaque;

    h->pages++;
    h->gpa = gpa;
    h->len = len;
}

static void on_done(void *opaque)
{
    ((struct hinted *) opaque)->done++;
}

static void test_hints(void)
{
    struct bench *b = bench_new(16 * MiB);
    struct vd *d = vd_new(b, "virtio-balloon-pci", "free-page-hint=on", 0);
    struct hinted h = { 0 };
    const struct balloon_hints to = { on_page, on_done, &h };
    uint64_t cmd = vd_alloc(d, 4, 4);
    GError *err = NULL;

    g_assert_cmpuint(vd_config(d, 8, 4), ==, 0);
    g_assert_true(balloon_hints_start(b->vm, &to, &err));
    uint32_t id = (uint32_t) vd_config(d, 8, 4);
    g_assert_cmpuint(id, >=, 2);
    vd_do(d, 3, &(struct vd_sg){ AREA, 4096 }, 0, 1); /* before the command: not a hint */
    st_le32(vd_ptr(d, cmd), id + 1); /* another round's */
    vd_do(d, 3, &(struct vd_sg){ cmd, 4 }, 1, 0);
    vd_do(d, 3, &(struct vd_sg){ AREA, 4096 }, 0, 1);
    g_assert_cmpuint(h.pages, ==, 0);
    st_le32(vd_ptr(d, cmd), id);
    vd_do(d, 3, &(struct vd_sg){ cmd, 4 }, 1, 0);
    fill(b);
    vd_do(d, 3, &(struct vd_sg){ AREA + 4096, 8192 }, 0, 1);
    g_assert_true(h.pages == 1 && h.gpa == AREA + 4096 && h.len == 8192 && h.done == 0);
    g_assert_true(is(b, 1, 2)); /* a hint takes nothing */
    st_le32(vd_ptr(d, cmd), 0);
    vd_do(d, 3, &(struct vd_sg){ cmd, 4 }, 1, 0);
    g_assert_cmpuint(h.done, ==, 1);
    balloon_hints_stop(b->vm);
    g_assert_cmpuint(vd_config(d, 8, 4), ==, 1);
    vd_do(d, 3, &(struct vd_sg){ AREA, 4096 }, 0, 1);
    g_assert_cmpuint(h.pages, ==, 1);
    /* the guest resets the device in the middle */
    g_assert_true(balloon_hints_start(b->vm, &to, &err));
    g_assert_cmpuint(vd_config(d, 8, 4), !=, id);
    device_reset(d->dev);
    g_assert_cmpuint(h.done, ==, 2);
    g_assert_false(balloon_hints_start(b->vm, &to, &err));
    g_clear_error(&err);
    balloon_hints_stop(b->vm);
    vd_free(d);
    bench_free(b);
}

static void test_config(void)
{
    struct bench *b = bench_new(16 * MiB);
    GError *err = NULL;
    struct vd *d = vd_new(b, "virtio-balloon-pci", "page-poison=off", 0);

    g_assert_cmphex(vd_offered(d) & 0x3f, ==, 1 << STATS_VQ);
    g_assert_null(device_create(b->vm, device_class_find("virtio-balloon-pci"), NULL, NULL, &err));
    g_assert_nonnull(strstr(err->message, "a machine has one balloon at most"));
    g_clear_error(&err);
    vd_free(d);
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = {
        { "split", 0 }, { "packed", VD_PACKED | VD_EVENT_IDX }, { "legacy", VD_LEGACY }, { "mmio", VD_MMIO },
        { "mmio-legacy", VD_MMIO | VD_LEGACY }, { "msix", VD_MSIX },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        char *path = g_strdup_printf("/virtio-balloon/inflate/%s", ways[i].name);
        g_test_add_data_func(path, GUINT_TO_POINTER(ways[i].flags), test_inflate);
        g_free(path);
    }
    g_test_add_func("/virtio-balloon/hostile", test_hostile);
    g_test_add_func("/virtio-balloon/stats", test_stats);
    g_test_add_data_func("/virtio-balloon/reporting", GUINT_TO_POINTER(0), test_reporting);
    g_test_add_data_func("/virtio-balloon/poison", GUINT_TO_POINTER(1), test_reporting);
    g_test_add_func("/virtio-balloon/hints", test_hints);
    g_test_add_func("/virtio-balloon/config", test_config);
    return g_test_run();
}
