/* tests/hw/test_piix.c - PIIX3's bridge: interrupt routing, ELCR, reset control (290550). */
#include "hw/pc/i440fx.h"
#include "hw/pc/piix3.h"
#include "tests/hw/bench.h"

struct card { struct pci_dev pci; };
static const struct pci_info card_info = { .vendor = 1, .device = 2, .class_code = 0x020000, .intpin = 1 };
static const struct device_class card_class = { .name = "card", .size = sizeof(struct card), .bus = &pci_bus_class,
                                                .bus_info = &card_info };

struct machine {
    struct bench *b;
    struct device *host, *piix3;
};

static struct machine setup(void)
{
    struct machine m = { .b = bench_new(16 * MiB) };

    m.host = bench_add(m.b, &i440fx_class, NULL);
    m.piix3 = bench_add(m.b, &piix3_class, NULL);
    return m;
}

static void cfg(struct machine *m, unsigned devfn, unsigned off, uint32_t v, unsigned size)
{
    outl(m->b, 0xcf8, 0x80000000 | devfn << 8 | (off & 0xfc));
    space_write(&m->b->vm->pio, 0xcfc + (off & 3), v, size);
}
static uint32_t cfg_read(struct machine *m, unsigned devfn, unsigned off, unsigned size)
{
    outl(m->b, 0xcf8, 0x80000000 | devfn << 8 | (off & 0xfc));
    return (uint32_t) space_read(&m->b->vm->pio, 0xcfc + (off & 3), size);
}

enum { ISA = PCI_DEVFN(1, 0) };

static void test_registers(void)
{
    struct machine m = setup();

    g_assert_cmphex(cfg_read(&m, ISA, 0, 4), ==, 0x70008086);
    g_assert_cmphex(cfg_read(&m, ISA, 8, 4), ==, 0x06010000);
    g_assert_cmphex(cfg_read(&m, ISA, 0x0e, 1), ==, 0x80);
    g_assert_cmphex(cfg_read(&m, ISA, 4, 4), ==, 0x02000007);
    g_assert_cmphex(cfg_read(&m, ISA, 0x60, 4), ==, 0x80808080);
    g_assert_cmphex(cfg_read(&m, ISA, 0x4c, 4), ==, 0x0003004d);
    cfg(&m, ISA, 0x60, 0xffffffff, 4);
    g_assert_cmphex(cfg_read(&m, ISA, 0x60, 4), ==, 0x8f8f8f8f);
    g_assert_cmpstr(m.b->vm->isa.bus.owner->name, ==, "PIIX3");
    bench_free(m.b);
}

static void test_routing(void)
{
    struct machine m = setup();
    struct bench *b = m.b;
    struct pci_dev *p = (struct pci_dev *) bench_add(b, &card_class, "addr=3"); /* PIRQC */
    struct pci_dev *q = (struct pci_dev *) bench_add(b, &card_class, "addr=4"); /* PIRQD */
    struct irq isa = { 0 };

    pci_set_irq(p, true); /* routed nowhere after reset */
    for (unsigned i = 0; i < 16; i++)
        g_assert_false(irq_level(b, i));
    cfg(&m, ISA, 0x62, 0x0b, 1); /* the level follows the route */
    g_assert_true(irq_level(b, 11));
    cfg(&m, ISA, 0x62, 0x0a, 1);
    g_assert_false(irq_level(b, 11));
    g_assert_true(irq_level(b, 10));
    cfg(&m, ISA, 0x62, 0x8a, 1);
    g_assert_false(irq_level(b, 10));
    for (unsigned n = 0; n < 16; n++) { /* reserved ones connect nothing */
        bool ok = n >= 3 && n != 8 && n != 13;
        cfg(&m, ISA, 0x62, n, 1);
        g_assert_cmpint(irq_level(b, n), ==, ok);
    }
    /* two pins and an ISA card on one line: wired-OR */
    cfg(&m, ISA, 0x60, 0x05050505, 4);
    g_assert_true(isa_claim_irq(m.piix3, &isa, 5, NULL));
    pci_set_irq(q, true);
    irq_set(&isa, true);
    pci_set_irq(p, false);
    g_assert_true(irq_level(b, 5));
    pci_set_irq(q, false);
    g_assert_true(irq_level(b, 5));
    irq_set(&isa, false);
    g_assert_false(irq_level(b, 5));
    g_assert_cmpuint(b->irq_rises[5], ==, 2); /* once in the walk above */
    /* reset drops routes with a pin still high; the card's own reset lowers the pin */
    pci_set_irq(p, true);
    device_reset(m.piix3);
    g_assert_false(irq_level(b, 5));
    cfg(&m, ISA, 0x62, 5, 1);
    g_assert_true(irq_level(b, 5));
    device_free(&p->dev); /* unplugged while high */
    g_assert_false(irq_level(b, 5));

    /* a snapshot's route is taken up */
    GByteArray *a = g_byte_array_new();
    cfg(&m, ISA, 0x63, 7, 1);
    device_save(m.piix3, a);
    cfg(&m, ISA, 0x63, 9, 1);
    pci_set_irq(q, true);
    g_assert_true(irq_level(b, 9));
    g_assert_true(device_load(m.piix3, a->data, a->len, NULL));
    g_assert_false(irq_level(b, 9));
    g_assert_true(irq_level(b, 7));
    g_byte_array_unref(a);
    bench_free(b);
}

