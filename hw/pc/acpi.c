/* hw/pc/acpi.c - ACPI tables of the board: DSDT (bios/dsdt.asl), SSDT (bios/ssdt.asl and more), FADT, FACS, MADT, WAET,
 * RSDT, XSDT, RSDP.
 *
 * Source: ACPI Specification 6.3, chapter 5; Windows ACPI Emulated Devices Table 1.0. The FADT is
 * of revision 3: the first with a reset register, and understood by everything since 2000; both
 * RSDT and XSDT are there, for what is older.  No HPET (there is none) and no MCFG (no PCI
 * Express). */
#include "hw/pc/acpi.h"
#include "bios/blobs.h"
#include "hw/pc/acpi_int.h"
#include "hw/pc/aml.h"
#include "hw/pc/piix4_pm.h"
#include "hw/pc/table_loader.h"

enum { LENGTH_AT = 4 };
enum { LAPIC_BASE = 0xfee00000, IOAPIC_BASE = 0xfec00000 };

void acpi_put(GByteArray *out, uint64_t v, unsigned size)
{
    uint8_t b[8];

    st_le64(b, v);
    g_byte_array_append(out, b, size);
}

void acpi_align(GByteArray *out, unsigned n)
{
    while (out->len % n)
        acpi_put(out, 0, 1);
}

/* Tables start at multiples of 16. */
uint32_t acpi_begin_table(GByteArray *t, const char *sig, unsigned revision)
{
    acpi_align(t, 16);
    uint32_t at = t->len;
    g_byte_array_append(t, (const uint8_t *) sig, 4);
    acpi_put(t, 0, 4); /* length */
    acpi_put(t, revision, 1);
    acpi_put(t, 0, 1); /* checksum */
    g_byte_array_append(t, (const uint8_t *) "BANTAM" "BANTAMPC", 14);
    acpi_put(t, 1, 4);
    g_byte_array_append(t, (const uint8_t *) "BNTM", 4);
    acpi_put(t, 1, 4);
    return at;
}

void acpi_end_table(GByteArray *t, uint32_t at, GByteArray *loader)
{
    st_le32(t->data + at + LENGTH_AT, t->len - at);
    loader_add_checksum(loader, ACPI_TABLES_FILE, at + ACPI_CHECKSUM_AT, at, t->len - at);
}

/* A pointer in the tables to something else there: the offset now, the address once it is known. */
void acpi_put_pointer(GByteArray *t, GByteArray *loader, uint32_t to, unsigned size)
{
    loader_add_pointer(loader, ACPI_TABLES_FILE, ACPI_TABLES_FILE, t->len, size);
    acpi_put(t, to, size);
}

/* --- SSDT ------------------------------------------------------------------------------------------ */

static void named_int(GByteArray *out, const char *name, uint64_t v)
{
    aml_name(out, name);
    aml_int(out, v);
}

static void sleep_state(GByteArray *out, const char *name, unsigned type)
{
    GByteArray *p = g_byte_array_new();

    aml_int(p, type);
    aml_int(p, type);
    aml_int(p, 0);
    aml_int(p, 0);
    aml_name(out, name);
    aml_package(out, 4, p);
}

/* What the host bridge hands on to PCI. */
static void pci_windows(GByteArray *out, const struct pci_hole *h)
{
    GByteArray *r = g_byte_array_new();

    aml_res_word(r, AML_RANGE_BUS, 0, 0xff);
    aml_res_io(r, 0xcf8, 0xcf8, 1, 8);
    aml_res_word(r, AML_RANGE_IO, 0x0000, 0x0cf7);
    aml_res_word(r, AML_RANGE_IO, 0x0d00, 0xffff);
    aml_res_dword_mem(r, true, 0xa0000, 0xbffff);
    if (h->base32 < h->last32)
        aml_res_dword_mem(r, false, (uint32_t) h->base32, (uint32_t) h->last32);
    if (h->base64 < h->last64)
        aml_res_qword_mem(r, true, h->base64, h->last64);
    aml_res_end(r);
    aml_name(out, "_CRS");
    aml_buffer(out, r);
}

/* Slots are wired so that the pins rotate: the link is (slot + pin - 1) mod 4.  Only INTA# of slot
 * 1, power management, is wired to the SCI. */
