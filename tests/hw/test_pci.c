/* tests/hw/test_pci.c - the PCI bus: configuration space, BARs, interrupt pins, places (PCI 3.0,
 * chapter 6). */
#include "hw/pci/pci.h"
#include "tests/hw/bench.h"

#include <glib/gstdio.h>
#include <unistd.h>

struct card {
    struct pci_dev pci;
    struct pci_bar mem, io, big, fb;
    struct ram_block vram;
    uint8_t last;
    unsigned writes;
};

static uint64_t card_read(void *opaque, uint64_t off, unsigned size)
{
    (void) opaque;
    return (0x0101010101010101ULL * (off & 0xff)) & mask_bytes(size);
}
static void card_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct card *s = opaque;

    (void) off, (void) size;
    s->last = (uint8_t) val;
    s->writes++;
}
static const struct region_ops card_ops = { card_read, card_write, .min = 1, .max = 4 };

static bool card_realize(struct device *d, GError **err)
{
    struct card *s = container_of(d, struct card, pci.dev);

    region_init_io(&s->mem.region, "card-mem", &card_ops, s, 0x1000);
    region_init_io(&s->io.region, "card-io", &card_ops, s, 0x20);
    region_init_io(&s->big.region, "card-big", &card_ops, s, 8 * GiB);
    pci_register_bar(&s->pci, 0, &s->mem, PCI_BAR_MEM32);
    pci_register_bar(&s->pci, 1, &s->io, PCI_BAR_IO);
    pci_register_bar(&s->pci, 2, &s->big, PCI_BAR_MEM64 | PCI_BAR_PREFETCH);
    if (!ram_block_alloc(&s->vram, "vram", 16 * MiB, NULL, err))
        return false;
    region_init_ram(&s->fb.region, "card-fb", &s->vram, 0, 16 * MiB);
    pci_register_bar(&s->pci, 4, &s->fb, PCI_BAR_MEM32 | PCI_BAR_PREFETCH);
    pci_add_capability(&s->pci, 0x01, 8);
    pci_add_capability(&s->pci, 0x09, 5);
    return pci_add_rom(&s->pci, NULL, err);
}

static void card_unrealize(struct device *d)
{
    struct card *s = container_of(d, struct card, pci.dev);

    space_remove(&s->fb.region);
    ram_block_free(&s->vram);
}

static const struct state card_state[] = { STATE_U8(struct card, last), {} };
static const struct pci_info card_info = { .vendor = 0x1234, .device = 0x5678, .revision = 3,
                                           .class_code = 0x020000,
                                           .intpin = 1 };
static const struct device_class card_class = {
    .name = "card", .size = sizeof(struct card), .version = 1, .bus = &pci_bus_class,
    .bus_info = &card_info,
    .state = card_state, .realize = card_realize, .unrealize = card_unrealize,
};

static void pin_set(void *opaque, int pin, int level)
{
    int *pins = opaque;

    g_assert_cmpint(pins[pin], !=, level);
    pins[pin] = level;
}

struct fixture {
    struct bench *b;
    struct pci_bus bus;
    int pins[4];
};

static struct fixture *setup(void)
{
    struct fixture *f = g_new0(struct fixture, 1);

    f->b = bench_new(16 * MiB);
    pci_bus_init(&f->bus, f->b->vm, "pci.0", NULL);
    f->bus.slot_min = 2;
    f->bus.intx.set = pin_set;
    f->bus.intx.opaque = f->pins;
    return f;
}

static void teardown(struct fixture *f)
{
    while (f->b->vm->devices->len)
        device_free(f->b->vm->devices->pdata[f->b->vm->devices->len - 1]);
    for (int i = 0; i < 4; i++)
        g_assert_cmpint(f->pins[i], ==, 0);
    pci_bus_clear(&f->bus);
    bench_free(f->b);
    g_free(f);
}

static uint32_t rd(struct fixture *f, unsigned devfn, unsigned off, unsigned size)
{
    return pci_config_read(&f->bus, devfn, off, size);
}
static void wr(struct fixture *f, unsigned devfn, unsigned off, uint32_t v, unsigned size)
{
    pci_config_write(&f->bus, devfn, off, v, size);
}

enum { FN = PCI_DEVFN(2, 0) };

