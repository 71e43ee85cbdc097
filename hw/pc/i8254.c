/* hw/pc/i8254.c - 8254 programmable interval timer, and the system control port 61h around its counter 2.
 *
 * Sheets: Intel 231164 "8254 Programmable Interval Timer", headings Control Word, Read Operations, Mode
 * Definitions; Intel 290550 "82371SB (PIIX3)", register NMISC (61h).
 *
 * Theory: nothing counts.  Each counter keeps the clock at which its counting element was loaded and with
 * what; OUT and the count are worked out from the virtual time when someone looks.  Only OUT0's rising
 * edges need a timer, as they are IRQ 0.
 *
 * Deviations:
 * - IRQ 0's falling edge is delivered together with the following rising edge (or an access): a PC looks at
 *   rising edges only, and one timer event a period is enough.
 * - Edges less than MIN_EDGE_NS apart are thinned out, so that a guest can't spin the host.
 * - After reset, where the sheet leaves everything undefined, the counters are in mode 0 without a count:
 *   silent.
 * - The count 1 in modes 2 and 3, illegal in the sheet, leaves OUT steady.
 * - While a gate is low or a counter waits for its trigger, the count holds still at the last value.
 * - No parity or IOCHK# source: bits 6 and 7 of port 61h read 0.  Bit 4 toggles every 18 clocks (15.1 us), as
 *   if counter 1 had been programmed for refresh, whether it was or not.
 * - Lost ticks (PIC still had the last one pending, or the host was late) are reinjected at up to twice the
 *   guest's rate with lost_tick_policy=delay; a real chip knows nothing of this. */
#include "hw/catalog.h"
#include "hw/pc/i8254.h"
#include "vmm/core/vm.h"

enum { CTRL_SC = 0xc0, CTRL_RW = 0x30, CTRL_READ_BACK = 0xc0, RB_NO_COUNT = 0x20, RB_NO_STATUS = 0x10 };
enum { STATUS_OUT = 0x80, STATUS_NULL = 0x40 };
enum { RW_LSB = 1, RW_MSB = 2, RW_BOTH = 3 };
enum { P61_GATE2 = 0x01, P61_DATA = 0x02, P61_RW = 0x0f, P61_REFRESH = 0x10, P61_OUT2 = 0x20 };
enum { REFRESH_CLKS = 18 };
enum { MIN_EDGE_NS = 100000, MAX_BACKLOG = 4096 };

struct counter {
    uint8_t ctl;              /* the control word without SC, as the status has it */
    uint8_t mode, bcd, rw;    /* of it; mode is 0..5 */
    bool gate;
    bool write_msb, read_msb; /* RW_BOTH: the second byte is next */
    uint8_t lsb;              /* the first byte written */
    bool null_count;          /* CR holds what CE has not yet got */
    uint32_t cr;              /* 1..65536; 0: none since the control word */
    uint32_t n;               /* what CE was loaded with, 1..65536 */
    bool counting;            /* CE is loaded, and `start` or `held` are valid */
    bool low_before;          /* OUT between a trigger and the loading one clock later (mode 1) */
    uint64_t start;           /* signed: clock at which CE was or will be loaded with n */
    uint64_t held;            /* clocks counted when the gate stopped it */
    uint64_t reload_at;       /* signed: modes 2, 3 with null_count: clock at which the new count is taken */
    uint16_t rest;            /* CE while not counting */
    uint16_t latch;           /* OL: as the guest reads it */
    uint8_t latched;          /* bytes of it left to read */
    uint8_t status;
    bool status_latched;
};

struct pit {
    struct device dev;
    struct region io, port61;
    struct irq irq;
    struct timer edge, retry;
    struct counter c[3];
    uint8_t ctl61;        /* the bits of port 61h that were written */
    uint32_t stride;      /* periods of counter 0 from one edge event to the next */
    uint32_t lost;        /* ticks to reinject */
    uint32_t iobase, irq_n; /* properties */
    int lost_tick_policy;
    void (*speaker)(void *opaque, const struct pit_tone *tone);
    void *speaker_opaque;
};

