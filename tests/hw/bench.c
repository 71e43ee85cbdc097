/* tests/hw/bench.c - a machine in a test tube. */
#include "tests/hw/bench.h"
#include "hw/virtio/virtio_mmio.h"
#include "vmm/core/eventfd.h"

#include <errno.h>

static int64_t bench_clock(void *opaque)
{
    return ((struct bench *) opaque)->now;
}

static void line_set(void *opaque, int n, int level)
{
    struct bench *b = opaque;

    if (level)
        b->irq_rises[n]++;
}

static int line_raise(void *opaque, int n)
{
    struct bench *b = opaque;

    if (b->irq_coalesce[n])
        return 0;
    b->irq_rises[n]++;
    return 1;
}

static struct region *ram_region(struct bench *b, uint64_t ram)
{
    struct region *r = g_new0(struct region, 1);

    region_init_ram(r, "ram", &b->vm->ram.block, 0, ram);
    space_add(&b->vm->mem, r, 0, PRIO_RAM, NULL);
    return r;
}

struct bench *bench_new(uint64_t ram)
{
    struct bench *b = g_new0(struct bench, 1);
    GError *err = NULL;

    b->vm = vm_new(bench_clock, b);
    for (int i = 0; i < 16; i++) {
        irq_connect(&b->vm->isa.line[i].out, line_set, b, i);
        b->vm->isa.line[i].out.raise_status = line_raise;
    }
    if (ram) {
        ram_block_alloc(&b->vm->ram.block, "ram", ram, NULL, &err);
        g_assert_no_error(err);
        b->vm->ram.below_4g = ram;
        ram_region(b, ram);
    }
    clock_run(&b->vm->clock, true);
    b->vm->state = RUN_RUNNING;
    return b;
}

void bench_free(struct bench *b)
{
    GHashTableIter it;
    void *p;

    while (b->vm->devices->len)
        device_free(b->vm->devices->pdata[b->vm->devices->len - 1]);
    g_hash_table_iter_init(&it, b->vm->blks);
    while (g_hash_table_iter_next(&it, NULL, &p)) {
        struct fake_blk *f = p;
        g_queue_clear(&f->pending);
        g_free(f->data);
        g_free(f->blk.id);
        g_free(f->blk.serial);
        g_free(f);
    }
    g_hash_table_iter_init(&it, b->vm->chardevs);
    while (g_hash_table_iter_next(&it, NULL, &p)) {
        struct fake_chardev *f = p;
        g_byte_array_unref(f->out);
        g_byte_array_unref(f->in);
        g_free(f->chr.id);
        g_free(f);
    }
    netdev_free_all(b->vm);
    for (unsigned i = 0; i < b->vm->mem.regions->len; i++) {
        struct region *r = b->vm->mem.regions->pdata[i];
        if (!strcmp(r->name, "ram") && r->ram == &b->vm->ram.block && r->base == 0) {
            space_remove(r);
            g_free(r);
            break;
        }
    }
    b->vm->accel = NULL;
    if (b->mmio)
        virtio_mmio_bus_clear(b->mmio);
    g_free(b->mmio);
    vm_free(b->vm);
    g_free(b->accel);
    g_free(b);
}

struct device *bench_add(struct bench *b, const struct device_class *cls, const char *props)
{
    GError *err = NULL;
    struct device *d = device_create(b->vm, cls, NULL, props, &err);

    g_assert_no_error(err);
    device_reset(d);
    return d;
}

