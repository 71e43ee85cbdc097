/* bios/linuxboot.S - option ROM that starts a Linux bzImage which the VMM offers in fw_cfg.
 *
 * The BIOS finds it as genroms/linuxboot.bin, and boots it through its PnP header's bootstrap entry
 * vector.  The set-up code, the command line, the kernel and the initrd are copied by fw_cfg's DMA, which
 * reaches all of memory from real mode.  Source: Plug and Play BIOS Specification 1.0A section 3;
 * Linux Documentation/arch/x86/boot.rst, "Running the kernel". */

#define KERNEL_ADDR 0x07
#define KERNEL_SIZE 0x08
#define INITRD_ADDR 0x0a
#define INITRD_SIZE 0x0b
#define KERNEL_DATA 0x11
#define INITRD_DATA 0x12
#define CMDLINE_ADDR 0x13
#define CMDLINE_SIZE 0x14
#define CMDLINE_DATA 0x15
#define SETUP_ADDR 0x16
#define SETUP_SIZE 0x17
#define SETUP_DATA 0x18

    .code16
    .text
    .globl _start
_start:
    .word 0xaa55
    .byte (end - _start) / 512
    jmp init                        /* offset 3: called by the BIOS */
    .org 0x18
    .word 0                         /* no PCI data structure */
    .word pnp
    .balign 16
pnp:
    .ascii "$PnP"
    .byte 1, 2                      /* revision, length in 16 bytes */
    .word 0                         /* no next header */
    .byte 0
    .byte 0                         /* checksum: filled in by the VMM */
    .long 0                         /* device id */
    .word vendor, product
    .byte 2, 0x80, 0                /* mass storage, other */
    .byte 0
    .word 0, 0, boot                /* BCV, disconnect, BEV */
    .word 0, 0
vendor:
    .asciz "Bantam"
product:
    .asciz "Linux kernel"

init:
    mov $0x20, %ax                  /* an IPL device is attached */
    lret

/* select %ax and read 32 bits, little endian, into %eax; keeps the rest */
fetch32:
    push %dx
    push %cx
    push %ebx
    mov $0x510, %dx
    out %ax, %dx
    inc %dx
    mov $4, %cx
1:  in %dx, %al
    shrd $8, %eax, %ebx
    loop 1b
    mov %ebx, %eax
    pop %ebx
    pop %cx
    pop %dx
    ret

/* %si: key of the data, %bx: key of its address, %cx: key of its size */
copy:
    mov %cx, %ax
    call fetch32
    test %eax, %eax
    jz 2f
    mov %eax, %ecx                  /* size */
    mov %bx, %ax
    call fetch32
    mov %eax, %ebx                  /* address */
    /* a descriptor, big endian, on the stack: control, length, address */
    bswap %ebx
    push %ebx
    pushl $0
    bswap %ecx
    push %ecx
    movzwl %si, %eax
    shl $16, %eax
    or $0x0a, %eax                  /* select and read */
    bswap %eax
    push %eax
    xor %eax, %eax                  /* its physical address */
    mov %ss, %ax
    shl $4, %eax
    movzwl %sp, %ecx
    add %ecx, %eax
    bswap %eax
    mov $0x518, %dx
    out %eax, %dx
    pop %eax                        /* control, written back: 0, or 1 for an error */
    add $12, %sp
    test %eax, %eax
    jnz failed
2:  ret

failed:
    push %cs
    pop %ds
    mov $message, %si
3:  lodsb
    test %al, %al
    jz 4f
    mov $0x0e, %ah
    mov $7, %bx
    int $0x10
    jmp 3b
4:  int $0x18
message:
    .asciz "linuxboot: cannot copy the kernel into memory\r\n"

boot:
    cli
    cld
    mov $SETUP_DATA, %si
    mov $SETUP_ADDR, %bx
    mov $SETUP_SIZE, %cx
    call copy
    mov $CMDLINE_DATA, %si
    mov $CMDLINE_ADDR, %bx
    mov $CMDLINE_SIZE, %cx
    call copy
    mov $KERNEL_DATA, %si
    mov $KERNEL_ADDR, %bx
    mov $KERNEL_SIZE, %cx
    call copy
    mov $INITRD_DATA, %si
    mov $INITRD_ADDR, %bx
    mov $INITRD_SIZE, %cx
    call copy
    mov $CMDLINE_ADDR, %ax
    call fetch32
    mov %eax, %ecx
    mov $SETUP_ADDR, %ax
    call fetch32
    sub %eax, %ecx                  /* the stack ends below the command line */
    sub $16, %ecx
    shr $4, %eax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %fs
    mov %ax, %gs
    mov %ax, %ss
    mov %cx, %sp
    add $0x20, %ax                  /* the set-up code starts at 200h */
    push %ax
    push $0
    lret
    .balign 512
end:
