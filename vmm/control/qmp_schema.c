/* vmm/control/qmp_schema.c - arguments against types, and the types as introspection shows them.
 *
 * Introspection names no type but the built-in ones: the others have numbers, in the order in which they are
 * met.  An array's name is its element's in brackets. */
#include "vmm/control/qmp_impl.h"

const struct qmp_type qmp_str = { "str", QMP_STR }, qmp_int = { "int", QMP_INT }, qmp_number = { "number", QMP_NUMBER },
                      qmp_bool = { "bool", QMP_BOOL }, qmp_any = { "any", QMP_ANY };

/* --- checking ------------------------------------------------------------------------------------------- */

static bool expected(const char *name, const char *what, GError **err)
{
    return fail(err, "Invalid parameter type for '%s', expected: %s", name, what);
}

static bool holds(JsonNode *v, GType t)
{
    return JSON_NODE_HOLDS_VALUE(v) && json_node_get_value_type(v) == t;
}

static bool check_members(const struct qmp_member *members, const struct qmp_type *more, const char *prefix,
                          JsonObject *o, GError **err);

static const struct qmp_type *variant_of(const struct qmp_type *t, JsonObject *o)
{
    const char *value = json_object_get_string_member(o, t->tag);

    for (const struct qmp_variant *v = t->variants; v->value; v++)
        if (!strcmp(v->value, value))
            return v->type;
    return NULL;
}

static bool check_object(const struct qmp_type *t, JsonNode *v, const char *name, GError **err)
{
    if (!JSON_NODE_HOLDS_OBJECT(v))
        return expected(name, "object", err);
    JsonObject *o = json_node_get_object(v);
    char *prefix = g_strconcat(name, ".", NULL);
    const struct qmp_type *more = NULL;
    bool ok = true;
    if (t->tag) { /* it decides what else there may be */
        const struct qmp_member *m = t->members;
        while (strcmp(m->name, t->tag) != 0)
            m++;
        char *tag = g_strconcat(prefix, t->tag, NULL);
        JsonNode *tv = json_object_get_member(o, t->tag);
        ok = tv ? qmp_check_value(m->type, false, tv, tag, err) : fail(err, "Parameter '%s' is missing", tag);
        more = ok ? variant_of(t, o) : NULL;
        g_free(tag);
    }
    ok = ok && check_members(t->members, more, prefix, o, err);
    g_free(prefix);
    return ok;
}

bool qmp_check_value(const struct qmp_type *t, bool array, JsonNode *v, const char *name, GError **err)
{
    if (array) {
        if (!JSON_NODE_HOLDS_ARRAY(v))
            return expected(name, "array", err);
        JsonArray *a = json_node_get_array(v);
        for (unsigned i = 0; i < json_array_get_length(a); i++) {
            char *item = g_strdup_printf("%s[%u]", name, i);
            bool ok = qmp_check_value(t, false, json_array_get_element(a, i), item, err);
            g_free(item);
            if (!ok)
                return false;
        }
        return true;
    }
    switch (t->meta) {
    case QMP_STR: return holds(v, G_TYPE_STRING) || expected(name, "string", err);
    case QMP_INT: return holds(v, G_TYPE_INT64) || expected(name, "integer", err);
    case QMP_NUMBER: return holds(v, G_TYPE_INT64) || holds(v, G_TYPE_DOUBLE) || expected(name, "number", err);
    case QMP_BOOL: return holds(v, G_TYPE_BOOLEAN) || expected(name, "boolean", err);
    case QMP_NULL: return JSON_NODE_HOLDS_NULL(v) || expected(name, "null", err);
    case QMP_ENUM:
        if (!holds(v, G_TYPE_STRING))
            return expected(name, "string", err);
        return g_strv_contains(t->values, json_node_get_string(v)) ||
               fail(err, "Parameter '%s' does not accept value '%s'", name, json_node_get_string(v));
    case QMP_OBJECT: return check_object(t, v, name, err);
    case QMP_ALTERNATE:
        for (const struct qmp_member *m = t->members; m->type; m++)
            if (qmp_check_value(m->type, m->array, v, name, NULL))
                return true;
        return expected(name, t->name, err);
    default: return true;
    }
}

static const struct qmp_member *find_member(const struct qmp_member *m, const char *name)
{
    for (; m && m->name; m++)
        if (!strcmp(m->name, name))
            return m;
    return NULL;
}

static bool check_all(const struct qmp_member *members, const char *prefix, JsonObject *o, GError **err)
{
    bool ok = true;

    for (const struct qmp_member *m = members; ok && m && m->name; m++) {
        char *name = g_strconcat(prefix, m->name, NULL);
        JsonNode *v = json_object_get_member(o, m->name);
        if (v)
            ok = qmp_check_value(m->type, m->array, v, name, err);
        else if (m->optional == REQUIRED)
            ok = fail(err, "Parameter '%s' is missing", name);
        g_free(name);
    }
    return ok;
}

static bool check_members(const struct qmp_member *members, const struct qmp_type *more, const char *prefix,
                          JsonObject *o, GError **err)
{
    JsonObjectIter it;
    const char *name;

    if (!check_all(members, prefix, o, err) || (more && !check_all(more->members, prefix, o, err)))
        return false;
    json_object_iter_init_ordered(&it, o);
    while (json_object_iter_next_ordered(&it, &name, NULL))
        if (!find_member(members, name) && !(more && find_member(more->members, name)))
            return fail(err, "Parameter '%s%s' is unexpected", prefix, name);
    return true;
}

bool qmp_check(const struct qmp_member *members, JsonObject *o, GError **err)
{
    return check_members(members, NULL, "", o, err);
}

