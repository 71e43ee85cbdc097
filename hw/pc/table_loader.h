/* hw/pc/table_loader.h - the script "etc/table-loader": written for firmware, and run by ourselves
 * where there is none.
 *
 * The format: commands of 128 bytes, little endian; file names of up to 55 characters and a zero.
 *   1 ALLOCATE     u32 command, name[56] file, u32 alignment, u8 zone
 *   2 ADD_POINTER  u32 command, name[56] pointer's file, name[56] pointee's file, u32 offset, u8 size
 *   3 ADD_CHECKSUM u32 command, name[56] file, u32 offset of the sum, u32 start, u32 length */
#ifndef BANTAM_HW_PC_TABLE_LOADER_H
#define BANTAM_HW_PC_TABLE_LOADER_H

#include "vmm/base/error.h"
#include "vmm/core/ram.h"

enum loader_zone { LOADER_ZONE_HIGH = 1, LOADER_ZONE_FSEG = 2 };

void loader_add_allocate(GByteArray *script, const char *file, uint32_t align, enum loader_zone zone);
void loader_add_pointer(GByteArray *script, const char *file, const char *to, uint32_t offset,
                        unsigned size);
void loader_add_checksum(GByteArray *script, const char *file, uint32_t offset, uint32_t start,
                         uint32_t len);

/* Where tables go for a boot without firmware: downwards from `high`, and upwards from `fseg` in
 * F0000h-FFFFFh, which must be RAM for the guest (PAM).  Afterwards [high, the old
 * high) is taken. */
struct table_space {
    struct ram *ram;
    uint64_t high; /* at most ram->below_4g */
    uint64_t fseg; /* 0xf0000 at first */
    uint64_t rsdp, smbios; /* what was placed: 0 = nothing */
};

/* Files by name, as in fw_cfg: NULL when there is none. */
typedef const uint8_t *table_find(void *opaque, const char *name, size_t *len);

/* Run the loader's script, and place SMBIOS tables, as far as the files are there.  False: a
 * script of ours is wrong, or there is no room.  Under the VM lock, from PHASE_RESET. */
bool table_loader_run(struct table_space *sp, table_find *find, void *opaque, GError **err);

#endif
