/* tests/hw/test_i8254.c - the 8254 by its data sheet, port 61h, and lost ticks. */
#include "hw/catalog.h"
#include "hw/pc/i8254.h"
#include "tests/hw/bench.h"

static struct bench *b;
static struct device *pit;

/* Move to the middle of clock `clk` of the virtual time. */
static void at(int64_t clk)
{
    int64_t ns = (int64_t) muldiv64((uint64_t) clk * 2 + 1, NS_PER_SEC, PIT_HZ * 2);

    g_assert_cmpint(ns, >=, clock_now(b->vm));
    clock_step(b, ns - clock_now(b->vm));
}

static int64_t base; /* the clock of the last setup() */
static void after(int64_t clks)
{
    at(base + clks);
}

static void here(void)
{
    base = (int64_t) muldiv64((uint64_t) clock_now(b->vm), PIT_HZ, NS_PER_SEC);
}

static void start(const char *props)
{
    b = bench_new(0);
    pit = bench_add(b, &i8254_class, props);
    at(1000);
    here();
}

static void end(void)
{
    bench_free(b);
}

static void setup(unsigned ch, unsigned mode, unsigned n) /* both bytes; t = 0 is the write of the second */
{
    outb(b, 0x43, (uint8_t) (ch << 6 | 0x30 | mode << 1));
    outb(b, 0x40 + ch, (uint8_t) n);
    outb(b, 0x40 + ch, (uint8_t) (n >> 8));
    here();
}

static unsigned get(unsigned ch)
{
    unsigned lo = inb(b, 0x40 + ch);
    return lo | (unsigned) inb(b, 0x40 + ch) << 8;
}

static unsigned latched(unsigned ch)
{
    outb(b, 0x43, (uint8_t) (ch << 6));
    return get(ch);
}

static unsigned status(unsigned ch)
{
    outb(b, 0x43, (uint8_t) (0xe0 | 2 << ch));
    return inb(b, 0x40 + ch);
}

static bool out2(void)
{
    return inb(b, 0x61) & 0x20;
}

static void test_mode0(void)
{
    start(NULL);
    outb(b, 0x61, 1);
    setup(2, 0, 4);
    g_assert_cmphex(status(2) & 0xbf, ==, 0x30); /* OUT low, both bytes, mode 0 */
    for (int i = 1; i <= 4; i++) {
        after(i);
        g_assert_cmpuint(latched(2), ==, (unsigned) (5 - i));
        g_assert_false(out2());
    }
    after(5); /* N + 1 clocks after the write */
    g_assert_true(out2());
    g_assert_cmpuint(latched(2), ==, 0);
    after(6);
    g_assert_cmpuint(latched(2), ==, 0xffff);
    g_assert_true(out2());

    setup(2, 0, 100); /* the gate stops it */
    after(11);
    outb(b, 0x61, 0);
    after(500);
    g_assert_cmpuint(latched(2), ==, 90);
    g_assert_false(out2());
    outb(b, 0x61, 1);
    here();
    after(89);
    g_assert_false(out2());
    after(90);
    g_assert_true(out2());

    setup(2, 0, 100); /* the first byte of a new count stops it */
    after(50);
    outb(b, 0x42, 10);
    after(200);
    g_assert_false(out2());
    outb(b, 0x42, 0);
    here();
    after(10);
    g_assert_false(out2());
    after(11);
    g_assert_true(out2());

    outb(b, 0x61, 0); /* written with the gate low: loaded, and N clocks after the gate */
    setup(2, 0, 7);
    after(100);
    g_assert_cmpuint(latched(2), ==, 7);
    outb(b, 0x61, 1);
    here();
    after(6);
    g_assert_false(out2());
    after(7);
    g_assert_true(out2());
    end();
}

static void test_mode1(void)
{
    start(NULL);
    setup(2, 1, 5);
    after(20);
    g_assert_true(out2()); /* armed */
    g_assert_cmphex(status(2), ==, 0xf2); /* null count: not loaded before the trigger */
    outb(b, 0x61, 1);
    here();
    g_assert_true(out2());
    after(1);
    g_assert_false(out2());
    g_assert_cmphex(status(2), ==, 0x32);
    outb(b, 0x61, 0); /* the gate's level says nothing */
    after(3);
    outb(b, 0x61, 1); /* retrigger */
    here();
    g_assert_false(out2());
    after(5);
    g_assert_false(out2());
    after(6);
    g_assert_true(out2());
    outb(b, 0x42, 2); /* a new count waits for a trigger */
    outb(b, 0x42, 0);
    after(50);
    g_assert_true(out2());
    outb(b, 0x61, 0);
    outb(b, 0x61, 1);
    here();
    after(2);
    g_assert_false(out2());
    after(3);
    g_assert_true(out2());
    end();
}

