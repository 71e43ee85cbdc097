/* tests/unit/test_qmp.c - QMP: the JSON reader against hostile input, sessions on a socket, every command's answer
 * against its own schema, events. */
#include "vmm/block/drive.h"
#include "vmm/char/backend.h"
#include "vmm/control/qmp_impl.h"
#include "vmm/core/balloon.h"
#include "vmm/ui/input.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- the reader -------------------------------------------------------------------------------------------- */

/* What a whole input comes to: each message as it is written again, errors as "!why", joined by '|'. */
static char *read_all(const char *text, size_t len, size_t step)
{
    struct json_reader r;
    GString *s = g_string_new(NULL);
    size_t used, at = 0;

    json_reader_init(&r);
    while (at < len) {
        size_t n = MIN(step, len - at);
        uint8_t *exact = g_memdup2(text + at, n); /* so that a sanitizer sees an overrun */
        enum json_result res = json_reader_feed(&r, exact, n, &used);
        g_free(exact);
        at += used;
        if (res == JSON_MORE)
            continue;
        g_string_append(s, s->len ? "|" : "");
        if (res == JSON_WRONG) {
            g_string_append_printf(s, "!%s", r.error);
            continue;
        }
        GError *err = NULL;
        JsonNode *v = json_reader_value(&r, &err);
        if (v) {
            json_write(s, v, false);
            json_node_unref(v);
        } else {
            g_string_append_printf(s, "!%s", err->message);
            g_error_free(err);
        }
    }
    json_reader_clear(&r);
    return g_string_free(s, FALSE);
}

static void reads(const char *text, const char *want)
{
    for (size_t step = 1; step < 100; step *= 7) {
        char *got = read_all(text, strlen(text), step);
        if (!g_pattern_match_simple(want, got))
            g_error("%s\n is read (%zu bytes at once) as\n%s\n and not\n%s", text, step, got, want);
        g_free(got);
    }
}

static void test_reader(void)
{
    reads("{}", "{}");
    reads(" \r\n\t{ \"a\" :\n1 , \"b\":[ ] }\r\n", "{\"a\": 1, \"b\": []}");
    reads("{\"a\":1}{\"b\":2} {\"c\":3}", "{\"a\": 1}|{\"b\": 2}|{\"c\": 3}");
    reads("{'a':'b\"c\\'d\\\"'}", "{\"a\": \"b\\\"c'd\\\"\"}");
    reads("[1,-2,0,-0.5,1e3,2.5E-2,true,false,null]",
          "[1, -2, 0, -0.5, 1000, 0.025000000000000001, true, false, null]");
    reads("[9223372036854775807,-9223372036854775808]", "[9223372036854775807, -9223372036854775808]");
    reads("[9223372036854775808]", "[9.2233720368547758e+18]");
    reads("[\"\\u00e4\\uD834\\uDD1E\\n\\t\\/\\b\\f\\r\\\\\"]", "[\"\\u00E4\\uD834\\uDD1E\\n\\t/\\b\\f\\r\\\\\"]");
    reads("1 \"x\" true\n", "1|\"x\"|true");
    reads("{\"a\":1,\"a\":2}", "!JSON parse error, a member*twice");
    reads("{\"a\":{\"b\":1,\"b\":2}}", "!*twice");
    reads("{\"a\" 1}{}", "!JSON parse error, a comma*|{}");
    reads("{1:2}{}", "!*|{}");
    reads("[1,]{}", "!*|{}");
    reads("[,1]{}", "!*|{}");
    reads("[1 2]{}", "!*|{}");
    reads(":{}", "!*|{}");
    reads("[}]{}\n{}", "!*bracket*|{}");
    reads("]\n{}", "!*bracket*|{}");
    static const char *const words[] = { "tru", "nul", "True", "01", "-", "+1", "1.", ".5", "1e", "0x10", "1e999",
                                         "NaN", "--1", "1-2", "Infinity" };
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        char *t = g_strdup_printf("[%s] {}\n{\"a\": 1}", words[i]);
        reads(t, "!*|{\"a\": 1}");
        g_free(t);
    }
    static const char *const strings[] = { "\\x", "\\u12g4", "\\u0000", "\\uD834", "\\uD834\\n", "\\uDD1E",
                                           "\\uD834\\u0041", "\001", "a\tb" };
    for (unsigned i = 0; i < G_N_ELEMENTS(strings); i++) {
        char *t = g_strdup_printf("[\"%s\"] {}\n{\"a\": 1}", strings[i]);
        reads(t, "!*|{\"a\": 1}");
        g_free(t);
    }
    reads("[\"a\nb\"]\n{}", "!JSON parse error, control*|!*|{}"); /* the line end ends what is skipped */
    reads("// x\n{}", "!JSON parse error, stray*|{}");
    reads("/* x */\n{}", "!*stray*|{}");
    reads("var x = {}\n{}", "!*|{}");
    reads("[\"\xc3\x28\"]{}", "!*UTF-8|{}");
    reads("[\"\xed\xa0\x80\"]{}", "!*UTF-8|{}");
    reads("{\"a\": [1, \xff{}", "!*stray*|{}"); /* a client that starts over */
    reads("\xc3\xa4\n{}", "!*stray*|{}");
}

