/* tests/hw/test_i8042.c - keyboard controller, PS/2 keyboard and mouse, port 92h. */
#include "hw/catalog.h"
#include "hw/pc/i8042.h"
#include "tests/hw/bench.h"
#include "vmm/ui/input.h"

#include <linux/input-event-codes.h>

static struct bench *b;
static struct device *kbc, *p92;

static void start(void)
{
    b = bench_new(0);
    kbc = bench_add(b, &i8042_class, NULL);
    p92 = bench_add(b, &port92_class, NULL);
    port92_link(p92, kbc);
}

static void end(void)
{
    bench_free(b);
}

static void cmd(uint8_t c)
{
    outb(b, 0x64, c);
}

static void cmd1(uint8_t c, uint8_t v)
{
    cmd(c);
    outb(b, 0x60, v);
}

/* The next byte; -1: none comes within 3 ms.  Mouse bytes have 0x100. */
static int next(void)
{
    for (int i = 0; i < 30; i++) {
        uint8_t st = inb(b, 0x64);
        if (st & 1)
            return inb(b, 0x60) | (st & 0x20 ? 0x100 : 0);
        clock_step(b, 100 * NS_PER_US);
    }
    return -1;
}

static void expect(const char *want) /* hex bytes, a mouse's with an 'm' before */
{
    char **list = g_strsplit(*want ? want : " ", " ", -1);

    for (char **p = list; *p && **p; p++) {
        int v = **p == 'm' ? 0x100 | (int) strtol(*p + 1, NULL, 16) : (int) strtol(*p, NULL, 16);
        int got = next();
        if (got != v)
            g_error("want %s (of %s), got %x", *p, want, (unsigned) got);
    }
    g_strfreev(list);
    int more = next();
    if (more != -1)
        g_error("after %s: %x", want, (unsigned) more);
}

static void kbd(uint8_t v, const char *want)
{
    outb(b, 0x60, v);
    expect(want);
}

static void mouse(uint8_t v, const char *want)
{
    cmd1(0xd4, v);
    expect(want);
}

static void key(unsigned code, bool down, const char *want)
{
    input_key(b->vm, code, down);
    expect(want);
}

static void tap(unsigned code, const char *down, const char *up)
{
    key(code, true, down);
    key(code, false, up);
}

static void test_controller(void)
{
    start();
    g_assert_cmphex(inb(b, 0x64), ==, 0x10);
    cmd(0xaa);
    g_assert_cmphex(inb(b, 0x64), ==, 0x1d); /* command, system flag, output full */
    expect("55");
    cmd(0xab);
    expect("0");
    cmd(0xa9);
    expect("0");
    cmd1(0x60, 0x47);
    g_assert_cmphex(inb(b, 0x64) & 8, ==, 0); /* data */
    cmd(0x20);
    expect("47");
    for (unsigned i = 1; i < 32; i++)
        cmd1((uint8_t) (0x60 + i), (uint8_t) (0x80 | i));
    for (unsigned i = 1; i < 32; i++) {
        cmd((uint8_t) (0x20 + i));
        g_assert_cmpint(next(), ==, (int) (0x80 | i));
    }
    cmd(0xad);
    cmd(0xa7);
    cmd(0x20);
    expect("77");
    cmd(0xe0);
    expect("0");
    cmd(0xae);
    cmd(0xa8);
    cmd(0x20);
    expect("47");
    cmd(0xe0);
    expect("3");
    cmd(0xa4);
    expect("f1");
    cmd(0xa5);
    outb(b, 0x60, 0x1e);
    outb(b, 0x60, 0xff); /* part of the password, no keyboard reset */
    outb(b, 0x60, 0x00);
    expect("");
    cmd(0xc0);
    expect("80");
    cmd1(0xd2, 0x5c);
    g_assert_true(irq_level(b, 1));
    g_assert_false(irq_level(b, 12));
    expect("5c");
    g_assert_false(irq_level(b, 1));
    cmd1(0xd3, 0x5d);
    g_assert_true(irq_level(b, 12));
    g_assert_cmphex(inb(b, 0x64) & 0x21, ==, 0x21);
    cmd(0xd0);
    expect("m5d ef"); /* read the output port: it was asked while IRQ 12 was up */
    cmd1(0x60, 0x44); /* no interrupts */
    cmd1(0xd2, 0x11);
    g_assert_false(irq_level(b, 1));
    cmd1(0x60, 0x45); /* a full buffer interrupts when they are enabled */
    g_assert_true(irq_level(b, 1));
    expect("11");
    for (int c = 0; c < 256; c++) /* unknown ones do no harm */
        if (c < 0xf0 && c != 0xd1)
            cmd((uint8_t) c);
    end();
}

