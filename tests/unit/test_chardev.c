/* tests/unit/test_chardev.c - character backends against real pipes, ptys, sockets and terminals. */
#include "vmm/char/backend.h"
#include "vmm/core/vm.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* --- a front end that records ------------------------------------------------------------------------ */

struct front {
    struct chardev *c;
    GByteArray *in;
    size_t room;
    unsigned opened, closed, breaks, mux_in, mux_out, resized, writables;
};

static size_t can_receive(void *opaque)
{
    return ((struct front *) opaque)->room;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct front *f = opaque;

    g_assert_cmpuint(len, <=, f->room);
    if (f->room < 1000000)
        f->room -= len;
    g_byte_array_append(f->in, buf, (guint) len);
}

static void event(void *opaque, enum chardev_event ev)
{
    struct front *f = opaque;

    f->opened += ev == CHARDEV_OPENED;
    f->closed += ev == CHARDEV_CLOSED;
    f->breaks += ev == CHARDEV_BREAK;
    f->mux_in += ev == CHARDEV_MUX_IN;
    f->mux_out += ev == CHARDEV_MUX_OUT;
    f->resized += ev == CHARDEV_RESIZED;
}

static void writable(void *opaque)
{
    ((struct front *) opaque)->writables++;
}

static const struct chardev_fe fe = { can_receive, receive, event, writable };

static void attach(struct front *f, struct chardev *c, const char *user)
{
    GError *err = NULL;

    *f = (struct front){ .c = c, .in = g_byte_array_new(), .room = 1 << 30 };
    vm_lock(c->vm);
    chardev_attach(c, &fe, f, user, &err);
    vm_unlock(c->vm);
    g_assert_no_error(err);
}

static void done(struct front *f)
{
    chardev_detach_from(f->c, f);
    g_byte_array_free(f->in, TRUE);
}

static size_t put(struct front *f, const void *buf, size_t len)
{
    vm_lock(f->c->vm);
    size_t n = chardev_write(f->c, buf, len);
    vm_unlock(f->c->vm);
    return n;
}

static void allow(struct front *f, size_t room)
{
    vm_lock(f->c->vm);
    f->room = room;
    chardev_accept(f->c);
    vm_unlock(f->c->vm);
}

/* Turn the loop until the condition holds, for at most 5 s. */
#define UNTIL(vm, cond)                                                \
    do {                                                               \
        int64_t end_ = g_get_monotonic_time() + 5000000;               \
        while (!(cond) && g_get_monotonic_time() < end_) {             \
            while (exec_iterate(&(vm)->main, false)) {}                \
            if (!(cond))                                               \
                g_usleep(1000);                                        \
        }                                                              \
        g_assert_true(cond);                                           \
    } while (0)

static void spin(struct vm *vm)
{
    for (int i = 0; i < 20; i++) {
        while (exec_iterate(&vm->main, false)) {}
        g_usleep(500);
    }
}

static bool has(const struct front *f, const char *text)
{
    return f->in->len == strlen(text) && !memcmp(f->in->data, text, f->in->len);
}

static char *dir;

