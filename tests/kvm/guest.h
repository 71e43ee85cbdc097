/* tests/kvm/guest.h - tiny guests: a VM with RAM, a few test ports, and code assembled into the test
 * itself.
 *
 * The code is loaded at CODE at every reset.  Ports: EXIT_PORT ends the run (exit code: value << 1 | 1);
 * LOG_PORT..+7 append what is written to g->log, and read a byte that counts up. */
#ifndef BANTAM_TESTS_KVM_GUEST_H
#define BANTAM_TESTS_KVM_GUEST_H

#include "vmm/core/vm.h"
#include "vmm/kvm/kvm.h"

#include <unistd.h>

enum { CODE = 0x8000, LOG_PORT = 0x100, EXIT_PORT = 0xf4, RAM_SIZE = 16 << 20, TIMED_OUT = 1000 };

/* Code in the test's read-only data; NAME_end marks its end. */
#define GUEST(name, bits, text)                                                   \
    extern const uint8_t name[], name##_end[];                                    \
    __asm__(".pushsection .rodata\n.code" #bits "\n" #name ":\n" text "\n" #name  \
            "_end:\n.code64\n.popsection\n")

struct guest {
    struct vm *vm;
    struct kvm *k;
    struct region ram, ports, exit_port;
    const uint8_t *code;
    size_t code_len;
    struct vm_notifier notifier;
    GString *log;
    uint8_t counter;
    void (*on_write)(struct guest *g, uint64_t off, uint64_t val, unsigned size); /* instead of the log */
    void *opaque;
    unsigned resets;
};

static inline uint64_t guest_port_read(void *opaque, uint64_t off, unsigned size)
{
    struct guest *g = opaque;
    uint64_t v = 0;

    (void) off;
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t) ++g->counter << (8 * i);
    return v;
}

static inline void guest_port_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct guest *g = opaque;

    if (g->on_write)
        g->on_write(g, off, val, size);
    else
        g_string_append_printf(g->log, "%" PRIx64 ":%0*" PRIx64 " ", off, (int) size * 2, val);
}

static inline void guest_exit_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct guest *g = opaque;

    (void) off, (void) size;
    vm_request_exit(g->vm, CAUSE_DEBUG_EXIT, (int) (val << 1 | 1));
}

static const struct region_ops guest_port_ops = { guest_port_read, guest_port_write, .min = 1, .max = 4,
                                                  .unaligned = true };
static const struct region_ops guest_exit_ops = { NULL, guest_exit_write, .min = 1, .max = 4 };

static inline void guest_phase(void *opaque, enum vm_phase phase)
{
    struct guest *g = opaque;

    if (phase != PHASE_RESET)
        return;
    memcpy(g->vm->ram.block.host + CODE, g->code, g->code_len);
    g->resets++;
}

static inline bool guest_no_kvm(void) /* and the test is skipped, with the reason */
{
    struct kvm_config cfg = { .topo = { 1, 1, 1, 1, 1, 1 } };
    GError *err = NULL;

    if (kvm_check_cpu(&cfg, &err))
        return false;
    g_test_skip(err->message);
    g_error_free(err);
    return true;
}

/* cfg may be NULL: one CPU, as the host's. */
static inline struct guest *guest_new(const struct kvm_config *cfg, const uint8_t *code, const uint8_t *end)
{
    static const struct kvm_config plain = { .topo = { 1, 1, 1, 1, 1, 1 } };
    struct guest *g = g_new0(struct guest, 1);
    GError *err = NULL;

    g->vm = vm_new(NULL, NULL);
    g->log = g_string_new(NULL);
    g->code = code;
    g->code_len = (size_t) (end - code);
    g_assert_true(ram_block_alloc(&g->vm->ram.block, "ram", RAM_SIZE, NULL, NULL));
    g->vm->ram.below_4g = RAM_SIZE;
    region_init_ram(&g->ram, "ram", &g->vm->ram.block, 0, RAM_SIZE);
    g_assert_true(space_add(&g->vm->mem, &g->ram, 0, PRIO_RAM, NULL));
    region_init_io(&g->ports, "ports", &guest_port_ops, g, 8);
    g_assert_true(space_add(&g->vm->pio, &g->ports, LOG_PORT, 0, NULL));
    region_init_io(&g->exit_port, "exit", &guest_exit_ops, g, 4);
    g_assert_true(space_add(&g->vm->pio, &g->exit_port, EXIT_PORT, 0, NULL));
    g->notifier = (struct vm_notifier){ .fn = guest_phase, .opaque = g };
    vm_add_notifier(g->vm, &g->notifier);
    g->k = kvm_new(g->vm, cfg ? cfg : &plain, &err);
    g_assert_no_error(err);
    return g;
}

/* Entry at CODE with a stack below it; for CPU_LONG64 the first 4 GiB are identity-mapped by tables at
 * 0x2000. */
static inline void guest_entry(struct guest *g, enum cpu_mode mode)
{
    struct boot_cpu_state st = {
        .mode = mode, .rip = CODE, .rsp = CODE, .cs = 8, .ds = 16, .gdt_base = 0x1000, .gdt_limit = 39
    };
    uint8_t *ram = g->vm->ram.block.host;

    st_le64(ram + 0x1008, 0x00cf9b000000ffff); /* 32-bit code, data, 64-bit code */
    st_le64(ram + 0x1010, 0x00cf93000000ffff);
    st_le64(ram + 0x1018, 0x00af9b000000ffff);
    if (mode == CPU_REAL16)
        st.cs = st.ds = 0;
    if (mode == CPU_LONG64) {
        st.cs = 24;
        st.cr3 = 0x2000;
        st_le64(ram + 0x2000, 0x3003);
        for (unsigned i = 0; i < 4; i++) {
            st_le64(ram + 0x3000 + 8 * i, 0x4003 + 0x1000 * i);
            for (unsigned j = 0; j < 512; j++)
                st_le64(ram + 0x4000 + 0x1000 * i + 8 * j, ((uint64_t) i << 30 | j << 21) | 0x83);
        }
    }
    kvm_set_boot_regs(g->k, &st);
}

static inline gboolean guest_timeout(gpointer opaque)
{
    struct guest *g = opaque;

    g->vm->exit_code = TIMED_OUT;
    g->vm->done = true;
    return G_SOURCE_REMOVE;
}

static inline void guest_start(struct guest *g)
{
    GError *err = NULL;

    kvm_start_cpus(g->k, &err);
    g_assert_no_error(err);
    vm_reset(g->vm);
    g_assert_true(vm_cont(g->vm));
}

/* Turn the main loop until the guest ends, or `seconds` passed: its exit code. */
static inline int guest_loop(struct guest *g, unsigned seconds)
{
    GSource *src = g_timeout_source_new_seconds(seconds);

    g_source_set_callback(src, guest_timeout, g, NULL);
    g_source_attach(src, g->vm->main.ctx);
    g->vm->done = false;
    vm_run(g->vm);
    g_source_destroy(src);
    g_source_unref(src);
    return g->vm->exit_code;
}

static inline void guest_free(struct guest *g)
{
    vm_stop(g->vm, RUN_PAUSED);
    kvm_free(g->k);
    vm_free(g->vm);
    g_string_free(g->log, TRUE);
    g_free(g);
}

static inline int guest_run(struct guest *g, enum cpu_mode mode)
{
    guest_entry(g, mode);
    guest_start(g);
    return guest_loop(g, 60);
}

#endif
