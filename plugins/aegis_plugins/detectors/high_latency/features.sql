-- Clients whose round trips of the last hour are long against those to the same networks before.
WITH
-- Peers: servers, and the networks that they are in. The hour before the last may have seen the rise begin: it is
-- neither judged nor part of the baseline.
answers AS NOT MATERIALIZED (
    SELECT
        orig_h, resp_h AS peer, kind, network, resp_h, hour_us >= $window_end - 3600000000 AS late, hour_us, bucket,
        connections, total_us, near_us, first_us, last_us, uid
    FROM rtt_hour
    WHERE hour_us < $window_end - 7200000000 OR hour_us >= $window_end - 3600000000
    UNION ALL
    SELECT
        orig_h, network AS peer, kind, network, resp_h, hour_us >= $window_end - 3600000000 AS late, hour_us, bucket,
        connections, total_us, near_us, first_us, last_us, uid
    FROM rtt_hour
    WHERE hour_us < $window_end - 7200000000 OR hour_us >= $window_end - 3600000000
),

-- Those with answers enough in the last hour.
lately AS (
    SELECT orig_h, peer, kind
    FROM answers
    WHERE late
    GROUP BY orig_h, peer, kind
    HAVING sum(connections) >= $min_connections
),

pooled AS (
    SELECT
        a.orig_h, a.peer, a.kind, a.late, a.bucket,
        CAST(sum(a.connections) AS BIGINT) AS connections,
        CAST(sum(a.total_us) AS BIGINT) AS total_us,
        CAST(sum(a.near_us) AS BIGINT) AS near_us
    FROM answers AS a
    INNER JOIN lately AS l ON a.orig_h = l.orig_h AND a.peer = l.peer AND a.kind = l.kind
    GROUP BY a.orig_h, a.peer, a.kind, a.late, a.bucket
),

added AS (
    SELECT
        *,
        sum(connections) OVER (PARTITION BY orig_h, peer, kind, late ORDER BY bucket) AS up_to,
        sum(connections) OVER (PARTITION BY orig_h, peer, kind, late) AS of
    FROM pooled
),

-- The bucket in which the median lies, and that of the ninth decile.
quantiles AS (
    SELECT
        orig_h, peer, kind, late,
        CAST(max(of) AS BIGINT) AS connections,
        min(bucket) FILTER (WHERE 2 * up_to >= of) AS median_bucket,
        min(bucket) FILTER (WHERE 10 * up_to >= 9 * of) AS decile_bucket
    FROM added
    GROUP BY orig_h, peer, kind, late
),

-- µs: the median, as the mean of its bucket; of it, what lies between sensor and client.
medians AS (
    SELECT
        q.orig_h, q.peer, q.kind, q.late, q.connections, q.median_bucket, q.decile_bucket,
        p.total_us // p.connections AS median_us,
        p.near_us // p.connections AS near_us
    FROM quantiles AS q
    INNER JOIN pooled AS p
        ON q.orig_h = p.orig_h AND q.peer = p.peer AND q.kind = p.kind AND q.late = p.late
        AND q.median_bucket = p.bucket
),

history AS (
    SELECT
        a.orig_h, a.peer, a.kind, a.network,
        count(DISTINCT CASE WHEN NOT a.late THEN a.hour_us END) AS hours,
        min(CASE WHEN a.late THEN a.first_us END) AS first_us,
        max(CASE WHEN a.late THEN a.last_us END) AS last_us,
        min(a.resp_h) AS server,
        max(a.resp_h) AS other_server
    FROM answers AS a
    INNER JOIN lately AS l ON a.orig_h = l.orig_h AND a.peer = l.peer AND a.kind = l.kind
    GROUP BY a.orig_h, a.peer, a.kind, a.network
),

-- Examples: the slower half of the hour.
examples AS (
    SELECT a.orig_h, a.peer, a.kind, list(a.uid ORDER BY a.bucket, a.uid)[1:20] AS uids
    FROM answers AS a
    INNER JOIN medians AS m
        ON a.orig_h = m.orig_h AND a.peer = m.peer AND a.kind = m.kind AND m.late AND a.bucket >= m.median_bucket
    WHERE a.late
    GROUP BY a.orig_h, a.peer, a.kind
),

-- A baseline that has less than its least history is none.
peers AS (
    SELECT
        n.orig_h, n.peer, n.kind, h.network, h.server, h.other_server, h.first_us, h.last_us, h.hours, e.uids,
        n.connections, n.median_us, n.near_us,
        b.connections AS base_connections,
        CASE WHEN h.hours >= $min_hours AND b.connections >= $min_history THEN b.median_us END AS base_us,
        CASE WHEN h.hours >= $min_hours AND b.connections >= $min_history THEN b.near_us END AS base_near_us,
        CASE WHEN h.hours >= $min_hours AND b.connections >= $min_history THEN b.decile_bucket END AS decile_bucket
    FROM medians AS n
    INNER JOIN history AS h ON n.orig_h = h.orig_h AND n.peer = h.peer AND n.kind = h.kind
    INNER JOIN examples AS e ON n.orig_h = e.orig_h AND n.peer = e.peer AND n.kind = e.kind
    LEFT JOIN medians AS b ON n.orig_h = b.orig_h AND n.peer = b.peer AND n.kind = b.kind AND NOT b.late
    WHERE n.late
),

