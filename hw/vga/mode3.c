/* hw/vga/mode3.c - mode 3, set from outside.
 *
 * Sheet: IBM "PS/2 Hardware Interface Technical Reference: Video Subsystems", values for the BIOS modes. */
#include "hw/vga/mode3.h"
#include "vmm/core/firmware.h"

enum { WINDOW = 0xa0000, SCREEN = 0xb8000, GLYPHS = 256, HEIGHT = 16, CELLS = 80 * 25,
       ROM_MAX = 256 << 10 };

static const uint8_t seq[5] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const uint8_t crtc[25] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d,
                                  0x0e, 0x00,
                                  0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff };
static const uint8_t gc[9] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff };
static const uint8_t ac[21] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
                                0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00 };

static void set(struct vm *vm, uint16_t port, unsigned index, uint8_t val)
{
    space_write(&vm->pio, port, index, 1);
    space_write(&vm->pio, port + 1u, val, 1);
}

/* The 8x16 font has no address that one could look up from outside: it is known by its letter A and
 * its full block. */
static const uint8_t *find_font(const uint8_t *rom, size_t len)
{
    static const uint8_t letter_a[HEIGHT] = { 0, 0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6,
                                              0xc6, 0xc6 };
    uint8_t full[HEIGHT];

    memset(full, 0xff, sizeof full);
    for (size_t at = 0; at + GLYPHS * HEIGHT <= len; at++) {
        if (!memcmp(rom + at + 'A' * HEIGHT, letter_a, HEIGHT) && !memcmp(rom + at + 0xdb * HEIGHT,
            full, HEIGHT))
            return rom + at;
    }
    return NULL;
}

static void load_font(struct vm *vm, const uint8_t *font)
{
    set(vm, 0x3c4, 2, 0x04); /* plane 2 alone, at A0000 */
    set(vm, 0x3c4, 4, 0x06);
    set(vm, 0x3ce, 5, 0x00);
    set(vm, 0x3ce, 6, 0x04);
    for (unsigned i = 0; i < GLYPHS; i++)
        for (unsigned row = 0; row < 32; row++)
            space_write(&vm->mem, WINDOW + i * 32 + row, row < HEIGHT ? font[i * HEIGHT + row] : 0, 1);
}

static void load_palette(struct vm *vm)
{
    space_write(&vm->pio, 0x3c6, 0xff, 1);
    space_write(&vm->pio, 0x3c8, 0, 1);
    for (unsigned i = 0; i < 256; i++) { /* 00rgbRGB: the EGA's 64 colours; black beyond them */
        for (int c = 2; c >= 0; c--)
            space_write(&vm->pio, 0x3c9, i < 64 ? (i >> c & 1) * 42 + (i >> (c + 3) & 1) * 21 : 0, 1);
    }
}

static void load_registers(struct vm *vm)
{
    set(vm, 0x3d4, 0x11, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(crtc); i++)
        set(vm, 0x3d4, i, crtc[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(seq); i++)
        set(vm, 0x3c4, i, seq[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(gc); i++)
        set(vm, 0x3ce, i, gc[i]);
    space_read(&vm->pio, 0x3da, 1); /* 3C0 expects an index */
    for (unsigned i = 0; i < G_N_ELEMENTS(ac); i++) {
        space_write(&vm->pio, 0x3c0, i, 1);
        space_write(&vm->pio, 0x3c0, ac[i], 1);
    }
    space_write(&vm->pio, 0x3c0, 0x20, 1);
}

bool vga_set_mode3(struct vm *vm, GError **err)
{
    const uint8_t *font;
    uint8_t *rom;
    size_t len;

    space_write(&vm->pio, 0x3c2, 0x67, 1);
    if (space_read(&vm->pio, 0x3cc, 1) != 0x67)
        return false;
    rom = firmware_read(vm, "vga font", "vgabios-stdvga.bin", ROM_MAX, &len, err);
    if (!rom)
        return false;
    font = find_font(rom, len);
    if (font) {
        load_font(vm, font);
        load_palette(vm);
        load_registers(vm);
        for (unsigned i = 0; i < CELLS; i++)
            space_write(&vm->mem, SCREEN + 2 * i, 0x0720, 2);
    } else {
        fail(err, "vga font: 'vgabios-stdvga.bin' has no 8x16 font: use that of the seabios package");
    }
    g_free(rom);
    return font != NULL;
}
