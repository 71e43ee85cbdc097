/* hw/pc/direct.c - what firmware would have done, for a kernel that is started without it.
 * Sources: 82441FX (290549), 82371SB/AB (290550, 290562) datasheets; PCI BIOS Specification 2.1 for the
 * order of resources; the IBM PC's BIOS data area.
 *
 * Everything goes through the registers, as firmware would write them: the chips can't tell.
 *
 * Deviations: no BIOS services are left behind (there is no INT 10h, 13h ...): kernels that need them are
 * started through firmware.  The VGA font is that of the VGA BIOS image; without one text mode is not set. */
#include "hw/pc/direct.h"
#include "hw/vga/mode3.h"
#include "vmm/core/cpu_state.h"

enum { PMBA = 0x600, SMBHSTBASE = 0x700, PCI_IO_BASE = 0xc000 };
static const uint8_t pirq_irq[4] = { 10, 10, 11, 11 };

static void outb(const struct direct_board *b, unsigned port, uint8_t v)
{
    space_write(&b->vm->pio, port, v, 1);
}

static uint8_t inb(const struct direct_board *b, unsigned port)
{
    return (uint8_t) space_read(&b->vm->pio, port, 1);
}

static void cfg_write(const struct direct_board *b, unsigned devfn, unsigned off, uint32_t v, unsigned size)
{
    pci_config_write(b->pci, devfn, off, v, size);
}

static uint32_t cfg_read(const struct direct_board *b, unsigned devfn, unsigned off, unsigned size)
{
    return pci_config_read(b->pci, devfn, off, size);
}

/* --- PCI ------------------------------------------------------------------------------------------- */

struct bar {
    unsigned devfn, off;
    uint64_t size;
    bool io, is64;
};

static unsigned find_bars(const struct direct_board *b, struct bar *out, unsigned max)
{
    unsigned n = 0;

    for (unsigned devfn = 0; devfn < 256; devfn++) {
        struct pci_dev *p = b->pci->devs[devfn];
        for (unsigned i = 0; p && i < PCI_ROM_SLOT && n < max; i++) {
            if (!p->bars[i] || !p->bars[i]->size)
                continue;
            uint8_t type = p->bars[i]->type;
            out[n++] = (struct bar){ devfn, PCI_BASE_ADDRESS_0 + 4 * i, p->bars[i]->size, type & PCI_BAR_IO,
                                     !(type & PCI_BAR_IO) && (type & PCI_BAR_MEM64) };
        }
    }
    return n;
}

static int by_size(const void *a, const void *b)
{
    const struct bar *x = a, *y = b;
    return x->size > y->size ? -1 : x->size < y->size;
}

/* Largest first: then every address is aligned as it must be, without gaps.  What does not fit stays off. */
static void assign_bars(const struct direct_board *b)
{
    struct bar bars[256];
    unsigned n = find_bars(b, bars, G_N_ELEMENTS(bars));
    uint64_t io = PCI_IO_BASE, mem = b->hole_base, mem64 = b->hole64_base;

    qsort(bars, n, sizeof bars[0], by_size);
    for (unsigned i = 0; i < n; i++) {
        struct bar *r = &bars[i];
        bool high = r->is64 && r->size > (b->hole_end - b->hole_base) / 4;
        uint64_t *next = r->io ? &io : high ? &mem64 : &mem;
        uint64_t end = r->io ? 0x10000 : high ? b->hole64_end : b->hole_end;
        uint64_t at = ROUND_UP(*next, r->size);
        if (!range_fits(at, r->size, end))
            continue;
        cfg_write(b, r->devfn, r->off, (uint32_t) at, 4);
        if (r->is64)
            cfg_write(b, r->devfn, r->off + 4, (uint32_t) (at >> 32), 4);
        *next = at + r->size;
    }
}

static void assign_functions(const struct direct_board *b)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        struct pci_dev *p = b->pci->devs[devfn];
        if (!p)
            continue;
        unsigned pin = cfg_read(b, devfn, PCI_INTERRUPT_PIN, 1);
        bool any = false;
        for (unsigned i = 0; i < PCI_ROM_SLOT; i++)
            any |= p->bars[i] != NULL;
        if (pin >= 1 && pin <= 4) /* the board's swizzle: slot 1 has INTA# on PIRQA */
            cfg_write(b, devfn, PCI_INTERRUPT_LINE, pirq_irq[((devfn >> 3) + pin - 2) & 3], 1);
        if (any)
            cfg_write(b, devfn, PCI_COMMAND, cfg_read(b, devfn, PCI_COMMAND, 2) | PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    }
}

