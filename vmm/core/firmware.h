/* vmm/core/firmware.h - finding BIOS and option ROM files: -L directories first, then those that configure set. */
#ifndef BANTAM_CORE_FIRMWARE_H
#define BANTAM_CORE_FIRMWARE_H

#include "vmm/core/vm.h"

/* The path of a file: `name` itself when it has a slash or is there, else the first that is found in
 * vm->firmware_path (':' between directories).  NULL: not found.  Caller frees. */
char *firmware_find(const struct vm *vm, const char *name);

/* The contents of such a file, of at most max bytes; NULL and *err: "bios: cannot find 'x' in ...".  `what` begins the
 * message.  Caller frees with g_free. */
uint8_t *firmware_read(const struct vm *vm, const char *what, const char *name, size_t max, size_t *len, GError **err);

#endif
