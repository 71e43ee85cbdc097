/* hw/pc/i8237.c - the PC/AT's two Intel 8237A DMA controllers and the page registers.
 *
 * Sheets: Intel 8237A (231466); IBM PC/AT technical reference for ports, page registers and the cascade;
 * Intel PIIX3 (290550), "DMA controller".
 *
 * Channels 0 to 3 (ports 00h to 0fh) move bytes within 64 KiB pages, channels 5 to 7 (ports c0h to dfh, A0
 * not decoded) words within 128 KiB pages; channel 4 cascades the first controller.  Devices drive their
 * transfers (struct isa_dma_ops): a call is a DREQ that is held for `len` bytes.
 *
 * Deviations: priorities, timing and signal polarities (command bits 3 to 7) have no effect, as nothing
 * competes for the bus.  A memory-to-memory transfer takes its upper address bits from each channel's own
 * page register (on the AT they float).  RESET leaves channel 4 in cascade mode and unmasked, as every
 * firmware does: a kernel that is started without firmware relies on it; master clear masks it as the sheet
 * says. */
#include "hw/pc/i8237.h"
#include "vmm/core/vm.h"

enum { CMD_MEM_TO_MEM = 0x01, CMD_ADDRESS_HOLD = 0x02, CMD_DISABLE = 0x04 };
enum { MODE_TYPE = 0x0c, MODE_VERIFY = 0x00, MODE_WRITE = 0x04, MODE_READ = 0x08, MODE_AUTOINIT = 0x10,
       MODE_DECREMENT = 0x20, MODE_SELECT = 0xc0, MODE_CASCADE = 0xc0 };
enum { REG_COMMAND = 8, REG_REQUEST, REG_MASK, REG_MODE, REG_CLEAR_FF, REG_MASTER_CLEAR, REG_CLEAR_MASK,
       REG_WRITE_MASK };
enum { CHUNK = 512, N_PAGES = 16 };

struct channel {
    uint16_t base_addr, base_count, addr, count;
    uint8_t mode;
    bool dreq; /* its device wants more than it got */
};

struct controller {
    struct channel ch[4];
    uint8_t command, mask, request, tc, temp;
    bool flip_flop; /* the next byte is the high one */
};

struct i8237 {
    struct device dev;
    struct region io[2], page_io;
    struct bh bh;
    struct controller c[2];
    uint8_t page[N_PAGES];
    uint8_t notify; /* channels whose devices shall try again */
};

/* Page registers 80h + n of the channels; 4 is the refresh page. */
static const uint8_t page_of[8] = { 7, 3, 1, 2, 15, 11, 9, 10 };

static uint64_t chan_gpa(const struct i8237 *s, unsigned n, uint16_t addr)
{
    uint8_t page = s->page[page_of[n]];

    return n < 4 ? (uint64_t) page << 16 | addr : (uint64_t) (page & 0xfe) << 16 | (uint64_t) addr << 1;
}

/* May channel n be served?  A software request passes the mask. */
static bool chan_ready(const struct i8237 *s, unsigned n)
{
    const struct controller *c = &s->c[n / 4], *master = &s->c[1];
    bool cascade = (master->ch[0].mode & MODE_SELECT) == MODE_CASCADE;

    if (n < 4 && (!cascade || (master->mask & 1) || (master->command & CMD_DISABLE)))
        return false;
    return !(c->command & CMD_DISABLE) && (c->ch[n % 4].mode & MODE_SELECT) != MODE_CASCADE &&
           (!(c->mask & BIT(n % 4)) || (c->request & BIT(n % 4)));
}

/* One transfer was made; true at the terminal count. */
static bool chan_count(struct controller *c, unsigned i, unsigned transfers)
{
    struct channel *ch = &c->ch[i];
    bool tc = ch->count + 1U == transfers;

    ch->addr = (uint16_t) (ch->mode & MODE_DECREMENT ? ch->addr - transfers : ch->addr + transfers);
    ch->count = (uint16_t) (ch->count - transfers);
    if (tc) {
        c->tc |= BIT(i);
        c->request &= ~BIT(i);
        if (ch->mode & MODE_AUTOINIT) {
            ch->addr = ch->base_addr;
            ch->count = ch->base_count;
        } else {
            c->mask |= BIT(i);
        }
    }
    return tc;
}

/* Descending addresses: the last unit comes first. */
static void reverse_units(uint8_t *buf, size_t len, size_t unit)
{
    for (size_t i = 0, j = len - unit; i < j; i += unit, j -= unit)
        for (size_t k = 0; k < unit; k++) {
            uint8_t t = buf[i + k];
            buf[i + k] = buf[j + k];
            buf[j + k] = t;
        }
}

