/* vmm/control/hmp_dev.c - monitor commands: keys and mouse, the screen, media, chardevs. */
#include "vmm/control/action.h"
#include "vmm/control/monitor_impl.h"
#include "vmm/ui/display.h"
#include "vmm/ui/input.h"

#include <stdio.h>

static struct console *console_of(struct hmp *h, GError **err)
{
    vm_lock(h->vm);
    struct console *con = console_first(h->vm);
    vm_unlock(h->vm);
    if (!con)
        fail(err, "this machine has no display card");
    return con;
}

bool hmp_screendump(struct hmp *h, GError **err)
{
    const char *file = NULL, *format = NULL;

    for (int i = 0; i < h->argc; i++) {
        if (!strcmp(h->argv[i], "-f") && i + 1 < h->argc)
            format = h->argv[++i];
        else if (!file)
            file = h->argv[i];
        else
            return fail(err, "usage: screendump file [-f png|ppm]");
    }
    if (!file)
        return fail(err, "usage: screendump file [-f png|ppm]");
    if (format && strcmp(format, "png") != 0 && strcmp(format, "ppm") != 0)
        return fail(err, "screendump: there is no format '%s'; use png or ppm", format);
    return action_screendump(h->vm, file, format, err);
}

bool hmp_screentext(struct hmp *h, GError **err)
{
    struct console *con = console_of(h, err);

    if (!con)
        return false;
    vm_lock(h->vm);
    char *text = console_text(con);
    vm_unlock(h->vm);
    if (!text)
        return fail(err, "the screen is in a graphics mode; use screendump");
    bool ok = true;
    if (h->argc) {
        GError *why = NULL;
        if (!g_file_set_contents(h->argv[0], text, -1, &why)) {
            ok = fail(err, "%s", why->message);
            g_error_free(why);
        }
    } else {
        hmp_print(h, "%s", text);
    }
    g_free(text);
    return ok;
}

/* --- input ------------------------------------------------------------------------------------------- */

bool hmp_sendkey(struct hmp *h, GError **err)
{
    unsigned codes[16];
    uint64_t hold = 100;
    unsigned n = input_parse_keys(h->argv[0], codes, G_N_ELEMENTS(codes), err);

    if (!n)
        return false;
    if (h->argc > 1 && !parse_u64("sendkey: hold_ms", h->argv[1], 1, 600000, &hold, err))
        return false;
    return action_send_keys(h->vm, codes, n, (unsigned) hold, err);
}

static bool delta(const char *text, int *out, GError **err)
{
    uint64_t v;
    bool negative = *text == '-';

    if (!parse_u64("mouse_move", text + negative, 0, 32767, &v, err))
        return false;
    *out = negative ? -(int) v : (int) v;
    return true;
}

bool hmp_mouse_move(struct hmp *h, GError **err)
{
    int d[3] = { 0 };

    for (int i = 0; i < h->argc; i++)
        if (!delta(h->argv[i], &d[i], err))
            return false;
    vm_lock(h->vm);
    input_rel(h->vm, d[0], d[1], d[2], *h->mouse_buttons);
    vm_unlock(h->vm);
    return true;
}

bool hmp_mouse_button(struct hmp *h, GError **err)
{
    uint64_t state;

    if (!parse_u64("mouse_button", h->argv[0], 0, 31, &state, err))
        return false;
    *h->mouse_buttons = (unsigned) state;
    vm_lock(h->vm);
    input_rel(h->vm, 0, 0, 0, *h->mouse_buttons);
    vm_unlock(h->vm);
    return true;
}

/* --- media ------------------------------------------------------------------------------------------- */

bool hmp_eject(struct hmp *h, GError **err)
{
    bool force = !strcmp(h->argv[0], "-f");

    if (h->argc != 1 + force)
        return fail(err, "usage: eject [-f] device");
    vm_lock(h->vm);
    struct blk *blk = action_need_drive(h->vm, h->argv[force], err);
    bool ok = blk && drive_eject(blk, force, err);
    vm_unlock(h->vm);
    return ok;
}

