/* hw/pc/piix3.h - the south bridge as the board sees it. */
#ifndef BANTAM_HW_PC_PIIX3_H
#define BANTAM_HW_PC_PIIX3_H

#include "hw/pci/pci.h"

/* Realize it as function 1.0 of the bus: it becomes the bus's interrupt router, the owner of the
 * ISA bus, and answers at CF9h behind the host bridge. */
extern const struct device_class piix3_class;

#endif
