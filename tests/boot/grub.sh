#!/bin/bash
# tests/boot/grub.sh - GRUB from a disk, a CD-ROM and a floppy, through SeaBIOS: its menu on the screen and on the serial
# port, a key that starts a Multiboot kernel, what that kernel says, and how it ends.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/images.sh
. "$SRC/tests/lib/images.sh"
need_kvm
need socat grub-mkimage grub-mkrescue xorriso mkfs.fat mcopy gcc
[ -e /usr/lib/grub/i386-pc/boot.img ] || skip_all "grub-pc-bin is not installed"

# The menu stands until the test presses Enter; the kernel leaves when the test presses it again.
export GRUB_TIMEOUT=-1 GRUB_SAYS="from grub @wait"
make_kernel "$TMP/kernel" || { not_ok "the kernel is made"; finish; }
cd "$TMP" || exit 1

mon() { echo "$1" | socat -t 10 - UNIX-CONNECT:mon | tr -d '\r'; }
screen_has() { mon screentext | grep -qF -- "$1"; }

boot() { # NAME args...
    local name=$1 pid
    shift
    rm -f mon
    timeout -k 5 200 "$VMM" -m 64 -display none -serial "file:$name.serial" -monitor unix:mon,server,nowait -boot order=dca \
        -device isa-debug-exit,iobase=0x501 "$@" </dev/null >"$name.out" 2>"$name.err" &
    pid=$!
    tap_pids="$tap_pids $pid"
    if ! wait_for 20 test -S mon; then not_ok "$name: starts" "$(cat "$name.err")"; return; fi
    if wait_for 100 screen_has "*Bantam test kernel"; then ok "$name: GRUB's menu is on the screen"
    elif [ "${TRIES:-1}" -gt 1 ]; then
        echo "# $name: no menu; once more"
        mon quit >/dev/null; wait $pid
        TRIES=$((TRIES - 1)) boot "$name" "$@"
        return
    else
        not_ok "$name: GRUB's menu is on the screen" "$(mon screentext)"; mon quit; wait $pid; return; fi
    mon "sendkey ret" >/dev/null
    if wait_for 60 screen_has "ALL IS WELL"; then ok "$name: the kernel writes to the screen"; else
        not_ok "$name: the kernel writes to the screen" "$(mon screentext)"; mon quit; wait $pid; return; fi
    mon screentext >screen
    has "$name: its module" screen "hello from the module"
    mon "sendkey ret" >/dev/null
    wait $pid
    is "$name: status from isa-debug-exit" $? 33
    has "$name: GRUB on the serial port" "$name.serial" "GNU GRUB"
    has "$name: the kernel on the serial port" "$name.serial" "command line: $GRUB_SAYS"
    is "$name: nothing on stderr" "$(cat "$name.err")" ""
}

make_grub_disk disk.img kernel && boot disk disk.img || not_ok "a disk is made"
# SeaBIOS's own driver, the iothread with it
boot virtio -drive file=disk.img,format=raw,if=virtio
boot virtio-bootindex -drive file=disk.img,format=raw,if=none,id=d -device virtio-blk-pci,drive=d,bootindex=0,disable-legacy=on
make_grub_iso cd.iso kernel && boot cd -cdrom cd.iso || not_ok "a CD is made"
# On a busy software KVM SeaBIOS misses a floppy's interrupt now and then (see seabios.sh): it may try again.
make_grub_floppy floppy.img kernel && TRIES=2 boot floppy -fda floppy.img || not_ok "a floppy is made"
finish
