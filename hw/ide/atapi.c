/* hw/ide/atapi.c - packet device: transport of packets and data, sense, medium and tray, reading.
 *
 * Sheet: ATA/ATAPI-6 (T13/1410D) 8.21 and 9.8-9.9 (PACKET); MMC-5 6 (commands), SPC-3 4.5 (sense).
 * Deviations: every medium is one session with one mode 1 track (or a DVD of one layer); no audio,
 * no C2 pointers and no sub-channel data in READ CD; overlap and queueing are aborted.  The last
 * sector of an image that is no multiple of 2048 bytes is filled with zeroes. */
#include "hw/ide/ide.h"

#include <errno.h>

enum { READ_CHUNK = 64, RAW_CHUNK = 32, RAW_SOURCE = IDE_BUF_SIZE / 2 };

/* --- transport ------------------------------------------------------------------------------- */

void atapi_done(struct ide_drive *s)
{
    s->nsector[0] = IDE_IO | IDE_COD;
    ide_finish(s, true);
}

bool atapi_sense(struct ide_drive *s, uint8_t key, uint8_t asc, uint8_t ascq)
{
    s->sense_key = key;
    s->asc = asc;
    s->ascq = ascq;
    s->nsector[0] = IDE_IO | IDE_COD;
    TRACE(&s->dev, "packet command %02x: sense %x/%02x/%02x", s->cdb[0], key, asc, ascq);
    ide_fail(s, (uint8_t) (key << 4 | (key == SENSE_ILLEGAL ? IDE_ABRT : 0)), 0);
    return false;
}

static bool not_ready(struct ide_drive *s)
{
    return atapi_sense(s, SENSE_NOT_READY, 0x3a, s->tray_open ? 0x02 : 0x01);
}

static void pio_block(struct ide_drive *s, bool in)
{
    uint32_t n = MIN(s->block, s->len - s->pos);

    s->lbam[0] = (uint8_t) n;
    s->lbah[0] = (uint8_t) (n >> 8);
    s->nsector[0] = in ? IDE_IO : 0;
    ide_pio(s, in, n, true);
}

/* What the host's byte count limit allows of a transfer of `total` bytes, whole `unit`s where they
 * fit. */
static uint32_t block_size(const struct ide_drive *s, uint64_t total, uint32_t unit)
{
    if (total <= s->byte_limit)
        return (uint32_t) total;
    uint32_t limit = MAX(s->byte_limit & ~1U, 2); /* only the last block may be odd */
    return limit >= unit && !(unit & 1) ? limit / unit * unit : limit;
}

static void data_in(struct ide_drive *s, uint32_t len)
{
    s->pos = 0;
    s->len = len;
    if (s->dma) {
        s->nsector[0] = IDE_IO;
        ide_dma_start(s, true);
    } else {
        pio_block(s, true);
    }
}

void atapi_reply(struct ide_drive *s, uint32_t len, uint32_t alloc)
{
    len = MIN(len, alloc);
    if (!len) {
        atapi_done(s);
        return;
    }
    s->op = IDE_OP_CD_REPLY;
    s->block = block_size(s, len, 1);
    data_in(s, len);
}

void atapi_reply_data(struct ide_drive *s)
{
    if (s->pos < s->len)
        pio_block(s, true);
    else
        atapi_done(s);
}

void atapi_receive(struct ide_drive *s, uint32_t len)
{
    s->op = IDE_OP_CD_SELECT;
    s->pos = 0;
    s->len = len;
    s->block = block_size(s, len, 1);
    if (s->dma)
        ide_dma_start(s, false);
    else
        pio_block(s, false);
}

void atapi_select_data(struct ide_drive *s)
{
    if (s->pos < s->len)
        pio_block(s, false);
    else
        mmc_mode_selected(s);
}

