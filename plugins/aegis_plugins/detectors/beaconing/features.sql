-- How often and how evenly a client called: one row per client and key. The key is the server's name (SNI, Host) where
-- names are known, else address:port/proto, or the address alone where its ports change. Reads only what the hours
-- keep; lists are opened for candidates alone.
WITH
-- Connections that showed a server's name, per client and socket of the server.
told AS (
    SELECT orig_h, resp_h, resp_p, proto, sum(connections) AS named
    FROM server_name_hour
    GROUP BY orig_h, resp_h, resp_p, proto
),

every_socket AS (
    SELECT
        orig_h, resp_h, resp_p, proto, sum(dials) AS dials, max(hour_us) AS hour_us, min(first_us) AS first_us,
        max(last_us) AS last_us
    FROM pair_hour
    WHERE proto IN ('tcp', 'udp')
        AND ($inside OR NOT resp_internal)
        AND NOT list_contains($skip_ports, resp_p)
        AND NOT (proto = 'udp' AND list_contains($skip_udp_ports, resp_p))
        -- this network, loopback, link-local, multicast, reserved, broadcast (RFC 6890, RFC 4291)
        AND NOT regexp_matches(
            resp_h,
            '^(0|127|169[.]254|22[4-9]|23[0-9]|24[0-9]|25[0-5])[.]|^::1?$|^fe[89ab][0-9a-f]:|^ff[0-9a-f][0-9a-f]:'
        )
    GROUP BY orig_h, resp_h, resp_p, proto
),

-- Servers called on ports that change, each of them time and again (once each is a scan), none mostly.
many_ports AS (
    SELECT orig_h, resp_h, sum(dials) AS dials
    FROM every_socket
    GROUP BY orig_h, resp_h
    HAVING sum(dials) >= $min_dials
        AND count(*) BETWEEN 2 AND $most_ports
        AND sum(dials) >= 4 * count(*)
        AND 3 * max(dials) <= 2 * sum(dials)
        AND max(hour_us) >= $window_end - 3600000000
        AND max(last_us) - min(first_us) >= $min_span_s * 1000000
),

-- A socket gives way to its names where they tell of half of its connections or more: a web server, a proxy.
unnamed AS (
    SELECT s.orig_h, s.resp_h, s.resp_p, s.proto
    FROM every_socket AS s
    LEFT JOIN told AS t
        ON s.orig_h = t.orig_h AND s.resp_h = t.resp_h AND s.resp_p = t.resp_p AND s.proto = t.proto
    WHERE 2 * coalesce(t.named, 0) < s.dials
        -- calls enough, over time enough (or more calls in less), and a row in the last hour
        AND s.dials >= $min_dials
        AND s.hour_us >= $window_end - 3600000000
        AND (
            s.last_us - s.first_us >= $min_span_s * 1000000
            OR (
                s.proto = 'tcp' AND s.dials >= $min_short_dials
                AND s.last_us - s.first_us >= $min_short_span_s * 1000000
            )
        )
),

unnamed_hosts AS (
    SELECT m.orig_h, m.resp_h
    FROM many_ports AS m
    LEFT JOIN (SELECT orig_h, resp_h, sum(named) AS named FROM told GROUP BY orig_h, resp_h) AS t
        ON m.orig_h = t.orig_h AND m.resp_h = t.resp_h
    WHERE 2 * coalesce(t.named, 0) < m.dials
),

-- Names with acts enough, likewise. What a proxy of ours is asked for lies outside.
names AS (
    SELECT orig_h, name
    FROM server_name_hour
    WHERE (proxied OR $inside OR NOT resp_internal) AND NOT list_contains($skip_ports, resp_p)
    GROUP BY orig_h, name
    HAVING sum(acts) >= $min_dials
        AND max(hour_us) >= $window_end - 3600000000
        AND (
            max(last_us) - min(first_us) >= $min_span_s * 1000000
            OR (
                sum(acts) >= $min_short_dials AND max(last_us) - min(first_us) >= $min_short_span_s * 1000000
            )
        )
),

-- Whom to look at, each with a number, which is less to sort by than addresses and names are.
candidates AS (
    SELECT
        *,
        row_number() OVER (ORDER BY kind, orig_h, server, resp_p, proto) AS id,
        CASE
            WHEN kind = 'socket' THEN concat(server, ':', CAST(resp_p AS VARCHAR), '/', proto)
            WHEN kind = 'ports' THEN concat(server, ':*')
            ELSE server
        END AS key
    FROM (
        SELECT orig_h, resp_h AS server, resp_p, proto, 'socket' AS kind FROM unnamed
        UNION ALL
        SELECT orig_h, resp_h AS server, NULL AS resp_p, NULL AS proto, 'ports' AS kind FROM unnamed_hosts
        UNION ALL
        SELECT orig_h, name AS server, NULL AS resp_p, NULL AS proto, 'name' AS kind FROM names
    ) AS found
),

