/* bios/demo/pci.c - configuration space by mechanism 1, and the functions on bus 0. */
#include "demo.h"

static const struct { uint32_t id; const char *name; } known[] = {
    { 0x12378086, "i440FX host bridge" },   { 0x70008086, "PIIX3 ISA bridge" },
    { 0x70108086, "PIIX3 IDE" },            { 0x71138086, "PIIX4 power management" },
    { 0x70208086, "PIIX3 USB" },            { 0x11111234, "standard VGA" },
    { 0x00b81013, "Cirrus GD5446 VGA" },    { 0x100e8086, "e1000 Ethernet" },
    { 0x813910ec, "RTL8139 Ethernet" },     { 0x802910ec, "NE2000 Ethernet" },
    { 0x20001022, "PCnet Ethernet" },       { 0x24158086, "AC97 sound" },
    { 0x50001274, "ES1370 sound" },         { 0x10001af4, "virtio network" },
    { 0x10011af4, "virtio disk" },          { 0x10021af4, "virtio balloon" },
    { 0x10031af4, "virtio console" },       { 0x10041af4, "virtio SCSI" },
    { 0x10051af4, "virtio entropy" },       { 0x10091af4, "virtio 9P" },
    { 0x10411af4, "virtio network" },       { 0x10421af4, "virtio disk" },
    { 0x10441af4, "virtio entropy" },       { 0x10451af4, "virtio balloon" },
};
static const char *const classes[] = { "device", "storage", "network", "display", "multimedia", "memory",
                                       "bridge", "communication", "system", "input", "dock", "processor",
                                       "serial bus" };

uint32_t pci_read(unsigned devfn, unsigned off)
{
    outl(0xcf8, 0x80000000u | devfn << 8 | (off & 0xfc));
    return inl(0xcfc);
}

void pci_write(unsigned devfn, unsigned off, uint32_t val)
{
    outl(0xcf8, 0x80000000u | devfn << 8 | (off & 0xfc));
    outl(0xcfc, val);
}

static const char *name_of(uint32_t id, uint32_t class)
{
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].id == id)
            return known[i].name;
    class >>= 24;
    return classes[class < sizeof classes / sizeof classes[0] ? class : 0];
}

static unsigned scan(bool tell)
{
    unsigned n = 0;

    for (unsigned devfn = 0; devfn < 256; devfn++) {
        uint32_t id = pci_read(devfn, 0);
        if (id == 0xffffffff || id == 0) {
            devfn |= devfn & 7 ? 0 : 7; /* no function 0: no device */
            continue;
        }
        n++;
        if (tell)
            note("%02x.%x %04x:%04x %s", devfn >> 3, devfn & 7, id & 0xffff, id >> 16,
                 name_of(id, pci_read(devfn, 8)));
        if (!(devfn & 7) && !(pci_read(devfn, 0x0c) & 0x800000))
            devfn |= 7;                 /* one function only */
    }
    return n;
}

void check_pci(void)
{
    unsigned n = scan(false);

    check(n > 0, "PCI", "%u functions on bus 0", n);
    scan(true);
}
