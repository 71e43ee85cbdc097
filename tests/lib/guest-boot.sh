# tests/lib/guest-boot.sh - the head of every script that guest.sh's where_kvm_is_real runs.
# shellcheck shell=bash
D=$(mktemp -d /tmp/guest.XXXXXX) # the disk images' place: memory in the rig, where $PWD is slow
MON=$D/monitor                   # no sockets in the rig's shared directory
trap 'rm -rf "$D"' EXIT
base="-nodefaults -display none"
# shellcheck disable=SC2086
boot() {
    local n=$1 limit=$2 st=0 t=$SECONDS
    shift 2
    timeout -k 5 "$limit" ./bantam $base -serial "file:$D/$n.out" "$@" </dev/null >"$n.log" 2>"$n.err" || st=$?
    cp "$D/$n.out" "$n.out"
    echo $st >"$n.st"
    echo "# $n: $((SECONDS - t)) s, status $st"
}
# shellcheck disable=SC2086
boot_bg() {
    bg_n=$1 bg_t=$SECONDS
    local limit=$2
    shift 2
    rm -f "$MON"
    timeout -k 5 "$limit" ./bantam $base -serial "file:$D/$bg_n.out" -monitor "unix:$MON,server=on,wait=off" "$@" \
        </dev/null >"$bg_n.log" 2>"$bg_n.err" &
    bg_pid=$!
}
boot_wait() {
    local st=0
    wait "$bg_pid" || st=$?
    cp "$D/$bg_n.out" "$bg_n.out"
    echo $st >"$bg_n.st"
    echo "# $bg_n: $((SECONDS - bg_t)) s, status $st"
}
said() {
    local n=$1 end=$((SECONDS + $2))
    until grep -aqF -- "$3" "$D/$n.out" 2>/dev/null; do
        [ $SECONDS -lt $end ] && kill -0 "$bg_pid" 2>/dev/null || { echo "# $n never said '$3'"; return 1; }
        sleep 0.3
    done
}
mon() { python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(20)
def prompt():
    b = b""
    while not b.endswith(b"(bantam) ") and not b.endswith(b"(qemu) "):
        d = s.recv(65536)
        if not d: break
        b += d
    return b.decode(errors="replace")
prompt(); s.sendall(sys.argv[2].encode() + b"\n"); print(prompt())' "$MON" "$1"; }
