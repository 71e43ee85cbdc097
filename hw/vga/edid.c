/* hw/vga/edid.c - an EDID block for the monitor that a virtual display adapter sees.
 *
 * Sheet: VESA E-EDID Standard, Release A, Revision 2 (structure 1.4); timings by VESA CVT 1.2 with
 * reduced blanking.
 * Deviations: one block, so no detailed timing above 4095 pixels or 655 MHz. */
#include "hw/vga/edid.h"

enum { DPI = 100, REFRESH = 60 };

static const struct mode {
    uint16_t x, y;
    uint8_t byte, bit;  /* established timing (35-37), or 0 */
    uint8_t std_aspect; /* for a standard timing: 1 = 4:3, 2 = 5:4, 3 = 16:9, 0 = 16:10; 0xff none */
} modes[] = {
    { 640, 480, 35, 5, 0xff },   { 800, 600, 35, 0, 0xff },  { 1024, 768, 36, 3, 0xff }, { 1920, 1080,
        0, 0, 3 },
    { 1280, 720, 0, 0, 3 },      { 1440, 900, 0, 0, 0 },     { 1680, 1050, 0, 0, 0 },    { 1280, 1024,
        0, 0, 2 },
    { 1600, 1200, 0, 0, 1 },     { 1280, 800, 0, 0, 0 },     { 1920, 1200, 0, 0, 0 },
};

static void put_modes(uint8_t *e, const struct edid_info *info)
{
    unsigned slot = 38;

    memset(e + 38, 0x01, 16); /* unused standard timings */
    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        const struct mode *m = &modes[i];
        if ((info->xmax && m->x > info->xmax) || (info->ymax && m->y > info->ymax))
            continue;
        if (m->byte) {
            e[m->byte] |= BIT(m->bit);
        } else if (slot < 54) {
            e[slot++] = (uint8_t) (m->x / 8 - 31);
            e[slot++] = (uint8_t) (m->std_aspect << 6 | (REFRESH - 60));
        }
    }
}

/* CVT reduced blanking, version 1: 160 clocks across, at least 460 us down. */
static void put_timing(uint8_t *d, unsigned x, unsigned y, unsigned xmm, unsigned ymm)
{
    double period = (1e6 / REFRESH - 460) / y;                /* us a line */
    unsigned vblank = MAX((unsigned) (460 / period) + 1, 3 + 5 + 6);
    unsigned hblank = 160, hfront = 48, hsync = 32, vfront = 3, vsync = 5;
    unsigned clock = REFRESH * (y + vblank) * (x + hblank) / 250000 * 25; /* 10 kHz, in steps of 0.25 MHz */

    st_le16(d, (uint16_t) MIN(clock, 0xffff));
    d[2] = x & 0xff;
    d[3] = hblank & 0xff;
    d[4] = (uint8_t) (x >> 8 << 4 | hblank >> 8);
    d[5] = y & 0xff;
    d[6] = vblank & 0xff;
    d[7] = (uint8_t) (y >> 8 << 4 | vblank >> 8);
    d[8] = hfront & 0xff;
    d[9] = hsync & 0xff;
    d[10] = (vfront & 15) << 4 | (vsync & 15);
    d[11] = (uint8_t) ((hfront >> 8) << 6 | (hsync >> 8) << 4 | (vfront >> 4) << 2 | vsync >> 4);
    d[12] = xmm & 0xff;
    d[13] = ymm & 0xff;
    d[14] = (uint8_t) ((xmm >> 8) << 4 | ymm >> 8);
    d[17] = 0x1a; /* digital separate sync, horizontal positive */
}

static void put_text(uint8_t *d, uint8_t tag, const char *text)
{
    size_t n = strlen(text);

    memset(d, 0, 5);
    d[3] = tag;
    memset(d + 5, ' ', 13);
    memcpy(d + 5, text, MIN(n, 13));
    if (n < 13)
        d[5 + n] = '\n';
}

static void put_ranges(uint8_t *d)
{
    static const uint8_t limits[18] = { 0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 255, 0x01, '\n', ' ', ' ',
                                        ' ', ' ', ' ', ' ' };

    memcpy(d, limits, sizeof limits);
}

void edid_make(uint8_t e[EDID_SIZE], const struct edid_info *info)
{
    static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    static const uint8_t srgb[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
    unsigned xmm = info->xres * 254 / (10 * DPI), ymm = info->yres * 254 / (10 * DPI);
    uint8_t sum = 0;

    memset(e, 0, EDID_SIZE);
    memcpy(e, header, 8);
    st_be16(e + 8, ('B' - '@') << 10 | ('N' - '@') << 5 | ('T' - '@')); /* maker, five bits a letter */
    st_le16(e + 10, 0x1111);
    e[16] = 1;           /* week */
    e[17] = 2024 - 1990; /* year */
    e[18] = 1;
    e[19] = 4;           /* 1.4 */
    e[20] = 0xa5;        /* digital, 8 bits a colour, DisplayPort */
    e[21] = (uint8_t) MIN(MAX(xmm / 10, 1), 255);
    e[22] = (uint8_t) MIN(MAX(ymm / 10, 1), 255);
    e[23] = 120;         /* gamma 2.2 */
    e[24] = 0x06;        /* sRGB, the first detailed timing is the native one */
    memcpy(e + 25, srgb, sizeof srgb);
    put_modes(e, info);
    put_timing(e + 54, info->xres, info->yres, xmm, ymm);
    put_ranges(e + 72);
    put_text(e + 90, 0xfc, "Bantam");
    put_text(e + 108, 0xff, "1");
    for (int i = 0; i < EDID_SIZE - 1; i++)
        sum += e[i];
    e[EDID_SIZE - 1] = (uint8_t) -sum;
}
