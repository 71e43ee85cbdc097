#!/bin/bash
# tests/guest/kill.sh - SIGKILL, 20 times, while a guest with ext4 fsyncs files: what it was told to be safe is there, and a qcow2
# image is consistent.  (The host's page cache survives this: what a power cut leaves is tests/guest/powercut.sh's.)
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need mkfs.ext4 e2fsck debugfs python3 gcc qemu-img pgrep
need_kernels
gcc -O2 -static -o "$W/fsyncs" "$SRC/tests/tools/fsyncs.c" || skip_all "gcc -static does not work (libc6-dev)"
guest_cpio "$W/g.cpio" -f "$W/fsyncs:/bin/fsyncs" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
ack=$((24 * 1048576 + 65536)) kills=${KILLS:-20}
mkfs.ext4 -q -b 1024 "$W/base.img" 24M >"$TMP/mkfs.log" || skip_all "mkfs.ext4 failed"
truncate -s 25M "$W/base.img"
qemu-img convert -f raw -O qcow2 "$W/base.img" "$W/base.qcow2" || skip_all "qemu-img failed"
echo "APPEND='$APPEND t=fsyncs:$ack:400' KILLS=$kills SEED=${SEED:-1}" >"$W/vars"
where_kvm_is_real 600 <<'S'
. ./vars
RANDOM=$SEED
for ((i = 0; i < KILLS; i++)); do
    case $((i % 4)) in
        0) f=raw c=writeback ;; 1) f=qcow2 c=writeback ;; 2) f=raw c=writeback,aio=io_uring ;; 3) f=qcow2 c=writethrough ;;
    esac
    case $f in raw) cp --sparse=always base.img $D/disk ;; *) cp base.qcow2 $D/disk ;; esac
    boot_bg k$i 60 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND" -drive file=$D/disk,format=$f,if=ide,cache=$c
    said k$i 50 "FSYNCED $((RANDOM % 6 + 1))"
    sleep 0.$((RANDOM % 900 + 100))
    kill -9 $(pgrep -P $bg_pid)
    boot_wait
    cp --sparse=always $D/disk killed.$i
done
S
n=0
for ((i = 0; i < kills; i++)); do
    # timeout(1) ends as its child did
    booted "k$i" 137
    st=0
    python3 "$SRC/tests/tools/killcheck.py" "$W/killed.$i" $ack "$TMP" >"$TMP/report" 2>&1 || st=$?
    if [ $st = 0 ]; then n=$((n + 1)); else not_ok "kill $i" "$(cat "$TMP/report")"; fi
    echo "# kill $i: $(head -n 1 "$TMP/report")"
done
is "kills after which nothing was lost" $n "$kills"
finish
