/* vmm/kvm/cpuspec.c - from the text of -cpu, and from what this host's KVM can do, to a CPU definition.
 *
 * Text: MODEL[,PROPERTY=VALUE | ,FEATURE=on|off | ,+FEATURE | ,-FEATURE]...  As in QEMU, +f is applied
 * after all f=on, and -f after all +f.  Features that the host lacks are dropped with a warning; with
 * `enforce` they are an error. */
#include "vmm/kvm/cpu.h"
#include "vmm/kvm/internal.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const hv_names[] = {
    "hv-relaxed", "hv-vapic", "hv-time", "hv-crash", "hv-reset", "hv-vpindex", "hv-runtime",
    "hv-synic", "hv-stimer",
    "hv-stimer-direct", "hv-frequencies", "hv-reenlightenment", "hv-tlbflush", "hv-ipi", "hv-evmcs",
    "hv-avic",
    "hv-xmm-input", NULL
};

struct spec { /* the text, read */
    const char *text;
    struct cpu_def *def;
    uint32_t on[N_WORDS], off[N_WORDS];     /* by f=on, f=off */
    uint32_t plus[N_WORDS], minus[N_WORDS]; /* by +f, -f */
    bool check, enforce, migratable, has_level, has_xlevel, host_phys_bits, hv_all;
    unsigned phys_limit;
};

/* --- values ----------------------------------------------------------------------------------- */

static bool get_bool(const char *v, bool *out)
{
    if (!v || !strcmp(v, "on") || !strcmp(v, "yes") || !strcmp(v, "true") || !strcmp(v, "y"))
        *out = true;
    else if (!strcmp(v, "off") || !strcmp(v, "no") || !strcmp(v, "false") || !strcmp(v, "n"))
        *out = false;
    else
        return false;
    return true;
}

static bool set_bool(const char *key, const char *v, bool *out, GError **err)
{
    return get_bool(v, out) || fail(err, "-cpu: %s=%s: it is 'on' or 'off'", key, v);
}

static bool set_number(const char *key, const char *v, uint64_t min, uint64_t max, uint64_t *out,
                       GError **err)
{
    char *end = NULL;

    *out = v && g_ascii_isdigit(*v) ? g_ascii_strtoull(v, &end, 0) : 0;
    if (end && *end && end[1] == 0 && max >= 1000000000) { /* 2500M */
        uint64_t unit = *end == 'k' || *end == 'K' ? 1000 :
                        *end == 'M'                ? 1000000 :
                        *end == 'G'                ? 1000000000 :
                                                     0;
        if (unit && *out <= max / unit) {
            *out *= unit;
            end++;
        }
    }
    if (!end || *end || *out < min || *out > max)
        return fail(err, "-cpu: %s=%s: it is a number from %" PRIu64 " to %" PRIu64, key, v ? v : "", min,
                    max);
    return true;
}

/* --- properties ------------------------------------------------------------------------------- */

static bool set_vendor(const char *key, const char *v, char to[13], GError **err)
{
    if (!v || strlen(v) != 12)
        return fail(err, "-cpu: %s=%s: it has 12 characters, such as GenuineIntel or AuthenticAMD", key,
                    v ? v : "");
    g_strlcpy(to, v, 13);
    return true;
}

