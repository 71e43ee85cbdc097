/* hw/pc/fw_cfg.c - the firmware configuration device.
 * Source: QEMU's docs/specs/fw_cfg (the interface's own specification).
 *
 * Port 510h selects an item (16 bits), 511h reads it a byte at a time, 514h/518h (big endian) take the
 * address of a DMA descriptor.
 *
 * Deviations: no item is writable, so a DMA write reports an error, as it does for read-only items. */
#include "hw/pc/fw_cfg.h"
#include "hw/catalog.h"

enum { PORT_SEL = 0x510, PORT_DMA = 0x514, ID_TRADITIONAL = 1, ID_DMA = 2, NAME_MAX_LEN = 56, DIR_ENTRY = 64 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

struct item {
    uint8_t *data;
    size_t len;
};

struct file {
    char name[NAME_MAX_LEN];
    struct item item;
};

struct fw_cfg {
    struct device dev;
    struct region io, dma_io;
    struct item legacy[FW_CFG_FILE_FIRST]; /* by key */
    struct item arch[8];                   /* by key - FW_CFG_ARCH_LOCAL */
    struct file files[FW_CFG_N_FILES];     /* sorted by name: the key is FW_CFG_FILE_FIRST + index */
    unsigned n_files;
    uint16_t key;
    uint32_t offset;   /* of the next byte in the item */
    uint64_t dma_addr; /* as far as it was written */
};

static struct fw_cfg *fw_cfg_of(struct device *d)
{
    return container_of(d, struct fw_cfg, dev);
}

/* --- contents ------------------------------------------------------------------------------------ */

static struct item *find_item(struct fw_cfg *s, unsigned key)
{
    if (key < FW_CFG_FILE_FIRST)
        return &s->legacy[key];
    if (key - FW_CFG_FILE_FIRST < s->n_files)
        return &s->files[key - FW_CFG_FILE_FIRST].item;
    if (key >= FW_CFG_ARCH_LOCAL && key - FW_CFG_ARCH_LOCAL < G_N_ELEMENTS(s->arch))
        return &s->arch[key - FW_CFG_ARCH_LOCAL];
    return NULL;
}

static void item_set(struct item *it, const void *data, size_t len)
{
    uint8_t *copy = g_memdup2(data, len);

    g_free(it->data);
    *it = (struct item){ copy, len };
}

void fw_cfg_add_bytes(struct device *fw, unsigned key, const void *data, size_t len)
{
    struct item *it = find_item(fw_cfg_of(fw), key);

    g_assert(it && key != FW_CFG_FILE_DIR);
    item_set(it, data, len);
}

void fw_cfg_add_int(struct device *fw, unsigned key, uint64_t val, unsigned size)
{
    uint8_t b[8];

    st_le64(b, val);
    fw_cfg_add_bytes(fw, key, b, size);
}

static void make_directory(struct fw_cfg *s)
{
    size_t len = 4 + s->n_files * (size_t) DIR_ENTRY;
    uint8_t *dir = g_malloc0(len), *p = dir + 4;

    st_be32(dir, s->n_files);
    for (unsigned i = 0; i < s->n_files; i++, p += DIR_ENTRY) {
        st_be32(p, (uint32_t) s->files[i].item.len);
        st_be16(p + 4, (uint16_t) (FW_CFG_FILE_FIRST + i));
        memcpy(p + 8, s->files[i].name, NAME_MAX_LEN);
    }
    item_set(&s->legacy[FW_CFG_FILE_DIR], dir, len);
    g_free(dir);
}

bool fw_cfg_add_file(struct device *fw, const char *name, const void *data, size_t len)
{
    struct fw_cfg *s = fw_cfg_of(fw);
    unsigned i = 0;

    if (strlen(name) >= NAME_MAX_LEN || len > UINT32_MAX)
        return false;
    while (i < s->n_files && strcmp(s->files[i].name, name) < 0)
        i++;
    if (i == s->n_files || strcmp(s->files[i].name, name) != 0) {
        if (s->n_files == FW_CFG_N_FILES)
            return false;
        memmove(&s->files[i + 1], &s->files[i], (s->n_files - i) * sizeof s->files[0]);
        memset(&s->files[i], 0, sizeof s->files[0]);
        g_strlcpy(s->files[i].name, name, NAME_MAX_LEN);
        s->n_files++;
    }
    item_set(&s->files[i].item, data, len);
    make_directory(s);
    return true;
}

const uint8_t *fw_cfg_find(struct device *fw, const char *name, size_t *len)
{
    struct fw_cfg *s = fw_cfg_of(fw);

    for (unsigned i = 0; i < s->n_files; i++)
        if (!strcmp(s->files[i].name, name)) {
            *len = s->files[i].item.len;
            return s->files[i].item.data;
        }
    return NULL;
}

/* --- registers ----------------------------------------------------------------------------------- */

static void fw_select(struct fw_cfg *s, uint16_t key)
{
    s->key = key;
    s->offset = 0;
    TRACE(&s->dev, "select %04x", key);
}

/* The bytes left of the selected item; past its end (and in absent items) zeros are read. */
static size_t left(struct fw_cfg *s, const uint8_t **p)
{
    const struct item *it = find_item(s, s->key);

    if (!it || s->offset >= it->len)
        return 0;
    *p = it->data + s->offset;
    return it->len - s->offset;
}

static uint64_t io_read(void *opaque, uint64_t off, unsigned size)
{
    struct fw_cfg *s = opaque;
    const uint8_t *p;

    if (off != 1 || size != 1)
        return 0;
    if (!left(s, &p))
        return 0;
    s->offset++;
    return *p;
}

static void io_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    if (off == 0 && size == 2)
        fw_select(opaque, (uint16_t) val);
}

