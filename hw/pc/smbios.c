/* hw/pc/smbios.c - SMBIOS tables: what dmidecode shows.
 *
 * Source: DSP0134 2.8, chapter 5 (entry point) and 7 (structures).  Handles are those that
 * management tools know from QEMU's machines. */
#include "hw/pc/smbios.h"
#include "vmm/base/error.h"

enum { HEADER = 4, MAX_TABLES = 0xffff, DIMM_MAX_SHIFT = 34 /* 16 GiB */ };
enum { H_BIOS = 0x0000, H_SYSTEM = 0x0100, H_BOARD = 0x0200, H_CHASSIS = 0x0300, H_CPU = 0x0400,
       H_OEM = 0x0e00,
       H_ARRAY = 0x1000, H_DIMM = 0x1100, H_MAPPED = 0x1300, H_BOOT = 0x2000, H_END = 0x7f00 };

struct out {
    GByteArray *t;
    unsigned count, largest;
    bool have[256];     /* types that came by file= */
    guint start;        /* of the structure that is being made */
    GPtrArray *strings; /* its strings, not owned */
};

static void put(struct out *o, uint64_t v, unsigned size)
{
    uint8_t b[8];

    st_le64(b, v);
    g_byte_array_append(o->t, b, size);
}

static void put_str(struct out *o, const char *s) /* its number in the structure's set; 0: none */
{
    if (s && *s)
        g_ptr_array_add(o->strings, (gpointer) s);
    put(o, s && *s ? o->strings->len : 0, 1);
}

static void begin(struct out *o, unsigned type, unsigned handle)
{
    o->start = o->t->len;
    g_ptr_array_set_size(o->strings, 0);
    put(o, type, 1);
    put(o, 0, 1);
    put(o, handle, 2);
}

static void counted(struct out *o, size_t size)
{
    o->count++;
    o->largest = MAX(o->largest, (unsigned) size);
}

static void end(struct out *o)
{
    o->t->data[o->start + 1] = (uint8_t) (o->t->len - o->start);
    for (unsigned i = 0; i < o->strings->len; i++) {
        const char *s = o->strings->pdata[i];
        g_byte_array_append(o->t, (const uint8_t *) s, (guint) strlen(s) + 1);
    }
    put(o, 0, o->strings->len ? 1 : 2);
    counted(o, o->t->len - o->start);
}

static const char *or_else(const char *s, const char *otherwise)
{
    return s ? s : otherwise;
}

bool smbios_parse_uuid(const char *text, uint8_t uuid[16])
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    unsigned n = 0;

    if (strlen(text) != sizeof form - 1)
        return false;
    for (unsigned i = 0; form[i]; i++) {
        int digit = g_ascii_xdigit_value(text[i]);
        if (form[i] == '-' ? text[i] != '-' : digit < 0)
            return false;
        if (form[i] == '-')
            continue;
        uuid[n / 2] = (uint8_t) (n & 1 ? uuid[n / 2] | digit : digit << 4);
        n++;
    }
    return true;
}

/* --- structures ------------------------------------------------------------------------------------- */

static void bios(struct out *o, const struct pc_smbios *opt)
{
    enum { NOT_SUPPORTED = 1 << 3, TARGETED_CONTENT = 1 << 2, VIRTUAL_MACHINE = 1 << 4 };
    unsigned major = 0, minor = 0;

    if (opt->type0[3] && sscanf(opt->type0[3], "%u.%u", &major, &minor) < 1)
        major = minor = 0;
    begin(o, 0, H_BIOS);
    put_str(o, or_else(opt->type0[0], "Bantam"));
    put_str(o, or_else(opt->type0[1], "none"));
    put(o, 0xe800, 2);
    put_str(o, or_else(opt->type0[2], "01/01/2026"));
    put(o, 0, 1); /* 64 KiB */
    put(o, NOT_SUPPORTED, 8);
    put(o, (TARGETED_CONTENT | VIRTUAL_MACHINE) << 8, 2);
    put(o, major, 1);
    put(o, minor, 1);
    put(o, 0xffff, 2); /* no embedded controller */
    end(o);
}

