/* bios/demo/acpi.c - what the ACPI tables say of CPUs and power.
 * Sheet: ACPI specification 1.0b, chapter 5. */
#include "demo.h"

struct header {
    char sig[4];
    uint32_t len;
    uint8_t revision, sum, oem[26];
} __attribute__((packed));

struct acpi acpi;
static const uint64_t RSD_PTR = 0x2052545020445352; /* "RSD PTR " */

static bool same(const void *p, const char *sig, unsigned n)
{
    const char *s = p;

    for (unsigned i = 0; i < n; i++)
        if (s[i] != sig[i])
            return false;
    return true;
}

static bool sums_to_zero(const void *p, uint32_t len)
{
    const uint8_t *b = p;
    uint8_t sum = 0;

    while (len--)
        sum = (uint8_t) (sum + *b++);
    return sum == 0;
}

static uint32_t get32(const void *p, unsigned off)
{
    const uint8_t *b = (const uint8_t *) p + off;

    return (uint32_t) (b[0] | b[1] << 8 | b[2] << 16) | (uint32_t) b[3] << 24;
}

static const void *find_rsdp(uintptr_t from, uintptr_t to)
{
    for (uintptr_t a = from; a < to; a += 16)
        if (*(const uint64_t *) a == RSD_PTR && sums_to_zero((const void *) a, 20))
            return (const void *) a;
    return NULL;
}

static void read_madt(const struct header *t)
{
    const uint8_t *p = (const uint8_t *) t + 44, *stop = (const uint8_t *) t + t->len;

    for (; p + 2 <= stop && p[1] >= 2; p += p[1])
        acpi.cpus += p[0] == 0 && (p[4] & 1); /* a local APIC that is enabled */
}

/* Name (_S5, Package { SLP_TYPa, ... }): the bytes are 08 "_S5_" 12 length count value */
static void read_dsdt(const struct header *t)
{
    const uint8_t *p = (const uint8_t *) t;

    if (!same(t, "DSDT", 4))
        return;
    for (uint32_t i = sizeof *t; i + 12 < t->len; i++) {
        if (p[i] != '_' || get32(p, i) != 0x5f35535f || p[i + 4] != 0x12)
            continue;
        const uint8_t *v = p + i + 5;
        v += (*v >> 6) + 2;                 /* package length and count */
        acpi.s5_type = *v == 0x0a ? v[1] : *v == 0x01;
        return;
    }
}

static void read_fadt(const struct header *t)
{
    acpi.pm1a_control = (uint16_t) get32(t, 64);
    acpi.pm_timer = (uint16_t) get32(t, 76);
    read_dsdt((const struct header *) (uintptr_t) get32(t, 40));
}

void check_acpi(void)
{
    volatile uintptr_t bda_ebda = 0x40e; /* volatile: the compiler takes so low an address for NULL */
    uintptr_t ebda = (uintptr_t) *(const uint16_t *) bda_ebda << 4;
    const void *rsdp = find_rsdp(0xe0000, 0x100000);
    unsigned n = 0;
    char names[41] = "";
    bool ok = true;

    if (!rsdp && ebda >= 0x80000 && ebda < 0xa0000)
        rsdp = find_rsdp(ebda, ebda + 1024);
    if (!rsdp) {
        note("no ACPI tables");
        return;
    }
    acpi.found = true;
    const struct header *rsdt = (const struct header *) (uintptr_t) get32(rsdp, 16);
    ok = same(rsdt, "RSDT", 4) && sums_to_zero(rsdt, rsdt->len);
    for (uint32_t off = sizeof *rsdt; ok && off + 4 <= rsdt->len; off += 4) {
        const struct header *t = (const struct header *) (uintptr_t) get32(rsdt, off);
        if (same(t, "APIC", 4))
            read_madt(t);
        if (same(t, "FACP", 4))
            read_fadt(t);
        for (unsigned i = 0; i < 4 && n < sizeof names - 2; i++)
            names[n++] = t->sig[i];
        names[n++] = ' ';
        ok = ok && t->len < 0x100000 && sums_to_zero(t, same(t, "FACS", 4) ? 0 : t->len);
    }
    check(ok, "ACPI", "%s", names);
}
