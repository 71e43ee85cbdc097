/* hw/ide/ata.c - the ATA command set, and the table of all commands.
 *
 * Sheet: ATA/ATAPI-6 (T13/1410D) clause 8; DATA SET MANAGEMENT and the FUA writes from ATA8-ACS and
 * ATA-7.
 * Deviations: no queued, streaming, CFA, security, device-configuration, power-up-in-standby or
 * acoustic features (IDENTIFY says so, and they are aborted); standby timers never expire; a
 * transfer that would pass the end of the disk fails with IDNF before any data moves. */
#include "hw/ide/ide.h"

#include <errno.h>

enum { MAX_LBA28 = 0x0fffffff, CHUNK = IDE_BUF_SIZE / IDE_SECTOR };

static unsigned flags_of(const struct ide_drive *s)
{
    return ide_commands[s->command].flags;
}

static bool is_ext(const struct ide_drive *s)
{
    return flags_of(s) & IDE_F_EXT;
}

/* --- addresses ------------------------------------------------------------------------------- */

uint64_t ide_sectors(const struct ide_drive *s)
{
    uint64_t native = ide_native_sectors(s);

    return s->max_sectors ? MIN(s->max_sectors, native) : native;
}

uint32_t ide_cur_cyls(const struct ide_drive *s)
{
    uint32_t track = (uint32_t) s->cur_heads * s->cur_secs;

    if (s->cur_heads == s->geo.heads && s->cur_secs == s->geo.secs)
        return s->geo.cyls;
    return track ? (uint32_t) MIN(ide_native_sectors(s) / track, 65535) : 0;
}

static bool get_lba(const struct ide_drive *s, uint64_t *lba)
{
    if (is_ext(s)) {
        *lba = (uint64_t) s->lbah[1] << 40 | (uint64_t) s->lbam[1] << 32 | (uint64_t) s->lbal[1] << 24 |
               (uint64_t) s->lbah[0] << 16 | (uint64_t) s->lbam[0] << 8 | s->lbal[0];
        return true;
    }
    if (s->device & IDE_LBA) {
        *lba = (uint64_t) (s->device & 15) << 24 | (uint64_t) s->lbah[0] << 16 |
               (uint64_t) s->lbam[0] << 8 | s->lbal[0];
        return true;
    }
    uint32_t cyl = (uint32_t) s->lbah[0] << 8 | s->lbam[0], head = s->device & 15, sec = s->lbal[0];
    *lba = ((uint64_t) cyl * s->cur_heads + head) * s->cur_secs + sec - 1;
    return sec && sec <= s->cur_secs && head < s->cur_heads && cyl < ide_cur_cyls(s);
}

void ata_set_lba(struct ide_drive *s, uint64_t lba)
{
    uint32_t hi = 0;

    if (is_ext(s)) {
        s->lbal[1] = (uint8_t) (lba >> 24);
        s->lbam[1] = (uint8_t) (lba >> 32);
        s->lbah[1] = (uint8_t) (lba >> 40);
    } else if (s->device & IDE_LBA) {
        hi = (uint32_t) (lba >> 24) & 15;
        s->device = (uint8_t) ((s->device & 0xf0) | hi);
    } else if (s->cur_heads && s->cur_secs) {
        uint64_t track = lba / s->cur_secs, cyl = track / s->cur_heads;
        s->device = (uint8_t) ((s->device & 0xf0) | track % s->cur_heads);
        lba = (lba % s->cur_secs + 1) | cyl << 8;
    }
    s->lbal[0] = (uint8_t) lba;
    s->lbam[0] = (uint8_t) (lba >> 8);
    s->lbah[0] = (uint8_t) (lba >> 16);
}

static uint32_t get_count(const struct ide_drive *s)
{
    uint32_t n = is_ext(s) ? (uint32_t) s->nsector[1] << 8 | s->nsector[0] : s->nsector[0];

    return n ? n : is_ext(s) ? 65536 : 256;
}

static void fail_at(struct ide_drive *s, uint8_t error, uint64_t lba)
{
    ata_set_lba(s, lba);
    ide_fail(s, error, 0);
}

/* --- reading and writing --------------------------------------------------------------------- */

