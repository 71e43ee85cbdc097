/* vmm/block/nbd.c - a client of NBD servers, by libnbd: the protocol layer on an export.
 *
 * libnbd's state machine is driven from the exec by the socket.  A request whose buffers are several, or that
 * is larger than the server takes, goes in pieces, one after the other, through a buffer of ours.
 *
 * When the connection is lost, it is tried again every second.  Requests in flight and new ones wait for it
 * for reconnect-delay= seconds and are then sent again; after that they fail until the server is back (and
 * may be kept by werror=stop, and continued by the user).
 *
 * Deviations: no TLS; no block status (what is a hole is not asked for); a size that is no multiple of 512
 * loses its last, partial sector; servers that only take larger blocks than 512 bytes are refused. */
#include "vmm/block/nbd.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <libnbd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    PIECE = 2 * MiB,       /* of what goes through a buffer */
    MAX_DATA = 32 * MiB,   /* what every server takes, as the protocol says */
    MAX_RANGE = 1 << 30,   /* of trim and zero */
    OPEN_SECONDS = 10,
};

struct nbd {
    struct bnode node;
    char *who, *path;
    struct nbd_address addr;
    struct sockaddr_storage peer; /* where a name once led to: asking for it again would block */
    socklen_t peer_len;
    struct nbd_handle *h; /* NULL: not even trying */
    struct bwatch *watch, *timer;
    int timer_fd;         /* ticks while it is not ready */
    bool ready, inside, refused;
    bool can_flush, can_trim, can_zero;
    uint32_t max;         /* bytes of data in one request */
    unsigned delay;       /* reconnect-delay */
    gint64 fail_at, give_up_at; /* monotonic: of waiting requests, of an attempt to connect */
    struct bio *waiting, **waiting_tail;
    char *zeros;          /* PIECE bytes, when the server has no write-zeroes */
};

struct req { /* of a bio: io->priv */
    struct bio *io;
    char *buf;
    uint64_t piece; /* in flight */
};

static struct nbd *as_nbd(struct bnode *n)
{
    return container_of(n, struct nbd, node);
}

static void update_watch(struct nbd *n)
{
    unsigned dir = nbd_aio_get_direction(n->h);

    bctx_rewatch(n->watch, (dir & LIBNBD_AIO_DIRECTION_READ ? G_IO_IN : 0) |
                               (dir & LIBNBD_AIO_DIRECTION_WRITE ? G_IO_OUT : 0) | G_IO_HUP | G_IO_ERR);
}

/* --- requests ---------------------------------------------------------------------------------- */

static void lost(struct nbd *n);

static bool gone(struct nbd *n)
{
    return nbd_aio_is_dead(n->h) || nbd_aio_is_closed(n->h);
}

static int command_done(void *opaque, int *error)
{
    struct req *r = opaque;
    struct nbd *n = as_nbd(r->io->node);

    if (n->inside) /* bctx_reap follows */
        bio_ready(r->io, *error);
    else
        bio_finish(r->io, *error);
    return 1;
}

static uint64_t piece_of(const struct nbd *n, const struct bio *io, bool plain)
{
    uint64_t left = io->len - io->progress;

    if (io->op == BLK_DISCARD || (io->op == BLK_WRITE_ZEROES && n->can_zero))
        return MIN(left, MAX_RANGE);
    return MIN(left, plain ? n->max : MIN(n->max, (uint32_t) PIECE));
}

