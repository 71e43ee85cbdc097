/* vmm/control/keyval.h - QEMU's option lists: "value,key=value,flag,noflag".
 *
 * Rules: a comma in a value is doubled (",,"); the first item without '=' is the value of the implied key,
 * where there is one; a later item without '=' means key=on, and "nokey" key=off where no key is spelled so;
 * '_' and '-' are alike; the last of several equal keys wins. */
#ifndef BANTAM_CONTROL_KEYVAL_H
#define BANTAM_CONTROL_KEYVAL_H

#include "vmm/core/prop.h"

struct keyval {
    char *key, *value;
    bool bare; /* no '=' was written */
    bool used; /* see keyvals_take */
};

struct keyvals {
    struct keyval *items;
    unsigned n;
};

/* A key that QEMU has and this VMM has not: refused by name, unless the value is one that means "off". */
struct refused_key {
    const char *key;
    const char *harmless; /* values to accept and drop: "off|auto"; NULL: none */
    const char *why;      /* what to do instead */
};

/* `what` is the option, for messages: "-drive".  `implied` may be NULL. */
bool keyvals_parse(struct keyvals *kv, const char *what, const char *text, const char *implied, GError **err);
void keyvals_clear(struct keyvals *kv);

const char *keyvals_get(const struct keyvals *kv, const char *key); /* the last one's value, or NULL */
/* The same, and keyvals_apply() need not know it.  `key` is for all of its occurrences. */
const char *keyvals_take(struct keyvals *kv, const char *key);

/* Set every item that was not taken by the table.  `refused` may be NULL (ends with an empty entry). */
bool keyvals_apply(struct keyvals *kv, const char *what, const struct prop *props,
                   const struct refused_key *refused, void *base, GError **err);

/* One value with ",," made of each comma, for writing lists. */
char *keyval_escape(const char *value);

#endif
