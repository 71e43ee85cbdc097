/* vmm/control/qmp_block.c - QMP commands: drives, their media and figures.
 *
 * A drive is one node, whose name is the drive's id. */
#include "vmm/block/qcow2_snapshot.h"
#include "vmm/control/action.h"
#include "vmm/control/qmp_impl.h"
#include "vmm/core/iothread.h"

#include <sys/stat.h>
#include <time.h>

#define UNUSED (void) q, (void) args, (void) ret, (void) err

/* --- queries ----------------------------------------------------------------------------------------------- */

typedef JsonObject *make_fn(struct blk *b);

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

static JsonNode *each_drive(struct qmp *q, make_fn *make)
{
    JsonArray *a = json_array_new();

    vm_lock(q->vm);
    GList *ids = g_list_sort(g_hash_table_get_keys(q->vm->blks), by_text);
    for (GList *l = ids; l; l = l->next) {
        JsonObject *o = make(g_hash_table_lookup(q->vm->blks, l->data));
        if (o)
            json_array_add_object_element(a, o);
    }
    g_list_free(ids);
    vm_unlock(q->vm);
    return qmp_array(a);
}

static JsonObject *snapshot_object(const struct q2_snapshot_entry *e)
{
    JsonObject *o = json_object_new();

    json_object_set_string_member(o, "id", e->id);
    json_object_set_string_member(o, "name", e->name);
    json_object_set_int_member(o, "vm-state-size", (gint64) e->vm_state_size);
    json_object_set_int_member(o, "date-sec", e->sec);
    json_object_set_int_member(o, "date-nsec", e->nsec);
    json_object_set_int_member(o, "vm-clock-sec", (gint64) (e->vm_clock / NS_PER_SEC));
    json_object_set_int_member(o, "vm-clock-nsec", (gint64) (e->vm_clock % NS_PER_SEC));
    return o;
}

static JsonObject *image_object(struct blk *b, const struct drive_info *d)
{
    JsonObject *o = json_object_new();
    struct stat st;

    json_object_set_int_member(o, "virtual-size", (gint64) b->size);
    json_object_set_string_member(o, "filename", d->file);
    json_object_set_string_member(o, "format", d->format);
    if (stat(d->file, &st) == 0)
        json_object_set_int_member(o, "actual-size", (gint64) st.st_blocks * 512);
    uint32_t n;
    const struct q2_snapshot_entry *e = qcow2_snapshot_entries(b, &n);
    if (n) {
        JsonArray *a = json_array_new();
        for (uint32_t i = 0; i < n; i++)
            json_array_add_object_element(a, snapshot_object(&e[i]));
        json_object_set_array_member(o, "snapshots", a);
    }
    return o;
}

static JsonObject *node_object(struct blk *b)
{
    static const char *const limits[] = { "iops_rd", "iops_wr", "iops", "bps_rd", "bps_wr", "bps", "write_threshold" };
    struct drive_info d;

    if (!drive_query(b, &d) || !d.file)
        return NULL;
    JsonObject *o = json_object_new(), *cache = json_object_new();
    json_object_set_object_member(o, "image", image_object(b, &d));
    json_object_set_boolean_member(o, "ro", b->read_only);
    json_object_set_string_member(o, "node-name", b->id);
    json_object_set_int_member(o, "backing_file_depth", d.backing_depth);
    json_object_set_string_member(o, "drv", d.format);
    json_object_set_string_member(o, "file", d.file);
    json_object_set_boolean_member(o, "encrypted", FALSE);
    json_object_set_string_member(o, "detect_zeroes", d.detect_zeroes);
    for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++) /* 0: without a limit, as all are */
        json_object_set_int_member(o, limits[i], 0);
    json_object_set_boolean_member(cache, "no-flush", d.no_flush);
    json_object_set_boolean_member(cache, "direct", d.direct);
    json_object_set_boolean_member(cache, "writeback", b->write_cache);
    json_object_set_object_member(o, "cache", cache);
    return o;
}

static void set_qdev(JsonObject *o, const struct blk *b)
{
    if (b->dev)
        json_object_set_string_member(o, "qdev", b->dev->id ? b->dev->id : b->dev->name);
}

