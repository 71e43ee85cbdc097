/* tests/kvm/test_kvm.c - exits, interrupts, resets, stop and continue: tiny guests on the local /dev/kvm. */
#include "tests/kvm/guest.h"

#include <glib/gstdio.h>
#include <sys/eventfd.h>

#define EXIT(n) "mov $" #n ", %al\n out %al, $0xf4\n 9: hlt\n jmp 9b\n"

static uint8_t *ram(struct guest *g)
{
    return g->vm->ram.block.host;
}

/* --- ports and memory-mapped registers -------------------------------------------------------- */

GUEST(pio_code, 16,
      "mov $0x100, %dx\n mov $0x11223344, %eax\n"
      "out %al, %dx\n out %ax, %dx\n out %eax, %dx\n inc %dx\n"
      "in %dx, %al\n  out %al, %dx\n"   /* 1 */
      "in %dx, %ax\n  out %ax, %dx\n"   /* 0302 */
      "in %dx, %eax\n out %eax, %dx\n"  /* 07060504 */
      EXIT(3));

static void test_pio(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, pio_code, pio_code_end);
    g_assert_cmpint(guest_run(g, CPU_REAL16), ==, 7);
    g_assert_cmpstr(g->log->str, ==, "0:44 0:3344 0:11223344 1:01 1:0302 1:07060504 ");
    guest_free(g);
}

GUEST(string_code, 16,
      "cld\n mov $0x100, %dx\n"
      "mov $0x700, %di\n mov $5, %cx\n rep insb\n"
      "mov $2, %cx\n rep insw\n"
      "mov $0x700, %si\n mov $3, %cx\n rep outsb\n mov $2, %cx\n rep outsw\n"
      "mov $0x600, %di\n mov $600, %cx\n rep insb\n" /* more than one exit's worth */
      EXIT(0));

static void test_string(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, string_code, string_code_end);
    g_assert_cmpint(guest_run(g, CPU_REAL16), ==, 1);
    g_assert_cmpstr(g->log->str, ==, "0:01 0:02 0:03 0:0504 0:0706 ");
    for (unsigned i = 0; i < 600; i++)
        g_assert_cmpuint(ram(g)[0x600 + i], ==, (uint8_t) (10 + i));
    guest_free(g);
}

#define MMIO_TEXT(reg)                                                                        \
    "mov $0xd0000000, %" reg "\n"                                                             \
    "movb $0x11, (%" reg ")\n movw $0x2233, 2(%" reg ")\n movl $0x44556677, 4(%" reg ")\n"    \
    "movl $0x8899aabb, 1(%" reg ")\n"                                                         \
    "mov (%" reg "), %al\n  mov %al, 6(%" reg ")\n"                                           \
    "mov 1(%" reg "), %ax\n mov %ax, 5(%" reg ")\n"                                           \
    "mov (%" reg "), %eax\n mov %eax, (%" reg ")\n"

GUEST(mmio32_code, 32, MMIO_TEXT("ebx") EXIT(0));
GUEST(mmio64_code, 64, MMIO_TEXT("rbx") "movabs $0x1122334455667788, %rax\n mov %rax, (%rbx)\n" EXIT(0));

static void run_mmio(enum cpu_mode mode, const uint8_t *code, const uint8_t *end, const char *want)
{
    static const struct region_ops ops = { guest_port_read, guest_port_write, .min = 1, .max = 4 };
    struct region r;

    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, code, end);
    region_init_io(&r, "mmio", &ops, g, 8);
    g_assert_true(space_add(&g->vm->mem, &r, 0xd0000000, PRIO_PCI, NULL));
    g_assert_cmpint(guest_run(g, mode), ==, 1);
    g_assert_cmpstr(g->log->str, ==, want);
    space_remove(&r);
    guest_free(g);
}

#define MMIO_WANT "0:11 2:2233 4:44556677 1:bb 2:99aa 4:88 6:01 5:02 6:03 0:07060504 "

