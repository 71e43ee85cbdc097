/* tests/unit/test_core.c - spaces, clock, timers, properties, state tables. */
#include "vmm/core/balloon.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static int64_t host_now;

static int64_t source(void *opaque)
{
    (void) opaque;
    return host_now;
}

struct log_dev {
    GString *log;
};

static uint64_t rd(void *opaque, uint64_t off, unsigned size)
{
    struct log_dev *l = opaque;

    g_string_append_printf(l->log, "r%" PRIu64 "/%u ", off, size);
    return 0x1122334455667788ULL >> (8 * off);
}

static void wr(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct log_dev *l = opaque;

    g_string_append_printf(l->log, "w%" PRIu64 "/%u=%" PRIx64 " ", off, size, val);
}

static void expect(struct log_dev *l, const char *want)
{
    g_assert_cmpstr(l->log->str, ==, want);
    g_string_truncate(l->log, 0);
}

static void test_widths(void)
{
    static const struct region_ops byte = { rd, wr, .min = 1, .max = 1 }, word = { rd, wr, .min = 2, .max = 2 },
                                   dword = { rd, wr, .min = 4, .max = 4 };
    struct vm *vm = vm_new(source, NULL);
    struct log_dev l = { g_string_new(NULL) };
    struct region r[3];

    region_init_io(&r[0], "byte", &byte, &l, 8);
    region_init_io(&r[1], "word", &word, &l, 8);
    region_init_io(&r[2], "dword", &dword, &l, 8);
    for (unsigned i = 0; i < 3; i++)
        g_assert_true(space_add(&vm->pio, &r[i], 0x100 * i, 0, NULL));
    g_assert_cmphex(space_read(&vm->pio, 0, 4), ==, 0x55667788);
    expect(&l, "r0/1 r1/1 r2/1 r3/1 ");
    g_assert_cmphex(space_read(&vm->pio, 0x101, 2), ==, 0x6677);
    expect(&l, "r0/2 r2/2 ");
    g_assert_cmphex(space_read(&vm->pio, 0x203, 1), ==, 0x55);
    expect(&l, "r0/4 ");
    space_write(&vm->pio, 0x100, 0xaabbccdd, 4);
    expect(&l, "w0/2=ccdd w2/2=aabb ");
    space_write(&vm->pio, 0x200, 0xaa, 1); /* too narrow: dropped */
    expect(&l, "");
    g_assert_cmphex(space_read(&vm->pio, 6, 4), ==, 0xffff1122); /* past the region: nobody there */
    expect(&l, "r6/1 r7/1 ");
    vm_free(vm);
    g_string_free(l.log, TRUE);
}

static void test_priorities(void)
{
    static const struct region_ops ops = { rd, wr };
    struct vm *vm = vm_new(source, NULL);
    struct region low, high;
    GError *err = NULL;

    region_init_io(&low, "low", &ops, NULL, 0x1000);
    region_init_io(&high, "high", &ops, NULL, 0x100);
    space_add(&vm->mem, &low, 0x10000, PRIO_RAM, NULL);
    space_add(&vm->mem, &high, 0x10800, PRIO_PCI, NULL);
    g_assert_cmpuint(vm->mem.view->n, ==, 3);
    g_assert_true(space_lookup(&vm->mem, 0x10880)->r == &high);
    g_assert_true(space_lookup(&vm->mem, 0x10900)->r == &low);
    g_assert_cmphex(space_lookup(&vm->mem, 0x10900)->off, ==, 0x900);
    region_enable(&high, false);
    g_assert_cmpuint(vm->mem.view->n, ==, 1);
    g_assert_null(space_lookup(&vm->mem, 0xffff));
    region_move(&low, UINT64_MAX - 0xfff); /* up to the very end */
    g_assert_true(space_lookup(&vm->mem, UINT64_MAX)->r == &low);

    struct region a, b;
    region_init_io(&a, "one", &ops, NULL, 8);
    region_init_io(&b, "two", &ops, NULL, 8);
    g_assert_true(space_add(&vm->pio, &a, 0x3f8, 0, &err));
    g_assert_false(space_add(&vm->pio, &b, 0x3fc, 0, &err));
    g_assert_cmpstr(err->message, ==, "two: ports 0x3fc-0x403 are already used by one (0x3f8-0x3ff)");
    g_clear_error(&err);
    vm_free(vm);
}

static unsigned fired;
static void fire(void *opaque)
{
    struct timer *t = opaque;

    fired++;
    timer_at(t, t->deadline + 10);
}

static void test_timers(void)
{
    host_now = 1000;
    struct vm *vm = vm_new(source, NULL);
    struct timer t;

    timer_init(&t, vm, fire, &t);
    g_assert_cmpint(clock_now(vm), ==, 0);
    clock_run(&vm->clock, true);
    timer_at(&t, 10);
    host_now += 35;
    fired = 0;
    clock_run_timers(&vm->clock);
    g_assert_cmpuint(fired, ==, 1); /* those that re-arm for the past wait for the next turn */
    clock_run_timers(&vm->clock);
    clock_run_timers(&vm->clock);
    clock_run_timers(&vm->clock);
    g_assert_cmpuint(fired, ==, 3);
    g_assert_cmpint(t.deadline, ==, 40);
    clock_run(&vm->clock, false);
    host_now += 1000;
    g_assert_cmpint(clock_now(vm), ==, 35);
    clock_run(&vm->clock, true);
    host_now += 5;
    clock_run_timers(&vm->clock);
    g_assert_cmpuint(fired, ==, 4);
    timer_stop(&t);
    vm_free(vm);
}

