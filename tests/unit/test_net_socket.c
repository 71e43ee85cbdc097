/* tests/unit/test_net_socket.c - stream, dgram, socket, hubport: pairs, pieces, hostile lengths, peers that go. */
#include "tests/unit/nettest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char *tmp_path(const char *name)
{
    char *dir = g_dir_make_tmp("bantam-net-XXXXXX", NULL), *path = g_build_filename(dir, name, NULL);

    g_free(dir);
    return path;
}

static void remove_path(char *path)
{
    char *dir = g_path_get_dirname(path);

    unlink(path);
    g_assert_cmpint(rmdir(dir), ==, 0);
    g_free(dir);
    g_free(path);
}

static struct netdev *open_stream(struct vm *vm, const char *id, const char *path, bool server, unsigned reconnect)
{
    struct netdev_config c;

    config(&c, NETDEV_STREAM, id);
    c.server = server;
    c.reconnect_ms = reconnect;
    c.addr = (struct netaddr){ .kind = NETADDR_UNIX, .path = g_strdup(path), .tight = true };
    return open_netdev(vm, &c);
}

static void unix_addr(struct sockaddr_un *un, const char *path)
{
    *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
    g_strlcpy(un->sun_path, path, sizeof un->sun_path);
}

/* The other end, by hand. */
static int raw_connect(const char *path)
{
    struct sockaddr_un un;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    unix_addr(&un, path);
    g_assert_cmpint(connect(fd, (struct sockaddr *) &un, sizeof un), ==, 0);
    return fd;
}

static int raw_listen(const char *path)
{
    struct sockaddr_un un;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    unlink(path);
    unix_addr(&un, path);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &un, sizeof un), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

static void raw_write(int fd, const void *p, size_t len)
{
    g_assert_cmpint(write(fd, p, len), ==, (ssize_t) len);
}

static void test_stream_pair(void)
{
    static const size_t sizes[] = { 14, 60, 61, 1514, 4095, 4096, 4097, 9014, 65535, NET_MAX_FRAME };
    static uint8_t frame[NET_MAX_FRAME + 1];
    struct vm *vm = test_vm();
    char *path = tmp_path("s");
    struct netdev *a = open_stream(vm, "a", path, true, 0), *b = open_stream(vm, "b", path, false, 0);
    struct test_nic *na = nic_new(vm, a, 0, NULL), *nb = nic_new(vm, b, 0, NULL);

    turns(vm, 20);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        make_frame(frame, sizes[i], i);
        g_assert_cmpint(nic_send(na, frame, sizes[i], false), ==, NET_TAKEN);
        until(vm, nb->got->len == i + 1);
        check_frame(nic_got(nb, i), sizes[i], i);
        g_assert_cmpint(nic_send(nb, frame, sizes[i], false), ==, NET_TAKEN);
        until(vm, na->got->len == i + 1);
        check_frame(nic_got(na, i), sizes[i], i);
    }
    g_assert_cmpint(nic_send(na, frame, 13, false), ==, NET_DROPPED);
    g_assert_cmpint(nic_send(na, frame, NET_MAX_FRAME + 1, false), ==, NET_DROPPED);
    g_assert_cmpuint(na->net->sent.dropped, ==, 2);
    g_assert_cmpuint(na->net->sent.frames, ==, G_N_ELEMENTS(sizes));
    /* Several in one write: nothing is held back once the last one has come */
    for (unsigned i = 0; i < 40; i++) {
        make_frame(frame, 100 + i, i);
        g_assert_cmpint(nic_send(na, frame, 100 + i, i < 39), ==, NET_TAKEN);
    }
    until(vm, nb->got->len == G_N_ELEMENTS(sizes) + 40);
    for (unsigned i = 0; i < 40; i++)
        check_frame(nic_got(nb, G_N_ELEMENTS(sizes) + i), 100 + i, i);
    make_frame(frame, 99, 1);
    nic_send(na, frame, 99, true);
    vm_lock(vm);
    net_flush(na->net);
    vm_unlock(vm);
    until(vm, nb->got->len == G_N_ELEMENTS(sizes) + 41);
    g_assert_cmpuint(nb->ends, >, 0);
    /* The cable */
    vm_lock(vm);
    netdev_set_link(a, false);
    vm_unlock(vm);
    g_assert_false(na->link);
    g_assert_cmpint(nic_send(na, frame, 99, false), ==, NET_DROPPED);
    unsigned before = na->got->len;
    nic_send(nb, frame, 99, false);
    until(vm, na->net->received.dropped == 1);
    g_assert_cmpuint(na->got->len, ==, before);
    nic_free(na);
    nic_free(nb);
    test_end(vm);
    remove_path(path);
}

