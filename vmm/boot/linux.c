/* vmm/boot/linux.c - Linux: bzImage, the zero page, and the 16-bit set-up for a boot through firmware.
 * Source: Linux Documentation/arch/x86/boot.rst (protocol 2.15) and zero-page.rst.
 *
 * Deviations: protocols before 2.03 (kernels before 2.4.18) are refused: they can't say where an initrd
 * may lie, and no tool still makes them. */
#include "vmm/boot/image.h"

/* Offsets in the zero page (and, from 1f1h to 26ch, in the set-up sector) */
enum {
    SCREEN_INFO = 0x000, SETUP_DATA = 0x250,
    RSDP_ADDR = 0x070, E820_ENTRIES = 0x1e8, SETUP_SECTS = 0x1f1, SYSSIZE = 0x1f4,
    BOOT_FLAG = 0x1fe,
    JUMP_LEN = 0x201, HEADER = 0x202, VERSION = 0x206, TYPE_OF_LOADER = 0x210, LOADFLAGS = 0x211, CODE32_START = 0x214,
    RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, HEAP_END_PTR = 0x224, CMD_LINE_PTR = 0x228, INITRD_ADDR_MAX = 0x22c,
    KERNEL_ALIGNMENT = 0x230, RELOCATABLE = 0x234, XLOADFLAGS = 0x236, CMDLINE_SIZE = 0x238, PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260, E820_TABLE = 0x2d0, ZERO_PAGE = 4096, E820_MAX = 128,
};
enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, XLF_KERNEL_64 = 1, LOADER_UNKNOWN = 0xff };
enum { SETUP_ADDR = 0x10000, SETUP_MAX = 0x10000 };

bool linux_initrd(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg,
                  uint64_t limit, GError **err)
{
    if (!cfg->initrd)
        return true;
    struct boot_file *f = boot_open(img, "-initrd", cfg->initrd, err);
    if (!f || !boot_add_high(img, ram, cfg->top, limit, f, &img->initrd_gpa, err))
        return false;
    img->initrd_len = f->size;
    return true;
}

/* screen_info of a PC in text mode 3, as the BIOS and the 16-bit set-up would have found it. */
static void put_screen_info(uint8_t *zp, bool vga_text)
{
    if (!vga_text)
        return;
    zp[0x06] = 3;                /* orig_video_mode */
    zp[0x07] = 80;               /* orig_video_cols */
    zp[0x0e] = 25;               /* orig_video_lines */
    zp[0x0f] = 1;                /* orig_video_isVGA */
    st_le16(zp + 0x10, 16);      /* orig_video_points */
}

bool linux_place(struct boot_image *img, struct ram *ram, const struct boot_facts *facts, struct boot_cpu_state *cpu)
{
    uint8_t *zp = ram_ptr(ram, BOOT_PARAMS, ZERO_PAGE);
    unsigned n = MIN(facts->n_e820, E820_MAX);

    memset(zp, 0, ZERO_PAGE);
    memcpy(zp + SETUP_SECTS, img->setup_header, img->setup_header_len);
    if (!img->setup_header_len) { /* vmlinux has no header: what the kernel itself reads of it */
        st_le16(zp + BOOT_FLAG, 0xaa55);
        memcpy(zp + HEADER, "HdrS", 4);
        st_le16(zp + VERSION, 0x020f);
        zp[LOADFLAGS] = LOADED_HIGH;
        st_le32(zp + KERNEL_ALIGNMENT, 0x200000);
        st_le32(zp + CMDLINE_SIZE, 2047);
        st_le32(zp + INITRD_ADDR_MAX, 0x7fffffff);
    }
    zp[TYPE_OF_LOADER] = LOADER_UNKNOWN;
    zp[LOADFLAGS] |= CAN_USE_HEAP;
    st_le16(zp + HEAP_END_PTR, 0xfe00);
    st_le32(zp + CMD_LINE_PTR, BOOT_CMDLINE);
    st_le32(zp + RAMDISK_IMAGE, (uint32_t) img->initrd_gpa);
    st_le32(zp + RAMDISK_SIZE, (uint32_t) img->initrd_len);
    st_le64(zp + RSDP_ADDR, facts->rsdp);
    st_le64(zp + SETUP_DATA, facts->setup_data);
    put_screen_info(zp, facts->vga_text);
    zp[E820_ENTRIES] = (uint8_t) n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *e = zp + E820_TABLE + 20 * i;
        st_le64(e, facts->e820[i].addr);
        st_le64(e + 8, facts->e820[i].size);
        st_le32(e + 16, facts->e820[i].type);
    }
    boot_put_cmdline(ram, img->cmdline);
    if (img->long_mode)
        boot_long64(ram, cpu, img->entry);
    else
        boot_flat32(ram, cpu, img->entry);
    cpu->rsi = BOOT_PARAMS;
    return true;
}

