/* tests/hw/test_virtio_rng.c - the entropy device, by every interface and format of rings. */
#include "tests/hw/vdriver.h"
#include "vmm/core/rng.h"

#include "hw/catalog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *b = p;

    while (n && !*b)
        b++, n--;
    return n == 0;
}

static void test_bytes(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    struct bench *b = bench_new(16 * MiB);
    bool old_mmio = flags & VD_MMIO && flags & VD_LEGACY;
    struct vd *d = vd_new(b, flags & VD_MMIO ? "virtio-rng-device" : "virtio-rng-pci",
                          old_mmio ? "force-legacy=on" : "packed=on,in_order=on", flags);
    uint64_t x = vd_alloc(d, 256, 1), y = vd_alloc(d, 256, 1);

    for (int i = 0; i < 100; i++) {
        struct vd_sg sg[2] = { { x, 64 }, { y, 32 } };
        memset(vd_ptr(d, x), 0, 256);
        memset(vd_ptr(d, y), 0, 256);
        vd_want_irq(d, 0, true);
        g_assert_cmpuint(vd_do(d, 0, sg, 0, 2), ==, 96);
        g_assert_false(all_zero(vd_ptr(d, x), 64));
        g_assert_false(all_zero(vd_ptr(d, y), 32));
        g_assert_true(all_zero(vd_ptr(d, x + 64), 192) && all_zero(vd_ptr(d, y + 32), 224));
        g_assert_cmpuint(vd_irqs(d, 0), ==, 1);
    }
    /* several at once: one interrupt */
    int token[4];
    vd_want_irq(d, 0, true);
    for (int i = 0; i < 4; i++)
        g_assert_true(vd_add(d, 0, &(struct vd_sg){ x + 32 * (unsigned) i, 32 }, 0, 1, &token[i]));
    vd_kick(d, 0);
    for (int i = 0; i < 4; i++)
        g_assert_true(vd_wait(d, 0, NULL) == &token[i]);
    g_assert_cmpuint(vd_irqs(d, 0), ==, 1);
    g_assert_false(vd_broken(d));
    vd_free(d);
    bench_free(b);
}

/* 100 bytes each 50 ms */
static void test_rate(void)
{
    struct bench *b = bench_new(16 * MiB);
    struct vd *d = vd_new(b, "virtio-rng-pci", "max-bytes=100,period=50", 0);
    uint64_t x = vd_alloc(d, 256, 1);
    int token;

    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ x, 60 }, 0, 1), ==, 60);
    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ x, 60 }, 0, 1), ==, 40);
    vd_add(d, 0, &(struct vd_sg){ x, 60 }, 0, 1, &token);
    vd_kick(d, 0);
    g_assert_null(vd_wait(d, 0, NULL));
    clock_step(b, 49 * NS_PER_MS);
    g_assert_null(vd_wait(d, 0, NULL));
    clock_step(b, 2 * NS_PER_MS);
    uint32_t len;
    g_assert_true(vd_wait(d, 0, &len) == &token);
    g_assert_cmpuint(len, ==, 60);
    device_reset(d->dev); /* and while it waits */
    bench_run(b);
    vd_free(d);
    bench_free(b);
}

/* A source that has nothing for a while, then ends. */
static void test_file(void)
{
    struct bench *b = bench_new(16 * MiB);
    char *dir = g_dir_make_tmp("rngXXXXXX", NULL), *path = g_build_filename(dir, "fifo", NULL);
    GError *err = NULL;
    int token;
    uint32_t len;

    g_assert_null(rng_new(b->vm, "none", "/nonexistent/rng", &err));
    g_assert_nonnull(strstr(err->message, "/nonexistent/rng"));
    g_clear_error(&err);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    int wr = open(path, O_RDWR | O_CLOEXEC);
    g_assert_nonnull(rng_new(b->vm, "fifo", path, &err));
    struct vd *d = vd_new(b, "virtio-rng-pci", "rng=fifo", 0);
    uint64_t x = vd_alloc(d, 64, 1);
    vd_add(d, 0, &(struct vd_sg){ x, 60 }, 0, 1, &token);
    vd_kick(d, 0);
    g_assert_null(vd_wait(d, 0, NULL));
    g_assert_cmpint(write(wr, "0123456789", 10), ==, 10);
    g_assert_true(vd_wait(d, 0, &len) == &token);
    g_assert_cmpuint(len, ==, 10);
    g_assert_cmpmem(vd_ptr(d, x), 10, "0123456789", 10);
    close(wr);
    vd_add(d, 0, &(struct vd_sg){ x, 60 }, 0, 1, &token);
    vd_kick(d, 0);
    g_assert_null(vd_wait(d, 0, NULL)); /* no bytes rather than poor ones */
    vd_free(d);
    bench_free(b);
    unlink(path);
    rmdir(dir);
    g_free(path);
    g_free(dir);
}

static void test_props(void)
{
    struct bench *b = bench_new(16 * MiB);
    static const char *const bad[] = { "rng=none", "max-bytes=0", "period=0", "iommu_platform=on",
                                       "disable-legacy=on,disable-modern=on", "vectors=5000",
                                       "packed=on,disable-modern=on" };

    bench_add(b, &i440fx_class, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_null(device_create(b->vm, &virtio_rng_pci_class, NULL, bad[i], &err));
        g_test_message("%s: %s", bad[i], err->message);
        g_clear_error(&err);
    }
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = {
        { "split", 0 }, { "split-event", VD_EVENT_IDX }, { "split-indirect", VD_INDIRECT | VD_EVENT_IDX },
        { "split-in-order", VD_IN_ORDER }, { "packed", VD_PACKED }, { "packed-event", VD_PACKED | VD_EVENT_IDX },
        { "packed-all", VD_PACKED | VD_EVENT_IDX | VD_INDIRECT | VD_IN_ORDER }, { "legacy", VD_LEGACY },
        { "legacy-event", VD_LEGACY | VD_EVENT_IDX | VD_INDIRECT }, { "msix", VD_MSIX },
        { "msix-packed", VD_MSIX | VD_PACKED | VD_EVENT_IDX }, { "msix-legacy", VD_MSIX | VD_LEGACY },
        { "mmio", VD_MMIO }, { "mmio-packed", VD_MMIO | VD_PACKED | VD_EVENT_IDX },
        { "mmio-legacy", VD_MMIO | VD_LEGACY },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        char *path = g_strdup_printf("/virtio-rng/bytes/%s", ways[i].name);
        g_test_add_data_func(path, GUINT_TO_POINTER(ways[i].flags), test_bytes);
        g_free(path);
    }
    g_test_add_func("/virtio-rng/rate", test_rate);
    g_test_add_func("/virtio-rng/file", test_file);
    g_test_add_func("/virtio-rng/props", test_props);
    return g_test_run();
}
