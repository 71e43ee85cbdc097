/* tests/hw/test_net_dump.c - what a capture of filter-dump holds. */
#include "tests/hw/bench.h"
#include "vmm/net/netdev.h"

#include <unistd.h>

static void test_dump(void)
{
    struct bench *b = bench_new(0);
    struct fake_net *f = bench_net(b, "n", 1, NET_CSUM);
    char *path = g_strdup_printf("%s/dump-%d.pcap", g_get_tmp_dir(), getpid()), *data;
    GError *err = NULL;
    gsize len;

    g_assert_null(net_dump_open(b->vm, "x", path, 100, &err));
    g_clear_error(&err);
    g_assert_null(net_dump_open(b->vm, "n", "/nowhere/x", 100, &err));
    g_clear_error(&err);
    struct net_dump *d = net_dump_open(b->vm, "n", path, 100, &err);
    g_assert_no_error(err);
    struct net_filter *filter = f->dev.filters->pdata[0];
    uint8_t frame[12 + 300];
    for (unsigned i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t) i;
    filter->frame(filter, &f->q[0].net, true, 12, (struct iovec[]){ { frame, 50 }, { frame + 50, 262 } }, 2, 312);
    filter->frame(filter, &f->q[0].net, false, 0, &(struct iovec){ frame, 60 }, 1, 60);
    net_dump_free(d);
    g_assert_cmpuint(f->dev.filters->len, ==, 0);
    g_assert_true(g_file_get_contents(path, &data, &len, NULL));
    g_assert_cmpuint(len, ==, 24 + 16 + 100 + 16 + 60);
    g_assert_cmphex(ld_le32(data), ==, 0xa1b2c3d4);
    g_assert_cmpuint(ld_le32(data + 16), ==, 100);
    g_assert_cmpuint(ld_le32(data + 20), ==, 1);
    g_assert_cmpuint(ld_le32(data + 24 + 8), ==, 100);
    g_assert_cmpuint(ld_le32(data + 24 + 12), ==, 300);
    g_assert_cmpmem(data + 40, 100, frame + 12, 100);
    g_assert_cmpmem(data + 156, 60, frame, 60);
    g_free(data);
    unlink(path);
    g_free(path);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/dump", test_dump);
    return g_test_run();
}
