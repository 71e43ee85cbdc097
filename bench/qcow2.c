/* bench/qcow2.c - writes to a growing image by the block layer alone: qcow2 IMAGE OPTIONS COUNT DEPTH SIZE FLUSH_EVERY
 *
 * Sequential, all of 0xa5, as `qemu-img bench -w --pattern=165` does it; prints the seconds until all are done, with
 * and without those for closing the image. */
#include "tests/unit/blktest.h"

#include <stdio.h>

struct slot {
    struct io io;
    void *buf;
    bool flying;
};

static void submit(struct blk *blk, struct slot *s, uint64_t off, size_t size)
{
    memset(&s->io, 0, sizeof s->io);
    s->io.iov[0] = (struct iovec){ s->buf, size };
    s->io.req = (struct blk_req){ .op = BLK_WRITE, .off = off, .len = size, .iov = s->io.iov, .niov = 1,
                                  .done = io_done, .opaque = &s->io };
    s->flying = true;
    blk_submit(blk, &s->io.req);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: qcow2 IMAGE OPTIONS COUNT DEPTH SIZE FLUSH_EVERY\n");
        return 2;
    }
    long count = atol(argv[3]), depth = atol(argv[4]), size = atol(argv[5]), every = atol(argv[6]), sent = 0, done = 0;
    struct vm *vm = vm_new(NULL, NULL);
    struct blk *blk = add_drive(vm, "id=d,file=%s,%s", argv[1], argv[2]);
    struct slot *slots = g_new0(struct slot, (gsize) depth);
    struct io flush = { .done = true };
    uint64_t places = blk->size / (uint64_t) size;

    for (long i = 0; i < depth; i++) {
        if (posix_memalign(&slots[i].buf, 4096, (size_t) size))
            return 1;
        memset(slots[i].buf, 0xa5, (size_t) size);
    }
    gint64 start = g_get_monotonic_time();
    for (;;) {
        vm_lock(vm);
        blk_plug(blk);
        for (long i = 0; i < depth; i++) {
            struct slot *s = &slots[i];
            if (s->flying && s->io.done) {
                g_assert_cmpint(s->io.err, ==, 0);
                s->flying = false;
                done++;
            }
            if (!s->flying && sent < count)
                submit(blk, s, (uint64_t) sent++ % places * (uint64_t) size, (size_t) size);
        }
        blk_unplug(blk);
        vm_unlock(vm);
        if (done == count && flush.done)
            break;
        if (every && flush.done && sent % every == 0)
            io_submit_op(blk, &flush, BLK_FLUSH, 0, NULL, 0);
        exec_iterate(&vm->main, true);
    }
    gint64 end = g_get_monotonic_time();
    close_drive(blk);
    printf("%.3f %.3f\n", (double) (end - start) / 1e6, (double) (g_get_monotonic_time() - start) / 1e6);
    return 0;
}
