/* hw/vga/vga_pci.c - the standard VGA on PCI, 1234:1111, as its BIOS and Linux's bochs-drm expect
 * it.
 *
 * BAR 0 is the linear framebuffer, BAR 2 a page of registers: 000 EDID, 400 the VGA's ports
 * 3C0-3DF, 500 the Bochs display interface, 600 extensions (their size, and the byte order of
 * pixels).
 * Deviations: the VGA's legacy ports and window answer whatever the command register says, as
 * firmware expects that starts the card before it programs the bus; preferred sizes end at 4095
 * (see edid.c). */
#include "hw/pci/pci.h"
#include "hw/catalog.h"
#include "hw/vga/edid.h"
#include "hw/vga/vga.h"

enum { MMIO_SIZE = 0x1000, MMIO_PORTS = 0x400, MMIO_DISPI = 0x500, MMIO_EXT = 0x600 };
enum { EXT_SIZE = 0, EXT_ENDIAN = 4, EXT_BYTES = 8 };
static const uint32_t endian_little = 0x1e1e1e1e, endian_big = 0xbebebebe;

struct vga_pci {
    struct pci_dev pci;
    struct vga vga;
    struct pci_bar fb, mmio;
    uint8_t edid_data[EDID_SIZE];
    uint32_t vgamem_mb, xres, yres, xmax, ymax; /* properties */
    bool edid;
};

static uint8_t ext_read(const struct vga_pci *s, unsigned off)
{
    uint32_t v = off < EXT_ENDIAN ? EXT_BYTES : s->vga.r.big_endian ? endian_big : endian_little;

    return v >> (8 * (off & 3)) & 0xff;
}

static uint8_t mmio_byte(struct vga_pci *s, unsigned off)
{
    if (off < MMIO_PORTS)
        return s->edid && off < EDID_SIZE ? s->edid_data[off] : 0;
    if (off < MMIO_PORTS + 0x20)
        return vga_port_read(&s->vga, 0x3c0 + off - MMIO_PORTS);
    if (off >= MMIO_DISPI && off < MMIO_DISPI + 2 * VBE_DISPI_N)
        return vbe_read(&s->vga, (off - MMIO_DISPI) / 2) >> (8 * (off & 1)) & 0xff;
    if (off >= MMIO_EXT && off < MMIO_EXT + EXT_BYTES)
        return ext_read(s, off - MMIO_EXT);
    return 0xff;
}

static uint64_t mmio_read(void *opaque, uint64_t off, unsigned size)
{
    uint64_t val = 0;

    for (unsigned i = 0; i < size; i++)
        val |= (uint64_t) mmio_byte(opaque, (unsigned) off + i) << (8 * i);
    return val;
}

static void mmio_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct vga_pci *s = opaque;

    if (off >= MMIO_PORTS && off < MMIO_PORTS + 0x20) {
        for (unsigned i = 0; i < size; i++)
            vga_port_write(&s->vga, 0x3c0 + (unsigned) (off - MMIO_PORTS) + i, (uint8_t) (val >> (8 * i)));
    } else if (off >= MMIO_DISPI && off < MMIO_DISPI + 2 * VBE_DISPI_N) {
        if (size == 1)
            guest_error(&s->pci.dev, "byte write to the 16-bit register at +0x%" PRIx64, off);
        for (unsigned i = 0; i + 1 < size; i += 2)
            vbe_write(&s->vga, (unsigned) (off - MMIO_DISPI + i) / 2, (uint16_t) (val >> (8 * i)));
    } else if (off == MMIO_EXT + EXT_ENDIAN && size == 4) {
        if (val == endian_big || val == endian_little)
            s->vga.r.big_endian = val == endian_big;
    }
}

static const struct region_ops mmio_ops = { mmio_read, mmio_write, .min = 1, .max = 4 };

static bool vga_pci_realize(struct device *d, GError **err)
{
    struct vga_pci *s = container_of(d, struct vga_pci, pci.dev);
    uint64_t size = MiB;

    while (size < s->vgamem_mb * MiB)
        size *= 2;
    region_init_ram(&s->fb.region, "vga-framebuffer", &s->vga.vram, 0, size);
    if (!vga_init(&s->vga, d, size, &s->fb.region, err))
        return false;
    region_init_io(&s->mmio.region, "vga-mmio", &mmio_ops, s, MMIO_SIZE);
    pci_register_bar(&s->pci, 0, &s->fb, PCI_BAR_MEM32 | PCI_BAR_PREFETCH);
    pci_register_bar(&s->pci, 2, &s->mmio, PCI_BAR_MEM32);
    edid_make(s->edid_data, &(struct edid_info){ s->xres, s->yres, s->xmax, s->ymax });
    return pci_add_rom(&s->pci, "vgabios-stdvga.bin", err);
}

static void vga_pci_unrealize(struct device *d)
{
    vga_clear(&container_of(d, struct vga_pci, pci.dev)->vga);
}

static void vga_pci_reset(struct device *d)
{
    vga_reset(&container_of(d, struct vga_pci, pci.dev)->vga);
}

static bool vga_pci_post_load(struct device *d)
{
    return vga_post_load(&container_of(d, struct vga_pci, pci.dev)->vga);
}

static void vga_pci_describe(const struct device *d, GString *out)
{
    vga_describe(&container_of(d, const struct vga_pci, pci.dev)->vga, out);
}

static const struct prop vga_pci_props[] = {
    PROP_U32(struct vga_pci, vgamem_mb, 16, .min = 1, .max = 512,
             .desc = "video memory in MiB, rounded up to a power of two"),
    PROP_BOOL(struct vga_pci, edid, true, .desc = "describe a monitor to the guest"),
    PROP_U32(struct vga_pci, xres, 1280, .min = 1, .max = EDID_MAX_PIXELS, .desc = "preferred width"),
    PROP_U32(struct vga_pci, yres, 800, .min = 1, .max = EDID_MAX_PIXELS, .desc = "preferred height"),
    PROP_U32(struct vga_pci, xmax, 0, .desc = "widest standard mode offered"),
    PROP_U32(struct vga_pci, ymax, 0, .desc = "highest standard mode offered"), {}
};
static const struct state vga_pci_state[] = {
    STATE_STRUCT(struct vga_pci, vga, vga_core_state), STATE_HOST(struct vga_pci, fb),
    STATE_HOST(struct vga_pci, mmio), STATE_HOST(struct vga_pci, edid_data), {}
};
const struct device_class vga_class = {
    .name = "VGA", .desc = "standard VGA with Bochs display interface (PCI)", .version = 1,
    .size = sizeof(struct vga_pci),
    .bus = &pci_bus_class,
    .bus_info = &(const struct pci_info){ .vendor = 0x1234, .device = 0x1111, .revision = 2,
                                          .class_code = 0x030000 },
    .props = vga_pci_props, .state = vga_pci_state, .realize = vga_pci_realize,
    .unrealize = vga_pci_unrealize,
    .reset = vga_pci_reset, .post_load = vga_pci_post_load, .describe = vga_pci_describe,
};
