-- One row per client, server, port and protocol with four connections or more that ended in the hour. What each column
-- is, with unit, formula and source, is declared in __init__.py.
WITH
-- Numbers are cut at 2^40 (1.1 TB, 12.7 days), so that sums of their squares fit into 128 bits. Variances
-- are n Σx² - (Σx)², of whole numbers, which is exact.
flows AS (
    SELECT
        orig_h, resp_h, resp_p, proto, uid, ts_us, end_us, conn_state,
        CASE WHEN orig_ip_bytes >= 0 THEN least(orig_ip_bytes, 1099511627776) END AS up_bytes,
        CASE WHEN resp_ip_bytes >= 0 THEN least(resp_ip_bytes, 1099511627776) END AS down_bytes,
        CASE WHEN duration >= 0 THEN least(greatest(end_us - ts_us, 0), 1099511627776) END AS duration_us,
        lag(ts_us) OVER (PARTITION BY orig_h, resp_h, resp_p, proto ORDER BY ts_us, uid) AS before_us
    FROM conn
    WHERE orig_h IS NOT NULL AND resp_h IS NOT NULL AND resp_p IS NOT NULL AND proto IS NOT NULL
),
measured AS (
    SELECT
        *,
        up_bytes + down_bytes AS bytes,
        CASE WHEN before_us IS NOT NULL THEN least(ts_us - before_us, 1099511627776) END AS gap
    FROM flows
),
pairs AS (
    SELECT
        orig_h,
        resp_h,
        resp_p,
        proto,
        count(*) AS connections,
        sum(up_bytes) AS sent,
        sum(down_bytes) AS received,
        sum(bytes) / nullif(count(bytes), 0) AS bytes_mean,
        sqrt(count(bytes) * sum(CAST(bytes AS HUGEINT) * bytes) - CAST(sum(bytes) AS HUGEINT) * sum(bytes))
        / nullif(count(bytes), 0) AS bytes_std,
        min(bytes) AS bytes_min,
        max(bytes) AS bytes_max,
        quantile_cont(bytes, [0.25, 0.50, 0.75]) AS bytes_q,
        sum(duration_us) / nullif(count(duration_us), 0) AS duration_mean,
        quantile_cont(duration_us, 0.50) AS duration_median,
        max(duration_us) AS duration_max,
        count(*) FILTER (WHERE conn_state IN ('S0', 'REJ', 'RSTOS0', 'RSTRH', 'SH', 'SHR'))
        / nullif(count(conn_state), 0) AS failed,
        sum(gap) / count(gap) AS gap_mean,
        sqrt(count(gap) * sum(CAST(gap AS HUGEINT) * gap) - CAST(sum(gap) AS HUGEINT) * sum(gap)) / count(gap)
            AS gap_std,
        min(gap) AS gap_min,
        max(gap) AS gap_max,
        quantile_cont(gap, [0.10, 0.25, 0.50, 0.75, 0.90]) AS gap_q,
        count(DISTINCT CASE WHEN ts_us >= $hour_start THEN (ts_us - $hour_start) // 60000000 END) AS active_minutes,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid
    FROM measured
    GROUP BY orig_h, resp_h, resp_p, proto
    HAVING count(*) >= 4
),
spread AS (
    SELECT m.orig_h, m.resp_h, m.resp_p, m.proto, quantile_cont(abs(m.gap - p.gap_q[3]), 0.50) AS mad
    FROM measured AS m
    INNER JOIN pairs AS p
        ON m.orig_h = p.orig_h AND m.resp_h = p.resp_h AND m.resp_p = p.resp_p AND m.proto = p.proto
    WHERE m.gap IS NOT NULL
    GROUP BY m.orig_h, m.resp_h, m.resp_p, m.proto
)

SELECT
    p.orig_h,
    p.resp_h,
    p.resp_p,
    p.proto,
    p.first_us,
    p.last_us,
    p.uid,
    p.connections AS pair_connections,
    CAST(p.sent AS BIGINT) AS pair_sent_bytes,
    CAST(p.received AS BIGINT) AS pair_received_bytes,
    p.sent / nullif(p.sent + p.received, 0) AS pair_upload_share,
    p.bytes_mean AS pair_bytes_mean,
    p.bytes_std AS pair_bytes_std,
    p.bytes_min AS pair_bytes_min,
    p.bytes_q[1] AS pair_bytes_p25,
    p.bytes_q[2] AS pair_bytes_median,
    p.bytes_q[3] AS pair_bytes_p75,
    p.bytes_max AS pair_bytes_max,
    p.bytes_std / nullif(p.bytes_mean, 0) AS pair_bytes_cv,
    (p.bytes_q[1] + p.bytes_q[3] - 2 * p.bytes_q[2]) / nullif(p.bytes_q[3] - p.bytes_q[1], 0) AS pair_bytes_skew,
    p.duration_mean / 1000000 AS pair_duration_mean,
    p.duration_median / 1000000 AS pair_duration_median,
    p.duration_max / 1000000 AS pair_duration_max,
    p.failed AS pair_failed_share,
    p.gap_mean / 1000000 AS pair_gap_mean,
    p.gap_std / 1000000 AS pair_gap_std,
    p.gap_min / 1000000 AS pair_gap_min,
    p.gap_q[1] / 1000000 AS pair_gap_p10,
    p.gap_q[2] / 1000000 AS pair_gap_p25,
    p.gap_q[3] / 1000000 AS pair_gap_median,
    p.gap_q[4] / 1000000 AS pair_gap_p75,
    p.gap_q[5] / 1000000 AS pair_gap_p90,
    p.gap_max / 1000000 AS pair_gap_max,
    p.gap_std / nullif(p.gap_mean, 0) AS pair_gap_cv,
    (p.gap_q[2] + p.gap_q[4] - 2 * p.gap_q[3]) / nullif(p.gap_q[4] - p.gap_q[2], 0) AS pair_gap_skew,
    (p.gap_std - p.gap_mean) / nullif(p.gap_std + p.gap_mean, 0) AS pair_burstiness,
    CASE WHEN p.gap_q[3] > 0 THEN greatest(0, 1 - s.mad / p.gap_q[3]) END AS pair_gap_regularity,
    p.active_minutes AS pair_active_minutes
FROM pairs AS p
INNER JOIN spread AS s
    ON p.orig_h = s.orig_h AND p.resp_h = s.resp_h AND p.resp_p = s.resp_p AND p.proto = s.proto
