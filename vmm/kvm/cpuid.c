/* vmm/kvm/cpuid.c - CPUID leaves of a vCPU, from a CPU definition and the topology.
 *
 * Sources: SDM vol. 2 CPUID; AMD APM vol. 3 appendix E; Linux Documentation/virt/kvm/x86/cpuid.rst.
 * For the models host and max, leaves that are not made here are the host's. */
#include "vmm/kvm/cpu.h"
#include "vmm/kvm/internal.h"

enum { MAX_LEAVES = 256, SUBLEAVES = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };

struct maker {
    struct cpu_def *d;
    const struct cpu_topology *t;
    unsigned apic_id, index, logical; /* logical: CPUs of a package */
    bool amd;
};

static void add(struct maker *m, uint32_t function, uint32_t index, uint32_t flags, uint32_t a, uint32_t b,
                uint32_t c, uint32_t d)
{
    struct kvm_cpuid2 *l = m->d->leaves;

    g_assert(l->nent < MAX_LEAVES);
    l->entries[l->nent++] = (struct kvm_cpuid_entry2){
        .function = function, .index = index, .flags = flags, .eax = a, .ebx = b, .ecx = c, .edx = d
    };
}

static const struct kvm_cpuid_entry2 *host_leaf(const struct maker *m, uint32_t function, uint32_t index)
{
    const struct kvm_cpuid2 *c = m->d->supported;

    for (unsigned i = 0; i < c->nent; i++)
        if (c->entries[i].function == function && c->entries[i].index == index)
            return &c->entries[i];
    return NULL;
}

uint32_t cpu_def_signature(const struct cpu_def *d)
{
    uint32_t family = MIN(d->family, 15), ext = d->family - family;

    return d->stepping | (d->model & 0xf) << 4 | family << 8 | (d->model >> 4) << 16 | ext << 20;
}

/* --- basic leaves ----------------------------------------------------------------------------- */

static void add_0_1(struct maker *m)
{
    const uint32_t *w = m->d->words;
    uint32_t v[3];

    memcpy(v, m->d->vendor, 12);
    add(m, 0, 0, 0, m->d->level, v[0], v[2], v[1]);
    add(m, 1, 0, 0, cpu_def_signature(m->d),
        m->apic_id << 24 | MIN(m->logical, 255) << 16 | (w[W_1_EDX] & BIT(19) ? 8 << 8 : 0), w[W_1_ECX],
        (w[W_1_EDX] & ~BIT(28)) | (m->logical > 1 ? BIT(28) : 0));
}

static void add_2(struct maker *m)
{
    const struct kvm_cpuid_entry2 *h = m->d->host_cache ? host_leaf(m, 2, 0) : NULL;

    if (m->d->level < 2 || m->amd)
        return;
    if (h)
        add(m, 2, 0, 0, h->eax, h->ebx, h->ecx, h->edx);
    else /* L1 32K data (2c) and code (30), L2 4M (7d), L3 16M (4d) */
        add(m, 2, 0, 0, 1, 0, m->d->l3_cache ? 0x4d : 0, 0x2c307d);
}

struct cache {
    uint8_t type, level, ways, share; /* type: 1 data, 2 code, 3 unified; share: 0 a core, 1 a package */
    uint32_t sets;
};
static const struct cache caches[] = { /* 64-byte lines */
    { 1, 1, 8, 0, 64 }, { 2, 1, 8, 0, 64 }, { 3, 2, 16, 0, 4096 }, { 3, 3, 16, 1, 16384 },
};

/* CPUs that share a cache, as leaf 4 and 8000001D count: a power of two. */
static uint32_t sharers(const struct maker *m, bool package)
{
    unsigned bits = cpu_id_bits(m->t->threads);

    if (package)
        bits += cpu_id_bits(m->t->cores);
    return (1u << bits) - 1;
}

static void add_caches(struct maker *m, uint32_t function)
{
    uint32_t cores = function == 4 ? (1u << (cpu_id_bits(m->t->cores) + cpu_id_bits(m->t->dies))) - 1 : 0;

    cores = MIN(cores, 0x3f) << 26;
    if (m->d->host_cache) {
        const struct kvm_cpuid_entry2 *h;
        uint32_t i = 0;
        for (; (h = host_leaf(m, function, i)) && (h->eax & 0x1f); i++)
            add(m, function, i, SUBLEAVES,
                (h->eax & 0x3fff) | sharers(m, (h->eax >> 5 & 7) >= 3) << 14 | cores, h->ebx, h->ecx,
                h->edx);
        if (i)
            return;
    }
    for (uint32_t i = 0; i < G_N_ELEMENTS(caches); i++) {
        const struct cache *c = &caches[i];
        if (c->level == 3 && !m->d->l3_cache)
            break;
        add(m, function, i, SUBLEAVES,
            c->type | (uint32_t) c->level << 5 | BIT(8) | sharers(m, c->share) << 14 | cores,
            (c->ways - 1u) << 22 | 63, c->sets - 1, c->level == 3 ? 6 : 1);
    }
}

