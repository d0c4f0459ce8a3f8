-- One row per client with a connection that ended in the hour: how many, how large, to whom. What each column is, with
-- unit, formula and source, is declared in __init__.py.
WITH
-- Numbers are cut at 2^40 (1.1 TB, 12.7 days), so that sums of their squares fit into 128 bits. `least` and `greatest`
-- pass over nulls, hence CASE.
flows AS (
    SELECT
        orig_h,
        resp_h,
        resp_p,
        proto,
        ts_us,
        end_us,
        uid,
        conn_state,
        CASE WHEN orig_ip_bytes >= 0 THEN least(orig_ip_bytes, 1099511627776) END AS up_bytes,
        CASE WHEN resp_ip_bytes >= 0 THEN least(resp_ip_bytes, 1099511627776) END AS down_bytes,
        CASE WHEN orig_pkts >= 0 THEN least(orig_pkts, 1099511627776) END AS up_packets,
        CASE WHEN resp_pkts >= 0 THEN least(resp_pkts, 1099511627776) END AS down_packets,
        CASE WHEN duration >= 0 THEN least(greatest(end_us - ts_us, 0), 1099511627776) END AS duration_us,
        -- millionths of a bit per byte
        CASE WHEN orig_entropy BETWEEN 0 AND 8 THEN CAST(round(1000000 * orig_entropy) AS BIGINT) END AS up_entropy,
        CASE WHEN resp_entropy BETWEEN 0 AND 8 THEN CAST(round(1000000 * resp_entropy) AS BIGINT) END AS down_entropy
    FROM conn
    -- not what comes from outside to us: its clients are too many to have a past
    WHERE orig_h IS NOT NULL AND (coalesce(orig_internal, true) OR NOT coalesce(resp_internal, false))
),

added AS (
    SELECT
        *,
        up_bytes + down_bytes AS bytes,
        up_packets + down_packets AS packets,
        CASE WHEN up_bytes + down_bytes > 0 THEN up_bytes / (up_bytes + down_bytes) END AS up_share
    FROM flows
),

hosts AS (
    SELECT
        orig_h,
        count(*) AS connections,
        CASE WHEN count(resp_h) > 0 THEN count(DISTINCT resp_h) END AS peers,
        CASE WHEN count(resp_p) > 0
            THEN count(DISTINCT concat(proto, ' ', resp_p)) FILTER (WHERE proto IN ('tcp', 'udp')) END AS ports,
        sum(up_bytes) AS sent_bytes,
        sum(down_bytes) AS received_bytes,
        sum(up_packets) AS sent_packets,
        sum(down_packets) AS received_packets,
        count(bytes) AS bytes_n,
        CAST(sum(bytes) AS HUGEINT) AS bytes_sum,
        sum(CAST(bytes AS HUGEINT) * bytes) AS bytes_squares,
        min(bytes) AS bytes_min,
        max(bytes) AS bytes_max,
        quantile_cont(bytes, [0.10, 0.25, 0.50, 0.75, 0.90, 0.99]) AS bytes_q,
        count(packets) AS packets_n,
        CAST(sum(packets) AS HUGEINT) AS packets_sum,
        sum(CAST(packets AS HUGEINT) * packets) AS packets_squares,
        max(packets) AS packets_max,
        quantile_cont(packets, 0.50) AS packets_median,
        count(duration_us) AS duration_n,
        CAST(sum(duration_us) AS HUGEINT) AS duration_sum,
        sum(CAST(duration_us AS HUGEINT) * duration_us) AS duration_squares,
        max(duration_us) AS duration_max,
        quantile_cont(duration_us, [0.50, 0.90]) AS duration_q,
        quantile_cont(up_share, 0.50) AS upload_share_median,
        count(conn_state) AS states,
        count(*) FILTER (WHERE conn_state IN ('S0', 'REJ', 'RSTOS0', 'RSTRH', 'SH', 'SHR')) AS failed,
        count(*) FILTER (WHERE down_packets = 0) AS unanswered,
        count(down_packets) AS answers,
        count(up_entropy) AS up_entropy_n,
        sum(up_entropy) AS up_entropy_sum,
        count(down_entropy) AS down_entropy_n,
        sum(down_entropy) AS down_entropy_sum,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid
    FROM added
    GROUP BY orig_h
),
-- Variances as n Σx² - (Σx)², of whole numbers, which is exact.
scaled AS (
    SELECT
        *,
        bytes_sum / nullif(bytes_n, 0) AS bytes_mean,
        sqrt(bytes_n * bytes_squares - bytes_sum * bytes_sum) / nullif(bytes_n, 0) AS bytes_std,
        packets_sum / nullif(packets_n, 0) AS packets_mean,
        sqrt(packets_n * packets_squares - packets_sum * packets_sum) / nullif(packets_n, 0) AS packets_std,
        duration_sum / nullif(duration_n, 0) AS duration_mean,
        sqrt(duration_n * duration_squares - duration_sum * duration_sum) / nullif(duration_n, 0) AS duration_std
    FROM hosts
),

