/* vmm/core/firmware.c - finding BIOS and option ROM files. */
#include "vmm/core/firmware.h"

#ifndef BANTAM_FIRMWARE_PATH
#define BANTAM_FIRMWARE_PATH "/usr/share/seabios:/usr/share/qemu"
#endif

static const char *path_of(const struct vm *vm)
{
    return vm->firmware_path ? vm->firmware_path : BANTAM_FIRMWARE_PATH;
}

char *firmware_find(const struct vm *vm, const char *name)
{
    if (strchr(name, '/') || g_file_test(name, G_FILE_TEST_IS_REGULAR))
        return g_strdup(name);
    char **dirs = g_strsplit(path_of(vm), ":", -1), *found = NULL;
    for (char **d = dirs; *d && !found; d++) {
        char *path = g_build_filename(*d, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
            found = path;
        else
            g_free(path);
    }
    g_strfreev(dirs);
    return found;
}

uint8_t *firmware_read(const struct vm *vm, const char *what, const char *name, size_t max, size_t *len, GError **err)
{
    char *path = firmware_find(vm, name), *data = NULL;
    GError *why = NULL;

    if (!path) {
        fail(err,
            "%s: cannot find '%s' in %s; install the Debian package seabios, or name a directory with -L", what, name,
             path_of(vm));
        return NULL;
    }
    if (!g_file_get_contents(path, &data, len, &why)) {
        fail(err, "%s: %s", what, why->message);
        g_error_free(why);
    } else if (!*len || *len > max) {
        fail(err, "%s: '%s' has %zu bytes, not 1 to %zu", what, path, *len, max);
        g_clear_pointer(&data, g_free);
    }
    g_free(path);
    return (uint8_t *) data;
}
