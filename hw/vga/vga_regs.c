/* hw/vga/vga_regs.c - the VGA's ports: miscellaneous, sequencer, CRTC, graphics and attribute
 * controllers, DAC.
 *
 * Sheet: IBM "PS/2 Hardware Interface Technical Reference: Video Subsystems", section VGA function.
 * Deviations: the monitor sense comparator (input status 0, bit 4) always sees a colour monitor;
 * see also vga.c. */
#include "hw/vga/vga.h"
#include "vmm/core/vm.h"

enum { MISC_IO_COLOR = 0x01 };
enum { CR_VERTICAL_END = 0x11, CR11_PROTECT = 0x80, CR11_CLEAR_INT = 0x10, CR_OVERFLOW = 0x07,
       CR07_LINE_COMPARE = 0x10 };
enum { ST0_SENSE = 0x10, ST0_INTERRUPT = 0x80, ST1_DISPLAY_OFF = 0x01, ST1_VRETRACE = 0x08 };
enum { DAC_WRITING = 0, DAC_READING = 3 };

/* Bits that exist.  Reserved ones read 0. */
static const uint8_t seq_bits[8] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t gc_bits[16] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t ac_bits[0x15] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0xef, 0xff, 0x3f, 0x0f, 0x0f,
};

/* --- where the beam is --------------------------------------------------------------------------- */

struct beam {
    uint64_t frame;    /* since the clock began */
    uint64_t retraces; /* vertical retraces begun */
    unsigned line, column, total, htotal;
    unsigned retrace, retrace_lines;
    bool visible;
};

/* In the extended modes the CRTC's values mean nothing: a 60 Hz monitor with 5 % of blanking. */
static void beam_vbe(const struct vga *s, struct beam *b)
{
    unsigned height = s->r.vbe[VBE_DISPI_INDEX_YRES];
    uint64_t now = (uint64_t) clock_now(s->dev->vm);

    b->total = height + height / 20 + 4;
    b->htotal = 100;
    b->retrace = height + 1;
    b->retrace_lines = 3;
    uint64_t pos = muldiv64(now, 60ULL * b->total * b->htotal, NS_PER_SEC);
    b->line = (unsigned) (pos / b->htotal % b->total);
    b->column = (unsigned) (pos % b->htotal);
    b->frame = pos / (b->total * b->htotal);
    b->visible = b->line < height && b->column < 80;
}

static void beam_vga(const struct vga *s, struct beam *b)
{
    const uint8_t *cr = s->r.crtc;
    unsigned over = cr[CR_OVERFLOW];
    unsigned end = cr[0x12] | (over & 0x02) << 7 | (over & 0x40) << 3;
    unsigned dots = (s->r.seq[1] & 1 ? 8 : 9) << (s->r.seq[1] & 8 ? 1 : 0);
    uint64_t hz = (s->r.misc & 0x0c) == 0x04 ? 28322000 : 25175000;

    b->total = (cr[0x06] | (over & 0x01) << 8 | (over & 0x20) << 4) + 2;
    b->htotal = cr[0x00] + 5;
    b->retrace = cr[0x10] | (over & 0x04) << 6 | (over & 0x80) << 2;
    b->retrace_lines = (cr[CR_VERTICAL_END] - b->retrace) & 15;
    b->retrace_lines = MIN(b->retrace_lines ? b->retrace_lines : 16, b->total - 1);
    uint64_t pos = muldiv64((uint64_t) clock_now(s->dev->vm), hz, dots * (uint64_t) NS_PER_SEC);
    b->line = (unsigned) (pos / b->htotal % b->total);
    b->column = (unsigned) (pos % b->htotal);
    b->frame = pos / ((uint64_t) b->total * b->htotal);
    b->visible = b->line <= end && b->column <= cr[0x01];
}

static struct beam beam_at(const struct vga *s)
{
    struct beam b = { 0 };

    if (vbe_enabled(&s->r))
        beam_vbe(s, &b);
    else
        beam_vga(s, &b);
    b.retraces = b.frame + (b.line >= b.retrace);
    return b;
}

