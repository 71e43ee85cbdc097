/* tests/hw/test_acpi.c - ACPI tables, the table loader's script, AML (ACPI 6.3, chapters 5, 6 and
 * 20). */
#include "hw/pc/acpi.h"
#include "hw/pc/aml.h"
#include "hw/pc/table_loader.h"
#include "tests/hw/bench.h"

#include <glib/gstdio.h>

struct files {
    GByteArray *tables, *rsdp, *loader;
};

static struct files make(const struct acpi_info *info)
{
    struct files f = { g_byte_array_new(), g_byte_array_new(), g_byte_array_new() };

    acpi_build(info, f.tables, f.rsdp, f.loader);
    return f;
}

static void drop(struct files *f)
{
    g_byte_array_unref(f->tables);
    g_byte_array_unref(f->rsdp);
    g_byte_array_unref(f->loader);
}

static const uint8_t *find(void *opaque, const char *name, size_t *len)
{
    struct files *f = opaque;
    GByteArray *a = !strcmp(name, ACPI_TABLES_FILE) ? f->tables : !strcmp(name, ACPI_RSDP_FILE) ? f->rsdp
                    : !strcmp(name, ACPI_LOADER_FILE) ? f->loader : NULL;

    *len = a ? a->len : 0;
    return a ? a->data : NULL;
}

static const uint32_t apic_ids[] = { 0, 1, 2, 3, 254, 255, 300 };
static const struct acpi_info big = {
    .cpus = 7, .apic_ids = apic_ids, .irq0_override = true, .s3 = true, .s4 = true, .s4_val = 2,
    .hole = { 0xc0000000, 0xfebfffff, 0x240000000, 0xffffffffff }, .serial = { true, false, true },
    .fdc = true, .kbc = true,
    .mouse = true, .pvpanic = true, .fw_cfg = true, .vga = true,
    .floppy = { ACPI_FLOPPY_1440K, ACPI_FLOPPY_NONE },
};

static uint8_t sum(struct bench *b, uint64_t at, size_t len)
{
    uint8_t s = 0;

    for (size_t i = 0; i < len; i++)
        s += *ram_at(b, at + i);
    return s;
}

static uint64_t check_table(struct bench *b, uint64_t at, const char *sig)
{
    g_assert_cmpmem(ram_at(b, at), 4, sig, 4);
    uint32_t len = ld_le32(ram_at(b, at + 4));
    g_assert_cmpuint(len, >=, 36);
    g_assert_cmpint(sum(b, at, len), ==, 0);
    g_assert_cmpmem(ram_at(b, at + 10), 6, "BANTAM", 6);
    return at;
}

static void check_madt(struct bench *b, uint64_t at)
{
    const uint8_t *p = ram_at(b, at), *end = p + ld_le32(p + 4);
    unsigned cpus = 0, overrides = 0, ioapics = 0;

    g_assert_cmphex(ld_le32(p + 36), ==, 0xfee00000);
    for (p += 44; p < end; p += p[1]) {
        g_assert_cmpuint(p[1], >=, 2);
        if (p[0] == 0)
            g_assert_cmpuint(p[3], ==, apic_ids[p[2]]);
        if (p[0] == 9)
            g_assert_cmpuint(ld_le32(p + 4), ==, apic_ids[ld_le32(p + 12)]);
        cpus += p[0] == 0 || p[0] == 9;
        ioapics += p[0] == 1;
        overrides += p[0] == 2;
        if (p[0] == 2 && p[3] != 0)
            g_assert_cmphex(ld_le16(p + 8), ==, 0x0d);
    }
    g_assert_true(p == end);
    g_assert_cmpuint(cpus, ==, 7);
    g_assert_cmpuint(overrides, ==, 5);
    g_assert_cmpuint(ioapics, ==, 1);
}

/* Place everything as a boot without firmware does, and follow the pointers as an operating system
 * does. */
