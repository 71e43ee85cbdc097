/* vmm/control/hmp_mem.c - monitor commands: physical memory, ports, arithmetic. */
#include "vmm/control/action.h"
#include "vmm/control/monitor_impl.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_DUMP = 1 << 20 };

/* --- expressions: numbers, + - * / %, parentheses ---------------------------------------------------- */

struct expr {
    const char *p;
    unsigned depth;
    const char *wrong; /* NULL: fine */
};

static uint64_t sum(struct expr *e);

static void blanks(struct expr *e)
{
    while (g_ascii_isspace(*e->p))
        e->p++;
}

static uint64_t unary(struct expr *e)
{
    blanks(e);
    if (++e->depth > 64) {
        e->wrong = "too deep";
        return 0;
    }
    uint64_t v = 0;
    char c = *e->p;
    if (c == '-' || c == '+' || c == '~') {
        e->p++;
        v = unary(e);
        v = c == '-' ? -v : c == '~' ? ~v : v;
    } else if (c == '(') {
        e->p++;
        v = sum(e);
        blanks(e);
        if (*e->p == ')')
            e->p++;
        else if (!e->wrong)
            e->wrong = "a ')' is missing";
    } else if (c == '\'' && e->p[1] && e->p[2] == '\'') {
        v = (uint8_t) e->p[1];
        e->p += 3;
    } else if (g_ascii_isdigit(c)) {
        char *end;
        errno = 0;
        v = strtoull(e->p, &end, 0);
        if (errno)
            e->wrong = "a number is too large";
        e->p = end;
    } else if (!e->wrong) {
        e->wrong = c == '$' ? "registers can't be used; see 'info registers'" : "a number is missing";
    }
    e->depth--;
    return v;
}

static uint64_t product(struct expr *e)
{
    uint64_t v = unary(e);

    for (blanks(e); !e->wrong && (*e->p == '*' || *e->p == '/' || *e->p == '%'); blanks(e)) {
        char op = *e->p++;
        uint64_t by = unary(e);
        if (op != '*' && !by) {
            e->wrong = "division by zero";
            return 0;
        }
        v = op == '*' ? v * by : op == '/' ? v / by : v % by;
    }
    return v;
}

static uint64_t sum(struct expr *e)
{
    uint64_t v = product(e);

    for (blanks(e); !e->wrong && (*e->p == '+' || *e->p == '-'); blanks(e)) {
        char op = *e->p++;
        uint64_t by = product(e);
        v = op == '+' ? v + by : v - by;
    }
    return v;
}

bool hmp_number(const char *text, uint64_t *out, GError **err)
{
    struct expr e = { text };

    *out = sum(&e);
    if (!e.wrong && *e.p)
        e.wrong = "something is left over";
    return !e.wrong || fail(err, "'%s' is no expression: %s", text, e.wrong);
}

/* --- /COUNT FORMAT SIZE -------------------------------------------------------------------------------- */

struct fmt {
    unsigned count;
    char format; /* x d u o c */
    unsigned size;
};

static bool parse_fmt(const char *text, struct fmt *f, unsigned default_size, GError **err)
{
    *f = (struct fmt){ 1, 'x', default_size };
    if (!text)
        return true;
    const char *p = text;
    if (g_ascii_isdigit(*p)) {
        char *end;
        unsigned long n = strtoul(p, &end, 10);
        if (n > MAX_DUMP)
            return fail(err, "/%s: at most %d items", text, MAX_DUMP);
        f->count = (unsigned) n;
        p = end;
    }
    for (; *p; p++) {
        switch (*p) {
        case 'x': case 'd': case 'u': case 'o': case 'c': f->format = *p; break;
        case 'b': f->size = 1; break;
        case 'h': f->size = 2; break;
        case 'w': f->size = 4; break;
        case 'g': case 'L': f->size = 8; break;
        case 'i': return fail(err, "/%s: there is no disassembler", text);
        default: return fail(err, "/%s: '%c' is no format: x d u o c, and b h w g for the size", text, *p);
        }
    }
    if (f->format == 'c')
        f->size = 1;
    return true;
}

static void print_value(struct hmp *h, const struct fmt *f, uint64_t v)
{
    unsigned bits = f->size * 8;
    int64_t sv = bits == 64 ? (int64_t) v : (int64_t) (v << (64 - bits)) >> (64 - bits);

    switch (f->format) {
    case 'o': hmp_print(h, "0%0*" PRIo64, (int) ((bits + 2) / 3), v); break;
    case 'u': hmp_print(h, "%*" PRIu64, (int) (bits * 10 / 33 + 1), v); break;
    case 'd': hmp_print(h, "%*" PRId64, (int) (bits * 10 / 33 + 1), sv); break;
    case 'c':
        if (v == '\'' || v == '\\')
            hmp_print(h, "'\\%c'", (char) v);
        else if (v >= 32 && v < 127)
            hmp_print(h, "'%c'", (char) v);
        else
            hmp_print(h, "'\\x%02x'", (unsigned) v);
        break;
    default: hmp_print(h, "0x%0*" PRIx64, (int) (bits / 4), v);
    }
}

