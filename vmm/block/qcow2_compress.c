/* vmm/block/qcow2_compress.c - reading compressed clusters: zlib and zstd, expanded by a worker.
 *
 * Compressed clusters are never written: a write to one puts its cluster into a new one, plain. */
#include "vmm/base/module.h"
#include "vmm/block/qcow2.h"
#include "vmm/block/qcow2_zstd.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

struct unpack {
    struct q2_req *r;
    struct bio io;     /* its own, for the worker's end */
    struct blk_work work;
    const struct zstd_module *zstd; /* NULL: zlib */
    uint8_t *in, *out;
    size_t in_len, out_len;
    struct iovec iov;
    uint64_t skip, rel, len;
};

/* Raw deflate with a window of 4 KiB.  Exactly a cluster must come out; what would come behind it is left. */
static int inflate_all(const struct unpack *u)
{
    z_stream z = { 0 };

    if (inflateInit2(&z, -12) != Z_OK)
        return ENOMEM;
    z.next_in = u->in;
    z.avail_in = (uInt) u->in_len;
    z.next_out = u->out;
    z.avail_out = (uInt) u->out_len;
    int r = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return (r == Z_STREAM_END || r == Z_BUF_ERROR) && !z.avail_out ? 0 : EIO;
}

bool q2_compression_ready(struct qcow2 *q, GError **err)
{
    if (q->compression > 1)
        return fail(err, "%s: '%s': unknown compression type %u", q->who, q->path, q->compression);
    if (q->compression == 1)
        q->zstd = module_symbol("zstd", "bantam_zstd", err);
    return q->compression == 0 || q->zstd ||
           fail_prefix(err, "%s: '%s' is compressed by zstd", q->who, q->path);
}

static void unpacked(struct bio *io, int err)
{
    struct unpack *u = io->opaque;
    struct q2_req *r = u->r;

    if (!err)
        iov_from_buf(r->io->iov, r->io->niov, u->rel, u->out + u->skip, (size_t) u->len);
    free(u->in);
    free(u->out);
    g_free(u);
    q2_req_part_done(r, err);
}

static void run(struct blk_work *w)
{
    struct unpack *u = container_of(w, struct unpack, work);

    bio_finish(&u->io, u->zstd ? u->zstd->unpack(u->in, u->in_len, u->out, u->out_len) : inflate_all(u));
}

static void packed_read(struct bio *io, int err)
{
    struct unpack *u = io->opaque;
    struct qcow2 *q = u->r->q;

    bio_free(q->node.ctx, io);
    u->io = (struct bio){ .node = &q->node, .done = unpacked, .opaque = u };
    if (err) {
        unpacked(&u->io, err);
        return;
    }
    u->work.run = run;
    blk_pool_push(q->node.ctx->pool, &u->work);
}

void q2_read_compressed(struct q2_req *r, const struct q2_map *m, uint64_t in_cluster, uint64_t pos, uint64_t len)
{
    struct qcow2 *q = r->q;
    struct unpack *u = g_new0(struct unpack, 1);
    struct bio *io = bio_new(q->node.ctx);

    *u = (struct unpack){ .r = r, .zstd = q->zstd, .in_len = (size_t) m->len, .out_len = (size_t) q->cluster,
                          .skip = in_cluster, .rel = pos - r->io->off, .len = len };
    u->in = q2_buffer(u->in_len);
    u->out = q2_buffer(u->out_len);
    u->iov = (struct iovec){ u->in, u->in_len };
    io->op = BLK_READ;
    io->off = m->host;
    io->len = m->len;
    io->iov = &u->iov;
    io->niov = 1;
    io->done = packed_read;
    io->opaque = u;
    r->pending++;
    node_submit(q->node.child[0], io);
}
