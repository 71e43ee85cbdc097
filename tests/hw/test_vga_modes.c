/* tests/hw/test_vga_modes.c - graphics modes, the Bochs display interface, saving, and what hostile
 * guests do. */
#include "hw/catalog.h"
#include "hw/pci/pci.h"
#include "hw/vga/edid.h"
#include "tests/hw/vga_bench.h"

static uint32_t pixel(struct vga *s, int x, int y)
{
    return console_row(&s->con, y)[x];
}

static void enable(struct bench *b, unsigned x, unsigned y, unsigned bpp, unsigned flags)
{
    dispi(b, VBE_DISPI_INDEX_ENABLE, 0);
    dispi(b, VBE_DISPI_INDEX_XRES, x);
    dispi(b, VBE_DISPI_INDEX_YRES, y);
    dispi(b, VBE_DISPI_INDEX_BPP, bpp);
    dispi(b, VBE_DISPI_INDEX_ENABLE, VBE_DISPI_ENABLED | VBE_DISPI_LFB_ENABLED | flags);
    inb(b, 0x3da);
    outb(b, 0x3c0, 0x20);
}

/* --- graphics modes ------------------------------------------------------------------------------ */

static void test_planar(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);

    set_mode(b, &mode_12);
    set_reg(b, 0x3ce, 5, 2);
    for (unsigned i = 0; i < 16; i++) { /* sixteen bars, drawn by colour */
        for (unsigned y = 0; y < 480; y++)
            for (unsigned x = 0; x < 5; x++)
                mem_write(b, 0xa0000 + y * 80 + i * 5 + x, i, 1);
    }
    draw(s, true);
    shot(s, "mode12");
    g_assert_cmpint(s->con.width, ==, 640);
    g_assert_cmpint(s->con.height, ==, 480);
    static const uint32_t ega[16] = { 0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa,
                                      0xaa5500, 0xaaaaaa, 0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff,
                                      0xffff55, 0xffffff };
    for (int x = 0; x < 640; x++)
        g_assert_cmphex(pixel(s, x, x * 479 / 639), ==, ega[x / 40]);
    set_attr(b, 0x12, 0x07); /* one plane less */
    draw(s, true);
    g_assert_cmphex(pixel(s, 639, 0), ==, 0xaaaaaa);
    set_attr(b, 0x12, 0x0f);
    set_attr(b, 0x13, 3); /* panning */
    draw(s, true);
    g_assert_cmphex(pixel(s, 36, 0), ==, ega[0]);
    g_assert_cmphex(pixel(s, 37, 0), ==, ega[1]);
    bench_free(b);
}

static void test_256(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);

    set_mode(b, &mode_13);
    for (unsigned i = 0; i < 256; i++)
        set_dac(b, (uint8_t) i, i >> 2, 63 - (i >> 2), i & 63);
    for (unsigned y = 0; y < 200; y++)
        for (unsigned x = 0; x < 320; x++)
            mem_write(b, 0xa0000 + y * 320 + x, x + y, 1);
    draw(s, false);
    shot(s, "mode13");
    g_assert_cmpint(s->con.width, ==, 640);
    g_assert_cmpint(s->con.height, ==, 400);
    for (int y = 0; y < 400; y++)
        for (int x = 0; x < 640; x++)
            g_assert_cmphex(pixel(s, x, y), ==, s->palette[(x / 2 + y / 2) & 255]);
    struct rect r = draw(s, false);
    g_assert_cmpint(r.w, ==, 0);
    mem_write(b, 0xa0000 + 100 * 320 + 50, 0, 1);
    r = draw(s, false);
    g_assert_cmpint(r.x, ==, 100);
    g_assert_cmpint(r.y, ==, 200);
    g_assert_cmpint(r.w, ==, 2);
    g_assert_cmpint(r.h, ==, 2);

    set_reg(b, 0x3c4, 4, 0x06); /* mode X: 320x240 in unchained planes */
    set_reg(b, 0x3d4, 0x11, 0x2c);
    outb(b, 0x3c2, 0xe3);
    set_reg(b, 0x3d4, 0x06, 0x0d);
    set_reg(b, 0x3d4, 0x07, 0x3e);
    set_reg(b, 0x3d4, 0x12, 0xdf);
    set_reg(b, 0x3d4, 0x14, 0x00);
    set_reg(b, 0x3d4, 0x17, 0xe3);
    set_reg(b, 0x3c4, 2, 0x04); /* pixels 2, 6, 10 ... of row 239 */
    mem_write(b, 0xa0000 + 239 * 80 + 79, 0x5a, 1);
    draw(s, false);
    g_assert_cmpint(s->con.height, ==, 480);
    g_assert_cmphex(pixel(s, 636, 479), ==, s->palette[0x5a]);
    g_assert_cmphex(pixel(s, 638, 479), ==, s->palette[0]);
    bench_free(b);
}

