/* vmm/block/drive.h - drives: -drive's properties, opening, media, locks, policies; behind them the layers of
 * node.h.
 *
 * drive_open registers the drive in vm->blks, in the main exec.  Everything here is called by the main
 * thread: before the VM runs, or under the VM lock; a drive that lives in an iothread is asked there.  What
 * fails because of the user's choice is one GError line that starts with "drive 'ID': ".
 *
 * Caches, and what FLUSH means (cache=):
 *   writeback     the host's page cache; FLUSH is fdatasync
 *   none          O_DIRECT; FLUSH is fdatasync, for the disk's own cache
 *   writethrough  page cache; every write is durable when it is done; the guest sees no write cache
 *   directsync    O_DIRECT, the same
 *   unsafe        page cache; FLUSH is ignored: a host crash may lose everything
 * A device may clear blk->write_cache (IDE SET FEATURES 82h, virtio's writeback=0): from then on each write
 * is durable when done; it flushes first. */
#ifndef BANTAM_BLOCK_DRIVE_H
#define BANTAM_BLOCK_DRIVE_H

#include "vmm/block/block.h"
#include "vmm/core/prop.h"

enum drive_if { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_VIRTIO, DRIVE_NONE };
enum drive_media { MEDIA_DISK, MEDIA_CDROM };
enum drive_cache { CACHE_WRITEBACK, CACHE_NONE, CACHE_WRITETHROUGH, CACHE_DIRECTSYNC, CACHE_UNSAFE };
enum drive_aio { AIO_THREADS, AIO_NATIVE, AIO_IO_URING, AIO_AUTO };
enum { DRIVE_UNSET = 0xffffffff }; /* index, bus, unit that were not given */

struct drive_config {
    char *file, *format, *id, *serial;
    int interface; /* enum drive_if */
    int media, cache, aio, werror, rerror;
    uint32_t index, bus, unit;
    int cache_direct, cache_writeback, cache_no_flush; /* on_off_auto: over `cache` */
    bool read_only, snapshot;
    int discard;       /* 0 ignore, 1 unmap */
    int detect_zeroes; /* 0 off, 1 on, 2 unmap */
    int locking;       /* on_off_auto */
    bool copy_on_read; /* refused */
    char *throttling;  /* refused: any of the options */
    char *protocol; /* file.driver */
    char *nbd_type, *nbd_host, *nbd_port, *nbd_path, *nbd_export; /* instead of file */
    uint32_t reconnect_delay;
    char *backing_file, *backing_format; /* instead of what the image says */
    char *cut_log, *inject; /* testing aids, see cut.h and inject.c */
};
extern const struct prop drive_props[];

void drive_config_init(struct drive_config *cfg); /* the defaults */
void drive_config_clear(struct drive_config *cfg);
/* One key=value of -drive; unknown keys are refused with the nearest match. */
bool drive_config_set(struct drive_config *cfg, const char *key, const char *value, GError **err);

/* After the last one: an NBD server given by several becomes one file=. */
bool drive_config_finish(struct drive_config *cfg, GError **err);

/* What can't go together, or is not there; `who` begins the message.  drive_open() checks it too. */
bool drive_config_check(const struct drive_config *cfg, const char *who, GError **err);

/* Nothing of cfg is kept.  Without id= it gets QEMU's: "ide0-hd0", "floppy0", "virtio0", "none0". */
struct blk *drive_open(struct vm *vm, const struct drive_config *cfg, GError **err);
void drive_close(struct blk *blk); /* detaches, drains, flushes; NULL is fine */
void drive_close_all(struct vm *vm);

struct blk *drive_find(struct vm *vm, const char *id); /* NULL: none of that name */

enum drive_mode { DRIVE_MODE_RETAIN, DRIVE_MODE_READ_ONLY, DRIVE_MODE_READ_WRITE };
/* format may be NULL: as drive_open.  The new image is opened before the old one is let go. */
bool drive_change_medium(struct blk *blk, const char *path, const char *format, enum drive_mode mode,
                         GError **err);
bool drive_eject(struct blk *blk, bool force, GError **err);
/* As the button would: the medium stays in the tray.  Of a locked one (without force) the guest is only asked. */
bool drive_open_tray(struct blk *blk, bool force, GError **err);
bool drive_close_tray(struct blk *blk, GError **err);
bool drive_remove_medium(struct blk *blk, GError **err); /* out of an open tray */
bool drive_resize(struct blk *blk, uint64_t size, GError **err); /* block_resize */

struct drive_info { /* for `info block`, query-block; strings live as long as the medium */
    const char *file, *format; /* NULL: no medium */
    const char *cache, *aio;
    const char *io_status;     /* "ok", "failed", "nospace": since the VM stopped for it */
    bool snapshot, locked;     /* overlay; tray locked by the guest */
    unsigned kept;             /* requests that wait for `cont` */
    bool direct, no_flush;
    const char *detect_zeroes;
    unsigned backing_depth;    /* images below the one that is written */
};
bool drive_query(struct blk *blk, struct drive_info *info); /* false: not a drive of drive_open */

#endif
