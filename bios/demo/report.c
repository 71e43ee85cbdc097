/* bios/demo/report.c - formatting, COM1, and the list of checks. */
#include "demo.h"

enum { COM1 = 0x3f8, LIST_X = 33, LIST_Y = 2, LIST_END = 23, LIST_WIDTH = 46,
       ASIDE_X = 2, ASIDE_Y = 18, ASIDE_END = 24, ASIDE_WIDTH = 28 };
enum { ATTR_PLAIN = 0x17, ATTR_DETAIL = 0x13, ATTR_NAME = 0x1f, ATTR_OK = 0x1a, ATTR_BAD = 0x4f };

static unsigned row, aside_row, failures, checks;
static bool serial;

/* --- text ------------------------------------------------------------------------------------------ */

static size_t put(char *out, size_t size, size_t at, char c)
{
    if (at + 1 < size)
        out[at] = c;
    return at + 1;
}

static size_t put_number(char *out, size_t size, size_t at, uint64_t v, unsigned base, int width, char pad)
{
    char digits[24];
    int n = 0;

    do
        digits[n++] = "0123456789abcdef"[v % base];
    while (v /= base);
    for (; width > n; width--)
        at = put(out, size, at, pad);
    while (n)
        at = put(out, size, at, digits[--n]);
    return at;
}

/* %s %c %u %x %%, with a width, 0 and l. */
size_t format(char *out, size_t size, const char *fmt, va_list ap)
{
    size_t at = 0;

    for (; *fmt; fmt++) {
        char pad = ' ';
        int width = 0;
        bool wide = false;
        if (*fmt != '%') {
            at = put(out, size, at, *fmt);
            continue;
        }
        if (*++fmt == '0')
            pad = '0';
        while (*fmt >= '0' && *fmt <= '9')
            width = width * 10 + *fmt++ - '0';
        if (*fmt == 'l') {
            wide = true;
            fmt++;
        }
        switch (*fmt) {
        case 's':
            for (const char *s = va_arg(ap, const char *); *s || width > 0; width--)
                at = put(out, size, at, *s ? *s++ : ' ');
            break;
        case 'c': at = put(out, size, at, (char) va_arg(ap, int)); break;
        case 'u':
        case 'x': {
            uint64_t v = wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
            at = put_number(out, size, at, v, *fmt == 'x' ? 16 : 10, width, pad);
            break;
        }
        default: at = put(out, size, at, *fmt);
        }
    }
    out[at < size ? at : size - 1] = 0;
    return at;
}

/* --- COM1 ------------------------------------------------------------------------------------------ */

static void serial_start(void)
{
    outb(COM1 + 7, 0x5a); /* a scratch register that keeps its value: there is a port */
    serial = inb(COM1 + 7) == 0x5a;
    if (!serial)
        return;
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80); /* 115200 baud, 8N1, FIFO on */
    outb(COM1 + 0, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 7);
    outb(COM1 + 4, 3);
}

static void serial_put(char c)
{
    while (!(inb(COM1 + 5) & 0x20))
        ;
    outb(COM1, (uint8_t) c);
}

static void serial_line(const char *s)
{
    if (!serial)
        return;
    while (*s)
        serial_put(*s++);
    serial_put('\r');
    serial_put('\n');
}

/* --- the list -------------------------------------------------------------------------------------- */

void report_start(void)
{
    serial_start();
    screen_start();
    row = LIST_Y;
    aside_row = ASIDE_Y;
    serial_line("Bantam demo guest");
}

static void show(unsigned x, unsigned y, unsigned width, uint8_t attr, const char *text)
{
    char cut[LIST_WIDTH + 1];
    unsigned n = 0;

    for (; n < width && text[n]; n++)
        cut[n] = text[n];
    cut[n] = 0;
    screen_text(x, y, attr, cut);
}

static void list(const char *text, uint8_t attr)
{
    if (row < LIST_END)
        show(LIST_X, row, LIST_WIDTH, attr, text);
}

void check(bool ok, const char *name, const char *fmt, ...)
{
    char line[128] = "";
    size_t n = 0;
    va_list ap;

    checks++;
    failures += !ok;
    for (const char *p = name; *p; p++)
        line[n++] = *p;
    while (n < 10)
        line[n++] = ' ';
    va_start(ap, fmt);
    format(line + n, sizeof line - n, fmt, ap);
    va_end(ap);
    list(line, ATTR_PLAIN);
    if (row < LIST_END) {
        screen_text(LIST_X, row, ATTR_NAME, name);
        screen_text(LIST_X - 2, row, ok ? ATTR_OK : ATTR_BAD, ok ? "\xfb" : "!");
    }
    row++;
    serial_line(line);
    if (!ok)
        serial_line("          ^ FAILED");
}

void note(const char *fmt, ...)
{
    char line[128] = "  ";
    va_list ap;

    va_start(ap, fmt);
    format(line + 2, sizeof line - 2, fmt, ap);
    va_end(ap);
    list(line, ATTR_DETAIL);
    row++;
    serial_line(line);
}

void aside(const char *fmt, ...)
{
    char line[128] = "  ";
    va_list ap;

    va_start(ap, fmt);
    format(line + 2, sizeof line - 2, fmt, ap);
    va_end(ap);
    if (aside_row < ASIDE_END)
        show(ASIDE_X, aside_row++, ASIDE_WIDTH, ATTR_DETAIL, line + 2);
    serial_line(line);
}

static void verdict(const char *fmt, ...)
{
    char line[80];
    va_list ap;

    va_start(ap, fmt);
    format(line, sizeof line, fmt, ap);
    va_end(ap);
    screen_text(LIST_X, LIST_END, failures ? ATTR_BAD : 0x2f, line);
    serial_line(line);
}

unsigned report_end(void)
{
    if (failures)
        verdict(" %u of %u checks FAILED. ", failures, checks);
    else
        verdict(" All %u checks passed. Powering off. ", checks);
    return failures;
}

void exception(unsigned vector, uint64_t error, uint64_t rip)
{
    check(false, "Exception", "%u (error 0x%lx) at 0x%lx", vector, error, rip);
    leave_failed(report_end());
}
