/* vmm/control/qmp.c - a QMP session on a chardev: negotiation, commands one after the other, events.
 *
 * Memory is bounded whatever the client does: no command is looked at while the answers before are not taken, a
 * message has its limits (qmp_json.h), and who reads nothing at all misses events once OUTPUT_MAX is waiting.
 *
 * Deviations: there is no out-of-band execution (the greeting offers none): every command is short.  After input
 * that is no JSON the rest of its line is skipped. */
#include "vmm/control/qmp_impl.h"
#include "vmm/char/backend.h"

enum { INPUT_SIZE = 4096, OUTPUT_MAX = 1 << 20, RATE_MS = 1000 };

#ifndef BANTAM_VERSION
#define BANTAM_VERSION "0.1"
#endif

/* --- errors ------------------------------------------------------------------------------------------------ */

static const char *const class_names[] = { "GenericError", "CommandNotFound", "DeviceNotFound", "DeviceNotActive",
                                           "KVMMissingCap" };

static GQuark qmp_quark(void)
{
    return g_quark_from_static_string("bantam-qmp");
}

bool qmp_fail(GError **err, enum qmp_class c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (err)
        *err = g_error_new_valist(qmp_quark(), c, fmt, ap);
    va_end(ap);
    return false;
}

/* --- values ------------------------------------------------------------------------------------------------ */

JsonNode *qmp_object(JsonObject *o)
{
    JsonNode *n = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(n, o);
    return n;
}

JsonNode *qmp_array(JsonArray *a)
{
    JsonNode *n = json_node_new(JSON_NODE_ARRAY);

    json_node_take_array(n, a);
    return n;
}

const char *qarg_str(JsonObject *args, const char *name)
{
    return json_object_has_member(args, name) ? json_object_get_string_member(args, name) : NULL;
}

bool qarg_bool(JsonObject *args, const char *name, bool def)
{
    return json_object_has_member(args, name) ? json_object_get_boolean_member(args, name) : def;
}

int64_t qarg_int(JsonObject *args, const char *name, int64_t def)
{
    return json_object_has_member(args, name) ? json_object_get_int_member(args, name) : def;
}

/* --- output ------------------------------------------------------------------------------------------------ */

static void flush(struct qmp *q) /* under the lock */
{
    if (q->out->len) {
        size_t n = chardev_write(q->chr, (const uint8_t *) q->out->str, q->out->len);
        g_string_erase(q->out, 0, (gssize) n);
    }
    if (!q->out->len && q->out->allocated_len > OUTPUT_MAX) {
        g_string_free(q->out, TRUE);
        q->out = g_string_new(NULL);
    }
}

static void send(struct qmp *q, JsonNode *n) /* takes it */
{
    json_write(q->out, n, q->pretty);
    g_string_append(q->out, "\r\n");
    json_node_unref(n);
}

static JsonObject *version_object(void)
{
    JsonObject *v = json_object_new(), *qemu = json_object_new();

    json_object_set_int_member(qemu, "micro", QMP_MICRO);
    json_object_set_int_member(qemu, "minor", QMP_MINOR);
    json_object_set_int_member(qemu, "major", QMP_MAJOR);
    json_object_set_object_member(v, "qemu", qemu);
    json_object_set_string_member(v, "package", "bantam-" BANTAM_VERSION);
    return v;
}

bool qmp_query_version(struct qmp *q, JsonObject *args, JsonNode **ret, GError **err)
{
    (void) q, (void) args, (void) err;
    *ret = qmp_object(version_object());
    return true;
}

static void greet(struct qmp *q)
{
    JsonObject *o = json_object_new(), *g = json_object_new();

    json_object_set_object_member(g, "version", version_object());
    json_object_set_array_member(g, "capabilities", json_array_new());
    json_object_set_object_member(o, "QMP", g);
    send(q, qmp_object(o));
    flush(q);
}

static void answer(struct qmp *q, JsonNode *id, JsonNode *ret, GError *e) /* takes ret and e */
{
    JsonObject *o = json_object_new();

    if (e) {
        JsonObject *d = json_object_new();
        if (id)
            json_object_set_member(o, "id", json_node_copy(id));
        json_object_set_string_member(d, "class", class_names[e->domain == qmp_quark() ? e->code : QMP_GENERIC]);
        json_object_set_string_member(d, "desc", e->message);
        json_object_set_object_member(o, "error", d);
        g_error_free(e);
    } else {
        json_object_set_member(o, "return", ret ? ret : qmp_object(json_object_new()));
        if (id)
            json_object_set_member(o, "id", json_node_copy(id));
    }
    vm_event_deliver(q->vm); /* what the command did is told before its answer */
    send(q, qmp_object(o));
}

/* --- events ------------------------------------------------------------------------------------------------ */

static void send_event(struct qmp *q, JsonNode *n) /* takes it; main thread, no lock held */
{
    if (!q->negotiated || q->out->len > OUTPUT_MAX) {
        if (q->negotiated && !q->dropped++)
            TRACER(&q->trace, "events are dropped: the client does not read");
        json_node_unref(n);
        return;
    }
    send(q, n);
    vm_lock(q->vm);
    flush(q);
    vm_unlock(q->vm);
}

