/* vmm/core/device.c - device instances, buses, ISA claims. */
#include "vmm/core/device.h"
#include "vmm/core/vm.h"

/* --- buses ------------------------------------------------------------------------------------- */

void bus_init(struct bus *bus, struct vm *vm, const struct bus_class *cls, const char *name,
              struct device *owner, void *opaque)
{
    *bus = (struct bus){ cls, g_strdup(name), owner, opaque };
    g_ptr_array_add(vm->buses, bus);
}

void bus_clear(struct bus *bus, struct vm *vm)
{
    if (!bus->cls)
        return;
    g_ptr_array_remove(vm->buses, bus);
    g_clear_pointer(&bus->name, g_free);
    bus->cls = NULL;
}

static char *bus_list(struct vm *vm, const struct bus_class *cls)
{
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; i < vm->buses->len; i++) {
        struct bus *b = vm->buses->pdata[i];
        if (b->cls == cls)
            g_string_append_printf(s, "%s%s", s->len ? ", " : "", b->name);
    }
    return g_string_free(s, FALSE);
}

static struct bus *bus_choose(struct device *d, GError **err)
{
    const struct bus_class *cls = d->cls->bus;
    struct bus *full = NULL;

    for (unsigned i = 0; i < d->vm->buses->len; i++) {
        struct bus *b = d->vm->buses->pdata[i];
        if (d->bus_name && strcmp(d->bus_name, b->name) != 0)
            continue;
        if (b->cls != cls) {
            if (!d->bus_name)
                continue;
            fail(err, "bus '%s' is no %s bus", b->name, cls->name);
            return NULL;
        }
        if (d->bus_name || !cls->is_full || !cls->is_full(b))
            return b;
        full = b;
    }
    if (d->bus_name) {
        char *known = bus_list(d->vm, cls);
        fail(err, "there is no bus '%s'; the %s buses are: %s", d->bus_name, cls->name, *known ? known : "none");
        g_free(known);
    } else if (full) {
        fail(err, "no room left on any %s bus", cls->name);
    } else {
        fail(err, "this machine has no %s bus", cls->name);
    }
    return NULL;
}

/* --- instances --------------------------------------------------------------------------------- */

const struct device_class *device_class_find(const char *name)
{
    for (unsigned i = 0; device_catalog[i]; i++) {
        const struct device_class *c = device_catalog[i];
        if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name)))
            return c;
    }
    return NULL;
}

const struct device_class *device_class_of_family(const char *name)
{
    for (unsigned i = 0; device_catalog[i]; i++)
        if (device_catalog[i]->family && !strcmp(device_catalog[i]->family, name))
            return device_catalog[i];
    return NULL;
}

static bool is_called(const struct device_class *cls, const char *name)
{
    return !strcmp(name, cls->name) || (cls->alias && !strcmp(name, cls->alias)) ||
           (cls->family && !strcmp(name, cls->family));
}

struct device *device_new(struct vm *vm, const struct device_class *cls, const char *id)
{
    struct device *d = g_malloc0(cls->size);

    d->cls = cls;
    d->vm = vm;
    d->id = g_strdup(id);
    d->name = d->id ? d->id : cls->name;
    tracer_init(&d->trace, &vm->log, cls->name);
    if (cls->bus)
        props_set_defaults(cls->bus->props, d);
    props_set_defaults(cls->props, d);
    for (unsigned i = 0; vm->globals && i < vm->globals->len; i++) {
        const struct device_global *g = vm->globals->pdata[i];
        GError *err = NULL;
        if (!is_called(cls, g->driver))
            continue;
        if (!device_set(d, g->prop, g->value, &err)) {
            warn_user("-global: %s", err->message);
            g_error_free(err);
        }
    }
    return d;
}

static const struct prop *find_prop(const struct device *d, const char *name)
{
    const struct prop *p = prop_find(d->cls->props, name);

    return !p && d->cls->bus ? prop_find(d->cls->bus->props, name) : p;
}

static char *prop_hint(const struct device *d, const char *name)
{
    GPtrArray *names = g_ptr_array_new();
    const struct prop *tables[2] = { d->cls->props, d->cls->bus ? d->cls->bus->props : NULL };

    for (int t = 0; t < 2; t++)
        for (const struct prop *p = tables[t]; p && p->type; p++)
            g_ptr_array_add(names, (gpointer) p->name);
    g_ptr_array_add(names, NULL);
    char *hint = nearest_hint(name, (const char *const *) names->pdata);
    g_ptr_array_free(names, TRUE);
    return hint;
}

