/* bios/demo/timer.c - the PIT's interrupt, measured against the ACPI PM timer, or else the real-time clock.
 * Sheets: Intel 8254, 8259A; ACPI specification 1.0b, 4.7.3.3. */
#include "demo.h"

enum { PIT_HZ = 1193182, HZ = 100, PM_HZ = 3579545, TICKS = 10 };
enum { PIIX4_PMBASE = 0x40, PIIX4_PMREGMISC = 0x80, OUR_PMBASE = 0x600 };

static uint16_t pm_port;

/* Where the tables say; else where the PIIX4 has it, switched on when no firmware did that. */
void pm_timer_start(void)
{
    pm_port = acpi.pm_timer;
    for (unsigned devfn = 0; devfn < 256 && (!pm_port || !acpi.pm1a_control); devfn++) {
        if (pci_read(devfn, 0) != 0x71138086)
            continue;
        uint32_t base = pci_read(devfn, PIIX4_PMBASE) & 0xffc0;
        if (!base || !(pci_read(devfn, PIIX4_PMREGMISC) & 1)) {
            base = OUR_PMBASE;
            pci_write(devfn, PIIX4_PMBASE, base | 1);
            pci_write(devfn, PIIX4_PMREGMISC, pci_read(devfn, PIIX4_PMREGMISC) | 1);
        }
        pm_port = (uint16_t) (base + 8);
        acpi.pm1a_control = (uint16_t) (base + 4);
    }
}

bool have_pm_timer(void)
{
    return pm_port != 0;
}

static uint32_t pm_now(void) /* 24 bits */
{
    return inl(pm_port) & 0xffffff;
}

void wait_us(uint32_t us)
{
    if (!pm_port) {
        while (us--)
            inb(0x80); /* a microsecond on the bus of old, more in a virtual machine */
        return;
    }
    uint32_t start = pm_now(), ticks = (uint32_t) ((uint64_t) us * PM_HZ / 1000000);
    while (((pm_now() - start) & 0xffffff) < ticks)
        ;
}

static void pic_start(void)
{
    static const uint8_t words[2][4] = { { 0x11, 0x20, 0x04, 0x01 }, { 0x11, 0x28, 0x02, 0x01 } };

    for (unsigned i = 0; i < 4; i++) {
        outb(i ? 0x21 : 0x20, words[0][i]);
        outb(i ? 0xa1 : 0xa0, words[1][i]);
    }
    outb(0x21, 0xfe); /* the timer alone */
    outb(0xa1, 0xff);
}

static void pit_start(void)
{
    outb(0x43, 0x34); /* channel 0, both bytes, mode 2 */
    outb(0x40, (PIT_HZ / HZ) & 0xff);
    outb(0x40, (PIT_HZ / HZ) >> 8);
}

static void sleep_ticks(uint32_t n)
{
    uint32_t until = timer_ticks + n;

    while ((int32_t) (until - timer_ticks) > 0)
        __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static uint8_t rtc_second(void)
{
    outb(0x70, 0x00);
    return inb(0x71);
}

/* How long TICKS interrupts take, in microseconds */
static uint32_t measure(void)
{
    sleep_ticks(1);
    if (pm_port) {
        uint32_t start = pm_now();
        sleep_ticks(TICKS);
        return (uint32_t) ((uint64_t) ((pm_now() - start) & 0xffffff) * 1000000 / PM_HZ);
    }
    uint8_t second = rtc_second();
    while (rtc_second() == second)
        sleep_ticks(1);
    uint32_t start = timer_ticks;
    for (second = rtc_second(); rtc_second() == second;)
        sleep_ticks(1);
    uint32_t ticks = timer_ticks - start;
    return ticks ? 1000000 / ticks * TICKS : 0;
}

/* A busy host delivers late: the best of some tries counts. */
void check_timer(void)
{
    const uint32_t want = 1000000 / HZ * TICKS;
    uint32_t us = 0;

    interrupts_start();
    pic_start();
    pit_start();
    __asm__ volatile("sti" ::: "memory");
    for (int i = 0; i < 500 && !timer_ticks; i++)
        wait_us(1000);
    __asm__ volatile("cli" ::: "memory");
    if (!timer_ticks) { /* it would sleep for ever below */
        check(false, "Timer", "no interrupt from the PIT");
        return;
    }
    for (int i = 0; i < 5 && (us < want * 8 / 10 || us > want * 12 / 10); i++)
        us = measure();
    outb(0x21, 0xff);
    check(us >= want * 5 / 10 && us <= want * 2, "Timer", "%u ticks in %u.%u ms by the %s", TICKS, us / 1000,
          us / 100 % 10, pm_port ? "PM timer" : "RTC");
}
