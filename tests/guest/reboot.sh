#!/bin/bash
# tests/guest/reboot.sh - the ways Linux resets the machine, each to a second boot that powers off, and each under
# -no-reboot: status 0, or 64 for the triple fault.  Linux tries another way when one does nothing, down to the triple
# fault: so the status under -no-reboot, and what was traced, tell that it was this one.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need_kernels
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
echo "APPEND='$APPEND t=once'" >"$W/vars"
where_kvm_is_real 500 <<'S'
. ./vars
for how in acpi kbd pci triple; do
    for again in yes no; do
        opt=
        [ $again = yes ] || opt=-no-reboot
        rm -f $D/flag.img; truncate -s 1M $D/flag.img
        boot $how-$again 90 -m 256 -vga none $opt -kernel vmlinux -initrd g.cpio -append "$APPEND reboot=$how" -hda $D/flag.img
    done
done
S
for how in acpi kbd pci triple; do
    booted $how-yes
    is "$how: boots" "$(grep -ac '^L2-INIT' "$W/$how-yes.out")" 2
    said_ok $how-yes "T-OK second boot"
    booted $how-no "$([ $how = triple ] && echo 64 || echo 0)"
    is "$how: boots under -no-reboot" "$(grep -ac '^L2-INIT' "$W/$how-no.out")" 1
done
finish
