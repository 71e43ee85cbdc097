/* hw/ide/geometry.c - cylinders, heads and sectors of a hard disk.
 *
 * An old guest trusts the geometry that its disk was partitioned with, so a partition table is
 * believed before the size is.  What a user set by cyls=, heads=, secs= goes before both. */
#include "hw/ide/ide.h"
#include "vmm/core/vm.h"

enum { MAX_CYLS = 16383, MAX_HEADS = 16, MAX_SECS = 63 };

/* Heads and sectors from the end of a partition, which is on a cylinder boundary as a rule. */
static bool from_mbr(struct ide_drive *s, struct ide_geometry *g)
{
    g_autofree uint8_t *mbr = g_malloc(IDE_SECTOR);

    if (blk_read_sync(s->blk, 0, mbr, IDE_SECTOR) || mbr[510] != 0x55 || mbr[511] != 0xaa)
        return false;
    for (const uint8_t *p = mbr + 446; p < mbr + 510; p += 16) {
        uint32_t heads = p[5] + 1U, secs = p[6] & 63;
        if (!ld_le32(p + 12) || !p[5] || !secs)
            continue;
        uint64_t cyls = ide_native_sectors(s) / (heads * secs);
        if (cyls < 1 || cyls > MAX_CYLS)
            continue;
        *g = (struct ide_geometry){ (uint32_t) cyls, heads, secs, IDE_TRANS_AUTO };
        return true;
    }
    return false;
}

static void from_size(struct ide_drive *s, struct ide_geometry *g)
{
    uint64_t cyls = ide_native_sectors(s) / (MAX_HEADS * MAX_SECS);

    *g = (struct ide_geometry){ (uint32_t) CLAMP(cyls, 2, MAX_CYLS), MAX_HEADS, MAX_SECS, IDE_TRANS_AUTO };
}

/* The translation that a BIOS chooses by itself for a physical geometry. */
static int default_trans(const struct ide_geometry *g)
{
    if (g->cyls <= 1024 && g->heads <= MAX_HEADS && g->secs <= MAX_SECS)
        return IDE_TRANS_NONE;
    return (uint64_t) g->cyls * g->heads <= 131072 ? IDE_TRANS_LARGE : IDE_TRANS_LBA;
}

static void guess(struct ide_drive *s, struct ide_geometry *g)
{
    if (!from_mbr(s, g)) {
        from_size(s, g);
        g->trans = default_trans(g);
    } else if (g->heads > MAX_HEADS) { /* it was partitioned under a translation */
        uint64_t tracks = (uint64_t) g->cyls * g->heads;
        from_size(s, g);
        g->trans = tracks <= 131072 ? IDE_TRANS_LARGE : IDE_TRANS_LBA;
    } else {
        g->trans = IDE_TRANS_NONE; /* what works is left as it is */
    }
}

bool ide_geometry_init(struct ide_drive *s, GError **err)
{
    struct ide_geometry user = s->geo;

    if (!user.cyls && !user.heads && !user.secs) {
        guess(s, &s->geo);
    } else {
        if (!user.cyls || !user.heads || !user.secs)
            return fail(err, "cyls, heads and secs must be given together");
        if (user.cyls > 65535 || user.heads > MAX_HEADS || user.secs > 255)
            return fail(
                err,
                "geometry %u/%u/%u is out of range: 1 to 65535 cylinders, 1 to 16 heads, 1 to 255 sectors",
                user.cyls, user.heads, user.secs);
        s->geo.trans = default_trans(&s->geo);
    }
    if (user.trans != IDE_TRANS_AUTO)
        s->geo.trans = user.trans;
    return true;
}

bool ide_get_geometry(struct vm *vm, unsigned channel, unsigned unit, struct ide_geometry *out)
{
    for (unsigned i = 0; i < vm->buses->len; i++) {
        const struct bus *b = vm->buses->pdata[i];
        if (b->cls != &ide_bus_class)
            continue;
        const struct ide_channel *ch = b->opaque;
        const struct ide_drive *s = ch->num == channel && unit < 2 ? ch->drive[unit] : NULL;
        if (s && !s->cd) {
            *out = s->geo;
            return true;
        }
    }
    return false;
}
