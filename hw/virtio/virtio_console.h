/* hw/virtio/virtio_console.h - the console device, its ports, and the bus between them. */
#ifndef BANTAM_HW_VIRTIO_VIRTIO_CONSOLE_H
#define BANTAM_HW_VIRTIO_VIRTIO_CONSOLE_H

#include "hw/virtio/virtio.h"
#include "vmm/char/chardev.h"

enum { VPORT_MAX = 511, VPORT_NAME_MAX = 255 };
#define VPORT_AUTO UINT32_MAX

/* What the guest is still to be told of a port, in the order in which it is told. */
enum { VPORT_ADD = 1, VPORT_CONSOLE = 2, VPORT_NAME = 4, VPORT_CLOSED = 8, VPORT_OPENED = 16, VPORT_SIZE = 32 };

struct virtio_console;

struct vport_info { /* bus_info of a port's class */
    bool console;
};

struct vport {
    struct device dev; /* first */
    struct virtio_console *con;
    uint32_t nr;       /* properties */
    char *name;
    struct chardev *chardev;
    struct virtq_buf *rx, *tx; /* held: to be filled; not all of it was taken yet */
    bool blocked;      /* the chardev will say when there is room again */
    bool deaf;         /* and has not for so long that output is thrown away */
    bool open;         /* the host's side is there */
    bool rests;        /* has moved so much in this turn that others are next; go_on ends it */
    struct bh go_on;
    struct timer patience;
    /* state */
    bool known;        /* the driver has set the port up */
    bool guest_open, told_open;
    uint8_t pending;   /* VPORT_* */
    uint64_t tx_at;    /* bytes of the oldest output buffer that the chardev has */
};

struct virtio_console {
    struct virtio_dev v; /* first */
    struct bus bus;
    uint32_t max_ports;  /* properties */
    bool emergency_write, console_size;
    struct vport *ports[VPORT_MAX];
    struct virtq *ctrl_rx, *ctrl_tx; /* NULL: there is one port at most */
    /* state */
    bool ready;          /* the driver speaks the control protocol */
    uint8_t gone[VPORT_MAX]; /* the guest is to be told that the port was taken out */
};

extern const struct virtio_class virtio_console_vclass;
extern const struct state virtio_console_state[];
extern const struct bus_class virtio_serial_bus_class;

#define VIRTIO_CONSOLE_PROPS(T, V)                                                                                  \
    PROP_U32(T, V.max_ports, 31, .name = "max_ports", .min = 1, .max = VPORT_MAX,                                   \
             .desc = "how many ports may be plugged in; 1: the console without the protocol for several"),          \
    PROP_BOOL(T, V.emergency_write, true, .name = "emergency-write",                                                \
              .desc = "output by a register, before there is a driver"),                                            \
    PROP_BOOL(T, V.console_size, false, .name = "console-size",                                                     \
              .desc = "tell the terminal's size (Linux before 6.15 takes columns for rows)")

/* between virtio_console.c and virtio_console_port.c; in exec */
static inline bool vport_is_console(const struct vport *p)
{
    return ((const struct vport_info *) p->dev.cls->bus_info)->console;
}
bool virtio_console_multiport(const struct virtio_console *s);
void virtio_console_send(struct virtio_console *s); /* what is pending, as far as there are buffers */
struct virtq *virtio_console_queue(struct virtio_console *s, unsigned nr, bool out);

void vport_input(struct vport *p);  /* the guest gave buffers, or opened the port */
void vport_output(struct vport *p); /* the guest sent something */
void vport_stop(struct vport *p);   /* no queue is touched any more */
void vport_forget(struct vport *p); /* the driver is gone */
void vport_guest_opens(struct vport *p, bool open);
void vport_ready(struct vport *p);  /* the driver has set it up */

#endif
