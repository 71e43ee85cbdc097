/* hw/pc/fdc.c - Intel 82078 floppy disk controller (64-pin), as a PC/AT has it.
 *
 * Sheets: Intel 82078 (290468/290475), 82077AA (290166); "the sheet" below.  fdc_data.c has the commands
 * that go to the disk, fdc_drive.c the drives.
 *
 * Deviations: AT mode with the PS/2 mode's SRA and SRB readable.  After RESET the DOR reads 0ch and implied
 * seeks are enabled: firmware for emulators, old SeaBIOS among it, takes that for granted.  Seeks,
 * rotation and missing media take microseconds to a few milliseconds; the FIFO waits a second for a slow host
 * before it overruns.  A command for a drive that is absent, empty or not spinning ends with a missing
 * address mark, where the chip would wait for index pulses for ever.  Gaps, precompensation, head load and
 * unload times, power-down states, the FORMAT AND WRITE command and media that mix densities are not
 * modelled. */
#include "hw/pc/fdc_int.h"
#include "vmm/core/vm.h"

enum { REG_SRA, REG_SRB, REG_DOR, REG_TDR, REG_MSR, REG_FIFO };
enum { MSR_CMDBSY = 0x10, MSR_NONDMA = 0x20, MSR_DIO = 0x40, MSR_RQM = 0x80 };
enum {
    DSR_SWRST = 0x80,
    DSR_DRATE = 0x03,
    DSR_RESET = 0x02,
    TDR_BOOTSEL = 0x04,
    TDR_TAPE = 0x03,
    DIR_DSKCHG = 0x80
};
enum { SRA_DIR = 0x01, SRA_NWP = 0x02, SRA_NINDX = 0x04, SRA_HDSEL = 0x08, SRA_NTRK0 = 0x10, SRA_NDRV2 = 0x40,
       SRA_INTPEND = 0x80 };
enum { ST3_HD = 0x04, ST3_ALWAYS = 0x28, ST3_T0 = 0x10, ST3_WP = 0x40 };
enum { PERP_OW = 0x80, PERP_DRIVES = 0x3c, PERP_GAP_WGATE = 0x03, SPEC_DONE = 0x80, SPEC_NRP = 0x40 };
enum { VERSION_82077 = 0x90, PART_82078 = 0x01, RECALIBRATE_STEPS = 80 };

#define POLL_NS (20 * NS_PER_US)
#define SEEK_NS (40 * NS_PER_US)
#define STEP_NS (10 * NS_PER_US)

/* --- lines ------------------------------------------------------------------------------------- */

static void update_irq(struct fdc *s)
{
    irq_set(&s->irq, s->ints && (s->dor & DOR_DMAGATE)); /* AT mode: DMAGATE enables INT and DRQ */
}

void fdc_set_int(struct fdc *s, unsigned cause, bool on)
{
    s->ints = (uint8_t) (on ? s->ints | cause : s->ints & ~cause);
    update_irq(s);
}

struct floppy *fdc_drive(struct fdc *s, unsigned ds)
{
    if (s->tdr & TDR_BOOTSEL)
        ds ^= 1;
    return ds < N_FLOPPY ? s->bus.drive[ds] : NULL;
}

bool fdc_motor_on(const struct fdc *s, unsigned ds)
{
    return s->dor & (DOR_MOTOR0 << ds);
}

unsigned fdc_rate(const struct fdc *s)
{
    static const uint8_t rates[4] = { RATE_500K, RATE_300K, RATE_250K, RATE_1M };

    unsigned drt = s->drive_spec[s->ds & 3] >> 2 & 3; /* DRIVE SPECIFICATION: another meaning of code 01 */

    if (drt && (s->dsr & DSR_DRATE) == 1)
        return drt == 1 ? RATE_500K : 0; /* 2 Mb/s: tapes */
    return rates[s->dsr & DSR_DRATE];
}

