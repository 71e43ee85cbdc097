/* tests/hw/test_fdc_media.c - floppy drives and media, users' mistakes, hostile guests, snapshots. */
#include "tests/hw/fdc_bench.h"

static void test_two_drives_media(void)
{
    struct rig t = start_with(K144, 737280, NULL);
    uint8_t *m = MEM(&t);

    g_assert_cmpuint(fdc_drive_type(t.fdc, 0), ==, 4);
    g_assert_cmpuint(fdc_drive_type(t.fdc, 1), ==, 4);
    g_assert_cmpuint(fdc_drive_type(t.fdc, 2), ==, 0);
    outb(t.b, DOR, 0x3d);
    outb(t.b, DIRR, 2); /* 250 kb/s */
    DMA_IN(&t, 9 * 512);
    CMD(&t, 0x46, 1, 50, 0, 1, 2, 9, 0x2a, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x21, 0, 0, 51, 0, 1, 2);
    g_assert_cmpmem(m, 9 * 512, t.blk[1]->data + 50 * 2 * 9 * 512, 9 * 512);
    g_assert_cmphex(inb(t.b, DIRR), ==, 0x00); /* drive 1 stepped */
    outb(t.b, DOR, 0x3c);
    g_assert_cmphex(inb(t.b, DIRR), ==, 0x80); /* drive 0 did not */
    seek(&t, 0, 1);
    g_assert_cmphex(inb(t.b, DIRR), ==, 0x00);
    fake_set_medium(t.blk[0], 0);
    g_assert_cmphex(inb(t.b, DIRR), ==, 0x80);
    seek(&t, 0, 0);
    g_assert_cmphex(inb(t.b, DIRR), ==, 0x80); /* empty: stays */
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0x40, 0x01, 0, 0, 0, 1, 2);
    CMD(&t, 0x4d, 0, 2, 18, 0x6c, 0xf6);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[0], ==, 0x40);
    fake_set_medium(t.blk[0], 1720320); /* 1.68M DMF */
    fill(t.blk[0]);
    seek(&t, 0, 1);
    g_assert_cmphex(inb(t.b, DIRR), ==, 0x00);
    outb(t.b, DIRR, 0);
    DMA_IN(&t, 42 * 512);
    CMD(&t, 0xc6, 0, 79, 0, 1, 2, 21, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[0] & 0xc0, ==, 0);
    g_assert_cmpmem(m, 42 * 512, t.blk[0]->data + 79 * 42 * 512, 42 * 512);
    outb(t.b, TDR, 4); /* BOOTSEL: the drives change places */
    outb(t.b, DIRR, 2);
    DMA_IN(&t, 512);
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 9, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmpmem(m, 512, t.blk[1]->data, 512);
    bench_free(t.b);
}

static void test_formats(void)
{
    static const struct {
        unsigned cyls, heads, spt;
        uint8_t rate, cmos;
    } media[] = {{40, 1, 8, 2, 1},  {40, 1, 9, 2, 1},  {40, 2, 8, 1, 1},  {40, 2, 9, 2, 1},
                 {80, 2, 9, 2, 4},  {80, 2, 15, 0, 2}, {80, 2, 18, 0, 4}, {80, 2, 21, 0, 4},
                 {82, 2, 21, 0, 4}, {80, 2, 36, 3, 5}};

    for (unsigned i = 0; i < G_N_ELEMENTS(media); i++) {
        unsigned c = media[i].cyls, h = media[i].heads, n = media[i].spt;
        struct rig t = start_with((uint64_t) c * h * n * 512, 0, NULL);
        g_assert_cmpuint(fdc_drive_type(t.fdc, 0), ==, media[i].cmos);
        outb(t.b, DIRR, media[i].rate);
        for (unsigned cyl = 0; cyl < c; cyl += c - 1)
            for (unsigned head = 0; head < h; head++) {
                DMA_IN(&t, n * 512);
                CMD(&t, 0x46, (uint8_t) (head << 2), (uint8_t) cyl, (uint8_t) head, 1, 2, (uint8_t) n, 0x1b,
                    0xff);
                g_assert_true(wait_int(&t));
                get_results(&t);
                g_assert_cmphex(t.res[0] & 0xc0, ==, 0);
                g_assert_cmpmem(MEM(&t), n * 512, t.blk[0]->data + (cyl * h + head) * n * 512, n * 512);
            }
        CMD(&t, 0x46, 0, (uint8_t) c, 0, 1, 2, (uint8_t) n, 0x1b, 0xff); /* beyond the last track: blank */
        g_assert_true(wait_int(&t));
        get_results(&t);
        g_assert_cmphex(t.res[1], ==, 0x01);
        if (h == 1) {
            CMD(&t, 0x46, 4, 0, 1, 1, 2, (uint8_t) n, 0x1b, 0xff);
            g_assert_true(wait_int(&t));
            get_results(&t);
            g_assert_cmphex(t.res[1], ==, 0x01);
        }
        bench_free(t.b);
    }
}

