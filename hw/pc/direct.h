/* hw/pc/direct.h - what firmware would have done, for a kernel that is started without it.
 *
 * After every reset: memory behind PAM, PCI addresses and interrupts, power management, the interval
 * timer, the keyboard controller, the BIOS data area, text mode with its font, and the memory map. */
#ifndef BANTAM_HW_PC_DIRECT_H
#define BANTAM_HW_PC_DIRECT_H

#include "hw/pci/pci.h"
#include "vmm/boot/boot.h"

struct direct_board {
    struct vm *vm;
    struct pci_bus *pci;
    uint32_t hole_base, hole_end;   /* 32-bit PCI window */
    uint64_t hole64_base, hole64_end;
    uint64_t tables_base;           /* low RAM from here to below_4g belongs to ACPI */
    unsigned n_serial;
    uint16_t serial_base[4];
    unsigned n_floppies;
};

/* Does all of it.  e820 gets at most `max` entries; returns how many.  *vga_text: the screen is in text mode. */
unsigned direct_setup(const struct direct_board *b, struct e820_entry *e820, unsigned max, bool *vga_text);

/* The memory map alone: also what etc/e820 says is derived from it. */
unsigned direct_e820(const struct direct_board *b, struct e820_entry *e820, unsigned max);

#endif
