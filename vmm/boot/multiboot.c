/* vmm/boot/multiboot.c - Multiboot 1 kernels, with modules.
 * Source: Multiboot Specification version 0.6.96.
 *
 * Deviations: the video mode fields are ignored (the screen is left in text mode, and the information
 * structure says so); APM, drives and the ROM configuration table are not described. */
#include "vmm/boot/image.h"

enum { MAGIC = 0x1badb002, LOADER_MAGIC = 0x2badb002, SEARCH = 8192, MAX_MODULES = 64 };
enum { WANT_PAGE_ALIGN = 1, WANT_MEMORY = 2, WANT_VIDEO = 4, WANT_KLUDGE = 1 << 16, MUST_KNOW = 0xffff };
enum { INFO_MEMORY = 1, INFO_CMDLINE = 4, INFO_MODS = 8, INFO_MMAP = 0x40, INFO_LOADER = 0x200,
    INFO_FRAMEBUFFER = 0x1000 };
/* Layout from BOOT_INFO: the structure, the loader's name, modules, the memory map; strings behind the command line */
enum { AT_NAME = 0x80, AT_MODS = 0xa0, AT_MMAP = AT_MODS + 16 * MAX_MODULES };

static uint64_t find_header(const struct boot_file *f, uint8_t h[48])
{
    size_t n = (size_t) MIN(f->size, SEARCH);
    uint8_t buf[SEARCH] = { 0 };

    if (!boot_read(f, 0, buf, n))
        return UINT64_MAX;
    for (size_t i = 0; i + 12 <= n; i += 4) {
        if (ld_le32(buf + i) != MAGIC || ld_le32(buf + i) + ld_le32(buf + i + 4) + ld_le32(buf + i + 8) != 0)
            continue;
        memcpy(h, buf + i, MIN(48, n - i));
        return i;
    }
    return UINT64_MAX;
}

/* The a.out kludge: addresses in the header say where everything goes. */
static bool add_kludge(struct boot_image *img, const struct ram *ram, uint64_t top, const uint8_t *h,
                       uint64_t at, GError **err)
{
    struct boot_file *f = img->kernel;
    uint64_t header = ld_le32(h + 12), load = ld_le32(h + 16), load_end = ld_le32(h + 20), bss_end = ld_le32(h + 24);

    if (header < load || header - load > at || (load_end && load_end < load) || (bss_end && bss_end < load))
        return fail(err, "-kernel: '%s': the addresses in its Multiboot header make no sense", f->name);
    uint64_t off = at - (header - load), len = load_end ? load_end - load : f->size - off;
    img->entry = ld_le32(h + 28);
    return boot_add_piece(img, ram, top, f, off, len, load, bss_end ? bss_end - load : len, err);
}

/* "-initrd 'file args,file args'": a comma in a name is written twice. */
static bool add_modules(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err)
{
    uint64_t at = ROUND_UP(img->load_end, PAGE_SIZE_4K);
    const char *p = cfg->initrd;

    while (p && *p) {
        GString *word = g_string_new(NULL);
        for (; *p && (*p != ',' || p[1] == ','); p++) {
            g_string_append_c(word, *p);
            p += *p == ',';
        }
        p += *p == ',';
        char *args = g_string_free(word, FALSE);
        char *name = g_strndup(args, strcspn(args, " "));
        struct boot_file *f = boot_open(img, "-initrd", name, err);
        g_free(name);
        struct boot_module m = { at, f ? f->size : 0, args };
        g_array_append_val(img->modules, m);
        if (!f || !boot_add_piece(img, ram, cfg->top, f, 0, f->size, at, f->size, err))
            return false;
        if (img->modules->len > MAX_MODULES)
            return fail(err, "-initrd: more than %d modules", MAX_MODULES);
        at = ROUND_UP(at + f->size, PAGE_SIZE_4K);
    }
    return true;
}

static bool put_string(struct ram *ram, uint64_t *at, const char *text, uint8_t *field)
{
    size_t len = strlen(text) + 1;

    if (*at + len > BOOT_LOW_END)
        return false;
    memcpy(ram_ptr(ram, *at, len), text, len);
    st_le32(field, (uint32_t) *at);
    *at += len;
    return true;
}

