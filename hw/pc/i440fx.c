/* hw/pc/i440fx.c - Intel 82441FX (PMC) of the 440FX PCI set: host bridge and memory controller.
 *
 * Sheet: 290549 "82441FX PCI and Memory Controller (PMC) and 82442FX Data Bus Accelerator (DBX)",
 * chapters 3.1 (I/O mapped registers), 3.2 (configuration registers) and 4.1 (system address map).
 * Deviations:
 * - RAM is where vm->ram says, all populated, whatever DRB, DRT and FDHC hold: they are plain
 *   storage (firmware for virtual machines learns the size from fw_cfg and CMOS).
 * - There is no SMM: of SMRAM only D_OPEN (with G_SMRAME) acts, and D_LCK locks.
 * - TRC's soft reset is a hard one.
 * - A write to a shadow segment that is not RAM is lost unless a PCI memory BAR lies there. */
#include "hw/pc/i440fx.h"
#include "vmm/core/vm.h"

enum { /* configuration registers */
    PMCCFG = 0x50, DETURBO = 0x52, DBC = 0x53, AXC = 0x54, DRT = 0x55, DRAMC = 0x57, DRAMT = 0x58,
    PAM0 = 0x59, PAM6 = 0x5f,
    DRB0 = 0x60, FDHC = 0x68, MTT = 0x70, CLT = 0x71, SMRAM = 0x72, ERRCMD = 0x90, ERRSTS = 0x91,
    TRC = 0x93,
};
enum { PAM_RE = 1, PAM_WE = 2 };
enum { C_BASE_SEG = 2, G_SMRAME = 0x08, D_LCK = 0x10, D_CLS = 0x20, D_OPEN = 0x40 };
enum { TRC_RCPU = 4 };
enum { CONFADD_CONE = 1u << 31, CONFADD_RW = 0x80fffffc };
enum { N_SEGS = 13, SEG_SIZE = 16 * 1024, BIOS_MAX = 16 << 20, ISA_BIOS = 128 * 1024 };

struct pam_seg {
    struct i440fx *s;
    struct region region;
    uint32_t base, size;
};

struct i440fx {
    struct pci_dev pci;
    struct pci_bus bus;
    uint32_t CONFADD;
    struct region confadd, confdata;
    struct region low, mid, high; /* 0-9FFFFh, 1 MiB to the hole, above 4 GiB */
    struct region smram;          /* A0000h-BFFFFh, while open */
    struct pam_seg seg[N_SEGS];
    struct region apic[2];
    struct ram_block bios;
    struct region bios_top, bios_isa;
    bool trc_armed; /* RCPU was 0: its rise resets */
};

static struct i440fx *i440fx_of(struct device *d)
{
    return container_of(d, struct i440fx, pci.dev);
}

/* --- configuration mechanism 1 (3.1) ------------------------------------------------------------ */

static uint64_t confadd_read(void *opaque, uint64_t off, unsigned size)
{
    struct i440fx *s = opaque;
    const struct region_ops *below = s->bus.cf8_ops;

    if (size == 4)
        return s->CONFADD;
    return below ? below->read(s->bus.cf8_opaque, off, size) : mask_bytes(size);
}

static void confadd_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct i440fx *s = opaque;
    const struct region_ops *below = s->bus.cf8_ops;

    if (size == 4)
        s->CONFADD = (uint32_t) val & CONFADD_RW;
    else if (below) /* only a doubleword is ours; the rest goes on to PCI */
        below->write(s->bus.cf8_opaque, off, val, size);
}

static bool config_target(const struct i440fx *s, unsigned *devfn, unsigned *reg)
{
    *devfn = s->CONFADD >> 8 & 0xff;
    *reg = s->CONFADD & 0xfc;
    return (s->CONFADD & CONFADD_CONE) && (s->CONFADD >> 16 & 0xff) == 0; /* there is no other bus */
}

static uint64_t confdata_read(void *opaque, uint64_t off, unsigned size)
{
    struct i440fx *s = opaque;
    unsigned devfn, reg;

    if (!config_target(s, &devfn, &reg))
        return mask_bytes(size);
    return pci_config_read(&s->bus, devfn, reg + (unsigned) off, size);
}

