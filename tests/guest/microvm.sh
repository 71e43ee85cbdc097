#!/bin/bash
# tests/guest/microvm.sh - the machine without firmware and PCI: Linux (amd64, i386) finds virtio over MMIO, both register
# layouts, by ACPI; uses it with both rings; the power button and power off work.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need_kernels --i386
# shellcheck disable=SC2034
GUEST_MODS="virtio_mmio= virtio-rng= button= evdev="
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
guest_cpio "$W/g32.cpio" -a i386 || skip_all "no initramfs for i386"
cp "$K64" "$W/vmlinux"
cp "$Z64" "$W/vmlinuz"
cp "$Z32" "$W/vmlinuz32"
{
    echo "A='$APPEND t=rng:vx:vpx,powerbutton:ged'"
    echo "B='$APPEND t=cpus:2,rng:vx:lx'"
} >"$W/vars"
where_kvm_is_real 240 <<'S'
. ./vars
rng="-device virtio-rng-device"
boot_bg vmlinux 70 -M microvm -m 256 -no-reboot -kernel vmlinux -initrd g.cpio -append "$A" $rng $rng,packed=on
said vmlinux 60 READY && mon system_powerdown >/dev/null
boot_wait
boot bzimage 70 -M microvm,rtc=off,pit=off -m 256 -smp 2 -no-reboot -kernel vmlinuz -initrd g.cpio -append "$B" $rng $rng,force-legacy=on
boot i386 90 -M microvm -m 256 -smp 2 -no-reboot -kernel vmlinuz32 -initrd g32.cpio -append "$B" $rng $rng,force-legacy=on
S
for n in vmlinux bzimage i386; do booted $n; results $n; done
finish