each_hour AS (
    SELECT
        c.id, h.resp_h, h.resp_p, h.proto, h.direction, 0 AS proxied, h.connections, h.dials AS calls, h.answered,
        h.starts_ms, h.sizes, h.sizes AS ip_sizes, h.first_us, h.last_us, h.uid, h.hour_us, h.lookups, h.lookup_name
    FROM pair_hour AS h
    INNER JOIN candidates AS c
        ON h.orig_h = c.orig_h AND h.resp_h = c.server AND h.resp_p = c.resp_p AND h.proto = c.proto
    WHERE c.kind = 'socket'
    UNION ALL
    SELECT
        c.id, h.resp_h, h.resp_p, h.proto, h.direction, 0 AS proxied, h.connections, h.dials AS calls, h.answered,
        h.starts_ms, h.sizes, h.sizes AS ip_sizes, h.first_us, h.last_us, h.uid, h.hour_us, h.lookups, h.lookup_name
    FROM pair_hour AS h
    INNER JOIN candidates AS c ON h.orig_h = c.orig_h AND h.resp_h = c.server
    WHERE c.kind = 'ports'
        AND h.proto IN ('tcp', 'udp')
        AND NOT list_contains($skip_ports, h.resp_p)
        AND NOT (h.proto = 'udp' AND list_contains($skip_udp_ports, h.resp_p))
    UNION ALL
    SELECT
        c.id, h.resp_h, h.resp_p, h.proto, h.direction, CASE WHEN h.proxied THEN 1 ELSE 0 END AS proxied,
        h.requests AS connections, h.acts AS calls, CAST(NULL AS BIGINT) AS answered,
        h.starts_ms, h.sizes, h.ip_sizes, h.first_us, h.last_us, h.uid, h.hour_us, h.lookups,
        CAST(NULL AS VARCHAR) AS lookup_name
    FROM server_name_hour AS h
    INNER JOIN candidates AS c ON h.orig_h = c.orig_h AND h.name = c.server
    WHERE c.kind = 'name' AND (h.proxied OR $inside OR NOT h.resp_internal)
        AND NOT list_contains($skip_ports, h.resp_p)
),

-- The newest hours until there are `most_calls`: so many tell the rhythm, and more would only cost.
busy AS (
    SELECT id
    FROM each_hour
    GROUP BY id
    HAVING sum(calls) > $most_calls
),

enough AS (
    SELECT id, min(hour_us) AS from_us
    FROM (
        SELECT
            h.id, h.hour_us, h.calls,
            sum(h.calls) OVER (PARTITION BY h.id ORDER BY h.hour_us DESC)
            - sum(h.calls) OVER (PARTITION BY h.id, h.hour_us) AS newer
        FROM each_hour AS h
        INNER JOIN busy AS b ON h.id = b.id
        WHERE h.starts_ms IS NOT NULL
    ) AS counted
    WHERE newer < $most_calls
    GROUP BY id
),

hours AS (
    SELECT h.*
    FROM each_hour AS h
    LEFT JOIN enough AS e ON h.id = e.id
    WHERE e.from_us IS NULL OR h.hour_us >= e.from_us
),

-- Every start, and how long after the one before; what starts within `least_gap_s` belongs to the same call.
starts AS (
    SELECT id, start_ms, start_ms - lag(start_ms) OVER (PARTITION BY id ORDER BY start_ms) AS since_ms
    FROM (SELECT id, unnest(starts_ms) AS start_ms FROM hours) AS opened
    WHERE start_ms * 1000 >= $window_start
),

-- Several connections a call: a third of the gaps or more are under a quarter of a long gap (the ninth decile), and few
-- lie near that quarter. Then what starts within the quarter is the same call.
paces AS (
    SELECT id, quantile_cont(since_ms, 0.9) / 4 AS burst_ms
    FROM starts
    WHERE since_ms >= $least_gap_s * 1000
    GROUP BY id
),

silences AS (
    SELECT
        s.id,
        -- ms without a start that come before a call
        CASE
            WHEN 3 * count(*) FILTER (WHERE s.since_ms < p.burst_ms) >= count(*)
                AND 10 * count(*) FILTER (WHERE s.since_ms >= p.burst_ms / 4 AND s.since_ms < p.burst_ms) <= count(*)
                THEN max(p.burst_ms)
            ELSE $least_gap_s * 1000
        END AS silence_ms
    FROM starts AS s
    INNER JOIN paces AS p ON s.id = p.id
    WHERE s.since_ms >= $least_gap_s * 1000
    GROUP BY s.id
),

