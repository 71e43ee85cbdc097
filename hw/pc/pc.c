/* hw/pc/pc.c - the PC board: which chips there are, and how they are wired.
 *
 * The board is that of QEMU's "pc": i440FX and PIIX3 in slots 0 and 1, IDE at 1.1, power management at
 * 1.3, VGA in slot 2; 8254, 8237, RTC, keyboard controller, floppy controller and serial ports on ISA.
 *
 * Deviations: no HPET, no USB function at 1.2, no VMware port, no parallel ports; they come when asked
 * for by an issue of their own. */
#include "hw/pc/pc.h"
#include "hw/catalog.h"
#include "hw/pc/direct.h"
#include "hw/pc/fw_cfg.h"
#include "hw/pc/i440fx.h"
#include "hw/pc/i8042.h"
#include "hw/pc/microvm.h"
#include "hw/pc/pc_firmware.h"
#include "hw/pc/pc_priv.h"
#include "hw/pc/piix4_pm.h"
#include "hw/pc/rtc.h"
#include "hw/pc/setup.h"
#include "vmm/block/block.h"
#include "vmm/char/chardev.h"
#include "vmm/core/firmware.h"

enum { CMOS_SHUTDOWN = 0x0f, SHUTDOWN_S3 = 0xfe }; /* why a reset came: the firmware resumes from S3 */
enum { BIOS_MAX = 16 << 20, LOW_MAX = 0xe0000000, LOW_SPLIT = 0xc0000000 };
static const uint16_t serial_base[PC_N_SERIAL] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

bool pc_alloc_ram(struct vm *vm, const struct pc_config *cfg, const struct ram_source *src, GError **err)
{
    uint64_t max = cfg->max_ram_below_4g ? MIN(cfg->max_ram_below_4g, LOW_MAX) : LOW_MAX;
    uint64_t low = cfg->ram_size;

    if (low > max) /* then a round figure, which leaves MTRRs simple */
        low = cfg->max_ram_below_4g ? max : LOW_SPLIT;
    if (!ram_block_alloc(&vm->ram.block, "pc.ram", cfg->ram_size, src, err))
        return false;
    vm->ram.below_4g = low;
    vm->ram.above_4g = cfg->ram_size - low;
    return true;
}

/* --- wiring ---------------------------------------------------------------------------------------- */

static void wire_isa(struct pc *pc)
{
    for (int n = 0; n < 16; n++) {
        struct irq *out = &pc->vm->isa.line[n].out;
        irq_connect(out, pc->chip.set_gsi, pc->chip.opaque, n);
        out->raise_status = pc->chip.raise_status;
    }
}

static struct device *add(struct pc *pc, const struct device_class *cls, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);

/* Create a chip; props by format, or NULL. */
static struct device *add(struct pc *pc, const struct device_class *cls, GError **err, const char *fmt, ...)
{
    char *props = NULL;

    if (fmt) {
        va_list ap;
        va_start(ap, fmt);
        props = g_strdup_vprintf(fmt, ap);
        va_end(ap);
    }
    struct device *d = device_create(pc->vm, cls, NULL, props, err);
    g_free(props);
    return d;
}

static bool add_chipset(struct pc *pc, GError **err)
{
    return (pc->i440fx = add(pc, &i440fx_class, err, NULL)) &&
           (pc->piix3 = add(pc, &piix3_class, err, NULL)) &&
           add(pc, &piix3_ide_class, err, "addr=01.1") &&
           (pc->pm = add(pc, &piix4_pm_class, err, "smm=%s", pc->cfg->smm ? "on" : "off")) &&
           (pc->fw_cfg = add(pc, &fw_cfg_class, err, NULL));
}

static bool add_isa(struct pc *pc, GError **err)
{
    static const char *const bases[] = { "utc", "localtime", "datetime" }, *const clocks[] = { "host", "rt", "vm" };
    const struct pc_config *cfg = pc->cfg;

    pc->rtc = add(pc, &mc146818rtc_class, err, "base=%s,datetime=%" PRId64 ",clock=%s,lost_tick_policy=%s",
                  bases[cfg->rtc_base], MAX(cfg->rtc_datetime, 0), clocks[cfg->rtc_clock],
                  cfg->rtc_slew ? "slew" : "discard");
    return pc->rtc &&
           add(pc, &i8254_class, err, "lost_tick_policy=%s", cfg->pit_lost_tick_delay ? "delay" : "discard") &&
           add(pc, &i8237_class, err, NULL) &&
           (pc->i8042 = add(pc, &i8042_class, err, NULL)) &&
           (pc->port92 = add(pc, &port92_class, err, NULL)) &&
           (pc->fdc = add(pc, &isa_fdc_class, err, NULL));
}

/* ",drive=ID", or nothing; caller frees. */
static char *backend(const char *prop, const char *id)
{
    return id ? g_strdup_printf(",%s=%s", prop, id) : g_strdup("");
}