static void test_sizes(void)
{
    uint64_t v;
    GError *err = NULL;

    g_assert_true(parse_size("-m", "512", 'M', &v, NULL) && v == 512 * MiB);
    g_assert_true(parse_size("-m", "1.5G", 'M', &v, NULL) && v == 1536 * MiB);
    g_assert_true(parse_size("-m", "0x10k", 0, &v, NULL) && v == 16 * KiB);
    static const char *const bad[] = { "", "x", "-1", "1Q", "1GG", "99999999999999999999", "17179869184G", "1.", NULL };
    for (int i = 0; bad[i]; i++) {
        g_assert_false(parse_size("-m", bad[i], 'M', &v, &err));
        g_assert_nonnull(err);
        g_clear_error(&err);
    }
    char *hint = nearest_hint("-seriall", (const char *const[]){ "-smp", "-serial", NULL });
    g_assert_cmpstr(hint, ==, " (did you mean '-serial'?)");
    g_free(hint);
}

struct thing {
    uint8_t a;
    uint16_t b[3];
    bool c;
    struct irq irq;
};
static const struct state thing_state[] = { STATE_U8(struct thing, a, .max = 9), STATE_ARRAY(struct thing, b),
                                            STATE_BOOL(struct thing, c), STATE_IRQ(struct thing, irq), {} };

/* A deadline at the end of time would overflow where the host's timer is set. */
static void test_state_timer(void)
{
    static const struct state table[] = { { "t", ST_TIMER, 0, sizeof(struct timer), 1 }, {} };
    static const int64_t refused[] = { INT64_MAX, INT64_MIN, INT64_MAX / 2 + 1 };
    GByteArray *out = g_byte_array_new();
    struct timer t = { .armed = true };

    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        GError *err = NULL;
        g_byte_array_set_size(out, 0);
        t.deadline = refused[i];
        state_save(table, &t, out);
        const uint8_t *p = out->data;
        g_assert_false(state_load(table, NULL, &p, out->data + out->len, &err));
        g_clear_error(&err);
        out->data[out->len - 9] = 0; /* of a timer that is not armed it does not matter */
        p = out->data;
        g_assert_true(state_load(table, NULL, &p, out->data + out->len, &err));
    }
    g_byte_array_unref(out);
}

static void test_state(void)
{
    struct thing x = { .a = 7, .b = { 1, 2, 0xffff }, .c = true, .irq.level = true }, y = { 0 };
    GByteArray *out = g_byte_array_new();
    GError *err = NULL;

    state_save(thing_state, &x, out);
    const uint8_t *p = out->data;
    g_assert_true(state_load(thing_state, &y, &p, out->data + out->len, &err));
    g_assert_no_error(err);
    g_assert_cmpmem(&x.b, sizeof x.b, &y.b, sizeof y.b);
    g_assert_true(y.a == 7 && y.c && y.irq.level);
    for (guint n = 0; n < out->len; n++) { /* every truncation is refused */
        p = out->data;
        uint8_t *copy = g_memdup2(out->data, n);
        p = copy;
        g_assert_false(state_load(thing_state, NULL, &p, copy + n, &err));
        g_clear_error(&err);
        g_free(copy);
    }
    x.a = 10;
    g_byte_array_set_size(out, 0);
    state_save(thing_state, &x, out);
    p = out->data;
    g_assert_false(state_load(thing_state, &y, &p, out->data + out->len, &err));
    g_clear_error(&err);
    g_byte_array_unref(out);
}

static void test_dirty(void)
{
    struct ram_block rb;

    g_assert_true(ram_block_alloc(&rb, "ram", 4 * MiB, NULL, NULL));
    ram_block_track(&rb, DIRTY_DISPLAY, true);
    ram_block_mark_dirty(&rb, 4095, 2);
    g_assert_true(ram_block_test_clear(&rb, DIRTY_DISPLAY, 0, 1));
    g_assert_true(ram_block_test_clear(&rb, DIRTY_DISPLAY, 4096, 1));
    g_assert_false(ram_block_test_clear(&rb, DIRTY_DISPLAY, 0, 4 * MiB));
    ram_block_free(&rb);
}

/* Is what lies behind the block's page in memory? */
static bool resident(const struct ram_block *rb, uint64_t off)
{
    unsigned char v = 0;

    g_assert_cmpint(mincore(rb->host + off, 4096, &v), ==, 0);
    return v & 1;
}

