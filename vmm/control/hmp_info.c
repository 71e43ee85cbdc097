/* vmm/control/hmp_info.c - monitor commands: info. */
#include "hw/pci/pci.h"
#include "vmm/block/qcow2_snapshot.h"
#include "vmm/control/action.h"
#include "vmm/control/monitor_impl.h"
#include "vmm/ui/input.h"
#include "vmm/core/iothread.h"

bool info_status(struct hmp *h, GError **err)
{
    enum run_state s = h->vm->state;
    bool plain = s == RUN_RUNNING || s == RUN_PAUSED;

    (void) err;
    hmp_print(h, "VM status: %s%s%s%s\n", s == RUN_RUNNING ? "running" : "paused", plain ? "" : " (",
              plain ? "" : run_state_names[s], plain ? "" : ")");
    return true;
}

bool info_version(struct hmp *h, GError **err)
{
    (void) err;
    hmp_print(h, "%s\n", BANTAM_VERSION);
    return true;
}

bool info_name(struct hmp *h, GError **err)
{
    (void) err;
    if (h->vm->name)
        hmp_print(h, "%s\n", h->vm->name);
    return true;
}

bool info_uuid(struct hmp *h, GError **err)
{
    (void) err;
    hmp_print(h, "%s\n", h->vm->uuid ? h->vm->uuid : "00000000-0000-0000-0000-000000000000");
    return true;
}

bool info_kvm(struct hmp *h, GError **err)
{
    (void) err;
    hmp_print(h, "kvm support: %s\n", h->vm->accel ? "enabled" : "not compiled");
    return true;
}

bool info_cpus(struct hmp *h, GError **err)
{
    const struct accel_ops *a = h->vm->accel;
    int tid;

    (void) err;
    for (unsigned i = 0; a && a->cpu_thread && (tid = a->cpu_thread(h->vm->accel_opaque, i)) >= 0; i++)
        hmp_print(h, "%c CPU #%u: thread_id=%d\n", i ? ' ' : '*', i, tid);
    return true;
}

bool info_iothreads(struct hmp *h, GError **err)
{
    (void) err;
    vm_lock(h->vm);
    iothreads_describe(h->vm, h->out);
    vm_unlock(h->vm);
    return true;
}

bool info_registers(struct hmp *h, GError **err)
{
    if (h->argc && strcmp(h->argv[0], "-a") != 0)
        return fail(err, "usage: info registers [-a]");
    if (!h->vm->accel)
        return fail(err, "there are no CPUs");
    vm_lock(h->vm);
    h->vm->accel->describe_cpus(h->vm->accel_opaque, h->out);
    vm_unlock(h->vm);
    return true;
}

bool info_pci(struct hmp *h, GError **err)
{
    bool any = false;

    vm_lock(h->vm);
    for (unsigned i = 0; i < h->vm->buses->len; i++) {
        const struct bus *b = h->vm->buses->pdata[i];
        if (b->cls != &pci_bus_class)
            continue;
        pci_bus_describe(container_of(b, struct pci_bus, bus), h->out);
        any = true;
    }
    vm_unlock(h->vm);
    return any || fail(err, "this machine has no PCI bus");
}

bool info_irq(struct hmp *h, GError **err)
{
    (void) err;
    if (h->vm->accel && h->vm->accel->describe_irqchip)
        h->vm->accel->describe_irqchip(h->vm->accel_opaque, h->out);
    vm_lock(h->vm);
    hmp_print(h, "ISA lines high:");
    for (unsigned i = 0; i < G_N_ELEMENTS(h->vm->isa.line); i++)
        if (h->vm->isa.line[i].out.level)
            hmp_print(h, " %u (%d)", i, h->vm->isa.line[i].high);
    hmp_print(h, "\n");
    vm_unlock(h->vm);
    return true;
}

/* --- mtree ------------------------------------------------------------------------------------------- */

static const char *kind_text(const struct region *r)
{
    return r->kind == REGION_RAM ? "ram" : r->kind == REGION_ROM ? "rom" : "i/o";
}

static gint by_base(gconstpointer a, gconstpointer b)
{
    const struct region *x = *(struct region *const *) a, *y = *(struct region *const *) b;

    return x->base != y->base   ? (x->base < y->base ? -1 : 1)
           : x->prio != y->prio ? y->prio - x->prio
                                : (int) y->seq - (int) x->seq;
}

