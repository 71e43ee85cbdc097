/* vmm/control/opt_machine.c - the machine: -machine, -accel, -cpu, -m, -smp, -rtc, -boot, -name, -object,
 * -action. */
#include "vmm/control/options_impl.h"

/* Guest-physical addresses are at least 40 bits; the PCI hole takes up to 4 GiB. */
enum { MAX_RAM_GIB = 1020 };

const struct prop smp_props[] = {
    PROP_U32(struct smp_opts, cpus, 0, .min = 1, .max = PC_MAX_CPUS, .desc = "CPUs at start"),
    PROP_U32(struct smp_opts, sockets, 0, .min = 1, .max = PC_MAX_CPUS, .desc = "sockets on the board"),
    PROP_U32(struct smp_opts, dies, 0, .min = 1, .max = PC_MAX_CPUS, .desc = "dies in a socket"),
    PROP_U32(struct smp_opts, clusters, 0, .min = 1, .max = 1, .desc = "clusters in a die: 1"),
    PROP_U32(struct smp_opts, cores, 0, .min = 1, .max = PC_MAX_CPUS, .desc = "cores in a die"),
    PROP_U32(struct smp_opts, threads, 0, .min = 1, .max = PC_MAX_CPUS, .desc = "threads in a core"),
    PROP_U32(struct smp_opts, maxcpus, 0, .min = 1, .max = PC_MAX_CPUS,
             .desc = "CPUs that there is room for"),
    {}
};

const struct prop mem_props[] = {
    PROP_STR(struct mem_opts, size, NULL, .desc = "megabytes, or with a suffix: 512M, 4G"),
    PROP_STR(struct mem_opts, maxmem, NULL, .desc = "as size: memory can't be added later"),
    PROP_U32(struct mem_opts, slots, 0, .desc = "0: memory can't be added later"),
    {}
};

const struct prop machine_props[] = {
    PROP_STR(struct machine_opts, type, NULL, .desc = "pc or microvm"),
    PROP_STR(struct machine_opts, accel, NULL, .desc = "kvm"),
    PROP_STR(struct machine_opts, kernel_irqchip, NULL, .name = "kernel-irqchip", .desc = "on"),
    PROP_STR(struct machine_opts, memory_backend, NULL, .name = "memory-backend",
             .desc = "id of an -object memory-backend-*"),
    PROP_STR(struct machine_opts, max_ram_below_4g, NULL, .name = "max-ram-below-4g",
             .desc = "where the PCI hole begins at most"),
    PROP_BOOL(struct machine_opts, dump_guest_core, true, .name = "dump-guest-core",
              .desc = "guest memory in core dumps"),
    PROP_BOOL(struct machine_opts, mem_merge, true, .name = "mem-merge",
              .desc = "let the host merge equal pages (KSM)"),
    PROP_BOOL(struct machine_opts, hpet, true, .desc = "high precision event timer, where built"),
    PROP_BOOL(struct machine_opts, graphics, true, .desc = "off: as -nographic for firmware"),
    PROP_BOOL(struct machine_opts, fd_bootchk, true, .name = "fd-bootchk",
              .desc = "firmware checks a floppy's boot signature"),
    PROP_ONOFFAUTO(struct machine_opts, acpi, OOA_AUTO, .desc = "ACPI tables"),
    PROP_ONOFFAUTO(struct machine_opts, smm, OOA_AUTO, .desc = "system management mode: off"),
    PROP_ONOFFAUTO(struct machine_opts, vmport, OOA_AUTO, .desc = "VMware I/O port: off"),
    PROP_ONOFFAUTO(struct machine_opts, pit, OOA_AUTO, .desc = "microvm: interval timer"),
    PROP_ONOFFAUTO(struct machine_opts, pic, OOA_AUTO, .desc = "microvm: on, as it is KVM's"),
    PROP_ONOFFAUTO(struct machine_opts, rtc, OOA_AUTO, .desc = "microvm: clock in CMOS"),
    PROP_ONOFFAUTO(struct machine_opts, isa_serial, OOA_AUTO, .name = "isa-serial", .desc = "microvm: serial port"),
    PROP_ONOFFAUTO(struct machine_opts, ioapic2, OOA_AUTO, .desc = "microvm: off"),
    PROP_ONOFFAUTO(struct machine_opts, pcie, OOA_AUTO, .desc = "microvm: off"),
    PROP_BOOL(struct machine_opts, auto_kernel_cmdline, false, .name = "auto-kernel-cmdline",
              .desc = "microvm: name the virtio devices on the kernel's command line"),
    PROP_BOOL(struct machine_opts, option_roms, false, .name = "x-option-roms", .desc = "microvm: off"),
    PROP_STR(struct machine_opts, kernel, NULL, .desc = "as -kernel"),
    PROP_STR(struct machine_opts, initrd, NULL, .desc = "as -initrd"),
    PROP_STR(struct machine_opts, append, NULL, .desc = "as -append"),
    PROP_STR(struct machine_opts, firmware, NULL, .desc = "as -bios"),
    {}
};

