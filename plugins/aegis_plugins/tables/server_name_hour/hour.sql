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
        octet_length(encode(coalesce(uri, ''))) + coalesce(request_body_len, 0) AS said
    FROM http
    UNION ALL
    SELECT
        orig_h, resp_h, resp_p, 'tcp' AS proto, resp_internal, direction, uid, ts_us,
        lower(server_name) AS host, false AS proxied, true AS tls, CAST(NULL AS BIGINT) AS said
    FROM ssl
    WHERE server_name <> ''
    UNION ALL
    SELECT
        orig_h, resp_h, resp_p, 'udp' AS proto, resp_internal, direction, uid, ts_us,
        lower(server_name) AS host, false AS proxied, true AS tls, CAST(NULL AS BIGINT) AS said
    FROM quic
    WHERE server_name <> ''
),

named AS (
    SELECT
        r.orig_h, r.resp_h, r.resp_p, r.proto, r.resp_internal, r.direction, r.uid, r.ts_us, r.proxied, r.tls,
        coalesce(r.said, c.orig_ip_bytes) AS size,
        c.orig_ip_bytes AS ip_size,
        CASE
            WHEN r.host LIKE '[%' THEN split_part(substr(r.host, 2), ']', 1)  -- [v6]:port
            WHEN r.host LIKE '%:%:%' THEN r.host  -- v6
            ELSE rtrim(split_part(r.host, ':', 1), '.')
        END AS name
    FROM requests AS r
    LEFT JOIN conn AS c ON r.uid = c.uid
),

-- Where a tunnel through a proxy shows the name in TLS, that name leads over CONNECT's.
ordered AS (
    SELECT
        *,
        max(CAST(proxied AS INTEGER)) OVER (PARTITION BY uid) AS through_proxy,
        max(CAST(tls AS INTEGER)) OVER (PARTITION BY uid) AS has_tls,
        row_number() OVER (PARTITION BY uid ORDER BY tls DESC, ts_us, name, size, ip_size) AS nth,
        lag(ts_us) OVER (PARTITION BY uid, name, tls ORDER BY ts_us, size, ip_size) AS before_us
    FROM named
),

-- How often a client asked DNS for a name: queries of the type that it asked for most, since A and AAAA go together.
typed AS (
    SELECT orig_h, lower(rtrim(query, '.')) AS name, qtype_name, count(*) AS queries
    FROM dns
    WHERE query <> ''
    GROUP BY orig_h, lower(rtrim(query, '.')), qtype_name
),
lookups AS (
    SELECT orig_h, name, max(queries) AS lookups
    FROM typed
    GROUP BY orig_h, name
),

names AS (
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
        -- of the connections that showed this name first, as RITA compares them
        CASE WHEN count(*) FILTER (WHERE acted) <= 3600
            THEN list_sort(list(ip_size) FILTER (WHERE nth = 1 AND ip_size IS NOT NULL)) END AS ip_sizes,
        min(uid) AS uid
    FROM (
        SELECT *, coalesce(ts_us - before_us > 5000000, true) AS acted
        FROM ordered
        WHERE tls OR NOT proxied OR has_tls = 0
    )
    GROUP BY orig_h, name, resp_h, resp_p, proto
)

SELECT
    n.orig_h, n.name, n.resp_h, n.resp_p, n.proto, n.resp_internal, n.direction, n.proxied, n.tls, n.connections,
    n.requests, n.acts, n.first_us, n.last_us, n.starts_ms, n.sizes, n.ip_sizes, n.uid,
    coalesce(l.lookups, 0) AS lookups
FROM names AS n
LEFT JOIN lookups AS l ON n.orig_h = l.orig_h AND n.name = l.name
