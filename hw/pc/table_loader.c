/* hw/pc/table_loader.c - the table loader's script: writing it and running it. */
#include "hw/pc/table_loader.h"

enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3, COMMAND_SIZE = 128, NAME_SIZE = 56,
       MAX_FILES = 16 };
enum { FSEG_END = 0x100000, HIGH_MIN = 0x100000 };
enum { SMBIOS_ANCHOR = 31, SMBIOS_ALIGN = 16 };

/* --- writing ---------------------------------------------------------------------------------------- */

static uint8_t *new_command(GByteArray *script, uint32_t command, const char *file)
{
    guint at = script->len;

    g_assert(strlen(file) < NAME_SIZE);
    g_byte_array_set_size(script, at + COMMAND_SIZE);
    uint8_t *c = script->data + at;
    memset(c, 0, COMMAND_SIZE);
    st_le32(c, command);
    memcpy(c + 4, file, strlen(file));
    return c;
}

void loader_add_allocate(GByteArray *script, const char *file, uint32_t align, enum loader_zone zone)
{
    uint8_t *c = new_command(script, ALLOCATE, file);

    st_le32(c + 60, align);
    c[64] = (uint8_t) zone;
}

void loader_add_pointer(GByteArray *script, const char *file, const char *to, uint32_t offset,
                        unsigned size)
{
    uint8_t *c = new_command(script, ADD_POINTER, file);

    g_assert(strlen(to) < NAME_SIZE);
    memcpy(c + 60, to, strlen(to));
    st_le32(c + 116, offset);
    c[120] = (uint8_t) size;
}

void loader_add_checksum(GByteArray *script, const char *file, uint32_t offset, uint32_t start,
                         uint32_t len)
{
    uint8_t *c = new_command(script, ADD_CHECKSUM, file);

    st_le32(c + 60, offset);
    st_le32(c + 64, start);
    st_le32(c + 68, len);
}

/* --- running ---------------------------------------------------------------------------------------- */

struct placed {
    char name[NAME_SIZE];
    uint64_t addr;
    uint8_t *host;
    size_t len;
};

struct run {
    struct table_space *sp;
    struct placed files[MAX_FILES];
    unsigned n;
};

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t s = 0;

    while (len--)
        s += *p++;
    return s;
}

/* Take `len` bytes in a zone; the host's pointer, or NULL. */
static uint8_t *take(struct table_space *sp, unsigned zone, size_t len, uint64_t align, uint64_t *addr)
{
    if (!align || (align & (align - 1)) || !len)
        return NULL;
    if (zone == LOADER_ZONE_FSEG) {
        *addr = ROUND_UP(sp->fseg, align);
        if (*addr >= FSEG_END || len > FSEG_END - *addr)
            return NULL;
        sp->fseg = *addr + len;
    } else {
        if (sp->high < HIGH_MIN || len > sp->high - HIGH_MIN)
            return NULL;
        *addr = ROUND_DOWN(sp->high - len, align);
        if (*addr < HIGH_MIN)
            return NULL;
        sp->high = *addr;
    }
    return ram_ptr(sp->ram, *addr, len);
}

static struct placed *find_placed(struct run *run, const uint8_t *name)
{
    for (unsigned i = 0; i < run->n; i++)
        if (!strncmp(run->files[i].name, (const char *) name, NAME_SIZE))
            return &run->files[i];
    return NULL;
}

static bool do_allocate(struct run *run, const uint8_t *c, table_find *find, void *opaque, GError **err)
{
    char name[NAME_SIZE];
    size_t len;

    g_strlcpy(name, (const char *) c + 4, sizeof name);
    const uint8_t *data = find(opaque, name, &len);
    if (!data || run->n == MAX_FILES || find_placed(run, c + 4))
        return fail(err, "table loader: file '%s' can't be allocated", name);
    struct placed *f = &run->files[run->n];
    f->host = take(run->sp, c[64], len, ld_le32(c + 60), &f->addr);
    if (!f->host)
        return fail(err, "table loader: no room for %zu bytes of '%s'", len, name);
    memcpy(f->name, name, sizeof name);
    memcpy(f->host, data, len);
    f->len = len;
    run->n++;
    return true;
}

