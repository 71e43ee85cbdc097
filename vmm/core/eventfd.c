/* vmm/core/eventfd.c - eventfds. */
#include "vmm/core/eventfd.h"
#include "vmm/base/error.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int event_new(GError **err)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        fail(err, "cannot make an eventfd: %s", g_strerror(errno));
    return fd;
}

void event_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void event_signal(int fd)
{
    uint64_t one = 1;

    /* Refused only when the count is at its limit: then it is signalled already. */
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

bool event_take(int fd)
{
    uint64_t n;
    ssize_t r;

    while ((r = read(fd, &n, sizeof n)) < 0 && errno == EINTR)
        ;
    return r == (ssize_t) sizeof n;
}

bool event_pending(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}
