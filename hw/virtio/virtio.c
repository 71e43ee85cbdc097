/* hw/virtio/virtio.c - virtio devices: status, features, configuration, and when queues are served.
 *
 * Source: VIRTIO 1.2, 2.1 to 2.5 and 3.1.
 * Theory: `started` is what the driver says (DRIVER_OK), `running` that the VM runs, too: only then is the device
 * between the class's start() and stop(), with the queues' eventfds watched by v->exec.  Rings are mapped at
 * DRIVER_OK, when the features are known, whatever the order in which the driver wrote its registers.
 * Deviations: queue sizes are limited to 1024; VIRTIO_F_RING_RESET and VIRTIO_F_NOTIFICATION_DATA are not offered;
 * status bits stay until a reset, as drivers must not clear them. */
#include "hw/virtio/virtio.h"
#include "hw/virtio/virtq_int.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/vm.h"

#include <stdarg.h>

/* --- in exec ---------------------------------------------------------------------------------------- */

static void kicked(void *opaque)
{
    struct virtq *q = opaque;
    struct exec *e = q->v->exec;

    exec_enter(e);
    virtq_serve(q);
    exec_leave(e);
}

static bool poll_queue(void *opaque)
{
    struct virtq *q = opaque;

    if (q->stalled || virtq_empty(q))
        return false;
    virtq_serve(q);
    return true;
}

static void poll_begin(void *opaque)
{
    struct virtq *q = opaque;

    q->polled = true;
    if (!q->stalled) /* else it is the class that says when */
        virtq_notify_off(q);
}

static bool poll_end(void *opaque)
{
    struct virtq *q = opaque;

    q->polled = false;
    if (q->stalled || !virtq_notify_on(q))
        return false;
    virtq_kick(q); /* there is something: serve it from the loop */
    return true;
}

static void attach(void *opaque)
{
    struct virtq *q = opaque;

    if (!q->mapped || q->watch)
        return;
    q->watch = exec_add_event(q->v->exec, q->kick_fd, kicked, q);
    q->poll = (struct exec_poll){ .poll = poll_queue, .begin = poll_begin, .end = poll_end, .opaque = q };
    exec_add_poll(q->v->exec, &q->poll);
    q->stalled = false;
    virtq_kick(q);
}

static void detach(void *opaque)
{
    struct virtq *q = opaque;

    if (!q->watch)
        return;
    exec_remove_poll(q->v->exec, &q->poll);
    exec_fd_remove(q->watch);
    q->watch = NULL;
}

static void begin(void *opaque)
{
    struct virtio_dev *v = opaque;

    if (v->running)
        return;
    v->running = true;
    if (v->cls->start)
        v->cls->start(v);
    for (unsigned i = 0; i < v->n_queues; i++)
        attach(&v->q[i]);
}

static void end(void *opaque)
{
    struct virtio_dev *v = opaque;

    if (!v->running)
        return;
    for (unsigned i = 0; i < v->n_queues; i++)
        detach(&v->q[i]);
    v->running = false; /* nothing is popped from here on */
    if (v->cls->stop)
        v->cls->stop(v);
}

void virtio_call(struct virtio_dev *v, void (*fn)(void *opaque), void *opaque)
{
    if (v->exec->main)
        fn(opaque);
    else
        exec_call(v->exec, fn, opaque);
}

/* --- starting and stopping (VM lock) ---------------------------------------------------------------- */

static void start(struct virtio_dev *v)
{
    if (v->started)
        return;
    v->started = true;
    if (!(v->status & VIRTIO_FEATURES_OK) && v->cls->negotiated) /* legacy drivers are done now */
        v->cls->negotiated(v);
    for (unsigned i = 0; i < v->n_queues; i++)
        if (v->q[i].enabled)
            virtq_map(&v->q[i]);
    if (vm_running(v->dev->vm))
        virtio_call(v, begin, v);
}

static void halt(struct virtio_dev *v)
{
    if (v->running)
        virtio_call(v, end, v);
    v->started = false;
}

static void on_phase(void *opaque, enum vm_phase phase)
{
    struct virtio_dev *v = opaque;

    if (phase != PHASE_STOPPED && phase != PHASE_CONTINUE)
        return;
    vm_lock(v->dev->vm);
    if (v->started)
        virtio_call(v, phase == PHASE_STOPPED ? end : begin, v);
    vm_unlock(v->dev->vm);
}

