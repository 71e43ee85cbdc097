/* hw/pc/i8042.c - 8042 keyboard controller with an auxiliary (mouse) port, as in the IBM PS/2.
 *
 * Sheet: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller".
 *
 * Theory: one output buffer (60h).  Replies of the controller come before bytes of the keyboard, those
 * before the mouse's.  A device's byte takes about a millisecond on its wire; here it is there at once,
 * except after a read of 60h: then nothing new appears for GAP_NS, so that a handler that chains to
 * another finds the same byte there.
 *
 * Deviations:
 * - The input buffer is taken at once: IBF is never seen.  No parity error, no timeout.
 * - No password (A4h says so, A5h is swallowed), no diagnostic dump (ACh), no polling of the input port
 *   (C1h, C2h).
 * - A20 is a bit that masks nothing, see port92.c.
 * - Pulsing (F0h-FFh) acts on the reset line only. */
#include "hw/catalog.h"
#include "hw/pc/i8042.h"
#include "hw/pc/ps2.h"
#include "vmm/core/vm.h"

enum { ST_OBF = 0x01, ST_SYS = 0x04, ST_A2 = 0x08, ST_INH = 0x10, ST_AUX_OBF = 0x20 };
enum { CB_INT = 0x01, CB_AUX_INT = 0x02, CB_SYS = 0x04, CB_DISABLE = 0x10, CB_AUX_DISABLE = 0x20,
       CB_XLATE = 0x40 };
enum { OUT_RESET = 0x01, OUT_A20 = 0x02, OUT_INT = 0x10, OUT_AUX_INT = 0x20, OUT_LINES = 0xcc };
enum { GAP_NS = 500000 };

struct i8042 {
    struct device dev;
    struct region data_io, cmd_io;
    struct irq irq, aux_irq, a20;
    struct timer gap;
    struct ps2kbd kbd;
    struct ps2mouse mouse;
    uint8_t ram[32];      /* ram[0] is the command byte */
    uint8_t outport;      /* as written: reset, A20 */
    bool a2;              /* the last write was to 64h */
    uint8_t pending;      /* the command whose data byte is next; 0: none */
    uint8_t ob;           /* the output buffer */
    bool obf, ob_aux;
    uint8_t reply;        /* waits for it to become empty */
    bool reply_full, reply_aux;
    bool brk;             /* translation has met F0h */
    uint64_t next_at;     /* ns before which no device's byte comes */
};

static void update_irqs(struct i8042 *s)
{
    bool kbd = (s->ram[0] & (CB_INT | CB_DISABLE)) == CB_INT;

    irq_set(&s->irq, s->obf && !s->ob_aux && kbd);
    irq_set(&s->aux_irq, s->obf && s->ob_aux && (s->ram[0] & CB_AUX_INT));
}

static void fill(struct i8042 *s, uint8_t b, bool aux)
{
    s->ob = b;
    s->ob_aux = aux;
    s->obf = true;
    update_irqs(s);
}

static bool translate(struct i8042 *s, uint8_t *b) /* false: swallowed */
{
    if (!(s->ram[0] & CB_XLATE))
        return true;
    if (*b == 0xf0) {
        s->brk = true;
        return false;
    }
    *b = (uint8_t) (ps2_set2_to_set1[*b] | (s->brk ? 0x80 : 0));
    s->brk = s->brk && (*b == 0xe0 || *b == 0xe1);
    return true;
}

static void pump(struct i8042 *s)
{
    bool kbd = !(s->ram[0] & CB_DISABLE) && ps2_pending(&s->kbd.out);
    bool aux = !(s->ram[0] & CB_AUX_DISABLE) && ps2_pending(&s->mouse.out);

    if (s->obf)
        return;
    if (s->reply_full) {
        s->reply_full = false;
        fill(s, s->reply, s->reply_aux);
        return;
    }
    if (!kbd && !aux)
        return;
    if ((uint64_t) clock_now(s->dev.vm) < s->next_at) {
        if (!timer_armed(&s->gap))
            timer_at(&s->gap, (int64_t) s->next_at);
        return;
    }
    while (kbd) {
        uint8_t b = ps2kbd_fetch(&s->kbd);
        if (translate(s, &b)) {
            fill(s, b, false);
            return;
        }
        kbd = ps2_pending(&s->kbd.out);
    }
    if (aux)
        fill(s, ps2_fetch(&s->mouse.out), true);
}

static void gap_over(void *opaque)
{
    pump(opaque);
}

static void device_ready(void *opaque)
{
    pump(opaque);
}

static void answer(struct i8042 *s, uint8_t b, bool aux)
{
    s->reply = b;
    s->reply_aux = aux;
    s->reply_full = true;
    pump(s);
}

/* --- lines ------------------------------------------------------------------------------------------ */

