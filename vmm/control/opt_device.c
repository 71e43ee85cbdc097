/* vmm/control/opt_device.c - -device, -global, -vga: checked against the catalog, made later. */
#include "vmm/control/options_impl.h"

static const struct prop *device_prop(const struct device_class *c, const char *name)
{
    const struct prop *p = prop_find(c->props, name);

    return p || !c->bus ? p : prop_find(c->bus->props, name);
}

/* --- help ----------------------------------------------------------------------------------------- */

static char *list_devices(void)
{
    GString *s = g_string_new("Devices for -device (see -device NAME,help):\n");

    for (unsigned i = 0; device_catalog[i]; i++) {
        const struct device_class *c = device_catalog[i];
        if (c->internal)
            continue;
        g_string_append_printf(s, "name \"%s\"", c->name);
        if (c->bus)
            g_string_append_printf(s, ", bus %s", c->bus->name);
        if (c->alias)
            g_string_append_printf(s, ", alias \"%s\"", c->alias);
        if (c->desc)
            g_string_append_printf(s, ", desc \"%s\"", c->desc);
        g_string_append_c(s, '\n');
    }
    return g_string_free(s, FALSE);
}

static void list_props(GString *s, const struct prop *props, const void *defaults)
{
    for (const struct prop *p = props; p && p->type; p++) {
        char *type = prop_type_text(p), *left = g_strdup_printf("%s=<%s>", p->name, type);
        char *value = prop_type_is_ref(p->type) ? g_strdup("") : prop_print(p, defaults);
        g_string_append_printf(s, "  %-26s", left);
        if (p->desc)
            g_string_append_printf(s, " - %s", p->desc);
        if (*value)
            g_string_append_printf(s, " (default: %s)", value);
        g_string_append_c(s, '\n');
        g_free(value);
        g_free(left);
        g_free(type);
    }
}

static char *describe_device(const struct device_class *c)
{
    GString *s = g_string_new(NULL);
    void *tmp = g_malloc0(c->size);

    props_set_defaults(c->props, tmp);
    if (c->bus)
        props_set_defaults(c->bus->props, tmp);
    g_string_append_printf(s, "%s options:\n", c->name);
    list_props(s, c->props, tmp);
    if (c->bus) {
        list_props(s, c->bus->props, tmp);
        g_string_append_printf(s, "  %-26s - the %s bus that it is plugged into\n", "bus=<str>",
                               c->bus->name);
        props_free(c->bus->props, tmp);
    }
    props_free(c->props, tmp);
    g_free(tmp);
    return g_string_free(s, FALSE);
}

/* --- checks --------------------------------------------------------------------------------------- */

static const struct device_class *find_class(const char *what, const char *name, bool user, GError **err)
{
    const struct device_class *c = device_class_find(name);
    static const char *const later[] = { "virtio-", "e1000",      "rtl8139",    "ne2k_pci", "pcnet",
                                         "usb-",    "qxl",        "cirrus-vga", "sb16",     "AC97",
                                         "ES1370",  "intel-hda",  "hda-",       "nvme",     "ahci",
                                         "scsi-",   "lsi53c895a", "vfio-",      "pcie-",    "vmware-svga",
                                         NULL };

    if (c && !(c->internal && user))
        return c;
    if (c) {
        fail(err, "%s: '%s' is part of the board and can't be added", what, name);
        return NULL;
    }
    for (unsigned i = 0; later[i]; i++)
        if (g_str_has_prefix(name, later[i])) {
            fail(err, "%s: '%s' is not built yet; -device help lists what there is", what, name);
            return NULL;
        }
    GPtrArray *names = g_ptr_array_new();
    for (unsigned i = 0; device_catalog[i]; i++)
        if (!user || !device_catalog[i]->internal)
            g_ptr_array_add(names, (gpointer) device_catalog[i]->name);
    g_ptr_array_add(names, NULL);
    char *hint = nearest_hint(name, (const char *const *) names->pdata);
    fail(err, "%s: there is no device '%s'%s; see -device help", what, name, hint);
    g_free(hint);
    g_ptr_array_free(names, TRUE);
    return NULL;
}

static bool fail_prop(const char *what, const struct device_class *c, const char *name, GError **err)
{
    const struct prop *tables[2] = { c->props, c->bus ? c->bus->props : NULL };
    GPtrArray *names = g_ptr_array_new();

    for (unsigned t = 0; t < 2; t++)
        for (const struct prop *p = tables[t]; p && p->type; p++)
            g_ptr_array_add(names, (gpointer) p->name);
    g_ptr_array_add(names, NULL);
    char *hint = nearest_hint(name, (const char *const *) names->pdata);
    fail(err, "%s: device '%s' has no property '%s'%s; see -device %s,help", what, c->name, name, hint,
         c->name);
    g_free(hint);
    g_ptr_array_free(names, TRUE);
    return false;
}