void virtio_reset(struct virtio_dev *v)
{
    halt(v);
    if (v->cls->reset)
        v->cls->reset(v);
    for (unsigned i = 0; i < v->n_queues; i++) {
        struct virtq *q = &v->q[i];
        virtq_unmap(q);
        q->num = q->max;
        q->vector = VIRTIO_NO_VECTOR;
        q->enabled = false;
        q->pfn = 0;
        q->align = 4096;
        q->desc = q->avail = q->used = 0;
        q->last_avail = q->used_idx = q->unsignalled = 0;
        q->avail_wrap = q->used_wrap = true;
        event_take(q->kick_fd);
    }
    v->features = v->driver_features = 0;
    v->broken = false;
    __atomic_store_n(&v->isr, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&v->status, 0, __ATOMIC_SEQ_CST);
}

/* --- status and features ---------------------------------------------------------------------------- */

uint64_t virtio_offered(const struct virtio_dev *v, bool legacy)
{
    uint64_t legacy_only = BIT64(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT64(VIRTIO_F_ANY_LAYOUT);

    return legacy ? v->offered & UINT32_MAX : v->offered & ~legacy_only;
}

void virtio_set_features(struct virtio_dev *v, uint64_t features, bool legacy)
{
    if (v->started || (v->status & VIRTIO_FEATURES_OK)) {
        guest_error(v->dev, "features written after the negotiation");
        return;
    }
    v->driver_features = features;
    v->features = features & virtio_offered(v, legacy);
}

/* 3.1.1: features are agreed on when the driver asks and what it chose was offered. */
static bool agree(struct virtio_dev *v)
{
    bool ok = virtio_has(v, VIRTIO_F_VERSION_1) && v->driver_features == v->features;

    if (!ok)
        guest_error(v->dev, "features 0x%" PRIx64 " are not acceptable", v->driver_features);
    else if (v->cls->negotiated)
        v->cls->negotiated(v);
    return ok;
}

void virtio_set_status(struct virtio_dev *v, uint8_t status)
{
    uint8_t old = __atomic_load_n(&v->status, __ATOMIC_SEQ_CST);

    TRACE(v->dev, "status %02x", status);
    if (!status) {
        virtio_reset(v);
        return;
    }
    if ((status & ~old & VIRTIO_FEATURES_OK) && !agree(v))
        status &= (uint8_t) ~VIRTIO_FEATURES_OK;
    status |= old; /* only a reset clears bits */
    if ((status & VIRTIO_DRIVER_OK) && virtio_has(v, VIRTIO_F_VERSION_1) && !(status & VIRTIO_FEATURES_OK)) {
        guest_error(v->dev, "DRIVER_OK before FEATURES_OK");
        status &= (uint8_t) ~VIRTIO_DRIVER_OK;
    }
    __atomic_store_n(&v->status, status, __ATOMIC_SEQ_CST);
    if (status & VIRTIO_DRIVER_OK)
        start(v);
    if (__atomic_load_n(&v->broken, __ATOMIC_SEQ_CST) && virtio_has(v, VIRTIO_F_VERSION_1))
        __atomic_or_fetch(&v->status, VIRTIO_NEEDS_RESET, __ATOMIC_SEQ_CST);
}

void virtio_error(struct virtio_dev *v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    guest_error(v->dev, "%s", text);
    g_free(text);
    if (__atomic_exchange_n(&v->broken, true, __ATOMIC_SEQ_CST) || !virtio_has(v, VIRTIO_F_VERSION_1))
        return;
    __atomic_or_fetch(&v->status, VIRTIO_NEEDS_RESET, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->status, __ATOMIC_SEQ_CST) & VIRTIO_DRIVER_OK)
        v->transport->interrupt(v, NULL);
}

/* --- configuration ---------------------------------------------------------------------------------- */

void virtio_config_changed(struct virtio_dev *v)
{
    __atomic_add_fetch(&v->generation, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->status, __ATOMIC_SEQ_CST) & VIRTIO_DRIVER_OK)
        v->transport->interrupt(v, NULL);
}

static void get_config(struct virtio_dev *v, uint8_t *cfg)
{
    memset(cfg, 0, VIRTIO_MAX_CONFIG);
    if (v->cls->get_config)
        v->cls->get_config(v, cfg);
}

uint64_t virtio_config_read(struct virtio_dev *v, uint64_t off, unsigned size)
{
    uint8_t cfg[VIRTIO_MAX_CONFIG];

    if (!range_fits(off, size, v->config_size))
        return mask_bytes(size);
    get_config(v, cfg);
    return ld_le(cfg + off, size);
}

void virtio_config_write(struct virtio_dev *v, uint64_t off, uint64_t val, unsigned size)
{
    uint8_t cfg[VIRTIO_MAX_CONFIG];

    if (!range_fits(off, size, v->config_size) || !v->cls->set_config) {
        guest_error(v->dev, "write to the configuration at %" PRIu64, off);
        return;
    }
    get_config(v, cfg);
    st_le(cfg + off, val, size);
    v->cls->set_config(v, cfg, (unsigned) off, size);
}