static void test_cga(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);

    set_mode(b, &mode_04);
    for (unsigned x = 0; x < 80; x++) { /* 0 1 2 3 in even lines, 3 2 1 0 in odd ones */
        for (unsigned y = 0; y < 200; y++)
            mem_write(b, 0xb8000 + (y & 1) * 0x2000 + y / 2 * 80 + x, y & 1 ? 0xe4 : 0x1b, 1);
    }
    draw(s, true);
    shot(s, "mode04");
    g_assert_cmpint(s->con.width, ==, 640);
    g_assert_cmpint(s->con.height, ==, 400);
    const uint32_t colors[4] = { 0, s->palette[0x13], s->palette[0x15], s->palette[0x17] };
    for (int x = 0; x < 640; x++) {
        g_assert_cmphex(pixel(s, x, 0), ==, colors[x / 2 % 4]);
        g_assert_cmphex(pixel(s, x, 1), ==, colors[x / 2 % 4]);
        g_assert_cmphex(pixel(s, x, 398), ==, colors[3 - x / 2 % 4]);
        g_assert_cmphex(pixel(s, x, 399), ==, colors[3 - x / 2 % 4]);
    }
    bench_free(b);
}

/* --- the Bochs display interface ------------------------------------------------------------------ */

static void test_dispi(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, "mb=16");

    g_assert_cmphex(dispi_get(b, VBE_DISPI_INDEX_ID), ==, 0xb0c5);
    dispi(b, VBE_DISPI_INDEX_ID, 0xb0c2);
    g_assert_cmphex(dispi_get(b, VBE_DISPI_INDEX_ID), ==, 0xb0c2);
    dispi(b, VBE_DISPI_INDEX_ID, 0xb0c6);
    g_assert_cmphex(dispi_get(b, VBE_DISPI_INDEX_ID), ==, 0xb0c2);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_VIDEO_MEMORY_64K), ==, 256);
    outw(b, 0x1ce, VBE_DISPI_INDEX_XRES); /* the aligned data port */
    outw(b, 0x1d0, 800);
    g_assert_cmpuint(inw(b, 0x1d0), ==, 800);
    outl(b, 0x1ce, 600 << 16 | VBE_DISPI_INDEX_YRES);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_YRES), ==, 600);
    dispi(b, VBE_DISPI_INDEX_ENABLE, VBE_DISPI_GETCAPS);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_XRES), ==, 16000);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_YRES), ==, 12000);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_BPP), ==, 32);

    memset(s->vram.host, 0x55, 16 * MiB);
    enable(b, 1024, 768, 32, VBE_DISPI_NOCLEARMEM);
    g_assert_cmphex(s->vram.host[0], ==, 0x55);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_VIRT_WIDTH), ==, 1024);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_VIRT_HEIGHT), ==, 4096);
    enable(b, 1024, 768, 32, 0); /* cleared: the screen, and no more */
    g_assert_cmphex(s->vram.host[1024 * 768 * 4 - 1], ==, 0);
    g_assert_cmphex(s->vram.host[1024 * 768 * 4], ==, 0x55);
    dispi(b, VBE_DISPI_INDEX_BANK, 3);
    mem_write(b, 0xa0010, 0xcafe, 2); /* the window shows the bank */
    g_assert_cmphex(ld_le16(s->vram.host + 3 * 65536 + 16), ==, 0xcafe);
    g_assert_true(s->window_ram.enabled);
    g_assert_null(console_text(&s->con));
    dispi(b, VBE_DISPI_INDEX_ENABLE, 0);
    g_assert_cmpuint(dispi_get(b, VBE_DISPI_INDEX_BANK), ==, 0);
    bench_free(b);
}

