-- One row per client inside, server outside (address, port, protocol) and name asked for, with a TLS or QUIC handshake.
-- Counts of all clients of the sensor stand beside, so this runs over all of them at once.
WITH
-- Certificates that x509 told of in the hour, by fingerprint (Zeek 5 and later) and by file id (before).
told AS (
    SELECT fingerprint AS id, fingerprint, fuid, certificate_serial, certificate_subject, certificate_issuer,
        certificate_not_valid_before, certificate_not_valid_after, san_dns
    FROM x509
    WHERE fingerprint IS NOT NULL
    UNION ALL
    SELECT fuid AS id, fingerprint, fuid, certificate_serial, certificate_subject, certificate_issuer,
        certificate_not_valid_before, certificate_not_valid_after, san_dns
    FROM x509
    WHERE fuid IS NOT NULL
),
certificates AS (
    SELECT
        id,
        min(certificate_serial) AS serial,
        min(certificate_subject) AS subject,
        min(certificate_issuer) AS issuer,
        min(epoch_us(certificate_not_valid_before)) // 1000000 AS before_s,
        min(epoch_us(certificate_not_valid_after)) // 1000000 AS after_s,
        min(san_dns) AS names
    FROM told
    GROUP BY id
),

-- DTLS is left out: calls between browsers have self-made certificates and no names by design (RFC 8827).
handshakes AS (
    SELECT
        orig_h, resp_h, resp_p, 'tcp' AS proto, uid, ts_us, end_us, version, resumed, established, ja3s,
        coalesce(ja4, ja3) AS fingerprint,
        lower(nullif(rtrim(server_name, '.'), '')) AS name,
        server_domain AS domain,
        coalesce(cert_chain_fps[1], cert_chain_fuids[1]) AS id,
        cert_chain_fps[1] AS sha, cert_serial, cert_names, subject, issuer, self_signed, sni_matches_cert,
        validation_status,
        epoch_us(not_valid_before) // 1000000 AS before_s,
        epoch_us(not_valid_after) // 1000000 AS after_s
    FROM ssl
    WHERE direction = 'outbound' AND resp_p IS NOT NULL AND coalesce(version, '') NOT LIKE 'DTLS%'
    UNION ALL
    -- one row per handshake: Suricata tells of each side's hello
    SELECT
        orig_h, resp_h, resp_p, 'udp' AS proto, uid, min(ts_us) AS ts_us, max(end_us) AS end_us,
        lower(min(version)) AS version, NULL AS resumed, NULL AS established, min(ja3s) AS ja3s,
        coalesce(min(ja4), min(ja3)) AS fingerprint,
        lower(nullif(rtrim(min(server_name), '.'), '')) AS name,
        min(server_domain) AS domain,
        NULL AS id, NULL AS sha, NULL AS cert_serial, NULL AS cert_names, NULL AS subject, NULL AS issuer,
        NULL AS self_signed, NULL AS sni_matches_cert, NULL AS validation_status, NULL AS before_s, NULL AS after_s
    FROM quic
    WHERE direction = 'outbound' AND resp_p IS NOT NULL AND uid IS NOT NULL
    GROUP BY orig_h, resp_h, resp_p, uid
),
sessions AS (
    SELECT
        h.orig_h, h.resp_h, h.resp_p, h.proto, h.name, h.uid, h.ts_us, h.end_us, h.resumed, h.established, h.ja3s,
        h.fingerprint, h.sni_matches_cert, h.validation_status,
        coalesce(h.domain, h.name) AS domain,
        coalesce(h.domain, h.name, concat(h.resp_h, ' ', CAST(h.resp_p AS VARCHAR))) AS place,
        coalesce(h.sha, h.cert_serial, c.serial) AS certificate,
        coalesce(h.proto = 'udp' AND h.version NOT IN ('1', 'quicv2', 'quic v2', '2'), false) AS odd_version,
        coalesce(h.version = 'TLSv13' AND h.id IS NULL AND h.cert_serial IS NULL, false) AS hidden,
        coalesce(h.subject, c.subject) AS subject,
        coalesce(h.issuer, c.issuer) AS issuer,
        coalesce(h.self_signed, c.subject = c.issuer, h.subject = h.issuer) AS self_signed,
        coalesce(h.before_s, c.before_s) AS before_s,
        coalesce(h.after_s, c.after_s) AS after_s,
        -- the name itself, or a wildcard one level above it (RFC 9525 §6.3)
        list_contains(coalesce(h.cert_names, c.names), h.name)
        OR list_contains(coalesce(h.cert_names, c.names), concat('*.', substr(h.name, strpos(h.name, '.') + 1)))
            AS named
    FROM handshakes AS h
    LEFT JOIN certificates AS c ON h.id = c.id
),

