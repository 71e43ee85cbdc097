/* tests/unit/test_net_tap.c - -netdev tap, in a network namespace of the test's own. */
#include "tests/unit/nettest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { HDR = 12 };

static bool write_proc(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text);

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Root of a user namespace, without threads yet; NULL: why not. */
static const char *enter_namespace(void)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    char map[64];

    if (unshare(CLONE_NEWNET) < 0) { /* not root */
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            return "this kernel allows no user namespaces";
        g_snprintf(map, sizeof map, "0 %u 1", uid);
        if (!write_proc("/proc/self/setgroups", "deny") || !write_proc("/proc/self/uid_map", map))
            return "no ids in a user namespace";
        g_snprintf(map, sizeof map, "0 %u 1", gid);
        if (!write_proc("/proc/self/gid_map", map))
            return "no ids in a user namespace";
    }
    int fd = open("/dev/net/tun", O_RDWR);
    if (fd < 0)
        return "no /dev/net/tun";
    close(fd);
    return NULL;
}

/* The host's side: a packet socket on the interface, which is brought up. */
static int host_side(const char *name, unsigned mtu)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(0x88b5));
    struct ifreq ifr = { 0 };

    g_strlcpy(ifr.ifr_name, name, sizeof ifr.ifr_name);
    g_assert_cmpint(ioctl(fd, SIOCGIFINDEX, &ifr), ==, 0);
    struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = ifr.ifr_ifindex };
    ifr.ifr_mtu = (int) mtu;
    g_assert_cmpint(ioctl(fd, SIOCSIFMTU, &ifr), ==, 0);
    ifr.ifr_flags = IFF_UP;
    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &ifr), ==, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &ll, sizeof ll), ==, 0);
    return fd;
}

/* An Ethernet frame of a type for experiments (IEEE 802). */
static void eth(uint8_t *p, size_t len, unsigned seed)
{
    make_frame(p, len, seed);
    memset(p, 0xff, 6);
    memcpy(p + 6, "\x52\x54\0\0\0\1", 6);
    st_be16(p + 12, 0x88b5);
}

static bool tap_config(struct netdev_config *c, const char *ifname, int hdr, unsigned queues)
{
    config(c, NETDEV_TAP, "t");
    c->ifname = g_strdup(ifname);
    c->script = g_strdup("no");
    c->downscript = g_strdup("no");
    c->vnet_hdr = hdr;
    c->queues = queues;
    return true;
}

static bool ours(const GByteArray *a, unsigned skip)
{
    return a->len >= skip + 14 && ld_be16(a->data + skip + 12) == 0x88b5;
}

/* Frames of ours among those that came; the host's kernel has its own (IPv6's). */
static unsigned count(struct test_nic *nic, unsigned skip, GByteArray **last)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nic->got->len; i++)
        if (ours(nic->got->pdata[i], skip)) {
            n++;
            *last = nic->got->pdata[i];
        }
    return n;
}

static void both_ways(int vnet_hdr, unsigned hdr)
{
    static uint8_t buf[HDR + 9014], got[10000];
    struct vm *vm = test_vm();
    struct netdev_config c;
    GByteArray *last = NULL;

    tap_config(&c, "bt0", vnet_hdr, 0);
    struct netdev *dev = open_netdev(vm, &c);
    struct test_nic *nic = nic_new(vm, dev, 0, NULL);
    turns(vm, 5);
    memset(buf, 0, HDR);
    eth(buf + hdr, 60, 1);
    if (hdr) {
        vm_lock(vm);
        net_set_hdr(nic->net, hdr);
        vm_unlock(vm);
    }
    g_assert_cmpint(nic_send(nic, buf, hdr + 60, false), ==, NET_DROPPED); /* the interface is down */
    int fd = host_side("bt0", 9000);
    static const size_t sizes[] = { 60, 61, 1514, 9014 };
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        eth(buf + hdr, sizes[i], i);
        until(vm, nic_send(nic, buf, hdr + sizes[i], false) == NET_TAKEN);
        until(vm, recv(fd, got, sizeof got, 0) == (ssize_t) sizes[i]);
        g_assert_cmpmem(got, sizes[i], buf + hdr, sizes[i]);
        g_assert_cmpint(send(fd, buf + hdr, sizes[i], 0), ==, (ssize_t) sizes[i]);
        until(vm, count(nic, hdr, &last) == i + 1);
        g_assert_cmpmem(last->data + hdr, last->len - hdr, buf + hdr, sizes[i]);
    }
    /* A card that takes nothing: the kernel's queue fills, and loses what does not fit; ours keeps its order */
    nic->room = 0;
    unsigned before = count(nic, hdr, &last), n = 3000;
    for (unsigned i = 0; i < n; i++) {
        eth(buf + hdr, 100, i);
        if (send(fd, buf + hdr, 100, 0) < 0)
            turns(vm, 0);
        if (i % 64 == 0)
            exec_iterate(&vm->main, false);
    }
    turns(vm, 20);
    g_assert_cmpuint(count(nic, hdr, &last), ==, before);
    nic_room(nic, 5);
    until(vm, nic->room == 0);
    nic_room(nic, SIZE_MAX);
    turns(vm, 50);
    unsigned came = count(nic, hdr, &last) - before;
    g_assert_cmpuint(came, >, 100);
    g_assert_cmpuint(came, <, n);
    /* A frame whose checksum is left to the kernel where there is a header; a header that lies is lost */
    if (vnet_hdr == OOA_OFF) {
        g_assert_cmpuint(netdev_can_send(dev), ==, 0);
    } else {
        g_assert_cmpuint(netdev_can_send(dev) & (NET_CSUM | NET_TSO4 | NET_TSO6), ==, NET_CSUM | NET_TSO4 | NET_TSO6);
        if (hdr) {
            eth(buf + hdr, 100, 1);
            struct net_hdr h = { NET_HDR_NEEDS_CSUM, NET_GSO_NONE, 0, 0, 54, 10 };
            memcpy(buf, &h, hdr);
            until(vm, nic_send(nic, buf, hdr + 100, false) == NET_TAKEN);
            until(vm, recv(fd, got, sizeof got, 0) == 100);
            h.csum_start = 60000;
            memcpy(buf, &h, hdr);
            g_assert_cmpint(nic_send(nic, buf, hdr + 100, false), ==, NET_DROPPED);
            h = (struct net_hdr){ 0, 77, 1, 0, 1, 1 };
            memcpy(buf, &h, hdr);
            g_assert_cmpint(nic_send(nic, buf, hdr + 100, false), ==, NET_DROPPED);
        }
    }
    close(fd);
    nic_free(nic);
    test_end(vm);
}

