/* tests/tools/nettool.c - run in a guest or beside it: what network tests need and busybox has not.
 *
 *   nettool recv PORT             take one TCP connection on PORT; what comes goes to stdout
 *   nettool send HOST PORT        what comes on stdin goes there
 *   nettool sink PORT [N]         take N connections (1), read each to its end, say "BYTES SECONDS" of each
 *   nettool source PORT BYTES [N] take N connections (1), send so many bytes on each, wait for the other's end
 *   nettool push HOST PORT BYTES  send so many bytes, wait for the other's end; says "BYTES SECONDS"
 *   nettool pull HOST PORT        read to the end; says "BYTES SECONDS"
 *   nettool gen BYTES SEED        so many bytes to stdout, the same ones for the same seed
 *   nettool udp-echo PORT N       answer N datagrams
 *   nettool udp-ask HOST PORT SIZE N   N datagrams of SIZE bytes, one after the other; says how many answers were right
 *   nettool queues IF N           ethtool -L IF combined N
 *   nettool max-queues IF         says how many there may be, and how many are used
 *   nettool feature IF NAME 0|1   NAME: tso gso sg tx rx gro lro ufo, as ethtool -K
 *   nettool stat IF NAME          one of ethtool -S, or the sum of those that NAME's * stands for
 * A HOST that does not listen yet is tried again for ten seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };

static void die(const char *what)
{
    fprintf(stderr, "nettool: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(port)) };

    if (host && inet_pton(AF_INET, host, &a.sin_addr) != 1) {
        errno = EINVAL;
        die(host);
    }
    return a;
}

static int listener(const char *port)
{
    struct sockaddr_in a = address(NULL, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *) &a, sizeof a) || listen(fd, 5))
        die("listen");
    return fd;
}

static int take(int l)
{
    int fd = accept(l, NULL, NULL);

    if (fd < 0)
        die("accept");
    return fd;
}

static int dial(const char *host, const char *port)
{
    struct sockaddr_in a = address(host, port);

    for (int i = 0;; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(fd, (struct sockaddr *) &a, sizeof a))
            return fd;
        if (i == 100)
            die("connect");
        close(fd);
        usleep(100000);
    }
}

static void write_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0)
            die("write");
        p += n;
        len -= (size_t) n;
    }
}

static char *buffer(void)
{
    char *p = malloc(CHUNK);

    for (int i = 0; i < CHUNK; i++)
        p[i] = (char) (i * 7 + i / 256);
    return p;
}

static uint64_t pump(int from, int to)
{
    char *buf = buffer();
    uint64_t all = 0;

    for (ssize_t n; (n = read(from, buf, CHUNK)) != 0;) {
        if (n < 0)
            die("read");
        if (to >= 0)
            write_all(to, buf, (size_t) n);
        all += (uint64_t) n;
    }
    free(buf);
    return all;
}

static void send_bytes(int fd, uint64_t bytes)
{
    char *buf = buffer();

    for (uint64_t left = bytes; left;) {
        size_t n = left < CHUNK ? (size_t) left : CHUNK;
        write_all(fd, buf, n);
        left -= n;
    }
    shutdown(fd, SHUT_WR);
    if (read(fd, buf, 1) < 0) /* the other side has all of it */
        die("the end");
    free(buf);
}

static void report(uint64_t bytes, double seconds)
{
    printf("%llu %.4f\n", (unsigned long long) bytes, seconds);
    fflush(stdout);
}

static void gen(uint64_t bytes, uint64_t x)
{
    uint64_t *buf = malloc(CHUNK);

    for (x = x * 2 + 1; bytes;) {
        for (size_t i = 0; i < CHUNK / 8; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            buf[i] = x;
        }
        size_t n = bytes < CHUNK ? (size_t) bytes : CHUNK;
        write_all(1, (char *) buf, n);
        bytes -= n;
    }
    free(buf);
}

static int udp(const char *port)
{
    struct sockaddr_in a = address(NULL, port ? port : "0");
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (bind(fd, (struct sockaddr *) &a, sizeof a))
        die("bind");
    return fd;
}

static int udp_echo(const char *port, int n)
{
    static char buf[65536];
    int fd = udp(port);

    while (n--) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        ssize_t got = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *) &from, &len);
        if (got < 0 || sendto(fd, buf, (size_t) got, 0, (struct sockaddr *) &from, len) != got)
            die("echo");
    }
    return 0;
}

static int udp_ask(const char *host, const char *port, size_t size, int n)
{
    static char out[65536], in[65536];
    struct sockaddr_in to = address(host, port);
    int fd = udp(NULL), right = 0;

    for (int i = 0; i < n; i++) {
        struct pollfd p = { fd, POLLIN, 0 };
        for (size_t k = 0; k < size; k++)
            out[k] = (char) (k * 31 + (size_t) i);
        if (sendto(fd, out, size, 0, (struct sockaddr *) &to, sizeof to) != (ssize_t) size)
            die("sendto");
        if (poll(&p, 1, 2000) == 1 && recv(fd, in, sizeof in, 0) == (ssize_t) size && !memcmp(in, out, size))
            right++;
    }
    printf("%d\n", right);
    return right == n ? 0 : 1;
}

