/* hw/pc/setup.c - what a BIOS leaves behind in the chip set, for a kernel that is started without
 * one.
 *
 * Everything is done by configuration writes, as a BIOS would.  The choices (PIRQs to IRQ 10 and
 * 11, I/O from C000h, memory downwards from the APICs) are those of SeaBIOS.  ELCR is left alone:
 * operating systems set it. */
#include "hw/pc/setup.h"
#include "hw/pc/piix4_pm.h"
#include "vmm/core/vm.h"

#include <stdlib.h>

enum { MAX_BARS = 256 * PCI_N_BARS };
enum { PIRQRCA = 0x60, IDETIM = 0x40, IDE_DECODE_ENABLE = 0x8000, CLASS_IDE = 0x0101 };

struct want {
    struct pci_dev *p;
    unsigned n;
    uint64_t size;
    uint8_t type;
};

static int larger_first(const void *a, const void *b)
{
    const struct want *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->p->devfn != y->p->devfn ? x->p->devfn - y->p->devfn : (int) x->n - (int) y->n;
}

static unsigned collect(struct pci_bus *b, struct want *w)
{
    unsigned n = 0;

    for (unsigned devfn = 0; devfn < G_N_ELEMENTS(b->devs); devfn++) {
        struct pci_dev *p = b->devs[devfn];
        for (unsigned i = 0; p && i < PCI_ROM_SLOT; i++)
            if (p->bars[i])
                w[n++] = (struct want){ p, i, p->bars[i]->size, p->bars[i]->type };
    }
    qsort(w, n, sizeof *w, larger_first);
    return n;
}

/* Downwards in [*base, *last]; 0: no room. */
static uint64_t take_down(uint64_t base, uint64_t *last, uint64_t size)
{
    if (*last < base || *last - base + 1 < size)
        return 0;
    uint64_t at = ROUND_DOWN(*last - size + 1, size);
    if (at < base || !at)
        return 0;
    *last = at - 1;
    return at;
}

static uint64_t take_up(uint64_t *base, uint64_t last, uint64_t size)
{
    uint64_t at = ROUND_UP(*base, size);

    if (at < *base || at > last || last - at + 1 < size)
        return 0;
    *base = at + size;
    return at;
}

static void write_bar(const struct want *w, uint64_t addr)
{
    struct pci_dev *p = w->p;
    unsigned off = PCI_BASE_ADDRESS_0 + 4 * w->n;

    pci_config_write(p->pci, p->devfn, off, (uint32_t) addr, 4);
    if (w->type & PCI_BAR_MEM64)
        pci_config_write(p->pci, p->devfn, off + 4, (uint32_t) (addr >> 32), 4);
}

/* With `high`, 64-bit BARs go above 4 GiB. */
static unsigned place(const struct want *want, unsigned n, const struct pci_windows *w, bool high)
{
    uint64_t io = w->io_base, mem32 = w->mem.last32, mem64 = w->mem.base64;
    unsigned homeless = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t size = want[i].size, at;
        if (want[i].type & PCI_BAR_IO)
            at = take_up(&io, w->io_last, size);
        else if (high && (want[i].type & PCI_BAR_MEM64))
            at = take_up(&mem64, w->mem.last64, size);
        else
            at = take_down(w->mem.base32, &mem32, MAX(size, PAGE_SIZE_4K));
        homeless += at == 0;
        write_bar(&want[i], at);
    }
    return homeless;
}

unsigned pci_assign_resources(struct pci_bus *b, const struct pci_windows *w)
{
    struct want *want = g_new(struct want, MAX_BARS);
    unsigned n = collect(b, want);

    space_begin(&b->vm->mem);
    space_begin(&b->vm->pio);
    unsigned homeless = place(want, n, w, false);
    if (homeless)
        homeless = place(want, n, w, true);
    for (unsigned devfn = 0; devfn < G_N_ELEMENTS(b->devs); devfn++) {
        struct pci_dev *p = b->devs[devfn];
        if (!p)
            continue;
        unsigned pin = p->cfg[PCI_INTERRUPT_PIN];
        if (pin)
            pci_config_write(b, devfn, PCI_INTERRUPT_LINE, w->irq[(pin - 1 + (devfn >> 3) + 3) & 3], 1);
        uint32_t command = pci_config_read(b, devfn, PCI_COMMAND, 2);
        pci_config_write(b, devfn, PCI_COMMAND, command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    }
    space_commit(&b->vm->pio);
    space_commit(&b->vm->mem);
    g_free(want);
    return homeless;
}

void pc_enable_ide(struct pci_bus *b)
{
    for (unsigned devfn = 0; devfn < G_N_ELEMENTS(b->devs); devfn++) {
        struct pci_dev *p = b->devs[devfn];
        if (!p || ld_le16(p->cfg + PCI_CLASS_DEVICE) != CLASS_IDE || ld_le16(p->cfg) != 0x8086)
            continue;
        pci_config_write(b, devfn, IDETIM, IDE_DECODE_ENABLE, 2);
        pci_config_write(b, devfn, IDETIM + 2, IDE_DECODE_ENABLE, 2);
    }
}

void pc_setup_chipset(struct device *i440fx, struct device *piix3, struct device *piix4_pm)
{
    struct pci_bus *b = i440fx_bus(i440fx);
    struct pci_windows w = { .io_base = 0xc000, .io_last = 0xffff, .irq = { 10, 10, 11, 11 } };
    unsigned isa = container_of(piix3, struct pci_dev, dev)->devfn;

    i440fx_shadow_ram(i440fx);
    for (unsigned pin = 0; pin < 4; pin++)
        pci_config_write(b, isa, PIRQRCA + pin, w.irq[pin], 1);
    i440fx_pci_hole(i440fx, &w.mem);
    unsigned homeless = pci_assign_resources(b, &w);
    if (homeless)
        warn_user("%u PCI base addresses found no room; use less memory below 4 GiB", homeless);
    pc_enable_ide(b);
    if (piix4_pm)
        piix4_pm_firmware_setup(piix4_pm);
}
