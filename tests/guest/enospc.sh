#!/bin/bash
# tests/guest/enospc.sh - the host's disk fills up, or fails, under a guest that writes: the machine pauses, `cont` alone pauses
# it again, and after room was made (or the disk repaired) it goes on with no error in the guest and no byte lost.  On IDE:
# raw on a full tmpfs, qcow2 by O_DIRECT on a full ext4, and a device-mapper target that returns EIO (werror=stop).
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need mkfs.ext4 losetup dmsetup qemu-img python3
need_kernels
! kvm_is_real || [ "$(id -u)" = 0 ] || skip_all "only root can make file systems small and devices fail"
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
echo "APPEND='$APPEND t=disk:sda:128,disk:sdb:128,disk:sdc:128,ata_clean'" >"$W/vars"
export RIG_MODS="loop crc32c_generic ext4 dm-mod"
where_kvm_is_real 170 <<'S'
. ./vars
export DM_DISABLE_UDEV=1
clean() {
    umount $D/full $D/ext4 2>/dev/null
    dmsetup remove bantam-test-eio 2>/dev/null
    [ -z "$l1" ] || losetup -d $l1; [ -z "$l2" ] || losetup -d $l2
    rm -rf "$D"
}
l1= l2=; trap clean EXIT
mkdir $D/full $D/ext4
mount -t tmpfs -o size=12m tmpfs $D/full
truncate -s 16M $D/full/disk.raw
head -c 6M /dev/zero >$D/full/filler
truncate -s 24M $D/fs.img; mkfs.ext4 -q -b 4096 -m 0 -O ^has_journal $D/fs.img
l1=$(losetup -f --show $D/fs.img) && mount -t ext4 $l1 $D/ext4
qemu-img create -q -f qcow2 $D/ext4/disk.qcow2 16M
head -c "$(($(stat -f -c %a $D/ext4) * 4096 - 4194304))" /dev/zero >$D/ext4/filler; sync
truncate -s 16M $D/eio.img; l2=$(losetup -f --show $D/eio.img)
printf '0 8192 linear %s 0\n8192 8 error\n8200 24568 linear %s 8200\n' $l2 $l2 | dmsetup create bantam-test-eio
[ -b /dev/mapper/bantam-test-eio ] || dmsetup mknodes
status() { mon "info status" | tr -d '\r' | sed -n 's/^VM status: //p'; }
until_stopped() {
    local end=$((SECONDS + 60)) s
    until s=$(status); [ "$s" = "paused (io-error)" ]; do
        [ $SECONDS -lt $end ] && kill -0 $bg_pid 2>/dev/null || { echo "$1: $s" >>states; return 1; }
        sleep 0.5
    done
    echo "$1: $s" >>states
}
rm -f states
boot_bg io 150 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND" \
    -drive file=$D/full/disk.raw,format=raw,if=ide,index=0 \
    -drive file=$D/ext4/disk.qcow2,format=qcow2,if=ide,index=1,cache=none \
    -drive file=/dev/mapper/bantam-test-eio,format=raw,if=ide,index=2,cache=none,werror=stop
until_stopped full && { mon cont >/dev/null; until_stopped again; mon "info block" >block1; rm $D/full/filler; mon cont >/dev/null; }
until_stopped qcow2 && { rm $D/ext4/filler; mon cont >/dev/null; }
until_stopped eio && { dmsetup suspend --noflush bantam-test-eio; echo "0 32768 linear $l2 0" | dmsetup load bantam-test-eio
    dmsetup resume bantam-test-eio; mon cont >/dev/null; }
boot_wait
qemu-img check $D/ext4/disk.qcow2 >check 2>&1; echo $? >check.st
S
for s in full again qcow2 eio; do
    has "$s: the machine pauses" "$W/states" "$s: paused (io-error)"
done
booted io
results io
is "qemu-img check" "$(cat "$W/check.st" 2>/dev/null)" 0
finish
