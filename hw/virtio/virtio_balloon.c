/* hw/virtio/virtio_balloon.c - memory balloon: memory that the guest can spare goes back to the host.
 *
 * Source: VIRTIO 1.2, 5.5.
 * Queues are numbered as Linux and QEMU do: the place of one whose feature is not offered is taken by the next.
 * Deviations: VIRTIO_BALLOON_F_MUST_TELL_HOST is not offered, for there is no need: a page that the guest takes back
 * without a word is there, as zeros.  Memory in pages larger than 4 KiB (hugetlbfs) goes back only where a buffer
 * names all of such a page.  Of one buffer the first 64 Ki page numbers count, and the first 4 KiB of statistics.
 * Everything is served by the main loop, and iothread= is unknown. */
#include "hw/catalog.h"
#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"
#include "vmm/core/balloon.h"
#include "vmm/core/vm.h"

#include <stdlib.h>

enum { /* feature bits */
    VIRTIO_BALLOON_F_STATS_VQ = 1, VIRTIO_BALLOON_F_DEFLATE_ON_OOM = 2, VIRTIO_BALLOON_F_FREE_PAGE_HINT = 3,
    VIRTIO_BALLOON_F_PAGE_POISON = 4, VIRTIO_BALLOON_F_REPORTING = 5,
};
enum { VIRTIO_BALLOON_CMD_ID_STOP = 0, VIRTIO_BALLOON_CMD_ID_DONE = 1, FIRST_CMD_ID = 2 };
enum { CFG_NUM_PAGES = 0, CFG_ACTUAL = 4, CFG_CMD_ID = 8, CFG_POISON_VAL = 12, CFG_SIZE = 16 };
enum { QUEUE_SIZE = 128, REPORTING_SIZE = 32 };
enum { PFNS_AT_ONCE = 1024, MOST_PFNS = 65536, STAT_SIZE = 10, MOST_STATS = 4096 };
enum { PFN_SHIFT = 12 }; /* VIRTIO_BALLOON_PFN_SHIFT */

enum hinting { /* where a round of free page hints is */
    HINTS_NONE, HINTS_ASKED, HINTS_COMING, HINTS_OVER, N_HINTINGS
};

struct virtio_balloon {
    struct virtio_dev v;
    bool deflate_on_oom, free_page_hint, page_poison, free_page_reporting; /* properties */
    /* state */
    uint32_t num_pages, actual; /* in the balloon: wanted, and as the driver says */
    uint32_t cmd_id;     /* free_page_hint_cmd_id */
    uint32_t next_cmd_id;
    uint32_t poison_val;
    uint32_t polling;    /* seconds between statistics; 0: only those that come by themselves */
    uint8_t hinting;     /* enum hinting */
    struct balloon_stats stats;
    struct timer timer;
    /* host */
    struct virtq_buf *stats_buf; /* kept until the next statistics are wanted */
    struct virtq *inflateq, *deflateq, *statsq, *free_pageq, *reportingq;
    struct balloon balloon;
    struct balloon_hints hints;
};

#define VIRTIO_BALLOON_PROPS(T, B)                                                                                   \
    PROP_BOOL(T, B.deflate_on_oom, false, .name = "deflate-on-oom",                                                  \
              .desc = "the guest may take memory back when it has none"),                                            \
    PROP_BOOL(T, B.free_page_hint, false, .name = "free-page-hint",                                                  \
              .desc = "the guest can be asked for pages that it does not use"),                                      \
    PROP_BOOL(T, B.page_poison, true, .name = "page-poison", .desc = "the guest tells how it fills free pages"),     \
    PROP_BOOL(T, B.free_page_reporting, false, .name = "free-page-reporting",                                        \
              .desc = "the guest tells by itself of pages that it does not use; their memory goes back to the host")

static struct virtio_balloon *balloon_of(struct virtio_dev *v)
{
    return container_of(v, struct virtio_balloon, v);
}

static uint64_t ram_size(const struct virtio_balloon *s)
{
    return s->v.dev->vm->ram.block.size;
}

static uint64_t actual_bytes(const struct virtio_balloon *s)
{
    uint64_t in = (uint64_t) s->actual << PFN_SHIFT;

    return in < ram_size(s) ? ram_size(s) - in : 0;
}

