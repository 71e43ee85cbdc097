/* vmm/control/opt_net.c - -netdev, -nic, -net, and -object filter-dump. */
#include "vmm/control/options_impl.h"
#include "vmm/net/netdev.h"

#define ADDR_PROPS(F, P)                                                                                           \
    PROP_ENUM(struct netdev_config, F.kind, NETADDR_NONE, addr_kinds, .name = P ".type",                           \
              .desc = "inet, unix or fd"),                                                                         \
    PROP_STR(struct netdev_config, F.host, NULL, .name = P ".host", .desc = "inet: address"),                      \
    PROP_STR(struct netdev_config, F.port, NULL, .name = P ".port", .desc = "inet: number or service"),            \
    PROP_STR(struct netdev_config, F.path, NULL, .name = P ".path", .desc = "unix: path"),                         \
    PROP_STR(struct netdev_config, F.str, NULL, .name = P ".str", .desc = "fd: a descriptor's number"),            \
    PROP_U32(struct netdev_config, F.to, 0, .name = P ".to", .max = 65535, .desc = "inet: last port to try"),      \
    PROP_BOOL(struct netdev_config, F.numeric, false, .name = P ".numeric", .desc = "inet: no names"),             \
    PROP_BOOL(struct netdev_config, F.ipv4, false, .name = P ".ipv4", .desc = "inet: IPv4 only"),                  \
    PROP_BOOL(struct netdev_config, F.ipv6, false, .name = P ".ipv6", .desc = "inet: IPv6 only"),                  \
    PROP_BOOL(struct netdev_config, F.keep_alive, false, .name = P ".keep-alive", .desc = "inet: probe the peer"), \
    PROP_BOOL(struct netdev_config, F.abstract, false, .name = P ".abstract", .desc = "unix: abstract name"),      \
    PROP_BOOL(struct netdev_config, F.tight, true, .name = P ".tight", .desc = "abstract: not padded")

static const char *const addr_kinds[] = { "none", "inet", "unix", "fd", NULL };