static void media_error(struct ide_drive *s, int err)
{
    uint64_t lba = s->lba + s->got;

    if (s->op == IDE_OP_READ || s->op == IDE_OP_VERIFY)
        fail_at(s, IDE_UNC, lba);
    else
        fail_at(s, err == EIO ? IDE_IDNF : IDE_ABRT, lba);
}

static void transfer_done(struct ide_drive *s)
{
    bool intrq = s->op != IDE_OP_READ ||
                 s->dma; /* the last block of PIO data-in had its interrupt before the data */

    ata_set_lba(s, s->lba - 1); /* as ATA-1 has it: the last sector */
    s->nsector[0] = s->nsector[1] = 0;
    ide_finish(s, intrq);
}

/* The block request for what is still missing of the chunk. */
static void submit_chunk(struct ide_drive *s)
{
    bool write = s->op == IDE_OP_WRITE;
    uint32_t n = s->careful ? 1 : s->chunk;

    ide_submit(s, write ? BLK_WRITE : BLK_READ, (s->lba + s->got) * IDE_SECTOR, s->got * IDE_SECTOR,
               (uint64_t) n * IDE_SECTOR, write && (flags_of(s) & IDE_F_FUA) ? BLK_FUA : 0);
}

static void next_block(struct ide_drive *s, bool intrq)
{
    ide_pio(s, s->op == IDE_OP_READ, MIN(s->block, s->len - s->pos), intrq);
}

static void begin_chunk(struct ide_drive *s, bool first)
{
    s->chunk = MIN(s->left, CHUNK);
    s->got = s->pos = 0;
    s->careful = false;
    if (s->op != IDE_OP_WRITE) {
        submit_chunk(s);
        return;
    }
    s->len = s->chunk * IDE_SECTOR;
    if (s->dma)
        ide_dma_start(s, false);
    else
        next_block(s, !first); /* the host gives the first block without being asked */
}

static void end_chunk(struct ide_drive *s)
{
    s->lba += s->chunk;
    s->left -= s->chunk;
    if (s->left)
        begin_chunk(s, false);
    else
        transfer_done(s);
}

/* The chunk was read, up to `got` sectors: hand it over. */
static void chunk_read(struct ide_drive *s)
{
    uint32_t n = s->got * IDE_SECTOR;

    if (s->op == IDE_OP_VERIFY) {
        end_chunk(s);
        return;
    }
    if (s->failed && !s->dma)
        n = n / s->block * s->block; /* a DRQ block is given whole or not at all */
    s->pos = 0;
    s->len = n;
    if (!n)
        media_error(s, EIO);
    else if (s->dma)
        ide_dma_start(s, true);
    else
        next_block(s, true);
}

static void read_data(struct ide_drive *s)
{
    if (s->pos < s->len)
        next_block(s, true);
    else if (s->failed)
        media_error(s, EIO);
    else
        end_chunk(s);
}

static void write_data(struct ide_drive *s)
{
    if (s->pos < s->len)
        next_block(s, true);
    else
        submit_chunk(s);
}

static void rw_io(struct ide_drive *s, int err)
{
    bool read = s->op != IDE_OP_WRITE;

    if (err && !s->careful && s->chunk > 1) { /* which one is it? */
        s->careful = true;
        submit_chunk(s);
        return;
    }
    if (err && s->op == IDE_OP_READ) {
        s->failed = true;
        chunk_read(s);
        return;
    }
    if (err) {
        media_error(s, err);
        return;
    }
    s->got = s->careful ? s->got + 1 : s->chunk;
    if (s->got < s->chunk)
        submit_chunk(s);
    else if (read)
        chunk_read(s);
    else
        end_chunk(s);
}

