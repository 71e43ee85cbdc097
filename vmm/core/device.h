/* vmm/core/device.h - device classes, instances, buses; includes all that a chip file needs of the core.
 *
 * A device is a struct whose *first* member is `struct device` (or one that starts with it, such as
 * `struct pci_dev`), and a `const struct device_class` that describes it by tables:
 *   props  what the user may set (prop.h): -device NAME,prop=value
 *   state  every other field (state.h): what snapshots carry, and what is of the host
 * Life: device_new (zeroed, property defaults) -> device_set ... -> device_realize -> reset/run ->
 * device_free (which unrealizes).  All under the VM lock, or before the VM runs. */
#ifndef BANTAM_CORE_DEVICE_H
#define BANTAM_CORE_DEVICE_H

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/util.h"
#include "vmm/core/clock.h"
#include "vmm/core/exec.h"
#include "vmm/core/irq.h"
#include "vmm/core/prop.h"
#include "vmm/core/ram.h"
#include "vmm/core/space.h"
#include "vmm/core/state.h"

struct vm;
struct device;
struct bus;

struct device_class {
    const char *name; /* as in -device: QEMU's name where QEMU has it */
    const char *alias; /* another name, or NULL */
    const char *family; /* of classes that -global may name together ("virtio-pci"), or NULL */
    const char *desc;
    unsigned version; /* of the state table */
    size_t size;      /* of the instance */
    const struct bus_class *bus; /* what it plugs into; NULL: nothing (built into the board) */
    const void *bus_info;        /* for the bus: e.g. struct pci_info */
    bool internal;               /* made by the board only: refused as -device */
    const struct prop *props;
    const struct state *state;
    bool (*realize)(struct device *d, GError **err);
    void (*unrealize)(struct device *d); /* may be NULL; also called when realize failed half-way */
    void (*reset)(struct device *d);     /* the RESET pin */
    bool (*post_load)(struct device *d); /* state is hostile until checked here: false refuses it */
    void (*pre_save)(struct device *d);
    /* A line or more for `info qtree`, or NULL. */
    void (*describe)(const struct device *d, GString *out);
};

struct device {
    const struct device_class *cls;
    struct vm *vm;
    char *id;          /* -device id=, or NULL */
    const char *name;  /* id, or the class's name: for messages */
    struct bus *bus;   /* set when realized */
    char *bus_name;    /* the `bus=` property, or NULL */
    bool realized;
    bool dma_disabled; /* PCI bus mastering is off */
    struct tracer trace;
};

/* A bus: PCI, ISA, IDE, floppy ...  Owned by the device or board that makes it. */
struct bus_class {
    const char *name;          /* "PCI" */
    const struct prop *props;  /* common to all its devices; offsets from the instance's start */
    const struct state *state; /* likewise; may be NULL */
    /* Give dev a place (address, slot, unit) before its realize; an error names what is taken. */
    bool (*attach)(struct bus *bus, struct device *dev, GError **err);
    void (*detach)(struct bus *bus, struct device *dev);
    bool (*is_full)(const struct bus *bus); /* may be NULL: never */
    void (*reset)(struct bus *bus, struct device *dev);     /* before the class's; may be NULL */
    bool (*post_load)(struct bus *bus, struct device *dev); /* likewise */
    /* The device's node in an Open Firmware path as SeaBIOS's bootorder has it, without what is above the
     * bus: "ide@1,1", "drive@0", "floppy@3f0".  Caller frees.  NULL: it has none. */
    char *(*fw_node)(const struct device *dev);
};

struct bus {
    const struct bus_class *cls;
    char *name;           /* "pci.0", "ide.1" */
    struct device *owner; /* may be NULL */
    void *opaque;
};

void bus_init(struct bus *bus, struct vm *vm, const struct bus_class *cls, const char *name,
              struct device *owner, void *opaque); /* and put it into vm->buses */
void bus_clear(struct bus *bus, struct vm *vm);

