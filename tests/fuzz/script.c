/* tests/fuzz/script.c - a byte code for what guest, user and host do to the devices of a catalog_rig.
 *
 * An operation is one byte, op + 32 * n: n is a size or a variant, and the op says what follows. */
#include "tests/fuzz/fuzz.h"
#include "vmm/ui/display.h"
#include "vmm/ui/input.h"

#include <errno.h>

enum op {
    OP_OUT, OP_IN,           /* region u8, offset u16, value: in the pio space; n: log2 of the size */
    OP_STORE, OP_LOAD,       /* the same in the mem space; offset u24 */
    OP_PORT_OUT, OP_PORT_IN, /* port u16 */
    OP_MEM_OUT, OP_MEM_IN,   /* address u32 */
    OP_CONFIG_WRITE, OP_CONFIG_READ, /* function u8, offset u8 */
    OP_STEP,                 /* the clock: mantissa u8, shift u8 */
    OP_JUMP,                 /* the host stood still: the same, with no timer called on the way */
    OP_TURN,                 /* the main loop */
    OP_FILL,                 /* guest memory: address u24, length u8, bytes */
    OP_MEDIUM,               /* drive u8, size u16 in sectors of 512: a new one; a hard disk grows */
    OP_EJECT,                /* drive u8, the host's ejection */
    OP_FAIL,                 /* drive u8: n 0 the next request, else the sector u16 is bad */
    OP_HOLD, OP_RELEASE,     /* drive u8 */
    OP_SECTOR,               /* drive u8, sector u16, length u8, bytes */
    OP_FEED,                 /* chardev: length u8, bytes */
    OP_ROOM,                 /* chardev: u8, 255 all there is */
    OP_CHR_EVENT,            /* n */
    OP_KEY,                  /* u16, n: down */
    OP_POINTER,              /* dx, dy, dz, buttons u32 each; n 1: absolute */
    OP_PICTURE,              /* n 0: what changed, 1: all, 2: text, 3: idle */
    OP_RESET,                /* n 0: the device, 1: all */
    OP_SAVE,                 /* save, and load it again: must be accepted, and change nothing */
    OP_REPEAT,               /* count u8, distance u8: go back */
    N_OPS
};

enum { MAX_OPS = 2000, MAX_TIMERS = 2000, MAX_PICTURES = 3, MAX_SAVES = 2, MAX_TURNS = 2000, MAX_SHIFT = 32 };

static bool may(unsigned *budget)
{
    if (!*budget)
        return false;
    --*budget;
    return true;
}

/* --- pieces ------------------------------------------------------------------------------------- */

static struct region *pick(struct space *sp, unsigned n)
{
    unsigned have = 0;

    for (unsigned i = 0; i < sp->regions->len; i++)
        have += ((struct region *) sp->regions->pdata[i])->kind == REGION_IO;
    if (!have)
        return NULL;
    n %= have;
    for (unsigned i = 0;; i++) {
        struct region *r = sp->regions->pdata[i];
        if (r->kind == REGION_IO && n-- == 0)
            return r;
    }
}

static void access_at(struct script *s, struct space *sp, uint64_t addr, unsigned n, bool write)
{
    unsigned size = 1U << (sp == &s->r->b->vm->pio ? n % 3 : n & 3);

    if (write)
        space_write(sp, addr, input_int(s->in, size), size);
    else
        space_read(sp, addr, size);
}

static void access_region(struct script *s, struct space *sp, unsigned n, bool write)
{
    struct region *r = pick(sp, input_u8(s->in));
    uint64_t off = input_int(s->in, sp == &s->r->b->vm->pio ? 2 : 3);

    if (r && r->size)
        access_at(s, sp, r->base + off % r->size, n, write);
}

static struct pci_dev *pick_function(struct script *s)
{
    struct vm *vm = s->r->b->vm;
    unsigned n = input_u8(s->in), have = 0;
    struct pci_dev *found[8];

    for (unsigned i = 0; i < vm->devices->len && have < G_N_ELEMENTS(found); i++) {
        struct device *d = vm->devices->pdata[i];
        if (d->cls->bus && !strcmp(d->cls->bus->name, "PCI"))
            found[have++] = container_of(d, struct pci_dev, dev);
    }
    return have ? found[n % have] : NULL;
}

static void config(struct script *s, unsigned n, bool write)
{
    struct pci_dev *p = pick_function(s);
    unsigned size = 1U << n % 3, off = input_u8(s->in) & ~(size - 1);

    if (p && write)
        pci_config_write(p->pci, p->devfn, off, (uint32_t) input_int(s->in, size), size);
    else if (p)
        pci_config_read(p->pci, p->devfn, off, size);
}

static int64_t duration(struct script *s)
{
    int64_t ns = input_u8(s->in);

    return ns << input_u8(s->in) % (MAX_SHIFT + 1);
}

