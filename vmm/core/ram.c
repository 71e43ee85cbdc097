/* vmm/core/ram.c - host memory that guests see, dirty tracking, and DMA. */
#include "vmm/core/ram.h"
#include "vmm/base/error.h"
#include "vmm/core/device.h"
#include "vmm/core/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { HUGE_2M = 2 << 20, BITS = sizeof(unsigned long) * 8 };

/* A file or a deleted temporary in a directory, as large as the block.  *empty: nobody has written to it yet. */
static int open_path(const char *path, uint64_t size, bool *empty, GError **err)
{
    struct stat st;
    int fd;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        char *name = g_build_filename(path, "bantam_mem.XXXXXX", NULL);
        fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
            unlink(name);
        g_free(name);
    } else {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    }
    if (fd < 0) {
        fail(err, "mem-path: cannot open '%s': %s", path, g_strerror(errno));
        return -1;
    }
    bool known = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    *empty = known && st.st_size == 0;
    if (known && (uint64_t) st.st_size < size && ftruncate(fd, (off_t) size) < 0) {
        fail(err, "mem-path: cannot make '%s' %" PRIu64 " MiB large: %s", path, size >> 20, g_strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* The size of the pages that map fd, or anonymous memory. */
static uint64_t host_page(int fd)
{
    struct statfs fs;

    if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
        return (uint64_t) fs.f_bsize;
    return (uint64_t) sysconf(_SC_PAGESIZE);
}

static int open_memfd(const char *name, uint64_t size, bool hugetlb, GError **err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | (hugetlb ? MFD_HUGETLB : 0));

    if (fd < 0 || ftruncate(fd, (off_t) size) < 0) {
        fail(err, "memory-backend-memfd: cannot make %" PRIu64 " MiB: %s", size >> 20, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

bool ram_block_alloc(struct ram_block *rb, const char *name, uint64_t size, const struct ram_source *src,
                     GError **err)
{
    static const struct ram_source anonymous = { .dump = true };
    bool empty = true;

    src = src ? src : &anonymous;
    *rb = (struct ram_block){ .name = name, .size = size, .fd = -1 };
    if (src->path)
        rb->fd = open_path(src->path, size, &empty, err);
    else if (src->memfd)
        rb->fd = open_memfd(name, size, src->hugetlb, err);
    if ((src->path || src->memfd) && rb->fd < 0)
        return false;

    /* Aligned to 2 MiB, so that the host can use huge pages: reserve more and cut. */
    size_t align = size >= HUGE_2M ? HUGE_2M : PAGE_SIZE_4K;
    uint8_t *area = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        goto no_memory;
    uint8_t *at = (uint8_t *) ROUND_UP((uintptr_t) area, align);
    int flags = rb->fd < 0 ? MAP_ANONYMOUS | MAP_PRIVATE : src->share || src->memfd ? MAP_SHARED : MAP_PRIVATE;
    rb->host = mmap(at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED | MAP_NORESERVE, rb->fd, 0);
    if (rb->host == MAP_FAILED) {
        munmap(area, size + align);
        goto no_memory;
    }
    if (at > area)
        munmap(area, (size_t) (at - area));
    munmap(at + size, (size_t) (area + align - at));

    rb->shared = flags & MAP_SHARED;
    rb->locked = src->prealloc;
    rb->page = rb->shared || empty ? host_page(rb->fd) : 0;
    if (size >= HUGE_2M)
        madvise(rb->host, size, MADV_HUGEPAGE); /* a hint: failing is no error */
    if (src->merge)
        madvise(rb->host, size, MADV_MERGEABLE);
    if (!src->dump)
        madvise(rb->host, size, MADV_DONTDUMP);
    if (src->prealloc && madvise(rb->host, size, MADV_POPULATE_WRITE) < 0) {
        fail(err, "mem-prealloc: cannot get %" PRIu64 " MiB of memory: %s", size >> 20, g_strerror(errno));
        ram_block_free(rb);
        return false;
    }
    return true;

no_memory:
    fail(err, "%s: cannot map %" PRIu64 " MiB: %s; use a smaller -m", name, size >> 20, g_strerror(errno));
    rb->host = NULL;
    ram_block_free(rb);
    return false;
}

void ram_block_free(struct ram_block *rb)
{
    if (rb->host)
        munmap(rb->host, rb->size);
    if (rb->fd >= 0 && (rb->host || rb->size))
        close(rb->fd);
    for (int i = 0; i < N_DIRTY; i++)
        g_free(rb->dirty[i]);
    *rb = (struct ram_block){ .fd = -1 };
}

void ram_block_pin(struct ram_block *rb)
{
    __atomic_fetch_add(&rb->pins, 1, __ATOMIC_SEQ_CST);
}

void ram_block_unpin(struct ram_block *rb)
{
    __atomic_fetch_sub(&rb->pins, 1, __ATOMIC_SEQ_CST);
}

int ram_block_discard(struct ram_block *rb, uint64_t off, uint64_t len)
{
    if (!range_fits(off, len, rb->size))
        return EFAULT;
    if (rb->locked || !rb->page || __atomic_load_n(&rb->pins, __ATOMIC_SEQ_CST))
        return EPERM;
    uint64_t from = ROUND_UP(off, rb->page), to = ROUND_DOWN(off + len, rb->page);
    if (from >= to)
        return EINVAL;
    /* A hole in the file leaves every mapping of it by itself.  Private copies do not go with the file's pages. */
    if (rb->shared)
        return fallocate(rb->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) from, (off_t) (to - from)) < 0
            ? errno : 0;
    return madvise(rb->host + from, to - from, MADV_DONTNEED) < 0 ? errno : 0;
}

void ram_block_track(struct ram_block *rb, enum dirty_consumer c, bool on)
{
    if (on && !rb->dirty[c])
        rb->dirty[c] = g_new0(unsigned long, rb->size / PAGE_SIZE_4K / BITS + 1);
    else if (!on)
        g_clear_pointer(&rb->dirty[c], g_free);
}

void ram_block_mark_dirty(struct ram_block *rb, uint64_t off, uint64_t len)
{
    if (!len)
        return;
    for (int c = 0; c < N_DIRTY; c++) {
        if (!rb->dirty[c])
            continue;
        for (uint64_t p = off / PAGE_SIZE_4K; p <= (off + len - 1) / PAGE_SIZE_4K; p++)
            __atomic_fetch_or(&rb->dirty[c][p / BITS], 1UL << (p % BITS), __ATOMIC_RELEASE);
    }
}

void ram_block_sync(struct ram_block *rb)
{
    if (rb->sync)
        rb->sync(rb->sync_opaque, rb);
}

bool ram_block_test_clear(struct ram_block *rb, enum dirty_consumer c, uint64_t off, uint64_t len)
{
    bool any = false;

    if (!rb->dirty[c] || !len)
        return false;
    for (uint64_t p = off / PAGE_SIZE_4K; p <= (off + len - 1) / PAGE_SIZE_4K; p++) {
        unsigned long bit = 1UL << (p % BITS);
        if (__atomic_load_n(&rb->dirty[c][p / BITS], __ATOMIC_ACQUIRE) & bit)
            any |= !!(__atomic_fetch_and(&rb->dirty[c][p / BITS], ~bit, __ATOMIC_ACQ_REL) & bit);
    }
    return any;
}

/* --- DMA --------------------------------------------------------------------------------------- */

/* Offset in the block of gpa and, in *room, how far it is contiguous; false when it is not RAM. */
static bool ram_locate(const struct ram *ram, uint64_t gpa, uint64_t *off, uint64_t *room)
{
    if (gpa < ram->below_4g) {
        *off = gpa;
        *room = ram->below_4g - gpa;
        return true;
    }
    if (gpa >= 4 * GiB && gpa - 4 * GiB < ram->above_4g) {
        *off = ram->below_4g + (gpa - 4 * GiB);
        *room = ram->above_4g - (gpa - 4 * GiB);
        return true;
    }
    return false;
}

void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len)
{
    uint64_t off, room;

    return ram_locate(ram, gpa, &off, &room) && len <= room ? ram->block.host + off : NULL;
}

int ram_discard(struct ram *ram, uint64_t gpa, uint64_t len)
{
    uint64_t off, room;

    if (!ram_locate(ram, gpa, &off, &room) || len > room)
        return EFAULT;
    return ram_block_discard(&ram->block, off, len);
}

static uint8_t *dma_ptr(struct device *d, uint64_t gpa, size_t len)
{
    uint8_t *p = d->dma_disabled ? NULL : ram_ptr(&d->vm->ram, gpa, len);

    if (!p)
        guest_error(d, "DMA of %zu bytes at 0x%" PRIx64 "%s", len, gpa,
                    d->dma_disabled ? " while bus mastering is off" : " is not in RAM");
    return p;
}

bool dma_read(struct device *d, uint64_t gpa, void *buf, size_t len)
{
    const uint8_t *p = dma_ptr(d, gpa, len);

    if (!p) {
        memset(buf, 0xff, len);
        return false;
    }
    memcpy(buf, p, len);
    return true;
}

bool dma_write(struct device *d, uint64_t gpa, const void *buf, size_t len)
{
    uint8_t *p = dma_ptr(d, gpa, len);

    if (!p)
        return false;
    memcpy(p, buf, len);
    dma_wrote(d, gpa, len);
    return true;
}

unsigned dma_map(struct device *d, uint64_t gpa, size_t len, struct iovec *iov, unsigned max)
{
    uint8_t *p = max ? dma_ptr(d, gpa, len) : NULL;

    if (!p)
        return 0;
    iov[0] = (struct iovec){ p, len };
    return 1;
}

void dma_wrote(struct device *d, uint64_t gpa, size_t len)
{
    const uint8_t *p = ram_ptr(&d->vm->ram, gpa, len);

    if (p)
        ram_block_mark_dirty(&d->vm->ram.block, (uint64_t) (p - d->vm->ram.block.host), len);
}
