-- One row per pair and port with a connection of a minute or more that ended in the hour, and one per TCP connection of
-- which the hour shows a piece: a row that has a beginning and no end, or no beginning.
WITH
-- Zeek ends a TCP connection that was silent for five minutes; its next packet makes a row without a SYN. `S1`: begun
-- and not closed. Both sides must have spoken: what nobody answers is a scan.
flows AS (
    SELECT
        orig_h,
        resp_h,
        resp_p,
        proto,
        history LIKE '%S%' OR history LIKE '%h%' AS begins,
        CASE WHEN proto = 'tcp' AND history IS NOT NULL AND orig_pkts > 0 AND resp_pkts > 0
            AND (conn_state = 'S1' OR NOT (history LIKE '%S%' OR history LIKE '%h%')) THEN orig_p END AS piece_p,
        direction,
        orig_internal,
        resp_internal,
        service,
        community_id,
        least(orig_bytes, 17592186044416) AS orig_bytes,
        least(resp_bytes, 17592186044416) AS resp_bytes,
        least(orig_pkts, 17592186044416) AS orig_pkts,
        least(resp_pkts, 17592186044416) AS resp_pkts,
        ts_us,
        end_us,
        uid
    FROM conn
    WHERE proto <> 'icmp' AND orig_h IS NOT NULL
        AND (
            end_us - ts_us >= 60000000
            OR (
                history IS NOT NULL AND orig_pkts > 0 AND resp_pkts > 0
                AND (conn_state = 'S1' OR NOT (history LIKE '%S%' OR history LIKE '%h%'))
            )
        )
        AND resp_h NOT LIKE 'ff%' AND NOT regexp_matches(resp_h, '^(0|22[4-9]|23[0-9]|255)\.')
)

SELECT
    orig_h,
    piece_p AS orig_p,
    resp_h,
    resp_p,
    proto,
    max(direction) AS direction,
    bool_or(orig_internal) AS orig_internal,
    bool_or(resp_internal) AS resp_internal,
    max(service) AS service,
    max(community_id) AS community_id,
    count(*) AS connections,
    max(end_us - ts_us) AS longest_us,
    max(CASE WHEN begins THEN ts_us END) AS begun_us,
    min(ts_us) AS first_us,
    max(end_us) AS last_us,
    CAST(sum(orig_bytes) AS BIGINT) AS orig_bytes,
    CAST(sum(resp_bytes) AS BIGINT) AS resp_bytes,
    CAST(sum(orig_pkts) AS BIGINT) AS orig_pkts,
    CAST(sum(resp_pkts) AS BIGINT) AS resp_pkts,
    coalesce(min(CASE WHEN begins THEN uid END), min(uid)) AS uid
FROM flows
WHERE end_us - ts_us >= 60000000 OR piece_p IS NOT NULL
GROUP BY orig_h, piece_p, resp_h, resp_p, proto
