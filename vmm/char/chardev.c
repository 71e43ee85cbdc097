/* vmm/char/chardev.c - the front of every character backend. */
#include "vmm/char/chardev.h"
#include "vmm/core/vm.h"

bool chardev_attach(struct chardev *c, const struct chardev_fe *fe, void *opaque, const char *user,
                    GError **err)
{
    if (c->ops->attach)
        return c->ops->attach(c, fe, opaque, user, err);
    if (c->fe)
        return fail(err, "chardev '%s' is already used by '%s'", c->id, c->user);
    c->fe = fe;
    c->fe_opaque = opaque;
    c->user = user;
    if (c->ops->set_fe)
        c->ops->set_fe(c);
    if (c->open && fe->event)
        fe->event(opaque, CHARDEV_OPENED);
    return true;
}

void chardev_detach_from(struct chardev *c, void *opaque)
{
    if (c && c->ops->detach)
        c->ops->detach(c, opaque);
    else if (c && c->fe && c->fe_opaque == opaque)
        chardev_detach(c);
}

void chardev_detach(struct chardev *c)
{
    if (c && c->ops->detach) {
        c->ops->detach(c, NULL);
        return;
    }
    if (!c || !c->fe)
        return;
    c->fe = NULL;
    c->user = NULL;
    if (c->ops->set_fe)
        c->ops->set_fe(c);
}

size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    if (!c)
        return len;
    size_t n = c->ops->write(c, buf, len);
    if (c->log && n && fwrite(buf, 1, n, c->log) != n)
        clearerr(c->log); /* a full disk costs the log, not the guest */
    return n;
}

void chardev_accept(struct chardev *c)
{
    if (c && c->ops->accept)
        c->ops->accept(c);
}

void chardev_set_params(struct chardev *c, unsigned baud, char parity, unsigned bits, unsigned stop)
{
    if (c && c->ops->set_params)
        c->ops->set_params(c, baud, parity, bits, stop);
}

void chardev_set_break(struct chardev *c, bool on)
{
    if (c && c->ops->set_break)
        c->ops->set_break(c, on);
}