static void step(struct script *s, int64_t ns)
{
    struct bench *b = s->r->b;
    struct clock *c = &b->vm->clock;
    int64_t end = b->now + ns;

    while (c->running && c->head.next != &c->head && may(&s->timers)) {
        int64_t at;
        if (__builtin_sub_overflow(c->head.next->deadline, c->base, &at) || at > end)
            break;
        b->now = MAX(b->now, at);
        clock_run_timers(c);
    }
    b->now = end;
}

/* What a vCPU's way out and the main loop would do about requests. */
static void turn(struct catalog_rig *r)
{
    struct vm *vm = r->b->vm;

    for (int i = 0; i < MAX_TURNS && exec_iterate(&vm->main, false); i++) {}
    if (vm->requests & REQ_RESET)
        device_reset_all(vm);
    vm->requests = 0;
    vm->state = RUN_RUNNING;
}

static struct fake_blk *pick_drive(struct script *s)
{
    static const char *const names[] = { "disk", "floppy", "cd" };
    return g_hash_table_lookup(s->r->b->vm->blks, names[input_u8(s->in) % G_N_ELEMENTS(names)]);
}

static struct fake_chardev *chr(struct script *s)
{
    return g_hash_table_lookup(s->r->b->vm->chardevs, "chr");
}

/* block_resize; smaller would make a state that names lost sectors be refused, and rightly. */
static void grow(struct fake_blk *f, uint64_t size)
{
    if (size <= f->blk.size)
        return;
    f->data = g_realloc(f->data, size);
    memset(f->data + f->blk.size, 0, size - f->blk.size);
    f->blk.size = size;
    if (f->blk.dev_ops && f->blk.dev_ops->resized)
        f->blk.dev_ops->resized(f->blk.dev_opaque);
}

static void drive_op(struct script *s, enum op op, unsigned n)
{
    struct fake_blk *f = pick_drive(s);
    uint64_t sector = op == OP_MEDIUM || op == OP_FAIL || op == OP_SECTOR ? input_int(s->in, 2) : 0;
    size_t len = 0;
    const uint8_t *p = op == OP_SECTOR ? input_bytes(s->in, input_u8(s->in), &len) : NULL;

    if (!f)
        return;
    bool fixed = f->blk.dev && (!f->blk.dev_ops || !f->blk.dev_ops->media_changed);
    switch (op) {
    case OP_MEDIUM:
        if (fixed)
            grow(f, sector * 512);
        else
            fake_set_medium(f, sector * 512);
        break;
    case OP_EJECT:
        if (f->blk.dev_ops && f->blk.dev_ops->eject_request && n)
            f->blk.dev_ops->eject_request(f->blk.dev_opaque);
        else if (!fixed)
            fake_set_medium(f, 0);
        break;
    case OP_FAIL:
        if (n)
            f->fail_at = n == 1 ? sector * 512 : UINT64_MAX;
        else
            f->fail_next = sector & 1 ? ENOSPC : EIO;
        break;
    case OP_HOLD:
        f->hold = true;
        break;
    case OP_RELEASE:
        f->hold = n & 1;
        fake_release(f);
        break;
    default:
        if (f->data && range_fits(sector * 512, len, f->blk.size))
            memcpy(f->data + sector * 512, p, len);
    }
}

static void fill(struct script *s)
{
    uint64_t at = input_int(s->in, 3);
    size_t len;
    const uint8_t *p = input_bytes(s->in, input_u8(s->in), &len);
    uint8_t *to = len ? ram_ptr(&s->r->b->vm->ram, at, len) : NULL;

    if (to)
        memcpy(to, p, len);
}

static void feed(struct script *s)
{
    size_t len;
    const uint8_t *p = input_bytes(s->in, input_u8(s->in), &len);

    if (chr(s)->chr.fe)
        fake_feed(chr(s), p, len);
}

static void chr_event(struct script *s, unsigned n)
{
    struct chardev *c = &chr(s)->chr;
    static const enum chardev_event events[] = { CHARDEV_OPENED, CHARDEV_CLOSED, CHARDEV_BREAK };

    if (n % 3 != 2)
        c->open = n % 3 == 0;
    if (c->fe && c->fe->event)
        c->fe->event(c->fe_opaque, events[n % 3]);
}

static void pointer(struct script *s, unsigned n)
{
    struct vm *vm = s->r->b->vm;
    int v[3];

    for (int i = 0; i < 3; i++)
        v[i] = (int) (int16_t) input_int(s->in, 2);
    if (n & 1)
        input_abs(vm, v[0] & 0x7fff, v[1] & 0x7fff, v[2], input_u8(s->in));
    else
        input_rel(vm, v[0], v[1], v[2], input_u8(s->in));
}