static void confdata_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct i440fx *s = opaque;
    unsigned devfn, reg;

    if (config_target(s, &devfn, &reg))
        pci_config_write(&s->bus, devfn, reg + (unsigned) off, (uint32_t) val, size);
}

static const struct region_ops confadd_ops = { confadd_read, confadd_write, .min = 1, .max = 4 };
static const struct region_ops confdata_ops = { confdata_read, confdata_write, .min = 1, .max = 4 };

/* --- shadow RAM (3.2.18) and SMRAM --------------------------------------------------------------- */

/* What PCI has at an address in a shadow segment: the highest-ranking region below PAM. */
static struct region *under_pam(const struct i440fx *s, uint64_t addr)
{
    const GPtrArray *all = s->bus.vm->mem.regions;
    struct region *best = NULL;

    for (unsigned i = 0; i < all->len; i++) {
        struct region *r = all->pdata[i];
        if (r->enabled && r->size && r->prio < PRIO_PAM && addr >= r->base && addr - r->base < r->size &&
            (!best || r->prio > best->prio || (r->prio == best->prio && r->seq > best->seq)))
            best = r;
    }
    return best;
}

static uint64_t pci_byte_read(const struct i440fx *s, uint64_t addr)
{
    const struct region *r = under_pam(s, addr);
    uint64_t off = r ? addr - r->base : 0;

    if (!r)
        return 0xff;
    if (r->kind != REGION_IO)
        return r->ram->host[r->ram_off + off];
    unsigned min = r->ops->min ? r->ops->min : 1;
    uint64_t at = ROUND_DOWN(off, min);
    return r->ops->read ? r->ops->read(r->opaque, at, min) >> (8 * (off - at)) & 0xff : 0xff;
}

static void pci_byte_write(const struct i440fx *s, uint64_t addr, uint8_t val)
{
    const struct region *r = under_pam(s, addr);
    uint64_t off = r ? addr - r->base : 0;

    if (r && r->kind == REGION_RAM) {
        r->ram->host[r->ram_off + off] = val;
        ram_block_mark_dirty(r->ram, r->ram_off + off, 1);
    } else if (r && r->ops && r->ops->write && r->ops->min <= 1) {
        r->ops->write(r->opaque, off, val, 1);
    }
}

/* RE = 0, WE = 1: reads from PCI (the ROM), writes to RAM.  Firmware copies itself this way. */
static uint64_t seg_read_pci(void *opaque, uint64_t off, unsigned size)
{
    const struct pam_seg *g = opaque;
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++)
        v |= pci_byte_read(g->s, g->base + off + i) << (8 * i);
    return v;
}

static void seg_write_ram(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    const struct pam_seg *g = opaque;
    struct ram_block *rb = &g->s->bus.vm->ram.block;

    st_le(rb->host + g->base + off, val, size);
    ram_block_mark_dirty(rb, g->base + off, size);
}

/* RE = 1, WE = 0: reads from RAM, writes to PCI. */
static void seg_write_pci(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    const struct pam_seg *g = opaque;

    for (unsigned i = 0; i < size; i++)
        pci_byte_write(g->s, g->base + off + i, (uint8_t) (val >> (8 * i)));
}

static const struct region_ops read_pci_write_ram = { seg_read_pci, seg_write_ram, .min = 1, .max = 8 };
static const struct region_ops write_pci = { .write = seg_write_pci, .min = 1, .max = 8 };

static uint8_t pam_attr(const struct i440fx *s, unsigned seg)
{
    if (seg == N_SEGS - 1) /* F0000h-FFFFFh: the high half of PAM0 */
        return s->pci.cfg[PAM0] >> 4;
    return s->pci.cfg[PAM0 + 1 + seg / 2] >> (4 * (seg & 1));
}

