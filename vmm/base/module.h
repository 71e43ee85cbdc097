/* vmm/base/module.h - parts of the program that are loaded when they are first asked for, because of the
 * libraries that they bring along.
 *
 * Module NAME is the shared object bantam-NAME.so, beside the program in the build tree, in ../lib/bantam
 * from the program when it is installed.  Its undefined symbols are the program's.  A module stays loaded. */
#ifndef BANTAM_BASE_MODULE_H
#define BANTAM_BASE_MODULE_H

#include "vmm/base/error.h"

/* The address of `symbol` in a module: usually a const struct of functions.  NULL and *err: not installed, or
 * one of its libraries is missing.  Main thread. */
const void *module_symbol(const char *module, const char *symbol, GError **err);

#endif
