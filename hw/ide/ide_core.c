/* hw/ide/ide_core.c - an IDE channel: command block and control block registers, selection, data
 * phases, reset.
 *
 * Sheet: ATA/ATAPI-6 (T13/1410D): 6.2 signatures, 7 registers, 9 protocols (5.2.11 INTRQ, 9.1
 * reset).
 * Deviations: BSY lasts no longer than the host's I/O does, and the next DRQ block follows the last
 * one at once; a command or register write while BSY or DRQ is set is dropped (the standard:
 * indeterminate), DEVICE RESET excepted. */
#include "hw/ide/ide.h"
#include "vmm/core/vm.h"

enum { DATA, FEATURES, NSECTOR, LBAL, LBAM, LBAH, DEVICE, COMMAND };
enum { FLOATING = 0x7f }; /* nobody drives the bus: pulled up, but DD7 is pulled down by the host */

/* --- interrupt, end of commands -------------------------------------------------------------- */

static void update_irq(struct ide_channel *ch)
{
    const struct ide_drive *s = ch->drive[ch->select];
    bool on = s && s->intrq && !(ch->control & IDE_NIEN);

    if (on && !ch->irq.level && ch->dma_ops)
        ch->dma_ops->intrq(ch->dma_opaque);
    irq_set(&ch->irq, on);
}

void ide_raise(struct ide_drive *s)
{
    s->intrq = true;
    update_irq(s->ch);
}

static void lower(struct ide_drive *s)
{
    s->intrq = false;
    update_irq(s->ch);
}

void ide_finish(struct ide_drive *s, bool intrq)
{
    s->phase = IDE_IDLE;
    s->op = IDE_OP_NONE;
    s->status = ide_ready(s);
    if (intrq)
        ide_raise(s);
}

void ide_fail(struct ide_drive *s, uint8_t error, uint8_t status)
{
    TRACE(&s->dev, "command %02x failed, error %02x", s->command, error);
    s->phase = IDE_IDLE;
    s->op = IDE_OP_NONE;
    s->error = error;
    s->status = ide_ready(s) | IDE_ERR | status;
    ide_raise(s);
}

/* --- data ------------------------------------------------------------------------------------ */

void ide_pio(struct ide_drive *s, bool in, uint32_t n, bool intrq)
{
    s->end = s->pos + n;
    s->phase = in ? IDE_PIO_IN : IDE_PIO_OUT;
    s->status = ide_ready(s) | IDE_DRQ;
    if (intrq)
        ide_raise(s);
}

static void dma_run(struct ide_drive *s)
{
    struct ide_channel *ch = s->ch;

    while (s->phase == IDE_DMA_IN || s->phase == IDE_DMA_OUT) {
        if (s->pos < s->len)
            s->pos += ch->dma_ops->move(ch->dma_opaque, ide_buf(s) + s->pos, s->len - s->pos,
                                        s->phase == IDE_DMA_IN);
        if (s->pos < s->len)
            return; /* until the host starts the engine */
        ide_ops[s->op].data(s); /* leaves the phase: to a block request, or to the end */
    }
}

void ide_dma_start(struct ide_drive *s, bool in)
{
    s->phase = in ? IDE_DMA_IN : IDE_DMA_OUT;
    s->status = ide_ready(s) | IDE_DRQ;
    s->end = s->len;
    dma_run(s);
}

void ide_dma_ready(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++)
        if (ch->drive[i])
            dma_run(ch->drive[i]);
}

static void block_end(struct ide_drive *s)
{
    s->pos = s->end;
    ide_ops[s->op].data(s);
}

static uint16_t data_in(struct ide_channel *ch)
{
    struct ide_drive *s = ch->drive[ch->select];

    if (!s || s->phase != IDE_PIO_IN)
        return 0xffff;
    uint16_t v = ld_le16(ide_buf(s) + s->pos); /* the last word of an odd block has a byte to spare */
    s->pos += 2;
    if (s->pos >= s->end)
        block_end(s);
    return v;
}

