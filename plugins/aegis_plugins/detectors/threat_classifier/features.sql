-- What a client did in an hour: one row per server that it called four times or more, and one (without a server) for the
-- hour as a whole, if it has enough connections. Each feature is declared by its derived table; null stays null.
WITH hosts AS (
    SELECT
        orig_h, hour_us, first_us, last_us, uid,
        connections, peers, ports, peer_entropy, port_entropy, sent_bytes, received_bytes, upload_share, bytes_median,
        packets_median, sent_packet_bytes, received_packet_bytes, duration_median, failed_share, unanswered_share
    FROM host_statistical_hour
)

SELECT
    p.orig_h, p.resp_h, p.resp_p, p.proto, p.first_us, p.last_us, p.uid,
    $window_end AS window_end_us,
    CAST(p.proto = 'tcp' AS INTEGER) AS over_tcp,
    p.pair_connections, p.pair_sent_bytes, p.pair_received_bytes, p.pair_upload_share, p.pair_bytes_median,
    p.pair_bytes_cv, p.pair_duration_median, p.pair_duration_max, p.pair_failed_share, p.pair_gap_median, p.pair_gap_cv,
    p.pair_burstiness, p.pair_gap_regularity, p.pair_active_minutes,
    h.connections, h.peers, h.ports, h.peer_entropy, h.port_entropy, h.sent_bytes, h.received_bytes, h.upload_share,
    h.bytes_median, h.packets_median, h.sent_packet_bytes, h.received_packet_bytes, h.duration_median, h.failed_share,
    h.unanswered_share
FROM pair_features_hour AS p
LEFT JOIN hosts AS h ON p.orig_h = h.orig_h AND p.hour_us = h.hour_us
WHERE p.pair_connections >= $min_connections
UNION ALL
SELECT
    h.orig_h, NULL AS resp_h, NULL AS resp_p, NULL AS proto, h.first_us, h.last_us, h.uid,
    $window_end AS window_end_us,
    NULL AS over_tcp,
    NULL AS pair_connections, NULL AS pair_sent_bytes, NULL AS pair_received_bytes, NULL AS pair_upload_share,
    NULL AS pair_bytes_median, NULL AS pair_bytes_cv, NULL AS pair_duration_median, NULL AS pair_duration_max,
    NULL AS pair_failed_share, NULL AS pair_gap_median, NULL AS pair_gap_cv, NULL AS pair_burstiness,
    NULL AS pair_gap_regularity, NULL AS pair_active_minutes,
    h.connections, h.peers, h.ports, h.peer_entropy, h.port_entropy, h.sent_bytes, h.received_bytes, h.upload_share,
    h.bytes_median, h.packets_median, h.sent_packet_bytes, h.received_packet_bytes, h.duration_median, h.failed_share,
    h.unanswered_share
FROM hosts AS h
WHERE h.connections >= $min_connections