/* --- bzImage ------------------------------------------------------------------------------------- */

struct header {
    unsigned version, setup_len;
    uint32_t initrd_max, cmdline_size, align, init_size;
    uint64_t pref;
    bool relocatable, has64;
};

/* The header of a bzImage; 1, 0 (something else) or -1. */
static int read_header(struct boot_image *img, struct header *h, GError **err)
{
    const struct boot_file *f = img->kernel;
    uint8_t s[0x270] = { 0 };

    if (!boot_read(f, 0, s, sizeof s) || ld_le16(s + BOOT_FLAG) != 0xaa55 || memcmp(s + HEADER, "HdrS", 4) != 0)
        return 0;
    h->version = ld_le16(s + VERSION);
    if (h->version < 0x203 || !(s[LOADFLAGS] & LOADED_HIGH))
        return fail(err, "-kernel: '%s' is a Linux kernel of an old boot protocol (%u.%02u%s); "
                    "2.03 (Linux 2.4.18) or newer is needed",
                    f->name, h->version >> 8, h->version & 0xff, s[LOADFLAGS] & LOADED_HIGH ? "" : ", zImage") - 1;
    h->setup_len = ((s[SETUP_SECTS] ? s[SETUP_SECTS] : 4) + 1) * 512u;
    if (h->setup_len >= f->size)
        return fail(err, "-kernel: '%s' is cut short: it ends within its set-up code", f->name) - 1;
    h->initrd_max = ld_le32(s + INITRD_ADDR_MAX);
    h->cmdline_size = h->version >= 0x206 ? ld_le32(s + CMDLINE_SIZE) : 255;
    h->relocatable = h->version >= 0x205 && s[RELOCATABLE];
    h->align = h->version >= 0x205 ? ld_le32(s + KERNEL_ALIGNMENT) : 0;
    h->has64 = h->version >= 0x20c && (ld_le16(s + XLOADFLAGS) & XLF_KERNEL_64);
    h->pref = h->version >= 0x20a ? ld_le64(s + PREF_ADDRESS) : 0x100000;
    h->init_size = h->version >= 0x20a ? ld_le32(s + INIT_SIZE) : 0;
    if (strlen(img->cmdline) > h->cmdline_size)
        return fail(err, "-append: the command line has %zu characters, this kernel takes %u", strlen(img->cmdline),
                    h->cmdline_size) - 1;
    unsigned end = MIN(0x202u + s[JUMP_LEN], (unsigned) sizeof s); /* the header ends where the jump at 200h goes */
    img->setup_header_len = MIN(end - SETUP_SECTS, (unsigned) sizeof img->setup_header);
    memcpy(img->setup_header, s + SETUP_SECTS, img->setup_header_len);
    return 1;
}