static const struct region_ops io_ops = { io_read, io_write, .min = 1, .max = 2 };

/* Copies to guest memory in pieces; bounded by guest RAM, since a piece outside of it ends the transfer. */
static bool dma_copy(struct fw_cfg *s, uint64_t gpa, uint32_t len)
{
    static const uint8_t zeros[4096];
    const uint8_t *p = NULL;

    while (len) {
        size_t have = left(s, &p), n = MIN(len, have ? have : sizeof zeros);
        if (!dma_write(&s->dev, gpa, have ? p : zeros, n))
            return false;
        s->offset += have ? (uint32_t) n : 0;
        gpa += n;
        len -= (uint32_t) n;
    }
    return true;
}

static void dma_run(struct fw_cfg *s)
{
    uint8_t desc[16], reply[4];
    uint64_t at = s->dma_addr;
    bool ok = true;

    s->dma_addr = 0;
    if (!dma_read(&s->dev, at, desc, sizeof desc))
        return;
    uint32_t control = ld_be32(desc), len = ld_be32(desc + 4);
    if (control & DMA_SELECT)
        fw_select(s, (uint16_t) (control >> 16));
    if (control & DMA_READ) {
        ok = dma_copy(s, ld_be64(desc + 8), len);
    } else if (control & DMA_WRITE) {
        ok = false;
    } else if (control & DMA_SKIP) {
        const uint8_t *p;
        s->offset += (uint32_t) MIN(len, left(s, &p));
    }
    st_be32(reply, ok ? 0 : DMA_ERROR);
    dma_write(&s->dev, at, reply, sizeof reply);
}

static uint64_t dma_port_read(void *opaque, uint64_t off, unsigned size)
{
    static const char signature[] = "QEMU CFG"; /* big endian: as the bytes lie */

    (void) opaque;
    return ld_le(signature + off, size);
}

static void dma_port_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    struct fw_cfg *s = opaque;

    if (size != 4)
        return;
    uint32_t v = GUINT32_SWAP_LE_BE((uint32_t) val);
    if (off == 0) {
        s->dma_addr = (uint64_t) v << 32;
    } else if (off == 4) {
        s->dma_addr |= v;
        dma_run(s);
    }
}
static const struct region_ops dma_ops = { dma_port_read, dma_port_write, .min = 1, .max = 4 };

/* --- life ---------------------------------------------------------------------------------------- */

static void fw_cfg_reset(struct device *d)
{
    struct fw_cfg *s = fw_cfg_of(d);

    fw_select(s, 0);
    s->dma_addr = 0;
}

static bool fw_cfg_realize(struct device *d, GError **err)
{
    struct fw_cfg *s = fw_cfg_of(d);

    fw_cfg_add_bytes(d, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_int(d, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4);
    make_directory(s);
    region_init_io(&s->io, "fwcfg", &io_ops, s, 2);
    region_init_io(&s->dma_io, "fwcfg.dma", &dma_ops, s, 8);
    return space_add(&d->vm->pio, &s->io, PORT_SEL, PRIO_CHIPSET, err) &&
           space_add(&d->vm->pio, &s->dma_io, PORT_DMA, PRIO_CHIPSET, err);
}

static void fw_cfg_unrealize(struct device *d)
{
    struct fw_cfg *s = fw_cfg_of(d);

    space_remove(&s->io);
    space_remove(&s->dma_io);
    for (unsigned i = 0; i < G_N_ELEMENTS(s->legacy); i++)
        g_free(s->legacy[i].data);
    for (unsigned i = 0; i < G_N_ELEMENTS(s->arch); i++)
        g_free(s->arch[i].data);
    for (unsigned i = 0; i < s->n_files; i++)
        g_free(s->files[i].item.data);
}

static const struct state fw_cfg_state[] = {
    STATE_HOST(struct fw_cfg, io), STATE_HOST(struct fw_cfg, dma_io),
    /* the contents are made anew by the machine that loads a snapshot */
    STATE_HOST(struct fw_cfg, legacy), STATE_HOST(struct fw_cfg, arch), STATE_HOST(struct fw_cfg, files),
    STATE_HOST(struct fw_cfg, n_files),
    STATE_U16(struct fw_cfg, key), STATE_U32(struct fw_cfg, offset), STATE_U64(struct fw_cfg, dma_addr), {}
};

const struct device_class fw_cfg_class = {
    .name = "fw_cfg", .desc = "firmware configuration interface", .version = 1, .size = sizeof(struct fw_cfg),
    .internal = true, .state = fw_cfg_state, .realize = fw_cfg_realize, .unrealize = fw_cfg_unrealize,
    .reset = fw_cfg_reset,
};