/* Move up to len bytes between buf and channel n's memory, in the direction of `type`; a NULL buf is a bus
 * that nobody drives. */
static size_t chan_move(struct i8237 *s, unsigned n, uint8_t type, uint8_t *buf, size_t len, bool *tc)
{
    struct controller *c = &s->c[n / 4];
    struct channel *ch = &c->ch[n % 4];
    size_t unit = n < 4 ? 1 : 2, done = 0;
    uint8_t chunk[CHUNK];

    while (done + unit <= len && !*tc) {
        bool down = ch->mode & MODE_DECREMENT;
        size_t to_wrap = down ? ch->addr + 1U : 0x10000U - ch->addr;
        size_t units = MIN(MIN((len - done) / unit, ch->count + 1U), MIN(to_wrap, CHUNK / unit));
        size_t bytes = units * unit;
        uint64_t gpa = chan_gpa(s, n, down ? (uint16_t) (ch->addr - (units - 1)) : ch->addr);

        if (type == MODE_WRITE && (ch->mode & MODE_TYPE) != MODE_VERIFY) {
            if (buf)
                memcpy(chunk, buf + done, bytes);
            else
                memset(chunk, 0xff, bytes);
            if (down)
                reverse_units(chunk, bytes, unit);
            dma_write(&s->dev, gpa, chunk, bytes);
        } else if (type == MODE_READ) {
            dma_read(&s->dev, gpa, chunk, bytes);
            if (down)
                reverse_units(chunk, bytes, unit);
            if (buf)
                memcpy(buf + done, chunk, bytes);
        }
        *tc = chan_count(c, n % 4, (unsigned) units);
        done += bytes;
    }
    return done;
}

static size_t dma_transfer(struct i8237 *s, unsigned n, uint8_t type, void *buf, size_t len, bool *tc)
{
    *tc = false;
    if (n >= 8 || n == 4)
        return 0;

    struct channel *ch = &s->c[n / 4].ch[n % 4];
    uint8_t mode = ch->mode & MODE_TYPE;
    size_t done = 0;
    /* A verify cycle drives neither the memory nor the device: what comes from memory is undefined, here
     * zeroes. */
    if (chan_ready(s, n) && (mode == type || mode == MODE_VERIFY)) {
        if (mode == MODE_VERIFY && type == MODE_READ)
            memset(buf, 0, len);
        done = chan_move(s, n, mode == MODE_VERIFY ? MODE_VERIFY : type, buf, len, tc);
        TRACE(&s->dev, "channel %u: %zu of %zu bytes%s", n, done, len, *tc ? ", TC" : "");
    }
    ch->dreq = done < len && !*tc;
    return done;
}

static size_t to_memory(void *opaque, unsigned chan, const void *buf, size_t len, bool *tc)
{
    return dma_transfer(opaque, chan, MODE_WRITE, (void *) buf, len, tc);
}

static size_t from_memory(void *opaque, unsigned chan, void *buf, size_t len, bool *tc)
{
    return dma_transfer(opaque, chan, MODE_READ, buf, len, tc);
}
static const struct isa_dma_ops dma_ops = { to_memory, from_memory };

/* --- software requests, and devices that wait --------------------------------------------------- */

static void mem_to_mem(struct i8237 *s, unsigned ctl)
{
    struct controller *c = &s->c[ctl];
    struct channel *src = &c->ch[0], *dst = &c->ch[1];
    bool tc = false;

    /* "the channel 1 word count ... reaches terminal count": at most 64 Ki turns */
    while (!tc) {
        size_t unit = ctl ? 2 : 1;
        uint8_t data[2] = { 0xff, 0xff };
        dma_read(&s->dev, chan_gpa(s, ctl * 4, src->addr), data, unit);
        dma_write(&s->dev, chan_gpa(s, ctl * 4 + 1, dst->addr), data, unit);
        c->temp = data[0];
        if (!(c->command & CMD_ADDRESS_HOLD))
            src->addr = (uint16_t) (src->mode & MODE_DECREMENT ? src->addr - 1 : src->addr + 1);
        src->count--;
        tc = chan_count(c, 1, 1);
    }
    c->request &= ~BIT(0);
}

static void run_requests(struct i8237 *s)
{
    for (unsigned n = 0; n < 8; n++) {
        struct controller *c = &s->c[n / 4];
        struct channel *ch = &c->ch[n % 4];
        bool tc = false;
        bool copy = n % 4 == 0 && (c->command & CMD_MEM_TO_MEM);
        if (!(c->request & BIT(n % 4)) || (n == 4 && !copy) || !chan_ready(s, n))
            continue;
        if (copy)
            mem_to_mem(s, n / 4);
        else if (s->dev.vm->isa.dma[n].notify)
            s->notify |= BIT(n);
        else if ((ch->mode & MODE_TYPE) != MODE_TYPE) /* nobody is there: the bus floats */
            chan_move(s, n, ch->mode & MODE_TYPE, NULL, (ch->count + 1U) * 2, &tc);
    }
}

