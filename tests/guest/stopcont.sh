#!/bin/bash
# tests/guest/stopcont.sh - the machine stops for a minute and goes on: no time passes for the guest, and nothing in it
# notices.  The RTC's chip runs on (-rtc clock=host), or stands still too (clock=vm).
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need python3
need_kernels
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
echo "APPEND='$APPEND t=ticks'" >"$W/vars"
where_kvm_is_real 400 <<'S'
. ./vars
for c in "host 60" "vm 10"; do
    set -- $c
    boot_bg $1 250 -m 256 -vga none -rtc clock=$1 -kernel vmlinux -initrd g.cpio -append "$APPEND"
    said $1 90 READY
    sleep 3
    mon stop; sleep 0.5
    mon "info status" >$1.status
    cp $D/$1.out $1.before
    sleep $2
    mon cont
    sleep 5
    mon system_powerdown
    boot_wait
done
S
# field N of the last tick before, and of the first after
gap() { # NAME FIELD
    local n
    n=$(grep -ac '^TICK .* .* [0-9]' "$W/$1.before")
    tr -d '\r' <"$W/$1.out" | grep -a '^TICK' | awk -v n="$n" -v f="$2" 'NR == n { a = $f } NR == n + 1 { printf "%.2f\n", $f - a }'
}
between() { # WHAT VALUE LOW HIGH
    if awk "BEGIN { exit !(\"$2\" != \"\" && $2 >= $3 && $2 < $4) }" 2>/dev/null; then ok "$1: $2 s"; else not_ok "$1" "$2 s is not in $3..$4"; fi
}
for c in host vm; do
    booted $c
    has "$c: info status" "$W/$c.status" "paused"
    between "$c: the monotonic clock over the stop" "$(gap $c 2)" 0 1
    results $c
done
# what starts the monitor commands takes its time in the rig
between "host: the RTC over the stop" "$(gap host 3)" 60 80
between "vm: the RTC over the stop" "$(gap vm 3)" 0 2
finish
