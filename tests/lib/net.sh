# tests/lib/net.sh - what tests of network cards share; after guest.sh.
# shellcheck shell=bash
#
#   guest_net_cpio OUT [-M modules]  as guest_cpio, with tests/guest/net.l2 and nettool in it; ./nettool is in $W, too
gcc -O2 -static -o "$W/nettool" "$SRC/tests/tools/nettool.c" || skip_all "gcc -static does not work (libc6-dev)"
[ ! -e "$(dirname "$VMM")/bantam-slirp.so" ] || cp "$(dirname "$VMM")/bantam-slirp.so" "$W"
GUEST_MODS+=" virtio_pci= virtio_mmio= virtio_net="
guest_net_cpio() {
    local out=$1
    shift
    guest_cpio "$out" -f "$SRC/tests/guest/net.l2:/net.l2" -f "$W/nettool:/bin/nettool" "$@"
}