static char *in_dir(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static struct chardev *open_cfg(struct vm *vm, struct chardev_config *cfg)
{
    GError *err = NULL;
    struct chardev *c = chardev_open(vm, cfg, &err);

    g_assert_no_error(err);
    g_assert_true(chardev_find(vm, cfg->id) == c);
    return c;
}

static struct chardev_config config(enum chardev_kind kind, char *path)
{
    struct chardev_config cfg;

    chardev_config_init(&cfg);
    cfg.id = (char *) "c0";
    cfg.kind = kind;
    cfg.path = path;
    return cfg;
}

static void finish(struct vm *vm)
{
    chardev_free_all(vm);
    vm_free(vm);
}

static size_t slurp(int fd, char *buf, size_t max)
{
    size_t n = 0;
    ssize_t got;
    struct pollfd p = { fd, POLLIN, 0 };

    while (n < max && poll(&p, 1, 100) > 0 && (got = read(fd, buf + n, max - n)) > 0)
        n += (size_t) got;
    return n;
}

/* --- files and pipes ----------------------------------------------------------------------------------- */

static void test_file(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    char *path = in_dir("out"), *log = in_dir("log"), *in = in_dir("in"), *text;
    struct chardev_config cfg = config(CHARDEV_FILE, path);
    struct front f;

    g_assert_true(g_file_set_contents(in, "input", -1, NULL));
    cfg.input_path = in;
    cfg.logfile = log;
    attach(&f, open_cfg(vm, &cfg), "serial0");
    g_assert_cmpuint(f.opened, ==, 1);
    g_assert_cmpuint(put(&f, "hello\n", 6), ==, 6);
    UNTIL(vm, has(&f, "input"));
    done(&f);
    chardev_free_all(vm);
    cfg.append = cfg.logappend = true;
    cfg.input_path = NULL;
    attach(&f, open_cfg(vm, &cfg), "serial0");
    put(&f, "again\n", 6);
    done(&f);
    finish(vm);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "hello\nagain\n");
    g_free(text);
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "hello\nagain\n");
    g_free(text);
    g_free(path);
    g_free(log);
    g_free(in);
}

static void test_errors(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    GError *err = NULL;
    struct front a, b;

    static const struct {
        enum chardev_kind kind;
        const char *path, *want;
        bool server;
    } cases[] = {
        { CHARDEV_FILE, "/nowhere/x", "chardev 'c0': cannot open '/nowhere/x': No such file or directory" },
        { CHARDEV_PIPE, "/nowhere/x", "chardev 'c0': cannot open '/nowhere/x': No such file or directory" },
        { CHARDEV_TTY, "/dev/null", "chardev 'c0': '/dev/null' is no serial port" },
        { CHARDEV_SOCKET, "/nowhere/x",
          "chardev 'c0': cannot connect to 'unix:/nowhere/x': No such file or directory" },
        { CHARDEV_SOCKET, "/nowhere/x",
          "chardev 'c0': cannot listen on 'unix:/nowhere/x': No such file or directory", true },
        { CHARDEV_SOCKET, "/dev/null", "chardev 'c0': '/dev/null' exists and is no socket", true },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct chardev_config cfg = config(cases[i].kind, (char *) cases[i].path);
        cfg.server = cases[i].server;
        cfg.wait = false;
        g_assert_null(chardev_open(vm, &cfg, &err));
        g_assert_cmpstr(err->message, ==, cases[i].want);
        g_clear_error(&err);
    }
    struct chardev_config cfg = config(CHARDEV_NULL, NULL);
    struct chardev *c = open_cfg(vm, &cfg);
    attach(&a, c, "serial0");
    g_assert_false(chardev_attach(c, &fe, &b, "serial1", &err));
    g_assert_cmpstr(err->message, ==, "chardev 'c0' is already used by 'serial0'");
    g_clear_error(&err);
    g_assert_cmpuint(put(&a, "x", 1), ==, 1);
    done(&a);
    finish(vm);
}

static void test_pipe(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    char *base = in_dir("p"), *in = in_dir("p.in"), *out = in_dir("p.out"), buf[200];
    struct chardev_config cfg = config(CHARDEV_PIPE, base);
    static uint8_t big[1 << 20];
    struct front f;

    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    attach(&f, open_cfg(vm, &cfg), "serial0");
    f.room = 3; /* only as fast as it is taken */
    int w = open(in, O_WRONLY | O_NONBLOCK), r = open(out, O_RDONLY | O_NONBLOCK);
    g_assert_cmpint(write(w, "abcdef", 6), ==, 6);
    UNTIL(vm, has(&f, "abc"));
    spin(vm);
    g_assert_true(has(&f, "abc"));
    allow(&f, 100);
    UNTIL(vm, has(&f, "abcdef"));

    size_t n = put(&f, big, sizeof big); /* nobody reads: no blocking, no buffering */
    g_assert_cmpuint(n, >, 0);
    g_assert_cmpuint(n, <, sizeof big);
    g_assert_cmpuint(put(&f, big, 1), ==, 0);
    spin(vm);
    g_assert_cmpuint(f.writables, ==, 0);
    size_t got = 0;
    while (got < n) {
        ssize_t k = read(r, big, sizeof big);
        g_assert_cmpint(k, >, 0);
        got += (size_t) k;
    }
    g_assert_cmpuint(got, ==, n);
    UNTIL(vm, f.writables == 1);
    g_assert_cmpuint(put(&f, "more", 4), ==, 4);
    g_assert_cmpuint(slurp(r, buf, 4), ==, 4);
    spin(vm);
    g_assert_cmpuint(f.writables, ==, 1);
    close(w);
    close(r);
    done(&f);
    finish(vm);
    g_free(base);
    g_free(in);
    g_free(out);
}

