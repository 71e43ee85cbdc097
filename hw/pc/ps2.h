/* hw/pc/ps2.h - PS/2 keyboard and mouse, as the 8042 sees them: bytes in, bytes out.
 *
 * The 8042 embeds both, and names them in its state table.  `notify` is called when there is something to
 * fetch. */
#ifndef BANTAM_HW_PC_PS2_H
#define BANTAM_HW_PC_PS2_H

#include "vmm/core/device.h"
#include "vmm/ui/input.h"

enum { PS2_QUEUE = 16, PS2_REPLY = 16 };
enum { PS2_ACK = 0xfa, PS2_RESEND = 0xfe, PS2_BAT_OK = 0xaa };

/* What a device has to say: replies to commands before data. */
struct ps2_out {
    void (*notify)(void *opaque);
    void *opaque;
    uint8_t reply[PS2_REPLY], n_reply;
    uint8_t data[PS2_QUEUE + 1]; /* one more than it holds: for the overrun code */
    uint8_t head, len;
    uint8_t last;                /* sent last, for FEh */
};
extern const struct state ps2_out_state[];
bool ps2_out_valid(const struct ps2_out *o);

static inline void ps2_reply(struct ps2_out *o, uint8_t b)
{
    if (o->n_reply < PS2_REPLY)
        o->reply[o->n_reply++] = b;
}
static inline unsigned ps2_room(const struct ps2_out *o)
{
    return o->len < PS2_QUEUE ? PS2_QUEUE - o->len : 0;
}
static inline void ps2_data(struct ps2_out *o, uint8_t b)
{
    if (o->len < sizeof o->data)
        o->data[(o->head + o->len++) % sizeof o->data] = b;
}
static inline bool ps2_pending(const struct ps2_out *o)
{
    return o->n_reply || o->len;
}
uint8_t ps2_fetch(struct ps2_out *o); /* only when pending */

struct ps2kbd {
    struct device *dev;
    struct input_handler input;
    struct timer repeat;
    struct ps2_out out;
    uint8_t arg;           /* the command whose argument is next; 0: none */
    uint8_t set;           /* scan code set, 1..3 */
    bool scanning;
    bool overrun;          /* the queue was full: keys are lost until it is empty */
    uint8_t leds, rate;    /* arguments of EDh and F3h */
    uint8_t repeating;     /* key; 0: none */
    uint8_t down[32];      /* by Linux key code: bits of the keys that are down, */
    uint8_t told[32];      /* and of those that the guest believes to be */
    uint8_t type[0x90];    /* set 3: by scan code */
};
extern const struct state ps2kbd_state[];
extern const uint8_t ps2_set2_to_set1[256];
void ps2kbd_init(struct ps2kbd *k, struct device *dev, void (*notify)(void *opaque), void *opaque);
void ps2kbd_clear(struct ps2kbd *k);
void ps2kbd_reset(struct ps2kbd *k);
void ps2kbd_write(struct ps2kbd *k, uint8_t b);
uint8_t ps2kbd_fetch(struct ps2kbd *k);
bool ps2kbd_post_load(struct ps2kbd *k);

struct ps2mouse {
    struct device *dev;
    struct input_handler input;
    struct timer sample;
    struct ps2_out out;
    uint8_t arg;
    uint8_t id;            /* 0: PS/2, 3: wheel, 4: wheel and five buttons */
    bool remote, wrap, enabled, twice;
    bool bad;              /* the last byte was refused: the next bad one is an error */
    uint8_t resolution, rate;
    uint8_t knock[2];      /* the sample rates set before the last one */
    uint8_t buttons, sent; /* BTN_MASK_*: now, and in the last packet */
    int32_t dx, dy, dz;    /* not sent yet; dy grows upwards */
};
extern const struct state ps2mouse_state[];
void ps2mouse_init(struct ps2mouse *m, struct device *dev, void (*notify)(void *opaque), void *opaque);
void ps2mouse_clear(struct ps2mouse *m);
void ps2mouse_reset(struct ps2mouse *m);
void ps2mouse_write(struct ps2mouse *m, uint8_t b);
bool ps2mouse_post_load(struct ps2mouse *m);

#endif
