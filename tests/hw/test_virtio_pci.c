/* tests/hw/test_virtio_pci.c - the PCI transport: identity, capabilities, both interfaces, interrupts; and MMIO's
 * registers. */
#include "hw/catalog.h"
#include "hw/virtio/virtio_mmio.h"
#include "tests/hw/vdriver.h"
#include "tests/hw/vtest.h"

enum { RAM = 16 << 20 };

static uint32_t cfg(struct vd *d, unsigned off, unsigned size)
{
    return pci_config_read(d->pci->pci, d->pci->devfn, off, size);
}

static void set_cfg(struct vd *d, unsigned off, uint32_t v, unsigned size)
{
    pci_config_write(d->pci->pci, d->pci->devfn, off, v, size);
}

/* 4.1.2: device ids, revisions, subsystem ids; which BARs there are. */
static void test_identity(void)
{
    static const struct {
        const char *cls, *props;
        unsigned device, revision, subsystem;
        bool legacy, modern;
    } ids[] = {
        { "virtio-rng-pci", NULL, 0x1005, 0, 4, true, true },
        { "virtio-rng-pci", "disable-legacy=on", 0x1044, 1, 0x1100, false, true },
        { "virtio-rng-pci", "disable-modern=on", 0x1005, 0, 4, true, false },
        { "virtio-rng-pci-transitional", NULL, 0x1005, 0, 4, true, true },
        { "virtio-rng-pci-non-transitional", NULL, 0x1044, 1, 0x1100, false, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
        struct bench *b = bench_new(RAM);
        struct vd *d = vd_probe(b, ids[i].cls, ids[i].props, ids[i].modern ? 0 : VD_LEGACY);
        g_assert_cmphex(cfg(d, 0, 2), ==, 0x1af4);
        g_assert_cmphex(cfg(d, 2, 2), ==, ids[i].device);
        g_assert_cmphex(cfg(d, 8, 1), ==, ids[i].revision);
        g_assert_cmphex(cfg(d, 0x2c, 2), ==, 0x1af4);
        g_assert_cmphex(cfg(d, 0x2e, 2), ==, ids[i].subsystem);
        g_assert_cmphex(cfg(d, 0x3d, 1), ==, 1);
        g_assert_cmpuint(d->pci->bars[0] != NULL, ==, ids[i].legacy);
        g_assert_cmpuint(d->pci->bars[4] != NULL, ==, ids[i].modern);
        g_assert_cmpuint(d->common != 0, ==, ids[i].modern);
        g_assert_nonnull(d->pci->bars[1]);
        vd_free(d);
        bench_free(b);
    }
    struct bench *b = bench_new(RAM);
    GError *err = NULL;
    bench_add(b, &i440fx_class, NULL);
    g_assert_null(device_create(b->vm, &virtio_rng_pci_transitional_class, NULL, "disable-modern=on", &err));
    g_clear_error(&err);
    g_assert_null(device_create(b->vm, &virtio_rng_pci_non_transitional_class, NULL, "disable-legacy=off", &err));
    g_clear_error(&err);
    bench_free(b);
}

/* -global virtio-pci.PROP: all of the family */
static void test_family(void)
{
    struct bench *b = bench_new(RAM);
    GPtrArray *globals = g_ptr_array_new();
    struct device_global g = { (char *) "virtio-pci", (char *) "disable-legacy", (char *) "on" };

    g_ptr_array_add(globals, &g);
    b->vm->globals = globals;
    struct vd *d = vd_probe(b, "virtio-rng-pci", NULL, 0);
    g_assert_cmphex(cfg(d, 2, 2), ==, 0x1044);
    vd_free(d);
    bench_free(b);
    g_ptr_array_free(globals, TRUE);
}

static void test_features(void)
{
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_probe_class(b, &vtest_pci_class, NULL, 0);
    uint64_t v1 = BIT64(VIRTIO_F_VERSION_1);
    uint8_t st = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;

    g_assert_true(vd_offered(d) & v1);
    g_assert_false(vd_offered(d) & (BIT64(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT64(VIRTIO_F_ANY_LAYOUT))); /* legacy's */
    g_assert_true(vd_offered(d) & BIT64(40) && vd_offered(d) & BIT64(0));
    vd_common_write(d, 0, 2, 4); /* DEVICE_FEATURE_SELECT beyond */
    g_assert_cmphex(vd_common_read(d, 4, 4), ==, 0);
    /* what was not offered, or without VERSION_1: FEATURES_OK does not stick */
    const uint64_t refused[] = { v1 | BIT64(1), v1 | BIT64(63), 0, BIT64(0), v1 | BIT64(VIRTIO_F_RING_PACKED) };
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        vd_set_status(d, 0);
        vd_set_status(d, st);
        vd_set_features(d, refused[i]);
        vd_set_status(d, st | VIRTIO_FEATURES_OK);
        g_assert_cmphex(vd_status(d), ==, st);
    }
    vd_set_status(d, 0);
    vd_set_status(d, st);
    vd_set_features(d, v1 | 1);
    vd_set_status(d, st | VIRTIO_DRIVER_OK); /* not without FEATURES_OK */
    g_assert_cmphex(vd_status(d), ==, st);
    vd_set_status(d, st | VIRTIO_FEATURES_OK);
    g_assert_cmphex(vd_status(d), ==, st | VIRTIO_FEATURES_OK);
    vd_set_features(d, v1); /* too late */
    g_assert_cmphex(d->v->features, ==, v1 | 1);
    vd_set_status(d, VIRTIO_ACKNOWLEDGE); /* bits can't be cleared but by a reset */
    g_assert_cmphex(vd_status(d), ==, st | VIRTIO_FEATURES_OK);
    vd_set_status(d, 0);
    g_assert_cmphex(vd_status(d), ==, 0);
    g_assert_cmphex(d->v->features, ==, 0);
    vd_free(d);
    bench_free(b);
}

static void test_config(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_probe_class(b, &vtest_pci_class, NULL, flags);
    struct vtest *t = vtest_of(d->dev);

    for (unsigned i = 0; i < 16; i++)
        t->cfg[i] = (uint8_t) (0xa0 + i);
    vd_start(d, UINT64_MAX);
    for (unsigned size = 1; size <= 4; size *= 2)
        for (unsigned off = 0; off < 16; off += size)
            g_assert_cmphex(vd_config(d, off, size), ==, ld_le(t->cfg + off, size));
    g_assert_cmphex(vd_config(d, 16, 4), ==, 0xffffffff); /* beyond its end */
    g_assert_cmphex(vd_config(d, 255, 1), ==, 0xff);
    vd_set_config(d, 4, 0x11223344, 4);
    vd_set_config(d, 9, 0x77, 1);
    g_assert_cmphex(ld_le32(t->cfg + 4), ==, 0x11223344);
    g_assert_cmphex(t->cfg[9], ==, 0x77);
    vd_set_config(d, 16, 0x55, 1);
    vd_set_config(d, 200, 0x5555, 2);
    /* a change by the device: generation and interrupt */
    if (!(flags & VD_LEGACY)) {
        uint64_t gen = vd_common_read(d, 21, 1);
        virtio_config_changed(d->v);
        g_assert_cmphex(vd_common_read(d, 21, 1), ==, gen + 1);
    } else {
        virtio_config_changed(d->v);
    }
    bench_run(b);
    if (flags & VD_MSIX)
        g_assert_cmpuint(fake_msis(b->accel, VD_MSI_DATA), ==, 1);
    else
        g_assert_cmphex(vd_take_isr(d), ==, VIRTIO_ISR_CONFIG);
    vd_free(d);
    bench_free(b);
}

/* INTA#: raised with ISR, lowered by reading it; not while MSI-X is on; masked by the command register. */
static void test_intx(gconstpointer data)
{
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_new(b, "virtio-rng-pci", NULL, GPOINTER_TO_UINT(data));
    uint64_t buf = vd_alloc(d, 64, 1);

    vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1);
    g_assert_true(d->pci->intx && d->pci->intx_out);
    g_assert_cmphex(cfg(d, PCI_STATUS, 1) & PCI_STATUS_INTERRUPT, !=, 0);
    vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1); /* not read yet: one interrupt */
    g_assert_cmphex(vd_take_isr(d), ==, VIRTIO_ISR_QUEUE);
    g_assert_false(d->pci->intx);
    g_assert_cmphex(vd_take_isr(d), ==, 0);
    vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1);
    set_cfg(d, PCI_COMMAND, cfg(d, PCI_COMMAND, 2) | PCI_COMMAND_INTX_DISABLE, 2);
    g_assert_true(d->pci->intx && !d->pci->intx_out);
    vd_set_status(d, 0); /* a reset takes it back */
    g_assert_false(d->pci->intx);
    vd_free(d);
    bench_free(b);
}

