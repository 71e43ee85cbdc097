/* hw/pc/fdc_drive.c - floppy drives and the formats of their media.
 *
 * A medium's format follows from its size.  The drive tells its type to firmware through CMOS: "auto" takes
 * what the medium needs.
 *
 * Deviations: an image keeps neither sector IDs nor address marks nor gaps: IDs are those of a plain format
 * (cylinder, head, 1 to sectors a track, 512 bytes), and deleted data marks last until the medium is
 * changed.  A 360K medium reads at 250 and 300 kb/s in any drive, and in a 1.2M drive also without double
 * stepping: firmware asks for either. */
#include "hw/pc/fdc_drive.h"
#include "vmm/core/vm.h"

static const struct floppy_format formats[] = {
    { 40, 1, 8, RATE_250K | RATE_300K, 5 },  /* 160K */
    { 40, 1, 9, RATE_250K | RATE_300K, 5 },  /* 180K */
    { 40, 2, 8, RATE_250K | RATE_300K, 5 },  /* 320K */
    { 40, 2, 9, RATE_250K | RATE_300K, 5 },  /* 360K */
    { 41, 2, 10, RATE_250K | RATE_300K, 5 }, /* 410K */
    { 42, 2, 10, RATE_250K | RATE_300K, 5 }, /* 420K */
    { 80, 2, 8, RATE_250K, 3 },  /* 640K */
    { 80, 2, 9, RATE_250K, 3 },  /* 720K */
    { 80, 2, 10, RATE_250K, 3 }, /* 800K */
    { 82, 2, 10, RATE_250K, 3 }, /* 820K */
    { 83, 2, 10, RATE_250K, 3 }, /* 830K */
    { 80, 2, 15, RATE_500K, 5 }, /* 1.2M */
    { 80, 2, 18, RATE_500K, 3 }, /* 1.44M */
    { 82, 2, 18, RATE_500K, 3 }, /* 1.48M */
    { 83, 2, 18, RATE_500K, 3 }, /* 1.49M */
    { 80, 2, 20, RATE_500K, 3 }, /* 1.6M */
    { 80, 2, 21, RATE_500K, 3 }, /* 1.68M: DMF */
    { 82, 2, 21, RATE_500K, 3 }, /* 1.72M */
    { 83, 2, 21, RATE_500K, 3 }, /* 1.74M */
    { 80, 2, 22, RATE_500K, 3 }, /* 1.76M */
    { 80, 2, 23, RATE_500K, 3 }, /* 1.84M */
    { 80, 2, 24, RATE_500K, 3 }, /* 1.92M */
    { 80, 2, 36, RATE_1M, 3 },   /* 2.88M */
    { 80, 2, 39, RATE_1M, 3 },   /* 3.12M */
    { 80, 2, 40, RATE_1M, 3 },   /* 3.2M */
    { 80, 2, 44, RATE_1M, 3 },   /* 3.52M */
    { 80, 2, 48, RATE_1M, 3 },   /* 3.84M: 7680 sectors, see FLOPPY_DELETED_BYTES */
};
#define SIZES "160K, 180K, 320K, 360K, 720K, 1.2M, 1.44M, 1.68M, 1.72M, 2.88M"

static const char *const type_text[] = { "no", "360K", "1.2M", "720K", "1.44M", "2.88M" };
static const char *const type_prop[] = { "auto", "360", "120", "720", "144", "288" };

static const struct floppy_format *find_format(uint64_t size)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
        const struct floppy_format *f = &formats[i];
        if (size == (uint64_t) f->cyls * f->heads * f->spt * FLOPPY_SECTOR)
            return f;
    }
    return NULL;
}

static enum floppy_type type_for(const struct floppy_format *f)
{
    if (f->form == 5)
        return f->rates & RATE_500K ? FLOPPY_120 : FLOPPY_360;
    return f->rates & RATE_1M ? FLOPPY_288 : FLOPPY_144; /* which reads 720K, too */
}

