/* vmm/control/qmp_dev.c - QMP commands: chardevs, input, the screen, links, PCI. */
#include "hw/pci/pci.h"
#include "vmm/char/backend.h"
#include "vmm/control/action.h"
#include "vmm/control/qmp_impl.h"
#include "vmm/net/net.h"
#include "vmm/ui/input.h"

#define UNUSED (void) q, (void) args, (void) ret, (void) err

/* --- chardevs ---------------------------------------------------------------------------------------------- */

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

QMP_COMMAND(qmp_query_chardev)
{
    UNUSED;
    JsonArray *a = json_array_new();

    vm_lock(q->vm);
    GList *ids = g_list_sort(g_hash_table_get_keys(q->vm->chardevs), by_text);
    for (GList *l = ids; l; l = l->next) {
        const struct chardev *c = g_hash_table_lookup(q->vm->chardevs, l->data);
        JsonObject *o = json_object_new();
        json_object_set_boolean_member(o, "frontend-open", c->fe || c->ops->attach);
        json_object_set_string_member(o, "filename", c->filename ? c->filename : "");
        json_object_set_string_member(o, "label", c->id);
        json_array_add_object_element(a, o);
    }
    g_list_free(ids);
    vm_unlock(q->vm);
    *ret = qmp_array(a);
    return true;
}

QMP_COMMAND(qmp_query_chardev_backends)
{
    UNUSED;
    JsonArray *a = json_array_new();
    for (unsigned i = 0; chardev_kind_names[i]; i++) {
        JsonObject *o = json_object_new();
        json_object_set_string_member(o, "name", chardev_kind_names[i]);
        json_array_add_object_element(a, o);
    }
    *ret = qmp_array(a);
    return true;
}

static struct chardev *chardev_of(struct qmp *q, const char *id, GError **err)
{
    struct chardev *c = chardev_find(q->vm, id);

    if (!c)
        qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    return c;
}

static bool is_base64(JsonObject *args)
{
    const char *format = qarg_str(args, "format");

    return format && !strcmp(format, "base64");
}

QMP_COMMAND(qmp_ringbuf_read)
{
    UNUSED;
    int64_t max = qarg_int(args, "size", 0);
    size_t len = 0;

    if (max <= 0)
        return fail(err, "size must be greater than zero");
    max = MIN(max, (int64_t) MiB); /* an answer's size is bounded; what is left can be read by the next */
    uint8_t *buf = g_malloc((size_t) max);
    vm_lock(q->vm);
    struct chardev *c = chardev_of(q, qarg_str(args, "device"), err);
    bool ok = c && chardev_ringbuf_read(c, buf, (size_t) max, &len, err);
    vm_unlock(q->vm);
    if (ok) {
        char *text = is_base64(args) ? g_base64_encode(buf, len) : g_utf8_make_valid((char *) buf, (gssize) len);
        *ret = json_node_init_string(json_node_alloc(), text);
        g_free(text);
    }
    g_free(buf);
    return ok;
}

QMP_COMMAND(qmp_ringbuf_write)
{
    UNUSED;
    const char *data = qarg_str(args, "data");
    guchar *bytes = NULL;
    gsize len = strlen(data);

    if (is_base64(args)) {
        if (len % 4 || strspn(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != len)
            return fail(err, "Parameter 'data' is no base64");
        bytes = g_base64_decode(data, &len);
    }
    vm_lock(q->vm);
    struct chardev *c = chardev_of(q, qarg_str(args, "device"), err);
    bool ok = c && chardev_ringbuf_write(c, bytes ? bytes : (const uint8_t *) data, len, err);
    vm_unlock(q->vm);
    g_free(bytes);
    return ok;
}

QMP_COMMAND(qmp_chardev_send_break)
{
    UNUSED;
    vm_lock(q->vm);
    struct chardev *c = chardev_of(q, qarg_str(args, "id"), err);
    if (c && c->fe && c->fe->event)
        c->fe->event(c->fe_opaque, CHARDEV_BREAK);
    vm_unlock(q->vm);
    return c;
}

/* --- input and screen -------------------------------------------------------------------------------------- */

struct mice {
    JsonArray *list;
    int index;
};

static void add_mouse(void *opaque, const char *name, bool absolute, bool current)
{
    struct mice *m = opaque;
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "name", name);
    json_object_set_boolean_member(o, "absolute", absolute);
    json_object_set_boolean_member(o, "current", current);
    json_object_set_int_member(o, "index", m->index++);
    json_array_add_object_element(m->list, o);
}

QMP_COMMAND(qmp_query_mice)
{
    UNUSED;
    struct mice m = { json_array_new(), 0 };

    vm_lock(q->vm);
    input_each_pointer(q->vm, add_mouse, &m);
    vm_unlock(q->vm);
    *ret = qmp_array(m.list);
    return true;
}

static bool key_code(JsonObject *key, unsigned *code, GError **err)
{
    char number[32];
    const char *name = number;

    if (!strcmp(json_object_get_string_member(key, "type"), "number")) {
        int64_t n = json_object_get_int_member(key, "data");
        if (n < 1 || n > 0xffff)
            return fail(err, "Parameter 'keys' expects scan codes of 1 to 0xff, or 0xe001 to 0xe07f");
        g_snprintf(number, sizeof number, "0x%x", (unsigned) n);
    } else {
        name = json_object_get_string_member(key, "data");
    }
    return input_parse_keys(name, code, 1, err) == 1;
}

