/* vmm/core/rng.h - where random bytes for guests come from: the kernel's getrandom, or a file such as /dev/hwrng.
 *
 * An `rng` is an -object that names a source; each device opens a stream of its own of it.  Main thread or VM
 * lock; streams live in the main exec. */
#ifndef BANTAM_CORE_RNG_H
#define BANTAM_CORE_RNG_H

#include "vmm/core/exec.h"

struct rng {
    char *id;
    char *filename; /* NULL: getrandom */
};

/* Found by its id in vm->rngs afterwards; NULL: the file can't be read. */
struct rng *rng_new(struct vm *vm, const char *id, const char *filename, GError **err);
struct rng *rng_find(struct vm *vm, const char *id); /* NULL: there is none */
void rng_free_all(struct vm *vm);

/* rng NULL: getrandom.  `ready` is called, under the VM lock, when a read that gave nothing is worth another try. */
struct rng_stream;
struct rng_stream *rng_open(struct vm *vm, const struct rng *rng, void (*ready)(void *opaque), void *opaque,
                            GError **err);
size_t rng_read(struct rng_stream *s, void *buf, size_t len); /* up to len bytes, 0: none now */
void rng_close(struct rng_stream *s);                         /* NULL is fine */

#endif
