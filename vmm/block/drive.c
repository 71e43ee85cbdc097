/* vmm/block/drive.c - a drive's life: opened, its media changed, stopped and continued with the VM, closed.
 */
#include "vmm/block/drive_int.h"
#include "vmm/block/engine.h"

#include <errno.h>
#include <signal.h>

/* --- media ------------------------------------------------------------------------------------- */

/* *used: the format's name, for the user. */
static struct bnode *open_layers(struct drive *d, const char *path, const char *format, bool read_only,
                                 const char **used, GError **err)
{
    struct drive_config *cfg = &d->cfg;
    bool snapshot = cfg->snapshot && !read_only;
    struct bopen o = {
        .who = d->who,
        .path = path,
        .read_only = read_only || snapshot,
        .direct = d->direct,
        .no_flush = d->no_flush,
        .unmap = cfg->discard,
        .backing_path = cfg->backing_file,
        .backing_format = cfg->backing_format,
        .lock = cfg->locking != OOA_OFF,
        .lock_forced = cfg->locking == OOA_ON,
        .reconnect_delay = cfg->reconnect_delay,
        .vm = d->blk.vm,
    };

    struct bnode *n = protocol_open(&d->ctx, &o, err);
    if (n && cfg->cut_log)
        n = cut_open(n, cfg->cut_log, err) ?: (fail_prefix(err, "%s", d->who), NULL);
    if (n)
        n = format_open(n, format, &o, err);
    *used = n ? n->cls->name : NULL;
    if (n && snapshot)
        n = overlay_open(n, &o, err);
    if (n && cfg->inject)
        n = inject_open(n, cfg->inject, err) ?: (fail_prefix(err, "%s", d->who), NULL);
    return n;
}

static void insert(struct drive *d, struct bnode *root, const char *path, const char *format, bool read_only)
{
    d->root = root;
    d->file = g_strdup(path);
    d->format = g_strdup(format);
    d->blk.read_only = read_only;
    d->blk.size = root->size;
    d->blk.present = true;
}

/* Nothing is in flight. */
static void remove_medium(struct drive *d)
{
    int err = drive_flush_now(d);

    if (err)
        warn_user("%s: the last flush of '%s' failed: %s", d->who, d->file, g_strerror(err));
    node_close(d->root);
    d->root = NULL;
    g_clear_pointer(&d->file, g_free);
    g_clear_pointer(&d->format, g_free);
    d->blk.present = false;
    d->blk.size = 0;
}

void drive_eject_op(struct blk *blk)
{
    struct drive *d = as_drive(blk);

    blk_drain(blk);
    if (d->root)
        remove_medium(d);
}

static void tell_media(struct blk *blk)
{
    if (blk->dev_ops && blk->dev_ops->media_changed)
        blk->dev_ops->media_changed(blk->dev_opaque, blk->present);
}

static bool tray_unlocked(struct drive *d, GError **err)
{
    struct blk *blk = &d->blk;

    if (blk->tray_open || !blk->dev_ops || !blk->dev_ops->tray_locked ||
        !blk->dev_ops->tray_locked(blk->dev_opaque))
        return true;
    if (blk->dev_ops->eject_request)
        blk->dev_ops->eject_request(blk->dev_opaque);
    return fail(err, "%s: the guest has locked the tray; it was asked to eject, try again (or eject -f)",
                d->who);
}

static bool is_drive(struct blk *blk, GError **err)
{
    return blk->ops == &drive_ops || fail(err, "drive '%s' has no changeable image", blk->id);
}

/* What the monitor asks for is carried out where the drive lives. */
struct ask {
    struct drive *d;
    bool (*fn)(struct ask *a);
    const char *path, *format;
    enum drive_mode mode;
    bool force, ok;
    uint64_t size;
    struct drive_info *info;
    GError **err;
};

static void carry_out(void *opaque)
{
    struct ask *a = opaque;

    a->ok = a->fn(a);
}

static bool ask(struct blk *blk, struct ask a)
{
    if (!is_drive(blk, a.err))
        return false;
    a.d = as_drive(blk);
    exec_call(blk->exec, carry_out, &a);
    return a.ok;
}

static bool eject(struct ask *a)
{
    struct drive *d = a->d;
    struct blk *blk = &d->blk;
    GError **err = a->err;

    if (!blk->removable)
        return fail(err, "%s is not removable", d->who);
    if (!a->force && !tray_unlocked(d, err))
        return false;
    drive_eject_op(blk);
    blk_set_tray(blk, true, false);
    tell_media(blk);
    return true;
}