static void test_full_disk(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    struct chardev_config cfg = config(CHARDEV_FILE, (char *) "/dev/full");
    struct front f;

    attach(&f, open_cfg(vm, &cfg), "serial0");
    int null = open("/dev/null", O_WRONLY), was = dup(2);
    dup2(null, 2);
    g_assert_cmpuint(put(&f, "lost", 4), ==, 4); /* the guest goes on */
    g_assert_cmpuint(put(&f, "lost", 4), ==, 4);
    dup2(was, 2);
    close(null);
    close(was);
    done(&f);
    finish(vm);
}

static void test_ringbuf(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    struct chardev_config cfg = config(CHARDEV_RINGBUF, NULL);
    struct front f;
    uint8_t buf[32];
    size_t n;

    cfg.size = 8;
    attach(&f, open_cfg(vm, &cfg), "serial0");
    put(&f, "0123456789", 10);
    g_assert_true(chardev_ringbuf_read(f.c, buf, 3, &n, NULL));
    g_assert_cmpmem(buf, n, "234", 3);
    g_assert_true(chardev_ringbuf_read(f.c, buf, sizeof buf, &n, NULL));
    g_assert_cmpmem(buf, n, "56789", 5);
    g_assert_true(chardev_ringbuf_write(f.c, (const uint8_t *) "in", 2, NULL));
    g_assert_true(has(&f, "in"));
    done(&f);
    finish(vm);
}

/* --- ptys ------------------------------------------------------------------------------------- */

/* A pty's two ends; false (and the test is skipped): there are no ptys here. */
static bool open_pty(int *master, int *slave)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    const char *name = *master >= 0 && grantpt(*master) == 0 && unlockpt(*master) == 0 ? ptsname(*master) : NULL;

    *slave = name ? open(name, O_RDWR | O_NOCTTY) : -1;
    if (*slave >= 0)
        return true;
    if (*master >= 0)
        close(*master);
    g_test_skip("there is no /dev/pts");
    return false;
}

static void test_pty(void)
{
    int m, s;

    if (!open_pty(&m, &s))
        return;
    close(m);
    close(s);
    struct vm *vm = vm_new(NULL, NULL);
    struct chardev_config cfg = config(CHARDEV_PTY, NULL);
    struct front f;
    char buf[100];

    fflush(stdout);
    int was = dup(1), null = open("/dev/null", O_WRONLY);
    dup2(null, 1); /* its message is not TAP */
    struct chardev *c = open_cfg(vm, &cfg);
    dup2(was, 1);
    close(was);
    close(null);
    attach(&f, c, "serial0");
    g_assert_true(g_str_has_prefix(c->filename, "pty:/dev/pts/"));
    g_assert_cmpuint(put(&f, "lost", 4), ==, 4); /* nobody is there */
    for (unsigned round = 1; round <= 2; round++) {
        int fd = open(c->filename + 4, O_RDWR | O_NOCTTY);
        g_assert_cmpint(fd, >=, 0);
        UNTIL(vm, f.opened == round);
        g_assert_cmpuint(put(&f, "ab\n", 3), ==, 3);
        g_assert_cmpuint(slurp(fd, buf, 3), ==, 3);
        g_assert_cmpmem(buf, 3, "ab\n", 3);
        g_assert_cmpint(write(fd, "x\r\3", 3), ==, 3);
        UNTIL(vm, has(&f, "x\r\3"));
        g_byte_array_set_size(f.in, 0);
        close(fd);
        UNTIL(vm, f.closed == round);
    }
    done(&f);
    finish(vm);
}

