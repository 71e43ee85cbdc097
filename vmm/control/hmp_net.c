/* vmm/control/hmp_net.c - monitor commands: info network, info usernet, hostfwd_add, hostfwd_remove. */
#include "vmm/control/monitor_impl.h"
#include "vmm/net/netdev.h"

static void describe(GString *s, const char *lead, struct netdev *dev)
{
    g_string_append_printf(s, "%s%s: index=0,type=%s", lead, dev->id ? dev->id : "none", dev->type);
    if (dev->ops->describe)
        dev->ops->describe(dev, s);
    g_string_append(s, net_link_up(dev->queues[0]) ? "\n" : ",link=down\n");
    for (unsigned i = 0; i < dev->n_queues; i++) {
        const struct net *n = dev->queues[i];
        if (n->sent.frames | n->received.frames | n->sent.dropped | n->received.dropped)
            g_string_append_printf(s, "    queue %u: %" PRIu64 " frames out (%" PRIu64 " bytes, %" PRIu64
                                   " lost), %" PRIu64 " in (%" PRIu64 " bytes, %" PRIu64 " lost)\n", i, n->sent.frames,
                                   n->sent.bytes, n->sent.dropped, n->received.frames, n->received.bytes,
                                   n->received.dropped);
    }
}

/* Cards with what they are plugged into, then what no card is plugged into. */
bool info_network(struct hmp *h, GError **err)
{
    GString *s = g_string_new(NULL);
    GHashTableIter it;
    void *val;

    (void) err;
    vm_lock(h->vm);
    for (unsigned i = 0; i < h->vm->nics->len; i++) {
        struct netdev *dev = h->vm->nics->pdata[i];
        g_string_append_printf(s, "%s: index=0,type=nic,%s\n", dev->nic->name, dev->nic_info ? dev->nic_info : "");
        describe(s, " \\ ", dev);
    }
    g_hash_table_iter_init(&it, h->vm->netdevs);
    while (g_hash_table_iter_next(&it, NULL, &val))
        if (!((struct netdev *) val)->nic)
            describe(s, "", val);
    vm_unlock(h->vm);
    hmp_print(h, "%s", s->str);
    g_string_free(s, TRUE);
    return true;
}

/* The `user` netdev of this id; without one, the only one there is. */
static struct netdev *find_user(struct hmp *h, const char *id, GError **err)
{
    struct netdev *found = id ? netdev_find(h->vm, id) : NULL;
    unsigned n = 0;
    GHashTableIter it;
    void *val;

    if (id && (!found || !netdev_is_user(found))) {
        fail(err, "there is no user netdev '%s'", id);
        return NULL;
    }
    if (found)
        return found;
    g_hash_table_iter_init(&it, h->vm->netdevs);
    while (g_hash_table_iter_next(&it, NULL, &val))
        if (netdev_is_user(val)) {
            found = val;
            n++;
        }
    if (n == 1)
        return found;
    fail(err, n ? "which one? name the netdev" : "there is no user netdev");
    return NULL;
}

bool info_usernet(struct hmp *h, GError **err)
{
    GHashTableIter it;
    void *val;

    (void) err;
    g_hash_table_iter_init(&it, h->vm->netdevs);
    while (g_hash_table_iter_next(&it, NULL, &val))
        if (netdev_is_user(val)) {
            char *text = user_connections(val);
            hmp_print(h, "%s:\n%s", ((struct netdev *) val)->id, text);
            g_free(text);
        }
    return true;
}

static bool forward(struct hmp *h, bool (*fn)(struct netdev *dev, const char *rule, GError **err), GError **err)
{
    struct netdev *dev = find_user(h, h->argc > 1 ? h->argv[0] : NULL, err);

    return dev && fn(dev, h->argv[h->argc - 1], err);
}

bool hmp_hostfwd_add(struct hmp *h, GError **err)
{
    return forward(h, user_hostfwd_add, err);
}

bool hmp_hostfwd_remove(struct hmp *h, GError **err)
{
    return forward(h, user_hostfwd_remove, err);
}