static void try_discard(const struct ram_source *src)
{
    struct ram_block rb;
    GError *err = NULL;

    if (!ram_block_alloc(&rb, "ram", 4 * MiB, src, &err))
        g_error("%s", err->message);
    memset(rb.host, 0x5a, rb.size);
    g_assert_cmpint(ram_block_discard(&rb, 8192 - 1, 4096 * 3), ==, 0); /* two whole pages of it */
    g_assert_cmpuint(rb.host[8191], ==, 0x5a);
    if (!src || !src->path) /* a file system may keep an empty page, or one that is part of a larger folio */
        g_assert_false(resident(&rb, 8192));
    g_assert_cmpuint(rb.host[8192], ==, 0);
    g_assert_cmpuint(rb.host[16383], ==, 0);
    g_assert_cmpuint(rb.host[16384], ==, 0x5a);
    rb.host[8192] = 1;
    g_assert_cmpuint(rb.host[8192], ==, 1);
    g_assert_cmpint(ram_block_discard(&rb, 1, 4096), ==, EINVAL);
    g_assert_cmpint(ram_block_discard(&rb, 4 * MiB - 4096, 4097), ==, EFAULT);
    g_assert_cmpint(ram_block_discard(&rb, UINT64_MAX - 4095, 4096), ==, EFAULT);
    ram_block_pin(&rb);
    g_assert_cmpint(ram_block_discard(&rb, 0, 4096), ==, EPERM);
    ram_block_unpin(&rb);
    g_assert_cmpuint(rb.host[0], ==, 0x5a);
    g_assert_cmpint(ram_block_discard(&rb, 0, 4 * MiB), ==, 0);
    g_assert_cmpuint(rb.host[0], ==, 0);
    ram_block_free(&rb);
}

static void test_ram_discard(void)
{
    char *path = g_build_filename(g_get_tmp_dir(), "bantam-ram-XXXXXX", NULL);
    int fd = g_mkstemp(path);
    struct ram_block rb;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    try_discard(NULL);
    try_discard(&(struct ram_source){ .memfd = true, .share = true });
    try_discard(&(struct ram_source){ .path = g_get_tmp_dir() });
    try_discard(&(struct ram_source){ .path = path });
    try_discard(&(struct ram_source){ .path = path, .share = true });
    /* a private view of a file that has contents: they would come back */
    g_assert_true(ram_block_alloc(&rb, "ram", 4 * MiB, &(struct ram_source){ .path = path }, NULL));
    g_assert_cmpint(ram_block_discard(&rb, 0, 4096), ==, EPERM);
    ram_block_free(&rb);
    g_assert_true(ram_block_alloc(&rb, "ram", 4 * MiB, &(struct ram_source){ .prealloc = true }, NULL));
    g_assert_cmpint(ram_block_discard(&rb, 0, 4096), ==, EPERM);
    ram_block_free(&rb);
    unlink(path);
    g_free(path);

    struct ram ram = { .below_4g = 2 * MiB, .above_4g = 2 * MiB };
    g_assert_true(ram_block_alloc(&ram.block, "ram", 4 * MiB, NULL, NULL));
    memset(ram.block.host, 1, 4 * MiB);
    g_assert_cmpint(ram_discard(&ram, 2 * MiB - 4096, 8192), ==, EFAULT);
    g_assert_cmpint(ram_discard(&ram, 4 * GiB, 2 * MiB), ==, 0);
    g_assert_cmpuint(ram.block.host[2 * MiB - 1], ==, 1);
    g_assert_cmpuint(ram.block.host[2 * MiB], ==, 0);
    g_assert_cmpint(ram_discard(&ram, 4 * GiB, 2 * MiB + 4096), ==, EFAULT);
    ram_block_free(&ram.block);
}

static void test_balloon(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    struct balloon a = { 0 }, b = { 0 };
    struct balloon_stats st;
    uint64_t bytes;
    uint32_t seconds;
    GError *err = NULL;

    g_assert_false(balloon_set_target(vm, 1, &err));
    g_assert_cmpstr(err->message, ==, "No balloon device has been activated");
    g_assert_false(balloon_actual(vm, &bytes, NULL) || balloon_stats(vm, &st, NULL) ||
                   balloon_polling(vm, &seconds, NULL) || balloon_set_polling(vm, 1, NULL));
    g_assert_true(balloon_register(vm, &a, NULL));
    g_assert_false(balloon_register(vm, &b, NULL));
    balloon_unregister(vm, &b);
    g_assert_true(vm->balloon == &a);
    balloon_unregister(vm, &a);
    g_assert_null(vm->balloon);
    for (int i = 0; i < N_BALLOON_STATS; i++)
        g_assert_nonnull(balloon_stat_names[i]);
    vm_free(vm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/core/widths", test_widths);
    g_test_add_func("/core/priorities", test_priorities);
    g_test_add_func("/core/timers", test_timers);
    g_test_add_func("/core/sizes", test_sizes);
    g_test_add_func("/core/state", test_state);
    g_test_add_func("/core/state-timer", test_state_timer);
    g_test_add_func("/core/dirty", test_dirty);
    g_test_add_func("/core/ram-discard", test_ram_discard);
    g_test_add_func("/core/balloon", test_balloon);
    return g_test_run();
}