static void data_out(struct ide_channel *ch, uint16_t v)
{
    struct ide_drive *s = ch->drive[ch->select];

    if (!s || s->phase != IDE_PIO_OUT)
        return;
    st_le16(ide_buf(s) + s->pos, v);
    s->pos += 2;
    if (s->pos >= s->end)
        block_end(s);
}

/* --- block requests -------------------------------------------------------------------------- */

static void io_done(struct blk_req *req, int err)
{
    struct ide_drive *s = req->opaque;

    if (!s->cancelled && s->phase == IDE_BUSY_IO)
        ide_ops[s->op].io(s, err);
}

void ide_submit(struct ide_drive *s, enum blk_op op, uint64_t off, uint32_t buf_off, uint64_t len,
                unsigned flags)
{
    bool data = op == BLK_READ || op == BLK_WRITE;

    s->phase = IDE_BUSY_IO;
    s->status = IDE_BSY;
    s->rq_op = (uint8_t) op;
    s->rq_off = off;
    s->rq_buf = buf_off;
    s->rq_len = len;
    s->rq_flags = (uint8_t) flags;
    s->iov = (struct iovec){ ide_buf(s) + buf_off, len };
    s->req = (struct blk_req){ .op = op, .flags = flags, .off = off, .len = len, .iov = data ? &s->iov : NULL,
                               .niov = data, .done = io_done, .opaque = s };
    blk_submit(s->blk, &s->req);
}

void ide_retry(void *opaque)
{
    struct ide_drive *s = opaque;

    if (s->phase == IDE_BUSY_IO && !s->req.busy)
        ide_submit(s, s->rq_op, s->rq_off, s->rq_buf, s->rq_len, s->rq_flags);
}

bool ide_retry_valid(const struct ide_drive *s)
{
    bool data = s->rq_op == BLK_READ || s->rq_op == BLK_WRITE;

    if (!s->blk || s->rq_op > BLK_DISCARD || (s->cd && s->rq_op != BLK_READ) ||
        s->rq_flags > (BLK_FUA | BLK_MAY_UNMAP))
        return false;
    if (!s->retry.pending || s->rq_op == BLK_FLUSH)
        return s->retry.pending;
    return !(s->rq_off % IDE_SECTOR) && !(s->rq_len % IDE_SECTOR) && s->rq_len &&
           range_fits(s->rq_off, s->rq_len, s->blk->size) &&
           (!data || range_fits(s->rq_buf, s->rq_len, IDE_BUF_SIZE));
}

void ide_cancel(struct ide_drive *s)
{
    if (s->req.busy) { /* it owns the buffer until it is done */
        s->cancelled = true;
        blk_drain(s->blk);
        s->cancelled = false;
    }
    bh_cancel(&s->retry);
    s->phase = IDE_IDLE;
    s->op = IDE_OP_NONE;
}

/* Before a snapshot.  A request that waits for the user to mend the host's disk is not ended, but
 * made again after loading. */
void ide_drain(struct ide_drive *s)
{
    if (s->req.busy && s->dev.vm->state != RUN_IO_ERROR)
        blk_drain(s->blk);
}

void ide_channel_drain(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++)
        if (ch->drive[i])
            ide_drain(ch->drive[i]);
}

/* --- reset ----------------------------------------------------------------------------------- */

void ide_signature(struct ide_drive *s)
{
    s->nsector[0] = s->lbal[0] = 1;
    s->lbam[0] = s->cd ? 0x14 : 0;
    s->lbah[0] = s->cd ? 0xeb : 0;
    s->nsector[1] = s->lbal[1] = s->lbam[1] = s->lbah[1] = 0;
    s->device = 0xa0 | (s->device & IDE_DEV);
}

static void after_reset(struct ide_drive *s) /* BSY is released */
{
    s->error = 0x01; /* diagnostic code: passed */
    s->status = s->cd ? 0 : ide_ready(s); /* a packet device is ready when its first command is */
    ide_signature(s);
}

