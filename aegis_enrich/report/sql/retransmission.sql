-- Payload that senders sent again, as AegisEnrich's script in Zeek measures it, of all payload that they sent.
SELECT
    (end_us - $start_us) // $bucket_us AS bucket,
    CAST(sum(coalesce(orig_rexmit_bytes_est, 0) + coalesce(resp_rexmit_bytes_est, 0)) AS BIGINT) AS again,
    CAST(sum(coalesce(orig_bytes, 0) + coalesce(resp_bytes, 0) + coalesce(orig_rexmit_bytes_est, 0)
        + coalesce(resp_rexmit_bytes_est, 0)) AS BIGINT) AS sent
FROM aegis_retransmission
WHERE coalesce(final, true) AND NOT coalesce(duplicates, false)
GROUP BY bucket
ORDER BY bucket
