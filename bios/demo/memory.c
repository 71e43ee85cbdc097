/* bios/demo/memory.c - the memory map, and a test of memory that it calls free. */
#include "demo.h"

struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr;
};
struct multiboot_mmap {
    uint32_t size;
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));
enum { INFO_MMAP = 0x40, MMAP_FREE = 1 };
enum { TEST_BYTES = 128 << 10, STEP = 1 << 20 };

struct range usable[MAX_RANGES];
unsigned n_usable;
extern char end[];

static const char *type_name(uint32_t type)
{
    static const char *const names[] = { "?", "free", "reserved", "ACPI", "ACPI NVS", "bad" };

    return names[type < 6 ? type : 2];
}

void check_memory_map(const struct multiboot_info *info)
{
    uint64_t total = 0;
    unsigned n = 0;
    const uint8_t *p = (const uint8_t *) (uintptr_t) info->mmap_addr, *stop = p + info->mmap_length;

    for (const uint8_t *q = p; (info->flags & INFO_MMAP) && q < stop; n++) {
        const struct multiboot_mmap *m = (const struct multiboot_mmap *) q;
        if (m->type == MMAP_FREE) {
            total += m->len;
            if (n_usable < MAX_RANGES)
                usable[n_usable++] = (struct range){ m->addr, m->len };
        }
        q += m->size + 4;
    }
    check(n_usable > 0, "Memory", "%lu MiB free", (unsigned long) (total >> 20));
    for (; n && p < stop; n--) {
        const struct multiboot_mmap *m = (const struct multiboot_mmap *) p;
        aside("%08lx-%08lx %s", (unsigned long) m->addr, (unsigned long) (m->addr + m->len - 1),
              type_name(m->type));
        p += m->size + 4;
    }
}

/* Free memory below 4 GiB (no more is mapped) and above this program; the first MiB is left alone. */
static bool clip(const struct range *r, uint64_t *from, uint64_t *to)
{
    uint64_t low = ((uint64_t) (uintptr_t) end + STEP - 1) / STEP * STEP + STEP;

    *from = r->start > low ? r->start : low;
    *to = r->start + r->size < 1ULL << 32 ? r->start + r->size : 1ULL << 32;
    return *from + 8 <= *to;
}

static volatile uint64_t *at(uint64_t addr)
{
    return (volatile uint64_t *) (uintptr_t) addr;
}

/* Every word of a piece, with its address and then the inverse */
static bool test_piece(uint64_t from, uint64_t to)
{
    for (int pass = 0; pass < 2; pass++) {
        uint64_t flip = pass ? ~0ULL : 0;
        for (uint64_t a = from; a < to; a += 8)
            *at(a) = a ^ flip;
        for (uint64_t a = from; a < to; a += 8)
            if (*at(a) != (a ^ flip))
                return false;
    }
    return true;
}

/* A word behind every address line: all are written before any is read, so that lines that are missing or
 * tied together show.  No more is touched: most of the memory the host has not even provided yet. */
static unsigned test_lines(bool *ok)
{
    unsigned n = 0;

    for (int reading = 0; reading < 2; reading++) {
        for (unsigned i = 0; i < n_usable; i++) {
            uint64_t from, to;
            if (!clip(&usable[i], &from, &to))
                continue;
            for (uint64_t line = STEP; line < 1ULL << 32; line <<= 1) {
                uint64_t a = from | line;
                if (a + 8 > to)
                    break;
                if (!reading)
                    *at(a) = a * 0x9e3779b97f4a7c15;
                else if (*at(a) != a * 0x9e3779b97f4a7c15)
                    *ok = false;
                n += reading;
            }
        }
    }
    return n;
}

void check_ram(void)
{
    uint64_t from = 0, to = 0;
    bool ok = true;

    for (unsigned i = 0; i < n_usable; i++)
        if (clip(&usable[i], &from, &to) && to - from >= TEST_BYTES)
            break;
    if (to - from >= TEST_BYTES)
        ok = test_piece(from & ~7ULL, (from & ~7ULL) + TEST_BYTES);
    unsigned n = test_lines(&ok);
    check(ok && n, "RAM test", "%u KiB, and %u address lines", TEST_BYTES >> 10, n);
}
