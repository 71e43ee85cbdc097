/* hw/catalog.c - every device class there is, in the order of `-device help`. */
#include "hw/catalog.h"

const struct device_class *const device_catalog[] = {
    /* --- board: memory controller, bridges, power management --- */
    &i440fx_class, &piix3_class, &piix4_pm_class, &acpi_ged_class,


    /* --- board: timers, DMA, interrupts --- */
    &i8237_class,
    &mc146818rtc_class,
    &i8254_class,


    /* --- board: firmware interface --- */
    &fw_cfg_class,


    /* --- input --- */
    &i8042_class, &port92_class,


    /* --- serial and debugging --- */
    &isa_serial_class, &isa_debugcon_class, &isa_debug_exit_class, &pvpanic_class, &ib700_class,


    /* --- storage: floppy --- */
    &isa_fdc_class, &floppy_class,


    /* --- storage: IDE --- */
    &piix3_ide_class, &ide_hd_class, &ide_cd_class,


    /* --- display --- */
    &vga_class,


    /* --- virtio --- */
    &virtio_rng_pci_class, &virtio_rng_pci_transitional_class, &virtio_rng_pci_non_transitional_class,
    &virtio_rng_device_class,
    &virtio_blk_pci_class, &virtio_blk_pci_transitional_class, &virtio_blk_pci_non_transitional_class,
    &virtio_blk_device_class,
    &virtio_net_pci_class, &virtio_net_pci_transitional_class, &virtio_net_pci_non_transitional_class,
    &virtio_net_device_class,
    &virtio_balloon_pci_class, &virtio_balloon_pci_transitional_class, &virtio_balloon_pci_non_transitional_class,
    &virtio_balloon_device_class,
    &virtio_serial_pci_class, &virtio_serial_pci_transitional_class, &virtio_serial_pci_non_transitional_class,
    &virtio_serial_device_class,
    &virtconsole_class, &virtserialport_class,


    NULL,
};
