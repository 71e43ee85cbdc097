/* tests/hw/test_rtc.c - the real-time clock, from the MC146818A's sheet. */
#include "hw/pc/rtc.h"
#include "tests/hw/bench.h"
#include "vmm/core/event.h"

struct host {
    int64_t real, mono; /* ns */
};

static int64_t get_real(void *o)
{
    return ((struct host *) o)->real;
}
static int64_t get_mono(void *o)
{
    return ((struct host *) o)->mono;
}
static int64_t get_offset(void *o, int64_t secs)
{
    (void) o, (void) secs;
    return -5 * 3600;
}

/* A clock that starts at `secs` in virtual time, unless the props say otherwise. */
static struct bench *start(struct host *h, const char *props, int64_t secs, struct device **out)
{
    struct bench *b = bench_new(MiB);
    struct device *d = device_new(b->vm, &mc146818rtc_class, NULL);
    char **kv = g_strsplit(props, ",", -1), *text = g_strdup_printf("%" PRId64, secs);
    static struct host none;
    GError *err = NULL;

    rtc_set_host(d, &(struct rtc_host){ get_real, get_mono, get_offset, h ? h : &none });
    g_assert_true(device_set(d, "datetime", text, &err));
    for (char **p = kv; *p && **p; p++) {
        char *eq = strchr(*p, '=');
        *eq = 0;
        g_assert_true(device_set(d, *p, eq + 1, &err));
    }
    g_assert_true(device_realize(d, &err));
    mc146818rtc_class.reset(d);
    g_strfreev(kv);
    g_free(text);
    if (out)
        *out = d;
    return b;
}
#define VM "base=datetime,clock=vm"
#define T0 951782399LL /* Mon 2000-02-28 23:59:59 UTC */

static uint8_t get(struct bench *b, unsigned i)
{
    outb(b, 0x70, i);
    return inb(b, 0x71);
}
static void set(struct bench *b, unsigned i, uint8_t v)
{
    outb(b, 0x70, i);
    outb(b, 0x71, v);
}
static uint64_t date(struct bench *b) /* century..seconds, as the bytes are */
{
    uint64_t v = get(b, 0x32);
    static const uint8_t regs[] = { 9, 8, 7, 4, 2, 0 };

    for (unsigned i = 0; i < sizeof regs; i++)
        v = v << 8 | get(b, regs[i]);
    return v;
}
#define g_assert_date(b, v) g_assert_cmphex(date(b), ==, v)

static void test_calendar(void)
{
    struct bench *b = start(NULL, VM, T0, NULL);

    g_assert_cmphex(get(b, 0x0a), ==, 0x26);
    g_assert_cmphex(get(b, 0x0b), ==, 0x02);
    g_assert_cmphex(get(b, 0x0d), ==, 0x80);
    g_assert_cmphex(inb(b, 0x70), ==, 0xff);
    g_assert_date(b, 0x20000228235959);
    g_assert_cmphex(get(b, 6), ==, 2);
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x20000229000000); /* 2000 is a leap year */
    g_assert_cmphex(get(b, 6), ==, 3);
    clock_step(b, 86400 * NS_PER_SEC);
    g_assert_date(b, 0x20000301000000);
    clock_step(b, 306 * 86400 * NS_PER_SEC - NS_PER_SEC);
    g_assert_date(b, 0x20001231235959);
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x20010101000000);
    bench_free(b);
    b = start(NULL, VM, 4102444799LL, NULL); /* 2099-12-31 23:59:59: the century byte counts, too */
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x21000101000000);
    clock_step(b, 59 * 86400 * NS_PER_SEC);
    g_assert_date(b, 0x21000301000000); /* 2100 is none */
    bench_free(b);
}

