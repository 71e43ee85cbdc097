#!/bin/bash
# tests/guest/boot.sh - Linux by every way in: vmlinux, bzImage (32 and 64 bits) directly and through SeaBIOS, each to a
# script in its shell and a power-off that ends bantam with status 0.
. "$(dirname "$0")/../lib/guest.sh"
need_kernels --i386
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"; cp "$Z64" "$W/bz64"; cp "$Z32" "$W/bz32"
"$RIG/rig-mkl2" -a i386 -x "$SRC/tests/guest/guest.l2" "$W/g32.cpio"
echo "APPEND='$APPEND t=hello'" >"$W/vars"
where_kvm_is_real 560 <<'E2'
. ./vars
boot vmlinux 60 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND"
boot bz64 90 -m 256 -vga none -no-reboot -kernel bz64 -initrd g.cpio -append "$APPEND"
boot bz64-bios 120 -m 256 -vga none -no-reboot -bios bios-256k.bin -kernel bz64 -initrd g.cpio -append "$APPEND"
boot bz32 120 -m 256 -vga none -no-reboot -kernel bz32 -initrd g32.cpio -append "$APPEND"
E2
for n in vmlinux bz64 bz64-bios bz32; do booted $n; results $n; done
finish
