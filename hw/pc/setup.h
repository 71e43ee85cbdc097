/* hw/pc/setup.h - what a BIOS leaves behind in the chip set, for a kernel that is started without
 * one. */
#ifndef BANTAM_HW_PC_SETUP_H
#define BANTAM_HW_PC_SETUP_H

#include "hw/pc/i440fx.h"

/* Where BARs may go; `last` is inclusive. */
struct pci_windows {
    uint16_t io_base, io_last;
    struct pci_hole mem;
    uint8_t irq[4]; /* of PIRQA# to PIRQD#, for the interrupt line registers */
};

/* Give every BAR (but option ROMs) an address, enable decoding, and fill in the interrupt
 * lines.  Returns how many BARs found no room: those stay 0. */
unsigned pci_assign_resources(struct pci_bus *b, const struct pci_windows *w);

/* Let PIIX IDE functions decode both channels: IDETIM's enable bits. */
void pc_enable_ide(struct pci_bus *b);

/* All of it, from PHASE_RESET: shadow RAM, interrupt routes, BARs, IDE channels, power management. */
void pc_setup_chipset(struct device *i440fx, struct device *piix3, struct device *piix4_pm);

#endif
