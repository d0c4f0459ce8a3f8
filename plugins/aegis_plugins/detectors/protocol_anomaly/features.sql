-- Two things about the last hour, against the week before: a host, or all (orig_h null), whose mix of protocols is
-- another (kind mix), and protocols where they do not belong (kinds odd, unknown, tunnel), a row per client and what it
-- is.
WITH
-- Since when anything is known: hours before the last two.
watched AS (
    SELECT greatest(0, ($window_end - 3600000000 - coalesce(min(hour_us), $window_end)) // 3600000000) AS past_h
    FROM service_hour
),

-- The mix: connections by protocol, of each host that has enough of them now, and of all. The hour before the last is
-- no past.
busy AS (
    SELECT orig_h AS host
    FROM service_hour
    WHERE hour_us >= $window_end - 3600000000 AND orig_h IS NOT NULL
    GROUP BY orig_h
    HAVING sum(connections) >= $min_connections
),
counts AS (
    SELECT
        s.orig_h AS host, ($window_end - 3600000000 - s.hour_us) // 3600000000 AS ago_h, s.label,
        CAST(sum(s.connections) AS BIGINT) AS connections
    FROM service_hour AS s
    INNER JOIN busy AS b ON s.orig_h = b.host
    GROUP BY s.orig_h, s.hour_us, s.label
    UNION ALL
    SELECT
        '' AS host, ($window_end - 3600000000 - hour_us) // 3600000000 AS ago_h, label,
        CAST(sum(connections) AS BIGINT) AS connections
    FROM service_hour
    GROUP BY hour_us, label
),
totals AS (
    SELECT host, ago_h, CAST(sum(connections) AS BIGINT) AS total
    FROM counts
    WHERE ago_h <> 1
    GROUP BY host, ago_h
    HAVING sum(connections) >= $min_connections
),
pasts AS (
    SELECT host, count(*) AS hours
    FROM totals
    WHERE ago_h >= 2
    GROUP BY host
    HAVING count(*) >= $min_hours
),
-- in millionths, so that sums do not depend on an order
shares AS (
    SELECT
        c.host, c.ago_h, c.label, t.total, p.hours,
        c.connections * 1000000 // t.total AS share
    FROM counts AS c
    INNER JOIN totals AS t ON c.host = t.host AND c.ago_h = t.ago_h
    INNER JOIN pasts AS p ON c.host = p.host
    INNER JOIN totals AS now ON c.host = now.host AND now.ago_h = 0
),
-- the mean of the hours, each alike, whatever was busy in them
bases AS (
    SELECT host, label, CAST(sum(share) AS BIGINT) // max(hours) AS base, max(share) AS most
    FROM shares
    WHERE ago_h >= 2
    GROUP BY host, label
),
-- Half of the sum of all differences (total variation): the part of the connections that is of another protocol. What
-- an hour lacks altogether is 1 - the sum of the bases of what it has.
distances AS (
    SELECT
        s.host, s.ago_h,
        (1000000 + CAST(sum(abs(s.share - coalesce(b.base, 0)) - coalesce(b.base, 0)) AS BIGINT)) / 2000000 AS shift
    FROM shares AS s
    LEFT JOIN bases AS b ON s.host = b.host AND s.label = b.label
    GROUP BY s.host, s.ago_h
),
shifted AS (
    SELECT host, max(CASE WHEN ago_h = 0 THEN shift END) AS shift, max(CASE WHEN ago_h >= 2 THEN shift END) AS past_most
    FROM distances
    GROUP BY host
    HAVING max(CASE WHEN ago_h = 0 THEN shift END) >= $min_shift
        AND max(CASE WHEN ago_h = 0 THEN shift END) >= max(CASE WHEN ago_h >= 2 THEN shift END) + $min_beyond
),
risen AS (
    SELECT
        s.host, s.label, s.share, coalesce(b.base, 0) AS base, coalesce(b.most, 0) AS most, s.total, s.hours,
        row_number() OVER (PARTITION BY s.host ORDER BY s.share - coalesce(b.base, 0) DESC, s.label) AS nth
    FROM shares AS s
    INNER JOIN shifted AS h ON s.host = h.host
    LEFT JOIN bases AS b ON s.host = b.host AND s.label = b.label
    WHERE s.ago_h = 0
),
mixed AS (
    SELECT
        r.host, r.label, r.share, r.base, r.most, r.total, r.hours, h.shift, h.past_most,
        min(n.first_us) AS first_us, max(n.last_us) AS last_us, min(n.uid) AS uid
    FROM risen AS r
    INNER JOIN shifted AS h ON r.host = h.host
    INNER JOIN service_hour AS n ON r.label = n.label AND (r.host = '' OR r.host = n.orig_h)
    CROSS JOIN watched AS w
    WHERE r.nth = 1 AND n.hour_us >= $window_end - 3600000000 AND w.past_h >= $min_history_h
    GROUP BY r.host, r.label, r.share, r.base, r.most, r.total, r.hours, h.shift, h.past_most
),

-- Where the sensor tells what is spoken on a port at all: nine of ten connections there.
told AS (
    SELECT
        resp_p AS port,
        sum(connections) AS connections,
        sum(CASE WHEN kind = 'unknown' THEN connections ELSE 0 END) AS unknown
    FROM service_hour
    WHERE resp_p IN (22, 25, 53, 80, 443, 445, 3389)
    GROUP BY resp_p
    HAVING sum(connections) >= $min_known AND 10 * sum(CASE WHEN kind = 'unknown' THEN connections ELSE 0 END)
        <= sum(connections)
),

named AS (
    SELECT
        *,
        ($window_end - 3600000000 - hour_us) // 3600000000 AS ago_h,
        -- a bot that speaks TLS to hundreds of odd ports is one thing
        CASE
            WHEN kind = 'odd' AND resp_p >= 1024 AND label IN ('ssl', 'dns', 'quic')
                THEN concat(label, ' on high ports')
            WHEN kind = 'odd' THEN concat(label, ' on port ', resp_p)
            WHEN kind = 'unknown' THEN concat('unknown on ', proto, ' port ', resp_p)
            ELSE concat(label, ' tunnel')
        END AS what
    FROM service_hour
    WHERE kind <> 'usual'
),
oddities AS (
    SELECT s.*
    FROM named AS s
    LEFT JOIN told AS t ON s.resp_p = t.port
    WHERE (s.kind <> 'unknown' OR t.port IS NOT NULL)
        -- what comes from outside is no choice of a host of ours
        AND (s.kind <> 'tunnel' OR s.direction IN ('outbound', 'internal'))
        AND (s.what <> 'ssl on high ports' OR s.direction = 'outbound')
),
-- On how many days before it was spoken so here, and by this client.
here AS (
    SELECT what, count(DISTINCT (ago_h + 23) // 24) AS days
    FROM oddities
    WHERE ago_h >= 1
    GROUP BY what
),
before AS (
    SELECT coalesce(orig_h, '') AS host, what, count(DISTINCT (ago_h + 23) // 24) AS days
    FROM oddities
    WHERE ago_h >= 1
    GROUP BY coalesce(orig_h, ''), what
),
servers AS (
    SELECT
        coalesce(orig_h, '') AS host, what, resp_h,
        max(label) AS label, max(kind) AS kind, max(resp_p) AS resp_p, min(resp_p) AS least_p, max(proto) AS proto,
        max(direction) AS direction, sum(connections) AS connections, sum(sent_bytes) AS sent_bytes,
        sum(received_bytes) AS received_bytes, min(first_us) AS first_us, max(last_us) AS last_us, min(uid) AS uid,
        row_number() OVER (
            PARTITION BY coalesce(orig_h, ''), what
            ORDER BY sum(sent_bytes + received_bytes) DESC, sum(connections) DESC, resp_h
        ) AS nth
    FROM oddities
    WHERE ago_h = 0
    GROUP BY coalesce(orig_h, ''), what, resp_h
),
misplaced AS (
    SELECT
        host, what, max(label) AS label, max(kind) AS kind, max(resp_p) AS resp_p, min(least_p) AS least_p,
        max(proto) AS proto, max(direction) AS direction, count(*) AS servers,
        CAST(sum(connections) AS BIGINT) AS connections, CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(sum(received_bytes) AS BIGINT) AS received_bytes, min(first_us) AS first_us, max(last_us) AS last_us,
        list(resp_h ORDER BY nth) FILTER (WHERE nth <= 5 AND resp_h IS NOT NULL) AS top_servers,
        list(uid ORDER BY nth) FILTER (WHERE nth <= 5 AND uid IS NOT NULL) AS uids
    FROM servers
    GROUP BY host, what
)

SELECT
    nullif(m.host, '') AS orig_h, 'mix' AS kind, m.label AS what, m.label, CAST(NULL AS VARCHAR) AS proto,
    CAST(NULL AS BIGINT) AS resp_p, CAST(NULL AS VARCHAR) AS direction, m.total AS connections,
    CAST(NULL AS BIGINT) AS sent_bytes, CAST(NULL AS BIGINT) AS received_bytes, CAST(NULL AS BIGINT) AS servers,
    m.shift, m.past_most AS past_shift, m.share / 1000000 AS share, m.base / 1000000 AS base,
    m.most / 1000000 AS most, m.hours AS compared_hours, w.past_h,
    CAST(NULL AS BIGINT) AS days, CAST(NULL AS BIGINT) AS host_days,
    m.first_us, m.last_us, CAST([] AS VARCHAR[]) AS top_servers, [m.uid] AS uids
FROM mixed AS m
CROSS JOIN watched AS w
UNION ALL
SELECT
    nullif(p.host, '') AS orig_h, p.kind, p.what, p.label, p.proto,
    CASE WHEN p.resp_p = p.least_p THEN p.resp_p END AS resp_p, p.direction, p.connections, p.sent_bytes,
    p.received_bytes, p.servers, CAST(NULL AS DOUBLE) AS shift, CAST(NULL AS DOUBLE) AS past_shift,
    CAST(NULL AS DOUBLE) AS share, CAST(NULL AS DOUBLE) AS base, CAST(NULL AS DOUBLE) AS most,
    CAST(NULL AS BIGINT) AS compared_hours, w.past_h, coalesce(h.days, 0) AS days, coalesce(b.days, 0) AS host_days,
    p.first_us, p.last_us, p.top_servers, p.uids
FROM misplaced AS p
CROSS JOIN watched AS w
LEFT JOIN here AS h ON p.what = h.what
LEFT JOIN before AS b ON p.host = b.host AND p.what = b.what
WHERE coalesce(h.days, 0) < $usual_days AND coalesce(b.days, 0) < $usual_days
