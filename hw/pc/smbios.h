/* hw/pc/smbios.h - SMBIOS 2.8 tables, as files for firmware and for ourselves (table_loader.h
 * places them).
 *
 * Pure functions of their arguments.  Source: DMTF DSP0134, System Management BIOS Reference
 * Specification 2.8. */
#ifndef BANTAM_HW_PC_SMBIOS_H
#define BANTAM_HW_PC_SMBIOS_H

#include "hw/pc/pc.h"

struct smbios_info {
    unsigned sockets, cores, threads; /* cores of a socket, threads of a core */
    uint64_t below_4g, above_4g;      /* RAM, in bytes */
    uint32_t cpuid_eax, cpuid_edx;    /* of leaf 1 */
    const char *uuid;                 /* -uuid, or NULL: zero, which is "not set" */
    const char *product, *version;    /* of the machine: "Standard PC (i440FX + PIIX, 1996)", "pc" */
    /* make one even without -smbios type=0: there is no firmware that would */
    bool type0;
    const struct pc_smbios *opt;      /* may be NULL */
};

#define SMBIOS_TABLES_FILE "etc/smbios/smbios-tables"
#define SMBIOS_ANCHOR_FILE "etc/smbios/smbios-anchor"

/* Append the structures, and the entry point without the address and sums, to empty
 * arrays.  False: an option is wrong. */
bool smbios_build(const struct smbios_info *info, GByteArray *tables, GByteArray *anchor, GError **err);

/* "12345678-1234-1234-1234-123456789abc" to the 16 bytes in that order. */
bool smbios_parse_uuid(const char *text, uint8_t uuid[16]);

#endif
