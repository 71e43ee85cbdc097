/* hw/vga/vga_draw.c - from registers and video memory to the console's surface.
 *
 * The VGA's own modes are drawn scan line by scan line as the hardware does, whenever anything
 * changed; comparing each line with what the surface has gives the dirty rectangle.  In packed-
 * pixel modes, which may be large, only lines in dirty pages are drawn. */
#include "hw/vga/vga.h"
#include "vmm/core/vm.h"

#include <limits.h>

enum { GC5_INTERLEAVE = 0x20, GC5_256 = 0x40 };

/* --- colours ------------------------------------------------------------------------------------- */

static uint32_t dac_color(const struct vga_regs *r, uint8_t index)
{
    const uint8_t *c = &r->dac[(index & r->dac_mask) * 3];
    uint8_t rgb[3];

    for (int i = 0; i < 3; i++) { /* 63 becomes 255 */
        uint8_t six = c[i] & 0x3f;
        rgb[i] = r->vbe[VBE_DISPI_INDEX_ENABLE] & VBE_DISPI_8BIT_DAC ? c[i] : (uint8_t) (six << 2 | six >> 4);
    }
    return (uint32_t) rgb[0] << 16 | (uint32_t) rgb[1] << 8 | rgb[2];
}

/* Through plane enable, palette and colour select to the DAC */
static void ac_colors(const struct vga *s, uint32_t colors[16])
{
    const uint8_t *ac = s->r.ac;

    for (unsigned i = 0; i < 16; i++) {
        unsigned c = ac[i & ac[0x12] & 15] | (ac[0x14] & 0x0c) << 4;
        if (ac[0x10] & 0x80)
            c = (c & 0xcf) | (ac[0x14] & 3) << 4;
        colors[i] = s->palette[c & 0xff];
    }
}

/* --- graphics lines ------------------------------------------------------------------------------- */

struct painter {
    const struct vga_geometry *g;
    uint32_t colors[16];
    uint64_t frame;
};

static uint32_t word_at(const struct vga *s, uint32_t at)
{
    return ld_le32(s->vram.host + (uint64_t) (at & vga_plane_mask(s)) * 4);
}

/* Eight pixels, a bit of each plane */
static void put_planar(uint32_t *out, uint32_t w, const uint32_t colors[16])
{
    for (unsigned i = 0; i < 8; i++, w <<= 1)
        out[i] = colors[(w >> 7 & 1) | (w >> 14 & 2) | (w >> 21 & 4) | (w >> 28 & 8)];
}

/* Eight pixels, two bits each from planes 0 and then 1, two more from planes 2 and then 3 */
static void put_interleaved(uint32_t *out, uint32_t w, const uint32_t colors[16])
{
    for (unsigned half = 0; half < 2; half++, w >>= 8) {
        for (unsigned i = 0; i < 4; i++)
            *out++ = colors[(w >> (6 - 2 * i) & 3) | (w >> (22 - 2 * i) & 3) << 2];
    }
}

static void put_256(const struct vga *s, uint32_t *out, uint32_t w)
{
    for (unsigned i = 0; i < 4; i++, w >>= 8)
        out[2 * i] = out[2 * i + 1] = s->palette[w & 0xff];
}

static void draw_graphics(struct vga *s, const struct painter *p, const struct vga_scan *l)
{
    const struct vga_regs *r = &s->r;
    unsigned slow = r->crtc[0x14] & 0x20 ? 2 : r->crtc[0x17] & 0x08 ? 1 : 0; /* count by four, by two */
    unsigned n = (p->g->columns + 1) * 8;

    for (unsigned x = 0; x <= p->g->columns; x++) {
        uint32_t w = word_at(s, vga_scan_address(r, l->ma + (x >> slow), l->rs));
        if (r->gc[5] & GC5_256)
            put_256(s, s->line + x * 8, w);
        else if (r->gc[5] & GC5_INTERLEAVE)
            put_interleaved(s->line + x * 8, w, p->colors);
        else
            put_planar(s->line + x * 8, w, p->colors);
    }
    for (unsigned i = n; p->g->half_clock && i-- > 0;)
        s->line[2 * i] = s->line[2 * i + 1] = s->line[i];
}

