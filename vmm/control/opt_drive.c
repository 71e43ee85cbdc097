/* vmm/control/opt_drive.c - -drive and its short forms, and who sits in which slot. */
#include "vmm/control/options_impl.h"

static const char *const if_names[] = { "ide", "floppy", "virtio", "none", NULL };
static const char *const media_names[] = { "disk", "cdrom", NULL };

const struct prop drive_props[] = {
    PROP_STR(struct opt_drive, file, NULL, .desc = "the image; none: an empty drive"),
    PROP_ENUM(struct opt_drive, interface, DRIVE_IDE, if_names, .name = "if", .desc = "what it is plugged into; none: a -device takes it"),
    PROP_I32(struct opt_drive, index, -1, .desc = "which of the interface's drives"),
    PROP_I32(struct opt_drive, bus, -1, .desc = "the bus: IDE 0, 1"),
    PROP_I32(struct opt_drive, unit, -1, .desc = "the unit on the bus: 0, 1"),
    PROP_ENUM(struct opt_drive, media, MEDIA_DISK, media_names, .desc = "hard disk or CD-ROM"),
    PROP_STR(struct opt_drive, format, NULL, .desc = "raw ...; none: found out"),
    PROP_STR(struct opt_drive, cache, NULL, .desc = "writeback, none, writethrough, directsync, unsafe"),
    PROP_ONOFFAUTO(struct opt_drive, cache_writeback, OOA_AUTO, .name = "cache.writeback", .desc = "the guest sees a write cache"),
    PROP_ONOFFAUTO(struct opt_drive, cache_direct, OOA_AUTO, .name = "cache.direct", .desc = "past the host's page cache"),
    PROP_ONOFFAUTO(struct opt_drive, cache_no_flush, OOA_AUTO, .name = "cache.no-flush", .desc = "ignore flushes"),
    PROP_STR(struct opt_drive, aio, NULL, .desc = "threads, native"),
    PROP_BOOL(struct opt_drive, snapshot, false, .desc = "writes go to a temporary file"),
    PROP_ONOFFAUTO(struct opt_drive, readonly, OOA_AUTO, .desc = "refuse writes"),
    PROP_STR(struct opt_drive, werror, NULL, .desc = "on write errors: report, stop, ignore, enospc"),
    PROP_STR(struct opt_drive, rerror, NULL, .desc = "on read errors: report, stop, ignore"),
    PROP_STR(struct opt_drive, discard, NULL, .desc = "ignore, unmap"),
    PROP_STR(struct opt_drive, detect_zeroes, NULL, .name = "detect-zeroes", .desc = "off, on, unmap"),
    PROP_STR(struct opt_drive, serial, NULL, .desc = "serial number that the guest reads"),
    PROP_ONOFFAUTO(struct opt_drive, locking, OOA_AUTO, .name = "file.locking", .desc = "lock the image against another writer"),
    {}
};

static const struct refused_key drive_refused[] = {
    { "copy-on-read", "off", "not built" },
    { "auto-read-only", "off", "not built; use readonly=on" },
    { "addr", NULL, "use -drive if=none,id=X and -device ...,drive=X,addr=..." },
    { "bps", "0", "throttling is not built" }, { "bps_rd", "0", "throttling is not built" }, { "bps_wr", "0", "throttling is not built" },
    { "iops", "0", "throttling is not built" }, { "iops_rd", "0", "throttling is not built" },
    { "iops_wr", "0", "throttling is not built" }, { "throttling.bps-total", "0", "throttling is not built" },
    { "throttling.iops-total", "0", "throttling is not built" }, { "group", NULL, "throttling is not built" },
    { "cyls", NULL, "use cyls= of the -device" }, { "heads", NULL, "use heads= of the -device" },
    { "secs", NULL, "use secs= of the -device" }, { "trans", NULL, "use bios-chs-trans= of the -device" },
    { "node-name", NULL, "use id=" }, { "driver", NULL, "use format= and file=" },
    { "file.driver", NULL, "use file=" }, { "file.filename", NULL, "use file=" }, { "backing.file.filename", NULL, "it is in the image" },
    { "encrypt.format", NULL, "encrypted images are not built" }, { "force-share", "off", "use file.locking=off" },
    {}
};

static bool one_of(const char *what, const char *key, const char *value, const char *const *names, GError **err)
{
    if (!value || g_strv_contains(names, value))
        return true;
    char *all = g_strjoinv(", ", (char **) names);
    fail(err, "%s: %s: '%s' is not one of: %s", what, key, value, all);
    g_free(all);
    return false;
}

