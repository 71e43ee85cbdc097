/* vmm/control/qmp_json.c - JSON messages from a stream, and back into text. */
#include "vmm/control/qmp_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BETWEEN, WORD, STRING, ESCAPE, HEX, SKIP };

void json_reader_init(struct json_reader *r)
{
    *r = (struct json_reader){ .text = g_string_new(NULL) };
}

void json_reader_clear(struct json_reader *r)
{
    g_string_free(r->text, TRUE);
}

void json_reader_reset(struct json_reader *r)
{
    g_string_truncate(r->text, 0);
    if (r->text->allocated_len > 65536) { /* what one long message took is not kept */
        g_string_free(r->text, TRUE);
        r->text = g_string_new(NULL);
    }
    r->depth = r->tokens = r->members = 0;
    r->state = BETWEEN;
    r->high = r->done = false;
}

static bool wrong(struct json_reader *r, const char *why)
{
    r->error = why;
    return false;
}

/* --- the lexer ---------------------------------------------------------------------------------------- */

static const char *digits(const char *p)
{
    while (g_ascii_isdigit(*p))
        p++;
    return p;
}

static bool is_number(const char *p, bool *integer)
{
    const char *q;

    *integer = true;
    p += *p == '-';
    if (!(q = digits(p), q > p) || (*p == '0' && q > p + 1))
        return false;
    p = q;
    if (*p == '.') {
        *integer = false;
        if (!(q = digits(++p), q > p))
            return false;
        p = q;
    }
    if (*p == 'e' || *p == 'E') {
        *integer = false;
        p++;
        p += *p == '+' || *p == '-';
        if (!(q = digits(p), q > p))
            return false;
        p = q;
    }
    return !*p;
}

static bool end_word(struct json_reader *r)
{
    const char *w = r->text->str + r->word;
    bool integer;

    r->state = BETWEEN;
    if (!strcmp(w, "true") || !strcmp(w, "false") || !strcmp(w, "null"))
        return true;
    if (!is_number(w, &integer))
        return wrong(r, "JSON parse error, invalid keyword or number");
    if (!isfinite(g_ascii_strtod(w, NULL)))
        return wrong(r, "JSON parse error, a number is too large");
    errno = 0;
    g_ascii_strtoll(w, NULL, 10);
    if (integer && errno == ERANGE) /* no int64: then it is a floating point number */
        g_string_append(r->text, ".0");
    return true;
}

static bool token(struct json_reader *r)
{
    return ++r->tokens <= JSON_MAX_TOKENS || wrong(r, "JSON token count limit exceeded");
}

static bool is_word(uint8_t c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '+' || c == '.';
}

static bool between(struct json_reader *r, uint8_t c)
{
    switch (c) {
    case ' ': case '\t': case '\r': case '\n':
        if (r->depth)
            g_string_append_c(r->text, ' '); /* so that words stay apart */
        return true;
    case '{': case '[':
        if (r->depth == JSON_MAX_DEPTH)
            return wrong(r, "JSON nesting depth limit exceeded");
        r->stack[r->depth++] = c == '{' ? '}' : ']';
        break;
    case '}': case ']':
        if (!r->depth || r->stack[r->depth - 1] != (char) c)
            return wrong(r, "JSON parse error, a bracket has no partner");
        r->depth--;
        break;
    case ':':
        r->members++;
        break;
    case ',':
        break;
    case '"': case '\'':
        r->quote = (char) c;
        r->state = STRING;
        c = '"';
        break;
    default:
        if (!is_word(c))
            return wrong(r, "JSON parse error, stray character");
        r->word = r->text->len;
        r->state = WORD;
    }
    g_string_append_c(r->text, (char) c);
    return token(r);
}

static bool in_string(struct json_reader *r, uint8_t c)
{
    if (r->high && c != '\\')
        return wrong(r, "JSON parse error, half of a surrogate pair");
    if (c == (uint8_t) r->quote) {
        r->state = BETWEEN;
        g_string_append_c(r->text, '"');
        return true;
    }
    if (c < 32)
        return wrong(r, "JSON parse error, control character in a string");
    if (c == '\\')
        r->state = ESCAPE;
    else if (c == '"')
        g_string_append(r->text, "\\\"");
    else
        g_string_append_c(r->text, (char) c);
    return true;
}

