# bench/net.awk - the lines of bench/net.sh as two lines of bench/run's table: throughput, where more is better, and CPU
# time for as many bytes, where less is.  With rows.awk; -v kind=user|tap -v way=out|in
$1 == kind && $4 == way {
    speed[$2, $3] = $5 / $6 / 1e6
    cpu[$2, $3] = $7 / ($5 / 1073741824)
    if ($3 > last) last = $3
}
END {
    for (r = 1; r <= last; r++) {
        if (!(("bantam", r) in speed) || !(("qemu", r) in speed)) continue
        n++
        a[n] = speed["bantam", r]; b[n] = speed["qemu", r]; q[n] = a[n] / b[n]
        ca[n] = cpu["bantam", r]; cb[n] = cpu["qemu", r]; cq[n] = cb[n] ? ca[n] / cb[n] : 0
    }
    if (!n) exit 1
    print row("net: " kind ", guest " (way == "out" ? "sends" : "receives"), "MB/s", a, b, q, n, ">=1.0", median(q, n) >= 1)
    print row("  CPU", "s/GiB", ca, cb, cq, n, "<=1.0", median(cq, n) <= 1)
}