static bool check_values(const char *what, const struct opt_drive *d, GError **err)
{
    static const char *const caches[] = { "writeback", "none", "writethrough", "directsync", "unsafe", "off", NULL },
        *const werrors[] = { "report", "stop", "ignore", "enospc", NULL }, *const rerrors[] = { "report", "stop", "ignore", NULL },
        *const discards[] = { "ignore", "unmap", "off", "on", NULL }, *const zeroes[] = { "off", "on", "unmap", NULL },
        *const aios[] = { "threads", "native", "io_uring", NULL };

    if (d->aio && !strcmp(d->aio, "io_uring"))
        return fail(err, "%s: aio=io_uring is not built; use threads or native", what);
    return one_of(what, "cache", d->cache, caches, err) && one_of(what, "werror", d->werror, werrors, err) &&
           one_of(what, "rerror", d->rerror, rerrors, err) && one_of(what, "discard", d->discard, discards, err) &&
           one_of(what, "detect-zeroes", d->detect_zeroes, zeroes, err) && one_of(what, "aio", d->aio, aios, err);
}

/* if= of QEMU's other boards and of what is not built, by name */
static bool check_if(const char *what, const char *value, GError **err)
{
    static const char *const gone[] = { "scsi", "sd", "mtd", "pflash", "xen", NULL };

    if (value && g_strv_contains(gone, value))
        return fail(err, "%s: if=%s is not built; use ide, floppy, virtio, or none with a -device", what, value);
    return true;
}

bool opt_drive(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct keyvals kv;
    char what[80] = "-drive";

    if (is_help(arg))
        return opt_list(o, opt, arg, err); /* never gets to setting */
    if (!keyvals_parse(&kv, what, arg, NULL, err))
        return false;
    struct opt_drive *d = g_new0(struct opt_drive, 1);
    props_set_defaults(drive_props, d);
    d->origin = "-drive";
    g_ptr_array_add(o->drives, d);
    const char *id = keyvals_take(&kv, "id"), *ro = keyvals_take(&kv, "read-only");
    bool ok = true;
    if (id) {
        ok = options_claim_id(o, "drive", what, id, err);
        d->id = g_strdup(id);
        g_snprintf(what, sizeof what, "drive '%s'", id);
    }
    ok = ok && check_if(what, keyvals_get(&kv, "if"), err) && keyvals_apply(&kv, what, drive_props, drive_refused, d, err) &&
         (!ro || prop_parse(NULL, prop_find(drive_props, "readonly"), d, ro, err) || fail_prefix(err, "%s", what)) &&
         check_values(what, d, err);
    if (d->file && !*d->file)
        g_clear_pointer(&d->file, g_free);
    keyvals_clear(&kv);
    return ok;
}

bool opt_disk(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct opt_drive *d = g_new0(struct opt_drive, 1);
    const char *name = opt->name;

    props_set_defaults(drive_props, d);
    g_ptr_array_add(o->drives, d);
    d->origin = opt->text; /* with the '-' */
    if (!*arg && strcmp(name, "cdrom") != 0)
        return fail(err, "-%s: the file name is empty", name);
    d->file = *arg ? g_strdup(arg) : NULL;
    if (!strcmp(name, "cdrom")) {
        d->media = MEDIA_CDROM;
        d->index = 2;
    } else if (g_str_has_prefix(name, "fd")) {
        d->interface = DRIVE_FLOPPY;
        d->index = name[2] - 'a';
    } else {
        d->index = name[2] - 'a';
    }
    return true;
}

void opt_drive_free(void *p)
{
    struct opt_drive *d = p;

    props_free(drive_props, d);
    g_free(d->id);
    g_free(d);
}

/* --- slots ---------------------------------------------------------------------------------------- */

static struct opt_drive *at_index(const struct options *o, const struct opt_drive *but, int interface, int index)
{
    for (unsigned i = 0; i < o->drives->len; i++) {
        struct opt_drive *d = o->drives->pdata[i];
        if (d != but && d->interface == interface && d->index == index)
            return d;
    }
    return NULL;
}

static const char *drive_text(const struct opt_drive *d)
{
    return d->file ? d->file : "empty";
}

/* bus= and unit= against index=; what is left out is worked out.  An index of -1 stays for now: such drives take what is left. */
static bool resolve(struct opt_drive *d, GError **err)
{
    int per_bus = d->interface == DRIVE_VIRTIO ? 1 : 2;
    int max_bus = d->interface == DRIVE_IDE ? 2 : d->interface == DRIVE_FLOPPY ? 1 : INT32_MAX;

    if (d->interface == DRIVE_NONE) {
        if (d->index >= 0 || d->bus >= 0 || d->unit >= 0)
            return fail(err, "%s: index, bus and unit mean nothing with if=none; give them to the -device", d->origin);
        return true;
    }
    if (d->index < -1 || d->bus < -1 || d->unit < -1)
        return fail(err, "%s: index, bus and unit begin at 0", d->origin);
    if (d->index >= 0 && (d->bus >= 0 || d->unit >= 0))
        return fail(err, "%s: index=%d can't be given with bus= or unit=", d->origin, d->index);
    if (d->unit >= per_bus)
        return fail(err, "%s: unit=%d: there are units 0 to %d", d->origin, d->unit, per_bus - 1);
    if (d->bus >= max_bus)
        return fail(err, "%s: bus=%d: there are buses 0 to %d", d->origin, d->bus, max_bus - 1);
    if (d->index >= 0 && d->index / per_bus >= max_bus)
        return fail(err, "%s: index=%d: there are %d %s drives, 0 to %d", d->origin, d->index, per_bus * max_bus,
                    if_names[d->interface], per_bus * max_bus - 1);
    if (d->unit >= 0)
        d->index = MAX(d->bus, 0) * per_bus + d->unit;
    return true;
}

