/* vmm/char/backend_impl.h - between the character backends: descriptors as chardevs. */
#ifndef BANTAM_CHAR_BACKEND_IMPL_H
#define BANTAM_CHAR_BACKEND_IMPL_H

#include "vmm/base/error.h"
#include "vmm/char/backend.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A chardev on one or two descriptors.  Reading happens in the main loop; writing wherever the front end runs
 * (under the VM lock); the watches are only changed in the main thread, by a bottom half. */
struct fd_chardev {
    struct chardev chr;
    int in, out;         /* -1: none; may be the same */
    bool is_socket;      /* send() without SIGPIPE */
    bool eof;            /* of `in` */
    bool blocked;        /* `out` took less than it was given */
    bool broken;         /* `out` failed: to be closed by the bottom half */
    bool warned;         /* about a write error */
    struct exec_fd *in_watch, *out_watch;
    struct bh update;
    /* The other side went away; main thread, under the lock, after CHARDEV_CLOSED.  NULL: only stop reading.
     */
    void (*gone)(struct fd_chardev *f);
    /* Look at what came in and take out what is protocol; returns the length that is left.  May be NULL. */
    size_t (*filter)(struct fd_chardev *f, uint8_t *buf, size_t len);
};

/* Common fields; takes `filename`.  Then fill in what is special, and fdc_start() for descriptors. */
void chardev_setup(struct chardev *c, struct vm *vm, const struct chardev_ops *ops,
                   const struct chardev_config *cfg, char *filename);
void chardev_set_open(struct chardev *c, bool open); /* and tell the front end; under the lock */

void fdc_init(struct fd_chardev *f, struct vm *vm, const struct chardev_ops *ops,
              const struct chardev_config *cfg, char *filename);
/* Takes the descriptors, which may be blocking for `in`. */
void fdc_start(struct fd_chardev *f, int in, int out, bool is_socket);
void fdc_stop(struct fd_chardev *f);  /* closes them; main thread */
size_t fdc_write(struct chardev *c, const uint8_t *buf, size_t len);
void fdc_accept(struct chardev *c);
void fdc_set_fe(struct chardev *c);
void fdc_free(struct chardev *c);
extern const struct chardev_ops fdc_ops; /* the five above */

/* A timer in the main loop, without the lock; freed by fdc_timer_stop. */
GSource *main_timer(struct vm *vm, unsigned ms, GSourceFunc fn, void *opaque);
void main_timer_stop(GSource **timer);

void chr_set_nonblocking(int fd);

struct chardev *chr_stdio_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
struct chardev *chr_file_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
struct chardev *chr_pipe_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
struct chardev *chr_tty_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
struct chardev *chr_pty_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
struct chardev *chr_socket_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
struct chardev *chr_ringbuf_open(struct vm *vm, const struct chardev_config *cfg, GError **err);
struct chardev *chr_mux_new(struct chardev *base); /* takes base */

#endif
