/* vmm/control/opt_firmware.c - what firmware hands to the guest: -smbios, -fw_cfg, -L, -boot splash. */
#include "vmm/control/options_impl.h"

enum { MAX_BLOB = 64 * MiB };

struct smbios_opts { /* the texts of all types; which belong to a type is in `types` */
    char *asset, *bank, *date, *family, *loc_pfx, *location, *manufacturer, *part, *product, *release,
        *serial, *sku, *sock_pfx, *uuid, *vendor, *version;
};

#define TEXT(f) PROP_STR(struct smbios_opts, f, NULL)
static const struct prop smbios_props[] = {
    TEXT(asset), TEXT(bank), TEXT(date), TEXT(family), TEXT(loc_pfx),
    TEXT(location), TEXT(manufacturer), TEXT(part), TEXT(product), TEXT(release),
    TEXT(serial), TEXT(sku), TEXT(sock_pfx), TEXT(uuid), TEXT(vendor),
    TEXT(version),
    {}
};
#undef TEXT

/* In the order in which struct pc_smbios keeps them */
static const struct smbios_type {
    unsigned type;
    size_t offset; /* of the strings in struct pc_smbios */
    const char *names[8];
} types[] = {
    { 0, offsetof(struct pc_smbios, type0), { "vendor", "version", "date", "release" } },
    { 1,
      offsetof(struct pc_smbios, type1),
      { "manufacturer", "product", "version", "serial", "uuid", "sku", "family" } },
    { 2,
      offsetof(struct pc_smbios, type2),
      { "manufacturer", "product", "version", "serial", "asset", "location" } },
    { 3, offsetof(struct pc_smbios, type3), { "manufacturer", "version", "serial", "asset", "sku" } },
    { 4,
      offsetof(struct pc_smbios, type4),
      { "sock_pfx", "manufacturer", "version", "serial", "asset", "part" } },
    { 17,
      offsetof(struct pc_smbios, type17),
      { "loc_pfx", "bank", "manufacturer", "serial", "asset", "part" } },
};

static bool read_file(const char *what, const char *path, char **data, size_t *len, GError **err)
{
    GError *why = NULL;

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return fail(err, "%s: cannot open '%s': No such file or directory", what, path);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return fail(err, "%s: '%s' is no regular file", what, path);
    if (!g_file_get_contents(path, data, len, &why)) {
        fail(err, "%s: %s", what, why->message);
        g_error_free(why);
        return false;
    }
    if (*len > MAX_BLOB) {
        g_clear_pointer(data, g_free);
        return fail(err, "%s: '%s' is larger than %llu MiB", what, path, MAX_BLOB / MiB);
    }
    return true;
}

/* --- -smbios ------------------------------------------------------------------------------------- */

static bool set_type(struct options *o, const struct smbios_type *t, struct keyvals *kv, GError **err)
{
    struct prop allowed[G_N_ELEMENTS(t->names) + 1] = { 0 };
    char **to = (char **) ((char *) &o->pc.smbios + t->offset), what[24];
    struct smbios_opts s = { 0 };
    static const struct refused_key refused[] = {
        { "uefi", "off", "the firmware is a BIOS" },
        { "max-speed", NULL, "it is not settable" }, { "current-speed", NULL, "it is not settable" },
        { "processor-id", NULL, "it is the CPU's own" }, { "speed", NULL, "it is not settable" },
        {}
    };

    g_snprintf(what, sizeof what, "-smbios type=%u", t->type);
    unsigned n = 0;
    for (; n < G_N_ELEMENTS(t->names) && t->names[n]; n++)
        allowed[n] = *prop_find(smbios_props, t->names[n]);
    bool ok = keyvals_apply(kv, what, allowed, refused, &s, err);
    if (ok && s.uuid && !g_uuid_string_is_valid(s.uuid))
        ok = fail(err, "%s: uuid: '%s' is no UUID", what, s.uuid);
    unsigned major, minor;
    int end = 0;
    if (ok && s.release &&
        (sscanf(s.release, "%3u.%3u%n", &major, &minor, &end) != 2 || s.release[end] || major > 255 ||
         minor > 255))
        ok = fail(err, "%s: release: '%s' is no release; write for example 1.0", what, s.release);
    for (unsigned i = 0; ok && i < n; i++) {
        char **from = (char **) ((char *) &s + allowed[i].offset);
        if (*from) {
            g_free(to[i]);
            to[i] = g_steal_pointer(from);
        }
    }
    props_free(smbios_props, &s);
    return ok;
}

static bool add_oem_strings(struct options *o, struct keyvals *kv, GError **err)
{
    for (unsigned i = 0; i < kv->n; i++) {
        struct keyval *item = &kv->items[i];
        char *data;
        size_t len;
        if (item->used)
            continue;
        if (!strcmp(item->key, "value")) {
            g_ptr_array_add(o->pc.smbios.oem_strings, g_strdup(item->value));
        } else if (!strcmp(item->key, "path")) {
            if (!read_file("-smbios type=11", item->value, &data, &len, err))
                return false;
            if (memchr(data, 0, len)) {
                g_free(data);
                return fail(err, "-smbios type=11: '%s' has a NUL byte in it", item->value);
            }
            g_ptr_array_add(o->pc.smbios.oem_strings, data);
        } else {
            return fail(err, "-smbios type=11: there is no property '%s'; there are: value, path", item->key);
        }
    }
    return true;
}