/* Numbers that go into a field as they are. */
static bool set_field(struct spec *s, const char *key, const char *v, bool *known, GError **err)
{
    struct cpu_def *d = s->def;
    const struct {
        const char *name;
        void *field;
        uint64_t min, max;
        bool wide;
    } fields[] = {
        { "family", &d->family, 0, 0xff + 0xf, false },   { "model", &d->model, 0, 0xff, false },
        { "stepping", &d->stepping, 0, 0xf, false },      { "phys-bits", &d->phys_bits, 32, 52, false },
        { "host-phys-bits-limit", &s->phys_limit, 0, 52, false },
        { "level", &d->level, 1, 0x1f, false },           { "min-level", &d->level, 1, 0x1f, false },
        { "xlevel", &d->xlevel, 0x80000000, 0x80000022, false }, { "min-xlevel", &d->xlevel,
        0x80000000, 0x80000022, false },
        { "hv-spinlocks", &d->hv_spinlocks, 0xfff, UINT32_MAX, false },
        { "tsc-frequency", &d->tsc_hz, 1000000, 100000000000, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        uint64_t n;
        if (strcmp(key, fields[i].name) != 0)
            continue;
        *known = true;
        if (!set_number(key, v, fields[i].min, fields[i].max, &n, err))
            return false;
        if (fields[i].wide)
            *(uint64_t *) fields[i].field = n;
        else
            *(uint32_t *) fields[i].field = (uint32_t) n;
        s->has_level |= !strcmp(key, "level");
        s->has_xlevel |= !strcmp(key, "xlevel");
    }
    return true;
}

static bool set_switch(struct spec *s, const char *key, const char *v, bool *known, GError **err)
{
    struct cpu_def *d = s->def;
    bool ignored;
    const struct {
        const char *name;
        bool *field;
    } switches[] = {
        { "check", &s->check }, { "enforce", &s->enforce }, { "migratable", &s->migratable }, { "kvm",
        &d->kvm },
        { "pmu", &d->pmu }, { "l3-cache", &d->l3_cache }, { "host-cache-info", &d->host_cache },
        { "host-phys-bits", &s->host_phys_bits }, { "hv-passthrough", &s->hv_all },
        { "legacy-cache", &ignored }, { "full-cpuid-auto-level", &ignored }, { "fill-mtrr-mask", &ignored },
        { "cpuid-0xb", &ignored }, { "kvm-no-smi-migration", &ignored }, { "hv-enforce-cpuid", &ignored },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(switches); i++) {
        if (strcmp(key, switches[i].name) != 0)
            continue;
        *known = true;
        return set_bool(key, v, switches[i].field, err);
    }
    return true;
}

static bool set_hv(struct spec *s, const char *key, const char *v, bool *known, GError **err)
{
    if (!strcmp(key, "hv-vendor-id")) {
        *known = true;
        return set_vendor(key, v, s->def->hv_vendor, err);
    }
    for (unsigned i = 0; i < N_HV; i++) {
        bool on;
        if (strcmp(key, hv_names[i]) != 0)
            continue;
        *known = true;
        if (!set_bool(key, v, &on, err))
            return false;
        s->def->hv = on ? s->def->hv | BIT(i) : s->def->hv & ~BIT(i);
    }
    return true;
}

static bool unknown(const char *key, GError **err)
{
    char *hint = cpu_feature_hint(key);

    fail(err, "-cpu: there is no feature or property '%s'%s; see -cpu help", key, hint);
    g_free(hint);
    return false;
}

static bool set_feature(const char *name, uint32_t words[N_WORDS], GError **err)
{
    enum cpu_word w;
    uint32_t mask;

    if (!cpu_feature_find(name, &w, &mask))
        return unknown(name, err);
    words[w] |= mask;
    return true;
}

static bool set_item(struct spec *s, char *item, GError **err)
{
    bool known = false, on;

    for (char *p = item; *p && *p != '='; p++)
        *p = *p == '_' ? '-' : *p;
    if (*item == '+' || *item == '-') {
        if (g_str_has_prefix(item + 1, "hv-"))
            return set_hv(s, item + 1, *item == '+' ? "on" : "off", &known, err) &&
                   (known || unknown(item + 1, err));
        return set_feature(item + 1, *item == '+' ? s->plus : s->minus, err);
    }
    char *v = strchr(item, '=');
    if (v)
        *v++ = 0;
    if (!strcmp(item, "vendor"))
        return set_vendor(item, v, s->def->vendor, err);
    if (!strcmp(item, "model-id")) {
        if (!v || strlen(v) > 48)
            return fail(err, "-cpu: model-id= has at most 48 characters");
        g_strlcpy(s->def->id, v, sizeof s->def->id);
        return true;
    }
    if (!set_field(s, item, v, &known, err) || !set_switch(s, item, v, &known, err) ||
        !set_hv(s, item, v, &known, err))
        return false;
    if (known)
        return true;
    enum cpu_word w;
    uint32_t mask;
    if (!cpu_feature_find(item, &w, &mask))
        return unknown(item, err);
    if (!set_bool(item, v, &on, err))
        return false;
    s->on[w] = on ? s->on[w] | mask : s->on[w] & ~mask;
    s->off[w] = on ? s->off[w] & ~mask : s->off[w] | mask;
    return true;
}

/* --- models ----------------------------------------------------------------------------------- */

/* What KVM guests like to have, whatever the processor. */
static const char kvm_defaults[] =
    "kvmclock kvm-nopiodelay kvm-asyncpf kvm-steal-time kvm-pv-eoi kvmclock-stable-bit";

static void get_host_id(struct cpu_def *d)
{
    uint32_t r[12] = { 0 }, a, b, c, max;

    if (__get_cpuid(0, &max, &a, &c, &b)) { /* EBX, EDX, ECX spell the vendor */
        uint32_t v[3] = { a, b, c };
        memcpy(d->vendor, v, 12);
    }
    if (__get_cpuid(1, &a, &b, &c, &max)) {
        d->stepping = a & 0xf;
        d->family = (a >> 8 & 0xf) + ((a >> 8 & 0xf) == 0xf ? a >> 20 & 0xff : 0);
        d->model = (a >> 4 & 0xf) | (a >> 12 & 0xf0);
    }
    for (uint32_t i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002 + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3]))
            return;
    memcpy(d->id, r, 48);
}

