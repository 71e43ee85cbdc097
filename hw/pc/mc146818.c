/* hw/pc/mc146818.c - Motorola MC146818A real-time clock with 128 bytes of CMOS RAM.
 *
 * Sheet: Motorola MC146818A (ADI-1003); ports as in the PC/AT: 70h index (and NMI gate), 71h data.
 *
 * How it works: the ten time bytes are real counters in ram[].  No timer runs for them: `second` is the
 * time of the reference clock (host, rt or vm) at which the current second began, and every access first
 * counts the seconds that went by since (rtc_sync), which sets UF and AF as the chip would have.  A timer
 * runs only while an interrupt is enabled that could come of it.  The periodic taps come from `phase`, the
 * virtual time at which the divider started.
 *
 * Deviations: the time base is always 32.768 kHz, so DV 000 and 001 (other crystals) and the test values
 * 011 to 101 run like 010; no square wave output; the standby bank at 72h/73h of later chips is absent; the
 * byte at 32h counts centuries, as the firmware of PCs expects.  Counters that were loaded with values out
 * of range are left alone until a carry reaches them; they then count on from the nearest value in range.
 */
#include "hw/pc/rtc.h"
#include "vmm/core/event.h"

#include <time.h>

enum {
    REG_SECONDS, REG_SECONDS_ALARM, REG_MINUTES, REG_MINUTES_ALARM, REG_HOURS, REG_HOURS_ALARM, REG_DAY,
    REG_DATE, REG_MONTH, REG_YEAR, REG_A, REG_B, REG_C, REG_D, REG_CENTURY = 0x32
};
enum { A_RS = 0x0f, A_DV = 0x70, A_DV_RESET = 0x60, A_UIP = 0x80 };
enum {
    B_DSE = 0x01,
    B_24 = 0x02,
    B_DM = 0x04,
    B_SQWE = 0x08,
    B_UIE = 0x10,
    B_AIE = 0x20,
    B_PIE = 0x40,
    B_SET = 0x80
};
enum { C_UF = 0x10, C_AF = 0x20, C_PF = 0x40, C_SOURCES = 0x70, C_IRQF = 0x80 };
enum { D_VRT = 0x80, HOUR_PM = 0x80, DONT_CARE = 0xc0 };

enum { CLOCK_HOST, CLOCK_RT, CLOCK_VM };
enum { BASE_UTC, BASE_LOCALTIME, BASE_DATETIME };
enum { LOST_DISCARD, LOST_SLEW };
enum { TICKS_PER_SEC = 32768, MAX_LOST = 65536, DAY = 86400 };

/* Table "update cycle": 244 us between UIP and the update, 1984 us for the update itself. */
#define UIP_NS ((244 + 1984) * NS_PER_US)

struct rtc {
    struct device dev;
    struct region io;
    struct irq irq;
    struct timer periodic;
    struct timer update;  /* the next second, or the next alarm */
    struct timer catchup; /* lost_tick_policy=slew: brings a lost tick */
    uint8_t index;
    bool nmi_masked;
    bool dst_done;        /* DSE: this October's hour was already given back */
    uint8_t ram[RTC_CMOS_SIZE];
    int64_t second;       /* reference clock, ns */
    int64_t saved_age;    /* reference clock - second when saved: clock=rt has no origin of its own */
    int64_t phase;        /* virtual clock, ns */
    uint64_t seen;        /* periods of the current tap counted so far */
    uint32_t lost;        /* ticks to be brought later */
    struct rtc_host host;
    int64_t origin;       /* reference clock when the base was set: what base=datetime counts from */
    void (*on_irq)(void *opaque);
    void *on_irq_opaque;
    int base, clock, lost_tick_policy;
    uint64_t datetime;
};

/* --- the calendar ------------------------------------------------------------------------------ */

/* Days since 1970-01-01 of a date in the Gregorian calendar, and back; years 0 to 9999. */
static int64_t days_from_date(int y, int m, int d)
{
    y -= m <= 2;
    int era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return (int64_t) era * 146097 + doe - 719468;
}

static void date_from_days(int64_t days, int *y, int *m, int *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int doe = (int) (days - era * 146097);
    int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int) (yoe + era * 400) + (*m <= 2);
}