static void test_mode2(void)
{
    start(NULL);
    outb(b, 0x61, 1);
    setup(2, 2, 4);
    for (int i = 1; i < 13; i++) {
        after(i);
        g_assert_cmpint(out2(), ==, i % 4 != 0); /* low for one clock, N clocks after the write */
        g_assert_cmpuint(latched(2), ==, (unsigned) (4 - (i - 1) % 4));
    }
    setup(2, 2, 10);
    after(4);
    outb(b, 0x42, 3); /* taken at the end of the period */
    outb(b, 0x42, 0);
    g_assert_cmphex(status(2) & 0x40, ==, 0x40);
    after(9);
    g_assert_true(out2());
    after(10);
    g_assert_false(out2());
    after(11);
    g_assert_true(out2());
    g_assert_cmpuint(latched(2), ==, 3);
    g_assert_cmphex(status(2) & 0x40, ==, 0);
    after(13);
    g_assert_false(out2());
    after(16);
    g_assert_false(out2());
    after(19);
    outb(b, 0x61, 0); /* during the pulse: OUT goes high at once */
    g_assert_true(out2());
    after(100);
    outb(b, 0x61, 1); /* a trigger reloads */
    here();
    after(2);
    g_assert_true(out2());
    after(3);
    g_assert_false(out2());
    end();
}

static void test_mode3(void)
{
    static const uint8_t even[] = { 4, 2, 4, 2 }, odd[] = { 4, 2, 0, 4, 2 };

    start(NULL);
    outb(b, 0x61, 1);
    setup(2, 3, 4);
    for (int i = 0; i < 12; i++) {
        after(i + 1);
        g_assert_cmpuint(latched(2), ==, even[i % 4]);
        g_assert_cmpint(out2(), ==, i % 4 < 2);
    }
    setup(2, 3, 5);
    for (int i = 0; i < 15; i++) {
        after(i + 1);
        g_assert_cmpuint(latched(2), ==, odd[i % 5]);
        g_assert_cmpint(out2(), ==, i % 5 < 3);
    }
    setup(2, 3, 8); /* a new count is taken at the end of the half period: high 4, low 3, high 3 */
    after(2);
    outb(b, 0x42, 6);
    outb(b, 0x42, 0);
    static const char wave[] = "1111000111000111";
    for (int i = 2; wave[i]; i++) {
        after(i + 1);
        g_assert_cmpint(out2(), ==, wave[i] == '1');
    }
    setup(2, 7, 8); /* 7 is 3; in the low half */
    after(6);
    outb(b, 0x42, 4);
    outb(b, 0x42, 0);
    static const char wave2[] = "11110000110011001";
    for (int i = 6; wave2[i]; i++) {
        after(i + 1);
        g_assert_cmpint(out2(), ==, wave2[i] == '1');
    }
    g_assert_cmphex(status(2) & 0x3f, ==, 0x3e); /* as it was programmed */
    outb(b, 0x61, 0);
    g_assert_true(out2());
    end();
}

static void test_mode4_5(void)
{
    start(NULL);
    outb(b, 0x61, 1);
    setup(2, 4, 3);
    for (int i = 0; i < 20; i++) {
        after(i);
        g_assert_cmpint(out2(), ==, i != 4); /* one strobe, N + 1 clocks after the write */
    }
    outb(b, 0x42, 1);
    after(30);
    g_assert_true(out2());
    outb(b, 0x42, 0); /* written again: again */
    here();
    after(1);
    g_assert_true(out2());
    after(2);
    g_assert_false(out2());
    after(3);
    g_assert_true(out2());

    outb(b, 0x61, 0);
    setup(2, 5, 3);
    after(10);
    g_assert_true(out2());
    outb(b, 0x61, 1);
    here();
    for (int i = 0; i < 20; i++) {
        after(i);
        g_assert_cmpint(out2(), ==, i != 4);
    }
    end();
}