-- Shannon's entropy of counts c that sum up to n: log2 n - Σ c log2 c / n. Terms are rounded to millionths, so that
-- their sum does not depend on an order.
peer_spread AS (
    SELECT orig_h, log2(sum(c)) - sum(CAST(round(1000000 * c * log2(c)) AS BIGINT)) / (1000000 * sum(c)) AS bits
    FROM (SELECT orig_h, resp_h, count(*) AS c FROM flows WHERE resp_h IS NOT NULL GROUP BY orig_h, resp_h)
    GROUP BY orig_h
),
port_spread AS (
    SELECT orig_h, log2(sum(c)) - sum(CAST(round(1000000 * c * log2(c)) AS BIGINT)) / (1000000 * sum(c)) AS bits
    FROM (
        SELECT orig_h, proto, resp_p, count(*) AS c
        FROM flows
        WHERE resp_p IS NOT NULL AND proto IN ('tcp', 'udp')
        GROUP BY orig_h, proto, resp_p
    )
    GROUP BY orig_h
),

-- The first packets of its connections, where the sensor describes them: positive sizes are the client's.
sizes AS (
    SELECT orig_h, least(greatest(size, -65575), 65575) AS size
    FROM (SELECT orig_h, unnest(sizes) AS size FROM aegis_packets)
    WHERE orig_h IS NOT NULL AND size IS NOT NULL
),
packets AS (
    SELECT
        orig_h,
        sum(abs(size)) / count(*) AS mean,
        sqrt(count(*) * CAST(sum(size * size) AS HUGEINT) - CAST(sum(abs(size)) AS HUGEINT) * sum(abs(size)))
        / count(*) AS std,
        min(abs(size)) AS size_min,
        max(abs(size)) AS size_max,
        quantile_cont(abs(size), [0.25, 0.50, 0.75, 0.90]) AS q,
        sum(size) FILTER (WHERE size > 0) AS up_sum,
        count(*) FILTER (WHERE size > 0) AS up_n,
        -sum(size) FILTER (WHERE size < 0) AS down_sum,
        count(*) FILTER (WHERE size < 0) AS down_n
    FROM sizes
    GROUP BY orig_h
)

SELECT
    h.orig_h,
    h.first_us,
    h.last_us,
    h.uid,
    h.connections,
    h.peers,
    h.ports,
    if(pe.bits < 0, 0, pe.bits) AS peer_entropy,
    if(po.bits < 0, 0, po.bits) AS port_entropy,
    CAST(h.sent_bytes AS BIGINT) AS sent_bytes,
    CAST(h.received_bytes AS BIGINT) AS received_bytes,
    CASE WHEN h.sent_bytes + h.received_bytes > 0
        THEN h.sent_bytes / (h.sent_bytes + h.received_bytes) END AS upload_share,
    h.upload_share_median,
    log2((h.sent_bytes + 1) / (h.received_bytes + 1)) AS upload_download_log2,
    CASE WHEN h.sent_packets + h.received_packets > 0
        THEN h.sent_packets / (h.sent_packets + h.received_packets) END AS packets_upload_share,
    h.bytes_mean,
    h.bytes_std,
    h.bytes_min,
    h.bytes_q[1] AS bytes_p10,
    h.bytes_q[2] AS bytes_p25,
    h.bytes_q[3] AS bytes_median,
    h.bytes_q[4] AS bytes_p75,
    h.bytes_q[5] AS bytes_p90,
    h.bytes_q[6] AS bytes_p99,
    h.bytes_max,
    h.bytes_std / nullif(h.bytes_mean, 0) AS bytes_cv,
    (h.bytes_q[2] + h.bytes_q[4] - 2 * h.bytes_q[3]) / nullif(h.bytes_q[4] - h.bytes_q[2], 0) AS bytes_skew,
    h.packets_mean,
    h.packets_std,
    h.packets_median,
    h.packets_max,
    h.sent_bytes / nullif(h.sent_packets, 0) AS sent_packet_bytes,
    h.received_bytes / nullif(h.received_packets, 0) AS received_packet_bytes,
    h.duration_mean / 1000000 AS duration_mean,
    h.duration_std / 1000000 AS duration_std,
    h.duration_q[1] / 1000000 AS duration_median,
    h.duration_q[2] / 1000000 AS duration_p90,
    h.duration_max / 1000000 AS duration_max,
    h.failed / nullif(h.states, 0) AS failed_share,
    h.unanswered / nullif(h.answers, 0) AS unanswered_share,
    h.up_entropy_sum / nullif(h.up_entropy_n, 0) / 1000000 AS sent_entropy_mean,
    h.down_entropy_sum / nullif(h.down_entropy_n, 0) / 1000000 AS received_entropy_mean,
    p.mean AS packet_size_mean,
    p.std AS packet_size_std,
    p.size_min AS packet_size_min,
    p.q[1] AS packet_size_p25,
    p.q[2] AS packet_size_median,
    p.q[3] AS packet_size_p75,
    p.q[4] AS packet_size_p90,
    p.size_max AS packet_size_max,
    p.std / nullif(p.mean, 0) AS packet_size_cv,
    (p.q[1] + p.q[3] - 2 * p.q[2]) / nullif(p.q[3] - p.q[1], 0) AS packet_size_skew,
    p.up_sum / nullif(p.up_n, 0) AS packet_size_up_mean,
    p.down_sum / nullif(p.down_n, 0) AS packet_size_down_mean
FROM scaled AS h
LEFT JOIN peer_spread AS pe ON h.orig_h = pe.orig_h
LEFT JOIN port_spread AS po ON h.orig_h = po.orig_h
LEFT JOIN packets AS p ON h.orig_h = p.orig_h
