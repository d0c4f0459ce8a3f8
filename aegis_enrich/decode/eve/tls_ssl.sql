-- A handshake. Whether it was completed, its curve and its history are not in EVE: null.
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    src_port AS orig_p,
    dest_ip AS resp_h,
    dest_port AS resp_p,
    CASE tls.version
        WHEN 'TLS 1.3' THEN 'TLSv13'
        WHEN 'TLS 1.2' THEN 'TLSv12'
        WHEN 'TLS 1.1' THEN 'TLSv11'
        WHEN 'TLS 1.0' THEN 'TLSv10'
        WHEN 'TLSv1' THEN 'TLSv10'
        WHEN 'UNDETERMINED' THEN NULL
        ELSE tls.version
    END AS version,
    -- its number; in Suricata 7 the second field of what JA3S hashes
    coalesce(tls.server_handshake.cipher, nullif(split_part(tls.ja3s.string, ',', 2), '')) AS cipher,
    tls.sni AS server_name,
    coalesce(tls.session_resumed, false) AS resumed,
    tls.server_alpns[1] AS next_protocol,
    if(tls.fingerprint IS NULL, NULL, [replace(tls.fingerprint, ':', '')]) AS cert_chain_fps,
    if(tls.client.fingerprint IS NULL, NULL, [replace(tls.client.fingerprint, ':', '')]) AS client_cert_chain_fps,
    zeek_name(tls.subject) AS subject,
    zeek_name(tls.issuerdn) AS issuer,
    zeek_name(tls.client.subject) AS client_subject,
    zeek_name(tls.client.issuerdn) AS client_issuer,
    sane_time(TRY_CAST(tls.notbefore AS TIMESTAMP) AT TIME ZONE 'UTC') AS not_valid_before,
    sane_time(TRY_CAST(tls.notafter AS TIMESTAMP) AT TIME ZONE 'UTC') AS not_valid_after,
    tls.ja3.hash AS ja3,
    tls.ja3s.hash AS ja3s,
    tls.ja4 AS ja4,
    upper(replace(tls.serial, ':', '')) AS cert_serial,
    tls.subjectaltname AS cert_names,
    zeek_name(tls.subject) = zeek_name(tls.issuerdn) AS self_signed,
    rest AS extra
FROM events
