/* tests/hw/test_catalog.c - what holds for every device class there is: tables cover the struct; random accesses
 * do no harm; a second reset changes nothing; saved, loaded into a second instance, and every byte that a guest
 * can see is equal; damaged state is refused or harmless. */
#include "tests/hw/catalog_rig.h"

enum { ACCESSES = 4000, MAX_READS = 4096 };

#define complain(...) (g_test_message(__VA_ARGS__), g_test_fail())

/* --- tables ----------------------------------------------------------------------------------------- */

static void cover(uint8_t *map, size_t size, size_t off, size_t len)
{
    g_assert_cmpuint(off + len, <=, size);
    memset(map + off, 1, len);
}

static void cover_tables(uint8_t *map, size_t size, const struct prop *props, const struct state *state)
{
    for (const struct prop *p = props; p && p->type != PT_END; p++)
        cover(map, size, p->offset, p->size);
    for (const struct state *s = state; s && s->type != ST_END; s++)
        cover(map, size, s->offset, s->type == ST_VECTOR ? sizeof(void *) : s->elem * s->count);
}

/* Bytes that no entry names, beyond padding: a field was forgotten. */
static void check_gaps(const char *what, const uint8_t *map, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        size_t n = 0;
        while (i + n < size && !map[i + n])
            n++;
        if (n >= 8 || (n && (i + n) % 8 && (i + n) % 4 && (i + n) % 2))
            complain("%s: bytes %zu to %zu are in no table", what, i, i + n);
        i += n;
    }
}

/* base: where the struct of `state` is in the instance, whose properties may lie in it; SIZE_MAX: apart from it. */
static void check_sub(const char *what, const struct state *state, const struct prop *props, size_t base)
{
    for (const struct state *s = state; s && s->type != ST_END; s++) {
        if (s->type != ST_STRUCT && s->type != ST_VECTOR)
            continue;
        uint8_t *map = g_malloc0(s->elem);
        if (s->sub == pci_bus_class.state) { /* a host bridge is a function of the bus that it makes */
            cover(map, s->elem, 0, sizeof(struct device));
            cover_tables(map, s->elem, pci_bus_class.props, NULL);
        }
        cover_tables(map, s->elem, NULL, s->sub);
        size_t at = s->type == ST_VECTOR || base == SIZE_MAX ? SIZE_MAX : base + s->offset;
        for (const struct prop *p = props; p && p->type != PT_END && at != SIZE_MAX; p++)
            if (p->offset >= at && p->offset < at + s->elem)
                cover(map, s->elem, p->offset - at, p->size);
        char *name = g_strdup_printf("%s.%s", what, s->name);
        check_gaps(name, map, s->elem);
        check_sub(name, s->sub, props, at);
        g_free(name);
        g_free(map);
    }
}

static void test_tables(gconstpointer data)
{
    const struct device_class *cls = data;
    uint8_t *map = g_malloc0(cls->size);

    g_assert_nonnull(cls->desc);
    cover(map, cls->size, 0, sizeof(struct device));
    if (cls->bus)
        cover_tables(map, cls->size, cls->bus->props, cls->bus->state);
    cover_tables(map, cls->size, cls->props, cls->state);
    check_gaps(cls->name, map, cls->size);
    check_sub(cls->name, cls->state, cls->props, 0);
    for (const struct prop *p = cls->props; p && p->type != PT_END; p++)
        if (!p->desc && strcmp(p->name, "drive") != 0 && strcmp(p->name, "chardev") != 0)
            g_test_message("%s.%s has no description", cls->name, p->name);
    g_free(map);
}

/* --- what a guest sees -------------------------------------------------------------------------------- */

static bool of_device(const struct catalog_rig *r, const struct region *reg)
{
    (void) r;
    return reg->kind == REGION_IO && reg->enabled;
}

static struct region *pick(const struct catalog_rig *r, struct space *sp, GRand *rnd)
{
    for (int tries = 0; tries < 20; tries++) {
        struct region *reg = sp->regions->pdata[g_rand_int_range(rnd, 0, (gint32) sp->regions->len)];
        if (of_device(r, reg) && reg->size)
            return reg;
    }
    return NULL;
}

