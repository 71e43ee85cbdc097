#!/bin/bash
# tests/guest/balloon.sh - Linux's virtio_balloon: the process gets smaller by what is inflated, and free pages go back by themselves.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
need_kernels
GUEST_MODS="$GUEST_MODS virtio_pci= virtio_balloon="
guest_cpio "$W/g.cpio" || skip_all "no initramfs"
cp "$K64" "$W/vmlinux"
qmp=$(dirname "$VMM")/bantam-qmp.so
[ -e "$qmp" ] || skip_all "this bantam has no QMP"
cp "$qmp" "$W/"
cat >"$W/qmp.py" <<'P'
# qmp.py SOCKET COMMAND [ARGUMENTS]...: the last answer's "return"
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rw")
f.readline()
for c in [["qmp_capabilities"]] + [a.split(" ", 1) for a in sys.argv[2:]]:
    f.write(json.dumps({"execute": c[0], "arguments": json.loads(c[1]) if len(c) > 1 else {}}) + "\n"); f.flush()
    a = {"event": 1}
    while "event" in a:
        a = json.loads(f.readline())
print(json.dumps(a.get("return", a)))
P
echo "A='$APPEND'" >"$W/vars"
where_kvm_is_real 200 <<'S'
. ./vars
rss() { awk '/^Rss/ { print int($2 / 1024) }' "/proc/$(pgrep -P "$bg_pid")/smaps_rollup"; }
actual() { mon "info balloon" | tr -dc '0-9\n' | grep . | head -n 1; }
until_actual() { local n=0; until [ "$(actual)" = "$1" ] || [ $n -gt 100 ] || ! kill -0 "$bg_pid"; do sleep 0.3; n=$((n+1)); done; }
Q='qom-get {"path":"/machine/peripheral/b0","property":"guest-stats"}'
boot_bg balloon 100 -m 512 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$A t=balloon:390:250" \
    -device virtio-balloon-pci,id=b0 -qmp "unix:$D/qmp,server=on,wait=off"
said balloon 60 BALLOON-READY
python3 qmp.py "$D/qmp" 'qom-set {"path":"/machine/peripheral/b0","property":"guest-stats-polling-interval","value":1}' >qmp.set
echo "full $(rss)" >rss
mon "balloon 212" >/dev/null; until_actual 212
echo "less $(rss) actual $(actual)" >>rss
said balloon 30 BALLOON-LESS
sleep 1.5
python3 qmp.py "$D/qmp" "$Q" >qmp.stats
mon "balloon 512" >/dev/null; until_actual 512
echo "asked $(rss) actual $(actual)" >>rss
said balloon 30 BALLOON-FULL
echo "again $(rss)" >>rss
boot_wait
boot_bg reporting 80 -m 512 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$A t=reporting:390" \
    -device virtio-balloon-pci,free-page-reporting=on,packed=on
said reporting 40 BALLOON-FULL; echo "filled $(rss)" >>rss
said reporting 20 BALLOON-FREE; sleep 10; echo "freed $(rss)" >>rss
boot_wait
boot_bg oom 80 -m 512 -vga none -no-reboot -kernel vmlinux -initrd g.cpio -append "$A t=oom:200:60" \
    -device virtio-balloon-pci,deflate-on-oom=on,disable-modern=on
said oom 40 BALLOON-READY
mon "balloon 128" >/dev/null
boot_wait
S
cat "$W/rss" 2>/dev/null | sed 's/^/# MiB: /'
booted balloon
results balloon
mib() { awk -v k="$1" '$1 == k { print $2 }' "$W/rss"; }
gone=$(($(mib full) - $(mib less)))
[ "$gone" -ge 285 ] && [ "$gone" -le 315 ] && ok "300 MiB inflated, the process is $gone smaller" ||
    not_ok "the process is 300 MiB smaller, within 5 %" "$(cat "$W/rss")"
[ "$(mib again)" -gt $(($(mib full) - 20)) ] && ok "what is used again comes again" || not_ok "memory comes back" "$(cat "$W/rss")"
is "statistics: the guest has what is left of 212 MiB" "$(python3 -c '
import json, sys
s = json.load(open(sys.argv[1])); t = s["stats"]["stat-total-memory"] >> 20
print(120 < t < 212 and s["last-update"] > 0 and 0 < s["stats"]["stat-free-memory"] >> 20 < t)' "$W/qmp.stats" 2>&1)" True
booted reporting
results reporting
[ "$(mib filled)" -gt 390 ] && [ "$(mib freed)" -lt $(($(mib filled) - 340)) ] &&
    ok "freed memory goes back by itself: $(mib filled) MiB, $(mib freed) MiB" || not_ok "free page reporting" "$(cat "$W/rss")"
booted oom
results oom
finish
