/* tests/hw/test_serial.c - the 16550A by its data sheet. */
#include "hw/catalog.h"
#include "tests/hw/bench.h"

enum { COM1 = 0x3f8 };
enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static struct bench *b;
static struct device *com;
static struct fake_chardev *chr;

static void start(void)
{
    b = bench_new(0);
    chr = bench_chardev(b, "c0");
    com = bench_add(b, &isa_serial_class, "chardev=c0");
}

static void end(void)
{
    bench_free(b);
}

static uint8_t get(unsigned reg)
{
    return inb(b, COM1 + reg);
}

static void put(unsigned reg, uint8_t v)
{
    outb(b, COM1 + reg, v);
}

static bool irq(void)
{
    return irq_level(b, 4);
}

static void expect_out(const char *text)
{
    g_assert_cmpmem(chr->out->data, chr->out->len, text, strlen(text));
    g_byte_array_set_size(chr->out, 0);
}

static void test_reset(void)
{
    start();
    g_assert_cmphex(get(IER), ==, 0);
    g_assert_cmphex(get(IIR), ==, 1);
    g_assert_cmphex(get(LCR), ==, 0);
    g_assert_cmphex(get(MCR), ==, 0);
    g_assert_cmphex(get(LSR), ==, 0x60);
    g_assert_cmphex(get(MSR), ==, 0xb0);
    put(SCR, 0xa5);
    put(IER, 0xff);
    put(MCR, 0xff);
    put(IIR, 0xc1);
    g_assert_cmphex(get(IER), ==, 0x0f);
    g_assert_cmphex(get(MCR), ==, 0x1f);
    g_assert_cmphex(get(IIR) & 0xc0, ==, 0xc0);
    put(LSR, 0xff); /* read only */
    put(MSR, 0xff);
    g_assert_cmphex(get(LSR), ==, 0x60);
    com->cls->reset(com);
    g_assert_cmphex(get(SCR), ==, 0xa5);
    g_assert_cmphex(get(IER), ==, 0);
    g_assert_cmphex(get(IIR), ==, 1);
    g_assert_false(irq());
    end();
}

static void test_divisor(void)
{
    start();
    put(LCR, 0x83);
    put(0, 1);
    put(1, 0);
    g_assert_cmpuint(chr->baud, ==, 115200);
    put(0, 0x0c);
    g_assert_cmpuint(chr->baud, ==, 9600);
    put(1, 0xff);
    g_assert_cmphex(get(0), ==, 0x0c);
    g_assert_cmphex(get(1), ==, 0xff);
    put(0, 0); /* 2016-8669: a divisor of 0 was divided by */
    put(1, 0);
    put(LCR, 0x03);
    put(IIR, 0xc1);
    put(IER, 1);
    fake_feed(chr, "x", 1);
    clock_step(b, NS_PER_SEC);
    g_assert_cmphex(get(IIR), ==, 0xcc);
    g_assert_cmphex(get(RBR), ==, 'x');
    g_assert_cmphex(get(IER), ==, 1);
    end();
}