static const struct prop user_props[] = {
    PROP_ONOFFAUTO(struct netdev_config, ipv4, OOA_AUTO, .desc = "IPv4"),
    PROP_ONOFFAUTO(struct netdev_config, ipv6, OOA_AUTO, .desc = "IPv6"),
    PROP_STR(struct netdev_config, net, NULL, .desc = "the network: ADDRESS[/BITS] (10.0.2.0/24)"),
    PROP_STR(struct netdev_config, host, NULL, .desc = "the host's address in it"),
    PROP_STR(struct netdev_config, ipv6_net, NULL, .name = "ipv6-net", .desc = "the network: ADDRESS[/BITS]"),
    PROP_STR(struct netdev_config, ipv6_prefix, NULL, .name = "ipv6-prefix", .desc = "the network's prefix"),
    PROP_U32(struct netdev_config, ipv6_prefixlen, 0, .name = "ipv6-prefixlen", .max = 126, .desc = "its bits"),
    PROP_STR(struct netdev_config, ipv6_host, NULL, .name = "ipv6-host", .desc = "the host's address"),
    PROP_BOOL(struct netdev_config, restrict_, false, .name = "restrict", .desc = "no way out but hostfwd, guestfwd"),
    PROP_STR(struct netdev_config, hostname, NULL, .desc = "what DHCP tells the guest"),
    PROP_STR(struct netdev_config, dhcpstart, NULL, .desc = "the first address for guests"),
    PROP_STR(struct netdev_config, dns, NULL, .desc = "the name server's address"),
    PROP_STR(struct netdev_config, ipv6_dns, NULL, .name = "ipv6-dns", .desc = "the name server's address"),
    PROP_STR(struct netdev_config, domainname, NULL, .desc = "what DHCP tells the guest"),
    PROP_STR(struct netdev_config, tftp, NULL, .desc = "a directory to serve by TFTP"),
    PROP_STR(struct netdev_config, tftp_server_name, NULL, .name = "tftp-server-name", .desc = "what DHCP tells"),
    PROP_STR(struct netdev_config, bootfile, NULL, .desc = "what DHCP tells the guest to boot"),
    {}
};
static const struct prop tap_props[] = {
    PROP_STR(struct netdev_config, ifname, NULL, .desc = "the interface"),
    PROP_STR(struct netdev_config, fd, NULL, .desc = "an open one"),
    PROP_STR(struct netdev_config, fds, NULL, .desc = "open ones, ':' between: one for each queue"),
    PROP_STR(struct netdev_config, script, NULL, .desc = "sets it up (no: none)"),
    PROP_STR(struct netdev_config, downscript, NULL, .desc = "takes it down (no: none)"),
    PROP_STR(struct netdev_config, br, NULL, .desc = "helper: the bridge"),
    PROP_STR(struct netdev_config, helper, NULL, .desc = "a program that opens the interface"),
    PROP_U32(struct netdev_config, queues, 0, .max = NET_MAX_QUEUES, .desc = "queues, for mq=on"),
    PROP_SIZE(struct netdev_config, sndbuf, 0, .desc = "limit of what is under way"),
    PROP_ONOFFAUTO(struct netdev_config, vnet_hdr, OOA_AUTO, .desc = "offloads (auto: where the host has them)"),
    PROP_BOOL(struct netdev_config, vhost, false, .desc = "the kernel serves the queues"),
    PROP_BOOL(struct netdev_config, vhostforce, false, .desc = "the same"),
    PROP_STR(struct netdev_config, vhostfds, NULL, .desc = "open /dev/vhost-net"),
    {}
};
static const struct prop bridge_props[] = {
    PROP_STR(struct netdev_config, br, NULL, .desc = "the bridge"),
    PROP_STR(struct netdev_config, helper, NULL, .desc = "a program that opens the interface"),
    {}
};
static const struct prop socket_props[] = {
    PROP_STR(struct netdev_config, fd, NULL, .desc = "an open socket"),
    PROP_STR(struct netdev_config, listen, NULL, .desc = "[HOST]:PORT"),
    PROP_STR(struct netdev_config, connect, NULL, .desc = "HOST:PORT"),
    PROP_STR(struct netdev_config, mcast, NULL, .desc = "ADDRESS:PORT"),
    PROP_STR(struct netdev_config, udp, NULL, .desc = "HOST:PORT"),
    PROP_STR(struct netdev_config, localaddr, NULL, .desc = "mcast: ADDRESS; udp: ADDRESS:PORT"),
    {}
};
static const struct prop stream_props[] = {
    PROP_BOOL(struct netdev_config, server, false, .desc = "listen"),
    PROP_U32(struct netdev_config, reconnect_ms, 0, .name = "reconnect-ms", .desc = "ms between attempts"),
    ADDR_PROPS(addr, "addr"),
    {}
};
static const struct prop dgram_props[] = { ADDR_PROPS(local, "local"), ADDR_PROPS(remote, "remote"), {} };
static const struct prop hub_props[] = {
    PROP_U32(struct netdev_config, hubid, 0, .desc = "which hub"),
    PROP_STR(struct netdev_config, netdev, NULL, .desc = "what is plugged in here (none: a card is)"),
    {}
};
static const struct prop *const kind_props[N_NETDEV_KINDS] = {
    [NETDEV_USER] = user_props, [NETDEV_TAP] = tap_props, [NETDEV_BRIDGE] = bridge_props,
    [NETDEV_SOCKET] = socket_props, [NETDEV_STREAM] = stream_props, [NETDEV_DGRAM] = dgram_props,
    [NETDEV_HUBPORT] = hub_props,
};
static const struct refused_key refused[] = {
    { "smb", NULL, "no file server is built in" },
    { "smbserver", NULL, "no file server is built in" },
    { "poll-us", "0", "an iothread's poll-max-ns is for that" },
    { "vhostfd", NULL, "use vhostfds=" },
    { "reconnect", "0", "use reconnect-ms= in milliseconds" },
    {}
};

