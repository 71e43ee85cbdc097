/* tests/hw/test_msix.c - MSI-X: the capability, masks and pending bits, routes, messages to RAM. */
#include "hw/catalog.h"
#include "hw/pci/msix.h"
#include "tests/hw/bench.h"

enum { RAM = 16 << 20, BAR = 0xe0000000, N = 4 };

/* A function that has nothing but MSI-X. */
struct card {
    struct pci_dev pci;
    struct msix msix;
};

static struct card *card_of(struct device *d)
{
    return container_of(d, struct card, pci.dev);
}

static void config_written(struct pci_dev *p, unsigned off, unsigned len)
{
    (void) off, (void) len;
    msix_config_written(&container_of(p, struct card, pci)->msix);
}

static bool realize(struct device *d, GError **err)
{
    card_of(d)->pci.config_written = config_written;
    return msix_init(&card_of(d)->msix, &card_of(d)->pci, N, 1, err);
}

static void unrealize(struct device *d)
{
    msix_clear(&card_of(d)->msix);
}

static void reset(struct device *d)
{
    msix_reset(&card_of(d)->msix);
}

static void pre_save(struct device *d)
{
    msix_pre_save(&card_of(d)->msix);
}

static bool post_load(struct device *d)
{
    return msix_post_load(&card_of(d)->msix);
}

static const struct state card_state[] = { STATE_STRUCT(struct card, msix, msix_state), {} };
static const struct device_class card_class = {
    .name = "card", .desc = "MSI-X", .version = 1, .size = sizeof(struct card), .bus = &pci_bus_class,
    .bus_info = &(const struct pci_info){ .vendor = 0x1234, .device = 1, .class_code = 0x00ff00 },
    .state = card_state, .realize = realize, .unrealize = unrealize, .reset = reset, .pre_save = pre_save,
    .post_load = post_load,
};

struct fix {
    struct bench *b;
    struct fake_accel *a;
    struct card *c;
    unsigned cap;
};

static void cfg(struct fix *f, unsigned off, uint32_t v, unsigned size)
{
    pci_config_write(f->c->pci.pci, f->c->pci.devfn, off, v, size);
}

static uint32_t get_cfg(struct fix *f, unsigned off, unsigned size)
{
    return pci_config_read(f->c->pci.pci, f->c->pci.devfn, off, size);
}

static void vector(struct fix *f, unsigned n, uint64_t addr, uint32_t data, bool masked)
{
    mem_write(f->b, BAR + 16 * n, (uint32_t) addr, 4);
    mem_write(f->b, BAR + 16 * n + 4, addr >> 32, 4);
    mem_write(f->b, BAR + 16 * n + 8, data, 4);
    mem_write(f->b, BAR + 16 * n + 12, masked, 4);
}

static struct fix setup(bool irqfd)
{
    struct fix f = { .b = bench_new(RAM) };

    f.a = bench_accel(f.b, irqfd);
    bench_add(f.b, &i440fx_class, NULL);
    f.c = card_of(bench_add(f.b, &card_class, NULL));
    f.cap = get_cfg(&f, PCI_CAPABILITY_LIST, 1);
    g_assert_cmphex(get_cfg(&f, f.cap, 1), ==, 0x11);
    g_assert_cmphex(get_cfg(&f, f.cap + 2, 2), ==, N - 1);
    g_assert_cmphex(get_cfg(&f, f.cap + 4, 4), ==, 1);
    g_assert_cmphex(get_cfg(&f, f.cap + 8, 4), ==, 0x801);
    cfg(&f, PCI_BASE_ADDRESS_0 + 4, BAR, 4);
    cfg(&f, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    return f;
}

static unsigned got(struct fix *f, uint32_t data)
{
    bench_run(f->b);
    return fake_msis(f->a, data);
}

static uint64_t pba(struct fix *f)
{
    return mem_read(f->b, BAR + 0x800, 8);
}

static void enable(struct fix *f, unsigned bits)
{
    cfg(f, f->cap + 2, bits, 2);
}

static void test_masks(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_INT(data));
    struct msix *m = &f.c->msix;