/* --- queues ----------------------------------------------------------------------------------------- */

void virtq_enable(struct virtq *q)
{
    struct virtio_dev *v = q->v;

    if (q->enabled)
        return;
    q->enabled = true;
    if (v->started && virtq_map(q) && v->running)
        virtio_call(v, attach, q);
}

void virtq_disable(struct virtq *q)
{
    struct virtio_dev *v = q->v;

    if (!q->enabled)
        return;
    q->enabled = false;
    bool was = v->running;
    if (was)
        virtio_call(v, end, v);
    if (q->mapped && v->cls->reset) /* the class may hold buffers of it */
        v->cls->reset(v);
    virtq_unmap(q);
    if (was)
        virtio_call(v, begin, v);
    q->avail_wrap = q->used_wrap = true;
    q->last_avail = q->used_idx = q->unsignalled = 0;
}

/* 2.7.2: descriptors, available ring, padding, used ring in one piece. */
void virtq_set_pfn(struct virtq *q, uint32_t pfn, uint32_t page_size)
{
    uint64_t align = MAX(q->align, 1);

    virtq_disable(q);
    q->pfn = pfn;
    q->desc = (uint64_t) pfn * page_size;
    q->avail = q->desc + (uint64_t) DESC_SIZE * q->num;
    q->used = ROUND_UP(q->avail + 4 + 2 * (uint64_t) q->num + 2, align);
    if (pfn)
        virtq_enable(q);
}

void virtio_notified(struct virtio_dev *v, unsigned queue)
{
    if (queue >= v->n_queues) {
        guest_error(v->dev, "notification of queue %u of %u", queue, v->n_queues);
        return;
    }
    TRACE(v->dev, "notified of queue %u by a register", queue);
    /* 3.1.2: legacy drivers may use the device before they say that they are ready */
    if (!v->started && (v->status & VIRTIO_DRIVER) && !virtio_has(v, VIRTIO_F_VERSION_1) && v->q[queue].pfn)
        start(v);
    virtq_kick(&v->q[queue]);
}

void virtio_kick_all(struct virtio_dev *v)
{
    for (unsigned i = 0; i < v->n_queues; i++)
        if (v->q[i].mapped)
            virtq_kick(&v->q[i]);
}

void virtio_add_queue(struct virtio_dev *v, unsigned size)
{
    g_assert(v->n_queues < VIRTIO_MAX_QUEUES && size && size <= VIRTQ_MAX_SIZE && !(size & (size - 1)));
    v->q = g_renew(struct virtq, v->q, v->n_queues + 1);
    struct virtq *q = &v->q[v->n_queues];
    *q = (struct virtq){ .v = v, .index = v->n_queues++, .max = (uint16_t) size, .kick_fd = -1 };
}

/* --- life ------------------------------------------------------------------------------------------- */

static uint64_t ring_features(const struct virtio_dev *v)
{
    return BIT64(VIRTIO_F_VERSION_1) | (v->indirect_desc ? BIT64(VIRTIO_F_INDIRECT_DESC) : 0) |
           (v->use_event_idx ? BIT64(VIRTIO_F_EVENT_IDX) : 0) | (v->packed ? BIT64(VIRTIO_F_RING_PACKED) : 0) |
           (v->in_order ? BIT64(VIRTIO_F_IN_ORDER) : 0) | (v->any_layout ? BIT64(VIRTIO_F_ANY_LAYOUT) : 0) |
           (v->notify_on_empty ? BIT64(VIRTIO_F_NOTIFY_ON_EMPTY) : 0);
}

bool virtio_realize(struct virtio_dev *v, const struct virtio_class *cls, struct device *dev,
                    const struct virtio_transport *transport, GError **err)
{
    v->cls = cls;
    v->dev = dev;
    v->transport = transport;
    v->exec = &dev->vm->main;
    v->config_size = cls->config_size;
    if (v->iommu_platform)
        return fail(err, "iommu_platform=on: this machine has no IOMMU");
    if (!cls->realize(v, err))
        return false;
    g_assert(v->n_queues && v->config_size <= VIRTIO_MAX_CONFIG && cls->req_size >= sizeof(struct virtq_buf));
    for (unsigned i = 0; i < v->n_queues; i++)
        if ((v->q[i].kick_fd = event_new(err)) < 0)
            return false;
    v->offered = ring_features(v) | (cls->features ? cls->features(v) : 0);
    v->notifier = (struct vm_notifier){ .fn = on_phase, .opaque = v };
    vm_add_notifier(dev->vm, &v->notifier);
    v->notifying = true;
    virtio_reset(v);
    return true;
}

