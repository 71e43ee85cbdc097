/* hw/pc/aml.c - writing AML.  Source: ACPI Specification 6.3, 20.2 and 6.4. */
#include "hw/pc/aml.h"

enum {
    OP_ZERO = 0x00, OP_ONE = 0x01, OP_NAME = 0x08, OP_BYTE = 0x0a, OP_WORD = 0x0b, OP_DWORD = 0x0c,
    OP_QWORD = 0x0e, OP_STRING = 0x0d,
    OP_SCOPE = 0x10, OP_BUFFER = 0x11, OP_PACKAGE = 0x12, DUAL_NAME = 0x2e, MULTI_NAME = 0x2f,
    OP_EXT = 0x5b,
    EXT_DEVICE = 0x82, EXT_PROCESSOR = 0x83, OP_ONES = 0xff,
};
enum { RES_WORD = 0x88, RES_DWORD = 0x87, RES_QWORD = 0x8a, RES_IO = 0x47, RES_MEM32_FIXED = 0x86, RES_IRQ = 0x89,
       RES_END = 0x79 };
enum { PRODUCER_MIN_MAX_FIXED = 0x0c, MEM_WRITE = 1, MEM_CACHEABLE = 2, IO_ENTIRE = 3 };

static void put(GByteArray *out, uint64_t v, unsigned size)
{
    uint8_t b[8];

    st_le64(b, v);
    g_byte_array_append(out, b, size);
}

static void put_seg(GByteArray *out, const char *name, size_t len)
{
    char seg[4] = { '_', '_', '_', '_' };

    g_assert(len >= 1 && len <= 4);
    memcpy(seg, name, len);
    g_byte_array_append(out, (const uint8_t *) seg, 4);
}

void aml_path(GByteArray *out, const char *path)
{
    if (*path == '\\') {
        put(out, '\\', 1);
        path++;
    }
    char **segs = g_strsplit(path, ".", -1);
    unsigned n = g_strv_length(segs);
    if (n == 0)
        put(out, 0, 1); /* NullName: the root itself */
    else if (n == 2)
        put(out, DUAL_NAME, 1);
    else if (n > 2)
        put(out, MULTI_NAME | n << 8, 2);
    for (unsigned i = 0; i < n; i++)
        put_seg(out, segs[i], strlen(segs[i]));
    g_strfreev(segs);
}

void aml_int(GByteArray *out, uint64_t v)
{
    if (v <= 1) {
        put(out, v ? OP_ONE : OP_ZERO, 1);
        return;
    }
    unsigned size = v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffffff ? 4 : 8;
    put(out, size == 1 ? OP_BYTE : size == 2 ? OP_WORD : size == 4 ? OP_DWORD : OP_QWORD, 1);
    put(out, v, size);
}

void aml_string(GByteArray *out, const char *s)
{
    put(out, OP_STRING, 1);
    g_byte_array_append(out, (const uint8_t *) s, (guint) strlen(s) + 1);
}

void aml_name(GByteArray *out, const char *name)
{
    put(out, OP_NAME, 1);
    aml_path(out, name);
}

/* PkgLength (20.2.4) counts itself: one byte up to 63, else a nibble and one to three bytes. */
static void put_length(GByteArray *out, size_t content)
{
    unsigned extra = content + 1 <= 0x3f ? 0 : content + 2 <= 0xfff ? 1 : content + 3 <= 0xfffff ? 2 : 3;
    size_t len = content + 1 + extra;

    g_assert(len <= 0xfffffff);
    if (!extra) {
        put(out, len, 1);
        return;
    }
    put(out, extra << 6 | (len & 0x0f), 1);
    put(out, len >> 4, extra);
}

static void put_wrapped(GByteArray *out, GByteArray *head, GByteArray *body)
{
    put_length(out, head->len + body->len);
    g_byte_array_append(out, head->data, head->len);
    g_byte_array_append(out, body->data, body->len);
    g_byte_array_unref(head);
    g_byte_array_unref(body);
}

