/* vmm/net/tap.c - `tap` and `bridge`: an Ethernet interface of the host, one descriptor a queue.
 *
 * With IFF_VNET_HDR each frame has a struct net_hdr, and the kernel does checksums and segmentation; a NIC without one
 * gets its frames plain, and offloads are off.  The NIC's frames are written from where they are. */
#include "vmm/net/netdev_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
/* The flags are net.h's */
G_STATIC_ASSERT(TUN_F_CSUM == NET_CSUM && TUN_F_TSO4 == NET_TSO4 && TUN_F_TSO6 == NET_TSO6);
G_STATIC_ASSERT(TUN_F_TSO_ECN == NET_ECN && TUN_F_UFO == NET_UFO && TUN_F_USO4 == NET_USO4);

enum { SLOTS = 16, SLOT_SIZE = NET_MAX_FRAME + 16, AT_ONCE = 64, SHORT_HDR = 10 };
#define IFUP "/etc/qemu-ifup"
#define IFDOWN "/etc/qemu-ifdown"
#define HELPER "/usr/lib/qemu/qemu-bridge-helper"

struct tap_queue {
    struct net net;
    int fd;
    struct exec_fd *in_watch, *out_watch;
    bool blocked;       /* under the VM lock in the main exec */
    bool detached;      /* from the interface: no frames come */
    uint8_t *slots;     /* SLOTS in the main exec, where they are read before the lock is taken */
    unsigned len[SLOTS];
    unsigned first, n;  /* not yet handed on */
};

struct tap {
    struct netdev dev;
    struct tap_queue *queues;
    unsigned n_made;    /* queues with a descriptor */
    char ifname[IFNAMSIZ];
    char *downscript, *script, *text;
    bool vnet_hdr;
    unsigned hdr_size, offload; /* as the kernel knows them */
};

static struct tap *tap_of(struct net *n)
{
    return container_of(n->dev, struct tap, dev);
}

static struct tap_queue *queue_of(struct net *n)
{
    return container_of(n, struct tap_queue, net);
}

/* --- frames ------------------------------------------------------------------------------------- */

static enum net_result tap_send(struct net *n, const struct iovec *iov, unsigned niov, size_t len, bool more)
{
    struct tap_queue *q = queue_of(n);
    static const struct net_hdr none; /* zeroes */
    struct iovec part[NET_MAX_IOV];
    ssize_t r;

    (void) len, (void) more;
    if (q->blocked)
        return NET_BUSY;
    if (tap_of(n)->vnet_hdr && !n->hdr) {
        if (niov >= NET_MAX_IOV)
            return NET_DROPPED;
        part[0] = (struct iovec){ (void *) &none, tap_of(n)->hdr_size };
        memcpy(part + 1, iov, niov++ * sizeof *iov);
        iov = part;
    }
    do {
        r = writev(q->fd, iov, (int) niov);
    } while (r < 0 && errno == EINTR);
    if (r >= 0)
        return NET_TAKEN;
    if (errno != EAGAIN)
        return NET_DROPPED; /* the interface is down, or a header that makes no sense */
    q->blocked = true;
    net_kick(n);
    return NET_BUSY;
}

static bool hand_on(struct tap_queue *q)
{
    struct tap *s = tap_of(&q->net);
    unsigned skip = s->vnet_hdr && !q->net.hdr ? s->hdr_size : 0;
    bool ok = true;

    if (q->first == q->n)
        return true;
    if (!net_rx_begin(&q->net))
        return false;
    for (; ok && q->first < q->n; q->first += ok) {
        unsigned len = q->len[q->first];
        struct iovec iov = { q->slots + (size_t) q->first * SLOT_SIZE + skip, len - MIN(skip, len) };
        ok = net_deliver(&q->net, &iov, 1, iov.iov_len) != NET_BUSY;
    }
    net_rx_end(&q->net);
    return ok;
}

static unsigned fill(struct tap_queue *q, unsigned max)
{
    q->first = q->n = 0;
    while (q->n < max) {
        ssize_t r = read(q->fd, q->slots + (size_t) q->n * SLOT_SIZE, SLOT_SIZE);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        q->len[q->n++] = (unsigned) r;
    }
    return q->n;
}

