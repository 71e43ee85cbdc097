/* hw/pc/fdc_data.c - the floppy controller's commands that transfer data: read, write, verify, scan,
 * format, read ID.
 *
 * A command goes sector by sector: the `step` timer brings the next sector under the head (fdc_step), the
 * medium is asked (WAIT_BLK), the host gives or takes the bytes (WAIT_DMA, WAIT_PIO), and sector_done()
 * decides what follows. Each sector is looked up anew, so that a medium that is changed or a register that
 * is written meanwhile meets the same checks as at the start. */
#include "hw/pc/fdc_int.h"
#include "vmm/core/vm.h"

#include <errno.h>

/* The head does not take its real 8 ms a sector and 400 ms to give up: guests gain nothing by waiting. */
#define START_NS (50 * NS_PER_US)
#define SECTOR_NS (10 * NS_PER_US)
#define STEP_NS (10 * NS_PER_US)
#define NO_INDEX_NS (5 * NS_PER_MS)
#define OVERRUN_NS NS_PER_SEC /* the disk would wait 16 us; a guest may be that slow */
#define ROTATION_NS (200 * NS_PER_MS)

enum { FIFO_SIZE = 16 };

static void fdc_step(void *opaque);
static void fdc_overrun(void *opaque);
static void blk_done(struct blk_req *req, int err);
static void host_done(struct fdc *s);

void fdc_data_init(struct fdc *s)
{
    timer_init(&s->step, s->dev.vm, fdc_step, s);
    timer_init(&s->overrun, s->dev.vm, fdc_overrun, s);
}

static bool is_write(const struct fdc *s)
{
    return s->op == OP_WRITE || s->op == OP_WRITE_DELETED || s->op == OP_FORMAT;
}

static bool is_scan(const struct fdc *s)
{
    return s->op >= OP_SCAN_EQUAL && s->op <= OP_SCAN_HIGH;
}

/* --- the end of a command ---------------------------------------------------------------------- */

static void results(struct fdc *s)
{
    uint8_t r[7] = { s->st0, s->st1, s->st2, s->c, s->h, s->r, s->n };

    memcpy(s->result, r, sizeof r);
    fdc_result(s, sizeof r);
    fdc_set_int(s, INT_RESULT, true);
}

static void submit(struct fdc *s, enum blk_op op, unsigned lba, uint8_t *buf)
{
    struct floppy *f = fdc_drive(s, s->ds);

    s->iov = (struct iovec){ buf, FLOPPY_SECTOR };
    s->req = (struct blk_req){ .op = op, .done = blk_done, .opaque = s };
    if (op != BLK_FLUSH) {
        s->req.off = (uint64_t) lba * FLOPPY_SECTOR;
        s->req.len = FLOPPY_SECTOR;
        s->req.iov = &s->iov;
        s->req.niov = 1;
    }
    s->wait = op == BLK_FLUSH ? WAIT_FLUSH : WAIT_BLK;
    s->dirty = s->dirty || op == BLK_WRITE;
    blk_submit(f->blk, &s->req);
}

static void finish(struct fdc *s, uint8_t st0, uint8_t st1, uint8_t st2)
{
    struct floppy *f = fdc_drive(s, s->ds);

    timer_stop(&s->overrun);
    timer_stop(&s->step);
    fdc_set_int(s, INT_FIFO, false);
    s->st0 |= st0 | (uint8_t) (s->hds << 2) | s->ds;
    s->st1 |= st1;
    s->st2 |= st2;
    TRACE(&s->dev, "done: ST0=%02x ST1=%02x ST2=%02x C=%u H=%u R=%u", s->st0, s->st1, s->st2, s->c, s->h,
          s->r);
    if (s->dirty && floppy_has_medium(f) && f->blk->write_cache) {
        s->dirty = false;
        submit(s, BLK_FLUSH, 0, NULL);
        return;
    }
    s->dirty = false;
    results(s);
}

static void abnormal(struct fdc *s, uint8_t st1, uint8_t st2)
{
    finish(s, ST0_ABNORMAL, st1, st2);
}