/* A 360K medium in a 1.2M drive: by double steps, or as firmware does that knows of none. */
static void test_double_step(void)
{
    struct rig t = { .b = bench_new(16 * MiB) };

    bench_add(t.b, &i8237_class, NULL);
    t.fdc = bench_add(t.b, &isa_fdc_class, NULL);
    t.blk[0] = bench_blk(t.b, "a", 368640);
    fill(t.blk[0]);
    bench_add(t.b, &floppy_class, "drive=a,drive-type=120");
    power_on(&t);
    g_assert_cmpuint(fdc_drive_type(t.fdc, 0), ==, 2);
    outb(t.b, DIRR, 1);
    CMD(&t, 0x13, 0, 0x20, 0);
    for (unsigned step = 1; step <= 2; step++) {
        seek(&t, 0, 30 * step);
        DMA_IN(&t, 512);
        CMD(&t, 0x46, 0, 30, 0, 1, 2, 9, 0x1b, 0xff);
        g_assert_true(wait_int(&t));
        CHECK_RES(&t, 0, 0, 0, 30, 0, 2, 2);
        g_assert_cmpmem(MEM(&t), 512, t.blk[0]->data + 30 * 18 * 512, 512);
    }
    bench_free(t.b);
}

static void expect_error(struct bench *b, const struct device_class *cls, const char *props, const char *text)
{
    GError *err = NULL;

    g_assert_null(device_create(b->vm, cls, NULL, props, &err));
    g_assert_nonnull(err);
    if (!strstr(err->message, text))
        g_error("'%s' is not in '%s'", text, err->message);
    g_error_free(err);
}

static void test_user(void)
{
    struct bench *b = bench_new(16 * MiB);
    struct device *fdc;

    bench_add(b, &i8237_class, NULL);
    bench_blk(b, "odd", 1000 * 512);
    bench_blk(b, "hd", K144);
    bench_blk(b, "dd", 368640);
    bench_blk(b, "empty", 0);
    expect_error(b, &isa_fdc_class, "dma=5", "out of range");
    expect_error(b, &isa_fdc_class, "driveA=odd", "1.44M");
    expect_error(b, &isa_fdc_class, "driveA=hd,fdtypeA=120", "needs a 1.44M");
    expect_error(b, &floppy_class, "drive=hd", "no floppy-bus");
    fdc = bench_add(b, &isa_fdc_class, "driveA=hd,bootindexA=3");
    g_assert_cmpuint(b->vm->boot_order->len, ==, 1);
    g_assert_cmpstr(((struct boot_entry *) b->vm->boot_order->pdata[0])->path, ==, "/fdc@03f0/floppy@0");
    expect_error(b, &floppy_class, "drive=odd", "512000 bytes");
    expect_error(b, &floppy_class, "drive=hd", "already used");
    expect_error(b, &floppy_class, "drive=dd,unit=0", "already taken");
    expect_error(b, &floppy_class, "drive=dd,unit=2", "out of range");
    expect_error(b, &floppy_class, "drive=dd,drive-type=288", "needs a 360K");
    bench_add(b, &floppy_class, "drive=empty,unit=1");
    g_assert_cmpuint(fdc_drive_type(fdc, 0), ==, 4);
    g_assert_cmpuint(fdc_drive_type(fdc, 1), ==, 4);
    expect_error(b, &floppy_class, "drive=dd", "no room");
    bench_free(b);
}

/* CVE-2015-3456: the FIFO index must not run past its buffer, whatever command is cut short or fed on. */
static void test_venom(void)
{
    struct rig t = start();
    static const uint8_t cmds[] = { 0x0a, 0x8e, 0x08, 0x4e, 0x46, 0x04, 0x8f, 0xff };

    for (unsigned i = 0; i < sizeof cmds; i++) {
        outb(t.b, DOR, 0);
        outb(t.b, DOR, 0x3c);
        outb(t.b, FIFO, cmds[i]);
        for (int k = 0; k < 3000; k++)
            outb(t.b, FIFO, 0x42);
        for (int k = 0; k < 3000; k++)
            inb(t.b, FIFO);
        wait_ns(&t, NS_PER_MS);
        for (int k = 0; k < 100; k++)
            inb(t.b, FIFO);
    }
    bench_free(t.b);
}

/* CVE-2021-20196, -3507 and friends: absent drives, EOT before the first sector, extreme C, H, R, N;
 * bounded work. */
