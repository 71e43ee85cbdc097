/* vmm/block/inject.c - a testing aid on top of a drive: requests that fail.
 *
 * x-inject=RULE[+RULE...], a rule is OP:ERRNO[:FIRST-LAST[:FILE]]: requests of OP (read, write, flush, any;
 * write includes discard and write-zeroes) that touch the sectors FIRST to LAST ("*": any) fail with ERRNO
 * (EIO, ENOSPC, ...) as long as FILE does not exist. */
#include "vmm/block/node.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { ON_READ = 1, ON_WRITE = 2, ON_FLUSH = 4 };

struct rule {
    unsigned ops;
    int err;
    uint64_t first, last;
    char *until;
};

struct inject {
    struct bnode node;
    GArray *rules;
};

static int verdict(const struct inject *in, const struct bio *io)
{
    unsigned op = io->op == BLK_READ ? ON_READ : io->op == BLK_FLUSH ? ON_FLUSH : ON_WRITE;

    for (guint i = 0; i < in->rules->len; i++) {
        const struct rule *r = &g_array_index(in->rules, struct rule, i);
        bool hit = op == ON_FLUSH ||
                   (io->len && io->off / 512 <= r->last && (io->off + io->len - 1) / 512 >= r->first);
        if (r->ops & op && hit && !(r->until && !access(r->until, F_OK)))
            return r->err;
    }
    return 0;
}

static void inject_submit(struct bnode *n, struct bio *io)
{
    int err = verdict(container_of(n, struct inject, node), io);

    if (err) {
        io->settle = NULL;
        io->node = n;
        bio_finish(io, err);
    } else {
        node_submit(n->child[0], io);
    }
}

static int inject_resize(struct bnode *n, uint64_t size)
{
    int err = node_resize(n->child[0], size);

    n->size = n->child[0]->size;
    return err;
}

static void inject_close(struct bnode *n)
{
    g_array_free(container_of(n, struct inject, node)->rules, TRUE);
}

static void clear_rule(gpointer p)
{
    g_free(((struct rule *) p)->until);
}

static bool parse_rule(const char *text, struct rule *r, GError **err)
{
    static const struct { const char *name; int err;
    } errors[] = {
        { "EIO", EIO },       { "ENOSPC", ENOSPC },       { "EPERM", EPERM }, { "ENOMEDIUM", ENOMEDIUM },
        { "EDQUOT", EDQUOT }, { "ETIMEDOUT", ETIMEDOUT },
    };
    static const struct { const char *name; unsigned ops;
    } ops[] = {
        { "read", ON_READ },
        { "write", ON_WRITE },
        { "flush", ON_FLUSH },
        { "any", ON_READ | ON_WRITE | ON_FLUSH },
    };
    char **w = g_strsplit(text, ":", 4);
    guint n = g_strv_length(w);
    bool ok = n >= 2;

    *r = (struct rule){ .last = UINT64_MAX };
    for (size_t i = 0; ok && i < G_N_ELEMENTS(ops); i++)
        r->ops |= strcmp(w[0], ops[i].name) ? 0 : ops[i].ops;
    for (size_t i = 0; ok && i < G_N_ELEMENTS(errors); i++)
        r->err |= strcmp(w[1], errors[i].name) ? 0 : errors[i].err;
    ok = ok && r->ops && r->err;
    if (ok && n >= 3 && strcmp(w[2], "*")) {
        char end;
        ok = sscanf(w[2], "%" SCNu64 "-%" SCNu64 "%c", &r->first, &r->last, &end) == 2 && r->first <= r->last;
    }
    if (ok && n >= 4)
        r->until = g_strdup(w[3]);
    g_strfreev(w);
    return ok || fail(err, "x-inject: '%s' is no OP:ERRNO[:FIRST-LAST[:FILE]]", text);
}

static const struct bnode_class inject_class = {
    .name = "inject", .submit = inject_submit, .close = inject_close, .resize = inject_resize
};

struct bnode *inject_open(struct bnode *child, const char *rules, GError **err)
{
    struct inject *in = (struct inject *) node_new(sizeof *in, &inject_class, child->ctx);
    char **each = g_strsplit(rules, "+", 0);
    bool ok = true;

    in->rules = g_array_new(FALSE, FALSE, sizeof(struct rule));
    g_array_set_clear_func(in->rules, clear_rule);
    in->node.child[0] = child;
    in->node.size = child->size;
    in->node.read_only = child->read_only;
    in->node.fua = child->fua;
    in->node.keeps = child->keeps;
    for (char **t = each; *t && ok; t++) {
        struct rule r;
        ok = parse_rule(*t, &r, err);
        if (ok)
            g_array_append_val(in->rules, r);
    }
    g_strfreev(each);
    if (!ok) {
        node_close(&in->node);
        return NULL;
    }
    return &in->node;
}
