/* tests/unit/test_slirp.c - -netdev user: DHCP, ARP, ping, TFTP and TCP by a guest of a few lines, all inside this
 * machine: the loopback interface, and libslirp's own addresses. */
#include "tests/unit/nettest.h"
#include "vmm/net/offload.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

enum { ETH = 14, IP = 20, TCP = 20, FIN = 1, SYN = 2, PSH = 8, ACK = 16, HDR = 12 };

/* Sums as numbers, not as they lie in memory. */
static uint16_t checksum_add(uint16_t sum, const void *data, size_t len)
{
    return GUINT16_FROM_BE(inet_fold(inet_sum(data, len, GUINT16_TO_BE(sum))));
}

static uint16_t checksum_pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
    return GUINT16_FROM_BE(inet_fold(inet_pseudo(ip, proto, (uint32_t) len)));
}

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, guest_ip[4] = { 10, 0, 2, 15 },
                     host_ip[4] = { 10, 0, 2, 2 };

struct guest {
    struct vm *vm;
    struct netdev *dev;
    struct test_nic *nic;
    unsigned hdr, seen; /* frames of nic->got that were looked at */
    uint8_t host_mac[6];
    uint8_t out[HDR + 70000];
};

static struct guest *guest_new(struct netdev_config *c)
{
    struct guest *g = g_new0(struct guest, 1);

    g->vm = test_vm();
    g->dev = open_netdev(g->vm, c);
    g->nic = nic_new(g->vm, g->dev, 0, NULL);
    turns(g->vm, 5);
    return g;
}

static void guest_free(struct guest *g)
{
    nic_free(g->nic);
    test_end(g->vm);
    g_free(g);
}

static void user_config(struct netdev_config *c)
{
    config(c, NETDEV_USER, "u");
    c->ipv6 = OOA_OFF;
}

static uint8_t *frame_of(struct guest *g)
{
    return g->out + g->hdr;
}

static void put(struct guest *g, size_t len)
{
    until(g->vm, nic_send(g->nic, g->out, g->hdr + len, false) == NET_TAKEN);
}

/* The next frame from outside, or NULL after a while. */
static const uint8_t *get(struct guest *g, size_t *len)
{
    for (unsigned i = 0; i < 200 && g->seen == g->nic->got->len; i++)
        turns(g->vm, 1);
    if (g->seen == g->nic->got->len)
        return NULL;
    GByteArray *a = nic_got(g->nic, g->seen++);
    *len = a->len - g->hdr;
    return a->data + g->hdr;
}

static uint8_t *ip_begin(struct guest *g, const uint8_t *dst, uint8_t proto, size_t payload)
{
    uint8_t *p = frame_of(g);

    memset(g->out, 0, g->hdr + ETH + IP);
    memcpy(p, g->host_mac, 6);
    memcpy(p + 6, guest_mac, 6);
    st_be16(p + 12, 0x0800);
    p[14] = 0x45;
    st_be16(p + 16, (uint16_t) (IP + payload));
    p[22] = 64;
    p[23] = proto;
    memcpy(p + 26, guest_ip, 4);
    memcpy(p + 30, dst, 4);
    st_be16(p + 24, (uint16_t) ~checksum_add(0, p + ETH, IP));
    return p + ETH + IP;
}

static void udp(struct guest *g, const uint8_t *dst, unsigned sport, unsigned dport, const void *data, size_t len)
{
    uint8_t *u = ip_begin(g, dst, IPPROTO_UDP, 8 + len);

    st_be16(u, (uint16_t) sport);
    st_be16(u + 2, (uint16_t) dport);
    st_be16(u + 4, (uint16_t) (8 + len));
    st_be16(u + 6, 0);
    memcpy(u + 8, data, len);
    put(g, ETH + IP + 8 + len);
}

