-- One row per client with a connection that ended in the hour: the rhythm of its connections. What each column is, with
-- unit, formula and source, is declared in __init__.py.
WITH
-- Look-ups of names come in pairs a moment before the connection that they are for, so they are no part of its rhythm.
starts AS (
    SELECT orig_h, uid, ts_us, end_us, orig_rtt, resp_rtt
    FROM conn
    WHERE orig_h IS NOT NULL AND coalesce(resp_p, 0) NOT IN (53, 137, 5353, 5355)
        AND (coalesce(orig_internal, true) OR NOT coalesce(resp_internal, false))
),

-- Gaps between one start and the next, in µs, cut at 2^40 (12.7 days), so that sums of products fit into 128 bits.
gaps AS (
    SELECT orig_h, ts_us, uid, CASE WHEN before_us IS NOT NULL THEN least(ts_us - before_us, 1099511627776) END AS gap
    FROM (SELECT orig_h, ts_us, uid, lag(ts_us) OVER (PARTITION BY orig_h ORDER BY ts_us, uid) AS before_us FROM starts)
),
pairs AS (
    SELECT orig_h, gap, lead(gap) OVER (PARTITION BY orig_h ORDER BY ts_us, uid) AS next_gap
    FROM gaps
),
moments AS (
    SELECT
        orig_h,
        count(gap) AS n,
        CAST(sum(gap) AS HUGEINT) AS gap_sum,
        sum(CAST(gap AS HUGEINT) * gap) AS squares,
        min(gap) AS gap_min,
        max(gap) AS gap_max,
        quantile_cont(gap, [0.10, 0.25, 0.50, 0.75, 0.90]) AS q,
        count(*) FILTER (WHERE gap < 1000000) AS short,
        -- of gaps and the gaps that follow them
        count(next_gap) FILTER (WHERE gap IS NOT NULL) AS pn,
        CAST(sum(gap) FILTER (WHERE next_gap IS NOT NULL) AS HUGEINT) AS px,
        CAST(sum(next_gap) FILTER (WHERE gap IS NOT NULL) AS HUGEINT) AS py,
        sum(CAST(gap AS HUGEINT) * gap) FILTER (WHERE next_gap IS NOT NULL) AS pxx,
        sum(CAST(next_gap AS HUGEINT) * next_gap) FILTER (WHERE gap IS NOT NULL) AS pyy,
        sum(CAST(gap AS HUGEINT) * next_gap) AS pxy
    FROM pairs
    GROUP BY orig_h
    HAVING count(gap) > 0
),
spread AS (
    SELECT g.orig_h, quantile_cont(abs(g.gap - m.q[3]), 0.50) AS mad
    FROM gaps AS g
    INNER JOIN moments AS m ON g.orig_h = m.orig_h
    WHERE g.gap IS NOT NULL
    GROUP BY g.orig_h
),
-- Gaps by octave; terms of the entropy are rounded to millionths, so that their sum does not depend on an order.
octaves AS (
    SELECT orig_h, CAST(floor(log2(gap + 1)) AS BIGINT) AS octave, count(*) AS c
    FROM gaps
    WHERE gap IS NOT NULL
    GROUP BY orig_h, CAST(floor(log2(gap + 1)) AS BIGINT)
),
octave_spread AS (
    SELECT orig_h, log2(sum(c)) - sum(CAST(round(1000000 * c * log2(c)) AS BIGINT)) / (1000000 * sum(c)) AS bits
    FROM octaves
    GROUP BY orig_h
),

