# bench/net.awk - the lines of bench/net.sh as two lines of bench/run's table: throughput, where more is better, and CPU
# time for as many bytes, where less is.  -v kind=user|tap -v way=out|in
function median(v, n,   i, j, t) {
    for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function row(name, unit, a, b, q, n, want, ok) {
    return sprintf("%-26s %12s %12s %8.3f  %-15s %6s %6s  %s", name, sprintf("%.1f %s", median(a, n), unit),
        sprintf("%.1f %s", median(b, n), unit), median(q, n),
        sprintf("%.3f-%.3f", q[int((n + 3) / 4)], q[int((3 * n + 3) / 4)]), want, n, ok ? "ok" : "MISSED")
}
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
