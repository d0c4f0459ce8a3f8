-- What ICMP should not be used for: a row per source that sweeps hosts, per pair whose echo carries data, and per sender
-- of redirects. Zeek keeps the ICMP type as orig_p.
WITH
icmp AS MATERIALIZED (
    SELECT
        orig_h, resp_h, orig_p, uid, ts_us, end_us,
        CAST(orig_internal AS INTEGER) AS orig_internal,
        CAST(resp_internal AS INTEGER) AS resp_internal,
        least(greatest(coalesce(orig_pkts, 1), 0), 17592186044416) AS requests,
        least(greatest(coalesce(resp_pkts, 0), 0), 17592186044416) AS replies,
        -- bytes of ICMP data: without the headers of IP (20, 40) and ICMP (8); numbers are cut at 2^44 (17 TB)
        greatest(
            least(coalesce(orig_ip_bytes, 0), 17592186044416)
            - least(coalesce(orig_pkts, 0), 17592186044416) * CASE WHEN resp_h LIKE '%:%' THEN 48 ELSE 28 END, 0
        ) AS sent,
        greatest(
            least(coalesce(resp_ip_bytes, 0), 17592186044416)
            - least(coalesce(resp_pkts, 0), 17592186044416) * CASE WHEN resp_h LIKE '%:%' THEN 48 ELSE 28 END, 0
        ) AS received
    FROM conn
    WHERE proto = 'icmp' AND orig_h IS NOT NULL
        AND resp_h NOT LIKE 'ff%'
        AND NOT regexp_matches(resp_h, '^(22[4-9]|23[0-9]|255)\.')  -- multicast, broadcast
),

-- Hosts that a source asked a few times only: what it asks again and again it watches. Nobody watches by requests for
-- a timestamp (13), information (15) or the address mask (17); RFC 6918 has done away with the last two.
asked AS (
    SELECT
        orig_h,
        resp_h,
        regexp_replace(resp_h, '[^.:]+$', '') AS network,  -- what stands before the last group: a /24, or about a /112
        CAST(sum(requests) AS BIGINT) AS requests,
        max(CASE WHEN replies > 0 THEN 1 ELSE 0 END) AS answered,
        max(CASE WHEN orig_p IN (13, 15, 17) THEN 1 ELSE 0 END) AS odd,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid,
        max(orig_internal) AS orig_internal,
        max(resp_internal) AS resp_internal
    FROM icmp
    WHERE orig_p IN (8, 13, 15, 17, 128)
    GROUP BY orig_h, resp_h
    HAVING sum(requests) <= $max_requests
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY orig_h ORDER BY first_us, uid, resp_h) AS nth FROM asked
),
sweeps AS (
    SELECT
        orig_h,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        count(*) AS hosts,
        CAST(sum(answered) AS BIGINT) AS answered,
        CAST(sum(odd) AS BIGINT) AS odd_hosts,
        count(DISTINCT network) AS networks,
        CAST(sum(requests) AS BIGINT) AS requests,
        max(orig_internal) AS orig_internal,
        max(resp_internal) AS resp_internal,
        list(resp_h ORDER BY nth) FILTER (WHERE nth <= 20) AS hosts_sample,
        list(uid ORDER BY nth) FILTER (WHERE nth <= 20) AS uids
    FROM ranked
    GROUP BY orig_h
    HAVING count(*) >= $min_hosts
        AND max(last_us) >= $window_end - 1800000000
        -- monitoring asks for what is there
        AND (sum(odd) >= $min_hosts OR count(*) - sum(answered) >= $min_unanswered_share * count(*))
),

-- Echo, closed and still open: of a connection with snapshots the longest row. Types 0 and 129 are replies to requests
-- that were not seen.
snapshots AS (
    SELECT
        orig_h, resp_h, uid, ts_us, end_us,
        CAST(orig_internal AS INTEGER) AS orig_internal,
        CAST(resp_internal AS INTEGER) AS resp_internal,
        least(greatest(coalesce(orig_pkts, 1), 0), 17592186044416) AS requests,
        least(greatest(coalesce(resp_pkts, 0), 0), 17592186044416) AS replies,
        greatest(
            least(coalesce(orig_ip_bytes, 0), 17592186044416)
            - least(coalesce(orig_pkts, 0), 17592186044416) * CASE WHEN resp_h LIKE '%:%' THEN 48 ELSE 28 END, 0
        ) AS sent,
        greatest(
            least(coalesce(resp_ip_bytes, 0), 17592186044416)
            - least(coalesce(resp_pkts, 0), 17592186044416) * CASE WHEN resp_h LIKE '%:%' THEN 48 ELSE 28 END, 0
        ) AS received
    FROM open_conn
    WHERE proto = 'icmp' AND orig_h IS NOT NULL AND orig_p IN (0, 8, 128, 129)
        AND resp_h NOT LIKE 'ff%' AND NOT regexp_matches(resp_h, '^(22[4-9]|23[0-9]|255)\.')
),
closed AS (
    SELECT orig_h, resp_h, uid, ts_us, end_us, orig_internal, resp_internal, requests, replies, sent, received
    FROM icmp
    WHERE orig_p IN (0, 8, 128, 129)
),
newest AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY orig_h, resp_h, uid, ts_us ORDER BY end_us DESC, requests DESC, replies DESC, sent, received
        ) AS nth
    FROM (
        SELECT c.*
        FROM closed AS c
        WHERE EXISTS (SELECT 1 FROM snapshots AS s WHERE s.uid = c.uid)
        UNION ALL
        SELECT *
        FROM snapshots
    )
),
echoes AS (
    SELECT c.*
    FROM closed AS c
    WHERE NOT EXISTS (SELECT 1 FROM snapshots AS s WHERE s.uid = c.uid)
    UNION ALL
    SELECT * EXCLUDE (nth)
    FROM newest
    WHERE nth = 1
),

