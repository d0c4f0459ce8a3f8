-- One row per host inside with a connection that ended in the hour, as client or server, and one for all together.
WITH
-- Numbers are cut at 2^44 (17 TB), so that no sum overflows. A server counts where it answered: else each address that
-- a scanner tries would be a host.
flows AS MATERIALIZED (
    SELECT
        orig_h,
        resp_h,
        coalesce(orig_internal, false) AS orig_internal,
        coalesce(resp_internal, false) AND coalesce(resp_pkts, 1) > 0 AS resp_internal,
        CASE WHEN coalesce(resp_pkts, 1) > 0 THEN 1 ELSE 0 END AS answered,
        CASE WHEN orig_ip_bytes > 0 THEN least(orig_ip_bytes, 17592186044416) ELSE 0 END AS up_bytes,
        CASE WHEN resp_ip_bytes > 0 THEN least(resp_ip_bytes, 17592186044416) ELSE 0 END AS down_bytes,
        CASE WHEN orig_pkts > 0 THEN least(orig_pkts, 17592186044416) ELSE 0 END
        + CASE WHEN resp_pkts > 0 THEN least(resp_pkts, 17592186044416) ELSE 0 END AS packets,
        ts_us,
        end_us,
        uid
    FROM conn
),

sides AS (
    SELECT
        orig_h AS host, answered AS begun, 0 AS served, up_bytes AS sent, down_bytes AS received, packets, ts_us,
        end_us, uid
    FROM flows
    WHERE orig_internal AND orig_h IS NOT NULL
    UNION ALL
    SELECT
        resp_h AS host, 0 AS begun, answered AS served, down_bytes AS sent, up_bytes AS received, packets, ts_us,
        end_us, uid
    FROM flows
    WHERE resp_internal AND resp_h IS NOT NULL
)

SELECT
    host,
    sum(begun) AS begun,
    sum(served) AS served,
    CAST(sum(sent) AS BIGINT) AS sent_bytes,
    CAST(sum(received) AS BIGINT) AS received_bytes,
    CAST(sum(packets) AS BIGINT) AS packets,
    min(ts_us) AS first_us,
    max(end_us) AS last_us,
    min(uid) AS uid
FROM sides
GROUP BY host
UNION ALL
SELECT
    NULL AS host,
    sum(answered) AS begun,
    0 AS served,
    CAST(sum(up_bytes) AS BIGINT) AS sent_bytes,
    CAST(sum(down_bytes) AS BIGINT) AS received_bytes,
    CAST(sum(packets) AS BIGINT) AS packets,
    min(ts_us) AS first_us,
    max(end_us) AS last_us,
    min(uid) AS uid
FROM flows
HAVING count(*) > 0