/* --- introspection ---------------------------------------------------------------------------------------- */

static const struct qmp_member nothing[] = { {} }; /* the empty object, told once */

struct schema {
    JsonArray *out;
    GHashTable *names; /* struct qmp_type *, or the members of one that has no name -> char * */
    GHashTable *arrays; /* names of elements of which the array is told */
};

static const char *tell_type(struct schema *s, const struct qmp_type *t, bool array);

static JsonObject *entry(struct schema *s, const char *name, const char *meta)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "name", name);
    json_object_set_string_member(o, "meta-type", meta);
    json_array_add_object_element(s->out, o);
    return o;
}

static const char *number(struct schema *s, const void *key)
{
    char *name = g_strdup_printf("%u", g_hash_table_size(s->names));

    g_hash_table_insert(s->names, (gpointer) key, name);
    return name;
}

static void tell_members(struct schema *s, JsonObject *to, const struct qmp_member *members, bool branches)
{
    JsonArray *list = json_array_new();

    for (const struct qmp_member *m = members; m && m->type; m++) {
        JsonObject *o = json_object_new();
        if (!branches)
            json_object_set_string_member(o, "name", m->name);
        json_object_set_string_member(o, "type", tell_type(s, m->type, m->array));
        if (m->optional == OPTIONAL)
            json_object_set_null_member(o, "default");
        json_array_add_object_element(list, o);
    }
    json_object_set_array_member(to, "members", list);
}

/* The arguments of a command: an object without a name of its own. */
static const char *tell_args(struct schema *s, const struct qmp_member *members)
{
    const char *name = g_hash_table_lookup(s->names, members);

    if (!name) {
        name = number(s, members);
        tell_members(s, entry(s, name, "object"), members, false);
    }
    return name;
}

static void tell_enum(JsonObject *o, const struct qmp_type *t)
{
    JsonArray *values = json_array_new(), *members = json_array_new();

    for (const char *const *v = t->values; *v; v++) {
        JsonObject *m = json_object_new();
        json_object_set_string_member(m, "name", *v);
        json_array_add_object_element(members, m);
        json_array_add_string_element(values, *v);
    }
    json_object_set_array_member(o, "members", members);
    json_object_set_array_member(o, "values", values);
}

/* Introspection lists every value of the tag; one without members of its own has the empty object. */
static void tell_variants(struct schema *s, JsonObject *o, const struct qmp_type *t)
{
    const struct qmp_member *tag = find_member(t->members, t->tag);
    JsonArray *list = json_array_new();

    for (const char *const *v = tag->type->values; *v; v++) {
        const struct qmp_variant *found = t->variants;
        while (found->value && strcmp(found->value, *v) != 0)
            found++;
        JsonObject *c = json_object_new();
        json_object_set_string_member(c, "case", *v);
        json_object_set_string_member(c, "type", found->value ? tell_type(s, found->type, false)
                                                              : tell_args(s, nothing));
        json_array_add_object_element(list, c);
    }
    json_object_set_string_member(o, "tag", t->tag);
    json_object_set_array_member(o, "variants", list);
}

static const char *tell_one(struct schema *s, const struct qmp_type *t)
{
    static const char *const json_types[] = { "string", "int", "number", "boolean", "null", "value" };
    const char *name = g_hash_table_lookup(s->names, t);

    if (name)
        return name;
    if (t->meta <= QMP_ANY) {
        g_hash_table_insert(s->names, (gpointer) t, g_strdup(t->name));
        json_object_set_string_member(entry(s, t->name, "builtin"), "json-type", json_types[t->meta]);
        return t->name;
    }
    name = number(s, t);
    if (t->meta == QMP_ENUM) {
        tell_enum(entry(s, name, "enum"), t);
    } else if (t->meta == QMP_ALTERNATE) {
        tell_members(s, entry(s, name, "alternate"), t->members, true);
    } else {
        JsonObject *o = entry(s, name, "object");
        tell_members(s, o, t->members, false);
        if (t->tag)
            tell_variants(s, o, t);
    }
    return name;
}

static const char *tell_type(struct schema *s, const struct qmp_type *t, bool array)
{
    const char *name = tell_one(s, t);

    if (!array)
        return name;
    char *listed = g_hash_table_lookup(s->arrays, name);
    if (!listed) {
        listed = g_strdup_printf("[%s]", name);
        g_hash_table_insert(s->arrays, (gpointer) name, listed);
        json_object_set_string_member(entry(s, listed, "array"), "element-type", name);
    }
    return listed;
}

JsonNode *qmp_schema(void)
{
    struct schema s = {
        json_array_new(),
        g_hash_table_new_full(NULL, NULL, NULL, g_free),
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free),
    };

    for (const struct qmp_command *c = qmp_commands; c->name; c++) {
        JsonObject *o = entry(&s, c->name, "command");
        json_object_set_string_member(o, "arg-type", tell_args(&s, c->args ? c->args : nothing));
        json_object_set_string_member(o, "ret-type",
                                      c->ret ? tell_type(&s, c->ret, c->ret_array) : tell_args(&s, nothing));
        json_object_set_boolean_member(o, "allow-oob", FALSE);
    }
    for (unsigned i = 0; i < N_VM_EVENTS; i++) {
        const struct qmp_event_type *e = &qmp_events[i];
        JsonObject *o = entry(&s, e->name, "event");
        json_object_set_string_member(o, "arg-type", tell_args(&s, e->data ? e->data : nothing));
    }
    g_hash_table_destroy(s.names);
    g_hash_table_destroy(s.arrays);
    return qmp_array(s.out);
}
