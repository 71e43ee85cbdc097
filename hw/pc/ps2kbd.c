/* hw/pc/ps2kbd.c - PS/2 keyboard (101/102 keys and the later ones), scan code sets 1, 2 and 3.
 *
 * Sheet: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard (101/102-Key)": commands
 * from the system, scan code tables, key types of set 3.
 *
 * The host's own key repetition is ignored: the keyboard repeats by itself, at the rate that the guest sets.
 *
 * Deviations:
 * - The grey keys send no artificial shift codes around theirs when Num Lock or a shift key is on: the E0h
 *   before them tells them from the key pad's.
 * - After an overrun the break codes that were lost are sent when the queue has drained, so that no key
 *   sticks.
 * - A key is not repeated while the guest has not yet fetched the last code: a slow guest gets no backlog.
 * - Self test takes no time. */
#include "hw/pc/ps2.h"
#include "hw/pc/ps2keys.h"

enum { T_TYPEMATIC = 1, T_BREAK = 2 };
enum { DEFAULT_RATE = 0x2b }; /* 500 ms, then 10.9 a second */
enum { MAX_SEQ = 8 };

static bool get_bit(const uint8_t *map, unsigned n)
{
    return map[n >> 3] >> (n & 7) & 1;
}

static void set_bit(uint8_t *map, unsigned n, bool on)
{
    map[n >> 3] = (uint8_t) ((map[n >> 3] & ~BIT(n & 7)) | (unsigned) on << (n & 7));
}

/* --- what a key sends ------------------------------------------------------------------------------- */

static unsigned put_code(uint8_t *seq, unsigned n, unsigned code, bool down) /* in set 2 */
{
    if (code & X)
        seq[n++] = 0xe0;
    if (!down)
        seq[n++] = 0xf0;
    seq[n++] = (uint8_t) code;
    return n;
}

/* Print Screen and Pause depend on the modifiers, because they share codes with older keys. */
static unsigned special(const struct ps2kbd *k, unsigned key, bool down, bool again, uint8_t *seq)
{
    bool ctrl = get_bit(k->down, KEY_LEFTCTRL) || get_bit(k->down, KEY_RIGHTCTRL);
    bool alt = get_bit(k->down, KEY_LEFTALT) || get_bit(k->down, KEY_RIGHTALT);
    bool shift = get_bit(k->down, KEY_LEFTSHIFT) || get_bit(k->down, KEY_RIGHTSHIFT);
    unsigned n = 0;

    if (key == KEY_SYSRQ) {
        if (alt)
            return put_code(seq, 0, 0x84, down);
        if (down && !ctrl && !shift && !again)
            n = put_code(seq, n, X | 0x12, true);
        n = put_code(seq, n, X | 0x7c, down);
        if (!down && !ctrl && !shift)
            n = put_code(seq, n, X | 0x12, false);
        return n;
    }
    if (!down)
        return 0; /* Pause: make and break at once */
    if (ctrl)
        return put_code(seq, put_code(seq, 0, X | 0x7e, true), X | 0x7e, false);
    memcpy(seq, "\xe1\x14\x77\xe1\xf0\x14\xf0\x77", 8);
    return 8;
}

static unsigned to_set1(uint8_t *seq, unsigned n)
{
    unsigned to = 0, brk = 0;

    for (unsigned i = 0; i < n; i++) {
        if (seq[i] == 0xf0) {
            brk = 0x80;
            continue;
        }
        bool prefix = seq[i] == 0xe0 || seq[i] == 0xe1;
        seq[to++] = (uint8_t) (prefix ? seq[i] : ps2_set2_to_set1[seq[i]] | brk);
        brk = prefix ? brk : 0;
    }
    return to;
}

static unsigned sequence(const struct ps2kbd *k, unsigned key, bool down, bool again, uint8_t *seq)
{
    const struct key *c = &keys[key];

    if (k->set == 3) {
        uint8_t type = k->type[c->set3];
        if (!c->set3 || (!down && !(type & T_BREAK)) || (again && !(type & T_TYPEMATIC)))
            return 0;
        return put_code(seq, 0, c->set3, down);
    }
    if (!c->set2 || (again && key == KEY_PAUSE) || (!down && c->set2 >= 0xf0 && !(c->set2 & X)))
        return 0; /* Hangeul and Hanja have no break code */
    bool is_special = key == KEY_SYSRQ || key == KEY_PAUSE;
    unsigned n = is_special ? special(k, key, down, again, seq) : put_code(seq, 0, c->set2, down);
    return k->set == 1 ? to_set1(seq, n) : n;
}

