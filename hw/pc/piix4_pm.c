/* hw/pc/piix4_pm.c - Intel 82371AB (PIIX4), function 3: power management and SMBus.
 *
 * Sheet: 290562 "82371AB PCI-to-ISA / IDE Xcelerator (PIIX4)", chapter 7 (power management: 7.1
 * configuration registers, 7.2 power management I/O registers, 7.3 SMBus I/O registers) and 11
 * (its functions).
 * Deviations:
 * - Sleep types are those that firmware for virtual machines uses: 0 soft off, 1 suspend to RAM,
 *   s4_val (2) suspend to disk, which is the same as off.  The sheet's powered-on suspends (3 to
 *   5) do nothing.
 * - There is no SMM: where an SMI would be due its status bits are set, no more.  So that firmware
 *   does not wait for one, DEVACTB.APMC_EN reads as set with smm=off; and SCI_EN changes with the
 *   commands F1h and F0h at port B2h, which an SMI handler would do.
 * - No device activity monitors, traps, idle timers, throttling or GPIO: DEVACT, DEVRES, CNTA/B,
 *   PCNTRL, DEVCTL, GPOREG are storage, GPIREG reads ones; PLVL2 and PLVL3 read 0 and don't stop
 *   the clock.
 * - Nothing is on the SMBus: an address is never acknowledged (DEV_ERR), at once.  No slave
 *   function. */
#include "hw/pc/piix4_pm.h"
#include "vmm/core/vm.h"

enum { /* configuration registers */
    PMBA = 0x40, CNTA = 0x44, DEVACTB = 0x58, PMREGMISC = 0x80, SMBBA = 0x90, SMBHSTCFG = 0xd2,
    SMBSLVC = 0xd3, SMBREV = 0xd6,
};
enum { PMIOSE = 1, SMB_HST_EN = 1, SMB_INTRSEL = 0x0e, SMB_IRQ9 = 0x08, APMC_EN_BYTE3 = 0x02 };
enum { /* I/O registers from PMBA, by the doubleword that they are in */
    PMSTS_PMEN = 0x00, PMCNTRL = 0x04, PMTMR = 0x08, GPSTS_GPEN = 0x0c, PCNTRL = 0x10, PLVL = 0x14,
    GLBSTS = 0x18,
    DEVSTS = 0x1c, GLBEN = 0x20, GLBCTL = 0x28, DEVCTL = 0x2c, GPIREG = 0x30, GPOREG = 0x34, PM_SIZE = 0x40,
};
enum { /* PMSTS, and the enables of those that have one in PMEN */
    TMROF = 0x0001, BM_STS = 0x0010, GBL = 0x0020, PWRBTN = 0x0100, RTC = 0x0400,
    PWRBTNOR_STS = 0x0800, RSM_STS = 0x8000,
    STS_ALL = TMROF | BM_STS | GBL | PWRBTN | RTC | PWRBTNOR_STS | RSM_STS,
    EN_ALL = TMROF | GBL | PWRBTN | RTC,
};
enum { SCI_EN = 0x0001, BRLD_EN_BM = 0x0002, GBL_RLS = 0x0004, SUS_TYP_SHIFT = 10, SUS_TYP = 7 << 10,
       SUS_EN = 0x2000 };
enum { GP_ALL = 0x0f01 };
enum { BIOS_STS = 0x0001, APM_STS = 0x0020, GLBSTS_ALL = 0x0dff };
enum { GLBCTL_BIOS_RLS = 2 };
enum { SUS_SOFF, SUS_STR };
enum { PMTMR_HZ = 3579545, TMR_HALF_BITS = 23 };
enum { APMC_ACPI_ENABLE = 0xf1, APMC_ACPI_DISABLE = 0xf0 };
enum { /* SMBus I/O registers */
    SMBHSTSTS, SMBSLVSTS, SMBHSTCNT, SMBHSTCMD, SMBHSTADD, SMBHSTDAT0, SMBHSTDAT1, SMBBLKDAT,
    SMBSLVCNT, SMBSHDWCMD,
    SMBSLVEVT, SMBSLVDAT = 12, SMB_SIZE = 16,
};
enum { HOST_BUSY = 1, INTER = 2, DEV_ERR = 4, BUS_ERR = 8, FAILED = 16 };
enum { INTEREN = 1, KILL = 2, START = 0x40, BLOCK_MAX = 32 };