static void test_formats(void)
{
    struct bench *b = start(NULL, VM, T0, NULL);
    static const uint8_t hours12[24] = {0x12, 1,    2,    3,    4,    5,    6,    7,
                                        8,    9,    0x10, 0x11, 0x92, 0x81, 0x82, 0x83,
                                        0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91};

    set(b, 0x0b, 0x80 | 0x04); /* binary, 12 hours: 11:58:59 pm of 28 December 1999 */
    set(b, 0, 59);
    set(b, 2, 58);
    set(b, 4, 0x80 | 11);
    set(b, 6, 7);
    set(b, 7, 31);
    set(b, 8, 12);
    set(b, 9, 99);
    set(b, 0x32, 19);
    clock_step(b, 10 * NS_PER_SEC); /* SET holds it */
    g_assert_cmphex(get(b, 0), ==, 59);
    set(b, 0x0b, 0x04);
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x13630c1f8b3b00); /* 19 99 12 31 11pm 59 00 */
    clock_step(b, 60 * NS_PER_SEC);
    g_assert_date(b, 0x140001010c0000);
    g_assert_cmphex(get(b, 6), ==, 1);
    set(b, 0x0b, 0x80); /* BCD, 12 hours */
    set(b, 4, 0x12);
    set(b, 2, 0);
    set(b, 0, 0);
    set(b, 9, 0x01);
    set(b, 0x0b, 0x00);
    for (int h = 0; h < 24; h++, clock_step(b, 3600 * NS_PER_SEC))
        g_assert_cmphex(get(b, 4), ==, hours12[h]);
    bench_free(b);
}

static void test_update_cycle(void)
{
    struct bench *b = start(NULL, VM, T0, NULL);

    clock_step(b, NS_PER_SEC - 2300 * NS_PER_US);
    g_assert_cmphex(get(b, 0x0a), ==, 0x26);
    clock_step(b, 100 * NS_PER_US);
    g_assert_cmphex(get(b, 0x0a), ==, 0xa6); /* UIP, 2228 us before the new second shows */
    clock_step(b, 2199 * NS_PER_US);
    g_assert_cmphex(get(b, 0x0a), ==, 0xa6);
    g_assert_cmphex(get(b, 0x0c), ==, 0x40); /* no UF yet */
    g_assert_cmphex(get(b, 0), ==, 0x59);
    clock_step(b, NS_PER_US);
    g_assert_cmphex(get(b, 0x0a), ==, 0x26);
    g_assert_cmphex(get(b, 0), ==, 0x00);
    g_assert_cmphex(get(b, 0x0c) & 0x90, ==, 0x10); /* UF without UIE: no IRQF */
    g_assert_cmphex(get(b, 0x0c) & 0x10, ==, 0x00);
    set(b, 0x0b, 0x12);
    clock_step(b, NS_PER_SEC - 1);
    g_assert_false(irq_level(b, 8));
    clock_step(b, 1);
    g_assert_true(irq_level(b, 8));
    g_assert_cmphex(get(b, 0x0c) & 0x90, ==, 0x90);
    g_assert_false(irq_level(b, 8));
    for (int i = 0; i < 5; i++) { /* once a second, and the time is the new one */
        clock_step(b, NS_PER_SEC);
        g_assert_true(irq_level(b, 8));
        get(b, 0x0c);
    }
    g_assert_cmpuint(b->irq_rises[8], ==, 6);
    set(b, 0x0b, 0x92); /* SET clears UIE and stops the cycle: no UIP */
    g_assert_cmphex(get(b, 0x0b), ==, 0x82);
    clock_step(b, NS_PER_SEC - NS_PER_MS);
    g_assert_cmphex(get(b, 0x0a), ==, 0x26);
    bench_free(b);
}

static void test_divider(void)
{
    struct bench *b = start(NULL, VM, T0, NULL);

    clock_step(b, 300 * NS_PER_MS);
    set(b, 0x0a, 0x76); /* held in reset */
    set(b, 0, 0x30);
    clock_step(b, 100 * NS_PER_SEC);
    g_assert_cmphex(get(b, 0), ==, 0x30);
    get(b, 0x0c);
    set(b, 0x0a, 0x26); /* released: the first update half a second later */
    clock_step(b, 499 * NS_PER_MS);
    g_assert_cmphex(get(b, 0), ==, 0x30);
    clock_step(b, NS_PER_MS);
    g_assert_cmphex(get(b, 0), ==, 0x31);
    clock_step(b, NS_PER_SEC - 1);
    g_assert_cmphex(get(b, 0), ==, 0x31);
    clock_step(b, 1);
    g_assert_cmphex(get(b, 0), ==, 0x32);
    /* SET does not touch the divider: the phase of the seconds stays */
    clock_step(b, 700 * NS_PER_MS);
    set(b, 0x0b, 0x82);
    set(b, 0, 0x10);
    clock_step(b, 5 * NS_PER_SEC);
    set(b, 0x0b, 0x02);
    clock_step(b, 300 * NS_PER_MS - 1);
    g_assert_cmphex(get(b, 0), ==, 0x10);
    clock_step(b, 1);
    g_assert_cmphex(get(b, 0), ==, 0x11);
    bench_free(b);
}

