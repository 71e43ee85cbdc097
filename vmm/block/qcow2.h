/* vmm/block/qcow2.h - inside the qcow2 format: what its files share.
 *
 * Everything runs inside the drive's exec.  An operation that needs something that is not there yet (a table
 * that has to be read, a cluster's allocation that is under way, room in a cache) returns Q2_WAIT after it put
 * the caller's q2_wait into a queue; the caller is run again when it may go on, and starts the operation anew.
 * So every change of the metadata happens in one go, with all it needs in memory, and there are no locks.
 *
 * Order on disk.  A change of metadata is only made in memory; a commit (qcow2_commit.c) writes all of them,
 * with the host's flushes between: guest data and refcounts, the refcount table, L2 tables, the L1 table.  So a
 * table that is on the disk never points to what is not.  A cluster that is not referenced any more keeps its
 * refcount until a commit has made that durable: only then it can be used again.  What a power cut leaves is
 * at worst a leak. */
#ifndef BANTAM_BLOCK_QCOW2_H
#define BANTAM_BLOCK_QCOW2_H

#include "vmm/block/node.h"
#include "vmm/block/qcow2_snapshot.h"

enum { Q2_WAIT = -1 };

#define Q2_MAGIC "QFI\xfb"
#define Q2_COPIED BIT64(63)
#define Q2_COMPRESSED BIT64(62)
#define Q2_ZERO 1ULL
#define Q2_OFFSET 0x00fffffffffffe00ULL /* in L1 and L2 entries */
#define Q2_RT_OFFSET (~0x1ffULL)        /* in the refcount table */

enum { Q2_DIRTY = 1, Q2_CORRUPT = 2, Q2_DATA_FILE = 4, Q2_COMPRESSION = 8, Q2_EXTENDED_L2 = 16 }; /* incompatible */
enum { Q2_MAX_L1 = 32 << 20, Q2_MAX_RT = 8 << 20, Q2_MAX_SNAPSHOTS = 65536 }; /* bytes; bytes; number */
enum { Q2_HEADER = 512 }; /* bytes that are kept of the header: its first sector, written as one */

/* Fields of the header. */
enum {
    H_VERSION = 4, H_BACKING_OFF = 8, H_BACKING_LEN = 16, H_CLUSTER_BITS = 20, H_SIZE = 24, H_CRYPT = 32,
    H_L1_SIZE = 36, H_L1_OFF = 40, H_RT_OFF = 48, H_RT_CLUSTERS = 56, H_SNAPSHOTS = 60, H_SNAPSHOTS_OFF = 64,
    H_INCOMPATIBLE = 72, H_COMPATIBLE = 80, H_AUTOCLEAR = 88, H_REFCOUNT_ORDER = 96, H_LENGTH = 100,
    H_COMPRESSION_TYPE = 104
};

struct q2_wait {
    void (*run)(struct q2_wait *w, int err); /* err: what was waited for has failed */
    struct q2_wait *next;
};
struct q2_waitq {
    struct q2_wait *head, **tail;
};

/* A piece of an L2 table or of a refcount block: a cluster, or 64 KiB of a larger one. */
struct q2_table {
    struct q2_cache *cache;
    uint64_t off;
    uint8_t *data;
    uint8_t *shadow;           /* what the commit under way writes, when `data` has changed since */
    uint32_t dirty_lo, dirty_hi; /* bytes; equal: clean */
    uint32_t fr_lo, fr_hi;     /* of the commit under way */
    bool loading, frozen;
    struct q2_waitq waiting;   /* for its load */
    GList lru, dirty;          /* links; of the caches' queues */
};
struct q2_cache {
    struct qcow2 *q;
    GHashTable *tables; /* by off */
    GQueue lru;         /* most recent first; not those that load */
    GQueue dirty;
    guint max;          /* tables */
};

/* Clusters being written that the L2 table does not point to yet. */
struct q2_alloc {
    uint64_t first, n; /* guest clusters */
    uint64_t host;
    bool open;         /* what is not written reads as zeros already: others may write beside */
    bool done;
    int err;
    unsigned joined;   /* such others */
    struct q2_waitq waiting;
    GList link;
};

