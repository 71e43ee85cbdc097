/* tests/unit/test_options.c - the command line: what is accepted and what it means, and every refusal's words. */
#include "vmm/control/options.h"

#include <glib/gstdio.h>

static bool parse(struct options *o, const char *line, GError **err)
{
    char **argv = NULL, *full = g_strconcat("bantam ", line, NULL);
    int argc;

    g_assert_true(g_shell_parse_argv(full, &argc, &argv, NULL));
    g_free(full);
    bool ok = options_parse(o, argc, argv, err);
    g_strfreev(argv);
    return ok;
}

static void good(struct options *o, const char *line)
{
    GError *err = NULL;

    if (!parse(o, line, &err))
        g_error("'%s': %s", line, err->message);
    g_assert_null(err);
}

static void bad(const char *line, const char *want)
{
    struct options o;
    GError *err = NULL;

    if (parse(&o, line, &err))
        g_error("'%s' was accepted; want: %s", line, want);
    g_assert_nonnull(err);
    if (strcmp(err->message, want) != 0)
        g_error("'%s' says:\n  %s\nwant:\n  %s", line, err->message, want);
    g_assert_null(strchr(err->message, '\n'));
    g_error_free(err);
    options_free(&o);
}

static void test_defaults(void)
{
    struct options o;

    good(&o, "");
    g_assert_cmpuint(o.pc.ram_size, ==, 128 * MiB);
    g_assert_cmpuint(o.pc.cpus, ==, 1);
    g_assert_cmpstr(o.pc.bios, ==, "bios-256k.bin");
    g_assert_cmpstr(o.pc.vga, ==, "std");
    g_assert_true(o.pc.has_ide[2] && o.pc.ide_cdrom[2] && o.pc.has_floppy[0] && o.pc.has_serial[0] && o.pc.acpi);
    g_assert_cmpuint(o.drives->len, ==, 2);
    options_free(&o);
    good(&o, "-nodefaults");
    g_assert_false(o.pc.has_ide[2] || o.pc.has_floppy[0] || o.pc.has_serial[0]);
    g_assert_cmpstr(o.pc.vga, ==, "none");
    options_free(&o);
    bad("-xyzzyx", "there is no option '-xyzzyx'; see bantam -help");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/defaults", test_defaults);
    return g_test_run();
}
