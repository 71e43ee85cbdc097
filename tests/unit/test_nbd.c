/* tests/unit/test_nbd.c - drives on NBD servers: addresses, data by nbdkit and qemu-nbd, what a server may not offer,
 * its errors, and its going away. */
#include "tests/unit/blkhammer.h"
#include "vmm/block/nbd.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

struct fix {
    struct vm *vm;
    char *dir, *sock;
    GPid server;
};

static void setup(struct fix *f, gconstpointer data)
{
    (void) data;
    f->vm = vm_new(NULL, NULL);
    f->dir = scratch_new();
    f->sock = g_build_filename(f->dir, "s", NULL);
    f->server = 0;
}

static void stop_server(struct fix *f)
{
    if (!f->server)
        return;
    kill(f->server, SIGKILL);
    waitpid(f->server, NULL, 0);
    f->server = 0;
    unlink(f->sock);
}

static void teardown(struct fix *f, gconstpointer data)
{
    (void) data;
    vm_lock(f->vm);
    drive_close_all(f->vm);
    vm_unlock(f->vm);
    vm_free(f->vm);
    stop_server(f);
    g_free(f->sock);
    scratch_free(f->dir);
}

static bool listening(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    bool ok = !connect(fd, (struct sockaddr *) &a, sizeof a);
    close(fd);
    return ok;
}

/* SOCK and DIR in the command are replaced.  False: skipped, for it is not installed. */
static bool serve(struct fix *f, const char *command)
{
    GString *s = g_string_new(command);
    GError *err = NULL;
    char **argv;

    g_string_replace(s, "SOCK", f->sock, 0);
    g_string_replace(s, "DIR", f->dir, 0);
    g_assert_true(g_shell_parse_argv(s->str, NULL, &argv, NULL));
    bool ok = g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &f->server,
                            &err);
    if (!ok) {
        g_test_skip(err->message);
        g_error_free(err);
    }
    for (int i = 0; ok && !listening(f->sock); i++) {
        g_assert_cmpint(i, <, 500);
        g_assert_cmpint(waitpid(f->server, NULL, WNOHANG), ==, 0);
        g_usleep(20000);
    }
    g_strfreev(argv);
    g_string_free(s, TRUE);
    return ok;
}

#define NBDKIT "nbdkit -f --exit-with-parent -U SOCK "

/* --- addresses --------------------------------------------------------------------------------- */

static void check_address(const char *text, const char *host, const char *port, const char *path, const char *name)
{
    struct nbd_address a;
    GError *err = NULL;

    g_assert_true(nbd_is_address(text));
    g_assert_true(nbd_parse(text, &a, &err));
    g_assert_no_error(err);
    g_assert_cmpstr(a.host, ==, host);
    g_assert_cmpstr(a.port, ==, port);
    g_assert_cmpstr(a.path, ==, path);
    g_assert_cmpstr(a.name, ==, name);
    nbd_address_clear(&a);
}

static void test_addresses(void)
{
    static const char *const bad[] = {
        "nbd:", "nbd:host", "nbd:host:", "nbd::10809", "nbd:unix:", "nbd:unix::exportname=x", "nbd://", "nbd:///x",
        "nbd://host:/x", "nbd://[::1/x", "nbd://host/x?socket=/s", "nbd+unix:///x", "nbd+unix:///x?path=/s",
        "nbd+unix://host/x?socket=/s", "nbd+unix:///?socket=", "nbd://host/%zz", "nbd://host/x#y", "nbds://host/x",
        "nbd:[::1]", NULL
    };

    check_address("nbd:localhost:10809", "localhost", "10809", NULL, "");
    check_address("nbd:1.2.3.4:99:exportname=a:b", "1.2.3.4", "99", NULL, "a:b");
    check_address("nbd:[::1]:99", "::1", "99", NULL, "");
    check_address("nbd:unix:/run/s", NULL, NULL, "/run/s", "");
    check_address("nbd:unix:s:exportname=x", NULL, NULL, "s", "x");
    check_address("nbd://host", "host", "10809", NULL, "");
    check_address("nbd://host:5/", "host", "5", NULL, "");
    check_address("nbd+tcp://[fe80::1]:5/a%2fb/c", "fe80::1", "5", NULL, "a/b/c");
    check_address("nbd+unix:///?socket=/run/a%20b", NULL, NULL, "/run/a b", "");
    check_address("nbd+unix:///disk?socket=/run/s", NULL, NULL, "/run/s", "disk");
    for (int i = 0; bad[i]; i++) {
        struct nbd_address a;
        GError *err = NULL;
        g_assert_false(nbd_parse(bad[i], &a, &err));
        g_assert_nonnull(err);
        g_error_free(err);
    }
    g_assert_false(nbd_is_address("nbd.img"));
    g_assert_false(nbd_is_address("/x/nbd://y"));
}

