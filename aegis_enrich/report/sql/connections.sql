-- What each bucket's connections (by their start) tell of the network: how many found no answer, how many TCP
-- connections with payload had a segment repeated (t, T in Zeek's history), the round trip of their handshakes in µs
-- (both sides of the sensor), and payload that the sensor did not see.
SELECT
    (ts_us - $start_us) // $bucket_us AS bucket,
    count(*) AS connections,
    count(*) FILTER (WHERE conn_state IN ('S0', 'REJ')) AS failed,
    count(*) FILTER (WHERE proto = 'tcp' AND history IS NOT NULL AND orig_bytes + resp_bytes > 0) AS tcp,
    count(*) FILTER (WHERE proto = 'tcp' AND orig_bytes + resp_bytes > 0 AND regexp_matches(history, '[tT]')) AS again,
    CAST(quantile_cont(CAST(round(1000000 * (orig_rtt + resp_rtt)) AS BIGINT), 0.5) AS BIGINT) AS rtt_median,
    CAST(quantile_cont(CAST(round(1000000 * (orig_rtt + resp_rtt)) AS BIGINT), 0.9) AS BIGINT) AS rtt_d9,
    CAST(coalesce(sum(least(missed_bytes, orig_bytes + resp_bytes)) FILTER (WHERE proto = 'tcp'), 0) AS BIGINT) AS missed,
    CAST(coalesce(sum(orig_bytes + resp_bytes) FILTER (WHERE proto = 'tcp' AND missed_bytes IS NOT NULL), 0) AS BIGINT)
        AS payload
FROM conn
WHERE ts_us >= $start_us
GROUP BY bucket
ORDER BY bucket
