/* hw/pc/pc_firmware.c - what the board tells the firmware through fw_cfg, or does in its place.
 * Sources: SeaBIOS's documentation of runtime configuration (docs/Runtime_config.md) for the files it
 * reads; QEMU's docs/specs/fw_cfg.
 *
 * Deviations: through firmware only a Linux bzImage can be started; Multiboot and ELF kernels are started directly. */
#include "hw/pc/pc_firmware.h"
#include "bios/blobs.h"
#include "hw/pc/acpi.h"
#include "hw/pc/direct.h"
#include "hw/pc/fdc.h"
#include "hw/pc/fw_cfg.h"
#include "hw/pc/i440fx.h"
#include "hw/pc/pc_priv.h"
#include "hw/pc/piix4_pm.h"
#include "hw/pc/setup.h"
#include "hw/pc/smbios.h"
#include "hw/pc/table_loader.h"
#include "hw/catalog.h"

#include <stdlib.h>

enum { E820_MAX = 16, FIRMWARE_RESERVE = 0x80000, TABLES_SIZE = 0x40000 };

/* --- kernels ----------------------------------------------------------------------------------------- */

static void add_legacy_blob(struct pc *pc, unsigned data, unsigned size, unsigned addr, const GByteArray *a,
                            uint32_t gpa)
{
    fw_cfg_add_bytes(pc->fw_cfg, data, a ? a->data : NULL, a ? a->len : 0);
    fw_cfg_add_int(pc->fw_cfg, size, a ? a->len : 0, 4);
    fw_cfg_add_int(pc->fw_cfg, addr, gpa, 4);
}

static bool load_legacy(struct pc *pc, const struct boot_config *bc, GError **err)
{
    struct boot_legacy l;

    if (!boot_legacy_load(&pc->vm->ram, bc, &l, err))
        return false;
    add_legacy_blob(pc, FW_CFG_SETUP_DATA, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_ADDR, l.setup, l.setup_addr);
    add_legacy_blob(pc, FW_CFG_KERNEL_DATA, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_ADDR, l.kernel, l.kernel_addr);
    add_legacy_blob(pc, FW_CFG_INITRD_DATA, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_ADDR, l.initrd, l.initrd_addr);
    size_t len = strlen(l.cmdline) + 1;
    fw_cfg_add_bytes(pc->fw_cfg, FW_CFG_CMDLINE_DATA, l.cmdline, len);
    fw_cfg_add_int(pc->fw_cfg, FW_CFG_CMDLINE_SIZE, len, 4);
    fw_cfg_add_int(pc->fw_cfg, FW_CFG_CMDLINE_ADDR, l.cmdline_addr, 4);
    boot_legacy_free(&l);

    /* the option ROM, with its checksums made right: the PnP header's own, then the image's */
    uint8_t *rom = g_memdup2(linuxboot_bin, sizeof linuxboot_bin), sum = 0;
    unsigned pnp = ld_le16(rom + 0x1a);
    for (unsigned i = 0; i < 32; i++)
        sum += rom[pnp + i];
    rom[pnp + 9] = (uint8_t) (rom[pnp + 9] - sum);
    sum = 0;
    for (size_t i = 0; i < sizeof linuxboot_bin; i++)
        sum += rom[i];
    rom[sizeof linuxboot_bin - 1] = (uint8_t) -sum;
    fw_cfg_add_file(pc->fw_cfg, "genroms/linuxboot.bin", rom, sizeof linuxboot_bin);
    g_free(rom);
    return true;
}