static bool enqueue(struct ps2kbd *k, unsigned key, bool down, bool again)
{
    uint8_t seq[MAX_SEQ];
    unsigned n = sequence(k, key, down, again, seq);

    if (k->overrun || n > ps2_room(&k->out)) {
        if (!k->overrun)
            ps2_data(&k->out, k->set == 1 ? 0xff : 0x00); /* there is a place more for it */
        k->overrun = true;
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        ps2_data(&k->out, seq[i]);
    set_bit(k->told, key, down);
    return n;
}

static void send(struct ps2kbd *k, unsigned key, bool down, bool again)
{
    if (enqueue(k, key, down, again))
        k->out.notify(k->out.opaque);
}

uint8_t ps2kbd_fetch(struct ps2kbd *k)
{
    uint8_t b = ps2_fetch(&k->out);

    if (k->out.len)
        return b;
    k->overrun = false;
    if (k->scanning) /* breaks that were lost */
        for (unsigned i = 1; i < 256 && !k->out.len; i++)
            if (get_bit(k->told, i) && !get_bit(k->down, i))
                enqueue(k, i, false, false);
    return b;
}

/* --- keys ------------------------------------------------------------------------------------------- */

static void stop_repeat(struct ps2kbd *k)
{
    k->repeating = 0;
    timer_stop(&k->repeat);
}

static void repeat(void *opaque)
{
    struct ps2kbd *k = opaque;
    int64_t period = (8 + (k->rate & 7)) * (int64_t) BIT(k->rate >> 3 & 3) * NS_PER_SEC / 240;

    if (!k->repeating || !k->scanning)
        return;
    if (!ps2_pending(&k->out))
        send(k, k->repeating, true, true);
    timer_at(&k->repeat, MAX(k->repeat.deadline + period, clock_now(k->dev->vm)));
}

static void key_event(void *opaque, unsigned key, bool down)
{
    struct ps2kbd *k = opaque;

    if (key >= 256 || !(keys[key].set2 | keys[key].set3) || get_bit(k->down, key) == down)
        return; /* unknown, or the host's repetition */
    set_bit(k->down, key, down);
    if (k->repeating && (down || k->repeating == key))
        stop_repeat(k);
    if (!k->scanning || (!down && !get_bit(k->told, key)))
        return;
    TRACE(k->dev, "key %u %s", key, down ? "down" : "up");
    send(k, key, down, false);
    if (down && key != KEY_PAUSE) {
        k->repeating = (uint8_t) key;
        timer_at(&k->repeat, clock_now(k->dev->vm) + ((k->rate >> 5 & 3) + 1) * 250 * NS_PER_MS);
    }
}

/* --- commands --------------------------------------------------------------------------------------- */

static void default_types(struct ps2kbd *k)
{
    static const uint8_t make_break[] = { 0x11, 0x12, 0x14, 0x19, 0x59, 0x8b, 0x8c, 0x8d };
    static const uint8_t make_only[] = {
        0x07, 0x08, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x56, 0x5e, 0x57, 0x5f, 0x62,
        0x39, 0x58, 0x67, 0x6e, 0x65, 0x6f, 0x6d, 0x76, 0x77, 0x7e, 0x84, 0x79, 0x6c, 0x75, 0x7d, 0x6b,
        0x73, 0x74, 0x69, 0x72, 0x7a, 0x70, 0x71,
    };

    memset(k->type, T_TYPEMATIC, sizeof k->type);
    for (unsigned i = 0; i < sizeof make_break; i++)
        k->type[make_break[i]] = T_BREAK;
    for (unsigned i = 0; i < sizeof make_only; i++)
        k->type[make_only[i]] = 0;
}

static void clear(struct ps2kbd *k)
{
    k->out.head = k->out.len = 0;
    k->overrun = false;
    memset(k->told, 0, sizeof k->told);
    stop_repeat(k);
}

static void defaults(struct ps2kbd *k)
{
    clear(k);
    k->set = 2;
    k->rate = DEFAULT_RATE;
    default_types(k);
}

static void set_leds(struct ps2kbd *k, uint8_t leds)
{
    k->leds = leds & 7;
    input_set_leds(k->dev->vm, k->leds);
}

static void command(struct ps2kbd *k, uint8_t v)
{
    switch (v) {
    case 0xed: case 0xf0: case 0xf3: case 0xfb: case 0xfc: case 0xfd:
        k->arg = v;
        break;
    case 0xee: /* echo */
        ps2_reply(&k->out, v);
        return;
    case 0xf2:
        ps2_reply(&k->out, PS2_ACK);
        ps2_reply(&k->out, 0xab);
        ps2_reply(&k->out, 0x83);
        return;
    case 0xf4: clear(k); k->scanning = true; break;
    case 0xf5: defaults(k); k->scanning = false; break;
    case 0xf6: defaults(k); break;
    case 0xf7: memset(k->type, T_TYPEMATIC, sizeof k->type); break;
    case 0xf8: memset(k->type, T_BREAK, sizeof k->type); break;
    case 0xf9: memset(k->type, 0, sizeof k->type); break;
    case 0xfa: memset(k->type, T_TYPEMATIC | T_BREAK, sizeof k->type); break;
    case PS2_RESEND:
        ps2_reply(&k->out, k->out.last);
        return;
    case 0xff:
        ps2kbd_reset(k);
        ps2_reply(&k->out, PS2_ACK);
        ps2_reply(&k->out, PS2_BAT_OK);
        return;
    default:
        ps2_reply(&k->out, PS2_RESEND);
        return;
    }
    ps2_reply(&k->out, PS2_ACK);
}

static void argument(struct ps2kbd *k, uint8_t cmd, uint8_t v)
{
    uint8_t answer = PS2_ACK;

    switch (cmd) {
    case 0xed:
        set_leds(k, v);
        break;
    case 0xf3:
        if (v & 0x80)
            answer = PS2_RESEND;
        else
            k->rate = v;
        break;
    case 0xf0:
        if (v == 0) {
            ps2_reply(&k->out, PS2_ACK);
            answer = k->set;
        } else if (v <= 3) {
            clear(k);
            k->set = v;
        } else {
            answer = PS2_RESEND;
        }
        break;
    default: /* set the type of one key after the other, until a command comes */
        k->arg = cmd;
        if (v < sizeof k->type)
            k->type[v] = cmd == 0xfb ? T_TYPEMATIC : cmd == 0xfc ? T_BREAK : 0;
    }
    ps2_reply(&k->out, answer);
}

void ps2kbd_write(struct ps2kbd *k, uint8_t b)
{
    uint8_t cmd = k->arg;

    TRACE(k->dev, "keyboard command %02x%s", b, cmd ? " (argument)" : "");
    k->arg = 0;
    if (cmd && b < 0xed)
        argument(k, cmd, b);
    else
        command(k, b);
    k->out.notify(k->out.opaque);
}

/* --- life ------------------------------------------------------------------------------------------- */

void ps2kbd_reset(struct ps2kbd *k)
{
    k->out.n_reply = k->out.last = k->arg = 0;
    defaults(k);
    k->scanning = true;
    set_leds(k, 0);
}

void ps2kbd_init(struct ps2kbd *k, struct device *dev, void (*notify)(void *opaque), void *opaque)
{
    k->dev = dev;
    k->out.notify = notify;
    k->out.opaque = opaque;
    k->input = (struct input_handler){ .name = "PS/2 keyboard", .key = key_event, .opaque = k };
    timer_init(&k->repeat, dev->vm, repeat, k);
    input_add_handler(dev->vm, &k->input);
    ps2kbd_reset(k);
}

void ps2kbd_clear(struct ps2kbd *k)
{
    if (!k->dev)
        return;
    timer_stop(&k->repeat);
    input_remove_handler(k->dev->vm, &k->input);
}

bool ps2kbd_post_load(struct ps2kbd *k)
{
    if (!ps2_out_valid(&k->out) || k->set < 1)
        return false;
    input_set_leds(k->dev->vm, k->leds);
    return true;
}

uint8_t ps2_fetch(struct ps2_out *o)
{
    uint8_t b;

    if (o->n_reply) {
        b = o->reply[0];
        memmove(o->reply, o->reply + 1, --o->n_reply);
    } else {
        b = o->data[o->head];
        o->head = (uint8_t) ((o->head + 1) % sizeof o->data);
        o->len--;
    }
    if (b != PS2_RESEND)
        o->last = b;
    return b;
}

bool ps2_out_valid(const struct ps2_out *o)
{
    return o->n_reply <= PS2_REPLY && o->len <= sizeof o->data && o->head < sizeof o->data;
}

const struct state ps2_out_state[] = {
    STATE_HOST(struct ps2_out, notify), STATE_HOST(struct ps2_out, opaque),
    STATE_BYTES(struct ps2_out, reply),
    STATE_U8(struct ps2_out, n_reply, .max = PS2_REPLY), STATE_BYTES(struct ps2_out, data),
    STATE_U8(struct ps2_out, head, .max = PS2_QUEUE), STATE_U8(struct ps2_out, len, .max = PS2_QUEUE + 1),
    STATE_U8(struct ps2_out, last), {}
};

const struct state ps2kbd_state[] = {
    STATE_HOST(struct ps2kbd, dev), STATE_HOST(struct ps2kbd, input), STATE_TIMER(struct ps2kbd, repeat),
    STATE_STRUCT(struct ps2kbd, out, ps2_out_state), STATE_U8(struct ps2kbd, arg),
    STATE_U8(struct ps2kbd, set, .max = 3), STATE_BOOL(struct ps2kbd, scanning),
    STATE_BOOL(struct ps2kbd, overrun),
    STATE_U8(struct ps2kbd, leds, .max = 7), STATE_U8(struct ps2kbd, rate, .max = 0x7f),
    STATE_U8(struct ps2kbd, repeating), STATE_BYTES(struct ps2kbd, down), STATE_BYTES(struct ps2kbd, told),
    STATE_BYTES(struct ps2kbd, type), {}
};
