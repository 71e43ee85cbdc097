/* hw/virtio/virtio_blk.c - virtio-blk, a disk: features, configuration, life.
 *
 * Source: virtio 1.2, 5.2, with the legacy interface (5.2.5.1, 5.2.6.4).
 * Deviations: no SCSI commands, no barriers (legacy features that were given up), no lifetime, no secure erase, no
 * zones.  Without cyls=, heads=, secs= the geometry comes from the size, whatever a partition table says.  A
 * request that waits for the VM to continue after an error is not part of a saved state.
 * Unlike other implementations, a DISCARD or WRITE_ZEROES may have up to 32 ranges. */
#include "hw/virtio/virtio_blk.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "vmm/core/iothread.h"
#include "vmm/core/vm.h"

const struct state virtio_blk_state[] = {
    STATE_STRUCT(struct virtio_blk, v, virtio_dev_state),
    STATE_BOOL(struct virtio_blk, writeback),
    STATE_HOST(struct virtio_blk, batch),
    STATE_HOST(struct virtio_blk, n_batch),
    STATE_HOST(struct virtio_blk, spare),
    STATE_HOST(struct virtio_blk, in_flight),
    STATE_HOST(struct virtio_blk, dropping),
    STATE_HOST(struct virtio_blk, unflushed),
    STATE_HOST(struct virtio_blk, attached),
    STATE_HOST(struct virtio_blk, writeback_default),
    STATE_HOST(struct virtio_blk, id),
    STATE_HOST(struct virtio_blk, stats),
    STATE_HOST(struct virtio_blk, thread),
    { 0 },
};

/* --- the write cache ---------------------------------------------------------------------------------------- */

static void apply_writeback(void *opaque)
{
    struct virtio_blk *s = opaque;

    s->blk->write_cache = s->writeback;
    if (!s->writeback)
        vblk_flush_now(s);
}

static void set_writeback(struct virtio_blk *s, bool on)
{
    s->writeback = on;
    virtio_call(&s->v, apply_writeback, s);
}

/* 5.2.5.2: who does not know FLUSH must not need it. */
static void negotiated(struct virtio_dev *v)
{
    struct virtio_blk *s = vblk_of(v);

    set_writeback(s, s->writeback_default && virtio_has(v, VIRTIO_BLK_F_FLUSH));
}

/* --- features and configuration ------------------------------------------------------------------------------ */

static uint64_t features(struct virtio_dev *v)
{
    const struct virtio_blk *s = vblk_of(v);

    return BIT64(VIRTIO_BLK_F_SEG_MAX) | BIT64(VIRTIO_BLK_F_GEOMETRY) | BIT64(VIRTIO_BLK_F_BLK_SIZE) |
           BIT64(VIRTIO_BLK_F_TOPOLOGY) | BIT64(VIRTIO_BLK_F_FLUSH) |
           (s->blk->read_only ? BIT64(VIRTIO_BLK_F_RO) : 0) |
           (s->config_wce ? BIT64(VIRTIO_BLK_F_CONFIG_WCE) : 0) |
           (s->num_queues > 1 ? BIT64(VIRTIO_BLK_F_MQ) : 0) | (s->discard ? BIT64(VIRTIO_BLK_F_DISCARD) : 0) |
           (s->write_zeroes ? BIT64(VIRTIO_BLK_F_WRITE_ZEROES) : 0);
}

enum {
    CFG_CAPACITY = 0, CFG_SIZE_MAX = 8, CFG_SEG_MAX = 12, CFG_CYLINDERS = 16, CFG_HEADS = 18, CFG_SECTORS = 19,
    CFG_BLK_SIZE = 20, CFG_PHYSICAL_EXP = 24, CFG_ALIGNMENT = 25, CFG_MIN_IO = 26, CFG_OPT_IO = 28, CFG_WRITEBACK = 32,
    CFG_NUM_QUEUES = 34, CFG_MAX_DISCARD = 36, CFG_MAX_DISCARD_SEG = 40, CFG_DISCARD_ALIGN = 44, CFG_MAX_WZ = 48,
    CFG_MAX_WZ_SEG = 52, CFG_WZ_UNMAP = 56, CFG_END = 60,
};