bool pc_firmware_load_kernel(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;
    struct ram *ram = &pc->vm->ram;

    pc->tables_base = ram->below_4g;
    if (!cfg->kernel && !cfg->demo)
        return true;
    if (ram->below_4g < 4 * MiB)
        return fail(err, "-kernel: %" PRIu64 " KiB of memory are too few to start a kernel; use a larger -m",
                    ram->below_4g / 1024);
    struct boot_config bc = { cfg->kernel, cfg->initrd, cfg->append, ram->below_4g - FIRMWARE_RESERVE };
    if (!pc->direct)
        return load_legacy(pc, &bc, err);
    pc->tables_base = ROUND_DOWN(ram->below_4g - TABLES_SIZE, PAGE_SIZE_4K);
    bc.top = pc->tables_base;
    pc->kernel = cfg->demo ? boot_load_data(ram, "demo", demo_elf, sizeof demo_elf, &bc, err)
        : boot_load(ram, &bc, err);
    if (pc->kernel)
        TRACER(&pc->vm->trace, "kernel: %s", boot_protocol(pc->kernel));
    return pc->kernel != NULL;
}

static const uint8_t *find_table(void *opaque, const char *name, size_t *len)
{
    return fw_cfg_find(opaque, name, len);
}

/* All of a direct boot: the chip set, tables in memory, the kernel, and how the CPU enters it. */
static bool start_kernel(struct pc *pc, GError **err)
{
    struct ram *ram = &pc->vm->ram;
    struct direct_board b = { pc->vm, pc->tables_base, pc->serial_ports, pc->n_serial, pc->n_floppies };
    struct table_space tables = { .ram = ram, .high = ram->below_4g, .fseg = 0xf0000 };
    struct e820_entry e820[E820_MAX];
    struct boot_facts facts = { .e820 = e820 };
    struct boot_cpu_state cpu;
    struct pci_hole hole;

    pc_setup_chipset(pc->i440fx, pc->piix3, pc->pm);
    facts.vga_text = direct_setup(&b);
    if (!table_loader_run(&tables, find_table, pc->fw_cfg, err))
        return false;
    if (tables.high < pc->tables_base)
        return fail(err, "the ACPI tables need %" PRIu64 " KiB, more than %d",
                    (uint64_t) ((ram->below_4g - tables.high) / KiB),
                    TABLES_SIZE / 1024);
    facts.rsdp = tables.rsdp;
    facts.n_e820 = direct_e820(&b, e820, E820_MAX);
    if (!boot_place(pc->kernel, ram, &facts, &cpu, err))
        return false;
    i440fx_pci_hole(pc->i440fx, &hole);
    cpu.uncached_base = hole.base32;
    pc->chip.set_boot_regs(pc->chip.opaque, &cpu);
    return true;
}

void pc_firmware_reset(struct pc *pc)
{
    GError *err = NULL;

    if (!pc->direct || start_kernel(pc, &err))
        return;
    fprintf(stderr, "bantam: -kernel: %s\n", err->message);
    g_error_free(err);
    vm_request_shutdown(pc->vm, CAUSE_INTERNAL_ERROR);
}

/* --- fw_cfg -------------------------------------------------------------------------------------------- */

static void add_e820(struct pc *pc)
{
    const struct ram *ram = &pc->vm->ram;
    const struct e820_entry e[] = {
        { 0, ram->below_4g, E820_RAM },
        { CPU_HOST_PAGES, CPU_HOST_PAGES_SIZE, E820_RESERVED },
        { 4 * GiB, ram->above_4g, E820_RAM },
    };
    uint8_t buf[20 * G_N_ELEMENTS(e)], *p = buf;

    for (unsigned i = 0; i < G_N_ELEMENTS(e); i++) {
        if (!e[i].size)
            continue;
        st_le64(p, e[i].addr);
        st_le64(p + 8, e[i].size);
        st_le32(p + 16, e[i].type);
        p += 20;
    }
    fw_cfg_add_file(pc->fw_cfg, "etc/e820", buf, (size_t) (p - buf));
}

static void add_boot_order(struct pc *pc)
{
    const GPtrArray *order = pc->vm->boot_order;
    GString *s = g_string_new(NULL);

    if (pc->cfg->kernel && !pc->direct)
        g_string_append(s, "/rom@genroms/linuxboot.bin\n");
    for (unsigned i = 0; i < order->len; i++)
        g_string_append_printf(s, "%s\n", ((const struct boot_entry *) order->pdata[i])->path);
    if (pc->cfg->boot_strict)
        g_string_append(s, "HALT\n");
    if (s->len) {
        s->str[s->len - 1] = 0; /* the last line ends with a NUL */
        fw_cfg_add_file(pc->fw_cfg, "bootorder", s->str, s->len);
    }
    g_string_free(s, TRUE);
}

