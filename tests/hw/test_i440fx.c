/* tests/hw/test_i440fx.c - 82441FX: configuration mechanism, PAM, SMRAM, memory map (290549). */
#include "hw/pc/i440fx.h"
#include "hw/pc/piix3.h"
#include "tests/hw/bench.h"

struct machine {
    struct bench *b;
    struct device *d;
    struct pci_bus *bus;
};

static struct machine setup(uint64_t below, uint64_t above)
{
    struct machine m = { .b = bench_new(0) };
    struct ram *ram = &m.b->vm->ram;
    GError *err = NULL;

    ram_block_alloc(&ram->block, "ram", below + above, NULL, &err);
    g_assert_no_error(err);
    ram->below_4g = below;
    ram->above_4g = above;
    m.d = bench_add(m.b, &i440fx_class, NULL);
    m.bus = i440fx_bus(m.d);
    return m;
}

static void set_bios(struct machine *m, size_t len)
{
    uint8_t *rom = g_malloc(len);
    GError *err = NULL;

    for (size_t i = 0; i < len; i++)
        rom[i] = (uint8_t) (0x80 | (i >> 12)); /* the page number */
    g_assert_true(i440fx_set_bios(m->d, rom, len, &err));
    g_assert_no_error(err);
    g_free(rom);
}

static void cfg(struct machine *m, unsigned devfn, unsigned off, uint32_t v, unsigned size)
{
    outl(m->b, 0xcf8, 0x80000000 | devfn << 8 | (off & 0xfc));
    space_write(&m->b->vm->pio, 0xcfc + (off & 3), v, size);
}
static uint32_t cfg_read(struct machine *m, unsigned devfn, unsigned off, unsigned size)
{
    outl(m->b, 0xcf8, 0x80000000 | devfn << 8 | (off & 0xfc));
    return (uint32_t) space_read(&m->b->vm->pio, 0xcfc + (off & 3), size);
}

static void test_mechanism(void)
{
    struct machine m = setup(16 * MiB, 0);

    g_assert_cmphex(inl(m.b, 0xcfc), ==, 0xffffffff); /* not enabled */
    outl(m.b, 0xcf8, 0x80000000);
    g_assert_cmphex(inl(m.b, 0xcf8), ==, 0x80000000);
    g_assert_cmphex(inl(m.b, 0xcfc), ==, 0x12378086);
    g_assert_cmphex(inw(m.b, 0xcfe), ==, 0x1237);
    g_assert_cmphex(inb(m.b, 0xcfd), ==, 0x80);
    outl(m.b, 0xcf8, 0xffffffff); /* reserved bits read 0 */
    g_assert_cmphex(inl(m.b, 0xcf8), ==, 0x80fffffc);
    g_assert_cmphex(inl(m.b, 0xcfc), ==, 0xffffffff); /* bus 255 */
    outl(m.b, 0xcf8, 0x80010000); /* bus 1 */
    g_assert_cmphex(inl(m.b, 0xcfc), ==, 0xffffffff);
    outl(m.b, 0xcf8, 0x80000008);
    outb(m.b, 0xcf8, 0); /* only a doubleword is decoded */
    outw(m.b, 0xcfa, 0);
    g_assert_cmphex(inb(m.b, 0xcf8), ==, 0xff);
    g_assert_cmphex(inl(m.b, 0xcf8), ==, 0x80000008);
    g_assert_cmphex(inl(m.b, 0xcfc), ==, 0x06000002);
    outl(m.b, 0xcf8, 0x800000fc); /* the end: nothing past 256 bytes */
    inl(m.b, 0xcfd);
    outl(m.b, 0xcfe, 0xffffffff);

    g_assert_cmphex(cfg_read(&m, 0, PCI_COMMAND, 4), ==, 0x02800006);
    cfg(&m, 0, PCI_COMMAND, 0xffff, 2);
    g_assert_cmphex(cfg_read(&m, 0, PCI_COMMAND, 2), ==, 0x0146);
    g_assert_cmphex(cfg_read(&m, 0, 0x72, 1), ==, 0x02);
    g_assert_cmphex(cfg_read(&m, 0, 0x60, 4), ==, 0x01010101);
    bench_free(m.b);
}