void outb(struct bench *b, unsigned port, uint8_t v)
{
    space_write(&b->vm->pio, port, v, 1);
}
void outw(struct bench *b, unsigned port, uint16_t v)
{
    space_write(&b->vm->pio, port, v, 2);
}
void outl(struct bench *b, unsigned port, uint32_t v)
{
    space_write(&b->vm->pio, port, v, 4);
}
uint8_t inb(struct bench *b, unsigned port)
{
    return (uint8_t) space_read(&b->vm->pio, port, 1);
}
uint16_t inw(struct bench *b, unsigned port)
{
    return (uint16_t) space_read(&b->vm->pio, port, 2);
}
uint32_t inl(struct bench *b, unsigned port)
{
    return (uint32_t) space_read(&b->vm->pio, port, 4);
}
void mem_write(struct bench *b, uint64_t gpa, uint64_t v, unsigned size)
{
    space_write(&b->vm->mem, gpa, v, size);
}
uint64_t mem_read(struct bench *b, uint64_t gpa, unsigned size)
{
    return space_read(&b->vm->mem, gpa, size);
}
uint8_t *ram_at(struct bench *b, uint64_t gpa)
{
    return ram_ptr(&b->vm->ram, gpa, 1);
}

void clock_step(struct bench *b, int64_t ns)
{
    struct clock *c = &b->vm->clock;
    int64_t end = b->now + ns;

    for (;;) {
        struct timer *t = c->head.next;
        if (!c->running || t == &c->head || t->deadline - c->base > end)
            break;
        b->now = MAX(b->now, t->deadline - c->base);
        clock_run_timers(c);
    }
    b->now = end;
}

bool irq_level(struct bench *b, unsigned n)
{
    return b->vm->isa.line[n].out.level;
}

void bench_run(struct bench *b)
{
    for (int i = 0; i < 100000 && exec_iterate(&b->vm->main, false); i++)
        ;
}

/* --- drives ------------------------------------------------------------------------------------ */

static int fake_do(struct fake_blk *f, struct blk_req *r)
{
    uint64_t at = r->off;

    if (f->fail_next) {
        int e = f->fail_next;
        f->fail_next = 0;
        return e;
    }
    f->n_reads += r->op == BLK_READ;
    f->n_writes += r->op == BLK_WRITE;
    f->n_flushes += r->op == BLK_FLUSH;
    f->n_discards += r->op == BLK_DISCARD;
    if (r->op == BLK_FLUSH)
        return 0;
    if (!f->blk.present)
        return ENOMEDIUM;
    g_assert_true(r->off % 512 == 0 && r->len % 512 == 0);
    if (!range_fits(r->off, r->len, f->blk.size))
        return EINVAL;
    if (f->fail_at != UINT64_MAX && f->fail_at >= r->off && f->fail_at - r->off < r->len)
        return EIO;
    if (r->op == BLK_DISCARD || r->op == BLK_WRITE_ZEROES) {
        memset(f->data + r->off, 0, r->len);
        return 0;
    }
    size_t sum = 0;
    for (unsigned i = 0; i < r->niov; i++)
        sum += r->iov[i].iov_len;
    g_assert_cmpuint(sum, ==, r->len);
    for (unsigned i = 0; i < r->niov; at += r->iov[i].iov_len, i++) {
        if (r->op == BLK_READ)
            memcpy(r->iov[i].iov_base, f->data + at, r->iov[i].iov_len);
        else
            memcpy(f->data + at, r->iov[i].iov_base, r->iov[i].iov_len);
    }
    return 0;
}

void fake_release(struct fake_blk *f)
{
    struct blk_req *r;

    while ((r = g_queue_pop_head(&f->pending))) {
        int err = fake_do(f, r);
        r->busy = false;
        r->done(r, err);
    }
    if (f->blk.dev_ops && f->blk.dev_ops->batch_done)
        f->blk.dev_ops->batch_done(f->blk.dev_opaque);
}

static void fake_job(void *opaque)
{
    struct fake_blk *f = opaque;

    f->scheduled = false;
    if (!f->hold)
        fake_release(f);
}

static void fake_submit(struct blk *blk, struct blk_req *req)
{
    struct fake_blk *f = container_of(blk, struct fake_blk, blk);

    g_assert_false(req->op == BLK_WRITE && blk->read_only);
    g_queue_push_tail(&f->pending, req);
    if (!f->scheduled) {
        f->scheduled = true;
        exec_post(&f->b->vm->main, fake_job, f);
    }
}

static void fake_drain(struct blk *blk)
{
    fake_release(container_of(blk, struct fake_blk, blk));
}

