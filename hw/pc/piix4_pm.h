/* hw/pc/piix4_pm.h - power management as the board sees it. */
#ifndef BANTAM_HW_PC_PIIX4_PM_H
#define BANTAM_HW_PC_PIIX4_PM_H

#include "hw/pci/pci.h"

/* Realized as function 1.3 beside PIIX3.  Firmware places its registers: PIIX4_PM_BASE is where
 * SeaBIOS does, and what the ACPI tables say. */
extern const struct device_class piix4_pm_class;

enum { PIIX4_PM_BASE = 0x600, PIIX4_SMB_BASE = 0x700, PIIX4_SCI_IRQ = 9 };

/* What firmware writes, for a boot without it: from PHASE_RESET. */
void piix4_pm_firmware_setup(struct device *d);

/* The RTC raised its interrupt: RTC_STS, and a wake-up where RTC_EN is set. */
void piix4_pm_rtc(struct device *d);

/* Which sleep states the user left on: for the ACPI tables. */
bool piix4_pm_has_s3(const struct device *d);
bool piix4_pm_has_s4(const struct device *d);

#endif
