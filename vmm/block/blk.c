/* vmm/block/blk.c - the front of every block backend: who uses it, bounds, statistics. */
#include "vmm/block/block.h"
#include "vmm/core/event.h"

#include <errno.h>

bool blk_attach(struct blk *blk, struct device *dev, const struct blk_dev_ops *ops, void *opaque,
                GError **err)
{
    if (blk->dev)
        return fail(err, "drive '%s' is already used by '%s'", blk->id, blk->dev->name);
    blk->dev = dev;
    blk->dev_ops = ops;
    blk->dev_opaque = opaque;
    return true;
}

void blk_detach(struct blk *blk)
{
    if (!blk || !blk->dev)
        return;
    blk_drain(blk);
    blk->dev = NULL;
    blk->dev_ops = NULL;
}

void blk_submit(struct blk *blk, struct blk_req *req)
{
    g_assert(!req->busy);
    req->blk = blk;
    req->busy = true;
    blk->ops->submit(blk, req);
}

void blk_drain(struct blk *blk)
{
    blk->ops->drain(blk);
}

void blk_plug(struct blk *blk)
{
    if (blk->ops->plug)
        blk->ops->plug(blk, true);
}

void blk_unplug(struct blk *blk)
{
    if (blk->ops->plug)
        blk->ops->plug(blk, false);
}

void blk_set_tray(struct blk *blk, bool open, bool eject)
{
    if (blk->tray_open != open && blk->dev_ops && blk->dev_ops->tray_moved)
        VM_EMIT(blk->vm, EVENT_TRAY_MOVED, .id = blk->id, .device = blk->dev->id, .on = open);
    blk->tray_open = open;
    if (open && eject && blk->present && blk->ops->eject) {
        blk_drain(blk);
        blk->ops->eject(blk);
    }
}

struct sync_read {
    bool done;
    int err;
};

static void sync_done(struct blk_req *req, int err)
{
    struct sync_read *s = req->opaque;

    s->done = true;
    s->err = err;
}

int blk_read_sync(struct blk *blk, uint64_t off, void *buf, size_t len)
{
    struct sync_read s = { 0 };
    struct iovec iov = { buf, len };
    struct blk_req req = {
        .op = BLK_READ, .off = off, .len = len, .iov = &iov, .niov = 1, .done = sync_done, .opaque = &s
    };

    blk_submit(blk, &req);
    blk_drain(blk);
    g_assert(s.done);
    return s.err;
}