/* --- one netdev -------------------------------------------------------------------------------------------- */

/* All values of a key, which may be given several times. */
static void take_list(struct keyvals *kv, const char *key, GPtrArray *to)
{
    for (unsigned i = 0; i < kv->n; i++)
        if (!kv->items[i].used && !strcmp(kv->items[i].key, key)) {
            kv->items[i].used = true;
            g_ptr_array_add(to, g_strdup(kv->items[i].value));
        }
}

/* "tcp:10.0.2.100:80-cmd:PROGRAM" or "...-chardev:ID" */
static bool add_guestfwd(struct options *o, struct netdev_config *c, const char *what, const char *rule, GError **err)
{
    const char *dash = strchr(rule, '-');
    struct netdev_guestfwd *g;

    if (!dash || !dash[1])
        return fail(err, "%s: guestfwd '%s': write tcp:ADDRESS:PORT-cmd:PROGRAM or ...-chardev:ID", what, rule);
    g = g_new0(struct netdev_guestfwd, 1);
    g_ptr_array_add(c->guestfwd, g);
    g->rule = g_strdup(rule);
    if (g_str_has_prefix(dash + 1, "cmd:")) {
        g->cmd = g_strdup(dash + 5);
        return true;
    }
    g->chardev = g_strdup(dash + 1 + (g_str_has_prefix(dash + 1, "chardev:") ? 8 : 0));
    return options_chardev(o, g->chardev) ||
           fail(err, "%s: guestfwd '%s': there is no chardev with id '%s'", what, rule, g->chardev);
}

static bool set_props(struct options *o, struct netdev_config *c, const char *what, struct keyvals *kv, GError **err)
{
    GPtrArray *fwd = g_ptr_array_new_with_free_func(g_free);
    bool ok = true;

    props_set_defaults(kind_props[c->kind], c);
    if (c->kind == NETDEV_USER) {
        take_list(kv, "hostfwd", c->hostfwd);
        take_list(kv, "dnssearch", c->dnssearch);
        take_list(kv, "guestfwd", fwd);
        for (unsigned i = 0; i < fwd->len && ok; i++)
            ok = add_guestfwd(o, c, what, fwd->pdata[i], err);
    }
    g_ptr_array_free(fwd, TRUE);
    return ok && keyvals_apply(kv, what, kind_props[c->kind], refused, c, err) && netdev_config_check(c, what, err);
}

void opt_netdev_free(void *p)
{
    netdev_config_clear(p);
    g_free(p);
}

void opt_dump_free(void *p)
{
    struct opt_dump *d = p;

    g_free(d->id);
    g_free(d->netdev);
    g_free(d->file);
    g_free(d);
}

static bool kind_of(const char *what, const char *name, int *kind, GError **err)
{
    for (int i = 0; i < N_NETDEV_KINDS; i++)
        if (!strcmp(name, netdev_kind_names[i])) {
            *kind = i;
            return true;
        }
    char *hint = nearest_hint(name, netdev_kind_names), *all = g_strjoinv(", ", (char **) netdev_kind_names);
    fail(err, "%s: there is no network backend '%s'%s; there are: %s", what, name, hint, all);
    g_free(hint);
    g_free(all);
    return false;
}

static struct netdev_config *add_netdev(struct options *o, int kind, char *id)
{
    struct netdev_config *c = g_new0(struct netdev_config, 1);

    netdev_config_init(c);
    c->kind = kind;
    c->id = id;
    g_ptr_array_add(o->netdevs, c);
    return c;
}

static bool netdev_help(struct options *o, const char *arg)
{
    if (!is_help(arg))
        return false;
    char *all = g_strjoinv("\n  ", (char **) netdev_kind_names);
    o->text = g_strdup_printf("Available network backends:\n  %s\n", all);
    g_free(all);
    return true;
}