enum { LOST_DELAY, LOST_DISCARD };
static const char *const lost_tick_names[] = { "delay", "discard", NULL };

static int64_t to_clk(int64_t ns)
{
    return (int64_t) muldiv64((uint64_t) ns, PIT_HZ, NS_PER_SEC);
}

static int64_t to_ns(int64_t clk) /* the first ns of it */
{
    return clk <= 0 ? 0 : (int64_t) (((unsigned __int128) clk * NS_PER_SEC + PIT_HZ - 1) / PIT_HZ);
}

static int64_t now_clk(const struct pit *s)
{
    return to_clk(clock_now(s->dev.vm));
}

/* --- a counter at clock t --------------------------------------------------------------------------- */

static bool gate_stops(const struct counter *c) /* in modes 1 and 5 the gate is a trigger only */
{
    return !c->gate && c->mode != 1 && c->mode != 5;
}

static bool periodic(const struct counter *c)
{
    return c->mode == 2 || c->mode == 3;
}

static int64_t elapsed(const struct counter *c, int64_t t) /* since CE held n; < 0: not loaded yet */
{
    return gate_stops(c) ? (int64_t) c->held : t - (int64_t) c->start;
}

static uint32_t high_part(const struct counter *c, uint32_t n) /* of a period, in modes 2 and 3 */
{
    return c->mode == 2 ? n - 1 : (n + 1) / 2;
}

/* In modes 2 and 3 a new count waits for the end of the period or half-period. */
static void catch_up(struct counter *c, int64_t t)
{
    if (!c->null_count || !c->cr || !c->counting || !periodic(c) || !c->gate || t < (int64_t) c->reload_at)
        return;
    int64_t e = (int64_t) c->reload_at - (int64_t) c->start;
    bool whole = c->mode == 2 || e % c->n == 0;
    /* in mid-period as if the high half had had the new length */
    c->start = c->reload_at - (whole ? 0 : high_part(c, c->cr));
    c->n = c->cr;
    c->null_count = false;
}

static bool out(const struct counter *c, int64_t t)
{
    if (!c->counting) /* mode 0: OUT is low after the control word, and after the first of two bytes */
        return c->mode != 0;
    int64_t e = elapsed(c, t);
    switch (c->mode) {
    case 0:
        return e >= c->n;
    case 1:
        return e < 0 ? !c->low_before : e >= c->n;
    case 2:
    case 3:
        return !c->gate || e < 0 || c->n < 2 || e % c->n < high_part(c, c->n);
    default:
        return e != c->n;
    }
}