-- Starts per minute of the hour, x: 60 numbers per host, of which only those above 0 are rows.
counted AS (
    SELECT orig_h, (ts_us - $hour_start) // 60000000 AS minute, count(*) AS x
    FROM starts
    WHERE ts_us >= $hour_start
    GROUP BY orig_h, (ts_us - $hour_start) // 60000000
),
totals AS (
    SELECT orig_h, CAST(sum(x) AS HUGEINT) AS n, count(*) AS active, sum(CAST(x AS HUGEINT) * x) AS squares
    FROM counted
    GROUP BY orig_h
),
-- Fewer than 6 starts have no period, nor do minutes that are all alike.
varied AS (
    SELECT c.orig_h, c.minute, c.x
    FROM counted AS c
    INNER JOIN totals AS t ON c.orig_h = t.orig_h
    WHERE t.n >= 6 AND 60 * t.squares > t.n * t.n
),
-- For k from 1 to 30: sine and cosine of k cycles an hour in rounded millionths, so that sums are of whole numbers and
-- depend on no order; and how often a minute is missing from the pairs of minutes that lie k apart.
waves AS (
    SELECT
        m.minute,
        f.k,
        CAST(round(1000000 * cos(pi() * ((m.minute * f.k) % 60) / 30)) AS BIGINT) AS re,
        CAST(round(1000000 * sin(pi() * ((m.minute * f.k) % 60) / 30)) AS BIGINT) AS im,
        if(m.minute < f.k, 1, 0) + if(m.minute >= 60 - f.k, 1, 0) AS missing
    FROM (SELECT unnest(range(60)) AS minute) AS m
    CROSS JOIN (SELECT unnest(range(1, 31)) AS k) AS f
),
turned AS (
    SELECT v.orig_h, w.k, sum(v.x * w.re) AS re, sum(v.x * w.im) AS im, sum(v.x * w.missing) AS missing
    FROM varied AS v
    INNER JOIN waves AS w ON v.minute = w.minute
    GROUP BY v.orig_h, w.k
),
apart AS (
    SELECT a.orig_h, b.minute - a.minute AS k, sum(CAST(a.x AS HUGEINT) * b.x) AS products
    FROM varied AS a
    INNER JOIN varied AS b ON a.orig_h = b.orig_h AND b.minute BETWEEN a.minute + 1 AND a.minute + 30
    GROUP BY a.orig_h, b.minute - a.minute
),
periods AS (
    SELECT
        t.orig_h,
        t.k,
        -- power of the discrete Fourier transform, in thousandths, whole; of y = x - n / 60 as of x
        CAST(round(
            1000 * (power(CAST(t.re AS DOUBLE) / 1000000, 2) + power(CAST(t.im AS DOUBLE) / 1000000, 2))
        ) AS HUGEINT) AS strength,
        -- 3600 Σ y[m] y[m + k], whole
        3600 * coalesce(a.products, 0) - 60 * n.n * (2 * n.n - t.missing) + (60 - t.k) * n.n * n.n AS covariance
    FROM turned AS t
    INNER JOIN totals AS n ON t.orig_h = n.orig_h
    LEFT JOIN apart AS a ON t.orig_h = a.orig_h AND t.k = a.k
),
peaks AS (
    SELECT
        orig_h,
        sum(strength) AS total,
        max(strength) AS peak,
        max(CASE WHEN k = 1 THEN covariance END) AS covariance_1,
        max(CASE WHEN k >= 2 THEN covariance END) AS covariance_best
    FROM periods
    GROUP BY orig_h
    HAVING sum(strength) > 0
),
periodic AS (
    SELECT
        p.orig_h,
        min(CASE WHEN p.strength = g.peak THEN p.k END) AS cycles,
        min(CASE WHEN p.k >= 2 AND p.covariance = g.covariance_best THEN p.k END) AS lag_min,
        -- terms of the entropy, rounded to millionths
        sum(CASE WHEN p.strength > 0
            THEN CAST(round(-1000000 * (p.strength / g.total) * log2(p.strength / g.total)) AS BIGINT) ELSE 0 END)
            AS terms
    FROM periods AS p
    INNER JOIN peaks AS g ON p.orig_h = g.orig_h
    GROUP BY p.orig_h
),

hosts AS (
    SELECT
        orig_h,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid,
        -- between client and server by the handshake
        quantile_cont(CASE WHEN orig_rtt >= 0 AND resp_rtt >= 0 THEN
            CAST(round(1000000 * least(orig_rtt, 86400)) AS BIGINT)
            + CAST(round(1000000 * least(resp_rtt, 86400)) AS BIGINT) END, 0.50) AS rtt
    FROM starts
    GROUP BY orig_h
),

