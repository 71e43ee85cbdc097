/* vmm/control/options_impl.h - between the files that parse the command line. */
#ifndef BANTAM_CONTROL_OPTIONS_IMPL_H
#define BANTAM_CONTROL_OPTIONS_IMPL_H

#include "vmm/base/error.h"
#include "vmm/control/options.h"
#include "vmm/core/vm.h"

enum opt_group {
    GROUP_MACHINE, GROUP_BOOT, GROUP_DISK, GROUP_DISPLAY, GROUP_CHAR, GROUP_NET, GROUP_LIFE,
    GROUP_DEBUG, N_GROUPS
};

struct option {
    const char *name, *alias; /* without the '-'; alias may be NULL */
    const char *arg;          /* how the argument is written; NULL: takes none */
    const char *help;         /* NULL: not in -help (QEMU's, which is refused) */
    enum opt_group group;
    bool (*fn)(struct options *o, const struct option *opt, const char *arg, GError **err);
    size_t offset; /* for opt_flag, opt_string, opt_list: of the field in struct options or opt_state */
    const char *text;         /* opt_refuse: what to do instead; opt_list: the implied key */
    const struct prop *props; /* opt_list, and for "help" */
    const struct refused_key *refused;
};
extern const struct option option_table[]; /* the last has no name */

/* --- what is gathered before the checks that need all of it -------------------------------------- */

struct smp_opts {
    uint32_t cpus, sockets, dies, clusters, cores, threads, maxcpus; /* 0: not given */
};
struct mem_opts {
    char *size, *maxmem;
    uint32_t slots;
};
struct machine_opts {
    char *type, *accel, *kernel_irqchip, *memory_backend, *kernel, *initrd, *append, *firmware;
    bool dump_guest_core, mem_merge, hpet, graphics, fd_bootchk;
    int acpi, smm, vmport; /* enum on_off_auto */
    char *max_ram_below_4g;
    int pic, pit, rtc, isa_serial, ioapic2, pcie; /* enum on_off_auto; microvm's but for pit */
    bool auto_kernel_cmdline, option_roms;
};
struct name_opts {
    char *guest, *process;
    bool debug_threads;
};
struct rtc_opts {
    char *base;
    int clock, driftfix;
};
struct boot_opts {
    char *order, *once, *splash;
    bool menu, strict;
    char *splash_time, *reboot_timeout;
};
struct action_opts {
    char *reboot, *shutdown, *panic, *watchdog;
};
struct overcommit_opts {
    bool mem_lock, cpu_pm;
};
struct msg_opts {
    bool timestamp, guest_name;
};

struct opt_state {
    struct smp_opts smp;
    struct mem_opts mem;
    struct machine_opts machine;
    struct name_opts name;
    struct rtc_opts rtc;
    struct boot_opts boot;
    struct action_opts action;
    struct overcommit_opts overcommit;
    struct msg_opts msg;
    char *mem_path, *uuid, *vga, *bios, *image, *lost_tick;
    bool mem_prealloc, enable_kvm, nodefaults, no_acpi, no_hpet, no_reboot, no_shutdown, no_fd_bootchk,
        snapshot, display_none;
    bool accel_kvm, accel_other;
    char *accel_tried;       /* the last one that is not KVM */
    GPtrArray *firmware_dirs; /* -L */
    GPtrArray *serial_specs;  /* as written, in order */
    GPtrArray *monitor_specs; /* "OPTION SPEC", in order */
    unsigned n_ids;          /* of chardevs and monitors that have no id from the user */
    bool monitor_given, parallel_given;
    GHashTable *ids;         /* id -> kind: "-drive", "-device" ...: separate name spaces by prefix */
};

/* Generic handlers */
/* bool at offset, in opt_state */
bool opt_flag(struct options *o, const struct option *opt, const char *arg, GError **err);
/* char * at offset, in opt_state */
bool opt_string(struct options *o, const struct option *opt, const char *arg, GError **err);
/* the same in struct options */
bool opt_set_flag(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_set_string(struct options *o, const struct option *opt, const char *arg, GError **err);
/* keyvals into opt_state + offset */
bool opt_list(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_refuse(struct options *o, const struct option *opt, const char *arg, GError **err);
/* nothing to do here */
bool opt_accept(struct options *o, const struct option *opt, const char *arg, GError **err);

bool is_help(const char *s); /* "help" or "?" */
/* An id may be used once in a space ("drive", "device", "chardev", "object"); letters first, then letters,
 * digits, -._ */
bool options_claim_id(struct options *o, const char *space, const char *what, const char *id, GError **err);

/* opt_machine.c */
extern const struct prop smp_props[], mem_props[], machine_props[], name_props[], rtc_props[], boot_props[],
    action_props[], overcommit_props[], msg_props[];
extern const struct refused_key machine_refused[];
bool opt_machine(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_accel(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_cpu(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_boot(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_watchdog_action(struct options *o, const struct option *opt, const char *arg, GError **err);
bool machine_finish(struct options *o, GError **err);

/* opt_object.c */
bool opt_object(struct options *o, const struct option *opt, const char *arg, GError **err);
void opt_iothread_free(void *p);
void opt_rng_free(void *p);

/* opt_firmware.c: -smbios, -fw_cfg, -L */
bool opt_smbios(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_fw_cfg(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_firmware_dir(struct options *o, const struct option *opt, const char *arg, GError **err);
bool firmware_finish(struct options *o, GError **err);
void smbios_clear(struct pc_smbios *s);

/* opt_drive.c */
bool opt_drive(struct options *o, const struct option *opt, const char *arg, GError **err);
/* -hda, -cdrom, -fda */
bool opt_disk(struct options *o, const struct option *opt, const char *arg, GError **err);
bool drives_finish(struct options *o, GError **err);
void opt_drive_free(void *p);

/* opt_chardev.c */
extern const struct prop chardev_props[];
bool opt_chardev(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_serial(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_parallel(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_debugcon(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_monitor(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_qmp(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_mon(struct options *o, const struct option *opt, const char *arg, GError **err);
bool chardevs_finish(struct options *o, GError **err);
const struct chardev_config *options_chardev(const struct options *o, const char *id);
void opt_monitor_free(void *p);

/* opt_device.c */
bool opt_device(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_global(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_vga(struct options *o, const struct option *opt, const char *arg, GError **err);
bool devices_finish(struct options *o, GError **err);
bool options_has_device(const struct options *o, const char *class_name);
void opt_device_free(void *p);
void device_global_free(void *p);

/* opt_net.c */
bool opt_netdev(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_nic(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_net(struct options *o, const struct option *opt, const char *arg, GError **err);
bool netdevs_finish(struct options *o, GError **err);
bool options_has_netdev(const struct options *o, const char *id);
void opt_netdev_free(void *p);
void opt_dump_free(void *p);

/* opt_misc.c */
bool opt_help(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_version(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_display(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_vnc(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_trace(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_log_items(struct options *o, const struct option *opt, const char *arg, GError **err);
bool opt_sandbox(struct options *o, const struct option *opt, const char *arg, GError **err);

#endif
