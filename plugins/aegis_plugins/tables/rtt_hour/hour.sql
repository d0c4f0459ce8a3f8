-- One row per client, server, kind and bucket of the time that an answer took.
WITH
-- From SYN to SYN-ACK on the server's side of the sensor, from SYN-ACK to ACK on the client's: together the round trip
-- between the two. What comes from outside is left out: its clients are too many to have a baseline.
answers AS (
    SELECT
        orig_h, resp_h, 'tcp' AS kind, uid, ts_us, end_us,
        CAST(round(1000000 * orig_rtt) AS BIGINT) + CAST(round(1000000 * resp_rtt) AS BIGINT) AS total_us,
        CAST(round(1000000 * orig_rtt) AS BIGINT) AS near_us
    FROM conn
    WHERE proto = 'tcp' AND orig_rtt >= 0 AND resp_rtt >= 0
        AND NOT (NOT coalesce(orig_internal, true) AND coalesce(resp_internal, false))
    UNION ALL
    SELECT
        orig_h, resp_h, 'dns' AS kind, uid, ts_us, end_us,
        CAST(round(1000000 * rtt) AS BIGINT) AS total_us,
        CAST(NULL AS BIGINT) AS near_us
    FROM dns
    WHERE rtt >= 0 AND resp_p = 53
        AND NOT (NOT coalesce(orig_internal, true) AND coalesce(resp_internal, false))
),

placed AS (
    SELECT
        *,
        CASE
            WHEN resp_h LIKE '%:%'
            -- the first three groups of a canonical address; what `::` leaves out is zero
            THEN concat(array_to_string(string_split(split_part(resp_h, '::', 1), ':')[1:3], ':'), '::/48')
            ELSE regexp_replace(resp_h, '\.[0-9]+$', '.0/24')
        END AS network,
        CAST(floor(8 * log2(total_us)) AS BIGINT) AS bucket
    FROM answers
    WHERE total_us > 0 AND orig_h IS NOT NULL AND resp_h IS NOT NULL
),

-- The long tail of networks that were called once or twice is most of the pairs, and no part of any median.
known AS (
    SELECT orig_h, network, kind
    FROM placed
    GROUP BY orig_h, network, kind
    HAVING count(*) >= 3
)

SELECT
    p.orig_h,
    p.resp_h,
    p.network,
    p.kind,
    p.bucket,
    count(*) AS connections,
    CAST(sum(p.total_us) AS BIGINT) AS total_us,
    CAST(sum(p.near_us) AS BIGINT) AS near_us,
    min(p.ts_us) AS first_us,
    max(p.end_us) AS last_us,
    min(p.uid) AS uid
FROM placed AS p
INNER JOIN known AS k ON p.orig_h = k.orig_h AND p.network = k.network AND p.kind = k.kind
GROUP BY p.orig_h, p.resp_h, p.network, p.kind, p.bucket
