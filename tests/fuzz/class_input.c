/* tests/fuzz/class_input.c - inputs that begin with the name of a device class. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak)); /* libFuzzer's */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

enum { NEW_CLASS_1_IN = 16, NAME_ROOM = 64 };

/* GLib's complaints are crashes, and by a signal that libFuzzer takes an input for. */
static void complain(const char *domain, GLogLevelFlags level, const char *message, gpointer opaque)
{
    (void) domain, (void) opaque;
    fprintf(stderr, "%s\n", message);
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
        abort();
}

__attribute__((constructor)) static void set_up(void)
{
    g_log_set_default_handler(complain, NULL);
}

char *input_line(struct input *in)
{
    if (in->p == in->end)
        return NULL;
    const uint8_t *nl = memchr(in->p, '\n', input_left(in));
    size_t len = nl ? (size_t) (nl - in->p) : input_left(in);
    char *s = g_strndup((const char *) in->p, len);
    in->p += len + (nl != NULL);
    return s;
}

static unsigned n_classes(void)
{
    unsigned n = 0;

    while (device_catalog[n])
        n++;
    return n;
}

const struct device_class *input_class(struct input *in)
{
    char *name = input_line(in);
    const char *only = getenv("FUZZ_CLASS");
    const struct device_class *cls = device_class_find(only ? only : name ? name : "");

    if (!cls)
        cls = device_catalog[g_str_hash(name ? name : "") % n_classes()];
    g_free(name);
    return cls;
}

/* Mutate what follows the name; now and then take another class for the same script. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    const uint8_t *nl = memchr(data, '\n', MIN(size, NAME_ROOM));
    size_t head = nl ? (size_t) (nl - data) + 1 : 0, rest = size - head;

    if (max_size < 2 * NAME_ROOM || (strcmp(fuzz_name, "device") != 0 && strcmp(fuzz_name, "state") != 0))
        return LLVMFuzzerMutate(data, size, max_size);
    if (!head || seed % NEW_CLASS_1_IN == 0) {
        const char *name = device_catalog[seed / NEW_CLASS_1_IN % n_classes()]->name;
        size_t len = strlen(name) + 1;
        rest = MIN(rest, max_size - len);
        memmove(data + len, data + head, rest);
        memcpy(data, name, len - 1);
        data[len - 1] = '\n';
        head = len;
    }
    return head + LLVMFuzzerMutate(data + head, rest, max_size - head);
}
