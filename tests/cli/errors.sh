#!/bin/bash
# tests/cli/errors.sh - the user's mistakes: exit status 1, one line on stderr that says what, nothing left behind.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
need_kvm

# refused WORDS args...: the message has these words
refused() {
    local words=$1 lines; shift
    vm 60 "$@" >"$TMP/out" 2>"$TMP/err"
    lines=$(wc -l <"$TMP/err")
    if [ "$st" = 1 ] && [ "$lines" = 1 ] && [ ! -s "$TMP/out" ] && grep -qF -- "$words" "$TMP/err" && grep -q '^bantam: ' "$TMP/err"; then
        ok "refused: ${*//$TMP/TMP}"
    else
        not_ok "refused: ${*//$TMP/TMP}" "status $st, $lines lines, wanted '$words': $(head -c 500 "$TMP/err" "$TMP/out")"
    fi
}

cd "$TMP" || exit 1
truncate -s 1M disk.img
: >empty.img
truncate -s 1000 odd.img
mkdir dir
printf 'not a kernel' >text
truncate -s 64M big

# syntax
refused "there is no option '-foo'" -foo
refused "did you mean '-nographic'" -nographik
refused "an argument is missing" -m
refused "is too little" -m 0
refused "is too much" -m 99T
refused "out of range: 1 to 255" -smp 0
refused "out of range: 1 to 255" -smp 256
refused "must be maxcpus" -smp 8,sockets=3
refused "use 'pc'" -M q35
refused "guests run on KVM" -accel tcg
refused "no network backend 'usr'" -nic usr
refused "did you mean 'cache'" -drive file=disk.img,cahe=none
refused "there is no device" -device foo
refused "has no property 'bar'" -device isa-debug-exit,bar=1
refused "no chardev with id 'x'" -serial chardev:x
refused "stdio is already used" -serial stdio -monitor stdio
refused "-initrd is for -kernel" -initrd text
refused "can't both be given" -nographic -daemonize
refused "already taken" -hda disk.img -hda disk.img
refused "is no boot device" -boot q

# what is or is not there
refused "No such file" -display none nowhere.img
refused "is empty" -display none empty.img
refused "is a directory" -display none dir
refused "No such file" -display none -kernel nowhere
refused "is no kernel" -display none -kernel text
refused "cannot find 'nowhere'" -display none -bios nowhere
refused "there is no CPU model" -display none -cpu nosuch
refused "there is no feature" -display none -cpu host,+nosuch
refused "there is no bus 'x.0'" -display none -drive if=none,id=d,file=disk.img -device ide-hd,drive=d,bus=x.0
refused "cannot open" -display none -mem-path nowhere/x
refused "cannot write 'nowhere/pid'" -display none -pidfile nowhere/pid
refused "there is no user" -display none -runas nosuchuser
refused "cannot write 'nowhere/log'" -display none -D nowhere/log
refused "cannot open 'nowhere/serial'" -display none -serial file:nowhere/serial
refused "cannot listen" -display none -serial unix:nowhere/s,server=on,wait=off
refused "cannot connect" -display none -serial unix:nowhere
refused "already used by" -display none -device isa-debug-exit,iobase=0x3f8,iosize=4

# two writers on one image
mkfifo go
(sleep 60 >go & echo $! >sleeper; wait) &
tap_pids="$tap_pids $!"
timeout 60 "$VMM" -S -display none -monitor unix:mon,server,nowait disk.img </dev/null &
first=$!
tap_pids="$tap_pids $first"
if wait_for 20 test -S mon; then
    refused "disk.img" -display none disk.img
    echo quit | socat - UNIX-CONNECT:mon >/dev/null 2>&1
    wait $first
    is "the first one ends by its monitor" $? 0
else
    not_ok "the first machine starts"
fi
kill "$(cat sleeper)" 2>/dev/null

# helps: status 0, on stdout
for h in -help -version "-device help" "-device VGA,help" "-machine help" "-cpu help" "-drive help" "-trace help"; do
    # shellcheck disable=SC2086
    vm 60 $h >"$TMP/out" 2>"$TMP/err"
    if [ "$st" = 0 ] && [ -s out ] && [ ! -s err ]; then ok "$h"; else not_ok "$h" "status $st: $(head -c 300 err)"; fi
done
"$VMM" -help >/dev/full 2>/dev/null
is "-help to a full disk" $? 1
finish
