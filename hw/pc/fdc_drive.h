/* hw/pc/fdc_drive.h - a floppy drive as its controller sees it: a head on a track, a medium or none. */
#ifndef BANTAM_HW_PC_FDC_DRIVE_H
#define BANTAM_HW_PC_FDC_DRIVE_H

#include "hw/pc/fdc.h"
#include "vmm/block/block.h"

enum {
    FLOPPY_SECTOR = 512,
    FLOPPY_SIZE_CODE = 2,
    FLOPPY_MAX_TRACK = 84,
    FLOPPY_DELETED_BYTES = 1024,
    N_FLOPPY = 2
};

/* Data rates that read a medium, as bits. */
enum { RATE_250K = 1, RATE_300K = 2, RATE_500K = 4, RATE_1M = 8 };

struct floppy_format {
    uint8_t cyls, heads, spt, rates;
    uint8_t form; /* 5: 5.25 inches, 3: 3.5 */
};

struct floppy {
    struct device dev;
    struct blk *blk; /* NULL: a drive that is always empty */
    int32_t unit, bootindex;
    int drive_type;  /* the property */
    enum floppy_type type;
    const struct floppy_format *format; /* of the medium; NULL: none, or one of no known format */
    uint8_t track;   /* where the head is */
    bool changed;    /* the disk change line */
    uint8_t deleted[FLOPPY_DELETED_BYTES]; /* a bit a sector: it has a deleted data mark */
};

struct floppy_bus {
    struct bus bus;
    struct floppy *drive[N_FLOPPY];
    enum floppy_type empty_type; /* of a drive=auto without a medium */
};

bool floppy_has_medium(const struct floppy *f); /* f may be NULL in all of these: no drive there */
bool floppy_protected(const struct floppy *f);
void floppy_step(struct floppy *f, int steps); /* positive: inwards */

/* The cylinder number in the sector IDs under the head; `wanted` settles it where a 40-track medium lies in
 * an 80-track drive and the guest does not step twice. */
unsigned floppy_cylinder(const struct floppy *f, unsigned wanted);
/* Are there sectors that the controller can read under this head at this rate? */
bool floppy_readable(const struct floppy *f, unsigned head, unsigned rate);
/* Sector number on the medium; the ID must be one of the track's. */
unsigned floppy_lba(const struct floppy *f, unsigned cyl, unsigned head, unsigned sector);

static inline bool floppy_is_deleted(const struct floppy *f, unsigned lba)
{
    return f->deleted[lba / 8] & BIT(lba % 8);
}
static inline void floppy_mark(struct floppy *f, unsigned lba, bool deleted)
{
    uint8_t bit = (uint8_t) BIT(lba % 8);

    f->deleted[lba / 8] = deleted ? f->deleted[lba / 8] | bit : f->deleted[lba / 8] & ~bit;
}

#endif