/* Table "result phase": where the next sector would be. */
static void next_address(struct fdc *s)
{
    if (s->r != s->eot || s->op == OP_READ_TRACK) {
        s->r++;
        return;
    }
    s->r = 1;
    if (!(s->cmd[0] & CMD_MT)) {
        s->c++;
    } else {
        s->c += s->hds;
        s->h ^= 1;
    }
}

static void next_step(struct fdc *s)
{
    s->wait = WAIT_STEP;
    timer_at(&s->step, clock_now(s->dev.vm) + SECTOR_NS);
}

/* A sector was dealt with: end, or go on to the next. */
static void sector_done(struct fdc *s)
{
    bool end_of_track = s->r == s->eot;

    if (s->op == OP_READ_TRACK)
        end_of_track = ++s->track_pos >= s->eot;
    if (s->op == OP_VERIFY && (s->cmd[1] & VERIFY_EC) && --s->left == 0)
        s->tc = true; /* "an implicit TC" */
    if (s->tc || s->last) {
        next_address(s);
        finish(s, 0, 0, is_scan(s) ? ST2_SN : 0);
    } else if (!end_of_track) {
        bool past = is_scan(s) && s->r < s->eot && s->eot - s->r < s->step_by;
        s->r = (uint8_t) (s->r + (is_scan(s) ? s->step_by : 1));
        if (past)
            abnormal(s, ST1_EN, ST2_SN);
        else
            next_step(s);
    } else if ((s->cmd[0] & CMD_MT) && s->op != OP_READ_TRACK && s->hds == 0) {
        s->hds = 1;
        s->h ^= 1;
        s->r = 1;
        next_step(s);
    } else {
        next_address(s);
        if (is_scan(s))
            finish(s, 0, 0, ST2_SN);
        else if (s->op == OP_VERIFY && !(s->cmd[1] & VERIFY_EC))
            finish(s, 0, 0, 0); /* "successful termination": EOT was the last to check */
        else
            abnormal(s, ST1_EN, 0);
    }
}

/* --- between the host and the FIFO ------------------------------------------------------------- */

static uint8_t *host_buf(struct fdc *s)
{
    return is_scan(s) ? s->host : s->buf;
}

static void dma_run(struct fdc *s)
{
    size_t n = 1;

    while (n && s->wait == WAIT_DMA && (s->dor & DOR_DMAGATE) && s->buf_pos < s->buf_len && !s->tc) {
        uint8_t *p = host_buf(s) + s->buf_pos;
        size_t len = s->buf_len - s->buf_pos;
        n = s->to_host ? isa_dma_to_memory(&s->dev, s->isa_dma, p, len, &s->tc)
                       : isa_dma_from_memory(&s->dev, s->isa_dma, p, len, &s->tc);
        s->buf_pos = (uint16_t) (s->buf_pos + MIN(n, len));
    }
    if (s->tc || s->buf_pos == s->buf_len)
        host_done(s);
}

void fdc_dma_notify(void *opaque)
{
    struct fdc *s = opaque;

    if (s->phase == PHASE_EXEC && s->wait == WAIT_DMA)
        dma_run(s);
}

/* The FIFO asks for service: it has (or has room for) so many bytes.  Chapter "FIFO": 16 less the
 * threshold. */
static void pio_ask(struct fdc *s)
{
    unsigned burst = s->config & CONFIG_EFIFO ? 1 : MAX(FIFO_SIZE - (s->config & CONFIG_FIFOTHR) - 1, 1);

    s->burst = (uint8_t) MIN(burst, (unsigned) (s->buf_len - s->buf_pos));
    fdc_set_int(s, INT_FIFO, true);
}

static void pio_count(struct fdc *s)
{
    s->buf_pos++;
    s->burst--;
    if (s->buf_pos == s->buf_len) {
        fdc_set_int(s, INT_FIFO, false);
        host_done(s);
    } else if (!s->burst) { /* INT falls and rises again for the next burst */
        fdc_set_int(s, INT_FIFO, false);
        pio_ask(s);
    }
}

uint8_t fdc_fifo_get(struct fdc *s)
{
    if (!s->to_host || s->buf_pos >= s->buf_len)
        return 0;
    uint8_t val = s->buf[s->buf_pos];
    pio_count(s);
    return val;
}