bool hmp_change(struct hmp *h, GError **err)
{
    static const char *const modes[] = { "retain", "read-only", "read-write" };
    unsigned mode = 0;

    if (h->argc > 3)
        for (mode = 0; mode < G_N_ELEMENTS(modes) && strcmp(h->argv[3], modes[mode]) != 0;)
            mode++;
    if (mode == G_N_ELEMENTS(modes))
        return fail(err, "change: '%s' is not one of: retain, read-only, read-write", h->argv[3]);
    const char *format = h->argc > 2 && *h->argv[2] ? h->argv[2] : NULL;
    vm_lock(h->vm);
    struct blk *blk = action_need_drive(h->vm, h->argv[0], err);
    bool ok = blk && drive_change_medium(blk, h->argv[1], format, (enum drive_mode) mode, err);
    vm_unlock(h->vm);
    return ok;
}

bool hmp_block_resize(struct hmp *h, GError **err)
{
    uint64_t size;

    if (!parse_size("block_resize", h->argv[1], 'M', &size, err))
        return false;
    vm_lock(h->vm);
    struct blk *blk = action_need_drive(h->vm, h->argv[0], err);
    bool ok = blk && drive_resize(blk, size, err);
    vm_unlock(h->vm);
    return ok;
}

bool hmp_snapshot_create(struct hmp *h, GError **err)
{
    return action_snapshot(h->vm, SNAPSHOT_CREATE, h->argv[0], h->argv[1], err);
}

bool hmp_snapshot_delete(struct hmp *h, GError **err)
{
    return action_snapshot(h->vm, SNAPSHOT_DELETE, h->argv[0], h->argv[1], err);
}

bool hmp_snapshot_apply(struct hmp *h, GError **err)
{
    return action_snapshot(h->vm, SNAPSHOT_APPLY, h->argv[0], h->argv[1], err);
}

/* --- links ------------------------------------------------------------------------------------------- */

bool hmp_set_link(struct hmp *h, GError **err)
{
    bool up;

    if (!parse_bool("set_link", h->argv[1], &up, err))
        return false;
    vm_lock(h->vm);
    bool ok = action_set_link(h->vm, h->argv[0], up);
    vm_unlock(h->vm);
    return ok || fail(err, "there is no netdev or NIC '%s'", h->argv[0]);
}

/* --- ringbufs ---------------------------------------------------------------------------------------- */

static struct chardev *chardev_of(struct hmp *h, const char *id, GError **err)
{
    struct chardev *c = chardev_find(h->vm, id);

    if (!c)
        fail(err, "there is no chardev '%s'; see 'info chardev'", id);
    return c;
}

bool hmp_ringbuf_read(struct hmp *h, GError **err)
{
    struct chardev *c = chardev_of(h, h->argv[0], err);
    uint64_t max;
    size_t len;

    if (!c || !parse_u64("ringbuf_read: size", h->argv[1], 1, 1 << 20, &max, err))
        return false;
    uint8_t *buf = g_malloc(max);
    vm_lock(h->vm);
    bool ok = chardev_ringbuf_read(c, buf, max, &len, err);
    vm_unlock(h->vm);
    for (size_t i = 0; ok && i < len; i++) {
        if (buf[i] == '\\')
            hmp_print(h, "\\\\");
        else if ((buf[i] < 32 && buf[i] != '\n') || buf[i] >= 127)
            hmp_print(h, "\\x%02x", buf[i]);
        else
            g_string_append_c(h->out, (char) buf[i]);
    }
    if (ok)
        hmp_print(h, "\n");
    g_free(buf);
    return ok;
}

bool hmp_ringbuf_write(struct hmp *h, GError **err)
{
    struct chardev *c = chardev_of(h, h->argv[0], err);

    if (!c)
        return false;
    vm_lock(h->vm);
    bool ok = chardev_ringbuf_write(c, (const uint8_t *) h->argv[1], strlen(h->argv[1]), err);
    vm_unlock(h->vm);
    return ok;
}

bool hmp_send_break(struct hmp *h, GError **err)
{
    struct chardev *c = chardev_of(h, h->argv[0], err);

    if (!c)
        return false;
    vm_lock(h->vm);
    if (c->fe && c->fe->event)
        c->fe->event(c->fe_opaque, CHARDEV_BREAK);
    vm_unlock(h->vm);
    return true;
}
