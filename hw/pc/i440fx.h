/* hw/pc/i440fx.h - the host bridge as the board sees it.  Under the VM lock, or before the VM
 * runs. */
#ifndef BANTAM_HW_PC_I440FX_H
#define BANTAM_HW_PC_I440FX_H

#include "hw/pci/pci.h"

extern const struct device_class i440fx_class;

/* The device maps vm->ram (allocated before) and makes the bus "pci.0". */
struct pci_bus *i440fx_bus(struct device *d);

/* The system ROM: all of it ends at 4 GiB, its last 128 KiB are also at E0000h-FFFFFh.  64 KiB to
 * 16 MiB, a multiple of 4 KiB; the data is copied.  Before the first reset; at most once. */
bool i440fx_set_bios(struct device *d, const void *data, size_t len, GError **err);

/* Make C0000h-FFFFFh RAM, as firmware leaves it, for a boot without firmware: from PHASE_RESET. */
void i440fx_shadow_ram(struct device *d);

/* Where PCI memory is: between the end of RAM and the APICs below 4 GiB, and above all
 * RAM.  `last` is inclusive. */
struct pci_hole {
    uint64_t base32, last32;
    uint64_t base64, last64;
};
void i440fx_pci_hole(struct device *d, struct pci_hole *hole);

#endif