static void test_plain(void)
{
    both_ways(OOA_OFF, 0);
}

static void test_header(void)
{
    both_ways(OOA_ON, 12);
    both_ways(OOA_ON, 10);
}

static void test_stripped(void) /* one side has it */
{
    both_ways(OOA_AUTO, 0);
    both_ways(OOA_OFF, 12);
}

/* Frames come to the queues that are used only. */
static void test_queues(void)
{
    struct vm *vm = test_vm();
    struct netdev_config c;
    struct test_nic *q[4];
    GByteArray *last;
    uint8_t frame[60];

    tap_config(&c, "bt1", OOA_AUTO, 4);
    struct netdev *dev = open_netdev(vm, &c);
    g_assert_cmpuint(netdev_n_queues(dev), ==, 4);
    for (unsigned i = 0; i < 4; i++)
        q[i] = nic_new(vm, dev, i, i ? q[0] : NULL);
    turns(vm, 5);
    int fd = host_side("bt1", 1500);
    vm_lock(vm);
    for (unsigned i = 1; i < 4; i++)
        net_set_enabled(q[i]->net, false);
    vm_unlock(vm);
    turns(vm, 5);
    for (unsigned i = 0; i < 50; i++) {
        eth(frame, 60, i);
        frame[11] = (uint8_t) i; /* many senders: all would be spread */
        g_assert_cmpint(send(fd, frame, 60, 0), ==, 60);
    }
    until(vm, count(q[0], 0, &last) == 50);
    vm_lock(vm);
    net_set_enabled(q[2]->net, true);
    vm_unlock(vm);
    turns(vm, 5);
    g_assert_cmpint(nic_send(q[2], frame, 60, false), ==, NET_TAKEN);
    g_assert_cmpint(nic_send(q[1], frame, 60, false), ==, NET_DROPPED);
    close(fd);
    for (unsigned i = 4; i--;)
        nic_free(q[i]);
    test_end(vm);
}

static void test_mistakes(void)
{
    struct vm *vm = test_vm();
    struct netdev_config c;
    GError *err = NULL;

    tap_config(&c, "a-name-too-long-for-it", OOA_AUTO, 0);
    g_assert_false(netdev_config_check(&c, "netdev 't'", &err));
    g_clear_error(&err);
    netdev_config_clear(&c);
    tap_config(&c, "lo", OOA_AUTO, 0);
    g_assert_null(netdev_open(vm, &c, &err));
    g_assert_true(g_str_has_prefix(err->message, "netdev 't': cannot make or take interface 'lo': "));
    g_clear_error(&err);
    netdev_config_clear(&c);
    tap_config(&c, "bt2", OOA_AUTO, 0);
    g_free(c.script);
    c.script = g_strdup("/bin/false");
    g_assert_null(netdev_open(vm, &c, &err));
    g_assert_true(g_str_has_prefix(err->message, "netdev 't': script '/bin/false' bt2: "));
    g_clear_error(&err);
    netdev_config_clear(&c);
    config(&c, NETDEV_TAP, "t");
    c.fd = g_strdup("0");
    g_assert_null(netdev_open(vm, &c, &err));
    g_assert_true(g_str_has_prefix(err->message, "netdev 't': descriptor 0 is no tap interface: "));
    g_clear_error(&err);
    netdev_config_clear(&c);
    config(&c, NETDEV_BRIDGE, "b");
    c.helper = g_strdup("/bin/true");
    g_assert_null(netdev_open(vm, &c, &err));
    g_assert_cmpstr(err->message, ==, "netdev 'b': the helper '/bin/true' gave no interface of bridge 'br0'");
    g_clear_error(&err);
    netdev_config_clear(&c);
    test_end(vm);
}

int main(int argc, char **argv)
{
    const char *why = enter_namespace();

    g_test_init(&argc, &argv, NULL);
    if (why) {
        g_print("1..0 # SKIP %s\n", why);
        return 0;
    }
    g_test_add_func("/tap/plain", test_plain);
    g_test_add_func("/tap/header", test_header);
    g_test_add_func("/tap/stripped", test_stripped);
    g_test_add_func("/tap/queues", test_queues);
    g_test_add_func("/tap/mistakes", test_mistakes);
    return g_test_run();
}