static void test_alarm(void)
{
    struct bench *b = start(NULL, VM, T0, NULL); /* 23:59:59 */

    set(b, 1, 0x30);
    set(b, 3, 0x15);
    set(b, 5, 0x06);
    set(b, 0x0b, 0x22);
    clock_step(b, (6 * 3600 + 15 * 60 + 30) * NS_PER_SEC);
    g_assert_false(irq_level(b, 8));
    clock_step(b, NS_PER_SEC);
    g_assert_true(irq_level(b, 8));
    g_assert_cmphex(get(b, 0x0c) & 0xa0, ==, 0xa0);
    clock_step(b, 86399 * NS_PER_SEC);
    g_assert_false(irq_level(b, 8));
    clock_step(b, NS_PER_SEC); /* once a day */
    g_assert_true(irq_level(b, 8));
    get(b, 0x0c);
    set(b, 5, 0xc0); /* every hour at 15:30 */
    b->irq_rises[8] = 0;
    for (int i = 0; i < 5 * 3600; i += 60) {
        clock_step(b, 60 * NS_PER_SEC);
        if (irq_level(b, 8))
            get(b, 0x0c);
    }
    g_assert_cmpuint(b->irq_rises[8], ==, 5);
    set(b, 3, 0xff);
    set(b, 1, 0xc0); /* every second */
    b->irq_rises[8] = 0;
    for (int i = 0; i < 5; i++) {
        clock_step(b, NS_PER_SEC);
        get(b, 0x0c);
    }
    g_assert_cmpuint(b->irq_rises[8], ==, 5);
    set(b, 1, 0x7f); /* matches no second at all */
    b->irq_rises[8] = 0;
    clock_step(b, 2 * 86400 * NS_PER_SEC);
    g_assert_cmpuint(b->irq_rises[8], ==, 0);
    /* AF is set without AIE, and raises the line when AIE follows */
    set(b, 1, 0xc0);
    set(b, 0x0b, 0x02);
    clock_step(b, NS_PER_SEC);
    g_assert_false(irq_level(b, 8));
    set(b, 0x0b, 0x22);
    g_assert_true(irq_level(b, 8));
    mc146818rtc_class.reset(b->vm->devices->pdata[0]); /* RESET clears enables and flags */
    g_assert_false(irq_level(b, 8));
    g_assert_cmphex(get(b, 0x0b), ==, 0x02);
    g_assert_cmphex(get(b, 0x0c), ==, 0x00);
    bench_free(b);
}

static void test_alarm_12h(void)
{
    struct bench *b = start(NULL, VM, T0 + 1, NULL); /* midnight */

    set(b, 0x0b, 0x80);
    set(b, 4, 0x11);
    set(b, 1, 0);
    set(b, 3, 0);
    set(b, 5, 0x92); /* noon */
    set(b, 0x0b, 0x20);
    clock_step(b, 3600 * NS_PER_SEC - 1);
    g_assert_false(irq_level(b, 8));
    clock_step(b, 1);
    g_assert_true(irq_level(b, 8));
    bench_free(b);
}

static void test_periodic(void)
{
    struct bench *b = start(NULL, VM, T0, NULL);

    for (unsigned rs = 1; rs < 16; rs++) { /* the table of rates: ticks of 32.768 kHz */
        unsigned period = rs == 1 ? 128 : rs == 2 ? 256 : 1u << (rs - 1), n = 0;
        set(b, 0x0b, 0x02);
        set(b, 0x0a, 0x70);
        set(b, 0x0a, 0x20 | rs);
        get(b, 0x0c);
        set(b, 0x0b, 0x42);
        b->irq_rises[8] = 0;
        for (int64_t t = 0; t < NS_PER_SEC; t += 50000) {
            clock_step(b, 50000);
            if (irq_level(b, 8)) {
                g_assert_cmphex(get(b, 0x0c) & 0xc0, ==, 0xc0);
                n++;
            }
        }
        clock_step(b, 1000);
        n += irq_level(b, 8);
        g_assert_cmpuint(n, ==, 32768 / period);
        get(b, 0x0c);
    }
    set(b, 0x0a, 0x20); /* none */
    get(b, 0x0c);
    clock_step(b, 10 * NS_PER_SEC);
    g_assert_cmphex(get(b, 0x0c) & 0x40, ==, 0);
    set(b, 0x0a, 0x26);
    set(b, 0x0b, 0x02);
    clock_step(b, NS_PER_MS);
    g_assert_cmphex(get(b, 0x0c) & 0xc0, ==, 0x40); /* polled: PF without PIE */
    g_assert_cmphex(get(b, 0x0c) & 0xc0, ==, 0x00);
    /* no drift: 1024 Hz over an hour, the line never lowered in between counts once */
    set(b, 0x0b, 0x42);
    b->irq_rises[8] = 0;
    for (int i = 0; i < 36000; i++) {
        clock_step(b, NS_PER_SEC / 10);
        get(b, 0x0c);
    }
    g_assert_cmpuint(b->irq_rises[8], ==, 36000);
    bench_free(b);
}