static void test_mistakes(struct fix *f, gconstpointer unused)
{
    (void) unused;
    expect_refused(refused(f->vm, "id=d,file=nbd:unix:%s", f->sock), "drive 'd': cannot open 'nbd:unix:");
    expect_refused(refused(f->vm, "id=d,file=nbd:unix:%s", f->sock), "No such file or directory");
    expect_refused(refused(f->vm, "id=d,file=nbd://127.0.0.1:1/"), "Connection refused");
    expect_refused(refused(f->vm, "id=d,file=nbd:x"), "is no NBD address: nbd://HOST");
    expect_refused(refused(f->vm, "id=d,file=nbds://x/y"), "NBD with TLS is not supported");
    expect_refused(refused(f->vm, "id=d,host=x"), "driver=nbd is missing");
    expect_refused(refused(f->vm, "id=d,driver=nbd"), "wants either server.path=SOCKET or server.host=HOST");
    expect_refused(refused(f->vm, "id=d,driver=nbd,server.type=unix,server.host=x"), "wants either server.path");
    expect_refused(refused(f->vm, "id=d,driver=nbd,server.type=vsock"), "'vsock' is not one of: inet, unix");
    expect_refused(refused(f->vm, "id=d,driver=nbd,path=/x,file=/y"), "can't both be given");
    expect_refused(refused(f->vm, "id=d,file.driver=ssh,file=/y"), "'ssh' is not one of: file, host_device, nbd");
    if (!serve(f, NBDKIT "-e disk -r memory 1M"))
        return;
    expect_refused(refused(f->vm, "id=d,file=nbd:unix:%s", f->sock), "exports it read-only; use read-only=on");
    char *head = g_malloc0(1024);
    struct blk *blk = add_drive(f->vm, "id=d,file=nbd:unix:%s,read-only=on,format=raw", f->sock);
    g_assert_cmpuint(blk->size, ==, 1 << 20);
    g_assert_cmpint(do_io(blk, BLK_READ, 512, head, 1024), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_WRITE, 512, head, 1024), ==, EROFS);
    close_drive(blk);
    stop_server(f);
    g_assert_true(serve(f, NBDKIT "memory 1000"));
    blk = add_drive(f->vm, "id=d,file=nbd:unix:%s,format=raw", f->sock);
    g_assert_cmpuint(blk->size, ==, 512); /* whole sectors */
    close_drive(blk);
    stop_server(f);
    g_assert_true(serve(f, NBDKIT "memory 0"));
    expect_refused(refused(f->vm, "id=d,file=nbd:unix:%s", f->sock), "the export has no size");
    g_free(head);
}

/* --- data -------------------------------------------------------------------------------------- */

static void check_zeroes(struct blk *blk, uint8_t *model)
{
    struct io io = { .req = { .op = BLK_WRITE_ZEROES, .flags = BLK_MAY_UNMAP, .off = 2 << 20, .len = 1 << 20,
                              .done = io_done, .opaque = &io } };
    uint8_t *buf = g_malloc(DISK);

    g_assert_cmpint(do_io(blk, BLK_WRITE_ZEROES, 1536, NULL, (1 << 20) - 512), ==, 0);
    memset(model + 1536, 0, (1 << 20) - 512);
    vm_lock(blk->vm);
    blk_submit(blk, &io.req);
    vm_unlock(blk->vm);
    g_assert_cmpint(io_wait(blk, &io), ==, 0);
    memset(model + (2 << 20), 0, 1 << 20);
    g_assert_cmpint(do_io(blk, BLK_DISCARD, 65536, NULL, 65536), ==, 0); /* reads as it likes */
    g_assert_cmpint(do_io(blk, BLK_WRITE, 65536, model + 65536, 65536), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, 0);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, buf, DISK), ==, 0); /* more than some take at once */
    g_assert_cmpmem(buf, DISK, model, DISK);
    g_free(buf);
}

static void test_data(struct fix *f, gconstpointer server)
{
    uint8_t *model = g_malloc0(DISK);
    char *img = make_image(f->dir, "disk.img", DISK);

    if (serve(f, server)) {
        struct blk *blk = add_drive(f->vm, "id=d,driver=nbd,server.type=unix,server.path=%s,export=x,discard=unmap",
                                    f->sock);
        struct drive_info info;
        g_assert_cmpuint(blk->size, ==, DISK);
        g_assert_true(drive_query(blk, &info));
        g_assert_cmpstr(info.format, ==, "raw");
        hammer(blk, model, DISK, 1500, false);
        check_zeroes(blk, model);
        blk->write_cache = false; /* each write is durable now: FUA, or a flush behind it */
        hammer(blk, model, DISK, 200, true);
        vm_lock(f->vm);
        blk_drain(blk);
        vm_unlock(f->vm);
        close_drive(blk);
        blk = add_drive(f->vm, "id=d,format=raw,file=nbd+unix:///x?socket=%s,snapshot=on", f->sock);
        hammer(blk, model, DISK, 200, false);
        close_drive(blk);
    }
    g_free(model);
    g_free(img);
}

