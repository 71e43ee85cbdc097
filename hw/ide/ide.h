/* hw/ide/ide.h - IDE channels and drives.
 *
 * Source: ATA/ATAPI-6 (T13/1410D), "Programming Interface for Bus Master IDE Controller" rev 1.0,
 * MMC-5.
 *
 * Three parts: a *channel* (ide_core.c) owns the ports and the selection; a *drive* (ide-hd,
 * ide-cd; ide_drive.c) owns a task file and a data buffer and runs commands (ata.c, atapi.c); a
 * *DMA engine* (bmdma.c) moves the buffer to and from guest memory.  Everything under the VM lock.
 * At most one block request of a drive is in flight: PIO and DMA data always pass through the
 * drive's buffer, so that the guest can stop, reset or reprogram at any moment and what is in
 * flight touches nothing of the guest's.
 *
 * A controller embeds struct ide_channel, calls ide_channel_init() from realize,
 * ide_channel_reset() from reset, ide_channel_drain() from pre_save, names it by STATE_STRUCTS(..,
 * ide_channel_state) and checks ide_channel_valid(). */
#ifndef BANTAM_HW_IDE_IDE_H
#define BANTAM_HW_IDE_IDE_H

#include "hw/catalog.h"
#include "vmm/block/block.h"
#include "vmm/core/device.h"

enum { IDE_BUF_SIZE = 256 * 1024, IDE_SECTOR = 512, IDE_MAX_MULT = 16, IDE_TRIM_SECTORS = 8 };

/* Status and Alternate Status */
enum { IDE_ERR = 0x01, IDE_DRQ = 0x08, IDE_DSC = 0x10, IDE_DF = 0x20, IDE_DRDY = 0x40, IDE_BSY = 0x80 };
/* Error */
enum { IDE_ABRT = 0x04, IDE_IDNF = 0x10, IDE_UNC = 0x40 };
/* Device Control */
enum { IDE_NIEN = 0x02, IDE_SRST = 0x04, IDE_HOB = 0x80 };
/* Device */
enum { IDE_DEV = 0x10, IDE_LBA = 0x40 };
/* Interrupt reason (Sector Count of a packet device) */
enum { IDE_COD = 0x01, IDE_IO = 0x02 };

enum ide_phase {
    IDE_IDLE,
    IDE_BUSY_IO, /* a block request is in flight */
    IDE_PIO_IN, IDE_PIO_OUT,
    IDE_DMA_IN, IDE_DMA_OUT, /* waiting for the DMA engine, or just about to give it data */
    IDE_N_PHASES
};

/* What the command in progress does when its data or its block request is through. */
enum ide_op {
    IDE_OP_NONE,
    IDE_OP_READ, IDE_OP_WRITE, IDE_OP_VERIFY, IDE_OP_FLUSH, IDE_OP_TRIM,
    IDE_OP_REPLY, /* the buffer goes to the host, and that is all */
    IDE_OP_WRITE_BUFFER,
    IDE_OP_PACKET, /* waiting for the command packet */
    IDE_OP_CD_REPLY, IDE_OP_CD_READ, IDE_OP_CD_SELECT,
    IDE_N_OPS
};

struct ide_channel;

struct ide_geometry {
    uint32_t cyls, heads, secs;
    int trans; /* enum ide_trans, never IDE_TRANS_AUTO once realized */
};
enum ide_trans { IDE_TRANS_AUTO, IDE_TRANS_NONE, IDE_TRANS_LBA, IDE_TRANS_LARGE, IDE_TRANS_RECHS };

struct ide_drive {
    struct device dev;
    struct ide_channel *ch;
    int32_t unit; /* bus property; -1: the first that is free */
    bool cd;      /* ide-cd */

    /* properties */
    struct blk *blk;
    char *serial, *model, *ver;
    uint64_t wwn;
    int32_t bootindex;
    uint32_t logical_block_size, physical_block_size;
    uint16_t rotation_rate;
    int write_cache; /* enum on_off_auto */
    struct ide_geometry geo;
    char serial_text[21], model_text[41], ver_text[9];
    bool wcache_default; /* of the drive, as the user set it */

    /* task file; [1] is what the register held before ("previous content", HOB) */
    uint8_t features[2], nsector[2], lbal[2], lbam[2], lbah[2];
    uint8_t device, error, status, command, prev_command;
    bool intrq; /* pending interrupt, whether or not it reaches the line */

    /* settings */
    uint8_t mult;   /* sectors a DRQ block of the MULTIPLE commands; 0: they are disabled */
    uint8_t xfer_mode; /* SET FEATURES 03h */
    uint8_t power;  /* as CHECK POWER MODE reports it; IDE_SLEEPING */
    uint8_t cur_heads, cur_secs; /* INITIALIZE DEVICE PARAMETERS */
    bool lookahead, revert, smart, smart_autosave;
    bool wcache; /* what blk->write_cache is set to */
    uint64_t max_sectors, max_nonvolatile; /* SET MAX; 0: native */
    uint8_t selftest[21]; /* type of the last self-tests, newest last */
    uint8_t n_selftest;
    uint8_t sector_buf[IDE_SECTOR]; /* READ and WRITE BUFFER */
    struct ram_block buf; /* IDE_BUF_SIZE: all data pass through it */