static bool add_serial(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;

    for (unsigned i = 0; i < PC_N_SERIAL; i++) {
        if (!cfg->has_serial[i])
            continue;
        char *chardev = backend("chardev", cfg->serial[i] ? cfg->serial[i]->id : NULL);
        bool ok = add(pc, &isa_serial_class, err, "index=%u%s", i, chardev);
        g_free(chardev);
        if (!ok)
            return false;
        pc->serial_ports[pc->n_serial++] = serial_base[i];
    }
    return !cfg->debugcon || add(pc, &isa_debugcon_class, err, "iobase=0xe9,chardev=%s", cfg->debugcon->id);
}

static bool add_drives(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;

    for (unsigned i = 0; i < PC_N_FLOPPY; i++) {
        char *drive = backend("drive", cfg->floppy[i] ? cfg->floppy[i]->id : NULL);
        bool ok = !cfg->has_floppy[i] || add(pc, &floppy_class, err, "unit=%u%s", i, drive);
        g_free(drive);
        if (!ok)
            return false;
        pc->n_floppies += cfg->has_floppy[i];
    }
    for (unsigned i = 0; i < PC_N_IDE; i++) {
        char *drive = backend("drive", cfg->ide[i] ? cfg->ide[i]->id : NULL);
        bool ok = !cfg->has_ide[i] ||
                  add(pc, cfg->ide_cdrom[i] ? &ide_cd_class : &ide_hd_class, err, "bus=ide.%u,unit=%u%s",
                      i / 2, i % 2, drive);
        g_free(drive);
        if (!ok)
            return false;
    }
    return true;
}

static bool load_bios(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;
    size_t len;

    if (pc->direct)
        return true;
    uint8_t *data = firmware_read(pc->vm, "-bios", cfg->bios ? cfg->bios : "bios-256k.bin", BIOS_MAX, &len, err);
    bool ok = data && i440fx_set_bios(pc->i440fx, data, len, err);
    g_free(data);
    return ok;
}

/* --- life ------------------------------------------------------------------------------------------ */

static void rtc_irq(void *opaque)
{
    piix4_pm_rtc(((struct pc *) opaque)->pm);
}

static void on_phase(void *opaque, enum vm_phase phase)
{
    struct pc *pc = opaque;

    if (pc->microvm) {
        if (phase == PHASE_RESET)
            microvm_reset(pc);
        return;
    }
    /* SeaBIOS looks for its resume code in the RAM behind the ROM, and leaves IDE as it finds it; so the
     * board keeps both through S3. */
    if (phase == PHASE_WAKEUP) {
        rtc_set_cmos(pc->rtc, CMOS_SHUTDOWN, SHUTDOWN_S3);
        i440fx_shadow_ram(pc->i440fx);
        pc_enable_ide(i440fx_bus(pc->i440fx));
    }
    if (phase != PHASE_RESET)
        return;
    pc_cmos_boot_order(pc, pc->resets++ == 0);
    rtc_set_cmos(pc->rtc, CMOS_SHUTDOWN, 0);
    pc_firmware_reset(pc);
}

struct pc *pc_create(struct vm *vm, const struct pc_config *cfg, const struct pc_irqchip *chip, GError **err)
{
    struct pc *pc = g_new0(struct pc, 1);

    pc->vm = vm;
    pc->cfg = cfg;
    pc->chip = *chip;
    pc->direct = (cfg->kernel || cfg->demo) && !cfg->bios;
    pc->notifier = (struct vm_notifier){ .fn = on_phase, .opaque = pc };
    vm_add_notifier(vm, &pc->notifier);
    wire_isa(pc);
    if (cfg->is_microvm) {
        if (microvm_create(pc, err))
            return pc;
        pc_free(pc);
        return NULL;
    }
    if (!add_chipset(pc, err) || !add_isa(pc, err) || !load_bios(pc, err) ||
        (cfg->vga && !strcmp(cfg->vga, "std") && !add(pc, &vga_class, err, "addr=02.0")) || !add_serial(pc, err) ||
        !add_drives(pc, err) || !pc_firmware_load_kernel(pc, err)) {
        pc_free(pc);
        return NULL;
    }
    rtc_on_irq(pc->rtc, rtc_irq, pc);
    port92_link(pc->port92, pc->i8042); /* one A20 gate, seen in two registers */
    return pc;
}

bool pc_finish(struct pc *pc, GError **err)
{
    if (pc->microvm)
        return microvm_finish(pc, err);
    pc_cmos_init(pc);
    return pc_firmware_tables(pc, err);
}

void pc_free(struct pc *pc)
{
    if (!pc)
        return;
    vm_remove_notifier(pc->vm, &pc->notifier);
    microvm_free(pc->microvm);
    boot_free(pc->kernel);
    g_free(pc);
}
