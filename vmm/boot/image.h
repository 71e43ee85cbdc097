/* vmm/boot/image.h - what the loaders of vmm/boot/ share: files, pieces, checks.  Private to vmm/boot/. */
#ifndef BANTAM_BOOT_IMAGE_H
#define BANTAM_BOOT_IMAGE_H

#include "vmm/base/error.h"
#include "vmm/boot/boot.h"

struct boot_file {
    char *name;
    int fd;              /* -1: data is in memory */
    const uint8_t *data; /* of a built-in one */
    uint64_t size;
};

struct piece { /* [off, off+len) of a file goes to gpa, followed by zeros up to mem */
    struct boot_file *file;
    uint64_t off, len, gpa, mem;
};

struct boot_module {
    uint64_t gpa, len;
    char *args;
};

struct boot_image {
    const char *protocol;
    struct boot_file *kernel;
    GPtrArray *files;   /* struct boot_file *, owned */
    GArray *pieces;     /* struct piece */
    GArray *modules;    /* struct boot_module */
    char *cmdline;
    uint64_t entry;
    uint64_t initrd_gpa, initrd_len;
    bool is_linux, long_mode;
    uint8_t setup_header[256]; /* Linux: the header as the zero page gets it, from offset 1f1h */
    unsigned setup_header_len;
    uint64_t load_end;         /* first byte after what the kernel needs */
    bool (*place)(struct boot_image *img, struct ram *ram, const struct boot_facts *facts, struct boot_cpu_state *cpu);
};

struct boot_file *boot_open(struct boot_image *img, const char *what, const char *path, GError **err);
/* All of [off, off+len), or false. */
bool boot_read(const struct boot_file *f, uint64_t off, void *buf, size_t len);
/* Note a piece; refuses what is not in the file or not in RAM below 4 GiB (below `top`). */
bool boot_add_piece(struct boot_image *img, const struct ram *ram, uint64_t top, struct boot_file *f, uint64_t off,
                    uint64_t len, uint64_t gpa, uint64_t mem, GError **err);
/* Put a file as high as possible below `limit` and `top`, above the kernel; fills gpa. */
bool boot_add_high(struct boot_image *img, const struct ram *ram, uint64_t top, uint64_t limit, struct boot_file *f,
                   uint64_t *gpa, GError **err);

/* Loaders: 1 loaded, 0 not this format, -1 error. */
int boot_try_bzimage(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err);
int boot_try_multiboot(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err);
int boot_try_elf(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err);

/* ELF program headers of 32- and 64-bit files alike. */
struct elf_segment {
    uint32_t type;
    uint64_t off, vaddr, paddr, filesz, memsz;
};
struct elf_info {
    bool is64;
    uint16_t machine;
    uint64_t entry;
    unsigned n;
    struct elf_segment seg[64];
};
int elf_parse(const struct boot_file *f, struct elf_info *elf, GError **err); /* as the loaders */
bool elf_add_segments(struct boot_image *img, const struct ram *ram, uint64_t top,
                      const struct elf_info *elf, GError **err);

bool linux_initrd(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg,
                  uint64_t limit, GError **err);
bool linux_place(struct boot_image *img, struct ram *ram, const struct boot_facts *facts, struct boot_cpu_state *cpu);

/* Write the command line to BOOT_CMDLINE; and the stub's GDT and identity page tables. */
void boot_put_cmdline(struct ram *ram, const char *text);
void boot_flat32(struct ram *ram, struct boot_cpu_state *cpu, uint64_t entry);
void boot_long64(struct ram *ram, struct boot_cpu_state *cpu, uint64_t entry);

#endif