static bool set_model(struct spec *s, const char *name, GError **err)
{
    struct cpu_def *d = s->def;
    const struct cpu_model *m = cpu_model_find(name);

    d->name = g_strdup(name);
    d->l3_cache = d->kvm = s->check = s->migratable = true;
    if (!strcmp(name, "host") || !strcmp(name, "max")) {
        d->host = d->host_cache = d->pmu = s->host_phys_bits = true;
        get_host_id(d);
        return true;
    }
    if (!m) {
        GPtrArray *names = g_ptr_array_new();
        g_ptr_array_add(names, (void *) "host");
        g_ptr_array_add(names, (void *) "max");
        for (m = cpu_models; m->name; m++)
            g_ptr_array_add(names, (void *) m->name);
        g_ptr_array_add(names, NULL);
        char *hint = nearest_hint(name, (const char *const *) names->pdata);
        fail(err, "-cpu: there is no CPU model '%s'%s; see -cpu help", name, hint);
        g_free(hint);
        g_ptr_array_free(names, TRUE);
        return false;
    }
    g_strlcpy(d->vendor, m->vendor, sizeof d->vendor);
    g_strlcpy(d->id, m->id, sizeof d->id);
    d->family = m->family;
    d->model = m->model;
    d->stepping = m->stepping;
    d->level = m->level;
    d->xlevel = m->xlevel;
    cpu_model_words(m, d->words);
    return true;
}

static bool read_text(struct spec *s, GError **err)
{
    char **items = g_strsplit(s->text, ",", -1);
    bool ok = set_model(s, items[0] ? items[0] : "", err);

    for (char **p = items; ok && *p && *++p;)
        ok = **p ? set_item(s, *p, err) :
                   fail(err, "-cpu: there is nothing between two commas in '%s'", s->text);
    g_strfreev(items);
    return ok;
}

/* --- what can be done of it ------------------------------------------------------------------- */

struct kvm_cpuid2 *cpu_get_supported(int dev_fd, GError **err)
{
    enum { ARCH_REQ_XCOMP_GUEST_PERM = 0x1025, XFEATURE_XTILEDATA = 18 };

    syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM,
            XFEATURE_XTILEDATA); /* AMX: else KVM does not offer it */
    for (unsigned n = 128; n <= 4096; n *= 2) {
        struct kvm_cpuid2 *c = g_malloc0(sizeof *c + n * sizeof c->entries[0]);
        c->nent = n;
        int r = kvm_ioctl(dev_fd, KVM_GET_SUPPORTED_CPUID, c);
        if (r == 0)
            return c;
        g_free(c);
        if (r != -E2BIG) {
            fail(err, "KVM does not say what CPUs it can make: %s", g_strerror(-r));
            return NULL;
        }
    }
    fail(err, "KVM says too much about what CPUs it can make");
    return NULL;
}