/* --- inflate ------------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    uint32_t x = ld_le32(a), y = ld_le32(b);

    return x < y ? -1 : x > y;
}

static void give_back(struct virtio_balloon *s, uint64_t pfn, uint64_t n)
{
    int err = ram_discard(&s->v.dev->vm->ram, pfn << PFN_SHIFT, n << PFN_SHIFT);

    if (err == EFAULT && n > 1) /* not all of it is RAM, or not in one piece */
        for (uint64_t i = 0; i < n; i++)
            give_back(s, pfn + i, 1);
    else if (err == EFAULT)
        guest_error(s->v.dev, "page 0x%" PRIx64 " is not in RAM", pfn);
    else if (err)
        TRACE(s->v.dev, "page 0x%" PRIx64 " and %" PRIu64 " more stay: %s", pfn, n - 1, g_strerror(err));
}

/* Drivers give neighbours in any order: sorted, they go back in few calls. */
static void inflate(struct virtio_balloon *s, const struct virtq_buf *b)
{
    uint8_t pfns[PFNS_AT_ONCE * 4];
    size_t total = MIN(b->out_len / 4, MOST_PFNS);

    if (b->out_len / 4 > MOST_PFNS)
        guest_error(s->v.dev, "%zu pages in one buffer: the first %d count", b->out_len / 4, MOST_PFNS);
    for (size_t at = 0; at < total; at += PFNS_AT_ONCE) {
        size_t n = MIN(total - at, PFNS_AT_ONCE);
        virtq_out(b, at * 4, pfns, n * 4);
        qsort(pfns, n, 4, by_number);
        for (size_t i = 0, j; i < n; i = j) {
            uint32_t first = ld_le32(pfns + 4 * i), last = first;
            for (j = i + 1; j < n && ld_le32(pfns + 4 * j) - last <= 1; j++) /* or the same again */
                last = ld_le32(pfns + 4 * j);
            give_back(s, first, (uint64_t) last - first + 1);
        }
    }
}

static void serve_inflate(struct virtio_balloon *s, struct virtq *q)
{
    struct virtq_buf *b;

    while ((b = virtq_pop(q))) {
        inflate(s, b);
        virtq_push(b, 0);
    }
    virtq_notify(q);
}

/* Pages come back when they are touched. */
static void serve_deflate(struct virtq *q)
{
    struct virtq_buf *b;

    while ((b = virtq_pop(q)))
        virtq_push(b, 0);
    virtq_notify(q);
}

/* --- free page reporting, and hints --------------------------------------------------------------------------- */

/* The pages that the buffer's in part is, as offsets in RAM. */
static void for_pages(struct virtio_balloon *s, const struct virtq_buf *b,
                      void (*fn)(struct virtio_balloon *s, uint64_t off, uint64_t len))
{
    const struct ram_block *rb = &s->v.dev->vm->ram.block;

    for (unsigned i = 0; i < b->in_num; i++) {
        const struct iovec *iov = &b->iov[b->out_num + i];
        fn(s, (uint64_t) ((uint8_t *) iov->iov_base - rb->host), iov->iov_len);
    }
}

static void report(struct virtio_balloon *s, uint64_t off, uint64_t len)
{
    int err = ram_block_discard(&s->v.dev->vm->ram.block, off, len);

    if (err)
        TRACE(s->v.dev, "%" PRIu64 " reported bytes stay: %s", len, g_strerror(err));
}

/* Pages come back as zeros, which is not what a guest that poisons finds right (5.5.6.7). */
static void serve_reporting(struct virtio_balloon *s, struct virtq *q)
{
    bool keep = virtio_has(&s->v, VIRTIO_BALLOON_F_PAGE_POISON) && s->poison_val;
    struct virtq_buf *b;

    while ((b = virtq_pop(q))) {
        if (!keep)
            for_pages(s, b, report);
        virtq_push(b, 0);
    }
    virtq_notify(q);
}

static void hint(struct virtio_balloon *s, uint64_t off, uint64_t len)
{
    const struct ram *ram = &s->v.dev->vm->ram;
    uint64_t low = off < ram->below_4g ? MIN(len, ram->below_4g - off) : 0;

    if (low)
        s->hints.page(s->hints.opaque, off, low);
    if (len > low)
        s->hints.page(s->hints.opaque, 4 * GiB + (off + low - ram->below_4g), len - low);
}

static void hint_command(struct virtio_balloon *s, uint32_t id)
{
    if (id == s->cmd_id && s->hinting == HINTS_ASKED) {
        s->hinting = HINTS_COMING;
    } else if (id == VIRTIO_BALLOON_CMD_ID_STOP && s->hinting == HINTS_COMING) {
        s->hinting = HINTS_OVER;
        if (s->hints.done)
            s->hints.done(s->hints.opaque);
    }
}

