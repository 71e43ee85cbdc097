/* bios/demo/devices.c - the keyboard controller, and disks on the two IDE channels.
 * Sheets: IBM PC AT Technical Reference (8042); ATA-6 (PIO data-in). */
#include "demo.h"

enum { KBD_DATA = 0x60, KBD_CTRL = 0x64, KBD_FULL = 0x01, KBD_BUSY = 0x02, TRIES = 2000 };

/* --- keyboard -------------------------------------------------------------------------------------- */

static bool kbd_ready(void)
{
    for (int i = 0; i < TRIES; i++, wait_us(100))
        if (!(inb(KBD_CTRL) & KBD_BUSY))
            return true;
    return false;
}

static int kbd_answer(void)
{
    for (int i = 0; i < TRIES; i++, wait_us(500))
        if (inb(KBD_CTRL) & KBD_FULL)
            return inb(KBD_DATA);
    return -1;
}

static bool kbd_send(uint16_t port, uint8_t val)
{
    if (!kbd_ready())
        return false;
    outb(port, val);
    return true;
}

void check_keyboard(void)
{
    for (int i = 0; i < 32 && inb(KBD_CTRL) != 0xff && (inb(KBD_CTRL) & KBD_FULL); i++)
        inb(KBD_DATA); /* keys from before */
    if (inb(KBD_CTRL) == 0xff || !kbd_send(KBD_CTRL, 0xaa)) {
        check(false, "Keyboard", "no controller answers");
        return;
    }
    int self = kbd_answer();
    kbd_send(KBD_CTRL, 0xae);
    kbd_send(KBD_DATA, 0xff);
    int ack = kbd_answer(), bat = ack == 0xfa ? kbd_answer() : -1;
    check(self == 0x55 && ack == 0xfa && bat == 0xaa, "Keyboard", "self test %02x, reset %02x %02x",
          self & 0xff, ack & 0xff, bat & 0xff);
}

/* --- disks ----------------------------------------------------------------------------------------- */

enum { ATA_DATA, ATA_ERROR, ATA_COUNT, ATA_LBA0, ATA_LBA1, ATA_LBA2, ATA_DEVICE, ATA_STATUS };
enum { ST_ERR = 0x01, ST_DRQ = 0x08, ST_DF = 0x20, ST_BSY = 0x80 };
enum { IDENTIFY = 0xec, IDENTIFY_PACKET = 0xa1, READ_SECTORS = 0x20, SECTORS = 4 };

static bool ata_idle(uint16_t io)
{
    for (int i = 0; i < TRIES * 5; i++, wait_us(100))
        if (!(inb(io + ATA_STATUS) & ST_BSY))
            return true;
    return false;
}

/* One sector of a command's data; false on an error or when none comes */
static bool ata_data(uint16_t io, uint16_t buf[256])
{
    uint8_t st;

    if (!ata_idle(io))
        return false;
    st = inb(io + ATA_STATUS);
    if ((st & (ST_ERR | ST_DF)) || !(st & ST_DRQ))
        return false;
    insw(io + ATA_DATA, buf, 256);
    return true;
}

static bool ata_read(uint16_t io, unsigned unit, uint32_t *sum, bool *bootable)
{
    uint16_t buf[256];

    *sum = 0;
    outb(io + ATA_DEVICE, (uint8_t) (0xe0 | unit << 4));
    outb(io + ATA_COUNT, SECTORS);
    outb(io + ATA_LBA0, 0);
    outb(io + ATA_LBA1, 0);
    outb(io + ATA_LBA2, 0);
    outb(io + ATA_STATUS, READ_SECTORS);
    for (unsigned n = 0; n < SECTORS; n++) {
        if (!ata_data(io, buf))
            return false;
        if (n == 0)
            *bootable = buf[255] == 0xaa55;
        for (unsigned i = 0; i < 256; i++)
            *sum = (*sum << 1 | *sum >> 31) ^ buf[i];
    }
    return true;
}

static void model(char out[41], const uint16_t id[256])
{
    unsigned n = 40;

    for (unsigned i = 0; i < 20; i++) {
        out[2 * i] = (char) (id[27 + i] >> 8);
        out[2 * i + 1] = (char) id[27 + i];
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = 0;
}

struct drive {
    bool there, disk, works, bootable;
    uint32_t sum;
    uint64_t sectors;
    char name[41];
};

static void look_at(unsigned channel, unsigned unit, struct drive *d)
{
    uint16_t io = channel ? 0x170 : 0x1f0, id[256];

    *d = (struct drive){ 0 };
    outb(io + ATA_DEVICE, (uint8_t) (0xa0 | unit << 4));
    wait_us(1);
    if (inb(io + ATA_STATUS) == 0xff || !ata_idle(io))
        return;
    outb(io + ATA_LBA1, 0);
    outb(io + ATA_LBA2, 0);
    outb(io + ATA_STATUS, IDENTIFY);
    wait_us(1);
    if (inb(io + ATA_STATUS) == 0)
        return;
    d->disk = d->works = ata_data(io, id);
    if (!d->disk) { /* a packet device refuses, and leaves its signature */
        if (inb(io + ATA_LBA1) != 0x14 || inb(io + ATA_LBA2) != 0xeb)
            return;
        outb(io + ATA_STATUS, IDENTIFY_PACKET);
        d->works = ata_data(io, id);
    }
    d->there = true;
    if (!d->works)
        return;
    model(d->name, id);
    d->sectors = id[60] | (uint32_t) id[61] << 16;
    if (id[83] & 1 << 10)
        d->sectors = id[100] | (uint64_t) id[101] << 16 | (uint64_t) id[102] << 32;
    if (d->disk && d->sectors >= SECTORS)
        d->works = ata_read(io, unit, &d->sum, &d->bootable);
}

void check_disks(void)
{
    static struct drive drives[4];
    unsigned n = 0;
    bool ok = true;

    outb(0x3f6, 2); /* no interrupts: polled here */
    outb(0x376, 2);
    for (unsigned i = 0; i < 4; i++) {
        look_at(i / 2, i % 2, &drives[i]);
        n += drives[i].there;
        ok = ok && (!drives[i].there || drives[i].works);
    }
    check(ok, "Disks", n ? "%u on IDE" : "none on IDE", n);
    for (unsigned i = 0; i < 4; i++) {
        const struct drive *d = &drives[i];
        if (d->there && !d->works)
            note("ide%u.%u does not work", i / 2, i % 2);
        else if (d->there && !d->disk)
            note("ide%u.%u %s", i / 2, i % 2, d->name);
        else if (d->there)
            note("ide%u.%u %s, %lu MiB%s", i / 2, i % 2, d->name, (unsigned long) (d->sectors >> 11),
                 d->bootable ? ", bootable" : "");
    }
}
