/* bench/blktool.c - run in a guest: requests on a block device, through the kernel's own asynchronous I/O (no libaio).
 *
 *   blktool DEV SECONDS WAY:BYTES:DEPTH...
 *
 * WAY: randread randwrite read write.  For each it keeps DEPTH requests of BYTES bytes going for so many seconds, by
 * O_DIRECT, and says "BLK-BEGIN WAY:BYTES:DEPTH" before and "BLK-END WAY:BYTES:DEPTH REQUESTS SECONDS" behind it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 256, BYTES_MAX = 16 << 20 };

struct load {
    int fd;
    bool random, write;
    uint64_t blocks, next, rnd; /* blocks of the device, in units of `bytes` */
    unsigned long bytes;
    unsigned depth;
    struct iocb cb[DEPTH_MAX];
};

static void die(const char *what)
{
    fprintf(stderr, "blktool: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static uint64_t place(struct load *l)
{
    if (!l->random)
        return l->next++ % l->blocks;
    l->rnd ^= l->rnd << 13;
    l->rnd ^= l->rnd >> 7;
    l->rnd ^= l->rnd << 17;
    return l->rnd % l->blocks;
}

static void submit(struct load *l, aio_context_t ctx, struct iocb **cbs, long n)
{
    for (long i = 0; i < n; i++)
        cbs[i]->aio_offset = (int64_t) (place(l) * l->bytes);
    while (n > 0) {
        long done = syscall(SYS_io_submit, ctx, n, cbs);

        if (done < 0 && errno != EAGAIN && errno != EINTR)
            die("io_submit");
        if (done > 0) {
            n -= done;
            cbs += done;
        }
    }
}

static long reap(struct load *l, aio_context_t ctx, struct iocb **cbs)
{
    struct io_event ev[DEPTH_MAX];
    long n;

    while ((n = syscall(SYS_io_getevents, ctx, 1, (long) l->depth, ev, NULL)) < 0 && errno == EINTR) { }
    if (n < 0)
        die("io_getevents");
    for (long i = 0; i < n; i++) {
        if (ev[i].res != (int64_t) l->bytes) {
            errno = ev[i].res < 0 ? (int) -ev[i].res : EIO;
            die("a request");
        }
        cbs[i] = (struct iocb *) (uintptr_t) ev[i].obj;
    }
    return n;
}

static void run(struct load *l, const char *what, double seconds)
{
    struct iocb *cbs[DEPTH_MAX];
    aio_context_t ctx = 0;
    uint64_t done = 0;
    long out = 0, n;
    double t0, t;
    char *buf = mmap(NULL, l->bytes * l->depth, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                     -1, 0);

    if (buf == MAP_FAILED)
        die("mmap");
    if (syscall(SYS_io_setup, (long) l->depth, &ctx))
        die("io_setup");
    memset(buf, 0x5a, l->bytes * l->depth);
    for (unsigned i = 0; i < l->depth; i++) {
        l->cb[i] = (struct iocb) {
            .aio_fildes = (uint32_t) l->fd, .aio_nbytes = l->bytes,
            .aio_lio_opcode = l->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
            .aio_buf = (uintptr_t) (buf + i * l->bytes),
        };
        cbs[i] = &l->cb[i];
    }
    printf("BLK-BEGIN %s\n", what);
    fflush(stdout);
    tcdrain(1); /* the serial port's own exits are done with, where that is a terminal */
    t0 = now();
    submit(l, ctx, cbs, l->depth);
    out = l->depth;
    while (out > 0) {
        n = reap(l, ctx, cbs);
        done += (uint64_t) n;
        out -= n;
        if (now() - t0 < seconds) {
            submit(l, ctx, cbs, n);
            out += n;
        }
    }
    t = now() - t0;
    printf("BLK-END %s %llu %.4f\n", what, (unsigned long long) done, t);
    fflush(stdout);
    tcdrain(1);
    syscall(SYS_io_destroy, ctx);
    munmap(buf, l->bytes * l->depth);
}

int main(int argc, char **argv)
{
    uint64_t size;
    int fd;

    if (argc < 4) {
        fprintf(stderr, "blktool DEV SECONDS WAY:BYTES:DEPTH...\n");
        return 2;
    }
    fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        die(argv[1]);
    if (ioctl(fd, BLKGETSIZE64, &size)) {
        off_t end = lseek(fd, 0, SEEK_END); /* a file, on the bench's own machine */

        if (end < 0)
            die(argv[1]);
        size = (uint64_t) end;
    }
    for (int i = 3; i < argc; i++) {
        struct load l = { .fd = fd, .rnd = 88172645463325252ull };
        char way[16];

        if (sscanf(argv[i], "%15[a-z]:%lu:%u", way, &l.bytes, &l.depth) != 3 || !l.bytes || l.bytes > BYTES_MAX ||
            !l.depth || l.depth > DEPTH_MAX || size < l.bytes) {
            fprintf(stderr, "blktool: '%s' is no WAY:BYTES:DEPTH for this device\n", argv[i]);
            return 2;
        }
        l.random = !strncmp(way, "rand", 4);
        l.write = strstr(way, "write") != NULL;
        l.blocks = size / l.bytes;
        run(&l, argv[i], strtod(argv[2], NULL));
    }
    return 0;
}
