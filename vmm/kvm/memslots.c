/* vmm/kvm/memslots.c - the memory space as KVM memory slots, and KVM's log of dirty pages.
 *
 * A slot is a page-aligned piece of the view with contiguous host memory.  Bytes at the ends of RAM that
 * fill no page get no slot: accesses there exit and go through the space like a register's.  Slots never
 * cross 1 MiB, so that the guest's (or its firmware's) play with PAM and SMRAM never takes the big slot of
 * main memory away, and with it all the shadow or nested page tables that KVM built.
 *
 * KVM changes a slot by deleting and creating it, so a commit that deletes any halts the vCPUs first: none
 * may meet the gap. */
#include "vmm/kvm/internal.h"

enum { PAGE = PAGE_SIZE_4K, CUT = 1 << 20 };

/* --- what the view asks for ------------------------------------------------------------------- */

static bool continues(const struct kvm_slot *a, const struct kvm_slot *b)
{
    return a->rb == b->rb && a->rom == b->rom && a->log == b->log && a->gpa + a->size == b->gpa &&
           b->gpa != CUT && a->off + a->size == b->off;
}

static void trim(GArray *want)
{
    unsigned n = 0;

    for (unsigned i = 0; i < want->len; i++) {
        struct kvm_slot s = g_array_index(want, struct kvm_slot, i);
        uint64_t first = ROUND_UP(s.gpa, PAGE), end = ROUND_DOWN(s.gpa + s.size, PAGE);
        uint64_t host = (uintptr_t) s.rb->host + s.off;
        if (first >= end || (host - s.gpa) % PAGE)
            continue;
        s.off += first - s.gpa;
        s.gpa = first;
        s.size = end - first;
        g_array_index(want, struct kvm_slot, n++) = s;
    }
    g_array_set_size(want, n);
}

static GArray *wanted(const struct view *v)
{
    GArray *want = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));

    for (unsigned i = 0; i < v->n; i++) {
        const struct range *p = &v->ranges[i];
        const struct region *r = p->r;
        if (r->kind == REGION_IO || !r->ram || !r->ram->host)
            continue;
        struct kvm_slot s = { .gpa = p->addr, .size = p->size, .rb = r->ram, .off = r->ram_off + p->off,
                              .rom = r->kind == REGION_ROM, .log = r->kind == REGION_RAM && r->log_dirty };
        struct kvm_slot tail = s;
        bool cut = s.gpa < CUT && s.gpa + s.size > CUT;
        if (cut)
            s.size = CUT - s.gpa;
        struct kvm_slot *prev = want->len ? &g_array_index(want, struct kvm_slot, want->len - 1) : NULL;
        if (prev && continues(prev, &s))
            prev->size += s.size;
        else
            g_array_append_val(want, s);
        if (cut) {
            tail.gpa = CUT;
            tail.off += s.size;
            tail.size -= s.size;
            g_array_append_val(want, tail);
        }
    }
    trim(want);
    return want;
}

/* --- telling the kernel ----------------------------------------------------------------------- */

static int put_slot(struct kvm *k, const struct kvm_slot *s, bool present)
{
    struct kvm_userspace_memory_region mr = {
        .slot = s->id, .guest_phys_addr = s->gpa, .memory_size = present ? s->size : 0,
        .userspace_addr = (uintptr_t) s->rb->host + s->off,
        .flags = (s->rom ? KVM_MEM_READONLY : 0) | (s->log ? KVM_MEM_LOG_DIRTY_PAGES : 0),
    };

    TRACER(&k->trace, "slot %u: %s 0x%" PRIx64 "+0x%" PRIx64 "%s%s %s+0x%" PRIx64, s->id,
           present ? "set" : "delete", s->gpa, s->size, s->rom ? " rom" : "", s->log ? " log" : "",
           s->rb->name, s->off);
    return kvm_ioctl(k->fd, KVM_SET_USER_MEMORY_REGION, &mr);
}

