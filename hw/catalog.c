/* hw/catalog.c - every device class there is, in the order of `-device help`. */
#include "hw/catalog.h"

const struct device_class *const device_catalog[] = {
    NULL,
};
