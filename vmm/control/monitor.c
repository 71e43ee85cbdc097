/* vmm/control/monitor.c - a monitor on a chardev: bytes to lines, with editing; output with back-pressure.
 *
 * Keys: arrows, Home, End, Delete, Backspace, Ctrl-A E B F P N D H K U W L C, Tab; others that a terminal
 * sends are ignored. */
#include "vmm/control/monitor_impl.h"

enum { INPUT_SIZE = 4096, LINE_SIZE = 4096, HISTORY_SIZE = 64, OUTPUT_STEP = 4096 };
enum escape { ESC_NONE, ESC_ESC, ESC_CSI, ESC_SS3 };

static const char prompt[] = "(bantam) ";
static const char banner[] = "Bantam monitor - type 'help' for more information\n";

struct monitor {
    struct vm *vm;
    struct chardev *chr;
    bool is_mux, focus; /* focus: the terminal is ours (always, without a mux) */
    bool greeted;
    GByteArray *in;     /* received, not yet looked at */
    GSource *work;      /* in the main loop, while there is input */
    GString *out;       /* not yet taken by the chardev */
    GString *line;
    size_t cursor;
    enum escape esc;
    unsigned esc_arg;
    bool last_cr;       /* a \n after \r is the same Enter */
    GPtrArray *history; /* char *, oldest first */
    unsigned history_at; /* history->len: the line being typed */
    char *typed;        /* that line, while an older one is shown */
    unsigned mouse_buttons;
};

/* --- output --------------------------------------------------------------------------------------------- */

static void flush(struct monitor *m) /* under the lock */
{
    if (m->out->len) {
        size_t n = chardev_write(m->chr, (const uint8_t *) m->out->str, m->out->len);
        g_string_erase(m->out, 0, (gssize) n);
    }
}

static void put(struct monitor *m, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            g_string_append_c(m->out, '\r');
        g_string_append_c(m->out, *text);
    }
}

static void show_prompt(struct monitor *m)
{
    if (!m->focus || m->vm->done || (__atomic_load_n(&m->vm->requests, __ATOMIC_ACQUIRE) & REQ_EXIT))
        return;
    put(m, prompt);
    g_string_append_len(m->out, m->line->str, (gssize) m->line->len);
    for (size_t i = m->cursor; i < m->line->len; i++)
        put(m, "\b");
}

/* --- line editing ----------------------------------------------------------------------------- */

/* Print the line again from `from`, which is where the terminal's cursor is, and go to the cursor. */
static void redraw(struct monitor *m, size_t from)
{
    put(m, m->line->str + from);
    put(m, "\033[K");
    for (size_t i = m->cursor; i < m->line->len; i++)
        put(m, "\b");
}

static void move_to(struct monitor *m, size_t to)
{
    for (; m->cursor > to; m->cursor--)
        put(m, "\b");
    for (; m->cursor < to; m->cursor++)
        g_string_append_c(m->out, m->line->str[m->cursor]);
}

static void erase(struct monitor *m, size_t from, size_t to)
{
    move_to(m, from);
    g_string_erase(m->line, (gssize) from, (gssize) (to - from));
    redraw(m, from);
}

static void insert(struct monitor *m, const char *text, size_t len)
{
    if (m->line->len + len > LINE_SIZE)
        return;
    size_t from = m->cursor;
    g_string_insert_len(m->line, (gssize) from, text, (gssize) len);
    m->cursor += len;
    if (m->cursor == m->line->len)
        g_string_append_len(m->out, text, (gssize) len);
    else
        redraw(m, from);
}

static void replace_line(struct monitor *m, const char *text)
{
    move_to(m, 0);
    g_string_assign(m->line, text);
    m->cursor = m->line->len;
    redraw(m, 0);
}

static void recall(struct monitor *m, int step)
{
    unsigned to = m->history_at + (unsigned) step;

    if (to > m->history->len) /* also past the oldest, by wrapping */
        return;
    if (m->history_at == m->history->len) {
        g_free(m->typed);
        m->typed = g_strdup(m->line->str);
    }
    m->history_at = to;
    replace_line(m, to == m->history->len ? m->typed : m->history->pdata[to]);
}

static size_t word_before(const struct monitor *m)
{
    size_t i = m->cursor;

    while (i && m->line->str[i - 1] == ' ')
        i--;
    while (i && m->line->str[i - 1] != ' ')
        i--;
    return i;
}

