#!/bin/bash
# tests/guest/virtio.sh - Linux's virtio drivers over PCI by each interface, ring and kind of interrupt; virtio-rng's bytes.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need_kernels
GUEST_MODS="$GUEST_MODS virtio_pci= virtio_mmio= virtio-rng="
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
{
    echo "A='$APPEND t=rng:vm:lm:vpm:vx:lx:vpm'"
    echo "B='$APPEND pci=nomsi t=rng:vx:vpx:lx'"
} >"$W/vars"
where_kvm_is_real 150 <<'S'
. ./vars
boot rng 120 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$A" -trace virtio-rng-pci-non-transitional -D trace.log \
    -object rng-random,id=r -device virtio-rng-pci-non-transitional,rng=r -device virtio-rng-pci,disable-modern=on \
    -device virtio-rng-pci,packed=on -device virtio-rng-pci,vectors=0 \
    -device virtio-rng-pci,disable-modern=on,vectors=0,ioeventfd=off \
    -device virtio-rng-pci,packed=on,event_idx=off,indirect_desc=off,max-bytes=65536,period=50
boot nomsi 60 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$B" \
    -device virtio-rng-pci -device virtio-rng-pci,packed=on -device virtio-rng-pci,disable-modern=on
S
booted rng
results rng
has "interrupts are told of" "$W/trace.log" "interrupt: queue 0"
is "notifications that left the kernel" "$(grep -c 'by a register' "$W/trace.log")" 0
booted nomsi
results nomsi
finish