static void test_depths(void)
{
    static const struct { unsigned bpp, bytes; uint32_t raw, want, big; } t[] = {
        { 8, 1, 0x21, 0x0c8204, 0x0c8204 }, { 15, 2, 0x7c1f, 0xff00ff, 0 }, { 16, 2, 0xf81f, 0xff00ff, 0 },
        { 24, 3, 0x123456, 0x123456, 0x563412 }, { 32, 4, 0xff123456, 0x123456, 0x3412ff },
    };
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, "mb=4");

    set_dac(b, 0x21, 3, 0x20, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        enable(b, 640, 480, t[i].bpp, 0);
        unsigned pitch = 640 * t[i].bytes;
        for (unsigned k = 0; k < t[i].bytes; k++)
            mem_write(b, LFB + 7 * pitch + 9 * t[i].bytes + k, t[i].raw >> (8 * k), 1);
        draw(s, true);
        g_assert_cmphex(pixel(s, 9, 7), ==, t[i].want);
        g_assert_cmphex(pixel(s, 10, 7), ==, 0);
        s->r.big_endian = true;
        draw(s, true);
        if (t[i].big)
            g_assert_cmphex(pixel(s, 9, 7), ==, t[i].big);
        else
            g_assert_cmphex(pixel(s, 9, 7), !=, t[i].want);
        s->r.big_endian = false;
    }
    enable(b, 800, 600, 4, 0); /* planes: 60000 bytes each */
    set_mode(b, &mode_12);
    mem_write(b, 0xa0000 + 599 * 100 + 99, 0x01, 1);
    draw(s, true);
    g_assert_cmpint(s->con.width, ==, 800);
    g_assert_cmphex(pixel(s, 799, 599), ==, 0xffffff);
    g_assert_cmphex(pixel(s, 798, 599), ==, 0);
    bench_free(b);
}

static void test_dirty(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, "mb=8");
    struct rect r;

    enable(b, 1024, 768, 32, 0);
    r = draw(s, false);
    g_assert_cmpint(r.h, ==, 768);
    g_assert_true(s->lfb->log_dirty);
    r = draw(s, false);
    g_assert_cmpint(r.h, ==, 0);
    mem_write(b, LFB + (100 * 1024 + 20) * 4, 0xffffff, 4);
    mem_write(b, LFB + (102 * 1024 + 10) * 4, 0xffffff, 4);
    r = draw(s, false);
    g_assert_cmpint(r.x, ==, 10);
    g_assert_cmpint(r.y, ==, 100);
    g_assert_cmpint(r.w, ==, 11);
    g_assert_cmpint(r.h, ==, 3);
    enable(b, 648, 480, 24, 0); /* lines share pages */
    draw(s, false);
    for (unsigned y = 0; y < 480; y++) {
        mem_write(b, LFB + y * 648 * 3, 0xff, 1);
        mem_write(b, LFB + y * 648 * 3 + 647 * 3, 0xff, 1);
    }
    r = draw(s, false);
    g_assert_cmpint(r.h, ==, 480);
    for (int y = 0; y < 480; y++) {
        g_assert_cmphex(pixel(s, 0, y), ==, 0xff);
        g_assert_cmphex(pixel(s, 647, y), ==, 0xff);
    }
    dispi(b, VBE_DISPI_INDEX_Y_OFFSET, 10); /* panning draws all */
    mem_write(b, LFB + 489 * 648 * 3, 0xff0000, 3);
    draw(s, false);
    g_assert_cmphex(pixel(s, 0, 479), ==, 0xff0000 & pixel(s, 0, 479));
    console_idle(&s->con);
    g_assert_false(s->lfb->log_dirty);
    mem_write(b, LFB + 10 * 648 * 3 + 3, 0x80, 1);
    r = draw(s, false);
    g_assert_cmphex(pixel(s, 1, 0), ==, 0x80);
    bench_free(b);
}

static void test_card(void) /* for the eye */
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, "mb=4");

    enable(b, 800, 600, 16, 0);
    for (unsigned y = 0; y < 600; y++)
        for (unsigned x = 0; x < 800; x++)
            mem_write(b, LFB + (y * 800 + x) * 2,
                      (x * 31 / 799) << 11 | (y * 63 / 599) << 5 | ((x ^ y) & 31), 2);
    shot(s, "vbe16");
    draw(s, true);
    g_assert_cmphex(pixel(s, 799, 0) >> 16, ==, 0xff);
    bench_free(b);
}

