/* tests/guest/pxe.S - what the PXE test boots: adds up the rest of its file, which makes 0 when all of it came as it was
 * sent; then leaves by isa-debug-exit: 21 (status 43) or 22. */
    .code16
    .globl _start
_start:
    jmp go
    .org 4
paragraphs:
    .word 0                     /* of the data, which is behind the first 512 bytes */
go:
    ljmp $0, $begin
begin:
    xorw %bx, %bx
    movw %bx, %ds
    movw paragraphs, %cx
    movw $(0x7c00 + 512) / 16, %ax
next:
    movw %ax, %es
    xorw %di, %di
add:
    addw %es:(%di), %bx
    addw $2, %di
    cmpw $16, %di
    jb add
    incw %ax
    decw %cx
    jnz next
    movb $21, %al
    testw %bx, %bx
    jz out
    incb %al
out:
    outb %al, $0xf4
    hlt
    .org 512
