/* vmm/control/opt_drive.c - -drive and its short forms, and who sits in which slot. */
#include "vmm/control/options_impl.h"

static const char *const if_names[] = { "ide", "floppy", "virtio", "none" };

static const struct refused_key drive_refused[] = {
    { "auto-read-only", "off", "not built; use readonly=on" },
    { "addr", NULL, "use -drive if=none,id=X and -device ...,drive=X,addr=..." },
    { "group", NULL, "throttling is not built" },
    { "cyls", NULL, "use cyls= of the -device" },
    { "heads", NULL, "use heads= of the -device" },
    { "secs", NULL, "use secs= of the -device" },
    { "trans", NULL, "use bios-chs-trans= of the -device" },
    { "node-name", NULL, "use id=" },
    { "file.driver", NULL, "use file=" },
    { "backing.file.filename", NULL, "it is in the image" },
    { "encrypt.format", NULL, "encrypted images are not built" },
    { "force-share", "off", "use file.locking=off" },
    {}
};

/* if= of QEMU's other boards and of what is not built, by name */
static bool check_if(const char *what, const char *value, GError **err)
{
    static const char *const gone[] = { "scsi", "sd", "mtd", "pflash", "xen", NULL };

    if (value && g_strv_contains(gone, value))
        return fail(err, "%s: if=%s is not built; use ide, floppy, or none with a -device", what, value);
    return true;
}

static struct opt_drive *add_drive(struct options *o, const char *origin)
{
    struct opt_drive *d = g_new0(struct opt_drive, 1);

    d->origin = origin;
    drive_config_init(&d->cfg);
    g_ptr_array_add(o->drives, d);
    return d;
}

bool opt_drive(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct keyvals kv;
    char what[80] = "-drive";

    if (is_help(arg))
        return opt_list(o, opt, arg, err); /* never gets to setting */
    if (!keyvals_parse(&kv, what, arg, NULL, err))
        return false;
    struct drive_config *cfg = &add_drive(o, "-drive")->cfg;
    const char *id = keyvals_take(&kv, "id");
    bool ok = true;
    if (id) {
        ok = options_claim_id(o, "drive", what, id, err);
        cfg->id = g_strdup(id);
        g_snprintf(what, sizeof what, "drive '%s'", id);
    }
    ok = ok && check_if(what, keyvals_get(&kv, "if"), err) &&
         keyvals_apply(&kv, what, drive_props, drive_refused, cfg, err) && drive_config_check(cfg, what, err);
    if (cfg->file && !*cfg->file)
        g_clear_pointer(&cfg->file, g_free);
    keyvals_clear(&kv);
    return ok;
}

bool opt_disk(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct drive_config *cfg = &add_drive(o, opt->text)->cfg; /* the name with the '-' */
    const char *name = opt->name;
    bool cdrom = !strcmp(name, "cdrom");

    if (!*arg && !cdrom)
        return fail(err, "-%s: the file name is empty", name);
    cfg->file = *arg ? g_strdup(arg) : NULL;
    cfg->media = cdrom ? MEDIA_CDROM : MEDIA_DISK;
    cfg->interface = g_str_has_prefix(name, "fd") ? DRIVE_FLOPPY : DRIVE_IDE;
    cfg->index = cdrom ? 2 : (unsigned) (name[2] - 'a');
    return true;
}

void opt_drive_free(void *p)
{
    struct opt_drive *d = p;

    drive_config_clear(&d->cfg);
    g_free(d);
}

/* --- slots ---------------------------------------------------------------------------------------- */

static struct opt_drive *at_index(const struct options *o, const struct opt_drive *but, int interface,
                                  uint32_t index)
{
    for (unsigned i = 0; i < o->drives->len; i++) {
        struct opt_drive *d = o->drives->pdata[i];
        if (d != but && d->cfg.interface == interface && d->cfg.index == index)
            return d;
    }
    return NULL;
}

static const char *drive_text(const struct opt_drive *d)
{
    return d->cfg.file ? d->cfg.file : "empty";
}

static unsigned per_bus(int interface)
{
    return interface == DRIVE_VIRTIO ? 1 : 2;
}

static unsigned limit(int interface)
{
    return interface == DRIVE_IDE ? PC_N_IDE : interface == DRIVE_FLOPPY ? PC_N_FLOPPY : INT32_MAX;
}

/* bus= and unit= against index=.  An index that is not given stays unset for now: such drives take what is
 * left. */
static bool resolve(struct opt_drive *d, GError **err)
{
    struct drive_config *c = &d->cfg;
    bool index = c->index != DRIVE_UNSET, bus = c->bus != DRIVE_UNSET, unit = c->unit != DRIVE_UNSET;
    unsigned n = per_bus(c->interface), max = limit(c->interface);

    if (c->interface == DRIVE_NONE)
        return !(index || bus || unit) ||
               fail(err, "%s: index, bus and unit mean nothing with if=none; give them to the -device",
                    d->origin);
    if (index && (bus || unit))
        return fail(err, "%s: index=%u can't be given with bus= or unit=", d->origin, c->index);
    if (unit && c->unit >= n)
        return fail(err, "%s: unit=%u: there are units 0 to %u", d->origin, c->unit, n - 1);
    if (bus && c->bus >= max / n)
        return fail(err, "%s: bus=%u: there are buses 0 to %u", d->origin, c->bus, max / n - 1);
    if (index && c->index >= max)
        return fail(err, "%s: index=%u: there are %u %s drives, 0 to %u", d->origin, c->index, max,
                    if_names[c->interface], max - 1);
    if (unit)
        c->index = (bus ? c->bus : 0) * n + c->unit;
    return true;
}

