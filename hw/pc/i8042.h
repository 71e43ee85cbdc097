/* hw/pc/i8042.h - the A20 gates of the keyboard controller and of port 92h, for the board. */
#ifndef BANTAM_HW_PC_I8042_H
#define BANTAM_HW_PC_I8042_H

#include "vmm/core/device.h"

/* A gate's output: the owner is told when the guest moves it. */
struct irq *i8042_a20(struct device *kbc);
struct irq *port92_a20(struct device *p92);
/* The other gate was moved: show it in this one's register too (no output). */
void i8042_mirror_a20(struct device *kbc, bool on);
void port92_mirror_a20(struct device *p92, bool on);

/* Connect both outputs so that each register shows the same gate. */
void port92_link(struct device *p92, struct device *kbc);

#endif
