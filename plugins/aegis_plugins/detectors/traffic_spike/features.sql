-- Hosts inside, and the whole link (host null), whose last hour is far from the same hours of the two weeks before: one
-- row each. `octaves` are doublings: log2((value + least) / (usual + least)), `least` being the tunable least for it.
WITH
-- The hours in which the sensor saw anything. The hour before the last is no past: a rise may have begun in it.
hours AS (
    SELECT DISTINCT hour_us, ($window_end - 3600000000 - hour_us) // 3600000000 AS ago_h
    FROM host_hour
    WHERE host IS NULL
),

-- Who is looked at: who moves much now, or did in half of the hours of the past week.
busy AS (
    SELECT coalesce(host, '') AS host
    FROM host_hour
    GROUP BY coalesce(host, '')
    HAVING max(CASE WHEN hour_us >= $window_end - 3600000000
            AND (sent_bytes + received_bytes >= $min_bytes OR packets >= $min_packets
                OR begun + served >= $min_connections) THEN 1 ELSE 0 END) = 1
        OR sum(CASE WHEN hour_us < $window_end - 7200000000 AND hour_us >= $window_end - 612000000000
            AND sent_bytes + received_bytes >= $min_bytes THEN 2 ELSE 0 END)
        > (SELECT count(*) FROM hours WHERE ago_h BETWEEN 2 AND 169)
),

counted AS (
    SELECT
        b.host, h.hour_us, h.sent_bytes, h.received_bytes, h.begun, h.served, h.packets, h.first_us, h.last_us, h.uid,
        ($window_end - 3600000000 - h.hour_us) // 3600000000 AS ago_h
    FROM host_hour AS h
    INNER JOIN busy AS b ON coalesce(h.host, '') = b.host
),

known AS (
    SELECT host, max(ago_h) AS since_h
    FROM counted
    GROUP BY host
),

-- Each of them in each hour since it was first seen; an hour without a row of it is zero.
filled AS (
    SELECT
        k.host,
        w.ago_h,
        coalesce(c.sent_bytes, 0) + coalesce(c.received_bytes, 0) AS bytes,
        coalesce(c.packets, 0) AS packets,
        coalesce(c.begun, 0) + coalesce(c.served, 0) AS connections
    FROM known AS k
    INNER JOIN hours AS w ON w.ago_h <= k.since_h
    LEFT JOIN counted AS c ON k.host = c.host AND w.ago_h = c.ago_h
),

series AS (
    SELECT host, ago_h, 'bytes' AS metric, bytes AS value, CAST($min_bytes AS BIGINT) AS least FROM filled
    UNION ALL
    SELECT host, ago_h, 'packets' AS metric, packets AS value, CAST($min_packets AS BIGINT) AS least FROM filled
    UNION ALL
    SELECT host, ago_h, 'connections' AS metric, connections AS value, CAST($min_connections AS BIGINT) AS least
    FROM filled
),

-- The same hour of the day, an hour more or less (clocks are put back and forth); of fewer days than `min_days`, all
-- hours.
pasts AS (
    SELECT
        host,
        metric,
        count(DISTINCT CASE WHEN (ago_h + 1) % 24 <= 2 THEN (ago_h + 1) // 24 END) AS days,
        count(*) AS past_hours,
        max(value) AS past_most
    FROM series
    WHERE ago_h >= 2
    GROUP BY host, metric
),
compared AS (
    SELECT
        s.host, s.metric, s.value, s.least, log2(s.value + s.least) AS height,
        CASE WHEN p.days >= $min_days THEN 1 ELSE 0 END AS by_hour
    FROM series AS s
    INNER JOIN pasts AS p ON s.host = p.host AND s.metric = p.metric
    WHERE s.ago_h >= 2
        AND (p.days >= $min_days AND (s.ago_h + 1) % 24 <= 2
            OR p.days < $min_days AND p.past_hours >= $min_history_h)
),
middles AS (
    SELECT
        host,
        metric,
        max(by_hour) AS by_hour,
        count(*) AS samples,
        max(value) AS most,
        quantile_cont(value, 0.1) AS low_end,
        quantile_cont(value, 0.5) AS usual,
        quantile_cont(height, 0.5) AS middle
    FROM compared
    GROUP BY host, metric
),
spreads AS (
    SELECT c.host, c.metric, quantile_cont(abs(c.height - m.middle), 0.5) AS mad
    FROM compared AS c
    INNER JOIN middles AS m ON c.host = m.host AND c.metric = m.metric
    GROUP BY c.host, c.metric
),

-- How far the last hour is from them: a modified z-score (Iglewicz and Hoaglin 1993) of doublings.
judged AS (
    SELECT
        s.host, s.metric, s.value, m.by_hour, m.samples, m.most, m.usual, m.low_end, s.least, p.past_most, p.past_hours,
        p.days,
        log2(s.value + s.least) - m.middle AS octaves,
        (log2(s.value + s.least) - m.middle) / greatest(1.4826 * d.mad, $min_spread) AS z
    FROM series AS s
    INNER JOIN middles AS m ON s.host = m.host AND s.metric = m.metric
    INNER JOIN spreads AS d ON s.host = d.host AND s.metric = d.metric
    INNER JOIN pasts AS p ON s.host = p.host AND s.metric = p.metric
    WHERE s.ago_h = 0
),

-- A rise: far above the middle, and above the most of the same hours; of a host that usually moves little, much more
-- and above the most of all hours, since anybody downloads something at any time. A drop: of a host that had its fill of
-- bytes in nine of ten of them, to a tenth of that.
told AS (
    SELECT *, CASE WHEN octaves > 0 THEN 'rise' ELSE 'drop' END AS turn
    FROM judged
    WHERE (value >= CASE WHEN usual >= least THEN least ELSE $quiet_times * least END
            AND value >= $min_over_most * CASE WHEN usual >= least THEN most ELSE past_most END
            AND z >= $min_deviation AND octaves >= 1)
        OR (metric = 'bytes' AND low_end >= least AND -z >= $min_deviation AND 10 * value <= low_end)
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY host, turn ORDER BY abs(z) DESC, metric) AS nth,
        max(CASE WHEN metric = 'bytes' THEN z END) OVER (PARTITION BY host, turn) AS bytes_z,
        max(CASE WHEN metric = 'packets' THEN z END) OVER (PARTITION BY host, turn) AS packets_z,
        max(CASE WHEN metric = 'connections' THEN z END) OVER (PARTITION BY host, turn) AS connections_z,
        max(CASE WHEN host = '' AND turn = 'drop' THEN 1 ELSE 0 END) OVER () AS all_dropped
    FROM told
),

