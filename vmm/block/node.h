/* vmm/block/node.h - inside the block layer: the layers of a drive and the requests between them.
 *
 * A drive is a stack of nodes: on top perhaps a filter (overlay, inject), then a format (raw), perhaps a
 * filter again (cut), then a protocol (file).  A node serves a `bio` in one of three ways: it hands it on to
 * a child as it is (node_submit), spawns bios of its own for its children and finishes it when they are done,
 * or does it.
 *
 * Threads: everything of a node runs "inside the exec" of its drive: in the main exec under the VM lock, in
 * an iothread's exec in that thread.  So nodes need no locks.  What blocks is given to the pool's workers,
 * which touch only the bio and what is constant in the node, and end with bio_finish().  `done` is called
 * inside the exec, from the loop or from a drain, and never from within node_submit(). */
#ifndef BANTAM_BLOCK_NODE_H
#define BANTAM_BLOCK_NODE_H

#include "vmm/base/error.h"
#include "vmm/block/block.h"
#include "vmm/block/drive.h"
#include "vmm/block/pool.h"

struct bnode;

struct bio {
    struct bnode *node; /* that serves it now */
    enum blk_op op;
    unsigned flags;
    uint64_t off, len; /* any alignment; inside the node's size */
    const struct iovec *iov; /* READ, WRITE; may be NULL on a WRITE: zeros */
    unsigned niov;
    void (*done)(struct bio *io, int err);
    void *opaque;
    /* The serving node's: */
    /* called inside the exec before done; false: it is not done yet after all */
    bool (*settle)(struct bio *io);
    struct bio *next;               /* in whatever list it waits */
    int err;
    uint64_t progress;              /* bytes done */
    struct bio *track_next, **track_prev; /* writes in flight, see file.c */
    bool exclusive;
    struct blk_work work;
    void *priv;
    int fd, falloc;                 /* for an engine; falloc: of discard and write-zeroes, fallocate's mode */
};

struct blk_engine;
struct bwatch;

/* Where a drive's I/O completes. */
struct bctx {
    struct vm *vm;
    struct exec *exec;
    struct blk_pool *pool;
    int efd;                /* signalled when something finished */
    struct exec_fd *watch;
    struct exec_poll poll;  /* of what finished, by an iothread before it sleeps */
    struct bio *ready, **ready_tail; /* finished, `done` not called yet */
    struct bio *remote;     /* finished by workers, the last first; atomic */
    struct bio *spare;
    void (*batch)(struct bctx *c); /* after several `done`s in a row; may be NULL */
    unsigned plugged;
    struct bwatch *watches;
    /* the engine; see engine.h */
    enum drive_aio aio;     /* as asked for */
    bool direct;
    const struct blk_engine *engine;
    void *engine_data;
    struct bio *queue, **queue_tail; /* not submitted yet */
    unsigned flying;
};

bool bctx_init(struct bctx *c, struct vm *vm, struct exec *e, GError **err);
void bctx_clear(struct bctx *c); /* nothing is in flight */
/* To another exec; nothing is in flight.  By the main thread: what is to be done in their threads is done there. */
void bctx_move(struct bctx *c, struct exec *e);
bool bctx_poll(struct bctx *c);  /* has something finished?  No system call: to spin on, in the exec's thread */
bool bctx_reap(struct bctx *c);  /* run what has finished; false: there is more */
void bctx_wait(struct bctx *c);  /* the same, sleeping until there is something */
void bctx_signal(struct bctx *c); /* let the exec's loop call bctx_reap; any thread */
void bctx_plug(struct bctx *c);
void bctx_unplug(struct bctx *c);

/* A descriptor of a node that speaks with another process: fn is called inside the exec, also while somebody
 * waits in bctx_wait().  Watch and unwatch inside the exec, or before it runs. */
struct bwatch *bctx_watch(struct bctx *c, int fd, GIOCondition cond, void (*fn)(void *opaque, GIOCondition cond),
                          void *opaque);
void bctx_rewatch(struct bwatch *w, GIOCondition cond); /* cheap when it stays the same */
void bctx_unwatch(struct bwatch *w); /* NULL is fine */

struct bio *bio_new(struct bctx *c);
void bio_free(struct bctx *c, struct bio *io);
void bio_finish(struct bio *io, int err); /* any thread; `done` comes later */
void bio_ready(struct bio *io, int err);  /* the same for who is called by bctx_reap */