/* In an iothread there is no lock to take for each frame: they are handed on one by one, out of the cache. */
static bool pass_through(struct tap_queue *q)
{
    struct tap *s = tap_of(&q->net);
    unsigned skip = s->vnet_hdr && !q->net.hdr ? s->hdr_size : 0, n = 0;
    bool ok = true;

    if (!net_rx_begin(&q->net))
        return false;
    while (ok && n++ < AT_ONCE && fill(q, 1)) {
        struct iovec iov = { q->slots + skip, q->len[0] - MIN(skip, q->len[0]) };
        ok = net_deliver(&q->net, &iov, 1, iov.iov_len) != NET_BUSY;
        q->first = ok;
    }
    net_rx_end(&q->net);
    return ok;
}

static void readable(void *opaque, GIOCondition cond)
{
    struct tap_queue *q = opaque;
    bool ok = true;

    (void) cond;
    if (!q->net.exec->main)
        ok = pass_through(q);
    else if (fill(q, SLOTS))
        ok = hand_on(q);
    if (!ok) /* work() goes on */
        exec_fd_remove(g_steal_pointer(&q->in_watch));
}

static void writable(void *opaque, GIOCondition cond)
{
    struct tap_queue *q = opaque;

    (void) cond;
    exec_fd_remove(g_steal_pointer(&q->out_watch));
    exec_enter(q->net.exec);
    q->blocked = false;
    exec_leave(q->net.exec);
    net_writable(&q->net);
}

/* Frames for a queue that the guest does not use would be lost: the kernel spreads them over those attached. */
static void attach_queue(struct tap_queue *q)
{
    bool detach = q->net.index && !(q->net.nic && q->net.enabled);
    struct ifreq ifr = { .ifr_flags = detach ? IFF_DETACH_QUEUE : IFF_ATTACH_QUEUE };

    if (q->net.dev->n_queues > 1 && detach != q->detached && ioctl(q->fd, TUNSETQUEUE, &ifr) == 0)
        q->detached = detach;
}

static void tap_work(struct net *n)
{
    struct tap_queue *q = queue_of(n);

    attach_queue(q);
    exec_enter(n->exec);
    bool blocked = q->blocked;
    exec_leave(n->exec);
    if (blocked && !q->out_watch)
        q->out_watch = exec_add_fd(n->exec, q->fd, G_IO_OUT, writable, q);
    if (!q->in_watch && hand_on(q)) {
        q->in_watch = exec_add_fd(n->exec, q->fd, G_IO_IN, readable, q);
        exec_fd_may_nest(q->in_watch);
    }
}

static void tap_leave(struct net *n)
{
    exec_fd_remove(g_steal_pointer(&queue_of(n)->in_watch));
    exec_fd_remove(g_steal_pointer(&queue_of(n)->out_watch));
}

static void tap_set_enabled(struct net *n, bool on)
{
    (void) on;
    net_kick(n);
}

/* --- headers and offloads: of the interface, not of a queue ----------------------------------------- */

static bool tap_set_hdr(struct net *n, unsigned len)
{
    struct tap *s = tap_of(n);
    int size = len ? (int) len : SHORT_HDR;

    if (!s->vnet_hdr)
        return len == 0;
    if (s->hdr_size != (unsigned) size && ioctl(queue_of(n)->fd, TUNSETVNETHDRSZ, &size) < 0)
        return false;
    s->hdr_size = (unsigned) size;
    return true;
}

static void tap_set_offload(struct net *n, unsigned offload)
{
    struct tap *s = tap_of(n);

    if (!(offload & NET_CSUM)) /* all others build on it */
        offload = 0;
    if (!(offload & (NET_TSO4 | NET_TSO6)))
        offload &= ~(unsigned) NET_ECN;
    if ((offload & (NET_USO4 | NET_USO6)) != (NET_USO4 | NET_USO6)) /* the kernel knows both or none */
        offload &= ~(unsigned) (NET_USO4 | NET_USO6);
    if (s->vnet_hdr && s->offload != offload && ioctl(queue_of(n)->fd, TUNSETOFFLOAD, (unsigned long) offload) == 0)
        s->offload = offload;
}

static void tap_link_changed(struct netdev *dev)
{
    struct tap *s = container_of(dev, struct tap, dev);
    int up = __atomic_load_n(&dev->link_up, __ATOMIC_ACQUIRE);

#ifdef TUNSETCARRIER
    if (ioctl(s->queues[0].fd, TUNSETCARRIER, &up) < 0)
        return; /* an old kernel: the host does not see that the link is down */
#endif
}

/* --- programs ---------------------------------------------------------------------------------------- */