-- Answers of the last hour that took no longer than nine of ten did before.
usual AS (
    SELECT a.orig_h, a.peer, a.kind, CAST(sum(a.connections) AS BIGINT) AS connections
    FROM pooled AS a
    INNER JOIN peers AS p ON a.orig_h = p.orig_h AND a.peer = p.peer AND a.kind = p.kind
    WHERE a.late AND a.bucket <= p.decile_bucket
    GROUP BY a.orig_h, a.peer, a.kind
),

-- High: so many times the baseline, by so much, and nearly all of them unusual: of five answers each, of nine all but
-- one. By chance that is once in 100,000 hours (0.1 ^ 5), where three of five would be once in 116.
judged AS (
    SELECT
        p.*,
        coalesce(u.connections, 0) AS usual_connections,
        coalesce(
            p.median_us >= $min_ratio * p.base_us AND p.median_us - p.base_us >= $min_increase_ms * 1000
            AND 4 * coalesce(u.connections, 0) <= greatest(p.connections - 5, 0),
            false
        ) AS risen,
        coalesce($ceiling_ms > 0 AND p.kind = 'tcp' AND p.median_us >= $ceiling_ms * 1000, false) AS beyond
    FROM peers AS p
    LEFT JOIN usual AS u ON p.orig_h = u.orig_h AND p.peer = u.peer AND p.kind = u.kind
),

-- A host most of whose networks with a baseline have risen: it is the host, or what they share.
hosts AS (
    SELECT
        orig_h,
        count(*) AS peers,
        count(*) FILTER (WHERE risen) AS risen_peers,
        quantile_cont(median_us / base_us, 0.5) AS ratio,
        -- µs: medians of the peers' medians, each of the peers that have both
        quantile_cont(median_us, 0.5) AS median_us,
        quantile_cont(base_us, 0.5) AS base_us,
        quantile_cont(near_us, 0.5) AS near_us,
        quantile_cont(base_near_us, 0.5) AS base_near_us,
        CAST(sum(usual_connections) AS BIGINT) AS usual_connections,
        CAST(sum(connections) AS BIGINT) AS connections,
        CAST(sum(base_connections) AS BIGINT) AS base_connections,
        max(hours) AS hours,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        list(peer ORDER BY median_us / base_us DESC, peer) FILTER (WHERE risen)[1:10] AS worst,
        list(uids[1] ORDER BY median_us / base_us DESC, peer) FILTER (WHERE risen)[1:20] AS uids
    FROM judged
    WHERE kind = 'tcp' AND base_us IS NOT NULL AND peer = network
    GROUP BY orig_h
    HAVING count(*) FILTER (WHERE risen) >= $min_peers AND 2 * count(*) FILTER (WHERE risen) > count(*)
)

SELECT
    orig_h, 'host' AS key, 'tcp' AS kind, CAST(NULL AS VARCHAR) AS server, CAST(NULL AS VARCHAR) AS other_server,
    peers, risen_peers, ratio, median_us, base_us, near_us, base_near_us, CAST(NULL AS BIGINT) AS decile_bucket,
    usual_connections, connections, base_connections, hours, first_us, last_us, worst, uids
FROM hosts
UNION ALL
SELECT
    j.orig_h, concat(CASE WHEN j.kind = 'dns' THEN 'resolver ' ELSE '' END, j.peer) AS key, j.kind, j.server,
    j.other_server, 1 AS peers, CASE WHEN j.risen THEN 1 ELSE 0 END AS risen_peers, j.median_us / j.base_us AS ratio,
    j.median_us, j.base_us, j.near_us, j.base_near_us, j.decile_bucket, j.usual_connections,
    j.connections, j.base_connections, j.hours,
    j.first_us, j.last_us, CAST([] AS VARCHAR[]) AS worst, j.uids
FROM judged AS j
LEFT JOIN hosts AS h ON j.orig_h = h.orig_h AND j.kind = 'tcp'
LEFT JOIN judged AS n
    ON j.peer <> j.network AND j.orig_h = n.orig_h AND j.network = n.peer AND j.kind = n.kind
    AND n.server <> n.other_server
-- A network of one server is that server; and what a network explains is told of none of its servers.
WHERE (j.peer <> j.network OR j.server <> j.other_server)
    AND ((j.risen AND h.orig_h IS NULL AND NOT coalesce(n.risen, false)) OR (j.beyond AND NOT j.risen))
