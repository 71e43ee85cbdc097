/* hw/pc/microvm_dt.c - the machine without firmware as a device tree, by libfdt.
 *
 * Source: Devicetree Specification 0.4; Linux's arch/x86 reads the nodes of Intel's CE4100 boards: interrupt
 * controllers, and devices on a bus that is compatible with "intel,ce4100-cp".
 * Deviations: ISA devices are not listed, as kernels look for them at their usual places. */
#include "hw/pc/microvm.h"

#include <libfdt.h>

enum { DT_SIZE = 0x10000, IOAPIC_PHANDLE = 1, LEVEL_HIGH = 2 /* of the I/O APIC's binding */ };

struct dt {
    void *fdt;
    int err; /* the first; all calls go on */
};

static void check(struct dt *t, int r)
{
    if (r < 0 && !t->err)
        t->err = r;
}

static void begin(struct dt *t, const char *fmt, unsigned n)
{
    char *name = g_strdup_printf("%s%s%x", fmt, *fmt ? "@" : "", n);

    check(t, fdt_begin_node(t->fdt, *fmt ? name : ""));
    g_free(name);
}

static void end(struct dt *t)
{
    check(t, fdt_end_node(t->fdt));
}

static void cell(struct dt *t, const char *name, uint32_t v)
{
    check(t, fdt_property_u32(t->fdt, name, v));
}

static void cells(struct dt *t, const char *name, uint32_t a, uint32_t b)
{
    const uint32_t v[2] = { cpu_to_fdt32(a), cpu_to_fdt32(b) };

    check(t, fdt_property(t->fdt, name, v, sizeof v));
}

static void text(struct dt *t, const char *name, const char *v)
{
    check(t, fdt_property_string(t->fdt, name, v));
}

static void flag(struct dt *t, const char *name)
{
    check(t, fdt_property(t->fdt, name, NULL, 0));
}

static void add_cpus(struct dt *t, const struct microvm_tables *info)
{
    check(t, fdt_begin_node(t->fdt, "cpus"));
    cell(t, "#address-cells", 1);
    cell(t, "#size-cells", 0);
    for (unsigned i = 0; i < info->cpus; i++) {
        begin(t, "cpu", info->apic_ids[i]);
        text(t, "device_type", "cpu");
        text(t, "compatible", "intel,x86");
        cell(t, "reg", info->apic_ids[i]);
        end(t);
    }
    end(t);
}

static void add_controllers(struct dt *t)
{
    begin(t, "interrupt-controller", 0xfec00000);
    text(t, "compatible", "intel,ce4100-ioapic");
    flag(t, "interrupt-controller");
    cell(t, "#interrupt-cells", 2);
    cells(t, "reg", 0xfec00000, 0x1000);
    cell(t, "phandle", IOAPIC_PHANDLE);
    end(t);
    begin(t, "interrupt-controller", 0xfee00000);
    text(t, "compatible", "intel,ce4100-lapic");
    cells(t, "reg", 0xfee00000, 0x1000);
    end(t);
}

static void add_virtio(struct dt *t, uint32_t slots)
{
    for (unsigned i = 0; i < MICROVM_N_VIRTIO; i++) {
        uint32_t at = MICROVM_VIRTIO_BASE + VIRTIO_MMIO_SIZE * i;
        if (!(slots >> i & 1))
            continue;
        begin(t, "virtio_mmio", at);
        text(t, "compatible", "virtio,mmio");
        cells(t, "reg", at, VIRTIO_MMIO_SIZE);
        cells(t, "interrupts", microvm_gsi(i), LEVEL_HIGH);
        cell(t, "interrupt-parent", IOAPIC_PHANDLE);
        flag(t, "dma-coherent");
        end(t);
    }
}

GByteArray *microvm_dt_build(const struct microvm_tables *info, const char *bootargs)
{
    GByteArray *a = g_byte_array_new();

    g_byte_array_set_size(a, DT_SIZE + (guint) strlen(bootargs));
    struct dt t = { .fdt = a->data };
    check(&t, fdt_create(t.fdt, (int) a->len));
    check(&t, fdt_finish_reservemap(t.fdt));
    begin(&t, "", 0);
    text(&t, "compatible", "linux,microvm");
    text(&t, "model", "bantam,microvm");
    cell(&t, "#address-cells", 1);
    cell(&t, "#size-cells", 1);
    check(&t, fdt_begin_node(t.fdt, "chosen"));
    text(&t, "bootargs", bootargs);
    end(&t);
    add_cpus(&t, info);
    check(&t, fdt_begin_node(t.fdt, "soc"));
    text(&t, "compatible", "intel,ce4100-cp");
    cell(&t, "#address-cells", 1);
    cell(&t, "#size-cells", 1);
    flag(&t, "ranges");
    add_controllers(&t);
    add_virtio(&t, info->slots);
    end(&t);
    end(&t);
    check(&t, fdt_finish(t.fdt));
    g_assert(t.err == 0); /* its size is bounded by the numbers of CPUs and slots */
    g_byte_array_set_size(a, (guint) fdt_totalsize(a->data));
    return a;
}