static void test_access(void)
{
    start(NULL);
    setup(0, 2, 0); /* 0 is 65536 */
    after(1);
    g_assert_cmpuint(latched(0), ==, 0);
    after(2);
    g_assert_cmpuint(latched(0), ==, 65535);
    outb(b, 0x43, 0x00);
    after(100);
    outb(b, 0x43, 0x00); /* ignored: the first latch holds */
    g_assert_cmpuint(get(0), ==, 65535);
    g_assert_cmpuint(get(0), ==, 65536 - 99);
    outb(b, 0x43, 0xc2); /* read back both: status first */
    after(200);
    g_assert_cmphex(inb(b, 0x40), ==, 0xb4);
    g_assert_cmpuint(get(0), ==, 65536 - 99);
    g_assert_cmpuint(get(0), ==, 65536 - 199);

    outb(b, 0x43, 0x54); /* counter 1, LSB only, mode 2 */
    g_assert_cmphex(status(1), ==, 0xd4);
    outb(b, 0x41, 18);
    here();
    after(3);
    g_assert_cmpuint(inb(b, 0x41), ==, 16);
    g_assert_cmpuint(inb(b, 0x41), ==, 16);
    outb(b, 0x43, 0x60); /* MSB only, mode 0 */
    outb(b, 0x41, 2);
    here();
    after(3);
    g_assert_cmpuint(inb(b, 0x41), ==, 1); /* 0x1fe */
    outb(b, 0x43, 0x71); /* BCD, mode 0 */
    outb(b, 0x41, 0x00);
    outb(b, 0x41, 0x01);
    here();
    after(1);
    g_assert_cmphex(latched(1), ==, 0x0100);
    after(2);
    g_assert_cmphex(latched(1), ==, 0x0099);
    after(102);
    g_assert_cmphex(latched(1), ==, 0x9999);
    outb(b, 0x41, 0xff); /* no decimal digits: anything, but harmless */
    outb(b, 0x41, 0xff);
    for (int i = 0; i < 10; i++) {
        clock_step(b, 10 * NS_PER_MS);
        latched(1);
    }
    end();
}

/* 2015-3214: reading the mode port took it for a fourth counter. */
static void test_mode_port(void)
{
    start(NULL);
    for (int i = 0; i < 256; i++) {
        outb(b, 0x43, (uint8_t) i);
        g_assert_cmphex(inb(b, 0x43), ==, 0xff);
    }
    g_assert_cmphex(inl(b, 0x40) >> 24, ==, 0xff);
    end();
}

static void test_irq(void)
{
    start(NULL);
    g_assert_null(b->vm->clock.head.next->fn); /* idle: no timer */
    setup(0, 2, 11932);
    b->irq_rises[0] = 0;
    clock_step(b, NS_PER_SEC);
    g_assert_cmpuint(b->irq_rises[0], ==, 99); /* 99.998 Hz */
    clock_step(b, 99 * NS_PER_SEC);
    g_assert_cmpuint(b->irq_rises[0], ==, 9999);
    setup(0, 3, 11932);
    b->irq_rises[0] = 0;
    clock_step(b, NS_PER_SEC);
    g_assert_cmpuint(b->irq_rises[0], ==, 99);
    setup(0, 0, 1000);
    g_assert_false(irq_level(b, 0));
    b->irq_rises[0] = 0;
    after(1000);
    g_assert_cmpuint(b->irq_rises[0], ==, 0);
    after(1001);
    g_assert_cmpuint(b->irq_rises[0], ==, 1);
    g_assert_true(irq_level(b, 0));
    clock_step(b, NS_PER_SEC);
    g_assert_cmpuint(b->irq_rises[0], ==, 1);
    setup(0, 4, 1000);
    b->irq_rises[0] = 0;
    after(1001);
    g_assert_cmpuint(b->irq_rises[0], ==, 0);
    after(1002);
    g_assert_cmpuint(b->irq_rises[0], ==, 1);
    setup(0, 2, 1000); /* faster from the end of the period on */
    after(500);
    b->irq_rises[0] = 0;
    outb(b, 0x40, 500 & 0xff);
    outb(b, 0x40, 500 >> 8);
    after(1002);
    g_assert_cmpuint(b->irq_rises[0], ==, 1);
    after(2002);
    g_assert_cmpuint(b->irq_rises[0], ==, 3);
    end();
}

static void test_storm(void) /* a rate that no guest could take must not occupy the host */
{
    static const unsigned n[] = { 1, 2, 3 };

    start(NULL);
    for (unsigned mode = 2; mode < 4; mode++)
        for (unsigned i = 0; i < G_N_ELEMENTS(n); i++) {
            setup(0, mode, n[i]);
            b->irq_rises[0] = 0;
            clock_step(b, NS_PER_SEC);
            g_assert_cmpuint(b->irq_rises[0], <=, 10000);
        }
    end();
}

