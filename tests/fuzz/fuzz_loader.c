/* tests/fuzz/fuzz_loader.c - hostile table loader scripts, and values of properties.
 *
 * Input: a byte of mode; MODE_PROPS: a class's name in a line, then a value in each line for all of its
 * properties.  Else sizes of files u8 each, where the tables go u32 twice, and commands in short. */
#include "hw/pc/table_loader.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "loader";

enum { MODE_PROPS = 0x70 /* 'p' */ };
enum { N_FILES = 8, MAX_COMMANDS = 200, RAM = 4 * MiB, NAME = 56 };

static const char *const names[N_FILES] = {
    "etc/acpi/rsdp", "etc/acpi/tables", "etc/smbios/smbios-tables", "etc/smbios/smbios-anchor", "a", "b", "",
    "a-name-of-fifty-five-characters-is-the-longest-there-is"
};

struct files {
    GByteArray *script;
    size_t len[N_FILES];
    uint8_t data[64 * KiB];
};

static const uint8_t *find(void *opaque, const char *name, size_t *len)
{
    struct files *f = opaque;

    if (!strcmp(name, "etc/table-loader")) {
        *len = f->script->len;
        return f->script->data;
    }
    for (unsigned i = 0; i < N_FILES; i++)
        if (!strcmp(name, names[i]) && f->len[i] != 255) {
            *len = f->len[i];
            return f->data;
        }
    return NULL;
}

/* A command: kind u8, files u8 (two of 4 bits; 8 and up: bytes of the input), up to three numbers u32, as the
 * kind has them. */
static void add_command(struct input *in, GByteArray *script)
{
    uint8_t c[128] = { 0 };
    unsigned kind = input_u8(in), files = input_u8(in), n[2] = { files & 15, files >> 4 };
    size_t len;

    for (int i = 0; i < 2; i++)
        if (n[i] < N_FILES)
            strncpy((char *) c + 4 + i * NAME, names[n[i]], NAME);
        else if (i == 0 || kind % 4 == 2) {
            const uint8_t *p = input_bytes(in, n[i] == 15 ? NAME : 4, &len);
            memcpy(c + 4 + i * NAME, p, len);
        }
    st_le32(c, kind < 16 ? kind % 4 : kind);
    if (kind % 4 == 1) {
        memset(c + 60, 0, sizeof c - 60);
        st_le32(c + 60, kind & 128 ? (uint32_t) input_int(in, 4) : 1u << input_u8(in) % 32);
        c[64] = input_u8(in);
    } else if (kind % 4 == 2) {
        st_le32(c + 116, (uint32_t) input_int(in, kind & 128 ? 4 : 1));
        c[120] = input_u8(in);
    } else if (kind % 4 == 3) {
        memset(c + 60, 0, sizeof c - 60);
        for (int i = 0; i < 3; i++)
            st_le32(c + 60 + 4 * i, (uint32_t) input_int(in, kind & 128 ? 4 : 1));
    }
    g_byte_array_append(script, c, sizeof c);
}

static void run_loader(struct input *in)
{
    static struct ram ram;
    struct files *f = g_new0(struct files, 1);
    GError *err = NULL;

    if (!ram.block.host) {
        g_assert_true(ram_block_alloc(&ram.block, "ram", RAM, NULL, NULL));
        ram.below_4g = RAM;
    }
    f->script = g_byte_array_new();
    for (unsigned i = 0; i < N_FILES; i++) {
        f->len[i] = input_u8(in);
        if (f->len[i] > 200 && f->len[i] < 255)
            f->len[i] = (f->len[i] - 200) * 1000;
    }
    uint64_t high = input_int(in, 4);
    struct table_space sp = { .ram = &ram, .high = MIN(high, RAM), .fseg = 0xf0000 };
    for (int i = 0; i < MAX_COMMANDS && input_left(in); i++)
        add_command(in, f->script);
    if (f->script->len) /* the last may be a piece of one */
        g_byte_array_set_size(f->script, f->script->len - in->end[-1] % 128);
    if (!table_loader_run(&sp, find, f, &err)) {
        g_assert_nonnull(err);
        g_clear_error(&err);
    }
    g_assert_true(sp.high <= RAM && sp.fseg <= MiB && sp.rsdp < RAM && sp.smbios < RAM);
    g_byte_array_unref(f->script);
    g_free(f);
}

static void set_props(struct input *in)
{
    const struct device_class *cls = input_class(in);
    struct bench *b = bench_new(0);

    for (char *value; (value = input_line(in)); g_free(value)) {
        struct device *d = device_new(b->vm, cls, NULL);
        for (const struct prop *p = cls->props; p && p->type != PT_END; p++) {
            GError *err = NULL;
            if (!device_set(d, p->name, value, &err)) {
                g_assert_nonnull(err);
                g_clear_error(&err);
            }
            g_free(device_get(d, p->name));
            g_free(prop_type_text(p));
        }
        uint64_t v;
        bool on;
        parse_bool("x", value, &on, NULL);
        parse_u64("x", value, 0, UINT64_MAX, &v, NULL);
        parse_size("x", value, 'M', &v, NULL);
        device_free(d);
    }
    bench_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };

    if (input_u8(&in) == MODE_PROPS)
        set_props(&in);
    else if (input_left(&in))
        run_loader(&in);
    return 0;
}
