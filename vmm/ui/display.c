/* vmm/ui/display.c - the registry of consoles and their surfaces. */
#include "vmm/ui/display.h"
#include "vmm/core/vm.h"

enum { FIRST_WIDTH = 720, FIRST_HEIGHT = 400, MAX_SIDE = 16384 };

void console_init(struct console *con, struct device *dev, const struct console_ops *ops, void *opaque)
{
    *con = (struct console){ .vm = dev->vm, .dev = dev, .ops = ops, .opaque = opaque };
    g_ptr_array_add(dev->vm->consoles, con);
}

void console_clear(struct console *con)
{
    if (con->vm)
        g_ptr_array_remove(con->vm->consoles, con);
    g_clear_pointer(&con->surface, pixman_image_unref);
    *con = (struct console){ 0 };
}

void console_resize(struct console *con, int w, int h)
{
    w = CLAMP(w, 1, MAX_SIDE);
    h = CLAMP(h, 1, MAX_SIDE);
    if (con->surface && con->width == w && con->height == h)
        return;
    /* Who still copies from the old surface holds a reference to it. */
    g_clear_pointer(&con->surface, pixman_image_unref);
    con->surface = pixman_image_create_bits(PIXMAN_x8r8g8b8, w, h, NULL, 0); /* zeroed */
    if (!con->surface)
        g_error("display: no memory for %dx%d pixels", w, h); /* as every allocation of GLib's */
    con->width = w;
    con->height = h;
    con->generation++;
}

/* Writes that the accelerator still holds back belong into the picture. */
static void drain(const struct console *con)
{
    if (con->vm->accel && con->vm->accel->drain)
        con->vm->accel->drain(con->vm->accel_opaque);
}

void console_update(struct console *con, bool full, struct rect *dirty)
{
    unsigned before = con->generation;

    *dirty = (struct rect){ 0 };
    if (!con->surface)
        console_resize(con, FIRST_WIDTH, FIRST_HEIGHT);
    drain(con);
    con->ops->update(con->opaque, full, dirty);
    if (full || con->generation != before)
        *dirty = (struct rect){ 0, 0, con->width, con->height };
}

char *console_text(struct console *con)
{
    drain(con);
    return con->ops->text ? con->ops->text(con->opaque) : NULL;
}

void console_idle(struct console *con)
{
    if (con->ops->idle)
        con->ops->idle(con->opaque);
}

struct console *console_first(struct vm *vm)
{
    return vm->consoles->len ? vm->consoles->pdata[0] : NULL;
}
