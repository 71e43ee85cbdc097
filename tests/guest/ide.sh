#!/bin/bash
# tests/guest/ide.sh - Linux with its root on an IDE disk: 256 MiB written and read back, a clean file system at the end,
# two CPUs; and a data CD.  The disk's data goes by DMA, and the kernel has nothing to complain about.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need mkfs.ext4 e2fsck debugfs xorriso
need_kernels
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
R=$TMP/root
mkdir -p "$R"/{bin,sbin,dev,proc,sys,tmp}
cp "$RIG_HOME/k/amd64/busybox" "$R/bin/busybox"
cat >"$R/sbin/init" <<'I'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
exec </dev/console >/dev/console 2>&1
mib=$(sed -n 's/.*mib=\([0-9]*\).*/\1/p' /proc/cmdline) cpus=$(sed -n 's/.*cpus=\([0-9]*\).*/\1/p' /proc/cmdline)
ok() { echo "T-OK $*"; }
bad() { echo "T-FAIL $*"; dmesg | tail -n 8; }
is() { if [ "$2" = "$3" ]; then ok "$1: $2"; else bad "$1: got '$2', wanted '$3'"; fi; }
is "root" "$(grep ' / ' /proc/mounts | grep -o '^/dev/sda / ext4')" "/dev/sda / ext4"
is "CPUs online" "$(grep -c ^processor /proc/cpuinfo)" $cpus
a=$(dd if=/dev/urandom bs=65536 count=$((mib * 16)) iflag=fullblock 2>/dev/null | tee /big | md5sum | cut -d' ' -f1)
is "bytes written" "$(stat -c %s /big)" $((mib * 1048576))
sync
echo 3 >/proc/sys/vm/drop_caches
is "$mib MiB read back" "$(md5sum </big | cut -d' ' -f1)" "$a"
echo "SUM $a"
is "transfer mode" "$(cat /sys/class/ata_device/dev1.0/dma_mode)" XFER_MW_DMA_2
if dmesg | grep -E 'ata[0-9.]+: .*(exception|failed|error|SRST|lost|timeout)|I/O error|EXT4-fs.*error|soft lockup|rcu.*stall'; then
    bad "the kernel's log"; else ok "the kernel's log has no complaint"; fi
mount -o remount,ro / && ok "root goes read-only" || bad "remount"
poweroff -f
I
chmod 755 "$R/sbin/init"
truncate -s 400M "$W/root.img"
mkfs.ext4 -q -d "$R" "$W/root.img" || skip_all "mkfs.ext4 failed"
mkdir "$TMP/cd"
for i in $(seq 20); do head -c $((i * i * 7777 + i)) /dev/urandom >"$TMP/cd/file with a long name $i"; done
(cd "$TMP/cd" && md5sum file* >md5s)
xorriso -as mkisofs -quiet -r -J -o "$W/cd.iso" "$TMP/cd" 2>"$TMP/iso.log" || skip_all "xorriso: $(tail -n 1 "$TMP/iso.log")"
echo "APPEND='$APPEND' MIB=${MIB:-256}" >"$W/vars"
where_kvm_is_real 400 <<'S'
. ./vars
for n in "one 1 ${MIB:-256}" "two 2 16"; do
    set -- $n
    cp --sparse=always root.img $D/root.img
    # two CPUs on the rig's one take their time, waiting for each other
    boot $1 240 -m 256 -smp $2 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND t=root mib=$3 cpus=$2" -hda $D/root.img
    e2fsck -fn $D/root.img >$1.fsck 2>&1; echo $? >$1.fsck.st
    debugfs -R "cat /big" $D/root.img 2>/dev/null | md5sum | cut -d' ' -f1 >$1.md5
done
boot cd 90 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND t=cd,ata_clean" -cdrom cd.iso
S
for n in one two; do
    booted $n
    results $n
    said_ok $n "SUM $(cat "$W/$n.md5")"
    is "$n: e2fsck finds nothing to do" "$(cat "$W/$n.fsck.st")" 0
done
booted cd
results cd
finish