static void ethtool(const char *name, void *cmd)
{
    struct ifreq r = { .ifr_data = cmd };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    if (ioctl(fd, SIOCETHTOOL, &r))
        die("ethtool");
    close(fd);
}

static int queues(const char *name, const char *n)
{
    struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };

    ethtool(name, &c);
    if (!n) {
        printf("%u %u\n", c.max_combined, c.combined_count);
        return 0;
    }
    c.cmd = ETHTOOL_SCHANNELS;
    c.combined_count = (uint32_t) atoi(n);
    ethtool(name, &c);
    return 0;
}

static int feature(const char *name, const char *what, const char *on)
{
    static const struct {
        const char *name;
        uint32_t cmd;
    } all[] = { { "tso", ETHTOOL_STSO }, { "gso", ETHTOOL_SGSO }, { "sg", ETHTOOL_SSG }, { "tx", ETHTOOL_STXCSUM },
                { "rx", ETHTOOL_SRXCSUM }, { "gro", ETHTOOL_SGRO }, { "ufo", ETHTOOL_SUFO } };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!strcmp(all[i].name, what)) {
            struct ethtool_value v = { .cmd = all[i].cmd, .data = (uint32_t) atoi(on) };
            ethtool(name, &v);
            return 0;
        }
    }
    return 2;
}

static int stat_of(const char *name, const char *pattern)
{
    enum { MAX = 2000 };
    struct { struct ethtool_sset_info i; uint32_t n; } info = { { .cmd = ETHTOOL_GSSET_INFO,
                                                                 .sset_mask = 1 << ETH_SS_STATS }, 0 };
    struct ethtool_gstrings *s = calloc(1, sizeof *s + MAX * ETH_GSTRING_LEN);
    struct ethtool_stats *v = calloc(1, sizeof *v + MAX * 8);
    unsigned long long sum = 0;

    ethtool(name, &info);
    if (info.n > MAX)
        return 1;
    *s = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = info.n };
    *v = (struct ethtool_stats){ .cmd = ETHTOOL_GSTATS, .n_stats = info.n };
    ethtool(name, s);
    ethtool(name, v);
    for (uint32_t i = 0; i < info.n; i++)
        if (!fnmatch(pattern, (char *) s->data + i * ETH_GSTRING_LEN, 0))
            sum += v->data[i];
    printf("%llu\n", sum);
    return 0;
}

static int server(const char *what, int argc, char **argv)
{
    int source = !strcmp(what, "source"), l = listener(argv[2]);
    int n = argc > 3 + source ? atoi(argv[3 + source]) : 1;

    while (n--) {
        int fd = take(l);
        double t = now();
        if (source)
            send_bytes(fd, strtoull(argv[3], NULL, 0));
        else {
            uint64_t bytes = pump(fd, -1);
            report(bytes, now() - t);
        }
        close(fd);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    double t;

    if (!strcmp(what, "recv") && argc == 3) {
        pump(take(listener(argv[2])), 1);
    } else if (!strcmp(what, "send") && argc == 4) {
        int fd = dial(argv[2], argv[3]);
        char c;
        pump(0, fd);
        shutdown(fd, SHUT_WR);
        if (read(fd, &c, 1) < 0)
            die("the end");
    } else if ((!strcmp(what, "sink") && argc >= 3) || (!strcmp(what, "source") && argc >= 4)) {
        return server(what, argc, argv);
    } else if (!strcmp(what, "push") && argc == 5) {
        int fd = dial(argv[2], argv[3]);
        t = now();
        send_bytes(fd, strtoull(argv[4], NULL, 0));
        report(strtoull(argv[4], NULL, 0), now() - t);
    } else if (!strcmp(what, "pull") && argc == 4) {
        int fd = dial(argv[2], argv[3]);
        t = now();
        uint64_t bytes = pump(fd, -1);
        report(bytes, now() - t);
    } else if (!strcmp(what, "gen") && argc == 4) {
        gen(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
    } else if (!strcmp(what, "udp-echo") && argc == 4) {
        return udp_echo(argv[2], atoi(argv[3]));
    } else if (!strcmp(what, "udp-ask") && argc == 6) {
        return udp_ask(argv[2], argv[3], (size_t) atoi(argv[4]) % 65508, atoi(argv[5]));
    } else if (!strcmp(what, "queues") && argc == 4) {
        return queues(argv[2], argv[3]);
    } else if (!strcmp(what, "max-queues") && argc == 3) {
        return queues(argv[2], NULL);
    } else if (!strcmp(what, "feature") && argc == 5) {
        return feature(argv[2], argv[3], argv[4]);
    } else if (!strcmp(what, "stat") && argc == 4) {
        return stat_of(argv[2], argv[3]);
    } else {
        return 2;
    }
    return 0;
}