static void serve_hints(struct virtio_balloon *s, struct virtq *q)
{
    struct virtq_buf *b;
    uint8_t id[4];

    while ((b = virtq_pop(q))) {
        if (b->out_num && virtq_out(b, 0, id, sizeof id) == sizeof id)
            hint_command(s, ld_le32(id));
        else if (b->out_num)
            virtio_error(&s->v, "a command of %zu bytes", b->out_len);
        if (b->in_num && s->hinting == HINTS_COMING && s->hints.page)
            for_pages(s, b, hint);
        virtq_push(b, 0);
    }
    virtq_notify(q);
}

static bool hints_start(void *opaque, const struct balloon_hints *to, GError **err)
{
    struct virtio_balloon *s = opaque;

    if (!s->free_page_hint)
        return fail(err, "the balloon has no free page hints: give it free-page-hint=on");
    if (!s->v.started || !virtio_has(&s->v, VIRTIO_BALLOON_F_FREE_PAGE_HINT))
        return fail(err, "the guest's balloon driver does not give free page hints");
    s->hints = *to;
    s->cmd_id = s->next_cmd_id;
    s->next_cmd_id = s->next_cmd_id == UINT32_MAX ? FIRST_CMD_ID : s->next_cmd_id + 1;
    s->hinting = HINTS_ASKED;
    virtio_config_changed(&s->v);
    return true;
}

static void hints_stop(void *opaque)
{
    struct virtio_balloon *s = opaque;

    s->hints = (struct balloon_hints){ 0 };
    if (s->hinting == HINTS_NONE)
        return;
    s->hinting = HINTS_NONE;
    s->cmd_id = VIRTIO_BALLOON_CMD_ID_DONE; /* the driver frees what it had put aside */
    virtio_config_changed(&s->v);
}

/* --- statistics ----------------------------------------------------------------------------------------------- */

static void forget_stats(struct virtio_balloon *s)
{
    s->stats.last_update = 0;
    memset(s->stats.value, 0xff, sizeof s->stats.value);
}

static void read_stats(struct virtio_balloon *s, const struct virtq_buf *b)
{
    uint8_t all[MOST_STATS];
    size_t len = virtq_out(b, 0, all, sizeof all);

    for (size_t at = 0; at + STAT_SIZE <= len; at += STAT_SIZE) {
        uint16_t tag = ld_le16(all + at);
        if (tag < N_BALLOON_STATS)
            s->stats.value[tag] = ld_le64(all + at + 2);
    }
    s->stats.last_update = g_get_real_time() / G_USEC_PER_SEC;
}

static void arm(struct virtio_balloon *s)
{
    if (s->polling && s->stats_buf)
        timer_at(&s->timer, clock_now(s->v.dev->vm) + s->polling * NS_PER_SEC);
    else
        timer_stop(&s->timer);
}

/* The buffer comes first with the statistics of the moment, and is kept until others are wanted. */
static void serve_stats(struct virtio_balloon *s, struct virtq *q)
{
    struct virtq_buf *b;

    while ((b = virtq_pop(q))) {
        if (s->stats_buf)
            virtq_push(s->stats_buf, 0);
        s->stats_buf = b;
        read_stats(s, b);
        arm(s);
    }
    virtq_notify(q);
}

static void want_stats(void *opaque)
{
    struct virtio_balloon *s = opaque;
    struct virtq_buf *b = s->stats_buf;

    if (!b || !s->v.running)
        return;
    s->stats_buf = NULL;
    virtq_push(b, 0);
    virtq_notify(s->statsq);
}

/* --- the device ----------------------------------------------------------------------------------------------- */

static void handle_queue(struct virtio_dev *v, struct virtq *q)
{
    struct virtio_balloon *s = balloon_of(v);

    if (q == s->inflateq)
        serve_inflate(s, q);
    else if (q == s->deflateq)
        serve_deflate(q);
    else if (q == s->statsq)
        serve_stats(s, q);
    else if (q == s->free_pageq)
        serve_hints(s, q);
    else
        serve_reporting(s, q);
}

static void set_target(void *opaque, uint64_t bytes)
{
    struct virtio_balloon *s = opaque;

    s->num_pages = (uint32_t) MIN((ram_size(s) - MIN(bytes, ram_size(s))) >> PFN_SHIFT, UINT32_MAX);
    virtio_config_changed(&s->v);
}

