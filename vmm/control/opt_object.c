/* vmm/control/opt_object.c - -object: things that devices and the machine refer to by id. */
#include "vmm/control/options_impl.h"
#include "vmm/core/rng.h"

struct object_type {
    const char *name;
    /* Take kv (its qom-type and id are taken already); `what` is "-object ID", for messages. */
    bool (*parse)(struct options *o, const struct object_type *t, const char *id, struct keyvals *kv,
                  const char *what, GError **err);
};

/* --- memory-backend-* ------------------------------------------------------------------------------ */

struct memory_opts {
    uint64_t size;
    char *path;
    bool share, prealloc, merge, dump, hugetlb;
};

static bool parse_memory(struct options *o, const struct object_type *t, const char *id, struct keyvals *kv,
                         const char *what, GError **err)
{
    static const struct prop props[] = {
        PROP_SIZE(struct memory_opts, size, 0, .desc = "size of the memory"),
        PROP_STR(struct memory_opts, path, NULL, .name = "mem-path",
                 .desc = "memory-backend-file: the file or directory"),
        PROP_BOOL(struct memory_opts, share, false,
                  .desc = "writes reach the file, and other processes that map it"),
        PROP_BOOL(struct memory_opts, prealloc, false, .desc = "allocate all of it at start"),
        PROP_BOOL(struct memory_opts, merge, true, .desc = "let the host merge equal pages (KSM)"),
        PROP_BOOL(struct memory_opts, dump, true, .desc = "in core dumps"),
        PROP_BOOL(struct memory_opts, hugetlb, false,
                  .desc = "memory-backend-memfd: from the huge page pool"),
        {}
    };
    static const struct refused_key refused[] = {
        { "policy", "default", "NUMA placement is not built" },
        { "host-nodes", NULL, "NUMA placement is not built" },
        { "prealloc-threads", "1", "one thread preallocates" },
        { "reserve", "on", "memory is populated lazily anyway" },
        { "align", NULL, "not built" },
        { "pmem", "off", "persistent memory is not built" },
        { "readonly", "off", "main memory is written to" },
        { "discard-data", "off", "not built" },
        { "hugetlbsize", NULL, "the default huge page size is used" },
        { "seal", "on|off", "takes on or off" },
        { "x-use-canonical-path-for-ramblock-id", "on|off", "takes on or off" },
        {}
    };
    bool is_file = !strcmp(t->name, "memory-backend-file"), is_memfd = !strcmp(t->name, "memory-backend-memfd");
    struct memory_opts obj = { 0 };

    props_set_defaults(props, &obj);
    obj.share = is_memfd; /* QEMU's default for memfd */
    bool ok = keyvals_apply(kv, what, props, refused, &obj, err);
    if (ok && !obj.size)
        ok = fail(err, "%s: the size is missing: size=1G", what);
    if (ok && is_file && !obj.path)
        ok = fail(err, "%s: the file is missing: mem-path=...", what);
    if (ok && !is_file && obj.path)
        ok = fail(err, "%s: mem-path belongs to memory-backend-file", what);
    if (ok && !is_memfd && obj.hugetlb)
        ok = fail(err, "%s: hugetlb belongs to memory-backend-memfd", what);
    if (ok) {
        struct opt_memory_backend *b = g_new0(struct opt_memory_backend, 1);
        *b = (struct opt_memory_backend){ g_strdup(id), g_strdup(t->name), obj.size };
        b->path = g_steal_pointer(&obj.path);
        b->source = (struct ram_source){ b->path,   is_memfd, obj.share,  obj.prealloc,
                                         obj.merge, obj.dump, obj.hugetlb };
        g_ptr_array_add(o->backends, b);
    }
    props_free(props, &obj);
    return ok;
}

/* --- iothread -------------------------------------------------------------------------------------- */

static bool parse_iothread(struct options *o, const struct object_type *t, const char *id, struct keyvals *kv,
                           const char *what, GError **err)
{
    static const struct refused_key refused[] = {
        { "aio-max-batch", "0", "batches are as large as the queue asks for" },
        { "thread-pool-min", "0", "workers come and go by themselves" },
        { "thread-pool-max", "64", "the workers are shared by all drives" },
        {}
    };
    struct opt_iothread *i = g_new0(struct opt_iothread, 1);

    (void) t;
    i->id = g_strdup(id);
    g_ptr_array_add(o->iothreads, i);
    props_set_defaults(iothread_props, &i->cfg);
    return keyvals_apply(kv, what, iothread_props, refused, &i->cfg, err);
}

void opt_iothread_free(void *p)
{
    struct opt_iothread *i = p;

    g_free(i->id);
    g_free(i);
}

/* --- rng-builtin, rng-random ----------------------------------------------------------------------- */

