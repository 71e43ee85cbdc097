/* vmm/kvm/features.c - CPU features by QEMU's names.
 *
 * Sources: SDM vol. 2 CPUID; AMD APM vol. 3 appendix E; Linux Documentation/virt/kvm/x86/cpuid.rst. */
#include "vmm/kvm/cpu.h"

const struct cpu_word_info cpu_words[N_WORDS] = {
    [W_1_EDX] = { "CPUID.1:EDX", 1, 0, REG_EDX, {
        "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep", "mtrr",
        "pge", "mca", "cmov",
        "pat", "pse36", "pn", "clflush", NULL, "ds", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht",
        "tm", "ia64", "pbe" } },
    [W_1_ECX] = { "CPUID.1:ECX", 1, 0, REG_ECX, {
        "pni", "pclmulqdq", "dtes64", "monitor", "ds-cpl", "vmx", "smx", "est", "tm2", "ssse3", "cid",
        NULL, "fma", "cx16",
        "xtpr", "pdcm", NULL, "pcid", "dca", "sse4.1", "sse4.2", "x2apic", "movbe", "popcnt",
        "tsc-deadline", "aes", "xsave",
        NULL, "avx", "f16c", "rdrand", "hypervisor" } },
    [W_6_EAX] = { "CPUID.6:EAX", 6, 0, REG_EAX, { [2] = "arat" } },
    [W_7_EBX] = { "CPUID.7.0:EBX", 7, 0, REG_EBX, {
        "fsgsbase", "tsc-adjust", "sgx", "bmi1", "hle", "avx2", "fdp-excptn-only", "smep", "bmi2",
        "erms", "invpcid", "rtm",
        NULL, "zero-fcs-fds", "mpx", NULL, "avx512f", "avx512dq", "rdseed", "adx", "smap",
        "avx512ifma", "pcommit",
        "clflushopt", "clwb", "intel-pt", "avx512pf", "avx512er", "avx512cd", "sha-ni", "avx512bw",
        "avx512vl" } },
    [W_7_ECX] = { "CPUID.7.0:ECX", 7, 0, REG_ECX, {
        [1] = "avx512vbmi", "umip", "pku", NULL, "waitpkg", "avx512vbmi2", "shstk", "gfni", "vaes",
        "vpclmulqdq",
        "avx512vnni", "avx512bitalg", [14] = "avx512-vpopcntdq", [16] = "la57", [22] = "rdpid",
        [24] = "bus-lock-detect",
        "cldemote", [27] = "movdiri", "movdir64b", [30] = "sgxlc", "pks" } },
    [W_7_EDX] = { "CPUID.7.0:EDX", 7, 0, REG_EDX, {
        [2] = "avx512-4vnniw", "avx512-4fmaps", "fsrm", [8] = "avx512-vp2intersect",
        [10] = "md-clear", [14] = "serialize",
        [16] = "tsx-ldtrk", [19] = "arch-lbr", "ibt", [22] = "amx-bf16", "avx512-fp16", "amx-tile",
        "amx-int8", "spec-ctrl",
        "stibp", "flush-l1d", "arch-capabilities", "core-capability", "ssbd" } },
    [W_7_1_EAX] = { "CPUID.7.1:EAX", 7, 1, REG_EAX, {
        "sha512", "sm3", "sm4", [4] = "avx-vnni", "avx512-bf16", NULL, "cmpccxadd", [10] = "fzrm",
        "fsrs", "fsrc",
        [17] = "fred", "lkgs", "wrmsrns", NULL, "amx-fp16", NULL, "avx-ifma", [26] = "lam" } },
    [W_7_1_EDX] = { "CPUID.7.1:EDX", 7, 1, REG_EDX, {
        [4] = "avx-vnni-int8", "avx-ne-convert", [8] = "amx-complex", [10] = "avx-vnni-int16",
        [14] = "prefetchiti",
        [19] = "avx10" } },
    [W_7_2_EDX] = { "CPUID.7.2:EDX", 7, 2, REG_EDX, {
        "intel-psfd", "ipred-ctrl", "rrsba-ctrl", "ddpd-u", "bhi-ctrl", "mcdt-no" } },
    [W_XSAVE] = { "CPUID.D.1:EAX", 0xd, 1, REG_EAX, { "xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd" } },
    [W_EXT_EDX] = { "CPUID.80000001:EDX", 0x80000001, 0, REG_EDX, {
        [11] = "syscall", [19] = "mp", "nx", [22] = "mmxext", [25] = "fxsr-opt", "pdpe1gb", "rdtscp",
        [29] = "lm", "3dnowext",
        "3dnow" } },
    [W_EXT_ECX] = { "CPUID.80000001:ECX", 0x80000001, 0, REG_ECX, {
        "lahf-lm", "cmp-legacy", "svm", "extapic", "cr8legacy", "abm", "sse4a", "misalignsse",
        "3dnowprefetch", "osvw", "ibs",
        "xop", "skinit", "wdt", NULL, "lwp", "fma4", "tce", NULL, "nodeid-msr", NULL, "tbm",
        "topoext", "perfctr-core",
        "perfctr-nb" } },
    [W_EXT7_EDX] = { "CPUID.80000007:EDX", 0x80000007, 0, REG_EDX, { [8] = "invtsc" } },
    [W_EXT8_EBX] = { "CPUID.80000008:EBX", 0x80000008, 0, REG_EBX, {
        [0] = "clzero", [2] = "xsaveerptr", [9] = "wbnoinvd", [12] = "ibpb", [14] = "ibrs", "amd-stibp",
        [17] = "stibp-always-on", [24] = "amd-ssbd", "virt-ssbd", "amd-no-ssb", [28] = "amd-psfd" } },
    [W_SVM] = { "CPUID.8000000A:EDX", 0x8000000a, 0, REG_EDX, {
        "npt", "lbrv", "svm-lock", "nrip-save", "tsc-scale", "vmcb-clean", "flushbyasid", "decodeassists",
        [10] = "pause-filter", [12] = "pfthreshold", "avic", [15] = "v-vmsave-vmload", "vgif",
        [25] = "vnmi",
        [28] = "svme-addr-chk" } },
    [W_EXT21_EAX] = { "CPUID.80000021:EAX", 0x80000021, 0, REG_EAX, {
        [0] = "no-nested-data-bp", [2] = "lfence-always-serializing", [6] = "null-sel-clr-base",
        [8] = "auto-ibrs" } },
    [W_KVM] = { "KVM's features", 0x40000001, 0, REG_EAX, {
        "kvmclock", "kvm-nopiodelay", "kvm-mmu", "kvmclock", "kvm-asyncpf", "kvm-steal-time",
        "kvm-pv-eoi", "kvm-pv-unhalt",
        [9] = "kvm-pv-tlb-flush", "kvm-asyncpf-vmexit", "kvm-pv-ipi", "kvm-poll-control",
        "kvm-pv-sched-yield",
        "kvm-asyncpf-int", "kvm-msi-ext-dest-id", [24] = "kvmclock-stable-bit" } },
    [W_KVM_HINTS] = { "KVM's hints", 0x40000001, 0, REG_EDX, { [0] = "kvm-hint-dedicated" } },
    [W_ARCH_CAP] = { "IA32_ARCH_CAPABILITIES", UINT32_MAX, 0x10a, REG_EAX, {
        "rdctl-no", "ibrs-all", "rsba", "skip-l1dfl-vmentry", "ssb-no", "mds-no", "pschange-mc-no",
        "tsx-ctrl", "taa-no",
        [13] = "sbdr-ssdp-no", "fbsdp-no", "psdp-no", [17] = "fb-clear", [19] = "rrsba", "bhi-no",
        [24] = "pbrsb-no",
        [26] = "gds-no", "rfds-no", "rfds-clear" } },
};

