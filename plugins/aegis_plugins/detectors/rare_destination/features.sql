-- Destinations outside that the whole network called for the first time in the last 24 h, one client each, and about
-- which more is odd than that: a row per client with all of its own.
WITH
recent AS (
    SELECT
        key,
        bool_or(by_name) AS by_name,
        bool_or(resolved) AS resolved,
        min(least_client) AS least_client,
        max(most_client) AS most_client,
        min(least_server) AS least_server,
        max(servers) AS servers,
        min(least_port) AS least_port,
        max(most_port) AS most_port,
        max(most_proto) AS proto,
        CAST(sum(connections) AS BIGINT) AS connections,
        count(*) AS hours,
        CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(sum(received_bytes) AS BIGINT) AS received_bytes,
        max(longest_us) AS longest_us,
        bool_or(self_signed) AS self_signed,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        max(hour_us) AS hour_us,
        min(uid) AS uid
    FROM destination_hour
    WHERE hour_us >= $window_end - 86400000000
    GROUP BY key
    HAVING min(least_client) = max(most_client)
),

-- Since when anything is known: hours before these 24, and those of them with rows: a third of the least, for the
-- nights.
watched AS (
    SELECT
        greatest(0, ($window_end - 86400000000 - coalesce(min(hour_us), $window_end)) // 3600000000) AS past_h,
        count(DISTINCT hour_us) AS past_hours
    FROM destination_hour
    WHERE hour_us < $window_end - 86400000000
),

-- A server that was called by a name once is none that is new by its address.
known AS (
    SELECT key FROM destination_hour WHERE hour_us < $window_end - 86400000000
    UNION
    SELECT least_server AS key FROM destination_hour WHERE hour_us < $window_end - 86400000000
),

new AS (
    SELECT
        r.*,
        CASE WHEN r.sent_bytes >= $min_upload_bytes AND r.sent_bytes >= 3 * r.received_bytes
            THEN 1 ELSE 0 END AS upload,
        CASE WHEN r.longest_us >= CAST($min_long_s AS BIGINT) * 1000000 THEN 1 ELSE 0 END AS long,
        CASE WHEN r.hours >= $min_hours AND r.connections >= $min_connections THEN 1 ELSE 0 END AS repeated,
        CASE WHEN r.self_signed THEN 1 ELSE 0 END AS own_issuer,
        CASE WHEN list_contains($usual_ports, r.most_port) THEN 0 ELSE 1 END AS odd_port,
        CASE WHEN r.resolved THEN 0 ELSE 1 END AS nameless
    FROM recent AS r
    CROSS JOIN watched AS w
    LEFT JOIN known AS k ON r.key = k.key
    WHERE k.key IS NULL AND w.past_h >= $min_history_h AND 3 * w.past_hours >= $min_history_h
),

rated AS (
    SELECT *, 4 * upload + 3 * long + 3 * repeated + 3 * own_issuer + 2 * odd_port + 2 * nameless AS points
    FROM new
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY least_client ORDER BY points DESC, sent_bytes DESC, key) AS nth
    FROM rated
)

SELECT
    r.least_client AS orig_h,
    count(*) AS new_destinations,
    count(*) FILTER (WHERE r.points >= $min_points) AS odd_destinations,
    max(r.points) AS points,
    -- of the oddest
    max(CASE WHEN r.nth = 1 THEN r.key END) AS key,
    bool_or(r.nth = 1 AND r.by_name) AS by_name,
    max(CASE WHEN r.nth = 1 AND r.servers = 1 THEN r.least_server END) AS resp_h,
    max(CASE WHEN r.nth = 1 AND r.least_port = r.most_port THEN r.most_port END) AS resp_p,
    max(CASE WHEN r.nth = 1 THEN r.proto END) AS proto,
    max(CASE WHEN r.nth = 1 THEN r.connections END) AS connections,
    max(CASE WHEN r.nth = 1 THEN r.hours END) AS hours,
    max(CASE WHEN r.nth = 1 THEN r.sent_bytes END) AS sent_bytes,
    max(CASE WHEN r.nth = 1 THEN r.received_bytes END) AS received_bytes,
    max(CASE WHEN r.nth = 1 THEN r.longest_us END) AS longest_us,
    max(CASE WHEN r.nth = 1 THEN r.upload END) AS upload,
    max(CASE WHEN r.nth = 1 THEN r.long END) AS long,
    max(CASE WHEN r.nth = 1 THEN r.repeated END) AS repeated,
    max(CASE WHEN r.nth = 1 THEN r.own_issuer END) AS own_issuer,
    max(CASE WHEN r.nth = 1 THEN r.odd_port END) AS odd_port,
    max(CASE WHEN r.nth = 1 THEN r.nameless END) AS nameless,
    list(r.key ORDER BY r.nth) FILTER (WHERE r.nth <= 10 AND r.points >= $min_points) AS top,
    list(r.uid ORDER BY r.nth) FILTER (WHERE r.nth <= 10 AND r.points >= $min_points AND r.uid IS NOT NULL) AS uids,
    min(CASE WHEN r.points >= $min_points THEN r.first_us END) AS first_us,
    max(CASE WHEN r.points >= $min_points THEN r.last_us END) AS last_us,
    w.past_h
FROM ranked AS r
CROSS JOIN watched AS w
GROUP BY r.least_client, w.past_h
HAVING max(r.points) >= $min_points
    AND max(CASE WHEN r.points >= $min_points THEN r.hour_us END) >= $window_end - 3600000000