static bool system_info(struct out *o, const struct smbios_info *info, const struct pc_smbios *opt,
                        GError **err)
{
    const char *text = opt->type1[4] ? opt->type1[4] : info->uuid;
    uint8_t uuid[16] = { 0 };

    if (text && !smbios_parse_uuid(text, uuid))
        return fail(err, "'%s' is no UUID; write 12345678-1234-1234-1234-123456789abc", text);
    begin(o, 1, H_SYSTEM);
    put_str(o, or_else(opt->type1[0], "Bantam"));
    put_str(o, or_else(opt->type1[1], info->product));
    put_str(o, or_else(opt->type1[2], info->version));
    put_str(o, opt->type1[3]);
    put(o, ld_be32(uuid), 4); /* the first three fields are little endian (7.2.1) */
    put(o, ld_be16(uuid + 4), 2);
    put(o, ld_be16(uuid + 6), 2);
    g_byte_array_append(o->t, uuid + 8, 8);
    put(o, 6, 1); /* woken by the power switch */
    put_str(o, opt->type1[5]);
    put_str(o, opt->type1[6]);
    end(o);
    return true;
}

static void board(struct out *o, const struct pc_smbios *opt)
{
    begin(o, 2, H_BOARD);
    put_str(o, opt->type2[0]);
    put_str(o, opt->type2[1]);
    put_str(o, opt->type2[2]);
    put_str(o, opt->type2[3]);
    put_str(o, opt->type2[4]);
    put(o, 1, 1); /* a hosting board */
    put_str(o, opt->type2[5]);
    put(o, H_CHASSIS, 2);
    put(o, 0x0a, 1); /* motherboard */
    put(o, 0, 1);
    end(o);
}

static void chassis(struct out *o, const struct smbios_info *info, const struct pc_smbios *opt)
{
    enum { OTHER = 1, UNKNOWN = 2, SAFE = 3 };

    begin(o, 3, H_CHASSIS);
    put_str(o, or_else(opt->type3[0], "Bantam"));
    put(o, OTHER, 1);
    put_str(o, or_else(opt->type3[1], info->version));
    put_str(o, opt->type3[2]);
    put_str(o, opt->type3[3]);
    put(o, SAFE, 1);
    put(o, SAFE, 1);
    put(o, SAFE, 1);
    put(o, UNKNOWN, 1);
    put(o, 0, 4);
    put(o, 0, 4); /* height, power cords, contained elements */
    put_str(o, opt->type3[4]);
    end(o);
}

static void processor(struct out *o, const struct smbios_info *info, const struct pc_smbios *opt,
                      unsigned n)
{
    enum { CENTRAL = 3, OTHER = 1, POPULATED_ENABLED = 0x41, UNKNOWN = 2 };
    char *socket = g_strdup_printf("%s%2x", or_else(opt->type4[0], "CPU"), n);

    begin(o, 4, H_CPU + n);
    put_str(o, socket);
    put(o, CENTRAL, 1);
    put(o, OTHER, 1);
    put_str(o, or_else(opt->type4[1], "Bantam"));
    put(o, info->cpuid_eax, 4);
    put(o, info->cpuid_edx, 4);
    put_str(o, or_else(opt->type4[2], info->version));
    put(o, 0, 1); /* voltage */
    put(o, 0, 2); /* external clock */
    put(o, 2000, 2);
    put(o, 2000, 2);
    put(o, POPULATED_ENABLED, 1);
    put(o, OTHER, 1);
    put(o, 0xffffffffffff, 6); /* no cache structures */
    put_str(o, opt->type4[3]);
    put_str(o, opt->type4[4]);
    put_str(o, opt->type4[5]);
    put(o, MIN(info->cores, 255), 1);
    put(o, MIN(info->cores, 255), 1);
    put(o, MIN(info->cores * info->threads, 255), 1);
    put(o, UNKNOWN, 2);
    put(o, OTHER, 2);
    end(o);
    g_free(socket);
}

