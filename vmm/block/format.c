/* vmm/block/format.c - image formats: which there are, how an image is recognised, and the raw one. */
#include "vmm/block/node.h"
#include "vmm/core/vm.h"

#include <errno.h>

struct format {
    const char *name;
    /* Takes `file` as its child; NULL: known by name, but not supported. */
    struct bnode *(*open)(struct bnode *file, bool probed, const struct bopen *o, GError **err);
    struct {
        uint16_t at;
        uint8_t len;
        const char *bytes;
    } magic[3];
};

/* --- raw --------------------------------------------------------------------------------------- */

/* When raw was only guessed, the guest could write another format's header into the first sector, and the
 * next guess would follow it: with a qcow2 header, to any file of the host as "backing file".  So such a
 * write fails. */
struct raw {
    struct bnode node;
    char *who, *path;
    bool warned;
};

static void raw_submit(struct bnode *n, struct bio *io)
{
    node_submit(n->child[0], io);
}

static void guarded_submit(struct bnode *n, struct bio *io)
{
    if (io->op == BLK_WRITE && io->off < 512 && io->iov) {
        struct raw *r = (struct raw *) n;
        uint8_t head[512] = { 0 };
        iov_to_buf(io->iov, io->niov, 0, head + io->off, (size_t) MIN(io->len, 512 - io->off));
        const char *name = format_of_magic(head, sizeof head);
        if (name) {
            if (!r->warned)
                warn_user("%s: the guest tried to make '%s' look like a %s image: refused; say format=raw to "
                          "allow it",
                          r->who, r->path, name);
            r->warned = true;
            io->settle = NULL;
            bio_finish(io, EPERM);
            return;
        }
    }
    node_submit(n->child[0], io);
}

static int raw_resize(struct bnode *n, uint64_t size)
{
    int err = node_resize(n->child[0], size);

    n->size = n->child[0]->size;
    return err;
}

static void raw_close(struct bnode *n)
{
    g_free(((struct raw *) n)->who);
    g_free(((struct raw *) n)->path);
}

static const struct bnode_class raw_class = {
    .name = "raw", .submit = raw_submit, .close = raw_close, .resize = raw_resize
};
static const struct bnode_class guarded_class = { .name = "raw", .submit = guarded_submit, .close = raw_close,
                                                  .resize = raw_resize };

static struct bnode *raw_open(struct bnode *file, bool probed, const struct bopen *o, GError **err)
{
    if (o->backing_path || o->backing_format) {
        fail(err, "%s: '%s': raw images have no backing file", o->who, o->path);
        node_close(file);
        return NULL;
    }
    struct raw *r = (struct raw *) node_new(
        sizeof *r, probed && !file->read_only ? &guarded_class : &raw_class, file->ctx);

    r->who = g_strdup(o->who);
    r->path = g_strdup(o->path);
    r->node.child[0] = file;
    r->node.size = file->size;
    r->node.read_only = file->read_only;
    r->node.fua = file->fua;
    return &r->node;
}

/* --- the table --------------------------------------------------------------------------------- */

/* Magics within the first sector, so that a write of sector 0 shows them all. */
static const struct format formats[] = {
    { "raw", raw_open },
    { "qcow2", qcow2_open, { { 0, 8, "QFI\xfb\0\0\0\2" }, { 0, 8, "QFI\xfb\0\0\0\3" } } },
    { "qcow", NULL, { { 0, 4, "QFI\xfb" } } },
    { "qed", NULL, { { 0, 4, "QED\0" } } },
    { "vmdk", NULL, { { 0, 4, "KDMV" }, { 0, 4, "COWD" }, { 0, 21, "# Disk DescriptorFile" } } },
    { "vdi", NULL, { { 0x40, 4, "\x7f\x10\xda\xbe" } } },
    { "vhdx", NULL, { { 0, 8, "vhdxfile" } } },
    { "vpc", NULL, { { 0, 8, "conectix" } } },
    { "parallels", NULL, { { 0, 16, "WithoutFreeSpace" }, { 0, 16, "WithouFreSpacExt" } } },
    { "luks", NULL, { { 0, 6, "LUKS\xba\xbe" } } },
    { "bochs", NULL, { { 0, 22, "Bochs Virtual HD Image" } } },
    { "cloop", NULL, { { 0, 29, "#!/bin/sh\n#V2.0 Format\nmodpro" } } },
};

const char *format_of_magic(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        for (int m = 0; m < 3 && formats[i].magic[m].len; m++)
            if (range_fits(formats[i].magic[m].at, formats[i].magic[m].len, len) &&
                !memcmp(head + formats[i].magic[m].at, formats[i].magic[m].bytes, formats[i].magic[m].len))
                return formats[i].name;
    return NULL;
}

static const struct format *find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (!strcmp(formats[i].name, name))
            return &formats[i];
    return NULL;
}

static bool unknown(const char *name, const struct bopen *o, GError **err)
{
    const char *names[G_N_ELEMENTS(formats) + 1] = { 0 };
    GString *have = g_string_new(NULL);
    size_t n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].open) {
            names[n++] = formats[i].name;
            g_string_append_printf(have, "%s%s", have->len ? ", " : "", formats[i].name);
        }
    char *hint = nearest_hint(name, names);
    fail(err, "%s: there is no format '%s'%s; known: %s", o->who, name, hint, have->str);
    g_free(hint);
    g_string_free(have, TRUE);
    return false;
}

static const struct format *probe(struct bnode *file, const struct bopen *o, GError **err)
{
    uint8_t head[512];
    int e = node_pread(file, 0, head, sizeof head);

    if (e) {
        fail(err, "%s: cannot read '%s': %s", o->who, o->path, g_strerror(e));
        return NULL;
    }
    const char *name = format_of_magic(head, sizeof head);
    return find(name ? name : "raw");
}

struct bnode *format_open(struct bnode *file, const char *name, const struct bopen *o, GError **err)
{
    const struct format *f = name ? find(name) : probe(file, o, err);
    struct bnode *n = NULL;

    if (f && f->open)
        n = f->open(file, !name, o, err);
    else if (f && name)
        fail(err, "%s: format '%s' is not supported yet; convert it: qemu-img convert -O raw '%s' NEW.img",
             o->who, name, o->path);
    else if (f)
        fail(err,
             "%s: '%s' is a %s image, which is not supported yet; convert it: qemu-img convert -O raw '%s' "
             "NEW.img "
             "(or say format=raw to use its bytes as they are)",
             o->who, o->path, f->name, o->path);
    else if (name)
        unknown(name, o, err);
    if (!n && !(f && f->open))
        node_close(file);
    return n;
}

struct bnode *image_open(struct bctx *c, const char *format, const struct bopen *o, GError **err)
{
    struct bnode *file = protocol_open(c, o, err);

    return file ? format_open(file, format, o, err) : NULL;
}
