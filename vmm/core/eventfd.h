/* vmm/core/eventfd.h - eventfds: a notification that KVM, another thread or an event loop gives or takes. */
#ifndef BANTAM_CORE_EVENTFD_H
#define BANTAM_CORE_EVENTFD_H

#include <glib.h>
#include <stdbool.h>

int event_new(GError **err);    /* a non-blocking eventfd, or -1 */
void event_close(int *fd);      /* -1 is fine; leaves -1 */
void event_signal(int fd);      /* any thread */
bool event_take(int fd);        /* was it signalled since it was last taken? */
bool event_pending(int fd);     /* the same, and it stays so */

#endif