static bool in_escape(struct json_reader *r, uint8_t c)
{
    if (r->high && c != 'u')
        return wrong(r, "JSON parse error, half of a surrogate pair");
    r->state = STRING;
    switch (c) {
    case '\'':
        g_string_append_c(r->text, '\'');
        return true;
    case 'u':
        r->state = HEX;
        r->hex = r->n_hex = 0;
        break;
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        break;
    default:
        return wrong(r, "JSON parse error, unknown escape in a string");
    }
    g_string_append_c(r->text, '\\');
    g_string_append_c(r->text, (char) c);
    return true;
}

static bool in_hex(struct json_reader *r, uint8_t c)
{
    if (!g_ascii_isxdigit(c))
        return wrong(r, "JSON parse error, four hexadecimal digits follow \\u");
    g_string_append_c(r->text, (char) c);
    r->hex = r->hex << 4 | (unsigned) g_ascii_xdigit_value((char) c);
    if (++r->n_hex < 4)
        return true;
    r->state = STRING;
    bool low = r->hex >= 0xdc00 && r->hex <= 0xdfff;
    if (!r->hex)
        return wrong(r, "JSON parse error, a string can't have \\u0000");
    if (low != r->high)
        return wrong(r, "JSON parse error, half of a surrogate pair");
    r->high = r->hex >= 0xd800 && r->hex <= 0xdbff;
    return true;
}

static bool step(struct json_reader *r, uint8_t c)
{
    switch (r->state) {
    case WORD:
        if (is_word(c)) {
            g_string_append_c(r->text, (char) c);
            return r->text->len - r->word <= JSON_MAX_WORD ||
                   wrong(r, "JSON parse error, invalid keyword or number");
        }
        return end_word(r) && (r->depth ? between(r, c) : true);
    case STRING: return in_string(r, c);
    case ESCAPE: return in_escape(r, c);
    case HEX: return in_hex(r, c);
    default: return between(r, c);
    }
}

enum json_result json_reader_feed(struct json_reader *r, const uint8_t *buf, size_t len, size_t *used)
{
    if (r->done)
        json_reader_reset(r);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = buf[i];
        bool reset = c == 0xff || c == 0xfe; /* in no UTF-8 there is: a client that starts over */
        *used = i + 1;
        if (r->state == SKIP) {
            if (reset || (c < 32 && c != '\t'))
                json_reader_reset(r);
            continue;
        }
        bool top_word = r->state == WORD && !r->depth;
        bool ok = reset ? wrong(r, "JSON parse error, stray character") : step(r, c);
        if (ok && r->text->len > JSON_MAX_SIZE)
            ok = wrong(r, "JSON token size limit exceeded");
        if (!ok) {
            json_reader_reset(r);
            if (!reset && c != '\n')
                r->state = SKIP;
            return JSON_WRONG;
        }
        if (r->text->len && !r->depth && r->state == BETWEEN) {
            *used -= top_word; /* what ended the word is of the next message */
            r->done = true;
            return JSON_MESSAGE;
        }
    }
    *used = len;
    return JSON_MORE;
}

/* --- values ------------------------------------------------------------------------------------------- */

static unsigned count_members(JsonNode *n)
{
    unsigned sum = 0;

    if (JSON_NODE_HOLDS_OBJECT(n)) {
        JsonObjectIter it;
        JsonNode *m;
        json_object_iter_init(&it, json_node_get_object(n));
        while (json_object_iter_next(&it, NULL, &m))
            sum += 1 + count_members(m);
    } else if (JSON_NODE_HOLDS_ARRAY(n)) {
        JsonArray *a = json_node_get_array(n);
        for (unsigned i = 0; i < json_array_get_length(a); i++)
            sum += count_members(json_array_get_element(a, i));
    }
    return sum;
}