/* The next piece of it.  Whatever happens, the bio is finished later. */
static void issue(struct nbd *n, struct bio *io)
{
    struct req *r = io->priv;
    bool plain = io->iov && io->niov == 1, wr = io->op == BLK_WRITE || io->op == BLK_WRITE_ZEROES;
    uint64_t at = io->off + io->progress;
    uint32_t fua = wr && n->node.fua && io->flags & BLK_FUA ? LIBNBD_CMD_FLAG_FUA : 0;
    nbd_completion_callback cb = { .callback = command_done, .user_data = r };
    int64_t cookie;
    char *data = plain ? (char *) io->iov->iov_base + io->progress : NULL;

    r->piece = piece_of(n, io, plain);
    if (io->iov && !plain) {
        if (!r->buf)
            r->buf = g_malloc(MIN(io->len, PIECE));
        data = r->buf;
        if (wr)
            iov_to_buf(io->iov, io->niov, io->progress, data, (size_t) r->piece);
    } else if (wr && !plain && (io->op == BLK_WRITE || !n->can_zero)) {
        if (!n->zeros)
            n->zeros = g_malloc0(PIECE);
        data = n->zeros;
    }
    switch (io->op) {
    case BLK_READ: cookie = nbd_aio_pread(n->h, data, (size_t) r->piece, at, cb, 0); break;
    case BLK_FLUSH: cookie = nbd_aio_flush(n->h, cb, 0); break;
    case BLK_DISCARD: cookie = nbd_aio_trim(n->h, r->piece, at, cb, 0); break;
    default:
        if (data)
            cookie = nbd_aio_pwrite(n->h, data, (size_t) r->piece, at, cb, fua);
        else
            cookie = nbd_aio_zero(n->h, r->piece, at, cb,
                                  fua | (io->flags & BLK_MAY_UNMAP ? 0 : LIBNBD_CMD_FLAG_NO_HOLE));
        break;
    }
    if (cookie < 0) {
        int e = nbd_get_errno();
        bio_finish(io, gone(n) ? ENOTCONN : e ? e : EIO);
    }
    if (gone(n))
        lost(n);
    else
        update_watch(n);
}

static bool patient(const struct nbd *n)
{
    return n->delay && (n->ready || g_get_monotonic_time() < n->fail_at);
}

static void put_off(struct nbd *n, struct bio *io)
{
    io->next = NULL;
    *n->waiting_tail = io;
    n->waiting_tail = &io->next;
}

static void start(struct nbd *n, struct bio *io)
{
    if (n->ready)
        issue(n, io);
    else if (patient(n))
        put_off(n, io);
    else
        bio_finish(io, ENOTCONN);
}

static bool settle(struct bio *io)
{
    struct nbd *n = as_nbd(io->node);
    struct req *r = io->priv;

    if ((io->err == ENOTCONN || io->err == ESHUTDOWN) && patient(n)) {
        start(n, io);
        return false;
    }
    if (!io->err && io->op != BLK_FLUSH) {
        if (io->op == BLK_READ && r->buf)
            iov_from_buf(io->iov, io->niov, io->progress, r->buf, (size_t) r->piece);
        io->progress += r->piece;
        if (io->progress < io->len) {
            start(n, io);
            return false;
        }
    }
    g_free(r->buf);
    g_free(r);
    return true;
}

static void nbd_submit(struct bnode *node, struct bio *io)
{
    struct nbd *n = as_nbd(node);
    bool wr = io->op == BLK_WRITE || io->op == BLK_WRITE_ZEROES || io->op == BLK_DISCARD;
    bool nothing = io->op == BLK_FLUSH ? !n->can_flush : !io->len || (io->op == BLK_DISCARD && !n->can_trim);

    io->progress = 0;
    io->settle = NULL;
    if (nothing || (wr && node->read_only)) {
        bio_finish(io, nothing ? 0 : EROFS);
        return;
    }
    struct req *r = g_new0(struct req, 1);
    r->io = io;
    io->priv = r;
    io->settle = settle;
    start(n, io);
}

/* --- the connection ---------------------------------------------------------------------------- */

static void tick(struct nbd *n, bool on)
{
    struct itimerspec t = { { on, 0 }, { on, 0 } };

    timerfd_settime(n->timer_fd, 0, &t, NULL);
}

static void drop(struct nbd *n)
{
    bctx_unwatch(n->watch);
    n->watch = NULL;
    n->ready = false;
    nbd_close(n->h);
    n->h = NULL;
}