struct piix4_pm {
    struct pci_dev pci;
    struct region pm, smb, apm;
    struct irq sci;        /* ISA IRQ 9 */
    struct timer overflow; /* runs while TMROF can interrupt */
    struct vm_notifier life;
    uint64_t tmr_start;    /* ns of the virtual clock at which PMTMR was 0 */
    uint64_t tmr_seen;     /* changes of its top bit that TMROF_STS was told of */
    uint16_t PMSTS, PMEN, PMCNTRL, GPSTS, GPEN, GLBSTS, GLBEN;
    uint32_t PCNTRL, DEVSTS, GLBCTL, DEVCTL, GPOREG;
    uint8_t APMC, APMS;
    uint16_t wake;         /* PMSTS bits of what ends the suspension */
    uint8_t smb_regs[SMB_SIZE];
    uint8_t smb_block[BLOCK_MAX];
    uint8_t smb_index;
    bool smm, disable_s3, disable_s4; /* properties */
    uint8_t s4_val;
};

static struct piix4_pm *piix4_of(struct device *d)
{
    return container_of(d, struct piix4_pm, pci.dev);
}

/* --- SCI and the timer (7.2.4) -------------------------------------------------------------------- */

static uint64_t ticks(const struct piix4_pm *s)
{
    return muldiv64((uint64_t) clock_now(s->pci.dev.vm) - s->tmr_start, PMTMR_HZ, NS_PER_SEC);
}

/* TMROF_STS is set whenever bit 23 of the 24-bit timer changes. */
static void count_overflows(struct piix4_pm *s)
{
    uint64_t halves = ticks(s) >> TMR_HALF_BITS;

    if (halves != s->tmr_seen)
        s->PMSTS |= TMROF;
    s->tmr_seen = halves;
}

static bool smb_irq(const struct piix4_pm *s)
{
    return (s->pci.cfg[SMBHSTCFG] & SMB_INTRSEL) == SMB_IRQ9 && (s->smb_regs[SMBHSTCNT] & INTEREN) &&
           (s->smb_regs[SMBHSTSTS] & (INTER | DEV_ERR | BUS_ERR | FAILED));
}

static void update_sci(struct piix4_pm *s)
{
    bool events = (s->PMSTS & s->PMEN & EN_ALL) || (s->GPSTS & s->GPEN & GP_ALL);

    irq_set(&s->sci, (events && (s->PMCNTRL & SCI_EN)) || smb_irq(s));
}

static void update_timer(struct piix4_pm *s)
{
    if ((s->PMEN & TMROF) && !(s->PMSTS & TMROF)) {
        uint64_t next = (s->tmr_seen + 1) << TMR_HALF_BITS;
        timer_at(&s->overflow, (int64_t) (s->tmr_start + muldiv64(next, NS_PER_SEC, PMTMR_HZ) + 1));
    } else {
        timer_stop(&s->overflow);
    }
}

static void overflowed(void *opaque)
{
    struct piix4_pm *s = opaque;

    count_overflows(s);
    update_sci(s);
    update_timer(s);
}

/* --- sleeping and waking (11.5) -------------------------------------------------------------------- */

static void sleep_now(struct piix4_pm *s)
{
    unsigned type = (s->PMCNTRL & SUS_TYP) >> SUS_TYP_SHIFT;
    struct vm *vm = s->pci.dev.vm;

    TRACE(&s->pci.dev, "suspend type %u", type);
    if (type == SUS_SOFF || type == s->s4_val) {
        vm_request_shutdown(vm, CAUSE_GUEST_SHUTDOWN);
    } else if (type == SUS_STR) {
        s->wake = 0;
        vm_request_suspend(vm);
    } else {
        guest_error(&s->pci.dev, "suspend type %u does nothing", type);
    }
}

/* An event that may end the suspension: before that, the status waits, as the reset on the way
 * clears PMSTS. */
static void event(struct piix4_pm *s, uint16_t bit, bool wakes)
{
    if (s->pci.dev.vm->state == RUN_SUSPENDED) {
        if (wakes) {
            s->wake |= bit;
            vm_request_wakeup(s->pci.dev.vm);
        }
        return;
    }
    s->PMSTS |= bit;
    update_sci(s);
}

void piix4_pm_rtc(struct device *d)
{
    struct piix4_pm *s = piix4_of(d);

    event(s, RTC, s->PMEN & RTC);
}