static unsigned reset_requested(void)
{
    unsigned r = b->vm->requests & REQ_RESET;

    b->vm->requests = 0;
    return r;
}

static void test_lines(void)
{
    start();
    g_assert_cmphex(inb(b, 0x92) & 3, ==, 2);
    cmd(0xdd);
    g_assert_cmphex(inb(b, 0x92) & 2, ==, 0); /* the two gates show each other */
    cmd(0xd0);
    expect("cd");
    outb(b, 0x92, 2);
    cmd(0xd0);
    expect("cf");
    cmd1(0xd1, 0xdd);
    g_assert_cmphex(inb(b, 0x92) & 2, ==, 0);
    cmd(0xdf);
    g_assert_cmphex(inb(b, 0x92) & 2, ==, 2);
    g_assert_false(reset_requested());
    cmd(0xff);
    cmd(0xf1);
    g_assert_false(reset_requested());
    cmd(0xfe);
    g_assert_true(reset_requested());
    cmd(0xf0);
    g_assert_true(reset_requested());
    cmd1(0xd1, 0xfe);
    g_assert_true(reset_requested());
    outb(b, 0x92, 0x03);
    g_assert_true(reset_requested());
    outb(b, 0x92, 0x03); /* an edge is wanted */
    g_assert_false(reset_requested());
    outb(b, 0x92, 0x02);
    outb(b, 0x92, 0xff);
    g_assert_true(reset_requested());
    g_assert_cmphex(inb(b, 0x92), ==, 0xcb);
    g_assert_cmpint(b->vm->cause, ==, CAUSE_GUEST_RESET);
    end();
}

static void test_interrupts(void)
{
    start();
    input_key(b->vm, KEY_A, true);
    input_key(b->vm, KEY_B, true);
    g_assert_true(irq_level(b, 1));
    g_assert_cmpuint(b->irq_rises[1], ==, 1);
    g_assert_cmphex(inb(b, 0x60), ==, 0x1c);
    g_assert_false(irq_level(b, 1));
    g_assert_cmphex(inb(b, 0x60), ==, 0x1c); /* a chained handler finds the same byte */
    clock_step(b, NS_PER_MS);
    g_assert_cmpuint(b->irq_rises[1], ==, 2);
    g_assert_cmphex(inb(b, 0x60), ==, 0x32);
    cmd(0xad); /* disabled: the keyboard keeps what it has */
    input_key(b->vm, KEY_A, false);
    clock_step(b, NS_PER_MS);
    g_assert_cmphex(inb(b, 0x64) & 1, ==, 0);
    cmd(0xae);
    expect("f0 1c");
    end();
}

static void test_sets(void)
{
    start();
    tap(KEY_A, "1c", "f0 1c");
    tap(KEY_RIGHTCTRL, "e0 14", "e0 f0 14");
    tap(KEY_SYSRQ, "e0 12 e0 7c", "e0 f0 7c e0 f0 12");
    tap(KEY_PAUSE, "e1 14 77 e1 f0 14 f0 77", "");
    tap(KEY_F7, "83", "f0 83");
    key(KEY_LEFTALT, true, "11");
    tap(KEY_SYSRQ, "84", "f0 84");
    key(KEY_LEFTALT, false, "f0 11");
    key(KEY_LEFTCTRL, true, "14");
    tap(KEY_PAUSE, "e0 7e e0 f0 7e", "");
    key(KEY_LEFTCTRL, false, "f0 14");
    cmd1(0x60, 0x43); /* translated */
    tap(KEY_A, "1e", "9e");
    tap(KEY_RIGHTCTRL, "e0 1d", "e0 9d");
    tap(KEY_SYSRQ, "e0 2a e0 37", "e0 b7 e0 aa");
    tap(KEY_PAUSE, "e1 1d 45 e1 9d c5", "");
    tap(KEY_F7, "41", "c1");
    tap(KEY_POWER, "e0 5e", "e0 de");
    tap(KEY_VOLUMEUP, "e0 30", "e0 b0");
    tap(KEY_MEDIA, "e0 6d", "e0 ed");
    tap(KEY_RO, "73", "f3");
    tap(KEY_F24, "76", "f6");
    for (unsigned k = KEY_ESC; k <= KEY_KPDOT; k++) /* the AT's keys: a Linux key code is the set 1 code */
        if (k != KEY_SYSRQ) {
            input_key(b->vm, k, true);
            g_assert_cmpint(next(), ==, (int) k);
            input_key(b->vm, k, false);
            g_assert_cmpint(next(), ==, (int) (k | 0x80));
        }
    kbd(0xf0, "fa");
    kbd(0, "fa 41"); /* 2, translated */
    cmd1(0x60, 0x03);
    kbd(0xf0, "fa");
    kbd(1, "fa");
    tap(KEY_A, "1e", "9e");
    tap(KEY_RIGHTALT, "e0 38", "e0 b8");
    tap(KEY_PAUSE, "e1 1d 45 e1 9d c5", "");
    kbd(0xf0, "fa");
    kbd(3, "fa");
    tap(KEY_A, "1c", ""); /* typematic: no break */
    tap(KEY_LEFTSHIFT, "12", "f0 12");
    tap(KEY_F1, "7", "");
    tap(KEY_UP, "63", "");
    kbd(0xfa, "fa");
    tap(KEY_A, "1c", "f0 1c");
    tap(KEY_PAUSE, "62", "f0 62");
    kbd(0xfd, "fa");
    kbd(0x1c, "fa");
    kbd(0x32, "fa");
    kbd(0xff & 0xf4, "fa"); /* a command ends the list */
    tap(KEY_A, "1c", "");
    tap(KEY_B, "32", "");
    tap(KEY_C, "21", "f0 21");
    kbd(0xf0, "fa");
    kbd(0, "fa 3");
    kbd(0xf0, "fa");
    kbd(4, "fe");
    kbd(0xf6, "fa");
    kbd(0xf0, "fa");
    kbd(0, "fa 2");
    end();
}