static void test_mmio32(void)
{
    run_mmio(CPU_PROT32, mmio32_code, mmio32_code_end, MMIO_WANT);
}

static void test_mmio64(void)
{
    run_mmio(CPU_LONG64, mmio64_code, mmio64_code_end, MMIO_WANT "0:55667788 4:11223344 ");
}

/* --- interrupts ------------------------------------------------------------------------------- */

#define PIC_SETUP                                                                                      \
    "mov $0x11, %al\n out %al, $0x20\n mov $8, %al\n out %al, $0x21\n mov $4, %al\n out %al, $0x21\n"  \
    "mov $1, %al\n out %al, $0x21\n mov $0xfe, %al\n out %al, $0x21\n"

GUEST(irq_code, 16,
      "movw $0x8000 + handler_irq - irq_code, 0x20\n movw $0, 0x22\n" PIC_SETUP
      "mov $10, %bl\n"
      "1: mov %bl, %al\n mov $0x100, %dx\n out %al, %dx\n sti\n hlt\n cli\n dec %bl\n jnz 1b\n"
      EXIT(5)
      "handler_irq: push %ax\n push %dx\n mov $0x101, %dx\n mov $0xaa, %al\n out %al, %dx\n"
      "mov $0x20, %al\n out %al, $0x20\n pop %dx\n pop %ax\n iret\n");

static struct timer irq_timer;

static void irq_later(void *opaque)
{
    struct guest *g = opaque;

    g->counter = (uint8_t) kvm_raise_status(g->k, 0);
}

static void irq_write(struct guest *g, uint64_t off, uint64_t val, unsigned size)
{
    (void) size;
    if (off == 0) {
        timer_at(&irq_timer, clock_now(g->vm) + 2 * NS_PER_MS); /* while it sleeps */
    } else {
        g_string_append_printf(g->log, "%x", (unsigned) val);
        kvm_set_gsi(g->k, 0, 0);
    }
}

static void test_irq(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, irq_code, irq_code_end);
    timer_init(&irq_timer, g->vm, irq_later, g);
    g->on_write = irq_write;
    g_assert_cmpint(guest_run(g, CPU_REAL16), ==, 11);
    g_assert_cmpstr(g->log->str, ==, "aaaaaaaaaaaaaaaaaaaa");
    g_assert_cmpuint(g->counter, ==, 1); /* delivered */
    g_assert_cmpint(kvm_raise_status(g->k, 0), >, 0);
    kvm_set_gsi(g->k, 0, 0);
    g_assert_cmpint(kvm_raise_status(g->k, 0), ==, 0); /* the one before was not taken yet */
    guest_free(g);
}

GUEST(nmi_code, 16,
      "movw $0x8000 + handler_nmi - nmi_code, 8\n movw $0, 10\n"
      "mov $0x100, %dx\n out %al, %dx\n 1: hlt\n jmp 1b\n"
      "handler_nmi:\n" EXIT(9));

static void nmi_write(struct guest *g, uint64_t off, uint64_t val, unsigned size)
{
    (void) off, (void) val, (void) size;
    vm_nmi(g->vm);
}

static void test_nmi(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, nmi_code, nmi_code_end);
    g->on_write = nmi_write;
    g_assert_cmpint(guest_run(g, CPU_REAL16), ==, 19);
    guest_free(g);
}

/* LAPIC on (SVR at fee000f0), vector 0x40 -> exit. */
GUEST(msi_code, 64,
    "lea handler_msi(%rip), %rax\n mov $0x6400, %rbx\n mov %ax, (%rbx)\n"
    "movw $24, 2(%rbx)\n movw $0x8e00, 4(%rbx)\n"
    "shr $16, %rax\n mov %ax, 6(%rbx)\n movq $0, 8(%rbx)\n"
    "movw $0xfff, 0x5000\n movq $0x6000, 0x5002\n lidt 0x5000\n"
    "mov $0xfee000f0, %ebx\n movl $0x1ff, (%rbx)\n"
    "mov $0x100, %dx\n out %al, %dx\n sti\n 1: hlt\n jmp 1b\n"
    "handler_msi:\n" EXIT(4));

