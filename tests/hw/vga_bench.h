/* tests/hw/vga_bench.h - a VGA without a bus, and the standard mode 3, for test_vga*.c. */
#ifndef BANTAM_TESTS_VGA_BENCH_H
#define BANTAM_TESTS_VGA_BENCH_H

#include "hw/vga/vga.h"
#include "tests/hw/bench.h"

struct vga_front {
    struct device dev;
    struct vga vga;
    struct region lfb;
    uint32_t mb;
};

enum { LFB = 0xe0000000 };

static bool vga_front_realize(struct device *d, GError **err)
{
    struct vga_front *s = container_of(d, struct vga_front, dev);

    region_init_ram(&s->lfb, "lfb", &s->vga.vram, 0, s->mb * MiB);
    return vga_init(&s->vga, d, s->mb * MiB, &s->lfb, err) &&
           space_add(&d->vm->mem, &s->lfb, LFB, PRIO_PCI, err);
}

static void vga_front_unrealize(struct device *d)
{
    struct vga_front *s = container_of(d, struct vga_front, dev);

    space_remove(&s->lfb);
    vga_clear(&s->vga);
}

static void vga_front_reset(struct device *d)
{
    vga_reset(&container_of(d, struct vga_front, dev)->vga);
}

static bool vga_front_post_load(struct device *d)
{
    return vga_post_load(&container_of(d, struct vga_front, dev)->vga);
}

static const struct prop vga_front_props[] = { PROP_U32(struct vga_front, mb, 1), {} };
static const struct state vga_front_state[] = { STATE_STRUCT(struct vga_front, vga, vga_core_state),
                                                STATE_HOST(struct vga_front, lfb), {} };
static const struct device_class vga_front_class = {
    .name = "vga-front", .version = 1, .size = sizeof(struct vga_front), .props = vga_front_props,
    .state = vga_front_state, .realize = vga_front_realize, .unrealize = vga_front_unrealize,
    .reset = vga_front_reset, .post_load = vga_front_post_load,
};

static inline struct vga *vga_add(struct bench *b, const char *props)
{
    return &container_of(bench_add(b, &vga_front_class, props), struct vga_front, dev)->vga;
}

static inline void set_reg(struct bench *b, unsigned port, uint8_t index, uint8_t val)
{
    outb(b, port, index);
    outb(b, port + 1, val);
}

static inline uint8_t get_reg(struct bench *b, unsigned port, uint8_t index)
{
    outb(b, port, index);
    return inb(b, port + 1);
}

static inline void set_attr(struct bench *b, uint8_t index, uint8_t val)
{
    inb(b, 0x3da);
    inb(b, 0x3ba);
    outb(b, 0x3c0, index);
    outb(b, 0x3c0, val);
    outb(b, 0x3c0, 0x20);
}

static inline void set_dac(struct bench *b, uint8_t index, uint8_t r, uint8_t g, uint8_t bl)
{
    outb(b, 0x3c8, index);
    outb(b, 0x3c9, r);
    outb(b, 0x3c9, g);
    outb(b, 0x3c9, bl);
}

static inline void dispi(struct bench *b, unsigned index, unsigned val)
{
    outw(b, 0x1ce, (uint16_t) index);
    outw(b, 0x1cf, (uint16_t) val);
}

static inline unsigned dispi_get(struct bench *b, unsigned index)
{
    outw(b, 0x1ce, (uint16_t) index);
    return inw(b, 0x1cf);
}

