/* hw/ide/mmc.c - what a CD or DVD and its drive say of themselves.
 *
 * Sheet: MMC-5 (T10/1675D) 5 (features), 6 (commands); SPC-3 6.4 and 7.6 (INQUIRY).
 * Deviations: see atapi.c; the addresses of an emulated DVD's table of contents are given as for a
 * CD. */
#include "hw/ide/ide.h"

enum { LEAD_OUT = 0xaa, ADR_CTL = 0x14 /* position; data track, recorded at once */ };

static void bad_field(struct ide_drive *s)
{
    atapi_sense(s, SENSE_ILLEGAL, 0x24, 0x00);
}

/* A field of four bytes: an LBA, or 0, minute, second, frame. */
static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (!msf) {
        st_be32(p, lba);
        return;
    }
    p[0] = 0;
    cd_lba_to_msf(p + 1, lba);
}

static void put_text(uint8_t *p, const char *text, size_t n)
{
    memset(p, ' ', n);
    memcpy(p, text, MIN(strlen(text), n));
}

/* --- INQUIRY --------------------------------------------------------------------------------- */

static void inquiry_page(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);
    size_t n = 0;

    memset(p, 0, 256);
    p[0] = 5;
    p[1] = s->cdb[2];
    switch (s->cdb[2]) {
    case 0x00: /* the pages that there are */
        p[4] = 0x00;
        p[5] = 0x80;
        p[6] = 0x83;
        n = 3;
        break;
    case 0x80: /* unit serial number */
        n = strlen(s->serial_text);
        memcpy(p + 4, s->serial_text, n);
        break;
    case 0x83: /* device identification: vendor-specific, and NAA */
        n = strlen(s->serial_text);
        p[4] = 2; /* ASCII */
        p[7] = (uint8_t) n;
        memcpy(p + 8, s->serial_text, n);
        n += 4;
        if (s->wwn) {
            p[4 + n] = 1;
            p[5 + n] = 3;
            p[7 + n] = 8;
            st_be64(p + 8 + n, s->wwn);
            n += 12;
        }
        break;
    default:
        bad_field(s);
        return;
    }
    p[3] = (uint8_t) n;
    atapi_reply(s, 4 + (uint32_t) n, ld_be16(s->cdb + 3));
}

void mmc_inquiry(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);

    if (s->cdb[1] & 1) {
        inquiry_page(s);
        return;
    }
    if (s->cdb[2] || (s->cdb[1] & 2)) {
        bad_field(s);
        return;
    }
    memset(p, 0, 36);
    p[0] = 5;    /* CD/DVD device */
    p[1] = 0x80; /* removable */
    p[2] = 5;    /* SPC-3 */
    p[3] = 2;    /* response format */
    p[4] = 31;
    put_text(p + 8, "BANTAM", 8);
    put_text(p + 16, s->model_text, 16);
    put_text(p + 32, s->ver_text, 4);
    atapi_reply(s, 36, ld_be16(s->cdb + 3));
}

/* --- what is on the disc --------------------------------------------------------------------- */

static uint32_t toc_tracks(struct ide_drive *s, uint8_t *p, bool msf, uint8_t from)
{
    uint32_t n = 4;

    p[2] = p[3] = 1; /* first and last track */
    if (from <= 1) {
        p[n + 1] = ADR_CTL;
        p[n + 2] = 1;
        put_address(p + n + 4, 0, msf);
        n += 8;
    }
    p[n + 1] = ADR_CTL;
    p[n + 2] = LEAD_OUT;
    put_address(p + n + 4, atapi_sectors(s), msf);
    return n + 8;
}

static uint32_t toc_sessions(uint8_t *p, bool msf)
{
    p[2] = p[3] = 1;
    p[5] = ADR_CTL;
    p[6] = 1; /* first track of the last session */
    put_address(p + 8, 0, msf);
    return 12;
}

static uint32_t toc_raw(struct ide_drive *s, uint8_t *p) /* Q of the lead-in */
{
    static const uint8_t point[4] = { 0xa0, 0xa1, 0xa2, 0x01 };

    p[2] = p[3] = 1;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *e = p + 4 + 11 * i;
        e[0] = 1; /* session */
        e[1] = ADR_CTL;
        e[3] = point[i];
        if (point[i] >= 0xa0 && point[i] <= 0xa1)
            e[8] = 1; /* first (A0, a CD-ROM: PSEC 0) and last track */
        else
            cd_lba_to_msf(e + 8, point[i] == 1 ? 0 : atapi_sectors(s));
    }
    return 4 + 11 * 4;
}