static void test_extremes(void)
{
    struct rig t = start();
    static const uint8_t edge[] = { 0, 1, 2, 18, 19, 79, 80, 127, 128, 254, 255 };
    static const uint8_t ops[] = { 0x46, 0xe6, 0x45, 0xc5, 0x4c, 0x49, 0x42, 0x56, 0xd6, 0x51, 0xd9, 0x5d };
    GRand *r = g_rand_new_with_seed(7);

    for (int i = 0; i < 1500; i++) {
        uint8_t cmd[9];
        cmd[0] = ops[g_rand_int_range(r, 0, sizeof ops)];
        cmd[1] = (uint8_t) g_rand_int_range(r, 0, 256);
        if (g_rand_int_range(r, 0, 3))
            cmd[1] &= 0x84;
        for (int k = 2; k < 9; k++)
            cmd[k] = edge[g_rand_int_range(r, 0, sizeof edge)];
        if (g_rand_int_range(r, 0, 2))
            cmd[2] = cmd[3] = 0, cmd[5] = 2;
        dma(&t, cmd[0] == 0x45 || cmd[0] == 0xc5 || cmd[0] == 0x49 || (cmd[0] & 0x1f) > 0x10 ? 0x48 : 0x44,
            0x20000, (unsigned) g_rand_int_range(r, 1, 65536));
        command(&t, cmd, 9);
        g_assert_true(wait_int(&t));
        get_results(&t);
        g_assert_cmpuint(t.n_res, ==, 7);
    }
    CMD(&t, 0x13, 0, 0x20, 0);
    for (uint8_t ds = 1; ds < 4; ds++) { /* nobody there */
        CMD(&t, 0x45, ds, 0, 0, 1, 2, 18, 0x1b, 0xff);
        g_assert_true(wait_int(&t));
        CHECK_RES(&t, 0x40 | ds, 1, 0, 0, 0, 1, 2);
        CMD(&t, 0x4d, ds, 2, 18, 0x1b, 0xff);
        g_assert_true(wait_int(&t));
        get_results(&t);
        CMD(&t, 0x04, ds);
        CHECK_RES(&t, 0x28 | ds);
        seek(&t, ds, 9);
    }
    g_rand_free(r);
    bench_free(t.b);
}

