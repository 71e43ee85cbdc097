/* hw/pc/ps2mouse.c - PS/2 mouse: standard, with a wheel (IntelliMouse), with five buttons (Explorer).
 *
 * Sheets: IBM Personal System/2 Hardware Interface Technical Reference, "Auxiliary Device Commands";
 * Microsoft's description of the wheel ("3-wheel data format") for the sample rates that switch it on.
 *
 * Deviations:
 * - Movement beyond what a packet holds is sent in the next packet: the overflow bits are never set.
 * - The resolution is kept and reported, and does not scale: the host's pointer has its own.
 * - A change of a button is sent at once, even within the sample period, so that a short click is never lost.
 * - Resend (FEh) repeats the last byte, not the last packet.
 * - Self test takes no time. */
#include "hw/pc/ps2.h"

enum { ERROR = 0xfc };
enum { MAX_PENDING = 32768 };

static bool changed(const struct ps2mouse *m)
{
    return m->dx || m->dy || m->dz || m->buttons != m->sent;
}

static int32_t take(int32_t *v, int32_t min, int32_t max)
{
    int32_t n = CLAMP(*v, min, max);

    *v -= n;
    return n;
}

static int32_t scale(int32_t v) /* 2:1 scaling, in stream mode */
{
    static const uint8_t small[] = { 0, 1, 1, 3, 6, 9 };
    int32_t a = ABS(v);

    a = a < 6 ? small[a] : 2 * a;
    return v < 0 ? -a : a;
}

static void packet(struct ps2mouse *m, void (*put)(struct ps2_out *o, uint8_t b), bool scaled)
{
    int32_t max = scaled ? 127 : 255;
    int32_t dx = take(&m->dx, -max, max), dy = take(&m->dy, -max, max);

    if (scaled) {
        dx = scale(dx);
        dy = scale(dy);
    }
    put(&m->out, (uint8_t) (8 | (m->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)));
    put(&m->out, (uint8_t) dx);
    put(&m->out, (uint8_t) dy);
    if (m->id == 3)
        put(&m->out, (uint8_t) take(&m->dz, -127, 127));
    else if (m->id == 4)
        put(&m->out, (uint8_t) ((take(&m->dz, -7, 7) & 15) |
                                  (m->buttons & (BTN_MASK_SIDE | BTN_MASK_EXTRA)) << 1));
    else
        m->dz = 0;
    m->sent = m->buttons;
}

static void try_send(struct ps2mouse *m)
{
    bool click = m->buttons != m->sent && ps2_room(&m->out) >= 4;

    if (m->remote || m->wrap || !m->enabled || !changed(m))
        return;
    if (click || (!timer_armed(&m->sample) && !m->out.len)) {
        packet(m, ps2_data, m->twice);
        m->out.notify(m->out.opaque);
    }
    if (!timer_armed(&m->sample))
        timer_at(&m->sample, clock_now(m->dev->vm) + NS_PER_SEC / m->rate);
}

static void sample(void *opaque)
{
    try_send(opaque);
}

static void moved(void *opaque, int dx, int dy, int dz, unsigned buttons)
{
    struct ps2mouse *m = opaque;
    unsigned mask = m->id == 4 ? 0x1f : 7;

    m->buttons = (uint8_t) (buttons & mask);
    if (!m->enabled && !m->remote)
        return; /* the counters stand still */
    m->dx = CLAMP(m->dx + CLAMP(dx, -MAX_PENDING, MAX_PENDING), -MAX_PENDING, MAX_PENDING);
    m->dy = CLAMP(m->dy - CLAMP(dy, -MAX_PENDING, MAX_PENDING), -MAX_PENDING, MAX_PENDING);
    if (m->id)
        m->dz = CLAMP(m->dz + CLAMP(dz, -MAX_PENDING, MAX_PENDING), -MAX_PENDING, MAX_PENDING);
    try_send(m);
}

static void flush(struct ps2mouse *m)
{
    m->out.head = m->out.len = 0;
    m->dx = m->dy = m->dz = 0;
    m->sent = m->buttons;
}

static void defaults(struct ps2mouse *m)
{
    timer_stop(&m->sample);
    flush(m);
    m->rate = 100;
    m->resolution = 2;
    m->remote = m->wrap = m->enabled = m->twice = false;
    m->knock[0] = m->knock[1] = 0;
}

static bool set_rate(struct ps2mouse *m, uint8_t v)
{
    static const uint8_t valid[] = { 10, 20, 40, 60, 80, 100, 200 };

    if (!memchr(valid, v, sizeof valid))
        return false;
    if (m->knock[0] == 200 && m->knock[1] == 100 && v == 80)
        m->id = MAX(m->id, 3);
    if (m->knock[0] == 200 && m->knock[1] == 200 && v == 80 && m->id >= 3)
        m->id = 4;
    m->knock[0] = m->knock[1];
    m->knock[1] = v;
    m->rate = v;
    return true;
}

static void refuse(struct ps2mouse *m)
{
    ps2_reply(&m->out, m->bad ? ERROR : PS2_RESEND);
    m->bad = !m->bad;
}

static void argument(struct ps2mouse *m, uint8_t cmd, uint8_t v)
{
    bool ok = cmd == 0xf3 ? set_rate(m, v) : v <= 3;

    if (!ok) {
        m->arg = m->bad ? 0 : cmd; /* FEh asks for it once more */
        refuse(m);
        return;
    }
    if (cmd == 0xe8)
        m->resolution = v;
    m->bad = false;
    ps2_reply(&m->out, PS2_ACK);
}

