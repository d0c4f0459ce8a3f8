-- The server's certificate of a handshake that showed one (TLS 1.2 and before). The fingerprint is SHA-1, Zeek's SHA-256.
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    replace(tls.fingerprint, ':', '') AS fingerprint,
    replace(tls.serial, ':', '') AS certificate_serial,
    zeek_name(tls.subject) AS certificate_subject,
    zeek_name(tls.issuerdn) AS certificate_issuer,
    sane_time(TRY_CAST(tls.notbefore AS TIMESTAMP) AT TIME ZONE 'UTC') AS certificate_not_valid_before,
    sane_time(TRY_CAST(tls.notafter AS TIMESTAMP) AT TIME ZONE 'UTC') AS certificate_not_valid_after,
    tls.subjectaltname AS san_dns,
    true AS host_cert,
    false AS client_cert
FROM events
WHERE tls.fingerprint IS NOT NULL OR tls.subject IS NOT NULL