void mmc_read_toc(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s), format = s->cdb[2] & 15, from = s->cdb[6];
    bool msf = s->cdb[1] & 2;
    uint32_t n;

    if (!format)
        format = s->cdb[9] >> 6; /* where SFF-8020 had it */
    memset(p, 0, 64);
    if (format == 0 && (from <= 1 || from == LEAD_OUT)) {
        n = toc_tracks(s, p, msf, from);
    } else if (format == 1) {
        n = toc_sessions(p, msf);
    } else if (format == 2 && from <= 1) {
        n = toc_raw(s, p);
    } else { /* PMA, ATIP and CD-TEXT belong to recordable and audio discs */
        bad_field(s);
        return;
    }
    st_be16(p, (uint16_t) (n - 2));
    atapi_reply(s, n, ld_be16(s->cdb + 7));
}

void mmc_read_subchannel(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);
    bool msf = s->cdb[1] & 2;
    uint32_t n = 4;

    memset(p, 0, 24);
    p[1] = 0x15; /* no audio status */
    if (s->cdb[2] & 0x40) {
        p[4] = s->cdb[3];
        switch (s->cdb[3]) {
        case 1: /* current position */
            p[5] = ADR_CTL;
            p[6] = p[7] = 1; /* track, index */
            put_address(p + 8, s->head, msf);
            put_address(p + 12, s->head, msf);
            if (msf)
                cd_lba_to_msf(p + 13, s->head - 150); /* relative: without the 2 seconds */
            n = 16;
            break;
        case 2: case 3: /* catalogue number; ISRC: none is recorded */
            n = 24;
            break;
        default:
            bad_field(s);
            return;
        }
        st_be16(p + 2, (uint16_t) (n - 4));
    }
    atapi_reply(s, n, ld_be16(s->cdb + 7));
}

void mmc_read_header(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);
    uint32_t lba = ld_be32(s->cdb + 2);

    if (lba >= atapi_sectors(s)) {
        atapi_sense(s, SENSE_ILLEGAL, 0x21, 0x00);
        return;
    }
    memset(p, 0, 8);
    p[0] = 1; /* mode 1 */
    put_address(p + 4, lba, s->cdb[1] & 2);
    atapi_reply(s, 8, ld_be16(s->cdb + 7));
}

void mmc_read_disc_info(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);

    if (s->cdb[1] & 7) { /* track resources, POW resources: of writers */
        bad_field(s);
        return;
    }
    memset(p, 0, 34);
    st_be16(p, 32);
    p[2] = 0x0e; /* the last session and the disc are complete */
    p[3] = p[4] = p[5] = p[6] = 1; /* first track; sessions; first and last track of the last one */
    p[7] = 0x20; /* for unrestricted use */
    memset(p + 16, 0xff, 8); /* lead-in of a next session, last possible lead-out: none */
    atapi_reply(s, 34, ld_be16(s->cdb + 7));
}

void mmc_read_track_info(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s), type = s->cdb[1] & 3;
    uint32_t at = ld_be32(s->cdb + 2);

    if (type == 3 || (type == 0 && at >= atapi_sectors(s)) || (type != 0 && at != 1)) {
        bad_field(s);
        return;
    }
    memset(p, 0, 36);
    st_be16(p, 34);
    p[2] = p[3] = 1; /* track, session */
    p[5] = 4;        /* data */
    p[6] = 1;        /* mode 1 */
    p[7] = 2;        /* the last recorded address is valid */
    st_be32(p + 24, atapi_sectors(s));
    st_be32(p + 28, atapi_sectors(s) - 1);
    atapi_reply(s, 36, ld_be16(s->cdb + 7));
}

static uint32_t dvd_physical(struct ide_drive *s, uint8_t *p)
{
    p[4] = 0x01; /* DVD-ROM, version 1 */
    p[5] = 0x02; /* 120 mm, 10.08 Mb/s */
    p[6] = 0x01; /* one embossed layer */
    st_be32(p + 8, 0x30000);
    st_be32(p + 12, MIN(0x30000 + atapi_sectors(s) - 1, 0xffffff));
    return 4 + 2048;
}

static uint32_t dvd_list(uint8_t *p)
{
    static const struct {
        uint8_t format;
        uint16_t size;
    } known[] = { { 0, 2052 }, { 1, 8 }, { 4, 2052 }, { 0xff, 20 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        p[4 + 4 * i] = known[i].format;
        p[5 + 4 * i] = 0x40; /* readable */
        st_be16(p + 6 + 4 * i, known[i].size);
    }
    return 4 + 4 * G_N_ELEMENTS(known);
}

void mmc_read_dvd_structure(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);
    uint32_t n;

    memset(p, 0, 4 + 2048);
    if (s->cdb[7] != 0xff && !atapi_is_dvd(s)) {
        atapi_sense(s, SENSE_ILLEGAL, 0x30, 0x02); /* cannot read medium: incompatible format */
        return;
    }
    if ((s->cdb[1] & 15) || (s->cdb[7] != 0xff && s->cdb[6])) { /* medium type; layer */
        bad_field(s);
        return;
    }
    switch (s->cdb[7]) {
    case 0x00: n = dvd_physical(s, p); break;
    case 0x01: n = 8; break;        /* no copyright protection, all regions */
    case 0x04: n = 4 + 2048; break; /* manufacturing information: none */
    case 0xff: n = dvd_list(p); break;
    default:   bad_field(s); return;
    }
    st_be16(p, (uint16_t) (n - 2));
    atapi_reply(s, n, ld_be16(s->cdb + 8));
}