static void arp(struct guest *g)
{
    static const uint8_t head[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
    uint8_t *p = frame_of(g);
    size_t len;

    memset(g->out, 0, g->hdr + 42);
    memset(p, 0xff, 6);
    memcpy(p + 6, guest_mac, 6);
    st_be16(p + 12, 0x0806);
    memcpy(p + 14, head, 8);
    memcpy(p + 22, guest_mac, 6);
    memcpy(p + 28, guest_ip, 4);
    memcpy(p + 38, host_ip, 4);
    unsigned before = g->nic->got->len;
    put(g, 42);
    const uint8_t *r;
    while ((r = get(g, &len)) && (ld_be16(r + 12) != 0x0806 || ld_be16(r + 20) != 2))
        ;
    g_assert_nonnull(r);
    g_assert_cmpuint(g->nic->got->len, >, before);
    g_assert_cmpmem(r + 28, 4, host_ip, 4);
    memcpy(g->host_mac, r + 22, 6);
}

static void test_basics(void)
{
    struct netdev_config c;
    uint8_t dhcp[300] = { 1, 1, 6 };
    size_t len;
    GError *err = NULL;
    char *dir = g_dir_make_tmp("bantam-tftp-XXXXXX", NULL), *file = g_build_filename(dir, "boot.bin", NULL);

    g_assert_true(g_file_set_contents(file, "0123456789", 10, NULL));
    user_config(&c);
    c.tftp = g_strdup(dir);
    c.bootfile = g_strdup("boot.bin");
    c.hostname = g_strdup("box");
    struct guest *g = guest_new(&c);
    memset(g->host_mac, 0xff, 6);
    /* DHCP: an offer of 10.0.2.15, with the boot file's name */
    memcpy(dhcp + 28, guest_mac, 6);
    memcpy(dhcp + 236, (uint8_t[]){ 99, 130, 83, 99, 53, 1, 1, 255 }, 8);
    udp(g, (uint8_t[]){ 255, 255, 255, 255 }, 68, 67, dhcp, sizeof dhcp);
    const uint8_t *r = get(g, &len);
    g_assert_nonnull(r);
    g_assert_cmpuint(len, >, 282);
    g_assert_cmpmem(r + 42 + 16, 4, guest_ip, 4);
    g_assert_cmpstr((const char *) r + 42 + 108, ==, "boot.bin");
    arp(g);
    /* ping */
    uint8_t *icmp = ip_begin(g, host_ip, IPPROTO_ICMP, 64);
    memset(icmp, 0, 64);
    icmp[0] = 8;
    make_frame(icmp + 8, 56, 9);
    st_be16(icmp + 2, (uint16_t) ~checksum_add(0, icmp, 64));
    put(g, ETH + IP + 64);
    r = get(g, &len);
    g_assert_nonnull(r);
    g_assert_cmpuint(r[34], ==, 0);
    g_assert_cmpmem(r + 42, 56, icmp + 8, 56);
    /* TFTP */
    udp(g, host_ip, 2000, 69, "\0\1boot.bin\0octet", 17);
    r = get(g, &len);
    g_assert_nonnull(r);
    g_assert_cmpmem(r + 42, 14, "\0\3\0\1" "0123456789", 14);
    /* not beyond its directory */
    udp(g, host_ip, 2001, 69, "\0\1../../etc/passwd\0octet", 25);
    r = get(g, &len);
    g_assert_true(!r || r[43] == 5);
    /* nonsense: every length and every byte of an IP header, cut short */
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t *p = ip_begin(g, host_ip, (uint8_t) (i & 1 ? IPPROTO_TCP : IPPROTO_UDP), 40);
        make_frame(p, 40, i);
        frame_of(g)[12 + i % 62] = (uint8_t) (i * 37);
        put(g, 14 + i % 60);
    }
    arp(g);
    /* the monitor's rules */
    g_assert_true(user_hostfwd_add(g->dev, "tcp:127.0.0.1:0-:22", &err));
    g_assert_false(user_hostfwd_add(g->dev, "tcp:127.0.0.1:0", &err));
    g_clear_error(&err);
    g_assert_false(user_hostfwd_remove(g->dev, "tcp:127.0.0.1:9", &err));
    g_assert_cmpstr(err->message, ==, "nothing is forwarded from 'tcp:127.0.0.1:9'");
    g_clear_error(&err);
    char *text = user_connections(g->dev);
    g_assert_nonnull(strstr(text, "10.0.2.15"));
    g_free(text);
    guest_free(g);
    unlink(file);
    rmdir(dir);
    g_free(file);
    g_free(dir);
}

/* --- TCP ----------------------------------------------------------------------------------------------- */

struct conn {
    unsigned sport, dport;
    uint32_t seq, ack;
};