struct q2_free { /* references that are gone */
    uint64_t off, n; /* host clusters */
    bool punch;
    uint64_t seq;
};

struct q2_req {
    struct qcow2 *q;
    struct bio *io;
    struct q2_wait wait;
    uint64_t pos, seq;
    unsigned pending; /* parts in flight */
    int err;
    bool walking, submitting, waiting;
    GList link; /* in q->reqs */
};

enum q2_commit_state { C_IDLE, C_BLOCKS, C_SYNC1, C_RT, C_SYNC2, C_L2, C_SYNC3, C_L1, C_SYNC4, C_END };

struct q2_range { /* of changed entries of a table that is in memory as a whole */
    uint32_t lo, hi;
};

struct q2_commit {
    enum q2_commit_state state;
    bool barrier;       /* the L2 tables refer to something new */
    bool final;         /* somebody relies on it: it ends with a flush */
    unsigned pending;
    int err;
    GQueue blocks, l2;  /* struct q2_table, frozen */
    struct q2_range l1, rt;
    uint8_t *l1_buf, *rt_buf;
    uint64_t l1_at, rt_at;
    size_t l1_len, rt_len;
    GQueue frees;
    struct bio *flushes; /* of the guest, that it answers */
};

struct qcow2 {
    struct bnode node; /* child[0] file, child[1] backing */
    char *who, *path;
    uint8_t *hdr; /* Q2_HEADER bytes */
    struct iovec hdr_iov;
    unsigned version, cluster_bits, refcount_order, slice_bits;
    uint64_t cluster, slice; /* bytes */
    uint64_t refcount_max;
    uint64_t incompatible;
    unsigned compression; /* 0 zlib, 1 zstd */
    const struct zstd_module *zstd;
    bool no_flush, unmap, broken, warned;
    bool own_locked;
    char *backing_path, *backing_format; /* as the header says; NULL: none */
    /* Tables that are in memory as a whole, in the host's byte order. */
    uint64_t *l1, *rt;
    uint32_t l1_size, rt_size; /* entries */
    uint64_t l1_off, rt_off;
    struct q2_range l1_dirty, rt_dirty;
    struct q2_cache l2c, rbc;
    GHashTable *meta; /* host clusters (their numbers) that hold metadata */
    struct q2_snapshot_entry *snaps;
    uint32_t n_snaps;
    uint64_t snaps_off, snaps_len;
    /* Allocation. */
    uint64_t hint;  /* no free cluster below */
    uint64_t fresh; /* bytes: nothing was ever written from here on, it reads as zeros */
    uint64_t end;   /* of the file, as far as we have moved it */
    bool extending, steps;
    struct q2_waitq extend_waiting;
    bool alloc_job; /* refcount structures grow */
    struct q2_waitq alloc_waiting;
    GHashTable *l2_jobs; /* L1 index -> struct l2_job: an L2 table being made */
    GQueue allocs;       /* struct q2_alloc */
    /* Requests and frees. */
    GQueue reqs;
    uint64_t next_seq;
    GQueue frees, frees_drain, frees_ready; /* struct q2_free: since the last commit; committed; releasable */
    uint64_t frees_bytes;
    struct q2_free *releasing;
    struct q2_wait release_wait;
    /* Commits. */
    struct q2_commit commit;
    bool barrier, commit_again, exclusive;
    struct bio *flushes, **flushes_tail; /* for the next one */
    struct q2_waitq commit_waiting, exclusive_waiting;
    unsigned internal; /* bios of our own in flight that no request counts */
    uint8_t *zeros;    /* a cluster of them */
};

static inline struct qcow2 *as_qcow2(struct bnode *n)
{
    return container_of(n, struct qcow2, node);
}
static inline uint64_t q2_clusters(const struct qcow2 *q, uint64_t bytes)
{
    return (bytes >> q->cluster_bits) + !!(bytes & (q->cluster - 1));
}

