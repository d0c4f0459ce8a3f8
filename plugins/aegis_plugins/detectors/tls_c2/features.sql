-- What a client's TLS with a place outside looks like over 24 h: one row per client and key, the name asked for (SNI),
-- else address:port/tcp. Looked at are only places that show a sign already in one of the hours: certificate, name,
-- port or fingerprint.
WITH
hours AS (
    SELECT
        *,
        coalesce(name, concat(resp_h, ':', CAST(resp_p AS VARCHAR), '/tcp')) AS key
    FROM tls_server_hour
    WHERE proto = 'tcp'
),

-- Certificates that are odd in any way but their subject, in whichever hour they were told of.
odd_certificates AS (
    SELECT DISTINCT orig_h, certificate
    FROM hours
    WHERE certificate IS NOT NULL AND (
        self_signed > 0 OR mismatched > 0 OR untrusted > 0
        OR after_s - before_s < $least_days * 86400 OR after_s - before_s >= ($most_days + 1) * 86400
        OR first_us // 1000000 - before_s < $fresh_days * 86400
    )
),

-- Places called in the last hour, and those of them of which the day shows a sign.
latest AS (
    SELECT DISTINCT orig_h, key
    FROM hours
    WHERE hour_us >= $window_end - 3600000000
),

called AS (
    SELECT
        orig_h, key, certificate, name, odd_port, own_fingerprint, odd_certificate,
        split_part(coalesce(domain, ''), '.', 1) AS name_label
    FROM (
        SELECT
            *,
            NOT list_contains($usual_ports, resp_p) AS odd_port,
            coalesce(fingerprint_sessions = sessions, false) AS own_fingerprint,
            self_signed > 0 OR mismatched > 0 OR untrusted > 0 AS odd_certificate
        FROM hours
        WHERE hour_us >= $window_start AND (orig_h, key) IN (SELECT orig_h, key FROM latest)
    ) AS rows_of_the_day
),

active AS (
    SELECT DISTINCT c.orig_h, c.key
    FROM called AS c
    LEFT JOIN odd_certificates AS o ON c.orig_h = o.orig_h AND c.certificate = o.certificate
    WHERE o.certificate IS NOT NULL OR c.odd_certificate OR c.odd_port OR c.own_fingerprint
        OR c.name IS NULL OR NOT contains(c.name, '.') OR translate(c.name, '0123456789.', '') = ''
        OR length(name_label) >= 8 AND (
            6 * (length(name_label) - length(translate(name_label, 'aeiouy', ''))) <= length(name_label)
            OR regexp_matches(name_label, '[0-9][a-z]+[0-9]+[a-z]+[0-9]')
        )
),

calls AS (
    SELECT
        orig_h,
        key,
        max(name) AS name,
        max(domain) AS domain,
        min(resp_h) AS resp_h,
        count(DISTINCT resp_h) AS servers,
        min(resp_p) AS least_port,
        max(resp_p) AS most_port,
        count(*) FILTER (WHERE NOT list_contains($usual_ports, resp_p)) AS odd_ports,
        CAST(sum(sessions) AS BIGINT) AS sessions,
        CAST(sum(established) AS BIGINT) AS established,
        CAST(sum(hidden) AS BIGINT) AS hidden,
        CAST(sum(resumed) AS BIGINT) AS resumed,
        max(certificates) AS certificates,
        min(certificate) AS certificate,
        min(subject) AS seen_subject,
        min(issuer) AS seen_issuer,
        min(before_s) AS seen_before_s,
        min(after_s) AS seen_after_s,
        CAST(sum(self_signed) AS BIGINT) AS self_signed,
        CAST(sum(matched) AS BIGINT) AS matched,
        CAST(sum(mismatched) AS BIGINT) AS mismatched,
        CAST(sum(trusted) AS BIGINT) AS trusted,
        CAST(sum(untrusted) AS BIGINT) AS untrusted,
        -- one fingerprint in all handshakes; then the handshakes with it, of all clients in the same hours
        CASE WHEN count(fingerprint) = count(*) AND min(fingerprint) = max(fingerprint) THEN min(fingerprint) END
            AS fingerprint,
        CAST(sum(fingerprint_sessions) AS BIGINT) AS fingerprint_sessions,
        max(fingerprint_clients) AS fingerprint_clients,
        CAST(sum(fingerprinted) AS BIGINT) AS fingerprinted,
        CASE WHEN count(ja3s) = count(*) AND min(ja3s) = max(ja3s) THEN min(ja3s) END AS ja3s,
        CAST(sum(ja3s_sessions) AS BIGINT) AS ja3s_sessions,
        CAST(sum(ja3s_known) AS BIGINT) AS ja3s_known,
        max(place_clients) AS place_clients,
        max(clients) AS clients,
        max(client_places) AS client_places,
        count(DISTINCT hour_us) AS hours,
        min(first_us) AS first_us,
        max(last_us) AS last_us
    FROM hours
    WHERE hour_us >= $window_start AND (orig_h, key) IN (SELECT orig_h, key FROM active)
    GROUP BY orig_h, key
),