void fdc_result(struct fdc *s, unsigned n)
{
    s->phase = PHASE_RESULT;
    s->res_pos = 0;
    s->res_len = (uint8_t) n;
}

static void command_phase(struct fdc *s)
{
    s->phase = PHASE_COMMAND;
    s->cmd_pos = s->cmd_len = 0;
    s->res_pos = s->res_len = 0;
}

/* --- reset ------------------------------------------------------------------------------------- */

static void default_config(struct fdc *s)
{
    s->config = CONFIG_EIS | (s->lock ? s->config & (CONFIG_EFIFO | CONFIG_FIFOTHR) : CONFIG_EFIFO);
    s->pretrk = s->lock ? s->pretrk : 0;
}

/* By the DOR or the DSR. */
static void software_reset(struct fdc *s)
{
    TRACE(&s->dev, "software reset");
    fdc_data_abort(s);
    timer_stop(&s->poll);
    for (int i = 0; i < 4; i++)
        timer_stop(&s->seek[i]);
    command_phase(s);
    default_config(s);
    memset(s->pcn, 0, sizeof s->pcn);
    s->busy = s->seek_done = s->poll_pending = 0;
    s->perpendicular &= ~PERP_GAP_WGATE;
    s->ints = 0;
    update_irq(s);
}

static void poll_due(void *opaque)
{
    struct fdc *s = opaque;

    if (s->config & CONFIG_POLL) /* polling is disabled */
        return;
    s->poll_pending = 0x0f;
    fdc_set_int(s, INT_RESET, true);
}

static void start_polling(struct fdc *s)
{
    timer_at(&s->poll, clock_now(s->dev.vm) + POLL_NS);
}

/* --- seeks: they go on by themselves, and up to four at once ------------------------------------- */

static void seek_due(void *opaque) /* one of the four; a timer that fires is not armed any more */
{
    struct fdc *s = opaque;

    for (unsigned ds = 0; ds < 4; ds++) {
        if (!(s->busy & BIT(ds)) || (s->seek_done & BIT(ds)) || timer_armed(&s->seek[ds]))
            continue;
        s->seek_done |= BIT(ds);
        fdc_set_int(s, INT_SEEK, true);
    }
}

static void seek_start(struct fdc *s, unsigned ds, int steps, uint8_t st0)
{
    floppy_step(fdc_drive(s, ds), steps);
    s->dir_in = steps > 0;
    s->seek_st0[ds] = st0 | (uint8_t) ds;
    s->busy |= BIT(ds);
    s->seek_done &= ~BIT(ds);
    s->poll_pending &= ~BIT(ds);
    timer_at(&s->seek[ds], clock_now(s->dev.vm) + SEEK_NS + ABS(steps) * STEP_NS);
    command_phase(s);
}

static void cmd_recalibrate(struct fdc *s)
{
    unsigned ds = s->cmd[1] & 3;
    struct floppy *f = fdc_drive(s, ds);
    bool found = f && f->track <= RECALIBRATE_STEPS;

    s->pcn[ds] = 0;
    seek_start(s, ds, -RECALIBRATE_STEPS, found ? ST0_SE : ST0_SE | ST0_EC | ST0_ABNORMAL);
}

static void cmd_seek(struct fdc *s)
{
    unsigned ds = s->cmd[1] & 3;
    int steps = s->cmd[2] - s->pcn[ds];

    s->pcn[ds] = s->cmd[2];
    seek_start(s, ds, steps, ST0_SE);
}

static void cmd_relative_seek(struct fdc *s)
{
    unsigned ds = s->cmd[1] & 3;
    int steps = s->cmd[0] & 0x40 ? s->cmd[2] : -s->cmd[2];

    s->pcn[ds] = (uint8_t) (s->pcn[ds] + steps);
    seek_start(s, ds, steps, ST0_SE);
}

