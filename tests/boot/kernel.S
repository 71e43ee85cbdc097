/* tests/boot/kernel.S - a Multiboot kernel for the boot tests: says what it got on COM1 and on the screen, and leaves
 * through isa-debug-exit: 0x10 (status 33) when all is well, else the number of what is wrong. */
    .set FLAGS, 3
    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)

    .text
    .globl _start
_start:
    mov $stack, %esp
    cmp $0x2badb002, %eax
    mov $1, %al
    jne leave_al
    mov %ebx, %ebp
    mov $hello, %esi
    call print
    mov 16(%ebp), %esi              /* command line */
    call print
    mov $newline, %esi
    call print
    mov $2, %al
    testl $0x40, (%ebp)             /* a memory map */
    jz leave_al
    testl $8, (%ebp)
    jz 1f
    cmpl $0, 20(%ebp)               /* modules: print what the first says */
    je 1f
    mov 24(%ebp), %edi
    mov (%edi), %esi
    mov 4(%edi), %ecx
    sub %esi, %ecx
2:  lodsb
    call putc
    loop 2b
1:  mov $bye, %esi
    call print
    mov $0x10, %al
leave_al:
    mov $0x501, %dx
    out %al, %dx
    mov $0xf4, %dx
    out %al, %dx
1:  cli
    hlt
    jmp 1b

print:
    lodsb
    test %al, %al
    jz 1f
    call putc
    jmp print
1:  ret

putc:                               /* %al to COM1 and to the screen */
    push %edx
    push %eax
    mov $0x3fd, %dx
1:  in %dx, %al
    test $0x20, %al
    jz 1b
    mov (%esp), %al
    mov $0x3f8, %dx
    out %al, %dx
    cmp $10, %al
    je 2f
    mov cursor, %edx
    movb %al, (%edx)
    movb $0x1f, 1(%edx)
    addl $2, cursor
    jmp 3f
2:  mov cursor, %eax                /* to the start of the next line */
    sub $0xb8000, %eax
    xor %edx, %edx
    push %ecx
    mov $160, %ecx
    div %ecx
    inc %eax
    mul %ecx
    pop %ecx
    add $0xb8000, %eax
    mov %eax, cursor
3:  pop %eax
    pop %edx
    ret

    .data
cursor: .long 0xb8000
hello:  .asciz "MULTIBOOT KERNEL\ncommand line: "
newline: .asciz "\n"
bye:    .asciz "\nALL IS WELL\n"
    .bss
    .skip 4096
stack:
