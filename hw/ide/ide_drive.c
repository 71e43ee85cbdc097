/* hw/ide/ide_drive.c - the drives: an ATA hard disk and an ATAPI CD/DVD-ROM.
 *
 * Sheet: ATA/ATAPI-6 (T13/1410D). */
#include "hw/ide/ide.h"
#include "vmm/core/vm.h"

static struct ide_drive *drive_of(const struct device *d)
{
    return container_of(d, struct ide_drive, dev);
}

static void set_text(char *to, size_t size, const char *text)
{
    g_strlcpy(to, text, size);
    for (; *to; to++) /* the standard allows printable ASCII */
        if (*to < 0x20 || *to > 0x7e)
            *to = '?';
}

static bool texts(struct ide_drive *s, const char *model, GError **err)
{
    g_autofree char *serial = g_strdup_printf("BM%05u", s->ch->num * 2 + (unsigned) s->unit + 1);
    const char *given = s->serial ? s->serial : s->blk ? s->blk->serial : NULL;

    if (given && strlen(given) > sizeof s->serial_text - 1)
        return fail(err, "serial '%s' is too long: 20 characters at most", given);
    if (s->model && strlen(s->model) > sizeof s->model_text - 1)
        return fail(err, "model '%s' is too long: 40 characters at most", s->model);
    if (s->ver && strlen(s->ver) > sizeof s->ver_text - 1)
        return fail(err, "ver '%s' is too long: 8 characters at most", s->ver);
    set_text(s->serial_text, sizeof s->serial_text, given ? given : serial);
    set_text(s->model_text, sizeof s->model_text, s->model ? s->model : model);
    set_text(s->ver_text, sizeof s->ver_text, s->ver ? s->ver : "1.0");
    return true;
}

static bool check_sizes(const struct ide_drive *s, GError **err)
{
    uint32_t p = s->physical_block_size;

    if (s->logical_block_size != IDE_SECTOR)
        return fail(err, "logical_block_size must be 512 for IDE");
    if (p < IDE_SECTOR || p > 2 * MiB || (p & (p - 1)))
        return fail(err, "physical_block_size %u is not a power of two between 512 and 2097152", p);
    return true;
}

static bool common_init(struct ide_drive *s, GError **err)
{
    bh_init(&s->retry, s->dev.vm, ide_retry, s);
    return ram_block_alloc(&s->buf, "ide buffer", IDE_BUF_SIZE, NULL, err);
}

static void hd_resized(void *opaque)
{
    struct ide_drive *s = opaque;

    TRACE(&s->dev, "now %" PRIu64 " sectors", ide_native_sectors(s));
}
static const struct blk_dev_ops hd_blk_ops = { .resized = hd_resized };

static void drive_reset(struct device *d)
{
    ide_drive_reset(drive_of(d), true);
}

static void drive_pre_save(struct device *d)
{
    struct ide_drive *s = drive_of(d);

    ide_drain(s);
    if (s->phase == IDE_BUSY_IO)
        bh_schedule(&s->retry);
}

static bool in_buffer(const struct ide_drive *s)
{
    return s->pos <= s->end && s->end <= s->len && s->len <= IDE_BUF_SIZE &&
           s->chunk <= IDE_BUF_SIZE / IDE_SECTOR && s->got <= IDE_BUF_SIZE / 8 && s->block <= IDE_BUF_SIZE;
}

static bool drive_post_load(struct device *d)
{
    struct ide_drive *s = drive_of(d);
    const struct ide_op_fns *o = s->op < IDE_N_OPS ? &ide_ops[s->op] : NULL;
    unsigned kind = s->cd ? IDE_F_CD : IDE_F_HD;

    if (!o || s->phase >= IDE_N_PHASES || !in_buffer(s) || s->mult > IDE_MAX_MULT || (s->mult & (s->mult - 1)))
        return false;
    if (!s->cur_heads || s->cur_heads > 16 || !s->cur_secs || s->n_selftest > sizeof s->selftest)
        return false;
    ide_set_wcache(s, s->wcache);
    if (s->phase == IDE_IDLE)
        return s->op == IDE_OP_NONE;
    if (!(o->flags & kind))
        return false;
    if ((s->op == IDE_OP_READ || s->op == IDE_OP_WRITE || s->op == IDE_OP_VERIFY) &&
        (!s->block || s->block % IDE_SECTOR || !s->chunk || s->chunk > s->left || s->got > s->chunk ||
         !range_fits(s->lba, s->left, ide_native_sectors(s))))
        return false;
    if (s->op == IDE_OP_CD_REPLY || s->op == IDE_OP_CD_READ || s->op == IDE_OP_CD_SELECT)
        if (!s->block)
            return false;
    switch (s->phase) {
    case IDE_BUSY_IO:
        return o->io && ide_retry_valid(s);
    case IDE_PIO_IN:
    case IDE_PIO_OUT:
        return o->data && s->pos < s->end && !(s->pos & 1);
    default:
        return o->data && s->ch->dma_ops && s->end == s->len;
    }
}

