/* tests/hw/test_vga.c - the VGA's registers, window and text modes, from IBM's documentation. */
#include "hw/vga/mode3.h"
#include "tests/hw/vga_bench.h"

static uint32_t pixel(struct vga *s, int x, int y)
{
    return console_row(&s->con, y)[x];
}

static struct bench *text_bench(struct vga **s, uint8_t font[4096])
{
    struct bench *b = bench_new(MiB);

    *s = vga_add(b, NULL);
    make_font(font);
    set_mode(b, &mode_03);
    load_font(b, font, 0);
    set_reg(b, 0x3d4, 0x11, 0x0e); /* unprotected */
    for (unsigned i = 0; i < 2000; i++)
        mem_write(b, 0xb8000 + 2 * i, 0x0720, 2);
    return b;
}

static void put(struct bench *b, unsigned x, unsigned y, const char *text, uint8_t attr)
{
    for (unsigned i = 0; text[i]; i++)
        mem_write(b, 0xb8000 + 2 * (y * 80 + x + i), (uint8_t) text[i] | attr << 8, 2);
}

/* --- registers ----------------------------------------------------------------------------------- */

static void test_registers(void)
{
    struct bench *b = bench_new(MiB);

    vga_add(b, NULL);
    outb(b, 0x3c2, 0x67);
    g_assert_cmphex(inb(b, 0x3cc), ==, 0x67);
    g_assert_cmphex(inb(b, 0x3d4), ==, 0); /* colour: 3Dx answers, 3Bx does not */
    g_assert_cmphex(inb(b, 0x3b4), ==, 0xff);
    outb(b, 0x3c2, 0x66);
    g_assert_cmphex(inb(b, 0x3d4), ==, 0xff);
    g_assert_cmphex(inb(b, 0x3b4), ==, 0);
    outb(b, 0x3c2, 0x67);

    outw(b, 0x3c4, 0xff02); /* index and data in one access; absent bits read 0 */
    g_assert_cmphex(get_reg(b, 0x3c4, 2), ==, 0x0f);
    outw(b, 0x3ce, 0xa508);
    g_assert_cmphex(get_reg(b, 0x3ce, 8), ==, 0xa5);

    set_reg(b, 0x3d4, 0x11, 0x80); /* protection: 0-6 stay, 7 but for line compare */
    set_reg(b, 0x3d4, 0x00, 0x5f);
    set_reg(b, 0x3d4, 0x07, 0xff);
    set_reg(b, 0x3d4, 0x0c, 0x12);
    g_assert_cmphex(get_reg(b, 0x3d4, 0x00), ==, 0);
    g_assert_cmphex(get_reg(b, 0x3d4, 0x07), ==, 0x10);
    g_assert_cmphex(get_reg(b, 0x3d4, 0x0c), ==, 0x12);
    set_reg(b, 0x3d4, 0x11, 0x00);
    set_reg(b, 0x3d4, 0x00, 0x5f);
    g_assert_cmphex(get_reg(b, 0x3d4, 0x00), ==, 0x5f);

    inb(b, 0x3da); /* the flip-flop: index, data, index ... */
    outb(b, 0x3c0, 0x10);
    g_assert_cmphex(get_reg(b, 0x3d4, 0x24), ==, 0x80);
    outb(b, 0x3c0, 0x0c);
    g_assert_cmphex(get_reg(b, 0x3d4, 0x24), ==, 0);
    g_assert_cmphex(inb(b, 0x3c1), ==, 0x0c);
    outb(b, 0x3c0, 0x31);
    inb(b, 0x3da);
    outb(b, 0x3c0, 0x32);
    g_assert_cmphex(inb(b, 0x3c0), ==, 0x32);
    outb(b, 0x3da, 0x03);
    g_assert_cmphex(inb(b, 0x3ca), ==, 0x03);
    bench_free(b);
}