static uint64_t random_value(GRand *rnd)
{
    switch (g_rand_int_range(rnd, 0, 5)) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    case 2: return 1ULL << g_rand_int_range(rnd, 0, 64);
    default: return (uint64_t) g_rand_int(rnd) << 32 | g_rand_int(rnd);
    }
}

static void random_access(struct catalog_rig *r, GRand *rnd)
{
    struct space *sp = g_rand_int_range(rnd, 0, 4) ? &r->b->vm->pio : &r->b->vm->mem;
    struct region *reg = sp->regions->len ? pick(r, sp, rnd) : NULL;

    if (g_rand_int_range(rnd, 0, 40) == 0)
        clock_step(r->b, g_rand_int_range(rnd, 1, 100) * NS_PER_MS / 7);
    if (g_rand_int_range(rnd, 0, 20) == 0)
        bench_run(r->b);
    if (!reg)
        return;
    unsigned size = 1U << g_rand_int_range(rnd, 0, sp == &r->b->vm->pio ? 3 : 4);
    uint64_t off = reg->size > 1 << 20 ? g_rand_int(rnd) % (1 << 20)
        : (uint64_t) g_rand_int_range(rnd, 0, (gint32) reg->size);
    if (g_rand_boolean(rnd))
        space_write(sp, reg->base + off, random_value(rnd), size);
    else
        space_read(sp, reg->base + off, size);
}

/* PCI functions: configuration writes, so that BARs move and switch. */
static void random_config(struct catalog_rig *r, GRand *rnd)
{
    if (!r->d->cls->bus || strcmp(r->d->cls->bus->name, "PCI") != 0)
        return;
    struct pci_dev *p = container_of(r->d, struct pci_dev, dev);
    unsigned size = 1U << g_rand_int_range(rnd, 0, 3), off = (unsigned) g_rand_int_range(rnd, 0, 256) & ~(size - 1);
    if (g_rand_boolean(rnd))
        pci_config_write(p->pci, p->devfn, off, (uint32_t) random_value(rnd), size);
    else
        pci_config_read(p->pci, p->devfn, off, size);
}

static void stir(struct catalog_rig *r, GRand *rnd, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        random_access(r, rnd);
        if (i % 50 == 0)
            random_config(r, rnd);
    }
    bench_run(r->b);
}

static void test_random(gconstpointer data)
{
    struct catalog_rig r = catalog_rig_new(data, CATALOG_BARE);
    GRand *rnd = g_rand_new_with_seed(g_test_rand_int());

    stir(&r, rnd, ACCESSES);
    device_reset_all(r.b->vm);
    bench_run(r.b);
    stir(&r, rnd, ACCESSES / 4);
    g_rand_free(rnd);
    catalog_rig_free(&r);
}

static void same_state(const char *what, const struct device_class *cls, const GByteArray *a, const GByteArray *b)
{
    char *text = catalog_state_differs(a, b);

    if (text)
        complain("%s: %s: %s", cls->name, what, text);
    g_free(text);
}

static void test_reset_twice(gconstpointer data)
{
    struct catalog_rig r = catalog_rig_new(data, CATALOG_BARE);
    GRand *rnd = g_rand_new_with_seed(g_test_rand_int());

    stir(&r, rnd, ACCESSES / 2);
    device_reset_all(r.b->vm);
    bench_run(r.b);
    GByteArray *once = catalog_rig_save(&r);
    device_reset_all(r.b->vm);
    bench_run(r.b);
    GByteArray *twice = catalog_rig_save(&r);
    same_state("a second reset", r.d->cls, once, twice);
    g_byte_array_unref(once);
    g_byte_array_unref(twice);
    g_rand_free(rnd);
    catalog_rig_free(&r);
}

