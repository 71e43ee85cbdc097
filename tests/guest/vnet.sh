#!/bin/bash
# tests/guest/vnet.sh - Linux's virtio_net over user, tap and stream: DHCP, TCP each way with the sums compared, UDP, jumbo
# frames, queues, the cable, forwarded ports, a capture; virtio 1 and legacy, packed rings, with and without offloads.
#
#   MB       megabytes each way over user (100)     MB_TAP  over tap and stream (20)     PARTS  user tap stream modes
# shellcheck disable=SC1091,SC2153
. "$(dirname "$0")/../lib/guest.sh"
need tshark ip
need_kernels
. "$(dirname "$0")/../lib/net.sh"
guest_net_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
export RIG_MODS="tun" RIG_CPUS=${RIG_CPUS:-2}
MB=${MB:-100} MB_TAP=${MB_TAP:-20} PARTS=${PARTS:-user tap stream modes}
part() { [[ " $PARTS " == *" $1 "* ]]; }
cat >"$W/vars" <<X
APPEND='$APPEND' MB=$MB MB_TAP=$MB_TAP PARTS=' $PARTS '
part() { case "\$PARTS" in *" \$1 "*) ;; *) return 1 ;; esac; }
linux="-m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio"
bytes() { ./nettool gen \$((\$1 * 1000000)) \$2; }
sum() { md5sum | cut -d' ' -f1; }
# to_guest NAME PORT MB SEED [HOST]: when the guest listens
to_guest() { said \$1 200 "LISTENING 5001" && bytes \$3 \$4 | timeout 200 ./nettool send \${5:-127.0.0.1} \$2; }
X
# In a network namespace of its own: the guest's other end is this machine.
cat >"$W/tap" <<'E'
#!/bin/bash
. ./tap.lib
. ./vars
ip link set lo up
ip tuntap add dev t0 mode tap multi_queue vnet_hdr && ip addr add 192.168.7.1/24 dev t0 && ip link set t0 mtu 9000 up || exit 1
timeout 250 ./nettool recv 5002 | sum >tap.sum &
for i in 5003 5004; do timeout 250 ./nettool sink $i 6 >tap.sink.$i & done
timeout 250 ./nettool udp-echo 5005 30 &
p="nic,static:192.168.7.2,mtu:9000,reach:192.168.7.1:8900,udp:192.168.7.1:5005:8900:10"
p="$p,tcp_out:192.168.7.1:5002:$MB_TAP:3,tcp_in:5001:$MB_TAP:4,queues:4:4,several:192.168.7.1:5003:6,busy_queues:2"
p="$p,feature:tso:0,feature:sg:0,feature:tx:0,several:192.168.7.1:5004:6,reach:192.168.7.1,net_clean"
boot_bg tap 280 $linux -smp 4 -append "$APPEND t=$p" -netdev tap,id=n,ifname=t0,script=no,downscript=no,queues=4 \
    -device virtio-net-pci,netdev=n,mq=on,host_mtu=9000
to_guest tap 5001 $MB_TAP 4 192.168.7.2
boot_wait
bytes $MB_TAP 3 | sum >tap.want
E
cat "$SRC/tests/lib/guest-boot.sh" >"$W/tap.lib"
where_kvm_is_real 900 <<'S'
. ./vars
mount -t debugfs d /sys/kernel/debug 2>/dev/null
mmio_exits() { cat /sys/kernel/debug/kvm/mmio_exits 2>/dev/null || echo 0; }
if part user; then
    timeout 250 ./nettool recv 5002 | sum >user.sum &
    timeout 250 ./nettool udp-echo 5005 30 &
    p="nic:virtio_net:52-54-00-aa-bb-cc,dhcp:10.0.2.15,reach:10.0.2.2:1400,udp:10.0.2.2:5005:1000:20,udp:10.0.2.2:5005:8000:10"
    p="$p,tcp_out:10.0.2.2:5002:$MB:1,tcp_in:5001:$MB:2,link,reach:10.0.2.2,net_clean"
    boot_bg user 280 $linux -append "$APPEND t=$p" -device virtio-net-pci,netdev=n,mac=52:54:00:aa:bb:cc,id=nic \
        -netdev user,id=n,hostfwd=tcp:127.0.0.1:5556-:5001 -object filter-dump,id=f,netdev=n,file=$D/user.pcap,maxlen=200 \
        -trace virtio-net-pci -D $D/user.trace
    said user 200 "LISTENING 5001"
    before=$(mmio_exits)
    to_guest user 5556 $MB 2
    echo $(($(mmio_exits) - before)) >user.exits
    grep -c "interrupt: queue" $D/user.trace >user.interrupts
    grep -c "by a register" $D/user.trace >user.registers
    said user 250 LINK-READY && mon "info network" >user.mon && mon "set_link n off" >>user.mon && said user 30 LINK-DOWN &&
        mon "set_link n on" >>user.mon
    boot_wait
    bytes $MB 1 | sum >user.want
    tshark -r $D/user.pcap -q -z io,phs >user.phs 2>user.tshark
    tshark -r $D/user.pcap -Y _ws.malformed >user.malformed 2>>user.tshark