static bool has_cap(int fd, int cap)
{
    return kvm_ioctl(fd, KVM_CHECK_EXTENSION, (void *) (intptr_t) cap) > 0;
}

static uint32_t xsave_components(const struct kvm_cpuid2 *c)
{
    for (unsigned i = 0; i < c->nent; i++)
        if (c->entries[i].function == 0xd && c->entries[i].index == 0)
            return c->entries[i].eax;
    return 0;
}

static void get_can(struct cpu_def *d, int dev_fd, bool cpu_pm)
{
    struct {
        struct kvm_msrs hdr;
        struct kvm_msr_entry e;
    } msr = { .hdr.nmsrs = 1, .e.index = cpu_words[W_ARCH_CAP].index };

    for (unsigned i = 0; i < N_WORDS; i++)
        d->can[i] = cpu_word_of(d->supported, (enum cpu_word) i);
    /* What KVM leaves to us to announce, or what we make. */
    cpu_features_apply("ht hypervisor x2apic arat cmp-legacy kvm-hint-dedicated", d->can);
    if (has_cap(dev_fd, KVM_CAP_TSC_DEADLINE_TIMER))
        cpu_features_apply("tsc-deadline", d->can);
    if (cpu_pm && (kvm_ioctl(dev_fd, KVM_CHECK_EXTENSION, (void *) KVM_CAP_X86_DISABLE_EXITS) &
                   KVM_X86_DISABLE_EXITS_MWAIT))
        cpu_features_apply("monitor", d->can);
    if (d->can[W_7_EDX] & BIT(29) && kvm_ioctl(dev_fd, KVM_GET_MSRS, &msr) == 1)
        d->can[W_ARCH_CAP] = (uint32_t) msr.e.data;
    /* Features whose registers nobody could save. */
    uint32_t xcr0 = xsave_components(d->supported);
    if ((xcr0 & 4) == 0)
        cpu_features_apply("-avx", d->can);
    if ((xcr0 & 0xe0) != 0xe0)
        cpu_features_apply("-avx512f", d->can);
    if ((xcr0 & 0x18) != 0x18)
        cpu_features_apply("-mpx", d->can);
    if ((xcr0 & 0x200) == 0)
        cpu_features_apply("-pku", d->can);
    if ((xcr0 & 0x60000) != 0x60000)
        cpu_features_apply("-amx-tile", d->can);
    cpu_features_settle(d->can);
}

static void settle_words(struct spec *s, uint32_t lacking[N_WORDS])
{
    struct cpu_def *d = s->def;

    if (d->host) {
        memcpy(d->words, d->can, sizeof d->words);
        cpu_features_apply("-kvm-hint-dedicated -ht -cmp-legacy", d->words);
        if (s->migratable)
            cpu_features_apply("-invtsc", d->words);
    } else {
        for (unsigned i = 0; i < N_WORDS; i++)
            lacking[i] = d->words[i];
        cpu_features_apply(kvm_defaults, d->words);
        cpu_features_apply("hypervisor", d->words);
        if (d->level >= 10)
            cpu_features_apply("x2apic", d->words);
    }
    for (unsigned i = 0; i < N_WORDS; i++) {
        uint32_t asked = (s->on[i] | s->plus[i]) & ~s->minus[i],
                 removed = (s->off[i] & ~s->plus[i]) | s->minus[i];
        d->words[i] = (d->words[i] | asked) & ~removed;
        lacking[i] = (lacking[i] | asked) & ~removed & ~d->can[i];
        d->words[i] &= d->can[i];
    }
    if (!d->kvm)
        d->words[W_KVM] = d->words[W_KVM_HINTS] = 0;
    cpu_features_settle(d->words);
    if (!strcmp(d->vendor, "AuthenticAMD") || !strcmp(d->vendor, "HygonGenuine")) /* doubled there */
        d->words[W_EXT_EDX] = (d->words[W_EXT_EDX] & ~0x0183f3ffU) | (d->words[W_1_EDX] & 0x0183f3ff);
}