/* Read everything in the same order on both: what reading changes, it changes alike. */
static void compare(struct catalog_rig *x, struct catalog_rig *y)
{
    const struct device_class *cls = x->d->cls;
    struct space *spaces[2][2] = { { &x->b->vm->pio, &y->b->vm->pio }, { &x->b->vm->mem, &y->b->vm->mem } };

    for (int i = 0; i < 2; i++) {
        const struct view *v = spaces[i][0]->view;
        g_assert_cmpuint(v->n, ==, spaces[i][1]->view->n);
        for (unsigned k = 0; k < v->n; k++) {
            const struct range range = v->ranges[k], other = spaces[i][1]->view->ranges[k];
            g_assert_true(range.addr == other.addr && range.size == other.size);
            for (uint64_t o = 0; o < MIN(range.size, MAX_READS) && range.r->kind == REGION_IO; o++) {
                uint64_t p = space_read(spaces[i][0], range.addr + o, 1),
                    q = space_read(spaces[i][1], range.addr + o, 1);
                if (p != q) {
                    complain("%s: after loading, %s+0x%" PRIx64 " reads %02x, not %02x", cls->name,
                             range.r->name, o, (unsigned) q,
                            (unsigned) p);
                    return;
                }
            }
        }
    }
    GByteArray *a = catalog_rig_save(x), *b = catalog_rig_save(y);
    same_state("after loading and reading", cls, a, b);
    g_byte_array_unref(a);
    g_byte_array_unref(b);
}

static void test_save_load(gconstpointer data)
{
    struct catalog_rig x = catalog_rig_new(data, CATALOG_BARE), y = catalog_rig_new(data, CATALOG_BARE);
    guint32 seed = (guint32) g_test_rand_int();
    GRand *rnd = g_rand_new_with_seed(seed);
    GError *err = NULL;

    /* RAM contents and what the other devices of the two machines went through must be alike */
    GRand *rnd2 = g_rand_new_with_seed(seed);
    stir(&x, rnd, ACCESSES / 2);
    stir(&y, rnd2, ACCESSES / 2);
    device_reset(y.d);
    bench_run(y.b);
    GByteArray *a = catalog_rig_save(&x);
    if (!device_load(y.d, a->data, a->len, &err))
        g_error("%s", err->message);
    compare(&x, &y);
    g_byte_array_unref(a);
    g_rand_free(rnd);
    g_rand_free(rnd2);
    catalog_rig_free(&x);
    catalog_rig_free(&y);
}

/* State from a file is hostile: flip bytes; what is not refused must do no harm. */
static void test_hostile_state(gconstpointer data)
{
    struct catalog_rig r = catalog_rig_new(data, CATALOG_BARE);
    GRand *rnd = g_rand_new_with_seed(g_test_rand_int());
    GByteArray *good = catalog_rig_save(&r);

    for (int i = 0; i < 100 && good->len; i++) {
        uint8_t *bad = g_memdup2(good->data, good->len);
        for (int n = g_rand_int_range(rnd, 1, 12); n; n--)
            bad[g_rand_int_range(rnd, 0, (gint32) good->len)] = (uint8_t) g_rand_int(rnd);
        GError *err = NULL;
        GByteArray *before = catalog_rig_save(&r);
        if (!device_load(r.d, bad, good->len, &err)) {
            g_clear_error(&err);
            GByteArray *after = catalog_rig_save(&r);
            same_state("a state that is refused", r.d->cls, before, after);
            g_byte_array_unref(after);
        }
        g_byte_array_unref(before);
        stir(&r, rnd, 60);
        clock_step(r.b, 20 * NS_PER_MS);
        g_free(bad);
    }
    g_byte_array_unref(good);
    g_rand_free(rnd);
    catalog_rig_free(&r);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(gconstpointer);
    } tests[] = { { "tables", test_tables }, { "random", test_random }, { "reset-twice", test_reset_twice },
                  { "save-load", test_save_load }, { "hostile-state", test_hostile_state } };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; device_catalog[i]; i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(tests); k++) {
            char *path = g_strdup_printf("/catalog/%s/%s", device_catalog[i]->name, tests[k].name);
            g_test_add_data_func(path, device_catalog[i], tests[k].fn);
            g_free(path);
        }
    return g_test_run();
}
