/* vmm/control/options.c - reading the command line by the table, and the checks that need all of it. */
#include "vmm/control/options_impl.h"

static const struct option *find_option(const char *name)
{
    for (const struct option *opt = option_table; opt->name; opt++)
        if (!strcmp(opt->name, name) || (opt->alias && !strcmp(opt->alias, name)))
            return opt;
    return NULL;
}

const char *options_name(unsigned i)
{
    return option_table[i].name;
}

bool options_is_documented(unsigned i)
{
    return option_table[i].help != NULL;
}

bool is_help(const char *s)
{
    return !strcmp(s, "help") || !strcmp(s, "?");
}

static bool fail_unknown(const char *arg, GError **err)
{
    GPtrArray *names = g_ptr_array_new();

    for (const struct option *opt = option_table; opt->name; opt++)
        if (opt->help)
            g_ptr_array_add(names, (gpointer) opt->name);
    g_ptr_array_add(names, NULL);
    const char *name = arg + 1 + (arg[1] == '-');
    char *hint = nearest_hint(name, (const char *const *) names->pdata);
    char *named = *hint ? g_strdup_printf(" (did you mean '-%s", hint + strlen(" (did you mean '"))
                        : g_strdup("; see bantam -help");
    fail(err, "there is no option '%s'%s", arg, named);
    g_free(named);
    g_free(hint);
    g_ptr_array_free(names, TRUE);
    return false;
}

/* --- generic handlers --------------------------------------------------------------------------- */

bool opt_flag(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) arg, (void) err;
    *(bool *) ((char *) o->state + opt->offset) = true;
    return true;
}

bool opt_string(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    char **at = (char **) ((char *) o->state + opt->offset);

    (void) err;
    g_free(*at);
    *at = g_strdup(arg);
    return true;
}

bool opt_set_flag(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) arg, (void) err;
    *(bool *) ((char *) o + opt->offset) = true;
    return true;
}

bool opt_set_string(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    char **at = (char **) ((char *) o + opt->offset);

    (void) err;
    g_free(*at);
    *at = g_strdup(arg);
    return true;
}

bool opt_accept(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) o, (void) opt, (void) arg, (void) err;
    return true;
}

bool opt_refuse(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) o, (void) arg;
    return fail(err, "-%s: %s", opt->name, opt->text);
}

static void print_props(struct options *o, const struct option *opt)
{
    GString *s = g_string_new(NULL);

    g_string_append_printf(s, "-%s %s\n", opt->name, opt->arg);
    for (const struct prop *p = opt->props; p->type; p++) {
        char *type = prop_type_text(p);
        char *left = g_strdup_printf("%s=<%s>", p->name, type);
        g_string_append_printf(s, "  %-34s%s%s\n", left, p->desc ? " " : "", p->desc ? p->desc : "");
        g_free(left);
        g_free(type);
    }
    o->text = g_string_free(s, FALSE);
}

bool opt_list(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct keyvals kv;
    char what[32];

    if (is_help(arg)) {
        print_props(o, opt);
        return true;
    }
    if (!*arg)
        return fail(err, "-%s: the argument is empty; write -%s %s", opt->name, opt->name, opt->arg);
    g_snprintf(what, sizeof what, "-%s", opt->name);
    if (!keyvals_parse(&kv, what, arg, opt->text, err))
        return false;
    bool ok = keyvals_apply(&kv, what, opt->props, opt->refused, (char *) o->state + opt->offset, err);
    keyvals_clear(&kv);
    return ok;
}

bool options_claim_id(struct options *o, const char *space, const char *what, const char *id, GError **err)
{
    bool good = g_ascii_isalpha(*id) || *id == '#';

    for (const char *p = id; *p; p++)
        good &= g_ascii_isalnum(*p) || strchr("-._", *p) || (p == id && *p == '#');
    if (!good)
        return fail(err, "%s: '%s' is no id: an id begins with a letter, then letters, digits, '-', '.', '_'",
                    what, id);
    char *key = g_strconcat(space, ":", id, NULL);
    if (!g_hash_table_add(o->state->ids, key))
        return fail(err, "%s: the id '%s' is already taken by another %s", what, id, space);
    return true;
}

/* --- the whole line ------------------------------------------------------------------------------- */

static void init(struct options *o)
{
    struct opt_state *st = g_new0(struct opt_state, 1);

    *o = (struct options){ .state = st };
    o->drives = g_ptr_array_new_with_free_func(opt_drive_free);
    o->devices = g_ptr_array_new_with_free_func(opt_device_free);
    o->netdevs = g_ptr_array_new_with_free_func(opt_netdev_free);
    o->dumps = g_ptr_array_new_with_free_func(opt_dump_free);
    o->chardevs = g_ptr_array_new();
    o->monitors = g_ptr_array_new_with_free_func(opt_monitor_free);
    o->backends = g_ptr_array_new();
    o->iothreads = g_ptr_array_new_with_free_func(opt_iothread_free);
    o->rngs = g_ptr_array_new_with_free_func(opt_rng_free);
    o->globals = g_ptr_array_new_with_free_func(device_global_free);
    o->traces = g_ptr_array_new_with_free_func(g_free);
    o->pc.fw_cfg = g_array_new(FALSE, FALSE, sizeof(struct pc_fw_cfg_item));
    o->pc.smbios.files = g_ptr_array_new_with_free_func(g_free);
    o->pc.smbios.oem_strings = g_ptr_array_new_with_free_func(g_free);
    o->pc.splash_time = o->pc.reboot_timeout = -1;
    o->pc.pit_lost_tick_delay = true;
    st->firmware_dirs = g_ptr_array_new_with_free_func(g_free);
    st->serial_specs = g_ptr_array_new_with_free_func(g_free);
    st->monitor_specs = g_ptr_array_new_with_free_func(g_free);
    st->ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (const struct option *opt = option_table; opt->name; opt++)
        if (opt->fn == opt_list || opt->fn == opt_machine || opt->fn == opt_boot)
            props_set_defaults(opt->props, (char *) st + opt->offset);
}

