/* tests/unit/test_boot.c - kernel loaders: good images end where they should, damaged ones are refused in one line. */
#include "vmm/base/error.h"
#include "vmm/boot/boot.h"

#include <glib/gstdio.h>
#include <stdlib.h>

static struct ram ram;
static char *dir;

static const struct e820_entry map[] = { { 0, 0x9fc00, E820_RAM }, { 0x100000, 31 * MiB, E820_RAM } };
static const struct boot_facts facts = { map, 2, 0xf1230, true };

static char *put(const char *name, const void *data, size_t len)
{
    char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, data, (gssize) len, NULL));
    return path;
}

static uint8_t *at(uint64_t gpa)
{
    return ram_ptr(&ram, gpa, 1);
}

/* Load and place; NULL or the error's text. */
static char *try_boot(const char *kernel, const char *initrd, const char *append, struct boot_cpu_state *cpu)
{
    struct boot_config cfg = { kernel, initrd, append, 32 * MiB - 64 * KiB };
    GError *err = NULL;
    struct boot_image *img = boot_load(&ram, &cfg, &err);

    memset(ram.block.host, 0xee, ram.block.size);
    if (img && boot_place(img, &ram, &facts, cpu, &err)) {
        boot_free(img);
        return NULL;
    }
    boot_free(img);
    g_assert_nonnull(err);
    g_assert_null(strchr(err->message, '\n'));
    char *text = g_strdup(err->message);
    g_error_free(err);
    return text;
}

static void refused(const char *kernel, const char *initrd, const char *want)
{
    struct boot_cpu_state cpu;
    char *got = try_boot(kernel, initrd, NULL, &cpu);

    if (!got || !strstr(got, want))
        g_error("wanted '%s', got '%s'", want, got);
    g_free(got);
}

/* --- ELF ----------------------------------------------------------------------------------------- */

struct elf {
    uint8_t b[0x2000];
};

static void elf64(struct elf *e, uint64_t entry)
{
    uint8_t *p = e->b;

    memset(p, 0, sizeof e->b);
    memcpy(p, "\177ELF\2\1\1", 7);
    st_le16(p + 16, 2);
    st_le16(p + 18, 62);
    st_le64(p + 24, entry);
    st_le64(p + 32, 64);
    st_le16(p + 54, 56);
    st_le16(p + 56, 2);
    uint8_t *load = p + 64, *note = p + 64 + 56;
    st_le32(load, 1);
    st_le64(load + 8, 0x1000);
    st_le64(load + 24, 0x200000);
    st_le64(load + 32, 0x800);
    st_le64(load + 40, 0x3000);
    st_le32(note, 4);
    st_le64(note + 8, 0x1800);
    st_le64(note + 32, 20);
    memset(p + 0x1000, 0x5a, 0x800);
    uint8_t *n = p + 0x1800;
    st_le32(n, 4);
    st_le32(n + 4, 4);
    st_le32(n + 8, 18);
    memcpy(n + 12, "Xen", 4);
    st_le32(n + 16, 0x200040);
}