const struct refused_key machine_refused[] = {
    { "usb", "off|no|false", "there is no USB controller" },
    { "pcspk-audiodev", NULL, "sound is not built yet" },
    { "nvdimm", "off", "NVDIMMs are not built" },
    { "dtb", NULL, "a PC has no device tree" },
    { "hmat", "off", "NUMA is not built" },
    { "igd-passthru", "off", "device assignment is not built" },
    { "memory-encryption", NULL, "encrypted guests are not built" },
    { "confidential-guest-support", NULL, "encrypted guests are not built" },
    { "suppress-vmdesc", "on|off", "takes on or off" },
    { "enforce-config-section", "on|off", "takes on or off" },
    { "aes-key-wrap", "on|off", "takes on or off" },
    { "dea-key-wrap", "on|off", "takes on or off" },
    { "i8042", "on", "the keyboard controller can't be left out" },
    { "smbus", "on", "the SMBus controller can't be left out" },
    { "sata", "off", "this board has IDE" },
    { "x-south-bridge", "PIIX3", "the south bridge is PIIX3" },
    { "default-bus-bypass-iommu", "off", "there is no IOMMU" },
    { "kvm-shadow-mem", NULL, "kernels with KVM size their shadow page tables themselves" },
    {}
};

const struct prop name_props[] = {
    PROP_STR(struct name_opts, guest, NULL, .desc = "the guest's name"),
    PROP_STR(struct name_opts, process, NULL, .desc = "name of the process"),
    PROP_BOOL(struct name_opts, debug_threads, true, .name = "debug-threads", .desc = "name the threads"),
    {}
};

static const char *const rtc_clocks[] = { "host", "rt", "vm", NULL };
static const char *const rtc_fixes[] = { "none", "slew", NULL };
const struct prop rtc_props[] = {
    PROP_STR(struct rtc_opts, base, NULL, .desc = "utc, localtime, 2006-06-17 or 2006-06-17T16:01:21"),
    PROP_ENUM(struct rtc_opts, clock, RTC_CLOCK_HOST, rtc_clocks, .desc = "what drives it"),
    PROP_ENUM(struct rtc_opts, driftfix, 0, rtc_fixes, .desc = "slew: make up for lost ticks"),
    {}
};

const struct prop boot_props[] = {
    PROP_STR(struct boot_opts, order, NULL, .desc = "a, b floppy; c disk; d CD-ROM; n network"),
    PROP_STR(struct boot_opts, once, NULL, .desc = "the order of the first boot only"),
    PROP_BOOL(struct boot_opts, menu, false, .desc = "F12 boot menu"),
    PROP_BOOL(struct boot_opts, strict, false, .desc = "boot from nothing without a bootindex"),
    PROP_STR(struct boot_opts, splash, NULL, .desc = "JPEG or BMP file shown by the firmware"),
    PROP_STR(struct boot_opts, splash_time, NULL, .name = "splash-time",
             .desc = "ms the menu's prompt stays"),
    PROP_STR(struct boot_opts, reboot_timeout, NULL, .name = "reboot-timeout",
             .desc = "ms until another try; -1: none"),
    {}
};