fi
if part tap; then unshare -n bash ./tap; fi
# Two guests on one wire.
if part stream; then
    p="nic,static:10.9.0.1,serve_udp:5005:10,tcp_in:5001:$MB_TAP:5,tcp_out:10.9.0.2:5001:$MB_TAP:6,net_clean"
    timeout -k 5 120 ./bantam $base -serial file:$D/left.out $linux -append "$APPEND t=$p" -device virtio-net-pci,netdev=n,packed=on \
        -netdev stream,id=n,server=on,addr.type=unix,addr.path=$D/wire </dev/null >left.log 2>left.err & left=$!
    for i in $(seq 100); do [ -S $D/wire ] && break; sleep 0.1; done
    p="nic,static:10.9.0.2,reach:10.9.0.1,udp:10.9.0.1:5005:1400:10,tcp_out:10.9.0.1:5001:$MB_TAP:5,tcp_in:5001:$MB_TAP:6,net_clean"
    boot right 120 $linux -append "$APPEND t=$p" -device virtio-net-pci,netdev=n,disable-modern=on,mac=52:54:00:00:00:02 \
        -netdev stream,id=n,server=off,addr.type=unix,addr.path=$D/wire
    st=0; wait $left || st=$?; echo $st >left.st; cp $D/left.out left.out
fi
# What the driver may be without, each against the host by user.
if part modes; then
    n=0
    for m in mrg_rxbuf=off,packed=on csum=off,gso=off,guest_csum=off disable-modern=on,mrg_rxbuf=off ctrl_vq=off,event_idx=off \
        indirect_desc=off,in_order=on,status=off mmio; do
        net="-device virtio-net-pci,netdev=n,$m -netdev user,id=n" board=""
        [ $m != mmio ] || net="-nic user,model=virtio" board="-M microvm"
        n=$((n + 1))
        timeout 100 ./nettool recv 5002 | sum >mode$n.sum &
        p="nic,dhcp,reach:10.0.2.2:1400,tcp_out:10.0.2.2:5002:3:1,tcp_in:5001:3:2,net_clean"
        boot_bg mode$n 100 $board $linux -append "$APPEND t=$p" $net,hostfwd=tcp:127.0.0.1:5556-:5001
        to_guest mode$n 5556 3 2
        boot_wait
        wait
    done
    bytes 3 1 | sum >mode.want
fi
S
guest() { booted "$1"; results "$1"; }
same() { is "$1: what came out of the guest" "$(cat "$W/$1.sum")" "$(cat "$W/${2:-$1}.want")"; }
if part user; then
    guest user; same user
    has "info network names the card" "$W/user.mon" "model=virtio-net-pci,macaddr=52:54:00:aa:bb:cc"
    # ioeventfd and irqfd: what a frame costs is never an exit to us
    is "notifications that left the kernel" "$(cat "$W/user.registers")" 0
    echo "# $MB MB received with $(cat "$W/user.exits") MMIO exits; $(cat "$W/user.interrupts") interrupts since the start"
    if [ "$(cat "$W/user.exits")" -lt 100 ]; then ok "no MMIO exits for frames"; else not_ok "no MMIO exits for frames" "$(cat "$W/user.exits")"; fi
    has "the capture has TCP" "$W/user.phs" " tcp "
    has "the capture has DHCP" "$W/user.phs" " dhcp "
    is "frames that tshark calls malformed" "$(wc -l <"$W/user.malformed")" 0
fi
if part tap; then guest tap; same tap; fi
if part stream; then guest left; guest right; fi
if part modes; then for n in 1 2 3 4 5 6; do guest mode$n; same mode$n mode; done; fi
finish