static uint16_t bcd(uint32_t v)
{
    v %= 10000;
    return (uint16_t) (v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

static uint16_t count(const struct counter *c, int64_t t) /* CE, as the guest reads it */
{
    uint32_t wrap = c->bcd ? 10000 : 65536, p, v;
    int64_t e = elapsed(c, t);

    if (!c->counting || e < 0)
        return c->rest;
    if (c->mode == 2) {
        v = c->n - (uint32_t) (e % c->n);
    } else if (c->mode == 3) {
        p = (uint32_t) (e % c->n);
        p -= p >= high_part(c, c->n) ? high_part(c, c->n) : 0;
        v = (c->n & ~1U) - 2 * p;
    } else {
        v = (c->n + wrap - (uint32_t) (e % wrap)) % wrap;
    }
    return c->bcd ? bcd(v) : (uint16_t) v;
}

static void load(struct counter *c, int64_t t) /* CE takes CR on the next clock */
{
    c->rest = count(c, t);
    c->low_before = c->mode == 1 && !out(c, t);
    c->n = c->cr;
    c->start = (uint64_t) (t + 1);
    c->held = 0;
    c->counting = true;
    c->null_count = false;
}

static void new_count(struct counter *c, uint32_t v, int64_t t)
{
    if (c->bcd)
        v = (v >> 12) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
    bool pending = c->null_count && c->cr;
    c->cr = v ? v : c->bcd ? 10000 : 65536;
    c->null_count = true;
    if (c->mode == 1 || c->mode == 5)
        return; /* armed: the trigger loads it */
    if (!periodic(c) || !c->counting || elapsed(c, t) < 0) {
        load(c, t);
        return;
    }
    if (pending || !c->gate)
        return; /* the time of reloading stands; a gate that rises reloads */
    int64_t e = elapsed(c, t), p = e % c->n;
    bool first = c->mode == 3 && p < high_part(c, c->n);
    c->reload_at = (uint64_t) (t - p + (first ? high_part(c, c->n) : c->n));
}

static void set_gate(struct counter *c, bool on, int64_t t)
{
    if (c->gate == on)
        return;
    catch_up(c, t);
    if (!on) {
        if (c->counting && c->mode != 1 && c->mode != 5)
            c->held = (uint64_t) MAX(elapsed(c, t), 0);
        c->gate = false;
        return;
    }
    if (c->mode == 0 || c->mode == 4) {
        c->gate = true;
        c->start = (uint64_t) t - c->held;
    } else if (c->cr) { /* a trigger */
        load(c, t);
        c->gate = true;
    }
    c->gate = on;
}

static void control(struct counter *c, uint8_t v, int64_t t)
{
    catch_up(c, t);
    c->rest = count(c, t);
    c->counting = false;
    c->ctl = v & 0x3f;
    c->mode = v >> 1 & 7;
    c->mode -= c->mode > 5 ? 4 : 0; /* 6 and 7 are 2 and 3 */
    c->bcd = v & 1;
    c->rw = v >> 4 & 3;
    c->cr = 0;
    c->held = 0;
    c->null_count = true;
    c->write_msb = c->read_msb = c->status_latched = c->low_before = false;
    c->latched = 0;
}

static void latch_count(struct counter *c, int64_t t)
{
    if (c->latched)
        return; /* the first one holds until it is read */
    c->latch = count(c, t);
    c->latched = c->rw == RW_BOTH ? 2 : 1;
}

static void latch_status(struct counter *c, int64_t t)
{
    if (c->status_latched)
        return;
    c->status = (uint8_t) ((out(c, t) ? STATUS_OUT : 0) | (c->null_count ? STATUS_NULL : 0) | c->ctl);
    c->status_latched = true;
}

static uint8_t read_counter(struct counter *c, int64_t t)
{
    uint16_t v = c->latched ? c->latch : count(c, t);

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    bool msb = c->rw == RW_MSB || (c->rw == RW_BOTH && c->read_msb);
    if (c->rw == RW_BOTH)
        c->read_msb = !c->read_msb;
    c->latched -= c->latched ? 1 : 0;
    return (uint8_t) (msb ? v >> 8 : v);
}

static void write_counter(struct counter *c, uint8_t v, int64_t t)
{
    switch (c->rw) {
    case RW_LSB:
        new_count(c, v, t);
        break;
    case RW_MSB:
        new_count(c, (uint32_t) v << 8, t);
        break;
    case RW_BOTH:
        if (c->write_msb) {
            new_count(c, (uint32_t) v << 8 | c->lsb, t);
        } else {
            c->lsb = v;
            if (c->mode == 0) { /* the first byte stops the counting and OUT */
                c->rest = count(c, t);
                c->counting = false;
            }
        }
        c->write_msb = !c->write_msb;
        break;
    default:
        break; /* no control word yet */
    }
}

/* --- IRQ 0 ------------------------------------------------------------------------------------------ */

/* The next rising edge of OUT0 after clock t, every stride-th one of a running wave; -1: none. */
static int64_t next_edge(const struct counter *c, uint32_t stride, int64_t t)
{
    int64_t start = (int64_t) c->start;

    if (!c->counting)
        return -1;
    if (!periodic(c)) { /* at terminal count, or one clock later, at the end of a strobe */
        int64_t at = start + c->n + (c->mode >= 4);
        return at > t ? at : -1;
    }
    if (c->null_count && c->cr) { /* first the (half-)period at whose end the count changes */
        int64_t at = (int64_t) c->reload_at;
        return c->mode == 3 && (at - start) % c->n ? at + c->cr / 2 : at;
    }
    if (c->n < 2)
        return -1;
    int64_t step = (int64_t) c->n * stride;
    return t < start ? start + step : start + ((t - start) / step + 1) * step;
}

static void arm(struct pit *s, int64_t t)
{
    struct counter *c = &s->c[0];
    int64_t min = to_clk(MIN_EDGE_NS);

    s->stride = c->counting && periodic(c) ? (uint32_t) ((min + c->n - 1) / c->n) : 1;
    int64_t at = next_edge(c, s->stride, t);
    if (at < 0)
        timer_stop(&s->edge);
    else
        timer_at(&s->edge, to_ns(at));
}

/* After an access to counter 0. */
static void update_irq(struct pit *s, int64_t t)
{
    irq_set(&s->irq, out(&s->c[0], t));
    arm(s, t);
}

static void arm_retry(struct pit *s)
{
    int64_t period = to_ns((int64_t) s->c[0].n);

    if (!s->lost)
        timer_stop(&s->retry);
    else if (!timer_armed(&s->retry))
        timer_at(&s->retry, clock_now(s->dev.vm) + MAX(period / 2, MIN_EDGE_NS));
}

static bool tick(struct pit *s) /* false: the last one is still pending */
{
    irq_set(&s->irq, false);
    return irq_raise_status(&s->irq) != 0;
}

static void edge(void *opaque)
{
    struct pit *s = opaque;
    struct counter *c = &s->c[0];
    int64_t t = now_clk(s), due = to_clk(MAX(s->edge.deadline, 0));
    int64_t late = 0;

    catch_up(c, t);
    if (periodic(c) && c->n >= 2 && !c->null_count)
        late = (t - due) / ((int64_t) c->n * s->stride);
    if (!tick(s))
        late++;
    if (s->lost_tick_policy == LOST_DELAY && periodic(c)) {
        s->lost = (uint32_t) MIN(s->lost + late, MAX_BACKLOG);
        arm_retry(s);
    }
    if (late)
        TRACE(&s->dev, "%" PRId64 " ticks not delivered, %u to reinject", late, s->lost);
    arm(s, t);
}

static void retry(void *opaque)
{
    struct pit *s = opaque;

    if (s->lost && tick(s))
        s->lost--;
    arm_retry(s);
}

/* --- ports ------------------------------------------------------------------------------------------ */

static void tell_speaker(struct pit *s, int64_t t)
{
    struct counter *c = &s->c[2];
    struct pit_tone tone = { .data = s->ctl61 & P61_DATA, .level = out(c, t), .start = to_ns(t) };

    if (!s->speaker)
        return;
    if (c->counting && periodic(c) && c->gate && c->n >= 2) {
        tone.period = c->n;
        tone.high = high_part(c, c->n);
        tone.start = to_ns(t - MAX(elapsed(c, t), 0) % c->n);
    }
    s->speaker(s->speaker_opaque, &tone);
}

static void pit_control(struct pit *s, uint8_t v, int64_t t)
{
    unsigned sel = v >> 6;

    if ((v & CTRL_SC) == CTRL_READ_BACK) {
        for (unsigned i = 0; i < 3; i++) {
            if (!(v & 2 << i))
                continue;
            catch_up(&s->c[i], t);
            if (!(v & RB_NO_COUNT))
                latch_count(&s->c[i], t);
            if (!(v & RB_NO_STATUS))
                latch_status(&s->c[i], t);
        }
        return;
    }
    if (!(v & CTRL_RW)) {
        catch_up(&s->c[sel], t);
        latch_count(&s->c[sel], t);
        return;
    }
    control(&s->c[sel], v, t);
    TRACE(&s->dev, "counter %u: mode %u%s", sel, s->c[sel].mode, s->c[sel].bcd ? " BCD" : "");
}

static void pit_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct pit *s = opaque;
    int64_t t = now_clk(s);
    unsigned n = off == 3 ? (unsigned) val >> 6 : (unsigned) off;

    (void) size;
    if (n < 3)
        catch_up(&s->c[n], t);
    if (off == 3)
        pit_control(s, (uint8_t) val, t);
    else
        write_counter(&s->c[n], (uint8_t) val, t);
    if (n == 0 && !(off == 3 && !(val & CTRL_RW))) { /* what was lost at the old rate is not owed now */
        s->lost = 0;
        arm_retry(s);
        update_irq(s, t);
    } else if (n == 2) {
        tell_speaker(s, t);
    }
}

static uint64_t pit_read(void *opaque, uint64_t off, unsigned size)
{
    struct pit *s = opaque;
    int64_t t = now_clk(s);

    (void) size;
    if (off == 3)
        return 0xff; /* the control register can't be read: the bus floats */
    catch_up(&s->c[off], t);
    return read_counter(&s->c[off], t);
}
static const struct region_ops pit_ops = { pit_read, pit_write, .min = 1, .max = 1 };

static uint64_t port61_read(void *opaque, uint64_t off, unsigned size)
{
    struct pit *s = opaque;
    int64_t t = now_clk(s);

    (void) off, (void) size;
    catch_up(&s->c[2], t);
    return s->ctl61 | (t / REFRESH_CLKS & 1 ? P61_REFRESH : 0) | (out(&s->c[2], t) ? P61_OUT2 : 0);
}

static void port61_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct pit *s = opaque;
    int64_t t = now_clk(s);

    (void) off, (void) size;
    catch_up(&s->c[2], t);
    s->ctl61 = val & P61_RW;
    set_gate(&s->c[2], val & P61_GATE2, t);
    tell_speaker(s, t);
}
static const struct region_ops port61_ops = { port61_read, port61_write, .min = 1, .max = 1 };