bool device_set(struct device *d, const char *prop, const char *value, GError **err)
{
    const struct prop *p = find_prop(d, prop);

    if (!strcmp(prop, "bus") && d->cls->bus) {
        g_free(d->bus_name);
        d->bus_name = g_strdup(value);
        return true;
    }
    if (!p) {
        char *hint = prop_hint(d, prop);
        fail(err, "device '%s' has no property '%s'%s; see -device %s,help", d->cls->name, prop, hint, d->cls->name);
        g_free(hint);
        return false;
    }
    return prop_parse(d->vm, p, d, value, err) || fail_prefix(err, "device '%s'", d->name);
}

char *device_get(const struct device *d, const char *prop)
{
    const struct prop *p = find_prop(d, prop);

    return p ? prop_print(p, d) : NULL;
}

bool device_realize(struct device *d, GError **err)
{
    if (d->cls->bus) {
        d->bus = bus_choose(d, err);
        if (!d->bus || !d->bus->cls->attach(d->bus, d, err)) {
            d->bus = NULL;
            return fail_prefix(err, "device '%s'", d->name);
        }
    }
    if (d->cls->realize && !d->cls->realize(d, err)) {
        if (d->cls->unrealize)
            d->cls->unrealize(d);
        if (d->bus && d->bus->cls->detach)
            d->bus->cls->detach(d->bus, d);
        d->bus = NULL;
        return fail_prefix(err, "device '%s'", d->name);
    }
    d->realized = true;
    g_ptr_array_add(d->vm->devices, d);
    return true;
}

void device_free(struct device *d)
{
    if (d->realized) {
        if (d->cls->unrealize)
            d->cls->unrealize(d);
        if (d->bus && d->bus->cls->detach)
            d->bus->cls->detach(d->bus, d);
        g_ptr_array_remove(d->vm->devices, d);
    }
    if (d->cls->bus)
        props_free(d->cls->bus->props, d);
    props_free(d->cls->props, d);
    for (unsigned i = 0; i < G_N_ELEMENTS(d->vm->isa.dma); i++)
        if (d->vm->isa.dma[i].owner == d)
            memset(&d->vm->isa.dma[i], 0, sizeof d->vm->isa.dma[i]);
    tracer_clear(&d->trace);
    g_free(d->bus_name);
    g_free(d->id);
    g_free(d);
}

struct device *device_find(struct vm *vm, const char *id)
{
    for (unsigned i = 0; i < vm->devices->len; i++) {
        struct device *d = vm->devices->pdata[i];
        if (d->id && !strcmp(d->id, id))
            return d;
    }
    return NULL;
}

void device_reset(struct device *d)
{
    if (d->bus && d->bus->cls->reset)
        d->bus->cls->reset(d->bus, d);
    if (d->cls->reset)
        d->cls->reset(d);
}

void device_reset_all(struct vm *vm)
{
    space_begin(&vm->mem);
    space_begin(&vm->pio);
    for (unsigned i = 0; i < vm->devices->len; i++)
        device_reset(vm->devices->pdata[i]);
    space_commit(&vm->pio);
    space_commit(&vm->mem);
}

struct device *device_create(struct vm *vm, const struct device_class *cls, const char *id, const char *props,
                             GError **err)
{
    struct device *d = device_new(vm, cls, id);
    char **list = g_strsplit(props ? props : "", ",", -1);
    bool ok = true;

    for (char **p = list; ok && *p; p++) {
        char *eq = strchr(*p, '=');
        if (eq)
            *eq = 0;
        ok = device_set(d, *p, eq ? eq + 1 : "on", err);
    }
    g_strfreev(list);
    if (ok && device_realize(d, err))
        return d;
    device_free(d);
    return NULL;
}

/* --- boot order -------------------------------------------------------------------------------- */

static char *fw_path(const struct device *d)
{
    char *above = d->bus && d->bus->owner ? fw_path(d->bus->owner) : g_strdup("");
    char *node = d->bus && d->bus->cls->fw_node ? d->bus->cls->fw_node(d) : NULL;
    char *path = node ? g_strconcat(above, "/", node, NULL) : g_strdup(above);

    g_free(node);
    g_free(above);
    return path;
}

static int by_index(const void *a, const void *b)
{
    const struct boot_entry *x = *(void *const *) a, *y = *(void *const *) b;
    return x->index < y->index ? -1 : x->index > y->index;
}