static void add_file_int(struct pc *pc, const char *name, uint64_t v, unsigned size)
{
    uint8_t b[8];

    st_le64(b, v);
    fw_cfg_add_file(pc->fw_cfg, name, b, size);
}

static void add_boot_options(struct pc *pc)
{
    const struct pc_config *cfg = pc->cfg;

    fw_cfg_add_int(pc->fw_cfg, FW_CFG_BOOT_MENU, cfg->boot_menu, 2);
    fw_cfg_add_int(pc->fw_cfg, FW_CFG_BOOT_DEVICE, cfg->boot_order ? (uint8_t) cfg->boot_order[0] : 'c', 2);
    if (cfg->splash_time >= 0)
        add_file_int(pc, "etc/boot-menu-wait", (uint64_t) cfg->splash_time, 2);
    if (cfg->reboot_timeout >= 0)
        add_file_int(pc, "etc/boot-fail-wait", (uint64_t) cfg->reboot_timeout, 4);
    add_boot_order(pc);
}

static bool add_user_items(struct pc *pc, GError **err)
{
    const GArray *items = pc->cfg->fw_cfg;

    for (unsigned i = 0; items && i < items->len; i++) {
        const struct pc_fw_cfg_item *it = &g_array_index(items, struct pc_fw_cfg_item, i);
        if (!fw_cfg_add_file(pc->fw_cfg, it->name, it->data, it->len))
            return fail(err, "-fw_cfg: no room for '%s': at most %d files, names of at most 55 characters", it->name,
                        FW_CFG_N_FILES);
    }
    return true;
}

static void add_uuid(struct pc *pc)
{
    uint8_t u[16] = { 0 };

    if (pc->cfg->uuid)
        smbios_parse_uuid(pc->cfg->uuid, u); /* the command line has checked it */
    fw_cfg_add_bytes(pc->fw_cfg, FW_CFG_UUID, u, sizeof u);
}

/* The next device of a class behind `at` (-1: the first); its place in vm->devices, or -1. */
static int next_device(const struct pc *pc, const struct device_class *cls, int at)
{
    const GPtrArray *all = pc->vm->devices;

    for (unsigned i = (unsigned) (at + 1); i < all->len; i++)
        if (((const struct device *) all->pdata[i])->cls == cls)
            return (int) i;
    return -1;
}

static bool has_device(const struct pc *pc, const struct device_class *cls)
{
    return next_device(pc, cls, -1) >= 0;
}

static uint64_t number_of(const struct device *d, const char *prop)
{
    char *text = device_get(d, prop);
    uint64_t v = text ? strtoull(text, NULL, 10) : 0;

    g_free(text);
    return v;
}

/* Is there a serial port with this index, from -serial or -device isa-serial? */
static bool has_port(const struct pc *pc, unsigned index)
{
    for (int i = -1; (i = next_device(pc, &isa_serial_class, i)) >= 0;)
        if (number_of(pc->vm->devices->pdata[i], "index") == index)
            return true;
    return false;
}

static uint8_t s4_type(const struct pc *pc)
{
    return (uint8_t) number_of(pc->pm, "s4_val");
}

/* Sleep states S0 to S5 for SeaBIOS: 80h is there, the low bits are the type to write. */
static void add_sleep_states(struct pc *pc)
{
    uint8_t states[6] = { 0x80, 0, 0, 1, s4_type(pc), 0x80 };

    states[3] |= piix4_pm_has_s3(pc->pm) ? 0x80 : 0;
    states[4] |= piix4_pm_has_s4(pc->pm) ? 0x80 : 0;
    fw_cfg_add_file(pc->fw_cfg, "etc/system-states", states, sizeof states);
}

