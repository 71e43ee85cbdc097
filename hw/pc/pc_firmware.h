/* hw/pc/pc_firmware.h - what the board tells the firmware, or does in its place. */
#ifndef BANTAM_HW_PC_PC_FIRMWARE_H
#define BANTAM_HW_PC_PC_FIRMWARE_H

#include "vmm/core/vm.h"

struct pc;

void pc_cmos_init(struct pc *pc);                            /* CMOS bytes that a BIOS reads */
void pc_cmos_boot_order(struct pc *pc, bool once);           /* once: as -boot once= says, for the first boot */
bool pc_firmware_load_kernel(struct pc *pc, GError **err);   /* check -kernel and -initrd; before pc_firmware_tables */
bool pc_firmware_tables(struct pc *pc, GError **err);        /* fill fw_cfg; every device is there */
void pc_firmware_reset(struct pc *pc);                       /* at each reset: place the kernel of a direct boot */

#endif