static void clear_limit(struct qmp_limit *l)
{
    g_clear_pointer(&l->waiting, json_node_unref);
    if (l->timer) {
        g_source_destroy(l->timer);
        g_source_unref(l->timer);
        l->timer = NULL;
    }
}

static gboolean limit_over(gpointer opaque)
{
    struct qmp_limit *l = opaque;

    if (l->waiting) {
        send_event(l->q, g_steal_pointer(&l->waiting));
        return G_SOURCE_CONTINUE;
    }
    clear_limit(l);
    return G_SOURCE_REMOVE;
}

static JsonNode *event_node(const struct qmp_event_type *t, const struct vm_event *ev)
{
    JsonObject *o = json_object_new(), *time = json_object_new();

    json_object_set_int_member(time, "seconds", ev->time / G_USEC_PER_SEC);
    json_object_set_int_member(time, "microseconds", ev->time % G_USEC_PER_SEC);
    json_object_set_object_member(o, "timestamp", time);
    json_object_set_string_member(o, "event", t->name);
    if (t->make)
        json_object_set_object_member(o, "data", t->make(ev));
    return qmp_object(o);
}

static void on_event(void *opaque, const struct vm_event *ev)
{
    struct qmp *q = opaque;
    const struct qmp_event_type *t = &qmp_events[ev->kind];
    struct qmp_limit *l = &q->limits[ev->kind];

    if (!q->negotiated)
        return;
    JsonNode *n = event_node(t, ev);
    if (l->timer) {
        g_clear_pointer(&l->waiting, json_node_unref);
        l->waiting = n;
        return;
    }
    if (t->limited) {
        l->q = q;
        l->timer = g_timeout_source_new(RATE_MS);
        g_source_set_callback(l->timer, limit_over, l, NULL);
        g_source_attach(l->timer, q->vm->main.ctx);
    }
    send_event(q, n);
}

/* --- commands ---------------------------------------------------------------------------------------------- */

bool qmp_capabilities(struct qmp *q, JsonObject *args, JsonNode **ret, GError **err)
{
    (void) ret;
    if (q->negotiated)
        return qmp_fail(err, QMP_COMMAND_NOT_FOUND,
                        "Capabilities negotiation is already complete, command ignored");
    JsonArray *enable = json_object_has_member(args, "enable") ? json_object_get_array_member(args, "enable") : NULL;
    if (enable && json_array_get_length(enable)) /* "oob", the only one the check lets through */
        return fail(err, "Capability '%s' not available", json_array_get_string_element(enable, 0));
    q->negotiated = true;
    return true;
}

/* The members of a request; *execute is a borrowed string. */
static bool check_request(JsonObject *o, const char **execute, JsonObject **args, GError **err)
{
    JsonObjectIter it;
    const char *name;
    JsonNode *v;

    *execute = NULL;
    *args = NULL;
    json_object_iter_init_ordered(&it, o);
    while (json_object_iter_next_ordered(&it, &name, &v)) {
        if (!strcmp(name, "execute")) {
            if (!JSON_NODE_HOLDS_VALUE(v) || json_node_get_value_type(v) != G_TYPE_STRING)
                return fail(err, "QMP input member 'execute' must be a string");
            *execute = json_node_get_string(v);
        } else if (!strcmp(name, "arguments")) {
            if (!JSON_NODE_HOLDS_OBJECT(v))
                return fail(err, "QMP input member 'arguments' must be an object");
            *args = json_node_get_object(v);
        } else if (strcmp(name, "id") != 0) {
            return fail(err, "QMP input member '%s' is unexpected", name);
        }
    }
    return *execute || fail(err, "QMP input lacks member 'execute'");
}

static bool dispatch(struct qmp *q, JsonObject *request, JsonNode **ret, GError **err)
{
    const char *name;
    JsonObject *args;

    if (!check_request(request, &name, &args, err))
        return false;
    const struct qmp_command *c = qmp_command_find(name);
    if (!q->negotiated && (!c || c->fn != qmp_capabilities))
        return qmp_fail(err, QMP_COMMAND_NOT_FOUND, "Expecting capabilities negotiation with 'qmp_capabilities'");
    if (!c)
        return qmp_fail(err, QMP_COMMAND_NOT_FOUND, "The command %s has not been found", name);
    args = args ? json_object_ref(args) : json_object_new();
    bool ok = qmp_check(c->args, args, err) && c->fn(q, args, ret, err);
    json_object_unref(args);
    return ok;
}

static void handle(struct qmp *q)
{
    GError *err = NULL;
    JsonNode *ret = NULL, *id = NULL, *n = json_reader_value(&q->reader, &err);

    if (n && !JSON_NODE_HOLDS_OBJECT(n))
        fail(&err, "QMP input must be a JSON object");
    if (!err) {
        id = json_object_get_member(json_node_get_object(n), "id");
        TRACER(&q->trace, "%s", q->reader.text->str);
        dispatch(q, json_node_get_object(n), &ret, &err);
    }
    if (err && ret)
        g_clear_pointer(&ret, json_node_unref);
    answer(q, id, ret, err);
    if (n)
        json_node_unref(n);
}

