-- What was asked below one registered domain in 24 h: one row per client and domain with a message, one per domain whose
-- message is spread over many clients (orig_h is null), and one per client that sends much to a resolver by HTTPS.
WITH
-- Few clients and domains can carry anything; only their names are looked at. Names that were asked for in two hours
-- count twice here, so nothing is missed.
pairs AS (
    SELECT
        orig_h,
        query_domain,
        sum(names) AS names,
        sum(typed) AS typed,
        -- as `message` below, of the pair and of its text types alone, in thousandths of a bit
        sum(typed_millibits) + $address_weight * sum(millibits - typed_millibits) + 2000 * sum(typed_answer_bytes)
            AS millibits,
        sum(typed_millibits) + 2000 * sum(typed_answer_bytes) AS typed_millibits,
        max(hour_us) AS hour_us
    FROM name_hour
    WHERE NOT list_contains($skip_domains, query_domain)
    GROUP BY orig_h, query_domain
),
candidates AS (
    SELECT query_domain
    FROM pairs
    GROUP BY query_domain
    HAVING max(hour_us) >= $window_end - 3600000000
        AND (
            max(CASE WHEN names >= $min_names AND millibits >= 8000 * $min_bytes THEN 1 ELSE 0 END) = 1
            OR (
                count(*) >= $min_clients
                AND sum(typed) >= $min_names
                AND sum(typed_millibits) >= 8000 * $min_bytes
            )
        )
),

-- Other domains below which the client asked for a tenth as much or more: behind a NAT, content networks have company.
rivals AS (
    SELECT p.orig_h, p.query_domain, count(*) AS alike_domains
    FROM pairs AS p
    INNER JOIN pairs AS o
        ON p.orig_h = o.orig_h AND p.query_domain <> o.query_domain AND 10 * o.millibits >= p.millibits
    WHERE p.names >= $min_names AND p.millibits >= 8000 * $min_bytes
    GROUP BY p.orig_h, p.query_domain
),

-- Each name of a client once, however many hours it was asked in; names beyond an hour's cap (no hash) count in each.
names AS (
    SELECT
        orig_h, query_domain, name_hash,
        max(names) AS names,
        CAST(sum(queries) AS BIGINT) AS queries,
        max(sub_bytes) AS sub_bytes,
        max(longest_bytes) AS longest_bytes,
        max(millibits) AS millibits,
        max(typed) AS typed,
        max(typed_millibits) AS typed_millibits,
        CAST(sum(tcp) AS BIGINT) AS tcp,
        CAST(sum(nxdomain) AS BIGINT) AS nxdomain,
        CAST(sum(answered) AS BIGINT) AS answered,
        CAST(sum(loopback) AS BIGINT) AS loopback,
        CAST(sum(answer_bytes) AS BIGINT) AS answer_bytes,
        CAST(sum(typed_answer_bytes) AS BIGINT) AS typed_answer_bytes,
        max(qtype) AS qtype,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        max(hour_us) AS hour_us,
        min(uid) AS uid,
        min(example) AS example,
        min(resolver) AS resolver
    FROM name_hour
    WHERE query_domain IN (SELECT query_domain FROM candidates)
    GROUP BY orig_h, query_domain, name_hash, CASE WHEN name_hash IS NULL THEN hour_us END
),

-- A name that this host was asked for, too: a resolver passes it on.
asked_of AS (
    SELECT DISTINCT query_domain, name_hash, resolver
    FROM names
    WHERE name_hash IS NOT NULL AND resolver <> orig_h
),
told AS (
    SELECT
        n.*,
        CASE WHEN a.resolver IS NULL THEN 0 ELSE 1 END AS passed_on,
        -- whoever asked for the name first
        row_number() OVER (
            PARTITION BY n.query_domain, n.name_hash
            ORDER BY CASE WHEN a.resolver IS NULL THEN 0 ELSE 1 END, n.first_us, n.uid, n.orig_h
        ) AS asker_nth
    FROM names AS n
    LEFT JOIN asked_of AS a
        ON n.query_domain = a.query_domain AND n.name_hash = a.name_hash AND n.orig_h = a.resolver
),

-- Beside each client's own, all clients' together: names of text types, each once.
channels AS (
    SELECT orig_h AS whose, * FROM told
    UNION ALL
    SELECT CAST(NULL AS VARCHAR) AS whose, * FROM told
    WHERE passed_on = 0 AND typed > 0 AND (name_hash IS NULL OR asker_nth = 1)
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY whose, query_domain ORDER BY first_us, uid, sub_bytes, millibits) AS nth,
        dense_rank() OVER (PARTITION BY whose, query_domain ORDER BY example NULLS LAST) AS example_nth,
        -- between one new name and the next: the rhythm of the channel
        first_us - lag(first_us) OVER (
            PARTITION BY whose, query_domain ORDER BY first_us, uid, sub_bytes, millibits
        ) AS gap_us
    FROM channels
),

