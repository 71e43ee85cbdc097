/* hw/pc/pc_cmos.c - CMOS bytes that a BIOS reads: memory sizes, equipment, floppies, boot order.
 * Source: the AT's CMOS map (IBM AT Technical Reference) and SeaBIOS's src/hw/rtc.h for what it added. */
#include "hw/ide/ide.h"
#include "hw/pc/fdc.h"
#include "hw/pc/pc_firmware.h"
#include "hw/pc/pc_priv.h"
#include "hw/pc/rtc.h"

static void put(struct pc *pc, unsigned index, uint64_t v)
{
    rtc_set_cmos(pc->rtc, index, (uint8_t) v);
}

static void memory_sizes(struct pc *pc)
{
    const struct ram *ram = &pc->vm->ram;
    uint64_t base = MIN(ram->below_4g / KiB, 640), ext = ram->below_4g > MiB ? (ram->below_4g - MiB) / KiB : 0;
    uint64_t ext16 = ram->below_4g > 16 * MiB ? (ram->below_4g - 16 * MiB) / (64 * KiB) : 0,
        high = ram->above_4g / (64 * KiB);

    ext = MIN(ext, 65535);
    ext16 = MIN(ext16, 65535);
    put(pc, 0x15, base);
    put(pc, 0x16, base >> 8);
    put(pc, 0x17, ext);
    put(pc, 0x18, ext >> 8);
    put(pc, 0x30, ext);
    put(pc, 0x31, ext >> 8);
    put(pc, 0x34, ext16);
    put(pc, 0x35, ext16 >> 8);
    put(pc, 0x5b, high);
    put(pc, 0x5c, high >> 8);
    put(pc, 0x5d, high >> 16);
}

/* A letter of -boot as SeaBIOS's nibble. */
static unsigned boot_nibble(char c)
{
    return c == 'a' || c == 'b' ? 1 : c == 'c' ? 2 : c == 'd' ? 3 : c == 'n' ? 4 : 0;
}

static void boot_order(struct pc *pc, const char *order)
{
    unsigned n[3] = { 0 };

    for (unsigned i = 0; i < 3 && order[i]; i++)
        n[i] = boot_nibble(order[i]);
    put(pc, 0x3d, n[1] << 4 | n[0]);
    put(pc, 0x38, n[2] << 4 | (pc->cfg->no_fd_bootchk ? 1 : 0));
}

/* Hard disks as an AT BIOS keeps them: type 47 with its geometry, and SeaBIOS's translation byte. */
static void hard_disks(struct pc *pc)
{
    unsigned types = 0, translation = 0;

    for (unsigned i = 0; i < PC_N_IDE; i++) {
        struct ide_geometry geo;
        unsigned at = i ? 0x24 : 0x1b;
        if (!ide_get_geometry(pc->vm, i / 2, i % 2, &geo))
            continue;
        translation |= (unsigned) (geo.trans - IDE_TRANS_NONE) << 2 * i;
        if (i > 1)
            continue;
        types |= 0xf0 >> 4 * i;
        put(pc, 0x19 + i, 47);
        put(pc, at, geo.cyls);
        put(pc, at + 1, geo.cyls >> 8);
        put(pc, at + 2, geo.heads);
        put(pc, at + 3, 0xff); /* no write precompensation */
        put(pc, at + 4, 0xff);
        put(pc, at + 5, 0xc0 | (geo.heads > 8) << 3);
        put(pc, at + 6, geo.cyls); /* landing zone */
        put(pc, at + 7, geo.cyls >> 8);
        put(pc, at + 8, geo.secs);
    }
    put(pc, 0x12, types);
    put(pc, 0x39, translation);
}

void pc_cmos_boot_order(struct pc *pc, bool once)
{
    const struct pc_config *cfg = pc->cfg;

    boot_order(pc, once && cfg->boot_once ? cfg->boot_once : cfg->boot_order ? cfg->boot_order : "cad");
}

void pc_cmos_init(struct pc *pc)
{
    const struct pc_config *cfg = pc->cfg;
    unsigned types[2];

    memory_sizes(pc);
    for (unsigned i = 0; i < 2; i++)
        types[i] = fdc_drive_type(pc->fdc, i);
    put(pc, 0x10, types[0] << 4 | types[1]);
    unsigned floppies = (types[0] != 0) + (types[1] != 0);
    put(pc, 0x14, 0x06 | (floppies ? 1 | (floppies - 1) << 6 : 0)); /* FPU, PS/2 mouse */
    put(pc, 0x5f, cfg->cpus - 1);
    hard_disks(pc);
    pc_cmos_boot_order(pc, true);
}
