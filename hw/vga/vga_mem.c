/* hw/vga/vga_mem.c - the window at A0000-BFFFF: how a CPU access becomes one to the four planes.
 *
 * Sheet: IBM "PS/2 Hardware Interface Technical Reference: Video Subsystems", VGA function: memory
 * maps, read and write modes.  A quadruple of plane bytes is one little-endian 32-bit word, plane 0
 * lowest, as in `latch`.
 * Deviations: while the window is mapped straight to memory (256-colour modes), a read does not
 * load the latches. */
#include "hw/vga/vga.h"
#include "vmm/core/vm.h"

enum { MISC_RAM = 0x02, MISC_PAGE = 0x20 };
enum { SR4_ODD_EVEN_OFF = 0x04, SR4_CHAIN4 = 0x08 };
enum { GC5_WRITE_MODE = 0x03, GC5_READ_MODE = 0x08, GC5_ODD_EVEN = 0x10, GC6_CHAIN = 0x02 };

/* One byte into all of four, and a bit a plane into a byte a plane */
static uint32_t spread(uint8_t v)
{
    return v * 0x01010101u;
}

static uint32_t planes(unsigned bits)
{
    return (bits & 1 ? 0xffu : 0) | (bits & 2 ? 0xff00u : 0) | (bits & 4 ? 0xff0000u : 0) |
           (bits & 8 ? 0xff000000u : 0);
}

/* The address within the mapped part of the window, with the bank; false: nothing answers there. */
static bool decode(const struct vga *s, uint64_t off, uint32_t *a)
{
    static const struct { uint32_t base, size; } map[4] = {
        { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 }
    };
    unsigned sel = s->r.gc[6] >> 2 & 3;

    if (!(s->r.misc & MISC_RAM) || off - map[sel].base >= map[sel].size)
        return false;
    *a = (uint32_t) (off - map[sel].base) + (sel < 2 ? s->bank : 0);
    return true;
}

/* Which quadruple an address means.  Odd/even replaces address bit 0 by the page bit (by A16 in the
 * 128 KiB map). */
static uint32_t quad(const struct vga *s, uint32_t a)
{
    if (s->r.seq[4] & SR4_CHAIN4)
        return a >> 2 & vga_plane_mask(s);
    if (s->r.gc[6] & GC6_CHAIN) {
        bool page = s->r.gc[6] & 0x0c ? !(s->r.misc & MISC_PAGE) : a & 0x10000;
        return ((a >> 1 & 0x7fff) | (page ? 0x8000 : 0)) & vga_plane_mask(s);
    }
    return a & vga_plane_mask(s);
}

static uint32_t alu(const struct vga *s, uint32_t v)
{
    switch (s->r.gc[3] >> 3) {
    case 1:  return v & s->latch;
    case 2:  return v | s->latch;
    case 3:  return v ^ s->latch;
    default: return v;
    }
}

static uint8_t rotate(const struct vga *s, uint8_t v)
{
    unsigned n = s->r.gc[3] & 7;

    return (uint8_t) (v >> n | v << (8 - n));
}

/* What the graphics controller makes of a byte from the CPU */
static uint32_t gc_pipeline(const struct vga *s, uint8_t val)
{
    const uint8_t *gc = s->r.gc;
    uint32_t v, mask = spread(gc[8]), set = planes(gc[0]), enable = planes(gc[1]);

    switch (gc[5] & GC5_WRITE_MODE) {
    case 0:  v = alu(s, (spread(rotate(s, val)) & ~enable) | (set & enable)); break;
    case 1:  return s->latch;
    case 2:  v = alu(s, planes(val)); break;
    default: v = alu(s, set); mask &= spread(rotate(s, val)); break;
    }
    return (v & mask) | (s->latch & ~mask);
}

static void window_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *s = opaque;
    unsigned map = s->r.seq[2];
    uint32_t a;

    (void) size;
    if (!decode(s, off, &a))
        return;
    if (s->r.seq[4] & SR4_CHAIN4)
        map &= 1u << (a & 3);
    else if (!(s->r.seq[4] & SR4_ODD_EVEN_OFF))
        map &= a & 1 ? 0xa : 0x5;
    if (!map)
        return;
    uint32_t at = quad(s, a) * 4, mask = planes(map);
    uint32_t old = ld_le32(s->vram.host + at);
    st_le32(s->vram.host + at, (old & ~mask) | (gc_pipeline(s, (uint8_t) val) & mask));
    ram_block_mark_dirty(&s->vram, at, 4);
}

static uint64_t window_read(void *opaque, uint64_t off, unsigned size)
{
    struct vga *s = opaque;
    const uint8_t *gc = s->r.gc;
    unsigned plane = gc[4];
    uint32_t a;

    (void) size;
    if (!decode(s, off, &a))
        return 0xff;
    s->latch = ld_le32(s->vram.host + quad(s, a) * 4);
    if (gc[5] & GC5_READ_MODE) { /* a 1 where all planes we care about have the compared colour */
        uint32_t differ = (s->latch ^ planes(gc[2])) & planes(gc[7]);
        return (uint8_t) ~(differ | differ >> 8 | differ >> 16 | differ >> 24);
    }
    if (s->r.seq[4] & SR4_CHAIN4)
        plane = a & 3;
    else if (gc[5] & GC5_ODD_EVEN)
        plane = (plane & 2) | (a & 1);
    return s->latch >> (8 * plane) & 0xff;
}

const struct region_ops vga_window_ops = { window_read, window_write, .min = 1, .max = 1 };

/* With four chained planes and an idle graphics controller the window is plain memory, and needs no
 * exits. */
void vga_update_window(struct vga *s)
{
    const uint8_t *gc = s->r.gc;
    bool plain = (s->r.misc & MISC_RAM) && (s->r.seq[4] & SR4_CHAIN4) && s->r.seq[2] == 0x0f &&
                 gc[1] == 0 && gc[3] == 0 && !(gc[5] & (GC5_WRITE_MODE | GC5_READ_MODE)) && gc[8] == 0xff &&
                 (gc[6] & 0x0c) == 0x04;

    space_begin(&s->dev->vm->mem);
    if (plain)
        region_set_ram(&s->window_ram, REGION_RAM, &s->vram, s->bank, NULL, NULL);
    region_enable(&s->window_ram, plain);
    space_commit(&s->dev->vm->mem);
}