/* Runs of dirty pages in a log of n pages -> the block's bitmaps. */
static void merge_log(const struct kvm_slot *s, const uint64_t *log)
{
    uint64_t pages = s->size / PAGE, start = 0;
    bool in_run = false;

    for (uint64_t p = 0; p < pages; p++) {
        if (p % 64 == 0 && !in_run)
            while (p + 64 <= pages && log[p / 64] == 0)
                p += 64;
        bool dirty = p < pages && (log[p / 64] >> (p % 64) & 1);
        if (dirty && !in_run)
            start = p;
        else if (!dirty && in_run)
            ram_block_mark_dirty(s->rb, s->off + start * PAGE, (p - start) * PAGE);
        in_run = dirty;
    }
    if (in_run)
        ram_block_mark_dirty(s->rb, s->off + start * PAGE, (pages - start) * PAGE);
}

static void fetch_log(struct kvm *k, const struct kvm_slot *s)
{
    uint64_t *log = g_new0(uint64_t, ROUND_UP(s->size / PAGE, 64) / 64);
    struct kvm_dirty_log arg = { .slot = s->id, .dirty_bitmap = log };

    if (kvm_ioctl(k->fd, KVM_GET_DIRTY_LOG, &arg) == 0)
        merge_log(s, log);
    else /* better too much than too little */
        ram_block_mark_dirty(s->rb, s->off, s->size);
    g_free(log);
}

static void sync_block(void *opaque, struct ram_block *rb)
{
    struct kvm *k = opaque;

    for (unsigned i = 0; i < k->slots->len; i++) {
        const struct kvm_slot *s = &g_array_index(k->slots, struct kvm_slot, i);
        if (s->rb == rb && s->log && s->live)
            fetch_log(k, s);
    }
}

static void delete_slot(struct kvm *k, struct kvm_slot *s)
{
    if (s->live) {
        if (s->log)
            fetch_log(k, s);
        int r = put_slot(k, s, false);
        if (r < 0)
            warn_user("KVM: cannot remove memory at 0x%" PRIx64 ": %s", s->gpa, g_strerror(-r));
    }
    g_array_append_val(k->free_ids, s->id);
}

static void create_slot(struct kvm *k, struct kvm_slot *s)
{
    if (k->free_ids->len) {
        s->id = g_array_index(k->free_ids, uint32_t, k->free_ids->len - 1);
        g_array_set_size(k->free_ids, k->free_ids->len - 1);
    } else {
        s->id = k->next_id++;
    }
    int r = s->id < k->max_slots ? put_slot(k, s, true) : -ENOSPC;
    s->live = r == 0;
    /* A guest can bring this about (a BAR over the LAPIC's page): the bytes stay reachable, by exits. */
    if (r < 0)
        tracer_guest_error(&k->trace, "memory at 0x%" PRIx64 "+0x%" PRIx64 " is slow: KVM can't map it: %s",
                           s->gpa, s->size, g_strerror(-r));
    if (s->log) {
        s->rb->sync = sync_block;
        s->rb->sync_opaque = k;
    }
}

/* --- commit ----------------------------------------------------------------------------------- */

static bool same_place(const struct kvm_slot *a, const struct kvm_slot *b)
{
    return a->gpa == b->gpa && a->size == b->size && a->rb == b->rb && a->off == b->off && a->rom == b->rom;
}

