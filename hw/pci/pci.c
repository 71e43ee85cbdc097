/* hw/pci/pci.c - a PCI bus: configuration space, base addresses, interrupt pins.
 *
 * Source: PCI Local Bus Specification 3.0, chapter 6 (configuration space) and 2.2.6 (interrupt
 * pins).
 * Deviations: a BAR that holds address 0 decodes nothing, as firmware enables decoding before it
 * assigns all addresses; an I/O BAR above FFFFh and a memory BAR above the CPU's address width
 * decode nothing (no CPU can reach them).  Of overlapping BARs the one registered later answers,
 * where hardware would collide. No parity or system errors, no BIST. */
#include "hw/pci/pci.h"
#include "vmm/core/vm.h"

enum { N_SLOTS = 32, ROM_ENABLE = 1, STATUS_W1C = 0xf900, HEADER_MULTI = 0x80 };
enum { QUMRANET = 0x1af4, QUMRANET_SUBSYSTEM = 0x1100 };

static struct pci_dev *pci_of(struct device *d)
{
    return container_of(d, struct pci_dev, dev);
}

static unsigned bar_offset(unsigned n)
{
    return n == PCI_ROM_SLOT ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * n;
}

/* --- mapping ----------------------------------------------------------------------------------- */

static uint64_t bar_address(const struct pci_dev *p, unsigned n)
{
    const struct pci_bar *bar = p->bars[n];
    unsigned off = bar_offset(n);
    uint64_t v = ld_le32(p->cfg + off);

    if (bar->type & PCI_BAR_MEM64)
        v |= (uint64_t) ld_le32(p->cfg + off + 4) << 32;
    return v & ~(bar->size - 1);
}

