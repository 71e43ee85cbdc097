/* vmm/control/qmp_qom.c - QMP commands: device classes and devices, in the names of QEMU's object tree; options.
 *
 * Of the tree there is what clients look for: /machine/peripheral has the devices with an id, by that;
 * /machine/peripheral-anon those without, as device[N]; /machine/unattached the board's.  A device's properties are
 * those of -device, and cannot be set; its "type" is its class.  A balloon has its statistics. */
#include "vmm/control/options_impl.h"
#include "vmm/control/qmp_impl.h"
#include "vmm/core/balloon.h"

#define UNUSED (void) q, (void) args, (void) ret, (void) err

/* --- device classes ---------------------------------------------------------------------------------------- */

static JsonNode *default_value(const struct prop *p)
{
    JsonNode *n = json_node_alloc();

    switch (p->type) {
    case PT_BOOL: return json_node_init_boolean(n, p->def != 0);
    case PT_U8: case PT_U16: case PT_U32: case PT_U64: case PT_SIZE: return json_node_init_int(n, (gint64) p->def);
    case PT_I32: return json_node_init_int(n, (int32_t) p->def);
    case PT_ENUM: return json_node_init_string(n, p->names[p->def]);
    case PT_ONOFFAUTO: return json_node_init_string(n, p->def == OOA_AUTO ? "auto" : p->def == OOA_ON ? "on" : "off");
    case PT_STR:
        if (p->def_str)
            return json_node_init_string(n, p->def_str); /* fall through */
    default:
        json_node_free(n);
        return NULL;
    }
}

static void add_props(JsonArray *a, const struct prop *props, bool defaults)
{
    for (const struct prop *p = props; p && p->type != PT_END; p++) {
        JsonObject *o = json_object_new();
        char *type = prop_type_text(p);
        JsonNode *def = defaults ? default_value(p) : NULL;
        if (def)
            json_object_set_member(o, "default-value", def);
        json_object_set_string_member(o, "name", p->name);
        if (p->desc)
            json_object_set_string_member(o, "description", p->desc);
        json_object_set_string_member(o, "type", type);
        json_array_add_object_element(a, o);
        g_free(type);
    }
}

QMP_COMMAND(qmp_device_list_properties)
{
    UNUSED;
    const char *name = qarg_str(args, "typename");
    const struct device_class *cls = device_class_find(name);

    if (!cls)
        return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", name);
    JsonArray *a = json_array_new();
    add_props(a, cls->props, true);
    add_props(a, cls->bus ? cls->bus->props : NULL, true);
    *ret = qmp_array(a);
    return true;
}

QMP_COMMAND(qmp_qom_list_types)
{
    UNUSED;
    const char *implements = qarg_str(args, "implements");
    JsonArray *a = json_array_new();

    for (unsigned i = 0; device_catalog[i]; i++) {
        const struct device_class *c = device_catalog[i];
        if (implements && strcmp(implements, "device") != 0 && strcmp(implements, c->name) != 0)
            continue;
        JsonObject *o = json_object_new();
        json_object_set_string_member(o, "name", c->name);
        json_object_set_string_member(o, "parent", "device");
        json_array_add_object_element(a, o);
    }
    *ret = qmp_array(a);
    return true;
}

/* --- the tree ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *path, *child; /* child: the names of those without an id */
} folders[] = { { "/machine/peripheral", NULL }, { "/machine/peripheral-anon", "device" },
                { "/machine/unattached", "device" } };
enum { PERIPHERAL, ANON, UNATTACHED };

static unsigned folder_of(const struct device *d)
{
    return d->id ? PERIPHERAL : d->cls->internal ? UNATTACHED : ANON;
}

