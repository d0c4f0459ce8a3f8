-- One event for each side's hello; the server's own has its address as source and, if anything, a JA3S.
WITH sides AS (
    SELECT
        *,
        coalesce(quic.sni, quic.ua, quic.ja3.hash, quic.ja4) IS NULL
        AND (quic.ja3s.hash IS NOT NULL OR src_port < dest_port) AS turned
    FROM events
)
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    if(turned, dest_ip, src_ip) AS orig_h,
    if(turned, dest_port, src_port) AS orig_p,
    if(turned, src_ip, dest_ip) AS resp_h,
    if(turned, src_port, dest_port) AS resp_p,
    quic.version AS version,
    quic.sni AS server_name,
    quic.ja3.hash AS ja3,
    quic.ja3s.hash AS ja3s,
    quic.ja4 AS ja4,
    rest AS extra
FROM sides
