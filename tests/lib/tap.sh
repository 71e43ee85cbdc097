# tests/lib/tap.sh - what the shell tests share: TAP output, a place for files, running the VMM with a limit.
# shellcheck shell=bash disable=SC2034
#
#   . "$(dirname "$0")/../lib/tap.sh"
#   check "what it shows" command args...      ok when the command succeeds
#   skip "what" "why"                          an ok line with a reason
#   vm SECONDS args...                         run bantam; its serial output etc. is the caller's; status is in $st
#   finish                                     the plan; exit status
#
# TMP: a directory that goes away; VMM: the binary (default ./bantam, or the sanitizer build).
set -u
SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VMM=${VMM:-$PWD/bantam}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/bantam-test.XXXXXX")
tap_n=0 tap_bad=0 tap_pids=""
tap_end() {
    for p in $tap_pids; do kill "$p" 2>/dev/null; done
    [ -n "${KEEP:-}" ] && echo "# files are in $TMP" || rm -rf "$TMP"
}
trap tap_end EXIT
ok() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1"; }
not_ok() { tap_n=$((tap_n + 1)); tap_bad=1; echo "not ok $tap_n - $1"; [ $# -lt 2 ] || sed 's/^/# /' <<<"$2"; }
check() { local what=$1; shift; local out; if out=$("$@" 2>&1); then ok "$what"; else not_ok "$what" "$* failed: $out"; fi; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', wanted '$3'"; fi; }
has() { if grep -aqF -- "$3" "$2"; then ok "$1"; else not_ok "$1" "'$3' is not in $(tail -c 2000 "$2" | tr -d '\r\033' | tail -n 25)"; fi; }
skip() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1 # SKIP $2"; }
skip_all() { echo "ok 1 - $(basename "$0") # SKIP $1"; echo "1..1"; exit 0; }
finish() { echo "1..$tap_n"; exit $tap_bad; }
need() { local t; for t; do command -v "$t" >/dev/null || skip_all "$t is not installed"; done; }
need_kvm() { [ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "no usable /dev/kvm here"; }
vm() { local limit=$1; shift; timeout -k 5 "$limit" "$VMM" "$@" </dev/null; st=$?; }
# wait_for SECONDS command...: until the command succeeds
wait_for() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done; }