static void oem_strings(struct out *o, const struct pc_smbios *opt)
{
    unsigned n = MIN(opt->oem_strings->len, 255);

    begin(o, 11, H_OEM);
    put(o, n, 1);
    for (unsigned i = 0; i < n; i++)
        g_ptr_array_add(o->strings, opt->oem_strings->pdata[i]);
    end(o);
}

static void memory_array(struct out *o, uint64_t ram, unsigned dimms)
{
    enum { OTHER = 1, SYSTEM_MEMORY = 3, MULTI_BIT_ECC = 6, NO_ERRORS = 0xfffe };
    bool wide = ram / KiB >= 0x80000000;

    begin(o, 16, H_ARRAY);
    put(o, OTHER, 1);
    put(o, SYSTEM_MEMORY, 1);
    put(o, MULTI_BIT_ECC, 1);
    put(o, wide ? 0x80000000 : ram / KiB, 4);
    put(o, NO_ERRORS, 2);
    put(o, dimms, 2);
    put(o, wide ? ram : 0, 8);
    end(o);
}

static void memory_device(struct out *o, const struct pc_smbios *opt, unsigned n, uint64_t size)
{
    enum { NO_ERRORS = 0xfffe, UNKNOWN_WIDTH = 0xffff, DIMM = 9, RAM = 7, OTHER = 2,
           SEE_EXTENDED = 0x7fff, IN_KIB = 0x8000 };
    uint64_t mib = size / MiB;
    char *locator = g_strdup_printf("%s %u", or_else(opt->type17[0], "DIMM"), n);

    begin(o, 17, H_DIMM + n);
    put(o, H_ARRAY, 2);
    put(o, NO_ERRORS, 2);
    put(o, UNKNOWN_WIDTH, 2);
    put(o, UNKNOWN_WIDTH, 2);
    put(o, size % MiB && size / KiB < 0x8000 ? IN_KIB | size / KiB : MIN(mib, SEE_EXTENDED), 2);
    put(o, DIMM, 1);
    put(o, 0, 1);
    put_str(o, locator);
    put_str(o, opt->type17[1]);
    put(o, RAM, 1);
    put(o, OTHER, 2);
    put(o, 0, 2); /* speed */
    put_str(o, or_else(opt->type17[2], "Bantam"));
    put_str(o, opt->type17[3]);
    put_str(o, opt->type17[4]);
    put_str(o, opt->type17[5]);
    put(o, 0, 1);
    put(o, mib >= SEE_EXTENDED ? mib : 0, 4);
    put(o, 0, 8); /* configured speed, voltages */
    end(o);
    g_free(locator);
}

static void mapped_range(struct out *o, unsigned n, uint64_t start, uint64_t size)
{
    uint64_t last = start + size - 1;
    bool wide = last / KiB >= 0xffffffff;

    begin(o, 19, H_MAPPED + n);
    put(o, wide ? 0xffffffff : start / KiB, 4);
    put(o, wide ? 0xffffffff : last / KiB, 4);
    put(o, H_ARRAY, 2);
    put(o, 1, 1);
    put(o, wide ? start : 0, 8);
    put(o, wide ? last : 0, 8);
    end(o);
}

/* --- structures from files ---------------------------------------------------------------------------- */

/* The length of a structure with its strings, or 0 when it does not end. */
static size_t structure_size(const uint8_t *p, size_t len)
{
    if (len < HEADER + 2 || p[1] < HEADER || p[1] > len - 2)
        return 0;
    for (size_t i = p[1]; i + 1 < len; i++)
        if (!p[i] && !p[i + 1])
            return i + 2;
    return 0;
}

