/* bios/demo/start.S - from Multiboot's 32-bit entry to C in long mode; interrupts; the other CPUs. */
    .set MB_MAGIC, 0x1badb002
    .set MB_FLAGS, 3                    /* modules on pages, memory map */
    .set LOADER_MAGIC, 0x2badb002
    .set COM1, 0x3f8
    .set DEBUG_EXIT, 0x501

    .section .multiboot, "a"
    .balign 4
    .long MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

    .section .text.start, "ax"
    .code32
    .globl _start
_start:
    cli
    cld
    mov $stack_top, %esp
    mov %eax, %ebp                      /* magic, and %ebx: information; both live to the call of main */
    push %ebx

    mov $0x80000000, %eax               /* is there a long mode? */
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc no_long_mode

    /* The first 4 GiB one to one, in pages of 2 MiB */
    movl $pdpt + 3, pml4
    mov $pdpt, %edi
    mov $pd + 3, %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $0x1000, %eax
    add $8, %edi
    loop 1b
    mov $pd, %edi
    mov $0x83, %eax
    mov $2048, %ecx
1:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b

    mov $pml4, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x20, %eax                      /* PAE */
    mov %eax, %cr4
    mov $0xc0000080, %ecx               /* EFER.LME */
    rdmsr
    or $0x100, %eax
    wrmsr
    pop %ebx
    mov %cr0, %eax
    or $0x80000001, %eax                /* PG, PE */
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode

no_long_mode:
    mov $sorry, %esi
1:  lodsb
    test %al, %al
    jz 3f
    mov %al, %ah
    mov $COM1 + 5, %edx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov %ah, %al
    mov $COM1, %edx
    out %al, %dx
    jmp 1b
3:  mov $DEBUG_EXIT, %edx
    mov $0x7f, %al
    out %al, %dx
4:  hlt
    jmp 4b

    .code64
long_mode:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $stack_top, %esp
    mov %ebp, %edi
    mov %ebx, %esi
    call main                           /* does not return */
5:  hlt
    jmp 5b

/* --- interrupts: exceptions end the run, the timer counts, all else is acknowledged --- */

    .globl interrupts_start
interrupts_start:
    mov $0, %ecx
1:  mov %ecx, %eax                      /* each exception's entry is 16 bytes */
    shl $4, %eax
    add $exceptions, %eax
    cmp $32, %ecx
    jb 2f
    mov $ignore, %eax
    cmp $0x20, %ecx
    jne 2f
    mov $timer, %eax
2:  mov %ecx, %edx
    shl $4, %edx
    mov %ax, idt(%rdx)
    movw $8, idt + 2(%rdx)
    movw $0x8e00, idt + 4(%rdx)
    shr $16, %eax
    mov %ax, idt + 6(%rdx)
    inc %ecx
    cmp $256, %ecx
    jb 1b
    lidt idt_pointer
    ret

    .balign 16
exceptions:
    .set vector, 0
    .rept 32
    .balign 16
    .if (vector != 8) && (vector != 17) && ((vector < 10) || (vector > 14))
    push $0                             /* no error code: put one there */
    .endif
    push $vector
    jmp trap
    .set vector, vector + 1
    .endr
trap:
    pop %rdi
    pop %rsi
    pop %rdx
    call exception
1:  hlt
    jmp 1b

timer:
    incl timer_ticks
ignore:
    push %rax
    mov $0x20, %al
    out %al, $0x20
    pop %rax
    iretq

/* --- the other CPUs start in real mode at AP_PAGE: count and sleep --- */

    .code16
    .globl ap_code, ap_code_size
ap_code:
    lock incw %cs:0xff0
1:  cli
    hlt
    jmp 1b
ap_code_end:

    .data
    .balign 8
ap_code_size:
    .long ap_code_end - ap_code
    .balign 8
gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
    .word . - gdt - 1
    .long gdt
idt_pointer:
    .word 256 * 16 - 1
    .quad idt
sorry:
    .asciz "The demo needs a CPU with long mode: leave out -cpu, or choose a 64-bit model.\r\n"

    .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd:   .skip 4 * 4096
idt:  .skip 256 * 16
      .skip 16384
stack_top:
    .globl timer_ticks
timer_ticks: .skip 4
    .section .note.GNU-stack, "", @progbits