/* The terminal's size, and that it changed, also through a mux. */
static void test_size(gconstpointer mux)
{
    struct winsize size = { .ws_col = 100, .ws_row = 40 };
    int m, s;

    if (!open_pty(&m, &s))
        return;
    struct vm *vm = vm_new(NULL, NULL);
    struct chardev_config cfg = config(CHARDEV_STDIO, NULL);
    struct front f;

    g_assert_cmpint(ioctl(m, TIOCSWINSZ, &size), ==, 0);
    fflush(stdout);
    int in = dup(0), out = dup(1);
    dup2(s, 0);
    dup2(s, 1);
    cfg.mux = mux != NULL;
    struct chardev *c = open_cfg(vm, &cfg);
    dup2(out, 1);
    attach(&f, c, "console");
    g_assert_cmpuint(c->cols, ==, 100);
    g_assert_cmpuint(c->rows, ==, 40);
    size.ws_col = 132;
    g_assert_cmpint(ioctl(m, TIOCSWINSZ, &size), ==, 0);
    raise(SIGWINCH); /* it is not our controlling terminal */
    UNTIL(vm, f.resized == 1);
    g_assert_cmpuint(c->cols, ==, 132);
    done(&f);
    finish(vm);
    dup2(in, 0);
    close(in);
    close(out);
    close(s);
    close(m);
}

/* --- sockets ---------------------------------------------------------------------------------- */

static int unix_client(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    g_assert_cmpint(connect(fd, (struct sockaddr *) &a, sizeof a), ==, 0);
    return fd;
}

static void test_unix_server(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    char *path = in_dir("sock"), buf[100];
    struct chardev_config cfg = config(CHARDEV_SOCKET, path);
    static uint8_t big[1 << 20];
    struct front f;
    GError *err = NULL;

    cfg.server = true;
    cfg.wait = false;
    struct chardev *c = open_cfg(vm, &cfg);
    attach(&f, c, "monitor");
    g_assert_true(g_str_has_prefix(c->filename, "disconnected:unix:"));
    g_assert_cmpuint(put(&f, "lost", 4), ==, 4);

    struct chardev_config twin = cfg;
    twin.id = (char *) "c1";
    g_assert_null(chardev_open(vm, &twin, &err)); /* the first one is alive */
    g_assert_nonnull(strstr(err->message, "another process listens"));
    g_clear_error(&err);
    UNTIL(vm, f.closed == 1); /* that was the probe, which has gone */
    f.opened = f.closed = 0;

    int a = unix_client(path), b = unix_client(path);
    g_assert_cmpint(write(a, "from a", 6), ==, 6);
    g_assert_cmpint(write(b, "from b", 6), ==, 6);
    UNTIL(vm, has(&f, "from a"));
    g_assert_cmpuint(f.opened, ==, 1);
    g_assert_cmpuint(put(&f, "to a", 4), ==, 4);
    g_assert_cmpuint(slurp(a, buf, 4), ==, 4);
    size_t n = put(&f, big, sizeof big);
    g_assert_cmpuint(n, <, sizeof big);
    g_byte_array_set_size(f.in, 0);
    close(a); /* with all that unread: now the second one has its turn */
    UNTIL(vm, has(&f, "from b"));
    g_assert_cmpuint(f.closed, ==, 1);
    g_assert_cmpuint(f.opened, ==, 2);
    g_assert_cmpuint(put(&f, "to b", 4), ==, 4);
    g_assert_cmpuint(slurp(b, buf, 4), ==, 4);
    close(b);
    g_assert_cmpuint(put(&f, "x", 1), ==, 1); /* EPIPE, if it is not noticed yet: no signal, no error */
    UNTIL(vm, f.closed == 2);
    done(&f);
    finish(vm);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_free(path);
}

