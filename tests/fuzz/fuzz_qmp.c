/* tests/fuzz/fuzz_qmp.c - what a QMP client sends.
 *
 * Input: how many bytes come at once, how many answers are taken before the client stops reading for a while, and
 * the stream.  Whatever comes, the memory that a session holds has its bound, and the stream can be taken up again.
 * A message that was read has to be the same after it was written and read again. */
#include "tests/fuzz/fuzz.h"
#include "vmm/char/backend.h"
#include "vmm/control/qmp_impl.h"

const char fuzz_name[] = "qmp";

struct client {
    struct chardev chr;
    size_t room; /* that it still reads; SIZE_MAX: everything */
};

static size_t client_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct client *cl = container_of(c, struct client, chr);
    size_t n = MIN(len, cl->room);

    (void) buf;
    if (cl->room != SIZE_MAX)
        cl->room -= n;
    return n;
}

static const struct chardev_ops client_ops = { .write = client_write };

/* Commands that write files, or open what they are told, are left out: inputs are random.  So is what is escaped. */
static bool harmless(const char *text)
{
    static const char *const words[] = { "\\u", "save", "dump", "human", "change" };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(text, words[i]))
            return false;
    return true;
}

static JsonNode *read_one(const char *text, size_t len)
{
    struct json_reader r;
    size_t used;

    json_reader_init(&r);
    JsonNode *n = json_reader_feed(&r, (const uint8_t *) text, len, &used) == JSON_MESSAGE ? json_reader_value(&r, NULL)
                                                                                           : NULL;
    json_reader_clear(&r);
    return n;
}

/* Written and read again it is the same. */
static void check_value(JsonNode *n)
{
    GString *a = g_string_new(NULL), *b = g_string_new(NULL);

    json_write(a, n, false);
    g_string_append_c(a, '\n');
    JsonNode *again = read_one(a->str, a->len);
    g_assert_nonnull(again);
    json_write(b, again, false);
    g_string_append_c(b, '\n');
    g_assert_cmpstr(a->str, ==, b->str);
    json_node_unref(again);
    g_string_free(a, TRUE);
    g_string_free(b, TRUE);
}

static bool check_stream(const uint8_t *p, size_t len)
{
    struct json_reader r;
    size_t used;
    bool ok = true;

    json_reader_init(&r);
    for (size_t at = 0; at < len; at += used) {
        if (json_reader_feed(&r, p + at, len - at, &used) != JSON_MESSAGE)
            continue;
        JsonNode *n = json_reader_value(&r, NULL);
        ok = ok && harmless(r.text->str);
        if (!n)
            continue;
        check_value(n);
        json_node_unref(n);
    }
    json_reader_clear(&r);
    return ok;
}

static void session(struct vm *vm, const uint8_t *p, size_t len, size_t step, size_t room)
{
    struct client c = { .chr = { .ops = &client_ops, .id = (char *) "q", .vm = vm, .open = true }, .room = SIZE_MAX };
    struct opt_monitor opt = { .chardev = (char *) "q", .qmp = true };

    g_hash_table_insert(vm->chardevs, c.chr.id, &c.chr);
    struct qmp *q = qmp_module.open(vm, &opt, NULL);
    g_assert_nonnull(q);
    q->negotiated = true;
    c.room = room ? room : SIZE_MAX;
    for (size_t at = 0; at < len && !vm->done; ) {
        vm_lock(vm);
        size_t n = MIN(MIN(step, len - at), c.chr.fe->can_receive(c.chr.fe_opaque));
        if (n)
            c.chr.fe->receive(c.chr.fe_opaque, p + at, n);
        else { /* it reads again */
            c.room = room ? room : SIZE_MAX;
            c.chr.fe->writable(c.chr.fe_opaque);
        }
        vm_unlock(vm);
        at += n;
        for (unsigned i = 0; i < 8 && exec_iterate(&vm->main, false); i++) {}
        g_assert_cmpuint(q->out->len, <, 2 * MiB);
        vm->requests = 0;
    }
    qmp_module.close(q);
    g_hash_table_remove(vm->chardevs, c.chr.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    size_t len, step = (size_t) input_u8(&in) + 1, room = (size_t) input_u8(&in) * 1000;
    const uint8_t *p = input_bytes(&in, SIZE_MAX, &len);

    if (!check_stream(p, len))
        return 0;
    struct catalog_rig r = catalog_rig_new(device_class_find("piix3-ide"), CATALOG_FULL);
    session(r.b->vm, p, len, step, room);
    catalog_rig_free(&r);
    return 0;
}
