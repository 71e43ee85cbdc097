/* vmm/control/qmp_json.h - JSON as QMP has it: a stream cut into messages, values from text and to text.
 *
 * The reader takes bytes as they come and gives whole messages, checked by a lexer of its own: so that what is
 * too long, too deep or no JSON at all is found early, with a bound on memory, and json-glib only sees text that
 * it can't take wrongly.  Also as QEMU takes it: strings in single quotes. */
#ifndef BANTAM_CONTROL_QMP_JSON_H
#define BANTAM_CONTROL_QMP_JSON_H

#include "vmm/base/error.h"

#include <json-glib/json-glib.h>
#include <stdint.h>

enum { JSON_MAX_SIZE = 4 << 20, JSON_MAX_TOKENS = 64 << 10, JSON_MAX_DEPTH = 1024, JSON_MAX_WORD = 512 };

enum json_result {
    JSON_MORE,    /* all was used, and the message is not at its end */
    JSON_MESSAGE, /* text is a message */
    JSON_WRONG,   /* error says why; what follows is skipped up to the end of the line */
};

struct json_reader {
    GString *text; /* of the message, in strict JSON */
    const char *error;
    char stack[JSON_MAX_DEPTH]; /* what closes each level */
    unsigned depth, tokens, members; /* members: colons seen */
    int state;
    char quote;
    unsigned hex, n_hex;
    bool high;     /* the first half of a surrogate pair was read */
    size_t word;   /* where in text the number or word begins */
    bool done;     /* text is a message that was given out */
};

void json_reader_init(struct json_reader *r);
void json_reader_clear(struct json_reader *r);
void json_reader_reset(struct json_reader *r); /* forget what was begun */
/* *used: how many bytes were looked at; call again with the rest after MESSAGE and WRONG. */
enum json_result json_reader_feed(struct json_reader *r, const uint8_t *buf, size_t len, size_t *used);

/* The message as a value; NULL and *err: it is no JSON after all.  Freed by json_node_unref(). */
JsonNode *json_reader_value(const struct json_reader *r, GError **err);

/* As QEMU writes it; pretty: with line ends (\r\n, as on a monitor) and indentation. */
void json_write(GString *out, JsonNode *value, bool pretty);

#endif