static void cmd_sense_interrupt(struct fdc *s)
{
    unsigned pending = s->seek_done ? s->seek_done : s->poll_pending;
    unsigned ds = pending ? (unsigned) __builtin_ctz(pending) : 0;

    if (!pending) {
        s->result[0] = ST0_INVALID;
        fdc_result(s, 1);
        return;
    }
    if (s->seek_done) {
        s->result[0] = s->seek_st0[ds];
        s->seek_done &= ~BIT(ds);
        s->busy &= ~BIT(ds);
    } else {
        s->result[0] = ST0_POLLING | (uint8_t) ds;
        s->poll_pending &= ~BIT(ds);
    }
    s->result[1] = s->pcn[ds];
    fdc_set_int(s, INT_RESET, false);
    fdc_set_int(s, INT_SEEK, s->seek_done != 0);
    fdc_result(s, 2);
}

/* --- commands of the controller itself ---------------------------------------------------------- */

static void cmd_specify(struct fdc *s)
{
    s->srt_hut = s->cmd[1];
    s->hlt_nd = s->cmd[2];
    command_phase(s);
}

static void cmd_sense_drive(struct fdc *s)
{
    struct floppy *f = fdc_drive(s, s->cmd[1] & 3);

    s->result[0] = (s->cmd[1] & (ST3_HD | ST0_DS)) | ST3_ALWAYS | (f && f->track == 0 ? ST3_T0 : 0) |
                   (floppy_protected(f) ? ST3_WP : 0);
    fdc_result(s, 1);
}

static void cmd_configure(struct fdc *s)
{
    s->config = s->cmd[2] & 0x7f;
    s->pretrk = s->cmd[3];
    command_phase(s);
}

static void cmd_perpendicular(struct fdc *s)
{
    uint8_t drives = s->cmd[1] & PERP_OW ? s->cmd[1] & PERP_DRIVES : s->perpendicular & PERP_DRIVES;

    s->perpendicular = drives | (s->cmd[1] & PERP_GAP_WGATE);
    command_phase(s);
}

static uint8_t lock_perp(const struct fdc *s)
{
    return (uint8_t) (s->lock << 7) | s->perpendicular;
}

static void cmd_dumpreg(struct fdc *s)
{
    const uint8_t r[10] = { s->pcn[0], s->pcn[1], s->pcn[2], s->pcn[3], s->srt_hut, s->hlt_nd, s->eot_sc,
                            lock_perp(s), s->config, s->pretrk };

    memcpy(s->result, r, sizeof r);
    fdc_result(s, sizeof r);
}

static void cmd_save(struct fdc *s)
{
    const uint8_t r[16] = { s->dsr & 0x1f, s->option, s->pcn[0], s->pcn[1], s->pcn[2], s->pcn[3], s->srt_hut,
                            s->hlt_nd, s->eot_sc, lock_perp(s), s->config, s->pretrk, s->power, 0, 0, 0 };

    memcpy(s->result, r, sizeof r);
    fdc_result(s, sizeof r);
}

static void cmd_restore(struct fdc *s)
{
    const uint8_t *r = s->cmd + 1;

    s->dsr = r[0] & 0x1f;
    s->option = r[1] & 1;
    memcpy(s->pcn, r + 2, 4);
    s->srt_hut = r[6];
    s->hlt_nd = r[7];
    s->eot_sc = r[8];
    s->lock = r[9] & 0x80;
    s->perpendicular = r[9] & 0x3f;
    s->config = r[10] & 0x7f;
    s->pretrk = r[11];
    s->power = r[12] & 0x27;
    command_phase(s);
}

static void cmd_lock(struct fdc *s)
{
    s->lock = s->cmd[0] & 0x80;
    s->result[0] = (uint8_t) (s->lock << 4);
    fdc_result(s, 1);
}

static void cmd_version(struct fdc *s)
{
    s->result[0] = VERSION_82077;
    fdc_result(s, 1);
}

static void cmd_part_id(struct fdc *s)
{
    s->result[0] = PART_82078;
    fdc_result(s, 1);
}

static void cmd_powerdown(struct fdc *s)
{
    s->result[0] = s->power = s->cmd[1] & 0x27;
    fdc_result(s, 1);
}

