/* vmm/net/user_conf.c - addresses and forwarding rules of -netdev user. */
#include "vmm/net/user_impl.h"

#include <arpa/inet.h>

static bool parse_v4(const char *what, const char *key, const char *s, struct in_addr *a, GError **err)
{
    return inet_pton(AF_INET, s, a) == 1 || fail(err, "%s: %s: '%s' is no IPv4 address", what, key, s);
}

static bool parse_v6(const char *what, const char *key, const char *s, struct in6_addr *a, GError **err)
{
    return inet_pton(AF_INET6, s, a) == 1 || fail(err, "%s: %s: '%s' is no IPv6 address", what, key, s);
}

static uint32_t mask_of(unsigned bits)
{
    return bits ? htonl(UINT32_MAX << (32 - bits)) : 0;
}

/* "10.0.2.0/24", "10.0.2.0/255.255.255.0", "10.0.2.2" (the class's mask) */
static bool parse_net(const char *what, const char *s, struct user_net *u, GError **err)
{
    char *addr = g_strdup(s), *slash = strchr(addr, '/');
    uint64_t bits;
    bool ok = true;

    if (slash)
        *slash++ = 0;
    ok = parse_v4(what, "net", addr, &u->net, err);
    if (ok && !slash) {
        uint8_t first = (uint8_t) (ntohl(u->net.s_addr) >> 24);
        u->mask.s_addr = mask_of(first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 28);
    } else if (ok && strchr(slash, '.')) {
        ok = parse_v4(what, "net", slash, &u->mask, err);
        uint32_t m = ~ntohl(u->mask.s_addr);
        if (ok && (m & (m + 1)))
            ok = fail(err, "%s: net: '%s' is no mask", what, slash);
    } else if (ok) {
        ok = parse_u64("net", slash, 4, 30, &bits, err) || fail_prefix(err, "%s", what);
        u->mask.s_addr = ok ? mask_of((unsigned) bits) : 0;
    }
    if (ok && (ntohl(~u->mask.s_addr) < 31))
        ok = fail(err, "%s: net: '%s' has no room for host, name server and guests; use a /24", what, s);
    u->net.s_addr &= u->mask.s_addr;
    g_free(addr);
    return ok;
}

static bool inside(const char *what, const char *key, const char *s, const struct user_net *u, struct in_addr *a,
                   unsigned def, GError **err)
{
    if (!s) {
        a->s_addr = u->net.s_addr | (htonl(def) & ~u->mask.s_addr);
        return true;
    }
    if (!parse_v4(what, key, s, a, err))
        return false;
    if ((a->s_addr & u->mask.s_addr) != u->net.s_addr || a->s_addr == u->net.s_addr ||
        a->s_addr == (u->net.s_addr | ~u->mask.s_addr)) {
        char net[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];
        return fail(err, "%s: %s: %s is not a host's address in the network %s/%s", what, key, s,
                    inet_ntop(AF_INET, &u->net, net, sizeof net), inet_ntop(AF_INET, &u->mask, mask, sizeof mask));
    }
    return true;
}

static bool in_prefix(const struct in6_addr *a, const struct user_net *u)
{
    unsigned whole = u->prefix6_len / 8, bits = u->prefix6_len % 8;

    return !memcmp(a, &u->prefix6, whole) &&
           (!bits || !((a->s6_addr[whole] ^ u->prefix6.s6_addr[whole]) >> (8 - bits)));
}

static bool inside6(const char *what, const char *key, const char *s, const struct user_net *u, struct in6_addr *a,
                    uint8_t def, GError **err)
{
    if (!s) {
        *a = u->prefix6;
        a->s6_addr[15] |= def;
        return true;
    }
    return parse_v6(what, key, s, a, err) &&
           (in_prefix(a, u) || fail(err, "%s: %s: %s is not in the network of ipv6-net", what, key, s));
}

static bool parse_net6(const struct netdev_config *c, const char *what, struct user_net *u, GError **err)
{
    const char *net = c->ipv6_net ? c->ipv6_net : c->ipv6_prefix ? c->ipv6_prefix : "fec0::";
    char *addr = g_strdup(net), *slash = strchr(addr, '/');
    uint64_t len = c->ipv6_prefixlen ? c->ipv6_prefixlen : 64;

    if (slash)
        *slash++ = 0;
    bool ok = parse_v6(what, "ipv6-net", addr, &u->prefix6, err) &&
              (!slash || parse_u64("ipv6-net", slash, 1, 126, &len, err) || fail_prefix(err, "%s", what));
    if (ok && len > 126)
        ok = fail(err, "%s: ipv6-prefixlen: %u is out of range: 1 to 126", what, c->ipv6_prefixlen);
    u->prefix6_len = (uint8_t) len;
    for (unsigned i = 0; ok && i < 128; i++)
        if (i >= len && (u->prefix6.s6_addr[i / 8] & (0x80 >> i % 8)))
            ok = fail(err, "%s: ipv6-net: '%s' has bits beyond its prefix of %u", what, addr, (unsigned) len);
    g_free(addr);
    return ok;
}

