/* hw/vga/vga_scan.c - the CRTC: how large the picture is, and the memory address of each scan line.
 *
 * Sheet: IBM "PS/2 Hardware Interface Technical Reference: Video Subsystems", VGA function, CRT controller.
 * Pure functions of the registers, shared by the picture and by the text of the screen. */
#include "hw/vga/vga.h"

enum { CR17_NO_CGA = 0x01, CR17_NO_HGC = 0x02, CR17_HALF_LINES = 0x04, CR17_WRAP = 0x20, CR17_BYTE = 0x40,
       CR14_DWORD = 0x40 };

void vga_geometry(const struct vga_regs *r, struct vga_geometry *g)
{
    const uint8_t *cr = r->crtc;
    unsigned over = cr[0x07];

    *g = (struct vga_geometry){ .vbe = vbe_enabled(r), .blank = !(r->ac_index & 0x20) || (r->seq[1] & 0x20) };
    if (g->vbe) {
        g->width = r->vbe[VBE_DISPI_INDEX_XRES];
        g->height = r->vbe[VBE_DISPI_INDEX_YRES];
        return;
    }
    g->text = !(r->gc[6] & 1);
    g->columns = cr[0x01] + 1u;
    g->dots = g->text && !(r->seq[1] & 1) ? 9 : 8;
    g->half_clock = r->seq[1] & 8;
    g->width = g->columns * g->dots << g->half_clock;
    g->height = (cr[0x12] | (over & 0x02) << 7 | (over & 0x40) << 3) + 1;
    g->split = cr[0x18] | (over & 0x10) << 4 | (cr[0x09] & 0x40) << 3;
    if (cr[0x17] & CR17_HALF_LINES) { /* the vertical counter runs at half the line rate */
        g->height *= 2;
        g->split *= 2;
    }
    g->rows = (cr[0x09] & 0x1f) + 1u;
    g->double_scan = cr[0x09] & 0x80;
}

static unsigned panning(const struct vga_regs *r, const struct vga_geometry *g)
{
    unsigned pan = r->ac[0x13];

    pan = g->dots == 9 ? (pan >= 8 ? 0 : pan + 1) : pan & 7;
    return pan << g->half_clock;
}

void vga_scan_first(const struct vga_regs *r, const struct vga_geometry *g, struct vga_scan *l)
{
    *l = (struct vga_scan){
        .ma = ((unsigned) r->crtc[0x0c] << 8 | r->crtc[0x0d]) + (r->crtc[0x08] >> 5 & 3),
        .rs = (r->crtc[0x08] & 0x1fu) % g->rows, /* past the end it would count to 31 and wrap */
        .pan = panning(r, g),
    };
}

void vga_scan_next(const struct vga_regs *r, const struct vga_geometry *g, struct vga_scan *l)
{
    if (l->y++ == g->split) {
        l->ma = l->rs = 0;
        l->second = false;
        if (r->ac[0x10] & 0x20) /* the lower part does not pan */
            l->pan = 0;
        return;
    }
    l->second = g->double_scan && !l->second;
    if (l->second)
        return;
    if (++l->rs >= g->rows) {
        l->rs = 0;
        l->ma = (l->ma + r->crtc[0x13] * 2u) & 0xffff;
    }
}

/* The address lines as the CRTC drives them, less the shift of the word and doubleword modes: see
 * vga.h.  Row scan bits take the place of address bits 13 and 14 where the CGA and Hercules
 * interleave lines. */
uint32_t vga_scan_address(const struct vga_regs *r, unsigned ma, unsigned rs)
{
    unsigned cr17 = r->crtc[0x17], shift = 0, at = ma & 0xffff;

    if (r->crtc[0x14] & CR14_DWORD) {
        shift = 2;
    } else if (!(cr17 & CR17_BYTE)) {
        shift = 1;
        at = (at & 0x7fff) | (ma & (cr17 & CR17_WRAP ? 0x8000 : 0x2000) ? 0x8000 : 0);
    }
    if (!(cr17 & CR17_NO_CGA))
        at = (at & ~(0x2000u >> shift)) | (rs & 1 ? 0x2000 >> shift : 0);
    if (!(cr17 & CR17_NO_HGC))
        at = (at & ~(0x4000u >> shift)) | (rs & 2 ? 0x4000 >> shift : 0);
    return at;
}

bool vga_cursor_shown(const struct vga_regs *r)
{
    return !(r->crtc[0x0a] & 0x20) && (r->crtc[0x0a] & 0x1f) <= (r->crtc[0x0b] & 0x1f);
}