static void test_hostile(void)
{
    /* 10,000 levels: refused at its limit, and the next line is a message again */
    for (unsigned kind = 0; kind < 3; kind++) {
        GString *s = g_string_new(NULL);
        for (unsigned i = 0; i < 10000; i++)
            g_string_append(s, kind == 0 ? "[" : kind == 1 ? "{\"a\":" : i % 2 ? "[" : "{\"a\":");
        g_string_append(s, "\n{}");
        char *got = read_all(s->str, s->len, 1000);
        g_assert_cmpstr(got, ==, "!JSON nesting depth limit exceeded|{}");
        g_free(got);
        g_string_free(s, TRUE);
    }
    GString *deep = g_string_new(NULL); /* as deep as is allowed */
    for (unsigned i = 0; i < JSON_MAX_DEPTH; i++)
        g_string_append_c(deep, '[');
    for (unsigned i = 0; i < JSON_MAX_DEPTH; i++)
        g_string_append_c(deep, ']');
    char *got = read_all(deep->str, deep->len, 333);
    g_assert_cmpstr(got, ==, deep->str);
    g_free(got);
    g_string_free(deep, TRUE);

    /* a line of 1 GiB: a string, blanks, values, a number */
    static const char *const begins[] = { "{\"execute\": \"", "[", "[", "" };
    static const char *const bodies[] = { "aaaaaaaa", "        ", "{},{},{}", "11111111" };
    uint8_t *mib = g_malloc(MiB);
    for (unsigned k = 0; k < 4; k++) {
        struct json_reader r;
        size_t used;
        unsigned errors = 0;
        json_reader_init(&r);
        for (size_t i = 0; i < MiB; i++)
            mib[i] = (uint8_t) bodies[k][i % 8];
        json_reader_feed(&r, (const uint8_t *) begins[k], strlen(begins[k]), &used);
        unsigned rounds = k ? 64 : 1024;
        for (unsigned i = 0; i < rounds; i++)
            for (size_t at = 0; at < MiB; at += used)
                errors += json_reader_feed(&r, mib + at, MiB - at, &used) == JSON_WRONG;
        g_assert_cmpuint(errors, ==, 1);
        g_assert_cmpuint(r.text->allocated_len, <, 65537);
        g_assert_cmpint(json_reader_feed(&r, (const uint8_t *) "\n{}", 3, &used), ==, JSON_MESSAGE);
        json_reader_clear(&r);
    }
    g_free(mib);
}

static void test_random(void)
{
    static const char alphabet[] = "{}[]:,\"'\\ \n0123456789.eE+-truefalsn/u\xff\xc3\xa4";

    for (unsigned round = 0; round < 3000; round++) {
        char buf[200];
        size_t len = (size_t) g_test_rand_int_range(1, sizeof buf);
        for (size_t i = 0; i < len; i++)
            buf[i] = alphabet[g_test_rand_int_range(0, sizeof alphabet - 1)];
        char *a = read_all(buf, len, 1), *b = read_all(buf, len, len);
        g_assert_cmpstr(a, ==, b);
        g_free(a);
        g_free(b);
    }
}

/* --- a session --------------------------------------------------------------------------------------------- */

static char *dir;
static int64_t host_now;
static int64_t source(void *opaque)
{
    (void) opaque;
    return host_now;
}

struct session {
    struct vm *vm;
    struct qmp *q;
    int fd;
    char *path;
};

static int dial(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    g_assert_cmpint(connect(fd, (struct sockaddr *) &a, sizeof a), ==, 0);
    return fd;
}

static void turn(struct session *s)
{
    while (exec_iterate(&s->vm->main, false)) {}
}