static void pci_routing(GByteArray *out)
{
    static const char *const links[] = { "LNKA", "LNKB", "LNKC", "LNKD" };
    GByteArray *prt = g_byte_array_new();

    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned pin = 0; pin < 4; pin++) {
            GByteArray *p = g_byte_array_new();
            aml_int(p, slot << 16 | 0xffff);
            aml_int(p, pin);
            aml_path(p, slot == 1 && pin == 0 ? "LNKS" : links[(slot + pin + 3) & 3]);
            aml_int(p, 0);
            aml_package(prt, 4, p);
        }
    aml_name(out, "_PRT");
    aml_package(out, 128, prt);
}

/* _FDE says which drives are there, _FDI what INT 13h function 8 would of each. */
static void floppy_drives(GByteArray *out, const struct acpi_info *info)
{
    static const struct {
        uint8_t type, cylinders, sectors, spec[2], size_code, eot, gap, data_len, format_gap, fill,
            settle, start;
    } types[] = {
        [ACPI_FLOPPY_360K]  = { 1, 39, 9,  { 0xaf, 0x02 }, 2, 9,  0x2a, 0xff, 0x50, 0xf6, 15, 8 },
        [ACPI_FLOPPY_1200K] = { 2, 79, 15, { 0xaf, 0x02 }, 2, 15, 0x1b, 0xff, 0x54, 0xf6, 15, 8 },
        [ACPI_FLOPPY_720K]  = { 3, 79, 9,  { 0xaf, 0x02 }, 2, 9,  0x2a, 0xff, 0x50, 0xf6, 15, 8 },
        [ACPI_FLOPPY_1440K] = { 4, 79, 18, { 0xaf, 0x02 }, 2, 18, 0x1b, 0xff, 0x6c, 0xf6, 15, 8 },
        [ACPI_FLOPPY_2880K] = { 5, 79, 36, { 0xaf, 0x02 }, 2, 36, 0x1b, 0xff, 0x53, 0xf6, 15, 8 },
    };
    GByteArray *fde = g_byte_array_new();

    for (unsigned i = 0; i < 4; i++)
        acpi_put(fde, i < 2 && info->floppy[i] != ACPI_FLOPPY_NONE, 4);
    acpi_put(fde, 2, 4); /* a tape: never */
    aml_name(out, "_FDE");
    aml_buffer(out, fde);
    for (unsigned i = 0; i < 2; i++) {
        unsigned t = info->floppy[i];
        if (t == ACPI_FLOPPY_NONE || t >= G_N_ELEMENTS(types))
            continue;
        GByteArray *dev = g_byte_array_new(), *fdi = g_byte_array_new();
        const uint8_t fields[] = {
            types[t].type, types[t].cylinders, types[t].sectors, 1, types[t].spec[0], types[t].spec[1],
            0x25,
            types[t].size_code, types[t].eot, types[t].gap, types[t].data_len, types[t].format_gap,
            types[t].fill,
            types[t].settle, types[t].start,
        };
        named_int(dev, "_ADR", i);
        aml_int(fdi, i);
        for (unsigned f = 0; f < G_N_ELEMENTS(fields); f++)
            aml_int(fdi, fields[f]);
        aml_name(dev, "_FDI");
        aml_package(dev, 1 + G_N_ELEMENTS(fields), fdi);
        aml_device(out, i ? "FLPB" : "FLPA", dev);
    }
}

static void processors(GByteArray *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[8];
        g_snprintf(name, sizeof name, "CP%02X", i);
        aml_processor(out, name, i);
    }
}

/* Name (name, <a byte>): give it its value. */
void acpi_patch(uint8_t *aml, size_t len, const char *name, uint8_t v)
{
    unsigned found = 0;

    for (size_t i = 0; i + 7 <= len; i++)
        if (aml[i] == 0x08 && !memcmp(aml + i + 1, name, 4) && aml[i + 5] == 0x0a) {
            aml[i + 6] = v;
            found++;
        }
    g_assert(found == 1); /* the sources have each once */
}

/* What iasl makes of External: If (0) { ... } at the start. */
static size_t skip_externals(const uint8_t *aml)
{
    enum { IF_OP = 0xa0, EXTERNAL_OP = 0x15, ZERO_OP = 0 };

    g_assert(aml[ACPI_HEADER] == IF_OP && aml[ACPI_HEADER + 1] < 0x40 && aml[ACPI_HEADER + 2] == ZERO_OP &&
             aml[ACPI_HEADER + 3] == EXTERNAL_OP);
    return ACPI_HEADER + 1 + aml[ACPI_HEADER + 1];
}