static JsonObject *block_object(struct blk *b)
{
    JsonObject *o = json_object_new(), *node = node_object(b);
    struct drive_info d = { 0 };

    drive_query(b, &d);
    if (d.io_status && !b->removable)
        json_object_set_string_member(o, "io-status", d.io_status);
    json_object_set_string_member(o, "device", b->id);
    json_object_set_boolean_member(o, "locked", d.locked);
    json_object_set_boolean_member(o, "removable", b->removable);
    if (node)
        json_object_set_object_member(o, "inserted", node);
    set_qdev(o, b);
    if (b->dev_ops && b->dev_ops->tray_moved)
        json_object_set_boolean_member(o, "tray_open", b->tray_open);
    json_object_set_string_member(o, "type", "unknown");
    return o;
}

static JsonObject *stats_object(struct blk *b)
{
    static const char *const kinds[N_BLK_STATS] = { "rd", "wr", "flush", "unmap" };
    JsonObject *o = json_object_new(), *s = json_object_new();

    for (unsigned k = 0; k < N_BLK_STATS; k++) {
        const struct {
            const char *form;
            uint64_t value;
        } all[] = {
            { "%s_operations", b->ops_done[k] }, { "%s_total_time_ns", b->total_ns[k] },
            { "failed_%s_operations", b->failed[k] }, { "invalid_%s_operations", b->invalid[k] },
            { k == BLK_STAT_FLUSH ? NULL : "%s_bytes", b->bytes[k] },
            { k == BLK_STAT_FLUSH ? NULL : "%s_merged", 0 }, /* merging is the engines', and not counted here */
        };
        for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
            if (!all[i].form)
                continue;
            char **parts = g_strsplit(all[i].form, "%s", 2);
            char *name = g_strjoinv(kinds[k], parts);
            json_object_set_int_member(s, name, (gint64) all[i].value);
            g_free(name);
            g_strfreev(parts);
        }
    }
    json_object_set_int_member(s, "wr_highest_offset", (gint64) b->highest);
    if (b->last_done) {
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        json_object_set_int_member(s, "idle_time_ns", ts.tv_sec * NS_PER_SEC + ts.tv_nsec - b->last_done);
    }
    json_object_set_boolean_member(s, "account_invalid", FALSE); /* the latencies are of what was tried */
    json_object_set_boolean_member(s, "account_failed", TRUE);
    json_object_set_array_member(s, "timed_stats", json_array_new());
    json_object_set_string_member(o, "device", b->id);
    json_object_set_object_member(o, "stats", s);
    if (b->present)
        json_object_set_string_member(o, "node-name", b->id);
    set_qdev(o, b);
    return o;
}

QMP_COMMAND(qmp_query_block)
{
    UNUSED;
    *ret = each_drive(q, block_object);
    return true;
}

QMP_COMMAND(qmp_query_blockstats)
{
    UNUSED;
    *ret = each_drive(q, stats_object);
    return true;
}

QMP_COMMAND(qmp_query_named_block_nodes)
{
    UNUSED;
    *ret = each_drive(q, node_object);
    return true;
}

QMP_COMMAND(qmp_query_iothreads)
{
    UNUSED;
    JsonArray *a = json_array_new();

    vm_lock(q->vm);
    GList *ids = g_list_sort(g_hash_table_get_keys(q->vm->iothreads), by_text);
    for (GList *l = ids; l; l = l->next) {
        const struct iothread *t = g_hash_table_lookup(q->vm->iothreads, l->data);
        JsonObject *o = json_object_new();
        json_object_set_int_member(o, "poll-shrink", (gint64) t->cfg.poll_shrink);
        json_object_set_int_member(o, "thread-id", t->tid);
        json_object_set_int_member(o, "aio-max-batch", 0); /* the engine's own */
        json_object_set_int_member(o, "poll-grow", (gint64) t->cfg.poll_grow);
        json_object_set_int_member(o, "poll-max-ns", __atomic_load_n(&t->exec.poll_max_ns, __ATOMIC_RELAXED));
        json_object_set_string_member(o, "id", t->id);
        json_array_add_object_element(a, o);
    }
    g_list_free(ids);
    vm_unlock(q->vm);
    *ret = qmp_array(a);
    return true;
}

/* --- media ------------------------------------------------------------------------------------------------- */