static void test_pvh(void)
{
    struct elf e;
    struct boot_cpu_state cpu;

    elf64(&e, 0x200000);
    char *k = put("pvh", e.b, sizeof e.b), *i = put("initrd", "INITRD", 6);
    g_assert_null(try_boot(k, i, "console=x", &cpu));
    g_assert_cmpint(cpu.mode, ==, CPU_PROT32);
    g_assert_cmphex(cpu.rip, ==, 0x200040);
    uint8_t *info = at(cpu.rbx);
    g_assert_cmphex(ld_le32(info), ==, 0x336ec578);
    g_assert_cmpstr((char *) at(ld_le64(info + 24)), ==, "console=x");
    g_assert_cmphex(ld_le64(info + 32), ==, 0xf1230);
    g_assert_cmpuint(ld_le32(info + 48), ==, 2);
    g_assert_cmphex(ld_le64(at(ld_le64(info + 40)) + 24), ==, 0x100000);
    uint8_t *mod = at(ld_le64(info + 16));
    g_assert_cmpmem(at(ld_le64(mod)), 6, "INITRD", 6);
    g_assert_cmpuint(ld_le64(mod + 8), ==, 6);
    g_assert_cmphex(*at(0x2007ff), ==, 0x5a);
    g_assert_cmphex(*at(0x200800), ==, 0); /* bss */
    g_assert_cmphex(*at(0x202fff), ==, 0);
    g_assert_cmphex(*at(0x203000), ==, 0xee);

    /* a Linux one is entered by its own entry, in long mode */
    memcpy(e.b + 0x1814, "\4\0\0\0\5\0\0\0\6\0\0\0Xen\0linux\0\0\0", 24);
    st_le64(e.b + 64 + 56 + 32, 44);
    char *l = put("vmlinux", e.b, sizeof e.b);
    g_assert_null(try_boot(l, i, "quiet", &cpu));
    g_assert_cmpint(cpu.mode, ==, CPU_LONG64);
    g_assert_cmphex(cpu.rip, ==, 0x200000);
    uint8_t *zp = at(cpu.rsi);
    g_assert_cmpmem(zp + 0x202, 4, "HdrS", 4);
    g_assert_cmpstr((char *) at(ld_le32(zp + 0x228)), ==, "quiet");
    g_assert_cmpuint(zp[0x1e8], ==, 2);
    g_assert_cmphex(ld_le64(zp + 0x70), ==, 0xf1230);
    g_assert_cmpuint(zp[7], ==, 80); /* screen_info */
    uint64_t pml4 = ld_le64(at(cpu.cr3)) & ~0xfffULL, pd3 = ld_le64(at(pml4) + 24) & ~0xfffULL;
    g_assert_cmphex(ld_le64(at(pd3) + 8 * 511), ==, 0xffe00083); /* 4 GiB - 2 MiB, one to one */
    g_free(k);
    g_free(l);
    g_free(i);
}

