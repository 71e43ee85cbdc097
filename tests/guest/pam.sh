#!/bin/bash
# tests/guest/pam.sh - on kvm_amd: a CPU executes from memory that comes and goes by PAM 100,000 times (BANTAM_TOGGLES; ten minutes in the rig), with DMA into it.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib/guest.sh"
T=${TEST_MEMORY:-build/tests/kvm/test_memory}
[ -x "$T" ] || skip_all "no $T: run make tests first"
need_kernels
cp "$T" "$W/test_memory"
echo "export BANTAM_TOGGLES=${BANTAM_TOGGLES:-100000}" >"$W/vars"
# With two host CPUs that the emulator runs in parallel, level 1's own kernel ends with a corrupted stack within minutes.
where_kvm_is_real 3500 <<'S'
. ./vars
timeout 3450 ./test_memory --tap -m slow -p /kvm/memory/swap >tap 2>&1; echo $? >st
S
is "exit status" "$(cat "$W/st")" 0
has "${BANTAM_TOGGLES:-100000} toggles: no fault, no lost byte" "$W/tap" "ok 1 /kvm/memory/swap"
finish