void fdc_fifo_put(struct fdc *s, uint8_t val)
{
    if (s->to_host || s->buf_pos >= s->buf_len)
        return;
    host_buf(s)[s->buf_pos] = val;
    pio_count(s);
}

static void host_begin(struct fdc *s, bool to_host, unsigned len)
{
    s->to_host = to_host;
    s->buf_pos = 0;
    s->buf_len = (uint16_t) len;
    timer_at(&s->overrun, clock_now(s->dev.vm) + OVERRUN_NS);
    if (s->hlt_nd & 1) {
        s->wait = WAIT_PIO;
        pio_ask(s);
    } else {
        s->wait = WAIT_DMA;
        dma_run(s);
    }
}

static void fdc_overrun(void *opaque)
{
    struct fdc *s = opaque;

    if (s->phase == PHASE_EXEC && (s->wait == WAIT_DMA || s->wait == WAIT_PIO))
        abnormal(s, ST1_OR, 0);
}

/* --- sectors ----------------------------------------------------------------------------------- */

/* The sector ID in s as a sector of the medium; false: it is not there, or not any more. */
static bool find_lba(struct fdc *s, unsigned *lba)
{
    struct floppy *f = fdc_drive(s, s->ds);

    if (!floppy_readable(f, s->hds, fdc_rate(s)))
        return false;
    unsigned cyl = floppy_cylinder(f, s->c), sector = s->r;
    if (s->op == OP_READ_TRACK)
        sector = s->track_pos % f->format->spt + 1U;
    else if (s->c != cyl || s->h != s->hds || s->n != FLOPPY_SIZE_CODE)
        return false;
    if (cyl >= f->format->cyls || sector < 1 || sector > f->format->spt)
        return false;
    *lba = floppy_lba(f, cyl, s->hds, sector);
    return true;
}

/* Is there a track of sector IDs at all?  If not, the command ends after two index holes. */
static bool track_there(struct fdc *s)
{
    if (fdc_motor_on(s, s->ds) && (s->cmd[0] & CMD_MFM) &&
        floppy_readable(fdc_drive(s, s->ds), s->hds, fdc_rate(s)))
        return true;
    if (!s->late) {
        s->late = true;
        s->wait = WAIT_STEP;
        timer_at(&s->step, clock_now(s->dev.vm) + NO_INDEX_NS);
    } else {
        abnormal(s, ST1_MA, 0);
    }
    return false;
}

static void sector_step(struct fdc *s)
{
    struct floppy *f = fdc_drive(s, s->ds);
    bool writes = is_write(s);
    unsigned lba;

    if (!track_there(s))
        return;
    if (writes && floppy_protected(f)) {
        abnormal(s, ST1_NW, 0);
        return;
    }
    if (s->op == OP_READ_TRACK) { /* reads on past IDs that do not match */
        if (s->c != floppy_cylinder(f, s->c) || s->h != s->hds || s->r != s->track_pos + 1)
            s->st1 |= ST1_ND;
        if (s->n != FLOPPY_SIZE_CODE) {
            abnormal(s, ST1_ND, 0);
            return;
        }
    }
    if (!find_lba(s, &lba)) {
        unsigned cyl = floppy_cylinder(f, s->c);
        abnormal(s, ST1_ND, s->c == cyl ? 0 : ST2_WC);
        return;
    }
    if (writes) {
        host_begin(s, false, FLOPPY_SECTOR);
        return;
    }
    if (s->op != OP_READ_TRACK && floppy_is_deleted(f, lba) != (s->op == OP_READ_DELETED)) {
        s->st2 |= ST2_CM;
        if (s->cmd[0] & CMD_SK) {
            sector_done(s);
            return;
        }
        s->last = true;
    }
    submit(s, BLK_READ, lba, s->buf);
}

static void write_sector(struct fdc *s)
{
    struct floppy *f = fdc_drive(s, s->ds);
    unsigned lba;

    /* after a TC within it, the sector is "filled with zeros" */
    memset(s->buf + s->buf_pos, 0, (size_t) (FLOPPY_SECTOR - s->buf_pos));
    if (!find_lba(s, &lba) || floppy_protected(f)) { /* the medium was changed meanwhile */
        abnormal(s, ST1_ND, 0);
        return;
    }
    floppy_mark(f, lba, s->op == OP_WRITE_DELETED);
    submit(s, BLK_WRITE, lba, s->buf);
}

