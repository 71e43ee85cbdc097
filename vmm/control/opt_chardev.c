/* vmm/control/opt_chardev.c - -chardev, and the short specs of -serial, -monitor, -debugcon. */
#include "vmm/control/options_impl.h"

const struct prop chardev_props[] = {
    PROP_BOOL(struct chardev_config, mux, false, .desc = "several front ends; Ctrl-a c goes to the next"),
    PROP_STR(struct chardev_config, logfile, NULL, .desc = "a copy of all output"),
    PROP_BOOL(struct chardev_config, logappend, false, .desc = "add to the log file"),
    PROP_BOOL(struct chardev_config, signal, true, .desc = "stdio: Ctrl-c ends the VMM"),
    PROP_STR(struct chardev_config, path, NULL, .desc = "file, pipe, serial, unix socket"),
    PROP_STR(struct chardev_config, input_path, NULL, .name = "input-path",
             .desc = "file: input comes from here"),
    PROP_BOOL(struct chardev_config, append, false, .desc = "file: add to it"),
    PROP_SIZE(struct chardev_config, size, 64 * KiB, .desc = "ringbuf: a power of two"),
    PROP_STR(struct chardev_config, host, NULL, .desc = "socket: address"),
    PROP_STR(struct chardev_config, port, NULL, .desc = "socket: number or service"),
    PROP_U32(struct chardev_config, to, 0, .max = 65535, .desc = "socket server: last port to try"),
    PROP_BOOL(struct chardev_config, ipv4, false, .desc = "socket: IPv4 only"),
    PROP_BOOL(struct chardev_config, ipv6, false, .desc = "socket: IPv6 only"),
    PROP_BOOL(struct chardev_config, nodelay, false, .desc = "socket: no Nagle algorithm"),
    PROP_BOOL(struct chardev_config, server, false, .desc = "socket: listen"),
    PROP_BOOL(struct chardev_config, wait, true, .desc = "socket server: wait for the first client"),
    PROP_BOOL(struct chardev_config, telnet, false, .desc = "socket: telnet protocol"),
    PROP_BOOL(struct chardev_config, abstract, false, .desc = "unix socket: abstract name space"),
    PROP_BOOL(struct chardev_config, tight, true, .desc = "abstract: the name is not padded"),
    PROP_U32(struct chardev_config, reconnect, 0, .max = 86400,
             .desc = "socket client: seconds between attempts"),
    {}
};

static const struct refused_key chardev_refused[] = {
    { "websocket", "off", "not built" },
    { "tls-creds", NULL, "TLS is not built" },
    { "tls-authz", NULL, "TLS is not built" },
    { "tn3270", "off", "not built" },
    { "fd", NULL, "passing descriptors is not built; use path=" },
    { "delay", "on|off", "use nodelay=on" },
    { "mptcp", "off", "not built" },
    { "keep-alive", "off", "not built" },
    { "reconnect-ms", "0", "use reconnect= in seconds" },
    {}
};

/* Which properties each kind knows beyond the common ones */
static const char *const common[] = { "mux", "logfile", "logappend", NULL };
static const char *const kind_props[N_CHARDEV_KINDS][16] = {
    [CHARDEV_STDIO] = { "signal" },
    [CHARDEV_FILE] = { "path", "append", "input-path" },
    [CHARDEV_SOCKET] = { "path", "host", "port", "to", "ipv4", "ipv6", "nodelay", "server", "wait", "telnet",
                         "abstract", "tight", "reconnect" },
    [CHARDEV_PIPE] = { "path" },
    [CHARDEV_TTY] = { "path" },
    [CHARDEV_RINGBUF] = { "size" },
};

static bool kind_of(const char *what, const char *name, int *kind, GError **err)
{
    static const char *const gone[] = { "udp",      "msmouse",  "vc",        "braille",
                                        "wctablet", "testdev",  "console",   "parallel",
                                        "parport",  "spicevmc", "spiceport", "qemu-vdagent",
                                        "dbus",     "memory",   "hub",       NULL };
    const char *same = !strcmp(name, "tty") ? "serial" : !strcmp(name, "memory") ? "ringbuf" : name;

    for (int i = 0; i < N_CHARDEV_KINDS; i++)
        if (!strcmp(same, chardev_kind_names[i])) {
            *kind = i;
            return true;
        }
    char *all = g_strjoinv(", ", (char **) chardev_kind_names);
    if (g_strv_contains(gone, name)) {
        fail(err, "%s: chardev '%s' is not built; there are: %s", what, name, all);
    } else {
        char *hint = nearest_hint(name, chardev_kind_names);
        fail(err, "%s: there is no chardev '%s'%s; there are: %s", what, name, hint, all);
        g_free(hint);
    }
    g_free(all);
    return false;
}

