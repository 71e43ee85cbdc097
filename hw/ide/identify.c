/* hw/ide/identify.c - IDENTIFY DEVICE and IDENTIFY PACKET DEVICE.
 *
 * Sheet: ATA/ATAPI-6 (T13/1410D) 8.15 and 8.16; words 105, 106, 108-111, 169, 209 and 217 from
 * ATA-7 to ACS-2. */
#include "hw/ide/ide.h"

/* Space padded; the first letter is in the high byte. */
static void put_text(uint8_t *w, const char *text, unsigned words)
{
    size_t n = strlen(text);

    for (unsigned i = 0; i < 2 * words; i++)
        w[i ^ 1] = (uint8_t) (i < n ? text[i] : ' ');
}

static void put(uint8_t *id, unsigned word, uint64_t v, unsigned words)
{
    for (unsigned i = 0; i < words; i++)
        st_le16(id + 2 * (word + i), (uint16_t) (v >> (16 * i)));
}

/* Transfer modes: the supported ones, and which is selected. */
static void put_modes(const struct ide_drive *s, uint8_t *id)
{
    unsigned sel = BIT(s->xfer_mode & 7) << 8;
    bool dma = s->ch->dma_ops;

    put(id, 63, dma ? 0x07 | (s->xfer_mode >> 3 == 4 ? sel : 0) : 0, 1);
    put(id, 64, 0x03, 1); /* PIO 3 and 4 */
    put(id, 65, 120, 1);  /* ns a word: minimum multiword DMA cycle, recommended, PIO, PIO with IORDY */
    put(id, 66, 120, 1);
    put(id, 67, 120, 1);
    put(id, 68, 120, 1);
    put(id, 88, dma ? 0x3f | (s->xfer_mode >> 3 == 8 ? sel : 0) : 0, 1);
}

/* Result of the hardware reset: 80-conductor cable, jumpers, who answers for whom. */
static uint16_t reset_result(const struct ide_drive *s)
{
    if (s->unit)
        return 0x6000 | 0x0b00;
    return (uint16_t) (0x6000 | 0x000b | (s->ch->drive[1] ? 0x30 : 0x40));
}

static void put_common(const struct ide_drive *s, uint8_t *id)
{
    put_text(id + 2 * 10, s->serial_text, 10);
    put_text(id + 2 * 23, s->ver_text, 4);
    put_text(id + 2 * 27, s->model_text, 20);
    put_modes(s, id);
    put(id, 80, 0xf0, 1); /* ATA/ATAPI-4 to -7; minor version: not reported */
    put(id, 93, reset_result(s), 1);
    if (s->wwn)
        for (unsigned i = 0; i < 4; i++)
            put(id, 108 + i, s->wwn >> (48 - 16 * i), 1);
}

static void put_checksum(uint8_t *id)
{
    uint8_t sum = 0;

    id[510] = 0xa5;
    for (unsigned i = 0; i < 511; i++)
        sum += id[i];
    id[511] = (uint8_t) -sum;
}

void ide_identify(const struct ide_drive *s, uint8_t *id)
{
    uint64_t sectors = ide_sectors(s);
    uint32_t lba28 = (uint32_t) MIN(sectors, 0x0fffffff), cyls = ide_cur_cyls(s);
    uint16_t set84 = 0x4000 | 0x40 | 0x03 | (s->wwn ? 0x100 : 0); /* FUA, SMART self-test and error log */
    unsigned ratio = s->physical_block_size / IDE_SECTOR;

    memset(id, 0, IDE_SECTOR);
    put_common(s, id);
    put(id, 0, 0x0040, 1); /* fixed disk */
    put(id, 1, MIN(s->geo.cyls, 16383), 1);
    put(id, 3, s->geo.heads, 1);
    put(id, 4, (uint64_t) IDE_SECTOR * s->geo.secs, 1);
    put(id, 5, IDE_SECTOR, 1);
    put(id, 6, s->geo.secs, 1);
    put(id, 20, 3, 1);
    put(id, 21, IDE_BUF_SIZE / IDE_SECTOR, 1);
    put(id, 22, 4, 1);
    put(id, 47, 0x8000 | IDE_MAX_MULT, 1);
    put(id, 48, 1, 1); /* 32-bit accesses of the data port */
    put(id, 49, 0x0e00 | (s->ch->dma_ops ? 0x100 : 0), 1); /* IORDY, LBA, DMA */
    put(id, 50, 0x4000, 1);
    put(id, 51, 0x0200, 1);
    put(id, 52, 0x0200, 1);
    put(id, 53, 0x0007, 1);
    put(id, 54, cyls, 1);
    put(id, 55, s->cur_heads, 1);
    put(id, 56, s->cur_secs, 1);
    put(id, 57, (uint64_t) cyls * s->cur_heads * s->cur_secs, 2);
    put(id, 59, s->mult ? 0x100U | s->mult : 0, 1);
    put(id, 60, lba28, 2);
    put(id, 82, 0x7469, 1); /* NOP, buffers, host protected area, look-ahead, write cache, power, SMART */
    put(id, 83, 0x7400, 1); /* FLUSH CACHE (EXT), LBA48 */
    put(id, 84, set84, 1);
    put(id, 85, 0x7408U | (s->lookahead ? 0x40 : 0) | (s->wcache ? 0x20 : 0) | (s->smart ? 1 : 0), 1);
    put(id, 86, 0x3400, 1);
    put(id, 87, set84, 1);
    put(id, 100, sectors, 4);
    put(id, 105, s->ch->dma_ops ? IDE_TRIM_SECTORS : 0, 1);
    put(id, 106, 0x4000U | (ratio > 1 ? 0x2000U | (unsigned) __builtin_ctz(ratio) : 0), 1);
    put(id, 169, s->ch->dma_ops ? 1 : 0, 1);
    put(id, 209, 0x4000, 1);
    put(id, 217, s->rotation_rate, 1);
    put_checksum(id);
}

void ide_identify_packet(const struct ide_drive *s, uint8_t *id)
{
    uint16_t set84 = 0x4000 | (s->wwn ? 0x100 : 0);

    memset(id, 0, IDE_SECTOR);
    put_common(s, id);
    put(id, 0, 0x85c0, 1); /* packet device, CD-ROM, removable, DRQ within 50 us, 12-byte packets */
    put(id, 49, 0x0e00 | (s->ch->dma_ops ? 0x100 : 0), 1);
    put(id, 50, 0x4000, 1);
    put(id, 53, 0x0006, 1);
    put(id, 71, 30, 1); /* ns from PACKET to bus release, from SERVICE to BSY cleared: neither is used */
    put(id, 72, 30, 1);
    put(id, 82, 0x4218, 1); /* NOP, DEVICE RESET, PACKET, power */
    put(id, 83, 0x4000, 1);
    put(id, 84, set84, 1);
    put(id, 85, 0x4218, 1);
    put(id, 87, set84, 1);
    put(id, 125, 0xfffe, 1); /* what a byte count limit of 0 means */
    put_checksum(id);
}