static void print_space(struct hmp *h, const struct space *sp, bool flat)
{
    int digits = sp->limit > UINT32_MAX ? 16 : 4;

    hmp_print(h, "%s: %s\n", flat ? "flat view" : "address-space", sp->name);
    if (flat) {
        for (unsigned i = 0; i < sp->view->n; i++) {
            const struct range *g = &sp->view->ranges[i];
            hmp_print(h, "  %0*" PRIx64 "-%0*" PRIx64 " (prio %d, %s): %s", digits, g->addr, digits,
                      g->addr + g->size - 1, g->r->prio, kind_text(g->r), g->r->name);
            hmp_print(h, g->off ? " @%016" PRIx64 "\n" : "\n", g->off);
        }
        return;
    }
    GPtrArray *all = g_ptr_array_new();
    for (unsigned i = 0; i < sp->regions->len; i++)
        g_ptr_array_add(all, sp->regions->pdata[i]);
    g_ptr_array_sort(all, by_base);
    for (unsigned i = 0; i < all->len; i++) {
        const struct region *r = all->pdata[i];
        hmp_print(h, "  %0*" PRIx64 "-%0*" PRIx64 " (prio %d, %s): %s%s\n", digits, r->base, digits,
                  r->base + r->size - 1, r->prio, kind_text(r), r->name, r->enabled ? "" : " [disabled]");
    }
    g_ptr_array_free(all, TRUE);
}

bool info_mtree(struct hmp *h, GError **err)
{
    bool flat = h->argc && !strcmp(h->argv[0], "-f");

    if (h->argc && !flat)
        return fail(err, "usage: info mtree [-f]");
    vm_lock(h->vm);
    print_space(h, &h->vm->mem, flat);
    print_space(h, &h->vm->pio, flat);
    vm_unlock(h->vm);
    return true;
}

/* --- drives, chardevs --------------------------------------------------------------------------------- */

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

static void print_drive(struct hmp *h, struct blk *b)
{
    struct drive_info d = { 0 };

    drive_query(b, &d);
    if (!b->present) {
        hmp_print(h, "%s: [not inserted]\n", b->id);
    } else {
        hmp_print(h, "%s: %s (%s%s%s)\n", b->id, d.file ? d.file : "?", d.format ? d.format : "?",
                  b->read_only ? ", read-only" : "", d.snapshot ? ", snapshot" : "");
        hmp_print(h, "    Size:             %" PRIu64 " bytes\n", b->size);
    }
    if (b->dev)
        hmp_print(h, "    Attached to:      %s\n", b->dev->name);
    if (b->removable)
        hmp_print(h, "    Removable device: %slocked, tray %s\n", d.locked ? "" : "not ",
                  b->tray_open ? "open" : "closed");
    if (d.cache)
        hmp_print(h, "    Cache mode:       %s, aio %s\n", d.cache, d.aio ? d.aio : "?");
    if (d.io_status && strcmp(d.io_status, "ok") != 0)
        hmp_print(h, "    I/O status:       %s, %u requests wait\n", d.io_status, d.kept);
}

bool info_block(struct hmp *h, GError **err)
{
    vm_lock(h->vm);
    GList *ids = g_list_sort(g_hash_table_get_keys(h->vm->blks), by_text);
    bool any = false;
    const char *only = h->argc ? h->argv[h->argc - 1] : NULL;
    if (only && !strcmp(only, "-v"))
        only = NULL;
    for (GList *l = ids; l; l = l->next) {
        if (only && strcmp(only, l->data) != 0)
            continue;
        if (any)
            hmp_print(h, "\n");
        any = true;
        print_drive(h, g_hash_table_lookup(h->vm->blks, l->data));
    }
    g_list_free(ids);
    vm_unlock(h->vm);
    return any || !only || fail(err, "there is no drive '%s'", only);
}

bool info_blockstats(struct hmp *h, GError **err)
{
    (void) err;
    vm_lock(h->vm);
    GList *ids = g_list_sort(g_hash_table_get_keys(h->vm->blks), by_text);
    for (GList *l = ids; l; l = l->next) {
        const struct blk *b = g_hash_table_lookup(h->vm->blks, l->data);
        hmp_print(h,
                  "%s: rd_bytes=%" PRIu64 " wr_bytes=%" PRIu64 " rd_operations=%" PRIu64
                  " wr_operations=%" PRIu64 " flush_operations=%" PRIu64 " unmap_operations=%" PRIu64
                  " failed_rd_operations=%" PRIu64 " failed_wr_operations=%" PRIu64
                  " failed_flush_operations=%" PRIu64 " rd_total_time_ns=%" PRIu64 " wr_total_time_ns=%" PRIu64
                  " flush_total_time_ns=%" PRIu64 "\n",
                  b->id, b->bytes[0], b->bytes[1], b->ops_done[0], b->ops_done[1], b->ops_done[2],
                  b->ops_done[3], b->failed[0], b->failed[1], b->failed[2], b->total_ns[0], b->total_ns[1],
                  b->total_ns[2]);
    }
    g_list_free(ids);
    vm_unlock(h->vm);
    return true;
}

bool info_snapshots(struct hmp *h, GError **err)
{
    bool any = false;

    (void) err;
    vm_lock(h->vm);
    GList *ids = g_list_sort(g_hash_table_get_keys(h->vm->blks), by_text);
    for (GList *l = ids; l; l = l->next) {
        char *text = qcow2_snapshot_list(g_hash_table_lookup(h->vm->blks, l->data), NULL);
        if (text)
            hmp_print(h, "%s%s:\n%s", any ? "\n" : "", (const char *) l->data, text);
        any |= text != NULL;
        g_free(text);
    }
    g_list_free(ids);
    vm_unlock(h->vm);
    if (!any)
        hmp_print(h, "no drive has an image that can have snapshots inside (qcow2)\n");
    return true;
}