static bool add_file(struct out *o, const char *name, GError **err)
{
    GError *why = NULL;
    char *data;
    gsize len;

    if (!g_file_get_contents(name, &data, &len, &why)) {
        fail(err, "smbios file=: %s", why->message);
        g_error_free(why);
        return false;
    }
    bool ok = len > 0 && len <= MAX_TABLES;
    for (size_t at = 0, n; ok && at < len; at += n) {
        n = structure_size((uint8_t *) data + at, len - at);
        ok = n != 0;
        if (!ok)
            break;
        o->have[(uint8_t) data[at]] = true;
        counted(o, n);
        g_byte_array_append(o->t, (uint8_t *) data + at, (guint) n);
    }
    g_free(data);
    return ok || fail(err, "smbios file=%s: no whole SMBIOS structure, which ends in two zero bytes", name);
}

/* --- all together -------------------------------------------------------------------------------------- */

static bool any(char *const *fields, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (fields[i])
            return true;
    return false;
}

static void memory(struct out *o, const struct smbios_info *info, const struct pc_smbios *opt)
{
    uint64_t ram = info->below_4g + info->above_4g;
    unsigned dimms = (unsigned) ((ram + (1ULL << DIMM_MAX_SHIFT) - 1) >> DIMM_MAX_SHIFT);

    dimms = CLAMP(dimms, 1, 256); /* handles up to H_MAPPED: the last takes the rest */
    if (!o->have[16])
        memory_array(o, ram, dimms);
    for (unsigned i = 0; i < dimms && !o->have[17]; i++) {
        uint64_t at = (uint64_t) i << DIMM_MAX_SHIFT;
        memory_device(o, opt, i, i + 1 < dimms ? 1ULL << DIMM_MAX_SHIFT : ram - at);
    }
    if (o->have[19])
        return;
    mapped_range(o, 0, 0, info->below_4g);
    if (info->above_4g)
        mapped_range(o, 1, 4 * GiB, info->above_4g);
}

static bool build(struct out *o, const struct smbios_info *info, const struct pc_smbios *opt, GError **err)
{
    for (unsigned i = 0; opt->files && i < opt->files->len; i++)
        if (!add_file(o, opt->files->pdata[i], err))
            return false;
    if (!o->have[0] && (info->type0 || any(opt->type0, G_N_ELEMENTS(opt->type0))))
        bios(o, opt);
    if (!o->have[1] && !system_info(o, info, opt, err))
        return false;
    if (!o->have[2] && any(opt->type2, G_N_ELEMENTS(opt->type2)))
        board(o, opt);
    if (!o->have[3])
        chassis(o, info, opt);
    for (unsigned i = 0; i < info->sockets && !o->have[4]; i++)
        processor(o, info, opt, i);
    if (!o->have[11] && opt->oem_strings && opt->oem_strings->len)
        oem_strings(o, opt);
    memory(o, info, opt);
    if (!o->have[32]) {
        begin(o, 32, H_BOOT);
        put(o, 0, 7); /* no errors detected */
        end(o);
    }
    if (!o->have[127]) {
        begin(o, 127, H_END);
        end(o);
    }
    return o->t->len <= MAX_TABLES ||
           fail(err, "the SMBIOS tables would have %u bytes; at most %d are possible", o->t->len,
                MAX_TABLES);
}

/* The entry point (5.2.1); the loader fills in the address and the two sums. */
static void put_anchor(const struct out *o, GByteArray *a)
{
    uint8_t e[31] = { '_', 'S', 'M', '_' };

    e[5] = sizeof e;
    e[6] = 2;
    e[7] = 8;
    st_le16(e + 8, (uint16_t) o->largest);
    memcpy(e + 16, "_DMI_", 5);
    st_le16(e + 22, (uint16_t) o->t->len);
    st_le16(e + 28, (uint16_t) o->count);
    e[30] = 0x28;
    g_byte_array_append(a, e, sizeof e);
}

bool smbios_build(const struct smbios_info *info, GByteArray *tables, GByteArray *anchor, GError **err)
{
    static const struct pc_smbios none;
    struct out o = { .t = tables, .strings = g_ptr_array_new() };
    bool ok = build(&o, info, info->opt ? info->opt : &none, err);

    if (ok)
        put_anchor(&o, anchor);
    g_ptr_array_free(o.strings, TRUE);
    return ok;
}