static struct session begin(bool pretty)
{
    struct session s = { .vm = vm_new(source, NULL), .path = g_build_filename(dir, "sock", NULL) };
    struct chardev_config cfg;
    GError *err = NULL;

    g_assert_true(ram_block_alloc(&s.vm->ram.block, "ram", MiB, NULL, &err));
    s.vm->ram.below_4g = MiB;
    chardev_config_init(&cfg);
    cfg.id = g_strdup("c");
    cfg.kind = CHARDEV_SOCKET;
    cfg.path = g_strdup(s.path);
    cfg.server = true;
    cfg.wait = false;
    g_assert_nonnull(chardev_open(s.vm, &cfg, &err));
    chardev_config_clear(&cfg);
    struct opt_monitor opt = { .chardev = (char *) "c", .qmp = true, .pretty = pretty };
    s.q = qmp_module.open(s.vm, &opt, &err);
    g_assert_nonnull(s.q);
    s.fd = dial(s.path);
    turn(&s);
    return s;
}

static void end(struct session *s)
{
    if (s->fd >= 0)
        close(s->fd);
    qmp_module.close(s->q);
    drive_close_all(s->vm);
    chardev_free_all(s->vm);
    input_free(s->vm);
    vm_free(s->vm);
    g_free(s->path);
}

static GString *answer(struct session *s)
{
    GString *got = g_string_new(NULL);
    char buf[65536];
    ssize_t n;

    for (unsigned quiet = 0; quiet < 3;) {
        turn(s);
        n = recv(s->fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n > 0)
            g_string_append_len(got, buf, n);
        quiet = n > 0 ? 0 : quiet + 1;
    }
    return got;
}

static void says(struct session *s, const char *text, const char *want)
{
    g_assert_cmpint(send(s->fd, text, strlen(text), 0), ==, strlen(text));
    GString *got = answer(s);
    if (!g_pattern_match_simple(want, got->str))
        g_error("%s\n is answered by\n%s\n and not\n%s", text, got->str, want);
    g_string_free(got, TRUE);
}

#define EXEC(name) "{\"execute\": \"" name "\"}"
#define EMPTY "{\"return\": {}}\r\n"

static void test_session(void)
{
    struct session s = begin(false);

    says(&s, "", "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, \"package\": "
                 "\"bantam-*\"}, \"capabilities\": []}}\r\n");
    says(&s, EXEC("stop"), "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Expecting capabilities*");
    says(&s, EXEC("nonsense"), "*\"CommandNotFound\"*");
    says(&s, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}",
         "*GenericError*Capability 'oob' not available*");
    says(&s, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"xx\"]}}",
         "*Parameter 'enable[0]' does not accept value 'xx'*");
    says(&s, EXEC("qmp_capabilities"), EMPTY);
    says(&s, EXEC("qmp_capabilities"), "*CommandNotFound*already complete*");
    /* several in a packet; one in several */
    says(&s, EXEC("query-name") EXEC("query-name") "\n" EXEC("query-name"), EMPTY EMPTY EMPTY);
    says(&s, "{\"exec", "");
    says(&s, "ute\": \"query-na", "");
    says(&s, "me\"}", EMPTY);
    /* ids of every kind come back */
    says(&s, "{\"execute\": \"query-name\", \"id\": \"x\"}", "{\"return\": {}, \"id\": \"x\"}\r\n");
    says(&s, "{\"execute\": \"query-name\", \"id\": {\"a\": [1, null, true, -1.5]}}",
         "{\"return\": {}, \"id\": {\"a\": [1, null, true, -1.5]}}\r\n");
    says(&s, "{\"id\": null, \"execute\": \"nonsense\"}", "{\"id\": null, \"error\": {\"class\": \"CommandNotFound\"*");
    says(&s, "{\"id\": 7, \"execute\": 5}", "{\"id\": 7, \"error\": *'execute' must be a string*");
    says(&s, "{\"id\": 7}", "{\"id\": 7, \"error\": *lacks member 'execute'*");
    says(&s, "{\"execute\": \"stop\", \"arguments\": []}", "*'arguments' must be an object*");
    says(&s, "{\"exec-oob\": \"stop\"}", "*'exec-oob' is unexpected*");
    says(&s, "[]", "*QMP input must be a JSON object*");
    says(&s, "1 ", "*QMP input must be a JSON object*");
    says(&s, "nonsense {}\n" EXEC("query-name"), "*JSON parse error*\r\n" EMPTY);
    says(&s, "{\"execute\": \"balloon\"}", "*Parameter 'value' is missing*");
    says(&s, "{\"execute\": \"balloon\", \"arguments\": {\"value\": \"1\"}}",
         "*Invalid parameter type for 'value', expected: integer*");
    says(&s, "{\"execute\": \"balloon\", \"arguments\": {\"value\": 18446744073709551615}}", "*expected: integer*");
    says(&s, "{\"execute\": \"balloon\", \"arguments\": {\"value\": 1, \"x\": 1}}", "*Parameter 'x' is unexpected*");
    says(&s, "{\"execute\": \"balloon\", \"arguments\": {\"value\": 1}}", "*DeviceNotActive*");
    says(&s, "{\"execute\": \"stop\", \"arguments\": {\"x\": 1}}", "*Parameter 'x' is unexpected*");
    says(&s, "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", \"data\": \"a\"}, "
             "{\"type\": \"number\", \"data\": \"a\"}]}}",
             "*Invalid parameter type for 'keys[1].data', expected: integer*");
    says(&s, "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", \"data\": \"a\", "
             "\"b\": 1}]}}",
         "*Parameter 'keys[0].b' is unexpected*");
    says(&s, "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info status\"}}",
         "{\"return\": \"VM status: paused (prelaunch)\\n\"}\r\n");
    end(&s);
}