/* 4.1.4.9: everything through configuration space. */
static void test_pci_cfg(void)
{
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_probe(b, "virtio-rng-pci", NULL, 0);
    unsigned at = cfg(d, PCI_CAPABILITY_LIST, 1);

    while (cfg(d, at, 1) != 9 || cfg(d, at + 3, 1) != 5)
        at = cfg(d, at + 1, 1);
    set_cfg(d, at + 4, 4, 1);
    set_cfg(d, at + 8, 20, 4); /* DEVICE_STATUS */
    set_cfg(d, at + 12, 1, 4);
    set_cfg(d, at + 16, VIRTIO_ACKNOWLEDGE, 1);
    g_assert_cmphex(vd_status(d), ==, VIRTIO_ACKNOWLEDGE);
    g_assert_cmphex(cfg(d, at + 16, 1), ==, VIRTIO_ACKNOWLEDGE);
    set_cfg(d, at + 8, 18, 4); /* NUM_QUEUES */
    set_cfg(d, at + 12, 2, 4);
    g_assert_cmphex(cfg(d, at + 16, 2), ==, 1);
    static const struct { uint32_t bar, off, len; } odd[] = {
        { 4, 0x4000, 4 }, { 4, 0xfffffffc, 4 }, { 4, 0, 3 }, { 4, 0, 0 }, { 4, 0, 0xffffffff }, { 4, 1, 2 },
        { 1, 0, 4 },
        { 255, 0, 4 }, { 4, 0x3ffe, 4 },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++) {
        set_cfg(d, at + 4, odd[i].bar, 1);
        set_cfg(d, at + 8, odd[i].off, 4);
        set_cfg(d, at + 12, odd[i].len, 4);
        set_cfg(d, at + 16, 0xffffffff, 4);
        cfg(d, at + 16, 4);
    }
    g_assert_cmphex(vd_status(d), ==, VIRTIO_ACKNOWLEDGE);
    vd_free(d);
    bench_free(b);
}