const struct prop action_props[] = {
    PROP_STR(struct action_opts, reboot, NULL, .desc = "reset|shutdown"),
    PROP_STR(struct action_opts, shutdown, NULL, .desc = "poweroff|pause"),
    PROP_STR(struct action_opts, panic, NULL, .desc = "pause|shutdown|exit-failure|none"),
    PROP_STR(struct action_opts, watchdog, NULL,
             .desc = "reset|shutdown|poweroff|inject-nmi|pause|debug|none"),
    {}
};

const struct prop overcommit_props[] = {
    PROP_BOOL(struct overcommit_opts, mem_lock, false, .name = "mem-lock", .desc = "lock all memory"),
    PROP_BOOL(struct overcommit_opts, cpu_pm, false, .name = "cpu-pm", .desc = "idle states are the guest's"),
    {}
};

const struct prop msg_props[] = {
    PROP_BOOL(struct msg_opts, timestamp, false, .desc = "the time before each message"),
    PROP_BOOL(struct msg_opts, guest_name, false, .name = "guest-name", .desc = "the guest's name before it"),
    {}
};

/* --- -machine, -accel, -cpu --------------------------------------------------------------------- */

static const char machine_help[] =
    "Machines for -machine:\n"
    "pc                   Standard PC (i440FX + PIIX3), the default; also pc-i440fx-*: all the same board\n"
    "microvm              virtio over MMIO, no firmware and no PCI; needs -kernel\n";

bool opt_machine(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    if (is_help(arg)) {
        o->text = g_strdup(machine_help);
        return true;
    }
    return opt_list(o, opt, arg, err);
}

static bool check_type(const char *type, GError **err)
{
    static const char *const names[] = { "pc", "microvm", NULL };

    if (!strcmp(type, "pc") || !strcmp(type, "microvm"))
        return true;
    if (g_str_has_prefix(type, "pc-i440fx-") && g_ascii_isdigit(type[10]))
        return true;
    if (!strcmp(type, "q35") || g_str_has_prefix(type, "pc-q35-"))
        return fail(err, "-machine: '%s' is not built; use 'pc' (i440FX), which runs the same guests", type);
    if (!strcmp(type, "isapc") || !strcmp(type, "none"))
        return fail(err, "-machine: '%s' is not built; use 'pc'", type);
    char *hint = nearest_hint(type, names);
    fail(err, "-machine: there is no machine '%s'%s; use 'pc'", type, hint);
    g_free(hint);
    return false;
}

static bool accel_kind(struct options *o, const char *what, const char *name, GError **err)
{
    static const char *const known[] = { "kvm", "tcg", "xen", "hax", "hvf", "nvmm", "whpx", "qtest", NULL };

    if (!strcmp(name, "kvm")) {
        o->state->accel_kvm = true;
    } else if (g_strv_contains(known, name)) {
        o->state->accel_other = true;
        g_free(o->state->accel_tried);
        o->state->accel_tried = g_strdup(name);
    } else {
        char *hint = nearest_hint(name, known);
        fail(err, "%s: there is no accelerator '%s'%s; use 'kvm'", what, name, hint);
        g_free(hint);
        return false;
    }
    return true;
}

static bool check_irqchip(const char *what, const char *value, GError **err)
{
    bool on = false;

    if (!strcmp(value, "split"))
        return fail(err, "%s: kernel-irqchip=split is not built; use 'on'", what);
    if (!parse_bool("kernel-irqchip", value, &on, err))
        return fail_prefix(err, "%s", what);
    return on || fail(err, "%s: kernel-irqchip=off is not built; use 'on'", what);
}