static void phase(void *opaque, enum vm_phase phase)
{
    struct piix4_pm *s = opaque;
    struct vm *vm = s->pci.dev.vm;

    if (phase == PHASE_POWERDOWN) {
        vm_lock(vm);
        event(s, PWRBTN, true);
        vm_unlock(vm);
    } else if (phase == PHASE_WAKEUP) { /* the lock is held */
        /* Woken by no event of ours: by the user then, as if by the button. */
        s->PMSTS |= RSM_STS | (s->wake ? s->wake : PWRBTN);
        s->wake = 0;
        update_sci(s);
    }
}

/* --- the registers at PMBA (7.2) ------------------------------------------------------------------- */

static uint32_t pm_get(struct piix4_pm *s, unsigned reg)
{
    switch (reg) {
    case PMSTS_PMEN: count_overflows(s); return s->PMSTS | (uint32_t) s->PMEN << 16;
    case PMCNTRL:    return s->PMCNTRL;
    case PMTMR:      return ticks(s) & 0xffffff;
    case GPSTS_GPEN: return s->GPSTS | (uint32_t) s->GPEN << 16;
    case PCNTRL:     return s->PCNTRL;
    case PLVL:       return 0;
    case GLBSTS:     return s->GLBSTS;
    case DEVSTS:     return s->DEVSTS;
    case GLBEN:      return s->GLBEN;
    case GLBCTL:     return s->GLBCTL;
    case DEVCTL:     return s->DEVCTL;
    case GPIREG:     return 0x00ffffff;
    case GPOREG:     return s->GPOREG;
    default:         return 0;
    }
}

static uint64_t pm_read(void *opaque, uint64_t off, unsigned size)
{
    struct piix4_pm *s = opaque;
    uint32_t v = pm_get(s, (unsigned) off & ~3u);

    update_sci(s); /* reading may have found an overflow */
    return v >> (8 * (off & 3)) & mask_bytes(size);
}

static uint16_t merge16(uint16_t old, uint32_t val, uint32_t mask, uint16_t rw)
{
    return (uint16_t) ((old & ~(mask & rw)) | (val & mask & rw));
}

static uint32_t merge32(uint32_t old, uint32_t val, uint32_t mask)
{
    return (old & ~mask) | (val & mask);
}

static void pmcntrl_write(struct piix4_pm *s, uint32_t val, uint32_t mask)
{
    s->PMCNTRL = merge16(s->PMCNTRL, val, mask, SCI_EN | BRLD_EN_BM | SUS_TYP);
    if (val & mask & GBL_RLS) /* tells the BIOS */
        s->GLBSTS |= BIOS_STS;
    if (val & mask & SUS_EN)
        sleep_now(s);
}

static void glbctl_write(struct piix4_pm *s, uint32_t val, uint32_t mask)
{
    s->GLBCTL = merge32(s->GLBCTL, val & ~(uint32_t) GLBCTL_BIOS_RLS, mask);
    if (val & mask & GLBCTL_BIOS_RLS) /* tells the operating system */
        s->PMSTS |= GBL;
}

/* `mask` has ones in the bytes that are written. */
static void pm_set(struct piix4_pm *s, unsigned reg, uint32_t val, uint32_t mask)
{
    switch (reg) {
    case PMSTS_PMEN:
        count_overflows(s);
        s->PMSTS &= (uint16_t) ~(val & mask);
        s->PMEN = merge16(s->PMEN, val >> 16, mask >> 16, EN_ALL);
        break;
    case PMCNTRL:    pmcntrl_write(s, val, mask); break;
    case GPSTS_GPEN:
        s->GPSTS &= (uint16_t) ~(val & mask);
        s->GPEN = merge16(s->GPEN, val >> 16, mask >> 16, GP_ALL);
        break;
    case PCNTRL:     s->PCNTRL = merge32(s->PCNTRL, val, mask & 0x0003fe1e); break;
    case GLBSTS:     s->GLBSTS &= (uint16_t) ~(val & mask); break;
    case DEVSTS:     s->DEVSTS &= ~(val & mask); break;
    case GLBEN:      s->GLBEN = merge16(s->GLBEN, val, mask, GLBSTS_ALL); break;
    case GLBCTL:     glbctl_write(s, val, mask); break;
    case DEVCTL:     s->DEVCTL = merge32(s->DEVCTL, val, mask & 0x0fffffff); break;
    case GPOREG:     s->GPOREG = merge32(s->GPOREG, val, mask & 0x7fffffff); break;
    default:         break; /* read only or reserved */
    }
}

