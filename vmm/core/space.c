/* vmm/core/space.c - address spaces and regions. */
#include "vmm/core/space.h"
#include "vmm/base/error.h"
#include "vmm/core/ram.h"

#include <stdlib.h>

static const struct view empty_view; /* n == 0, never written: serves as every space's first view */

void space_init(struct space *sp, const char *name, uint64_t limit, struct log *log)
{
    *sp = (struct space){ .name = name, .limit = limit, .view = (struct view *) &empty_view };
    sp->regions = g_ptr_array_new();
    tracer_init(&sp->trace, log, name);
}

static void view_free(struct view *v)
{
    if (v != &empty_view)
        g_free(v);
}

void space_clear(struct space *sp)
{
    for (unsigned i = 0; i < sp->regions->len; i++)
        ((struct region *) sp->regions->pdata[i])->space = NULL;
    g_ptr_array_free(sp->regions, TRUE);
    view_free(sp->view);
    tracer_clear(&sp->trace);
}

void space_set_listener(struct space *sp, const struct space_listener *l)
{
    sp->listener = *l;
    l->commit(l->opaque, &empty_view, sp->view);
}

/* --- building a view --------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

static uint64_t region_last(const struct region *r) /* regions may end at 2^64: ends are inclusive */
{
    return r->base + r->size - 1;
}

static bool beats(const struct region *a, const struct region *b)
{
    return !b || a->prio > b->prio || (a->prio == b->prio && a->seq > b->seq);
}

static struct region *winner(const struct space *sp, uint64_t addr)
{
    struct region *best = NULL;

    for (unsigned i = 0; i < sp->regions->len; i++) {
        struct region *r = sp->regions->pdata[i];
        if (r->enabled && r->size && addr >= r->base && addr <= region_last(r) && beats(r, best))
            best = r;
    }
    return best;
}

/* Every place where the answer can change: the first byte of each region and the one after it. */
static unsigned cuts(const struct space *sp, uint64_t *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < sp->regions->len; i++) {
        const struct region *r = sp->regions->pdata[i];
        if (!r->enabled || !r->size)
            continue;
        out[n++] = r->base;
        if (region_last(r) < sp->limit)
            out[n++] = region_last(r) + 1;
    }
    qsort(out, n, sizeof *out, by_address);
    return n;
}

static struct view *build(const struct space *sp)
{
    unsigned max = 2 * sp->regions->len;
    uint64_t *cut = g_new(uint64_t, max + 1);
    struct view *v = g_malloc(sizeof *v + max * sizeof v->ranges[0]);
    unsigned n = cuts(sp, cut);

    v->n = 0;
    for (unsigned i = 0; i < n; i++) {
        if (i && cut[i] == cut[i - 1])
            continue;
        unsigned next = i + 1;
        while (next < n && cut[next] == cut[i])
            next++;
        struct region *r = winner(sp, cut[i]);
        if (!r)
            continue;
        uint64_t last = next < n ? cut[next] - 1 : region_last(r);
        struct range *prev = v->n ? &v->ranges[v->n - 1] : NULL;
        if (prev && prev->r == r && prev->addr + prev->size == cut[i])
            prev->size += last - cut[i] + 1;
        else
            v->ranges[v->n++] = (struct range){ cut[i], last - cut[i] + 1, r, cut[i] - r->base };
    }
    g_free(cut);
    return v;
}

static void rebuild(struct space *sp)
{
    struct view *old = sp->view;

    sp->view = build(sp);
    sp->last = NULL;
    sp->changed = false;
    if (sp->listener.commit)
        sp->listener.commit(sp->listener.opaque, old, sp->view);
    view_free(old);
}

void space_begin(struct space *sp)
{
    sp->depth++;
}

void space_commit(struct space *sp)
{
    if (--sp->depth == 0 && sp->changed)
        rebuild(sp);
}

static void changed(struct space *sp)
{
    if (!sp)
        return;
    sp->changed = true;
    if (!sp->depth)
        rebuild(sp);
}