/* Queue registers of what is not there; notifications of nobody; vectors beyond the table. */
static void test_odd_registers(gconstpointer data)
{
    unsigned flags = GPOINTER_TO_UINT(data);
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_new(b, "virtio-rng-pci", "vectors=2", flags);
    uint64_t buf = vd_alloc(d, 64, 1);
    static const unsigned queues[] = { 1, 2, 0x7fff, 0x8000, 0xffff };

    for (unsigned i = 0; i < G_N_ELEMENTS(queues); i++) {
        vd_notify(d, queues[i]);
        if (flags & VD_LEGACY) {
            outw(b, (unsigned) d->legacy_io + 14, (uint16_t) queues[i]);
            g_assert_cmphex(inw(b, (unsigned) d->legacy_io + 12), ==, 0);
            g_assert_cmphex(inl(b, (unsigned) d->legacy_io + 8), ==, 0);
            outl(b, (unsigned) d->legacy_io + 8, 0xffffffff);
            continue;
        }
        vd_common_write(d, 22, queues[i], 2);
        g_assert_cmphex(vd_common_read(d, 24, 2), ==, 0);
        g_assert_cmphex(vd_common_read(d, 26, 2), ==, VIRTIO_NO_VECTOR);
        vd_common_write(d, 24, 64, 2);
        vd_common_write(d, 28, 1, 2);
        vd_common_write(d, 32, 0xffffffff, 4);
    }
    if (!(flags & VD_LEGACY)) {
        vd_common_write(d, 22, 0, 2);
        vd_common_write(d, 26, 2, 2);
        g_assert_cmphex(vd_common_read(d, 26, 2), ==, VIRTIO_NO_VECTOR);
        vd_common_write(d, 26, 1, 2);
        g_assert_cmphex(vd_common_read(d, 26, 2), ==, 1);
        vd_common_write(d, 16, 0xfffe, 2);
        g_assert_cmphex(vd_common_read(d, 16, 2), ==, VIRTIO_NO_VECTOR);
    } else { /* a ring that can't be: outside of RAM; gone again */
        outw(b, (unsigned) d->legacy_io + 14, 0);
        outl(b, (unsigned) d->legacy_io + 8, 0xffffffff);
        vd_notify(d, 0);
        bench_run(b);
        outl(b, (unsigned) d->legacy_io + 8, 0);
        g_assert_cmphex(inl(b, (unsigned) d->legacy_io + 8), ==, 0);
        vd_start(d, UINT64_MAX);
    }
    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1), ==, 8);
    vd_free(d);
    bench_free(b);
}

/* 3.1.2: a legacy driver that uses the device before DRIVER_OK, and never switched bus mastering on. */
static void test_legacy_habits(void)
{
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_new(b, "virtio-rng-pci", NULL, VD_LEGACY);
    uint64_t buf = vd_alloc(d, 64, 1);

    vd_set_status(d, 0);
    vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    vd_set_features(d, 0);
    vd_setup_queue(d, 0, 8);
    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1), ==, 8);
    vd_set_status(d, 0);
    set_cfg(d, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    vd_start(d, 0);
    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1), ==, 8);
    vd_free(d);
    bench_free(b);
}

/* --- MMIO ------------------------------------------------------------------------------------------- */

