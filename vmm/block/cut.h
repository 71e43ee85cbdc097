/* vmm/block/cut.h - the log of x-cut-log=FILE: all writes and flushes of an image, so that a test can rebuild
 * what a power cut at any point may leave (tests/tools/cutlog.h).
 *
 * A record is a struct cut_record, and behind a CUT_WRITE its data.  A write or flush has two records: where
 * it was started and, with the same id, where it was done.  Integers are the host's. */
#ifndef BANTAM_BLOCK_CUT_H
#define BANTAM_BLOCK_CUT_H

#include <stdint.h>

enum cut_kind { CUT_WRITE = 1, CUT_ZERO, CUT_FLUSH, CUT_DONE };
enum { CUT_MAGIC = 0x43555442, CUT_FUA = 1 };

struct cut_record {
    uint32_t magic, kind;
    uint64_t id;
    uint64_t off, len; /* of a CUT_WRITE or CUT_ZERO */
    uint32_t flags;    /* CUT_FUA: durable when done */
    uint32_t error;    /* of a CUT_DONE */
};

#endif
