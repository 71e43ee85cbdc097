/* hw/ide/bmdma.h - the bus-master DMA engine of one IDE channel.
 *
 * Source: "Programming Interface for Bus Master IDE Controller", revision 1.0.  A controller embeds
 * one a channel, maps bmdma_read/bmdma_write at its 8 ports, and gives bmdma_ops to
 * ide_channel_init(). */
#ifndef BANTAM_HW_IDE_BMDMA_H
#define BANTAM_HW_IDE_BMDMA_H

#include "hw/ide/ide.h"

struct bmdma {
    struct ide_channel *ch;
    struct device *master; /* whose DMA it is */
    uint8_t bmic, bmis;
    uint8_t eot;      /* the descriptor in hand is the last one */
    uint32_t bmidtp;  /* as the host wrote it */
    uint32_t next;    /* address of the next descriptor */
    uint32_t addr, left; /* of the descriptor in hand; left is up to 64 KiB */
};

extern const struct ide_dma_ops bmdma_ops;
extern const struct state bmdma_state[];

void bmdma_init(struct bmdma *b, struct ide_channel *ch, struct device *master);
void bmdma_reset(struct bmdma *b);
bool bmdma_valid(const struct bmdma *b);
uint64_t bmdma_read(struct bmdma *b, unsigned off, unsigned size); /* off 0 to 7 */
void bmdma_write(struct bmdma *b, unsigned off, uint64_t val, unsigned size);

#endif