static uint32_t host_level(const struct kvm_cpuid2 *c, uint32_t function)
{
    for (unsigned i = 0; i < c->nent; i++)
        if (c->entries[i].function == function)
            return c->entries[i].eax;
    return 0;
}

/* The largest leaves: the model's, and as far as the features need them. */
static void settle_levels(struct spec *s, const struct cpu_topology *t)
{
    struct cpu_def *d = s->def;
    uint32_t level = d->level, xlevel = d->xlevel;

    if (d->host) {
        level = MAX(level, host_level(d->supported, 0));
        xlevel = MAX(xlevel, host_level(d->supported, 0x80000000));
    }
    for (unsigned i = 0; i < N_WORDS; i++) {
        uint32_t f = cpu_words[i].function;
        if (!d->words[i] || f == UINT32_MAX)
            continue;
        if (f < 0x40000000)
            level = MAX(level, f);
        else if (f >= 0x80000000)
            xlevel = MAX(xlevel, f);
    }
    if (d->words[W_1_ECX] & BIT(26))
        level = MAX(level, 0xd);
    if (d->words[W_EXT_EDX] & BIT(29))
        xlevel = MAX(xlevel, 0x80000008);
    if (d->words[W_EXT_ECX] & BIT(22))
        xlevel = MAX(xlevel, 0x8000001e);
    if (t->threads * t->cores * t->dies > 1 && level >= 4)
        level = MAX(level, t->dies > 1 ? 0x1f : 0xb);
    if (!s->has_level)
        d->level = level;
    if (!s->has_xlevel)
        d->xlevel = xlevel;
}

static void settle_phys_bits(struct spec *s)
{
    struct cpu_def *d = s->def;
    unsigned host = host_level(d->supported, 0x80000008) & 0xff;

    host = host ? host : 36;
    if (d->phys_bits > host)
        warn_user("-cpu: phys-bits=%u: this host's processor has only %u", d->phys_bits, host);
    else if (!d->phys_bits && s->host_phys_bits)
        d->phys_bits = s->phys_limit ? MIN(host, s->phys_limit) : host;
    else if (!d->phys_bits)
        d->phys_bits = d->words[W_EXT_EDX] & BIT(29) ? MIN(host, 40) : 36;
}

static bool check_lacking(const struct spec *s, const uint32_t lacking[N_WORDS], bool warn, GError **err)
{
    GString *list = g_string_new(NULL);

    cpu_feature_list(lacking, list);
    bool ok = !s->enforce || !list->len;
    if (!ok)
        fail(err, "-cpu %s: this host's KVM lacks %s; leave 'enforce' out to go on without", s->text,
             list->str);
    else if (list->len && s->check && warn)
        warn_user("-cpu %s: this host's KVM lacks %s", s->def->name, list->str);
    g_string_free(list, TRUE);
    return ok;
}

struct cpu_def *cpu_def_new(const struct kvm_config *cfg, const struct kvm_cpuid2 *supported, int dev_fd,
                            bool warn, GError **err)
{
    struct cpu_def *d = g_new0(struct cpu_def, 1);
    struct spec s = { .text = cfg->cpu ? cfg->cpu : "host", .def = d };
    uint32_t lacking[N_WORDS] = { 0 };

    if (!read_text(&s, err))
        goto failed;
    if (!supported)
        return d;
    d->supported = supported;
    get_can(d, dev_fd, cfg->cpu_pm);
    settle_words(&s, lacking);
    settle_levels(&s, &cfg->topo);
    settle_phys_bits(&s);
    if (!check_lacking(&s, lacking, warn, err))
        goto failed;
    if (s.hv_all)
        d->hv = (1u << N_HV) - 1;
    if ((d->hv || d->hv_spinlocks || d->hv_vendor[0]) && !hv_check(d, dev_fd, err))
        goto failed;
    return d;

failed:
    cpu_def_free(d);
    return NULL;
}

