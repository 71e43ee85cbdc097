/* tests/hw/catalog_rig.c - what each class of the catalog needs around it. */
#include "tests/hw/catalog_rig.h"

static struct device *create(struct bench *b, const char *name, const char *props)
{
    const struct device_class *cls = device_class_find(name);
    GError *err = NULL;

    g_assert_nonnull(cls);
    struct device *d = device_create(b->vm, cls, NULL, props, &err);
    if (!d)
        g_error("%s,%s: %s", name, props ? props : "", err->message);
    return d;
}

struct catalog_rig catalog_rig_prepare(enum catalog_extent extent)
{
    bool full = extent == CATALOG_FULL;
    struct catalog_rig r = { .b = bench_new(16 * MiB) };

    /* full: as small as may be, since a fuzzer makes it for each input */
    bench_blk(r.b, "disk", full ? 256 * KiB : 4 * MiB);
    bench_blk(r.b, "floppy", 1440 * KiB);
    bench_chardev(r.b, "chr");
    bench_net(r.b, "net", 1, NET_CSUM | NET_TSO4);
    if (full) {
        struct fake_blk *cd = bench_blk(r.b, "cd", 256 * KiB);
        cd->blk.read_only = cd->blk.removable = true;
    }
    return r;
}

static void plug_around(struct catalog_rig *r, const struct device_class *cls, bool full)
{
    const char *bus = cls->bus ? cls->bus->name : "";
    bool floppy = !strcmp(bus, "floppy-bus"), ide = !strcmp(bus, "IDE");

    if (!strcmp(bus, "virtio-mmio"))
        bench_mmio_bus(r->b);
    if (!strcmp(bus, "PCI") || ide)
        create(r->b, "i440FX", NULL);
    if (ide)
        create(r->b, "piix3-ide", NULL);
    if (!strcmp(bus, "virtio-serial-bus")) {
        create(r->b, "i440FX", NULL);
        create(r->b, "virtio-serial-pci", NULL);
    }
    if (full && (floppy || !strcmp(cls->name, "isa-fdc")))
        create(r->b, "i8237", NULL);
    if (floppy)
        create(r->b, "isa-fdc", NULL);
}

static void plug_into(struct catalog_rig *r, const struct device_class *cls)
{
    if (!strcmp(cls->name, "isa-fdc"))
        create(r->b, "floppy", "drive=floppy");
    if (!strcmp(cls->name, "piix3-ide")) {
        create(r->b, "ide-hd", "drive=disk");
        create(r->b, "ide-cd", "drive=cd");
    }
    if (g_str_has_prefix(cls->name, "virtio-serial-")) {
        create(r->b, "virtconsole", NULL);
        create(r->b, "virtserialport", "chardev=chr,name=port");
    }
}

bool catalog_rig_plug(struct catalog_rig *r, const struct device_class *cls, enum catalog_extent extent,
                      const char *props, GError **err)
{
    const char *bus = cls->bus ? cls->bus->name : "";
    bool full = extent == CATALOG_FULL, given = props != NULL;

    plug_around(r, cls, full);
    for (const struct prop *p = cls->props; p && p->type != PT_END && !given; p++) {
        if (p->type == PT_BLK && !strcmp(p->name, "drive"))
            props = g_str_has_prefix(cls->name, "virtio-blk") ? "drive=disk" :
                strcmp(bus, "IDE") != 0 ? "drive=floppy" :
                full && !strcmp(cls->name, "ide-cd") ? "drive=cd" : "drive=disk";
        else if (p->type == PT_CHARDEV)
            props = "chardev=chr";
        else if (p->type == PT_NETDEV)
            props = !strcmp(bus, "PCI") ? "netdev=net,romfile=" : "netdev=net";
        else if (full && !strcmp(p->name, "vgamem_mb"))
            props = "vgamem_mb=1";
        else if (full && !strcmp(p->name, "max_ports"))
            props = "max_ports=4";
        else if (!strcmp(p->name, "lost_tick_policy") && prop_find(cls->props, "clock"))
            props = "base=datetime,clock=vm"; /* not the host's time: it differs between two instances */
    }
    r->d = device_create(r->b->vm, cls, NULL, props, err);
    if (!r->d)
        return false;
    if (full && !given)
        plug_into(r, cls);
    device_reset_all(r->b->vm);
    bench_run(r->b);
    return true;
}

struct catalog_rig catalog_rig_new(const struct device_class *cls, enum catalog_extent extent)
{
    struct catalog_rig r = catalog_rig_prepare(extent);
    GError *err = NULL;

    if (!catalog_rig_plug(&r, cls, extent, NULL, &err))
        g_error("%s: %s", cls->name, err->message);
    return r;
}

void catalog_rig_free(struct catalog_rig *r)
{
    bench_free(r->b);
}

GByteArray *catalog_rig_save(struct catalog_rig *r)
{
    GByteArray *a = g_byte_array_new();

    device_save(r->d, a);
    return a;
}

/* The format is that of state.c: name, element size, count, elements. */
char *catalog_state_differs(const GByteArray *a, const GByteArray *b)
{
    for (size_t at = 0; at < a->len && at < b->len;) {
        const uint8_t *p = a->data + at;
        size_t head = 1u + *p + 8, len = (size_t) ld_le32(p + head - 8) * ld_le32(p + head - 4);
        if (at + head + len > b->len || memcmp(p, b->data + at, head + len) != 0) {
            size_t i = 0;
            while (at + i + 1 < b->len && p[i] == b->data[at + i])
                i++;
            return g_strdup_printf("%.*s differs at byte %zd of %zu: %02x, %02x", *p, (const char *) p + 1,
                                   (ssize_t) (i - head), len, p[i], b->data[at + i]);
        }
        at += head + len;
    }
    return a->len == b->len ? NULL : g_strdup_printf("%u bytes, %u bytes", a->len, b->len);
}