static void unblock_signals(gpointer opaque)
{
    sigset_t none;

    (void) opaque;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool run_script(const char *script, const char *ifname, const char *what, GError **err)
{
    char *argv[] = { (char *) script, (char *) ifname, NULL };
    GError *why = NULL;
    int status;

    if (g_spawn_sync(NULL, argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, unblock_signals, NULL, NULL, NULL, &status,
                     &why) &&
        g_spawn_check_wait_status(status, &why))
        return true;
    fail(err, "%s: script '%s' %s: %s", what, script, ifname, why->message);
    g_error_free(why);
    return false;
}

static int receive_fd(int sock)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } u;
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof u.buf };
    ssize_t r;
    int fd = -1;

    do {
        r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    } while (r < 0 && errno == EINTR);
    struct cmsghdr *c = r > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* A privileged program that makes an interface, puts it into a bridge and passes its descriptor. */
static int run_helper(const char *helper, const char *br, const char *what, GError **err)
{
    int pair[2], status = 0;
    GError *why = NULL;
    GPid pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        fail(err, "%s: %s", what, g_strerror(errno));
        return -1;
    }
    fcntl(pair[1], F_SETFD, 0);
    char *fd_arg = g_strdup_printf("--fd=%d", pair[1]), *br_arg = g_strdup_printf("--br=%s", br);
    char *plain[] = { (char *) helper, "--use-vnet", fd_arg, br_arg, NULL };
    char *quoted = g_shell_quote(br_arg);
    char *line = g_strdup_printf("%s --use-vnet %s %s", helper, fd_arg, quoted);
    char *shell[] = { "/bin/sh", "-c", line, NULL };
    bool ok = g_spawn_async(NULL, strpbrk(helper, " \t") ? shell : plain, NULL,
                            G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN | G_SPAWN_CHILD_INHERITS_STDIN,
                            unblock_signals, NULL, &pid, &why);
    close(pair[1]);
    int fd = ok ? receive_fd(pair[0]) : -1;
    close(pair[0]);
    while (ok && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!ok) {
        fail(err, "%s: helper: %s", what, why->message);
        g_error_free(why);
    } else if (fd < 0 || status) {
        if (fd >= 0)
            close(fd);
        fd = -1;
        fail(err, "%s: the helper '%s' gave no interface of bridge '%s'", what, helper, br);
    }
    g_free(fd_arg);
    g_free(br_arg);
    g_free(quoted);
    g_free(line);
    return fd;
}

/* --- opening ------------------------------------------------------------------------------------------ */

static int open_tun(struct tap *s, const struct netdev_config *c, bool multi, const char *what, GError **err)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq ifr = { 0 };
    unsigned features = 0;

    if (fd < 0) {
        fail(err, "%s: cannot open /dev/net/tun: %s", what, g_strerror(errno));
        return -1;
    }
    if (ioctl(fd, TUNGETFEATURES, &features) < 0)
        features = 0;
    s->vnet_hdr = c->vnet_hdr != OOA_OFF && (features & IFF_VNET_HDR);
    if (c->vnet_hdr == OOA_ON && !s->vnet_hdr) {
        close(fd);
        fail(err, "%s: vnet_hdr=on: this kernel's tap has no IFF_VNET_HDR", what);
        return -1;
    }
    ifr.ifr_flags = (short) (IFF_TAP | IFF_NO_PI | (s->vnet_hdr ? IFF_VNET_HDR : 0) | (multi ? IFF_MULTI_QUEUE : 0));
    memcpy(ifr.ifr_name, *s->ifname ? s->ifname : "tap%d", strlen(*s->ifname ? s->ifname : "tap%d"));
    if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
        fail(err, "%s: cannot %s interface '%s': %s%s", what, s->n_made ? "add a queue to" : "make or take",
             *s->ifname ? s->ifname : "tap", g_strerror(errno),
             errno == EPERM ? " (it takes CAP_NET_ADMIN, or an interface made for this user: ip tuntap add ... user)"
                            : "");
        close(fd);
        return -1;
    }
    memcpy(s->ifname, ifr.ifr_name, IFNAMSIZ);
    s->ifname[IFNAMSIZ - 1] = 0;
    return fd;
}

