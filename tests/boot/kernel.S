/* tests/boot/kernel.S - a Multiboot kernel for the boot tests: says what it got on COM1 and on the screen, and leaves
 * through isa-debug-exit: 0x10 (status 33) when all is well, else the number of what is wrong; without that device it
 * powers off.  A letter after @ on its command line asks for more:
 *   w   wait for the Enter key before it leaves         t   triple fault
 *   p   panic, by pvpanic                               l   loop for ever                 r   reset, by port 0xcf9 */
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
    mov 16(%ebp), %esi              /* what the command line asks for */
2:  lodsb
    test %al, %al
    jz leave
    cmp $'@', %al
    jne 2b
    lodsb
    cmp $'w', %al
    je wait_enter
    cmp $'t', %al
    je triple
    cmp $'p', %al
    je panic
    cmp $'r', %al
    je reset
    cmp $'l', %al
1:  je 1b
leave:
    mov $0x10, %al
leave_al:
    mov $0x501, %dx
    out %al, %dx
    mov $0xf4, %dx
    out %al, %dx
    mov $0x604, %dx                 /* no isa-debug-exit: SLP_EN to PM1a_CNT, where firmware puts it */
    mov $0x2000, %ax
    out %ax, %dx
1:  cli
    hlt
    jmp 1b

wait_enter:
    in $0x64, %al
    test $1, %al
    jz wait_enter
    in $0x60, %al
    cmp $0x1c, %al
    jne wait_enter
    jmp leave
triple:                             /* no IDT, and then a division by zero */
    lidt nothing
    xor %ecx, %ecx
    div %ecx
panic:
    mov $0x505, %dx
    mov $1, %al
    out %al, %dx
1:  hlt
    jmp 1b
reset:
    mov $0xcf9, %dx
    mov $6, %al
    out %al, %dx
1:  hlt
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
nothing: .word 0
    .long 0
cursor: .long 0xb8000
hello:  .asciz "MULTIBOOT KERNEL\ncommand line: "
newline: .asciz "\n"
bye:    .asciz "\nALL IS WELL\n"
    .bss
    .skip 4096
stack:
