#!/bin/bash
# tests/guest/pxe.sh - iPXE, from the option ROM of a virtio card, boots what the user backend serves by TFTP; and the
# boot order has the last word.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need_kernels
[ ! -e "$(dirname "$VMM")/bantam-slirp.so" ] || cp "$(dirname "$VMM")/bantam-slirp.so" "$W"
[ -e /usr/lib/ipxe/qemu/efi-virtio.rom ] || skip_all "no /usr/lib/ipxe/qemu/efi-virtio.rom (ipxe-qemu)"
gcc -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-Ttext=0x7c00 -Wl,--oformat=binary -o "$TMP/pxe.bin" \
    "$SRC/tests/guest/pxe.S" || skip_all "gcc -m32 does not work"
mkdir "$W/tftp"
python3 - "$TMP/pxe.bin" "$W/tftp/boot.0" <<'P'
import os, struct, sys
head, n = bytearray(open(sys.argv[1], 'rb').read()), 12000
data = os.urandom(n * 16 - 2)
struct.pack_into('<H', head, 4, n)
data += struct.pack('<H', -sum(struct.unpack('<%dH' % (len(data) // 2), data)) & 0xffff)
open(sys.argv[2], 'wb').write(bytes(head) + data)
P
# A boot sector that leaves with 11 (status 23), for the boot order.
{ printf '\260\013\346\364\364'; head -c 505 /dev/zero; printf '\125\252'; head -c 1048064 /dev/zero; } >"$W/disk.img"
where_kvm_is_real 400 <<'S'
m="-m 64 -vga none -device isa-debug-exit,iobase=0xf4 -no-reboot"
n="-netdev user,id=n,tftp=$PWD/tftp,bootfile=boot.0"
boot pxe 100 $m -boot n $n -device virtio-net-pci,netdev=n
boot legacy 100 $m $n -device virtio-net-pci,netdev=n,disable-modern=on,bootindex=1 -drive file=disk.img,format=raw,if=ide
boot disk 100 $m $n -device virtio-net-pci,netdev=n,bootindex=2 -drive file=disk.img,format=raw,if=none,id=d -device ide-hd,drive=d,bootindex=1
boot norom 100 $m $n -device virtio-net-pci,netdev=n,romfile=,bootindex=1 -drive file=disk.img,format=raw,if=ide
S
booted pxe 43
booted legacy 43
booted disk 23
booted norom 23
finish