-- Gaps between a connection's first packets, where the sensor describes them.
packet_gaps AS (
    SELECT orig_h, CAST(round(1000000 * least(gap, 86400)) AS BIGINT) AS gap
    FROM (SELECT orig_h, unnest(gaps) AS gap FROM aegis_packets)
    WHERE orig_h IS NOT NULL AND gap >= 0
),
packets AS (
    SELECT
        orig_h,
        count(*) AS n,
        CAST(sum(gap) AS HUGEINT) AS gap_sum,
        sum(CAST(gap AS HUGEINT) * gap) AS squares,
        quantile_cont(gap, [0.50, 0.90]) AS q,
        max(gap) AS gap_max
    FROM packet_gaps
    GROUP BY orig_h
),

-- Variances as n Σx² - (Σx)², of whole numbers, which is exact: a difference of means would lose the digits that count.
scaled AS (
    SELECT
        orig_h, n, gap_min, gap_max, q, short, pn,
        gap_sum / n AS mean,
        sqrt(n * squares - gap_sum * gap_sum) / n AS std,
        pn * pxy - px * py AS covariance,
        pn * pxx - px * px AS variance,
        pn * pyy - py * py AS next_variance
    FROM moments
),
packets_scaled AS (
    SELECT orig_h, q, gap_max, gap_sum / n AS mean, sqrt(n * squares - gap_sum * gap_sum) / n AS std
    FROM packets
)

SELECT
    h.orig_h,
    h.first_us,
    h.last_us,
    h.uid,
    s.mean / 1000000 AS gap_mean,
    s.std / 1000000 AS gap_std,
    s.gap_min / 1000000 AS gap_min,
    s.q[1] / 1000000 AS gap_p10,
    s.q[2] / 1000000 AS gap_p25,
    s.q[3] / 1000000 AS gap_median,
    s.q[4] / 1000000 AS gap_p75,
    s.q[5] / 1000000 AS gap_p90,
    s.gap_max / 1000000 AS gap_max,
    s.std / nullif(s.mean, 0) AS gap_cv,
    (s.q[2] + s.q[4] - 2 * s.q[3]) / nullif(s.q[4] - s.q[2], 0) AS gap_skew,
    CASE WHEN s.n >= 2 THEN (s.std - s.mean) / nullif(s.std + s.mean, 0) END AS burstiness,
    CASE WHEN s.pn >= 2 AND s.variance > 0 AND s.next_variance > 0
        THEN greatest(-1, least(1, s.covariance / sqrt(s.variance) / sqrt(s.next_variance))) END AS gap_memory,
    CASE WHEN s.n >= 2 AND s.q[3] > 0 THEN greatest(0, 1 - d.mad / s.q[3]) END AS gap_regularity,
    s.short / s.n AS gap_short_share,
    if(o.bits < 0, 0, o.bits) AS gap_entropy,
    t.active AS active_minutes,
    CASE WHEN t.n > 0 THEN (60 * t.squares - t.n * t.n) / (60 * t.n) END AS minute_fano,
    g.covariance_1 / (3600 * t.squares - 60 * t.n * t.n) AS autocorrelation_1min,
    g.covariance_best / (3600 * t.squares - 60 * t.n * t.n) AS autocorrelation_best,
    r.lag_min AS autocorrelation_lag,
    g.peak / g.total AS spectral_peak,
    60 / r.cycles AS spectral_period,
    CASE WHEN r.terms IS NOT NULL THEN least(1, r.terms / 1000000 / log2(30)) END AS spectral_entropy,
    h.rtt / 1000000 AS handshake_rtt_median,
    p.mean / 1000000 AS packet_gap_mean,
    p.std / 1000000 AS packet_gap_std,
    p.q[1] / 1000000 AS packet_gap_median,
    p.q[2] / 1000000 AS packet_gap_p90,
    p.gap_max / 1000000 AS packet_gap_max,
    p.std / nullif(p.mean, 0) AS packet_gap_cv,
    (p.std - p.mean) / nullif(p.std + p.mean, 0) AS packet_burstiness
FROM hosts AS h
LEFT JOIN scaled AS s ON h.orig_h = s.orig_h
LEFT JOIN spread AS d ON h.orig_h = d.orig_h
LEFT JOIN octave_spread AS o ON h.orig_h = o.orig_h
LEFT JOIN totals AS t ON h.orig_h = t.orig_h
LEFT JOIN peaks AS g ON h.orig_h = g.orig_h
LEFT JOIN periodic AS r ON h.orig_h = r.orig_h
LEFT JOIN packets_scaled AS p ON h.orig_h = p.orig_h