static bool ending(struct qmp *q)
{
    return q->vm->done || (__atomic_load_n(&q->vm->requests, __ATOMIC_ACQUIRE) & REQ_EXIT);
}

/* Main loop, no lock held: looks at what came in until there is no more, or the output is not taken. */
static gboolean work(gpointer opaque)
{
    struct qmp *q = opaque;
    size_t used;

    while (q->in->len && !q->out->len && !ending(q)) {
        enum json_result r = json_reader_feed(&q->reader, q->in->data, q->in->len, &used);
        g_byte_array_remove_range(q->in, 0, (guint) used);
        if (r == JSON_MESSAGE)
            handle(q);
        else if (r == JSON_WRONG)
            answer(q, NULL, NULL, g_error_new_literal(qmp_quark(), QMP_GENERIC, q->reader.error));
        vm_lock(q->vm);
        flush(q);
        vm_unlock(q->vm);
    }
    g_source_destroy(q->work);
    g_source_unref(q->work);
    q->work = NULL;
    vm_lock(q->vm);
    chardev_accept(q->chr);
    vm_unlock(q->vm);
    return G_SOURCE_REMOVE;
}

/* --- the chardev's side ------------------------------------------------------------------------------------ */

static void wake(struct qmp *q)
{
    if (q->work || !q->in->len)
        return;
    q->work = g_idle_source_new();
    g_source_set_priority(q->work, G_PRIORITY_DEFAULT);
    g_source_set_callback(q->work, work, q, NULL);
    g_source_attach(q->work, q->vm->main.ctx);
}

static size_t can_receive(void *opaque)
{
    const struct qmp *q = opaque;

    /* Nothing new while there is work: so who sends commands and closes its end still gets the answers. */
    return q->out->len || q->in->len ? 0 : INPUT_SIZE;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct qmp *q = opaque;

    g_byte_array_append(q->in, buf, (guint) len);
    wake(q);
}

static void event(void *opaque, enum chardev_event ev)
{
    struct qmp *q = opaque;

    if (ev == CHARDEV_OPENED) {
        q->negotiated = false;
        greet(q);
    } else if (ev == CHARDEV_CLOSED) {
        q->negotiated = false;
        q->dropped = 0;
        json_reader_reset(&q->reader);
        g_string_truncate(q->out, 0);
        g_byte_array_set_size(q->in, 0);
        for (unsigned i = 0; i < N_VM_EVENTS; i++)
            clear_limit(&q->limits[i]);
    }
}

static void writable(void *opaque)
{
    struct qmp *q = opaque;

    flush(q);
    if (!q->out->len) {
        wake(q);
        chardev_accept(q->chr);
    }
}

static const struct chardev_fe fe = { can_receive, receive, event, writable };

static void close_session(struct qmp *q)
{
    if (!q)
        return;
    if (q->chr) {
        vm_event_deliver(q->vm); /* the last is SHUTDOWN */
        vm_remove_listener(q->vm, &q->listener);
        vm_lock(q->vm);
        flush(q);
        chardev_detach_from(q->chr, q);
        vm_unlock(q->vm);
    }
    if (q->work) {
        g_source_destroy(q->work);
        g_source_unref(q->work);
    }
    for (unsigned i = 0; i < N_VM_EVENTS; i++)
        clear_limit(&q->limits[i]);
    json_reader_clear(&q->reader);
    tracer_clear(&q->trace);
    g_byte_array_free(q->in, TRUE);
    g_string_free(q->out, TRUE);
    g_free(q);
}

static struct qmp *open_session(struct vm *vm, const struct opt_monitor *opt, GError **err)
{
    struct chardev *chr = chardev_find(vm, opt->chardev);

    if (!chr || chr->ops->attach) {
        fail(err, chr ? "QMP: chardev '%s' is shared (mux=on); QMP needs one for itself"
                      : "QMP: there is no chardev with id '%s'", opt->chardev);
        return NULL;
    }
    struct qmp *q = g_new0(struct qmp, 1);
    q->vm = vm;
    q->pretty = opt->pretty;
    q->in = g_byte_array_new();
    q->out = g_string_new(NULL);
    json_reader_init(&q->reader);
    tracer_init(&q->trace, &vm->log, "qmp");
    q->listener = (struct vm_listener){ .fn = on_event, .opaque = q };
    q->chr = chr;
    vm_lock(vm);
    bool ok = chardev_attach(chr, &fe, q, "QMP", err);
    vm_unlock(vm);
    if (ok) {
        vm_add_listener(vm, &q->listener);
        return q;
    }
    q->chr = NULL;
    close_session(q);
    return NULL;
}

const struct qmp_module qmp_module = { open_session, close_session };