static void fake_eject(struct blk *blk)
{
    struct fake_blk *f = container_of(blk, struct fake_blk, blk);

    blk->present = false;
    blk->size = 0;
    g_clear_pointer(&f->data, g_free);
}

static const struct blk_ops fake_ops = { .submit = fake_submit, .drain = fake_drain, .eject = fake_eject };

struct fake_blk *bench_blk(struct bench *b, const char *id, uint64_t size)
{
    struct fake_blk *f = g_new0(struct fake_blk, 1);

    f->b = b;
    f->fail_at = UINT64_MAX;
    f->data = size ? g_malloc0(size) : NULL;
    f->blk = (struct blk){ .ops = &fake_ops, .id = g_strdup(id), .vm = b->vm, .exec = &b->vm->main, .size = size,
                           .present = size != 0, .write_cache = true };
    g_queue_init(&f->pending);
    g_hash_table_insert(b->vm->blks, f->blk.id, f);
    return f;
}

void fake_set_medium(struct fake_blk *f, uint64_t size)
{
    g_free(f->data);
    f->data = size ? g_malloc0(size) : NULL;
    f->blk.size = size;
    f->blk.present = size != 0;
    if (f->blk.dev_ops && f->blk.dev_ops->media_changed)
        f->blk.dev_ops->media_changed(f->blk.dev_opaque, size != 0);
}

/* --- chardevs ---------------------------------------------------------------------------------- */

static size_t fake_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct fake_chardev *f = container_of(c, struct fake_chardev, chr);
    size_t n = MIN(len, f->room);

    g_byte_array_append(f->out, buf, (guint) n);
    if (f->room != SIZE_MAX)
        f->room -= n;
    return n;
}

static void fake_accept(struct chardev *c)
{
    struct fake_chardev *f = container_of(c, struct fake_chardev, chr);

    while (c->fe && f->in->len) {
        size_t n = MIN(c->fe->can_receive(c->fe_opaque), f->in->len);
        if (!n)
            return;
        uint8_t *copy = g_memdup2(f->in->data, n);
        g_byte_array_remove_range(f->in, 0, (guint) n);
        c->fe->receive(c->fe_opaque, copy, n);
        g_free(copy);
    }
}

static void fake_break(struct chardev *c, bool on)
{
    container_of(c, struct fake_chardev, chr)->brk = on;
}

static void fake_params(struct chardev *c, unsigned baud, char parity, unsigned bits, unsigned stop)
{
    (void) parity, (void) bits, (void) stop;
    container_of(c, struct fake_chardev, chr)->baud = baud;
}

static const struct chardev_ops fake_chr_ops = { .write = fake_write, .accept = fake_accept,
                                                 .set_break = fake_break, .set_params = fake_params };

struct fake_chardev *bench_chardev(struct bench *b, const char *id)
{
    struct fake_chardev *f = g_new0(struct fake_chardev, 1);

    f->chr = (struct chardev){ .ops = &fake_chr_ops, .id = g_strdup(id), .vm = b->vm, .open = true };
    f->out = g_byte_array_new();
    f->in = g_byte_array_new();
    f->room = SIZE_MAX;
    g_hash_table_insert(b->vm->chardevs, f->chr.id, f);
    return f;
}

void fake_feed(struct fake_chardev *f, const void *buf, size_t len)
{
    g_byte_array_append(f->in, buf, (guint) len);
    fake_accept(&f->chr);
}

void fake_room(struct fake_chardev *f, size_t room)
{
    f->room = room;
    if (f->chr.fe && f->chr.fe->writable)
        f->chr.fe->writable(f->chr.fe_opaque);
}

/* --- netdevs ------------------------------------------------------------------------------------ */

static void free_frame(void *p)
{
    g_byte_array_unref(p);
}

