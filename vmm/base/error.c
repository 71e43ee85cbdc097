/* vmm/base/error.c - helpers around GError. */
#include "vmm/base/error.h"

#include <stdarg.h>
#include <string.h>

static GQuark bantam_error_quark(void)
{
    return g_quark_from_static_string("bantam");
}

bool fail(GError **err, const char *fmt, ...)
{
    va_list ap;

    if (err && !*err) {
        va_start(ap, fmt);
        *err = g_error_new_valist(bantam_error_quark(), 1, fmt, ap);
        va_end(ap);
    }
    return false;
}

bool fail_prefix(GError **err, const char *fmt, ...)
{
    if (err && *err) {
        va_list ap;
        va_start(ap, fmt);
        char *text = g_strdup_vprintf(fmt, ap);
        va_end(ap);
        g_prefix_error(err, "%s: ", text);
        g_free(text);
    }
    return false;
}

/* Levenshtein distance; words here are option and property names, so two rows of 64 are plenty. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[65], n = strlen(a), m = strlen(b);

    if (n > 64 || m > 64)
        return 99;
    for (unsigned j = 0; j <= m; j++)
        row[j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned diag = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            unsigned up = row[j];
            unsigned best = diag + (a[i - 1] != b[j - 1]);
            best = MIN(best, up + 1);
            row[j] = MIN(best, row[j - 1] + 1);
            diag = up;
        }
    }
    return row[m];
}

char *nearest_hint(const char *word, const char *const *names)
{
    const char *best = NULL;
    unsigned best_d = strlen(word) / 3 + 2;

    for (; names && *names; names++) {
        unsigned d = distance(word, *names);
        if (d < best_d) {
            best_d = d;
            best = *names;
        }
    }
    return best ? g_strdup_printf(" (did you mean '%s'?)", best) : g_strdup("");
}