static void test_dac(void)
{
    struct bench *b = bench_new(MiB);

    vga_add(b, NULL);
    set_dac(b, 7, 0x3f, 0x7f, 0x01); /* six bits */
    outb(b, 0x3c8, 8);
    outb(b, 0x3c9, 1);
    outb(b, 0x3c9, 2); /* never finished */
    g_assert_cmphex(inb(b, 0x3c7), ==, 0);
    outb(b, 0x3c7, 7);
    g_assert_cmphex(inb(b, 0x3c7), ==, 3);
    g_assert_cmphex(inb(b, 0x3c9), ==, 0x3f);
    g_assert_cmphex(inb(b, 0x3c9), ==, 0x3f);
    g_assert_cmphex(inb(b, 0x3c9), ==, 0x01);
    g_assert_cmphex(inb(b, 0x3c9), ==, 0x00); /* entry 8 is what it was */
    outb(b, 0x3c6, 0x0f);
    g_assert_cmphex(inb(b, 0x3c6), ==, 0x0f);
    dispi(b, VBE_DISPI_INDEX_ENABLE, VBE_DISPI_8BIT_DAC);
    set_dac(b, 255, 0xff, 0x80, 0x01);
    g_assert_cmphex(inb(b, 0x3c8), ==, 0); /* wrapped */
    outb(b, 0x3c7, 255);
    g_assert_cmphex(inb(b, 0x3c9), ==, 0xff);
    g_assert_cmphex(inb(b, 0x3c9), ==, 0x80);
    bench_free(b);
}

/* Mode 3: 900 dots by 449 lines at 28.322 MHz, 70.08 Hz; two lines of retrace */
static void test_timing(void)
{
    struct bench *b = bench_new(MiB);
    unsigned frames = 0, retrace = 0, off = 0, n = 0;
    bool was = false;

    vga_add(b, NULL);
    set_mode(b, &mode_03);
    for (; n < 100000; n++) { /* a second */
        uint8_t st = inb(b, 0x3da);
        frames += (st & 8) && !was;
        retrace += st >> 3 & 1;
        off += st & 1;
        was = st & 8;
        g_assert_false((st & 8) && !(st & 1));
        clock_step(b, 10000);
    }
    g_assert_cmpuint(frames, >=, 69);
    g_assert_cmpuint(frames, <=, 71);
    g_assert_cmpuint(retrace, >=, n * 2 / 449 * 9 / 10);
    g_assert_cmpuint(retrace, <=, n * 2 / 449 * 11 / 10);
    g_assert_cmpuint(off, >, n * 26 / 100); /* 1 - 400/449 * 80/100 = 0.287 */
    g_assert_cmpuint(off, <, n * 31 / 100);

    set_reg(b, 0x3d4, 0x11, 0x00); /* the interrupt latch: cleared, armed, set at the next retrace */
    set_reg(b, 0x3d4, 0x11, 0x10);
    g_assert_cmphex(inb(b, 0x3c2) & 0x80, ==, 0);
    clock_step(b, 15 * NS_PER_MS);
    g_assert_cmphex(inb(b, 0x3c2) & 0x80, ==, 0x80);
    set_reg(b, 0x3d4, 0x11, 0x00);
    set_reg(b, 0x3d4, 0x11, 0x10);
    g_assert_cmphex(inb(b, 0x3c2) & 0x80, ==, 0);
    bench_free(b);
}

/* --- the window ---------------------------------------------------------------------------------- */