/* qcow2_table.c */
void q2_waitq_init(struct q2_waitq *wq);
void q2_wait_on(struct q2_waitq *wq, struct q2_wait *w);
void q2_wake(struct q2_waitq *wq, int err);
void *q2_buffer(size_t len); /* aligned for O_DIRECT; free() */
void q2_cache_init(struct q2_cache *c, struct qcow2 *q, guint max);
void q2_cache_clear(struct q2_cache *c);
void q2_cache_drop(struct q2_cache *c, uint64_t off, uint64_t len); /* clean or worthless */
/* 0, Q2_WAIT or an errno */
int q2_table_get(struct q2_cache *c, uint64_t off, struct q2_wait *w, struct q2_table **t);
void q2_table_touch(struct q2_table *t, uint32_t lo, uint32_t hi); /* before it is changed there */
void q2_table_freeze(struct q2_table *t);
void q2_table_thaw(struct q2_table *t, int err);
/* A bio of our own to the file; `done` frees nothing, q2_io_end does. */
struct bio *q2_io(struct qcow2 *q, enum blk_op op, uint64_t off, const struct iovec *iov, unsigned niov,
                  uint64_t len, void (*done)(struct bio *io, int err), void *opaque);
void q2_later(struct qcow2 *q, void (*done)(struct bio *io, int err), void *opaque);
void q2_io_end(struct qcow2 *q, struct bio *io);

/* qcow2_refcount.c */
uint64_t q2_refcount_read(const struct qcow2 *q, const uint8_t *block, uint64_t i);
void q2_refcount_write(const struct qcow2 *q, uint8_t *block, uint64_t i, uint64_t v);
int q2_refcount_get(struct qcow2 *q, uint64_t cluster, struct q2_wait *w, uint64_t *v);
int q2_refcount_add(struct qcow2 *q, uint64_t cluster, int delta, struct q2_wait *w, uint64_t *now);
/* up to `want` clusters in a row, at least one; all: not fewer */
int q2_allocate(struct qcow2 *q, uint64_t want, bool all, struct q2_wait *w, uint64_t *off, uint64_t *got);
void q2_unreference(struct qcow2 *q, uint64_t off, uint64_t n, bool punch); /* after the next commit */
void q2_release_now(struct qcow2 *q, uint64_t off, uint64_t n); /* was allocated, but nothing ever pointed to it */
void q2_release_later(struct qcow2 *q, uint64_t off, uint64_t n); /* the same, and a request may still be at it */
void q2_release_some(struct qcow2 *q); /* what is committed and that no request can reach any more */
bool q2_is_metadata(const struct qcow2 *q, uint64_t off, uint64_t n); /* n clusters */
void q2_meta_add(struct qcow2 *q, uint64_t off, uint64_t n);
void q2_meta_remove(struct qcow2 *q, uint64_t off, uint64_t n);
bool q2_covered(const struct qcow2 *q, uint64_t off, uint64_t n); /* are there refcounts for it? */
uint64_t q2_block_clusters(const struct qcow2 *q); /* that a refcount block describes */

/* qcow2_grow.c */
void q2_add_block(struct qcow2 *q, uint64_t index, uint64_t at); /* starts; q->alloc_waiting */
void q2_grow_rt(struct qcow2 *q, uint64_t need);                 /* starts; q->alloc_waiting */

/* qcow2_map.c */
enum q2_kind { Q2_K_NONE, Q2_K_ZERO, Q2_K_ZERO_HOST, Q2_K_DATA, Q2_K_COMPRESSED };
struct q2_map { /* of `n` clusters of a kind, their host clusters in a row */
    enum q2_kind kind;
    bool copied;   /* DATA, ZERO_HOST: ours alone */
    uint64_t host; /* COMPRESSED: byte offset */
    uint64_t len;  /* COMPRESSED: bytes at most */
    uint64_t n;
};
int q2_lookup(struct qcow2 *q, uint64_t cluster, uint64_t max, struct q2_wait *w, struct q2_map *m);
bool q2_decode(struct qcow2 *q, uint64_t entry, struct q2_map *m); /* false: impossible */
/* The table that has the entry of this guest cluster, to be changed; *i is its index there, *left how many
 * entries there are from it on. */
int q2_l2_for_write(struct qcow2 *q, uint64_t cluster, struct q2_wait *w, struct q2_table **t, uint32_t *i,
                    uint64_t *left);
