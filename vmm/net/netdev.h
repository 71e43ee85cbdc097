/* vmm/net/netdev.h - making network backends: what -netdev says, and opening it.
 *
 * netdev_config_check() finds what can be found without opening anything.  netdev_open() is called before the VM runs
 * or from the main thread with no lock held; it blocks for no longer than a script or helper of tap and bridge, or the
 * connect() of `socket` and of a `stream` without reconnect=, takes. */
#ifndef BANTAM_NET_NETDEV_H
#define BANTAM_NET_NETDEV_H

#include "vmm/net/net.h"

enum netdev_kind {
    NETDEV_USER, NETDEV_TAP, NETDEV_BRIDGE, NETDEV_SOCKET, NETDEV_STREAM, NETDEV_DGRAM, NETDEV_HUBPORT, N_NETDEV_KINDS
};
extern const char *const netdev_kind_names[N_NETDEV_KINDS + 1];

enum netaddr_kind { NETADDR_NONE, NETADDR_INET, NETADDR_UNIX, NETADDR_FD };
struct netaddr { /* addr., local., remote. */
    int kind;         /* enum netaddr_kind */
    char *host, *port, *path, *str;
    uint32_t to;      /* listening: try ports up to this one */
    bool numeric, ipv4, ipv6, keep_alive, abstract, tight;
};

struct netdev_guestfwd {
    char *rule;       /* as written: "tcp:10.0.2.100:80-cmd:date"; what follows the port is in: */
    char *chardev;    /* id */
    char *cmd;        /* or a command for each connection */
};

struct netdev_config {
    char *id;
    int kind;         /* enum netdev_kind */
    /* user */
    int ipv4, ipv6;   /* enum on_off_auto */
    char *net, *host, *ipv6_net, *ipv6_prefix, *ipv6_host, *hostname, *dhcpstart, *dns, *ipv6_dns, *domainname, *tftp,
        *tftp_server_name, *bootfile;
    uint32_t ipv6_prefixlen;
    bool restrict_;
    GPtrArray *dnssearch, *hostfwd; /* char * */
    GPtrArray *guestfwd;            /* struct netdev_guestfwd * */
    /* tap, bridge */
    char *ifname, *script, *downscript, *br, *helper, *fds, *vhostfds;
    uint32_t queues;  /* 0: not given */
    uint64_t sndbuf;
    int vnet_hdr;     /* enum on_off_auto */
    bool vhost, vhostforce;
    /* socket; tap: fd */
    char *fd, *listen, *connect, *mcast, *udp, *localaddr;
    /* stream, dgram */
    bool server;
    uint32_t reconnect_ms;
    struct netaddr addr, local, remote;
    /* hubport */
    uint32_t hubid;
    char *netdev;
};

void netdev_config_init(struct netdev_config *c); /* the defaults */
void netdev_config_clear(struct netdev_config *c);
/* `what` is for messages: "netdev 'n0'". */
bool netdev_config_check(const struct netdev_config *c, const char *what, GError **err);

/* Open, and enter into vm->netdevs by its id.  NULL and *err on failure. */
struct netdev *netdev_open(struct vm *vm, const struct netdev_config *c, GError **err);

/* `hubport` only: the hub's number. */
bool netdev_is_hubport(const struct netdev *dev);
unsigned hubport_hub(const struct netdev *dev);
struct netdev *hubport_peer(const struct netdev *dev); /* netdev=, or NULL */

/* `user` only: the monitor's. */
bool netdev_is_user(const struct netdev *dev);
char *user_connections(struct netdev *dev); /* caller frees */
bool user_hostfwd_add(struct netdev *dev, const char *rule, GError **err);
bool user_hostfwd_remove(struct netdev *dev, const char *rule, GError **err);

/* -object filter-dump: frames of a netdev into a pcap file (LINKTYPE_ETHERNET), at most maxlen bytes of each. */
struct net_dump;
struct net_dump *net_dump_open(struct vm *vm, const char *netdev, const char *file, uint32_t maxlen, GError **err);
void net_dump_free(struct net_dump *d); /* NULL is fine; before the netdev */

#endif