static void *iothread(void *opaque)
{
    struct blk *blk = opaque;
    uint8_t *model = g_malloc0(DISK);

    hammer(blk, model, DISK, 800, false);
    g_free(model);
    return NULL;
}

static void test_iothread(struct fix *f, gconstpointer unused)
{
    (void) unused;
    struct exec e;

    if (!serve(f, NBDKIT "memory 4M"))
        return;
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=nbd:unix:%s", f->sock);
    exec_init(&e, f->vm, "iothread0", false);
    blk_set_exec(blk, &e);
    g_thread_join(g_thread_new("iothread", iothread, blk));
    blk_set_exec(blk, &f->vm->main);
    exec_clear(&e);
    close_drive(blk);
}

/* A format on top of it: the export is a qcow2 file, with room behind it to grow into. */
static void test_qcow2(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *img = g_build_filename(f->dir, "disk.img", NULL);
    char *make = g_strdup_printf("qemu-img create -q -f qcow2 %s 4M", img),
         *check = g_strdup_printf("qemu-img check -q -f qcow2 %s", img);
    uint8_t *model = g_malloc0(DISK);
    int st = -1;

    if (!g_spawn_command_line_sync(make, NULL, NULL, &st, NULL) || st) {
        g_test_skip("qemu-img is not installed");
    } else {
        g_assert_cmpint(truncate(img, 16 << 20), ==, 0);
        if (serve(f, NBDKIT "file DIR/disk.img")) {
            for (int i = 0; i < 2; i++) {
                struct blk *blk = add_drive(f->vm, "id=d,driver=qcow2,file.driver=nbd,file.path=%s,discard=unmap",
                                            f->sock);
                struct drive_info info;
                g_assert_true(drive_query(blk, &info));
                g_assert_cmpstr(info.format, ==, "qcow2");
                g_assert_cmpuint(blk->size, ==, DISK);
                hammer(blk, model, DISK, 600, false);
                close_drive(blk);
            }
            stop_server(f);
            g_assert_true(g_spawn_command_line_sync(check, NULL, NULL, &st, NULL));
            g_assert_cmpint(st, ==, 0);
        }
    }
    g_free(model);
    g_free(make);
    g_free(check);
    g_free(img);
}

/* --- errors ------------------------------------------------------------------------------------ */

/* The server runs out of space: the machine stops, and goes on when it is told to. */
static void test_error(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *gate = g_build_filename(f->dir, "full", NULL);
    uint8_t buf[4096] = { 9 };
    struct io io;

    g_assert_true(g_file_set_contents(gate, "", 0, NULL));
    if (serve(f, NBDKIT "--filter=error memory 4M error-pwrite=ENOSPC error-pwrite-rate=100% error-file=DIR/full")) {
        struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=nbd:unix:%s", f->sock);
        g_assert_true(vm_cont(f->vm));
        io_submit_op(blk, &io, BLK_WRITE, 0, buf, 4096);
        while (vm_running(f->vm))
            exec_iterate(&f->vm->main, true);
        g_assert_cmpint(f->vm->state, ==, RUN_IO_ERROR);
        g_assert_false(io.done);
        unlink(gate);
        g_assert_true(vm_cont(f->vm));
        g_assert_cmpint(io_wait(blk, &io), ==, 0);
    }
    g_free(gate);
}

#define FILE_SERVER NBDKIT "file DIR/disk.img"

/* Without reconnect-delay: errors until the server is back, by itself. */
static void test_lost(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *img = make_image(f->dir, "disk.img", DISK);
    uint8_t buf[4096], back[4096];

    memset(buf, 5, sizeof buf);
    if (serve(f, FILE_SERVER)) {
        struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=nbd:unix:%s", f->sock);
        g_assert_cmpint(do_io(blk, BLK_WRITE, 0, buf, 4096), ==, 0);
        stop_server(f);
        g_assert_cmpint(do_io(blk, BLK_READ, 0, back, 4096), ==, ENOTCONN);
        g_assert_cmpint(do_io(blk, BLK_FLUSH, 0, NULL, 0), ==, ENOTCONN);
        g_assert_true(serve(f, FILE_SERVER));
        gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
        while (do_io(blk, BLK_READ, 0, back, 4096)) {
            g_assert_cmpint(g_get_monotonic_time(), <, until);
            exec_iterate(&f->vm->main, true);
        }
        g_assert_cmpmem(back, 4096, buf, 4096);
    }
    g_free(img);
}

