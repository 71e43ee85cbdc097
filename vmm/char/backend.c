/* vmm/char/backend.c - opening and freeing character backends by their kind. */
#include "vmm/char/backend.h"
#include "vmm/base/error.h"
#include "vmm/core/vm.h"

const char *const chardev_kind_names[] = { "null", "stdio", "file", "pty", "socket", "pipe", "serial", "ringbuf", NULL };

void chardev_config_init(struct chardev_config *cfg)
{
    *cfg = (struct chardev_config){ .signal = true, .wait = true, .tight = true, .size = 64 * KiB };
}

void chardev_config_clear(struct chardev_config *cfg)
{
    char **owned[] = { &cfg->id, &cfg->logfile, &cfg->path, &cfg->input_path, &cfg->host, &cfg->port };

    for (unsigned i = 0; i < G_N_ELEMENTS(owned); i++)
        g_clear_pointer(owned[i], g_free);
}

static size_t null_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    (void) c, (void) buf;
    return len;
}

static void null_free(struct chardev *c)
{
    g_free(c);
}

static const struct chardev_ops null_ops = { .write = null_write, .free = null_free };

static struct chardev *null_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    struct chardev *c = g_new0(struct chardev, 1);

    (void) err;
    *c = (struct chardev){ .ops = &null_ops, .vm = vm, .id = g_strdup(cfg->id), .filename = g_strdup("null"), .open = true };
    return c;
}

static void discard(struct chardev *c)
{
    g_free(c->filename);
    g_free(c->id);
    c->ops->free(c);
}

struct chardev *chardev_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    if (cfg->kind != CHARDEV_NULL) {
        fail(err, "chardev '%s': '%s' is not built yet", cfg->id, chardev_kind_names[cfg->kind]);
        return NULL;
    }
    struct chardev *c = null_open(vm, cfg, err);
    g_hash_table_insert(vm->chardevs, c->id, c);
    return c;
}

void chardev_free(struct chardev *c)
{
    if (!c)
        return;
    if (g_hash_table_lookup(c->vm->chardevs, c->id) == c)
        g_hash_table_remove(c->vm->chardevs, c->id);
    discard(c);
}

void chardev_free_all(struct vm *vm)
{
    GList *all = g_hash_table_get_values(vm->chardevs);

    for (GList *l = all; l; l = l->next)
        chardev_free(l->data);
    g_list_free(all);
}

struct chardev *chardev_find(struct vm *vm, const char *id)
{
    return g_hash_table_lookup(vm->chardevs, id);
}
