-- What a client asked below one registered domain in 24 h: one row per client and domain with names enough.
WITH
-- Each name once, however many hours it was asked in; names beyond an hour's cap (no hash) count in each hour.
names AS (
    SELECT
        orig_h, query_domain,
        CAST(1 AS BIGINT) AS names,
        CAST(sum(queries) AS BIGINT) AS queries,
        max(sub_bytes) AS sub_bytes,
        max(longest_bytes) AS longest_bytes,
        max(millibits) AS millibits,
        max(typed) AS typed,
        max(typed_millibits) AS typed_millibits,
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
        min(example) AS example
    FROM name_hour
    WHERE name_hash IS NOT NULL AND NOT list_contains($skip_domains, query_domain)
    GROUP BY orig_h, query_domain, name_hash
    UNION ALL
    SELECT
        orig_h, query_domain, names, queries, sub_bytes, longest_bytes, millibits, typed, typed_millibits, nxdomain,
        answered, loopback, answer_bytes, typed_answer_bytes, qtype, first_us, last_us, hour_us, uid, example
    FROM name_hour
    WHERE name_hash IS NULL AND NOT list_contains($skip_domains, query_domain)
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY orig_h, query_domain ORDER BY first_us, uid, sub_bytes, millibits) AS nth,
        dense_rank() OVER (PARTITION BY orig_h, query_domain ORDER BY example NULLS LAST) AS example_nth
    FROM names
)

SELECT
    orig_h,
    query_domain,
    CAST(sum(names) AS BIGINT) AS names,
    CAST(sum(queries) AS BIGINT) AS queries,
    CAST(sum(sub_bytes) AS BIGINT) AS sub_bytes,
    max(longest_bytes) AS longest_bytes,
    CAST(sum(millibits) AS BIGINT) AS millibits,
    CAST(sum(typed) AS BIGINT) AS typed,
    CAST(sum(typed_millibits) AS BIGINT) AS typed_millibits,
    CAST(sum(nxdomain) AS BIGINT) AS nxdomain,
    CAST(sum(answered) AS BIGINT) AS answered,
    CAST(sum(loopback) AS BIGINT) AS loopback,
    CAST(sum(answer_bytes) AS BIGINT) AS answer_bytes,
    CAST(sum(typed_answer_bytes) AS BIGINT) AS typed_answer_bytes,
    list_sort(list(DISTINCT qtype)) AS qtypes,
    min(first_us) AS first_us,
    max(last_us) AS last_us,
    list_sort(list(DISTINCT example) FILTER (WHERE example_nth <= 5 AND example IS NOT NULL)) AS examples,
    list_sort(list(DISTINCT uid) FILTER (WHERE nth <= 20)) AS uids
FROM ranked
GROUP BY orig_h, query_domain
HAVING sum(names) >= $min_names
    AND max(hour_us) >= $window_end - 3600000000
    -- names that are long, or types that carry text; and letters as mixed as a code's
    AND (sum(sub_bytes) >= $min_mean_bytes * sum(names) OR 2 * sum(typed) >= sum(names))
    AND sum(millibits) >= 1000 * $min_entropy_bits * sum(sub_bytes)
    -- lists answer in 127.0.0.0/8 (RFC 5782): DNSBLs, and scanners of mail and files that look up reputations
    AND NOT (sum(answered) > 0 AND sum(loopback) >= $max_loopback_share * sum(answered))