static void drive_unrealize(struct device *d)
{
    struct ide_drive *s = drive_of(d);

    if (s->retry.vm)
        ide_cancel(s);
    if (s->blk && s->blk->dev == d)
        blk_detach(s->blk);
    if (s->buf.host)
        ram_block_free(&s->buf);
}

/* --- ide-hd ---------------------------------------------------------------------------------- */

static bool hd_realize(struct device *d, GError **err)
{
    struct ide_drive *s = drive_of(d);

    if (!common_init(s, err))
        return false;
    if (!s->blk)
        return fail(err, "drive= is missing: a hard disk needs one");
    if (!blk_attach(s->blk, d, &hd_blk_ops, s, err))
        return false;
    if (!s->blk->present || s->blk->size < IDE_SECTOR)
        return fail(err, "drive '%s' has no medium, or an empty one: a hard disk needs at least 512 bytes",
                    s->blk->id);
    if (s->blk->read_only)
        return fail(err, "drive '%s' is read-only: an IDE hard disk can't be; use snapshot=on", s->blk->id);
    if (!check_sizes(s, err) || !texts(s, "BANTAM HARDDISK", err) || !ide_geometry_init(s, err))
        return false;
    if (s->write_cache != OOA_AUTO)
        s->blk->write_cache = s->write_cache == OOA_ON;
    s->wcache = s->wcache_default = s->blk->write_cache;
    return device_add_boot(d, s->bootindex, NULL, err);
}

static const char *const trans_names[] = { "auto", "none", "lba", "large", "rechs", NULL };

#define DRIVE_PROPS                                                                         \
    PROP_BLK(struct ide_drive, blk, .name = "drive"),                                       \
    PROP_STR(struct ide_drive, serial, NULL, .desc = "up to 20 characters"),                \
    PROP_STR(struct ide_drive, model, NULL, .desc = "up to 40 characters"),                 \
    PROP_STR(struct ide_drive, ver, NULL, .desc = "firmware revision, up to 8 characters"), \
    PROP_U64(struct ide_drive, wwn, 0, .desc = "world wide name; 0: none"),                 \
    PROP_I32(struct ide_drive, bootindex, -1, .desc = "place in the boot order; -1: none"), \
    PROP_U32(struct ide_drive, logical_block_size, IDE_SECTOR, .desc = "512"),              \
    PROP_U32(struct ide_drive, physical_block_size, IDE_SECTOR,                             \
             .desc = "as IDENTIFY tells the guest"),                                        \
    PROP_ONOFFAUTO(struct ide_drive, write_cache, OOA_AUTO, .name = "write-cache",          \
             .desc = "auto: as the drive's cache mode has it")

static const struct prop hd_props[] = {
    DRIVE_PROPS,
    PROP_U32(struct ide_drive, geo.cyls, 0, .name = "cyls",
             .desc = "geometry; 0: from the partition table, or the size"),
    PROP_U32(struct ide_drive, geo.heads, 0, .name = "heads", .desc = "1 to 16"),
    PROP_U32(struct ide_drive, geo.secs, 0, .name = "secs", .desc = "sectors a track, 1 to 255"),
    PROP_ENUM(struct ide_drive, geo.trans, IDE_TRANS_AUTO, trans_names, .name = "bios-chs-trans",
              .desc = "how the BIOS translates the geometry"),
    PROP_U16(struct ide_drive, rotation_rate, 0, .desc = "rpm; 1: solid state; 0: not reported"),
    {}
};