static void test_commands(void)
{
    start();
    kbd(0xff, "fa aa");
    kbd(0xee, "ee");
    kbd(0xf2, "fa ab 83");
    kbd(0xfe, "83"); /* the last byte again */
    cmd1(0x60, 0x43);
    kbd(0xf2, "fa ab 41");
    cmd1(0x60, 0x03);
    kbd(0xed, "fa");
    kbd(0x05, "fa");
    g_assert_cmphex(input_leds(b->vm), ==, 5);
    kbd(0xed, "fa");
    kbd(0xf4, "fa"); /* a command in place of the argument */
    g_assert_cmphex(input_leds(b->vm), ==, 5);
    kbd(0xf5, "fa");
    key(KEY_A, true, "");
    kbd(0xf4, "fa");
    key(KEY_A, false, ""); /* the guest never saw it go down */
    tap(KEY_B, "32", "f0 32");
    kbd(0xf1, "fe");
    kbd(0xef, "fe");
    kbd(0x00, "fe");
    kbd(0xf3, "fa");
    kbd(0x80, "fe");
    /* the fastest: after 250 ms, 30 a second */
    kbd(0xf3, "fa");
    kbd(0x00, "fa");
    input_key(b->vm, KEY_A, true);
    input_key(b->vm, KEY_A, true); /* the host's repetition is not ours */
    expect("1c");
    clock_step(b, 240 * NS_PER_MS);
    g_assert_cmpint(next(), ==, -1);
    unsigned n = 0;
    for (int i = 0; i < 10000; i++) {
        clock_step(b, 100 * NS_PER_US);
        if (inb(b, 0x64) & 1) {
            g_assert_cmphex(inb(b, 0x60), ==, 0x1c);
            n++;
        }
    }
    g_assert_cmpuint(n, >=, 29);
    g_assert_cmpuint(n, <=, 31);
    clock_step(b, 10 * NS_PER_SEC); /* not fetched: no backlog */
    key(KEY_A, false, "1c 1c f0 1c"); /* one in the controller, one waits */
    g_assert_cmpint(next(), ==, -1);
    kbd(0xff, "fa aa");
    g_assert_cmphex(input_leds(b->vm), ==, 0);
    end();
}

/* 2017-8379: key events that nobody fetches grew a queue without end. */
static void test_overrun(void)
{
    start();
    cmd(0xad);
    for (int i = 0; i < 1000; i++) {
        input_key(b->vm, KEY_A, true);
        input_key(b->vm, KEY_A, false);
    }
    input_key(b->vm, KEY_B, true);
    cmd(0xae);
    expect("1c f0 1c 1c f0 1c 1c f0 1c 1c f0 1c 1c f0 1c 1c 0 f0 1c");
    /* that was: 16, overrun, and no key is left down */
    input_key(b->vm, KEY_B, false);
    expect("");
    tap(KEY_B, "32", "f0 32");
    for (int i = 0; i < 1000; i++)
        outb(b, 0x60, 0xf2); /* nor do replies */
    while (next() != -1)
        ;
    kbd(0xee, "ee");
    input_key(b->vm, 0, true); /* not keys */
    input_key(b->vm, 255, true);
    input_key(b->vm, 100000, true);
    end();
}

