/* vmm/net/netdev.c - opening network backends by their kind. */
#include "vmm/base/module.h"
#include "vmm/net/sockets.h"
#include "vmm/net/user_impl.h"

#include <signal.h>

const char *const netdev_kind_names[] = { "user", "tap", "bridge", "socket", "stream", "dgram", "hubport", NULL };

/* --- `user` is a module ------------------------------------------------------------------------------------- */

static struct netdev *user_open(struct vm *vm, const struct netdev_config *c, GError **err)
{
    const struct user_module *m = module_symbol("slirp", "bantam_slirp", err);

    if (!m)
        fail_prefix(err, "netdev '%s'", c->id);
    return m ? m->open(vm, c, err) : NULL;
}

static const struct user_module *user_module(void) /* there is a netdev that needs it: it is loaded */
{
    return module_symbol("slirp", "bantam_slirp", NULL);
}

bool netdev_is_user(const struct netdev *dev)
{
    return !strcmp(dev->type, "user");
}

char *user_connections(struct netdev *dev)
{
    return user_module()->connections(dev);
}

bool user_hostfwd_add(struct netdev *dev, const char *rule, GError **err)
{
    return user_module()->hostfwd_add(dev, rule, err);
}

bool user_hostfwd_remove(struct netdev *dev, const char *rule, GError **err)
{
    return user_module()->hostfwd_remove(dev, rule, err);
}

/* --- what -netdev says --------------------------------------------------------------------------------------- */

static void free_guestfwd(void *p)
{
    struct netdev_guestfwd *g = p;

    g_free(g->rule);
    g_free(g->chardev);
    g_free(g->cmd);
    g_free(g);
}

void netdev_config_init(struct netdev_config *c)
{
    *c = (struct netdev_config){ .addr.tight = true, .local.tight = true, .remote.tight = true };
    c->dnssearch = g_ptr_array_new_with_free_func(g_free);
    c->hostfwd = g_ptr_array_new_with_free_func(g_free);
    c->guestfwd = g_ptr_array_new_with_free_func(free_guestfwd);
}

void netdev_config_clear(struct netdev_config *c)
{
    char **owned[] = { &c->id,     &c->net,        &c->host,     &c->ipv6_net,         &c->ipv6_prefix, &c->ipv6_host,
                       &c->hostname, &c->dhcpstart, &c->dns,     &c->ipv6_dns,         &c->domainname,  &c->tftp,
                       &c->tftp_server_name, &c->bootfile, &c->ifname, &c->script,     &c->downscript,  &c->br,
                       &c->helper, &c->fds,        &c->vhostfds, &c->fd,               &c->listen,      &c->connect,
                       &c->mcast,  &c->udp,        &c->localaddr, &c->netdev };

    for (unsigned i = 0; i < G_N_ELEMENTS(owned); i++)
        g_clear_pointer(owned[i], g_free);
    netaddr_clear(&c->addr);
    netaddr_clear(&c->local);
    netaddr_clear(&c->remote);
    g_clear_pointer(&c->dnssearch, g_ptr_array_unref);
    g_clear_pointer(&c->hostfwd, g_ptr_array_unref);
    g_clear_pointer(&c->guestfwd, g_ptr_array_unref);
}

static bool socket_check(const struct netdev_config *c, const char *what, GError **err)
{
    int n = (c->listen != NULL) + (c->connect != NULL) + (c->mcast != NULL) + (c->udp != NULL) + (c->fd != NULL), fd;

    if (n != 1)
        return fail(err, "%s: give one of fd=, listen=, connect=, mcast= and udp=", what);
    if (c->fd && !parse_fd(c->fd, &fd, what, err))
        return false;
    return c->mcast || c->udp ? dgram_check(c, what, err) : stream_check(c, what, err);
}

bool netdev_config_check(const struct netdev_config *c, const char *what, GError **err)
{
    switch (c->kind) {
    case NETDEV_USER: return user_check(c, what, err);
    case NETDEV_TAP: case NETDEV_BRIDGE: return tap_check(c, what, err);
    case NETDEV_SOCKET: return socket_check(c, what, err);
    case NETDEV_STREAM: return stream_check(c, what, err);
    case NETDEV_DGRAM: return dgram_check(c, what, err);
    default: return true;
    }
}

struct netdev *netdev_open(struct vm *vm, const struct netdev_config *c, GError **err)
{
    int type = SOCK_STREAM;
    char what[80];

    signal(SIGPIPE, SIG_IGN);
    switch (c->kind) {
    case NETDEV_USER: return user_open(vm, c, err);
    case NETDEV_TAP: case NETDEV_BRIDGE: return tap_open(vm, c, err);
    case NETDEV_STREAM: return stream_open(vm, c, err);
    case NETDEV_DGRAM: return dgram_open(vm, c, err);
    case NETDEV_HUBPORT: return hub_open(vm, c, err);
    default:
        g_snprintf(what, sizeof what, "netdev '%s'", c->id);
        if (c->fd && netsock_fd(c->fd, 0, &type, what, err) < 0)
            return NULL;
        return c->mcast || c->udp || type == SOCK_DGRAM ? dgram_open(vm, c, err) : stream_open(vm, c, err);
    }
}
