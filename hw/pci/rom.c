/* hw/pci/rom.c - option ROMs: files from the firmware path behind the expansion ROM base address.
 *
 * Source: PCI Local Bus Specification 3.0, 6.3; PCI Firmware Specification 3.0, 5.1 (PCI data
 * structure). */
#include "hw/pci/pci.h"
#include "vmm/core/firmware.h"

enum { ROM_MAX = 16 << 20 };

/* A ROM that came for a sibling of the device names that one in its PCI data structure; firmware
 * would not run it. */
static void patch_ids(struct pci_dev *p, uint8_t *rom, size_t size)
{
    uint16_t vendor = ld_le16(p->cfg + PCI_VENDOR_ID), device = ld_le16(p->cfg + PCI_DEVICE_ID);
    size_t pcir = ld_le16(rom + 0x18);

    if (size < 0x1a || ld_le16(rom) != 0xaa55 || !range_fits(pcir, 8, size) ||
        memcmp(rom + pcir, "PCIR", 4) != 0)
        return;
    uint8_t sum = 0;
    for (unsigned i = 4; i < 8; i++)
        sum += rom[pcir + i];
    st_le16(rom + pcir + 4, vendor);
    st_le16(rom + pcir + 6, device);
    for (unsigned i = 4; i < 8; i++)
        sum -= rom[pcir + i];
    rom[6] += sum; /* in the entry point's padding, where option ROM build tools put the checksum */
}

/* The memory behind the BAR: a power of two, of at least a page (a memory slot can't be smaller). */
static bool place_rom(struct pci_dev *p, const uint8_t *rom, size_t len, GError **err)
{
    size_t size = PAGE_SIZE_4K;

    while (size < len)
        size *= 2;
    if (!ram_block_alloc(&p->rom, "option-rom", size, NULL, err))
        return false;
    memset(p->rom.host, 0xff, size);
    memcpy(p->rom.host, rom, len);
    region_init_rom(&p->rom_bar.region, "option-rom", &p->rom, 0, size, NULL, NULL);
    pci_register_bar(p, PCI_ROM_SLOT, &p->rom_bar, PCI_BAR_MEM32);
    return true;
}

bool pci_add_rom(struct pci_dev *p, const char *default_file, GError **err)
{
    bool by_user = p->romfile != NULL;
    const char *file = by_user ? p->romfile : default_file;
    GError *why = NULL;
    size_t len;

    if (!file || !*file || !p->rombar)
        return true;
    uint8_t *rom = firmware_read(p->dev.vm, "romfile", file, ROM_MAX, &len, by_user ? err : &why);
    if (!rom && by_user)
        return false;
    if (!rom) { /* the device works without */
        warn_user("%s: %s; going on without an option ROM", p->dev.name, why->message);
        g_error_free(why);
        return true;
    }
    if (!by_user)
        patch_ids(p, rom, len);
    bool ok = (len > 0 || fail(err, "romfile: '%s' is empty", file)) && place_rom(p, rom, len, err);
    g_free(rom);
    return ok;
}
