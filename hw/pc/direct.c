/* hw/pc/direct.c - what firmware would have done, for a kernel that is started without it.
 * Sources: the 8254's and 8042's datasheets; the IBM PC's BIOS data area.
 *
 * Everything goes through the registers, as firmware would write them: the chips can't tell.
 *
 * Deviations: no BIOS services are left behind (there is no INT 10h, 13h ...): kernels that need them are
 * started through firmware.  The VGA font is that of the VGA BIOS image; without one text mode is not set. */
#include "hw/pc/direct.h"
#include "hw/vga/mode3.h"
#include "vmm/core/cpu_state.h"

static void outb(const struct direct_board *b, unsigned port, uint8_t v)
{
    space_write(&b->vm->pio, port, v, 1);
}

static uint8_t inb(const struct direct_board *b, unsigned port)
{
    return (uint8_t) space_read(&b->vm->pio, port, 1);
}

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

bool direct_setup(const struct direct_board *b)
{
    GError *err = NULL;

    setup_pit(b);
    setup_kbc(b);
    bool text = vga_set_mode3(b->vm, &err);
    if (err) { /* no font: the kernel does without the screen */
        warn_user("%s", err->message);
        g_error_free(err);
    }
    setup_bda(b, text);
    return text;
}