static void test_stale_socket(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    char *path = in_dir("stale");
    struct chardev_config cfg = config(CHARDEV_SOCKET, path);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &a, sizeof a), ==, 0);
    close(fd);
    cfg.server = true;
    cfg.wait = false;
    open_cfg(vm, &cfg);
    finish(vm);
    g_free(path);
}

static void test_reconnect(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    char *path = in_dir("late");
    struct chardev_config cfg = config(CHARDEV_SOCKET, path);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct front f;

    cfg.reconnect = 1;
    attach(&f, open_cfg(vm, &cfg), "serial0");
    spin(vm);
    g_assert_cmpuint(f.opened, ==, 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &a, sizeof a), ==, 0);
    listen(fd, 1);
    for (unsigned i = 1; i <= 2; i++) {
        UNTIL(vm, f.opened == i);
        int peer = accept(fd, NULL, NULL);
        close(peer);
        UNTIL(vm, f.closed == i);
    }
    close(fd);
    done(&f);
    finish(vm);
    g_free(path);
}

static int tcp_client(const struct chardev *c)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_port = htons((uint16_t) atoi(strstr(c->filename, "127.0.0.1:") + 10));
    g_assert_cmpint(connect(fd, (struct sockaddr *) &a, sizeof a), ==, 0);
    return fd;
}

static void test_telnet(void)
{
    static const uint8_t in[] = { 'a', 255, 253, 3,   'b', 255, 255, 255, 250,
                                  24,  1,   2,   255, 240, 'c', 255, 243, 'd' };
    struct vm *vm = vm_new(NULL, NULL);
    struct chardev_config cfg = config(CHARDEV_SOCKET, NULL);
    struct front f;
    uint8_t buf[100];

    cfg.host = (char *) "127.0.0.1";
    cfg.port = (char *) "0";
    cfg.server = cfg.telnet = true;
    cfg.wait = false;
    struct chardev *c = open_cfg(vm, &cfg);
    attach(&f, c, "serial0");
    int fd = tcp_client(c);
    UNTIL(vm, f.opened == 1);
    g_assert_cmpuint(slurp(fd, (char *) buf, 12), ==, 12);
    for (unsigned i = 0; i < sizeof in; i++) /* a byte at a time: states carry over */
        g_assert_cmpint(write(fd, &in[i], 1), ==, 1);
    UNTIL(vm, has(&f, "ab\377cd"));
    g_assert_cmpuint(f.breaks, ==, 1);
    g_assert_cmpuint(put(&f, "x\377y", 3), ==, 3);
    g_assert_cmpuint(slurp(fd, (char *) buf, 4), ==, 4);
    g_assert_cmpmem(buf, 4, "x\377\377y", 4);
    close(fd);
    UNTIL(vm, f.closed == 1);
    done(&f);
    finish(vm);
}

static void test_tcp_client(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    struct chardev_config server = config(CHARDEV_SOCKET, NULL), client = server, third = server;
    struct front a, b;

    server.host = client.host = third.host = (char *) "127.0.0.1";
    server.port = (char *) "0";
    server.server = true;
    server.wait = false;
    attach(&a, open_cfg(vm, &server), "serial0");
    char *port = g_strdup(strstr(a.c->filename, "127.0.0.1:") + 10);
    *strchr(port, ',') = 0;
    client.id = (char *) "c1";
    client.port = port;
    client.nodelay = true;
    attach(&b, open_cfg(vm, &client), "serial1");
    UNTIL(vm, a.opened == 1);
    put(&a, "to b", 4);
    put(&b, "to a", 4);
    UNTIL(vm, has(&a, "to a") && has(&b, "to b"));
    /* the port is taken: the next one, where `to` allows it */
    GError *err = NULL;
    third.id = (char *) "c2";
    third.port = port;
    third.server = true;
    third.wait = false;
    g_assert_null(chardev_open(vm, &third, &err));
    g_assert_nonnull(strstr(err->message, "Address already in use"));
    g_clear_error(&err);
    third.to = (uint32_t) MIN(atoi(port) + 50, 65535);
    if (third.to > (uint32_t) atoi(port))
        open_cfg(vm, &third);
    done(&a);
    done(&b);
    finish(vm);
    g_free(port);
}