static void test_mouse(void)
{
    start();
    mouse(0xff, "mfa maa m0");
    mouse(0xf2, "mfa m0");
    mouse(0xe9, "mfa m0 m2 m64");
    input_rel(b->vm, 5, 5, 0, 0); /* not enabled */
    expect("");
    mouse(0xf4, "mfa");
    b->irq_rises[12] = 0;
    input_rel(b->vm, 5, -3, 0, BTN_MASK_LEFT);
    g_assert_cmpuint(b->irq_rises[12], ==, 1);
    expect("m9 m5 m3");
    input_rel(b->vm, -5, 3, 0, BTN_MASK_RIGHT | BTN_MASK_MIDDLE);
    expect("m3e mfb mfd");
    mouse(0xe9, "mfa m23 m2 m64");
    input_rel(b->vm, 0, 0, 0, 0);
    clock_step(b, 20 * NS_PER_MS);
    expect("m8 m0 m0");
    input_rel(b->vm, 600, 0, 0, 0); /* more than a packet holds: the rest follows */
    clock_step(b, 20 * NS_PER_MS);
    g_assert_cmpint(next(), ==, 0x108);
    g_assert_cmpint(next(), ==, 0x1ff);
    g_assert_cmpint(next(), ==, 0x100);
    clock_step(b, 20 * NS_PER_MS);
    g_assert_cmpint(next(), ==, 0x108);
    g_assert_cmpint(next(), ==, 0x1ff);
    g_assert_cmpint(next(), ==, 0x100);
    clock_step(b, 20 * NS_PER_MS);
    expect("m8 m5a m0");
    clock_step(b, 20 * NS_PER_MS);
    unsigned packets = 0; /* the sample rate is a limit */
    for (int i = 0; i < 1000; i++) {
        input_rel(b->vm, 1, 0, 0, 0);
        clock_step(b, NS_PER_MS);
        while (inb(b, 0x64) & 1)
            packets += inb(b, 0x60) == 8;
    }
    g_assert_cmpuint(packets, >=, 98);
    g_assert_cmpuint(packets, <=, 102);
    clock_step(b, 20 * NS_PER_MS);
    while (next() != -1)
        clock_step(b, 20 * NS_PER_MS);
    mouse(0xe7, "mfa"); /* 2:1 */
    for (int i = 1; i <= 7; i++) {
        static const uint8_t scaled[] = { 0, 1, 1, 3, 6, 9, 12, 14 };
        input_rel(b->vm, i, 0, 0, 0);
        g_assert_cmpint(next(), ==, 0x108);
        g_assert_cmpint(next(), ==, 0x100 + scaled[i]);
        g_assert_cmpint(next(), ==, 0x100);
        clock_step(b, 20 * NS_PER_MS);
    }
    mouse(0xe6, "mfa");
    mouse(0xf0, "mfa"); /* remote */
    input_rel(b->vm, 3, 4, 0, 0);
    expect("");
    mouse(0xeb, "mfa m28 m3 mfc");
    mouse(0xea, "mfa");
    mouse(0xee, "mfa"); /* wrap */
    mouse(0xf3, "mf3");
    mouse(0xe6, "me6");
    mouse(0xec, "mfa");
    mouse(0xe8, "mfa");
    mouse(3, "mfa");
    mouse(0xf3, "mfa");
    mouse(20, "mfa");
    mouse(0xe9, "mfa m20 m3 m14");
    mouse(0xe8, "mfa");
    mouse(9, "mfe"); /* asks once more, then gives up */
    mouse(9, "mfc");
    mouse(0xf3, "mfa");
    mouse(0, "mfe"); /* a rate of 0 is no divisor */
    mouse(10, "mfa");
    mouse(0x12, "mfe");
    mouse(0x12, "mfc");
    mouse(0xf6, "mfa");
    mouse(0xe9, "mfa m0 m2 m64");
    cmd(0xa7); /* its interface is off */
    cmd1(0xd3, 1);
    expect("m1");
    end();
}

static void rates(const char *seq)
{
    for (char **l = g_strsplit(seq, " ", -1), **p = l;; p++) {
        if (!*p) {
            g_strfreev(l);
            return;
        }
        mouse(0xf3, "mfa");
        mouse((uint8_t) atoi(*p), "mfa");
    }
}

