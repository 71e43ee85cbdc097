/* vmm/net/sockets.h - addresses of the socket backends. */
#ifndef BANTAM_NET_SOCKETS_H
#define BANTAM_NET_SOCKETS_H

#include "vmm/net/netdev_impl.h"

#include <sys/socket.h>

struct netsock { /* where to connect, listen, send to */
    struct sockaddr_storage addr[8]; /* candidates */
    socklen_t len[8];
    unsigned n, to;
    bool file;   /* a socket in the file system */
    char *path;  /* of it: canonical */
    char *text;  /* "127.0.0.1:4000", "unix:/tmp/s", for messages */
};

bool netaddr_check(const struct netaddr *a, const char *what, const char *prefix, GError **err);
/* Look the address up; passive: to bind to.  type: SOCK_STREAM or SOCK_DGRAM. */
bool netsock_resolve(struct netsock *s, const struct netaddr *a, int type, bool passive, const char *what,
                     GError **err);
void netsock_clear(struct netsock *s);

/* "host:port", "[v6]:port", ":port": into a; caller frees a->host and a->port. */
bool netaddr_parse(struct netaddr *a, const char *text, const char *what, const char *key, GError **err);
void netaddr_clear(struct netaddr *a);

/* A bound (and for streams listening) socket, or -1.  s->text then says which. */
int netsock_bind(struct netsock *s, int type, const char *what, GError **err);
/* A connected stream; waits for some seconds. */
int netsock_connect(struct netsock *s, const char *what, GError **err);

/* The descriptor that fd= names: a number, of a socket of this type (0: any; *type says which).  -1 and *err. */
int netsock_fd(const char *text, int want, int *type, const char *what, GError **err);
/* The number; no more is checked. */
bool parse_fd(const char *text, int *fd, const char *what, GError **err);
char *sockaddr_text(const struct sockaddr_storage *a, socklen_t len); /* caller frees */

/* A timer in e's loop; fn is called once without the lock. */
struct exec_timer *net_timer(struct exec *e, unsigned ms, void (*fn)(void *opaque), void *opaque);
void net_timer_stop(struct exec_timer **timer);

#endif