static void cmd_option(struct fdc *s)
{
    s->option = s->cmd[1] & 1;
    command_phase(s);
}

/* A byte for each drive that is described, then one with DONE. */
static void cmd_drive_spec(struct fdc *s)
{
    for (unsigned i = 1; i < s->cmd_len; i++) {
        if (s->cmd[i] & SPEC_DONE)
            break;
        s->drive_spec[s->cmd[i] >> 5 & 3] = s->cmd[i] & 0x1f;
    }
    if (s->cmd[s->cmd_len - 1] & SPEC_NRP) {
        command_phase(s);
        return;
    }
    memcpy(s->result, s->drive_spec, 4);
    fdc_result(s, 4);
}

/* --- the command table -------------------------------------------------------------------------- */

static const struct command {
    uint8_t mask, code, len;
    void (*fn)(struct fdc *s); /* NULL: a data command */
    enum fdc_op op;
} commands[] = {
    { 0x1f, 0x06, 9, NULL, OP_READ },
    { 0x3f, 0x05, 9, NULL, OP_WRITE },
    { 0x1f, 0x0c, 9, NULL, OP_READ_DELETED },
    { 0x3f, 0x09, 9, NULL, OP_WRITE_DELETED },
    { 0xbf, 0x02, 9, NULL, OP_READ_TRACK },
    { 0x1f, 0x16, 9, NULL, OP_VERIFY },
    { 0x1f, 0x11, 9, NULL, OP_SCAN_EQUAL },
    { 0x1f, 0x19, 9, NULL, OP_SCAN_LOW },
    { 0x1f, 0x1d, 9, NULL, OP_SCAN_HIGH },
    { 0xbf, 0x0d, 6, NULL, OP_FORMAT },
    { 0xbf, 0x0a, 2, NULL, OP_READ_ID },
    { 0xff, 0x03, 3, cmd_specify, 0 },
    { 0xff, 0x04, 2, cmd_sense_drive, 0 },
    { 0xff, 0x07, 2, cmd_recalibrate, 0 },
    { 0xff, 0x08, 1, cmd_sense_interrupt, 0 },
    { 0xff, 0x0f, 3, cmd_seek, 0 },
    { 0xbf, 0x8f, 3, cmd_relative_seek, 0 },
    { 0xff, 0x10, 1, cmd_version, 0 },
    { 0xff, 0x13, 4, cmd_configure, 0 },
    { 0xff, 0x0e, 1, cmd_dumpreg, 0 },
    { 0xff, 0x12, 2, cmd_perpendicular, 0 },
    { 0x7f, 0x14, 1, cmd_lock, 0 },
    { 0xff, 0x18, 1, cmd_part_id, 0 },
    { 0xff, 0x2e, 1, cmd_save, 0 },
    { 0xff, 0x4e, CMD_MAX, cmd_restore, 0 },
    { 0xff, 0x17, 2, cmd_powerdown, 0 },
    { 0xff, 0x33, 2, cmd_option, 0 },
    { 0xff, 0x8e, 2, cmd_drive_spec, 0 }, /* or up to 6 */
};

static const struct command *find_command(uint8_t code)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        if ((code & commands[i].mask) == commands[i].code)
            return &commands[i];
    return NULL;
}

static void command_byte(struct fdc *s, uint8_t val)
{
    const struct command *c = find_command(s->cmd_pos ? s->cmd[0] : val);

    if (!c) {
        guest_error(&s->dev, "invalid command %02x", val);
        s->result[0] = ST0_INVALID;
        fdc_result(s, 1);
        return;
    }
    if (!s->cmd_pos)
        s->cmd_len = c->len;
    s->cmd[s->cmd_pos++] = val;
    if (c->fn == cmd_drive_spec && s->cmd_pos > 1 && s->cmd_pos < 6 && !(val & SPEC_DONE))
        s->cmd_len = s->cmd_pos + 1;
    if (s->cmd_pos < s->cmd_len)
        return;
    TRACE(&s->dev, "command %02x %02x %02x %02x %02x %02x %02x %02x %02x", s->cmd[0], s->cmd[1], s->cmd[2],
          s->cmd[3], s->cmd[4], s->cmd[5], s->cmd[6], s->cmd[7], s->cmd[8]);
    if (c->fn)
        c->fn(s);
    else
        fdc_data_start(s, c->op);
}

