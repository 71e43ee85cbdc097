/* hw/pc/microvm.h - the machine without firmware and PCI (-M microvm): virtio over MMIO, a kernel started directly.
 *
 * Private to the board: pc.c makes either this or the PC. */
#ifndef BANTAM_HW_PC_MICROVM_H
#define BANTAM_HW_PC_MICROVM_H

#include "hw/pc/pc_priv.h"
#include "hw/virtio/virtio_mmio.h"

/* the generic event device: event selector, registers */
#define GED_BASE 0xfea00000u
#define GED_REGS 0xfea00200u
enum {
    GED_IRQ = 9, GED_RESET_VALUE = 0x42,
    MICROVM_VIRTIO_BASE = 0xfeb00000, MICROVM_N_VIRTIO = 24, MICROVM_VIRTIO_GSI = 16, MICROVM_N_GSI = 8,
};

/* The I/O APIC's input of a slot: eight lines, shared by three slots each. */
static inline unsigned microvm_gsi(unsigned slot)
{
    return MICROVM_VIRTIO_GSI + slot % MICROVM_N_GSI;
}

struct microvm {
    struct pc *pc;
    struct region ram_low, ram_high, ioapic, lapic;
    struct irq_or line[MICROVM_N_GSI];
    struct virtio_mmio_bus bus;
    struct device *ged;
    GByteArray *tables, *rsdp, *loader; /* ACPI; NULL: acpi=off */
    GByteArray *dtb;                    /* the device tree in its setup_data; NULL: acpi=on */
};

bool microvm_create(struct pc *pc, GError **err);
bool microvm_finish(struct pc *pc, GError **err);
void microvm_reset(struct pc *pc);
void microvm_free(struct microvm *m); /* NULL is fine; devices are gone or go with the VM */

/* microvm_acpi.c: the three files of acpi_build().  slots: bit n: there is a device in slot n. */
struct microvm_tables {
    unsigned cpus;
    const uint32_t *apic_ids;
    bool serial, rtc;
    uint32_t slots;
};
void microvm_acpi_build(const struct microvm_tables *info, GByteArray *tables, GByteArray *rsdp, GByteArray *loader);
/* microvm_dt.c: a flattened device tree, for kernels with CONFIG_OF. */
GByteArray *microvm_dt_build(const struct microvm_tables *info, const char *bootargs);

#endif
