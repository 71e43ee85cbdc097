#!/bin/bash
# tests/guest/powerdown.sh - system_powerdown is the power button: the guest hears of it and shuts itself down.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need python3
need_kernels
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
echo "APPEND='$APPEND t=powerbutton'" >"$W/vars"
where_kvm_is_real 200 <<'S'
. ./vars
boot_bg down 120 -m 256 -vga none -kernel vmlinux -initrd g.cpio -append "$APPEND"
said down 90 READY
sleep 1
mon system_powerdown
boot_wait
S
booted down
results down
finish
