/*
 * bench/pair.c - runs two programs in turn and compares them.
 *
 *   pair [-n ROUNDS] [-w WARMUPS] [-t SECONDS] [-x STATUS] [-u TEXT] [-v] -- OURS ARG... -- THEIRS ARG...
 *
 *   -n   rounds (default 15); a round runs each program once, and every other round the other one first
 *   -w   rounds that don't count, to fill the page cache (default 1)
 *   -t   limit of one run in seconds (default 60)
 *   -x   exit status that a run must have (default 0)
 *   -u   measure up to the moment when TEXT has come out of the program, not to its end
 *   -v   the figures of every round on standard error
 *
 * Prints one line for the time and one for the peak memory, for bench/run to set out:
 *   time OURS THEIRS RATIO LOW HIGH     microseconds (medians), median of the rounds' ratios, its quartiles
 *   rss  OURS THEIRS RATIO LOW HIGH     the same in KiB
 * The ratio is taken within a round and its median over the rounds: a machine that is busy for a while slows
 * both programs of a round, so ratios hold still where times don't.
 *
 * This is a program of its own because of the memory figure: a child's ru_maxrss begins with what its
 * parent had resident at the fork, so the parent has to be small.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct figure {
    double us, kib;
};

struct options {
    int rounds, warmups, limit, status, verbose;
    const char *until;
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void die(const char *what, char **argv)
{
    fprintf(stderr, "pair: %s: %s\n", argv[0], what);
    exit(1);
}

/* Reads the program's output until it ends, and notes when `text` was complete. */
static double read_output(int fd, const char *text, double deadline)
{
    char buf[65536], tail[256];
    size_t keep = text ? strlen(text) - 1 : 0, have = 0;
    double seen = 0;
    ssize_t n;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        double left = deadline - now_us();
        if (left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) == 0)
            return -1;
        n = read(fd, buf + have, sizeof(buf) - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return seen;
        have += n;
        if (text && seen == 0 && memmem(buf, have, text, keep + 1))
            seen = now_us();
        if (have > keep) {              /* what a text cut in two needs stays */
            memcpy(tail, buf + have - keep, keep);
            memcpy(buf, tail, keep);
            have = keep;
        }
    }
}

static struct figure run_once(const struct options *o, char **argv)
{
    int out[2], status;
    struct rusage ru;

    if (pipe2(out, O_CLOEXEC) < 0)
        die("no pipe", argv);
    double start = now_us();
    pid_t pid = vfork();
    if (pid < 0)
        die("no process", argv);
    if (pid == 0) {
        dup2(out[1], o->until ? 1 : 9); /* 9: only its closing is of interest, for the time limit */
        execvp(argv[0], argv);
        _exit(127);
    }
    close(out[1]);
    double seen = read_output(out[0], o->until, start + o->limit * 1e6);
    if (seen < 0)
        kill(pid, SIGKILL);
    close(out[0]);
    while (wait4(pid, &status, 0, &ru) < 0)
        if (errno != EINTR)
            die("lost", argv);
    double end = now_us();
    if (seen < 0)
        die("reached the time limit", argv);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != o->status) {
        fprintf(stderr, "pair: %s: ended with %s %d instead of status %d\n", argv[0],
                WIFEXITED(status) ? "status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), o->status);
        exit(1);
    }
    if (o->until && seen == 0)
        die("ended without the text that -u waits for", argv);
    return (struct figure){ (o->until ? seen : end) - start, ru.ru_maxrss };
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The value at part `q` (0 to 1) of the sorted ones. */
static double quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;

    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

static void print_line(const char *name, double *ours, double *theirs, int n)
{
    double *ratio = calloc(n, sizeof(*ratio));

    if (!ratio)
        exit(1);
    for (int i = 0; i < n; i++)
        ratio[i] = ours[i] / theirs[i];
    qsort(ours, n, sizeof(*ours), compare);
    qsort(theirs, n, sizeof(*theirs), compare);
    qsort(ratio, n, sizeof(*ratio), compare);
    printf("%s %.0f %.0f %.4f %.4f %.4f\n", name, quantile(ours, n, 0.5), quantile(theirs, n, 0.5),
           quantile(ratio, n, 0.5), quantile(ratio, n, 0.25), quantile(ratio, n, 0.75));
    free(ratio);
}

int main(int argc, char **argv)
{
    struct options o = { .rounds = 15, .warmups = 1, .limit = 60 };
    int c;

    while ((c = getopt(argc, argv, "+n:w:t:x:u:v")) != -1) {
        switch (c) {
        case 'n': o.rounds = atoi(optarg); break;
        case 'w': o.warmups = atoi(optarg); break;
        case 't': o.limit = atoi(optarg); break;
        case 'x': o.status = atoi(optarg); break;
        case 'u': o.until = optarg; break;
        case 'v': o.verbose = 1; break;
        default: return 2;
        }
    }
    char **a = argv + optind, **b = a;
    while (*b && strcmp(*b, "--") != 0)
        b++;
    if (b == a || !*b || !b[1] || o.rounds < 1 || o.limit < 1 ||
        (o.until && (!*o.until || strlen(o.until) > 200))) {
        fprintf(stderr, "usage: pair [OPTIONS] -- OURS ARG... -- THEIRS ARG...\n");
        return 2;
    }
    *b++ = NULL;
    double *v = calloc(4 * (size_t)o.rounds, sizeof(*v));
    if (!v)
        return 1;
    double *us[2] = { v, v + o.rounds }, *kib[2] = { v + 2 * o.rounds, v + 3 * o.rounds };
    for (int i = -o.warmups; i < o.rounds; i++) {
        struct figure f[2];
        for (int k = 0; k < 2; k++) {
            int who = (i & 1) ^ k;
            f[who] = run_once(&o, who ? b : a);
        }
        for (int who = 0; i >= 0 && who < 2; who++) {
            us[who][i] = f[who].us;
            kib[who][i] = f[who].kib;
        }
        if (o.verbose)
            fprintf(stderr, "round %d: %.0f us beside %.0f us, %.0f KiB beside %.0f KiB\n", i, f[0].us,
                    f[1].us, f[0].kib, f[1].kib);
    }
    print_line("time", us[0], us[1], o.rounds);
    print_line("rss", kib[0], kib[1], o.rounds);
    free(v);
    return 0;
}
