/* vmm/boot/image.c - files and pieces of a kernel, and how they get into memory. */
#include "vmm/boot/image.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct boot_file *boot_open(struct boot_image *img, const char *what, const char *path, GError **err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        fail(err, "%s: cannot open '%s': %s", what, path, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        fail(err, "%s: '%s' is %s", what, path,
             S_ISDIR(st.st_mode) ? "a directory, not a file" : S_ISREG(st.st_mode) ? "empty" : "not a regular file");
        close(fd);
        return NULL;
    }
    struct boot_file *f = g_new0(struct boot_file, 1);
    *f = (struct boot_file){ g_strdup(path), fd, NULL, (uint64_t) st.st_size };
    g_ptr_array_add(img->files, f);
    return f;
}

static void file_free(void *p)
{
    struct boot_file *f = p;

    if (f->fd >= 0)
        close(f->fd);
    g_free(f->name);
    g_free(f);
}

bool boot_read(const struct boot_file *f, uint64_t off, void *buf, size_t len)
{
    if (!range_fits(off, len, f->size))
        return false;
    if (f->data) {
        memcpy(buf, f->data + off, len);
        return true;
    }
    for (char *p = buf; len;) {
        ssize_t n = pread(f->fd, p, len, (off_t) off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        off += (uint64_t) n;
        len -= (size_t) n;
    }
    return true;
}

bool boot_add_piece(struct boot_image *img, const struct ram *ram, uint64_t top, struct boot_file *f, uint64_t off,
                    uint64_t len, uint64_t gpa, uint64_t mem, GError **err)
{
    struct piece p = { f, off, len, gpa, MAX(len, mem) };

    if (!range_fits(off, len, f->size))
        return fail(err,
            "kernel '%s' is cut short: it needs bytes 0x%" PRIx64 " to 0x%" PRIx64 ", the file has 0x%" PRIx64,
                    f->name, off, off + len, f->size);
    if (!range_fits(gpa, p.mem, MIN(top, ram->below_4g)) || gpa < BOOT_PAGES + 6 * PAGE_SIZE_4K)
        return fail(err, "'%s' wants memory at 0x%" PRIx64 " to 0x%" PRIx64 ", which is not free below 0x%" PRIx64
                    "; use a larger -m",
                    f->name, gpa, gpa + p.mem, top);
    if (gpa + p.mem > BOOT_LOW_END && gpa < 0x100000)
        return fail(err, "'%s' wants memory at 0x%" PRIx64 ", where the PC has none", f->name, gpa);
    g_array_append_val(img->pieces, p);
    img->load_end = MAX(img->load_end, gpa + p.mem);
    return true;
}

bool boot_add_high(struct boot_image *img, const struct ram *ram, uint64_t top, uint64_t limit, struct boot_file *f,
                   uint64_t *gpa, GError **err)
{
    uint64_t end = MIN(MIN(top, ram->below_4g), limit);
    uint64_t floor = ROUND_UP(img->load_end, PAGE_SIZE_4K);

    if (f->size > end || ROUND_DOWN(end - f->size, PAGE_SIZE_4K) < floor)
        return fail(err, "initrd '%s' (%" PRIu64 " MiB) does not fit into memory behind the kernel (%" PRIu64
                    " MiB are free); use a larger -m", f->name, (uint64_t) ((f->size + MiB - 1) / MiB),
                    (uint64_t) (end > floor ? (end - floor) / MiB : 0));
    *gpa = ROUND_DOWN(end - f->size, PAGE_SIZE_4K);
    struct piece p = { f, 0, f->size, *gpa, f->size };
    g_array_append_val(img->pieces, p);
    return true;
}

static struct boot_image *image_new(void)
{
    struct boot_image *img = g_new0(struct boot_image, 1);

    img->files = g_ptr_array_new_with_free_func(file_free);
    img->pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
    img->modules = g_array_new(FALSE, FALSE, sizeof(struct boot_module));
    return img;
}

void boot_free(struct boot_image *img)
{
    if (!img)
        return;
    for (unsigned i = 0; i < img->modules->len; i++)
        g_free(g_array_index(img->modules, struct boot_module, i).args);
    g_ptr_array_free(img->files, TRUE);
    g_array_free(img->pieces, TRUE);
    g_array_free(img->modules, TRUE);
    g_free(img->cmdline);
    g_free(img);
}

static bool load(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err)
{
    static int (*const loaders[])(struct boot_image *, const struct ram *, const struct boot_config *, GError **) = {
        boot_try_bzimage, boot_try_multiboot, boot_try_elf,
    };
    img->cmdline = g_strdup(cfg->append ? cfg->append : "");
    if (strlen(img->cmdline) >= BOOT_CMDLINE_MAX)
        return fail(err, "-append: the command line has %zu characters, more than %d", strlen(img->cmdline),
                    BOOT_CMDLINE_MAX - 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(loaders); i++) {
        int r = loaders[i](img, ram, cfg, err);
        if (r)
            return r > 0;
    }
    return fail(err,
                "-kernel: '%s' is no kernel that can be loaded: not a Linux bzImage, a Multiboot kernel, or an ELF "
                "file with a PVH entry", img->kernel->name);
}

struct boot_image *boot_load(const struct ram *ram, const struct boot_config *cfg, GError **err)
{
    struct boot_image *img = image_new();

    img->kernel = boot_open(img, "-kernel", cfg->kernel, err);
    if (img->kernel && load(img, ram, cfg, err))
        return img;
    boot_free(img);
    return NULL;
}

struct boot_image *boot_load_data(const struct ram *ram, const char *name, const void *data, size_t len,
                                  const struct boot_config *cfg, GError **err)
{
    struct boot_image *img = image_new();

    img->kernel = g_new0(struct boot_file, 1);
    *img->kernel = (struct boot_file){ g_strdup(name), -1, data, len };
    g_ptr_array_add(img->files, img->kernel);
    if (load(img, ram, cfg, err))
        return img;
    boot_free(img);
    return NULL;
}

bool boot_place(struct boot_image *img, struct ram *ram, const struct boot_facts *facts, struct boot_cpu_state *cpu,
                GError **err)
{
    for (unsigned i = 0; i < img->pieces->len; i++) {
        const struct piece *p = &g_array_index(img->pieces, struct piece, i);
        uint8_t *to = ram_ptr(ram, p->gpa, p->mem); /* checked when it was added */
        if (!boot_read(p->file, p->off, to, p->len))
            return fail(err, "cannot read '%s' again: it changed while in use", p->file->name);
        memset(to + p->len, 0, p->mem - p->len);
        ram_block_mark_dirty(&ram->block, (uint64_t) (to - ram->block.host), p->mem);
    }
    return img->place(img, ram, facts, cpu) || fail(err, "'%s': no room for its parameters", img->kernel->name);
}

const char *boot_protocol(const struct boot_image *img)
{
    return img->protocol;
}

/* --- how the CPU enters -------------------------------------------------------------------------- */

void boot_put_cmdline(struct ram *ram, const char *text)
{
    memcpy(ram_ptr(ram, BOOT_CMDLINE, BOOT_CMDLINE_MAX), text, strlen(text) + 1);
}

/* Flat segments at the selectors that Linux (10h, 18h) and Multiboot (any) expect. */
static void put_gdt(struct ram *ram, struct boot_cpu_state *cpu, bool long_mode)
{
    uint8_t *gdt = ram_ptr(ram, BOOT_GDT, 32);

    memset(gdt, 0, 32);
    st_le64(gdt + 16, long_mode ? 0x00af9b000000ffffULL : 0x00cf9b000000ffffULL);
    st_le64(gdt + 24, 0x00cf93000000ffffULL);
    cpu->gdt_base = BOOT_GDT;
    cpu->gdt_limit = 31;
    cpu->cs = 0x10;
    cpu->ds = 0x18;
}

void boot_flat32(struct ram *ram, struct boot_cpu_state *cpu, uint64_t entry)
{
    *cpu = (struct boot_cpu_state){ .mode = CPU_PROT32, .rip = entry, .rsp = BOOT_PARAMS };
    put_gdt(ram, cpu, false);
}

/* The first 4 GiB one to one, in pages of 2 MiB. */
void boot_long64(struct ram *ram, struct boot_cpu_state *cpu, uint64_t entry)
{
    uint8_t *pages = ram_ptr(ram, BOOT_PAGES, 6 * PAGE_SIZE_4K);

    *cpu = (struct boot_cpu_state){ .mode = CPU_LONG64, .rip = entry, .rsp = BOOT_PARAMS, .cr3 = BOOT_PAGES };
    put_gdt(ram, cpu, true);
    memset(pages, 0, 2 * PAGE_SIZE_4K);
    st_le64(pages, BOOT_PAGES + PAGE_SIZE_4K + 3);
    for (unsigned i = 0; i < 4; i++)
        st_le64(pages + PAGE_SIZE_4K + 8 * i, BOOT_PAGES + (2 + i) * PAGE_SIZE_4K + 3);
    for (uint64_t i = 0; i < 4 * 512; i++)
        st_le64(pages + 2 * PAGE_SIZE_4K + 8 * i, i << 21 | 0x83);
}