static void test_write_modes(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);
    uint8_t *v = s->vram.host;

    set_mode(b, &mode_12);
    mem_write(b, 0xa0000, 0x5a, 1);
    g_assert_cmphex(ld_le32(v), ==, 0x5a5a5a5a);
    set_reg(b, 0x3c4, 2, 0x05); /* map mask */
    mem_write(b, 0xa0000, 0xff, 1);
    g_assert_cmphex(ld_le32(v), ==, 0x5aff5aff);
    set_reg(b, 0x3c4, 2, 0x0f);
    set_reg(b, 0x3ce, 0, 0x0a); /* set/reset on planes 1 to 3 */
    set_reg(b, 0x3ce, 1, 0x0e);
    mem_write(b, 0xa0001, 0x11, 1);
    g_assert_cmphex(ld_le32(v + 4), ==, 0xff00ff11);
    set_reg(b, 0x3ce, 1, 0);
    set_reg(b, 0x3ce, 3, 0x01); /* rotate right by 1, replace */
    mem_write(b, 0xa0002, 0x01, 1);
    g_assert_cmphex(ld_le32(v + 8), ==, 0x80808080);
    set_reg(b, 0x3ce, 3, 0x18); /* exclusive or with the latches, under a bit mask */
    set_reg(b, 0x3ce, 8, 0xf0);
    mem_read(b, 0xa0000, 1);
    mem_write(b, 0xa0003, 0xff, 1);
    g_assert_cmphex(ld_le32(v + 12), ==, 0xaa0faa0f);
    set_reg(b, 0x3ce, 3, 0);
    set_reg(b, 0x3ce, 8, 0xff);

    set_reg(b, 0x3ce, 5, 1); /* write mode 1: latches */
    mem_write(b, 0xa0004, 0, 1);
    g_assert_cmphex(ld_le32(v + 16), ==, 0x5aff5aff);
    set_reg(b, 0x3ce, 5, 2); /* 2: a colour */
    set_reg(b, 0x3ce, 8, 0x0f);
    mem_write(b, 0xa0005, 0x06, 1);
    g_assert_cmphex(ld_le32(v + 20), ==, 0x50ff5ff0);
    set_reg(b, 0x3ce, 5, 3); /* 3: set/reset where data and bit mask are 1 */
    set_reg(b, 0x3ce, 0, 0x03);
    mem_write(b, 0xa0006, 0x3c, 1);
    g_assert_cmphex(ld_le32(v + 24), ==, (0x5aff5aff & ~0x0c0c0c0c) | 0x00000c0c);

    set_reg(b, 0x3ce, 5, 0);
    set_reg(b, 0x3ce, 4, 2); /* read mode 0: plane 2 */
    g_assert_cmphex(mem_read(b, 0xa0005, 1), ==, 0xff);
    set_reg(b, 0x3ce, 5, 8); /* 1: where planes 0 and 1 are 0 and 1 */
    set_reg(b, 0x3ce, 2, 0x02);
    set_reg(b, 0x3ce, 7, 0x03);
    g_assert_cmphex(mem_read(b, 0xa0005, 1), ==, 0x0f);
    set_reg(b, 0x3ce, 7, 0x00);
    g_assert_cmphex(mem_read(b, 0xa0005, 1), ==, 0xff);
    g_assert_cmphex(mem_read(b, 0xb8000, 1), ==, 0xff); /* not in this map */
    bench_free(b);
}

static void test_window_maps(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);

    set_mode(b, &mode_03); /* odd/even at B8000: characters in plane 0, attributes in plane 1 */
    mem_write(b, 0xb8000, 0x12345678, 4);
    g_assert_cmphex(ld_le32(s->vram.host), ==, 0x00005678);
    g_assert_cmphex(ld_le32(s->vram.host + 4), ==, 0x00001234);
    g_assert_cmphex(mem_read(b, 0xb8000, 4), ==, 0x12345678);
    g_assert_cmphex(mem_read(b, 0xa0000, 2), ==, 0xffff);
    g_assert_cmphex(mem_read(b, 0xb0000, 2), ==, 0xffff);
    set_reg(b, 0x3ce, 6, 0x0a); /* at B0000 */
    g_assert_cmphex(mem_read(b, 0xb0000, 4), ==, 0x12345678);
    g_assert_cmphex(mem_read(b, 0xb8000, 4), ==, 0xffffffff);
    set_reg(b, 0x3ce, 6, 0x02); /* 128 KiB: A16 picks the page */
    mem_write(b, 0xb0000, 0x55, 1);
    g_assert_cmphex(s->vram.host[0x8000 * 4], ==, 0x55);
    g_assert_cmphex(mem_read(b, 0xa0000, 4), ==, 0x12345678);
    outb(b, 0x3c2, 0x65); /* memory off */
    g_assert_cmphex(mem_read(b, 0xa0000, 4), ==, 0xffffffff);

    set_mode(b, &mode_13); /* chain 4 is plain memory, mapped without exits */
    g_assert_true(s->window_ram.enabled);
    mem_write(b, 0xa0000, 0x44332211, 4);
    mem_write(b, 0xaffff, 0x99, 1);
    g_assert_cmphex(ld_le32(s->vram.host), ==, 0x44332211);
    g_assert_cmphex(s->vram.host[0xffff], ==, 0x99);
    set_reg(b, 0x3c4, 2, 0x02); /* masked planes need the exits */
    g_assert_false(s->window_ram.enabled);
    mem_write(b, 0xa0000, 0xffffffff, 4);
    g_assert_cmphex(ld_le32(s->vram.host), ==, 0x4433ff11);
    set_reg(b, 0x3c4, 4, 0x06); /* mode X: the same pixels, a plane at a time */
    mem_write(b, 0xa0000, 0x77, 1);
    g_assert_cmphex(ld_le32(s->vram.host), ==, 0x44337711);
    bench_free(b);
}