static bool dump(struct hmp *h, bool virtual, GError **err)
{
    struct fmt f;
    uint64_t addr, pa;

    if (!parse_fmt(h->fmt, &f, 4, err) || !hmp_number(h->argv[0], &addr, err))
        return false;
    unsigned per_line = f.size == 1 ? 8 : 16 / f.size;
    for (unsigned i = 0; i < f.count; i++) {
        uint8_t bytes[8] = { 0 };
        bool ok = true;
        vm_lock(h->vm);
        for (unsigned b = 0; ok && virtual && b < f.size; b++) { /* it may cross into another page */
            ok = action_translate(h->vm, 0, addr + b, &pa, err);
            bytes[b] = ok ? (uint8_t) space_read(&h->vm->mem, pa, 1) : 0;
        }
        uint64_t v = virtual ? ld_le(bytes, f.size) : space_read(&h->vm->mem, addr, f.size);
        vm_unlock(h->vm);
        if (!ok) {
            hmp_print(h, "%s", i ? "\n" : "");
            return false;
        }
        if (i % per_line == 0)
            hmp_print(h, "%s%016" PRIx64 ":", i ? "\n" : "", addr);
        hmp_print(h, " ");
        print_value(h, &f, v);
        addr += f.size;
    }
    if (f.count)
        hmp_print(h, "\n");
    return true;
}

bool hmp_xp(struct hmp *h, GError **err)
{
    return dump(h, false, err);
}

bool hmp_x(struct hmp *h, GError **err)
{
    return dump(h, true, err);
}

static bool port_of(const char *text, unsigned *port, GError **err)
{
    uint64_t v;

    if (!hmp_number(text, &v, err))
        return false;
    *port = (unsigned) v;
    return v <= 0xffff || fail(err, "%s: ports are 0 to 0xffff", text);
}

static bool port_fmt(struct hmp *h, struct fmt *f, GError **err)
{
    return parse_fmt(h->fmt, f, 1, err) &&
           (f->size <= 4 || fail(err, "/%s: ports are 1, 2 or 4 bytes wide", h->fmt));
}

bool hmp_i(struct hmp *h, GError **err)
{
    struct fmt f;
    unsigned port;

    if (!port_fmt(h, &f, err) || !port_of(h->argv[0], &port, err))
        return false;
    vm_lock(h->vm);
    uint64_t v = space_read(&h->vm->pio, port, f.size);
    vm_unlock(h->vm);
    hmp_print(h, "port%c[0x%04x] = 0x%0*" PRIx64 "\n",
              f.size == 1   ? 'b'
              : f.size == 2 ? 'w'
                            : 'l',
              port, (int) f.size * 2, v);
    return true;
}

bool hmp_o(struct hmp *h, GError **err)
{
    struct fmt f;
    unsigned port;
    uint64_t v;

    if (!port_fmt(h, &f, err) || !port_of(h->argv[0], &port, err) || !hmp_number(h->argv[1], &v, err))
        return false;
    vm_lock(h->vm);
    space_write(&h->vm->pio, port, v & mask_bytes(f.size), f.size);
    vm_unlock(h->vm);
    return true;
}

bool hmp_print_expr(struct hmp *h, GError **err)
{
    struct fmt f;
    uint64_t v;
    char *text = g_strjoinv(" ", h->argv);
    bool ok = parse_fmt(h->fmt, &f, 8, err) && hmp_number(text, &v, err);

    g_free(text);
    if (!ok)
        return false;
    if (f.format == 'x')
        hmp_print(h, "0x%" PRIx64 "\n", v & mask_bytes(f.size));
    else if (f.format == 'c')
        hmp_print(h, v >= 32 && v < 127 ? "'%c'\n" : "'\\x%02x'\n", (unsigned) (v & 0xff));
    else
        hmp_print(h,
                  f.format == 'd'   ? "%" PRId64 "\n"
                  : f.format == 'o' ? "0%" PRIo64 "\n"
                                    : "%" PRIu64 "\n",
                  v);
    return true;
}

static bool range_of(struct hmp *h, uint64_t *addr, uint64_t *size, GError **err)
{
    return hmp_number(h->argv[0], addr, err) && hmp_number(h->argv[1], size, err) &&
           (*size <= UINT64_MAX - *addr || fail(err, "%s: the end of memory is crossed", h->argv[1]));
}

/* The BSD checksum, as QEMU's `sum`. */
bool hmp_sum(struct hmp *h, GError **err)
{
    uint64_t addr, size;
    uint16_t s = 0;

    if (!range_of(h, &addr, &size, err))
        return false;
    if (size > GiB)
        return fail(err, "%s: at most 1 GiB", h->argv[1]);
    for (uint64_t i = 0; i < size;) {
        vm_lock(h->vm); /* in pieces: the guest may run */
        for (uint64_t end = MIN(size, i + 65536); i < end; i++)
            s = (uint16_t) ((uint16_t) (s >> 1 | s << 15) + (uint8_t) space_read(&h->vm->mem, addr + i, 1));
        vm_unlock(h->vm);
    }
    hmp_print(h, "%05d\n", s);
    return true;
}

bool hmp_pmemsave(struct hmp *h, GError **err)
{
    uint64_t addr, size;

    return range_of(h, &addr, &size, err) && action_pmemsave(h->vm, addr, size, h->argv[2], err);
}

bool hmp_memsave(struct hmp *h, GError **err)
{
    uint64_t addr, size;

    return range_of(h, &addr, &size, err) && action_memsave(h->vm, 0, addr, size, h->argv[2], err);
}
