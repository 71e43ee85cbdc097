#!/bin/bash
# tests/boot/direct.sh - a Multiboot kernel by -kernel, and every way in which a guest ends bantam: the exit statuses.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/images.sh
. "$SRC/tests/lib/images.sh"
need_kvm
need socat gcc
cd "$TMP" || exit 1
make_kernel ./kernel || { not_ok "the kernel is made"; finish; }
echo "hello from the module" >module.txt
quick="-m 64 -nodefaults -display none -device isa-debug-exit,iobase=0x501 -kernel ./kernel"
mon() { echo "$1" | socat -t 10 - UNIX-CONNECT:mon | tr -d '\r'; }

# ends WHAT STATUS args...
ends() {
    local what=$1 want=$2
    shift 2
    # shellcheck disable=SC2086
    vm 60 $quick "$@" >out 2>err
    is "$what" "$st" "$want"
}
ends "leaves by isa-debug-exit" 33 -vga std -serial file:serial -append "hello there"
has "says so" serial "ALL IS WELL"
has "its command line" serial "command line: ./kernel hello there"
is "nothing on stderr" "$(cat err)" ""
ends "with a module" 33 -serial file:serial -initrd "module.txt some arguments,kernel"
has "the module's text" serial "hello from the module"
ends "a triple fault with -no-reboot" 64 -no-reboot -append @t
ends "a reset with -no-reboot" 0 -no-reboot -append @r
ends "pvpanic" 66 -device pvpanic -append @p
ends "pvpanic, -action panic=shutdown" 66 -device pvpanic -append @p -action panic=shutdown
ends "pvpanic, -action panic=exit-failure" 66 -device pvpanic -append @p -action panic=exit-failure

# In the background: running, with a monitor
start() { # args...
    rm -f mon serial
    : >serial
    # shellcheck disable=SC2086
    timeout -k 5 90 "$VMM" $quick -serial file:serial -monitor unix:mon,server,nowait "$@" </dev/null >out 2>err &
    pid=$!
    tap_pids="$tap_pids $pid"
    wait_for 20 test -S mon || { not_ok "starts" "$(cat err)"; return 1; }
}
status_is() { mon "info status" | grep -qF -- "$1"; }
paused() { # WHAT STATE
    if wait_for 30 status_is "paused ($2)"; then ok "$1"; else not_ok "$1" "$(mon "info status")"; fi
    mon quit >/dev/null
    wait "$pid"
    is "$1: quit" $? 0
}
start -no-shutdown -no-reboot -append @r && paused "-no-reboot with -no-shutdown: the reset pauses" shutdown
start -device pvpanic -append @p -action panic=pause && paused "-action panic=pause" guest-panicked
start -device pvpanic -append @p -action panic=none && {
    if wait_for 30 grep -q "ALL IS WELL" serial && status_is running; then ok "-action panic=none runs on"; else
        not_ok "-action panic=none runs on" "$(mon "info status")"; fi
    mon quit >/dev/null; wait "$pid"; }

many() { [ "$(grep -c 'ALL IS WELL' serial)" -ge "$1" ]; }
start -append @r && {
    if wait_for 30 many 3; then ok "resets, again and again"; else not_ok "resets, again and again" "$(cat serial)"; fi
    mon quit >/dev/null; wait "$pid"
    is "quit while it resets" $? 0; }
start -append @t && {
    if wait_for 30 many 3; then ok "a triple fault resets"; else not_ok "a triple fault resets" "$(cat serial)"; fi
    kill -TERM "$pid"; wait "$pid"; }

# A busy guest (its CPU never leaves by itself) ends on signals, stops, and resets.
for sig in TERM INT HUP; do
    start -smp 2 -append @l || continue
    wait_for 30 grep -q "ALL IS WELL" serial
    pkill -$sig -P "$pid"           # $pid is timeout(1)
    wait "$pid"
    is "SIG$sig ends a busy guest with status 0" $? 0
done
start -append @l && {
    wait_for 30 many 1
    mon stop >/dev/null
    status_is paused && ok "a busy guest stops" || not_ok "a busy guest stops"
    mon cont >/dev/null
    mon system_reset >/dev/null
    if wait_for 30 many 2; then ok "a busy guest is reset"; else not_ok "a busy guest is reset"; fi
    mon quit >/dev/null; wait "$pid"; }
finish