    /* command in progress */
    uint8_t phase, op; /* enum ide_phase, ide_op */
    bool dma;
    bool careful; /* sector by sector, to find the bad one */
    bool failed;  /* there is an error behind the data that is being handed over */
    uint64_t lba;      /* of the buffer's first sector */
    uint32_t left;     /* sectors from lba to the end of the command */
    uint32_t chunk, got; /* sectors the buffer is filled with, and how many of those are done */
    uint32_t block;    /* bytes a DRQ block */
    uint32_t pos, end, len; /* in the buffer: next byte, end of the DRQ block, end of the data */

    /* packet device */
    uint8_t cdb[12];
    uint32_t byte_limit;
    uint32_t head; /* position of the pick-up: LBA last read */
    uint8_t sense_key, asc, ascq;
    bool sense_valid; /* sense_info is */
    uint32_t sense_info;
    bool ua_reset, ua_media; /* unit attentions that are due */
    uint8_t media_event;     /* GET EVENT STATUS NOTIFICATION */
    bool tray_open, locked;
    uint8_t pages[3][20];    /* changeable mode pages, see mmc_mode.c */

    /* the block request, so that it can be made again */
    uint64_t rq_off, rq_len;
    uint32_t rq_buf;
    uint8_t rq_op, rq_flags;
    struct bh retry; /* a snapshot was taken with the request in flight: do it again */
    struct blk_req req;
    struct iovec iov;
    bool cancelled; /* the request in flight is of no interest any more */
};

enum { IDE_SLEEPING = 0x01, IDE_STANDBY = 0x00, IDE_IDLE_MODE = 0x80, IDE_ACTIVE = 0xff };

struct ide_dma_ops {
    /* Move up to len bytes; fewer when the engine is stopped, at its table's end, or met an error. */
    size_t (*move)(void *opaque, uint8_t *buf, size_t len, bool to_memory);
    void (*intrq)(void *opaque); /* the channel's interrupt line rose */
};

struct ide_channel {
    struct bus bus; /* "ide.0" */
    struct device *owner;
    unsigned num;
    struct ide_drive *drive[2];
    struct region command, control_port;
    const struct ide_dma_ops *dma_ops; /* NULL: no DMA */
    void *dma_opaque;
    struct irq irq;
    uint8_t select;       /* which drive */
    uint8_t control;      /* Device Control */
};

extern const struct bus_class ide_bus_class;
extern const struct state ide_channel_state[];

/* --- for controllers ------------------------------------------------------------------------- */

void ide_channel_init(struct ide_channel *ch, struct device *owner, unsigned num, const struct ide_dma_ops *ops,
                      void *opaque); /* the irq is the caller's to connect, before or after */
/* Add the legacy ports: 8 at `command` and one at `control`; disabled until region_enable(). */
bool ide_channel_add_ports(struct ide_channel *ch, uint16_t command, uint16_t control, GError **err);
void ide_channel_clear(struct ide_channel *ch);
void ide_channel_reset(struct ide_channel *ch); /* RESET-: the drives too */
void ide_channel_drain(struct ide_channel *ch);
bool ide_channel_valid(const struct ide_channel *ch); /* post_load */
void ide_dma_ready(struct ide_channel *ch); /* the engine was started */
void ide_channel_describe(const struct ide_channel *ch, GString *out);

/* --- for the board --------------------------------------------------------------------------- */

/* The geometry of unit `unit` on the bus called "ide.<channel>", for CMOS; false: no hard disk
 * there. */
bool ide_get_geometry(struct vm *vm, unsigned channel, unsigned unit, struct ide_geometry *out);

/* --- between the files of this directory ----------------------------------------------------- */

/* Status bits of a drive that waits for a command; bit 4 is DSC on a disk, SERV (unused) on a
 * packet device. */
static inline uint8_t ide_ready(const struct ide_drive *s)
{
    return s->cd ? IDE_DRDY : IDE_DRDY | IDE_DSC;
}
static inline uint8_t *ide_buf(struct ide_drive *s)
{
    return s->buf.host;
}
static inline uint64_t ide_native_sectors(const struct ide_drive *s)
{
    return s->blk ? s->blk->size / IDE_SECTOR : 0;
}
uint64_t ide_sectors(const struct ide_drive *s); /* user-addressable, see SET MAX */
uint32_t ide_cur_cyls(const struct ide_drive *s); /* of the current translation */

