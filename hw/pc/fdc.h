/* hw/pc/fdc.h - the floppy controller and its drives, for the board.
 *
 *   isa-fdc  the controller; makes bus "floppy-bus.0"; fdtypeA/B and driveA/B are as in QEMU: driveA=ID makes
 *            drive 0 with that image
 *   floppy   a drive on that bus: -device floppy,drive=ID,unit=0 (without drive: an empty one) */
#ifndef BANTAM_HW_PC_FDC_H
#define BANTAM_HW_PC_FDC_H

#include "vmm/core/device.h"

extern const struct device_class isa_fdc_class;
extern const struct device_class floppy_class;
extern const struct bus_class floppy_bus_class;

/* The nibble for CMOS byte 10h (unit 0 is the high one): 0 none, 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M. */
enum floppy_type { FLOPPY_NONE, FLOPPY_360, FLOPPY_120, FLOPPY_720, FLOPPY_144, FLOPPY_288 };
enum floppy_type fdc_drive_type(const struct device *fdc, unsigned unit);

#endif