static void picture(struct script *s, unsigned n)
{
    struct console *con = console_first(s->r->b->vm);
    struct rect dirty;

    if (!con || !may(&s->pictures))
        return;
    if (n == 2)
        g_free(console_text(con));
    else if (n == 3)
        console_idle(con);
    else
        console_update(con, n & 1, &dirty);
}

void script_settle(struct catalog_rig *r)
{
    GHashTableIter it;
    void *p;

    for (int i = 0; i < 4; i++) {
        g_hash_table_iter_init(&it, r->b->vm->blks);
        while (g_hash_table_iter_next(&it, NULL, &p)) {
            ((struct fake_blk *) p)->hold = false;
            fake_release(p);
        }
        turn(r);
    }
}

static bool overdue(const struct clock *c)
{
    return c->head.next != &c->head && c->head.next->deadline <= clock_read(c);
}

static GByteArray *load_again(struct script *s, GByteArray *state)
{
    GError *err = NULL;

    if (!device_load(s->r->d, state->data, state->len, &err))
        g_error("%s: its own state is refused: %s", s->r->d->cls->name, err->message);
    return catalog_rig_save(s->r);
}

/* Loading what was saved changes nothing; but a timer that should have fired may be set anew: then loading
 * what that makes changes nothing. */
static void save_load(struct script *s)
{
    if (!may(&s->saves))
        return;
    script_settle(s->r);
    bool late = overdue(&s->r->b->vm->clock);
    GByteArray *a = catalog_rig_save(s->r), *b = load_again(s, a), *c = load_again(s, b);
    char *text = catalog_state_differs(late ? b : a, late ? c : b);
    if (text)
        g_error("%s: loading what was just saved changes it: %s", s->r->d->cls->name, text);
    g_byte_array_unref(a);
    g_byte_array_unref(b);
    g_byte_array_unref(c);
}

/* --- the script --------------------------------------------------------------------------------- */

static void run_op(struct script *s, enum op op, unsigned n)
{
    struct vm *vm = s->r->b->vm;

    switch (op) {
    case OP_OUT: case OP_IN:             access_region(s, &vm->pio, n, op == OP_OUT); break;
    case OP_STORE: case OP_LOAD:         access_region(s, &vm->mem, n, op == OP_STORE); break;
    case OP_PORT_OUT: case OP_PORT_IN:
        access_at(s, &vm->pio, input_int(s->in, 2), n, op == OP_PORT_OUT);
        break;
    case OP_MEM_OUT: case OP_MEM_IN:
        access_at(s, &vm->mem, input_int(s->in, 4), n, op == OP_MEM_OUT);
        break;
    case OP_CONFIG_WRITE: case OP_CONFIG_READ: config(s, n, op == OP_CONFIG_WRITE); break;
    case OP_STEP:                        step(s, duration(s)); break;
    case OP_JUMP:
        s->r->b->now += duration(s);
        clock_run_timers(&vm->clock);
        break;
    case OP_TURN:                        turn(s->r); break;
    case OP_FILL:                        fill(s); break;
    case OP_MEDIUM: case OP_EJECT: case OP_FAIL: case OP_HOLD: case OP_RELEASE: case OP_SECTOR:
        drive_op(s, op, n);
        break;
    case OP_FEED:                        feed(s); break;
    case OP_ROOM: {
        uint8_t room = input_u8(s->in);
        fake_room(chr(s), room == 255 ? SIZE_MAX : room);
        break;
    }
    case OP_CHR_EVENT:                   chr_event(s, n); break;
    case OP_KEY:                         input_key(vm, (unsigned) input_int(s->in, 2), n & 1); break;
    case OP_POINTER:                     pointer(s, n); break;
    case OP_PICTURE:                     picture(s, n); break;
    case OP_RESET:
        if (n & 1)
            device_reset_all(vm);
        else
            device_reset(s->r->d);
        break;
    case OP_SAVE:                        save_load(s); break;
    case OP_REPEAT: case N_OPS:          break;
    }
}

void script_run(struct catalog_rig *r, struct input *in)
{
    const uint8_t *start = in->p;
    struct script s = { .r = r, .in = in, .ops = MAX_OPS, .timers = MAX_TIMERS, .pictures = MAX_PICTURES,
                        .saves = MAX_SAVES };
    unsigned again = 0;

    while (input_left(in) && may(&s.ops)) {
        uint8_t b = input_u8(in);
        if ((b & 31) == OP_REPEAT) {
            unsigned count = input_u8(in), back = input_u8(in);
            if (again < count && back <= (size_t) (in->p - start))
                in->p -= back, again++;
            else
                again = 0;
        } else if ((b & 31) < N_OPS) {
            run_op(&s, b & 31, b >> 5);
        }
    }
    script_settle(r);
}
