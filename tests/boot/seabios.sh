#!/bin/bash
# tests/boot/seabios.sh - what SeaBIOS boots, and in which order: -boot order, once and menu, bootindex; nothing to boot.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/images.sh
. "$SRC/tests/lib/images.sh"
need_kvm
need socat xorriso
cd "$TMP" || exit 1
make_boot_disk disk.img 1 1M
make_boot_disk disk2.img 2 1M
make_boot_disk floppy.img 3 1440K
make_boot_disk blank.img 0 1M
dd if=/dev/zero of=blank.img bs=512 count=1 conv=notrunc status=none
make_boot_cd cd.iso 4 && make_boot_cd reset.iso reset || { not_ok "the CDs are made" "$(cat mkisofs.log)"; finish; }

mon() { echo "$1" | socat -t 10 - UNIX-CONNECT:mon | tr -d '\r'; }
screen_has() { mon screentext | grep -qF -- "$1"; }
common="-m 64 -display none -device isa-debug-exit,iobase=0xf4"

boots() { # WHAT N args...: the medium with this number is booted
    local what=$1 n=$2
    shift 2
    for _ in 1 2 3; do
        # shellcheck disable=SC2086
        vm 100 $common -chardev file,id=d,path=debug -device isa-debugcon,iobase=0x402,chardev=d "$@" >out 2>&1
        # SeaBIOS opens interrupts for two instructions at a time while it waits for a floppy, and gives up after 5 s.  A
        # software KVM on a busy host can miss them that long; SeaBIOS says so, and then it is tried again.
        grep -aq "Timeout at floppy_wait_irq" debug || break
    done
    is "$what" "$st$(tail -n 3 out)" $((n * 2 + 1))
}
all="-hda disk.img -hdb disk2.img -cdrom cd.iso -fda floppy.img"
# shellcheck disable=SC2086
{
    boots "the default order: the disk before the CD" 1 -hda disk.img -cdrom cd.iso
    boots "a disk by -drive" 2 -drive file=disk2.img,format=raw,if=ide,index=1
    boots "-boot a" 3 $all -boot a
    boots "-boot order=c" 1 $all -boot order=c
    boots "-boot order=dc" 4 $all -boot order=dc
    boots "bootindex comes first" 2 -drive if=none,id=x,file=disk.img,format=raw -device ide-hd,drive=x,bootindex=2 \
        -drive if=none,id=y,file=disk2.img,format=raw -device ide-hd,drive=y,bootindex=1 -cdrom cd.iso
    boots "a disk that can't be booted, and then the CD" 4 -hda blank.img -cdrom cd.iso
    boots "-boot once=d, order=c: the CD resets, the disk follows" 1 -hda disk.img -cdrom reset.iso -boot order=c,once=d
}

start() { # args...: in the background, with a monitor
    rm -f mon debug
    # shellcheck disable=SC2086
    timeout -k 5 150 "$VMM" $common -monitor unix:mon,server,nowait -chardev file,id=d,path=debug \
        -device isa-debugcon,iobase=0x402,chardev=d "$@" </dev/null >out 2>&1 &
    pid=$!
    tap_pids="$tap_pids $pid"
    wait_for 20 test -S mon || { not_ok "starts" "$(cat out)"; return 1; }
}
if start -hda disk.img -cdrom cd.iso -boot menu=on,splash-time=60000; then
    if wait_for 60 screen_has "Press ESC for boot menu"; then ok "the boot menu is offered"; else
        not_ok "the boot menu is offered" "$(mon screentext)"; fi
    mon "sendkey esc" >/dev/null
    if wait_for 30 screen_has "(ISOIMAGE)"; then ok "the boot menu"; else not_ok "the boot menu" "$(mon screentext)"; fi
    mon screentext >screen
    has "the disk is on it" screen "ata0-0: BANTAM"
    n=$(sed -n 's/^ *\([1-9]\)\..*DVD.*/\1/p' screen)
    mon "sendkey ${n:-1}" >/dev/null
    wait $pid
    is "the CD was chosen" $? 9
fi
if start -nodefaults -vga std; then
    if wait_for 90 screen_has "No bootable device."; then ok "nothing to boot: on the screen"; else
        not_ok "nothing to boot: on the screen" "$(mon screentext)"; fi
    has "nothing to boot: on the debug console" debug "No bootable device."
    mon quit >/dev/null
    wait $pid
    is "quit" $? 0
fi
vm 100 -m 64 -display none -nodefaults -no-reboot -boot reboot-timeout=100
is "-boot reboot-timeout: nothing to boot resets, and -no-reboot ends it" "$st" 0
finish