static void test_header(void)
{
    struct fixture *f = setup();

    bench_add(f->b, &card_class, NULL);
    g_assert_cmphex(rd(f, FN, 0, 4), ==, 0x56781234);
    g_assert_cmphex(rd(f, FN, 8, 4), ==, 0x02000003);
    g_assert_cmphex(rd(f, FN, 0x2c, 4), ==, 0x11001af4);
    g_assert_cmphex(rd(f, FN, 0x3d, 1), ==, 1);
    g_assert_cmphex(rd(f, FN, 0x0e, 1), ==, 0);
    wr(f, FN, 0, 0, 4); /* read only */
    wr(f, FN, 8, 0xffffffff, 4);
    g_assert_cmphex(rd(f, FN, 0, 4), ==, 0x56781234);
    g_assert_cmphex(rd(f, FN, 8, 4), ==, 0x02000003);
    wr(f, FN, PCI_INTERRUPT_LINE, 0x1ff, 2);
    g_assert_cmphex(rd(f, FN, PCI_INTERRUPT_LINE, 2), ==, 0x1ff);
    wr(f, FN, PCI_COMMAND, 0xffff, 2);
    g_assert_cmphex(rd(f, FN, PCI_COMMAND, 2), ==, 0x547);

    /* capabilities: newest first, 4-aligned, and the list ends */
    g_assert_cmphex(rd(f, FN, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, ==, PCI_STATUS_CAP_LIST);
    g_assert_cmphex(rd(f, FN, PCI_CAPABILITY_LIST, 1), ==, 0x48);
    g_assert_cmphex(rd(f, FN, 0x48, 2), ==, 0x4009);
    g_assert_cmphex(rd(f, FN, 0x40, 2), ==, 0x0001);

    /* status: write 1 to clear, other bits stay */
    struct pci_dev *p = f->bus.devs[FN];
    st_le16(p->cfg + PCI_STATUS, ld_le16(p->cfg + PCI_STATUS) | 0x3000);
    wr(f, FN, PCI_STATUS, 0x1000, 2);
    g_assert_cmphex(rd(f, FN, PCI_STATUS, 2) & 0xf900, ==, 0x2000);
    wr(f, FN, PCI_STATUS, 0, 2);
    g_assert_cmphex(rd(f, FN, PCI_STATUS, 2) & 0xf900, ==, 0x2000);

    /* absent functions, and beyond 256 bytes */
    g_assert_cmphex(rd(f, PCI_DEVFN(3, 0), 0, 4), ==, 0xffffffff);
    g_assert_cmphex(rd(f, FN + 1, 0, 2), ==, 0xffff);
    g_assert_cmphex(rd(f, FN, 256, 4), ==, 0xffffffff);
    g_assert_cmphex(rd(f, FN, 254, 4), ==, 0xffffffff);
    g_assert_cmphex(rd(f, FN, 0xfffffffc, 4), ==, 0xffffffff);
    g_assert_cmphex(rd(f, 256, 0, 4), ==, 0xffffffff);
    wr(f, FN, 256, 0, 4);
    wr(f, FN, 0xfffffffe, 0, 4);
    wr(f, 0x10000, 0, 0, 4);
    teardown(f);
}

static void test_sizing(void)
{
    struct fixture *f = setup();
    uint64_t addr;

    bench_add(f->b, &card_class, NULL);
    for (unsigned off = 0x10; off <= 0x24; off += 4)
        wr(f, FN, off, 0xffffffff, 4);
    wr(f, FN, PCI_ROM_ADDRESS, 0xffffffff, 4);
    g_assert_cmphex(rd(f, FN, 0x10, 4), ==, 0xfffff000);
    g_assert_cmphex(rd(f, FN, 0x14, 4), ==, 0xffffffe1);
    g_assert_cmphex(rd(f, FN, 0x18, 4), ==, 0x0000000c);
    g_assert_cmphex(rd(f, FN, 0x1c, 4), ==, 0xfffffffe);
    g_assert_cmphex(rd(f, FN, 0x20, 4), ==, 0xff000008);
    g_assert_cmphex(rd(f, FN, 0x24, 4), ==, 0);
    g_assert_cmphex(rd(f, FN, PCI_ROM_ADDRESS, 4), ==, 0); /* it has none */

    /* the probe left in place with decoding on: what no CPU reaches is not mapped, nothing breaks */
    wr(f, FN, PCI_COMMAND, 7, 2);
    g_assert_false(pci_bar_mapped(f->bus.devs[FN], 1, &addr));
    g_assert_false(pci_bar_mapped(f->bus.devs[FN], 2, &addr));
    g_assert_true(pci_bar_mapped(f->bus.devs[FN], 0, &addr));
    g_assert_cmphex(addr, ==, 0xfffff000);
    wr(f, FN, 0x10, 0xf0000000, 4);
    g_assert_cmphex(mem_read(f->b, 0xf0000010, 1), ==, 0x10);
    /* now the frame buffer, probe left in place too */
    g_assert_cmphex(mem_read(f->b, 0xfffff010, 1), ==, 0);

    /* byte lanes */
    wr(f, FN, 0x13, 0xf1, 1);
    g_assert_cmphex(mem_read(f->b, 0xf1000020, 1), ==, 0x20);
    wr(f, FN, 0x14, 0xc000, 2);
    g_assert_true(pci_bar_mapped(f->bus.devs[FN], 1, &addr) == false); /* the high half is still ffff */
    wr(f, FN, 0x16, 0, 2);
    g_assert_cmphex(inb(f->b, 0xc01f), ==, 0x1f);
    g_assert_cmphex(inb(f->b, 0xc020), ==, 0xff);

    /* 64 bits: two halves */
    wr(f, FN, 0x18, 0, 4);
    wr(f, FN, 0x1c, 0x12, 4);
    g_assert_cmphex(mem_read(f->b, 0x12000000033, 1), ==, 0xff); /* above 40 bits */
    wr(f, FN, 0x1c, 0x2, 4);
    g_assert_cmphex(mem_read(f->b, 0x200000033, 1), ==, 0x33);
    g_assert_cmphex(mem_read(f->b, 0x3ffffffff, 1), ==, 0xff);

    /* the command register's enables, and a reset */
    wr(f, FN, PCI_COMMAND, 1, 2);
    g_assert_cmphex(mem_read(f->b, 0xf1000020, 1), ==, 0xff);
    g_assert_cmphex(inb(f->b, 0xc01f), ==, 0x1f);
    g_assert_true(f->bus.devs[FN]->dev.dma_disabled);
    wr(f, FN, PCI_COMMAND, 6, 2);
    g_assert_cmphex(inb(f->b, 0xc01f), ==, 0xff);
    g_assert_false(f->bus.devs[FN]->dev.dma_disabled);
    device_reset_all(f->b->vm);
    g_assert_cmphex(rd(f, FN, PCI_COMMAND, 2), ==, 0);
    g_assert_cmphex(rd(f, FN, 0x18, 4), ==, 0x0c);
    g_assert_cmphex(mem_read(f->b, 0x200000033, 1), ==, 0xff);
    g_assert_true(f->bus.devs[FN]->dev.dma_disabled);
    wr(f, FN, PCI_COMMAND, 7, 2); /* decoding on before any address is given */
    g_assert_cmphex(inb(f->b, 0x10), ==, 0xff);
    teardown(f);
}

static void test_overlaps(void)
{
    struct fixture *f = setup();
    struct card *one = (struct card *) bench_add(f->b, &card_class, NULL);
    struct card *two = (struct card *) bench_add(f->b, &card_class, NULL);
    uint64_t addr;

    for (unsigned slot = 2; slot <= 3; slot++) {
        wr(f, PCI_DEVFN(slot, 0), 0x10, 0xfebf0000, 4);
        wr(f, PCI_DEVFN(slot, 0), PCI_COMMAND, 2, 2);
    }
    mem_write(f->b, 0xfebf0000, 0x55, 1);
    g_assert_cmpuint(one->writes + two->writes, ==, 1); /* exactly one answers */
    wr(f, PCI_DEVFN(3, 0), PCI_COMMAND, 0, 2);
    mem_write(f->b, 0xfebf0000, 0x66, 1);
    g_assert_cmphex(one->last, ==, 0x66);
    /* both BARs of one function at one place */
    wr(f, FN, 0x20, 0xfebf0000, 4);
    g_assert_true(pci_bar_mapped(&one->pci, 4, &addr));
    g_assert_cmphex(addr, ==, 0xfe000000);
    mem_write(f->b, 0xfebf0004, 0x77, 1);
    mem_write(f->b, 0xfebf1004, 0x99, 1);
    g_assert_cmphex(one->vram.host[0xbf1004], ==, 0x99);
    for (unsigned i = 0; i < 20000; i++) /* toggling is bounded and leaks nothing */
        wr(f, FN, i & 1 ? 0x20 : PCI_COMMAND, i * 2654435761u, i & 1 ? 4 : 2);
    teardown(f);
}

static void test_intx(void)
{
    struct fixture *f = setup();
    struct pci_dev *p = (struct pci_dev *) bench_add(f->b, &card_class, NULL);
    struct pci_dev *q = (struct pci_dev *) bench_add(f->b, &card_class, "addr=06");

    pci_set_irq(p, true); /* slot 2: PIRQB; slot 6 shares it */
    g_assert_cmpint(f->pins[1], ==, 1);
    pci_set_irq(q, true);
    pci_set_irq(p, false);
    g_assert_cmpint(f->pins[1], ==, 1);
    g_assert_cmphex(rd(f, FN, PCI_STATUS, 1) & 8, ==, 0);
    g_assert_cmphex(rd(f, PCI_DEVFN(6, 0), PCI_STATUS, 1) & 8, ==, 8);
    wr(f, PCI_DEVFN(6, 0), PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
    g_assert_cmpint(f->pins[1], ==, 0);
    g_assert_cmphex(rd(f, PCI_DEVFN(6, 0), PCI_STATUS, 1) & 8, ==, 8); /* still asserted inside */
    wr(f, PCI_DEVFN(6, 0), PCI_COMMAND, 0, 2);
    g_assert_cmpint(f->pins[1], ==, 1);
    device_reset_all(f->b->vm);
    g_assert_cmpint(f->pins[1], ==, 0);
    g_assert_cmphex(rd(f, PCI_DEVFN(6, 0), PCI_STATUS, 1) & 8, ==, 0);

    /* a pin that is high travels through a snapshot */
    GByteArray *a = g_byte_array_new();
    wr(f, FN, 0x10, 0xfe000000, 4);
    wr(f, FN, PCI_COMMAND, 6, 2);
    pci_set_irq(p, true);
    device_save(&p->dev, a);
    device_reset_all(f->b->vm);
    g_assert_cmpint(f->pins[1], ==, 0);
    GError *err = NULL;
    g_assert_true(device_load(&p->dev, a->data, a->len, &err));
    g_assert_cmpint(f->pins[1], ==, 1);
    g_assert_false(p->dev.dma_disabled);
    g_assert_cmphex(mem_read(f->b, 0xfe000011, 1), ==, 0x11);
    /* and one of another device is refused */
    p->cfg[0] ^= 1;
    g_byte_array_set_size(a, 0);
    device_save(&p->dev, a);
    p->cfg[0] ^= 1;
    g_assert_false(device_load(&p->dev, a->data, a->len, &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    p->cfg[0] ^= 1;
    g_byte_array_unref(a);
    teardown(f);
}

static void refused(struct fixture *f, const char *props, const char *want)
{
    GError *err = NULL;

    g_assert_null(device_create(f->b->vm, &card_class, NULL, props, &err));
    g_assert_nonnull(strstr(err->message, want));
    g_clear_error(&err);
}

static void test_places(void)
{
    struct fixture *f = setup();
    struct device *d = device_create(f->b->vm, &card_class, "nic0", "addr=3", NULL);

    g_assert_cmpint(((struct pci_dev *) d)->devfn, ==, PCI_DEVFN(3, 0));
    char *s = device_get(d, "addr");
    g_assert_cmpstr(s, ==, "03.0");
    g_free(s);
    refused(f, "addr=03", "addr=03.0 on bus 'pci.0' is already used by 'nic0'");
    refused(f, "addr=3.1", "lacks multifunction=on");
    refused(f, "addr=20", "no PCI address");
    refused(f, "addr=1.8", "no PCI address");
    refused(f, "addr=x", "no PCI address");
    refused(f, "addr=", "no PCI address");
    refused(f, "addr=1.", "no PCI address");
    refused(f, "addr=-1", "no PCI address");
    refused(f, "bus=pci.1", "there is no bus 'pci.1'");
    refused(f, "romfile=/nonexistent.rom", "/nonexistent.rom");
    bench_add(f->b, &card_class, "addr=1f.0,multifunction=on");
    bench_add(f->b, &card_class, "addr=0x1f.0x7");
    g_assert_cmphex(rd(f, PCI_DEVFN(0x1f, 0), 0x0e, 1), ==, 0x80);
    bench_add(f->b, &card_class, "addr=1d.2");
    refused(f, "addr=1d.0", "needs multifunction=on");
    /* automatic: the lowest slot that is all free */
    for (unsigned slot = 2; slot < 0x1f; slot++)
        if (slot != 3 && slot != 0x1d)
            g_assert_cmpint(((struct pci_dev *) bench_add(f->b, &card_class, NULL))->devfn, ==,
                            PCI_DEVFN(slot, 0));
    refused(f, NULL, "no room left on any PCI bus");
    refused(f, "bus=pci.0", "no slot left");

    char *node = pci_bus_class.fw_node(d);
    g_assert_cmpstr(node, ==, "pci@i0cf8/ethernet@3");
    g_free(node);
    GError *err = NULL;
    g_assert_true(device_add_boot(d, 1, "/ethernet-phy@0", &err));
    const struct boot_entry *e = f->b->vm->boot_order->pdata[0];
    g_assert_cmpstr(e->path, ==, "/pci@i0cf8/ethernet@3/ethernet-phy@0");
    GString *text = g_string_new(NULL);
    pci_bus_describe(&f->bus, text);
    g_assert_nonnull(strstr(text->str,
                            "Bus  0, device   3, function 0:\n    Ethernet controller: PCI device 1234:5678"));
    g_string_free(text, TRUE);
    teardown(f);
}

static void test_rom(void)
{
    struct fixture *f = setup();
    uint8_t rom[3000];
    char *name;
    int fd = g_file_open_tmp("bantam-rom-XXXXXX", &name, NULL);

    memset(rom, 0, sizeof rom);
    memcpy(rom, "\x55\xaa\x06", 3);
    close(fd);
    g_assert_true(g_file_set_contents(name, (char *) rom, sizeof rom, NULL));
    char *props = g_strdup_printf("romfile=%s", name);
    bench_add(f->b, &card_class, props);
    g_free(props);
    wr(f, FN, PCI_ROM_ADDRESS, 0xfffffffe, 4);
    g_assert_cmphex(rd(f, FN, PCI_ROM_ADDRESS, 4), ==, 0xfffff000);
    wr(f, FN, PCI_ROM_ADDRESS, 0xfea00000, 4);
    wr(f, FN, PCI_COMMAND, 2, 2);
    g_assert_cmphex(mem_read(f->b, 0xfea00000, 2), ==, 0xffff); /* its own enable is off */
    wr(f, FN, PCI_ROM_ADDRESS, 0xfea00001, 4);
    g_assert_cmphex(mem_read(f->b, 0xfea00000, 2), ==, 0xaa55);
    g_assert_cmphex(mem_read(f->b, 0xfea00fff, 1), ==, 0xff);
    mem_write(f->b, 0xfea00000, 0, 2);
    g_assert_cmphex(mem_read(f->b, 0xfea00000, 2), ==, 0xaa55);
    bench_add(f->b, &card_class, "romfile=");
    props = g_strdup_printf("romfile=%s,rombar=0", name);
    bench_add(f->b, &card_class, props);
    wr(f, PCI_DEVFN(4, 0), PCI_ROM_ADDRESS, 0xffffffff, 4);
    g_assert_cmphex(rd(f, PCI_DEVFN(4, 0), PCI_ROM_ADDRESS, 4), ==, 0);
    g_free(props);
    g_unlink(name);
    g_free(name);
    teardown(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/header", test_header);
    g_test_add_func("/pci/sizing", test_sizing);
    g_test_add_func("/pci/overlaps", test_overlaps);
    g_test_add_func("/pci/intx", test_intx);
    g_test_add_func("/pci/places", test_places);
    g_test_add_func("/pci/rom", test_rom);
    return g_test_run();
}