static bool check(const char *what, const struct chardev_config *c, GError **err)
{
    switch (c->kind) {
    case CHARDEV_FILE: case CHARDEV_PIPE: case CHARDEV_TTY:
        if (!c->path || !*c->path)
            return fail(err, "%s: the path is missing: path=...", what);
        break;
    case CHARDEV_RINGBUF:
        if (!c->size || (c->size & (c->size - 1)) || c->size > 64 * MiB)
            return fail(err, "%s: size: a power of two up to 64M", what);
        break;
    case CHARDEV_SOCKET:
        if (!c->path == !c->port)
            return fail(err, "%s: a socket needs either path=... or host=...,port=...", what);
        if (c->path && (!*c->path || strlen(c->path) > 106))
            return fail(err, "%s: path: a unix socket's path has 1 to 106 characters", what);
        if (c->path && (c->host || c->to || c->nodelay || c->ipv4 || c->ipv6))
            return fail(err, "%s: host, to, nodelay, ipv4 and ipv6 don't go with path=", what);
        if (!c->path && c->abstract)
            return fail(err, "%s: abstract goes with path=", what);
        if (c->reconnect && c->server)
            return fail(err, "%s: reconnect is for a client, not with server=on", what);
        break;
    default:
        break;
    }
    if (c->logappend && !c->logfile)
        return fail(err, "%s: logappend needs logfile=...", what);
    return true;
}