static bool fits(enum floppy_type type, const struct floppy_format *f)
{
    switch (type) {
    case FLOPPY_360: return f->form == 5 && !(f->rates & RATE_500K);
    case FLOPPY_120: return f->form == 5;
    case FLOPPY_720: return f->form == 3 && f->rates == RATE_250K;
    case FLOPPY_144: return f->rates == RATE_250K || f->rates == RATE_500K; /* 1.2M as Japan had it */
    case FLOPPY_288: return f->form == 3 || f->rates == RATE_500K;
    default: return false;
    }
}

/* --- for the controller ------------------------------------------------------------------------ */

bool floppy_has_medium(const struct floppy *f)
{
    return f && f->blk && f->blk->present;
}

bool floppy_protected(const struct floppy *f)
{
    return floppy_has_medium(f) && f->blk->read_only;
}

void floppy_step(struct floppy *f, int steps)
{
    if (!f)
        return;
    f->track = (uint8_t) CLAMP(f->track + steps, 0, FLOPPY_MAX_TRACK);
    if (floppy_has_medium(f))
        f->changed = false;
}

unsigned floppy_cylinder(const struct floppy *f, unsigned wanted)
{
    bool twice = f->type == FLOPPY_120 && f->format && f->format->cyls < 50;

    if (!twice || (wanted == f->track && f->track < f->format->cyls))
        return f->track;
    return f->track / 2;
}

bool floppy_readable(const struct floppy *f, unsigned head, unsigned rate)
{
    return floppy_has_medium(f) && f->format && (f->format->rates & rate) && head < f->format->heads &&
           floppy_cylinder(f, f->track) < f->format->cyls;
}

unsigned floppy_lba(const struct floppy *f, unsigned cyl, unsigned head, unsigned sector)
{
    return (cyl * f->format->heads + head) * f->format->spt + sector - 1;
}

/* --- media ------------------------------------------------------------------------------------- */

static bool check_medium(struct floppy *f, GError **err)
{
    const struct floppy_format *format = find_format(f->blk->size);

    f->format = NULL;
    if (!format)
        return fail(err, "drive '%s' has %" PRIu64 " bytes, which is no floppy's size (%s, ...)", f->blk->id,
                    f->blk->size, SIZES);
    if (!fits(f->type, format))
        return fail(err,
                    "the medium in drive '%s' (%d cylinders, %d heads, %d sectors) needs a %s floppy drive "
                    "(drive-type=%s), and this is a %s one",
                    f->blk->id, format->cyls, format->heads, format->spt, type_text[type_for(format)],
                    type_prop[type_for(format)], type_text[f->type]);
    f->format = format;
    return true;
}

static void media_changed(void *opaque, bool present)
{
    struct floppy *f = opaque;
    GError *err = NULL;

    f->format = NULL;
    f->changed = true;
    memset(f->deleted, 0, sizeof f->deleted);
    if (present && !check_medium(f, &err)) { /* it is in the drive all the same, and unreadable */
        warn_user("%s", err->message);
        g_error_free(err);
    }
    TRACE(&f->dev, "medium %s", f->format ? "in" : "out");
}

static void resized(void *opaque)
{
    struct floppy *f = opaque;

    media_changed(f, f->blk->present);
}
static const struct blk_dev_ops blk_dev_ops = { .resized = resized, .media_changed = media_changed };

/* --- life -------------------------------------------------------------------------------------- */

static const char *const type_names[] = { "auto", "144", "288", "120", "360", "720", NULL };
static const enum floppy_type type_values[] = {FLOPPY_NONE, FLOPPY_144, FLOPPY_288,
                                               FLOPPY_120,  FLOPPY_360, FLOPPY_720};

