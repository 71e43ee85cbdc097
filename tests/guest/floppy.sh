#!/bin/bash
# tests/guest/floppy.sh - Linux's floppy driver reads, writes and formats; the image is compared on the host.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need gcc
need_kernels
gcc -O2 -static -o "$W/fdformat" "$SRC/tests/tools/fdformat.c" || skip_all "gcc -static does not work (libc6-dev)"
guest_cpio "$W/g.cpio" -f "$W/fdformat:/bin/fdformat" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
head -c 1474560 /dev/urandom >"$W/a.img"
cp "$W/a.img" "$W/a.orig"
head -c 737280 /dev/urandom >"$W/b.img"
cp "$W/b.img" "$W/b.orig"
echo "APPEND='$APPEND t=floppy:1440,floppy_write,floppy_ro'" >"$W/vars"
where_kvm_is_real 330 <<'S'
. ./vars
boot floppy 300 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND" \
    -drive file=a.img,if=floppy,index=0,format=raw -drive file=b.img,if=floppy,index=1,format=raw,readonly=on
S
part() { dd if="$1" bs=18k skip="$2" count="$3" status=none | md5sum | cut -d' ' -f1; } # FILE FIRST-CYLINDER N
booted floppy
results floppy
said_ok floppy "FLOPPY $(md5sum <"$W/a.orig" | cut -d' ' -f1)"
said_ok floppy "WROTE $(part "$W/a.img" 10 10)"
said_ok floppy "FORMAT 80 cylinders, 18 sectors, 2 heads"
said_ok floppy "FLOPPY1 $(head -c 36864 "$W/b.orig" | md5sum | cut -d' ' -f1)"
check "the protected image is untouched" cmp "$W/b.img" "$W/b.orig"
for r in "0 10" "20 20" "42 38"; do
    set -- $r
    is "cylinders $1 to $(($1 + $2 - 1)) are untouched" "$(part "$W/a.img" "$1" "$2")" "$(part "$W/a.orig" "$1" "$2")"
done
is "the formatted cylinders hold one byte" "$(dd if="$W/a.img" bs=18k skip=40 count=2 status=none | od -An -v -tx1 -w1 | sort -u | wc -l)" 1
finish
