/* vmm/boot/elf.c - ELF kernels: Linux's vmlinux by the 64- or 32-bit Linux entry, others by PVH.
 * Sources: ELF-64 Object File Format 1.5; Xen's elfnote.h and arch-x86/hvm/start_info.h.
 *
 * Which entry: an ELF note of owner "Xen" and type GUEST_OS that says "linux" marks a Linux kernel: its
 * e_entry takes the zero page, which tells it about the screen, what PVH can't.  Anything else with a
 * PHYS32_ENTRY note is entered by PVH. */
#include "vmm/boot/image.h"

enum { PT_LOAD = 1, PT_NOTE = 4, EM_386 = 3, EM_X86_64 = 62, ET_EXEC = 2, ET_DYN = 3 };
enum { NOTE_GUEST_OS = 6, NOTE_PHYS32_ENTRY = 18, MAX_NOTES = 1 << 20 };

int elf_parse(const struct boot_file *f, struct elf_info *elf, GError **err)
{
    uint8_t h[64], ph[56];

    memset(elf, 0, sizeof *elf);
    if (!boot_read(f, 0, h, 52) || memcmp(h, "\177ELF", 4) != 0)
        return 0;
    elf->is64 = h[4] == 2;
    if ((h[4] != 1 && h[4] != 2) || h[5] != 1 || (elf->is64 && !boot_read(f, 0, h, 64)))
        return fail(err, "-kernel: '%s' is a damaged or foreign ELF file", f->name) - 1;
    elf->machine = ld_le16(h + 18);
    if (elf->machine != EM_386 && elf->machine != EM_X86_64)
        return fail(err, "-kernel: '%s' is an ELF file for another processor (machine %u)", f->name, elf->machine) - 1;
    if (ld_le16(h + 16) != ET_EXEC && ld_le16(h + 16) != ET_DYN)
        return fail(err, "-kernel: '%s' is an ELF file that can't be run: an object file or a core dump", f->name) - 1;
    elf->entry = elf->is64 ? ld_le64(h + 24) : ld_le32(h + 24);
    uint64_t phoff = elf->is64 ? ld_le64(h + 32) : ld_le32(h + 28);
    unsigned phsize = ld_le16(h + (elf->is64 ? 54 : 42)), n = ld_le16(h + (elf->is64 ? 56 : 44));
    unsigned need = elf->is64 ? 56 : 32;
    if (n == 0 || n > G_N_ELEMENTS(elf->seg) || phsize < need || phoff > f->size)
        return fail(err, "-kernel: '%s': its ELF program headers are damaged", f->name) - 1;
    for (unsigned i = 0; i < n; i++) {
        if (!boot_read(f, phoff + (uint64_t) i * phsize, ph, need))
            return fail(err, "-kernel: '%s' is cut short: its ELF program headers are not all there", f->name) - 1;
        struct elf_segment *s = &elf->seg[elf->n++];
        if (elf->is64)
            *s = (struct elf_segment){ ld_le32(ph), ld_le64(ph + 8), ld_le64(ph + 16), ld_le64(ph + 24),
                ld_le64(ph + 32),
                                       ld_le64(ph + 40) };
        else
            *s = (struct elf_segment){ ld_le32(ph), ld_le32(ph + 4), ld_le32(ph + 8), ld_le32(ph + 12),
                ld_le32(ph + 16),
                                       ld_le32(ph + 20) };
    }
    return 1;
}

bool elf_add_segments(struct boot_image *img, const struct ram *ram, uint64_t top,
                      const struct elf_info *elf, GError **err)
{
    bool any = false;

    for (unsigned i = 0; i < elf->n; i++) {
        const struct elf_segment *s = &elf->seg[i];
        if (s->type != PT_LOAD || !s->memsz)
            continue;
        if (s->filesz > s->memsz)
            return fail(err, "-kernel: '%s': segment %u is larger in the file than in memory", img->kernel->name, i);
        if (!boot_add_piece(img, ram, top, img->kernel, s->off, s->filesz, s->paddr, s->memsz, err))
            return false;
        any = true;
    }
    return any || fail(err, "-kernel: '%s': there is nothing to load in it", img->kernel->name);
}

