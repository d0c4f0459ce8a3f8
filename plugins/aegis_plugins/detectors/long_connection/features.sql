-- Connections that lasted, closed or still open: one row per connection that ended or was seen open in the window.
WITH
-- Not what lasts by design: ICMP, UDP services that are polled from one socket, multicast and broadcast.
lasting AS (
    SELECT
        orig_h, orig_p, resp_h, resp_p, proto, uid, ts_us, end_us, service, conn_state, direction, orig_internal,
        resp_internal, orig_bytes, resp_bytes, orig_pkts, resp_pkts, community_id, 0 AS still_open
    FROM conn
    WHERE end_us >= $window_start AND end_us - ts_us >= CAST($min_duration_s AS BIGINT) * 1000000
    UNION ALL
    SELECT
        orig_h, orig_p, resp_h, resp_p, proto, uid, ts_us, end_us, service, conn_state, direction, orig_internal,
        resp_internal, orig_bytes, resp_bytes, orig_pkts, resp_pkts, community_id, 1 AS still_open
    FROM open_conn
    WHERE end_us >= $window_start AND end_us - ts_us >= CAST($min_duration_s AS BIGINT) * 1000000
),

-- The closed row, or else the newest snapshot.
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY orig_h, orig_p, resp_h, resp_p, proto, ts_us // 1000000
            ORDER BY still_open, end_us DESC, uid
        ) AS nth
    FROM lasting
    WHERE proto <> 'icmp'
        AND NOT (proto = 'udp' AND (list_contains($skip_udp_ports, resp_p) OR coalesce(service, '') = 'dns'))
        AND resp_h NOT LIKE 'ff%'
        AND NOT regexp_matches(resp_h, '^(0|22[4-9]|23[0-9]|255)\.')
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
)

SELECT
    l.orig_h, l.orig_p, l.resp_h, l.resp_p, l.proto, l.uid, l.service, l.conn_state, l.direction, l.orig_internal,
    l.resp_internal, l.community_id, l.still_open,
    l.ts_us AS first_us,
    l.end_us AS last_us,
    l.orig_bytes,  -- payload, by TCP sequence numbers
    l.resp_bytes,
    l.orig_pkts,
    l.resp_pkts,
    n.tls_name,
    n.http_host  -- may hold a port
FROM longest AS l
LEFT JOIN names AS n ON l.uid = n.uid