static int msi_fd;

static void msi_write(struct guest *g, uint64_t off, uint64_t val, unsigned size)
{
    uint64_t one = 1;

    (void) off, (void) val, (void) size;
    if (msi_fd < 0)
        g_assert_cmpint(kvm_msi_send(g->k, 0xfee00000, 0x40), >, 0);
    else
        g_assert_cmpint(write(msi_fd, &one, 8), ==, 8);
}

static void test_msi(void)
{
    for (int way = 0; way < 2; way++) {
        if (guest_no_kvm())
            return;
        struct guest *g = guest_new(NULL, msi_code, msi_code_end);
        g->on_write = msi_write;
        msi_fd = way ? eventfd(0, 0) : -1;
        int gsi[3];
        for (unsigned i = 0; way && i < 3; i++)
            gsi[i] = kvm_msi_route_add(g->k, 0xfee00000, 0x99);
        if (way) {
            g_assert_cmpint(gsi[0], ==, 24);
            kvm_msi_route_remove(g->k, gsi[0]);
            g_assert_cmpint(kvm_msi_route_add(g->k, 0xfee00000, 0x99), ==, gsi[0]);
            kvm_msi_route_change(g->k, gsi[1], 0xfee00000, 0x40);
            g_assert_true(kvm_irqfd_add(g->k, msi_fd, -1, gsi[1], NULL));
        }
        g_assert_cmpint(guest_run(g, CPU_LONG64), ==, 9);
        if (way) {
            kvm_irqfd_remove(g->k, msi_fd, gsi[1]);
            close(msi_fd);
        }
        GString *out = g_string_new(NULL);
        kvm_describe_irqchip(g->k, out);
        g_assert_nonnull(strstr(out->str, "svr=1ff"));
        g_assert_nonnull(strstr(out->str, "pic master:"));
        g_string_free(out, TRUE);
        guest_free(g);
    }
}

/* --- resets ----------------------------------------------------------------------------------- */

GUEST(triple_code, 64,
      "incb 0x600\n cmpb $3, 0x600\n je 1f\n"
      "movw $0, 0x500\n movq $0, 0x502\n lidt 0x500\n ud2\n"
      "1:\n" EXIT(1));

static void test_triple_fault(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, triple_code, triple_code_end);
    g_assert_cmpint(guest_run(g, CPU_LONG64), ==, 3);
    g_assert_cmpuint(g->resets, ==, 3);
    guest_free(g);
    g = guest_new(NULL, triple_code, triple_code_end); /* -no-reboot */
    g->vm->on_reboot = ACTION_SHUTDOWN;
    g_assert_cmpint(guest_run(g, CPU_LONG64), ==, EXIT_TRIPLE_FAULT);
    guest_free(g);
}

/* A reset by a port takes effect before the next instruction. */
GUEST(reset_code, 16,
      "incw 0x600\n cmpw $200, 0x600\n je 1f\n"
      "mov $0x100, %dx\n mov $0x55, %al\n out %al, %dx\n incb 0x610\n 2: jmp 2b\n"
      "1:\n" EXIT(2));

static void reset_write(struct guest *g, uint64_t off, uint64_t val, unsigned size)
{
    (void) off, (void) val, (void) size;
    vm_request_reset(g->vm, CAUSE_GUEST_RESET);
}

static void test_reset(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, reset_code, reset_code_end);
    g->on_write = reset_write;
    g_assert_cmpint(guest_run(g, CPU_REAL16), ==, 5);
    g_assert_cmpuint(g->resets, ==, 200);
    g_assert_cmpuint(ram(g)[0x610], ==, 0);
    guest_free(g);
}

/* At FFFFFFF0 in a ROM: a far jump down to F000:0, where EDX still holds the signature. */
GUEST(vector_code, 16, "mov %edx, %eax\n mov $0x100, %dx\n out %eax, %dx\n" EXIT(6));