bool drive_eject(struct blk *blk, bool force, GError **err)
{
    return ask(blk, (struct ask){ .fn = eject, .force = force, .err = err });
}

static bool removable(struct blk *blk, GError **err)
{
    return is_drive(blk, err) && (blk->removable || fail(err, "%s is not removable", as_drive(blk)->who));
}

static bool has_tray(const struct blk *blk)
{
    return blk->dev_ops && blk->dev_ops->tray_moved;
}

bool drive_open_tray(struct blk *blk, bool force, GError **err)
{
    if (!removable(blk, err))
        return false;
    if (has_tray(blk) && !blk->tray_open && (force || tray_unlocked(as_drive(blk), NULL)))
        blk->dev_ops->tray_moved(blk->dev_opaque, true);
    return true;
}

bool drive_close_tray(struct blk *blk, GError **err)
{
    if (!removable(blk, err))
        return false;
    if (has_tray(blk) && blk->tray_open)
        blk->dev_ops->tray_moved(blk->dev_opaque, false);
    return true;
}

static void eject_now(void *opaque)
{
    drive_eject_op(opaque);
}

bool drive_remove_medium(struct blk *blk, GError **err)
{
    if (!removable(blk, err))
        return false;
    if (has_tray(blk) && !blk->tray_open)
        return fail(err, "%s: the tray is not open", as_drive(blk)->who);
    if (blk->present) {
        exec_call(blk->exec, eject_now, blk);
        tell_media(blk);
    }
    return true;
}

static bool change_medium(struct ask *a)
{
    struct drive *d = a->d;
    struct blk *blk = &d->blk;
    GError **err = a->err;
    const char *used, *path = a->path;
    bool ro = d->kind_read_only || a->mode == DRIVE_MODE_READ_ONLY ||
              (a->mode == DRIVE_MODE_RETAIN && d->config_read_only);
    if (!blk->removable)
        return fail(err, "%s is not removable: its medium can't be changed", d->who);
    if (!tray_unlocked(d, err))
        return false;
    blk_drain(blk);
    node_lock(d->root, false); /* the new one may be the same file */
    struct bnode *root = open_layers(d, path, a->format, ro, &used, err);
    if (!root) {
        int e = node_lock(d->root, true);
        if (e)
            warn_user("%s: '%s' could not be locked again: %s", d->who, d->file, g_strerror(e));
        return false;
    }
    if (d->root) {
        remove_medium(d);
        tell_media(blk);
    }
    insert(d, root, path, used, ro);
    blk_set_tray(blk, false, false);
    tell_media(blk);
    return true;
}

bool drive_change_medium(struct blk *blk, const char *path, const char *format, enum drive_mode mode,
                         GError **err)
{
    struct ask a = { .fn = change_medium, .path = path, .format = format, .mode = mode, .err = err };

    return ask(blk, a);
}

static bool resize(struct ask *a)
{
    struct drive *d = a->d;
    struct blk *blk = &d->blk;
    GError **err = a->err;
    uint64_t size = a->size;

    if (!d->root)
        return fail(err, "%s has no medium", d->who);
    if (!size || size % 512 || size > INT64_MAX)
        return fail(err, "%s: a size of %" PRIu64 " bytes is no multiple of 512", d->who, size);
    drive_wait(d);
    int e = node_resize(d->root, size);
    blk->size = d->root->size;
    if (e)
        return fail(err, "%s: cannot resize '%s' to %" PRIu64 " bytes: %s", d->who, d->file, size,
                    g_strerror(e));
    return true;
}

bool drive_resize(struct blk *blk, uint64_t size, GError **err)
{
    if (!ask(blk, (struct ask){ .fn = resize, .size = size, .err = err }))
        return false;
    if (blk->dev_ops && blk->dev_ops->resized)
        blk->dev_ops->resized(blk->dev_opaque);
    return true;
}

bool drive_uses_file(struct blk *blk, uint64_t dev, uint64_t ino)
{
    return blk->ops == &drive_ops && file_same(as_drive(blk)->root, dev, ino);
}

/* --- stop and continue ------------------------------------------------------------------------- */

