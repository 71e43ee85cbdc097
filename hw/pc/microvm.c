/* hw/pc/microvm.c - the machine without firmware and PCI: RAM, APICs, serial port, timer, clock, virtio over MMIO.
 *
 * Sources: as QEMU's microvm (docs/system/i386/microvm): places of the devices, names of the options; Linux's
 * Documentation/arch/x86/boot.rst (setup_data).
 *
 * The kernel finds the devices by ACPI (hardware-reduced, LNRO0005), or with acpi=off by a device tree, which Linux
 * reads where it is built with CONFIG_OF_EARLY_FLATTREE.
 *
 * Deviations: no firmware at all, so a kernel must be given; one I/O APIC, whose inputs 16 to 23 are shared by 24
 * slots; KVM's PIC is always there. */
#include "hw/pc/acpi.h"
#include "hw/pc/microvm.h"
#include "hw/catalog.h"
#include "hw/pc/direct.h"
#include "hw/pc/table_loader.h"
#include "vmm/char/chardev.h"

enum { E820_MAX = 16, TABLES_SIZE = 0x40000, SETUP_DTB = 2, SETUP_DATA_HEADER = 16 };

/* --- making it -------------------------------------------------------------------------------------- */

static bool add_memory(struct microvm *m, GError **err)
{
    static const struct region_ops none = { .min = 1, .max = 8 };
    struct vm *vm = m->pc->vm;
    struct ram *ram = &vm->ram;

    region_init_ram(&m->ram_low, "ram", &ram->block, 0, ram->below_4g);
    region_init_ram(&m->ram_high, "ram-high", &ram->block, ram->below_4g, ram->above_4g);
    region_init_io(&m->ioapic, "ioapic", &none, NULL, PAGE_SIZE_4K); /* the accelerator's */
    region_init_io(&m->lapic, "lapic", &none, NULL, MiB);
    return space_add(&vm->mem, &m->ram_low, 0, PRIO_RAM, err) &&
           (!ram->above_4g || space_add(&vm->mem, &m->ram_high, 4 * GiB, PRIO_RAM, err)) &&
           space_add(&vm->mem, &m->ioapic, 0xfec00000, PRIO_CHIPSET, err) &&
           space_add(&vm->mem, &m->lapic, 0xfee00000, PRIO_CHIPSET, err);
}

static void wire_virtio(struct microvm *m)
{
    const struct pc_irqchip *chip = &m->pc->chip;

    virtio_mmio_bus_init(&m->bus, m->pc->vm, MICROVM_VIRTIO_BASE, MICROVM_N_VIRTIO);
    for (int i = 0; i < MICROVM_N_GSI; i++)
        irq_connect(&m->line[i].out, chip->set_gsi, chip->opaque, MICROVM_VIRTIO_GSI + i);
    for (unsigned i = 0; i < MICROVM_N_VIRTIO; i++)
        irq_connect(&m->bus.irq[i], irq_or_set, &m->line[i % MICROVM_N_GSI], 0);
}

static bool add_serial(struct microvm *m, GError **err)
{
    const struct pc_config *cfg = m->pc->cfg;

    if (!cfg->microvm.isa_serial || !cfg->has_serial[0])
        return true;
    char *props = cfg->serial[0] ? g_strdup_printf("index=0,chardev=%s", cfg->serial[0]->id) : g_strdup("index=0");
    bool ok = device_create(m->pc->vm, &isa_serial_class, NULL, props, err);
    g_free(props);
    m->pc->serial_ports[0] = 0x3f8;
    m->pc->n_serial = 1;
    return ok;
}

static bool load_kernel(struct microvm *m, GError **err)
{
    struct pc *pc = m->pc;
    struct ram *ram = &pc->vm->ram;

    if (!pc->cfg->kernel)
        return fail(err, "-M microvm: there is no firmware to start anything else: add -kernel FILE");
    if (ram->below_4g < 4 * MiB)
        return fail(err, "-kernel: %" PRIu64 " KiB of memory are too few to start a kernel; use a larger -m",
                    ram->below_4g / 1024);
    pc->tables_base = ROUND_DOWN(ram->below_4g - TABLES_SIZE, PAGE_SIZE_4K);
    return true;
}

bool microvm_create(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;
    struct microvm *m = pc->microvm = g_new0(struct microvm, 1);
    static const char *const bases[] = { "utc", "localtime", "datetime" }, *const clocks[] = { "host", "rt", "vm" };

    m->pc = pc;
    if (!load_kernel(m, err) || !add_memory(m, err))
        return false;
    wire_virtio(m);
    if (cfg->acpi && pc->chip.mask_pic) /* a kernel that knows ACPI's reduced hardware leaves the PICs alone */
        pc->chip.mask_pic(pc->chip.opaque);
    m->ged = device_create(pc->vm, &acpi_ged_class, NULL, NULL, err);
    if (!m->ged || !add_serial(m, err))
        return false;
    if (cfg->microvm.pit && !device_create(pc->vm, &i8254_class, NULL, NULL, err))
        return false;
    if (!cfg->microvm.rtc)
        return true;
    char *props = g_strdup_printf("base=%s,datetime=%" PRId64 ",clock=%s,lost_tick_policy=%s", bases[cfg->rtc_base],
                                  MAX(cfg->rtc_datetime, 0), clocks[cfg->rtc_clock],
                                  cfg->rtc_slew ? "slew" : "discard");
    pc->rtc = device_create(pc->vm, &mc146818rtc_class, NULL, props, err);
    g_free(props);
    return pc->rtc != NULL;
}

/* --- what the kernel is told ------------------------------------------------------------------------ */

