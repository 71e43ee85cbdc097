# bench/rows.awk - what makes a line of bench/run's table of the rounds' figures: medians of both, and of the ratios.
function median(v, n,   i, j, t) {
    for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function row(name, unit, a, b, q, n, want, ok, digits,   f) {
    f = "%." (digits ? digits : 1) "f %s"
    return sprintf("%-26s %12s %12s %8.3f  %-15s %6s %6s  %s", name, sprintf(f, median(a, n), unit),
        sprintf(f, median(b, n), unit), median(q, n),
        sprintf("%.3f-%.3f", q[int((n + 3) / 4)], q[int((3 * n + 3) / 4)]), want, n, ok ? "ok" : "MISSED")
}