static enum net_result fake_net_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    struct fake_net_queue *q = container_of(n, struct fake_net_queue, net);
    GByteArray *frame = g_byte_array_new();

    (void) more;
    if (!q->room) {
        q->busy++;
        g_byte_array_unref(frame);
        return NET_BUSY;
    }
    if (q->room != SIZE_MAX)
        q->room--;
    g_byte_array_set_size(frame, (guint) len);
    g_assert_cmpuint(iov_copy_out(iov, niov, 0, frame->data, len), ==, len);
    g_ptr_array_add(q->sent, frame);
    return NET_TAKEN;
}

static void fake_net_work(struct net *n)
{
    struct fake_net_queue *q = container_of(n, struct fake_net_queue, net);

    if (q->fed.length && net_rx_begin(n)) {
        GByteArray *frame;
        while ((frame = g_queue_peek_head(&q->fed))) {
            /* A copy of exactly its size: the sanitizer sees who reads on. */
            void *copy = g_memdup2(frame->data, frame->len);
            enum net_result r = net_deliver(n, &(struct iovec){ copy, frame->len }, 1, frame->len);
            g_free(copy);
            if (r == NET_BUSY)
                break;
            free_frame(g_queue_pop_head(&q->fed));
        }
        net_rx_end(n);
    }
    if (q->room)
        net_writable(n);
}

static bool fake_net_set_hdr(struct net *n, unsigned len)
{
    struct fake_net_queue *q = container_of(n, struct fake_net_queue, net);

    if (container_of(n->dev, struct fake_net, dev)->no_hdr)
        return len == 0;
    q->hdr = len;
    return true;
}

static void fake_net_offload(struct net *n, unsigned offload)
{
    container_of(n, struct fake_net_queue, net)->offload = offload;
}

static void fake_net_leave(struct net *n)
{
    (void) n;
}

static void fake_net_free(struct netdev *dev)
{
    struct fake_net *f = container_of(dev, struct fake_net, dev);

    fake_net_clear(f);
    for (unsigned i = 0; i < dev->n_queues; i++)
        g_ptr_array_free(f->q[i].sent, TRUE);
    netdev_clear(dev);
    g_free(f);
}

static const struct net_ops fake_net_ops = { .send = fake_net_send, .work = fake_net_work, .set_hdr = fake_net_set_hdr,
                                             .set_offload = fake_net_offload, .leave = fake_net_leave,
                                             .free = fake_net_free };

struct fake_net *bench_net(struct bench *b, const char *id, unsigned queues, unsigned can)
{
    struct fake_net *f = g_new0(struct fake_net, 1);

    f->b = b;
    netdev_init(&f->dev, b->vm, &fake_net_ops, id, "fake");
    f->dev.can_send = f->dev.can_receive = can;
    for (unsigned i = 0; i < queues; i++) {
        f->q[i].sent = g_ptr_array_new_with_free_func(free_frame);
        f->q[i].room = SIZE_MAX;
        g_queue_init(&f->q[i].fed);
        net_init(&f->q[i].net, &f->dev);
    }
    return f;
}

void fake_net_feed(struct fake_net *f, unsigned queue, const void *frame, size_t len)
{
    GByteArray *a = g_byte_array_new();

    g_byte_array_append(a, frame, (guint) len);
    g_queue_push_tail(&f->q[queue].fed, a);
    net_kick(&f->q[queue].net);
}

void fake_net_room(struct fake_net *f, unsigned queue, size_t room)
{
    f->q[queue].room = room;
    net_kick(&f->q[queue].net);
}

GByteArray *fake_net_sent(struct fake_net *f, unsigned queue, unsigned i)
{
    GPtrArray *sent = f->q[queue].sent;

    return i < sent->len ? sent->pdata[i] : NULL;
}

void fake_net_clear(struct fake_net *f)
{
    for (unsigned i = 0; i < f->dev.n_queues; i++) {
        g_ptr_array_set_size(f->q[i].sent, 0);
        g_queue_clear_full(&f->q[i].fed, free_frame);
    }
}

/* --- virtio-mmio -------------------------------------------------------------------------------- */

struct virtio_mmio_bus *bench_mmio_bus(struct bench *b)
{
    if (!b->mmio) {
        b->mmio = g_new(struct virtio_mmio_bus, 1);
        virtio_mmio_bus_init(b->mmio, b->vm, 0xfeb00000, 8);
    }
    return b->mmio;
}

