/* vmm/boot/boot.h - kernels put into guest memory without firmware.
 *
 * boot_load() reads and checks the files once and decides where everything goes; boot_place() copies it
 * into guest RAM, at every reset, and says how the CPU enters.  The files stay open: a kernel is read
 * from the file each time, so that it costs no memory of ours.
 *
 * Sources: Linux Documentation/arch/x86/boot.rst, zero-page.rst; Xen's PVH boot ABI (start_info.h);
 * Multiboot Specification 0.6.96; ELF-64 Object File Format. */
#ifndef BANTAM_BOOT_BOOT_H
#define BANTAM_BOOT_BOOT_H

#include "vmm/core/cpu_state.h"
#include "vmm/core/ram.h"

/* Where things lie in low memory; the page of the kernel's parameters and the tables of the stub below 64 KiB. */
enum {
    BOOT_GDT = 0x500, BOOT_PARAMS = 0x7000, BOOT_INFO = 0x8000, BOOT_PAGES = 0x9000 /* 6 pages */,
    BOOT_CMDLINE = 0x20000, BOOT_CMDLINE_MAX = 0x10000, BOOT_LOW_END = 0x9fc00,
};

enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4 };
struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
};

struct boot_config {
    /* initrd, append: may be NULL; initrd: "file" or, for multiboot, "file args,file args" */
    const char *kernel, *initrd, *append;
    uint64_t top; /* first byte of low RAM that is taken (ACPI tables): everything goes below it */
};

/* What the machine's set-up found out, at each reset. */
struct boot_facts {
    const struct e820_entry *e820;
    unsigned n_e820;
    uint64_t rsdp; /* 0: none */
    bool vga_text; /* the screen is in 80x25 text mode (mode 3) with its font loaded */
    uint64_t setup_data; /* Linux: the first of a list of struct setup_data, 0: none */
};

struct boot_image;

struct boot_image *boot_load(const struct ram *ram, const struct boot_config *cfg, GError **err);
/* From memory: the built-in demo.  The data must stay. */
struct boot_image *boot_load_data(const struct ram *ram, const char *name, const void *data, size_t len,
                                  const struct boot_config *cfg, GError **err);
bool boot_place(struct boot_image *img, struct ram *ram, const struct boot_facts *facts, struct boot_cpu_state *cpu,
                GError **err);
void boot_free(struct boot_image *img);
const char *boot_protocol(const struct boot_image *img); /* "Linux 64-bit", "PVH", "Multiboot" ...: for traces */

/* For a boot through firmware: the pieces of a bzImage as the option ROM wants them in fw_cfg. */
struct boot_legacy {
    GByteArray *setup, *kernel, *initrd; /* initrd may be NULL */
    char *cmdline;
    uint32_t setup_addr, kernel_addr, initrd_addr, cmdline_addr;
};
bool boot_legacy_load(const struct ram *ram, const struct boot_config *cfg, struct boot_legacy *out, GError **err);
void boot_legacy_free(struct boot_legacy *l);

#endif
