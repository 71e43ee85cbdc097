/* bench/block.c - what the block layer costs by itself: random 4 KiB requests on a drive at a depth, without a guest.
 *
 *   block SECONDS DEPTH read|write|flush WHERE OPTIONS
 *
 * OPTIONS are a -drive's, WHERE is `main` (submitted and completed by one thread in the main exec) or `iothread`.  One
 * line: requests a second, microseconds of CPU a request.  `fio --ioengine=io_uring` or `libaio` with the same file
 * says what the kernel alone takes (bench/README.md). */
#include "vmm/block/drive.h"
#include "vmm/core/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct slot {
    struct blk_req req;
    struct iovec iov;
    struct bench *b;
};

struct bench {
    struct blk *blk;
    enum blk_op op;
    unsigned depth, flying;
    uint64_t blocks, seed, done;
    gint64 until;
    struct slot slot[256];
};

static void next(struct slot *s)
{
    struct bench *b = s->b;

    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    s->req.off = (b->seed >> 20) % b->blocks * 4096;
    b->flying++;
    blk_submit(b->blk, &s->req);
}

static void done(struct blk_req *req, int err)
{
    struct slot *s = req->opaque;

    if (err) {
        fprintf(stderr, "block: %s\n", g_strerror(err));
        exit(1);
    }
    s->b->flying--;
    s->b->done++;
    if (g_get_monotonic_time() < s->b->until)
        next(s);
}

static void *run(void *opaque)
{
    struct bench *b = opaque;
    void *mem = NULL;

    if (posix_memalign(&mem, 4096, b->depth * 4096))
        return NULL;
    memset(mem, 0x5a, b->depth * 4096);
    exec_enter(b->blk->exec);
    blk_plug(b->blk);
    for (unsigned i = 0; i < b->depth; i++) {
        struct slot *s = &b->slot[i];
        s->b = b;
        s->iov = (struct iovec){ (char *) mem + i * 4096, 4096 };
        s->req = (struct blk_req){ .op = b->op, .len = 4096, .iov = &s->iov, .niov = 1, .done = done, .opaque = s };
        next(s);
    }
    blk_unplug(b->blk);
    exec_leave(b->blk->exec);
    while (b->flying)
        exec_iterate(b->blk->exec, true);
    free(mem);
    return NULL;
}

static double cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    struct drive_config cfg;
    struct bench *b = g_new0(struct bench, 1);
    struct exec e;

    if (argc != 6) {
        fprintf(stderr, "usage: block SECONDS DEPTH read|write|flush main|iothread OPTIONS\n");
        return 2;
    }
    struct vm *vm = vm_new(NULL, NULL);
    char **kv = g_strsplit(argv[5], ",", 0);
    drive_config_init(&cfg);
    for (char **p = kv; *p && !err; p++) {
        char *eq = strchr(*p, '=');
        drive_config_set(&cfg, *p, eq ? (*eq = 0, eq + 1) : "on", &err);
    }
    b->blk = !err && drive_config_finish(&cfg, &err) ? drive_open(vm, &cfg, &err) : NULL;
    if (!b->blk) {
        fprintf(stderr, "block: %s\n", err->message);
        return 1;
    }
    b->depth = (unsigned) CLAMP(atoi(argv[2]), 1, 256);
    b->op = *argv[3] == 'r' ? BLK_READ : *argv[3] == 'w' ? BLK_WRITE : BLK_FLUSH;
    b->blocks = b->blk->size / 4096;
    b->seed = (uint64_t) g_get_monotonic_time();
    bool threaded = !strcmp(argv[4], "iothread");
    exec_init(&e, vm, "iothread0", false);
    if (threaded)
        drive_set_exec(b->blk, &e);
    struct drive_info info;
    drive_query(b->blk, &info);
    gint64 start = g_get_monotonic_time();
    double used = cpu();
    b->until = start + atoi(argv[1]) * G_USEC_PER_SEC;
    if (threaded)
        g_thread_join(g_thread_new("iothread0", run, b));
    else
        run(b);
    double us = (double) (g_get_monotonic_time() - start);
    printf("%-8s %-8s %-5s depth %3u: %8.0f/s %6.2f us CPU\n", argv[4], info.aio, argv[3], b->depth,
           (double) b->done * 1e6 / us, (cpu() - used) / (double) b->done);
    if (threaded)
        drive_set_exec(b->blk, &vm->main);
    exec_clear(&e);
    vm_lock(vm);
    drive_close_all(vm);
    vm_unlock(vm);
    vm_free(vm);
    g_strfreev(kv);
    drive_config_clear(&cfg);
    g_free(b);
    return 0;
}