static void defaults(struct ide_drive *s)
{
    s->mult = s->cd ? 0 : IDE_MAX_MULT; /* most drivers take what is set: fewer interrupts */
    s->xfer_mode = 0x0c; /* PIO 4 */
    s->cur_heads = (uint8_t) s->geo.heads;
    s->cur_secs = (uint8_t) s->geo.secs;
    s->lookahead = true;
    ide_set_wcache(s, s->wcache_default);
}

void ide_set_wcache(struct ide_drive *s, bool on)
{
    s->wcache = on;
    if (s->blk && !s->cd)
        s->blk->write_cache = on;
}

void ide_drive_reset(struct ide_drive *s, bool hard)
{
    ide_cancel(s);
    s->intrq = false;
    s->power = IDE_ACTIVE;
    s->command = s->prev_command = 0;
    s->features[0] = s->features[1] = 0;
    if (hard) {
        s->revert = true;
        s->device = 0xa0;
    }
    if (s->revert) {
        defaults(s);
        s->max_sectors = s->max_nonvolatile;
    }
    if (s->cd)
        atapi_reset(s, hard);
    after_reset(s);
}

static void reset_both(struct ide_channel *ch, bool hard)
{
    ch->select = 0;
    for (unsigned i = 0; i < 2; i++)
        if (ch->drive[i]) {
            ide_drive_reset(ch->drive[i], hard);
            ch->drive[i]->device = 0xa0;
        }
    update_irq(ch);
}

void ide_channel_reset(struct ide_channel *ch)
{
    ch->control = 0;
    reset_both(ch, true);
}

void ide_execute_diagnostic(struct ide_channel *ch)
{
    ch->select = 0;
    for (unsigned i = 0; i < 2; i++)
        if (ch->drive[i]) {
            ide_cancel(ch->drive[i]);
            after_reset(ch->drive[i]);
            ch->drive[i]->device = 0xa0;
        }
    if (ch->drive[0])
        ide_raise(ch->drive[0]);
    update_irq(ch);
}

static void control_write(struct ide_channel *ch, uint8_t val)
{
    uint8_t old = ch->control;

    ch->control = val & (IDE_NIEN | IDE_SRST | IDE_HOB);
    if (!(old & IDE_SRST) && (val & IDE_SRST))
        reset_both(ch, false);
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *s = ch->drive[i];
        if (s && (val & IDE_SRST))
            s->status = IDE_BSY;
        else if (s && (old & IDE_SRST))
            after_reset(s);
    }
    update_irq(ch);
}

/* --- registers ------------------------------------------------------------------------------- */

static void command_write(struct ide_channel *ch, uint8_t cmd)
{
    struct ide_drive *s = ch->drive[ch->select];
    const struct ide_cmd *c = &ide_commands[cmd];

    if (cmd == 0x90 && (s || ch->drive[0])) { /* EXECUTE DEVICE DIAGNOSTIC is for both */
        if (!(ch->control & IDE_SRST))
            ide_execute_diagnostic(ch);
        return;
    }
    if (!s)
        return;
    bool reset = cmd == 0x08 && s->cd;
    if ((ch->control & IDE_SRST) || (s->power == IDE_SLEEPING && !reset))
        return;
    if ((s->status & (IDE_BSY | IDE_DRQ)) && !reset) {
        guest_error(&s->dev, "command %02x while status is %02x", cmd, s->status);
        return;
    }
    lower(s);
    TRACE(&s->dev, "command %02x features %02x count %02x%02x lba %02x%02x%02x %02x%02x%02x device %02x",
          cmd, s->features[0], s->nsector[1], s->nsector[0], s->lbah[1], s->lbam[1], s->lbal[1], s->lbah[0],
          s->lbam[0], s->lbal[0], s->device);
    s->prev_command = s->command;
    s->command = cmd;
    s->error = 0;
    s->dma = s->careful = s->failed = false;
    s->pos = s->end = s->len = 0;
    if (c->run && (c->flags & (s->cd ? IDE_F_CD : IDE_F_HD)))
        c->run(s);
    else
        ide_fail(s, IDE_ABRT, 0);
}