void atapi_packet(struct ide_drive *s)
{
    if ((s->features[0] & 2) || ((s->features[0] & 1) && !s->ch->dma_ops)) { /* overlap; DMA */
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    s->dma = s->features[0] & 1;
    s->byte_limit = (uint32_t) s->lbah[0] << 8 | s->lbam[0];
    if (!s->byte_limit || s->byte_limit == 0xffff)
        s->byte_limit = 0xfffe; /* IDENTIFY word 125 */
    s->nsector[0] = IDE_COD;
    s->op = IDE_OP_PACKET;
    s->len = sizeof s->cdb;
    ide_pio(s, false, s->len, false);
}

/* --- medium and tray ------------------------------------------------------------------------- */

bool atapi_has_medium(const struct ide_drive *s)
{
    return s->blk && s->blk->present && !s->tray_open && s->blk->size >= IDE_SECTOR;
}

uint32_t atapi_sectors(const struct ide_drive *s)
{
    return (uint32_t) MIN((s->blk->size + CD_SECTOR - 1 - s->blk->size % IDE_SECTOR) / CD_SECTOR, 0xfffffffe);
}

bool atapi_is_dvd(const struct ide_drive *s)
{
    return atapi_has_medium(s) && atapi_sectors(s) > CD_MAX_SECTORS;
}

enum { EVENT_NONE, EVENT_EJECT_REQUEST, EVENT_NEW_MEDIUM, EVENT_REMOVAL };

static void set_tray(struct ide_drive *s, bool open, bool eject)
{
    s->tray_open = open;
    if (s->blk)
        blk_set_tray(s->blk, open, eject);
}

static void media_changed(void *opaque, bool present)
{
    struct ide_drive *s = opaque;

    set_tray(s, !present, false);
    s->ua_media = present;
    s->media_event = present ? EVENT_NEW_MEDIUM : EVENT_REMOVAL;
    if (!present)
        s->locked = false; /* taken out by force */
}

static void tray_moved(void *opaque, bool open)
{
    struct ide_drive *s = opaque;

    set_tray(s, open, false);
    if (open) {
        s->media_event = EVENT_REMOVAL;
        s->locked = false;
    } else if (s->blk->present) {
        s->ua_media = true;
        s->media_event = EVENT_NEW_MEDIUM;
    }
}

static bool tray_locked(void *opaque)
{
    return ((struct ide_drive *) opaque)->locked;
}

static void eject_request(void *opaque)
{
    ((struct ide_drive *) opaque)->media_event = EVENT_EJECT_REQUEST;
}
const struct blk_dev_ops atapi_blk_ops = { .media_changed = media_changed, .tray_locked = tray_locked,
                                           .eject_request = eject_request, .tray_moved = tray_moved };

static void start_stop(struct ide_drive *s)
{
    bool loej = s->cdb[4] & 2, start = s->cdb[4] & 1;

    if (!(s->cdb[4] >> 4) && loej && !start) {
        if (s->locked) {
            atapi_sense(s, SENSE_ILLEGAL, 0x53, 0x02); /* medium removal prevented */
            return;
        }
        if (atapi_has_medium(s))
            s->media_event = EVENT_REMOVAL;
        set_tray(s, true, true);
    } else if (!(s->cdb[4] >> 4) && loej && s->tray_open) {
        set_tray(s, false, false);
        s->ua_media = atapi_has_medium(s);
        s->media_event = s->ua_media ? EVENT_NEW_MEDIUM : s->media_event;
    }
    atapi_done(s);
}

static void prevent_allow(struct ide_drive *s)
{
    s->locked = s->cdb[4] & 1;
    atapi_done(s);
}

/* --- reading --------------------------------------------------------------------------------- */

static uint8_t sector_flags(const struct ide_drive *s) /* as in byte 9 of READ CD */
{
    return s->cdb[0] == 0xbe || s->cdb[0] == 0xb9 ? s->cdb[9] & 0xf8 : 0x10;
}

static bool is_raw(const struct ide_drive *s)
{
    return sector_flags(s) & 0xa8; /* more than user data (a mode 1 sector has no sub-header) */
}

static void fill(struct ide_drive *s)
{
    if (!atapi_has_medium(s)) {
        not_ready(s);
        return;
    }
    if (!range_fits(s->lba, s->left, atapi_sectors(s))) { /* it was, when the command began */
        atapi_sense(s, SENSE_ILLEGAL, 0x21, 0x00);
        return;
    }
    s->chunk = s->careful ? 1 : MIN(s->left, is_raw(s) ? RAW_CHUNK : READ_CHUNK);
    uint64_t off = s->lba * CD_SECTOR,
             len = MIN((uint64_t) s->chunk * CD_SECTOR, ROUND_DOWN(s->blk->size, IDE_SECTOR) - off);
    uint32_t at = is_raw(s) ? RAW_SOURCE : 0;
    memset(ide_buf(s) + at + len, 0, s->chunk * CD_SECTOR - len);
    ide_submit(s, BLK_READ, off, at, len, 0);
}

void atapi_read_io(struct ide_drive *s, int err)
{
    uint8_t flags = sector_flags(s);
    int unit = cd_sector_size(flags);

    bool bad = unit <= 0 || s->chunk > s->left ||
               s->chunk > (is_raw(s) ? RAW_CHUNK : READ_CHUNK); /* damaged snapshot */
    if (err == ENOMEDIUM || bad) {
        not_ready(s);
        return;
    }
    if (err && s->chunk > 1) { /* give what can be read, sector by sector, up to the bad one */
        s->careful = true;
        fill(s);
        return;
    }
    if (err) {
        s->sense_info = (uint32_t) s->lba;
        s->sense_valid = true;
        atapi_sense(s, SENSE_MEDIUM_ERROR, 0x11, 0x00); /* unrecovered read error */
        return;
    }
    for (uint32_t i = 0; is_raw(s) && i < s->chunk; i++)
        cd_sector_build(ide_buf(s) + i * (uint32_t) unit, ide_buf(s) + RAW_SOURCE + i * CD_SECTOR,
                        (uint32_t) s->lba + i, flags);
    s->lba += s->chunk;
    s->left -= s->chunk;
    s->head = (uint32_t) s->lba - 1;
    data_in(s, s->chunk * (uint32_t) unit);
}

void atapi_read_data(struct ide_drive *s)
{
    if (s->pos < s->len)
        pio_block(s, true);
    else if (s->left)
        fill(s);
    else
        atapi_done(s);
}

static void start_read(struct ide_drive *s, uint32_t lba, uint32_t n)
{
    int unit = cd_sector_size(sector_flags(s));

    if (!range_fits(lba, n, atapi_sectors(s))) {
        atapi_sense(s, SENSE_ILLEGAL, 0x21, 0x00); /* LBA out of range */
        return;
    }
    if (!n || unit <= 0) {
        atapi_done(s);
        return;
    }
    s->op = IDE_OP_CD_READ;
    s->lba = lba;
    s->left = n;
    s->block = block_size(s, (uint64_t) n * (uint32_t) unit, (uint32_t) unit);
    fill(s);
}

static void read_10(struct ide_drive *s)
{
    start_read(s, ld_be32(s->cdb + 2), ld_be16(s->cdb + 7));
}

static void read_12(struct ide_drive *s)
{
    uint32_t n = ld_be32(s->cdb + 6);

    if (n > INT32_MAX)
        atapi_sense(s, SENSE_ILLEGAL, 0x21, 0x00);
    else
        start_read(s, ld_be32(s->cdb + 2), n);
}

static bool check_read_cd(struct ide_drive *s)
{
    uint8_t type = s->cdb[1] >> 2 & 7, flags = s->cdb[9];

    if ((flags & 0x06) || (s->cdb[10] & 7) || cd_sector_size(flags & 0xf8) < 0)
        return atapi_sense(s, SENSE_ILLEGAL, 0x24, 0x00); /* invalid field in CDB */
    if ((type != 0 && type != 2) || (atapi_is_dvd(s) && is_raw(s)))
        return atapi_sense(s, SENSE_ILLEGAL, 0x64, 0x00); /* illegal mode for this track */
    return true;
}

static void read_cd(struct ide_drive *s)
{
    if (check_read_cd(s))
        start_read(s, ld_be32(s->cdb + 2), ld_be32(s->cdb + 5) & 0xffffff);
}

static bool msf_to_lba(const uint8_t *msf, int32_t *lba)
{
    *lba = (msf[0] * 60 + msf[1]) * 75 + msf[2] - 150;
    return msf[1] < 60 && msf[2] < 75;
}

static void read_cd_msf(struct ide_drive *s)
{
    int32_t first, end;

    if (!msf_to_lba(s->cdb + 3, &first) || !msf_to_lba(s->cdb + 6, &end) || first > end) {
        atapi_sense(s, SENSE_ILLEGAL, 0x24, 0x00);
        return;
    }
    if (!check_read_cd(s))
        return;
    if (first < 0)
        atapi_sense(s, SENSE_ILLEGAL, 0x21, 0x00);
    else
        start_read(s, (uint32_t) first, (uint32_t) (end - first));
}

static void seek_10(struct ide_drive *s)
{
    uint32_t lba = ld_be32(s->cdb + 2);

    if (lba >= atapi_sectors(s)) {
        atapi_sense(s, SENSE_ILLEGAL, 0x21, 0x00);
        return;
    }
    s->head = lba;
    atapi_done(s);
}

static void verify_10(struct ide_drive *s)
{
    if (!range_fits(ld_be32(s->cdb + 2), ld_be16(s->cdb + 7), atapi_sectors(s)))
        atapi_sense(s, SENSE_ILLEGAL, 0x21, 0x00);
    else if (s->cdb[1] & 2) /* compare with data from the host */
        atapi_sense(s, SENSE_ILLEGAL, 0x24, 0x00);
    else
        atapi_done(s);
}

static void read_capacity(struct ide_drive *s)
{
    st_be32(ide_buf(s), atapi_sectors(s) - 1);
    st_be32(ide_buf(s) + 4, CD_SECTOR);
    atapi_reply(s, 8, 8);
}

static void request_sense(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);

    if (!s->sense_key && (s->ua_reset || s->ua_media)) {
        s->sense_key = SENSE_UNIT_ATTENTION;
        s->asc = s->ua_reset ? 0x29 : 0x28;
        if (s->ua_reset)
            s->ua_reset = false;
        else
            s->ua_media = false;
    }
    memset(p, 0, 18);
    p[0] = 0x70 | (s->sense_valid ? 0x80 : 0);
    p[2] = s->sense_key;
    st_be32(p + 3, s->sense_valid ? s->sense_info : 0);
    p[7] = 10;
    p[12] = s->asc;
    p[13] = s->ascq;
    s->sense_key = s->asc = s->ascq = 0;
    s->sense_valid = false;
    atapi_reply(s, 18, s->cdb[4]);
}

