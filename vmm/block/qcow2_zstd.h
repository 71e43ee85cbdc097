/* vmm/block/qcow2_zstd.h - the module "zstd": its symbol bantam_zstd. */
#ifndef BANTAM_BLOCK_QCOW2_ZSTD_H
#define BANTAM_BLOCK_QCOW2_ZSTD_H

#include <stddef.h>
#include <stdint.h>

struct zstd_module {
    int (*unpack)(const uint8_t *src, size_t src_len, uint8_t *dst, size_t dst_len); /* fills dst; any thread */
};

extern const struct zstd_module bantam_zstd;

#endif