/* The device of a folder by its name there, or the next one after `*i` (with its name, freed by the caller). */
static struct device *next_in(struct vm *vm, unsigned folder, unsigned *i, unsigned *number, char **name)
{
    for (; *i < vm->devices->len;) {
        struct device *d = vm->devices->pdata[(*i)++];
        if (folder_of(d) != folder)
            continue;
        *name = d->id ? g_strdup(d->id) : g_strdup_printf("%s[%u]", folders[folder].child, (*number)++);
        return d;
    }
    return NULL;
}

/* A path that does not begin with '/' is the last part of one, as an id is.  VM lock held. */
static struct device *device_at(struct vm *vm, const char *path)
{
    if (*path != '/')
        return device_find(vm, path);
    for (unsigned f = 0; f < G_N_ELEMENTS(folders); f++) {
        size_t len = strlen(folders[f].path);
        if (strncmp(path, folders[f].path, len) != 0 || path[len] != '/')
            continue;
        unsigned i = 0, number = 0;
        char *name;
        for (struct device *d; (d = next_in(vm, f, &i, &number, &name));) {
            bool same = !strcmp(path + len + 1, name);
            g_free(name);
            if (same)
                return d;
        }
    }
    return NULL;
}

static void add_entry(JsonArray *a, const char *name, const char *type)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "name", name);
    json_object_set_string_member(o, "type", type);
    json_array_add_object_element(a, o);
}

static bool is_balloon(const struct device *d)
{
    return d->vm->balloon && g_str_has_prefix(d->cls->name, "virtio-balloon");
}

static void list_device(const struct device *d, JsonArray *a)
{
    add_entry(a, "type", "string");
    add_props(a, d->cls->props, false);
    add_props(a, d->cls->bus ? d->cls->bus->props : NULL, false);
    if (is_balloon(d)) {
        add_entry(a, "guest-stats", "guest statistics");
        add_entry(a, "guest-stats-polling-interval", "int");
    }
}

static bool list_folder(struct vm *vm, const char *path, JsonArray *a)
{
    bool root = !strcmp(path, "/"), machine = !strcmp(path, "/machine");

    if (root)
        add_entry(a, "machine", "child<pc-machine>");
    for (unsigned f = 0; f < G_N_ELEMENTS(folders); f++) {
        if (machine)
            add_entry(a, folders[f].path + strlen("/machine/"), "child<container>");
        if (strcmp(path, folders[f].path) != 0)
            continue;
        unsigned i = 0, number = 0;
        char *name;
        for (struct device *d; (d = next_in(vm, f, &i, &number, &name));) {
            char *type = g_strdup_printf("child<%s>", d->cls->name);
            add_entry(a, name, type);
            g_free(type);
            g_free(name);
        }
        return true;
    }
    return root || machine;
}

QMP_COMMAND(qmp_qom_list)
{
    UNUSED;
    const char *path = qarg_str(args, "path");
    JsonArray *a = json_array_new();

    vm_lock(q->vm);
    struct device *d = device_at(q->vm, path);
    if (d)
        list_device(d, a);
    bool ok = d || list_folder(q->vm, path, a);
    vm_unlock(q->vm);
    *ret = qmp_array(a);
    return ok || qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", path);
}

/* As JSON has it: numbers and booleans, else the text of `info qtree`. */
static JsonNode *prop_value(const struct prop *p, const struct device *d)
{
    const void *at = (const char *) d + p->offset;
    JsonNode *n = json_node_alloc();

    switch (p->type) {
    case PT_BOOL: return json_node_init_boolean(n, *(const bool *) at);
    case PT_I32: return json_node_init_int(n, *(const int32_t *) at);
    case PT_U8: case PT_U16: case PT_U32: case PT_U64: case PT_SIZE: {
        uint64_t v = 0;
        memcpy(&v, at, p->size); /* little-endian, as the host is */
        return json_node_init_int(n, (gint64) v);
    }
    default: {
        char *text = prop_print(p, d);
        json_node_init_string(n, text);
        g_free(text);
        return n;
    }
    }
}

