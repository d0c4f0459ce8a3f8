-- One row per client, server, port and protocol with a connection that ended in the hour.
WITH
-- A TCP attempt that found no answer or a refusal. Stacks send the SYN again from the same port for up to 64 s after
-- the one before (Linux: 1, 2, 4 … 32 s; Windows: 3, 6 s), which Zeek writes as rows of their own once 5 s have passed.
failed AS (
    SELECT
        orig_h, resp_h, resp_p, proto, resp_internal, direction, uid, ts_us, end_us,
        orig_ip_bytes, resp_ip_bytes, resp_pkts,
        lag(ts_us) OVER (PARTITION BY orig_h, orig_p, resp_h, resp_p ORDER BY ts_us, uid) AS before_us
    FROM conn
    WHERE proto = 'tcp' AND conn_state IN ('S0', 'REJ')
),

attempts AS (
    SELECT
        orig_h, resp_h, resp_p, proto, resp_internal, direction, uid, ts_us, end_us,
        orig_ip_bytes, resp_ip_bytes, resp_pkts,
        coalesce(ts_us - before_us > 75000000, true) AS dialled
    FROM failed
    UNION ALL
    -- A TCP row without a SYN is a connection that went on, cut by Zeek's 5 minutes of inactivity: no dial.
    SELECT
        orig_h, resp_h, resp_p, proto, resp_internal, direction, uid, ts_us, end_us,
        orig_ip_bytes, resp_ip_bytes, resp_pkts,
        coalesce(proto <> 'tcp' OR history LIKE '%S%' OR history LIKE '%h%', true) AS dialled
    FROM conn
    WHERE NOT (proto = 'tcp' AND coalesce(conn_state, '') IN ('S0', 'REJ'))
),

-- What a client was told to be at an address, by DNS in the same hour.
told AS (
    SELECT orig_h, unnest(answers) AS resp_h, lower(rtrim(query, '.')) AS name
    FROM dns
    WHERE len(answers) > 0 AND coalesce(qtype_name, 'A') IN ('A', 'AAAA') AND query <> ''
),
lookups AS (
    SELECT orig_h, resp_h, count(*) AS lookups, min(name) AS lookup_name
    FROM told
    GROUP BY orig_h, resp_h
),

pairs AS (
    SELECT
        orig_h,
        resp_h,
        resp_p,
        proto,
        bool_or(coalesce(resp_internal, false)) AS resp_internal,
        max(direction) AS direction,
        count(*) AS connections,
        count(*) FILTER (WHERE dialled) AS dials,
        count(*) FILTER (WHERE resp_pkts > 0) AS answered,
        CAST(coalesce(sum(orig_ip_bytes), 0) AS BIGINT) AS orig_ip_bytes,
        CAST(coalesce(sum(resp_ip_bytes), 0) AS BIGINT) AS resp_ip_bytes,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        -- ms since the epoch, ascending; null above 3,600 dials an hour and for DNS, which nothing asks for
        CASE WHEN resp_p <> 53 AND count(*) FILTER (WHERE dialled) <= 3600
            THEN list_sort(list(ts_us // 1000) FILTER (WHERE dialled)) END AS starts_ms,
        -- bytes that each dial's client sent, ascending, headers included; null where `starts_ms` is
        CASE WHEN resp_p <> 53 AND count(*) FILTER (WHERE dialled) <= 3600
            THEN list_sort(list(orig_ip_bytes) FILTER (WHERE dialled AND orig_ip_bytes IS NOT NULL)) END AS sizes,
        min(uid) AS uid
    FROM attempts
    GROUP BY orig_h, resp_h, resp_p, proto
)

SELECT
    p.orig_h, p.resp_h, p.resp_p, p.proto, p.resp_internal, p.direction, p.connections, p.dials, p.answered,
    p.orig_ip_bytes, p.resp_ip_bytes, p.first_us, p.last_us, p.starts_ms, p.sizes, p.uid,
    coalesce(l.lookups, 0) AS lookups, l.lookup_name
FROM pairs AS p
LEFT JOIN lookups AS l ON p.orig_h = l.orig_h AND p.resp_h = l.resp_h
