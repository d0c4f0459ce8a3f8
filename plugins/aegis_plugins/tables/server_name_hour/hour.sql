-- One row per client, server name and server with a request or handshake in the hour. An act is the first request or
-- handshake of a connection under a name, and any later one that comes more than 5 s after the one before: what a
-- client does at one moment is one act, and a beacon inside a connection that stays open is as many as it sends.
WITH
-- The name as the client wrote it, without port and final dot; where it wrote none, the server's address.
requests AS (
    SELECT
        orig_h, resp_h, resp_p, 'tcp' AS proto, resp_internal, direction, uid, ts_us,
        lower(coalesce(nullif(host, ''), resp_h)) AS host,
        -- a request that names the whole URI, or a tunnel, is one to a proxy (RFC 9110 §9.3.6, RFC 9112 §3.2.2)
        coalesce(method = 'CONNECT' OR lower(uri) LIKE 'http://%', false) AS proxied,
        false AS tls,
        octet_length(encode(coalesce(uri, ''))) + coalesce(request_body_len, 0) AS size
    FROM http
    UNION ALL
    SELECT
        s.orig_h, s.resp_h, s.resp_p, 'tcp' AS proto, s.resp_internal, s.direction, s.uid, s.ts_us,
        lower(s.server_name) AS host, false AS proxied, true AS tls, c.orig_ip_bytes AS size
    FROM ssl AS s LEFT JOIN conn AS c ON s.uid = c.uid
    WHERE s.server_name <> ''
    UNION ALL
    SELECT
        q.orig_h, q.resp_h, q.resp_p, 'udp' AS proto, q.resp_internal, q.direction, q.uid, q.ts_us,
        lower(q.server_name) AS host, false AS proxied, true AS tls, c.orig_ip_bytes AS size
    FROM quic AS q LEFT JOIN conn AS c ON q.uid = c.uid
    WHERE q.server_name <> ''
),

named AS (
    SELECT
        orig_h, resp_h, resp_p, proto, resp_internal, direction, uid, ts_us, proxied, tls, size,
        CASE
            WHEN host LIKE '[%' THEN split_part(substr(host, 2), ']', 1)  -- [v6]:port
            WHEN host LIKE '%:%:%' THEN host  -- v6
            ELSE rtrim(split_part(host, ':', 1), '.')
        END AS name
    FROM requests
),

-- Where a tunnel through a proxy shows the name in TLS, that name leads over CONNECT's.
ordered AS (
    SELECT
        *,
        max(CAST(proxied AS INTEGER)) OVER (PARTITION BY uid) AS through_proxy,
        max(CAST(tls AS INTEGER)) OVER (PARTITION BY uid) AS has_tls,
        row_number() OVER (PARTITION BY uid ORDER BY tls DESC, ts_us, name) AS nth,
        lag(ts_us) OVER (PARTITION BY uid, name, tls ORDER BY ts_us) AS before_us
    FROM named
)

SELECT
    orig_h,
    name,
    resp_h,
    resp_p,
    proto,
    bool_or(coalesce(resp_internal, false)) AS resp_internal,
    max(direction) AS direction,
    max(through_proxy) = 1 AS proxied,
    max(has_tls) = 1 AS tls,
    count(*) FILTER (WHERE nth = 1) AS connections,
    count(*) AS requests,
    count(*) FILTER (WHERE acted) AS acts,
    min(ts_us) AS first_us,
    max(ts_us) AS last_us,
    CASE WHEN count(*) FILTER (WHERE acted) <= 3600
        THEN list_sort(list(ts_us // 1000) FILTER (WHERE acted)) END AS starts_ms,
    CASE WHEN count(*) FILTER (WHERE acted) <= 3600
        THEN list_sort(list(size) FILTER (WHERE acted AND size IS NOT NULL)) END AS sizes,
    min(uid) AS uid
FROM (
    SELECT *, coalesce(ts_us - before_us > 5000000, true) AS acted
    FROM ordered
    WHERE tls OR NOT proxied OR has_tls = 0
)
GROUP BY orig_h, name, resp_h, resp_p, proto
