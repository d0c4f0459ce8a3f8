-- How long DNS took to answer, in µs.
SELECT
    (ts_us - $start_us) // $bucket_us AS bucket,
    CAST(quantile_cont(CAST(round(1000000 * rtt) AS BIGINT), 0.5) AS BIGINT) AS rtt_median,
    CAST(quantile_cont(CAST(round(1000000 * rtt) AS BIGINT), 0.9) AS BIGINT) AS rtt_d9
FROM dns
WHERE ts_us >= $start_us AND rtt >= 0 AND coalesce(resp_p, 53) = 53
GROUP BY bucket
ORDER BY bucket
