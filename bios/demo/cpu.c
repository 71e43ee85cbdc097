/* bios/demo/cpu.c - which CPU this is, and how many there are: all others are started, and count themselves.
 * Sheet: Intel SDM volume 3, chapter 8 (INIT, SIPI), chapter 10 (local APIC). */
#include "demo.h"

enum { APIC = 0xfee00000, APIC_SVR = 0xf0, APIC_ICR = 0x300, APIC_LVT0 = 0x350 };
enum { ICR_INIT = 0x500, ICR_STARTUP = 0x600, ICR_ASSERT = 0x4000, ICR_ALL_BUT_SELF = 0xc0000,
       ICR_BUSY = 0x1000 };

static volatile uint32_t *apic(unsigned reg)
{
    return (volatile uint32_t *) (uintptr_t) (APIC + reg);
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

static void brand(char out[49])
{
    uint32_t r[4];

    cpuid(0x80000000, r);
    out[0] = 0;
    if (r[0] < 0x80000004)
        return;
    for (unsigned i = 0; i < 3; i++) {
        cpuid(0x80000002 + i, r);
        for (unsigned b = 0; b < 16; b++)
            out[16 * i + b] = (char) (r[b / 4] >> (8 * (b % 4)));
    }
    out[48] = 0;
    unsigned n = 0, skip = 0;
    while (out[skip] == ' ')
        skip++;
    for (; out[skip]; skip++)
        out[n++] = out[skip];
    out[n] = 0;
}

static void send(uint32_t command)
{
    *apic(APIC_ICR) = command | ICR_ASSERT | ICR_ALL_BUT_SELF;
    for (int i = 0; i < 1000 && (*apic(APIC_ICR) & ICR_BUSY); i++)
        ;
}

static unsigned start_others(unsigned expected)
{
    volatile uint16_t *count = (volatile uint16_t *) AP_COUNT;

    for (unsigned i = 0; i < ap_code_size; i++)
        ((volatile uint8_t *) AP_PAGE)[i] = ap_code[i];
    *count = 0;
    send(ICR_INIT);
    wait_us(10000);
    send(ICR_STARTUP | AP_PAGE >> 12);
    wait_us(200);
    send(ICR_STARTUP | AP_PAGE >> 12);
    for (int ms = 0; ms < (expected ? 3000 : 100) && (!expected || *count + 1u < expected); ms++)
        wait_us(1000);
    return *count;
}

void check_cpus(void)
{
    uint32_t id[4];
    char name[49];
    unsigned n = 1;

    cpuid(1, id);
    if (id[3] & 1u << 9) { /* a local APIC: on, the PIC's interrupts pass through LINT0 */
        *apic(APIC_SVR) = 0x1ff;
        *apic(APIC_LVT0) = 0x700;
        if (acpi.cpus != 1)
            n += start_others(acpi.cpus);
    }
    bool ok = !acpi.cpus || n == acpi.cpus;
    check(ok, "CPUs", "%u started%s", n, ok ? "" : ", the tables say else");
    brand(name);
    if (name[0])
        note("%s", name);
}
