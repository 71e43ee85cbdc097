/* hw/pc/acpi_int.h - writing ACPI tables: what acpi.c and microvm_acpi.c share.
 *
 * Tables are appended to one array, the file ACPI_TABLES_FILE; `loader` gets the commands that put addresses and
 * checksums right once their place is known. */
#ifndef BANTAM_HW_PC_ACPI_INT_H
#define BANTAM_HW_PC_ACPI_INT_H

#include "hw/pc/acpi.h"

enum { ACPI_HEADER = 36, ACPI_CHECKSUM_AT = 9 };

void acpi_put(GByteArray *out, uint64_t v, unsigned size);
void acpi_align(GByteArray *out, unsigned n);
uint32_t acpi_begin_table(GByteArray *t, const char *sig, unsigned revision); /* where it starts */
void acpi_end_table(GByteArray *t, uint32_t at, GByteArray *loader);
void acpi_put_pointer(GByteArray *t, GByteArray *loader, uint32_t to, unsigned size);
void acpi_patch(uint8_t *aml, size_t len, const char *name, uint8_t v);
uint32_t acpi_build_madt(const struct acpi_info *info, GByteArray *t, GByteArray *loader);
uint32_t acpi_build_root(const char *sig, unsigned size, const uint32_t *entries, unsigned n, GByteArray *t,
                         GByteArray *loader);
void acpi_build_rsdp(uint32_t rsdt, uint32_t xsdt, GByteArray *r, GByteArray *loader);

#endif