uint64_t vga_frame(const struct vga *s)
{
    return beam_at(s).frame;
}

static uint8_t status1(const struct vga *s)
{
    struct beam b = beam_at(s);
    bool retrace = b.line >= b.retrace ? b.line - b.retrace < b.retrace_lines
                                       : b.line + b.total - b.retrace < b.retrace_lines;

    retrace &= b.retrace < b.total;
    return (retrace ? ST1_VRETRACE : 0) | (b.visible && !retrace ? 0 : ST1_DISPLAY_OFF);
}

static uint8_t status0(const struct vga *s)
{
    bool armed = s->r.crtc[CR_VERTICAL_END] & CR11_CLEAR_INT;

    return ST0_SENSE | (armed && beam_at(s).retraces != s->vint_cleared ? ST0_INTERRUPT : 0);
}

/* --- the DAC ------------------------------------------------------------------------------------- */

static uint8_t dac_read(struct vga *s)
{
    uint8_t val = s->r.dac[s->dac_read_index * 3 + s->dac_component];

    if (++s->dac_component == 3) {
        s->dac_component = 0;
        s->dac_read_index++;
    }
    return val;
}

static void dac_write(struct vga *s, uint8_t val)
{
    bool wide = s->r.vbe[VBE_DISPI_INDEX_ENABLE] & VBE_DISPI_8BIT_DAC;

    s->dac_cache[s->dac_component] = wide ? val : val & 0x3f;
    if (++s->dac_component == 3) { /* an entry changes when its third component is written */
        s->dac_component = 0;
        memcpy(&s->r.dac[s->dac_write_index * 3], s->dac_cache, 3);
        s->dac_write_index++;
    }
}

static void dac_select(struct vga *s, uint8_t index, uint8_t state)
{
    s->dac_read_index = s->dac_write_index = index;
    s->dac_state = state;
    s->dac_component = 0;
}

/* --- the indexed groups --------------------------------------------------------------------------- */

static void seq_write(struct vga *s, uint8_t val)
{
    if (s->seq_index >= G_N_ELEMENTS(s->r.seq))
        return;
    s->r.seq[s->seq_index] = val & seq_bits[s->seq_index];
    vga_update_window(s);
}

static void gc_write(struct vga *s, uint8_t val)
{
    if (s->gc_index >= G_N_ELEMENTS(s->r.gc))
        return;
    s->r.gc[s->gc_index] = val & gc_bits[s->gc_index];
    vga_update_window(s);
}

static void ac_write(struct vga *s, uint8_t val)
{
    unsigned index = s->r.ac_index & 0x1f;

    s->ac_data = !s->ac_data;
    if (s->ac_data)
        s->r.ac_index = val & 0x3f;
    else if (index < G_N_ELEMENTS(s->r.ac))
        s->r.ac[index] = val & ac_bits[index];
}

static void crtc_write(struct vga *s, uint8_t val)
{
    unsigned index = s->crtc_index;

    if (index >= G_N_ELEMENTS(s->r.crtc))
        return;
    if (index <= CR_OVERFLOW && (s->r.crtc[CR_VERTICAL_END] & CR11_PROTECT)) {
        if (index != CR_OVERFLOW) /* only line compare's bit gets through */
            return;
        val = (s->r.crtc[index] & ~CR07_LINE_COMPARE) | (val & CR07_LINE_COMPARE);
    }
    s->r.crtc[index] = val;
    if (index == CR_VERTICAL_END && !(val & CR11_CLEAR_INT))
        s->vint_cleared = beam_at(s).retraces;
}

static uint8_t crtc_read(const struct vga *s)
{
    switch (s->crtc_index) {
    case 0x22: return s->latch >> (8 * (s->r.gc[4] & 3)) & 0xff; /* undocumented, but every VGA has them */
    case 0x24: return s->ac_data ? 0x80 : 0;
    case 0x26: return s->r.ac_index;
    default:   return s->crtc_index < G_N_ELEMENTS(s->r.crtc) ? s->r.crtc[s->crtc_index] : 0;
    }
}

