/* vmm/core/prop.c - parsing and printing by table. */
#include "vmm/core/prop.h"
#include "vmm/base/error.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <stdlib.h>

static const char *const ooa_names[] = { "auto", "on", "off", NULL };

bool parse_bool(const char *what, const char *s, bool *out, GError **err)
{
    static const char *const words[2][5] = { { "off", "no", "false", "n", NULL }, { "on", "yes", "true", "y", NULL } };

    for (int v = 0; v < 2; v++)
        for (int i = 0; words[v][i]; i++)
            if (!strcmp(s, words[v][i])) {
                *out = v;
                return true;
            }
    return fail(err, "%s: '%s' is neither 'on' nor 'off'", what, s);
}

bool parse_u64(const char *what, const char *s, uint64_t min, uint64_t max, uint64_t *out, GError **err)
{
    char *end;

    errno = 0;
    uint64_t v = g_ascii_isdigit(*s) ? strtoull(s, &end, 0) : (end = (char *) s, 0);
    if (end == s || *end)
        return fail(err, "%s: '%s' is no number", what, s);
    if (errno || v < min || v > max)
        return fail(err, "%s: %s is out of range: %" PRIu64 " to %" PRIu64, what, s, min, max);
    *out = v;
    return true;
}

bool parse_size(const char *what, const char *s, char default_suffix, uint64_t *out, GError **err)
{
    static const char suffixes[] = "BKMGTPE";
    char *end;
    errno = 0;
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    uint64_t whole = g_ascii_isdigit(*s) ? strtoull(s, &end, hex ? 16 : 10) : (end = (char *) s, 0);
    double frac = 0;

    if (end == s || errno)
        return fail(err, "%s: '%s' is no size; write for example 512M or 4G", what, s);
    if (*end == '.' && !hex) {
        const char *digits = end;
        frac = g_ascii_strtod(digits, &end);
        if (end == digits + 1)
            return fail(err, "%s: '%s' is no size; write for example 512M or 4G", what, s);
    }
    char suffix = *end ? g_ascii_toupper(*end++) : default_suffix;
    const char *at = suffix ? strchr(suffixes, suffix) : suffixes;
    if (!at || *end)
        return fail(err, "%s: '%s' is no size; write for example 512M or 4G", what, s);
    unsigned shift = 10 * (unsigned) (at - suffixes);
    if (shift && whole >> (64 - shift))
        return fail(err, "%s: %s is too large", what, s);
    *out = (whole << shift) + (uint64_t) (frac * (double) (1ULL << shift));
    return true;
}

static uint64_t type_max(const struct prop *p)
{
    return p->type == PT_I32 ? INT32_MAX : mask_bytes(p->size);
}

static void store(const struct prop *p, void *base, uint64_t v)
{
    void *at = (char *) base + p->offset;

    switch (p->size) {
    case 1: *(uint8_t *) at = (uint8_t) v; break;
    case 2: *(uint16_t *) at = (uint16_t) v; break;
    case 4: *(uint32_t *) at = (uint32_t) v; break;
    case 8: *(uint64_t *) at = v; break;
    default: break;
    }
}

static uint64_t fetch(const struct prop *p, const void *base)
{
    const void *at = (const char *) base + p->offset;

    switch (p->size) {
    case 1: return *(const uint8_t *) at;
    case 2: return *(const uint16_t *) at;
    case 4: return *(const uint32_t *) at;
    default: return *(const uint64_t *) at;
    }
}

static bool parse_mac(const char *name, const char *s, uint8_t *mac, GError **err)
{
    unsigned b[6];
    int n = 0;

    if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) != 6 || s[n])
        return fail(err, "%s: '%s' is no MAC address; write 52:54:00:12:34:56", name, s);
    if (b[0] & 1)
        return fail(err, "%s: %s is a multicast address", name, s);
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t) b[i];
    return true;
}

static bool parse_names(const char *what, const char *s, const char *const *names, int *out, GError **err)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(s, names[i])) {
            *out = i;
            return true;
        }
    char *all = g_strjoinv(", ", (char **) names);
    fail(err, "%s: '%s' is not one of: %s", what, s, all);
    g_free(all);
    return false;
}

static bool parse_ref(struct prop const *p, GHashTable *table, void *base, const char *what, const char *s,
                      GError **err)
{
    void *ref = table ? g_hash_table_lookup(table, s) : NULL;

    if (!ref)
        return fail(err, "%s: there is no %s with id '%s'", p->name, what, s);
    *(void **) ((char *) base + p->offset) = ref;
    return true;
}