static void test_elcr(void)
{
    struct machine m = setup();

    outb(m.b, 0x4d0, 0xff);
    outb(m.b, 0x4d1, 0xff);
    g_assert_cmphex(inb(m.b, 0x4d0), ==, 0xf8);
    g_assert_cmphex(inb(m.b, 0x4d1), ==, 0xde);
    device_reset_all(m.b->vm);
    g_assert_cmphex(inw(m.b, 0x4d0), ==, 0);
    bench_free(m.b);
}

static unsigned take_requests(struct machine *m)
{
    unsigned r = m->b->vm->requests;

    m->b->vm->requests = 0;
    m->b->vm->cause = CAUSE_NONE;
    return r;
}

static void test_reset_control(void)
{
    struct machine m = setup();

    g_assert_cmphex(inb(m.b, 0xcf9), ==, 0);
    outb(m.b, 0xcf9, 2);
    g_assert_cmphex(take_requests(&m), ==, 0);
    g_assert_cmphex(inb(m.b, 0xcf9), ==, 2);
    outb(m.b, 0xcf9, 6); /* the rise of RCPU */
    g_assert_cmphex(m.b->vm->cause, ==, CAUSE_GUEST_RESET);
    g_assert_cmphex(take_requests(&m), ==, REQ_RESET);
    outb(m.b, 0xcf9, 6); /* no rise */
    g_assert_cmphex(take_requests(&m), ==, 0);
    device_reset_all(m.b->vm);
    g_assert_cmphex(inb(m.b, 0xcf9), ==, 0);
    outb(m.b, 0xcf9, 0xff);
    g_assert_cmphex(inb(m.b, 0xcf9), ==, 6);
    g_assert_cmphex(take_requests(&m), ==, REQ_RESET);
    device_reset_all(m.b->vm);
    outw(m.b, 0xcf8, 0x0600); /* a word at CF8h holds CF9h in its high byte */
    g_assert_cmphex(take_requests(&m), ==, REQ_RESET);
    device_reset_all(m.b->vm);
    outl(m.b, 0xcf8, 0x80000600); /* a doubleword is CONFADD */
    g_assert_cmphex(take_requests(&m), ==, 0);
    g_assert_cmphex(inb(m.b, 0xcf9), ==, 0);
    g_assert_cmphex(inl(m.b, 0xcf8), ==, 0x80000600);
    bench_free(m.b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/piix3/registers", test_registers);
    g_test_add_func("/piix3/routing", test_routing);
    g_test_add_func("/piix3/elcr", test_elcr);
    g_test_add_func("/piix3/reset", test_reset_control);
    return g_test_run();
}