static const char *const aliases[][2] = {
    { "sse3", "pni" }, { "pclmuldq", "pclmulqdq" }, { "ffxsr", "fxsr-opt" }, { "i64", "lm" }, { "xd",
      "nx" },
};

/* The characters of a name with those made alike that are alike. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a == '_' || *a == '.' ? '-' : g_ascii_tolower(*a), y = *b == '_' || *b == '.' ? '-' : *b;
        if (x != y)
            return false;
        if (!x)
            return true;
    }
}

bool cpu_feature_find(const char *name, enum cpu_word *w, uint32_t *mask)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(aliases); i++)
        if (same_name(name, aliases[i][0]))
            name = aliases[i][1];
    *mask = 0;
    for (unsigned i = 0; i < N_WORDS; i++) {
        for (unsigned b = 0; b < 32; b++)
            if (cpu_words[i].names[b] && same_name(name, cpu_words[i].names[b]))
                *mask |= BIT(b);
        *w = (enum cpu_word) i;
        if (*mask)
            return true;
    }
    return false;
}

char *cpu_feature_hint(const char *name)
{
    const char *names[N_WORDS * 32 + 1];
    unsigned n = 0;

    for (unsigned i = 0; i < N_WORDS; i++)
        for (unsigned b = 0; b < 32; b++)
            if (cpu_words[i].names[b])
                names[n++] = cpu_words[i].names[b];
    names[n] = NULL;
    return nearest_hint(name, names);
}

void cpu_feature_list(const uint32_t words[N_WORDS], GString *out)
{
    const char *last = "";

    for (unsigned i = 0; i < N_WORDS; i++)
        for (unsigned b = 0; b < 32; b++) {
            const char *name = cpu_words[i].names[b];
            if (!(words[i] >> b & 1) || !name || strcmp(name, last) == 0)
                continue;
            g_string_append_printf(out, "%s%s", out->len ? ", " : "", name);
            last = name;
        }
}

void cpu_features_apply(const char *names, uint32_t words[N_WORDS])
{
    char **v = g_strsplit(names, " ", -1);

    for (char **p = v; *p; p++) {
        bool off = **p == '-';
        enum cpu_word w;
        uint32_t mask;
        if (!**p)
            continue;
        bool known = cpu_feature_find(*p + off, &w, &mask);
        g_assert(known);
        words[w] = off ? words[w] & ~mask : words[w] | mask;
    }
    g_strfreev(v);
}

uint32_t cpu_word_of(const struct kvm_cpuid2 *c, enum cpu_word w)
{
    const struct cpu_word_info *info = &cpu_words[w];

    for (unsigned i = 0; i < c->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &c->entries[i];
        const uint32_t regs[] = { e->eax, e->ebx, e->ecx, e->edx };
        if (e->function == info->function && e->index == info->index)
            return regs[info->reg];
    }
    return 0;
}

/* --- what needs what -------------------------------------------------------------------------- */

