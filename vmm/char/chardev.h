/* vmm/char/chardev.h - character backends as devices see them.
 *
 * A chardev has one front end (a serial port, the monitor) at a time.  Writing never blocks and never
 * buffers without bound: chardev_write() takes what the other side takes now and returns how much; when
 * that is less than asked, `writable` is called once there is room again.  Received bytes are delivered
 * only as fast as can_receive() says.  Everything runs in the main exec; callbacks come inside
 * exec_enter(), that is under the VM lock; chardev_write() is called under it too. */
#ifndef BANTAM_CHAR_CHARDEV_H
#define BANTAM_CHAR_CHARDEV_H

#include "vmm/core/exec.h"

#include <stdio.h>

struct vm;
struct device;

/* MUX_IN, MUX_OUT: this front end of a multiplexed chardev got or lost the terminal (Ctrl-a c).  RESIZED: look at
 * cols and rows. */
enum chardev_event {
    CHARDEV_OPENED, CHARDEV_CLOSED, CHARDEV_BREAK, CHARDEV_MUX_IN, CHARDEV_MUX_OUT, CHARDEV_RESIZED
};

struct chardev_fe { /* the front end */
    size_t (*can_receive)(void *opaque); /* bytes it takes now; 0: call chardev_accept() later */
    void (*receive)(void *opaque, const uint8_t *buf, size_t len); /* len <= what can_receive said */
    void (*event)(void *opaque, enum chardev_event ev);            /* may be NULL */
    void (*writable)(void *opaque);                                /* may be NULL */
};

struct chardev;
struct chardev_ops {
    size_t (*write)(struct chardev *c, const uint8_t *buf, size_t len);
    void (*accept)(struct chardev *c);      /* the front end can take bytes again */
    void (*set_break)(struct chardev *c, bool on);                                   /* may be NULL */
    void (*set_params)(struct chardev *c, unsigned baud, char parity, unsigned bits,
                       unsigned stop);      /* may be NULL */
    void (*set_fe)(struct chardev *c);      /* the front end came or went; may be NULL */
    /* Several front ends (mux): these take the place of chardev_attach() and chardev_detach(); NULL: one
     * front end. */
    bool (*attach)(struct chardev *c, const struct chardev_fe *fe, void *opaque, const char *user,
                   GError **err);
    void (*detach)(struct chardev *c, void *opaque); /* NULL: the one that came last */
    void (*free)(struct chardev *c);
};

struct chardev { /* first member of the backend's struct */
    const struct chardev_ops *ops;
    char *id;
    struct vm *vm;
    const struct chardev_fe *fe; /* NULL: none attached */
    void *fe_opaque;
    const char *user;            /* who is attached, for messages */
    bool open;                   /* the other side is there */
    char *filename;              /* for info chardev: "pty:/dev/pts/3" */
    uint16_t cols, rows;         /* of the terminal; 0: not known */
    FILE *log;                   /* logfile=, or NULL: a copy of what is written */
};

/* Attach a front end; refused when there is one (chardev 'x' is already used by serial0). */
bool chardev_attach(struct chardev *c, const struct chardev_fe *fe, void *opaque, const char *user,
                    GError **err);
void chardev_detach(struct chardev *c); /* NULL is fine; of a multiplexed one: the front end that came last */
void chardev_detach_from(struct chardev *c, void *opaque); /* this front end */

/* NULL chardevs swallow everything: a serial port without one is a port with nothing plugged in. */
size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len);
void chardev_accept(struct chardev *c);
void chardev_set_params(struct chardev *c, unsigned baud, char parity, unsigned bits, unsigned stop);
void chardev_set_break(struct chardev *c, bool on);

#endif