static bool parse_rng(struct options *o, const struct object_type *t, const char *id, struct keyvals *kv,
                      const char *what, GError **err)
{
    static const struct prop random_props[] = {
        PROP_STR(struct opt_rng, filename, "/dev/urandom", .desc = "the file to read from"), {}
    }, no_props[] = { {} };
    static const struct refused_key refused[] = {
        { "opened", "on", "the file is opened when the machine is made" },
        { "filename", NULL, "belongs to rng-random" },
        {}
    };
    const struct prop *props = !strcmp(t->name, "rng-random") ? random_props : no_props;
    struct opt_rng *r = g_new0(struct opt_rng, 1);

    r->id = g_strdup(id);
    g_ptr_array_add(o->rngs, r);
    props_set_defaults(props, r);
    return keyvals_apply(kv, what, props, refused, r, err);
}

void opt_rng_free(void *p)
{
    struct opt_rng *r = p;

    g_free(r->id);
    g_free(r->filename);
    g_free(r);
}

/* --- all of them ----------------------------------------------------------------------------------- */

bool options_create_objects(struct options *o, struct vm *vm, GError **err)
{
    for (unsigned i = 0; i < o->iothreads->len; i++) {
        const struct opt_iothread *t = o->iothreads->pdata[i];
        if (!iothread_new(vm, t->id, &t->cfg, err))
            return false;
    }
    for (unsigned i = 0; i < o->rngs->len; i++) {
        const struct opt_rng *r = o->rngs->pdata[i];
        if (!rng_new(vm, r->id, r->filename, err))
            return false;
    }
    return true;
}

/* --- filter-dump ------------------------------------------------------------------------------------ */

static bool parse_dump(struct options *o, const struct object_type *t, const char *id, struct keyvals *kv,
                       const char *what, GError **err)
{
    static const struct prop props[] = {
        PROP_STR(struct opt_dump, netdev, NULL, .desc = "whose frames"),
        PROP_STR(struct opt_dump, file, NULL, .desc = "the capture, for tcpdump and tshark"),
        PROP_SIZE(struct opt_dump, maxlen, 65536, .min = 14, .desc = "so much of each frame"),
        {}
    };
    static const struct refused_key refused[] = {
        { "queue", "all", "every queue is captured" },
        { "status", "on", "leave the object away" },
        { "position", NULL, "there is one filter" },
        { "insert", NULL, "there is one filter" },
        {}
    };
    struct opt_dump *d = g_new0(struct opt_dump, 1);

    (void) t;
    d->id = g_strdup(id);
    g_ptr_array_add(o->dumps, d);
    props_set_defaults(props, d);
    return keyvals_apply(kv, what, props, refused, d, err) &&
           ((d->netdev && d->file) || fail(err, "%s: netdev=... and file=... are needed", what));
}

static const struct object_type object_types[] = {
    { "filter-dump", parse_dump },
    { "iothread", parse_iothread },
    { "memory-backend-file", parse_memory },
    { "memory-backend-memfd", parse_memory },
    { "memory-backend-ram", parse_memory },
    { "rng-builtin", parse_rng },
    { "rng-random", parse_rng },
};

static const struct object_type *find_type(const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(object_types) + 1] = { 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(object_types); i++) {
        names[i] = object_types[i].name;
        if (!strcmp(name, names[i]))
            return &object_types[i];
    }
    char *hint = nearest_hint(name, names), *all = g_strjoinv(", ", (char **) names);
    fail(err, "-object: '%s' is not built%s; there are %s", name, hint, all);
    g_free(hint);
    g_free(all);
    return NULL;
}

bool opt_object(struct options *o, const struct option *opt, const char *arg, GError **err)
{
    struct keyvals kv;
    char what[80];

    (void) opt;
    if (is_help(arg)) {
        GString *s = g_string_new("Objects for -object:\n");
        for (size_t i = 0; i < G_N_ELEMENTS(object_types); i++)
            g_string_append_printf(s, "%s\n", object_types[i].name);
        o->text = g_string_free(s, FALSE);
        return true;
    }
    if (!keyvals_parse(&kv, "-object", arg, "qom-type", err))
        return false;
    const char *type = keyvals_take(&kv, "qom-type"), *id = keyvals_take(&kv, "id");
    const struct object_type *t = NULL;
    if (type)
        t = find_type(type, err);
    else
        fail(err, "-object: which? use for example -object memory-backend-ram,id=ram,size=1G");
    bool ok = t != NULL;
    ok = ok && (id || fail(err, "-object %s: an id is missing: id=...", type));
    if (ok) {
        g_snprintf(what, sizeof what, "-object %s", id);
        ok = options_claim_id(o, "object", "-object", id, err) && t->parse(o, t, id, &kv, what, err);
    }
    keyvals_clear(&kv);
    return ok;
}