static void set_pam(struct machine *m, unsigned seg, unsigned attr)
{
    unsigned off = seg == 12 ? 0x59 : 0x5a + seg / 2, shift = seg == 12 || (seg & 1) ? 4 : 0;
    uint8_t v = (uint8_t) cfg_read(m, 0, off, 1);

    cfg(m, 0, off, (v & ~(3u << shift)) | attr << shift, 1);
}

static void test_pam(void)
{
    struct machine m = setup(16 * MiB, 0);

    set_bios(&m, 256 * KiB);
    memset(ram_at(m.b, 0xa0000), 0x11, 0x60000);
    for (unsigned seg = 0; seg < 13; seg++) {
        uint64_t at = 0xc0000 + seg * 0x4000 + 0x123;
        uint64_t rom = at >= 0xe0000 ? 0x80 | ((at - 0xe0000 + 0x20000) >> 12) : 0xff;
        uint8_t *ram = ram_at(m.b, at);
        *ram = 0x33;
        set_pam(&m, seg, 0); /* all to PCI */
        g_assert_cmphex(mem_read(m.b, at, 1), ==, rom);
        mem_write(m.b, at, 0x44, 1);
        g_assert_cmphex(*ram, ==, 0x33);
        g_assert_cmphex(mem_read(m.b, at, 1), ==, rom);
        set_pam(&m, seg, 2); /* read PCI, write RAM */
        g_assert_cmphex(mem_read(m.b, at, 1), ==, rom);
        mem_write(m.b, at, 0x55, 1);
        mem_write(m.b, at + 1, 0x0123456789abcdef, 8);
        g_assert_cmphex(*ram, ==, 0x55);
        g_assert_cmphex(ld_le64(ram + 1), ==, 0x0123456789abcdef);
        g_assert_cmphex(mem_read(m.b, at, 1), ==, rom);
        set_pam(&m, seg, 1); /* read RAM, write PCI */
        g_assert_cmphex(mem_read(m.b, at, 1), ==, 0x55);
        mem_write(m.b, at, 0x66, 4);
        g_assert_cmphex(mem_read(m.b, at, 1), ==, 0x55);
        set_pam(&m, seg, 3);
        mem_write(m.b, at, 0x77, 1);
        g_assert_cmphex(*ram, ==, 0x77);
        g_assert_cmphex(mem_read(m.b, at, 1), ==, 0x77);
        /* its neighbours are not touched */
        uint64_t next = seg == 12 ? 0xeffff : at + 0x4000;
        g_assert_cmphex(mem_read(m.b, next, 1), ==,
                        seg == 12 ? 0x11 : next >= 0xe0000 ? 0x80 | ((next - 0xc0000) >> 12) : 0xff);
    }
    g_assert_cmphex(mem_read(m.b, 0xffffc000, 1), ==, 0xbc); /* the ROM at the top stays */
    mem_write(m.b, 0xffffc000, 0, 1);
    g_assert_cmphex(mem_read(m.b, 0xffffc000, 1), ==, 0xbc);
    g_assert_cmphex(mem_read(m.b, 0xfffc0000, 1), ==, 0x80);
    g_assert_cmphex(mem_read(m.b, 0xfffbffff, 1), ==, 0xff);

    /* a reset brings the ROM back and keeps RAM */
    device_reset_all(m.b->vm);
    g_assert_cmphex(mem_read(m.b, 0xf0123, 1), ==, 0xb0);
    g_assert_cmphex(*ram_at(m.b, 0xf0123), ==, 0x77);
    cfg(&m, 0, 0x59, 0x30, 1);
    cfg(&m, 0, 0x5a, 0x3333, 2);
    cfg(&m, 0, 0x5c, 0x33333333, 4);
    g_assert_cmphex(mem_read(m.b, 0xf0123, 1), ==, 0x77);
    g_assert_cmphex(cfg_read(&m, 0, 0x5c, 4), ==, 0x33333333);
    cfg(&m, 0, 0x59, 0xffffffff, 4); /* reserved bits read 0 */
    g_assert_cmphex(cfg_read(&m, 0, 0x58, 4), ==, 0x33333010);
    bench_free(m.b);
}

