-- One row per client with a TLS handshake in the hour. What each column is, with unit, formula and source, is declared
-- in __init__.py. Rarity compares the clients of a sensor, so that this query runs over all of them at once.
WITH
-- What our Zeek script writes into ssl, and Zeek itself into x509.
certificates AS (
    SELECT
        fingerprint,
        min(certificate_subject) AS subject,
        min(certificate_issuer) AS issuer,
        min(epoch_us(certificate_not_valid_before)) AS before_us,
        min(epoch_us(certificate_not_valid_after)) AS after_us,
        min(certificate_key_type) AS key_type,
        min(certificate_key_length) AS key_length
    FROM x509
    WHERE fingerprint IS NOT NULL
    GROUP BY fingerprint
),
sessions AS (
    SELECT
        s.orig_h, s.resp_h, s.resp_p, s.uid, s.ts_us, s.end_us, s.ja3, s.ja3s, s.ja4, s.resumed, s.established,
        s.sni_matches_cert, s.next_protocol, s.server_name, s.version, s.validation_status,
        -- not the mere numbers of EVE
        CASE WHEN contains(s.cipher, '_') THEN upper(s.cipher) END AS cipher,
        coalesce(s.cert_chain_fps[1], s.cert_serial) AS certificate,
        coalesce(s.issuer, c.issuer) AS issuer,
        coalesce(s.self_signed, c.subject = c.issuer) AS self_signed,
        coalesce(epoch_us(s.not_valid_before), c.before_us) AS before_us,
        coalesce(epoch_us(s.not_valid_after), c.after_us) AS after_us,
        lower(coalesce(s.cert_key_type, c.key_type)) AS key_type,
        coalesce(s.cert_key_length, c.key_length) AS key_length
    FROM ssl AS s
    LEFT JOIN certificates AS c ON s.cert_chain_fps[1] = c.fingerprint
    WHERE s.orig_h IS NOT NULL AND (coalesce(s.orig_internal, true) OR NOT coalesce(s.resp_internal, false))
),
judged AS (
    SELECT
        *,
        -- days, whole; a certificate without an end (RFC 5280 §4.1.2.5) is cut at 1,000 years
        CASE WHEN after_us >= before_us THEN least((after_us - before_us) // 86400000000, 365000) END AS days,
        CASE WHEN before_us IS NOT NULL THEN least(greatest((ts_us - before_us) // 86400000000, 0), 365000) END AS age,
        ts_us < before_us OR ts_us > after_us AS out_of_time,
        CASE WHEN key_type = 'rsa' OR key_type = 'dsa' THEN key_length < 2048
            WHEN key_type IS NOT NULL THEN key_length < 224 END AS weak_key,
        version IN ('SSLv2', 'SSLv3', 'TLSv10', 'TLSv11') AS old_version,
        regexp_matches(cipher, '_(RC4|RC2|DES|DES40|3DES|IDEA|NULL|EXPORT|EXPORT1024|ANON|MD5)(_|$)') AS weak_cipher,
        -- the names of TLS 1.3 tell no key exchange (no _WITH_): it always has forward secrecy
        contains(cipher, '_WITH_') AND NOT regexp_matches(cipher, '_(ECDHE|DHE|ECDH_ANON|DH_ANON)_') AS no_secrecy
    FROM sessions
),

-- How many clients share a fingerprint or a name: hosts of it, of all hosts that have any.
ja3_hosts AS (SELECT ja3, count(DISTINCT orig_h) AS hosts FROM sessions WHERE ja3 IS NOT NULL GROUP BY ja3),
ja3s_hosts AS (SELECT ja3s, count(DISTINCT orig_h) AS hosts FROM sessions WHERE ja3s IS NOT NULL GROUP BY ja3s),
ja4_hosts AS (SELECT ja4, count(DISTINCT orig_h) AS hosts FROM sessions WHERE ja4 IS NOT NULL GROUP BY ja4),
name_hosts AS (
    SELECT lower(server_name) AS server_name, count(DISTINCT orig_h) AS hosts
    FROM sessions
    WHERE server_name IS NOT NULL
    GROUP BY lower(server_name)
),
everybody AS (
    SELECT
        count(DISTINCT orig_h) FILTER (WHERE ja3 IS NOT NULL) AS ja3,
        count(DISTINCT orig_h) FILTER (WHERE ja3s IS NOT NULL) AS ja3s,
        count(DISTINCT orig_h) FILTER (WHERE ja4 IS NOT NULL) AS ja4,
        count(DISTINCT orig_h) FILTER (WHERE server_name IS NOT NULL) AS names
    FROM sessions
),
rarities AS (
    SELECT
        s.orig_h,
        sum(j3.hosts) / nullif(count(j3.hosts), 0) AS ja3_mean,
        min(j3.hosts) AS ja3_least,
        sum(js.hosts) / nullif(count(js.hosts), 0) AS ja3s_mean,
        sum(j4.hosts) / nullif(count(j4.hosts), 0) AS ja4_mean,
        min(j4.hosts) AS ja4_least,
        sum(n.hosts) / nullif(count(n.hosts), 0) AS name_mean
    FROM sessions AS s
    LEFT JOIN ja3_hosts AS j3 ON s.ja3 = j3.ja3
    LEFT JOIN ja3s_hosts AS js ON s.ja3s = js.ja3s
    LEFT JOIN ja4_hosts AS j4 ON s.ja4 = j4.ja4
    LEFT JOIN name_hosts AS n ON lower(s.server_name) = n.server_name
    GROUP BY s.orig_h
),

hosts AS (
    SELECT
        orig_h,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid,
        count(*) AS sessions,
        CASE WHEN count(resp_h) > 0 THEN count(DISTINCT resp_h) END AS servers,
        CASE WHEN count(server_name) > 0 THEN count(DISTINCT lower(server_name)) END AS names,
        1 - count(nullif(server_name, '')) / count(*) AS nameless,
        CASE WHEN count(ja3) > 0 THEN count(DISTINCT ja3) END AS ja3s_of_client,
        CASE WHEN count(ja4) > 0 THEN count(DISTINCT ja4) END AS ja4s_of_client,
        CASE WHEN count(certificate) > 0 THEN count(DISTINCT certificate) END AS certificates,
        count(DISTINCT certificate) / nullif(count(DISTINCT resp_h) FILTER (WHERE certificate IS NOT NULL), 0)
            AS diversity,
        CASE WHEN count(issuer) > 0 THEN count(DISTINCT issuer) END AS issuers,
        count(*) FILTER (WHERE self_signed) / nullif(count(self_signed), 0) AS self_signed,
        count(*) FILTER (WHERE NOT sni_matches_cert) / nullif(count(sni_matches_cert), 0) AS mismatched,
        count(*) FILTER (WHERE validation_status <> 'ok') / nullif(count(validation_status), 0) AS invalid,
        count(*) FILTER (WHERE out_of_time) / nullif(count(out_of_time), 0) AS out_of_time,
        sum(days) / nullif(count(days), 0) AS days_mean,
        min(days) AS days_min,
        max(days) AS days_max,
        sum(age) / nullif(count(age), 0) AS age_mean,
        count(*) FILTER (WHERE weak_key) / nullif(count(weak_key), 0) AS weak_key,
        count(*) FILTER (WHERE resumed) / nullif(count(resumed), 0) AS resumed,
        count(*) FILTER (WHERE NOT established) / nullif(count(established), 0) AS failed,
        count(*) FILTER (WHERE old_version) / nullif(count(old_version), 0) AS old_version,
        count(*) FILTER (WHERE weak_cipher) / nullif(count(weak_cipher), 0) AS weak_cipher,
        count(*) FILTER (WHERE no_secrecy) / nullif(count(no_secrecy), 0) AS no_secrecy,
        count(*) FILTER (WHERE resp_p NOT IN (443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 8443))
        / nullif(count(resp_p), 0) AS odd_port
    FROM judged
    GROUP BY orig_h
)

SELECT
    h.orig_h,
    h.first_us,
    h.last_us,
    h.uid,
    h.sessions AS tls_sessions,
    h.servers AS tls_servers,
    h.names AS tls_names,
    h.nameless AS tls_nameless_share,
    1 - r.name_mean / nullif(e.names, 0) AS tls_name_rarity,
    h.ja3s_of_client AS tls_ja3_count,
    1 - r.ja3_mean / nullif(e.ja3, 0) AS tls_ja3_rarity,
    1 - r.ja3_least / nullif(e.ja3, 0) AS tls_ja3_rarity_max,
    1 - r.ja3s_mean / nullif(e.ja3s, 0) AS tls_ja3s_rarity,
    h.ja4s_of_client AS tls_ja4_count,
    1 - r.ja4_mean / nullif(e.ja4, 0) AS tls_ja4_rarity,
    1 - r.ja4_least / nullif(e.ja4, 0) AS tls_ja4_rarity_max,
    h.certificates AS tls_certificates,
    h.diversity AS tls_certificate_diversity,
    h.issuers AS tls_issuers,
    h.self_signed AS tls_self_signed_share,
    h.mismatched AS tls_name_mismatch_share,
    h.invalid AS tls_invalid_share,
    h.out_of_time AS tls_out_of_time_share,
    h.days_mean AS tls_validity_mean,
    h.days_min AS tls_validity_min,
    h.days_max AS tls_validity_max,
    h.age_mean AS tls_certificate_age_mean,
    h.weak_key AS tls_weak_key_share,
    h.resumed AS tls_resumed_share,
    h.failed AS tls_failed_share,
    h.old_version AS tls_old_version_share,
    h.weak_cipher AS tls_weak_cipher_share,
    h.no_secrecy AS tls_no_forward_secrecy_share,
    h.odd_port AS tls_odd_port_share
FROM hosts AS h
INNER JOIN rarities AS r ON h.orig_h = r.orig_h
CROSS JOIN everybody AS e