/* By id (of the device) or device (of the drive): one of them.  second: the other name.  VM lock held. */
static struct blk *drive_of(struct qmp *q, JsonObject *args, const char *second, GError **err)
{
    const char *device = qarg_str(args, "device"), *id = second ? qarg_str(args, second) : NULL;

    if (!device == !id) {
        fail(err, "Need exactly one of 'device' and '%s'", second);
        return NULL;
    }
    struct blk *b = action_drive(q->vm, device ? device : id);
    if (!b)
        qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", device ? device : id);
    return b;
}

QMP_COMMAND(qmp_eject)
{
    UNUSED;
    vm_lock(q->vm);
    struct blk *b = drive_of(q, args, "id", err);
    bool ok = b && drive_eject(b, qarg_bool(args, "force", false), err);
    vm_unlock(q->vm);
    return ok;
}

QMP_COMMAND(qmp_open_tray)
{
    UNUSED;
    vm_lock(q->vm);
    struct blk *b = drive_of(q, args, "id", err);
    bool ok = b && drive_open_tray(b, qarg_bool(args, "force", false), err);
    vm_unlock(q->vm);
    return ok;
}

QMP_COMMAND(qmp_close_tray)
{
    UNUSED;
    vm_lock(q->vm);
    struct blk *b = drive_of(q, args, "id", err);
    bool ok = b && drive_close_tray(b, err);
    vm_unlock(q->vm);
    return ok;
}

QMP_COMMAND(qmp_remove_medium)
{
    UNUSED;
    vm_lock(q->vm);
    struct blk *b = drive_of(q, args, "id", err);
    bool ok = b && drive_remove_medium(b, err);
    vm_unlock(q->vm);
    return ok;
}

QMP_COMMAND(qmp_change_medium)
{
    UNUSED;
    const char *mode = qarg_str(args, "read-only-mode");
    enum drive_mode m = !mode || !strcmp(mode, "retain") ? DRIVE_MODE_RETAIN
                        : !strcmp(mode, "read-only")     ? DRIVE_MODE_READ_ONLY
                                                         : DRIVE_MODE_READ_WRITE;
    vm_lock(q->vm);
    struct blk *b = drive_of(q, args, "id", err);
    bool ok = b && (!qarg_bool(args, "force", false) || drive_open_tray(b, true, err)) &&
              drive_change_medium(b, qarg_str(args, "filename"), qarg_str(args, "format"), m, err);
    vm_unlock(q->vm);
    return ok;
}

QMP_COMMAND(qmp_block_resize)
{
    UNUSED;
    int64_t size = qarg_int(args, "size", 0);

    if (size < 0)
        return fail(err, "Parameter 'size' expects a size >= 0");
    vm_lock(q->vm);
    struct blk *b = drive_of(q, args, "node-name", err);
    bool ok = b && drive_resize(b, (uint64_t) size, err);
    vm_unlock(q->vm);
    return ok;
}

QMP_COMMAND(qmp_snapshot_create)
{
    UNUSED;
    return action_snapshot(q->vm, SNAPSHOT_CREATE, qarg_str(args, "device"), qarg_str(args, "name"), err);
}

/* By id, name, or both. */
QMP_COMMAND(qmp_snapshot_delete)
{
    UNUSED;
    const char *id = qarg_str(args, "id"), *name = qarg_str(args, "name");
    char *found = NULL;
    uint32_t n;

    if (!id && !name)
        return fail(err, "Name or id must be provided");
    vm_lock(q->vm);
    struct blk *b = drive_of(q, args, NULL, err);
    const struct q2_snapshot_entry *e = b ? qcow2_snapshot_entries(b, &n) : NULL;
    for (uint32_t i = 0; e && i < n && !found; i++)
        if ((!id || !strcmp(e[i].id, id)) && (!name || !strcmp(e[i].name, name))) {
            found = g_strdup(e[i].id);
            *ret = qmp_object(snapshot_object(&e[i]));
        }
    vm_unlock(q->vm);
    bool ok = found ? action_snapshot(q->vm, SNAPSHOT_DELETE, qarg_str(args, "device"), found, err)
                    : b && fail(err, "Snapshot with id '%s' and name '%s' does not exist on device '%s'",
                                id ? id : "", name ? name : "", qarg_str(args, "device"));
    g_free(found);
    return ok;
}
