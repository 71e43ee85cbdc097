/* hw/vga/edid.h - the block in which a monitor describes itself (VESA E-EDID 1.4). */
#ifndef BANTAM_HW_VGA_EDID_H
#define BANTAM_HW_VGA_EDID_H

#include "vmm/base/util.h"

enum { EDID_SIZE = 128, EDID_MAX_PIXELS = 4095 };

struct edid_info {
    unsigned xres, yres; /* preferred, 1..EDID_MAX_PIXELS each */
    unsigned xmax, ymax; /* standard modes beyond are left out; 0: no limit */
};
void edid_make(uint8_t out[EDID_SIZE], const struct edid_info *info);

#endif