static void lost(struct nbd *n)
{
    if (n->ready) {
        warn_user("%s: the connection to '%s' is lost; it is tried again", n->who, n->path);
        n->fail_at = g_get_monotonic_time() + n->delay * G_USEC_PER_SEC;
    }
    drop(n);
    tick(n, true);
}

/* Of a connection that is ready.  NULL, or why it can't be used. */
static char *examine(struct nbd *n, bool first)
{
    struct nbd_handle *h = n->h;
    int64_t size = nbd_get_size(h), min = nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM),
            max = nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM);
    bool ro = nbd_is_read_only(h) > 0, fua = nbd_can_fua(h) > 0;

    if (size < 512)
        return g_strdup_printf("the export has no size (%" PRId64 " bytes)", size);
    if (min > 512)
        return g_strdup_printf("the server only takes blocks of %" PRId64 " bytes", min);
    if (ro && !n->node.read_only)
        return g_strdup("the server exports it read-only; use read-only=on or snapshot=on");
    if (!first && ((uint64_t) size / 512 * 512 != n->node.size || (n->node.fua && !fua)))
        return g_strdup("the server has another export now");
    n->node.size = (uint64_t) size / 512 * 512;
    n->node.fua = fua;
    n->can_flush = nbd_can_flush(h) > 0;
    n->can_trim = nbd_can_trim(h) > 0;
    n->can_zero = nbd_can_zero(h) > 0;
    n->max = max >= 512 ? (uint32_t) MIN(max / 512 * 512, MAX_DATA) : MAX_DATA;
    return NULL;
}

static void ready_again(struct nbd *n)
{
    char *why = examine(n, false);

    if (why) {
        if (!n->refused)
            warn_user("%s: '%s': %s", n->who, n->path, why);
        n->refused = true;
        g_free(why);
        drop(n);
        return;
    }
    warn_user("%s: the connection to '%s' is back", n->who, n->path);
    n->ready = true;
    n->refused = false;
    tick(n, false);
    struct bio *io = n->waiting, *next;
    n->waiting = NULL;
    n->waiting_tail = &n->waiting;
    for (; io; io = next) {
        next = io->next;
        start(n, io);
    }
}

