/* hw/pc/rtc.h - what the board needs of the real-time clock ("mc146818rtc").
 *
 * Properties: base=utc|localtime|datetime, datetime=SECONDS (since 1970, for base=datetime),
 * clock=host|rt|vm, lost_tick_policy=discard|slew.  All functions under the VM lock, or before the VM runs.
 */
#ifndef BANTAM_HW_PC_RTC_H
#define BANTAM_HW_PC_RTC_H

#include "vmm/core/device.h"

extern const struct device_class mc146818rtc_class;

enum { RTC_CMOS_SIZE = 128 };

/* A byte of the chip's memory as it is, without side effects on interrupts; an index out of range reads
 * 0xff and is not written.  Bytes 0x00 to 0x0d are the clock's own. */
void rtc_set_cmos(struct device *d, unsigned index, uint8_t val);
uint8_t rtc_get_cmos(struct device *d, unsigned index);

/* Bit 7 of port 70h: the guest holds NMIs off. */
bool rtc_nmi_masked(const struct device *d);

/* fn is called at each rising edge of the interrupt output (for RTC_STS of a power management chip). */
void rtc_on_irq(struct device *d, void (*fn)(void *opaque), void *opaque);

/* The host's clocks, replaceable before realize.  NULL members keep the real ones. */
struct rtc_host {
    int64_t (*realtime)(void *opaque);  /* ns since 1970, UTC: clock=host, and the time at start */
    int64_t (*monotonic)(void *opaque); /* ns, any origin: clock=rt */
    int64_t (*utc_offset)(void *opaque, int64_t secs); /* s to add to UTC for local time then */
    void *opaque;
};
void rtc_set_host(struct device *d, const struct rtc_host *host);

#endif