static void get_config(struct virtio_dev *v, uint8_t *cfg)
{
    const struct virtio_blk *s = vblk_of(v);
    enum { MAX_CYLS = 16383, HEADS = 16, SECS = 63, LEGACY_SEGMENTS = 128 };
    uint8_t c[CFG_END] = { 0 };
    uint32_t heads = s->heads ? s->heads : HEADS, secs = s->secs ? s->secs : SECS, block = s->logical_block_size;
    uint64_t sectors = __atomic_load_n(&s->blk->size, __ATOMIC_RELAXED) / VBLK_SECTOR;
    uint64_t cyls = s->cyls ? s->cyls : CLAMP(sectors / (heads * secs), 2, MAX_CYLS);
    unsigned pieces = s->seg_max_adjust ? s->queue_size : LEGACY_SEGMENTS;

    st_le64(c + CFG_CAPACITY, sectors / (block / VBLK_SECTOR) * (block / VBLK_SECTOR));
    st_le32(c + CFG_SEG_MAX, pieces - 2);
    st_le16(c + CFG_CYLINDERS, (uint16_t) cyls);
    c[CFG_HEADS] = (uint8_t) heads;
    c[CFG_SECTORS] = (uint8_t) secs;
    st_le32(c + CFG_BLK_SIZE, block);
    c[CFG_PHYSICAL_EXP] = (uint8_t) (__builtin_ctz(s->physical_block_size) - __builtin_ctz(block));
    st_le16(c + CFG_MIN_IO, (uint16_t) (s->min_io_size / block));
    st_le32(c + CFG_OPT_IO, s->opt_io_size / block);
    c[CFG_WRITEBACK] = s->writeback;
    st_le16(c + CFG_NUM_QUEUES, s->num_queues);
    if (s->discard) {
        st_le32(c + CFG_MAX_DISCARD, s->max_discard_sectors);
        st_le32(c + CFG_MAX_DISCARD_SEG, VBLK_MAX_SEGMENTS);
        st_le32(c + CFG_DISCARD_ALIGN, s->discard_granularity / VBLK_SECTOR);
    }
    if (s->write_zeroes) {
        st_le32(c + CFG_MAX_WZ, s->max_write_zeroes_sectors);
        st_le32(c + CFG_MAX_WZ_SEG, VBLK_MAX_SEGMENTS);
        c[CFG_WZ_UNMAP] = 1;
    }
    memcpy(cfg, c, MIN(sizeof c, v->config_size));
}

static void set_config(struct virtio_dev *v, const uint8_t *cfg, unsigned off, unsigned len)
{
    struct virtio_blk *s = vblk_of(v);

    if (off <= CFG_WRITEBACK && off + len > CFG_WRITEBACK && virtio_has(v, VIRTIO_BLK_F_CONFIG_WCE))
        set_writeback(s, cfg[CFG_WRITEBACK] & 1);
    else
        guest_error(v->dev, "write to the configuration at %u, %u bytes", off, len);
}

/* --- the drive's side ---------------------------------------------------------------------------------------- */

static void resized(void *opaque)
{
    struct virtio_blk *s = opaque;

    virtio_config_changed(&s->v);
}

static void media_changed(void *opaque, bool present)
{
    (void) present;
    resized(opaque);
}

static void batch_done(void *opaque)
{
    vblk_notify(opaque);
}

static const struct blk_dev_ops blk_dev_ops = {
    .resized = resized, .media_changed = media_changed, .batch_done = batch_done,
};

/* --- life ---------------------------------------------------------------------------------------------------- */

static bool power_of_two(const char *what, uint32_t n, uint32_t min, uint32_t max, GError **err)
{
    if (n < min || n > max || (n & (n - 1)))
        return fail(err, "%s=%u: must be a power of two from %u to %u", what, n, min, max);
    return true;
}

static bool multiple(const char *what, uint32_t n, uint32_t block, GError **err)
{
    return n % block == 0 || fail(err, "%s=%u: must be a multiple of the logical block's %u bytes", what, n, block);
}

static bool check_props(struct virtio_blk *s, GError **err)
{
    enum { MIN_QUEUE = 4, MAX_BLOCK = 1 << 20, MAX_QUEUES = MIN(VIRTIO_MAX_QUEUES, MSIX_MAX - 1) };
    bool pci = s->v.dev->cls->bus == &pci_bus_class;
    uint32_t block = s->logical_block_size;

    if (s->scsi)
        return fail(err, "scsi=on: SCSI commands through virtio-blk are not built");
    if (s->share_rw)
        return fail(err, "share-rw=on: is the image's matter here: use -drive ...,locking=off");
    if (s->num_queues == UINT16_MAX)
        s->num_queues = pci ? (uint16_t) CLAMP(s->v.dev->vm->cpus, 1, MAX_QUEUES) : 1;
    if (!s->num_queues || s->num_queues > MAX_QUEUES)
        return fail(err, "num-queues=%u: must be 1 to %d", s->num_queues, MAX_QUEUES);
    if (s->discard_granularity == UINT32_MAX)
        s->discard_granularity = block;
    if (!power_of_two("queue-size", s->queue_size, MIN_QUEUE, VIRTQ_MAX_SIZE, err) ||
        !power_of_two("logical_block_size", block, VBLK_SECTOR, MAX_BLOCK, err) ||
        !power_of_two("physical_block_size", s->physical_block_size, VBLK_SECTOR, MAX_BLOCK, err))
        return false;
    s->physical_block_size = MAX(s->physical_block_size, block);
    if (s->min_io_size / block > UINT16_MAX)
        return fail(err, "min_io_size=%u: more than %d blocks", s->min_io_size, UINT16_MAX);
    if (s->cyls > UINT16_MAX || s->heads > UINT8_MAX || s->secs > UINT8_MAX)
        return fail(err, "geometry %u/%u/%u: at most 65535 cylinders, 255 heads, 255 sectors", s->cyls, s->heads,
                    s->secs);
    return multiple("min_io_size", s->min_io_size, block, err) && multiple("opt_io_size", s->opt_io_size, block, err) &&
           multiple("discard_granularity", s->discard_granularity, block, err);
}

