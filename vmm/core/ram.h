/* vmm/core/ram.h - host memory that guests see, dirty tracking, and DMA.
 *
 * A ram_block is a piece of host memory: the guest's main memory, video memory, a ROM's shadow.
 * Dirty tracking: KVM's log does not see our own writes, so every writer in this process marks the
 * block's bitmap, one bit a 4 KiB page for each consumer that asked for it; KVM's log is merged in by
 * ram_block_sync().  Marking is atomic and may be done by any thread. */
#ifndef BANTAM_CORE_RAM_H
#define BANTAM_CORE_RAM_H

#include "vmm/base/util.h"

#include <sys/uio.h>

enum { PAGE_SIZE_4K = 4096 };
enum dirty_consumer { DIRTY_DISPLAY, DIRTY_SNAPSHOT, DIRTY_MIGRATION, N_DIRTY };

struct ram_block {
    const char *name; /* not owned */
    uint8_t *host;    /* page aligned */
    uint64_t size;    /* multiple of 4 KiB */
    int fd;           /* memfd or file behind it, or -1 */
    bool shared;      /* what is written goes into fd */
    bool locked;      /* the user wants all of it in memory: prealloc, mem-lock */
    unsigned pins;    /* see ram_block_pin(); atomic */
    /* What the host can take back at once, in bytes; 0: nothing, because it would come back with other contents
     * than zeros. */
    uint64_t page;
    unsigned long *dirty[N_DIRTY]; /* NULL: no such consumer */
    /* Merge the accelerator's log of this block into `dirty`; NULL without one.  Under the VM lock. */
    void (*sync)(void *opaque, struct ram_block *rb);
    void *sync_opaque;
};

/* How to get the memory: QEMU's memory-backend-ram, -memfd and -file. */
struct ram_source {
    const char *path; /* -mem-path: a file, or a directory in which a deleted temporary is made; NULL: none */
    bool memfd, share, prealloc, merge, dump, hugetlb;
};

bool ram_block_alloc(struct ram_block *rb, const char *name, uint64_t size, const struct ram_source *src,
                     GError **err); /* src may be NULL: anonymous, lazily populated, huge pages where possible */
void ram_block_free(struct ram_block *rb);

/* Give [off, off+len) back to the host, as far as it is made of whole host pages; it comes back as zeros when it is
 * touched.  Returns 0, or an errno: EPERM when the block is locked, pinned, or has contents that are not ours; EINVAL
 * for no whole page; what the host says else.  Under the VM lock. */
int ram_block_discard(struct ram_block *rb, uint64_t off, uint64_t len);
/* While somebody else (a kernel's registered buffers, a VFIO device) holds on to the host's pages, none is given back.
 * Any thread. */
void ram_block_pin(struct ram_block *rb);
void ram_block_unpin(struct ram_block *rb);

void ram_block_track(struct ram_block *rb, enum dirty_consumer c, bool on); /* all clean at first */
void ram_block_mark_dirty(struct ram_block *rb, uint64_t off, uint64_t len);
void ram_block_sync(struct ram_block *rb);
/* Was any page of [off, off+len) dirty?  Clears those. */
bool ram_block_test_clear(struct ram_block *rb, enum dirty_consumer c, uint64_t off, uint64_t len);

/* Guest main memory as DMA and loaders see it: a fixed map, not touched by PAM or windows.
 * gpa [0, below_4g) and [4 GiB, 4 GiB + above_4g). */
struct ram {
    struct ram_block block;
    uint64_t below_4g, above_4g;
};

/* Host address of [gpa, gpa+len), or NULL when not all of it is RAM and contiguous in the host. */
void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len);

/* ram_block_discard() of [gpa, gpa+len), which must lie in one of the two parts (else EFAULT). */
int ram_discard(struct ram *ram, uint64_t gpa, uint64_t len);

/* DMA by a device: guest RAM only, never a register, so it can't re-enter a device.  False (and a guest
 * error is logged): outside RAM, or the device may not master the bus (device.h: dma_disabled); a read
 * then fills buf with 0xff, a write does nothing at all.  Any thread. */
struct device;
bool dma_read(struct device *d, uint64_t gpa, void *buf, size_t len);
bool dma_write(struct device *d, uint64_t gpa, const void *buf, size_t len);

/* Map [gpa, gpa+len) for a long transfer: fills up to `max` iovecs, returns how many (at most 2 are ever
 * needed), 0 when it is not all RAM or bus mastering is off.  The addresses stay valid as long as the VM.
 * After a transfer *into* guest memory call dma_wrote() for what was written. */
unsigned dma_map(struct device *d, uint64_t gpa, size_t len, struct iovec *iov, unsigned max);
void dma_wrote(struct device *d, uint64_t gpa, size_t len);

#endif