static void test_place(void)
{
    struct bench *b = bench_new(32 * MiB);
    struct files f = make(&big);
    struct table_space sp = { .ram = &b->vm->ram, .high = 32 * MiB, .fseg = 0xf0000 };
    GError *err = NULL;

    g_assert_cmpuint(f.loader->len % 128, ==, 0);
    g_assert_true(table_loader_run(&sp, find, &f, &err));
    g_assert_no_error(err);
    g_assert_cmphex(sp.rsdp, ==, 0xf0000);
    g_assert_cmphex(sp.smbios, ==, 0);
    g_assert_cmphex(sp.high, <, 32 * MiB);
    g_assert_cmphex(sp.high % 64, ==, 0);
    const uint8_t *r = ram_at(b, sp.rsdp);
    g_assert_cmpmem(r, 8, "RSD PTR ", 8);
    g_assert_cmpint(sum(b, sp.rsdp, 20), ==, 0);
    g_assert_cmpint(sum(b, sp.rsdp, 36), ==, 0);
    uint64_t rsdt = check_table(b, ld_le32(r + 16), "RSDT"), xsdt = check_table(b, ld_le64(r + 24), "XSDT");
    g_assert_cmpuint(ld_le32(ram_at(b, rsdt + 4)), ==, 36 + 4 * 4);
    g_assert_cmpuint(ld_le32(ram_at(b, xsdt + 4)), ==, 36 + 4 * 8);
    static const char *const sigs[] = { "FACP", "SSDT", "APIC", "WAET" };
    uint64_t at[4];
    for (unsigned i = 0; i < 4; i++) {
        at[i] = check_table(b, ld_le32(ram_at(b, rsdt + 36 + 4 * i)), sigs[i]);
        g_assert_cmphex(ld_le64(ram_at(b, xsdt + 36 + 8 * i)), ==, at[i]);
    }
    const uint8_t *fadt = ram_at(b, at[0]);
    g_assert_cmpuint(ld_le32(fadt + 4), ==, 244);
    check_table(b, ld_le32(fadt + 40), "DSDT");
    g_assert_cmphex(ld_le64(fadt + 140), ==, ld_le32(fadt + 40));
    g_assert_cmphex(ld_le64(fadt + 132), ==, 0); /* the FACS is named once */
    g_assert_cmphex(ld_le32(fadt + 36) % 64, ==, 0);
    g_assert_cmpmem(ram_at(b, ld_le32(fadt + 36)), 4, "FACS", 4);
    g_assert_cmpuint(ld_le16(fadt + 46), ==, 9);      /* SCI */
    g_assert_cmphex(ld_le32(fadt + 48), ==, 0xb2);    /* SMI_CMD */
    g_assert_cmphex(ld_le32(fadt + 56), ==, 0x600);   /* PM1a_EVT */
    g_assert_cmphex(ld_le32(fadt + 76), ==, 0x608);   /* PM_TMR */
    g_assert_cmphex(fadt[88], ==, 4);
    g_assert_cmphex(ld_le32(fadt + 112) & 0x100, ==, 0); /* a 24-bit timer */
    g_assert_cmphex(ld_le64(fadt + 120), ==, 0xcf9);
    g_assert_cmphex(fadt[128], ==, 6);
    g_assert_cmphex(ld_le64(fadt + 148 + 4), ==, 0x600);
    g_assert_cmphex(ld_le64(fadt + 208 + 4), ==, 0x608);
    check_madt(b, at[2]);
    drop(&f);
    bench_free(b);
}

static bool run_damaged(struct bench *b, struct files *f, uint64_t high, uint64_t fseg)
{
    struct table_space sp = { .ram = &b->vm->ram, .high = high, .fseg = fseg };
    GError *err = NULL;
    bool ok = table_loader_run(&sp, find, f, &err);

    g_assert_true(ok == !err);
    g_clear_error(&err);
    return ok;
}

static void test_hostile(void)
{
    struct bench *b = bench_new(4 * MiB);
    struct files f = make(&big);
    GByteArray *good = g_byte_array_append(g_byte_array_new(), f.loader->data, f.loader->len);

    g_assert_true(run_damaged(b, &f, 4 * MiB, 0xf0000));
    g_assert_false(run_damaged(b, &f, 1 * MiB, 0xf0000));
    g_assert_false(run_damaged(b, &f, 1 * MiB + 4096, 0xf0000));
    g_assert_false(run_damaged(b, &f, 8 * MiB, 0xf0000)); /* not RAM */
    g_assert_false(run_damaged(b, &f, 4 * MiB, 0xffff0));
    g_assert_false(run_damaged(b, &f, 4 * MiB, 0x100000));
    for (guint i = 0; i < good->len; i++)
        for (unsigned bit = 0; bit < 8; bit += 7) {
            f.loader->data[i] ^= 1u << bit;
            run_damaged(b, &f, 4 * MiB, 0xf0000);
            f.loader->data[i] = good->data[i];
        }
    g_byte_array_set_size(f.loader, 100); /* half a command is none */
    g_assert_true(run_damaged(b, &f, 4 * MiB, 0xf0000));
    g_byte_array_unref(good);
    drop(&f);
    bench_free(b);
}

static void test_aml(void)
{
    static const uint8_t want[] = { 0x10, 0x12, '\\', '_', 'S', 'B', '_', 0x08, 'A', 'B', '_', '_',
                                    0x12, 0x06, 3,
                                    0x00, 0x01, 0x0a, 0x02 };
    GByteArray *out = g_byte_array_new(), *body = g_byte_array_new(), *p = g_byte_array_new();

    aml_name(body, "AB");
    aml_int(p, 0), aml_int(p, 1), aml_int(p, 2);
    aml_package(body, 3, p);
    aml_scope(out, "\\_SB", body);
    g_assert_cmpmem(out->data, out->len, want, sizeof want);
    /* lengths around the steps of PkgLength */
    static const unsigned sizes[] = { 1, 58, 59, 60, 61, 62, 63, 4000, 4085, 4089, 4090, 4091, 4092,
                                      4093, 4096, 70000 };
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_byte_array_set_size(out, 0);
        p = g_byte_array_new();
        g_byte_array_set_size(p, sizes[i]);
        memset(p->data, 0xab, p->len);
        aml_buffer(out, p);
        unsigned extra = out->data[1] >> 6;
        size_t len = extra ? (out->data[1] & 0x0f)
            | (size_t) (ld_le32(out->data + 2) & (uint32_t) mask_bytes(extra)) << 4
                           : out->data[1];
        g_assert_cmpuint(len, ==, out->len - 1);
    }
    g_byte_array_set_size(out, 0);
    aml_int(out, 0x12345), aml_int(out, 0x1234567890);
    static const uint8_t ints[] = { 0x0c, 0x45, 0x23, 0x01, 0, 0x0e, 0x90, 0x78, 0x56, 0x34, 0x12, 0,
                                    0, 0 };
    g_assert_cmpmem(out->data, out->len, ints, sizeof ints);
    g_byte_array_unref(out);
}