static void dma_bh(void *opaque)
{
    struct i8237 *s = opaque;

    run_requests(s);
    for (unsigned n = 0; n < 8; n++) {
        if (!(s->notify & BIT(n)))
            continue;
        s->notify &= ~BIT(n);
        if (!chan_ready(s, n) || !s->dev.vm->isa.dma[n].notify)
            continue;
        s->c[n / 4].ch[n % 4].dreq = false; /* its device says so again when it still wants */
        s->dev.vm->isa.dma[n].notify(s->dev.vm->isa.dma[n].opaque);
    }
}

/* Something changed that may let channels of this controller go on; not from inside a device's access. */
static void kick(struct i8237 *s, unsigned ctl, unsigned channels)
{
    if (ctl && (channels & 1)) /* the cascade */
        s->notify |= 0x0f;
    s->notify |= (uint8_t) (channels << ctl * 4 & 0xef);
    bh_schedule(&s->bh);
}

/* --- registers --------------------------------------------------------------------------------- */

static void master_clear(struct controller *c)
{
    c->command = c->request = c->tc = c->temp = 0;
    c->mask = 0x0f;
    c->flip_flop = false;
    for (unsigned i = 0; i < 4; i++)
        c->ch[i].dreq = false;
}

static uint8_t half_read(struct controller *c, uint16_t v)
{
    c->flip_flop = !c->flip_flop;
    return (uint8_t) (c->flip_flop ? v : v >> 8);
}

static uint8_t ctl_read(struct i8237 *s, unsigned n, unsigned reg)
{
    struct controller *c = &s->c[n];
    uint8_t val;

    if (reg < 8)
        return half_read(c, reg & 1 ? c->ch[reg / 2].count : c->ch[reg / 2].addr);
    switch (reg) {
    case REG_COMMAND: /* status */
        val = c->tc | (uint8_t) (c->request << 4);
        for (unsigned i = 0; i < 4; i++)
            val |= (uint8_t) (c->ch[i].dreq << (4 + i));
        c->tc = 0;
        return val;
    case REG_MASTER_CLEAR: return c->temp;
    case REG_WRITE_MASK: return c->mask | 0xf0; /* as in later chips */
    default: return 0xff; /* "illegal" */
    }
}

static void half_write(struct controller *c, uint16_t *base, uint16_t *current, uint8_t val)
{
    *base = (uint16_t) (c->flip_flop ? (*base & 0x00ff) | val << 8 : (*base & 0xff00) | val);
    *current = (uint16_t) (c->flip_flop ? (*current & 0x00ff) | val << 8 : (*current & 0xff00) | val);
    c->flip_flop = !c->flip_flop;
}

static void ctl_write(struct i8237 *s, unsigned n, unsigned reg, uint8_t val)
{
    struct controller *c = &s->c[n];
    struct channel *ch = &c->ch[reg < 8 ? reg / 2 : val & 3];
    uint8_t bit = (uint8_t) BIT(val & 3);

    switch (reg) {
    case REG_COMMAND:
        c->command = val;
        kick(s, n, 0x0f);
        break;
    case REG_REQUEST:
        c->request = val & 4 ? c->request | bit : c->request & ~bit;
        bh_schedule(&s->bh);
        break;
    case REG_MASK:
        c->mask = val & 4 ? c->mask | bit : c->mask & ~bit;
        kick(s, n, val & 4 ? 0 : bit);
        break;
    case REG_MODE:
        ch->mode = val & 0xfc;
        kick(s, n, bit);
        break;
    case REG_CLEAR_FF:
        c->flip_flop = false;
        break;
    case REG_MASTER_CLEAR:
        master_clear(c);
        break;
    case REG_CLEAR_MASK:
        c->mask = 0;
        kick(s, n, 0x0f);
        break;
    case REG_WRITE_MASK:
        c->mask = val & 0x0f;
        kick(s, n, ~val & 0x0f);
        break;
    default:
        if (reg & 1)
            half_write(c, &ch->base_count, &ch->count, val);
        else
            half_write(c, &ch->base_addr, &ch->addr, val);
        if (!c->flip_flop)
            kick(s, n, BIT(reg / 2));
    }
}

static uint64_t low_read(void *opaque, uint64_t off, unsigned size)
{
    (void) size;
    return ctl_read(opaque, 0, off & 15);
}

static void low_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    ctl_write(opaque, 0, off & 15, (uint8_t) val);
}

static uint64_t high_read(void *opaque, uint64_t off, unsigned size)
{
    (void) size;
    return ctl_read(opaque, 1, off >> 1 & 15);
}

