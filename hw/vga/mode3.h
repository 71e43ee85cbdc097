/* hw/vga/mode3.h - the VGA as its BIOS leaves it, for kernels that are started without one. */
#ifndef BANTAM_HW_VGA_MODE3_H
#define BANTAM_HW_VGA_MODE3_H

#include "vmm/core/vm.h"

/* Through the guest's own ports and window: 80x25 colour text with its font and palette, a cleared
 * screen and the cursor in the corner.  Under the VM lock, the CPUs stopped.  The font is the one
 * in the VGA BIOS of the firmware path.  False, with nothing said: there is no VGA; with *err set:
 * there is no font. */
bool vga_set_mode3(struct vm *vm, GError **err);

#endif
