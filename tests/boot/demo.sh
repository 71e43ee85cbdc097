#!/bin/bash
# tests/boot/demo.sh - the built-in demo guest: what it finds, its picture, and how it ends.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
need_kvm

exit_dev="-device isa-debug-exit,iobase=0x501"
truncate -s 4M "$TMP/disk.img"
printf '\125\252' | dd of="$TMP/disk.img" bs=1 seek=510 conv=notrunc status=none

# shellcheck disable=SC2086
vm 120 -demo -m 128 -smp 2 -nodefaults -vga std -display none -serial "file:$TMP/full" $exit_dev \
    -drive "file=$TMP/disk.img,format=raw"
is "powers off" "$st" 0
for s in "checks passed" "CPUs      2 started" "1111 standard VGA" "4 MiB, bootable" "FACP" "by the PM timer" "reset fa aa"; do
    has "says: $s" "$TMP/full" "$s"
done

# shellcheck disable=SC2086
vm 120 -demo -m 5G -nodefaults -display none -serial "file:$TMP/bare" $exit_dev
is "without a display, with memory above 4 GiB" "$st" 0
has "finds it" "$TMP/bare" "100000000-17fffffff free"

# shellcheck disable=SC2086
vm 120 -demo -cpu qemu32 -nodefaults -display none -serial "file:$TMP/old" $exit_dev
is "a CPU without long mode: through isa-debug-exit" "$st" 255
has "says why" "$TMP/old" "needs a CPU with long mode"

# The picture, by the monitor, while the machine stands paused after its power-off
{
    wait_for 60 grep -aq Powering "$TMP/shot" && sleep 1
    echo "screendump $TMP/demo.png"
    echo quit
} | timeout 120 "$VMM" -demo -nodefaults -vga std -display none -serial "file:$TMP/shot" -action shutdown=pause \
    -monitor stdio >"$TMP/mon"
is "quits" $? 0
is "leaves a picture of 720x400 dots" "$(od -An -tx1 -j16 -N8 "$TMP/demo.png" | tr -d ' \n')" 000002d000000190
finish
