/* vmm/control/opt_misc.c - help, displays, networks, logging: options that need a look at their argument and
 * no more. */
#include "vmm/control/options_impl.h"

#ifndef BANTAM_VERSION
#define BANTAM_VERSION "0.1"
#endif

static const char *const group_names[N_GROUPS] = {
    [GROUP_MACHINE] = "Machine", [GROUP_BOOT] = "Firmware and kernel",       [GROUP_DISK] = "Disks",
    [GROUP_DISPLAY] = "Display", [GROUP_CHAR] = "Serial ports and monitors", [GROUP_NET] = "Network",
    [GROUP_LIFE] = "Life",       [GROUP_DEBUG] = "Looking inside",
};

bool opt_version(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) opt, (void) arg, (void) err;
    o->text = g_strdup("bantam " BANTAM_VERSION "\n");
    return true;
}

bool opt_help(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    GString *s = g_string_new(
        "usage: bantam [OPTION]... [DISK_IMAGE]\n\nDISK_IMAGE is a hard disk: the same as -hda.\n");

    (void) opt, (void) arg, (void) err;
    for (int g = 0; g < N_GROUPS; g++) {
        g_string_append_printf(s, "\n%s:\n", group_names[g]);
        for (const struct option *t = option_table; t->name; t++) {
            if ((int) t->group != g || !t->help)
                continue;
            char *left = g_strdup_printf("-%s%s%s", t->name, t->arg ? " " : "", t->arg ? t->arg : "");
            if (strlen(left) <= 26)
                g_string_append_printf(s, "  %-26s  %s\n", left, t->help);
            else
                g_string_append_printf(s, "  %s\n  %26s  %s\n", left, "", t->help);
            g_free(left);
        }
    }
    g_string_append(s, "\nOptions are QEMU's; '-OPTION help' lists what an option takes. See bantam(1).\n");
    o->text = g_string_free(s, FALSE);
    return true;
}

bool opt_display(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    static const char *const known[] = { "sdl",          "gtk",       "vnc",  "curses", "cocoa",
                                         "egl-headless", "spice-app", "dbus", NULL };
    char *name = g_strndup(arg, strcspn(arg, ",="));
    bool ok = true;

    (void) opt;
    if (is_help(arg))
        o->text = g_strdup("Displays for -display:\nnone\n");
    else if (!strcmp(name, "none"))
        o->state->display_none = true;
    else if (g_strv_contains(known, name))
        ok = fail(err, "-display: '%s' is not built yet; use -display none", name);
    else
        ok = fail(err, "-display: there is no display '%s'; use -display none", name);
    g_free(name);
    return ok;
}

bool opt_vnc(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) o;
    return !strcmp(arg, "none") ||
           fail(err, "-%s: a VNC server is not built yet; use -display none", opt->name);
}

static void list_tracers(struct options *o)
{
    GString *s = g_string_new("mem\npio\nvm\n");

    for (unsigned i = 0; device_catalog[i]; i++)
        g_string_append_printf(s, "%s\n", device_catalog[i]->name);
    o->text = g_string_free(s, FALSE);
}

/* One pattern a line; '#' begins a comment. */
static bool read_patterns(struct options *o, const char *path, GError **err)
{
    GError *why = NULL;
    char *text;

    if (!g_file_get_contents(path, &text, NULL, &why)) {
        fail(err, "-trace: events: %s", why->message);
        g_error_free(why);
        return false;
    }
    char **lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++)
        if (*g_strstrip(*l) && **l != '#')
            g_ptr_array_add(o->traces, g_strdup(*l));
    g_strfreev(lines);
    g_free(text);
    return true;
}

bool opt_trace(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct trace_opts {
        char *enable, *events, *file;
    } t = { 0 };
    static const struct prop props[] = { PROP_STR(struct trace_opts, enable, NULL),
                                         PROP_STR(struct trace_opts, events, NULL),
                                         PROP_STR(struct trace_opts, file, NULL),
                                         {} };
    struct keyvals kv;

    (void) opt;
    if (is_help(arg)) {
        list_tracers(o);
        return true;
    }
    if (!keyvals_parse(&kv, "-trace", arg, "enable", err))
        return false;
    bool ok = keyvals_apply(&kv, "-trace", props, NULL, &t, err);
    if (ok && t.enable)
        g_ptr_array_add(o->traces, g_steal_pointer(&t.enable));
    if (ok && t.events)
        ok = read_patterns(o, t.events, err);
    if (ok && t.file) {
        g_free(o->log_file);
        o->log_file = g_steal_pointer(&t.file);
    }
    props_free(props, &t);
    keyvals_clear(&kv);
    return ok;
}

bool opt_log_items(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    static const char *const known[] = { "guest_errors", "unimp", NULL };
    static const char *const tcg[] = { "out_asm", "in_asm", "op",  "op_opt", "op_ind",    "int",  "exec",
                                       "cpu",     "fpu",    "mmu", "pcall",  "cpu_reset", "page", "nochain",
                                       "strace",  "plugin", "tid", "vpu",    NULL };
    bool ok = true;

    (void) opt;
    if (is_help(arg)) {
        o->text =
            g_strdup("Log items for -d (comma separated):\nguest_errors  what guests do wrong with devices\n"
                     "unimp         what devices don't do\ntrace:PATTERN as -trace PATTERN\n");
        return true;
    }
    char **items = g_strsplit(arg, ",", -1);
    for (char **i = items; ok && *i; i++) {
        if (g_str_has_prefix(*i, "trace:")) {
            g_ptr_array_add(o->traces, g_strdup(*i + 6));
        } else if (g_strv_contains(known, *i)) {
            o->guest_errors = true;
        } else if (g_strv_contains(tcg, *i)) {
            ok = fail(
                err,
                "-d: '%s' looks into an emulated CPU, which KVM has not; use guest_errors or trace:PATTERN",
                *i);
        } else {
            char *hint = nearest_hint(*i, known);
            ok = fail(err, "-d: there is no log item '%s'%s; see -d help", *i, hint);
            g_free(hint);
        }
    }
    g_strfreev(items);
    return ok;
}

bool opt_sandbox(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) o;
    if (!strcmp(arg, "off") || g_str_has_prefix(arg, "off,"))
        return true;
    return fail(err, "-%s: not built; leave it out", opt->name);
}