static void quiesce(void *opaque)
{
    struct drive *d = opaque;

    drive_wait(d);
    int err = drive_flush_now(d);
    if (err)
        warn_user("%s: flushing '%s' failed: %s", d->who, d->file, g_strerror(err));
}

static void retry(void *opaque)
{
    drive_retry(opaque);
}

static void on_phase(void *opaque, enum vm_phase phase)
{
    struct drive *d = opaque;

    if (phase != PHASE_STOPPED && (phase != PHASE_CONTINUE || !__atomic_load_n(&d->kept_count, __ATOMIC_ACQUIRE)))
        return;
    exec_call(d->blk.exec, phase == PHASE_STOPPED ? quiesce : retry, d);
}

static void wait_now(void *opaque)
{
    drive_wait(opaque);
}

void drive_set_exec(struct blk *blk, struct exec *e)
{
    struct drive *d = as_drive(blk);

    exec_call(blk->exec, wait_now, d);
    bctx_move(&d->ctx, e);
    blk->exec = e;
}

/* --- opening and closing ----------------------------------------------------------------------- */

struct blk *drive_find(struct vm *vm, const char *id)
{
    return g_hash_table_lookup(vm->blks, id);
}

static char *default_id(struct vm *vm, const struct drive_config *cfg)
{
    static const char *const names[] = { "ide", "floppy", "virtio", "none" };
    const char *kind = cfg->media == MEDIA_CDROM ? "cd" : "hd";
    bool ide = cfg->interface == DRIVE_IDE;

    for (unsigned i = cfg->index == DRIVE_UNSET ? 0 : cfg->index;; i++) {
        unsigned bus = cfg->bus != DRIVE_UNSET ? cfg->bus : i / 2,
                 unit = cfg->unit != DRIVE_UNSET ? cfg->unit : i % 2;
        char *id = ide ? g_strdup_printf("ide%u-%s%u", bus, kind, unit)
                       : g_strdup_printf("%s%u", names[cfg->interface], i);
        if (!drive_find(vm, id) || (ide && cfg->bus != DRIVE_UNSET && cfg->unit != DRIVE_UNSET))
            return id;
        g_free(id);
    }
}

static void batch_done(struct bctx *c)
{
    struct drive *d = container_of(c, struct drive, ctx);

    if (d->blk.dev_ops && d->blk.dev_ops->batch_done)
        d->blk.dev_ops->batch_done(d->blk.dev_opaque);
}

static bool enabled(int ooa, bool by_cache)
{
    return ooa == OOA_AUTO ? by_cache : ooa == OOA_ON;
}

static void drive_free_parts(struct drive *d)
{
    node_close(d->root);
    if (d->ctx.watch)
        bctx_clear(&d->ctx);
    g_free(d->blk.id);
    g_free(d->blk.serial);
    g_free(d->who);
    g_free(d->file);
    g_free(d->format);
    g_free(d->cfg.cut_log);
    g_free(d->cfg.inject);
    g_free(d->cfg.backing_file);
    g_free(d->cfg.backing_format);
    g_free(d);
}

struct blk *drive_open(struct vm *vm, const struct drive_config *cfg, GError **err)
{
    struct drive *d = g_new0(struct drive, 1);
    bool cd = cfg->media == MEDIA_CDROM, ro = cfg->read_only || cd;