/* --- mux ------------------------------------------------------------------------------------------------ */

static void test_mux(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    char *base = in_dir("m"), *in = in_dir("m.in"), *out = in_dir("m.out"), buf[1000];
    struct chardev_config cfg = config(CHARDEV_PIPE, base);
    struct front mon, ser;
    size_t n;

    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    cfg.mux = true;
    struct chardev *c = open_cfg(vm, &cfg);
    attach(&mon, c, "monitor0");
    attach(&ser, c, "serial0"); /* the guest's console gets the input, though it came later */
    g_assert_cmpuint(ser.mux_in, ==, 1);
    g_assert_cmpuint(mon.mux_out, ==, 1);
    int w = open(in, O_WRONLY | O_NONBLOCK), r = open(out, O_RDONLY | O_NONBLOCK);
#define TYPE(s) g_assert_cmpint(write(w, s, strlen(s)), ==, (ssize_t) strlen(s))
    TYPE("ab\1\1");
    UNTIL(vm, has(&ser, "ab\1"));
    TYPE("\1cinfo\1b");
    UNTIL(vm, has(&mon, "info") && mon.breaks == 1);
    g_assert_cmpuint(mon.mux_in, ==, 2);
    g_assert_cmpuint(ser.mux_out, ==, 1);
    g_assert_cmpuint(ser.breaks, ==, 0);
    put(&ser, "one\n", 4);
    put(&mon, "two\n", 4);
    g_assert_cmpuint(slurp(r, buf, 8), ==, 8);
    g_assert_cmpmem(buf, 8, "one\ntwo\n", 8);

    /* a front end that takes nothing: what was typed for it waits, and the escape still works */
    ser.room = 0;
    TYPE("\1cxyz\1c!");
    UNTIL(vm, has(&mon, "info!"));
    g_assert_true(has(&ser, "ab\1"));
    allow(&ser, 2);
    UNTIL(vm, has(&ser, "ab\1xy"));
    allow(&ser, 1 << 30);
    UNTIL(vm, has(&ser, "ab\1xyz"));

    TYPE("\1h");
    spin(vm);
    n = slurp(r, buf, sizeof buf - 1);
    buf[n] = 0;
    g_assert_nonnull(strstr(buf, "Ctrl-a x"));
    TYPE("\1t");
    spin(vm);
    put(&ser, "a\nb\n", 4);
    n = slurp(r, buf, sizeof buf - 1);
    buf[n] = 0;
    g_assert_true(g_regex_match_simple("^a\n\\[00:00:\\d\\d\\.\\d\\d\\d\\] b\n$", buf, 0, 0));
    g_assert_false(vm->done);
    TYPE("\1x");
    UNTIL(vm, vm->done);
    g_assert_cmpint(vm->exit_code, ==, 0);
    done(&ser);
    done(&mon);
    close(w);
    close(r);
    finish(vm);
    g_free(base);
    g_free(in);
    g_free(out);
}

/* --- the terminal ----------------------------------------------------------------------------- */

/* In a child whose stdin and stdout are a new terminal: echo what comes, until 'q'. */
static void child_echo(void)
{
    struct vm *vm = vm_new(NULL, NULL);
    struct chardev_config cfg = config(CHARDEV_STDIO, NULL);
    struct front f;

    attach(&f, open_cfg(vm, &cfg), "serial0");
    put(&f, "ready", 5);
    while (!memchr(f.in->data ? f.in->data : (guint8 *) "", 'q', f.in->len))
        exec_iterate(&vm->main, true);
    put(&f, f.in->data, f.in->len);
    done(&f);
    finish(vm);
    fflush(NULL);
    _exit(7);
}