/* --- ports --------------------------------------------------------------------------------------- */

/* 3Bx or 3Dx, whichever the miscellaneous register did not choose */
static bool elsewhere(const struct vga *s, unsigned port)
{
    bool color = (port & 0xff0) == 0x3d0;

    return ((port & 0xff0) == 0x3b0 || color) && color != (bool) (s->r.misc & MISC_IO_COLOR);
}

uint8_t vga_port_read(struct vga *s, unsigned port)
{
    if (elsewhere(s, port))
        return 0xff;
    switch (port) {
    case 0x3c0: return s->r.ac_index;
    case 0x3c1: return (s->r.ac_index & 0x1f) < G_N_ELEMENTS(s->r.ac) ? s->r.ac[s->r.ac_index & 0x1f] : 0;
    case 0x3c2: return status0(s);
    case 0x3c4: return s->seq_index;
    case 0x3c5: return s->seq_index < G_N_ELEMENTS(s->r.seq) ? s->r.seq[s->seq_index] : 0;
    case 0x3c6: return s->r.dac_mask;
    case 0x3c7: return s->dac_state;
    case 0x3c8: return s->dac_write_index;
    case 0x3c9: return dac_read(s);
    case 0x3ca: return s->feature;
    case 0x3cc: return s->r.misc;
    case 0x3ce: return s->gc_index;
    case 0x3cf: return s->gc_index < G_N_ELEMENTS(s->r.gc) ? s->r.gc[s->gc_index] : 0;
    case 0x3b4:
    case 0x3d4: return s->crtc_index;
    case 0x3b5:
    case 0x3d5: return crtc_read(s);
    case 0x3ba:
    case 0x3da: s->ac_data = false; return status1(s);
    default:    return 0xff;
    }
}

void vga_port_write(struct vga *s, unsigned port, uint8_t val)
{
    if (elsewhere(s, port))
        return;
    switch (port) {
    case 0x3c0: ac_write(s, val); break;
    case 0x3c2: s->r.misc = val & 0xef; vga_update_window(s); break;
    case 0x3c4: s->seq_index = val; break;
    case 0x3c5: seq_write(s, val); break;
    case 0x3c6: s->r.dac_mask = val; break;
    case 0x3c7: dac_select(s, val, DAC_READING); break;
    case 0x3c8: dac_select(s, val, DAC_WRITING); break;
    case 0x3c9: dac_write(s, val); break;
    case 0x3ce: s->gc_index = val; break;
    case 0x3cf: gc_write(s, val); break;
    case 0x3b4:
    case 0x3d4: s->crtc_index = val; break;
    case 0x3b5:
    case 0x3d5: crtc_write(s, val); break;
    case 0x3ba:
    case 0x3da: s->feature = val & 0x0b; break;
    default:    break;
    }
}

static uint64_t mono_read(void *opaque, uint64_t off, unsigned size)
{
    (void) size;
    return vga_port_read(opaque, 0x3b0 + (unsigned) off);
}

static void mono_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    vga_port_write(opaque, 0x3b0 + (unsigned) off, (uint8_t) val);
}

static uint64_t color_read(void *opaque, uint64_t off, unsigned size)
{
    (void) size;
    return vga_port_read(opaque, 0x3c0 + (unsigned) off);
}

static void color_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    vga_port_write(opaque, 0x3c0 + (unsigned) off, (uint8_t) val);
}

static uint64_t dac_port_read(void *opaque, uint64_t off, unsigned size)
{
    (void) size;
    return vga_port_read(opaque, 0x3c8 + (unsigned) off);
}

static void dac_port_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    vga_port_write(opaque, 0x3c8 + (unsigned) off, (uint8_t) val);
}

const struct region_ops vga_mono_ops = { mono_read, mono_write, .min = 1, .max = 1 };
const struct region_ops vga_color_ops = { color_read, color_write, .min = 1, .max = 1 };
const struct region_ops vga_dac_ops = { dac_port_read, dac_port_write, .min = 1, .max = 1 };