/* ide_core.c */
void ide_raise(struct ide_drive *s);
void ide_finish(struct ide_drive *s, bool intrq);       /* the command is done, without error */
void ide_fail(struct ide_drive *s, uint8_t error, uint8_t status); /* status: 0 or IDE_DF */
void ide_pio(struct ide_drive *s, bool in, uint32_t n, bool intrq); /* a DRQ block of n bytes from pos */
void ide_dma_start(struct ide_drive *s, bool in);       /* pos to len by DMA */
void ide_submit(struct ide_drive *s, enum blk_op op, uint64_t off, uint32_t buf_off, uint64_t len,
                unsigned flags);
void ide_cancel(struct ide_drive *s);
void ide_drain(struct ide_drive *s);
void ide_retry(void *drive); /* ide_drive.retry */
bool ide_retry_valid(const struct ide_drive *s);
void ide_signature(struct ide_drive *s);
void ide_drive_reset(struct ide_drive *s, bool hard);
void ide_execute_diagnostic(struct ide_channel *ch);
void ide_set_wcache(struct ide_drive *s, bool on);

/* A command's entry: what runs it, on which drives, and how the shared functions vary. */
enum {
    IDE_F_HD = 1, IDE_F_CD = 2, IDE_F_EXT = 4, IDE_F_DMA = 8, IDE_F_MULT = 16, IDE_F_WRITE = 32, IDE_F_FUA = 64,
    IDE_F_VERIFY = 128,
};
struct ide_cmd {
    void (*run)(struct ide_drive *s);
    unsigned flags;
};
extern const struct ide_cmd ide_commands[256];

struct ide_op_fns {
    void (*data)(struct ide_drive *s);        /* the DRQ block, or the DMA, is through */
    void (*io)(struct ide_drive *s, int err); /* the block request is */
    unsigned flags;                           /* on which drives: IDE_F_HD, IDE_F_CD */
};
extern const struct ide_op_fns ide_ops[IDE_N_OPS];

/* ata.c */
void ata_set_lba(struct ide_drive *s, uint64_t lba);
void ata_reply(struct ide_drive *s, uint32_t len);
void ata_smart(struct ide_drive *s); /* smart.c */

/* identify.c */
void ide_identify(const struct ide_drive *s, uint8_t *out); /* 512 bytes */
void ide_identify_packet(const struct ide_drive *s, uint8_t *out);

/* geometry.c */
bool ide_geometry_init(struct ide_drive *s, GError **err);

/* atapi.c, mmc.c, mmc_mode.c */
enum { CD_SECTOR = 2048, CD_RAW = 2352, CD_MAX_SECTORS = 100 * 60 * 75 - 150 };
void atapi_packet(struct ide_drive *s);
void atapi_packet_data(struct ide_drive *s);
void atapi_reply_data(struct ide_drive *s);
void atapi_read_data(struct ide_drive *s);
void atapi_read_io(struct ide_drive *s, int err);
void atapi_select_data(struct ide_drive *s);
void atapi_reset(struct ide_drive *s, bool hard);
void atapi_done(struct ide_drive *s);
bool atapi_sense(struct ide_drive *s, uint8_t key, uint8_t asc, uint8_t ascq); /* CHECK CONDITION; false */
void atapi_reply(struct ide_drive *s, uint32_t len, uint32_t alloc); /* what is in the buffer */
void atapi_receive(struct ide_drive *s, uint32_t len);
bool atapi_has_medium(const struct ide_drive *s);
uint32_t atapi_sectors(const struct ide_drive *s);
bool atapi_is_dvd(const struct ide_drive *s);
extern const struct blk_dev_ops atapi_blk_ops;

enum {
    SENSE_NOT_READY = 2,
    SENSE_MEDIUM_ERROR = 3,
    SENSE_HARDWARE = 4,
    SENSE_ILLEGAL = 5,
    SENSE_UNIT_ATTENTION = 6
};

void mmc_inquiry(struct ide_drive *s);
void mmc_read_toc(struct ide_drive *s);
void mmc_read_subchannel(struct ide_drive *s);
void mmc_read_header(struct ide_drive *s);
void mmc_read_disc_info(struct ide_drive *s);
void mmc_read_track_info(struct ide_drive *s);
void mmc_get_configuration(struct ide_drive *s);
void mmc_get_event_status(struct ide_drive *s);
void mmc_mechanism_status(struct ide_drive *s);
void mmc_read_dvd_structure(struct ide_drive *s);
void mmc_mode_sense(struct ide_drive *s);
void mmc_mode_select(struct ide_drive *s);
void mmc_mode_selected(struct ide_drive *s); /* its parameter list is in the buffer */
void mmc_mode_reset(struct ide_drive *s);

/* cd_sector.c */
/* How many bytes READ CD's flags (byte 9) ask of a mode 1 sector; -1: a combination that the
 * standard forbids. */
int cd_sector_size(uint8_t flags);
/* Lay the asked parts of sector `lba` (2048 bytes of user data) out at `out`; out and data don't
 * overlap. */
void cd_sector_build(uint8_t *out, const uint8_t *data, uint32_t lba, uint8_t flags);
void cd_lba_to_msf(uint8_t *msf, uint32_t lba); /* minute, second, frame, with the 2-second offset */

#endif
