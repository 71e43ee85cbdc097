/* vmm/core/state.c - saving and loading by table.
 *
 * Format: for each entry that is saved a name (length byte, letters), the element size and the count
 * (two little-endian 32-bit numbers), then the elements, little endian. */
#include "vmm/core/state.h"
#include "vmm/base/error.h"
#include "vmm/core/clock.h"
#include "vmm/core/exec.h"
#include "vmm/core/irq.h"
#include "vmm/core/ram.h"

/* Bytes that one element takes in the file. */
static size_t wire_size(const struct state *s)
{
    switch (s->type) {
    case ST_IRQ: case ST_BH: case ST_BOOL: return 1;
    case ST_TIMER: return 9;
    default: return s->elem;
    }
}

static void put_int(GByteArray *out, uint64_t v, unsigned size)
{
    uint8_t b[8];

    st_le64(b, v);
    g_byte_array_append(out, b, size);
}

static uint64_t host_int(const void *p, size_t size)
{
    switch (size) {
    case 1: return *(const uint8_t *) p;
    case 2: return *(const uint16_t *) p;
    case 4: return *(const uint32_t *) p;
    default: return *(const uint64_t *) p;
    }
}

static void set_host_int(void *p, size_t size, uint64_t v)
{
    switch (size) {
    case 1: *(uint8_t *) p = (uint8_t) v; break;
    case 2: *(uint16_t *) p = (uint16_t) v; break;
    case 4: *(uint32_t *) p = (uint32_t) v; break;
    default: *(uint64_t *) p = v;
    }
}

static void save_elem(const struct state *s, const char *p, GByteArray *out)
{
    switch (s->type) {
    case ST_INT:
    case ST_BOOL:
        put_int(out, host_int(p, s->elem), (unsigned) s->elem);
        break;
    case ST_IRQ:
        put_int(out, ((const struct irq *) p)->level, 1);
        break;
    case ST_BH:
        put_int(out, ((const struct bh *) p)->pending, 1);
        break;
    case ST_TIMER:
        put_int(out, ((const struct timer *) p)->armed, 1);
        put_int(out, (uint64_t) ((const struct timer *) p)->deadline, 8);
        break;
    default:
        break;
    }
}

static size_t vector_len(const struct state *s, const void *base)
{
    return *(const uint32_t *) ((const char *) base + s->count_at);
}

void state_save(const struct state *table, const void *base, GByteArray *out)
{
    for (const struct state *s = table; s->type != ST_END; s++) {
        const char *p = (const char *) base + s->offset;
        uint8_t len = (uint8_t) strlen(s->name);
        if (s->type == ST_HOST)
            continue;
        const struct ram_block *rb = (const void *) p;
        bool structs = s->type == ST_STRUCT || s->type == ST_VECTOR;
        size_t count = s->type == ST_VECTOR ? vector_len(s, base) : s->count;
        if (s->type == ST_VECTOR)
            p = *(const char *const *) p;
        g_byte_array_append(out, &len, 1);
        g_byte_array_append(out, (const uint8_t *) s->name, len);
        put_int(out, s->type == ST_RAM ? 1 : structs ? 0 : wire_size(s), 4);
        put_int(out, s->type == ST_RAM ? rb->size : count, 4);
        if (s->type == ST_RAM)
            g_byte_array_append(out, rb->host, (guint) rb->size);
        else if (s->type == ST_INT && s->elem == 1)
            g_byte_array_append(out, (const uint8_t *) p, (guint) s->count);
        else
            for (size_t i = 0; i < count; i++, p += s->elem) {
                if (structs)
                    state_save(s->sub, p, out);
                else
                    save_elem(s, p, out);
            }
    }
}

/* Armed or not, and within half of what the clock can count: deadlines are added to and subtracted from. */
static bool timer_is_sane(const uint8_t *p)
{
    int64_t deadline = (int64_t) ld_le64(p + 1);

    return p[0] <= 1 && (!p[0] || (deadline >= INT64_MIN / 2 && deadline <= INT64_MAX / 2));
}

static bool load_elem(const struct state *s, char *to, const uint8_t *p, GError **err)
{
    uint64_t v = ld_le(p, (unsigned) MIN(wire_size(s), 8));

    if (s->type == ST_INT && s->max && v > s->max)
        return fail(err, "%s is %" PRIu64 ", more than %" PRIu64, s->name, v, s->max);
    if ((s->type == ST_BOOL || s->type == ST_IRQ || s->type == ST_BH) && v > 1)
        return fail(err, "%s is neither 0 nor 1", s->name);
    if (s->type == ST_TIMER && !timer_is_sane(p))
        return fail(err, "%s is damaged", s->name);
    if (!to)
        return true;
    switch (s->type) {
    case ST_INT:
    case ST_BOOL:
        set_host_int(to, s->elem, v);
        break;
    case ST_IRQ: /* the level only: what it is connected to has a state of its own */
        ((struct irq *) to)->level = v;
        break;
    case ST_BH:
        if (v)
            bh_schedule((struct bh *) to);
        else
            bh_cancel((struct bh *) to);
        break;
    case ST_TIMER:
        if (p[0])
            timer_at((struct timer *) to, (int64_t) ld_le64(p + 1));
        else
            timer_stop((struct timer *) to);
        break;
    default:
        break;
    }
    return true;
}

/* The header of an entry: its name and sizes must be the table's. */
static bool load_header(const struct state *s, const uint8_t **p, const uint8_t *end, size_t *count, GError **err)
{
    size_t len = strlen(s->name);

    if ((size_t) (end - *p) < 1 + len + 8 || **p != len || memcmp(*p + 1, s->name, len) != 0)
        return fail(err, "'%s' is missing", s->name);
    *p += 1 + len;
    size_t elem = ld_le32(*p);
    *count = ld_le32(*p + 4);
    *p += 8;
    bool structs = s->type == ST_STRUCT || s->type == ST_VECTOR;
    size_t want = s->type == ST_RAM ? 1 : structs ? 0 : wire_size(s);
    if (elem != want || (s->type != ST_RAM && s->type != ST_VECTOR && *count != s->count))
        return fail(err, "'%s' has another size", s->name);
    if (!structs && (size_t) (end - *p) / elem < *count)
        return fail(err, "'%s' is cut short", s->name);
    return true;
}

bool state_load(const struct state *table, void *base, const uint8_t **p, const uint8_t *end, GError **err)
{
    for (const struct state *s = table; s->type != ST_END; s++) {
        char *to = base ? (char *) base + s->offset : NULL;
        size_t n = 0;
        if (s->type == ST_HOST)
            continue;
        if (!load_header(s, p, end, &n, err))
            return false;
        if (s->type == ST_RAM) {
            struct ram_block *rb = (struct ram_block *) to;
            if (rb && rb->size != n)
                return fail(err, "'%s' has another size", s->name);
            if (rb) {
                memcpy(rb->host, *p, n);
                ram_block_mark_dirty(rb, 0, n);
            }
            *p += n;
            continue;
        }
        if (s->type == ST_VECTOR && base) {
            if (vector_len(s, base) != n)
                return fail(err, "'%s' has another size", s->name);
            to = *(char **) to;
        }
        for (size_t i = 0; i < n; i++) {
            if (s->type == ST_STRUCT || s->type == ST_VECTOR) {
                if (!state_load(s->sub, to, p, end, err))
                    return false;
            } else {
                if (!load_elem(s, to, *p, err))
                    return false;
                *p += wire_size(s);
            }
            to = to ? to + s->elem : NULL;
        }
    }
    return true;
}