bool opt_netdev(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    char what[80] = "-netdev";
    struct keyvals kv;
    int kind = 0;

    (void) opt;
    if (netdev_help(o, arg))
        return true;
    if (!keyvals_parse(&kv, what, arg, "type", err))
        return false;
    const char *type = keyvals_take(&kv, "type"), *id = keyvals_take(&kv, "id");
    bool ok = type ? kind_of(what, type, &kind, err)
                   : fail(err, "-netdev: which? for example -netdev user,id=n0");
    if (ok && !id)
        ok = fail(err, "-netdev %s: an id is missing: id=...", type);
    if (ok) {
        g_snprintf(what, sizeof what, "netdev '%s'", id);
        ok = options_claim_id(o, "netdev", "-netdev", id, err) &&
             set_props(o, add_netdev(o, kind, g_strdup(id)), what, &kv, err);
    }
    keyvals_clear(&kv);
    return ok;
}

bool options_has_netdev(const struct options *o, const char *id)
{
    for (unsigned i = 0; i < o->netdevs->len; i++)
        if (!strcmp(((struct netdev_config *) o->netdevs->pdata[i])->id, id))
            return true;
    return false;
}

/* --- cards -------------------------------------------------------------------------------------------------- */

static const struct device_class *model_class(const char *what, const char *model, GError **err)
{
    const char *name = !strcmp(model, "virtio") ? "virtio-net-pci" : model;
    const struct device_class *cls = device_class_find(name);
    GString *all;

    for (const struct prop *p = cls ? cls->props : NULL; p && p->type != PT_END; p++)
        if (p->type == PT_NETDEV)
            return cls;
    all = g_string_new(NULL);
    for (unsigned i = 0; device_catalog[i]; i++)
        for (const struct prop *p = device_catalog[i]->props; p && p->type != PT_END; p++)
            if (p->type == PT_NETDEV)
                g_string_append_printf(all, "%s%s", all->len ? ", " : "", device_catalog[i]->name);
    fail(err, "%s: there is no card '%s'; there are: virtio, %s", what, model, all->str);
    g_string_free(all, TRUE);
    return NULL;
}

/* Before every -device, as these cards come first on the bus. */
static bool add_nic(struct options *o, const char *what, const char *model, const char *mac, const char *id,
                    const char *netdev, GError **err)
{
    const struct device_class *cls = model_class(what, model ? model : "virtio", err);
    struct opt_device *d;

    if (!cls || (id && !options_claim_id(o, "device", what, id, err)))
        return false;
    d = g_new0(struct opt_device, 1);
    d->cls = cls;
    d->id = g_strdup(id);
    g_ptr_array_insert(o->devices, (int) o->n_nics++, d);
    char *list = g_strdup_printf("netdev=%s%s%s", netdev, mac ? ",mac=" : "", mac ? mac : "");
    bool ok = keyvals_parse(&d->kv, what, list, NULL, err);
    g_free(list);
    return ok;
}

static bool nic_none(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    if (o->n_nics && !strcmp(arg, "none"))
        return fail(err, "-%s none: there is a card by another -nic or -net", opt->name);
    return true;
}

bool opt_nic(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    const char *what = "-nic";
    struct keyvals kv;
    int kind = 0;

    if (netdev_help(o, arg))
        return true;
    if (!strcmp(arg, "none"))
        return nic_none(o, opt, arg, err);
    if (!keyvals_parse(&kv, what, arg, "type", err))
        return false;
    const char *type = keyvals_take(&kv, "type"), *id = keyvals_take(&kv, "id"), *mac = keyvals_take(&kv, "mac");
    const char *model = keyvals_take(&kv, "model");
    char *netdev = id ? g_strdup(id) : g_strdup_printf("#nic%u", o->n_nics);
    bool ok = (!id || options_claim_id(o, "netdev", what, id, err)) &&
              (type ? kind_of(what, type, &kind, err) : fail(err, "-nic: which? for example -nic user")) &&
              set_props(o, add_netdev(o, kind, g_strdup(netdev)), what, &kv, err) &&
              add_nic(o, what, model, mac, NULL, netdev, err);
    g_free(netdev);
    keyvals_clear(&kv);
    return ok;
}

