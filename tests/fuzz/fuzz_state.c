/* tests/fuzz/fuzz_state.c - a device is given hostile state; what it does not refuse must do no harm afterwards.
 *
 * Input: the class's name and a newline; patches of a good state, each n + 8 * kind, and what the kind says;
 * the script that follows the end of the patches (PATCH_END). */
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "state";

enum { PATCH_FIELD, /* field u16, offset in it u16, n + 1 bytes */
       PATCH_RAW,   /* offset u32, n + 1 bytes */
       PATCH_CUT,   /* length u32 */
       PATCH_SCRIPT, /* as the first: run up to 8 n bytes of script on the device before its state is taken */
       PATCH_END };
enum { MAX_PATCHES = 64, BIG = 64 * KiB };

struct field {
    guint at, len; /* of its elements */
};

/* The format is that of vmm/core/state.c: name, element size, count, elements; a struct has size 0, and its
 * fields follow. */
static GArray *fields_of(const GByteArray *state)
{
    GArray *fields = g_array_new(FALSE, FALSE, sizeof(struct field));

    for (guint at = 0; at < state->len;) {
        guint head = 1u + state->data[at] + 8;
        struct field f = { at + head,
                           ld_le32(state->data + at + head - 8) * ld_le32(state->data + at + head - 4) };
        if (f.len && f.len <= BIG)
            g_array_append_val(fields, f);
        at = f.at + f.len;
    }
    return fields;
}

static void patch(struct input *in, GByteArray *state)
{
    GArray *fields = fields_of(state);
    guint full = state->len;

    for (int i = 0; i < MAX_PATCHES && input_left(in); i++) {
        uint8_t b = input_u8(in);
        unsigned kind = b >> 3, n = b & 7;
        size_t len;
        if (kind == PATCH_END)
            break;
        if (kind == PATCH_FIELD && fields->len) {
            struct field f = g_array_index(fields, struct field, input_int(in, 2) % fields->len);
            guint off = (guint) input_int(in, 2) % f.len;
            const uint8_t *p = input_bytes(in, MIN(n + 1, f.len - off), &len);
            memcpy(state->data + f.at + off, p, len);
        } else if (kind == PATCH_RAW && full) {
            guint off = (guint) input_int(in, 4) % full;
            const uint8_t *p = input_bytes(in, MIN(n + 1, full - off), &len);
            memcpy(state->data + off, p, len);
        } else if (kind == PATCH_CUT && full) {
            guint cut = (guint) input_int(in, 4);
            g_byte_array_set_size(state, MIN(state->len, cut));
            break;
        }
    }
    g_array_unref(fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    struct catalog_rig r = catalog_rig_new(input_class(&in), CATALOG_FULL);
    GError *err = NULL;

    bool fresh = !input_left(&in) || *in.p >> 3 != PATCH_SCRIPT;
    if (!fresh) {
        size_t len;
        const uint8_t *p = input_bytes(&in, 1u + 8 * (*in.p & 7u), &len);
        script_run(&r, &(struct input){ p + 1, p + len });
    }
    GByteArray *state = catalog_rig_save(&r);
    GByteArray *before = g_byte_array_new();
    g_byte_array_append(before, state->data, state->len);
    patch(&in, state);
    if (!device_load(r.d, state->data, state->len, &err)) {
        g_assert_null(strchr(err->message, '\n'));
        g_clear_error(&err);
        GByteArray *after = catalog_rig_save(&r);
        char *text = fresh ? catalog_state_differs(before, after) : NULL;
        if (text)
            g_error("%s: a state that was refused left something: %s", r.d->cls->name, text);
        g_byte_array_unref(after);
    }
    g_byte_array_unref(before);
    g_byte_array_unref(state);
    script_run(&r, &in);
    catalog_rig_free(&r);
    return 0;
}
