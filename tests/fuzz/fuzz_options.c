/* tests/fuzz/fuzz_options.c - what users write: command lines, option lists, devices, monitor lines.
 *
 * Input: lines.  The first says what the others are: "!monitor" monitor commands, "!device" lists for -device
 * (the device is made), "!keyval" option lists; anything else: all are the arguments of a command line. */
#include "tests/fuzz/fuzz.h"
#include "vmm/char/backend.h"
#include "vmm/control/monitor.h"
#include "vmm/control/options.h"

const char fuzz_name[] = "options";

enum { MAX_LINES = 40 };

static void check(GError **err)
{
    g_assert_nonnull(*err);
    g_assert_cmpuint(strlen((*err)->message), >, 0);
    g_clear_error(err);
}

static void command_line(GPtrArray *lines)
{
    struct options o;
    GError *err = NULL;

    g_ptr_array_insert(lines, 0, g_strdup("bantam"));
    int argc = (int) lines->len;
    g_ptr_array_add(lines, NULL);
    if (!options_parse(&o, argc, (char **) lines->pdata, &err))
        check(&err);
    options_free(&o);
}

/* Commands that write files, or open what they are told, are left out: inputs are random. */
static bool harmless(const char *line)
{
    static const char *const words[] = { "save", "log", "screen", "change", "dump" };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(line, words[i]))
            return false;
    return strlen(line) < 200;
}

static void monitor(GPtrArray *lines)
{
    struct catalog_rig r = catalog_rig_new(device_class_find("piix3-ide"), CATALOG_FULL);

    for (unsigned i = 0; i < lines->len; i++)
        if (harmless(lines->pdata[i])) {
            g_free(monitor_execute(r.b->vm, lines->pdata[i]));
            r.b->vm->requests = 0;
        }
    catalog_rig_free(&r);
}

/* "CLASS,prop=value,..." as -device has it. */
static void make_device(const char *line)
{
    size_t len = strcspn(line, ",");
    char *name = g_strndup(line, len);
    const struct device_class *cls = device_class_find(name);
    GError *err = NULL;

    if (cls) {
        struct catalog_rig r = catalog_rig_prepare(CATALOG_FULL);
        if (!catalog_rig_plug(&r, cls, CATALOG_FULL, line[len] ? line + len + 1 : "", &err))
            check(&err);
        catalog_rig_free(&r);
    }
    g_free(name);
}

static void one_keyval(const char *line)
{
    struct keyvals kv;
    struct drive_config drive;
    GError *err = NULL;

    if (!keyvals_parse(&kv, "-x", line, "implied", &err)) {
        check(&err);
        return;
    }
    drive_config_init(&drive);
    for (unsigned i = 0; i < kv.n; i++) {
        g_assert_nonnull(keyvals_get(&kv, kv.items[i].key));
        g_free(keyval_escape(kv.items[i].value));
        if (!drive_config_set(&drive, kv.items[i].key, kv.items[i].value, &err))
            check(&err);
    }
    if (!drive_config_check(&drive, "drive", &err))
        check(&err);
    drive_config_clear(&drive);
    keyvals_clear(&kv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

    for (char *line; lines->len < MAX_LINES && (line = input_line(&in));)
        g_ptr_array_add(lines, line);
    char *first = g_strdup(lines->len ? lines->pdata[0] : "");
    if (*first == '!')
        g_ptr_array_remove_index(lines, 0);
    if (!strcmp(first, "!monitor"))
        monitor(lines);
    else if (!strcmp(first, "!device"))
        for (unsigned i = 0; i < MIN(lines->len, 4); i++)
            make_device(lines->pdata[i]);
    else if (*first == '!')
        g_ptr_array_foreach(lines, (GFunc) (void (*)(void)) one_keyval, NULL);
    else
        command_line(lines);
    g_free(first);
    g_ptr_array_unref(lines);
    return 0;
}
