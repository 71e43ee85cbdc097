#!/bin/bash
# bench/net.sh VMM QEMU ROUNDS MB user|tap - TCP between a guest and its host, each VMM in turn; run by bench/run, inside the
# rig, in a directory with vmlinux, g.cpio and nettool.  Lines: KIND VMM ROUND out|in BYTES SECONDS CPU-SECONDS
vmm=$1 qemu=$2 rounds=$3 mb=$4 kind=$5
kernel="console=ttyS0 quiet nokaslr mitigations=off panic=-1"
d=$(mktemp -d /tmp/net.XXXXXX)
trap 'rm -rf "$d"' EXIT
ip link set lo up
if [ "$kind" = tap ]; then
    ip tuntap add dev t0 mode tap vnet_hdr && ip addr add 192.168.7.1/24 dev t0 && ip link set t0 up || exit 1
    net="-netdev tap,id=n,ifname=t0,script=no,downscript=no" host=192.168.7.1 test="nic,static:192.168.7.2,reach:192.168.7.1:56:1"
else
    net="-netdev user,id=n" host=10.0.2.2 test="nic,dhcp"
fi
cpu() { awk '{ print ($14 + $15) / 100 }' "/proc/$1/stat"; } # of all threads, the guest's time with them
said() { for _ in $(seq 1200); do grep -aq "$1" "$d/out" 2>/dev/null && return; kill -0 "$pid" 2>/dev/null || return 1; sleep 0.1; done; return 1; }
one() { # one NAME ROUND PROGRAM...
    local name=$1 round=$2 out b line
    shift 2
    rm -f "$d/out"
    ./nettool sink 5101 2 >/dev/null & sink=$!
    ./nettool source 5102 4000000 1 && ./nettool source 5102 $((mb * 1000000)) 1 & source=$!
    # shellcheck disable=SC2086
    "$@" -m 256 -nodefaults -vga none -display none -no-reboot -serial "file:$d/out" -kernel vmlinux -initrd g.cpio \
        -append "$kernel t=$test,bench:$host:5101:$mb" $net -device virtio-net-pci,netdev=n,romfile= </dev/null >"$d/log" 2>&1 & pid=$!
    for out in out in; do
        said "BENCH-BEGIN-${out}1" || break
        b=$(cpu $pid)
        said "BENCH-END-${out}1" || break
        line=$(tr -d '\r' <"$d/out" | sed -n "s/^BENCH $out //p")
        echo "$kind $name $round $out $line $(awk -v b="$b" -v e="$(cpu $pid)" 'BEGIN { print e - b }')"
    done
    wait $pid
    kill $sink $source 2>/dev/null
    wait 2>/dev/null
    grep -aq "BENCH-END-in1" "$d/out" || { tail -n 20 "$d/out" "$d/log" >&2; return 1; }
}
for r in $(seq "$rounds"); do
    a() { one bantam "$r" "$vmm" -accel kvm -cpu host; }
    b() { one qemu "$r" "$qemu" -accel kvm -cpu host -M pc; }
    if [ $((r % 2)) = 1 ]; then a; b; else b; a; fi || exit 1
done