/* --- dispatch -------------------------------------------------------------------------------- */

enum { ANY = 1, MEDIUM = 2 }; /* runs in the face of a unit attention; needs a medium */

static const struct {
    void (*run)(struct ide_drive *s);
    unsigned flags;
} packet_commands[256] = {
    [0x00] = { atapi_done, MEDIUM }, /* TEST UNIT READY */
    [0x03] = { request_sense, ANY },
    [0x12] = { mmc_inquiry, ANY },
    [0x15] = { mmc_mode_select, 0 },
    [0x1a] = { mmc_mode_sense, 0 },
    [0x1b] = { start_stop, 0 },
    [0x1e] = { prevent_allow, 0 },
    [0x25] = { read_capacity, MEDIUM },
    [0x28] = { read_10, MEDIUM },
    [0x2b] = { seek_10, MEDIUM },
    [0x2f] = { verify_10, MEDIUM },
    [0x42] = { mmc_read_subchannel, MEDIUM },
    [0x43] = { mmc_read_toc, MEDIUM },
    [0x44] = { mmc_read_header, MEDIUM },
    [0x46] = { mmc_get_configuration, ANY },
    [0x4a] = { mmc_get_event_status, ANY },
    [0x4e] = { atapi_done, MEDIUM }, /* STOP PLAY/SCAN: nothing plays */
    [0x51] = { mmc_read_disc_info, MEDIUM },
    [0x52] = { mmc_read_track_info, MEDIUM },
    [0x55] = { mmc_mode_select, 0 },
    [0x5a] = { mmc_mode_sense, 0 },
    [0xa8] = { read_12, MEDIUM },
    [0xad] = { mmc_read_dvd_structure, MEDIUM },
    [0xb9] = { read_cd_msf, MEDIUM },
    [0xbb] = { atapi_done, 0 }, /* SET CD SPEED: as fast as the host is */
    [0xbd] = { mmc_mechanism_status, 0 },
    [0xbe] = { read_cd, MEDIUM },
};

void atapi_packet_data(struct ide_drive *s)
{
    memcpy(s->cdb, ide_buf(s), sizeof s->cdb);
    TRACE(&s->dev, "packet %02x %02x %02x%02x%02x%02x %02x%02x%02x%02x %02x %02x, limit %u%s", s->cdb[0],
          s->cdb[1], s->cdb[2], s->cdb[3], s->cdb[4], s->cdb[5], s->cdb[6], s->cdb[7], s->cdb[8], s->cdb[9],
          s->cdb[10], s->cdb[11], s->byte_limit, s->dma ? ", dma" : "");
    unsigned flags = packet_commands[s->cdb[0]].flags;
    s->power = IDE_ACTIVE;
    if (s->cdb[0] != 0x03) {
        s->sense_key = s->asc = s->ascq = 0;
        s->sense_valid = false;
    }
    if (!packet_commands[s->cdb[0]].run) {
        atapi_sense(s, SENSE_ILLEGAL, 0x20, 0x00); /* invalid command operation code */
    } else if (!(flags & ANY) && s->ua_reset) {
        s->ua_reset = false;
        atapi_sense(s, SENSE_UNIT_ATTENTION, 0x29, 0x00); /* power on or reset occurred */
    } else if (!(flags & ANY) && s->ua_media) {
        s->ua_media = false;
        atapi_sense(s, SENSE_UNIT_ATTENTION, 0x28, 0x00); /* medium may have changed */
    } else if ((flags & MEDIUM) && !atapi_has_medium(s)) {
        not_ready(s);
    } else {
        packet_commands[s->cdb[0]].run(s);
    }
}

void atapi_reset(struct ide_drive *s, bool hard)
{
    s->sense_key = s->asc = s->ascq = 0;
    s->sense_valid = false;
    if (hard) {
        s->ua_reset = true;
        s->ua_media = false;
        s->locked = false;
        s->media_event = EVENT_NONE;
        s->head = 0;
        mmc_mode_reset(s);
    }
}
