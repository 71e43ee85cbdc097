/* tests/unit/nettest.h - a VM without a machine, and cards that record, for the tests of network backends. */
#ifndef BANTAM_TESTS_NETTEST_H
#define BANTAM_TESTS_NETTEST_H

#include "vmm/core/vm.h"
#include "vmm/net/netdev.h"

#include <errno.h>
#include <unistd.h>

struct test_nic {
    struct device d;
    struct net *net;
    GPtrArray *got;   /* GByteArray *: received, the header included */
    size_t room;      /* frames that it takes before it is full */
    bool lies;        /* can_receive says yes all the same, and receive() is busy */
    bool echo;        /* sends back what it gets */
    unsigned writable, depth, ends;
    bool link;
};

static inline bool nic_can_receive(void *opaque)
{
    const struct test_nic *nic = opaque;

    return nic->room || nic->lies;
}

static inline enum net_result nic_receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len)
{
    struct test_nic *nic = opaque;

    g_assert_cmpuint(nic->depth, ==, 0);
    if (!nic->room)
        return NET_BUSY;
    nic->room--;
    nic->depth++;
    GByteArray *a = g_byte_array_new();
    g_byte_array_set_size(a, (guint) len);
    g_assert_cmpuint(iov_copy_out(iov, niov, 0, a->data, len), ==, len);
    g_ptr_array_add(nic->got, a);
    if (nic->echo)
        net_send(nic->net, iov, niov, len, false);
    nic->depth--;
    return NET_TAKEN;
}

static inline void nic_received(void *opaque)
{
    ((struct test_nic *) opaque)->ends++;
}

static inline void nic_writable(void *opaque)
{
    ((struct test_nic *) opaque)->writable++;
}

static inline void nic_link(void *opaque, bool up)
{
    ((struct test_nic *) opaque)->link = up;
}

static inline struct vm *test_vm(void)
{
    struct vm *vm = vm_new(NULL, NULL);

    vm->state = RUN_RUNNING;
    return vm;
}

static inline void free_frame(void *p)
{
    g_byte_array_unref(p);
}

static inline struct test_nic *nic_new(struct vm *vm, struct netdev *dev, unsigned queue, struct test_nic *first)
{
    static const struct nic_ops ops = { nic_can_receive, nic_receive, nic_received, nic_writable, nic_link };
    struct test_nic *nic = g_new0(struct test_nic, 1);
    GError *err = NULL;

    nic->d.vm = vm;
    nic->d.name = "nic";
    nic->got = g_ptr_array_new_with_free_func(free_frame);
    nic->room = SIZE_MAX;
    nic->link = true;
    nic->net = net_attach(first ? &first->d : &nic->d, dev, queue, &ops, nic, &err);
    g_assert_no_error(err);
    return nic;
}

static inline void nic_free(struct test_nic *nic)
{
    net_detach(nic->net);
    g_ptr_array_free(nic->got, TRUE);
    g_free(nic);
}

static inline void test_end(struct vm *vm)
{
    netdev_free_all(vm);
    vm_free(vm);
}

/* Turn the loop until `cond`; a test that waits for ten seconds has failed. */
#define until(vm, cond)                                                             \
    do {                                                                            \
        gint64 end_ = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;                 \
        while (!(cond)) {                                                           \
            if (!exec_iterate(&(vm)->main, false))                                  \
                g_usleep(200);                                                      \
            if (g_get_monotonic_time() > end_)                                      \
                g_error("%s:%d: waited for: %s", __FILE__, __LINE__, #cond);        \
        }                                                                           \
    } while (0)

static inline void turns(struct vm *vm, unsigned ms)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;

    while (g_get_monotonic_time() < end)
        if (!exec_iterate(&vm->main, false))
            g_usleep(200);
}

static inline enum net_result nic_send(struct test_nic *nic, const void *frame, size_t len, bool more)
{
    vm_lock(nic->d.vm);
    enum net_result r = net_send(nic->net, &(struct iovec){ (void *) frame, len }, 1, len, more);
    vm_unlock(nic->d.vm);
    return r;
}

static inline void nic_room(struct test_nic *nic, size_t room)
{
    vm_lock(nic->d.vm);
    nic->room = room;
    net_accept(nic->net);
    vm_unlock(nic->d.vm);
}

static inline GByteArray *nic_got(struct test_nic *nic, unsigned i)
{
    g_assert_cmpuint(i, <, nic->got->len);
    return nic->got->pdata[i];
}

/* A frame that tells its number and length apart from every other. */
static inline void make_frame(uint8_t *p, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t) (i * 7 + seed * 31 + (i >> 8));
}

static inline void check_frame(const GByteArray *a, size_t len, unsigned seed)
{
    uint8_t *want = g_malloc(len);

    make_frame(want, len, seed);
    g_assert_cmpmem(a->data, a->len, want, len);
    g_free(want);
}

static inline struct netdev *open_netdev(struct vm *vm, struct netdev_config *c)
{
    GError *err = NULL;
    char what[64];

    g_snprintf(what, sizeof what, "netdev '%s'", c->id);
    netdev_config_check(c, what, &err);
    g_assert_no_error(err);
    struct netdev *dev = netdev_open(vm, c, &err);
    g_assert_no_error(err);
    netdev_config_clear(c);
    return dev;
}

static inline void config(struct netdev_config *c, int kind, const char *id)
{
    netdev_config_init(c);
    c->kind = kind;
    c->id = g_strdup(id);
}

#endif