static void fixed_part(const struct acpi_info *info, GByteArray *t)
{
    size_t skip = skip_externals(ssdt_aml), len = sizeof ssdt_aml - skip;
    uint32_t at = t->len;
    uint8_t serial = 0;

    g_byte_array_append(t, ssdt_aml + skip, len);
    for (unsigned i = 0; i < 4; i++)
        serial |= (uint8_t) (info->serial[i] << i);
    acpi_patch(t->data + at, len, "COMP", serial);
    acpi_patch(t->data + at, len, "PVPP", info->pvpanic);
    acpi_patch(t->data + at, len, "FWCP", info->fw_cfg);
}

static void build_ssdt(const struct acpi_info *info, GByteArray *t, GByteArray *loader)
{
    uint32_t at = acpi_begin_table(t, "SSDT", 1);

    fixed_part(info, t);
    if (info->s3)
        sleep_state(t, "\\_S3", 1);
    if (info->s4)
        sleep_state(t, "\\_S4", info->s4_val);
    GByteArray *sb = g_byte_array_new(), *pci = g_byte_array_new(), *fdc = g_byte_array_new();
    processors(sb, info->cpus);
    aml_scope(t, "\\_SB", sb);
    pci_windows(pci, &info->hole);
    pci_routing(pci);
    aml_scope(t, "\\_SB.PCI0", pci);
    if (info->fdc)
        floppy_drives(fdc, info);
    aml_scope(t, "\\_SB.PCI0.ISA.FDC0", fdc);
    acpi_end_table(t, at, loader);
}

static uint32_t add_dsdt(const struct acpi_info *info, GByteArray *t, GByteArray *loader)
{
    acpi_align(t, 16);
    uint32_t at = t->len;
    g_byte_array_append(t, dsdt_aml, sizeof dsdt_aml);
    uint8_t *aml = t->data + at;
    acpi_patch(aml, sizeof dsdt_aml, "FDCP", info->fdc);
    acpi_patch(aml, sizeof dsdt_aml, "KBCP", info->kbc);
    acpi_patch(aml, sizeof dsdt_aml, "MOUP", info->mouse);
    aml[ACPI_CHECKSUM_AT] = 0;
    acpi_end_table(t, at, loader);
    return at;
}

/* --- the fixed tables -------------------------------------------------------------------------------- */

static uint32_t build_facs(GByteArray *t)
{
    acpi_align(t, 64);
    uint32_t at = t->len;
    g_byte_array_append(t, (const uint8_t *) "FACS", 4);
    acpi_put(t, 64, 4);
    for (unsigned i = 8; i < 64; i++)
        acpi_put(t, i == 32, 1); /* version 1; nothing else is set */
    return at;
}

static void put_gas_io(GByteArray *t, unsigned bits, unsigned access, uint64_t addr) /* a generic address */
{
    acpi_put(t, addr ? 1 : 0, 1);
    acpi_put(t, addr ? bits : 0, 1);
    acpi_put(t, 0, 1);
    acpi_put(t, addr ? access : 0, 1);
    acpi_put(t, addr, 8);
}

enum { /* FADT flags, 5.2.9 */
    F_WBINVD = 1 << 0, F_PROC_C1 = 1 << 2, F_SLP_BUTTON = 1 << 5, F_FIX_RTC = 1 << 6, F_RESET_REG = 1 << 10,
    F_PLATFORM_CLOCK = 1 << 15,
};
enum { BOOT_LEGACY = 1, BOOT_8042 = 2, BOOT_NO_VGA = 4 };
enum { CMOS_CENTURY = 0x32, SMI_CMD = 0xb2, CMD_ACPI_ENABLE = 0xf1, CMD_ACPI_DISABLE = 0xf0,
       RESET_PORT = 0xcf9, RESET_HARD = 6 };
enum { PM1_EVT = PIIX4_PM_BASE, PM1_CNT = PIIX4_PM_BASE + 4, PM_TMR = PIIX4_PM_BASE + 8,
       GPE0 = PIIX4_PM_BASE + 0x0c };

