/* hw/virtio/virtio_blk.h - virtio-blk: between its files. */
#ifndef BANTAM_HW_VIRTIO_BLK_H
#define BANTAM_HW_VIRTIO_BLK_H

#include "hw/virtio/virtio.h"
#include "vmm/block/block.h"

struct iothread;

enum { /* feature bits, 5.2.3 */
    VIRTIO_BLK_F_SIZE_MAX = 1, VIRTIO_BLK_F_SEG_MAX = 2, VIRTIO_BLK_F_GEOMETRY = 4, VIRTIO_BLK_F_RO = 5,
    VIRTIO_BLK_F_BLK_SIZE = 6, VIRTIO_BLK_F_FLUSH = 9, VIRTIO_BLK_F_TOPOLOGY = 10, VIRTIO_BLK_F_CONFIG_WCE = 11,
    VIRTIO_BLK_F_MQ = 12, VIRTIO_BLK_F_DISCARD = 13, VIRTIO_BLK_F_WRITE_ZEROES = 14,
};
enum { /* request types and statuses, 5.2.6 */
    VIRTIO_BLK_T_IN = 0, VIRTIO_BLK_T_OUT = 1, VIRTIO_BLK_T_FLUSH = 4, VIRTIO_BLK_T_GET_ID = 8,
    VIRTIO_BLK_T_DISCARD = 11, VIRTIO_BLK_T_WRITE_ZEROES = 13,
    VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2,
    VIRTIO_BLK_WZ_UNMAP = 1,
};
enum {
    VBLK_SECTOR = 512, VBLK_ID_LEN = 20, VBLK_HEADER = 16, VBLK_SEGMENT = 16,
    VBLK_MAX_SEGMENTS = 32,        /* ranges of a DISCARD or WRITE_ZEROES */
    VBLK_MAX_SECTORS = 4194303,    /* of one such range */
    VBLK_BATCH = 64,               /* reads and writes that are looked at together */
    VBLK_MERGE_MAX = 1 << 20,      /* bytes of what they are merged to */
    VBLK_MERGE_IOV = 256,          /* and pieces */
};

struct vblk_req { /* the driver's */
    struct virtq_buf b;
    uint8_t *status;
    enum blk_op op;
    uint64_t off;
    struct vblk_req *next; /* that one backend request carries, too */
};

struct vblk_segment {
    uint64_t off, len;
    unsigned flags;
};

struct vblk_io { /* the backend's: it may outlive the driver's, when a reset finds it waiting */
    struct blk_req io;
    struct virtio_blk *s;
    struct vblk_req *first;
    struct iovec *iov;     /* room for the pieces of several */
    struct vblk_segment *segments;
    unsigned n_segments, segment;
    struct vblk_io *next;
};

struct virtio_blk {
    struct virtio_dev v;
    bool writeback;             /* state: the driver sees a write cache, if it looks */
    /* The host's; belong to exec while it runs. */
    struct vblk_req *batch[VBLK_BATCH];
    unsigned n_batch;
    struct vblk_io *spare;
    unsigned in_flight;
    bool dropping;              /* what ends now ends for nobody */
    bool unflushed;             /* something was written since the last flush */
    bool attached;
    bool writeback_default;
    char id[VBLK_ID_LEN];
    struct { uint64_t requests, merged; } stats;
    struct exec *thread;        /* of iothread_attach(), or NULL */
    /* properties */
    struct blk *blk;
    char *serial;
    uint16_t num_queues, queue_size;
    uint32_t logical_block_size, physical_block_size, min_io_size, opt_io_size, discard_granularity;
    uint32_t cyls, heads, secs;
    int32_t bootindex;
    int write_cache;            /* enum on_off_auto */
    int werror, rerror;         /* enum blk_policy */
    bool config_wce, discard, write_zeroes, seg_max_adjust, request_merging, share_rw, scsi;
    uint32_t max_discard_sectors, max_write_zeroes_sectors;
    struct iothread *iothread;
};

extern const struct virtio_class virtio_blk_vclass;
extern const struct state virtio_blk_state[];

