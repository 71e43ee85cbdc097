/* bios/demo/main.c - the order of things, and how the machine ends. */
#include "demo.h"

enum { LOADER_MAGIC = 0x2badb002, DEBUG_EXIT = 0x501, SLP_EN = 0x2000 };

_Noreturn void main(uint32_t magic, const struct multiboot_info *info);

/* The compiler may call these. */
void *memset(void *to, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void *memset(void *to, int c, size_t n)
{
    for (volatile uint8_t *p = to; n--;)
        *p++ = (uint8_t) c;
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    const uint8_t *f = from;

    for (volatile uint8_t *p = to; n--;)
        *p++ = *f++;
    return to;
}

static _Noreturn void halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void power_off(void)
{
    if (acpi.pm1a_control)
        outw(acpi.pm1a_control, (uint16_t) (acpi.s5_type << 10 | SLP_EN));
    halt();
}

_Noreturn void leave_failed(unsigned failures)
{
    outb(DEBUG_EXIT, (uint8_t) (failures < 0x7f ? failures : 0x7f));
    halt(); /* there is no isa-debug-exit: the screen tells */
}

_Noreturn void main(uint32_t magic, const struct multiboot_info *info)
{
    report_start();
    if (magic != LOADER_MAGIC) {
        check(false, "Loader", "not a Multiboot one (0x%x)", magic);
        leave_failed(report_end());
    }
    check_memory_map(info);
    check_acpi();
    pm_timer_start();
    check_pci();
    check_cpus();
    check_ram();
    check_timer();
    check_keyboard();
    check_disks();
    if (!acpi.pm1a_control)
        check(false, "Power", "no way to switch the machine off");
    unsigned failures = report_end();
    if (failures)
        leave_failed(failures);
    power_off();
}
