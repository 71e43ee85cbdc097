/* vmm/net/netdev_impl.h - between the network backends. */
#ifndef BANTAM_NET_NETDEV_IMPL_H
#define BANTAM_NET_NETDEV_IMPL_H

#include "vmm/net/netdev.h"

struct netdev *tap_open(struct vm *vm, const struct netdev_config *c, GError **err); /* bridge, too */
struct netdev *stream_open(struct vm *vm, const struct netdev_config *c, GError **err);
struct netdev *dgram_open(struct vm *vm, const struct netdev_config *c, GError **err);
struct netdev *hub_open(struct vm *vm, const struct netdev_config *c, GError **err);

bool tap_check(const struct netdev_config *c, const char *what, GError **err);
bool stream_check(const struct netdev_config *c, const char *what, GError **err); /* and `socket` of streams */
bool dgram_check(const struct netdev_config *c, const char *what, GError **err);  /* and `socket` of datagrams */

#endif