static void test_slew(void)
{
    struct bench *b = start(NULL, VM ",lost_tick_policy=slew", T0, NULL);
    unsigned n = 0;

    set(b, 0x0a, 0x26);
    set(b, 0x0b, 0x42); /* 1024 Hz */
    clock_step(b, 100 * NS_PER_MS + NS_PER_US); /* the guest sleeps through 102 ticks */
    g_assert_cmpuint(b->irq_rises[8], ==, 1);
    for (int i = 0; i < 4000; i++) { /* then serves each one at once */
        if (irq_level(b, 8)) {
            get(b, 0x0c);
            n++;
        }
        clock_step(b, 100 * NS_PER_US);
    }
    g_assert_cmpuint(n, >=, 511);
    g_assert_cmpuint(n, <=, 513); /* 512 in half a second: none is missing */
    /* what the interrupt controller reports as coalesced comes again, too */
    b->irq_coalesce[8] = true;
    for (int i = 0; i < 50; i++) {
        clock_step(b, NS_PER_SEC / 1024 + 1);
        get(b, 0x0c);
    }
    b->irq_coalesce[8] = false;
    b->irq_rises[8] = 0;
    for (int i = 0; i < 2000; i++) {
        clock_step(b, 100 * NS_PER_US);
        get(b, 0x0c);
    }
    g_assert_cmpuint(b->irq_rises[8], >=, 204 + 48);
    g_assert_cmpuint(b->irq_rises[8], <=, 204 + 52);
    bench_free(b);
    b = start(NULL, VM, T0, NULL); /* discard: one */
    set(b, 0x0b, 0x42);
    clock_step(b, 100 * NS_PER_MS);
    for (int i = 0; i < 9; i++) {
        get(b, 0x0c);
        clock_step(b, 50 * NS_PER_US);
    }
    g_assert_cmpuint(b->irq_rises[8], <=, 2);
    bench_free(b);
}

static void test_daylight(void)
{
    struct bench *b = start(NULL, VM, 1019354399LL, NULL); /* Sun 2002-04-21 01:59:59 */

    set(b, 0x0b, 0x03);
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x20020421020000); /* not the last Sunday */
    clock_step(b, (7 * 86400 - 1) * NS_PER_SEC);
    g_assert_date(b, 0x20020428015959);
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x20020428030000);
    bench_free(b);
    b = start(NULL, VM, 1035683999LL, NULL); /* Sun 2002-10-27 01:59:59 */
    set(b, 0x0b, 0x03);
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x20021027010000);
    clock_step(b, 3600 * NS_PER_SEC); /* once only */
    g_assert_date(b, 0x20021027020000);
    clock_step(b, 364LL * 86400 * NS_PER_SEC - 3600 * NS_PER_SEC);
    g_assert_date(b, 0x20031026010000);
    bench_free(b);
}