void cpu_def_free(struct cpu_def *d)
{
    if (!d)
        return;
    g_free(d->name);
    g_free(d->leaves);
    g_free(d);
}

/* --- checks before anything is made ----------------------------------------------------------- */

static bool check_topology(const struct cpu_topology *t, GError **err)
{
    uint64_t product = (uint64_t) t->sockets * t->dies * t->cores * t->threads;

    if (!t->cpus || !product || !t->max_cpus)
        return fail(err, "-smp: no count may be 0");
    if (t->cpus > MAX_VCPUS || t->max_cpus > MAX_VCPUS)
        return fail(err, "-smp: %u CPUs are more than a PC can have (%d)", MAX(t->cpus, t->max_cpus),
                    MAX_VCPUS);
    if (t->cpus > t->max_cpus)
        return fail(err, "-smp: %u CPUs, but maxcpus=%u", t->cpus, t->max_cpus);
    if (t->max_cpus > product)
        return fail(err, "-smp: sockets=%u,dies=%u,cores=%u,threads=%u is less than %u CPUs", t->sockets,
                    t->dies, t->cores, t->threads, t->max_cpus);
    if (cpu_apic_id(t, t->max_cpus - 1) >= 255)
        return fail(
            err,
            "-smp: the last of %u CPUs would have APIC id %u, more than 254: use cores and threads that are "
            "powers of two",
            t->max_cpus, cpu_apic_id(t, t->max_cpus - 1));
    return true;
}

bool kvm_check_cpu(const struct kvm_config *cfg, GError **err)
{
    struct cpu_def *d = cpu_def_new(cfg, NULL, -1, false, err); /* the text alone */

    if (!d)
        return false;
    cpu_def_free(d);
    if (!check_topology(&cfg->topo, err))
        return false;
    int fd = kvm_open(cfg->device, err);
    if (fd < 0)
        return false;
    /* Only these can still fail; asking KVM costs half a millisecond. */
    const char *text = cfg->cpu ? cfg->cpu : "";
    bool ask = strstr(text, "enforce") || strstr(text, "hv-") || strstr(text, "hv_");
    if (!ask) {
        close(fd);
        return true;
    }
    struct kvm_cpuid2 *supported = cpu_get_supported(fd, err);
    d = supported ? cpu_def_new(cfg, supported, fd, false, err) : NULL;
    bool ok = d != NULL;
    cpu_def_free(d);
    g_free(supported);
    close(fd);
    return ok;
}

void kvm_cpu_help(GString *out)
{
    uint32_t all[N_WORDS];
    GString *names = g_string_new(NULL);

    g_string_append(
        out, "CPU models:\n  host                       the host's processor, as far as KVM can give it\n"
             "  max                        the same\n");
    for (const struct cpu_model *m = cpu_models; m->name; m++)
        g_string_append_printf(out, "  %-26s %s\n", m->name, m->id);
    memset(all, 0xff, sizeof all);
    cpu_feature_list(all, names);
    g_string_append(out, "\nFeatures (+NAME, -NAME, NAME=on|off):\n");
    char **v = g_strsplit(names->str, ", ", -1);
    unsigned col = 0;
    for (char **p = v; *p; p++) {
        col = col + strlen(*p) + 1 > 96 ? 0 : col;
        g_string_append_printf(out, "%s%s", col ? " " : p == v ? "  " : "\n  ", *p);
        col += (unsigned) strlen(*p) + 1;
    }
    g_strfreev(v);
    g_string_free(names, TRUE);
    g_string_append(out, "\n\nHyper-V features (NAME=on, where the host's KVM has them):\n ");
    for (unsigned i = 0; i < N_HV; i++)
        g_string_append_printf(out, " %s", hv_names[i]);
    g_string_append(
        out,
        "\n  hv-spinlocks=N hv-vendor-id=NAME hv-passthrough\n\nProperties:\n  check enforce kvm migratable "
        "pmu l3-cache host-cache-info host-phys-bits (on|off)\n  vendor model-id family model stepping "
        "level xlevel phys-bits host-phys-bits-limit tsc-frequency (=value)\n");
}