static void test_in_flight(void)
{
    struct rig t = start();

    t.blk[0]->hold = true;
    DMA_IN(&t, 512);
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    wait_ns(&t, NS_PER_MS);
    g_assert_cmphex(inb(t.b, MSR), ==, 0x10);
    outb(t.b, DOR, 0); /* reset with a request on its way */
    outb(t.b, DOR, 0x3c);
    wait_ns(&t, NS_PER_MS);
    CMD(&t, 0x08);
    get_results(&t);
    DMA_IN(&t, 512);
    CMD(&t, 0x46, 0, 0, 0, 2, 2, 18, 0x1b, 0xff); /* waits for it to come home */
    wait_ns(&t, 5 * NS_PER_MS);
    g_assert_false(irq_level(t.b, 6));
    t.blk[0]->hold = false;
    fake_release(t.blk[0]);
    g_assert_true(wait_int(&t));
    CHECK_RES(&t, 0, 0, 0, 0, 0, 3, 2);
    g_assert_cmpmem(MEM(&t), 512, disk(&t, 0, 0, 2), 512);
    /* the medium is taken out, then a smaller one put in, while a read and a write are under way */
    for (int i = 0; i < 2; i++) {
        t.blk[0]->hold = true;
        dma(&t, i ? 0x48 : 0x44, 0x20000, 4096);
        CMD(&t, i ? 0x45 : 0x46, 0, 79, 0, 1, 2, 18, 0x1b, 0xff);
        wait_ns(&t, 5 * NS_PER_MS);
        fake_set_medium(t.blk[0], i ? 163840 : 0);
        t.blk[0]->hold = false;
        fake_release(t.blk[0]);
        g_assert_true(wait_int(&t));
        get_results(&t);
        g_assert_cmphex(t.res[0] & 0xc0, ==, 0x40);
        fake_set_medium(t.blk[0], K144);
    }
    /* taken out while the host is slow with its data */
    CMD(&t, 0x03, 0xdf, 0x03);
    CMD(&t, 0x45, 0, 79, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    fake_set_medium(t.blk[0], 0);
    for (int i = 0; i < 512; i++)
        outb(t.b, FIFO, (uint8_t) i);
    g_assert_true(wait_int(&t));
    get_results(&t);
    g_assert_cmphex(t.res[0] & 0xc0, ==, 0x40);
    /* the drive is unplugged with a request in flight */
    fake_set_medium(t.blk[0], K144);
    t.blk[0]->hold = true;
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    wait_ns(&t, 5 * NS_PER_MS);
    bench_free(t.b);
}

/* Anything at any port, with media that come and go and requests that are late. */
static void test_random(void)
{
    struct rig t = start_with(K144, 368640, NULL);
    static const uint16_t ports[] = {0x3f2, 0x3f3, 0x3f4, 0x3f5, 0x3f5, 0x3f5, 0x3f5,
                                     0x3f7, 0x08,  0x0a,  0x0b,  4,     5,     0xd4};
    static const uint8_t cmds[] = {0x46, 0xe6, 0xc5, 0x4d, 0x4a, 0x0f, 0x07,
                                   0x08, 0x42, 0x51, 0x56, 0x13, 0x8e, 0x4c};
    GRand *r = g_rand_new_with_seed(42);

    for (int i = 0; i < 60000; i++) {
        struct fake_blk *f = t.blk[g_rand_int_range(r, 0, 2)];
        uint8_t v = (uint8_t) g_rand_int(r);
        int what = g_rand_int_range(r, 0, 200);
        if (what < 40) { /* a command that makes sense */
            if (v & 0x60) {
                outb(t.b, DOR, 0x3c | (v & 1));
                outb(t.b, DIRR, v & 1 ? 1 : 0);
            }
            for (int k = 0; k < 10 && (inb(t.b, MSR) & 0xd0) == 0xd0; k++)
                inb(t.b, FIFO);
            uint8_t cmd[9] = {
                cmds[v % sizeof cmds], v & 5, v & 3, v >> 2 & 1, (uint8_t) (v % 18 + 1), 2, 18, 27, 255};
            for (int k = 0; k < 9 && (inb(t.b, MSR) & 0xc0) == 0x80; k++)
                outb(t.b, FIFO, cmd[k]);
            dma(&t, v & 16 ? 0x44 : 0x48, 0x20000, 512U * (v % 40) + 1);
            wait_ns(&t, NS_PER_MS);
        } else if (what < 60)
            for (int k = 0; k < 16; k++)
                inb(t.b, FIFO);
        else if (what < 100)
            outb(t.b, ports[g_rand_int_range(r, 0, G_N_ELEMENTS(ports))],
                 what < 80 ? v & 3 : v);
        else if (what < 150)
            inb(t.b, 0x3f0 + g_rand_int_range(r, 0, 8));
        else if (what < 160)
            outb(t.b, v & 1 ? DIRR : DOR, v & 1 ? 0 : 0x3c);
        else if (what < 165)
            f->fail_next = EIO;
        else if (what < 168)
            fake_set_medium(f, v & 3 ? f == t.blk[0] ? K144 : 368640 : v & 4 ? 0 : 5120);
        else if (what < 172)
            f->hold = !(v & 7);
        else
            wait_ns(&t, g_rand_int_range(r, 0, 1 << g_rand_int_range(r, 1, 30)));
        if (!f->hold)
            fake_release(f);
    }
    g_assert_cmpuint(t.blk[0]->n_reads + t.blk[1]->n_reads, >, 500); /* it did get somewhere */
    g_rand_free(r);
    bench_free(t.b);
}

static void test_state(void)
{
    struct rig t = start();
    GByteArray *a = g_byte_array_new(), *c = g_byte_array_new();

    CMD(&t, 0x03, 0xdf, 0x03);
    CMD(&t, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_true(wait_int(&t));
    for (int i = 0; i < 100; i++)
        inb(t.b, FIFO);
    device_save(t.fdc, a); /* in the midst of a sector */
    for (int i = 0; i < 50; i++)
        inb(t.b, FIFO);
    isa_fdc_class.reset(t.fdc);
    g_assert_true(device_load(t.fdc, a->data, a->len, NULL));
    device_save(t.fdc, c);
    g_assert_cmpmem(a->data, a->len, c->data, c->len);
    g_assert_cmphex(inb(t.b, FIFO), ==, disk(&t, 0, 0, 1)[100]);
    for (unsigned i = 0; i < a->len; i++) { /* hostile: any byte off */
        if (i > 1200 && i % 16)
            continue;
        GError *err = NULL;
        g_byte_array_set_size(c, 0);
        g_byte_array_append(c, a->data, a->len);
        c->data[i] ^= 0xff;
        if (!device_load(t.fdc, c->data, c->len, &err))
            g_clear_error(&err);
        for (int k = 0; k < 40; k++) {
            inb(t.b, FIFO);
            outb(t.b, FIFO, 8);
        }
        wait_ns(&t, NS_PER_MS);
    }
    g_byte_array_unref(a);
    g_byte_array_unref(c);
    bench_free(t.b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdc/two-drives-media", test_two_drives_media);
    g_test_add_func("/fdc/formats", test_formats);
    g_test_add_func("/fdc/double-step", test_double_step);
    g_test_add_func("/fdc/user", test_user);
    g_test_add_func("/fdc/venom", test_venom);
    g_test_add_func("/fdc/extremes", test_extremes);
    g_test_add_func("/fdc/in-flight", test_in_flight);
    g_test_add_func("/fdc/random", test_random);
    g_test_add_func("/fdc/state", test_state);
    return g_test_run();
}
