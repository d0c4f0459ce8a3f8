-- Bytes on the wire in each bucket of time, with IP headers where the sensor counts them. A connection's bytes are
-- spread evenly over the time that it lasted; whole numbers, so that the sum does not depend on the order of rows.
WITH
flows AS (
    SELECT
        least(greatest(ts_us, $start_us), $end_us - 1) AS begun,
        least(greatest(end_us, ts_us, $start_us), $end_us - 1) AS ended,
        least(greatest(coalesce(orig_ip_bytes, orig_bytes, 0), 0), 17592186044416) AS up,
        least(greatest(coalesce(resp_ip_bytes, resp_bytes, 0), 0), 17592186044416) AS down,
        coalesce(orig_internal, local_orig, true) AS orig_inside,
        coalesce(resp_internal, local_resp, true) AS resp_inside
    FROM conn
),
ways AS (
    SELECT
        begun,
        ended,
        CASE WHEN orig_inside AND NOT resp_inside THEN up WHEN resp_inside AND NOT orig_inside THEN down ELSE 0 END AS sent,
        CASE WHEN orig_inside AND NOT resp_inside THEN down WHEN resp_inside AND NOT orig_inside THEN up ELSE 0 END AS got,
        CASE WHEN orig_inside AND resp_inside THEN up + down ELSE 0 END AS within,
        CASE WHEN NOT orig_inside AND NOT resp_inside THEN up + down ELSE 0 END AS past
    FROM flows
    WHERE up + down > 0
),
spread AS (
    SELECT
        unnest(generate_series((begun - $start_us) // $bucket_us, (ended - $start_us) // $bucket_us)) AS bucket,
        begun, ended, sent, got, within, past
    FROM ways
),
shares AS (
    SELECT
        bucket, sent, got, within, past,
        greatest(ended - begun, 1) AS whole,
        CASE
            WHEN ended <= begun THEN 1
            ELSE least(ended, $start_us + (bucket + 1) * $bucket_us) - greatest(begun, $start_us + bucket * $bucket_us)
        END AS part
    FROM spread
)
SELECT
    bucket,
    CAST(sum(CAST(sent AS HUGEINT) * part // whole) AS BIGINT) AS sent,
    CAST(sum(CAST(got AS HUGEINT) * part // whole) AS BIGINT) AS got,
    CAST(sum(CAST(within AS HUGEINT) * part // whole) AS BIGINT) AS within,
    CAST(sum(CAST(past AS HUGEINT) * part // whole) AS BIGINT) AS past
FROM shares
GROUP BY bucket
ORDER BY bucket