/* A segment; gso != 0: longer than the wire's, with its checksum left to the backend. */
static void tcp(struct guest *g, struct conn *c, uint8_t flags, const void *data, size_t len, unsigned gso)
{
    uint8_t *t = ip_begin(g, host_ip, IPPROTO_TCP, TCP + len);

    memset(t, 0, TCP);
    st_be16(t, (uint16_t) c->sport);
    st_be16(t + 2, (uint16_t) c->dport);
    st_be32(t + 4, c->seq);
    st_be32(t + 8, c->ack);
    t[12] = 5 << 4;
    t[13] = flags;
    st_be16(t + 14, 65535);
    memcpy(t + TCP, data, len);
    uint16_t pseudo = checksum_pseudo(frame_of(g) + ETH, IPPROTO_TCP, TCP + len);
    if (gso) {
        st_be16(t + 16, pseudo);
        struct net_hdr *h = (struct net_hdr *) (void *) g->out;
        *h = (struct net_hdr){ NET_HDR_NEEDS_CSUM, len > gso ? NET_GSO_TCPV4 : NET_GSO_NONE, 54, (uint16_t) gso, 34,
                               16 };
    } else {
        st_be16(t + 16, (uint16_t) ~checksum_add(pseudo, t, TCP + len));
    }
    put(g, ETH + IP + TCP + len);
    c->seq += (uint32_t) len + !!(flags & (SYN | FIN));
}

/* The next segment of the connection; its payload.  A frame that was put together must say so rightly. */
static const uint8_t *segment(struct guest *g, const struct conn *c, uint8_t *flags, size_t *len, uint32_t *seq)
{
    const uint8_t *p;
    size_t n;

    while ((p = get(g, &n))) {
        if (n < 54 || ld_be16(p + 12) != 0x0800 || p[23] != IPPROTO_TCP || ld_be16(p + 36) != c->sport)
            continue;
        const uint8_t *t = p + 34;
        size_t head = (size_t) (t[12] >> 4) * 4, total = ld_be16(p + 16);
        g_assert_cmpuint(total, <=, n - ETH);
        g_assert_cmpuint(checksum_add(0, p + ETH, IP), ==, 0xffff);
        *flags = t[13];
        *seq = ld_be32(t + 4);
        *len = total - IP - head;
        const struct net_hdr *h = (const struct net_hdr *) (const void *) (p - g->hdr);
        uint16_t pseudo = checksum_pseudo(p + ETH, IPPROTO_TCP, total - IP);
        if (g->hdr && (h->flags & NET_HDR_NEEDS_CSUM)) {
            g_assert_cmpuint(h->gso_type, ==, NET_GSO_TCPV4);
            g_assert_cmpuint(h->csum_start, ==, 34);
            g_assert_cmpuint(h->csum_offset, ==, 16);
            g_assert_cmpuint(*len, >, h->gso_size);
            g_assert_cmpuint(ld_be16(t + 16), ==, pseudo);
        } else {
            g_assert_cmpuint(n, <=, 1514);
            g_assert_cmpuint(checksum_add(pseudo, t, total - IP), ==, 0xffff);
        }
        return t + head;
    }
    return NULL;
}

static int listener(unsigned *port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *) &in, len), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    getsockname(fd, (struct sockaddr *) &in, &len);
    *port = ntohs(in.sin_port);
    return fd;
}