    for (unsigned i = 0; i < N; i++) /* after reset: masked, zero */
        g_assert_true(mem_read(f.b, BAR + 16 * i, 4) == 0 && mem_read(f.b, BAR + 16 * i + 12, 4) == 1);
    for (unsigned i = 0; i < N; i++)
        vector(&f, i, 0xfee00000 + 0x1000 * i, 0x50 + i, false);
    msix_notify(m, 0); /* off: nothing, and nothing is remembered */
    g_assert_cmpuint(got(&f, 0x50), ==, 0);
    enable(&f, 0x8000);
    g_assert_true(msix_enabled(m));
    g_assert_cmpuint(fake_irqfds(f.a), ==, GPOINTER_TO_INT(data) ? N : 0);
    g_assert_cmpuint(got(&f, 0x50), ==, 0);
    for (unsigned i = 0; i < N; i++) {
        msix_notify(m, i);
        g_assert_cmpuint(got(&f, 0x50 + i), ==, 1);
    }
    msix_notify(m, N); /* there is none */
    msix_notify(m, 0xffff);
    /* a masked vector: pending, once, until it is unmasked */
    mem_write(f.b, BAR + 16 + 12, 1, 4);
    msix_notify(m, 1);
    msix_notify(m, 1);
    g_assert_cmpuint(got(&f, 0x51), ==, 0);
    g_assert_cmphex(pba(&f), ==, 2);
    vector(&f, 1, 0xfee00000, 0x61, false);
    g_assert_cmpuint(got(&f, 0x61), ==, 1);
    g_assert_cmphex(pba(&f), ==, 0);
    /* the function mask */
    enable(&f, 0xc000);
    msix_notify(m, 0);
    msix_notify(m, 3);
    g_assert_cmpuint(got(&f, 0x50), ==, 0);
    g_assert_cmphex(pba(&f), ==, 9);
    mem_write(f.b, BAR + 0x800, 0, 4); /* read-only */
    g_assert_cmphex(pba(&f), ==, 9);
    enable(&f, 0x8000);
    g_assert_cmpuint(got(&f, 0x50), ==, 1);
    g_assert_cmpuint(got(&f, 0x53), ==, 1);
    /* bus mastering */
    cfg(&f, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    msix_notify(m, 2);
    g_assert_cmpuint(got(&f, 0x52), ==, 0);
    cfg(&f, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    g_assert_cmpuint(got(&f, 0x52), ==, 1);
    /* off: routes are given back */
    enable(&f, 0);
    g_assert_cmpuint(fake_routes(f.a), ==, 0);
    g_assert_cmpuint(fake_irqfds(f.a), ==, 0);
    enable(&f, 0x8000);
    device_reset(&f.c->pci.dev);
    g_assert_false(msix_enabled(m));
    g_assert_cmpuint(fake_routes(f.a), ==, 0);
    bench_free(f.b);
}

/* Messages that aren't for a local APIC are writes of memory: to RAM, or lost. */
static void test_ram(gconstpointer data)
{
    struct fix f = setup(GPOINTER_TO_INT(data));
    struct msix *m = &f.c->msix;

    enable(&f, 0x8000);
    vector(&f, 0, 0x123450, 0xdeadbeef, false);
    vector(&f, 1, RAM, 1, false);
    vector(&f, 2, 0xffffffff00000000, 2, false);
    vector(&f, 3, 0x1fee00000, 0x63, false); /* above 4 GiB: no APIC there */
    for (unsigned i = 0; i < N; i++)
        msix_notify(m, i);
    bench_run(f.b);
    g_assert_cmphex(ld_le32(ram_at(f.b, 0x123450)), ==, 0xdeadbeef);
    g_assert_cmpuint(got(&f, 0x63), ==, 0);
    vector(&f, 0, 0xfee00000, 0x60, false); /* and to an APIC again */
    msix_notify(m, 0);
    g_assert_cmpuint(got(&f, 0x60), ==, 1);
    vector(&f, 0, 0x123453, 7, false); /* the low bits are reserved */
    g_assert_cmphex(mem_read(f.b, BAR, 4), ==, 0x123450);
    bench_free(f.b);
}

/* More vectors than there are routes: those left over go through the main loop. */
static void test_routes(void)
{
    struct fix f = setup(true);
    int taken = 0;

    while (f.b->vm->accel->msi_route_add(f.a, 0xfee00000, 0) >= 0)
        taken++;
    g_assert_cmpint(taken, >, 0);
    f.b->vm->accel->msi_route_remove(f.a, 5);
    enable(&f, 0x8000);
    for (unsigned i = 0; i < N; i++)
        vector(&f, i, 0xfee00000, 0x50 + i, false);
    g_assert_cmpuint(fake_irqfds(f.a), ==, 1);
    for (unsigned i = 0; i < N; i++) {
        msix_notify(&f.c->msix, i);
        g_assert_cmpuint(got(&f, 0x50 + i), ==, 1);
    }
    bench_free(f.b);
}

static void test_snapshot(void)
{
    struct fix f = setup(true), g = setup(true);
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;

    for (unsigned i = 0; i < N; i++)
        vector(&f, i, 0xfee00000, 0x50 + i, i == 1 || i == 2);
    enable(&f, 0x8000);
    msix_notify(&f.c->msix, 2);
    device_save(&f.c->pci.dev, a);
    g_assert_true(device_load(&g.c->pci.dev, a->data, a->len, &err));
    g_assert_cmphex(pba(&g), ==, 4);
    g_assert_cmpuint(got(&g, 0x52), ==, 0);
    mem_write(g.b, BAR + 32 + 12, 0, 4);
    g_assert_cmpuint(got(&g, 0x52), ==, 1);
    msix_notify(&g.c->msix, 0);
    g_assert_cmpuint(got(&g, 0x50), ==, 1);
    g_byte_array_unref(a);
    bench_free(f.b);
    bench_free(g.b);
}

/* Accesses that the specification forbids: narrow, unaligned, beyond the table. */
static void test_odd_accesses(void)
{
    struct fix f = setup(true);

    for (unsigned off = 0; off < 0x1000; off += 1)
        for (unsigned size = 1; size <= 8; size *= 2) {
            mem_write(f.b, BAR + off, UINT64_MAX, size);
            mem_read(f.b, BAR + off, size);
        }
    g_assert_cmphex(mem_read(f.b, BAR + 12, 4), ==, 1);
    g_assert_cmphex(mem_read(f.b, BAR, 8), ==, 0xfffffffffffffffc);
    g_assert_cmphex(mem_read(f.b, BAR + 2, 1), ==, 0xff);
    cfg(&f, f.cap, 0xffffffff, 4); /* only two bits of the capability can be written */
    g_assert_cmphex(get_cfg(&f, f.cap + 2, 2), ==, 0xc000 | (N - 1));
    bench_free(f.b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/msix/masks/irqfd", GINT_TO_POINTER(1), test_masks);
    g_test_add_data_func("/msix/masks/loop", GINT_TO_POINTER(0), test_masks);
    g_test_add_data_func("/msix/ram/irqfd", GINT_TO_POINTER(1), test_ram);
    g_test_add_data_func("/msix/ram/loop", GINT_TO_POINTER(0), test_ram);
    g_test_add_func("/msix/routes", test_routes);
    g_test_add_func("/msix/snapshot", test_snapshot);
    g_test_add_func("/msix/odd-accesses", test_odd_accesses);
    return g_test_run();
}