bool opt_accel(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    static const struct prop none[] = { {} };
    static const struct refused_key others[] = {
        { "dirty-ring-size", "0", "the dirty bitmap is used; leave it out" },
        { "kvm-shadow-mem", NULL, "kernels with KVM size their shadow page tables themselves" },
        { "notify-vmexit", "run", "notify exits are not built" },
        { "notify-window", "0", "notify exits are not built" },
        { "thread", NULL, "belongs to tcg" },
        { "tb-size", NULL, "belongs to tcg" },
        { "split-wx", NULL, "belongs to tcg" },
        { "one-insn-per-tb", NULL, "belongs to tcg" },
        { "igd-passthru", "off", "device assignment is not built" },
        {}
    };
    struct keyvals kv;

    (void) opt;
    if (is_help(arg)) {
        o->text = g_strdup("Accelerators for -accel:\nkvm\n");
        return true;
    }
    if (!keyvals_parse(&kv, "-accel", arg, "accel", err))
        return false;
    const char *name = keyvals_take(&kv, "accel");
    bool ok = name ? accel_kind(o, "-accel", name, err) : fail(err, "-accel: which? use -accel kvm");
    if (ok && !strcmp(name, "kvm")) {
        const char *chip = keyvals_take(&kv, "kernel-irqchip"), *device = keyvals_take(&kv, "device");
        if (device) {
            g_free(o->accel_device);
            o->accel_device = g_strdup(device);
        }
        ok = (!chip || check_irqchip("-accel", chip, err)) &&
             keyvals_apply(&kv, "-accel", none, others, NULL, err);
    }
    keyvals_clear(&kv);
    return ok;
}

static bool accel_finish(struct options *o, GError **err)
{
    struct opt_state *st = o->state;

    if (st->machine.accel) {
        if (st->accel_kvm || st->accel_other)
            return fail(err, "-accel and -machine accel= can't both be given");
        char **names = g_strsplit(st->machine.accel, ":", -1);
        bool ok = true;
        for (char **n = names; ok && *n; n++)
            ok = accel_kind(o, "-machine accel", *n, err);
        g_strfreev(names);
        if (!ok)
            return false;
    }
    if (st->accel_other && !st->accel_kvm && !st->enable_kvm)
        return fail(err, "accelerator '%s' is not built: guests run on KVM; use -accel kvm, or leave it out",
                    st->accel_tried);
    return true;
}

bool opt_cpu(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    if (!*arg || *arg == ',')
        return fail(err, "-%s: '%s' has no model name; write for example -cpu host", opt->name, arg);
    g_free(o->cpu);
    o->cpu = g_strdup(is_help(arg) ? "help" : arg);
    return true;
}

/* --- -m, -smp ------------------------------------------------------------------------------------- */

static bool memory_size(struct options *o, GError **err)
{
    const struct mem_opts *m = &o->state->mem;
    uint64_t size = 128 * MiB, max;

    if (m->size) {
        if (!parse_size("-m", m->size, 'M', &size, err))
            return false;
        if (size < MiB)
            return fail(err, "-m: %s is too little: a PC has at least 1M", m->size);
        if (size > MAX_RAM_GIB * GiB)
            return fail(err, "-m: %s is too much: at most %dG", m->size, MAX_RAM_GIB);
        size = ROUND_UP(size, 8192);
    }
    o->pc.ram_size = size;
    if (m->slots)
        return fail(err, "-m: slots=%u: memory can't be added to a running guest yet; leave it out",
                    m->slots);
    if (m->maxmem) {
        if (!parse_size("-m: maxmem", m->maxmem, 'M', &max, err))
            return false;
        if (ROUND_UP(max, 8192) < size)
            return fail(err, "-m: maxmem=%s is less than size=%s", m->maxmem, m->size ? m->size : "128");
        if (ROUND_UP(max, 8192) > size)
            return fail(err, "-m: maxmem=%s: memory can't be added to a running guest yet; leave it out",
                        m->maxmem);
    }
    if (o->state->machine.max_ram_below_4g) {
        uint64_t below;
        if (!parse_size("-machine: max-ram-below-4g", o->state->machine.max_ram_below_4g, 0, &below, err))
            return false;
        if (below < MiB || below > 4 * GiB || below % MiB)
            return fail(err, "-machine: max-ram-below-4g=%s: 1M to 4G, in whole megabytes",
                        o->state->machine.max_ram_below_4g);
        o->pc.max_ram_below_4g = below;
    }
    return true;
}