/* Set cfg (initialised, with kind and what else is known) from a list. */
static bool set_props(const char *what, struct keyvals *kv, struct chardev_config *cfg, GError **err)
{
    struct prop allowed[24] = { 0 };
    unsigned n = 0;

    for (unsigned i = 0; common[i]; i++)
        allowed[n++] = *prop_find(chardev_props, common[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(kind_props[0]) && kind_props[cfg->kind][i]; i++)
        allowed[n++] = *prop_find(chardev_props, kind_props[cfg->kind][i]);
    const char *wait = keyvals_get(kv, "wait");
    if (cfg->kind == CHARDEV_SOCKET && wait && !keyvals_get(kv, "server"))
        return fail(err, "%s: wait is for a server: server=on", what);
    return keyvals_apply(kv, what, allowed, chardev_refused, cfg, err) && check(what, cfg, err);
}

bool opt_chardev(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct keyvals kv;
    char what[80] = "-chardev";

    (void) opt;
    if (is_help(arg)) {
        char *all = g_strjoinv("\n  ", (char **) chardev_kind_names);
        o->text = g_strdup_printf("Available chardev backend types:\n  %s\n", all);
        g_free(all);
        return true;
    }
    if (!keyvals_parse(&kv, what, arg, "backend", err))
        return false;
    const char *backend = keyvals_take(&kv, "backend"), *id = keyvals_take(&kv, "id");
    struct chardev_config *cfg = g_new0(struct chardev_config, 1);
    chardev_config_init(cfg);
    g_ptr_array_add(o->chardevs, cfg);
    bool ok = backend ? kind_of(what, backend, &cfg->kind, err)
                      : fail(err, "-chardev: which? for example -chardev stdio,id=c0");
    if (ok && !id)
        ok = fail(err, "-chardev %s: an id is missing: id=...", backend);
    if (ok) {
        cfg->id = g_strdup(id);
        g_snprintf(what, sizeof what, "chardev '%s'", id);
        ok = options_claim_id(o, "chardev", "-chardev", id, err) && set_props(what, &kv, cfg, err);
    }
    keyvals_clear(&kv);
    return ok;
}

const struct chardev_config *options_chardev(const struct options *o, const char *id)
{
    for (unsigned i = 0; i < o->chardevs->len; i++) {
        const struct chardev_config *c = o->chardevs->pdata[i];
        if (c->id && !strcmp(c->id, id))
            return c;
    }
    return NULL;
}

/* --- short specs ---------------------------------------------------------------------------------- */

/* "[host]:port[,key=value...]" */
static bool parse_tcp(const char *what, const char *text, struct chardev_config *cfg, GError **err)
{
    size_t len = strcspn(text, ",");
    const char *colon = text[0] == '[' ? memchr(text, ']', len) : NULL;
    struct keyvals kv;

    colon = colon ? (colon[1] == ':' ? colon + 1 : NULL) : memchr(text, ':', len);
    if (!colon || colon + 1 == text + len)
        return fail(err, "%s: '%s': a port is missing; write for example tcp:localhost:4444", what, text);
    const char *host = text;
    size_t host_len = (size_t) (colon - text);
    if (text[0] == '[') {
        host++;
        host_len -= 2;
    }
    cfg->host = host_len ? g_strndup(host, host_len) : NULL;
    cfg->port = g_strndup(colon + 1, (size_t) (text + len - colon - 1));
    if (!keyvals_parse(&kv, what, text + len + (text[len] == ','), NULL, err))
        return false;
    bool ok = set_props(what, &kv, cfg, err);
    keyvals_clear(&kv);
    return ok;
}

static bool parse_unix(const char *what, const char *text, struct chardev_config *cfg, GError **err)
{
    struct keyvals kv;

    if (!keyvals_parse(&kv, what, text, "path", err))
        return false;
    bool ok = set_props(what, &kv, cfg, err);
    keyvals_clear(&kv);
    return ok;
}

/* Fill cfg, which is initialised and has its id. */
static bool parse_spec(const char *what, const char *spec, struct chardev_config *cfg, GError **err)
{
    static const struct {
        const char *prefix;
        int kind;
    } forms[] = {
        { "file:", CHARDEV_FILE },  { "pipe:", CHARDEV_PIPE },     { "unix:", CHARDEV_SOCKET },
        { "tcp:", CHARDEV_SOCKET }, { "telnet:", CHARDEV_SOCKET }, { "ringbuf:", CHARDEV_RINGBUF }
    };
    static const char *const words[] = { "null",      "stdio", "pty",   "vc",   "none",
                                         "mon:stdio", "file:", "unix:", "tcp:", "telnet:",
                                         "chardev:",  "pipe:", NULL };

    if (!strcmp(spec, "null") || !strcmp(spec, "vc") || g_str_has_prefix(spec, "vc:"))
        cfg->kind = CHARDEV_NULL; /* there is no window that a virtual console could be in */
    else if (!strcmp(spec, "stdio"))
        cfg->kind = CHARDEV_STDIO;
    else if (!strcmp(spec, "pty"))
        cfg->kind = CHARDEV_PTY;
    else if (g_str_has_prefix(spec, "/dev/")) {
        cfg->kind = CHARDEV_TTY;
        cfg->path = g_strdup(spec);
    } else {
        for (unsigned i = 0; i < G_N_ELEMENTS(forms); i++) {
            if (!g_str_has_prefix(spec, forms[i].prefix))
                continue;
            const char *rest = spec + strlen(forms[i].prefix);
            cfg->kind = forms[i].kind;
            cfg->telnet = spec[1] == 'e';
            if (spec[0] == 't')
                return parse_tcp(what, rest, cfg, err);
            if (spec[0] == 'u')
                return parse_unix(what, rest, cfg, err);
            cfg->path = g_strdup(rest);
            return check(what, cfg, err);
        }
        if (g_str_has_prefix(spec, "udp:") || g_str_has_prefix(spec, "websocket:") ||
            g_str_has_prefix(spec, "con:") || !strcmp(spec, "msmouse") || !strcmp(spec, "braille") ||
            g_str_has_prefix(spec, "fdname:"))
            return fail(
                err,
                "%s: '%s' is not built; use for example stdio, pty, file:PATH, unix:PATH,server=on,wait=off",
                what, spec);
        char *hint = nearest_hint(spec, words);
        fail(err,
             "%s: '%s' is no character device%s; use for example stdio, pty, file:PATH, "
             "unix:PATH,server=on,wait=off",
             what, spec, hint);
        g_free(hint);
        return false;
    }
    return true;
}

/* The id of the chardev that a spec means: made, or "chardev:id".  *id is NULL for "none". */
static bool resolve_spec(struct options *o, const char *what, const char *name, const char *spec, char **id,
                         bool *monitor, GError **err)
{
    *id = NULL;
    if (!strcmp(spec, "none"))
        return true;
    if (g_str_has_prefix(spec, "chardev:")) {
        if (!options_chardev(o, spec + 8))
            return fail(err, "%s: there is no chardev with id '%s'", what, spec + 8);
        *id = g_strdup(spec + 8);
        return true;
    }
    bool mon = g_str_has_prefix(spec, "mon:");
    struct chardev_config *cfg = g_new0(struct chardev_config, 1);
    chardev_config_init(cfg);
    g_ptr_array_add(o->chardevs, cfg);
    cfg->id = g_strdup(name);
    if (!options_claim_id(o, "chardev", what, name, err) || !parse_spec(what, spec + (mon ? 4 : 0), cfg, err))
        return false;
    if (mon) {
        cfg->mux = true;
        if (cfg->kind == CHARDEV_STDIO)
            cfg->signal = false; /* Ctrl-c goes to the guest */
        if (monitor)
            *monitor = true;
    }
    *id = g_strdup(name);
    return true;
}

bool opt_serial(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    if (o->state->serial_specs->len == PC_N_SERIAL)
        return fail(err, "-%s: a PC has %d serial ports", opt->name, PC_N_SERIAL);
    g_ptr_array_add(o->state->serial_specs, g_strdup(arg));
    return true;
}

bool opt_parallel(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) o;
    if (!strcmp(arg, "none") || !strcmp(arg, "null") || !strcmp(arg, "vc"))
        return true;
    return fail(err, "-%s: a parallel port is not built; use -parallel none", opt->name);
}

