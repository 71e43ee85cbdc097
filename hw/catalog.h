/* hw/catalog.h - the device classes, for the board and the tests. */
#ifndef BANTAM_HW_CATALOG_H
#define BANTAM_HW_CATALOG_H

#include "vmm/core/device.h"


#endif