static void test_bases_and_clocks(void)
{
    struct host h = { .real = 1000000000LL * NS_PER_SEC + 250 * NS_PER_MS, .mono = 77 * NS_PER_SEC };
    struct bench *b = start(&h, "base=utc", 0, NULL);

    g_assert_date(b, 0x20010909014640);
    clock_step(b, 100 * NS_PER_SEC); /* virtual time is no matter */
    g_assert_date(b, 0x20010909014640);
    h.real += 750 * NS_PER_MS;
    g_assert_date(b, 0x20010909014641);
    h.real += 3600 * NS_PER_SEC;
    g_assert_date(b, 0x20010909024641);
    h.real -= 7200 * NS_PER_SEC; /* the host's clock is set back: followed */
    g_assert_date(b, 0x20010909004641);
    set(b, 0x0b, 0x82);
    set(b, 4, 0x12); /* the guest sets the time: an offset from the host's */
    set(b, 0x0b, 0x02);
    h.real += 60 * NS_PER_SEC;
    g_assert_date(b, 0x20010909124741);
    bench_free(b);
    h.real = 1000000000LL * NS_PER_SEC;
    b = start(&h, "base=localtime,clock=rt", 0, NULL);
    g_assert_date(b, 0x20010908204640);
    h.real += 1000 * NS_PER_SEC;
    g_assert_date(b, 0x20010908204640);
    h.mono += 10 * NS_PER_SEC;
    g_assert_date(b, 0x20010908204650);
    bench_free(b);
    b = start(NULL, VM, T0, NULL); /* clock=vm stands still with the VM */
    clock_step(b, 2 * NS_PER_SEC);
    clock_run(&b->vm->clock, false);
    b->now += 3600 * NS_PER_SEC;
    clock_run(&b->vm->clock, true);
    g_assert_date(b, 0x20000229000001);
    bench_free(b);
    /* clock=host: an alarm in the time that the VM slept through is still seen */
    b = start(&h, "base=utc", 0, NULL);
    set(b, 1, 0);
    set(b, 3, 0xc0);
    set(b, 5, 0xc0);
    set(b, 0x0b, 0x22);
    h.real += 65 * NS_PER_SEC;
    b->now += 65 * NS_PER_SEC;
    clock_step(b, 1);
    g_assert_true(irq_level(b, 8));
    bench_free(b);
}

static void test_cmos_nmi(void)
{
    struct device *d;
    struct bench *b = start(NULL, VM, T0, &d);

    g_assert_true(rtc_nmi_masked(d));
    rtc_set_cmos(d, 0x5f, 0xa5);
    rtc_set_cmos(d, 1000, 0xa5);
    g_assert_cmphex(rtc_get_cmos(d, 1000), ==, 0xff);
    g_assert_cmphex(get(b, 0x5f), ==, 0xa5);
    g_assert_false(rtc_nmi_masked(d));
    outb(b, 0x70, 0x80 | 0x5e);
    g_assert_true(rtc_nmi_masked(d));
    outb(b, 0x71, 0x77);
    g_assert_cmphex(rtc_get_cmos(d, 0x5e), ==, 0x77);
    set(b, 0x7f, 0x12);
    set(b, 0x0c, 0xff); /* read only */
    set(b, 0x0d, 0x00);
    g_assert_cmphex(get(b, 0x0d), ==, 0x80);
    mc146818rtc_class.reset(d);
    g_assert_cmphex(get(b, 0x7f), ==, 0x12); /* RAM survives */
    clock_step(b, NS_PER_SEC);
    g_assert_cmphex(rtc_get_cmos(d, 7), ==, 0x29);
    bench_free(b);
}

/* Rates and dates out of range: nothing to fall over. */
static void test_hostile(void)
{
    struct bench *b = start(NULL, VM ",lost_tick_policy=slew", T0, NULL);
    GRand *r = g_rand_new_with_seed(1);

    for (int i = 0; i < 256; i++) {
        for (unsigned k = 0; k < 10; k++)
            set(b, k, (uint8_t) i);
        set(b, 0x32, (uint8_t) i);
        for (int m = 0; m < 8; m++) {
            set(b, 0x0b, (uint8_t) (m | 0x70));
            clock_step(b, 3 * NS_PER_SEC);
            get(b, 0x0c);
            clock_step(b, 40 * 86400 * NS_PER_SEC % (m + 1) + NS_PER_SEC);
        }
        set(b, 0x0b, 0);
    }
    clock_step(b, 1000LL * 365 * 86400 * 1000000);
    for (int i = 0; i < 20000; i++) {
        set(b, (unsigned) g_rand_int_range(r, 0, 16), (uint8_t) g_rand_int(r));
        get(b, (unsigned) g_rand_int_range(r, 0, 64));
        clock_step(b, g_rand_int_range(r, 0, 400000));
    }
    g_rand_free(r);
    bench_free(b);
    /* an impossible date stays until something carries into it */
    b = start(NULL, VM, T0, NULL);
    set(b, 7, 0x31);
    set(b, 8, 0x02);
    set(b, 0, 0x10);
    clock_step(b, NS_PER_SEC);
    g_assert_cmphex(get(b, 7), ==, 0x31);
    set(b, 4, 0x23);
    set(b, 2, 0x59);
    set(b, 0, 0x59);
    clock_step(b, NS_PER_SEC);
    g_assert_date(b, 0x20000301000000);
    bench_free(b);
}