int boot_try_bzimage(struct boot_image *img, const struct ram *ram, const struct boot_config *cfg, GError **err)
{
    struct header h;
    int r = read_header(img, &h, err);

    if (r <= 0)
        return r;
    uint64_t gpa = 0x100000, len = img->kernel->size - h.setup_len;
    /* A relocatable kernel likes its preferred address, where it need not move; when it does not fit there, the
     * traditional one. */
    uint64_t need = MAX(len, h.init_size);
    if (h.relocatable && h.pref > gpa && range_fits(h.pref, need, MIN(cfg->top, ram->below_4g)))
        gpa = h.pref;
    if (!boot_add_piece(img, ram, cfg->top, img->kernel, h.setup_len, len, gpa, len, err))
        return -1;
    /* What it unpacks to is claimed, but not zeroed: that is its own business. */
    img->load_end = MAX(img->load_end, MAX(gpa, MIN(h.pref, UINT32_MAX)) + need); /* all RAM is below 4 GiB here */
    if (img->load_end > MIN(cfg->top, ram->below_4g))
        return fail(err, "-kernel: '%s' needs %" PRIu64 " MiB of memory to start; use a larger -m", img->kernel->name,
                    (uint64_t) ((img->load_end + MiB - 1) / MiB)) - 1;
    st_le32(img->setup_header + (CODE32_START - SETUP_SECTS), (uint32_t) gpa);
    img->is_linux = true;
    img->long_mode = h.has64;
    img->entry = gpa + (h.has64 ? 0x200 : 0);
    img->protocol = h.has64 ? "Linux 64-bit (bzImage)" : "Linux 32-bit (bzImage)";
    img->place = linux_place;
    return linux_initrd(img, ram, cfg, (uint64_t) h.initrd_max + 1, err) ? 1 : -1;
}

/* --- through firmware ----------------------------------------------------------------------------- */

static GByteArray *slurp(const struct boot_file *f, uint64_t off, uint64_t len)
{
    GByteArray *a = g_byte_array_sized_new((guint) len);

    g_byte_array_set_size(a, (guint) len);
    if (!boot_read(f, off, a->data, len))
        g_clear_pointer(&a, g_byte_array_unref);
    return a;
}

bool boot_legacy_load(const struct ram *ram, const struct boot_config *cfg, struct boot_legacy *out, GError **err)
{
    struct boot_image *img = boot_load(ram, cfg, err);
    bool ok = false;

    *out = (struct boot_legacy){ .setup_addr = SETUP_ADDR, .kernel_addr = 0x100000, .cmdline_addr = BOOT_CMDLINE };
    if (!img)
        return false;
    if (!img->setup_header_len) {
        fail(err, "-kernel: '%s' is no bzImage, and only a bzImage can be started through -bios; leave out -bios",
             cfg->kernel);
        goto out;
    }
    uint64_t setup_len = ((img->setup_header[0] ? img->setup_header[0] : 4) + 1) * 512u;
    out->setup = slurp(img->kernel, 0, setup_len);
    out->kernel = slurp(img->kernel, setup_len, img->kernel->size - setup_len);
    if (img->initrd_len) {
        out->initrd = slurp(img->files->pdata[1], 0, img->initrd_len);
        out->initrd_addr = (uint32_t) img->initrd_gpa;
    }
    if (!out->setup || !out->kernel || (img->initrd_len && !out->initrd) || setup_len > SETUP_MAX) {
        fail(err, "-kernel: cannot read '%s'", cfg->kernel);
        goto out;
    }
    out->cmdline = g_strdup(img->cmdline);
    uint8_t *s = out->setup->data;
    s[TYPE_OF_LOADER] = 0xb0; /* as QEMU's loader: kernels know its option ROM by it */
    s[LOADFLAGS] |= CAN_USE_HEAP;
    st_le16(s + HEAP_END_PTR, (uint16_t) (BOOT_CMDLINE - SETUP_ADDR - 0x200));
    st_le32(s + CMD_LINE_PTR, BOOT_CMDLINE);
    st_le32(s + RAMDISK_IMAGE, out->initrd_addr);
    st_le32(s + RAMDISK_SIZE, (uint32_t) img->initrd_len);
    st_le32(s + CODE32_START, out->kernel_addr);
    ok = true;
out:
    boot_free(img);
    if (!ok)
        boot_legacy_free(out);
    return ok;
}

void boot_legacy_free(struct boot_legacy *l)
{
    GByteArray *a[] = { l->setup, l->kernel, l->initrd };

    for (unsigned i = 0; i < G_N_ELEMENTS(a); i++)
        if (a[i])
            g_byte_array_unref(a[i]);
    g_free(l->cmdline);
    *l = (struct boot_legacy){ 0 };
}