static char *command_line(const struct microvm *m)
{
    const struct pc_config *cfg = m->pc->cfg;
    GString *s = g_string_new(cfg->append);

    for (unsigned i = 0; i < MICROVM_N_VIRTIO && cfg->microvm.auto_kernel_cmdline; i++)
        if (m->bus.devs[i])
            g_string_append_printf(s, " virtio_mmio.device=%d@0x%x:%u", VIRTIO_MMIO_SIZE,
                                   MICROVM_VIRTIO_BASE + VIRTIO_MMIO_SIZE * i, microvm_gsi(i));
    return g_string_free(s, FALSE);
}

static GByteArray *wrap_dtb(GByteArray *dtb)
{
    GByteArray *a = g_byte_array_new();
    uint8_t head[SETUP_DATA_HEADER] = { 0 };

    st_le32(head + 8, SETUP_DTB);
    st_le32(head + 12, dtb->len);
    g_byte_array_append(a, head, sizeof head);
    g_byte_array_append(a, dtb->data, dtb->len);
    g_byte_array_unref(dtb);
    return a;
}

bool microvm_finish(struct pc *pc, GError **err)
{
    const struct pc_config *cfg = pc->cfg;
    const struct cpu_topology topo = { cfg->cpus, cfg->max_cpus, cfg->sockets, cfg->dies, cfg->cores, cfg->threads };
    struct microvm *m = pc->microvm;
    uint32_t ids[PC_MAX_CPUS];
    struct microvm_tables info = { .cpus = cfg->cpus, .apic_ids = ids, .serial = pc->n_serial != 0,
                                   .rtc = pc->rtc != NULL };

    for (unsigned i = 0; i < cfg->cpus; i++)
        ids[i] = cpu_apic_id(&topo, i);
    for (unsigned i = 0; i < MICROVM_N_VIRTIO; i++)
        info.slots |= m->bus.devs[i] ? 1U << i : 0;
    char *cmdline = command_line(m);
    struct boot_config bc = { cfg->kernel, cfg->initrd, cmdline, pc->tables_base };
    pc->kernel = boot_load(&pc->vm->ram, &bc, err);
    if (pc->kernel && cfg->acpi) {
        m->tables = g_byte_array_new();
        m->rsdp = g_byte_array_new();
        m->loader = g_byte_array_new();
        microvm_acpi_build(&info, m->tables, m->rsdp, m->loader);
    } else if (pc->kernel) {
        m->dtb = wrap_dtb(microvm_dt_build(&info, cmdline));
    }
    g_free(cmdline);
    if (pc->kernel)
        TRACER(&pc->vm->trace, "kernel: %s", boot_protocol(pc->kernel));
    return pc->kernel != NULL;
}

/* --- reset ------------------------------------------------------------------------------------------ */

static const uint8_t *find_table(void *opaque, const char *name, size_t *len)
{
    const struct microvm *m = opaque;
    const GByteArray *a = !strcmp(name, ACPI_TABLES_FILE) ? m->tables : !strcmp(name, ACPI_RSDP_FILE) ? m->rsdp
                          : !strcmp(name, ACPI_LOADER_FILE) ? m->loader : NULL;

    if (!a)
        return NULL;
    *len = a->len;
    return a->data;
}

static bool start_kernel(struct pc *pc, GError **err)
{
    struct microvm *m = pc->microvm;
    struct ram *ram = &pc->vm->ram;
    struct direct_board b = { pc->vm, pc->tables_base, pc->serial_ports, pc->n_serial, 0 };
    struct table_space tables = { .ram = ram, .high = ram->below_4g, .fseg = 0xf0000 };
    struct e820_entry e820[E820_MAX];
    struct boot_facts facts = { .e820 = e820 };
    struct boot_cpu_state cpu;

    facts.vga_text = direct_setup(&b);
    if (m->tables) {
        if (!table_loader_run(&tables, find_table, m, err))
            return false;
        facts.rsdp = tables.rsdp;
    } else {
        void *to = ram_ptr(ram, pc->tables_base, m->dtb->len);
        if (!to || m->dtb->len > TABLES_SIZE)
            return fail(err, "the device tree needs %u bytes, more than %d", m->dtb->len, TABLES_SIZE);
        memcpy(to, m->dtb->data, m->dtb->len);
        facts.setup_data = pc->tables_base;
    }
    facts.n_e820 = direct_e820(&b, e820, E820_MAX);
    if (!boot_place(pc->kernel, ram, &facts, &cpu, err))
        return false;
    cpu.uncached_base = ram->below_4g;
    pc->chip.set_boot_regs(pc->chip.opaque, &cpu);
    return true;
}

void microvm_reset(struct pc *pc)
{
    GError *err = NULL;

    if (!pc->kernel || start_kernel(pc, &err))
        return;
    fprintf(stderr, "bantam: -kernel: %s\n", err->message);
    g_error_free(err);
    vm_request_shutdown(pc->vm, CAUSE_INTERNAL_ERROR);
}

void microvm_free(struct microvm *m)
{
    struct vm *vm = m ? m->pc->vm : NULL;

    if (!m)
        return;
    while (vm->devices->len) /* those on our bus must go before it */
        device_free(vm->devices->pdata[vm->devices->len - 1]);
    virtio_mmio_bus_clear(&m->bus);
    space_remove(&m->ram_low);
    space_remove(&m->ram_high);
    space_remove(&m->ioapic);
    space_remove(&m->lapic);
    GByteArray *arrays[] = { m->tables, m->rsdp, m->loader, m->dtb };
    for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
        if (arrays[i])
            g_byte_array_unref(arrays[i]);
    g_free(m);
}