static void add_5_to_a(struct maker *m)
{
    const uint32_t *w = m->d->words;
    const struct kvm_cpuid_entry2 *h;

    /* MONITOR: line sizes; MWAIT: it has extensions, and interrupts break it */
    if (m->d->level >= 5 && (w[W_1_ECX] & BIT(3)))
        add(m, 5, 0, 0, 64, 64, 3, 0);
    if (m->d->level >= 6)
        add(m, 6, 0, 0, w[W_6_EAX], 0, 0, 0);
    if (m->d->level >= 7) {
        bool more = w[W_7_1_EAX] | w[W_7_1_EDX] | w[W_7_2_EDX];
        add(m, 7, 0, SUBLEAVES, more ? 2 : 0, w[W_7_EBX], w[W_7_ECX], w[W_7_EDX]);
        if (more) {
            add(m, 7, 1, SUBLEAVES, w[W_7_1_EAX], 0, 0, w[W_7_1_EDX]);
            add(m, 7, 2, SUBLEAVES, 0, 0, 0, w[W_7_2_EDX]);
        }
    }
    if (m->d->level >= 0xa && m->d->pmu && (h = host_leaf(m, 0xa, 0)))
        add(m, 0xa, 0, 0, h->eax, h->ebx, h->ecx, h->edx);
}

/* Extended topology: 0xB knows threads and cores; 0x1F dies, too. */
static void add_topology(struct maker *m, uint32_t function)
{
    enum { SMT = 1, CORE = 2, DIE = 5 };
    unsigned thread = cpu_id_bits(m->t->threads), core = thread + cpu_id_bits(m->t->cores);
    unsigned die = core + cpu_id_bits(m->t->dies);
    uint32_t i = 0;

    if (m->d->level < function)
        return;
    add(m, function, i++, SUBLEAVES, thread, m->t->threads, 0 | SMT << 8, m->apic_id);
    if (function == 0x1f && m->t->dies > 1) {
        add(m, function, i++, SUBLEAVES, core, m->t->threads * m->t->cores, 1 | CORE << 8, m->apic_id);
        add(m, function, i++, SUBLEAVES, die, m->logical, 2 | DIE << 8, m->apic_id);
    } else {
        add(m, function, i++, SUBLEAVES, die, m->logical, 1 | CORE << 8, m->apic_id);
    }
    add(m, function, i, SUBLEAVES, 0, 0, i, m->apic_id);
}

static uint64_t xcr0_of(const uint32_t *w)
{
    uint64_t x = 3; /* x87, SSE */

    x |= w[W_1_ECX] & BIT(28) ? 1 << 2 : 0;      /* AVX */
    x |= w[W_7_EBX] & BIT(14) ? 3 << 3 : 0;      /* MPX */
    x |= w[W_7_EBX] & BIT(16) ? 7 << 5 : 0;      /* AVX-512 */
    x |= w[W_7_ECX] & BIT(3) ? 1 << 9 : 0;       /* PKU */
    x |= w[W_7_EDX] & BIT(24) ? 3 << 17 : 0;     /* AMX */
    return x;
}

static void add_xsave(struct maker *m)
{
    const uint32_t *w = m->d->words;
    const struct kvm_cpuid_entry2 *h = host_leaf(m, 0xd, 0), *h1 = host_leaf(m, 0xd, 1);
    uint64_t xcr0 = xcr0_of(w), xss = 0;
    uint32_t size = 512 + 64;

    if (!(w[W_1_ECX] & BIT(26)) || !h)
        return;
    xcr0 &= h->eax | (uint64_t) h->edx << 32;
    if (h1 && (w[W_XSAVE] & BIT(3)) && ((w[W_7_ECX] & BIT(7)) || (w[W_7_EDX] & BIT(20))))
        xss = (h1->ecx | (uint64_t) h1->edx << 32) & (3 << 11); /* CET */
    for (uint32_t i = 2; i < 63; i++) {
        const struct kvm_cpuid_entry2 *e = host_leaf(m, 0xd, i);
        if (e && (xcr0 >> i & 1))
            size = MAX(size, e->eax + e->ebx);
    }
    add(m, 0xd, 0, SUBLEAVES, (uint32_t) xcr0, size, size, (uint32_t) (xcr0 >> 32));
    add(m, 0xd, 1, SUBLEAVES, w[W_XSAVE], size, (uint32_t) xss, (uint32_t) (xss >> 32));
    for (uint32_t i = 2; i < 63; i++) {
        const struct kvm_cpuid_entry2 *e = host_leaf(m, 0xd, i);
        if (e && ((xcr0 | xss) >> i & 1))
            add(m, 0xd, i, SUBLEAVES, e->eax, e->ebx, e->ecx, e->edx);
    }
}

/* --- extended leaves -------------------------------------------------------------------------- */

static void add_brand(struct maker *m)
{
    uint32_t r[12];

    memcpy(r, m->d->id, sizeof r);
    for (uint32_t i = 0; i < 3; i++)
        add(m, 0x80000002 + i, 0, 0, r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]);
}

static void add_ext_caches(struct maker *m)
{
    const struct kvm_cpuid_entry2 *h5 = m->d->host_cache ? host_leaf(m, 0x80000005, 0) : NULL;
    const struct kvm_cpuid_entry2 *h6 = m->d->host_cache ? host_leaf(m, 0x80000006, 0) : NULL;

    if (m->d->xlevel >= 0x80000005 && m->amd) {
        if (h5)
            add(m, 0x80000005, 0, 0, h5->eax, h5->ebx, h5->ecx, h5->edx);
        else
            add(m, 0x80000005, 0, 0, 0x01ff01ff, 0x01ff01ff, 32 << 24 | 8 << 16 | 1 << 8 | 64,
                32 << 24 | 8 << 16 | 1 << 8 | 64);
    }
    if (m->d->xlevel < 0x80000006)
        return;
    if (h6)
        add(m, 0x80000006, 0, 0, h6->eax, h6->ebx, h6->ecx, h6->edx);
    else
        add(m, 0x80000006, 0, 0, 0, m->amd ? 0x42004200 : 0, 4096u << 16 | 8 << 12 | 1 << 8 | 64,
            m->amd && m->d->l3_cache ? 32u << 18 | 8 << 12 | 1 << 8 | 64 : 0);
}

static void add_ext_8(struct maker *m)
{
    const uint32_t *w = m->d->words;
    uint32_t linear = w[W_EXT_EDX] & BIT(29) ? w[W_7_ECX] & BIT(16) ? 57 : 48 : 0; /* KVM takes no 32 */
    uint32_t bits = cpu_id_bits(m->t->threads) + cpu_id_bits(m->t->cores) + cpu_id_bits(m->t->dies);

    if (m->d->xlevel >= 0x80000007)
        add(m, 0x80000007, 0, 0, 0, 0, 0, w[W_EXT7_EDX]);
    if (m->d->xlevel >= 0x80000008)
        add(m, 0x80000008, 0, 0, m->d->phys_bits | linear << 8, w[W_EXT8_EBX],
            m->amd && m->logical > 1 ? bits << 12 | (m->logical - 1) : 0, 0);
}

/* Compute units of AMD processors. */
static void add_ext_1e(struct maker *m)
{
    unsigned core = m->index / m->t->threads % m->t->cores;
    unsigned die = m->index / (m->t->threads * m->t->cores) % m->t->dies;
    unsigned socket = m->index / m->logical;

    if (m->d->xlevel < 0x8000001e || !(m->d->words[W_EXT_ECX] & BIT(22)))
        return;
    add_caches(m, 0x8000001d);
    add(m, 0x8000001e, 0, 0, m->apic_id,
        (m->t->threads - 1) << 8 | ((die << cpu_id_bits(m->t->cores) | core) & 0xff),
        (m->t->dies - 1) << 8 | ((socket * m->t->dies + die) & 0xff), 0);
}

static void add_extended(struct maker *m)
{
    const uint32_t *w = m->d->words;
    const struct kvm_cpuid_entry2 *h;

    if (m->d->xlevel < 0x80000000)
        return;
    add(m, 0x80000000, 0, 0, m->d->xlevel, 0, 0, 0);
    if (m->amd) /* the vendor again */
        memcpy(&m->d->leaves->entries[m->d->leaves->nent - 1].ebx, &m->d->leaves->entries[0].ebx, 12);
    if (m->d->xlevel >= 0x80000001)
        add(m, 0x80000001, 0, 0, m->amd ? cpu_def_signature(m->d) : 0, 0,
            (w[W_EXT_ECX] & ~BIT(1)) | (m->amd && m->logical > 1 ? BIT(1) : 0), w[W_EXT_EDX]);
    if (m->d->xlevel >= 0x80000004)
        add_brand(m);
    add_ext_caches(m);
    add_ext_8(m);
    if (m->d->xlevel >= 0x8000000a && w[W_EXT_ECX] & BIT(2) && (h = host_leaf(m, 0x8000000a, 0)))
        add(m, 0x8000000a, 0, 0, 1, h->ebx ? h->ebx : 16, 0, w[W_SVM]);
    add_ext_1e(m);
    if (m->d->xlevel >= 0x80000021 && w[W_EXT21_EAX])
        add(m, 0x80000021, 0, 0, w[W_EXT21_EAX], 0, 0, 0);
}