/* Where the guest reports a panic: Linux finds it through ACPI, others here. */
static void add_pvpanic(struct pc *pc)
{
    for (int i = -1; (i = next_device(pc, &pvpanic_class, i)) >= 0;)
        add_file_int(pc, "etc/pvpanic-port", number_of(pc->vm->devices->pdata[i], "ioport"), 2);
}

static void add_array(struct pc *pc, const char *name, GByteArray *a)
{
    fw_cfg_add_file(pc->fw_cfg, name, a->data, a->len);
    g_byte_array_unref(a);
}

static void add_acpi(struct pc *pc)
{
    const struct pc_config *cfg = pc->cfg;
    const struct cpu_topology topo = { cfg->cpus, cfg->max_cpus, cfg->sockets, cfg->dies, cfg->cores, cfg->threads };
    uint32_t ids[PC_MAX_CPUS];
    struct acpi_info info = {
        .cpus = cfg->cpus, .apic_ids = ids, .irq0_override = true,
        .s3 = piix4_pm_has_s3(pc->pm) && !pc->direct, /* waking needs firmware */
        .s4 = piix4_pm_has_s4(pc->pm), .s4_val = s4_type(pc), .fdc = true, .kbc = true, .mouse = true, .fw_cfg = true,
        .pvpanic = has_device(pc, &pvpanic_class), .vga = has_device(pc, &vga_class),
        .floppy = { (enum acpi_floppy) fdc_drive_type(pc->fdc, 0), (enum acpi_floppy) fdc_drive_type(pc->fdc, 1) },
    };
    for (unsigned i = 0; i < cfg->cpus; i++)
        ids[i] = cpu_apic_id(&topo, i);
    for (unsigned i = 0; i < PC_N_SERIAL; i++)
        info.serial[i] = has_port(pc, i);
    i440fx_pci_hole(pc->i440fx, &info.hole);
    GByteArray *tables = g_byte_array_new(), *rsdp = g_byte_array_new(), *loader = g_byte_array_new();
    acpi_build(&info, tables, rsdp, loader);
    add_array(pc, ACPI_TABLES_FILE, tables);
    add_array(pc, ACPI_RSDP_FILE, rsdp);
    add_array(pc, ACPI_LOADER_FILE, loader);
}

static bool add_smbios(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;
    const struct smbios_info info = {
        .sockets = cfg->sockets, .cores = cfg->cores * cfg->dies, .threads = cfg->threads,
        .below_4g = pc->vm->ram.below_4g,
        .above_4g = pc->vm->ram.above_4g, .uuid = cfg->uuid, .product = "Standard PC (i440FX + PIIX, 1996)",
        .version = "pc",
        .type0 = pc->direct, .opt = &cfg->smbios,
    };
    GByteArray *tables = g_byte_array_new(), *anchor = g_byte_array_new();
    bool ok = smbios_build(&info, tables, anchor, err);

    add_array(pc, SMBIOS_TABLES_FILE, tables);
    add_array(pc, SMBIOS_ANCHOR_FILE, anchor);
    return ok;
}

bool pc_firmware_tables(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;
    struct device *fw = pc->fw_cfg;

    fw_cfg_add_int(fw, FW_CFG_RAM_SIZE, cfg->ram_size, 8);
    fw_cfg_add_int(fw, FW_CFG_NB_CPUS, cfg->cpus, 2);
    fw_cfg_add_int(fw, FW_CFG_MAX_CPUS, cfg->max_cpus, 2);
    fw_cfg_add_int(fw, FW_CFG_IRQ0_OVERRIDE, 1, 4);
    fw_cfg_add_int(fw, FW_CFG_NOGRAPHIC, !cfg->vga || !strcmp(cfg->vga, "none"), 2);
    add_uuid(pc);
    add_e820(pc);
    add_sleep_states(pc);
    add_pvpanic(pc);
    add_boot_options(pc);
    if (cfg->acpi)
        add_acpi(pc);
    return add_smbios(pc, err) && add_user_items(pc, err);
}
