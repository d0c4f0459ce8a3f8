-- One row per server's address, and one per server's name, that was called in the hour.
WITH
asked AS (
    SELECT
        orig_h, lower(nullif(host, '')) AS host, ts_us,
        -- what a proxy of ours is asked for lies outside
        NOT coalesce(resp_internal, false) OR method = 'CONNECT' OR lower(uri) LIKE 'http://%' AS outside
    FROM http
    UNION ALL
    SELECT orig_h, lower(nullif(server_name, '')) AS host, ts_us, NOT coalesce(resp_internal, false) AS outside FROM ssl
    UNION ALL
    SELECT orig_h, lower(nullif(server_name, '')) AS host, ts_us, NOT coalesce(resp_internal, false) AS outside
    FROM quic
),

-- Per server and client first, so that the distinct clients of all are counted over few rows.
called AS (
    SELECT
        resp_h AS server, orig_h, count(*) AS connections, min(ts_us) AS first_us, max(ts_us) AS last_us,
        max(CASE WHEN coalesce(resp_internal, false) THEN 0 ELSE 1 END) AS outside
    FROM conn
    WHERE resp_h IS NOT NULL
    GROUP BY resp_h, orig_h
    UNION ALL
    SELECT
        -- without port and final dot, as `server_name_hour` writes a name; an address is in conn already
        CASE WHEN host LIKE '%:%:%' THEN NULL ELSE rtrim(split_part(host, ':', 1), '.') END AS server,
        orig_h, count(*) AS connections, min(ts_us) AS first_us, max(ts_us) AS last_us,
        max(CASE WHEN outside THEN 1 ELSE 0 END) AS outside
    FROM asked
    WHERE NOT regexp_matches(host, '^[0-9.]+(:[0-9]+)?$')
    GROUP BY 1, orig_h
),

everybody AS (
    SELECT count(DISTINCT orig_h) AS all_clients
    FROM called
    WHERE outside = 1
)

SELECT
    c.server,
    count(*) AS clients,
    max(e.all_clients) AS all_clients,
    CAST(sum(c.connections) AS BIGINT) AS connections,
    min(c.first_us) AS first_us,
    max(c.last_us) AS last_us
FROM called AS c
CROSS JOIN everybody AS e
WHERE c.server IS NOT NULL
GROUP BY c.server
