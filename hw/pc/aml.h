/* hw/pc/aml.h - writing AML: as much of it as the board's SSDT needs.
 *
 * Source: ACPI Specification 6.3, chapter 20 (AML) and 6.4 (resource descriptors).  Each function
 * appends one term to `out`.  Names are one path segment of up to four letters, or a path such as
 * "\\_SB.PCI0". */
#ifndef BANTAM_HW_PC_AML_H
#define BANTAM_HW_PC_AML_H

#include "vmm/base/util.h"

void aml_path(GByteArray *out, const char *path); /* a NameString: as a term, a reference */
void aml_int(GByteArray *out, uint64_t v);        /* up to 32 bits in tables of revision 1 */
void aml_string(GByteArray *out, const char *s);
void aml_name(GByteArray *out, const char *name); /* Name (name, <the next term>) */
/* Terms that hold others, made beforehand in `body`, which is freed. */
void aml_scope(GByteArray *out, const char *path, GByteArray *body);
void aml_device(GByteArray *out, const char *name, GByteArray *body);
void aml_package(GByteArray *out, unsigned n, GByteArray *body); /* n < 256 elements */
void aml_buffer(GByteArray *out, GByteArray *body);              /* the bytes as they are */
void aml_processor(GByteArray *out, const char *name, unsigned id);

/* Resource descriptors, for a buffer; aml_res_end closes it. */
enum { AML_RANGE_MEM = 0, AML_RANGE_IO = 1, AML_RANGE_BUS = 2 };
void aml_res_io(GByteArray *out, uint16_t min, uint16_t max, uint8_t align, uint8_t len);
void aml_res_word(GByteArray *out, unsigned type, uint16_t min, uint16_t max);
void aml_res_dword_mem(GByteArray *out, bool cacheable, uint32_t min, uint32_t max);
void aml_res_qword_mem(GByteArray *out, bool cacheable, uint64_t min, uint64_t max);
void aml_res_memory32(GByteArray *out, uint32_t base, uint32_t len);
void aml_res_interrupt(GByteArray *out, uint32_t gsi); /* level, active high, shared */
void aml_res_end(GByteArray *out);

#endif