/* --- regions ----------------------------------------------------------------------------------- */

void region_init_io(struct region *r, const char *name, const struct region_ops *ops, void *opaque,
                    uint64_t size)
{
    *r = (struct region){ .name = name, .size = size, .kind = REGION_IO, .enabled = true, .ops = ops,
                          .opaque = opaque };
}

void region_init_ram(struct region *r, const char *name, struct ram_block *ram, uint64_t ram_off,
                     uint64_t size)
{
    *r = (struct region){ .name = name, .size = size, .kind = REGION_RAM, .enabled = true, .ram = ram,
                          .ram_off = ram_off };
}

void region_init_rom(struct region *r, const char *name, struct ram_block *ram, uint64_t ram_off,
                     uint64_t size, const struct region_ops *wr_ops, void *opaque)
{
    region_init_ram(r, name, ram, ram_off, size);
    r->kind = REGION_ROM;
    r->ops = wr_ops;
    r->opaque = opaque;
}

static bool clash(const struct region *a, const struct region *b)
{
    return a->enabled && b->enabled && a->prio == b->prio && a->kind == REGION_IO && b->kind == REGION_IO &&
           a->base <= region_last(b) && b->base <= region_last(a);
}

bool space_add(struct space *sp, struct region *r, uint64_t base, int prio, GError **err)
{
    r->base = base;
    r->prio = prio;
    if (r->size && (base > sp->limit || r->size - 1 > sp->limit - base))
        return fail(err, "%s: %s range 0x%" PRIx64 "+0x%" PRIx64 " is out of range", r->name, sp->name, base,
                    r->size);
    for (unsigned i = 0; sp->limit == 0xffff && i < sp->regions->len; i++) {
        const struct region *o = sp->regions->pdata[i];
        if (prio != PRIO_PCI && clash(r, o))
            return fail(err, "%s: ports 0x%x-0x%x are already used by %s (0x%x-0x%x)", r->name, (unsigned) base,
                        (unsigned) region_last(r), o->name, (unsigned) o->base, (unsigned) region_last(o));
    }
    r->space = sp;
    r->seq = ++sp->seq;
    g_ptr_array_add(sp->regions, r);
    changed(sp);
    return true;
}

void space_remove(struct region *r)
{
    struct space *sp = r->space;

    if (!sp)
        return;
    g_ptr_array_remove_fast(sp->regions, r);
    r->space = NULL;
    /* The view still names r until the rebuild: a removal inside a batch rebuilds at once. */
    rebuild(sp);
    g_clear_pointer(&r->efds, g_free);
    r->n_efds = 0;
}

void region_move(struct region *r, uint64_t base)
{
    if (r->base == base)
        return;
    r->base = base;
    changed(r->enabled ? r->space : NULL);
}

void region_enable(struct region *r, bool on)
{
    if (r->enabled == on)
        return;
    r->enabled = on;
    changed(r->space);
}

void region_set_log_dirty(struct region *r, bool on)
{
    if (r->log_dirty == on)
        return;
    r->log_dirty = on;
    changed(r->space);
}

void region_set_ram(struct region *r, enum region_kind kind, struct ram_block *ram, uint64_t ram_off,
                    const struct region_ops *ops, void *opaque)
{
    if (r->kind == kind && r->ram == ram && r->ram_off == ram_off && r->ops == ops)
        return;
    r->kind = kind;
    r->ram = ram;
    r->ram_off = ram_off;
    r->ops = ops;
    r->opaque = opaque;
    changed(r->enabled ? r->space : NULL);
}

void region_set_eventfds(struct region *r, const struct region_eventfd *efds, unsigned n)
{
    g_free(r->efds);
    r->efds = g_memdup2(efds, n * sizeof *efds);
    r->n_efds = n;
    changed(r->enabled ? r->space : NULL);
}

/* --- accesses ---------------------------------------------------------------------------------- */