static void test_pretty(void)
{
    struct session s = begin(true);

    says(&s, EXEC("qmp_capabilities") EXEC("query-kvm"),
         "{\r\n    \"QMP\": {\r\n        \"version\": {\r\n*{\r\n    \"return\": {\r\n        "
         "\"enabled\": false,\r\n        \"present\": true\r\n    }\r\n}\r\n");
    end(&s);
}

/* A new client starts anew, whatever the last one left half done. */
static void test_reconnect(void)
{
    struct session s = begin(false);

    says(&s, EXEC("qmp_capabilities") "{\"execute\": \"que", "{\"QMP\"*" EMPTY);
    close(s.fd);
    turn(&s);
    g_usleep(5000);
    turn(&s);
    s.fd = dial(s.path);
    says(&s, EXEC("query-name"), "{\"QMP\"*\r\n{\"error\"*CommandNotFound*");
    end(&s);
}

/* Commands without end, and nothing is read: it is not listened to any longer, then all is answered. */
static void test_flood(void)
{
    struct session s = begin(false);
    size_t sent = 0, len = strlen(EXEC("query-commands"));

    says(&s, EXEC("qmp_capabilities"), "*" EMPTY);
    for (unsigned i = 0; i < 5000; i++) {
        ssize_t n = send(s.fd, EXEC("query-commands"), len, MSG_DONTWAIT);
        sent += n > 0 ? (size_t) n : 0;
        turn(&s);
    }
    g_assert_cmpuint(sent, <, 5000 * len);
    g_assert_cmpuint(s.q->out->len, <, 65536);
    for (unsigned i = 0; i < 100000; i++) { /* nor do events pile up */
        VM_EMIT(s.vm, EVENT_POWERDOWN);
        vm_event_deliver(s.vm);
    }
    g_assert_cmpuint(s.q->out->len, <, 2 * MiB);
    g_assert_cmpuint(s.q->dropped, >, 0);
    GString *got = answer(&s);
    unsigned answers = 0;
    for (const char *p = got->str; (p = strstr(p, "{\"return\"")); p++)
        answers++;
    g_assert_cmpuint(answers, ==, sent / len);
    g_string_free(got, TRUE);
    end(&s);
}

static void test_garbage(void)
{
    struct session s = begin(false);
    uint8_t buf[512];
    char drop[65536];

    says(&s, EXEC("qmp_capabilities"), "*" EMPTY);
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < sizeof buf; i++)
            buf[i] = (uint8_t) g_test_rand_int();
        g_assert_cmpint(send(s.fd, buf, sizeof buf, 0), ==, sizeof buf);
        turn(&s);
        while (recv(s.fd, drop, sizeof drop, MSG_DONTWAIT) > 0)
            turn(&s);
    }
    says(&s, "\xff\n" EXEC("query-name"), "*" EMPTY);
    end(&s);
}

/* --- commands against the table ------------------------------------------------------------------------------ */