static void update_pam(struct i440fx *s)
{
    struct ram_block *ram = &s->bus.vm->ram.block;

    for (unsigned i = 0; i < N_SEGS; i++) {
        struct pam_seg *g = &s->seg[i];
        uint8_t attr = pam_attr(s, i) & (PAM_RE | PAM_WE);
        uint64_t isa = s->bios_isa.base;
        bool rom = s->bios.host && s->bios_isa.size && g->base >= isa;
        if (!g->region.space)
            continue;
        switch (attr) {
        case PAM_RE | PAM_WE:
            region_set_ram(&g->region, REGION_RAM, ram, g->base, NULL, NULL);
            break;
        case PAM_RE:
            region_set_ram(&g->region, REGION_ROM, ram, g->base, &write_pci, g);
            break;
        case PAM_WE:
            if (rom)
                region_set_ram(&g->region, REGION_ROM, &s->bios, s->bios_isa.ram_off + (g->base - isa),
                               &read_pci_write_ram, g);
            else
                region_set_ram(&g->region, REGION_IO, NULL, 0, &read_pci_write_ram, g);
            break;
        default:
            break;
        }
        region_enable(&g->region, attr != 0);
    }
}

static void update_smram(struct i440fx *s)
{
    uint8_t v = s->pci.cfg[SMRAM];

    if (s->smram.space)
        region_enable(&s->smram, (v & D_OPEN) && (v & G_SMRAME) && !(v & D_CLS));
}

static void update_map(struct i440fx *s)
{
    space_begin(&s->bus.vm->mem);
    update_pam(s);
    update_smram(s);
    space_commit(&s->bus.vm->mem);
}

/* Once D_LCK is set only a reset clears it, D_OPEN falls, and both are read only. */
static void lock_smram(struct i440fx *s)
{
    bool locked = s->pci.cfg[SMRAM] & D_LCK;

    if (locked)
        s->pci.cfg[SMRAM] &= ~D_OPEN;
    s->pci.wmask[SMRAM] = G_SMRAME | D_CLS | (locked ? 0 : D_LCK | D_OPEN);
}

static void config_written(struct pci_dev *p, unsigned off, unsigned len)
{
    struct i440fx *s = container_of(p, struct i440fx, pci);

    if (off <= SMRAM && off + len > SMRAM)
        lock_smram(s);
    if (off <= SMRAM && off + len > PAM0)
        update_map(s);
    if (off <= TRC && off + len > TRC) {
        bool rcpu = p->cfg[TRC] & TRC_RCPU;
        if (rcpu && s->trc_armed)
            vm_request_reset(p->dev.vm, CAUSE_GUEST_RESET);
        s->trc_armed = !rcpu;
    }
}

/* --- set-up ------------------------------------------------------------------------------------- */

static void init_config(struct pci_dev *p)
{
    uint8_t *w = p->wmask;

    st_le16(w + PCI_COMMAND, PCI_COMMAND_PARITY | PCI_COMMAND_SERR); /* MAE and BME are hardwired */
    w[PCI_CACHE_LINE_SIZE] = w[PCI_INTERRUPT_LINE] = 0;
    w[PCI_LATENCY_TIMER] = 0xf8;
    st_le16(w + PMCCFG, 0x8c00);
    w[DETURBO] = 0xff;
    w[DBC] = 0x7f;
    w[AXC] = 0x82;
    st_le16(w + DRT, 0xffff);
    w[DRAMC] = 0x7f;
    w[DRAMT] = 0x7f;
    w[PAM0] = 0x30;
    memset(w + PAM0 + 1, 0x33, 6);
    memset(w + DRB0, 0xff, 8);
    w[FDHC] = 0xc0;
    w[MTT] = 0xf8;
    w[CLT] = 0x1f;
    w[ERRCMD] = 0x8b;
    p->w1cmask[ERRSTS] = 0x13;
    w[TRC] = 0x0f;
    p->config_written = config_written;
}

