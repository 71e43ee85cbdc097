#!/bin/bash
# tests/recipes/recipes.sh - runs every recipe of README.md as it stands there, with small images of our own.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/images.sh
. "$SRC/tests/lib/images.sh"
need_kvm
need socat gcc xorriso qemu-img
cd "$TMP" || exit 1
mkdir bin
ln -s "$VMM" bin/bantam
export PATH="$TMP/bin:$PATH"

# Recipe N of README.md: its one block of commands.
recipe() {
    awk -v n="$1" '/^#/ { on = $0 ~ "^### " n "\\. " } on && /^```$/ { code = 0 } on && code { print } on && /^```sh$/ { code = 1 }' "$SRC/README.md"
}
make_boot_disk disk.img hello 1M
make_boot_disk floppy.img hello 1440K
make_boot_cd cd.iso hello || { not_ok "the CD is made" "$(cat mkisofs.log)"; finish; }
truncate -s 1M data.img
make_kernel vmlinuz || { not_ok "the kernel is made"; finish; }
cp vmlinuz test.elf
echo "hello from the ramdisk" >initrd.img
before=$(md5sum disk.img data.img cd.iso floppy.img)

# run N STATUS: its output is in out.N
run() {
    rm -f mon.sock qmp.sock vm.pid screen.png serial.log
    recipe "$1" >"recipe.$1"
    [ -s "recipe.$1" ] || { not_ok "recipe $1 is in README.md"; return; }
    timeout -k 5 150 bash -eu "recipe.$1" </dev/null >"out.$1" 2>&1
    st=$?
    if [ $st = 0 ]; then ok "recipe $1"; else not_ok "recipe $1" "status $st: $(tail -n 15 "out.$1")"; fi
}
run 1; has "recipe 1: the CD booted" out.1 HELLO
run 2; has "recipe 2: the disk booted" out.2 HELLO
run 3; has "recipe 3: the kernel's command line" out.3 "console=ttyS0 quiet"
has "recipe 3: the ramdisk" out.3 "hello from the ramdisk"
run 4; has "recipe 4: the status" out.4 "the guest's tests passed"
has "recipe 4: the log" serial.log "ALL IS WELL"
run 5; has "recipe 5: the screen's text" out.5 "checks passed"
is "recipe 5: the picture is a PNG" "$(head -c 4 screen.png | tail -c 3)" PNG
run 6
# On a busy host without VT-x, SeaBIOS may give up waiting for the floppy's interrupt (see tests/boot/seabios.sh).
grep -aq HELLO out.6 || run 6
has "recipe 6: the floppy booted" out.6 HELLO
run 7; has "recipe 7: the CD booted" out.7 HELLO
run 8; has "recipe 8: the disk booted" out.8 HELLO
run 9; has "recipe 9: the monitor's answer" out.9 "VM status: paused"
wait_for 20 test ! -e vm.pid
is "recipe 9: it has ended" "$(ls vm.pid mon.sock 2>/dev/null)" ""
run 10; has "recipe 10: the log" serial.log HELLO
run 11; has "recipe 11: the state" out.11 '"id": "how is it?"'
is "recipe 11: the picture is a PNG" "$(head -c 4 screen.png | tail -c 3)" PNG
run 12; has "recipe 12: the CD and the overlay booted" out.12 HELLO
is "recipe 12: twice" "$(grep -ac HELLO out.12)" 2
is "recipe 12: the images are whole" "$(qemu-img check -q disk.qcow2 2>&1 && qemu-img check -q overlay.qcow2 2>&1)" ""
if [ -e "$(dirname "$VMM")/bantam-slirp.so" ]; then
    run 13; has "recipe 13: the disk booted" out.13 HELLO
    is "recipe 13: a pcap file" "$(head -c 4 traffic.pcap | od -An -tx4 | tr -d ' ')" a1b2c3d4
fi
is "README.md has no other recipe" "$(grep -c '^```sh' "$SRC/README.md")" 13
is "no image was written to" "$(md5sum disk.img data.img cd.iso floppy.img)" "$before"
finish
