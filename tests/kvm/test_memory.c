/* tests/kvm/test_memory.c - memory slots, ROMs, dirty logs, eventfds and batched writes under running
 * vCPUs. */
#include "tests/kvm/guest.h"

#include <sys/eventfd.h>

#define EXIT(n) "mov $" #n ", %al\n out %al, $0xf4\n 9: hlt\n jmp 9b\n"

static uint8_t *ram(struct guest *g)
{
    return g->vm->ram.block.host;
}

/* --- ROM: reads from memory, writes to the handler or nowhere --------------------------------- */

GUEST(rom_code, 32,
      "mov $0xd0000000, %ebx\n movl (%ebx), %eax\n movl %eax, 0x600\n"
      "movl $0x12345678, (%ebx)\n movw $0xaabb, 0x1002(%ebx)\n movl (%ebx), %eax\n"
      "movl %eax, 0x604\n" EXIT(0));

static void test_rom(void)
{
    static const struct region_ops ops = { NULL, guest_port_write, .min = 1, .max = 4 };
    struct ram_block rom;
    struct region r;

    for (int silent = 0; silent < 2; silent++) {
        if (guest_no_kvm())
            return;
        struct guest *g = guest_new(NULL, rom_code, rom_code_end);
        g_assert_true(ram_block_alloc(&rom, "rom", 0x2000, NULL, NULL));
        st_le32(rom.host, 0xcafe1234);
        region_init_rom(&r, "rom", &rom, 0, 0x2000, silent ? NULL : &ops, g);
        g_assert_true(space_add(&g->vm->mem, &r, 0xd0000000, PRIO_PCI, NULL));
        g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 1);
        g_assert_cmphex(ld_le32(ram(g) + 0x600), ==, 0xcafe1234);
        g_assert_cmphex(ld_le32(ram(g) + 0x604), ==, 0xcafe1234);
        g_assert_cmpstr(g->log->str, ==, silent ? "" : "0:12345678 1002:aabb ");
        space_remove(&r);
        guest_free(g);
        ram_block_free(&rom);
    }
}

/* --- RAM whose ends fill no page: served by exits --------------------------------------------- */

GUEST(edge_code, 32,
    "mov $0xd0000ffe, %ebx\n movl $0x44332211, (%ebx)\n movl (%ebx), %eax\n mov %eax, 0x600\n"
    "movl $0x55667788, 0xd0001800 - 4\n movl $0x99, 0xd0001800\n"
    "mov 0xd0001800 - 2, %eax\n mov %eax, 0x604\n" EXIT(0));

static void test_edges(void)
{
    struct ram_block mem;
    struct region r;

    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, edge_code, edge_code_end);
    g_assert_true(ram_block_alloc(&mem, "mem", 0x2000, NULL, NULL));
    region_init_ram(&r, "mem", &mem, 0, 0x1800);
    g_assert_true(space_add(&g->vm->mem, &r, 0xd0000000, PRIO_PCI, NULL));
    g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 1);
    g_assert_cmphex(ld_le32(mem.host + 0xffe), ==, 0x44332211);
    g_assert_cmphex(ld_le32(ram(g) + 0x600), ==, 0x44332211);
    g_assert_cmphex(ld_le32(mem.host + 0x17fc), ==, 0x55667788);
    g_assert_cmphex(ld_le32(mem.host + 0x1800), ==, 0);
    g_assert_cmphex(ld_le32(ram(g) + 0x604), ==, 0xffff5566);
    space_remove(&r);
    guest_free(g);
    ram_block_free(&mem);
}

/* --- RAM over pages that KVM keeps for itself ------------------------------------------------- */

GUEST(clash_code, 32,
      "mov $0xfeffd000, %ebx\n movl $0x1234, (%ebx)\n mov (%ebx), %eax\n mov %eax, 0x600\n" EXIT(0));

static void test_clash(void)
{
    struct ram_block mem;
    struct region r;

    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, clash_code, clash_code_end);
    g_assert_true(ram_block_alloc(&mem, "mem", 0x4000, NULL, NULL));
    region_init_ram(&r, "mem", &mem, 0, 0x4000);
    g_assert_true(space_add(&g->vm->mem, &r, 0xfeffc000, PRIO_PCI, NULL));
    g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 1);
    g_assert_cmphex(ld_le32(ram(g) + 0x600), ==, 0x1234);
    space_remove(&r);
    guest_free(g);
    ram_block_free(&mem);
}

/* --- the map changes under a running CPU ------------------------------------------------------ */

/* CPU 0 toggles by port 0x100 %ecx times while CPU 1 counts in memory and in a register, executing from the
 * slot that comes and goes, and checks that what a thread writes into RAM (DMA) never goes back; then both
 * counts are compared. */