/* "FF bytes ... always meet the condition of the compare." */
static void scan_sector(struct fdc *s)
{
    bool equal = true, met = true;

    for (unsigned i = 0; i < s->buf_pos; i++) {
        uint8_t disk = s->buf[i], host = s->host[i];
        if (disk == host || disk == 0xff || host == 0xff)
            continue;
        equal = false;
        met = met && (s->op == OP_SCAN_LOW ? disk < host : s->op == OP_SCAN_HIGH && disk > host);
    }
    if (met) {
        next_address(s);
        finish(s, 0, 0, equal ? ST2_SH : 0);
    } else {
        sector_done(s);
    }
}

/* --- FORMAT TRACK ------------------------------------------------------------------------------ */

static void format_next(struct fdc *s)
{
    if (s->tc || s->left == 0) {
        finish(s, 0, 0, 0);
        return;
    }
    s->left--;
    host_begin(s, false, 4);
}

static void format_step(struct fdc *s)
{
    struct floppy *f = fdc_drive(s, s->ds);

    if (!fdc_motor_on(s, s->ds) || !floppy_has_medium(f)) { /* no index hole to start at */
        if (s->late) {
            abnormal(s, ST1_MA, 0);
        } else {
            s->late = true;
            timer_at(&s->step, clock_now(s->dev.vm) + NO_INDEX_NS);
        }
    } else if (floppy_protected(f)) {
        abnormal(s, ST1_NW, 0);
    } else {
        format_next(s);
    }
}

/* An ID came from the host: fill the sector that has it.  An image holds no other IDs: such a sector, or a
 * whole track at a rate that is not the image's, is formatted into nothing and will not be found by a
 * verify. */
static void format_sector(struct fdc *s)
{
    struct floppy *f = fdc_drive(s, s->ds);
    unsigned lba;

    if (s->buf_pos < 4) { /* TC within an ID */
        finish(s, 0, 0, 0);
        return;
    }
    s->c = s->buf[0];
    s->h = s->buf[1];
    s->r = s->buf[2];
    s->n = s->buf[3];
    if (floppy_protected(f) || !(s->cmd[0] & CMD_MFM) || !find_lba(s, &lba)) {
        next_step(s);
        return;
    }
    memset(s->buf, s->cmd[5], FLOPPY_SECTOR);
    floppy_mark(f, lba, false);
    submit(s, BLK_WRITE, lba, s->buf);
}

/* --- READ ID ----------------------------------------------------------------------------------- */

static void read_id(struct fdc *s)
{
    if (!track_there(s))
        return;
    struct floppy *f = fdc_drive(s, s->ds);
    uint64_t angle = (uint64_t) (clock_now(s->dev.vm) % ROTATION_NS);

    s->c = (uint8_t) floppy_cylinder(f, f->track);
    s->h = s->hds;
    s->r = (uint8_t) (angle * f->format->spt / ROTATION_NS + 1);
    s->n = FLOPPY_SIZE_CODE;
    finish(s, 0, 0, 0);
}

/* --- the engine -------------------------------------------------------------------------------- */

static void fdc_step(void *opaque)
{
    struct fdc *s = opaque;

    if (s->phase != PHASE_EXEC || s->wait != WAIT_STEP)
        return;
    if (s->req.busy) /* of a command that was reset away; its buffer is still in use */
        timer_at(&s->step, clock_now(s->dev.vm) + NS_PER_MS);
    else if (s->op == OP_READ_ID)
        read_id(s);
    else if (s->op == OP_FORMAT)
        format_step(s);
    else
        sector_step(s);
}

/* The host gave or took buf_pos bytes: all there are, or as many as the DMA controller wanted. */
static void host_done(struct fdc *s)
{
    timer_stop(&s->overrun);
    if (s->op == OP_FORMAT)
        format_sector(s);
    else if (is_write(s))
        write_sector(s);
    else if (is_scan(s))
        scan_sector(s);
    else
        sector_done(s);
}