/* A copy of the ROM over itself, as firmware makes its shadow. */
static void test_shadow_copy(void)
{
    struct machine m = setup(16 * MiB, 0);

    set_bios(&m, 128 * KiB);
    cfg(&m, 0, 0x59, 0x20, 1);
    cfg(&m, 0, 0x5e, 0x2222, 2);
    for (uint64_t at = 0xe0000; at < 0x100000; at += 8)
        mem_write(m.b, at, mem_read(m.b, at, 8), 8);
    cfg(&m, 0, 0x59, 0x10, 1);
    cfg(&m, 0, 0x5e, 0x1111, 2);
    for (uint64_t at = 0xe0000; at < 0x100000; at += 0x1000)
        g_assert_cmphex(mem_read(m.b, at, 8), ==, mem_read(m.b, at + 0xfff00000, 8));
    g_assert_cmphex(*ram_at(m.b, 0xfffff), ==, 0x9f);
    bench_free(m.b);
}

static void test_smram(void)
{
    struct machine m = setup(16 * MiB, 0);

    *ram_at(m.b, 0xa0000) = 0x5a;
    g_assert_cmphex(mem_read(m.b, 0xa0000, 1), ==, 0xff);
    cfg(&m, 0, 0x72, 0x4a, 1); /* D_OPEN, G_SMRAME */
    g_assert_cmphex(mem_read(m.b, 0xa0000, 1), ==, 0x5a);
    mem_write(m.b, 0xbffff, 0xa5, 1);
    g_assert_cmphex(*ram_at(m.b, 0xbffff), ==, 0xa5);
    cfg(&m, 0, 0x72, 0x0a, 1);
    g_assert_cmphex(mem_read(m.b, 0xa0000, 1), ==, 0xff);
    cfg(&m, 0, 0x72, 0x4a, 1);
    cfg(&m, 0, 0x72, 0x5a, 1); /* locking closes it, for good */
    g_assert_cmphex(cfg_read(&m, 0, 0x72, 1), ==, 0x1a);
    g_assert_cmphex(mem_read(m.b, 0xa0000, 1), ==, 0xff);
    cfg(&m, 0, 0x72, 0x4a, 1);
    g_assert_cmphex(cfg_read(&m, 0, 0x72, 1), ==, 0x1a);
    device_reset_all(m.b->vm);
    g_assert_cmphex(cfg_read(&m, 0, 0x72, 1), ==, 0x02);
    cfg(&m, 0, 0x72, 0x48, 1);
    g_assert_cmphex(mem_read(m.b, 0xa0000, 1), ==, 0x5a);
    bench_free(m.b);
}

/* A card whose BAR the guest puts where it likes */
struct card {
    struct pci_dev pci;
    struct pci_bar bar;
    unsigned hits;
};
static uint64_t hit(void *opaque, uint64_t off, unsigned size)
{
    (void) off, (void) size;
    ((struct card *) opaque)->hits++;
    return 0xcccccccccccccccc;
}
static bool card_realize(struct device *d, GError **err)
{
    static const struct region_ops ops = { .read = hit, .min = 1, .max = 8 };
    struct card *s = container_of(d, struct card, pci.dev);

    (void) err;
    region_init_io(&s->bar.region, "card", &ops, s, 32 * MiB);
    pci_register_bar(&s->pci, 0, &s->bar, PCI_BAR_MEM64);
    return true;
}
static const struct pci_info card_info = { .vendor = 1, .device = 2, .class_code = 0x020000 };
static const struct device_class card_class = { .name = "card", .size = sizeof(struct card),
                                                .bus = &pci_bus_class,
                                                .bus_info = &card_info, .realize = card_realize };