static void test_stream_pieces(void)
{
    static uint8_t all[200000];
    struct vm *vm = test_vm();
    char *path = tmp_path("s");
    struct netdev *dev = open_stream(vm, "s", path, true, 0);
    struct test_nic *nic = nic_new(vm, dev, 0, NULL);
    size_t n = 0;

    turns(vm, 5);
    int fd = raw_connect(path);
    for (unsigned i = 0; i < 3; i++) {
        st_be32(all + n, 60 + i);
        make_frame(all + n + 4, 60 + i, i);
        n += 64 + i;
    }
    for (size_t i = 0; i < n; i++) { /* byte by byte */
        raw_write(fd, all + i, 1);
        turns(vm, 0);
        exec_iterate(&vm->main, false);
    }
    until(vm, nic->got->len == 3);
    for (unsigned i = 0; i < 3; i++)
        check_frame(nic_got(nic, i), 60 + i, i);
    raw_write(fd, all, n); /* all at once */
    until(vm, nic->got->len == 6);
    memset(all, 0, 4);
    raw_write(fd, all, 4); /* empty and short ones are lost, and the connection stays */
    st_be32(all, 5);
    raw_write(fd, all, 9);
    until(vm, nic->net->received.dropped == 2);
    /* lengths that no frame has */
    for (unsigned i = 0; i < 3; i++) {
        st_be32(all, i == 0 ? UINT32_MAX : i == 1 ? NET_MAX_FRAME + 1 : 0x80000000);
        raw_write(fd, all, 100);
        char c;
        until(vm, recv(fd, &c, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
        close(fd);
        turns(vm, 5);
        fd = raw_connect(path); /* it listens again */
        st_be32(all, 60);
        make_frame(all + 4, 60, i);
        raw_write(fd, all, 64);
        until(vm, nic->got->len == 7 + i);
        check_frame(nic_got(nic, 6 + i), 60, i);
    }
    raw_write(fd, all, 30); /* half a frame, and gone: the next connection begins anew */
    close(fd);
    turns(vm, 10);
    fd = raw_connect(path);
    raw_write(fd, all, 64);
    until(vm, nic->got->len == 10);
    close(fd);
    turns(vm, 10);
    g_assert_cmpint(nic_send(nic, all, 64, false), ==, NET_DROPPED); /* nobody there */
    nic_free(nic);
    test_end(vm);
    remove_path(path);
}

/* Who does not take frames makes the sender wait, and nothing is lost or kept without bound. */
static void test_stream_pressure(void)
{
    enum { N = 3000, LEN = 1514 };
    static uint8_t frame[4 + LEN];
    struct vm *vm = test_vm();
    char *path = tmp_path("s");
    struct netdev *a = open_stream(vm, "a", path, true, 0), *b = open_stream(vm, "b", path, false, 0);
    struct test_nic *na = nic_new(vm, a, 0, NULL), *nb = nic_new(vm, b, 0, NULL);

    turns(vm, 20);
    nb->room = 0;
    unsigned sent = 0, busy = 0;
    while (sent < N) {
        make_frame(frame, LEN, sent);
        enum net_result r = nic_send(na, frame, LEN, sent % 7 != 6);
        g_assert_cmpint(r, !=, NET_DROPPED);
        if (r == NET_TAKEN) {
            sent++;
            continue;
        }
        if (!busy++) { /* both sides stand still: the sockets' buffers, and one of ours on each side */
            turns(vm, 20);
            g_assert_cmpuint(nb->got->len, ==, 0);
            g_assert_cmpuint(sent, <, N / 2);
        }
        nb->lies = busy % 2;
        unsigned w = na->writable;
        nic_room(nb, 50);
        until(vm, na->writable != w || nb->room == 0);
        if (na->writable == w)
            nic_room(nb, 50);
    }
    vm_lock(vm);
    net_flush(na->net);
    vm_unlock(vm);
    g_assert_cmpuint(busy, >, 1);
    nic_room(nb, SIZE_MAX);
    until(vm, nb->got->len == N);
    for (unsigned i = 0; i < N; i++)
        check_frame(nic_got(nb, i), LEN, i);
    g_assert_cmpuint(nb->net->received.dropped + na->net->sent.dropped, ==, 0);
    nic_free(na);
    nic_free(nb);
    test_end(vm);
    remove_path(path);
}

static void test_stream_reconnect(void)
{
    struct vm *vm = test_vm();
    char *path = tmp_path("s");
    struct netdev *dev = open_stream(vm, "s", path, false, 20); /* nobody there yet */
    struct test_nic *nic = nic_new(vm, dev, 0, NULL);
    uint8_t frame[64];

    turns(vm, 50);
    for (unsigned round = 0; round < 3; round++) {
        int l = raw_listen(path), fd = -1;
        until(vm, (fd = accept(l, NULL, NULL)) >= 0);
        make_frame(frame, 64, round);
        until(vm, nic_send(nic, frame, 64, false) == NET_TAKEN);
        uint8_t got[68];
        until(vm, recv(fd, got, sizeof got, MSG_DONTWAIT) == sizeof got);
        g_assert_cmpuint(ld_be32(got), ==, 64);
        g_assert_cmpmem(got + 4, 64, frame, 64);
        close(l);
        close(fd);
        turns(vm, 50);
    }
    nic_free(nic);
    test_end(vm);
    remove_path(path);
}

/* In the iothread's place the main loop: moving is what is tested with virtio.  Here: stop and go on. */
static void test_stopped(void)
{
    struct vm *vm = test_vm();
    char *path = tmp_path("s");
    struct netdev *a = open_stream(vm, "a", path, true, 0), *b = open_stream(vm, "b", path, false, 0);
    struct test_nic *na = nic_new(vm, a, 0, NULL), *nb = nic_new(vm, b, 0, NULL);
    uint8_t frame[60] = { 1 };

    turns(vm, 20);
    vm_stop(vm, RUN_PAUSED);
    g_assert_cmpint(nic_send(na, frame, 60, false), ==, NET_TAKEN);
    turns(vm, 30);
    g_assert_cmpuint(nb->got->len, ==, 0);
    vm_cont(vm);
    until(vm, nb->got->len == 1);
    nic_free(na);
    nic_free(nb);
    test_end(vm);
    remove_path(path);
}

static void test_fds(void)
{
    struct vm *vm = test_vm();
    struct netdev_config c;
    int pair[2], dg[2];
    uint8_t frame[64], got[100];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, dg), ==, 0);
    config(&c, NETDEV_STREAM, "s");
    c.addr = (struct netaddr){ .kind = NETADDR_FD, .str = g_strdup_printf("%d", pair[0]) };
    struct test_nic *s = nic_new(vm, open_netdev(vm, &c), 0, NULL);
    config(&c, NETDEV_SOCKET, "d");
    c.fd = g_strdup_printf("%d", dg[0]);
    struct test_nic *d = nic_new(vm, open_netdev(vm, &c), 0, NULL);
    make_frame(frame, 64, 1);
    g_assert_cmpint(nic_send(s, frame, 64, false), ==, NET_TAKEN);
    g_assert_cmpint(read(pair[1], got, sizeof got), ==, 68);
    g_assert_cmpint(nic_send(d, frame, 64, false), ==, NET_TAKEN);
    g_assert_cmpint(read(dg[1], got, sizeof got), ==, 64);
    g_assert_cmpmem(got, 64, frame, 64);
    raw_write(dg[1], frame, 64);
    raw_write(dg[1], frame, 3);
    until(vm, d->got->len == 1 && d->net->received.dropped == 1);
    /* Back-pressure: what the kernel holds stays there */
    d->room = 0;
    unsigned n = 0;
    fcntl(dg[1], F_SETFL, O_NONBLOCK);
    while (n < 100000 && write(dg[1], frame, 64) == 64)
        if (!(++n % 8))
            turns(vm, 0), exec_iterate(&vm->main, false);
    g_assert_cmpuint(n, <, 10000);
    nic_room(d, SIZE_MAX);
    until(vm, d->got->len == 1 + n);
    /* and in the other direction */
    for (n = 0; nic_send(d, frame, 64, false) == NET_TAKEN; n++)
        g_assert_cmpuint(n, <, 10000);
    for (unsigned i = 0; i < n; i++)
        g_assert_cmpint(read(dg[1], got, sizeof got), ==, 64);
    until(vm, d->writable == 1);
    g_assert_cmpint(nic_send(d, frame, 64, false), ==, NET_TAKEN);
    nic_free(s);
    nic_free(d);
    test_end(vm);
    close(pair[1]);
    close(dg[1]);
}