static bool ref_exists(const struct options *o, const struct prop *p, const char *value, GError **err)
{
    if (p->type == PT_CHARDEV)
        return options_chardev(o, value) || fail(err, "%s: there is no chardev with id '%s'", p->name, value);
    if (p->type == PT_NETDEV)
        return options_has_netdev(o, value) || fail(err, "%s: there is no netdev with id '%s'", p->name, value);
    if (p->type == PT_IOTHREAD) {
        for (unsigned i = 0; i < o->iothreads->len; i++)
            if (!strcmp(((struct opt_iothread *) o->iothreads->pdata[i])->id, value))
                return true;
        return fail(err, "%s: there is no iothread with id '%s'; add -object iothread,id=%s", p->name, value, value);
    }
    for (unsigned i = 0; i < o->drives->len; i++) {
        const struct drive_config *d = &((struct opt_drive *) o->drives->pdata[i])->cfg;
        if (strcmp(d->id, value) != 0)
            continue;
        return d->interface == DRIVE_NONE || d->interface == DRIVE_VIRTIO || /* the -device it is short for */
               fail(err, "%s: drive '%s' has its slot by if=; give it if=none", p->name, value);
    }
    return fail(err, "%s: there is no drive with id '%s'; add -drive if=none,id=%s,file=...", p->name, value,
                value);
}

/* Would the value be taken?  References are looked up among the options. */
static bool check_value(const struct options *o, const char *what, const struct device_class *c,
                        const char *name, const char *value, GError **err)
{
    const struct prop *p = device_prop(c, name);

    if (!p)
        return (c->bus && !strcmp(name, "bus")) || fail_prop(what, c, name, err);
    if (prop_type_is_ref(p->type))
        return ref_exists(o, p, value, err) || fail_prefix(err, "%s", what);
    void *tmp = g_malloc0(c->size);
    bool ok = prop_parse(NULL, p, tmp, value, err) || fail_prefix(err, "%s", what);
    if (p->type == PT_STR)
        g_free(*(char **) ((char *) tmp + p->offset));
    g_free(tmp);
    return ok;
}

/* --- -device -------------------------------------------------------------------------------------- */

void opt_device_free(void *p)
{
    struct opt_device *d = p;

    keyvals_clear(&d->kv);
    g_free(d->id);
    g_free(d);
}

bool opt_device(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) opt;
    if (is_help(arg)) {
        o->text = list_devices();
        return true;
    }
    struct opt_device *d = g_new0(struct opt_device, 1);
    g_ptr_array_add(o->devices, d);
    if (!keyvals_parse(&d->kv, "-device", arg, "driver", err))
        return false;
    const char *driver = keyvals_take(&d->kv, "driver"), *id = keyvals_take(&d->kv, "id");
    if (!driver)
        return fail(err, "-device: which? see -device help");
    d->cls = find_class("-device", driver, true, err);
    if (!d->cls)
        return false;
    for (unsigned i = 0; i < d->kv.n; i++)
        if (d->kv.items[i].bare && is_help(d->kv.items[i].key)) {
            o->text = describe_device(d->cls);
            return true;
        }
    d->id = g_strdup(id);
    return !id || options_claim_id(o, "device", "-device", id, err);
}

/* "nofoo" for foo=off, where the class has foo */
static void undo_bare(const struct device_class *c, struct keyval *item)
{
    if (!item->bare || device_prop(c, item->key) || !g_str_has_prefix(item->key, "no") ||
        !device_prop(c, item->key + 2))
        return;
    memmove(item->key, item->key + 2, strlen(item->key + 2) + 1);
    g_free(item->value);
    item->value = g_strdup("off");
}

static bool drive_used_twice(const struct options *o, const struct opt_device *d, GError **err)
{
    const char *drive = keyvals_get(&d->kv, "drive");

    for (unsigned i = 0; drive && i < o->devices->len && o->devices->pdata[i] != d; i++) {
        const struct opt_device *other = o->devices->pdata[i];
        const char *theirs = keyvals_get(&other->kv, "drive");
        if (theirs && !strcmp(theirs, drive))
            return fail(err, "device '%s': drive '%s' is already used by '%s'", d->id ? d->id : d->cls->name,
                        drive, other->id ? other->id : other->cls->name);
    }
    return true;
}

bool devices_finish(struct options *o, GError **err)
{
    char what[80];

    for (unsigned i = 0; i < o->devices->len; i++) {
        struct opt_device *d = o->devices->pdata[i];
        g_snprintf(what, sizeof what, "device '%s'", d->id ? d->id : d->cls->name);
        for (unsigned k = 0; k < d->kv.n; k++) {
            struct keyval *item = &d->kv.items[k];
            undo_bare(d->cls, item);
            if (!item->used && !check_value(o, what, d->cls, item->key, item->value, err))
                return false;
        }
        if (!drive_used_twice(o, d, err))
            return false;
    }
    for (unsigned i = 0; i < o->globals->len; i++) {
        const struct device_global *g = o->globals->pdata[i];
        const struct device_class *family = device_class_of_family(g->driver);
        if (!check_value(o, "-global", family ? family : device_class_find(g->driver), g->prop, g->value, err))
            return false;
    }
    o->pc.vga = o->state->vga ? o->state->vga : "std";
    bool other = options_has_device(o, "VGA") || options_has_device(o, "bochs-display") ||
                 options_has_device(o, "isa-vga");
    if (o->pc.is_microvm && o->state->vga && strcmp(o->state->vga, "none") != 0)
        return fail(err, "-vga: microvm has no PCI and no display card; leave it out");
    if (!o->state->vga && (!o->pc.defaults || other || o->pc.is_microvm))
        o->pc.vga = "none";
    return true;
}