static void test_transmit(void)
{
    start();
    put(MCR, 8);
    put(0, 'a');
    expect_out("a");
    g_assert_cmphex(get(LSR), ==, 0x60);
    g_assert_false(irq());
    put(IER, 2); /* THR is empty: at once */
    g_assert_true(irq());
    g_assert_cmphex(get(IIR), ==, 2);
    g_assert_false(irq()); /* reading IIR clears it */
    g_assert_cmphex(get(IIR), ==, 1);
    b->irq_rises[4] = 0;
    put(0, 'b');
    put(0, 'c'); /* an edge for each */
    g_assert_cmpuint(b->irq_rises[4], ==, 2);
    g_assert_cmphex(get(IIR), ==, 2);
    expect_out("bc");

    fake_room(chr, 0); /* the line is busy: 16450 mode holds one in TSR and one in THR */
    put(0, 'd');
    g_assert_cmphex(get(LSR), ==, 0x20);
    g_assert_true(irq());
    put(0, 'e');
    g_assert_cmphex(get(LSR), ==, 0);
    g_assert_false(irq());
    expect_out("");
    fake_room(chr, 1);
    expect_out("d");
    g_assert_cmphex(get(LSR), ==, 0x20);
    g_assert_true(irq());
    fake_room(chr, SIZE_MAX);
    expect_out("e");
    g_assert_cmphex(get(LSR), ==, 0x60);

    put(IIR, 1); /* FIFO: 16 and TSR */
    fake_room(chr, 0);
    for (int i = 0; i < 16; i++)
        put(0, (uint8_t) ('A' + i));
    put(0, 'Q');
    g_assert_cmphex(get(LSR), ==, 0);
    put(0, '!'); /* no room: lost, and nothing else */
    fake_room(chr, 3);
    expect_out("ABC");
    fake_room(chr, SIZE_MAX);
    expect_out("DEFGHIJKLMNOPQ");
    g_assert_cmphex(get(LSR), ==, 0x60);

    fake_room(chr, 0); /* resetting the FIFO leaves TSR */
    put(0, 'x');
    put(0, 'y');
    put(IIR, 5);
    g_assert_cmphex(get(LSR), ==, 0x20);
    fake_room(chr, SIZE_MAX);
    expect_out("x");
    put(LCR, 0x43);
    g_assert_true(chr->brk);
    put(LCR, 0x03);
    g_assert_false(chr->brk);
    end();
}

static void test_receive(void)
{
    start();
    put(MCR, 8);
    put(IER, 1);
    fake_feed(chr, "hello", 5); /* 16450 mode: one at a time, the rest waits with the sender */
    g_assert_cmpuint(chr->in->len, ==, 4);
    for (const char *p = "hello"; *p; p++) {
        g_assert_true(irq());
        g_assert_cmphex(get(IIR), ==, 4);
        g_assert_cmphex(get(LSR), ==, 0x61);
        g_assert_cmphex(get(RBR), ==, *p);
    }
    g_assert_false(irq());
    g_assert_cmphex(get(RBR), ==, 'o');

    put(LCR, 3);
    put(IIR, 0x81); /* FIFO, trigger at 8 */
    fake_feed(chr, "1234567", 7);
    g_assert_false(irq());
    g_assert_cmphex(get(LSR), ==, 0x61);
    fake_feed(chr, "8", 1);
    g_assert_true(irq());
    g_assert_cmphex(get(IIR), ==, 0xc4);
    g_assert_cmphex(get(RBR), ==, '1');
    g_assert_false(irq());
    clock_step(b, 4 * NS_PER_SEC / 960 - NS_PER_MS); /* four characters of 8 bits at 9600 baud - less */
    g_assert_cmphex(get(IIR), ==, 0xc1);
    clock_step(b, 1100 * NS_PER_US);
    g_assert_true(irq());
    g_assert_cmphex(get(IIR), ==, 0xcc);
    g_assert_cmphex(get(RBR), ==, '2');
    g_assert_cmphex(get(IIR), ==, 0xc1);
    for (int i = 3; i <= 8; i++)
        g_assert_cmphex(get(RBR), ==, (unsigned) ('0' + i));
    clock_step(b, NS_PER_SEC);
    g_assert_cmphex(get(IIR), ==, 0xc1);

    static const uint8_t levels[] = { 1, 4, 8, 14 };
    for (unsigned l = 0; l < 4; l++) {
        put(IIR, (uint8_t) (l << 6 | 3));
        for (unsigned i = 0; i < levels[l]; i++) {
            g_assert_false(irq());
            fake_feed(chr, "z", 1);
        }
        g_assert_true(irq());
    }
    put(IIR, 0xc3);
    g_assert_cmphex(get(LSR), ==, 0x60);

    /* Firecracker 2020-27174: input piled up without bound. */
    char *big = g_malloc(100000);
    memset(big, 'b', 100000);
    fake_feed(chr, big, 100000);
    g_assert_cmpuint(chr->in->len, ==, 100000 - 16);
    for (int i = 0; i < 100000; i++)
        g_assert_cmphex(get(RBR), ==, 'b');
    g_assert_cmphex(get(LSR), ==, 0x60); /* and no overrun */
    g_free(big);
    end();
}