void virtio_unrealize(struct virtio_dev *v)
{
    if (!v->cls)
        return;
    halt(v);
    if (v->notifying)
        vm_remove_notifier(v->dev->vm, &v->notifier);
    v->notifying = false;
    if (v->cls->unrealize)
        v->cls->unrealize(v);
    for (unsigned i = 0; i < v->n_queues; i++) {
        virtq_unmap(&v->q[i]);
        event_close(&v->q[i].kick_fd);
    }
    g_clear_pointer(&v->q, g_free);
    v->n_queues = 0;
}

/* --- snapshots -------------------------------------------------------------------------------------- */

static bool queue_is_valid(const struct virtq *q)
{
    return q->num && q->num <= q->max && (!q->align || (q->align & (q->align - 1)) == 0);
}

bool virtio_post_load(struct virtio_dev *v)
{
    bool was = v->started, ok = true;

    if (v->running)
        virtio_call(v, end, v);
    for (unsigned i = 0; i < v->n_queues; i++) {
        virtq_unmap(&v->q[i]);
        ok = ok && queue_is_valid(&v->q[i]);
    }
    ok = ok && v->features == (v->features & v->offered) && (!v->cls->post_load || v->cls->post_load(v));
    v->started = false;
    if (!ok || !was)
        return ok;
    v->started = true;
    bool broken = v->broken;
    for (unsigned i = 0; i < v->n_queues && ok && !broken; i++)
        ok = !v->q[i].enabled || virtq_map(&v->q[i]);
    if (ok && vm_running(v->dev->vm))
        virtio_call(v, begin, v);
    return ok;
}

static void drain(void *opaque)
{
    end(opaque);
    begin(opaque);
}

void virtio_pre_save(struct virtio_dev *v)
{
    if (v->running)
        virtio_call(v, drain, v);
}

void virtio_describe(const struct virtio_dev *v, GString *out)
{
    g_string_append_printf(out, "    %s: status %02x, features 0x%" PRIx64 " of 0x%" PRIx64 "%s\n", v->cls->name,
                           v->status, v->features, v->offered, v->broken ? ", broken by its driver" : "");
    for (unsigned i = 0; i < v->n_queues; i++) {
        const struct virtq *q = &v->q[i];
        if (q->enabled)
            g_string_append_printf(out, "    queue %u: %u of %u places, %s%s%s, vector %d, %u in flight\n", i, q->num,
                                   q->max, virtio_has(v, VIRTIO_F_RING_PACKED) ? "packed" : "split",
                                   q->event_idx ? ", event index" : "", q->indirect ? ", indirect" : "",
                                   q->vector == VIRTIO_NO_VECTOR ? -1 : q->vector, q->mapped ? q->inflight : 0);
    }
    if (v->cls->describe)
        v->cls->describe(v, out);
}

static const struct state virtq_state[] = {
    STATE_HOST(struct virtq, v), STATE_HOST(struct virtq, index), STATE_HOST(struct virtq, max),
    STATE_U16(struct virtq, num), STATE_U16(struct virtq, vector), STATE_BOOL(struct virtq, enabled),
    STATE_U32(struct virtq, pfn), STATE_U32(struct virtq, align), STATE_U64(struct virtq, desc),
    STATE_U64(struct virtq, avail), STATE_U64(struct virtq, used), STATE_U16(struct virtq, last_avail),
    STATE_U16(struct virtq, used_idx), STATE_BOOL(struct virtq, avail_wrap), STATE_BOOL(struct virtq, used_wrap),
    STATE_U16(struct virtq, unsignalled),
    { .name = "host", .type = ST_HOST, .offset = offsetof(struct virtq, mapped),
      .elem = sizeof(struct virtq) - offsetof(struct virtq, mapped), .count = 1 },
    {}
};

const struct state virtio_dev_state[] = {
    STATE_HOST(struct virtio_dev, cls), STATE_HOST(struct virtio_dev, dev), STATE_HOST(struct virtio_dev, transport),
    STATE_HOST(struct virtio_dev, exec), STATE_HOST(struct virtio_dev, offered),
    STATE_HOST(struct virtio_dev, config_size),
    STATE_VECTOR(struct virtio_dev, q, n_queues, virtq_state), STATE_HOST(struct virtio_dev, n_queues),
    STATE_HOST(struct virtio_dev, notifier), STATE_HOST(struct virtio_dev, notifying),
    STATE_HOST(struct virtio_dev, running),
    STATE_U64(struct virtio_dev, features), STATE_U64(struct virtio_dev, driver_features),
    STATE_U8(struct virtio_dev, status), STATE_U8(struct virtio_dev, isr), STATE_U8(struct virtio_dev, generation),
    STATE_BOOL(struct virtio_dev, started), STATE_BOOL(struct virtio_dev, broken), {}
};
