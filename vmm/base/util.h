/* vmm/base/util.h - small helpers that know nothing of machines.
 *
 * Units: sizes are bytes, times are nanoseconds (int64_t or uint64_t), unless a name says otherwise. */
#ifndef BANTAM_BASE_UTIL_H
#define BANTAM_BASE_UTIL_H

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NS_PER_SEC 1000000000LL
#define NS_PER_MS  1000000LL
#define NS_PER_US  1000LL

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)

#define BIT(n) (1U << (n))
#define BIT64(n) (1ULL << (n))

#define container_of(ptr, type, member) ((type *) ((char *) (ptr) - offsetof(type, member)))

#define ROUND_DOWN(x, a) ((x) / (a) * (a))
#define ROUND_UP(x, a) ROUND_DOWN((x) + (a) - 1, (a))

/* Unaligned little-endian and big-endian access.  `size` is 1, 2, 4 or 8. */
static inline uint16_t ld_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return GUINT16_FROM_LE(v);
}
static inline uint32_t ld_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return GUINT32_FROM_LE(v);
}
static inline uint64_t ld_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return GUINT64_FROM_LE(v);
}
static inline uint16_t ld_be16(const void *p)
{
    return GUINT16_SWAP_LE_BE(ld_le16(p));
}
static inline uint32_t ld_be32(const void *p)
{
    return GUINT32_SWAP_LE_BE(ld_le32(p));
}
static inline uint64_t ld_be64(const void *p)
{
    return GUINT64_SWAP_LE_BE(ld_le64(p));
}
static inline void st_le16(void *p, uint16_t v)
{
    v = GUINT16_TO_LE(v);
    memcpy(p, &v, sizeof v);
}
static inline void st_le32(void *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    memcpy(p, &v, sizeof v);
}
static inline void st_le64(void *p, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    memcpy(p, &v, sizeof v);
}
static inline void st_be16(void *p, uint16_t v)
{
    st_le16(p, GUINT16_SWAP_LE_BE(v));
}
static inline void st_be32(void *p, uint32_t v)
{
    st_le32(p, GUINT32_SWAP_LE_BE(v));
}
static inline void st_be64(void *p, uint64_t v)
{
    st_le64(p, GUINT64_SWAP_LE_BE(v));
}

static inline uint64_t ld_le(const void *p, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, p, size);
    return GUINT64_FROM_LE(v);
}
static inline void st_le(void *p, uint64_t v, unsigned size)
{
    v = GUINT64_TO_LE(v);
    memcpy(p, &v, size);
}

/* All ones in the low `size` bytes (1..8). */
static inline uint64_t mask_bytes(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ULL << (size * 8)) - 1;
}

/* Does [off, off+len) lie inside [0, size)?  Never overflows. */
static inline bool range_fits(uint64_t off, uint64_t len, uint64_t size)
{
    return len <= size && off <= size - len;
}

#endif