static void complete(struct monitor *m)
{
    size_t start, common;
    GPtrArray *found = hmp_complete(m->vm, m->line->str, m->cursor, &start);
    size_t typed = m->cursor - start;

    if (found->len) {
        const char *first = found->pdata[0];
        common = strlen(first);
        for (unsigned i = 1; i < found->len; i++)
            for (size_t k = 0; k < common; k++)
                if (((char *) found->pdata[i])[k] != first[k])
                    common = k;
        if (common > typed)
            insert(m, first + typed, common - typed);
        if (found->len == 1) {
            insert(m, " ", 1);
        } else if (common <= typed) {
            put(m, "\n");
            for (unsigned i = 0; i < found->len; i++) {
                put(m, found->pdata[i]);
                put(m, i + 1 < found->len ? "  " : "\n");
            }
            show_prompt(m);
        }
    }
    g_ptr_array_free(found, TRUE);
}

static void remember(struct monitor *m)
{
    GPtrArray *h = m->history;

    if (m->line->len && (!h->len || strcmp(h->pdata[h->len - 1], m->line->str) != 0)) {
        if (h->len == HISTORY_SIZE)
            g_ptr_array_remove_index(h, 0);
        g_ptr_array_add(h, g_strdup(m->line->str));
    }
    m->history_at = h->len;
}

static void enter(struct monitor *m)
{
    GString *out = g_string_new(NULL);

    move_to(m, m->line->len);
    put(m, "\n");
    remember(m);
    char *line = g_strdup(m->line->str);
    g_string_truncate(m->line, 0);
    m->cursor = 0;
    hmp_run(m->vm, line, out, &m->mouse_buttons);
    put(m, out->str);
    show_prompt(m);
    g_free(line);
    g_string_free(out, TRUE);
}

static void csi_key(struct monitor *m, uint8_t c)
{
    switch (c) {
    case 'A': recall(m, -1); break;
    case 'B': recall(m, 1); break;
    case 'C': move_to(m, MIN(m->cursor + 1, m->line->len)); break;
    case 'D': move_to(m, m->cursor ? m->cursor - 1 : 0); break;
    case 'H': move_to(m, 0); break;
    case 'F': move_to(m, m->line->len); break;
    case '~':
        if (m->esc_arg == 1 || m->esc_arg == 7)
            move_to(m, 0);
        else if (m->esc_arg == 4 || m->esc_arg == 8)
            move_to(m, m->line->len);
        else if (m->esc_arg == 3 && m->cursor < m->line->len)
            erase(m, m->cursor, m->cursor + 1);
        break;
    default: break;
    }
}

static bool escape_key(struct monitor *m, uint8_t c)
{
    switch (m->esc) {
    case ESC_ESC:
        m->esc = c == '[' ? ESC_CSI : c == 'O' ? ESC_SS3 : ESC_NONE;
        m->esc_arg = 0;
        return true;
    case ESC_CSI:
        if (g_ascii_isdigit(c)) {
            m->esc_arg = MIN(m->esc_arg * 10 + (c - '0'), 1000);
            return true;
        }
        if (c == ';')
            return true;
        m->esc = ESC_NONE;
        csi_key(m, c);
        return true;
    case ESC_SS3:
        m->esc = ESC_NONE;
        csi_key(m, c);
        return true;
    default: return false;
    }
}

#define CTRL(c) ((c) & 0x1f)
static void key(struct monitor *m, uint8_t c)
{
    bool after_cr = m->last_cr;

    m->last_cr = c == '\r';
    if (escape_key(m, c))
        return;
    switch (c) {
    case '\n':
        if (after_cr)
            break; /* fall through */
    case '\r': enter(m); break;
    case 27: m->esc = ESC_ESC; break;
    case 8: case 127:
        if (m->cursor)
            erase(m, m->cursor - 1, m->cursor);
        break;
    case CTRL('A'): move_to(m, 0); break;
    case CTRL('E'): move_to(m, m->line->len); break;
    case CTRL('B'): csi_key(m, 'D'); break;
    case CTRL('F'): csi_key(m, 'C'); break;
    case CTRL('P'): recall(m, -1); break;
    case CTRL('N'): recall(m, 1); break;
    case CTRL('D'):
        if (m->cursor < m->line->len)
            erase(m, m->cursor, m->cursor + 1);
        break;
    case CTRL('K'): erase(m, m->cursor, m->line->len); break;
    case CTRL('U'): erase(m, 0, m->cursor); break;
    case CTRL('W'): erase(m, word_before(m), m->cursor); break;
    case CTRL('C'): erase(m, 0, m->line->len); break;
    case CTRL('L'):
        put(m, "\033[H\033[2J");
        show_prompt(m);
        break;
    case '\t': complete(m); break;
    default:
        if (c >= 32)
            insert(m, (const char *) &c, 1);
    }
}

