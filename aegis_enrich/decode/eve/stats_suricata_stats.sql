-- Counters since the engine's start.
SELECT
    number,
    timestamp AS ts,
    stats.uptime AS uptime,
    stats.capture.kernel_packets AS capture_kernel_packets,
    stats.capture.kernel_drops AS capture_kernel_drops,
    stats.decoder.pkts AS decoder_pkts,
    stats.tcp.reassembly_gap AS tcp_reassembly_gap,
    TRY(coalesce(stats.tcp.ssn_memcap_drop, 0) + coalesce(stats.tcp.segment_memcap_drop, 0)) AS tcp_memcap_drop,
    stats.flow.memcap AS flow_memcap,
    stats.detect.alert AS detect_alert
FROM events
