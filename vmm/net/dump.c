/* vmm/net/dump.c - filter-dump: frames of a netdev into a pcap file, as tcpdump and tshark read it.
 *
 * Format: pcap 2.4 with microseconds, LINKTYPE_ETHERNET.  Each queue's frames are written by its own thread: a record
 * is put together first and goes out in one write, under a mutex, so that records are whole. */
#include "vmm/net/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct net_dump {
    struct net_filter filter;
    struct netdev *dev;
    GMutex mutex;
    int fd;
    uint32_t maxlen;
    bool failed;
    uint8_t *record; /* header and frame */
};

enum { FILE_HEADER = 24, RECORD_HEADER = 16 };

static bool write_all(int fd, const uint8_t *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t) n;
    }
    return true;
}

static void dump_frame(struct net_filter *f, struct net *n, bool sent, unsigned hdr, const struct iovec *iov,
                       unsigned niov, size_t len)
{
    struct net_dump *d = container_of(f, struct net_dump, filter);
    int64_t now = g_get_real_time();

    (void) n, (void) sent;
    len -= hdr;
    size_t part = MIN(len, d->maxlen);
    g_mutex_lock(&d->mutex);
    st_le32(d->record, (uint32_t) (now / 1000000));
    st_le32(d->record + 4, (uint32_t) (now % 1000000));
    st_le32(d->record + 8, (uint32_t) part);
    st_le32(d->record + 12, (uint32_t) len);
    iov_copy_out(iov, niov, hdr, d->record + RECORD_HEADER, part);
    if (!d->failed && !write_all(d->fd, d->record, RECORD_HEADER + part)) {
        d->failed = true;
        warn_user("netdev '%s': the capture ends here: %s", d->dev->id, g_strerror(errno));
    }
    g_mutex_unlock(&d->mutex);
}

struct net_dump *net_dump_open(struct vm *vm, const char *netdev, const char *file, uint32_t maxlen, GError **err)
{
    struct netdev *dev = netdev_find(vm, netdev);
    uint8_t head[FILE_HEADER] = { 0 };

    if (!dev) {
        fail(err, "there is no netdev with id '%s'", netdev);
        return NULL;
    }
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    st_le32(head, 0xa1b2c3d4);
    st_le16(head + 4, 2);
    st_le16(head + 6, 4);
    st_le32(head + 16, maxlen);
    st_le32(head + 20, 1); /* Ethernet */
    if (fd < 0 || !write_all(fd, head, sizeof head)) {
        fail(err, "cannot write '%s': %s", file, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct net_dump *d = g_new0(struct net_dump, 1);
    *d = (struct net_dump){ .filter.frame = dump_frame, .dev = dev, .fd = fd, .maxlen = MIN(maxlen, NET_MAX_FRAME) };
    d->record = g_malloc(RECORD_HEADER + d->maxlen);
    g_mutex_init(&d->mutex);
    g_ptr_array_add(dev->filters, &d->filter);
    return d;
}

void net_dump_free(struct net_dump *d)
{
    if (!d)
        return;
    g_ptr_array_remove(d->dev->filters, &d->filter);
    close(d->fd);
    g_mutex_clear(&d->mutex);
    g_free(d->record);
    g_free(d);
}
