/* hw/ide/cd_sector.c - a raw mode 1 sector of a data CD, made from its 2048 bytes of user data.
 *
 * Sheet: ECMA-130 clause 14 (sectors), annex A (error correction, RSPC), annex B (scrambling: not
 * part of it); MMC-5 READ CD, "main channel selection and flag values". */
#include "hw/ide/ide.h"

enum {
    SYNC_SIZE = 12,
    HEADER_SIZE = 4,
    USER_AT = 16,
    EDC_AT = 2064,
    P_AT = 2076,
    Q_AT = 2248,
    TAIL_SIZE = CD_RAW - EDC_AT
};
enum { F_SYNC = 0x80, F_SUBHEADER = 0x40, F_HEADER = 0x20, F_USER = 0x10, F_TAIL = 0x08 };

int cd_sector_size(uint8_t f)
{
    /* Parts must follow one another on the disc; a mode 1 sector has no sub-header, so that it is skipped. */
    if ((f & F_SYNC) && !(f & F_HEADER) && (f & (F_SUBHEADER | F_USER | F_TAIL)))
        return -1;
    if ((f & F_TAIL) && !(f & F_USER))
        return -1;
    return (f & F_SYNC ? SYNC_SIZE : 0) + (f & F_HEADER ? HEADER_SIZE : 0) + (f & F_USER ? CD_SECTOR : 0) +
           (f & F_TAIL ? TAIL_SIZE : 0);
}

void cd_lba_to_msf(uint8_t *msf, uint32_t lba)
{
    lba += 150;
    msf[0] = (uint8_t) MIN(lba / (60 * 75), 255);
    msf[1] = (uint8_t) (lba / 75 % 60);
    msf[2] = (uint8_t) (lba % 75);
}

static uint8_t bcd(uint8_t v)
{
    return (uint8_t) (v / 10 % 10 << 4 | v % 10);
}

/* P(x) = (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), least significant bit first */
static uint32_t edc(const uint8_t *p, unsigned n)
{
    uint32_t crc = 0;

    for (unsigned i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xd8018001 : 0);
    }
    return crc;
}

/* GF(2^8) over x^8 + x^4 + x^3 + x^2 + 1; alpha is x. */
static uint8_t times_alpha(uint8_t v)
{
    return (uint8_t) (v << 1 ^ (v & 0x80 ? 0x1d : 0));
}

static uint8_t gf_times(uint8_t a, uint8_t b)
{
    uint8_t r = 0;

    for (; b; b >>= 1, a = times_alpha(a))
        r ^= b & 1 ? a : 0;
    return r;
}

/* The parity symbols of one code word of n data symbols: all symbols sum to 0, and so do they
 * weighted by powers of alpha. The words lie at first, first + step ... modulo `mod`, `plane`
 * chooses the byte. */
static void parity(uint8_t *sector, unsigned plane, unsigned n, unsigned first, unsigned step, unsigned mod,
                   unsigned p0, unsigned p1)
{
    uint8_t *base = sector + SYNC_SIZE + plane, s0 = 0, s1 = 0;

    for (unsigned i = 0, w = first; i < n; i++, w = (w + step) % mod) {
        s0 ^= base[2 * w];
        s1 = times_alpha(s1) ^ base[2 * w];
    }
    s1 = times_alpha(times_alpha(s1));
    uint8_t q = gf_times(s0 ^ s1, 0xf4); /* over alpha + 1 */
    base[2 * p0] = q;
    base[2 * p1] = s0 ^ q;
}

static void ecc(uint8_t *sector)
{
    for (unsigned plane = 0; plane < 2; plane++)
        for (unsigned n = 0; n < 43; n++)
            parity(sector, plane, 24, n, 43, 43 * 24, 43 * 24 + n, 43 * 25 + n);
    for (unsigned plane = 0; plane < 2; plane++)
        for (unsigned n = 0; n < 26; n++)
            parity(sector, plane, 43, 43 * n, 44, 43 * 26, 43 * 26 + n, 44 * 26 + n);
}

void cd_sector_build(uint8_t *out, const uint8_t *data, uint32_t lba, uint8_t f)
{
    uint8_t raw[CD_RAW];
    uint8_t msf[3];

    memset(raw, 0xff, SYNC_SIZE);
    raw[0] = raw[11] = 0;
    cd_lba_to_msf(msf, lba);
    for (int i = 0; i < 3; i++)
        raw[12 + i] = bcd(msf[i]);
    raw[15] = 1; /* mode */
    memcpy(raw + USER_AT, data, CD_SECTOR);
    memset(raw + EDC_AT, 0, TAIL_SIZE);
    if (f & F_TAIL) {
        st_le32(raw + EDC_AT, edc(raw, EDC_AT));
        ecc(raw);
    }
    const struct { uint8_t flag; unsigned at, size; } part[] = {
        { F_SYNC, 0, SYNC_SIZE }, { F_HEADER, SYNC_SIZE, HEADER_SIZE }, { F_USER, USER_AT, CD_SECTOR },
        { F_TAIL, EDC_AT, TAIL_SIZE },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(part); i++)
        if (f & part[i].flag) {
            memcpy(out, raw + part[i].at, part[i].size);
            out += part[i].size;
        }
}