static void test_reset_vector(void)
{
    static const uint8_t jump[] = { 0xea, 0x00, 0x00, 0x00, 0xf0 };
    struct kvm_config cfg = { .cpu = "qemu64", .topo = { 1, 1, 1, 1, 1, 1 } };
    struct ram_block rom;
    struct region high, low;

    if (guest_no_kvm())
        return;
    cfg.cpu = "qemu64,check=off";
    struct guest *g = guest_new(&cfg, vector_code, vector_code_end);
    g_assert_true(ram_block_alloc(&rom, "rom", 0x10000, NULL, NULL));
    memcpy(rom.host, vector_code, (size_t) (vector_code_end - vector_code));
    memcpy(rom.host + 0xfff0, jump, sizeof jump);
    region_init_rom(&high, "bios", &rom, 0, 0x10000, NULL, NULL);
    region_init_rom(&low, "isa-bios", &rom, 0, 0x10000, NULL, NULL);
    g_assert_true(space_add(&g->vm->mem, &high, 0xffff0000, PRIO_PCI, NULL));
    g_assert_true(space_add(&g->vm->mem, &low, 0xf0000, PRIO_PAM, NULL));
    guest_start(g);
    g_assert_cmpint(guest_loop(g, 60), ==, 13);
    g_assert_cmpstr(g->log->str, ==, "0:00060fb1 ");
    space_remove(&high);
    space_remove(&low);
    guest_free(g);
    ram_block_free(&rom);
}

/* --- several CPUs ----------------------------------------------------------------------------- */

/* INIT, SIPI (vector 9) to all but self; wait until 3 others counted themselves. */
GUEST(smp_code, 32,
      "movl $0xfee000f0, %ebx\n movl $0x1ff, (%ebx)\n movl $0xfee00300, %ebx\n"
      "movl $0xc4500, (%ebx)\n mov $100000, %ecx\n 1: loop 1b\n"
      "movl $0xc4609, (%ebx)\n 2: cmpb $3, 0x600\n pause\n jb 2b\n" EXIT(7));
GUEST(ap_code, 16,
    "xor %ax, %ax\n mov %ax, %ds\n mov $1, %eax\n cpuid\n shr $24, %ebx\n"
    "movb $1, 0x610(%bx)\n lock incb 0x600\n"
    "1: hlt\n jmp 1b\n");

static void test_smp(void)
{
    static const struct {
        struct cpu_topology t;
        const char *ids;
    } cases[] = {
        { { 4, 4, 1, 1, 4, 1 }, "0111" },
        { { 4, 4, 2, 1, 1, 2 }, "0111" },
        { { 4, 6, 2, 1, 3, 1 }, "01101" }, /* three cores need two bits */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct kvm_config cfg = { .topo = cases[i].t };
        if (guest_no_kvm())
            return;
        struct guest *g = guest_new(&cfg, smp_code, smp_code_end);
        memcpy(ram(g) + 0x9000, ap_code, (size_t) (ap_code_end - ap_code));
        g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 15);
        for (unsigned id = 0; cases[i].ids[id]; id++)
            g_assert_cmpuint(ram(g)[0x610 + id], ==, (unsigned) cases[i].ids[id] - '0');
        g_assert_cmpuint(kvm_cpu_count(g->k), ==, 4);
        char *path = g_strdup_printf("/proc/self/task/%d/comm", kvm_cpu_thread_id(g->k, 3)), *comm = NULL;
        g_assert_true(g_file_get_contents(path, &comm, NULL, NULL));
        g_assert_cmpstr(comm, ==, "CPU 3/KVM\n");
        g_free(path);
        g_free(comm);
        guest_free(g);
    }
}

/* --- stop and continue ------------------------------------------------------------------------ */

/* Tell the biggest step of the TSC (in units of 2^16 ticks) since the last time, whenever the host asks by
 * 0x700. */
