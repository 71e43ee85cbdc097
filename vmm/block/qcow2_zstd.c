/* vmm/block/qcow2_zstd.c - module: compressed clusters by libzstd. */
#include "vmm/block/qcow2_zstd.h"

#include <errno.h>
#include <zstd.h>

/* Exactly a cluster must come out; what would come behind it is left. */
static int unpack(const uint8_t *src, size_t src_len, uint8_t *dst, size_t dst_len)
{
    ZSTD_DCtx *d = ZSTD_createDCtx();
    ZSTD_inBuffer in = { src, src_len, 0 };
    ZSTD_outBuffer out = { dst, dst_len, 0 };
    int err = 0;

    if (!d)
        return ENOMEM;
    while (out.pos < out.size && !err) {
        size_t before = in.pos + out.pos, r = ZSTD_decompressStream(d, &out, &in);
        if (ZSTD_isError(r) || in.pos + out.pos == before)
            err = EIO;
    }
    ZSTD_freeDCtx(d);
    return err;
}

const struct zstd_module bantam_zstd = { unpack };
