-- One row per client inside and server outside to which 64 KiB of payload or more went in answered connections.
WITH
-- Payload of each connection. Zeek takes it from sequence numbers, which forged or odd packets can make anything, so it
-- is at most what IP carried; Suricata does not tell it, so it is what IP carried less the shortest headers.
moved AS (
    SELECT
        orig_h,
        resp_h,
        resp_p,
        proto,
        uid,
        ts_us,
        end_us,
        CASE
            WHEN orig_bytes IS NOT NULL THEN least(orig_bytes, coalesce(orig_ip_bytes, orig_bytes))
            ELSE greatest(0, coalesce(orig_ip_bytes - coalesce(orig_pkts, 0)
                * (CASE proto WHEN 'tcp' THEN 40 ELSE 28 END + CASE WHEN resp_h LIKE '%:%' THEN 20 ELSE 0 END), 0))
        END AS sent,
        CASE
            WHEN resp_bytes IS NOT NULL THEN least(resp_bytes, coalesce(resp_ip_bytes, resp_bytes))
            ELSE greatest(0, coalesce(resp_ip_bytes - coalesce(resp_pkts, 0)
                * (CASE proto WHEN 'tcp' THEN 40 ELSE 28 END + CASE WHEN resp_h LIKE '%:%' THEN 20 ELSE 0 END), 0))
        END AS received
    FROM conn
    WHERE direction = 'outbound' AND orig_h IS NOT NULL AND resp_h IS NOT NULL
        AND coalesce(resp_pkts, 1) > 0  -- what nobody answers is a flood or a scan
),

pairs AS (
    SELECT orig_h, resp_h
    FROM moved
    GROUP BY orig_h, resp_h
    HAVING sum(sent) >= 65536
),

ranked AS (
    SELECT
        m.*,
        m.sent >= 32768 AND m.sent >= 3 * m.received AS upload,
        row_number() OVER (PARTITION BY m.orig_h, m.resp_h ORDER BY m.sent DESC, m.uid, m.ts_us) AS nth
    FROM moved AS m
    INNER JOIN pairs AS p ON m.orig_h = p.orig_h AND m.resp_h = p.resp_h
)

SELECT
    orig_h,
    resp_h,
    min(resp_p) AS least_port,
    max(resp_p) AS most_port,
    min(proto) AS least_proto,
    max(proto) AS most_proto,
    count(*) AS connections,
    CAST(sum(sent) AS BIGINT) AS sent_bytes,
    CAST(sum(received) AS BIGINT) AS received_bytes,
    -- connections that sent 32 KiB or more, and three times what they got
    coalesce(list_sort(list(sent) FILTER (WHERE upload AND nth <= 1000)), []) AS upload_sizes,
    min(ts_us) AS first_us,
    max(end_us) AS last_us,
    list(uid ORDER BY nth) FILTER (WHERE nth <= 5 AND uid IS NOT NULL) AS uids
FROM ranked
GROUP BY orig_h, resp_h