static void test_dgram(void)
{
    struct vm *vm = test_vm();
    struct netdev_config c;
    char *path[2] = { tmp_path("a"), tmp_path("b") };
    struct test_nic *nic[2];
    static uint8_t frame[70000];

    for (unsigned i = 0; i < 2; i++) {
        config(&c, NETDEV_DGRAM, i ? "b" : "a");
        c.local = (struct netaddr){ .kind = NETADDR_UNIX, .path = g_strdup(path[i]), .tight = true };
        c.remote = (struct netaddr){ .kind = NETADDR_UNIX, .path = g_strdup(path[!i]), .tight = true };
        nic[i] = nic_new(vm, open_netdev(vm, &c), 0, NULL);
        if (!i) /* nobody there yet: as a wire that ends nowhere */
            g_assert_cmpint(nic_send(nic[0], frame, 60, false), ==, NET_DROPPED);
    }
    for (unsigned i = 0; i < 50; i++) {
        make_frame(frame, 14 + i * 1300, i);
        until(vm, nic_send(nic[0], frame, 14 + i * 1300, false) == NET_TAKEN);
        until(vm, nic[1]->got->len == i + 1);
        check_frame(nic_got(nic[1], i), 14 + i * 1300, i);
    }
    nic[0]->room = 0; /* EAGAIN of a full receiver */
    unsigned n = 0;
    while (n < 1000 && nic_send(nic[1], frame, 60, false) == NET_TAKEN)
        n++, turns(vm, 0), exec_iterate(&vm->main, false);
    g_assert_cmpuint(n, <, 1000);
    nic_room(nic[0], SIZE_MAX);
    until(vm, nic[1]->writable && nic[0]->got->len == n);
    for (unsigned i = 0; i < 2; i++)
        nic_free(nic[i]);
    test_end(vm);
    for (unsigned i = 0; i < 2; i++)
        remove_path(path[i]);
}

