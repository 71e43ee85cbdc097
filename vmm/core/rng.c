/* vmm/core/rng.c - random bytes for guests. */
#include "vmm/core/rng.h"
#include "vmm/base/error.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

struct rng_stream {
    struct vm *vm;
    int fd; /* -1: getrandom */
    bool failed;
    struct exec_fd *watch; /* of fd, while it has nothing */
    void (*ready)(void *opaque);
    void *opaque;
};

static int open_file(const char *id, const char *filename, GError **err)
{
    int fd = open(filename, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        fail(err, "rng '%s': cannot open '%s': %s", id, filename, g_strerror(errno));
    return fd;
}

static void free_rng(void *p)
{
    struct rng *r = p;

    g_free(r->id);
    g_free(r->filename);
    g_free(r);
}

struct rng *rng_new(struct vm *vm, const char *id, const char *filename, GError **err)
{
    if (filename) { /* a mistake shall show when the machine starts */
        int fd = open_file(id, filename, err);
        if (fd < 0)
            return NULL;
        close(fd);
    }
    struct rng *r = g_new(struct rng, 1);
    *r = (struct rng){ g_strdup(id), g_strdup(filename) };
    if (!vm->rngs)
        vm->rngs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_rng);
    g_hash_table_insert(vm->rngs, r->id, r);
    return r;
}

struct rng *rng_find(struct vm *vm, const char *id)
{
    return vm->rngs ? g_hash_table_lookup(vm->rngs, id) : NULL;
}

void rng_free_all(struct vm *vm)
{
    g_clear_pointer(&vm->rngs, g_hash_table_destroy);
}

struct rng_stream *rng_open(struct vm *vm, const struct rng *rng, void (*ready)(void *opaque), void *opaque,
                            GError **err)
{
    int fd = rng && rng->filename ? open_file(rng->id, rng->filename, err) : -1;

    if (rng && rng->filename && fd < 0)
        return NULL;
    struct rng_stream *s = g_new0(struct rng_stream, 1);
    *s = (struct rng_stream){ .vm = vm, .fd = fd, .ready = ready, .opaque = opaque };
    return s;
}

static void readable(void *opaque, GIOCondition cond)
{
    struct rng_stream *s = opaque;

    (void) cond;
    exec_enter(&s->vm->main);
    if (s->watch) {
        exec_fd_remove(s->watch);
        s->watch = NULL;
        s->ready(s->opaque);
    }
    exec_leave(&s->vm->main);
}

size_t rng_read(struct rng_stream *s, void *buf, size_t len)
{
    ssize_t n;

    if (s->watch || s->failed)
        return 0;
    do
        n = s->fd < 0 ? getrandom(buf, len, GRND_NONBLOCK) : read(s->fd, buf, len);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return (size_t) n;
    if (n < 0 && errno == EAGAIN && s->fd >= 0) {
        s->watch = exec_add_fd(&s->vm->main, s->fd, G_IO_IN, readable, s);
        return 0;
    }
    s->failed = true; /* the end of a regular file, or worse: no bytes are better than no entropy */
    warn_user("rng: the source of random bytes %s%s", n ? "failed: " : "is used up", n ? g_strerror(errno) : "");
    return 0;
}

void rng_close(struct rng_stream *s)
{
    if (!s)
        return;
    exec_fd_remove(s->watch);
    if (s->fd >= 0)
        close(s->fd);
    g_free(s);
}