static void shift_in(uint8_t reg[2], uint8_t val)
{
    reg[1] = reg[0];
    reg[0] = val;
}

static void drive_write(struct ide_drive *s, unsigned reg, uint8_t val)
{
    if (s->status & (IDE_BSY | IDE_DRQ))
        return;
    switch (reg) {
    case FEATURES: shift_in(s->features, val); break;
    case NSECTOR:  shift_in(s->nsector, val); break;
    case LBAL:     shift_in(s->lbal, val); break;
    case LBAM:     shift_in(s->lbam, val); break;
    case LBAH:     shift_in(s->lbah, val); break;
    case DEVICE:   s->device = val; break;
    }
}

static void reg_write(struct ide_channel *ch, unsigned reg, uint8_t val)
{
    ch->control &= ~IDE_HOB;
    if (reg == COMMAND) {
        command_write(ch, val);
        return;
    }
    for (unsigned i = 0; i < 2; i++) /* both drives latch every register */
        if (ch->drive[i])
            drive_write(ch->drive[i], reg, val);
    if (reg == DEVICE) {
        ch->select = !!(val & IDE_DEV);
        update_irq(ch);
    }
}

/* Device 0 answers for an absent device 1, with a status of 0; nobody answers for an absent device
 * 0. */
static uint8_t status_read(struct ide_channel *ch)
{
    const struct ide_drive *s = ch->drive[ch->select];

    return s ? s->status : ch->drive[0] ? 0 : FLOATING;
}

static uint8_t reg_read(struct ide_channel *ch, unsigned reg)
{
    struct ide_drive *s = ch->drive[ch->select] ? ch->drive[ch->select] : ch->drive[0];
    bool hob = ch->control & IDE_HOB;

    if (!s)
        return FLOATING;
    switch (reg) {
    case FEATURES: return s->error;
    case NSECTOR:  return s->nsector[hob];
    case LBAL:     return s->lbal[hob];
    case LBAM:     return s->lbam[hob];
    case LBAH:     return s->lbah[hob];
    case DEVICE:   return s->device;
    default:
        if (ch->drive[ch->select])
            lower(s);
        return status_read(ch);
    }
}

static uint64_t command_block_read(void *opaque, uint64_t off, unsigned size)
{
    struct ide_channel *ch = opaque;
    uint64_t v = 0;

    if (off == DATA) {
        v = data_in(ch);
        return size == 4 ? v | (uint64_t) data_in(ch) << 16 : v;
    }
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t) reg_read(ch, (unsigned) off + i) << (8 * i);
    return v;
}

static void command_block_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct ide_channel *ch = opaque;

    if (off == DATA) {
        data_out(ch, (uint16_t) val);
        if (size == 4)
            data_out(ch, (uint16_t) (val >> 16));
        return;
    }
    for (unsigned i = 0; i < size; i++)
        reg_write(ch, (unsigned) off + i, (uint8_t) (val >> (8 * i)));
}
static const struct region_ops command_block_ops = { command_block_read, command_block_write, .min = 1, .max = 4 };

static uint64_t control_block_read(void *opaque, uint64_t off, unsigned size)
{
    (void) off, (void) size;
    return status_read(opaque);
}

static void control_block_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    (void) off, (void) size;
    control_write(opaque, (uint8_t) val);
}
static const struct region_ops control_block_ops = { control_block_read, control_block_write, .min = 1, .max = 1 };

/* --- life ------------------------------------------------------------------------------------ */

void ide_channel_init(struct ide_channel *ch, struct device *owner, unsigned num, const struct ide_dma_ops *ops,
                      void *opaque)
{
    char name[16];

    g_snprintf(name, sizeof name, "ide.%u", num);
    ch->owner = owner;
    ch->num = num;
    ch->dma_ops = ops;
    ch->dma_opaque = opaque;
    bus_init(&ch->bus, owner->vm, &ide_bus_class, name, owner, ch);
}