static void test_lost(void)
{
    start(NULL);
    setup(0, 2, 11932);
    b->irq_rises[0] = 0;
    b->irq_coalesce[0] = true; /* the guest sleeps for 100 ms */
    clock_step(b, 101 * NS_PER_MS);
    g_assert_cmpuint(b->irq_rises[0], ==, 0);
    b->irq_coalesce[0] = false;
    clock_step(b, 400 * NS_PER_MS);
    g_assert_cmpuint(b->irq_rises[0], ==, 50); /* all have been made good */
    b->irq_rises[0] = 0;
    b->now += 100 * NS_PER_MS; /* the host sleeps */
    clock_step(b, 400 * NS_PER_MS);
    g_assert_cmpuint(b->irq_rises[0], ==, 50);
    b->irq_coalesce[0] = true;
    clock_step(b, 1000 * NS_PER_SEC);
    b->irq_coalesce[0] = false;
    b->irq_rises[0] = 0;
    clock_step(b, 100 * NS_PER_SEC);
    g_assert_cmpuint(b->irq_rises[0], <=, 10000 + 4096); /* bounded */
    b->irq_coalesce[0] = true;
    clock_step(b, NS_PER_SEC);
    b->irq_coalesce[0] = false;
    setup(0, 2, 11932); /* a new count: nothing is owed */
    b->irq_rises[0] = 0;
    clock_step(b, NS_PER_SEC);
    g_assert_cmpuint(b->irq_rises[0], ==, 99);
    end();

    start("lost_tick_policy=discard");
    setup(0, 2, 11932);
    b->irq_rises[0] = 0;
    b->irq_coalesce[0] = true;
    clock_step(b, 101 * NS_PER_MS);
    b->irq_coalesce[0] = false;
    clock_step(b, 400 * NS_PER_MS);
    g_assert_cmpuint(b->irq_rises[0], ==, 40);
    b->now += 100 * NS_PER_MS;
    clock_step(b, 400 * NS_PER_MS);
    g_assert_cmpuint(b->irq_rises[0], ==, 81);
    end();
}

static struct pit_tone tone;
static void hear(void *opaque, const struct pit_tone *t)
{
    (void) opaque;
    tone = *t;
}

static void test_port61(void)
{
    start(NULL);
    i8254_set_speaker(pit, hear, NULL);
    outb(b, 0x61, 0xff);
    g_assert_cmphex(inb(b, 0x61) & 0xcf, ==, 0x0f); /* no parity error, no IOCHK */
    outb(b, 0x61, 3);
    setup(2, 3, 1193);
    g_assert_true(tone.data && tone.period == 1193 && tone.high == 597);
    outb(b, 0x61, 1);
    g_assert_false(tone.data);
    outb(b, 0x61, 2); /* the gate stops it: the cone follows the data bit */
    g_assert_true(tone.data && tone.period == 0 && tone.level);
    unsigned toggles = 0;
    uint8_t old = inb(b, 0x61);
    for (int i = 0; i < 10000; i++) { /* 10 ms in steps of 1 us */
        clock_step(b, 1000);
        uint8_t v = inb(b, 0x61);
        toggles += (v ^ old) >> 4 & 1;
        old = v;
    }
    g_assert_cmpuint(toggles, >=, 661);
    g_assert_cmpuint(toggles, <=, 664);
    end();
}

static void test_state(void)
{
    start(NULL);
    outb(b, 0x61, 1);
    setup(2, 3, 1000);
    setup(0, 2, 5000);
    after(1234);
    GByteArray *st = g_byte_array_new();
    device_save(pit, st);
    unsigned v0 = latched(0), v2 = latched(2);
    setup(0, 0, 1);
    setup(2, 0, 1);
    g_assert_true(device_load(pit, st->data, st->len, NULL));
    g_assert_cmpuint(latched(0), ==, v0);
    g_assert_cmpuint(latched(2), ==, v2);
    b->irq_rises[0] = 0;
    after(5002);
    g_assert_cmpuint(b->irq_rises[0], ==, 1);
    /* Hostile: every byte in turn set to FF, then used. */
    for (guint i = 0; i < st->len; i++) {
        uint8_t old = st->data[i];
        st->data[i] = 0xff;
        if (device_load(pit, st->data, st->len, NULL)) {
            for (unsigned c = 0; c < 3; c++)
                latched(c), status(c);
            clock_step(b, 1000);
            outb(b, 0x61, 0);
            outb(b, 0x61, 1);
            outb(b, 0x40, 0xff);
        }
        st->data[i] = old;
    }
    g_byte_array_unref(st);
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/i8254/mode0", test_mode0);
    g_test_add_func("/i8254/mode1", test_mode1);
    g_test_add_func("/i8254/mode2", test_mode2);
    g_test_add_func("/i8254/mode3", test_mode3);
    g_test_add_func("/i8254/mode4-5", test_mode4_5);
    g_test_add_func("/i8254/access", test_access);
    g_test_add_func("/i8254/mode-port", test_mode_port);
    g_test_add_func("/i8254/irq", test_irq);
    g_test_add_func("/i8254/storm", test_storm);
    g_test_add_func("/i8254/lost-ticks", test_lost);
    g_test_add_func("/i8254/port61", test_port61);
    g_test_add_func("/i8254/state", test_state);
    return g_test_run();
}