/* socket: TCP by listen= and connect=, datagrams by udp=, all on the loopback interface. */
static void test_socket(void)
{
    struct vm *vm = test_vm();
    struct netdev_config c;
    GString *info = g_string_new(NULL);
    uint8_t frame[100];

    config(&c, NETDEV_SOCKET, "l");
    c.listen = g_strdup("127.0.0.1:0");
    struct netdev *l = open_netdev(vm, &c);
    l->ops->describe(l, info);
    const char *port = strrchr(info->str, ':');
    g_assert_nonnull(port);
    config(&c, NETDEV_SOCKET, "c");
    c.connect = g_strdup_printf("127.0.0.1%s", port);
    struct netdev *k = open_netdev(vm, &c);
    struct test_nic *a = nic_new(vm, l, 0, NULL), *b = nic_new(vm, k, 0, NULL);
    make_frame(frame, 100, 1);
    until(vm, nic_send(b, frame, 100, false) == NET_TAKEN && true);
    until(vm, a->got->len == 1);
    until(vm, nic_send(a, frame, 100, false) == NET_TAKEN);
    until(vm, b->got->len == 1);
    check_frame(nic_got(b, 0), 100, 1);
    /* nobody listens: an error now, in one line */
    GError *err = NULL;
    config(&c, NETDEV_SOCKET, "x");
    c.connect = g_strdup("127.0.0.1:1");
    g_assert_null(netdev_open(vm, &c, &err));
    g_assert_cmpstr(err->message, ==, "netdev 'x': cannot connect to '127.0.0.1:1': Connection refused");
    g_clear_error(&err);
    netdev_config_clear(&c);
    nic_free(a);
    nic_free(b);
    g_string_free(info, TRUE);
    test_end(vm);
}

static void test_udp(void)
{
    struct vm *vm = test_vm();
    struct netdev_config c;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    uint8_t frame[1000], got[1000];
    GString *info = g_string_new(NULL);

    g_assert_cmpint(bind(fd, (struct sockaddr *) &in, len), ==, 0);
    getsockname(fd, (struct sockaddr *) &in, &len);
    config(&c, NETDEV_SOCKET, "u");
    c.udp = g_strdup_printf("127.0.0.1:%u", ntohs(in.sin_port));
    c.localaddr = g_strdup("127.0.0.1:0");
    struct netdev *dev = open_netdev(vm, &c);
    struct test_nic *nic = nic_new(vm, dev, 0, NULL);
    make_frame(frame, 1000, 3);
    g_assert_cmpint(nic_send(nic, frame, 1000, false), ==, NET_TAKEN);
    g_assert_cmpint(recvfrom(fd, got, sizeof got, 0, (struct sockaddr *) &in, &len), ==, 1000);
    g_assert_cmpmem(got, 1000, frame, 1000);
    for (unsigned i = 0; i < 50; i++)
        g_assert_cmpint(sendto(fd, frame, 1000, 0, (struct sockaddr *) &in, len), ==, 1000);
    until(vm, nic->got->len == 50);
    check_frame(nic_got(nic, 49), 1000, 3);
    close(fd);
    for (unsigned i = 0; i < 3; i++) /* "port unreachable" comes back: frames are lost, and that is all */
        nic_send(nic, frame, 60, false);
    turns(vm, 10);
    dev->ops->describe(dev, info);
    g_assert_true(g_str_has_prefix(info->str, ",local=127.0.0.1:"));
    g_string_free(info, TRUE);
    nic_free(nic);
    test_end(vm);
}