bool opt_debugcon(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    if (o->debugcon)
        return fail(err, "-%s can be given once", opt->name);
    o->debugcon = g_strdup(arg); /* resolved at the end: chardev:id may come later */
    return true;
}

/* --- monitors ------------------------------------------------------------------------------------- */

void opt_monitor_free(void *p)
{
    struct opt_monitor *m = p;

    g_free(m->chardev);
    g_free(m);
}

static void add_monitor(struct options *o, const char *chardev, bool qmp, bool pretty)
{
    struct opt_monitor *m = g_new0(struct opt_monitor, 1);

    m->chardev = g_strdup(chardev);
    m->readline = !qmp;
    m->qmp = qmp;
    m->pretty = pretty;
    g_ptr_array_add(o->monitors, m);
}

/* Ends with the spec, which is resolved when all chardevs are known. */
static void add_spec(struct options *o, const char *option, const char *spec)
{
    g_ptr_array_add(o->state->monitor_specs, g_strdup_printf("%s %s", option, spec));
}

bool opt_monitor(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) err;
    o->state->monitor_given = true;
    add_spec(o, opt->name, arg);
    return true;
}

bool opt_qmp(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    if (g_str_has_prefix(arg, "mon:"))
        return fail(err, "-%s: '%s' would share the device, and QMP needs one for itself", opt->name, arg);
    o->state->monitor_given = true; /* as QEMU: no default one beside it */
    add_spec(o, opt->name, arg);
    return true;
}

bool opt_mon(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct mon_opts {
        char *chardev;
        int mode;
        bool pretty;
    } mon = { 0 };
    static const char *const modes[] = { "readline", "control", NULL };
    static const struct prop props[] = { PROP_STR(struct mon_opts, chardev, NULL),
                                         PROP_ENUM(struct mon_opts, mode, 0, modes),
                                         PROP_BOOL(struct mon_opts, pretty, false),
                                         {} };
    struct keyvals kv;

    (void) opt;
    if (!keyvals_parse(&kv, "-mon", arg, "chardev", err))
        return false;
    keyvals_take(&kv, "id");
    bool ok = keyvals_apply(&kv, "-mon", props, NULL, &mon, err);
    if (ok && mon.pretty && !mon.mode)
        ok = fail(err, "-mon: pretty=on is for mode=control");
    if (ok && !mon.chardev)
        ok = fail(err, "-mon: which chardev? chardev=id");
    if (ok) {
        o->state->monitor_given = true;
        add_monitor(o, mon.chardev, mon.mode, mon.pretty);
    }
    g_free(mon.chardev);
    keyvals_clear(&kv);
    return ok;
}

/* --- all together ---------------------------------------------------------------------------------- */

/* What QEMU's pc has when nothing is said: a serial port, and a monitor where there is a place for one. */
static void add_defaults(struct options *o)
{
    struct opt_state *st = o->state;
    bool serial = o->pc.defaults && !st->serial_specs->len && !options_has_device(o, "isa-serial") &&
                  !options_has_device(o, "pci-serial");
    bool monitor = o->pc.defaults && !st->monitor_given;

    if (!o->nographic) {
        if (serial)
            g_ptr_array_add(st->serial_specs, g_strdup("null")); /* a port, with nothing plugged in */
        return;
    }
    if (serial && monitor) {
        g_ptr_array_add(st->serial_specs, g_strdup("mon:stdio"));
        return;
    }
    if (serial)
        g_ptr_array_add(st->serial_specs, g_strdup("stdio"));
    bool taken = false; /* -serial mon:... is a monitor already */
    for (unsigned i = 0; i < st->serial_specs->len; i++)
        taken |= g_str_has_prefix(st->serial_specs->pdata[i], "mon:") ||
                 strstr(st->serial_specs->pdata[i], "stdio");
    if (monitor && !taken)
        add_spec(o, "monitor", "stdio");
}

