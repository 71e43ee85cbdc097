#!/bin/bash
# bench/blk.sh VMM QEMU ROUNDS SECONDS AIO DEV - virtio-blk on one file, each VMM in turn; run by bench/run, inside the rig, in
# a directory with vmlinux and g.cpio; DEV is a disk with an ext4 that has the file.  Lines:
# VMM ROUND WAY:BYTES:DEPTH REQUESTS SECONDS CPU-SECONDS EXITS
vmm=$1 qemu=$2 rounds=$3 secs=$4 aio=$5 dev=$6
measures=randread:4096:1,randwrite:4096:1,randread:4096:32,randwrite:4096:32,read:1048576:4,write:1048576:4
kernel="console=ttyS0 quiet nokaslr mitigations=off panic=-1 blk=$secs,$measures"
d=$(mktemp -d /tmp/blk.XXXXXX)
mount -t debugfs none /sys/kernel/debug 2>/dev/null
mkdir -p /mnt && mount -t ext4 "$dev" /mnt || exit 1
trap 'umount /mnt; rm -rf "$d"' EXIT
exits=/sys/kernel/debug/kvm/exits
[ -r $exits ] || { exits=$d/none; echo 0 >"$exits"; } # no figure then
mkfifo "$d/out"

# Without a process: this runs while the guest does.  Ticks are 1/100 s.
stamp() { # cpu, exited
    local s
    s=$(<"/proc/$pid/stat")
    # shellcheck disable=SC2086
    set -- ${s##*) }
    cpu=$((${12} + ${13}))
    read -r exited <$exits
}
one() { # one NAME ROUND PROGRAM...
    local name=$1 round=$2 line what n t good=0
    shift 2
    "$@" -m 256 -nodefaults -vga none -display none -no-reboot -serial stdio -kernel vmlinux -initrd g.cpio \
        -append "$kernel" </dev/null >"$d/out" 2>"$d/log" & pid=$!
    : >"$d/said"
    while read -r line; do
        line=${line%$'\r'}
        # shellcheck disable=SC2086
        case $line in
            "BLK-BEGIN "*) stamp; cpu0=$cpu exited0=$exited ;;
            "BLK-END "*)
                stamp
                read -r _ what n t <<<"$line"
                echo "$name $round $what $n $t $((cpu - cpu0))e-2 $((exited - exited0))"
                good=$((good + 1)) ;;
            *) echo "$line" >>"$d/said" ;;
        esac
    done <"$d/out"
    wait $pid || good="$? $good"
    [ "$good" = 6 ] || { echo "$name: status and figures: $good" >&2; tail -n 20 "$d/said" "$d/log" >&2; return 1; }
}
for r in $(seq "$rounds"); do
    a() {
        one bantam "$r" "$vmm" -accel kvm -cpu host -drive file=/mnt/disk.img,format=raw,if=none,id=d,cache=none \
            -device virtio-blk-pci,drive=d
    }
    b() {
        one qemu "$r" "$qemu" -accel kvm -cpu host -M pc -object iothread,id=io \
            -drive "file=/mnt/disk.img,format=raw,if=none,id=d,cache=none,aio=$aio" -device virtio-blk-pci,drive=d,iothread=io
    }
    if [ $((r % 2)) = 1 ]; then a; b; else b; a; fi || exit 1
done
