/* tests/hw/test_smalldevs.c - debugcon, isa-debug-exit, pvpanic, ib700. */
#include "hw/catalog.h"
#include "tests/hw/bench.h"

static void test_debugcon(void)
{
    struct bench *b = bench_new(0);
    struct fake_chardev *c = bench_chardev(b, "c0"), *c2 = bench_chardev(b, "c1");

    bench_add(b, &isa_debugcon_class, "chardev=c0");
    bench_add(b, &isa_debugcon_class, "chardev=c1,iobase=0x402,readback=0x12");
    g_assert_cmphex(inb(b, 0xe9), ==, 0xe9);
    g_assert_cmphex(inb(b, 0x402), ==, 0x12);
    outb(b, 0xe9, 'h');
    outb(b, 0xe9, 'i');
    outb(b, 0x402, 'x');
    g_assert_cmpmem(c->out->data, c->out->len, "hi", 2);
    g_assert_cmpmem(c2->out->data, c2->out->len, "x", 1);
    fake_feed(c, "swallowed", 9);
    g_assert_cmpuint(c->in->len, ==, 0);
    fake_room(c, 0); /* a stuck chardev: it is remembered, to a bound */
    for (int i = 0; i < 100000; i++)
        outb(b, 0xe9, (uint8_t) i);
    g_byte_array_set_size(c->out, 0);
    fake_room(c, 1000);
    fake_room(c, SIZE_MAX);
    g_assert_cmpuint(c->out->len, ==, 16384);
    for (int i = 0; i < 16384; i++)
        g_assert_cmphex(c->out->data[i], ==, i & 0xff);
    outb(b, 0xe9, 'z');
    g_assert_cmpuint(c->out->len, ==, 16385);
    bench_free(b);
}

static void test_debug_exit(void)
{
    struct bench *b = bench_new(0);
    GError *err = NULL;

    bench_add(b, &isa_debug_exit_class, NULL);
    bench_add(b, &isa_debug_exit_class, "iobase=0xf4,iosize=4");
    g_assert_cmphex(inb(b, 0x501), ==, 0);
    g_assert_cmphex(b->vm->requests, ==, 0);
    outb(b, 0x501, 0x10);
    g_assert_cmphex(b->vm->requests & REQ_EXIT, ==, REQ_EXIT);
    g_assert_cmpint(b->vm->exit_code, ==, 0x21);
    outl(b, 0xf4, 0x31);
    g_assert_cmpint(b->vm->exit_code, ==, 0x63);
    outw(b, 0x501, 0);
    g_assert_cmpint(b->vm->exit_code, ==, 1);
    outl(b, 0xf4, 0xffffffff);
    g_assert_cmpint(b->vm->exit_code, ==, 0xff);
    g_assert_null(device_create(b->vm, &isa_debug_exit_class, NULL, "iobase=0xffff,iosize=2", &err));
    g_assert_nonnull(strstr(err->message, "beyond port 0xffff"));
    g_clear_error(&err);
    bench_free(b);
}

static void test_pvpanic(void)
{
    struct bench *b = bench_new(0);

    bench_add(b, &pvpanic_class, NULL);
    bench_add(b, &pvpanic_class, "ioport=0x600,events=2");
    g_assert_cmphex(inb(b, 0x505), ==, 3);
    g_assert_cmphex(inb(b, 0x600), ==, 2);
    outb(b, 0x505, 0xfc);
    outb(b, 0x505, 2); /* its crash kernel goes on */
    outb(b, 0x600, 1); /* not offered */
    g_assert_cmphex(b->vm->requests, ==, 0);
    outb(b, 0x505, 3);
    g_assert_cmphex(b->vm->requests, ==, REQ_PANIC);
    bench_free(b);
}

static void test_ib700(void)
{
    static const struct {
        enum watchdog_action action;
        unsigned request;
    } actions[] = {
        { WATCHDOG_RESET, REQ_RESET }, { WATCHDOG_SHUTDOWN, REQ_POWERDOWN }, { WATCHDOG_POWEROFF, REQ_SHUTDOWN },
        { WATCHDOG_PAUSE, REQ_STOP }, { WATCHDOG_NONE, 0 }, { WATCHDOG_INJECT_NMI, 0 },
    };
    struct bench *b = bench_new(0);
    struct device *d = bench_add(b, &ib700_class, NULL);

    g_assert_cmphex(inb(b, 0x441), ==, 0xff);
    g_assert_cmphex(inb(b, 0x443), ==, 0xff);
    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
        b->vm->on_watchdog = actions[i].action;
        b->vm->requests = 0;
        outb(b, 0x443, 0xf0); /* 30 s */
        clock_step(b, 29 * NS_PER_SEC);
        outb(b, 0x443, 0x0a); /* again: 10 s */
        clock_step(b, 10 * NS_PER_SEC - 1);
        g_assert_cmphex(b->vm->requests, ==, 0);
        clock_step(b, 1);
        g_assert_cmphex(b->vm->requests, ==, actions[i].request);
        b->vm->requests = 0;
        clock_step(b, 100 * NS_PER_SEC); /* once */
        g_assert_cmphex(b->vm->requests, ==, 0);
    }
    b->vm->on_watchdog = WATCHDOG_RESET;
    outb(b, 0x443, 0x0e);
    outb(b, 0x441, 0);
    clock_step(b, 100 * NS_PER_SEC);
    outb(b, 0x443, 0x0e);
    ib700_class.reset(d);
    clock_step(b, 100 * NS_PER_SEC);
    g_assert_cmphex(b->vm->requests, ==, 0);
    outb(b, 0x443, 0x0f); /* at once */
    clock_step(b, 1);
    g_assert_cmphex(b->vm->requests, ==, REQ_RESET);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/small/debugcon", test_debugcon);
    g_test_add_func("/small/debug-exit", test_debug_exit);
    g_test_add_func("/small/pvpanic", test_pvpanic);
    g_test_add_func("/ib700", test_ib700);
    return g_test_run();
}
