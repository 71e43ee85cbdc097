/* vmm/base/error.h - the user's mistakes, as GErrors.
 *
 * A message is one line, without a newline and without the program's name: what was wrong, where, and
 * what would be right: "drive 'hda': cannot open 'disk.img': No such file or directory". */
#ifndef BANTAM_BASE_ERROR_H
#define BANTAM_BASE_ERROR_H

#include <glib.h>
#include <stdbool.h>

/* Set *err (when err is not NULL) and return false, so that `return fail(err, ...)` reads well. */
bool fail(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Put "text: " before the message in *err (if there is one) and return false. */
bool fail_prefix(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* " (did you mean 'X'?)" for the nearest of the NULL-terminated names, or "".  Caller frees. */
char *nearest_hint(const char *word, const char *const *names);

#endif
