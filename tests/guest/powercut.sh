#!/bin/bash
# tests/guest/powercut.sh - the power goes while a guest with ext4 on an IDE disk fsyncs files: at 200 random points, with
# the disk's cache lost in any order that flushes allow, the file system is consistent and what was fsynced is there.
# The same with cache=unsafe must lose something, or the test shows nothing.  And on a qcow2 image, which has to be without
# errors itself; and on a virtio disk.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need mkfs.ext4 e2fsck debugfs python3 gcc qemu-img qemu-io
BLKCUT=${BLKCUT:-build/tests/tools/blkcut}
[ -x "$BLKCUT" ] || skip_all "no $BLKCUT: run make tests first"
need_kernels
gcc -O2 -static -o "$W/fsyncs" "$SRC/tests/tools/fsyncs.c" || skip_all "gcc -static does not work (libc6-dev)"
GUEST_MODS="$GUEST_MODS virtio_pci= virtio_mmio= virtio_blk="
guest_cpio "$W/g.cpio" -f "$W/fsyncs:/bin/fsyncs" -f "$SRC/tests/guest/blk.l2:/blk.l2" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
# 24 MiB of file system on 25 MiB of disk: the acknowledgements go behind it
ack=$((24 * 1048576 + 65536))
mkfs.ext4 -q -b 1024 "$W/base.img" 24M >"$TMP/mkfs.log" || skip_all "mkfs.ext4 failed"
truncate -s 25M "$W/base.img"
qemu-img convert -f raw -O qcow2 "$W/base.img" "$W/base.qcow2"
# the acknowledgements' cluster stays where it is
qemu-io -f qcow2 -c "write -q -P 1 $ack 64k" "$W/base.qcow2" >"$TMP/io.log" || skip_all "qemu-io failed"
qack=$(qemu-img map --output=json "$W/base.qcow2" |
    python3 -c "import json, sys; print(*[e['offset'] + $ack - e['start'] for e in json.load(sys.stdin) if e['start'] <= $ack < e['start'] + e['length']])")
echo "APPEND='$APPEND t=fsyncs:$ack:${FILES:-100}'" >"$W/vars"
where_kvm_is_real 400 <<'S'
. ./vars
cp base.qcow2 $D/disk.qcow2
boot qcow2 150 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND" \
    -drive file=$D/disk.qcow2,format=qcow2,if=ide,discard=unmap,x-cut-log=$D/log
cp $D/log qcow2.cutlog; rm -f $D/log
cp base.img $D/disk.img
boot virtio 150 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND:vda" \
    -drive file=$D/disk.img,format=raw,if=virtio,x-cut-log=$D/log
cp $D/log virtio.cutlog; rm -f $D/log
for cache in writeback writethrough unsafe; do
    cp base.img $D/disk.img
    boot $cache 150 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND" \
        -drive file=$D/disk.img,format=raw,if=ide,cache=$cache,x-cut-log=$D/log
    cp $D/log $cache.cutlog; rm -f $D/log
done
S
for cache in qcow2 virtio writeback writethrough unsafe; do
    booted $cache
    results $cache
    cuts=${CUTS:-200}
    base=base.img at=$ack
    case $cache in
        writeback | virtio) ;;
        qcow2) base=base.qcow2 at=$qack ;;
        *) cuts=$((cuts / 4)) ;;
    esac
    st=0
    python3 "$SRC/tests/tools/powercut.py" "$BLKCUT" "$W/$cache.cutlog" "$W/$base" "$at" "$cuts" 1 "$TMP" >"$TMP/report" 2>&1 || st=$?
    sed "s/^/# $cache: /" "$TMP/report" | tail -n 12
    if [ $cache = unsafe ]; then
        is "unsafe: flushes are ignored, and the cuts show it" $st 1
        has "unsafe: all cuts were looked at" "$TMP/report" "$cuts cuts, "
    else
        is "$cache: nothing is lost at $cuts cuts" $st 0
    fi
done
finish
