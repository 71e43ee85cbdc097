/* tests/hw/test_piix.c - PIIX3's bridge: interrupt routing, ELCR, reset control (290550); PIIX4's
 * power management: events, timer, sleep and wake-up, APM ports, SMBus (290562). */
#include "hw/pc/i440fx.h"
#include "hw/pc/piix3.h"
#include "hw/pc/piix4_pm.h"
#include "tests/hw/bench.h"

struct card { struct pci_dev pci; };
static const struct pci_info card_info = { .vendor = 1, .device = 2, .class_code = 0x020000, .intpin = 1 };
static const struct device_class card_class = { .name = "card", .size = sizeof(struct card),
                                                .bus = &pci_bus_class,
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

/* --- PIIX4 ---------------------------------------------------------------------------------------- */

enum { PMFN = PCI_DEVFN(1, 3), PM = PIIX4_PM_BASE, SMB = PIIX4_SMB_BASE };
enum { PMSTS = PM, PMEN = PM + 2, PMCNTRL = PM + 4, PMTMR = PM + 8 };
static const int64_t HALF = (1LL << 23) * NS_PER_SEC / 3579545 + 1; /* ns until the top bit changes */

/* What firmware writes. */
static void place(struct machine *m)
{
    cfg(m, PMFN, PCI_INTERRUPT_LINE, 9, 1);
    cfg(m, PMFN, 0x40, PM | 1, 4);
    cfg(m, PMFN, 0x80, 1, 1);
    cfg(m, PMFN, 0x90, SMB | 1, 4);
    cfg(m, PMFN, 0xd2, 9, 1);
    cfg(m, PMFN, PCI_COMMAND, PCI_COMMAND_IO, 2);
}

static struct machine setup_pm(struct device **pm, const char *props)
{
    struct machine m = setup();

    *pm = bench_add(m.b, &piix4_pm_class, props);
    place(&m);
    return m;
}

static void test_pm_config(void)
{
    struct machine m = setup();
    struct device *pm = bench_add(m.b, &piix4_pm_class, NULL);

    g_assert_cmphex(cfg_read(&m, PMFN, 0, 4), ==, 0x71138086);
    g_assert_cmphex(cfg_read(&m, PMFN, 8, 4), ==, 0x06800003);
    g_assert_cmphex(cfg_read(&m, PMFN, 0x40, 4), ==, 1);
    g_assert_cmphex(cfg_read(&m, PMFN, 0x58, 4), ==, 0x02000000); /* APMC_EN: there is no SMM */
    g_assert_cmphex(inw(m.b, PMCNTRL), ==, 0xffff); /* nowhere yet */
    cfg(&m, PMFN, 0x40, 0xffffffff, 4);
    g_assert_cmphex(cfg_read(&m, PMFN, 0x40, 4), ==, 0xffc1);
    cfg(&m, PMFN, 0x80, 0xff, 1);
    g_assert_cmphex(cfg_read(&m, PMFN, 0x80, 1), ==, 1);
    g_assert_cmphex(inw(m.b, 0xffc4), ==, 0);
    cfg(&m, PMFN, 0x40, 0, 4); /* base 0 hides nothing */
    g_assert_cmphex(inb(m.b, 0x04), ==, 0xff);
    place(&m);
    g_assert_cmphex(inw(m.b, PMCNTRL), ==, 0);
    g_assert_cmphex(inb(m.b, SMB), ==, 0);
    cfg(&m, PMFN, PCI_COMMAND, 0, 2);
    g_assert_cmphex(inb(m.b, SMB), ==, 0xff);
    g_assert_cmphex(inw(m.b, PMCNTRL), ==, 0);
    cfg(&m, PMFN, 0x80, 0, 1);
    g_assert_cmphex(inw(m.b, PMCNTRL), ==, 0xffff);
    device_reset_all(m.b->vm);
    g_assert_cmphex(cfg_read(&m, PMFN, 0x90, 4), ==, 1);
    bench_free(m.b);

    GError *err = NULL;
    m = setup();
    pm = bench_add(m.b, &piix4_pm_class, "smm=on,disable_s3=on");
    g_assert_cmphex(cfg_read(&m, PMFN, 0x58, 4), ==, 0);
    g_assert_true(!piix4_pm_has_s3(pm) && piix4_pm_has_s4(pm));
    g_assert_null(device_create(m.b->vm, &piix4_pm_class, NULL, "addr=5,s4_val=1", &err));
    g_clear_error(&err);
    bench_free(m.b);
}

static void test_pm_timer(void)
{
    struct device *pm;
    struct machine m = setup_pm(&pm, NULL);
    struct bench *b = m.b;
    uint32_t t0 = inl(b, PMTMR);

    clock_step(b, NS_PER_SEC);
    g_assert_cmpuint(inl(b, PMTMR) - t0, ==, 3579545);
    g_assert_cmphex(inl(b, PMTMR), ==, inw(b, PMTMR) | inb(b, PMTMR + 2) << 16);
    outl(b, PMTMR, 0x123456); /* read only */
    g_assert_cmpuint(inl(b, PMTMR), ==, 3579545);
    /* the top bit changes: status without an interrupt, found by reading, cleared by writing 1 */
    clock_step(b, HALF - NS_PER_SEC - 1000);
    g_assert_cmphex(inw(b, PMSTS), ==, 0);
    g_assert_cmphex(inl(b, PMTMR) >> 23, ==, 0);
    clock_step(b, 1000);
    g_assert_cmphex(inl(b, PMTMR) >> 23, ==, 1);
    g_assert_cmphex(inw(b, PMSTS), ==, 1);
    outw(b, PMSTS, 0);
    g_assert_cmphex(inw(b, PMSTS), ==, 1);
    outw(b, PMSTS, 1);
    g_assert_cmphex(inw(b, PMSTS), ==, 0);
    clock_step(b, HALF); /* the wrap to 0 sets it too */
    g_assert_cmphex(inl(b, PMTMR) >> 20, ==, 0);
    g_assert_cmphex(inw(b, PMSTS), ==, 1);
    outb(b, PMSTS, 1);
    g_assert_false(b->vm->clock.head.next != &b->vm->clock.head); /* idle: no timer runs */
    /* with an interrupt, once each half; long skips count once */
    outb(b, 0xb2, 0xf1);
    outw(b, PMEN, 1);
    g_assert_false(irq_level(b, 9));
    clock_step(b, HALF);
    g_assert_true(irq_level(b, 9));
    clock_step(b, 10 * HALF);
    g_assert_cmpuint(b->irq_rises[9], ==, 1);
    outw(b, PMSTS, 1);
    g_assert_false(irq_level(b, 9));
    clock_step(b, 1000 * HALF);
    g_assert_cmpuint(b->irq_rises[9], ==, 2);
    /* years later it still counts */
    clock_step(b, 10LL * 365 * 86400 * NS_PER_SEC);
    t0 = inl(b, PMTMR);
    clock_step(b, NS_PER_SEC);
    g_assert_cmpuint((inl(b, PMTMR) - t0) & 0xffffff, >=, 3579544);
    bench_free(b);
}

static void test_pm_events(void)
{
    struct device *pm;
    struct machine m = setup_pm(&pm, NULL);
    struct bench *b = m.b;

    vm_request_powerdown(b->vm); /* no operating system listens */
    bench_run(b);
    g_assert_cmphex(inw(b, PMSTS), ==, 0x100);
    g_assert_false(irq_level(b, 9));
    outw(b, PMEN, 0xffff);
    g_assert_cmphex(inw(b, PMEN), ==, 0x521);
    g_assert_false(irq_level(b, 9)); /* SCI_EN is 0 */
    outb(b, 0xb2, 0xf1);
    g_assert_cmphex(inb(b, 0xb2), ==, 0xf1);
    g_assert_cmphex(inw(b, PMCNTRL), ==, 1);
    g_assert_true(irq_level(b, 9));
    outb(b, 0xb2, 0xf0);
    g_assert_false(irq_level(b, 9));
    outw(b, PMCNTRL, 1);
    outb(b, PMSTS + 1, 1); /* byte lanes */
    g_assert_false(irq_level(b, 9));
    g_assert_cmphex(inw(b, PMEN), ==, 0x521);

    outl(b, PM + 0x28, 2); /* BIOS_RLS -> GBL_STS */
    g_assert_cmphex(inw(b, PMSTS), ==, 0x20);
    g_assert_true(irq_level(b, 9));
    outw(b, PMSTS, 0x20);
    outw(b, PMCNTRL, 5); /* GBL_RLS -> BIOS_STS */
    g_assert_cmphex(inw(b, PM + 0x18) & 1, ==, 1);
    g_assert_cmphex(inw(b, PMCNTRL), ==, 1);
    outw(b, PM + 0x18, 1);
    g_assert_cmphex(inw(b, PM + 0x18) & 1, ==, 0);
    piix4_pm_rtc(pm);
    g_assert_cmphex(inw(b, PMSTS), ==, 0x400);
    g_assert_true(irq_level(b, 9));
    device_reset_all(b->vm);
    g_assert_false(irq_level(b, 9));
    /* every byte of the block, every width: nothing bad */
    place(&m);
    for (unsigned i = 0; i < 0x40; i++) {
        if (i == 4 || i == 5)
            continue;
        outb(b, PM + i, 0xff);
        outl(b, PM + (i & 0x3c) + (i < 8 ? 8 : 0), 0xffffffff);
        inb(b, PM + i), inw(b, PM + i), inl(b, PM + i);
    }
    g_assert_cmphex(b->vm->requests, ==, 0);
    bench_free(b);
}

static void test_pm_sleep(void)
{
    struct device *pm;
    struct machine m = setup_pm(&pm, NULL);
    struct bench *b = m.b;

    outw(b, PMCNTRL, 0x2000); /* S5 */
    g_assert_cmphex(b->vm->cause, ==, CAUSE_GUEST_SHUTDOWN);
    g_assert_cmphex(take_requests(&m), ==, REQ_SHUTDOWN);
    g_assert_cmphex(inw(b, PMCNTRL), ==, 0); /* SUS_EN reads 0 */
    outb(b, PMCNTRL + 1, 0x28); /* S4, by the high byte alone */
    g_assert_cmphex(take_requests(&m), ==, REQ_SHUTDOWN);
    outw(b, PMCNTRL, 0x1c01); /* no SUS_EN */
    outw(b, PMCNTRL, 0x2c01); /* a type that is none */
    g_assert_cmphex(take_requests(&m), ==, 0);
    g_assert_cmphex(inw(b, PMCNTRL), ==, 0x0c01);

    outw(b, PMCNTRL, 0x2401); /* S3 */
    g_assert_cmphex(b->vm->requests, ==, REQ_SUSPEND);
    bench_run(b);
    g_assert_cmpint(b->vm->state, ==, RUN_SUSPENDED);
    piix4_pm_rtc(pm); /* RTC_EN is off: sleeps on */
    bench_run(b);
    g_assert_cmpint(b->vm->state, ==, RUN_SUSPENDED);
    vm_request_powerdown(b->vm);
    bench_run(b);
    g_assert_cmpint(b->vm->state, ==, RUN_RUNNING);
    place(&m); /* the reset on the way undid it */
    g_assert_cmphex(inw(b, PMSTS), ==, 0x8100);
    g_assert_cmphex(inw(b, PMCNTRL), ==, 0);
    outw(b, PMSTS, 0x8000);
    g_assert_cmphex(inw(b, PMSTS), ==, 0x0100);

    outw(b, PMEN, 0x400);
    outw(b, PMCNTRL, 0x2401);
    bench_run(b);
    piix4_pm_rtc(pm);
    bench_run(b);
    place(&m);
    g_assert_cmphex(inw(b, PMSTS), ==, 0x8400);
    outw(b, PMCNTRL, 0x2401);
    bench_run(b);
    vm_request_wakeup(b->vm); /* by the user */
    bench_run(b);
    place(&m);
    g_assert_cmphex(inw(b, PMSTS), ==, 0x8100);
    bench_free(b);
}

static void test_smbus(void)
{
    struct device *pm;
    struct machine m = setup_pm(&pm, NULL);
    struct bench *b = m.b;

    outb(b, SMB + 4, 0xa1);
    outb(b, SMB + 3, 0x12);
    outb(b, SMB + 2, 0x48); /* byte data, start */
    g_assert_cmphex(inb(b, SMB), ==, 4); /* DEV_ERR, not busy */
    g_assert_cmphex(inb(b, SMB + 2), ==, 0x08);
    g_assert_false(irq_level(b, 9));
    outb(b, SMB + 2, 0x09);
    g_assert_true(irq_level(b, 9));
    outb(b, SMB, 0xff);
    g_assert_cmphex(inb(b, SMB), ==, 0);
    g_assert_false(irq_level(b, 9));
    inb(b, SMB + 2);
    for (unsigned i = 0; i < 100; i++) /* more than the 32 bytes of a block */
        outb(b, SMB + 7, i);
    inb(b, SMB + 2);
    g_assert_cmphex(inb(b, SMB + 7), ==, 96);
    g_assert_cmphex(inb(b, SMB + 7), ==, 97);
    bench_free(b);
}

static void test_pm_state(void)
{
    struct device *pm;
    struct machine m = setup_pm(&pm, NULL);
    struct bench *b = m.b;
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;

    outw(b, PMCNTRL, 1);
    outw(b, PMEN, 0x101);
    clock_step(b, 3 * HALF / 2);
    g_assert_true(irq_level(b, 9));
    outw(b, PMSTS, 1);
    device_save(pm, a);
    uint32_t t = inl(b, PMTMR);
    device_reset_all(b->vm);
    g_assert_true(device_load(pm, a->data, a->len, &err));
    g_assert_no_error(err);
    g_assert_cmphex(inl(b, PMTMR), ==, t);
    g_assert_false(irq_level(b, 9));
    clock_step(b, HALF);
    g_assert_true(irq_level(b, 9));
    device_reset_all(b->vm);
    for (guint i = 0; i < a->len; i++) { /* any damage is refused or harmless */
        GByteArray *c = g_byte_array_append(g_byte_array_new(), a->data, a->len);
        c->data[i] ^= 0xff;
        device_load(pm, c->data, c->len, NULL);
        inb(b, SMB + 7), inl(b, PMTMR), inw(b, PMSTS);
        g_byte_array_unref(c);
    }
    g_byte_array_unref(a);
    b->vm->requests = 0;
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/piix3/registers", test_registers);
    g_test_add_func("/piix3/routing", test_routing);
    g_test_add_func("/piix3/elcr", test_elcr);
    g_test_add_func("/piix3/reset", test_reset_control);
    g_test_add_func("/piix4/config", test_pm_config);
    g_test_add_func("/piix4/timer", test_pm_timer);
    g_test_add_func("/piix4/events", test_pm_events);
    g_test_add_func("/piix4/sleep", test_pm_sleep);
    g_test_add_func("/piix4/smbus", test_smbus);
    g_test_add_func("/piix4/state", test_pm_state);
    return g_test_run();
}