static void i440fx_reset(struct device *d)
{
    struct i440fx *s = i440fx_of(d);
    uint8_t *c = s->pci.cfg;

    pci_reset(&s->pci);
    memset(c + 0x40, 0, 0xc0);
    st_le16(c + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    st_le16(c + PCI_STATUS, PCI_STATUS_FAST_BACK | PCI_STATUS_DEVSEL_MEDIUM);
    c[DBC] = 0x80;
    c[DRAMC] = 0x01;
    c[DRAMT] = 0x10;
    memset(c + DRB0, 0x01, 8);
    c[MTT] = 0x20;
    c[CLT] = 0x10;
    c[SMRAM] = C_BASE_SEG;
    s->CONFADD = 0;
    s->trc_armed = true;
    lock_smram(s);
    update_map(s);
    pci_update(&s->pci);
}

static bool add(struct i440fx *s, struct region *r, uint64_t base, int prio, GError **err)
{
    return space_add(&s->bus.vm->mem, r, base, prio, err);
}

static bool map_segments(struct i440fx *s, uint64_t below, GError **err)
{
    struct ram_block *ram = &s->bus.vm->ram.block;

    for (unsigned i = 0; i < N_SEGS; i++) {
        struct pam_seg *g = &s->seg[i];
        g->s = s;
        g->base = 0xc0000 + i * SEG_SIZE;
        g->size = i == N_SEGS - 1 ? 4 * SEG_SIZE : SEG_SIZE;
        region_init_ram(&g->region, "pam", ram, g->base, g->size);
        g->region.enabled = false;
        if (g->base + g->size <= below && !add(s, &g->region, g->base, PRIO_PAM, err))
            return false;
    }
    return true;
}

/* RAM ranks above the BARs, as the PMC never forwards an access below the top of memory to PCI; so
 * do the APICs, which the kernel answers for: a BAR over them must not get a memory slot there. */
static bool map_memory(struct i440fx *s, GError **err)
{
    static const struct region_ops none = { .min = 1, .max = 8 };
    struct ram *ram = &s->bus.vm->ram;
    uint64_t below = ram->below_4g;

    region_init_ram(&s->low, "ram-low", &ram->block, 0, MIN(below, 0xa0000));
    region_init_ram(&s->smram, "smram", &ram->block, 0xa0000, 0x20000);
    region_init_ram(&s->mid, "ram", &ram->block, MiB, below > MiB ? below - MiB : 0);
    region_init_ram(&s->high, "ram-high", &ram->block, below, ram->above_4g);
    s->smram.enabled = false;
    if ((s->low.size && !add(s, &s->low, 0, PRIO_PAM, err)) ||
        (below >= 0xc0000 && !add(s, &s->smram, 0xa0000, PRIO_CHIPSET, err)) ||
        (s->mid.size && !add(s, &s->mid, MiB, PRIO_PAM, err)) ||
        (s->high.size && !add(s, &s->high, 4 * GiB, PRIO_PAM, err)) || !map_segments(s, below, err))
        return false;
    for (unsigned i = 0; i < 2; i++) {
        region_init_io(&s->apic[i], i ? "lapic" : "ioapic", &none, NULL, MiB);
        if (!add(s, &s->apic[i], i ? 0xfee00000 : 0xfec00000, PRIO_CHIPSET, err))
            return false;
    }
    return true;
}

static bool i440fx_realize(struct device *d, GError **err)
{
    struct i440fx *s = i440fx_of(d);
    struct vm *vm = d->vm;

    s->bios.fd = -1;
    pci_bus_init(&s->bus, vm, "pci.0", d);
    if (!pci_bus_class.attach(&s->bus.bus, d, err)) /* function 0 of the bus that it makes */
        return false;
    init_config(&s->pci);
    region_init_io(&s->confadd, "pci-confadd", &confadd_ops, s, 4);
    region_init_io(&s->confdata, "pci-confdata", &confdata_ops, s, 4);
    space_begin(&vm->mem);
    bool ok = map_memory(s, err) && space_add(&vm->pio, &s->confadd, 0xcf8, PRIO_CHIPSET, err) &&
              space_add(&vm->pio, &s->confdata, 0xcfc, PRIO_CHIPSET, err);
    space_commit(&vm->mem);
    return ok;
}

static void i440fx_unrealize(struct device *d)
{
    struct i440fx *s = i440fx_of(d);
    struct region *all[] = { &s->confadd, &s->confdata, &s->low, &s->mid, &s->high, &s->smram,
                             &s->apic[0], &s->apic[1],
                             &s->bios_top, &s->bios_isa };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        space_remove(all[i]);
    for (unsigned i = 0; i < N_SEGS; i++)
        space_remove(&s->seg[i].region);
    pci_bus_class.detach(&s->bus.bus, d);
    ram_block_free(&s->bios);
    pci_bus_clear(&s->bus);
}

static bool i440fx_post_load(struct device *d)
{
    struct i440fx *s = i440fx_of(d);

    if (!pci_post_load(&s->pci) || (s->CONFADD & ~CONFADD_RW))
        return false;
    lock_smram(s);
    update_map(s);
    return true;
}

static const struct state seg_state[] = {
    STATE_HOST(struct pam_seg, s), STATE_HOST(struct pam_seg, region), STATE_HOST(struct pam_seg, base),
    STATE_HOST(struct pam_seg, size), {}
};
static const struct state i440fx_state[] = {
    STATE_HOST(struct i440fx, pci), STATE_STRUCT(struct i440fx, pci, pci_dev_state),
    STATE_HOST(struct i440fx, bus), STATE_U32(struct i440fx, CONFADD),
    STATE_HOST(struct i440fx, confadd), STATE_HOST(struct i440fx, confdata), STATE_HOST(struct i440fx, low),
    STATE_HOST(struct i440fx, mid), STATE_HOST(struct i440fx, high), STATE_HOST(struct i440fx, smram),
    STATE_STRUCTS(struct i440fx, seg, seg_state), STATE_HOST(struct i440fx, apic),
    STATE_HOST(struct i440fx, bios),
    STATE_HOST(struct i440fx, bios_top), STATE_HOST(struct i440fx, bios_isa),
    STATE_BOOL(struct i440fx, trc_armed), {}
};
static const struct pci_info i440fx_info = {
    .vendor = 0x8086, .device = 0x1237, .revision = 0x02, .class_code = 0x060000,
};
const struct device_class i440fx_class = {
    .name = "i440FX", .desc = "Host bridge and memory controller", .version = 1,
    .size = sizeof(struct i440fx),
    .internal = true, .bus_info = &i440fx_info, .state = i440fx_state, .realize = i440fx_realize,
    .unrealize = i440fx_unrealize, .reset = i440fx_reset, .post_load = i440fx_post_load,
};

/* --- for the board ------------------------------------------------------------------------------ */

struct pci_bus *i440fx_bus(struct device *d)
{
    return &i440fx_of(d)->bus;
}

bool i440fx_set_bios(struct device *d, const void *data, size_t len, GError **err)
{
    struct i440fx *s = i440fx_of(d);
    uint64_t isa = MIN(len, ISA_BIOS);

    if (len < 64 * KiB || len > BIOS_MAX || len % PAGE_SIZE_4K)
        return fail(err, "a BIOS image of %zu bytes can't be used; "
                         "it has 64 KiB to 16 MiB, a multiple of 4 KiB", len);
    if (!ram_block_alloc(&s->bios, "bios", len, NULL, err))
        return false;
    memcpy(s->bios.host, data, len);
    region_init_rom(&s->bios_top, "bios", &s->bios, 0, len, NULL, NULL);
    region_init_rom(&s->bios_isa, "bios-isa", &s->bios, len - isa, isa, NULL, NULL);
    /* At 4 GiB above all, so that a BAR that is being sized can't hide it; below 1 MiB under PAM's
     * RAM. */
    if (!add(s, &s->bios_top, 4 * GiB - len, PRIO_CHIPSET, err) ||
        !add(s, &s->bios_isa, MiB - isa, PRIO_VGA, err))
        return false;
    update_map(s);
    return true;
}

void i440fx_shadow_ram(struct device *d)
{
    struct i440fx *s = i440fx_of(d);

    s->pci.cfg[PAM0] = 0x30;
    memset(s->pci.cfg + PAM0 + 1, 0x33, 6);
    update_map(s);
}

void i440fx_pci_hole(struct device *d, struct pci_hole *hole)
{
    const struct i440fx *s = i440fx_of(d);
    const struct ram *ram = &s->bus.vm->ram;

    hole->base32 = ROUND_UP(ram->below_4g, PAGE_SIZE_4K);
    hole->last32 = 0xfebfffff;
    hole->base64 = ROUND_UP(4 * GiB + ram->above_4g, GiB);
    hole->last64 = s->bus.mem_last > hole->base64 ? s->bus.mem_last : hole->base64 - 1; /* empty */
}
