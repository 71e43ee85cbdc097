/* hw/pc/direct.h - what firmware would have done outside the chip set (setup.h), for a kernel started without it. */
#ifndef BANTAM_HW_PC_DIRECT_H
#define BANTAM_HW_PC_DIRECT_H

#include "vmm/boot/boot.h"
#include "vmm/core/vm.h"

struct direct_board {
    struct vm *vm;
    uint64_t tables_base; /* low RAM from here to below_4g belongs to ACPI */
    const uint16_t *serial_base;
    unsigned n_serial, n_floppies;
};

/* Interval timer, keyboard controller, text mode with its font, the BIOS data area.  From PHASE_RESET, after
 * pc_setup_chipset().  Returns true when the screen is in text mode. */
bool direct_setup(const struct direct_board *b);

/* The memory map; fills at most `max` entries, returns how many. */
unsigned direct_e820(const struct direct_board *b, struct e820_entry *e820, unsigned max);

#endif