static bool bar_decodes(const struct pci_dev *p, unsigned n, uint64_t addr)
{
    const struct pci_bar *bar = p->bars[n];
    uint16_t cmd = ld_le16(p->cfg + PCI_COMMAND);
    bool io = bar->type & PCI_BAR_IO;
    uint64_t limit = io ? 0xffff : MIN(p->pci->mem_last,
                                       bar->type & PCI_BAR_MEM64 ? UINT64_MAX : UINT32_MAX);

    if (!(cmd & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return false;
    if (n == PCI_ROM_SLOT && !(p->cfg[PCI_ROM_ADDRESS] & ROM_ENABLE))
        return false;
    return addr != 0 && addr + (bar->size - 1) <= limit;
}

static void update_bars(struct pci_dev *p)
{
    struct vm *vm = p->dev.vm;

    space_begin(&vm->mem);
    space_begin(&vm->pio);
    for (unsigned n = 0; n < PCI_N_BARS; n++) {
        if (!p->bars[n])
            continue;
        struct region *r = &p->bars[n]->region;
        uint64_t addr = bar_address(p, n);
        bool on = bar_decodes(p, n, addr);
        if (on != r->enabled || (on && addr != r->base))
            TRACE(&p->dev, "BAR %u %s 0x%" PRIx64, n, on ? "at" : "off, was at", on ? addr : r->base);
        if (!on)
            region_enable(r, false);
        else
            region_move(r, addr);
        if (on)
            region_enable(r, true);
    }
    space_commit(&vm->pio);
    space_commit(&vm->mem);
}

bool pci_bar_mapped(const struct pci_dev *p, unsigned n, uint64_t *addr)
{
    if (n >= PCI_N_BARS || !p->bars[n] || !p->bars[n]->region.enabled)
        return false;
    *addr = p->bars[n]->region.base;
    return true;
}

void pci_register_bar(struct pci_dev *p, unsigned n, struct pci_bar *bar, uint8_t type)
{
    bool io = type & PCI_BAR_IO;
    uint64_t size = bar->region.size;
    unsigned off = bar_offset(n);
    uint64_t mask = ~(size - 1);

    g_assert(n < PCI_N_BARS && !p->bars[n] && (size & (size - 1)) == 0 && size >= (io ? 4 : 16));
    g_assert(!(type & PCI_BAR_MEM64) || (n < 5 && !p->bars[n + 1]));
    bar->type = type;
    bar->size = size;
    bar->region.enabled = false;
    p->bars[n] = bar;
    st_le32(p->cfg + off, n == PCI_ROM_SLOT ? 0 : type);
    st_le32(p->wmask + off, (uint32_t) mask | (n == PCI_ROM_SLOT ? ROM_ENABLE : 0));
    if (type & PCI_BAR_MEM64)
        st_le32(p->wmask + off + 4, (uint32_t) (mask >> 32));
    space_add(io ? &p->dev.vm->pio : &p->dev.vm->mem, &bar->region, 0, PRIO_PCI, NULL);
}

/* --- interrupt pins ---------------------------------------------------------------------------- */

/* The traces of a PC's slots are rotated: device 1's INTA# is PIRQA, device 2's PIRQB ... */
static unsigned swizzle(const struct pci_dev *p)
{
    unsigned pin = p->cfg[PCI_INTERRUPT_PIN] - 1u, slot = p->devfn >> 3;

    return (pin + slot - 1) & 3;
}

static void update_intx(struct pci_dev *p)
{
    struct pci_bus *b = p->pci;
    bool disabled = ld_le16(p->cfg + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
    bool out = p->intx && !disabled && p->cfg[PCI_INTERRUPT_PIN];

    p->cfg[PCI_STATUS] = (p->cfg[PCI_STATUS] & ~PCI_STATUS_INTERRUPT) | (p->intx ? PCI_STATUS_INTERRUPT : 0);
    if (out == p->intx_out)
        return;
    p->intx_out = out;
    unsigned pin = swizzle(p);
    int was = b->intx_high[pin];
    b->intx_high[pin] += out ? 1 : -1;
    if (b->intx.set && (was > 0) != (b->intx_high[pin] > 0))
        b->intx.set(b->intx.opaque, (int) pin, b->intx_high[pin] > 0);
}

void pci_set_irq(struct pci_dev *p, bool level)
{
    if (p->intx == level)
        return;
    p->intx = level;
    update_intx(p);
}

/* --- configuration space ----------------------------------------------------------------------- */

void pci_update(struct pci_dev *p)
{
    p->dev.dma_disabled = !(p->cfg[PCI_COMMAND] & PCI_COMMAND_MASTER);
    update_bars(p);
    update_intx(p);
}

uint32_t pci_config_read(struct pci_bus *b, unsigned devfn, unsigned off, unsigned size)
{
    struct pci_dev *p = devfn < 256 ? b->devs[devfn] : NULL;

    if (!p || size > 4 || !range_fits(off, size, sizeof p->cfg))
        return (uint32_t) mask_bytes(size);
    if (p->config_read)
        p->config_read(p, off, size);
    uint32_t v = (uint32_t) ld_le(p->cfg + off, size);
    TRACE(&p->dev, "config read %02x/%u = %x", off, size, v);
    return v;
}

static bool touches(unsigned off, unsigned size, unsigned first, unsigned last)
{
    return off <= last && off + size > first;
}

void pci_config_write(struct pci_bus *b, unsigned devfn, unsigned off, uint32_t val, unsigned size)
{
    struct pci_dev *p = devfn < 256 ? b->devs[devfn] : NULL;

    if (!p || size > 4 || !range_fits(off, size, sizeof p->cfg))
        return;
    TRACE(&p->dev, "config write %02x/%u = %x", off, size, val);
    for (unsigned i = 0; i < size; i++) {
        uint8_t v = (uint8_t) (val >> (8 * i)), *c = &p->cfg[off + i];
        uint8_t w = p->wmask[off + i];
        *c = (*c & ~w) | (v & w);
        *c &= (uint8_t) ~(v & p->w1cmask[off + i]);
    }
    if (touches(off, size, PCI_COMMAND, PCI_COMMAND + 1) || touches(off, size, PCI_BASE_ADDRESS_0, 0x27) ||
        touches(off, size, PCI_ROM_ADDRESS, PCI_ROM_ADDRESS + 3))
        pci_update(p);
    if (p->config_written)
        p->config_written(p, off, size);
}

unsigned pci_add_capability(struct pci_dev *p, uint8_t id, uint8_t size)
{
    unsigned off = p->cap_end;

    g_assert(off + ROUND_UP(size, 4) <= sizeof p->cfg);
    p->cap_end = (uint8_t) (off + ROUND_UP(size, 4));
    p->cfg[off] = id;
    p->cfg[off + 1] = p->cfg[PCI_CAPABILITY_LIST];
    p->cfg[PCI_CAPABILITY_LIST] = (uint8_t) off;
    p->cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    return off;
}

void pci_reset(struct pci_dev *p)
{
    p->intx = false;
    for (unsigned i = 0; i < 0x40; i++)
        p->cfg[i] &= (uint8_t) ~(p->wmask[i] | p->w1cmask[i]);
    pci_update(p);
}

/* The bytes that say what a function is can't come from a snapshot of something else. */
bool pci_post_load(struct pci_dev *p)
{
    const struct pci_info *info = p->dev.cls->bus_info;

    if (ld_le32(p->cfg + PCI_VENDOR_ID) != p->ids || p->cfg[PCI_INTERRUPT_PIN] != info->intpin)
        return false;
    for (unsigned n = 0; n < PCI_N_BARS; n++) {
        unsigned off = bar_offset(n);
        if (n < 6 && p->bars[n] && (ld_le32(p->cfg + off) & ~ld_le32(p->wmask + off)) != p->bars[n]->type)
            return false;
    }
    pci_update(p);
    return true;
}

/* --- the bus ----------------------------------------------------------------------------------- */

static bool slot_is_free(const struct pci_bus *b, unsigned slot)
{
    for (unsigned fn = 0; fn < 8; fn++)
        if (b->devs[PCI_DEVFN(slot, fn)])
            return false;
    return true;
}

static bool pci_is_full(const struct bus *bus)
{
    const struct pci_bus *b = bus->opaque;

    for (unsigned slot = b->slot_min; slot < N_SLOTS; slot++)
        if (slot_is_free(b, slot))
            return false;
    return true;
}

static bool choose_devfn(struct pci_bus *b, struct pci_dev *p, GError **err)
{
    if (p->addr != PCI_DEVFN_AUTO) {
        p->devfn = (uint8_t) p->addr;
        return true;
    }
    for (unsigned slot = b->slot_min; slot < N_SLOTS; slot++)
        if (slot_is_free(b, slot)) {
            p->devfn = (uint8_t) PCI_DEVFN(slot, 0);
            return true;
        }
    return fail(err, "no slot left on bus '%s'; put several functions into one slot "
                     "with multifunction=on and addr=",
                b->bus.name);
}

/* Function 0 says whether firmware looks for others. */
static bool check_place(struct pci_bus *b, struct pci_dev *p, GError **err)
{
    unsigned slot = p->devfn >> 3, fn = p->devfn & 7;
    const struct pci_dev *taken = b->devs[p->devfn], *fn0 = b->devs[PCI_DEVFN(slot, 0)];

    if (taken)
        return fail(err, "addr=%02x.%x on bus '%s' is already used by '%s'", slot, fn, b->bus.name,
                    taken->dev.name);
    if (fn && fn0 && !fn0->multifunction)
        return fail(err, "addr=%02x.%x: '%s' in function 0 of the slot lacks multifunction=on", slot, fn,
                    fn0->dev.name);
    for (unsigned i = 1; !fn && !p->multifunction && i < 8; i++) {
        const struct pci_dev *o = b->devs[PCI_DEVFN(slot, i)];
        if (o)
            return fail(err,
                        "addr=%02x.0 needs multifunction=on, as '%s' is in function %u of the slot", slot,
                        o->dev.name, i);
    }
    return true;
}

void pci_set_ids(struct pci_dev *p, uint16_t device, uint8_t revision)
{
    st_le16(p->cfg + PCI_DEVICE_ID, device);
    p->cfg[PCI_REVISION_ID] = revision;
    p->ids = ld_le32(p->cfg + PCI_VENDOR_ID);
}

static void init_header(struct pci_dev *p)
{
    const struct pci_info *info = p->dev.cls->bus_info;

    st_le16(p->cfg + PCI_VENDOR_ID, info->vendor);
    pci_set_ids(p, info->device, info->revision);
    p->cfg[PCI_CLASS_PROG] = (uint8_t) info->class_code;
    st_le16(p->cfg + PCI_CLASS_DEVICE, (uint16_t) (info->class_code >> 8));
    p->cfg[PCI_HEADER_TYPE] = info->header_type | (p->multifunction ? HEADER_MULTI : 0);
    p->cfg[PCI_INTERRUPT_PIN] = info->intpin;
    if (!info->no_subsystem) {
        st_le16(p->cfg + PCI_SUBSYSTEM_VENDOR_ID, info->subvendor ? info->subvendor : QUMRANET);
        st_le16(p->cfg + PCI_SUBSYSTEM_ID, info->subvendor ? info->subdevice : QUMRANET_SUBSYSTEM);
    }
    st_le16(p->wmask + PCI_COMMAND,
            PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
                                        PCI_COMMAND_SERR | (info->intpin ? PCI_COMMAND_INTX_DISABLE : 0));
    st_le16(p->w1cmask + PCI_STATUS, STATUS_W1C);
    p->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
    p->wmask[PCI_LATENCY_TIMER] = 0xff;
    p->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

static bool pci_attach(struct bus *bus, struct device *dev, GError **err)
{
    struct pci_bus *b = bus->opaque;
    struct pci_dev *p = pci_of(dev);

    p->pci = b;
    if (!choose_devfn(b, p, err) || !check_place(b, p, err))
        return false;
    p->cap_end = 0x40;
    p->rom.fd = -1;
    init_header(p);
    dev->dma_disabled = true;
    b->devs[p->devfn] = p;
    return true;
}

static void pci_detach(struct bus *bus, struct device *dev)
{
    struct pci_bus *b = bus->opaque;
    struct pci_dev *p = pci_of(dev);

    pci_set_irq(p, false);
    for (unsigned n = 0; n < PCI_N_BARS; n++)
        if (p->bars[n])
            space_remove(&p->bars[n]->region);
    ram_block_free(&p->rom);
    b->devs[p->devfn] = NULL;
}

static void pci_bus_reset(struct bus *bus, struct device *dev)
{
    (void) bus;
    pci_reset(pci_of(dev));
}

static bool pci_bus_post_load(struct bus *bus, struct device *dev)
{
    (void) bus;
    return pci_post_load(pci_of(dev));
}

/* SeaBIOS matches "/pci@i0cf8/ethernet@3"; the host bridge is its bus's own function 0 and has no
 * node itself. */
static char *pci_fw_node(const struct device *dev)
{
    const struct pci_dev *p = container_of(dev, struct pci_dev, dev);
    const char *name, *root = p->pci->bus.owner && p->pci->bus.owner->bus ? "" : "pci@i0cf8/";
    GString *s = g_string_new(root);

    pci_class_text(ld_le16(p->cfg + PCI_CLASS_DEVICE), &name);
    if (name)
        g_string_append(s, name);
    else
        g_string_append_printf(s, "pci%x,%x", ld_le16(p->cfg + PCI_VENDOR_ID),
                               ld_le16(p->cfg + PCI_DEVICE_ID));
    g_string_append_printf(s, "@%x", p->devfn >> 3);
    if (p->devfn & 7)
        g_string_append_printf(s, ",%x", p->devfn & 7);
    return g_string_free(s, FALSE);
}

/* addr=: slot[.function], both hexadecimal as in `lspci` */
static bool parse_addr(const char *name, const char *text, uint64_t *out, GError **err)
{
    char *end;
    uint64_t slot = g_ascii_strtoull(text, &end, 16), fn = 0;
    bool ok = g_ascii_isxdigit(*text) && end != text;

    if (ok && *end == '.') {
        const char *at = end + 1;
        fn = g_ascii_strtoull(at, &end, 16);
        ok = g_ascii_isxdigit(*at);
    }
    if (!ok || *end || slot >= N_SLOTS || fn > 7)
        return fail(err, "%s: '%s' is no PCI address; write slot or slot.function, "
                         "0 to 1f and 0 to 7, as in 03.1", name, text);
    *out = PCI_DEVFN(slot, fn);
    return true;
}

static char *print_addr(uint64_t v)
{
    if ((int32_t) v == PCI_DEVFN_AUTO)
        return g_strdup("auto");
    return g_strdup_printf("%02x.%x", (unsigned) v >> 3, (unsigned) v & 7);
}

static const struct prop_format addr_format = { "slot[.function]", parse_addr, print_addr };

static const struct prop pci_props[] = {
    PROP_CUSTOM(struct pci_dev, addr, PCI_DEVFN_AUTO, &addr_format,
                .desc = "place on the bus (default: a free slot)"),
    PROP_BOOL(struct pci_dev, multifunction, 0, .desc = "more functions may share the slot"),
    PROP_U32(struct pci_dev, rombar, 1, .desc = "0: hide the option ROM"),
    PROP_STR(struct pci_dev, romfile, NULL, .desc = "option ROM image (empty: none)"),
    {}
};

const struct state pci_dev_state[] = {
    STATE_HOST(struct pci_dev, pci),      STATE_HOST(struct pci_dev, devfn), STATE_HOST(struct pci_dev, ids),
    STATE_BYTES(struct pci_dev, cfg),
    STATE_HOST(struct pci_dev, wmask),    STATE_HOST(struct pci_dev, w1cmask),
    STATE_HOST(struct pci_dev, bars),
    STATE_HOST(struct pci_dev, rom),      STATE_HOST(struct pci_dev, rom_bar),
    STATE_BOOL(struct pci_dev, intx),
    STATE_HOST(struct pci_dev, intx_out), STATE_HOST(struct pci_dev, cap_end),
    STATE_HOST(struct pci_dev, config_written), STATE_HOST(struct pci_dev, config_read),
    {}
};

const struct bus_class pci_bus_class = {
    .name = "PCI", .props = pci_props, .state = pci_dev_state, .attach = pci_attach, .detach = pci_detach,
    .is_full = pci_is_full, .reset = pci_bus_reset, .post_load = pci_bus_post_load, .fw_node = pci_fw_node,
};

void pci_bus_init(struct pci_bus *b, struct vm *vm, const char *name, struct device *owner)
{
    *b = (struct pci_bus){ .vm = vm, .mem_last = (1ULL << 40) - 1 };
    bus_init(&b->bus, vm, &pci_bus_class, name, owner, b);
}

void pci_bus_clear(struct pci_bus *b)
{
    bus_clear(&b->bus, b->vm);
}