static void test_bad_elf(void)
{
    static const struct {
        unsigned off, size;
        uint64_t val;
        const char *want;
    } bad[] = {
        { 18, 2, 40, "another processor" },
        { 16, 2, 1, "can't be run" },
        { 4, 1, 3, "damaged" },
        { 56, 2, 0, "program headers" },
        { 56, 2, 65535, "program headers" },
        { 54, 2, 8, "program headers" },
        { 32, 8, 0x1ff0, "program headers" },
        { 32, 8, UINT64_MAX - 8, "program headers" },
        { 64 + 8, 8, 0x1fff, "cut short" },
        { 64 + 8, 8, UINT64_MAX - 0x100, "cut short" },
        { 64 + 32, 8, 0x4000, "larger in the file" },
        { 64 + 40, 8, UINT64_MAX, "not free" },
        { 64 + 24, 8, UINT64_MAX - 0xfff, "not free" },
        { 64 + 24, 8, 0x100, "not free" },          /* over the stub's tables */
        { 64 + 24, 8, 0xa0000, "where the PC has none" },
        { 64 + 24, 8, 32 * MiB - 0x2000, "not free" },
        { 0x1810, 4, 0xfffffff0, "entry point" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct elf e;
        elf64(&e, 0x200000);
        st_le(e.b + bad[i].off, bad[i].val, bad[i].size);
        char *k = put("bad", e.b, sizeof e.b);
        refused(k, NULL, bad[i].want);
        g_free(k);
    }
    struct elf e;
    elf64(&e, 0x200000);
    for (unsigned n = 1; n < sizeof e.b; n += 61) { /* cut anywhere: an error or a kernel, never a crash */
        struct boot_cpu_state cpu;
        char *k = put("cut", e.b, n);
        g_free(try_boot(k, NULL, NULL, &cpu));
        g_free(k);
    }
}

/* --- bzImage ------------------------------------------------------------------------------------- */

static void bzimage(uint8_t *p, size_t len)
{
    memset(p, 0xcc, len);
    memset(p, 0, 0x280);
    p[0x1f1] = 1;
    st_le16(p + 0x1fe, 0xaa55);
    p[0x201] = 0x6a;
    memcpy(p + 0x202, "HdrS", 4);
    st_le16(p + 0x206, 0x20f);
    p[0x211] = 1;
    st_le32(p + 0x22c, 0x7fffffff);
    st_le32(p + 0x230, 0x200000);
    p[0x234] = 1;
    st_le16(p + 0x236, 1);
    st_le32(p + 0x238, 2047);
    st_le64(p + 0x258, 0x1000000);
    st_le32(p + 0x260, 0x100000);
}

static void test_bzimage(void)
{
    uint8_t img[8192];
    struct boot_cpu_state cpu;

    bzimage(img, sizeof img);
    char *k = put("bz", img, sizeof img), *i = put("initrd", "INITRD", 6);
    g_assert_null(try_boot(k, i, "a b", &cpu));
    g_assert_cmpint(cpu.mode, ==, CPU_LONG64);
    g_assert_cmphex(cpu.rip, ==, 0x1000200);
    g_assert_cmphex(*at(0x1000000), ==, 0xcc);
    uint8_t *zp = at(cpu.rsi);
    g_assert_cmphex(zp[0x210], ==, 0xff);
    g_assert_cmphex(ld_le64(zp + 0x258), ==, 0x1000000);
    g_assert_cmpmem(at(ld_le32(zp + 0x218)), 6, "INITRD", 6);
    img[0x236] = 0; /* no 64-bit entry */
    g_free(put("bz", img, sizeof img));
    g_assert_null(try_boot(k, NULL, NULL, &cpu));
    g_assert_cmpint(cpu.mode, ==, CPU_PROT32);
    g_assert_cmphex(cpu.rip, ==, 0x1000000);

    struct boot_config cfg = { k, i, "hello", 31 * MiB };
    struct boot_legacy l;
    g_assert_true(boot_legacy_load(&ram, &cfg, &l, NULL));
    g_assert_cmpuint(l.setup->len, ==, 1024);
    g_assert_cmpuint(l.kernel->len, ==, sizeof img - 1024);
    g_assert_cmphex(ld_le32(l.setup->data + 0x228), ==, 0x20000);
    g_assert_cmphex(ld_le32(l.setup->data + 0x218), ==, l.initrd_addr);
    boot_legacy_free(&l);

    GString *longer = g_string_new(NULL);
    for (int n = 0; n < 3000; n++)
        g_string_append_c(longer, 'x');
    char *text = try_boot(k, NULL, longer->str, &cpu);
    g_assert_nonnull(strstr(text, "this kernel takes 2047"));
    g_free(text);
    g_string_free(longer, TRUE);

    uint8_t *huge = g_malloc0(40 * MiB);
    char *h = put("huge", huge, 40 * MiB);
    refused(k, h, "does not fit into memory behind the kernel");
    g_free(huge);
    bzimage(img, sizeof img);
    st_le16(img + 0x206, 0x201);
    g_free(put("bz", img, sizeof img));
    refused(k, NULL, "old boot protocol (2.01)");
    bzimage(img, sizeof img);
    img[0x1f1] = 255;
    g_free(put("bz", img, sizeof img));
    refused(k, NULL, "cut short");
    bzimage(img, sizeof img);
    st_le32(img + 0x260, 0xffffffff);
    g_free(put("bz", img, sizeof img));
    refused(k, NULL, "use a larger -m");
    g_free(k);
    g_free(i);
    g_free(h);
}

/* --- Multiboot ------------------------------------------------------------------------------------ */

static void multiboot(uint8_t *p, size_t len, uint32_t flags)
{
    memset(p, 0x90, len);
    st_le32(p + 64, 0x1badb002);
    st_le32(p + 68, flags);
    st_le32(p + 72, 0U - 0x1badb002U - flags);
    st_le32(p + 76, 0x100040); /* header_addr */
    st_le32(p + 80, 0x100000);
    st_le32(p + 84, 0x100000 + (uint32_t) len);
    st_le32(p + 88, 0x104000);
    st_le32(p + 92, 0x100010);
}

static void test_multiboot(void)
{
    uint8_t img[4096];
    struct boot_cpu_state cpu;

    multiboot(img, sizeof img, 0x10003);
    char *k = put("mb", img, sizeof img), *m1 = put("mod1", "one", 3), *m2 = put("mod,2", "two!", 4);
    char *mods = g_strdup_printf("%s some args,%s/mod,,2", m1, dir);
    g_assert_null(try_boot(k, mods, "opt=1", &cpu));
    g_assert_cmpint(cpu.mode, ==, CPU_PROT32);
    g_assert_cmphex(cpu.rip, ==, 0x100010);
    g_assert_cmphex(cpu.rax, ==, 0x2badb002);
    uint8_t *info = at(cpu.rbx);
    g_assert_cmpuint(ld_le32(info + 20), ==, 2);
    uint8_t *mod = at(ld_le32(info + 24));
    g_assert_cmpmem(at(ld_le32(mod)), ld_le32(mod + 4) - ld_le32(mod), "one", 3);
    g_assert_true(g_str_has_suffix((char *) at(ld_le32(mod + 8)), "mod1 some args"));
    g_assert_cmpmem(at(ld_le32(mod + 16)), ld_le32(mod + 20) - ld_le32(mod + 16), "two!", 4);
    g_assert_true(g_str_has_suffix((char *) at(ld_le32(info + 16)), "mb opt=1"));
    g_assert_cmphex(*at(0x103fff), ==, 0);
    g_assert_cmpuint(ld_le32(info + 44), ==, 48);

    multiboot(img, sizeof img, 0x10020);
    g_free(put("mb", img, sizeof img));
    refused(k, NULL, "not known");
    multiboot(img, sizeof img, 0x10000);
    st_le32(img + 80, 0xfffffff0); /* load address above the header's: wraps, 2017-14167 */
    g_free(put("mb", img, sizeof img));
    refused(k, NULL, "make no sense");
    multiboot(img, sizeof img, 0x10000);
    st_le32(img + 88, 0xffffffff);
    g_free(put("mb", img, sizeof img));
    refused(k, NULL, "not free");
    multiboot(img, sizeof img, 3); /* no addresses, no ELF */
    g_free(put("mb", img, sizeof img));
    refused(k, NULL, "gives no addresses");
    g_free(k);
    g_free(m1);
    g_free(m2);
    g_free(mods);
}

static void test_files(void)
{
    char *k = put("text", "this is no kernel at all", 24), *empty = put("empty", "", 0);

    refused(k, NULL, "is no kernel that can be loaded");
    refused(empty, NULL, "is empty");
    refused(dir, NULL, "is a directory");
    refused("/nonexistent/kernel", NULL, "No such file or directory");
    uint8_t img[4096];
    multiboot(img, sizeof img, 0x10000);
    char *m = put("mb", img, sizeof img);
    refused(m, "/nonexistent/initrd", "-initrd: cannot open");
    g_free(k);
    g_free(m);
    g_free(empty);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("bantam-boot-XXXXXX", NULL);
    g_assert_true(ram_block_alloc(&ram.block, "ram", 32 * MiB, NULL, NULL));
    ram.below_4g = 32 * MiB;
    g_test_add_func("/boot/pvh", test_pvh);
    g_test_add_func("/boot/bad-elf", test_bad_elf);
    g_test_add_func("/boot/bzimage", test_bzimage);
    g_test_add_func("/boot/multiboot", test_multiboot);
    g_test_add_func("/boot/files", test_files);
    int st = g_test_run();
    char *argv_rm[] = { "rm", "-rf", dir, NULL };
    g_spawn_sync(NULL, argv_rm, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    ram_block_free(&ram.block);
    g_free(dir);
    return st;
}
