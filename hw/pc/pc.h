/* hw/pc/pc.h - the PC board: what is on it, from a plain description that the command line filled in.
 *
 * pc_create() makes every chip and wires it.  It needs no KVM: PIC, IOAPIC and LAPIC are reached through
 * `struct pc_irqchip`, which vmm/kvm/ provides (and a test may fake). */
#ifndef BANTAM_HW_PC_PC_H
#define BANTAM_HW_PC_PC_H

#include "vmm/core/cpu_state.h"
#include "vmm/core/vm.h"

struct blk;
struct chardev;

struct pc_irqchip { /* the kernel's interrupt controllers */
    void (*set_gsi)(void *opaque, int gsi, int level);
    int (*raise_status)(void *opaque, int gsi); /* see irq.h */
    /* How the first CPU enters at the reset that is going on; NULL: at the reset vector. */
    void (*set_boot_regs)(void *opaque, const struct boot_cpu_state *st);
    /* From the next reset on the PICs' inputs are masked after a reset, as firmware leaves them.  May be NULL. */
    void (*mask_pic)(void *opaque);
    void *opaque;
};

enum { PC_MAX_CPUS = 255, PC_N_SERIAL = 4, PC_N_IDE = 4, PC_N_FLOPPY = 2 };

struct pc_smbios { /* -smbios */
    GPtrArray *files;     /* file=: raw structures, char * */
    char *type0[4];       /* vendor version date release */
    char *type1[7];       /* manufacturer product version serial uuid sku family */
    char *type2[6];       /* manufacturer product version serial asset location */
    char *type3[5];       /* manufacturer version serial asset sku */
    char *type4[6];       /* sock_pfx manufacturer version serial asset part */
    char *type17[6];      /* loc_pfx bank manufacturer serial asset part */
    GPtrArray *oem_strings; /* type 11 values */
};

struct pc_fw_cfg_item { /* -fw_cfg */
    char *name;
    uint8_t *data;
    size_t len;
};

enum rtc_base { RTC_BASE_UTC, RTC_BASE_LOCALTIME, RTC_BASE_DATETIME };
enum rtc_clock { RTC_CLOCK_HOST, RTC_CLOCK_RT, RTC_CLOCK_VM };

struct pc_config {
    uint64_t ram_size;
    uint64_t max_ram_below_4g; /* 0: QEMU's default for pc: 3.5 GiB, 3 GiB when more RAM is wanted */
    unsigned cpus, max_cpus, sockets, dies, cores, threads;
    bool acpi, hpet;      /* -machine acpi=; -no-acpi, -no-hpet */
    bool smm;             /* the accelerator has SMM; here never: DEVACTB.APMC_EN reads set */
    char *name;           /* -name */
    char *uuid;           /* -uuid, or NULL */
    bool has_uuid;
    struct pc_smbios smbios;
    GArray *fw_cfg;       /* struct pc_fw_cfg_item */

    const char *bios;     /* file, looked up in the firmware path; NULL and kernel set: direct boot */
    const char *firmware_path; /* ':' separated, -L first */
    const char *kernel, *initrd, *append; /* started directly, or through the firmware when bios is given, too */
    bool demo;            /* the built-in demo guest is the kernel */
    const char *boot_order; /* "cad" */
    const char *boot_once;
    bool boot_menu, boot_strict;
    bool no_fd_bootchk;   /* -no-fd-bootchk: SeaBIOS (CMOS 38h bit 0) takes a floppy without the boot signature */
    int splash_time, reboot_timeout; /* ms; -1: not given */

    enum rtc_base rtc_base;
    int64_t rtc_datetime; /* seconds since 1970, for RTC_BASE_DATETIME */
    enum rtc_clock rtc_clock;
    bool rtc_slew;        /* driftfix=slew */
    bool pit_lost_tick_delay; /* false: ticks that were lost are discarded */

    bool is_microvm;      /* -M microvm: no firmware, no PCI; see microvm.c */
    struct pc_microvm {
        bool pit, rtc, isa_serial, auto_kernel_cmdline;
    } microvm;

    bool defaults;        /* not -nodefaults: serial, floppy controller's drive, CD-ROM, VGA */
    const char *vga;      /* "std", "none" */
    struct chardev *serial[PC_N_SERIAL]; /* NULL: no such port */
    bool has_serial[PC_N_SERIAL];
    struct chardev *debugcon; /* at 0xe9 (-debugcon) */
    bool has_floppy[PC_N_FLOPPY], has_ide[PC_N_IDE], ide_cdrom[PC_N_IDE];
    struct blk *floppy[PC_N_FLOPPY]; /* may be NULL with has_floppy: an empty drive */
    struct blk *ide[PC_N_IDE];
};

struct pc; /* the board */

/* Allocate vm->ram: how much of it lies below 4 GiB follows from the configuration. */
bool pc_alloc_ram(struct vm *vm, const struct pc_config *cfg, const struct ram_source *src, GError **err);

/* vm->ram is allocated and the irqchip exists.  *cfg stays valid as long as the board.  On failure
 * everything is undone. */
struct pc *pc_create(struct vm *vm, const struct pc_config *cfg, const struct pc_irqchip *chip, GError **err);
/* After every -device was realized: firmware tables, boot order, fw_cfg files.  Then reset the VM. */
bool pc_finish(struct pc *pc, GError **err);
void pc_free(struct pc *pc); /* before vm_free; devices are freed by the VM */

#endif
