/* hw/vga/vbe.c - the Bochs display interface (DISPI): packed-pixel modes by eleven 16-bit
 * registers.
 *
 * Sheet: vbe_display_api.txt of the Bochs VGA BIOS, "DISPI" version B0C5; the port of the data
 * register is 1CFh, or 1D0h for those who want it aligned.
 * Deviations: sizes and offsets that video memory can't hold are clipped when they are written, so
 * that whatever the registers read is what is shown. */
#include "hw/vga/vga.h"

#define XRES VBE_DISPI_INDEX_XRES
#define YRES VBE_DISPI_INDEX_YRES
#define BPP VBE_DISPI_INDEX_BPP
#define ENABLE VBE_DISPI_INDEX_ENABLE
#define VIRT_WIDTH VBE_DISPI_INDEX_VIRT_WIDTH
#define VIRT_HEIGHT VBE_DISPI_INDEX_VIRT_HEIGHT
#define X_OFFSET VBE_DISPI_INDEX_X_OFFSET
#define Y_OFFSET VBE_DISPI_INDEX_Y_OFFSET

static bool depth_known(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* Make the registers of an enabled mode fit together and into memory.  vbe_pitch() can't be 0
 * afterwards. */
static void fit(struct vga_regs *r, uint64_t memory)
{
    uint16_t *v = r->vbe;

    if (!depth_known(v[BPP]))
        v[BPP] = 8;
    v[XRES] = CLAMP(v[XRES] & ~7, 8, VBE_DISPI_MAX_XRES);
    v[VIRT_WIDTH] = CLAMP(v[VIRT_WIDTH] & ~7, v[XRES], VBE_DISPI_MAX_XRES);
    uint64_t lines = memory / vbe_pitch(r); /* at least 16: 64000 bytes of 1 MiB */
    v[YRES] = (uint16_t) CLAMP(v[YRES], 1, MIN(lines, VBE_DISPI_MAX_YRES));
    v[VIRT_HEIGHT] = (uint16_t) MIN(lines, 0xffff);
    if (vbe_start(r) + (uint64_t) v[YRES] * vbe_pitch(r) > memory)
        v[Y_OFFSET] = 0;
    if (vbe_start(r) + (uint64_t) v[YRES] * vbe_pitch(r) > memory)
        v[X_OFFSET] = 0;
}

bool vbe_check(const struct vga *s)
{
    struct vga_regs copy = s->r;
    const uint16_t *v = s->r.vbe;

    if (v[VBE_DISPI_INDEX_ID] < VBE_DISPI_ID0 || v[VBE_DISPI_INDEX_ID] > VBE_DISPI_ID5 ||
        v[VBE_DISPI_INDEX_VIDEO_MEMORY_64K] != s->vram.size / (64 * KiB))
        return false;
    if (vbe_enabled(&copy))
        fit(&copy, s->vram.size);
    return !memcmp(copy.vbe, v, sizeof copy.vbe);
}

/* A VGA that was put into an extended mode reads as if its own registers had been programmed for
 * it, and its window shows packed pixels.  The picture comes from the registers above only: the
 * guest may scribble here. */
static void set_vga_regs(struct vga *s)
{
    const uint16_t *v = s->r.vbe;
    uint8_t *cr = s->r.crtc;
    bool planar = v[BPP] == 4;
    unsigned width = MIN(v[XRES] / 8 - 1, 0xff), height = MIN(v[YRES] - 1, 0x3ff);

    s->r.misc |= 0x02; /* memory on */
    s->r.gc[6] = (s->r.gc[6] & 0x02) | 0x05; /* graphics, 64 KiB at A0000 */
    s->r.gc[5] = (s->r.gc[5] & ~0x60) | (planar ? 0 : 0x40);
    s->r.seq[4] = planar ? (s->r.seq[4] & ~0x08) | 0x06 : s->r.seq[4] | 0x0e;
    if (!planar) { /* nothing left over may stand between the CPU and the pixels */
        s->r.seq[2] = 0x0f;
        s->r.gc[5] &= ~0x0b;
        s->r.gc[1] = s->r.gc[3] = 0;
        s->r.gc[8] = 0xff;
    }
    cr[0x01] = (uint8_t) width;
    cr[0x12] = (uint8_t) height;
    cr[0x07] = (cr[0x07] & ~0x42) | (height & 0x100) >> 7 | (height & 0x200) >> 3 | 0x10;
    cr[0x09] = (cr[0x09] & 0x20) | 0x40; /* one scan line a row; line compare off */
    cr[0x18] = 0xff;
    cr[0x13] = (uint8_t) (vbe_pitch(&s->r) / 8);
    cr[0x17] |= 0x03;
}

static void write_enable(struct vga *s, uint16_t val)
{
    uint16_t *v = s->r.vbe;
    bool was = vbe_enabled(&s->r);

    v[ENABLE] = val & (VBE_DISPI_ENABLED | VBE_DISPI_GETCAPS | VBE_DISPI_8BIT_DAC | VBE_DISPI_LFB_ENABLED |
                       VBE_DISPI_NOCLEARMEM);
    if (!was)
        s->bank = v[VBE_DISPI_INDEX_BANK] = 0;
    if ((val & VBE_DISPI_ENABLED) && !was) {
        v[VIRT_WIDTH] = v[X_OFFSET] = v[Y_OFFSET] = 0;
        fit(&s->r, s->vram.size);
        set_vga_regs(s);
        if (!(val & VBE_DISPI_NOCLEARMEM)) {
            memset(s->vram.host, 0, (size_t) v[YRES] * vbe_pitch(&s->r));
            ram_block_mark_dirty(&s->vram, 0, (uint64_t) v[YRES] * vbe_pitch(&s->r));
        }
    } else if (!(val & VBE_DISPI_ENABLED)) {
        s->bank = v[VBE_DISPI_INDEX_BANK] = 0;
    }
    vga_update_window(s);
}

void vbe_write(struct vga *s, unsigned index, uint16_t val)
{
    uint16_t *v = s->r.vbe;

    TRACE(s->dev, "dispi %u = 0x%x", index, val);
    switch (index) {
    case VBE_DISPI_INDEX_ID:
        if (val >= VBE_DISPI_ID0 && val <= VBE_DISPI_ID5)
            v[index] = val;
        return;
    case XRES: case YRES: case BPP: case VIRT_WIDTH: case X_OFFSET: case Y_OFFSET:
        v[index] = val;
        if (vbe_enabled(&s->r)) {
            fit(&s->r, s->vram.size);
            set_vga_regs(s);
            vga_update_window(s);
        }
        return;
    case ENABLE:
        write_enable(s, val);
        return;
    case VBE_DISPI_INDEX_BANK:
        if (!vbe_enabled(&s->r))
            return;
        v[index] = val & (uint16_t) (s->vram.size / (64 * KiB) - 1);
        s->bank = v[index] * (uint32_t) (64 * KiB);
        vga_update_window(s);
        return;
    default: /* VIRT_HEIGHT follows from the others, VIDEO_MEMORY_64K is fixed */
        return;
    }
}

uint16_t vbe_read(const struct vga *s, unsigned index)
{
    if (index >= VBE_DISPI_N)
        return 0;
    if (s->r.vbe[ENABLE] & VBE_DISPI_GETCAPS) {
        switch (index) {
        case XRES: return VBE_DISPI_MAX_XRES;
        case YRES: return VBE_DISPI_MAX_YRES;
        case BPP:  return VBE_DISPI_MAX_BPP;
        }
    }
    return s->r.vbe[index];
}

/* Ports 1CE (index), 1CF and 1D0 (data) */
static uint64_t dispi_read(void *opaque, uint64_t off, unsigned size)
{
    const struct vga *s = opaque;

    (void) size;
    return off == 0 ? s->vbe_index : vbe_read(s, s->vbe_index);
}

static void dispi_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *s = opaque;

    (void) size;
    if (off == 0)
        s->vbe_index = (uint16_t) val;
    else
        vbe_write(s, s->vbe_index, (uint16_t) val);
}

const struct region_ops vga_dispi_ops = { dispi_read, dispi_write, .min = 2, .max = 2, .unaligned = true };