static bool do_pointer(struct run *run, const uint8_t *c, GError **err)
{
    struct placed *f = find_placed(run, c + 4), *to = find_placed(run, c + 60);
    uint32_t off = ld_le32(c + 116);
    unsigned size = c[120];

    if (!f || !to || (size != 1 && size != 2 && size != 4 && size != 8) || !range_fits(off, size, f->len))
        return fail(err, "table loader: a pointer at 0x%x is not in its file", off);
    st_le(f->host + off, ld_le(f->host + off, size) + to->addr, size);
    return true;
}

static bool do_checksum(struct run *run, const uint8_t *c, GError **err)
{
    struct placed *f = find_placed(run, c + 4);
    uint32_t off = ld_le32(c + 60), start = ld_le32(c + 64), len = ld_le32(c + 68);

    if (!f || !range_fits(off, 1, f->len) || !range_fits(start, len, f->len))
        return fail(err, "table loader: a checksum at 0x%x is not in its file", off);
    f->host[off] -= sum(f->host + start, len);
    return true;
}

static bool run_script(struct run *run, const uint8_t *script, size_t len, table_find *find,
                       void *opaque, GError **err)
{
    for (size_t at = 0; len - at >= COMMAND_SIZE; at += COMMAND_SIZE) {
        uint8_t c[COMMAND_SIZE];
        bool ok = true;
        memcpy(c, script + at, sizeof c);
        c[4 + NAME_SIZE - 1] = 0;
        switch (ld_le32(c)) {
        case ALLOCATE:     ok = do_allocate(run, c, find, opaque, err); break;
        case ADD_POINTER:  ok = do_pointer(run, c, err); break;
        case ADD_CHECKSUM: ok = do_checksum(run, c, err); break;
        default:           break; /* unknown commands are skipped: so the format says */
        }
        if (!ok)
            return false;
    }
    return true;
}

/* The anchor names the table's address; both of its sums change with it. */
static bool place_smbios(struct table_space *sp, table_find *find, void *opaque, GError **err)
{
    size_t n_tables, n_anchor;
    const uint8_t *tables = find(opaque, "etc/smbios/smbios-tables", &n_tables);
    const uint8_t *anchor = find(opaque, "etc/smbios/smbios-anchor", &n_anchor);
    uint64_t at, anchor_at;

    if (!tables || !anchor)
        return true;
    if (n_anchor != SMBIOS_ANCHOR)
        return fail(err, "SMBIOS: the entry point has %zu bytes instead of %d", n_anchor, SMBIOS_ANCHOR);
    uint8_t *t = take(sp, LOADER_ZONE_HIGH, n_tables, SMBIOS_ALIGN, &at);
    uint8_t *a = t ? take(sp, LOADER_ZONE_FSEG, n_anchor, SMBIOS_ALIGN, &anchor_at) : NULL;
    if (!a)
        return fail(err, "SMBIOS: no room for %zu bytes", n_tables);
    memcpy(t, tables, n_tables);
    memcpy(a, anchor, n_anchor);
    st_le32(a + 0x18, (uint32_t) at);
    a[0x15] = 0;
    a[0x15] = (uint8_t) -sum(a + 0x10, 15);
    a[0x04] = 0;
    a[0x04] = (uint8_t) -sum(a, SMBIOS_ANCHOR);
    sp->smbios = anchor_at;
    return true;
}

bool table_loader_run(struct table_space *sp, table_find *find, void *opaque, GError **err)
{
    struct run *run = g_new0(struct run, 1);
    uint64_t high = sp->high, fseg = sp->fseg;
    size_t len = 0;
    const uint8_t *script = find(opaque, "etc/table-loader", &len);

    run->sp = sp;
    bool ok = (!script || run_script(run, script, len, find, opaque, err)) &&
        place_smbios(sp, find, opaque, err);
    struct placed *rsdp = ok ? find_placed(run, (const uint8_t *) "etc/acpi/rsdp") : NULL;
    if (rsdp)
        sp->rsdp = rsdp->addr;
    g_free(run);
    if (ok) {
        ram_block_mark_dirty(&sp->ram->block, sp->high, high - sp->high);
        ram_block_mark_dirty(&sp->ram->block, fseg, sp->fseg - fseg);
    }
    return ok;
}
