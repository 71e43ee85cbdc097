/* hw/pc/piix3.c - Intel 82371SB (PIIX3), function 0: PCI to ISA bridge, interrupt router, reset
 * control.
 *
 * Sheet: 290550 "82371FB (PIIX) and 82371SB (PIIX3) PCI ISA IDE Xcelerator", chapters 2.2
 * (configuration registers) and 2.5 (ISA compatible registers: ELCR, RC).
 * Deviations:
 * - The chip's 8237s, 8254, 8259s and ports 61h, 70h, 92h are devices of their own; so are IDE
 *   (function 1) and power management (PIIX4's).  The USB function (2) is not there.
 * - XBCS's decode enables are storage: the whole ROM is always visible, the keyboard controller
 *   and the RTC always answer.
 * - A soft reset (RCPU with SRST clear) resets the whole machine, as a hard one.
 * - ELCR is storage here: the interrupt controllers have their own (a line that PIRQRC routes is
 *   level triggered).
 * - SMICNTL and its kin are storage: there is no SMM.  MBIRQ and the programmable chip select
 *   drive nothing. */
#include "hw/pc/piix3.h"
#include "vmm/core/vm.h"

enum { /* configuration registers */
    IORT = 0x4c, XBCS = 0x4e, PIRQRCA = 0x60, PIRQRCD = 0x63, TOM = 0x69, MSTAT = 0x6a, MBIRQ0 = 0x70,
    MBDMA0 = 0x76,
    PCSC = 0x78, APICBASE = 0x80, DLC = 0x82, SMICNTL = 0xa0, SMIEN = 0xa2, SEE = 0xa4, FTMR = 0xa8,
    SMIREQ = 0xaa,
    CTLTMR = 0xac, CTHTMR = 0xae,
};
enum { PIRQ_DISABLE = 0x80, PIRQ_IRQ = 0x0f };
enum { RC_SRST = 2, RC_RCPU = 4 };
enum { RC_OFF = 1 }; /* of CF9h from CF8h */

/* IRQ0, 1, 2, 8 and 13 are the mother board's own: reserved in PIRQRC and ELCR. */
enum { ROUTABLE = 0xdef8 };

struct piix3 {
    struct pci_dev pci;
    struct region elcr;
    uint8_t ELCR[2];
    uint8_t RC;
    uint8_t pirq_levels;   /* of the four pins, from the bus */
    struct irq pirq[4];    /* to the ISA lines that PIRQRC selects */
    int8_t route[4];       /* where they are connected, -1: nowhere */
};

static struct piix3 *piix3_of(struct device *d)
{
    return container_of(d, struct piix3, pci.dev);
}

/* --- interrupt routing (2.2.9) ------------------------------------------------------------------- */

static int wanted_route(const struct piix3 *s, unsigned pin)
{
    uint8_t v = s->pci.cfg[PIRQRCA + pin];
    unsigned n = v & PIRQ_IRQ;

    return (v & PIRQ_DISABLE) || !(ROUTABLE >> n & 1) ? -1 : (int) n;
}

/* A pin that is high takes its level along. */
static void update_routes(struct piix3 *s)
{
    for (unsigned pin = 0; pin < 4; pin++) {
        int to = wanted_route(s, pin);
        if (to != s->route[pin]) {
            TRACE(&s->pci.dev, "PIRQ%c to IRQ %d", 'A' + pin, to);
            irq_set(&s->pirq[pin], false);
            s->route[pin] = (int8_t) to;
            if (to < 0)
                irq_connect(&s->pirq[pin], NULL, NULL, 0);
            else
                isa_claim_irq(&s->pci.dev, &s->pirq[pin], (unsigned) to, NULL);
        }
        irq_set(&s->pirq[pin], to >= 0 && (s->pirq_levels >> pin & 1));
    }
}

static void pirq_set(void *opaque, int pin, int level)
{
    struct piix3 *s = opaque;

    s->pirq_levels = (uint8_t) ((s->pirq_levels & ~(1 << pin)) | (level ? 1 << pin : 0));
    irq_set(&s->pirq[pin], level && s->route[pin] >= 0);
}

/* --- edge/level control and reset control -------------------------------------------------------- */

static uint64_t elcr_read(void *opaque, uint64_t off, unsigned size)
{
    const struct piix3 *s = opaque;

    (void) size;
    return s->ELCR[off];
}

static void elcr_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3 *s = opaque;

    (void) size;
    s->ELCR[off] = (uint8_t) (val & ROUTABLE >> (8 * off));
}
static const struct region_ops elcr_ops = { elcr_read, elcr_write, .min = 1, .max = 1 };

static uint64_t rc_read(void *opaque, uint64_t off, unsigned size)
{
    const struct piix3 *s = opaque;
    uint64_t v = mask_bytes(size);

    if (off <= RC_OFF && off + size > RC_OFF)
        st_le((uint8_t *) &v + (RC_OFF - off), s->RC, 1);
    return v;
}

static void rc_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3 *s = opaque;

    if (off > RC_OFF || off + size <= RC_OFF)
        return;
    uint8_t v = (uint8_t) (val >> (8 * (RC_OFF - off))), old = s->RC;
    s->RC = v & (RC_SRST | RC_RCPU);
    if ((v & RC_RCPU) && !(old & RC_RCPU)) {
        TRACE(&s->pci.dev, "%s reset", v & RC_SRST ? "hard" : "soft");
        vm_request_reset(s->pci.dev.vm, CAUSE_GUEST_RESET);
    }
}
static const struct region_ops rc_ops = { rc_read, rc_write, .min = 1, .max = 2 };

