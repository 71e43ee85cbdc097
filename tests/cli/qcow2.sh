#!/bin/bash
# tests/cli/qcow2.sh - qcow2 images by the program: chains, the monitor's commands, mistakes, an end by SIGKILL.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
need_kvm
need socat qemu-img qemu-io
cd "$TMP" || exit 1

ask() {
    printf '%s\n' "$@" | socat -t 5 - UNIX-CONNECT:mon | tr -d '\r' >answer
}
start() {
    rm -f mon
    timeout 60 "$VMM" -nodefaults -display none -S -monitor unix:mon,server,nowait "$@" </dev/null >out 2>err &
    pid=$!
    tap_pids="$tap_pids $pid"
    wait_for 20 test -S mon || not_ok "the monitor is there" "$(cat err)"
}
refused() {
    local words=$1; shift
    vm 60 -nodefaults -display none -drive "$1" >out 2>err
    if [ "$st" = 1 ] && [ "$(wc -l <err)" = 1 ] && grep -qF -- "$words" err; then ok "refused: $1"
    else not_ok "refused: $1" "status $st, wanted '$words': $(head -c 500 err)"; fi
}

# a chain in another directory, named by relative paths
mkdir d d/base
truncate -s 1M d/base/raw.img
(cd d && qemu-img create -q -f qcow2 -b base/raw.img -F raw mid.qcow2 && qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 2M)
start -drive if=none,id=d,file=d/top.qcow2,discard=unmap -device ide-hd,drive=d
ask "info block" "block_resize d 3M" "snapshot_blkdev_internal d one" "info snapshots"
has "info block: the format" answer "d/top.qcow2 (qcow2)"
has "info snapshots" answer "one"
refused "is in use" file=d/top.qcow2
refused "is in use" file=d/mid.qcow2
refused "is in use" file=d/base/raw.img,format=raw
is "QEMU sees the lock" "$(qemu-io -f qcow2 -c 'write 0 512' d/top.qcow2 2>&1 | grep -c 'lock')" 1
ask "snapshot_delete_blkdev_internal d one" "snapshot_blkdev_internal d two" quit
wait "$pid"
is "it ends" $? 0
is "the new size" "$(qemu-img info d/top.qcow2 | sed -n 's/^virtual size.*(\(.*\) bytes.*/\1/p')" 3145728
is "the snapshot" "$(qemu-img snapshot -l d/top.qcow2 | awk 'NR > 2 { print $2 }')" two
qemu-img check -q d/top.qcow2
is "the image is whole" $? 0

# killed: what was done by commands is there
start -drive if=none,id=d,file=d/top.qcow2 -device ide-hd,drive=d
ask "snapshot_blkdev_internal d three"
kill -9 "$(pgrep -P "$pid")"
wait "$pid" 2>/dev/null
qemu-img check -q d/top.qcow2
is "whole after SIGKILL" $? 0
is "with the snapshot" "$(qemu-img snapshot -l d/top.qcow2 | grep -c three)" 1

# mistakes
qemu-img create -q -f qcow2 luks.qcow2 1M && printf '\0\0\0\2' | dd of=luks.qcow2 bs=1 seek=32 conv=notrunc status=none
refused "is encrypted (LUKS)" file=luks.qcow2
qemu-img create -q -f qcow2 -o data_file=data.raw ext.qcow2 1M
refused "in another file ('data.raw')" file=ext.qcow2
qemu-img create -q -f qcow2 -o extended_l2=on sub.qcow2 1M
refused "extended L2 entries (subclusters)" file=sub.qcow2
qemu-img create -q -f qcow2 map.qcow2 1M && qemu-img bitmap --add map.qcow2 b
refused "has dirty bitmaps" file=map.qcow2
mv d/base/raw.img d/base/gone.img
refused "(it backs 'd/mid.qcow2')" file=d/top.qcow2
refused "is no qcow2 image" file=d/base/gone.img,format=qcow2
refused "raw images have no backing file" file=d/base/gone.img,format=raw,backing.file.filename=x
echo quit | timeout 60 "$VMM" -nodefaults -display none -S -monitor stdio \
    -drive if=none,id=d,file=d/mid.qcow2,backing.file.filename=d/base/gone.img,backing.driver=raw >out 2>err
is "another backing file" $? 0
finish
