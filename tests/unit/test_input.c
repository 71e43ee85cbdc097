/* tests/unit/test_input.c - input handlers, key names, combinations. */
#include "vmm/core/vm.h"
#include "vmm/ui/input.h"

#include <linux/input-event-codes.h>

static int64_t host_now;
static int64_t source(void *opaque)
{
    (void) opaque;
    return host_now;
}

static void key(void *opaque, unsigned code, bool down)
{
    g_string_append_printf(opaque, "%c%u ", down ? '+' : '-', code);
}
static void rel(void *opaque, int dx, int dy, int dz, unsigned buttons)
{
    g_string_append_printf(opaque, "r%d,%d,%d,%u ", dx, dy, dz, buttons);
}
static void absolute(void *opaque, int x, int y, int dz, unsigned buttons)
{
    g_string_append_printf(opaque, "a%d,%d,%d,%u ", x, y, dz, buttons);
}

static struct vm *vm;
static GString *text;

static void expect(const char *want)
{
    g_assert_cmpstr(text->str, ==, want);
    g_string_truncate(text, 0);
}

static void start(void)
{
    host_now = 0;
    vm = vm_new(source, NULL);
    clock_run(&vm->clock, true);
    text = g_string_new(NULL);
}

static void end(void)
{
    input_free(vm);
    vm_free(vm);
    g_string_free(text, TRUE);
}

static void step(int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        host_now += NS_PER_MS;
        clock_run_timers(&vm->clock);
    }
}

static void test_handlers(void)
{
    start();
    input_key(vm, 1, true); /* nobody: nothing */
    input_rel(vm, 1, 2, 3, 4);
    g_assert_false(input_is_absolute(vm));
    g_assert_cmpuint(input_leds(vm), ==, 0);
    GString *other = g_string_new(NULL);
    struct input_handler old = { .name = "old", .key = key, .rel = rel, .opaque = text };
    struct input_handler tablet = { .name = "tablet", .abs = absolute, .opaque = text };
    struct input_handler newer = { .name = "newer", .key = key, .opaque = other };
    input_add_handler(vm, &old);
    input_key(vm, 30, true);
    input_rel(vm, 1, -2, 3, 4);
    input_abs(vm, 1, 1, 1, 1);
    expect("+30 r1,-2,3,4 ");
    input_add_handler(vm, &tablet);
    g_assert_true(input_is_absolute(vm));
    input_abs(vm, -5, 40000, 0, 1);
    input_key(vm, 30, false);
    expect("a0,32767,0,1 -30 ");
    input_add_handler(vm, &newer); /* the newest one of a kind wins */
    input_key(vm, 31, true);
    input_rel(vm, 0, 0, 0, 0);
    expect("r0,0,0,0 ");
    g_assert_cmpstr(other->str, ==, "+31 ");
    input_remove_handler(vm, &newer);
    input_remove_handler(vm, &newer);
    input_key(vm, 31, false);
    expect("-31 ");
    input_set_leds(vm, 0xff);
    g_assert_cmpuint(input_leds(vm), ==, 7);
    input_remove_handler(vm, &old);
    input_remove_handler(vm, &tablet);
    input_key(vm, 31, false);
    expect("");
    g_string_free(other, TRUE);
    end();
}

static void parse(const char *keys, const char *want)
{
    unsigned codes[4];
    GString *got = g_string_new(NULL);
    GError *err = NULL;
    unsigned n = input_parse_keys(keys, codes, 4, &err);

    g_assert_true((n == 0) == (err != NULL));
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(got, "%s%u", i ? " " : "", codes[i]);
    g_assert_cmpstr(err ? err->message : got->str, ==, want);
    g_clear_error(&err);
    g_string_free(got, TRUE);
}

static void test_names(void)
{
    parse("a", "30");
    parse("ctrl-alt-delete", "29 56 111");
    parse("shift-minus", "42 12");
    parse("ret", "28");
    parse("spc", "57");
    parse("kp_7", "71");
    parse("print", "99");
    parse("menu", "127");
    parse("less", "86");
    parse("0x1e", "30");
    parse("0x1e-0xc8", "30 103"); /* with 80h added: an extended key */
    parse("0xe048", "103");
    parse("0x57", "87");
    parse("0x9d", "97");
    parse("0", "11");
    parse("", "no key is named");
    parse("a-", "a key's name is missing (the key '-' is 'minus')");
    parse("ctrl-foo-bar", "unknown key 'foo' (did you mean 'f'?)");
    parse("delet", "unknown key 'delet' (did you mean 'delete'?)");
    parse("a-b-c-d-e", "'a-b-c-d-e' has more than 4 keys");
    parse("0x", "'0x' is no scan code: 0x01 to 0x7f, or with 0x80 added for the extended keys");
    parse("0xfff", "'0xfff' is no scan code: 0x01 to 0x7f, or with 0x80 added for the extended keys");
    parse("0x1e1e1e1e1e1e1e1e1e1e1e1e1e",
          "'0x1e1e1e1e1e1e1e1e1e1e1e1e1e' is no scan code: 0x01 to 0x7f, or with 0x80 added for the extended keys");
}

static void test_combos(void)
{
    start();
    struct input_handler h = { .name = "h", .key = key, .opaque = text };
    unsigned cad[] = { 29, 56, 111 }, a = 30, many[100] = { 0 };

    input_add_handler(vm, &h);
    input_send_combo(vm, cad, 3, 100);
    expect("+29 +56 +111 ");
    input_send_combo(vm, &a, 1, 50); /* waits for the first */
    expect("");
    step(99);
    expect("");
    step(1);
    expect("-111 -56 -29 ");
    step(99);
    expect("");
    step(1);
    expect("+30 ");
    clock_run(&vm->clock, false); /* a VM that is stopped does not type */
    step(1000);
    expect("");
    clock_run(&vm->clock, true);
    step(50);
    expect("-30 ");
    input_send_combo(vm, &a, 0, 50);
    input_send_combo(vm, many, 100, 50); /* bounded */
    for (int i = 0; i < 10000; i++)
        input_send_combo(vm, &a, 1, 0);
    step(2000);
    g_assert_cmpuint(text->len, <, 5000);
    g_string_truncate(text, 0);
    input_send_combo(vm, &a, 1, UINT_MAX);
    expect("+30 ");
    input_remove_handler(vm, &h); /* in the middle of one */
    step(100);
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/input/handlers", test_handlers);
    g_test_add_func("/input/names", test_names);
    g_test_add_func("/input/combos", test_combos);
    return g_test_run();
}