/* --- the chardev's side ----------------------------------------------------------------------- */

/* Main loop, no lock held: looks at what came in until there is no more, or the output is not taken. */
static gboolean work(gpointer opaque)
{
    struct monitor *m = opaque;

    vm_lock(m->vm);
    while (m->in->len && !m->out->len && !m->vm->done) {
        uint8_t c;
        do { /* to the end of a line, so that the echo goes out in one piece */
            c = m->in->data[0];
            g_byte_array_remove_index(m->in, 0);
            vm_unlock(m->vm);
            key(m, c);
            vm_lock(m->vm);
        } while (m->in->len && c != '\r' && c != '\n' && m->out->len < OUTPUT_STEP);
        flush(m);
    }
    g_source_destroy(m->work);
    g_source_unref(m->work);
    m->work = NULL;
    chardev_accept(m->chr);
    vm_unlock(m->vm);
    return G_SOURCE_REMOVE;
}

static void wake(struct monitor *m)
{
    if (m->work || !m->in->len)
        return;
    m->work = g_idle_source_new();
    g_source_set_priority(m->work, G_PRIORITY_DEFAULT);
    g_source_set_callback(m->work, work, m, NULL);
    g_source_attach(m->work, m->vm->main.ctx);
}

static size_t can_receive(void *opaque)
{
    const struct monitor *m = opaque;

    /* Nothing new while there is work: so who sends commands and closes its end still gets the answers. */
    return m->out->len || m->in->len ? 0 : INPUT_SIZE;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct monitor *m = opaque;

    g_byte_array_append(m->in, buf, (guint) len);
    wake(m);
}

static void greet(struct monitor *m)
{
    if (!m->greeted)
        put(m, banner);
    m->greeted = true;
    show_prompt(m);
    flush(m);
}

static void event(void *opaque, enum chardev_event ev)
{
    struct monitor *m = opaque;

    switch (ev) {
    case CHARDEV_OPENED:
        if (!m->is_mux) {
            m->focus = true;
            greet(m);
        }
        break;
    case CHARDEV_CLOSED:
        m->greeted = false;
        m->esc = ESC_NONE;
        m->cursor = 0;
        g_string_truncate(m->line, 0);
        g_string_truncate(m->out, 0);
        g_byte_array_set_size(m->in, 0);
        break;
    case CHARDEV_MUX_IN:
        m->focus = true;
        put(m, "\n");
        greet(m);
        break;
    case CHARDEV_MUX_OUT:
        m->focus = false;
        put(m, "\n");
        flush(m);
        break;
    default: break;
    }
}

static void writable(void *opaque)
{
    struct monitor *m = opaque;

    flush(m);
    if (!m->out->len) {
        wake(m);
        chardev_accept(m->chr);
    }
}

static const struct chardev_fe fe = { can_receive, receive, event, writable };

struct monitor *monitor_open(struct vm *vm, const struct opt_monitor *opt, GError **err)
{
    struct chardev *chr = chardev_find(vm, opt->chardev);

    if (!chr) {
        fail(err, "monitor: there is no chardev with id '%s'", opt->chardev);
        return NULL;
    }
    struct monitor *m = g_new0(struct monitor, 1);
    m->vm = vm;
    m->chr = chr;
    m->is_mux = chr->ops->attach != NULL;
    m->in = g_byte_array_new();
    m->out = g_string_new(NULL);
    m->line = g_string_new(NULL);
    m->history = g_ptr_array_new_with_free_func(g_free);
    vm_lock(vm);
    bool ok = chardev_attach(chr, &fe, m, "monitor", err);
    vm_unlock(vm);
    if (ok)
        return m;
    m->chr = NULL;
    monitor_close(m);
    return NULL;
}

void monitor_close(struct monitor *m)
{
    if (!m)
        return;
    if (m->chr) {
        vm_lock(m->vm);
        if (m->focus && m->greeted)
            put(m, "\n");
        flush(m);
        chardev_detach_from(m->chr, m);
        vm_unlock(m->vm);
    }
    if (m->work) {
        g_source_destroy(m->work);
        g_source_unref(m->work);
    }
    g_byte_array_free(m->in, TRUE);
    g_string_free(m->out, TRUE);
    g_string_free(m->line, TRUE);
    g_ptr_array_free(m->history, TRUE);
    g_free(m->typed);
    g_free(m);
}
