/* hw/vga/vga.h - the VGA core: registers, legacy window, Bochs display interface and renderer,
 * without a bus.
 *
 * A front (vga_pci.c) embeds a `struct vga`, names `vga_core_state` in its own state table, and
 * calls the functions below from its realize, reset, post_load and unrealize.  Everything is called
 * under the VM lock.
 *
 * Video memory holds the four planes interleaved: byte i of plane p is at vram[4 * i + p].  In the
 * chained modes (chain 4, odd/even) the bits that select a plane are shifted out of the address,
 * where IBM's card leaves holes: so a 256-colour picture is linear in memory and can be mapped into
 * the guest. */
#ifndef BANTAM_HW_VGA_VGA_H
#define BANTAM_HW_VGA_VGA_H

#include "vmm/core/device.h"
#include "vmm/ui/display.h"

enum { /* Bochs display interface, by index (1CEh) */
    VBE_DISPI_INDEX_ID, VBE_DISPI_INDEX_XRES, VBE_DISPI_INDEX_YRES, VBE_DISPI_INDEX_BPP,
    VBE_DISPI_INDEX_ENABLE, VBE_DISPI_INDEX_BANK, VBE_DISPI_INDEX_VIRT_WIDTH,
    VBE_DISPI_INDEX_VIRT_HEIGHT, VBE_DISPI_INDEX_X_OFFSET, VBE_DISPI_INDEX_Y_OFFSET,
    VBE_DISPI_INDEX_VIDEO_MEMORY_64K, VBE_DISPI_N
};
enum { VBE_DISPI_ENABLED = 0x01, VBE_DISPI_GETCAPS = 0x02, VBE_DISPI_8BIT_DAC = 0x20,
       VBE_DISPI_LFB_ENABLED = 0x40, VBE_DISPI_NOCLEARMEM = 0x80 };
enum { VBE_DISPI_ID0 = 0xb0c0, VBE_DISPI_ID5 = 0xb0c5, VBE_DISPI_MAX_XRES = 16000,
       VBE_DISPI_MAX_YRES = 12000, VBE_DISPI_MAX_BPP = 32 };

/* Everything that decides how memory looks on the screen. */
struct vga_regs {
    uint8_t misc;              /* 3C2 write, 3CC read */
    uint8_t seq[8];            /* 3C5 */
    uint8_t gc[16];            /* 3CF */
    uint8_t crtc[0x19];        /* 3D5 */
    uint8_t ac[0x15];          /* 3C0, 3C1 */
    uint8_t ac_index;          /* with bit 5, the palette address source */
    uint8_t dac[768];          /* 3C9: 6 or 8 bits wide each */
    uint8_t dac_mask;          /* 3C6 */
    uint16_t vbe[VBE_DISPI_N];
    bool big_endian;           /* pixels of 15 bits and more */
};

struct vga {
    struct device *dev;
    struct console con;
    struct ram_block vram;
    struct region window;      /* A0000-BFFFF, accesses */
    struct region window_ram;  /* A0000-AFFFF mapped straight to memory, while the state allows it */
    struct region io_mono, io_color, io_dac, io_dispi;
    struct region *lfb;        /* the front's linear framebuffer, or NULL */

    struct vga_regs r;
    uint8_t feature;           /* 3DA write, 3CA read */
    uint8_t seq_index, gc_index, crtc_index;
    bool ac_data;              /* flip-flop: the next write to 3C0 is data */
    uint32_t latch;            /* plane p in byte p */
    uint8_t dac_read_index, dac_write_index, dac_component, dac_state, dac_cache[3];
    uint16_t vbe_index;
    uint32_t bank;             /* byte offset of the legacy window in VBE modes */
    uint64_t vint_cleared;     /* vertical retraces at the last clear of the interrupt latch */

    /* renderer */
    struct vga_regs drawn;     /* as of the last update */
    bool drawn_valid, tracking;
    uint64_t drawn_blink;
    uint32_t *line;            /* one scan line and a character */
    uint32_t palette[256];     /* the DAC as x8r8g8b8, behind the mask */
};

extern const struct state vga_core_state[];