static bool parse_args(struct options *o, int argc, char **argv, GError **err)
{
    for (int i = 1; i < argc && !o->text; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-' || !arg[1]) {
            if (o->state->image)
                return fail(err, "'%s': there is already a disk image, '%s'; add others with -hdb or -drive",
                            arg, o->state->image);
            if (!*arg)
                return fail(err, "the name of a disk image is empty");
            o->state->image = g_strdup(arg);
            continue;
        }
        const struct option *opt = find_option(arg + 1 + (arg[1] == '-'));
        if (!opt)
            return fail_unknown(arg, err);
        if (opt->arg && opt->fn != opt_refuse && i + 1 >= argc)
            return fail(err, "-%s: an argument is missing: -%s %s", opt->name, opt->name, opt->arg);
        if (!opt->fn(o, opt, opt->arg && i + 1 < argc ? argv[i + 1] : NULL, err))
            return false;
        i += opt->arg != NULL;
    }
    return true;
}

bool options_parse(struct options *o, int argc, char **argv, GError **err)
{
    init(o);
    if (!parse_args(o, argc, argv, err))
        return false;
    if (o->text)
        return true;
    return machine_finish(o, err) && firmware_finish(o, err) && drives_finish(o, err) &&
           chardevs_finish(o, err) && netdevs_finish(o, err) && devices_finish(o, err);
}

static void free_state(struct opt_state *st)
{
    for (const struct option *opt = option_table; opt->name; opt++)
        if (opt->fn == opt_list || opt->fn == opt_machine || opt->fn == opt_boot)
            props_free(opt->props, (char *) st + opt->offset);
        else if (opt->fn == opt_string)
            g_clear_pointer((char **) ((char *) st + opt->offset), g_free);
    g_free(st->image);
    g_free(st->vga);
    g_free(st->lost_tick);
    g_free(st->accel_tried);
    g_ptr_array_free(st->firmware_dirs, TRUE);
    g_ptr_array_free(st->serial_specs, TRUE);
    g_ptr_array_free(st->monitor_specs, TRUE);
    g_hash_table_destroy(st->ids);
    g_free(st);
}

void options_free(struct options *o)
{
    if (!o->state)
        return;
    for (unsigned i = 0; i < o->chardevs->len; i++) {
        chardev_config_clear(o->chardevs->pdata[i]);
        g_free(o->chardevs->pdata[i]);
    }
    for (unsigned i = 0; i < o->backends->len; i++) {
        struct opt_memory_backend *b = o->backends->pdata[i];
        g_free(b->id);
        g_free(b->type);
        g_free(b->path);
        g_free(b);
    }
    for (unsigned i = 0; i < o->pc.fw_cfg->len; i++) {
        g_free(g_array_index(o->pc.fw_cfg, struct pc_fw_cfg_item, i).name);
        g_free(g_array_index(o->pc.fw_cfg, struct pc_fw_cfg_item, i).data);
    }
    g_array_free(o->pc.fw_cfg, TRUE);
    smbios_clear(&o->pc.smbios);
    g_free(o->pc.name);
    g_free(o->pc.uuid);
    g_free((char *) o->pc.firmware_path);
    for (unsigned i = 0; i < PC_N_SERIAL; i++)
        g_free(o->serial[i]);
    g_ptr_array_free(o->drives, TRUE);
    g_ptr_array_free(o->devices, TRUE);
    g_ptr_array_free(o->netdevs, TRUE);
    g_ptr_array_free(o->dumps, TRUE);
    g_ptr_array_free(o->chardevs, TRUE);
    g_ptr_array_free(o->monitors, TRUE);
    g_ptr_array_free(o->backends, TRUE);
    g_ptr_array_free(o->iothreads, TRUE);
    g_ptr_array_free(o->rngs, TRUE);
    g_ptr_array_free(o->globals, TRUE);
    g_ptr_array_free(o->traces, TRUE);
    char **owned[] = { &o->text,   &o->debugcon,   &o->cpu,          &o->accel_device, &o->kernel,
                       &o->initrd, &o->append,     &o->process_name, &o->log_file,    &o->pidfile,
                       &o->runas,  &o->chroot_dir, &o->keymap };
    for (unsigned i = 0; i < G_N_ELEMENTS(owned); i++)
        g_clear_pointer(owned[i], g_free);
    free_state(o->state);
    o->state = NULL;
}

bool options_apply_log(const struct options *o, struct vm *vm, GError **err)
{
    if (o->log_file && !log_open(&vm->log, o->log_file, err))
        return false;
    vm->log.guest_errors = o->guest_errors;
    for (unsigned i = 0; i < o->traces->len; i++)
        log_enable(&vm->log, o->traces->pdata[i]);
    vm->globals = o->globals;
    vm->uuid = o->pc.uuid;
    return true;
}
