#!/bin/bash
# bench/qcow2.sh [ROUNDS] - how fast a qcow2 image grows, beside `qemu-img bench`; after make.  A line for each workload:
# the median of the rounds' ratios (Bantam's time by QEMU's: smaller is better), and the least and the most.
set -u
src=$(cd "$(dirname "$0")/.." && pwd) rounds=${1:-7}
[ -e build/libbantam.a ] || { echo "bench/qcow2.sh: run make first, and this where you did" >&2; exit 1; }
t=$(mktemp -d "${TMPDIR:-/var/tmp}/bantam-bench-XXXXXX") || exit 1
trap 'rm -rf "$t"' EXIT
cat >"$t/mk" <<'M'
include config.mk
$(OUT): $(SRC)/bench/qcow2.c build/libbantam.a
	$(CC) -O2 -g -std=gnu11 -D_GNU_SOURCE -I$(SRC) -Ibuild $(CFG_CFLAGS) $^ -rdynamic $(CFG_LIBS) -lm -lpthread -o $@
M
make -s -f "$t/mk" OUT="$t/qcow2" SRC="$src" || exit 1
fresh() { sync; rm -f "$t/i.qcow2"; qemu-img create -q -f qcow2 "$t/i.qcow2" 4G; }
# workload NAME OPTIONS COUNT DEPTH SIZE FLUSH_EVERY QEMU'S OPTIONS
workload() {
    local name=$1 opts=$2 count=$3 depth=$4 size=$5 every=$6 i a b; shift 6
    for ((i = 0; i < rounds; i++)); do
        fresh; a=$("$t/qcow2" "$t/i.qcow2" "$opts" "$count" "$depth" "$size" "$every" | cut -d' ' -f1)
        fresh; b=$(qemu-img bench --pattern=165 -f qcow2 -w "$@" -c "$count" -d "$depth" -s "$size" "$t/i.qcow2" |
            sed -n 's/.*in \([0-9.]*\) sec.*/\1/p')
        echo "$a $b"
    done | awk '{ printf "%.3f\n", $1 / $2 }' | sort -n |
        awk -v n="$name" '{ v[NR] = $1 } END { printf "%-36s %s  %s-%s  %d rounds\n", n, v[int((NR + 1) / 2)], v[1], v[NR], NR }'
}
workload "64 KiB, depth 1, page cache" cache=writeback 8000 1 65536 0 -t writeback
workload "64 KiB, depth 16, page cache" cache=writeback 8000 16 65536 0 -t writeback
workload "4 KiB, depth 1, page cache" cache=writeback 20000 1 4096 0 -t writeback
workload "4 KiB, depth 32, page cache" cache=writeback 20000 32 4096 0 -t writeback
workload "1 MiB, depth 4, direct" cache=none,aio=native 500 4 1048576 0 -t none -n
workload "64 KiB, depth 16, direct" cache=none,aio=native 4000 16 65536 0 -t none -n
workload "4 KiB, depth 32, direct" cache=none,aio=native 10000 32 4096 0 -t none -n
workload "64 KiB, depth 16, a flush for 64" cache=writeback 2000 16 65536 64 -t writeback --flush-interval=64 --no-drain
