/* vmm/core/prop.h - property tables: what a user may set on a device, drive, chardev ...
 *
 * A table ends with an empty entry.  Offsets are from the start of the struct that is set.  Text is parsed
 * as QEMU does: bool on/off/yes/no/true/
 * false; integers decimal, 0x.., 0..; sizes with k M G T suffixes (plain: bytes). */
#ifndef BANTAM_CORE_PROP_H
#define BANTAM_CORE_PROP_H

#include "vmm/base/util.h"

enum prop_type {
    PT_END, /* of the table */
    PT_BOOL, PT_U8, PT_U16, PT_U32, PT_U64,
    PT_I32,
    PT_SIZE,  /* uint64_t, with suffixes */
    PT_STR,   /* char *, owned */
    PT_ENUM,  /* int: index into names */
    PT_ONOFFAUTO, /* int: enum on_off_auto */
    PT_MAC,   /* uint8_t[6] */
    PT_BLK,   /* struct blk *: the id of a -drive */
    PT_CHARDEV, /* struct chardev *: the id of a -chardev */
    PT_NETDEV,  /* struct netdev *: the id of a -netdev */
    PT_IOTHREAD, /* struct iothread *: the id of an -object iothread */
    PT_CUSTOM,  /* an integer with a text form of its own: see struct prop_format */
};

/* Does it name something that is made apart from the device? */
static inline bool prop_type_is_ref(enum prop_type t)
{
    return t == PT_BLK || t == PT_CHARDEV || t == PT_NETDEV || t == PT_IOTHREAD;
}

enum on_off_auto { OOA_AUTO, OOA_ON, OOA_OFF };

struct prop_format { /* PT_CUSTOM */
    const char *type_text; /* for help: "slot[.function]" */
    bool (*parse)(const char *name, const char *text, uint64_t *out, GError **err);
    char *(*print)(uint64_t v); /* caller frees */
};

struct prop {
    const char *name;
    enum prop_type type;
    uint8_t size; /* of the field */
    size_t offset;
    uint64_t def;
    const char *def_str; /* PT_STR, PT_MAC */
    uint64_t min, max;   /* when max != 0 */
    const char *const *names; /* PT_ENUM; NULL at the end */
    const char *desc;
    const struct prop_format *format; /* PT_CUSTOM */
};

#define PROP_(pt, T, f, d, ...) \
    { .name = #f, .type = pt, .size = sizeof(((T *) 0)->f), .offset = offsetof(T, f), .def = (uint64_t) (d), \
      __VA_ARGS__ }
/* PROP_U32(struct foo, field, default [, .name = "other-name", .min =, .max =, .desc =]) */
#define PROP_BOOL(T, f, d, ...) PROP_(PT_BOOL, T, f, d, __VA_ARGS__)
#define PROP_U8(T, f, d, ...)   PROP_(PT_U8, T, f, d, __VA_ARGS__)
#define PROP_U16(T, f, d, ...)  PROP_(PT_U16, T, f, d, __VA_ARGS__)
#define PROP_U32(T, f, d, ...)  PROP_(PT_U32, T, f, d, __VA_ARGS__)
#define PROP_U64(T, f, d, ...)  PROP_(PT_U64, T, f, d, __VA_ARGS__)
#define PROP_I32(T, f, d, ...)  PROP_(PT_I32, T, f, d, __VA_ARGS__)
#define PROP_SIZE(T, f, d, ...) PROP_(PT_SIZE, T, f, d, __VA_ARGS__)
#define PROP_STR(T, f, d, ...)  PROP_(PT_STR, T, f, 0, .def_str = (d), __VA_ARGS__)
#define PROP_MAC(T, f, ...)     PROP_(PT_MAC, T, f, 0, __VA_ARGS__)
#define PROP_ENUM(T, f, d, n, ...) PROP_(PT_ENUM, T, f, d, .names = (n), __VA_ARGS__)
#define PROP_ONOFFAUTO(T, f, d, ...) PROP_(PT_ONOFFAUTO, T, f, d, __VA_ARGS__)
#define PROP_BLK(T, f, ...)     PROP_(PT_BLK, T, f, 0, __VA_ARGS__)
#define PROP_CHARDEV(T, f, ...) PROP_(PT_CHARDEV, T, f, 0, __VA_ARGS__)
#define PROP_IOTHREAD(T, f, ...) PROP_(PT_IOTHREAD, T, f, 0, __VA_ARGS__)
#define PROP_CUSTOM(T, f, d, fmt, ...) PROP_(PT_CUSTOM, T, f, d, .format = (fmt), __VA_ARGS__)

struct vm;

void props_set_defaults(const struct prop *props, void *base);
void props_free(const struct prop *props, void *base); /* strings */
const struct prop *prop_find(const struct prop *props, const char *name); /* '_' and '-' are alike */
/* Parse `value` into the field.  vm resolves what names a backend (may be NULL where the table has none). */
bool prop_parse(struct vm *vm, const struct prop *p, void *base, const char *value, GError **err);
char *prop_print(const struct prop *p, const void *base); /* caller frees */
char *prop_type_text(const struct prop *p); /* "uint32", "bool", "one of a|b|c"; caller frees */

/* The parsers by themselves; `what` names the option or property in the message. */
bool parse_bool(const char *what, const char *s, bool *out, GError **err);
bool parse_u64(const char *what, const char *s, uint64_t min, uint64_t max, uint64_t *out, GError **err);
bool parse_size(const char *what, const char *s, char default_suffix, uint64_t *out, GError **err);

#endif
