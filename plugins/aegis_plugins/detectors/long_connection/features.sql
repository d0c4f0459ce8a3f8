-- Connections that lasted, closed or still open: one row per connection that ended or was seen open in the window, or
-- of which a piece ended in it.
WITH
-- Pieces of connections that a silence cut. Where the server speaks first after it, Zeek takes it for the client: the
-- side with the port of a client (32768 and above, as Linux and Windows choose them) is put right.
sided AS (
    SELECT *, begun_us IS NULL AND orig_p < 32768 AND resp_p >= 32768 AS turned
    FROM lasting_hour
    WHERE orig_p IS NOT NULL AND coalesce(direction, '') <> 'internal'
),
righted AS (
    SELECT
        CASE WHEN turned THEN resp_h ELSE orig_h END AS orig_h,
        CASE WHEN turned THEN resp_p ELSE orig_p END AS orig_p,
        CASE WHEN turned THEN orig_h ELSE resp_h END AS resp_h,
        CASE WHEN turned THEN orig_p ELSE resp_p END AS resp_p,
        CASE WHEN turned THEN resp_internal ELSE orig_internal END AS orig_internal,
        CASE WHEN turned THEN orig_internal ELSE resp_internal END AS resp_internal,
        CASE WHEN turned THEN resp_bytes ELSE orig_bytes END AS orig_bytes,
        CASE WHEN turned THEN orig_bytes ELSE resp_bytes END AS resp_bytes,
        CASE WHEN turned THEN resp_pkts ELSE orig_pkts END AS orig_pkts,
        CASE WHEN turned THEN orig_pkts ELSE resp_pkts END AS resp_pkts,
        CASE
            WHEN turned AND direction = 'inbound' THEN 'outbound'
            WHEN turned AND direction = 'outbound' THEN 'inbound'
            ELSE direction
        END AS direction,
        coalesce(begun_us, first_us) AS first_us,
        begun_us, last_us, hour_us, service, community_id, connections, uid
    FROM sided
),
-- In order: one belongs to the one before where it shows no beginning and comes within `max_silence_s`. Without what
-- waits in silence by design, push channels and mail boxes.
going_on AS (
    SELECT DISTINCT orig_h, orig_p, resp_h, resp_p
    FROM righted
    WHERE hour_us >= $window_start AND NOT list_contains($push_ports, resp_p)
),
pieces AS (
    SELECT
        r.*,
        lag(r.last_us) OVER (PARTITION BY r.orig_h, r.orig_p, r.resp_h, r.resp_p ORDER BY r.hour_us, r.first_us)
            AS before_us
    FROM righted AS r
    INNER JOIN going_on AS g
        ON r.orig_h = g.orig_h AND r.orig_p = g.orig_p AND r.resp_h = g.resp_h AND r.resp_p = g.resp_p
),
numbered AS (
    SELECT
        *,
        sum(CASE
            WHEN begun_us IS NULL AND first_us - before_us <= CAST($max_silence_s AS BIGINT) * 1000000 THEN 0
            ELSE 1
        END) OVER (
            PARTITION BY orig_h, orig_p, resp_h, resp_p ORDER BY hour_us, first_us ROWS UNBOUNDED PRECEDING
        ) AS run
    FROM pieces
),
-- Where no beginning is to be seen, the day stands for it, so that it is one alert a day and not one an hour.
joined AS (
    SELECT
        orig_h, orig_p, resp_h, resp_p,
        min(CASE WHEN begun_us = first_us THEN uid END) AS head_uid,
        min(uid) AS least_uid,
        min(first_us) AS ts_us,
        max(last_us) AS end_us,
        CASE WHEN count(begun_us) > 0 THEN min(first_us) ELSE max(last_us) // 86400000000 * 86400000000 END AS start_us,
        max(service) AS service,
        max(direction) AS direction,
        bool_or(orig_internal) AS orig_internal,
        bool_or(resp_internal) AS resp_internal,
        CAST(sum(orig_bytes) AS BIGINT) AS orig_bytes,
        CAST(sum(resp_bytes) AS BIGINT) AS resp_bytes,
        CAST(sum(orig_pkts) AS BIGINT) AS orig_pkts,
        CAST(sum(resp_pkts) AS BIGINT) AS resp_pkts,
        max(community_id) AS community_id,
        CAST(sum(connections) AS BIGINT) AS pieces
    FROM numbered
    GROUP BY orig_h, orig_p, resp_h, resp_p, run
    HAVING sum(connections) > 1 AND max(hour_us) >= $window_start
        AND max(last_us) - min(first_us) >= CAST($min_duration_s AS BIGINT) * 1000000
),

-- Not what lasts by design: ICMP, UDP services that are polled from one socket, multicast and broadcast.
lasting AS (
    SELECT
        orig_h, orig_p, resp_h, resp_p, 'tcp' AS proto, coalesce(head_uid, least_uid) AS uid, ts_us, end_us, start_us,
        service, CAST(NULL AS VARCHAR) AS conn_state, direction, orig_internal, resp_internal, orig_bytes, resp_bytes,
        orig_pkts, resp_pkts, community_id, 0 AS still_open, pieces
    FROM joined
    UNION ALL
    SELECT
        orig_h, orig_p, resp_h, resp_p, proto, uid, ts_us, end_us, ts_us AS start_us, service, conn_state, direction,
        orig_internal, resp_internal, orig_bytes, resp_bytes, orig_pkts, resp_pkts, community_id, 0 AS still_open,
        1 AS pieces
    FROM conn
    -- `duration`, which says nearly the same, alone decides quickly that most rows are none of these
    WHERE duration > $min_duration_s - 1
        AND end_us >= $window_start AND end_us - ts_us >= CAST($min_duration_s AS BIGINT) * 1000000
    UNION ALL
    SELECT
        orig_h, orig_p, resp_h, resp_p, proto, uid, ts_us, end_us, ts_us AS start_us, service, conn_state, direction,
        orig_internal, resp_internal, orig_bytes, resp_bytes, orig_pkts, resp_pkts, community_id, 1 AS still_open,
        1 AS pieces
    FROM open_conn
    WHERE end_us >= $window_start AND end_us - ts_us >= CAST($min_duration_s AS BIGINT) * 1000000
),