/* --- hypervisor leaves ------------------------------------------------------------------------ */

static void add_hv(void *opaque, uint32_t function, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    add(opaque, function, 0, 0, a, b, c, d);
}

static void add_hypervisor(struct maker *m)
{
    uint32_t base = 0x40000000, v[3];
    const struct cpu_def *d = m->d;

    if (d->hv || d->hv_spinlocks || d->hv_vendor[0]) {
        hv_leaves(d, add_hv, m, m->t);
        base = 0x40000100;
    }
    if (!d->kvm)
        return;
    memcpy(v, "KVMKVMKVM\0\0", 12);
    add(m, base, 0, 0, base + 1, v[0], v[1], v[2]);
    add(m, base + 1, 0, 0, d->words[W_KVM], 0, 0, d->words[W_KVM_HINTS]);
}

/* --- all of them ------------------------------------------------------------------------------ */

static bool is_made(const struct maker *m, uint32_t function)
{
    static const uint32_t ours[] = {
        0,          1,          2,          4,          5,          6,          7,          0xa,
        0xb,        0xd,        0x1f,       0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004,
        0x80000005, 0x80000006, 0x80000007, 0x80000008, 0x8000000a, 0x8000001d, 0x8000001e, 0x80000021
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ours); i++)
        if (ours[i] == function)
            return true;
    return (function >= 0x40000000 && function < 0x80000000) ||
           (function < 0x40000000 ? function > m->d->level : function > m->d->xlevel) ||
           (function == 0x14 && !(m->d->words[W_7_EBX] & BIT(25))) ||
           (function == 0x12 && !(m->d->words[W_7_EBX] & BIT(2))) ||
           ((function == 0x1d || function == 0x1e) && !(m->d->words[W_7_EDX] & BIT(24)));
}

static void add_rest_of_host(struct maker *m)
{
    const struct kvm_cpuid2 *c = m->d->supported;

    for (unsigned i = 0; m->d->host && i < c->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &c->entries[i];
        if (!is_made(m, e->function) && (e->eax | e->ebx | e->ecx | e->edx))
            add(m, e->function, e->index, e->flags, e->eax, e->ebx, e->ecx, e->edx);
    }
}

static void make(struct cpu_def *d, const struct cpu_topology *t, unsigned index)
{
    struct maker m = { d, t, cpu_apic_id(t, index), index, t->threads * t->cores * t->dies,
                       !strcmp(d->vendor, "AuthenticAMD") || !strcmp(d->vendor, "HygonGenuine") };

    if (!d->leaves)
        d->leaves = g_malloc(sizeof *d->leaves + MAX_LEAVES * sizeof d->leaves->entries[0]);
    memset(d->leaves, 0, sizeof *d->leaves);
    add_0_1(&m);
    add_2(&m);
    if (d->level >= 4 && !m.amd)
        add_caches(&m, 4);
    add_5_to_a(&m);
    add_topology(&m, 0xb);
    add_topology(&m, 0x1f);
    if (d->level >= 0xd)
        add_xsave(&m);
    add_hypervisor(&m);
    add_extended(&m);
    add_rest_of_host(&m);
}

static bool set_tsc(const struct cpu_def *d, int fd, GError **err)
{
    uint64_t khz = d->tsc_hz / 1000;

    if (!khz)
        return true;
    int r = kvm_ioctl(fd, KVM_SET_TSC_KHZ, (void *) (uintptr_t) khz);
    int host = kvm_ioctl(fd, KVM_GET_TSC_KHZ, NULL);
    if (r == 0 || (host > 0 && (uint64_t) ABS((int64_t) khz - host) * 4000 < (uint64_t) host)) /* 250 ppm */
        return true;
    return fail(err,
                "-cpu: tsc-frequency=%" PRIu64 ": this host's KVM can't scale the TSC (it runs at %d kHz)",
                d->tsc_hz, host);
}

bool cpu_def_apply(struct cpu_def *d, int fd, const struct cpu_topology *t, unsigned index, GError **err)
{
    struct {
        struct kvm_msrs hdr;
        struct kvm_msr_entry e;
    } msr = { .hdr.nmsrs = 1, .e = { .index = cpu_words[W_ARCH_CAP].index, .data = d->words[W_ARCH_CAP] } };

    make(d, t, index);
    if (d->hv && !hv_enable(d, fd, index, err))
        return false;
    int r = kvm_ioctl(fd, KVM_SET_CPUID2, d->leaves);
    if (r < 0)
        return fail(err, "KVM refuses the CPUID leaves: %s", g_strerror(-r));
    if ((d->words[W_7_EDX] & BIT(29)) && d->words[W_ARCH_CAP] != d->can[W_ARCH_CAP])
        kvm_ioctl(fd, KVM_SET_MSRS, &msr); /* refused: KVM's own value stands */
    return set_tsc(d, fd, err);
}