static void test_errors(void)
{
    start();
    put(MCR, 8);
    put(IIR, 0xc1);
    put(IER, 5);
    fake_feed(chr, "ab", 2);
    chr->chr.fe->event(chr->chr.fe_opaque, CHARDEV_BREAK);
    fake_feed(chr, "c", 1);
    g_assert_cmphex(get(LSR), ==, 0xe1); /* an error is in the FIFO, not yet at the top */
    g_assert_false(irq());
    g_assert_cmphex(get(RBR), ==, 'a');
    g_assert_cmphex(get(RBR), ==, 'b');
    g_assert_true(irq());
    g_assert_cmphex(get(IIR), ==, 0xc6);
    g_assert_cmphex(get(LSR), ==, 0xf1);
    g_assert_cmphex(get(LSR), ==, 0x61);
    g_assert_false(irq());
    g_assert_cmphex(get(RBR), ==, 0);
    g_assert_cmphex(get(RBR), ==, 'c');
    g_assert_cmphex(get(LSR), ==, 0x60);
    for (int i = 0; i < 17; i++) /* breaks do not wait: overrun */
        chr->chr.fe->event(chr->chr.fe_opaque, CHARDEV_BREAK);
    g_assert_cmphex(get(LSR) & 2, ==, 2);
    g_assert_cmphex(get(LSR) & 2, ==, 0);
    end();
}

static void test_priorities(void)
{
    start();
    put(MCR, 0x18); /* loopback */
    get(MSR);
    put(IER, 0x0f);
    put(0, 'x');
    put(MCR, 0x1a); /* RTS: CTS changes */
    put(LCR, 0x43); /* break: overrun and BI */
    g_assert_cmphex(get(IIR), ==, 6);
    g_assert_cmphex(get(LSR) & 0x13, ==, 0x13);
    g_assert_cmphex(get(IIR), ==, 4);
    g_assert_cmphex(get(RBR), ==, 0);
    g_assert_cmphex(get(IIR), ==, 2);
    g_assert_cmphex(get(IIR), ==, 0);
    g_assert_cmphex(get(MSR), ==, 0x91);
    g_assert_cmphex(get(IIR), ==, 1);
    end();
}

static void test_modem(void)
{
    start();
    put(IER, 8);
    put(MCR, 0x10); /* the inputs fall: DCTS, DDSR, DDCD */
    g_assert_cmphex(get(MSR), ==, 0x0b);
    g_assert_cmphex(get(MSR), ==, 0x00);
    put(MCR, 0x14); /* OUT1 is RI: its rise says nothing, */
    g_assert_cmphex(get(MSR), ==, 0x40);
    put(MCR, 0x10);
    g_assert_cmphex(get(MSR), ==, 0x04); /* its fall does */
    put(MCR, 0x1f);
    g_assert_cmphex(get(MSR), ==, 0xfb);
    /* In loopback the chardev is cut off. */
    put(0, 'l');
    expect_out("");
    fake_feed(chr, "z", 1);
    g_assert_cmpuint(chr->in->len, ==, 1);
    g_assert_cmphex(get(RBR), ==, 'l');
    put(MCR, 0x08);
    g_assert_cmphex(get(RBR), ==, 'z');
    put(IIR, 1);
    put(MCR, 0x10);
    for (int i = 0; i < 20; i++)
        put(0, (uint8_t) i);
    g_assert_cmphex(get(LSR), ==, 0x63);
    for (int i = 0; i < 16; i++)
        g_assert_cmphex(get(RBR), ==, (unsigned) i);
    g_assert_cmphex(get(LSR), ==, 0x60);
    end();
}

