/* bench/init.S - the guest's first process: says that it runs, and switches the machine off. */
        .globl _start
_start: mov     $1, %eax                # write(1, text, length)
        mov     $1, %edi
        lea     text(%rip), %rsi
        mov     $end - text, %edx
        syscall
        mov     $169, %eax              # reboot(MAGIC1, MAGIC2, POWER_OFF)
        mov     $0xfee1dead, %edi
        mov     $672274793, %esi
        mov     $0x4321fedc, %edx
        syscall
        ud2                             # only when the machine could not be switched off
text:   .ascii  "BENCH-INIT\n"
end:
        .section .note.GNU-stack, "", @progbits