static void test_wheel(void)
{
    start();
    rates("200 200 80"); /* five buttons only after the wheel */
    mouse(0xf2, "mfa m0");
    rates("200 100 80");
    mouse(0xf2, "mfa m3");
    mouse(0xf4, "mfa");
    input_rel(b->vm, 1, 0, -1, 0); /* away from the user */
    expect("m8 m1 m0 mff");
    input_rel(b->vm, 0, 0, 1, BTN_MASK_SIDE);
    clock_step(b, 20 * NS_PER_MS);
    expect("m8 m0 m0 m1");
    rates("200 200 80");
    mouse(0xf2, "mfa m4");
    input_rel(b->vm, 0, 0, -1, BTN_MASK_SIDE);
    expect("m8 m0 m0 m1f");
    input_rel(b->vm, 0, 0, 0, BTN_MASK_EXTRA | BTN_MASK_LEFT);
    expect("m9 m0 m0 m20");
    input_rel(b->vm, 0, 0, 0, 0); /* a click within a sample period: both edges are told */
    input_rel(b->vm, 0, 0, 0, 1);
    expect("m8 m0 m0 m0 m9 m0 m0 m0");
    for (int i = 0; i < 10000; i++) /* nobody fetches */
        input_rel(b->vm, INT_MAX, INT_MIN, INT_MAX, (unsigned) i);
    clock_step(b, NS_PER_SEC);
    cmd1(0xd4, 0xf5);
    g_assert_cmpint(next(), >=, 0x100); /* what the controller had already */
    expect("mfa");
    end();
}

static void test_state(void)
{
    start();
    cmd1(0x60, 0x47);
    rates("200 100 80");
    kbd(0xf0, "fa");
    kbd(3, "fa");
    kbd(0xf8, "fa");
    input_key(b->vm, KEY_A, true);
    input_key(b->vm, KEY_B, true);
    GByteArray *st = g_byte_array_new();
    device_save(kbc, st);
    struct bench *first = b;
    start();
    b->now = first->now;
    g_assert_true(device_load(kbc, st->data, st->len, NULL));
    expect("1e 30");
    mouse(0xf2, "mfa m3");
    for (guint i = 0; i < st->len; i++) { /* hostile */
        uint8_t old = st->data[i];
        st->data[i] = 0xff;
        if (device_load(kbc, st->data, st->len, NULL)) {
            input_key(b->vm, KEY_C, true);
            input_rel(b->vm, 1, 1, 1, 31);
            input_key(b->vm, KEY_C, false);
            outb(b, 0x60, 0x12);
            cmd1(0xd4, 0xeb);
            for (int n = 0; n < 40; n++) {
                inb(b, 0x60);
                clock_step(b, NS_PER_MS);
            }
        }
        st->data[i] = old;
    }
    g_byte_array_unref(st);
    end();
    b = first;
    end();
}

static void test_random(void)
{
    GRand *r = g_rand_new_with_seed(42);

    start();
    for (int i = 0; i < 200000; i++) {
        switch (g_rand_int_range(r, 0, 7)) {
        case 0: outb(b, 0x60, (uint8_t) g_rand_int(r)); break;
        case 1: outb(b, 0x64, (uint8_t) g_rand_int(r)); break;
        case 2: inb(b, 0x60); break;
        case 3: cmd1(0xd4, (uint8_t) g_rand_int(r)); break;
        case 4: input_key(b->vm, (unsigned) g_rand_int_range(r, 0, 300), g_rand_boolean(r)); break;
        case 5: input_rel(b->vm, (int) g_rand_int(r), (int) g_rand_int(r), 1, g_rand_int(r)); break;
        case 6: clock_step(b, g_rand_int_range(r, 0, 1000000)); break;
        }
    }
    kbc->cls->reset(kbc);
    kbd(0xee, "ee");
    g_rand_free(r);
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/i8042/controller", test_controller);
    g_test_add_func("/i8042/lines", test_lines);
    g_test_add_func("/i8042/interrupts", test_interrupts);
    g_test_add_func("/i8042/scan-code-sets", test_sets);
    g_test_add_func("/i8042/keyboard-commands", test_commands);
    g_test_add_func("/i8042/overrun", test_overrun);
    g_test_add_func("/i8042/mouse", test_mouse);
    g_test_add_func("/i8042/wheel", test_wheel);
    g_test_add_func("/i8042/state", test_state);
    g_test_add_func("/i8042/random", test_random);
    return g_test_run();
}
