/* tests/hw/catalog_rig.h - a machine around any one class of the catalog, for the tests that hold for all of
 * them and for the fuzzers. */
#ifndef BANTAM_TESTS_CATALOG_RIG_H
#define BANTAM_TESTS_CATALOG_RIG_H

#include "hw/catalog.h"
#include "hw/pci/pci.h"
#include "tests/hw/bench.h"

enum catalog_extent {
    CATALOG_BARE, /* what the class can't be without: the bus it plugs into */
    CATALOG_FULL, /* and what it works with on a board: DMA controllers, drives on both channels */
};

struct catalog_rig {
    struct bench *b;
    struct device *d; /* the one of the class */
};

/* Made, reset, and at rest.  Drives "disk", "floppy" and (full) "cd", chardev "chr", netdev "net". */
struct catalog_rig catalog_rig_new(const struct device_class *cls, enum catalog_extent extent);
void catalog_rig_free(struct catalog_rig *r);

/* In two steps, to put something onto the drives before a device looks at them: prepare makes them, and plug
 * the devices.  props: in place of those that the class is told here, or NULL.  False: it was refused. */
struct catalog_rig catalog_rig_prepare(enum catalog_extent extent);
bool catalog_rig_plug(struct catalog_rig *r, const struct device_class *cls, enum catalog_extent extent,
                      const char *props, GError **err);

GByteArray *catalog_rig_save(struct catalog_rig *r);
/* The first field that differs, in words (caller frees); NULL: none. */
char *catalog_state_differs(const GByteArray *a, const GByteArray *b);

#endif