/* --- what is left of the state -------------------------------------------------------------------- */

static void test_save(void)
{
    struct bench *b = bench_new(MiB), *b2 = bench_new(MiB);
    struct vga *s = vga_add(b, "mb=2"), *s2 = vga_add(b2, "mb=2");
    GByteArray *data = g_byte_array_new(), *again = g_byte_array_new();
    GError *err = NULL;

    set_mode(b, &mode_03);
    enable(b, 320, 200, 32, 0);
    dispi(b, VBE_DISPI_INDEX_BANK, 2);
    mem_write(b, LFB + 4 * 7, 0x123456, 4);
    device_save(s->dev, data);
    g_assert_true(device_load(s2->dev, data->data, data->len, &err));
    g_assert_no_error(err);
    device_save(s2->dev, again);
    g_assert_cmpmem(data->data, data->len, again->data, again->len);
    draw(s2, true);
    g_assert_cmphex(pixel(s2, 7, 0), ==, 0x123456);
    g_assert_true(s2->window_ram.enabled);
    g_assert_cmphex(s2->window_ram.ram_off, ==, 2 * 65536);

    s->r.vbe[VBE_DISPI_INDEX_YRES] = 12000; /* more than memory holds */
    g_byte_array_set_size(data, 0);
    device_save(s->dev, data);
    g_assert_false(device_load(s2->dev, data->data, data->len, NULL));
    s->r.vbe[VBE_DISPI_INDEX_YRES] = 200;
    s->bank = 0x7fff0000;
    g_byte_array_set_size(data, 0);
    device_save(s->dev, data);
    g_assert_false(device_load(s2->dev, data->data, data->len, NULL));
    g_byte_array_unref(data);
    g_byte_array_unref(again);
    bench_free(b);
    bench_free(b2);
}

/* --- hostile guests ------------------------------------------------------------------------------- */

static void look(struct vga *s)
{
    draw(s, false);
    draw(s, true);
    g_free(console_text(&s->con));
}

/* CVE-2014-3615, 2016-3710, 2018-7858: sizes, depths and offsets beyond all bounds, in every order */
static void test_dispi_bounds(void)
{
    static const unsigned vals[] = { 0, 1, 7, 8, 15, 16, 24, 32, 640, 4095, 16000, 16001, 0x7fff,
                                     0x8000, 0xffff };
    static const unsigned regs[] = { VBE_DISPI_INDEX_XRES, VBE_DISPI_INDEX_YRES, VBE_DISPI_INDEX_BPP,
                                     VBE_DISPI_INDEX_VIRT_WIDTH, VBE_DISPI_INDEX_X_OFFSET,
                                     VBE_DISPI_INDEX_Y_OFFSET, VBE_DISPI_INDEX_BANK,
                                     VBE_DISPI_INDEX_VIRT_HEIGHT, 0xb, 0xffff };
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);

    enable(b, 640, 480, 8, 0);
    for (unsigned i = 0; i < 600; i++) {
        dispi(b, regs[(unsigned) g_test_rand_int() % G_N_ELEMENTS(regs)],
              vals[(unsigned) g_test_rand_int() % G_N_ELEMENTS(vals)]);
        uint64_t pitch = vbe_pitch(&s->r), h = s->r.vbe[VBE_DISPI_INDEX_YRES];
        g_assert_cmpuint(vbe_start(&s->r) + pitch * h, <=, s->vram.size);
        g_assert_cmpuint(s->bank, <=, s->vram.size - 65536);
        g_assert_true(vbe_check(s));
        mem_write(b, 0xaffff, 0xff, 1);
        mem_read(b, 0xaffff, 1);
        if (i % 4 == 0)
            look(s);
        if (i % 16 == 0) { /* off, changed, on again */
            dispi(b, VBE_DISPI_INDEX_ENABLE, 0);
            dispi(b, VBE_DISPI_INDEX_XRES, 0xffff);
            dispi(b, VBE_DISPI_INDEX_BPP, i);
            dispi(b, VBE_DISPI_INDEX_ENABLE, 1);
        }
    }
    dispi(b, VBE_DISPI_INDEX_BPP, 32); /* a bank, then a mode in which it would be past the end */
    dispi(b, VBE_DISPI_INDEX_BANK, 0xffff);
    g_assert_cmpuint(s->bank, ==, s->vram.size - 65536);
    dispi(b, VBE_DISPI_INDEX_BPP, 4);
    set_reg(b, 0x3c4, 4, 0x06);
    set_reg(b, 0x3c4, 2, 0x0f);
    mem_write(b, 0xaffff, 0xff, 1);
    dispi(b, VBE_DISPI_INDEX_ENABLE, 0);
    mem_write(b, 0xaffff, 0xff, 1);
    bench_free(b);
}