/* A port of hub 0, where all that -net names comes together. */
static char *add_port(struct options *o, const char *peer)
{
    char *id = g_strdup_printf("#port%u", o->netdevs->len);
    struct netdev_config *c = add_netdev(o, NETDEV_HUBPORT, g_strdup(id));

    c->netdev = g_strdup(peer);
    return id;
}

bool opt_net(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    const char *what = "-net";
    struct keyvals kv;
    int kind = 0;
    bool ok = false;

    if (netdev_help(o, arg))
        return true;
    if (!strcmp(arg, "none"))
        return nic_none(o, opt, arg, err);
    if (!keyvals_parse(&kv, what, arg, "type", err))
        return false;
    const char *type = keyvals_take(&kv, "type"), *name = keyvals_take(&kv, "name");
    if (!type) {
        fail(err, "-net: which? for example -net nic -net user");
    } else if (!strcmp(type, "nic")) {
        static const struct prop none[] = { {} };
        const char *netdev = keyvals_take(&kv, "netdev"), *mac = keyvals_take(&kv, "macaddr");
        const char *model = keyvals_take(&kv, "model");
        char *port = netdev ? g_strdup(netdev) : add_port(o, NULL);
        ok = keyvals_apply(&kv, what, none, NULL, NULL, err) && add_nic(o, what, model, mac, name, port, err);
        g_free(port);
    } else if (kind_of(what, type, &kind, err)) {
        char *id = name ? g_strdup(name) : g_strdup_printf("#net%u", o->netdevs->len);
        ok = (!name || options_claim_id(o, "netdev", what, name, err)) &&
             set_props(o, add_netdev(o, kind, g_strdup(id)), what, &kv, err);
        if (ok)
            g_free(add_port(o, id));
        g_free(id);
    }
    keyvals_clear(&kv);
    return ok;
}

/* --- opening ------------------------------------------------------------------------------------------------ */

bool options_open_netdevs(struct options *o, struct vm *vm, GError **err)
{
    for (int port = 0; port <= 1; port++) /* a hub's ports after what is plugged into them */
        for (unsigned i = 0; i < o->netdevs->len; i++) {
            const struct netdev_config *c = o->netdevs->pdata[i];
            if ((c->kind == NETDEV_HUBPORT) == port && !netdev_open(vm, c, err))
                return false;
        }
    for (unsigned i = 0; i < o->dumps->len; i++) {
        struct opt_dump *d = o->dumps->pdata[i];
        d->dump = net_dump_open(vm, d->netdev, d->file, (uint32_t) MIN(d->maxlen, UINT32_MAX), err);
        if (!d->dump)
            return fail_prefix(err, "-object %s", d->id);
    }
    return true;
}

void options_close_netdevs(struct options *o, struct vm *vm)
{
    for (unsigned i = 0; i < o->dumps->len; i++)
        net_dump_free(g_steal_pointer(&((struct opt_dump *) o->dumps->pdata[i])->dump));
    netdev_free_all(vm);
}

bool netdevs_finish(struct options *o, GError **err)
{
    for (unsigned i = 0; i < o->n_nics && o->pc.is_microvm; i++) {
        struct opt_device *d = o->devices->pdata[i];
        if (!strcmp(d->cls->name, "virtio-net-pci"))
            d->cls = device_class_find("virtio-net-device");
    }
    for (unsigned i = 0; i < o->dumps->len; i++) {
        const struct opt_dump *d = o->dumps->pdata[i];
        if (!options_has_netdev(o, d->netdev))
            return fail(err, "-object %s: there is no netdev with id '%s'", d->id, d->netdev);
    }
    for (unsigned i = 0; i < o->netdevs->len; i++) {
        const struct netdev_config *c = o->netdevs->pdata[i];
        if (c->netdev && !options_has_netdev(o, c->netdev))
            return fail(err, "netdev '%s': there is no netdev with id '%s'", c->id, c->netdev);
    }
    return true;
}
