-- How often and how evenly a client called: one row per client and key. The key is the server's name (SNI, Host) where
-- names are known, else address:port/proto. Reads only what the hours keep; lists are opened for candidates alone.
WITH
-- Connections that showed a server's name, per client and socket of the server.
told AS (
    SELECT orig_h, resp_h, resp_p, proto, sum(connections) AS named
    FROM server_name_hour
    GROUP BY orig_h, resp_h, resp_p, proto
),

-- Sockets with calls enough, over time enough, and a row in the last hour.
sockets AS (
    SELECT orig_h, resp_h, resp_p, proto, sum(dials) AS dials
    FROM pair_hour
    WHERE proto IN ('tcp', 'udp')
        AND ($inside OR NOT resp_internal)
        AND NOT list_contains($skip_ports, resp_p)
        -- this network, loopback, link-local, multicast, reserved, broadcast (RFC 6890, RFC 4291)
        AND NOT regexp_matches(
            resp_h,
            '^(0|127|169[.]254|22[4-9]|23[0-9]|24[0-9]|25[0-5])[.]|^::1?$|^fe[89ab][0-9a-f]:|^ff[0-9a-f][0-9a-f]:'
        )
    GROUP BY orig_h, resp_h, resp_p, proto
    HAVING sum(dials) >= $min_dials
        AND max(hour_us) >= $window_end - 3600000000
        AND max(last_us) - min(first_us) >= $min_span_s * 1000000
),

-- A socket gives way to its names where they tell of half of its connections or more: a web server, a proxy.
unnamed AS (
    SELECT s.orig_h, s.resp_h, s.resp_p, s.proto
    FROM sockets AS s
    LEFT JOIN told AS t
        ON s.orig_h = t.orig_h AND s.resp_h = t.resp_h AND s.resp_p = t.resp_p AND s.proto = t.proto
    WHERE 2 * coalesce(t.named, 0) < s.dials
),

-- Names with acts enough, likewise. What a proxy of ours is asked for lies outside.
names AS (
    SELECT orig_h, name
    FROM server_name_hour
    WHERE (proxied OR $inside OR NOT resp_internal) AND NOT list_contains($skip_ports, resp_p)
    GROUP BY orig_h, name
    HAVING sum(acts) >= $min_dials
        AND max(hour_us) >= $window_end - 3600000000
        AND max(last_us) - min(first_us) >= $min_span_s * 1000000
),

hours AS (
    SELECT
        h.orig_h, concat(h.resp_h, ':', CAST(h.resp_p AS VARCHAR), '/', h.proto) AS key, CAST(NULL AS VARCHAR) AS name,
        h.resp_h, h.resp_p, h.proto, h.direction, 0 AS proxied, h.connections, h.answered, h.starts_ms, h.sizes,
        h.first_us, h.last_us, h.uid
    FROM pair_hour AS h
    INNER JOIN unnamed AS u
        ON h.orig_h = u.orig_h AND h.resp_h = u.resp_h AND h.resp_p = u.resp_p AND h.proto = u.proto
    UNION ALL
    SELECT
        h.orig_h, h.name AS key, h.name, h.resp_h, h.resp_p, h.proto, h.direction,
        CASE WHEN h.proxied THEN 1 ELSE 0 END AS proxied, h.requests AS connections, CAST(NULL AS BIGINT) AS answered,
        h.starts_ms, h.sizes, h.first_us, h.last_us, h.uid
    FROM server_name_hour AS h
    INNER JOIN names AS n ON h.orig_h = n.orig_h AND h.name = n.name
    WHERE (h.proxied OR $inside OR NOT h.resp_internal) AND NOT list_contains($skip_ports, h.resp_p)
),

-- Calls: a start within `least_gap_s` of the one before belongs to the same call.
starts AS (
    SELECT orig_h, key, start_ms, start_ms - lag(start_ms) OVER (PARTITION BY orig_h, key ORDER BY start_ms) AS since_ms
    FROM (SELECT orig_h, key, unnest(starts_ms) AS start_ms FROM hours) AS opened
    WHERE start_ms * 1000 >= $window_start
),

calls AS (
    SELECT orig_h, key, start_ms, start_ms - lag(start_ms) OVER (PARTITION BY orig_h, key ORDER BY start_ms) AS gap_ms
    FROM starts
    WHERE since_ms IS NULL OR since_ms >= $least_gap_s * 1000
),