/* A descriptor that somebody else has opened. */
static bool adopt(struct tap *s, int fd, const struct netdev_config *c, const char *what, GError **err)
{
    struct ifreq ifr = { 0 };

    if (ioctl(fd, TUNGETIFF, &ifr) < 0)
        return fail(err, "%s: descriptor %d is no tap interface: %s", what, fd, g_strerror(errno));
    bool hdr = ifr.ifr_flags & IFF_VNET_HDR;
    if (!(ifr.ifr_flags & IFF_TAP))
        return fail(err, "%s: descriptor %d is of a tun interface, not of tap", what, fd);
    if (!(ifr.ifr_flags & IFF_NO_PI))
        return fail(err, "%s: descriptor %d was opened without IFF_NO_PI", what, fd);
    if (c->vnet_hdr != OOA_AUTO && hdr != (c->vnet_hdr == OOA_ON))
        return fail(err, "%s: vnet_hdr=%s: descriptor %d was opened the other way", what, hdr ? "off" : "on", fd);
    if (s->n_made && hdr != s->vnet_hdr)
        return fail(err, "%s: the descriptors differ in IFF_VNET_HDR", what);
    s->vnet_hdr = hdr;
    memcpy(s->ifname, ifr.ifr_name, IFNAMSIZ);
    s->ifname[IFNAMSIZ - 1] = 0;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return true;
}

static void add_queue(struct tap *s, int fd)
{
    struct tap_queue *q = &s->queues[s->n_made++];

    q->fd = fd;
    q->slots = g_malloc((size_t) SLOTS * SLOT_SIZE);
    net_init(&q->net, &s->dev);
}

static bool parse_fds(const char *list, GArray *fds, const char *what, GError **err)
{
    char **words = g_strsplit(list, ":", -1);
    bool ok = true;
    uint64_t v;

    for (unsigned i = 0; ok && words[i]; i++) {
        ok = parse_u64("fds", words[i], 0, INT32_MAX, &v, err) || fail_prefix(err, "%s", what);
        int fd = (int) v;
        if (ok)
            g_array_append_val(fds, fd);
    }
    g_strfreev(words);
    if (ok && (!fds->len || fds->len > NET_MAX_QUEUES))
        ok = fail(err, "%s: fds: 1 to %d descriptors", what, NET_MAX_QUEUES);
    return ok;
}

static bool open_queues(struct tap *s, const struct netdev_config *c, const char *what, GError **err)
{
    const char *list = c->fds ? c->fds : c->fd;
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
    bool ok = true;

    if (list) {
        ok = parse_fds(list, fds, what, err);
        for (unsigned i = 0; ok && i < fds->len; i++) {
            int fd = g_array_index(fds, int, i);
            ok = adopt(s, fd, c, what, err);
            if (ok)
                add_queue(s, fd);
        }
        s->text = g_strdup_printf("%s=%s", c->fds ? "fds" : "fd", list);
    } else if (c->kind == NETDEV_BRIDGE || c->helper) {
        const char *helper = c->helper ? c->helper : HELPER, *br = c->br ? c->br : "br0";
        int fd = run_helper(helper, br, what, err);
        ok = fd >= 0 && adopt(s, fd, c, what, err);
        if (ok)
            add_queue(s, fd);
        else if (fd >= 0)
            close(fd);
        s->text = g_strdup_printf("helper=%s,br=%s", helper, br);
    } else {
        unsigned n = MAX(c->queues, 1);
        g_strlcpy(s->ifname, c->ifname ? c->ifname : "", sizeof s->ifname);
        for (unsigned i = 0; ok && i < n; i++) {
            int fd = open_tun(s, c, n > 1, what, err);
            ok = fd >= 0;
            if (ok)
                add_queue(s, fd);
        }
    }
    g_array_free(fds, TRUE);
    return ok;
}

/* What the kernel takes, by asking. */
static unsigned probe_offloads(int fd)
{
    static const unsigned sets[] = { TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN, TUN_F_UFO,
                                     TUN_F_USO4 | TUN_F_USO6 };
    unsigned can = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++)
        if (ioctl(fd, TUNSETOFFLOAD, (unsigned long) (can | sets[i])) == 0)
            can |= sets[i];
    return ioctl(fd, TUNSETOFFLOAD, 0UL) == 0 ? can : 0;
}

static const char *script_of(const char *given, const char *def)
{
    if (given)
        return !*given || !strcmp(given, "no") ? NULL : given;
    return g_file_test(def, G_FILE_TEST_IS_EXECUTABLE) ? def : NULL;
}

