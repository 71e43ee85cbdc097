/* vmm/block/block.h - block backends as devices see them: asynchronous requests on an opened image.
 *
 * A `struct blk` is a drive: an image and the user's policies (cache, werror, read-only).  It lives in one
 * exec; requests are submitted from there or, in the main exec, from any thread that holds the VM lock, and
 * `done` is called later in that exec, inside exec_enter() (so under the VM lock in the main exec), never
 * from within blk_submit().  Offsets and lengths are bytes and multiples of 512.
 *
 * Errors: `done` gets 0 or a positive errno.  With werror=stop (or enospc) an error does not reach the
 * device: the VM pauses, the request is kept, and is tried again when the VM continues. */
#ifndef BANTAM_BLOCK_BLOCK_H
#define BANTAM_BLOCK_BLOCK_H

#include "vmm/core/exec.h"

#include <sys/uio.h>

struct vm;
struct blk;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES };
enum { BLK_FUA = 1, BLK_MAY_UNMAP = 2 }; /* flags */
enum blk_policy { POLICY_AUTO, POLICY_REPORT, POLICY_STOP, POLICY_IGNORE, POLICY_ENOSPC };
extern const char *const blk_werror_names[], *const blk_rerror_names[];

struct blk_req { /* a field of the device; not touched by the device between submit and done */
    struct blk *blk;
    enum blk_op op;
    unsigned flags;
    uint64_t off, len;       /* len is the sum of iov for READ and WRITE */
    const struct iovec *iov; /* not copied; must stay valid */
    unsigned niov;
    void (*done)(struct blk_req *req, int err);
    void *opaque;
    bool busy; /* between submit and done */
    /* for the backend */
    struct blk_req *next;
    int64_t started; /* host monotonic ns; 0: refused, it asks for what there is not */
    void *priv[4];
};

/* What the device is told; called by the main thread under the VM lock. */
struct blk_dev_ops {
    void (*resized)(void *opaque); /* blk->size is the new one already: in an iothread it may have been seen before */
    void (*media_changed)(void *opaque, bool present); /* monitor: change, eject */
    bool (*tray_locked)(void *opaque);  /* eject without force is refused while locked */
    void (*eject_request)(void *opaque); /* the user pressed the button of a locked tray */
    /* The user opened or closed the tray, with whatever is in it; ends with blk_set_tray().  NULL: no tray. */
    void (*tray_moved)(void *opaque, bool open);
    /* This one where the drive lives: several `done`s were called, and no more come for now.  NULL: no interest. */
    void (*batch_done)(void *opaque);
};

enum blk_stat { BLK_STAT_READ, BLK_STAT_WRITE, BLK_STAT_FLUSH, BLK_STAT_UNMAP, N_BLK_STATS };

struct blk_ops { /* the backend; tests make their own */
    void (*submit)(struct blk *blk, struct blk_req *req);
    void (*cancel)(struct blk *blk, struct blk_req *req); /* may be NULL; see blk_drain */
    void (*drain)(struct blk *blk);  /* returns when nothing is in flight; callbacks have run */
    void (*settle)(struct blk *blk); /* the same, without those kept for later; NULL: drain */
    void (*plug)(struct blk *blk, bool on); /* may be NULL */
    void (*set_exec)(struct blk *blk, struct exec *e); /* may be NULL: it stays in the main one */
    void (*eject)(struct blk *blk);  /* the guest opened (true) the tray: image is closed */
    void (*free)(struct blk *blk);
};

struct blk { /* first member of the backend's struct */
    const struct blk_ops *ops;
    char *id;           /* -drive id= */
    struct vm *vm;
    struct exec *exec;  /* where it lives */
    uint64_t size;      /* bytes; 0 when there is no medium */
    bool present;       /* a medium is in */
    bool read_only;
    bool removable;     /* made for media=cdrom or a floppy */
    bool write_cache; /* guest-visible write cache: FLUSH needed; false: every write is durable when done.  A
                       * device may change it (it flushes before it turns it off) */
    char *serial;       /* -drive serial=, or NULL */
    int werror, rerror; /* enum blk_policy; auto: enospc and report.  A device may change them in realize */
    struct device *dev; /* who uses it: a second one is refused */
    const struct blk_dev_ops *dev_ops;
    void *dev_opaque;
    bool tray_open;
    /* statistics, for query-blockstats: of enum blk_stat.  invalid: refused before anything was tried */
    uint64_t bytes[N_BLK_STATS], ops_done[N_BLK_STATS], failed[N_BLK_STATS], invalid[N_BLK_STATS];
    uint64_t total_ns[N_BLK_STATS]; /* from submit to done */
    uint64_t highest; /* end of the last byte that was written */
    int64_t last_done; /* host monotonic ns; 0: never */
};

/* Attach the device that uses the drive (from realize); refused when another one does. */
bool blk_attach(struct blk *blk, struct device *dev, const struct blk_dev_ops *ops, void *opaque,
                GError **err);
void blk_detach(struct blk *blk); /* drains first, and brings it back to the main exec; blk may be NULL */

/* Let it live in another exec; nothing is in flight.  By the main thread: from realize and unrealize. */
void blk_set_exec(struct blk *blk, struct exec *e);

void blk_submit(struct blk *blk, struct blk_req *req);

/* Around several submits: they may go to the kernel together.  Nests; nothing waits for long. */
void blk_plug(struct blk *blk);
void blk_unplug(struct blk *blk);

/* Wait until no request of this blk is in flight, running their `done`s (reset of a device with DMA in flight): in
 * its exec, so `done` may come from inside; or from outside of an iothread, which does it and is waited for.  A
 * request that werror=stop keeps ends with its error. */
void blk_drain(struct blk *blk);
/* The same, but such requests stay: the VM is stopped, and will continue. */
void blk_settle(struct blk *blk);

/* The guest opened or closed the tray; opening with `eject` removes the medium. */
void blk_set_tray(struct blk *blk, bool open, bool eject);

/* For tests and small synchronous readers (loaders, geometry guessing): before the VM runs.  Returns 0 or an
 * errno. */
int blk_read_sync(struct blk *blk, uint64_t off, void *buf, size_t len);

#endif