/* --- text modes ---------------------------------------------------------------------------------- */

static void test_text_pixels(void)
{
    uint8_t font[4096];
    struct vga *s;
    struct bench *b = text_bench(&s, font);

    set_reg(b, 0x3d4, 0x0a, 0x20);
    put(b, 3, 2, "\xc4", 0x1e); /* yellow on blue; line graphics have nine dots */
    put(b, 4, 2, "A", 0x1e);
    struct rect r = draw(s, true);
    g_assert_cmpint(r.w, ==, 720);
    g_assert_cmpint(r.h, ==, 400);
    for (int y = 0; y < 16; y++) {
        for (int x = 0; x < 9; x++) {
            bool line = font[0xc4 * 16 + y] >> (7 - MIN(x, 7)) & 1;
            bool a = x < 8 && font['A' * 16 + y] >> (7 - x) & 1;
            g_assert_cmphex(pixel(s, 27 + x, 32 + y), ==, line ? 0xffff55 : 0x0000aa);
            g_assert_cmphex(pixel(s, 36 + x, 32 + y), ==, a ? 0xffff55 : 0x0000aa);
        }
    }
    g_assert_cmphex(pixel(s, 0, 0), ==, 0);

    draw(s, false); /* starts tracking */
    r = draw(s, false);
    g_assert_cmpint(r.w, ==, 0);
    put(b, 10, 5, "#", 0x70);
    r = draw(s, false); /* what changed, and no more */
    g_assert_cmpint(r.x, >=, 90);
    g_assert_cmpint(r.x + r.w, <=, 99);
    g_assert_cmpint(r.y, >=, 80);
    g_assert_cmpint(r.y + r.h, <=, 96);
    g_assert_cmpint(r.w, >, 0);
    set_reg(b, 0x3c4, 1, 0x01); /* eight dots */
    r = draw(s, false);
    g_assert_cmpint(r.w, ==, 640);
    set_reg(b, 0x3c4, 1, 0x09); /* half the dot clock */
    set_reg(b, 0x3d4, 0x01, 39);
    draw(s, false);
    g_assert_cmpint(s->con.width, ==, 640);
    set_reg(b, 0x3c4, 1, 0x21); /* screen off */
    draw(s, false);
    for (int y = 0; y < s->con.height; y++)
        for (int x = 0; x < s->con.width; x++)
            g_assert_cmphex(pixel(s, x, y), ==, 0);
    bench_free(b);
}

