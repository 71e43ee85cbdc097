/* hw/ide/piix3_ide.c - the IDE function (1) of the Intel 82371SB PIIX3.
 *
 * Sheet: PIIX/PIIX3 (290550-002), 2.3 "PCI configuration registers - IDE interface", 2.4.4 "bus
 * master IDE".
 * Deviations: timings are stored and without effect; the chip's slave timing register is there for
 * both channels. */
#include "hw/ide/bmdma.h"
#include "hw/pci/pci.h"
#include "vmm/core/vm.h"

enum { IDETIM = 0x40, SIDETIM = 0x44, IDETIM_IDE = 0x80 /* of the high byte: decode enable */ };
enum { BMIBA = 4 /* which BAR */ };

static const struct {
    uint16_t command, control;
    uint8_t irq;
} legacy[2] = { { 0x1f0, 0x3f6, 14 }, { 0x170, 0x376, 15 } };

struct piix3_ide {
    struct pci_dev pci;
    struct ide_channel ch[2];
    struct bmdma bm[2];
    struct pci_bar bmiba;
};

static struct piix3_ide *piix3_of(struct device *d)
{
    return container_of(d, struct piix3_ide, pci.dev);
}

static uint64_t bm_read(void *opaque, uint64_t off, unsigned size)
{
    struct piix3_ide *s = opaque;

    return bmdma_read(&s->bm[off >> 3], off & 7, size);
}

static void bm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct piix3_ide *s = opaque;

    bmdma_write(&s->bm[off >> 3], off & 7, val, size);
}
static const struct region_ops bm_ops = { bm_read, bm_write, .min = 1, .max = 4 };

/* The legacy ports answer when the function's I/O space and the channel are both enabled. */
static void update_ports(struct piix3_ide *s)
{
    bool io = s->pci.cfg[PCI_COMMAND] & PCI_COMMAND_IO;

    space_begin(&s->pci.dev.vm->pio);
    for (unsigned i = 0; i < 2; i++) {
        bool on = io && (s->pci.cfg[IDETIM + 2 * i + 1] & IDETIM_IDE);
        region_enable(&s->ch[i].command, on);
        region_enable(&s->ch[i].control_port, on);
    }
    space_commit(&s->pci.dev.vm->pio);
}

static void config_written(struct pci_dev *p, unsigned off, unsigned len)
{
    (void) off, (void) len;
    update_ports(container_of(p, struct piix3_ide, pci));
}

static void reset(struct device *d)
{
    struct piix3_ide *s = piix3_of(d);

    memset(s->pci.cfg + IDETIM, 0, 5);
    for (unsigned i = 0; i < 2; i++) {
        ide_channel_reset(&s->ch[i]);
        bmdma_reset(&s->bm[i]);
    }
    update_ports(s);
}

static bool realize(struct device *d, GError **err)
{
    struct piix3_ide *s = piix3_of(d);

    memset(s->pci.wmask + IDETIM, 0xff, 5); /* IDETIM of both channels, SIDETIM */
    s->pci.wmask[IDETIM + 1] = s->pci.wmask[IDETIM + 3] = 0xf3; /* bits 11:10 are reserved */
    s->pci.wmask[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MASTER;
    s->pci.wmask[PCI_COMMAND + 1] = 0;
    s->pci.wmask[PCI_LATENCY_TIMER] = 0xf0;
    s->pci.wmask[PCI_INTERRUPT_LINE] = 0;
    s->pci.cfg[PCI_STATUS] = PCI_STATUS_FAST_BACK;
    s->pci.cfg[PCI_STATUS + 1] = PCI_STATUS_DEVSEL_MEDIUM >> 8;
    s->pci.config_written = config_written;
    region_init_io(&s->bmiba.region, "ide bus master", &bm_ops, s, 16);
    pci_register_bar(&s->pci, BMIBA, &s->bmiba, PCI_BAR_IO);
    for (unsigned i = 0; i < 2; i++) {
        bmdma_init(&s->bm[i], &s->ch[i], d);
        ide_channel_init(&s->ch[i], d, i, &bmdma_ops, &s->bm[i]);
        if (!isa_claim_irq(d, &s->ch[i].irq, legacy[i].irq, err) ||
            !ide_channel_add_ports(&s->ch[i], legacy[i].command, legacy[i].control, err))
            return false;
    }
    return true;
}

static void unrealize(struct device *d)
{
    struct piix3_ide *s = piix3_of(d);

    for (unsigned i = 0; i < 2; i++)
        ide_channel_clear(&s->ch[i]);
}

static void pre_save(struct device *d)
{
    for (unsigned i = 0; i < 2; i++)
        ide_channel_drain(&piix3_of(d)->ch[i]);
}

static bool post_load(struct device *d)
{
    struct piix3_ide *s = piix3_of(d);

    update_ports(s);
    return ide_channel_valid(&s->ch[0]) && ide_channel_valid(&s->ch[1]) && bmdma_valid(&s->bm[0]) &&
           bmdma_valid(&s->bm[1]);
}

static void describe(const struct device *d, GString *out)
{
    const struct piix3_ide *s = container_of(d, struct piix3_ide, pci.dev);

    for (unsigned i = 0; i < 2; i++)
        ide_channel_describe(&s->ch[i], out);
}

static const struct state piix3_ide_state[] = {
    STATE_STRUCTS(struct piix3_ide, ch, ide_channel_state), STATE_STRUCTS(struct piix3_ide, bm, bmdma_state),
    STATE_HOST(struct piix3_ide, bmiba), {}
};

static const struct pci_info piix3_ide_info = {
    .vendor = 0x8086, .device = 0x7010, .class_code = 0x010180, .no_subsystem = true,
};

const struct device_class piix3_ide_class = {
    .name = "piix3-ide",
    .desc = "PIIX3 IDE controller (two channels, bus master)",
    .version = 1,
    .size = sizeof(struct piix3_ide),
    .bus = &pci_bus_class,
    .bus_info = &piix3_ide_info,
    .state = piix3_ide_state,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
    .pre_save = pre_save,
    .post_load = post_load,
    .describe = describe,
};