static bool place(struct options *o, struct opt_drive *d, GError **err)
{
    int limit = d->interface == DRIVE_IDE ? PC_N_IDE : d->interface == DRIVE_FLOPPY ? PC_N_FLOPPY : INT32_MAX;

    if (d->interface == DRIVE_NONE)
        return true;
    if (d->index < 0) {
        int i = d->bus > 0 ? d->bus * 2 : 0;
        int end = d->bus >= 0 && d->interface == DRIVE_IDE ? i + 2 : limit;
        while (i < end && at_index(o, d, d->interface, i))
            i++;
        if (i == end)
            return fail(err, "%s: '%s': no %s slot is free", d->origin, drive_text(d), if_names[d->interface]);
        d->index = i;
    }
    struct opt_drive *other = at_index(o, d, d->interface, d->index);
    if (other)
        return fail(err, "%s: '%s': %s drive %d is already taken by '%s' (%s)", d->origin, drive_text(d), if_names[d->interface], d->index,
                    drive_text(other), other->origin);
    int per_bus = d->interface == DRIVE_VIRTIO ? 1 : 2;
    d->bus = d->index / per_bus;
    d->unit = d->index % per_bus;
    return true;
}

static bool name_drive(struct options *o, struct opt_drive *d, GError **err)
{
    static const char *const prefix[] = { "ide", "floppy", "virtio", "none" };
    unsigned n = 0;

    if (d->id)
        return true;
    if (d->interface == DRIVE_IDE) {
        d->id = g_strdup_printf("ide%d-%s%d", d->bus, d->media == MEDIA_CDROM ? "cd" : "hd", d->unit);
    } else if (d->interface == DRIVE_NONE) {
        do {
            g_free(d->id);
            d->id = g_strdup_printf("none%u", n);
            char *key = g_strconcat("drive:", d->id, NULL);
            bool taken = g_hash_table_contains(o->state->ids, key);
            g_free(key);
            if (!taken)
                break;
        } while (++n < 1000);
    } else {
        d->id = g_strdup_printf("%s%d", prefix[d->interface], d->index);
    }
    return options_claim_id(o, "drive", d->origin, d->id, err);
}

static bool default_wanted(const struct options *o, const char *const *instead)
{
    for (; *instead; instead++)
        if (options_has_device(o, *instead))
            return false;
    return o->pc.defaults;
}

static void add_default(struct options *o, int interface, int media, int index)
{
    struct opt_drive *d = g_new0(struct opt_drive, 1);

    if (at_index(o, NULL, interface, index)) {
        g_free(d);
        return;
    }
    props_set_defaults(drive_props, d);
    d->origin = "default drive";
    d->interface = interface;
    d->media = media;
    d->index = index;
    g_ptr_array_add(o->drives, d);
}

bool drives_finish(struct options *o, GError **err)
{
    static const char *const no_cdrom[] = { "ide-cd", "ide-hd", "scsi-cd", "scsi-hd", NULL },
        *const no_floppy[] = { "isa-fdc", "floppy", NULL };

    if (o->state->image) {
        struct opt_drive *d = g_new0(struct opt_drive, 1);
        props_set_defaults(drive_props, d);
        d->origin = "disk image";
        d->file = g_strdup(o->state->image);
        d->index = 0;
        g_ptr_array_add(o->drives, d);
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
        if (!place(o, d, err) || !name_drive(o, d, err))
            return false;
        d->snapshot |= o->state->snapshot && d->media == MEDIA_DISK;
        if (d->readonly == OOA_AUTO)
            d->readonly = d->media == MEDIA_CDROM ? OOA_ON : OOA_OFF;
        if (d->interface == DRIVE_IDE) {
            if (!d->file && d->media == MEDIA_DISK)
                return fail(err, "drive '%s': a hard disk needs an image: file=...", d->id);
            o->pc.has_ide[d->index] = true;
            o->pc.ide_cdrom[d->index] = d->media == MEDIA_CDROM;
        } else if (d->interface == DRIVE_FLOPPY) {
            o->pc.has_floppy[d->index] = true;
        } else if (d->interface == DRIVE_VIRTIO) {
            return fail(err, "drive '%s': if=virtio is not built yet; use if=ide", d->id);
        }
    }
    return true;
}
