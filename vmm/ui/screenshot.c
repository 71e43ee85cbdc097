/* vmm/ui/screenshot.c - a console's picture as a PNG or PPM file.
 *
 * Written beside the target and renamed over it, so that who waits for the file never sees half of it. */
#include "vmm/base/error.h"
#include "vmm/core/vm.h"
#include "vmm/ui/display.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_PNG
#include <png.h>
#endif

static void row_to_rgb(pixman_image_t *image, int y, uint8_t *rgb)
{
    const uint32_t *px = (const uint32_t *) ((const char *) pixman_image_get_data(image) +
                                             (ptrdiff_t) y * pixman_image_get_stride(image));
    int w = pixman_image_get_width(image);

    for (int x = 0; x < w; x++) {
        rgb[3 * x] = px[x] >> 16 & 0xff;
        rgb[3 * x + 1] = px[x] >> 8 & 0xff;
        rgb[3 * x + 2] = px[x] & 0xff;
    }
}

static bool write_ppm(FILE *f, pixman_image_t *image, uint8_t *row)
{
    int w = pixman_image_get_width(image), h = pixman_image_get_height(image);

    fprintf(f, "P6\n%d %d\n255\n", w, h);
    for (int y = 0; y < h; y++) {
        row_to_rgb(image, y, row);
        fwrite(row, 3, (size_t) w, f);
    }
    return !ferror(f);
}

#ifdef HAVE_PNG
static bool write_png(FILE *f, pixman_image_t *image, uint8_t *row)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool ok = false;

    if (!info || setjmp(png_jmpbuf(png)))
        goto out; /* libpng has left errno as the failed write set it */
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32) pixman_image_get_width(image),
                 (png_uint_32) pixman_image_get_height(image), 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 3); /* screens are mostly flat: more costs time and gains little */
    png_write_info(png, info);
    for (int y = 0; y < pixman_image_get_height(image); y++) {
        row_to_rgb(image, y, row);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    ok = true;
out:
    png_destroy_write_struct(&png, &info);
    return ok;
}
#endif

typedef bool encoder(FILE *f, pixman_image_t *image, uint8_t *row);

static encoder *find_encoder(const char *path, const char *format, GError **err)
{
    if (!format)
        format = g_str_has_suffix(path, ".png") || g_str_has_suffix(path, ".PNG") ? "png" : "ppm";
    if (!strcmp(format, "ppm"))
        return write_ppm;
#ifdef HAVE_PNG
    if (!strcmp(format, "png"))
        return write_png;
    fail(err, "screenshot: unknown format '%s': use png or ppm", format);
#else
    fail(err, "screenshot: cannot write format '%s': %s", format,
         strcmp(format, "png") ? "use ppm" : "built without libpng, use ppm");
#endif
    return NULL;
}

static bool save(int fd, encoder *encode, pixman_image_t *image)
{
    FILE *f = fdopen(fd, "wb");
    uint8_t *row;
    bool ok;

    if (!f) {
        close(fd);
        return false;
    }
    row = g_malloc(3 * (size_t) pixman_image_get_width(image));
    errno = 0;
    ok = encode(f, image, row);
    ok = fflush(f) == 0 && ok;
    int e = errno;
    fclose(f);
    g_free(row);
    errno = e ? e : EIO;
    return ok;
}

/* Through a temporary file; straight into what is no regular file (a fifo, /dev/stdout). */
static bool store(const char *path, encoder *encode, pixman_image_t *image, GError **err)
{
    struct stat st;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        FILE *f = S_ISDIR(st.st_mode) ? (errno = EISDIR, NULL) : fopen(path, "wb");
        int fd = f ? dup(fileno(f)) : -1;
        bool ok = fd >= 0 && save(fd, encode, image);
        int e = errno;
        if (f)
            fclose(f);
        return ok || fail(err, "screenshot: cannot write '%s': %s", path, g_strerror(e));
    }
    char *tmp = g_strconcat(path, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(tmp, O_RDWR | O_CLOEXEC, 0666); /* less the umask, as any file */
    bool ok = fd >= 0 && save(fd, encode, image) && rename(tmp, path) == 0;
    if (!ok) {
        fail(err, "screenshot: cannot write '%s': %s", path, g_strerror(errno));
        if (fd >= 0)
            unlink(tmp);
    }
    g_free(tmp);
    return ok;
}

bool screenshot_write(struct console *con, const char *path, const char *format, GError **err)
{
    encoder *encode = find_encoder(path, format, err);
    struct vm *vm = con->vm;
    struct rect dirty;

    if (!encode)
        return false;
    vm_lock(vm);
    console_update(con, true, &dirty);
    pixman_image_t *image = pixman_image_ref(con->surface); /* survives a resize */
    vm_unlock(vm);
    bool ok = store(path, encode, image, err);
    pixman_image_unref(image);
    return ok;
}
