/* hw/ide/bmdma.c - the bus-master DMA engine of an IDE channel.
 *
 * Sheet: "Programming Interface for Bus Master IDE Controller" rev 1.0; PIIX3 (290550-002) 2.4, bus
 * master IDE I/O registers.
 * Theory: the drive owns a buffer and asks the engine to move it; the engine walks the descriptor
 * (PRD) table as far as bytes go, so the work is bounded by the drive's transfer, however long or
 * circular the table is.
 * Deviations: a region may cross a 64 KiB boundary (the chip wraps); RWCON that contradicts the
 * command is reported and the command's direction is used. */
#include "hw/ide/bmdma.h"

enum { BMIC_SSBM = 0x01, BMIC_RWCON = 0x08 };
enum { BMIS_ACTIVE = 0x01, BMIS_ERROR = 0x02, BMIS_INT = 0x04, BMIS_CAPABLE = 0x60 };
enum { BMIC = 0, BMIS = 2, BMIDTP = 4 };
enum { PRD_SIZE = 8, PRD_MAX = 0x10000 };

void bmdma_init(struct bmdma *b, struct ide_channel *ch, struct device *master)
{
    b->ch = ch;
    b->master = master;
}

void bmdma_reset(struct bmdma *b)
{
    b->bmic = b->bmis = b->eot = 0;
    b->bmidtp = b->next = b->addr = b->left = 0;
}

bool bmdma_valid(const struct bmdma *b)
{
    return b->left <= PRD_MAX && b->eot <= 1 && !(b->bmidtp & 3);
}

static bool stop_on_error(struct bmdma *b)
{
    b->bmis = (uint8_t) ((b->bmis & ~BMIS_ACTIVE) | BMIS_ERROR);
    return false;
}

static bool fetch(struct bmdma *b)
{
    uint8_t prd[PRD_SIZE];

    if (b->eot) { /* the drive has more than the table takes */
        b->bmis &= ~BMIS_ACTIVE;
        return false;
    }
    if (!dma_read(b->master, b->next, prd, sizeof prd))
        return stop_on_error(b);
    uint32_t count = ld_le16(prd + 4) & 0xfffe;
    b->addr = ld_le32(prd) & ~1U;
    b->left = count ? count : PRD_MAX;
    b->eot = prd[7] >> 7;
    b->next = (b->next & ~0xffffU) | ((b->next + PRD_SIZE) & 0xffff); /* a table stays in its 64 KiB */
    return true;
}

static size_t bmdma_move(void *opaque, uint8_t *buf, size_t len, bool to_memory)
{
    struct bmdma *b = opaque;
    size_t done = 0;

    if ((b->bmis & BMIS_ACTIVE) && to_memory != !!(b->bmic & BMIC_RWCON))
        guest_error(b->master, "bus master %u is set for the other direction", b->ch->num);
    while (done < len && (b->bmis & BMIS_ACTIVE)) {
        if (!b->left && !fetch(b))
            break;
        size_t n = MIN(len - done, b->left);
        if (!(to_memory ? dma_write(b->master, b->addr, buf + done, n)
                        : dma_read(b->master, b->addr, buf + done, n))) {
            stop_on_error(b);
            break;
        }
        b->addr += (uint32_t) n;
        b->left -= (uint32_t) n;
        done += n;
    }
    if (!b->left && b->eot)
        b->bmis &= ~BMIS_ACTIVE;
    TRACE(b->master, "bus master %u moved %zu of %zu bytes, status %02x", b->ch->num, done, len, b->bmis);
    return done;
}

static void bmdma_intrq(void *opaque)
{
    ((struct bmdma *) opaque)->bmis |= BMIS_INT;
}

const struct ide_dma_ops bmdma_ops = { bmdma_move, bmdma_intrq };

/* --- registers ------------------------------------------------------------------------------- */

uint64_t bmdma_read(struct bmdma *b, unsigned off, unsigned size)
{
    uint8_t regs[8] = { b->bmic, 0, b->bmis };

    st_le32(regs + BMIDTP, b->bmidtp);
    return ld_le(regs + (off & 7), MIN(size, 8 - (off & 7)));
}

static void bmic_write(struct bmdma *b, uint8_t val)
{
    bool was = b->bmic & BMIC_SSBM, on = val & BMIC_SSBM;

    b->bmic = val & (BMIC_SSBM | BMIC_RWCON);
    if (was && !on) {
        b->bmis &= ~BMIS_ACTIVE; /* what the drive has read stays in its buffer */
    } else if (on && !was) {
        b->bmis |= BMIS_ACTIVE;
        b->next = b->bmidtp;
        b->left = b->eot = 0;
        ide_dma_ready(b->ch);
    }
}

static void byte_write(struct bmdma *b, unsigned off, uint8_t val)
{
    switch (off) {
    case BMIC:
        bmic_write(b, val);
        break;
    case BMIS:
        b->bmis = (uint8_t) ((b->bmis & BMIS_ACTIVE) | (val & BMIS_CAPABLE) |
                             (b->bmis & ~val & (BMIS_ERROR | BMIS_INT)));
        break;
    case BMIDTP: case BMIDTP + 1: case BMIDTP + 2: case BMIDTP + 3: {
        unsigned shift = 8 * (off - BMIDTP);
        b->bmidtp = ((b->bmidtp & ~(0xffU << shift)) | (uint32_t) val << shift) & ~3U;
        break;
    }
    }
}

void bmdma_write(struct bmdma *b, unsigned off, uint64_t val, unsigned size)
{
    for (unsigned i = 0; i < size && off + i < 8; i++)
        byte_write(b, off + i, (uint8_t) (val >> (8 * i)));
}

const struct state bmdma_state[] = { STATE_HOST(struct bmdma, ch),
                                     STATE_HOST(struct bmdma, master),
                                     STATE_U8(struct bmdma, bmic),
                                     STATE_U8(struct bmdma, bmis),
                                     STATE_U8(struct bmdma, eot, .max = 1),
                                     STATE_U32(struct bmdma, bmidtp),
                                     STATE_U32(struct bmdma, next),
                                     STATE_U32(struct bmdma, addr),
                                     STATE_U32(struct bmdma, left, .max = PRD_MAX),
                                     {} };