static const struct prop cd_props[] = { DRIVE_PROPS, {} };

#define S_BH(f) STATE_BH(struct ide_drive, f)
#define S_BOOL(f) STATE_BOOL(struct ide_drive, f)
#define S_BYTES(f) STATE_BYTES(struct ide_drive, f)
#define S_HOST(f) STATE_HOST(struct ide_drive, f)
#define S_RAM(f) STATE_RAM(struct ide_drive, f)
#define S_U32(f) STATE_U32(struct ide_drive, f)
#define S_U64(f) STATE_U64(struct ide_drive, f)
#define S_U8(f) STATE_U8(struct ide_drive, f)

#define COMMON_STATE                                                                             \
    S_HOST(ch), S_HOST(cd), S_HOST(serial_text), S_HOST(model_text), S_HOST(ver_text),           \
    S_HOST(wcache_default), S_BYTES(features), S_BYTES(nsector), S_BYTES(lbal), S_BYTES(lbam),   \
    S_BYTES(lbah), S_U8(device), S_U8(error), S_U8(status), S_U8(command), S_U8(prev_command),   \
    S_BOOL(intrq), S_U8(mult), S_U8(xfer_mode), S_U8(power), S_U8(cur_heads), S_U8(cur_secs),    \
    S_BOOL(lookahead), S_BOOL(revert), S_BOOL(smart), S_BOOL(smart_autosave),                    \
    S_U64(max_sectors), S_U64(max_nonvolatile), S_BYTES(selftest), S_U8(n_selftest),             \
    S_BYTES(sector_buf), S_RAM(buf), S_U8(phase), S_U8(op), S_BOOL(dma), S_BOOL(careful),        \
    S_BOOL(failed), S_U64(lba), S_U32(left), S_U32(chunk), S_U32(got), S_U32(block), S_U32(pos), \
    S_U32(end), S_U32(len), S_BYTES(cdb), S_U32(byte_limit), S_U32(head), S_U8(sense_key),       \
    S_U8(asc), S_U8(ascq), S_BOOL(sense_valid), S_U32(sense_info), S_BOOL(ua_reset),             \
    S_BOOL(ua_media), S_U8(media_event), S_BOOL(tray_open), S_BOOL(locked), S_BYTES(pages),      \
    S_BOOL(wcache), S_U64(rq_off), S_U64(rq_len), S_U32(rq_buf), S_U8(rq_op), S_U8(rq_flags),    \
    S_BH(retry), S_HOST(req), S_HOST(iov), S_HOST(cancelled)

static const struct state hd_state[] = { COMMON_STATE, {} };
static const struct state cd_state[] = {
    COMMON_STATE, S_HOST(geo), S_HOST(rotation_rate), {}
};

const struct device_class ide_hd_class = {
    .name = "ide-hd",
    .desc = "IDE hard disk",
    .version = 1,
    .size = sizeof(struct ide_drive),
    .bus = &ide_bus_class,
    .props = hd_props,
    .state = hd_state,
    .realize = hd_realize,
    .unrealize = drive_unrealize,
    .reset = drive_reset,
    .post_load = drive_post_load,
    .pre_save = drive_pre_save,
};

/* --- ide-cd ---------------------------------------------------------------------------------- */

static bool cd_realize(struct device *d, GError **err)
{
    struct ide_drive *s = drive_of(d);

    s->cd = true;
    if (!common_init(s, err))
        return false;
    s->geo = (struct ide_geometry){ 1, 1, 1, IDE_TRANS_NONE };
    if (!check_sizes(s, err) || !texts(s, "BANTAM DVD-ROM", err))
        return false;
    if (s->blk && !blk_attach(s->blk, d, &atapi_blk_ops, s, err))
        return false;
    return device_add_boot(d, s->bootindex, NULL, err);
}

const struct device_class ide_cd_class = {
    .name = "ide-cd",
    .desc = "IDE CD/DVD-ROM drive",
    .version = 1,
    .size = sizeof(struct ide_drive),
    .bus = &ide_bus_class,
    .props = cd_props,
    .state = cd_state,
    .realize = cd_realize,
    .unrealize = drive_unrealize,
    .reset = drive_reset,
    .post_load = drive_post_load,
    .pre_save = drive_pre_save,
};