static bool place(struct boot_image *img, struct ram *ram, const struct boot_facts *facts, struct boot_cpu_state *cpu)
{
    uint8_t *info = ram_ptr(ram, BOOT_INFO, 0x1000);
    unsigned n = MIN(facts->n_e820, (0x1000u - AT_MMAP) / 24);
    uint64_t strings = BOOT_CMDLINE;
    char *cmdline = *img->cmdline ? g_strdup_printf("%s %s", img->kernel->name, img->cmdline)
        : g_strdup(img->kernel->name);
    bool ok = true;

    memset(info, 0, 0x1000);
    st_le32(info, INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER |
            (facts->vga_text ? INFO_FRAMEBUFFER : 0));
    st_le32(info + 4, BOOT_LOW_END / 1024);
    st_le32(info + 8, (uint32_t) ((ram->below_4g - MiB) / 1024));
    ok = put_string(ram, &strings, cmdline, info + 16);
    g_free(cmdline);
    st_le32(info + 20, img->modules->len);
    st_le32(info + 24, BOOT_INFO + AT_MODS);
    for (unsigned i = 0; i < img->modules->len; i++) {
        const struct boot_module *m = &g_array_index(img->modules, struct boot_module, i);
        uint8_t *e = info + AT_MODS + 16 * i;
        st_le32(e, (uint32_t) m->gpa);
        st_le32(e + 4, (uint32_t) (m->gpa + m->len));
        ok = ok && put_string(ram, &strings, m->args, e + 8);
    }
    st_le32(info + 44, n * 24);
    st_le32(info + 48, BOOT_INFO + AT_MMAP);
    for (unsigned i = 0; i < n; i++) {
        uint8_t *e = info + AT_MMAP + 24 * i;
        st_le32(e, 20);
        st_le64(e + 4, facts->e820[i].addr);
        st_le64(e + 12, facts->e820[i].size);
        st_le32(e + 20, facts->e820[i].type);
    }
    strcpy((char *) info + AT_NAME, "Bantam");
    st_le32(info + 64, BOOT_INFO + AT_NAME);
    if (facts->vga_text) { /* framebuffer_type 2: EGA text */
        st_le64(info + 88, 0xb8000);
        st_le32(info + 96, 160);
        st_le32(info + 100, 80);
        st_le32(info + 104, 25);
        info[108] = 16;
        info[109] = 2;
    }
    boot_flat32(ram, cpu, img->entry);
    cpu->rax = LOADER_MAGIC;
    cpu->rbx = BOOT_INFO;
    return ok;
}

int boot_try_multiboot(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err)
{
    struct boot_file *f = img->kernel;
    uint8_t h[48] = { 0 };
    uint64_t at = find_header(f, h);
    struct elf_info elf;

    if (at == UINT64_MAX)
        return 0;
    uint32_t flags = ld_le32(h + 4);
    if (flags & MUST_KNOW & ~(uint32_t) (WANT_PAGE_ALIGN | WANT_MEMORY | WANT_VIDEO))
        return fail(err, "-kernel: '%s' asks for Multiboot features that are not known (flags 0x%x)",
                    f->name, flags) - 1;
    if (flags & WANT_KLUDGE) {
        if (!add_kludge(img, ram, cfg->top, h, at, err))
            return -1;
    } else {
        int r = elf_parse(f, &elf, err);
        if (r == 0)
            fail(err, "-kernel: '%s' has a Multiboot header, but is no ELF file and gives no addresses", f->name);
        if (r <= 0)
            return -1;
        if (elf.is64)
            return fail(err,
                "-kernel: '%s' is a 64-bit Multiboot kernel; Multiboot 1 enters 32-bit ELF files", f->name) - 1;
        if (!elf_add_segments(img, ram, cfg->top, &elf, err))
            return -1;
        img->entry = elf.entry;
    }
    if (!ram_ptr(ram, img->entry, 1))
        return fail(err, "-kernel: '%s': its entry point 0x%" PRIx64 " is not in memory", f->name, img->entry) - 1;
    img->protocol = "Multiboot";
    img->place = place;
    return add_modules(img, ram, cfg, err) ? 1 : -1;
}