static uint32_t build_fadt(const struct acpi_info *info, uint32_t facs, uint32_t dsdt, GByteArray *t,
                           GByteArray *loader)
{
    uint32_t at = acpi_begin_table(t, "FACP", 3);

    acpi_put_pointer(t, loader, facs, 4);
    acpi_put_pointer(t, loader, dsdt, 4);
    acpi_put(t, 0, 1); /* INT_MODEL */
    acpi_put(t, 0, 1); /* preferred profile: unspecified */
    acpi_put(t, PIIX4_SCI_IRQ, 2);
    acpi_put(t, SMI_CMD, 4);
    acpi_put(t, CMD_ACPI_ENABLE, 1);
    acpi_put(t, CMD_ACPI_DISABLE, 1);
    acpi_put(t, 0, 2); /* S4BIOS_REQ, PSTATE_CNT */
    acpi_put(t, PM1_EVT, 4);
    acpi_put(t, 0, 4);
    acpi_put(t, PM1_CNT, 4);
    acpi_put(t, 0, 8); /* PM1b_CNT, PM2_CNT */
    acpi_put(t, PM_TMR, 4);
    acpi_put(t, GPE0, 4);
    acpi_put(t, 0, 4);
    acpi_put(t, 4 | 2 << 8, 2); /* lengths: PM1_EVT, PM1_CNT */
    acpi_put(t, 0 | 4 << 8, 2); /* PM2_CNT, PM_TMR */
    acpi_put(t, 4, 2);          /* GPE0, GPE1 */
    acpi_put(t, 0, 2);          /* GPE1_BASE, CST_CNT */
    acpi_put(t, 0xfff, 2);      /* C2 and C3: not supported */
    acpi_put(t, 0xfff, 2);
    acpi_put(t, 0, 4); /* flushing by WBINVD */
    acpi_put(t, 0, 4); /* no duty cycle, no day or month alarm */
    acpi_put(t, CMOS_CENTURY, 1);
    acpi_put(t, BOOT_LEGACY | (info->kbc ? BOOT_8042 : 0) | (info->vga ? 0 : BOOT_NO_VGA), 2);
    acpi_put(t, 0, 1);
    acpi_put(t, F_WBINVD | F_PROC_C1 | F_SLP_BUTTON | F_FIX_RTC | F_RESET_REG | F_PLATFORM_CLOCK, 4);
    put_gas_io(t, 8, 1, RESET_PORT);
    acpi_put(t, RESET_HARD, 1);
    acpi_put(t, 0, 3);
    acpi_put(t, 0, 8); /* X_FIRMWARE_CTRL: with both set, systems find two of them */
    acpi_put_pointer(t, loader, dsdt, 8);
    put_gas_io(t, 32, 2, PM1_EVT);
    put_gas_io(t, 0, 0, 0);
    put_gas_io(t, 16, 2, PM1_CNT);
    put_gas_io(t, 0, 0, 0);
    put_gas_io(t, 0, 0, 0);
    put_gas_io(t, 32, 3, PM_TMR);
    put_gas_io(t, 32, 1, GPE0);
    put_gas_io(t, 0, 0, 0);
    g_assert(t->len - at == 244);
    acpi_end_table(t, at, loader);
    return at;
}

static void put_override(GByteArray *t, unsigned irq, unsigned gsi, unsigned flags)
{
    acpi_put(t, 2 | 10 << 8, 2);
    acpi_put(t, irq << 8, 2); /* bus ISA */
    acpi_put(t, gsi, 4);
    acpi_put(t, flags, 2);
}