static JsonNode *guest_stats(struct vm *vm)
{
    JsonObject *o = json_object_new(), *s = json_object_new();
    struct balloon_stats st = { 0 };

    balloon_stats(vm, &st, NULL);
    for (unsigned i = 0; i < N_BALLOON_STATS; i++)
        json_object_set_int_member(s, balloon_stat_names[i], (gint64) st.value[i]); /* -1: not told */
    json_object_set_object_member(o, "stats", s);
    json_object_set_int_member(o, "last-update", st.last_update);
    return qmp_object(o);
}

static JsonNode *get(struct device *d, const char *name)
{
    const struct prop *p = prop_find(d->cls->props, name);
    uint32_t seconds = 0;

    if (!p && d->cls->bus)
        p = prop_find(d->cls->bus->props, name);
    if (p)
        return prop_value(p, d);
    if (!strcmp(name, "type"))
        return json_node_init_string(json_node_alloc(), d->cls->name);
    if (is_balloon(d) && !strcmp(name, "guest-stats"))
        return guest_stats(d->vm);
    if (is_balloon(d) && !strcmp(name, "guest-stats-polling-interval") && balloon_polling(d->vm, &seconds, NULL))
        return json_node_init_int(json_node_alloc(), seconds);
    return NULL;
}

QMP_COMMAND(qmp_qom_get)
{
    UNUSED;
    const char *path = qarg_str(args, "path"), *name = qarg_str(args, "property");

    vm_lock(q->vm);
    struct device *d = device_at(q->vm, path);
    *ret = d ? get(d, name) : NULL;
    vm_unlock(q->vm);
    if (!d)
        return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    return *ret || fail(err, "Property '%s.%s' not found", d->cls->name, name);
}

QMP_COMMAND(qmp_qom_set)
{
    UNUSED;
    const char *path = qarg_str(args, "path"), *name = qarg_str(args, "property");
    JsonNode *value = json_object_get_member(args, "value");
    bool ok;

    vm_lock(q->vm);
    struct device *d = device_at(q->vm, path);
    if (!d)
        ok = qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    else if (is_balloon(d) && !strcmp(name, "guest-stats-polling-interval"))
        ok = qmp_check_value(&qmp_int, false, value, name, err) &&
             balloon_set_polling(q->vm, json_node_get_int(value), err);
    else
        ok = fail(err, "Property '%s.%s' can't be set while the machine is there", d->cls->name, name);
    vm_unlock(q->vm);
    return ok;
}

/* --- options ------------------------------------------------------------------------------------------------ */

static JsonObject *option_object(const struct option *t)
{
    JsonObject *o = json_object_new();
    JsonArray *a = json_array_new();

    for (const struct prop *p = t->props; p && p->type != PT_END; p++) {
        JsonObject *m = json_object_new();
        bool number = p->type == PT_U8 || p->type == PT_U16 || p->type == PT_U32 || p->type == PT_U64 ||
                      p->type == PT_I32;
        json_object_set_string_member(m, "name", p->name);
        if (p->desc)
            json_object_set_string_member(m, "help", p->desc);
        json_object_set_string_member(m, "type", p->type == PT_BOOL   ? "boolean"
                                                 : p->type == PT_SIZE ? "size"
                                                 : number             ? "number"
                                                                      : "string");
        json_array_add_object_element(a, m);
    }
    json_object_set_array_member(o, "parameters", a);
    json_object_set_string_member(o, "option", t->name);
    return o;
}

QMP_COMMAND(qmp_query_options)
{
    UNUSED;
    const char *only = qarg_str(args, "option");
    JsonArray *a = json_array_new();

    for (const struct option *t = option_table; t->name; t++)
        if (t->help && t->arg && (!only || !strcmp(only, t->name)))
            json_array_add_object_element(a, option_object(t));
    *ret = qmp_array(a);
    return !only || json_array_get_length(a) || fail(err, "invalid option name: %s", only);
}