/* --- registers --------------------------------------------------------------------------------- */

static bool in_reset(const struct fdc *s)
{
    return !(s->dor & DOR_NRESET);
}

static uint8_t read_sra(struct fdc *s)
{
    struct floppy *f = fdc_drive(s, s->dor & DOR_SELECT);
    bool turning = floppy_has_medium(f) && fdc_motor_on(s, s->dor & DOR_SELECT);
    bool index = turning && clock_now(s->dev.vm) % (200 * NS_PER_MS) < 4 * NS_PER_MS;

    return (s->dir_in ? SRA_DIR : 0) | (floppy_protected(f) ? 0 : SRA_NWP) | (index ? 0 : SRA_NINDX) |
           (s->hds ? SRA_HDSEL : 0) | (f && f->track == 0 ? 0 : SRA_NTRK0) |
           (s->bus.drive[1] ? 0 : SRA_NDRV2) | (s->ints ? SRA_INTPEND : 0);
}

static uint8_t read_srb(const struct fdc *s)
{
    return 0xc0 | (uint8_t) ((s->dor & 1) << 5) | (s->dor >> 4 & 3);
}

static uint8_t read_msr(const struct fdc *s)
{
    uint8_t v = s->busy;

    if (in_reset(s))
        return 0;
    switch (s->phase) {
    case PHASE_COMMAND: return v | MSR_RQM | (s->cmd_pos ? MSR_CMDBSY : 0);
    case PHASE_RESULT: return v | MSR_RQM | MSR_DIO | MSR_CMDBSY;
    default:
        v |= MSR_CMDBSY | (s->hlt_nd & 1 ? MSR_NONDMA : 0);
        return s->wait == WAIT_PIO ? v | MSR_RQM | (s->to_host ? MSR_DIO : 0) : v;
    }
}

static uint8_t read_fifo(struct fdc *s)
{
    if (s->phase == PHASE_EXEC && s->wait == WAIT_PIO && s->to_host)
        return fdc_fifo_get(s);
    if (s->phase != PHASE_RESULT || in_reset(s)) {
        guest_error(&s->dev, "FIFO read with nothing in it");
        return 0;
    }
    uint8_t val = s->result[s->res_pos++];
    fdc_set_int(s, INT_RESULT, false);
    if (s->res_pos >= s->res_len)
        command_phase(s);
    return val;
}

static void write_fifo(struct fdc *s, uint8_t val)
{
    if (in_reset(s))
        return;
    if (s->phase == PHASE_COMMAND)
        command_byte(s, val);
    else if (s->phase == PHASE_EXEC && s->wait == WAIT_PIO && !s->to_host)
        fdc_fifo_put(s, val);
    else
        guest_error(&s->dev, "FIFO written with %02x out of turn", val);
}

static void write_dor(struct fdc *s, uint8_t val)
{
    uint8_t old = s->dor;

    s->dor = val;
    if ((old & DOR_NRESET) && !(val & DOR_NRESET))
        software_reset(s);
    else if (!(old & DOR_NRESET) && (val & DOR_NRESET))
        start_polling(s);
    update_irq(s);
    if (!(old & DOR_DMAGATE) && (val & DOR_DMAGATE))
        fdc_dma_notify(s);
}

static uint64_t fdc_read(void *opaque, uint64_t off, unsigned size)
{
    struct fdc *s = opaque;

    (void) size;
    switch (off) {
    case REG_SRA: return read_sra(s);
    case REG_SRB: return read_srb(s);
    case REG_DOR: return s->dor;
    case REG_TDR: return 0xf8 | s->tdr;
    case REG_MSR: return read_msr(s);
    default: return read_fifo(s);
    }
}

