/* tests/hw/test_setup.c - the chip set as a BIOS leaves it: BARs, routes, decoding. */
#include "hw/pc/setup.h"
#include "hw/pc/piix3.h"
#include "hw/pc/piix4_pm.h"
#include "tests/hw/bench.h"

struct card {
    struct pci_dev pci;
    struct pci_bar io, small, fb, huge;
    uint64_t huge_size;
};

static bool card_realize(struct device *d, GError **err)
{
    static const struct region_ops none = { .min = 1, .max = 8 };
    struct card *s = container_of(d, struct card, pci.dev);

    (void) err;
    region_init_io(&s->io.region, "io", &none, s, 0x20);
    region_init_io(&s->small.region, "small", &none, s, 0x100);
    region_init_io(&s->fb.region, "fb", &none, s, 16 * MiB);
    pci_register_bar(&s->pci, 0, &s->io, PCI_BAR_IO);
    pci_register_bar(&s->pci, 1, &s->small, PCI_BAR_MEM32);
    pci_register_bar(&s->pci, 2, &s->fb, PCI_BAR_MEM32 | PCI_BAR_PREFETCH);
    if (s->huge_size) {
        region_init_io(&s->huge.region, "huge", &none, s, s->huge_size);
        pci_register_bar(&s->pci, 4, &s->huge, PCI_BAR_MEM64 | PCI_BAR_PREFETCH);
    }
    return true;
}
static const struct prop card_props[] = { PROP_SIZE(struct card, huge_size, 0), {} };
static const struct pci_info card_info = { .vendor = 1, .device = 2, .class_code = 0x020000, .intpin = 1 };
static const struct device_class card_class = { .name = "card", .size = sizeof(struct card),
                                                .bus = &pci_bus_class,
                                                .props = card_props, .bus_info = &card_info,
                                                .realize = card_realize };

static void check_no_overlap(const struct pci_bus *b)
{
    for (unsigned i = 0; i < 256 * 8; i++)
        for (unsigned j = i + 1; j < 256 * 8; j++) {
            const struct pci_dev *p = b->devs[i / 8], *q = b->devs[j / 8];
            uint64_t x, y;
            if (!p || !q || i % 8 > 5 || j % 8 > 5 || !pci_bar_mapped(p, i % 8, &x) ||
                !pci_bar_mapped(q, j % 8, &y) ||
                (p->bars[i % 8]->type ^ q->bars[j % 8]->type) & PCI_BAR_IO)
                continue;
            g_assert_true(x + p->bars[i % 8]->size <= y || y + q->bars[j % 8]->size <= x);
        }
}

static void test_assign(void)
{
    struct bench *b = bench_new(64 * MiB);
    struct device *host = bench_add(b, &i440fx_class, NULL), *isa = bench_add(b, &piix3_class, NULL);
    struct device *pm = bench_add(b, &piix4_pm_class, NULL);
    struct pci_bus *bus = i440fx_bus(host);
    uint64_t addr;

    for (unsigned slot = 2; slot < 12; slot++)
        bench_add(b, &card_class, slot == 5 ? "addr=5,huge_size=256M" : NULL);
    pc_setup_chipset(host, isa, pm);
    check_no_overlap(bus);
    for (unsigned slot = 2; slot < 12; slot++) {
        const struct pci_dev *p = bus->devs[PCI_DEVFN(slot, 0)];
        g_assert_true(pci_bar_mapped(p, 0, &addr) && addr >= 0xc000);
        g_assert_true(pci_bar_mapped(p, 1, &addr) && addr >= 64 * MiB && addr < 0xfec00000);
        g_assert_true(pci_bar_mapped(p, 2, &addr) && addr % (16 * MiB) == 0);
        g_assert_cmpuint(p->cfg[PCI_INTERRUPT_LINE], ==, ((slot - 1) & 3) < 2 ? 10 : 11);
        g_assert_true(p->dev.dma_disabled); /* drivers switch that on */
    }
    g_assert_true(pci_bar_mapped(bus->devs[PCI_DEVFN(5, 0)], 4, &addr) && addr < 4 * GiB);
    g_assert_cmphex(inw(b, 0x604), ==, 0);
    g_assert_cmphex(pci_config_read(bus, PCI_DEVFN(1, 0), 0x60, 4), ==, 0x0b0b0a0a);
    pci_set_irq(bus->devs[PCI_DEVFN(4, 0)], true);
    g_assert_true(irq_level(b, 11));
    mem_write(b, 0xf0000, 0x42, 1);
    g_assert_cmphex(mem_read(b, 0xf0000, 1), ==, 0x42);
    device_reset_all(b->vm); /* again after a reset: the same */
    pc_setup_chipset(host, isa, pm);
    g_assert_true(pci_bar_mapped(bus->devs[PCI_DEVFN(5, 0)], 4, &addr) && addr < 4 * GiB);
    bench_free(b);
}

static void test_tight(void)
{
    struct bench *b = bench_new(64 * MiB);
    struct device *host = bench_add(b, &i440fx_class, NULL);
    struct pci_bus *bus = i440fx_bus(host);
    struct pci_windows w = { .io_base = 0xc000, .io_last = 0xc03f,
                             .mem = { 0xe0000000, 0xfebfffff, 5 * GiB, 0xffffffffff } };
    uint64_t addr;

    bench_add(b, &card_class, "huge_size=1G");
    g_assert_cmpuint(pci_assign_resources(bus, &w), ==, 0);
    g_assert_true(pci_bar_mapped(bus->devs[0], 4, &addr) || pci_bar_mapped(bus->devs[8], 4, &addr));
    bench_add(b, &card_class, "huge_size=8G");
    g_assert_cmpuint(pci_assign_resources(bus, &w), ==, 0);
    check_no_overlap(bus);
    bench_add(b, &card_class, NULL); /* no I/O is left */
    g_assert_cmpuint(pci_assign_resources(bus, &w), ==, 1);
    w.mem.last64 = w.mem.base64 - 1; /* no window above 4 GiB */
    g_assert_cmpuint(pci_assign_resources(bus, &w), ==, 3);
    w.mem.base32 = 0xfe800000;
    w.io_last = 0xbfff;
    g_assert_cmpuint(pci_assign_resources(bus, &w), ==, 8);
    check_no_overlap(bus);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/setup/assign", test_assign);
    g_test_add_func("/setup/tight", test_tight);
    return g_test_run();
}
