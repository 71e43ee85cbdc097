# rig-lib.sh - functions shared by the rig-* scripts (source it, do not run it).
# shellcheck shell=bash disable=SC2034
#
# Where things live (RIG_HOME can be set in the environment):
#   (default: ~/.cache/bantam-rig, shared by all checkouts)
#   $RIG_HOME/debs     downloaded .deb files
#   $RIG_HOME/apt      private apt state (so that i386 needs no dpkg --add-architecture)
#   $RIG_HOME/k/NAME   an unpacked kernel: config, vmlinuz, vmlinux, modules/
#   $RIG_HOME/img      what rig-run boots: vmlinux, initrd.cpio

RIG_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
RIG_HOME=${RIG_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/bantam-rig}

rig_die() { echo "${0##*/}: $*" >&2; exit 125; }
rig_say() { echo "${0##*/}: $*" >&2; }

# rig_need TOOL...: stop unless every tool is there.
rig_need() {
    local t
    for t; do
        command -v "$t" >/dev/null || rig_die "needs '$t' (see 'rig-prepare --deps')"
    done
}

# rig_modinfo FIELD FILE.ko: a field of a module's .modinfo (kmod not needed).
# Debian 12 modules are not compressed (CONFIG_MODULE_COMPRESS_NONE).
rig_modinfo() {
    tr '\0' '\n' <"$2" | LC_ALL=C grep -a "^$1=" | head -n 1 | cut -d= -f2-
}

# rig_modpaths MODDIR NAME...: the .ko files of the modules and of everything
# they depend on, one a line, in an order in which insmod works.  '-' and '_'
# are the same in a name.  A module built into the kernel, or absent, is an error
# unless its name ends in '?'.
rig_modpaths() {
    local dir=$1 idx n f d opt; shift
    declare -A _seen=()
    # index: normalised name -> path
    declare -A idx=()
    while IFS= read -r f; do
        n=${f##*/}; n=${n%.ko}; idx[${n//-/_}]=$f
    done < <(find "$dir" -name '*.ko')
    _rig_visit() {
        local m=${1//-/_} o=$2 p d
        [ -n "${_seen[$m]:-}" ] && return 0
        _seen[$m]=1
        p=${idx[$m]:-}
        if [ -z "$p" ]; then
            [ "$o" = opt ] && return 0
            echo "module '$m' not found in $dir" >&2; return 1
        fi
        d=$(rig_modinfo depends "$p")
        for d in ${d//,/ }; do _rig_visit "$d" must || return 1; done
        # soft dependencies ("softdep=pre: x") are ignored on purpose
        echo "$p"
    }
    for n; do
        opt=must; [ "${n%\?}" != "$n" ] && opt=opt
        _rig_visit "${n%\?}" $opt || return 1
    done
}

# rig_vmlinux BZIMAGE OUT: the uncompressed ELF kernel inside a bzImage.
# Uses the boot protocol's payload_offset/payload_length (protocol >= 2.08).
rig_vmlinux() {
    local img=$1 out=$2 setup off len magic
    _u() { od -An -v -tu"$2" -j"$1" -N"$2" "$img" | tr -d ' '; }
    setup=$(_u 497 1); [ "$setup" = 0 ] && setup=4
    off=$(( (setup + 1) * 512 + $(_u 584 4) )); len=$(_u 588 4)
    magic=$(od -An -v -tx1 -j$off -N4 "$img" | tr -d ' ')
    _cut() { tail -c +$((off + 1)) "$img" | head -c "$len"; }
    case $magic in          # the last 4 bytes are the unpacked size: trailing garbage
    fd377a58) _cut | xz -dc --single-stream >"$out" 2>/dev/null || true ;;
    1f8b*)    _cut | gzip -dc >"$out" 2>/dev/null || true ;;
    28b52ffd) _cut | head -c -4 | zstd -dcq >"$out" ;;
    *) rig_die "$img: payload compressed in an unknown way (magic $magic)" ;;
    esac
    [ "$(head -c 4 "$out" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] ||
        rig_die "$img: could not extract an ELF kernel"
}

# rig_cpio DIR OUT: an uncompressed newc archive (unpacking it is the fastest
# under emulation: no decompressor to run).
rig_cpio() {
    ( cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
        cpio --null -o -H newc --owner 0:0 --quiet ) >"$2"
}