calls AS (
    SELECT
        s.id,
        s.start_ms,
        p.silence_ms,
        s.start_ms - lag(s.start_ms) OVER (PARTITION BY s.id ORDER BY s.start_ms) AS gap_ms
    FROM starts AS s
    INNER JOIN silences AS p ON s.id = p.id
    WHERE s.since_ms IS NULL OR s.since_ms >= p.silence_ms
),

gaps AS (
    SELECT
        id,
        count(*) AS dials,  -- calls in the window
        max(silence_ms) AS silence_ms,
        min(start_ms) AS first_ms,  -- ms since the epoch
        max(start_ms) AS last_ms,  -- ms since the epoch
        count(DISTINCT start_ms // 3600000) AS hours,  -- hours of the clock with a call
        -- ms between one call and the next: deciles, and quartiles (as RITA does)
        quantile_cont(gap_ms, 0.1) AS gap_d1_ms,
        quantile_cont(gap_ms, 0.25) AS gap_q1_ms,
        quantile_cont(gap_ms, 0.5) AS gap_median_ms,
        quantile_cont(gap_ms, 0.75) AS gap_q3_ms,
        quantile_cont(gap_ms, 0.9) AS gap_d9_ms
    FROM calls
    GROUP BY id
    HAVING count(*) >= $min_dials
        AND (
            max(start_ms) - min(start_ms) >= $min_span_s * 1000
            OR (count(*) >= $min_short_dials AND max(start_ms) - min(start_ms) >= $min_short_span_s * 1000)
        )
),

gap_spread AS (
    SELECT
        c.id,
        -- ms: median distance of a gap from the median gap
        quantile_cont(abs(c.gap_ms - g.gap_median_ms), 0.5) AS gap_mad_ms,
        -- ms of the span that lie in gaps of up to twice the median, in which no call was left out
        CAST(coalesce(sum(c.gap_ms) FILTER (WHERE c.gap_ms <= 2 * g.gap_median_ms), 0) AS BIGINT) AS steady_ms,
        -- pauses of more than five times the median: nights, sleep; their number and ms
        count(*) FILTER (WHERE c.gap_ms > 5 * g.gap_median_ms) AS pauses,
        CAST(coalesce(sum(c.gap_ms) FILTER (WHERE c.gap_ms > 5 * g.gap_median_ms), 0) AS BIGINT) AS paused_ms
    FROM calls AS c
    INNER JOIN gaps AS g ON c.id = g.id
    GROUP BY c.id
),

-- Calls in each hour with one, but the first and the last, which are cut: does the pace stay the same?
hour_calls AS (
    SELECT c.id, c.start_ms // 3600000 AS hour, count(*) AS calls
    FROM calls AS c
    INNER JOIN gaps AS g ON c.id = g.id
    WHERE g.gap_median_ms <= 900000
        AND c.start_ms // 3600000 > g.first_ms // 3600000
        AND c.start_ms // 3600000 < g.last_ms // 3600000
    GROUP BY c.id, c.start_ms // 3600000
),

levels AS (
    SELECT id, quantile_cont(calls, 0.5) AS hour_median
    FROM hour_calls
    GROUP BY id
    HAVING count(*) >= 3
),

level_spread AS (
    SELECT
        h.id, max(l.hour_median) AS hour_median, quantile_cont(abs(h.calls - l.hour_median), 0.5) AS hour_mad
    FROM hour_calls AS h
    INNER JOIN levels AS l ON h.id = l.id
    GROUP BY h.id
),

each_size AS (
    SELECT id, size
    FROM (SELECT id, unnest(sizes) AS size FROM hours) AS opened
),

sizes AS (
    SELECT id, quantile_cont(size, 0.5) AS size_median  -- bytes that the client sent in a connection
    FROM each_size
    GROUP BY id
),

size_spread AS (
    SELECT s.id, quantile_cont(abs(s.size - m.size_median), 0.5) AS size_mad  -- bytes
    FROM each_size AS s
    INNER JOIN sizes AS m ON s.id = m.id
    GROUP BY s.id
),

-- DNS queries for the name, or answered with the address: once an hour, whatever the sockets behind it.
lookups AS (
    SELECT id, CAST(sum(queries) AS BIGINT) AS lookups, max(lookup_name) AS lookup_name
    FROM (
        SELECT id, hour_us, max(lookups) AS queries, min(lookup_name) AS lookup_name
        FROM hours
        GROUP BY id, hour_us
    ) AS hourly
    GROUP BY id
),

about AS (
    SELECT
        id,
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
    GROUP BY id
),

each AS (
    SELECT
        c.id, c.orig_h, c.key, c.kind, c.server, CASE WHEN c.kind = 'name' THEN c.server END AS name,
        -- 1: a run that is shorter than a rhythm must be to be sure of it
        CASE WHEN g.last_ms - g.first_ms - d.paused_ms < $min_span_s * 1000 THEN 1 ELSE 0 END AS short,
        a.servers, a.ports, a.protos, a.direction, a.proxied,
        a.connections, a.answered, a.first_us, a.last_us, a.examples, g.dials, g.silence_ms,
        g.last_ms - g.first_ms AS span_ms, g.hours, g.gap_d1_ms, g.gap_q1_ms, g.gap_median_ms, g.gap_q3_ms,
        g.gap_d9_ms, d.gap_mad_ms, d.steady_ms, d.pauses, d.paused_ms, m.size_median, z.size_mad, l.hour_median,
        l.hour_mad, q.lookups, q.lookup_name
    FROM gaps AS g
    INNER JOIN candidates AS c ON g.id = c.id
    INNER JOIN gap_spread AS d ON g.id = d.id
    INNER JOIN about AS a ON g.id = a.id
    LEFT JOIN sizes AS m ON g.id = m.id
    LEFT JOIN size_spread AS z ON g.id = z.id
    LEFT JOIN level_spread AS l ON g.id = l.id
    LEFT JOIN lookups AS q ON g.id = q.id
    WHERE g.last_ms - g.first_ms - d.paused_ms >= $min_span_s * 1000
        -- a short run: of TCP or under a name, of equal sizes (MAD up to 5 % of the median), mostly answered
        OR (
            (c.kind = 'name' OR (c.kind = 'socket' AND c.proto = 'tcp'))
            AND g.dials >= $min_short_dials
            AND g.last_ms - g.first_ms - d.paused_ms >= $min_short_span_s * 1000
            AND 20 * z.size_mad <= m.size_median
            AND 2 * coalesce(a.answered, a.connections) >= a.connections
        )
),

-- A client that keeps an even pace with many servers that have no name is a peer among peers: one finding, not many.
peers AS (
    SELECT id, orig_h
    FROM each
    WHERE kind = 'socket' AND short = 0 AND gap_mad_ms < 0.35 * gap_median_ms
),

crowds AS (
    SELECT orig_h
    FROM peers
    GROUP BY orig_h
    HAVING count(*) >= $crowd
),

-- How even gaps are, 0-2: twice the score's `timing` if there were many. What is cut here could not reach `min_score`.
timed AS (
    SELECT
        *,
        greatest(0, 1 - gap_mad_ms / (0.694 * greatest(1, gap_median_ms - silence_ms)))
        + greatest(0, 1 - (gap_d9_ms - gap_d1_ms) / (3.17 * greatest(1, gap_median_ms - silence_ms))) AS evenness
    FROM each
    WHERE (kind = 'name' OR orig_h NOT IN (SELECT orig_h FROM crowds))
        AND steady_ms >= $min_score * $min_score * (span_ms - paused_ms)
),

-- Of short runs a few at a time: who makes many of them works that way.
short_runs AS (
    SELECT orig_h, count(*) AS runs
    FROM timed
    WHERE short = 1
    GROUP BY orig_h
),

-- Of a server whose ports change, either all ports together or each alone: whichever is more even.
sides AS (
    SELECT
        orig_h,
        server,
        max(evenness) FILTER (WHERE kind = 'ports') AS together,
        max(evenness) FILTER (WHERE kind = 'socket') AS alone
    FROM timed
    WHERE kind <> 'name' AND short = 0
    GROUP BY orig_h, server
),

kept AS (
    SELECT t.*
    FROM timed AS t
    LEFT JOIN sides AS s ON t.kind <> 'name' AND t.orig_h = s.orig_h AND t.server = s.server
    LEFT JOIN short_runs AS r ON t.short = 1 AND t.orig_h = r.orig_h
    WHERE t.evenness >= 2 * $min_score * $min_score
        AND CASE
            WHEN t.short = 1 THEN s.together IS NULL AND r.runs <= 3
            WHEN t.kind = 'name' THEN true
            WHEN t.kind = 'ports' THEN s.together >= coalesce(s.alone, 0)
            ELSE s.together IS NULL OR s.together < coalesce(s.alone, 0)
        END
),

-- What RITA's formula takes: whole seconds in which a call began, and what the client sent in each connection.
seconds AS (
    SELECT id, list_sort(list(DISTINCT start_ms // 1000)) AS starts_s
    FROM (
        SELECT h.id, unnest(h.starts_ms) AS start_ms
        FROM each_hour AS h
        INNER JOIN kept AS k ON h.id = k.id
    ) AS opened
    WHERE start_ms * 1000 >= $window_start
    GROUP BY id
),

ip_sizes AS (
    SELECT id, list_sort(list(size)) AS ip_sizes
    FROM (
        SELECT h.id, unnest(h.ip_sizes) AS size
        FROM each_hour AS h
        INNER JOIN kept AS k ON h.id = k.id
    ) AS opened
    GROUP BY id
),

-- The span of the sensor's rows in the window, from which RITA cuts its histogram.
data AS (
    SELECT greatest(min(first_us), $window_start) // 1000000 AS data_first_s, max(last_us) // 1000000 AS data_last_s
    FROM server_hour
),

-- Who else calls it: the most clients of an hour. The table is whole in every shard.
known AS (
    SELECT
        server,
        max(clients) AS clients,
        min(greatest(first_us, $window_start)) AS seen_us  -- the first call of any client in the window
    FROM server_hour
    WHERE server IN (SELECT server FROM kept)
    GROUP BY server
),

everybody AS (
    SELECT max(all_clients) AS all_clients
    FROM server_hour
)

SELECT
    k.orig_h, k.key, k.kind, k.name, k.short, k.servers, k.ports, k.protos, k.direction, k.proxied, k.connections,
    k.answered,
    k.first_us, k.last_us, k.examples, 1 AS peers, k.dials, k.silence_ms, k.span_ms, k.hours, k.gap_d1_ms,
    k.gap_q1_ms, k.gap_median_ms, k.gap_q3_ms, k.gap_d9_ms, k.gap_mad_ms, k.steady_ms, k.pauses, k.paused_ms,
    k.size_median, k.size_mad, k.hour_median, k.hour_mad, k.lookups, k.lookup_name, s.starts_s, z.ip_sizes,
    d.data_first_s, d.data_last_s, w.clients, v.all_clients, w.seen_us
FROM kept AS k
INNER JOIN seconds AS s ON k.id = s.id
LEFT JOIN ip_sizes AS z ON k.id = z.id
LEFT JOIN known AS w ON k.server = w.server
CROSS JOIN data AS d
CROSS JOIN everybody AS v
WHERE k.short = 0 OR w.clients <= $most_short_clients
UNION ALL
-- of a crowd's members, sums of counts and medians of all else
SELECT
    e.orig_h,
    'peers' AS key,
    'peers' AS kind,
    CAST(NULL AS VARCHAR) AS name,
    0 AS short,
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
    quantile_cont(e.silence_ms, 0.5) AS silence_ms,
    quantile_cont(e.span_ms, 0.5) AS span_ms,
    max(e.hours) AS hours,
    quantile_cont(e.gap_d1_ms, 0.5) AS gap_d1_ms,
    quantile_cont(e.gap_q1_ms, 0.5) AS gap_q1_ms,
    quantile_cont(e.gap_median_ms, 0.5) AS gap_median_ms,
    quantile_cont(e.gap_q3_ms, 0.5) AS gap_q3_ms,
    quantile_cont(e.gap_d9_ms, 0.5) AS gap_d9_ms,
    quantile_cont(e.gap_mad_ms, 0.5) AS gap_mad_ms,
    quantile_cont(e.steady_ms, 0.5) AS steady_ms,
    quantile_cont(e.pauses, 0.5) AS pauses,
    quantile_cont(e.paused_ms, 0.5) AS paused_ms,
    quantile_cont(e.size_median, 0.5) AS size_median,
    quantile_cont(e.size_mad, 0.5) AS size_mad,
    quantile_cont(e.hour_median, 0.5) AS hour_median,
    quantile_cont(e.hour_mad, 0.5) AS hour_mad,
    CAST(sum(e.lookups) AS BIGINT) AS lookups,
    max(e.lookup_name) AS lookup_name,
    CAST(NULL AS BIGINT[]) AS starts_s,
    CAST(NULL AS BIGINT[]) AS ip_sizes,
    CAST(NULL AS BIGINT) AS data_first_s,
    CAST(NULL AS BIGINT) AS data_last_s,
    CAST(NULL AS BIGINT) AS clients,
    CAST(NULL AS BIGINT) AS all_clients,
    CAST(NULL AS BIGINT) AS seen_us
FROM each AS e
INNER JOIN peers AS p ON e.id = p.id
WHERE e.orig_h IN (SELECT orig_h FROM crowds)
GROUP BY e.orig_h
