/* hw/pc/fw_cfg.h - the firmware configuration interface: what the board tells SeaBIOS, OVMF and Linux.
 *
 * Items are added before the first reset and never change while the guest runs.  Data is copied. */
#ifndef BANTAM_HW_PC_FW_CFG_H
#define BANTAM_HW_PC_FW_CFG_H

#include "vmm/core/device.h"

enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_UUID = 0x02, FW_CFG_RAM_SIZE = 0x03, FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05, FW_CFG_KERNEL_ADDR = 0x07, FW_CFG_KERNEL_SIZE = 0x08, FW_CFG_KERNEL_CMDLINE = 0x09,
    FW_CFG_INITRD_ADDR = 0x0a, FW_CFG_INITRD_SIZE = 0x0b, FW_CFG_BOOT_DEVICE = 0x0c, FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f, FW_CFG_KERNEL_ENTRY = 0x10, FW_CFG_KERNEL_DATA = 0x11, FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13, FW_CFG_CMDLINE_SIZE = 0x14, FW_CFG_CMDLINE_DATA = 0x15, FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17, FW_CFG_SETUP_DATA = 0x18, FW_CFG_FILE_DIR = 0x19, FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_N_FILES = 0x60, FW_CFG_ARCH_LOCAL = 0x8000, FW_CFG_IRQ0_OVERRIDE = 0x8002, FW_CFG_E820_TABLE = 0x8003,
};

void fw_cfg_add_bytes(struct device *fw, unsigned key, const void *data, size_t len); /* replaces */
void fw_cfg_add_int(struct device *fw, unsigned key, uint64_t val, unsigned size);    /* little endian */
/* A named file; the name has at most 55 characters; a second one of that name replaces the first.
 * False: the table is full. */
bool fw_cfg_add_file(struct device *fw, const char *name, const void *data, size_t len);
/* The data of a file, or NULL; valid until it is replaced. */
const uint8_t *fw_cfg_find(struct device *fw, const char *name, size_t *len);

#endif
