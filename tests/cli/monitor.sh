#!/bin/bash
# tests/cli/monitor.sh - the monitor of a real machine, on stdio, a socket, a pty and beside the serial port.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
need_kvm
need socat
cd "$TMP" || exit 1
truncate -s 1M disk.img cd.iso
quick="-nodefaults -display none -S"

# ask SOCKET COMMANDS...: the answers, without the echo's escapes
ask() {
    local sock=$1; shift
    printf '%s\n' "$@" | socat -t 5 - "UNIX-CONNECT:$sock" | tr -d '\r' >answer
}

# shellcheck disable=SC2086
printf 'info status\ninfo name\nquit\n' | timeout 60 "$VMM" $quick -name vm1 -monitor stdio >out 2>err
is "on stdin: quit ends with 0" $? 0
has "on stdin: status" out "VM status: paused (prelaunch)"
has "on stdin: name" out "vm1"

# A port on a pty, where there are any
port=pty
[ -c /dev/ptmx ] && [ -d /dev/pts ] || port=null
# shellcheck disable=SC2086
timeout 120 "$VMM" $quick -vga std -smp 2 -monitor unix:mon,server,nowait -hda disk.img -cdrom cd.iso -serial $port </dev/null >out 2>err &
pid=$!
tap_pids="$tap_pids $pid"
if wait_for 20 test -S mon; then
    ok "a socket"
    ask mon "info pci" "info block" "info mtree" "info irq" "info registers" "info qtree" "info cpus" "info chardev"
    has "info pci: the IDE controller" answer "PCI device 8086:7010"
    has "info pci: the display" answer "PCI device 1234:1111"
    has "info block" answer "ide0-hd0: disk.img (raw)"
    has "info mtree" answer "(prio 3, ram): ram"
    has "info irq" answer "ioapic"
    has "info registers" answer "CPU 1: "
    has "info qtree" answer "dev: VGA"
    has "info cpus" answer "  CPU #1: thread_id="
    has "info chardev" answer "serial0: filename=$([ $port = null ] && echo null || echo pty:/dev/pts/)"
    ask mon "xp/2xw 0xfffffff0" "i/w 0x3f8" "x/4xw 0xffffffe8" "memsave 0xfffff000 4096 rom.v" "memsave 0x400 4096 low.v" "pmemsave 0x400 4096 low.p"
    has "the reset vector" answer "00000000fffffff0: 0x00e05bea"
    has "by its virtual address, too" answer "00000000ffffffe8: "
    has "the ROM is no memory to save" answer "is not in the guest's memory"
    check "memory is the same by virtual addresses, without paging" cmp low.v low.p
    ask mon "eject ide1-cd0" "info block" "change ide1-cd0 cd.iso" "eject ide0-hd0"
    has "eject" answer "ide1-cd0: [not inserted]"
    has "a disk can't be ejected" answer "Error: drive 'ide0-hd0' is not removable"
    ask mon "screendump shot.ppm" "screendump shot.png" "info status"
    is "screendump: ppm" "$(head -c 2 shot.ppm 2>/dev/null)" P6
    ask mon "cont" "info status" "stop" "info status" "system_reset" "cont" "info status"
    is "runs, stops, runs" "$(grep '^VM status' answer | tr '\n' ';')" "VM status: running;VM status: paused;VM status: running;"
    if [ $port = null ]; then skip "the pty is announced" "there is no /dev/pts"; else
        has "the pty is announced" out "char device redirected to /dev/pts/"
    fi
    ask mon "quit"
    wait $pid
    is "quit" $? 0
    is "its socket is gone" "$(ls mon 2>/dev/null)" ""
    is "nothing on stderr" "$(cat err)" ""
else
    not_ok "a socket" "$(cat err)"
fi

# Ctrl-a on a terminal: serial port first, then the monitor, then the end; and the terminal as it was
if command -v script >/dev/null; then
    cat >inner.sh <<'I'
before=$(stty -g)
"$VMM" -nographic -nodefaults -serial mon:stdio -S
echo "status $?"
[ "$(stty -g)" = "$before" ] && echo "terminal as before"
I
    export VMM
    { sleep 3; printf '\001c'; sleep 1; printf 'info status\r'; sleep 1; printf '\001h\001x'; sleep 2; } |
        timeout 60 script -qec "sh inner.sh" /dev/null >tty.log 2>&1
    has "Ctrl-a c: the monitor" tty.log "VM status: paused (prelaunch)"
    has "Ctrl-a h: help" tty.log "switch between monitor and serial port"
    has "Ctrl-a x: the end" tty.log "status 0"
    has "the terminal is as before" tty.log "terminal as before"
else
    skip "Ctrl-a" "script is not installed"
fi

# SIGTERM and SIGINT end cleanly
for sig in TERM INT HUP; do
    # shellcheck disable=SC2086
    timeout 60 "$VMM" $quick -pidfile pid -monitor unix:mon,server,nowait </dev/null 2>err &
    t=$!
    if wait_for 20 test -s pid; then
        kill -$sig "$(cat pid)"
        wait $t
        is "SIG$sig" $? 0
        is "SIG$sig: pid file and socket are gone" "$(ls pid mon 2>/dev/null)" ""
    else
        not_ok "SIG$sig" "$(cat err)"
    fi
done
finish
