/* tests/unit/test_zstd.c - the module zstd: qcow2 images compressed by it. */
#include "tests/unit/qcow_compressed.h"

#include <sys/wait.h>

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!have_tools())
        return 0;
#define ADD(path, data) g_test_add("/zstd/" path, struct fix, data, setup, test_compressed, teardown)
    ADD("64k", "compression_type=zstd");
    ADD("4k", "compression_type=zstd,cluster_size=4k");
    ADD("2M", "compression_type=zstd,cluster_size=2M");
    return g_test_run();
}