JsonNode *json_reader_value(const struct json_reader *r, GError **err)
{
    if (!g_utf8_validate(r->text->str, (gssize) r->text->len, NULL)) {
        fail(err, "JSON parse error, a string is not UTF-8");
        return NULL;
    }
    JsonParser *p = json_parser_new_immutable();
    JsonNode *n = NULL;
    if (json_parser_load_from_data(p, r->text->str, (gssize) r->text->len, NULL)) {
        n = json_parser_get_root(p);
        n = n ? json_node_ref(n) : NULL;
    }
    g_object_unref(p);
    if (!n) {
        fail(err, "JSON parse error, a comma, colon or value is missing or out of place");
    } else if (count_members(n) != r->members) {
        json_node_unref(n);
        n = NULL;
        fail(err, "JSON parse error, a member of an object is there twice");
    }
    return n;
}

/* --- text --------------------------------------------------------------------------------------------- */

static void write_string(GString *out, const char *s)
{
    static const char short_of[] = "\b\f\n\r\t", names[] = "bfnrt";

    g_string_append_c(out, '"');
    for (; *s; s = g_utf8_next_char(s)) {
        gunichar c = g_utf8_get_char(s);
        const char *at = c < 32 ? strchr(short_of, (int) c) : NULL;
        if (at)
            g_string_append_printf(out, "\\%c", names[at - short_of]);
        else if (c == '"' || c == '\\')
            g_string_append_printf(out, "\\%c", (char) c);
        else if (c >= 0x10000)
            g_string_append_printf(out, "\\u%04X\\u%04X", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
        else if (c < 32 || c >= 127)
            g_string_append_printf(out, "\\u%04X", c);
        else
            g_string_append_c(out, (char) c);
    }
    g_string_append_c(out, '"');
}

static void new_line(GString *out, bool pretty, unsigned depth)
{
    if (pretty)
        g_string_append_printf(out, "\r\n%*s", (int) depth * 4, "");
}

static void write_value(GString *out, JsonNode *n, bool pretty, unsigned depth)
{
    bool first = true;

    if (JSON_NODE_HOLDS_OBJECT(n)) {
        JsonObjectIter it;
        const char *name;
        JsonNode *m;
        g_string_append_c(out, '{');
        json_object_iter_init_ordered(&it, json_node_get_object(n));
        while (json_object_iter_next_ordered(&it, &name, &m)) {
            g_string_append(out, first ? "" : pretty ? "," : ", ");
            new_line(out, pretty, depth + 1);
            write_string(out, name);
            g_string_append(out, ": ");
            write_value(out, m, pretty, depth + 1);
            first = false;
        }
        new_line(out, pretty, depth);
        g_string_append_c(out, '}');
    } else if (JSON_NODE_HOLDS_ARRAY(n)) {
        JsonArray *a = json_node_get_array(n);
        g_string_append_c(out, '[');
        for (unsigned i = 0; i < json_array_get_length(a); i++) {
            g_string_append(out, !i ? "" : pretty ? "," : ", ");
            new_line(out, pretty, depth + 1);
            write_value(out, json_array_get_element(a, i), pretty, depth + 1);
        }
        new_line(out, pretty, depth);
        g_string_append_c(out, ']');
    } else if (JSON_NODE_HOLDS_NULL(n)) {
        g_string_append(out, "null");
    } else {
        switch (json_node_get_value_type(n)) {
        case G_TYPE_BOOLEAN: g_string_append(out, json_node_get_boolean(n) ? "true" : "false"); break;
        case G_TYPE_STRING: write_string(out, json_node_get_string(n)); break;
        case G_TYPE_DOUBLE: {
            char buf[G_ASCII_DTOSTR_BUF_SIZE];
            g_string_append(out, g_ascii_formatd(buf, sizeof buf, "%.17g", json_node_get_double(n) + 0.0)); /* no -0 */
            break;
        }
        default: g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(n));
        }
    }
}

void json_write(GString *out, JsonNode *value, bool pretty)
{
    write_value(out, value, pretty, 0);
}