void i8254_set_speaker(struct device *pit, void (*change)(void *opaque, const struct pit_tone *tone),
                       void *opaque)
{
    struct pit *s = container_of(pit, struct pit, dev);

    s->speaker = change;
    s->speaker_opaque = opaque;
}

/* --- life ------------------------------------------------------------------------------------------- */

static void pit_reset(struct device *d)
{
    struct pit *s = container_of(d, struct pit, dev);

    for (unsigned i = 0; i < 3; i++)
        s->c[i] = (struct counter){ .ctl = RW_BOTH << 4, .rw = RW_BOTH, .gate = i != 2,
                                    .null_count = true, .n = 65536 };
    s->ctl61 = 0;
    s->lost = 0;
    timer_stop(&s->retry);
    update_irq(s, now_clk(s));
    tell_speaker(s, now_clk(s));
}

static bool pit_realize(struct device *d, GError **err)
{
    struct pit *s = container_of(d, struct pit, dev);

    timer_init(&s->edge, d->vm, edge, s);
    timer_init(&s->retry, d->vm, retry, s);
    region_init_io(&s->io, "pit", &pit_ops, s, 4);
    region_init_io(&s->port61, "port61", &port61_ops, s, 1);
    return isa_claim_irq(d, &s->irq, s->irq_n, err) && space_add(&d->vm->pio, &s->io, s->iobase, 0, err) &&
           space_add(&d->vm->pio, &s->port61, 0x61, 0, err);
}