static bool floppy_realize(struct device *d, GError **err)
{
    struct floppy *f = container_of(d, struct floppy, dev);
    struct floppy_bus *bus = container_of(d->bus, struct floppy_bus, bus);
    const struct floppy_format *format = NULL;

    if (f->blk && !blk_attach(f->blk, d, &blk_dev_ops, f, err))
        return false;
    if (floppy_has_medium(f))
        format = find_format(f->blk->size);
    f->type = type_values[f->drive_type];
    if (f->type == FLOPPY_NONE)
        f->type = format ? type_for(format) : bus->empty_type;
    f->changed = true;
    if (floppy_has_medium(f) && !check_medium(f, err))
        return false;
    bus->drive[f->unit] = f;
    return device_add_boot(d, f->bootindex, NULL, err);
}

static void floppy_unrealize(struct device *d)
{
    struct floppy *f = container_of(d, struct floppy, dev);
    struct floppy_bus *bus = container_of(d->bus, struct floppy_bus, bus);

    if (bus->drive[f->unit] == f)
        bus->drive[f->unit] = NULL; /* before the drain: the controller goes no further with it */
    if (f->blk && f->blk->dev == d)
        blk_detach(f->blk);
}

static bool floppy_post_load(struct device *d)
{
    return container_of(d, struct floppy, dev)->track <= FLOPPY_MAX_TRACK;
}

static void floppy_describe(const struct device *d, GString *out)
{
    const struct floppy *f = container_of(d, struct floppy, dev);

    g_string_append_printf(out, "%s drive, unit %d, track %d", type_text[f->type], f->unit, f->track);
    if (f->format)
        g_string_append_printf(out, ", medium %d/%d/%d", f->format->cyls, f->format->heads, f->format->spt);
    g_string_append(out, f->changed ? ", changed\n" : "\n");
}

static const struct prop floppy_props[] = {
    PROP_BLK(struct floppy, blk, .name = "drive", .desc = "the image; none: an empty drive"),
    PROP_I32(struct floppy, unit, -1, .desc = "0 (A:) or 1 (B:); -1: the first free one"),
    PROP_ENUM(struct floppy, drive_type, 0, type_names, .name = "drive-type",
              .desc = "auto: what the medium needs"),
    PROP_I32(struct floppy, bootindex, -1, .desc = "place in the boot order"),
    {},
};
static const struct state floppy_state[] = {
    STATE_HOST(struct floppy, type),
    STATE_HOST(struct floppy, format),
    STATE_U8(struct floppy, track, .max = FLOPPY_MAX_TRACK),
    STATE_BOOL(struct floppy, changed),
    STATE_BYTES(struct floppy, deleted),
    {},
};
const struct device_class floppy_class = {
    .name = "floppy",
    .desc = "floppy drive",
    .version = 1,
    .size = sizeof(struct floppy),
    .bus = &floppy_bus_class,
    .props = floppy_props,
    .state = floppy_state,
    .realize = floppy_realize,
    .unrealize = floppy_unrealize,
    .post_load = floppy_post_load,
    .describe = floppy_describe,
};

/* --- the cable --------------------------------------------------------------------------------- */

static bool bus_attach(struct bus *b, struct device *d, GError **err)
{
    struct floppy_bus *bus = container_of(b, struct floppy_bus, bus);
    struct floppy *f = container_of(d, struct floppy, dev);

    if (f->unit == -1)
        f->unit = bus->drive[0] ? 1 : 0;
    if (f->unit < 0 || f->unit >= N_FLOPPY)
        return fail(err, "unit %d is out of range: 0 or 1", f->unit);
    if (bus->drive[f->unit])
        return fail(err, "floppy unit %d is already taken by '%s'", f->unit, bus->drive[f->unit]->dev.name);
    return true;
}

static bool bus_is_full(const struct bus *b)
{
    const struct floppy_bus *bus = container_of(b, const struct floppy_bus, bus);

    return bus->drive[0] && bus->drive[1];
}

static char *bus_fw_node(const struct device *d)
{
    return g_strdup_printf("floppy@%x", (unsigned) container_of(d, struct floppy, dev)->unit);
}

const struct bus_class floppy_bus_class = {
    .name = "floppy-bus", .attach = bus_attach, .is_full = bus_is_full, .fw_node = bus_fw_node,
};
