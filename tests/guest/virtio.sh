#!/bin/bash
# tests/guest/virtio.sh - Linux's virtio drivers over PCI by each interface, ring and kind of interrupt; virtio-rng's bytes.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need_kernels
GUEST_MODS="$GUEST_MODS virtio_pci= virtio_mmio= virtio-rng="
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
{
    echo "APPEND='$APPEND t=rng:vm:lm:vpm:vx:lx:vpm'"
} >"$W/vars"
where_kvm_is_real 150 <<'S'
. ./vars
boot rng 120 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND" \
    -object rng-random,id=r -device virtio-rng-pci-non-transitional,rng=r -device virtio-rng-pci,disable-modern=on \
    -device virtio-rng-pci,packed=on -device virtio-rng-pci,vectors=0 \
    -device virtio-rng-pci,disable-modern=on,vectors=0,ioeventfd=off \
    -device virtio-rng-pci,packed=on,event_idx=off,indirect_desc=off,max-bytes=65536,period=50
S
booted rng
results rng
finish
