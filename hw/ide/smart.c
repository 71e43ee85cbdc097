/* hw/ide/smart.c - SMART of a disk that is well.
 *
 * Sheet: ATA/ATAPI-6 (T13/1410D) 8.55; attribute numbers by the vendors' custom.
 * Deviations: self-tests end at once and find nothing; no vendor-specific logs, no selective test;
 * off-line collection always reads as completed. */
#include "hw/ide/ide.h"

enum { LOG_DIRECTORY = 0x00, LOG_ERRORS = 0x01, LOG_SELFTEST = 0x06 };

static const struct {
    uint8_t id, flags, value, threshold;
} attributes[] = {
    { 1, 0x0f, 100, 6 },   /* raw read error rate */
    { 3, 0x03, 100, 0 },   /* spin-up time */
    { 4, 0x32, 100, 20 },  /* start/stop count */
    { 5, 0x33, 100, 36 },  /* reallocated sectors */
    { 9, 0x32, 100, 0 },   /* power-on hours */
    { 12, 0x32, 100, 20 }, /* power cycles */
    { 190, 0x22, 69, 50 }, /* 100 - temperature */
    { 197, 0x12, 100, 0 }, /* pending sectors */
    { 198, 0x10, 100, 0 }, /* uncorrectable off line */
};

static uint16_t hours(const struct ide_drive *s)
{
    return (uint16_t) (clock_now(s->dev.vm) / (3600 * NS_PER_SEC));
}

static uint32_t raw_value(const struct ide_drive *s, uint8_t id)
{
    switch (id) {
    case 4: case 12: return 1;
    case 9:   return hours(s);
    case 190: return 31;
    default:  return 0;
    }
}

static void reply(struct ide_drive *s, bool checksum, uint32_t len)
{
    uint8_t *p = ide_buf(s), sum = 0;

    for (unsigned i = 0; checksum && i < 511; i++)
        sum += p[i];
    if (checksum)
        p[511] = (uint8_t) -sum;
    ata_reply(s, len);
}

static void read_data(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);

    memset(p, 0, IDE_SECTOR);
    st_le16(p, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(attributes); i++) {
        uint8_t *a = p + 2 + 12 * i;
        a[0] = attributes[i].id;
        a[1] = attributes[i].flags;
        a[3] = a[4] = attributes[i].value; /* now and worst */
        st_le32(a + 5, raw_value(s, attributes[i].id));
    }
    p[362] = 0x02; /* off-line data collection completed without error */
    p[363] = 0;    /* self-test: completed without error */
    st_le16(p + 364, 10);
    p[367] = 0x19; /* immediate off-line, its abort by a new command, self-tests */
    st_le16(p + 368, 0x0003);
    p[370] = 0x01; /* error logging */
    p[372] = 1;    /* minutes: short and extended self-test */
    p[373] = 1;
    reply(s, true, IDE_SECTOR);
}

static void read_thresholds(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);

    memset(p, 0, IDE_SECTOR);
    st_le16(p, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(attributes); i++) {
        p[2 + 12 * i] = attributes[i].id;
        p[3 + 12 * i] = attributes[i].threshold;
    }
    reply(s, true, IDE_SECTOR);
}

static void selftest_log(struct ide_drive *s, uint8_t *p)
{
    st_le16(p, 1);
    for (unsigned i = 0; i < s->n_selftest; i++) {
        uint8_t *e = p + 2 + 24 * i;
        e[0] = s->selftest[i];
        e[1] = 0; /* completed without error */
        st_le16(e + 2, hours(s));
    }
    p[508] = s->n_selftest; /* the newest: the log fills from its start */
}

static void read_log(struct ide_drive *s)
{
    uint8_t *p = ide_buf(s);

    memset(p, 0, IDE_SECTOR);
    if (s->nsector[0] != 1) {
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    switch (s->lbal[0]) {
    case LOG_DIRECTORY:
        st_le16(p, 1);
        p[2 * LOG_ERRORS] = 1;
        p[2 * LOG_SELFTEST] = 1;
        reply(s, false, IDE_SECTOR);
        break;
    case LOG_ERRORS:
        p[0] = 1;
        reply(s, true, IDE_SECTOR);
        break;
    case LOG_SELFTEST:
        selftest_log(s, p);
        reply(s, true, IDE_SECTOR);
        break;
    default:
        ide_fail(s, IDE_ABRT, 0);
    }
}

static void execute_offline(struct ide_drive *s)
{
    uint8_t type = s->lbal[0];

    switch (type) {
    case 0x00: case 0x7f: /* off-line routine; abort */
        break;
    case 0x01: case 0x02: case 0x81: case 0x82: /* short, extended; the same captive */
        if (s->n_selftest == sizeof s->selftest)
            memmove(s->selftest, s->selftest + 1, --s->n_selftest);
        s->selftest[s->n_selftest++] = type;
        break;
    default:
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    ide_finish(s, true);
}

void ata_smart(struct ide_drive *s)
{
    uint8_t sub = s->features[0];

    if (s->lbam[0] != 0x4f || s->lbah[0] != 0xc2 || (!s->smart && sub != 0xd8)) {
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    switch (sub) {
    case 0xd0: read_data(s); return;
    case 0xd1: read_thresholds(s); return;
    case 0xd2: /* attribute autosave; DBh: automatic off-line */
        if (s->nsector[0] != 0 && s->nsector[0] != 0xf1)
            break;
        s->smart_autosave = s->nsector[0];
        ide_finish(s, true);
        return;
    case 0xdb:
        if (s->nsector[0] != 0 && s->nsector[0] != 0xf8)
            break;
        ide_finish(s, true);
        return;
    case 0xd3: ide_finish(s, true); return; /* save attribute values */
    case 0xd4: execute_offline(s); return;
    case 0xd5: read_log(s); return;
    case 0xd8: s->smart = true; ide_finish(s, true); return;
    case 0xd9: s->smart = false; ide_finish(s, true); return;
    case 0xda: ide_finish(s, true); return; /* 4Fh and C2h stay: no threshold was exceeded */
    }
    ide_fail(s, IDE_ABRT, 0);
}
