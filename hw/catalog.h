/* hw/catalog.h - the device classes, for the board and the tests. */
#ifndef BANTAM_HW_CATALOG_H
#define BANTAM_HW_CATALOG_H

#include "vmm/core/device.h"

/* --- board: memory controller, bridges, power management --- */
extern const struct device_class i440fx_class, piix3_class, piix4_pm_class, acpi_ged_class;


/* --- board: timers, DMA, interrupts --- */
extern const struct device_class i8237_class;
extern const struct device_class mc146818rtc_class;
extern const struct device_class i8254_class;


/* --- board: firmware interface --- */
extern const struct device_class fw_cfg_class;


/* --- input --- */
extern const struct device_class i8042_class, port92_class;


/* --- serial and debugging --- */
extern const struct device_class isa_serial_class, isa_debugcon_class, isa_debug_exit_class, pvpanic_class,
    ib700_class;


/* --- storage: floppy --- */
extern const struct device_class isa_fdc_class;
extern const struct device_class floppy_class;


/* --- storage: IDE --- */
extern const struct device_class piix3_ide_class, ide_hd_class, ide_cd_class;


/* --- display --- */
extern const struct device_class vga_class;


/* --- virtio --- */
extern const struct device_class virtio_rng_pci_class, virtio_rng_pci_transitional_class,
    virtio_rng_pci_non_transitional_class, virtio_rng_device_class;
extern const struct device_class virtio_blk_pci_class, virtio_blk_pci_transitional_class,
    virtio_blk_pci_non_transitional_class, virtio_blk_device_class;
extern const struct device_class virtio_net_pci_class, virtio_net_pci_transitional_class,
    virtio_net_pci_non_transitional_class, virtio_net_device_class;
extern const struct device_class virtio_balloon_pci_class, virtio_balloon_pci_transitional_class,
    virtio_balloon_pci_non_transitional_class, virtio_balloon_device_class;
extern const struct device_class virtio_serial_pci_class, virtio_serial_pci_transitional_class,
    virtio_serial_pci_non_transitional_class, virtio_serial_device_class;
extern const struct device_class virtconsole_class, virtserialport_class;


#endif