static bool set_up(struct tap *s, const struct netdev_config *c, const char *what, GError **err)
{
    bool own = c->kind == NETDEV_TAP && !c->fd && !c->fds && !c->helper;
    const char *script = own ? script_of(c->script, IFUP) : NULL, *down = own ? script_of(c->downscript, IFDOWN) : NULL;
    int sndbuf = c->sndbuf ? (int) c->sndbuf : INT32_MAX, fd = s->queues[0].fd, size = SHORT_HDR;

    for (unsigned i = 0; i < s->n_made; i++)
        if (ioctl(s->queues[i].fd, TUNSETSNDBUF, &sndbuf) < 0 && c->sndbuf)
            return fail(err, "%s: sndbuf: %s", what, g_strerror(errno));
    if (s->vnet_hdr) {
        if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
            return fail(err, "%s: TUNSETVNETHDRSZ: %s", what, g_strerror(errno));
        s->hdr_size = SHORT_HDR;
        s->dev.can_send = s->dev.can_receive = probe_offloads(fd);
    }
    if (script && !run_script(script, s->ifname, what, err))
        return false;
    s->downscript = g_strdup(down);
    if (!s->text)
        s->text = g_strdup_printf("ifname=%s,script=%s,downscript=%s", s->ifname, script ? script : "no",
                                  down ? down : "no");
    return true;
}

static void tap_describe(struct netdev *dev, GString *out)
{
    struct tap *s = container_of(dev, struct tap, dev);

    g_string_append_printf(out, ",%s", s->text);
    if (s->n_made > 1)
        g_string_append_printf(out, ",queues=%u", s->n_made);
}

static void tap_free(struct netdev *dev)
{
    struct tap *s = container_of(dev, struct tap, dev);
    GError *err = NULL;

    if (s->downscript && !run_script(s->downscript, s->ifname, "tap", &err)) { /* it goes with its last descriptor */
        warn_user("%s", err->message);
        g_error_free(err);
    }
    for (unsigned i = 0; i < s->n_made; i++) {
        tap_leave(&s->queues[i].net);
        close(s->queues[i].fd);
        g_free(s->queues[i].slots);
    }
    netdev_clear(dev);
    g_free(s->queues);
    g_free(s->downscript);
    g_free(s->text);
    g_free(s);
}

static const struct net_ops tap_ops = { .send = tap_send, .work = tap_work, .leave = tap_leave, .set_hdr = tap_set_hdr,
                                        .set_offload = tap_set_offload, .set_enabled = tap_set_enabled,
                                        .link_changed = tap_link_changed, .describe = tap_describe,
                                        .free = tap_free };

struct netdev *tap_open(struct vm *vm, const struct netdev_config *c, GError **err)
{
    struct tap *s = g_new0(struct tap, 1);
    char what[80];

    g_snprintf(what, sizeof what, "netdev '%s'", c->id);
    s->queues = g_new0(struct tap_queue, NET_MAX_QUEUES);
    netdev_init(&s->dev, vm, &tap_ops, c->id, netdev_kind_names[c->kind]);
    if (open_queues(s, c, what, err) && set_up(s, c, what, err)) {
        for (unsigned i = 0; i < s->n_made; i++)
            net_kick(&s->queues[i].net);
        return &s->dev;
    }
    tap_free(&s->dev);
    return NULL;
}

bool tap_check(const struct netdev_config *c, const char *what, GError **err)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
    const char *list = c->fds ? c->fds : c->fd;
    bool ok = true;

    if (c->fd && c->fds)
        ok = fail(err, "%s: give either fd= or fds=", what);
    else if (list && (c->ifname || c->script || c->downscript || c->helper || c->queues))
        ok = fail(err, "%s: ifname, script, downscript, helper and queues don't go with %s=: the interface is there",
                  what, c->fds ? "fds" : "fd");
    else if (c->fd && strchr(c->fd, ':'))
        ok = fail(err, "%s: fd: one descriptor; several: fds=", what);
    else if (list)
        ok = parse_fds(list, fds, what, err);
    else if (c->helper && c->kind == NETDEV_TAP && (c->ifname || c->script || c->downscript || c->queues > 1))
        ok = fail(err, "%s: ifname, script, downscript and queues don't go with helper=", what);
    else if (c->ifname && (!*c->ifname || strlen(c->ifname) >= IFNAMSIZ || strpbrk(c->ifname, "/ %")))
        ok = fail(err, "%s: ifname: '%s' is no interface's name: 1 to %d characters", what, c->ifname, IFNAMSIZ - 1);
    else if (c->br && c->kind == NETDEV_TAP && !c->helper)
        ok = fail(err, "%s: br= goes with helper=, or use -netdev bridge", what);
    g_array_free(fds, TRUE);
    if (ok && c->sndbuf > INT32_MAX)
        ok = fail(err, "%s: sndbuf: at most %d", what, INT32_MAX);
    if (ok && (c->vhost || c->vhostforce || c->vhostfds))
        ok = fail(err, "%s: vhost=on: vhost-net is not built; leave it out: an iothread serves the NIC's queues", what);
    return ok;
}
