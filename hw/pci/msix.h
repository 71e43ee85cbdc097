/* hw/pci/msix.h - MSI-X for PCI functions: capability, vector table, pending bits.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.2.
 * Each vector has an eventfd: signalling it sends the vector's message, by the accelerator's irqfd without a look
 * at this process, or by the main loop where there is none.  While a vector is masked its eventfd is connected to
 * nothing, and its count is the pending bit.  Under the VM lock unless said otherwise. */
#ifndef BANTAM_HW_PCI_MSIX_H
#define BANTAM_HW_PCI_MSIX_H

#include "hw/pci/pci.h"

enum { MSIX_MAX = 2048 };

struct msix_vector {
    uint32_t addr_lo, addr_hi, data, control;
    bool pending;  /* in snapshots; else the eventfd has it */
    struct msix *m;
    int fd, route; /* -1: none */
    uint32_t routed_lo, routed_hi, routed_data; /* what `route` stands for */
    bool irqfd;    /* fd is connected to the route */
    struct exec_fd *watch; /* fd is watched by the main loop instead */
};

struct msix {
    struct pci_dev *p; /* NULL: not there */
    struct pci_bar bar;
    struct msix_vector *vectors;
    uint32_t n;
    uint32_t pba;      /* offset of the pending bits in the BAR */
    uint8_t cap, bar_n;
    bool enabled;      /* atomic */
    uint32_t seen;     /* the control bits that the vectors were last brought in line with */
};

extern const struct state msix_state[];

/* From realize: n vectors (1 to 2048) in a BAR of their own. */
bool msix_init(struct msix *m, struct pci_dev *p, unsigned n, unsigned bar, GError **err);
void msix_clear(struct msix *m); /* from unrealize, also when msix_init failed or was never called */
void msix_reset(struct msix *m);
/* To be called from config_written, for every write (the command register matters, too). */
void msix_config_written(struct msix *m);
void msix_pre_save(struct msix *m);
bool msix_post_load(struct msix *m);

static inline bool msix_enabled(const struct msix *m) /* any thread */
{
    return __atomic_load_n(&m->enabled, __ATOMIC_RELAXED);
}
/* Send a vector's message, or make it pending; n is checked.  Any thread. */
void msix_notify(struct msix *m, unsigned n);

#endif