static void test_cursor_and_blink(void)
{
    uint8_t font[4096];
    struct vga *s;
    struct bench *b = text_bench(&s, font);
    unsigned on = 0, shown = 0;

    put(b, 5, 0, "\x80", 0x8f);
    set_reg(b, 0x3d4, 0x0f, 81); /* row 1, column 1; lines 13 and 14 */
    draw(s, true);
    g_assert_cmphex(pixel(s, 9, 16 + 12), ==, 0);
    g_assert_cmphex(pixel(s, 9, 16 + 13), ==, 0xaaaaaa);
    g_assert_cmphex(pixel(s, 17, 16 + 14), ==, 0xaaaaaa);
    g_assert_cmphex(pixel(s, 18, 16 + 14), ==, 0);
    g_assert_cmphex(pixel(s, 9, 16 + 15), ==, 0);
    for (int i = 0; i < 320; i++) { /* ten periods of the text, twenty of the cursor */
        clock_step(b, NS_PER_SEC * 1000 / 70086);
        draw(s, false);
        on += pixel(s, 9, 16 + 13) != 0;
        shown += pixel(s, 45, 0) != 0;
    }
    g_assert_cmpint(abs((int) on - 160), <, 10);
    g_assert_cmpint(abs((int) shown - 160), <, 18);
    set_reg(b, 0x3d4, 0x0a, 0x0f); /* starts after it ends: not there */
    draw(s, false);
    for (int y = 16; y < 32; y++)
        g_assert_cmphex(pixel(s, 9, y), ==, 0);
    set_attr(b, 0x10, 0x04); /* without blinking bit 7 is a brighter background */
    draw(s, false);
    g_assert_cmphex(pixel(s, 45 + 8, 0), ==, 0x555555);
    bench_free(b);
}

static void test_two_fonts(void)
{
    uint8_t font[4096], other[4096];
    struct vga *s;
    struct bench *b = text_bench(&s, font);

    for (unsigned i = 0; i < 4096; i++)
        other[i] = (uint8_t) ~font[i];
    load_font(b, other, 0xe000); /* the last block: 7 */
    set_reg(b, 0x3d4, 0x0a, 0x20);
    set_reg(b, 0x3c4, 3, 0x2c); /* attribute bit 3: block 7, else block 0 */
    put(b, 0, 0, "\xff", 0x0f);
    put(b, 1, 0, "\xff", 0x07);
    draw(s, true);
    for (int y = 0; y < 16; y++) {
        g_assert_cmphex(pixel(s, 0, y), ==, other[0xff0 + y] & 0x80 ? 0xffffff : 0);
        g_assert_cmphex(pixel(s, 9, y), ==, font[0xff0 + y] & 0x80 ? 0xaaaaaa : 0);
    }
    set_reg(b, 0x3d4, 0x14, 0x03); /* underline for "blue" on black */
    put(b, 0, 0, " ", 0x01);
    draw(s, true);
    g_assert_cmphex(pixel(s, 4, 3), ==, 0x0000aa);
    g_assert_cmphex(pixel(s, 4, 4), ==, 0);
    bench_free(b);
}

static char *first_line(struct vga *s)
{
    char *t = console_text(&s->con), *end = strchr(t, '\n');

    *end = 0;
    return t;
}

static void test_scrolling(void)
{
    uint8_t font[4096];
    struct vga *s;
    struct bench *b = text_bench(&s, font);
    char *t;

    set_reg(b, 0x3d4, 0x0a, 0x20);
    put(b, 0, 0, "zero", 7);
    put(b, 0, 1, "one \xdb\x01\x80", 7);
    put(b, 0, 24, "last", 7);
    t = console_text(&s->con);
    g_assert_true(g_str_has_prefix(t, "zero\none █☺Ç\n\n"));
    g_assert_true(g_str_has_suffix(t, "\nlast\n"));
    g_free(t);
    set_reg(b, 0x3d4, 0x0d, 80); /* start address: a row down */
    t = first_line(s);
    g_assert_cmpstr(t, ==, "one █☺Ç");
    g_free(t);
    set_reg(b, 0x3d4, 0x08, 0x05); /* and five lines, and three dots */
    set_attr(b, 0x13, 0x02);
    draw(s, true);
    for (int y = 0; y < 11; y++)
        for (int x = 0; x < 5; x++)
            g_assert_cmphex(pixel(s, x, y), ==, font['o' * 16 + y + 5] >> (4 - x) & 1 ? 0xaaaaaa : 0);
    set_reg(b, 0x3d4, 0x08, 0x00);
    set_attr(b, 0x13, 0x08);

    set_reg(b, 0x3d4, 0x07, 0x0f); /* split: after scan line 31 comes address 0 again */
    set_reg(b, 0x3d4, 0x09, 0x0f);
    set_reg(b, 0x3d4, 0x18, 31);
    t = console_text(&s->con);
    g_assert_true(g_str_has_prefix(t, "one █☺Ç\n\nzero\none"));
    g_free(t);
    set_reg(b, 0x3d4, 0x18, 0);
    draw(s, true);
    g_assert_cmphex(pixel(s, 0, 1), ==, font['z' * 16] & 0x80 ? 0xaaaaaa : 0);
    set_reg(b, 0x3d4, 0x09, 0x4f);
    set_reg(b, 0x3d4, 0x07, 0x1f);
    set_reg(b, 0x3d4, 0x18, 0xff);

    set_reg(b, 0x3d4, 0x13, 66); /* 132 columns, 8-line characters, doubled */
    set_reg(b, 0x3d4, 0x01, 131);
    set_reg(b, 0x3d4, 0x09, 0xc7);
    draw(s, true);
    g_assert_cmpint(s->con.width, ==, 132 * 9);
    g_assert_cmpint(s->con.height, ==, 400);
    t = console_text(&s->con);
    unsigned lines = 0;
    for (char *p = t; *p; p++)
        lines += *p == '\n';
    g_assert_cmpuint(lines, ==, 25);
    g_free(t);
    for (int x = 0; x < 132 * 9; x++)
        g_assert_cmphex(pixel(s, x, 6), ==, pixel(s, x, 7));
    bench_free(b);
}