bool user_net_parse(const struct netdev_config *c, const char *what, struct user_net *u, GError **err)
{
    *u = (struct user_net){ 0 };
    /* ipv6=on by itself means that only, as ipv4=on does */
    u->v4 = c->ipv4 == OOA_ON || (c->ipv4 == OOA_AUTO && c->ipv6 != OOA_ON);
    u->v6 = c->ipv6 == OOA_ON || (c->ipv6 == OOA_AUTO && c->ipv4 != OOA_ON);
    if (!u->v4 && !u->v6)
        return fail(err, "%s: both ipv4 and ipv6 are off", what);
    if (!u->v4 && (c->net || c->host || c->dhcpstart || c->dns))
        return fail(err, "%s: net, host, dhcpstart and dns need ipv4=on", what);
    if (!u->v6 && (c->ipv6_net || c->ipv6_prefix || c->ipv6_prefixlen || c->ipv6_host || c->ipv6_dns))
        return fail(err, "%s: ipv6-net, ipv6-host and ipv6-dns need ipv6=on", what);
    if (c->ipv6_net && (c->ipv6_prefix || c->ipv6_prefixlen))
        return fail(err, "%s: give either ipv6-net or ipv6-prefix and ipv6-prefixlen", what);
    if (!parse_net(what, c->net ? c->net : "10.0.2.0/24", u, err) ||
        !inside(what, "host", c->host, u, &u->host, 2, err) ||
        !inside(what, "dhcpstart", c->dhcpstart, u, &u->dhcp, 15, err) ||
        !inside(what, "dns", c->dns, u, &u->dns, 3, err))
        return false;
    if (u->host.s_addr == u->dns.s_addr)
        return fail(err, "%s: host and dns are the same address", what);
    if (u->host.s_addr == u->dhcp.s_addr || u->dns.s_addr == u->dhcp.s_addr)
        return fail(err, "%s: dhcpstart is the address of host or dns", what);
    if (!parse_net6(c, what, u, err) || !inside6(what, "ipv6-host", c->ipv6_host, u, &u->host6, 2, err) ||
        !inside6(what, "ipv6-dns", c->ipv6_dns, u, &u->dns6, 3, err))
        return false;
    return !IN6_ARE_ADDR_EQUAL(&u->host6, &u->dns6) ||
           fail(err, "%s: ipv6-host and ipv6-dns are the same address", what);
}

/* --- rules ----------------------------------------------------------------------------------------- */

static const char hostfwd_form[] = "write [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport";

/* What is before `sep` in *p ('[' ... ']' hides it), and *p behind it.  NULL: it is not there. */
static char *take(const char **p, char sep)
{
    const char *from = **p == '[' ? strchr(*p, ']') : *p, *at = from ? strchr(from, sep) : NULL;

    if (!at)
        return NULL;
    char *s = g_strndup(*p, (size_t) (at - *p));
    *p = at + 1;
    return s;
}

static bool parse_port(const char *s, unsigned min, unsigned *port, GError **err)
{
    uint64_t v;

    if (!parse_u64("port", s, min, 65535, &v, err))
        return false;
    *port = (unsigned) v;
    return true;
}

/* "", "10.0.2.15", "[fec0::15]" */
static bool parse_addr(const char *s, const char *port, unsigned min_port, struct sockaddr_storage *a, GError **err)
{
    struct sockaddr_in *in = (struct sockaddr_in *) a;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) a;
    unsigned n;

    memset(a, 0, sizeof *a);
    if (!parse_port(port, min_port, &n, err))
        return false;
    if (*s == '[') {
        char *inner = g_strndup(s + 1, strlen(s) - 2);
        bool ok = s[strlen(s) - 1] == ']' && parse_v6("hostfwd", "address", inner, &in6->sin6_addr, err);
        g_free(inner);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t) n);
        return ok;
    }
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t) n);
    return !*s || parse_v4("hostfwd", "address", s, &in->sin_addr, err);
}