static bool place(struct options *o, struct opt_drive *d, GError **err)
{
    struct drive_config *c = &d->cfg;
    unsigned n = per_bus(c->interface);

    if (c->interface == DRIVE_NONE)
        return true;
    if (c->index == DRIVE_UNSET) {
        bool bus = c->bus != DRIVE_UNSET;
        uint32_t i = bus ? c->bus * n : 0, end = bus ? i + n : limit(c->interface);
        while (i < end && at_index(o, d, c->interface, i))
            i++;
        if (i == end)
            return fail(err, "%s: '%s': no %s slot is free", d->origin, drive_text(d),
                        if_names[c->interface]);
        c->index = i;
    }
    struct opt_drive *other = at_index(o, d, c->interface, c->index);
    if (other)
        return fail(err, "%s: '%s': %s drive %u is already taken by '%s' (%s)", d->origin, drive_text(d),
                    if_names[c->interface], c->index, drive_text(other), other->origin);
    c->bus = c->index / n;
    c->unit = c->index % n;
    return true;
}

static bool name_drive(struct options *o, struct opt_drive *d, GError **err)
{
    struct drive_config *c = &d->cfg;

    if (c->id)
        return true;
    if (c->interface == DRIVE_IDE) {
        c->id = g_strdup_printf("ide%u-%s%u", c->bus, c->media == MEDIA_CDROM ? "cd" : "hd", c->unit);
    } else if (c->interface != DRIVE_NONE) {
        c->id = g_strdup_printf("%s%u", if_names[c->interface], c->index);
    } else {
        bool taken = true;
        for (unsigned n = 0; taken; n++) {
            g_free(c->id);
            c->id = g_strdup_printf("none%u", n);
            char *key = g_strconcat("drive:", c->id, NULL);
            taken = g_hash_table_contains(o->state->ids, key);
            g_free(key);
        }
    }
    return options_claim_id(o, "drive", d->origin, c->id, err);
}

static bool default_wanted(const struct options *o, const char *const *instead)
{
    for (; *instead; instead++)
        if (options_has_device(o, *instead))
            return false;
    return o->pc.defaults && !o->pc.is_microvm;
}

static void add_default(struct options *o, int interface, int media, uint32_t index)
{
    if (at_index(o, NULL, interface, index))
        return;
    struct drive_config *c = &add_drive(o, "default drive")->cfg;
    c->interface = interface;
    c->media = media;
    c->index = index;
}

/* if=virtio is short for a -device, behind all others on the bus. */
static void add_virtio(struct options *o, const struct drive_config *c)
{
    struct opt_device *d = g_new0(struct opt_device, 1);
    char *list = g_strdup_printf("drive=%s", c->id);

    d->cls = device_class_find(o->pc.is_microvm ? "virtio-blk-device" : "virtio-blk-pci");
    keyvals_parse(&d->kv, "-drive", list, NULL, NULL); /* an id has no comma */
    g_ptr_array_add(o->devices, d);
    g_free(list);
}

bool drives_finish(struct options *o, GError **err)
{
    static const char *const no_cdrom[] = { "ide-cd", "ide-hd", "scsi-cd", "scsi-hd", NULL },
        *const no_floppy[] = { "isa-fdc", "floppy", NULL };

    if (o->state->image) {
        struct drive_config *c = &add_drive(o, "disk image")->cfg;
        c->file = g_strdup(o->state->image);
        c->index = 0;
    }
    for (unsigned i = 0; i < o->drives->len; i++)
        if (!resolve(o->drives->pdata[i], err))
            return false;
    for (unsigned i = 0; i < o->drives->len; i++)
        if (!place(o, o->drives->pdata[i], err))
            return false;
    if (default_wanted(o, no_cdrom))
        add_default(o, DRIVE_IDE, MEDIA_CDROM, 2);
    if (default_wanted(o, no_floppy))
        add_default(o, DRIVE_FLOPPY, MEDIA_DISK, 0);
    for (unsigned i = 0; i < o->drives->len; i++) {
        struct opt_drive *d = o->drives->pdata[i];
        struct drive_config *c = &d->cfg;
        if (!place(o, d, err) || !name_drive(o, d, err))
            return false;
        if (!drive_config_finish(c, err))
            return fail_prefix(err, "drive '%s'", c->id);
        if (!c->file && ((c->media == MEDIA_DISK && c->interface == DRIVE_IDE) || c->interface == DRIVE_VIRTIO))
            return fail(err, "drive '%s': a hard disk needs an image: file=...", c->id);
        if (o->pc.is_microvm && (c->interface == DRIVE_IDE || c->interface == DRIVE_FLOPPY))
            return fail(err, "drive '%s': microvm has no IDE and no floppy controller; use if=none and "
                             "-device virtio-blk-device,drive=%s", c->id, c->id);
        if (c->interface == DRIVE_VIRTIO)
            add_virtio(o, c);
        c->snapshot |= o->state->snapshot && c->media == MEDIA_DISK && c->file && !c->read_only;
        if (c->interface == DRIVE_IDE) {
            o->pc.has_ide[c->index] = true;
            o->pc.ide_cdrom[c->index] = c->media == MEDIA_CDROM;
        } else if (c->interface == DRIVE_FLOPPY) {
            o->pc.has_floppy[c->index] = true;
        }
    }
    return true;
}

bool options_open_drives(struct options *o, struct vm *vm, GError **err)
{
    for (unsigned i = 0; i < o->drives->len; i++) {
        const struct drive_config *c = &((struct opt_drive *) o->drives->pdata[i])->cfg;
        struct blk *blk = drive_open(vm, c, err);
        if (!blk)
            return false;
        if (c->interface == DRIVE_IDE)
            o->pc.ide[c->index] = blk;
        else if (c->interface == DRIVE_FLOPPY)
            o->pc.floppy[c->index] = blk;
    }
    return true;
}
