/* bios/demo/demo.h - the built-in demo guest: a small kernel that looks at the PC it finds itself on.
 *
 * Entered as a Multiboot 1 kernel in 32-bit protected mode; start.S goes on to 64-bit long mode, where
 * interrupts work even on hosts whose KVM interprets the guest.  Only general registers are used: no x87,
 * no SSE.  The screen is 80x25 text; every line goes to COM1 as well.  One CPU runs this code; the others
 * only count themselves. */
#ifndef BANTAM_DEMO_H
#define BANTAM_DEMO_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}
static inline void insw(uint16_t port, void *buf, unsigned words)
{
    __asm__ volatile("rep insw" : "+D"(buf), "+c"(words) : "d"(port) : "memory");
}

/* --- report.c: what is said, and what became of each check --- */
void report_start(void);
/* A heading with a verdict; a failed one decides how the machine ends. */
void check(bool ok, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* a detail below it */
void aside(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* one under the picture */
unsigned report_end(void); /* draws the verdict; how many checks failed */
size_t format(char *out, size_t size, const char *fmt, va_list ap);

/* --- screen.c --- */
void screen_start(void); /* the frame and the picture; nothing without a VGA */
void screen_text(unsigned x, unsigned y, uint8_t attr, const char *text);

/* --- start.S --- */
extern volatile uint32_t timer_ticks;       /* interrupts of the PIT */
extern const uint8_t ap_code[];
extern const uint32_t ap_code_size;
enum { AP_PAGE = 0x70000, AP_COUNT = 0x70ff0 }; /* where they run; a 16-bit counter */
void interrupts_start(void);
void exception(unsigned vector, uint64_t error, uint64_t rip); /* called from there */

/* --- the checks; in the order in which they run --- */
struct multiboot_info;
void check_memory_map(const struct multiboot_info *info);
void check_acpi(void);
void check_pci(void);
void check_cpus(void);
void check_ram(void);
void check_timer(void);
void check_keyboard(void);
void check_disks(void);

struct range {
    uint64_t start, size;
};
enum { MAX_RANGES = 16 };
extern struct range usable[MAX_RANGES];     /* memory.c: RAM that the map calls free */
extern unsigned n_usable;

struct acpi {                               /* acpi.c: what the tables say; 0 where they say nothing */
    bool found;
    unsigned cpus;
    uint16_t pm1a_control, pm_timer;
    uint8_t s5_type;
};
extern struct acpi acpi;

uint32_t pci_read(unsigned devfn, unsigned off);
void pci_write(unsigned devfn, unsigned off, uint32_t val);

/* --- timer.c: time by the ACPI PM timer --- */
void pm_timer_start(void);
bool have_pm_timer(void);
void wait_us(uint32_t us);

_Noreturn void power_off(void);
_Noreturn void leave_failed(unsigned failures);

#endif
