/* hw/pc/acpi.h - ACPI tables, as files for firmware and for ourselves.
 *
 * Pure functions of their arguments.  Source: ACPI Specification 6.3; docs/specs of the firmware's
 * table loader ("etc/table-loader": 128-byte commands that allocate, link and checksum the files). */
#ifndef BANTAM_HW_PC_ACPI_H
#define BANTAM_HW_PC_ACPI_H

#include "hw/pc/i440fx.h"

enum acpi_floppy { ACPI_FLOPPY_NONE, ACPI_FLOPPY_360K, ACPI_FLOPPY_1200K, ACPI_FLOPPY_720K,
                   ACPI_FLOPPY_1440K, ACPI_FLOPPY_2880K }; /* as in CMOS register 10h */

struct acpi_info {
    unsigned cpus;
    const uint32_t *apic_ids; /* [cpus] */
    struct pci_hole hole;
    bool irq0_override;       /* the timer is at the I/O APIC's input 2, as KVM's and the PC's is */
    bool s3, s4;
    uint8_t s4_val;           /* sleep type of S4 */
    bool serial[4], fdc, kbc, mouse, pvpanic, fw_cfg, vga;
    enum acpi_floppy floppy[2];
};

#define ACPI_TABLES_FILE "etc/acpi/tables"
#define ACPI_RSDP_FILE   "etc/acpi/rsdp"
#define ACPI_LOADER_FILE "etc/table-loader"

/* Append the contents of the three files to empty arrays. */
void acpi_build(const struct acpi_info *info, GByteArray *tables, GByteArray *rsdp, GByteArray *loader);

#endif