/* IBM's parameters: misc, seq 1-4, CRTC 0-18, attribute 0-13, graphics 0-8 */
struct vga_mode_params {
    uint8_t misc, seq[4], crtc[25], ac[20], gc[9];
};
static const struct vga_mode_params mode_03 = {
    0x67, { 0x00, 0x03, 0x00, 0x02 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0, 0x0f, 0x08 },
    { 0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff },
};
static const struct vga_mode_params mode_12 = {
    0xe3, { 0x01, 0x0f, 0x00, 0x06 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0,
      0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff },
    { 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0, 0x0f, 0 },
    { 0, 0, 0, 0, 0, 0, 0x05, 0x0f, 0xff },
};
static const struct vga_mode_params mode_13 = {
    0x63, { 0x01, 0x0f, 0x00, 0x0e },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0, 0, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0, 0x0f, 0 },
    { 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff },
};
static const struct vga_mode_params mode_04 = { /* CGA, 320x200, four colours */
    0x63, { 0x09, 0x03, 0x00, 0x02 },
    { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff },
    { 0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x03, 0 },
    { 0, 0, 0, 0, 0, 0x30, 0x0f, 0x00, 0xff },
};

static inline void set_mode(struct bench *b, const struct vga_mode_params *m)
{
    outb(b, 0x3c2, m->misc);
    set_reg(b, 0x3c4, 0, 3);
    for (unsigned i = 0; i < 4; i++)
        set_reg(b, 0x3c4, (uint8_t) (i + 1), m->seq[i]);
    set_reg(b, 0x3d4, 0x11, 0);
    for (unsigned i = 0; i < 25; i++)
        set_reg(b, 0x3d4, (uint8_t) i, m->crtc[i]);
    for (unsigned i = 0; i < 9; i++)
        set_reg(b, 0x3ce, (uint8_t) i, m->gc[i]);
    for (unsigned i = 0; i < 20; i++)
        set_attr(b, (uint8_t) i, m->ac[i]);
    outb(b, 0x3c6, 0xff);
    for (unsigned i = 0; i < 64; i++) /* EGA's colours: rgbRGB */
        set_dac(b, (uint8_t) i, (i >> 2 & 1) * 42 + (i >> 5 & 1) * 21,
                (i >> 1 & 1) * 42 + (i >> 4 & 1) * 21,
                (i & 1) * 42 + (i >> 3 & 1) * 21);
}

/* Into plane 2 as the BIOS does, and back to text */
static inline void load_font(struct bench *b, const uint8_t *font, unsigned block)
{
    set_reg(b, 0x3c4, 2, 0x04);
    set_reg(b, 0x3c4, 4, 0x07);
    set_reg(b, 0x3ce, 4, 2);
    set_reg(b, 0x3ce, 5, 0);
    set_reg(b, 0x3ce, 6, 4);
    for (unsigned i = 0; i < 256 * 16; i++)
        mem_write(b, 0xa0000 + block + i / 16 * 32 + i % 16, font[i], 1);
    set_reg(b, 0x3c4, 2, 0x03);
    set_reg(b, 0x3c4, 4, 0x02);
    set_reg(b, 0x3ce, 4, 0);
    set_reg(b, 0x3ce, 5, 0x10);
    set_reg(b, 0x3ce, 6, 0x0e);
}

/* An invented font: row r of character c.  To look at pictures with a real one, VGA_FONT names a
 * file of 4096 bytes. */
static inline void make_font(uint8_t font[4096])
{
    const char *file = g_getenv("VGA_FONT");
    char *data;
    gsize len;

    for (unsigned i = 0; i < 4096; i++)
        font[i] = i < 33 * 16 && i >= 32 * 16 ? 0 : (uint8_t) (i / 16 ^ (i % 16) * 0x11);
    if (file && g_file_get_contents(file, &data, &len, NULL)) {
        memcpy(font, data, MIN(len, 4096));
        g_free(data);
    }
}

/* A picture for the eye, when VGA_SHOTS names a directory */
static inline void shot(struct vga *s, const char *name)
{
    const char *dir = g_getenv("VGA_SHOTS");
    GError *err = NULL;

    if (!dir)
        return;
    char *path = g_strdup_printf("%s/%s.png", dir, name);
    screenshot_write(&s->con, path, "png", &err);
    g_assert_no_error(err);
    g_free(path);
}

static inline struct rect draw(struct vga *s, bool full)
{
    struct rect r;

    console_update(&s->con, full, &r);
    return r;
}

#endif
