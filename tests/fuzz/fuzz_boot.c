/* tests/fuzz/fuzz_boot.c - hostile kernels: bzImage, ELF, Multiboot.
 *
 * Input: the kernel; its last byte says how it is booted. */
#include "tests/fuzz/fuzz.h"
#include "vmm/boot/boot.h"

#include <sys/mman.h>
#include <unistd.h>

const char fuzz_name[] = "boot";

enum { BY_DATA = 1, WITH_INITRD = 2, WITH_APPEND = 4, LEGACY = 8, LOW_TOP = 16, MODULES = 32 };
enum { RAM = 32 * MiB };

static char *memory_file(const void *data, size_t len, int *fd)
{
    *fd = memfd_create("fuzz", MFD_CLOEXEC);
    g_assert_cmpint(*fd, >=, 0);
    g_assert_cmpint(write(*fd, data, len), ==, (ssize_t) len);
    return g_strdup_printf("/proc/self/fd/%d", *fd);
}

static void check(GError **err)
{
    g_assert_nonnull(*err);
    g_assert_null(strchr((*err)->message, '\n'));
    g_clear_error(err);
}

static void boot(struct ram *ram, const struct boot_config *cfg, const uint8_t *data, size_t size,
                 bool by_data)
{
    static const struct e820_entry map[] = { { 0, 0x9fc00, E820_RAM }, { MiB, RAM - MiB, E820_RAM } };
    const struct boot_facts facts = { map, 2, 0xf1230, true };
    struct boot_cpu_state cpu;
    GError *err = NULL;
    struct boot_image *img = by_data ? boot_load_data(ram, "built-in", data, size, cfg, &err) :
        boot_load(ram, cfg, &err);

    if (!img) {
        check(&err);
        return;
    }
    g_assert_nonnull(boot_protocol(img));
    for (int i = 0; i < 2; i++) /* every reset places it again */
        if (!boot_place(img, ram, &facts, &cpu, &err))
            check(&err);
    boot_free(img);
}

static void legacy(const struct ram *ram, const struct boot_config *cfg)
{
    struct boot_legacy l = { 0 };
    GError *err = NULL;

    if (boot_legacy_load(ram, cfg, &l, &err))
        boot_legacy_free(&l);
    else
        check(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ram ram;
    unsigned flags = size ? data[size - 1] : 0;
    int fd = -1, initrd_fd = -1;

    if (!ram.block.host) {
        g_assert_true(ram_block_alloc(&ram.block, "ram", RAM, NULL, NULL));
        ram.below_4g = RAM;
    }
    char *kernel = flags & BY_DATA ? NULL : memory_file(data, size, &fd);
    char *file = flags & (WITH_INITRD | MODULES) ? memory_file("initrd", 6, &initrd_fd) : NULL;
    char *initrd = flags & MODULES ? g_strdup_printf("%s one,%s two words", file, file) : g_strdup(file);
    struct boot_config cfg = { kernel, initrd, flags & WITH_APPEND ? "console=ttyS0 vga=ask mem=16M" : NULL,
                               flags & LOW_TOP ? 2 * MiB : RAM - 64 * KiB };

    if (flags & LEGACY && kernel)
        legacy(&ram, &cfg);
    else
        boot(&ram, &cfg, data, size, flags & BY_DATA);
    if (fd >= 0)
        close(fd);
    if (initrd_fd >= 0)
        close(initrd_fd);
    g_free(kernel);
    g_free(file);
    g_free(initrd);
    return 0;
}
