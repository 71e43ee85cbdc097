/* vmm/block/blk.c - the front of every block backend: who uses it, bounds, statistics. */
#include "vmm/block/block.h"
#include "vmm/core/event.h"

#include <errno.h>

const char *const blk_werror_names[] = { "auto", "report", "stop", "ignore", "enospc", NULL };
const char *const blk_rerror_names[] = { "auto", "report", "stop", "ignore", NULL };

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
    blk_set_exec(blk, &blk->vm->main);
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

void blk_set_exec(struct blk *blk, struct exec *e)
{
    if (blk->exec == e)
        return;
    if (blk->ops->set_exec)
        blk->ops->set_exec(blk, e);
}

static void drain(void *opaque)
{
    struct blk *blk = opaque;

    blk->ops->drain(blk);
}

void blk_drain(struct blk *blk)
{
    exec_call(blk->exec, drain, blk);
}

static void settle(void *opaque)
{
    struct blk *blk = opaque;

    if (blk->ops->settle)
        blk->ops->settle(blk);
    else
        blk->ops->drain(blk);
}

void blk_settle(struct blk *blk)
{
    exec_call(blk->exec, settle, blk);
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
    struct blk_req *req;
    struct blk *blk;
    bool done;
    int err;
};

static void sync_done(struct blk_req *req, int err)
{
    struct sync_read *s = req->opaque;

    s->done = true;
    s->err = err;
}

static void sync_run(void *opaque)
{
    struct sync_read *s = opaque;

    blk_submit(s->blk, s->req);
    s->blk->ops->drain(s->blk);
}

int blk_read_sync(struct blk *blk, uint64_t off, void *buf, size_t len)
{
    struct sync_read s = { .blk = blk };
    struct iovec iov = { buf, len };
    struct blk_req req = {
        .op = BLK_READ, .off = off, .len = len, .iov = &iov, .niov = 1, .done = sync_done, .opaque = &s
    };

    s.req = &req;
    exec_call(blk->exec, sync_run, &s);
    g_assert(s.done);
    return s.err;
}
