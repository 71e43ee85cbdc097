/* hw/vga/vga_text.c - text modes: one scan line of characters, and the screen's text as UTF-8.
 *
 * Sheet: IBM "PS/2 Hardware Interface Technical Reference: Video Subsystems", VGA function:
 * alphanumeric modes. */
#include "hw/vga/vga.h"

enum { AC10_LINE_GRAPHICS = 0x04, AC10_BLINK = 0x08, ATTR_FONT = 0x08, ATTR_BLINK = 0x80 };

/* Start of a font in plane 2 (in bytes), from the three bits of the character map select register */
static uint32_t font_base(unsigned sel)
{
    return (sel & 3) * 0x4000 + (sel & 4 ? 0x2000 : 0);
}

struct fonts {
    uint32_t base[2]; /* by attribute bit 3 */
};

static struct fonts find_fonts(const struct vga_regs *r)
{
    unsigned sel = r->seq[3];

    return (struct fonts){ { font_base((sel & 3) | (sel >> 2 & 4)),
                             font_base((sel >> 2 & 3) | (sel >> 3 & 4)) } };
}

/* Where the cursor is in memory, when this row scan shows it; else a place that is nowhere */
static unsigned cursor_address(const struct vga_regs *r, unsigned rs, uint64_t frame)
{
    const uint8_t *cr = r->crtc;

    if (!vga_cursor_shown(r) || rs < (cr[0x0a] & 0x1fu) || rs > (cr[0x0b] & 0x1fu) || (frame >> 3 & 1))
        return ~0u;
    return (((unsigned) cr[0x0e] << 8 | cr[0x0f]) + (cr[0x0b] >> 5 & 3)) & 0xffff;
}

static uint32_t *put(uint32_t *out, unsigned bits, unsigned dots, uint32_t fg, uint32_t bg, bool half_clock)
{
    for (unsigned i = 0; i < dots; i++, bits <<= 1) { /* bit 8 is the leftmost dot */
        uint32_t c = bits & 0x100 ? fg : bg;
        *out++ = c;
        if (half_clock)
            *out++ = c;
    }
    return out;
}

/* Fills s->line with one character more than the line is wide, for panning. */
void vga_draw_text(struct vga *s, const struct vga_geometry *g, const struct vga_scan *l, uint64_t frame,
                   const uint32_t colors[16])
{
    const struct vga_regs *r = &s->r;
    struct fonts fonts = find_fonts(r);
    unsigned cursor = cursor_address(r, l->rs, frame), mask = vga_plane_mask(s);
    bool blink = r->ac[0x10] & AC10_BLINK, hidden = frame >> 4 & 1;
    bool underline = l->rs == (r->crtc[0x14] & 0x1fu);
    uint32_t *out = s->line;

    for (unsigned x = 0; x <= g->columns; x++) {
        unsigned ma = (l->ma + x) & 0xffff;
        const uint8_t *cell = s->vram.host + (vga_scan_address(r, ma, l->rs) & mask) * 4;
        unsigned ch = cell[0], attr = cell[1];
        uint32_t glyph = (fonts.base[attr & ATTR_FONT ? 1 : 0] + ch * 32 + l->rs) & 0xffff;
        unsigned bits = s->vram.host[glyph * 4 + 2] << 1;
        uint32_t fg = colors[attr & 15], bg = colors[attr >> 4 & (blink ? 7 : 15)];

        if ((r->ac[0x10] & AC10_LINE_GRAPHICS) && ch >= 0xc0 && ch <= 0xdf)
            bits |= bits >> 1 & 1;
        if (underline && (attr & 0x77) == 0x01)
            bits = 0x1ff;
        if (blink && (attr & ATTR_BLINK) && hidden)
            bits = 0;
        if (ma == cursor)
            bits = 0x1ff;
        out = put(out, bits, g->dots, fg, bg, g->half_clock);
    }
}

/* --- as UTF-8 ------------------------------------------------------------------------------------ */

/* Code page 437, with the glyphs that the low codes have on the screen */
static const uint16_t cp437_low[32] = {
    0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25d8, 0x25cb, 0x25d9, 0x2642,
    0x2640, 0x266a, 0x266b, 0x263c, 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8,
    0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc,
};
static const uint16_t cp437_high[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef,
    0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
    0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa,
    0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
    0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
    0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4,
    0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
    0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x0020,
};

static gunichar cp437(uint8_t ch)
{
    return ch < 32 ? cp437_low[ch] : ch >= 128 ? cp437_high[ch - 128] : ch == 127 ? 0x2302 : ch;
}

static void append_row(const struct vga *s, const struct vga_geometry *g, const struct vga_scan *l,
                       GString *out)
{
    gsize end = out->len;

    for (unsigned x = 0; x < g->columns; x++) {
        uint32_t at = vga_scan_address(&s->r, l->ma + x, l->rs) & vga_plane_mask(s);
        gunichar c = cp437(s->vram.host[at * 4]);
        g_string_append_unichar(out, c);
        if (c != ' ')
            end = out->len;
    }
    g_string_truncate(out, end);
    g_string_append_c(out, '\n');
}

char *vga_text(void *opaque)
{
    const struct vga *s = opaque;
    struct vga_geometry g;
    struct vga_scan l;
    GString *out;

    vga_geometry(&s->r, &g);
    if (!g.text || g.vbe)
        return NULL;
    out = g_string_new(NULL);
    vga_scan_first(&s->r, &g, &l);
    for (bool first = true; l.y < g.height; first = false, vga_scan_next(&s->r, &g, &l)) {
        if (first || (l.rs == 0 && !l.second))
            append_row(s, &g, &l, out);
    }
    return g_string_free(out, FALSE);
}