static void status(struct ps2mouse *m)
{
    unsigned b = (m->buttons & BTN_MASK_LEFT ? 4 : 0) | (m->buttons & BTN_MASK_MIDDLE ? 2 : 0) |
                 (m->buttons & BTN_MASK_RIGHT ? 1 : 0);

    b |= (m->remote ? 0x40 : 0) | (m->enabled ? 0x20 : 0) | (m->twice ? 0x10 : 0);
    ps2_reply(&m->out, (uint8_t) b);
    ps2_reply(&m->out, m->resolution);
    ps2_reply(&m->out, m->rate);
}

static void command(struct ps2mouse *m, uint8_t v)
{
    if (v == PS2_RESEND) {
        ps2_reply(&m->out, m->out.last);
        return;
    }
    static const char known[] = "\xe6\xe7\xe8\xe9\xea\xeb\xec\xee\xf0\xf2\xf3\xf4\xf5\xf6\xff";
    if (!memchr(known, v, sizeof known - 1)) {
        refuse(m);
        return;
    }
    m->bad = false;
    m->out.head = m->out.len = 0; /* a packet on its way is cut short */
    ps2_reply(&m->out, PS2_ACK);
    switch (v) {
    case 0xe6: m->twice = false; break;
    case 0xe7: m->twice = true; break;
    case 0xe8:
    case 0xf3: m->arg = v; break;
    case 0xe9: status(m); break;
    case 0xea: m->remote = false; flush(m); break;
    case 0xeb: packet(m, ps2_reply, false); break;
    case 0xec: break; /* leaves wrap mode, which this is not */
    case 0xee: m->wrap = true; flush(m); break;
    case 0xf0: m->remote = true; flush(m); break;
    case 0xf2: ps2_reply(&m->out, m->id); break;
    case 0xf4: m->enabled = true; flush(m); break;
    case 0xf5: m->enabled = false; flush(m); break;
    case 0xf6: defaults(m); break;
    case 0xff:
        defaults(m);
        m->id = 0;
        m->out.n_reply = 0;
        ps2_reply(&m->out, PS2_ACK);
        ps2_reply(&m->out, PS2_BAT_OK);
        ps2_reply(&m->out, m->id);
        break;
    }
}

void ps2mouse_write(struct ps2mouse *m, uint8_t b)
{
    uint8_t cmd = m->arg;

    m->arg = 0;
    if (m->wrap && b != 0xec && b != 0xff) {
        ps2_reply(&m->out, b);
    } else if (m->wrap) {
        m->wrap = false;
        command(m, b);
    } else if (cmd) {
        argument(m, cmd, b);
    } else {
        command(m, b);
    }
    m->out.notify(m->out.opaque);
}

void ps2mouse_reset(struct ps2mouse *m)
{
    m->out.n_reply = m->out.last = 0;
    m->arg = m->id = m->buttons = 0;
    m->bad = false;
    defaults(m);
}

void ps2mouse_init(struct ps2mouse *m, struct device *dev, void (*notify)(void *opaque), void *opaque)
{
    m->dev = dev;
    m->out.notify = notify;
    m->out.opaque = opaque;
    m->input = (struct input_handler){ .name = "PS/2 mouse", .rel = moved, .opaque = m };
    timer_init(&m->sample, dev->vm, sample, m);
    input_add_handler(dev->vm, &m->input);
    ps2mouse_reset(m);
}

void ps2mouse_clear(struct ps2mouse *m)
{
    if (!m->dev)
        return;
    timer_stop(&m->sample);
    input_remove_handler(m->dev->vm, &m->input);
}

bool ps2mouse_post_load(struct ps2mouse *m)
{
    return ps2_out_valid(&m->out) && m->rate && (m->id == 0 || m->id == 3 || m->id == 4) &&
           (m->arg == 0 || m->arg == 0xe8 || m->arg == 0xf3) && ABS((int64_t) m->dx) <= MAX_PENDING &&
           ABS((int64_t) m->dy) <= MAX_PENDING && ABS((int64_t) m->dz) <= MAX_PENDING;
}

const struct state ps2mouse_state[] = {
    STATE_HOST(struct ps2mouse, dev), STATE_HOST(struct ps2mouse, input),
    STATE_TIMER(struct ps2mouse, sample),
    STATE_STRUCT(struct ps2mouse, out, ps2_out_state), STATE_U8(struct ps2mouse, arg),
    STATE_U8(struct ps2mouse, id),
    STATE_BOOL(struct ps2mouse, remote), STATE_BOOL(struct ps2mouse, wrap),
    STATE_BOOL(struct ps2mouse, enabled),
    STATE_BOOL(struct ps2mouse, twice), STATE_BOOL(struct ps2mouse, bad),
    STATE_U8(struct ps2mouse, resolution, .max = 3), STATE_U8(struct ps2mouse, rate, .max = 200),
    STATE_BYTES(struct ps2mouse, knock), STATE_U8(struct ps2mouse, buttons, .max = 0x1f),
    STATE_U8(struct ps2mouse, sent, .max = 0x1f), STATE_U32(struct ps2mouse, dx),
    STATE_U32(struct ps2mouse, dy),
    STATE_U32(struct ps2mouse, dz), {}
};