-- With whom a host moved most in the hour.
peers AS (
    SELECT r.host, p.resp_h AS peer, p.resp_p AS port, p.proto, p.orig_ip_bytes + p.resp_ip_bytes AS bytes, p.uid
    FROM ranked AS r
    INNER JOIN pair_hour AS p ON r.host = p.orig_h
    WHERE r.nth = 1 AND p.hour_us >= $window_end - 3600000000
    UNION ALL
    SELECT r.host, p.orig_h AS peer, p.resp_p AS port, p.proto, p.orig_ip_bytes + p.resp_ip_bytes AS bytes, p.uid
    FROM ranked AS r
    INNER JOIN pair_hour AS p ON r.host = p.resp_h
    WHERE r.nth = 1 AND p.hour_us >= $window_end - 3600000000
),
tops AS (
    SELECT *, row_number() OVER (PARTITION BY host ORDER BY bytes DESC, peer, port, proto) AS nth
    FROM peers
),

seen AS (
    SELECT
        host,
        max(ago_h) AS since_h,
        min(CASE WHEN ago_h = 0 THEN first_us END) AS first_us,
        max(CASE WHEN ago_h = 0 THEN last_us END) AS last_us,
        max(CASE WHEN ago_h > 0 THEN last_us END) AS before_us,
        min(CASE WHEN ago_h = 0 THEN uid END) AS uid,
        max(CASE WHEN ago_h > 0 THEN uid END) AS before_uid,
        sum(CASE WHEN ago_h = 0 THEN sent_bytes ELSE 0 END) AS sent_bytes,
        sum(CASE WHEN ago_h = 0 THEN received_bytes ELSE 0 END) AS received_bytes
    FROM counted
    GROUP BY host
),
link AS (
    SELECT last_us FROM host_hour WHERE host IS NULL AND hour_us >= $window_end - 3600000000
)

SELECT
    nullif(r.host, '') AS orig_h,
    r.turn,
    r.metric,
    r.value,
    r.usual,  -- the median of the same hours
    r.most,  -- the greatest of them
    r.past_most,  -- the greatest of all hours
    r.low_end,
    r.least,
    r.samples,
    r.by_hour,
    r.days,
    r.past_hours,
    r.octaves,
    r.z,
    r.bytes_z,
    r.packets_z,
    r.connections_z,
    CAST(s.sent_bytes AS BIGINT) AS sent_bytes,
    CAST(s.received_bytes AS BIGINT) AS received_bytes,
    t.peer,
    t.port,
    t.proto,
    t.bytes AS peer_bytes,
    coalesce(s.first_us, s.before_us) AS first_us,
    coalesce(s.last_us, l.last_us) AS last_us,
    coalesce(t.uid, s.uid, s.before_uid) AS uid
FROM ranked AS r
INNER JOIN seen AS s ON r.host = s.host
CROSS JOIN link AS l
LEFT JOIN tops AS t ON r.host = t.host AND t.nth = 1 AND r.turn = 'rise'
-- Where the whole link fell silent, that is told, and of no host.
WHERE r.nth = 1 AND NOT (r.all_dropped = 1 AND r.turn = 'drop' AND r.host <> '')