static void set_a20(struct i8042 *s, bool on)
{
    s->outport = (uint8_t) ((s->outport & ~OUT_A20) | (on ? OUT_A20 : 0));
    irq_set(&s->a20, on);
}

static void reset_line(struct i8042 *s)
{
    TRACE(&s->dev, "reset line pulsed");
    vm_request_reset(s->dev.vm, CAUSE_GUEST_RESET);
}

static void write_outport(struct i8042 *s, uint8_t v)
{
    set_a20(s, v & OUT_A20);
    if (!(v & OUT_RESET))
        reset_line(s);
}

struct irq *i8042_a20(struct device *kbc)
{
    return &container_of(kbc, struct i8042, dev)->a20;
}

void i8042_mirror_a20(struct device *kbc, bool on)
{
    struct i8042 *s = container_of(kbc, struct i8042, dev);

    s->outport = (uint8_t) ((s->outport & ~OUT_A20) | (on ? OUT_A20 : 0));
    s->a20.level = on;
}

/* --- ports ------------------------------------------------------------------------------------------ */

static void set_command_byte(struct i8042 *s, uint8_t v)
{
    s->ram[0] = v;
    update_irqs(s);
    pump(s);
}

static void command(struct i8042 *s, uint8_t v)
{
    s->pending = 0;
    s->a2 = true;
    switch (v) {
    case 0x20 ... 0x3f: answer(s, s->ram[v & 0x1f], false); break;
    case 0x60 ... 0x7f: s->pending = v; break;
    case 0xa4: answer(s, 0xf1, false); break; /* no password */
    case 0xa5: s->pending = v; break;
    case 0xa6: break;
    case 0xa7: set_command_byte(s, s->ram[0] | CB_AUX_DISABLE); break;
    case 0xa8: set_command_byte(s, s->ram[0] & ~CB_AUX_DISABLE); break;
    case 0xa9: answer(s, 0x00, false); break; /* the auxiliary interface is good */
    case 0xaa:
        s->ram[0] |= CB_SYS;
        answer(s, 0x55, false);
        break;
    case 0xab: answer(s, 0x00, false); break;
    case 0xad: set_command_byte(s, s->ram[0] | CB_DISABLE); break;
    case 0xae: set_command_byte(s, s->ram[0] & ~CB_DISABLE); break;
    case 0xc0: answer(s, 0x80, false); break; /* input port: the lock is open */
    case 0xd0:
        answer(s, (uint8_t) (OUT_LINES | OUT_RESET | (s->outport & OUT_A20) | (s->irq.level ? OUT_INT : 0) |
                             (s->aux_irq.level ? OUT_AUX_INT : 0)), false);
        break;
    case 0xd1 ... 0xd4: s->pending = v; break;
    case 0xdd: set_a20(s, false); break;
    case 0xdf: set_a20(s, true); break;
    case 0xe0: /* test inputs: the two clocks */
        answer(s, (uint8_t) ((s->ram[0] & CB_DISABLE ? 0 : 1) | (s->ram[0] & CB_AUX_DISABLE ? 0 : 2)), false);
        break;
    case 0xf0 ... 0xff:
        if (!(v & OUT_RESET))
            reset_line(s);
        break;
    default:
        guest_error(&s->dev, "unknown command 0x%02x", v);
    }
}

static void data(struct i8042 *s, uint8_t v)
{
    uint8_t cmd = s->pending;

    s->pending = 0;
    s->a2 = false;
    switch (cmd) {
    case 0: /* for the keyboard; its interface comes on */
        s->ram[0] &= ~CB_DISABLE;
        ps2kbd_write(&s->kbd, v);
        pump(s);
        break;
    case 0x60: set_command_byte(s, v); break;
    case 0x61 ... 0x7f: s->ram[cmd & 0x1f] = v; break;
    case 0xa5: s->pending = v ? cmd : 0; break; /* up to the terminating 0 */
    case 0xd1: write_outport(s, v); break;
    case 0xd2: answer(s, v, false); break; /* as if the keyboard, or the mouse, had sent it */
    case 0xd3: answer(s, v, true); break;
    case 0xd4:
        s->ram[0] &= ~CB_AUX_DISABLE;
        ps2mouse_write(&s->mouse, v);
        pump(s);
        break;
    }
}

static uint64_t data_read(void *opaque, uint64_t off, unsigned size)
{
    struct i8042 *s = opaque;
    uint8_t b = s->ob;

    (void) off, (void) size;
    if (s->obf) {
        s->obf = false;
        s->next_at = (uint64_t) clock_now(s->dev.vm) + GAP_NS;
        update_irqs(s);
        pump(s);
    }
    return b;
}

static void data_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) off, (void) size;
    data(opaque, (uint8_t) val);
}
static const struct region_ops data_ops = { data_read, data_write, .min = 1, .max = 1 };