void aml_scope(GByteArray *out, const char *path, GByteArray *body)
{
    GByteArray *head = g_byte_array_new();

    put(out, OP_SCOPE, 1);
    aml_path(head, path);
    put_wrapped(out, head, body);
}

void aml_device(GByteArray *out, const char *name, GByteArray *body)
{
    GByteArray *head = g_byte_array_new();

    put(out, OP_EXT | EXT_DEVICE << 8, 2);
    aml_path(head, name);
    put_wrapped(out, head, body);
}

void aml_package(GByteArray *out, unsigned n, GByteArray *body)
{
    GByteArray *head = g_byte_array_new();

    g_assert(n <= 255);
    put(out, OP_PACKAGE, 1);
    put(head, n, 1);
    put_wrapped(out, head, body);
}

void aml_buffer(GByteArray *out, GByteArray *body)
{
    GByteArray *head = g_byte_array_new();

    put(out, OP_BUFFER, 1);
    aml_int(head, body->len);
    put_wrapped(out, head, body);
}

void aml_processor(GByteArray *out, const char *name, unsigned id)
{
    GByteArray *head = g_byte_array_new();

    put(out, OP_EXT | EXT_PROCESSOR << 8, 2);
    aml_path(head, name);
    put(head, id, 1);
    put(head, 0, 5); /* no processor block */
    put_wrapped(out, head, g_byte_array_new());
}

/* --- resources ----------------------------------------------------------------------------------- */

void aml_res_io(GByteArray *out, uint16_t min, uint16_t max, uint8_t align, uint8_t len)
{
    put(out, RES_IO | 1 << 8, 2); /* 16-bit decode */
    put(out, min, 2);
    put(out, max, 2);
    put(out, align, 1);
    put(out, len, 1);
}

static void res_range(GByteArray *out, unsigned tag, unsigned size, unsigned type, unsigned flags,
                      uint64_t min, uint64_t max)
{
    put(out, tag, 1);
    put(out, 3 + 5 * size, 2);
    put(out, type, 1);
    put(out, PRODUCER_MIN_MAX_FIXED, 1);
    put(out, flags, 1);
    put(out, 0, size); /* granularity */
    put(out, min, size);
    put(out, max, size);
    put(out, 0, size); /* translation */
    put(out, max - min + 1, size);
}

void aml_res_word(GByteArray *out, unsigned type, uint16_t min, uint16_t max)
{
    res_range(out, RES_WORD, 2, type, type == AML_RANGE_IO ? IO_ENTIRE : 0, min, max);
}

void aml_res_dword_mem(GByteArray *out, bool cacheable, uint32_t min, uint32_t max)
{
    res_range(out, RES_DWORD, 4, AML_RANGE_MEM, MEM_WRITE | (cacheable ? MEM_CACHEABLE : 0), min, max);
}

void aml_res_qword_mem(GByteArray *out, bool cacheable, uint64_t min, uint64_t max)
{
    res_range(out, RES_QWORD, 8, AML_RANGE_MEM, MEM_WRITE | (cacheable ? MEM_CACHEABLE : 0), min, max);
}

void aml_res_memory32(GByteArray *out, uint32_t base, uint32_t len)
{
    put(out, RES_MEM32_FIXED, 1);
    put(out, 9, 2);
    put(out, MEM_WRITE, 1);
    put(out, base, 4);
    put(out, len, 4);
}

void aml_res_interrupt(GByteArray *out, uint32_t gsi)
{
    enum { CONSUMER = 1, SHARED = 8 };

    put(out, RES_IRQ, 1);
    put(out, 6, 2);
    put(out, CONSUMER | SHARED, 1);
    put(out, 1, 1);
    put(out, gsi, 4);
}

void aml_res_end(GByteArray *out)
{
    put(out, RES_END, 2); /* checksum 0: not used */
}
