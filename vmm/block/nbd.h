/* vmm/block/nbd.h - where an NBD server and its export are, and the client (nbd.c, a module).
 *
 * Written as QEMU does: nbd:HOST:PORT[:exportname=NAME], nbd:unix:PATH[:exportname=NAME],
 * nbd://HOST[:PORT]/[NAME], nbd+tcp://..., nbd+unix:///[NAME]?socket=PATH. */
#ifndef BANTAM_BLOCK_NBD_H
#define BANTAM_BLOCK_NBD_H

#include "vmm/block/node.h"

struct nbd_address {
    char *host, *port; /* or */
    char *path;        /* of a unix socket */
    char *name;        /* of the export; "" is the server's default */
};

bool nbd_is_address(const char *path); /* or is it a file? */
bool nbd_parse(const char *path, struct nbd_address *a, GError **err);
void nbd_address_clear(struct nbd_address *a);
/* The options of a -drive (driver=nbd, host=, server.type= and so on) as an address; NULL without *err: it has none. */
char *nbd_address_of(const struct drive_config *cfg, GError **err);

struct nbd_module {
    /* The address is its own from then on, also on failure. */
    struct bnode *(*open)(struct bctx *c, const struct bopen *o, struct nbd_address a, GError **err);
};
extern const struct nbd_module bantam_nbd; /* module_symbol("nbd", "bantam_nbd", ...) */

#endif
