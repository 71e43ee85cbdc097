/* hw/pc/fdc_int.h - what the two halves of the floppy controller share: fdc.c has the registers and the
 * commands that need no medium, fdc_data.c those that go to the disk. */
#ifndef BANTAM_HW_PC_FDC_INT_H
#define BANTAM_HW_PC_FDC_INT_H

#include "hw/pc/fdc_drive.h"

enum { DOR_SELECT = 0x03, DOR_NRESET = 0x04, DOR_DMAGATE = 0x08, DOR_MOTOR0 = 0x10 };
enum { ST0_DS = 0x03, ST0_H = 0x04, ST0_EC = 0x10, ST0_SE = 0x20, ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80,
       ST0_POLLING = 0xc0 };
enum { ST1_MA = 0x01, ST1_NW = 0x02, ST1_ND = 0x04, ST1_OR = 0x10, ST1_DE = 0x20, ST1_EN = 0x80 };
enum {
    ST2_MD = 0x01,
    ST2_BC = 0x02,
    ST2_SN = 0x04,
    ST2_SH = 0x08,
    ST2_WC = 0x10,
    ST2_DD = 0x20,
    ST2_CM = 0x40
};
enum { CMD_MT = 0x80, CMD_MFM = 0x40, CMD_SK = 0x20, VERIFY_EC = 0x80 };
enum { CONFIG_EIS = 0x40, CONFIG_EFIFO = 0x20, CONFIG_POLL = 0x10, CONFIG_FIFOTHR = 0x0f };

enum fdc_phase { PHASE_COMMAND, PHASE_EXEC, PHASE_RESULT };
enum fdc_wait { /* in PHASE_EXEC: what goes on */
    WAIT_STEP,  /* the `step` timer: the head comes to a sector */
    WAIT_BLK,   /* the medium */
    WAIT_FLUSH, /* the last write is made durable, then come the results */
    WAIT_DMA,   /* the 8237 */
    WAIT_PIO,   /* the host, at the FIFO */
    N_WAITS
};
enum fdc_op {
    OP_READ,
    OP_READ_DELETED,
    OP_WRITE,
    OP_WRITE_DELETED,
    OP_READ_TRACK,
    OP_VERIFY,
    OP_SCAN_EQUAL,
    OP_SCAN_LOW,
    OP_SCAN_HIGH,
    OP_FORMAT,
    OP_READ_ID,
    N_OPS
};

/* Why INT is up. */
enum { INT_RESULT = 1, INT_SEEK = 2, INT_RESET = 4, INT_FIFO = 8 };

enum { CMD_MAX = 17, RESULT_MAX = 16 };

struct fdc {
    struct device dev;
    struct region io[2];
    struct irq irq;
    struct timer poll;    /* after a reset: drives are polled */
    struct timer seek[4];
    struct timer step;
    struct timer overrun;
    struct floppy_bus bus;

    uint8_t dor, tdr, dsr;
    uint8_t config, pretrk, srt_hut, hlt_nd, perpendicular, power, option, eot_sc; /* of SPECIFY ... */
    uint8_t drive_spec[4];
    bool lock;
    bool dir_in;          /* the DIR output: the last step went inwards */
    uint8_t pcn[4], seek_st0[4];
    uint8_t busy;         /* drives that seek, until their SENSE INTERRUPT */
    uint8_t seek_done;    /* drives whose seek ended */
    uint8_t poll_pending; /* drives whose status after a reset was not fetched yet */
    uint8_t ints;

    uint8_t phase;
    uint8_t cmd[CMD_MAX], cmd_pos, cmd_len;
    uint8_t result[RESULT_MAX], res_pos, res_len;

    /* the data command in PHASE_EXEC */
    uint8_t wait, op;
    uint8_t ds, hds, c, h, r, n, eot, step_by; /* step_by: STP of the scans */
    uint8_t st0, st1, st2;
    uint16_t left;        /* sectors left: FORMAT's SC, VERIFY's SC */
    uint16_t track_pos;   /* READ TRACK: sectors read */
    bool tc, last, late, to_host, dirty;
    uint8_t burst;        /* bytes that the FIFO has, or has room for, before it asks again */
    uint16_t buf_pos, buf_len;
    uint8_t buf[FLOPPY_SECTOR], host[FLOPPY_SECTOR];

    struct blk_req req;
    struct iovec iov;
    bool abandoned;       /* req belongs to a command that a reset ended */

    uint32_t iobase, isa_irq, isa_dma; /* properties */
    int fdtype[N_FLOPPY], fallback;
    struct blk *drive[N_FLOPPY];
    int32_t bootindex[N_FLOPPY];
};

struct floppy *fdc_drive(struct fdc *s, unsigned ds);
unsigned fdc_rate(const struct fdc *s); /* RATE_* */
void fdc_set_int(struct fdc *s, unsigned cause, bool on);
void fdc_result(struct fdc *s, unsigned n); /* enter the result phase with n bytes of result[] */
bool fdc_motor_on(const struct fdc *s, unsigned ds);

/* fdc_data.c */
void fdc_data_init(struct fdc *s);
void fdc_data_start(struct fdc *s, enum fdc_op op); /* cmd[] is complete */
void fdc_data_abort(struct fdc *s);                 /* a reset */
void fdc_dma_notify(void *opaque);
uint8_t fdc_fifo_get(struct fdc *s);                /* the host's side in WAIT_PIO */
void fdc_fifo_put(struct fdc *s, uint8_t val);
bool fdc_data_post_load(struct fdc *s);

#endif
