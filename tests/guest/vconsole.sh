#!/bin/bash
# tests/guest/vconsole.sh - Linux's virtio_console: hvc0 as the console, both ways; ports by name, megabytes both ways
# compared; the host's side goes away and comes back.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need python3
need_kernels
cat >"$TMP/l2" <<'G'
say() { echo "T-$1 $2"; }
is() { [ "$2" = "$3" ] && say OK "$1: $2" || say FAIL "$1: got '$2', wanted '$3'"; }
load virtio_pci && load virtio_console || say FAIL "the driver loads"
n=0; while ! [ -c /dev/vport0p3 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
is "ports" "$(ls /sys/class/virtio-ports | tr '\n' ' ')" "vport0p0 vport0p1 vport0p3 "
is "name of port 3" "$(cat /sys/class/virtio-ports/vport0p3/name)" org.bantam.data
is "name of port 1" "$(cat /sys/class/virtio-ports/vport0p1/name)" org.bantam.log
P=/dev/vport0p3
echo "hello from the guest's port 1" >/dev/vport0p1
# a megabyte or four in, and out
echo "AT data"
head -c 4194305 $P >/tmp/in
echo "SUM-IN $(md5sum </tmp/in | cut -d' ' -f1)"
dd if=/dev/urandom of=/tmp/out bs=64k count=65 2>/dev/null
echo "SUM-OUT $(md5sum </tmp/out | cut -d' ' -f1)"
dd if=/tmp/out of=$P bs=64k 2>/dev/null
# both at once; a port is opened by one process at a time
exec 5<>$P
dd if=/tmp/out bs=64k >&5 2>/dev/null & head -c 4194305 <&5 | md5sum | sed 's/ .*//; s/^/SUM-BOTH /'; wait
exec 5>&-
cat /tmp/out >$P # spliced
# the host goes: end of file; it comes back: data
while head -c 5 $P | grep -q .; do :; done
say OK "end of file when the host closed"
echo "AT closed"
n=0; while [ $n -lt 200 ]; do x=$(head -c 5 $P); [ -n "$x" ] && break; sleep 0.1; n=$((n+1)); done
is "after the host came back" "$x" again
echo "and back" >$P
# the console
is "consoles" "$(sed 's/ .*//' /proc/consoles | sort | tr '\n' ' ')" "hvc0 ttyS0 "
exec 4<>/dev/hvc0
stty raw -echo <&4
echo "the guest on hvc0" >&4
echo "<1>the kernel on hvc0" >/dev/kmsg
echo "the console's end" >/dev/console
read -r line <&4
is "hvc0 reads" "$line" "a line for hvc0"
dd if=/tmp/out bs=64k count=8 2>/dev/null >&4
echo "SUM-HVC $(head -c 524288 /tmp/out | md5sum | cut -d' ' -f1)"
dmesg -r | grep -E '^<[0-3]>' && say FAIL "no error in the kernel's log" || say OK "no error in the kernel's log"
G
"$RIG/rig-mkl2" -M "virtio_pci= virtio_console=" -x "$TMP/l2" "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
head -c 4194305 /dev/urandom >"$W/in"
echo "APPEND='$APPEND'" >"$W/vars"
cat >"$W/peer.py" <<'P'
import socket, sys, threading, time
d, in_file = sys.argv[1], open("in", "rb").read()
def connect(name):
    s = socket.socket(socket.AF_UNIX); s.connect(d + "/" + name); s.settimeout(60); return s
def wait_for(text):
    while text not in open(d + "/ports.out", "rb").read(): time.sleep(0.2)
def take(s, n):
    b = b""
    while len(b) < n:
        x = s.recv(min(65536, n - len(b)))
        if not x: break
        b += x
    return b
log, p, h = connect("log"), connect("data"), connect("hvc")
open("log", "wb").write(take(log, 30))
wait_for(b"AT data")
p.sendall(in_file)
n = 65 * 65536
open("out", "wb").write(take(p, n))
t = threading.Thread(target=p.sendall, args=(in_file,)); t.start()
open("out2", "wb").write(take(p, n)); t.join()
open("out3", "wb").write(take(p, n))
time.sleep(1)
p.close()
wait_for(b"AT closed")
p = connect("data"); p.sendall(b"again")
open("back", "wb").write(take(p, 9))
text = b""
while b"console's end" not in text: text += h.recv(1)
while text[-1:] != b"\n": text += h.recv(1)
open("hvc", "wb").write(text)
h.sendall(b"a line for hvc0\n")
open("hvcdata", "wb").write(take(h, 8 * 65536))
P
where_kvm_is_real 200 <<'S'
. ./vars
boot_bg ports 150 -m 256 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$APPEND console=hvc0" \
    -device virtio-serial-pci,id=vs \
    -chardev "socket,id=log,path=$D/log,server=on,wait=off" -device virtserialport,chardev=log,name=org.bantam.log \
    -chardev "socket,id=data,path=$D/data,server=on,wait=off" \
    -device virtserialport,bus=vs.0,nr=3,chardev=data,name=org.bantam.data \
    -chardev "socket,id=hvc,path=$D/hvc,server=on,wait=off" -device virtconsole,chardev=hvc
n=0; while ! [ -S "$D/hvc" ] && [ $n -lt 50 ]; do sleep 0.2; n=$((n + 1)); done
timeout 120 python3 peer.py "$D" >peer.log 2>&1 || echo "peer: $(tail -n 3 peer.log)"
boot_wait
S
booted ports
results ports
has "port 1" "$W/log" "hello from the guest's port 1"
sum() { md5sum <"$W/$1" | cut -d' ' -f1; }
guest_sum() { tr -d '\r' <"$W/ports.out" | sed -n "s/^$1 //p"; }
is "4 MiB to the guest" "$(guest_sum SUM-IN)" "$(sum in)"
is "4 MiB from the guest" "$(guest_sum SUM-OUT)" "$(sum out)"
is "both at once, to the guest" "$(guest_sum SUM-BOTH)" "$(sum in)"
is "both at once, from the guest" "$(guest_sum SUM-OUT)" "$(sum out2)"
is "4 MiB spliced" "$(guest_sum SUM-OUT)" "$(sum out3)"
has "the port after the host came back" "$W/back" "and back"
for what in "the guest on" "the kernel on" "the console's end"; do
    has "hvc0: $what" "$W/hvc" "$what"
done
is "512 KiB over hvc0" "$(guest_sum SUM-HVC)" "$(sum hvcdata)"
finish