/* --- configuration and set-up -------------------------------------------------------------------- */

static void config_written(struct pci_dev *p, unsigned off, unsigned len)
{
    if (off <= PIRQRCD && off + len > PIRQRCA)
        update_routes(container_of(p, struct piix3, pci));
}

static void init_config(struct pci_dev *p)
{
    uint8_t *w = p->wmask;

    st_le16(w + PCI_COMMAND, 0x0008); /* SCE; I/O, memory and bus master are hardwired */
    st_le16(p->w1cmask + PCI_STATUS, 0x3800);
    w[PCI_CACHE_LINE_SIZE] = w[PCI_LATENCY_TIMER] = w[PCI_INTERRUPT_LINE] = 0;
    w[IORT] = 0x7f;
    st_le16(w + XBCS, 0x01f7);
    memset(w + PIRQRCA, PIRQ_DISABLE | PIRQ_IRQ, 4);
    w[TOM] = 0xfa;
    st_le16(w + MSTAT, 0x8087);
    w[MBIRQ0] = 0xef;
    w[MBDMA0] = w[MBDMA0 + 1] = 0x8f;
    st_le16(w + PCSC, 0xffff);
    w[APICBASE] = 0x7f;
    w[DLC] = 0x0f;
    w[SMICNTL] = 0x1f;
    st_le16(w + SMIEN, 0x01ff);
    st_le32(w + SEE, 0xf800ffff);
    w[FTMR] = 0xff;
    st_le16(w + SMIREQ, 0x01ff);
    w[CTLTMR] = w[CTHTMR] = 0xff;
    p->config_written = config_written;
}

static void piix3_reset(struct device *d)
{
    struct piix3 *s = piix3_of(d);
    uint8_t *c = s->pci.cfg;

    memset(c + 0x40, 0, 0xc0);
    st_le16(c + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    st_le16(c + PCI_STATUS, PCI_STATUS_DEVSEL_MEDIUM);
    c[IORT] = 0x4d;
    st_le16(c + XBCS, 0x0003);
    memset(c + PIRQRCA, PIRQ_DISABLE, 4);
    c[TOM] = 0x02;
    c[MBIRQ0] = 0x80;
    c[MBDMA0] = c[MBDMA0 + 1] = 0x0c;
    st_le16(c + PCSC, 0x0002);
    c[SMICNTL] = 0x08;
    c[FTMR] = 0x0f;
    s->ELCR[0] = s->ELCR[1] = 0;
    s->RC = 0;
    update_routes(s);
    pci_update(&s->pci);
}

static bool piix3_realize(struct device *d, GError **err)
{
    struct piix3 *s = piix3_of(d);
    struct pci_bus *b = s->pci.pci;

    if (b->intx.set)
        return fail(err, "bus '%s' already has an interrupt router", b->bus.name);
    init_config(&s->pci);
    for (unsigned i = 0; i < 4; i++)
        s->route[i] = -1;
    b->intx.set = pirq_set;
    b->intx.opaque = s;
    b->cf8_ops = &rc_ops;
    b->cf8_opaque = s;
    d->vm->isa.bus.owner = d;
    region_init_io(&s->elcr, "elcr", &elcr_ops, s, 2);
    return space_add(&d->vm->pio, &s->elcr, 0x4d0, 0, err);
}

static void piix3_unrealize(struct device *d)
{
    struct piix3 *s = piix3_of(d);
    struct pci_bus *b = s->pci.pci;

    for (unsigned i = 0; i < 4; i++)
        irq_set(&s->pirq[i], false);
    space_remove(&s->elcr);
    if (b->intx.opaque != s)
        return;
    b->intx.set = NULL;
    b->intx.opaque = NULL;
    b->cf8_ops = NULL;
    d->vm->isa.bus.owner = NULL;
}

static bool piix3_post_load(struct device *d)
{
    struct piix3 *s = piix3_of(d);

    if ((s->RC & ~(RC_SRST | RC_RCPU)) || ((s->ELCR[0] | s->ELCR[1] << 8) & ~ROUTABLE))
        return false;
    update_routes(s);
    return true;
}

/* where the board has it, with IDE and power management beside it */
static const struct prop piix3_props[] = {
    PROP_I32(struct piix3, pci.addr, PCI_DEVFN(1, 0), .name = "addr"),
    PROP_BOOL(struct piix3, pci.multifunction, true, .name = "multifunction"),
    {}
};
/* The pins' levels come from the functions on the bus, and the lines' from the pins. */
static const struct state piix3_state[] = {
    STATE_HOST(struct piix3, elcr), STATE_BYTES(struct piix3, ELCR), STATE_U8(struct piix3, RC),
    STATE_HOST(struct piix3, pirq_levels), STATE_HOST(struct piix3, pirq),
    STATE_HOST(struct piix3, route), {}
};
static const struct pci_info piix3_info = {
    .vendor = 0x8086, .device = 0x7000, .class_code = 0x060100, .no_subsystem = true,
};
const struct device_class piix3_class = {
    .name = "PIIX3", .desc = "PCI to ISA bridge", .version = 1, .size = sizeof(struct piix3),
    .internal = true,
    .bus = &pci_bus_class, .bus_info = &piix3_info, .props = piix3_props, .state = piix3_state,
    .realize = piix3_realize, .unrealize = piix3_unrealize, .reset = piix3_reset,
    .post_load = piix3_post_load,
};