static void on_socket(void *opaque, GIOCondition cond)
{
    struct nbd *n = opaque;
    unsigned dir = nbd_aio_get_direction(n->h);

    n->inside = true;
    if (dir & LIBNBD_AIO_DIRECTION_READ && cond & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        nbd_aio_notify_read(n->h);
    else if (dir & LIBNBD_AIO_DIRECTION_WRITE)
        nbd_aio_notify_write(n->h);
    n->inside = false;
    if (gone(n)) {
        lost(n);
    } else {
        update_watch(n);
        if (!n->ready && nbd_aio_is_ready(n->h))
            ready_again(n);
    }
}

static struct nbd_handle *new_handle(struct nbd *n, GError **err)
{
    struct nbd_handle *h = nbd_create();

    if (!h || nbd_set_export_name(h, n->addr.name)) {
        fail(err, "%s: '%s': %s", n->who, n->path, nbd_get_error());
        nbd_close(h);
        return NULL;
    }
    return h;
}

static bool watch(struct nbd *n)
{
    int fd = nbd_aio_get_fd(n->h);

    if (fd < 0)
        return false;
    n->watch = bctx_watch(n->node.ctx, fd, 0, on_socket, n);
    update_watch(n);
    return true;
}

static void try_again(struct nbd *n)
{
    n->h = new_handle(n, NULL);
    n->give_up_at = g_get_monotonic_time() + OPEN_SECONDS * G_USEC_PER_SEC;
    if (!n->h)
        return;
    int r = n->addr.path ? nbd_aio_connect_unix(n->h, n->addr.path)
                         : nbd_aio_connect(n->h, (struct sockaddr *) &n->peer, n->peer_len);
    if (r || gone(n) || !watch(n))
        drop(n);
    else if (nbd_aio_is_ready(n->h))
        ready_again(n);
}

static void on_tick(void *opaque, GIOCondition cond)
{
    struct nbd *n = opaque;
    uint64_t ticks;
    gint64 now = g_get_monotonic_time();

    (void) cond;
    if (read(n->timer_fd, &ticks, sizeof ticks) < 0 || n->ready)
        return;
    if (n->h && now >= n->give_up_at)
        drop(n);
    if (!n->h)
        try_again(n);
    while (!n->ready && now >= n->fail_at && n->waiting) {
        struct bio *io = n->waiting;
        n->waiting = io->next;
        if (!n->waiting)
            n->waiting_tail = &n->waiting;
        bio_ready(io, ENOTCONN);
    }
}

/* --- opening and closing ----------------------------------------------------------------------- */

static bool connect_first(struct nbd *n, GError **err)
{
    const struct nbd_address *a = &n->addr;
    gint64 until = g_get_monotonic_time() + OPEN_SECONDS * G_USEC_PER_SEC;
    int r;

    n->h = new_handle(n, err);
    if (!n->h)
        return false;
    r = a->path ? nbd_aio_connect_unix(n->h, a->path) : nbd_aio_connect_tcp(n->h, a->host, a->port);
    while (!r && !nbd_aio_is_ready(n->h)) {
        gint64 left = (until - g_get_monotonic_time()) / 1000;
        if (gone(n))
            r = -1;
        else if (left <= 0)
            return fail(err, "%s: the NBD server at '%s' does not answer", n->who, n->path);
        else
            r = nbd_poll(n->h, (int) left) < 0 ? -1 : 0;
    }
    if (r) {
        const char *text = nbd_get_error(), *colon = text ? strstr(text, ": ") : NULL;
        return fail(err, "%s: cannot open '%s': %s", n->who, n->path,
                    colon ? colon + 2 : text ? text : "the server has closed the connection");
    }
    n->peer_len = sizeof n->peer;
    if (!a->path && getpeername(nbd_aio_get_fd(n->h), (struct sockaddr *) &n->peer, &n->peer_len))
        return fail(err, "%s: '%s': %s", n->who, n->path, g_strerror(errno));
    char *why = examine(n, true);
    if (why)
        fail(err, "%s: '%s': %s", n->who, n->path, why);
    g_free(why);
    return !why;
}

static void nbd_free(struct bnode *node)
{
    struct nbd *n = as_nbd(node);

    if (n->ready)
        nbd_aio_disconnect(n->h, 0); /* said if it can be said at once */
    drop(n);
    bctx_unwatch(n->timer);
    if (n->timer_fd >= 0)
        close(n->timer_fd);
    nbd_address_clear(&n->addr);
    g_free(n->zeros);
    g_free(n->who);
    g_free(n->path);
}

static const struct bnode_class nbd_class = { .name = "nbd", .submit = nbd_submit, .close = nbd_free };

static struct bnode *nbd_open(struct bctx *c, const struct bopen *o, struct nbd_address a, GError **err)
{
    struct nbd *n = (struct nbd *) node_new(sizeof *n, &nbd_class, c);

    n->who = g_strdup(o->who);
    n->path = g_strdup(o->path);
    n->addr = a;
    n->node.read_only = o->read_only;
    n->delay = o->reconnect_delay;
    n->waiting_tail = &n->waiting;
    n->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    bool ok = n->timer_fd >= 0 || fail(err, "%s: cannot make a timer: %s", n->who, g_strerror(errno));
    ok = ok && connect_first(n, err);
    if (ok && !watch(n))
        ok = fail(err, "%s: '%s': the server has closed the connection", n->who, n->path);
    if (!ok) {
        node_close(&n->node);
        return NULL;
    }
    n->timer = bctx_watch(c, n->timer_fd, G_IO_IN, on_tick, n);
    n->ready = true;
    return &n->node;
}

const struct nbd_module bantam_nbd = { nbd_open };