GUEST(clock_code, 64,
      "mov $0x4b564d01, %ecx\n mov $0x7001, %eax\n xor %edx, %edx\n wrmsr\n" /* kvmclock at 0x7000 */
      "rdtsc\n shl $32, %rdx\n lea (%rax, %rdx), %rsi\n xor %edi, %edi\n"
      "1: rdtsc\n shl $32, %rdx\n add %rdx, %rax\n mov %rax, %rbx\n sub %rsi, %rbx\n mov %rax, %rsi\n"
      "cmp %rdi, %rbx\n cmova %rbx, %rdi\n mov %rdi, 0x6f0\n incl 0x6f8\n"
      "cmpb $0, 0x700\n je 1b\n" EXIT(8));

static void spin_until_moved(struct guest *g, unsigned ms)
{
    uint32_t before = ld_le32(ram(g) + 0x6f8);

    for (unsigned i = 0; i < 1000 && ld_le32(ram(g) + 0x6f8) == before; i++)
        g_usleep(1000);
    g_usleep(ms * 1000);
    g_assert_cmpuint(ld_le32(ram(g) + 0x6f8), !=, before);
}

static void test_stop(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, clock_code, clock_code_end);
    guest_entry(g, CPU_LONG64);
    guest_start(g);
    spin_until_moved(g, 50);
    vm_stop(g->vm, RUN_PAUSED);
    uint32_t count = ld_le32(ram(g) + 0x6f8);
    uint64_t system_time = ld_le64(ram(g) + 0x7010), step = ld_le64(ram(g) + 0x6f0);
    g_usleep(1500000);
    g_assert_cmpuint(ld_le32(ram(g) + 0x6f8), ==, count); /* it stands */
    g_assert_true(vm_cont(g->vm));
    spin_until_moved(g, 20);
    ram(g)[0x700] = 1;
    g_assert_cmpint(guest_loop(g, 60), ==, 17);
    uint64_t ran = ld_le64(ram(g) + 0x7010) - system_time;
    g_test_message("kvmclock ran %" PRIu64 " us, TSC step %" PRIu64 " before, %" PRIu64 " after",
                   ran / 1000, step, ld_le64(ram(g) + 0x6f0));
    g_assert_cmpuint(ran, <, 1000 * NS_PER_MS);
    guest_free(g);
}

static void test_pause_often(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, clock_code, clock_code_end);
    guest_entry(g, CPU_LONG64);
    guest_start(g);
    for (unsigned i = 0; i < 50; i++) {
        vm_stop(g->vm, RUN_PAUSED);
        uint32_t count = ld_le32(ram(g) + 0x6f8);
        g_usleep(100);
        g_assert_cmpuint(ld_le32(ram(g) + 0x6f8), ==, count);
        g_assert_true(vm_cont(g->vm));
        if (i % 10 == 0)
            vm_reset(g->vm);
    }
    spin_until_moved(g, 1);
    vm_lock(g->vm); /* registers of a running CPU */
    GString *out = g_string_new(NULL);
    g->vm->accel->describe_cpus(g->k, out);
    vm_unlock(g->vm);
    g_assert_nonnull(strstr(out->str, "CPU 0: runnable, 64-bit mode"));
    g_string_free(out, TRUE);
    ram(g)[0x700] = 1;
    g_assert_cmpint(guest_loop(g, 60), ==, 17);
    guest_free(g);
}

/* --- internal errors -------------------------------------------------------------------------- */

GUEST(astray_code, 32, "mov $0xd0000000, %eax\n jmp *%eax\n");

static void run_astray(enum action action)
{
    struct kvm_config cfg = { .topo = { 1, 1, 1, 1, 1, 1 }, .on_internal_error = action };
    struct guest *g = guest_new(&cfg, astray_code, astray_code_end);

    guest_entry(g, CPU_PROT32);
    guest_start(g);
    if (action == ACTION_PAUSE) {
        while (g->vm->state == RUN_RUNNING)
            exec_iterate(&g->vm->main, true);
        g_assert_cmpint(g->vm->state, ==, RUN_INTERNAL_ERROR);
        g_assert_false(vm_cont(g->vm));
        vm_reset(g->vm); /* and on again */
        g_assert_cmpint(g->vm->state, ==, RUN_PAUSED);
    } else {
        g_assert_cmpint(guest_loop(g, 60), ==, EXIT_KVM_INTERNAL);
    }
    guest_free(g);
}