struct killer {
    struct fix *f;
    bool quit, done;
};

static void *killer(void *opaque)
{
    struct killer *k = opaque;

    for (int i = 0; i < 2; i++) {
        g_usleep(300000);
        stop_server(k->f);
        g_usleep(200000);
        serve(k->f, FILE_SERVER);
        g_usleep(1500000);
    }
    __atomic_store_n(&k->quit, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&k->done, __ATOMIC_ACQUIRE)) /* the server ends with the thread that started it */
        g_usleep(20000);
    return NULL;
}

/* With it: nobody notices. */
static void test_reconnect(struct fix *f, gconstpointer unused)
{
    (void) unused;
    char *img = make_image(f->dir, "disk.img", DISK);
    uint8_t *model = g_malloc0(DISK);
    struct killer k = { .f = f };

    if (serve(f, FILE_SERVER)) {
        struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=nbd:unix:%s,reconnect-delay=60", f->sock);
        GThread *t = g_thread_new("killer", killer, &k);
        while (!__atomic_load_n(&k.quit, __ATOMIC_ACQUIRE))
            hammer(blk, model, DISK, 200, false);
        close_drive(blk);
        stop_server(f);
        __atomic_store_n(&k.done, true, __ATOMIC_RELEASE);
        g_thread_join(t);
        char *data;
        gsize len;
        g_assert_true(g_file_get_contents(img, &data, &len, NULL));
        g_assert_cmpmem(data, len, model, DISK);
        g_free(data);
    }
    g_free(model);
    g_free(img);
}

/* It does not come back: what waited fails in the end, also for somebody who drains. */
static void test_delay_over(struct fix *f, gconstpointer unused)
{
    (void) unused;
    uint8_t buf[4096];
    struct io io;

    if (!serve(f, NBDKIT "memory 4M"))
        return;
    struct blk *blk = add_drive(f->vm, "id=d,format=raw,file=nbd:unix:%s,reconnect-delay=2", f->sock);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, buf, 4096), ==, 0);
    stop_server(f);
    gint64 start = g_get_monotonic_time();
    io_submit_op(blk, &io, BLK_READ, 0, buf, 4096);
    vm_lock(f->vm);
    blk_drain(blk);
    vm_unlock(f->vm);
    g_assert_true(io.done && io.err == ENOTCONN);
    g_assert_cmpint(g_get_monotonic_time() - start, >, G_USEC_PER_SEC);
    g_assert_cmpint(do_io(blk, BLK_READ, 0, buf, 4096), ==, ENOTCONN);
}

int main(int argc, char **argv)
{
    static const struct { const char *name, *server;
    } servers[] = {
        { "nbdkit-memory", NBDKIT "memory 4M" },
        { "nbdkit-file", NBDKIT "file DIR/disk.img" },
        { "bare", NBDKIT "--filter=nozero --filter=fua memory 4M" },
        { "emulated", NBDKIT "--filter=fua memory 4M fuamode=emulate" },
        { "small-requests", NBDKIT "--filter=blocksize-policy memory 4M blocksize-minimum=512 blocksize-preferred=4K "
                                   "blocksize-maximum=64K blocksize-error-policy=error" },
        { "old-replies", NBDKIT "--no-sr memory 4M" },
        { "qemu-nbd", "qemu-nbd -t -f raw -x x --discard=unmap -k SOCK DIR/disk.img" },
    };

    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nbd/addresses", test_addresses);
    g_test_add("/nbd/mistakes", struct fix, NULL, setup, test_mistakes, teardown);
    for (unsigned i = 0; i < G_N_ELEMENTS(servers); i++) {
        char *name = g_strdup_printf("/nbd/data/%s", servers[i].name);
        g_test_add(name, struct fix, servers[i].server, setup, test_data, teardown);
        g_free(name);
    }
    g_test_add("/nbd/qcow2", struct fix, NULL, setup, test_qcow2, teardown);
    g_test_add("/nbd/iothread", struct fix, NULL, setup, test_iothread, teardown);
    g_test_add("/nbd/error", struct fix, NULL, setup, test_error, teardown);
    g_test_add("/nbd/lost", struct fix, NULL, setup, test_lost, teardown);
    g_test_add("/nbd/reconnect", struct fix, NULL, setup, test_reconnect, teardown);
    g_test_add("/nbd/delay-over", struct fix, NULL, setup, test_delay_over, teardown);
    return g_test_run();
}