static void pit_unrealize(struct device *d)
{
    struct pit *s = container_of(d, struct pit, dev);

    timer_stop(&s->edge);
    timer_stop(&s->retry);
    space_remove(&s->io);
    space_remove(&s->port61);
    irq_set(&s->irq, false);
}

static bool clk_ok(uint64_t clk) /* no sum with it overflows, not even in ns */
{
    return (int64_t) clk > -(1LL << 52) && (int64_t) clk < 1LL << 52;
}

static bool pit_post_load(struct device *d)
{
    struct pit *s = container_of(d, struct pit, dev);

    for (unsigned i = 0; i < 3; i++) {
        struct counter *c = &s->c[i];
        if (c->rw == 0 || c->n == 0 || !clk_ok(c->start) || !clk_ok(c->reload_at) || c->held >= 1ULL << 52)
            return false;
    }
    return s->stride >= 1 && s->ctl61 <= P61_RW;
}

static void pit_describe(const struct device *d, GString *text)
{
    const struct pit *s = container_of(d, struct pit, dev);

    for (unsigned i = 0; i < 3; i++) {
        const struct counter *c = &s->c[i];
        g_string_append_printf(text, "counter %u: mode %u, %s %u, gate %d, out %d\n", i, c->mode,
                               c->counting ? "counts" : "waits,", c->n, c->gate, out(c, now_clk(s)));
    }
    g_string_append_printf(text, "port 61h: %02x, ticks to reinject: %u\n", s->ctl61, s->lost);
}

