/* tests/hw/test_smbios.c - SMBIOS tables (DSP0134 2.8) and their place for a boot without
 * firmware. */
#include "hw/pc/smbios.h"
#include "hw/pc/table_loader.h"
#include "tests/hw/bench.h"

#include <glib/gstdio.h>

struct parsed {
    unsigned n, types[256];
    const uint8_t *first[256];
    unsigned largest;
};

static struct parsed parse(const uint8_t *p, size_t len)
{
    struct parsed r = { 0 };
    const uint8_t *end = p + len;

    while (p < end) {
        const uint8_t *s = p;
        g_assert_cmpuint(s[1], >=, 4);
        for (p += s[1]; p[0] || p[1]; p++)
            g_assert_true(p + 1 < end);
        p += 2;
        if (!r.types[s[0]]++)
            r.first[s[0]] = s;
        r.largest = MAX(r.largest, (unsigned) (p - s));
        r.n++;
        if (s[0] == 127)
            break;
    }
    g_assert_true(p == end);
    return r;
}

static const char *str(const uint8_t *s, unsigned field) /* the string that a field names */
{
    const char *p = (const char *) s + s[1];

    g_assert_cmpuint(s[field], >, 0);
    for (unsigned i = 1; i < s[field]; i++)
        p += strlen(p) + 1;
    return p;
}

struct files {
    GByteArray *t, *a;
};

static const uint8_t *find(void *opaque, const char *name, size_t *len)
{
    struct files *f = opaque;
    bool tables = !strcmp(name, SMBIOS_TABLES_FILE), anchor = !strcmp(name, SMBIOS_ANCHOR_FILE);
    GByteArray *a = tables ? f->t : anchor ? f->a : NULL;

    *len = a ? a->len : 0;
    return a ? a->data : NULL;
}

static struct files make(const struct smbios_info *info)
{
    struct files f = { g_byte_array_new(), g_byte_array_new() };
    GError *err = NULL;

    smbios_build(info, f.t, f.a, &err);
    g_assert_no_error(err);
    return f;
}

static void drop(struct files *f)
{
    g_byte_array_unref(f->t);
    g_byte_array_unref(f->a);
}

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t s = 0;

    while (len--)
        s += *p++;
    return s;
}

static const struct smbios_info plain = {
    .sockets = 2, .cores = 4, .threads = 2, .below_4g = 3 * GiB, .above_4g = 15 * GiB,
    .cpuid_eax = 0x806ea, .cpuid_edx = 0x178bfbff,
    .uuid = "00112233-4455-6677-8899-aabbccddeeff", .product = "Standard PC (i440FX + PIIX, 1996)",
    .version = "pc",
};

static void test_plain(void)
{
    struct files f = make(&plain);
    struct parsed p = parse(f.t->data, f.t->len);
    static const unsigned want[] = { [1] = 1, [3] = 1, [4] = 2, [16] = 1, [17] = 2, [19] = 2, [32] = 1,
                                     [127] = 1 };

    for (unsigned i = 0; i < 256; i++)
        g_assert_cmpuint(p.types[i], ==, i < G_N_ELEMENTS(want) ? want[i] : 0);
    g_assert_cmpstr(str(p.first[1], 5), ==, "Standard PC (i440FX + PIIX, 1996)");
    static const uint8_t uuid[] = { 0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa,
                                    0xbb, 0xcc, 0xdd, 0xee, 0xff };
    g_assert_cmpmem(p.first[1] + 8, 16, uuid, 16);
    g_assert_cmpuint(p.first[1][1], ==, 27);
    g_assert_cmpuint(p.first[3][1], ==, 22);
    g_assert_cmpuint(p.first[4][1], ==, 42);
    g_assert_cmphex(ld_le32(p.first[4] + 8), ==, 0x806ea);
    g_assert_cmpuint(p.first[4][0x23], ==, 4);
    g_assert_cmpuint(p.first[4][0x25], ==, 8);
    g_assert_cmpuint(p.first[16][1], ==, 23);
    g_assert_cmpuint(ld_le32(p.first[16] + 7), ==, 18 * MiB); /* in KiB */
    g_assert_cmpuint(p.first[17][1], ==, 40);
    g_assert_cmpuint(ld_le16(p.first[17] + 0x0c), ==, 16384);
    g_assert_cmpuint(p.first[19][1], ==, 31);
    g_assert_cmphex(ld_le32(p.first[19] + 8), ==, 3 * MiB - 1);
    g_assert_cmpuint(p.first[32][1], ==, 11);
    /* the entry point */
    g_assert_cmpuint(f.a->len, ==, 31);
    g_assert_cmpuint(ld_le16(f.a->data + 8), ==, p.largest);
    g_assert_cmpuint(ld_le16(f.a->data + 22), ==, f.t->len);
    g_assert_cmpuint(ld_le16(f.a->data + 28), ==, p.n);

    struct bench *b = bench_new(4 * MiB);
    struct table_space sp = { .ram = &b->vm->ram, .high = 4 * MiB, .fseg = 0xf0123 };
    g_assert_true(table_loader_run(&sp, find, &f, NULL));
    g_assert_cmphex(sp.smbios, ==, 0xf0130);
    const uint8_t *e = ram_at(b, sp.smbios);
    g_assert_cmpint(sum(e, 31), ==, 0);
    g_assert_cmpint(sum(e + 16, 15), ==, 0);
    g_assert_cmpmem(ram_at(b, ld_le32(e + 24)), f.t->len, f.t->data, f.t->len);
    bench_free(b);
    drop(&f);
}