static void pm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct piix4_pm *s = opaque;
    unsigned shift = 8 * ((unsigned) off & 3);

    TRACE(&s->pci.dev, "PM write %02x/%u = %x", (unsigned) off, size, (unsigned) val);
    pm_set(s, (unsigned) off & ~3u, (uint32_t) val << shift, (uint32_t) mask_bytes(size) << shift);
    update_sci(s);
    update_timer(s);
}
static const struct region_ops pm_ops = { pm_read, pm_write, .min = 1, .max = 4 };

/* --- APM ports B2h and B3h ------------------------------------------------------------------------- */

static uint64_t apm_read(void *opaque, uint64_t off, unsigned size)
{
    const struct piix4_pm *s = opaque;

    (void) size;
    return off ? s->APMS : s->APMC;
}

static void apm_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct piix4_pm *s = opaque;

    (void) size;
    if (off) {
        s->APMS = (uint8_t) val;
        return;
    }
    s->APMC = (uint8_t) val;
    if (s->pci.cfg[DEVACTB + 3] & APMC_EN_BYTE3)
        s->GLBSTS |= APM_STS;
    if (val == APMC_ACPI_ENABLE)
        s->PMCNTRL |= SCI_EN;
    else if (val == APMC_ACPI_DISABLE)
        s->PMCNTRL &= ~SCI_EN;
    update_sci(s);
}
static const struct region_ops apm_ops = { apm_read, apm_write, .min = 1, .max = 1 };

/* --- SMBus host controller (7.3) ------------------------------------------------------------------- */

static uint64_t smb_read(void *opaque, uint64_t off, unsigned size)
{
    struct piix4_pm *s = opaque;

    (void) size;
    if (off == SMBHSTCNT) /* reading it rewinds the block data */
        s->smb_index = 0;
    if (off != SMBBLKDAT)
        return s->smb_regs[off];
    uint8_t v = s->smb_block[s->smb_index];
    s->smb_index = (s->smb_index + 1) % BLOCK_MAX;
    return v;
}

static void smb_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    static const uint8_t rw[SMB_SIZE] = {
        [SMBHSTCNT] = 0x1f & ~KILL, [SMBHSTCMD] = 0xff, [SMBHSTADD] = 0xff, [SMBHSTDAT0] = 0xff,
        [SMBHSTDAT1] = 0xff,
        [SMBSLVCNT] = 0x0f, [SMBSLVEVT] = 0xff, [SMBSLVEVT + 1] = 0xff,
    };
    struct piix4_pm *s = opaque;
    uint8_t v = (uint8_t) val;

    (void) size;
    if (off == SMBHSTSTS || off == SMBSLVSTS) { /* write 1 to clear */
        s->smb_regs[off] &= (uint8_t) ~(v & 0x3e);
    } else if (off == SMBBLKDAT) {
        s->smb_block[s->smb_index] = v;
        s->smb_index = (s->smb_index + 1) % BLOCK_MAX;
    } else {
        s->smb_regs[off] = v & rw[off];
    }
    if (off == SMBHSTCNT && (v & KILL))
        s->smb_regs[SMBHSTSTS] |= FAILED;
    else if (off == SMBHSTCNT && (v & START))
        s->smb_regs[SMBHSTSTS] |= DEV_ERR; /* nobody acknowledges */
    update_sci(s);
}
static const struct region_ops smb_ops = { smb_read, smb_write, .min = 1, .max = 1 };

/* --- configuration and set-up ----------------------------------------------------------------------- */

/* A base of 0 was never set: it would hide the DMA controllers. */
static void update_map(struct piix4_pm *s)
{
    const uint8_t *c = s->pci.cfg;
    unsigned pm = ld_le16(c + PMBA) & 0xffc0, smb = ld_le16(c + SMBBA) & 0xfff0;
    struct vm *vm = s->pci.dev.vm;

    space_begin(&vm->pio);
    region_enable(&s->pm, false);
    region_enable(&s->smb, false);
    region_move(&s->pm, pm);
    region_move(&s->smb, smb);
    region_enable(&s->pm, pm && (c[PMREGMISC] & PMIOSE));
    region_enable(&s->smb, smb && (c[SMBHSTCFG] & SMB_HST_EN) && (c[PCI_COMMAND] & PCI_COMMAND_IO));
    space_commit(&vm->pio);
}