static int compare(const void *a, const void *b)
{
    const struct kvm_slot *x = a, *y = b;
    return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

/* The slot of `have` that is in the same place, or NULL; both arrays are sorted, *at goes along. */
static struct kvm_slot *match(GArray *have, unsigned *at, const struct kvm_slot *s)
{
    while (*at < have->len) {
        struct kvm_slot *h = &g_array_index(have, struct kvm_slot, *at);
        if (h->gpa > s->gpa)
            return NULL;
        if (same_place(h, s))
            return h;
        (*at)++;
    }
    return NULL;
}

static void sync_slots(struct kvm *k, const struct view *now)
{
    GArray *want = wanted(now), *have = k->slots;
    bool any_gone = false;
    unsigned at = 0;

    for (unsigned i = 0; i < have->len; i++) {
        struct kvm_slot *s = &g_array_index(have, struct kvm_slot, i);
        if (match(want, &at, s))
            continue;
        if (!any_gone)
            kvm_halt(k);
        any_gone = true;
        delete_slot(k, s);
        s->size = 0; /* matches nothing below */
    }
    at = 0;
    for (unsigned i = 0; i < want->len; i++) {
        struct kvm_slot *s = &g_array_index(want, struct kvm_slot, i), *h = match(have, &at, s);
        if (!h) {
            create_slot(k, s);
            continue;
        }
        s->id = h->id;
        s->live = h->live;
        if (h->log == s->log || !s->live)
            continue;
        if (h->log) /* the log goes away with the flag */
            fetch_log(k, h);
        if (put_slot(k, s, true) < 0)
            s->log = h->log;
        if (s->log) {
            s->rb->sync = sync_block;
            s->rb->sync_opaque = k;
        }
    }
    g_array_sort(want, compare);
    g_array_free(have, TRUE);
    k->slots = want;
}

static void commit_mem(void *opaque, const struct view *old, const struct view *now)
{
    struct kvm *k = opaque;

    if (!k->memory_live)
        return;
    kvm_sync_zones(k, false, old, now);
    sync_slots(k, now);
    kvm_sync_ioevents(k, false, now);
}

static void commit_pio(void *opaque, const struct view *old, const struct view *now)
{
    struct kvm *k = opaque;

    if (!k->memory_live)
        return;
    kvm_sync_zones(k, true, old, now);
    kvm_sync_ioevents(k, true, now);
}

void kvm_memory_init(struct kvm *k)
{
    int slots = kvm_has(k, KVM_CAP_NR_MEMSLOTS);

    k->slots = g_array_new(FALSE, FALSE, sizeof(struct kvm_slot));
    k->free_ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    k->efds = g_array_new(FALSE, FALSE, sizeof(struct kvm_efd));
    k->zones[0] = g_array_new(FALSE, FALSE, sizeof(struct kvm_zone));
    k->zones[1] = g_array_new(FALSE, FALSE, sizeof(struct kvm_zone));
    k->max_slots = slots > 0 ? (uint32_t) slots : 32;
    k->ring_page = (unsigned) MAX(kvm_has(k, KVM_CAP_COALESCED_MMIO), 0);
    k->coalesced_pio = kvm_has(k, KVM_CAP_COALESCED_PIO) > 0;
    k->ring_max = (PAGE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio);
    space_set_listener(&k->vm->mem, &(struct space_listener){ commit_mem, k });
    space_set_listener(&k->vm->pio, &(struct space_listener){ commit_pio, k });
}

/* Only when the board is complete: a slot change soon after the VM was made waits for a grace period of the
 * kernel (some 6 ms), which in the meantime went by unnoticed. */
void kvm_memory_start(struct kvm *k)
{
    k->memory_live = true;
    commit_mem(k, k->vm->mem.view, k->vm->mem.view);
    commit_pio(k, k->vm->pio.view, k->vm->pio.view);
}

static void commit_none(void *opaque, const struct view *old, const struct view *now)
{
    (void) opaque, (void) old, (void) now;
}

void kvm_memory_free(struct kvm *k)
{
    space_set_listener(&k->vm->mem, &(struct space_listener){ commit_none, NULL });
    space_set_listener(&k->vm->pio, &(struct space_listener){ commit_none, NULL });
    for (unsigned i = 0; i < k->slots->len; i++) {
        struct kvm_slot *s = &g_array_index(k->slots, struct kvm_slot, i);
        if (s->rb->sync_opaque == k)
            s->rb->sync = s->rb->sync_opaque = NULL;
    }
    g_array_free(k->slots, TRUE);
    g_array_free(k->free_ids, TRUE);
    kvm_ioevents_free(k);
}