/* The Xen notes of interest.  Damaged notes are skipped: they are hints, not needed by every kernel. */
static void read_notes(const struct boot_file *f, const struct elf_info *elf, bool *is_linux, uint64_t *pvh)
{
    for (unsigned i = 0; i < elf->n; i++) {
        const struct elf_segment *s = &elf->seg[i];
        if (s->type != PT_NOTE || s->filesz > MAX_NOTES)
            continue;
        uint8_t *buf = g_malloc(s->filesz ? s->filesz : 1);
        size_t at = 0, len = boot_read(f, s->off, buf, s->filesz) ? s->filesz : 0;
        while (len - at >= 12) {
            uint64_t namesz = ld_le32(buf + at), descsz = ld_le32(buf + at + 4);
            uint32_t type = ld_le32(buf + at + 8);
            uint64_t name = at + 12, desc = name + ROUND_UP(namesz, 4), end = desc + ROUND_UP(descsz, 4);
            if (desc + descsz > len)
                break;
            bool xen = namesz == 4 && !memcmp(buf + name, "Xen", 4);
            if (xen && type == NOTE_GUEST_OS && descsz >= 5 && !memcmp(buf + desc, "linux", 5))
                *is_linux = true;
            if (xen && type == NOTE_PHYS32_ENTRY && (descsz == 4 || descsz == 8))
                *pvh = ld_le(buf + desc, (unsigned) descsz);
            if (end > len)
                break;
            at = end;
        }
        g_free(buf);
    }
}

/* --- PVH ----------------------------------------------------------------------------------------- */

enum { PVH_MAGIC = 0x336ec578, PVH_MAX_MAP = 64 };

static bool pvh_place(struct boot_image *img, struct ram *ram, const struct boot_facts *facts,
                      struct boot_cpu_state *cpu)
{
    uint8_t *info = ram_ptr(ram, BOOT_INFO, 0x1000);
    unsigned n = MIN(facts->n_e820, PVH_MAX_MAP);
    uint64_t map = BOOT_INFO + 0x100, mods = BOOT_INFO + 0x80;

    memset(info, 0, 0x1000);
    st_le32(info, PVH_MAGIC);
    st_le32(info + 4, 1); /* version: has a memory map */
    st_le32(info + 12, img->initrd_len ? 1 : 0);
    st_le64(info + 16, img->initrd_len ? mods : 0);
    st_le64(info + 24, BOOT_CMDLINE);
    st_le64(info + 32, facts->rsdp);
    st_le64(info + 40, map);
    st_le32(info + 48, n);
    st_le64(info + 0x80, img->initrd_gpa);
    st_le64(info + 0x88, img->initrd_len);
    for (unsigned i = 0; i < n; i++) {
        st_le64(info + 0x100 + 24 * i, facts->e820[i].addr);
        st_le64(info + 0x108 + 24 * i, facts->e820[i].size);
        st_le32(info + 0x110 + 24 * i, facts->e820[i].type);
    }
    boot_put_cmdline(ram, img->cmdline);
    boot_flat32(ram, cpu, img->entry);
    cpu->rbx = BOOT_INFO;
    return true;
}

int boot_try_elf(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err)
{
    struct elf_info elf;
    uint64_t pvh = UINT64_MAX;
    int r = elf_parse(img->kernel, &elf, err);

    if (r <= 0)
        return r;
    read_notes(img->kernel, &elf, &img->is_linux, &pvh);
    if (!img->is_linux && pvh == UINT64_MAX)
        return fail(err,
                    "-kernel: '%s' is an ELF file that is neither a Linux kernel, nor Multiboot, nor has a PVH entry",
                    img->kernel->name) - 1;
    if (!elf_add_segments(img, ram, cfg->top, &elf, err))
        return -1;
    img->long_mode = img->is_linux && elf.is64;
    img->entry = img->is_linux ? elf.entry : pvh;
    if (img->is_linux && elf.is64 && elf.entry >= 4 * GiB) { /* a vmlinux whose e_entry is virtual */
        img->is_linux = false;
        img->entry = pvh;
    }
    if (img->entry >= 4 * GiB || !ram_ptr(ram, img->entry, 1))
        return fail(err, "-kernel: '%s': its entry point 0x%" PRIx64 " is not in memory", img->kernel->name,
                    img->entry) - 1;
    img->protocol = !img->is_linux ? "PVH" : img->long_mode ? "Linux 64-bit (vmlinux)" : "Linux 32-bit (vmlinux)";
    img->place = img->is_linux ? linux_place : pvh_place;
    return linux_initrd(img, ram, cfg, 0x80000000, err) ? 1 : -1;
}
