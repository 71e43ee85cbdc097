/* hw/pc/i8254.h - what else hears the PIT: the speaker.
 *
 * A sound device takes part by i8254_set_speaker(); `change` is called under the VM lock, in virtual time,
 * each time the tone may have changed.  The cone follows OUT2 AND the data bit of port 61h. */
#ifndef BANTAM_HW_PC_I8254_H
#define BANTAM_HW_PC_I8254_H

#include "vmm/core/device.h"

enum { PIT_HZ = 1193182 };

struct pit_tone {
    bool data;       /* port 61h bit 1: false is silence */
    bool level;      /* OUT2 now; what the cone rests at when `period` is 0 */
    uint32_t period; /* of a running wave, in 1/PIT_HZ s; 0: OUT2 is steady, or one pulse */
    uint32_t high;   /* of which so many high, at first */
    int64_t start;   /* virtual ns at which a period began */
};

void i8254_set_speaker(struct device *pit, void (*change)(void *opaque, const struct pit_tone *tone),
                       void *opaque);

#endif
