#!/bin/bash
# tests/guest/memtest.sh - memtest86+ starts, directly and through SeaBIOS, finds the memory, and its screen can be read.
# Its pictures are kept in build/test-logs.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need python3
M=/boot/memtest86+x64.bin
[ -r $M ] || skip_all "memtest86+ (Debian's package) is not installed"
need_kernels
cp $M "$W/memtest.bin"
where_kvm_is_real 240 <<'S'
for w in direct bios; do
    opt=
    [ $w = direct ] || opt="-bios bios-256k.bin"
    boot_bg $w 100 -m 64 -vga std $opt -kernel memtest.bin -append "console=ttyS0,115200"
    for i in $(seq 40); do
        sleep 1
        mon screentext >$w.text || break
        grep -aq 'Time:  0:00:[0-9]*[1-9]' $w.text && break
    done
    mon "screendump $PWD/$w.png" >$w.dump
    mon "info status" >$w.status
    mon quit
    boot_wait
done
S
for w in direct bios; do
    booted $w
    has "$w: its name" "$W/$w.text" "Memtest86+ v6"
    has "$w: the memory it found" "$W/$w.text" "Memory"
    has "$w: it tests" "$W/$w.text" "Testing:"
    has "$w: no errors" "$W/$w.text" "Errors: 0"
    has "$w: still running" "$W/$w.status" "running"
    mkdir -p build/test-logs && cp "$W/$w.png" "build/test-logs/memtest-$w.png"
done
finish