bool info_chardev(struct hmp *h, GError **err)
{
    (void) err;
    vm_lock(h->vm);
    GList *ids = g_list_sort(g_hash_table_get_keys(h->vm->chardevs), by_text);
    for (GList *l = ids; l; l = l->next) {
        const struct chardev *c = g_hash_table_lookup(h->vm->chardevs, l->data);
        hmp_print(h, "%s: filename=%s\n", c->id, c->filename ? c->filename : "?");
    }
    g_list_free(ids);
    vm_unlock(h->vm);
    return true;
}

/* --- qtree -------------------------------------------------------------------------------------------- */

static void print_props(struct hmp *h, const struct device *d, const struct prop *props, int indent)
{
    for (const struct prop *p = props; p && p->type; p++) {
        char *value = prop_print(p, d);
        bool text = p->type == PT_STR || prop_type_is_ref(p->type);
        hmp_print(h, "%*s%s = %s%s%s\n", indent, "", p->name, text ? "\"" : "", value, text ? "\"" : "");
        g_free(value);
    }
}

static void print_bus(struct hmp *h, const struct bus *bus, int indent);

static void print_device(struct hmp *h, const struct device *d, int indent)
{
    hmp_print(h, "%*sdev: %s, id \"%s\"\n", indent, "", d->cls->name, d->id ? d->id : "");
    print_props(h, d, d->cls->props, indent + 2);
    print_props(h, d, d->cls->bus ? d->cls->bus->props : NULL, indent + 2);
    if (d->cls->describe) {
        GString *s = g_string_new(NULL);
        d->cls->describe(d, s);
        char **lines = g_strsplit(s->str, "\n", -1);
        for (char **l = lines; *l; l++)
            if (**l)
                hmp_print(h, "%*s%s\n", indent + 2, "", *l);
        g_strfreev(lines);
        g_string_free(s, TRUE);
    }
    for (unsigned i = 0; i < h->vm->buses->len; i++)
        if (((struct bus *) h->vm->buses->pdata[i])->owner == d)
            print_bus(h, h->vm->buses->pdata[i], indent + 2);
}

static void print_bus(struct hmp *h, const struct bus *bus, int indent)
{
    hmp_print(h, "%*sbus: %s\n%*stype %s\n", indent, "", bus->name, indent + 2, "", bus->cls->name);
    for (unsigned i = 0; i < h->vm->devices->len; i++) {
        const struct device *d = h->vm->devices->pdata[i];
        if (d->bus == bus)
            print_device(h, d, indent + 2);
    }
}

bool info_qtree(struct hmp *h, GError **err)
{
    (void) err;
    vm_lock(h->vm);
    for (unsigned i = 0; i < h->vm->buses->len; i++) {
        const struct bus *b = h->vm->buses->pdata[i];
        if (!b->owner)
            print_bus(h, b, 0);
    }
    hmp_print(h, "board:\n");
    for (unsigned i = 0; i < h->vm->devices->len; i++) {
        const struct device *d = h->vm->devices->pdata[i];
        if (!d->bus)
            print_device(h, d, 2);
    }
    vm_unlock(h->vm);
    return true;
}

bool info_boot(struct hmp *h, GError **err)
{
    (void) err;
    for (unsigned i = 0; i < h->vm->boot_order->len; i++) {
        const struct boot_entry *e = h->vm->boot_order->pdata[i];
        hmp_print(h, "%d: %s\n", e->index, e->path);
    }
    return true;
}

bool info_trace_events(struct hmp *h, GError **err)
{
    struct log *log = &h->vm->log;

    (void) err;
    g_mutex_lock(&log->mutex);
    GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (GList *l = log->tracers.head; l; l = l->next) {
        const struct tracer *t = l->data;
        if ((h->argc && !g_pattern_match_simple(h->argv[0], t->name)) ||
            !g_hash_table_add(seen, (gpointer) t->name))
            continue;
        hmp_print(h, "%s : state %d\n", t->name, t->on);
    }
    g_hash_table_destroy(seen);
    g_mutex_unlock(&log->mutex);
    return true;
}

struct mice {
    struct hmp *h;
    unsigned n;
};

static void print_mouse(void *opaque, const char *name, bool absolute, bool current)
{
    struct mice *m = opaque;

    hmp_print(m->h, "%c Mouse #%u: %s%s\n", current ? '*' : ' ', m->n++, name, absolute ? " (absolute)" : "");
}

bool info_mice(struct hmp *h, GError **err)
{
    struct mice m = { h, 0 };

    (void) err;
    vm_lock(h->vm);
    input_each_pointer(h->vm, print_mouse, &m);
    vm_unlock(h->vm);
    if (!m.n)
        hmp_print(h, "No mouse devices connected\n");
    return true;
}

bool info_memory_size(struct hmp *h, GError **err)
{
    (void) err;
    hmp_print(h, "base memory: %" PRIu64 "\nplugged memory: 0\n", h->vm->ram.block.size);
    return true;
}