void q2_l2_set(struct q2_table *t, uint32_t i, uint64_t entry);
uint64_t q2_l2_get(const struct q2_table *t, uint32_t i);
void q2_dirty_range(struct q2_range *r, uint32_t i);
void q2_used_up_to(struct qcow2 *q, uint64_t off); /* no longer fresh */
void q2_corrupt(struct qcow2 *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3); /* says so once; no writes any more */
/* give up what this entry refers to */
void q2_unreference_entry(struct qcow2 *q, uint64_t entry, bool punch);
void q2_free_l2_jobs(struct qcow2 *q);

/* qcow2_io.c, qcow2_write.c, qcow2_zero.c, qcow2_compress.c */
void q2_submit(struct bnode *n, struct bio *io);
void q2_req_step(struct q2_req *r); /* go on walking, or end */
void q2_req_part_done(struct q2_req *r, int err);
/* the bytes from `rel` on of the request, as one request below at `at` */
void q2_part(struct q2_req *r, struct bnode *to, uint64_t at, uint64_t rel, uint64_t len);
/* A piece of the request: 0 and *n bytes, with parts of it perhaps in flight; Q2_WAIT or an errno. */
int q2_write_piece(struct q2_req *r, uint64_t pos, uint64_t len, uint64_t *n);
int q2_zero_piece(struct q2_req *r, uint64_t pos, uint64_t len, uint64_t *n);
struct q2_alloc *q2_alloc_find(struct qcow2 *q, uint64_t first, uint64_t n);
struct q2_alloc *q2_alloc_new(struct qcow2 *q, uint64_t first, uint64_t n, uint64_t host);
void q2_alloc_end(struct qcow2 *q, struct q2_alloc *a, int err);
void q2_read_compressed(struct q2_req *r, const struct q2_map *m, uint64_t in_cluster, uint64_t pos, uint64_t len);
bool q2_compression_ready(struct qcow2 *q, GError **err);

/* qcow2_commit.c */
void q2_commit_kick(struct qcow2 *q);   /* in the background, soon */
void q2_flush(struct qcow2 *q, struct bio *io);
/* Be alone, without a commit under way: true, or w runs later. */
bool q2_exclusive_try(struct qcow2 *q, struct q2_wait *w);
void q2_exclusive_end(struct qcow2 *q);
bool q2_is_clean(const struct qcow2 *q);

/* qcow2_sync.c: blocking, for what is done with no request in flight. */
struct q2_sync {
    struct q2_wait wait;
    struct qcow2 *q;
    bool woken;
    int err;
};
void q2_sync_init(struct q2_sync *s, struct qcow2 *q);
bool q2_sync_again(struct q2_sync *s, int *r); /* while (q2_sync_again(&s, &r)) r = operation(..., &s.wait, ...); */
int q2_sync_commit(struct qcow2 *q); /* until nothing is left to do */
void q2_drain(struct bnode *n);
int q2_header_write(struct qcow2 *q, bool flush); /* q->hdr */
int q2_set_incompatible(struct qcow2 *q, uint64_t bit, bool on);
int q2_write_table(struct qcow2 *q, uint64_t off, const uint64_t *entries, uint32_t n); /* whole clusters */
/* q->snaps into newly allocated clusters; q->hdr is changed, not written; the old place is returned */
int q2_snapshots_store(struct qcow2 *q, uint64_t *old_off, uint64_t *old_len);

/* qcow2_header.c */
bool q2_parse_header(struct qcow2 *q, bool probed, const struct bopen *o, GError **err);
bool q2_load_tables(struct qcow2 *q, const struct bopen *o, GError **err);
bool q2_load_snapshots(struct qcow2 *q, const struct bopen *o, GError **err);
uint64_t *q2_read_table(struct qcow2 *q, uint64_t off, uint32_t entries, uint64_t mask, int *e);
void q2_snaps_free(struct qcow2 *q);

/* qcow2_check.c: count all references, correct the refcounts and the COPIED flags. */
bool q2_repair(struct qcow2 *q, GError **err);

/* qcow2_snapshot.c */
int q2_fix_copied(struct qcow2 *q);

/* qcow2_resize.c */
int q2_resize(struct bnode *n, uint64_t size);
int q2_grow_l1(struct qcow2 *q, uint32_t entries);
int q2_sync_allocate(struct qcow2 *q, uint64_t n, uint64_t *off); /* n clusters in a row */

#endif
