/* hw/pci/pci.h - PCI buses and functions, as device files see them.
 *
 * Source: PCI Local Bus Specification 3.0.  A PCI device's struct starts with `struct pci_dev`,
 * its class has .bus = &pci_bus_class and .bus_info = &(struct pci_info).  The bus adds the
 * properties addr, multifunction, rombar and romfile, and saves the configuration
 * space.  Everything is called under the VM lock. */
#ifndef BANTAM_HW_PCI_PCI_H
#define BANTAM_HW_PCI_PCI_H

#include "vmm/core/device.h"

/* Configuration space header registers, by the names of the specification */
enum {
    PCI_VENDOR_ID = 0x00, PCI_DEVICE_ID = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09, PCI_CLASS_DEVICE = 0x0a, PCI_CACHE_LINE_SIZE = 0x0c, PCI_LATENCY_TIMER = 0x0d,
    PCI_HEADER_TYPE = 0x0e, PCI_BIST = 0x0f, PCI_BASE_ADDRESS_0 = 0x10, PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e, PCI_ROM_ADDRESS = 0x30, PCI_CAPABILITY_LIST = 0x34, PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d, PCI_MIN_GNT = 0x3e, PCI_MAX_LAT = 0x3f,
};
enum { PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4, PCI_COMMAND_PARITY = 0x40,
       PCI_COMMAND_SERR = 0x100,
       PCI_COMMAND_INTX_DISABLE = 0x400 };
enum { PCI_STATUS_INTERRUPT = 8, PCI_STATUS_CAP_LIST = 0x10, PCI_STATUS_FAST_BACK = 0x80,
       PCI_STATUS_DEVSEL_MEDIUM = 0x200,
       PCI_STATUS_REC_TARGET_ABORT = 0x1000, PCI_STATUS_REC_MASTER_ABORT = 0x2000 };
enum { PCI_ROM_SLOT = 6, PCI_N_BARS = 7, PCI_DEVFN_AUTO = -1 };
enum pci_bar_type { PCI_BAR_IO = 1, PCI_BAR_MEM32 = 0, PCI_BAR_MEM64 = 4,
                    PCI_BAR_PREFETCH = 8 /* or-ed in */ };
#define PCI_DEVFN(slot, fn) ((slot) << 3 | (fn))

struct pci_info { /* class->bus_info: the fixed part of the header */
    uint16_t vendor, device;
    uint8_t revision;
    uint32_t class_code;         /* 0xBBSSPP: base, sub, programming interface */
    uint16_t subvendor, subdevice; /* 0: QEMU's 1af4:1100 */
    uint8_t intpin;              /* 1 = INTA#; 0: none */
    uint8_t header_type;         /* 0 */
    bool no_subsystem;           /* chip-set parts read 0 there */
};

struct pci_bar {
    struct region region;
    uint8_t type; /* enum pci_bar_type | PCI_BAR_PREFETCH */
    uint64_t size; /* 0: not there */
};

struct pci_dev {
    struct device dev; /* first */
    struct pci_bus *pci;
    int32_t addr;          /* property: devfn, or PCI_DEVFN_AUTO */
    bool multifunction;    /* property */
    uint32_t rombar;       /* property: 1 */
    char *romfile;         /* property: NULL: the device's own, "": none */
    uint8_t devfn;
    uint32_t ids;          /* vendor and device that a snapshot must have; see pci_set_ids */
    uint8_t cfg[256], wmask[256], w1cmask[256];
    struct pci_bar *bars[PCI_N_BARS]; /* registered ones */
    struct ram_block rom;
    struct pci_bar rom_bar;
    bool intx;             /* level of the pin as the device drives it */
    bool intx_out;         /* what of it reaches the bus: low while INTX_DISABLE is set */
    uint8_t cap_end;       /* next free offset for capabilities */
    /* Called after the config space (and the BARs' mapping) changed by a guest write; may be NULL. */
    void (*config_written)(struct pci_dev *p, unsigned off, unsigned len);
    /* Called before a config read, to bring dynamic bytes up to date; may be NULL. */
    void (*config_read)(struct pci_dev *p, unsigned off, unsigned len);
};

struct pci_bus {
    struct bus bus;                /* "pci.0" */
    struct vm *vm;
    struct pci_dev *devs[256];     /* by devfn */
    /* pin 0..3 after swizzle: the board's PIRQ router */
    struct { void (*set)(void *opaque, int pin, int level); void *opaque; } intx;
    int intx_high[4];              /* wired-OR counts */
    unsigned slot_min;             /* first slot for automatic placement */
    /* last address that memory BARs decode: the CPU's physical address width */
    uint64_t mem_last;
    /* What answers byte and word accesses to ports CF8h-CFBh, which the host bridge passes on: the
     * south bridge's reset control register at CF9h.  Offsets are from CF8h; NULL: nobody. */
    const struct region_ops *cf8_ops;
    void *cf8_opaque;
};

extern const struct bus_class pci_bus_class;
/* of struct pci_dev: for a class with .bus = NULL (a host bridge) */
extern const struct state pci_dev_state[];

void pci_bus_init(struct pci_bus *b, struct vm *vm, const char *name, struct device *owner);
void pci_bus_clear(struct pci_bus *b);

/* Guest configuration access: size 1, 2, 4, off aligned.  Absent functions read all ones. */
uint32_t pci_config_read(struct pci_bus *b, unsigned devfn, unsigned off, unsigned size);
void pci_config_write(struct pci_bus *b, unsigned devfn, unsigned off, uint32_t val, unsigned size);

/* From realize.  The region in `bar` was set up by region_init_*; its size must be a power of two,
 * at least 16 bytes (memory) or 4 (I/O).  It is mapped and enabled as the guest programs the BAR
 * and the command register.  The bus removes it after the class's unrealize; a device that frees
 * memory behind it there calls space_remove(&bar->region) first. */
void pci_register_bar(struct pci_dev *p, unsigned n, struct pci_bar *bar, uint8_t type);
/* Another device id and revision than the class's pci_info says (virtio: the driver interface decides). */
void pci_set_ids(struct pci_dev *p, uint16_t device, uint8_t revision);
/* Add an option ROM from the firmware path: the file of the property romfile, else default_file
 * (may be NULL; a missing one is a warning). */
bool pci_add_rom(struct pci_dev *p, const char *default_file, GError **err);
/* Reserve a capability of `size` bytes and link it; returns its offset (never fails: asserts there
 * is room). */
unsigned pci_add_capability(struct pci_dev *p, uint8_t id, uint8_t size);

/* Where BAR n is mapped now: false when it is not there or not decoded. */
bool pci_bar_mapped(const struct pci_dev *p, unsigned n, uint64_t *addr);

void pci_set_irq(struct pci_dev *p, bool level); /* INTx, honouring the disable bit and the status bit */
/* The BIOS assigns nothing: set the reset values again (called by the bus for every function on
 * reset, before the class's reset). */
void pci_reset(struct pci_dev *p);
/* Bring mapping, bus mastering and INTx in line with cfg, which was loaded from a snapshot; false:
 * it is not ours. */
bool pci_post_load(struct pci_dev *p);
/* The same after a device changed writable bits of its own command register or BARs. */
void pci_update(struct pci_dev *p);

/* `info pci` */
void pci_bus_describe(const struct pci_bus *b, GString *out);
/* "Ethernet controller", "ethernet" or NULL */
const char *pci_class_text(unsigned class_device, const char **fw_name);

#endif
