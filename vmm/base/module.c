/* vmm/base/module.c - finding and loading modules. */
#include "vmm/base/module.h"

#include <dlfcn.h>
#include <unistd.h>

/* The first of the places that has the file, else the last of them for the message. */
static char *find(const char *module)
{
    static const char *const places[] = { "", "../lib/bantam" };
    char *exe = g_file_read_link("/proc/self/exe", NULL);
    char *dir = exe ? g_path_get_dirname(exe) : g_strdup(".");
    char *path = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        g_free(path);
        path = g_strdup_printf("%s/%s%sbantam-%s.so", dir, places[i], *places[i] ? "/" : "", module);
        if (access(path, R_OK) == 0)
            break;
    }
    g_free(exe);
    g_free(dir);
    return path;
}

const void *module_symbol(const char *module, const char *symbol, GError **err)
{
    const void *linked = dlsym(RTLD_DEFAULT, symbol); /* a test has it in itself */

    if (linked)
        return linked;
    char *path = find(module);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const void *at = handle ? dlsym(handle, symbol) : NULL;

    if (!at) /* what dlerror() says begins with the file's name */
        fail(err, "cannot load the module '%s': %s", module, dlerror());
    g_free(path);
    return at;
}