static uint64_t actual(void *opaque)
{
    return actual_bytes(opaque);
}

static void get_stats(void *opaque, struct balloon_stats *out)
{
    *out = ((struct virtio_balloon *) opaque)->stats;
}

static uint32_t get_polling(void *opaque)
{
    return ((struct virtio_balloon *) opaque)->polling;
}

static void set_polling(void *opaque, uint32_t seconds)
{
    struct virtio_balloon *s = opaque;

    s->polling = seconds;
    arm(s);
}

static const struct balloon_ops balloon_ops = {
    set_target, actual, get_stats, get_polling, set_polling, hints_start, hints_stop,
};

static void get_config(struct virtio_dev *v, uint8_t *cfg)
{
    const struct virtio_balloon *s = balloon_of(v);
    uint8_t all[CFG_SIZE];

    st_le32(all + CFG_NUM_PAGES, s->num_pages);
    st_le32(all + CFG_ACTUAL, s->actual);
    st_le32(all + CFG_CMD_ID, s->cmd_id);
    st_le32(all + CFG_POISON_VAL, s->poison_val);
    memcpy(cfg, all, v->config_size);
}

static void set_actual(struct virtio_balloon *s, uint32_t pages)
{
    if (s->actual == pages)
        return;
    s->actual = pages;
    balloon_tell(s->v.dev->vm, actual_bytes(s));
}

static void set_config(struct virtio_dev *v, const uint8_t *cfg, unsigned off, unsigned len)
{
    struct virtio_balloon *s = balloon_of(v);

    if (off < CFG_ACTUAL + 4 && off + len > CFG_ACTUAL)
        set_actual(s, ld_le32(cfg + CFG_ACTUAL));
    if (v->config_size == CFG_SIZE && off + len > CFG_POISON_VAL)
        s->poison_val = ld_le32(cfg + CFG_POISON_VAL);
}

static uint64_t features(struct virtio_dev *v)
{
    const struct virtio_balloon *s = balloon_of(v);

    return 1u << VIRTIO_BALLOON_F_STATS_VQ |
           (uint64_t) s->deflate_on_oom << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
           (uint64_t) s->free_page_hint << VIRTIO_BALLOON_F_FREE_PAGE_HINT |
           (uint64_t) s->page_poison << VIRTIO_BALLOON_F_PAGE_POISON |
           (uint64_t) s->free_page_reporting << VIRTIO_BALLOON_F_REPORTING;
}

static bool realize(struct virtio_dev *v, GError **err)
{
    struct virtio_balloon *s = balloon_of(v);

    timer_init(&s->timer, v->dev->vm, want_stats, s);
    s->next_cmd_id = FIRST_CMD_ID;
    forget_stats(s);
    v->config_size = s->page_poison ? CFG_SIZE : s->free_page_hint ? CFG_POISON_VAL : CFG_CMD_ID;
    for (unsigned i = 0; i < 3u + s->free_page_hint; i++)
        virtio_add_queue(v, QUEUE_SIZE);
    if (s->free_page_reporting)
        virtio_add_queue(v, REPORTING_SIZE);
    s->inflateq = &v->q[0];
    s->deflateq = &v->q[1];
    s->statsq = &v->q[2];
    s->free_pageq = s->free_page_hint ? &v->q[3] : NULL;
    s->reportingq = s->free_page_reporting ? &v->q[v->n_queues - 1] : NULL;
    s->balloon = (struct balloon){ &balloon_ops, s };
    return balloon_register(v->dev->vm, &s->balloon, err);
}

static void unrealize(struct virtio_dev *v)
{
    struct virtio_balloon *s = balloon_of(v);

    balloon_unregister(v->dev->vm, &s->balloon);
    timer_stop(&s->timer);
}

/* What the driver made available is looked at again after the start. */
static void stop(struct virtio_dev *v)
{
    struct virtio_balloon *s = balloon_of(v);

    if (s->stats_buf)
        virtq_unpop(s->stats_buf);
    s->stats_buf = NULL;
}

/* All of the guest's memory is its own again.  What is wanted, and how often it shall tell, stays. */
static void reset(struct virtio_dev *v)
{
    struct virtio_balloon *s = balloon_of(v);

    s->stats_buf = NULL;
    timer_stop(&s->timer);
    forget_stats(s);
    s->poison_val = 0;
    if (s->hinting == HINTS_ASKED || s->hinting == HINTS_COMING) { /* there will be no more */
        s->hinting = HINTS_OVER;
        if (s->hints.done)
            s->hints.done(s->hints.opaque);
    }
    s->cmd_id = VIRTIO_BALLOON_CMD_ID_STOP;
    set_actual(s, 0);
}

