/* hw/pci/describe.c - names of device classes, and the bus as `info pci` shows it.
 *
 * Source: PCI Code and ID Assignment Specification 1.0; the node names are those of Open
 * Firmware's PCI binding, as SeaBIOS matches them in "bootorder". */
#include "hw/pci/pci.h"

static const struct {
    uint16_t class_device;
    const char *text, *fw_name;
} classes[] = {
    { 0x0001, "VGA controller", "display" },
    { 0x0100, "SCSI controller", "scsi" },
    { 0x0101, "IDE controller", "ide" },
    { 0x0102, "Floppy controller", "fdc" },
    { 0x0103, "IPI controller", "ipi" },
    { 0x0104, "RAID controller", "raid" },
    { 0x0106, "SATA controller", NULL },
    { 0x0107, "SAS controller", NULL },
    { 0x0108, "NVMe controller", NULL },
    { 0x0180, "Storage controller", NULL },
    { 0x0200, "Ethernet controller", "ethernet" },
    { 0x0201, "Token Ring controller", "token-ring" },
    { 0x0202, "FDDI controller", "fddi" },
    { 0x0203, "ATM controller", "atm" },
    { 0x0280, "Network controller", NULL },
    { 0x0300, "VGA controller", "display" },
    { 0x0301, "XGA controller", NULL },
    { 0x0302, "3D controller", NULL },
    { 0x0380, "Display controller", NULL },
    { 0x0400, "Video controller", "video" },
    { 0x0401, "Audio controller", "sound" },
    { 0x0403, "Audio controller", "sound" },
    { 0x0480, "Multimedia controller", NULL },
    { 0x0500, "RAM controller", "memory" },
    { 0x0501, "Flash controller", "flash" },
    { 0x0580, "Memory controller", NULL },
    { 0x0600, "Host bridge", "host" },
    { 0x0601, "ISA bridge", "isa" },
    { 0x0602, "EISA bridge", "eisa" },
    { 0x0603, "MC bridge", "mca" },
    { 0x0604, "PCI bridge", "pci-bridge" },
    { 0x0605, "PCMCIA bridge", "pcmcia" },
    { 0x0606, "NUBUS bridge", "nubus" },
    { 0x0607, "CARDBUS bridge", "cardbus" },
    { 0x0680, "Bridge", NULL },
    { 0x0700, "Serial port", "serial" },
    { 0x0701, "Parallel port", "parallel" },
    { 0x0780, "Communication controller", NULL },
    { 0x0800, "Interrupt controller", "interrupt-controller" },
    { 0x0801, "DMA controller", "dma-controller" },
    { 0x0802, "Timer", "timer" },
    { 0x0803, "RTC", "rtc" },
    { 0x0880, "System peripheral", NULL },
    { 0x0900, "Keyboard", "keyboard" },
    { 0x0901, "Pen", "pen" },
    { 0x0902, "Mouse", "mouse" },
    { 0x0980, "Input device", NULL },
    { 0x0c00, "FireWire controller", "firewire" },
    { 0x0c01, "Access bus controller", "access-bus" },
    { 0x0c02, "SSA controller", "ssa" },
    { 0x0c03, "USB controller", "usb" },
    { 0x0c04, "Fibre channel controller", "fibre-channel" },
    { 0x0c05, "SMBus", "smbus" },
    { 0x00ff, "Unclassified device", NULL },
};

const char *pci_class_text(unsigned class_device, const char **fw_name)
{
    *fw_name = NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++)
        if (classes[i].class_device == class_device) {
            *fw_name = classes[i].fw_name;
            return classes[i].text;
        }
    return "Device";
}

static void describe_bar(const struct pci_dev *p, unsigned n, GString *out)
{
    const struct pci_bar *bar = p->bars[n];
    uint64_t addr = bar->region.base;

    g_string_append_printf(out, "      BAR%u: ", n);
    if (bar->type & PCI_BAR_IO)
        g_string_append(out, "I/O");
    else
        g_string_append_printf(out, "%s bit %smemory", bar->type & PCI_BAR_MEM64 ? "64" : "32",
                               bar->type & PCI_BAR_PREFETCH ? "prefetchable " : "");
    if (bar->region.enabled)
        g_string_append_printf(out, " at 0x%0*" PRIx64 " [0x%0*" PRIx64 "].\n",
                               bar->type & PCI_BAR_IO ? 4 : 8, addr,
                               bar->type & PCI_BAR_IO ? 4 : 8, addr + bar->size - 1);
    else
        g_string_append_printf(out, ", 0x%" PRIx64 " bytes, not mapped.\n", bar->size);
}

void pci_bus_describe(const struct pci_bus *b, GString *out)
{
    for (unsigned devfn = 0; devfn < G_N_ELEMENTS(b->devs); devfn++) {
        const struct pci_dev *p = b->devs[devfn];
        const char *fw;
        if (!p)
            continue;
        unsigned cls = ld_le16(p->cfg + PCI_CLASS_DEVICE), pin = p->cfg[PCI_INTERRUPT_PIN];
        g_string_append_printf(out, "  Bus  0, device %3u, function %u:\n", devfn >> 3, devfn & 7);
        g_string_append_printf(out, "    %s: PCI device %04x:%04x\n", pci_class_text(cls, &fw),
                               ld_le16(p->cfg + PCI_VENDOR_ID), ld_le16(p->cfg + PCI_DEVICE_ID));
        if (ld_le16(p->cfg + PCI_SUBSYSTEM_VENDOR_ID))
            g_string_append_printf(out, "      PCI subsystem %04x:%04x\n",
                                   ld_le16(p->cfg + PCI_SUBSYSTEM_VENDOR_ID),
                                   ld_le16(p->cfg + PCI_SUBSYSTEM_ID));
        if (pin)
            g_string_append_printf(out, "      IRQ %u, pin %c\n", p->cfg[PCI_INTERRUPT_LINE],
                                   'A' + (pin - 1) % 4);
        for (unsigned n = 0; n < PCI_N_BARS; n++)
            if (p->bars[n])
                describe_bar(p, n, out);
        g_string_append_printf(out, "      id \"%s\"\n", p->dev.id ? p->dev.id : "");
    }
}