/* --- messages ---------------------------------------------------------------------------------- */

enum { FAKE_ROUTES = 64 };

struct fake_accel {
    struct {
        uint64_t addr;
        uint32_t data;
        bool used;
        int fd; /* connected, or -1 */
    } routes[FAKE_ROUTES];
    struct accel_ops ops;
    uint32_t log[4096]; /* data of messages */
    unsigned n;
};

static void accel_nothing(void *opaque)
{
    (void) opaque;
}

static void accel_describe(void *opaque, GString *out)
{
    (void) opaque, (void) out;
}

static void accel_send(void *opaque, uint64_t addr, uint32_t data)
{
    struct fake_accel *f = opaque;

    g_assert_cmphex(addr >> 20, ==, 0xfee);
    if (f->n < G_N_ELEMENTS(f->log))
        f->log[f->n++] = data;
}

static int accel_route_add(void *opaque, uint64_t addr, uint32_t data)
{
    struct fake_accel *f = opaque;

    for (int i = 0; i < FAKE_ROUTES; i++)
        if (!f->routes[i].used) {
            f->routes[i].used = true;
            f->routes[i].addr = addr;
            f->routes[i].data = data;
            f->routes[i].fd = -1;
            return i;
        }
    return -1;
}

static void accel_route_change(void *opaque, int route, uint64_t addr, uint32_t data)
{
    struct fake_accel *f = opaque;

    g_assert_true(f->routes[route].used);
    f->routes[route].addr = addr;
    f->routes[route].data = data;
}

static void accel_route_remove(void *opaque, int route)
{
    struct fake_accel *f = opaque;

    g_assert_true(f->routes[route].used && f->routes[route].fd < 0);
    f->routes[route].used = false;
}

/* What is pending on connected eventfds is sent. */
static void accel_pump(struct fake_accel *f)
{
    for (int i = 0; i < FAKE_ROUTES; i++)
        if (f->routes[i].used && f->routes[i].fd >= 0 && event_take(f->routes[i].fd))
            accel_send(f, f->routes[i].addr, f->routes[i].data);
}

static bool accel_irqfd(void *opaque, int fd, int route, bool on)
{
    struct fake_accel *f = opaque;

    g_assert_true(f->routes[route].used && f->routes[route].fd == (on ? -1 : fd));
    accel_pump(f);
    f->routes[route].fd = on ? fd : -1;
    return true;
}

struct fake_accel *bench_accel(struct bench *b, bool irqfd)
{
    struct fake_accel *f = b->accel = g_new0(struct fake_accel, 1);

    f->ops = (struct accel_ops){
        .pause = accel_nothing, .resume = accel_nothing, .kick = accel_nothing, .reset = accel_nothing,
        .nmi = accel_nothing, .describe_cpus = accel_describe, .msi_send = accel_send,
    };
    if (irqfd) {
        f->ops.msi_route_add = accel_route_add;
        f->ops.msi_route_change = accel_route_change;
        f->ops.msi_route_remove = accel_route_remove;
        f->ops.msi_irqfd = accel_irqfd;
    }
    b->vm->accel = &f->ops;
    b->vm->accel_opaque = f;
    return f;
}

unsigned fake_msis(struct fake_accel *f, uint32_t data)
{
    unsigned found = 0, kept = 0;

    accel_pump(f);
    for (unsigned i = 0; i < f->n; i++)
        if (f->log[i] == data)
            found++;
        else
            f->log[kept++] = f->log[i];
    f->n = kept;
    return found;
}

unsigned fake_irqfds(const struct fake_accel *f)
{
    unsigned n = 0;

    for (int i = 0; i < FAKE_ROUTES; i++)
        n += f->routes[i].used && f->routes[i].fd >= 0;
    return n;
}

unsigned fake_routes(const struct fake_accel *f)
{
    unsigned n = 0;

    for (int i = 0; i < FAKE_ROUTES; i++)
        n += f->routes[i].used;
    return n;
}
