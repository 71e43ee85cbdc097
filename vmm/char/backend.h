/* vmm/char/backend.h - making character backends: what -chardev says, and opening it.
 *
 * All backends live in the VM's main exec.  chardev_open() is called before the VM runs or from the main
 * thread with no lock held.  It does not block, with one exception that the user asks for: a listening socket
 * with wait=on waits for its first connection (a signal ends the wait). */
#ifndef BANTAM_CHAR_BACKEND_H
#define BANTAM_CHAR_BACKEND_H

#include "vmm/char/chardev.h"

enum chardev_kind {
    CHARDEV_NULL,
    CHARDEV_STDIO,
    CHARDEV_FILE,
    CHARDEV_PTY,
    CHARDEV_SOCKET,
    CHARDEV_PIPE,
    CHARDEV_TTY,
    CHARDEV_RINGBUF,
    N_CHARDEV_KINDS
};
extern const char *const chardev_kind_names[N_CHARDEV_KINDS + 1]; /* "null", "stdio", ... */

struct chardev_config {
    char *id;
    int kind;        /* enum chardev_kind */
    bool mux;        /* several front ends, Ctrl-a switches */
    char *logfile;   /* everything that is written also goes here */
    bool logappend;
    bool signal;     /* stdio: Ctrl-c and friends are signals to the VMM */
    char *path;      /* file, pipe, tty, unix socket */
    char *input_path; /* file: what the front end receives */
    bool append;     /* file */
    uint64_t size;   /* ringbuf: a power of two */
    /* sockets: path is set, or host and port */
    char *host;      /* NULL or "": all addresses for a server, localhost for a client */
    char *port;      /* number or service name; "0": any free one */
    uint32_t to;     /* server: try ports up to this one; 0: only `port` */
    bool ipv4, ipv6; /* both: either */
    bool nodelay;
    bool server, wait, telnet, abstract, tight;
    uint32_t reconnect; /* client: seconds between attempts; 0: none */
};

void chardev_config_init(struct chardev_config *cfg); /* the defaults */
void chardev_config_clear(struct chardev_config *cfg);

/* Open, and enter into vm->chardevs by its id.  NULL and *err on failure. */
struct chardev *chardev_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
void chardev_free(struct chardev *c);        /* takes it out of vm->chardevs; NULL is fine */
void chardev_free_all(struct vm *vm);        /* every one in vm->chardevs; after the devices are gone */
struct chardev *chardev_find(struct vm *vm, const char *id);

/* ringbuf: what was written since, at most `max` bytes, into buf; returns how many.  *err: not a ringbuf. */
bool chardev_ringbuf_read(struct chardev *c, uint8_t *buf, size_t max, size_t *len, GError **err);
bool chardev_ringbuf_write(struct chardev *c, const uint8_t *buf, size_t len,
                           GError **err); /* to the front end */

/* Put the terminal of a stdio chardev back; for the way out through a fatal signal (async-signal-safe). */
void chardev_restore_terminal(void);

#endif