/* --- the drive ------------------------------------------------------------------------------- */

enum { PROFILE_CD_ROM = 0x0008, PROFILE_DVD_ROM = 0x0010 };

struct feature {
    uint16_t code;
    uint8_t version_flags; /* version << 2 | persistent << 1 */
    uint8_t len;
    uint8_t data[12];
};

static const struct feature features[] = {
    { 0x0000, 0x02, 8, { 0, PROFILE_DVD_ROM, 0, 0, 0, PROFILE_CD_ROM } }, /* profile list */
    { 0x0001, 0x0b, 8, { 0, 0, 0, 2, 1 } },      /* core: ATAPI, device busy event */
    { 0x0002, 0x07, 4, { 2 } },                  /* morphing: events of operational change */
    { 0x0003, 0x03, 4, { 0x29 } },               /* removable medium: tray, eject, lock */
    { 0x0010, 0x01, 8, { 0, 0, 8, 0, 0, 1, 1 } }, /* random readable: 2048 bytes, one a block */
    { 0x001d, 0x00, 0 },                         /* multi-read */
    { 0x001e, 0x08, 4, { 0 } },                  /* CD read */
    { 0x001f, 0x08, 4, { 1 } },                  /* DVD read */
    { 0x0100, 0x03, 0 },                         /* power management */
    { 0x0105, 0x07, 4, { 0 } },                  /* timeout */
};

static bool is_current(const struct ide_drive *s, const struct feature *f)
{
    if (f->version_flags & 2)
        return true;
    return atapi_has_medium(s) && f->code != (atapi_is_dvd(s) ? 0x001e : 0x001f) &&
           !(f->code == 0x001d && atapi_is_dvd(s));
}

void mmc_get_configuration(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s), rt = s->cdb[1] & 3;
    uint16_t from = ld_be16(s->cdb + 2);
    uint32_t n = 8;

    if (rt == 3) {
        bad_field(s);
        return;
    }
    memset(p, 0, 512);
    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        const struct feature *f = &features[i];
        bool current = is_current(s, f);
        if (f->code < from || (rt == 1 && !current) || (rt == 2 && f->code != from))
            continue;
        st_be16(p + n, f->code);
        p[n + 2] = (uint8_t) ((f->version_flags & ~1) | current);
        p[n + 3] = f->len;
        memcpy(p + n + 4, f->data, f->len);
        if (!f->code && atapi_has_medium(s)) /* which profile is the current one */
            p[n + 4 + (atapi_is_dvd(s) ? 2 : 6)] = 1;
        n += 4U + f->len;
    }
    st_be32(p, n - 4);
    if (atapi_has_medium(s))
        st_be16(p + 6, atapi_is_dvd(s) ? PROFILE_DVD_ROM : PROFILE_CD_ROM);
    atapi_reply(s, n, ld_be16(s->cdb + 7));
}

void mmc_get_event_status(struct ide_drive *s)
{
    enum { MEDIA_CLASS = 4 };
    uint8_t *p = ide_buf(s);
    uint32_t n = 4;

    if (!(s->cdb[1] & 1)) { /* asynchronous: would need overlap */
        bad_field(s);
        return;
    }
    memset(p, 0, 8);
    p[2] = 0x80; /* no event available */
    p[3] = BIT(MEDIA_CLASS);
    if (s->cdb[4] & BIT(MEDIA_CLASS)) {
        p[2] = MEDIA_CLASS;
        p[4] = s->media_event;
        p[5] = (uint8_t) ((s->tray_open ? 1 : 0) | (atapi_has_medium(s) ? 2 : 0));
        n = 8;
        if (ld_be16(s->cdb + 7) > 4)
            s->media_event = 0; /* reported once */
    }
    st_be16(p, (uint16_t) (n - 2));
    atapi_reply(s, n, ld_be16(s->cdb + 7));
}

void mmc_mechanism_status(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);

    memset(p, 0, 8);
    p[1] = s->tray_open ? 0x10 : 0;
    p[2] = (uint8_t) (s->head >> 16);
    p[3] = (uint8_t) (s->head >> 8);
    p[4] = (uint8_t) s->head;
    atapi_reply(s, 8, ld_be16(s->cdb + 8));
}
