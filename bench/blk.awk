# bench/blk.awk - the lines of bench/blk.sh as bench/run's table: requests or bytes a second, where more is better; CPU time
# for a GiB and exits for a request, where less is.  With rows.awk.
function label(w, p) {
    split(w, p, ":")
    return p[1] " " (p[2] >= 1048576 ? p[2] / 1048576 " MiB" : p[2] / 1024 " KiB") ", " p[3]
}
function table(name, unit, v, what, more, digits,   r, n, a, b, q) {
    for (r = 1; r <= last; r++) {
        if (!(("bantam", r, what) in v) || !(("qemu", r, what) in v) || v["qemu", r, what] <= 0) continue
        n++
        a[n] = v["bantam", r, what]; b[n] = v["qemu", r, what]; q[n] = a[n] / b[n]
    }
    if (n) print row(name, unit, a, b, q, n, more ? ">=1.0" : "<=1.0", more ? median(q, n) >= 1 : median(q, n) <= 1, digits)
    return n
}
NF == 7 {
    split($3, p, ":")
    if (!($3 in seen)) { seen[$3] = ++kinds; kind[kinds] = $3 }
    big[$3] = p[2] >= 65536
    rate[$1, $2, $3] = $4 / $5 * (big[$3] ? p[2] / 1e6 : 1)
    cpu[$1, $2, $3] = $6 / ($4 * p[2] / 1073741824)
    exits[$1, $2, $3] = $7 / $4
    if ($2 > last) last = $2
}
END {
    for (i = 1; i <= kinds; i++) {
        if (!table("blk: " label(kind[i]), big[kind[i]] ? "MB/s" : "IOPS", rate, kind[i], 1)) exit 1
        table("  CPU", "s/GiB", cpu, kind[i], 0)
        table("  exits a request", "", exits, kind[i], 0, 2)
    }
    if (!kinds) exit 1
}
