/* hw/pc/pc_priv.h - the board's own struct, shared by pc.c, pc_firmware.c and pc_cmos.c. */
#ifndef BANTAM_HW_PC_PC_PRIV_H
#define BANTAM_HW_PC_PC_PRIV_H

#include "hw/pc/pc.h"
#include "vmm/boot/boot.h"

struct microvm;

struct pc {
    struct vm *vm;
    struct microvm *microvm;   /* NULL: it is the PC */
    const struct pc_config *cfg;
    struct pc_irqchip chip;
    struct vm_notifier notifier;
    struct device *i440fx, *piix3, *pm, *fw_cfg, *rtc, *i8042, *port92, *fdc;
    uint16_t serial_ports[PC_N_SERIAL];
    unsigned n_serial, n_floppies;
    unsigned resets;           /* how many there were */
    bool direct;               /* a kernel is started without firmware */
    struct boot_image *kernel; /* of a direct boot */
    uint64_t tables_base;      /* direct boot: low RAM from here on is ACPI's */
};

#endif