static void test_mode3(void)
{
    struct bench *b = bench_new(MiB);
    GError *err = NULL;

    g_assert_false(vga_set_mode3(b->vm, &err)); /* no VGA: nothing to complain about */
    g_assert_no_error(err);
    struct vga *s = vga_add(b, NULL);
    if (!vga_set_mode3(b->vm, &err)) {
        g_test_skip(err->message);
        g_clear_error(&err);
        bench_free(b);
        return;
    }
    put(b, 0, 0, "\xdb", 0x1f);
    put(b, 0, 1, "A", 0x4e);
    draw(s, true);
    g_assert_cmpint(s->con.width, ==, 720);
    g_assert_cmpint(s->con.height, ==, 400);
    for (int y = 0; y < 13; y++)
        g_assert_cmphex(pixel(s, 4, y), ==, 0xffffff);
    g_assert_cmphex(pixel(s, 3, 16 + 2), ==, 0xffff55); /* the tip of the letter */
    g_assert_cmphex(pixel(s, 0, 16), ==, 0xaa0000);
    b->vm->firmware_path = g_strdup("/nowhere");
    g_assert_false(vga_set_mode3(b->vm, &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    bench_free(b);
}

static void test_picture(void) /* for the eye: VGA_SHOTS, VGA_FONT */
{
    uint8_t font[4096];
    struct vga *s;
    struct bench *b = text_bench(&s, font);

    put(b, 2, 1, "All 256 glyphs, then all 256 attributes; the cursor stands after this:", 0x1f);
    for (unsigned i = 0; i < 256; i++) {
        mem_write(b, 0xb8000 + 2 * ((3 + i / 32) * 80 + 2 + i % 32 * 2), i | 0x0700, 2);
        mem_write(b, 0xb8000 + 2 * ((13 + i / 32) * 80 + 2 + i % 32 * 2), 'a' | i << 8, 2);
    }
    set_reg(b, 0x3d4, 0x0f, 80 + 73);
    shot(s, "text");
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vga/registers", test_registers);
    g_test_add_func("/vga/dac", test_dac);
    g_test_add_func("/vga/timing", test_timing);
    g_test_add_func("/vga/write-modes", test_write_modes);
    g_test_add_func("/vga/window-maps", test_window_maps);
    g_test_add_func("/vga/text-pixels", test_text_pixels);
    g_test_add_func("/vga/cursor-and-blink", test_cursor_and_blink);
    g_test_add_func("/vga/two-fonts", test_two_fonts);
    g_test_add_func("/vga/scrolling", test_scrolling);
    g_test_add_func("/vga/mode3", test_mode3);
    g_test_add_func("/vga/picture", test_picture);
    return g_test_run();
}