extern const struct device_class *const device_catalog[]; /* hw/catalog.c, NULL at the end */
/* The first class of a family; NULL: none. */
const struct device_class *device_class_of_family(const char *name);
const struct device_class *device_class_find(const char *name); /* by name or alias; NULL: none */

struct device *device_new(struct vm *vm, const struct device_class *cls, const char *id);
bool device_set(struct device *d, const char *prop, const char *value, GError **err);
/* The textual value of a property (caller frees), or NULL when there is none of that name. */
char *device_get(const struct device *d, const char *prop);
bool device_realize(struct device *d, GError **err); /* on failure d can only be freed */
void device_free(struct device *d);
struct device *device_find(struct vm *vm, const char *id);
void device_reset(struct device *d);    /* the bus's part, then the class's */
void device_reset_all(struct vm *vm); /* in the order they were realized */

/* Put d into the firmware's boot order (fw_cfg's "bootorder") at `bootindex` (lowest first; < 0: not at all).  The
 * path is that of d's buses and their owners, then `suffix` (may be NULL): "/pci@i0cf8/ide@1,1" + "/drive@0/disk@0".
 * From realize.  Two devices with one index are refused. */
bool device_add_boot(struct device *d, int32_t bootindex, const char *suffix, GError **err);

/* new + realize, for the board: props is "name=value,name=value" or NULL. */
struct device *device_create(struct vm *vm, const struct device_class *cls, const char *id, const char *props,
                             GError **err);

/* -global: the default of a property for every device of that class, from device_new() on. */
struct device_global {
    char *driver, *prop, *value;
};

void device_save(struct device *d, GByteArray *out);
bool device_load(struct device *d, const uint8_t *data, size_t len, GError **err); /* all or nothing is loaded */

#define TRACE(d, ...) TRACER(&(d)->trace, __VA_ARGS__)
#define guest_error(d, ...) tracer_guest_error(&(d)->trace, __VA_ARGS__)

/* --- ISA --------------------------------------------------------------------------------------- */

/* ISA lines belong to the VM (vm->isa).  Claim line `n` (0..15) for an output of d; lines may be shared
 * (they are wired-OR here, as PCI-routed ones must be). */
bool isa_claim_irq(struct device *d, struct irq *irq, unsigned n, GError **err);

/* ISA DMA is driven by the device: it asks for a transfer on its channel, and the 8237 says how much of
 * it the programmed channel takes.  Channels 0-3 are 8-bit, 5-7 16-bit. */
struct isa_dma_ops {
    /* Device to memory; returns bytes taken (0: masked, or programmed for the other direction).  *tc is set when
     * the terminal count was reached.  A verify transfer takes bytes and stores none. */
    size_t (*to_memory)(void *opaque, unsigned chan, const void *buf, size_t len, bool *tc);
    size_t (*from_memory)(void *opaque, unsigned chan, void *buf, size_t len, bool *tc);
};
/* Claim a channel: `notify` is called when it was unmasked or programmed, so that a waiting device tries again. */
bool isa_claim_dma(struct device *d, unsigned chan, void (*notify)(void *opaque), void *opaque, GError **err);
size_t isa_dma_to_memory(struct device *d, unsigned chan, const void *buf, size_t len, bool *tc);
size_t isa_dma_from_memory(struct device *d, unsigned chan, void *buf, size_t len, bool *tc);

extern const struct bus_class isa_bus_class;

struct isa_info { /* device_class.bus_info of an ISA device; may be absent */
    char *(*fw_node)(const struct device *d); /* see bus_class.fw_node: "fdc@03f0" */
};

struct isa {
    struct bus bus;           /* "isa.0" */
    struct irq_or line[16];   /* .out is connected by the board (or the bench) */
    struct {
        void (*notify)(void *opaque);
        void *opaque;
        struct device *owner;
    } dma[8];
    const struct isa_dma_ops *dma_ops; /* set by the 8237; NULL: no DMA controller */
    void *dma_opaque;
};

#include "vmm/core/vm.h" /* at the end: it needs the types above */

#endif
