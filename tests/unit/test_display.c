/* tests/unit/test_display.c - consoles, surfaces and screenshots. */
#include "vmm/core/vm.h"
#include "vmm/ui/display.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake {
    struct device dev;
    struct console con;
    int w, h;
    bool full;
    unsigned idle;
};

static int64_t still(void *opaque)
{
    (void) opaque;
    return 0;
}

static void update(void *opaque, bool full, struct rect *dirty)
{
    struct fake *f = opaque;

    f->full = full;
    console_resize(&f->con, f->w, f->h);
    for (int y = 0; y < f->h; y++)
        for (int x = 0; x < f->w; x++)
            console_row(&f->con, y)[x] = (uint32_t) (x << 16 | y << 8 | 0x42);
    *dirty = (struct rect){ 1, 1, 1, 1 };
}

static void idle(void *opaque)
{
    ((struct fake *) opaque)->idle++;
}

static const struct console_ops ops = { .update = update, .idle = idle };

static struct vm *start(struct fake *f)
{
    struct vm *vm = vm_new(still, NULL);

    *f = (struct fake){ .dev = { .vm = vm, .name = "fake" }, .w = 5, .h = 3 };
    g_assert_null(console_first(vm));
    console_init(&f->con, &f->dev, &ops, f);
    g_assert_true(console_first(vm) == &f->con);
    return vm;
}

static void stop(struct fake *f, struct vm *vm)
{
    console_clear(&f->con);
    g_assert_null(console_first(vm));
    vm_free(vm);
}

static void test_console(void)
{
    struct fake f;
    struct vm *vm = start(&f);
    struct rect r;

    console_update(&f.con, false, &r); /* a new size: all of it */
    g_assert_cmpint(r.w, ==, 5);
    g_assert_cmpint(r.h, ==, 3);
    unsigned gen = f.con.generation;
    console_update(&f.con, false, &r);
    g_assert_cmpint(r.x + r.y + r.w + r.h, ==, 4);
    g_assert_cmpuint(f.con.generation, ==, gen);
    console_update(&f.con, true, &r);
    g_assert_true(f.full);
    g_assert_cmpint(r.w, ==, 5);
    pixman_image_t *old = pixman_image_ref(f.con.surface);
    f.w = 7;
    console_update(&f.con, false, &r);
    g_assert_cmpint(r.w, ==, 7);
    g_assert_cmpint(pixman_image_get_width(old), ==, 5); /* who holds the old one may go on */
    pixman_image_unref(old);
    g_assert_null(console_text(&f.con));
    console_idle(&f.con);
    g_assert_cmpuint(f.idle, ==, 1);
    console_resize(&f.con, 0, 100000);
    g_assert_cmpint(f.con.width, ==, 1);
    g_assert_cmpint(f.con.height, ==, 16384);
    stop(&f, vm);
}

static void expect_error(struct fake *f, const char *path, const char *format, const char *want)
{
    GError *err = NULL;

    g_assert_false(screenshot_write(&f->con, path, format, &err));
    g_assert_cmpstr(err->message, ==, want);
    g_clear_error(&err);
}

static void test_screenshot(void)
{
    struct fake f;
    struct vm *vm = start(&f);
    GError *err = NULL;
    char *dir = g_dir_make_tmp("bantam-XXXXXX", NULL), *ppm = g_build_filename(dir, "a.ppm", NULL),
         *png = g_build_filename(dir, "a.png", NULL), *data;
    gsize len;

    g_assert_true(screenshot_write(&f.con, ppm, "ppm", &err));
    g_assert_no_error(err);
    g_assert_true(g_file_get_contents(ppm, &data, &len, NULL));
    g_assert_cmpuint(len, ==, 11 + 45);
    g_assert_true(g_str_has_prefix(data, "P6\n5 3\n255\n"));
    g_assert_cmpmem(data + len - 3, 3, "\x04\x02\x42", 3);
    g_free(data);
#ifdef HAVE_PNG
    g_assert_true(screenshot_write(&f.con, png, NULL, &err));
    g_assert_no_error(err);
    g_assert_true(g_file_get_contents(png, &data, &len, NULL));
    g_assert_cmpmem(data, 8, "\x89PNG\r\n\x1a\n", 8);
    g_free(data);
    expect_error(&f, "x", "jpeg", "screenshot: unknown format 'jpeg': use png or ppm");
#endif
    expect_error(&f, "/nowhere/a.ppm", "ppm",
                 "screenshot: cannot write '/nowhere/a.ppm': No such file or directory");
    expect_error(&f, "/", "ppm", "screenshot: cannot write '/': Is a directory");
    expect_error(&f, "/dev/full", "ppm", "screenshot: cannot write '/dev/full': No space left on device");
    g_assert_true(screenshot_write(&f.con, "/dev/null", "ppm", NULL));
    g_assert_true(g_file_test("/dev/null", G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test("/dev/null", G_FILE_TEST_IS_REGULAR));

    GDir *d = g_dir_open(dir, 0, NULL); /* nothing is left behind */
    unsigned n = 0;
    while (g_dir_read_name(d))
        n++;
    g_dir_close(d);
    g_assert_cmpuint(n, ==, g_file_test(png, G_FILE_TEST_EXISTS) ? 2 : 1);
    unlink(ppm);
    unlink(png);
    rmdir(dir);
    g_free(ppm);
    g_free(png);
    g_free(dir);
    stop(&f, vm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/display/console", test_console);
    g_test_add_func("/display/screenshot", test_screenshot);
    return g_test_run();
}