static void test_internal_error(void)
{
    if (guest_no_kvm())
        return;
    if (g_test_subprocess()) {
        run_astray(ACTION_SHUTDOWN);
        run_astray(ACTION_PAUSE);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*bantam: KVM: CPU 0: internal error: *went astray*");
    g_test_trap_assert_stderr("*rip  00000000d0000000*");
    g_test_trap_assert_stderr("*code at 0xd0000000: not readable*");
}

/* --- snapshots -------------------------------------------------------------------------------- */

GUEST(count_code, 64, "mov $1, %rbx\n movabs $0x123456789abcdef0, %r15\n"
                      "1: inc %rbx\n mov %rbx, 0x6f8\n cmpb $0, 0x700\n je 1b\n mov %r15, 0x6e0\n" EXIT(8));

static void test_save(void)
{
    GByteArray *cpu = g_byte_array_new(), *chips = g_byte_array_new();
    GError *err = NULL;

    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, count_code, count_code_end),
                 *h = guest_new(NULL, count_code, count_code_end);
    guest_entry(g, CPU_LONG64);
    guest_start(g);
    spin_until_moved(g, 5);
    vm_stop(g->vm, RUN_PAUSED);
    kvm_save_cpu(g->k, 0, cpu);
    kvm_save_chips(g->k, chips);
    uint64_t count = ld_le64(ram(g) + 0x6f8);

    g_assert_true(kvm_start_cpus(h->k, &err));
    vm_reset(h->vm);
    memcpy(ram(h), ram(g), RAM_SIZE);
    g_assert_true(kvm_load_chips(h->k, chips->data, chips->len, &err));
    g_assert_no_error(err);
    g_assert_true(kvm_load_cpu(h->k, 0, cpu->data, cpu->len, &err));
    g_assert_no_error(err);
    for (unsigned cut = 0; cut < cpu->len; cut += 97) { /* damaged: refused */
        g_assert_false(kvm_load_cpu(g->k, 0, cpu->data, cut, &err));
        g_clear_error(&err);
    }
    g_assert_false(kvm_load_chips(g->k, chips->data, chips->len - 1, NULL));
    g_assert_true(vm_cont(h->vm));
    spin_until_moved(h, 1);
    ram(h)[0x700] = 1;
    g_assert_cmpint(guest_loop(h, 60), ==, 17);
    g_assert_cmpuint(ld_le64(ram(h) + 0x6f8), >, count);
    g_assert_cmphex(ld_le64(ram(h) + 0x6e0), ==, 0x123456789abcdef0);
    guest_free(g);
    guest_free(h);
    g_byte_array_free(cpu, TRUE);
    g_byte_array_free(chips, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/pio", test_pio);
    g_test_add_func("/kvm/string", test_string);
    g_test_add_func("/kvm/mmio32", test_mmio32);
    g_test_add_func("/kvm/mmio64", test_mmio64);
    g_test_add_func("/kvm/irq", test_irq);
    g_test_add_func("/kvm/nmi", test_nmi);
    g_test_add_func("/kvm/msi", test_msi);
    g_test_add_func("/kvm/triple-fault", test_triple_fault);
    g_test_add_func("/kvm/reset", test_reset);
    g_test_add_func("/kvm/reset-vector", test_reset_vector);
    g_test_add_func("/kvm/smp", test_smp);
    g_test_add_func("/kvm/stop", test_stop);
    g_test_add_func("/kvm/pause-often", test_pause_often);
    g_test_add_func("/kvm/internal-error", test_internal_error);
    g_test_add_func("/kvm/save", test_save);
    return g_test_run();
}
