-- Packets that the kernel dropped before Suricata saw them; its counters rise until it is started again.
WITH
rising AS (
    SELECT
        end_us,
        capture_kernel_drops - lag(capture_kernel_drops) OVER (ORDER BY end_us, uptime) AS drops,
        capture_kernel_packets - lag(capture_kernel_packets) OVER (ORDER BY end_us, uptime) AS packets
    FROM suricata_stats
)
SELECT
    (end_us - $start_us) // $bucket_us AS bucket,
    CAST(sum(drops) AS BIGINT) AS drops,
    CAST(sum(packets) AS BIGINT) AS packets
FROM rising
WHERE drops >= 0 AND packets > 0
GROUP BY bucket
ORDER BY bucket