const struct range *space_lookup(struct space *sp, uint64_t addr)
{
    const struct range *p = sp->last;

    if (p && addr - p->addr < p->size)
        return p;
    unsigned lo = 0, hi = sp->view->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        p = &sp->view->ranges[mid];
        if (addr < p->addr)
            hi = mid;
        else if (addr - p->addr >= p->size)
            lo = mid + 1;
        else
            return sp->last = p;
    }
    return NULL;
}

static unsigned ops_min(const struct region_ops *ops)
{
    return ops->min ? ops->min : 1;
}

static unsigned ops_max(const struct region_ops *ops)
{
    return ops->max ? ops->max : 4;
}

/* The largest step at `off` that the region takes of an access with `left` bytes to go. */
static unsigned step(const struct region_ops *ops, uint64_t off, unsigned left)
{
    unsigned n = ops_max(ops);

    while (n > left || (!ops->unaligned && (off & (n - 1))))
        n >>= 1;
    return n;
}

static uint64_t io_read(const struct region *r, uint64_t off, unsigned n)
{
    unsigned min = ops_min(r->ops);

    if (!r->ops->read)
        return mask_bytes(n);
    if (n >= min)
        return r->ops->read(r->opaque, off, n) & mask_bytes(n);
    uint64_t base = off & ~(uint64_t) (min - 1);
    return (r->ops->read(r->opaque, base, min) >> (8 * (off - base))) & mask_bytes(n);
}

static void io_write(struct space *sp, const struct region *r, uint64_t off, uint64_t val, unsigned n)
{
    if (n < ops_min(r->ops)) {
        tracer_guest_error(&sp->trace, "%s: %u-byte write at +0x%" PRIx64 " is too narrow", r->name, n, off);
        return;
    }
    if (r->ops->write)
        r->ops->write(r->opaque, off, val & mask_bytes(n), n);
}

/* Perform the first part of a read; returns how many bytes it covered. */
static unsigned read_some(struct space *sp, uint64_t addr, unsigned size, uint64_t *val)
{
    const struct range *p = space_lookup(sp, addr);

    if (!p) {
        *val = 0xff;
        TRACER(&sp->trace, "unclaimed read of 0x%" PRIx64, addr);
        return 1;
    }
    uint64_t off = addr - p->addr + p->off;
    unsigned left = (unsigned) MIN(size, p->size - (addr - p->addr));
    if (p->r->kind != REGION_IO) {
        *val = ld_le(p->r->ram->host + p->r->ram_off + off, left);
        return left;
    }
    unsigned n = step(p->r->ops, off, left);
    *val = io_read(p->r, off, n);
    return n;
}

uint64_t space_read(struct space *sp, uint64_t addr, unsigned size)
{
    uint64_t result = 0, part;

    for (unsigned done = 0; done < size;) {
        unsigned n = read_some(sp, (addr + done) & sp->limit, size - done, &part);
        result |= (part & mask_bytes(n)) << (8 * done);
        done += n;
    }
    TRACER(&sp->trace, "read 0x%" PRIx64 "/%u = 0x%" PRIx64, addr, size, result);
    return result;
}

static unsigned write_some(struct space *sp, uint64_t addr, uint64_t val, unsigned size)
{
    const struct range *p = space_lookup(sp, addr);

    if (!p)
        return 1;
    uint64_t off = addr - p->addr + p->off;
    unsigned left = (unsigned) MIN(size, p->size - (addr - p->addr));
    struct region *r = p->r;
    if (r->kind == REGION_RAM) {
        st_le(r->ram->host + r->ram_off + off, val, left);
        ram_block_mark_dirty(r->ram, r->ram_off + off, left);
        return left;
    }
    if (!r->ops)
        return left;
    unsigned n = step(r->ops, off, left);
    io_write(sp, r, off, val, n);
    return n;
}

void space_write(struct space *sp, uint64_t addr, uint64_t val, unsigned size)
{
    TRACER(&sp->trace, "write 0x%" PRIx64 "/%u = 0x%" PRIx64, addr, size, val);
    for (unsigned done = 0; done < size;)
        done += write_some(sp, (addr + done) & sp->limit, val >> (8 * done), size - done);
}