/* --- hub ------------------------------------------------------------------------------------------------- */

static struct netdev *open_port(struct vm *vm, const char *id, const char *peer)
{
    struct netdev_config c;

    config(&c, NETDEV_HUBPORT, id);
    c.hubid = 3;
    c.netdev = g_strdup(peer);
    return open_netdev(vm, &c);
}

static void test_hub(void)
{
    struct vm *vm = test_vm();
    struct netdev_config c;
    int dg[2];
    uint8_t frame[1514], got[2000];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, dg), ==, 0);
    config(&c, NETDEV_SOCKET, "d");
    c.fd = g_strdup_printf("%d", dg[0]);
    open_netdev(vm, &c);
    open_port(vm, "pd", "d");
    struct test_nic *a = nic_new(vm, open_port(vm, "pa", NULL), 0, NULL),
                    *b = nic_new(vm, open_port(vm, "pb", NULL), 0, NULL);
    b->echo = true; /* answers from within its receive(): that comes back later, never inside */
    make_frame(frame, 64, 1);
    g_assert_cmpint(nic_send(a, frame, 64, false), ==, NET_TAKEN);
    g_assert_cmpuint(b->got->len, ==, 0); /* not from within net_send() */
    until(vm, a->got->len == 1 && b->got->len == 1);
    turns(vm, 5);
    for (unsigned i = 0; i < 2; i++) /* a's and b's answer on the third port */
        g_assert_cmpint(recv(dg[1], got, sizeof got, 0), ==, 64);
    b->echo = false;
    raw_write(dg[1], frame, 64);
    until(vm, a->got->len == 2 && b->got->len == 2);
    /* One that does not take frames loses them, the others don't */
    b->room = 0;
    unsigned n = 0;
    for (; n < 1000; n++) {
        make_frame(frame, sizeof frame, n);
        g_assert_cmpint(nic_send(a, frame, sizeof frame, false), ==, NET_TAKEN);
        until(vm, recv(dg[1], got, sizeof got, 0) == sizeof frame);
    }
    g_assert_cmpuint(b->net->received.dropped, >, 500);
    /* and when no port has room the sender waits */
    n = 0;
    while (n < 10000 && nic_send(a, frame, sizeof frame, false) == NET_TAKEN)
        n++, turns(vm, 0);
    g_assert_cmpuint(n, <, 2000);
    unsigned read = 0;
    nic_room(b, SIZE_MAX);
    until(vm, (read += recv(dg[1], got, sizeof got, 0) > 0) == n && a->writable);
    /* A port with a netdev has no place for a card */
    GError *err = NULL;
    struct device d = { .vm = vm, .name = "x" };
    g_assert_null(net_attach(&d, netdev_find(vm, "pd"), 0, &(struct nic_ops){ 0 }, NULL, &err));
    g_assert_cmpstr(err->message, ==, "x: netdev 'pd' is already used by 'd'");
    g_clear_error(&err);
    nic_free(a);
    nic_free(b);
    test_end(vm);
    close(dg[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/stream/pair", test_stream_pair);
    g_test_add_func("/net/stream/pieces", test_stream_pieces);
    g_test_add_func("/net/stream/pressure", test_stream_pressure);
    g_test_add_func("/net/stream/reconnect", test_stream_reconnect);
    g_test_add_func("/net/stream/stopped", test_stopped);
    g_test_add_func("/net/fds", test_fds);
    g_test_add_func("/net/dgram", test_dgram);
    g_test_add_func("/net/socket", test_socket);
    g_test_add_func("/net/udp", test_udp);
    g_test_add_func("/net/hub", test_hub);
    return g_test_run();
}