static void config_written(struct pci_dev *p, unsigned off, unsigned len)
{
    struct piix4_pm *s = container_of(p, struct piix4_pm, pci);

    (void) off, (void) len;
    update_map(s);
    update_sci(s);
}

static void init_config(struct pci_dev *p)
{
    uint8_t *w = p->wmask;

    st_le16(w + PCI_COMMAND, PCI_COMMAND_IO);
    st_le16(p->w1cmask + PCI_STATUS, 0x0800);
    w[PCI_CACHE_LINE_SIZE] = w[PCI_LATENCY_TIMER] = 0;
    st_le32(w + PMBA, 0xffc0);
    memset(w + CNTA, 0xff, PMREGMISC - CNTA);
    w[PMREGMISC] = PMIOSE;
    st_le32(w + SMBBA, 0xfff0);
    w[SMBHSTCFG] = SMB_HST_EN | SMB_INTRSEL;
    memset(w + SMBSLVC, 0xff, 3);
    p->config_written = config_written;
}

static void piix4_reset(struct device *d)
{
    struct piix4_pm *s = piix4_of(d);
    uint8_t *c = s->pci.cfg;

    memset(c + 0x40, 0, 0xc0);
    st_le16(c + PCI_STATUS, PCI_STATUS_FAST_BACK | PCI_STATUS_DEVSEL_MEDIUM);
    c[PMBA] = 1;
    c[SMBBA] = 1;
    if (!s->smm)
        c[DEVACTB + 3] = APMC_EN_BYTE3;
    s->PMSTS = s->PMEN = s->PMCNTRL = s->GPSTS = s->GPEN = s->GLBSTS = s->GLBEN = 0;
    s->PCNTRL = s->DEVSTS = s->GLBCTL = s->DEVCTL = 0;
    s->GPOREG = 0x7fffbfff;
    s->APMC = s->APMS = 0;
    memset(s->smb_regs, 0, sizeof s->smb_regs);
    memset(s->smb_block, 0, sizeof s->smb_block);
    s->smb_index = 0;
    s->tmr_start = (uint64_t) clock_now(d->vm);
    s->tmr_seen = 0;
    update_map(s);
    update_timer(s);
    update_sci(s);
}

static bool piix4_realize(struct device *d, GError **err)
{
    struct piix4_pm *s = piix4_of(d);
    struct space *pio = &d->vm->pio;

    if (s->s4_val == SUS_SOFF || s->s4_val == SUS_STR)
        return fail(err, "s4_val: %u is taken by another sleep state; use 2 to 7", s->s4_val);
    init_config(&s->pci);
    timer_init(&s->overflow, d->vm, overflowed, s);
    region_init_io(&s->pm, "piix4-pm", &pm_ops, s, PM_SIZE);
    region_init_io(&s->smb, "piix4-smb", &smb_ops, s, SMB_SIZE);
    region_init_io(&s->apm, "apm", &apm_ops, s, 2);
    s->pm.enabled = s->smb.enabled = false;
    s->life.fn = phase;
    s->life.opaque = s;
    vm_add_notifier(d->vm, &s->life);
    return isa_claim_irq(d, &s->sci, PIIX4_SCI_IRQ, err) && space_add(pio, &s->pm, 0, PRIO_PCI, err) &&
           space_add(pio, &s->smb, 0, PRIO_PCI, err) && space_add(pio, &s->apm, 0xb2, 0, err);
}

static void piix4_unrealize(struct device *d)
{
    struct piix4_pm *s = piix4_of(d);

    if (!s->life.fn)
        return;
    irq_set(&s->sci, false);
    timer_stop(&s->overflow);
    vm_remove_notifier(d->vm, &s->life);
    space_remove(&s->pm);
    space_remove(&s->smb);
    space_remove(&s->apm);
}

