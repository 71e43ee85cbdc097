/* hw/pc/microvm_acpi.c - ACPI tables of the machine without firmware: DSDT (bios/microvm.asl), SSDT with the virtio
 * devices, FADT, MADT, RSDT, XSDT, RSDP.
 *
 * Source: ACPI Specification 6.3, 4.1 (hardware-reduced ACPI) and chapter 5. */
#include "bios/blobs.h"
#include "hw/pc/acpi_int.h"
#include "hw/pc/aml.h"
#include "hw/pc/microvm.h"
#include "hw/pc/table_loader.h"

enum { /* FADT flags and offsets, 5.2.9 */
    F_WBINVD = 1 << 0, F_PWR_BUTTON = 1 << 4, F_SLP_BUTTON = 1 << 5, F_RESET_REG = 1 << 10, F_HW_REDUCED = 1 << 20,
    BOOT_LEGACY = 1, BOOT_NO_VGA = 4, BOOT_NO_RTC = 0x20,
    FADT_DSDT = 40, FADT_BOOT = 109, FADT_FLAGS = 112, FADT_X_DSDT = 140, FADT_SLEEP = 244, FADT_SIZE = 268,
};

static void zeros_up_to(GByteArray *t, uint32_t at)
{
    while (t->len < at)
        acpi_put(t, 0, 1);
}

static void put_gas_mem(GByteArray *t, uint64_t addr) /* a byte in memory */
{
    acpi_put(t, 0 | 8 << 8 | 0 << 16 | 1 << 24, 4);
    acpi_put(t, addr, 8);
}

static uint32_t add_dsdt(const struct microvm_tables *info, GByteArray *t, GByteArray *loader)
{
    acpi_align(t, 16);
    uint32_t at = t->len;
    g_byte_array_append(t, microvm_aml, sizeof microvm_aml);
    uint8_t *aml = t->data + at;
    acpi_patch(aml, sizeof microvm_aml, "COMP", info->serial);
    acpi_patch(aml, sizeof microvm_aml, "RTCP", info->rtc);
    aml[ACPI_CHECKSUM_AT] = 0;
    acpi_end_table(t, at, loader);
    return at;
}

static uint32_t build_fadt(const struct microvm_tables *info, uint32_t dsdt, GByteArray *t, GByteArray *loader)
{
    uint32_t at = acpi_begin_table(t, "FACP", 5);

    zeros_up_to(t, at + FADT_DSDT);
    acpi_put_pointer(t, loader, dsdt, 4);
    zeros_up_to(t, at + FADT_BOOT);
    acpi_put(t, BOOT_LEGACY | BOOT_NO_VGA | (info->rtc ? 0 : BOOT_NO_RTC), 2);
    zeros_up_to(t, at + FADT_FLAGS);
    acpi_put(t, F_WBINVD | F_PWR_BUTTON | F_SLP_BUTTON | F_RESET_REG | F_HW_REDUCED, 4);
    put_gas_mem(t, GED_REGS + 2);
    acpi_put(t, GED_RESET_VALUE, 1);
    zeros_up_to(t, at + FADT_X_DSDT);
    acpi_put_pointer(t, loader, dsdt, 8);
    zeros_up_to(t, at + FADT_SLEEP);
    put_gas_mem(t, GED_REGS);
    put_gas_mem(t, GED_REGS + 1);
    g_assert(t->len - at == FADT_SIZE);
    acpi_end_table(t, at, loader);
    return at;
}

static void add_virtio(GByteArray *sb, unsigned slot)
{
    GByteArray *dev = g_byte_array_new(), *crs = g_byte_array_new();
    char name[8];

    g_snprintf(name, sizeof name, "VR%02X", slot);
    aml_name(dev, "_HID");
    aml_string(dev, "LNRO0005");
    aml_name(dev, "_UID");
    aml_int(dev, slot);
    aml_name(dev, "_CCA");
    aml_int(dev, 1);
    aml_res_memory32(crs, MICROVM_VIRTIO_BASE + VIRTIO_MMIO_SIZE * slot, VIRTIO_MMIO_SIZE);
    aml_res_interrupt(crs, microvm_gsi(slot));
    aml_res_end(crs);
    aml_name(dev, "_CRS");
    aml_buffer(dev, crs);
    aml_device(sb, name, dev);
}

static uint32_t build_ssdt(const struct microvm_tables *info, GByteArray *t, GByteArray *loader)
{
    uint32_t at = acpi_begin_table(t, "SSDT", 2);
    GByteArray *sb = g_byte_array_new();

    for (unsigned i = 0; i < MICROVM_N_VIRTIO; i++)
        if (info->slots >> i & 1)
            add_virtio(sb, i);
    aml_scope(t, "\\_SB", sb);
    acpi_end_table(t, at, loader);
    return at;
}

void microvm_acpi_build(const struct microvm_tables *info, GByteArray *tables, GByteArray *rsdp, GByteArray *loader)
{
    const struct acpi_info cpus = { .cpus = info->cpus, .apic_ids = info->apic_ids, .irq0_override = true };
    uint32_t entries[3];

    loader_add_allocate(loader, ACPI_TABLES_FILE, 64, LOADER_ZONE_HIGH);
    loader_add_allocate(loader, ACPI_RSDP_FILE, 16, LOADER_ZONE_FSEG);
    uint32_t dsdt = add_dsdt(info, tables, loader);
    entries[0] = build_fadt(info, dsdt, tables, loader);
    entries[1] = build_ssdt(info, tables, loader);
    entries[2] = acpi_build_madt(&cpus, tables, loader);
    uint32_t rsdt = acpi_build_root("RSDT", 4, entries, G_N_ELEMENTS(entries), tables, loader);
    uint32_t xsdt = acpi_build_root("XSDT", 8, entries, G_N_ELEMENTS(entries), tables, loader);
    acpi_build_rsdp(rsdt, xsdt, rsdp, loader);
}