-- The closed row, or else the newest snapshot; whole rather than a piece of it.
ranked AS (
    SELECT
        l.*,
        row_number() OVER (
            PARTITION BY l.orig_h, l.orig_p, l.resp_h, l.resp_p, l.proto, l.start_us // 1000000
            ORDER BY l.still_open, l.end_us DESC, l.uid
        ) AS nth
    FROM lasting AS l
    LEFT JOIN joined AS j
        ON l.pieces = 1 AND l.proto = 'tcp' AND l.orig_h = j.orig_h AND l.orig_p = j.orig_p AND l.resp_h = j.resp_h
        AND l.resp_p = j.resp_p AND l.ts_us > j.ts_us AND l.ts_us < j.end_us
    WHERE j.orig_h IS NULL AND l.proto <> 'icmp'
        AND NOT (l.proto = 'udp' AND (list_contains($skip_udp_ports, l.resp_p) OR coalesce(l.service, '') = 'dns'))
        AND l.resp_h NOT LIKE 'ff%'
        AND NOT regexp_matches(l.resp_h, '^(0|22[4-9]|23[0-9]|255)\.')
),
longest AS (
    SELECT * FROM ranked WHERE nth = 1
),

-- The names under which the client asked for the server, TLS and QUIC before HTTP.
named AS (
    SELECT l.uid, s.server_name AS tls_name, CAST(NULL AS VARCHAR) AS http_host
    FROM longest AS l INNER JOIN ssl AS s ON l.uid = s.uid
    UNION ALL
    SELECT l.uid, s.server_name AS tls_name, CAST(NULL AS VARCHAR) AS http_host
    FROM longest AS l INNER JOIN open_ssl AS s ON l.uid = s.uid
    UNION ALL
    SELECT l.uid, q.server_name AS tls_name, CAST(NULL AS VARCHAR) AS http_host
    FROM longest AS l INNER JOIN quic AS q ON l.uid = q.uid
    UNION ALL
    SELECT l.uid, CAST(NULL AS VARCHAR) AS tls_name, h.host AS http_host
    FROM longest AS l INNER JOIN http AS h ON l.uid = h.uid
    UNION ALL
    SELECT l.uid, CAST(NULL AS VARCHAR) AS tls_name, h.host AS http_host
    FROM longest AS l INNER JOIN open_http AS h ON l.uid = h.uid
),
names AS (
    SELECT uid, min(nullif(lower(tls_name), '')) AS tls_name, min(nullif(lower(http_host), '')) AS http_host
    FROM named
    GROUP BY uid
),

-- What is usual: the longest connection of the pair in the days before, and of anyone to the port.
past AS (
    SELECT
        h.orig_h, h.resp_h, h.resp_p, h.proto, max(h.longest_us) AS longest_us,
        count(DISTINCT ($window_start - h.hour_us - 1) // 86400000000) AS days
    FROM lasting_hour AS h
    INNER JOIN (SELECT DISTINCT orig_h, resp_h, resp_p, proto FROM longest) AS l
        ON h.orig_h = l.orig_h AND h.resp_h = l.resp_h AND h.resp_p = l.resp_p AND h.proto = l.proto
    WHERE h.hour_us < $window_start
    GROUP BY h.orig_h, h.resp_h, h.resp_p, h.proto
),
services AS (
    SELECT h.resp_p, h.proto, count(DISTINCT h.orig_h) AS clients, max(h.longest_us) AS longest_us
    FROM lasting_hour AS h
    INNER JOIN (SELECT DISTINCT resp_p, proto FROM longest) AS l ON h.resp_p = l.resp_p AND h.proto = l.proto
    WHERE h.hour_us < $window_start
    GROUP BY h.resp_p, h.proto
),
watched AS (
    SELECT greatest(0, ($window_start - coalesce(min(hour_us), $window_start)) // 3600000000) AS past_h
    FROM lasting_hour
)

SELECT
    l.orig_h, l.orig_p, l.resp_h, l.resp_p, l.proto, l.uid, l.service, l.conn_state, l.direction, l.orig_internal,
    l.resp_internal, l.community_id, l.still_open, l.start_us,
    l.ts_us AS first_us,
    l.end_us AS last_us,
    l.pieces,  -- rows of conn
    l.orig_bytes,  -- payload, by TCP sequence numbers
    l.resp_bytes,
    l.orig_pkts,
    l.resp_pkts,
    n.tls_name,
    n.http_host,  -- may hold a port
    w.past_h,
    CASE WHEN p.days >= $min_pair_days THEN p.longest_us END AS pair_longest_us,
    CASE WHEN s.clients >= $min_clients THEN s.longest_us END AS service_longest_us
FROM longest AS l
CROSS JOIN watched AS w
LEFT JOIN names AS n ON l.uid = n.uid
LEFT JOIN past AS p ON l.orig_h = p.orig_h AND l.resp_h = p.resp_h AND l.resp_p = p.resp_p AND l.proto = p.proto
LEFT JOIN services AS s ON l.resp_p = s.resp_p AND l.proto = s.proto