static void transfer(unsigned offload)
{
    enum { OUT = 400000, IN = 1000000 };
    struct netdev_config c;
    uint8_t *data = g_malloc(IN), *back = g_malloc0(IN), flags;
    unsigned port, step = offload ? 60000 : 1400, merged = 0;
    const uint8_t *p;
    size_t len, sent = 0, got = 0;
    uint32_t seq;
    int fd = -1;

    user_config(&c);
    struct guest *g = guest_new(&c);
    if (offload) {
        vm_lock(g->vm);
        net_set_hdr(g->nic->net, HDR);
        net_set_offload(g->nic->net, offload);
        vm_unlock(g->vm);
        g->hdr = HDR;
    }
    arp(g);
    int l = listener(&port);
    struct conn k = { 4000, port, 1000, 0 };
    tcp(g, &k, SYN, "", 0, 0);
    g_assert_nonnull(segment(g, &k, &flags, &len, &seq));
    g_assert_cmpuint(flags, ==, SYN | ACK);
    k.ack = seq + 1;
    tcp(g, &k, ACK, "", 0, 0);
    until(g->vm, (fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    /* out: the guest's segments, each longer than the wire's where it may */
    make_frame(data, IN, 5);
    while (got < OUT) {
        size_t n = MIN(step, OUT - sent);
        if (n && sent - got < 60000) {
            tcp(g, &k, ACK | PSH, data + sent, n, offload ? 1460 : 0);
            sent += n;
        }
        turns(g->vm, 1);
        ssize_t r = recv(fd, back + got, OUT - got, 0);
        got += r > 0 ? (size_t) r : 0;
    }
    g_assert_cmpmem(back, OUT, data, OUT);
    /* in */
    sent = got = 0;
    memset(back, 0, IN);
    while (got < IN) {
        ssize_t r = sent < IN ? send(fd, data + sent, IN - sent, MSG_NOSIGNAL) : 0;
        sent += r > 0 ? (size_t) r : 0;
        p = segment(g, &k, &flags, &len, &seq);
        g_assert_nonnull(p);
        if (!len)
            continue;
        g_assert_cmpuint(seq, ==, k.ack);
        g_assert_cmpuint(got + len, <=, IN);
        memcpy(back + got, p, len);
        merged += len > 1460;
        got += len;
        k.ack += (uint32_t) len;
        tcp(g, &k, ACK, "", 0, 0);
    }
    g_assert_cmpmem(back, IN, data, IN);
    g_assert_cmpuint(merged > 5, ==, offload != 0);
    /* a card that takes nothing: its frames wait, and the host's sender stands still in the end */
    g->nic->room = 0;
    for (sent = 0; sent < 64 << 20;) {
        ssize_t r = send(fd, data, IN, MSG_NOSIGNAL);
        sent += r > 0 ? (size_t) r : 0;
        if (r < 0 && sent > 0) {
            turns(g->vm, 20);
            if (send(fd, data, 1, MSG_NOSIGNAL) < 0)
                break;
            sent++;
        }
    }
    g_assert_cmpuint(sent, <, 64 << 20);
    close(fd);
    close(l);
    guest_free(g);
    g_free(data);
    g_free(back);
}

static void test_tcp(void)
{
    transfer(0);
}

static void test_tcp_offload(void)
{
    transfer(NET_CSUM | NET_TSO4 | NET_TSO6);
}

/* A connection from the host by hostfwd; a checksum that points anywhere. */
static void test_forward(void)
{
    struct netdev_config c;
    unsigned port;
    int l = listener(&port), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    size_t len;

    close(l); /* a port that is free */
    user_config(&c);
    g_ptr_array_add(c.hostfwd, g_strdup_printf("tcp:127.0.0.1:%u-:22", port));
    struct guest *g = guest_new(&c);
    arp(g);
    in.sin_port = htons((uint16_t) port);
    connect(fd, (struct sockaddr *) &in, sizeof in);
    const uint8_t *p;
    while ((p = get(g, &len)) && !(ld_be16(p + 12) == 0x0800 && p[23] == IPPROTO_TCP))
        ;
    g_assert_nonnull(p);
    g_assert_cmpuint(ld_be16(p + 36), ==, 22);
    g_assert_cmpuint(p[47], ==, SYN);
    g_assert_cmpmem(p + 30, 4, guest_ip, 4);
    close(fd);
    vm_lock(g->vm);
    net_set_hdr(g->nic->net, 10);
    vm_unlock(g->vm);
    g->hdr = 10;
    for (unsigned i = 0; i < 500; i++) {
        ip_begin(g, host_ip, IPPROTO_TCP, 40);
        struct net_hdr h = { NET_HDR_NEEDS_CSUM, (uint8_t) (i % 6), (uint16_t) (i * 131), (uint16_t) (i * 7),
                             (uint16_t) (i * 997), (uint16_t) (i * 331) };
        memcpy(g->out, &h, 10);
        put(g, 74);
    }
    turns(g->vm, 20);
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/user/basics", test_basics);
    g_test_add_func("/user/tcp", test_tcp);
    g_test_add_func("/user/tcp-offload", test_tcp_offload);
    g_test_add_func("/user/forward", test_forward);
    return g_test_run();
}
