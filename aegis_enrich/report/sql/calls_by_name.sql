-- When a client asked for this name: requests over HTTP, handshakes of TLS and QUIC.
WITH
asked AS (
    SELECT
        ts_us, uid,
        CASE
            WHEN lower(coalesce(nullif(host, ''), resp_h)) LIKE '%:%:%' THEN lower(coalesce(nullif(host, ''), resp_h))
            ELSE rtrim(split_part(lower(coalesce(nullif(host, ''), resp_h)), ':', 1), '.')
        END AS name
    FROM http
    WHERE orig_h = $client
    UNION ALL
    SELECT ts_us, uid, rtrim(lower(server_name), '.') AS name FROM ssl WHERE orig_h = $client
    UNION ALL
    SELECT ts_us, uid, rtrim(lower(server_name), '.') AS name FROM quic WHERE orig_h = $client
)
SELECT ts_us, '' AS server
FROM asked
WHERE name = $name AND ts_us BETWEEN $first_us AND $last_us
ORDER BY ts_us DESC, uid
LIMIT $most