/* The chip set, found by its ids, as firmware does. */
static void setup_chipset(const struct direct_board *b)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        uint32_t id = cfg_read(b, devfn, PCI_VENDOR_ID, 4);
        switch (id) {
        case 0x12378086: /* 82441FX: RAM behind C0000h to FFFFFh, read and write */
            cfg_write(b, devfn, 0x59, 0x30, 1);
            for (unsigned pam = 0x5a; pam <= 0x5f; pam++)
                cfg_write(b, devfn, pam, 0x33, 1);
            break;
        case 0x70008086: /* PIIX3: PIRQ routes, and their lines level triggered */
            for (unsigned i = 0; i < 4; i++)
                cfg_write(b, devfn, 0x60 + i, pirq_irq[i], 1);
            outb(b, 0x4d0, 0);
            outb(b, 0x4d1, 1 << (10 - 8) | 1 << (11 - 8));
            break;
        case 0x70108086: /* PIIX3 IDE: both channels decode */
            cfg_write(b, devfn, 0x40, 0x8000, 2);
            cfg_write(b, devfn, 0x42, 0x8000, 2);
            cfg_write(b, devfn, PCI_COMMAND, cfg_read(b, devfn, PCI_COMMAND, 2) | PCI_COMMAND_IO, 2);
            break;
        case 0x71138086: /* PIIX4 power management: its ports, SCI on 9 */
            cfg_write(b, devfn, PCI_INTERRUPT_LINE, 9, 1);
            cfg_write(b, devfn, 0x40, PMBA | 1, 4);
            cfg_write(b, devfn, 0x80, 1, 1);
            cfg_write(b, devfn, 0x90, SMBHSTBASE | 1, 4);
            cfg_write(b, devfn, 0xd2, 9, 1);
            break;
        default:
            break;
        }
    }
}

/* --- ISA ------------------------------------------------------------------------------------------- */

/* The keyboard controller: self test, translation, IRQ 1 on, keyboard enabled.  Bounded waits: it may be absent. */
static void setup_kbc(const struct direct_board *b)
{
    outb(b, 0x64, 0xaa);
    for (unsigned i = 0; i < 16 && (inb(b, 0x64) & 1); i++)
        (void) inb(b, 0x60);
    outb(b, 0x64, 0x60);
    outb(b, 0x60, 0x61);
    outb(b, 0x64, 0xae);
}

/* Counter 0 runs at 18.2 Hz.  (The PICs are the accelerator's, and every kernel programs them.) */
static void setup_pit(const struct direct_board *b)
{
    outb(b, 0x43, 0x34);
    outb(b, 0x40, 0);
    outb(b, 0x40, 0);
}

static void setup_bda(const struct direct_board *b, bool text)
{
    uint8_t *bda = ram_ptr(&b->vm->ram, 0x400, 0x100);

    memset(bda, 0, 0x100);
    for (unsigned i = 0; i < b->n_serial && i < 4; i++)
        st_le16(bda + 2 * i, b->serial_base[i]);
    st_le16(bda + 0x0e, BOOT_LOW_END >> 4); /* EBDA */
    st_le16(bda + 0x10, (uint16_t) (b->n_serial << 9 | 0x24 | (b->n_floppies ? 1 | (b->n_floppies - 1) << 6 : 0)));
    st_le16(bda + 0x13, BOOT_LOW_END / 1024);
    st_le16(bda + 0x1a, 0x1e);
    st_le16(bda + 0x1c, 0x1e);
    st_le16(bda + 0x80, 0x1e);
    st_le16(bda + 0x82, 0x3e);
    if (text) {
        bda[0x49] = 3;
        st_le16(bda + 0x4a, 80);
        st_le16(bda + 0x4c, 4096);
        st_le16(bda + 0x60, 0x0607);
        st_le16(bda + 0x63, 0x3d4);
        bda[0x84] = 24;
        st_le16(bda + 0x85, 16);
    }
    *(uint8_t *) ram_ptr(&b->vm->ram, BOOT_LOW_END, 1) = 1; /* the EBDA's size in KiB */
}

/* --- all -------------------------------------------------------------------------------------------- */

unsigned direct_e820(const struct direct_board *b, struct e820_entry *e, unsigned max)
{
    const struct ram *ram = &b->vm->ram;
    const struct e820_entry all[] = {
        { 0, BOOT_LOW_END, E820_RAM },
        { BOOT_LOW_END, 0xa0000 - BOOT_LOW_END, E820_RESERVED },
        { 0xf0000, 0x10000, E820_RESERVED },
        { 0x100000, b->tables_base - 0x100000, E820_RAM },
        { b->tables_base, ram->below_4g - b->tables_base, E820_ACPI },
        { CPU_HOST_PAGES, CPU_HOST_PAGES_SIZE, E820_RESERVED },
        { 0xfffc0000, 0x40000, E820_RESERVED },
        { 4 * GiB, ram->above_4g, E820_RAM },
    };
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(all) && n < max; i++)
        if (all[i].size)
            e[n++] = all[i];
    return n;
}

unsigned direct_setup(const struct direct_board *b, struct e820_entry *e820, unsigned max, bool *vga_text)
{
    GError *err = NULL;

    setup_chipset(b);
    assign_bars(b);
    assign_functions(b);
    setup_pit(b);
    setup_kbc(b);
    *vga_text = vga_set_mode3(b->vm, &err);
    if (err) { /* no font: the kernel does without the screen */
        warn_user("%s", err->message);
        g_error_free(err);
    }
    setup_bda(b, *vga_text);
    return direct_e820(b, e820, max);
}
