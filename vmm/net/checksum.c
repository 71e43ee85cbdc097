/* vmm/net/checksum.c - Internet checksums (RFC 1071). */
#include "vmm/net/checksum.h"

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) sum;
}

/* The sum of 16-bit words in any byte order is the same but for the order of its bytes, and 32-bit words add up to it,
 * too: so whole words in the host's order, a loop that compilers make vectors of. */
uint16_t checksum_add(uint32_t sum, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t acc = 0;
    uint32_t w;
    uint8_t tail[4] = { 0 };

    for (; len >= 64; len -= 64, p += 64) {
        uint64_t part = 0;
        for (unsigned i = 0; i < 64; i += 4) {
            memcpy(&w, p + i, 4);
            part += w;
        }
        acc += part;
    }
    for (; len >= 4; len -= 4, p += 4) {
        memcpy(&w, p, 4);
        acc += w;
    }
    memcpy(tail, p, len);
    memcpy(&w, tail, 4);
    acc += w;
    return fold((uint64_t) sum + GUINT16_FROM_BE(fold(acc)));
}

bool checksum_complete(uint8_t *frame, size_t len, size_t start, size_t offset)
{
    if (start > len || offset + 2 > len - start)
        return false;
    uint16_t sum = (uint16_t) ~checksum_add(0, frame + start, len - start);
    st_be16(frame + start + offset, sum ? sum : 0xffff); /* 0 is "none" to UDP, and the same to TCP */
    return true;
}

uint16_t checksum_pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
    uint32_t sum = proto + (uint32_t) (len & 0xffff) + (uint32_t) (len >> 16);

    return ip[0] >> 4 == 6 ? checksum_add(sum, ip + 8, 32) : checksum_add(sum, ip + 12, 8);
}