bool ide_channel_add_ports(struct ide_channel *ch, uint16_t command, uint16_t control, GError **err)
{
    region_init_io(&ch->command, "ide command block", &command_block_ops, ch, 8);
    region_init_io(&ch->control_port, "ide control block", &control_block_ops, ch, 1);
    ch->command.enabled = ch->control_port.enabled = false;
    return space_add(&ch->owner->vm->pio, &ch->command, command, 0, err) &&
           space_add(&ch->owner->vm->pio, &ch->control_port, control, 0, err);
}

void ide_channel_clear(struct ide_channel *ch)
{
    if (!ch->owner)
        return;
    space_remove(&ch->command);
    space_remove(&ch->control_port);
    bus_clear(&ch->bus, ch->owner->vm);
    ch->owner = NULL;
}

bool ide_channel_valid(const struct ide_channel *ch)
{
    return ch->select <= 1 && !(ch->control & ~(IDE_NIEN | IDE_SRST | IDE_HOB));
}

void ide_channel_describe(const struct ide_channel *ch, GString *out)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct ide_drive *s = ch->drive[i];
        if (s)
            g_string_append_printf(out, "%s unit %u: %s \"%s\", %s%s, status %02x%s\n", ch->bus.name, i,
                                   s->dev.name, s->model_text, s->blk ? "drive " : "no drive",
                                   s->blk ? s->blk->id : "", s->status,
                                   ch->select == i ? ", selected" : "");
    }
}

const struct state ide_channel_state[] = {
    STATE_HOST(struct ide_channel, bus),     STATE_HOST(struct ide_channel, owner),
    STATE_HOST(struct ide_channel, num),     STATE_HOST(struct ide_channel, drive),
    STATE_HOST(struct ide_channel, command), STATE_HOST(struct ide_channel, control_port),
    STATE_HOST(struct ide_channel, dma_ops), STATE_HOST(struct ide_channel, dma_opaque),
    STATE_IRQ(struct ide_channel, irq),      STATE_U8(struct ide_channel, select, .max = 1),
    STATE_U8(struct ide_channel, control),   {}
};

/* --- the bus --------------------------------------------------------------------------------- */

static bool ide_attach(struct bus *bus, struct device *dev, GError **err)
{
    struct ide_drive *s = container_of(dev, struct ide_drive, dev);
    struct ide_channel *ch = bus->opaque;

    if (s->unit < -1 || s->unit > 1)
        return fail(err, "unit %d: an IDE channel has units 0 and 1", s->unit);
    if (s->unit < 0)
        s->unit = ch->drive[0] ? 1 : 0;
    if (ch->drive[s->unit])
        return fail(err, "bus '%s': unit %d is already used by '%s'", bus->name, s->unit,
                    ch->drive[s->unit]->dev.name);
    ch->drive[s->unit] = s;
    s->ch = ch;
    return true;
}

static void ide_detach(struct bus *bus, struct device *dev)
{
    struct ide_channel *ch = bus->opaque;

    for (unsigned i = 0; i < 2; i++)
        if (ch->drive[i] && &ch->drive[i]->dev == dev)
            ch->drive[i] = NULL;
}

static bool ide_is_full(const struct bus *bus)
{
    const struct ide_channel *ch = bus->opaque;

    return ch->drive[0] && ch->drive[1];
}

static char *ide_fw_node(const struct device *dev)
{
    const struct ide_drive *s = container_of(dev, struct ide_drive, dev);

    return g_strdup_printf("drive@%x/disk@%x", s->ch->num, (unsigned) s->unit);
}

static const struct prop ide_bus_props[] = {
    PROP_I32(struct ide_drive, unit, -1, .desc = "0: master, 1: slave; -1: the first that is free"), {}
};
const struct bus_class ide_bus_class = {
    .name = "IDE", .props = ide_bus_props, .attach = ide_attach, .detach = ide_detach, .is_full = ide_is_full,
    .fw_node = ide_fw_node,
};