gaps AS (
    SELECT
        orig_h,
        key,
        count(*) AS dials,  -- calls in the window
        min(start_ms) AS first_ms,  -- ms since the epoch
        max(start_ms) AS last_ms,  -- ms since the epoch
        count(DISTINCT start_ms // 3600000) AS hours,  -- hours of the clock with a call
        -- ms between one call and the next: quartiles (as RITA does)
        quantile_cont(gap_ms, 0.25) AS gap_q1_ms,
        quantile_cont(gap_ms, 0.5) AS gap_median_ms,
        quantile_cont(gap_ms, 0.75) AS gap_q3_ms
    FROM calls
    GROUP BY orig_h, key
    HAVING count(*) >= $min_dials AND max(start_ms) - min(start_ms) >= $min_span_s * 1000
),

gap_spread AS (
    SELECT
        c.orig_h,
        c.key,
        -- ms: median distance of a gap from the median gap
        quantile_cont(abs(c.gap_ms - g.gap_median_ms), 0.5) AS gap_mad_ms,
        -- ms of the span that lie in gaps of up to twice the median, in which no call was left out
        CAST(coalesce(sum(c.gap_ms) FILTER (WHERE c.gap_ms <= 2 * g.gap_median_ms), 0) AS BIGINT) AS steady_ms
    FROM calls AS c
    INNER JOIN gaps AS g ON c.orig_h = g.orig_h AND c.key = g.key
    GROUP BY c.orig_h, c.key
),

each_size AS (
    SELECT orig_h, key, size
    FROM (SELECT orig_h, key, unnest(sizes) AS size FROM hours) AS opened
),

sizes AS (
    SELECT orig_h, key, quantile_cont(size, 0.5) AS size_median  -- bytes that the client sent in a call
    FROM each_size
    GROUP BY orig_h, key
),

size_spread AS (
    SELECT s.orig_h, s.key, quantile_cont(abs(s.size - m.size_median), 0.5) AS size_mad  -- bytes
    FROM each_size AS s
    INNER JOIN sizes AS m ON s.orig_h = m.orig_h AND s.key = m.key
    GROUP BY s.orig_h, s.key
),

about AS (
    SELECT
        orig_h,
        key,
        max(name) AS name,
        list_sort(list(DISTINCT resp_h)) AS servers,
        list_sort(list(DISTINCT resp_p)) AS ports,
        list_sort(list(DISTINCT proto)) AS protos,
        max(direction) AS direction,
        max(proxied) AS proxied,  -- 1: asked through a proxy
        CAST(sum(connections) AS BIGINT) AS connections,  -- rows of conn, or requests and handshakes of a name
        CAST(sum(answered) AS BIGINT) AS answered,  -- rows in which the server sent anything; null for a name
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        -- an example of each hour, in their order
        list_sort(list(DISTINCT concat(lpad(CAST(first_us AS VARCHAR), 20, '0'), ' ', uid))) AS examples
    FROM hours
    GROUP BY orig_h, key
),

each AS (
    SELECT
        a.orig_h, a.key, a.name, a.servers, a.ports, a.protos, a.direction, a.proxied, a.connections, a.answered,
        a.first_us, a.last_us, a.examples, g.dials, g.last_ms - g.first_ms AS span_ms, g.hours, g.gap_q1_ms,
        g.gap_median_ms, g.gap_q3_ms, d.gap_mad_ms, d.steady_ms, m.size_median, z.size_mad
    FROM gaps AS g
    INNER JOIN gap_spread AS d ON g.orig_h = d.orig_h AND g.key = d.key
    INNER JOIN about AS a ON g.orig_h = a.orig_h AND g.key = a.key
    LEFT JOIN sizes AS m ON g.orig_h = m.orig_h AND g.key = m.key
    LEFT JOIN size_spread AS z ON g.orig_h = z.orig_h AND g.key = z.key
),

-- A client that keeps an even pace with many servers that have no name is a peer among peers: one finding, not many.
peers AS (
    SELECT orig_h, key
    FROM each
    WHERE name IS NULL AND gap_mad_ms < 0.35 * gap_median_ms
),

crowds AS (
    SELECT orig_h
    FROM peers
    GROUP BY orig_h
    HAVING count(*) >= $crowd
)

SELECT
    orig_h, key, name, servers, ports, protos, direction, proxied, connections, answered, first_us, last_us, examples,
    1 AS peers, dials, span_ms, hours, gap_q1_ms, gap_median_ms, gap_q3_ms, gap_mad_ms, steady_ms, size_median, size_mad
FROM each
WHERE name IS NOT NULL OR orig_h NOT IN (SELECT orig_h FROM crowds)
UNION ALL
-- of a crowd's members, sums of counts and medians of all else
SELECT
    e.orig_h,
    'peers' AS key,
    CAST(NULL AS VARCHAR) AS name,
    list_sort(list(DISTINCT e.servers[1])) AS servers,
    list_sort(list(DISTINCT e.ports[1])) AS ports,
    list_sort(list(DISTINCT e.protos[1])) AS protos,
    max(e.direction) AS direction,
    0 AS proxied,
    CAST(sum(e.connections) AS BIGINT) AS connections,
    CAST(sum(e.answered) AS BIGINT) AS answered,
    min(e.first_us) AS first_us,
    max(e.last_us) AS last_us,
    list_sort(list(e.examples[1])) AS examples,
    count(*) AS peers,  -- servers called at an even pace
    CAST(sum(e.dials) AS BIGINT) AS dials,
    quantile_cont(e.span_ms, 0.5) AS span_ms,
    max(e.hours) AS hours,
    quantile_cont(e.gap_q1_ms, 0.5) AS gap_q1_ms,
    quantile_cont(e.gap_median_ms, 0.5) AS gap_median_ms,
    quantile_cont(e.gap_q3_ms, 0.5) AS gap_q3_ms,
    quantile_cont(e.gap_mad_ms, 0.5) AS gap_mad_ms,
    quantile_cont(e.steady_ms, 0.5) AS steady_ms,
    quantile_cont(e.size_median, 0.5) AS size_median,
    quantile_cont(e.size_mad, 0.5) AS size_mad
FROM each AS e
INNER JOIN peers AS p ON e.orig_h = p.orig_h AND e.key = p.key
WHERE e.orig_h IN (SELECT orig_h FROM crowds)
GROUP BY e.orig_h
