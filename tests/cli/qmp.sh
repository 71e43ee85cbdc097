#!/bin/bash
# tests/cli/qmp.sh - QMP of a real machine on a socket; its answers beside those of Debian's QEMU.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/images.sh
. "$SRC/tests/lib/images.sh"
need_kvm
need python3
[ -e "$(dirname "$VMM")/bantam-qmp.so" ] || skip_all "built without QMP (configure: json-glib)"
cd "$TMP" || exit 1
truncate -s 1M disk.img cd.iso
qmp() { timeout 120 python3 "$SRC/tests/cli/qmp.py" "$@"; } # SOCKET: steps from stdin
# said N TEXT: answer N (from 1) of the last client has TEXT
said() { sed -n "$2p" out >line; has "$1" line "$3"; }
start() { # NAME ARGS...: a machine, its socket is NAME
    local name=$1; shift
    timeout 180 "$VMM" -display none "$@" -qmp "unix:$name,server=on,wait=off" </dev/null >vmm.out 2>vmm.err &
    pid=$!
    tap_pids="$tap_pids $pid"
    wait_for 20 test -S "$name"
}

# --- without a guest --------------------------------------------------------------------------
if start m1 -nodefaults -vga std -S -name vm1 -smp 2 -m 64 -hda disk.img -cdrom cd.iso \
    -uuid 12345678-1234-1234-1234-123456789abc -chardev ringbuf,id=r,size=4096 -serial chardev:r; then
    ok "it listens"
else
    not_ok "it listens" "$(cat vmm.err)"; finish
fi
qmp m1 >out <<'Q'
query-status
qmp_capabilities
qmp_capabilities
!{"execute": "query-status", "id": {"a": [1, -2.5, null, "é"]}}
!{'execute': 'query-name'}
query-uuid
nonsense
screendump
screendump {"filename": 3}
screendump {"filename": "a.ppm", "where": 1}
!{"execute": "stop", "frob": 1}
![1]
+{"execute": "stop"
!}
!nonsense
query-name
cont
@RESUME
stop
@STOP
screendump {"filename": "a.png", "format": "png"}
screendump {"filename": "a.ppm"}
send-key {"keys": [{"type": "qcode", "data": "ctrl"}, {"type": "number", "data": 30}]}
eject {"device": "ide1-cd0"}
@DEVICE_TRAY_MOVED
blockdev-change-medium {"device": "ide1-cd0", "filename": "cd.iso"}
@DEVICE_TRAY_MOVED
block_resize {"device": "ide0-hd0", "size": 2097152}
block_resize {"device": "nothing", "size": 2097152}
query-balloon
ringbuf-write {"device": "r", "data": "aGk=", "format": "base64"}
ringbuf-read {"device": "r", "size": 100}
human-monitor-command {"command-line": "info name"}
pmemsave {"val": 0, "size": 8192, "filename": "mem"}
inject-nmi
system_wakeup
set_link {"name": "nothing", "up": false}
system_reset
@RESET
query-status
quit
@SHUTDOWN
query-status
Q
wait $pid
is "quit ends with 0" $? 0
said "greeting" 1 '"capabilities": []'
said "negotiation comes first" 2 '"class": "CommandNotFound"'
said "capabilities" 3 '{"return": {}}'
said "but once" 4 "Capabilities negotiation is already complete"
said "the id comes back" 5 '"id": {"a": [1, -2.5, null, "\u00e9"]}'
said "status" 5 '"return": {"running": false, "singlestep": false, "status": "prelaunch"}'
said "single quotes" 6 '{"return": {"name": "vm1"}}'
said "UUID" 7 '{"return": {"UUID": "12345678-1234-1234-1234-123456789abc"}}'
said "unknown command" 8 '{"error": {"class": "CommandNotFound", "desc": "The command nonsense has not been found"}}'
said "missing argument" 9 "Parameter 'filename' is missing"
said "wrong type" 10 "Invalid parameter type for 'filename', expected: string"
said "unexpected argument" 11 "Parameter 'where' is unexpected"
said "unexpected member" 12 "QMP input member 'frob' is unexpected"
said "no object" 13 "QMP input must be a JSON object"
said "over two lines" 14 '{"return": {}}'
said "no JSON" 15 "JSON parse error"
said "and the next line is one again" 16 '{"return": {"name": "vm1"}}'
said "RESUME" 18 '{"event": "RESUME"}'
said "STOP" 20 '{"event": "STOP"}'
is "a PNG" "$(head -c 8 a.png | od -An -tx1 | tr -d ' ')" 89504e470d0a1a0a
is "a PPM" "$(head -c 2 a.ppm)" P6
check "the PNG is whole" python3 -c '
import struct, zlib
d = open("a.png", "rb").read()[8:]
kinds = []
while d:
    n, = struct.unpack(">I", d[:4])
    assert struct.unpack(">I", d[8 + n:12 + n])[0] == zlib.crc32(d[4:8 + n])
    kinds.append(d[4:8])
    d = d[12 + n:]
assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND", kinds'
said "keys" 23 '{"return": {}}'
said "the tray opens" 25 '"tray-open": true'
said "and closes" 27 '"tray-open": false'
is "resized" "$(stat -c %s disk.img)" 2097152
said "no such drive" 29 '"class": "DeviceNotFound"'
said "no balloon" 30 '"class": "DeviceNotActive"'
said "ringbuf" 32 '{"return": "'
said "the human monitor" 33 '{"return": "vm1\n"}'
is "memory saved" "$(stat -c %s mem)" 8192
said "NMI" 35 '{"return": {}}'
said "not asleep" 36 "GenericError"
said "no such link" 37 "DeviceNotFound"
said "RESET" 39 '{"data": {"guest": false, "reason": "host-qmp-system-reset"}, "event": "RESET"}'
said "SHUTDOWN" 42 '{"data": {"guest": false, "reason": "host-qmp-quit"}, "event": "SHUTDOWN"}'
said "the end" 43 EOF
is "nothing on stderr" "$(cat vmm.err)" ""

# --- a guest: SeaBIOS, and what it does; reconnecting; a client that does not read ------------
if start m2 -vga std -m 64 -device ib700,id=dog; then
    qmp m2 >out <<'Q'
qmp_capabilities
query-status
query-cpus-fast
query-pci
query-mice
qom-list {"path": "/machine/peripheral"}
qom-get {"path": "/machine/peripheral/dog", "property": "type"}
qom-get {"path": "/machine/unattached/device[0]", "property": "nonsense"}
qom-set {"path": "dog", "property": "x", "value": 1}
query-command-line-options {"option": "smp"}
Q
    said "the devices with an id" 7 '{"name": "dog", "type": "child<ib700>"}'
    said "a device's type" 8 '{"return": "ib700"}'
    said "no such property" 9 "not found"
    said "it can't be set" 10 "can't be set"
    said "options" 11 '"name": "cores"'
    said "running" 3 '"running": true'
    said "a CPU's thread" 4 '"thread-id":'
    said "the display card" 5 '"device": 4369'
    said "the mouse" 6 'PS/2'
    # Commands without end, and nothing is read: memory stays as it is, and the guest goes on.
    timeout 20 python3 - "$PWD/m2" <<'P' >flood
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(2)
sent = 0
try:
    s.send(b'{"execute":"qmp_capabilities"}')
    while sent < 100 << 20:
        sent += s.send(b'{"execute":"query-qmp-schema"}' * 100)
except socket.timeout:
    print("stopped")
P
    has "who does not read is not listened to" flood stopped
    rss=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$(pgrep -P $pid || echo $pid)/status")
    check "and costs no memory ($rss KiB)" test "$rss" -lt 150000
    qmp m2 >out <<'Q'
query-status
qmp_capabilities
system_powerdown
@POWERDOWN
quit
Q
    said "a new client negotiates anew" 2 CommandNotFound
    said "POWERDOWN" 5 '{"event": "POWERDOWN"}'
    wait $pid
    is "and it ends" $? 0
else
    not_ok "a guest" "$(cat vmm.err)"
fi
# The demo powers the machine off by itself.
start m3 -demo -S && qmp m3 >out <<'Q'
qmp_capabilities
cont
@SHUTDOWN
Q
wait $pid
said "the guest powers off" 4 '{"data": {"guest": true, "reason": "guest-shutdown"}, "event": "SHUTDOWN"}'

# A watchdog that nobody feeds: `mov $0x443,%dx; mov $0xe,%al; out %al,%dx; hlt` at the reset vector, two seconds.
{ head -c 65520 /dev/zero; printf '\272\103\004\260\016\356\364\353\375'; head -c 7 /dev/zero; } >dog.bin
start m4 -nodefaults -bios dog.bin -device ib700 -action watchdog=none -S && qmp m4 >out <<'Q'
qmp_capabilities
watchdog-set-action {"action": "pause"}
cont
@WATCHDOG
@STOP
query-status
quit
Q
wait $pid
said "the watchdog" 5 '{"data": {"action": "pause"}, "event": "WATCHDOG"}'
said "it pauses the machine" 7 '"status": "watchdog"'