/* Every query is answered as its own schema says. */
static void test_answers(void)
{
    struct session s = begin(false);
    char *image = g_build_filename(dir, "disk", NULL);
    struct drive_config cfg;
    GError *err = NULL;

    g_assert_true(g_file_set_contents(image, "", 0, NULL));
    g_assert_cmpint(truncate(image, MiB), ==, 0);
    drive_config_init(&cfg);
    cfg.file = g_strdup(image);
    cfg.id = g_strdup("d");
    cfg.interface = DRIVE_NONE;
    g_assert_nonnull(drive_open(s.vm, &cfg, &err));
    drive_config_clear(&cfg);
    for (const struct qmp_command *c = qmp_commands; c->name; c++) {
        if (!g_str_has_prefix(c->name, "query-"))
            continue;
        JsonObject *args = json_object_new();
        JsonNode *ret = NULL;
        bool ok = c->fn(s.q, args, &ret, &err);
        if (ok && (!c->ret || !qmp_check_value(c->ret, c->ret_array, ret, c->name, &err)))
            g_error("%s: %s", c->name, err->message);
        if (!ok)
            g_assert_cmpstr(c->name, ==, "query-balloon");
        g_clear_error(&err);
        if (ret)
            json_node_unref(ret);
        json_object_unref(args);
    }
    says(&s, EXEC("qmp_capabilities"), "*" EMPTY);
    says(&s, "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"d\", \"size\": 2097152}}", EMPTY);
    says(&s, "{\"execute\": \"block_resize\", \"arguments\": {\"node-name\": \"d\", \"size\": 1048576}}", EMPTY);
    says(&s, "{\"execute\": \"block_resize\", \"arguments\": {\"size\": 1048576}}", "*exactly one*");
    says(&s, "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"d\", \"size\": -1}}", "*GenericError*");
    says(&s, "{\"execute\": \"eject\", \"arguments\": {\"device\": \"d\"}}", "*not removable*");
    says(&s, "{\"execute\": \"blockdev-open-tray\", \"arguments\": {\"id\": \"x\"}}", "*DeviceNotFound*");
    g_free(image);
    end(&s);
}

/* Numbers of types that are named are told, and told once. */
static void test_schema(void)
{
    JsonNode *n = qmp_schema();
    JsonArray *a = json_node_get_array(n);
    GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);
    GError *err = NULL;

    for (unsigned i = 0; i < json_array_get_length(a); i++)
        g_assert_true(g_hash_table_add(
            names, (gpointer) json_object_get_string_member(json_array_get_object_element(a, i), "name")));
    for (unsigned i = 0; i < json_array_get_length(a); i++) {
        static const char *const refs[] = { "arg-type", "ret-type", "element-type" };
        JsonObject *o = json_array_get_object_element(a, i);
        for (unsigned k = 0; k < G_N_ELEMENTS(refs); k++)
            if (json_object_has_member(o, refs[k]))
                g_assert_true(g_hash_table_contains(names, json_object_get_string_member(o, refs[k])));
        JsonArray *m = json_object_has_member(o, "members") ? json_object_get_array_member(o, "members") : NULL;
        for (unsigned k = 0; m && k < json_array_get_length(m); k++) {
            JsonObject *e = json_array_get_object_element(m, k);
            if (json_object_has_member(e, "type"))
                g_assert_true(g_hash_table_contains(names, json_object_get_string_member(e, "type")));
        }
    }
    g_assert_true(qmp_check_value(qmp_command_find("query-qmp-schema")->ret, true, n, "schema", &err));
    g_hash_table_destroy(names);
    json_node_unref(n);
}

/* --- events ------------------------------------------------------------------------------------------------ */

#define STAMP "{\"timestamp\": {\"seconds\": *, \"microseconds\": *}, \"event\": "