/* `size` is a power of two, 1 MiB to 512 MiB; lfb, when not NULL, is the region that maps all of vram. */
bool vga_init(struct vga *s, struct device *dev, uint64_t size, struct region *lfb, GError **err);
void vga_clear(struct vga *s); /* also after a failed vga_init, or none at all */
void vga_reset(struct vga *s);
bool vga_post_load(struct vga *s);
void vga_describe(const struct vga *s, GString *out);

/* vga_regs.c: ports 3B0-3BB and 3C0-3DF */
uint8_t vga_port_read(struct vga *s, unsigned port);
void vga_port_write(struct vga *s, unsigned port, uint8_t val);
extern const struct region_ops vga_mono_ops, vga_color_ops, vga_dac_ops;
uint64_t vga_frame(const struct vga *s);   /* how many frames have begun: the clock of blinking things */

/* vga_mem.c: the window at A0000 */
extern const struct region_ops vga_window_ops;
void vga_update_window(struct vga *s);     /* after a change of what decides how it is decoded */

/* vbe.c: the Bochs display interface */
extern const struct region_ops vga_dispi_ops;
uint16_t vbe_read(const struct vga *s, unsigned index);
void vbe_write(struct vga *s, unsigned index, uint16_t val);
bool vbe_check(const struct vga *s);       /* are the registers what vbe_write would have left? */
static inline bool vbe_enabled(const struct vga_regs *r)
{
    return r->vbe[VBE_DISPI_INDEX_ENABLE] & VBE_DISPI_ENABLED;
}
static inline unsigned vbe_pitch(const struct vga_regs *r) /* bytes of video memory a scan line */
{
    return r->vbe[VBE_DISPI_INDEX_VIRT_WIDTH] * ((r->vbe[VBE_DISPI_INDEX_BPP] + 1u) & ~3u) / 8;
}
static inline uint32_t vbe_start(const struct vga_regs *r)
{
    return r->vbe[VBE_DISPI_INDEX_Y_OFFSET] * vbe_pitch(r) +
           r->vbe[VBE_DISPI_INDEX_X_OFFSET] * ((r->vbe[VBE_DISPI_INDEX_BPP] + 1u) & ~3u) / 8;
}

/* Planes repeat every 64 KiB on a VGA; the extended modes use all there is.  In units of 4 bytes. */
static inline uint32_t vga_plane_mask(const struct vga *s)
{
    return vbe_enabled(&s->r) ? (uint32_t) (s->vram.size / 4 - 1) : 0xffff;
}

/* vga_scan.c: the order in which the CRTC walks through memory */
struct vga_geometry {
    bool text, vbe, blank;
    unsigned width, height;    /* in dots and scan lines of the monitor */
    unsigned columns;          /* character clocks in a line */
    unsigned dots;             /* in a character clock: 8 or 9 */
    unsigned rows;             /* scan lines in a character row */
    bool half_clock, double_scan;
    unsigned split;            /* the last scan line before the address starts again at 0 */
};
struct vga_scan {
    unsigned y;                /* scan line */
    unsigned ma;               /* memory address of its first character */
    unsigned rs;               /* row scan counter */
    unsigned pan;              /* dots */
    bool second;               /* of a doubled line */
};
void vga_geometry(const struct vga_regs *r, struct vga_geometry *g);
void vga_scan_first(const struct vga_regs *r, const struct vga_geometry *g, struct vga_scan *l);
void vga_scan_next(const struct vga_regs *r, const struct vga_geometry *g, struct vga_scan *l);
/* In units of 4 bytes, unmasked */
uint32_t vga_scan_address(const struct vga_regs *r, unsigned ma, unsigned rs);
bool vga_cursor_shown(const struct vga_regs *r);

/* vga_draw.c and vga_text.c: one scan line as x8r8g8b8 */
void vga_update(void *opaque, bool full, struct rect *dirty);
void vga_idle(void *opaque);
void vga_draw_text(struct vga *s, const struct vga_geometry *g, const struct vga_scan *l, uint64_t frame,
                   const uint32_t colors[16]);
char *vga_text(void *opaque);

#endif
