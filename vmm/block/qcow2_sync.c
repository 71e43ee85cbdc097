/* vmm/block/qcow2_sync.c - what blocks: for opening, closing, resizing and snapshots, with no request in flight. */
#include "vmm/block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

static void woken(struct q2_wait *w, int err)
{
    struct q2_sync *s = container_of(w, struct q2_sync, wait);

    s->woken = true;
    s->err = err;
}

void q2_sync_init(struct q2_sync *s, struct qcow2 *q)
{
    *s = (struct q2_sync){ .wait.run = woken, .q = q };
}

bool q2_sync_again(struct q2_sync *s, int *r)
{
    if (*r != Q2_WAIT)
        return false;
    while (!s->woken)
        bctx_wait(s->q->node.ctx);
    s->woken = false;
    if (s->err) {
        *r = s->err;
        return false;
    }
    return true;
}

void q2_drain(struct bnode *n)
{
    struct qcow2 *q = as_qcow2(n);

    while (q->internal)
        bctx_wait(q->node.ctx);
}

/* A release makes refcounts dirty, which the next round writes. */
int q2_sync_commit(struct qcow2 *q)
{
    int err = 0;

    do {
        q2_drain(&q->node);
        if (q->broken)
            return EIO;
        err = node_flush(&q->node);
        q2_drain(&q->node);
    } while (!err && !q->broken && !q2_is_clean(q));
    return err ? err : q->broken ? EIO : 0;
}

int q2_header_write(struct qcow2 *q, bool flush)
{
    int e = node_pwrite(q->node.child[0], 0, q->hdr, Q2_HEADER);

    return e || !flush || q->no_flush ? e : node_flush(q->node.child[0]);
}

int q2_set_incompatible(struct qcow2 *q, uint64_t bit, bool on)
{
    if (q->version < 3)
        return 0;
    q->incompatible = on ? q->incompatible | bit : q->incompatible & ~bit;
    st_be64(q->hdr + H_INCOMPATIBLE, q->incompatible);
    return q2_header_write(q, true);
}

int q2_write_table(struct qcow2 *q, uint64_t off, const uint64_t *entries, uint32_t n)
{
    size_t len = (size_t) ROUND_UP((uint64_t) n * 8, q->cluster);
    uint8_t *buf = q2_buffer(len);

    memset(buf, 0, len);
    for (uint32_t i = 0; i < n; i++)
        st_be64(buf + (size_t) i * 8, entries[i]);
    q2_used_up_to(q, off + len);
    int e = node_pwrite(q->node.child[0], off, buf, len);
    free(buf);
    return e;
}
