/* tests/hw/test_microvm.c - what the machine without firmware tells its kernel: device tree, ACPI tables; its event
 * device. */
#include "hw/catalog.h"
#include "hw/pc/acpi.h"
#include "hw/pc/microvm.h"
#include "hw/pc/table_loader.h"
#include "tests/hw/bench.h"

#include <libfdt.h>

static const uint32_t ids[2] = { 0, 5 };
static const struct microvm_tables info = { .cpus = 2, .apic_ids = ids, .serial = true, .rtc = true,
                                            .slots = 1 | 1 << 9 | 1U << 23 };

static void test_tree(void)
{
    GByteArray *a = microvm_dt_build(&info, "root=/dev/vda rw");
    const void *t = a->data;
    unsigned n = 0;
    int len;

    g_assert_cmpint(fdt_check_full(t, a->len), ==, 0);
    int soc = fdt_path_offset(t, "/soc");
    g_assert_cmpint(fdt_node_check_compatible(t, soc, "intel,ce4100-cp"), ==, 0);
    g_assert_cmpstr(fdt_getprop(t, fdt_path_offset(t, "/chosen"), "bootargs", &len), ==, "root=/dev/vda rw");
    for (int at = -1; (at = fdt_node_offset_by_compatible(t, at, "virtio,mmio")) >= 0; n++) {
        static const unsigned slots[] = { 0, 9, 23 };
        const fdt32_t *reg = fdt_getprop(t, at, "reg", &len), *irq = fdt_getprop(t, at, "interrupts", &len);
        g_assert_cmpint(fdt_parent_offset(t, at), ==, soc);
        g_assert_cmphex(fdt32_to_cpu(reg[0]), ==, 0xfeb00000 + 512 * slots[n]);
        g_assert_cmpuint(fdt32_to_cpu(reg[1]), ==, 512);
        g_assert_cmpuint(fdt32_to_cpu(irq[0]), ==, 16 + slots[n] % 8);
        g_assert_cmpuint(fdt32_to_cpu(irq[1]), ==, 2);
        const fdt32_t *parent = fdt_getprop(t, at, "interrupt-parent", &len);
        int io = fdt_node_offset_by_phandle(t, fdt32_to_cpu(*parent));
        g_assert_cmpint(fdt_node_check_compatible(t, io, "intel,ce4100-ioapic"), ==, 0);
    }
    g_assert_cmpuint(n, ==, 3);
    g_assert_cmpint(fdt_path_offset(t, "/cpus/cpu@5"), >, 0);
    g_assert_cmpint(fdt_node_offset_by_compatible(t, -1, "intel,ce4100-lapic"), >, 0);
    g_byte_array_unref(a);
}

struct files {
    GByteArray *a[3];
};

static const uint8_t *find(void *opaque, const char *name, size_t *len)
{
    struct files *f = opaque;
    static const char *const names[] = { ACPI_TABLES_FILE, ACPI_RSDP_FILE, ACPI_LOADER_FILE };

    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i])) {
            *len = f->a[i]->len;
            return f->a[i]->data;
        }
    return NULL;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;

    while (n--)
        s = (uint8_t) (s + *p++);
    return s;
}

static void test_acpi(void)
{
    struct bench *b = bench_new(16 * MiB);
    struct files f = { { g_byte_array_new(), g_byte_array_new(), g_byte_array_new() } };
    struct table_space space = { .ram = &b->vm->ram, .high = 16 * MiB, .fseg = 0xf0000 };
    GError *err = NULL;
    bool fadt = false, ssdt = false, madt = false;

    microvm_acpi_build(&info, f.a[0], f.a[1], f.a[2]);
    g_assert_true(table_loader_run(&space, find, &f, &err));
    const uint8_t *rsdp = ram_at(b, space.rsdp);
    g_assert_cmpmem(rsdp, 8, "RSD PTR ", 8);
    g_assert_true(sum(rsdp, 20) == 0 && sum(rsdp, 36) == 0);
    const uint8_t *xsdt = ram_at(b, ld_le64(rsdp + 24));
    g_assert_cmpuint(sum(xsdt, ld_le32(xsdt + 4)), ==, 0);
    for (unsigned i = 36; i < ld_le32(xsdt + 4); i += 8) {
        const uint8_t *t = ram_at(b, ld_le64(xsdt + i));
        uint32_t len = ld_le32(t + 4);
        g_assert_cmpuint(sum(t, len), ==, 0);
        if (!memcmp(t, "FACP", 4)) {
            fadt = true;
            g_assert_true(len == 268 && t[8] == 5 && (ld_le32(t + 112) & BIT(20))); /* hardware-reduced */
            g_assert_true(ld_le64(t + 120) == GED_REGS + 2 && t[128] == GED_RESET_VALUE);
            g_assert_true(ld_le64(t + 248) == GED_REGS && ld_le64(t + 260) == GED_REGS + 1);
            const uint8_t *dsdt = ram_at(b, ld_le64(t + 140));
            g_assert_cmpmem(dsdt, 4, "DSDT", 4);
            g_assert_cmpuint(sum(dsdt, ld_le32(dsdt + 4)), ==, 0);
            g_assert_cmphex(ld_le32(t + 40), ==, ld_le64(t + 140));
        } else if (!memcmp(t, "SSDT", 4)) {
            unsigned n = 0;
            ssdt = true;
            for (uint32_t k = 0; k + 8 < len; k++)
                n += !memcmp(t + k, "LNRO0005", 8);
            g_assert_cmpuint(n, ==, 3);
        } else if (!memcmp(t, "APIC", 4)) {
            madt = true;
        }
    }
    g_assert_true(fadt && ssdt && madt);
    for (int i = 0; i < 3; i++)
        g_byte_array_unref(f.a[i]);
    bench_free(b);
}

static void test_events(void)
{
    struct bench *b = bench_new(MiB);

    bench_add(b, &acpi_ged_class, NULL);
    g_assert_cmphex(mem_read(b, GED_BASE, 4), ==, 0);
    vm_request_powerdown(b->vm);
    bench_run(b);
    g_assert_true(irq_level(b, GED_IRQ));
    g_assert_cmphex(mem_read(b, GED_BASE, 4), ==, 2);
    g_assert_false(irq_level(b, GED_IRQ));
    g_assert_cmphex(mem_read(b, GED_BASE, 4), ==, 0);
    mem_write(b, GED_REGS, 1 << 2 | 0x20, 1); /* S1: there is none */
    mem_write(b, GED_REGS, 5 << 2, 1);        /* S5, but not SLP_EN */
    mem_write(b, GED_REGS + 2, 0x41, 1);
    g_assert_cmphex(b->vm->requests, ==, 0);
    mem_write(b, GED_REGS + 2, GED_RESET_VALUE, 1);
    g_assert_cmphex(b->vm->requests, ==, REQ_RESET);
    mem_write(b, GED_REGS, 5 << 2 | 0x20, 1);
    g_assert_cmphex(b->vm->requests, ==, REQ_RESET | REQ_SHUTDOWN);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/microvm/device-tree", test_tree);
    g_test_add_func("/microvm/acpi", test_acpi);
    g_test_add_func("/microvm/events", test_events);
    return g_test_run();
}