static const struct {
    const char *needs, *by;
} dependencies[] = {
    { "xsave", "xsaveopt xsavec xgetbv1 xsaves xfd avx mpx pku pks shstk ibt" },
    { "avx", "fma f16c avx2 fma4 xop vaes vpclmulqdq avx-vnni avx-ifma avx-vnni-int8 avx-ne-convert" },
    { "avx2", "avx512f" },
    { "avx512f", "avx512dq avx512ifma avx512pf avx512er avx512cd avx512bw avx512vl avx512vbmi "
                 "avx512vbmi2 avx512vnni avx512bitalg avx512-vpopcntdq avx512-4vnniw avx512-4fmaps "
                 "avx512-vp2intersect avx512-bf16 avx512-fp16" },
    { "amx-tile", "amx-bf16 amx-int8 amx-fp16 amx-complex" },
    { "pcid", "invpcid" },
    { "lm", "la57 lahf-lm fred lam lkgs" },
    { "svm", "npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists pause-filter "
             "pfthreshold avic v-vmsave-vmload vgif vnmi svme-addr-chk" },
    { "arch-capabilities", "rdctl-no ibrs-all rsba skip-l1dfl-vmentry ssb-no mds-no pschange-mc-no "
                           "tsx-ctrl taa-no sbdr-ssdp-no fbsdp-no psdp-no fb-clear rrsba bhi-no pbrsb-no "
                           "gds-no rfds-no rfds-clear" },
};

void cpu_features_settle(uint32_t words[N_WORDS])
{
    for (unsigned i = 0; i < G_N_ELEMENTS(dependencies); i++) {
        enum cpu_word w;
        uint32_t mask;
        if (!cpu_feature_find(dependencies[i].needs, &w, &mask) || (words[w] & mask))
            continue;
        char **v = g_strsplit(dependencies[i].by, " ", -1);
        for (char **p = v; *p; p++)
            if (cpu_feature_find(*p, &w, &mask))
                words[w] &= ~mask;
        g_strfreev(v);
    }
}