summed AS (
    SELECT
        whose AS orig_h,
        query_domain,
        count(DISTINCT orig_h) AS clients,
        CAST(sum(names) AS BIGINT) AS names,
        CAST(sum(queries) AS BIGINT) AS queries,
        CAST(sum(passed_on) AS BIGINT) AS passed_on,
        CAST(sum(sub_bytes) AS BIGINT) AS sub_bytes,
        max(longest_bytes) AS longest_bytes,
        CAST(sum(millibits) AS BIGINT) AS millibits,
        CAST(sum(typed) AS BIGINT) AS typed,
        CAST(sum(typed_millibits) AS BIGINT) AS typed_millibits,
        CAST(sum(tcp) AS BIGINT) AS tcp,
        CAST(sum(nxdomain) AS BIGINT) AS nxdomain,
        CAST(sum(answered) AS BIGINT) AS answered,
        CAST(sum(loopback) AS BIGINT) AS loopback,
        CAST(sum(answer_bytes) AS BIGINT) AS answer_bytes,
        CAST(sum(typed_answer_bytes) AS BIGINT) AS typed_answer_bytes,
        quantile_cont(gap_us, 0.1) AS gap_us_p10,
        quantile_cont(gap_us, 0.5) AS gap_us_median,
        quantile_cont(gap_us, 0.9) AS gap_us_p90,
        count(DISTINCT first_us // 3600000000) AS hours,
        list_sort(list(DISTINCT qtype)) AS qtypes,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        list_sort(list(DISTINCT example) FILTER (WHERE example_nth <= 5 AND example IS NOT NULL)) AS examples,
        list_sort(list(DISTINCT uid) FILTER (WHERE nth <= 20)) AS uids
    FROM ranked
    GROUP BY whose, query_domain
    HAVING sum(names) >= $min_names
        AND (whose IS NOT NULL OR count(DISTINCT orig_h) >= $min_clients)
        AND max(hour_us) >= $window_end - 3600000000
        -- types that carry text, or names that are long and that nobody asks for again
        AND (
            2 * sum(typed) >= sum(names)
            OR (sum(sub_bytes) >= $min_mean_bytes * sum(names) AND sum(names) >= $min_new_share * sum(queries))
        )
        -- letters as mixed as a code's
        AND sum(millibits) >= 1000 * $min_entropy_bits * sum(sub_bytes)
        -- lists answer in 127.0.0.0/8 (RFC 5782): DNSBLs, and scanners of mail and files that look up reputations
        AND NOT (sum(answered) > 0 AND sum(loopback) >= $max_loopback_share * sum(answered))
        AND sum(typed_millibits) + $address_weight * sum(millibits - typed_millibits) + 2000 * sum(typed_answer_bytes)
            >= 8000 * $min_bytes
        -- nine names of ten passed on for others: these are the ones to tell of
        AND 10 * sum(passed_on) < 9 * sum(names)
),

-- What clients send to resolvers that answer over HTTPS (RFC 8484): its volume is all that shows.
sent AS (
    SELECT orig_h, name, hour_us, first_us, last_us, uid, unnest(ip_sizes) AS size_bytes
    FROM server_name_hour
    WHERE tls AND list_contains($doh_resolvers, name)
),
doh AS (
    SELECT
        orig_h,
        name,
        count(*) AS connections,
        CAST(sum(size_bytes) AS BIGINT) AS sent_bytes,
        count(DISTINCT hour_us) AS hours,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        list_sort(list(DISTINCT uid))[1:20] AS uids
    FROM sent
    GROUP BY orig_h, name
    HAVING sum(size_bytes) >= $min_doh_bytes AND max(hour_us) >= $window_end - 3600000000
)

SELECT
    s.orig_h, s.query_domain, hours, first_us, last_us, uids, qtypes, examples, clients, names, queries, passed_on,
    sub_bytes, longest_bytes, millibits, typed, typed_millibits, tcp, nxdomain, answered, loopback,
    answer_bytes, typed_answer_bytes, gap_us_p10, gap_us_median, gap_us_p90,
    coalesce(r.alike_domains, 0) AS alike_domains,
    CAST(NULL AS BIGINT) AS connections,
    CAST(NULL AS BIGINT) AS sent_bytes
FROM summed AS s
LEFT JOIN rivals AS r ON s.orig_h = r.orig_h AND s.query_domain = r.query_domain
-- what one client tells needs not be told of the domain
WHERE s.orig_h IS NOT NULL OR s.query_domain NOT IN (SELECT query_domain FROM summed WHERE orig_h IS NOT NULL)
UNION ALL
SELECT
    orig_h, name, hours, first_us, last_us, uids,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL,
    NULL,
    connections,
    sent_bytes
FROM doh