static void high_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    ctl_write(opaque, 1, off >> 1 & 15, (uint8_t) val);
}

static uint64_t page_read(void *opaque, uint64_t off, unsigned size)
{
    (void) size;
    return ((struct i8237 *) opaque)->page[off % N_PAGES];
}

static void page_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    ((struct i8237 *) opaque)->page[off % N_PAGES] = (uint8_t) val;
}

static const struct region_ops low_ops = { low_read, low_write, .min = 1, .max = 1 };
static const struct region_ops high_ops = { high_read, high_write, .min = 1, .max = 1 };
static const struct region_ops page_ops = { page_read, page_write, .min = 1, .max = 1 };

/* --- life -------------------------------------------------------------------------------------- */

static void i8237_reset(struct device *d)
{
    struct i8237 *s = container_of(d, struct i8237, dev);

    memset(s->c, 0, sizeof s->c);
    memset(s->page, 0, sizeof s->page);
    master_clear(&s->c[0]);
    master_clear(&s->c[1]);
    s->c[1].ch[0].mode = MODE_CASCADE;
    s->c[1].mask &= ~BIT(0);
    s->notify = 0;
    bh_cancel(&s->bh);
}

static bool i8237_realize(struct device *d, GError **err)
{
    struct i8237 *s = container_of(d, struct i8237, dev);
    struct isa *isa = &d->vm->isa;

    bh_init(&s->bh, d->vm, dma_bh, s);
    if (isa->dma_ops)
        return fail(err, "there is a DMA controller already");
    region_init_io(&s->io[0], "dma1", &low_ops, s, 0x10);
    region_init_io(&s->io[1], "dma2", &high_ops, s, 0x20);
    region_init_io(&s->page_io, "dma-page", &page_ops, s, N_PAGES);
    if (!space_add(&d->vm->pio, &s->io[0], 0x00, PRIO_RAM, err) ||
        !space_add(&d->vm->pio, &s->io[1], 0xc0, PRIO_RAM, err) ||
        !space_add(&d->vm->pio, &s->page_io, 0x80, PRIO_RAM, err))
        return false;
    isa->dma_ops = &dma_ops;
    isa->dma_opaque = s;
    return true;
}

static void i8237_unrealize(struct device *d)
{
    struct i8237 *s = container_of(d, struct i8237, dev);

    bh_cancel(&s->bh);
    space_remove(&s->io[0]);
    space_remove(&s->io[1]);
    space_remove(&s->page_io);
    if (d->vm->isa.dma_opaque == s) {
        d->vm->isa.dma_ops = NULL;
        d->vm->isa.dma_opaque = NULL;
    }
}

static void i8237_describe(const struct device *d, GString *out)
{
    const struct i8237 *s = container_of(d, struct i8237, dev);

    for (unsigned n = 0; n < 8; n++) {
        const struct channel *ch = &s->c[n / 4].ch[n % 4];
        g_string_append_printf(out, "channel %u: mode %02x address %06" PRIx64 " count %04x%s\n", n, ch->mode,
                               chan_gpa(s, n, ch->addr), ch->count,
                               s->c[n / 4].mask & BIT(n % 4) ? ", masked" : "");
    }
}

static const struct state channel_state[] = {
    STATE_U16(struct channel, base_addr),
    STATE_U16(struct channel, base_count),
    STATE_U16(struct channel, addr),
    STATE_U16(struct channel, count),
    STATE_U8(struct channel, mode),
    STATE_BOOL(struct channel, dreq),
    {},
};
static const struct state controller_state[] = {
    STATE_STRUCTS(struct controller, ch, channel_state),
    STATE_U8(struct controller, command),
    STATE_U8(struct controller, mask, .max = 15),
    STATE_U8(struct controller, request, .max = 15),
    STATE_U8(struct controller, tc, .max = 15),
    STATE_U8(struct controller, temp),
    STATE_BOOL(struct controller, flip_flop),
    {},
};
static const struct state i8237_state[] = {
    STATE_HOST(struct i8237, io),
    STATE_HOST(struct i8237, page_io),
    STATE_BH(struct i8237, bh),
    STATE_STRUCTS(struct i8237, c, controller_state),
    STATE_BYTES(struct i8237, page),
    STATE_U8(struct i8237, notify),
    {},
};
const struct device_class i8237_class = {
    .name = "i8237",
    .alias = "i8257",
    .desc = "8237A DMA controllers",
    .version = 1,
    .internal = true,
    .size = sizeof(struct i8237),
    .state = i8237_state,
    .realize = i8237_realize,
    .unrealize = i8237_unrealize,
    .reset = i8237_reset,
    .describe = i8237_describe,
};
