/* hw/ide/mmc_mode.c - mode pages of a CD/DVD drive.
 *
 * Sheet: MMC-5 7.2 (pages), SPC-3 6.8-6.11 (MODE SENSE, MODE SELECT), SFF-8020i for 0Dh and 0Eh.
 * Deviations: no page can be saved; what is set has no effect on reading. */
#include "hw/ide/ide.h"

enum { N_SETTABLE = 3, PAGE_CAPABILITIES = 0x2a, ALL_PAGES = 0x3f };

static const struct page {
    uint8_t size;
    uint8_t init[20], mask[20]; /* mask: what MODE SELECT may change */
} settable[N_SETTABLE] = {
    { 12, { 0x01, 10, 0x00, 5 }, { 0, 0, 0x3f, 0xff } },                         /* read error recovery */
    { 8, { 0x0d, 6, 0, 0x0d, 0, 60, 0, 75 }, { 0, 0, 0, 0x0f } },                /* CD-ROM: timer, seconds, frames */
    { 16, { 0x0e, 14, 0x04, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff },                  /* audio control */
      { 0, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0xff, 0x0f, 0xff } },
};

void mmc_mode_reset(struct ide_drive *s)
{
    for (unsigned i = 0; i < N_SETTABLE; i++)
        memcpy(s->pages[i], settable[i].init, sizeof s->pages[i]);
}

static uint32_t capabilities(const struct ide_drive *s, uint8_t *p, bool changeable)
{
    enum { SIZE = 22, SPEED = 32 * 176 /* KB/s */ };

    memset(p, 0, SIZE);
    p[0] = PAGE_CAPABILITIES;
    p[1] = SIZE - 2;
    if (changeable)
        return SIZE;
    p[2] = 0x3b; /* reads DVD-RAM, DVD-R, DVD-ROM, CD-RW, CD-R */
    p[4] = 0x70; /* multi-session, mode 2 forms 1 and 2 */
    p[6] = (uint8_t) (0x29 | (s->locked ? 2 : 0)); /* tray, eject, lock */
    st_be16(p + 8, SPEED);
    st_be16(p + 12, IDE_BUF_SIZE / 1024);
    st_be16(p + 14, SPEED);
    return SIZE;
}

static uint32_t put_pages(struct ide_drive *s, uint8_t *p, uint8_t code, uint8_t control)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < N_SETTABLE; i++) {
        const struct page *pg = &settable[i];
        if (code != ALL_PAGES && code != pg->init[0])
            continue;
        memcpy(p + n, control == 0 ? s->pages[i] : control == 1 ? pg->mask : pg->init, pg->size);
        p[n] = pg->init[0];
        p[n + 1] = pg->init[1];
        n += pg->size;
    }
    if (code == ALL_PAGES || code == PAGE_CAPABILITIES)
        n += capabilities(s, p + n, control == 1);
    return n;
}

static uint8_t medium_type(const struct ide_drive *s)
{
    if (s->tray_open)
        return 0x71;
    return !atapi_has_medium(s) ? 0x70 : atapi_is_dvd(s) ? 0x00 : 0x01;
}

void mmc_mode_sense(struct ide_drive *s)
{
    bool six = s->cdb[0] == 0x1a;
    uint8_t *p = ide_buf(s), control = s->cdb[2] >> 6;
    uint32_t head = six ? 4 : 8, n;

    if (control == 3) {
        atapi_sense(s, SENSE_ILLEGAL, 0x39, 0x00); /* saving parameters is not supported */
        return;
    }
    memset(p, 0, head);
    n = s->cdb[3] && s->cdb[3] != 0xff ? 0 : put_pages(s, p + head, s->cdb[2] & 0x3f, control);
    if (!n) {
        atapi_sense(s, SENSE_ILLEGAL, 0x24, 0x00);
        return;
    }
    n += head;
    if (six) {
        p[0] = (uint8_t) (n - 1);
        p[1] = medium_type(s);
    } else {
        st_be16(p, (uint16_t) (n - 2));
        p[2] = medium_type(s);
    }
    atapi_reply(s, n, six ? s->cdb[4] : ld_be16(s->cdb + 7));
}

void mmc_mode_select(struct ide_drive *s)
{
    bool six = s->cdb[0] == 0x15;
    uint32_t len = six ? s->cdb[4] : ld_be16(s->cdb + 7);

    if (s->cdb[1] & 1) /* save pages */
        atapi_sense(s, SENSE_ILLEGAL, 0x24, 0x00);
    else if (!len)
        atapi_done(s);
    else if (len < (six ? 4U : 8U))
        atapi_sense(s, SENSE_ILLEGAL, 0x1a, 0x00); /* parameter list length error */
    else
        atapi_receive(s, len);
}

/* May the page at p be set so?  Applies it when `apply`. */
static bool set_page(struct ide_drive *s, const uint8_t *p, uint32_t size, bool apply)
{
    for (unsigned i = 0; i < N_SETTABLE; i++) {
        const struct page *pg = &settable[i];
        if ((p[0] & 0x3f) != pg->init[0])
            continue;
        if (size != pg->size)
            return false;
        for (uint32_t k = 2; k < size; k++)
            if ((p[k] ^ s->pages[i][k]) & ~pg->mask[k])
                return false;
        if (apply)
            memcpy(s->pages[i] + 2, p + 2, size - 2);
        return true;
    }
    uint8_t now[32];
    return (p[0] & 0x3f) == PAGE_CAPABILITIES && size == capabilities(s, now, false) &&
           !memcmp(now + 2, p + 2, size - 2);
}

/* 0, or an additional sense code. */
static uint8_t parse_list(struct ide_drive *s, bool apply)
{
    const uint8_t *p = ide_buf(s);
    bool six = s->cdb[0] == 0x15;
    uint32_t at = six ? 4 : 8;

    if (s->len < at)
        return 0x1a;
    at += six ? p[3] : ld_be16(p + 6); /* block descriptors: of no use here */
    while (at < s->len) {
        if (s->len - at < 2 || s->len - at - 2 < p[at + 1])
            return 0x1a;
        if (!set_page(s, p + at, 2U + p[at + 1], apply))
            return 0x26; /* invalid field in parameter list */
        at += 2U + p[at + 1];
    }
    return at > s->len ? 0x1a : 0;
}

void mmc_mode_selected(struct ide_drive *s)
{
    uint8_t asc = parse_list(s, false); /* all of it is good, or nothing is set */

    if (asc) {
        atapi_sense(s, SENSE_ILLEGAL, asc, 0x00);
        return;
    }
    parse_list(s, true);
    atapi_done(s);
}
