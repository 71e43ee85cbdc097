/* hw/pc/pc_firmware.c - what the board tells the firmware through fw_cfg, or does in its place.
 * Sources: SeaBIOS's documentation of runtime configuration (docs/Runtime_config.md) for the files it
 * reads; QEMU's docs/specs/fw_cfg.
 *
 * Deviations: through firmware only a Linux bzImage can be started; Multiboot and ELF kernels are started directly. */
#include "hw/pc/pc_firmware.h"
#include "bios/blobs.h"
#include "hw/pc/direct.h"
#include "hw/pc/fw_cfg.h"
#include "hw/pc/i440fx.h"
#include "hw/pc/pc_priv.h"

enum { E820_MAX = 16, FIRMWARE_RESERVE = 0x80000, TABLES_SIZE = 0x40000 };

static uint64_t hole64_end(const struct pci_hole *h)
{
    return h->last64 + 1;
}

static struct direct_board direct_board(struct pc *pc)
{
    struct pci_hole hole;

    i440fx_pci_hole(pc->i440fx, &hole);
    struct direct_board b = { .vm = pc->vm, .pci = i440fx_bus(pc->i440fx), .hole_base = (uint32_t) hole.base32,
                              .hole_end = (uint32_t) hole.last32, .hole64_base = hole.base64,
                              .hole64_end = hole64_end(&hole), .tables_base = pc->tables_base,
                              .n_serial = pc->n_serial, .n_floppies = pc->n_floppies };
    memcpy(b.serial_base, pc->serial_ports, sizeof b.serial_base);
    return b;
}

/* --- kernels ----------------------------------------------------------------------------------------- */

static void add_legacy_blob(struct pc *pc, unsigned data, unsigned size, unsigned addr, const GByteArray *a, uint32_t gpa)
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
        return fail(err, "-kernel: %" PRIu64 " KiB of memory are too few to start a kernel; use a larger -m", ram->below_4g / 1024);
    struct boot_config bc = { cfg->kernel, cfg->initrd, cfg->append, ram->below_4g - FIRMWARE_RESERVE };
    if (!pc->direct)
        return load_legacy(pc, &bc, err);
    pc->tables_base = ROUND_DOWN(ram->below_4g - TABLES_SIZE, PAGE_SIZE_4K);
    bc.top = pc->tables_base;
    pc->kernel = boot_load(ram, &bc, err);
    if (pc->kernel)
        TRACER(&pc->vm->trace, "kernel: %s", boot_protocol(pc->kernel));
    return pc->kernel != NULL;
}

void pc_firmware_reset(struct pc *pc)
{
    struct boot_cpu_state cpu;
    struct e820_entry e820[E820_MAX];
    struct boot_facts facts = { .e820 = e820 };
    GError *err = NULL;

    if (!pc->direct)
        return;
    struct direct_board b = direct_board(pc);
    facts.n_e820 = direct_setup(&b, e820, E820_MAX, &facts.vga_text);
    if (!boot_place(pc->kernel, &pc->vm->ram, &facts, &cpu, &err)) {
        fprintf(stderr, "bantam: -kernel: %s\n", err->message);
        g_error_free(err);
        vm_request_stop(pc->vm, RUN_INTERNAL_ERROR);
        return;
    }
    cpu.uncached_base = b.hole_base;
    pc->chip.set_boot_regs(pc->chip.opaque, &cpu);
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

/* RFC 4122's text in network order, as it is in SMBIOS and fw_cfg. */
static void add_uuid(struct pc *pc)
{
    uint8_t u[16] = { 0 };
    unsigned n = 0;

    for (const char *p = pc->cfg->uuid; p && *p && n < 32; p++)
        if (g_ascii_isxdigit(*p)) {
            u[n / 2] = (uint8_t) (u[n / 2] << 4 | g_ascii_xdigit_value(*p));
            n++;
        }
    fw_cfg_add_bytes(pc->fw_cfg, FW_CFG_UUID, u, sizeof u);
}

bool pc_firmware_tables(struct pc *pc, GError **err)
{
    static const uint8_t states[6] = { 0x80, 0, 0, 0x81, 0x80, 0x80 }; /* S3 (1) and S4 are there */
    const struct pc_config *cfg = pc->cfg;
    struct device *fw = pc->fw_cfg;

    fw_cfg_add_int(fw, FW_CFG_RAM_SIZE, cfg->ram_size, 8);
    fw_cfg_add_int(fw, FW_CFG_NB_CPUS, cfg->cpus, 2);
    fw_cfg_add_int(fw, FW_CFG_MAX_CPUS, cfg->max_cpus, 2);
    fw_cfg_add_int(fw, FW_CFG_IRQ0_OVERRIDE, 1, 4);
    fw_cfg_add_int(fw, FW_CFG_NOGRAPHIC, !cfg->vga || !strcmp(cfg->vga, "none"), 2);
    add_uuid(pc);
    add_e820(pc);
    fw_cfg_add_file(fw, "etc/system-states", states, sizeof states);
    add_boot_options(pc);
    return add_user_items(pc, err);
}
