/* tests/hw/bench.h - a machine in a test tube: RAM, both spaces, a clock that the test steps, an interrupt
 * recorder, and fake drives, chardevs and netdevs.  No KVM, no threads.
 *
 *   struct bench *b = bench_new(16 * MiB);
 *   struct device *d = bench_add(b, &rtc_class, "iobase=0x70");
 *   outb(b, 0x70, 0x0a); clock_step(b, NS_PER_SEC); g_assert_true(irq_level(b, 8));
 *   bench_free(b); */
#ifndef BANTAM_TESTS_BENCH_H
#define BANTAM_TESTS_BENCH_H

#include "vmm/block/block.h"
#include "vmm/char/chardev.h"
#include "vmm/core/vm.h"
#include "vmm/net/net.h"

struct bench {
    struct vm *vm;
    int64_t now;           /* host clock, ns */
    unsigned irq_rises[16]; /* ISA lines: rising edges seen */
    struct fake_accel *accel;
    struct virtio_mmio_bus *mmio; /* bench_mmio_bus() */
    bool irq_coalesce[16]; /* what raise_status answers: true = still pending */
};

struct bench *bench_new(uint64_t ram); /* below 4 GiB, mapped at 0 in mem; the clock runs */
void bench_free(struct bench *b);

/* Create, realize and reset; a failure is a test failure.  props: "a=1,b=2" or NULL. */
struct device *bench_add(struct bench *b, const struct device_class *cls, const char *props);

void outb(struct bench *b, unsigned port, uint8_t v);
void outw(struct bench *b, unsigned port, uint16_t v);
void outl(struct bench *b, unsigned port, uint32_t v);
uint8_t inb(struct bench *b, unsigned port);
uint16_t inw(struct bench *b, unsigned port);
uint32_t inl(struct bench *b, unsigned port);
void mem_write(struct bench *b, uint64_t gpa, uint64_t v, unsigned size); /* through the mem space */
uint64_t mem_read(struct bench *b, uint64_t gpa, unsigned size);
uint8_t *ram_at(struct bench *b, uint64_t gpa); /* host pointer into RAM */

void clock_step(struct bench *b, int64_t ns); /* in the order of deadlines, firing each timer at its time */
bool irq_level(struct bench *b, unsigned n);
void bench_run(struct bench *b); /* turn the main loop until nothing is left to do (block completions, bottom halves) */

/* A drive in memory.  Completions come from bench_run(), unless `hold` is set: then from fake_release(). */
struct fake_blk {
    struct blk blk;
    struct bench *b;
    uint8_t *data;
    bool hold;
    int fail_next;       /* errno for the next request, then cleared */
    uint64_t fail_at;    /* byte offset of a bad sector (EIO for any request that touches it), UINT64_MAX: none */
    GQueue pending;      /* struct blk_req * */
    bool scheduled;
    unsigned n_reads, n_writes, n_flushes, n_discards;
};
struct fake_blk *bench_blk(struct bench *b, const char *id, uint64_t size); /* zero filled; freed with the bench */
void fake_release(struct fake_blk *f); /* complete what is held */
void fake_set_medium(struct fake_blk *f, uint64_t size); /* 0: take it out; tells the device */

/* A chardev that records. */
struct fake_chardev {
    struct chardev chr;
    GByteArray *out; /* what the device wrote */
    size_t room;     /* how much write takes; SIZE_MAX at first */
    GByteArray *in;  /* fed, not yet taken */
    bool brk;
    unsigned baud;
};
struct fake_chardev *bench_chardev(struct bench *b, const char *id);
void fake_feed(struct fake_chardev *f, const void *buf, size_t len);
void fake_room(struct fake_chardev *f, size_t room); /* and call writable */

/* A netdev that records the frames that the NIC sends, and feeds it frames.  One per queue: fake_net.q[i]. */
struct fake_net_queue {
    struct net net;
    GPtrArray *sent;     /* GByteArray *: each with its header, where one was agreed on */
    GQueue fed;          /* GByteArray *: not yet taken by the NIC; delivered from bench_run() */
    size_t room;         /* frames that send() takes before it is busy; SIZE_MAX at first */
    unsigned busy;       /* NET_BUSY was answered */
    unsigned offload;    /* as the NIC set it */
    unsigned hdr;
};
struct fake_net {
    struct netdev dev;
    struct bench *b;
    struct fake_net_queue q[NET_MAX_QUEUES];
    bool no_hdr;         /* refuses a net_hdr */
};
/* Freed with the bench.  can: NET_* that it offers both ways. */
struct fake_net *bench_net(struct bench *b, const char *id, unsigned queues, unsigned can);
void fake_net_feed(struct fake_net *f, unsigned queue, const void *frame, size_t len); /* the header included */
void fake_net_room(struct fake_net *f, unsigned queue, size_t room); /* and tells the NIC that it is writable */
GByteArray *fake_net_sent(struct fake_net *f, unsigned queue, unsigned i); /* NULL: there were not so many */
void fake_net_clear(struct fake_net *f); /* forget what was sent and fed */

/* A bus for virtio-*-device, at 0xfeb00000. */
struct virtio_mmio_bus *bench_mmio_bus(struct bench *b);

/* An accelerator that takes messages (MSI) and records them; with `irqfd`, by eventfds, else one by one. */
struct fake_accel;
struct fake_accel *bench_accel(struct bench *b, bool irqfd);
/* How many messages with this data came since the last call. */
unsigned fake_msis(struct fake_accel *f, uint32_t data);
unsigned fake_irqfds(const struct fake_accel *f); /* connected now */
unsigned fake_routes(const struct fake_accel *f);

#endif
