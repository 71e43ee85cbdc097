/* tests/unit/qcowtest.h - what the tests of qcow2 share: qemu-img and qemu-io to make and to judge images. */
#ifndef BANTAM_TESTS_QCOWTEST_H
#define BANTAM_TESTS_QCOWTEST_H

#include "tests/unit/blktest.h"
#include "vmm/block/qcow2_snapshot.h"

/* Runs a program; its output (caller frees) and exit status. */
static inline char *tool(int *status, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static inline char *tool(int *status, const char *fmt, ...)
{
    va_list ap;
    char *out = NULL, *errs = NULL;
    GError *err = NULL;

    va_start(ap, fmt);
    char *cmd = g_strdup_vprintf(fmt, ap), *sh[] = { "/bin/sh", "-c", cmd, NULL };
    va_end(ap);
    g_spawn_sync(NULL, sh, NULL, 0, NULL, NULL, &out, &errs, status, &err);
    g_assert_no_error(err);
    char *all = g_strconcat(out, errs, NULL);
    g_free(out);
    g_free(errs);
    g_free(cmd);
    return all;
}

static inline void must(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
static inline void must(const char *fmt, ...)
{
    va_list ap;
    int st;

    va_start(ap, fmt);
    char *cmd = g_strdup_vprintf(fmt, ap), *out = tool(&st, "%s", cmd);
    va_end(ap);
    if (st)
        g_error("%s: status %d: %s", cmd, st, out);
    g_free(out);
    g_free(cmd);
}

/* qemu-img check: no errors; leaks only where they are allowed. */
static inline void check_image(const char *path, bool leaks_ok)
{
    int st;
    char *out = tool(&st, "qemu-img check -f qcow2 '%s'", path);

    st = WEXITSTATUS(st);
    if (st && !(leaks_ok && st == 3))
        g_error("qemu-img check %s: status %d: %s", path, st, out);
    g_free(out);
}

static inline bool have_tools(void)
{
    char *a = g_find_program_in_path("qemu-img"), *b = g_find_program_in_path("qemu-io");
    bool both = a && b;

    g_free(a);
    g_free(b);
    if (!both)
        g_test_skip("no qemu-utils");
    return both;
}

#endif
