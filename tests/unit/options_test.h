/* tests/unit/options_test.h - what the tests of the command line share. */
#ifndef BANTAM_TESTS_OPTIONS_TEST_H
#define BANTAM_TESTS_OPTIONS_TEST_H

#include "vmm/control/options.h"
#include "vmm/core/vm.h"

#include <glib/gstdio.h>

static inline bool parse(struct options *o, const char *line, GError **err)
{
    char **argv = NULL, *full = g_strconcat("bantam ", line, NULL);
    int argc;

    g_assert_true(g_shell_parse_argv(full, &argc, &argv, NULL));
    g_free(full);
    bool ok = options_parse(o, argc, argv, err);
    g_strfreev(argv);
    return ok;
}

static inline void good(struct options *o, const char *line)
{
    GError *err = NULL;

    if (!parse(o, line, &err))
        g_error("'%s': %s", line, err->message);
    g_assert_null(err);
}

static inline void accepted(const char *line)
{
    struct options o;

    good(&o, line);
    options_free(&o);
}

static inline void bad(const char *line, const char *want)
{
    struct options o;
    GError *err = NULL;

    if (parse(&o, line, &err)) {
        g_printerr("# '%s' was accepted; want:\n#   %s\n", line, want);
        g_test_fail();
    } else if (strcmp(err->message, want) != 0 || strchr(want, '\n')) {
        g_printerr("# '%s' says:\n#   %s\n# want:\n#   %s\n", line, err->message, want);
        g_test_fail();
    }
    g_clear_error(&err);
    options_free(&o);
}

static inline const struct opt_drive *drive(const struct options *o, const char *id)
{
    for (unsigned i = 0; i < o->drives->len; i++) {
        const struct opt_drive *d = o->drives->pdata[i];
        if (!strcmp(d->cfg.id, id))
            return d;
    }
    g_error("no drive '%s'", id);
}

static inline const struct chardev_config *chardev(const struct options *o, const char *id)
{
    for (unsigned i = 0; i < o->chardevs->len; i++) {
        const struct chardev_config *c = o->chardevs->pdata[i];
        if (!strcmp(c->id, id))
            return c;
    }
    g_error("no chardev '%s'", id);
}

#endif