uint32_t acpi_build_madt(const struct acpi_info *info, GByteArray *t, GByteArray *loader)
{
    enum { PCAT_COMPAT = 1, ENABLED = 1, ACTIVE_HIGH = 1, LEVEL = 12 };
    static const unsigned level_irqs[] = { 5, 9, 10, 11 }; /* those of the links */
    uint32_t at = acpi_begin_table(t, "APIC", 1);
    bool x2apic = false;

    acpi_put(t, LAPIC_BASE, 4);
    acpi_put(t, PCAT_COMPAT, 4);
    for (unsigned i = 0; i < info->cpus; i++) {
        bool wide = info->apic_ids[i] >= 255;
        acpi_put(t, wide ? 9 | 16 << 8 : 0 | 8 << 8, 2);
        if (wide) {
            acpi_put(t, 0, 2);
            acpi_put(t, info->apic_ids[i], 4);
            acpi_put(t, ENABLED, 4);
            acpi_put(t, i, 4);
            x2apic = true;
        } else {
            acpi_put(t, i, 1);
            acpi_put(t, info->apic_ids[i], 1);
            acpi_put(t, ENABLED, 4);
        }
    }
    acpi_put(t, 1 | 12 << 8, 2); /* the I/O APIC, id 0 */
    acpi_put(t, 0, 2);
    acpi_put(t, IOAPIC_BASE, 4);
    acpi_put(t, 0, 4);
    if (info->irq0_override)
        put_override(t, 0, 2, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(level_irqs); i++)
        put_override(t, level_irqs[i], level_irqs[i], ACTIVE_HIGH | LEVEL);
    acpi_put(t, 4 | 6 << 8, 2); /* NMI: LINT1 of all */
    acpi_put(t, 0xff, 1);
    acpi_put(t, 0, 2);
    acpi_put(t, 1, 1);
    if (x2apic) {
        acpi_put(t, 10 | 12 << 8, 2);
        acpi_put(t, 0, 2);
        acpi_put(t, 0xffffffff, 4);
        acpi_put(t, 1, 1);
        acpi_put(t, 0, 3);
    }
    acpi_end_table(t, at, loader);
    return at;
}

static uint32_t build_waet(GByteArray *t, GByteArray *loader)
{
    uint32_t at = acpi_begin_table(t, "WAET", 1);

    acpi_put(t, 1 << 1, 4); /* one read of the PM timer is enough */
    acpi_end_table(t, at, loader);
    return at;
}

uint32_t acpi_build_root(const char *sig, unsigned size, const uint32_t *entries, unsigned n,
                           GByteArray *t, GByteArray *loader)
{
    uint32_t at = acpi_begin_table(t, sig, 1);

    for (unsigned i = 0; i < n; i++)
        acpi_put_pointer(t, loader, entries[i], size);
    acpi_end_table(t, at, loader);
    return at;
}

void acpi_build_rsdp(uint32_t rsdt, uint32_t xsdt, GByteArray *r, GByteArray *loader)
{
    g_byte_array_append(r, (const uint8_t *) "RSD PTR ", 8);
    acpi_put(r, 0, 1);
    g_byte_array_append(r, (const uint8_t *) "BANTAM", 6);
    acpi_put(r, 2, 1);
    acpi_put(r, rsdt, 4);
    acpi_put(r, 36, 4);
    acpi_put(r, xsdt, 8);
    acpi_put(r, 0, 4);
    loader_add_pointer(loader, ACPI_RSDP_FILE, ACPI_TABLES_FILE, 16, 4);
    loader_add_pointer(loader, ACPI_RSDP_FILE, ACPI_TABLES_FILE, 24, 8);
    loader_add_checksum(loader, ACPI_RSDP_FILE, 8, 0, 20);
    loader_add_checksum(loader, ACPI_RSDP_FILE, 32, 0, 36);
}

void acpi_build(const struct acpi_info *info, GByteArray *tables, GByteArray *rsdp, GByteArray *loader)
{
    uint32_t entries[4];

    loader_add_allocate(loader, ACPI_TABLES_FILE, 64, LOADER_ZONE_HIGH);
    loader_add_allocate(loader, ACPI_RSDP_FILE, 16, LOADER_ZONE_FSEG);
    uint32_t facs = build_facs(tables);
    uint32_t dsdt = add_dsdt(info, tables, loader);
    entries[0] = build_fadt(info, facs, dsdt, tables, loader);
    acpi_align(tables, 16);
    entries[1] = tables->len;
    build_ssdt(info, tables, loader);
    entries[2] = acpi_build_madt(info, tables, loader);
    entries[3] = build_waet(tables, loader);
    uint32_t rsdt = acpi_build_root("RSDT", 4, entries, G_N_ELEMENTS(entries), tables, loader);
    uint32_t xsdt = acpi_build_root("XSDT", 8, entries, G_N_ELEMENTS(entries), tables, loader);
    acpi_build_rsdp(rsdt, xsdt, rsdp, loader);
}