static void test_state(void)
{
    struct device *d;
    struct bench *b = start(NULL, VM, T0, &d);
    GByteArray *a = g_byte_array_new();

    set(b, 0x40, 0x99);
    set(b, 0x0b, 0x12);
    clock_step(b, 500 * NS_PER_MS);
    device_save(d, a);
    set(b, 0x0b, 0x86);
    set(b, 0, 7);
    set(b, 0x40, 0);
    g_assert_true(device_load(d, a->data, a->len, NULL));
    g_assert_date(b, 0x20000228235959);
    g_assert_cmphex(get(b, 0x40), ==, 0x99);
    clock_step(b, 500 * NS_PER_MS);
    g_assert_true(irq_level(b, 8));
    for (unsigned i = 0; i < a->len; i++) { /* hostile: any byte off */
        GByteArray *c = g_byte_array_new();
        g_byte_array_append(c, a->data, a->len);
        c->data[i] ^= 0xff;
        GError *err = NULL;
        if (!device_load(d, c->data, c->len, &err))
            g_clear_error(&err);
        date(b);
        get(b, 0x0c);
        clock_step(b, NS_PER_SEC);
        g_byte_array_unref(c);
    }
    g_byte_array_unref(a);
    bench_free(b);
}

/* --- what is told outside ----------------------------------------------------------------------- */

static void hear(void *opaque, const struct vm_event *ev)
{
    g_assert_cmpint(ev->kind, ==, EVENT_RTC_CHANGE);
    *(int64_t *) opaque = ev->value;
}

static int64_t heard(struct bench *b, int64_t *at)
{
    *at = INT64_MIN;
    vm_event_deliver(b->vm);
    return *at;
}

static void test_change(void)
{
    struct host h = { .real = T0 * NS_PER_SEC };
    static const char *const props[] = { VM, "base=utc,clock=host", "base=localtime,clock=host" };

    for (unsigned i = 0; i < G_N_ELEMENTS(props); i++) {
        struct bench *b = start(&h, props[i], T0, NULL);
        int64_t at;
        struct vm_listener l = { .fn = hear, .opaque = &at };
        vm_add_listener(b->vm, &l);
        uint8_t hour = get(b, 4), bcd = (uint8_t) (hour % 16 ? hour - 1 : 0x19);
        g_assert_cmpint(heard(b, &at), ==, INT64_MIN); /* reading changes nothing */
        set(b, 0x0b, 0x82);
        set(b, 4, bcd);
        set(b, 2, 0x58);
        g_assert_cmpint(heard(b, &at), ==, INT64_MIN); /* not before it runs again */
        set(b, 0x0b, 0x02);
        g_assert_cmpint(heard(b, &at), ==, -3660);
        set(b, 2, 0x59); /* while it runs */
        g_assert_cmpint(heard(b, &at), ==, -3600);
        set(b, 0x0b, 0x12);
        set(b, 1, 0x30); /* neither mode nor alarm is time */
        g_assert_cmpint(heard(b, &at), ==, INT64_MIN);
        vm_remove_listener(b->vm, &l);
        bench_free(b);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rtc/calendar", test_calendar);
    g_test_add_func("/rtc/change", test_change);
    g_test_add_func("/rtc/formats", test_formats);
    g_test_add_func("/rtc/update-cycle", test_update_cycle);
    g_test_add_func("/rtc/divider", test_divider);
    g_test_add_func("/rtc/alarm", test_alarm);
    g_test_add_func("/rtc/alarm-12h", test_alarm_12h);
    g_test_add_func("/rtc/periodic", test_periodic);
    g_test_add_func("/rtc/slew", test_slew);
    g_test_add_func("/rtc/daylight", test_daylight);
    g_test_add_func("/rtc/bases-and-clocks", test_bases_and_clocks);
    g_test_add_func("/rtc/cmos-nmi", test_cmos_nmi);
    g_test_add_func("/rtc/hostile", test_hostile);
    g_test_add_func("/rtc/state", test_state);
    return g_test_run();
}