static bool resolve_all(struct options *o, GError **err)
{
    struct opt_state *st = o->state;
    char name[32], *id;
    bool mon;

    for (unsigned i = 0; i < st->serial_specs->len; i++) {
        g_snprintf(name, sizeof name, "serial%u", i);
        mon = false;
        if (!resolve_spec(o, "-serial", name, st->serial_specs->pdata[i], &o->serial[i], &mon, err))
            return false;
        if (mon)
            add_monitor(o, o->serial[i], false, false);
        o->pc.has_serial[i] = o->serial[i] != NULL;
    }
    for (unsigned i = 0; i < st->monitor_specs->len; i++) {
        g_snprintf(name, sizeof name, "compat_monitor%u", i);
        const char *text = st->monitor_specs->pdata[i], *spec = strchr(text, ' ') + 1;
        char *option = g_strdup_printf("-%.*s", (int) (spec - text) - 1, text);
        bool ok = resolve_spec(o, option, name, spec, &id, NULL, err);
        if (ok && id)
            add_monitor(o, id, g_str_has_prefix(option, "-qmp"), g_str_has_suffix(option, "-pretty"));
        g_free(option);
        g_free(id);
        if (!ok)
            return false;
    }
    if (o->debugcon) {
        char *spec = g_steal_pointer(&o->debugcon);
        bool ok = resolve_spec(o, "-debugcon", "debugcon", spec, &o->debugcon, NULL, err);
        g_free(spec);
        return ok;
    }
    return true;
}

static unsigned count_users(const struct options *o, const char *id)
{
    unsigned n = o->debugcon && !strcmp(o->debugcon, id);

    for (unsigned i = 0; i < PC_N_SERIAL; i++)
        n += o->serial[i] && !strcmp(o->serial[i], id);
    for (unsigned i = 0; i < o->monitors->len; i++)
        n += !strcmp(((struct opt_monitor *) o->monitors->pdata[i])->chardev, id);
    for (unsigned i = 0; i < o->devices->len; i++) {
        const char *c = keyvals_get(&((struct opt_device *) o->devices->pdata[i])->kv, "chardev");
        n += c && !strcmp(c, id);
    }
    return n;
}

bool chardevs_finish(struct options *o, GError **err)
{
    const struct chardev_config *stdio = NULL;

    if (o->nographic && o->daemonize)
        return fail(
            err,
            "-nographic and -daemonize can't both be given: a daemon has no terminal; use -display none");
    add_defaults(o);
    if (!resolve_all(o, err))
        return false;
    for (unsigned i = 0; i < o->monitors->len; i++) {
        const char *id = ((struct opt_monitor *) o->monitors->pdata[i])->chardev;
        const struct chardev_config *c = options_chardev(o, id);
        if (!c)
            return fail(err, "-mon: there is no chardev with id '%s'", id);
        if (c->mux && ((struct opt_monitor *) o->monitors->pdata[i])->qmp)
            return fail(err, "-mon: chardev '%s' is shared (mux=on), and QMP needs one for itself", id);
    }
    for (unsigned i = 0; i < o->chardevs->len; i++) {
        const struct chardev_config *c = o->chardevs->pdata[i];
        unsigned users = count_users(o, c->id);
        if (users > (c->mux ? 4 : 1))
            return fail(err, "chardev '%s' is used %u times%s", c->id, users,
                        c->mux ? "; at most 4" : "; add mux=on to share it");
        if (c->kind != CHARDEV_STDIO)
            continue;
        if (stdio)
            return fail(
                err, "chardev '%s': stdio is already used by chardev '%s'; share it by mon:stdio or mux=on",
                c->id, stdio->id);
        if (o->daemonize)
            return fail(
                err,
                "chardev '%s': a daemon has no stdio; leave out -daemonize, or use file: or unix:", c->id);
        stdio = c;
    }
    return true;
}

bool options_open_chardevs(struct options *o, struct vm *vm, GError **err)
{
    for (unsigned i = 0; i < o->chardevs->len; i++)
        if (!chardev_open(vm, o->chardevs->pdata[i], err))
            return false;
    for (unsigned i = 0; i < PC_N_SERIAL; i++)
        o->pc.serial[i] = o->serial[i] ? chardev_find(vm, o->serial[i]) : NULL;
    o->pc.debugcon = o->debugcon ? chardev_find(vm, o->debugcon) : NULL;
    return true;
}
