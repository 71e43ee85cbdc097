/* tests/kvm/test_cpu.c - -cpu and -smp: what is refused and how it is said, and what the guest's CPUID is.
 */
#include "tests/kvm/guest.h"

#include <fcntl.h>

#define EXIT(n) "mov $" #n ", %al\n out %al, $0xf4\n 9: hlt\n jmp 9b\n"

static const struct cpu_topology one = { 1, 1, 1, 1, 1, 1 };

/* --- messages --------------------------------------------------------------------------------- */

static void expect_error(const char *cpu, struct cpu_topology t, const char *device, const char *want)
{
    struct kvm_config cfg = { .cpu = cpu, .topo = t, .device = device };
    GError *err = NULL;

    g_assert_false(kvm_check_cpu(&cfg, &err));
    if (!g_pattern_match_simple(want, err->message))
        g_error("-cpu %s: '%s' is not like '%s'", cpu ? cpu : "(none)", err->message, want);
    g_error_free(err);
}

static void test_text(void)
{
    static const char *const bad[][2] = {
        { "", "-cpu: there is no CPU model ''*" },
        { "hots", "-cpu: there is no CPU model 'hots' (did you mean 'host'?); see -cpu help" },
        { "skylake", "-cpu: there is no CPU model 'skylake'*; see -cpu help" },
        { "qemu64,+sse5", "-cpu: there is no feature or property 'sse5'*(did you mean 'sse*'?)*" },
        { "host,avx=maybe", "-cpu: avx=maybe: it is 'on' or 'off'" },
        { "host,avxx=on", "*no feature or property 'avxx'*did you mean 'avx'*" },
        { "host,,avx", "-cpu: there is nothing between two commas in 'host,,avx'" },
        { "host,", "-cpu: there is nothing between two commas*" },
        { "host,+", "-cpu: there is no feature or property ''*" },
        { "host,=", "-cpu: there is no feature or property ''*" },
        { "host,family=300", "-cpu: family=300: it is a number from 0 to 270" },
        { "host,family=-1", "-cpu: family=-1: it is a number*" },
        { "host,family", "-cpu: family=: it is a number*" },
        { "host,stepping=0x", "-cpu: stepping=0x: it is a number*" },
        { "host,phys-bits=99", "-cpu: phys-bits=99: it is a number from 32 to 52" },
        { "host,vendor=Intel", "-cpu: vendor=Intel: it has 12 characters*" },
        { "host,model-id=0123456789012345678901234567890123456789012345678",
        "-cpu: model-id= has at most 48 characters" },
        { "host,tsc-frequency=3T", "-cpu: tsc-frequency=3T: it is a number*" },
        { "host,+hv-foo", "-cpu: there is no feature or property 'hv-foo'*" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        expect_error(bad[i][0], one, NULL, bad[i][1]);
    expect_error(NULL, (struct cpu_topology){ 0, 1, 1, 1, 1, 1 }, NULL, "-smp: no count may be 0");
    expect_error(NULL, (struct cpu_topology){ 4, 4, 1, 1, 2, 1 }, NULL,
                 "-smp: sockets=1,dies=1,cores=2,threads=1 is less *");
    expect_error(NULL, (struct cpu_topology){ 4, 2, 1, 1, 4, 1 }, NULL, "-smp: 4 CPUs, but maxcpus=2");
    expect_error(NULL, (struct cpu_topology){ 256, 256, 256, 1, 1, 1 }, NULL,
                 "-smp: 256 CPUs are more than a PC can *");
    expect_error(NULL, (struct cpu_topology){ 255, 255, 85, 1, 3, 1 }, NULL,
                 "-smp: the last of 255 CPUs would have APIC *");
    expect_error(NULL, (struct cpu_topology){ 1, 1, 65536, 65536, 65536, 65536 }, NULL, "-smp: no count*");
    expect_error(NULL, one, "/nonexistent",
                 "/nonexistent: No such file or directory: enable VT-x or AMD-V *");
    expect_error(NULL, one, "/dev/null", "/dev/null: this is not the KVM device: *");
}

static void test_lacking(void)
{
    if (guest_no_kvm())
        return;
    struct kvm_config cfg = { .cpu = "qemu64,+3dnow,+ibs,+avx512er,enforce", .topo = one };
    GError *err = NULL;
    g_assert_false(kvm_check_cpu(&cfg, &err)); /* no processor has all of these */
    g_assert_true(
        g_pattern_match_simple("*this host's KVM lacks *ibs*; leave 'enforce' out*", err->message));
    g_clear_error(&err);
    cfg.cpu = "qemu64,+3dnow,+ibs,+avx512er,-ibs,check=off";
    g_assert_true(kvm_check_cpu(&cfg, &err));
    g_assert_no_error(err);
    GString *help = g_string_new(NULL);
    kvm_cpu_help(help);
    g_assert_nonnull(strstr(help->str, "\n  Skylake-Client "));
    g_assert_nonnull(strstr(help->str, "tsc-deadline"));
    g_string_free(help, TRUE);
}

/* --- every model starts ----------------------------------------------------------------------- */

/* CPUID of the leaves in the list at 0x700 (function, index) to 0x1000.. until function -1. */
GUEST(cpuid_code, 32,
      "mov $0x700, %esi\n mov $0x1800, %edi\n"
      "1: mov (%esi), %eax\n mov 4(%esi), %ecx\n cmp $-1, %eax\n je 2f\n"
      "cpuid\n mov %eax, (%edi)\n mov %ebx, 4(%edi)\n mov %ecx, 8(%edi)\n mov %edx, 12(%edi)\n"
      "add $8, %esi\n add $16, %edi\n jmp 1b\n 2:\n" EXIT(0));

struct regs {
    uint32_t a, b, c, d;
};

static void run_cpuid(const char *cpu, struct cpu_topology t, const uint32_t (*leaves)[2], unsigned n,
                      struct regs *out)
{
    struct kvm_config cfg = { .cpu = cpu, .topo = t };
    struct guest *g = guest_new(&cfg, cpuid_code, cpuid_code_end);
    uint8_t *ram = g->vm->ram.block.host;

    for (unsigned i = 0; i < n; i++) {
        st_le32(ram + 0x700 + 8 * i, leaves[i][0]);
        st_le32(ram + 0x704 + 8 * i, leaves[i][1]);
    }
    st_le32(ram + 0x700 + 8 * n, UINT32_MAX);
    g_assert_cmpint(guest_run(g, CPU_PROT32), ==, 1);
    memcpy(out, ram + 0x1800, n * sizeof *out);
    guest_free(g);
}

static void test_leaves(void)
{
    static const uint32_t leaves[][2] = { { 0, 0 },          { 1, 0 },          { 0xb, 0 },
                                          { 0xb, 1 },        { 0x80000002, 0 }, { 0x40000000, 0 },
                                          { 0x40000001, 0 }, { 0x80000007, 0 }, { 4, 0 } };
    struct regs r[G_N_ELEMENTS(leaves)];

    if (guest_no_kvm())
        return;
    run_cpuid("Nehalem,check=off,model-id=Bantam", one, leaves, G_N_ELEMENTS(leaves), r);
    g_assert_cmpuint(r[0].a, ==, 11);
    g_assert_cmpmem(&r[0].b, 4, "Genu", 4);
    g_assert_cmpmem(&r[0].d, 4, "ineI", 4);
    g_assert_cmphex(r[1].a, ==, 0x000106a3); /* family 6, model 26, stepping 3 */
    g_assert_cmphex(r[1].b >> 16 & 0xff, ==, 1); /* software KVMs set HTT itself, and more bits, always */
    g_assert_cmphex(r[1].c >> 31, ==, 1);
    g_assert_cmpmem(&r[4], 7, "Bantam", 7);
    g_assert_cmphex(r[5].a, ==, 0x40000001);
    g_assert_cmpmem(&r[5].b, 12, "KVMKVMKVM\0\0\0", 12);
    g_assert_cmphex(r[8].a & 0x1f, ==, 1); /* L1 data */

    run_cpuid(
        "qemu64,check=off,kvm=off,-hypervisor,vendor=GenuineIntel,family=6,model=0x3c,stepping=1,-sse2",
        (struct cpu_topology){ 1, 8, 2, 1, 2, 2 }, leaves, G_N_ELEMENTS(leaves), r);
    g_assert_cmpmem(&r[0].b, 4, "Genu", 4);
    g_assert_cmphex(r[1].a, ==, 0x000306c1);
    g_assert_cmphex(r[1].d & BIT(28), !=, 0);
    g_assert_cmphex(r[1].b >> 16 & 0xff, ==, 4);
    g_assert_cmphex(r[2].a, ==, 1); /* one bit of thread */
    g_assert_cmphex(r[2].b, ==, 2);
    g_assert_cmphex(r[2].c, ==, 0x100);
    g_assert_cmphex(r[3].a, ==, 2);
    g_assert_cmphex(r[3].b, ==, 4);
    g_assert_cmphex(r[3].c, ==, 0x201);
    g_assert_false(memcmp(&r[5].b, "KVMK", 4) == 0);

    run_cpuid("host", one, leaves, G_N_ELEMENTS(leaves), r);
    g_assert_cmphex(r[7].d & BIT(8), ==, 0); /* invtsc only when asked for */
}

static void test_models(void)
{
    static const uint32_t leaves[][2] = { { 0, 0 }, { 1, 0 } };
    static const char *const models[] = {
        "486", "pentium", "pentium2", "pentium3", "core2duo", "coreduo", "n270", "athlon", "phenom",
        "qemu32", "qemu64", "kvm32", "kvm64", "Conroe", "Penryn", "Nehalem", "Westmere",
        "SandyBridge", "IvyBridge", "Haswell", "Broadwell", "Skylake-Client", "Skylake-Server",
        "Cascadelake-Server", "Opteron_G1", "Opteron_G2", "Opteron_G3", "Opteron_G4", "Opteron_G5",
        "EPYC", "EPYC-Rome", "base", "max", "host"
    };
    struct regs r[2];

    if (guest_no_kvm())
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
        char *text = g_strconcat(models[i], ",check=off", NULL);
        run_cpuid(text, one, leaves, 2, r);
        if (strcmp(models[i], "base") != 0)
            g_assert_cmphex(r[1].d & 1, ==, 1); /* FPU */
        g_free(text);
    }
    run_cpuid(
        "host,-kvmclock,-kvm-steal-time,kvm-pv-eoi=off,+invtsc,migratable=off,host-phys-bits-limit=39", one,
        leaves, 2, r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/cpu/text", test_text);
    g_test_add_func("/kvm/cpu/lacking", test_lacking);
    g_test_add_func("/kvm/cpu/leaves", test_leaves);
    g_test_add_func("/kvm/cpu/models", test_models);
    return g_test_run();
}
