/* vmm/core/state.h - state tables: every field of a device that is not a property.
 *
 * What a snapshot carries is what the table names; what is of the host and is rebuilt is STATE_HOST.  A
 * test walks the catalog and fails when a struct has bytes that no entry covers, so the table can't
 * drift from the struct. */
#ifndef BANTAM_CORE_STATE_H
#define BANTAM_CORE_STATE_H

#include "vmm/base/util.h"

enum state_type {
    ST_END,
    ST_INT,    /* integers of `elem` bytes, `count` of them (1, or an array) */
    ST_BOOL,   /* count of them; must be 0 or 1 */
    ST_IRQ,    /* struct irq: its level */
    ST_TIMER,  /* struct timer: armed and deadline */
    ST_BH,     /* struct bh: pending */
    ST_STRUCT, /* count structs of `elem` bytes, described by sub */
    ST_VECTOR, /* a pointer to as many structs as the uint32_t at count_at says, described by sub */
    ST_RAM,    /* struct ram_block: its contents */
    ST_HOST,   /* not saved */
};

struct state {
    const char *name;
    enum state_type type;
    size_t offset, elem, count;
    uint64_t max; /* ST_INT: largest value accepted on load; 0: any */
    const struct state *sub;
    size_t count_at;
};

#define ST_SIZEOF(T, f) sizeof(((T *) 0)->f)
#define ST_COUNT(T, f) G_N_ELEMENTS(((T *) 0)->f)
#define STATE_(st, T, f, e, n, ...) \
    { .name = #f, .type = st, .offset = offsetof(T, f), .elem = (e), .count = (n), __VA_ARGS__ }
#define ST_CHECKED(T, f, bytes) (ST_SIZEOF(T, f) + 0 * sizeof(char[ST_SIZEOF(T, f) == (bytes) ? 1 : -1]))

/* One integer, of the width the name says: STATE_U8(struct foo, reg [, .max = 3]) */
#define STATE_U8(T, f, ...)  STATE_(ST_INT, T, f, ST_CHECKED(T, f, 1), 1, __VA_ARGS__)
#define STATE_U16(T, f, ...) STATE_(ST_INT, T, f, ST_CHECKED(T, f, 2), 1, __VA_ARGS__)
#define STATE_U32(T, f, ...) STATE_(ST_INT, T, f, ST_CHECKED(T, f, 4), 1, __VA_ARGS__)
#define STATE_U64(T, f, ...) STATE_(ST_INT, T, f, ST_CHECKED(T, f, 8), 1, __VA_ARGS__)
#define STATE_BOOL(T, f, ...) STATE_(ST_BOOL, T, f, ST_CHECKED(T, f, 1), 1, __VA_ARGS__)
/* An array of bytes, or of integers */
#define STATE_BYTES(T, f, ...) STATE_(ST_INT, T, f, 1, ST_SIZEOF(T, f), __VA_ARGS__)
#define STATE_ARRAY(T, f, ...) STATE_(ST_INT, T, f, ST_SIZEOF(T, f[0]), ST_COUNT(T, f), __VA_ARGS__)
#define STATE_BOOLS(T, f, ...) STATE_(ST_BOOL, T, f, 1, ST_COUNT(T, f), __VA_ARGS__)
#define STATE_IRQ(T, f)   STATE_(ST_IRQ, T, f, sizeof(struct irq), 1)
#define STATE_IRQS(T, f)  STATE_(ST_IRQ, T, f, sizeof(struct irq), ST_COUNT(T, f))
#define STATE_TIMER(T, f) STATE_(ST_TIMER, T, f, sizeof(struct timer), 1)
#define STATE_TIMERS(T, f) STATE_(ST_TIMER, T, f, sizeof(struct timer), ST_COUNT(T, f))
#define STATE_BH(T, f)    STATE_(ST_BH, T, f, sizeof(struct bh), 1)
#define STATE_STRUCT(T, f, s)  STATE_(ST_STRUCT, T, f, ST_SIZEOF(T, f), 1, .sub = (s))
#define STATE_STRUCTS(T, f, s) STATE_(ST_STRUCT, T, f, ST_SIZEOF(T, f[0]), ST_COUNT(T, f), .sub = (s))
/* A field that points to structs, as many as field n (uint32_t, the host's) says: a load must have the same number. */
#define STATE_VECTOR(T, f, n, s) \
    STATE_(ST_VECTOR, T, f, ST_SIZEOF(T, f[0]), 1, .sub = (s), .count_at = offsetof(T, n) + 0 * ST_CHECKED(T, n, 4))
#define STATE_RAM(T, f)   STATE_(ST_RAM, T, f, sizeof(struct ram_block), 1)
#define STATE_HOST(T, f)  STATE_(ST_HOST, T, f, ST_SIZEOF(T, f), 1)

void state_save(const struct state *table, const void *base, GByteArray *out);
/* Reads from *p up to end and advances *p.  With base NULL nothing is stored: a dry run that checks all. */
bool state_load(const struct state *table, void *base, const uint8_t **p, const uint8_t *end, GError **err);

#endif