static void test_map(void)
{
    struct machine m = setup(64 * MiB, 16 * MiB);
    struct pci_hole hole;

    set_bios(&m, 256 * KiB);
    bench_add(m.b, &card_class, "addr=4");
    mem_write(m.b, 4 * GiB + 5, 0x99, 1);
    g_assert_cmphex(m.b->vm->ram.block.host[64 * MiB + 5], ==, 0x99);
    i440fx_pci_hole(m.d, &hole);
    g_assert_cmphex(hole.base32, ==, 64 * MiB);
    g_assert_cmphex(hole.last32, ==, 0xfebfffff);
    g_assert_cmphex(hole.base64, ==, 5 * GiB);
    g_assert_cmphex(hole.last64, ==, 0xffffffffff);

    unsigned fn = PCI_DEVFN(4, 0);
    cfg(&m, fn, PCI_COMMAND, 2, 2);
    cfg(&m, fn, 0x10, 0xfe000000, 4); /* over the APICs and the ROM */
    g_assert_cmphex(mem_read(m.b, 0xfe000000, 1), ==, 0xcc);
    g_assert_cmphex(mem_read(m.b, 0xfee00020, 4), ==, 0xffffffff);
    g_assert_cmphex(mem_read(m.b, 0xfec00000, 4), ==, 0xffffffff);
    g_assert_cmphex(mem_read(m.b, 0xfffffff0, 1), ==, 0xbf);
    g_assert_cmphex(mem_read(m.b, 0xfffbffff, 1), ==, 0xcc);
    cfg(&m, fn, 0x10, 0x02000000, 4); /* over RAM: not forwarded to PCI */
    mem_write(m.b, 0x2000000, 0x12, 1);
    g_assert_cmphex(mem_read(m.b, 0x2000000, 1), ==, 0x12);
    cfg(&m, fn, 0x10, 0, 4); /* over RAM above 4 GiB: it ends in the BAR */
    cfg(&m, fn, 0x14, 1, 4);
    g_assert_cmphex(mem_read(m.b, 4 * GiB + 5, 1), ==, 0x99);
    g_assert_cmphex(mem_read(m.b, 4 * GiB + 16 * MiB, 1), ==, 0xcc);
    cfg(&m, fn, 0x14, 0, 4);
    g_assert_cmphex(mem_read(m.b, 0xa0000, 1), ==, 0xff); /* address 0: not decoded */
    cfg(&m, fn, 0x10, 0xffffffff, 4); /* the size probe */
    cfg(&m, fn, 0x14, 0xffffffff, 4);
    g_assert_cmphex(cfg_read(&m, fn, 0x10, 4), ==, 0xfe000004);
    g_assert_cmphex(mem_read(m.b, UINT64_MAX, 1), ==, 0xff);

    GError *err = NULL;
    g_assert_false(i440fx_set_bios(m.d, "", 1, &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    bench_free(m.b);
}

static void test_state(void)
{
    struct machine m = setup(16 * MiB, 0);
    GByteArray *a = g_byte_array_new();
    GError *err = NULL;

    set_bios(&m, 64 * KiB);
    cfg(&m, 0, 0x59, 0x30, 1);
    cfg(&m, 0, 0x72, 0x4a, 1);
    *ram_at(m.b, 0xf0000) = 0x21;
    device_save(m.d, a);
    device_reset_all(m.b->vm);
    g_assert_cmphex(mem_read(m.b, 0xf0000, 1), ==, 0x80);
    g_assert_cmphex(mem_read(m.b, 0xe0000, 1), ==, 0xff);
    g_assert_true(device_load(m.d, a->data, a->len, &err));
    g_assert_no_error(err);
    g_assert_cmphex(mem_read(m.b, 0xf0000, 1), ==, 0x21);
    g_assert_cmphex(mem_read(m.b, 0xa0000, 1), ==, 0);
    g_byte_array_unref(a);
    bench_free(m.b);
}

static void test_trc(void)
{
    struct machine m = setup(16 * MiB, 0);

    cfg(&m, 0, 0x93, 0x02, 1);
    g_assert_cmphex(m.b->vm->requests, ==, 0);
    cfg(&m, 0, 0x93, 0x06, 1);
    g_assert_cmphex(m.b->vm->requests, ==, REQ_RESET);
    m.b->vm->requests = 0;
    bench_free(m.b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/i440fx/mechanism", test_mechanism);
    g_test_add_func("/i440fx/pam", test_pam);
    g_test_add_func("/i440fx/shadow", test_shadow_copy);
    g_test_add_func("/i440fx/smram", test_smram);
    g_test_add_func("/i440fx/map", test_map);
    g_test_add_func("/i440fx/state", test_state);
    g_test_add_func("/i440fx/trc", test_trc);
    return g_test_run();
}