bool opt_smbios(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct keyvals kv;
    uint64_t n;
    bool ok = false;

    (void) opt;
    if (!keyvals_parse(&kv, "-smbios", arg, NULL, err))
        return false;
    const char *file = keyvals_take(&kv, "file"), *type = keyvals_take(&kv, "type");
    if (file) {
        char *data = NULL;
        size_t len;
        if (kv.n > 1)
            fail(err, "-smbios file=%s: nothing else can be given with file=", file);
        else if (read_file("-smbios", file, &data, &len, err)) {
            ok = len >= 4 && (uint8_t) data[1] >= 4 && (uint8_t) data[1] <= len;
            if (!ok)
                fail(err, "-smbios: '%s' is no SMBIOS structure", file);
            else
                g_ptr_array_add(o->pc.smbios.files, g_strdup(file));
        }
        g_free(data);
    } else if (!type) {
        fail(err, "-smbios: type= or file= is missing");
    } else if (parse_u64("-smbios: type", type, 0, 255, &n, err)) {
        const struct smbios_type *t = NULL;
        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
            if (types[i].type == n)
                t = &types[i];
        ok = t ? set_type(o, t, &kv, err)
             : n == 11
                 ? add_oem_strings(o, &kv, err)
                 : fail(err,
                        "-smbios type=%s: only types 0, 1, 2, 3, 4, 11 and 17 can be set; others by file=",
                        type);
    }
    keyvals_clear(&kv);
    return ok;
}

void smbios_clear(struct pc_smbios *s)
{
    for (unsigned t = 0; t < G_N_ELEMENTS(types); t++)
        for (unsigned i = 0; i < G_N_ELEMENTS(types[t].names) && types[t].names[i]; i++)
            g_clear_pointer((char **) ((char *) s + types[t].offset) + i, g_free);
    g_ptr_array_free(s->files, TRUE);
    g_ptr_array_free(s->oem_strings, TRUE);
}

/* --- -fw_cfg, -L, splash --------------------------------------------------------------------------- */

static bool add_item(struct options *o, const char *name, char *data, size_t len, GError **err)
{
    for (unsigned i = 0; i < o->pc.fw_cfg->len; i++)
        if (!strcmp(g_array_index(o->pc.fw_cfg, struct pc_fw_cfg_item, i).name, name)) {
            g_free(data);
            return fail(err, "-fw_cfg: '%s' is there twice", name);
        }
    struct pc_fw_cfg_item item = { g_strdup(name), (uint8_t *) data, len };
    g_array_append_val(o->pc.fw_cfg, item);
    return true;
}

bool opt_fw_cfg(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    static const struct prop none[] = { {} };
    static const struct refused_key refused[] = { { "gen_id", NULL, "not built; use file= or string=" }, {} };
    struct keyvals kv;
    char *data = NULL;
    size_t len = 0;

    (void) opt;
    if (!keyvals_parse(&kv, "-fw_cfg", arg, "name", err))
        return false;
    const char *name = keyvals_take(&kv, "name"), *file = keyvals_take(&kv, "file"),
               *string = keyvals_take(&kv, "string");
    bool ok = keyvals_apply(&kv, "-fw_cfg", none, refused, NULL, err);
    if (ok && (!name || !*name))
        ok = fail(err, "-fw_cfg: a name is missing: -fw_cfg name=opt/...,file=...");
    if (ok && strlen(name) > 55)
        ok = fail(err, "-fw_cfg: '%s' is too long: at most 55 characters", name);
    if (ok && !file == !string)
        ok = fail(err, "-fw_cfg: '%s' needs either file= or string=", name);
    if (ok && file)
        ok = read_file("-fw_cfg", file, &data, &len, err);
    if (ok && string) {
        data = g_strdup(string);
        len = strlen(string); /* without the NUL, as QEMU */
    }
    ok = ok && add_item(o, name, data, len, err);
    keyvals_clear(&kv);
    return ok;
}

bool opt_firmware_dir(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    (void) opt;
    if (is_help(arg)) {
        o->text = g_strdup_printf("%s\n", BANTAM_FIRMWARE_PATH);
        g_strdelimit(o->text, ":", '\n');
        return true;
    }
    if (!g_file_test(arg, G_FILE_TEST_IS_DIR))
        return fail(err, "-L: '%s' is no directory", arg);
    g_ptr_array_add(o->state->firmware_dirs, g_strdup(arg));
    return true;
}

bool firmware_finish(struct options *o, GError **err)
{
    GString *path = g_string_new(NULL);
    const char *splash = o->state->boot.splash;

    for (unsigned i = 0; i < o->state->firmware_dirs->len; i++)
        g_string_append_printf(path, "%s:", (const char *) o->state->firmware_dirs->pdata[i]);
    g_string_append(path, BANTAM_FIRMWARE_PATH);
    o->pc.firmware_path = g_string_free(path, FALSE);
    if (splash) {
        char *data;
        size_t len;
        if (!read_file("-boot: splash", splash, &data, &len, err))
            return false;
        bool jpeg = len > 2 && !memcmp(data, "\xff\xd8", 2), bmp = len > 2 && !memcmp(data, "BM", 2);
        if (!jpeg && !bmp) {
            g_free(data);
            return fail(err, "-boot: splash: '%s' is neither a JPEG nor a BMP file", splash);
        }
        if (!add_item(o, jpeg ? "bootsplash.jpg" : "bootsplash.bmp", data, len, err))
            return false;
    }
    return true;
}