static char *run_tool(const char *dir, const char *cmd, int *status)
{
    char *out = NULL, *line = g_strdup_printf("sh -c 'cd %s && %s 2>&1'", dir, cmd);

    g_assert_true(g_spawn_command_line_sync(line, &out, NULL, status, NULL));
    g_free(line);
    return out;
}

/* Intel's own interpreter loads the tables and evaluates what operating systems do. */
static void test_interpreted(void)
{
    static const struct { const char *object, *want; } evals[] = {
        { "\\_S5", "Package" }, { "\\_S3", "Package" }, { "\\_SB.PCI0._CRS", "Buffer" },
        { "\\_SB.LNKA._PRS", "Buffer" },
        { "\\_SB.PCI0.ISA.COM1._STA", "000000000000000F" },
        { "\\_SB.PCI0.ISA.COM2._STA", "0000000000000000" },
        { "\\_SB.PCI0.ISA.FDC0._FDE", "Buffer" }, { "\\_SB.PCI0.ISA.FDC0.FLPA._FDI", "Package" },
        { "\\_SB.PCI0.ISA.PEVT._STA", "000000000000000B" }, { "\\_SB.LNKS._CRS", "Buffer" },
    };
    struct files f = make(&big);
    char *tool = g_find_program_in_path("acpiexec"), *dir = g_dir_make_tmp("bantam-acpi-XXXXXX", NULL);
    int status;

    if (!tool) {
        g_test_skip("acpiexec is not installed");
    } else {
        GString *names = g_string_new(NULL);
        for (guint at = 64; at + 36 <= f.tables->len;) { /* after the FACS */
            uint32_t len = ld_le32(f.tables->data + at + 4);
            char *name = g_strdup_printf("%s/%.4s.dat", dir, f.tables->data + at);
            bool aml = !memcmp(f.tables->data + at + 1, "SDT", 3) && f.tables->data[at] != 'R' &&
                f.tables->data[at] != 'X';
            uint8_t *copy = g_memdup2(f.tables->data + at, len);
            copy[9] = 0;
            for (uint32_t i = 0; i < len; i++)
                copy[9] -= i == 9 ? 0 : copy[i];
            g_assert_true(g_file_set_contents(name, (char *) copy, len, NULL));
            if (aml)
                g_string_append_printf(names, " %s", name);
            g_free(copy);
            g_free(name);
            at = (guint) ROUND_UP(at + len, 16);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(evals); i++) {
            char *cmd = g_strdup_printf("acpiexec -b \"evaluate %s\" %s", evals[i].object, names->str);
            char *out = run_tool(dir, cmd, &status);
            if (!strstr(out, evals[i].want) || strstr(out, "ACPI Error") || strstr(out, "AE_NOT_FOUND"))
                g_error("%s: %s", evals[i].object, out);
            g_free(out);
            g_free(cmd);
        }
        char *out = run_tool(dir, "iasl -d *.dat", &status);
        if (status || strstr(out, "Error"))
            g_error("%s", out);
        g_free(out);
        g_string_free(names, TRUE);
    }
    if (!g_getenv("BANTAM_KEEP"))
        g_free(run_tool(dir, "rm -rf \"$PWD\"", &status));
    else
        g_test_message("kept %s", dir);
    g_free(dir);
    g_free(tool);
    drop(&f);
}

/* The smallest and the largest machine */
static void test_sizes(void)
{
    static uint32_t ids[255];
    struct acpi_info info = { .cpus = 1, .apic_ids = ids };
    struct files f = make(&info);

    drop(&f);
    for (unsigned i = 0; i < 255; i++)
        ids[i] = i * 2;
    info.cpus = 255;
    f = make(&info);
    g_assert_cmpuint(f.tables->len, <, 64 * KiB);
    drop(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/acpi/place", test_place);
    g_test_add_func("/acpi/hostile", test_hostile);
    g_test_add_func("/acpi/aml", test_aml);
    g_test_add_func("/acpi/interpreted", test_interpreted);
    g_test_add_func("/acpi/sizes", test_sizes);
    return g_test_run();
}