static void test_terminal(void)
{
    char buf[100];
    int status, master = posix_openpt(O_RDWR | O_NOCTTY), slave;
    struct termios before, during, after;

    grantpt(master);
    unlockpt(master);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    tcgetattr(slave, &before);
    g_assert_true(before.c_lflag & ICANON);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        setsid();
        int fd = open(ptsname(master), O_RDWR); /* becomes the controlling terminal */
        dup2(fd, 0);
        dup2(fd, 1);
        child_echo();
    }
    g_assert_cmpuint(slurp(master, buf, 5), ==, 5);
    tcgetattr(slave, &during);
    g_assert_false(during.c_lflag & (ICANON | ECHO));
    g_assert_true(during.c_lflag & ISIG); /* signal=on */
    g_assert_cmpint(write(master, "\32", 1), ==, 1); /* Ctrl-z: suspended, with the terminal as it was */
    g_assert_cmpint(waitpid(pid, &status, WUNTRACED), ==, pid);
    g_assert_true(WIFSTOPPED(status));
    tcgetattr(slave, &after);
    g_assert_cmphex(after.c_lflag, ==, before.c_lflag);
    kill(pid, SIGCONT);
    for (int i = 0; i < 200 && (tcgetattr(slave, &after), after.c_lflag & ICANON); i++)
        g_usleep(10000);
    g_assert_cmphex(after.c_lflag, ==, during.c_lflag);
    g_assert_cmpint(write(master, "hi q", 4), ==, 4);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    g_assert_cmpuint(slurp(master, buf, 4), ==, 4);
    g_assert_cmpmem(buf, 4, "hi q", 4);
    tcgetattr(slave, &after);
    g_assert_cmphex(after.c_lflag, ==, before.c_lflag);
    g_assert_cmphex(after.c_iflag, ==, before.c_iflag);
    close(slave);
    close(master);
}

/* stdout is a full pipe, then a closed one: neither blocks nor kills. */
static void test_stdout_pipe(void)
{
    int p[2], status;

    g_assert_cmpint(pipe(p), ==, 0);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        static uint8_t big[1 << 20];
        struct vm *vm = vm_new(NULL, NULL);
        struct chardev_config cfg = config(CHARDEV_STDIO, NULL);
        struct front f;
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(p[1], 1);
        attach(&f, open_cfg(vm, &cfg), "serial0");
        size_t n = put(&f, big, sizeof big);
        bool shared = fcntl(1, F_GETFL) & O_NONBLOCK; /* of others too: must not be set */
        close(p[0]);
        dup2(null, 2);
        size_t m = 0;
        for (int i = 0; i < 500 && m != sizeof big; i++) {
            g_usleep(10000);
            m = put(&f, big, sizeof big);
        }
        _exit(n > 0 && n < sizeof big && !shared && m == sizeof big ? 0 : 1);
    }
    close(p[1]);
    /* the parent's read end stays open until the child has found the pipe full */
    g_usleep(300000);
    close(p[0]);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("bantam-chardev-XXXXXX", NULL);
    g_test_add_func("/chardev/file", test_file);
    g_test_add_func("/chardev/errors", test_errors);
    g_test_add_func("/chardev/pipe", test_pipe);
    g_test_add_func("/chardev/full-disk", test_full_disk);
    g_test_add_func("/chardev/ringbuf", test_ringbuf);
    g_test_add_func("/chardev/pty", test_pty);
    g_test_add_data_func("/chardev/terminal-size", NULL, test_size);
    g_test_add_data_func("/chardev/terminal-size-mux", "mux", test_size);
    g_test_add_func("/chardev/unix-server", test_unix_server);
    g_test_add_func("/chardev/stale-socket", test_stale_socket);
    g_test_add_func("/chardev/reconnect", test_reconnect);
    g_test_add_func("/chardev/telnet", test_telnet);
    g_test_add_func("/chardev/tcp", test_tcp_client);
    g_test_add_func("/chardev/mux", test_mux);
    g_test_add_func("/chardev/terminal", test_terminal);
    g_test_add_func("/chardev/stdout-pipe", test_stdout_pipe);
    int st = g_test_run();
    char *rm[] = { (char *) "rm", (char *) "-rf", dir, NULL };
    g_spawn_sync(NULL, rm, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(dir);
    return st;
}