/* --- packed pixels -------------------------------------------------------------------------------- */

static uint32_t rgb16(unsigned v)
{
    unsigned r = v >> 11, g = v >> 5 & 0x3f, b = v & 0x1f;
    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static uint32_t rgb15(unsigned v)
{
    unsigned r = v >> 10 & 0x1f, g = v >> 5 & 0x1f, b = v & 0x1f;
    return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

static void draw_packed(struct vga *s, const struct painter *p, const uint8_t *src)
{
    uint32_t *out = s->line;
    unsigned n = p->g->width, bpp = s->r.vbe[VBE_DISPI_INDEX_BPP];
    bool be = s->r.big_endian;

    switch (bpp) {
    case 8:
        for (unsigned x = 0; x < n; x++)
            out[x] = s->palette[src[x]];
        break;
    case 15:
        for (unsigned x = 0; x < n; x++)
            out[x] = rgb15(be ? ld_be16(src + 2 * x) : ld_le16(src + 2 * x));
        break;
    case 16:
        for (unsigned x = 0; x < n; x++)
            out[x] = rgb16(be ? ld_be16(src + 2 * x) : ld_le16(src + 2 * x));
        break;
    case 24:
        for (unsigned x = 0; x < n; x++, src += 3)
            out[x] = (uint32_t) src[be ? 0 : 2] << 16 | (uint32_t) src[1] << 8 | src[be ? 2 : 0];
        break;
    case 32:
        for (unsigned x = 0; x < n; x++)
            out[x] = (be ? ld_be32(src + 4 * x) : ld_le32(src + 4 * x)) & 0xffffff;
        break;
    }
}

static void draw_vbe_planar(struct vga *s, const struct painter *p, unsigned y)
{
    uint32_t at = (s->r.vbe[VBE_DISPI_INDEX_Y_OFFSET] + y) * (vbe_pitch(&s->r) / 4) +
                  s->r.vbe[VBE_DISPI_INDEX_X_OFFSET] / 8;

    for (unsigned x = 0; x <= p->g->width; x += 8)
        put_planar(s->line + x, word_at(s, at + x / 8), p->colors);
}

/* --- onto the surface ------------------------------------------------------------------------------ */

struct box {
    int x0, y0, x1, y1;
};

/* Put a line in place and note the part that differs. */
static void show_line(struct vga *s, unsigned y, const uint32_t *px, struct box *box)
{
    uint32_t *row = console_row(&s->con, (int) y);
    int a = 0, b = s->con.width;

    if (!memcmp(row, px, (size_t) b * 4))
        return;
    while (row[a] == px[a])
        a++;
    while (row[b - 1] == px[b - 1])
        b--;
    memcpy(row + a, px + a, (size_t) (b - a) * 4);
    box->x0 = MIN(box->x0, a);
    box->x1 = MAX(box->x1, b);
    box->y0 = MIN(box->y0, (int) y);
    box->y1 = MAX(box->y1, (int) y + 1);
}

static void draw_blank(struct vga *s, struct box *box)
{
    memset(s->line, 0, (size_t) s->con.width * 4);
    for (int y = 0; y < s->con.height; y++)
        show_line(s, (unsigned) y, s->line, box);
}

static void draw_legacy(struct vga *s, const struct painter *p, struct box *box)
{
    struct vga_scan l;

    vga_scan_first(&s->r, p->g, &l);
    for (; l.y < p->g->height; vga_scan_next(&s->r, p->g, &l)) {
        if (p->g->text)
            vga_draw_text(s, p->g, &l, p->frame, p->colors);
        else
            draw_graphics(s, p, &l);
        show_line(s, l.y, s->line + l.pan, box);
    }
}

/* Pages are shared by lines: a page's bit is taken once and remembered for the lines that follow. */
static void draw_vbe(struct vga *s, const struct painter *p, bool all, struct box *box)
{
    uint32_t pitch = vbe_pitch(&s->r), start = vbe_start(&s->r);
    unsigned bpp = s->r.vbe[VBE_DISPI_INDEX_BPP];
    uint64_t page_dirty = UINT64_MAX, next = start / PAGE_SIZE_4K;

    for (unsigned y = 0; y < p->g->height; y++) {
        uint64_t off = start + (uint64_t) y * pitch, end = off + p->g->width * ((bpp + 1u) & ~3u) / 8;
        bool dirty = all || (page_dirty != UINT64_MAX && page_dirty >= off / PAGE_SIZE_4K);
        for (next = MAX(next, off / PAGE_SIZE_4K); next * PAGE_SIZE_4K < end; next++) {
            if (ram_block_test_clear(&s->vram, DIRTY_DISPLAY, next * PAGE_SIZE_4K, PAGE_SIZE_4K)) {
                page_dirty = next;
                dirty = true;
            }
        }
        if (!dirty)
            continue;
        if (bpp == 4)
            draw_vbe_planar(s, p, y);
        else
            draw_packed(s, p, s->vram.host + off);
        show_line(s, y, s->line + (bpp == 4 ? s->r.vbe[VBE_DISPI_INDEX_X_OFFSET] & 7 : 0), box);
    }
}

static void track(struct vga *s, bool on)
{
    s->tracking = on;
    ram_block_track(&s->vram, DIRTY_DISPLAY, on);
    space_begin(&s->dev->vm->mem);
    if (s->lfb)
        region_set_log_dirty(s->lfb, on);
    region_set_log_dirty(&s->window_ram, on);
    space_commit(&s->dev->vm->mem);
}

void vga_idle(void *opaque)
{
    struct vga *s = opaque;

    if (s->tracking)
        track(s, false);
    s->drawn_valid = false;
}

/* Does the picture of a VGA mode have to be drawn again?  Planes of 64 KiB: 64 pages hold all that
 * can show. */
static bool legacy_changed(struct vga *s)
{
    return ram_block_test_clear(&s->vram, DIRTY_DISPLAY, 0, 256 * KiB);
}

void vga_update(void *opaque, bool full, struct rect *dirty)
{
    struct vga *s = opaque;
    struct vga_geometry g;
    struct painter p = { .g = &g };
    struct box box = { INT_MAX, INT_MAX, 0, 0 };
    bool all = full || !s->drawn_valid;

    if (!full && !s->tracking) {
        track(s, true);
        all = true;
    }
    if (s->tracking)
        ram_block_sync(&s->vram);
    vga_geometry(&s->r, &g);
    console_resize(&s->con, (int) g.width, (int) g.height);

    p.frame = vga_frame(s);
    bool blinks = g.text && !g.vbe && p.frame >> 3 != s->drawn_blink;
    if (all || memcmp(&s->r, &s->drawn, sizeof s->r)) {
        all = true;
        for (unsigned i = 0; i < 256; i++)
            s->palette[i] = dac_color(&s->r, (uint8_t) i);
        memcpy(&s->drawn, &s->r, sizeof s->r);
        s->drawn_valid = s->tracking; /* nothing tells what changes without */
    }
    s->drawn_blink = p.frame >> 3;
    ac_colors(s, p.colors);
    if (g.blank && all)
        draw_blank(s, &box);
    else if (!g.blank && g.vbe)
        draw_vbe(s, &p, all, &box);
    else if (!g.blank && (legacy_changed(s) | all | blinks))
        draw_legacy(s, &p, &box);
    if (box.y1)
        *dirty = (struct rect){ box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0 };
}
