#!/bin/bash
# tests/guest/pam.sh - on kvm_amd: a CPU executes from memory that comes and goes by PAM 100,000 times, with DMA into it.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
T=${TEST_MEMORY:-build/tests/kvm/test_memory}
[ -x "$T" ] || skip_all "no $T: run make tests first"
need_kernels
cp "$T" "$W/test_memory"
where_kvm_is_real 600 <<'S'
timeout 580 ./test_memory --tap -m slow -p /kvm/memory/swap >tap 2>&1; echo $? >st
S
is "exit status" "$(cat "$W/st")" 0
has "100,000 toggles: no fault, no lost byte" "$W/tap" "ok 1 /kvm/memory/swap"
finish