-- What certificates are, by fingerprint, of all hours: x509 tells of each once a day.
certificates AS (
    SELECT
        orig_h,
        certificate,
        min(subject) AS subject,
        min(issuer) AS issuer,
        min(before_s) AS before_s,
        min(after_s) AS after_s
    FROM hours
    WHERE certificate IN (SELECT certificate FROM calls) AND (subject IS NOT NULL OR before_s IS NOT NULL)
    GROUP BY orig_h, certificate
),

-- Where the rows of the window do not say what the certificate is, those of the hour that did.
shown AS (
    SELECT
        c.*,
        coalesce(c.seen_subject, t.subject) AS subject,
        coalesce(c.seen_issuer, t.issuer) AS issuer,
        coalesce(c.seen_before_s, t.before_s) AS before_s,
        coalesce(c.seen_after_s, t.after_s) AS after_s
    FROM calls AS c
    LEFT JOIN certificates AS t ON c.orig_h = t.orig_h AND c.certificate = t.certificate
),

judged AS (
    SELECT
        c.*,
        c.self_signed > 0 OR coalesce(c.subject = c.issuer, false) AS self_made,
        c.mismatched > 0 AND c.matched = 0 AS misnamed,
        c.untrusted > 0 AND c.trusted = 0 AS distrusted,
        (c.after_s - c.before_s) // 86400 AS valid_days,
        (c.first_us // 1000000 - c.before_s) // 86400 AS age_days,  -- at the first handshake of the window
        c.name IS NULL OR translate(c.name, '0123456789.', '') = '' OR c.name LIKE '%:%' AS nameless,
        c.name IS NOT NULL AND NOT contains(c.name, '.') AS bare_name,
        split_part(coalesce(c.domain, ''), '.', 1) AS name_label,
        split_part(
            replace(replace(split_part(split_part(lower(coalesce(c.subject, '')), 'cn=', 2), ',', 1), 'www.', ''),
                '*.', ''),
            '.', 1
        ) AS subject_label,
        CASE WHEN c.clients >= $min_clients AND c.client_places < $crowd
            THEN c.place_clients <= greatest(1, $rare_share * c.clients) END AS rare,
        -- Chrome's JA3 differs from handshake to handshake, so that each is its own: one must come back often.
        CASE WHEN c.sessions >= 5 AND c.fingerprinted - c.sessions >= $min_others AND c.fingerprint IS NOT NULL
            THEN c.fingerprint_sessions = c.sessions END AS own_fingerprint,
        CASE WHEN c.sessions >= 5 AND c.ja3s_known - c.sessions >= $min_others AND c.ja3s IS NOT NULL
            THEN c.ja3s_sessions = c.sessions END AS own_answer
    FROM shown AS c
),

-- Labels that nobody would choose: eight characters or more of which one in six is a vowel at most, or letters and
-- digits by turns.
spelled AS (
    SELECT
        *,
        length(name_label) >= 8 AND (
            6 * (length(name_label) - length(translate(name_label, 'aeiouy', ''))) <= length(name_label)
            OR regexp_matches(name_label, '[0-9][a-z]+[0-9]+[a-z]+[0-9]')
        ) AS random_name,
        length(subject_label) >= 8 AND (
            6 * (length(subject_label) - length(translate(subject_label, 'aeiouy', ''))) <= length(subject_label)
            OR regexp_matches(subject_label, '[0-9][a-z]+[0-9]+[a-z]+[0-9]')
        ) AS random_subject
    FROM judged
),

tools AS (
    SELECT DISTINCT s.subject
    FROM shown AS s
    INNER JOIN (SELECT unnest($tools) AS part) AS t ON contains(lower(s.subject), lower(t.part))
),

-- A kind of sign counts here where it may be; that the place is rare or new to the client may always be.
candidates AS (
    SELECT *
    FROM spelled
    WHERE subject IN (SELECT subject FROM tools) OR (
        CAST(self_made OR misnamed OR distrusted
            OR coalesce(valid_days < $least_days OR valid_days > $most_days, false)
            OR coalesce(age_days < $fresh_days, false) AS INTEGER)
        + CAST(nameless OR bare_name OR random_name AS INTEGER)
        + CAST(odd_ports > 0 AS INTEGER)
        + CAST(coalesce(own_fingerprint, false) AS INTEGER)
        + CAST(sessions >= $min_sessions AS INTEGER)
    ) >= $min_kinds - 1
),

-- Since when the client is known, and on how many days before it called this place.
known AS (
    SELECT orig_h, greatest(0, ($window_start - min(hour_us)) // 3600000000) AS past_hours
    FROM hours
    WHERE orig_h IN (SELECT orig_h FROM candidates)
    GROUP BY orig_h
),
before AS (
    SELECT h.orig_h, h.key, count(DISTINCT ($window_start - h.hour_us - 1) // 86400000000) AS days
    FROM hours AS h
    INNER JOIN candidates AS c ON h.orig_h = c.orig_h AND h.key = c.key
    WHERE h.hour_us < $window_start
    GROUP BY h.orig_h, h.key
),

examples AS (
    SELECT h.orig_h, h.key, list_sort(list(DISTINCT h.uid))[1:20] AS uids
    FROM hours AS h
    INNER JOIN candidates AS c ON h.orig_h = c.orig_h AND h.key = c.key
    WHERE h.hour_us >= $window_start
    GROUP BY h.orig_h, h.key
),

-- Sizes and starts: of a name from what tells names, of an address from its connections.
rhythms AS (
    SELECT h.orig_h, h.name AS key, h.starts_ms, h.sizes
    FROM server_name_hour AS h
    INNER JOIN candidates AS c ON h.orig_h = c.orig_h AND h.name = c.name
    WHERE h.hour_us >= $window_start AND h.tls
    UNION ALL
    SELECT p.orig_h, c.key, p.starts_ms, p.sizes
    FROM pair_hour AS p
    INNER JOIN candidates AS c ON p.orig_h = c.orig_h AND p.resp_h = c.resp_h AND p.resp_p = c.least_port
    WHERE p.hour_us >= $window_start AND p.proto = 'tcp' AND c.name IS NULL
),
sizes AS (
    SELECT orig_h, key, unnest(sizes) AS size
    FROM rhythms
),
middle_sizes AS (
    SELECT orig_h, key, quantile_cont(size, 0.5) AS middle
    FROM sizes
    GROUP BY orig_h, key
),
size_spread AS (
    SELECT s.orig_h, s.key, max(m.middle) AS size_median, quantile_cont(abs(s.size - m.middle), 0.5) AS size_mad
    FROM sizes AS s
    INNER JOIN middle_sizes AS m ON s.orig_h = m.orig_h AND s.key = m.key
    GROUP BY s.orig_h, s.key
),
gaps AS (
    SELECT orig_h, key, start_ms - lag(start_ms) OVER (PARTITION BY orig_h, key ORDER BY start_ms) AS gap_ms
    FROM (SELECT orig_h, key, unnest(starts_ms) AS start_ms FROM rhythms) AS opened
),
middle_gaps AS (
    SELECT orig_h, key, quantile_cont(gap_ms, 0.5) AS middle
    FROM gaps
    WHERE gap_ms >= 1000  -- closer ones are one call
    GROUP BY orig_h, key
),
gap_spread AS (
    SELECT g.orig_h, g.key, max(m.middle) AS gap_median_ms, quantile_cont(abs(g.gap_ms - m.middle), 0.5) AS gap_mad_ms
    FROM gaps AS g
    INNER JOIN middle_gaps AS m ON g.orig_h = m.orig_h AND g.key = m.key
    WHERE g.gap_ms >= 1000
    GROUP BY g.orig_h, g.key
)

SELECT
    c.orig_h, c.key, c.name, c.resp_h, c.servers, c.least_port, c.most_port, c.odd_ports, c.sessions, c.established,
    c.hidden, c.resumed, c.certificates, c.certificate, c.subject, c.issuer, c.self_made, c.misnamed, c.distrusted,
    c.trusted, c.valid_days, c.age_days, c.random_subject, c.nameless, c.bare_name, c.random_name, c.rare,
    c.own_fingerprint, c.own_answer, c.fingerprint, c.fingerprint_clients, c.ja3s, c.place_clients, c.clients,
    c.client_places, c.hours, c.first_us, c.last_us, e.uids,
    k.past_hours,
    coalesce(b.days, 0) AS past_days,
    s.size_median,  -- bytes that the client sent in a connection, headers included
    s.size_mad,
    g.gap_median_ms,
    g.gap_mad_ms
FROM candidates AS c
LEFT JOIN examples AS e ON c.orig_h = e.orig_h AND c.key = e.key
LEFT JOIN known AS k ON c.orig_h = k.orig_h
LEFT JOIN before AS b ON c.orig_h = b.orig_h AND c.key = b.key
LEFT JOIN size_spread AS s ON c.orig_h = s.orig_h AND c.key = s.key
LEFT JOIN gap_spread AS g ON c.orig_h = g.orig_h AND c.key = g.key