static void fdc_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct fdc *s = opaque;

    (void) size;
    switch (off) {
    case REG_DOR: write_dor(s, (uint8_t) val); break;
    case REG_TDR: s->tdr = val & (TDR_BOOTSEL | TDR_TAPE); break;
    case REG_MSR: /* DSR */
        s->dsr = val & 0x7f;
        if ((val & DSR_SWRST) && !in_reset(s)) {
            software_reset(s);
            start_polling(s);
        }
        break;
    case REG_FIFO: write_fifo(s, (uint8_t) val); break;
    default: break; /* SRA, SRB */
    }
}

static uint64_t dir_read(void *opaque, uint64_t off, unsigned size)
{
    struct fdc *s = opaque;
    struct floppy *f = fdc_drive(s, s->dor & DOR_SELECT);

    (void) off, (void) size;
    return f && f->changed ? DIR_DSKCHG : 0;
}

static void ccr_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct fdc *s = opaque;

    (void) off, (void) size;
    s->dsr = (uint8_t) ((s->dsr & ~DSR_DRATE) | (val & DSR_DRATE));
}

static const struct region_ops fdc_ops = { fdc_read, fdc_write, .min = 1, .max = 1 };
static const struct region_ops dir_ops = { dir_read, ccr_write, .min = 1, .max = 1 };

/* --- life -------------------------------------------------------------------------------------- */

enum floppy_type fdc_drive_type(const struct device *d, unsigned unit)
{
    const struct fdc *s = container_of(d, const struct fdc, dev);

    return unit < N_FLOPPY && s->bus.drive[unit] ? s->bus.drive[unit]->type : FLOPPY_NONE;
}

static void fdc_reset(struct device *d)
{
    struct fdc *s = container_of(d, struct fdc, dev);

    s->lock = false;
    software_reset(s);
    s->dor = DOR_NRESET | DOR_DMAGATE;
    s->tdr = 0;
    s->dsr = DSR_RESET;
    s->perpendicular = s->power = s->option = s->srt_hut = s->hlt_nd = s->eot_sc = 0;
    s->hds = 0;
    s->dir_in = false;
    memset(s->drive_spec, 0, sizeof s->drive_spec);
    update_irq(s);
}

static const char *const fdtype_names[] = { "auto", "144", "288", "120", "360", "720", "none", NULL };
enum { FDTYPE_AUTO, FDTYPE_144, FDTYPE_288, FDTYPE_120, FDTYPE_360, FDTYPE_720, FDTYPE_NONE };

static bool make_drive(struct fdc *s, unsigned unit, GError **err)
{
    char *text;

    if (!s->drive[unit])
        return true;
    if (s->fdtype[unit] == FDTYPE_NONE)
        return fail(err, "drive%c is given and fdtype%c is 'none'", 'A' + unit, 'A' + unit);
    text = g_strdup_printf("unit=%u,bus=%s,drive=%s,drive-type=%s,bootindex=%d", unit, s->bus.bus.name,
                           s->drive[unit]->id, fdtype_names[s->fdtype[unit]], s->bootindex[unit]);
    struct device *d = device_create(s->dev.vm, &floppy_class, NULL, text, err);
    g_free(text);
    return d != NULL;
}