/* CVE-2016-3712, 2017-13672, 2017-13673, 2018-5683: random registers under both kinds of modes,
 * then looking */
static void test_random_registers(void)
{
    static const unsigned port[] = { 0x3c4, 0x3ce, 0x3d4, 0x3c0 };
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);

    set_mode(b, &mode_03);
    for (unsigned i = 0; i < 400; i++) {
        for (unsigned k = 0; k < 20; k++) {
            unsigned p = port[(unsigned) g_test_rand_int() % 4], v = (unsigned) g_test_rand_int();
            if (p == 0x3c0)
                set_attr(b, v & 0x1f, v >> 8 & 0xff);
            else
                set_reg(b, p, v & 0x1f, v >> 8 & 0xff);
            if (p == 0x3d4)
                set_reg(b, 0x3d4, 0x11, v >> 16 & 0x7f);
            mem_write(b, 0xa0000 + (v & 0x1ffff), v, 1 << (v >> 28 & 3));
            mem_read(b, 0xa0000 + (v >> 3 & 0x1ffff), 1 << (v >> 30));
        }
        set_reg(b, 0x3c4, 1, get_reg(b, 0x3c4, 1) & ~0x20);
        outb(b, 0x3c2, 0x03 | (i & 0xec));
        if (i % 40 == 39)
            enable(b, 64 * (i % 16), 480, 8 * (i % 5), 0);
        else if (i % 40 == 19)
            dispi(b, VBE_DISPI_INDEX_ENABLE, 0);
        look(s);
        inb(b, 0x3da);
        clock_step(b, 1234567);
    }
    bench_free(b);
}

static void test_corners(void)
{
    struct bench *b = bench_new(MiB);
    struct vga *s = vga_add(b, NULL);

    look(s); /* all registers 0 */
    set_mode(b, &mode_03);
    set_reg(b, 0x3d4, 0x11, 0);
    set_reg(b, 0x3d4, 0x0c, 0xff); /* start at the end, the widest pitch, the last font */
    set_reg(b, 0x3d4, 0x0d, 0xff);
    set_reg(b, 0x3d4, 0x13, 0xff);
    set_reg(b, 0x3d4, 0x01, 0xff);
    set_reg(b, 0x3d4, 0x09, 0x1f);
    set_reg(b, 0x3d4, 0x08, 0x7f);
    set_reg(b, 0x3c4, 3, 0x3f);
    look(s);
    for (unsigned total = 0; total < 2; total++) {
        set_reg(b, 0x3d4, 0x06, (uint8_t) total);
        set_reg(b, 0x3d4, 0x07, 0);
        set_reg(b, 0x3d4, 0x00, 0);
        for (unsigned i = 0; i < 50; i++) {
            inb(b, 0x3da);
            clock_step(b, 777);
        }
        look(s);
    }
    set_reg(b, 0x3d4, 0x12, 0);
    set_reg(b, 0x3d4, 0x18, 0);
    set_reg(b, 0x3d4, 0x09, 0);
    look(s);
    g_assert_cmpint(s->con.height, ==, 1);
    bench_free(b);
}

static void test_edid(void)
{
    uint8_t e[EDID_SIZE], sum = 0;

    edid_make(e, &(struct edid_info){ .xres = 1920, .yres = 1080, .xmax = 1280, .ymax = 1024 });
    for (unsigned i = 0; i < EDID_SIZE; i++)
        sum += e[i];
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmpuint(e[56] | (e[58] & 0xf0) << 4, ==, 1920);
    g_assert_cmpuint(e[59] | (e[61] & 0xf0) << 4, ==, 1080);
    g_assert_cmpuint(ld_le16(e + 54), ==, 13850); /* CVT-RB: 138.5 MHz, 31 lines of blanking */
    g_assert_cmpuint(e[60], ==, 31);
    for (unsigned i = 38; i < 54; i += 2)
        g_assert_true(e[i] == 1 || (e[i] + 31u) * 8 <= 1280);
}

