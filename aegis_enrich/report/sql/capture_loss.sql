-- Zeek's own estimate of what it did not see, in per cent: the worst of its workers.
SELECT (end_us - $start_us) // $bucket_us AS bucket, max(percent_lost) AS lost
FROM capture_loss
WHERE percent_lost >= 0
GROUP BY bucket
ORDER BY bucket