static bool fdc_realize(struct device *d, GError **err)
{
    struct fdc *s = container_of(d, struct fdc, dev);
    static const enum floppy_type types[] = {FLOPPY_144, FLOPPY_144, FLOPPY_288, FLOPPY_120,
                                             FLOPPY_360, FLOPPY_720, FLOPPY_144};
    struct vm *vm = d->vm;

    fdc_data_init(s);
    timer_init(&s->poll, vm, poll_due, s);
    for (int i = 0; i < 4; i++)
        timer_init(&s->seek[i], vm, seek_due, s);
    if (s->isa_dma > 3)
        return fail(err, "dma %u is out of range: 0 to 3", s->isa_dma);
    if (s->iobase > 0xfff8)
        return fail(err, "iobase 0x%x is out of range", s->iobase);
    bus_init(&s->bus.bus, vm, &floppy_bus_class, "floppy-bus.0", d, s);
    s->bus.empty_type = types[s->fallback];
    region_init_io(&s->io[0], "fdc", &fdc_ops, s, 6);
    region_init_io(&s->io[1], "fdc-dir", &dir_ops, s, 1);
    return isa_claim_irq(d, &s->irq, s->isa_irq, err) &&
           isa_claim_dma(d, s->isa_dma, fdc_dma_notify, s, err) &&
           space_add(&vm->pio, &s->io[0], s->iobase, PRIO_RAM, err) &&
           space_add(&vm->pio, &s->io[1], s->iobase + 7, PRIO_RAM, err) && make_drive(s, 0, err) &&
           make_drive(s, 1, err);
}

static void fdc_unrealize(struct device *d)
{
    struct fdc *s = container_of(d, struct fdc, dev);

    for (int i = 0; i < N_FLOPPY; i++)
        if (s->bus.drive[i])
            device_free(&s->bus.drive[i]->dev);
    if (s->poll.clock) {
        fdc_data_abort(s);
        timer_stop(&s->poll);
        for (int i = 0; i < 4; i++)
            timer_stop(&s->seek[i]);
    }
    space_remove(&s->io[0]);
    space_remove(&s->io[1]);
    bus_clear(&s->bus.bus, d->vm);
}

static bool fdc_post_load(struct device *d) /* a snapshot is untrusted input */
{
    struct fdc *s = container_of(d, struct fdc, dev);

    if (s->phase > PHASE_RESULT || s->cmd_pos > s->cmd_len || s->cmd_len > CMD_MAX ||
        s->res_len > RESULT_MAX || s->res_pos > s->res_len)
        return false;
    if (s->phase == PHASE_RESULT && s->res_pos == s->res_len)
        return false;
    if (s->phase == PHASE_COMMAND && s->cmd_len && s->cmd_pos == s->cmd_len)
        return false;
    if (s->cmd_pos && !find_command(s->cmd[0]))
        return false;
    return fdc_data_post_load(s);
}

static char *fdc_fw_node(const struct device *d)
{
    return g_strdup_printf("fdc@%04x", container_of(d, const struct fdc, dev)->iobase);
}

static void fdc_describe(const struct device *d, GString *out)
{
    const struct fdc *s = container_of(d, const struct fdc, dev);
    static const char *const phases[] = { "command", "execution", "result" };

    g_string_append_printf(out, "%s phase, DOR=%02x MSR=%02x DSR=%02x\n", phases[s->phase], s->dor,
                           read_msr(s), s->dsr);
}

static const struct isa_info fdc_isa = { .fw_node = fdc_fw_node };