static void blk_done(struct blk_req *req, int err)
{
    struct fdc *s = req->opaque;

    if (s->abandoned) {
        s->abandoned = false;
        return;
    }
    if (err)
        TRACE(&s->dev, "medium: %s", g_strerror(err));
    if (s->wait == WAIT_FLUSH) {
        if (err) {
            s->st0 = (s->st0 & 0x3f) | ST0_ABNORMAL;
            s->st1 |= ST1_DE;
            s->st2 |= ST2_DD;
        }
        results(s);
    } else if (err == ENOMEDIUM) {
        abnormal(s, ST1_MA, 0);
    } else if (err == EROFS || err == EACCES || err == EPERM) {
        abnormal(s, ST1_NW, 0);
    } else if (err) {
        abnormal(s, ST1_DE, ST2_DD);
    } else if (s->op == OP_FORMAT) {
        next_step(s);
    } else if (is_write(s) || s->op == OP_VERIFY) {
        sector_done(s);
    } else {
        host_begin(s, !is_scan(s), FLOPPY_SECTOR);
    }
}

void fdc_data_start(struct fdc *s, enum fdc_op op)
{
    struct floppy *f;
    int64_t delay = START_NS;

    s->phase = PHASE_EXEC;
    s->wait = WAIT_STEP;
    s->op = (uint8_t) op;
    s->ds = s->cmd[1] & 3;
    s->hds = s->cmd[1] >> 2 & 1;
    s->st0 = s->st1 = s->st2 = 0;
    s->tc = s->last = s->late = s->dirty = false;
    s->track_pos = 0;
    s->buf_pos = s->buf_len = 0;
    f = fdc_drive(s, s->ds);
    if (op == OP_FORMAT) {
        s->c = s->pcn[s->ds];
        s->h = s->hds;
        s->r = 1;
        s->n = s->cmd[2];
        s->left = s->eot_sc = s->cmd[3];
    } else if (op != OP_READ_ID) {
        s->c = s->cmd[2];
        s->h = s->cmd[3];
        s->r = s->cmd[4];
        s->n = s->cmd[5];
        s->eot = s->eot_sc = s->cmd[6];
        s->left = s->cmd[8] ? s->cmd[8] : 256; /* VERIFY: "0 is 256 sectors" */
        s->step_by = s->cmd[8] == 2 ? 2 : 1;
        if ((s->config & CONFIG_EIS) && s->c != s->pcn[s->ds]) { /* implied seek */
            int steps = s->c - s->pcn[s->ds];
            floppy_step(f, steps);
            s->dir_in = steps > 0;
            s->pcn[s->ds] = s->c;
            s->st0 = ST0_SE;
            delay += ABS(steps) * STEP_NS;
        }
    }
    timer_at(&s->step, clock_now(s->dev.vm) + delay);
}

void fdc_data_abort(struct fdc *s)
{
    timer_stop(&s->step);
    timer_stop(&s->overrun);
    if (s->req.busy)
        s->abandoned = true;
    s->dirty = false;
    s->wait = WAIT_STEP;
}

/* A snapshot is taken with no request in flight; if it says otherwise, do the sector again. */
bool fdc_data_post_load(struct fdc *s)
{
    if (s->wait >= N_WAITS || s->op >= N_OPS || s->ds > 3 || s->hds > 1 || s->buf_len > FLOPPY_SECTOR ||
        s->buf_pos > s->buf_len || s->burst > FIFO_SIZE || s->left > 256 || s->track_pos > 256 ||
        s->step_by > 2)
        return false;
    if (s->phase != PHASE_EXEC)
        return true;
    if ((s->wait == WAIT_PIO || s->wait == WAIT_DMA) && s->buf_pos == s->buf_len)
        return false;
    if (s->wait == WAIT_PIO && (s->burst == 0 || s->burst > s->buf_len - s->buf_pos))
        return false;
    if (s->wait == WAIT_BLK || s->wait == WAIT_FLUSH)
        next_step(s);
    else if (s->wait == WAIT_STEP && !timer_armed(&s->step))
        next_step(s);
    return true;
}
