/* vmm/block/protocol.c - what a drive's file= names: a host file, or an export of an NBD server. */
#include "vmm/base/module.h"
#include "vmm/block/nbd.h"

static const char *const schemes[] = { "nbd", "nbd+tcp", "nbd+unix", "nbds", "nbds+tcp", "nbds+unix" };

static int scheme_of(const char *path)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (!strncmp(path, schemes[i], n) && !strncmp(path + n, "://", 3))
            return (int) i;
    }
    return -1;
}

bool nbd_is_address(const char *path)
{
    return g_str_has_prefix(path, "nbd:") || scheme_of(path) >= 0;
}

void nbd_address_clear(struct nbd_address *a)
{
    g_free(a->host);
    g_free(a->port);
    g_free(a->path);
    g_free(a->name);
    *a = (struct nbd_address){ 0 };
}

/* HOST, HOST:PORT, [V6], [V6]:PORT */
static bool split_host(const char *text, size_t len, struct nbd_address *a)
{
    const char *end = text + len, *host = text, *host_end, *colon;

    if (len && *text == '[') {
        host++;
        host_end = memchr(text, ']', len);
        colon = host_end ? host_end + 1 : NULL;
        if (!host_end || (colon < end && *colon != ':'))
            return false;
    } else {
        colon = memchr(text, ':', len);
        host_end = colon = colon ? colon : end;
    }
    if (host == host_end || colon + 1 == end)
        return false;
    a->host = g_strndup(host, (gsize) (host_end - host));
    a->port = colon < end ? g_strndup(colon + 1, (gsize) (end - colon - 1)) : g_strdup("10809");
    return true;
}

/* nbd:HOST:PORT[:exportname=NAME], nbd:unix:PATH[:exportname=NAME] */
static bool parse_old(const char *text, struct nbd_address *a)
{
    const char *name = strstr(text, ":exportname=");
    size_t len = name ? (size_t) (name - text) : strlen(text);

    a->name = g_strdup(name ? name + strlen(":exportname=") : "");
    if (!strncmp(text, "unix:", 5)) {
        if (len <= 5)
            return false;
        a->path = g_strndup(text + 5, len - 5);
        return true;
    }
    const char *colon = g_strrstr_len(text, (gssize) len, ":");
    return colon && (*text != '[' || colon[-1] == ']') && split_host(text, len, a);
}

static bool parse_uri(const char *rest, bool local, struct nbd_address *a)
{
    const char *query = strchr(rest, '?'), *slash = strchr(rest, '/');
    size_t len = query ? (size_t) (query - rest) : strlen(rest);

    if (strchr(rest, '#'))
        return false;
    if (!slash || slash > rest + len)
        slash = rest + len;
    const char *name = slash < rest + len ? slash + 1 : slash;
    a->name = g_uri_unescape_segment(name, rest + len, NULL);
    if (!a->name)
        return false;
    if (!local)
        return !query && split_host(rest, (size_t) (slash - rest), a);
    if (slash != rest || !query || strncmp(query, "?socket=", 8) || strchr(query, '&'))
        return false;
    a->path = g_uri_unescape_string(query + 8, NULL);
    return a->path && *a->path;
}

bool nbd_parse(const char *path, struct nbd_address *a, GError **err)
{
    int s = scheme_of(path);
    bool ok;

    *a = (struct nbd_address){ 0 };
    if (s >= 3)
        return fail(err, "'%s': NBD with TLS is not supported; use a tunnel, and nbd+unix://", path);
    if (s < 0)
        ok = parse_old(path + strlen("nbd:"), a);
    else
        ok = parse_uri(path + strlen(schemes[s]) + 3, s == 2, a);
    if (ok)
        return true;
    nbd_address_clear(a);
    return fail(err, "'%s' is no NBD address: nbd://HOST[:PORT]/[EXPORT], nbd+unix:///[EXPORT]?socket=PATH, "
                     "nbd:HOST:PORT[:exportname=EXPORT] or nbd:unix:PATH[:exportname=EXPORT]",
                path);
}

char *nbd_address_of(const struct drive_config *cfg, GError **err)
{
    bool by_driver = cfg->format && !strcmp(cfg->format, "nbd"),
         by_protocol = cfg->protocol && !strcmp(cfg->protocol, "nbd"),
         any = cfg->nbd_host || cfg->nbd_port || cfg->nbd_path || cfg->nbd_export || cfg->nbd_type;
    const char *type = cfg->nbd_type;

    if (!by_driver && !by_protocol) {
        if (any)
            fail(err, "host, port, path, export and server.* are for an NBD server: driver=nbd is missing");
        return NULL;
    }
    if (cfg->file && *cfg->file) {
        fail(err, "driver=nbd and file= can't both be given");
        return NULL;
    }
    if (type && strcmp(type, "inet") && strcmp(type, "unix")) {
        fail(err, "server.type: '%s' is not one of: inet, unix", type);
        return NULL;
    }
    bool local = type ? !strcmp(type, "unix") : cfg->nbd_path != NULL;
    if (local ? !cfg->nbd_path || cfg->nbd_host || cfg->nbd_port : !cfg->nbd_host || cfg->nbd_path) {
        fail(err, "driver=nbd wants either server.path=SOCKET or server.host=HOST,server.port=PORT");
        return NULL;
    }
    char *name = g_uri_escape_string(cfg->nbd_export ? cfg->nbd_export : "", NULL, FALSE), *uri;
    if (local) {
        char *path = g_uri_escape_string(cfg->nbd_path, "/", FALSE);
        uri = g_strdup_printf("nbd+unix:///%s?socket=%s", name, path);
        g_free(path);
    } else {
        bool v6 = strchr(cfg->nbd_host, ':');
        uri = g_strdup_printf("nbd://%s%s%s:%s/%s", v6 ? "[" : "", cfg->nbd_host, v6 ? "]" : "",
                              cfg->nbd_port ? cfg->nbd_port : "10809", name);
    }
    g_free(name);
    return uri;
}

static struct bnode *open_nbd(struct bctx *c, const struct bopen *o, GError **err)
{
    struct nbd_address a;

    if (!nbd_parse(o->path, &a, err)) {
        fail_prefix(err, "%s", o->who);
        return NULL;
    }
    const struct nbd_module *m = module_symbol("nbd", "bantam_nbd", err);
    if (m)
        return m->open(c, o, a, err);
    nbd_address_clear(&a);
    fail_prefix(err, "%s", o->who);
    return NULL;
}

struct bnode *protocol_open(struct bctx *c, const struct bopen *o, GError **err)
{
    struct bopen f = *o;

    if (nbd_is_address(o->path))
        return open_nbd(c, o, err);
    if (g_str_has_prefix(o->path, "file:"))
        f.path += 5;
    return file_open(c, &f, err);
}
