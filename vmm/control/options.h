/* vmm/control/options.h - the command line, parsed and checked, with nothing created yet.
 *
 * options_parse() reads the whole line and makes every check that needs no machine: syntax, names, values,
 * ids, slots. What it leaves to the makers is what only they can know (does the image exist, is the slot
 * free).  The result is plain data, owned by `struct options`; the strings in `pc` point into it. */
#ifndef BANTAM_CONTROL_OPTIONS_H
#define BANTAM_CONTROL_OPTIONS_H

#include "hw/pc/pc.h"
#include "vmm/block/drive.h"
#include "vmm/char/backend.h"
#include "vmm/control/keyval.h"
#include "vmm/core/iothread.h"

struct opt_drive { /* -drive, -hda, -cdrom, -fda, the image on the command line, the default drives */
    const char *origin;      /* the option, for messages */
    struct drive_config cfg; /* id, bus, unit and index are all filled in after parsing (if=none: no place) */
};

struct opt_device { /* -device */
    const struct device_class *cls;
    char *id;           /* or NULL */
    struct keyvals kv;  /* all but driver and id */
};

struct opt_monitor { /* -monitor, -mon, mon: */
    char *chardev;      /* id */
    bool qmp;           /* -qmp, -qmp-pretty, -mon mode=control */
    bool pretty;        /* QMP with line ends and indentation */
    bool readline;      /* line editing: the other side is a terminal */
};

struct opt_memory_backend { /* -object memory-backend-* */
    char *id;
    char *type;         /* "memory-backend-ram" ... */
    uint64_t size;
    struct ram_source source;
    char *path;
};

struct opt_iothread { /* -object iothread */
    char *id;
    struct iothread_config cfg;
};

struct opt_rng { /* -object rng-builtin, rng-random */
    char *id;
    char *filename; /* NULL: rng-builtin */
};

struct opt_dump { /* -object filter-dump */
    char *id, *netdev, *file;
    uint64_t maxlen;
    struct net_dump *dump; /* once it is open */
};

struct options {
    struct pc_config pc;  /* all plain values; the backends' pointers stay NULL until options_open() */
    char *text;           /* not NULL: -help, -version, -device help ...: print this and exit with 0 */

    GPtrArray *drives;    /* struct opt_drive * */
    GPtrArray *devices;   /* struct opt_device * */
    GPtrArray *chardevs;  /* struct chardev_config *, those of -serial, -monitor ... included */
    GPtrArray *monitors;  /* struct opt_monitor * */
    GPtrArray *backends;  /* struct opt_memory_backend * */
    GPtrArray *iothreads; /* struct opt_iothread * */
    GPtrArray *rngs;      /* struct opt_rng * */
    GPtrArray *netdevs;   /* struct netdev_config *, those of -nic and -net included */
    GPtrArray *dumps;     /* struct opt_dump * */
    unsigned n_nics;      /* of -nic and -net nic: the first so many of devices */
    GPtrArray *globals;   /* struct device_global * (core/device.h) */
    GPtrArray *traces;    /* char *: globs */
    char *serial[PC_N_SERIAL]; /* chardev id, NULL: no such port */
    char *debugcon;       /* chardev id, or NULL */

    struct ram_source ram; /* where main memory comes from */
    char *cpu;            /* -cpu, NULL: the default */
    char *accel_device;   /* -accel kvm,device=: in place of /dev/kvm; NULL: that */
    char *kernel, *initrd, *append;
    bool no_pit_reinjection; /* -no-kvm-pit-reinjection: pc.pit_lost_tick_delay is off */

    bool start_paused;    /* -S */
    bool nographic;
    int on_reboot, on_shutdown, on_panic; /* enum action */
    int on_watchdog;      /* enum watchdog_action */
    bool debug_threads;
    char *process_name;   /* -name process= */
    bool mlock, cpu_pm;   /* -overcommit */
    char *log_file;       /* -D, -trace file= */
    bool guest_errors;    /* -d guest_errors */
    bool timestamps;      /* -msg timestamp=on: of errors, and of log and traces */
    bool message_names;   /* -msg guest-name=on */
    char *pidfile;
    bool daemonize;
    char *runas, *chroot_dir;
    char *keymap;         /* -k */

    struct opt_state *state; /* while parsing */
};

/* argv as main() has it.  On failure *err is set, and options_free() is still called by the caller. */
bool options_parse(struct options *o, int argc, char **argv, GError **err);
void options_free(struct options *o);

/* Open the chardevs and drives, and put them where they belong: pc.serial[], pc.debugcon, pc.ide[],
 * pc.floppy[]. */
bool options_open_chardevs(struct options *o, struct vm *vm, GError **err);
bool options_open_drives(struct options *o, struct vm *vm, GError **err);
/* The netdevs and their filters; closing is for after the devices are gone. */
bool options_open_netdevs(struct options *o, struct vm *vm, GError **err);
void options_close_netdevs(struct options *o, struct vm *vm);
/* What -object asks for, but memory: before the devices that refer to it. */
bool options_create_objects(struct options *o, struct vm *vm, GError **err);
/* log_enable() for -trace, -D, -d; and the globals and the UUID, into the VM. */
bool options_apply_log(const struct options *o, struct vm *vm, GError **err);
/* Make every -device, in order.  After pc_create(). */
bool options_create_devices(struct options *o, struct vm *vm, GError **err);

/* For the test of the manual page: the name of option i, or NULL past the end; is it in -help? */
const char *options_name(unsigned i);
bool options_is_documented(unsigned i);

#endif
