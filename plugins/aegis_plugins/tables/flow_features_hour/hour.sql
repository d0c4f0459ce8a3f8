-- One row per connection that ended in the hour. What each column is, with unit, formula and source, is declared in
-- __init__.py.
WITH
-- Numbers are cut at 2^44 (17 TB), so that no sum overflows.
flows AS (
    SELECT
        uid, orig_h, resp_h, resp_p, proto, ts_us, end_us, duration,
        CASE WHEN orig_ip_bytes >= 0 THEN least(orig_ip_bytes, 17592186044416) END AS up_bytes,
        CASE WHEN resp_ip_bytes >= 0 THEN least(resp_ip_bytes, 17592186044416) END AS down_bytes,
        CASE WHEN orig_pkts >= 0 THEN least(orig_pkts, 17592186044416) END AS up_packets,
        CASE WHEN resp_pkts >= 0 THEN least(resp_pkts, 17592186044416) END AS down_packets,
        CASE WHEN orig_entropy BETWEEN 0 AND 8 THEN orig_entropy END AS up_entropy,
        CASE WHEN resp_entropy BETWEEN 0 AND 8 THEN resp_entropy END AS down_entropy
    FROM conn
    WHERE orig_h IS NOT NULL AND uid IS NOT NULL
),

-- The first packets, where the sensor describes them: sizes positive from the client, gaps one fewer.
sizes AS (
    SELECT uid, least(greatest(size, -65575), 65575) AS size
    FROM (SELECT uid, unnest(sizes) AS size FROM aegis_packets)
    WHERE uid IS NOT NULL AND size IS NOT NULL
),
-- Variances as n Σx² - (Σx)², of whole numbers, which is exact.
sized AS (
    SELECT
        uid,
        sum(abs(size)) / count(*) AS mean,
        sqrt(count(*) * CAST(sum(size * size) AS HUGEINT) - CAST(sum(abs(size)) AS HUGEINT) * sum(abs(size)))
        / count(*) AS std,
        min(abs(size)) AS size_min,
        max(abs(size)) AS size_max,
        quantile_cont(abs(size), [0.25, 0.50, 0.75]) AS q,
        sum(size) FILTER (WHERE size > 0) / nullif(sum(abs(size)), 0) AS up_share
    FROM sizes
    GROUP BY uid
),
gaps AS (
    SELECT uid, CAST(round(1000000 * least(gap, 86400)) AS BIGINT) AS gap
    FROM (SELECT uid, unnest(gaps) AS gap FROM aegis_packets)
    WHERE uid IS NOT NULL AND gap >= 0
),
timed AS (
    SELECT
        uid,
        sum(gap) / count(*) AS mean,
        sqrt(count(*) * sum(CAST(gap AS HUGEINT) * gap) - CAST(sum(gap) AS HUGEINT) * sum(gap)) / count(*) AS std,
        min(gap) AS gap_min,
        max(gap) AS gap_max,
        quantile_cont(gap, [0.50, 0.90]) AS q
    FROM gaps
    GROUP BY uid
)

SELECT
    c.uid,
    c.orig_h,
    c.resp_h,
    c.resp_p,
    c.proto,
    c.ts_us AS first_us,
    c.end_us AS last_us,
    c.up_bytes + c.down_bytes AS flow_bytes,
    c.up_packets + c.down_packets AS flow_packets,
    c.up_bytes / nullif(c.up_bytes + c.down_bytes, 0) AS flow_upload_share,
    c.up_bytes / nullif(c.up_packets, 0) AS flow_sent_packet_bytes,
    c.down_bytes / nullif(c.down_packets, 0) AS flow_received_packet_bytes,
    c.up_entropy AS flow_sent_entropy,
    c.down_entropy AS flow_received_entropy,
    CASE WHEN c.duration > 0 THEN c.duration END AS flow_duration,
    CASE WHEN c.duration > 0 THEN (c.up_bytes + c.down_bytes) / c.duration END AS flow_rate,
    s.mean AS flow_packet_size_mean,
    s.std AS flow_packet_size_std,
    s.size_min AS flow_packet_size_min,
    s.q[1] AS flow_packet_size_p25,
    s.q[2] AS flow_packet_size_median,
    s.q[3] AS flow_packet_size_p75,
    s.size_max AS flow_packet_size_max,
    s.std / nullif(s.mean, 0) AS flow_packet_size_cv,
    coalesce(s.up_share, CASE WHEN s.mean > 0 THEN 0 END) AS flow_packet_upload_share,
    t.mean / 1000000 AS flow_packet_gap_mean,
    t.std / 1000000 AS flow_packet_gap_std,
    t.gap_min / 1000000 AS flow_packet_gap_min,
    t.q[1] / 1000000 AS flow_packet_gap_median,
    t.q[2] / 1000000 AS flow_packet_gap_p90,
    t.gap_max / 1000000 AS flow_packet_gap_max,
    t.std / nullif(t.mean, 0) AS flow_packet_gap_cv,
    (t.std - t.mean) / nullif(t.std + t.mean, 0) AS flow_packet_burstiness
FROM flows AS c
LEFT JOIN sized AS s ON c.uid = s.uid
LEFT JOIN timed AS t ON c.uid = t.uid
