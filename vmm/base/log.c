/* vmm/base/log.c - run-time tracing, guest errors, warnings. */
#include "vmm/base/log.h"
#include "vmm/base/error.h"
#include "vmm/base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>

enum { ERRORS_PER_WINDOW = 10 };

void log_init(struct log *log)
{
    *log = (struct log){ .out = stderr };
    log->patterns = g_ptr_array_new_with_free_func(g_free);
    g_queue_init(&log->tracers);
    g_mutex_init(&log->mutex);
}

void log_clear(struct log *log)
{
    if (log->own_out)
        fclose(log->out);
    g_ptr_array_free(log->patterns, TRUE);
    g_mutex_clear(&log->mutex);
}

bool log_open(struct log *log, const char *path, GError **err)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return fail(err, "-D: cannot write '%s': %s", path, g_strerror(errno));
    setvbuf(f, NULL, _IOLBF, 0);
    if (log->own_out)
        fclose(log->out);
    log->out = f;
    log->own_out = true;
    return true;
}

static bool log_matches(const struct log *log, const char *name)
{
    for (unsigned i = 0; i < log->patterns->len; i++)
        if (g_pattern_match_simple(log->patterns->pdata[i], name))
            return true;
    return false;
}

void log_enable(struct log *log, const char *glob)
{
    g_mutex_lock(&log->mutex);
    g_ptr_array_add(log->patterns, g_strdup(glob));
    for (GList *l = log->tracers.head; l; l = l->next) {
        struct tracer *t = l->data;
        t->on = log_matches(log, t->name);
    }
    g_mutex_unlock(&log->mutex);
}

void log_disable(struct log *log, const char *glob)
{
    g_mutex_lock(&log->mutex);
    for (unsigned i = log->patterns->len; i--;)
        if (!strcmp(log->patterns->pdata[i], glob))
            g_ptr_array_remove_index(log->patterns, i);
    for (GList *l = log->tracers.head; l; l = l->next) {
        struct tracer *t = l->data;
        if (g_pattern_match_simple(glob, t->name))
            t->on = false;
    }
    g_mutex_unlock(&log->mutex);
}

void tracer_init(struct tracer *t, struct log *log, const char *name)
{
    *t = (struct tracer){ .name = name, .log = log };
    t->link.data = t;
    g_mutex_lock(&log->mutex);
    t->on = log_matches(log, name);
    g_queue_push_tail_link(&log->tracers, &t->link);
    g_mutex_unlock(&log->mutex);
}

void tracer_clear(struct tracer *t)
{
    if (!t->log)
        return;
    g_mutex_lock(&t->log->mutex);
    g_queue_unlink(&t->log->tracers, &t->link);
    g_mutex_unlock(&t->log->mutex);
    t->log = NULL;
}

char *log_time_of_day(void)
{
    int64_t us = g_get_real_time();
    time_t secs = us / G_USEC_PER_SEC;
    struct tm tm;
    char day[32];

    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", gmtime_r(&secs, &tm));
    return g_strdup_printf("%s.%06dZ", day, (int) (us % G_USEC_PER_SEC));
}

static void print(struct tracer *t, const char *kind, const char *fmt, va_list ap)
{
    char *text = g_strdup_vprintf(fmt, ap);
    int64_t us = g_get_monotonic_time();
    char *stamp = t->log->time_of_day ? log_time_of_day()
                                      : g_strdup_printf("[%" G_GINT64_FORMAT ".%06d]", us / 1000000,
                                                        (int) (us % 1000000));

    fprintf(t->log->out, "%s %s%s: %s\n", stamp, kind, t->name, text);
    g_free(stamp);
    g_free(text);
}

void tracer_print(struct tracer *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    print(t, "", fmt, ap);
    va_end(ap);
}

/* Is this error within the rate?  Says how many were left out when a new window opens. */
static bool within_rate(struct tracer *t)
{
    int64_t now = g_get_monotonic_time();

    if (now - t->window_start > 1000000) {
        if (t->suppressed)
            fprintf(t->log->out, "guest error: %s: %u more were not shown\n", t->name, t->suppressed);
        t->window_start = now;
        t->in_window = t->suppressed = 0;
    }
    if (t->in_window < ERRORS_PER_WINDOW) {
        t->in_window++;
        return true;
    }
    t->suppressed++;
    return false;
}

void tracer_guest_error(struct tracer *t, const char *fmt, ...)
{
    va_list ap;

    if (!t->log->guest_errors && !t->on)
        return;
    g_mutex_lock(&t->log->mutex);
    if (within_rate(t)) {
        va_start(ap, fmt);
        print(t, "guest error: ", fmt, ap);
        va_end(ap);
    }
    g_mutex_unlock(&t->log->mutex);
}

void warn_user(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    fprintf(stderr, "bantam: warning: %s\n", text);
    g_free(text);
}