# A disk whose second sector can't be read until it is mended: the boot sector reads it by INT 13h, says HELLO on
# COM1 and powers off.
{ printf '\270\001\002\273\000\176\271\002\000\272\200\000\315\023'; boot_code hello; } >bad.img
truncate -s 510 bad.img
printf '\125\252' >>bad.img
truncate -s 1M bad.img
start m5 -m 16 -serial file:m5.log -S \
    -drive file=bad.img,format=raw,if=ide,id=bad,rerror=stop,x-inject=read:EIO:1-1:mended && qmp m5 >out <<'Q'
qmp_capabilities
cont
@BLOCK_IO_ERROR
@STOP
query-status
query-block
$touch mended
cont
@SHUTDOWN
Q
wait $pid
said "an I/O error" 4 '{"data": {"action": "stop", "device": "bad", "node-name": "bad", "nospace": false, "operation": "read", "reason": "Input/output error"}, "event": "BLOCK_IO_ERROR"}'
said "it stops for it" 6 '"status": "io-error"'
said "the drive's state" 7 '"io-status": "failed"'
said "mended, it goes on to its end" 9 '"reason": "guest-shutdown"'
has "and the guest has seen nothing" m5.log HELLO

# Snapshots inside an image
if command -v qemu-img >/dev/null && qemu-img create -q -f qcow2 s.qcow2 8M; then
    start m6 -nodefaults -S -drive file=s.qcow2,if=ide,id=s && qmp m6 >out <<'Q'
qmp_capabilities
blockdev-snapshot-internal-sync {"device": "s", "name": "one"}
blockdev-snapshot-internal-sync {"device": "s", "name": "two"}
blockdev-snapshot-internal-sync {"device": "s", "name": "two"}
blockdev-snapshot-delete-internal-sync {"device": "s", "name": "one"}
blockdev-snapshot-delete-internal-sync {"device": "s", "name": "one"}
human-monitor-command {"command-line": "snapshot_apply_blkdev_internal s two"}
human-monitor-command {"command-line": "info snapshots"}
query-block
quit
Q
    wait $pid
    said "a snapshot's name is its own" 5 "already"
    said "one is deleted" 6 '"name": "one"'
    said "once" 7 "does not exist"
    said "one is applied" 8 '{"return": ""}'
    said "they are listed" 9 "two"
    said "and in query-block" 10 '"name": "two"'
    is "qemu-img sees the same" "$(qemu-img snapshot -l s.qcow2 | awk '/^[0-9]/ { print $2 }')" two
else
    skip "snapshots" "qemu-img is not installed"
fi

# --- beside QEMU: the same questions, and answers of the same shape ----------------------------
if command -v qemu-system-x86_64 >/dev/null; then
    steps='qmp_capabilities
query-version
query-status
query-name
query-uuid
query-kvm
query-target
query-chardev
query-block
query-blockstats
query-named-block-nodes
query-cpus-fast
query-pci
query-mice
query-iothreads
query-commands
query-memory-size-summary
query-qmp-schema
device-list-properties {"typename": "isa-serial"}
qom-list {"path": "/machine"}
qom-list {"path": "/machine/peripheral"}
query-command-line-options
frobnicate
screendump
screendump {"filename": 1}
screendump {"filename": "x", "y": 1}
set_link {"name": "nothing", "up": true}
query-balloon
quit'
    truncate -s 1M disk.img
    args="-nodefaults -vga std -S -m 64 -smp 2 -name vm1 -drive file=disk.img,format=raw,if=ide,id=d -drive file=cd.iso,format=raw,if=ide,media=cdrom,id=c -serial null"
    # shellcheck disable=SC2086
    start ours $args && qmp ours >ours.json <<<"$steps"
    # shellcheck disable=SC2086
    timeout 120 qemu-system-x86_64 -accel kvm -display none $args -qmp unix:theirs,server=on,wait=off </dev/null >qemu.log 2>&1 &
    tap_pids="$tap_pids $!"
    if wait_for 20 test -S theirs && qmp theirs >theirs.json <<<"$steps"; then
        python3 "$SRC/tests/cli/qmp-shapes.py" ours.json theirs.json >shapes
        while IFS= read -r l; do
            case $l in ok\ *) ok "as QEMU: ${l#ok }" ;; *) not_ok "as QEMU: ${l%%:*}" "$l" ;; esac
        done <shapes
    else
        skip "beside QEMU" "QEMU does not start here: $(tail -n 1 qemu.log)"
    fi
else
    skip "beside QEMU" "qemu-system-x86_64 is not installed"
fi
finish