static const struct prop pit_props[] = {
    PROP_U32(struct pit, iobase, 0x40, .max = 0xfffc),
    PROP_U32(struct pit, irq_n, 0, .name = "irq", .max = 15),
    PROP_ENUM(struct pit, lost_tick_policy, LOST_DELAY, lost_tick_names,
              .desc = "what becomes of ticks that the guest was too slow for"),
    {}
};

static const struct state counter_state[] = {
    STATE_U8(struct counter, ctl, .max = 0x3f), STATE_U8(struct counter, mode, .max = 5),
    STATE_U8(struct counter, bcd, .max = 1),
    STATE_U8(struct counter, rw, .max = 3), STATE_BOOL(struct counter, gate),
    STATE_BOOL(struct counter, write_msb), STATE_BOOL(struct counter, read_msb),
    STATE_U8(struct counter, lsb), STATE_BOOL(struct counter, null_count),
    STATE_U32(struct counter, cr, .max = 65536), STATE_U32(struct counter, n, .max = 65536),
    STATE_BOOL(struct counter, counting), STATE_BOOL(struct counter, low_before),
    STATE_U64(struct counter, start), STATE_U64(struct counter, held), STATE_U64(struct counter, reload_at),
    STATE_U16(struct counter, rest), STATE_U16(struct counter, latch),
    STATE_U8(struct counter, latched, .max = 2), STATE_U8(struct counter, status),
    STATE_BOOL(struct counter, status_latched), {}
};
static const struct state pit_state[] = {
    STATE_HOST(struct pit, io), STATE_HOST(struct pit, port61), STATE_IRQ(struct pit, irq),
    STATE_TIMER(struct pit, edge), STATE_TIMER(struct pit, retry),
    STATE_STRUCTS(struct pit, c, counter_state),
    STATE_U8(struct pit, ctl61), STATE_U32(struct pit, stride, .max = 65536),
    STATE_U32(struct pit, lost, .max = MAX_BACKLOG), STATE_HOST(struct pit, speaker),
    STATE_HOST(struct pit, speaker_opaque), {}
};
const struct device_class i8254_class = {
    .name = "isa-pit", .desc = "8254 interval timer and port 61h", .version = 1, .size = sizeof(struct pit),
    .internal = true, .props = pit_props, .state = pit_state, .realize = pit_realize,
    .unrealize = pit_unrealize, .reset = pit_reset, .post_load = pit_post_load, .describe = pit_describe,
};