#define VIRTIO_BLK_PROPS(T, S)                                                                                       \
    PROP_BLK(T, S.blk, .name = "drive", .desc = "id of the drive"),                                                  \
    PROP_STR(T, S.serial, NULL, .name = "serial", .desc = "up to 20 characters (default: the drive's)"),             \
    PROP_U16(T, S.num_queues, 0xffff, .name = "num-queues", .desc = "default: one for each CPU; MMIO: 1"),           \
    PROP_U16(T, S.queue_size, 256, .name = "queue-size", .desc = "a power of two, 4 to 1024"),                       \
    PROP_U32(T, S.logical_block_size, 512, .name = "logical_block_size", .desc = "a power of two from 512 on"),      \
    PROP_U32(T, S.physical_block_size, 512, .name = "physical_block_size", .desc = "likewise"),                      \
    PROP_U32(T, S.min_io_size, 0, .name = "min_io_size", .desc = "bytes; 0: nothing is said"),                       \
    PROP_U32(T, S.opt_io_size, 0, .name = "opt_io_size", .desc = "bytes; 0: nothing is said"),                       \
    PROP_U32(T, S.discard_granularity, UINT32_MAX, .name = "discard_granularity",                                    \
             .desc = "bytes (default: a logical block)"),                                                            \
    PROP_U32(T, S.cyls, 0, .name = "cyls", .desc = "geometry; 0: from the size"),                                    \
    PROP_U32(T, S.heads, 0, .name = "heads", .desc = "1 to 255"),                                                    \
    PROP_U32(T, S.secs, 0, .name = "secs", .desc = "sectors a track, 1 to 255"),                                     \
    PROP_I32(T, S.bootindex, -1, .name = "bootindex", .desc = "place in the boot order; -1: none"),                  \
    PROP_ONOFFAUTO(T, S.write_cache, OOA_AUTO, .name = "write-cache",                                                \
                   .desc = "auto: as the drive's cache mode has it"),                                                \
    PROP_ENUM(T, S.werror, POLICY_AUTO, blk_werror_names, .name = "werror", .desc = "auto: the drive's"),            \
    PROP_ENUM(T, S.rerror, POLICY_AUTO, blk_rerror_names, .name = "rerror", .desc = "auto: the drive's"),            \
    PROP_BOOL(T, S.config_wce, true, .name = "config-wce", .desc = "let the driver switch the write cache"),         \
    PROP_BOOL(T, S.discard, true, .name = "discard", .desc = "offer DISCARD"),                                       \
    PROP_BOOL(T, S.write_zeroes, true, .name = "write-zeroes", .desc = "offer WRITE_ZEROES"),                        \
    PROP_U32(T, S.max_discard_sectors, VBLK_MAX_SECTORS, .name = "max-discard-sectors", .min = 1,                    \
             .max = VBLK_MAX_SECTORS, .desc = "of one range"),                                                       \
    PROP_U32(T, S.max_write_zeroes_sectors, VBLK_MAX_SECTORS, .name = "max-write-zeroes-sectors", .min = 1,          \
             .max = VBLK_MAX_SECTORS, .desc = "of one range"),                                                       \
    PROP_BOOL(T, S.seg_max_adjust, true, .name = "seg-max-adjust", .desc = "as many pieces as the queue holds"), \
    PROP_BOOL(T, S.request_merging, true, .name = "request-merging", .desc = "make one of neighbours"),              \
    PROP_BOOL(T, S.share_rw, false, .name = "share-rw", .desc = "not built: use -drive locking=off"),                \
    PROP_BOOL(T, S.scsi, false, .name = "scsi", .desc = "not built: SCSI commands by a legacy driver"),              \
    PROP_IOTHREAD(T, S.iothread, .name = "iothread", .desc = "where its queues are served (default: its own)")

static inline struct virtio_blk *vblk_of(struct virtio_dev *v)
{
    return container_of(v, struct virtio_blk, v);
}

/* virtio_blk_io.c; in exec */
void vblk_handle_queue(struct virtio_dev *v, struct virtq *q);
void vblk_notify(struct virtio_blk *s); /* tell the driver of what ended */
void vblk_flush_now(struct virtio_blk *s); /* what was written is durable, or an error is lost */
void vblk_free_spares(struct virtio_blk *s);

#endif