    d->blk = (struct blk){
        .ops = &drive_ops,
        .vm = vm,
        .exec = &vm->main,
        .read_only = ro,
        .id = cfg->id && *cfg->id ? g_strdup(cfg->id) : default_id(vm, cfg),
        .removable = cd || cfg->interface == DRIVE_FLOPPY,
        .write_cache =
            enabled(cfg->cache_writeback, cfg->cache != CACHE_WRITETHROUGH && cfg->cache != CACHE_DIRECTSYNC),
        .serial = g_strdup(cfg->serial),
        .werror = cfg->werror,
        .rerror = cfg->rerror,
    };
    d->who = g_strdup_printf("drive '%s'", d->blk.id);
    d->cfg = *cfg;
    d->cfg.cut_log = g_strdup(cfg->cut_log);
    d->cfg.inject = g_strdup(cfg->inject);
    d->cfg.backing_file = g_strdup(cfg->backing_file);
    d->cfg.backing_format = g_strdup(cfg->backing_format);
    d->cfg.file = d->cfg.format = d->cfg.id = d->cfg.serial = d->cfg.throttling = NULL;
    d->cfg.protocol = d->cfg.nbd_type = d->cfg.nbd_host = d->cfg.nbd_port = NULL;
    d->cfg.nbd_path = d->cfg.nbd_export = NULL;
    d->direct = enabled(cfg->cache_direct, cfg->cache == CACHE_NONE || cfg->cache == CACHE_DIRECTSYNC);
    d->no_flush = enabled(cfg->cache_no_flush, cfg->cache == CACHE_UNSAFE);
    d->config_read_only = cfg->read_only;
    d->kind_read_only = cd;
    d->kept_tail = &d->kept;
    d->io_status = "ok";
    d->nowhere.ctx = &d->ctx;

    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error of the write, not our end */
    const char *path = cfg->file && *cfg->file ? cfg->file : NULL;
    bool ok = drive_config_check(cfg, d->who, err);
    if (ok && drive_find(vm, d->blk.id))
        ok = fail(err, "%s: there is already a drive with this id", d->who);
    if (ok && !path && !d->blk.removable)
        ok = fail(err, "%s: file= is missing (only a CD-ROM or floppy drive may be empty)", d->who);
    if (ok && !bctx_init(&d->ctx, vm, &vm->main, err))
        ok = fail_prefix(err, "%s", d->who);
    d->ctx.batch = batch_done;
    if (ok && !engine_choose(&d->ctx, cfg->aio, d->direct, err))
        ok = fail_prefix(err, "%s", d->who);
    const char *used = NULL;
    struct bnode *root = ok && path ? open_layers(d, path, cfg->format, ro, &used, err) : NULL;
    if (!ok || (path && !root)) {
        drive_free_parts(d);
        return NULL;
    }
    g_clear_pointer(&d->cfg.backing_file, g_free); /* was for this image, not for one that it is changed to */
    g_clear_pointer(&d->cfg.backing_format, g_free);
    if (root)
        insert(d, root, path, used, ro);
    g_hash_table_insert(vm->blks, d->blk.id, &d->blk);
    d->notifier = (struct vm_notifier){ .fn = on_phase, .opaque = d };
    vm_add_notifier(vm, &d->notifier);
    return &d->blk;
}

static void let_go(void *opaque)
{
    struct drive *d = opaque;

    if (d->root)
        remove_medium(d);
}

void drive_close(struct blk *blk)
{
    if (!blk || blk->ops != &drive_ops)
        return;
    struct drive *d = as_drive(blk);

    blk_drain(blk);
    blk_detach(blk);
    exec_call(blk->exec, let_go, d);
    vm_remove_notifier(blk->vm, &d->notifier);
    g_hash_table_remove(blk->vm->blks, blk->id);
    drive_free_parts(d);
}

void drive_close_all(struct vm *vm)
{
    GList *all = g_hash_table_get_values(vm->blks);

    for (GList *l = all; l; l = l->next)
        drive_close(l->data);
    g_list_free(all);
}

static unsigned backing_depth(const struct bnode *n)
{
    unsigned depth = 0;

    for (; n; n = n->child[1] ? n->child[1] : n->child[0])
        depth += n->child[1] != NULL;
    return depth;
}

static bool query(struct ask *a)
{
    static const char *const zeroes[] = { "off", "on", "unmap" };
    static const char *const caches[2][2] = { { "writethrough", "writeback" }, { "directsync", "none" } };

    struct drive *d = a->d;
    struct blk *blk = &d->blk;

    *a->info = (struct drive_info){
        .file = d->file, .format = d->format, .aio = d->ctx.engine->name, .io_status = d->io_status,
        .kept = __atomic_load_n(&d->kept_count, __ATOMIC_ACQUIRE),
        .cache = d->no_flush ? "unsafe" : caches[d->direct][blk->write_cache],
        .direct = d->direct, .no_flush = d->no_flush, .detect_zeroes = zeroes[d->cfg.detect_zeroes],
        .backing_depth = backing_depth(d->root),
        .snapshot = d->cfg.snapshot && d->root && !blk->read_only,
        .locked = blk->dev_ops && blk->dev_ops->tray_locked && blk->dev_ops->tray_locked(blk->dev_opaque),
    };
    return true;
}

bool drive_query(struct blk *blk, struct drive_info *info)
{
    return blk->ops == &drive_ops && ask(blk, (struct ask){ .fn = query, .info = info });
}