static void test_mmio(void)
{
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_new(b, "virtio-rng-device", NULL, VD_MMIO);
    uint64_t buf = vd_alloc(d, 64, 1);

    g_assert_cmphex(vd_common_read(d, 8, 4), ==, VIRTIO_ID_RNG);
    vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1);
    g_assert_true(b->mmio->irq[0].level);
    vd_common_write(d, 0x64, VIRTIO_ISR_CONFIG, 4); /* not this one */
    g_assert_true(b->mmio->irq[0].level);
    g_assert_cmphex(vd_take_isr(d), ==, VIRTIO_ISR_QUEUE);
    g_assert_false(b->mmio->irq[0].level);
    g_assert_cmphex(vd_common_read(d, 0x44, 4), ==, 1);
    vd_common_write(d, 0x80, 0x123000, 4); /* live: ignored */
    vd_common_write(d, 0x38, 4, 4);
    vd_common_write(d, 0x44, 0, 4); /* QueueReady 0 stops it */
    vd_notify(d, 0);
    bench_run(b);
    g_assert_cmphex(vd_common_read(d, 0x44, 4), ==, 0);
    vd_start(d, UINT64_MAX);
    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1), ==, 8);
    vd_common_write(d, 0x30, 0xffffffff, 4);
    g_assert_cmphex(vd_common_read(d, 0x34, 4), ==, 0);
    vd_common_write(d, 0x44, 1, 4);
    vd_common_write(d, 0x50, 0xffffffff, 4);
    g_assert_cmphex(vd_common_read(d, 0x34, 1), ==, 0xff); /* registers are 32 bits wide */
    g_assert_cmphex(vd_common_read(d, 0xb0, 4), ==, 0xffffffff);
    vd_free(d);
    bench_free(b);
}

/* Alignments and page sizes that divide by zero elsewhere (2017-17381). */
static void test_mmio_legacy(void)
{
    struct bench *b = bench_new(RAM);
    struct vd *d = vd_probe(b, "virtio-rng-device", "force-legacy=on", VD_MMIO | VD_LEGACY);
    static const uint32_t odd[] = { 0, 3, 0x80000000, 0xffffffff, 1, 2 };

    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(odd); k++) {
            vd_set_status(d, 0);
            vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
            vd_common_write(d, 0x28, odd[i], 4);
            vd_common_write(d, 0x30, 0, 4);
            vd_common_write(d, 0x38, 8, 4);
            vd_common_write(d, 0x3c, odd[k], 4);
            vd_common_write(d, 0x40, 0x100, 4);
            vd_common_write(d, 0x40, 0xffffffff, 4);
            vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
            vd_notify(d, 0);
            bench_run(b);
        }
    vd_start(d, UINT64_MAX);
    uint64_t buf = vd_alloc(d, 64, 1);
    g_assert_cmpuint(vd_do(d, 0, &(struct vd_sg){ buf, 8 }, 0, 1), ==, 8);
    vd_free(d);
    bench_free(b);
}

/* Slots fill up, and are refused with a reason. */
static void test_mmio_slots(void)
{
    struct bench *b = bench_new(RAM);
    GError *err = NULL;

    bench_mmio_bus(b);
    for (int i = 0; i < 8; i++)
        bench_add(b, &virtio_rng_device_class, NULL);
    g_assert_cmphex(mem_read(b, 0xfeb00000 + 7 * 512, 4), ==, 0x74726976);
    g_assert_null(device_create(b->vm, &virtio_rng_device_class, NULL, NULL, &err));
    g_assert_nonnull(strstr(err->message, "no room left"));
    g_clear_error(&err);
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(gconstpointer);
    } tests[] = { { "config", test_config }, { "odd-registers", test_odd_registers } };
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = { { "modern", 0 }, { "legacy", VD_LEGACY }, { "msix", VD_MSIX },
                 { "msix-legacy", VD_MSIX | VD_LEGACY } };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(ways); k++) {
            char *path = g_strdup_printf("/virtio-pci/%s/%s", tests[i].name, ways[k].name);
            g_test_add_data_func(path, GUINT_TO_POINTER(ways[k].flags), tests[i].fn);
            g_free(path);
        }
    g_test_add_func("/virtio-pci/identity", test_identity);
    g_test_add_func("/virtio-pci/family", test_family);
    g_test_add_func("/virtio-pci/features", test_features);
    g_test_add_data_func("/virtio-pci/intx/modern", GUINT_TO_POINTER(0), test_intx);
    g_test_add_data_func("/virtio-pci/intx/legacy", GUINT_TO_POINTER(VD_LEGACY), test_intx);
    g_test_add_func("/virtio-pci/pci-cfg", test_pci_cfg);
    g_test_add_func("/virtio-pci/legacy-habits", test_legacy_habits);
    g_test_add_func("/virtio-mmio/registers", test_mmio);
    g_test_add_func("/virtio-mmio/legacy", test_mmio_legacy);
    g_test_add_func("/virtio-mmio/slots", test_mmio_slots);
    return g_test_run();
}
