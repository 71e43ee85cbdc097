/* vmm/core/cpu_state.h - what the rest of the VMM says about CPUs without knowing the accelerator.
 *
 * Sources: Intel SDM volume 3 (modes, APIC ids, MTRRs); AMD APM volume 3 (topology). */
#ifndef BANTAM_CORE_CPU_STATE_H
#define BANTAM_CORE_CPU_STATE_H

#include "vmm/base/util.h"

/* --- topology --------------------------------------------------------------------------------- */

/* cpus <= max_cpus <= sockets * dies * cores * threads; none is 0. */
struct cpu_topology {
    unsigned cpus, max_cpus, sockets, dies, cores, threads;
};

static inline unsigned cpu_id_bits(unsigned n) /* bits that number n things */
{
    return n <= 1 ? 0 : 32 - (unsigned) __builtin_clz(n - 1);
}

/* The local APIC id of CPU `index` (0 is the bootstrap processor): thread, core, die, socket from the low
 * bits up, each field as wide as its count needs.  MADT and MP tables use it, too. */
static inline unsigned cpu_apic_id(const struct cpu_topology *t, unsigned index)
{
    unsigned thread = index % t->threads, core = index / t->threads % t->cores;
    unsigned die = index / (t->threads * t->cores) % t->dies,
             socket = index / (t->threads * t->cores * t->dies);
    unsigned id = socket;

    id = id << cpu_id_bits(t->dies) | die;
    id = id << cpu_id_bits(t->cores) | core;
    return id << cpu_id_bits(t->threads) | thread;
}

/* --- memory that the host's KVM keeps for itself (EPT identity map, TSS): reserved in e820 ---- */

enum { CPU_HOST_PAGES = 0xfeffc000, CPU_HOST_PAGES_SIZE = 0x4000 };

/* --- registers at entry to a kernel that no firmware starts ----------------------------------- */

enum cpu_mode {
    CPU_REAL16, /* cs, ds: segments; cs:ip is cs << 4 + rip */
    CPU_PROT32, /* flat 4 GiB segments, no paging */
    CPU_LONG64, /* flat, PAE 4-level paging by cr3, EFER.LME and LMA */
};

/* Applied to the bootstrap processor at every reset, in place of the reset vector.  Interrupts are off, the
 * direction flag is clear, CR0.NE and ET are set.  The other CPUs wait for INIT and SIPI.  With it every
 * CPU has what firmware leaves: LINT0 as ExtINT, LINT1 as NMI, MTRRs on (write-back, the PCI hole
 * uncached). */
struct boot_cpu_state {
    enum cpu_mode mode;
    uint64_t rip, rsp, rax, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t cr3;                /* CPU_LONG64 */
    uint16_t cs, ds;             /* selectors (ds also for es, ss, fs, gs), or segments in CPU_REAL16 */
    uint64_t gdt_base;           /* the GDT itself is the loader's; 0 with limit 0: none */
    uint16_t gdt_limit;
    uint64_t uncached_base;      /* where the PCI hole below 4 GiB begins; 0: no MTRR set-up */
};

/* --- general registers of the CPU whose access is being handled (VMware's port, hypercall ports) --- */

struct cpu_gprs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags;
};

#endif
