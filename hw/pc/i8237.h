/* hw/pc/i8237.h - the DMA controllers: made by the board before any ISA device that uses DMA.  Devices
 * reach them through isa_dma_*() of vmm/core/device.h. */
#ifndef BANTAM_HW_PC_I8237_H
#define BANTAM_HW_PC_I8237_H

#include "vmm/core/device.h"

extern const struct device_class i8237_class;

#endif