GUEST(swap_code, 32,
      "movl $0xfee000f0, %ebx\n movl $0x1ff, (%ebx)\n movl $0xfee00300, %ebx\n"
      "movl $0xc4500, (%ebx)\n mov $100000, %ecx\n 1: loop 1b\n movl $0xc4609, (%ebx)\n"
      "2: cmpb $0, 0x600\n je 2b\n"
      "mov 0x610, %ecx\n mov $0x100, %dx\n 3: out %al, %dx\n incl 0xc8004\n loop 3b\n"
      "movb $1, 0x601\n 4: cmpb $0, 0x602\n je 4b\n"
      "cmpb $1, 0x602\n jne 5f\n" EXIT(1) "5:\n" EXIT(2));
GUEST(swap_ap_code, 16,
    "xor %ax, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0xc000, %ax\n mov %ax, %es\n"
    "xor %eax, %eax\n xor %esi, %esi\n"
    "movb $1, 0x600\n"
    "1: inc %eax\n incl 0x620\n incl %es:0x8000\n mov 0x640, %edi\n cmp %esi, %edi\n"
    "jb 8f\n mov %edi, %esi\n"
    "cmpb $0, 0x601\n je 1b\n"
    "cmp 0x620, %eax\n jne 8f\n cmp %es:0x8000, %eax\n jne 8f\n movb $1, 0x602\n 9: hlt\n jmp 9b\n"
    "8: movb $2, 0x602\n hlt\n jmp 9b\n");

static struct region pam, bar;
static struct ram_block bar_ram;
static bool pam_is_rom;

static void toggle(struct guest *g, uint64_t off, uint64_t val, unsigned size)
{
    (void) off, (void) val, (void) size;
    /* a PAM segment changes its kind, and a frame buffer's BAR is switched off, moved, and switched on */
    region_enable(&bar, false);
    region_move(&bar, bar.base ^ 0x100000);
    region_enable(&bar, true);
    pam_is_rom = !pam_is_rom;
    region_set_ram(&pam, pam_is_rom ? REGION_ROM : REGION_RAM, &g->vm->ram.block, 0xc0000, NULL, NULL);
}

static gpointer dma_thread(gpointer opaque)
{
    struct guest *g = opaque;
    uint32_t n = 0;

    while (!__atomic_load_n(ram(g) + 0x602, __ATOMIC_RELAXED)) {
        __atomic_store_n((uint32_t *) (ram(g) + 0x640), ++n, __ATOMIC_RELAXED);
        if (n % 64 == 0)
            g_usleep(50);
    }
    return NULL;
}

/* BANTAM_TOGGLES=N, or by -m quick and slow */
static unsigned toggles(void)
{
    const char *n = g_getenv("BANTAM_TOGGLES");

    return n ? (unsigned) strtoul(n, NULL, 0) : g_test_slow() ? 100000 : 3000;
}

static void test_swap(void)
{
    struct kvm_config cfg = { .topo = { 2, 2, 1, 1, 2, 1 } };

    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(&cfg, swap_code, swap_code_end);
    memcpy(ram(g) + 0x9000, swap_ap_code, (size_t) (swap_ap_code_end - swap_ap_code));
    st_le32(ram(g) + 0x610, toggles());
    region_init_ram(&pam, "pam", &g->vm->ram.block, 0xc0000, 0x4000);
    pam_is_rom = false;
    g_assert_true(space_add(&g->vm->mem, &pam, 0xc0000, PRIO_PAM, NULL));
    g_assert_true(ram_block_alloc(&bar_ram, "bar", 1 * MiB, NULL, NULL));
    region_init_ram(&bar, "bar", &bar_ram, 0, 1 * MiB);
    g_assert_true(space_add(&g->vm->mem, &bar, 0xe0000000, PRIO_PCI, NULL));
    g->on_write = toggle;
    guest_entry(g, CPU_PROT32);
    guest_start(g);
    GThread *t = g_thread_new("dma", dma_thread, g);
    g_assert_cmpint(guest_loop(g, g_test_slow() ? 3400 : 300), ==, 3);
    g_thread_join(t);
    g_assert_cmpuint(ld_le32(ram(g) + 0xc8004), ==, toggles());
    g_test_message("CPU 1 counted to %u", ld_le32(ram(g) + 0x620));
    space_remove(&pam);
    space_remove(&bar);
    guest_free(g);
    ram_block_free(&bar_ram);
}

/* --- dirty log -------------------------------------------------------------------------------- */

GUEST(dirty_code, 32,
      "mov $0xd0000000, %ebx\n movb $1, 0x1000(%ebx)\n movb $1, 0x43000(%ebx)\n"
      "movb $1, 0x44fff(%ebx)\n"
      "mov $0x100, %dx\n out %al, %dx\n"            /* the host looks */
      "movb $2, 0x7f000(%ebx)\n inc %dx\n out %al, %dx\n" /* the host moves it away */
      EXIT(0));

static struct ram_block dirty_ram;
static struct region dirty_region;

static bool dirty_page(unsigned page)
{
    return ram_block_test_clear(&dirty_ram, DIRTY_DISPLAY, page * 4096ULL, 4096);
}

