/* vmm/block/cut.c - a testing aid between format and file: records writes and flushes, for power-cut tests.
 *
 * The log is written with plain system calls inside the exec: it slows the drive down, which is fine for a
 * test.  It is only an order of events; the kill or power cut is simulated from it, not suffered by it. */
#include "vmm/block/cut.h"
#include "vmm/block/node.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

struct cut {
    struct bnode node;
    int fd;
    uint64_t next_id;
};

struct cut_req {
    struct bio *io;
    uint64_t id;
};

static int put(struct cut *c, const void *buf, size_t len)
{
    const char *p = buf;

    while (len) {
        ssize_t n = write(c->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? errno : ENOSPC;
        p += n;
        len -= (size_t) n;
    }
    return 0;
}

static int log_start(struct cut *c, const struct bio *io, uint64_t id)
{
    bool data = io->op == BLK_WRITE && io->iov;
    struct cut_record r = { .magic = CUT_MAGIC,
                            .kind = io->op == BLK_FLUSH ? CUT_FLUSH
                                    : data              ? CUT_WRITE
                                                        : CUT_ZERO,
                            .id = id,
                            .off = io->off,
                            .len = io->len,
                            .flags = io->flags & BLK_FUA ? CUT_FUA : 0 };
    int err = put(c, &r, sizeof r);

    for (unsigned i = 0; data && i < io->niov && !err; i++)
        err = put(c, io->iov[i].iov_base, io->iov[i].iov_len);
    return err;
}

static void cut_done(struct bio *part, int err)
{
    struct cut_req *q = part->opaque;
    struct bio *io = q->io;
    struct cut *c = container_of(io->node, struct cut, node);
    struct cut_record r = { .magic = CUT_MAGIC, .kind = CUT_DONE, .id = q->id, .error = (uint32_t) err };
    int e = put(c, &r, sizeof r);

    bio_free(c->node.ctx, part);
    g_free(q);
    io->done(io, err ? err : e);
}

static void cut_submit(struct bnode *n, struct bio *io)
{
    struct cut *c = container_of(n, struct cut, node);

    if (io->op == BLK_READ) {
        node_submit(n->child[0], io);
        return;
    }
    int err = log_start(c, io, c->next_id);
    if (err) {
        io->settle = NULL;
        bio_finish(io, err);
        return;
    }
    struct cut_req *q = g_new0(struct cut_req, 1);
    struct bio *part = bio_new(n->ctx);
    *q = (struct cut_req){ io, c->next_id++ };
    part->op = io->op;
    part->flags = io->flags;
    part->off = io->off;
    part->len = io->len;
    part->iov = io->iov;
    part->niov = io->niov;
    part->done = cut_done;
    part->opaque = q;
    node_submit(n->child[0], part);
}

static void cut_close(struct bnode *n)
{
    close(container_of(n, struct cut, node)->fd);
}

static const struct bnode_class cut_class = { .name = "cut", .submit = cut_submit, .close = cut_close };

struct bnode *cut_open(struct bnode *file, const char *log, GError **err)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0) {
        fail(err, "x-cut-log: cannot write '%s': %s", log, g_strerror(errno));
        node_close(file);
        return NULL;
    }
    struct cut *c = (struct cut *) node_new(sizeof *c, &cut_class, file->ctx);
    c->fd = fd;
    c->node.child[0] = file;
    c->node.size = file->size;
    c->node.read_only = file->read_only;
    c->node.fua = file->fua;
    c->node.zero_behind = file->zero_behind;
    return &c->node;
}