bool device_add_boot(struct device *d, int32_t bootindex, const char *suffix, GError **err)
{
    GPtrArray *order = d->vm->boot_order;

    if (bootindex < 0)
        return true;
    for (unsigned i = 0; i < order->len; i++) {
        const struct boot_entry *e = order->pdata[i];
        if (e->index == bootindex)
            return fail(err, "bootindex %d is already used by %s", bootindex, e->path);
    }
    struct boot_entry *e = g_new(struct boot_entry, 1);
    char *path = fw_path(d);
    *e = (struct boot_entry){ bootindex, g_strconcat(path, suffix, NULL) };
    g_free(path);
    g_ptr_array_add(order, e);
    g_ptr_array_sort(order, by_index);
    return true;
}

/* --- saving and loading ------------------------------------------------------------------------ */

void device_save(struct device *d, GByteArray *out)
{
    if (d->cls->pre_save)
        d->cls->pre_save(d);
    if (d->cls->bus && d->cls->bus->state)
        state_save(d->cls->bus->state, d, out);
    if (d->cls->state)
        state_save(d->cls->state, d, out);
}

static bool load(struct device *d, void *base, const uint8_t *p, const uint8_t *end, GError **err)
{
    if (d->cls->bus && d->cls->bus->state && !state_load(d->cls->bus->state, base, &p, end, err))
        return false;
    if (d->cls->state && !state_load(d->cls->state, base, &p, end, err))
        return false;
    return p == end || fail(err, "%zu bytes too many", (size_t) (end - p));
}

static bool post_load(struct device *d)
{
    return (!d->bus || !d->bus->cls->post_load || d->bus->cls->post_load(d->bus, d)) &&
           (!d->cls->post_load || d->cls->post_load(d));
}

bool device_load(struct device *d, const uint8_t *data, size_t len, GError **err)
{
    static const uint8_t nothing[1];

    if (!data) /* of a class without state */
        data = nothing, len = 0;
    if (!load(d, NULL, data, data + len, err)) /* a dry run: nothing is stored unless all of it is good */
        return fail_prefix(err, "state of '%s'", d->name);
    GByteArray *before = g_byte_array_new(); /* a reset would leave what the RESET pin does not reach */
    device_save(d, before);
    bool fits = load(d, d, data, data + len, NULL), ok = fits && post_load(d); /* how much RAM, how many vectors */
    if (!ok) {
        if (before->len)
            load(d, d, before->data, before->data + before->len, NULL);
        post_load(d);
        fail(err, "state of '%s' is not consistent", d->name);
    }
    g_byte_array_unref(before);
    return ok;
}

/* --- ISA --------------------------------------------------------------------------------------- */

static int line_raise_status(void *opaque, int n)
{
    struct irq_or *o = opaque;

    (void) n;
    if (o->high++ > 0)
        return 0;
    return irq_raise_status(&o->out);
}

bool isa_claim_irq(struct device *d, struct irq *irq, unsigned n, GError **err)
{
    if (n >= 16)
        return fail(err, "irq %u is out of range: 0 to 15", n);
    irq_connect(irq, irq_or_set, &d->vm->isa.line[n], (int) n);
    irq->raise_status = line_raise_status;
    return true;
}

bool isa_claim_dma(struct device *d, unsigned chan, void (*notify)(void *opaque), void *opaque, GError **err)
{
    struct isa *isa = &d->vm->isa;

    if (chan >= 8 || chan == 4)
        return fail(err, "DMA channel %u is out of range: 0 to 3 or 5 to 7", chan);
    if (isa->dma[chan].owner)
        return fail(err, "DMA channel %u is already used by %s", chan, isa->dma[chan].owner->name);
    isa->dma[chan].owner = d;
    isa->dma[chan].notify = notify;
    isa->dma[chan].opaque = opaque;
    return true;
}

size_t isa_dma_to_memory(struct device *d, unsigned chan, const void *buf, size_t len, bool *tc)
{
    struct isa *isa = &d->vm->isa;

    *tc = false;
    return isa->dma_ops ? isa->dma_ops->to_memory(isa->dma_opaque, chan, buf, len, tc) : 0;
}

size_t isa_dma_from_memory(struct device *d, unsigned chan, void *buf, size_t len, bool *tc)
{
    struct isa *isa = &d->vm->isa;

    *tc = false;
    return isa->dma_ops ? isa->dma_ops->from_memory(isa->dma_opaque, chan, buf, len, tc) : 0;
}
