-- What a client's QUIC with a place outside looks like over 24 h: one row per client and key, the name asked for (SNI),
-- else address:port/udp. Looked at are only places that show a sign already in one of the hours: version, name, port
-- or fingerprint.
WITH
hours AS (
    SELECT
        *,
        coalesce(name, concat(resp_h, ':', CAST(resp_p AS VARCHAR), '/udp')) AS key
    FROM tls_server_hour
    WHERE proto = 'udp'
),

-- Places called in the last hour, and those of them of which the day shows a sign.
latest AS (
    SELECT DISTINCT orig_h, key
    FROM hours
    WHERE hour_us >= $window_end - 3600000000
),

called AS (
    SELECT *, split_part(coalesce(domain, ''), '.', 1) AS label
    FROM hours
    WHERE hour_us >= $window_start AND (orig_h, key) IN (SELECT orig_h, key FROM latest)
),

active AS (
    SELECT DISTINCT orig_h, key
    FROM called
    WHERE odd_versions > 0 OR NOT list_contains($usual_ports, resp_p) OR fingerprint_sessions = sessions
        OR name IS NULL OR NOT contains(name, '.') OR translate(name, '0123456789.', '') = ''
        OR length(label) >= 8 AND (
            6 * (length(label) - length(translate(label, 'aeiouy', ''))) <= length(label)
            OR regexp_matches(label, '[0-9][a-z]+[0-9]+[a-z]+[0-9]')
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
        CAST(sum(odd_versions) AS BIGINT) AS odd_versions,
        -- one fingerprint in all handshakes; then the handshakes with it, of all clients in the same hours
        CASE WHEN count(fingerprint) = count(*) AND min(fingerprint) = max(fingerprint) THEN min(fingerprint) END
            AS fingerprint,
        CAST(sum(fingerprint_sessions) AS BIGINT) AS fingerprint_sessions,
        max(fingerprint_clients) AS fingerprint_clients,
        CAST(sum(fingerprinted) AS BIGINT) AS fingerprinted,
        -- names of the others' handshakes in the same hours: Zeek misses that of a hello in two datagrams
        CAST(sum(all_sessions) AS BIGINT) AS all_sessions,
        CAST(sum(all_named) AS BIGINT) AS all_named,
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

judged AS (
    SELECT
        *,
        translate(name, '0123456789.', '') = '' OR name LIKE '%:%'
        OR name IS NULL AND all_sessions - sessions >= $min_others
        AND all_named >= $named_share * (all_sessions - sessions) AS nameless,
        name IS NOT NULL AND NOT contains(name, '.') AND name NOT LIKE '%:%' AS bare_name,
        split_part(coalesce(domain, ''), '.', 1) AS label,
        CASE WHEN clients >= $min_clients AND client_places < $crowd
            THEN place_clients <= greatest(1, $rare_share * clients) END AS rare,
        CASE WHEN sessions >= 5 AND fingerprinted - sessions >= $min_others AND fingerprint IS NOT NULL
            THEN fingerprint_sessions = sessions END AS own_fingerprint
    FROM calls
),

-- Labels that nobody would choose: eight characters or more of which one in six is a vowel at most, or letters and
-- digits by turns.
spelled AS (
    SELECT
        *,
        length(label) >= 8 AND (
            6 * (length(label) - length(translate(label, 'aeiouy', ''))) <= length(label)
            OR regexp_matches(label, '[0-9][a-z]+[0-9]+[a-z]+[0-9]')
        ) AS random_name
    FROM judged
),

-- A kind of sign counts here where it may be; that the place is rare or new to the client may always be.
candidates AS (
    SELECT *
    FROM spelled
    WHERE (
        CAST(odd_versions > 0 AS INTEGER)
        + CAST(coalesce(nameless, false) OR bare_name OR random_name AS INTEGER)
        + CAST(odd_ports > 0 AS INTEGER)
        + CAST(coalesce(own_fingerprint, false) AS INTEGER)
        + CAST(sessions >= $min_sessions AS INTEGER)
    ) >= $min_kinds - 1
),

-- Since when the client is known, and on how many days before it called this place.
known AS (
    SELECT orig_h, greatest(0, ($window_start - min(hour_us)) // 3600000000) AS past_hours
    FROM tls_server_hour
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

-- Sizes and starts: of a name from what tells names, of an address from its flows.
rhythms AS (
    SELECT h.orig_h, h.name AS key, h.starts_ms, h.sizes
    FROM server_name_hour AS h
    INNER JOIN candidates AS c ON h.orig_h = c.orig_h AND h.name = c.name
    WHERE h.hour_us >= $window_start AND h.proto = 'udp'
    UNION ALL
    SELECT p.orig_h, c.key, p.starts_ms, p.sizes
    FROM pair_hour AS p
    INNER JOIN candidates AS c ON p.orig_h = c.orig_h AND p.resp_h = c.resp_h AND p.resp_p = c.least_port
    WHERE p.hour_us >= $window_start AND p.proto = 'udp' AND c.name IS NULL
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
    c.orig_h, c.key, c.name, c.resp_h, c.servers, c.least_port, c.most_port, c.odd_ports, c.sessions, c.odd_versions,
    c.nameless, c.bare_name, c.random_name, c.rare, c.own_fingerprint, c.fingerprint, c.fingerprint_clients,
    c.place_clients, c.clients, c.client_places, c.hours, c.first_us, c.last_us, e.uids,
    k.past_hours,
    coalesce(b.days, 0) AS past_days,
    s.size_median,  -- bytes that the client sent in a flow, headers included
    s.size_mad,
    g.gap_median_ms,
    g.gap_mad_ms
FROM candidates AS c
LEFT JOIN examples AS e ON c.orig_h = e.orig_h AND c.key = e.key
LEFT JOIN known AS k ON c.orig_h = k.orig_h
LEFT JOIN before AS b ON c.orig_h = b.orig_h AND c.key = b.key
LEFT JOIN size_spread AS s ON c.orig_h = s.orig_h AND c.key = s.key
LEFT JOIN gap_spread AS g ON c.orig_h = g.orig_h AND c.key = g.key
