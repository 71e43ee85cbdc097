/* tests/fuzz/fuzz.h - what the fuzz targets share.  A target is one file fuzz_NAME.c with fuzz_name and
 * LLVMFuzzerTestOneInput(); it is linked with libFuzzer (make fuzz), or with replay.c (make check).
 *
 * An input is read from its start to its end; past the end zeros are read.  Work for an input is bounded: by
 * its length, and where one byte can cost much, by a budget. */
#ifndef BANTAM_TESTS_FUZZ_H
#define BANTAM_TESTS_FUZZ_H

#include "tests/hw/catalog_rig.h"

extern const char fuzz_name[];
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p, *end;
};

static inline size_t input_left(const struct input *in)
{
    return (size_t) (in->end - in->p);
}
static inline uint64_t input_int(struct input *in, unsigned size)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < size && in->p < in->end; i++)
        v |= (uint64_t) *in->p++ << (8 * i);
    return v;
}
static inline uint8_t input_u8(struct input *in)
{
    return (uint8_t) input_int(in, 1);
}
/* Up to max bytes; *len says how many there are. */
static inline const uint8_t *input_bytes(struct input *in, size_t max, size_t *len)
{
    const uint8_t *p = in->p;

    *len = MIN(max, input_left(in));
    in->p += *len;
    return p;
}
/* A line without its end, as a string; caller frees.  NULL at the end of the input. */
char *input_line(struct input *in);

/* class_input.c: inputs that begin with the name of a class in a line of its own, so that a corpus outlives
 * changes of the catalog.  An unknown name stands for some class.  FUZZ_CLASS in the environment: always that
 * one.  Has the mutator that keeps the line. */
const struct device_class *input_class(struct input *in);

/* script.c: what a guest, its user and its host do to devices, in a byte code. */
struct script {
    struct catalog_rig *r;
    struct input *in;
    unsigned ops, timers, pictures, saves, loads; /* what may still be done */
};
void script_run(struct catalog_rig *r, struct input *in);
void script_settle(struct catalog_rig *r); /* no request is held any more, nothing is pending */

#endif