/* QEMU's arithmetic since 6.2: what is left out is worked out, cores before sockets before threads. */
static bool smp_topology(struct options *o, GError **err)
{
    struct smp_opts s = o->state->smp;
    unsigned dies = s.dies ? s.dies : 1, max = s.maxcpus ? s.maxcpus : s.cpus;

    if (!s.cpus && !s.maxcpus) {
        s.sockets = s.sockets ? s.sockets : 1;
        s.cores = s.cores ? s.cores : 1;
        s.threads = s.threads ? s.threads : 1;
    } else {
        if (!s.cores) {
            s.sockets = s.sockets ? s.sockets : 1;
            s.threads = s.threads ? s.threads : 1;
            s.cores = max / (s.sockets * dies * s.threads);
        } else if (!s.sockets) {
            s.threads = s.threads ? s.threads : 1;
            s.sockets = max / (dies * s.cores * s.threads);
        }
        if (!s.threads)
            s.threads = max / (s.sockets * dies * s.cores);
    }
    uint64_t total = (uint64_t) s.sockets * dies * s.cores * s.threads;
    unsigned maxcpus = max ? max : (unsigned) MIN(total, UINT32_MAX);
    unsigned cpus = s.cpus ? s.cpus : maxcpus;
    if (total > PC_MAX_CPUS)
        return fail(err, "-smp: %" PRIu64 " CPUs are too many: at most %d", total, PC_MAX_CPUS);
    if (total != maxcpus)
        return fail(err, "-smp: sockets (%u) * dies (%u) * cores (%u) * threads (%u) must be maxcpus (%u)",
                    s.sockets, dies, s.cores, s.threads, maxcpus);
    if (cpus > maxcpus)
        return fail(err, "-smp: maxcpus (%u) is less than cpus (%u)", maxcpus, cpus);
    o->pc.cpus = cpus;
    o->pc.max_cpus = maxcpus;
    o->pc.sockets = s.sockets;
    o->pc.dies = dies;
    o->pc.cores = s.cores;
    o->pc.threads = s.threads;
    return true;
}

/* --- main memory: -object memory-backend-*, -mem-path ----------------------------------------------- */

static bool memory_source(struct options *o, GError **err)
{
    struct opt_state *st = o->state;
    const char *id = st->machine.memory_backend;
    const struct opt_memory_backend *b = NULL;

    if (id) {
        for (unsigned i = 0; i < o->backends->len && !b; i++)
            if (!strcmp(((struct opt_memory_backend *) o->backends->pdata[i])->id, id))
                b = o->backends->pdata[i];
        if (!b)
            return fail(err, "-machine: memory-backend=%s: there is no -object with this id", id);
        if (st->mem_path)
            return fail(err, "-mem-path and -machine memory-backend= can't both be given");
        if (st->mem.size && ROUND_UP(b->size, 8192) != o->pc.ram_size)
            return fail(err, "-m: %s is not the size of memory backend '%s', %" PRIu64 " bytes; leave -m out",
                        st->mem.size, id, b->size);
        if (b->size < MiB || b->size > MAX_RAM_GIB * GiB || b->size % 4096)
            return fail(err, "-object %s: size: 1M to %dG, in whole pages of 4 KiB", id, MAX_RAM_GIB);
        o->pc.ram_size = b->size;
        o->ram = b->source;
    } else {
        o->ram = (struct ram_source){ .path = st->mem_path,
                                      .merge = st->machine.mem_merge,
                                      .dump = st->machine.dump_guest_core };
    }
    for (unsigned i = 0; i < o->backends->len; i++)
        if (o->backends->pdata[i] != b)
            return fail(err, "-object %s: nothing uses it; add -machine memory-backend=%s",
                        ((struct opt_memory_backend *) o->backends->pdata[i])->id,
                        ((struct opt_memory_backend *) o->backends->pdata[i])->id);
    o->ram.prealloc |= st->mem_prealloc;
    o->ram.merge &= st->machine.mem_merge;
    o->ram.dump &= st->machine.dump_guest_core;
    return true;
}

