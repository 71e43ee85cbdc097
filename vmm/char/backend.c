/* vmm/char/backend.c - opening and freeing character backends by their kind. */
#include "vmm/char/backend_impl.h"

#include <signal.h>

const char *const chardev_kind_names[] = { "null", "stdio",  "file",    "pty", "socket",
                                           "pipe", "serial", "ringbuf", NULL };

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
    chardev_setup(c, vm, &null_ops, cfg, g_strdup("null"));
    c->open = true;
    return c;
}

void chardev_setup(struct chardev *c, struct vm *vm, const struct chardev_ops *ops,
                   const struct chardev_config *cfg, char *filename)
{
    c->ops = ops;
    c->vm = vm;
    c->id = g_strdup(cfg->id);
    c->filename = filename;
}

static bool log_to(struct chardev *c, const struct chardev_config *cfg, GError **err)
{
    if (!cfg->logfile)
        return true;
    c->log = fopen(cfg->logfile, cfg->logappend ? "ae" : "we");
    if (!c->log)
        return fail(err, "chardev '%s': cannot write '%s': %s", cfg->id, cfg->logfile, g_strerror(errno));
    setvbuf(c->log, NULL, _IONBF, 0);
    return true;
}

static void discard(struct chardev *c)
{
    if (c->log)
        fclose(c->log);
    g_free(c->filename);
    g_free(c->id);
    c->ops->free(c);
}

struct chardev *chardev_open(struct vm *vm, const struct chardev_config *cfg, GError **err)
{
    static struct chardev *(*const open[N_CHARDEV_KINDS])(struct vm *, const struct chardev_config *,
                                                          GError **) = {
        [CHARDEV_NULL] = null_open,   [CHARDEV_STDIO] = chr_stdio_open,     [CHARDEV_FILE] = chr_file_open,
        [CHARDEV_PTY] = chr_pty_open, [CHARDEV_SOCKET] = chr_socket_open,   [CHARDEV_PIPE] = chr_pipe_open,
        [CHARDEV_TTY] = chr_tty_open, [CHARDEV_RINGBUF] = chr_ringbuf_open,
    };
    struct chardev *c = open[cfg->kind](vm, cfg, err);

    if (!c)
        return NULL;
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write() */
    if (!log_to(c, cfg, err)) {
        discard(c);
        return NULL;
    }
    if (cfg->mux)
        c = chr_mux_new(c);
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
