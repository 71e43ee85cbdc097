/* vmm/net/checksum.h - Internet checksums (RFC 1071) of frames. */
#ifndef BANTAM_NET_CHECKSUM_H
#define BANTAM_NET_CHECKSUM_H

#include "vmm/base/util.h"

/* The ones' complement sum of data, added to `sum`, folded to 16 bits; not complemented.  Even offsets only. */
uint16_t checksum_add(uint32_t sum, const void *data, size_t len);

/* Do what NET_HDR_NEEDS_CSUM asks for: the sum from `start` to the end (which begins with the pseudo header's, at
 * start + offset) is put at start + offset.  False: these are not inside the frame. */
bool checksum_complete(uint8_t *frame, size_t len, size_t start, size_t offset);

/* The pseudo header of TCP or UDP over IPv4 or IPv6 (`ip` points to its header), len bytes of payload. */
uint16_t checksum_pseudo(const uint8_t *ip, uint8_t proto, size_t len);

#endif