bool user_fwd_parse(const char *rule, bool remove, struct user_fwd *f, GError **err)
{
    const char *p = rule;
    char *proto = take(&p, ':'), *host = proto ? take(&p, ':') : NULL;
    char *port = !host ? NULL : remove ? g_strdup(p) : take(&p, '-');
    char *guest = port && !remove ? take(&p, ':') : NULL;
    bool ok = port && (remove || guest);

    if (!ok)
        fail(err, "'%s': %s", rule, remove ? "write [tcp|udp]:[hostaddr]:hostport" : hostfwd_form);
    if (ok && *proto && strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
        ok = fail(err, "'%s': '%s' is neither tcp nor udp", rule, proto);
    if (ok)
        f->udp = !strcmp(proto, "udp");
    ok = ok && (parse_addr(host, port, 0, &f->host, err) || fail_prefix(err, "'%s'", rule));
    if (ok && !remove) {
        bool v6 = f->host.ss_family == AF_INET6;
        ok = parse_addr(v6 && !*guest ? "[::]" : guest, p, 1, &f->guest, err) || fail_prefix(err, "'%s'", rule);
        if (ok && f->guest.ss_family != f->host.ss_family)
            ok = fail(err, "'%s': one address is IPv4, the other IPv6", rule);
    }
    g_free(proto);
    g_free(host);
    g_free(port);
    g_free(guest);
    return ok;
}

bool user_guestfwd_parse(const char *rule, struct in_addr *server, unsigned *port, const char **rest, GError **err)
{
    const char *p = rule;
    char *proto = take(&p, ':'), *addr = proto ? take(&p, ':') : NULL, *num = addr ? take(&p, '-') : NULL;
    bool ok = num && *p;

    if (!ok)
        fail(err, "guestfwd '%s': write [tcp]:[server]:port-DEV or [tcp]:[server]:port-cmd:COMMAND", rule);
    if (ok && *proto && strcmp(proto, "tcp") != 0)
        ok = fail(err, "guestfwd '%s': '%s': only tcp", rule, proto);
    server->s_addr = 0;
    ok = ok && (!*addr || parse_v4("guestfwd", "server", addr, server, err)) &&
         (parse_port(num, 1, port, err) || fail_prefix(err, "guestfwd '%s'", rule));
    *rest = p;
    g_free(proto);
    g_free(addr);
    g_free(num);
    return ok;
}

/* Names go into DHCP options, whose length is one byte. */
static bool check_name(const char *what, const char *key, const char *s, size_t max, GError **err)
{
    return !s || strlen(s) <= max || fail(err, "%s: %s is longer than %zu characters", what, key, max);
}

bool user_check(const struct netdev_config *c, const char *what, GError **err)
{
    struct user_net u;
    struct user_fwd f;
    struct in_addr server;
    const char *rest;
    unsigned port;

    if (!user_net_parse(c, what, &u, err) || !check_name(what, "hostname", c->hostname, 32, err) ||
        !check_name(what, "domainname", c->domainname, 255, err) ||
        !check_name(what, "tftp-server-name", c->tftp_server_name, 63, err) ||
        !check_name(what, "bootfile", c->bootfile, 127, err))
        return false;
    for (unsigned i = 0; i < c->dnssearch->len; i++)
        if (!check_name(what, "dnssearch", c->dnssearch->pdata[i], 250, err))
            return false;
    for (unsigned i = 0; i < c->hostfwd->len; i++) {
        if (!user_fwd_parse(c->hostfwd->pdata[i], false, &f, err))
            return fail_prefix(err, "%s: hostfwd", what);
        if (f.host.ss_family == AF_INET ? !u.v4 : !u.v6)
            return fail(err, "%s: hostfwd '%s': this IP version is off", what, (char *) c->hostfwd->pdata[i]);
    }
    for (unsigned i = 0; i < c->guestfwd->len; i++) {
        const struct netdev_guestfwd *g = c->guestfwd->pdata[i];
        if (!user_guestfwd_parse(g->rule, &server, &port, &rest, err))
            return fail_prefix(err, "%s", what);
        if (server.s_addr && ((server.s_addr & u.mask.s_addr) != u.net.s_addr || server.s_addr == u.host.s_addr ||
                              server.s_addr == u.dns.s_addr))
            return fail(err, "%s: guestfwd '%s': the server is not a free address of the network", what, g->rule);
    }
    return true;
}