/* --- -rtc, -boot, -name, -uuid, -action ------------------------------------------------------------ */

static bool rtc_finish(struct options *o, GError **err)
{
    const struct rtc_opts *r = &o->state->rtc;

    o->pc.rtc_clock = (enum rtc_clock) r->clock;
    o->pc.rtc_slew = r->driftfix;
    o->pc.rtc_base = RTC_BASE_UTC;
    if (!r->base || !strcmp(r->base, "utc"))
        return true;
    if (!strcmp(r->base, "localtime")) {
        o->pc.rtc_base = RTC_BASE_LOCALTIME;
        return true;
    }
    int y, mo, d, h = 0, mi = 0, s = 0, n = 0;
    bool ok =
        (sscanf(r->base, "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &s, &n) == 6 && n && !r->base[n]);
    if (!ok) {
        h = mi = s = n = 0;
        ok = sscanf(r->base, "%4d-%2d-%2d%n", &y, &mo, &d, &n) == 3 && n && !r->base[n];
    }
    GDateTime *t = ok ? g_date_time_new_utc(y, mo, d, h, mi, s) : NULL;
    if (!t)
        return fail(err,
                    "-rtc: base: '%s' is no date; write utc, localtime, 2006-06-17 or 2006-06-17T16:01:21",
                    r->base);
    o->pc.rtc_base = RTC_BASE_DATETIME;
    o->pc.rtc_datetime = g_date_time_to_unix(t);
    g_date_time_unref(t);
    return true;
}

bool opt_boot(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    return opt_list(o, opt, arg, err);
}

static bool check_order(const char *key, const char *order, GError **err)
{
    unsigned seen = 0;

    for (const char *p = order; p && *p; p++) {
        if (*p < 'a' || *p > 'p')
            return fail(err, "-boot: %s: '%c' is no boot device: a, b floppies; c disk; d CD-ROM; n network",
                        key, *p);
        if (seen & BIT(*p - 'a'))
            return fail(err, "-boot: %s: '%c' is there twice", key, *p);
        seen |= BIT(*p - 'a');
    }
    return true;
}

static bool boot_finish(struct options *o, GError **err)
{
    const struct boot_opts *b = &o->state->boot;
    uint64_t v;

    if (!check_order("order", b->order, err) || !check_order("once", b->once, err))
        return false;
    o->pc.boot_order = b->order ? b->order : "cad";
    o->pc.boot_once = b->once;
    o->pc.boot_menu = b->menu;
    o->pc.boot_strict = b->strict;
    if (b->splash_time) {
        if (!parse_u64("-boot: splash-time", b->splash_time, 0, 65535, &v, err))
            return false;
        o->pc.splash_time = (int) v;
    }
    if (b->reboot_timeout && strcmp(b->reboot_timeout, "-1") != 0) {
        if (!parse_u64("-boot: reboot-timeout", b->reboot_timeout, 0, 65535, &v, err))
            return false;
        o->pc.reboot_timeout = (int) v;
    }
    return true;
}

static bool check_uuid(const char *uuid, GError **err)
{
    return g_uuid_string_is_valid(uuid) ||
           fail(err, "-uuid: '%s' is no UUID; write 8 hexadecimal digits, 4, 4, 4 and 12, with '-' between",
                uuid);
}

static bool pick(const char *key, const char *value, const char *const *names, const int *values, int *out,
                 GError **err)
{
    for (int i = 0; value && names[i]; i++)
        if (!strcmp(names[i], value)) {
            *out = values[i];
            return true;
        }
    if (!value)
        return true;
    char *all = g_strjoinv(", ", (char **) names);
    fail(err, "-action: %s: '%s' is not one of: %s", key, value, all);
    g_free(all);
    return false;
}

bool opt_watchdog_action(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) opt, (void) err;
    g_free(o->state->action.watchdog);
    o->state->action.watchdog = g_strdup(arg);
    return true;
}

static bool action_finish(struct options *o, GError **err)
{
    static const char *const reboot[] = { "reset", "shutdown", NULL },
                             *const shutdown[] = { "poweroff", "pause", NULL },
                             *const panic[] = { "pause", "shutdown", "exit-failure", "none", NULL };
    static const int reboot_v[] = { ACTION_RESET, ACTION_SHUTDOWN },
                     shutdown_v[] = { ACTION_POWEROFF, ACTION_PAUSE },
                     panic_v[] = { ACTION_PAUSE, ACTION_SHUTDOWN, ACTION_EXIT_FAILURE, ACTION_NONE },
                     watchdog_v[N_WATCHDOG_ACTIONS] = { WATCHDOG_RESET, WATCHDOG_SHUTDOWN, WATCHDOG_POWEROFF,
                                                        WATCHDOG_PAUSE, WATCHDOG_DEBUG,    WATCHDOG_NONE,
                                                        WATCHDOG_INJECT_NMI };
    const struct opt_state *st = o->state;

    o->on_reboot = st->no_reboot ? ACTION_SHUTDOWN : ACTION_RESET;
    o->on_shutdown = st->no_shutdown ? ACTION_PAUSE : ACTION_POWEROFF;
    o->on_panic = ACTION_SHUTDOWN;
    o->on_watchdog = WATCHDOG_RESET;
    return pick("reboot", st->action.reboot, reboot, reboot_v, &o->on_reboot, err) &&
           pick("shutdown", st->action.shutdown, shutdown, shutdown_v, &o->on_shutdown, err) &&
           pick("panic", st->action.panic, panic, panic_v, &o->on_panic, err) &&
           pick("watchdog", st->action.watchdog, watchdog_action_names, watchdog_v, &o->on_watchdog, err);
}

/* --- all together ---------------------------------------------------------------------------------- */

static char *take(char **first, char **second)
{
    char **from = *first ? first : second;

    return g_steal_pointer(from);
}

static bool kernel_finish(struct options *o, GError **err)
{
    struct machine_opts *m = &o->state->machine;
    char *mine[3] = { o->kernel, o->initrd, o->append };

    o->kernel = take(&mine[0], &m->kernel);
    o->initrd = take(&mine[1], &m->initrd);
    o->append = take(&mine[2], &m->append);
    if (!o->kernel && o->initrd)
        return fail(err, "-initrd is for -kernel, which is missing");
    if (!o->kernel && o->append)
        return fail(err, "-append is for -kernel, which is missing");
    if (o->kernel && !*o->kernel)
        return fail(err, "-kernel: the file name is empty");
    if (o->kernel && o->pc.demo)
        return fail(err, "-demo boots the built-in guest; leave out -kernel");
    o->pc.kernel = o->kernel;
    o->pc.initrd = o->initrd;
    o->pc.append = o->append;
    o->pc.bios = o->state->bios ? o->state->bios : m->firmware;
    if (o->pc.bios && !*o->pc.bios)
        return fail(err, "-bios: the file name is empty");
    if (!o->pc.bios && !o->kernel && !o->pc.demo)
        o->pc.bios = "bios-256k.bin";
    return true;
}

static bool microvm_finish_options(struct options *o, GError **err)
{
    const struct machine_opts *m = &o->state->machine;

    if (m->pic == OOA_OFF)
        return fail(err, "-machine: pic=off: the interrupt controllers are KVM's; leave it out");
    if (m->ioapic2 == OOA_ON)
        return fail(err, "-machine: ioapic2=on: one I/O APIC has room for all devices; leave it out");
    if (m->pcie == OOA_ON)
        return fail(err, "-machine: pcie=on: microvm has no PCI; use -machine pc");
    if (m->option_roms)
        return fail(err, "-machine: x-option-roms=on: microvm has no firmware; leave it out");
    if (!o->kernel)
        return fail(err, "-machine: microvm has no firmware: add -kernel FILE");
    if (o->state->bios || m->firmware)
        return fail(err, "-machine: microvm has no firmware: leave out -bios");
    if (o->pc.fw_cfg->len)
        return fail(err, "-fw_cfg: microvm has no fw_cfg device; use -machine pc");
    o->pc.is_microvm = true;
    o->pc.microvm = (struct pc_microvm){ m->pit != OOA_OFF, m->rtc != OOA_OFF, m->isa_serial != OOA_OFF,
                                         m->auto_kernel_cmdline };
    return true;
}

/* What only microvm can do without. */
static bool pc_finish_options(const struct options *o, GError **err)
{
    const struct machine_opts *m = &o->state->machine;

    if (m->pit == OOA_OFF || m->pic == OOA_OFF || m->rtc == OOA_OFF || m->isa_serial == OOA_OFF)
        return fail(err, "-machine: %s=off: this chip is part of the PC; it is microvm that can do without",
                    m->pit == OOA_OFF ? "pit" : m->pic == OOA_OFF ? "pic" : m->rtc == OOA_OFF ? "rtc" : "isa-serial");
    if (m->ioapic2 == OOA_ON || m->pcie == OOA_ON || m->auto_kernel_cmdline || m->option_roms)
        return fail(err, "-machine: ioapic2, pcie, auto-kernel-cmdline and x-option-roms belong to microvm");
    return true;
}

bool machine_finish(struct options *o, GError **err)
{
    struct opt_state *st = o->state;
    struct machine_opts *m = &st->machine;

    if (m->type && !check_type(m->type, err))
        return false;
    if (!accel_finish(o, err) || (m->kernel_irqchip && !check_irqchip("-machine", m->kernel_irqchip, err)))
        return false;
    if (m->smm == OOA_ON)
        return fail(err, "-machine: smm=on: system management mode is not built; leave it out");
    if (m->vmport == OOA_ON)
        return fail(err, "-machine: vmport=on: the VMware port is not built yet; leave it out");
    if (st->uuid && !check_uuid(st->uuid, err))
        return false;
    o->pc.acpi = m->acpi != OOA_OFF && !st->no_acpi;
    o->pc.hpet = m->hpet && !st->no_hpet;
    o->pc.no_fd_bootchk = st->no_fd_bootchk || !m->fd_bootchk;
    o->pc.defaults = !st->nodefaults;
    o->pc.uuid = g_strdup(st->uuid);
    o->pc.has_uuid = st->uuid != NULL;
    o->pc.name = g_strdup(st->name.guest);
    o->process_name = g_strdup(st->name.process);
    o->debug_threads = st->name.debug_threads;
    o->mlock = st->overcommit.mem_lock;
    o->cpu_pm = st->overcommit.cpu_pm;
    o->timestamps = st->msg.timestamp;
    o->message_names = st->msg.guest_name;
    o->nographic |= !m->graphics;
    o->pc.pit_lost_tick_delay &= !o->no_pit_reinjection;
    return memory_size(o, err) && smp_topology(o, err) && memory_source(o, err) && rtc_finish(o, err) &&
           boot_finish(o, err) && action_finish(o, err) && kernel_finish(o, err) &&
           (m->type && !strcmp(m->type, "microvm") ? microvm_finish_options(o, err) : pc_finish_options(o, err));
}