static const struct prop fdc_props[] = {
    PROP_U32(struct fdc, iobase, 0x3f0),
    PROP_U32(struct fdc, isa_irq, 6, .name = "irq"),
    PROP_U32(struct fdc, isa_dma, 2, .name = "dma"),
    PROP_ENUM(struct fdc, fdtype[0], FDTYPE_AUTO, fdtype_names, .name = "fdtypeA",
              .desc = "type of driveA"),
    PROP_ENUM(struct fdc, fdtype[1], FDTYPE_AUTO, fdtype_names, .name = "fdtypeB",
              .desc = "type of driveB"),
    PROP_ENUM(struct fdc, fallback, FDTYPE_144, fdtype_names,
              .desc = "type of an empty drive with drive-type=auto"),
    PROP_BLK(struct fdc, drive[0], .name = "driveA", .desc = "image of a drive to make as unit 0"),
    PROP_BLK(struct fdc, drive[1], .name = "driveB", .desc = "image of a drive to make as unit 1"),
    PROP_I32(struct fdc, bootindex[0], -1, .name = "bootindexA",
             .desc = "place of driveA in the boot order"),
    PROP_I32(struct fdc, bootindex[1], -1, .name = "bootindexB",
             .desc = "place of driveB in the boot order"),
    {},
};
static const struct state fdc_state[] = {
    STATE_HOST(struct fdc, io),
    STATE_IRQ(struct fdc, irq),
    STATE_TIMER(struct fdc, poll),
    STATE_TIMERS(struct fdc, seek),
    STATE_TIMER(struct fdc, step),
    STATE_TIMER(struct fdc, overrun),
    STATE_HOST(struct fdc, bus),
    STATE_U8(struct fdc, dor),
    STATE_U8(struct fdc, tdr, .max = 7),
    STATE_U8(struct fdc, dsr),
    STATE_U8(struct fdc, config, .max = 0x7f),
    STATE_U8(struct fdc, pretrk),
    STATE_U8(struct fdc, srt_hut),
    STATE_U8(struct fdc, hlt_nd),
    STATE_U8(struct fdc, perpendicular, .max = 0x3f),
    STATE_U8(struct fdc, power),
    STATE_U8(struct fdc, option),
    STATE_U8(struct fdc, eot_sc),
    STATE_BYTES(struct fdc, drive_spec),
    STATE_BOOL(struct fdc, lock),
    STATE_BOOL(struct fdc, dir_in),
    STATE_BYTES(struct fdc, pcn),
    STATE_BYTES(struct fdc, seek_st0),
    STATE_U8(struct fdc, busy, .max = 15),
    STATE_U8(struct fdc, seek_done, .max = 15),
    STATE_U8(struct fdc, poll_pending, .max = 15),
    STATE_U8(struct fdc, ints, .max = 15),
    STATE_U8(struct fdc, phase),
    STATE_BYTES(struct fdc, cmd),
    STATE_U8(struct fdc, cmd_pos),
    STATE_U8(struct fdc, cmd_len),
    STATE_BYTES(struct fdc, result),
    STATE_U8(struct fdc, res_pos),
    STATE_U8(struct fdc, res_len),
    STATE_U8(struct fdc, wait),
    STATE_U8(struct fdc, op),
    STATE_U8(struct fdc, ds),
    STATE_U8(struct fdc, hds),
    STATE_U8(struct fdc, c),
    STATE_U8(struct fdc, h),
    STATE_U8(struct fdc, r),
    STATE_U8(struct fdc, n),
    STATE_U8(struct fdc, eot),
    STATE_U8(struct fdc, step_by),
    STATE_U8(struct fdc, st0),
    STATE_U8(struct fdc, st1),
    STATE_U8(struct fdc, st2),
    STATE_U16(struct fdc, left),
    STATE_U16(struct fdc, track_pos),
    STATE_BOOL(struct fdc, tc),
    STATE_BOOL(struct fdc, last),
    STATE_BOOL(struct fdc, late),
    STATE_BOOL(struct fdc, to_host),
    STATE_BOOL(struct fdc, dirty),
    STATE_U8(struct fdc, burst),
    STATE_U16(struct fdc, buf_pos),
    STATE_U16(struct fdc, buf_len),
    STATE_BYTES(struct fdc, buf),
    STATE_BYTES(struct fdc, host),
    STATE_HOST(struct fdc, req),
    STATE_HOST(struct fdc, iov),
    STATE_HOST(struct fdc, abandoned),
    {},
};
const struct device_class isa_fdc_class = {
    .name = "isa-fdc",
    .desc = "82078 floppy disk controller",
    .version = 1,
    .size = sizeof(struct fdc),
    .bus = &isa_bus_class,
    .bus_info = &fdc_isa,
    .props = fdc_props,
    .state = fdc_state,
    .realize = fdc_realize,
    .unrealize = fdc_unrealize,
    .reset = fdc_reset,
    .post_load = fdc_post_load,
    .describe = fdc_describe,
};
