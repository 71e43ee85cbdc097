#!/bin/bash
# tests/guest/boot.sh - Linux by every way in: vmlinux, bzImage (32 and 64 bits) directly and through SeaBIOS, each to a
# script in its shell and a power-off that ends bantam with status 0.
. "$(dirname "$0")/../lib/guest.sh"
need_kernels --i386
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"; cp "$Z64" "$W/bz64"; cp "$Z32" "$W/bz32"
"$RIG/rig-mkl2" -a i386 -x "$SRC/tests/guest/guest.l2" "$W/g32.cpio"
echo "APPEND='$APPEND t=hello'" >"$W/vars"
where_kvm_is_real 580 <<'E2'
. ./vars
boot vmlinux 60 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND"
boot bz64 90 -m 256 -vga none -no-reboot -kernel bz64 -initrd g.cpio -append "$APPEND"
boot bz64-bios 120 -m 256 -vga none -no-reboot -bios bios-256k.bin -kernel bz64 -initrd g.cpio -append "$APPEND"
boot bz32 120 -m 256 -vga none -no-reboot -kernel bz32 -initrd g32.cpio -append "$APPEND"
# the kernel's console on the VGA: screen_info from the zero page, or from SeaBIOS
vga() { # NAME args...
    local n=$1
    shift
    boot_bg "$n" 90 -m 256 -vga std -no-reboot -initrd g.cpio "$@" -append "console=tty0 $APPEND,kmsg,powerbutton"
    said "$n" 60 READY
    mon screentext >"$n.text"
    mon "screendump $PWD/$n.png" >/dev/null
    mon system_powerdown >/dev/null
    boot_wait
}
vga vga -kernel vmlinux
vga vga-bz -kernel bz64
vga vga-bios -bios bios-256k.bin -kernel bz64
E2
for n in vga vga-bz vga-bios; do
    booted $n
    has "$n: the kernel's words are on the screen" "$W/$n.text" "the kernel says this"
    has "$n: the serial port has the kernel's console too" "$W/$n.out" "READY"
    is "$n: the picture is 720x400" "$(od -An -tx1 -j16 -N8 "$W/$n.png" | tr -d ' ')" 000002d000000190
done
for n in vmlinux bz64 bz64-bios bz32; do booted $n; results $n; done
finish