static void cmd_rw(struct ide_drive *s)
{
    unsigned f = flags_of(s);
    uint32_t n = get_count(s);
    uint64_t lba;

    if ((f & IDE_F_MULT) && !s->mult) {
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    if ((f & IDE_F_DMA) && !s->ch->dma_ops) {
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    if (!get_lba(s, &lba) || !range_fits(lba, n, ide_sectors(s))) {
        ide_fail(s, IDE_IDNF, 0);
        return;
    }
    s->power = IDE_ACTIVE;
    s->op = f & IDE_F_VERIFY ? IDE_OP_VERIFY : f & IDE_F_WRITE ? IDE_OP_WRITE : IDE_OP_READ;
    s->dma = f & IDE_F_DMA;
    s->block = (f & IDE_F_MULT ? s->mult : 1) * IDE_SECTOR;
    s->lba = lba;
    s->left = n;
    begin_chunk(s, true);
}

/* --- flush, trim ----------------------------------------------------------------------------- */

static void cmd_flush(struct ide_drive *s)
{
    s->op = IDE_OP_FLUSH;
    ide_submit(s, BLK_FLUSH, 0, 0, 0, 0);
}

static void flush_io(struct ide_drive *s, int err)
{
    if (err)
        ide_fail(s, IDE_ABRT, IDE_DF);
    else
        ide_finish(s, true);
}

static void cmd_dsm(struct ide_drive *s)
{
    uint32_t n = (uint32_t) s->nsector[1] << 8 | s->nsector[0];

    if (s->features[0] != 1 || !n || n > IDE_TRIM_SECTORS || !s->ch->dma_ops) {
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    s->op = IDE_OP_TRIM;
    s->dma = true;
    s->len = n * IDE_SECTOR;
    ide_dma_start(s, false);
}

/* Entries of 8 bytes: LBA in 48 bits, then a count of which 0 is an empty entry.  `got` is the next
 * one. */
static void trim_next(struct ide_drive *s)
{
    for (; s->got < s->len / 8; s->got++) {
        uint64_t e = ld_le64(ide_buf(s) + 8 * s->got), lba = e & 0xffffffffffff, n = e >> 48;
        if (!n)
            continue;
        if (!range_fits(lba, n, ide_sectors(s))) {
            ide_fail(s, IDE_IDNF, 0);
            return;
        }
        ide_submit(s, BLK_DISCARD, lba * IDE_SECTOR, 0, n * IDE_SECTOR, BLK_MAY_UNMAP);
        return;
    }
    ide_finish(s, true);
}

static void trim_data(struct ide_drive *s)
{
    for (uint32_t i = 0; i < s->len / 8; i++) { /* all are checked before the first is done */
        uint64_t e = ld_le64(ide_buf(s) + 8 * i);
        if (e >> 48 && !range_fits(e & 0xffffffffffff, e >> 48, ide_sectors(s))) {
            ide_fail(s, IDE_IDNF, 0);
            return;
        }
    }
    s->got = 0;
    trim_next(s);
}

static void trim_io(struct ide_drive *s, int err)
{
    if (err && err != EOPNOTSUPP) { /* a hint: where the host can't, it is no error */
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    s->got++;
    trim_next(s);
}

/* --- data that is not on the disk ------------------------------------------------------------ */

void ata_reply(struct ide_drive *s, uint32_t len)
{
    s->op = IDE_OP_REPLY;
    s->pos = 0;
    s->len = len;
    ide_pio(s, true, len, true);
}

static void reply_data(struct ide_drive *s)
{
    ide_finish(s, false);
}

static void not_packet(
    struct ide_drive *s) /* IDENTIFY DEVICE and READ SECTOR(S): how a packet device tells what it is */
{
    ide_signature(s);
    ide_fail(s, IDE_ABRT, 0);
}

static void cmd_identify(struct ide_drive *s)
{
    if (s->cd) {
        not_packet(s);
        return;
    }
    ide_identify(s, ide_buf(s));
    ata_reply(s, IDE_SECTOR);
}

static void cmd_identify_packet(struct ide_drive *s)
{
    ide_identify_packet(s, ide_buf(s));
    ata_reply(s, IDE_SECTOR);
}

static void cmd_read_sectors(struct ide_drive *s)
{
    if (s->cd)
        not_packet(s);
    else
        cmd_rw(s);
}

static void cmd_read_buffer(struct ide_drive *s)
{
    memcpy(ide_buf(s), s->sector_buf, IDE_SECTOR);
    ata_reply(s, IDE_SECTOR);
}

static void cmd_write_buffer(struct ide_drive *s)
{
    s->op = IDE_OP_WRITE_BUFFER;
    s->len = IDE_SECTOR;
    ide_pio(s, false, IDE_SECTOR, false);
}

static void write_buffer_data(struct ide_drive *s)
{
    memcpy(s->sector_buf, ide_buf(s), IDE_SECTOR);
    ide_finish(s, true);
}

/* --- settings -------------------------------------------------------------------------------- */

static void cmd_ok(struct ide_drive *s)
{
    ide_finish(s, true);
}

static void cmd_abort(struct ide_drive *s)
{
    ide_fail(s, IDE_ABRT, 0);
}

static void cmd_seek(struct ide_drive *s)
{
    uint64_t lba;

    if (!get_lba(s, &lba) || lba >= ide_sectors(s))
        ide_fail(s, IDE_IDNF, 0);
    else
        ide_finish(s, true);
}

static void cmd_set_params(struct ide_drive *s) /* INITIALIZE DEVICE PARAMETERS */
{
    if (!s->nsector[0]) {
        ide_fail(s, IDE_ABRT, 0);
        return;
    }
    s->cur_heads = (s->device & 15) + 1;
    s->cur_secs = s->nsector[0];
    ide_finish(s, true);
}

static void cmd_set_multiple(struct ide_drive *s)
{
    uint8_t n = s->nsector[0];
    bool ok = n <= IDE_MAX_MULT && !(n & (n - 1));

    s->mult = ok ? n : 0;
    if (ok)
        ide_finish(s, true);
    else
        ide_fail(s, IDE_ABRT, 0);
}

static bool set_transfer_mode(struct ide_drive *s, uint8_t mode)
{
    unsigned n = mode & 7;

    switch (mode >> 3) {
    case 0: /* PIO default; 1: without IORDY */
        if (n > 1)
            return false;
        s->xfer_mode = 0x0c;
        return true;
    case 1: /* PIO with flow control */
        s->xfer_mode = n <= 4 ? mode : s->xfer_mode;
        return n <= 4;
    case 4: /* multiword DMA */
        s->xfer_mode = n <= 2 ? mode : s->xfer_mode;
        return n <= 2;
    case 8: /* Ultra DMA */
        s->xfer_mode = n <= 5 ? mode : s->xfer_mode;
        return n <= 5;
    default:
        return false;
    }
}

static void cmd_set_features(struct ide_drive *s)
{
    bool ok = true;

    switch (s->features[0]) {
    case 0x02: /* enable the write cache */
        ok = !s->cd;
        if (ok)
            ide_set_wcache(s, true);
        break;
    case 0x82: /* disable it: what it holds goes to the disk first */
        if (s->cd) {
            ok = false;
            break;
        }
        ide_set_wcache(s, false);
        cmd_flush(s);
        return;
    case 0x03: ok = set_transfer_mode(s, s->nsector[0]); break;
    case 0x55: s->lookahead = false; break;
    case 0xaa: s->lookahead = true; break;
    case 0x66: s->revert = false; break;
    case 0xcc: s->revert = true; break;
    default:   ok = false;
    }
    if (ok)
        ide_finish(s, true);
    else
        ide_fail(s, IDE_ABRT, 0);
}

/* --- power ----------------------------------------------------------------------------------- */

static void cmd_power(struct ide_drive *s)
{
    static const uint8_t mode[4] = { IDE_STANDBY, IDE_IDLE_MODE, IDE_STANDBY, IDE_IDLE_MODE }; /* E0..E3, 94..97 */

    s->power = mode[s->command & 3];
    ide_finish(s, true);
}

static void cmd_check_power(struct ide_drive *s)
{
    s->nsector[0] = s->power;
    ide_finish(s, true);
}

static void cmd_sleep(struct ide_drive *s)
{
    s->power = IDE_SLEEPING;
    ide_finish(s, true);
}

/* --- host protected area --------------------------------------------------------------------- */

static void cmd_native_max(struct ide_drive *s)
{
    uint64_t last = ide_native_sectors(s) - 1;

    ata_set_lba(s, is_ext(s) ? last : MIN(last, MAX_LBA28));
    ide_finish(s, true);
}

static void cmd_set_max(struct ide_drive *s)
{
    uint8_t before = is_ext(s) ? 0x27 : 0xf8; /* READ NATIVE MAX must have come just before */
    uint64_t lba;

    if (s->prev_command != before) {
        ide_fail(s, IDE_ABRT, 0);
    } else if (!get_lba(s, &lba) || lba >= ide_native_sectors(s)) {
        ide_fail(s, IDE_IDNF, 0);
    } else {
        s->max_sectors = lba + 1;
        if (s->nsector[0] & 1)
            s->max_nonvolatile = lba + 1;
        ide_finish(s, true);
    }
}

static void cmd_device_reset(struct ide_drive *s) /* no interrupt */
{
    ide_drive_reset(s, false);
    s->ua_reset = true;
}

/* --- the table ------------------------------------------------------------------------------- */

#define HD IDE_F_HD
#define BOTH (IDE_F_HD | IDE_F_CD)
#define RW(f) { cmd_rw, HD | (f) }
#define EXT IDE_F_EXT
#define DMA IDE_F_DMA
#define MULT IDE_F_MULT
#define WR IDE_F_WRITE
#define FUA IDE_F_FUA
#define VER IDE_F_VERIFY

const struct ide_cmd ide_commands[256] = {
    [0x00] = { cmd_abort, BOTH }, /* NOP: always ends in ABRT */
    [0x06] = { cmd_dsm, HD | EXT },
    [0x08] = { cmd_device_reset, IDE_F_CD },
    [0x10 ... 0x1f] = { cmd_ok, HD }, /* RECALIBRATE */
    [0x20] = { cmd_read_sectors, BOTH },
    [0x21] = RW(0),
    [0x24] = RW(EXT),
    [0x25] = RW(EXT | DMA),
    [0x27] = { cmd_native_max, HD | EXT },
    [0x29] = RW(EXT | MULT),
    [0x30] = RW(WR),
    [0x31] = RW(WR),
    [0x34] = RW(WR | EXT),
    [0x35] = RW(WR | EXT | DMA),
    [0x37] = { cmd_set_max, HD | EXT },
    [0x39] = RW(WR | EXT | MULT),
    [0x3c] = RW(WR), /* WRITE VERIFY, of ATA-1 to -3 */
    [0x3d] = RW(WR | EXT | DMA | FUA),
    [0x40] = RW(VER),
    [0x41] = RW(VER),
    [0x42] = RW(VER | EXT),
    [0x70 ... 0x7f] = { cmd_seek, HD },
    [0x91] = { cmd_set_params, HD },
    [0x94 ... 0x97] = { cmd_power, HD },
    [0x98] = { cmd_check_power, HD },
    [0x99] = { cmd_sleep, HD },
    [0xa0] = { atapi_packet, IDE_F_CD },
    [0xa1] = { cmd_identify_packet, IDE_F_CD },
    [0xb0] = { ata_smart, HD },
    [0xc4] = RW(MULT),
    [0xc5] = RW(WR | MULT),
    [0xc6] = { cmd_set_multiple, HD },
    [0xc8] = RW(DMA),
    [0xc9] = RW(DMA),
    [0xca] = RW(WR | DMA),
    [0xcb] = RW(WR | DMA),
    [0xce] = RW(WR | EXT | MULT | FUA),
    [0xe0 ... 0xe3] = { cmd_power, BOTH },
    [0xe4] = { cmd_read_buffer, HD },
    [0xe5] = { cmd_check_power, BOTH },
    [0xe6] = { cmd_sleep, BOTH },
    [0xe7] = { cmd_flush, HD },
    [0xe8] = { cmd_write_buffer, HD },
    [0xea] = { cmd_flush, HD },
    [0xec] = { cmd_identify, BOTH },
    [0xef] = { cmd_set_features, BOTH },
    [0xf8] = { cmd_native_max, HD },
    [0xf9] = { cmd_set_max, HD },
};

const struct ide_op_fns ide_ops[IDE_N_OPS] = {
    [IDE_OP_READ] = { read_data, rw_io, HD },
    [IDE_OP_WRITE] = { write_data, rw_io, HD },
    [IDE_OP_VERIFY] = { NULL, rw_io, HD },
    [IDE_OP_FLUSH] = { NULL, flush_io, HD },
    [IDE_OP_TRIM] = { trim_data, trim_io, HD },
    [IDE_OP_REPLY] = { reply_data, NULL, BOTH },
    [IDE_OP_WRITE_BUFFER] = { write_buffer_data, NULL, HD },
    [IDE_OP_PACKET] = { atapi_packet_data, NULL, IDE_F_CD },
    [IDE_OP_CD_REPLY] = { atapi_reply_data, NULL, IDE_F_CD },
    [IDE_OP_CD_READ] = { atapi_read_data, atapi_read_io, IDE_F_CD },
    [IDE_OP_CD_SELECT] = { atapi_select_data, NULL, IDE_F_CD },
};