static uint64_t status_read(void *opaque, uint64_t off, unsigned size)
{
    struct i8042 *s = opaque;

    (void) off, (void) size;
    return ST_INH | (s->obf ? ST_OBF | (s->ob_aux ? ST_AUX_OBF : 0) : 0) | (s->ram[0] & CB_SYS ? ST_SYS : 0) |
           (s->a2 ? ST_A2 : 0);
}

static void command_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct i8042 *s = opaque;

    (void) off, (void) size;
    TRACE(&s->dev, "command %02x", (unsigned) val & 0xff);
    command(s, (uint8_t) val);
}
static const struct region_ops cmd_ops = { status_read, command_write, .min = 1, .max = 1 };

/* --- life ------------------------------------------------------------------------------------------- */

static void i8042_reset(struct device *d)
{
    struct i8042 *s = container_of(d, struct i8042, dev);

    ps2kbd_reset(&s->kbd);
    ps2mouse_reset(&s->mouse);
    timer_stop(&s->gap);
    memset(s->ram, 0, sizeof s->ram);
    s->ram[0] = CB_INT | CB_AUX_INT;
    s->outport = 0;
    s->ob = s->reply = s->pending = 0;
    s->a2 = s->obf = s->ob_aux = s->reply_full = s->reply_aux = s->brk = false;
    s->next_at = 0;
    set_a20(s, true);
    update_irqs(s);
}

static bool i8042_realize(struct device *d, GError **err)
{
    struct i8042 *s = container_of(d, struct i8042, dev);

    timer_init(&s->gap, d->vm, gap_over, s);
    ps2kbd_init(&s->kbd, d, device_ready, s);
    ps2mouse_init(&s->mouse, d, device_ready, s);
    region_init_io(&s->data_io, "i8042-data", &data_ops, s, 1);
    region_init_io(&s->cmd_io, "i8042-command", &cmd_ops, s, 1);
    return isa_claim_irq(d, &s->irq, 1, err) && isa_claim_irq(d, &s->aux_irq, 12, err) &&
           space_add(&d->vm->pio, &s->data_io, 0x60, 0, err) &&
           space_add(&d->vm->pio, &s->cmd_io, 0x64, 0, err);
}

static void i8042_unrealize(struct device *d)
{
    struct i8042 *s = container_of(d, struct i8042, dev);

    timer_stop(&s->gap);
    ps2kbd_clear(&s->kbd);
    ps2mouse_clear(&s->mouse);
    space_remove(&s->data_io);
    space_remove(&s->cmd_io);
    irq_set(&s->irq, false);
    irq_set(&s->aux_irq, false);
}

static bool i8042_post_load(struct device *d)
{
    struct i8042 *s = container_of(d, struct i8042, dev);

    return s->next_at <= INT64_MAX && ps2kbd_post_load(&s->kbd) && ps2mouse_post_load(&s->mouse);
}

static void i8042_describe(const struct device *d, GString *text)
{
    const struct i8042 *s = container_of(d, struct i8042, dev);

    g_string_append_printf(text, "command byte %02x, output %s, keyboard: set %u, %s; mouse: id %u, %s\n",
                           s->ram[0], s->obf ? "full" : "empty", s->kbd.set,
                           s->kbd.scanning ? "scanning" : "disabled",
                           s->mouse.id, s->mouse.enabled ? "reporting" : "disabled");
}

static const struct state i8042_state[] = {
    STATE_HOST(struct i8042, data_io), STATE_HOST(struct i8042, cmd_io), STATE_IRQ(struct i8042, irq),
    STATE_IRQ(struct i8042, aux_irq), STATE_IRQ(struct i8042, a20), STATE_TIMER(struct i8042, gap),
    STATE_STRUCT(struct i8042, kbd, ps2kbd_state), STATE_STRUCT(struct i8042, mouse, ps2mouse_state),
    STATE_BYTES(struct i8042, ram), STATE_U8(struct i8042, outport), STATE_BOOL(struct i8042, a2),
    STATE_U8(struct i8042, pending), STATE_U8(struct i8042, ob), STATE_BOOL(struct i8042, obf),
    STATE_BOOL(struct i8042, ob_aux), STATE_U8(struct i8042, reply), STATE_BOOL(struct i8042, reply_full),
    STATE_BOOL(struct i8042, reply_aux), STATE_BOOL(struct i8042, brk), STATE_U64(struct i8042, next_at), {}
};
const struct device_class i8042_class = {
    .name = "i8042", .desc = "keyboard controller with PS/2 keyboard and mouse", .version = 1,
    .size = sizeof(struct i8042), .internal = true, .state = i8042_state, .realize = i8042_realize,
    .unrealize = i8042_unrealize, .reset = i8042_reset, .post_load = i8042_post_load,
    .describe = i8042_describe,
};