-- What the clients of the sensor have in common, in the hour.
fingerprints AS (
    SELECT proto, fingerprint, count(*) AS sessions, count(DISTINCT orig_h) AS clients
    FROM sessions
    WHERE fingerprint IS NOT NULL
    GROUP BY proto, fingerprint
),
answers AS (SELECT proto, ja3s, count(*) AS sessions FROM sessions WHERE ja3s IS NOT NULL GROUP BY proto, ja3s),
places AS (SELECT place, count(DISTINCT orig_h) AS clients FROM sessions GROUP BY place),
clients AS (SELECT orig_h, count(DISTINCT place) AS places FROM sessions GROUP BY orig_h),
everybody AS (
    SELECT
        proto, count(*) AS sessions, count(name) AS named, count(fingerprint) AS fingerprinted, count(ja3s) AS answered
    FROM sessions
    GROUP BY proto
),

pairs AS (
    SELECT
        orig_h,
        resp_h,
        resp_p,
        proto,
        name,
        min(domain) AS domain,
        min(place) AS place,
        count(*) AS sessions,
        count(*) FILTER (WHERE established) AS established,
        count(*) FILTER (WHERE hidden) AS hidden,
        count(*) FILTER (WHERE odd_version) AS odd_versions,
        count(*) FILTER (WHERE resumed) AS resumed,
        count(DISTINCT certificate) AS certificates,
        min(certificate) AS certificate,
        min(subject) AS subject,
        min(issuer) AS issuer,
        count(*) FILTER (WHERE self_signed) AS self_signed,
        count(*) FILTER (WHERE coalesce(sni_matches_cert, named)) AS matched,
        count(*) FILTER (WHERE NOT coalesce(sni_matches_cert, named)) AS mismatched,
        count(*) FILTER (WHERE validation_status = 'ok') AS trusted,
        count(*) FILTER (WHERE validation_status <> 'ok') AS untrusted,
        min(before_s) AS before_s,
        min(after_s) AS after_s,
        CASE WHEN count(fingerprint) = count(*) AND min(fingerprint) = max(fingerprint) THEN min(fingerprint) END
            AS fingerprint,
        CASE WHEN count(ja3s) = count(*) AND min(ja3s) = max(ja3s) THEN min(ja3s) END AS ja3s,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid
    FROM sessions
    GROUP BY orig_h, resp_h, resp_p, proto, name
)

SELECT
    p.orig_h, p.resp_h, p.resp_p, p.proto, p.name, p.domain,
    p.sessions, p.established, p.hidden, p.odd_versions, p.resumed,
    p.certificates, p.certificate, p.subject, p.issuer, p.self_signed, p.matched, p.mismatched, p.trusted,
    p.untrusted, p.before_s, p.after_s,
    p.fingerprint, f.sessions AS fingerprint_sessions, f.clients AS fingerprint_clients, e.fingerprinted,
    p.ja3s, a.sessions AS ja3s_sessions, e.answered AS ja3s_known,
    w.clients AS place_clients, (SELECT count(*) FROM clients) AS clients, c.places AS client_places,
    e.sessions AS all_sessions, e.named AS all_named,
    p.first_us, p.last_us, p.uid
FROM pairs AS p
INNER JOIN places AS w ON p.place = w.place
INNER JOIN clients AS c ON p.orig_h = c.orig_h
INNER JOIN everybody AS e ON p.proto = e.proto
LEFT JOIN fingerprints AS f ON p.proto = f.proto AND p.fingerprint = f.fingerprint
LEFT JOIN answers AS a ON p.proto = a.proto AND p.ja3s = a.ja3s
