/* tests/unit/test_options_net.c - -netdev, -nic, -net, filter-dump. */
#include "tests/unit/options_test.h"
#include "vmm/net/netdev.h"

static const struct netdev_config *net(const struct options *o, const char *id)
{
    for (unsigned i = 0; i < o->netdevs->len; i++) {
        const struct netdev_config *c = o->netdevs->pdata[i];
        if (!strcmp(c->id, id))
            return c;
    }
    g_error("no netdev '%s'", id);
}

static const struct opt_device *dev(const struct options *o, unsigned i)
{
    g_assert_cmpuint(i, <, o->devices->len);
    return o->devices->pdata[i];
}

static void test_netdev(void)
{
    struct options o;

    good(&o, "-netdev user,id=n,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-:53,net=10.1.0.0/16,restrict=on,"
             "ipv6=off,dnssearch=a.example,dnssearch=b.example,guestfwd=tcp:10.1.0.9:80-cmd:cat "
             "-device virtio-net-pci,netdev=n,mac=52:54:00:01:02:03");
    const struct netdev_config *c = net(&o, "n");
    g_assert_cmpint(c->kind, ==, NETDEV_USER);
    g_assert_cmpuint(c->hostfwd->len, ==, 2);
    g_assert_cmpstr(c->hostfwd->pdata[1], ==, "udp:127.0.0.1:53-:53");
    g_assert_cmpuint(c->dnssearch->len, ==, 2);
    g_assert_cmpuint(c->guestfwd->len, ==, 1);
    g_assert_cmpstr(((struct netdev_guestfwd *) c->guestfwd->pdata[0])->cmd, ==, "cat");
    g_assert_cmpstr(((struct netdev_guestfwd *) c->guestfwd->pdata[0])->rule, ==, "tcp:10.1.0.9:80-cmd:cat");
    g_assert_true(c->restrict_ && c->ipv6 == OOA_OFF);
    options_free(&o);
    good(&o, "-netdev tap,id=t,ifname=t0,script=no,downscript=no,queues=4 "
             "-netdev stream,id=s,server=on,addr.type=unix,addr.path=/tmp/x "
             "-netdev dgram,id=d,local.type=inet,local.host=127.0.0.1,local.port=5000,remote.type=inet,"
             "remote.host=127.0.0.1,remote.port=5001 -netdev socket,id=k,listen=:5555 -netdev hubport,id=h,hubid=3");
    g_assert_cmpuint(net(&o, "t")->queues, ==, 4);
    g_assert_cmpint(net(&o, "s")->addr.kind, ==, NETADDR_UNIX);
    g_assert_cmpstr(net(&o, "d")->remote.port, ==, "5001");
    g_assert_cmpuint(net(&o, "h")->hubid, ==, 3);
    options_free(&o);
    bad("-netdev user", "-netdev user: an id is missing: id=...");
    bad("-netdev id=x", "-netdev: which? for example -netdev user,id=n0");
    bad("-netdev usr,id=n", "-netdev: there is no network backend 'usr' (did you mean 'user'?); there are: user, tap, "
                            "bridge, socket, stream, dgram, hubport");
    bad("-netdev user,id=n -netdev user,id=n", "-netdev: the id 'n' is already taken by another netdev");
    bad("-netdev user,id=n,smb=/x", "netdev 'n': smb=/x: no file server is built in");
    bad("-netdev user,id=n,guestfwd=tcp:10.0.2.9:80", "netdev 'n': guestfwd 'tcp:10.0.2.9:80': write "
                                                       "tcp:ADDRESS:PORT-cmd:PROGRAM or ...-chardev:ID");
    bad("-netdev user,id=n,guestfwd=tcp:10.0.2.9:80-chardev:c",
        "netdev 'n': guestfwd 'tcp:10.0.2.9:80-chardev:c': there is no chardev with id 'c'");
    bad("-device virtio-net-pci,netdev=n", "device 'virtio-net-pci': netdev: there is no netdev with id 'n'");
    bad("-netdev hubport,id=h,hubid=1,netdev=x", "netdev 'h': there is no netdev with id 'x'");
}

static void test_nic(void)
{
    struct options o;

    good(&o, "-device isa-debug-exit -nic user,model=virtio,mac=52:54:00:00:00:09,hostfwd=tcp::1-:1 "
             "-nic tap,id=mine,ifname=x,script=no,downscript=no,model=virtio-net-pci");
    g_assert_cmpuint(o.n_nics, ==, 2);
    g_assert_cmpstr(dev(&o, 0)->cls->name, ==, "virtio-net-pci");
    g_assert_cmpstr(keyvals_get(&dev(&o, 0)->kv, "mac"), ==, "52:54:00:00:00:09");
    g_assert_cmpstr(keyvals_get(&dev(&o, 1)->kv, "netdev"), ==, "mine");
    g_assert_cmpstr(dev(&o, 2)->cls->name, ==, "isa-debug-exit");
    g_assert_cmpint(net(&o, "mine")->kind, ==, NETDEV_TAP);
    options_free(&o);
    good(&o, "-net nic,model=virtio,macaddr=52:54:00:00:00:08 -net user,net=10.9.0.0/24"); /* by a hub */
    g_assert_cmpuint(o.netdevs->len, ==, 3);
    const struct netdev_config *card = net(&o, keyvals_get(&dev(&o, 0)->kv, "netdev"));
    g_assert_cmpint(card->kind, ==, NETDEV_HUBPORT);
    g_assert_null(card->netdev);
    options_free(&o);
    accepted("-nic none -net none");
    bad("-nic user,model=foo", "-nic: there is no card 'foo'; there are: virtio, virtio-net-pci, "
        "virtio-net-pci-transitional, virtio-net-pci-non-transitional, virtio-net-device");
    bad("-nic user -nic none", "-nic none: there is a card by another -nic or -net");
    bad("-nic user,mac=x", "device 'virtio-net-pci': mac: 'x' is no MAC address; write 52:54:00:12:34:56");
    bad("-object filter-dump,id=f,file=x", "-object f: netdev=... and file=... are needed");
    bad("-object filter-dump,id=f,file=x,netdev=n", "-object f: there is no netdev with id 'n'");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/netdev", test_netdev);
    g_test_add_func("/options/nic", test_nic);
    return g_test_run();
}
