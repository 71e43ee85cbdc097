/* vmm/kvm/ioevents.c - what saves exits: ioeventfds, and rings of coalesced writes.
 *
 * The descriptor of an eventfd must not be closed while a mapped region names it: take it out of the region
 * first. */
#include "vmm/kvm/internal.h"

/* --- ioeventfds ------------------------------------------------------------------------------- */

static bool same_efd(const struct kvm_efd *a, const struct kvm_efd *b)
{
    return a->addr == b->addr && a->size == b->size && a->pio == b->pio && a->match == b->match &&
           a->fd == b->fd && (!a->match || a->value == b->value);
}

static bool find_efd(const GArray *in, const struct kvm_efd *e)
{
    for (unsigned i = 0; i < in->len; i++)
        if (same_efd(&g_array_index(in, struct kvm_efd, i), e))
            return true;
    return false;
}

static int put_efd(struct kvm *k, const struct kvm_efd *e, bool on)
{
    struct kvm_ioeventfd arg = {
        .addr = e->addr, .len = e->size, .fd = e->fd, .datamatch = e->match ? e->value : 0,
        .flags = (e->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) | (e->pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
                 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
    };

    return kvm_ioctl(k->fd, KVM_IOEVENTFD, &arg);
}

static GArray *wanted_efds(const struct view *v, bool pio)
{
    GArray *want = g_array_new(FALSE, FALSE, sizeof(struct kvm_efd));

    for (unsigned i = 0; i < v->n; i++) {
        const struct range *p = &v->ranges[i];
        for (unsigned j = 0; j < p->r->n_efds; j++) {
            const struct region_eventfd *e = &p->r->efds[j];
            if (e->off < p->off || !range_fits(e->off - p->off, e->size ? e->size : 1, p->size))
                continue;
            struct kvm_efd k = { .addr = p->addr + (e->off - p->off),
                                 .size = e->size,
                                 .fd = e->fd,
                                 .pio = pio,
                                 .match = e->match,
                                 .value = e->value };
            g_array_append_val(want, k);
        }
    }
    return want;
}

void kvm_sync_ioevents(struct kvm *k, bool pio, const struct view *view)
{
    GArray *want = wanted_efds(view, pio);

    for (unsigned i = 0; i < k->efds->len;) {
        struct kvm_efd *e = &g_array_index(k->efds, struct kvm_efd, i);
        if (e->pio != pio || find_efd(want, e)) {
            i++;
            continue;
        }
        put_efd(k, e, false);
        g_array_remove_index_fast(k->efds, i);
    }
    for (unsigned i = 0; i < want->len; i++) {
        struct kvm_efd *e = &g_array_index(want, struct kvm_efd, i);
        if (find_efd(k->efds, e))
            continue;
        /* Refused (two BARs in one place, no more descriptors): the writes exit to the device as ever. */
        int r = put_efd(k, e, true);
        if (r == 0)
            g_array_append_val(k->efds, *e);
        else
            tracer_guest_error(&k->trace, "no eventfd at 0x%" PRIx64 ": %s", e->addr, g_strerror(-r));
    }
    g_array_free(want, TRUE);
}

/* --- coalesced writes ------------------------------------------------------------------------- */

static bool find_zone(const GArray *in, const struct kvm_zone *z)
{
    for (unsigned i = 0; i < in->len; i++)
        if (memcmp(&g_array_index(in, struct kvm_zone, i), z, sizeof *z) == 0)
            return true;
    return false;
}

static void put_zone(struct kvm *k, const struct kvm_zone *z, bool on)
{
    struct kvm_coalesced_mmio_zone arg = { .addr = z->addr, .size = z->size, .pio = z->pio };

    kvm_ioctl(k->fd, on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO,
              &arg); /* failing: no batches */
}

static GArray *wanted_zones(const struct view *v, bool pio)
{
    GArray *want = g_array_new(FALSE, FALSE, sizeof(struct kvm_zone));

    for (unsigned i = 0; i < v->n; i++) {
        const struct range *p = &v->ranges[i];
        if (p->r->kind != REGION_IO || !p->r->coalesce || p->size > UINT32_MAX)
            continue;
        struct kvm_zone z;
        memset(&z, 0, sizeof z); /* padding, too: compared as bytes */
        z.addr = p->addr;
        z.size = (uint32_t) p->size;
        z.pio = pio;
        g_array_append_val(want, z);
    }
    return want;
}

/* Writes that were batched before the map changed belong to the old map.  Their handlers must not change
 * the map. */
static void drain_into(struct kvm *k, bool pio, const struct view *old)
{
    struct space *sp = pio ? &k->vm->pio : &k->vm->mem;
    struct view *now = sp->view;

    if (!k->ring || k->draining)
        return;
    kvm_halt(k);
    sp->view = (struct view *) old;
    sp->last = NULL;
    sp->depth++;
    kvm_drain(k);
    sp->depth--;
    sp->view = now;
    sp->last = NULL;
}

void kvm_sync_zones(struct kvm *k, bool pio, const struct view *old, const struct view *now)
{
    if (!(pio ? k->coalesced_pio : k->ring_page > 0))
        return;
    GArray *want = wanted_zones(now, pio), *have = k->zones[pio];
    if (have->len)
        drain_into(k, pio, old);
    for (unsigned i = 0; i < have->len; i++)
        if (!find_zone(want, &g_array_index(have, struct kvm_zone, i)))
            put_zone(k, &g_array_index(have, struct kvm_zone, i), false);
    for (unsigned i = 0; i < want->len; i++)
        if (!find_zone(have, &g_array_index(want, struct kvm_zone, i)))
            put_zone(k, &g_array_index(want, struct kvm_zone, i), true);
    g_array_free(have, TRUE);
    k->zones[pio] = want;
}

void kvm_drain(void *opaque)
{
    struct kvm *k = opaque;
    struct kvm_coalesced_mmio_ring *ring = k->ring;

    if (!ring || k->draining)
        return;
    /* What comes in while we are at it is later than now: an endless writer can't hold us. */
    uint32_t first = ring->first % k->ring_max,
             last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE) % k->ring_max;
    if (first == last)
        return;
    k->draining = true; /* a handler that changes the map comes back here */
    while (first != last) {
        struct kvm_coalesced_mmio e = ring->coalesced_mmio[first];
        first = (first + 1) % k->ring_max;
        __atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
        unsigned len = MIN(e.len, 8);
        space_write(e.pio ? &k->vm->pio : &k->vm->mem, e.phys_addr, ld_le(e.data, len), len);
    }
    k->draining = false;
}

void kvm_ioevents_free(struct kvm *k)
{
    g_array_free(k->efds, TRUE);
    g_array_free(k->zones[0], TRUE);
    g_array_free(k->zones[1], TRUE);
}
