/* vmm/ui/input.c - input events find their device; key names; combinations that are typed by themselves.
 *
 * Combinations wait for one another: one is pressed, held, released, and as long again passes before the
 * next, so that a guest that is slow to look sees every one. */
#include "vmm/ui/input.h"
#include "vmm/core/vm.h"
#include "vmm/ui/keynames.h"

#define NAME(name, code) name,
#define NAME_AND_CODE(name, code) { name, code },
const char *const input_key_names[] = { KEY_NAMES(NAME) NULL };
static const struct key_name {
    const char *name;
    uint16_t code;
} key_names[] = { KEY_NAMES(NAME_AND_CODE) };

enum { MAX_COMBO = 16, MAX_COMBOS = 256, MAX_HOLD_MS = 60000 };

struct combo {
    unsigned codes[MAX_COMBO];
    unsigned n, hold_ms;
};

struct input {
    struct vm *vm;
    GQueue handlers; /* newest first */
    GQueue combos;   /* struct combo *: the first is being typed */
    bool held;
    struct timer timer;
    unsigned leds;
};

static void combo_step(void *opaque);

static struct input *input_of(struct vm *vm)
{
    if (!vm->input) {
        vm->input = g_new0(struct input, 1);
        vm->input->vm = vm;
        g_queue_init(&vm->input->handlers);
        g_queue_init(&vm->input->combos);
        timer_init(&vm->input->timer, vm, combo_step, vm->input);
    }
    return vm->input;
}

void input_free(struct vm *vm)
{
    struct input *in = vm->input;

    if (!in)
        return;
    timer_stop(&in->timer);
    for (struct combo *c; (c = g_queue_pop_head(&in->combos));)
        g_free(c);
    g_free(in);
    vm->input = NULL;
}

void input_add_handler(struct vm *vm, struct input_handler *h)
{
    h->link = (GList){ .data = h };
    g_queue_push_head_link(&input_of(vm)->handlers, &h->link);
}

void input_remove_handler(struct vm *vm, struct input_handler *h)
{
    if (!vm->input || h->link.data != h)
        return;
    g_queue_unlink(&vm->input->handlers, &h->link);
    h->link.data = NULL;
    if (!vm->input->handlers.length) /* the board is being taken apart */
        input_free(vm);
}

/* --- events ----------------------------------------------------------------------------------------- */

#define FIND(vm, what)                                                                   \
    ({                                                                                   \
        struct input_handler *found_ = NULL;                                             \
        for (GList *l_ = (vm)->input ? (vm)->input->handlers.head : NULL; l_ && !found_; l_ = l_->next) \
            if (((struct input_handler *) l_->data)->what)                               \
                found_ = l_->data;                                                       \
        found_;                                                                          \
    })

void input_key(struct vm *vm, unsigned code, bool down)
{
    struct input_handler *h = FIND(vm, key);

    if (h)
        h->key(h->opaque, code, down);
}

void input_rel(struct vm *vm, int dx, int dy, int dz, unsigned buttons)
{
    struct input_handler *h = FIND(vm, rel);

    if (h)
        h->rel(h->opaque, dx, dy, dz, buttons);
}

void input_abs(struct vm *vm, int x, int y, int dz, unsigned buttons)
{
    struct input_handler *h = FIND(vm, abs);

    if (h)
        h->abs(h->opaque, CLAMP(x, 0, 32767), CLAMP(y, 0, 32767), dz, buttons);
}

void input_each_pointer(struct vm *vm, void (*fn)(void *opaque, const char *name, bool absolute, bool current),
                        void *opaque)
{
    bool first = true;

    for (GList *l = vm->input ? vm->input->handlers.head : NULL; l; l = l->next) {
        const struct input_handler *h = l->data;
        if (!h->rel && !h->abs)
            continue;
        fn(opaque, h->name, h->abs != NULL, first);
        first = false;
    }
}

bool input_is_absolute(struct vm *vm)
{
    return FIND(vm, abs) != NULL;
}

void input_set_leds(struct vm *vm, unsigned leds)
{
    input_of(vm)->leds = leds & 7;
}

unsigned input_leds(struct vm *vm)
{
    return vm->input ? vm->input->leds : 0;
}

/* --- names ------------------------------------------------------------------------------------------ */

static unsigned scan_to_code(uint64_t v)
{
    if (v >= 0xe000 && v <= 0xe07f)
        v = (v & 0x7f) | 0x80;
    if (v > 0xff)
        return 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(key_scans); i++)
        if (key_scans[i].scan == v)
            return key_scans[i].code;
    return v <= KEY_F12 && (v <= KEY_KPDOT || v >= KEY_102ND) ? (unsigned) v : 0;
}

static unsigned parse_key(const char *name, GError **err)
{
    if (name[0] == '0' && (name[1] == 'x' || name[1] == 'X')) {
        char *end;
        unsigned code = scan_to_code(g_ascii_strtoull(name, &end, 16));
        if (code && !*end && end > name + 2)
            return code;
        fail(err, "'%s' is no scan code: 0x01 to 0x7f, or with 0x80 added for the extended keys", name);
        return 0;
    }
    if (!*name) {
        fail(err, "a key's name is missing (the key '-' is 'minus')");
        return 0;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(key_names); i++)
        if (!strcmp(name, key_names[i].name))
            return key_names[i].code;
    char *hint = nearest_hint(name, input_key_names);
    fail(err, "unknown key '%s'%s", name, hint);
    g_free(hint);
    return 0;
}

unsigned input_parse_keys(const char *text, unsigned *codes, unsigned max, GError **err)
{
    char **list = g_strsplit(text, "-", -1);
    unsigned n = 0;

    for (char **p = list; *p; p++) {
        if (n == max) {
            fail(err, "'%s' has more than %u keys", text, max);
            n = 0;
            break;
        }
        if (!(codes[n] = parse_key(*p, err))) {
            n = 0;
            break;
        }
        n++;
    }
    if (!list[0])
        fail(err, "no key is named");
    g_strfreev(list);
    return n;
}

/* --- combinations ----------------------------------------------------------------------------------- */

static void combo_step(void *opaque)
{
    struct input *in = opaque;
    struct combo *c = g_queue_peek_head(&in->combos);

    if (!c)
        return;
    int64_t hold = c->hold_ms * NS_PER_MS;
    if (!in->held) {
        in->held = true;
        for (unsigned i = 0; i < c->n; i++)
            input_key(in->vm, c->codes[i], true);
    } else {
        in->held = false;
        for (unsigned i = c->n; i-- > 0;)
            input_key(in->vm, c->codes[i], false);
        g_free(g_queue_pop_head(&in->combos));
    }
    timer_at(&in->timer, clock_now(in->vm) + hold); /* also after the last one: the next may come soon */
}

bool input_send_combo(struct vm *vm, const unsigned *codes, unsigned n, unsigned hold_ms)
{
    struct input *in = vm->input;

    if (!in || !n || in->combos.length >= MAX_COMBOS)
        return false;
    struct combo *c = g_new0(struct combo, 1);
    c->n = MIN(n, MAX_COMBO);
    c->hold_ms = MIN(hold_ms, MAX_HOLD_MS);
    memcpy(c->codes, codes, c->n * sizeof *codes);
    g_queue_push_tail(&in->combos, c);
    if (!timer_armed(&in->timer))
        combo_step(in);
    return true;
}
