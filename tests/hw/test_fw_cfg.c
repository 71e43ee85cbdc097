/* tests/hw/test_fw_cfg.c - the firmware configuration device, from its specification. */
#include "hw/catalog.h"
#include "hw/pc/fw_cfg.h"
#include "tests/hw/bench.h"

static void read_item(struct bench *b, unsigned key, void *buf, size_t len)
{
    outw(b, 0x510, (uint16_t) key);
    for (size_t i = 0; i < len; i++)
        ((uint8_t *) buf)[i] = inb(b, 0x511);
}

static void test_ports(void)
{
    struct bench *b = bench_new(1 * MiB);
    struct device *fw = bench_add(b, &fw_cfg_class, NULL);
    uint8_t buf[16];

    read_item(b, FW_CFG_SIGNATURE, buf, 6);
    g_assert_cmpmem(buf, 6, "QEMU\0\0", 6); /* zeros past the end */
    read_item(b, FW_CFG_ID, buf, 4);
    g_assert_cmphex(ld_le32(buf), ==, 3);
    fw_cfg_add_int(fw, FW_CFG_NB_CPUS, 7, 2);
    read_item(b, FW_CFG_NB_CPUS, buf, 2);
    g_assert_cmphex(ld_le16(buf), ==, 7);
    read_item(b, 0x7fff, buf, 4); /* absent */
    g_assert_cmphex(ld_le32(buf), ==, 0);
    outb(b, 0x511, 0xff); /* data is read-only through the port: 2016-1714 */
    read_item(b, FW_CFG_SIGNATURE, buf, 4);
    g_assert_cmpmem(buf, 4, "QEMU", 4);
    g_assert_cmphex(inl(b, 0x514), ==, 0x554d4551);
    g_assert_cmphex(inl(b, 0x518), ==, 0x47464320);
    bench_free(b);
}

static uint32_t dma(struct bench *b, uint32_t control, uint32_t len, uint64_t addr)
{
    uint8_t *d = ram_at(b, 0x1000);

    st_be32(d, control);
    st_be32(d + 4, len);
    st_be64(d + 8, addr);
    outl(b, 0x514, 0);
    outl(b, 0x518, GUINT32_SWAP_LE_BE(0x1000));
    return ld_be32(d);
}

static void test_files(void)
{
    struct bench *b = bench_new(1 * MiB);
    struct device *fw = bench_add(b, &fw_cfg_class, NULL);
    char name[80];

    g_assert_true(fw_cfg_add_file(fw, "etc/b", "bbbb", 4));
    g_assert_true(fw_cfg_add_file(fw, "etc/a", "aaa", 3));
    g_assert_true(fw_cfg_add_file(fw, "etc/b", "BB", 2)); /* replaces */
    g_assert_cmphex(dma(b, FW_CFG_FILE_DIR << 16 | 8 | 2, 4 + 2 * 64, 0x2000), ==, 0);
    uint8_t *dir = ram_at(b, 0x2000);
    g_assert_cmpuint(ld_be32(dir), ==, 2);
    g_assert_cmpstr((char *) dir + 4 + 8, ==, "etc/a");
    g_assert_cmpuint(ld_be32(dir + 4), ==, 3);
    g_assert_cmpstr((char *) dir + 4 + 64 + 8, ==, "etc/b");
    g_assert_cmpuint(ld_be32(dir + 4 + 64), ==, 2);
    unsigned key = ld_be16(dir + 4 + 64 + 4);
    memset(ram_at(b, 0x3000), 0xee, 16);
    g_assert_cmphex(dma(b, key << 16 | 8 | 2, 5, 0x3000), ==, 0);
    g_assert_cmpmem(ram_at(b, 0x3000), 6, "BB\0\0\0\xee", 6);
    g_assert_cmphex(dma(b, (key - 1) << 16 | 8 | 4, 2, 0), ==, 0); /* skip two bytes */
    g_assert_cmphex(dma(b, 2, 1, 0x3000), ==, 0);
    g_assert_cmphex(*ram_at(b, 0x3000), ==, 'a');

    memset(name, 'x', sizeof name);
    name[56] = 0;
    g_assert_false(fw_cfg_add_file(fw, name, "", 0)); /* too long */
    for (int i = 0; i < 200; i++) {
        g_snprintf(name, sizeof name, "f%03d", i);
        fw_cfg_add_file(fw, name, "", 0);
    }
    g_assert_false(fw_cfg_add_file(fw, "one more", "", 0));
    bench_free(b);
}

static void test_bad_dma(void)
{
    struct bench *b = bench_new(1 * MiB);
    bench_add(b, &fw_cfg_class, NULL);

    g_assert_cmphex(dma(b, 8 | 2, 0xffffffff, 0x2000), ==, 1);             /* far beyond RAM: stops there */
    g_assert_cmphex(dma(b, 8 | 2, 16, UINT64_MAX - 4), ==, 1);             /* wraps */
    g_assert_cmphex(dma(b, 8 | 16, 4, 0x2000), ==, 1);                     /* nothing is writable */
    g_assert_cmphex(dma(b, 0xffffU << 16 | 8 | 4, 0xffffffff, 0), ==, 0);  /* skip in an absent item */
    outl(b, 0x514, 0xffffffff);                                            /* a descriptor outside RAM */
    outl(b, 0x518, 0xffffffff);
    g_assert_cmphex(dma(b, 8 | 2, 4, 0x2000), ==, 0);
    g_assert_cmpmem(ram_at(b, 0x2000), 4, "QEMU", 4);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fw_cfg/ports", test_ports);
    g_test_add_func("/fw_cfg/files", test_files);
    g_test_add_func("/fw_cfg/bad-dma", test_bad_dma);
    return g_test_run();
}
