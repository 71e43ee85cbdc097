#!/bin/bash
# tests/guest/s3.sh - suspend to RAM through SeaBIOS, and wake-up by the RTC's alarm: an unmodified Linux comes back with
# its memory and its disk as they were, and virtio devices work again.
. "$(dirname "$0")/../lib/guest.sh"
need_kernels
cat >"$TMP/s3.l2" <<'E2'
load ata_piix; load sd_mod; load virtio_pci; load virtio-rng
bytes() { # from each of the three
    for i in 0 1 2; do
        echo virtio_rng.$i >/sys/class/misc/hw_random/rng_current
        [ "$(dd if=/dev/hwrng bs=64 count=32 iflag=fullblock 2>/dev/null | wc -c)" = 2048 ] &&
            echo "T-OK $1: virtio$i gives bytes" || echo "T-FAIL $1: virtio$i"
    done
}
bytes before
n=0; while ! [ -b /dev/sda ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
head -c 1000000 /dev/urandom >/tmp/r
dd if=/tmp/r of=/dev/sda bs=1000 count=500 conv=fsync 2>/dev/null
echo +3 >/sys/class/rtc/rtc0/wakealarm
a=$(cat /sys/class/rtc/rtc0/since_epoch)
echo mem >/sys/power/state && echo "T-OK slept" || echo "T-FAIL slept"
b=$(cat /sys/class/rtc/rtc0/since_epoch)
[ $((b - a)) -ge 2 ] && [ $((b - a)) -le 20 ] && echo "T-OK the alarm woke it" || echo "T-FAIL slept $((b - a)) s"
dmesg | grep -q 'suspend exit' && echo "T-OK resumed" || echo "T-FAIL no resume in the log"
dd if=/tmp/r of=/dev/sda bs=1000 skip=500 seek=500 count=500 conv=fsync 2>/dev/null
bytes after
echo 3 >/proc/sys/vm/drop_caches
head -c 1000000 /dev/sda | cmp - /tmp/r && echo "T-OK memory and disk are as they were" || echo "T-FAIL the disk differs"
E2
"$RIG/rig-mkl2" -M "ata_piix= sd_mod= virtio_pci= virtio-rng=" -x "$TMP/s3.l2" "$W/g.cpio" || skip_all "no initramfs"
cp "$Z64" "$W/bz64"
truncate -s 4M "$W/disk.img"
echo "APPEND='$APPEND'" >"$W/vars"
where_kvm_is_real 200 <<'E2'
. ./vars
boot s3 150 -m 256 -vga none -no-reboot -bios bios-256k.bin -kernel bz64 -initrd g.cpio -append "$APPEND" \
    -drive file=disk.img,format=raw,if=ide -device virtio-rng-pci -device virtio-rng-pci,packed=on \
    -device virtio-rng-pci,disable-modern=on,vectors=0
E2
booted s3
results s3
finish
