/* tests/fuzz/replay.c - a fuzz target without libFuzzer: runs the inputs of the committed corpus (or the files
 * it is given), so that what was found and fixed stays so.  Prints TAP. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static GPtrArray *corpus(void)
{
    GPtrArray *files = g_ptr_array_new();
    const char *src = getenv("BANTAM_SRC"), *name;
    char *path = g_build_filename(src ? src : ".", "tests/fuzz/corpus", fuzz_name, NULL);
    GDir *dir = g_dir_open(path, 0, NULL);

    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(files, g_build_filename(path, name, NULL));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(files, by_name);
    g_free(path);
    return files;
}

int main(int argc, char **argv)
{
    GPtrArray *files = argc > 1 && argv[1][0] != '-' ? g_ptr_array_new() : corpus();
    unsigned n = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc && argv[i][0] != '-'; i++)
        g_ptr_array_add(files, g_strdup(argv[i]));
    for (unsigned i = 0; i < files->len; i++) {
        char *data, *base = g_path_get_basename(files->pdata[i]);
        gsize len;
        if (!g_file_get_contents(files->pdata[i], &data, &len, NULL)) {
            printf("not ok %u - %s: can't be read\n", ++n, base);
            return 1;
        }
        printf("# %s\n", base); /* the last one, when it crashes */
        uint8_t *exact = g_memdup2(data, len); /* without GLib's zero at the end: it hides an overrun */
        LLVMFuzzerTestOneInput(exact, len);
        printf("ok %u - fuzz/%s/%s\n", ++n, fuzz_name, base);
        g_free(exact);
        g_free(data);
        g_free(base);
    }
    if (!n)
        printf("not ok 1 - fuzz/%s: no corpus\n", fuzz_name);
    printf("1..%u\n", MAX(n, 1));
    for (unsigned i = 0; i < files->len; i++)
        g_free(files->pdata[i]);
    g_ptr_array_free(files, TRUE);
    return n == 0;
}