bool prop_parse(struct vm *vm, const struct prop *p, void *base, const char *value, GError **err)
{
    void *at = (char *) base + p->offset;
    uint64_t v;
    bool b;

    switch (p->type) {
    case PT_BOOL:
        if (!parse_bool(p->name, value, &b, err))
            return false;
        *(bool *) at = b;
        return true;
    case PT_I32:
        if (value[0] == '-') {
            if (!parse_u64(p->name, value + 1, 0, (uint64_t) INT32_MAX + 1, &v, err))
                return false;
            store(p, base, -v);
            return true;
        } /* fall through */
    case PT_U8: case PT_U16: case PT_U32: case PT_U64:
        if (!parse_u64(p->name, value, p->min, p->max ? p->max : type_max(p), &v, err))
            return false;
        store(p, base, v);
        return true;
    case PT_SIZE:
        if (!parse_size(p->name, value, 0, &v, err))
            return false;
        if (v < p->min || (p->max && v > p->max))
            return fail(err, "%s: %s is out of range: %" PRIu64 " to %" PRIu64 " bytes", p->name, value,
                        p->min, p->max);
        if (p->size < 8 && v > mask_bytes(p->size))
            return fail(err, "%s: %s is too large", p->name, value);
        store(p, base, v);
        return true;
    case PT_STR:
        g_free(*(char **) at);
        *(char **) at = g_strdup(value);
        return true;
    case PT_ENUM:
        return parse_names(p->name, value, p->names, at, err);
    case PT_ONOFFAUTO:
        return parse_names(p->name, value, ooa_names, at, err);
    case PT_MAC:
        return parse_mac(p->name, value, at, err);
    case PT_BLK:
        return parse_ref(p, vm ? vm->blks : NULL, base, "drive", value, err);
    case PT_CHARDEV:
        return parse_ref(p, vm ? vm->chardevs : NULL, base, "chardev", value, err);
    case PT_NETDEV:
        return parse_ref(p, vm ? vm->netdevs : NULL, base, "netdev", value, err);
    case PT_IOTHREAD:
        return parse_ref(p, vm ? vm->iothreads : NULL, base, "iothread", value, err);
    case PT_CUSTOM:
        if (!p->format->parse(p->name, value, &v, err))
            return false;
        store(p, base, v);
        return true;
    default:
        g_assert_not_reached();
    }
}

void props_set_defaults(const struct prop *props, void *base)
{
    for (const struct prop *p = props; p && p->type != PT_END; p++) {
        if (p->def_str)
            prop_parse(NULL, p, base, p->def_str, NULL);
        else if (p->type != PT_STR && p->type != PT_MAC && !prop_type_is_ref(p->type))
            store(p, base, p->def);
    }
}

void props_free(const struct prop *props, void *base)
{
    for (const struct prop *p = props; p && p->type != PT_END; p++)
        if (p->type == PT_STR)
            g_clear_pointer((char **) ((char *) base + p->offset), g_free);
}

static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !((*a == '_' || *a == '-') && (*b == '_' || *b == '-')))
            return false;
    return *a == *b;
}

const struct prop *prop_find(const struct prop *props, const char *name)
{
    for (const struct prop *p = props; p && p->type != PT_END; p++)
        if (same_name(p->name, name))
            return p;
    return NULL;
}

static char *print_ref(GHashTable *table, const void *ref)
{
    GHashTableIter it;
    void *key, *val;

    (void) table;
    if (!ref)
        return g_strdup("");
    g_hash_table_iter_init(&it, table);
    while (g_hash_table_iter_next(&it, &key, &val))
        if (val == ref)
            return g_strdup(key);
    return g_strdup("?");
}

char *prop_print(const struct prop *p, const void *base)
{
    const void *at = (const char *) base + p->offset;
    const struct device *d = base; /* references are only found in devices */
    const uint8_t *m = at;

    switch (p->type) {
    case PT_BOOL: return g_strdup(*(const bool *) at ? "on" : "off");
    case PT_STR: return g_strdup(*(char *const *) at ? *(char *const *) at : "");
    case PT_ENUM: return g_strdup(p->names[*(const int *) at]);
    case PT_ONOFFAUTO: return g_strdup(ooa_names[*(const int *) at]);
    case PT_I32: return g_strdup_printf("%d", *(const int32_t *) at);
    case PT_MAC: return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    case PT_BLK: return print_ref(d->vm->blks, *(void *const *) at);
    case PT_CHARDEV: return print_ref(d->vm->chardevs, *(void *const *) at);
    case PT_NETDEV: return print_ref(d->vm->netdevs, *(void *const *) at);
    case PT_IOTHREAD: return print_ref(d->vm->iothreads, *(void *const *) at);
    case PT_CUSTOM: return p->format->print(fetch(p, base));
    default: return g_strdup_printf("%" PRIu64, fetch(p, base));
    }
}

char *prop_type_text(const struct prop *p)
{
    static const char *const names[] = {
        [PT_BOOL] = "bool", [PT_U8] = "uint8", [PT_U16] = "uint16", [PT_U32] = "uint32", [PT_U64] = "uint64",
        [PT_I32] = "int32", [PT_SIZE] = "size", [PT_STR] = "str", [PT_ONOFFAUTO] = "auto|on|off",
        [PT_MAC] = "MAC address",
        [PT_BLK] = "id of a drive", [PT_CHARDEV] = "id of a chardev",
        [PT_NETDEV] = "id of a netdev",
        [PT_IOTHREAD] = "id of an iothread",
    };
    if (p->type == PT_CUSTOM)
        return g_strdup(p->format->type_text);
    return p->type == PT_ENUM ? g_strjoinv("|", (char **) p->names) : g_strdup(names[p->type]);
}
