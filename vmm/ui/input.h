/* vmm/ui/input.h - keyboard and pointer events on their way from a UI or the monitor to a device.
 *
 * Keys are Linux input event codes (KEY_A = 30 ..., linux/input-event-codes.h).  Under the VM lock. */
#ifndef BANTAM_UI_INPUT_H
#define BANTAM_UI_INPUT_H

#include "vmm/core/clock.h"

enum { BTN_MASK_LEFT = 1, BTN_MASK_RIGHT = 2, BTN_MASK_MIDDLE = 4, BTN_MASK_SIDE = 8, BTN_MASK_EXTRA = 16 };

struct input_handler { /* a device's wish for events; newest active one of a kind wins */
    const char *name;
    void (*key)(void *opaque, unsigned code, bool down);
    /* dy grows downwards, dz: wheel, towards the user > 0 */
    void (*rel)(void *opaque, int dx, int dy, int dz, unsigned buttons);
    void (*abs)(void *opaque, int x, int y, int dz, unsigned buttons);   /* 0..32767 */
    void *opaque;
    GList link;
};

struct input; /* vm->input, made by the first input_add_handler */
struct vm;

void input_add_handler(struct vm *vm, struct input_handler *h);
void input_remove_handler(struct vm *vm, struct input_handler *h);

void input_key(struct vm *vm, unsigned code, bool down);
void input_rel(struct vm *vm, int dx, int dy, int dz, unsigned buttons);
void input_abs(struct vm *vm, int x, int y, int dz, unsigned buttons);
bool input_is_absolute(struct vm *vm);
/* Pointing devices, the newest first, which is the current one. */
void input_each_pointer(struct vm *vm, void (*fn)(void *opaque, const char *name, bool absolute, bool current),
                        void *opaque);
void input_free(struct vm *vm);

/* Keyboard LEDs, from the device to the UI: bit 0 scroll, 1 num, 2 caps (PS/2's order). */
void input_set_leds(struct vm *vm, unsigned leds);
unsigned input_leds(struct vm *vm);

/* "ctrl-alt-delete", "a", "0x1e": QEMU's key names (qcodes); fills up to max codes, returns how many, 0 and
 * *err when unknown. */
unsigned input_parse_keys(const char *text, unsigned *codes, unsigned max, GError **err);
extern const char *const input_key_names[]; /* NULL at the end */
/* Press the keys in order, release them in reverse after hold_ms of virtual time.  False: there is no keyboard, or
 * too much waits to be typed already. */
bool input_send_combo(struct vm *vm, const unsigned *codes, unsigned n, unsigned hold_ms);

#endif