static int days_in_month(int y, int m)
{
    static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[m - 1] + (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
}

/* --- the counters, in the format that DM and 24/12 select --------------------------------------- */

static uint8_t encode(const struct rtc *s, int v)
{
    return (uint8_t) (s->ram[REG_B] & B_DM ? v : v / 10 * 16 + v % 10);
}

static int decode(const struct rtc *s, uint8_t v)
{
    return s->ram[REG_B] & B_DM ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct rtc *s, int h)
{
    if (s->ram[REG_B] & B_24)
        return encode(s, h);
    return encode(s, h % 12 ? h % 12 : 12) | (h >= 12 ? HOUR_PM : 0);
}

static int decode_hour(const struct rtc *s, uint8_t v)
{
    if (s->ram[REG_B] & B_24)
        return decode(s, v);
    return decode(s, v & 0x7f) % 12 + (v & HOUR_PM ? 12 : 0);
}

struct calendar {
    int sec, min, hour, wday, date, month, year; /* wday 1 = Sunday; year in full */
};

static struct calendar rtc_get(const struct rtc *s)
{
    struct calendar c;
    int century = decode(s, s->ram[REG_CENTURY]), year = MIN(decode(s, s->ram[REG_YEAR]), 99);

    if (century < 19 || century > 99) /* the guest keeps something else there */
        century = year < 70 ? 20 : 19;
    c.year = century * 100 + year;
    c.month = CLAMP(decode(s, s->ram[REG_MONTH]), 1, 12);
    c.date = CLAMP(decode(s, s->ram[REG_DATE]), 1, days_in_month(c.year, c.month));
    c.wday = CLAMP(decode(s, s->ram[REG_DAY]), 1, 7);
    c.hour = MIN(decode_hour(s, s->ram[REG_HOURS]), 23);
    c.min = MIN(decode(s, s->ram[REG_MINUTES]), 59);
    c.sec = MIN(decode(s, s->ram[REG_SECONDS]), 59);
    return c;
}

/* Store what differs from `old`, so that bytes that no carry reached keep what the guest put there. */
static void rtc_put(struct rtc *s, const struct calendar *old, const struct calendar *c)
{
#define PUT(reg, field, enc) \
    if (!old || old->field != c->field) \
        s->ram[reg] = enc
    PUT(REG_SECONDS, sec, encode(s, c->sec));
    PUT(REG_MINUTES, min, encode(s, c->min));
    PUT(REG_HOURS, hour, encode_hour(s, c->hour));
    PUT(REG_DAY, wday, encode(s, c->wday));
    PUT(REG_DATE, date, encode(s, c->date));
    PUT(REG_MONTH, month, encode(s, c->month));
    PUT(REG_YEAR, year % 100, encode(s, c->year % 100));
    PUT(REG_CENTURY, year / 100, encode(s, c->year / 100 % 100));
#undef PUT
}

static int second_of_day(const struct calendar *c)
{
    return c->hour * 3600 + c->min * 60 + c->sec;
}

/* n seconds on (or back, when the host's clock was set back). */
static void rtc_advance(struct rtc *s, int64_t n)
{
    struct calendar old = rtc_get(s), c = old;
    int64_t t = second_of_day(&old) + n;
    int64_t days = t >= 0 ? t / DAY : -((-t + DAY - 1) / DAY);
    int sod = (int) (t - days * DAY);

    c.hour = sod / 3600;
    c.min = sod / 60 % 60;
    c.sec = sod % 60;
    if (days) {
        c.wday = (int) (((c.wday - 1 + days) % 7 + 7) % 7) + 1;
        date_from_days(days_from_date(c.year, c.month, c.date) + days, &c.year, &c.month, &c.date);
        c.year = CLAMP(c.year, 0, 9999);
    }
    rtc_put(s, &old, &c);
}

/* --- alarm and update -------------------------------------------------------------------------- */

static bool alarm_match(uint8_t alarm, uint8_t now)
{
    return (alarm & DONT_CARE) == DONT_CARE || alarm == now;
}

/* Seconds from the current one to the next that matches the alarm bytes, 1 to 86400; 0: none ever does. */
static int rtc_next_alarm(const struct rtc *s)
{
    struct calendar c = rtc_get(s);
    int from = second_of_day(&c) + 1, sec = -1;

    for (int i = 0; i < 60; i++) /* the first that matches; all do when it is "don't care" */
        if (sec < 0 && alarm_match(s->ram[REG_SECONDS_ALARM], encode(s, i)))
            sec = i;
    if (sec < 0)
        return 0;
    for (int m = from / 60; m <= (from + DAY) / 60; m++) {
        int at = m * 60 + sec;
        if (!alarm_match(s->ram[REG_HOURS_ALARM], encode_hour(s, m / 60 % 24)) ||
            !alarm_match(s->ram[REG_MINUTES_ALARM], encode(s, m % 60)))
            continue;
        if (at < from && (s->ram[REG_SECONDS_ALARM] & DONT_CARE) == DONT_CARE)
            at = from;
        if (at >= from && at < m * 60 + 60)
            return at - from + 1;
    }
    return 0;
}

static int64_t rtc_reference(const struct rtc *s) /* ns, not negative */
{
    int64_t t = s->clock == CLOCK_HOST ? s->host.realtime(s->host.opaque)
                : s->clock == CLOCK_RT ? s->host.monotonic(s->host.opaque) : clock_now(s->dev.vm);

    return CLAMP(t, 0, INT64_MAX / 2);
}

static bool rtc_divider_on(const struct rtc *s)
{
    return (s->ram[REG_A] & A_DV_RESET) != A_DV_RESET;
}

static bool rtc_counting(const struct rtc *s)
{
    return rtc_divider_on(s) && !(s->ram[REG_B] & B_SET);
}

/* Count n seconds, the alarm comparison included. */
static void rtc_count_seconds(struct rtc *s, int64_t n)
{
    int alarm = rtc_next_alarm(s);

    if (n > 0)
        s->ram[REG_C] |= C_UF | (alarm && alarm <= n ? C_AF : 0);
    rtc_advance(s, n);
}

/* "Daylight savings": on the last Sunday in April 1:59:59 is followed by 3:00:00, and on the last one in
 * October the first 1:59:59 by 1:00:00. */
static void rtc_daylight(struct rtc *s)
{
    struct calendar old = rtc_get(s), c = old;
    bool last_sunday = c.wday == 1 && c.date + 7 > days_in_month(c.year, c.month);

    if (c.month == 4 && last_sunday)
        c.hour = 3;
    else if (c.month == 10 && last_sunday && !s->dst_done)
        c.hour = 1;
    else if (c.month != 10 || !last_sunday)
        s->dst_done = false;
    if (c.hour == 1)
        s->dst_done = true;
    rtc_put(s, &old, &c);
}

/* Bring the counters up to now. */
static void rtc_sync(struct rtc *s)
{
    int64_t diff = rtc_reference(s) - s->second;
    int64_t n = diff >= 0 ? diff / NS_PER_SEC : -((-diff + NS_PER_SEC - 1) / NS_PER_SEC);

    if (!n || !rtc_divider_on(s))
        return;
    s->second += n * NS_PER_SEC;
    if (!rtc_counting(s))
        return;
    while (n > 0 && s->ram[REG_B] & B_DSE) { /* in steps that end at 2:00:00 */
        struct calendar c = rtc_get(s);
        int step = 2 * 3600 - second_of_day(&c);
        step += step <= 0 ? DAY : 0;
        if (step > n)
            break;
        rtc_count_seconds(s, step);
        rtc_daylight(s);
        n -= step;
    }
    if (n)
        rtc_count_seconds(s, n);
}

static bool rtc_uip(const struct rtc *s)
{
    int64_t into = rtc_reference(s) - s->second;

    return rtc_counting(s) && into >= NS_PER_SEC - UIP_NS;
}

/* --- interrupts -------------------------------------------------------------------------------- */

/* Returns false when a new edge met one that the interrupt controller still has pending. */
static bool rtc_update_irq(struct rtc *s)
{
    bool on = s->ram[REG_C] & s->ram[REG_B] & C_SOURCES;
    bool was = s->irq.level;

    s->ram[REG_C] = (s->ram[REG_C] & C_SOURCES) | (on ? C_IRQF : 0);
    if (!on || was) {
        irq_set(&s->irq, on);
        return true;
    }
    int r = irq_raise_status(&s->irq);
    if (s->on_irq)
        s->on_irq(s->on_irq_opaque);
    return r != 0;
}

static void rtc_arm_update(struct rtc *s)
{
    int64_t secs = 0;

    timer_stop(&s->update);
    if (!rtc_counting(s))
        return;
    if ((s->ram[REG_B] & B_UIE) || (s->ram[REG_B] & (B_AIE | B_DSE)) == (B_AIE | B_DSE))
        secs = 1;
    else if (s->ram[REG_B] & B_AIE)
        secs = rtc_next_alarm(s);
    if (secs) {
        int64_t in = s->second + secs * NS_PER_SEC - rtc_reference(s);
        timer_at(&s->update, clock_now(s->dev.vm) + CLAMP(in, 1, 2 * DAY * NS_PER_SEC));
    }
}

static void rtc_update_due(void *opaque)
{
    struct rtc *s = opaque;

    rtc_sync(s);
    TRACE(&s->dev, "update, C=%02x", s->ram[REG_C]);
    rtc_update_irq(s);
    rtc_arm_update(s);
}

/* Table "periodic interrupt rate": length of a period in ticks of 32.768 kHz; 0: none. */
static uint32_t rtc_period(const struct rtc *s)
{
    unsigned rs = s->ram[REG_A] & A_RS;

    rs += rs == 1 || rs == 2 ? 7 : 0; /* rates 1 and 2 repeat 8 and 9 */
    return rs && rtc_divider_on(s) ? 1U << (rs - 1) : 0;
}

static uint64_t rtc_periods(const struct rtc *s)
{
    int64_t age = MAX(clock_now(s->dev.vm) - s->phase, 0);
    uint32_t period = rtc_period(s);

    return period ? muldiv64((uint64_t) age, TICKS_PER_SEC, NS_PER_SEC) / period : 0;
}

/* How many periods ended since we last looked. */
static uint64_t rtc_count_periods(struct rtc *s)
{
    uint64_t n = rtc_periods(s), ended = n > s->seen ? n - s->seen : 0;

    s->seen = n;
    return ended;
}

static void rtc_arm_periodic(struct rtc *s)
{
    uint64_t period = rtc_period(s);

    timer_stop(&s->periodic);
    if (period && (s->ram[REG_B] & B_PIE)) {
        uint64_t ns = muldiv64((s->seen + 1) * period, NS_PER_SEC, TICKS_PER_SEC) + 1;
        timer_at(&s->periodic, MAX(s->phase + (int64_t) ns, clock_now(s->dev.vm) + 1));
    } else {
        timer_stop(&s->catchup);
        s->lost = 0;
    }
}

static void rtc_lose(struct rtc *s, uint64_t n)
{
    if (s->lost_tick_policy == LOST_SLEW)
        s->lost = (uint32_t) MIN(s->lost + n, MAX_LOST);
}

static void rtc_periodic_due(void *opaque)
{
    struct rtc *s = opaque;
    uint64_t n = rtc_count_periods(s);

    if (n) {
        bool pending = s->ram[REG_C] & C_PF;
        s->ram[REG_C] |= C_PF;
        rtc_lose(s, n - 1 + (!rtc_update_irq(s) || pending ? 1 : 0));
    }
    rtc_arm_periodic(s);
}

/* The guest took an interrupt: bring it a lost one a quarter of a period later. */
static void rtc_acked(struct rtc *s)
{
    uint64_t period = rtc_period(s);

    if (s->lost && period && (s->ram[REG_B] & B_PIE) && !timer_armed(&s->catchup))
        timer_at(&s->catchup, clock_now(s->dev.vm) + (int64_t) (period * NS_PER_SEC / TICKS_PER_SEC / 4));
}

static void rtc_catchup_due(void *opaque)
{
    struct rtc *s = opaque;

    if (!s->lost || (s->ram[REG_C] & C_PF) || !(s->ram[REG_B] & B_PIE))
        return; /* the next read of C comes back here */
    s->ram[REG_C] |= C_PF;
    if (rtc_update_irq(s))
        s->lost--;
}

/* --- registers --------------------------------------------------------------------------------- */

static uint8_t rtc_read_c(struct rtc *s)
{
    uint64_t n = rtc_count_periods(s);
    if (n) {
        s->ram[REG_C] |= C_PF;
        rtc_lose(s, n - 1);
    }
    rtc_update_irq(s);
    uint8_t val = s->ram[REG_C];
    s->ram[REG_C] = 0;
    rtc_update_irq(s);
    rtc_arm_periodic(s);
    if (val & C_PF)
        rtc_acked(s);
    return val;
}

static uint64_t rtc_read(void *opaque, uint64_t off, unsigned size)
{
    struct rtc *s = opaque;

    (void) size;
    if (off == 0)
        return 0xff; /* write only */
    rtc_sync(s);
    uint8_t val = s->ram[s->index];
    if (s->index == REG_A)
        val |= rtc_uip(s) ? A_UIP : 0;
    else if (s->index == REG_C)
        val = rtc_read_c(s);
    TRACE(&s->dev, "read %02x = %02x", s->index, val);
    return val;
}

static void rtc_write_a(struct rtc *s, uint8_t val)
{
    bool was_on = rtc_divider_on(s);
    uint32_t period = rtc_period(s);

    s->ram[REG_C] |= rtc_count_periods(s) ? C_PF : 0;
    s->ram[REG_A] = val & ~A_UIP;
    if (!was_on && rtc_divider_on(s)) { /* "the first update cycle begins one-half second later" */
        s->second = rtc_reference(s) - NS_PER_SEC / 2;
        s->phase = clock_now(s->dev.vm);
    }
    if (rtc_period(s) != period && rtc_period(s)) /* as much time stays lost */
        s->lost = (uint32_t) MIN((uint64_t) s->lost * period / rtc_period(s), MAX_LOST);
    s->seen = rtc_periods(s);
}

static void rtc_write_b(struct rtc *s, uint8_t val)
{
    s->ram[REG_C] |= rtc_count_periods(s) ? C_PF : 0;
    if (val & B_SET)
        val &= ~B_UIE; /* "SET ... clears UIE" */
    s->ram[REG_B] = val;
}

static bool is_time(unsigned index)
{
    return index == REG_CENTURY || (index >= REG_DAY && index <= REG_YEAR) || index == REG_SECONDS ||
           index == REG_MINUTES || index == REG_HOURS;
}

/* The guest has set the time: how far it is from what the base would show now. */
static void rtc_tell_change(struct rtc *s)
{
    struct calendar c = rtc_get(s);
    int64_t now = MAX(s->host.realtime(s->host.opaque), 0) / NS_PER_SEC;

    if (s->base == BASE_LOCALTIME)
        now += s->host.utc_offset(s->host.opaque, now);
    else if (s->base == BASE_DATETIME)
        now = (int64_t) s->datetime + (rtc_reference(s) - s->origin) / NS_PER_SEC;
    VM_EMIT(s->dev.vm, EVENT_RTC_CHANGE, .device = s->dev.name,
            .value = days_from_date(c.year, c.month, c.date) * DAY + second_of_day(&c) - now);
}

static void rtc_write(void *opaque, uint64_t off, uint64_t v, unsigned size)
{
    struct rtc *s = opaque;
    uint8_t val = (uint8_t) v;
    bool was_set = s->ram[REG_B] & B_SET;

    (void) size;
    if (off == 0) {
        s->index = val & 0x7f;
        s->nmi_masked = val & 0x80;
        return;
    }
    TRACE(&s->dev, "write %02x = %02x", s->index, val);
    rtc_sync(s);
    switch (s->index) {
    case REG_A: rtc_write_a(s, val); break;
    case REG_B: rtc_write_b(s, val); break;
    case REG_C:
    case REG_D: return; /* read only */
    default: s->ram[s->index] = val;
    }
    if (is_time(s->index) ? !was_set : s->index == REG_B && was_set && !(val & B_SET))
        rtc_tell_change(s);
    if (s->index > REG_D)
        return;
    rtc_update_irq(s);
    rtc_arm_periodic(s);
    rtc_arm_update(s);
}
static const struct region_ops rtc_ops = { rtc_read, rtc_write, .min = 1, .max = 1 };

/* --- the board's side -------------------------------------------------------------------------- */

void rtc_set_cmos(struct device *d, unsigned index, uint8_t val)
{
    struct rtc *s = container_of(d, struct rtc, dev);

    if (index < RTC_CMOS_SIZE)
        s->ram[index] = val;
}

uint8_t rtc_get_cmos(struct device *d, unsigned index)
{
    struct rtc *s = container_of(d, struct rtc, dev);

    if (index <= REG_D || index == REG_CENTURY)
        rtc_sync(s);
    return index < RTC_CMOS_SIZE ? s->ram[index] : 0xff;
}

bool rtc_nmi_masked(const struct device *d)
{
    return container_of(d, struct rtc, dev)->nmi_masked;
}

void rtc_on_irq(struct device *d, void (*fn)(void *opaque), void *opaque)
{
    struct rtc *s = container_of(d, struct rtc, dev);

    s->on_irq = fn;
    s->on_irq_opaque = opaque;
}

void rtc_set_host(struct device *d, const struct rtc_host *host)
{
    container_of(d, struct rtc, dev)->host = *host;
}

static int64_t host_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static int64_t host_realtime(void *opaque)
{
    (void) opaque;
    return host_clock(CLOCK_REALTIME);
}

static int64_t host_monotonic(void *opaque)
{
    (void) opaque;
    return host_clock(CLOCK_MONOTONIC);
}

static int64_t host_utc_offset(void *opaque, int64_t secs)
{
    time_t t = (time_t) secs;
    struct tm tm;

    (void) opaque;
    return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

/* --- life -------------------------------------------------------------------------------------- */

static void rtc_set_base(struct rtc *s)
{
    int64_t real = MAX(s->host.realtime(s->host.opaque), 0);
    int64_t secs = real / NS_PER_SEC, into = real % NS_PER_SEC;
    struct calendar c = { 0 };

    if (s->base == BASE_LOCALTIME)
        secs += s->host.utc_offset(s->host.opaque, secs);
    if (s->base == BASE_DATETIME) {
        secs = (int64_t) s->datetime;
        into = 0;
    }
    int64_t days = secs >= 0 ? secs / DAY : -((-secs + DAY - 1) / DAY);
    int sod = (int) (secs - days * DAY);
    date_from_days(days, &c.year, &c.month, &c.date);
    c.wday = (int) (((days + 4) % 7 + 7) % 7) + 1; /* 1970-01-01 was a Thursday */
    c.hour = sod / 3600;
    c.min = sod / 60 % 60;
    c.sec = sod % 60;
    rtc_put(s, NULL, &c);
    s->origin = rtc_reference(s);
    s->second = s->origin - into;
}

static bool rtc_realize(struct device *d, GError **err)
{
    struct rtc *s = container_of(d, struct rtc, dev);

    if (s->datetime > 253402300799ULL) /* 9999-12-31 23:59:59 */
        return fail(err, "datetime %" PRIu64 " is after the year 9999", s->datetime);
    s->host.realtime = s->host.realtime ? s->host.realtime : host_realtime;
    s->host.monotonic = s->host.monotonic ? s->host.monotonic : host_monotonic;
    s->host.utc_offset = s->host.utc_offset ? s->host.utc_offset : host_utc_offset;
    timer_init(&s->periodic, d->vm, rtc_periodic_due, s);
    timer_init(&s->update, d->vm, rtc_update_due, s);
    timer_init(&s->catchup, d->vm, rtc_catchup_due, s);
    s->ram[REG_A] = 0x26; /* as a PC's firmware leaves it: 32.768 kHz, 1024 Hz */
    s->ram[REG_B] = B_24;
    s->ram[REG_D] = D_VRT;
    s->phase = clock_now(d->vm);
    rtc_set_base(s);
    region_init_io(&s->io, "rtc", &rtc_ops, s, 2);
    return isa_claim_irq(d, &s->irq, 8, err) && space_add(&d->vm->pio, &s->io, 0x70, PRIO_RAM, err);
}

static void rtc_unrealize(struct device *d)
{
    struct rtc *s = container_of(d, struct rtc, dev);

    if (s->periodic.clock) {
        timer_stop(&s->periodic);
        timer_stop(&s->update);
        timer_stop(&s->catchup);
    }
    space_remove(&s->io);
}

static void rtc_reset(struct device *d) /* the RESET pin: time and RAM survive */
{
    struct rtc *s = container_of(d, struct rtc, dev);

    rtc_sync(s);
    s->nmi_masked = true; /* PIIX3, NMIEN: default 1 */
    s->ram[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->ram[REG_C] = 0;
    s->seen = rtc_periods(s);
    rtc_update_irq(s);
    rtc_arm_periodic(s);
    rtc_arm_update(s);
}

static void rtc_pre_save(struct device *d)
{
    struct rtc *s = container_of(d, struct rtc, dev);

    s->saved_age = rtc_reference(s) - s->second;
}

static bool rtc_post_load(struct device *d) /* a snapshot is untrusted input */
{
    struct rtc *s = container_of(d, struct rtc, dev);
    int64_t limit = INT64_MAX / 2;

    if (s->saved_age < -limit || s->saved_age > limit)
        return false;
    if (s->clock == CLOCK_RT)
        s->second = rtc_reference(s) - s->saved_age;
    if (s->second < -limit || s->second > limit || s->phase < -limit || s->phase > limit)
        return false;
    if (s->seen >= muldiv64((uint64_t) limit, TICKS_PER_SEC, NS_PER_SEC) / MAX(rtc_period(s), 1))
        return false; /* more time than there is */
    s->ram[REG_A] &= (uint8_t) ~A_UIP;
    s->ram[REG_D] = D_VRT;
    rtc_arm_update(s); /* the reference clock may have moved on meanwhile */
    rtc_arm_periodic(s);
    return true;
}

static void rtc_describe(const struct device *d, GString *out)
{
    const struct rtc *s = container_of(d, struct rtc, dev);
    struct calendar c = rtc_get(s);

    g_string_append_printf(out, "%04d-%02d-%02d %02d:%02d:%02d, A=%02x B=%02x C=%02x, lost ticks %u\n",
                           c.year, c.month, c.date, c.hour, c.min, c.sec, s->ram[REG_A], s->ram[REG_B],
                           s->ram[REG_C], s->lost);
}

static const char *const base_names[] = { "utc", "localtime", "datetime", NULL };
static const char *const clock_names[] = { "host", "rt", "vm", NULL };
static const char *const lost_names[] = { "discard", "slew", NULL };

static const struct prop rtc_props[] = {
    PROP_ENUM(struct rtc, base, BASE_UTC, base_names, .desc = "what the clock shows at start"),
    PROP_U64(struct rtc, datetime, 0, .desc = "seconds since 1970, for base=datetime"),
    PROP_ENUM(struct rtc, clock, CLOCK_HOST, clock_names, .desc = "what it follows"),
    PROP_ENUM(struct rtc, lost_tick_policy, LOST_DISCARD, lost_names, .desc = "slew: bring lost ticks later"),
    {},
};
static const struct state rtc_state[] = {
    STATE_HOST(struct rtc, io),
    STATE_IRQ(struct rtc, irq),
    STATE_TIMER(struct rtc, periodic),
    STATE_TIMER(struct rtc, update),
    STATE_TIMER(struct rtc, catchup),
    STATE_U8(struct rtc, index, .max = RTC_CMOS_SIZE - 1),
    STATE_BOOL(struct rtc, nmi_masked),
    STATE_BOOL(struct rtc, dst_done),
    STATE_BYTES(struct rtc, ram),
    STATE_U64(struct rtc, second),
    STATE_U64(struct rtc, saved_age),
    STATE_U64(struct rtc, phase),
    STATE_U64(struct rtc, seen),
    STATE_U32(struct rtc, lost, .max = MAX_LOST),
    STATE_HOST(struct rtc, host),
    STATE_HOST(struct rtc, origin),
    STATE_HOST(struct rtc, on_irq),
    STATE_HOST(struct rtc, on_irq_opaque),
    {},
};
const struct device_class mc146818rtc_class = {
    .name = "mc146818rtc", .desc = "MC146818A real-time clock and CMOS RAM", .version = 1, .internal = true,
    .size = sizeof(struct rtc), .props = rtc_props, .state = rtc_state, .realize = rtc_realize,
    .unrealize = rtc_unrealize, .reset = rtc_reset, .pre_save = rtc_pre_save, .post_load = rtc_post_load,
    .describe = rtc_describe,
};