QMP_COMMAND(qmp_send_key)
{
    UNUSED;
    JsonArray *keys = json_object_get_array_member(args, "keys");
    unsigned codes[16], n = json_array_get_length(keys);
    int64_t hold = qarg_int(args, "hold-time", 100);

    if (!n || n > G_N_ELEMENTS(codes))
        return fail(err, "Parameter 'keys' expects 1 to %zu keys", G_N_ELEMENTS(codes));
    if (hold < 1 || hold > 600000)
        return fail(err, "Parameter 'hold-time' expects 1 to 600000 (ms)");
    for (unsigned i = 0; i < n; i++)
        if (!key_code(json_array_get_object_element(keys, i), &codes[i], err))
            return false;
    return action_send_keys(q->vm, codes, n, (unsigned) hold, err);
}

QMP_COMMAND(qmp_screendump)
{
    UNUSED;
    const char *device = qarg_str(args, "device"), *format = qarg_str(args, "format");

    if (qarg_int(args, "head", 0) != 0)
        return fail(err, "Parameter 'head' expects 0: a display card has one");
    if (device && !device_find(q->vm, device))
        return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", device);
    return action_screendump(q->vm, qarg_str(args, "filename"), format ? format : "ppm", err);
}

/* --- links ------------------------------------------------------------------------------------------------- */

QMP_COMMAND(qmp_set_link)
{
    UNUSED;
    const char *name = qarg_str(args, "name");

    vm_lock(q->vm);
    bool ok = action_set_link(q->vm, name, qarg_bool(args, "up", true));
    vm_unlock(q->vm);
    return ok || qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", name);
}

/* --- PCI --------------------------------------------------------------------------------------------------- */

static JsonObject *bar_object(const struct pci_dev *p, unsigned n)
{
    const struct pci_bar *bar = p->bars[n];
    bool io = bar->type & PCI_BAR_IO;
    JsonObject *o = json_object_new();
    uint64_t addr;

    json_object_set_int_member(o, "bar", n);
    if (!io) {
        json_object_set_boolean_member(o, "prefetch", (bar->type & PCI_BAR_PREFETCH) != 0);
        json_object_set_boolean_member(o, "mem_type_64", (bar->type & PCI_BAR_MEM64) != 0);
    }
    json_object_set_int_member(o, "size", (gint64) bar->size);
    json_object_set_int_member(o, "address", pci_bar_mapped(p, n, &addr) ? (gint64) addr : -1);
    json_object_set_string_member(o, "type", io ? "io" : "memory");
    return o;
}

static JsonObject *pci_object(const struct pci_dev *p)
{
    JsonObject *o = json_object_new(), *id = json_object_new(), *cls = json_object_new();
    JsonArray *bars = json_array_new();
    unsigned code = ld_le16(p->cfg + PCI_CLASS_DEVICE), pin = p->cfg[PCI_INTERRUPT_PIN];
    const char *fw;

    json_object_set_int_member(o, "bus", 0);
    json_object_set_int_member(o, "slot", p->devfn >> 3);
    json_object_set_int_member(o, "function", p->devfn & 7);
    json_object_set_int_member(cls, "class", code);
    json_object_set_string_member(cls, "desc", pci_class_text(code, &fw));
    json_object_set_object_member(o, "class_info", cls);
    json_object_set_int_member(id, "device", ld_le16(p->cfg + PCI_DEVICE_ID));
    json_object_set_int_member(id, "vendor", ld_le16(p->cfg + PCI_VENDOR_ID));
    if (!(p->cfg[PCI_HEADER_TYPE] & 0x7f)) {
        json_object_set_int_member(id, "subsystem", ld_le16(p->cfg + PCI_SUBSYSTEM_ID));
        json_object_set_int_member(id, "subsystem-vendor", ld_le16(p->cfg + PCI_SUBSYSTEM_VENDOR_ID));
    }
    json_object_set_object_member(o, "id", id);
    if (pin)
        json_object_set_int_member(o, "irq", p->cfg[PCI_INTERRUPT_LINE]);
    json_object_set_int_member(o, "irq_pin", pin);
    json_object_set_string_member(o, "qdev_id", p->dev.id ? p->dev.id : "");
    for (unsigned n = 0; n < PCI_N_BARS; n++)
        if (p->bars[n])
            json_array_add_object_element(bars, bar_object(p, n));
    json_object_set_array_member(o, "regions", bars);
    return o;
}

QMP_COMMAND(qmp_query_pci)
{
    UNUSED;
    JsonArray *buses = json_array_new();
    int number = 0;

    vm_lock(q->vm);
    for (unsigned i = 0; i < q->vm->buses->len; i++) {
        struct bus *b = q->vm->buses->pdata[i];
        if (b->cls != &pci_bus_class)
            continue;
        const struct pci_bus *pb = container_of(b, struct pci_bus, bus);
        JsonObject *o = json_object_new();
        JsonArray *devices = json_array_new();
        for (unsigned devfn = 0; devfn < G_N_ELEMENTS(pb->devs); devfn++)
            if (pb->devs[devfn])
                json_array_add_object_element(devices, pci_object(pb->devs[devfn]));
        json_object_set_int_member(o, "bus", number++);
        json_object_set_array_member(o, "devices", devices);
        json_array_add_object_element(buses, o);
    }
    vm_unlock(q->vm);
    *ret = qmp_array(buses);
    return true;
}