-- A reply returns the data of its request (RFC 792, RFC 4443), so these bytes are none of a ping:
-- replies of another size than their requests (20 bytes or more in the mean, so that the padding of short frames is
-- none), and replies that nobody asked for, where they outnumber the requests by half.
carried AS (
    SELECT
        *,
        CASE
            WHEN requests > 0 AND replies > 0
                AND abs(CAST(sent AS HUGEINT) * replies - CAST(received AS HUGEINT) * requests)
                >= CAST(20 * requests AS HUGEINT) * replies
                THEN abs(CAST(sent AS HUGEINT) * replies - CAST(received AS HUGEINT) * requests)
                // greatest(requests, replies)
            ELSE 0
        END
        + CASE WHEN requests > 0 AND 2 * replies > 3 * requests
            THEN CAST(replies - requests AS HUGEINT) * received // replies ELSE 0 END AS foreign_bytes
    FROM echoes
),
pairs AS (
    SELECT
        orig_h,
        resp_h,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        CAST(sum(requests) AS BIGINT) AS requests,
        CAST(sum(replies) AS BIGINT) AS replies,
        CAST(sum(sent) AS BIGINT) AS sent,
        CAST(sum(received) AS BIGINT) AS received,
        CAST(sum(foreign_bytes) AS BIGINT) AS foreign_bytes,
        max(orig_internal) AS orig_internal,
        max(resp_internal) AS resp_internal,
        min(ts_us, 20)[-1] AS twentieth_us
    FROM carried
    GROUP BY orig_h, resp_h
    HAVING max(end_us) >= $window_end - 1800000000
        AND (
            sum(foreign_bytes) >= $min_foreign_bytes
            OR (sum(sent) + sum(received) >= $min_bulk_bytes
                AND sum(sent) + sum(received) >= 128 * (sum(requests) + sum(replies)))
        )
),

-- Examples: the first twenty.
named AS (
    SELECT c.orig_h, c.resp_h, list(c.uid ORDER BY c.ts_us, c.uid)[1:20] AS uids
    FROM carried AS c
    INNER JOIN pairs AS p ON c.orig_h = p.orig_h AND c.resp_h = p.resp_h AND c.ts_us <= p.twentieth_us
    GROUP BY c.orig_h, c.resp_h
),

-- Redirects: type 5, ICMPv6 137.
redirects AS (
    SELECT
        orig_h,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        count(DISTINCT resp_h) AS hosts,
        CAST(sum(requests) AS BIGINT) AS requests,
        max(orig_internal) AS orig_internal,
        max(resp_internal) AS resp_internal,
        list_sort(list(DISTINCT resp_h))[1:20] AS hosts_sample,
        list(uid ORDER BY ts_us, uid)[1:20] AS uids
    FROM icmp
    WHERE orig_p IN (5, 137)
    GROUP BY orig_h
    HAVING sum(requests) >= $min_redirects AND max(end_us) >= $window_end - 1800000000
)

SELECT
    'sweep' AS key, orig_h, CAST(NULL AS VARCHAR) AS resp_h, first_us, last_us, orig_internal, resp_internal, hosts,
    answered, odd_hosts, networks, requests, 0 AS replies, 0 AS sent, 0 AS received, 0 AS foreign_bytes, hosts_sample,
    uids
FROM sweeps
UNION ALL
SELECT
    'echo data' AS key, p.orig_h, p.resp_h, p.first_us, p.last_us, p.orig_internal, p.resp_internal, 1 AS hosts,
    0 AS answered, 0 AS odd_hosts, 1 AS networks, p.requests, p.replies, p.sent, p.received, p.foreign_bytes,
    [p.resp_h] AS hosts_sample, n.uids
FROM pairs AS p
INNER JOIN named AS n ON p.orig_h = n.orig_h AND p.resp_h = n.resp_h
UNION ALL
SELECT
    'redirects' AS key, orig_h, CAST(NULL AS VARCHAR) AS resp_h, first_us, last_us, orig_internal, resp_internal, hosts,
    0 AS answered, 0 AS odd_hosts, 0 AS networks, requests, 0 AS replies, 0 AS sent, 0 AS received, 0 AS foreign_bytes,
    hosts_sample, uids
FROM redirects
