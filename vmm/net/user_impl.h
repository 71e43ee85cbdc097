/* vmm/net/user_impl.h - between the files of the `user` backend. */
#ifndef BANTAM_NET_USER_IMPL_H
#define BANTAM_NET_USER_IMPL_H

#include "vmm/net/netdev_impl.h"

#include <netinet/in.h>

struct user_net { /* the virtual network, all filled in */
    bool v4, v6;
    struct in_addr net, mask, host, dhcp, dns;
    struct in6_addr prefix6, host6, dns6;
    uint8_t prefix6_len;
};

struct user_fwd { /* hostfwd */
    bool udp;
    struct sockaddr_storage host, guest; /* both of one family; a guest's address of 0: the first by DHCP */
};

bool user_net_parse(const struct netdev_config *c, const char *what, struct user_net *u, GError **err);
/* "[tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport"; remove: without what is from '-' on. */
bool user_fwd_parse(const char *rule, bool remove, struct user_fwd *f, GError **err);
/* "[tcp]:[server]:port-..." */
bool user_guestfwd_parse(const char *rule, struct in_addr *server, unsigned *port, const char **rest, GError **err);

bool user_check(const struct netdev_config *c, const char *what, GError **err);

struct user_module { /* module slirp: bantam_slirp */
    struct netdev *(*open)(struct vm *vm, const struct netdev_config *c, GError **err);
    char *(*connections)(struct netdev *dev);
    bool (*hostfwd_add)(struct netdev *dev, const char *rule, GError **err);
    bool (*hostfwd_remove)(struct netdev *dev, const char *rule, GError **err);
};
extern const struct user_module bantam_slirp;

#endif
