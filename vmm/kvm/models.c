/* vmm/kvm/models.c - named CPU models: identity and features of real processors (and of QEMU's generic
 * ones).
 *
 * Sources: Intel's and AMD's processor documentation; names and generic models are QEMU's.  Deviations: of
 * the versions and suffixes of QEMU's models only the plain ones and the common -IBRS, -noTSX and -IBPB are
 * here.  VMX and SVM are not given by a named model: add +vmx or +svm. */
#include "vmm/kvm/cpu.h"

#define INTEL "GenuineIntel"
#define AMD   "AuthenticAMD"

#define PPRO "fpu de pse tsc msr mce cx8 pge cmov pat fxsr mmx sse sse2 pae sep apic "
#define PENTIUM "fpu vme de pse tsc msr mce cx8 mmx "
#define COMMON64                                                                                           \
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr "            \
    "sse sse2 pni syscall nx lm "

const struct cpu_model cpu_models[] = {
    { "base", NULL, INTEL, 6, 6, 3, 1, 0, "", "" },
    { "486", NULL, INTEL, 4, 8, 0, 1, 0, "", "fpu vme pse" },
    { "pentium", NULL, INTEL, 5, 4, 3, 1, 0, "", PENTIUM },
    { "pentium2", NULL, INTEL, 6, 5, 2, 2, 0, "", PENTIUM "pae sep mtrr pge mca cmov pat pse36 fxsr" },
    { "pentium3", "pentium2", INTEL, 6, 7, 3, 3, 0, "", "sse" },
    { "coreduo", NULL, INTEL, 6, 14, 8, 10, 0x80000008, "Genuine Intel(R) CPU           T2600  @ 2.16GHz",
      PPRO "vme mtrr clflush mca ss pni nx" },
    { "core2duo", NULL, INTEL, 6, 15, 11, 10, 0x80000008, "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
      PPRO "mtrr clflush mca pse36 vme ss pni ssse3 cx16 lm syscall nx lahf-lm" },
    { "n270", NULL, INTEL, 6, 28, 2, 10, 0x80000008, "Intel(R) Atom(TM) CPU N270   @ 1.60GHz",
      PPRO "mtrr clflush mca vme ss pni ssse3 movbe nx lahf-lm" },
    { "athlon", NULL, AMD, 6, 2, 3, 2, 0x80000008, "AMD Athlon(tm) Processor",
      PPRO "pse36 vme mtrr mca mmxext 3dnow 3dnowext" },
    { "phenom", NULL, AMD, 16, 2, 3, 5, 0x8000001a, "AMD Phenom(tm) 9550 Quad-Core Processor",
      PPRO
      "mtrr clflush mca pse36 vme pni cx16 popcnt lm syscall nx 3dnow 3dnowext mmxext fxsr-opt pdpe1gb "
      "rdtscp lahf-lm abm sse4a" },
    { "qemu32", NULL, INTEL, 6, 6, 3, 4, 0x80000004, "QEMU Virtual CPU version 2.5+", PPRO "pni" },
    { "qemu64", NULL, AMD, 15, 107, 1, 0xd, 0x8000000a, "QEMU Virtual CPU version 2.5+",
      PPRO "mtrr clflush mca pse36 pni cx16 lm syscall nx lahf-lm" },
    { "kvm32", NULL, INTEL, 15, 6, 1, 5, 0x80000008, "Common 32-bit KVM processor",
      PPRO "vme mtrr clflush mca pse36 pni" },
    { "kvm64", NULL, INTEL, 15, 6, 1, 0xd, 0x80000008, "Common KVM processor",
      PPRO "vme mtrr clflush mca pse36 pni cx16 lm syscall nx" },

    { "Conroe", NULL, INTEL, 6, 15, 3, 10, 0x80000008, "Intel Celeron_4x0 (Conroe/Merom Class Core 2)",
      COMMON64 "ssse3 lahf-lm" },
    { "Penryn", "Conroe", INTEL, 6, 23, 3, 10, 0x80000008, "Intel Core 2 Duo P9xxx (Penryn Class Core 2)",
      "cx16 sse4.1" },
    { "Nehalem", "Penryn", INTEL, 6, 26, 3, 11, 0x80000008, "Intel Core i7 9xx (Nehalem Class Core i7)",
      "sse4.2 popcnt" },
    { "Nehalem-IBRS", "Nehalem", INTEL, 6, 26, 3, 11, 0x80000008,
      "Intel Core i7 9xx (Nehalem Core i7, IBRS update)", "spec-ctrl" },
    { "Westmere", "Nehalem", INTEL, 6, 44, 1, 11, 0x80000008, "Westmere E56xx/L56xx/X56xx (Nehalem-C)",
      "aes pclmulqdq arat" },
    { "Westmere-IBRS", "Westmere", INTEL, 6, 44, 1, 11, 0x80000008,
      "Westmere E56xx/L56xx/X56xx (IBRS update)", "spec-ctrl" },
    { "SandyBridge", "Westmere", INTEL, 6, 42, 1, 0xd, 0x80000008, "Intel Xeon E312xx (Sandy Bridge)",
      "avx xsave xsaveopt tsc-deadline x2apic rdtscp" },
    { "SandyBridge-IBRS", "SandyBridge", INTEL, 6, 42, 1, 0xd, 0x80000008,
      "Intel Xeon E312xx (Sandy Bridge, IBRS update)", "spec-ctrl" },
    { "IvyBridge", "SandyBridge", INTEL, 6, 58, 9, 0xd, 0x80000008, "Intel Xeon E3-12xx v2 (Ivy Bridge)",
      "f16c rdrand fsgsbase smep erms" },
    { "IvyBridge-IBRS", "IvyBridge", INTEL, 6, 58, 9, 0xd, 0x80000008,
      "Intel Xeon E3-12xx v2 (Ivy Bridge, IBRS)", "spec-ctrl" },
    { "Haswell", "IvyBridge", INTEL, 6, 60, 4, 0xd, 0x80000008, "Intel Core Processor (Haswell)",
      "fma movbe pcid bmi1 hle avx2 bmi2 invpcid rtm abm" },
    { "Haswell-noTSX", "Haswell", INTEL, 6, 60, 1, 0xd, 0x80000008,
      "Intel Core Processor (Haswell, no TSX)", "-hle -rtm" },
    { "Haswell-IBRS", "Haswell", INTEL, 6, 60, 4, 0xd, 0x80000008, "Intel Core Processor (Haswell, IBRS)",
      "spec-ctrl" },
    { "Haswell-noTSX-IBRS", "Haswell-noTSX", INTEL, 6, 60, 1, 0xd, 0x80000008,
      "Intel Core Processor (Haswell, no TSX, IBRS)", "spec-ctrl" },
    { "Broadwell", "Haswell", INTEL, 6, 61, 2, 0xd, 0x80000008, "Intel Core Processor (Broadwell)",
      "3dnowprefetch rdseed adx smap" },
    { "Broadwell-noTSX", "Broadwell", INTEL, 6, 61, 2, 0xd, 0x80000008,
      "Intel Core Processor (Broadwell, no TSX)", "-hle -rtm" },
    { "Broadwell-IBRS", "Broadwell", INTEL, 6, 61, 2, 0xd, 0x80000008,
      "Intel Core Processor (Broadwell, IBRS)", "spec-ctrl" },
    { "Broadwell-noTSX-IBRS", "Broadwell-noTSX", INTEL, 6, 61, 2, 0xd, 0x80000008,
      "Intel Core Processor (Broadwell, no TSX, IBRS)", "spec-ctrl" },
    { "Skylake-Client", "Broadwell", INTEL, 6, 94, 3, 0xd, 0x80000008, "Intel Core Processor (Skylake)",
      "xsavec xgetbv1" },
    { "Skylake-Client-IBRS", "Skylake-Client", INTEL, 6, 94, 3, 0xd, 0x80000008,
      "Intel Core Processor (Skylake, IBRS)", "spec-ctrl" },
    { "Skylake-Client-noTSX-IBRS", "Skylake-Client-IBRS", INTEL, 6, 94, 3, 0xd, 0x80000008,
      "Intel Core Processor (Skylake, IBRS, no TSX)", "-hle -rtm" },
    { "Skylake-Server", "Skylake-Client", INTEL, 6, 85, 4, 0xd, 0x80000008,
      "Intel Xeon Processor (Skylake)",
      "pdpe1gb clflushopt clwb avx512f avx512dq avx512bw avx512cd avx512vl pku" },
    { "Skylake-Server-IBRS", "Skylake-Server", INTEL, 6, 85, 4, 0xd, 0x80000008,
      "Intel Xeon Processor (Skylake, IBRS)", "spec-ctrl -clflushopt" },
    { "Skylake-Server-noTSX-IBRS", "Skylake-Server-IBRS", INTEL, 6, 85, 4, 0xd, 0x80000008,
      "Intel Xeon Processor (Skylake, IBRS, no TSX)", "-hle -rtm" },
    { "Cascadelake-Server", "Skylake-Server", INTEL, 6, 85, 6, 0xd, 0x80000008,
      "Intel Xeon Processor (Cascadelake)", "avx512vnni spec-ctrl ssbd" },
    { "Cascadelake-Server-noTSX", "Cascadelake-Server", INTEL, 6, 85, 6, 0xd, 0x80000008,
      "Intel Xeon Processor (Cascadelake)",
      "-hle -rtm arch-capabilities rdctl-no ibrs-all skip-l1dfl-vmentry mds-no" },
    { "Icelake-Server", "Cascadelake-Server", INTEL, 6, 134, 0, 0xd, 0x80000008,
      "Intel Xeon Processor (Icelake)",
      "avx512vbmi umip avx512vbmi2 gfni vaes vpclmulqdq avx512bitalg avx512-vpopcntdq la57 wbnoinvd" },
    { "Icelake-Server-noTSX", "Icelake-Server", INTEL, 6, 134, 0, 0xd, 0x80000008,
      "Intel Xeon Processor (Icelake)", "-hle -rtm" },

    { "Opteron_G1", NULL, AMD, 15, 6, 1, 5, 0x80000008, "AMD Opteron 240 (Gen 1 Class Opteron)", COMMON64 },
    { "Opteron_G2", "Opteron_G1", AMD, 15, 6, 1, 5, 0x80000008, "AMD Opteron 22xx (Gen 2 Class Opteron)",
      "cx16 lahf-lm" },
    { "Opteron_G3", "Opteron_G2", AMD, 16, 2, 3, 5, 0x80000008, "AMD Opteron 23xx (Gen 3 Class Opteron)",
      "popcnt rdtscp misalignsse sse4a abm" },
    { "Opteron_G4", "Opteron_G3", AMD, 21, 1, 2, 0xd, 0x8000001a, "AMD Opteron 62xx class CPU",
      "avx xsave aes sse4.2 sse4.1 ssse3 pclmulqdq pdpe1gb fma4 xop 3dnowprefetch" },
    { "Opteron_G5", "Opteron_G4", AMD, 21, 2, 0, 0xd, 0x8000001a, "AMD Opteron 63xx class CPU",
      "f16c fma tbm" },
    { "EPYC", NULL, AMD, 23, 1, 2, 0xd, 0x8000001e, "AMD EPYC Processor",
      COMMON64
      "rdrand f16c avx xsave aes movbe popcnt sse4.2 sse4.1 cx16 fma ssse3 pclmulqdq rdtscp pdpe1gb "
      "fxsr-opt mmxext osvw 3dnowprefetch misalignsse sse4a abm cr8legacy lahf-lm topoext fsgsbase "
      "bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha-ni xsaveopt xsavec xgetbv1 arat" },
    { "EPYC-IBPB", "EPYC", AMD, 23, 1, 2, 0xd, 0x8000001e, "AMD EPYC Processor (with IBPB)", "ibpb" },
    { "EPYC-Rome", "EPYC", AMD, 23, 49, 0, 0xd, 0x8000001e, "AMD EPYC-Rome Processor",
      "clwb umip rdpid clzero xsaveerptr wbnoinvd ibpb amd-stibp perfctr-core" },
    { "EPYC-Milan", "EPYC-Rome", AMD, 25, 1, 1, 0xd, 0x8000001e, "AMD EPYC-Milan Processor",
      "pcid invpcid erms pku fsrm ibrs amd-ssbd" },
    { NULL }
};

const struct cpu_model *cpu_model_find(const char *name)
{
    for (const struct cpu_model *m = cpu_models; m->name; m++)
        if (g_ascii_strcasecmp(m->name, name) == 0)
            return m;
    return NULL;
}

void cpu_model_words(const struct cpu_model *m, uint32_t words[N_WORDS])
{
    if (m->parent)
        cpu_model_words(cpu_model_find(m->parent), words);
    cpu_features_apply(m->features, words);
}