static void dirty_write(struct guest *g, uint64_t off, uint64_t val, unsigned size)
{
    (void) g, (void) val, (void) size;
    if (off == 0) {
        ram_block_sync(&dirty_ram);
        for (unsigned i = 0; i < 0x80; i++)
            g_assert_cmpint(dirty_page(i), ==, i == 1 || i == 0x43 || i == 0x44);
        ram_block_sync(&dirty_ram);
        g_assert_false(ram_block_test_clear(&dirty_ram, DIRTY_DISPLAY, 0, dirty_ram.size));
    } else {
        region_move(&dirty_region, 0xd1000000); /* the log must not go with the slot */
        g_assert_true(dirty_page(0x7f));
        region_set_log_dirty(&dirty_region, false);
    }
}

static void test_dirty(void)
{
    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, dirty_code, dirty_code_end);
    g_assert_true(ram_block_alloc(&dirty_ram, "vram", 0x80000, NULL, NULL));
    ram_block_track(&dirty_ram, DIRTY_DISPLAY, true);
    region_init_ram(&dirty_region, "vram", &dirty_ram, 0, 0x80000);
    g_assert_true(space_add(&g->vm->mem, &dirty_region, 0xd0000000, PRIO_PCI, NULL));
    region_set_log_dirty(&dirty_region, true); /* an existing slot gets a log */
    g->on_write = dirty_write;
    g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 1);
    space_remove(&dirty_region);
    guest_free(g);
    ram_block_free(&dirty_ram);
}

/* --- eventfds --------------------------------------------------------------------------------- */

GUEST(efd_code, 32,
      "mov $0x200, %dx\n mov $5, %ax\n out %ax, %dx\n mov $6, %ax\n out %ax, %dx\n"
      "movl $1, 0xd0000010\n mov $7, %ax\n out %ax, %dx\n" EXIT(0));

static uint64_t efd_count(int fd)
{
    uint64_t n = 0;
    return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

static void test_eventfd(void)
{
    static const struct region_ops ops = { NULL, guest_port_write, .min = 1, .max = 4 };
    struct region p, m;

    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, efd_code, efd_code_end);
    int a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK);
    struct region_eventfd pe = { .off = 0, .size = 2, .match = true, .value = 6, .fd = a },
                          me = { .off = 0x10, .fd = b };
    region_init_io(&p, "p", &ops, g, 4);
    region_init_io(&m, "m", &ops, g, 0x1000);
    g_assert_true(space_add(&g->vm->pio, &p, 0x200, 0, NULL));
    g_assert_true(space_add(&g->vm->mem, &m, 0xd0000000, PRIO_PCI, NULL));
    region_set_eventfds(&p, &pe, 1);
    region_set_eventfds(&m, &me, 1);
    g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 1);
    g_assert_cmpstr(g->log->str, ==, "0:0005 0:0007 "); /* the others did not come here */
    g_assert_cmpuint(efd_count(a), ==, 1);
    g_assert_cmpuint(efd_count(b), ==, 1);
    space_remove(&p);
    space_remove(&m);
    guest_free(g);
    close(a);
    close(b);
}

/* --- batched writes: their order is not visible ----------------------------------------------- */

GUEST(batch_code, 32,
    "mov $0xd0000000, %ebx\n mov $0x100, %dx\n"
    "movb $1, (%ebx)\n movb $2, 1(%ebx)\n mov $3, %al\n out %al, %dx\n"
    "movl $4, 4(%ebx)\n mov (%ebx), %eax\n"
    "mov $5, %al\n out %al, %dx\n"
    "mov $400, %ecx\n 1: movb $6, 8(%ebx)\n loop 1b\n" EXIT(0)); /* more than the ring takes */

static void test_batch(void)
{
    static const struct region_ops ops = { guest_port_read, guest_port_write, .min = 1, .max = 4 };
    struct region m;

    if (guest_no_kvm())
        return;
    struct guest *g = guest_new(NULL, batch_code, batch_code_end);
    region_init_io(&m, "m", &ops, g, 0x1000);
    m.coalesce = true;
    g_assert_true(space_add(&g->vm->mem, &m, 0xd0000000, PRIO_PCI, NULL));
    g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 1);
    g_assert_true(g_str_has_prefix(g->log->str, "0:01 1:02 0:03 4:00000004 0:05 8:06 8:06 "));
    g_assert_cmpuint(g->log->len, ==, strlen("0:01 1:02 0:03 4:00000004 0:05 ") + 400 * 5);
    g_string_truncate(g->log, 0);
    space_remove(&m);
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/memory/rom", test_rom);
    g_test_add_func("/kvm/memory/edges", test_edges);
    g_test_add_func("/kvm/memory/clash", test_clash);
    g_test_add_func("/kvm/memory/swap", test_swap);
    g_test_add_func("/kvm/memory/dirty", test_dirty);
    g_test_add_func("/kvm/memory/eventfd", test_eventfd);
    g_test_add_func("/kvm/memory/batch", test_batch);
    return g_test_run();
}
