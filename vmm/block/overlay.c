/* vmm/block/overlay.c - snapshot=on: writes go to an unlinked temporary file and are forgotten at the end.
 *
 * Where a sector is, is one bit a sector: so a write never has to copy the rest of a cluster, and none
 * excludes another.  The bitmap is mapped, and the file sparse: both take room only where the guest wrote (1
 * bit for 4096).  The temporary is lost with the process anyway, so a flush has nothing to do. */
#include "vmm/block/node.h"

#include <errno.h>
#include <sys/mman.h>

struct overlay {
    struct bnode node; /* child[0] base, child[1] the temporary */
    uint8_t *map;
    size_t map_len;
};

/* A request that spans runs of both kinds is done run by run. */
struct walk {
    struct overlay *ov;
    struct bio *io, *part;
    uint64_t pos, run; /* bytes done, bytes of the part in flight */
    struct iovec *iov; /* of the part */
    unsigned max;
};

static size_t map_bytes(uint64_t size)
{
    return (size_t) (ROUND_UP(size / 512 / 8 + 1, 4096));
}

static bool ours(const struct overlay *ov, uint64_t sector)
{
    return ov->map[sector / 8] >> (sector % 8) & 1;
}

static void mark(struct overlay *ov, uint64_t off, uint64_t len)
{
    for (uint64_t s = off / 512, end = (off + len) / 512; s < end;) {
        if (s % 8 == 0 && end - s >= 8) {
            size_t n = (size_t) ((end - s) / 8);
            memset(ov->map + s / 8, 0xff, n);
            s += n * 8;
        } else {
            ov->map[s / 8] |= (uint8_t) BIT(s % 8);
            s++;
        }
    }
}

static uint64_t run_length(const struct overlay *ov, uint64_t off, uint64_t len, bool is_ours)
{
    uint64_t s = off / 512, end = (off + len) / 512;

    for (uint64_t whole = is_ours ? UINT64_MAX : 0; s < end; s++) {
        while (s % 64 == 0 && end - s >= 64 && ld_le64(ov->map + s / 8) == whole)
            s += 64;
        if (s >= end || ours(ov, s) != is_ours)
            break;
    }
    return MIN(s, end) * 512 - off;
}

static void walk_end(struct walk *w, int err)
{
    struct bio *io = w->io;

    bio_free(w->ov->node.ctx, w->part);
    g_free(w->iov);
    g_free(w);
    io->done(io, err);
}

static void walk_step(struct walk *w);

static void part_done(struct bio *part, int err)
{
    struct walk *w = part->opaque;

    if (!err)
        w->pos += w->run;
    if (err || w->pos == w->io->len)
        walk_end(w, err);
    else
        walk_step(w);
}

static void walk_step(struct walk *w)
{
    struct overlay *ov = w->ov;
    struct bio *io = w->io, *p = w->part;
    struct bnode *base = ov->node.child[0], *to = ov->node.child[1];

    for (;;) {
        uint64_t at = io->off + w->pos, left = io->len - w->pos;
        bool is_ours = ours(ov, at / 512);
        w->run = run_length(ov, at, left, is_ours);
        if (!is_ours && at < base->size)
            w->run = MIN(w->run, base->size - at);
        else if (!is_ours) { /* the drive was made larger than its image */
            iov_zero(io->iov, io->niov, w->pos, w->run);
            w->pos += w->run;
            w->run = 0;
            if (w->pos < io->len)
                continue;
            p->node = &ov->node;
            p->settle = NULL;
            bio_finish(p, 0);
            return;
        }
        p->op = BLK_READ;
        p->off = at;
        p->iov = w->iov;
        p->niov = iov_slice(w->iov, w->max, io->iov, io->niov, w->pos, w->run, &p->len);
        node_submit(is_ours ? to : base, p);
        return;
    }
}

static void write_done(struct bio *part, int err)
{
    struct walk *w = part->opaque;

    if (!err)
        mark(w->ov, w->io->off, w->io->len);
    walk_end(w, err);
}

static void overlay_submit(struct bnode *n, struct bio *io)
{
    struct overlay *ov = container_of(n, struct overlay, node);
    bool read = io->op == BLK_READ;

    io->settle = NULL;
    if (io->op == BLK_FLUSH || !io->len) {
        bio_finish(io, 0);
        return;
    }
    if (read && run_length(ov, io->off, io->len, true) == io->len) {
        node_submit(n->child[1], io);
        return;
    }
    if (read && io->off + io->len <= n->child[0]->size &&
        run_length(ov, io->off, io->len, false) == io->len) {
        node_submit(n->child[0], io);
        return;
    }
    struct walk *w = g_new0(struct walk, 1);
    w->ov = ov;
    w->io = io;
    w->part = bio_new(n->ctx);
    w->part->opaque = w;
    if (read) {
        w->max = MAX(io->niov, 1);
        w->iov = g_new(struct iovec, w->max);
        w->part->done = part_done;
        walk_step(w);
    } else { /* a discard must read as zeros, not show the image below */
        w->part->op = io->op == BLK_DISCARD ? BLK_WRITE_ZEROES : io->op;
        w->part->flags = io->op == BLK_WRITE ? 0 : BLK_MAY_UNMAP;
        w->part->off = io->off;
        w->part->len = io->len;
        w->part->iov = io->iov;
        w->part->niov = io->niov;
        w->part->done = write_done;
        node_submit(n->child[1], w->part);
    }
}

static void overlay_close(struct bnode *n)
{
    struct overlay *ov = container_of(n, struct overlay, node);

    if (ov->map)
        munmap(ov->map, ov->map_len);
}

static int overlay_resize(struct bnode *n, uint64_t size)
{
    struct overlay *ov = container_of(n, struct overlay, node);
    size_t len = map_bytes(size);
    int err = node_resize(n->child[1], size);

    if (err)
        return err;
    if (size < n->size) { /* what is cut off must not come back when it grows again: it reads as zeros then */
        mark(ov, size, n->size - size);
    }
    if (len > ov->map_len) {
        uint8_t *map = mremap(ov->map, ov->map_len, len, MREMAP_MAYMOVE);
        if (map == MAP_FAILED)
            return errno;
        ov->map = map;
        ov->map_len = len;
    }
    n->size = size;
    return 0;
}

static const struct bnode_class overlay_class = {
    .name = "overlay", .submit = overlay_submit, .close = overlay_close, .resize = overlay_resize
};

struct bnode *overlay_open(struct bnode *base, const struct bopen *o, GError **err)
{
    struct overlay *ov = (struct overlay *) node_new(sizeof *ov, &overlay_class, base->ctx);

    ov->node.child[0] = base;
    ov->node.size = base->size;
    ov->node.fua = true; /* nothing is durable, and nothing needs to be */
    ov->node.child[1] = file_open_temp(base->ctx, o->who, base->size, err);
    ov->map_len = map_bytes(base->size);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    /* cppcheck-suppress invalidFunctionArg */
    void *map = mmap(NULL, ov->map_len, PROT_READ | PROT_WRITE, flags, -1, 0);
    ov->map = map == MAP_FAILED ? NULL : map;
    if (!ov->map)
        fail(err, "%s: no memory for a snapshot of this size", o->who);
    if (!ov->map || !ov->node.child[1]) {
        node_close(&ov->node);
        return NULL;
    }
    return &ov->node;
}