static bool take_drive(struct virtio_blk *s, GError **err)
{
    struct device *dev = s->v.dev;

    if (!s->blk)
        return fail(err, "drive= is missing: a disk needs one");
    if (!blk_attach(s->blk, dev, &blk_dev_ops, s, err))
        return false;
    s->attached = true;
    if (!s->blk->present)
        return fail(err, "drive '%s' has no medium: a disk needs one", s->blk->id);
    const char *serial = s->serial ? s->serial : s->blk->serial;
    if (serial)
        memcpy(s->id, serial, MIN(strlen(serial), sizeof s->id));
    if (s->werror != POLICY_AUTO)
        s->blk->werror = s->werror;
    if (s->rerror != POLICY_AUTO)
        s->blk->rerror = s->rerror;
    if (s->write_cache != OOA_AUTO)
        s->blk->write_cache = s->write_cache == OOA_ON;
    s->writeback = s->writeback_default = s->blk->write_cache;
    s->thread = iothread_attach(dev->vm, s->iothread, s->blk->id, err);
    if (!s->thread)
        return false;
    blk_set_exec(s->blk, s->thread);
    if (s->blk->exec != s->thread && s->iothread)
        return fail(err, "iothread=%s: drive '%s' can't work in one", s->iothread->id, s->blk->id);
    s->v.exec = s->blk->exec;
    return true;
}

static bool realize(struct virtio_dev *v, GError **err)
{
    struct virtio_blk *s = vblk_of(v);

    if (!check_props(s, err) || !take_drive(s, err))
        return false;
    for (unsigned i = 0; i < s->num_queues; i++)
        virtio_add_queue(v, s->queue_size);
    v->config_size = s->discard || s->write_zeroes ? CFG_END : CFG_MAX_DISCARD;
    return device_add_boot(v->dev, s->bootindex, "/disk@0,0", err);
}

static void drop(struct virtio_blk *s)
{
    s->dropping = true;
    blk_drain(s->blk);
    s->dropping = false;
}

static void unrealize(struct virtio_dev *v)
{
    struct virtio_blk *s = vblk_of(v);

    if (s->attached) {
        drop(s);
        blk_detach(s->blk);
    }
    s->attached = false;
    vblk_free_spares(s);
    iothread_detach(s->thread);
    s->thread = NULL;
}

/* What an error policy keeps stays; it ends after the VM went on, or by a reset. */
static void stop(struct virtio_dev *v)
{
    struct virtio_blk *s = vblk_of(v);

    blk_settle(s->blk);
    vblk_notify(s);
}

static void reset(struct virtio_dev *v)
{
    struct virtio_blk *s = vblk_of(v);

    drop(s);
    if (!v->started) /* else it is one queue's */
        set_writeback(s, s->writeback_default);
}

static bool post_load(struct virtio_dev *v)
{
    struct virtio_blk *s = vblk_of(v);

    drop(s);
    virtio_call(v, apply_writeback, s);
    return true;
}

static void describe(const struct virtio_dev *v, GString *out)
{
    const struct virtio_blk *s = container_of(v, const struct virtio_blk, v);

    g_string_append_printf(out, "    drive %s, %s: %" PRIu64 " requests, %" PRIu64 " merged, %u in flight\n",
                           s->blk->id, s->writeback ? "writeback" : "writethrough", s->stats.requests,
                           s->stats.merged, s->in_flight);
}

const struct virtio_class virtio_blk_vclass = {
    .name = "virtio-blk",
    .id = VIRTIO_ID_BLOCK,
    .config_size = CFG_END,
    .req_size = sizeof(struct vblk_req),
    .realize = realize,
    .unrealize = unrealize,
    .features = features,
    .negotiated = negotiated,
    .get_config = get_config,
    .set_config = set_config,
    .handle_queue = vblk_handle_queue,
    .stop = stop,
    .reset = reset,
    .post_load = post_load,
    .describe = describe,
};