static void test_out2(void)
{
    start();
    put(IER, 2);
    g_assert_cmphex(get(IIR), ==, 2);
    put(IER, 0);
    put(IER, 2);
    g_assert_false(irq()); /* pending, but the gate is closed */
    put(MCR, 8);
    g_assert_true(irq());
    put(MCR, 0x18); /* in loopback the pin is inactive */
    g_assert_false(irq());
    end();
    b = bench_new(0);
    com = bench_add(b, &isa_serial_class, "out2-gate=off");
    put(IER, 2);
    g_assert_true(irq());
    g_assert_cmphex(get(MSR), ==, 0); /* nothing is plugged in */
    put(0, 'x');
    g_assert_cmphex(get(LSR), ==, 0x60);
    end();
}

static void test_ports(void)
{
    GError *err = NULL;
    static const uint16_t base[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

    b = bench_new(0);
    for (unsigned i = 0; i < 4; i++) {
        bench_add(b, &isa_serial_class, NULL);
        outb(b, base[i] + SCR, (uint8_t) (0x50 + i));
    }
    for (unsigned i = 0; i < 4; i++)
        g_assert_cmphex(inb(b, base[i] + SCR), ==, 0x50 + i);
    outb(b, 0x2f8 + MCR, 8);
    outb(b, 0x2f8 + IER, 2);
    g_assert_true(irq_level(b, 3));
    outb(b, 0x2e8 + MCR, 8); /* COM2 and COM4 share it */
    outb(b, 0x2e8 + IER, 2);
    inb(b, 0x2f8 + IIR);
    g_assert_true(irq_level(b, 3));
    inb(b, 0x2e8 + IIR);
    g_assert_false(irq_level(b, 3));
    g_assert_null(device_create(b->vm, &isa_serial_class, NULL, NULL, &err));
    g_assert_nonnull(strstr(err->message, "at most 4 serial ports"));
    g_clear_error(&err);
    g_assert_null(device_create(b->vm, &isa_serial_class, NULL, "index=1", &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    end();
    start();
    g_assert_null(device_create(b->vm, &isa_serial_class, NULL, "chardev=c0", &err));
    g_assert_nonnull(strstr(err->message, "already used"));
    g_clear_error(&err);
    end();
}

static void test_state(void)
{
    start();
    put(MCR, 8);
    put(IIR, 0x81);
    put(IER, 1);
    fake_feed(chr, "abc", 3);
    fake_room(chr, 0);
    put(0, 'x');
    put(0, 'y');
    GByteArray *st = g_byte_array_new();
    device_save(com, st);
    struct bench *first = b;
    start();
    g_assert_true(device_load(com, st->data, st->len, NULL));
    bench_run(b);
    expect_out("xy"); /* what waited goes to the new chardev */
    clock_step(b, NS_PER_SEC);
    g_assert_cmphex(get(IIR), ==, 0xcc);
    g_assert_cmphex(get(RBR), ==, 'a');
    g_assert_cmphex(get(RBR), ==, 'b');
    g_assert_cmphex(get(RBR), ==, 'c');
    for (guint i = 0; i < st->len; i++) { /* hostile */
        uint8_t old = st->data[i];
        st->data[i] = 0xff;
        if (device_load(com, st->data, st->len, NULL)) {
            bench_run(b);
            fake_feed(chr, "0123456789abcdefghi", 19);
            for (unsigned r = 0; r < 8; r++)
                put(r, get(r));
            clock_step(b, NS_PER_MS);
            g_byte_array_set_size(chr->in, 0);
        }
        st->data[i] = old;
    }
    g_byte_array_unref(st);
    end();
    b = first;
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/serial/reset", test_reset);
    g_test_add_func("/serial/divisor", test_divisor);
    g_test_add_func("/serial/transmit", test_transmit);
    g_test_add_func("/serial/receive", test_receive);
    g_test_add_func("/serial/errors", test_errors);
    g_test_add_func("/serial/priorities", test_priorities);
    g_test_add_func("/serial/modem", test_modem);
    g_test_add_func("/serial/out2", test_out2);
    g_test_add_func("/serial/ports", test_ports);
    g_test_add_func("/serial/state", test_state);
    return g_test_run();
}