static void test_options(void)
{
    struct pc_smbios opt = { .type0 = { "V", "1", "02/03/2004", "7.9" },
                             .type1 = { "Man", "Prod", "", "S/N" },
                             .type2 = { "B" }, .type4 = { "Sock" }, .oem_strings = g_ptr_array_new() };
    struct smbios_info info = plain;

    g_ptr_array_add(opt.oem_strings, (gpointer) "one");
    g_ptr_array_add(opt.oem_strings, (gpointer) "two");
    info.opt = &opt;
    struct files f = make(&info);
    struct parsed p = parse(f.t->data, f.t->len);
    g_assert_cmpstr(str(p.first[0], 4), ==, "V");
    g_assert_cmpuint(p.first[0][0x14], ==, 7);
    g_assert_cmpuint(p.first[0][0x15], ==, 9);
    g_assert_cmpstr(str(p.first[1], 4), ==, "Man");
    g_assert_cmpuint(p.first[1][6], ==, 0); /* an empty one is none */
    g_assert_cmpstr(str(p.first[1], 7), ==, "S/N");
    g_assert_cmpstr(str(p.first[2], 4), ==, "B");
    g_assert_cmpuint(p.first[11][4], ==, 2);
    drop(&f);
    opt.type1[4] = (char *) "not-a-uuid";
    f = (struct files){ g_byte_array_new(), g_byte_array_new() };
    GError *err = NULL;
    g_assert_false(smbios_build(&info, f.t, f.a, &err));
    g_assert_nonnull(strstr(err->message, "not-a-uuid"));
    g_clear_error(&err);
    drop(&f);
    g_ptr_array_free(opt.oem_strings, TRUE);
    uint8_t u[16];
    g_assert_false(smbios_parse_uuid("00112233-4455-6677-8899-aabbccddeef", u));
    g_assert_false(smbios_parse_uuid("00112233x4455-6677-8899-aabbccddeeff", u));
    g_assert_true(smbios_parse_uuid("00112233-4455-6677-8899-AABBCCDDEEFF", u) && u[15] == 0xff);
}

static bool with_file(const char *data, size_t len, struct files *f)
{
    struct pc_smbios opt = { .files = g_ptr_array_new() };
    struct smbios_info info = plain;
    char *name = NULL;
    GError *err = NULL;

    g_close(g_file_open_tmp("bantam-smbios-XXXXXX", &name, NULL), NULL);
    g_assert_true(g_file_set_contents(name, data, (gssize) len, NULL));
    g_ptr_array_add(opt.files, name);
    info.opt = &opt;
    *f = (struct files){ g_byte_array_new(), g_byte_array_new() };
    bool ok = smbios_build(&info, f->t, f->a, &err);
    g_assert_true(ok == !err);
    g_clear_error(&err);
    g_unlink(name);
    g_free(name);
    g_ptr_array_free(opt.files, TRUE);
    return ok;
}

static void test_files(void)
{
    static const char type1[] = "\x01\x08\x55\xaa" "abcd" "x\0\0",
        two[] = "\xdd\x04\0\0\0\0\xde\x05\0\0\1s\0";
    struct files f;

    g_assert_true(with_file(type1, sizeof type1 - 1, &f));
    struct parsed p = parse(f.t->data, f.t->len);
    g_assert_cmpuint(p.types[1], ==, 1); /* instead of ours */
    g_assert_cmpuint(ld_le16(p.first[1] + 2), ==, 0xaa55);
    drop(&f);
    g_assert_true(with_file(two, sizeof two, &f));
    p = parse(f.t->data, f.t->len);
    g_assert_cmpuint(p.types[0xdd] + p.types[0xde], ==, 2);
    drop(&f);
    for (size_t n = 0; n < sizeof type1 - 1; n++) { /* every truncation is refused */
        g_assert_false(with_file(type1, n, &f));
        drop(&f);
    }
    g_assert_false(with_file("\x01\x03\0\0\0\0", 6, &f));
    drop(&f);
    g_assert_false(with_file("\x01\xff\0\0\0\0", 6, &f));
    drop(&f);
}

static void test_sizes(void)
{
    struct smbios_info info = plain;

    info.sockets = 255;
    info.above_4g = 12ULL << 40;
    info.type0 = true;
    struct files f = make(&info);
    struct parsed p = parse(f.t->data, f.t->len);
    g_assert_cmpuint(p.types[17], ==, 256);
    g_assert_cmphex(ld_le32(p.first[16] + 7), ==, 0x80000000);
    g_assert_cmpuint(ld_le64(p.first[16] + 15), ==, (12ULL << 40) + 3 * GiB);
    drop(&f);
    info.sockets = 1;
    info.below_4g = 640 * KiB;
    info.above_4g = 0;
    f = make(&info);
    p = parse(f.t->data, f.t->len);
    g_assert_cmphex(ld_le16(p.first[17] + 0x0c), ==, 0x8000 | 640);
    drop(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smbios/plain", test_plain);
    g_test_add_func("/smbios/options", test_options);
    g_test_add_func("/smbios/files", test_files);
    g_test_add_func("/smbios/sizes", test_sizes);
    return g_test_run();
}
