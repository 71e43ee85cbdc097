/* vmm/ui/display.h - consoles: what a display device shows, and how a UI asks for it.
 *
 * A display device registers a console.  A UI (SDL, VNC, screendump) calls console_update(), which asks
 * the device to draw what changed into its surface and to say where.  Under the VM lock; a UI copies or
 * encodes the pixels afterwards without it (surface pixels are stable until the next console_update()). */
#ifndef BANTAM_UI_DISPLAY_H
#define BANTAM_UI_DISPLAY_H

#include "vmm/base/util.h"

#include <pixman.h>

struct vm;
struct device;

struct rect {
    int x, y, w, h; /* empty when w or h is 0 */
};

struct console_ops {
    /* Bring con->surface up to date and put the bounding box of what changed into *dirty (all of it
     * when `full`, or when the mode changed). */
    void (*update)(void *opaque, bool full, struct rect *dirty);
    /* The text on a text screen as UTF-8, lines ended by \n without trailing blanks; NULL in
     * graphics modes.  Caller frees. */
    char *(*text)(void *opaque);
    /* No UI watches any longer, until the next update that is not `full`: stop tracking what
     * changes.  May be NULL. */
    void (*idle)(void *opaque);
};

struct console {
    struct vm *vm;
    struct device *dev;
    const struct console_ops *ops;
    void *opaque;
    pixman_image_t *surface; /* x8r8g8b8; replaced when the size changes; never NULL after the first update */
    int width, height;
    unsigned generation; /* counts size changes */
};

/* registers it */
void console_init(struct console *con, struct device *dev, const struct console_ops *ops, void *opaque);
void console_clear(struct console *con);
/* Make the surface w x h (1..16384 each); black when it changed.  By the device, from update(). */
void console_resize(struct console *con, int w, int h);
static inline uint32_t *console_row(const struct console *con, int y)
{
    return (uint32_t *) ((char *) pixman_image_get_data(con->surface) +
                         (ptrdiff_t) y * pixman_image_get_stride(con->surface));
}

void console_update(struct console *con, bool full, struct rect *dirty);
char *console_text(struct console *con);
void console_idle(struct console *con); /* by a UI that stops watching (the last VNC client left) */
struct console *console_first(struct vm *vm); /* NULL: no display */

/* Screenshots (vmm/ui/screenshot.c): takes the VM lock itself around the update.  format is "png",
 * "ppm", or NULL: by the end of the name, ppm when it says nothing.  The file appears whole or not
 * at all. */
bool screenshot_write(struct console *con, const char *path, const char *format, GError **err);

#endif