static bool piix4_post_load(struct device *d)
{
    struct piix4_pm *s = piix4_of(d);
    uint64_t now = (uint64_t) clock_now(d->vm);

    if (s->smb_index >= BLOCK_MAX || (s->PMSTS & ~STS_ALL) || (s->PMEN & ~EN_ALL) || s->tmr_start > now ||
        (s->PMCNTRL & ~(SCI_EN | BRLD_EN_BM | SUS_TYP)) || (s->wake & ~STS_ALL) ||
            s->tmr_seen > ticks(s) >> TMR_HALF_BITS)
        return false;
    update_map(s);
    update_timer(s);
    update_sci(s);
    return true;
}

void piix4_pm_firmware_setup(struct device *d)
{
    struct pci_dev *p = &piix4_of(d)->pci;

    pci_config_write(p->pci, p->devfn, PCI_INTERRUPT_LINE, PIIX4_SCI_IRQ, 1);
    pci_config_write(p->pci, p->devfn, PMBA, PIIX4_PM_BASE | 1, 4);
    pci_config_write(p->pci, p->devfn, PMREGMISC, PMIOSE, 1);
    pci_config_write(p->pci, p->devfn, SMBBA, PIIX4_SMB_BASE | 1, 4);
    pci_config_write(p->pci, p->devfn, SMBHSTCFG, SMB_HST_EN | SMB_IRQ9, 1);
    pci_config_write(p->pci, p->devfn, PCI_COMMAND, PCI_COMMAND_IO, 2);
}

bool piix4_pm_has_s3(const struct device *d)
{
    return !container_of(d, struct piix4_pm, pci.dev)->disable_s3;
}

bool piix4_pm_has_s4(const struct device *d)
{
    return !container_of(d, struct piix4_pm, pci.dev)->disable_s4;
}

static const struct prop piix4_props[] = {
    PROP_I32(struct piix4_pm, pci.addr, PCI_DEVFN(1, 3), .name = "addr"),
    PROP_BOOL(struct piix4_pm, smm, false, .desc = "the machine has system management mode"),
    PROP_BOOL(struct piix4_pm, disable_s3, false, .desc = "ACPI offers no S3"),
    PROP_BOOL(struct piix4_pm, disable_s4, false, .desc = "ACPI offers no S4"),
    PROP_U8(struct piix4_pm, s4_val, 2, .min = 2, .max = 7, .desc = "sleep type of S4"),
    {}
};
/* The interrupt's level and the timer follow from the registers. */
static const struct state piix4_state[] = {
    STATE_HOST(struct piix4_pm, pm), STATE_HOST(struct piix4_pm, smb), STATE_HOST(struct piix4_pm, apm),
    STATE_HOST(struct piix4_pm, sci), STATE_HOST(struct piix4_pm, overflow),
    STATE_HOST(struct piix4_pm, life),
    STATE_U64(struct piix4_pm, tmr_start), STATE_U64(struct piix4_pm, tmr_seen),
    STATE_U16(struct piix4_pm, PMSTS),
    STATE_U16(struct piix4_pm, PMEN), STATE_U16(struct piix4_pm, PMCNTRL),
    STATE_U16(struct piix4_pm, GPSTS),
    STATE_U16(struct piix4_pm, GPEN), STATE_U16(struct piix4_pm, GLBSTS), STATE_U16(struct piix4_pm, GLBEN),
    STATE_U32(struct piix4_pm, PCNTRL), STATE_U32(struct piix4_pm, DEVSTS),
    STATE_U32(struct piix4_pm, GLBCTL),
    STATE_U32(struct piix4_pm, DEVCTL), STATE_U32(struct piix4_pm, GPOREG), STATE_U8(struct piix4_pm, APMC),
    STATE_U8(struct piix4_pm, APMS), STATE_U16(struct piix4_pm, wake),
    STATE_BYTES(struct piix4_pm, smb_regs),
    STATE_BYTES(struct piix4_pm, smb_block), STATE_U8(struct piix4_pm, smb_index, .max = BLOCK_MAX - 1), {}
};
static const struct pci_info piix4_info = {
    .vendor = 0x8086, .device = 0x7113, .revision = 0x03, .class_code = 0x068000, .intpin = 1,
};
const struct device_class piix4_pm_class = {
    .name = "PIIX4_PM", .desc = "Power management and SMBus", .version = 1, .size = sizeof(struct piix4_pm),
    .internal = true, .bus = &pci_bus_class, .bus_info = &piix4_info, .props = piix4_props,
    .state = piix4_state,
    .realize = piix4_realize, .unrealize = piix4_unrealize, .reset = piix4_reset,
    .post_load = piix4_post_load,
};