static void test_events(void)
{
    struct session s = begin(false);

    VM_EMIT(s.vm, EVENT_POWERDOWN); /* nobody has negotiated: not told */
    says(&s, EXEC("qmp_capabilities"), "{\"QMP\"*\r\n" EMPTY);
    says(&s, EXEC("cont") EXEC("cont"), STAMP "\"RESUME\"}\r\n" EMPTY EMPTY);
    says(&s, EXEC("stop") EXEC("stop"), STAMP "\"STOP\"}\r\n" EMPTY EMPTY);
    says(&s, EXEC("system_powerdown"), EMPTY STAMP "\"POWERDOWN\"}\r\n");
    says(&s, EXEC("system_reset"),
         EMPTY STAMP "\"RESET\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-system-reset\"}}\r\n");
    vm_request_reset(s.vm, CAUSE_TRIPLE_FAULT);
    says(&s, "", STAMP "\"RESET\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\r\n");
    vm_cont(s.vm);
    vm_request_suspend(s.vm);
    says(&s, "", STAMP "\"RESUME\"}\r\n" STAMP "\"SUSPEND\"}\r\n");
    says(&s, EXEC("query-status"), "*\"status\": \"suspended\", \"singlestep\": false, \"running\": false*");
    says(&s, EXEC("system_wakeup"), EMPTY STAMP "\"WAKEUP\"}\r\n");
    s.vm->on_panic = ACTION_PAUSE;
    vm_guest_panicked(s.vm, false);
    says(&s, "", STAMP "\"GUEST_PANICKED\", \"data\": {\"action\": \"pause\"}}\r\n" STAMP "\"STOP\"}\r\n");
    VM_EMIT(s.vm, EVENT_BLOCK_IO_ERROR, .id = "d", .write = true, .on = true, .error = ENOSPC, .action = "stop");
    says(&s, "", STAMP "\"BLOCK_IO_ERROR\", \"data\": {\"device\": \"d\", \"node-name\": \"d\", \"operation\": "
                 "\"write\", \"action\": \"stop\", \"nospace\": true, \"reason\": \"No space left on device\"}}\r\n");
    says(&s, EXEC("quit") EXEC("stop"), EMPTY STAMP "\"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": "
                                              "\"host-qmp-quit\"}}\r\n");
    g_assert_true(s.vm->done);
    end(&s);
}

/* What is told once a second: the first at once, then the last. */
static void test_rate(void)
{
    struct session s = begin(false);

    says(&s, EXEC("qmp_capabilities"), "*" EMPTY);
    balloon_tell(s.vm, 1000);
    says(&s, "", STAMP "\"BALLOON_CHANGE\", \"data\": {\"actual\": 1000}}\r\n");
    for (unsigned i = 0; i < 5; i++) {
        balloon_tell(s.vm, 2000 + i);
        says(&s, "", "");
    }
    g_usleep(1100000);
    says(&s, "", STAMP "\"BALLOON_CHANGE\", \"data\": {\"actual\": 2004}}\r\n");
    g_usleep(1100000);
    says(&s, "", "");
    balloon_tell(s.vm, 3000); /* it was quiet: at once again */
    says(&s, "", STAMP "\"BALLOON_CHANGE\", \"data\": {\"actual\": 3000}}\r\n");
    end(&s);
}

static void *emitter(void *opaque)
{
    for (unsigned i = 0; i < 5000; i++)
        VM_EMIT(opaque, EVENT_TRAY_MOVED, .id = "cd", .device = "x", .on = i % 2);
    return NULL;
}

/* From several threads at once, while they are told; more than are kept are lost, and no more. */
static void test_threads(void)
{
    struct session s = begin(false);
    GThread *t[4];

    says(&s, EXEC("qmp_capabilities"), "*" EMPTY);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++)
        t[i] = g_thread_new("emitter", emitter, s.vm);
    GString *got = answer(&s);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++)
        g_thread_join(t[i]);
    g_assert_cmpuint(s.vm->events.queue.length, <=, VM_EVENT_MAX);
    g_string_free(got, TRUE);
    g_string_free(answer(&s), TRUE);
    says(&s, EXEC("query-name"), EMPTY);
    end(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("bantam-qmp-XXXXXX", NULL);
    g_test_add_func("/qmp/reader", test_reader);
    g_test_add_func("/qmp/hostile", test_hostile);
    g_test_add_func("/qmp/random", test_random);
    g_test_add_func("/qmp/session", test_session);
    g_test_add_func("/qmp/pretty", test_pretty);
    g_test_add_func("/qmp/reconnect", test_reconnect);
    g_test_add_func("/qmp/flood", test_flood);
    g_test_add_func("/qmp/garbage", test_garbage);
    g_test_add_func("/qmp/answers", test_answers);
    g_test_add_func("/qmp/schema", test_schema);
    g_test_add_func("/qmp/events", test_events);
    g_test_add_func("/qmp/rate", test_rate);
    g_test_add_func("/qmp/threads", test_threads);
    int st = g_test_run();
    char *rm[] = { (char *) "rm", (char *) "-rf", dir, NULL };
    g_spawn_sync(NULL, rm, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(dir);
    return st;
}
