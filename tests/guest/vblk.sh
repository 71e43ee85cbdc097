#!/bin/bash
# tests/guest/vblk.sh - Linux's virtio_blk on raw and qcow2 images: virtio 1 and legacy, packed rings, MMIO, as many queues as
# CPUs; what was written reads back, here too; fstrim makes a qcow2 image small; serial; write cache; no space on the host.
#
#   MB  megabytes that are written a boot (64)
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need mkfs.ext4 qemu-img
need_kernels
gcc -O2 -static -o "$W/nettool" "$SRC/tests/tools/nettool.c" || skip_all "gcc -static does not work (libc6-dev)"
GUEST_MODS="$GUEST_MODS virtio_pci= virtio_mmio= virtio_blk="
guest_cpio "$W/g.cpio" -f "$SRC/tests/guest/blk.l2:/blk.l2" -f "$W/nettool:/bin/nettool" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
MB=${MB:-64}
truncate -s 64M "$W/ext4.img"
mkfs.ext4 -q -b 4096 "$W/ext4.img" >"$TMP/mkfs.log" || skip_all "mkfs.ext4 failed"
qemu-img convert -f raw -O qcow2 "$W/ext4.img" "$W/ext4.qcow2"
qemu-img create -q -f qcow2 "$W/new.qcow2" $((MB + 8))M
cat >"$W/vars" <<X
A='$APPEND' MB=$MB
linux="-m 320 -vga none -no-reboot -kernel vmlinux -initrd g.cpio"
X
# With two host CPUs the emulator's machine goes wrong when vCPUs are stopped often (see pam.sh): a guest that triple-faults.
where_kvm_is_real 450 <<'S'
. ./vars
truncate -s $((MB + 8))M $D/disk.img
boot modern 100 $linux -smp 2 -append "$A t=vblk:vda:$MB:FROM-DEVICE:2:v,vblk_cache:vda" \
    -drive file=$D/disk.img,format=raw,if=none,id=d,serial=FROM-DRIVE -device virtio-blk-pci,drive=d,serial=FROM-DEVICE
for i in 0 1; do
    dd if=$D/disk.img bs=1M skip=$((i * MB / 2)) count=$((MB / 2)) of=$D/part 2>/dev/null
    ./nettool gen $((MB / 2 * 1048576)) $((i + 1)) | cmp - $D/part && echo part $i
done >modern.parts
rm $D/part
# Its drive runs out of space under it, and again after the first `cont`.
status() { mon "info status" | tr -d '\r' | sed -n 's/^VM status: //p'; }
until_stopped() {
    local end=$((SECONDS + 60))
    until [ "$(status)" = "paused (io-error)" ]; do
        [ $SECONDS -lt $end ] && kill -0 $bg_pid 2>/dev/null || { echo "$1: $(status)" >>kept.states; return 1; }
        sleep 0.3
    done
    echo "$1: paused (io-error)" >>kept.states
}
rm -f kept.states $D/gate
boot_bg kept 120 $linux -smp 2 -append "$A t=vblk:vda:$MB:KEPT:2:v" -object iothread,id=io1 \
    -drive file=$D/disk.img,format=raw,if=none,id=d,serial=KEPT,x-inject=write:ENOSPC:20000-30000:$D/gate \
    -device virtio-blk-pci,drive=d,iothread=io1
said kept 60 T-OK
until_stopped first && { mon cont >/dev/null; until_stopped again; mon "info block" >kept.block; : >$D/gate; mon cont >/dev/null; }
boot_wait
rm -f $D/disk.img; cp new.qcow2 $D/new.qcow2
boot legacy 80 $linux -append "$A t=vblk:vda:$MB:LEGACY:1:l" \
    -drive file=$D/new.qcow2,format=qcow2,if=none,id=d,aio=threads,serial=LEGACY -device virtio-blk-pci,drive=d,disable-modern=on
qemu-img check $D/new.qcow2 >legacy.check 2>&1; echo $? >legacy.check.st
cp new.qcow2 $D/new.qcow2
boot microvm 80 -M microvm $linux -smp 2 -append "$A t=vblk:vda:$MB:MICRO:2:v" \
    -drive file=$D/new.qcow2,format=qcow2,if=none,id=d,serial=MICRO -device virtio-blk-device,drive=d,num-queues=2
qemu-img check $D/new.qcow2 >microvm.check 2>&1; echo $? >microvm.check.st
rm $D/new.qcow2; cp ext4.qcow2 $D/ext4.qcow2; truncate -s 40M $D/raw.img
size() { echo $(($(stat -c %b $D/ext4.qcow2) * 512)); }
size >trim.before
boot_bg trim 100 $linux -smp 4 -append "$A t=vblk_trim:vda:24,vblk:vdb:32:PACKED:4:vp" \
    -drive file=$D/ext4.qcow2,format=qcow2,if=virtio,discard=unmap \
    -drive file=$D/raw.img,format=raw,if=none,id=d,serial=PACKED -device virtio-blk-pci,drive=d,packed=on,event_idx=off,addr=0x1e
said trim 60 TRIM-WRITTEN && size >trim.written
boot_wait
size >trim.after
qemu-img check $D/ext4.qcow2 >trim.check 2>&1; echo $? >trim.check.st
S
for n in modern kept legacy microvm trim; do booted $n; results $n; done
is "modern: both parts are on the host's disk" "$(cat "$W/modern.parts" 2>/dev/null)" "part 0
part 1"
for n in first again; do has "kept: the machine pauses ($n)" "$W/kept.states" "$n: paused (io-error)"; done
has "kept: requests wait" "$W/kept.block" "wait"
for n in legacy microvm trim; do is "$n: qemu-img check" "$(cat "$W/$n.check.st" 2>/dev/null)" 0; done
w=$(cat "$W/trim.written" 2>/dev/null || echo 0) a=$(cat "$W/trim.after" 2>/dev/null || echo 0)
echo "# image: $(cat "$W/trim.before"), with files $w, after fstrim $a"
if [ "$w" -gt 24000000 ] && [ "$a" -gt 0 ] && [ "$a" -lt $((w - 20000000)) ]; then ok "fstrim makes the image small"; else
    not_ok "fstrim makes the image small" "from $w to $a"; fi
finish
