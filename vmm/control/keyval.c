/* vmm/control/keyval.c - option lists: splitting, and setting by a property table. */
#include "vmm/control/keyval.h"
#include "vmm/base/error.h"

static bool same_key(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !((*a == '_' || *a == '-') && (*b == '_' || *b == '-')))
            return false;
    return *a == *b;
}

/* A value up to a single comma; *p is left on that comma or the end. */
static char *take_value(const char **p)
{
    GString *s = g_string_new(NULL);

    for (; **p; (*p)++) {
        if (**p == ',') {
            if ((*p)[1] != ',')
                break;
            (*p)++;
        }
        g_string_append_c(s, **p);
    }
    return g_string_free(s, FALSE);
}

static void add(struct keyvals *kv, char *key, char *value, bool bare)
{
    kv->items = g_renew(struct keyval, kv->items, kv->n + 1);
    kv->items[kv->n++] = (struct keyval){ key, value, bare, false };
}

bool keyvals_parse(struct keyvals *kv, const char *what, const char *text, const char *implied, GError **err)
{
    const char *p = text;

    *kv = (struct keyvals){ 0 };
    while (*p) {
        size_t len = strcspn(p, "=,");
        if (p[len] == '=') {
            if (!len) {
                keyvals_clear(kv);
                return fail(err, "%s: a name is missing before '=' in '%s'", what, text);
            }
            char *key = g_strndup(p, len);
            p += len + 1;
            add(kv, key, take_value(&p), false);
        } else if (implied && p == text) {
            add(kv, g_strdup(implied), take_value(&p), false);
        } else {
            if (len)
                add(kv, g_strndup(p, len), g_strdup("on"), true);
            else if (p[0] == ',' && p[1] == ',') {
                keyvals_clear(kv);
                return fail(err, "%s: ',,' stands for a comma in a value, and can't begin '%s'", what, p);
            }
            p += len;
        }
        if (*p)
            p++;
    }
    return true;
}

void keyvals_clear(struct keyvals *kv)
{
    for (unsigned i = 0; i < kv->n; i++) {
        g_free(kv->items[i].key);
        g_free(kv->items[i].value);
    }
    g_free(kv->items);
    *kv = (struct keyvals){ 0 };
}

const char *keyvals_get(const struct keyvals *kv, const char *key)
{
    for (unsigned i = kv->n; i--;)
        if (same_key(kv->items[i].key, key))
            return kv->items[i].value;
    return NULL;
}

const char *keyvals_take(struct keyvals *kv, const char *key)
{
    for (unsigned i = 0; i < kv->n; i++)
        if (same_key(kv->items[i].key, key))
            kv->items[i].used = true;
    return keyvals_get(kv, key);
}

static const struct refused_key *find_refused(const struct refused_key *r, const char *key)
{
    for (; r && r->key; r++)
        if (same_key(r->key, key))
            return r;
    return NULL;
}

static bool is_harmless(const struct refused_key *r, const char *value)
{
    char **words = g_strsplit(r->harmless ? r->harmless : "", "|", -1);
    bool yes = g_strv_contains((const char *const *) words, value);

    g_strfreev(words);
    return yes;
}

static bool fail_unknown(const char *what, const struct prop *props, const char *key, GError **err)
{
    GPtrArray *names = g_ptr_array_new();
    GString *all = g_string_new(NULL);

    for (const struct prop *p = props; p && p->type; p++) {
        g_ptr_array_add(names, (gpointer) p->name);
        g_string_append_printf(all, "%s%s", all->len ? ", " : "", p->name);
    }
    g_ptr_array_add(names, NULL);
    char *hint = nearest_hint(key, (const char *const *) names->pdata);
    if (*hint)
        fail(err, "%s: there is no property '%s'%s", what, key, hint);
    else
        fail(err, "%s: there is no property '%s'; there are: %s", what, key, all->str);
    g_free(hint);
    g_string_free(all, TRUE);
    g_ptr_array_free(names, TRUE);
    return false;
}

static bool apply(struct keyval *item, const char *what, const struct prop *props,
                  const struct refused_key *refused, void *base, GError **err)
{
    const char *key = item->key, *value = item->value;
    const struct prop *p = prop_find(props, key);
    const struct refused_key *r = p ? NULL : find_refused(refused, key);

    if (!p && !r && item->bare && g_str_has_prefix(key, "no")) {
        p = prop_find(props, key + 2);
        r = p ? NULL : find_refused(refused, key + 2);
        if (p || r) {
            key += 2;
            value = "off";
        }
    }
    if (r) {
        if (is_harmless(r, value))
            return true;
        return fail(err, "%s: %s=%s: %s", what, r->key, value, r->why);
    }
    if (!p)
        return fail_unknown(what, props, key, err);
    if (item->bare && p->type != PT_BOOL && p->type != PT_ONOFFAUTO)
        return fail(err, "%s: '%s' needs a value: %s=...", what, key, key);
    return prop_parse(NULL, p, base, value, err) || fail_prefix(err, "%s", what);
}

bool keyvals_apply(struct keyvals *kv, const char *what, const struct prop *props,
                   const struct refused_key *refused, void *base, GError **err)
{
    for (unsigned i = 0; i < kv->n; i++)
        if (!kv->items[i].used && !apply(&kv->items[i], what, props, refused, base, err))
            return false;
    return true;
}

char *keyval_escape(const char *value)
{
    GString *s = g_string_new(NULL);

    for (; *value; value++)
        g_string_append(s, *value == ',' ? ",," : (char[]){ *value, 0 });
    return g_string_free(s, FALSE);
}