struct bnode_class {
    const char *name;
    void (*submit)(struct bnode *n, struct bio *io);
    void (*close)(struct bnode *n);           /* what is its own: not children, not n itself; may be NULL */
    int (*resize)(struct bnode *n, uint64_t size); /* nothing in flight; blocking; an errno */
    int (*lock)(struct bnode *n, bool on);    /* take or let go the image's lock; may be NULL */
    void (*drain)(struct bnode *n); /* wait for what it does without a request; may be NULL */
};

struct bnode { /* first member of the node's struct */
    const struct bnode_class *cls;
    struct bctx *ctx;
    uint64_t size;
    bool read_only;
    bool fua;      /* honours BLK_FUA by itself */
    bool keeps;    /* has something of its own to write at a flush, even where flushes are ignored */
    bool zero_behind; /* a file: what is behind its end reads as zeros, and a write there makes it grow */
    bool grows;    /* is used so: its end is where the writes end */
    struct bnode *child[2]; /* file or filtered node; backing */
};

static inline void node_submit(struct bnode *n, struct bio *io)
{
    io->node = n;
    n->cls->submit(n, io);
}
struct bnode *node_new(size_t size, const struct bnode_class *cls, struct bctx *c);
void node_close(struct bnode *n); /* and its children; NULL is fine */
int node_lock(struct bnode *n, bool on); /* n and below */
int node_resize(struct bnode *n, uint64_t size);
int node_pread(struct bnode *n, uint64_t off, void *buf, size_t len); /* blocking: while a drive is opened */
int node_pwrite(struct bnode *n, uint64_t off, const void *buf, size_t len); /* the same */
int node_zero(struct bnode *n, enum blk_op op, uint64_t off, uint64_t len); /* DISCARD, WRITE_ZEROES */
int node_flush(struct bnode *n);
void node_drain(struct bnode *n); /* n and below; NULL is fine */

/* How an image is to be opened. */
struct bopen {
    const char *who;    /* "drive 'hda'": starts every message */
    const char *path;
    bool read_only, direct, lock, lock_forced;
    bool no_flush, unmap; /* cache=unsafe; discard=unmap */
    unsigned reconnect_delay; /* seconds, of a server */
    struct vm *vm;      /* to name the other drive that holds the image */
    const struct bopen *above; /* of a backing file: the image that it is for */
    const char *backing_path, *backing_format; /* instead of what the image says; NULL: that */
    bool no_backing;
};

/* What o->path names: a file, or an NBD server's export (protocol.c). */
struct bnode *protocol_open(struct bctx *c, const struct bopen *o, GError **err);
struct bnode *file_open(struct bctx *c, const struct bopen *o, GError **err);
struct bnode *file_open_temp(struct bctx *c, const char *who, uint64_t size, GError **err); /* unlinked */
bool file_same(struct bnode *n, uint64_t dev, uint64_t ino); /* is one of n and below this file? */
bool drive_uses_file(struct blk *blk, uint64_t dev, uint64_t ino);

/* Put the format on top of `file` (which it owns from then on, also on failure).  name NULL: look for it. */
struct bnode *format_open(struct bnode *file, const char *name, const struct bopen *o, GError **err);
/* The file and its format. */
struct bnode *image_open(struct bctx *c, const char *format, const struct bopen *o, GError **err);
struct bnode *qcow2_open(struct bnode *file, bool probed, const struct bopen *o, GError **err);
const char *format_of_magic(const uint8_t *head, size_t len); /* NULL: looks like nothing known */

struct bnode *overlay_open(struct bnode *base, const struct bopen *o, GError **err);
struct bnode *cut_open(struct bnode *file, const char *log, GError **err);
struct bnode *inject_open(struct bnode *child, const char *rules, GError **err);

/* iovecs.  iov_slice: up to `max` entries of [skip, skip+len) into dst; how many, and *got bytes. */
unsigned iov_slice(struct iovec *dst, unsigned max, const struct iovec *src, unsigned n, uint64_t skip,
                   uint64_t len, uint64_t *got);
void iov_to_buf(const struct iovec *iov, unsigned n, uint64_t skip, void *buf, size_t len);
void iov_from_buf(const struct iovec *iov, unsigned n, uint64_t skip, const void *buf, size_t len);
void iov_zero(const struct iovec *iov, unsigned n, uint64_t skip, uint64_t len);
bool iov_is_zero(const struct iovec *iov, unsigned n);

#endif