/* The card on the bus, as Linux's bochs-drm looks at it */
static void test_pci(void)
{
    struct bench *b = bench_new(MiB);
    struct pci_bus bus = { 0 };
    enum { FB = 0xd0000000, MMIO = 0xd8000000 };

    pci_bus_init(&bus, b->vm, "pci.0", NULL);
    struct device *d = bench_add(b, &vga_class, "addr=2,vgamem_mb=12,xres=1024,yres=768,romfile=");
    g_assert_cmphex(pci_config_read(&bus, 16, 0, 4), ==, 0x11111234);
    g_assert_cmphex(pci_config_read(&bus, 16, 8, 4), ==, 0x03000002);
    pci_config_write(&bus, 16, 0x10, 0xffffffff, 4);
    g_assert_cmphex(pci_config_read(&bus, 16, 0x10, 4), ==, 0xff000008);
    pci_config_write(&bus, 16, 0x18, 0xffffffff, 4);
    g_assert_cmphex(pci_config_read(&bus, 16, 0x18, 4), ==, 0xfffff000);
    pci_config_write(&bus, 16, 0x10, FB, 4);
    pci_config_write(&bus, 16, 0x18, MMIO, 4);
    pci_config_write(&bus, 16, 0x04, 2, 2);
    g_assert_cmphex(mem_read(b, MMIO, 8), ==, 0x00ffffffffffff00);
    g_assert_cmphex(mem_read(b, MMIO + 0x600, 4), ==, 8);
    g_assert_cmphex(mem_read(b, MMIO + 0x604, 4), ==, 0x1e1e1e1e);
    g_assert_cmphex(mem_read(b, MMIO + 0x500, 2), ==, 0xb0c5);
    g_assert_cmphex(mem_read(b, MMIO + 0x514, 2), ==, 256);
    static const struct { unsigned index, val; } set[] = { { 4, 0 }, { 3, 32 }, { 1, 1024 }, { 2, 768 },
                                                           { 5, 0 }, { 6, 1024 }, { 7, 768 },
                                                           { 8, 0 }, { 9, 0 }, { 4, 0x41 } };
    for (unsigned i = 0; i < G_N_ELEMENTS(set); i++)
        mem_write(b, MMIO + 0x500 + set[i].index * 2, set[i].val, 2);
    mem_read(b, MMIO + 0x41a, 1);
    mem_write(b, MMIO + 0x400, 0x20, 1); /* unblank */
    mem_write(b, MMIO + 0x604, 0xbebebebe, 4);
    mem_write(b, FB + 1024 * 4 * 767, 0x44332211, 4);
    struct console *con = console_first(b->vm);
    struct rect r;
    console_update(con, true, &r);
    g_assert_cmpint(r.w, ==, 1024);
    g_assert_cmpint(r.h, ==, 768);
    g_assert_cmphex(*console_row(con, 767), ==, 0x223344);
    g_assert_cmphex(mem_read(b, MMIO + 0x604, 4), ==, 0xbebebebe);
    for (unsigned off = 0; off < 0x1000; off += 2) { /* all of it, any width */
        mem_read(b, MMIO + off, 8);
        mem_write(b, MMIO + off, 0xffffffffffffffff, 1 << (off / 2 % 4));
        mem_read(b, MMIO + off, 1);
    }
    console_update(con, true, &r);
    device_free(d);
    pci_bus_clear(&bus);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vga/planar", test_planar);
    g_test_add_func("/vga/256", test_256);
    g_test_add_func("/vga/cga", test_cga);
    g_test_add_func("/vga/dispi", test_dispi);
    g_test_add_func("/vga/depths", test_depths);
    g_test_add_func("/vga/dirty", test_dirty);
    g_test_add_func("/vga/card", test_card);
    g_test_add_func("/vga/save", test_save);
    g_test_add_func("/vga/edid", test_edid);
    g_test_add_func("/vga/pci", test_pci);
    g_test_add_func("/vga/hostile/dispi", test_dispi_bounds);
    g_test_add_func("/vga/hostile/registers", test_random_registers);
    g_test_add_func("/vga/hostile/corners", test_corners);
    return g_test_run();
}
