/* vmm/base/log.h - run-time tracing, guest errors, warnings.
 *
 * A `log` belongs to one VM.  A `tracer` is a named source of trace lines (each device has one; core
 * parts have theirs); whether it is on is decided once, when it is created or when the patterns change,
 * so that an unused TRACE costs one predictable branch.  All functions may be called from any thread. */
#ifndef BANTAM_BASE_LOG_H
#define BANTAM_BASE_LOG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct tracer {
    const char *name; /* not owned; lives as long as the tracer */
    bool on;
    struct log *log;
    GList link; /* in log->tracers */
    /* Rate limit of guest errors: at most 10 in a window of a second. */
    int64_t window_start;
    unsigned in_window, suppressed;
};

struct log {
    FILE *out;           /* -D FILE, or stderr; owned when own_out */
    bool own_out;
    bool guest_errors;   /* -d guest_errors */
    bool time_of_day;    /* -msg timestamp=on: lines begin with it; else with the host's uptime */
    GPtrArray *patterns; /* -trace globs, owned strings */
    GQueue tracers;
    GMutex mutex;
};

void log_init(struct log *log);
void log_clear(struct log *log);
bool log_open(struct log *log, const char *path, GError **err); /* -D */
void log_enable(struct log *log, const char *glob);             /* -trace GLOB: `*` and `?` */
/* what matches is off, and so is the same pattern for the future */
void log_disable(struct log *log, const char *glob);

void tracer_init(struct tracer *t, struct log *log, const char *name);
void tracer_clear(struct tracer *t);

void tracer_print(struct tracer *t, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void tracer_guest_error(struct tracer *t, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* A line of trace: TRACER(&s->trace, "..."). */
#define TRACER(t, ...)                     \
    do {                                   \
        if (G_UNLIKELY((t)->on))           \
            tracer_print((t), __VA_ARGS__); \
    } while (0)

/* "2024-05-01T12:34:56.123456Z"; caller frees. */
char *log_time_of_day(void);

/* A warning to the user on stderr, prefixed "bantam: warning: ". */
void warn_user(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

#endif
