#!/bin/bash
# tests/smoke/rig.sh - one boot of an unmodified Linux, one smoke test a driver: what `make check` knows of real guests.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need mkfs.ext4 xorriso
need_kernels
. "$(dirname "$0")/../lib/net.sh"
GUEST_MODS="$GUEST_MODS virtio-rng= virtio_blk= virtio_console="
net=",nic,dhcp:10.0.2.15,reach:10.0.2.2:1400" nic="-netdev user,id=n -device virtio-net-pci,netdev=n"
[ -e "$W/bantam-slirp.so" ] || net="" nic=""
guest_net_cpio "$W/g.cpio" -f "$SRC/tests/guest/blk.l2:/blk.l2" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
truncate -s 16M "$W/disk.img" "$W/virtio.img"
mkdir "$TMP/cd"
for i in 1 2 3; do head -c $((i * 70000 + 1)) /dev/urandom >"$TMP/cd/file$i"; done
(cd "$TMP/cd" && md5sum file* >md5s)
xorriso -as mkisofs -quiet -r -J -o "$W/cd.iso" "$TMP/cd" 2>"$TMP/iso.log" || skip_all "xorriso: $(tail -n 1 "$TMP/iso.log")"
head -c 1474560 /dev/urandom >"$W/floppy.img"
{ echo "APPEND='$APPEND t=cpus:2,disk:sda,cd,floppy:64,devices:2,ata_clean,drm,rng:vm,vblk:vda:8:SMOKE:2:v,vport:smoke$net' NIC='$nic'"; echo "X='${GUEST_X:-}'"; } >"$W/vars"
where_kvm_is_real 130 <<'S'
. ./vars
boot smoke 150 -m 256 -smp 2 -vga std -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND $X" -serial file:second \
    -drive file=disk.img,format=raw -cdrom cd.iso -fda floppy.img -device virtio-rng-pci $NIC \
    -drive file=virtio.img,format=raw,if=virtio,serial=SMOKE \
    -device virtio-serial-pci -chardev file,id=port,path=port.out -device virtserialport,chardev=port,name=smoke
S
booted smoke
results smoke
said_ok smoke "FLOPPY $(head -c 65536 "$W/floppy.img" | md5sum | cut -d' ' -f1)"
has "the second serial port carries text" "$W/second" "over the second port"
has "the virtio port carries text" "$W/port.out" "through port smoke"
finish
