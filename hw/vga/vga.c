/* hw/vga/vga.c - the VGA core: what a bus front makes, resets, saves and frees.
 *
 * Sheets: IBM "PS/2 Hardware Interface Technical Reference: Video Subsystems" (VGA function); the
 * Bochs display interface as in the Bochs VGA BIOS's vbe_display_api.txt.
 * Deviations: planes lie interleaved in memory and chained addresses are compacted (see vga.h), so
 * a program that writes in a chained mode and reads the same bytes in a planar one finds them
 * elsewhere than on IBM's card.  No overscan border, no blinking in graphics modes, no shift load
 * every second or fourth clock (SR1 bits 2 and 4), no vertical interrupt line (its status bit
 * works).  The palette can be written while the screen is on. */
#include "hw/vga/vga.h"
#include "vmm/core/vm.h"

static const struct console_ops vga_console_ops = { .update = vga_update, .text = vga_text,
                                                    .idle = vga_idle };

bool vga_init(struct vga *s, struct device *dev, uint64_t size, struct region *lfb, GError **err)
{
    struct vm *vm = dev->vm;

    s->dev = dev;
    s->lfb = lfb;
    if (!ram_block_alloc(&s->vram, "vga.vram", size, NULL, err))
        return false;
    s->line = g_new(uint32_t, VBE_DISPI_MAX_XRES + 64);
    region_init_io(&s->window, "vga-window", &vga_window_ops, s, 128 * KiB);
    s->window.coalesce = true; /* what a write does depends on reads and ports only, and those drain */
    region_init_ram(&s->window_ram, "vga-window-ram", &s->vram, 0, 64 * KiB);
    s->window_ram.enabled = false;
    region_init_io(&s->io_mono, "vga-mono", &vga_mono_ops, s, 0x0c);
    region_init_io(&s->io_color, "vga", &vga_color_ops, s, 0x20);
    region_init_io(&s->io_dac, "vga-dac", &vga_dac_ops, s, 2);
    s->io_dac.coalesce = true; /* nothing but the screen and reads tell when an entry was written: 768 exits less */
    region_init_io(&s->io_dispi, "vga-dispi", &vga_dispi_ops, s, 4);
    if (!space_add(&vm->mem, &s->window, 0xa0000, PRIO_VGA, err) ||
        !space_add(&vm->mem, &s->window_ram, 0xa0000, PRIO_VGA, err) ||
        !space_add(&vm->pio, &s->io_mono, 0x3b0, 0, err) ||
        !space_add(&vm->pio, &s->io_color, 0x3c0, 0, err) ||
        !space_add(&vm->pio, &s->io_dac, 0x3c8, PRIO_VGA, err) ||
        !space_add(&vm->pio, &s->io_dispi, 0x1ce, 0, err))
        return false;
    console_init(&s->con, dev, &vga_console_ops, s);
    vga_reset(s);
    return true;
}

void vga_clear(struct vga *s)
{
    if (s->lfb)
        space_remove(s->lfb); /* it maps what is freed below */
    space_remove(&s->window_ram);
    space_remove(&s->window);
    space_remove(&s->io_mono);
    space_remove(&s->io_color);
    space_remove(&s->io_dac);
    space_remove(&s->io_dispi);
    console_clear(&s->con);
    ram_block_free(&s->vram);
    g_clear_pointer(&s->line, g_free);
}

void vga_reset(struct vga *s)
{
    memset(&s->r, 0, sizeof s->r);
    s->r.dac_mask = 0xff;
    s->r.gc[8] = 0xff;
    s->r.vbe[VBE_DISPI_INDEX_ID] = VBE_DISPI_ID5;
    s->r.vbe[VBE_DISPI_INDEX_VIDEO_MEMORY_64K] = (uint16_t) (s->vram.size / (64 * KiB));
    s->feature = s->seq_index = s->gc_index = s->crtc_index = 0;
    s->ac_data = false;
    s->latch = 0;
    s->dac_read_index = s->dac_write_index = s->dac_component = s->dac_state = 0;
    memset(s->dac_cache, 0, sizeof s->dac_cache);
    s->vbe_index = 0;
    s->bank = 0;
    s->vint_cleared = 0;
    vga_update_window(s);
}

bool vga_post_load(struct vga *s)
{
    if (s->dac_component > 2 || s->bank % (64 * KiB) || s->bank > s->vram.size - 64 * KiB || !vbe_check(s))
        return false;
    s->drawn_valid = false;
    vga_update_window(s);
    return true;
}

void vga_describe(const struct vga *s, GString *out)
{
    struct vga_geometry g;

    vga_geometry(&s->r, &g);
    if (g.vbe)
        g_string_append_printf(out, "VBE %ux%u, %u bits a pixel%s", g.width, g.height,
                               s->r.vbe[VBE_DISPI_INDEX_BPP], g.blank ? ", blank" : "");
    else
        g_string_append_printf(out, "%s, %ux%u on the monitor%s", g.text ? "text" : "graphics",
                               g.width, g.height, g.blank ? ", blank" : "");
}

static const struct state vga_regs_state[] = {
    STATE_U8(struct vga_regs, misc), STATE_BYTES(struct vga_regs, seq),
    STATE_BYTES(struct vga_regs, gc), STATE_BYTES(struct vga_regs, crtc),
    STATE_BYTES(struct vga_regs, ac), STATE_U8(struct vga_regs, ac_index),
    STATE_BYTES(struct vga_regs, dac), STATE_U8(struct vga_regs, dac_mask),
    STATE_ARRAY(struct vga_regs, vbe), STATE_BOOL(struct vga_regs, big_endian), {}
};
const struct state vga_core_state[] = {
    STATE_HOST(struct vga, dev), STATE_HOST(struct vga, con), STATE_RAM(struct vga, vram),
    STATE_HOST(struct vga, window), STATE_HOST(struct vga, window_ram),
    STATE_HOST(struct vga, io_mono), STATE_HOST(struct vga, io_color), STATE_HOST(struct vga, io_dac),
    STATE_HOST(struct vga, io_dispi), STATE_HOST(struct vga, lfb),
    STATE_STRUCT(struct vga, r, vga_regs_state), STATE_U8(struct vga, feature),
    STATE_U8(struct vga, seq_index), STATE_U8(struct vga, gc_index),
    STATE_U8(struct vga, crtc_index), STATE_BOOL(struct vga, ac_data), STATE_U32(struct vga, latch),
    STATE_U8(struct vga, dac_read_index), STATE_U8(struct vga, dac_write_index),
    STATE_U8(struct vga, dac_component, .max = 2), STATE_U8(struct vga, dac_state),
    STATE_BYTES(struct vga, dac_cache), STATE_U16(struct vga, vbe_index),
    STATE_U32(struct vga, bank), STATE_U64(struct vga, vint_cleared), STATE_HOST(struct vga, drawn),
    STATE_HOST(struct vga, drawn_valid), STATE_HOST(struct vga, tracking),
    STATE_HOST(struct vga, drawn_blink), STATE_HOST(struct vga, line),
    STATE_HOST(struct vga, palette), {}
};