/* Who asked for hints does not come along with a snapshot. */
static bool post_load(struct virtio_dev *v)
{
    struct virtio_balloon *s = balloon_of(v);

    if (s->hinting >= N_HINTINGS || s->next_cmd_id < FIRST_CMD_ID)
        return false;
    if (s->hinting != HINTS_NONE && !s->hints.page) {
        s->hinting = HINTS_NONE;
        s->cmd_id = VIRTIO_BALLOON_CMD_ID_DONE;
    }
    return true;
}

static void describe(const struct virtio_dev *v, GString *out)
{
    const struct virtio_balloon *s = container_of(v, const struct virtio_balloon, v);

    g_string_append_printf(out, "    %u of %u pages wanted are in the balloon\n", s->actual, s->num_pages);
}

static const struct virtio_class virtio_balloon_vclass = {
    .name = "virtio-balloon", .id = VIRTIO_ID_BALLOON, .config_size = CFG_SIZE, .req_size = sizeof(struct virtq_buf),
    .realize = realize, .unrealize = unrealize, .features = features, .get_config = get_config,
    .set_config = set_config, .handle_queue = handle_queue, .stop = stop, .reset = reset, .post_load = post_load,
    .describe = describe,
};

static const struct state virtio_balloon_state[] = {
    STATE_STRUCT(struct virtio_balloon, v, virtio_dev_state), STATE_U32(struct virtio_balloon, num_pages),
    STATE_U32(struct virtio_balloon, actual), STATE_U32(struct virtio_balloon, cmd_id),
    STATE_U32(struct virtio_balloon, next_cmd_id), STATE_U32(struct virtio_balloon, poison_val),
    STATE_U32(struct virtio_balloon, polling), STATE_U8(struct virtio_balloon, hinting, .max = N_HINTINGS - 1),
    STATE_U64(struct virtio_balloon, stats.last_update), STATE_ARRAY(struct virtio_balloon, stats.value),
    STATE_TIMER(struct virtio_balloon, timer), STATE_HOST(struct virtio_balloon, stats_buf),
    STATE_HOST(struct virtio_balloon, inflateq), STATE_HOST(struct virtio_balloon, deflateq),
    STATE_HOST(struct virtio_balloon, statsq), STATE_HOST(struct virtio_balloon, free_pageq),
    STATE_HOST(struct virtio_balloon, reportingq), STATE_HOST(struct virtio_balloon, balloon),
    STATE_HOST(struct virtio_balloon, hints), {}
};

struct virtio_balloon_pci {
    struct virtio_pci proxy;
    struct virtio_balloon balloon;
};
static const struct prop virtio_balloon_pci_props[] = {
    VIRTIO_BALLOON_PROPS(struct virtio_balloon_pci, balloon), VIRTIO_DEV_PROPS(struct virtio_balloon_pci, balloon.v),
    VIRTIO_PCI_PROPS(struct virtio_balloon_pci, proxy), {}
};
static const struct state virtio_balloon_pci_state[] = {
    VIRTIO_PCI_STATE(struct virtio_balloon_pci, proxy),
    STATE_STRUCT(struct virtio_balloon_pci, balloon, virtio_balloon_state), {}
};
VIRTIO_PCI_CLASSES(virtio_balloon, "virtio-balloon", struct virtio_balloon_pci, balloon.v, &virtio_balloon_vclass,
                   0x1002, 0x00ff00, virtio_balloon_pci_props, virtio_balloon_pci_state, "memory balloon");

struct virtio_balloon_mmio {
    struct virtio_mmio proxy;
    struct virtio_balloon balloon;
};
static const struct prop virtio_balloon_mmio_props[] = {
    VIRTIO_BALLOON_PROPS(struct virtio_balloon_mmio, balloon),
    VIRTIO_DEV_PROPS(struct virtio_balloon_mmio, balloon.v), {}
};
static const struct state virtio_balloon_mmio_state[] = {
    STATE_STRUCT(struct virtio_balloon_mmio, balloon, virtio_balloon_state), {}
};
VIRTIO_MMIO_CLASS(virtio_balloon, "virtio-balloon", struct virtio_balloon_mmio, balloon.v, &virtio_balloon_vclass,
                  virtio_balloon_mmio_props, virtio_balloon_mmio_state, "memory balloon");