bool options_has_device(const struct options *o, const char *class_name)
{
    for (unsigned i = 0; i < o->devices->len; i++) {
        const struct device_class *c = ((struct opt_device *) o->devices->pdata[i])->cls;
        if (!strcmp(c->name, class_name) || (c->alias && !strcmp(c->alias, class_name)))
            return true;
    }
    return false;
}

bool options_create_devices(struct options *o, struct vm *vm, GError **err)
{
    for (unsigned i = 0; i < o->devices->len; i++) {
        const struct opt_device *d = o->devices->pdata[i];
        struct device *dev = device_new(vm, d->cls, d->id);
        bool ok = true;
        for (unsigned k = 0; ok && k < d->kv.n; k++)
            if (!d->kv.items[k].used)
                ok = device_set(dev, d->kv.items[k].key, d->kv.items[k].value, err);
        if (!ok || !device_realize(dev, err)) {
            device_free(dev);
            return false;
        }
    }
    return true;
}

/* --- -global, -vga --------------------------------------------------------------------------------- */

void device_global_free(void *p)
{
    struct device_global *g = p;

    g_free(g->driver);
    g_free(g->prop);
    g_free(g->value);
    g_free(g);
}

/* Properties of QEMU's classes that are the machine's here */
static bool machine_global(struct options *o, const struct device_global *g, bool *mine, GError **err)
{
    *mine = true;
    if (!strcmp(g->driver, "kvm-pit") &&
        prop_find((struct prop[]){ { .name = "lost_tick_policy", .type = PT_STR }, {} }, g->prop)) {
        if (strcmp(g->value, "discard") != 0 && strcmp(g->value, "delay") != 0)
            return fail(err, "-global: kvm-pit.lost_tick_policy: '%s' is not one of: delay, discard",
                        g->value);
        o->pc.pit_lost_tick_delay = !strcmp(g->value, "delay");
        return true;
    }
    *mine = false;
    return true;
}

bool opt_global(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct device_global *g = g_new0(struct device_global, 1);
    const char *eq = strchr(arg, '='), *dot = eq ? memchr(arg, '.', (size_t) (eq - arg)) : NULL;
    struct keyvals kv;
    bool ok = true, mine;

    (void) opt;
    if (dot && !memchr(arg, ',', (size_t) (dot - arg))) {
        *g = (struct device_global){ g_strndup(arg, (size_t) (dot - arg)),
                                     g_strndup(dot + 1, (size_t) (eq - dot - 1)), g_strdup(eq + 1) };
    } else {
        if (!keyvals_parse(&kv, "-global", arg, NULL, err)) {
            device_global_free(g);
            return false;
        }
        *g = (struct device_global){ g_strdup(keyvals_get(&kv, "driver")),
                                     g_strdup(keyvals_get(&kv, "property")),
                                     g_strdup(keyvals_get(&kv, "value")) };
        keyvals_clear(&kv);
    }
    if (!g->driver || !g->prop || !g->value)
        ok = fail(err, "-global: '%s': write -global DRIVER.PROPERTY=VALUE", arg);
    ok = ok && machine_global(o, g, &mine, err);
    if (ok && !mine) {
        const struct device_class *family = device_class_of_family(g->driver),
                                  *c = family ? family : find_class("-global", g->driver, false, err);
        ok = c && (device_prop(c, g->prop) || fail_prop("-global", c, g->prop, err));
    }
    if (!ok || mine)
        device_global_free(g);
    else
        g_ptr_array_add(o->globals, g);
    return ok;
}

bool opt_vga(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    static const char *const names[] = { "std", "none", NULL };
    static const char *const later[] = { "cirrus", "vmware", "qxl", "virtio", "xenfb", "tcx", "cg3", NULL };

    if (is_help(arg)) {
        o->text =
            g_strdup("none                 no graphic card\nstd                  standard VGA (default)\n");
        return true;
    }
    if (g_strv_contains(later, arg))
        return fail(err, "-%s: '%s' is not built; use -vga std", opt->name, arg);
    if (!g_strv_contains(names, arg)) {
        char *hint = nearest_hint(arg, names);
        fail(err, "-%s: there is no card '%s'%s; use std or none", opt->name, arg, hint);
        g_free(hint);
        return false;
    }
    g_free(o->state->vga);
    o->state->vga = g_strdup(arg);
    return true;
}
