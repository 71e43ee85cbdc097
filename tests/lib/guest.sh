# tests/lib/guest.sh - what the tests that boot Linux share.
# shellcheck shell=bash disable=SC2034
#
# A test makes files in $W, then says where KVM is real (here, or else in the rig, see tests/rig/README.md):
#
#   guest_cpio OUT [rig-mkl2 arguments]   the guest's initramfs, with tests/guest/guest.l2 as its script
#   where_kvm_is_real SECONDS <<'E'       run this bash script with $W as its directory; it may say
#       boot NAME SECONDS args...             run bantam with no display and its serial port in NAME.out;
#                                             its status ends in NAME.st, its complaints in NAME.err
#       boot_bg NAME SECONDS args...          the same, in the background, its monitor at $MON; then: boot_wait
#       mon COMMAND                           tell the monitor; prints the answer
#       said NAME SECONDS TEXT                wait until TEXT is in NAME.out
#   E
# RIG_MODS: modules that the script needs in the rig.
#   booted NAME [STATUS]                  ok when NAME ended with this status (0)
#
# Kernels: $K64, $Z64 (vmlinux and bzImage), $Z32; $APPEND is what every guest is told.
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"
RIG=$SRC/tests/rig
RIG_HOME=${RIG_HOME:-$HOME/.cache/bantam-rig}
K64=$RIG_HOME/k/amd64/vmlinux Z64=$RIG_HOME/k/amd64/vmlinuz Z32=$RIG_HOME/k/i386/vmlinuz
# What is printed costs time in the rig: only what the kernel warns of, and what the script says.
APPEND="console=ttyS0 quiet nokaslr mitigations=off panic=-1"
W=$TMP/w
mkdir -p "$W"
[ -x "$VMM" ] || skip_all "no $VMM: run make first"
cp "$VMM" "$W/bantam"

kvm_is_real() { [ -z "${GUEST_RIG:-}" ] && grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; }

# need_kernels [--i386]: the kernels, and the rig where it is needed
need_kernels() {
    local want=$Z64
    [ "${1:-}" != --i386 ] || want=$Z32
    [ -e "$RIG_HOME/img/l1.cpio" ] && [ -e "$want" ] || "$RIG/rig-prepare" "$@" >"$TMP/prepare.log" 2>&1 ||
        skip_all "the rig is not there: $(tail -n 1 "$TMP/prepare.log")"
    kvm_is_real || command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 (for the rig) is not installed"
}

# Modules every guest has at hand; the script loads what its tests use.
GUEST_MODS="ata_piix= sd_mod= sr_mod= isofs= crc32c_generic= ext4= floppy= evdev= button= psmouse= bochs= vfat= nls_cp437= nls_ascii="
guest_cpio() {
    local out=$1
    shift
    "$RIG/rig-mkl2" -M "$GUEST_MODS" -x "$SRC/tests/guest/guest.l2" "$@" "$out"
}

where_kvm_is_real() {
    local limit=$1 st=0
    cat "$SRC/tests/lib/guest-boot.sh" - >"$W/script"
    if kvm_is_real; then
        (cd "$W" && timeout -k 5 "$limit" bash ./script) || st=$?
    else
        # The emulator under the rig stands still or crashes now and then on a busy host: level 1's own timeout(1)s
        # don't fire then.  That says nothing about bantam, whose hangs end by those: once more.
        for _ in 1 2; do
            st=0
            "$RIG/rig-run" -t "$limit" ${RIG_MODS:+-M "$RIG_MODS"} -m "${RIG_MEM:-2048}" -c "${RIG_CPUS:-1}" "$W" "bash ./script" || st=$?
            case $st in 124 | 125) echo "# the rig itself failed with $st" ;; *) break ;; esac
        done
    fi
    [ $st = 0 ] || not_ok "the script ran to its end" "status $st"
}

status_of() { cat "$W/$1.st" 2>/dev/null || echo none; }
booted() {
    if [ "$(status_of "$1")" = "${2:-0}" ]; then ok "$1: exit status ${2:-0}"; else
        not_ok "$1: exit status ${2:-0}" "got $(status_of "$1"); $(tail -n 5 "$W/$1.err" 2>/dev/null); serial ended with:
$(tail -n 25 "$W/$1.out" 2>/dev/null | tr -d '\r\033')"; fi
}
said_ok() { has "$1: says '$2'" "$W/$1.out" "$2"; }
# each T-OK and T-FAIL line of the guest's script is a test
results() {
    local line any=""
    while read -r line; do
        any=1
        case $line in
            T-OK*) ok "$1: ${line#T-OK }" ;;
            T-FAIL*) not_ok "$1: ${line#T-FAIL }" "$(tail -n 30 "$W/$1.out" | tr -d '\r\033')" ;;
        esac
    done < <(tr -d '\r\033' <"$W/$1.out" | grep -aE '^T-(OK|FAIL) ')
    [ -n "$any" ] || not_ok "$1: the guest's script reported" "$(tail -n 30 "$W/$1.out" | tr -d '\r\033')"
}
